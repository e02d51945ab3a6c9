/*
 * Threads that work, and one thread that owns. Two queues lie between them, under one lock:
 *
 *     owner                           pool (shared)                    threads
 *     executor_submit()   ------->    waiting  [job] -> [job]  ------> fn(arg)
 *     executor_drain()    <-------    ended    [job] -> [job]  <------ its result
 *        completes the futures
 *
 * A future is not safe to touch from two threads, so the threads never do: a job is one block of
 * memory with two halves, the future, which only the owner touches, and the work, which belongs to
 * whoever has taken it out of a queue. The block goes when both halves are let go.
 *
 * The owner may leave at any time, while threads are in the middle of a job. So what they need, the
 * pool, is not part of the executor: it has a count of its users, and the last one frees it.
 */
#include "executor.h"

#include <errno.h>
#include <math.h> /* isnan() is a macro: no library */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "future_impl.h"

enum { MOST_THREADS = 1024 };
#define FOR_EVER 1e9 /* seconds, 31 years: more than a clock has to hold */

struct job {
    /* the owner's half */
    struct future future;
    struct executor *executor;
    struct call of_owner; /* in the executor's list of all jobs that it still cares for */

    /* the other half: written by the owner before it is queued and after it came back */
    struct call link; /* in pool->waiting, pool->ended or executor->ended */
    executor_job_fn *fn;
    executor_drop_fn *drop;
    void *arg;
    value result;
    int error;
    bool begun; /* a thread has taken it; under the lock */

    atomic_uint halves; /* how many have not been let go */
};

struct thread {
    struct pool *pool;
    pthread_t id;
    bool busy;     /* with a job; under the lock */
    bool detached; /* it was busy when the owner left; the owner's own note */
};

struct pool {
    pthread_mutex_t lock; /* for everything below */
    pthread_cond_t work;  /* something waits, or it is over */
    pthread_cond_t news;  /* something has ended */
    struct call_queue waiting;
    struct call_queue ended;
    bool over; /* the owner has left: nothing of him may be touched, notify included */
    void (*notify)(void *arg);
    void *notify_arg;
    unsigned alive; /* threads that take jobs */
    unsigned users; /* the owner, and the threads */
    unsigned n_threads;
    struct thread threads[];
};

struct executor {
    struct member member;
    struct dispatcher *dispatcher;
    struct pool *pool;
    struct call_queue jobs;  /* all that are outstanding, in the order of submission */
    struct call_queue ended; /* taken over from the pool, to be completed */
    size_t outstanding;
    bool freed;      /* by a callback of ours: the outermost function does it */
    unsigned inside; /* functions of ours that call callbacks and will go on after them */
};

/* --- a job's memory ----------------------------------------------------------------------- */

static void let_go(struct job *job)
{
    if (atomic_fetch_sub_explicit(&job->halves, 1, memory_order_acq_rel) == 1)
        free(job);
}

static void drop(struct job *job)
{
    if (job->drop != NULL)
        job->drop(job->arg, job->result);
}

/* The last reference to the future is gone. */
static void job_destroy(struct future *f)
{
    let_go((struct job *)(void *)f);
}

static int job_describe(const struct future *f, char *text, size_t size)
{
    (void)f;
    return snprintf(text, size, "job");
}

/*
 * The executor no longer knows of the job; its reference to the future is the caller's now. This
 * comes before all callbacks, because one of them may free the executor.
 */
static void forget(struct job *job)
{
    call_queue_remove(&job->of_owner);
    job->executor->outstanding--;
}

/* Takes a job that no thread has begun out of the queue; false if it is too late. */
static bool withdraw(struct job *job)
{
    struct pool *pool = job->executor->pool;
    if (pool == NULL)
        return false; /* we are in the middle of shut(), which knows what to do */
    /* EXERCISE 2.10 withdraw: before a thread takes it */
    pthread_mutex_lock(&pool->lock);
    bool ours = !job->begun;
    if (ours)
        call_queue_remove(&job->link);
    pthread_mutex_unlock(&pool->lock);
    return ours;
    /* END 2.10 */
}

/* A job that will never run. */
static void give_back(struct job *job)
{
    forget(job);
    if (!future_done(&job->future))
        future_finish_cancelled(&job->future);
    drop(job);
    let_go(job);
    future_unref(&job->future);
}

/* One that has begun is left to its thread; its result is dropped when it is drained (S43). */
static bool job_cancel(struct future *f, bool alone)
{
    struct job *job = (struct job *)(void *)f;
    (void)alone;
    if (withdraw(job))
        give_back(job);
    else
        future_finish_cancelled(f);
    return true;
}

static const struct future_ops job_ops = {
    .cancel = job_cancel, .destroy = job_destroy, .describe = job_describe};

/* --- the threads -------------------------------------------------------------------------- */

static void pool_leave(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    bool last = --pool->users == 0;
    pthread_mutex_unlock(&pool->lock);
    if (!last)
        return;
    pthread_cond_destroy(&pool->news);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

/* Runs a job. Touches nothing but the job. */
static void perform(struct job *job)
{
    job->error = job->fn(job->arg, &job->result);
    if (job->error > 0)
        die("a job returned %d: 0 is success, a negative number an error", job->error);
    if (job->error)
        job->result = value_none();
}

/* A job has ended; the lock is held. The owner is told if he has none to fetch yet. */
static void hand_over(struct pool *pool, struct job *job)
{
    bool first = call_queue_empty(&pool->ended);
    call_queue_push(&pool->ended, &job->link);
    pthread_cond_signal(&pool->news);
    if (first && pool->notify != NULL)
        pool->notify(pool->notify_arg);
}

/* The owner has left, so this thread is the last that knows of the job; the lock is not held. */
static void discard(struct job *job)
{
    drop(job);
    let_go(job);
}

/* What a thread does all its life: takes a job, runs it without the lock, hands it over. */
static void serve(struct thread *self)
{
    /* EXERCISE 2.8 serve: a thread's life */
    struct pool *pool = self->pool;
    pthread_mutex_lock(&pool->lock);
    while (!pool->over) {
        struct call *link = call_queue_pop(&pool->waiting);
        if (link == NULL) {
            pthread_cond_wait(&pool->work, &pool->lock);
            continue; /* it may have been for another thread, or for nobody */
        }
        struct job *job = CONTAINER_OF(link, struct job, link);
        job->begun = self->busy = true;
        pthread_mutex_unlock(&pool->lock);
        perform(job);
        pthread_mutex_lock(&pool->lock);
        self->busy = false;
        if (!pool->over) {
            hand_over(pool, job);
            continue;
        }
        pthread_mutex_unlock(&pool->lock);
        discard(job);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    /* END 2.8 */
}

/*
 * No thread takes jobs any more, which happens only while serve() is not written: then jobs fail
 * and do not wait for ever. The lock is held.
 */
static void give_up(struct pool *pool)
{
    struct call *link;
    while ((link = call_queue_pop(&pool->waiting)) != NULL) {
        struct job *job = CONTAINER_OF(link, struct job, link);
        job->begun = true;
        job->error = ERR_NOT_WRITTEN;
        hand_over(pool, job);
    }
}

static void *thread_main(void *arg)
{
    struct thread *self = arg;
    struct pool *pool = self->pool;
    serve(self);
    pthread_mutex_lock(&pool->lock);
    if (--pool->alive == 0 && !pool->over)
        give_up(pool);
    pthread_mutex_unlock(&pool->lock);
    pool_leave(pool);
    return NULL;
}

/* --- beginning and ending ----------------------------------------------------------------- */

static struct pool *pool_new(unsigned threads, void (*notify)(void *arg), void *arg)
{
    struct pool *pool = calloc(1, sizeof *pool + threads * sizeof(struct thread));
    pthread_condattr_t monotonic;
    if (pool == NULL)
        return NULL;
    pthread_condattr_init(&monotonic); /* on Linux none of these can fail */
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->news, &monotonic);
    pthread_condattr_destroy(&monotonic);
    call_queue_init(&pool->waiting);
    call_queue_init(&pool->ended);
    pool->notify = notify;
    pool->notify_arg = arg;
    pool->users = 1;
    return pool;
}

/*
 * Signals are for the program's own threads. What a fault in a job raises is not blocked: it must
 * end the process with its own name.
 */
static int pool_start(struct pool *pool, unsigned threads)
{
    sigset_t all, before;
    int error = 0;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGABRT);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_mutex_lock(&pool->lock); /* nobody serves before all are there */
    while (!error && pool->n_threads < threads) {
        struct thread *thread = &pool->threads[pool->n_threads];
        thread->pool = pool;
        error = -pthread_create(&thread->id, NULL, thread_main, thread);
        if (!error) {
            pool->n_threads++;
            pool->alive++;
            pool->users++;
        }
    }
    pthread_mutex_unlock(&pool->lock);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/*
 * The owner leaves, and takes what is queued with him. A thread that does nothing ends at once, so
 * it is joined, and no trace of it is left; a busy one is on its own.
 */
static void pool_end(struct pool *pool, struct call_queue *ended)
{
    struct call *link;
    pthread_mutex_lock(&pool->lock);
    pool->over = true;
    call_queue_move(ended, &pool->ended);
    while ((link = call_queue_pop(&pool->waiting)) != NULL)
        continue; /* they are in the owner's list of all jobs, and have not begun */
    for (unsigned i = 0; i < pool->n_threads; i++) {
        pool->threads[i].detached = pool->threads[i].busy;
        if (pool->threads[i].detached)
            pthread_detach(pool->threads[i].id);
    }
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->n_threads; i++)
        if (!pool->threads[i].detached)
            pthread_join(pool->threads[i].id, NULL);
    pool_leave(pool);
}

static size_t deliver_all(struct executor *e);

/* A callback may have freed the executor: then the outermost function of ours does it, here. */
static void leave(struct executor *e)
{
    if (--e->inside == 0 && e->freed)
        free(e);
}

/* All that ends an executor but its own memory, which executor_free() gives back. */
static void shut(struct member *member)
{
    struct executor *e = CONTAINER_OF(member, struct executor, member);
    struct pool *pool = e->pool;
    e->inside++;
    e->pool = NULL;
    pool_end(pool, &e->ended);
    deliver_all(e);
    while (!call_queue_empty(&e->jobs)) {
        struct job *job = CONTAINER_OF(call_queue_first(&e->jobs), struct job, of_owner);
        if (!job->begun) { /* nobody writes it any more */
            give_back(job);
            continue;
        }
        forget(job);
        if (!future_done(&job->future))
            future_finish_cancelled(&job->future);
        future_unref(&job->future);
    }
    leave(e);
}

static const struct member_ops member_ops = {.shut = shut};

int executor_new(struct dispatcher *d, unsigned threads, void (*notify)(void *arg), void *arg,
                 struct executor **out)
{
    *out = NULL;
    if (d == NULL)
        die("executor_new() without a dispatcher: nobody could complete its futures");
    if (d->closed)
        return ERR_CLOSED;
    if (threads < 1 || threads > MOST_THREADS)
        return ERR_VALUE;
    struct executor *e = calloc(1, sizeof *e);
    struct pool *pool = pool_new(threads, notify, arg);
    if (e == NULL || pool == NULL) {
        free(e);
        if (pool != NULL)
            pool_leave(pool);
        return -ENOMEM;
    }
    *e = (struct executor){.member.ops = &member_ops, .dispatcher = d, .pool = pool};
    call_queue_init(&e->jobs);
    call_queue_init(&e->ended);
    int error = pool_start(pool, threads);
    if (!error)
        error = dispatcher_enlist(d, &e->member);
    if (error) {
        pool_end(pool, &e->ended);
        free(e);
        return error;
    }
    *out = e;
    return 0;
}

void executor_free(struct executor *e)
{
    if (e == NULL)
        return;
    if (e->freed)
        die("executor_free() of an executor that has been freed");
    e->inside++;
    e->freed = true;
    if (e->pool != NULL) {
        dispatcher_delist(&e->member);
        shut(&e->member);
    }
    leave(e);
}

/* --- jobs --------------------------------------------------------------------------------- */

int executor_submit(struct executor *e, executor_job_fn *fn, void *arg, executor_drop_fn *drop_fn,
                    struct future **out)
{
    *out = NULL;
    if (e->pool == NULL || e->dispatcher->closed)
        return ERR_CLOSED;
    if (fn == NULL)
        return ERR_VALUE;
    struct job *job = malloc(sizeof *job);
    if (job == NULL)
        return -ENOMEM;
    *job = (struct job){.executor = e, .fn = fn, .drop = drop_fn, .arg = arg};
    atomic_init(&job->halves, 2);
    future_init(&job->future, &job_ops, e->dispatcher); /* this reference is the executor's */
    call_queue_push(&e->jobs, &job->of_owner);
    e->outstanding++;
    *out = future_ref(&job->future);
    pthread_mutex_lock(&e->pool->lock);
    call_queue_push(&e->pool->waiting, &job->link);
    if (e->pool->alive == 0)
        give_up(e->pool);
    pthread_cond_signal(&e->pool->work);
    pthread_mutex_unlock(&e->pool->lock);
    return 0;
}

/* A job has come back. If nobody will ever look at the result, whoever made it takes it back. */
static void deliver(struct job *job)
{
    struct future *f = &job->future;
    bool wanted = f->references > 1 || !call_queue_empty(&f->waiters);
    if (future_done(f)) /* cancelled while it ran */
        wanted = false;
    forget(job);
    if (!future_done(f) && (wanted || job->error)) /* F17: nobody takes it, so it is reported */
        future_finish(f, job->error, job->result);
    if (!wanted)
        drop(job);
    let_go(job);
    future_unref(f);
}

static size_t deliver_all(struct executor *e)
{
    struct call *link;
    size_t n = 0;
    while ((link = call_queue_pop(&e->ended)) != NULL) {
        deliver(CONTAINER_OF(link, struct job, link));
        n++;
    }
    return n;
}

/* What ends while we complete others is for the next time, or this could go on for ever. */
size_t executor_drain(struct executor *e)
{
    if (e->pool == NULL)
        return 0;
    pthread_mutex_lock(&e->pool->lock);
    call_queue_move(&e->ended, &e->pool->ended);
    pthread_mutex_unlock(&e->pool->lock);
    e->inside++;
    size_t n = deliver_all(e);
    leave(e);
    return n;
}

size_t executor_outstanding(struct executor *e)
{
    return e->outstanding;
}

/* --- waiting ------------------------------------------------------------------------------ */

/* The moment on the monotonic clock that lies so many seconds ahead. */
static struct timespec deadline_after(double seconds)
{
    struct timespec t;
    time_t whole = (time_t)seconds;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += whole;
    t.tv_nsec += (long)((seconds - (double)whole) * 1e9);
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    return t;
}

/* Sleeps until some job has ended: 0. Or until the deadline, NULL for none: ERR_TIMEOUT. */
static int await_news(struct pool *pool, const struct timespec *deadline)
{
    /* EXERCISE 2.9 await_news: sleep, but not if the news is there */
    int error = 0;
    pthread_mutex_lock(&pool->lock);
    while (call_queue_empty(&pool->ended) && !error) {
        if (deadline == NULL)
            pthread_cond_wait(&pool->news, &pool->lock);
        else if (pthread_cond_timedwait(&pool->news, &pool->lock, deadline) == ETIMEDOUT)
            error = ERR_TIMEOUT;
    }
    if (!call_queue_empty(&pool->ended))
        error = 0; /* it came with the last tick */
    pthread_mutex_unlock(&pool->lock);
    return error;
    /* END 2.9 */
}

int executor_wait(struct executor *e, struct future *f, double timeout, value *out)
{
    if (out != NULL)
        *out = value_none();
    if (future_done(f))
        return future_result(f, out);
    if (f->ops != &job_ops || ((struct job *)(void *)f)->executor != e)
        die("executor_wait() for a future that is not one of this executor's jobs");
    if (isnan(timeout))
        return ERR_VALUE;
    bool for_ever = timeout > FOR_EVER;
    struct timespec deadline = deadline_after(for_ever || timeout < 0 ? 0 : timeout);
    int error = 0;
    future_ref(f);
    e->inside++;
    executor_drain(e);
    while (!future_done(f) && !error) {
        error = timeout > 0 ? await_news(e->pool, for_ever ? NULL : &deadline) : ERR_TIMEOUT;
        executor_drain(e);
    }
    leave(e);
    if (future_done(f))
        error = future_result(f, out);
    future_unref(f);
    return error;
}
