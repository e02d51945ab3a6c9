/*
 * task.h: a generator that is driven by the futures it waits for. What it hears, when it goes on,
 * and the many ways to cancel it. Also what awaiting a future means (rows F19, F20).
 */
#include "task.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "future_impl.h"
#include "harness.h"
#include "kernel.h"

/* A task to be, and what it has heard. Lies in the check. */
struct waiting {
    const char *name;
    struct future *f, *g; /* what it waits for */
    int times;            /* how often it shall do something */
};

static struct future *new_future(void)
{
    struct future *f = future_new(fixture_dispatcher());
    expect_true("future_new() makes one", f != NULL);
    return f;
}

#define new_task(fn, arg) new_task_named(fn, arg, #fn)

static struct task *new_task_named(gen_fn *fn, void *arg, const char *name)
{
    struct task *task;
    expect_ok(task_new_named(fixture_dispatcher(), fn, arg, name, 0, &task));
    expect_true("task_new() makes one", task != NULL);
    return task;
}

static bool is_done(struct task *task)
{
    return future_done(task_future(task));
}

static bool is_cancelled(struct task *task)
{
    return future_cancelled(task_future(task));
}

static int note(struct future *f, void *arg)
{
    (void)f;
    record("%s", (const char *)arg);
    return 0;
}

/* Suites may give ERR_USER another name. */
static const char *name_of(int error)
{
    return error == ERR_USER ? "ERR_USER" : error_name(error);
}

static void hear(const char *name, int error)
{
    record("%s hears %s", name, error == 0 ? "a value" : name_of(error));
}

/* --- bodies ----------------------------------------------------------------------------------- */

static int return_arg(void *arg, value *ret)
{
    *ret = value_str(arg);
    return 0;
}

static int raise_user(void *arg, value *ret)
{
    (void)arg;
    *ret = value_int(5);
    return ERR_USER;
}

static int note_run(void *arg, value *ret)
{
    (void)ret;
    record("%s runs", (const char *)arg);
    return 0;
}

/* Awaits f, and passes on what it hears. */
static int await_one(void *arg, value *ret)
{
    struct waiting *w = arg;
    record("%s begins", w->name);
    int error = task_await(w->f, ret);
    hear(w->name, error);
    return error;
}

/* Awaits f, says what it got. */
static int await_and_tell(void *arg, value *ret)
{
    struct waiting *w = arg;
    value got = value_int(-77);
    char text[80];
    int error = task_await(w->f, &got);
    value_format(got, text, sizeof text);
    record("%s: %s %s", w->name, error == 0 ? "ok" : name_of(error), text);
    *ret = got;
    return error;
}

/* The same, quietly. */
static int await_quietly(void *arg, value *ret)
{
    return task_await(arg, ret);
}

/* Yields a few times. */
static int take_turns(void *arg, value *ret)
{
    struct waiting *w = arg;
    int error = 0;
    (void)ret;
    for (int i = 1; i <= w->times && !error; i++) {
        record("%s%d", w->name, i);
        error = task_yield();
    }
    if (error)
        hear(w->name, error);
    return error;
}

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

/* --- awaiting: F19, F20
 * ----------------------------------------------------------------------------- */

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

/* --- steps
 * ---------------------------------------------------------------------------------------- */

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

static int await_raw(void *arg, value *ret)
{
    int error = gen_yield(value_future(arg), ret);
    hear("the body", error);
    return error;
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

/* --- who is running
 * ---------------------------------------------------------------------------------- */

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
    char *text = NULL;
    size_t size = 0;
    fixture_pump();
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL)
        skip("needs a stream in memory");
    step("task_dump() with two tasks that wait");
    expect_int(task_dump(fixture_dispatcher(), stream), 2);
    fclose(stream);
    expect_text(text, "task 'sleeper' waits for: pending");
    expect_text(text, "task 'follower' waits for: task 'sleeper' pending");
    free(text);
    expect_ok(future_set_result(f, value_none()));
    fixture_pump();
    task_unref(sleeper);
    task_unref(follower);
    future_unref(f);
}

/* --- cancelling ------------------------------------------------------------------------------- */

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

/* How it has ended is for other checks to say: nobody shall hear of it. */
static void give_back_quietly(struct task *task)
{
    int error = 0, asked = future_exception(task_future(task), &error);
    expect_true("it has ended", asked == 0 || asked == ERR_CANCELLED);
    task_unref(task);
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

static int innermost(void *arg, value *ret)
{
    int error = task_await(arg, ret);
    hear("the innermost", error);
    return error;
}

static int delegate(void *arg, value *ret)
{
    struct generator *inner = gen_new(innermost, arg);
    if (inner == NULL)
        return -ENOMEM;
    int error = gen_yield_from(inner, ret);
    hear("the outer", error);
    gen_free(inner);
    return error;
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

static int await_the_other(void *arg, value *ret)
{
    struct task *const *other = arg;
    return task_await(task_future(*other), ret);
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

/* --- many
 * ------------------------------------------------------------------------------------------ */

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

/* --- errors that nobody asked for
 * -------------------------------------------------------------------- */

static void an_error_of_a_task_that_nobody_asked_for_is_reported(void)
{
    struct task *task = new_task(raise_user, NULL);
    fixture_pump();
    expect_no_report();
    step("task_unref() of a failed task whose error nobody asked for");
    task_unref(task);
    expect_report("never retrieved", ERR_USER);
    expect_no_report();
}

static void cancelling_a_failed_task_silences_the_report(void)
{
    struct task *task = new_task(raise_user, NULL);
    fixture_pump();
    step("task_cancel() of a failed task, then task_unref()");
    expect_true("it answers false", !task_cancel(task));
    task_unref(task);
    expect_no_report();
}

/* --- the end of the dispatcher
 * ------------------------------------------------------------------------ */

static int clean_up(void *arg, value *ret)
{
    struct waiting *w = arg;
    record("%s begins", w->name);
    int error = w->f != NULL ? task_await(w->f, NULL) : task_yield();
    hear(w->name, error);
    (void)ret;
    return error;
}

static void closing_brings_each_task_to_its_end(void)
{
    struct waiting w[] = {
        {.name = "waiting", .f = new_future()}, {.name = "ready"}, {.name = "new"}};
    struct task *a = new_task(clean_up, &w[0]), *b = new_task(clean_up, &w[1]);
    fixture_iteration();
    struct task *c = new_task(clean_up, &w[2]);
    expect_trace("waiting begins", "ready begins");
    step("the close, with a task that waits, one that is ready, and a new one");
    fixture_close();
    expect_trace("waiting hears ERR_GENERATOR_EXIT", "ready hears ERR_GENERATOR_EXIT", "new begins",
                 "new hears ERR_GENERATOR_EXIT");
    expect_report("destroyed", 0);
    expect_report("destroyed", 0);
    expect_report("destroyed", 0);
    expect_no_report();
    expect_true("the future of the first is left alone", !future_done(w[0].f));
    task_unref(a);
    task_unref(b);
    task_unref(c);
    future_unref(w[0].f);
}

static void a_task_ended_by_the_close_holds_generator_exit_and_calls_nobody(void)
{
    struct future *f = new_future();
    struct task *task = new_task(await_quietly, f);
    struct task *outer = new_task(await_quietly, task_future(task));
    int error = 0;
    expect_ok(future_add_done_callback(task_future(task), note, "called"));
    fixture_pump();
    step("the close, with a task that waits and has a callback");
    fixture_close();
    expect_report("destroyed", 0);
    expect_report("destroyed", 0);
    expect_true("the task is done", is_done(task));
    expect_true("the task is not cancelled", !is_cancelled(task));
    task_unref(outer); /* never asked: no report */
    expect_no_report();
    expect_ok(future_exception(task_future(task), &error));
    expect_int(error, ERR_GENERATOR_EXIT);
    expect_no_trace();
    task_unref(task);
    future_unref(f);
}

static int await_all_ways(void *arg, value *ret)
{
    struct waiting *w = arg;
    struct task *child;
    hear("a pending one", task_await(w->f, ret));
    hear("a done one", task_await(w->g, ret));
    hear("a bare yield", task_yield());
    hear("gen_yield", gen_yield(value_none(), NULL));
    hear("a new task", task_spawn(note_run, "child", &child));
    *ret = value_str("dropped");
    return 0;
}

static int end_at_the_yield(void *arg, value *ret)
{
    (void)ret;
    hear("the body", gen_yield(value_future(arg), NULL));
    return 0;
}

static void the_close_finds_who_waits_for_a_future(void)
{
    struct future *f = new_future();
    struct task *task = new_task(end_at_the_yield, f);
    char *text = NULL;
    size_t size = 0;
    fixture_pump();
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL)
        skip("needs a stream in memory");
    step("a task has yielded a future; task_dump()");
    expect_int(task_dump(fixture_dispatcher(), stream), 1);
    fclose(stream);
    expect_text(text, "waits for: pending");
    free(text);
    step("the close");
    fixture_close();
    expect_trace("the body hears ERR_GENERATOR_EXIT");
    expect_report("destroyed", 0);
    expect_true("the future has nothing to do with it", !future_done(f));
    give_back_quietly(task);
    future_unref(f);
}

static void whoever_waits_holds_the_future_until_the_close(void)
{
    struct future *f = new_future();
    struct task *task = new_task(end_at_the_yield, f);
    fixture_pump();
    step("future_unref() of the last reference but that of the task which waits, then the close");
    expect_ok(future_add_done_callback(f, note, "never"));
    expect_int(f->references, 2);
    future_unref(f);
    fixture_close();
    expect_trace("the body hears ERR_GENERATOR_EXIT");
    expect_report("destroyed", 0);
    give_back_quietly(task);
}

static void who_waits_for_a_task_stands_in_the_dump(void)
{
    struct future *f = new_future();
    struct task *inner = new_task_named(end_at_the_yield, f, "inner");
    struct task *outer = new_task_named(end_at_the_yield, task_future(inner), "outer");
    char *text = NULL;
    size_t size = 0;
    fixture_pump();
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL)
        skip("needs a stream in memory");
    step("a task has yielded another one; task_dump(), then the close");
    expect_int(task_dump(fixture_dispatcher(), stream), 2);
    fclose(stream);
    expect_text(text, "task 'inner' waits for: pending");
    expect_text(text, "task 'outer' waits for: task 'inner' pending");
    free(text);
    fixture_close();
    expect_trace("the body hears ERR_GENERATOR_EXIT", "the body hears ERR_GENERATOR_EXIT");
    expect_report("destroyed", 0);
    expect_report("destroyed", 0);
    give_back_quietly(inner);
    give_back_quietly(outer);
    future_unref(f);
}

static void during_the_close_every_await_fails_at_once(void)
{
    struct waiting w = {.f = new_future(), .g = new_future()};
    struct task *task = new_task(await_all_ways, &w);
    int error = 0;
    expect_ok(future_set_result(w.g, value_int(5)));
    fixture_pump();
    step("the close, with a body that goes on after ERR_GENERATOR_EXIT");
    fixture_close();
    expect_trace("a pending one hears ERR_GENERATOR_EXIT", "a done one hears ERR_GENERATOR_EXIT",
                 "a bare yield hears ERR_GENERATOR_EXIT", "gen_yield hears ERR_GENERATOR_EXIT",
                 "a new task hears ERR_CLOSED");
    expect_report("destroyed", 0);
    expect_ok(future_exception(task_future(task), &error));
    expect_int(error, ERR_GENERATOR_EXIT);
    task_unref(task);
    future_unref(w.f);
    future_unref(w.g);
}

static void the_close_reaches_the_innermost_generator(void)
{
    struct future *f = new_future();
    struct task *task = new_task(delegate, f);
    fixture_pump();
    step("the close, with a body that delegates to a generator that awaits");
    fixture_close();
    expect_trace("the innermost hears ERR_GENERATOR_EXIT", "the outer hears ERR_GENERATOR_EXIT");
    expect_report("destroyed", 0);
    task_unref(task);
    future_unref(f);
}

static int stubborn(void *arg, value *ret)
{
    (void)arg, (void)ret;
    for (;;)
        if (task_yield())
            continue;
    return 0;
}

static int stubborn_by_hand(void *arg, value *ret)
{
    (void)arg, (void)ret;
    for (;;)
        if (gen_yield(value_none(), NULL))
            continue;
    return 0;
}

static void close_with_stubborn(void *arg)
{
    bool by_hand = arg != NULL;
    task_unref(by_hand ? new_task(stubborn_by_hand, NULL) : new_task(stubborn, NULL));
    fixture_iteration();
    fixture_close();
}

static void a_task_that_never_ends_is_named(void)
{
    static char yes;
    step("the close, with a body that ignores ERR_GENERATOR_EXIT without end");
    expect_death(SIGABRT, "stubborn", close_with_stubborn, NULL);
    expect_death(SIGABRT, "stubborn_by_hand", close_with_stubborn, &yes);
}

static void closing_ends_a_ring(void)
{
    for (int i = 0; i < 3; i++)
        ring[i] = new_task_named(await_the_other, &ring[(i + 1) % 3], "await_the_other");
    fixture_pump();
    step("the close, with three tasks that await each other");
    fixture_close();
    for (int i = 0; i < 3; i++) {
        expect_report("destroyed", 0);
        expect_true("each is done", is_done(ring[i]));
        task_unref(ring[i]);
    }
}

/* --- no memory
 * ----------------------------------------------------------------------------------------- */

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
    /* cancelling */
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
    /* many */
    SLOW_CHECK(a_chain_of_100000_tasks_passes_a_result_on, "T34", "3.4", "3.1 3.2 3.3 3.6", 40),
    SLOW_CHECK(a_chain_of_100000_tasks_can_be_cancelled, "T28 T34", "3.4", "3.1 3.2 3.3 3.6", 40),
    CHECK(a_chain_of_tasks_can_be_closed, "T32", NULL, "3.1 3.2 3.3 3.4 3.6"),
    /* errors that nobody asked for */
    CHECK(an_error_of_a_task_that_nobody_asked_for_is_reported, "T33", "3.2", "3.1 3.4"),
    CHECK(cancelling_a_failed_task_silences_the_report, "T33", "3.2", "3.1 3.4"),
    /* the end of the dispatcher */
    CHECK(closing_brings_each_task_to_its_end, "T32 L14", NULL, "3.1 3.2 3.3 3.4 3.6"),
    CHECK(the_close_finds_who_waits_for_a_future, "T32", "3.3", "3.1 3.2 3.4"),
    CHECK(whoever_waits_holds_the_future_until_the_close, "T32", "3.3", "3.1 3.2 3.4"),
    CHECK(who_waits_for_a_task_stands_in_the_dump, "T32 L04", "3.3", "3.1 3.2 3.4"),
    CHECK(a_task_ended_by_the_close_holds_generator_exit_and_calls_nobody,
          "T32", "3.2", "3.1 3.3 3.4 3.6"),
    CHECK(during_the_close_every_await_fails_at_once, "T32", NULL, "3.1 3.2 3.3 3.4 3.6"),
    CHECK(the_close_reaches_the_innermost_generator, "T32 T26", NULL, "3.1 3.2 3.3 3.4 3.6"),
    CHECK(a_task_that_never_ends_is_named, "T32", NULL, "3.1"),
    CHECK(closing_ends_a_ring, "T32 T28", NULL, "3.1 3.2 3.3 3.4 3.6"),
    /* no memory */
    CHECK(no_memory_for_a_task, "", NULL, "3.1 3.2 3.4"),
    CHECK(no_stack_for_a_task, "", NULL, ""),
    CHECK(running_and_cancelling_needs_no_memory, "", NULL, "3.1 3.2 3.3 3.4 3.6"),
};
SUITE_ON_FIXTURE(task, 3, checks)
