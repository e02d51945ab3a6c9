/*
 * The selector, on each of its kinds: misuse first, then what it promises about readiness, then
 * descriptors that go away, then the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "future.h"
#include "harness.h"
#include "loop.h"
#include "selector.h"

static bool on(const char *kind)
{
    return strcmp(fixture_kind(), kind) == 0;
}

static void put(int fd, const char *text)
{
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        expect_never("a write to a pair of sockets failed");
}

/* Reads one byte, so that the descriptor is as it was before. */
static void take(int fd)
{
    char byte;
    if (read(fd, &byte, 1) != 1)
        expect_never("there was nothing to read");
}

/* So that it is not writable any more. */
static void fill(int fd)
{
    static char block[4096];
    while (write(fd, block, sizeof block) > 0)
        continue;
    while (write(fd, block, 1) > 0)
        continue;
}

static int note(void *arg)
{
    record("%s", (const char *)arg);
    return 0;
}

/* --- misuse --------------------------------------------------------------------------------- */

static void a_wait_wants_a_descriptor_and_one_direction(void)
{
    struct selector *s = fixture_selector();
    struct future *f = NULL;
    int fds[2];
    fixture_socketpair(fds);
    step("selector_wait(s, -1, SELECTOR_READ, &f)");
    expect_error(selector_wait(s, -1, SELECTOR_READ, &f), ERR_VALUE);
    expect_true("there is no future", f == NULL);
    step("selector_wait(s, fd, SELECTOR_READ | SELECTOR_WRITE, &f)");
    expect_error(selector_wait(s, fds[0], SELECTOR_READ | SELECTOR_WRITE, &f), ERR_VALUE);
    step("selector_wait(s, fd, 0, &f)");
    expect_error(selector_wait(s, fds[0], (enum selector_events)0, &f), ERR_VALUE);
    expect_int(selector_count(s), 0);
}

static void a_callback_wants_a_descriptor_and_a_function(void)
{
    struct selector *s = fixture_selector();
    step("selector_add_reader(s, -1, note, arg)");
    expect_error(selector_add_reader(s, -1, note, NULL), ERR_VALUE);
    step("selector_add_writer(s, -5, note, arg)");
    expect_error(selector_add_writer(s, -5, note, NULL), ERR_VALUE);
    step("selector_add_reader(s, 0, NULL, arg)");
    expect_error(selector_add_reader(s, 0, NULL, NULL), ERR_VALUE);
    step("selector_remove_reader(s, -1)");
    expect_true("there was none", !selector_remove_reader(s, -1));
    expect_true("there was none", !selector_remove_writer(s, 100000));
    selector_forget(s, -1);
    selector_forget(s, 100000);
}

static void a_closed_descriptor_is_refused(void)
{
    struct selector *s = fixture_selector();
    struct future *f;
    int fds[2];
    if (pipe(fds) < 0)
        skip("needs a pipe");
    close(fds[0]);
    step("selector_wait() for a descriptor that is closed");
    expect_error(selector_wait(s, fds[0], SELECTOR_READ, &f), -EBADF);
    step("selector_add_reader() for a descriptor that is closed");
    expect_error(selector_add_reader(s, fds[0], note, NULL), -EBADF);
    expect_int(selector_count(s), 0);
    close(fds[1]);
}

static void select_refuses_what_does_not_fit_into_its_sets(void)
{
    struct selector *s = fixture_selector();
    struct future *f = NULL;
    struct rlimit limit;
    int fds[2];
    fixture_socketpair(fds);
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < FD_SETSIZE + 10)
        skip("needs more than FD_SETSIZE descriptors");
    int large = fcntl(fds[0], F_DUPFD, FD_SETSIZE);
    step("selector_wait(s, %d, SELECTOR_READ, &f)", large);
    if (on("select")) {
        expect_error(selector_wait(s, large, SELECTOR_READ, &f), ERR_VALUE);
        expect_error(selector_add_writer(s, large, note, NULL), ERR_VALUE);
    } else {
        expect_ok(selector_wait(s, large, SELECTOR_READ, &f));
        put(fds[1], "x");
        fixture_iteration();
        expect_ok(future_result(f, NULL));
        selector_forget(s, large);
    }
    future_unref(f);
    close(large);
}

static void the_second_who_waits_is_refused(void)
{
    struct selector *s = fixture_selector();
    struct future *first, *second, *writing;
    int fds[2];
    fixture_socketpair(fds);
    expect_ok(selector_wait(s, fds[0], SELECTOR_READ, &first));
    step("a second selector_wait() for the same direction");
    expect_error(selector_wait(s, fds[0], SELECTOR_READ, &second), ERR_BUSY);
    expect_true("there is no future", second == NULL);
    step("selector_add_reader() where somebody waits");
    expect_error(selector_add_reader(s, fds[0], note, "never"), ERR_BUSY);
    step("selector_wait() for the other direction");
    expect_ok(selector_wait(s, fds[0], SELECTOR_WRITE, &writing));
    expect_int(selector_count(s), 2);
    put(fds[1], "x");
    fixture_iteration();
    step("the first is not disturbed");
    expect_ok(future_result(first, NULL));
    expect_ok(future_result(writing, NULL));
    future_unref(first);
    future_unref(writing);
    expect_ok(selector_add_reader(s, fds[0], note, "reader"));
    step("a second reader, and a wait where a reader is");
    expect_error(selector_add_reader(s, fds[0], note, "never"), ERR_BUSY);
    expect_error(selector_wait(s, fds[0], SELECTOR_READ, &second), ERR_BUSY);
    fixture_iteration();
    expect_trace("reader");
    selector_forget(s, fds[0]);
}

static void a_selector_without_a_loop_cannot_wait(void)
{
    static const enum selector_kind kinds[] = {SELECTOR_SELECT, SELECTOR_POLL};
    for (size_t i = 0; i < 2; i++) {
        struct selector *s;
        struct future *f;
        expect_ok(selector_new(kinds[i], &s));
        expect_str(selector_name(s), i == 0 ? "select" : "poll");
        step("selector_wait() before loop_new()");
        expect_error(selector_wait(s, 0, SELECTOR_READ, &f), ERR_RUNTIME);
        expect_error(selector_add_reader(s, 0, note, NULL), ERR_RUNTIME);
        selector_free(s);
    }
    selector_free(NULL);
}

static void the_environment_chooses_the_default(void)
{
    struct selector *s;
    char text[200] = "";
    int fds[2];
    step("SELECTOR=poll");
    setenv("SELECTOR", "poll", 1);
    expect_ok(selector_new(SELECTOR_DEFAULT, &s));
    expect_str(selector_name(s), "poll");
    selector_free(s);
    step("SELECTOR=kqueue-of-1999");
    setenv("SELECTOR", "kqueue-of-1999", 1);
    fixture_socketpair(fds);
    int old = dup(STDERR_FILENO);
    dup2(fds[1], STDERR_FILENO);
    int error = selector_new(SELECTOR_DEFAULT, &s);
    dup2(old, STDERR_FILENO);
    close(old);
    expect_error(error, ERR_VALUE);
    if (read(fds[0], text, sizeof text - 1) < 0)
        text[0] = '\0';
    expect_text(text, "kqueue-of-1999");
    expect_text(text, "select");
    expect_text(text, "poll");
    unsetenv("SELECTOR");
}

static void nothing_to_wait_for_is_a_deadlock(void)
{
    step("loop_run_forever() without a timer and a descriptor");
    expect_error(loop_run_forever(fixture_loop()), ERR_DEADLOCK);
    expect_report("nothing", ERR_DEADLOCK);
    step("loop_run_once()");
    expect_int(loop_run_once(fixture_loop()), 0);
}

/* --- waits ---------------------------------------------------------------------------------- */

static void a_wait_is_done_when_the_descriptor_is_ready(void)
{
    struct selector *s = fixture_selector();
    struct future *f;
    value v = value_int(1);
    int fds[2];
    fixture_socketpair(fds);
    step("selector_wait(s, fd, SELECTOR_READ, &f)");
    expect_ok(selector_wait(s, fds[0], SELECTOR_READ, &f));
    expect_int(selector_count(s), 1);
    fixture_iteration();
    expect_error(future_result(f, NULL), ERR_INVALID_STATE);
    step("the peer writes");
    put(fds[1], "x");
    fixture_iteration();
    expect_ok(future_result(f, &v));
    expect_value(v, value_none());
    expect_int(selector_count(s), 0);
    future_unref(f);
    step("selector_wait(s, fd, SELECTOR_WRITE, &f) with room in the buffer");
    expect_ok(selector_wait(s, fds[0], SELECTOR_WRITE, &f));
    fixture_iteration();
    expect_ok(future_result(f, NULL));
    future_unref(f);
}

static void who_did_not_read_everything_is_told_again(void)
{
    struct selector *s = fixture_selector();
    int fds[2];
    fixture_socketpair(fds);
    put(fds[1], "abc");
    for (int i = 0; i < 3; i++) {
        struct future *f;
        step("selector_wait() with %d bytes left to read", 3 - i);
        expect_ok(selector_wait(s, fds[0], SELECTOR_READ, &f));
        fixture_iteration();
        expect_ok(future_result(f, NULL));
        future_unref(f);
        take(fds[0]);
    }
    struct future *f;
    step("selector_wait() with nothing left");
    expect_ok(selector_wait(s, fds[0], SELECTOR_READ, &f));
    fixture_iteration();
    expect_true("it waits", !future_done(f));
    future_cancel(f);
    future_unref(f);
}

static void a_full_descriptor_is_writable_when_the_peer_has_read(void)
{
    struct selector *s = fixture_selector();
    struct future *f;
    char block[65536];
    int fds[2];
    fixture_socketpair(fds);
    fill(fds[0]);
    expect_ok(selector_wait(s, fds[0], SELECTOR_WRITE, &f));
    fixture_iteration();
    expect_true("it waits", !future_done(f));
    step("the peer reads everything");
    while (read(fds[1], block, sizeof block) > 0)
        continue;
    fixture_iteration();
    expect_ok(future_result(f, NULL));
    future_unref(f);
}

static void cancelling_a_wait_takes_effect_at_once(void)
{
    struct selector *s = fixture_selector();
    struct future *first, *second;
    int fds[2];
    fixture_socketpair(fds);
    expect_ok(selector_wait(s, fds[0], SELECTOR_READ, &first));
    step("future_cancel(first), then wait again at once");
    expect_true("it was cancelled", future_cancel(first));
    expect_int(selector_count(s), 0);
    expect_ok(selector_wait(s, fds[0], SELECTOR_READ, &second));
    step("the first is cleaned up late");
    expect_true("cancelling again has no effect", !future_cancel(first));
    future_unref(first);
    put(fds[1], "x");
    fixture_iteration();
    step("the second is done");
    expect_ok(future_result(second, NULL));
    future_unref(second);
}

static void a_cancel_after_readiness_comes_too_late(void)
{
    struct selector *s = fixture_selector();
    struct future *f;
    int fds[2];
    fixture_socketpair(fds);
    expect_ok(selector_wait(s, fds[0], SELECTOR_READ, &f));
    put(fds[1], "x");
    fixture_iteration();
    step("future_cancel() of a wait that is done");
    expect_true("it was done already", !future_cancel(f));
    expect_ok(future_result(f, NULL));
    future_unref(f);
    take(fds[0]);
}

static int note_done(struct future *f, void *arg)
{
    (void)f;
    return note(arg);
}

static void a_wait_that_nobody_holds_still_calls_back(void)
{
    struct selector *s = fixture_selector();
    struct future *f;
    int fds[2];
    fixture_socketpair(fds);
    expect_ok(selector_wait(s, fds[0], SELECTOR_READ, &f));
    expect_ok(future_add_done_callback(f, note_done, "ready"));
    future_unref(f);
    put(fds[1], "x");
    fixture_iteration();
    expect_trace("ready");
}

static void what_a_wait_is_can_be_read(void)
{
    struct selector *s = fixture_selector();
    struct future *f;
    char text[100];
    int fds[2];
    fixture_socketpair(fds);
    expect_ok(selector_wait(s, fds[0], SELECTOR_READ, &f));
    future_describe(f, text, sizeof text);
    expect_text(text, "reading");
    expect_text(text, "pending");
    future_cancel(f);
    future_unref(f);
}

static void waiting_needs_no_memory_once_it_has_begun(void)
{
    struct selector *s = fixture_selector();
    struct future *f;
    int fds[2];
    fixture_socketpair(fds);
    put(fds[1], "x");
    for (int i = 0; i < 3; i++) {
        if (i == 1)
            fail_allocation(1);
        expect_ok(selector_wait(s, fds[0], SELECTOR_READ, &f));
        fixture_iteration();
        expect_ok(future_result(f, NULL));
        future_unref(f);
    }
    expect_true("nothing was allocated", !allocation_failed());
}

static void without_memory_nothing_is_registered(void)
{
    struct selector *s = fixture_selector();
    struct future *f;
    int fds[2];
    fixture_socketpair(fds);
    for (unsigned n = 1;; n++) {
        fail_allocation(n);
        int error = selector_wait(s, fds[0], SELECTOR_READ, &f);
        if (!allocation_failed()) {
            expect_ok(error);
            break;
        }
        step("selector_wait() while allocation %u fails", n);
        expect_error(error, -ENOMEM);
        expect_int(selector_count(s), 0);
    }
    put(fds[1], "x");
    fixture_iteration();
    expect_ok(future_result(f, NULL));
    future_unref(f);
}

/* --- callbacks ------------------------------------------------------------------------------ */

/* A loop with a timer of an hour, and something that must not let it sleep. */
static void expect_no_sleep(void)
{
    double begin = fixture_now();
    expect_ok(loop_call_later(fixture_loop(), 3600, note, "timer", NULL));
    expect_true("a turn goes well", loop_run_once(fixture_loop()) >= 0);
    expect_time(fixture_now(), begin);
    forget_trace(); /* who is told is another question */
}

static void something_to_read_ends_the_sleep(void)
{
    struct selector *s = fixture_selector();
    int fds[2];
    fixture_socketpair(fds);
    expect_ok(selector_add_reader(s, fds[0], note, "read"));
    put(fds[1], "x");
    step("loop_run_once() with a reader, a byte for it, and a timer of an hour");
    expect_no_sleep();
    selector_forget(s, fds[0]);
}

static void room_to_write_ends_the_sleep(void)
{
    struct selector *s = fixture_selector();
    int fds[2];
    fixture_socketpair(fds);
    expect_ok(selector_add_writer(s, fds[0], note, "write"));
    step("loop_run_once() with a writer, room in the buffer, and a timer of an hour");
    expect_no_sleep();
    selector_forget(s, fds[0]);
}

static void room_to_write_ends_the_sleep_although_others_read(void)
{
    struct selector *s = fixture_selector();
    int reading[2], writing[2];
    fixture_socketpair(reading);
    fixture_socketpair(writing);
    expect_ok(selector_add_reader(s, reading[0], note, "read"));
    expect_ok(selector_add_writer(s, writing[0], note, "write"));
    step("loop_run_once() with a reader who has nothing to read, a writer, and a timer of an hour");
    expect_no_sleep();
    selector_forget(s, reading[0]);
    selector_forget(s, writing[0]);
}

/* The last one is the one that is lost if somebody counts wrong. */
static void the_highest_descriptor_ends_the_sleep(void)
{
    struct selector *s = fixture_selector();
    int fds[2];
    fixture_socketpair(fds);
    int high = fcntl(fds[0], F_DUPFD, 128); /* a multiple of every size of word */
    expect_ok(selector_add_writer(s, high, note, "write"));
    step("loop_run_once() with a writer on descriptor %d, and a timer of an hour", high);
    expect_no_sleep();
    selector_forget(s, high);
    close(high);
}

static void what_nobody_asked_for_does_not_end_the_sleep(void)
{
    struct selector *s = fixture_selector();
    int fds[2], full[2];
    double begin = fixture_now();
    fixture_socketpair(fds);
    fixture_socketpair(full);
    fill(full[0]);
    put(full[1], "x");
    expect_ok(selector_add_reader(s, fds[0], note, "read"));
    expect_ok(selector_add_writer(s, full[0], note, "write"));
    expect_ok(loop_call_later(fixture_loop(), 3600, note, "timer", NULL));
    step("a reader that could only write, a writer that could only read, a timer of an hour");
    for (int i = 0; i < 5 && fixture_now() < begin + 3599; i++)
        expect_true("a turn goes well", loop_run_once(fixture_loop()) >= 0);
    expect_time(fixture_now(), begin + 3600);
    forget_trace();
    selector_forget(s, fds[0]);
    selector_forget(s, full[0]);
}

/* Somebody who waited, was told, and has not come back; what he was told of is still there. */
static void somebody_was_told(const int fds[2])
{
    struct future *f;
    expect_ok(selector_wait(fixture_selector(), fds[0], SELECTOR_READ, &f));
    put(fds[1], "x");
    fixture_iteration();
    expect_ok(future_result(f, NULL));
    future_unref(f);
}

static void a_descriptor_that_nobody_waits_for_any_more_keeps_nobody_awake(void)
{
    struct selector *s = fixture_selector();
    double begin = fixture_now();
    struct future *f;
    int fds[2], other[2];
    fixture_socketpair(fds);
    fixture_socketpair(other);
    somebody_was_told(fds);
    expect_ok(selector_wait(s, other[0], SELECTOR_READ, &f));
    expect_ok(loop_call_later(fixture_loop(), 3600, note, "timer", NULL));
    step("something to read where nobody waits, a wait elsewhere, a timer of an hour");
    for (int i = 0; i < 5 && fixture_now() < begin + 3599; i++)
        expect_true("a turn goes well", loop_run_once(fixture_loop()) >= 0);
    expect_time(fixture_now(), begin + 3600);
    forget_trace();
    future_cancel(f);
    future_unref(f);
    selector_forget(s, fds[0]);
}

/* What a kind cannot count in is rounded up: else it would wake too early, and spin to the end. */
static void a_fraction_of_the_smallest_unit_is_slept_through(void)
{
    double begin = loop_time(fixture_loop());
    expect_ok(loop_call_later(fixture_loop(), 0.0000015, note, "timer", NULL));
    step("loop_run_once(), at most five times, with a timer of one microsecond and a half");
    for (int i = 0; i < 5 && loop_pending(fixture_loop()) > 0; i++)
        expect_true("a turn goes well", loop_run_once(fixture_loop()) >= 0);
    expect_trace("timer");
    expect_true("not before its time", loop_time(fixture_loop()) >= begin + 0.0000014);
}

static void a_reader_is_called_in_every_turn_until_removed(void)
{
    struct selector *s = fixture_selector();
    int fds[2];
    fixture_socketpair(fds);
    expect_ok(selector_add_reader(s, fds[0], note, "read"));
    fixture_iteration();
    expect_no_trace();
    put(fds[1], "x");
    step("three iterations with something to read");
    fixture_iteration();
    fixture_iteration();
    fixture_iteration();
    expect_trace("read", "read", "read");
    take(fds[0]);
    step("one with nothing");
    fixture_iteration();
    expect_no_trace();
    put(fds[1], "x");
    step("selector_remove_reader()");
    expect_true("there was one", selector_remove_reader(s, fds[0]));
    expect_true("there is none now", !selector_remove_reader(s, fds[0]));
    fixture_iteration();
    expect_no_trace();
    expect_int(selector_count(s), 0);
}

static void the_reader_is_called_before_the_writer(void)
{
    struct selector *s = fixture_selector();
    int fds[2];
    fixture_socketpair(fds);
    put(fds[1], "x");
    expect_ok(selector_add_writer(s, fds[0], note, "write"));
    expect_ok(selector_add_reader(s, fds[0], note, "read"));
    step("one iteration, both ready");
    expect_int(fixture_iteration(), 2);
    expect_trace("read", "write");
    step("the writer is removed, the reader stays");
    expect_true("there was one", selector_remove_writer(s, fds[0]));
    fixture_iteration();
    expect_trace("read");
    selector_forget(s, fds[0]);
}

static void only_the_direction_that_is_ready_is_told(void)
{
    struct selector *s = fixture_selector();
    int fds[2];
    fixture_socketpair(fds);
    expect_ok(selector_add_reader(s, fds[0], note, "read"));
    expect_ok(selector_add_writer(s, fds[0], note, "write"));
    step("a reader and a writer; there is room, and nothing to read");
    fixture_iteration();
    expect_trace("write");
    step("there is something to read, and no room");
    fill(fds[0]);
    put(fds[1], "x");
    fixture_iteration();
    expect_trace("read");
    selector_forget(s, fds[0]);
}

static void the_last_descriptor_that_fits_into_a_set_is_told(void)
{
    struct selector *s = fixture_selector();
    int fds[2];
    fixture_socketpair(fds);
    int last = fcntl(fds[0], F_DUPFD, FD_SETSIZE - 1);
    if (last != FD_SETSIZE - 1) {
        close(last);
        skip("needs FD_SETSIZE descriptors");
    }
    expect_ok(selector_add_reader(s, last, note, "read"));
    expect_ok(selector_add_writer(s, fds[1], note, "write"));
    put(fds[1], "x");
    step("a reader on descriptor %d, a writer on a small one, both ready", last);
    for (int i = 0; i < 2; i++) {
        fixture_iteration();
        if (on("select"))
            expect_trace("write", "read"); /* the others order by something else */
        forget_trace();
    }
    selector_forget(s, last);
    selector_forget(s, fds[1]);
    close(last);
}

static struct {
    struct selector *selector;
    int fds[2];
} pair_of_readers;

static int remove_the_other(void *arg)
{
    int self = *(int *)arg, other = pair_of_readers.fds[0] + pair_of_readers.fds[1] - self;
    record("called");
    expect_true("the other one was there", selector_remove_reader(pair_of_readers.selector, other));
    return 0;
}

static void a_callback_removed_in_the_same_batch_does_not_run(void)
{
    struct selector *s = fixture_selector();
    int one[2], two[2];
    fixture_socketpair(one);
    fixture_socketpair(two);
    pair_of_readers.selector = s;
    pair_of_readers.fds[0] = one[0];
    pair_of_readers.fds[1] = two[0];
    put(one[1], "x");
    put(two[1], "x");
    expect_ok(selector_add_reader(s, one[0], remove_the_other, &pair_of_readers.fds[0]));
    expect_ok(selector_add_reader(s, two[0], remove_the_other, &pair_of_readers.fds[1]));
    step("both are ready; whoever is first removes the other");
    expect_int(fixture_iteration(), 1);
    expect_trace("called");
    selector_forget(s, one[0]);
    selector_forget(s, two[0]);
}

static int fail_once(void *arg)
{
    selector_remove_reader(fixture_selector(), *(int *)arg);
    return ERR_USER - 3;
}

static void an_error_of_a_callback_is_reported(void)
{
    int fds[2];
    fixture_socketpair(fds);
    put(fds[1], "x");
    expect_ok(selector_add_reader(fixture_selector(), fds[0], fail_once, &fds[0]));
    fixture_iteration();
    expect_report("callback", ERR_USER - 3);
}

static void a_callback_and_a_wait_share_a_descriptor(void)
{
    struct selector *s = fixture_selector();
    struct future *f;
    char block[65536];
    int fds[2];
    fixture_socketpair(fds);
    fill(fds[0]);
    step("a wait for writing, then a reader");
    expect_ok(selector_wait(s, fds[0], SELECTOR_WRITE, &f));
    expect_ok(selector_add_reader(s, fds[0], note, "read"));
    put(fds[1], "x");
    fixture_iteration();
    fixture_iteration();
    expect_trace("read", "read");
    expect_true("there is no room yet", !future_done(f));
    step("the reader goes, the wait stays");
    expect_true("there was one", selector_remove_reader(s, fds[0]));
    while (read(fds[1], block, sizeof block) > 0)
        continue;
    fixture_iteration();
    expect_ok(future_result(f, NULL));
    future_unref(f);
    step("a reader again, after the wait");
    expect_ok(selector_add_reader(s, fds[0], note, "read"));
    fixture_iteration();
    fixture_iteration();
    expect_trace("read", "read");
    selector_forget(s, fds[0]);
}

static void a_stop_in_the_same_turn_does_not_double_a_callback(void)
{
    struct selector *s = fixture_selector();
    int fds[2];
    fixture_socketpair(fds);
    put(fds[1], "x");
    expect_ok(selector_add_reader(s, fds[0], note, "read"));
    step("loop_stop(), then loop_run_forever(): one turn");
    loop_stop(fixture_loop());
    expect_ok(loop_run_forever(fixture_loop()));
    expect_trace("read");
    selector_forget(s, fds[0]);
}

static void a_regular_file_is_always_ready(void)
{
    struct selector *s = fixture_selector();
    struct future *f;
    FILE *file = tmpfile();
    if (file == NULL)
        skip("needs a temporary file");
    int fd = fileno(file);
    for (int i = 0; i < 2; i++) {
        step("selector_wait() for a regular file");
        expect_ok(selector_wait(s, fd, SELECTOR_READ, &f));
        fixture_iteration();
        expect_ok(future_result(f, NULL));
        future_unref(f);
    }
    selector_forget(s, fd);
    fclose(file);
}

static void a_reader_of_a_regular_file_is_called_in_every_turn(void)
{
    struct selector *s = fixture_selector();
    FILE *file = tmpfile();
    if (file == NULL)
        skip("needs a temporary file");
    int fd = fileno(file);
    step("selector_add_reader() for a regular file");
    expect_ok(selector_add_reader(s, fd, note, "read"));
    fixture_iteration();
    fixture_iteration();
    expect_trace("read", "read");
    expect_true("there was one", selector_remove_reader(s, fd));
    fixture_iteration();
    expect_no_trace();
    selector_forget(s, fd);
    fclose(file);
}

/* --- ends and errors ------------------------------------------------------------------------ */

static void a_hang_up_wakes_both_directions(void)
{
    struct selector *s = fixture_selector();
    struct future *reading, *writing;
    int fds[2];
    fixture_socketpair(fds);
    fill(fds[0]);
    expect_ok(selector_wait(s, fds[0], SELECTOR_READ, &reading));
    expect_ok(selector_wait(s, fds[0], SELECTOR_WRITE, &writing));
    fixture_iteration();
    expect_true("both wait", !future_done(reading) && !future_done(writing));
    step("the peer closes");
    close(fds[1]);
    fixture_iteration();
    expect_ok(future_result(reading, NULL));
    expect_ok(future_result(writing, NULL));
    future_unref(reading);
    future_unref(writing);
}

static void forgetting_tells_those_who_wait(void)
{
    struct selector *s = fixture_selector();
    struct future *f;
    int fds[2];
    fixture_socketpair(fds);
    expect_ok(selector_wait(s, fds[0], SELECTOR_READ, &f));
    expect_ok(selector_add_writer(s, fds[0], note, "never"));
    step("selector_forget(s, fd)");
    selector_forget(s, fds[0]);
    expect_error(future_result(f, NULL), -EBADF);
    expect_int(selector_count(s), 0);
    fixture_iteration();
    expect_no_trace();
    future_unref(f);
}

static void a_number_used_again_inherits_nothing(void)
{
    struct selector *s = fixture_selector();
    struct future *old, *f;
    int fds[2], other[2];
    fixture_socketpair(fds);
    fixture_socketpair(other);
    expect_ok(selector_wait(s, fds[0], SELECTOR_READ, &old));
    expect_ok(selector_add_writer(s, fds[0], note, "never"));
    step("selector_forget(), close(), and the number belongs to another file");
    selector_forget(s, fds[0]);
    dup2(other[0], fds[0]);
    put(other[1], "x");
    fixture_iteration();
    expect_no_trace();
    expect_error(future_result(old, NULL), -EBADF);
    future_unref(old);
    step("whoever waits for the new file is told");
    expect_ok(selector_wait(s, fds[0], SELECTOR_READ, &f));
    fixture_iteration();
    expect_ok(future_result(f, NULL));
    future_unref(f);
    selector_forget(s, fds[0]);
}

static void a_number_used_again_without_a_word_is_noticed_by_the_next_wait(void)
{
    struct selector *s = fixture_selector();
    struct future *f;
    int fds[2], other[2];
    fixture_socketpair(fds);
    fixture_socketpair(other);
    expect_ok(selector_wait(s, fds[0], SELECTOR_READ, &f));
    put(fds[1], "x");
    fixture_iteration();
    expect_ok(future_result(f, NULL));
    future_unref(f);
    step("nobody waits; the descriptor is closed and its number used again");
    dup2(other[0], fds[0]);
    expect_ok(selector_wait(s, fds[0], SELECTOR_READ, &f));
    fixture_iteration();
    expect_true("it waits for the new file", !future_done(f));
    put(other[1], "x");
    fixture_iteration();
    expect_ok(future_result(f, NULL));
    future_unref(f);
    selector_forget(s, fds[0]);
}

static void a_descriptor_closed_behind_our_back_is_purged(void)
{
    struct selector *s = fixture_selector();
    struct future *bad, *good;
    int fds[2], other[2];
    if (on("epoll"))
        skip("epoll forgets a closed descriptor without a word: selector_forget() is for that");
    fixture_socketpair(fds);
    fixture_socketpair(other);
    expect_ok(selector_wait(s, fds[0], SELECTOR_READ, &bad));
    expect_ok(selector_add_writer(s, fds[0], note, "never"));
    expect_ok(selector_wait(s, other[0], SELECTOR_READ, &good));
    step("close() of a descriptor for which somebody waits");
    close(fds[0]);
    put(other[1], "x");
    fixture_iteration();
    fixture_iteration();
    expect_error(future_result(bad, NULL), -EBADF);
    expect_report("closed", -EBADF);
    step("the others are served");
    expect_ok(future_result(good, NULL));
    expect_int(selector_count(s), 0);
    future_unref(bad);
    future_unref(good);
}

static void one_that_nobody_waits_for_may_be_closed_behind_our_back(void)
{
    struct selector *s = fixture_selector();
    struct future *f;
    int fds[2], other[2];
    fixture_socketpair(fds);
    fixture_socketpair(other);
    somebody_was_told(fds);
    step("close() of a descriptor for which somebody has waited");
    close(fds[0]);
    expect_ok(selector_wait(s, other[0], SELECTOR_READ, &f));
    put(other[1], "x");
    fixture_iteration();
    fixture_iteration();
    step("the others are served, and nobody hears of it");
    expect_ok(future_result(f, NULL));
    future_unref(f);
}

static int ticks, tick_fd;

static void on_tick(int signal)
{
    (void)signal;
    if (++ticks == 3 && write(tick_fd, "x", 1) < 0)
        ticks = -1;
}

static void a_signal_is_an_empty_turn(void)
{
    struct selector *s = fixture_selector();
    struct future *f;
    struct sigaction action = {.sa_handler = on_tick}, before;
    const int microseconds = harness_is_slow() ? 50000 : 2000;
    struct itimerval often = {{0, microseconds}, {0, microseconds}}, never = {{0, 0}, {0, 0}};
    int fds[2];
    fixture_real_time();
    fixture_socketpair(fds);
    ticks = 0;
    tick_fd = fds[1];
    sigaction(SIGALRM, &action, &before);
    expect_ok(selector_wait(s, fds[0], SELECTOR_READ, &f));
    step("signals arrive while the loop sleeps; the third one makes the descriptor ready");
    setitimer(ITIMER_REAL, &often, NULL);
    int error = loop_run_until_complete(fixture_loop(), f, NULL);
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
    expect_ok(error);
    expect_true("there were three signals", ticks >= 3);
    future_unref(f);
}

static void exactly_those_who_are_ready_are_told(void)
{
    enum { PAIRS = 100, ROUNDS = 20 };
    struct selector *s = fixture_selector();
    static int fds[PAIRS][2];
    static bool ready[PAIRS];
    static struct future *waits[PAIRS];
    for (int i = 0; i < PAIRS; i++)
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds[i]) < 0)
            skip("needs 200 descriptors");
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < PAIRS; i++) {
            ready[i] = random_below(3) == 0;
            waits[i] = NULL;
            if (random_below(8) == 0)
                selector_forget(s, fds[i][0]);
            if (ready[i])
                put(fds[i][1], "x");
            expect_ok(selector_wait(s, fds[i][0], SELECTOR_READ, &waits[i]));
        }
        fixture_iteration();
        int wrong = 0;
        for (int i = 0; i < PAIRS; i++) {
            wrong += future_done(waits[i]) != ready[i];
            future_cancel(waits[i]);
            future_unref(waits[i]);
            if (ready[i])
                take(fds[i][0]);
        }
        step("round %d", round);
        expect_int(wrong, 0);
    }
    for (int i = 0; i < PAIRS; i++) {
        selector_forget(s, fds[i][0]);
        close(fds[i][0]);
        close(fds[i][1]);
    }
}

static void a_closed_loop_refuses_and_tells_those_who_wait(void)
{
    struct selector *s = fixture_selector();
    struct future *f, *g;
    int fds[2];
    fixture_socketpair(fds);
    expect_ok(selector_wait(s, fds[0], SELECTOR_READ, &f));
    expect_ok(selector_add_writer(s, fds[0], note, "never"));
    step("loop_close()");
    fixture_close();
    expect_error(future_result(f, NULL), ERR_CLOSED);
    step("selector_add_reader() on the closed one");
    expect_error(selector_add_reader(s, fds[1], note, NULL), ERR_CLOSED);
    expect_error(selector_wait(s, fds[1], SELECTOR_READ, &g), ERR_CLOSED);
    expect_true("nothing is there to be removed", !selector_remove_writer(s, fds[0]));
    selector_forget(s, fds[0]);
    future_unref(f);
    expect_no_trace();
}

static const struct check checks[] = {
    CHECK(a_wait_wants_a_descriptor_and_one_direction, "S06", "5.3", ""),
    CHECK(a_callback_wants_a_descriptor_and_a_function, "S06", NULL, ""),
    CHECK(a_closed_descriptor_is_refused, "S06 S08", "5.3", ""),
    CHECK(select_refuses_what_does_not_fit_into_its_sets, "S07", "5.3", ""),
    CHECK(the_second_who_waits_is_refused, "S02 S31", "5.3", "5.1 5.2"),
    CHECK(a_selector_without_a_loop_cannot_wait, "", "5.3", ""),
    CHECK(the_environment_chooses_the_default, "", NULL, ""),
    CHECK(nothing_to_wait_for_is_a_deadlock, "L04", NULL, ""),
    CHECK(a_wait_is_done_when_the_descriptor_is_ready, "S20", "5.3", "5.1 5.2"),
    CHECK(who_did_not_read_everything_is_told_again, "S36", "5.3", "5.1 5.2"),
    CHECK(a_full_descriptor_is_writable_when_the_peer_has_read, "", "5.3", "5.1 5.2"),
    CHECK(cancelling_a_wait_takes_effect_at_once, "S27 S28", "5.3", "5.1 5.2"),
    CHECK(a_cancel_after_readiness_comes_too_late, "S29", "5.3", "5.1 5.2"),
    CHECK(a_wait_that_nobody_holds_still_calls_back, "", "5.3", "5.1 5.2"),
    CHECK(what_a_wait_is_can_be_read, "F24", "5.3", ""),
    CHECK(waiting_needs_no_memory_once_it_has_begun, "", "5.3", "5.1 5.2"),
    CHECK(without_memory_nothing_is_registered, "", "5.3", "5.1 5.2"),
    CHECK(something_to_read_ends_the_sleep, "S01", "5.1", "5.2"),
    CHECK(room_to_write_ends_the_sleep, "S01", "5.1", "5.2"),
    CHECK(room_to_write_ends_the_sleep_although_others_read, "S01", "5.1", "5.2"),
    CHECK(the_highest_descriptor_ends_the_sleep, "S01", "5.1", "5.2"),
    CHECK(what_nobody_asked_for_does_not_end_the_sleep, "S01", "5.1", ""),
    CHECK(a_fraction_of_the_smallest_unit_is_slept_through, "D02 D06", "5.1", ""),
    CHECK(a_reader_is_called_in_every_turn_until_removed, "S01 S04", "5.1", "5.2"),
    CHECK(the_reader_is_called_before_the_writer, "S03 S04", "5.2", "5.1"),
    CHECK(only_the_direction_that_is_ready_is_told, "S01", "5.2", "5.1"),
    CHECK(the_last_descriptor_that_fits_into_a_set_is_told, "S07", "5.2", "5.1"),
    CHECK(a_callback_removed_in_the_same_batch_does_not_run, "S05", "5.2", "5.1"),
    CHECK(an_error_of_a_callback_is_reported, "H04", "5.2", "5.1"),
    CHECK(a_callback_and_a_wait_share_a_descriptor, "S02 S36", "5.2", "5.1 5.3"),
    CHECK(a_descriptor_that_nobody_waits_for_any_more_keeps_nobody_awake, "S02 D06", "5.2",
          "5.1 5.3"),
    CHECK(a_stop_in_the_same_turn_does_not_double_a_callback, "L17", "5.2", "5.1"),
    CHECK(a_regular_file_is_always_ready, "S36", "5.3", "5.1 5.2"),
    CHECK(a_reader_of_a_regular_file_is_called_in_every_turn, "S36", "5.2", "5.1"),
    CHECK(a_hang_up_wakes_both_directions, "S35", "5.2", "5.1 5.3"),
    CHECK(forgetting_tells_those_who_wait, "S08", "5.3", ""),
    CHECK(a_number_used_again_inherits_nothing, "S09", "5.3", "5.1 5.2"),
    CHECK(a_number_used_again_without_a_word_is_noticed_by_the_next_wait, "S09", "5.3", "5.1 5.2"),
    CHECK(a_descriptor_closed_behind_our_back_is_purged, "S08", "5.1", "5.2 5.3"),
    CHECK(one_that_nobody_waits_for_may_be_closed_behind_our_back, "S08", "5.1", "5.2 5.3"),
    CHECK(a_signal_is_an_empty_turn, "S11", "5.1", "5.2 5.3"),
    CHECK(exactly_those_who_are_ready_are_told, "S01", "5.2", "5.1 5.3"),
    CHECK(a_closed_loop_refuses_and_tells_those_who_wait, "S10", "5.3", ""),
};
SUITE_ON_FIXTURE(selector, 5, checks)
