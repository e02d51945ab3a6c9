/*
 * ReadWait and WriteWait in the course's kernel, and the course's echo server made of them. Every
 * check runs on each kind of selector that there is.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "kernel_io.h"

static const enum selector_kind kinds[] = {SELECTOR_SELECT, SELECTOR_POLL,
#ifdef __linux__
                                           SELECTOR_EPOLL
#endif
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void ended(int tid, int error, void *arg)
{
    (void)arg;
    record("task %d ended%s%s", tid, error ? ": " : "", error ? error_name(error) : "");
}

static struct kernel *kernel_with(enum selector_kind kind)
{
    struct kernel *k = kernel_new();
    expect_ok(kernel_io_attach(k, kind));
    kernel_set_report(k, ended, NULL);
    return k;
}

static void spawn(struct kernel *k, gen_fn *fn, void *arg)
{
    expect_true("the task was made", kernel_spawn(k, fn, arg) > 0);
}

static void pair(int fds[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0)
        skip("needs a pair of sockets");
}

static void close_pair(const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

/* --- misuse --------------------------------------------------------------------------------- */

static int wait_for_zero(void *arg, value *ret)
{
    (void)arg, (void)ret;
    int error = sys_read_wait(0);
    record("%s", error_name(error));
    return 0;
}

static void without_a_selector_waiting_is_refused(void)
{
    struct kernel *k = kernel_new();
    kernel_set_report(k, ended, NULL);
    spawn(k, wait_for_zero, NULL);
    step("sys_read_wait(0) in a kernel without a selector");
    expect_ok(kernel_run(k));
    expect_trace("ERR_RUNTIME", "task 1 ended");
    kernel_free(k);
}

static void a_kernel_has_one_selector(void)
{
    struct kernel *k = kernel_with(SELECTOR_POLL);
    step("a second kernel_io_attach()");
    expect_error(kernel_io_attach(k, SELECTOR_POLL), ERR_BUSY);
    kernel_free(k);
}

static int bad_numbers(void *arg, value *ret)
{
    (void)arg, (void)ret;
    step("sys_read_wait(-1)");
    expect_error(sys_read_wait(-1), ERR_VALUE);
    step("sys_write_wait() for a descriptor that is closed");
    int fd = dup(0);
    close(fd);
    expect_error(sys_write_wait(fd), -EBADF);
    return 0;
}

static void impossible_descriptors_are_refused(void)
{
    for (int i = 0; i < KINDS; i++) {
        struct kernel *k = kernel_with(kinds[i]);
        spawn(k, bad_numbers, NULL);
        expect_ok(kernel_run(k));
        expect_trace("task 1 ended");
        kernel_free(k);
    }
}

/* --- waiting -------------------------------------------------------------------------------- */

static int reader(void *arg, value *ret)
{
    const int *fds = arg;
    char byte = '-';
    (void)ret;
    int error = sys_read_wait(fds[0]);
    if (error) {
        record("reader: %s", error_name(error));
        return error;
    }
    record("ready");
    if (read(fds[0], &byte, 1) == 1)
        record("read %c", byte);
    return 0;
}

static int writer(void *arg, value *ret)
{
    const int *fds = arg;
    (void)ret;
    for (int i = 0; i < 3; i++) {
        record("alive");
        int error = sys_yield();
        if (error)
            return error;
    }
    int error = sys_write_wait(fds[1]);
    if (!error && write(fds[1], "x", 1) != 1)
        error = -errno;
    record("written");
    return error;
}

static void a_reader_is_parked_while_others_run(void)
{
    for (int i = 0; i < KINDS; i++) {
        struct kernel *k = kernel_with(kinds[i]);
        int fds[2];
        pair(fds);
        spawn(k, reader, fds);
        spawn(k, writer, fds);
        step("one task reads, one is busy and then writes");
        expect_ok(kernel_run(k));
        expect_trace("alive", "alive", "alive", "written", "task 2 ended", "ready", "read x",
                     "task 1 ended");
        expect_int(kernel_tasks(k), 0);
        kernel_free(k);
        close_pair(fds);
    }
}

static int busy_reader(void *arg, value *ret)
{
    const int *fds = arg;
    (void)ret;
    int error = sys_yield();
    if (error)
        return error;
    step("a second sys_read_wait() for the same descriptor");
    expect_error(sys_read_wait(fds[0]), ERR_BUSY);
    if (write(fds[1], "y", 1) != 1)
        return -errno;
    return 0;
}

static void a_second_task_that_reads_is_refused(void)
{
    for (int i = 0; i < KINDS; i++) {
        struct kernel *k = kernel_with(kinds[i]);
        int fds[2];
        pair(fds);
        spawn(k, reader, fds);
        spawn(k, busy_reader, fds);
        expect_ok(kernel_run(k));
        expect_trace("task 2 ended", "ready", "read y", "task 1 ended");
        kernel_free(k);
        close_pair(fds);
    }
}

static int killer(void *arg, value *ret)
{
    const int *fds = arg;
    (void)ret;
    int error = sys_yield();
    if (error)
        return error;
    step("sys_kill(1), which waits for a descriptor");
    expect_int(sys_kill(1), 1);
    if (write(fds[1], "z", 1) != 1)
        return -errno;
    step("the place is free at once");
    return sys_read_wait(fds[0]);
}

static void a_killed_reader_waits_no_more(void)
{
    for (int i = 0; i < KINDS; i++) {
        struct kernel *k = kernel_with(kinds[i]);
        int fds[2];
        pair(fds);
        spawn(k, reader, fds);
        spawn(k, killer, fds);
        expect_ok(kernel_run(k));
        expect_trace("reader: ERR_GENERATOR_EXIT", "task 1 ended", "task 2 ended");
        kernel_free(k);
        close_pair(fds);
    }
}

static int forgetter(void *arg, value *ret)
{
    const int *fds = arg;
    (void)ret;
    int error = sys_yield();
    if (!error)
        error = sys_forget(fds[0]);
    return error;
}

static void whoever_waits_for_a_forgotten_descriptor_is_told(void)
{
    for (int i = 0; i < KINDS; i++) {
        struct kernel *k = kernel_with(kinds[i]);
        int fds[2];
        pair(fds);
        spawn(k, reader, fds);
        spawn(k, forgetter, fds);
        step("sys_forget() while another task waits");
        expect_ok(kernel_run(k));
        expect_trace("reader: EBADF", "task 1 ended: EBADF", "task 2 ended");
        kernel_free(k);
        close_pair(fds);
    }
}

static int wait_for_oneself(void *arg, value *ret)
{
    (void)arg, (void)ret;
    return sys_wait(2);
}

static int wait_for_first(void *arg, value *ret)
{
    (void)arg, (void)ret;
    return sys_wait(1);
}

static void without_a_descriptor_it_is_still_a_deadlock(void)
{
    for (int i = 0; i < KINDS; i++) {
        struct kernel *k = kernel_with(kinds[i]);
        spawn(k, wait_for_oneself, NULL);
        spawn(k, wait_for_first, NULL);
        step("two tasks wait for each other, and nobody for a descriptor");
        expect_error(kernel_run(k), ERR_DEADLOCK);
        expect_trace("task 1 ended: ERR_DEADLOCK", "task 2 ended: ERR_DEADLOCK");
        kernel_set_report(k, ended, NULL);
        kernel_free(k);
        expect_trace("task 1 ended", "task 2 ended");
    }
}

static void a_kernel_may_be_freed_while_one_reads(void)
{
    for (int i = 0; i < KINDS; i++) {
        struct kernel *k = kernel_with(kinds[i]);
        int fds[2];
        pair(fds);
        spawn(k, reader, fds);
        step("kernel_free() before the reader has begun");
        kernel_free(k);
        expect_trace("reader: ERR_GENERATOR_EXIT", "task 1 ended");
        close_pair(fds);
    }
}

/* --- the course's echo server ----------------------------------------------------------------- */

/* Send: writes everything, however little the system takes at a time (row P16). */
static int send_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        int error = sys_write_wait(fd);
        ssize_t n = error ? 0 : write(fd, data, size < 7 ? size : 7);
        if (n < 0 && errno != EAGAIN)
            error = -errno;
        if (error)
            return error;
        data += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* Recv: empty at the end. */
static ssize_t receive(int fd, char *buffer, size_t size)
{
    for (;;) {
        int error = sys_read_wait(fd);
        if (error)
            return error;
        ssize_t n = read(fd, buffer, size);
        if (n >= 0 || errno != EAGAIN)
            return n < 0 ? -errno : n;
    }
}

static int handle_client(void *arg, value *ret)
{
    int fd = *(int *)arg, error = 0;
    char buffer[64];
    ssize_t n;
    (void)ret;
    while (!error && (n = receive(fd, buffer, sizeof buffer)) != 0)
        error = n < 0 ? (int)n : send_all(fd, buffer, (size_t)n);
    if (sys_forget(fd) != 0)
        error = ERR_GENERATOR_EXIT;
    close(fd);
    return error;
}

static int clients_left;

static int client(void *arg, value *ret)
{
    int fd = *(int *)arg, error = 0;
    char out[200], in[200];
    (void)ret;
    for (int round = 0; !error && round < 5; round++) {
        size_t size = 1 + random_below(sizeof out), got = 0;
        for (size_t i = 0; i < size; i++)
            out[i] = (char)random_below(256);
        error = send_all(fd, out, size);
        while (!error && got < size) {
            ssize_t n = receive(fd, in + got, size - got);
            error = n > 0 ? 0 : n == 0 ? ERR_END_OF_STREAM : (int)n;
            got += n > 0 ? (size_t)n : 0;
        }
        if (!error && memcmp(in, out, size) != 0)
            expect_never("other bytes came back than were sent");
    }
    if (sys_forget(fd) != 0)
        error = ERR_GENERATOR_EXIT;
    close(fd);
    clients_left--;
    return error;
}

static int alive(void *arg, value *ret)
{
    int *turns = arg, error = 0;
    (void)ret;
    while (!error && clients_left > 0) {
        ++*turns;
        error = sys_yield();
    }
    return error;
}

static void count_errors(int tid, int error, void *arg)
{
    int *errors = arg;
    (void)tid;
    *errors += error != 0;
}

static void clients_interleave_with_a_busy_task(void)
{
    enum { CLIENTS = 20 };
    for (int i = 0; i < KINDS; i++) {
        struct kernel *k = kernel_with(kinds[i]);
        int fds[CLIENTS][2], turns = 0, errors = 0;
        kernel_set_report(k, count_errors, &errors);
        clients_left = CLIENTS;
        spawn(k, alive, &turns);
        for (int c = 0; c < CLIENTS; c++) {
            pair(fds[c]);
            spawn(k, handle_client, &fds[c][0]);
            spawn(k, client, &fds[c][1]);
        }
        step("20 clients, 20 handlers and a busy task");
        expect_ok(kernel_run(k));
        expect_int(errors, 0);
        expect_int(clients_left, 0);
        expect_true("the busy task had its turns", turns > 10);
        kernel_free(k);
    }
}

#define BELOW "5.1 5.2"

static const struct check checks[] = {
    CHECK(without_a_selector_waiting_is_refused, "P11", NULL, ""),
    CHECK(a_kernel_has_one_selector, "P12", NULL, ""),
    CHECK(impossible_descriptors_are_refused, "P11 S06", "5.3", ""),
    CHECK(a_reader_is_parked_while_others_run, "P11 P12", "5.3", BELOW),
    CHECK(a_second_task_that_reads_is_refused, "P19 S31", "5.3", BELOW),
    CHECK(a_killed_reader_waits_no_more, "P07 P19", "5.3", BELOW),
    CHECK(whoever_waits_for_a_forgotten_descriptor_is_told, "P19 S08", "5.3", "5.1"),
    CHECK(without_a_descriptor_it_is_still_a_deadlock, "P19", NULL, ""),
    CHECK(a_kernel_may_be_freed_while_one_reads, "P19", NULL, ""),
    CHECK(clients_interleave_with_a_busy_task, "P16 P18", "5.3", BELOW),
};
SUITE(kernel_io, 5, checks)
