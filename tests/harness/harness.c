/*
 * The inside of a check: steps, events, expectations.
 *
 * An expectation is made a fact first: plain data, no formatting, because it may come from inside
 * a generator, whose stack is small, or from another thread. On the check's own stack the facts are
 * judged; there is room for printf, and from there the check can be left.
 */
#include "harness.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness_impl.h"

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef VALGRIND_CLO_CHANGE
#define VALGRIND_CLO_CHANGE(option) ((void)(option))
#endif

enum { FACTS = 256, TRACE = 512, TRACE_SIZE = 80, REPORTS = 16, SOCKETS = 32 };

enum fact_kind { RESUME, STATUS, NUMBER, VALUE, STRING, PART, SECONDS, TRUTH, STATE };

struct fact {
    enum fact_kind kind;
    const char *file;
    int line;
    const char *what;
    long long got, want;
    value got_value, want_value;
    double got_seconds, want_seconds;
    bool got_null;
    char got_text[200];
    const char *want_text;
    int step; /* that it belongs to */
};

struct report {
    char text[200];
    int error;
};

static struct record *record_now;
static struct record nobodys; /* outside checks */
static uintptr_t own_stack;
static atomic_flag lock = ATOMIC_FLAG_INIT;
static struct fact facts[FACTS];
static int fact_count, facts_lost;
static char trace[TRACE][TRACE_SIZE];
static int trace_count;
static struct report reports[REPORTS];
static int report_count;
static int sockets[SOCKETS], socket_count;
static unsigned long long random_state;
static bool keeps_memory, over;
static int descriptors_before;

/* As snprintf; what does not fit is cut, and that is meant. */
static void put(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void put(char *text, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(text, size, format, args);
    va_end(args);
}

static void take(void)
{
    while (atomic_flag_test_and_set_explicit(&lock, memory_order_acquire)) {
    }
}

static void give(void)
{
    atomic_flag_clear_explicit(&lock, memory_order_release);
}

/* Whether this is the stack, and so the thread, on which the check began. */
static bool on_own_stack(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    return here <= own_stack && own_stack - here < (uintptr_t)4 << 20;
}

static void notice_unwritten(void)
{
    const char *exercise = exercise_met_unwritten();
    if (exercise != NULL && record_now->unwritten[0] == '\0')
        put(record_now->unwritten, sizeof record_now->unwritten, "%s", exercise);
}

/*
 * Every stub passes through here. It is called on small stacks and on any thread, so it writes only
 * a few bytes; and a body that tries a stub again and again is ended, since it would try for ever.
 */
int __real_exercise_unwritten(const char *exercise);
int __wrap_exercise_unwritten(const char *exercise);
__attribute__((used)) int __wrap_exercise_unwritten(const char *exercise)
{
    static atomic_int calls;
    struct record *r = record_now;
    for (size_t i = 0; r != NULL && i + 1 < sizeof r->stub && exercise[i] != '\0'; i++)
        r->stub[i] = exercise[i];
    if (atomic_fetch_add(&calls, 1) > 200000)
        _exit(0);
    return __real_exercise_unwritten(exercise);
}

/* --- failing -------------------------------------------------------------------------------- */

/* A process that ends half-way leaves everything behind; valgrind need not list it. */
static void expect_no_cleanup(void)
{
    VALGRIND_CLO_CHANGE("--leak-check=no");
}

/* Nobody reads a card in a debugger. */
static void say_why(const struct record *r)
{
    if (r->want[0] != '\0')
        fprintf(stderr, "%s:%d\n  expected: %s\n  got:      %s\n", r->file, r->line, r->want,
                r->got);
    else
        fprintf(stderr, "%s\n", r->reason);
}

/* Both do nothing, so that a debugger can stop here: `make debug` does. In the second the check's
 * own frame is gone. */
__attribute__((noinline)) void harness_stop(void)
{
    __asm__ volatile("");
}

__attribute__((noinline)) void harness_stop_at_end(void)
{
    __asm__ volatile("");
}

void harness_give_up(void)
{
    const char *fork = getenv("CK_FORK");
    fflush(NULL);
    expect_no_cleanup();
    if (fork == NULL || strcmp(fork, "no") != 0)
        _exit(0); /* the record says what happened; nothing else of this process matters */
    say_why(record_now);
    if (over)
        harness_stop_at_end();
    else
        harness_stop();
    ck_abort_msg("failed");
    abort();
}

void harness_fail(const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(record_now->reason, sizeof record_now->reason, format, args);
    va_end(args);
    notice_unwritten();
    put(record_now->file, sizeof record_now->file, "%s", file == NULL ? "" : file);
    record_now->line = line;
    record_now->progress = FAILED;
    harness_give_up();
}

static _Noreturn void fail_expectation(const struct fact *f, const char *want, const char *got)
{
    struct record *r = record_now;
    put(r->want, sizeof r->want, "%s", want);
    put(r->got, sizeof r->got, "%s", got);
    put(r->file, sizeof r->file, "%s", f->file);
    r->line = f->line;
    if (f->step < r->steps && f->step >= 0)
        put(r->reason, sizeof r->reason, "that was step %d", f->step);
    notice_unwritten();
    r->progress = FAILED;
    harness_give_up();
}

/* --- judging -------------------------------------------------------------------------------- */

/* What a resume answered, in words: "yielded 5", "returned None", "raised ERR_BUSY". */
static void describe_resume(char *text, size_t size, long long status, value out)
{
    char v[200];
    value_format(out, v, sizeof v);
    if (status == GEN_NEXT)
        put(text, size, "yielded %s", v);
    else if (status == GEN_RETURN)
        put(text, size, "returned %s", v);
    else if (status > 0)
        put(text, size, "answered %lld, which means nothing", status);
    else if (value_is_none(out))
        put(text, size, "raised %s", error_name((int)status));
    else
        put(text, size, "raised %s, but left %s in *out", error_name((int)status), v);
}

static void describe_status(char *text, size_t size, const char *what, long long status)
{
    if (status == 0)
        put(text, size, "%s answers 0: success", what);
    else if (status < 0)
        put(text, size, "%s answers %s", what, error_name((int)status));
    else
        put(text, size, "%s answers %lld", what, status);
}

static const char *state_name(long long state)
{
    static const char *const names[] = {"created", "running", "suspended", "closed"};
    return state >= 0 && state < 4 ? names[state] : "in no state at all";
}

static void judge(const struct fact *f)
{
    char want[TEXT_SIZE], got[TEXT_SIZE], v[400], w[400];
    bool right = false;
    switch (f->kind) {
    case RESUME:
        right = f->got == f->want && value_equal(f->got_value, f->want_value);
        describe_resume(want, sizeof want, f->want, f->want_value);
        describe_resume(got, sizeof got, f->got, f->got_value);
        break;
    case STATUS:
        right = f->got == f->want;
        describe_status(want, sizeof want, f->what, f->want);
        describe_status(got, sizeof got, f->what, f->got);
        break;
    case NUMBER:
        right = f->got == f->want;
        put(want, sizeof want, "%s is %lld", f->what, f->want);
        put(got, sizeof got, "%lld", f->got);
        break;
    case VALUE:
        right = value_equal(f->got_value, f->want_value);
        value_format(f->want_value, w, sizeof w);
        value_format(f->got_value, v, sizeof v);
        put(want, sizeof want, "%s is %s", f->what, w);
        put(got, sizeof got, "%s", v);
        break;
    case STRING:
        right = !f->got_null && strcmp(f->got_text, f->want_text) == 0;
        put(want, sizeof want, "%s is \"%s\"", f->what, f->want_text);
        put(got, sizeof got, f->got_null ? "nothing" : "\"%s\"", f->got_text);
        break;
    case PART:
        right = f->got != 0;
        put(want, sizeof want, "%s contains \"%s\"", f->what, f->want_text);
        put(got, sizeof got, f->got_null ? "nothing" : "\"%s\"", f->got_text);
        break;
    case SECONDS: {
        double difference = f->got_seconds - f->want_seconds;
        right = f->got_seconds == f->want_seconds || (difference < 2e-3 && difference > -1e-6);
        put(want, sizeof want, "%s is %.6f", f->what, f->want_seconds);
        put(got, sizeof got, "%.6f", f->got_seconds);
        break;
    }
    case TRUTH:
        right = f->got != 0;
        put(want, sizeof want, "%s", f->what);
        put(got, sizeof got, "it is not so");
        break;
    case STATE:
        right = f->got == f->want;
        put(want, sizeof want, "%s is %s", f->what, state_name(f->want));
        put(got, sizeof got, "%s", state_name(f->got));
        break;
    }
    if (!right)
        fail_expectation(f, want, got);
}

/*
 * Judges what was noted elsewhere. Only on the check's own stack. Other threads may note more
 * meanwhile: what stands below the count that was read under the lock does not change any more, and
 * what comes above it is judged the next time.
 */
static void judge_facts(void)
{
    notice_unwritten();
    take();
    int n = fact_count, lost = facts_lost;
    give();
    for (int i = 0; i < n; i++)
        judge(&facts[i]); /* without the lock: it may not come back */
    take();
    fact_count -= n;
    memmove(&facts[0], &facts[n], (size_t)fact_count * sizeof facts[0]);
    give();
    if (lost > 0)
        harness_fail(NULL, 0, "%d expectations came too fast: more than %d inside generators", lost,
                     FACTS);
}

static void establish(struct fact *f)
{
    f->step = record_now->steps;
    if (on_own_stack()) {
        judge_facts();
        judge(f);
        return;
    }
    take();
    if (fact_count < FACTS)
        facts[fact_count++] = *f;
    else
        facts_lost++;
    give();
}

void step(const char *format, ...)
{
    struct record *r = record_now;
    va_list args;
    if (on_own_stack())
        judge_facts();
    va_start(args, format);
    take();
    vsnprintf(r->step[r->steps % STEPS], STEP_SIZE, format, args);
    r->steps++;
    give();
    va_end(args);
}

void record(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    take();
    if (trace_count < TRACE)
        vsnprintf(trace[trace_count++], TRACE_SIZE, format, args);
    give();
    va_end(args);
}

#define FACT(k, ...) \
    struct fact f = {.kind = k, .file = file, .line = line, .what = what, __VA_ARGS__}; \
    establish(&f)

void harness_expect_resume(const char *file, int line, int status, value out, int want,
                           value want_out)
{
    const char *what = "";
    FACT(RESUME, .got = status, .got_value = out, .want = want, .want_value = want_out);
}

void harness_expect_status(const char *file, int line, const char *what, long long got, int want)
{
    FACT(STATUS, .got = got, .want = want);
}

void harness_expect_int(const char *file, int line, const char *what, long long got, long long want)
{
    FACT(NUMBER, .got = got, .want = want);
}

void harness_expect_value(const char *file, int line, const char *what, value got, value want)
{
    FACT(VALUE, .got_value = got, .want_value = want);
}

static void copy_text(struct fact *f, const char *got)
{
    f->got_null = got == NULL;
    size_t length = got == NULL ? 0 : strlen(got);
    if (length > sizeof f->got_text - 1)
        length = sizeof f->got_text - 1;
    if (length > 0)
        memcpy(f->got_text, got, length);
    f->got_text[length] = '\0';
}

void harness_expect_str(const char *file, int line, const char *what, const char *got,
                        const char *want)
{
    struct fact f = {.kind = STRING, .file = file, .line = line, .what = what, .want_text = want};
    copy_text(&f, got);
    establish(&f);
}

void harness_expect_text(const char *file, int line, const char *what, const char *got,
                         const char *part)
{
    struct fact f = {.kind = PART, .file = file, .line = line, .what = what, .want_text = part};
    copy_text(&f, got);
    f.got = got != NULL && strstr(got, part) != NULL;
    establish(&f);
}

void harness_expect_time(const char *file, int line, const char *what, double got, double want)
{
    FACT(SECONDS, .got_seconds = got, .want_seconds = want);
}

void harness_expect_true(const char *file, int line, const char *sentence, bool condition)
{
    const char *what = sentence;
    FACT(TRUTH, .got = condition);
}

void harness_expect_state(const char *file, int line, const char *what, enum gen_state got,
                          enum gen_state want)
{
    FACT(STATE, .got = (long long)got, .want = (long long)want);
}

void harness_expect_never(const char *file, int line, const char *sentence)
{
    static char what[200];
    take();
    put(what, sizeof what, "never: %s", sentence);
    give();
    FACT(TRUTH, .got = false);
}

/* Joins lines for a message: "A started, B started". */
static void join(char *text, size_t size, const char *const *lines, int n)
{
    size_t length = 0;
    put(text, size, n == 0 ? "nothing happens" : "%s", "");
    for (int i = 0; i < n && length < size - 1; i++)
        length +=
            (size_t)snprintf(text + length, size - length, "%s%s", i > 0 ? ", " : "", lines[i]);
}

void harness_expect_trace(const char *file, int line, const char *const *want)
{
    struct fact f = {.file = file, .line = line, .step = record_now->steps};
    const char *got[TRACE];
    char wanted[TEXT_SIZE], happened[TEXT_SIZE];
    int n = 0;
    if (!on_own_stack())
        die("expect_trace() belongs into the check itself, not into a generator or a callback");
    judge_facts();
    while (want[n] != NULL)
        n++;
    take();
    bool right = n == trace_count;
    for (int i = 0; i < trace_count; i++) {
        got[i] = trace[i];
        right = right && strcmp(trace[i], want[i]) == 0;
    }
    join(wanted, sizeof wanted, want, n);
    join(happened, sizeof happened, got, trace_count);
    trace_count = 0;
    give();
    if (!right)
        fail_expectation(&f, wanted, happened);
}

void forget_trace(void)
{
    take();
    trace_count = 0;
    give();
}

void skip(const char *reason)
{
    judge_facts();
    put(record_now->reason, sizeof record_now->reason, "%s", reason);
    record_now->progress = SKIPPED;
    harness_give_up();
}

/* --- a process that dies -------------------------------------------------------------------- */

void harness_expect_death(const char *file, int line, int signal, const char *text,
                          void (*fn)(void *arg), void *arg)
{
    struct fact f = {.file = file, .line = line, .step = record_now->steps};
    char said[TEXT_SIZE], want[TEXT_SIZE + 100], got[TEXT_SIZE + 100];
    int ends[2], status;
    size_t length = 0;
    judge_facts();
    fflush(NULL);
    if (pipe(ends) != 0)
        die("expect_death(): no pipe");
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        expect_no_cleanup();
        fn(arg);
        notice_unwritten(); /* the record is shared with this process too */
        _exit(0);
    }
    close(ends[1]);
    for (;;) { /* reads on when the text is full, so that the child can go on */
        char more[512];
        ssize_t n = read(ends[0], more, sizeof more);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        size_t room = sizeof said - 1 - length;
        size_t taken = (size_t)n < room ? (size_t)n : room;
        memcpy(said + length, more, taken);
        length += taken;
    }
    said[length] = '\0';
    close(ends[0]);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) == signal && (text == NULL || strstr(said, text)))
        return;
    put(want, sizeof want, "the process ends by %s%s%s", strsignal(signal),
        text == NULL ? "" : ", saying: ", text == NULL ? "" : text);
    if (WIFSIGNALED(status))
        put(got, sizeof got, "it ends by %s, saying: %s", strsignal(WTERMSIG(status)), said);
    else
        put(got, sizeof got, "it exits with %d, saying: %s", WEXITSTATUS(status), said);
    fail_expectation(&f, want, got);
}

/* --- reports -------------------------------------------------------------------------------- */

void harness_report(const char *message, int error)
{
    take();
    if (report_count < REPORTS) {
        put(reports[report_count].text, sizeof reports->text, "%s", message);
        reports[report_count++].error = error;
    }
    give();
}

static void describe_report(char *text, size_t size, const struct report *r)
{
    put(text, size, "a report: %s%s%s", r->text, r->error ? ", " : "",
        r->error ? error_name(r->error) : "");
}

/* Takes the oldest report out. @return how many there were. */
static int take_report(struct report *first)
{
    take();
    int n = report_count;
    if (n > 0) {
        *first = reports[0];
        report_count--;
        memmove(&reports[0], &reports[1], (size_t)report_count * sizeof reports[0]);
    }
    give();
    return n;
}

void harness_expect_report(const char *file, int line, const char *text, int error)
{
    struct fact f = {.file = file, .line = line, .step = record_now->steps};
    char want[TEXT_SIZE], got[TEXT_SIZE] = "no report";
    struct report wanted = {.error = error};
    if (!on_own_stack())
        die("expect_report() belongs into the check itself, not into a generator or a callback");
    judge_facts();
    struct report first = {.error = 0};
    int n = take_report(&first);
    if (n > 0)
        describe_report(got, sizeof got, &first);
    if (text == NULL) {
        if (n > 0)
            fail_expectation(&f, "no report", got);
        return;
    }
    put(wanted.text, sizeof wanted.text, "%s", text);
    describe_report(want, sizeof want, &wanted);
    if (n == 0 || first.error != error || strstr(first.text, text) == NULL)
        fail_expectation(&f, want, got);
}

/* --- odds and ends -------------------------------------------------------------------------- */

void harness_keep_memory(void)
{
    expect_no_cleanup();
    keeps_memory = true;
}

unsigned random_below(unsigned below)
{
    record_now->random = true;
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return below == 0 ? 0 : (unsigned)(random_state >> 32) % below;
}

void fixture_socketpair(int fds[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
        skip("no descriptors are left");
    for (int i = 0; i < 2; i++) {
        fcntl(fds[i], F_SETFL, fcntl(fds[i], F_GETFL) | O_NONBLOCK);
        fcntl(fds[i], F_SETFD, FD_CLOEXEC);
        if (socket_count < SOCKETS)
            sockets[socket_count++] = fds[i];
    }
}

static int count_descriptors(void)
{
    int n = 0;
    DIR *dir = opendir("/dev/fd");
    if (dir == NULL)
        return 0;
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

/* --- begin and end -------------------------------------------------------------------------- */

void harness_begin(struct record *r, const char *kind, unsigned seed)
{
    own_stack = (uintptr_t)__builtin_frame_address(0) + 4096; /* the caller's frame counts too */
    record_now = r == NULL ? &nobodys : r;
    fact_count = facts_lost = trace_count = report_count = socket_count = 0;
    keeps_memory = over = false;
    random_state = 0x9e3779b97f4a7c15ULL * ((unsigned long long)seed + 1);
    for (int i = 0; i < 4; i++)
        random_below(2);
    record_now->random = false;
    exercise_met_unwritten();
    fixture_begin(kind);
    descriptors_before = count_descriptors();
    allocation_begin();
}

static void check_reports(void)
{
    char text[TEXT_SIZE];
    struct report first = {.error = 0};
    if (take_report(&first) == 0)
        return;
    describe_report(text, sizeof text, &first);
    harness_fail(NULL, 0, "nobody expected this: %s", text);
}

/* Threads of an executor may still be on their way out: they get a moment before it is a leak. */
static void check_memory(void)
{
    size_t bytes = 0, first = 0, blocks = allocation_left(&bytes, NULL);
    struct timespec moment = {.tv_nsec = 1000000};
    for (int i = 0; blocks > 0 && i < 300 && !keeps_memory; i++) {
        nanosleep(&moment, NULL);
        blocks = allocation_left(&bytes, NULL);
    }
    if (blocks > 0)
        blocks = allocation_left(&bytes, &first);
    if (blocks > 0 && !keeps_memory)
        harness_fail(NULL, 0,
                     "memory leak: %zu block%s not freed, %zu bytes in all, %zu in the first",
                     blocks, blocks == 1 ? " was" : "s were", bytes, first);
}

static void check_descriptors(void)
{
    int now;
    for (int i = 0; i < socket_count; i++)
        close(sockets[i]); /* EBADF: the check has done so */
    now = count_descriptors();
    if (now > descriptors_before)
        harness_fail(NULL, 0, "descriptor leak: %d more open than before",
                     now - descriptors_before);
}

void harness_end(void)
{
    over = true;
    judge_facts();
    check_reports();
    fixture_end();
    judge_facts();
    check_reports();
    if (record_now->unwritten[0] == '\0') { /* half-written code leaks; that is not news */
        check_descriptors();
        check_memory();
    }
    record_now->progress = ENDED;
}
