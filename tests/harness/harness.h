/**
 * @file harness.h
 * @brief What a suite is written with: checks, steps, expectations, fixtures.
 *
 * A whole suite, tests/test_tally.c, for a header tally.h of stage 2:
 *
 *     #include "harness.h"
 *     #include "tally.h"
 *
 *     static void it_counts_what_it_is_told(void)
 *     {
 *         struct tally *t = tally_new(fixture_dispatcher());
 *         step("tally_add(t, 5)");
 *         expect_ok(tally_add(t, 5));
 *         step("tally_total(t)");
 *         expect_int(tally_total(t), 5);
 *         tally_free(t);
 *     }
 *
 *     static const struct check checks[] = {
 *         CHECK(it_counts_what_it_is_told, "Q01 Q02", "2.7", "2.1 2.2"),
 *     };
 *     SUITE_ON_FIXTURE(tally, 2, checks)
 *
 * - A check is a function whose name is a sentence. CHECK() says which rows of the contract it
 *   covers, which exercise is to blame if it fails, and which other exercises of the same stage it
 *   cannot do without. For code that is given and no exercise the third is NULL.
 * - step() tells the student what was done; write the call, with the values. An expectation refers
 *   to the latest step. Arguments stand as (got, wanted).
 * - Each check runs in a process of its own (CK_FORK=no: in this one, for a debugger). It fails by
 *   its first wrong expectation, a signal, a hang, an early exit, memory or a descriptor that it
 *   did not give back, a report that nobody expected. You need not check these.
 * - Anything may be used inside a generator's body, in callbacks and on other threads: there the
 *   harness only notes the facts, and judges them when the check's own stack runs again. To see the
 *   order of events use record("A started") there and expect_trace("A started", "B started") after.
 *   Give bodies static data or a struct in the check; a string in a value must outlive the check.
 * - A check that meets an exercise that is not written yet is reported as that, whatever it saw.
 * - SUITE_ON_FIXTURE() is for suites that take their dispatcher from the fixture: they run on every
 *   kind that the stage in hand has (stages 2, 3: a queue pumped by hand; 4: the loop on a clock on
 *   which a day takes no time; 5: the loop on select, poll and epoll, on such a clock too).
 *   SUITE() runs once.
 * - Nothing sleeps: time is fixture_advance(3600).
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "generator.h"
#include "value.h"

struct dispatcher;
struct task_loop;
struct selector;

/* --- checks and suites ---------------------------------------------------------------------- */

struct check {
    const char *name;     /* a sentence_with_underscores */
    const char *rows;     /* of the contract, separated by spaces: "G21 G29"; "" if none */
    const char *exercise; /* "1.8"; NULL: of given code */
    const char *needs;    /* other exercises of its stage, separated by spaces; "" if none */
    void (*fn)(void);
    const char *file;
    int line;
    unsigned seconds; /* it may take; 0: the usual (3) */
};

#define CHECK(fn, rows, exercise, needs) \
    { \
#fn, rows, exercise, needs, fn, __FILE__, __LINE__, 0 \
    }
#define SLOW_CHECK(fn, rows, exercise, needs, seconds) \
    { \
#fn, rows, exercise, needs, fn, __FILE__, __LINE__, seconds \
    }

struct suite {
    const char *name;
    int stage;
    bool on_fixture;
    size_t count;
    const struct check *checks;
    struct suite *next; /* the harness's */
};

void harness_add_suite(struct suite *suite);

#define HARNESS_SUITE(name, stage, on_fixture, checks) \
    static struct suite suite_##name = { \
        #name, stage, on_fixture, sizeof(checks) / sizeof *(checks), checks, NULL}; \
    __attribute__((constructor)) static void suite_##name##_add(void) \
    { \
        harness_add_suite(&suite_##name); \
    }
#define SUITE(name, stage, checks) HARNESS_SUITE(name, stage, false, checks)
#define SUITE_ON_FIXTURE(name, stage, checks) HARNESS_SUITE(name, stage, true, checks)

/* --- inside a check ------------------------------------------------------------------------- */

/** Says what is done next, as the student would write it: step("gen_send(g, %d)", 5). */
void step(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Notes an event, from wherever. */
void record(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Expects exactly these events since the last expect_trace(), and forgets them. */
#define expect_trace(...) \
    harness_expect_trace(__FILE__, __LINE__, (const char *const[]){__VA_ARGS__, NULL})
/** Expects that there was none. */
#define expect_no_trace() harness_expect_trace(__FILE__, __LINE__, (const char *const[]){NULL})

/** Forgets the events so far. */
void forget_trace(void);

/* Of what gen_send(), gen_next(), gen_throw() answer: a status and *out. */
#define expect_yields(status, out, want) \
    harness_expect_resume(__FILE__, __LINE__, status, out, GEN_NEXT, want)
#define expect_returns(status, out, want) \
    harness_expect_resume(__FILE__, __LINE__, status, out, GEN_RETURN, want)
/** The status is this error, and *out is None. */
#define expect_raises(status, out, error) \
    harness_expect_resume(__FILE__, __LINE__, status, out, error, value_none())

/** A function answered this error. */
#define expect_error(got, want) harness_expect_status(__FILE__, __LINE__, #got, got, want)
/** A function answered 0. */
#define expect_ok(got) harness_expect_status(__FILE__, __LINE__, #got, got, 0)
/** Exactly this number; the expression is printed beside it. */
#define expect_int(got, want) \
    harness_expect_int(__FILE__, __LINE__, #got, (long long)(got), (long long)(want))
#define expect_value(got, want) harness_expect_value(__FILE__, __LINE__, #got, got, want)
#define expect_str(got, want) harness_expect_str(__FILE__, __LINE__, #got, got, want)
/** A text that contains another one. */
#define expect_text(got, part) harness_expect_text(__FILE__, __LINE__, #got, got, part)
/** Seconds: not before the wanted ones, and at most 2 ms after (poll() counts in milliseconds). */
#define expect_time(got, want) harness_expect_time(__FILE__, __LINE__, #got, got, want)
/** @p sentence says what should be so: expect_true("the future is done", future_done(f)). */
#define expect_true(sentence, condition) \
    harness_expect_true(__FILE__, __LINE__, sentence, (condition) ? true : false)
/** A generator is in this state: expect_state(g, GEN_CLOSED). */
#define expect_state(g, want) harness_expect_state(__FILE__, __LINE__, #g, gen_state(g), want)
/** Fails: something happened that should not: expect_never("the body ran"). */
#define expect_never(sentence) harness_expect_never(__FILE__, __LINE__, sentence)

/**
 * fn(arg), in a process of its own, ends by this signal after printing @p text to standard error
 * (NULL: whatever it prints): expect_death(SIGABRT, "gen_yield() outside a generator", fn, NULL).
 */
#define expect_death(signal, text, fn, arg) \
    harness_expect_death(__FILE__, __LINE__, signal, text, fn, arg)

/** Stops the check, which counts as neither passed nor failed: skip("needs 2,000 descriptors"). */
_Noreturn void skip(const char *reason);

/** This check keeps memory on purpose; it is not a leak. Say why beside the call. */
void harness_keep_memory(void);

/** Whether a sanitizer or valgrind watches: do less of the same. */
bool harness_is_slow(void);
/** Whether a sanitizer owns the signals and the memory. */
bool harness_is_sanitized(void);

/** A random number from 0 to below - 1; the same in each run with the same SEED. */
unsigned random_below(unsigned below);

/* --- what the system refuses ---------------------------------------------------------------- */

/**
 * The nth (1 is the next) malloc, calloc or realloc of the library fails, once; 0: none any more.
 * To try all: for (unsigned n = 1; ; n++) { fail_allocation(n); …; if (!allocation_failed()) break;
 * }
 */
void fail_allocation(unsigned nth);
/** The nth mmap() (stacks) and all that follow fail, until allocation_failed() is asked. */
void fail_mapping(unsigned nth);
/** The nth pthread_create() fails, once. */
void fail_thread(unsigned nth);
/** Whether the failure that was asked for last has happened; takes the wish back. */
bool allocation_failed(void);

/* --- fixtures ------------------------------------------------------------------------------- */

/** The check's dispatcher, made by the first call and closed after the check. */
struct dispatcher *fixture_dispatcher(void);
/** One iteration: calls what was queued when it began. @return how many calls. */
int fixture_iteration(void);
/** Iterations until nothing is queued any more; time stands still. @return how many calls. */
int fixture_pump(void);
/** Lets time pass; timers on the way fire at their times. Without a clock as fixture_pump(). */
void fixture_advance(double seconds);
/** Seconds on the fixture's clock. */
double fixture_now(void);
/** Closes the dispatcher now, in the middle of the check. */
void fixture_close(void);
/** Its loop; NULL before stage 4. */
struct task_loop *fixture_loop(void);
/** The loop's selector; NULL before stage 5. */
struct selector *fixture_selector(void);
/** From stage 5 on: from now on the clock is the real one (for checks with other threads). */
void fixture_real_time(void);
/** "queue", "loop", "select", "poll", "epoll". */
const char *fixture_kind(void);

/**
 * The oldest report that the dispatcher got (F15, F17, H04) has this error and contains this text.
 * Reports that are still there at the end of the check fail it.
 */
#define expect_report(text, error) harness_expect_report(__FILE__, __LINE__, text, error)
/** None was made since. */
#define expect_no_report() harness_expect_report(__FILE__, __LINE__, NULL, 0)

/** Two connected descriptors, non-blocking, closed after the check if you have not. */
void fixture_socketpair(int fds[2]);

/* --- behind the macros ---------------------------------------------------------------------- */

void harness_expect_trace(const char *file, int line, const char *const *want);
void harness_expect_resume(const char *file, int line, int status, value out, int want,
                           value want_out);
void harness_expect_status(const char *file, int line, const char *what, long long got, int want);
void harness_expect_int(const char *file, int line, const char *what, long long got,
                        long long want);
void harness_expect_value(const char *file, int line, const char *what, value got, value want);
void harness_expect_str(const char *file, int line, const char *what, const char *got,
                        const char *want);
void harness_expect_text(const char *file, int line, const char *what, const char *got,
                         const char *part);
void harness_expect_time(const char *file, int line, const char *what, double got, double want);
void harness_expect_true(const char *file, int line, const char *sentence, bool condition);
void harness_expect_state(const char *file, int line, const char *what, enum gen_state got,
                          enum gen_state want);
void harness_expect_never(const char *file, int line, const char *sentence);
void harness_expect_death(const char *file, int line, int signal, const char *text,
                          void (*fn)(void *arg), void *arg);
void harness_expect_report(const char *file, int line, const char *text, int error);

#endif
