/*
 * A task resumes a generator, looks at what came out, and decides when to resume it again. That is
 * one function, step(); everything else here feeds it.
 *
 * The invariant, while a task is not done and not running: either its step is in the dispatcher's
 * queue, or it waits for exactly one future, which will queue the step when it is done.
 * Both use the same struct call, so never both.
 *
 *              task_new                   waiter is done
 *     nothing ----------> step is queued <--------------- waits
 *                          |         ^                      ^
 *                          | runs    | yielded None         | yielded a future
 *                          v         |                      |
 *                         step() ----+----------------------'
 *                          | returned, raised
 *                          v
 *                         done
 */
#include "task.h"

#include <errno.h>
#include <stdlib.h>

#include "future_impl.h"

enum { PATIENCE = 1000 }; /* how often a body may ignore that it must end */

struct task {
    struct future future; /* first: a task is one */

    /* between two steps */
    struct future_waiter step; /* step.call: in the dispatcher's queue, or in the list of
                                  step.future, what it waits for, with a reference; that is NULL if
                                  it is ready */
    int thrown;               /* to be raised by the next step */
    bool must_cancel : 1;     /* a cancel that nobody else took: the next step raises it */
    bool started : 1;
    bool ending : 1;          /* the dispatcher is being closed: no await suspends any more */
    unsigned short ignored;   /* how often the body went on nevertheless */

    /* for good */
    struct generator *generator;
    struct member member; /* of its dispatcher, until it is done */
    const char *name;
};

static _Thread_local struct task *current;

struct task *task_current(void)
{
    return current;
}

static struct task *as_task(const struct future *f)
{
    return (struct task *)(uintptr_t)f;
}

/* --- one step ------------------------------------------------------------------------------- */

/* What the next step hands in: the outcome of what was waited for, an error, or a cancel. */
static int next_message(struct task *task, value *in)
{
    /* EXERCISE 3.1 next_message: what the body shall hear */
    int error = task->thrown;
    *in = value_none();
    task->thrown = 0;
    if (task->step.future != NULL) {
        error = future_result(task->step.future, in);
        future_unref(task->step.future);
        task->step.future = NULL;
    }
    if (task->must_cancel &&
        task->started) { /* a body always starts; its first wait is cancelled */
        task->must_cancel = false;
        error = ERR_CANCELLED;
    }
    return error;
    /* END 3.1 */
}

/* The body has ended: so has the task. */
static void complete(struct task *task, int status, value ret)
{
    gen_free(task->generator);
    task->generator = NULL;
    dispatcher_delist(&task->member);
    /* EXERCISE 3.2 complete: the body's end becomes the task's outcome */
    struct future *f = &task->future;
    bool cancelled = status == ERR_CANCELLED || (status == GEN_RETURN && task->must_cancel);
    task->must_cancel = false;
    int refused = cancelled ? future_finish_cancelled(f) : future_finish(f, status, ret);
    (void)refused; /* a closed dispatcher calls nobody back: that is what closing means */
    /* END 3.2 */
    future_unref(&task->future); /* it has kept itself alive until now */
}

/* Why a yielded value cannot be waited for; 0 if it can. */
static int refuse(const struct task *task, value out)
{
    const struct future *f = value_as_future(out);
    if (f == NULL)
        return ERR_RUNTIME; /* neither None nor a future: perhaps a generator, to be delegated to */
    if (f == &task->future)
        return ERR_RUNTIME; /* it would wait for its own end */
    return f->dispatcher != task->future.dispatcher ? ERR_WRONG_LOOP : 0;
}

/* The body has yielded: it is ready again, or it waits. */
static int suspend(struct task *task, value out)
{
    /* EXERCISE 3.3 suspend: ready again, or waiting */
    if (!value_is_none(out))
        task->thrown = refuse(task, out);
    if (value_is_none(out) || task->thrown)
        return dispatcher_soon(task->future.dispatcher, &task->step.call);
    struct future *f = future_ref(value_as_future(out));
    int error = future_wait(f, &task->step);
    if (!error && task->must_cancel) { /* it cancelled itself before it waited */
        task->must_cancel = false;     /* now: in a ring the cancel comes back to us */
        if (!future_cancel(f))
            task->must_cancel = true;
    }
    return error;
    /* END 3.3 */
}

static int step(struct call *call)
{
    struct task *task = CONTAINER_OF(call, struct task, step.call);
    struct task *outside = current;
    value in, out;
    /* EXERCISE 3.4 step: resume the body and look at what came out */
    int error = next_message(task, &in);
    task->started = true;
    current = task;
    int status = error ? gen_throw(task->generator, error, &out)
                       : gen_send(task->generator, in, &out);
    current = outside;
    if (status == GEN_NEXT)
        return suspend(task, out);
    complete(task, status, out);
    return 0;
    /* END 3.4 */
}

/* --- cancelling ----------------------------------------------------------------------------- */

static struct future *cancel_next(struct future *f)
{
    return as_task(f)->step.future;
}

/* There is nobody to pass the cancel on to: the next step raises it. */
static bool cancel_here(struct future *f, bool alone)
{
    struct task *task = as_task(f);
    /* EXERCISE 3.5 cancel_here: flag it, and break a ring */
    task->must_cancel = true;
    if (alone) {
        future_wait_no_more(&task->step);
        future_unref(task->step.future);
        task->step.future = NULL;
        return dispatcher_soon(f->dispatcher, &task->step.call) == 0;
    }
    return true;
    /* END 3.5 */
}

bool task_cancel(struct task *task)
{
    return future_cancel(&task->future);
}

unsigned task_cancel_count(const struct task *task)
{
    return task->future.cancels;
}

unsigned task_forgive(struct task *task)
{
    if (task->future.cancels == 0)
        die("task_forgive() of task '%s', which has not been cancelled", task->name);
    return --task->future.cancels;
}

/* --- inside a body -------------------------------------------------------------------------- */

/* Counts how often the running task did not end when it was told to. */
static __attribute__((noinline)) bool count_ignored(void)
{
    if (++current->ignored > PATIENCE)
        die("task '%s' goes on and on after ERR_GENERATOR_EXIT: it must clean up and return",
            current->name);
    return true;
}

/* Whether the running task has been told to end. */
static inline bool must_end(void)
{
    return current != NULL && current->ending && count_ignored();
}

SWITCHES int task_await(struct future *f, value *out)
{
    if (out != NULL)
        *out = value_none();
    if (must_end())
        return ERR_GENERATOR_EXIT;
    /* EXERCISE 3.6 task_await: yield the future until it is done */
    if (future_done(f))
        return future_result(f, out);
    future_ref(f); /* the step gives the waiter's reference back before we are resumed */
    int error = gen_yield(value_future(f), NULL);
    if (!error)
        error = future_done(f) ? future_result(f, out) : ERR_RUNTIME;
    future_unref(f);
    return error;
    /* END 3.6 */
}

SWITCHES int task_yield(void)
{
    if (must_end())
        return ERR_GENERATOR_EXIT;
    return gen_yield(value_none(), NULL);
}

/* --- beginning and end ---------------------------------------------------------------------- */

/*
 * The dispatcher is being closed before the body has ended. The body is brought to its end now:
 * started if it has not been, and told at each await that it must go.
 */
static void shut(struct member *member)
{
    struct task *task = CONTAINER_OF(member, struct task, member);
    struct task *outside = current;
    dispatcher_report(task->future.dispatcher, "task was destroyed but it is pending", 0,
                      &task->future);
    if (task->step.future != NULL)
        future_wait_no_more(&task->step);
    else
        call_queue_remove(&task->step.call);
    future_unref(task->step.future);
    task->step.future = NULL;
    task->ending = true;
    current = task;
    int status = GEN_NEXT;
    if (!task->started)
        status = gen_next(task->generator, NULL);
    while (status == GEN_NEXT && must_end()) /* a bare gen_yield() does not know the rule */
        status = gen_throw(task->generator, ERR_GENERATOR_EXIT, NULL);
    current = outside;
    future_ref(&task->future);
    complete(task, ERR_GENERATOR_EXIT, value_none());
    task->future.error_is_wanted = false; /* it has been reported */
    future_unref(&task->future);
}

static int describe(const struct future *f, char *text, size_t size)
{
    return snprintf(text, size, "task '%s'", as_task(f)->name);
}

static int describe_member(struct member *member, char *text, size_t size)
{
    const struct task *task = CONTAINER_OF(member, struct task, member);
    char what[160];
    if (task->step.future != NULL) {
        future_describe(task->step.future, what, sizeof what);
        return snprintf(text, size, "task '%s' waits for: %s", task->name, what);
    }
    return snprintf(text, size, "task '%s' %s", task->name, task->started ? "is ready" : "is new");
}

static const struct member_ops member_ops = {.shut = shut, .describe = describe_member};

static void destroy(struct future *f)
{
    free(as_task(f));
}

static const struct future_ops task_ops = {.cancel = cancel_here,
                                           .cancel_next = cancel_next,
                                           .destroy = destroy,
                                           .describe = describe,
                                           .is_task = true};

int task_new_named(struct dispatcher *d, gen_fn *fn, void *arg, const char *name, size_t stack_size,
                   struct task **out)
{
    if (out != NULL)
        *out = NULL;
    if (d == NULL)
        die("task_new() without a dispatcher: nobody could ever call its steps");
    if (fn == NULL)
        return ERR_VALUE;
    struct task *task = malloc(sizeof *task);
    if (task == NULL)
        return -ENOMEM;
    task->step = (struct future_waiter){.call.fn = step};
    task->member = (struct member){.ops = &member_ops};
    task->name = name;
    task->thrown = task->ignored = 0;
    task->must_cancel = task->started = task->ending = false;
    int error = gen_new_sized(fn, arg, name, stack_size, &task->generator);
    if (!error)
        error = dispatcher_enlist(d, &task->member);
    if (error) {
        gen_free(task->generator);
        free(task);
        return error;
    }
    future_init(&task->future, &task_ops,
                d); /* this reference is the task's own, until it is done */
    if (out != NULL) {
        future_ref(&task->future);
        *out = task;
    }
    error = dispatcher_soon(d, &task->step.call);
    if (error)
        die("task_new(): a dispatcher that takes members refuses calls");
    return 0;
}

struct dispatcher *task_dispatcher_or_die(const char *function)
{
    if (current == NULL)
        die("%s() outside a task", function);
    return current->future.dispatcher;
}

struct task *task_from_future(struct future *f)
{
    return f != NULL && f->ops == &task_ops ? as_task(f) : NULL;
}

struct dispatcher *task_dispatcher(const struct task *task)
{
    return task->future.dispatcher;
}

const char *task_name(const struct task *task)
{
    return task->name;
}

void task_unref(struct task *task)
{
    if (task != NULL)
        future_unref(&task->future);
}

size_t task_cancel_all(struct dispatcher *d)
{
    size_t n = 0;
    for (struct links *next, *at = d->members.next; at != &d->members; at = next) {
        struct member *member = CONTAINER_OF(at, struct member, links);
        struct task *task = CONTAINER_OF(member, struct task, member);
        next = at->next;
        if (member->ops == &member_ops && task != current && task_cancel(task))
            n++;
    }
    return n;
}

size_t task_dump(struct dispatcher *d, FILE *stream)
{
    return dispatcher_dump(d, stream);
}
