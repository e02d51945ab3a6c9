/*
 * A future is a state, a place for the outcome, and a list of those who wait. Completing it writes
 * the outcome, moves everybody from that list to the dispatcher's queue, and is over: nobody is
 * called from here. The list and the queue are made of the same links, which lie in the waiters
 * themselves, so there is nothing to allocate and nothing that could fail.
 *
 *     future: waiters -> [call] -> [call] -> [call]          pending
 *                          |         |         |
 *                          v         v         v             when it completes
 *     dispatcher's queue: … [call] -> [call] -> [call]
 *
 * While a waiter stands in the queue, somebody must keep the future alive for it: a task holds a
 * reference of its own; the nodes of future_add_done_callback() take one at the moment of
 * completion.
 */
#include "future.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "future_impl.h"

static int format_future(value v, char *text, size_t size)
{
    char inner[160];
    future_describe(v.as.pointer, inner, sizeof inner);
    return snprintf(text, size, "<future %s>", inner);
}

const struct value_type value_type_future = {"future", format_future};

static const struct future_ops plain = {.cancel = NULL};

void future_init(struct future *f, const struct future_ops *ops, struct dispatcher *d)
{
    *f = (struct future){.ops = ops, .dispatcher = d, .references = 1, .state = FUTURE_PENDING};
    call_queue_init(&f->waiters);
    d->futures++;
}

/*
 * Plain futures come and go with each step of a program, so a few that are gone are kept for those
 * that come. Not where a tool watches over freed memory.
 */
#ifdef SANITIZE_ADDRESS
enum { SPARES = 0 };
#else
enum { SPARES = 64 };
#endif

static inline void keep_or_free(struct dispatcher *d, struct future *f)
{
    if (UNLIKELY(d->closed || d->spares == SPARES)) {
        free(f);
        return;
    }
    f->state = FUTURE_PENDING; /* whoever uses it nevertheless shall not find a result */
    struct spare *spare = (struct spare *)(void *)f;
    spare->next = d->spare;
    d->spare = spare;
    d->spares++;
}

static struct future *take(struct dispatcher *d)
{
    struct spare *spare = d->spare;
    if (UNLIKELY(spare == NULL))
        return malloc(sizeof(struct future));
    d->spare = spare->next;
    d->spares--;
    return (struct future *)(void *)spare;
}

struct future *future_new(struct dispatcher *d)
{
    if (d == NULL)
        die("future_new() without a dispatcher: nobody could ever call its callbacks");
    struct future *f = take(d);
    if (f == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    future_init(f, &plain, d);
    return f;
}

struct future *future_ref(struct future *f)
{
    if (f != NULL)
        f->references++;
    return f;
}

static inline void give_memory_back(struct future *f)
{
    struct dispatcher *d = f->dispatcher;
    if (f->ops == &plain)
        keep_or_free(d, f);
    else if (f->ops->destroy != NULL)
        f->ops->destroy(f);
    else
        free(f);
    if (--d->futures == 0 && d->released && d->ops->gone != NULL)
        d->ops->gone(d);
}

/*
 * Ending a future may end others: that of a chain the next one, that of a gather its children.
 * There may be many, so they are put on a list and ended one after the other, and not from within
 * each other. A future that ends needs no result any more, so the list is linked through that.
 */
static __attribute__((noinline)) void end(struct future *f)
{
    static _Thread_local struct future *ended;
    static _Thread_local bool busy;
    f->result.as.pointer = ended;
    ended = f;
    if (busy)
        return; /* whoever is at it will come to this one too */
    busy = true;
    while ((f = ended) != NULL) {
        ended = f->result.as.pointer;
        call_queue_drop(&f->waiters);
        give_memory_back(f);
    }
    busy = false;
}

/* Nobody has asked for its error. The report may look at it, and take a reference itself. */
static SELDOM void report_lost_error(struct future *f)
{
    if (!f->dispatcher->released)
        dispatcher_report(f->dispatcher, "exception was never retrieved", f->error, f);
    f->error_is_wanted = false;
}

static __attribute__((noinline)) void last_unref(struct future *f)
{
    if (f == NULL)
        return;
    if (f->references == 0)
        die("future_unref() of a future that is gone: a reference was given back twice");
    if (UNLIKELY(f->error_is_wanted))
        report_lost_error(f);
    if (UNLIKELY(--f->references > 0))
        return; /* somebody wants to keep it */
    if (f->ops == &plain && call_queue_empty(&f->waiters))
        give_memory_back(f); /* as most of them: nobody ends with it */
    else
        end(f);
}

void future_unref(struct future *f)
{
    if (f != NULL && f->references > 1)
        f->references--;
    else
        last_unref(f);
}

_Noreturn void future_on_a_stack(struct future *f)
{
    (void)f;
    die("future_unref() of a future that lies on a task's stack: it belongs to who waits there");
}

void future_leave(struct future *f)
{
    if (f->references != 1 || !call_queue_empty(&f->waiters))
        die("somebody keeps the future of a sleeping task, which was yielded to him");
    f->dispatcher->futures--; /* and we run in it: it is not about to go */
}

struct dispatcher *future_dispatcher(const struct future *f)
{
    return f->dispatcher;
}

bool future_done(const struct future *f)
{
    return f->state != FUTURE_PENDING;
}

bool future_cancelled(const struct future *f)
{
    return f->state == FUTURE_CANCELLED;
}

/* --- waiting -------------------------------------------------------------------------------- */

/* A registration of future_add_done_callback(). */
struct registration {
    struct future_waiter waiter;
    future_callback_fn *fn;
    void *arg;
};

/* Hands a waiter of a finished future to the dispatcher, with the reference it may need. */
static int schedule(struct future *f, struct call *call)
{
    if (call->drop != NULL)
        future_ref(f);
    return dispatcher_soon(f->dispatcher, call);
}

int future_wait(struct future *f, struct future_waiter *w)
{
    w->future = f;
    if (f->state != FUTURE_PENDING) {
        int error = schedule(f, &w->call);
        if (error && w->call.drop != NULL)
            future_unref(f);
        return error;
    }
    call_queue_push(&f->waiters, &w->call);
    return 0;
}

void future_wait_no_more(struct future_waiter *w)
{
    struct future *f = w->future;
    if (f == NULL || !call_queue_remove(&w->call))
        return;
    if (f->state != FUTURE_PENDING && w->call.drop != NULL)
        future_unref(f);
}

static int call_registration(struct call *call)
{
    struct registration *r = CONTAINER_OF(call, struct registration, waiter.call);
    struct future *f = r->waiter.future;
    future_callback_fn *fn = r->fn;
    void *arg = r->arg;
    free(r);
    int error = fn(f, arg);
    future_unref(f);
    return error;
}

static void drop_registration(struct call *call)
{
    struct registration *r = CONTAINER_OF(call, struct registration, waiter.call);
    struct future *f = r->waiter.future;
    free(r);
    if (future_done(f))
        future_unref(f);
}

int future_add_done_callback(struct future *f, future_callback_fn *fn, void *arg)
{
    if (fn == NULL)
        return ERR_VALUE;
    struct registration *r = calloc(1, sizeof *r);
    if (r == NULL)
        return -ENOMEM;
    /* EXERCISE 2.4 future_add_done_callback: wait, or be called soon */
    r->fn = fn;
    r->arg = arg;
    r->waiter.call.fn = call_registration;
    r->waiter.call.drop = drop_registration;
    int error = future_wait(f, &r->waiter);
    if (error)
        free(r);
    return error;
    /* END 2.4 */
}

size_t future_remove_done_callback(struct future *f, future_callback_fn *fn, void *arg)
{
    /* EXERCISE 2.5 future_remove_done_callback: all that are equal */
    size_t n = 0;
    if (f->state != FUTURE_PENDING)
        return 0; /* they are in the dispatcher's queue, and will be called */
    for (struct call *next, *call = call_queue_first(&f->waiters); call != NULL; call = next) {
        struct registration *r = CONTAINER_OF(call, struct registration, waiter.call);
        next = call_queue_next(&f->waiters, call);
        if (call->fn == call_registration && r->fn == fn && r->arg == arg) {
            call_queue_remove(call);
            free(r);
            n++;
        }
    }
    return n;
    /* END 2.5 */
}

/* --- completing ----------------------------------------------------------------------------- */

/* The outcome is written: everybody who waits is queued, in order. */
static int finish(struct future *f)
{
    /* EXERCISE 2.3 finish: schedule everybody, call nobody */
    struct call *call;
    int error = 0;
    future_ref(f); /* a dispatcher that calls at once may give the last reference of others back */
    while ((call = call_queue_pop(&f->waiters)) != NULL) {
        int refused = schedule(f, call);
        if (refused && call->drop != NULL)
            call->drop(call);
        error = refused ? refused : error;
    }
    future_unref(f);
    return error;
    /* END 2.3 */
}

int future_finish(struct future *f, int error, value v)
{
    f->state = FUTURE_FINISHED;
    f->error = error;
    f->result = error ? value_none() : v;
    f->error_is_wanted = error != 0;
    return finish(f);
}

int future_finish_cancelled(struct future *f)
{
    f->state = FUTURE_CANCELLED;
    return finish(f);
}

int future_set_result(struct future *f, value v)
{
    /* EXERCISE 2.1 future_set_result: once, and not for tasks */
    if (f->ops->is_task)
        return ERR_RUNTIME;
    if (f->state != FUTURE_PENDING)
        return ERR_INVALID_STATE;
    return future_finish(f, 0, v);
    /* END 2.1 */
}

int future_set_exception(struct future *f, int error)
{
    if (f->ops->is_task)
        return ERR_RUNTIME;
    if (f->state != FUTURE_PENDING)
        return ERR_INVALID_STATE;
    if (error >= 0)
        return ERR_TYPE;
    return future_finish(f, error, value_none());
}

int future_set_result_unless_cancelled(struct future *f, value v)
{
    return f->state == FUTURE_CANCELLED ? 0 : future_set_result(f, v);
}

/* --- cancelling ----------------------------------------------------------------------------- */

/*
 * A task passes the wish on to what it waits for, which may be a task that waits, and so on. That
 * chain may be long, so it is walked here and not called through. It may also be a ring (two tasks
 * that await each other): then the walk meets somebody whom it has visited, and the last one before
 * him has to end its wait alone.
 */
static bool cancel_chain(struct future *f)
{
    /* EXERCISE 2.6 cancel_chain: ask the right one */
    struct future *before = NULL, *last = f, *next = f, *step;
    f->error_is_wanted = false; /* whoever cancels does not want to hear of errors any more */
    if (f->state != FUTURE_PENDING)
        return false;
    while (next != NULL && next->state == FUTURE_PENDING && !next->visited) {
        before = last;
        last = next;
        last->visited = true;
        last->cancels++;
        next = last->ops->cancel_next != NULL ? last->ops->cancel_next(last) : NULL;
    }
    bool ring = next != NULL && next->visited;
    for (step = f; step->visited; step = step->ops->cancel_next(step)) {
        step->visited = false;
        if (step == last)
            break;
    }
    if (last->ops->cancel == NULL) {
        future_finish_cancelled(last);
        return true;
    }
    if (last->ops->cancel(last, ring))
        return true;
    return before != last && before->ops->cancel(before, false); /* it is about to end anyway */
    /* END 2.6 */
}

/* Where future_cancel() is in a tree: at the innermost branches. NULL: it is not at work. */
static _Thread_local struct future_branches *asking;

bool future_cancel_branches(struct future *f, struct future_branches *branches)
{
    *branches = (struct future_branches){.of = f, .outer = asking};
    asking = branches;
    return true;
}

/* Cancels one branch, unless that has branches itself: then those come first. */
static void ask(struct future *f)
{
    struct future_branches *at = asking;
    at->now = f;
    if (cancel_chain(f) && asking == at)
        at->requested = true;
}

/* The last of the chain that begins with f has refused: asks the one before it, if there is one. */
static bool ask_before(struct future *f, const struct future *last)
{
    while (f != last) {
        struct future *next = f->ops->cancel_next(f);
        if (next == last)
            return f->ops->cancel(f, false);
        f = next;
    }
    return false;
}

/*
 * Chains of tasks meet where a gather waits for several, and make a tree. It is walked in the order
 * in which a recursion would go: a branch with everything behind it, then the next branch. Whoever
 * is cancelled may call us from a callback; that is a walk of its own.
 */
bool future_cancel(struct future *f)
{
    struct future_branches root = {.outer = asking};
    asking = &root;
    ask(f);
    while (asking != &root) {
        struct future_branches *at = asking;
        struct future *next = at->of->ops->next_branch(at->of);
        if (next != NULL) {
            ask(next);
            continue;
        }
        asking = at->outer;
        if (at->requested || ask_before(asking->now, at->of))
            asking->requested = true;
    }
    asking = root.outer;
    return root.requested;
}

/* --- asking --------------------------------------------------------------------------------- */

int future_result(struct future *f, value *out)
{
    if (out != NULL)
        *out = value_none();
    /* EXERCISE 2.2 future_result: the value, or why there is none */
    if (f->state == FUTURE_PENDING)
        return ERR_INVALID_STATE;
    if (f->state == FUTURE_CANCELLED)
        return ERR_CANCELLED;
    f->error_is_wanted = false;
    if (out != NULL)
        *out = f->result;
    return f->error;
    /* END 2.2 */
}

int future_exception(struct future *f, int *error)
{
    int result = future_result(f, NULL);
    *error = 0;
    if (f->state != FUTURE_FINISHED)
        return result;
    *error = result;
    return 0;
}

int future_describe(const struct future *f, char *text, size_t size)
{
    char who[100] = "", what[64];
    if (f->ops->describe != NULL)
        f->ops->describe(f, who, sizeof who);
    const char *space = who[0] == '\0' ? "" : " ";
    if (f->state == FUTURE_PENDING)
        return snprintf(text, size, "%s%spending", who, space);
    if (f->state == FUTURE_CANCELLED)
        return snprintf(text, size, "%s%scancelled", who, space);
    if (f->error)
        return snprintf(text, size, "%s%sfinished exception=%s", who, space, error_name(f->error));
    if (f->result.type == &value_type_future)
        snprintf(what, sizeof what, "<future>"); /* not its insides: it may contain us */
    else
        value_format(f->result, what, sizeof what);
    return snprintf(text, size, "%s%sfinished result=%s", who, space, what);
}

/* --- chaining ------------------------------------------------------------------------------- */

int future_copy(struct future *source, struct future *target)
{
    /* EXERCISE 2.7 future_copy: pass the outcome on */
    if (target->state != FUTURE_PENDING)
        return 0;
    if (source->state == FUTURE_CANCELLED) {
        future_cancel(target); /* in its own way: a gather passes it on, a task may refuse */
        return 0;
    }
    source->error_is_wanted = false;
    if (target->ops->is_task)
        return ERR_RUNTIME; /* only its body decides */
    return future_finish(target, source->error, source->result);
    /* END 2.7 */
}

/* Stands between two futures; belongs to the source, and holds the target until that is done. */
struct link {
    struct future_waiter of_source;
    struct future_waiter of_target; /* waits without `drop`: the link has a reference */
    struct future *target;
    bool both_ways;
};

/* Ends the link; answers its target, with the link's reference. */
static struct future *unlink_target(struct link *link)
{
    struct future *target = link->target;
    future_wait_no_more(&link->of_target);
    free(link);
    return target;
}

static void drop_link(struct call *call)
{
    struct link *link = CONTAINER_OF(call, struct link, of_source.call);
    struct future *source = link->of_source.future;
    future_unref(unlink_target(link));
    if (future_done(source))
        future_unref(source);
}

static int source_done(struct call *call)
{
    struct link *link = CONTAINER_OF(call, struct link, of_source.call);
    struct future *source = link->of_source.future;
    if (!link->both_ways)
        source->error_is_wanted =
            false; /* a shield has taken it, even if nobody is behind it now */
    struct future *target = unlink_target(link);
    int error = future_copy(source, target);
    future_unref(source);
    future_unref(target);
    return error == ERR_CLOSED ? 0 : error;
}

static int target_done(struct call *call)
{
    struct link *link = CONTAINER_OF(call, struct link, of_target.call);
    struct future *source = link->of_source.future;
    if (source->state != FUTURE_PENDING)
        return 0; /* it will find out */
    if (link->both_ways && future_cancelled(link->target)) {
        future_cancel(source);
    } else {
        future_wait_no_more(&link->of_source);
        drop_link(&link->of_source.call);
    }
    return 0;
}

int future_follow(struct future *source, struct future *target, bool both_ways)
{
    struct link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return -ENOMEM;
    link->of_source.call.fn = source_done;
    link->of_source.call.drop = drop_link;
    link->of_target.call.fn = target_done;
    link->target = future_ref(target);
    link->both_ways = both_ways;
    link->of_source.future = source;
    int error = future_wait(target, &link->of_target);
    if (!error)
        error = future_wait(source, &link->of_source);
    if (error)
        future_unref(unlink_target(link));
    return error;
}

int future_chain(struct future *source, struct future *target)
{
    return future_follow(source, target, true);
}
