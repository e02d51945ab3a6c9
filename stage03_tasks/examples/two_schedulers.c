/*
 * The pieces of code that the chapter of stage 3 talks about, as one program that runs. Both
 * schedulers of the chapter are here, and a dispatcher that is a queue and nothing else, because
 * stage 4 has not been invented yet.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel.h"
#include "task.h"

/* A dispatcher with a queue, pumped by hand. */
struct queue {
    struct dispatcher dispatcher;
    struct call_queue calls;
};

static int queue_soon(struct dispatcher *d, struct call *call)
{
    call_queue_push(&CONTAINER_OF(d, struct queue, dispatcher)->calls, call);
    return 0;
}

static void queue_report(struct dispatcher *d, const struct problem *problem)
{
    (void)d;
    problem_print(problem);
}

static const struct dispatcher_ops queue_ops = {
    .soon = queue_soon, .report = queue_report};

static void pump(struct queue *q)
{
    struct call *call;
    while ((call = call_queue_pop(&q->calls)) != NULL)
        if (call->fn(call) < 0)
            printf("a callback failed\n");
}

/* [worker] */
static int worker(void *arg, value *ret)
{
    struct future *order = arg;
    value v;
    printf("worker: waiting for an order\n");
    int err = task_await(order, &v);
    if (!err) {
        printf("worker: got %d\n", (int)value_as_int(v));
        *ret = value_int(value_as_int(v) * 2);
    }
    return err;
}

static int boss(void *arg, value *ret)
{
    struct task *task;
    value v;
    int err = task_spawn(worker, arg, &task);
    if (err)
        return err;
    err = task_await(task_future(task), &v); /* a task is a future */
    if (!err)
        printf("boss: the worker returned %d\n", (int)value_as_int(v));
    *ret = v;
    task_unref(task);
    return err;
}
/* [worker] */

static int run_tasks(void)
{
    struct queue q;
    dispatcher_init(&q.dispatcher, &queue_ops);
    call_queue_init(&q.calls);
    struct future *order = future_new(&q.dispatcher);
    struct task *task;
    int error = order == NULL ? -ENOMEM : task_new(&q.dispatcher, boss, order, &task);
    if (!error) {
        pump(&q);
        printf("(everybody waits)\n");
        error = future_set_result(order, value_int(21));
        pump(&q);
        task_unref(task);
    }
    future_unref(order);
    dispatcher_shut(&q.dispatcher);
    return error;
}

/* [foo] */
static int foo(void *arg, value *ret)
{
    int tid = sys_gettid(), err = tid < 0 ? tid : 0;
    (void)arg, (void)ret;
    for (int i = 0; i < 3 && !err; i++) {
        printf("I'm foo %d\n", tid);
        err = gen_yield(value_none(), NULL);
    }
    return err;
}

static int parent(void *arg, value *ret)
{
    int child = sys_new(foo, arg);
    (void)ret;
    if (child < 0)
        return child;
    printf("waiting for %d\n", child);
    int err = sys_wait(child);
    if (err == 1)
        printf("%d is gone\n", child);
    return err < 0 ? err : 0;
}
/* [foo] */

/* [add] */
static int add(void *arg, value *ret)
{
    const int *xy = arg;
    (void)ret;
    return gen_yield(value_int(xy[0] + xy[1]), NULL); /* a plain value: the result */
}

static int caller(void *arg, value *ret)
{
    int xy[2] = {2, 2};
    value sum;
    struct generator *g = gen_new(add, xy);
    (void)arg, (void)ret;
    if (g == NULL)
        return -ENOMEM;
    int err = gen_yield(value_generator(g), &sum); /* a generator: please run it for me */
    if (!err)
        printf("2 + 2 = %d\n", (int)value_as_int(sum));
    return err;
}
/* [add] */

static int run_kernel(void)
{
    struct kernel *kernel = kernel_new();
    if (kernel == NULL)
        return -ENOMEM;
    int tid = kernel_spawn(kernel, parent, NULL);
    if (tid > 0)
        tid = kernel_spawn(kernel, caller, NULL);
    int error = tid < 0 ? tid : kernel_run(kernel);
    kernel_free(kernel);
    return error;
}

int main(void)
{
    int error = run_tasks();
    if (!error)
        error = run_kernel();
    if (error)
        fprintf(stderr, "two_schedulers: %s\n", error_text(error));
    return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
