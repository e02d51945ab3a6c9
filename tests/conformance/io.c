/*
 * The level of I/O: what socket pairs add to the actions and statements of async.c. Program:
 * [4, callbacks, bodies, script, pairs]. The loop never sleeps: each turn has a callback of its
 * own, so what is not ready now can only become so by what the program does.
 *
 * The descriptors have high numbers, in order, so that both drivers are told of them in one order.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "async.h"
#include "selector.h"
#include "sock.h"

enum { PAIRS = 2, SOCKS = 2 * PAIRS, FIRST_FD = 100, LARGE = 400000 };

static struct selector *selector;
static struct sock *socks[SOCKS];
static int fds[SOCKS];
static int n_socks;
static unsigned char data[LARGE + 256], buffer[LARGE];
static unsigned sends;

static int open_socks(void *arg, value *ret)
{
    (void)arg, (void)ret;
    for (int i = 0; i < n_socks; i++) {
        int error = sock_from_fd(fds[i], &socks[i]);
        if (error)
            return error;
    }
    return 0;
}

void io_begin(const struct node *program)
{
    struct task *task;
    n_socks = 2 * (1 + place(number(program, 4), PAIRS));
    sends = 0;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)i;
    for (int i = 0; i < n_socks; i += 2) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
            die("no socket pair");
        for (int j = 0; j < 2; j++) {
            fds[i + j] = fcntl(pair[j], F_DUPFD_CLOEXEC, FIRST_FD);
            close(pair[j]);
        }
    }
    if (selector_new(SELECTOR_SELECT, &selector) < 0)
        die("no selector");
    world.loop = loop_new(selector_poller(selector));
    if (task_new(loop_dispatcher(world.loop), open_socks, NULL, &task) < 0 ||
        loop_run_until_complete(world.loop, task_future(task), NULL) < 0)
        die("no socks");
    task_unref(task);
    world.inexact = true;
}

void io_end(void)
{
    for (int i = 0; i < n_socks; i++) {
        sock_close(socks[i]);
        socks[i] = NULL;
    }
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int ready(void *arg)
{
    const struct script *script = arg;
    if (!spend())
        return 0;
    trace("ready %d", script->number);
    return run_actions(script);
}

bool act_io(const struct node *st)
{
    int i = place(number(st, 0), n_socks), error;
    struct script *script;
    switch (st->op) {
    case OP_TURNS:
        for (int n = number(st, 0); n > 0; n--) {
            error = loop_call_soon(world.loop, nothing, NULL, NULL);
            if (!error)
                error = loop_run_once(world.loop);
            if (error < 0)
                trace("turn: %s", error_name(error));
        }
        trace("turned");
        return true;
    case OP_ADDR: case OP_ADDW: case OP_RMR: case OP_RMW: case OP_SHUT: case OP_SCLOSE:
        break;
    default:
        return false;
    }
    if (socks[i] == NULL) {
        trace("no sock");
        return true;
    }
    switch (st->op) {
    case OP_ADDR:
    case OP_ADDW:
        script = pick_callback(number(st, 1));
        if (script == NULL)
            return true;
        error = (st->op == OP_ADDR ? selector_add_reader : selector_add_writer)(selector, fds[i],
                                                                                ready, script);
        trace("add %d to %d: %s", script->number, i, error ? error_name(error) : "ok");
        return true;
    case OP_RMR:
        trace("remove reader %d: %d", i, selector_remove_reader(selector, fds[i]));
        return true;
    case OP_RMW:
        trace("remove writer %d: %d", i, selector_remove_writer(selector, fds[i]));
        return true;
    case OP_SHUT:
        error = sock_shutdown(socks[i]);
        trace("shutdown %d: %s", i, error ? error_name(error) : "ok");
        return true;
    default: /* OP_SCLOSE */
        sock_close(socks[i]);
        socks[i] = NULL;
        trace("close %d", i);
        return true;
    }
}

bool body_io(int self, const struct node *st, int *error)
{
    int i = place(number(st, 0), n_socks);
    struct future *f;
    *error = 0;
    if (st->op != OP_RD && st->op != OP_WR && st->op != OP_RECV && st->op != OP_SENDALL)
        return false;
    if (socks[i] == NULL) {
        trace("no sock");
        return true;
    }
    int size = number(st, 1) < LARGE ? number(st, 1) : LARGE;
    if (st->op == OP_RECV) {
        ssize_t n = sock_recv(socks[i], buffer, (size_t)size);
        if (n < 0)
            *error = (int)n;
        else
            trace("f%d received %zd: %d %d", self, n, n > 0 ? buffer[0] : -1,
                  n > 0 ? buffer[n - 1] : -1);
    } else if (st->op == OP_SENDALL) {
        *error = sock_send_all(socks[i], data + sends++ % 256, (size_t)size);
        if (*error == 0)
            trace("f%d sent %d", self, size);
    } else {
        *error =
            selector_wait(selector, fds[i], st->op == OP_RD ? SELECTOR_READ : SELECTOR_WRITE, &f);
        if (*error == 0) {
            *error = task_await(f, NULL);
            future_unref(f);
        }
        if (*error == 0)
            trace("f%d may %s %d", self, st->op == OP_RD ? "read" : "write", i);
    }
    return true;
}
