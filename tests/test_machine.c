/*
 * The state machine by hand: what a generator is when the compiler has no stack to spare.
 */
#include "machine.h"

#include "harness.h"

static void it_counts_down_and_ends(void)
{
    struct machine m;
    value out;
    step("machine_init(&m, 3)");
    machine_init(&m, 3);
    for (int i = 3; i > 0; i--) {
        step("machine_next(&m, &out)");
        int status = machine_next(&m, &out);
        expect_yields(status, out, value_int(i));
    }
    step("machine_next(&m, &out)");
    int status = machine_next(&m, &out);
    expect_returns(status, out, value_none());
}

static void the_end_stays_the_end(void)
{
    struct machine m;
    value out = value_int(99);
    step("machine_init(&m, 1)");
    machine_init(&m, 1);
    step("machine_next(&m, &out), twice: it has ended");
    int first = machine_next(&m, &out);
    expect_yields(first, out, value_int(1));
    int second = machine_next(&m, &out);
    expect_returns(second, out, value_none());
    for (int i = 0; i < 3; i++) {
        step("machine_next(&m, &out) again");
        int status = machine_next(&m, &out);
        expect_returns(status, out, value_none());
    }
}

static void a_countdown_from_nothing_is_empty(void)
{
    for (int n = 0; n >= -5; n -= 5) {
        struct machine m;
        value out = value_int(99);
        step("machine_init(&m, %d)", n);
        machine_init(&m, n);
        step("machine_next(&m, &out)");
        int status = machine_next(&m, &out);
        expect_returns(status, out, value_none());
    }
}

static void two_machines_share_nothing(void)
{
    struct machine a, b;
    value out;
    step("machine_init(&a, 2), machine_init(&b, 20)");
    machine_init(&a, 2);
    machine_init(&b, 20);
    for (int i = 0; i < 2; i++) {
        step("machine_next(&a, &out)");
        int status = machine_next(&a, &out);
        expect_yields(status, out, value_int(2 - i));
        step("machine_next(&b, &out)");
        status = machine_next(&b, &out);
        expect_yields(status, out, value_int(20 - i));
    }
}

static void a_copy_goes_on_where_the_original_stood(void)
{
    struct machine a, b;
    value out;
    step("machine_init(&a, 3)");
    machine_init(&a, 3);
    step("machine_next(&a, &out)");
    int status = machine_next(&a, &out);
    expect_yields(status, out, value_int(3));
    step("b = a: all that it knows is in the struct");
    b = a;
    step("machine_next(&b, &out)");
    status = machine_next(&b, &out);
    expect_yields(status, out, value_int(2));
    step("machine_next(&a, &out)");
    status = machine_next(&a, &out);
    expect_yields(status, out, value_int(2));
}

static const struct check checks[] = {
    CHECK(it_counts_down_and_ends, "", "1.1", ""),
    CHECK(the_end_stays_the_end, "", "1.1", ""),
    CHECK(a_countdown_from_nothing_is_empty, "", "1.1", ""),
    CHECK(two_machines_share_nothing, "", "1.1", ""),
    CHECK(a_copy_goes_on_where_the_original_stood, "", "1.1", ""),
};
SUITE(machine, 1, checks)
