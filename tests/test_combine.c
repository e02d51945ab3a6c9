/*
 * combine.h: futures made of futures, and of time.
 */
#include "combine.h"

#include <errno.h>
#include <math.h>
#include <signal.h>

#include "harness.h"
#include "loop.h"

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

static const char *name_of(int error)
{
    return error == ERR_USER ? "ERR_USER" : error_name(error);
}

static void hear(const char *name, int error)
{
    record("%s hears %s", name, error == 0 ? "a value" : name_of(error));
}

static int note(void *arg)
{
    record("%s", (const char *)arg);
    return 0;
}

static int note_done(struct future *f, void *arg)
{
    (void)f;
    record("%s", (const char *)arg);
    return 0;
}

static int set_five(void *arg)
{
    return future_set_result_unless_cancelled(arg, value_int(5));
}

static void later(double delay, loop_fn *fn, void *arg)
{
    expect_ok(loop_call_later(fixture_loop(), delay, fn, arg, NULL));
}

static struct future *foreign_future(struct dispatcher *other)
{
    immediate_init(other);
    return future_new(other);
}

/* --- ensure_future ---------------------------------------------------------------------------- */

static void only_a_future_is_one(void)
{
    struct future *out = (struct future *)(void *)&out;
    step("ensure_future(d, 5)");
    expect_error(ensure_future(fixture_dispatcher(), value_int(5), &out), ERR_TYPE);
    expect_true("there is none", out == NULL);
    step("ensure_future(d, None)");
    expect_error(ensure_future(fixture_dispatcher(), value_none(), &out), ERR_TYPE);
}

static void a_future_of_another_loop_is_not_ours(void)
{
    struct dispatcher other;
    struct future *f = foreign_future(&other), *out = f;
    step("ensure_future() with a future of another dispatcher");
    expect_error(ensure_future(fixture_dispatcher(), value_future(f), &out), ERR_WRONG_LOOP);
    expect_true("there is none", out == NULL);
    future_unref(f);
    immediate_close(&other);
}

static int return_five(void *arg, value *ret)
{
    (void)arg;
    *ret = value_int(5);
    return 0;
}

static void ensure_future_gives_the_same_object(void)
{
    struct future *f = new_future(), *out;
    struct task *task = new_task(return_five, NULL);
    step("ensure_future() with a future and with a task");
    expect_ok(ensure_future(fixture_dispatcher(), value_future(f), &out));
    expect_true("it is the same future", out == f);
    future_unref(out);
    expect_ok(ensure_future(fixture_dispatcher(), value_future(task_future(task)), &out));
    expect_true("it is the same task", out == task_future(task));
    future_unref(out);
    fixture_pump();
    task_unref(task);
    future_unref(f);
}

/* --- sleep_for
 * ------------------------------------------------------------------------------------- */

struct sleeper {
    const char *name;
    double seconds;
    double woke;
};

static int sleep_a_while(void *arg, value *ret)
{
    struct sleeper *s = arg;
    (void)ret;
    int error = sleep_for(s->seconds);
    s->woke = fixture_now();
    hear(s->name, error);
    return error;
}

static void sleep_outside_a_task(void *arg)
{
    (void)arg;
    fixture_dispatcher();
    if (sleep_for(1))
        record("refused");
}

static void only_a_task_can_sleep(void)
{
    step("sleep_for() outside a task");
    expect_death(SIGABRT, "sleep_for()", sleep_outside_a_task, NULL);
}

static void a_sleep_must_be_a_number(void)
{
    struct sleeper s = {"a", NAN, 0};
    struct task *task = new_task(sleep_a_while, &s);
    step("sleep_for(NAN)");
    expect_int(fixture_iteration(), 1);
    expect_trace("a hears ERR_VALUE");
    expect_error(future_result(task_future(task), NULL), ERR_VALUE);
    task_unref(task);
}

/* Drives a body that sleeps by hand, and keeps what it yields. */
static int keep_what_a_sleeper_yields(void *arg, value *ret)
{
    struct sleeper s = {"sleeper", 3600, 0};
    struct generator *g = gen_new(sleep_a_while, &s);
    value out;
    (void)arg, (void)ret;
    if (g == NULL || gen_next(g, &out) != GEN_NEXT)
        return ERR_RUNTIME;
    future_ref(value_as_future(out));
    gen_free(g);
    return 0;
}

static void keep_it(void *arg)
{
    (void)arg;
    task_unref(new_task(keep_what_a_sleeper_yields, NULL));
    fixture_iteration();
}

static void what_a_sleeper_yields_must_not_be_kept(void)
{
    step("a driver takes a reference to the future of a body in sleep_for(), and frees the body");
    expect_death(SIGABRT, "somebody keeps the future of a sleeping task", keep_it, NULL);
}

static void a_sleep_ends_at_its_time(void)
{
    struct sleeper s = {"a", 3600, 0};
    struct task *task = new_task(sleep_a_while, &s);
    double begin = fixture_now();
    step("sleep_for(3600)");
    fixture_advance(3599);
    expect_no_trace();
    fixture_advance(2);
    expect_trace("a hears a value");
    expect_time(s.woke, begin + 3600);
    task_unref(task);
}

static void sleepers_wake_in_the_order_of_their_times(void)
{
    struct sleeper s[] = {{"3", 3, 0}, {"1", 1, 0}, {"2", 2, 0}, {"also 1", 1, 0}};
    struct task *tasks[4];
    for (int i = 0; i < 4; i++)
        tasks[i] = new_task(sleep_a_while, &s[i]);
    step("tasks that sleep 3, 1, 2 and 1 seconds");
    fixture_advance(10);
    expect_trace("1 hears a value", "also 1 hears a value", "2 hears a value", "3 hears a value");
    for (int i = 0; i < 4; i++)
        task_unref(tasks[i]);
}

static void half_a_second_is_slept_as_well(void)
{
    struct sleeper s = {"0.5", 0.5, 0};
    struct task *task = new_task(sleep_a_while, &s);
    step("0.4 seconds of sleep_for(0.5)");
    fixture_advance(0.4);
    expect_true("it sleeps", !is_done(task));
    fixture_advance(0.1);
    expect_trace("0.5 hears a value");
    task_unref(task);
}

static void without_a_loop_nobody_can_sleep(void)
{
    struct dispatcher d;
    struct sleeper s = {"who has no loop", 1, 0};
    struct task *task;
    immediate_init(&d);
    step("sleep_for(1) in a task whose dispatcher is no loop");
    expect_ok(task_new_named(&d, sleep_a_while, &s, "sleeper", 0, &task));
    expect_trace("who has no loop hears ERR_RUNTIME");
    expect_error(future_result(task_future(task), NULL), ERR_RUNTIME);
    task_unref(task);
    immediate_close(&d);
}

static void sleeping_for_nothing_is_one_iteration(void)
{
    struct sleeper s[] = {{"0", 0, 0}, {"-5", -5, 0}};
    struct task *a = new_task(sleep_a_while, &s[0]), *b = new_task(sleep_a_while, &s[1]);
    expect_ok(loop_call_soon(fixture_loop(), note, "queued before", NULL));
    step("sleep_for(0) and sleep_for(-5)");
    expect_int(fixture_iteration(), 3);
    expect_trace("queued before");
    expect_ok(loop_call_soon(fixture_loop(), note, "queued after", NULL));
    step("the next iteration");
    expect_int(fixture_iteration(), 3);
    expect_trace("0 hears a value", "-5 hears a value", "queued after");
    expect_true("both are done", is_done(a) && is_done(b));
    task_unref(a);
    task_unref(b);
}

static void cancelling_a_sleeper_takes_its_timer_back(void)
{
    struct sleeper s = {"a", 3600, 0};
    struct task *task = new_task(sleep_a_while, &s);
    fixture_iteration();
    expect_int(loop_pending(fixture_loop()), 1);
    step("task_cancel() of a task that sleeps");
    expect_true("it answers true", task_cancel(task));
    fixture_pump();
    expect_trace("a hears ERR_CANCELLED");
    expect_int(loop_pending(fixture_loop()), 0);
    expect_true("the task is cancelled", is_cancelled(task));
    task_unref(task);
}

static void a_loop_closed_on_a_sleeper_gives_everything_back(void)
{
    struct sleeper s[] = {{"a", 3600, 0}, {"new", 1, 0}};
    struct task *task = new_task(sleep_a_while, &s[0]);
    fixture_iteration();
    struct task *fresh = new_task(sleep_a_while, &s[1]);
    step("the close, with a task that sleeps, and one that is about to");
    fixture_close();
    expect_trace("a hears ERR_GENERATOR_EXIT", "new hears ERR_GENERATOR_EXIT");
    expect_report("destroyed", 0);
    expect_report("destroyed", 0);
    task_unref(task);
    task_unref(fresh);
}

static int sleep_and_sleep(void *arg, value *ret)
{
    struct future *f = arg;
    int error;
    (void)ret;
    do {
        error = f == NULL ? sleep_for(1) : wait_for(f, 1, NULL);
    } while (error == ERR_GENERATOR_EXIT);
    return error;
}

static void close_on_insomniac(void *arg)
{
    struct future *f = arg == NULL ? NULL : new_future();
    struct task *task = new_task(sleep_and_sleep, f);
    fixture_iteration();
    fixture_close();
    task_unref(task);
}

static void a_body_that_sleeps_on_and_on_is_named(void)
{
    static char yes;
    step("the close, with a body that ignores ERR_GENERATOR_EXIT and sleeps again");
    expect_death(SIGABRT, "sleep_and_sleep", close_on_insomniac, NULL);
    step("the same with wait_for()");
    expect_death(SIGABRT, "sleep_and_sleep", close_on_insomniac, &yes);
}

static void no_memory_for_a_sleep(void)
{
    struct sleeper s = {"a", 5, 0};
    for (unsigned n = 1; n < 20; n++) {
        struct task *task = new_task(sleep_a_while, &s);
        fail_allocation(n);
        step("sleep_for(5) without memory, the %u. time", n);
        fixture_iteration();
        bool failed = allocation_failed();
        if (!failed)
            fixture_advance(5);
        if (failed)
            expect_trace("a hears ENOMEM");
        else
            expect_trace("a hears a value");
        if (failed)
            expect_error(future_result(task_future(task), NULL), -ENOMEM);
        task_unref(task);
        expect_int(loop_pending(fixture_loop()), 0);
        if (!failed)
            break;
    }
}

/* --- gather
 * ------------------------------------------------------------------------------------------ */

static struct future *gathered(struct future *const *futures, size_t n, enum gather_flags flags)
{
    struct future *g;
    expect_ok(gather(fixture_dispatcher(), futures, n, flags, &g));
    expect_true("gather() makes one", g != NULL);
    return g;
}

static void unref_all(struct future **futures, size_t n)
{
    for (size_t i = 0; i < n; i++)
        future_unref(futures[i]);
}

static void expect_item(struct future *g, size_t i, value want)
{
    value out = value_int(-77);
    expect_ok(gather_item(g, i, &out));
    expect_value(out, want);
}

static void expect_item_error(struct future *g, size_t i, int want)
{
    value out = value_int(-77);
    expect_error(gather_item(g, i, &out), want);
    expect_value(out, value_none());
}

static void gather_refuses_children_of_another_loop(void)
{
    struct dispatcher other;
    struct future *f[] = {new_future(), foreign_future(&other)}, *g = f[0];
    step("gather() of two futures of different loops");
    expect_error(gather(fixture_dispatcher(), f, 2, GATHER_FIRST_ERROR, &g), ERR_WRONG_LOOP);
    expect_true("there is none", g == NULL);
    expect_ok(future_set_result(f[0], value_int(1)));
    expect_int(fixture_pump(), 0);
    unref_all(f, 2);
    immediate_close(&other);
}

static void gather_refuses_a_child_that_is_none(void)
{
    struct future *f[] = {new_future(), NULL, new_future()}, *g = f[0];
    step("gather() of futures with a NULL among them");
    expect_error(gather(fixture_dispatcher(), f, 3, GATHER_FIRST_ERROR, &g), ERR_TYPE);
    expect_true("there is none", g == NULL);
    expect_ok(future_set_result(f[0], value_int(1)));
    expect_true("the children are untouched", future_cancel(f[2]));
    expect_int(fixture_pump(), 0);
    unref_all(f, 3);
}

static void gather_on_a_closed_loop_is_refused(void)
{
    struct future *f[] = {new_future()}, *g = f[0];
    struct dispatcher *d = fixture_dispatcher();
    fixture_close();
    step("gather() after the close");
    expect_error(gather(d, f, 1, GATHER_FIRST_ERROR, &g), ERR_CLOSED);
    expect_true("there is none", g == NULL);
    unref_all(f, 1);
}

static void an_item_has_to_exist(void)
{
    struct future *f[] = {new_future()}, *g = gathered(f, 1, GATHER_FIRST_ERROR);
    step("gather_item() of a future that is no gather");
    expect_item_error(f[0], 0, ERR_TYPE);
    step("gather_item(g, 1) of a gather of one");
    expect_item_error(g, 1, ERR_VALUE);
    step("gather_item() of a gather that is pending");
    expect_item_error(g, 0, ERR_INVALID_STATE);
    expect_ok(future_set_result(f[0], value_int(5)));
    fixture_pump();
    expect_item(g, 0, value_int(5));
    expect_item_error(g, 1, ERR_VALUE);
    expect_ok(gather_item(g, 0, NULL));
    future_unref(g);
    unref_all(f, 1);
}

static void no_memory_for_a_gather(void)
{
    struct future *f[] = {new_future()}, *g = f[0];
    fail_allocation(1);
    step("gather() without memory");
    expect_error(gather(fixture_dispatcher(), f, 1, GATHER_FIRST_ERROR, &g), -ENOMEM);
    expect_true("it asked for memory", allocation_failed());
    expect_true("there is none", g == NULL);
    expect_ok(future_set_result(f[0], value_int(1)));
    expect_int(fixture_pump(), 0);
    unref_all(f, 1);
}

static void results_stand_in_the_order_of_the_arguments(void)
{
    struct future *f[] = {new_future(), new_future(), new_future()};
    struct future *g = gathered(f, 3, GATHER_FIRST_ERROR);
    step("gather() of three, completed in the order 2, 0, 1");
    expect_ok(future_set_result(f[2], value_str("two")));
    expect_ok(future_set_result(f[0], value_str("zero")));
    fixture_pump();
    expect_true("it waits for the last one", !future_done(g));
    expect_ok(future_set_result(f[1], value_str("one")));
    fixture_pump();
    expect_ok(future_result(g, NULL));
    expect_item(g, 0, value_str("zero"));
    expect_item(g, 1, value_str("one"));
    expect_item(g, 2, value_str("two"));
    future_unref(g);
    unref_all(f, 3);
}

static void a_gather_of_nothing_is_done(void)
{
    value out = value_int(-77);
    struct future *g = gathered(NULL, 0, GATHER_FIRST_ERROR);
    step("gather() of nothing");
    expect_true("it is done", future_done(g));
    expect_ok(future_result(g, &out));
    expect_value(out, value_none());
    expect_item_error(g, 0, ERR_VALUE);
    future_unref(g);
}

static int runs;

static int count_and_return(void *arg, value *ret)
{
    runs++;
    *ret = value_int(*(int *)arg);
    return task_yield();
}

static void a_child_that_stands_there_twice_runs_once(void)
{
    static int five = 5, six = 6;
    struct task *a = new_task(count_and_return, &five), *b = new_task(count_and_return, &six);
    struct future *f[] = {task_future(a), task_future(b), task_future(a), task_future(a)};
    runs = 0;
    struct future *g = gathered(f, 4, GATHER_FIRST_ERROR);
    step("gather(a, b, a, a)");
    fixture_pump();
    expect_int(runs, 2);
    expect_ok(future_result(g, NULL));
    expect_item(g, 0, value_int(5));
    expect_item(g, 1, value_int(6));
    expect_item(g, 2, value_int(5));
    expect_item(g, 3, value_int(5));
    future_unref(g);
    task_unref(a);
    task_unref(b);
}

static void a_gather_of_done_children_is_done_in_the_next_iteration(void)
{
    struct future *f[] = {new_future(), new_future()};
    expect_ok(future_set_result(f[0], value_int(0)));
    expect_ok(future_set_result(f[1], value_int(1)));
    step("gather() of futures that are done");
    struct future *g = gathered(f, 2, GATHER_FIRST_ERROR);
    expect_true("it is not done yet", !future_done(g));
    fixture_iteration();
    expect_true("one iteration later it is", future_done(g));
    expect_item(g, 1, value_int(1));
    future_unref(g);
    unref_all(f, 2);
}

static void the_first_error_completes_it_and_the_others_go_on(void)
{
    struct future *f[] = {new_future(), new_future(), new_future()};
    struct future *g = gathered(f, 3, GATHER_FIRST_ERROR);
    step("gather() of three; the second one fails with ERR_USER");
    expect_ok(future_set_exception(f[1], ERR_USER));
    expect_int(fixture_iteration(), 1);
    expect_error(future_result(g, NULL), ERR_USER);
    expect_true("the others are still pending", !future_done(f[0]) && !future_done(f[2]));
    expect_item_error(g, 1, ERR_USER);
    expect_item_error(g, 0, ERR_INVALID_STATE);
    step("their later errors count as asked for");
    expect_ok(future_set_exception(f[0], ERR_BUSY));
    expect_ok(future_set_result(f[2], value_int(2)));
    fixture_pump();
    expect_error(future_result(g, NULL), ERR_USER);
    expect_item(g, 2, value_int(2));
    unref_all(f, 3);
    future_unref(g);
    expect_no_report();
}

static void an_error_of_a_gather_has_to_be_asked_for(void)
{
    struct future *f[] = {new_future(), new_future()};
    struct future *g = gathered(f, 2, GATHER_FIRST_ERROR);
    expect_ok(future_set_exception(f[0], ERR_USER));
    expect_ok(future_set_result(f[1], value_int(1)));
    fixture_pump();
    unref_all(f, 2);
    expect_no_report();
    step("future_unref() of a failed gather that nobody asked");
    future_unref(g);
    expect_report("never retrieved", ERR_USER);
    expect_no_report();
}

static void with_return_exceptions_errors_are_items(void)
{
    struct future *f[] = {new_future(), new_future(), new_future()};
    struct future *g = gathered(f, 3, GATHER_RETURN_EXCEPTIONS);
    step("gather(…, GATHER_RETURN_EXCEPTIONS) of an error, a cancelled one and a result");
    expect_ok(future_set_exception(f[0], ERR_USER));
    expect_true("it can be cancelled", future_cancel(f[1]));
    fixture_pump();
    expect_true("it waits for all", !future_done(g));
    expect_ok(future_set_result(f[2], value_int(2)));
    fixture_pump();
    expect_ok(future_result(g, NULL));
    expect_item_error(g, 0, ERR_USER);
    expect_item_error(g, 1, ERR_CANCELLED);
    expect_item(g, 2, value_int(2));
    unref_all(f, 3);
    future_unref(g);
    expect_no_report();
}

static void a_cancelled_child_is_an_error_and_no_cancel(void)
{
    struct future *f[] = {new_future(), new_future()};
    struct future *g = gathered(f, 2, GATHER_FIRST_ERROR);
    step("gather() of two, one of which is cancelled by somebody else");
    expect_true("it can be cancelled", future_cancel(f[0]));
    fixture_pump();
    expect_error(future_result(g, NULL), ERR_CANCELLED);
    expect_true("the gather is not cancelled", !future_cancelled(g));
    expect_true("the other one goes on", !future_done(f[1]));
    unref_all(f, 2);
    future_unref(g);
}

static void cancelling_a_gather_cancels_the_children(void)
{
    struct future *f[] = {new_future(), new_future(), new_future()};
    struct future *g = gathered(f, 3, GATHER_FIRST_ERROR);
    expect_ok(future_set_result(f[1], value_int(1)));
    fixture_pump();
    step("future_cancel() of a gather of three, one of which is done");
    expect_true("it answers true", future_cancel(g));
    expect_true("it is not done yet", !future_done(g));
    expect_true("the pending ones are cancelled", future_cancelled(f[0]) && future_cancelled(f[2]));
    expect_true("the done one is not", !future_cancelled(f[1]));
    fixture_pump();
    expect_error(future_result(g, NULL), ERR_CANCELLED);
    unref_all(f, 3);
    future_unref(g);
}

static int clean_up_slowly(void *arg, value *ret)
{
    int error = task_await(arg, NULL);
    *ret = value_str("cleaned up");
    if (error == ERR_CANCELLED)
        error = task_yield();
    if (!error)
        error = task_yield();
    return error;
}

static void a_cancelled_gather_ends_when_its_children_have(void)
{
    struct future *f = new_future();
    struct task *slow = new_task(clean_up_slowly, f);
    struct future *children[] = {task_future(slow)};
    struct future *g = gathered(children, 1, GATHER_RETURN_EXCEPTIONS);
    fixture_pump();
    step("future_cancel() of a gather whose child takes its time, with GATHER_RETURN_EXCEPTIONS");
    expect_true("it answers true", future_cancel(g));
    fixture_iteration();
    fixture_iteration();
    expect_true("it waits for the child", !future_done(g) && !is_done(slow));
    fixture_pump();
    expect_error(future_result(g, NULL), ERR_CANCELLED);
    expect_item(g, 0, value_str("cleaned up"));
    future_unref(g);
    task_unref(slow);
    future_unref(f);
}

static void a_gather_whose_children_are_done_cannot_be_cancelled(void)
{
    struct future *f[] = {new_future(), new_future()};
    struct future *g = gathered(f, 2, GATHER_FIRST_ERROR);
    expect_ok(future_set_result(f[0], value_int(0)));
    expect_ok(future_set_result(f[1], value_int(1)));
    step("future_cancel() of a gather whose children are done, before it knows");
    expect_true("it answers false", !future_cancel(g));
    fixture_pump();
    expect_true("it answers false", !future_cancel(g));
    expect_ok(future_result(g, NULL));
    expect_item(g, 1, value_int(1));
    unref_all(f, 2);
    future_unref(g);
}

static int swallow(void *arg, value *ret)
{
    int error = task_await(arg, NULL);
    *ret = value_int(error == ERR_CANCELLED);
    return 0;
}

static void a_second_cancel_after_the_children_are_done_answers_false(void)
{
    struct future *f = new_future();
    struct task *task = new_task(swallow, f);
    struct future *children[] = {task_future(task)};
    struct future *g = gathered(children, 1, GATHER_FIRST_ERROR);
    fixture_pump();
    expect_true("the first cancel answers true", future_cancel(g));
    fixture_iteration();
    expect_true("the child swallowed it and is done", is_done(task));
    step("future_cancel() again, when every child is done");
    expect_true("it answers false", !future_cancel(g));
    fixture_pump();
    expect_error(future_result(g, NULL), ERR_CANCELLED);
    future_unref(g);
    task_unref(task);
    future_unref(f);
}

static int await_arg(void *arg, value *ret)
{
    int error = task_await(arg, ret);
    hear("who awaits", error);
    return error;
}

static void cancelling_who_awaits_a_gather_cancels_the_children(void)
{
    struct future *f[] = {new_future(), new_future()};
    struct future *g = gathered(f, 2, GATHER_FIRST_ERROR);
    struct task *task = new_task(await_arg, g);
    fixture_pump();
    step("task_cancel() of a task that awaits a gather");
    expect_true("it answers true", task_cancel(task));
    expect_true("the children are cancelled", future_cancelled(f[0]) && future_cancelled(f[1]));
    fixture_pump();
    expect_trace("who awaits hears ERR_CANCELLED");
    expect_true("the task is cancelled", is_cancelled(task));
    task_unref(task);
    future_unref(g);
    unref_all(f, 2);
}

static void cancelling_who_awaits_a_gather_that_is_about_to_end(void)
{
    struct future *f[] = {new_future()};
    struct future *g = gathered(f, 1, GATHER_FIRST_ERROR);
    struct task *task = new_task(await_arg, g);
    fixture_pump();
    expect_ok(future_set_result(f[0], value_int(5)));
    step("task_cancel() of a task that awaits a gather whose children are done");
    expect_true("it answers true", task_cancel(task));
    fixture_pump();
    expect_trace("who awaits hears ERR_CANCELLED");
    expect_ok(future_result(g, NULL));
    task_unref(task);
    future_unref(g);
    unref_all(f, 1);
}

static void a_gather_that_nobody_holds_is_given_back(void)
{
    struct future *f[] = {new_future(), new_future()};
    step("future_unref() of a pending gather");
    future_unref(gathered(f, 2, GATHER_FIRST_ERROR));
    expect_ok(future_set_result(f[0], value_int(0)));
    expect_ok(future_set_result(f[1], value_int(1)));
    unref_all(f, 2);
    fixture_pump();
    expect_no_report();
}

static int unref_arg(struct future *f, void *arg)
{
    struct future **theirs = arg;
    expect_item(f, 0, value_int(0));
    future_unref(*theirs);
    *theirs = NULL;
    record("given back");
    return 0;
}

static void a_gather_may_be_given_back_by_its_callback(void)
{
    struct future *f[] = {new_future()}, *g = gathered(f, 1, GATHER_FIRST_ERROR);
    expect_ok(future_add_done_callback(g, unref_arg, &g));
    expect_ok(future_set_result(f[0], value_int(0)));
    unref_all(f, 1);
    step("a callback that gives its gather back");
    fixture_pump();
    expect_trace("given back");
}

static void a_loop_closed_on_gathers_and_shields_gives_everything_back(void)
{
    struct future *f[] = {new_future(), new_future(), new_future()}, *outer;
    struct task *task = new_task(await_arg, f[2]);
    struct future *children[] = {f[0], f[1], task_future(task), f[1]};
    struct future *g = gathered(children, 4, GATHER_FIRST_ERROR);
    struct future *h = gathered(children, 4, GATHER_RETURN_EXCEPTIONS);
    struct future *nested[] = {g, h};
    struct future *both = gathered(nested, 2, GATHER_FIRST_ERROR);
    expect_ok(shield(both, &outer));
    struct task *waiter = new_task(await_arg, outer);
    future_unref(h); /* nobody holds it */
    expect_ok(future_add_done_callback(g, note_done, "never"));
    fixture_pump();
    expect_ok(future_set_result(f[0], value_int(0)));
    step("the close, with gathers, a shield, and tasks among and behind them");
    fixture_close();
    expect_trace("who awaits hears ERR_GENERATOR_EXIT", "who awaits hears ERR_GENERATOR_EXIT");
    expect_report("destroyed", 0);
    expect_report("destroyed", 0);
    expect_true("the gather is still pending", !future_done(g));
    expect_item_error(g, 0, ERR_INVALID_STATE);
    task_unref(task);
    task_unref(waiter);
    future_unref(outer);
    future_unref(both);
    future_unref(g);
    unref_all(f, 3);
}

/* Waits for a gather of one other task. */
static int await_gather_of(void *arg, value *ret)
{
    struct task *const *other = arg;
    struct future *child = task_future(*other), *g;
    int error = gather(task_dispatcher(task_current()), &child, 1, GATHER_FIRST_ERROR, &g);
    if (!error) {
        error = task_await(g, ret);
        future_unref(g);
    }
    hear("who awaits", error);
    return error;
}

static void cancelling_a_ring_through_gathers_ends_it(void)
{
    struct task *ring[2];
    ring[0] = new_task(await_gather_of, &ring[1]);
    ring[1] = new_task(await_gather_of, &ring[0]);
    fixture_pump();
    step("task_cancel() of one of two tasks, each of which awaits a gather of the other");
    expect_true("it answers true", task_cancel(ring[0]));
    fixture_pump();
    expect_true("both are cancelled", is_cancelled(ring[0]) && is_cancelled(ring[1]));
    expect_trace("who awaits hears ERR_CANCELLED", "who awaits hears ERR_CANCELLED");
    task_unref(ring[0]);
    task_unref(ring[1]);
}

enum { DEEP = 100000 };

static struct future *deep[DEEP + 1];

static int nest_gathers(void)
{
    int n = harness_is_slow() ? DEEP / 20 : DEEP;
    deep[0] = new_future();
    for (int i = 0; i < n; i++)
        deep[i + 1] = gathered(&deep[i], 1, GATHER_FIRST_ERROR);
    return n;
}

static int cancel_on_small_stack(void *arg, value *ret)
{
    *ret = value_bool(future_cancel(arg));
    return 0;
}

/* What future_cancel() answers where it has 64 KiB of stack. */
static void expect_cancel(struct future *f, bool wanted)
{
    struct generator *g = gen_new(cancel_on_small_stack, f);
    value out;
    int status = gen_next(g, &out);
    expect_returns(status, out, value_bool(wanted));
    gen_free(g);
}

static void a_tower_of_100000_gathers_is_cancelled_without_recursion(void)
{
    int n = nest_gathers();
    step("future_cancel() of the outermost of 100,000 gathers of each other");
    expect_cancel(deep[n], true);
    expect_true("the innermost future is cancelled", future_cancelled(deep[0]));
    expect_int(fixture_pump(), n);
    expect_error(future_result(deep[n], NULL), ERR_CANCELLED);
    unref_all(deep, (size_t)n + 1);
}

static void a_tower_of_100000_gathers_of_what_is_done_cannot_be_cancelled(void)
{
    int n = nest_gathers();
    expect_ok(future_set_result(deep[0], value_int(5)));
    step("future_cancel() of the outermost of 100,000 gathers, before they know of the result");
    expect_cancel(deep[n], false);
    expect_int(fixture_pump(), n);
    expect_ok(future_result(deep[n], NULL));
    unref_all(deep, (size_t)n + 1);
}

enum { STOREYS = 10000 };

static struct task *storeys[STOREYS];
static unsigned heard;

/* Waits for a gather of the task before it; the first one, of the future. */
static int await_gather_of_next(void *arg, value *ret)
{
    struct task **self = arg;
    struct future *child = self == storeys ? deep[0] : task_future(self[-1]), *g;
    int error = gather(task_dispatcher(task_current()), &child, 1, GATHER_FIRST_ERROR, &g);
    if (!error) {
        error = task_await(g, ret);
        future_unref(g);
    }
    heard += error == ERR_CANCELLED;
    return error;
}

static void a_tower_of_tasks_and_gathers_is_cancelled_without_recursion(void)
{
    int n = harness_is_slow() ? STOREYS / 20 : STOREYS;
    heard = 0;
    deep[0] = new_future();
    for (int i = 0; i < n; i++)
        storeys[i] = new_task(await_gather_of_next, &storeys[i]);
    fixture_pump();
    step("task_cancel() of the outermost of 10,000 tasks that await gathers of each other");
    expect_cancel(task_future(storeys[n - 1]), true);
    expect_true("the innermost future is cancelled", future_cancelled(deep[0]));
    fixture_pump();
    expect_int(heard, n);
    for (int i = 0; i < n; i++)
        task_unref(storeys[i]);
    future_unref(deep[0]);
}

static int give_back(void *arg, value *ret)
{
    (void)ret;
    future_unref(arg);
    return 0;
}

static void a_tower_of_100000_gathers_is_given_back_without_recursion(void)
{
    int n = nest_gathers();
    expect_ok(future_set_result(deep[0], value_int(5)));
    fixture_pump();
    expect_ok(future_result(deep[n], NULL));
    unref_all(deep, (size_t)n);
    step("future_unref() of the outermost of 100,000 gathers, on a stack of 64 KiB");
    struct generator *g = gen_new(give_back, deep[n]);
    expect_int(gen_next(g, NULL), GEN_RETURN);
    gen_free(g);
}

/* --- wait_for
 * ------------------------------------------------------------------------------------------ */

struct patience {
    struct future *f;
    double timeout;
    double ended;
};

static int wait_and_tell(void *arg, value *ret)
{
    struct patience *p = arg;
    char text[80];
    *ret = value_int(-77);
    int error = wait_for(p->f, p->timeout, ret);
    p->ended = fixture_now();
    value_format(*ret, text, sizeof text);
    record("%s %s", error ? name_of(error) : "ok", text);
    return error;
}

static void wait_outside_a_task(void *arg)
{
    (void)arg;
    struct future *f = new_future();
    if (wait_for(f, 1, NULL))
        record("refused");
}

static void only_a_task_can_wait_for(void)
{
    step("wait_for() outside a task");
    expect_death(SIGABRT, "wait_for()", wait_outside_a_task, NULL);
}

static void a_timeout_must_be_a_number(void)
{
    struct patience p = {new_future(), NAN, 0};
    struct task *task = new_task(wait_and_tell, &p);
    step("wait_for(f, NAN)");
    fixture_iteration();
    expect_trace("ERR_VALUE None");
    expect_true("the future is left alone", !future_done(p.f));
    expect_error(future_result(task_future(task), NULL), ERR_VALUE);
    task_unref(task);
    future_unref(p.f);
}

static void wait_for_refuses_a_future_of_another_loop(void)
{
    struct dispatcher other;
    struct future *foreigner = foreign_future(&other);
    struct patience p[] = {{foreigner, 5, 0}, {foreigner, 0, 0}};
    struct task *a = new_task(wait_and_tell, &p[0]), *b = new_task(wait_and_tell, &p[1]);
    step("wait_for() with a future of another dispatcher");
    fixture_pump();
    expect_trace("ERR_WRONG_LOOP None", "ERR_WRONG_LOOP None");
    expect_true("the foreign future is left alone", !future_done(foreigner));
    expect_int(loop_pending(fixture_loop()), 0);
    expect_error(future_result(task_future(a), NULL), ERR_WRONG_LOOP);
    expect_error(future_result(task_future(b), NULL), ERR_WRONG_LOOP);
    task_unref(a);
    task_unref(b);
    future_unref(foreigner);
    immediate_close(&other);
}

static void no_memory_for_a_wait(void)
{
    for (int kind = 0; kind < 2; kind++) {
        for (unsigned n = 1; n < 20; n++) {
            struct patience p = {new_future(), kind == 0 ? 5 : 0, 0};
            struct task *task = new_task(wait_and_tell, &p);
            fail_allocation(n);
            step("wait_for(f, %g) without memory, the %u. time", p.timeout, n);
            fixture_iteration();
            bool failed = allocation_failed();
            if (failed) {
                expect_trace("ENOMEM None");
                expect_true("the future is left alone", !future_done(p.f));
                expect_error(future_result(task_future(task), NULL), -ENOMEM);
            } else {
                fixture_advance(5);
                expect_trace("ERR_TIMEOUT None");
                expect_error(future_result(task_future(task), NULL), ERR_TIMEOUT);
            }
            expect_int(loop_pending(fixture_loop()), 0);
            task_unref(task);
            future_unref(p.f);
            if (!failed)
                break;
        }
    }
}

static void waiting_without_limit_is_await(void)
{
    struct patience p = {new_future(), INFINITY, 0};
    struct task *task = new_task(wait_and_tell, &p);
    fixture_pump();
    expect_int(loop_pending(fixture_loop()), 0);
    step("wait_for(f, INFINITY); f gets 5 after a day");
    later(86400, set_five, p.f);
    fixture_advance(86400);
    expect_trace("ok 5");
    task_unref(task);
    future_unref(p.f);
}

static void who_is_in_time_gives_the_result(void)
{
    struct patience p = {new_future(), 10, 0};
    struct task *task = new_task(wait_and_tell, &p);
    later(9, set_five, p.f);
    step("wait_for(f, 10); f gets 5 after 9 seconds");
    fixture_advance(9);
    expect_trace("ok 5");
    step("the timer is taken back");
    expect_int(loop_pending(fixture_loop()), 0);
    fixture_advance(100);
    expect_int(task_cancel_count(task), 0);
    task_unref(task);
    future_unref(p.f);
}

static int set_error(void *arg)
{
    return future_set_exception(arg, ERR_USER);
}

static void who_fails_in_time_gives_the_error(void)
{
    struct patience p = {new_future(), 10, 0};
    struct task *task = new_task(wait_and_tell, &p);
    later(9, set_error, p.f);
    step("wait_for(f, 10); f fails with ERR_USER after 9 seconds");
    fixture_advance(9);
    expect_trace("ERR_USER None");
    expect_int(loop_pending(fixture_loop()), 0);
    expect_error(future_result(task_future(task), NULL), ERR_USER);
    task_unref(task);
    future_unref(p.f);
}

static void who_is_late_is_cancelled(void)
{
    struct patience p = {new_future(), 10, 0};
    struct task *task = new_task(wait_and_tell, &p);
    double begin = fixture_now();
    step("wait_for(f, 10); f never comes");
    fixture_advance(9.9);
    expect_no_trace();
    fixture_advance(1);
    expect_trace("ERR_TIMEOUT None");
    expect_time(p.ended, begin + 10);
    expect_true("f is cancelled", future_cancelled(p.f));
    expect_error(future_result(task_future(task), NULL), ERR_TIMEOUT);
    expect_true("the task that waited is not", !is_cancelled(task));
    task_unref(task);
    future_unref(p.f);
}

static int take_time_to_end(void *arg, value *ret)
{
    int error = task_await(arg, ret);
    hear("inner", error);
    if (error == ERR_CANCELLED && sleep_for(5) == 0)
        record("inner has cleaned up");
    return error;
}

static void the_timeout_waits_until_the_task_has_really_ended(void)
{
    struct future *f = new_future();
    struct task *inner = new_task(take_time_to_end, f);
    struct patience p = {task_future(inner), 10, 0};
    struct task *outer = new_task(wait_and_tell, &p);
    double begin = fixture_now();
    step("wait_for(inner, 10), which takes 5 seconds to clean up");
    fixture_advance(12);
    expect_trace("inner hears ERR_CANCELLED");
    expect_true("it still waits", !is_done(outer));
    fixture_advance(10);
    expect_trace("inner has cleaned up", "ERR_TIMEOUT None");
    expect_time(p.ended, begin + 15);
    expect_true("the inner task is cancelled", is_cancelled(inner));
    expect_error(future_result(task_future(outer), NULL), ERR_TIMEOUT);
    task_unref(inner);
    task_unref(outer);
    future_unref(f);
}

static int swallow_and_return(void *arg, value *ret)
{
    hear("inner", task_await(arg, ret));
    *ret = value_str("anyway");
    return 0;
}

static void who_swallows_the_cancel_and_returns_is_believed(void)
{
    struct future *f = new_future();
    struct task *inner = new_task(swallow_and_return, f);
    struct patience p = {task_future(inner), 10, 0};
    struct task *outer = new_task(wait_and_tell, &p);
    step("wait_for(inner, 10), which catches the cancel and returns a value");
    fixture_advance(20);
    expect_trace("inner hears ERR_CANCELLED", "ok 'anyway'");
    expect_int(task_cancel_count(outer), 0); /* the time-out's own cancel is forgiven */
    task_unref(inner);
    task_unref(outer);
    future_unref(f);
}

static int raise_when_cancelled(void *arg, value *ret)
{
    (void)ret;
    return task_await(arg, NULL) == ERR_CANCELLED ? ERR_USER : 0;
}

static void who_raises_when_cancelled_gives_that_error(void)
{
    struct future *f = new_future();
    struct task *inner = new_task(raise_when_cancelled, f);
    struct patience p = {task_future(inner), 10, 0};
    struct task *outer = new_task(wait_and_tell, &p);
    step("wait_for(inner, 10), which raises ERR_USER when cancelled");
    fixture_advance(20);
    expect_trace("ERR_USER None");
    expect_error(future_result(task_future(outer), NULL), ERR_USER);
    task_unref(inner);
    task_unref(outer);
    future_unref(f);
}

static void no_time_and_done_gives_the_result(void)
{
    struct patience p[] = {{new_future(), 0, 0}, {new_future(), -5, 0}};
    expect_ok(future_set_result(p[0].f, value_int(5)));
    expect_ok(future_set_exception(p[1].f, ERR_USER));
    struct task *a = new_task(wait_and_tell, &p[0]), *b = new_task(wait_and_tell, &p[1]);
    step("wait_for(f, 0) and wait_for(g, -5), both of which are done");
    expect_int(fixture_iteration(), 2);
    expect_trace("ok 5", "ERR_USER None");
    expect_error(future_result(task_future(b), NULL), ERR_USER);
    task_unref(a);
    task_unref(b);
    future_unref(p[0].f);
    future_unref(p[1].f);
}

static void no_time_and_pending_cancels_at_once(void)
{
    struct patience p[] = {{new_future(), 0, 0}, {new_future(), -5, 0}};
    struct task *a = new_task(wait_and_tell, &p[0]), *b = new_task(wait_and_tell, &p[1]);
    step("wait_for(f, 0) and wait_for(g, -5), both of which are pending");
    fixture_iteration();
    expect_true("both are cancelled", future_cancelled(p[0].f) && future_cancelled(p[1].f));
    fixture_pump();
    expect_trace("ERR_TIMEOUT None", "ERR_TIMEOUT None");
    expect_error(future_result(task_future(a), NULL), ERR_TIMEOUT);
    expect_error(future_result(task_future(b), NULL), ERR_TIMEOUT);
    task_unref(a);
    task_unref(b);
    future_unref(p[0].f);
    future_unref(p[1].f);
}

static void no_time_waits_until_the_task_has_really_ended(void)
{
    struct future *f = new_future();
    struct task *inner = new_task(take_time_to_end, f);
    struct patience p = {task_future(inner), 0, 0};
    fixture_pump();
    struct task *outer = new_task(wait_and_tell, &p);
    step("wait_for(inner, 0), which takes 5 seconds to clean up");
    fixture_advance(4);
    expect_trace("inner hears ERR_CANCELLED");
    fixture_advance(2);
    expect_trace("inner has cleaned up", "ERR_TIMEOUT None");
    expect_error(future_result(task_future(outer), NULL), ERR_TIMEOUT);
    task_unref(inner);
    task_unref(outer);
    future_unref(f);
}

static int begin_and_await(void *arg, value *ret)
{
    record("inner begins");
    int error = task_await(arg, ret);
    hear("inner", error);
    return error;
}

static void no_time_for_a_new_task_still_starts_it(void)
{
    struct future *f = new_future();
    struct patience p = {NULL, 0, 0};
    struct task *outer = new_task(wait_and_tell, &p);
    struct task *inner = new_task(begin_and_await, f);
    p.f = task_future(inner);
    step("wait_for(inner, 0), which has not begun");
    fixture_pump();
    expect_trace("inner begins", "inner hears ERR_CANCELLED", "ERR_TIMEOUT None");
    expect_true("the inner task is cancelled", is_cancelled(inner));
    expect_error(future_result(task_future(outer), NULL), ERR_TIMEOUT);
    task_unref(inner);
    task_unref(outer);
    future_unref(f);
}

static void cancelling_who_waits_cancels_the_future(void)
{
    struct patience p = {new_future(), 10, 0};
    struct task *task = new_task(wait_and_tell, &p);
    fixture_iteration();
    step("task_cancel() of a task in wait_for(f, 10)");
    expect_true("it answers true", task_cancel(task));
    expect_true("f is cancelled", future_cancelled(p.f));
    fixture_pump();
    expect_trace("ERR_CANCELLED None");
    expect_int(loop_pending(fixture_loop()), 0);
    expect_true("the task is cancelled", is_cancelled(task));
    task_unref(task);
    future_unref(p.f);
}

static void cancelling_who_waits_waits_for_the_task_to_end(void)
{
    struct future *f = new_future();
    struct task *inner = new_task(take_time_to_end, f);
    struct patience p = {task_future(inner), 10, 0};
    struct task *outer = new_task(wait_and_tell, &p);
    fixture_pump();
    step("task_cancel() of a task in wait_for(inner, 10); inner takes 3 seconds to clean up");
    expect_true("it answers true", task_cancel(outer));
    fixture_advance(3);
    expect_trace("inner hears ERR_CANCELLED");
    expect_true("it still waits", !is_done(outer));
    fixture_advance(3);
    expect_trace("inner has cleaned up", "ERR_CANCELLED None");
    expect_true("it is cancelled", is_cancelled(outer));
    task_unref(inner);
    task_unref(outer);
    future_unref(f);
}

static void a_cancel_when_the_inner_has_just_finished_wins(void)
{
    struct patience p = {new_future(), 10, 0};
    struct task *task = new_task(wait_and_tell, &p);
    fixture_iteration();
    expect_ok(future_set_result(p.f, value_int(5)));
    step("task_cancel() of a task in wait_for(f, 10), when f has just got 5");
    expect_true("it answers true", task_cancel(task));
    fixture_pump();
    expect_trace("ERR_CANCELLED None");
    expect_true("the task is cancelled", is_cancelled(task));
    task_unref(task);
    future_unref(p.f);
}

static int swallow_twice(void *arg, value *ret)
{
    struct future **f = arg;
    hear("first", task_await(f[0], NULL));
    hear("second", task_await(f[1], NULL));
    *ret = value_str("anyway");
    return 0;
}

static void a_cancel_while_the_inner_digests_the_timeout_is_passed_on(void)
{
    struct future *f[] = {new_future(), new_future()};
    struct task *inner = new_task(swallow_twice, f);
    struct patience p = {task_future(inner), 10, 0};
    struct task *outer = new_task(wait_and_tell, &p);
    fixture_advance(11);
    expect_trace("first hears ERR_CANCELLED");
    step("task_cancel() of a task in wait_for(), whose time-out the inner task still digests");
    expect_true("it answers true", task_cancel(outer));
    expect_true("the inner task is cancelled again", future_cancelled(f[1]));
    fixture_pump();
    expect_trace("second hears ERR_CANCELLED", "ok 'anyway'");
    expect_true("its value is returned", !is_cancelled(outer));
    task_unref(inner);
    task_unref(outer);
    unref_all(f, 2);
}

static void a_cancel_that_comes_after_the_timeout_is_no_timeout(void)
{
    struct future *f = new_future();
    struct task *inner = new_task(take_time_to_end, f);
    struct patience p = {task_future(inner), 10, 0};
    struct task *outer = new_task(wait_and_tell, &p);
    fixture_advance(11);
    expect_trace("inner hears ERR_CANCELLED");
    step("task_cancel() of a task in wait_for(), after the time-out");
    expect_true("it answers true", task_cancel(outer));
    fixture_advance(10);
    expect_trace("ERR_CANCELLED None");
    expect_true("the outer task is cancelled", is_cancelled(outer));
    task_unref(inner);
    task_unref(outer);
    future_unref(f);
}

static void who_is_cancelled_by_somebody_else_is_no_timeout(void)
{
    struct patience p = {new_future(), 10, 0};
    struct task *task = new_task(wait_and_tell, &p);
    fixture_iteration();
    step("future_cancel(f), for which a task waits in wait_for(f, 10)");
    expect_true("it answers true", future_cancel(p.f));
    fixture_pump();
    expect_trace("ERR_CANCELLED None");
    expect_int(loop_pending(fixture_loop()), 0);
    task_unref(task);
    future_unref(p.f);
}

static int wait_twice(void *arg, value *ret)
{
    struct future **f = arg;
    hear("first", wait_for(f[0], 1, ret));
    hear("second", wait_for(f[1], 1, ret));
    hear("third", sleep_for(1));
    return 0;
}

static void one_timeout_does_not_disturb_the_next(void)
{
    struct future *f[] = {new_future(), new_future()};
    struct task *task = new_task(wait_twice, f);
    step("two wait_for() that run out, one after the other, and a sleep");
    fixture_advance(10);
    expect_trace("first hears ERR_TIMEOUT", "second hears ERR_TIMEOUT", "third hears a value");
    expect_int(task_cancel_count(task), 0);
    task_unref(task);
    unref_all(f, 2);
}

static int wait_inside(void *arg, value *ret)
{
    int error = wait_for(arg, 1, ret);
    hear("inside", error);
    return error;
}

static int wait_outside(void *arg, value *ret)
{
    struct task *inner;
    int error = task_spawn(wait_inside, arg, &inner);
    if (error)
        return error;
    error = wait_for(task_future(inner), 10, ret);
    hear("outside", error);
    task_unref(inner);
    return error;
}

static void timeouts_can_be_nested(void)
{
    struct future *f = new_future();
    struct task *task = new_task(wait_outside, f);
    step("wait_for() of 10 seconds around one of 1 second");
    fixture_advance(20);
    expect_trace("inside hears ERR_TIMEOUT", "outside hears ERR_TIMEOUT");
    expect_error(future_result(task_future(task), NULL), ERR_TIMEOUT);
    task_unref(task);
    future_unref(f);
}

static void a_loop_closed_during_a_wait_gives_everything_back(void)
{
    struct patience p[] = {{new_future(), 10, 0}, {new_future(), 0, 0}, {new_future(), 10, 0}};
    struct task *a = new_task(wait_and_tell, &p[0]), *b = new_task(wait_and_tell, &p[1]);
    fixture_iteration();
    struct task *c = new_task(wait_and_tell, &p[2]);
    step("the close, with tasks in wait_for() and before it");
    fixture_close();
    expect_trace("ERR_GENERATOR_EXIT None", "ERR_GENERATOR_EXIT None", "ERR_GENERATOR_EXIT None");
    for (int i = 0; i < 3; i++) {
        expect_report("destroyed", 0);
        future_unref(p[i].f);
    }
    task_unref(a);
    task_unref(b);
    task_unref(c);
}

/* --- shield
 * ---------------------------------------------------------------------------------------------- */

static void a_shield_passes_result_and_error_on(void)
{
    struct future *f = new_future(), *g = new_future(), *f_outer, *g_outer;
    value out;
    expect_ok(shield(f, &f_outer));
    expect_ok(shield(g, &g_outer));
    step("shield(f) and shield(g); f gets 5, g fails with ERR_USER");
    expect_ok(future_set_result(f, value_int(5)));
    expect_ok(future_set_exception(g, ERR_USER));
    fixture_pump();
    expect_ok(future_result(f_outer, &out));
    expect_value(out, value_int(5));
    expect_error(future_result(g_outer, NULL), ERR_USER);
    future_unref(f);
    future_unref(g);
    future_unref(f_outer);
    future_unref(g_outer);
}

static void cancelling_a_shield_leaves_the_future_alone(void)
{
    struct future *f = new_future(), *outer;
    value out;
    expect_ok(shield(f, &outer));
    step("future_cancel(shield(f))");
    expect_true("it answers true", future_cancel(outer));
    fixture_pump();
    expect_true("the shield is cancelled", future_cancelled(outer));
    expect_true("f is not", !future_done(f));
    expect_ok(future_set_result(f, value_int(5)));
    fixture_pump();
    expect_ok(future_result(f, &out));
    expect_value(out, value_int(5));
    future_unref(outer);
    future_unref(f);
}

static void cancelling_who_awaits_a_shield_leaves_the_task_alone(void)
{
    struct future *f = new_future(), *outer;
    struct task *inner = new_task(begin_and_await, f);
    expect_ok(shield(task_future(inner), &outer));
    struct task *waiter = new_task(await_arg, outer);
    fixture_pump();
    step("task_cancel() of a task that awaits shield(inner)");
    expect_true("it answers true", task_cancel(waiter));
    fixture_pump();
    expect_trace("inner begins", "who awaits hears ERR_CANCELLED");
    expect_true("the inner task goes on", !is_done(inner));
    expect_ok(future_set_result(f, value_int(5)));
    fixture_pump();
    expect_trace("inner hears a value");
    task_unref(waiter);
    task_unref(inner);
    future_unref(outer);
    future_unref(f);
}

static void a_cancelled_future_cancels_its_shield(void)
{
    struct future *f = new_future(), *outer;
    expect_ok(shield(f, &outer));
    step("future_cancel(f), with a shield around it");
    expect_true("it answers true", future_cancel(f));
    fixture_pump();
    expect_true("the shield is cancelled", future_cancelled(outer));
    future_unref(f);
    future_unref(outer);
}

static void an_error_behind_a_cancelled_shield_has_to_be_asked_for(void)
{
    struct future *f = new_future(), *outer;
    expect_ok(shield(f, &outer));
    expect_true("it can be cancelled", future_cancel(outer));
    fixture_pump();
    step("future_set_exception(f, ERR_USER) after the shield was cancelled");
    expect_ok(future_set_exception(f, ERR_USER));
    fixture_pump();
    future_unref(outer);
    future_unref(f);
    expect_report("never retrieved", ERR_USER);
    expect_no_report();
}

static void a_done_future_is_its_own_shield(void)
{
    struct future *f = new_future(), *outer;
    expect_ok(future_set_result(f, value_int(5)));
    step("shield() of a done future");
    expect_ok(shield(f, &outer));
    expect_true("it is the future itself", outer == f);
    future_unref(outer);
    future_unref(f);
}

static void no_memory_for_a_shield(void)
{
    for (unsigned n = 1; n < 20; n++) {
        struct future *f = new_future(), *outer = f;
        fail_allocation(n);
        step("shield() without memory, the %u. time", n);
        int error = shield(f, &outer);
        bool failed = allocation_failed();
        expect_error(error, failed ? -ENOMEM : 0);
        expect_true("there is one if it worked", (outer == NULL) == failed);
        expect_ok(future_set_result(f, value_int(5)));
        fixture_pump();
        future_unref(outer);
        future_unref(f);
        if (!failed)
            break;
    }
}

static const struct check checks[] = {
    /* ensure_future */
    CHECK(only_a_future_is_one, "E01", NULL, ""),
    CHECK(a_future_of_another_loop_is_not_ours, "E02", NULL, ""),
    CHECK(ensure_future_gives_the_same_object, "E01", NULL, "4.6"),
    /* sleep_for */
    CHECK(only_a_task_can_sleep, "Z01", NULL, ""),
    CHECK(a_sleep_must_be_a_number, "Z01 D01", NULL, "4.6"),
    CHECK(what_a_sleeper_yields_must_not_be_kept, "Z01", "4.9", "4.6"),
    CHECK(a_sleep_ends_at_its_time, "Z01", "4.9", "4.2 4.3 4.4 4.6"),
    CHECK(sleepers_wake_in_the_order_of_their_times, "Z01 D07", "4.9", "4.2 4.3 4.4 4.5 4.6"),
    CHECK(half_a_second_is_slept_as_well, "Z01", "4.9", "4.2 4.3 4.4 4.6"),
    CHECK(without_a_loop_nobody_can_sleep, "Z01", "4.9", ""),
    CHECK(sleeping_for_nothing_is_one_iteration, "Z02", "4.9", "4.1 4.6"),
    CHECK(cancelling_a_sleeper_takes_its_timer_back, "Z03", "4.9", "4.2 4.3 4.4 4.6"),
    CHECK(a_loop_closed_on_a_sleeper_gives_everything_back, "L14 T32", "4.9", "4.2 4.4 4.6"),
    CHECK(a_body_that_sleeps_on_and_on_is_named, "T32", "4.9", "4.11"),
    CHECK(no_memory_for_a_sleep, "Z01", "4.9", "4.2 4.3 4.4 4.6"),
    /* gather */
    CHECK(gather_refuses_children_of_another_loop, "Q09", NULL, "4.6"),
    CHECK(gather_refuses_a_child_that_is_none, "Q09", NULL, "4.6"),
    CHECK(gather_on_a_closed_loop_is_refused, "L15", NULL, ""),
    CHECK(an_item_has_to_exist, "Q01", NULL, "4.6 4.10"),
    CHECK(no_memory_for_a_gather, "", NULL, "4.6"),
    CHECK(results_stand_in_the_order_of_the_arguments, "Q01", "4.10", "4.6"),
    CHECK(a_gather_of_nothing_is_done, "Q02", NULL, ""),
    CHECK(a_child_that_stands_there_twice_runs_once, "Q03", "4.10", "4.6"),
    CHECK(a_gather_of_done_children_is_done_in_the_next_iteration, "Q01", "4.10", "4.6"),
    CHECK(the_first_error_completes_it_and_the_others_go_on, "Q04", "4.10", "4.6"),
    CHECK(an_error_of_a_gather_has_to_be_asked_for, "Q04 F17", "4.10", "4.6"),
    CHECK(with_return_exceptions_errors_are_items, "Q05", "4.10", "4.6"),
    CHECK(a_cancelled_child_is_an_error_and_no_cancel, "Q06", "4.10", "4.6"),
    CHECK(cancelling_a_gather_cancels_the_children, "Q07", "4.10", "4.6"),
    CHECK(a_cancelled_gather_ends_when_its_children_have, "Q07", "4.10", "4.6"),
    CHECK(a_gather_whose_children_are_done_cannot_be_cancelled, "Q08", "4.10", "4.6"),
    CHECK(a_second_cancel_after_the_children_are_done_answers_false, "Q08", "4.10", "4.6"),
    CHECK(cancelling_who_awaits_a_gather_cancels_the_children, "Q07 T16", "4.10", "4.6"),
    CHECK(cancelling_who_awaits_a_gather_that_is_about_to_end, "Q08 T17", "4.10", "4.6"),
    CHECK(a_gather_that_nobody_holds_is_given_back, "Q01", "4.10", "4.6"),
    CHECK(a_gather_may_be_given_back_by_its_callback, "Q01", "4.10", "4.6"),
    CHECK(a_loop_closed_on_gathers_and_shields_gives_everything_back, "L14 T32", NULL, "4.6"),
    CHECK(cancelling_a_ring_through_gathers_ends_it, "T28 Q07", "4.10", "4.6"),
    SLOW_CHECK(a_tower_of_100000_gathers_is_cancelled_without_recursion,
               "T28 T34 Q07", "4.10", "4.6", 20),
    SLOW_CHECK(a_tower_of_100000_gathers_of_what_is_done_cannot_be_cancelled,
               "T28 T34 Q08", "4.10", "4.6", 20),
    SLOW_CHECK(a_tower_of_tasks_and_gathers_is_cancelled_without_recursion,
               "T28 T34 Q07", "4.10", "4.6", 20),
    SLOW_CHECK(a_tower_of_100000_gathers_is_given_back_without_recursion,
               "T34", "4.10", "4.6", 20),
    /* wait_for */
    CHECK(only_a_task_can_wait_for, "W01", NULL, ""),
    CHECK(a_timeout_must_be_a_number, "W01 D01", NULL, "4.6"),
    CHECK(wait_for_refuses_a_future_of_another_loop, "T10", NULL, "4.6"),
    CHECK(no_memory_for_a_wait, "W01", "4.11", "4.2 4.3 4.4 4.6"),
    CHECK(waiting_without_limit_is_await, "W01", NULL, "4.3 4.4 4.6"),
    CHECK(who_is_in_time_gives_the_result, "W01", "4.11", "4.2 4.3 4.4 4.5 4.6"),
    CHECK(who_fails_in_time_gives_the_error, "W01", "4.11", "4.2 4.3 4.4 4.5 4.6"),
    CHECK(who_is_late_is_cancelled, "W02", "4.11", "4.2 4.3 4.4 4.6"),
    CHECK(the_timeout_waits_until_the_task_has_really_ended, "W02", "4.11", "4.2 4.3 4.4 4.6 4.9"),
    CHECK(who_swallows_the_cancel_and_returns_is_believed, "W03", "4.11", "4.2 4.3 4.4 4.6"),
    CHECK(who_raises_when_cancelled_gives_that_error, "W03", "4.11", "4.2 4.3 4.4 4.6"),
    CHECK(no_time_and_done_gives_the_result, "W04", NULL, "4.6"),
    CHECK(no_time_and_pending_cancels_at_once, "W04", NULL, "4.6"),
    CHECK(no_time_waits_until_the_task_has_really_ended, "W04 W02", NULL, "4.2 4.3 4.4 4.6 4.9"),
    CHECK(no_time_for_a_new_task_still_starts_it, "W04 T18", NULL, "4.6"),
    CHECK(cancelling_who_waits_cancels_the_future, "W05", "4.11", "4.2 4.3 4.4 4.6"),
    CHECK(cancelling_who_waits_waits_for_the_task_to_end, "W05", "4.11", "4.2 4.3 4.4 4.5 4.6 4.9"),
    CHECK(a_cancel_when_the_inner_has_just_finished_wins, "W05", "4.11", "4.2 4.3 4.4 4.6"),
    CHECK(a_cancel_while_the_inner_digests_the_timeout_is_passed_on,
          "W05", "4.11", "4.2 4.3 4.4 4.6"),
    CHECK(a_cancel_that_comes_after_the_timeout_is_no_timeout,
          "W05", "4.11", "4.2 4.3 4.4 4.6 4.9"),
    CHECK(who_is_cancelled_by_somebody_else_is_no_timeout, "W06", "4.11", "4.2 4.3 4.4 4.6"),
    CHECK(one_timeout_does_not_disturb_the_next, "W02", "4.11", "4.2 4.3 4.4 4.6 4.9"),
    CHECK(timeouts_can_be_nested, "W02", "4.11", "4.2 4.3 4.4 4.5 4.6"),
    CHECK(a_loop_closed_during_a_wait_gives_everything_back, "L14 T32", "4.11", "4.2 4.4 4.6"),
    /* shield */
    CHECK(a_shield_passes_result_and_error_on, "F22", NULL, "4.6"),
    CHECK(cancelling_a_shield_leaves_the_future_alone, "F22", NULL, "4.6"),
    CHECK(cancelling_who_awaits_a_shield_leaves_the_task_alone, "F22 T16", NULL, "4.6"),
    CHECK(a_cancelled_future_cancels_its_shield, "F22", NULL, "4.6"),
    CHECK(an_error_behind_a_cancelled_shield_has_to_be_asked_for, "F17 F22", NULL, "4.6"),
    CHECK(a_done_future_is_its_own_shield, "F22", NULL, ""),
    CHECK(no_memory_for_a_shield, "", NULL, "4.6"),
};
SUITE_ON_FIXTURE(combine, 4, checks)
