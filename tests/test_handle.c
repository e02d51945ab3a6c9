/*
 * handle.h: the ticket of a queued callback, and what cancelling it does.
 */
#include "handle.h"

#include <math.h>
#include <string.h>

#include "harness.h"
#include "loop.h"

static int note(void *arg)
{
    record("%s", (const char *)arg);
    return 0;
}

static struct handle soon(loop_fn *fn, void *arg)
{
    struct handle h;
    expect_ok(loop_call_soon(fixture_loop(), fn, arg, &h));
    return h;
}

static struct handle later(double delay, loop_fn *fn, void *arg)
{
    struct handle h;
    expect_ok(loop_call_later(fixture_loop(), delay, fn, arg, &h));
    return h;
}

/* --- misuse ----------------------------------------------------------------------------------- */

static void a_ticket_for_nothing_has_no_effect(void)
{
    struct handle none = {0};
    step("handle_cancel() and the like with a zeroed ticket");
    expect_true("nothing was cancelled", !handle_cancel(none));
    expect_true("it is not cancelled", !handle_cancelled(none));
    expect_true("it has no time", isnan(handle_when(none)));
}

static void a_ticket_of_a_place_that_never_was_has_no_effect(void)
{
    struct handle h = soon(note, "a");
    h.number = 123456789;
    step("handle_cancel() with a ticket whose place does not exist");
    expect_true("nothing was cancelled", !handle_cancel(h));
    expect_true("it is not cancelled", !handle_cancelled(h));
    expect_true("it has no time", isnan(handle_when(h)));
    fixture_pump();
    expect_trace("a");
}

static void a_ticket_kept_too_long_does_not_harm_its_successor(void)
{
    struct handle old = soon(note, "old");
    fixture_pump();
    struct handle fresh[300]; /* one of them gets the old one's place */
    for (int i = 0; i < 300; i++)
        fresh[i] = i % 2 == 0 ? soon(note, "fresh") : later(5, note, "fresh");
    step("handle_cancel() of a callback that ran, when its place serves another one");
    expect_true("nothing was cancelled", !handle_cancel(old));
    expect_true("the old one is not cancelled", !handle_cancelled(old));
    expect_true("it has no time", isnan(handle_when(old)));
    expect_int(loop_pending(fixture_loop()), 300);
    for (int i = 0; i < 300; i++)
        expect_true("each of the others is still there", handle_cancel(fresh[i]));
    expect_trace("old");
}

static void a_cancelled_ticket_does_not_harm_its_successor(void)
{
    struct handle old = later(5, note, "old");
    expect_true("the timer is taken back", handle_cancel(old));
    struct handle fresh[300];
    for (int i = 0; i < 300; i++)
        fresh[i] = i % 2 == 0 ? soon(note, "fresh") : later(5, note, "fresh");
    step("handle_cancel() of a cancelled timer, when its place serves another one");
    expect_true("nothing was cancelled", !handle_cancel(old));
    expect_int(loop_pending(fixture_loop()), 300);
    for (int i = 0; i < 300; i++)
        expect_true("each of the others is still there", handle_cancel(fresh[i]));
}

static void a_ticket_has_no_effect_after_the_close(void)
{
    struct handle a = soon(note, "a"), b = later(5, note, "b");
    fixture_close();
    step("handle_cancel() after the close");
    expect_true("nothing was cancelled", !handle_cancel(a));
    expect_true("nothing was cancelled", !handle_cancel(b));
    expect_true("it has no time", isnan(handle_when(b)));
    expect_no_trace();
}

/* --- cancelling ------------------------------------------------------------------------------- */

static void a_cancelled_callback_is_skipped(void)
{
    soon(note, "a");
    struct handle b = soon(note, "b");
    soon(note, "c");
    step("handle_cancel(b)");
    expect_true("it answers true", handle_cancel(b));
    expect_true("it is cancelled", handle_cancelled(b));
    expect_int(loop_pending(fixture_loop()), 2);
    fixture_pump();
    expect_trace("a", "c");
}

static void cancelling_twice_answers_false(void)
{
    struct handle a = soon(note, "a");
    expect_true("the first time it answers true", handle_cancel(a));
    step("handle_cancel() again");
    expect_true("it answers false", !handle_cancel(a));
    expect_true("it is still cancelled", handle_cancelled(a));
    expect_int(fixture_pump(), 0);
    expect_no_trace();
}

static int cancel(void *arg)
{
    record("cancelling");
    expect_true("the other one was still waiting", handle_cancel(*(struct handle *)arg));
    return 0;
}

static void a_callback_may_cancel_a_later_one_of_its_batch(void)
{
    struct handle b;
    soon(cancel, &b);
    b = soon(note, "b");
    soon(note, "c");
    step("an iteration whose first callback cancels the second one");
    expect_int(fixture_iteration(), 2);
    expect_trace("cancelling", "c");
    expect_true("it is cancelled", handle_cancelled(b));
}

static void a_timer_that_is_due_can_still_be_cancelled_by_its_batch(void)
{
    struct handle b;
    later(5, cancel, &b);
    b = later(5, note, "b");
    later(5, note, "c");
    step("an iteration whose first timer cancels the second one");
    fixture_advance(5);
    expect_trace("cancelling", "c");
}

static int cancel_itself(void *arg)
{
    record("running");
    expect_true("a callback that runs cannot be cancelled", !handle_cancel(*(struct handle *)arg));
    expect_true("it is not cancelled", !handle_cancelled(*(struct handle *)arg));
    return 0;
}

static void a_callback_that_runs_or_ran_cannot_be_cancelled(void)
{
    struct handle a = {0}, t = {0};
    a = soon(cancel_itself, &a);
    t = later(5, cancel_itself, &t);
    step("handle_cancel() by the callback itself");
    fixture_advance(5);
    expect_trace("running", "running");
    step("handle_cancel() after it ran");
    expect_true("it answers false", !handle_cancel(a));
    expect_true("it is not cancelled", !handle_cancelled(a));
    expect_true("it answers false", !handle_cancel(t));
    expect_true("it is not cancelled", !handle_cancelled(t));
}

static int cancel_quietly(void *arg)
{
    expect_true("the other one was still waiting", handle_cancel(*(struct handle *)arg));
    return 0;
}

static int queue_another(void *arg)
{
    record("queueing");
    expect_ok(loop_call_soon(fixture_loop(), note, arg, NULL));
    return 0;
}

static void a_place_given_back_in_a_batch_can_be_used_at_once(void)
{
    struct handle b;
    soon(cancel_quietly, &b);
    soon(queue_another, "new");
    b = soon(note, "b");
    step("an iteration that cancels one callback and queues another one");
    expect_int(fixture_iteration(), 2);
    expect_trace("queueing");
    expect_int(fixture_iteration(), 1);
    expect_trace("new");
}

static void a_cancelled_timer_never_fires(void)
{
    struct handle a = later(1, note, "a");
    later(2, note, "b");
    step("handle_cancel() of a timer");
    expect_true("it answers true", handle_cancel(a));
    expect_true("it is cancelled", handle_cancelled(a));
    expect_true("it has no time any more", isnan(handle_when(a)));
    expect_int(loop_pending(fixture_loop()), 1);
    fixture_advance(10);
    expect_trace("b");
}

static void cancelled_timers_do_not_keep_the_loop_alive(void)
{
    struct handle a = later(86400, note, "a");
    double before = fixture_now();
    expect_true("it answers true", handle_cancel(a));
    step("loop_run_forever() with nothing but a cancelled timer");
    expect_error(loop_run_forever(fixture_loop()), ERR_DEADLOCK);
    expect_report("", ERR_DEADLOCK);
    expect_time(fixture_now(), before);
    expect_no_trace();
}

/* --- deadlines
 * ------------------------------------------------------------------------------------ */

static void a_timer_knows_its_deadline(void)
{
    double now = loop_time(fixture_loop());
    struct handle a, b = later(5, note, "b"), c = soon(note, "c");
    expect_ok(loop_call_at(fixture_loop(), now + 7, note, "a", &a));
    step("handle_when()");
    expect_time(handle_when(a), now + 7);
    expect_time(handle_when(b), now + 5);
    expect_true("call_soon() has no deadline", isnan(handle_when(c)));
    fixture_advance(6);
    expect_true("who has fired has none any more", isnan(handle_when(b)));
    expect_time(handle_when(a), now + 7);
    expect_trace("c", "b");
    expect_true("the last one can be cancelled", handle_cancel(a));
}

/* --- many
 * ------------------------------------------------------------------------------------------ */

enum { MANY = 1000 };

static int count(void *arg)
{
    ++*(int *)arg;
    return 0;
}

static void each_of_many_runs_once_or_is_cancelled(void)
{
    static struct handle handles[MANY];
    static int runs[MANY];
    static bool cancelled[MANY];
    for (int round = 0; round < 3; round++) {
        memset(runs, 0, sizeof runs);
        for (int i = 0; i < MANY; i++) {
            handles[i] = i % 2 == 0 ? soon(count, &runs[i])
                                    : later(random_below(50), count, &runs[i]);
            cancelled[i] = false;
            unsigned victim = random_below((unsigned)i + 1);
            if (random_below(3) == 0 && !cancelled[victim]) {
                cancelled[victim] = true;
                expect_true("a waiting one can be cancelled", handle_cancel(handles[victim]));
            }
        }
        step("1,000 callbacks and timers, a third of them cancelled");
        fixture_advance(60);
        for (int i = 0; i < MANY; i++)
            if (runs[i] != (cancelled[i] ? 0 : 1))
                expect_never("one ran although it was cancelled, or did not run once");
        expect_int(loop_pending(fixture_loop()), 0);
    }
}

static const struct check checks[] = {
    /* misuse */
    CHECK(a_ticket_for_nothing_has_no_effect, "H03", "4.2", ""),
    CHECK(a_ticket_of_a_place_that_never_was_has_no_effect, "H03", "4.2", "4.1 4.6"),
    CHECK(a_ticket_kept_too_long_does_not_harm_its_successor, "H03", "4.2", "4.1 4.4 4.5 4.6"),
    CHECK(a_cancelled_ticket_does_not_harm_its_successor, "H03", "4.2", "4.1 4.4"),
    CHECK(a_ticket_has_no_effect_after_the_close, "H03 L14", "4.2", "4.1 4.4"),
    /* cancelling */
    CHECK(a_cancelled_callback_is_skipped, "H03", "4.2", "4.1 4.6"),
    CHECK(cancelling_twice_answers_false, "H03", "4.2", "4.1 4.6"),
    CHECK(a_callback_may_cancel_a_later_one_of_its_batch, "H03", "4.2", "4.1 4.6"),
    CHECK(a_timer_that_is_due_can_still_be_cancelled_by_its_batch,
          "H03 D05", "4.2", "4.3 4.4 4.5 4.6"),
    CHECK(a_callback_that_runs_or_ran_cannot_be_cancelled, "H03", "4.2", "4.1 4.3 4.4 4.6"),
    CHECK(a_place_given_back_in_a_batch_can_be_used_at_once, "H03 L02", "4.2", "4.1 4.6"),
    CHECK(a_cancelled_timer_never_fires, "H03 D05", "4.2", "4.3 4.4 4.5 4.6"),
    CHECK(cancelled_timers_do_not_keep_the_loop_alive, "D05 L04", "4.2", "4.4 4.6 4.7"),
    /* deadlines */
    CHECK(a_timer_knows_its_deadline, "D01", "4.2", "4.1 4.3 4.4 4.5 4.6"),
    /* many */
    CHECK(each_of_many_runs_once_or_is_cancelled, "H02 H03", "4.2", "4.1 4.3 4.4 4.5 4.6"),
};
SUITE_ON_FIXTURE(handle, 4, checks)
