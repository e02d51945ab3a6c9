/*
 * loop.h: the queue that everything runs from. The first suite runs on the fixture's loop; the
 * second one brings a poller that notes what it is asked, and so sees how the loop waits.
 */
#include "loop.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "harness.h"
#include "task.h"

static int note(void *arg)
{
    record("%s", (const char *)arg);
    return 0;
}

static void soon(loop_fn *fn, void *arg)
{
    expect_ok(loop_call_soon(fixture_loop(), fn, arg, NULL));
}

static struct future *new_future(void)
{
    struct future *f = future_new(fixture_dispatcher());
    expect_true("future_new() makes one", f != NULL);
    return f;
}

static int stop(void *arg)
{
    (void)arg;
    record("stop");
    loop_stop(fixture_loop());
    return 0;
}

static int set_five(void *arg)
{
    return future_set_result(arg, value_int(5));
}

/* Queues a callback that notes its name. */
static int queue_note(void *arg)
{
    record("queueing");
    expect_ok(loop_call_soon(fixture_loop(), note, arg, NULL));
    return 0;
}

/* --- misuse
 * --------------------------------------------------------------------------------------- */

static void a_callback_must_be_a_function(void)
{
    struct handle h = {.number = 77};
    step("loop_call_soon(loop, NULL, …)");
    expect_error(loop_call_soon(fixture_loop(), NULL, NULL, &h), ERR_VALUE);
    expect_true("the ticket is for nothing", h.loop == NULL && h.number == 0);
    expect_int(loop_pending(fixture_loop()), 0);
    expect_int(fixture_pump(), 0);
}

static void a_closed_loop_refuses_everything(void)
{
    struct task_loop *loop = fixture_loop();
    struct future *f = new_future();
    struct handle h = {.number = 77};
    value out = value_int(-77);
    expect_ok(loop_close(loop));
    step("loop_call_soon() after the close");
    expect_error(loop_call_soon(loop, note, "x", &h), ERR_CLOSED);
    expect_true("the ticket is for nothing", h.loop == NULL && h.number == 0);
    step("loop_run_once() after the close");
    expect_error(loop_run_once(loop), ERR_CLOSED);
    step("loop_run_forever() after the close");
    expect_error(loop_run_forever(loop), ERR_CLOSED);
    step("loop_run_until_complete() after the close");
    expect_error(loop_run_until_complete(loop, f, &out), ERR_CLOSED);
    expect_value(out, value_none());
    expect_true("the future is still pending", !future_done(f));
    step("loop_stop() after the close is harmless");
    loop_stop(loop);
    expect_true("it is closed", loop_is_closed(loop));
    future_unref(f);
}

static int run_nested(void *arg)
{
    struct task_loop *loop = fixture_loop();
    struct future *f = new_future();
    expect_error(loop_run_once(arg), ERR_NESTED);
    expect_error(loop_run_forever(arg), ERR_NESTED);
    if (arg == loop)
        expect_error(loop_run_until_complete(arg, f, NULL), ERR_NESTED);
    expect_true("the outer loop still runs", loop_is_running(loop));
    expect_true("it is the running one", loop_running() == loop);
    future_unref(f);
    record("refused");
    return 0;
}

static void a_loop_does_not_run_inside_a_loop(void)
{
    struct task_loop *other = loop_new(clock_poller_new());
    soon(run_nested, fixture_loop());
    soon(run_nested, other);
    soon(queue_note, "later");
    step("loop_run_…() in a callback, of the same loop and of another one");
    fixture_pump();
    expect_trace("refused", "refused", "queueing", "later");
    expect_true("the other one does not run", !loop_is_running(other));
    step("the other loop runs when this one does not");
    expect_int(loop_run_once(other), 0);
    loop_free(other);
}

static int run_until_in_task(void *arg, value *ret)
{
    struct future *f = new_future();
    (void)arg, (void)ret;
    expect_error(loop_run_until_complete(fixture_loop(), f, NULL), ERR_NESTED);
    future_unref(f);
    return task_yield();
}

static void a_loop_does_not_run_inside_a_task(void)
{
    struct task *task;
    expect_ok(task_new(fixture_dispatcher(), run_until_in_task, NULL, &task));
    step("loop_run_until_complete() in a task");
    expect_ok(loop_run_until_complete(fixture_loop(), task_future(task), NULL));
    task_unref(task);
}

static void a_future_of_another_loop_is_refused(void)
{
    struct task_loop *other = loop_new(clock_poller_new());
    struct future *f = future_new(loop_dispatcher(other));
    value out = value_int(-77);
    step("loop_run_until_complete() with a future of another loop");
    expect_error(loop_run_until_complete(fixture_loop(), f, &out), ERR_WRONG_LOOP);
    expect_value(out, value_none());
    expect_true("nothing runs", !loop_is_running(fixture_loop()) && loop_running() == NULL);
    expect_true("the future is still pending", !future_done(f));
    future_unref(f);
    loop_free(other);
}

static int close_it(void *arg)
{
    expect_error(loop_close(arg), ERR_RUNTIME);
    expect_true("it is not closed", !loop_is_closed(arg));
    record("refused");
    return 0;
}

static void a_running_loop_cannot_be_closed(void)
{
    soon(close_it, fixture_loop());
    soon(note, "next");
    step("loop_close() in a callback");
    fixture_pump();
    expect_trace("refused", "next");
}

static int free_it(void *arg)
{
    loop_free(arg);
    return 0;
}

static void free_running(void *arg)
{
    (void)arg;
    soon(free_it, fixture_loop());
    fixture_pump();
}

static void freeing_a_running_loop_aborts(void)
{
    step("loop_free() in a callback");
    expect_death(SIGABRT, "loop_free()", free_running, NULL);
}

static void *call_soon_there(void *arg)
{
    if (loop_call_soon(arg, note, "x", NULL))
        record("refused");
    return NULL;
}

static void *call_later_there(void *arg)
{
    if (loop_call_later(arg, 1, note, "x", NULL))
        record("refused");
    return NULL;
}

static void in_another_thread(void *(*fn)(void *), void *arg)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, fn, arg) == 0)
        pthread_join(thread, NULL);
}

static void call_soon_from_another_thread(void *loop)
{
    in_another_thread(call_soon_there, loop);
}

static void call_later_from_another_thread(void *loop)
{
    in_another_thread(call_later_there, loop);
}

static void calling_from_another_thread_aborts(void)
{
    step("loop_call_soon() on another thread");
    expect_death(SIGABRT, "another thread", call_soon_from_another_thread,
                 fixture_loop());
    step("loop_call_later() on another thread");
    expect_death(SIGABRT, "another thread", call_later_from_another_thread,
                 fixture_loop());
}

static sem_t it_runs, it_may_end;

static int stay(void *arg)
{
    (void)arg;
    sem_post(&it_runs);
    sem_wait(&it_may_end);
    return 0;
}

static void *run_there(void *arg)
{
    if (loop_run_once(arg) != 1)
        record("it ran something else");
    sem_post(&it_runs); /* it should have been posted long ago */
    return NULL;
}

static void call_while_it_runs_there(void *arg)
{
    pthread_t thread;
    (void)arg;
    soon(stay, NULL);
    sem_init(&it_runs, 0, 0);
    sem_init(&it_may_end, 0, 0);
    if (pthread_create(&thread, NULL, run_there, fixture_loop()) != 0)
        return;
    sem_wait(&it_runs);
    soon(note, "x");
    sem_post(&it_may_end);
    pthread_join(thread, NULL);
}

static void who_made_a_loop_that_runs_elsewhere_is_another_thread(void)
{
    step("another thread runs the loop; loop_call_soon() on the one that made it");
    expect_death(SIGABRT, "another thread", call_while_it_runs_there, NULL);
}

static void *make_there(void *loop)
{
    *(struct task_loop **)loop = loop_new(clock_poller_new());
    return NULL;
}

static void call_what_another_thread_has_made(void *arg)
{
    struct task_loop *loop = NULL;
    (void)arg;
    in_another_thread(make_there, &loop);
    in_another_thread(call_soon_there, loop); /* often in the same memory */
}

static void a_thread_inherits_no_loop_from_one_that_has_ended(void)
{
    step("a thread makes a loop and ends; loop_call_soon() on the next thread");
    expect_death(SIGABRT, "another thread", call_what_another_thread_has_made, NULL);
}

/* --- call_soon and one turn
 * ------------------------------------------------------------------------- */

static void callbacks_run_in_order_and_once(void)
{
    soon(note, "a");
    soon(note, "b");
    soon(note, "c");
    expect_no_trace();
    expect_int(loop_pending(fixture_loop()), 3);
    step("loop_run_once() with three callbacks");
    expect_int(loop_run_once(fixture_loop()), 3);
    expect_trace("a", "b", "c");
    expect_int(loop_pending(fixture_loop()), 0);
    step("loop_run_once() with nothing");
    expect_int(loop_run_once(fixture_loop()), 0);
    expect_no_trace();
}

static void a_ticket_names_its_loop(void)
{
    struct handle h = {0};
    step("loop_call_soon(loop, note, \"a\", &h)");
    expect_ok(loop_call_soon(fixture_loop(), note, "a", &h));
    expect_true("the ticket is one of this loop", h.loop == fixture_loop());
    expect_true("it has no deadline", isnan(handle_when(h)));
    expect_int(loop_pending(fixture_loop()), 1);
}

static void each_callback_has_a_ticket_of_its_own(void)
{
    struct handle a = {0}, b = {0};
    step("two callbacks, two tickets");
    expect_ok(loop_call_soon(fixture_loop(), note, "a", &a));
    expect_ok(loop_call_soon(fixture_loop(), note, "b", &b));
    expect_true("they differ", a.number != b.number);
    expect_int(loop_pending(fixture_loop()), 2);
}

static void what_a_callback_queues_runs_in_the_next_turn(void)
{
    soon(queue_note, "later");
    soon(note, "b");
    step("loop_run_once(), in which a callback queues another one");
    expect_int(loop_run_once(fixture_loop()), 2);
    expect_trace("queueing", "b");
    expect_int(loop_run_once(fixture_loop()), 1);
    expect_trace("later");
}

static int fail(void *arg)
{
    record("failing");
    return *(int *)arg;
}

static void an_error_of_a_callback_is_reported_and_the_batch_goes_on(void)
{
    static int error = ERR_USER;
    soon(note, "a");
    soon(fail, &error);
    soon(note, "b");
    step("loop_run_once() with a callback that answers ERR_USER");
    expect_int(loop_run_once(fixture_loop()), 3);
    expect_trace("a", "failing", "b");
    expect_report("", ERR_USER);
    expect_no_report();
}

static int stop_and_fail(void *arg)
{
    record("fatal");
    loop_stop(fixture_loop());
    return *(int *)arg;
}

static void stopping_and_failing_is_the_fatal_error(void)
{
    static int error = ERR_USER;
    soon(stop_and_fail, &error);
    soon(queue_note, "later");
    step("loop_run_forever() with a callback that stops the loop and answers ERR_USER");
    expect_ok(loop_run_forever(fixture_loop()));
    expect_trace("fatal", "queueing");
    expect_report("", ERR_USER);
    step("the loop can be used again");
    soon(stop, NULL);
    expect_ok(loop_run_forever(fixture_loop()));
    expect_trace("later", "stop");
}

static int positive(void *arg)
{
    (void)arg;
    record("positive");
    return 5;
}

static void only_a_negative_answer_is_an_error(void)
{
    soon(positive, NULL);
    step("a callback that answers 5");
    expect_int(loop_run_once(fixture_loop()), 1);
    expect_trace("positive");
    expect_no_report();
}

static int count_down(void *arg)
{
    int *left = arg;
    if (--*left > 0)
        soon(count_down, arg);
    return 0;
}

static void each_turn_runs_a_snapshot(void)
{
    int left = 5;
    soon(count_down, &left);
    step("a callback that queues itself, five times");
    for (int i = 4; i >= 0; i--) {
        expect_int(loop_run_once(fixture_loop()), 1);
        expect_int(left, i);
    }
    expect_int(loop_run_once(fixture_loop()), 0);
}

static int count(void *arg)
{
    ++*(int *)arg;
    return 0;
}

static void many_callbacks_are_run_in_one_turn(void)
{
    int n = harness_is_slow() ? 5000 : 100000, runs = 0;
    for (int i = 0; i < n; i++)
        soon(count, &runs);
    step("loop_run_once() with 100,000 callbacks");
    expect_int(loop_run_once(fixture_loop()), n);
    expect_int(runs, n);
}

static void a_turn_with_nothing_to_do_sleeps_until_the_first_timer(void)
{
    double begin = fixture_now();
    expect_ok(loop_call_later(fixture_loop(), 3600, note, "timer", NULL));
    step("loop_run_once(), at most five times, with nothing but a timer of an hour");
    for (int i = 0; i < 5 && fixture_now() < begin + 3599; i++)
        expect_true("a turn goes well", loop_run_once(fixture_loop()) >= 0);
    expect_time(fixture_now(), begin + 3600);
    forget_trace(); /* whether it fired is not our question */
}

/* --- run_forever and stop
 * -------------------------------------------------------------------------- */

static void stop_ends_the_run_after_the_turn(void)
{
    soon(note, "a");
    soon(stop, NULL);
    soon(queue_note, "kept");
    step("loop_run_forever() with a, stop, b; b queues another one");
    expect_ok(loop_run_forever(fixture_loop()));
    expect_trace("a", "stop", "queueing");
    step("the next run finds what was kept");
    soon(stop, NULL);
    expect_ok(loop_run_forever(fixture_loop()));
    expect_trace("kept", "stop");
}

static void run_forever_goes_on_until_it_is_stopped(void)
{
    int left = 10;
    struct handle h;
    soon(count_down, &left);
    expect_ok(loop_call_later(fixture_loop(), 3600, stop, NULL, &h));
    double begin = fixture_now();
    step("loop_run_forever() with ten turns of work, and a stop in an hour");
    expect_ok(loop_run_forever(fixture_loop()));
    expect_int(left, 0);
    expect_time(fixture_now(), begin + 3600);
    expect_trace("stop");
}

static void a_stop_before_the_run_leaves_one_turn(void)
{
    double begin = fixture_now();
    soon(queue_note, "kept");
    expect_ok(loop_call_later(fixture_loop(), 3600, note, "timer", NULL));
    loop_stop(fixture_loop());
    loop_stop(fixture_loop());
    step("loop_stop(), twice, then loop_run_forever()");
    expect_ok(loop_run_forever(fixture_loop()));
    expect_trace("queueing");
    expect_time(fixture_now(), begin);
    step("the flag is gone: the next run goes on until it is stopped");
    soon(queue_note, "next turn");
    expect_ok(loop_call_later(fixture_loop(), 60, stop, NULL, NULL));
    expect_ok(loop_run_forever(fixture_loop()));
    expect_trace("kept", "queueing", "next turn", "stop");
}

static void a_stop_before_the_run_does_not_wait(void)
{
    double begin = fixture_now();
    expect_ok(loop_call_later(fixture_loop(), 3600, note, "timer", NULL));
    loop_stop(fixture_loop());
    step("loop_stop(), then loop_run_forever() with nothing but a timer of an hour");
    expect_ok(loop_run_forever(fixture_loop()));
    expect_time(fixture_now(), begin);
    expect_no_trace();
}

static void a_loop_that_nothing_can_wake_says_so(void)
{
    double begin = fixture_now();
    step("loop_run_forever() with nothing to do");
    expect_error(loop_run_forever(fixture_loop()), ERR_DEADLOCK);
    expect_report("", ERR_DEADLOCK);
    expect_no_report();
    expect_true("it does not run any more", !loop_is_running(fixture_loop()));
    expect_time(fixture_now(), begin);
    step("it can be used again");
    soon(stop, NULL);
    expect_ok(loop_run_forever(fixture_loop()));
    expect_trace("stop");
}

static int wait_for_nothing(void *arg, value *ret)
{
    return task_await(arg, ret);
}

static void the_report_of_a_deadlock_names_who_waits(void)
{
    struct future *f = new_future();
    struct task *task;
    expect_ok(task_new(fixture_dispatcher(), wait_for_nothing, f, &task));
    step("loop_run_until_complete() of a task that awaits what nobody will complete");
    expect_error(loop_run_until_complete(fixture_loop(), task_future(task), NULL), ERR_DEADLOCK);
    expect_report("wait_for_nothing", ERR_DEADLOCK);
    expect_no_report();
    expect_true("the task is still pending", !future_done(task_future(task)));
    step("completing the future helps it");
    expect_ok(future_set_result(f, value_int(5)));
    value out;
    expect_ok(loop_run_until_complete(fixture_loop(), task_future(task), &out));
    expect_value(out, value_int(5));
    task_unref(task);
    future_unref(f);
}

static void run_once_with_nothing_to_do_returns_at_once(void)
{
    double begin = fixture_now();
    step("loop_run_once() of an empty loop");
    expect_int(loop_run_once(fixture_loop()), 0);
    expect_time(fixture_now(), begin);
    expect_no_report();
}

/* --- run_until_complete
 * ------------------------------------------------------------------------------ */

static void run_until_complete_answers_the_result(void)
{
    struct future *f = new_future();
    value out = value_int(-77);
    expect_ok(loop_call_later(fixture_loop(), 10, set_five, f, NULL));
    step("loop_run_until_complete(f), which gets 5 in ten seconds");
    expect_ok(loop_run_until_complete(fixture_loop(), f, &out));
    expect_value(out, value_int(5));
    expect_true("it does not run any more", !loop_is_running(fixture_loop()));
    step("once more: it is done");
    expect_ok(loop_run_until_complete(fixture_loop(), f, NULL));
    future_unref(f);
}

static int set_error(void *arg)
{
    return future_set_exception(arg, ERR_USER);
}

static int cancel(void *arg)
{
    expect_true("a pending future can be cancelled", future_cancel(arg));
    return 0;
}

static void run_until_complete_raises_the_error(void)
{
    struct future *f = new_future(), *g = new_future();
    value out = value_int(-77);
    soon(set_error, f);
    step("loop_run_until_complete(f), which fails with ERR_USER");
    expect_error(loop_run_until_complete(fixture_loop(), f, &out), ERR_USER);
    expect_value(out, value_none());
    soon(cancel, g);
    step("loop_run_until_complete(g), which is cancelled");
    expect_error(loop_run_until_complete(fixture_loop(), g, &out), ERR_CANCELLED);
    expect_true("it does not run any more", !loop_is_running(fixture_loop()));
    future_unref(f);
    future_unref(g);
}

static int return_five(void *arg, value *ret)
{
    int error = 0;
    (void)arg;
    for (int i = 0; i < 5 && !error; i++)
        error = task_yield();
    *ret = value_int(5);
    return error;
}

static void run_until_complete_runs_a_task(void)
{
    struct task *task;
    value out;
    expect_ok(task_new(fixture_dispatcher(), return_five, NULL, &task));
    step("loop_run_until_complete() of a task");
    expect_ok(loop_run_until_complete(fixture_loop(), task_future(task), &out));
    expect_value(out, value_int(5));
    task_unref(task);
}

static void a_done_future_costs_one_turn(void)
{
    struct future *f = new_future();
    value out;
    soon(queue_note, "second turn");
    soon(note, "b");
    expect_ok(future_set_result(f, value_int(5)));
    step("loop_run_until_complete() of a done future, with callbacks that are ready");
    expect_ok(loop_run_until_complete(fixture_loop(), f, &out));
    expect_value(out, value_int(5));
    expect_trace("queueing", "b");
    fixture_pump();
    expect_trace("second turn");
    future_unref(f);
}

static void a_stopped_run_leaves_the_future_pending(void)
{
    struct future *f = new_future();
    value out = value_int(-77);
    soon(stop, NULL);
    step("loop_run_until_complete(f), stopped by a callback");
    expect_error(loop_run_until_complete(fixture_loop(), f, &out), ERR_RUNTIME);
    expect_value(out, value_none());
    expect_true("the future is still pending", !future_done(f));
    expect_true("it does not run any more", !loop_is_running(fixture_loop()));
    expect_trace("stop");
    future_unref(f);
}

static void a_stale_stop_ends_the_next_run_too(void)
{
    struct future *f = new_future();
    expect_ok(loop_call_later(fixture_loop(), 10, set_five, f, NULL));
    loop_stop(fixture_loop());
    step("loop_stop(), then loop_run_until_complete(f)");
    expect_error(loop_run_until_complete(fixture_loop(), f, NULL), ERR_RUNTIME);
    expect_true("the future is still pending", !future_done(f));
    step("and again");
    expect_ok(loop_run_until_complete(fixture_loop(), f, NULL));
    future_unref(f);
}

static int queue_stop(void *arg)
{
    (void)arg;
    record("one");
    soon(note, "two");
    expect_ok(loop_call_later(fixture_loop(), 10, stop, NULL, NULL));
    return 0;
}

static void an_abandoned_future_does_not_stop_a_later_run(void)
{
    struct future *f = new_future(), *g = new_future();
    soon(stop, NULL);
    step("loop_run_until_complete(f), stopped");
    expect_error(loop_run_until_complete(fixture_loop(), f, NULL), ERR_RUNTIME);
    step("loop_run_until_complete(g), a deadlock");
    expect_error(loop_run_until_complete(fixture_loop(), g, NULL), ERR_DEADLOCK);
    expect_report("", ERR_DEADLOCK);
    expect_ok(future_set_result(f, value_none()));
    expect_ok(future_set_result(g, value_none()));
    soon(queue_stop, NULL);
    step("loop_run_forever(), with f and g done meanwhile");
    expect_ok(loop_run_forever(fixture_loop()));
    expect_trace("stop", "one", "two", "stop");
    future_unref(f);
    future_unref(g);
}

static int set_and_give_back(void *arg)
{
    struct future *f = arg;
    expect_ok(future_set_result(f, value_int(5)));
    future_unref(f); /* the last one, but for the loop's */
    return 0;
}

static void the_loop_holds_the_future_that_it_runs_for(void)
{
    struct future *f = new_future();
    value out;
    soon(set_and_give_back, f);
    step("loop_run_until_complete(f), whose last reference is given back meanwhile");
    expect_ok(loop_run_until_complete(fixture_loop(), f, &out));
    expect_value(out, value_int(5));
}

/* --- introspection
 * --------------------------------------------------------------------------------- */

static int look(void *arg)
{
    expect_true("the loop is running", loop_is_running(arg));
    expect_true("it is the running loop", loop_running() == arg);
    expect_true("it is not closed", !loop_is_closed(arg));
    record("looked");
    return 0;
}

static void the_loop_knows_its_state(void)
{
    struct task_loop *loop = fixture_loop();
    step("loop_is_running() and the like, outside and in a callback");
    expect_true("it is not running", !loop_is_running(loop));
    expect_true("nobody is", loop_running() == NULL);
    soon(look, loop);
    fixture_pump();
    expect_trace("looked");
    expect_true("it is not running", !loop_is_running(loop));
    expect_true("nobody is", loop_running() == NULL);
    expect_true("it is its dispatcher", loop_from_dispatcher(loop_dispatcher(loop)) == loop);
    expect_true("NULL is no loop", loop_from_dispatcher(NULL) == NULL);
    struct dispatcher other;
    immediate_init(&other);
    expect_true("another dispatcher is no loop", loop_from_dispatcher(&other) == NULL);
    immediate_close(&other);
    expect_true("it has a poller", loop_poller(loop) != NULL);
    expect_ok(loop_close(loop));
    expect_true("it is closed", loop_is_closed(loop));
    expect_true("it is not running", !loop_is_running(loop));
}

/* --- the end
 * ------------------------------------------------------------------------------------------ */

static void closing_drops_what_is_queued(void)
{
    soon(note, "a");
    expect_ok(loop_call_later(fixture_loop(), 0, note, "b", NULL));
    expect_ok(loop_call_later(fixture_loop(), 5, note, "c", NULL));
    step("loop_close() with callbacks and timers");
    expect_ok(loop_close(fixture_loop()));
    expect_no_trace();
    expect_int(loop_pending(fixture_loop()), 0);
    step("and again");
    expect_ok(loop_close(fixture_loop()));
}

static int clean_up(void *arg, value *ret)
{
    int error = task_await(arg, ret);
    record("heard %s", error_name(error));
    return error;
}

static int close_again(void *arg, value *ret)
{
    (void)ret;
    int error = task_yield();
    expect_ok(loop_close(arg));
    expect_error(loop_run_once(arg), ERR_CLOSED);
    expect_error(loop_call_soon(arg, note, "x", NULL), ERR_CLOSED);
    record("closed again");
    return error;
}

static void closing_ends_the_tasks(void)
{
    struct future *f = new_future();
    struct task *a, *b, *c;
    expect_ok(task_new(fixture_dispatcher(), clean_up, f, &a));
    expect_ok(task_new(fixture_dispatcher(), close_again, fixture_loop(), &c));
    fixture_iteration();
    expect_ok(task_new(fixture_dispatcher(), clean_up, f, &b));
    soon(note, "never");
    step("loop_close() with a task that waits, one that is ready, and a new one");
    expect_ok(loop_close(fixture_loop()));
    expect_trace("heard ERR_GENERATOR_EXIT", "closed again", "heard ERR_GENERATOR_EXIT");
    expect_report("destroyed", 0);
    expect_report("destroyed", 0);
    expect_report("destroyed", 0);
    task_unref(a);
    task_unref(b);
    task_unref(c);
    future_unref(f);
}

/* --- no memory
 * -------------------------------------------------------------------------------------- */

static void no_memory_for_a_callback_queues_nothing(void)
{
    struct task_loop *loop = fixture_loop();
    struct handle h;
    bool failed = false;
    int runs = 0, want = 0;
    step("loop_call_soon() without memory, until it works without asking for any");
    for (; want < 2000; want++) {
        fail_allocation(1);
        h = (struct handle){.number = 77};
        int error = loop_call_soon(loop, count, &runs, &h);
        if (allocation_failed()) {
            failed = true;
            expect_error(error, -ENOMEM);
            expect_true("the ticket is for nothing", h.loop == NULL && h.number == 0);
            expect_int(loop_pending(loop), want);
            expect_ok(loop_call_soon(loop, count, &runs, &h));
        } else {
            expect_ok(error);
        }
    }
    expect_true("it asked for memory", failed);
    expect_int(loop_run_once(loop), want);
    expect_int(runs, want);
}

static void running_needs_no_memory(void)
{
    struct future *f = new_future();
    value out;
    soon(set_five, f);
    expect_ok(loop_call_later(fixture_loop(), 5, note, "timer", NULL));
    fail_allocation(1);
    step("loop_run_until_complete(), timers and the close, without memory");
    expect_ok(loop_run_until_complete(fixture_loop(), f, &out));
    expect_value(out, value_int(5));
    fixture_advance(5);
    expect_ok(loop_close(fixture_loop()));
    expect_true("nobody asked for memory", !allocation_failed());
    expect_trace("timer");
    future_unref(f);
}

static const struct check checks[] = {
    /* misuse */
    CHECK(a_callback_must_be_a_function, "H01", "4.1", "4.6"),
    CHECK(a_closed_loop_refuses_everything, "L15 L06", "4.1", "4.8"),
    CHECK(a_loop_does_not_run_inside_a_loop, "L13", "4.8", "4.1 4.6"),
    CHECK(a_loop_does_not_run_inside_a_task, "L13", "4.8", "4.6 4.7"),
    CHECK(a_future_of_another_loop_is_refused, "L12", "4.8", ""),
    CHECK(a_running_loop_cannot_be_closed, "L14", NULL, "4.1 4.6"),
    CHECK(freeing_a_running_loop_aborts, "L14", NULL, "4.1 4.6"),
    CHECK(calling_from_another_thread_aborts, "S40 F25", NULL, ""),
    CHECK(who_made_a_loop_that_runs_elsewhere_is_another_thread, "S40", NULL, "4.1 4.6"),
    CHECK(a_thread_inherits_no_loop_from_one_that_has_ended, "S40", NULL, ""),
    /* call_soon and one turn */
    CHECK(callbacks_run_in_order_and_once, "H02 L18", "4.1", "4.6"),
    CHECK(a_ticket_names_its_loop, "H02", "4.1", ""),
    CHECK(each_callback_has_a_ticket_of_its_own, "H02", "4.1", ""),
    CHECK(what_a_callback_queues_runs_in_the_next_turn, "L02", "4.6", "4.1"),
    CHECK(an_error_of_a_callback_is_reported_and_the_batch_goes_on, "H04", "4.6", "4.1"),
    CHECK(stopping_and_failing_is_the_fatal_error, "H06", "4.6", "4.1 4.7"),
    CHECK(only_a_negative_answer_is_an_error, "H04", "4.6", "4.1"),
    CHECK(each_turn_runs_a_snapshot, "L01 L02", "4.6", "4.1"),
    CHECK(many_callbacks_are_run_in_one_turn, "H02 L18", "4.6", "4.1"),
    CHECK(a_turn_with_nothing_to_do_sleeps_until_the_first_timer, "L01 L04", "4.6", "4.3 4.4"),
    /* run_forever and stop */
    CHECK(stop_ends_the_run_after_the_turn, "L05", "4.7", "4.1 4.6"),
    CHECK(run_forever_goes_on_until_it_is_stopped, "L05", "4.7", "4.1 4.3 4.4 4.6"),
    CHECK(a_stop_before_the_run_leaves_one_turn, "L06", "4.7", "4.1 4.3 4.4 4.5 4.6"),
    CHECK(a_stop_before_the_run_does_not_wait, "L06", "4.7", "4.3 4.4 4.6"),
    CHECK(a_loop_that_nothing_can_wake_says_so, "L04 L16", "4.7", "4.1 4.6"),
    CHECK(the_report_of_a_deadlock_names_who_waits, "L04", "4.8", "4.6 4.7"),
    CHECK(run_once_with_nothing_to_do_returns_at_once, "L18 L04", "4.6", ""),
    /* run_until_complete */
    CHECK(run_until_complete_answers_the_result, "L08", "4.8", "4.3 4.4 4.6 4.7"),
    CHECK(run_until_complete_raises_the_error, "L08", "4.8", "4.1 4.6 4.7"),
    CHECK(run_until_complete_runs_a_task, "L08", "4.8", "4.6 4.7"),
    CHECK(a_done_future_costs_one_turn, "L09", "4.8", "4.1 4.6 4.7"),
    CHECK(a_stopped_run_leaves_the_future_pending, "L10", "4.8", "4.1 4.6 4.7"),
    CHECK(a_stale_stop_ends_the_next_run_too, "L07", "4.8", "4.3 4.4 4.6 4.7"),
    CHECK(an_abandoned_future_does_not_stop_a_later_run, "L10 L11", "4.8", "4.1 4.3 4.4 4.6 4.7"),
    CHECK(the_loop_holds_the_future_that_it_runs_for, "L08", "4.8", "4.1 4.6 4.7"),
    /* introspection */
    CHECK(the_loop_knows_its_state, "L16", NULL, "4.1 4.6"),
    /* the end */
    CHECK(closing_drops_what_is_queued, "L14", NULL, "4.1 4.4 4.5"),
    CHECK(closing_ends_the_tasks, "L14 T32", NULL, "4.1 4.6"),
    /* no memory */
    CHECK(no_memory_for_a_callback_queues_nothing, "H01", "4.1", "4.6"),
    CHECK(running_needs_no_memory, "", "4.8", "4.1 4.3 4.4 4.6 4.7"),
};
SUITE_ON_FIXTURE(loop, 4, checks)

/* --- how it waits
 * ------------------------------------------------------------------------------------ */

/* A poller that notes what it is asked; time stands still unless it is told to sleep. */
struct script {
    struct poller poller;
    struct dispatcher *dispatcher;
    double now;
    double passes;  /* seconds that each poll takes */
    double longest; /* sleeps at most so long, if more than 0: as if a signal came */
    double timeouts[100];
    int polls, closed;
    int answer; /* of poll, if not 0 */
    struct call *event; /* queued by each poll */
};

static int script_bind(struct poller *p, struct dispatcher *d)
{
    struct script *s = (struct script *)(void *)p;
    if (s->dispatcher != NULL)
        return ERR_BUSY;
    s->dispatcher = d;
    d->poller = p;
    return 0;
}

static double script_now(struct poller *p)
{
    return ((struct script *)(void *)p)->now;
}

static int script_poll(struct poller *p, double timeout)
{
    struct script *s = (struct script *)(void *)p;
    if (s->polls < 100)
        s->timeouts[s->polls] = timeout;
    s->polls++;
    if (s->answer)
        return s->answer;
    if (s->event != NULL) {
        int error = dispatcher_soon(s->dispatcher, s->event);
        s->event = NULL;
        return error;
    }
    if (isinf(timeout))
        return ERR_DEADLOCK;
    s->now += s->passes + (s->longest > 0 && timeout > s->longest ? s->longest : timeout);
    return 0;
}

static void script_close(struct poller *p)
{
    ((struct script *)(void *)p)->closed++;
}

static const struct poller_ops script_ops = {
    .bind = script_bind, .now = script_now, .poll = script_poll, .close = script_close};

static struct task_loop *loop;

/* A loop on such a poller. */
static void begin(struct script *s)
{
    s->poller.ops = &script_ops;
    loop = loop_new(&s->poller);
    expect_true("loop_new() makes one", loop != NULL);
}

static void end(struct script *s)
{
    loop_free(loop);
    expect_int(s->closed, 1);
}

static int stop_loop(void *arg)
{
    record("%s", (const char *)arg);
    loop_stop(loop);
    return 0;
}

static void a_loop_needs_a_poller(void)
{
    step("loop_new(NULL)");
    expect_true("it answers NULL", loop_new(NULL) == NULL);
    loop_free(NULL);
}

static void a_poller_serves_one_loop(void)
{
    struct script s = {.now = 100};
    begin(&s);
    errno = 0;
    step("loop_new() with a poller that serves another loop");
    expect_true("it answers NULL", loop_new(&s.poller) == NULL);
    expect_int(errno, EBUSY);
    expect_int(s.closed, 1); /* it was handed over */
    s.closed = 0;
    end(&s);
}

static void no_memory_for_a_loop_closes_the_poller(void)
{
    struct script s = {.poller.ops = &script_ops};
    errno = 0;
    fail_allocation(1);
    step("loop_new() without memory");
    expect_true("it answers NULL", loop_new(&s.poller) == NULL);
    expect_int(errno, ENOMEM);
    expect_true("it asked for memory", allocation_failed());
    expect_int(s.closed, 1);
}

static void freeing_closes_the_poller_once(void)
{
    struct script s = {.now = 100};
    begin(&s);
    step("loop_close(), twice, and loop_free()");
    expect_ok(loop_close(loop));
    expect_ok(loop_close(loop));
    expect_int(s.closed, 1);
    end(&s);
}

static int note_event(struct call *call)
{
    (void)call;
    record("event");
    return 0;
}

static void one_turn_is_ready_then_events_then_timers(void)
{
    struct script s = {.now = 100};
    struct call event = {.fn = note_event};
    begin(&s);
    s.event = &event;
    expect_ok(loop_call_later(loop, 0, note, "timer", NULL));
    expect_ok(loop_call_soon(loop, note, "ready", NULL));
    step("loop_run_once() with a callback, an event and a timer");
    expect_int(loop_run_once(loop), 3);
    expect_trace("ready", "event", "timer");
    expect_int(s.polls, 1);
    end(&s);
}

static void a_busy_loop_does_not_ask_a_quiet_poller(void)
{
    struct script s = {.now = 100, .poller.quiet = true};
    struct call event = {.fn = note_event};
    begin(&s);
    expect_ok(loop_call_soon(loop, note, "a", NULL));
    step("loop_run_once() with a callback, and a poller that says that it has nothing");
    expect_int(loop_run_once(loop), 1);
    expect_int(s.polls, 0);
    step("the same, after somebody had news for the poller");
    s.event = &event;
    s.poller.quiet = false;
    expect_ok(loop_call_soon(loop, note, "b", NULL));
    expect_int(loop_run_once(loop), 2);
    expect_int(s.polls, 1);
    step("loop_run_once() with nothing to do, and a quiet poller: it can wait, so it is asked");
    s.poller.quiet = true;
    expect_int(loop_run_once(loop), 0);
    expect_int(s.polls, 2);
    expect_trace("a", "b", "event");
    end(&s);
}

static void a_turn_waits_no_longer_than_it_may(void)
{
    struct script s = {.now = 100};
    begin(&s);
    expect_ok(loop_call_later(loop, 30, note, "30", NULL));
    expect_ok(loop_call_later(loop, 10, note, "10", NULL));
    expect_ok(loop_call_soon(loop, note, "ready", NULL));
    step("a turn with something ready only looks");
    expect_int(loop_run_once(loop), 1);
    expect_time(s.timeouts[0], 0);
    step("one with timers waits for the first deadline");
    expect_int(loop_run_once(loop), 1);
    expect_time(s.timeouts[1], 10);
    expect_int(loop_run_once(loop), 1);
    expect_time(s.timeouts[2], 20);
    expect_trace("ready", "10", "30");
    step("one whose timer is overdue only looks");
    expect_ok(loop_call_at(loop, 50, note, "overdue", NULL));
    expect_int(loop_run_once(loop), 1);
    expect_time(s.timeouts[3], 0);
    expect_trace("overdue");
    step("one with nothing waits for ever");
    expect_int(loop_run_once(loop), 0);
    expect_true("it asks for ever", isinf(s.timeouts[4]) && s.timeouts[4] > 0);
    expect_int(s.polls, 5);
    end(&s);
}

static void a_cancelled_timer_does_not_wake_the_loop(void)
{
    struct script s = {.now = 100};
    struct handle first, second;
    begin(&s);
    expect_ok(loop_call_later(loop, 10, note, "10", &first));
    expect_ok(loop_call_later(loop, 20, note, "20", &second));
    expect_ok(loop_call_later(loop, 30, note, "30", NULL));
    expect_true("it can be cancelled", handle_cancel(first));
    step("the wait when the first of three timers is cancelled");
    expect_int(loop_run_once(loop), 1);
    expect_time(s.timeouts[0], 20);
    expect_trace("20");
    end(&s);
}

static void a_stopping_loop_does_not_wait(void)
{
    struct script s = {.now = 100};
    begin(&s);
    expect_ok(loop_call_later(loop, 10, note, "10", NULL));
    loop_stop(loop);
    step("loop_run_forever() of a loop that was stopped before");
    expect_ok(loop_run_forever(loop));
    expect_int(s.polls, 1);
    expect_time(s.timeouts[0], 0);
    expect_no_trace();
    end(&s);
}

static void an_idle_loop_asks_once_and_for_ever(void)
{
    struct script s = {.now = 100};
    begin(&s);
    loop_set_exception_handler(loop, NULL, NULL);
    step("loop_run_once() of an idle loop");
    expect_int(loop_run_once(loop), 0);
    expect_int(s.polls, 1);
    end(&s);
}

static void an_event_wakes_an_idle_loop(void)
{
    struct script s = {.now = 100};
    struct call event = {.fn = note_event};
    begin(&s);
    s.event = &event;
    step("loop_run_once() of an idle loop, and an event comes");
    expect_int(loop_run_once(loop), 1);
    expect_int(s.polls, 1);
    expect_true("it had asked for ever", isinf(s.timeouts[0]));
    expect_trace("event");
    end(&s);
}

static int again(void *arg)
{
    int *left = arg;
    if (--*left > 0)
        expect_ok(loop_call_soon(loop, again, arg, NULL));
    return 0;
}

static void there_is_a_poll_between_a_callback_and_what_it_queues(void)
{
    struct script s = {.now = 100, .passes = 1};
    struct call event = {.fn = note_event};
    int left = 10;
    begin(&s);
    expect_ok(loop_call_soon(loop, again, &left, NULL));
    expect_ok(loop_call_later(loop, 4.5, note, "timer", NULL));
    step("a callback that queues itself; each poll takes a second");
    for (int i = 0; i < 3; i++)
        expect_int(loop_run_once(loop), 1);
    expect_int(s.polls, 3);
    expect_no_trace();
    step("it cannot starve events");
    s.event = &event; /* this poll takes no time */
    expect_int(loop_run_once(loop), 2);
    expect_trace("event");
    step("nor timers");
    expect_int(loop_run_once(loop), 1);
    expect_int(loop_run_once(loop), 2);
    expect_trace("timer");
    end(&s);
}

static void a_wait_that_ends_early_is_repeated(void)
{
    struct script s = {.now = 100, .longest = 3};
    begin(&s);
    expect_ok(loop_call_later(loop, 10, stop_loop, "timer", NULL));
    step("loop_run_forever() with a timer of 10 seconds; each sleep is interrupted after 3");
    expect_ok(loop_run_forever(loop));
    expect_time(s.now, 110);
    expect_int(s.polls, 4);
    expect_time(s.timeouts[3], 1);
    expect_trace("timer");
    end(&s);
}

static void an_error_of_the_poller_ends_the_run(void)
{
    struct script s = {.now = 100};
    begin(&s);
    s.answer = -EIO;
    expect_ok(loop_call_soon(loop, note, "kept", NULL));
    step("loop_run_…() with a poller that answers -EIO");
    expect_error(loop_run_once(loop), -EIO);
    expect_error(loop_run_forever(loop), -EIO);
    expect_true("it does not run any more", !loop_is_running(loop) && loop_running() == NULL);
    expect_no_trace();
    step("it can be used again");
    s.answer = 0;
    expect_int(loop_run_once(loop), 1);
    expect_trace("kept");
    end(&s);
}

static void an_error_of_the_poller_ends_the_run_for_a_future(void)
{
    struct script s = {.now = 100};
    begin(&s);
    s.answer = -EIO;
    struct future *f = future_new(loop_dispatcher(loop));
    step("loop_run_until_complete() with a poller that answers -EIO");
    expect_error(loop_run_until_complete(loop, f, NULL), -EIO);
    expect_true("it does not run any more", !loop_is_running(loop) && loop_running() == NULL);
    expect_true("the future is still pending", !future_done(f));
    future_unref(f);
    end(&s);
}

static int event_that_stops(struct call *call)
{
    (void)call;
    record("event");
    loop_stop(loop);
    return 0;
}

static void an_event_of_a_stopped_turn_is_called_once(void)
{
    struct script s = {.now = 100};
    struct call event = {.fn = event_that_stops};
    begin(&s);
    s.event = &event;
    step("loop_run_forever(), stopped by the callback of an event");
    expect_ok(loop_run_forever(loop));
    expect_trace("event");
    step("the next run");
    expect_ok(loop_call_soon(loop, stop_loop, "stop", NULL));
    expect_ok(loop_run_forever(loop));
    expect_trace("stop");
    end(&s);
}

/* --- problems
 * ---------------------------------------------------------------------------------------- */

static int answer(void *arg)
{
    return *(int *)arg;
}

static int handle_problem(const struct problem *problem, void *arg)
{
    record("handler: %s", error_name(problem->error));
    return *(int *)arg;
}

/* What a turn of the loop prints to standard error. */
static void turn_prints(char *text, size_t size)
{
    FILE *file = tmpfile();
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    if (file == NULL || saved < 0 || dup2(fileno(file), STDERR_FILENO) < 0)
        skip("needs a temporary file");
    int ran = loop_run_once(loop);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    size_t n = fread(text, 1, size - 1, file);
    text[n] = '\0';
    fclose(file);
    expect_true("the turn goes well", ran > 0);
}

static void problems_are_printed_if_nobody_handles_them(void)
{
    static int error = ERR_BUSY;
    struct script s = {.now = 100};
    char text[500];
    begin(&s);
    expect_ok(loop_call_soon(loop, answer, &error, NULL));
    step("a callback that answers ERR_BUSY, on a loop without exception handler");
    turn_prints(text, sizeof text);
    expect_text(text, "ERR_BUSY");
    end(&s);
}

static void the_exception_handler_hears_of_problems(void)
{
    static int error = ERR_BUSY, fine = 0;
    struct script s = {.now = 100};
    char text[500];
    begin(&s);
    loop_set_exception_handler(loop, handle_problem, &fine);
    expect_ok(loop_call_soon(loop, answer, &error, NULL));
    expect_ok(loop_call_soon(loop, note, "next", NULL));
    step("a callback that answers ERR_BUSY, on a loop with an exception handler");
    turn_prints(text, sizeof text);
    expect_trace("handler: ERR_BUSY", "next");
    expect_str(text, "");
    end(&s);
}

static void a_handler_that_fails_does_not_harm_the_loop(void)
{
    static int error = ERR_BUSY, failure = ERR_VALUE;
    struct script s = {.now = 100};
    char text[500];
    begin(&s);
    loop_set_exception_handler(loop, handle_problem, &failure);
    expect_ok(loop_call_soon(loop, answer, &error, NULL));
    expect_ok(loop_call_soon(loop, note, "next", NULL));
    step("an exception handler that answers an error itself");
    turn_prints(text, sizeof text);
    expect_trace("handler: ERR_BUSY", "next");
    expect_text(text, "ERR_BUSY");
    step("the handler is taken back");
    loop_set_exception_handler(loop, NULL, NULL);
    expect_ok(loop_call_soon(loop, answer, &error, NULL));
    turn_prints(text, sizeof text);
    expect_no_trace();
    expect_text(text, "ERR_BUSY");
    end(&s);
}

/* --- life times
 * ---------------------------------------------------------------------------------------- */

static int note_done(struct future *f, void *arg)
{
    (void)f;
    record("%s", (const char *)arg);
    return 0;
}

static void a_future_may_outlive_its_loop(void)
{
    struct script s = {.now = 100};
    char text[100];
    value out;
    begin(&s);
    struct future *f = future_new(loop_dispatcher(loop)), *g = future_new(loop_dispatcher(loop));
    struct future *failed = future_new(loop_dispatcher(loop));
    expect_ok(future_add_done_callback(g, note_done, "never"));
    expect_ok(future_set_exception(failed, ERR_USER));
    end(&s);
    step("future_set_result() after loop_free()");
    expect_ok(future_set_result(f, value_int(5)));
    expect_error(future_set_result(g, value_int(6)), ERR_CLOSED);
    expect_ok(future_result(f, &out));
    expect_value(out, value_int(5));
    expect_ok(future_result(g, &out));
    expect_value(out, value_int(6));
    future_describe(f, text, sizeof text);
    expect_str(text, "finished result=5");
    step("giving the last references back");
    future_unref(f);
    future_unref(g);
    future_unref(failed); /* whom could it be told to? */
    expect_no_trace();
}

static int await_arg(void *arg, value *ret)
{
    return task_await(arg, ret);
}

static int swallow(const struct problem *problem, void *arg)
{
    (void)problem, (void)arg;
    return 0;
}

static void a_task_may_outlive_its_loop(void)
{
    struct script s = {.now = 100};
    struct task *task;
    begin(&s);
    loop_set_exception_handler(loop, swallow, NULL);
    struct future *f = future_new(loop_dispatcher(loop));
    expect_ok(task_new(loop_dispatcher(loop), await_arg, f, &task));
    expect_int(loop_run_once(loop), 1);
    end(&s);
    step("task_unref() after loop_free()");
    expect_true("the task is done", future_done(task_future(task)));
    expect_error(future_result(task_future(task), NULL), ERR_GENERATOR_EXIT);
    expect_true("it cannot be cancelled", !task_cancel(task));
    task_unref(task);
    future_unref(f);
}

static void loops_do_not_know_of_each_other(void)
{
    struct script s = {.now = 100}, t = {.now = 200};
    begin(&t);
    struct task_loop *other = loop;
    begin(&s);
    expect_ok(loop_call_soon(other, note, "other", NULL));
    expect_ok(loop_call_soon(loop, note, "this", NULL));
    step("loop_run_once() of each of two loops");
    expect_int(loop_run_once(loop), 1);
    expect_trace("this");
    expect_time(loop_time(loop), 100);
    expect_time(loop_time(other), 200);
    expect_int(loop_run_once(other), 1);
    expect_trace("other");
    loop_free(other);
    expect_int(s.closed, 0);
    end(&s);
}

static void the_plain_clock_knows_only_time(void)
{
    struct poller *p = clock_poller_new();
    struct task_loop *own = loop_new(p);
    expect_true("loop_new(clock_poller_new()) makes one", own != NULL);
    loop_set_exception_handler(own, swallow, NULL);
    step("loop_run_forever() on the plain clock with nothing to do");
    expect_error(loop_run_forever(own), ERR_DEADLOCK);
    step("loop_run_once() with a timer of a millisecond");
    double before = loop_time(own), slept = 0;
    expect_ok(loop_call_later(own, 0.001, note, "timer", NULL));
    while (slept < 0.001 && loop_pending(own) > 0) {
        expect_true("a turn goes well", loop_run_once(own) >= 0);
        slept = loop_time(own) - before;
    }
    expect_trace("timer");
    expect_true("it did not fire early", slept >= 0.001);
    loop_free(own);
}

static const struct check poller_checks[] = {
    /* misuse */
    CHECK(a_loop_needs_a_poller, "", NULL, ""),
    CHECK(a_poller_serves_one_loop, "", NULL, ""),
    CHECK(no_memory_for_a_loop_closes_the_poller, "", NULL, ""),
    CHECK(freeing_closes_the_poller_once, "L14", NULL, ""),
    /* how it waits */
    CHECK(one_turn_is_ready_then_events_then_timers, "L01", "4.6", "4.1 4.3 4.4"),
    CHECK(a_busy_loop_does_not_ask_a_quiet_poller, "L01", "4.6", "4.1"),
    CHECK(a_turn_waits_no_longer_than_it_may, "L01 L04", "4.6", "4.1 4.3 4.4 4.5"),
    CHECK(a_cancelled_timer_does_not_wake_the_loop, "D05", "4.2", "4.3 4.4 4.5 4.6"),
    CHECK(a_stopping_loop_does_not_wait, "L06", "4.7", "4.3 4.4 4.6"),
    CHECK(an_idle_loop_asks_once_and_for_ever, "L04 L18", "4.6", ""),
    CHECK(an_event_wakes_an_idle_loop, "L04", "4.6", ""),
    CHECK(there_is_a_poll_between_a_callback_and_what_it_queues, "L02 L03", "4.6", "4.1 4.3 4.4"),
    CHECK(a_wait_that_ends_early_is_repeated, "D02 S11", "4.7", "4.3 4.4 4.6"),
    CHECK(an_error_of_the_poller_ends_the_run, "L16", "4.7", "4.1 4.6"),
    CHECK(an_error_of_the_poller_ends_the_run_for_a_future, "L16", "4.8", "4.6 4.7"),
    CHECK(an_event_of_a_stopped_turn_is_called_once, "L17", "4.7", "4.1 4.6"),
    /* problems */
    CHECK(problems_are_printed_if_nobody_handles_them, "H04", NULL, "4.1 4.6"),
    CHECK(the_exception_handler_hears_of_problems, "H04", NULL, "4.1 4.6"),
    CHECK(a_handler_that_fails_does_not_harm_the_loop, "H05", NULL, "4.1 4.6"),
    /* life times */
    CHECK(a_future_may_outlive_its_loop, "F23", NULL, ""),
    CHECK(a_task_may_outlive_its_loop, "T32", NULL, "4.6"),
    CHECK(loops_do_not_know_of_each_other, "L12", NULL, "4.1 4.6"),
    CHECK(the_plain_clock_knows_only_time, "L04 D02", NULL, "4.3 4.4 4.6 4.7"),
};
SUITE(loop_on_a_poller, 4, poller_checks)
