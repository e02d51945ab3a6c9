/*
 * The course's I/O task: between two rounds of the kernel somebody asks a selector which
 * descriptors are ready, and schedules the tasks that wait for them. ReadWait and WriteWait are
 * system calls like any others: to handle one is to ask the selector for a future and to come back
 * when that is done.
 *
 * The selector wants a dispatcher. A loop would be too much: the immediate one will do, because all
 * that is ever called is kernel_schedule(), which only queues.
 */
#include "kernel_io.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "future_impl.h"

struct kernel_io {
    struct kernel_idle idle; /* first: it is one */
    struct dispatcher dispatcher;
    struct selector *selector;
};

/* A system call of this file, on the stack of the task that made it. */
struct io_call {
    struct syscall call;
    int fd;
    enum selector_events events;
    struct kernel *kernel;
    struct kernel_task *task;
    struct future *ready; /* while it waits */
    struct future_waiter waiter;
};

static int poll_once(struct kernel_idle *idle, bool wait)
{
    struct kernel_io *io = CONTAINER_OF(idle, struct kernel_io, idle);
    struct poller *p = selector_poller(io->selector);
    return p->ops->poll(p, wait ? INFINITY : 0);
}

static void close_io(struct kernel_idle *idle)
{
    struct kernel_io *io = CONTAINER_OF(idle, struct kernel_io, idle);
    selector_free(io->selector);
    immediate_close(&io->dispatcher);
    free(io);
}

int kernel_io_attach(struct kernel *kernel, enum selector_kind kind)
{
    if (kernel_idle(kernel) != NULL)
        return ERR_BUSY;
    struct kernel_io *io = calloc(1, sizeof *io);
    if (io == NULL)
        return -ENOMEM;
    int error = selector_new(kind, &io->selector);
    if (error) {
        free(io);
        return error;
    }
    io->idle = (struct kernel_idle){.poll = poll_once, .close = close_io};
    immediate_init(&io->dispatcher);
    struct poller *p = selector_poller(io->selector);
    error = p->ops->bind(p, &io->dispatcher);
    if (!error)
        error = kernel_set_idle(kernel, &io->idle);
    if (error)
        close_io(&io->idle);
    return error;
}

/* The kernel's selector; NULL if it has another kind of idle, or none. */
static struct selector *selector_of(const struct kernel *kernel)
{
    struct kernel_idle *idle = kernel_idle(kernel);
    if (idle == NULL || idle->poll != poll_once)
        return NULL;
    return CONTAINER_OF(idle, struct kernel_io, idle)->selector;
}

/* The wait is over: the task goes on, or is told why not. */
static int woken(struct call *call)
{
    struct io_call *c = CONTAINER_OF(call, struct io_call, waiter.call);
    int error = future_result(c->ready, NULL);
    future_unref(c->ready);
    c->ready = NULL;
    if (error)
        kernel_throw(c->kernel, c->task, error);
    else
        kernel_schedule(c->kernel, c->task, value_none());
    return 0;
}

static void handle_wait(struct syscall *call, struct kernel *kernel, struct kernel_task *task)
{
    struct io_call *c = CONTAINER_OF(call, struct io_call, call);
    struct selector *s = selector_of(kernel);
    c->kernel = kernel;
    c->task = task;
    c->waiter.call.fn = woken;
    int error = s == NULL ? ERR_RUNTIME : selector_wait(s, c->fd, c->events, &c->ready);
    if (!error)
        error = future_wait(c->ready, &c->waiter); /* may call woken() at once */
    if (error)
        kernel_throw(kernel, task, error);
}

/* The task was killed while it waited. */
static void cancel_wait(struct syscall *call)
{
    struct io_call *c = CONTAINER_OF(call, struct io_call, call);
    if (c->ready == NULL)
        return;
    future_wait_no_more(&c->waiter);
    future_cancel(c->ready);
    future_unref(c->ready);
    c->ready = NULL;
}

static void handle_forget(struct syscall *call, struct kernel *kernel, struct kernel_task *task)
{
    struct io_call *c = CONTAINER_OF(call, struct io_call, call);
    struct selector *s = selector_of(kernel);
    if (s != NULL)
        selector_forget(s, c->fd);
    kernel_schedule(kernel, task, value_none());
}

int sys_read_wait(int fd)
{
    struct io_call c = {{handle_wait, cancel_wait}, .fd = fd, .events = SELECTOR_READ};
    return gen_yield(value_syscall(&c.call), NULL);
}

int sys_write_wait(int fd)
{
    struct io_call c = {{handle_wait, cancel_wait}, .fd = fd, .events = SELECTOR_WRITE};
    return gen_yield(value_syscall(&c.call), NULL);
}

int sys_forget(int fd)
{
    struct io_call c = {{handle_forget, NULL}, .fd = fd};
    return gen_yield(value_syscall(&c.call), NULL);
}
