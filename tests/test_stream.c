/*
 * Lines and records: what is cut where, and that nothing is lost at an end, an error or a cancel.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "future.h"
#include "harness.h"
#include "loop.h"
#include "stream.h"
#include "task.h"

static struct {
    int peer;
    struct stream *stream;
    size_t limit;
} it;

static struct task *start(gen_fn *fn)
{
    struct task *task;
    expect_ok(task_new(fixture_dispatcher(), fn, NULL, &task));
    return task;
}

static int finish(struct task *task)
{
    int error = loop_run_until_complete(fixture_loop(), task_future(task), NULL);
    task_unref(task);
    return error;
}

static int make(void *arg, value *ret)
{
    int fds[2];
    struct sock *s;
    (void)arg, (void)ret;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0)
        return -errno;
    it.peer = fds[1];
    int error = sock_from_fd(fds[0], &s);
    if (!error)
        it.stream = stream_new(s, it.limit);
    return error;
}

static void begin(size_t limit)
{
    it.limit = limit;
    expect_ok(finish(start(make)));
}

static void end(void)
{
    stream_close(it.stream);
    close(it.peer);
}

static void put(const char *data, size_t size)
{
    if (write(it.peer, data, size) != (ssize_t)size)
        expect_never("a write to a pair of sockets failed");
}

static void line_is(const char *want)
{
    const char *line;
    step("stream_read_line()");
    expect_int(stream_read_line(it.stream, &line), strlen(want));
    expect_str(line, want);
}

static int read_lines(void *arg, value *ret)
{
    const char *line;
    (void)arg, (void)ret;
    line_is("one\n");
    line_is("\n");
    line_is("two\n");
    line_is("and no newline");
    step("at the end");
    expect_int(stream_read_line(it.stream, &line), 0);
    expect_int(stream_read_line(it.stream, &line), 0);
    return 0;
}

static void lines_are_cut_at_their_newlines(void)
{
    begin(0);
    put("one\n\ntwo\nand no newline", 23);
    shutdown(it.peer, SHUT_WR);
    expect_ok(finish(start(read_lines)));
    end();
}

static int read_one_byte(void *arg, value *ret)
{
    (void)arg, (void)ret;
    line_is("x");
    return 0;
}

static void a_last_line_may_be_one_byte(void)
{
    begin(0);
    put("x", 1);
    shutdown(it.peer, SHUT_WR);
    expect_ok(finish(start(read_one_byte)));
    end();
}

static int read_one_line(void *arg, value *ret)
{
    const char *line;
    (void)arg, (void)ret;
    ssize_t n = stream_read_line(it.stream, &line);
    if (n > 0)
        record("%s", line);
    return n < 0 ? (int)n : 0;
}

static void a_line_may_come_in_pieces(void)
{
    begin(0);
    struct task *task = start(read_one_line);
    for (int i = 0; i < 5; i++) {
        put("ab", 2);
        fixture_pump();
        expect_true("the line is not complete", !future_done(task_future(task)));
    }
    put("!\nrest", 6);
    expect_ok(finish(task));
    expect_trace("ababababab!\n");
    end();
}

static int read_too_long(void *arg, value *ret)
{
    const char *line;
    char rest[32] = "";
    size_t got = 0;
    (void)arg, (void)ret;
    line_is("1234567\n");
    step("a line of 9 bytes, where 8 are allowed");
    expect_error(stream_read_line(it.stream, &line), ERR_LIMIT);
    step("what was read is still there");
    while (got < 11) {
        ssize_t n = stream_read(it.stream, rest + got, sizeof rest - 1 - got);
        if (n <= 0)
            return ERR_END_OF_STREAM;
        got += (size_t)n;
    }
    expect_str(rest, "12345678\nx\n");
    return 0;
}

static void a_line_beyond_the_limit_is_refused_and_kept(void)
{
    begin(8);
    put("1234567\n12345678\nx\n", 19);
    expect_ok(finish(start(read_too_long)));
    end();
}

static int read_binary(void *arg, value *ret)
{
    const char *line;
    (void)arg, (void)ret;
    step("a line with a NUL in it");
    expect_int(stream_read_line(it.stream, &line), 4);
    expect_true("the NUL is there", memcmp(line, "a\0b\n", 5) == 0);
    return 0;
}

static void a_line_may_contain_anything(void)
{
    begin(0);
    put("a\0b\nc\n", 6);
    expect_ok(finish(start(read_binary)));
    end();
}

static int read_records(void *arg, value *ret)
{
    char data[8] = "";
    (void)arg, (void)ret;
    step("a line, then 5 bytes, then a line");
    line_is("head\n");
    expect_ok(stream_read_exactly(it.stream, data, 5));
    expect_str(data, "12345");
    line_is("6\n");
    step("no bytes at all");
    expect_ok(stream_read_exactly(it.stream, data, 0));
    step("3 bytes, where the stream ends after 2");
    expect_error(stream_read_exactly(it.stream, data, 3), ERR_END_OF_STREAM);
    expect_ok(stream_read_exactly(it.stream, data, 2));
    data[2] = '\0';
    expect_str(data, "xy");
    expect_int(stream_read(it.stream, data, sizeof data), 0);
    return 0;
}

static void records_and_lines_can_be_mixed(void)
{
    begin(0);
    put("head\n123456\nxy", 14);
    shutdown(it.peer, SHUT_WR);
    expect_ok(finish(start(read_records)));
    end();
}

static void a_cancel_in_the_middle_loses_nothing(void)
{
    begin(0);
    struct task *task = start(read_one_line);
    put("half a ", 7);
    fixture_pump();
    step("task_cancel() in the middle of a line");
    task_cancel(task);
    expect_error(finish(task), ERR_CANCELLED);
    put("line\n", 5);
    expect_ok(finish(start(read_one_line)));
    expect_trace("half a line\n");
    end();
}

static void without_memory_nothing_is_lost(void)
{
    begin(0);
    put("a line\n", 7);
    struct task *task = start(read_one_line);
    step("stream_read_line() without memory");
    fail_allocation(1);
    int error = finish(task);
    if (allocation_failed())
        expect_error(error, -ENOMEM);
    expect_ok(finish(start(read_one_line)));
    expect_trace("a line\n");
    end();
}

static int write_and_read_back(void *arg, value *ret)
{
    (void)arg, (void)ret;
    return stream_write(it.stream, "hello\n", 6);
}

static void writing_goes_to_the_peer(void)
{
    char text[16] = "";
    begin(0);
    step("stream_write(stream, \"hello\\n\", 6)");
    expect_ok(finish(start(write_and_read_back)));
    expect_int(read(it.peer, text, sizeof text), 6);
    expect_str(text, "hello\n");
    expect_true("it knows its sock", sock_fileno(stream_sock(it.stream)) >= 0);
    end();
    stream_close(NULL);
}

static int random_lines(void *arg, value *ret)
{
    int *count = arg;
    const char *line;
    ssize_t n;
    (void)ret;
    while ((n = stream_read_line(it.stream, &line)) > 0) {
        char want = (char)('a' + *count % 26);
        for (ssize_t i = 0; i + 1 < n; i++)
            if (line[i] != want)
                return ERR_VALUE;
        if (line[n - 1] != '\n' || line[n] != '\0')
            return ERR_TYPE;
        ++*count;
    }
    return (int)n;
}

static void many_lines_of_any_length(void)
{
    enum { LINES = 300 };
    struct task *task;
    char line[2600];
    int count = 0;
    begin(0);
    expect_ok(task_new(fixture_dispatcher(), random_lines, &count, &task));
    step("300 lines of up to 2,500 bytes");
    for (int i = 0; i < LINES; i++) {
        size_t length = random_below(i % 10 == 0 ? 2500 : 40);
        memset(line, 'a' + i % 26, length);
        line[length] = '\n';
        put(line, length + 1);
        fixture_pump();
    }
    shutdown(it.peer, SHUT_WR);
    expect_ok(finish(task));
    expect_int(count, LINES);
    end();
}

#define BELOW "5.1 5.2 5.4"

static const struct check checks[] = {
    CHECK(lines_are_cut_at_their_newlines, "", "5.9", "5.4"),
    CHECK(a_last_line_may_be_one_byte, "", "5.9", "5.4"),
    CHECK(a_line_may_come_in_pieces, "", "5.9", BELOW),
    CHECK(a_line_beyond_the_limit_is_refused_and_kept, "", "5.9", "5.4"),
    CHECK(a_line_may_contain_anything, "", "5.9", "5.4"),
    CHECK(records_and_lines_can_be_mixed, "", "5.9", "5.4"),
    CHECK(a_cancel_in_the_middle_loses_nothing, "S27 S29", "5.9", "5.1 5.4"),
    CHECK(without_memory_nothing_is_lost, "", "5.9", "5.4"),
    CHECK(writing_goes_to_the_peer, "", "5.5", ""),
    CHECK(many_lines_of_any_length, "", "5.9", BELOW),
};
SUITE_ON_FIXTURE(stream, 5, checks)
