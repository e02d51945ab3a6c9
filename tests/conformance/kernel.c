/*
 * The level of the kernel: tasks that trap, call subroutines, kill each other and wait for pipes.
 * Program: [5, bodies, script, pipes].
 *
 * With pipes each run has a task of ours, which sees to it that nobody waits for ever for a byte:
 * when nobody else has done anything for a while it feeds every pipe. It is never killed.
 */
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernel_io.h"
#include "program.h"

enum { PIPES = 2, MOST_INSTANCES = 60, FEEDS = 5, PLENTY = 2000 };

static struct instance all[MOST_INSTANCES];
static int count;
static const struct node *bodies;
static struct kernel *kernel;
static int pipes[PIPES][2];
static int n_pipes;
static int feeder_tid;

static int simple(struct instance *self, const struct node *st);

static struct instance *add(int i)
{
    if (count == MOST_INSTANCES || bodies->n == 0) {
        trace("no more");
        return NULL;
    }
    all[count] = instance_of(bodies, i, simple, "", count);
    return &all[count++];
}

static void feed(int i, int bytes)
{
    static const char food[PLENTY];
    ssize_t n = write(pipes[i][1], food, (size_t)bytes);
    if (n != bytes)
        die("a pipe takes no more");
}

/* Ours. */
static int feeder(void *arg, value *ret)
{
    (void)arg, (void)ret;
    int quiet = 0, feeds = 0;
    for (;;) {
        int before = budget;
        int error = sys_yield();
        if (error < 0)
            return error;
        if (budget != before && budget > 0) {
            quiet = 0;
            continue;
        }
        if (kernel_tasks(kernel) == 1)
            return 0;
        if (++quiet < 3)
            continue;
        quiet = 0;
        feeds++;
        trace("feed");
        for (int i = 0; i < n_pipes; i++)
            feed(i, feeds > FEEDS ? PLENTY : 1);
        if (feeds > FEEDS)
            return 0;
    }
}

/* A statement that can trap or fail; answers what it raises. */
static int simple(struct instance *self, const struct node *st)
{
    struct instance *x;
    struct generator *inner;
    value v = value_none();
    int answer, i = place(number(st, 0), n_pipes);
    switch (st->op) {
    case OP_RAISE:
        return user_error(number(st, 0));
    case OP_Y:
        answer = gen_yield(operand(number(st, 0)), &v);
        break;
    case OP_SUB:
    case OP_DN:
        x = add(number(st, 0));
        if (x == NULL)
            return 0;
        inner = gen_new(body, x);
        if (inner == NULL)
            die("no memory");
        if (st->op == OP_SUB) {
            answer = gen_yield(value_generator(inner), &v);
        } else {
            answer = gen_yield_from(inner, &v);
            gen_free(inner);
        }
        break;
    case OP_KNEW:
        x = add(number(st, 0));
        if (x == NULL)
            return 0;
        answer = sys_new(body, x);
        v = value_int(answer);
        break;
    case OP_GETTID:
        answer = sys_gettid();
        v = value_int(answer);
        break;
    case OP_KILL:
        if (number(st, 0) == feeder_tid) {
            trace("none");
            return 0;
        }
        answer = sys_kill(number(st, 0));
        v = value_int(answer);
        break;
    case OP_WAIT:
        answer = sys_wait(number(st, 0));
        v = value_int(answer);
        break;
    case OP_KYIELD:
        answer = sys_yield();
        v = value_int(answer);
        break;
    case OP_KREAD: case OP_KWRITE: case OP_KFORGET: case OP_KFEED: case OP_KDRAIN:
        if (n_pipes == 0) {
            trace("none");
            return 0;
        }
        if (st->op == OP_KFEED) {
            feed(i, 1);
            return 0;
        }
        if (st->op == OP_KDRAIN) {
            char byte;
            trace("%d drained %d", self->number, read(pipes[i][0], &byte, 1) == 1);
            return 0;
        }
        answer = st->op == OP_KREAD ? sys_read_wait(pipes[i][0])
                 : st->op == OP_KWRITE ? sys_write_wait(pipes[i][1]) : sys_forget(pipes[i][0]);
        v = value_int(answer);
        break;
    default:
        not_of_this_level();
    }
    if (answer < 0)
        return answer;
    trace("%d got %s", self->number, text(v));
    return 0;
}

static void unraisable(int error, void *arg)
{
    (void)arg;
    trace("unraisable %s", error_name(error));
}

static void report(int tid, int error, void *arg)
{
    (void)arg;
    trace("task %d %s", tid, error ? error_name(error) : "terminated");
}

void run_kernel(const struct node *program)
{
    const struct node *script = kid(program, 2);
    bodies = kid(program, 1);
    n_pipes = place(number(program, 3), PIPES + 1);
    count = 0;
    gen_set_unraisable(unraisable, NULL);
    kernel = kernel_new();
    if (kernel == NULL)
        die("no memory");
    kernel_set_report(kernel, report, NULL);
    for (int i = 0; i < n_pipes; i++)
        if (pipe2(pipes[i], O_NONBLOCK | O_CLOEXEC) < 0)
            die("no pipe");
    if (n_pipes > 0 && kernel_io_attach(kernel, SELECTOR_SELECT) < 0)
        die("no kernel");
    feeder_tid = -1;
    for (size_t i = 0; i < script->n; i++) {
        const struct node *st = script->kids[i];
        if (!spend())
            continue;
        if (st->op == OP_SPAWN) {
            struct instance *x = add(number(st, 0));
            if (x != NULL)
                trace("spawn %d: %d", x->number, kernel_spawn(kernel, body, x));
        } else if (st->op == OP_KRUN) {
            if (n_pipes > 0)
                feeder_tid = kernel_spawn(kernel, feeder, NULL);
            int error = kernel_run(kernel);
            trace("run: %s, %zu left", error < 0 ? error_name(error) : "ok", kernel_tasks(kernel));
        } else {
            not_of_this_level();
        }
    }
    trace("end");
    kernel_free(kernel);
    for (int i = 0; i < n_pipes; i++) {
        close(pipes[i][0]);
        close(pipes[i][1]);
    }
}
