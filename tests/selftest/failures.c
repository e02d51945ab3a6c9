/*
 * Checks that fail, each in another way. tests/selftest/run compares what the runner says of them
 * with what it should say.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "dispatcher.h"
#include "harness.h"
#include "tally.h"

static void passes(void)
{
    step("tally_of(2, 3)");
    expect_int(tally_of(2, 3), 5);
}

static void answers_wrong(void)
{
    step("tally_of(1, 1)");
    expect_int(tally_of(1, 1), 2);
    step("tally_of(2, 2)");
    expect_int(tally_of(2, 2), 5);
}

static int yields_four(void *arg, value *ret)
{
    (void)arg;
    (void)ret;
    return gen_yield(value_int(4), NULL);
}

static void yields_wrong(void)
{
    struct generator *g = gen_new(yields_four, NULL);
    value out;
    step("gen_next(g)");
    int status = gen_next(g, &out);
    expect_yields(status, out, value_int(5));
    gen_free(g);
}

static void crashes(void)
{
    step("tally_of(1, 2)");
    raise(SIGSEGV);
}

static void hangs(void)
{
    step("for ever");
    for (volatile int more = 1; more;) {
    }
}

static void waits_with_a_name_as_long_as_the_longest_of_all_that_there_are_(void)
{
    step("for what never happens");
    for (;;)
        pause();
}

static void prints_without_end(void)
{
    step("print");
    for (;;)
        fprintf(stderr, "here I am\n");
}

static int recurse(volatile int *depth)
{
    if (++*depth < 0)
        return 0; /* never, but the compiler does not know */
    return recurse(depth) + *depth;
}

static int goes_deeper_and_deeper(void *arg, value *ret)
{
    volatile int depth = 0;
    (void)arg;
    (void)ret;
    return recurse(&depth);
}

static void overflows(void)
{
    struct generator *g = gen_new(goes_deeper_and_deeper, NULL);
    step("gen_next(g)");
    expect_returns(gen_next(g, NULL), value_none(), value_none());
    gen_free(g);
}

static void frees_twice(void)
{
    void *volatile p = malloc(40); /* volatile: or the compiler sees it and warns */
    void *volatile again = p;
    step("free(p), twice");
    free(p);
    free(again);
}

static void exits_with_success(void)
{
    step("exit(0)");
    exit(0);
}

static void exits_with_three(void)
{
    step("_exit(3)");
    _exit(3);
}

static void aborts(void)
{
    step("die()");
    die("tally_of(): a broken program");
}

static void leaks(void)
{
    void *volatile lost; /* volatile: or the compiler sees that nobody needs it */
    step("malloc(40)");
    lost = malloc(40);
    expect_true("there is one", lost != NULL);
}

static void leaks_a_descriptor(void)
{
    step("dup(0)");
    expect_true("there is one", dup(0) >= 0);
}

static void is_reported(void)
{
    step("dispatcher_report()");
    dispatcher_report(fixture_dispatcher(), "nobody took the error", ERR_TYPE, NULL);
}

static void is_not_written(void)
{
    step("tally_double(2)");
    expect_int(tally_double(2), 4);
}

static void needs_another(void)
{
    step("tally_twice(2)");
    expect_int(tally_twice(2), 8);
}

static void needs_another_and_says_so(void)
{
    step("tally_twice(3)");
    expect_int(tally_twice(3), 12);
}

static void takes_many_steps(void)
{
    const char *much = "a sentence of so many words that the card has to break it into several "
                       "lines, which it may do at most twice, since there is more to say than this "
                       "one sentence";
    for (int i = 0; i < 60; i++)
        step("step number %d, told in far more words than would ever fit into a line of a card", i);
    expect_true(much, false);
}

static const struct check checks[] = {
    CHECK(passes, "", "2.1", ""),
    CHECK(answers_wrong, "X01 X02", "2.1", ""),
    CHECK(yields_wrong, "", "2.1", ""),
    CHECK(crashes, "", "2.1", ""),
    CHECK(exits_with_success, "", "2.1", ""),
    CHECK(exits_with_three, "", "2.1", ""),
    CHECK(aborts, "", "2.1", ""),
    CHECK(leaks, "", "2.1", ""),
    CHECK(leaks_a_descriptor, "", NULL, ""),
    CHECK(is_reported, "", "2.1", ""),
    CHECK(takes_many_steps, "", "2.1", ""),
    CHECK(overflows, "", "2.1", ""),
    CHECK(frees_twice, "", "2.1", ""),
    CHECK(hangs, "", "2.1", ""),
    CHECK(waits_with_a_name_as_long_as_the_longest_of_all_that_there_are_, "", "2.1", ""),
    CHECK(prints_without_end, "", "2.1", ""),
    CHECK(is_not_written, "", "2.2", ""),
    CHECK(needs_another, "", "2.3", ""),
    CHECK(needs_another_and_says_so, "", "2.3", "2.2"),
};
SUITE(selftest, 2, checks)
