/*
 * Values: equality, and how they are printed.
 */
#include "value.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"

static const char *text_of(value v)
{
    static char text[200];
    value_format(v, text, sizeof text);
    return text;
}

static void zero_is_none(void)
{
    value v;
    memset(&v, 0, sizeof v);
    expect_true("a zeroed value is None", value_is_none(v));
    expect_value(v, value_none());
    expect_str(text_of(v), "None");
    expect_true("it takes sixteen bytes", sizeof v == 16);
}

static void values_print_as_in_python(void)
{
    expect_str(text_of(value_bool(true)), "True");
    expect_str(text_of(value_bool(false)), "False");
    expect_str(text_of(value_int(0)), "0");
    expect_str(text_of(value_int(-5)), "-5");
    expect_str(text_of(value_int(INTPTR_MAX)),
               INTPTR_MAX > 2147483647 ? "9223372036854775807" : "2147483647");
    expect_str(text_of(value_int(INTPTR_MIN)),
               INTPTR_MAX > 2147483647 ? "-9223372036854775808" : "-2147483648");
    expect_str(text_of(value_str("")), "''");
    expect_str(text_of(value_str("hello")), "'hello'");
}

static void texts_are_quoted_as_in_python(void)
{
    expect_str(text_of(value_str("it's")), "\"it's\"");
    expect_str(text_of(value_str("say \"hi\"")), "'say \"hi\"'");
    expect_str(text_of(value_str("'\"")), "'\\'\"'");
    expect_str(text_of(value_str("a\nb\tc\rd\\e")), "'a\\nb\\tc\\rd\\\\e'");
    expect_str(text_of(value_str("\x01\x1f\x7f")), "'\\x01\\x1f\\x7f'");
    expect_str(text_of(value_str("gr\xc3\xbc\xc3\x9f")), "'gr\xc3\xbc\xc3\x9f'");
}

static void no_address_is_ever_printed(void)
{
    int here;
    expect_str(text_of(value_ptr(&here)), "<ptr>");
    expect_str(text_of(value_ptr(NULL)), "<ptr>");
}

static void a_short_buffer_gets_as_much_as_fits(void)
{
    static const value values[] = {{0},
                                   {&value_type_int, {.integer = -12345}},
                                   {&value_type_str, {.string = "a\n'b'"}},
                                   {&value_type_ptr, {0}},
                                   {&value_type_bool, {.integer = 1}}};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char whole[64];
        int length = value_format(values[i], whole, sizeof whole);
        expect_int(length, (int)strlen(whole));
        expect_int(value_format(values[i], NULL, 0), length);
        for (size_t size = 1; size <= (size_t)length + 1; size++) {
            char part[64];
            memset(part, '#', sizeof part);
            step("value_format(%s, text, %zu)", whole, size);
            expect_int(value_format(values[i], part, size), length);
            expect_int(strlen(part), size - 1);
            expect_true("it is a beginning of the whole", strncmp(part, whole, size - 1) == 0);
            expect_int(part[size], '#');
        }
    }
}

static void equal_means_same_type_and_same_content(void)
{
    char copy[] = "hello";
    int a, b;
    expect_true("5 == 5", value_equal(value_int(5), value_int(5)));
    expect_true("5 != 6", !value_equal(value_int(5), value_int(6)));
    expect_true("1 is not True", !value_equal(value_int(1), value_bool(true)));
    expect_true("0 is not None", !value_equal(value_int(0), value_none()));
    expect_true("None == None", value_equal(value_none(), value_none()));
    expect_true("texts by content", value_equal(value_str("hello"), value_str(copy)));
    expect_true("other texts", !value_equal(value_str("hello"), value_str("hallo")));
    expect_true("addresses", value_equal(value_ptr(&a), value_ptr(&a)));
    expect_true("other addresses", !value_equal(value_ptr(&a), value_ptr(&b)));
    expect_true("NULL is not None", !value_equal(value_ptr(NULL), value_none()));
}

static void what_was_put_in_comes_out(void)
{
    static const char *text = "hello";
    int here;
    expect_int(value_as_int(value_int(-7)), -7);
    expect_int(value_as_int(value_bool(true)), 1);
    expect_true("the same text", value_as_str(value_str(text)) == text);
    expect_true("the same address", value_as_ptr(value_ptr(&here)) == &here);
    expect_true("the type can be asked", value_is(value_int(1), &value_type_int));
    expect_true("the type can be asked", !value_is(value_none(), &value_type_int));
    expect_true("None has no type", value_is(value_none(), NULL));
}

static const struct value_type value_type_plain = {"plain", NULL};

static int format_pair(value v, char *text, size_t size)
{
    return snprintf(text, size, "<pair %d>", (int)v.as.integer);
}

static const struct value_type value_type_pair = {"pair", format_pair};

static void types_of_ones_own_are_welcome(void)
{
    value plain = {&value_type_plain, {.integer = 1}}, pair = {&value_type_pair, {.integer = 5}};
    expect_str(text_of(plain), "<plain>");
    expect_str(text_of(pair), "<pair 5>");
    expect_true("equal by content", value_equal(pair, pair));
    expect_true("not equal to another type", !value_equal(pair, value_int(5)));
}

static void takes_an_int_out_of_a_str(void *arg)
{
    (void)arg;
    value_as_int(value_str("5"));
}

static void takes_a_str_out_of_none(void *arg)
{
    (void)arg;
    value_as_str(value_none());
}

static void takes_a_ptr_out_of_an_int(void *arg)
{
    (void)arg;
    value_as_ptr(value_int(5));
}

static void the_wrong_type_aborts_and_is_named(void)
{
    expect_death(SIGABRT, "value_as_int() of a value that is str", takes_an_int_out_of_a_str, NULL);
    expect_death(SIGABRT, "value_as_str() of a value that is None", takes_a_str_out_of_none, NULL);
    expect_death(SIGABRT, "value_as_ptr() of a value that is int", takes_a_ptr_out_of_an_int, NULL);
}

static const struct check checks[] = {
    CHECK(the_wrong_type_aborts_and_is_named, "", NULL, ""),
    CHECK(zero_is_none, "", NULL, ""),
    CHECK(values_print_as_in_python, "", NULL, ""),
    CHECK(texts_are_quoted_as_in_python, "", NULL, ""),
    CHECK(no_address_is_ever_printed, "", NULL, ""),
    CHECK(a_short_buffer_gets_as_much_as_fits, "", NULL, ""),
    CHECK(equal_means_same_type_and_same_content, "", NULL, ""),
    CHECK(what_was_put_in_comes_out, "", NULL, ""),
    CHECK(types_of_ones_own_are_welcome, "", NULL, ""),
};
SUITE(value, 1, checks)
