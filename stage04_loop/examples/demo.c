/*
 * What stage 4 can do, in about a second: the chain that ended stage 3 with a crash, on a queue;
 * a clock that three sleepers share; and what becomes of a program that waits for nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "combine.h"
#include "loop.h"

#ifdef SANITIZE_THREAD /* it has room for 8,000 stacks */
enum { LINKS = 5000 };
#else
enum { LINKS = 100000 };
#endif

static int await_next(void *arg, value *ret)
{
    return task_await(arg, ret);
}

/* A hundred thousand tasks, each awaiting the next; then the last one gets what it waits for. */
static int long_chain(struct task_loop *loop)
{
    struct future *end = future_new(loop_dispatcher(loop));
    struct future *first = future_ref(end);
    value v = value_none();
    int error = end == NULL ? -ENOMEM : 0;
    for (int i = 0; i < LINKS && !error; i++) {
        struct task *task;
        error = task_new(loop_dispatcher(loop), await_next, first, &task);
        if (!error) {
            future_unref(first); /* the new task will await it, and hold it then */
            first = task_future(task);
            error = loop_run_once(loop) < 0 ? ERR_RUNTIME : 0;
        }
    }
    if (!error)
        error = future_set_result(end, value_int(42));
    double before = loop_time(loop);
    if (!error)
        error = loop_run_until_complete(loop, first, &v);
    if (!error)
        printf("A chain of %d tasks: the first one got %d after %.0f ms.\n"
               "The stack had one floor.\n\n",
               LINKS, (int)value_as_int(v), (loop_time(loop) - before) * 1e3);
    future_unref(first);
    future_unref(end);
    return error;
}

struct sleeper {
    const char *name;
    double seconds;
};

static int sleeper(void *arg, value *ret)
{
    const struct sleeper *s = arg;
    struct task_loop *loop = loop_running();
    double begin = loop_time(loop);
    int err = sleep_for(s->seconds);
    printf("  %-6s wanted %3.0f ms, slept %5.1f ms: %s\n", s->name, s->seconds * 1e3,
           (loop_time(loop) - begin) * 1e3, err ? error_name(err) : "woke up");
    *ret = value_none();
    return err;
}

static int sleepers(void *arg, value *ret)
{
    static struct sleeper all[] = {{"Zoe", 0.3}, {"Yann", 0.1}, {"Xena", 0.2}};
    struct future *futures[3] = {NULL}, *everybody = NULL;
    int err = 0;
    (void)arg, (void)ret;
    for (int i = 0; i < 3 && !err; i++) {
        struct task *task;
        err = task_spawn(sleeper, &all[i], &task);
        futures[i] = err ? NULL : task_future(task);
    }
    if (!err)
        err = gather(task_dispatcher(task_current()), futures, 3, GATHER_RETURN_EXCEPTIONS,
                     &everybody);
    if (!err)
        err = wait_for(everybody, 0.25, NULL);
    printf("  and the limit of 250 ms for all of them says: %s\n\n",
           err ? error_name(err) : "in time");
    future_unref(everybody);
    for (int i = 0; i < 3; i++)
        future_unref(futures[i]);
    return err == ERR_TIMEOUT ? 0 : err;
}

static int run_task(struct task_loop *loop, gen_fn *fn, void *arg, const char *name)
{
    struct task *task;
    int error = task_new_named(loop_dispatcher(loop), fn, arg, name, 0, &task);
    if (error)
        return error;
    error = loop_run_until_complete(loop, task_future(task), NULL);
    future_cancel(task_future(task)); /* if it still waits */
    task_unref(task);
    return error;
}

static int show(const struct problem *problem, void *arg)
{
    (void)arg;
    printf("  %s: %s\n", problem->error ? error_name(problem->error) : "note", problem->message);
    return 0;
}

/* A task awaits a future that nobody will ever complete. */
static int deadlock(struct task_loop *loop)
{
    struct future *never = future_new(loop_dispatcher(loop));
    if (never == NULL)
        return -ENOMEM;
    loop_set_exception_handler(loop, show, NULL);
    printf("A task awaits a future that nobody will complete. Python would hang; here:\n");
    int error = run_task(loop, await_next, never, "patient");
    loop_set_exception_handler(loop, NULL, NULL);
    future_unref(never);
    while (loop_run_once(loop) > 0) /* let the cancelled task end */
        ;
    return error == ERR_DEADLOCK ? 0 : error;
}

int main(void)
{
    struct task_loop *loop = loop_new(clock_poller_new());
    int error = loop == NULL ? -ENOMEM : long_chain(loop);
    if (!error) {
        printf("Three sleepers on one clock, in one thread:\n");
        error = run_task(loop, sleepers, NULL, "sleepers");
    }
    if (!error)
        error = deadlock(loop);
    loop_free(loop);
    if (error)
        fprintf(stderr, "demo: %s\n", error_text(error));
    return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
