/*
 * A whole program in one call. What is easily forgotten is the end: tasks that are still alive when
 * main returns are cancelled first and then given the time to clean up, while everything still
 * works; only then is the loop closed.
 */
#include "run.h"

#include <errno.h>

#include "loop.h"
#include "selector_impl.h"
#include "task.h"

/* Members that are to be seen in a dump are tasks; the executor is not. */
static bool tasks_are_left(struct dispatcher *d)
{
    for (struct links *at = d->members.next; at != &d->members; at = at->next)
        if (CONTAINER_OF(at, struct member, links)->ops->describe != NULL)
            return true;
    return false;
}

/* Turns until all have ended, or until nothing can happen any more. */
static void finish_tasks(struct task_loop *loop, struct selector *s)
{
    struct dispatcher *d = loop_dispatcher(loop);
    int ran = 1;
    task_cancel_all(d);
    while (tasks_are_left(d) && ran >= 0) {
        ran = loop_run_once(loop);
        if (ran == 0 && loop_pending(loop) == 0 && selector_is_idle(s))
            break; /* one has swallowed the cancel and waits for nothing: closing will end it */
    }
}

static int run_in(struct task_loop *loop, struct selector *s, gen_fn *body, void *arg, value *out)
{
    struct task *task;
    /* EXERCISE 5.10 run: run main, then end what it has left behind */
    int error = task_new_named(loop_dispatcher(loop), body, arg, "main", 0, &task);
    if (error)
        return error;
    error = loop_run_until_complete(loop, task_future(task), out);
    finish_tasks(loop, s);
    task_unref(task);
    return error;
    /* END 5.10 */
}

int run(gen_fn *body, void *arg, value *out)
{
    struct selector *selector;
    if (out != NULL)
        *out = value_none();
    if (loop_running() != NULL)
        return ERR_NESTED;
    int error = selector_new(SELECTOR_DEFAULT, &selector);
    if (error)
        return error;
    struct task_loop *loop = loop_new(selector_poller(selector));
    if (loop == NULL)
        return -errno;
    error = run_in(loop, selector, body, arg, out);
    loop_free(loop);
    return error;
}
