/*
 * Errors: codes, names and sentences.
 */
#include "error.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "harness.h"

static void our_codes_have_names(void)
{
    expect_str(error_name(ERR_TYPE), "ERR_TYPE");
    expect_str(error_name(ERR_VALUE), "ERR_VALUE");
    expect_str(error_name(ERR_RUNTIME), "ERR_RUNTIME");
    expect_str(error_name(ERR_BUSY), "ERR_BUSY");
    expect_str(error_name(ERR_INVALID_STATE), "ERR_INVALID_STATE");
    expect_str(error_name(ERR_GENERATOR_EXIT), "ERR_GENERATOR_EXIT");
    expect_str(error_name(ERR_IGNORED_EXIT), "ERR_IGNORED_EXIT");
    expect_str(error_name(ERR_CANCELLED), "ERR_CANCELLED");
    expect_str(error_name(ERR_TIMEOUT), "ERR_TIMEOUT");
    expect_str(error_name(ERR_CLOSED), "ERR_CLOSED");
    expect_str(error_name(ERR_WRONG_LOOP), "ERR_WRONG_LOOP");
    expect_str(error_name(ERR_NESTED), "ERR_NESTED");
    expect_str(error_name(ERR_DEADLOCK), "ERR_DEADLOCK");
    expect_str(error_name(ERR_END_OF_STREAM), "ERR_END_OF_STREAM");
    expect_str(error_name(ERR_LIMIT), "ERR_LIMIT");
    expect_str(error_name(ERR_NOT_WRITTEN), "ERR_NOT_WRITTEN");
}

static void every_code_has_a_sentence_without_a_full_stop(void)
{
    for (int error = ERR_TYPE; error < ERR_LAST_OF_OURS; error++) {
        const char *text = error_text(error);
        step("error_text(%s)", error_name(error));
        expect_true("there is a sentence", strlen(text) > 5);
        expect_true("it has no full stop", text[strlen(text) - 1] != '.');
    }
    expect_str(error_text(0), "no error");
}

static void the_systems_errors_keep_their_names(void)
{
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 32)
    expect_str(error_name(-ECONNRESET), "ECONNRESET");
    expect_str(error_name(-ENOENT), "ENOENT");
#endif
    expect_str(error_text(-ENOENT), strerror(ENOENT));
}

static void unknown_codes_are_numbers(void)
{
    expect_str(error_name(-5000), "error -5000");
    expect_str(error_name(ERR_USER - 999), "error -20999");
    expect_str(error_name(5), "error 5");
    expect_text(error_text(ERR_USER - 998), "nobody has registered");
}

static void codes_of_ones_own_can_be_named(void)
{
    step("error_register(ERR_USER - 7, \"KEY_ERROR\", \"there is no such key\")");
    expect_ok(error_register(ERR_USER - 7, "KEY_ERROR", "there is no such key"));
    expect_str(error_name(ERR_USER - 7), "KEY_ERROR");
    expect_str(error_text(ERR_USER - 7), "there is no such key");
    step("the first and the last of the range");
    expect_ok(error_register(ERR_USER, "FIRST", "the first"));
    expect_ok(error_register(ERR_USER - 999, "LAST", "the last"));
    expect_str(error_name(ERR_USER), "FIRST");
    expect_str(error_name(ERR_USER - 999), "LAST");
}

static void other_codes_cannot_be_named(void)
{
    static const int foreign[] = {ERR_USER + 1, ERR_USER - 1000, 0, 5, ERR_BUSY, -ENOENT};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        step("error_register(%d, \"MINE\", \"mine\")", foreign[i]);
        expect_error(error_register(foreign[i], "MINE", "mine"), ERR_VALUE);
    }
    expect_str(error_name(ERR_BUSY), "ERR_BUSY");
    step("error_register() without texts");
    expect_error(error_register(ERR_USER - 8, NULL, "text"), ERR_VALUE);
    expect_error(error_register(ERR_USER - 8, "NAME", NULL), ERR_VALUE);
    expect_str(error_name(ERR_USER - 8), "error -20008");
}

static void exits_and_cancellations_are_not_ordinary(void)
{
    expect_true("ERR_TYPE is", error_is_ordinary(ERR_TYPE));
    expect_true("-EIO is", error_is_ordinary(-EIO));
    expect_true("ERR_TIMEOUT is", error_is_ordinary(ERR_TIMEOUT));
    expect_true("ERR_USER is", error_is_ordinary(ERR_USER));
    expect_true("ERR_GENERATOR_EXIT is not", !error_is_ordinary(ERR_GENERATOR_EXIT));
    expect_true("ERR_CANCELLED is not", !error_is_ordinary(ERR_CANCELLED));
    expect_true("0 is not", !error_is_ordinary(0));
    expect_true("5 is not", !error_is_ordinary(5));
}

static void dies(void *arg)
{
    die("%s() of %d", (const char *)arg, 5);
}

static void a_broken_program_ends_with_one_sentence(void)
{
    static char name[] = "frobnicate";
    step("die(\"%%s() of %%d\", \"frobnicate\", 5)");
    expect_death(SIGABRT, "fatal: frobnicate() of 5\n", dies, name);
}

static void *meets_one(void *arg)
{
    *(int *)arg = exercise_unwritten("9.2");
    return NULL;
}

/* The harness asks in each expectation, so all is done before the first of them. */
static void the_first_unwritten_exercise_is_remembered(void)
{
    pthread_t thread;
    int answers[3] = {exercise_unwritten("9.1"), ERR_NOT_WRITTEN, 0};
    if (pthread_create(&thread, NULL, meets_one, &answers[1]) == 0)
        pthread_join(thread, NULL);
    answers[2] = exercise_unwritten("9.3");
    const char *first = exercise_met_unwritten(), *then = exercise_met_unwritten();
    for (int i = 0; i < 3; i++)
        expect_error(answers[i], ERR_NOT_WRITTEN);
    expect_str(first, "9.1");
    expect_true("and it is forgotten then", then == NULL);
}

static const struct check checks[] = {
    CHECK(other_codes_cannot_be_named, "", NULL, ""),
    CHECK(a_broken_program_ends_with_one_sentence, "", NULL, ""),
    CHECK(our_codes_have_names, "", NULL, ""),
    CHECK(every_code_has_a_sentence_without_a_full_stop, "", NULL, ""),
    CHECK(the_systems_errors_keep_their_names, "", NULL, ""),
    CHECK(unknown_codes_are_numbers, "", NULL, ""),
    CHECK(codes_of_ones_own_can_be_named, "", NULL, ""),
    CHECK(exits_and_cancellations_are_not_ordinary, "G25", NULL, ""),
    CHECK(the_first_unwritten_exercise_is_remembered, "", NULL, ""),
};
SUITE(error, 1, checks)
