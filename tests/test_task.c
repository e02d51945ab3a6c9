/*
 * task.h: a generator that is driven by the futures it waits for. What it hears, when it goes on,
 * and who is running. Also what awaiting a future means (rows F19, F20). How a task is cancelled:
 * test_cancelling.c; and what becomes of it when nobody is left: test_task_end.c.
 */
#include "task.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "bodies.h"
#include "harness.h"
#include "kernel.h"

/* --- misuse ----------------------------------------------------------------------------------- */

static void a_task_without_a_body_is_refused(void)
{
    struct task *task = (struct task *)(void *)&task;
    step("task_new(d, NULL, …)");
    expect_error(task_new(fixture_dispatcher(), NULL, NULL, &task), ERR_VALUE);
    expect_true("no task is made", task == NULL);
    step("nothing was queued");
    expect_int(fixture_pump(), 0);
}

static void new_without_dispatcher(void *arg)
{
    struct task *task;
    (void)arg;
    if (task_new(NULL, return_arg, NULL, &task) == 0)
        task_unref(task);
}

static void a_task_needs_a_dispatcher(void)
{
    step("task_new(NULL, …)");
    expect_death(SIGABRT, "task_new()", new_without_dispatcher, NULL);
}

static void spawn_outside(void *arg)
{
    if (task_spawn(return_arg, arg, NULL))
        record("refused");
}

static void only_a_task_can_spawn(void)
{
    step("task_spawn() outside a task");
    expect_death(SIGABRT, "task_spawn()", spawn_outside, NULL);
}

static void await_outside(void *arg)
{
    (void)arg;
    struct future *f = future_new(fixture_dispatcher());
    if (task_await(f, NULL))
        record("refused");
    future_unref(f);
}

static void awaiting_a_pending_future_outside_any_generator_aborts(void)
{
    step("task_await() of a pending future outside any generator");
    expect_death(SIGABRT, NULL, await_outside, NULL);
}

static void a_closed_dispatcher_takes_no_task(void)
{
    struct task *task = (struct task *)(void *)&task;
    struct dispatcher *d = fixture_dispatcher();
    fixture_close();
    step("task_new() after the close");
    expect_error(task_new(d, note_run, "body", &task), ERR_CLOSED);
    expect_true("no task is made", task == NULL);
    expect_no_trace();
    expect_no_report();
}

static int yield_int(void *arg, value *ret)
{
    (void)arg;
    int error = gen_yield(value_int(5), NULL);
    hear("the body", error);
    error = task_yield();
    hear("and then", error);
    *ret = value_str("went on");
    return error;
}

static void yielding_something_else_raises_in_the_next_iteration(void)
{
    struct task *task = new_task(yield_int, NULL);
    value out;
    step("a task yields 5");
    fixture_iteration();
    expect_no_trace();
    step("the next iteration");
    fixture_iteration();
    expect_trace("the body hears ERR_RUNTIME");
    step("it caught the error and goes on");
    fixture_pump();
    expect_trace("and then hears a value");
    expect_ok(future_result(task_future(task), &out));
    expect_value(out, value_str("went on"));
    task_unref(task);
}

static int yield_wrong_and_listen(void *arg, value *ret)
{
    (void)arg, (void)ret;
    hear("at 5", gen_yield(value_int(5), NULL));
    hear("at the yield", task_yield());
    hear("at the next one", task_yield());
    return 0;
}

static void an_error_of_ones_own_is_raised_once(void)
{
    struct task *task = new_task(yield_wrong_and_listen, NULL);
    step("a task yields 5, then nothing, twice");
    fixture_pump();
    expect_trace("at 5 hears ERR_RUNTIME", "at the yield hears a value",
                 "at the next one hears a value");
    task_unref(task);
}

static int yield_generator(void *arg, value *ret)
{
    (void)ret;
    int error = gen_yield(value_generator(arg), NULL);
    hear("the body", error);
    return error;
}

static void yielding_a_generator_is_no_delegation(void)
{
    struct generator *g = gen_new(return_arg, "inner");
    struct task *task = new_task(yield_generator, g);
    step("a task yields a generator instead of delegating to it");
    fixture_pump();
    expect_trace("the body hears ERR_RUNTIME");
    expect_error(future_result(task_future(task), NULL), ERR_RUNTIME);
    expect_state(g, GEN_CREATED);
    task_unref(task);
    gen_free(g);
}

static int await_foreigner(void *arg, value *ret)
{
    struct waiting *w = arg;
    int error = task_await(w->f, ret);
    hear("the body", error);
    error = task_yield();
    hear("and then", error);
    return error;
}

static void a_future_of_another_dispatcher_is_refused(void)
{
    struct dispatcher other;
    immediate_init(&other);
    struct future *foreigner = future_new(&other);
    struct waiting w = {.f = foreigner};
    struct task *task = new_task(await_foreigner, &w);
    step("a task awaits a future of another dispatcher");
    fixture_pump();
    expect_trace("the body hears ERR_WRONG_LOOP", "and then hears a value");
    expect_true("the foreign future is still pending", !future_done(foreigner));
    step("it caught the error and goes on");
    task_unref(task);
    future_unref(foreigner);
    immediate_close(&other);
}

static int await_itself(void *arg, value *ret)
{
    (void)arg;
    int error = task_await(task_future(task_current()), ret);
    hear("the body", error);
    *ret = value_str("went on");
    return 0;
}

static void a_task_cannot_await_itself(void)
{
    struct task *task = new_task(await_itself, NULL);
    value out;
    step("a task awaits itself");
    fixture_pump();
    expect_trace("the body hears ERR_RUNTIME");
    expect_ok(future_result(task_future(task), &out));
    expect_value(out, value_str("went on"));
    task_unref(task);
}

static void nobody_but_the_body_completes_a_task(void)
{
    struct task *task = new_task(return_arg, "mine");
    value out;
    step("future_set_result() of a task");
    expect_error(future_set_result(task_future(task), value_int(1)), ERR_RUNTIME);
    step("future_set_exception() of a task");
    expect_error(future_set_exception(task_future(task), ERR_USER), ERR_RUNTIME);
    step("future_set_result_unless_cancelled() of a task");
    expect_error(future_set_result_unless_cancelled(task_future(task), value_int(1)), ERR_RUNTIME);
    fixture_pump();
    step("and after it has ended");
    expect_error(future_set_result(task_future(task), value_int(1)), ERR_RUNTIME);
    expect_error(future_set_exception(task_future(task), 0), ERR_RUNTIME);
    expect_ok(future_result(task_future(task), &out));
    expect_value(out, value_str("mine"));
    task_unref(task);
}

static void forgive_nothing(void *arg)
{
    (void)arg;
    struct task *task = new_task(return_arg, "x");
    task_forgive(task);
}

static void forgiving_what_did_not_happen_aborts(void)
{
    step("task_forgive() of a task that was not cancelled");
    expect_death(SIGABRT, "task_forgive()", forgive_nothing, NULL);
}

/* --- awaiting: F19, F20 ----------------------------------------------------------------------- */

static void a_bare_generator_yields_the_future_to_whoever_drives_it(void)
{
    struct future *f = new_future();
    struct generator *g = gen_new(await_quietly, f);
    value out;
    step("gen_next() of a generator that awaits a pending future");
    int status = gen_next(g, &out);
    expect_yields(status, out, value_future(f));
    step("gen_next() again, while the future is pending");
    status = gen_next(g, &out);
    expect_raises(status, out, ERR_RUNTIME);
    gen_free(g);
    future_unref(f);
}

static void a_bare_generator_goes_on_when_the_future_is_done(void)
{
    struct future *f = new_future();
    struct generator *g = gen_new(await_quietly, f);
    value out;
    int status = gen_next(g, &out);
    expect_yields(status, out, value_future(f));
    expect_ok(future_set_result(f, value_int(5)));
    step("gen_next() after future_set_result(f, 5)");
    status = gen_next(g, &out);
    expect_returns(status, out, value_int(5));
    gen_free(g);
    future_unref(f);
}

static void whoever_awaits_a_future_keeps_it_alive(void)
{
    struct future *f = new_future();
    struct generator *g = gen_new(await_quietly, f);
    value out;
    int status = gen_next(g, &out);
    expect_yields(status, out, value_future(f));
    expect_ok(future_set_result(f, value_int(5)));
    step("gen_next() after everybody else has given the future back");
    future_unref(f);
    status = gen_next(g, &out);
    expect_returns(status, out, value_int(5));
    gen_free(g);
}

static void awaiting_a_done_future_answers_at_once_anywhere(void)
{
    struct future *f = new_future(), *failed = new_future(), *cancelled = new_future();
    value out = value_int(-77);
    expect_ok(future_set_result(f, value_int(5)));
    expect_ok(future_set_exception(failed, ERR_USER));
    expect_true("a pending future can be cancelled", future_cancel(cancelled));
    step("task_await() of futures that are done, outside any generator");
    expect_ok(task_await(f, &out));
    expect_value(out, value_int(5));
    expect_ok(task_await(f, NULL));
    expect_error(task_await(failed, &out), ERR_USER);
    expect_value(out, value_none());
    expect_error(task_await(cancelled, &out), ERR_CANCELLED);
    future_unref(f);
    future_unref(failed);
    future_unref(cancelled);
}

static int await_twice(void *arg, value *ret)
{
    value first = value_none();
    int error = task_await(arg, &first);
    if (!error)
        error = task_await(arg, ret);
    expect_value(*ret, first);
    return error;
}

static void awaiting_a_done_future_takes_no_turn(void)
{
    struct future *f = new_future();
    struct task *task = new_task(await_twice, f);
    value out;
    expect_ok(future_set_result(f, value_int(5)));
    step("one iteration, in which a task awaits a done future twice");
    expect_int(fixture_iteration(), 1);
    expect_true("the task is done", is_done(task));
    expect_ok(future_result(task_future(task), &out));
    expect_value(out, value_int(5));
    task_unref(task);
    future_unref(f);
}

static int await_many_done(void *arg, value *ret)
{
    int n = harness_is_slow() ? 5000 : 100000;
    intptr_t sum = 0;
    for (int i = 0; i < n; i++) {
        value one;
        int error = task_await(arg, &one);
        if (error)
            return error;
        sum += value_as_int(one);
    }
    *ret = value_int(sum - n);
    return 0;
}

static void awaiting_100000_done_futures_needs_no_stack(void)
{
    struct future *f = new_future();
    struct task *task = new_task(await_many_done, f);
    value out;
    expect_ok(future_set_result(f, value_int(1)));
    step("a task awaits 100,000 done futures in a row");
    expect_int(fixture_iteration(), 1);
    expect_ok(future_result(task_future(task), &out));
    expect_value(out, value_int(0));
    task_unref(task);
    future_unref(f);
}

/* --- steps ------------------------------------------------------------------------------------ */

static void creating_a_task_runs_nothing(void)
{
    struct task *task = new_task(note_run, "the body");
    step("task_new()");
    expect_no_trace();
    expect_true("the task is not done", !is_done(task));
    step("one iteration");
    expect_int(fixture_iteration(), 1);
    expect_trace("the body runs");
    expect_int(fixture_pump(), 0);
    task_unref(task);
}

static void tasks_begin_in_the_order_of_their_creation(void)
{
    struct task *a = new_task(note_run, "a"), *b = new_task(note_run, "b");
    struct task *c = new_task(note_run, "c");
    step("one iteration with three new tasks");
    fixture_iteration();
    expect_trace("a runs", "b runs", "c runs");
    task_unref(a);
    task_unref(b);
    task_unref(c);
}

static void what_the_body_returns_is_the_result(void)
{
    struct task *task = new_task(return_arg, "five");
    value out;
    step("a task whose body returns 'five'");
    fixture_pump();
    expect_ok(future_result(task_future(task), &out));
    expect_value(out, value_str("five"));
    expect_true("it is not cancelled", !is_cancelled(task));
    task_unref(task);
}

static void a_body_that_never_yields_ends_in_its_first_step(void)
{
    struct task *task = new_task(return_arg, "x");
    step("one iteration");
    expect_int(fixture_iteration(), 1);
    expect_true("the task is done", is_done(task));
    task_unref(task);
}

static void what_the_body_raises_is_the_exception(void)
{
    struct task *task = new_task(raise_user, NULL);
    value out = value_int(-77);
    int error = 0;
    step("a task whose body raises ERR_USER");
    fixture_pump();
    expect_ok(future_exception(task_future(task), &error));
    expect_int(error, ERR_USER);
    expect_error(future_result(task_future(task), &out), ERR_USER);
    expect_value(out, value_none());
    task_unref(task);
}

static int return_future(void *arg, value *ret)
{
    *ret = value_future(future_ref(arg));
    return 0;
}

static void a_returned_future_is_not_awaited(void)
{
    struct future *f = new_future();
    struct task *task = new_task(return_future, f);
    value out;
    step("a task whose body returns a pending future");
    fixture_pump();
    expect_ok(future_result(task_future(task), &out));
    expect_value(out, value_future(f));
    expect_true("the future is still pending", !future_done(f));
    future_unref(value_as_future(out)); /* it was handed over */
    task_unref(task);
    future_unref(f);
}

static void a_waiting_task_goes_on_in_the_iteration_after_completion(void)
{
    struct waiting w = {.name = "a", .f = new_future()};
    struct task *task = new_task(await_one, &w);
    step("the first step");
    expect_int(fixture_iteration(), 1);
    expect_trace("a begins");
    step("while the future is pending");
    expect_int(fixture_iteration(), 0);
    expect_no_trace();
    step("future_set_result(f, 5)");
    expect_ok(future_set_result(w.f, value_int(5)));
    expect_no_trace();
    expect_int(fixture_iteration(), 1);
    expect_trace("a hears a value");
    expect_true("the task is done", is_done(task));
    task_unref(task);
    future_unref(w.f);
}

static void a_waiting_task_wakes_in_its_place_among_the_callbacks(void)
{
    struct waiting w = {.name = "the task", .f = new_future()};
    expect_ok(future_add_done_callback(w.f, note, "before"));
    struct task *task = new_task(await_one, &w);
    fixture_iteration();
    expect_trace("the task begins");
    expect_ok(future_add_done_callback(w.f, note, "after"));
    expect_ok(future_set_result(w.f, value_int(5)));
    step("one iteration after the future was completed");
    expect_int(fixture_iteration(), 3);
    expect_trace("before", "the task hears a value", "after");
    task_unref(task);
    future_unref(w.f);
}

static void the_futures_value_is_what_await_gives(void)
{
    struct waiting w = {.name = "a", .f = new_future()};
    struct task *task = new_task(await_and_tell, &w);
    fixture_pump();
    step("future_set_result(f, 5), for which a task waits");
    expect_ok(future_set_result(w.f, value_int(5)));
    fixture_pump();
    expect_trace("a: ok 5");
    task_unref(task);
    future_unref(w.f);
}

static void the_futures_error_is_raised_at_the_await(void)
{
    struct waiting w = {.name = "a", .f = new_future()};
    struct task *task = new_task(await_and_tell, &w);
    fixture_pump();
    step("future_set_exception(f, ERR_USER), for which a task waits");
    expect_ok(future_set_exception(w.f, ERR_USER));
    fixture_pump();
    expect_trace("a: ERR_USER None");
    expect_error(future_result(task_future(task), NULL), ERR_USER);
    task_unref(task);
    step("the future's error counts as asked for");
    future_unref(w.f);
    expect_no_report();
}

static void a_yielded_future_is_answered_with_its_value(void)
{
    struct future *f = new_future();
    struct task *task = new_task(await_raw, f);
    value out;
    fixture_pump();
    expect_ok(future_set_result(f, value_int(5)));
    fixture_pump();
    step("gen_yield(f) in a task, and future_set_result(f, 5)");
    expect_trace("the body hears a value");
    expect_ok(future_result(task_future(task), &out));
    expect_value(out, value_int(5));
    task_unref(task);
    future_unref(f);
}

static void a_yielded_future_that_fails_raises_at_the_yield(void)
{
    struct future *f = new_future();
    struct task *task = new_task(await_raw, f);
    fixture_pump();
    expect_ok(future_set_exception(f, ERR_USER));
    fixture_pump();
    step("gen_yield(f) in a task, and future_set_exception(f, ERR_USER)");
    expect_trace("the body hears ERR_USER");
    expect_error(future_result(task_future(task), NULL), ERR_USER);
    task_unref(task);
    future_unref(f);
}

static void a_yielded_future_that_is_done_costs_one_iteration(void)
{
    struct future *f = new_future();
    struct task *task = new_task(await_raw, f);
    expect_ok(future_set_result(f, value_int(5)));
    step("gen_yield() of a done future in a task");
    expect_int(fixture_iteration(), 1);
    expect_true("the task is not done yet", !is_done(task));
    expect_int(fixture_iteration(), 1);
    expect_trace("the body hears a value");
    expect_true("now it is", is_done(task));
    task_unref(task);
    future_unref(f);
}

static void a_bare_yield_lets_the_others_run(void)
{
    struct waiting w[] = {
        {.name = "a", .times = 3}, {.name = "b", .times = 2}, {.name = "c", .times = 1}};
    struct task *a = new_task(take_turns, &w[0]), *b = new_task(take_turns, &w[1]);
    struct task *c = new_task(take_turns, &w[2]);
    step("three tasks that yield in turn");
    expect_int(fixture_iteration(), 3);
    expect_trace("a1", "b1", "c1");
    expect_int(fixture_iteration(), 3);
    expect_trace("a2", "b2");
    expect_int(fixture_iteration(), 2);
    expect_trace("a3");
    expect_int(fixture_iteration(), 1);
    expect_int(fixture_pump(), 0);
    expect_no_trace();
    task_unref(a);
    task_unref(b);
    task_unref(c);
}

static void all_tasks_that_wait_for_one_future_wake_in_one_iteration(void)
{
    struct future *f = new_future();
    struct waiting w[] = {{.name = "a", .f = f}, {.name = "b", .f = f}, {.name = "c", .f = f}};
    struct task *a = new_task(await_and_tell, &w[0]), *b = new_task(await_and_tell, &w[1]);
    struct task *c = new_task(await_and_tell, &w[2]);
    fixture_pump();
    expect_ok(future_set_result(f, value_int(5)));
    step("one iteration after the completion of a future for which three tasks wait");
    expect_int(fixture_iteration(), 3);
    expect_trace("a: ok 5", "b: ok 5", "c: ok 5");
    task_unref(a);
    task_unref(b);
    task_unref(c);
    future_unref(f);
}

static void awaiting_a_task_gives_its_result(void)
{
    struct task *inner = new_task(return_arg, "of inner");
    struct waiting w = {.name = "outer", .f = task_future(inner)};
    struct task *outer = new_task(await_and_tell, &w);
    step("a task that awaits a task");
    fixture_pump();
    expect_trace("outer: ok 'of inner'");
    task_unref(inner);
    task_unref(outer);
}

static void awaiting_a_task_raises_its_error(void)
{
    struct waiting w = {.name = "outer"};
    struct task *outer = new_task(await_and_tell, &w);
    struct task *inner = new_task(raise_user, NULL);
    w.f = task_future(inner);
    step("a task that awaits a task that raises ERR_USER");
    fixture_pump();
    expect_trace("outer: ERR_USER None");
    expect_error(future_result(task_future(outer), NULL), ERR_USER);
    task_unref(outer);
    step("the inner error counts as asked for");
    task_unref(inner);
    expect_no_report();
}

static void awaiting_a_cancelled_task_raises_cancelled(void)
{
    struct future *f = new_future();
    struct task *inner = new_task(await_quietly, f);
    struct waiting w = {.name = "outer", .f = task_future(inner)};
    struct task *outer = new_task(await_and_tell, &w);
    fixture_pump();
    step("task_cancel(inner), for which outer waits");
    expect_true("it answers true", task_cancel(inner));
    fixture_pump();
    expect_trace("outer: ERR_CANCELLED None");
    expect_true("the outer task is cancelled", is_cancelled(outer));
    task_unref(inner);
    task_unref(outer);
    future_unref(f);
}

static void a_future_lives_as_long_as_a_task_waits_for_it(void)
{
    struct future *f = new_future();
    struct waiting w = {.name = "a", .f = f};
    struct task *task = new_task(await_and_tell, &w);
    fixture_pump();
    expect_ok(future_set_result(f, value_int(5)));
    step("future_unref(f) between completion and wake-up");
    future_unref(f);
    fixture_pump();
    expect_trace("a: ok 5");
    task_unref(task);
}

static void a_task_that_nobody_holds_runs_to_its_end(void)
{
    struct waiting w = {.name = "a", .f = new_future()};
    struct task *task = new_task(await_one, &w);
    step("task_unref() before the first step");
    task_unref(task);
    fixture_pump();
    expect_ok(future_set_result(w.f, value_none()));
    fixture_pump();
    expect_trace("a begins", "a hears a value");
    future_unref(w.f);
}

static int spawn_and_await(void *arg, value *ret)
{
    struct task *child = NULL;
    expect_ok(task_spawn(return_arg, arg, &child));
    expect_ok(task_spawn(note_run, "another", NULL));
    expect_true("the child belongs to the same dispatcher",
                task_dispatcher(child) == task_dispatcher(task_current()));
    expect_str(task_name(child), "return_arg");
    int error = task_await(task_future(child), ret);
    task_unref(child);
    return error;
}

static void a_task_can_spawn_others(void)
{
    struct task *task = new_task(spawn_and_await, "child's");
    value out;
    step("a task that spawns two others and awaits one");
    fixture_pump();
    expect_trace("another runs");
    expect_ok(future_result(task_future(task), &out));
    expect_value(out, value_str("child's"));
    task_unref(task);
}

static void a_callback_may_give_the_last_reference_of_a_task_back(void)
{
    struct task *task = new_task(return_arg, "x");
    expect_ok(future_add_done_callback(task_future(task), note, "done"));
    task_unref(task);
    step("a task that only its callback remembers");
    fixture_pump();
    expect_trace("done");
}

/* --- who is running --------------------------------------------------------------------------- */

static int look_at_current(void *arg, value *ret)
{
    struct task *const *me = arg;
    (void)ret;
    for (int i = 0; i < 3; i++) {
        expect_true("task_current() is the task whose step runs", task_current() == *me);
        int error = task_yield();
        if (error)
            return error;
    }
    record("looked");
    return 0;
}

static int nobody_is_current(struct future *f, void *arg)
{
    (void)f, (void)arg;
    expect_true("task_current() is NULL in a callback", task_current() == NULL);
    record("looked");
    return 0;
}

static void current_is_the_task_whose_step_runs(void)
{
    struct task *a, *b;
    struct future *f = new_future();
    step("task_current() outside, in two tasks that take turns, in a callback");
    expect_true("task_current() is NULL outside", task_current() == NULL);
    a = new_task(look_at_current, &a);
    b = new_task(look_at_current, &b);
    expect_ok(future_add_done_callback(f, nobody_is_current, NULL));
    fixture_iteration();
    expect_true("task_current() is NULL between the steps", task_current() == NULL);
    expect_ok(future_set_result(f, value_none()));
    fixture_pump();
    expect_trace("looked", "looked", "looked");
    expect_true("task_current() is NULL after them", task_current() == NULL);
    task_unref(a);
    task_unref(b);
    future_unref(f);
}

static struct dispatcher at_once; /* calls inside dispatcher_soon() */

static int look_inside(void *arg, value *ret)
{
    struct task *const *outer = arg;
    (void)ret;
    expect_true("the inner one is current", task_current() != NULL && task_current() != *outer);
    record("inner");
    return 0;
}

static int look_around(void *arg, value *ret)
{
    struct task **me = arg;
    (void)ret;
    *me = task_current();
    expect_ok(task_new(&at_once, look_inside, me, NULL));
    expect_true("after the inner step the outer task is current again", task_current() == *me);
    record("outer");
    return 0;
}

static void a_step_within_a_step_leaves_the_outer_one_current(void)
{
    struct task *outer = NULL;
    immediate_init(&at_once);
    step("on a dispatcher that calls at once, a task makes another one");
    expect_ok(task_new(&at_once, look_around, &outer, NULL));
    expect_trace("inner", "outer");
    expect_true("nobody is current any more", task_current() == NULL);
    immediate_close(&at_once);
}

static void a_dump_tells_who_has_begun(void)
{
    struct waiting w = {.name = "a", .times = 2};
    struct task *task = new_task_named(take_turns, &w, "turns");
    for (int i = 0; i < 2; i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *stream = open_memstream(&text, &size);
        if (stream == NULL)
            skip("needs a stream in memory");
        step(i == 0 ? "task_dump() before the first step" : "task_dump() after the first step");
        expect_int(task_dump(fixture_dispatcher(), stream), 1);
        fclose(stream);
        expect_text(text, i == 0 ? "task 'turns' is new" : "task 'turns' is ready");
        free(text);
        fixture_iteration();
    }
    fixture_pump();
    expect_trace("a1", "a2");
    task_unref(task);
}

static void a_task_is_a_future_and_says_so(void)
{
    struct task *task = new_task(return_arg, "x");
    struct future *f = new_future();
    char text[200];
    step("task_from_future() and the like");
    expect_true("a task's future is the task", task_from_future(task_future(task)) == task);
    expect_true("a plain future is no task", task_from_future(f) == NULL);
    expect_true("NULL is no task", task_from_future(NULL) == NULL);
    expect_str(task_name(task), "return_arg");
    future_describe(task_future(task), text, sizeof text);
    expect_str(text, "task 'return_arg' pending");
    fixture_pump();
    future_describe(task_future(task), text, sizeof text);
    expect_str(text, "task 'return_arg' finished result='x'");
    task_unref(task);
    task_unref(NULL);
    future_unref(f);
}

static void a_dump_says_who_waits_for_what(void)
{
    struct future *f = new_future();
    struct task *sleeper = new_task_named(await_quietly, f, "sleeper");
    struct task *follower = new_task_named(await_quietly, task_future(sleeper), "follower");
    fixture_pump();
    step("task_dump() with two tasks that wait");
    char *text = dump_of_tasks(2);
    expect_text(text, "task 'sleeper' waits for: pending");
    expect_text(text, "task 'follower' waits for: task 'sleeper' pending");
    free(text);
    expect_ok(future_set_result(f, value_none()));
    fixture_pump();
    task_unref(sleeper);
    task_unref(follower);
    future_unref(f);
}

/* --- many ------------------------------------------------------------------------------------- */

enum { MANY = 100000 };

static struct task *many[MANY];

static int await_the_next(void *arg, value *ret)
{
    struct task *const *next = (struct task **)arg + 1;
    return task_await(task_future(*next), ret);
}

/* many[i] awaits many[i + 1]; the last one awaits f. */
static int chain_of_many(struct future *f)
{
    int n = harness_is_slow() ? MANY / 100 : MANY;
    for (int i = 0; i < n - 1; i++)
        many[i] = new_task_named(await_the_next, &many[i], "link");
    many[n - 1] = new_task_named(await_quietly, f, "last");
    fixture_pump();
    return n;
}

static void a_chain_of_100000_tasks_passes_a_result_on(void)
{
    struct future *f = new_future();
    int n = chain_of_many(f);
    value out;
    step("future_set_result(f, 5), awaited by the last of a chain of 100,000 tasks");
    expect_ok(future_set_result(f, value_int(5)));
    expect_int(fixture_pump(), n);
    expect_ok(future_result(task_future(many[0]), &out));
    expect_value(out, value_int(5));
    for (int i = 0; i < n; i++)
        task_unref(many[i]);
    future_unref(f);
}

static int cancel_in_body(void *arg, value *ret)
{
    (void)ret;
    expect_true("it answers true", task_cancel(arg));
    return 0;
}

static void a_chain_of_100000_tasks_can_be_cancelled(void)
{
    struct future *f = new_future();
    int n = chain_of_many(f);
    step("task_cancel() of the first of a chain of 100,000 tasks, on a stack of 64 KiB");
    struct generator *g = gen_new(cancel_in_body, many[0]);
    expect_int(gen_next(g, NULL), GEN_RETURN);
    gen_free(g);
    expect_true("the future at the end is cancelled", future_cancelled(f));
    expect_int(fixture_pump(), n);
    for (int i = 0; i < n; i++) {
        if (!is_cancelled(many[i]))
            expect_never("one of them is not cancelled");
        task_unref(many[i]);
    }
    future_unref(f);
}

static void a_chain_of_tasks_can_be_closed(void)
{
    struct future *f = new_future();
    int n = 16; /* each makes a report, and the harness keeps so many */
    for (int i = 0; i < n - 1; i++)
        many[i] = new_task_named(await_the_next, &many[i], "link");
    many[n - 1] = new_task_named(await_quietly, f, "last");
    fixture_pump();
    step("the close, with a chain of tasks that wait");
    fixture_close();
    for (int i = 0; i < n; i++) {
        expect_report("destroyed", 0);
        task_unref(many[i]);
    }
    future_unref(f);
}

/* --- no memory -------------------------------------------------------------------------------- */

static void no_memory_for_a_task(void)
{
    struct task *task;
    fixture_dispatcher();
    for (unsigned n = 1; n < 20; n++) {
        task = (struct task *)(void *)&task;
        fail_allocation(n);
        step("task_new() without memory, the %u. time", n);
        int error = task_new(fixture_dispatcher(), note_run, "the body", &task);
        if (!allocation_failed()) {
            expect_ok(error);
            break;
        }
        expect_error(error, -ENOMEM);
        expect_true("no task is made", task == NULL);
        expect_int(fixture_pump(), 0);
    }
    expect_no_trace();
    fixture_pump();
    expect_trace("the body runs");
    task_unref(task);
}

static void no_stack_for_a_task(void)
{
    struct task *task;
    fixture_dispatcher();
    fail_mapping(1);
    step("task_new() without room for a stack");
    int error = task_new(fixture_dispatcher(), note_run, "the body", &task);
    if (allocation_failed() && error) { /* it may have one left, or have tried a smaller one */
        expect_error(error, -ENOMEM);
        expect_true("no task is made", task == NULL);
    } else {
        expect_ok(error);
        fixture_pump();
        expect_trace("the body runs");
        task_unref(task);
    }
    expect_int(fixture_pump(), 0);
}

static void running_and_cancelling_needs_no_memory(void)
{
    struct future *f = new_future(), *g = new_future();
    struct waiting w[] = {{.name = "a", .f = f}, {.name = "b", .f = g}};
    struct task *a = new_task(await_one, &w[0]), *b = new_task(await_one, &w[1]);
    fail_allocation(1);
    step("running, completing and cancelling, without memory");
    fixture_pump();
    expect_ok(future_set_result(f, value_int(5)));
    expect_true("it answers true", task_cancel(b));
    fixture_pump();
    expect_true("nobody asked for memory", !allocation_failed());
    expect_trace("a begins", "b begins", "a hears a value", "b hears ERR_CANCELLED");
    task_unref(a);
    task_unref(b);
    future_unref(f);
    future_unref(g);
}

static const struct check checks[] = {
    /* misuse */
    CHECK(a_task_without_a_body_is_refused, "T01", NULL, ""),
    CHECK(a_task_needs_a_dispatcher, "F01", NULL, ""),
    CHECK(only_a_task_can_spawn, "", NULL, ""),
    CHECK(awaiting_a_pending_future_outside_any_generator_aborts, "F19", "3.6", ""),
    CHECK(a_closed_dispatcher_takes_no_task, "L15", NULL, ""),
    CHECK(yielding_something_else_raises_in_the_next_iteration, "T08", "3.3", "3.1 3.2 3.4"),
    CHECK(an_error_of_ones_own_is_raised_once, "T08", "3.1", "3.2 3.3 3.4"),
    CHECK(yielding_a_generator_is_no_delegation, "T09", "3.3", "3.1 3.2 3.4"),
    CHECK(a_future_of_another_dispatcher_is_refused, "T10", "3.3", "3.1 3.2 3.4 3.6"),
    CHECK(a_task_cannot_await_itself, "T11", "3.3", "3.1 3.2 3.4 3.6"),
    CHECK(nobody_but_the_body_completes_a_task, "T29", NULL, "3.1 3.2 3.4"),
    CHECK(forgiving_what_did_not_happen_aborts, "", NULL, ""),
    /* awaiting */
    CHECK(a_bare_generator_yields_the_future_to_whoever_drives_it, "F19", "3.6", ""),
    CHECK(a_bare_generator_goes_on_when_the_future_is_done, "F19", "3.6", ""),
    CHECK(whoever_awaits_a_future_keeps_it_alive, "F19", "3.6", ""),
    CHECK(awaiting_a_done_future_answers_at_once_anywhere, "F20", "3.6", ""),
    CHECK(awaiting_a_done_future_takes_no_turn, "F20", "3.6", "3.1 3.2 3.4"),
    SLOW_CHECK(awaiting_100000_done_futures_needs_no_stack, "T34", "3.6", "3.1 3.2 3.4", 20),
    /* steps */
    CHECK(creating_a_task_runs_nothing, "T01", "3.4", "3.1 3.2"),
    CHECK(tasks_begin_in_the_order_of_their_creation, "T01", "3.4", "3.1 3.2"),
    CHECK(what_the_body_returns_is_the_result, "T02", "3.2", "3.1 3.4"),
    CHECK(a_body_that_never_yields_ends_in_its_first_step, "T04", "3.4", "3.1 3.2"),
    CHECK(what_the_body_raises_is_the_exception, "T03", "3.2", "3.1 3.4"),
    CHECK(a_returned_future_is_not_awaited, "T14", "3.2", "3.1 3.4"),
    CHECK(a_waiting_task_goes_on_in_the_iteration_after_completion,
          "T05", "3.3", "3.1 3.2 3.4 3.6"),
    CHECK(a_waiting_task_wakes_in_its_place_among_the_callbacks, "T05", "3.3", "3.1 3.2 3.4 3.6"),
    CHECK(the_futures_value_is_what_await_gives, "T06", "3.6", "3.1 3.2 3.3 3.4"),
    CHECK(the_futures_error_is_raised_at_the_await, "T06 F17", "3.6", "3.1 3.2 3.3 3.4"),
    CHECK(a_yielded_future_is_answered_with_its_value, "T06", "3.1", "3.2 3.3 3.4"),
    CHECK(a_yielded_future_that_fails_raises_at_the_yield, "T06", "3.1", "3.2 3.3 3.4"),
    CHECK(a_yielded_future_that_is_done_costs_one_iteration, "T05", "3.3", "3.1 3.2 3.4"),
    CHECK(a_bare_yield_lets_the_others_run, "T07", "3.3", "3.1 3.2 3.4"),
    CHECK(all_tasks_that_wait_for_one_future_wake_in_one_iteration,
          "T12", "3.3", "3.1 3.2 3.4 3.6"),
    CHECK(awaiting_a_task_gives_its_result, "T13", "3.2", "3.1 3.4 3.6"),
    CHECK(awaiting_a_task_raises_its_error, "T13", "3.2", "3.1 3.3 3.4 3.6"),
    CHECK(awaiting_a_cancelled_task_raises_cancelled, "T13", "3.2", "3.1 3.3 3.4 3.6"),
    CHECK(a_future_lives_as_long_as_a_task_waits_for_it, "T05", "3.3", "3.1 3.2 3.4 3.6"),
    CHECK(a_task_that_nobody_holds_runs_to_its_end, "T05", "3.4", "3.1 3.2 3.3 3.6"),
    CHECK(a_task_can_spawn_others, "T01", "3.4", "3.1 3.2 3.3 3.6"),
    CHECK(a_callback_may_give_the_last_reference_of_a_task_back, "T02", "3.2", "3.1 3.4"),
    /* who is running */
    CHECK(current_is_the_task_whose_step_runs, "T31", "3.4", "3.1 3.2 3.3"),
    CHECK(a_step_within_a_step_leaves_the_outer_one_current, "T31", "3.4", "3.1 3.2"),
    CHECK(a_dump_tells_who_has_begun, "L04", "3.4", "3.1 3.2 3.3"),
    CHECK(a_task_is_a_future_and_says_so, "F24", NULL, "3.1 3.2 3.4"),
    CHECK(a_dump_says_who_waits_for_what, "L04", NULL, "3.1 3.2 3.3 3.4 3.6"),
    /* many */
    SLOW_CHECK(a_chain_of_100000_tasks_passes_a_result_on, "T34", "3.4", "3.1 3.2 3.3 3.6", 40),
    SLOW_CHECK(a_chain_of_100000_tasks_can_be_cancelled, "T28 T34", "3.4", "3.1 3.2 3.3 3.6", 40),
    CHECK(a_chain_of_tasks_can_be_closed, "T32", NULL, "3.1 3.2 3.3 3.4 3.6"),
    /* no memory */
    CHECK(no_memory_for_a_task, "", NULL, "3.1 3.2 3.4"),
    CHECK(no_stack_for_a_task, "", NULL, ""),
    CHECK(running_and_cancelling_needs_no_memory, "", NULL, "3.1 3.2 3.3 3.4 3.6"),
};
SUITE_ON_FIXTURE(task, 3, checks)
