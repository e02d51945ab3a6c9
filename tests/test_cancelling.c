/*
 * task_cancel(): a request, not an end. Who hears it, where and how often, and what a body may make
 * of it; of others and of oneself, and of tasks that wait for each other, even in a ring.
 */
#include "task.h"

#include <stdlib.h>

#include "bodies.h"
#include "harness.h"
#include "kernel.h"

static void cancelling_a_task_that_is_done_answers_false(void)
{
    struct task *task = new_task(return_arg, "x");
    value out;
    fixture_pump();
    step("task_cancel() of a task that is done");
    expect_true("it answers false", !task_cancel(task));
    expect_ok(future_result(task_future(task), &out));
    expect_value(out, value_str("x"));
    task_unref(task);
}

static void cancelling_requests_and_does_not_end(void)
{
    struct waiting w = {.name = "a", .f = new_future()};
    struct task *task = new_task(await_one, &w);
    fixture_pump();
    step("task_cancel() of a task that waits");
    expect_true("it answers true", task_cancel(task));
    expect_true("the task is not cancelled yet", !is_cancelled(task));
    expect_true("it is not even done", !is_done(task));
    expect_trace("a begins");
    fixture_pump();
    expect_trace("a hears ERR_CANCELLED");
    expect_true("now it is cancelled", is_cancelled(task));
    expect_true("and cannot be cancelled any more", !task_cancel(task));
    task_unref(task);
    future_unref(w.f);
}

static void cancelling_a_waiting_task_cancels_what_it_waits_for(void)
{
    struct waiting w = {.name = "a", .f = new_future()};
    struct task *task = new_task(await_one, &w);
    fixture_pump();
    step("task_cancel() of a task that waits for f");
    expect_true("it answers true", task_cancel(task));
    expect_true("f is cancelled now", future_cancelled(w.f));
    step("one iteration later");
    expect_int(fixture_iteration(), 1);
    expect_trace("a begins", "a hears ERR_CANCELLED");
    expect_true("the task is cancelled", is_cancelled(task));
    expect_error(future_result(task_future(task), NULL), ERR_CANCELLED);
    task_unref(task);
    future_unref(w.f);
}

static void cancelling_after_a_bare_yield_is_heard_at_the_yield(void)
{
    struct waiting w = {.name = "a", .times = 5};
    struct task *task = new_task(take_turns, &w);
    fixture_iteration();
    fixture_iteration();
    step("task_cancel() of a task that has yielded None");
    expect_true("it answers true", task_cancel(task));
    expect_int(fixture_iteration(), 1);
    expect_trace("a1", "a2", "a hears ERR_CANCELLED");
    give_back_quietly(task);
}

/* Awaits f, says what it got; then g, which a cancel that was heard does not concern. */
static int await_tell_and_go_on(void *arg, value *ret)
{
    const struct waiting *w = arg;
    int error = await_and_tell(arg, ret);
    (void)error;
    error = task_await(w->g, NULL);
    hear("and then", error);
    return 0;
}

static void expect_undisturbed(struct waiting *w)
{
    step("the body awaits another future");
    expect_true("which is still pending", !future_done(w->g));
    expect_ok(future_set_result(w->g, value_none()));
    fixture_pump();
    expect_trace("and then hears a value");
    future_unref(w->g);
}

static void a_cancel_after_completion_replaces_the_value(void)
{
    struct waiting w = {.name = "a", .f = new_future(), .g = new_future()};
    struct task *task = new_task(await_tell_and_go_on, &w);
    value out;
    fixture_pump();
    expect_ok(future_set_result(w.f, value_int(5)));
    step("task_cancel() between the completion of f and the wake-up");
    expect_true("it answers true", task_cancel(task));
    expect_int(fixture_iteration(), 1);
    expect_trace("a: ERR_CANCELLED None");
    expect_undisturbed(&w);
    step("f keeps its result");
    expect_ok(future_result(w.f, &out));
    expect_value(out, value_int(5));
    give_back_quietly(task);
    future_unref(w.f);
}

static void a_body_starts_even_if_it_was_cancelled_first(void)
{
    struct task *task = new_task(note_run, "the body");
    step("task_cancel() before the first step");
    expect_true("it answers true", task_cancel(task));
    expect_true("it is not done", !is_done(task));
    step("the first step");
    fixture_iteration();
    expect_trace("the body runs");
    expect_true("it is done", is_done(task));
    task_unref(task);
}

static void the_first_await_of_a_body_cancelled_first_is_cancelled(void)
{
    struct waiting w = {.name = "a", .f = new_future()};
    struct task *task = new_task(await_one, &w);
    step("task_cancel() before the first step");
    expect_true("it answers true", task_cancel(task));
    expect_true("the future has nothing to do with it yet", !future_done(w.f));
    step("the first step");
    fixture_iteration();
    expect_trace("a begins");
    expect_true("the future of its first await is cancelled", future_cancelled(w.f));
    fixture_iteration();
    expect_trace("a hears ERR_CANCELLED");
    expect_true("the task is cancelled", is_cancelled(task));
    task_unref(task);
    future_unref(w.f);
}

static void a_cancel_after_an_error_replaces_the_error(void)
{
    struct waiting w = {.name = "a", .f = new_future(), .g = new_future()};
    struct task *task = new_task(await_tell_and_go_on, &w);
    fixture_pump();
    expect_ok(future_set_exception(w.f, ERR_USER));
    step("task_cancel() between the error of f and the wake-up");
    expect_true("it answers true", task_cancel(task));
    fixture_pump();
    expect_trace("a: ERR_CANCELLED None");
    expect_undisturbed(&w);
    step("the error of f counts as asked for");
    give_back_quietly(task);
    future_unref(w.f);
    expect_no_report();
}

static int yield_wrong_once(void *arg, value *ret)
{
    int error = gen_yield(arg == NULL ? value_int(5) : value_generator(arg), NULL);
    (void)ret;
    hear("the body", error);
    return 0;
}

static void a_cancel_replaces_an_error_of_ones_own(void)
{
    struct task *task = new_task(yield_wrong_once, NULL);
    fixture_iteration();
    step("task_cancel() of a task that has yielded 5");
    expect_true("it answers true", task_cancel(task));
    fixture_pump();
    expect_trace("the body hears ERR_CANCELLED");
    give_back_quietly(task);
}

static void many_cancels_are_raised_once(void)
{
    struct generator *g = gen_new(return_arg, "inner");
    struct task *task = new_task(yield_wrong_once, g);
    fixture_iteration();
    step("task_cancel(), three times, of a task that has yielded a generator");
    for (int i = 0; i < 3; i++)
        expect_true("it answers true", task_cancel(task));
    expect_int(fixture_pump(), 1);
    expect_trace("the body hears ERR_CANCELLED");
    give_back_quietly(task);
    gen_free(g);
}

static void a_cancel_replaces_the_value_of_a_yielded_future(void)
{
    struct future *f = new_future();
    struct task *task = new_task(await_raw, f);
    fixture_pump();
    expect_ok(future_set_result(f, value_int(5)));
    step("gen_yield(f) in a task, future_set_result(f, 5), then task_cancel()");
    expect_true("it answers true", task_cancel(task));
    fixture_pump();
    expect_trace("the body hears ERR_CANCELLED");
    give_back_quietly(task);
    future_unref(f);
}

static void whoever_hears_the_cancel_at_a_bare_yield_ends_cancelled(void)
{
    struct waiting w[] = {{.name = "a", .times = 5}, {.name = "b", .times = 5}};
    struct task *a = new_task(take_turns, &w[0]);
    fixture_iteration();
    struct task *b = new_task(take_turns, &w[1]);
    step("task_cancel() of a task that has yielded None, and of a new one");
    expect_true("it answers true", task_cancel(a));
    expect_true("it answers true", task_cancel(b));
    fixture_pump();
    expect_true("the first one is cancelled", is_cancelled(a));
    expect_true("so is the new one", is_cancelled(b));
    forget_trace();
    task_unref(a);
    task_unref(b);
}

static void a_value_that_was_replaced_by_a_cancel_is_not_the_result(void)
{
    struct future *f = new_future();
    struct task *task = new_task(await_quietly, f);
    value out;
    fixture_pump();
    expect_ok(future_set_result(f, value_int(5)));
    step("task_cancel() between the completion of f and the wake-up");
    expect_true("it answers true", task_cancel(task));
    fixture_pump();
    expect_true("the task is cancelled", is_cancelled(task));
    step("f keeps its result");
    expect_ok(future_result(f, &out));
    expect_value(out, value_int(5));
    task_unref(task);
    future_unref(f);
}

static int await_both(void *arg, value *ret)
{
    struct waiting *w = arg;
    int error = task_await(w->f, ret);
    hear("first", error);
    error = task_await(w->g, ret);
    hear("second", error);
    return error;
}

static void done_futures_still_deliver_to_a_body_cancelled_first(void)
{
    struct waiting w = {.f = new_future(), .g = new_future()};
    struct task *task = new_task(await_both, &w);
    expect_ok(future_set_result(w.f, value_int(5)));
    step("task_cancel() before the first step; f is done, g is pending");
    expect_true("it answers true", task_cancel(task));
    fixture_pump();
    expect_trace("first hears a value", "second hears ERR_CANCELLED");
    expect_true("the task is cancelled", is_cancelled(task));
    task_unref(task);
    future_unref(w.f);
    future_unref(w.g);
}

static void a_body_cancelled_first_hears_it_at_a_bare_yield(void)
{
    struct waiting w = {.name = "a", .times = 3};
    struct task *task = new_task(take_turns, &w);
    step("task_cancel() before the first step of a task that yields None");
    expect_true("it answers true", task_cancel(task));
    fixture_pump();
    expect_trace("a1", "a hears ERR_CANCELLED");
    give_back_quietly(task);
}

static void a_body_cancelled_first_that_never_suspends_ends_cancelled(void)
{
    struct task *task = new_task(return_arg, "dropped");
    step("task_cancel() before the first step of a body that never suspends");
    expect_true("it answers true", task_cancel(task));
    fixture_pump();
    expect_true("the task is cancelled", is_cancelled(task));
    task_unref(task);
}

static void a_body_cancelled_first_that_raises_fails(void)
{
    struct task *task = new_task(raise_user, NULL);
    step("task_cancel() before the first step of a body that raises ERR_USER");
    expect_true("it answers true", task_cancel(task));
    fixture_pump();
    expect_true("the task is not cancelled", !is_cancelled(task));
    expect_error(future_result(task_future(task), NULL), ERR_USER);
    task_unref(task);
}

static int catch_and_return(void *arg, value *ret)
{
    int error = task_await(arg, NULL);
    hear("the body", error);
    *ret = value_str("caught");
    return 0;
}

static void a_body_may_catch_the_cancel_and_return(void)
{
    struct future *f = new_future();
    struct task *task = new_task(catch_and_return, f);
    value out;
    fixture_pump();
    step("task_cancel() of a body that catches it and returns 'caught'");
    expect_true("it answers true", task_cancel(task));
    fixture_pump();
    expect_trace("the body hears ERR_CANCELLED");
    expect_true("the task is not cancelled", !is_cancelled(task));
    expect_ok(future_result(task_future(task), &out));
    expect_value(out, value_str("caught"));
    task_unref(task);
    future_unref(f);
}

static int catch_and_go_on(void *arg, value *ret)
{
    (void)ret;
    for (int i = 0; i < 3; i++) {
        struct future *f = new_future();
        int error = task_await(f, NULL);
        hear("the body", error);
        future_unref(f);
    }
    return task_await(arg, ret);
}

static void a_body_that_goes_on_can_be_cancelled_again(void)
{
    struct future *last = new_future();
    struct task *task = new_task(catch_and_go_on, last);
    value out;
    fixture_pump();
    for (int i = 0; i < 3; i++) {
        step("task_cancel() of a body that catches it and awaits again");
        expect_true("it answers true", task_cancel(task));
        fixture_pump();
        expect_trace("the body hears ERR_CANCELLED");
        expect_true("the task goes on", !is_done(task));
    }
    expect_int(task_cancel_count(task), 3);
    expect_ok(future_set_result(last, value_int(5)));
    fixture_pump();
    expect_ok(future_result(task_future(task), &out));
    expect_value(out, value_int(5));
    task_unref(task);
    future_unref(last);
}

static int catch_and_raise(void *arg, value *ret)
{
    (void)ret;
    int error = task_await(arg, NULL);
    return error == ERR_CANCELLED ? ERR_USER : error;
}

static void a_body_may_raise_another_error_instead(void)
{
    struct future *f = new_future();
    struct task *task = new_task(catch_and_raise, f);
    fixture_pump();
    step("task_cancel() of a body that raises ERR_USER when cancelled");
    expect_true("it answers true", task_cancel(task));
    fixture_pump();
    expect_true("the task is not cancelled", !is_cancelled(task));
    expect_error(future_result(task_future(task), NULL), ERR_USER);
    task_unref(task);
    future_unref(f);
}

static int raise_cancelled(void *arg, value *ret)
{
    (void)arg, (void)ret;
    return ERR_CANCELLED;
}

static void a_body_that_lets_cancelled_escape_ends_cancelled(void)
{
    struct future *f = new_future();
    struct task *a = new_task(await_quietly, f), *b = new_task(raise_cancelled, NULL);
    fixture_pump();
    step("a body that raises ERR_CANCELLED by itself");
    expect_true("the task is cancelled", is_cancelled(b));
    step("future_cancel(f), for which a task waits");
    expect_true("it answers true", future_cancel(f));
    fixture_pump();
    expect_true("the task is cancelled", is_cancelled(a));
    task_unref(a);
    task_unref(b);
    future_unref(f);
}

static int cancel_itself_and_await(void *arg, value *ret)
{
    (void)ret;
    expect_true("a running task can be cancelled", task_cancel(task_current()));
    int error = task_await(arg, NULL);
    hear("the body", error);
    error = task_yield();
    hear("and then", error);
    return ERR_CANCELLED;
}

static void a_task_that_cancels_itself_is_cancelled_at_its_next_await(void)
{
    struct future *f = new_future();
    struct task *task = new_task(cancel_itself_and_await, f);
    step("a task that cancels itself and then awaits f");
    fixture_iteration();
    expect_true("f is cancelled at once", future_cancelled(f));
    expect_no_trace();
    fixture_iteration();
    expect_trace("the body hears ERR_CANCELLED");
    step("the cancel is heard once");
    fixture_pump();
    expect_trace("and then hears a value");
    expect_true("the task is cancelled", is_cancelled(task));
    task_unref(task);
    future_unref(f);
}

static void a_task_that_cancels_itself_cancels_the_task_it_awaits(void)
{
    struct waiting w = {.name = "inner", .f = new_future()};
    struct task *inner = new_task(await_one, &w);
    fixture_pump();
    struct task *outer = new_task(cancel_itself_and_await, task_future(inner));
    step("a task that cancels itself and then awaits another task");
    fixture_iteration();
    expect_true("what the other one waits for is cancelled at once", future_cancelled(w.f));
    fixture_pump();
    expect_trace("inner begins", "inner hears ERR_CANCELLED", "the body hears ERR_CANCELLED",
                 "and then hears a value");
    expect_true("the inner task is cancelled", is_cancelled(inner));
    task_unref(inner);
    task_unref(outer);
    future_unref(w.f);
}

static void a_task_that_cancels_itself_hears_what_the_inner_makes_of_it(void)
{
    struct future *f = new_future();
    struct task *inner = new_task(catch_and_return, f);
    fixture_pump();
    struct task *outer = new_task(cancel_itself_and_await, task_future(inner));
    step("a task cancels itself and then awaits one who catches it and returns 'caught'");
    fixture_pump();
    expect_trace("the body hears ERR_CANCELLED", "the body hears a value",
                 "and then hears a value");
    task_unref(inner);
    task_unref(outer);
    future_unref(f);
}

static int cancel_itself_and_yield_done(void *arg, value *ret)
{
    expect_true("a running task can be cancelled", task_cancel(task_current()));
    int error = gen_yield(value_future(arg), ret);
    hear("the body", error);
    return 0;
}

static void a_task_that_cancels_itself_hears_it_even_if_the_future_is_done(void)
{
    struct future *f = new_future();
    struct task *task = new_task(cancel_itself_and_yield_done, f);
    expect_ok(future_set_result(f, value_int(5)));
    step("a task cancels itself and then yields a future that is done");
    fixture_pump();
    expect_trace("the body hears ERR_CANCELLED");
    task_unref(task);
    future_unref(f);
}

static int cancel_itself_and_return(void *arg, value *ret)
{
    expect_true("a running task can be cancelled", task_cancel(task_current()));
    *ret = value_str("dropped");
    return *(int *)arg;
}

static void a_task_that_cancels_itself_and_returns_is_cancelled(void)
{
    int answer = 0;
    struct task *task = new_task(cancel_itself_and_return, &answer);
    value out = value_int(-77);
    step("a task that cancels itself and returns a value");
    fixture_pump();
    expect_true("the task is cancelled", is_cancelled(task));
    expect_error(future_result(task_future(task), &out), ERR_CANCELLED);
    expect_value(out, value_none());
    task_unref(task);
}

static void a_task_that_cancels_itself_and_raises_fails(void)
{
    int answer = ERR_USER;
    struct task *task = new_task(cancel_itself_and_return, &answer);
    step("a task that cancels itself and raises ERR_USER");
    fixture_pump();
    expect_true("the task is not cancelled", !is_cancelled(task));
    expect_error(future_result(task_future(task), NULL), ERR_USER);
    task_unref(task);
}

static int await_and_yield(void *arg, value *ret)
{
    (void)ret;
    int error = task_await(arg, NULL);
    hear("first", error);
    error = task_yield();
    hear("second", error);
    return 0;
}

static void cancelling_future_and_task_is_heard_once(void)
{
    struct future *f = new_future(), *g = new_future();
    struct task *a = new_task(await_and_yield, f), *b = new_task(await_and_yield, g);
    fixture_pump();
    step("future_cancel(f) and task_cancel() of the task that waits for it");
    expect_true("the future's answers true", future_cancel(f));
    expect_true("the task's answers true", task_cancel(a));
    fixture_pump();
    expect_trace("first hears ERR_CANCELLED", "second hears a value");
    step("the other way round");
    expect_true("the task's answers true", task_cancel(b));
    expect_true("the future is cancelled already", !future_cancel(g));
    fixture_pump();
    expect_trace("first hears ERR_CANCELLED", "second hears a value");
    task_unref(a);
    task_unref(b);
    future_unref(f);
    future_unref(g);
}

static void a_cancel_is_raised_at_the_innermost_generator(void)
{
    struct future *f = new_future();
    struct task *task = new_task(delegate, f);
    fixture_pump();
    step("task_cancel() of a task whose body delegates to a generator that awaits");
    expect_true("it answers true", task_cancel(task));
    fixture_pump();
    expect_trace("the innermost hears ERR_CANCELLED", "the outer hears ERR_CANCELLED");
    expect_true("the task is cancelled", is_cancelled(task));
    task_unref(task);
    future_unref(f);
}

static void a_value_reaches_the_innermost_generator(void)
{
    struct future *f = new_future();
    struct task *task = new_task(delegate, f);
    value out;
    fixture_pump();
    step("future_set_result(f, 5), awaited by a generator to which a task's body delegates");
    expect_ok(future_set_result(f, value_int(5)));
    fixture_pump();
    expect_trace("the innermost hears a value", "the outer hears a value");
    expect_ok(future_result(task_future(task), &out));
    expect_value(out, value_int(5));
    task_unref(task);
    future_unref(f);
}

static void cancelling_an_outer_task_cancels_the_innermost_wait_first(void)
{
    struct waiting in = {.name = "inner", .f = new_future()};
    struct task *inner = new_task(await_one, &in);
    struct waiting out = {.name = "outer", .f = task_future(inner)};
    struct task *outer = new_task(await_one, &out);
    fixture_pump();
    expect_trace("inner begins", "outer begins");
    step("task_cancel(outer), which awaits inner, which awaits f");
    expect_true("it answers true", task_cancel(outer));
    expect_true("f is cancelled now", future_cancelled(in.f));
    expect_true("the inner task is not done yet", !is_done(inner));
    step("one iteration later");
    expect_int(fixture_iteration(), 1);
    expect_trace("inner hears ERR_CANCELLED");
    expect_true("the inner task is cancelled", is_cancelled(inner));
    expect_true("the outer task is not done yet", !is_done(outer));
    step("two iterations later");
    expect_int(fixture_iteration(), 1);
    expect_trace("outer hears ERR_CANCELLED");
    expect_true("the outer task is cancelled", is_cancelled(outer));
    task_unref(inner);
    task_unref(outer);
    future_unref(in.f);
}

static void an_outer_task_learns_what_the_inner_made_of_the_cancel(void)
{
    struct future *f = new_future();
    struct task *inner = new_task(catch_and_return, f);
    struct waiting w = {.name = "outer", .f = task_future(inner)};
    struct task *outer = new_task(await_and_tell, &w);
    fixture_pump();
    step("task_cancel(outer), which awaits inner, which catches it and returns 'caught'");
    expect_true("it answers true", task_cancel(outer));
    fixture_pump();
    expect_trace("the body hears ERR_CANCELLED", "outer: ok 'caught'");
    expect_true("the outer task is not cancelled", !is_cancelled(outer));
    task_unref(inner);
    task_unref(outer);
    future_unref(f);
}

enum { RING = 1000 };

static struct task *ring[RING];

static void cancel_a_ring(int n)
{
    for (int i = 0; i < n; i++)
        ring[i] = new_task_named(await_the_other, &ring[(i + 1) % n], "await_the_other");
    fixture_pump();
    step("task_cancel() of one of %d tasks that await each other in a ring", n);
    expect_true("it answers true", task_cancel(ring[0]));
    fixture_pump();
    for (int i = 0; i < n; i++) {
        expect_true("each is cancelled", is_cancelled(ring[i]));
        task_unref(ring[i]);
    }
}

static void cancelling_one_of_two_that_await_each_other_ends_both(void)
{
    cancel_a_ring(2);
}

static void cancelling_one_of_a_ring_of_1000_ends_all(void)
{
    cancel_a_ring(harness_is_slow() ? RING / 10 : RING);
}

static int await_the_other_and_tell(void *arg, value *ret)
{
    struct task *const *other = arg;
    int error = task_await(task_future(*other), ret);
    hear(other == &ring[1] ? "the first" : "the second", error);
    *ret = value_str("caught");
    return 0;
}

static void a_ring_is_broken_at_one_place(void)
{
    ring[0] = new_task_named(await_the_other_and_tell, &ring[1], "first");
    ring[1] = new_task_named(await_the_other_and_tell, &ring[0], "second");
    fixture_pump();
    step("task_cancel() of one of two that await each other; each catches what it hears");
    expect_true("it answers true", task_cancel(ring[0]));
    fixture_pump();
    expect_trace("the second hears ERR_CANCELLED", "the first hears a value");
    task_unref(ring[0]);
    task_unref(ring[1]);
}

static void who_breaks_a_ring_does_not_wait_any_more(void)
{
    char *text = NULL;
    size_t size = 0;
    int error;
    ring[0] = new_task_named(await_the_other, &ring[1], "first");
    ring[1] = new_task_named(await_the_other, &ring[0], "second");
    fixture_pump();
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL)
        skip("needs a stream in memory");
    step("task_cancel() of the first of two that await each other, then task_dump()");
    expect_true("it answers true", task_cancel(ring[0]));
    expect_int(task_dump(fixture_dispatcher(), stream), 2);
    fclose(stream);
    expect_text(text, "task 'first' waits for: task 'second' pending");
    expect_text(text, "task 'second' is ready");
    free(text);
    fixture_pump();
    for (int i = 0; i < 2; i++) {
        expect_true("each has come to an end", is_done(ring[i]));
        int asked = future_exception(task_future(ring[i]), &error); /* which: see other checks */
        expect_true("it can be asked how", asked == 0 || asked == ERR_CANCELLED);
        task_unref(ring[i]);
    }
}

static void a_cancel_that_nobody_else_takes_waits_for_the_next_step(void)
{
    struct task *task = new_task(return_arg, "dropped");
    step("task_cancel() of a new task");
    expect_true("it answers true", task_cancel(task));
    expect_int(task_cancel_count(task), 1);
    expect_true("it is not done", !is_done(task));
    step("again");
    expect_true("it answers true", task_cancel(task));
    expect_int(task_cancel_count(task), 2);
    expect_int(fixture_pump(), 1);
    expect_true("it is cancelled", is_cancelled(task));
    task_unref(task);
}

static int cancel_itself_and_look(void *arg, value *ret)
{
    (void)arg, (void)ret;
    expect_true("a running task can be cancelled", task_cancel(task_current()));
    expect_true("it is not done", !is_done(task_current()));
    expect_true("nor is it cancelled again in vain", task_cancel(task_current()));
    record("goes on");
    return 0;
}

static void a_running_task_goes_on_when_it_is_cancelled(void)
{
    struct task *task = new_task(cancel_itself_and_look, NULL);
    step("a task cancels itself, and then returns");
    expect_int(fixture_pump(), 1);
    expect_trace("goes on");
    expect_int(task_cancel_count(task), 2);
    expect_true("it is cancelled", is_cancelled(task));
    task_unref(task);
}

static void cancelling_one_who_waits_for_a_ring_ends_all(void)
{
    ring[0] = new_task_named(await_the_other, &ring[1], "await_the_other");
    ring[1] = new_task_named(await_the_other, &ring[0], "await_the_other");
    struct task *outer = new_task(await_the_other, &ring[0]);
    fixture_pump();
    step("task_cancel() of a task that awaits one of two that await each other");
    expect_true("it answers true", task_cancel(outer));
    fixture_pump();
    expect_true("it is cancelled", is_cancelled(outer));
    expect_true("so is the one", is_cancelled(ring[0]));
    expect_true("so is the other", is_cancelled(ring[1]));
    task_unref(ring[0]);
    task_unref(ring[1]);
    task_unref(outer);
}

static int cancel_itself_and_close_the_ring(void *arg, value *ret)
{
    struct task *const *other = arg;
    int error = task_yield();
    if (error)
        return error;
    expect_true("a running task can be cancelled", task_cancel(task_current()));
    error = task_await(task_future(*other), ret);
    hear("who closed the ring", error);
    return error;
}

static void cancelling_oneself_and_then_closing_a_ring_ends_all(void)
{
    ring[0] = new_task_named(cancel_itself_and_close_the_ring, &ring[1], "closer");
    ring[1] = new_task_named(await_the_other, &ring[0], "await_the_other");
    step("a task cancels itself and then awaits one who awaits it");
    fixture_pump();
    expect_trace("who closed the ring hears ERR_CANCELLED");
    expect_true("it is cancelled", is_cancelled(ring[0]));
    expect_true("so is the other", is_cancelled(ring[1]));
    task_unref(ring[0]);
    task_unref(ring[1]);
}

static int cancel_all(void *arg, value *ret)
{
    *ret = value_int((intptr_t)task_cancel_all(arg));
    return task_yield();
}

static void cancelling_all_leaves_out_who_asks(void)
{
    struct future *f = new_future();
    struct waiting w[] = {{.name = "a", .f = f}, {.name = "b", .times = 5}};
    struct task *a = new_task(await_one, &w[0]), *b = new_task(take_turns, &w[1]);
    struct task *c = new_task(cancel_all, fixture_dispatcher());
    value out;
    step("task_cancel_all() by a task, with two others");
    fixture_pump();
    expect_ok(future_result(task_future(c), &out));
    expect_value(out, value_int(2));
    expect_true("the first one is cancelled", is_cancelled(a));
    expect_true("so is the second one", is_cancelled(b));
    expect_trace("a begins", "b1", "b hears ERR_CANCELLED", "a hears ERR_CANCELLED");
    expect_int(task_cancel_all(fixture_dispatcher()), 0);
    task_unref(a);
    task_unref(b);
    task_unref(c);
    future_unref(f);
}

static void cancels_are_counted_and_can_be_forgiven(void)
{
    struct future *f = new_future();
    struct task *inner = new_task(catch_and_go_on, f);
    struct task *outer = new_task(await_quietly, task_future(inner));
    fixture_pump();
    step("task_cancel(outer), which awaits inner");
    expect_int(task_cancel_count(outer), 0);
    expect_true("it answers true", task_cancel(outer));
    expect_int(task_cancel_count(outer), 1);
    expect_int(task_cancel_count(inner), 1);
    fixture_pump();
    expect_true("it answers true", task_cancel(outer));
    expect_int(task_cancel_count(outer), 2);
    step("task_forgive(outer)");
    expect_int(task_forgive(outer), 1);
    expect_int(task_cancel_count(outer), 1);
    fixture_pump();
    expect_true("it answers true", task_cancel(outer));
    fixture_pump();
    expect_ok(future_set_result(f, value_none()));
    fixture_pump();
    expect_trace("the body hears ERR_CANCELLED", "the body hears ERR_CANCELLED",
                 "the body hears ERR_CANCELLED");
    task_unref(outer);
    task_unref(inner);
    future_unref(f);
}

static const struct check checks[] = {
    CHECK(cancelling_a_task_that_is_done_answers_false, "T15", "3.2", "3.1 3.4"),
    CHECK(cancelling_requests_and_does_not_end, "T15", NULL, "3.1 3.2 3.3 3.4 3.6"),
    CHECK(cancelling_a_waiting_task_cancels_what_it_waits_for, "T16", NULL, "3.1 3.2 3.3 3.4 3.6"),
    CHECK(cancelling_after_a_bare_yield_is_heard_at_the_yield, "T17", "3.3", "3.1 3.2 3.4 3.5"),
    CHECK(a_cancel_after_completion_replaces_the_value, "T17", "3.1", "3.2 3.3 3.4 3.5 3.6"),
    CHECK(whoever_hears_the_cancel_at_a_bare_yield_ends_cancelled,
          "T17 T22", "3.2", "3.1 3.3 3.4 3.5"),
    CHECK(a_value_that_was_replaced_by_a_cancel_is_not_the_result,
          "T17 T22", "3.2", "3.1 3.3 3.4 3.5 3.6"),
    CHECK(a_cancel_after_an_error_replaces_the_error, "T17", "3.1", "3.2 3.3 3.4 3.5 3.6"),
    CHECK(many_cancels_are_raised_once, "T17", "3.1", "3.2 3.3 3.4 3.5"),
    CHECK(a_cancel_replaces_the_value_of_a_yielded_future, "T17", "3.1", "3.2 3.3 3.4 3.5"),
    CHECK(a_cancel_replaces_an_error_of_ones_own, "T17", "3.1", "3.2 3.3 3.4 3.5"),
    CHECK(a_body_starts_even_if_it_was_cancelled_first, "T18", "3.1", "3.2 3.4 3.5"),
    CHECK(the_first_await_of_a_body_cancelled_first_is_cancelled,
          "T18", "3.3", "3.1 3.2 3.4 3.5 3.6"),
    CHECK(done_futures_still_deliver_to_a_body_cancelled_first,
          "T18", "3.3", "3.1 3.2 3.4 3.5 3.6"),
    CHECK(a_body_cancelled_first_hears_it_at_a_bare_yield, "T18", "3.3", "3.1 3.2 3.4 3.5"),
    CHECK(a_body_cancelled_first_that_never_suspends_ends_cancelled, "T18", "3.5", "3.1 3.2 3.4"),
    CHECK(a_body_cancelled_first_that_raises_fails, "T18", "3.2", "3.1 3.4 3.5"),
    CHECK(a_body_may_catch_the_cancel_and_return, "T19", "3.2", "3.1 3.3 3.4 3.6"),
    CHECK(a_body_that_goes_on_can_be_cancelled_again, "T20", NULL, "3.1 3.2 3.3 3.4 3.6"),
    CHECK(a_body_may_raise_another_error_instead, "T21", "3.2", "3.1 3.3 3.4 3.6"),
    CHECK(a_body_that_lets_cancelled_escape_ends_cancelled, "T22", "3.2", "3.1 3.3 3.4 3.6"),
    CHECK(a_task_that_cancels_itself_is_cancelled_at_its_next_await,
          "T23", "3.3", "3.1 3.2 3.4 3.5 3.6"),
    CHECK(a_task_that_cancels_itself_cancels_the_task_it_awaits,
          "T23", "3.3", "3.1 3.2 3.4 3.5 3.6"),
    CHECK(a_task_that_cancels_itself_hears_what_the_inner_makes_of_it, "T23 T19", "3.3",
          "3.1 3.2 3.4 3.5 3.6"),
    CHECK(a_task_that_cancels_itself_hears_it_even_if_the_future_is_done, "T23 T17", "3.3",
          "3.1 3.2 3.4 3.5"),
    CHECK(a_task_that_cancels_itself_and_returns_is_cancelled, "T24", "3.2", "3.1 3.4 3.5"),
    CHECK(a_task_that_cancels_itself_and_raises_fails, "T24", "3.2", "3.1 3.4 3.5"),
    CHECK(cancelling_future_and_task_is_heard_once, "T25", "3.1", "3.2 3.3 3.4 3.5 3.6"),
    CHECK(a_cancel_is_raised_at_the_innermost_generator, "T26", "3.4", "3.1 3.2 3.3 3.6"),
    CHECK(a_value_reaches_the_innermost_generator, "T26 T06", "3.4", "3.1 3.2 3.3 3.6"),
    CHECK(cancelling_an_outer_task_cancels_the_innermost_wait_first,
          "T27", NULL, "3.1 3.2 3.3 3.4 3.6"),
    CHECK(an_outer_task_learns_what_the_inner_made_of_the_cancel,
          "T27 T19", "3.2", "3.1 3.3 3.4 3.6"),
    CHECK(cancelling_one_of_two_that_await_each_other_ends_both,
          "T28", "3.5", "3.1 3.2 3.3 3.4 3.6"),
    CHECK(cancelling_one_of_a_ring_of_1000_ends_all, "T28", NULL, "3.1 3.2 3.3 3.4 3.5 3.6"),
    CHECK(cancelling_one_who_waits_for_a_ring_ends_all, "T28", "3.5", "3.1 3.2 3.3 3.4 3.6"),
    CHECK(a_running_task_goes_on_when_it_is_cancelled, "T23 T24", "3.5", "3.1 3.2 3.4"),
    CHECK(a_ring_is_broken_at_one_place, "T28", "3.5", "3.1 3.2 3.3 3.4 3.6"),
    CHECK(who_breaks_a_ring_does_not_wait_any_more, "T28", "3.5", "3.1 3.2 3.3 3.4 3.6"),
    CHECK(a_cancel_that_nobody_else_takes_waits_for_the_next_step, "T15 T18", "3.5", "3.1 3.2 3.4"),
    CHECK(cancelling_oneself_and_then_closing_a_ring_ends_all,
          "T28 T23", "3.3", "3.1 3.2 3.4 3.5 3.6"),
    CHECK(cancelling_all_leaves_out_who_asks, "T15", NULL, "3.1 3.2 3.3 3.4 3.5 3.6"),
    CHECK(cancels_are_counted_and_can_be_forgiven, "T20", NULL, "3.1 3.2 3.3 3.4 3.6"),
};
/* Suites stand in the order of their names: how a task runs comes before how it is cancelled. */
SUITE_ON_FIXTURE(task_cancelling, 3, checks)
