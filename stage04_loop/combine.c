/*
 * Everything here is made of what stands already. sleep_for() is a future and a timer. A gather is
 * a future that waits for others. wait_for() awaits, while a timer stands by to cancel the very
 * task that waits: the cancel travels to what it waits for, and comes back when that has really
 * ended.
 */
#include "combine.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "future_impl.h"
#include "loop.h"

int ensure_future(struct dispatcher *d, value v, struct future **out)
{
    struct future *f = value_as_future(v);
    *out = NULL;
    if (f == NULL)
        return ERR_TYPE;
    if (future_dispatcher(f) != d)
        return ERR_WRONG_LOOP;
    *out = future_ref(f);
    return 0;
}

/* --- sleep ---------------------------------------------------------------------------------- */

static const struct future_ops local_ops = {.destroy = future_on_a_stack};

static int wake(void *arg)
{
    return future_set_result_unless_cancelled(arg, value_none());
}

int sleep_for(double seconds)
{
    struct dispatcher *d = task_dispatcher_or_die("sleep_for");
    struct task_loop *loop = loop_from_dispatcher(d);
    struct future f;
    struct handle timer;
    if (isnan(seconds))
        return ERR_VALUE;
    /* EXERCISE 4.9 sleep_for: a future, and a timer that completes it */
    if (seconds <= 0)
        return task_yield();
    if (loop == NULL)
        return ERR_RUNTIME;
    future_init(&f, &local_ops, d);
    int error = loop_call_later(loop, seconds, wake, &f, &timer);
    if (!error || error == ERR_CLOSED) /* then task_await() says what is to be done */
        error = task_await(&f, NULL);
    handle_cancel(timer); /* if we were cancelled, it still waits for its time */
    future_leave(&f);
    return error;
    /* END 4.9 */
}

/* --- gather --------------------------------------------------------------------------------- */

struct child {
    struct future_waiter waiter; /* of a child that stands here for the first time */
    struct future *future;
    struct gather *gather;
};

struct gather {
    struct future future; /* first: a gather is one */
    struct member member; /* until all children are done */
    struct future_branches branches; /* to its children, while they are being cancelled */
    size_t n;
    size_t waiting; /* for so many different children */
    size_t asked;   /* so many have been cancelled, or passed over */
    bool return_exceptions;
    bool cancel_requested;
    bool cancelling; /* its children are being cancelled at this moment */
    struct child children[];
};

static struct gather *as_gather(struct future *f)
{
    return (struct gather *)(void *)f;
}

/* One child less to wait for; after the last one the gather no longer keeps itself alive. */
static void child_is_over(struct gather *g)
{
    if (--g->waiting > 0)
        return;
    dispatcher_delist(&g->member);
    future_unref(&g->future);
}

/*
 * The error of a child that is done. An error has been asked for when it is handed on: as the
 * gather's own, or as an item when the gather is complete.
 */
static int child_error(const struct child *child)
{
    const struct gather *g = child->gather;
    if (!g->return_exceptions || future_done(&g->future))
        return future_result(child->future, NULL);
    for (size_t i = 0; i < g->n && g->waiting == 1; i++) {
        int error = future_result(g->children[i].future, NULL);
        (void)error; /* whoever wants it asks for the item */
    }
    return 0;
}

static int child_done(struct call *call)
{
    struct child *child = CONTAINER_OF(call, struct child, waiter.call);
    struct gather *g = child->gather;
    int error = child_error(child), refused = 0;
    /* EXERCISE 4.10 child_done: the first error, or the last result */
    if (!future_done(&g->future)) {
        if (error)
            refused = future_finish(&g->future, error, value_none());
        else if (g->waiting == 1)
            refused =
                future_finish(&g->future, g->cancel_requested ? ERR_CANCELLED : 0, value_none());
    }
    child_is_over(g);
    return refused == ERR_CLOSED ? 0 : refused;
    /* END 4.10 */
}

static bool gather_cancel(struct future *f, bool alone)
{
    struct gather *g = as_gather(f);
    if (alone || g->cancelling) { /* we wait for somebody who waits for us: end here */
        int refused = future_finish(f, ERR_CANCELLED, value_none());
        return refused == 0;
    }
    g->cancelling = true;
    g->asked = 0;
    return future_cancel_branches(f, &g->branches);
}

static struct future *gather_next_branch(struct future *f)
{
    struct gather *g = as_gather(f);
    while (g->asked < g->n) {
        const struct child *child = &g->children[g->asked++];
        if (child->gather != NULL)
            return child->future;
    }
    g->cancelling = false;
    g->cancel_requested = g->cancel_requested || g->branches.requested;
    return NULL;
}

static void gather_destroy(struct future *f)
{
    struct gather *g = as_gather(f);
    for (size_t i = 0; i < g->n; i++)
        future_unref(g->children[i].future);
    free(g);
}

/* The dispatcher is being closed: no child will ever call. */
static void gather_shut(struct member *member)
{
    struct gather *g = CONTAINER_OF(member, struct gather, member);
    for (size_t i = 0; i < g->n; i++)
        if (g->children[i].gather != NULL)
            future_wait_no_more(&g->children[i].waiter);
    future_unref(&g->future);
}

static const struct member_ops gather_member_ops = {.shut = gather_shut};
static const struct future_ops gather_ops = {
    .cancel = gather_cancel, .next_branch = gather_next_branch, .destroy = gather_destroy};

/* Whether all can be waited for. */
static int check_children(struct dispatcher *d, struct future *const *futures, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (futures[i] == NULL)
            return ERR_TYPE;
        if (future_dispatcher(futures[i]) != d)
            return ERR_WRONG_LOOP;
    }
    return d->closed ? ERR_CLOSED : 0;
}

int gather(struct dispatcher *d, struct future *const *futures, size_t n, enum gather_flags flags,
           struct future **out)
{
    *out = NULL;
    int error = check_children(d, futures, n);
    if (error)
        return error;
    struct gather *g = calloc(1, sizeof *g + n * sizeof(struct child));
    if (g == NULL)
        return -ENOMEM;
    future_init(&g->future, &gather_ops, d);
    *out = &g->future;
    g->n = n;
    g->return_exceptions = (flags & GATHER_RETURN_EXCEPTIONS) != 0;
    g->member.ops = &gather_member_ops;
    if (n == 0)
        return future_finish(&g->future, 0, value_none());
    future_ref(&g->future); /* its own, until the last child is done */
    error = dispatcher_enlist(d, &g->member);
    for (size_t i = 0; i < n; i++) {
        struct child *child = &g->children[i];
        child->future = future_ref(futures[i]);
        if (futures[i]->visited)
            continue; /* it stands here for the second time: one wait is enough */
        futures[i]->visited = true;
        child->gather = g;
        child->waiter.call.fn = child_done;
        g->waiting++;
    }
    for (size_t i = 0; i < n; i++)
        futures[i]->visited = false;
    g->waiting++; /* so that a dispatcher that calls at once does not end it before all wait */
    for (size_t i = 0; i < n; i++)
        if (g->children[i].gather != NULL && !error)
            error = future_wait(g->children[i].future, &g->children[i].waiter);
    child_is_over(g);
    return error;
}

int gather_item(struct future *f, size_t i, value *out)
{
    if (out != NULL)
        *out = value_none();
    if (f->ops != &gather_ops)
        return ERR_TYPE;
    if (i >= as_gather(f)->n)
        return ERR_VALUE;
    if (!future_done(f))
        return ERR_INVALID_STATE;
    return future_result(as_gather(f)->children[i].future, out);
}

/* --- wait_for and shield -------------------------------------------------------------------- */

/* The timer of a wait_for(); lies on the stack of the task that waits. */
struct deadline {
    struct task *task;
    bool expired;
};

static int expire(void *arg)
{
    struct deadline *deadline = arg;
    deadline->expired = true;
    task_cancel(deadline->task); /* which cancels what it waits for */
    return 0;
}

/* Completes `ended` when the future that it waits for has ended. */
struct end_waiter {
    struct future_waiter waiter;
    struct future ended;
};

static int has_ended(struct call *call)
{
    return future_set_result_unless_cancelled(
        &CONTAINER_OF(call, struct end_waiter, waiter.call)->ended, value_none());
}

/*
 * Cancels f and waits until it has really ended. If we are cancelled meanwhile, only `ended` is
 * cancelled with us, and f not a second time.
 */
static int cancel_and_wait(struct future *f)
{
    struct end_waiter w = {.waiter.call.fn = has_ended};
    future_init(&w.ended, &local_ops, future_dispatcher(f));
    int error = future_wait(f, &w.waiter);
    if (!error) {
        future_cancel(f);
        error = task_await(&w.ended, NULL);
        future_wait_no_more(&w.waiter);
    }
    future_leave(&w.ended);
    return error;
}

int wait_for(struct future *f, double timeout, value *out)
{
    struct task *task = task_current();
    struct task_loop *loop = loop_from_dispatcher(task_dispatcher_or_die("wait_for"));
    if (out != NULL)
        *out = value_none();
    if (isnan(timeout))
        return ERR_VALUE;
    if (loop == NULL)
        return ERR_RUNTIME;
    if (future_done(f) || isinf(timeout) == 1 || loop_is_closed(loop))
        return task_await(f, out);
    if (future_dispatcher(f) != task_dispatcher(task))
        return ERR_WRONG_LOOP; /* before it is cancelled */
    if (timeout <= 0) {
        int error = cancel_and_wait(f);
        if (error)
            return error;
        error = future_result(f, out);
        return error == ERR_CANCELLED ? ERR_TIMEOUT : error;
    }
    /* EXERCISE 4.11 wait_for: let a timer cancel us, and know whether it did */
    struct deadline deadline = {.task = task};
    struct handle timer;
    unsigned cancels = task_cancel_count(task);
    int error = loop_call_later(loop, timeout, expire, &deadline, &timer);
    if (error)
        return error;
    error = task_await(f, out);
    handle_cancel(timer);
    if (deadline.expired && task_forgive(task) <= cancels && error == ERR_CANCELLED)
        error = ERR_TIMEOUT; /* nobody but the timer cancelled us */
    return error;
    /* END 4.11 */
}

int shield(struct future *f, struct future **outer)
{
    *outer = NULL;
    if (future_done(f)) {
        *outer = future_ref(f);
        return 0;
    }
    struct future *shell = future_new(future_dispatcher(f));
    if (shell == NULL)
        return -ENOMEM;
    int error = future_follow(f, shell, false);
    if (error)
        future_unref(shell);
    else
        *outer = shell;
    return error;
}
