/*
 * The executor: jobs on other threads, futures on this one. Time is controlled by gates, at which
 * jobs wait until the check opens them. What a thread does is known to have happened when it has
 * arrived at a gate, or when a thread that can only do one thing after another has begun the next.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "executor.h"
#include "harness.h"

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int arrived;
    bool open;
};

#define GATE \
    { \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false \
    }

static void gate_pass(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->arrived++;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->open)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void gate_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

/* Two seconds are for ever; only a job that never runs lets them pass. */
static void gate_wait(struct gate *gate, int arrived)
{
    struct timespec deadline;
    int error = 0;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += harness_is_slow() ? 60 : 2;
    pthread_mutex_lock(&gate->lock);
    while (gate->arrived < arrived && !error)
        error = pthread_cond_timedwait(&gate->changed, &gate->lock, &deadline);
    int got = gate->arrived;
    pthread_mutex_unlock(&gate->lock);
    if (got < arrived)
        expect_never("no thread came to the gate");
}

/*
 * A thread that nobody may join says so with its last breath: the destructor of a thread-specific
 * value is called when its function has returned.
 */
static pthread_key_t last_breath;
static struct gate ended_threads = GATE;

static void note_thread_end(void *arg)
{
    gate_pass(arg);
}

static void watch_threads(void)
{
    ended_threads = (struct gate)GATE;
    ended_threads.open = true;
    expect_ok(pthread_key_create(&last_breath, note_thread_end));
}

static struct executor *new_executor(unsigned threads)
{
    struct executor *e;
    fixture_real_time();
    expect_ok(executor_new(fixture_dispatcher(), threads, NULL, NULL, &e));
    return e;
}

/* --- jobs --------------------------------------------------------------------------------- */

struct job_at_gate {
    const char *name;
    struct gate *gate;
    int result;   /* an error if negative */
    bool watched; /* its thread is to be seen ending: watch_threads() */
};

static int job_at_gate(void *arg, value *ret)
{
    struct job_at_gate *job = arg;
    if (job->watched && pthread_setspecific(last_breath, &ended_threads) != 0)
        return -ENOMEM;
    if (job->gate != NULL)
        gate_pass(job->gate);
    *ret = value_int(job->result);
    return job->result < 0 ? job->result : 0;
}

static int job_returns_argument(void *arg, value *ret)
{
    *ret = value_int((intptr_t)arg);
    return 0;
}

static int job_fails(void *arg, value *ret)
{
    (void)arg;
    *ret = value_int(7);
    return -EIO;
}

static int job_that_must_not_run(void *arg, value *ret)
{
    (void)arg, (void)ret;
    expect_never("a withdrawn job ran");
    return 0;
}

static void note_drop(void *arg, value result)
{
    const struct job_at_gate *job = arg;
    char text[32];
    value_format(result, text, sizeof text);
    record("%s dropped: %s", job->name, text);
}

static int note_done(struct future *f, void *arg)
{
    char text[64];
    future_describe(f, text, sizeof text);
    record("%s: %s", (const char *)arg, text);
    return 0;
}

static struct future *submit(struct executor *e, executor_job_fn *fn, void *arg,
                             executor_drop_fn *drop)
{
    struct future *f;
    expect_ok(executor_submit(e, fn, arg, drop, &f));
    return f;
}

/*
 * Drains until a job has come back: without executor_wait(), an exercise of its own. Only a
 * job that never comes back lets the two seconds pass.
 */
static void drain_until_done(struct executor *e, struct future *f)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    time_t deadline = now.tv_sec + (harness_is_slow() ? 60 : 2);
    while (!future_done(f) && now.tv_sec <= deadline) {
        sched_yield();
        executor_drain(e);
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
    if (!future_done(f))
        expect_never("the job never came back");
}

/* What a future tells of itself: read without asking for its result. */
#define expect_told(f, want) \
    do { \
        char told[100]; \
        future_describe(f, told, sizeof told); \
        expect_str(told, want); \
    } while (false)

/* --- misuse ------------------------------------------------------------------------------- */

static void a_number_of_threads_must_be_possible(void)
{
    struct executor *e = (struct executor *)(void *)&e;
    step("executor_new(d, 0, …)");
    expect_error(executor_new(fixture_dispatcher(), 0, NULL, NULL, &e), ERR_VALUE);
    expect_true("there is no executor", e == NULL);
    step("executor_new(d, 1025, …)");
    expect_error(executor_new(fixture_dispatcher(), 1025, NULL, NULL, &e), ERR_VALUE);
    executor_free(NULL);
    step("executor_new() on a closed dispatcher");
    struct dispatcher *d = fixture_dispatcher();
    struct future *keeps_it = future_new(d);
    fixture_close();
    expect_error(executor_new(d, 1, NULL, NULL, &e), ERR_CLOSED);
    expect_true("there is no executor", e == NULL);
    future_unref(keeps_it);
}

static void a_job_needs_a_function(void)
{
    struct executor *e = new_executor(1);
    struct future *f = (struct future *)(void *)&f;
    step("executor_submit(e, NULL, …)");
    expect_error(executor_submit(e, NULL, NULL, NULL, &f), ERR_VALUE);
    expect_true("there is no future", f == NULL);
    expect_int(executor_outstanding(e), 0);
    executor_free(e);
}

static void wait_for_a_stranger(void *arg)
{
    struct executor *e = new_executor(1);
    (void)arg;
    exit(executor_wait(e, future_new(fixture_dispatcher()), 0, NULL));
}

static void waiting_for_a_future_that_is_no_job_aborts(void)
{
    step("executor_wait(e, future_new(d), 0, NULL)");
    expect_death(SIGABRT, "executor_wait()", wait_for_a_stranger, NULL);
}

static int job_returns_a_positive_number(void *arg, value *ret)
{
    (void)arg, (void)ret;
    return 1;
}

static void run_a_positive_job(void *arg)
{
    struct executor *e = new_executor(1);
    (void)arg;
    struct future *f = submit(e, job_returns_a_positive_number, NULL, NULL);
    while (!future_done(f)) {
        sched_yield();
        executor_drain(e);
    }
    exit(EXIT_FAILURE);
}

static void a_job_that_returns_a_positive_number_aborts(void)
{
    step("a job whose function returns 1");
    expect_death(SIGABRT, "a job returned 1", run_a_positive_job, NULL);
}

static void threads_or_memory_may_be_refused(void)
{
    struct executor *e;
    step("executor_new(d, 4, …), where the third thread is refused");
    fail_thread(3);
    expect_error(executor_new(fixture_dispatcher(), 4, NULL, NULL, &e), -EAGAIN);
    expect_true("the thread was asked for", allocation_failed());
    expect_true("there is no executor", e == NULL);
    for (unsigned n = 1; n < 100; n++) {
        struct future *f = NULL;
        fail_allocation(n);
        int error = executor_new(fixture_dispatcher(), 1, NULL, NULL, &e);
        if (!error)
            error = executor_submit(e, job_returns_argument, NULL, NULL, &f);
        expect_true("what fails says ENOMEM", error == 0 || error == -ENOMEM);
        future_unref(f);
        executor_free(e);
        if (!allocation_failed())
            return;
    }
    expect_never("100 allocations were made");
}

/* --- jobs and their ends ------------------------------------------------------------------ */

static pthread_t main_thread;

static int job_looks_around(void *arg, value *ret)
{
    sigset_t blocked;
    (void)arg;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    record(pthread_equal(pthread_self(), main_thread) ? "same thread" : "another thread");
    record(sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGCHLD) ? "blocked" : "open");
    record(sigismember(&blocked, SIGSEGV) ? "blocked" : "open");
    *ret = value_str("seen");
    return 0;
}

static int note_thread(struct future *f, void *arg)
{
    (void)f, (void)arg;
    record(pthread_equal(pthread_self(), main_thread) ? "called back here"
                                                      : "called back elsewhere");
    return 0;
}

static void a_job_runs_elsewhere_and_completes_here(void)
{
    struct executor *e = new_executor(2);
    sigset_t blocked;
    main_thread = pthread_self();
    struct future *f = submit(e, job_looks_around, NULL, NULL);
    expect_ok(future_add_done_callback(f, note_thread, NULL));
    step("executor_drain(e), when the job has ended");
    drain_until_done(e, f);
    expect_told(f, "job finished result='seen'");
    expect_trace("another thread", "blocked", "open");
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    expect_true("our own signals are as before", !sigismember(&blocked, SIGTERM));
    fixture_pump();
    expect_trace("called back here");
    future_unref(f);
    executor_free(e);
}

static void an_error_becomes_the_futures_and_the_worker_lives_on(void)
{
    struct executor *e = new_executor(1);
    value out = value_int(1);
    struct future *failed = submit(e, job_fails, NULL, NULL);
    struct future *fine = submit(e, job_returns_argument, (void *)5, NULL);
    int error;
    drain_until_done(e, fine);
    step("executor_wait() for a job that has raised EIO");
    expect_error(executor_wait(e, failed, INFINITY, &out), -EIO);
    expect_value(out, value_none());
    step("again: the same");
    expect_error(executor_wait(e, failed, 0, &out), -EIO);
    expect_ok(future_exception(failed, &error));
    expect_int(error, -EIO);
    step("executor_wait() for the next job of the same thread, which has ended too");
    expect_ok(executor_wait(e, fine, INFINITY, &out));
    expect_value(out, value_int(5));
    future_unref(failed);
    future_unref(fine);
    executor_free(e);
}

static void an_error_that_nobody_takes_is_reported(void)
{
    struct executor *e = new_executor(1);
    struct future *f = submit(e, job_fails, NULL, NULL);
    struct future *fine = submit(e, job_returns_argument, (void *)5, NULL);
    step("future_unref(f), before the job is drained");
    future_unref(f);
    drain_until_done(e, fine);
    expect_report("never retrieved", -EIO);
    future_unref(fine);
    executor_free(e);
}

static void a_wait_that_times_out_changes_nothing(void)
{
    struct gate gate = GATE;
    struct job_at_gate job = {"job", &gate, 5, false};
    struct executor *e = new_executor(1);
    value out = value_int(1);
    struct future *f = submit(e, job_at_gate, &job, NULL);
    step("executor_wait(e, f, 0, &out), while the job runs");
    expect_error(executor_wait(e, f, 0, &out), ERR_TIMEOUT);
    expect_value(out, value_none());
    step("executor_wait(e, f, -1, &out)");
    expect_error(executor_wait(e, f, -1, &out), ERR_TIMEOUT);
    step("executor_wait(e, f, 0.001, &out)");
    expect_error(executor_wait(e, f, 0.001, &out), ERR_TIMEOUT);
    step("executor_wait(e, f, NAN, &out)");
    expect_error(executor_wait(e, f, (double)NAN, &out), ERR_VALUE);
    expect_true("the future is pending", !future_done(f));
    expect_int(executor_outstanding(e), 1);
    gate_open(&gate);
    step("executor_wait(e, f, 1e300, &out), when the job may end");
    expect_ok(executor_wait(e, f, 1e300, &out));
    expect_value(out, value_int(5));
    step("executor_wait(e, f, NAN, &out), when it is done");
    expect_ok(executor_wait(e, f, (double)NAN, &out));
    expect_value(out, value_int(5));
    future_unref(f);
    executor_free(e);
}

static void waiting_for_a_cancelled_job_answers_cancelled(void)
{
    struct gate gate = GATE;
    struct job_at_gate job = {"busy", &gate, 1, true};
    struct executor *e = new_executor(1);
    watch_threads();
    struct future *busy = submit(e, job_at_gate, &job, NULL);
    gate_wait(&gate, 1);
    struct future *f = submit(e, job_that_must_not_run, NULL, NULL);
    expect_true("it was cancelled", future_cancel(f));
    step("executor_wait(e, f, INFINITY, NULL), where f is cancelled");
    expect_error(executor_wait(e, f, INFINITY, NULL), ERR_CANCELLED);
    step("executor_wait(e, busy, INFINITY, NULL), after the close");
    fixture_close();
    expect_error(executor_wait(e, busy, INFINITY, NULL), ERR_CANCELLED);
    gate_open(&gate);
    gate_wait(&ended_threads, 1);
    future_unref(busy);
    future_unref(f);
    executor_free(e);
}

static void a_wait_ends_at_its_deadline(void)
{
    struct gate gate = GATE;
    struct job_at_gate job = {"busy", &gate, 1, true};
    struct executor *e = new_executor(1);
    struct timespec before, after;
    watch_threads();
    struct future *f = submit(e, job_at_gate, &job, NULL);
    gate_wait(&gate, 1);
    clock_gettime(CLOCK_MONOTONIC, &before);
    step("executor_wait(e, f, 0.05, NULL), while the job runs");
    expect_error(executor_wait(e, f, 0.05, NULL), ERR_TIMEOUT);
    clock_gettime(CLOCK_MONOTONIC, &after);
    double passed = (double)(after.tv_sec - before.tv_sec) +
                    (double)(after.tv_nsec - before.tv_nsec) * 1e-9;
    expect_true("it has waited so long", passed >= 0.05);
    expect_true("the future is pending", !future_done(f));
    executor_free(e);
    gate_open(&gate);
    gate_wait(&ended_threads, 1);
    future_unref(f);
}

static void futures_complete_in_the_order_in_which_jobs_end(void)
{
    struct gate first = GATE, second = GATE;
    struct job_at_gate slow = {"slow", &first, 1, false}, quick = {"quick", &second, 2, false};
    struct executor *e = new_executor(2);
    struct future *a = submit(e, job_at_gate, &slow, NULL);
    struct future *b = submit(e, job_at_gate, &quick, NULL);
    static char name_a[] = "a", name_b[] = "b";
    expect_ok(future_add_done_callback(a, note_done, name_a));
    expect_ok(future_add_done_callback(b, note_done, name_b));
    gate_wait(&first, 1);
    gate_wait(&second, 1);
    step("the second job ends, then the first");
    gate_open(&second);
    drain_until_done(e, b);
    gate_open(&first);
    drain_until_done(e, a);
    expect_no_trace();
    fixture_pump();
    expect_trace("b: job finished result=2", "a: job finished result=1");
    future_unref(a);
    future_unref(b);
    executor_free(e);
}

static void waiting_for_one_job_completes_others_too(void)
{
    struct executor *e = new_executor(1);
    struct future *f[10];
    struct gate gate = GATE;
    struct job_at_gate job = {"job", &gate, 0, false};
    f[0] = submit(e, job_at_gate, &job, NULL);
    for (intptr_t i = 1; i < 10; i++)
        f[i] = submit(e, job_returns_argument, (void *)i, NULL);
    step("executor_wait() for the last of 10 jobs of one thread");
    gate_open(&gate);
    expect_ok(executor_wait(e, f[9], INFINITY, NULL));
    for (int i = 0; i < 10; i++) {
        value out;
        expect_ok(future_result(f[i], &out));
        expect_value(out, value_int(i));
        future_unref(f[i]);
    }
    expect_int(executor_outstanding(e), 0);
    expect_int(executor_drain(e), 0);
    executor_free(e);
}

static void an_outcome_is_set_once(void)
{
    struct executor *e = new_executor(1);
    struct future *f = submit(e, job_returns_argument, (void *)5, NULL);
    drain_until_done(e, f);
    step("future_set_result() and future_set_exception() on the future of a job that has ended");
    expect_error(future_set_result(f, value_int(6)), ERR_INVALID_STATE);
    expect_error(future_set_exception(f, -EIO), ERR_INVALID_STATE);
    expect_told(f, "job finished result=5");
    future_unref(f);
    executor_free(e);
}

static int callback_fails(struct future *f, void *arg)
{
    (void)f, (void)arg;
    return -ENOSPC;
}

static void a_callback_that_fails_is_reported_and_the_rest_run(void)
{
    struct executor *e = new_executor(1);
    static char name[] = "second";
    struct future *f = submit(e, job_returns_argument, (void *)5, NULL);
    expect_ok(future_add_done_callback(f, callback_fails, NULL));
    expect_ok(future_add_done_callback(f, note_done, name));
    drain_until_done(e, f);
    fixture_pump();
    expect_report("", -ENOSPC);
    expect_trace("second: job finished result=5");
    expect_ok(future_add_done_callback(f, callback_fails, NULL));
    fixture_pump();
    expect_report("", -ENOSPC);
    future_unref(f);
    executor_free(e);
}

static void many_jobs_on_several_threads_all_arrive(void)
{
    enum { JOBS = 400 };
    struct executor *e = new_executor(4);
    struct future *f[JOBS];
    for (intptr_t i = 0; i < JOBS; i++)
        f[i] = submit(e, job_returns_argument, (void *)i, NULL);
    for (int i = 0; i < JOBS; i++) {
        char want[40];
        drain_until_done(e, f[i]);
        snprintf(want, sizeof want, "job finished result=%d", i);
        expect_told(f[i], want);
        future_unref(f[i]);
    }
    expect_int(executor_outstanding(e), 0);
    executor_free(e);
}

/* --- telling the owner -------------------------------------------------------------------- */

struct notices {
    struct gate gate; /* each notice arrives there; it is open */
};

static void note_notice(void *arg)
{
    struct notices *notices = arg;
    gate_pass(&notices->gate);
}

static void the_owner_is_told_once_until_he_drains(void)
{
    struct notices notices = {GATE};
    struct gate gate = GATE, last = GATE;
    struct job_at_gate first_job = {"first", &gate, 0, false}, last_job = {"last", &last, 0, false};
    struct executor *e;
    fixture_real_time();
    notices.gate.open = true;
    expect_ok(executor_new(fixture_dispatcher(), 1, note_notice, &notices, &e));
    future_unref(submit(e, job_at_gate, &first_job, NULL));
    future_unref(submit(e, job_returns_argument, NULL, NULL));
    future_unref(submit(e, job_returns_argument, NULL, NULL));
    future_unref(submit(e, job_at_gate, &last_job, NULL));
    gate_open(&gate);
    step("three jobs have ended, the fourth runs");
    gate_wait(&last, 1);
    expect_int(notices.gate.arrived, 1);
    expect_int(executor_outstanding(e), 4);
    step("executor_drain(e)");
    expect_int(executor_drain(e), 3);
    expect_int(executor_outstanding(e), 1);
    gate_open(&last);
    step("the fourth ends");
    gate_wait(&notices.gate, 2);
    expect_int(executor_drain(e), 1);
    expect_int(executor_drain(e), 0);
    executor_free(e);
}

/* --- cancelling --------------------------------------------------------------------------- */

static void a_job_that_has_not_begun_is_withdrawn(void)
{
    struct gate gate = GATE;
    struct job_at_gate job = {"busy", &gate, 1, false}, waiting = {"waiting", NULL, 2, false};
    static char name[] = "f";
    struct executor *e = new_executor(1);
    struct future *busy = submit(e, job_at_gate, &job, note_drop);
    gate_wait(&gate, 1);
    struct future *f = submit(e, job_that_must_not_run, &waiting, note_drop);
    expect_ok(future_add_done_callback(f, note_done, name));
    step("future_cancel(f), whose job waits for a thread");
    expect_true("it was cancelled", future_cancel(f));
    expect_true("it is done at once", future_cancelled(f));
    expect_trace("waiting dropped: None");
    expect_int(executor_outstanding(e), 1);
    step("future_cancel(f) again");
    expect_true("there was nothing to cancel", !future_cancel(f));
    expect_true("it stays cancelled", future_cancelled(f));
    fixture_pump();
    expect_trace("f: job cancelled");
    gate_open(&gate);
    drain_until_done(e, busy);
    expect_int(executor_outstanding(e), 0);
    expect_no_trace();
    future_unref(busy);
    future_unref(f);
    executor_free(e);
}

static void a_job_that_runs_is_left_to_finish_and_dropped_here(void)
{
    struct gate gate = GATE;
    struct job_at_gate job = {"job", &gate, 5, false};
    struct executor *e = new_executor(1);
    struct future *f = submit(e, job_at_gate, &job, note_drop);
    gate_wait(&gate, 1);
    step("future_cancel(f), whose job runs");
    expect_true("it was cancelled", future_cancel(f));
    expect_true("it is done at once", future_cancelled(f));
    expect_no_trace();
    expect_int(executor_outstanding(e), 1);
    struct future *next = submit(e, job_returns_argument, (void *)1, NULL);
    gate_open(&gate);
    step("the job ends, and is drained");
    drain_until_done(e, next);
    expect_trace("job dropped: 5");
    expect_int(executor_outstanding(e), 0);
    expect_true("the future is cancelled", future_cancelled(f));
    future_unref(f);
    future_unref(next);
    executor_free(e);
}

static void a_result_that_nobody_takes_is_dropped(void)
{
    struct job_at_gate job = {"job", NULL, 5, false}, kept = {"kept", NULL, 6, false};
    struct job_at_gate called = {"called", NULL, 7, false}, broken = {"broken", NULL, -EIO, false};
    static char name[] = "callback";
    struct executor *e = new_executor(1);
    step("future_unref(f), before the job is drained");
    future_unref(submit(e, job_at_gate, &job, note_drop));
    future_unref(submit(e, job_at_gate, &broken, note_drop));
    struct future *f = submit(e, job_at_gate, &called, note_drop);
    expect_ok(future_add_done_callback(f, note_done, name));
    future_unref(f);
    f = submit(e, job_at_gate, &kept, note_drop);
    drain_until_done(e, f);
    expect_trace("job dropped: 5", "broken dropped: None");
    expect_report("never retrieved", -EIO);
    fixture_pump();
    expect_trace("callback: job finished result=7");
    future_unref(f);
    expect_no_trace();
    executor_free(e);
}

struct pair {
    struct executor *executor;
    struct future *other;
};

static int cancel_the_other(struct future *f, void *arg)
{
    const struct pair *pair = arg;
    (void)f;
    record("cancels the other: %d", future_cancel(pair->other));
    return 0;
}

static int open_gate(struct future *f, void *arg)
{
    (void)f;
    gate_open(arg);
    return 0;
}

static void a_wait_ends_when_its_future_is_cancelled(void)
{
    struct gate gate = GATE, second = GATE;
    struct notices notices = {GATE};
    struct job_at_gate job = {"job", &gate, 5, false}, later = {"later", &second, 6, false};
    struct dispatcher at_once;
    struct pair pair;
    fixture_real_time();
    immediate_init(&at_once);
    notices.gate.open = true;
    expect_ok(executor_new(&at_once, 3, note_notice, &notices, &pair.executor));
    pair.other = submit(pair.executor, job_at_gate, &job, note_drop);
    struct future *f = submit(pair.executor, job_at_gate, &later, NULL);
    expect_ok(future_add_done_callback(f, cancel_the_other, &pair));
    gate_wait(&gate, 1);
    gate_wait(&second, 1);
    struct future *first = submit(pair.executor, job_returns_argument, NULL, NULL);
    expect_ok(future_add_done_callback(first, open_gate, &second));
    gate_wait(&notices.gate, 1);
    step("executor_wait(e, f, INFINITY, NULL), where a callback cancels f while it waits");
    expect_error(executor_wait(pair.executor, pair.other, INFINITY, NULL), ERR_CANCELLED);
    expect_trace("cancels the other: 1");
    gate_open(&gate);
    while (executor_outstanding(pair.executor) > 0) {
        sched_yield();
        executor_drain(pair.executor);
    }
    expect_trace("job dropped: 5");
    future_unref(pair.other);
    future_unref(first);
    future_unref(f);
    executor_free(pair.executor);
    immediate_close(&at_once);
}

/* A job ends inside executor_drain(), behind the back of executor_wait(). */
struct surprise {
    struct gate gate;
    struct notices notices;
};

static int let_the_other_job_end(struct future *f, void *arg)
{
    struct surprise *surprise = arg;
    (void)f;
    gate_wait(&surprise->notices.gate, 1);
    gate_open(&surprise->gate);
    gate_wait(&surprise->notices.gate, 2);
    record("the other job has ended");
    return 0;
}

static void wait_for_news_that_is_there(int result)
{
    struct surprise surprise = {GATE, {GATE}};
    struct job_at_gate job = {"job", &surprise.gate, result, false};
    struct dispatcher at_once;
    struct executor *e;
    value out = value_none();
    fixture_real_time();
    immediate_init(&at_once);
    surprise.notices.gate.open = true;
    expect_ok(executor_new(&at_once, 2, note_notice, &surprise.notices, &e));
    struct future *f = submit(e, job_at_gate, &job, NULL);
    gate_wait(&surprise.gate, 1);
    struct future *first = submit(e, job_returns_argument, NULL, NULL);
    expect_ok(future_add_done_callback(first, let_the_other_job_end, &surprise));
    gate_wait(&surprise.notices.gate, 1);
    step("executor_wait(e, f, INFINITY, &out); the job of f ends before it can sleep");
    expect_error(executor_wait(e, f, INFINITY, &out), result < 0 ? result : 0);
    expect_value(out, result < 0 ? value_none() : value_int(result));
    expect_trace("the other job has ended");
    future_unref(first);
    future_unref(f);
    executor_free(e);
    immediate_close(&at_once);
}

static void a_wait_does_not_sleep_if_the_news_is_there(void)
{
    wait_for_news_that_is_there(5);
}

static void a_wait_answers_the_error_of_a_job(void)
{
    wait_for_news_that_is_there(-EIO);
}

static int free_the_executor(struct future *f, void *arg)
{
    const struct pair *pair = arg;
    (void)f;
    executor_free(pair->executor);
    record("freed");
    return 0;
}

static void a_callback_may_free_the_executor(void)
{
    struct job_at_gate job = {"job", NULL, 5, false};
    struct dispatcher at_once;
    struct pair pair;
    fixture_real_time();
    immediate_init(&at_once);
    expect_ok(executor_new(&at_once, 1, NULL, NULL, &pair.executor));
    struct future *f = submit(pair.executor, job_at_gate, &job, note_drop);
    expect_ok(future_add_done_callback(f, free_the_executor, &pair));
    step("executor_wait(e, f, INFINITY, NULL), where a callback frees e");
    expect_ok(executor_wait(pair.executor, f, INFINITY, NULL));
    expect_trace("freed");
    future_unref(f);
    step("future_cancel(f), where a callback frees e");
    struct gate gate = GATE;
    struct job_at_gate busy = {"busy", &gate, 5, true}, waiting = {"waiting", NULL, 6, false};
    watch_threads();
    expect_ok(executor_new(&at_once, 1, NULL, NULL, &pair.executor));
    future_unref(submit(pair.executor, job_at_gate, &busy, NULL));
    gate_wait(&gate, 1);
    f = submit(pair.executor, job_that_must_not_run, &waiting, note_drop);
    expect_ok(future_add_done_callback(f, free_the_executor, &pair));
    expect_true("it was cancelled", future_cancel(f));
    expect_trace("freed", "waiting dropped: None");
    future_unref(f);
    gate_open(&gate);
    gate_wait(&ended_threads, 1);
    immediate_close(&at_once);
}

/* --- the end ------------------------------------------------------------------------------ */

static struct gate dropped;
static pthread_t free_thread;

static void note_drop_elsewhere(void *arg, value result)
{
    note_drop(arg, result);
    record(pthread_equal(pthread_self(), free_thread) ? "here" : "elsewhere");
    gate_pass(&dropped);
}

static void an_executor_ends_without_waiting_for_busy_threads(void)
{
    struct notices notices = {GATE};
    struct gate gate = GATE;
    struct job_at_gate job = {"busy", &gate, 5, true}, next = {"next", NULL, 6, false};
    static char name_a[] = "a", name_b[] = "b";
    struct executor *e;
    fixture_real_time();
    watch_threads();
    dropped = (struct gate)GATE;
    dropped.open = notices.gate.open = true;
    free_thread = pthread_self();
    expect_ok(executor_new(fixture_dispatcher(), 1, note_notice, &notices, &e));
    struct future *a = submit(e, job_at_gate, &job, note_drop_elsewhere);
    struct future *b = submit(e, job_that_must_not_run, &next, note_drop);
    expect_ok(future_add_done_callback(a, note_done, name_a));
    expect_ok(future_add_done_callback(b, note_done, name_b));
    gate_wait(&gate, 1);
    step("executor_free(e), while one job runs and one waits");
    executor_free(e);
    expect_true("the future of the running one is cancelled", future_cancelled(a));
    expect_true("the future of the waiting one is cancelled", future_cancelled(b));
    expect_trace("next dropped: None");
    fixture_pump();
    expect_trace("a: job cancelled", "b: job cancelled");
    future_unref(a);
    step("the job ends");
    gate_open(&gate);
    gate_wait(&dropped, 1);
    expect_trace("busy dropped: 5", "elsewhere");
    gate_wait(&ended_threads, 1);
    expect_int(notices.gate.arrived, 0);
    future_unref(b);
}

static void an_executor_is_shut_with_its_dispatcher(void)
{
    struct notices notices = {GATE};
    struct gate gate = GATE;
    struct job_at_gate job = {"busy", &gate, 5, true}, next = {"next", NULL, 6, false};
    struct executor *e;
    fixture_real_time();
    watch_threads();
    dropped = (struct gate)GATE;
    dropped.open = notices.gate.open = true;
    expect_ok(executor_new(fixture_dispatcher(), 1, note_notice, &notices, &e));
    struct future *a = submit(e, job_at_gate, &job, note_drop_elsewhere);
    struct future *b = submit(e, job_that_must_not_run, &next, note_drop);
    struct future *c;
    gate_wait(&gate, 1);
    step("the dispatcher is closed while one job runs and one waits");
    fixture_close();
    expect_trace("next dropped: None");
    expect_true("the future of the running one is cancelled", future_cancelled(a));
    expect_true("the future of the waiting one is cancelled", future_cancelled(b));
    step("executor_submit() after that");
    expect_error(executor_submit(e, job_returns_argument, NULL, NULL, &c), ERR_CLOSED);
    expect_true("there is no future", c == NULL);
    expect_int(executor_outstanding(e), 0);
    gate_open(&gate);
    gate_wait(&dropped, 1);
    expect_int(executor_drain(e), 0);
    gate_wait(&ended_threads, 1);
    expect_int(notices.gate.arrived, 0);
    future_unref(a);
    future_unref(b);
    executor_free(e);
    expect_trace("busy dropped: 5", "elsewhere");
}

/* Somebody who is shut before the executor, and still wants something of it. */
struct latecomer {
    struct member member;
    struct executor *executor;
};

static void submit_late(struct member *member)
{
    struct latecomer *late = CONTAINER_OF(member, struct latecomer, member);
    struct future *f;
    int error = executor_submit(late->executor, job_that_must_not_run, NULL, NULL, &f);
    record("%s", error ? error_name(error) : "submitted");
    future_unref(error ? NULL : f);
}

static void a_dispatcher_that_is_closing_takes_no_jobs(void)
{
    static const struct member_ops ops = {.shut = submit_late};
    struct latecomer late = {{.ops = &ops}, NULL};
    fixture_real_time();
    expect_ok(dispatcher_enlist(fixture_dispatcher(), &late.member));
    late.executor = new_executor(1);
    step("the dispatcher is closed, and another member of it calls executor_submit()");
    fixture_close();
    expect_trace("ERR_CLOSED");
    executor_free(late.executor);
}

static void what_has_ended_is_still_delivered_at_the_end(void)
{
    struct gate gate = GATE;
    struct job_at_gate job = {"job", NULL, 5, false}, last = {"last", &gate, 6, true};
    struct executor *e = new_executor(1);
    watch_threads();
    struct future *f = submit(e, job_at_gate, &job, note_drop);
    future_unref(submit(e, job_at_gate, &last, NULL));
    gate_wait(&gate, 1);
    step("executor_free(e), when a job has ended and was not drained");
    executor_free(e);
    expect_told(f, "job finished result=5");
    expect_no_trace();
    future_unref(f);
    gate_open(&gate);
    gate_wait(&ended_threads, 1);
}

static void idle_threads_have_ended_when_free_returns(void)
{
    struct gate gate = GATE;
    struct job_at_gate job = {"job", &gate, 5, true};
    struct executor *e = new_executor(4);
    struct future *f[4];
    watch_threads();
    for (int i = 0; i < 4; i++)
        f[i] = submit(e, job_at_gate, &job, NULL);
    gate_wait(&gate, 4);
    gate_open(&gate);
    for (int i = 0; i < 4; i++) {
        drain_until_done(e, f[i]);
        future_unref(f[i]);
    }
    expect_int(ended_threads.arrived, 0);
    step("executor_free(e) with 4 idle threads");
    executor_free(e);
    expect_int(ended_threads.arrived, 4);
}

static const struct check checks[] = {
    CHECK(a_number_of_threads_must_be_possible, "", NULL, ""),
    CHECK(a_job_needs_a_function, "", NULL, "2.8"),
    CHECK(waiting_for_a_future_that_is_no_job_aborts, "", NULL, "2.8"),
    CHECK(a_job_that_returns_a_positive_number_aborts, "", "2.8", ""),
    CHECK(threads_or_memory_may_be_refused, "S45", NULL, "2.3 2.8"),
    CHECK(a_job_runs_elsewhere_and_completes_here, "S42 B08", "2.8", "2.3 2.4"),
    CHECK(an_error_becomes_the_futures_and_the_worker_lives_on, "B02 B08 S42", "2.8", "2.2 2.3"),
    CHECK(an_error_that_nobody_takes_is_reported, "B08 F17", "2.8", "2.3"),
    CHECK(futures_complete_in_the_order_in_which_jobs_end, "S42", "2.8", "2.3 2.4"),
    CHECK(an_outcome_is_set_once, "B05", "2.8", "2.1 2.3"),
    CHECK(a_callback_that_fails_is_reported_and_the_rest_run, "B07", "2.8", "2.3 2.4"),
    CHECK(many_jobs_on_several_threads_all_arrive, "S42", "2.8", "2.3"),
    CHECK(the_owner_is_told_once_until_he_drains, "S42", "2.8", ""),
    CHECK(a_job_that_has_not_begun_is_withdrawn, "S43 B08", "2.10", "2.3 2.4 2.6 2.8"),
    CHECK(a_job_that_runs_is_left_to_finish_and_dropped_here, "S43", "2.10", "2.3 2.6 2.8"),
    CHECK(a_result_that_nobody_takes_is_dropped, "S43", "2.8", "2.3 2.4"),
    CHECK(an_executor_ends_without_waiting_for_busy_threads, "S44 S45", "2.8", "2.3 2.4"),
    CHECK(an_executor_is_shut_with_its_dispatcher, "S44 S45", "2.8", "2.3"),
    CHECK(a_dispatcher_that_is_closing_takes_no_jobs, "S45", NULL, "2.8"),
    CHECK(what_has_ended_is_still_delivered_at_the_end, "S45", "2.8", "2.3"),
    CHECK(idle_threads_have_ended_when_free_returns, "S45", "2.8", "2.3"),
    /* those that wait */
    CHECK(a_wait_ends_at_its_deadline, "B01", "2.9", "2.3 2.8"),
    CHECK(a_wait_that_times_out_changes_nothing, "B01", "2.9", "2.2 2.3 2.8"),
    CHECK(waiting_for_one_job_completes_others_too, "B01 S42", "2.9", "2.2 2.3 2.8"),
    CHECK(waiting_for_a_cancelled_job_answers_cancelled, "B02", NULL, "2.2 2.3 2.6 2.8 2.10"),
    CHECK(a_wait_ends_when_its_future_is_cancelled, "B02", "2.9", "2.2 2.3 2.4 2.6 2.8 2.10"),
    CHECK(a_wait_does_not_sleep_if_the_news_is_there, "B01", "2.9", "2.2 2.3 2.4 2.8"),
    CHECK(a_wait_answers_the_error_of_a_job, "B02", "2.9", "2.2 2.3 2.4 2.8"),
    CHECK(a_callback_may_free_the_executor, "", "2.9", "2.2 2.3 2.4 2.6 2.8 2.10"),
};
SUITE_ON_FIXTURE(executor, 2, checks)
