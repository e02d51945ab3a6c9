/*
 * run(): what a program gets, and in which order it ends. On each selector that there is, chosen by
 * the environment, since run() makes its own loop.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "combine.h"
#include "harness.h"
#include "loop.h"
#include "run.h"
#include "sock.h"
#include "task.h"

static const char *const kinds[] = {"select", "poll",
#ifdef __linux__
                                    "epoll",
#endif
                                    NULL};

/* Runs on each kind; the answers must be the same. */
static int run_everywhere(gen_fn *body, void *arg, value *out)
{
    int error = 0;
    for (int i = 0; kinds[i] != NULL; i++) {
        setenv("SELECTOR", kinds[i], 1);
        int this_one = run(body, arg, out);
        if (i > 0)
            expect_int(this_one, error);
        error = this_one;
    }
    unsetenv("SELECTOR");
    return error;
}

/* Notes an event on the first kind only. */
static void once(const char *text)
{
    if (strcmp(getenv("SELECTOR"), kinds[0]) == 0)
        record("%s", text);
}

static int answer(void *arg, value *ret)
{
    int error = task_yield();
    *ret = value_int(*(int *)arg);
    return error;
}

static int fail(void *arg, value *ret)
{
    (void)arg, (void)ret;
    return ERR_USER - 1;
}

static void it_answers_what_main_returns(void)
{
    int n = 42;
    value v;
    step("run(answer, &n, &v)");
    expect_ok(run_everywhere(answer, &n, &v));
    expect_value(v, value_int(42));
    step("run(fail, NULL, &v)");
    expect_error(run_everywhere(fail, NULL, &v), ERR_USER - 1);
    expect_value(v, value_none());
    expect_ok(run_everywhere(answer, &n, NULL));
}

static int use_stack(void *arg, value *ret)
{
    volatile char room[24 * 1024]; /* more than the smallest stack has */
    (void)arg;
    for (size_t i = 0; i < sizeof room; i++)
        room[i] = 1;
    int sum = 0;
    for (size_t i = 0; i < sizeof room; i++)
        sum += room[i];
    *ret = value_int(sum);
    return 0;
}

static void main_has_the_usual_stack(void)
{
    value v;
    step("run() of a body with 24 KiB of variables");
    expect_ok(run_everywhere(use_stack, NULL, &v));
    expect_value(v, value_int(24 * 1024));
}

static int nest(void *arg, value *ret)
{
    value v = value_int(7);
    int n = 1;
    (void)arg, (void)ret;
    step("run() inside run()");
    expect_error(run(answer, &n, &v), ERR_NESTED);
    expect_value(v, value_none());
    return 0;
}

static void inside_a_loop_it_is_refused(void)
{
    expect_ok(run_everywhere(nest, NULL, NULL));
}

static void a_selector_that_does_not_exist_is_refused(void)
{
    int n = 1, fds[2];
    fixture_socketpair(fds);
    step("SELECTOR=carrier-pigeon");
    setenv("SELECTOR", "carrier-pigeon", 1);
    int old = dup(STDERR_FILENO);
    dup2(fds[1], STDERR_FILENO); /* where the sentence goes */
    int error = run(answer, &n, NULL);
    dup2(old, STDERR_FILENO);
    close(old);
    unsetenv("SELECTOR");
    expect_error(error, ERR_VALUE);
}

static int sleeper(void *arg, value *ret)
{
    (void)ret;
    int error = sleep_for(3600);
    once(arg);
    if (error == ERR_CANCELLED && task_yield() == 0) /* clean-up that takes a while */
        once("cleaned up");
    return error;
}

static int leave_two(void *arg, value *ret)
{
    (void)arg, (void)ret;
    int error = task_spawn(sleeper, "first cancelled", NULL);
    if (!error)
        error = task_spawn(sleeper, "second cancelled", NULL);
    if (!error)
        error = task_yield();
    once("main returns");
    return error;
}

static void what_is_left_is_cancelled_and_finishes(void)
{
    step("main returns while two tasks sleep");
    expect_ok(run_everywhere(leave_two, NULL, NULL));
    expect_trace("main returns", "first cancelled", "second cancelled", "cleaned up", "cleaned up");
}

static int clean_up_by_waiting(void *arg, value *ret)
{
    (void)arg, (void)ret;
    int error = sleep_for(3600);
    if (error == ERR_CANCELLED && sleep_for(0.002) == 0)
        once("slept again");
    return error;
}

static int leave_one(void *arg, value *ret)
{
    (void)arg, (void)ret;
    int error = task_spawn(clean_up_by_waiting, NULL, NULL);
    return error ? error : task_yield();
}

static void clean_up_may_take_time(void)
{
    step("a task that is cancelled sleeps again before it ends");
    expect_ok(run_everywhere(leave_one, NULL, NULL));
    expect_trace("slept again");
}

static int wait_for_data(void *arg, value *ret)
{
    int *fds = arg;
    struct sock *s;
    char byte;
    (void)ret;
    int error = sock_from_fd(fds[0], &s);
    if (error)
        return error;
    ssize_t n = sock_recv(s, &byte, 1);
    once(error_name((int)n));
    sock_close(s);
    return (int)n;
}

static int leave_reader(void *arg, value *ret)
{
    int *fds = arg;
    (void)ret;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0)
        return -errno;
    int error = task_spawn(wait_for_data, fds, NULL);
    if (!error)
        error = task_yield();
    if (!error)
        error = task_yield();
    return error;
}

static void a_reader_that_is_left_closes_its_sock(void)
{
    int fds[2];
    step("main returns while a task waits in sock_recv()");
    for (int i = 0; kinds[i] != NULL; i++) {
        setenv("SELECTOR", kinds[i], 1);
        expect_ok(run(leave_reader, fds, NULL));
        char byte;
        expect_int(read(fds[1], &byte, 1), 0);
        close(fds[1]);
    }
    unsetenv("SELECTOR");
    expect_trace("ERR_CANCELLED");
}

static int connect_to(void *arg, value *ret)
{
    struct sock *s;
    char reply[6] = "";
    size_t got = 0;
    (void)ret;
    int error = sock_connect("127.0.0.1", *(int *)arg, &s);
    if (error)
        return error;
    error = sock_send_all(s, "hello", 5);
    while (!error && got < 5) {
        ssize_t n = sock_recv(s, reply + got, 5 - got);
        error = n > 0 ? 0 : n < 0 ? (int)n : ERR_END_OF_STREAM;
        got += n > 0 ? (size_t)n : 0;
    }
    expect_str(reply, "hello");
    sock_close(s);
    return error;
}

static int serve_one(void *arg, value *ret)
{
    struct sock *listener = arg, *client;
    char buffer[8];
    ssize_t n;
    (void)ret;
    int error = sock_accept(listener, &client);
    sock_close(listener);
    if (error)
        return error;
    while (!error && (n = sock_recv(client, buffer, sizeof buffer)) != 0)
        error = n < 0 ? (int)n : sock_send_all(client, buffer, (size_t)n);
    sock_close(client);
    return error;
}

static int echo_once(void *arg, value *ret)
{
    struct sock *listener;
    struct task *server, *client;
    int port;
    (void)arg, (void)ret;
    int error = sock_listen("127.0.0.1", 0, 0, &listener);
    if (error)
        return error;
    port = sock_port(listener);
    expect_ok(task_spawn(serve_one, listener, &server));
    expect_ok(task_spawn(connect_to, &port, &client));
    error = task_await(task_future(client), NULL);
    if (!error)
        error = task_await(task_future(server), NULL);
    task_unref(client);
    task_unref(server);
    return error;
}

static void a_whole_program_runs(void)
{
    step("an echo server and a client in one program");
    expect_ok(run_everywhere(echo_once, NULL, NULL));
}

static void without_descriptors_it_answers_so(void)
{
    struct rlimit before, none;
    int n = 1;
    step("run() with no descriptor left");
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    int next = dup(0);
    close(next);
    none.rlim_cur = (rlim_t)next;
    setrlimit(RLIMIT_NOFILE, &none);
    int error = run(answer, &n, NULL);
    setrlimit(RLIMIT_NOFILE, &before);
    expect_error(error, -EMFILE);
}

static void without_memory_it_answers_so(void)
{
    int n = 1;
    for (unsigned i = 1;; i++) {
        value v = value_int(7);
        fail_allocation(i);
        int error = run(answer, &n, &v);
        if (!allocation_failed()) {
            expect_ok(error);
            break;
        }
        step("run() while allocation %u fails", i);
        if (error != 0)
            expect_error(error, -ENOMEM);
        else /* it could do without: a free list, a cache */
            expect_value(v, value_int(1));
    }
}

#define BELOW "5.1 5.2"

static const struct check checks[] = {
    CHECK(it_answers_what_main_returns, "L08", "5.10", ""),
    CHECK(main_has_the_usual_stack, "", "5.10", ""),
    CHECK(inside_a_loop_it_is_refused, "L13", "5.10", ""),
    CHECK(a_selector_that_does_not_exist_is_refused, "", NULL, ""),
    CHECK(what_is_left_is_cancelled_and_finishes, "", "5.10", ""),
    CHECK(clean_up_may_take_time, "", "5.10", "5.1"),
    CHECK(a_reader_that_is_left_closes_its_sock, "S27", "5.10", "5.1 5.4"),
    CHECK(a_whole_program_runs, "", "5.10", BELOW " 5.4 5.5 5.6 5.7"),
    CHECK(without_descriptors_it_answers_so, "", NULL, ""),
    CHECK(without_memory_it_answers_so, "", "5.10", ""),
};
SUITE(run, 5, checks)
