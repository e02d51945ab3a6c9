/*
 * What becomes of a task when nobody is left who cares: of an error that nobody asked for, and of
 * tasks that have not come to their end when their dispatcher is closed.
 */
#include "task.h"

#include <signal.h>
#include <stdlib.h>

#include "bodies.h"
#include "future_impl.h"
#include "harness.h"

/* --- errors that nobody asked for ------------------------------------------------------------- */

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

/* --- the end of the dispatcher ---------------------------------------------------------------- */

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
    fixture_pump();
    step("a task has yielded a future; task_dump()");
    char *text = dump_of_tasks(1);
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
    fixture_pump();
    step("a task has yielded another one; task_dump(), then the close");
    char *text = dump_of_tasks(2);
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
    struct task *ring[3];
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

static const struct check checks[] = {
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
};
SUITE_ON_FIXTURE(task_end, 3, checks)
