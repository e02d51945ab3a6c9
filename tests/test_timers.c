/*
 * Timers where they are used: loop_call_later(), loop_call_at() and handle_cancel(). In which order
 * do they fire, when, and what does it cost? The second suite looks at the heap itself, without a
 * loop: so it can say which of its two movements went wrong.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "harness.h"
#include "loop.h"
#include "timers.h"

static int note(void *arg)
{
    record("%s", (const char *)arg);
    return 0;
}

static struct handle later(double delay, loop_fn *fn, void *arg)
{
    struct handle h;
    expect_ok(loop_call_later(fixture_loop(), delay, fn, arg, &h));
    return h;
}

/* --- misuse
 * --------------------------------------------------------------------------------------- */

static void a_deadline_must_be_a_number(void)
{
    struct handle h = {.number = 77};
    step("loop_call_later(loop, NAN, …)");
    expect_error(loop_call_later(fixture_loop(), NAN, note, "x", &h), ERR_VALUE);
    expect_true("the ticket is for nothing", h.loop == NULL && h.number == 0);
    step("loop_call_at(loop, NAN, …)");
    expect_error(loop_call_at(fixture_loop(), NAN, note, "x", &h), ERR_VALUE);
    expect_int(loop_pending(fixture_loop()), 0);
}

static void a_timer_must_have_a_function(void)
{
    struct handle h = {.number = 77};
    step("loop_call_later(loop, 1, NULL, …)");
    expect_error(loop_call_later(fixture_loop(), 1, NULL, NULL, &h), ERR_VALUE);
    expect_true("the ticket is for nothing", h.loop == NULL && h.number == 0);
    step("loop_call_at(loop, 1, NULL, …)");
    expect_error(loop_call_at(fixture_loop(), 1, NULL, NULL, NULL), ERR_VALUE);
    expect_int(loop_pending(fixture_loop()), 0);
}

static void a_closed_loop_takes_no_timer(void)
{
    struct task_loop *loop = fixture_loop();
    fixture_close();
    step("loop_call_later() after the close");
    expect_error(loop_call_later(loop, 1, note, "x", NULL), ERR_CLOSED);
    step("loop_call_at() after the close");
    expect_error(loop_call_at(loop, 1, note, "x", NULL), ERR_CLOSED);
}

/* --- when
 * ------------------------------------------------------------------------------------------ */

static int note_time(void *arg)
{
    *(double *)arg = loop_time(fixture_loop());
    return 0;
}

static void a_timer_fires_at_its_time_and_not_before(void)
{
    double at = 0, begin = loop_time(fixture_loop());
    later(5, note_time, &at);
    step("4.999 seconds of a timer of 5");
    fixture_advance(4.999);
    expect_true("it has not fired", at == 0);
    step("after 5 seconds");
    fixture_advance(0.001);
    expect_time(at, begin + 5);
}

static void call_at_names_a_point_in_time(void)
{
    double at = 0, begin = loop_time(fixture_loop());
    fixture_advance(10);
    step("loop_call_at() of a point 3 seconds ahead");
    expect_ok(loop_call_at(fixture_loop(), begin + 13, note_time, &at, NULL));
    fixture_advance(100);
    expect_time(at, begin + 13);
}

static void the_clock_never_goes_back(void)
{
    step("loop_time() before and after a while");
    double a = loop_time(fixture_loop());
    fixture_advance(3600);
    double b = loop_time(fixture_loop());
    expect_time(b, a + 3600);
    expect_true("it goes on", loop_time(fixture_loop()) >= b);
}

static void timers_fire_in_the_order_of_their_deadlines(void)
{
    later(3, note, "3");
    later(1, note, "1");
    later(4, note, "4");
    later(2, note, "2");
    step("timers of 3, 1, 4 and 2 seconds");
    fixture_advance(2.5);
    expect_trace("1", "2");
    fixture_advance(5);
    expect_trace("3", "4");
}

static void late_timers_fire_together_in_the_order_of_their_deadlines(void)
{
    double now = loop_time(fixture_loop());
    expect_ok(loop_call_at(fixture_loop(), now - 1, note, "1 s ago", NULL));
    expect_ok(loop_call_at(fixture_loop(), now - 3, note, "3 s ago", NULL));
    expect_ok(loop_call_at(fixture_loop(), now - 2, note, "2 s ago", NULL));
    step("one iteration, with timers whose time is over");
    expect_int(fixture_iteration(), 3);
    expect_trace("3 s ago", "2 s ago", "1 s ago");
}

static void all_that_are_due_run_in_one_turn(void)
{
    double now = loop_time(fixture_loop());
    expect_ok(loop_call_at(fixture_loop(), now - 3, note, "3 s ago", NULL));
    expect_ok(loop_call_at(fixture_loop(), now - 2, note, "2 s ago", NULL));
    expect_ok(loop_call_at(fixture_loop(), now - 1, note, "1 s ago", NULL));
    step("one iteration, with three timers whose time is over, set in this order");
    expect_int(fixture_iteration(), 3);
    expect_trace("3 s ago", "2 s ago", "1 s ago");
}

static int count(void *arg)
{
    ++*(int *)arg;
    return 0;
}

static void many_that_are_due_run_in_one_turn(void)
{
    int runs = 0;
    double at = loop_time(fixture_loop()) - 1;
    for (int i = 0; i < 20; i++)
        expect_ok(loop_call_at(fixture_loop(), at, count, &runs, NULL));
    step("one iteration, with 20 timers that were due a second ago");
    fixture_iteration();
    expect_int(runs, 20);
}

static void a_timer_that_is_not_due_is_left_alone(void)
{
    later(0.5, note, "timer");
    expect_ok(loop_call_soon(fixture_loop(), note, "ready", NULL));
    step("one iteration, with a callback that is ready and a timer of half a second");
    expect_int(fixture_iteration(), 1);
    expect_trace("ready");
    expect_int(loop_pending(fixture_loop()), 1);
}

static void equal_deadlines_fire_in_the_order_in_which_they_were_set(void)
{
    static char names[40][8];
    double at = loop_time(fixture_loop()) + 1;
    for (int i = 0; i < 40; i++) {
        names[i][0] = (char)('a' + i % 26);
        names[i][1] = (char)('0' + i / 26);
        expect_ok(loop_call_at(fixture_loop(), at, note, names[i], NULL));
    }
    step("40 timers with one deadline");
    fixture_advance(1);
    expect_trace("a0", "b0", "c0", "d0", "e0", "f0", "g0", "h0", "i0", "j0", "k0", "l0", "m0", "n0",
                 "o0", "p0", "q0", "r0", "s0", "t0", "u0", "v0", "w0", "x0", "y0", "z0", "a1", "b1",
                 "c1", "d1", "e1", "f1", "g1", "h1", "i1", "j1", "k1", "l1", "m1", "n1");
}

static void no_delay_and_less_is_not_at_once(void)
{
    later(-1, note, "-1");
    later(0, note, "0");
    expect_no_trace();
    expect_ok(loop_call_soon(fixture_loop(), note, "ready", NULL));
    later(-2, note, "-2");
    step("timers of -1, 0 and -2 seconds, and a callback that is ready");
    fixture_pump();
    expect_trace("ready", "-2", "-1", "0");
}

static int set_another(void *arg)
{
    record("timer");
    expect_ok(loop_call_later(fixture_loop(), 0, note, arg, NULL));
    expect_ok(loop_call_soon(fixture_loop(), note, "soon", NULL));
    return 0;
}

static void a_timer_set_by_a_timer_waits_for_the_next_iteration(void)
{
    later(-1, set_another, "another timer");
    later(0, note, "sibling");
    step("an iteration in which a timer sets one of 0 seconds");
    fixture_iteration();
    expect_trace("timer", "sibling");
    step("the next one");
    fixture_iteration();
    expect_trace("soon", "another timer");
}

static int tick(void *arg)
{
    int *left = arg;
    if (--*left > 0)
        expect_ok(loop_call_later(fixture_loop(), 1, tick, arg, NULL));
    return 0;
}

static void a_timer_may_set_itself_again(void)
{
    int left = 10;
    double begin = fixture_now();
    later(1, tick, &left);
    step("a timer that sets itself again, 10 times");
    fixture_advance(9.5);
    expect_int(left, 1);
    fixture_advance(100);
    expect_int(left, 0);
    expect_time(fixture_now(), begin + 109.5);
}

static void a_timer_of_infinity_never_fires(void)
{
    struct handle h = later(INFINITY, note, "for ever");
    step("a timer of INFINITY, and ten years");
    fixture_advance(10 * 365 * 86400.0);
    expect_no_trace();
    expect_int(loop_pending(fixture_loop()), 1);
    expect_true("it can be cancelled", handle_cancel(h));
    expect_int(loop_pending(fixture_loop()), 0);
}

static void a_timer_of_minus_infinity_fires_at_once(void)
{
    later(0, note, "0");
    later(-INFINITY, note, "-inf");
    step("a timer of -INFINITY");
    fixture_pump();
    expect_trace("-inf", "0");
}

static int next_tiny(void *arg)
{
    static const double delays[] = {0.01, 0.001, 0.0001, 1e-9, 1e-10};
    int *i = arg;
    if (*i < 5)
        expect_ok(loop_call_later(fixture_loop(), delays[*i], next_tiny, arg, NULL));
    ++*i;
    return 0;
}

static void tiny_delays_do_not_spin(void)
{
    int i = 0, turns = 0;
    double begin = loop_time(fixture_loop());
    expect_ok(loop_call_soon(fixture_loop(), next_tiny, &i, NULL));
    step("five timers, from 10 ms down to 0.1 ns, one after the other");
    for (; i < 6 && turns < 100; turns++)
        expect_true("a turn goes well", loop_run_once(fixture_loop()) >= 0);
    expect_int(i, 6);
    expect_true("they took at most 20 turns", turns <= 20);
    expect_true("and not less time than they should", loop_time(fixture_loop()) >= begin + 0.0111);
}

static void a_far_deadline_is_reached(void)
{
    double at = 0, begin = loop_time(fixture_loop());
    later(100 * 86400.0, note_time, &at); /* further than a poller may sleep at once */
    step("a timer of 100 days");
    fixture_advance(101 * 86400.0);
    expect_time(at, begin + 100 * 86400.0);
}

static void a_loop_sleeps_until_the_deadline(void)
{
    double at = 0, begin = loop_time(fixture_loop());
    later(3600, note_time, &at);
    step("loop_run_once() with a timer of an hour: it waits for it");
    int ran = 0, turns = 0;
    while (ran == 0 && turns++ < 5)
        ran = loop_run_once(fixture_loop());
    expect_int(ran, 1);
    expect_time(at, begin + 3600);
}

/* --- many
 * ------------------------------------------------------------------------------------------ */

enum { MANY = 100000 };

static struct planned {
    int when;  /* milliseconds */
    int order; /* in which it was set */
    bool cancelled;
    struct handle handle;
} timers[MANY];

static const struct planned *fired[MANY], *expected[MANY];
static int fired_count;

static int fire(void *arg)
{
    fired[fired_count++] = arg;
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct planned *x = *(struct planned *const *)a, *y = *(struct planned *const *)b;
    return x->when != y->when ? (x->when > y->when) - (x->when < y->when)
                              : (x->order > y->order) - (x->order < y->order);
}

static void many_timers_fire_as_a_sorted_list_would(void)
{
    int n = harness_is_slow() ? MANY / 20 : MANY, left = 0;
    double begin = loop_time(fixture_loop());
    for (int i = 0; i < n; i++) {
        timers[i] = (struct planned){.when = 1 + (int)random_below(20000), .order = i};
        expect_ok(loop_call_at(fixture_loop(), begin + timers[i].when / 1000.0, fire, &timers[i],
                               &timers[i].handle));
        struct planned *victim = &timers[random_below((unsigned)i + 1)];
        if (random_below(3) == 0 && !victim->cancelled) {
            victim->cancelled = true;
            if (!handle_cancel(victim->handle))
                expect_never("a timer that waits could not be cancelled");
        }
    }
    for (int i = 0; i < n; i++)
        if (!timers[i].cancelled)
            expected[left++] = &timers[i];
    expect_int(loop_pending(fixture_loop()), left);
    qsort(expected, (size_t)left, sizeof *expected, compare);
    step("100,000 timers in random order, a third of them cancelled");
    fixture_advance(10);
    for (int i = 0; i < n; i++) /* some more, while the heap is half empty */
        if (!timers[i].cancelled && timers[i].when > 15000 && timers[i].order % 7 == 0) {
            timers[i].cancelled = true;
            if (!handle_cancel(timers[i].handle))
                expect_never("a timer that waits could not be cancelled");
        }
    fixture_advance(20);
    int want = 0;
    for (int i = 0; i < left; i++) {
        if (expected[i]->cancelled)
            continue;
        if (want >= fired_count || fired[want] != expected[i]) {
            expect_int(want < fired_count ? fired[want]->when : -1, expected[i]->when);
            expect_int(want < fired_count ? fired[want]->order : -1, expected[i]->order);
        }
        want++;
    }
    expect_int(fired_count, want);
    expect_int(loop_pending(fixture_loop()), 0);
}

static void cancelled_timers_give_their_memory_back(void)
{
    int n = harness_is_slow() ? MANY / 20 : MANY;
    step("setting a timer and cancelling it, 100,000 times: one place is enough for all");
    for (int i = 0; i < n; i++) {
        struct handle h = later(3600, note, "never");
        if ((uint32_t)h.number >= 1000)
            expect_never("the place of a cancelled timer was not used again");
        if (!handle_cancel(h))
            expect_never("a timer that waits could not be cancelled");
    }
    expect_int(loop_pending(fixture_loop()), 0);
}

static void no_memory_for_a_timer_sets_nothing(void)
{
    struct task_loop *loop = fixture_loop();
    struct handle h;
    bool failed = false;
    step("loop_call_later() without memory, until it works without asking for any");
    for (int set = 0; set < 2000; set++) { /* each growth of each table is met */
        size_t before = loop_pending(loop);
        fail_allocation(1);
        h = (struct handle){.number = 77};
        int error = loop_call_later(loop, 5, note, "x", &h);
        if (allocation_failed()) {
            failed = true;
            expect_error(error, -ENOMEM);
            expect_true("the ticket is for nothing", h.loop == NULL && h.number == 0);
            expect_int(loop_pending(loop), before);
            expect_ok(loop_call_later(loop, 5, note, "x", &h));
        } else {
            expect_ok(error);
        }
        expect_int(loop_pending(loop), before + 1);
    }
    expect_true("it asked for memory", failed);
}

static void a_loop_closed_with_timers_gives_everything_back(void)
{
    for (int i = 0; i < 1000; i++)
        later(random_below(1000), note, "never");
    step("the close, with 1,000 timers");
    fixture_close();
    expect_no_trace();
    expect_int(loop_pending(fixture_loop()), 0);
}

static const struct check checks[] = {
    /* misuse */
    CHECK(a_deadline_must_be_a_number, "D01", NULL, ""),
    CHECK(a_timer_must_have_a_function, "D01 H01", NULL, ""),
    CHECK(a_closed_loop_takes_no_timer, "L15", NULL, ""),
    /* when */
    CHECK(a_timer_fires_at_its_time_and_not_before, "D02", "4.3", "4.4 4.6"),
    CHECK(call_at_names_a_point_in_time, "D01 D02", "4.3", "4.4 4.6"),
    CHECK(the_clock_never_goes_back, "D02", NULL, "4.6"),
    CHECK(timers_fire_in_the_order_of_their_deadlines, "D02", "4.4", "4.3 4.5 4.6"),
    CHECK(late_timers_fire_together_in_the_order_of_their_deadlines, "D02", "4.4", "4.3 4.5 4.6"),
    CHECK(all_that_are_due_run_in_one_turn, "D02 L01", "4.3", "4.4 4.5 4.6"),
    CHECK(many_that_are_due_run_in_one_turn, "D02 D07", "4.3", "4.4 4.5 4.6"),
    CHECK(a_timer_that_is_not_due_is_left_alone, "D02", "4.3", "4.1 4.4 4.6"),
    CHECK(equal_deadlines_fire_in_the_order_in_which_they_were_set, "D07", "4.5", "4.3 4.4 4.6"),
    CHECK(no_delay_and_less_is_not_at_once, "D03", "4.3", "4.1 4.4 4.5 4.6"),
    CHECK(a_timer_set_by_a_timer_waits_for_the_next_iteration, "D04", "4.3", "4.1 4.4 4.5 4.6"),
    CHECK(a_timer_may_set_itself_again, "D02", "4.3", "4.4 4.6"),
    CHECK(a_timer_of_infinity_never_fires, "D01", NULL, "4.2 4.3 4.4 4.6"),
    CHECK(a_timer_of_minus_infinity_fires_at_once, "D03", "4.4", "4.3 4.5 4.6"),
    CHECK(tiny_delays_do_not_spin, "D06", "4.3", "4.1 4.4 4.6"),
    CHECK(a_far_deadline_is_reached, "D06", "4.3", "4.4 4.6"),
    CHECK(a_loop_sleeps_until_the_deadline, "L01 L04", "4.3", "4.4 4.6"),
    /* many */
    SLOW_CHECK(many_timers_fire_as_a_sorted_list_would,
               "D02 D05 D07", "4.5", "4.2 4.3 4.4 4.6", 20),
    SLOW_CHECK(cancelled_timers_give_their_memory_back, "D05", "4.2", "4.4", 20),
    CHECK(no_memory_for_a_timer_sets_nothing, "", NULL, "4.4 4.5"),
    CHECK(a_loop_closed_with_timers_gives_everything_back, "L14", NULL, "4.4 4.5"),
};
SUITE_ON_FIXTURE(timers, 4, checks)

/* --- the heap itself ------------------------------------------------------------------------ */

/* No entry stands above one that is earlier, and the table knows where each of them stands. */
static void expect_order(struct timers *t)
{
    size_t wrong = 0, lost = 0;
    timers_first(t); /* nobody is new now */
    expect_int(t->sorted, t->count);
    for (size_t i = 0; i < t->count; i++) {
        const struct timer *timer = &t->heap[i], *parent = &t->heap[i > 0 ? (i - 1) / 4 : 0];
        wrong += timer->when < parent->when ||
                 (timer->when == parent->when && timer->sequence < parent->sequence);
        lost += t->place[timer->id] != i + 1;
    }
    expect_int(wrong, 0);
    expect_int(lost, 0);
}

/* Entries 0, 1, 2 … with these deadlines. */
static void add_all(struct timers *t, const int *when, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        expect_ok(timers_add(t, i, when[i]));
}

static void a_new_entry_rises_to_its_place(void)
{
    struct timers t;
    timers_init(&t);
    step("timers_add() of 300 random deadlines");
    for (uint32_t i = 0; i < 300; i++) {
        expect_ok(timers_add(&t, i, random_below(100)));
        expect_order(&t);
    }
    timers_free(&t);
}

static void who_is_new_can_be_taken_out_as_everybody_else(void)
{
    struct timers t;
    timers_init(&t);
    step("random deadlines are set and taken out; now and then the earliest is asked for");
    bool there[200] = {false};
    for (int i = 0; i < 3000; i++) {
        uint32_t id = (uint32_t)random_below(200);
        if (there[id])
            expect_true("it was there", timers_remove(&t, id));
        else
            expect_ok(timers_add(&t, id, random_below(1000)));
        there[id] = !there[id];
        if (random_below(20) == 0)
            expect_order(&t);
    }
    expect_order(&t);
    size_t left = 0;
    for (uint32_t id = 0; id < 200; id++)
        left += there[id];
    expect_int(t.count, (long)left);
    timers_free(&t);
}

static void the_earliest_of_all_rises_to_the_top(void)
{
    struct timers t;
    timers_init(&t);
    step("timers_add() of 100 deadlines, each earlier than all before");
    for (uint32_t i = 0; i < 100; i++) {
        expect_ok(timers_add(&t, i, 1000 - (int)i));
        expect_int(timers_first(&t)->id, i);
        expect_order(&t);
    }
    timers_free(&t);
}

static void of_two_equal_ones_the_older_stays_above(void)
{
    struct timers t;
    timers_init(&t);
    step("timers_add() of 100 equal deadlines");
    for (uint32_t i = 0; i < 100; i++) {
        expect_ok(timers_add(&t, i, 7));
        expect_int(timers_first(&t)->id, 0);
        expect_int(t.place[i], i + 1);
    }
    timers_free(&t);
}

static void who_fills_a_hole_may_have_to_rise(void)
{
    /* By levels; the last one is the child of the third, and the hole is below the second. */
    static const int when[] = {0, 100, 10, 10, 10, 101, 101, 101, 101, 11};
    struct timers t;
    timers_init(&t);
    add_all(&t, when, 10);
    expect_int(timers_first(&t)->id, 0);
    step("timers_remove() below an entry that is later than the last one");
    expect_true("it was there", timers_remove(&t, 5));
    expect_int(t.place[9], 2);
    expect_order(&t);
    timers_free(&t);
}

static void a_heap_in_order_is_emptied_in_order(void)
{
    struct timers t;
    int64_t when;
    timers_init(&t);
    for (uint32_t i = 0; i < 300; i++)
        expect_ok(timers_add(&t, i, i / 3));
    step("timers_pop() of 300 deadlines that were set in order");
    for (uint32_t i = 0; i < 300; i++) {
        expect_int(timers_first(&t)->id, i);
        expect_int(timers_pop(&t), i);
        expect_true("it has no deadline any more", !timers_when(&t, i, &when));
        expect_order(&t);
    }
    expect_true("nothing is left", timers_first(&t) == NULL);
    timers_free(&t);
}

static void the_hole_goes_to_the_earliest_child(void)
{
    for (int best = 1; best <= 4; best++) {
        struct timers t;
        int when[] = {0, 50, 50, 50, 50, 60};
        timers_init(&t);
        when[best] = 40;
        add_all(&t, when, 6);
        step("timers_pop(), with the earliest child at place %d of 4", best);
        expect_int(timers_pop(&t), 0);
        expect_int(timers_first(&t)->id, best);
        expect_order(&t);
        timers_free(&t);
    }
}

static void who_fits_where_the_hole_is_stays(void)
{
    static const int when[] = {0, 10, 50, 50, 50, 20, 20, 20, 15};
    struct timers t;
    timers_init(&t);
    add_all(&t, when, 9);
    step("timers_pop(), and the last one stops above those that are later");
    expect_int(timers_pop(&t), 0);
    expect_int(t.place[8], 2);
    expect_order(&t);
    timers_free(&t);
}

static void a_hole_is_filled_by_a_child_and_not_by_a_cousin(void)
{
    struct timers t;
    int when[39];
    timers_init(&t);
    for (int i = 0; i < 39; i++) /* by levels: 0, 1 to 4, 5 to 20, and the rest */
        when[i] = i == 0 ? 0 : i == 1 ? 100 : i < 5 ? 10 : i < 9 ? 101 : i < 21 ? 11 : 103;
    when[37] = 12; /* earlier than the children of 8, and child of 9 */
    add_all(&t, when, 39);
    expect_int(timers_first(&t)->id, 0);
    step("timers_remove() of the last of four, whose neighbour has an earlier child");
    expect_true("it was there", timers_remove(&t, 8));
    expect_int(t.heap[8].when, 103);
    expect_order(&t);
    timers_free(&t);
}

static void entries_are_taken_out_from_anywhere(void)
{
    struct timers t;
    bool there[200];
    timers_init(&t);
    for (uint32_t i = 0; i < 200; i++) {
        expect_ok(timers_add(&t, i, i));
        there[i] = true;
    }
    step("timers_remove() of 200 deadlines in random order");
    for (int left = 200; left > 0;) {
        uint32_t id = random_below(200);
        expect_int(timers_remove(&t, id), there[id]);
        left -= there[id];
        there[id] = false;
        expect_int(t.count, left);
        expect_order(&t);
    }
    timers_free(&t);
}

static void a_heap_without_order_is_emptied_in_order(void)
{
    struct timers t;
    timers_init(&t);
    for (uint32_t i = 0; i < 1000; i++)
        expect_ok(timers_add(&t, i, random_below(500)));
    step("timers_pop() and timers_remove() of 1,000 random deadlines");
    for (int64_t last = 0; t.count > 0;) {
        const struct timer first = *timers_first(&t);
        expect_true("no later one came before", first.when >= last);
        last = first.when;
        expect_int(timers_pop(&t), first.id);
        expect_order(&t);
        timers_remove(&t, random_below(1000));
        expect_order(&t);
    }
    timers_free(&t);
}

static const struct check heap_checks[] = {
    CHECK(a_new_entry_rises_to_its_place, "D02", "4.4", ""),
    CHECK(who_is_new_can_be_taken_out_as_everybody_else, "D05", "4.5", "4.4"),
    CHECK(the_earliest_of_all_rises_to_the_top, "D02", "4.4", ""),
    CHECK(of_two_equal_ones_the_older_stays_above, "D07", "4.4", ""),
    CHECK(who_fills_a_hole_may_have_to_rise, "D05", "4.4", ""),
    CHECK(a_heap_in_order_is_emptied_in_order, "D02 D07", "4.5", "4.4"),
    CHECK(the_hole_goes_to_the_earliest_child, "D02", "4.5", "4.4"),
    CHECK(who_fits_where_the_hole_is_stays, "D02", "4.5", "4.4"),
    CHECK(a_hole_is_filled_by_a_child_and_not_by_a_cousin, "D05", "4.5", "4.4"),
    CHECK(entries_are_taken_out_from_anywhere, "D05", "4.5", "4.4"),
    CHECK(a_heap_without_order_is_emptied_in_order, "D02 D05", "4.5", "4.4"),
};
SUITE(heap, 4, heap_checks)
