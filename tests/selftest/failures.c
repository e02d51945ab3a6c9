/*
 * Checks that fail, each in another way. tests/selftest/run compares what the runner says of them
 * with what it should say.
 */
#include <signal.h>
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
    CHECK(hangs, "", "2.1", ""),
    CHECK(exits_with_success, "", "2.1", ""),
    CHECK(exits_with_three, "", "2.1", ""),
    CHECK(aborts, "", "2.1", ""),
    CHECK(leaks, "", "2.1", ""),
    CHECK(leaks_a_descriptor, "", NULL, ""),
    CHECK(is_reported, "", "2.1", ""),
    CHECK(takes_many_steps, "", "2.1", ""),
    CHECK(is_not_written, "", "2.2", ""),
    CHECK(needs_another, "", "2.3", ""),
    CHECK(needs_another_and_says_so, "", "2.3", "2.2"),
};
SUITE(selftest, 2, checks)
