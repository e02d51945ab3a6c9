/*
 * Sockets inside tasks, on each selector: misuse first, then reading, writing, accepting and
 * connecting, then cancels, resets and closing in the middle.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif
#include <unistd.h>

#include "future.h"
#include "harness.h"
#include "loop.h"
#include "selector.h"
#include "sock.h"
#include "task.h"

static struct task *start(gen_fn *fn, void *arg)
{
    struct task *task;
    expect_ok(task_new(fixture_dispatcher(), fn, arg, &task));
    return task;
}

/* Runs a task to its end, with all others. */
static int finish(struct task *task)
{
    int error = loop_run_until_complete(fixture_loop(), task_future(task), NULL);
    task_unref(task);
    return error;
}

static int run_body(gen_fn *fn, void *arg)
{
    return finish(start(fn, arg));
}

/* Runs until nothing more happens that has already been caused. */
static void settle(void)
{
    for (int i = 0; i < 20; i++)
        fixture_iteration();
}

static void put(int fd, const char *text)
{
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        expect_never("a write to a pair of sockets failed");
}

static void fill(int fd)
{
    static char block[4096];
    while (write(fd, block, sizeof block) > 0)
        continue;
    while (write(fd, block, 1) > 0)
        continue;
}

/* A sock on one end of a pair, made by a task. */
struct end {
    int fd;
    struct sock *sock;
};

static int adopt(void *arg, value *ret)
{
    struct end *end = arg;
    (void)ret;
    return sock_from_fd(end->fd, &end->sock);
}

static struct sock *sock_on(int fd)
{
    struct end end = {.fd = fd};
    expect_ok(run_body(adopt, &end));
    return end.sock;
}

/* The pair of the fixture would close a descriptor a second time. */
static void pair(int fds[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0)
        skip("needs a pair of sockets");
}

/* --- misuse --------------------------------------------------------------------------------- */

static void listen_anywhere(void *arg)
{
    struct sock *s;
    (void)arg;
    if (sock_listen("127.0.0.1", 0, 0, &s) == 0)
        sock_close(s);
}

static void outside_a_task_it_aborts(void)
{
    step("sock_listen() where no task runs");
    expect_death(SIGABRT, "sock_listen() outside a task", listen_anywhere, NULL);
}

static int bad_descriptors(void *arg, value *ret)
{
    int *fds = arg;
    struct sock *s;
    (void)ret;
    step("sock_from_fd(-1, &s)");
    expect_error(sock_from_fd(-1, &s), ERR_VALUE);
    step("sock_from_fd() of a blocking descriptor");
    fcntl(fds[0], F_SETFL, fcntl(fds[0], F_GETFL) & ~O_NONBLOCK);
    expect_error(sock_from_fd(fds[0], &s), ERR_VALUE);
    expect_true("there is no sock", s == NULL);
    step("sock_from_fd() of a closed descriptor");
    close(fds[0]);
    expect_error(sock_from_fd(fds[0], &s), -EBADF);
    return 0;
}

static void a_sock_wants_an_open_non_blocking_descriptor(void)
{
    int fds[2];
    fixture_socketpair(fds);
    expect_ok(run_body(bad_descriptors, fds));
}

static int bad_addresses(void *arg, value *ret)
{
    struct sock *s, *second;
    (void)arg, (void)ret;
    step("sock_listen(\"localhost\", 0, 0, &s)");
    expect_error(sock_listen("localhost", 0, 0, &s), ERR_VALUE);
    step("sock_listen(\"127.0.0.1\", 70000, 0, &s)");
    expect_error(sock_listen("127.0.0.1", 70000, 0, &s), ERR_VALUE);
    expect_error(sock_listen("127.0.0.1", -1, 0, &s), ERR_VALUE);
    step("sock_connect() without a host, or without a port");
    expect_error(sock_connect(NULL, 80, &s), ERR_VALUE);
    expect_error(sock_connect("127.0.0.1", 0, &s), ERR_VALUE);
    expect_error(sock_connect("127.0.0.1.7", 80, &s), ERR_VALUE);
    expect_error(sock_connect("127.0.0.1", 65536, &s), ERR_VALUE);
    expect_true("there is no sock", s == NULL);
    step("sock_listen() on a port in use");
    expect_ok(sock_listen("127.0.0.1", 0, 0, &s));
    expect_true("the system gave a port", sock_port(s) > 0);
    expect_error(sock_listen("127.0.0.1", sock_port(s), 0, &second), -EADDRINUSE);
    expect_true("there is no sock", second == NULL);
    sock_close(s);
    sock_close(NULL);
    return 0;
}

static void impossible_addresses_are_refused(void)
{
    expect_ok(run_body(bad_addresses, NULL));
}

/* --- reading -------------------------------------------------------------------------------- */

struct reading {
    struct sock *sock;
    size_t size;
    char text[32];
    ssize_t n;
};

static int read_once(void *arg, value *ret)
{
    struct reading *r = arg;
    (void)ret;
    r->n = sock_recv(r->sock, r->text, r->size);
    return r->n < 0 ? (int)r->n : 0;
}

static void what_is_there_is_read_at_once(void)
{
    struct reading r = {.size = 1};
    int fds[2];
    pair(fds);
    r.sock = sock_on(fds[0]);
    put(fds[1], "x");
    struct task *task = start(read_once, &r);
    step("one iteration");
    fixture_iteration();
    expect_true("the task has ended", future_done(task_future(task)));
    expect_int(r.n, 1);
    expect_str(r.text, "x");
    expect_int(selector_count(fixture_selector()), 0);
    task_unref(task);
    sock_close(r.sock);
    close(fds[1]);
}

static void what_is_not_there_is_waited_for(void)
{
    struct reading r = {.size = sizeof r.text - 1};
    int fds[2];
    pair(fds);
    r.sock = sock_on(fds[0]);
    struct task *task = start(read_once, &r);
    settle();
    expect_true("the task waits", !future_done(task_future(task)));
    expect_int(selector_count(fixture_selector()), 1);
    step("the peer writes");
    put(fds[1], "x");
    expect_ok(finish(task));
    expect_str(r.text, "x");
    sock_close(r.sock);
    close(fds[1]);
}

static void waiting_for_data_needs_no_memory(void)
{
    struct reading r = {.size = sizeof r.text - 1};
    int fds[2];
    pair(fds);
    r.sock = sock_on(fds[0]);
    for (int i = 0; i < 2; i++) {
        struct task *task = start(read_once, &r);
        if (i == 1) /* poll's array has grown by then */
            fail_allocation(1);
        settle();
        put(fds[1], "x");
        expect_ok(finish(task));
        expect_int(r.n, 1);
    }
    expect_true("nothing was allocated", !allocation_failed());
    sock_close(r.sock);
    close(fds[1]);
}

/* Queued before the reader's wait is over: reads it from under his nose. */
static int snatch(void *arg)
{
    char byte;
    record(read(*(int *)arg, &byte, 1) == 1 ? "snatched" : "nothing there");
    return 0;
}

static void readiness_without_data_is_waited_out(void)
{
    struct reading r = {.size = 1};
    int fds[2];
    pair(fds);
    r.sock = sock_on(fds[0]);
    struct task *task = start(read_once, &r);
    settle();
    put(fds[1], "x");
    step("somebody else reads the byte before the task comes to it");
    expect_ok(loop_call_soon(fixture_loop(), snatch, &fds[0], NULL));
    settle();
    expect_trace("snatched");
    expect_true("the task waits again", !future_done(task_future(task)));
    put(fds[1], "y");
    expect_ok(finish(task));
    expect_str(r.text, "y");
    sock_close(r.sock);
    close(fds[1]);
}

static int read_to_the_end(void *arg, value *ret)
{
    struct sock *s = arg;
    char byte;
    (void)ret;
    step("sock_recv() of a byte, then of the end");
    expect_int(sock_recv(s, &byte, 1), 1);
    expect_int(sock_recv(s, &byte, 1), 0);
    step("the end again");
    expect_int(sock_recv(s, &byte, 1), 0);
    return 0;
}

static int read_nothing(void *arg, value *ret)
{
    char byte;
    (void)ret;
    return (int)sock_recv(arg, &byte, 0);
}

static void the_end_is_an_empty_result_again_and_again(void)
{
    int fds[2];
    pair(fds);
    struct sock *s = sock_on(fds[0]);
    step("sock_recv(s, buffer, 0)");
    expect_ok(run_body(read_nothing, s));
    put(fds[1], "x");
    close(fds[1]);
    expect_ok(run_body(read_to_the_end, s));
    sock_close(s);
}

static void a_pipe_is_read_as_a_socket_is(void)
{
    struct reading r = {.size = 1};
    int fds[2];
    if (pipe(fds) < 0)
        skip("needs a pipe");
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    r.sock = sock_on(fds[0]);
    expect_int(sock_port(r.sock), 0);
    struct task *task = start(read_once, &r);
    settle();
    put(fds[1], "p");
    expect_ok(finish(task));
    expect_str(r.text, "p");
    close(fds[1]);
    expect_ok(run_body(read_once, &r));
    expect_int(r.n, 0);
    sock_close(r.sock);
}

/* --- writing -------------------------------------------------------------------------------- */

enum { A_LOT = 1024 * 1024 };

static size_t a_lot(void)
{
#ifdef STRESS
    return 16 * 1024;
#else
    return harness_is_slow() ? A_LOT / 8 : A_LOT;
#endif
}

static unsigned char pattern(size_t i, unsigned seed)
{
    return (unsigned char)(i * 31 + i / 251 + seed);
}

struct bulk {
    struct sock *sock;
    unsigned seed;
    size_t wrong, got;
};

static int send_a_lot(void *arg, value *ret)
{
    struct bulk *b = arg;
    unsigned char *data = malloc(a_lot());
    int error = data == NULL ? -ENOMEM : 0;
    (void)ret;
    for (size_t i = 0; !error && i < a_lot(); i++)
        data[i] = pattern(i, b->seed);
    if (!error)
        error = sock_send_all(b->sock, data, a_lot());
    free(data);
    int ended = sock_shutdown(b->sock); /* also after an error: the receiver shall not wait */
    return error ? error : ended;
}

static int receive_a_lot(void *arg, value *ret)
{
    struct bulk *b = arg;
    unsigned char buffer[2000];
    ssize_t n;
    (void)ret;
    while ((n = sock_recv(b->sock, buffer, sizeof buffer)) > 0)
        for (ssize_t i = 0; i < n; i++, b->got++)
            b->wrong += buffer[i] != pattern(b->got, b->seed);
    return (int)n;
}

static void everything_is_sent_however_much(void)
{
    struct bulk out = {.seed = 7}, in = {.seed = 7};
    int fds[2];
    pair(fds);
    out.sock = sock_on(fds[0]);
    in.sock = sock_on(fds[1]);
    step("1 MB through a small buffer");
    struct task *sender = start(send_a_lot, &out), *receiver = start(receive_a_lot, &in);
    expect_ok(finish(receiver)); /* first: if it fails, nobody waits for the other for ever */
    expect_ok(finish(sender));
    expect_int(in.got, a_lot());
    expect_int(in.wrong, 0);
    sock_close(out.sock);
    sock_close(in.sock);
}

static void both_directions_at_once(void)
{
    struct bulk a = {.seed = 1}, b = {.seed = 2}, from_a = {.seed = 1}, from_b = {.seed = 2};
    int fds[2];
    pair(fds);
    a.sock = from_b.sock = sock_on(fds[0]);
    b.sock = from_a.sock = sock_on(fds[1]);
    step("1 MB in each direction, four tasks on two socks");
    struct task *tasks[] = {start(receive_a_lot, &from_a), start(receive_a_lot, &from_b),
                            start(send_a_lot, &a), start(send_a_lot, &b)};
    for (int i = 0; i < 4; i++)
        expect_ok(finish(tasks[i]));
    expect_int(from_a.got, a_lot());
    expect_int(from_b.got, a_lot());
    expect_int(from_a.wrong + from_b.wrong, 0);
    sock_close(a.sock);
    sock_close(b.sock);
}

static int send_word(void *arg, value *ret)
{
    (void)ret;
    return sock_send_all(arg, "word", 4);
}

static void who_cannot_send_waits_until_he_can(void)
{
    char block[65536];
    int fds[2];
    pair(fds);
    struct sock *s = sock_on(fds[0]);
    fill(fds[0]);
    struct task *task = start(send_word, s);
    settle();
    step("sock_send_all() with a full buffer");
    expect_true("the task waits", !future_done(task_future(task)));
    put(fds[1], "x");
    settle();
    step("something to read does not wake it");
    expect_int(fixture_iteration(), 0);
    expect_true("the task waits", !future_done(task_future(task)));
    step("the peer reads everything");
    while (read(fds[1], block, sizeof block) > 0)
        continue;
    settle();
    expect_true("the word has been sent", future_done(task_future(task)));
    expect_ok(finish(task));
    expect_int(read(fds[1], block, sizeof block), 4);
    sock_close(s);
    close(fds[1]);
}

static int send_nothing(void *arg, value *ret)
{
    (void)ret;
    return sock_send_all(arg, "", 0);
}

static void nothing_is_sent_at_once(void)
{
    int fds[2];
    pair(fds);
    struct sock *s = sock_on(fds[0]);
    fill(fds[0]);
    step("sock_send_all(s, \"\", 0) with a full buffer");
    expect_ok(run_body(send_nothing, s));
    sock_close(s);
    close(fds[1]);
}

static void a_peer_that_is_gone_is_an_error_and_no_signal(void)
{
    int fds[2];
    pair(fds);
    struct sock *s = sock_on(fds[0]);
    close(fds[1]);
    step("sock_send_all() to a closed socket");
    expect_error(run_body(send_word, s), -EPIPE);
    sock_close(s);
    if (pipe(fds) < 0)
        skip("needs a pipe");
    fcntl(fds[1], F_SETFL, O_NONBLOCK);
    s = sock_on(fds[1]);
    close(fds[0]);
    step("sock_send_all() to a pipe that nobody reads");
    expect_error(run_body(send_word, s), -EPIPE);
    sock_close(s);
}

static void a_peer_that_goes_while_we_wait_wakes_the_sender(void)
{
    int fds[2];
    pair(fds);
    struct sock *s = sock_on(fds[0]);
    fill(fds[0]);
    struct task *task = start(send_word, s);
    settle();
    expect_true("the sender waits", !future_done(task_future(task)));
    step("the peer closes with unread data");
    close(fds[1]);
    int error = finish(task);
    expect_true("EPIPE or ECONNRESET", error == -EPIPE || error == -ECONNRESET);
    sock_close(s);
}

/* --- one task at a time --------------------------------------------------------------------- */

static void a_second_reader_is_refused(void)
{
    struct reading first = {.size = 1}, second = {.size = 1};
    int fds[2];
    pair(fds);
    first.sock = second.sock = sock_on(fds[0]);
    struct task *task = start(read_once, &first);
    settle();
    step("a second sock_recv() on the same sock");
    expect_error(run_body(read_once, &second), ERR_BUSY);
    step("a writer is welcome");
    expect_ok(run_body(send_word, first.sock));
    put(fds[1], "x");
    expect_ok(finish(task));
    expect_str(first.text, "x");
    sock_close(first.sock);
    close(fds[1]);
}

static void a_second_writer_is_refused(void)
{
    char block[65536];
    int fds[2];
    pair(fds);
    struct sock *s = sock_on(fds[0]);
    fill(fds[0]);
    struct task *task = start(send_word, s);
    settle();
    step("a second sock_send_all() on the same sock");
    expect_error(run_body(send_word, s), ERR_BUSY);
    while (read(fds[1], block, sizeof block) > 0)
        continue;
    expect_ok(finish(task));
    sock_close(s);
    close(fds[1]);
}

/* --- cancelling ----------------------------------------------------------------------------- */

static void a_cancelled_read_leaves_the_data(void)
{
    struct reading r = {.size = 1};
    int fds[2];
    pair(fds);
    r.sock = sock_on(fds[0]);
    struct task *task = start(read_once, &r);
    settle();
    step("task_cancel()");
    expect_true("it was cancelled", task_cancel(task));
    expect_int(selector_count(fixture_selector()), 0);
    expect_error(finish(task), ERR_CANCELLED);
    put(fds[1], "x");
    step("the next one reads");
    expect_ok(run_body(read_once, &r));
    expect_str(r.text, "x");
    sock_close(r.sock);
    close(fds[1]);
}

static void cancel_and_repeat_at_once(void)
{
    struct reading first = {.size = 1}, second = {.size = 1};
    int fds[2];
    pair(fds);
    first.sock = second.sock = sock_on(fds[0]);
    struct task *task = start(read_once, &first);
    settle();
    step("task_cancel(), and another task reads in the same turn");
    struct task *next = start(read_once, &second);
    expect_true("it was cancelled", task_cancel(task));
    expect_error(finish(task), ERR_CANCELLED);
    settle();
    put(fds[1], "x");
    expect_ok(finish(next));
    expect_str(second.text, "x");
    sock_close(first.sock);
    close(fds[1]);
}

static int cancel_it(void *arg)
{
    task_cancel(arg);
    return 0;
}

static void readiness_and_cancel_together_lose_no_data(void)
{
    struct reading r = {.size = 1};
    int fds[2];
    pair(fds);
    r.sock = sock_on(fds[0]);
    struct task *task = start(read_once, &r);
    settle();
    step("the byte arrives in the turn in which the task is cancelled");
    put(fds[1], "x");
    expect_ok(loop_call_soon(fixture_loop(), cancel_it, task, NULL));
    expect_error(finish(task), ERR_CANCELLED);
    expect_int(r.n < 0, 1);
    expect_ok(run_body(read_once, &r));
    expect_str(r.text, "x");
    sock_close(r.sock);
    close(fds[1]);
}

/* --- TCP ------------------------------------------------------------------------------------ */

/* A listener, and what came of it. */
struct tcp {
    struct sock *listener;
    int port;
    struct sock *client, *served;
};

static int open_listener(void *arg, value *ret)
{
    struct tcp *t = arg;
    (void)ret;
    int error = sock_listen("127.0.0.1", 0, 0, &t->listener);
    if (!error)
        t->port = sock_port(t->listener);
    return error;
}

static int accept_one(void *arg, value *ret)
{
    struct tcp *t = arg;
    (void)ret;
    return sock_accept(t->listener, &t->served);
}

static int connect_one(void *arg, value *ret)
{
    struct tcp *t = arg;
    (void)ret;
    return sock_connect("127.0.0.1", t->port, &t->client);
}

static void connect_both(struct tcp *t)
{
    struct task *server = start(accept_one, t);
    expect_ok(run_body(connect_one, t));
    expect_ok(finish(server));
}

static void hang_up_rudely(struct sock *s)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(sock_fileno(s), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    sock_close(s);
}

static bool has_option(const struct sock *s, int level, int option)
{
    int on = 0;
    socklen_t size = sizeof on;
    return getsockopt(sock_fileno(s), level, option, &on, &size) == 0 && on != 0;
}

static void accept_gives_a_connection_that_does_not_block(void)
{
    struct tcp t = {0};
    struct reading r = {.size = 1};
    expect_ok(run_body(open_listener, &t));
    step("sock_accept() and sock_connect()");
    struct task *server = start(accept_one, &t);
    settle();
    expect_true("nobody has come yet", !future_done(task_future(server)));
    expect_ok(run_body(connect_one, &t));
    expect_ok(finish(server));
    int flags = fcntl(sock_fileno(t.served), F_GETFL);
    expect_true("it is non-blocking", (flags & O_NONBLOCK) != 0);
    expect_true("it is closed on exec", (fcntl(sock_fileno(t.served), F_GETFD) & FD_CLOEXEC) != 0);
    expect_true("small messages go out at once, here and there",
                has_option(t.served, IPPROTO_TCP, TCP_NODELAY) &&
                    has_option(t.client, IPPROTO_TCP, TCP_NODELAY));
    expect_true("the port can be used again", has_option(t.listener, SOL_SOCKET, SO_REUSEADDR));
    step("a byte from the client to the server");
    expect_ok(run_body(send_word, t.client));
    r.sock = t.served;
    expect_ok(run_body(read_once, &r));
    expect_str(r.text, "w");
    sock_close(t.client);
    sock_close(t.served);
    sock_close(t.listener);
}

static void a_refused_connection_is_an_error(void)
{
    struct tcp t = {0};
    expect_ok(run_body(open_listener, &t));
    sock_close(t.listener);
    step("sock_connect() to a port where nobody listens");
    expect_error(run_body(connect_one, &t), -ECONNREFUSED);
    expect_true("there is no sock", t.client == NULL);
}

static int connect_six(void *arg, value *ret)
{
    struct tcp *t = arg;
    (void)ret;
    int error = sock_listen("::1", 0, 0, &t->listener);
    if (error)
        return error;
    return sock_connect("::1", sock_port(t->listener), &t->client);
}

static void the_other_family_works_as_well(void)
{
    struct tcp t = {0};
    step("sock_listen(\"::1\") and sock_connect(\"::1\")");
    int error = run_body(connect_six, &t);
    if (error == -EADDRNOTAVAIL || error == -EAFNOSUPPORT)
        skip("needs IPv6");
    expect_ok(error);
    sock_close(t.client);
    sock_close(t.listener);
}

static void a_reset_concerns_only_who_reads_there(void)
{
    struct tcp t = {0}, other = {0};
    struct reading r = {.size = 1}, unharmed = {.size = 1};
    expect_ok(run_body(open_listener, &t));
    connect_both(&t);
    other.listener = t.listener;
    other.port = t.port;
    connect_both(&other);
    r.sock = t.served;
    unharmed.sock = other.served;
    struct task *reader = start(read_once, &r), *neighbour = start(read_once, &unharmed);
    settle();
    step("a client resets the connection");
    hang_up_rudely(t.client);
    expect_error(finish(reader), -ECONNRESET);
    settle();
    expect_true("the neighbour waits on", !future_done(task_future(neighbour)));
    expect_ok(run_body(send_word, other.client));
    expect_ok(finish(neighbour));
    sock_close(t.served);
    sock_close(other.client);
    sock_close(other.served);
    sock_close(t.listener);
}

static void a_client_that_vanishes_stops_nobody(void)
{
    struct tcp t = {0};
    expect_ok(run_body(open_listener, &t));
    step("a client connects and resets before sock_accept()");
    expect_ok(run_body(connect_one, &t));
    hang_up_rudely(t.client);
    struct task *server = start(accept_one, &t);
    settle();
    if (future_done(task_future(server))) { /* this system still hands it out */
        expect_ok(finish(server));
        sock_close(t.served);
        server = start(accept_one, &t);
    }
    expect_ok(run_body(connect_one, &t));
    expect_ok(finish(server));
    sock_close(t.client);
    sock_close(t.served);
    sock_close(t.listener);
}

/*
 * Some answers of accept4() no test can provoke. So we stand in for it: the first ones are refused
 * with an error of our choice, after that the system is asked.
 */
static int refusals, refused_with;

#if defined __GLIBC__ && defined SYS_accept4
#define STANDS_IN_FOR_ACCEPT true
int accept4(int fd, __SOCKADDR_ARG address, socklen_t *restrict size, int flags)
{
    if (refusals > 0) {
        refusals--;
        errno = refused_with;
        return -1;
    }
    return (int)syscall(SYS_accept4, fd, address.__sockaddr__, size, flags);
}
#else
#define STANDS_IN_FOR_ACCEPT false
#endif

static void what_concerns_one_client_does_not_end_the_accept(void)
{
    static const int errors[] = {ECONNABORTED, EPROTO, EPERM, ENETDOWN, EHOSTUNREACH};
    struct tcp t = {0};
    if (!STANDS_IN_FOR_ACCEPT)
        skip("needs to stand in for accept4()");
    expect_ok(run_body(open_listener, &t));
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        expect_ok(run_body(connect_one, &t));
        refusals = 2;
        refused_with = errors[i];
        step("sock_accept(), when the system says about two clients: %s", strerror(errors[i]));
        expect_ok(run_body(accept_one, &t));
        expect_int(refusals, 0);
        sock_close(t.client);
        sock_close(t.served);
    }
    sock_close(t.listener);
}

static void what_concerns_the_listener_ends_the_accept(void)
{
    struct tcp t = {0};
    if (!STANDS_IN_FOR_ACCEPT)
        skip("needs to stand in for accept4()");
    expect_ok(run_body(open_listener, &t));
    refusals = 1;
    refused_with = EINVAL;
    step("sock_accept(), when the system answers EINVAL");
    expect_error(run_body(accept_one, &t), -EINVAL);
    expect_true("there is no sock", t.served == NULL);
    sock_close(t.listener);
}

static void a_client_may_get_the_number_zero(void)
{
    struct tcp t = {0};
    expect_ok(run_body(open_listener, &t));
    expect_ok(run_body(connect_one, &t));
    int standard_input = dup(STDIN_FILENO);
    if (standard_input < 0)
        skip("needs standard input");
    step("sock_accept() while descriptor 0 is free");
    close(STDIN_FILENO);
    struct task *task = start(accept_one, &t);
    settle();
    bool done = future_done(task_future(task));
    int fd = t.served == NULL ? -1 : sock_fileno(t.served);
    sock_close(t.served);
    dup2(standard_input, STDIN_FILENO);
    close(standard_input);
    expect_true("the client was accepted", done);
    expect_ok(finish(task));
    expect_int(fd, 0);
    sock_close(t.client);
    sock_close(t.listener);
}

/* What became of an accept while an allocation failed. */
struct poor_accept {
    struct tcp *tcp;
    unsigned nth;
    bool failed;
};

static int accept_without_memory(void *arg, value *ret)
{
    struct poor_accept *a = arg;
    (void)ret;
    fail_allocation(a->nth);
    int error = sock_accept(a->tcp->listener, &a->tcp->served);
    a->failed = allocation_failed();
    return error;
}

static void a_client_for_whom_there_is_no_memory_is_hung_up_on(void)
{
    struct tcp t = {0};
    struct reading r = {.size = 1};
    expect_ok(run_body(open_listener, &t));
    for (unsigned n = 1;; n++) {
        struct poor_accept a = {.tcp = &t, .nth = n};
        expect_ok(run_body(connect_one, &t));
        int error = run_body(accept_without_memory, &a);
        if (!a.failed) {
            expect_ok(error);
            break;
        }
        step("sock_accept() while allocation %u fails", n);
        expect_error(error, -ENOMEM);
        expect_true("there is no sock", t.served == NULL);
        step("the client sees the end");
        r.sock = t.client;
        struct task *task = start(read_once, &r);
        settle();
        expect_true("it does not wait", future_done(task_future(task)));
        expect_ok(finish(task));
        expect_int(r.n, 0);
        sock_close(t.client);
    }
    sock_close(t.client);
    sock_close(t.served);
    sock_close(t.listener);
}

/* A port to which nobody gets through: whoever stands in its queue stays there. */
struct full_port {
    int listener, waiting[8];
    int count, port;
};

static bool connects(int fd, const struct sockaddr_in *to)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return connect(fd, (const struct sockaddr *)to, sizeof *to) == 0 || poll(&p, 1, 0) == 1;
}

static void fill_port(struct full_port *full)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof to;
    bool through = true;
    full->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(full->listener, (struct sockaddr *)&to, size) < 0 || listen(full->listener, 0) < 0 ||
        getsockname(full->listener, (struct sockaddr *)&to, &size) < 0)
        skip("needs a port");
    full->port = ntohs(to.sin_port);
    for (full->count = 0; through && full->count < 8; full->count++) {
        full->waiting[full->count] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        through = connects(full->waiting[full->count], &to);
    }
    if (through)
        skip("needs a queue of connections that can be full");
}

static void close_port(const struct full_port *full)
{
    for (int i = 0; i < full->count; i++)
        close(full->waiting[i]);
    close(full->listener);
}

static void a_connection_is_waited_for_and_can_be_cancelled(void)
{
    struct full_port full;
    fill_port(&full);
    struct tcp t = {.port = full.port};
    struct task *task = start(connect_one, &t);
    step("sock_connect() to a server that does not answer");
    settle();
    expect_true("it waits", !future_done(task_future(task)));
    expect_int(selector_count(fixture_selector()), 1);
    step("task_cancel()");
    expect_true("it was cancelled", task_cancel(task));
    settle();
    expect_true("the task has ended", future_done(task_future(task)));
    expect_error(finish(task), ERR_CANCELLED);
    expect_true("there is no sock", t.client == NULL);
    expect_int(selector_count(fixture_selector()), 0);
    close_port(&full);
}

static void who_is_woken_too_early_is_not_connected(void)
{
    static const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    struct full_port full;
    int error;
    socklen_t size = sizeof error;
    fill_port(&full);
    struct tcp t = {.port = full.port};
    (void)fixture_loop(); /* which needs descriptors of its own */
    int next = dup(STDIN_FILENO); /* the number that the sock will have */
    close(next);
    struct task *task = start(connect_one, &t);
    settle();
    step("the descriptor is ready, without an error, and without a connection");
    if (connect(next, &nowhere, sizeof nowhere) < 0 ||
        getsockopt(next, SOL_SOCKET, SO_ERROR, &error, &size) < 0) /* which forgets it */
        skip("needs a connection that can be given up");
    settle();
    expect_true("it waits on", !future_done(task_future(task)));
    task_cancel(task);
    expect_error(finish(task), ERR_CANCELLED);
    close_port(&full);
}

static void if_nobody_can_say_how_it_went_it_did_not(void)
{
    struct full_port full;
    int fds[2];
    fill_port(&full);
    if (pipe(fds) < 0)
        skip("needs a pipe");
    struct tcp t = {.port = full.port};
    (void)fixture_loop();
    int next = dup(STDIN_FILENO); /* the number that the sock will have */
    close(next);
    struct task *task = start(connect_one, &t);
    settle();
    step("the number of the socket belongs to a pipe now, and a pipe cannot be asked");
    dup2(fds[1], next);
    settle();
    if (strcmp(fixture_kind(), "epoll") == 0) /* which watches files, and that one is gone */
        task_cancel(task);
    int error = finish(task);
    close(fds[0]);
    close(fds[1]);
    close_port(&full);
    expect_error(error, strcmp(fixture_kind(), "epoll") == 0 ? ERR_CANCELLED : -ENOTSOCK);
    expect_true("there is no sock", t.client == NULL);
}

static void readiness_and_cancel_together_lose_no_connection(void)
{
    struct tcp t = {0};
    expect_ok(run_body(open_listener, &t));
    struct task *server = start(accept_one, &t);
    settle();
    step("a client connects; in the same turn the task that accepts is cancelled");
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)t.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    expect_int(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    expect_ok(loop_call_soon(fixture_loop(), cancel_it, server, NULL));
    expect_error(finish(server), ERR_CANCELLED);
    step("the next sock_accept() gets it");
    expect_ok(run_body(accept_one, &t));
    sock_close(t.served);
    close(fd);
    sock_close(t.listener);
}

static void without_descriptors_accept_waits_a_moment(void)
{
    struct tcp t = {0};
    struct rlimit before, tight;
    if (harness_is_slow() && !harness_is_sanitized())
        skip("valgrind hangs up on a client that finds no descriptor");
    expect_ok(run_body(open_listener, &t));
    expect_ok(run_body(connect_one, &t));
    getrlimit(RLIMIT_NOFILE, &before);
    tight = before;
    tight.rlim_cur = (rlim_t)sock_fileno(t.client) + 1;
    setrlimit(RLIMIT_NOFILE, &tight);
    struct task *server = start(accept_one, &t);
    step("sock_accept() with no descriptor left");
    double began = fixture_now();
    fixture_advance(1);
    expect_true("it goes on trying", !future_done(task_future(server)));
    expect_time(fixture_now() - began, 1);
    step("a descriptor is free again");
    setrlimit(RLIMIT_NOFILE, &before);
    fixture_advance(1);
    expect_true("the client was accepted", future_done(task_future(server)));
    expect_ok(finish(server));
    sock_close(t.client);
    sock_close(t.served);
    sock_close(t.listener);
}

static int listen_again(void *arg, value *ret)
{
    struct tcp *t = arg;
    (void)ret;
    return sock_listen("127.0.0.1", t->port, 0, &t->listener);
}

static void a_port_can_be_used_again_after_a_restart(void)
{
    struct tcp t = {0};
    expect_ok(run_body(open_listener, &t));
    connect_both(&t);
    step("the server closes first, and listens on the same port again");
    sock_close(t.served);
    sock_close(t.client);
    sock_close(t.listener);
    expect_ok(run_body(listen_again, &t));
    sock_close(t.listener);
}

/* --- closing -------------------------------------------------------------------------------- */

static void closing_tells_whoever_waits_there(void)
{
    struct reading r = {.size = 1};
    int fds[2];
    pair(fds);
    r.sock = sock_on(fds[0]);
    fill(fds[0]);
    struct task *reader = start(read_once, &r), *writer = start(send_word, r.sock);
    settle();
    step("sock_close() while one reads and one writes");
    sock_close(r.sock);
    expect_error(finish(reader), -EBADF);
    expect_error(finish(writer), -EBADF);
    close(fds[1]);
}

static int close_it(void *arg)
{
    struct reading *r = arg;
    sock_close(r->sock);
    return 0;
}

static void closing_what_has_just_become_ready_is_harmless(void)
{
    struct reading r = {.size = 1};
    int fds[2];
    pair(fds);
    r.sock = sock_on(fds[0]);
    struct task *reader = start(read_once, &r);
    settle();
    step("the byte arrives in the turn in which the sock is closed");
    put(fds[1], "x");
    expect_ok(loop_call_soon(fixture_loop(), close_it, &r, NULL));
    expect_error(finish(reader), -EBADF);
    close(fds[1]);
}

static int read_then_close(void *arg, value *ret)
{
    struct reading *r = arg;
    (void)ret;
    r->n = sock_recv(r->sock, r->text, r->size);
    record("%s", error_name((int)r->n));
    sock_close(r->sock);
    return (int)r->n;
}

static void a_loop_that_closes_lets_bodies_clean_up(void)
{
    struct reading waiting = {.size = 1}, fresh = {.size = 1};
    int fds[2], others[2];
    pair(fds);
    pair(others);
    waiting.sock = sock_on(fds[0]);
    fresh.sock = sock_on(others[0]);
    task_unref(start(read_then_close, &waiting));
    settle();
    task_unref(start(read_then_close, &fresh));
    step("loop_close() with one task that reads and one that has not begun");
    fixture_close();
    expect_trace("ERR_GENERATOR_EXIT", "ERR_GENERATOR_EXIT");
    expect_report("pending", 0);
    expect_report("pending", 0);
    close(fds[1]);
    close(others[1]);
}

static void a_sock_may_be_closed_after_its_loop(void)
{
    int fds[2];
    pair(fds);
    struct sock *s = sock_on(fds[0]);
    step("loop_close(), then sock_close()");
    fixture_close();
    sock_close(s);
    char byte;
    expect_int(read(fds[1], &byte, 1), 0);
    close(fds[1]);
}

/* --- many at once --------------------------------------------------------------------------- */

static int echo(void *arg, value *ret)
{
    struct sock *s = arg;
    char buffer[300];
    ssize_t n;
    int error = 0;
    (void)ret;
    while (!error && (n = sock_recv(s, buffer, sizeof buffer)) != 0)
        error = n < 0 ? (int)n : sock_send_all(s, buffer, (size_t)n);
    sock_close(s);
    return error;
}

/* A client reads only after it has sent, so a message must fit into the buffers of both sides. */
#ifdef STRESS
enum { LONGEST = 100 }; /* byte by byte, and the system keeps a book about each */
#else
enum { LONGEST = 700 };
#endif

static int talk(void *arg, value *ret)
{
    struct sock *s = arg;
    char out[LONGEST], in[LONGEST];
    int error = 0;
    (void)ret;
    for (int round = 0; !error && round < 10; round++) {
        size_t size = 1 + random_below(sizeof out), got = 0;
        for (size_t i = 0; i < size; i++)
            out[i] = (char)random_below(256);
        error = sock_send_all(s, out, size);
        while (!error && got < size) {
            ssize_t n = sock_recv(s, in + got, size - got);
            error = n > 0 ? 0 : n == 0 ? ERR_END_OF_STREAM : (int)n;
            got += n > 0 ? (size_t)n : 0;
        }
        if (!error && memcmp(out, in, size) != 0)
            expect_never("other bytes came back than were sent");
    }
    sock_close(s);
    return error;
}

static void many_conversations_do_not_mix(void)
{
    enum { PAIRS = 30 };
    struct task *tasks[2 * PAIRS];
    for (int i = 0; i < PAIRS; i++) {
        int fds[2];
        pair(fds);
        tasks[2 * i] = start(echo, sock_on(fds[0]));
        tasks[2 * i + 1] = start(talk, sock_on(fds[1]));
    }
    step("30 clients with random messages, 30 echoes");
    for (int i = 0; i < 2 * PAIRS; i++)
        expect_ok(finish(tasks[i]));
}

#define IN_SELECT "5.1 5.2"

static const struct check checks[] = {
    CHECK(outside_a_task_it_aborts, "", NULL, ""),
    CHECK(a_sock_wants_an_open_non_blocking_descriptor, "S12", NULL, ""),
    CHECK(impossible_addresses_are_refused, "S06", NULL, ""),
    CHECK(what_is_there_is_read_at_once, "S20", "5.4", ""),
    CHECK(what_is_not_there_is_waited_for, "S20", "5.4", IN_SELECT),
    CHECK(waiting_for_data_needs_no_memory, "S20", "5.4", IN_SELECT),
    CHECK(readiness_without_data_is_waited_out, "S20", "5.4", IN_SELECT),
    CHECK(the_end_is_an_empty_result_again_and_again, "S21", "5.4", ""),
    CHECK(a_pipe_is_read_as_a_socket_is, "S20 S21", "5.4", IN_SELECT),
    CHECK(who_cannot_send_waits_until_he_can, "S23", "5.5", IN_SELECT),
    CHECK(everything_is_sent_however_much, "S23 S34", "5.5", IN_SELECT " 5.4"),
    CHECK(both_directions_at_once, "S32 S33", "5.5", IN_SELECT " 5.4"),
    CHECK(nothing_is_sent_at_once, "S23", "5.5", ""),
    CHECK(a_peer_that_is_gone_is_an_error_and_no_signal, "S24", "5.5", ""),
    CHECK(a_peer_that_goes_while_we_wait_wakes_the_sender, "S24 S35", "5.5", IN_SELECT),
    CHECK(a_second_reader_is_refused, "S31 S32", "5.4", IN_SELECT " 5.5"),
    CHECK(a_second_writer_is_refused, "S31", "5.5", IN_SELECT),
    CHECK(a_cancelled_read_leaves_the_data, "S27 S30", "5.4", "5.1"),
    CHECK(cancel_and_repeat_at_once, "S28", "5.4", IN_SELECT),
    CHECK(readiness_and_cancel_together_lose_no_data, "S29", "5.4", IN_SELECT),
    CHECK(accept_gives_a_connection_that_does_not_block, "S26", "5.6", IN_SELECT " 5.4 5.5 5.7"),
    CHECK(a_refused_connection_is_an_error, "S25", "5.7", IN_SELECT),
    CHECK(the_other_family_works_as_well, "S25", "5.7", IN_SELECT),
    CHECK(a_reset_concerns_only_who_reads_there, "S22", "5.4", IN_SELECT " 5.5 5.6 5.7"),
    CHECK(a_client_that_vanishes_stops_nobody, "S26", "5.6", IN_SELECT " 5.7"),
    CHECK(what_concerns_one_client_does_not_end_the_accept, "S26", "5.6", IN_SELECT " 5.7"),
    CHECK(what_concerns_the_listener_ends_the_accept, "S26", "5.6", ""),
    CHECK(a_client_may_get_the_number_zero, "S26", "5.6", IN_SELECT " 5.7"),
    CHECK(a_client_for_whom_there_is_no_memory_is_hung_up_on,
          "S26", "5.6", IN_SELECT " 5.4 5.7"),
    CHECK(a_connection_is_waited_for_and_can_be_cancelled, "S25 S27", "5.7", IN_SELECT),
    CHECK(who_is_woken_too_early_is_not_connected, "S25", "5.7", IN_SELECT),
    CHECK(if_nobody_can_say_how_it_went_it_did_not, "S25", "5.7", IN_SELECT),
    CHECK(readiness_and_cancel_together_lose_no_connection, "S29", "5.6", IN_SELECT),
    CHECK(without_descriptors_accept_waits_a_moment, "S26", "5.6", IN_SELECT " 5.7"),
    CHECK(a_port_can_be_used_again_after_a_restart, "", "5.6", IN_SELECT " 5.7"),
    CHECK(closing_tells_whoever_waits_there, "S08", "5.4", "5.1 5.5"),
    CHECK(closing_what_has_just_become_ready_is_harmless, "S08 S09", "5.4", IN_SELECT),
    CHECK(a_loop_that_closes_lets_bodies_clean_up, "T32", "5.4", "5.1"),
    CHECK(a_sock_may_be_closed_after_its_loop, "S10", NULL, ""),
    CHECK(many_conversations_do_not_mix, "S33", "5.5", IN_SELECT " 5.4"),
};
SUITE_ON_FIXTURE(sock, 5, checks)
