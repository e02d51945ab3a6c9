/*
 * The loop is a queue of calls, a heap of deadlines and somebody who can wait. turn() is the heart:
 * the numbers in it are those of the list in loop.h. It is the one place in the library from which
 * callbacks are called, and it runs a batch: what a callback queues waits for the next turn, so
 * that one which queues itself again and again cannot starve the others.
 */
#include "loop.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "future_impl.h"
#include "loop_impl.h"
#include "thread.h"

static _Thread_local struct task_loop *running; /* in this thread */

static struct task_loop *as_loop(struct dispatcher *d)
{
    return (struct task_loop *)(void *)d;
}

struct task_loop *loop_running(void)
{
    return running;
}

struct dispatcher *loop_dispatcher(struct task_loop *loop)
{
    return &loop->dispatcher;
}

struct poller *loop_poller(struct task_loop *loop)
{
    return loop->dispatcher.poller;
}

bool loop_is_running(const struct task_loop *loop)
{
    return loop->running;
}

bool loop_is_closed(const struct task_loop *loop)
{
    return loop->dispatcher.closed;
}

/* --- a loop is a dispatcher ----------------------------------------------------------------- */

/* The first question is the whole answer while it runs here. */
bool loop_is_mine(struct task_loop *loop)
{
    if (UNLIKELY(running != loop))
        return atomic_load_explicit(&loop->thread, memory_order_relaxed) == thread_self;
    return true;
}

static inline void must_be_mine(struct task_loop *loop)
{
    if (!loop_is_mine(loop))
        die("call_soon or call_at from another thread: use loop_call_soon_threadsafe()");
}

static int soon(struct dispatcher *d, struct call *call)
{
    struct task_loop *loop = as_loop(d);
    must_be_mine(loop);
    if (d->closed)
        return ERR_CLOSED;
    call->after = loop->line.end + loop->batches;
    call_queue_push(&loop->ready, call);
    return 0;
}

static void report(struct dispatcher *d, const struct problem *problem)
{
    struct task_loop *loop = as_loop(d);
    if (loop->handler == NULL || loop->handler(problem, loop->handler_arg) < 0)
        problem_print(problem);
}

static void gone(struct dispatcher *d)
{
    struct task_loop *loop = as_loop(d);
    for (uint32_t i = 0; i < loop->chunk_count; i++)
        free(loop->chunks[i].slots);
    free(loop->chunks);
    free(loop->open);
    ring_free(&loop->line);
    timers_free(&loop->timers);
    free(loop);
}

static const struct dispatcher_ops loop_ops = {
    .soon = soon, .report = report, .gone = gone};

struct task_loop *loop_from_dispatcher(struct dispatcher *d)
{
    return d != NULL && d->ops == &loop_ops ? as_loop(d) : NULL;
}

void loop_set_exception_handler(struct task_loop *loop,
                                int (*handler)(const struct problem *problem, void *arg), void *arg)
{
    loop->handler = handler;
    loop->handler_arg = arg;
}

/* --- queueing ------------------------------------------------------------------------------- */

static void write_handle(struct handle *out, struct handle handle)
{
    if (out != NULL)
        *out = handle;
}

int loop_call_soon(struct task_loop *loop, loop_fn *fn, void *arg, struct handle *out)
{
    write_handle(out, (struct handle){0});
    must_be_mine(loop);
    /* EXERCISE 4.1 loop_call_soon: a place, and the end of the queue */
    if (fn == NULL)
        return ERR_VALUE;
    if (loop->dispatcher.closed)
        return ERR_CLOSED;
    if (!ring_push(&loop->line, fn, arg))
        return -ENOMEM;
    write_handle(out, (struct handle){loop, loop->line.end - 1});
    return 0;
    /* END 4.1 */
}

double loop_time(struct task_loop *loop)
{
    struct poller *p = loop->dispatcher.poller;
    return p == NULL ? NAN : p->ops->now(p);
}

/*
 * Rounded to the nearest, so that a clock that was set forward to a deadline has reached it. By
 * hand: llround() is a call, and this is done for each timer.
 */
static int64_t nanoseconds(double seconds)
{
    if (seconds >= 9e9) /* 285 years: for ever, but not the largest number */
        return INT64_MAX / 2;
    if (seconds <= -9e9)
        return INT64_MIN / 2;
    return (int64_t)(seconds * 1e9 + (seconds < 0 ? -0.5 : 0.5));
}

int loop_call_at(struct task_loop *loop, double when, loop_fn *fn, void *arg, struct handle *out)
{
    write_handle(out, (struct handle){0});
    must_be_mine(loop);
    if (fn == NULL || isnan(when))
        return ERR_VALUE;
    if (loop->dispatcher.closed)
        return ERR_CLOSED;
    struct slot *slot = loop_slot_take(loop, fn, arg);
    if (slot == NULL)
        return -ENOMEM;
    int error = timers_add(&loop->timers, slot->id, nanoseconds(when));
    if (error)
        loop_slot_give_back(loop, slot, false);
    else
        write_handle(out, loop_slot_handle(loop, slot));
    return error;
}

int loop_call_later(struct task_loop *loop, double delay, loop_fn *fn, void *arg,
                    struct handle *out)
{
    write_handle(out, (struct handle){0});
    if (isnan(delay))
        return ERR_VALUE;
    if (loop->dispatcher.closed)
        return ERR_CLOSED;
    return loop_call_at(loop, loop_time(loop) + delay, fn, arg, out);
}

size_t loop_pending(const struct task_loop *loop)
{
    size_t n = loop->timers.count + ring_count(&loop->line);
    for (const struct call *c = call_queue_first(&loop->ready); c != NULL;
         c = call_queue_next(&loop->ready, c))
        n++;
    return n;
}

/* --- running -------------------------------------------------------------------------------- */

static bool is_idle(const struct task_loop *loop)
{
    return loop->line.first == loop->line.end && call_queue_empty(&loop->ready);
}

/* Whether the poller is to be asked: not by one who has enough to do, if there is no news. */
static INTO bool must_look(const struct task_loop *loop, bool busy)
{
    return UNLIKELY(!busy || !poller_is_quiet(loop->dispatcher.poller));
}

/* How long the poller may sleep, with nothing to do. */
static APART double longest_wait(struct task_loop *loop)
{
    const struct timer *first = timers_first(&loop->timers); /* 1: cancelled ones are not there */
    if (first == NULL || first->when >= INT64_MAX / 2)
        return INFINITY;
    double wait = (double)first->when / 1e9 - loop_time(loop);
    return wait > 0 ? wait : 0;
}

static int run_timer(void *arg)
{
    struct slot *slot = arg;
    loop_fn *fn = slot->fn;
    arg = slot->arg;
    loop_slot_give_back(running, slot, false); /* first: from now on cancelling has no effect */
    return fn(arg);
}

/* The earliest timer comes into line. False: no memory; it stays where it is, and is late. */
static bool queue_timer(struct task_loop *loop, uint32_t id)
{
    struct slot *slot = loop_slot_at(loop, id);
    __builtin_prefetch(slot); /* a pop takes as long as memory needs to bring it */
    if (!ring_push(&loop->line, run_timer, slot))
        return false;
    timers_pop(&loop->timers);
    slot->number = loop->line.end - 1;
    return true;
}

/* The timers that are due come behind what is ready, in the order of their deadlines. */
static APART void queue_due_timers(struct task_loop *loop)
{
    /* EXERCISE 4.3 queue_due_timers: those whose time has come */
    int64_t now = nanoseconds(loop_time(loop));
    const struct timer *first = timers_first(&loop->timers);
    while (first != NULL && first->when <= now && queue_timer(loop, first->id))
        first = timers_first(&loop->timers);
    /* END 4.3 */
}

static SELDOM void report_failure(struct task_loop *loop, int error)
{
    dispatcher_report(&loop->dispatcher, "a callback failed", error, NULL);
}

/*
 * Runs the callbacks that came before number @p end; answers how many. Whose turn it is must be
 * known to them, and is not read back: that would make each wait for what the last one has written.
 */
static INTO int run_callbacks(struct task_loop *loop, uint64_t end)
{
    uint64_t first = loop->line.first, n = first;
    while (n < end) {
        struct callback callback = *ring_at(&loop->line, n);
        loop->line.first = ++n;
        int error = callback.fn(callback.arg);
        if (error < 0)
            report_failure(loop, error);
    }
    return (int)(n - first);
}

/*
 * Runs the calls of futures and tasks that are queued now; answers how many, and how many callbacks
 * between them. Calls lie in their owners and callbacks have a place in line, but the order is one:
 * each call knows how many came before it in that line, where each batch counts as one more. So one
 * that is queued from now on is behind @p end, even if nobody has come to the line since.
 */
static INTO int run_calls(struct task_loop *loop, uint64_t end)
{
    uint64_t batches = loop->batches++;
    struct call *call;
    int ran = 0;
    while ((call = call_queue_first(&loop->ready)) != NULL && call->after - batches <= end) {
        if (UNLIKELY(loop->line.first < call->after - batches)) {
            ran += run_callbacks(loop, call->after - batches);
            continue; /* one of them may have taken the call back */
        }
        call_queue_remove(call);
        int error = call->fn(call);
        if (error < 0)
            report_failure(loop, error);
        ran++;
    }
    return ran;
}

/* One turn; answers how many callbacks ran, nobodies too, or the poller's error. */
static INTO int turn(struct task_loop *loop)
{
    /* EXERCISE 4.6 turn: poll, timers, and one batch */
    struct poller *poller = loop->dispatcher.poller;
    bool busy = !is_idle(loop) || loop->stopping;
    int error = 0;
    if (must_look(loop, busy))
        error = poller->ops->poll(poller, busy ? 0 : longest_wait(loop)); /* 2, and 3 inside it */
    if (error)
        return error;
    if (loop->timers.count > 0) /* else not even the clock is read */
        queue_due_timers(loop); /* 4 */
    uint64_t end = loop->line.end; /* 5: who comes from now on waits for the next turn */
    int ran = call_queue_empty(&loop->ready) ? 0 : run_calls(loop, end);
    return ran + run_callbacks(loop, end);
    /* END 4.6 */
}

static int begin(struct task_loop *loop)
{
    if (loop->dispatcher.closed)
        return ERR_CLOSED;
    if (running != NULL)
        return ERR_NESTED;
    loop->running = true;
    thread_introduce();
    loop->thread = thread_self;
    running = loop;
    return 0;
}

static void end(struct task_loop *loop)
{
    loop->running = false;
    loop->thread = loop->maker;
    running = NULL;
}

int loop_run_once(struct task_loop *loop)
{
    int error = begin(loop);
    if (error)
        return error;
    uint64_t nobody = loop->line.nobody;
    int ran = turn(loop);
    loop->stopping = false;
    end(loop);
    if (ran > 0)
        ran -= (int)(loop->line.nobody - nobody);
    return ran == ERR_DEADLOCK ? 0 : ran;
}

/* The learner's most frequent mistake gets a report that says who waits for what. */
static void report_deadlock(struct task_loop *loop)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (stream != NULL) {
        fprintf(stream, "nothing is ready, and nothing can wake the loop; alive are:\n");
        dispatcher_dump(&loop->dispatcher, stream);
        fclose(stream);
        text[strlen(text) - 1] = '\0'; /* whoever prints it ends the line */
    }
    dispatcher_report(&loop->dispatcher,
                      text != NULL ? text : "nothing is ready, and nothing can wake the loop",
                      ERR_DEADLOCK, NULL);
    free(text);
}

static int run_turns(struct task_loop *loop)
{
    /* EXERCISE 4.7 run_turns: until somebody says stop */
    int ran;
    do {
        ran = turn(loop);
    } while (ran >= 0 && !loop->stopping);
    loop->stopping = false;
    return ran < 0 ? ran : 0;
    /* END 4.7 */
}

int loop_run_forever(struct task_loop *loop)
{
    int error = begin(loop);
    if (error)
        return error;
    error = run_turns(loop);
    end(loop);
    if (error == ERR_DEADLOCK)
        report_deadlock(loop);
    return error;
}

void loop_stop(struct task_loop *loop)
{
    loop->stopping = true;
}

/* Waits for the future of loop_run_until_complete(). */
struct stopper {
    struct future_waiter waiter;
    struct task_loop *loop;
};

static int stop_when_done(struct call *call)
{
    loop_stop(CONTAINER_OF(call, struct stopper, waiter.call)->loop);
    return 0;
}

int loop_run_until_complete(struct task_loop *loop, struct future *f, value *out)
{
    if (out != NULL)
        *out = value_none();
    /* EXERCISE 4.8 loop_run_until_complete: run, and be stopped by the future */
    struct stopper stopper = {.loop = loop, .waiter.call.fn = stop_when_done};
    if (loop->dispatcher.closed)
        return ERR_CLOSED;
    if (running != NULL)
        return ERR_NESTED;
    if (future_dispatcher(f) != &loop->dispatcher)
        return ERR_WRONG_LOOP;
    future_ref(f);
    int error = future_wait(f, &stopper.waiter);
    if (!error)
        error = loop_run_forever(loop);
    future_wait_no_more(&stopper.waiter); /* else a late end of f would stop some later run */
    if (!error)
        error = future_done(f) ? future_result(f, out) : ERR_RUNTIME;
    future_unref(f);
    return error;
    /* END 4.8 */
}

/* --- beginning and end ---------------------------------------------------------------------- */

struct task_loop *loop_new(struct poller *poller)
{
    if (poller == NULL)
        return NULL;
    struct task_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL || !ring_init(&loop->line)) {
        free(loop);
        poller->ops->close(poller);
        errno = ENOMEM;
        return NULL;
    }
    dispatcher_init(&loop->dispatcher, &loop_ops);
    call_queue_init(&loop->ready);
    thread_introduce();
    loop->thread = loop->maker = thread_self;
    int error = poller->ops->bind(poller, &loop->dispatcher);
    if (error) {
        poller->ops->close(poller);
        ring_free(&loop->line);
        free(loop);
        errno = error == ERR_BUSY ? EBUSY : -error;
        return NULL;
    }
    return loop;
}

int loop_close(struct task_loop *loop)
{
    if (loop->running)
        return ERR_RUNTIME;
    if (loop->dispatcher.closed)
        return 0;
    loop->dispatcher.closed = true;
    call_queue_drop(&loop->ready);
    ring_clear(&loop->line);
    while (timers_first(&loop->timers) != NULL)
        loop_slot_give_back(loop, loop_slot_at(loop, timers_pop(&loop->timers)), false);
    dispatcher_shut(&loop->dispatcher);
    loop->dispatcher.poller->ops->close(loop->dispatcher.poller);
    loop->dispatcher.poller = NULL;
    return 0;
}

void loop_free(struct task_loop *loop)
{
    if (loop == NULL)
        return;
    if (loop_close(loop) == ERR_RUNTIME)
        die("loop_free() of a loop that is running");
    dispatcher_release(&loop->dispatcher);
}
