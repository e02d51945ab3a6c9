/*
 * future.h: a result that is not there yet, and callbacks that wait for it. Awaiting one is a
 * matter of tasks: test_task.c.
 */
#include "future.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "future_impl.h"
#include "harness.h"

static struct future *new_future(void)
{
    struct future *f = future_new(fixture_dispatcher());
    expect_true("future_new() makes one", f != NULL);
    return f;
}

static int note(struct future *f, void *arg)
{
    (void)f;
    record("%s", (const char *)arg);
    return 0;
}

static int count(struct future *f, void *arg)
{
    (void)f;
    ++*(int *)arg;
    return 0;
}

/*
 * Somebody who waits, as the inside of the library does: without future_add_done_callback(), which
 * is an exercise of its own. He holds no reference.
 */
struct waiter {
    struct future_waiter waiter;
    const char *name;
    struct future **gives_back; /* a reference that he gives back when he is called */
};

static int call_waiter(struct call *call)
{
    struct waiter *w = CONTAINER_OF(call, struct waiter, waiter.call);
    record("%s", w->name);
    if (w->gives_back != NULL) {
        future_unref(*w->gives_back);
        *w->gives_back = NULL;
    }
    return 0;
}

static void drop_waiter(struct call *call)
{
    record("%s dropped", CONTAINER_OF(call, struct waiter, waiter.call)->name);
}

static struct waiter new_waiter(const char *name)
{
    return (struct waiter){.waiter.call.fn = call_waiter, .name = name};
}

/* What a future tells of itself: read without asking for its result. */
#define expect_told(f, want) \
    do { \
        char told[200]; \
        future_describe(f, told, sizeof told); \
        expect_str(told, want); \
    } while (false)

/* Suites may give ERR_USER another name. */
#define expect_told_error(f, error) \
    do { \
        char wanted[100]; \
        snprintf(wanted, sizeof wanted, "finished exception=%s", error_name(error)); \
        expect_told(f, wanted); \
    } while (false)

/* A value that must have been overwritten. */
static value old(void)
{
    return value_int(-77);
}

/* --- misuse ----------------------------------------------------------------------------------- */

static void unref_twice(void *arg)
{
    struct future *f = future_new(arg);
    future_unref(f);
    future_unref(f);
}

static void a_reference_that_is_given_back_twice_is_said(void)
{
    if (harness_is_sanitized())
        skip("sanitizers report a use of freed memory in their own way");
    step("future_unref() of a future that is gone");
    expect_death(SIGABRT, "future_unref()", unref_twice, fixture_dispatcher());
}

static void asking_a_pending_future_is_an_invalid_state(void)
{
    struct future *f = new_future();
    value out = old();
    int error = -77;
    step("future_result() of a pending future");
    expect_error(future_result(f, &out), ERR_INVALID_STATE);
    expect_value(out, value_none());
    expect_error(future_result(f, NULL), ERR_INVALID_STATE);
    step("future_exception() of a pending future");
    expect_error(future_exception(f, &error), ERR_INVALID_STATE);
    expect_int(error, 0);
    expect_true("it is still pending", !future_done(f));
    future_unref(f);
}

static void a_second_result_is_refused(void)
{
    struct future *f = new_future();
    expect_ok(future_set_result(f, value_int(1)));
    step("future_set_result(f, 2) after future_set_result(f, 1)");
    expect_error(future_set_result(f, value_int(2)), ERR_INVALID_STATE);
    step("future_set_exception(f, ERR_USER) after it");
    expect_error(future_set_exception(f, ERR_USER), ERR_INVALID_STATE);
    expect_told(f, "finished result=1");
    future_unref(f);
}

static void a_result_after_an_error_is_refused(void)
{
    struct future *f = new_future();
    expect_ok(future_set_exception(f, ERR_USER));
    step("future_set_result(f, 2) after future_set_exception(f, ERR_USER)");
    expect_error(future_set_result(f, value_int(2)), ERR_INVALID_STATE);
    expect_error(future_set_exception(f, ERR_BUSY), ERR_INVALID_STATE);
    expect_told_error(f, ERR_USER);
    future_unref(f);
    expect_report("never retrieved", ERR_USER);
}

static void a_result_after_a_cancel_is_refused(void)
{
    struct future *f = new_future();
    expect_true("future_cancel() of a pending one answers true", future_cancel(f));
    step("future_set_result(f, 2) after future_cancel(f)");
    expect_error(future_set_result(f, value_int(2)), ERR_INVALID_STATE);
    expect_error(future_set_exception(f, ERR_USER), ERR_INVALID_STATE);
    expect_true("it is still cancelled", future_cancelled(f));
    future_unref(f);
}

static void a_refused_result_calls_nobody_again(void)
{
    struct future *f = new_future();
    struct waiter w = new_waiter("called");
    expect_ok(future_wait(f, &w.waiter));
    expect_ok(future_set_result(f, value_int(1)));
    step("future_set_result(f, 2), before whoever waits for f has been called");
    expect_error(future_set_result(f, value_int(2)), ERR_INVALID_STATE);
    expect_int(fixture_pump(), 1);
    expect_trace("called");
    step("future_set_result(f, 3), after it");
    expect_error(future_set_result(f, value_int(3)), ERR_INVALID_STATE);
    expect_int(fixture_pump(), 0);
    expect_no_trace();
    future_unref(f);
}

/* A future whose outcome is nobody's business but its own: as a task is. */
static struct future *new_private_future(void)
{
    static const struct future_ops ops = {.is_task = true};
    struct future *f = malloc(sizeof *f);
    expect_true("there is memory", f != NULL);
    future_init(f, &ops, fixture_dispatcher());
    return f;
}

static void a_task_takes_no_result_from_outside(void)
{
    struct future *f = new_private_future();
    step("future_set_result(f, 1), where f is a task");
    expect_error(future_set_result(f, value_int(1)), ERR_RUNTIME);
    expect_true("it is still pending", !future_done(f));
    future_unref(f);
}

static void a_task_that_is_done_takes_no_result_either(void)
{
    struct future *f = new_private_future();
    expect_ok(future_finish(f, 0, value_int(1)));
    step("future_set_result(f, 2), where f is a task that is done");
    expect_error(future_set_result(f, value_int(2)), ERR_RUNTIME);
    expect_told(f, "finished result=1");
    future_unref(f);
}

static void an_exception_must_be_an_error(void)
{
    struct future *f = new_future();
    step("future_set_exception(f, 0)");
    expect_error(future_set_exception(f, 0), ERR_TYPE);
    step("future_set_exception(f, 5)");
    expect_error(future_set_exception(f, 5), ERR_TYPE);
    expect_true("it is still pending", !future_done(f));
    future_unref(f);
}

static void the_state_is_looked_at_before_the_argument(void)
{
    struct future *f = new_future();
    expect_ok(future_set_exception(f, ERR_USER));
    step("future_set_exception(f, 0) of a finished one");
    expect_error(future_set_exception(f, 0), ERR_INVALID_STATE);
    (void)future_cancel(f); /* nobody wants to hear of ERR_USER */
    future_unref(f);
}

static void a_done_callback_must_be_a_function(void)
{
    struct future *f = new_future();
    step("future_add_done_callback(f, NULL, NULL)");
    expect_error(future_add_done_callback(f, NULL, NULL), ERR_VALUE);
    future_unref(f);
}

static void new_without_dispatcher(void *arg)
{
    (void)arg;
    future_unref(future_new(NULL));
}

static void a_future_needs_a_dispatcher(void)
{
    step("future_new(NULL)");
    expect_death(SIGABRT, "future_new()", new_without_dispatcher, NULL);
}

static void no_future_is_a_reference_too(void)
{
    step("future_ref(NULL), future_unref(NULL)");
    expect_true("future_ref(NULL) is NULL", future_ref(NULL) == NULL);
    future_unref(NULL);
}

/* --- states ----------------------------------------------------------------------------------- */

static void a_new_future_is_pending(void)
{
    struct future *f = new_future();
    step("future_new()");
    expect_true("it is not done", !future_done(f));
    expect_true("it is not cancelled", !future_cancelled(f));
    expect_true("it knows its dispatcher", future_dispatcher(f) == fixture_dispatcher());
    expect_int(fixture_pump(), 0);
    future_unref(f);
}

static void a_value_can_hold_a_future(void)
{
    struct future *f = new_future();
    step("value_as_future(value_future(f))");
    expect_true("it is f", value_as_future(value_future(f)) == f);
    expect_true("an int holds no future", value_as_future(value_int(1)) == NULL);
    expect_true("None holds no future", value_as_future(value_none()) == NULL);
    future_unref(f);
}

static void a_result_makes_it_done(void)
{
    struct future *f = new_future();
    step("future_set_result(f, 5)");
    expect_ok(future_set_result(f, value_int(5)));
    expect_true("it is done", future_done(f));
    expect_true("it is not cancelled", !future_cancelled(f));
    future_unref(f);
}

static void the_result_is_what_was_set(void)
{
    struct future *f = new_future(), *g = new_future();
    step("future_set_result(f, 5)");
    expect_ok(future_set_result(f, value_int(5)));
    expect_told(f, "finished result=5");
    step("future_set_result(g, 'text')");
    expect_ok(future_set_result(g, value_str("text")));
    expect_told(g, "finished result='text'");
    future_unref(f);
    future_unref(g);
}

static void a_result_that_is_a_future_is_kept_as_it_is(void)
{
    struct future *f = new_future(), *inner = new_future();
    step("future_set_result(f, inner), where inner is pending");
    expect_ok(future_set_result(f, value_future(inner)));
    expect_true("f is done", future_done(f));
    expect_told(f, "finished result=<future>");
    expect_true("inner is pending", !future_done(inner));
    future_unref(f);
    future_unref(inner);
}

static void a_result_set_unless_cancelled_is_a_result(void)
{
    struct future *f = new_future();
    step("future_set_result_unless_cancelled(f, 5) of a pending one");
    expect_ok(future_set_result_unless_cancelled(f, value_int(5)));
    expect_told(f, "finished result=5");
    future_unref(f);
}

static void a_result_can_be_asked_for_again_and_again(void)
{
    struct future *f = new_future();
    value out = old();
    int error = -77;
    expect_ok(future_finish(f, 0, value_str("five")));
    step("future_result(f) twice, where f is done with 'five'");
    expect_ok(future_result(f, &out));
    expect_value(out, value_str("five"));
    out = old();
    expect_ok(future_result(f, &out));
    expect_value(out, value_str("five"));
    expect_ok(future_result(f, NULL));
    step("future_exception(f)");
    expect_ok(future_exception(f, &error));
    expect_int(error, 0);
    future_unref(f);
}

static void none_is_a_result_like_others(void)
{
    struct future *f = new_future();
    value out = old();
    expect_ok(future_finish(f, 0, value_none()));
    step("future_result(f), where f is done with None");
    expect_ok(future_result(f, &out));
    expect_value(out, value_none());
    future_unref(f);
}

static void an_error_is_raised_again_and_again(void)
{
    struct future *f = new_future();
    value out = old();
    int error = 0;
    expect_ok(future_set_exception(f, ERR_USER));
    expect_true("it is done", future_done(f));
    expect_true("it is not cancelled", !future_cancelled(f));
    step("future_result(f) twice, after future_set_exception(f, ERR_USER)");
    expect_error(future_result(f, &out), ERR_USER);
    expect_value(out, value_none());
    expect_error(future_result(f, &out), ERR_USER);
    step("future_exception(f)");
    expect_ok(future_exception(f, &error));
    expect_int(error, ERR_USER);
    future_unref(f);
}

static void cancelling_a_pending_future_ends_it(void)
{
    struct future *f = new_future();
    step("future_cancel(f)");
    expect_true("it answers true", future_cancel(f));
    expect_true("the future is done", future_done(f));
    expect_true("the future is cancelled", future_cancelled(f));
    future_unref(f);
}

static void cancelling_a_future_twice_answers_false(void)
{
    struct future *f = new_future();
    struct waiter w = new_waiter("called");
    expect_ok(future_wait(f, &w.waiter));
    expect_true("the first cancel answers true", future_cancel(f));
    step("future_cancel(f) again");
    expect_true("it answers false", !future_cancel(f));
    fixture_pump();
    expect_true("and later too", !future_cancel(f));
    expect_int(fixture_pump(), 0);
    expect_trace("called");
    future_unref(f);
}

static void cancelling_a_finished_future_changes_nothing(void)
{
    struct future *f = new_future(), *g = new_future();
    expect_ok(future_set_exception(f, ERR_USER));
    expect_ok(future_set_exception(g, ERR_USER));
    step("future_cancel(f) after future_set_exception(f, ERR_USER)");
    expect_true("it answers false", !future_cancel(f));
    expect_true("it is not cancelled", !future_cancelled(f));
    expect_told_error(f, ERR_USER);
    future_unref(f);
    expect_told_error(g, ERR_USER);
    future_unref(g);
    expect_report("never retrieved", ERR_USER); /* of g, which nobody cancelled */
}

static void a_cancelled_future_answers_cancelled(void)
{
    struct future *f = new_future();
    value out = old();
    int error = -77;
    expect_true("future_cancel() of a pending one answers true", future_cancel(f));
    step("future_result() of a cancelled future");
    expect_error(future_result(f, &out), ERR_CANCELLED);
    expect_value(out, value_none());
    step("future_exception() of a cancelled future");
    expect_error(future_exception(f, &error), ERR_CANCELLED);
    expect_int(error, 0);
    future_unref(f);
}

static void setting_unless_cancelled_is_quiet_on_a_cancelled_future(void)
{
    struct future *f = new_future(), *g = new_future();
    expect_true("future_cancel() of a pending one answers true", future_cancel(f));
    step("future_set_result_unless_cancelled(f, 1) of a cancelled future");
    expect_ok(future_set_result_unless_cancelled(f, value_int(1)));
    expect_true("it stays cancelled", future_cancelled(f));
    step("future_set_result_unless_cancelled(g, 1), twice, of a pending one");
    expect_ok(future_set_result_unless_cancelled(g, value_int(1)));
    expect_error(future_set_result_unless_cancelled(g, value_int(2)), ERR_INVALID_STATE);
    future_unref(f);
    future_unref(g);
}

static void expect_description(const struct future *f, const char *want)
{
    char text[200];
    step("future_describe(f)");
    int length = future_describe(f, text, sizeof text);
    expect_str(text, want);
    expect_int(length, strlen(want));
    expect_int(future_describe(f, text, 4), strlen(want));
    expect_int(strlen(text), 3);
    expect_int(future_describe(f, NULL, 0), strlen(want));
}

static void a_description_tells_the_state(void)
{
    struct future *f = new_future(), *g = new_future(), *h = new_future();
    expect_description(f, "pending");
    expect_ok(future_set_exception(f, ERR_BUSY));
    expect_description(f, "finished exception=ERR_BUSY");
    (void)future_cancel(f);
    expect_ok(future_finish(g, 0, value_int(5)));
    expect_description(g, "finished result=5");
    expect_true("future_cancel() of a pending one answers true", future_cancel(h));
    expect_description(h, "cancelled");
    future_unref(f);
    future_unref(g);
    future_unref(h);
}

static void a_future_that_holds_itself_can_be_described(void)
{
    struct future *f = new_future();
    char text[200];
    expect_ok(future_finish(f, 0, value_future(f)));
    step("future_describe() of a future whose result is itself");
    expect_true("it ends", future_describe(f, text, sizeof text) > 0);
    expect_text(text, "finished result=");
    expect_true("a value can be described too",
                value_format(value_future(f), text, sizeof text) > 0);
    future_unref(f);
}

/*
 * A kind of future that passes cancels on, as tasks do, and does with them what it is told. The
 * memory is the check's.
 */
struct passing {
    struct future future;
    const char *name;
    struct future *next;
    bool refuses;
};

static bool note_cancel(struct future *f, bool alone)
{
    struct passing *p = (struct passing *)(void *)f;
    record("%s %s%s", p->name, p->refuses ? "refuses" : "takes it", alone ? ", alone" : "");
    return !p->refuses;
}

static struct future *next_to_cancel(struct future *f)
{
    return ((struct passing *)(void *)f)->next;
}

static void keep_memory(struct future *f)
{
    (void)f;
}

static void init_passing(struct passing *p, const char *name, struct future *next)
{
    static const struct future_ops ops = {
        .cancel = note_cancel, .cancel_next = next_to_cancel, .destroy = keep_memory};
    future_init(&p->future, &ops, fixture_dispatcher());
    p->name = name;
    p->next = next;
    p->refuses = false;
}

static void a_cancel_goes_to_the_last_of_a_chain(void)
{
    struct passing a, b, c;
    init_passing(&c, "c", NULL);
    init_passing(&b, "b", &c.future);
    init_passing(&a, "a", &b.future);
    for (unsigned n = 1; n <= 2; n++) {
        step("future_cancel(a), which passes it on to b, which passes it on to c");
        expect_true("it answers true", future_cancel(&a.future));
        expect_trace("c takes it");
        expect_int(a.future.cancels, n);
        expect_int(b.future.cancels, n);
        expect_int(c.future.cancels, n);
    }
    step("future_cancel(c), to which nobody passes it on");
    expect_true("it answers true", future_cancel(&c.future));
    expect_trace("c takes it");
    expect_int(b.future.cancels, 2);
    expect_int(c.future.cancels, 3);
    future_unref(&a.future);
    future_unref(&b.future);
    future_unref(&c.future);
}

static void a_cancel_stops_before_one_that_is_done(void)
{
    struct passing a, b;
    struct future *done = new_future();
    expect_ok(future_finish(done, 0, value_none()));
    init_passing(&b, "b", done);
    init_passing(&a, "a", &b.future);
    step("future_cancel(a), which passes it on to b, which has nobody who is pending");
    expect_true("it answers true", future_cancel(&a.future));
    expect_trace("b takes it");
    future_unref(&a.future);
    future_unref(&b.future);
    future_unref(done);
}

static void a_cancel_that_the_last_refuses_is_for_the_one_before(void)
{
    struct passing a, b, c;
    init_passing(&c, "c", NULL);
    init_passing(&b, "b", &c.future);
    init_passing(&a, "a", &b.future);
    c.refuses = true;
    step("future_cancel(a), where c at the end refuses");
    expect_true("it answers true", future_cancel(&a.future));
    expect_trace("c refuses", "b takes it");
    b.refuses = true;
    step("future_cancel(a), where b refuses too");
    expect_true("it answers false", !future_cancel(&a.future));
    expect_trace("c refuses", "b refuses");
    step("future_cancel(c), which has nobody before it");
    expect_true("it answers false", !future_cancel(&c.future));
    expect_trace("c refuses");
    future_unref(&a.future);
    future_unref(&b.future);
    future_unref(&c.future);
}

static void a_cancel_in_a_ring_tells_the_last_that_it_is_alone(void)
{
    struct passing a, b, c;
    init_passing(&c, "c", NULL);
    init_passing(&b, "b", &c.future);
    init_passing(&a, "a", &b.future);
    c.next = &b.future;
    for (unsigned n = 1; n <= 2; n++) {
        step("future_cancel(a), which leads to b and c, which pass it on to each other");
        expect_true("it answers true", future_cancel(&a.future));
        expect_trace("c takes it, alone");
        expect_int(b.future.cancels, n);
    }
    step("the same, where c refuses");
    c.refuses = true;
    expect_true("it answers true", future_cancel(&a.future));
    expect_trace("c refuses, alone", "b takes it");
    future_unref(&a.future);
    future_unref(&b.future);
    future_unref(&c.future);
}

/* Waits for several, in the way of a gather. */
struct several {
    struct passing passing; /* whose `next` is not used */
    struct future_branches branches;
    struct future *each[2];
    size_t asked;
};

static bool cancel_several(struct future *f, bool alone)
{
    struct several *s = (struct several *)(void *)f;
    (void)alone;
    s->asked = 0;
    return future_cancel_branches(f, &s->branches);
}

static struct future *next_of_several(struct future *f)
{
    struct several *s = (struct several *)(void *)f;
    if (s->asked < 2 && s->each[s->asked] != NULL)
        return s->each[s->asked++];
    record("%s %s", s->passing.name, s->branches.requested ? "is content" : "got nothing");
    return NULL;
}

static void init_several(struct several *s, const char *name, struct future *first,
                         struct future *second)
{
    static const struct future_ops ops = {
        .cancel = cancel_several, .next_branch = next_of_several, .destroy = keep_memory};
    init_passing(&s->passing, name, NULL);
    s->passing.future.ops = &ops;
    s->each[0] = first;
    s->each[1] = second;
}

static void a_cancel_goes_through_a_tree_one_branch_after_the_other(void)
{
    struct passing x, y, z, before_inner;
    struct several inner, outer;
    init_passing(&x, "x", NULL);
    init_passing(&y, "y", NULL);
    init_passing(&z, "z", NULL);
    init_several(&inner, "inner", &x.future, &y.future);
    init_passing(&before_inner, "before", &inner.passing.future);
    init_several(&outer, "outer", &before_inner.future, &z.future);
    step("future_cancel(outer), which waits for z and for one that waits for inner: x and y");
    expect_true("it answers true", future_cancel(&outer.passing.future));
    expect_trace("x takes it", "y takes it", "inner is content", "z takes it", "outer is content");
    expect_int(before_inner.future.cancels, 1);
    expect_int(inner.passing.future.cancels, 1);
    expect_int(z.future.cancels, 1);
    step("the same, where only y takes it");
    x.refuses = z.refuses = true;
    expect_true("it answers true", future_cancel(&outer.passing.future));
    expect_trace("x refuses", "y takes it", "inner is content", "z refuses", "outer is content");
    step("the same, where x, y and z refuse: it is for the one that waits for inner");
    y.refuses = true;
    expect_true("it answers true", future_cancel(&outer.passing.future));
    expect_trace("x refuses", "y refuses", "inner got nothing", "before takes it", "z refuses",
                 "outer is content");
    step("the same, where that one refuses too");
    before_inner.refuses = true;
    expect_true("it answers false", !future_cancel(&outer.passing.future));
    expect_trace("x refuses", "y refuses", "inner got nothing", "before refuses", "z refuses",
                 "outer got nothing");
    future_unref(&outer.passing.future);
    future_unref(&before_inner.future);
    future_unref(&inner.passing.future);
    future_unref(&x.future);
    future_unref(&y.future);
    future_unref(&z.future);
}

static int cancel_another(struct future *f, void *arg)
{
    (void)f;
    record("another one: %s", future_cancel(arg) ? "true" : "false");
    return 0;
}

static void a_callback_may_cancel_in_the_middle_of_a_cancel(void)
{
    struct dispatcher at_once;
    struct passing x, y;
    struct several tree, another;
    immediate_init(&at_once);
    struct future *f = future_new(&at_once);
    init_passing(&x, "x", NULL);
    init_passing(&y, "y", NULL);
    x.refuses = true;
    init_several(&another, "another", &x.future, NULL);
    init_several(&tree, "tree", f, &y.future);
    expect_ok(future_add_done_callback(f, cancel_another, &another.passing.future));
    step("future_cancel() of a tree, while a callback of its first branch cancels another tree");
    expect_true("it answers true", future_cancel(&tree.passing.future));
    expect_trace("x refuses", "another got nothing", "another one: false", "y takes it",
                 "tree is content");
    future_unref(&tree.passing.future);
    future_unref(&another.passing.future);
    future_unref(&x.future);
    future_unref(&y.future);
    future_unref(f);
    immediate_close(&at_once);
}

/* --- callbacks -------------------------------------------------------------------------------- */

static void whoever_waits_is_called_in_the_next_iteration(void)
{
    struct future *f = new_future();
    struct waiter a = new_waiter("a"), b = new_waiter("b"), c = new_waiter("c");
    expect_ok(future_wait(f, &a.waiter));
    expect_ok(future_wait(f, &b.waiter));
    expect_ok(future_wait(f, &c.waiter));
    expect_int(fixture_iteration(), 0);
    expect_no_trace();
    step("f is completed with 5, while a, b and c wait");
    expect_ok(future_finish(f, 0, value_int(5)));
    expect_no_trace();
    step("one iteration");
    expect_int(fixture_iteration(), 3);
    expect_trace("a", "b", "c");
    expect_int(fixture_pump(), 0);
    expect_no_trace();
    expect_told(f, "finished result=5");
    future_unref(f);
}

static void whoever_waits_hears_of_an_error_and_of_a_cancel_too(void)
{
    struct future *f = new_future(), *g = new_future();
    struct waiter a = new_waiter("a"), b = new_waiter("b"), c = new_waiter("c");
    expect_ok(future_wait(f, &a.waiter));
    expect_ok(future_wait(g, &b.waiter));
    expect_ok(future_wait(f, &c.waiter));
    step("g is cancelled, then f is completed with ERR_USER");
    expect_ok(future_finish_cancelled(g));
    expect_ok(future_finish(f, ERR_USER, value_none()));
    expect_no_trace();
    expect_int(fixture_iteration(), 3);
    expect_trace("b", "a", "c");
    future_unref(f);
    future_unref(g);
    expect_report("never retrieved", ERR_USER);
}

static void a_queued_waiter_holds_the_future(void)
{
    struct future *f = new_future();
    struct waiter a = new_waiter("a");
    a.waiter.call.drop = drop_waiter;
    expect_ok(future_wait(f, &a.waiter));
    expect_ok(future_finish(f, 0, value_none()));
    step("future_unref(f) between completion and call; the waiter belongs to f");
    future_unref(f);
    expect_int(fixture_iteration(), 1);
    expect_trace("a");
    expect_told(f, "finished result=None");
    future_unref(f); /* the reference that it was called with */
}

static void what_is_never_called_is_dropped(void)
{
    struct future *f = new_future();
    struct waiter a = new_waiter("a"), b = new_waiter("b"), c = new_waiter("c");
    a.waiter.call.drop = c.waiter.call.drop = drop_waiter;
    expect_ok(future_wait(f, &a.waiter));
    expect_ok(future_wait(f, &b.waiter));
    expect_ok(future_wait(f, &c.waiter));
    fixture_close();
    step("f is completed after the close, while a, b and c wait; b has nothing to drop");
    expect_error(future_finish(f, 0, value_int(5)), ERR_CLOSED);
    expect_trace("a dropped", "c dropped");
    expect_told(f, "finished result=5");
    future_unref(f); /* drop_waiter() gives none back */
    future_unref(f);
    future_unref(f);
}

static void note_the_end(struct future *f)
{
    (void)f;
    record("the future ends");
}

static void a_future_outlives_the_telling_of_its_end(void)
{
    static const struct future_ops ops = {.destroy = note_the_end};
    static struct future in_place;
    struct dispatcher at_once;
    struct future *f = &in_place;
    struct waiter a = new_waiter("a"), b = new_waiter("b");
    immediate_init(&at_once);
    future_init(f, &ops, &at_once);
    a.gives_back = &f;
    expect_ok(future_wait(f, &a.waiter));
    expect_ok(future_wait(f, &b.waiter));
    step("f is completed on a dispatcher that calls at once; a gives the last reference back");
    expect_ok(future_finish(f, 0, value_int(5)));
    expect_trace("a", "b", "the future ends");
    immediate_close(&at_once);
}

static void a_result_calls_back_in_the_next_iteration(void)
{
    struct future *f = new_future();
    expect_ok(future_add_done_callback(f, note, "a"));
    expect_ok(future_add_done_callback(f, note, "b"));
    expect_ok(future_add_done_callback(f, note, "c"));
    expect_int(fixture_iteration(), 0);
    expect_no_trace();
    step("future_set_result(f, 5) with callbacks a, b, c");
    expect_ok(future_set_result(f, value_int(5)));
    expect_no_trace();
    step("one iteration");
    expect_int(fixture_iteration(), 3);
    expect_trace("a", "b", "c");
    expect_int(fixture_pump(), 0);
    expect_no_trace();
    future_unref(f);
}

static void an_error_calls_back_in_the_next_iteration(void)
{
    struct future *f = new_future();
    expect_ok(future_add_done_callback(f, note, "a"));
    expect_ok(future_add_done_callback(f, note, "b"));
    step("future_set_exception(f, ERR_USER) with callbacks a, b");
    expect_ok(future_set_exception(f, ERR_USER));
    expect_no_trace();
    step("one iteration");
    expect_int(fixture_iteration(), 2);
    expect_trace("a", "b");
    future_unref(f);
    expect_report("never retrieved", ERR_USER);
}

static void a_cancel_calls_back_in_the_next_iteration(void)
{
    struct future *f = new_future();
    expect_ok(future_add_done_callback(f, note, "a"));
    expect_ok(future_add_done_callback(f, note, "b"));
    step("future_cancel(f) with callbacks a, b");
    expect_true("it answers true", future_cancel(f));
    expect_no_trace();
    step("one iteration");
    expect_int(fixture_iteration(), 2);
    expect_trace("a", "b");
    future_unref(f);
}

static void callbacks_of_several_futures_keep_the_order_of_completion(void)
{
    struct future *f = new_future(), *g = new_future();
    expect_ok(future_add_done_callback(f, note, "f1"));
    expect_ok(future_add_done_callback(g, note, "g1"));
    expect_ok(future_add_done_callback(f, note, "f2"));
    step("future_set_result(g, 1), then future_set_result(f, 2)");
    expect_ok(future_set_result(g, value_int(1)));
    expect_ok(future_set_result(f, value_int(2)));
    fixture_iteration();
    expect_trace("g1", "f1", "f2");
    future_unref(f);
    future_unref(g);
}

static void a_callback_added_when_done_is_called_in_the_next_iteration(void)
{
    struct future *f = new_future();
    expect_ok(future_add_done_callback(f, note, "early"));
    expect_ok(future_finish(f, 0, value_int(5)));
    step("future_add_done_callback() on a future that is done");
    expect_ok(future_add_done_callback(f, note, "late"));
    expect_no_trace();
    expect_int(fixture_iteration(), 2);
    expect_trace("early", "late");
    step("and again, after all have been called");
    expect_ok(future_add_done_callback(f, note, "later"));
    expect_no_trace();
    expect_int(fixture_iteration(), 1);
    expect_trace("later");
    future_unref(f);
}

static void the_same_callback_added_twice_is_called_twice(void)
{
    struct future *f = new_future();
    expect_ok(future_add_done_callback(f, note, "a"));
    expect_ok(future_add_done_callback(f, note, "a"));
    expect_ok(future_finish(f, 0, value_int(5)));
    step("one iteration, with one callback added twice");
    expect_int(fixture_iteration(), 2);
    expect_trace("a", "a");
    expect_int(fixture_iteration(), 0);
    expect_no_trace();
    future_unref(f);
}

static int look(struct future *f, void *arg)
{
    expect_true("the callback gets the future", f == *(struct future **)arg);
    expect_true("which is done", future_done(f));
    expect_told(f, "finished result=5");
    record("looked");
    return 0;
}

static void a_callback_gets_the_future_in_its_final_state(void)
{
    struct future *f = new_future();
    expect_ok(future_add_done_callback(f, look, &f));
    expect_ok(future_finish(f, 0, value_int(5)));
    step("an iteration with a callback that asks for the result");
    fixture_iteration();
    expect_trace("looked");
    future_unref(f);
}

static void removing_takes_all_equal_registrations(void)
{
    struct future *f = new_future();
    int calls = 0;
    expect_ok(future_add_done_callback(f, note, "a"));
    expect_ok(future_add_done_callback(f, count, &calls));
    expect_ok(future_add_done_callback(f, note, "b"));
    expect_ok(future_add_done_callback(f, count, &calls));
    step("future_remove_done_callback(f, count, &calls), which was added twice");
    expect_int(future_remove_done_callback(f, count, &calls), 2);
    step("and again");
    expect_int(future_remove_done_callback(f, count, &calls), 0);
    expect_ok(future_finish(f, 0, value_int(5)));
    expect_int(fixture_pump(), 2);
    expect_trace("a", "b");
    expect_int(calls, 0);
    future_unref(f);
}

static void removing_looks_at_function_and_argument(void)
{
    struct future *f = new_future();
    static char a[] = "a", b[] = "b";
    int calls = 0;
    expect_ok(future_add_done_callback(f, note, a));
    expect_ok(future_add_done_callback(f, note, b));
    expect_ok(future_add_done_callback(f, count, &calls));
    step("future_remove_done_callback(f, note, \"b\"), with note \"a\" there too");
    expect_int(future_remove_done_callback(f, note, b), 1);
    expect_int(future_remove_done_callback(f, count, NULL), 0);
    expect_int(future_remove_done_callback(f, note, &calls), 0);
    expect_ok(future_finish(f, 0, value_int(5)));
    fixture_pump();
    expect_trace("a");
    expect_int(calls, 1);
    future_unref(f);
}

static int remove_b(struct future *f, void *arg)
{
    record("a");
    expect_int(future_remove_done_callback(f, note, arg), 0);
    expect_int(future_remove_done_callback(f, remove_b, arg), 0); /* itself */
    return 0;
}

static void removing_after_completion_comes_too_late(void)
{
    struct future *f = new_future();
    static char b[] = "b";
    expect_ok(future_add_done_callback(f, remove_b, b));
    expect_ok(future_add_done_callback(f, note, b));
    expect_ok(future_finish(f, 0, value_int(5)));
    step("future_remove_done_callback() after the completion");
    expect_int(future_remove_done_callback(f, note, b), 0);
    step("an iteration in which callback a removes itself and b");
    expect_int(fixture_iteration(), 2);
    expect_trace("a", "b");
    future_unref(f);
}

static int fail(struct future *f, void *arg)
{
    (void)f, (void)arg;
    record("failing");
    return ERR_USER;
}

static void an_error_of_a_callback_is_reported_once_and_the_others_run(void)
{
    struct future *f = new_future();
    expect_ok(future_add_done_callback(f, note, "a"));
    expect_ok(future_add_done_callback(f, fail, NULL));
    expect_ok(future_add_done_callback(f, note, "b"));
    step("f is completed with 5, with a callback that will answer ERR_USER");
    expect_ok(future_finish(f, 0, value_int(5)));
    expect_int(fixture_iteration(), 3);
    expect_trace("a", "failing", "b");
    expect_report("", ERR_USER);
    expect_no_report();
    expect_told(f, "finished result=5");
    future_unref(f);
}

static int add_another(struct future *f, void *arg)
{
    record("adding");
    expect_ok(future_add_done_callback(f, note, arg));
    return 0;
}

static int complete_another(struct future *f, void *arg)
{
    (void)f;
    record("completing");
    expect_ok(future_finish(arg, 0, value_none()));
    return 0;
}

static void what_a_callback_causes_happens_in_the_next_iteration(void)
{
    struct future *f = new_future(), *g = new_future();
    expect_ok(future_add_done_callback(g, note, "g"));
    expect_ok(future_add_done_callback(f, add_another, "added"));
    expect_ok(future_add_done_callback(f, complete_another, g));
    expect_ok(future_add_done_callback(f, note, "f"));
    expect_ok(future_finish(f, 0, value_none()));
    step("an iteration in which callbacks add another one and complete another future");
    expect_int(fixture_iteration(), 3);
    expect_trace("adding", "completing", "f");
    step("the next one");
    expect_int(fixture_iteration(), 2);
    expect_trace("added", "g");
    future_unref(f);
    future_unref(g);
}

/* --- references ------------------------------------------------------------------------------- */

static int give_back(struct future *f, void *arg)
{
    struct future **theirs = arg;
    record("giving back");
    future_unref(*theirs);
    *theirs = NULL;
    expect_true("the future is alive while it is called", future_done(f));
    return 0;
}

static void a_callback_may_give_the_last_reference_back(void)
{
    struct future *f = new_future();
    struct future *theirs = f;
    expect_ok(future_add_done_callback(f, give_back, &theirs));
    expect_ok(future_add_done_callback(f, note, "after"));
    expect_ok(future_finish(f, 0, value_none()));
    step("an iteration in which a callback gives the last reference back");
    fixture_iteration();
    expect_trace("giving back", "after");
    expect_true("the reference is gone", theirs == NULL);
}

static void queued_callbacks_keep_the_future_alive(void)
{
    struct future *f = new_future();
    expect_ok(future_add_done_callback(f, note, "a"));
    expect_ok(future_add_done_callback(f, note, "b"));
    expect_ok(future_finish(f, 0, value_none()));
    step("future_unref(f) between completion and callbacks");
    future_unref(f);
    expect_int(fixture_iteration(), 2);
    expect_trace("a", "b");
}

static void callbacks_of_a_future_that_ends_pending_are_not_called(void)
{
    struct future *f = new_future();
    expect_ok(future_add_done_callback(f, note, "a"));
    expect_ok(future_add_done_callback(f, note, "b"));
    step("future_unref() of a pending future with callbacks");
    future_unref(f);
    fixture_pump();
    expect_no_trace();
}

static void each_reference_has_to_be_given_back(void)
{
    struct future *f = new_future();
    expect_true("future_ref(f) is f", future_ref(f) == f);
    future_unref(f);
    step("completing f after one of two references was given back");
    expect_ok(future_finish(f, 0, value_none()));
    future_unref(f);
}

/* --- errors that nobody asked for ------------------------------------------------------------- */

static void an_error_that_nobody_asked_for_is_reported(void)
{
    struct future *f = new_future();
    expect_ok(future_set_exception(f, ERR_USER));
    fixture_pump();
    expect_no_report();
    step("future_unref() of a future whose error nobody asked for");
    future_unref(f);
    expect_report("never retrieved", ERR_USER);
    expect_no_report();
}

static void asking_for_the_result_takes_the_error(void)
{
    struct future *f = new_future();
    expect_ok(future_set_exception(f, ERR_USER));
    expect_error(future_result(f, NULL), ERR_USER);
    step("future_unref() after future_result()");
    future_unref(f);
    expect_no_report();
}

static void looking_at_the_exception_takes_the_error(void)
{
    struct future *f = new_future();
    int error;
    expect_ok(future_set_exception(f, ERR_USER));
    expect_ok(future_exception(f, &error));
    step("future_unref() after future_exception()");
    future_unref(f);
    expect_no_report();
}

static void nobody_hears_of_results_and_of_pending_futures(void)
{
    struct future *f = new_future(), *g = new_future();
    expect_ok(future_finish(f, 0, value_int(1)));
    step("future_unref() of an unretrieved result, and of a pending future");
    future_unref(f);
    future_unref(g);
    expect_no_report();
}

static void a_cancel_after_the_error_silences_the_report(void)
{
    struct future *f = new_future();
    expect_ok(future_set_exception(f, ERR_USER));
    step("future_cancel(f) after future_set_exception(f, ERR_USER), then future_unref(f)");
    expect_true("it answers false", !future_cancel(f));
    future_unref(f);
    expect_no_report();
}

static void nobody_hears_of_a_cancel(void)
{
    struct future *f = new_future();
    expect_true("future_cancel() of a pending one answers true", future_cancel(f));
    step("future_unref() of a cancelled future");
    future_unref(f);
    expect_no_report();
}

/* --- chaining --------------------------------------------------------------------------------- */

static void a_chain_passes_a_result_on(void)
{
    struct future *source = new_future(), *target = new_future();
    expect_ok(future_chain(source, target));
    fixture_pump();
    expect_true("the target is pending as long as the source is", !future_done(target));
    step("future_chain(source, target); future_set_result(source, 5)");
    expect_ok(future_finish(source, 0, value_int(5)));
    fixture_pump();
    expect_told(target, "finished result=5");
    future_unref(source);
    future_unref(target);
}

static void a_chain_passes_an_error_on_with_the_duty_to_ask_for_it(void)
{
    struct future *source = new_future(), *target = new_future();
    expect_ok(future_chain(source, target));
    step("future_chain(source, target); future_set_exception(source, ERR_USER)");
    expect_ok(future_set_exception(source, ERR_USER));
    fixture_pump();
    expect_true("the target is done", future_done(target));
    future_unref(source);
    expect_no_report();
    step("future_unref() of the target, whose error nobody asked for");
    future_unref(target);
    expect_report("never retrieved", ERR_USER);
    expect_no_report();
}

static void a_chain_passes_a_cancel_on(void)
{
    struct future *source = new_future(), *target = new_future();
    expect_ok(future_chain(source, target));
    step("future_chain(source, target); future_cancel(source)");
    expect_true("it answers true", future_cancel(source));
    fixture_pump();
    expect_true("the target is cancelled too", future_cancelled(target));
    future_unref(source);
    future_unref(target);
}

static void a_chain_passes_a_cancel_back(void)
{
    struct future *source = new_future(), *target = new_future();
    expect_ok(future_add_done_callback(source, note, "source is done"));
    expect_ok(future_chain(source, target));
    step("future_chain(source, target); future_cancel(target)");
    expect_true("it answers true", future_cancel(target));
    fixture_pump();
    expect_true("the source is cancelled too", future_cancelled(source));
    expect_trace("source is done");
    future_unref(source);
    future_unref(target);
}

static void a_chain_copies_nothing_into_a_target_that_is_done(void)
{
    struct future *source = new_future(), *target = new_future();
    expect_ok(future_chain(source, target));
    expect_ok(future_finish(target, 0, value_int(1)));
    step("future_set_result(target, 1) by hand, then future_set_result(source, 2)");
    expect_ok(future_finish(source, 0, value_int(2)));
    fixture_pump();
    expect_told(target, "finished result=1");
    future_unref(source);
    future_unref(target);
}

static void a_chain_copies_nothing_into_a_target_cancelled_meanwhile(void)
{
    struct future *source = new_future(), *target = new_future();
    expect_ok(future_chain(source, target));
    expect_ok(future_finish(source, 0, value_int(2)));
    step("future_set_result(source, 2); future_cancel(target), in one iteration");
    expect_true("it answers true", future_cancel(target));
    fixture_pump();
    expect_true("the target is cancelled", future_cancelled(target));
    expect_told(source, "finished result=2");
    future_unref(source);
    future_unref(target);
}

static void a_chain_may_begin_at_a_future_that_is_done(void)
{
    struct future *source = new_future(), *target = new_future();
    expect_ok(future_finish(source, 0, value_int(5)));
    step("future_chain() from a source that is done");
    expect_ok(future_chain(source, target));
    fixture_pump();
    expect_told(target, "finished result=5");
    future_unref(source);
    future_unref(target);
}

static void the_outcome_of_a_task_is_not_copied_to(void)
{
    struct future *source = new_future(), *task = new_private_future();
    expect_ok(future_finish(source, 0, value_int(5)));
    step("a chain ends at a task, whose outcome only its body decides");
    expect_error(future_copy(source, task), ERR_RUNTIME);
    expect_true("the task is pending", !future_done(task));
    future_unref(source);
    future_unref(task);
}

static void what_is_done_already_is_no_error_of_a_copy(void)
{
    struct future *source = new_future(), *target = new_future(), *g = new_future();
    expect_ok(future_finish(source, 0, value_int(5)));
    expect_ok(future_finish(target, 0, value_int(1)));
    step("the outcome of a future is copied to one that is done");
    expect_ok(future_copy(source, target));
    expect_told(target, "finished result=1");
    future_unref(source);
    source = new_future();
    expect_ok(future_finish_cancelled(source));
    step("a cancel is copied to one that is done, and to one that is pending");
    expect_ok(future_copy(source, target));
    expect_told(target, "finished result=1");
    expect_ok(future_copy(source, g));
    expect_true("that one is cancelled", future_cancelled(g));
    future_unref(source);
    future_unref(target);
    future_unref(g);
}

static void a_chain_keeps_the_target_alive(void)
{
    struct future *source = new_future(), *target = new_future();
    expect_ok(future_add_done_callback(target, note, "target is done"));
    expect_ok(future_chain(source, target));
    step("future_unref(target) after future_chain(source, target)");
    future_unref(target);
    expect_ok(future_finish(source, 0, value_int(5)));
    future_unref(source);
    fixture_pump();
    expect_trace("target is done");
}

static void a_chain_that_nobody_holds_is_given_back(void)
{
    struct future *source = new_future(), *target = new_future();
    expect_ok(future_chain(source, target));
    step("future_unref() of both ends of a pending chain");
    future_unref(target);
    future_unref(source);
    expect_int(fixture_pump(), 0);
}

enum { MANY = 100000 };

static struct future *many[MANY + 1];

static int chain_of_many(void)
{
    int n = harness_is_slow() ? MANY / 20 : MANY;
    for (int i = 0; i <= n; i++)
        many[i] = new_future();
    for (int i = 0; i < n; i++)
        expect_ok(future_chain(many[i], many[i + 1]));
    return n;
}

static void a_long_chain_passes_a_result_on_without_recursion(void)
{
    int n = chain_of_many();
    step("future_set_result(f[0], 5), with f[i] chained to f[i + 1], 100,000 times");
    expect_ok(future_finish(many[0], 0, value_int(5)));
    fixture_pump();
    expect_told(many[n], "finished result=5");
    for (int i = 0; i <= n; i++)
        future_unref(many[i]);
}

static void a_long_chain_passes_a_cancel_back_without_recursion(void)
{
    int n = chain_of_many();
    step("future_cancel() of the last of a chain of 100,000");
    expect_true("it answers true", future_cancel(many[n]));
    fixture_pump();
    expect_true("the first one is cancelled", future_cancelled(many[0]));
    for (int i = 0; i <= n; i++)
        future_unref(many[i]);
}

static int unref_in_body(void *arg, value *ret)
{
    (void)ret;
    future_unref(arg);
    return 0;
}

static void a_long_chain_is_given_back_without_recursion(void)
{
    int n = chain_of_many();
    for (int i = n; i > 0; i--)
        future_unref(many[i]);
    step("future_unref() of the first of a pending chain of 100,000, on a stack of 64 KiB");
    struct generator *g = gen_new(unref_in_body, many[0]);
    expect_int(gen_next(g, NULL), GEN_RETURN);
    gen_free(g);
    expect_int(fixture_pump(), 0);
}

/* --- the end of the dispatcher
 * --------------------------------------------------------------------- */

static void completing_after_the_close_is_fine_without_callbacks(void)
{
    struct future *f = new_future(), *g = new_future();
    fixture_close();
    step("f is completed with 5 after the close, without callbacks");
    expect_ok(future_finish(f, 0, value_int(5)));
    expect_told(f, "finished result=5");
    expect_ok(future_set_exception(g, ERR_USER));
    expect_told_error(g, ERR_USER);
    future_unref(f);
    g->error_is_wanted = false; /* who hears of it now is not the matter */
    future_unref(g);
}

static void completing_after_the_close_says_that_nobody_will_be_called(void)
{
    struct future *f = new_future(), *g = new_future();
    expect_ok(future_add_done_callback(f, note, "a"));
    expect_ok(future_add_done_callback(f, note, "b"));
    expect_ok(future_add_done_callback(g, note, "c"));
    fixture_close();
    step("f is completed with 5 after the close, with callbacks");
    expect_error(future_finish(f, 0, value_int(5)), ERR_CLOSED);
    expect_told(f, "finished result=5");
    step("future_set_exception(g, ERR_USER) after the close, with a callback");
    expect_error(future_set_exception(g, ERR_USER), ERR_CLOSED);
    expect_told_error(g, ERR_USER);
    expect_no_trace();
    g->error_is_wanted = false; /* who hears of it now is not the matter */
    future_unref(f);
    future_unref(g);
}

static void cancelling_after_the_close_still_cancels(void)
{
    struct future *f = new_future();
    expect_ok(future_add_done_callback(f, note, "a"));
    fixture_close();
    step("future_cancel(f) after the close");
    expect_true("it answers true", future_cancel(f));
    expect_true("it is cancelled", future_cancelled(f));
    expect_no_trace();
    future_unref(f);
}

static void a_callback_that_would_never_be_called_is_refused(void)
{
    struct future *f = new_future();
    expect_ok(future_finish(f, 0, value_int(5)));
    fixture_close();
    step("future_add_done_callback() on a done future after the close");
    expect_error(future_add_done_callback(f, note, "a"), ERR_CLOSED);
    expect_no_trace();
    future_unref(f);
}

static void queued_callbacks_are_given_back_by_the_close(void)
{
    struct future *f = new_future(), *g = new_future(), *target = new_future();
    expect_ok(future_add_done_callback(f, note, "a"));
    expect_ok(future_chain(f, target));
    expect_ok(future_finish(f, 0, value_int(5)));
    expect_ok(future_add_done_callback(f, note, "b"));
    expect_ok(future_add_done_callback(g, note, "c"));
    future_unref(f);
    step("the close, with queued callbacks and a pending future");
    fixture_close();
    expect_no_trace();
    expect_true("the target of a chain stays pending", !future_done(target));
    future_unref(g);
    future_unref(target);
}

/* --- no memory -------------------------------------------------------------------------------- */

static void no_memory_for_a_future(void)
{
    errno = 0;
    fixture_dispatcher();
    fail_allocation(1);
    step("future_new() without memory");
    struct future *f = future_new(fixture_dispatcher());
    expect_true("it asked for memory", allocation_failed());
    expect_true("it answers NULL", f == NULL);
    expect_int(errno, ENOMEM);
}

static void no_memory_for_a_callback_adds_nothing(void)
{
    struct future *f = new_future();
    expect_ok(future_add_done_callback(f, note, "a"));
    fail_allocation(1);
    step("future_add_done_callback() without memory");
    expect_error(future_add_done_callback(f, note, "b"), -ENOMEM);
    expect_true("it asked for memory", allocation_failed());
    expect_ok(future_finish(f, 0, value_none()));
    fixture_pump();
    expect_trace("a");
    future_unref(f);
}

static void no_memory_for_a_chain_leaves_both_alone(void)
{
    struct future *source = new_future(), *target = new_future();
    fail_allocation(1);
    step("future_chain() without memory");
    expect_error(future_chain(source, target), -ENOMEM);
    expect_true("it asked for memory", allocation_failed());
    expect_true("a cancel of the target works", future_cancel(target));
    fixture_pump();
    expect_true("the source has nothing to do with it", !future_done(source));
    future_unref(source);
    future_unref(target);
}

static void completing_needs_no_memory(void)
{
    struct future *f = new_future(), *g = new_future(), *h = new_future(), *target = new_future();
    struct waiter of_f = new_waiter("f"), of_g = new_waiter("g"), of_h = new_waiter("h");
    expect_ok(future_wait(f, &of_f.waiter));
    expect_ok(future_wait(g, &of_g.waiter));
    expect_ok(future_wait(h, &of_h.waiter));
    expect_ok(future_chain(f, target));
    fail_allocation(1);
    step("completing, cancelling and calling back, without memory");
    expect_ok(future_finish(f, 0, value_int(5)));
    expect_ok(future_set_exception(g, ERR_USER));
    expect_ok(future_finish_cancelled(h));
    fixture_pump();
    future_unref(f);
    future_unref(h);
    expect_true("nobody asked for memory", !allocation_failed());
    future_unref(g);
    expect_report("never retrieved", ERR_USER);
    expect_trace("f", "g", "h");
    expect_true("the target is done", future_done(target));
    future_unref(target);
}

static const struct check checks[] = {
    /* misuse */
    CHECK(a_reference_that_is_given_back_twice_is_said, "", NULL, ""),
    CHECK(asking_a_pending_future_is_an_invalid_state, "F02", "2.2", ""),
    CHECK(a_second_result_is_refused, "F05", "2.1", "2.3"),
    CHECK(a_result_after_an_error_is_refused, "F05", "2.1", "2.3"),
    CHECK(a_result_after_a_cancel_is_refused, "F05", "2.1", "2.3 2.6"),
    CHECK(a_refused_result_calls_nobody_again, "F05 F11", "2.1", "2.3"),
    CHECK(a_task_takes_no_result_from_outside, "T29", "2.1", ""),
    CHECK(a_task_that_is_done_takes_no_result_either, "T29", "2.1", "2.3"),
    CHECK(an_exception_must_be_an_error, "F08", NULL, ""),
    CHECK(the_state_is_looked_at_before_the_argument, "F05 F08", NULL, "2.3 2.6"),
    CHECK(a_done_callback_must_be_a_function, "", NULL, ""),
    CHECK(a_future_needs_a_dispatcher, "F01", NULL, ""),
    CHECK(no_future_is_a_reference_too, "", NULL, ""),
    /* states */
    CHECK(a_new_future_is_pending, "F01", NULL, ""),
    CHECK(a_value_can_hold_a_future, "T14", NULL, ""),
    CHECK(a_result_makes_it_done, "F03", "2.1", "2.3"),
    CHECK(the_result_is_what_was_set, "F03", "2.1", "2.3"),
    CHECK(a_result_that_is_a_future_is_kept_as_it_is, "F03", "2.1", "2.3"),
    CHECK(a_result_set_unless_cancelled_is_a_result, "F21", "2.1", "2.3"),
    CHECK(a_result_can_be_asked_for_again_and_again, "F03", "2.2", "2.3"),
    CHECK(none_is_a_result_like_others, "F03", "2.2", "2.3"),
    CHECK(an_error_is_raised_again_and_again, "F04", "2.2", "2.3"),
    CHECK(cancelling_a_pending_future_ends_it, "F06", "2.6", "2.3"),
    CHECK(cancelling_a_future_twice_answers_false, "F06 F11", "2.6", "2.3"),
    CHECK(cancelling_a_finished_future_changes_nothing, "F06", "2.6", "2.3"),
    CHECK(a_cancelled_future_answers_cancelled, "F07", "2.2", "2.3 2.6"),
    CHECK(setting_unless_cancelled_is_quiet_on_a_cancelled_future, "F21", "2.1", "2.3 2.6"),
    CHECK(a_cancel_goes_to_the_last_of_a_chain, "T27", "2.6", ""),
    CHECK(a_cancel_stops_before_one_that_is_done, "T27", "2.6", "2.3"),
    CHECK(a_cancel_that_the_last_refuses_is_for_the_one_before, "T27", "2.6", ""),
    CHECK(a_cancel_in_a_ring_tells_the_last_that_it_is_alone, "T28", "2.6", ""),
    CHECK(a_cancel_goes_through_a_tree_one_branch_after_the_other, "T27 Q07", "2.6", ""),
    CHECK(a_callback_may_cancel_in_the_middle_of_a_cancel, "T27 Q07", "2.6", "2.3 2.4"),
    CHECK(a_description_tells_the_state, "F24", NULL, "2.3 2.6"),
    CHECK(a_future_that_holds_itself_can_be_described, "F24", NULL, "2.3"),
    /* callbacks */
    CHECK(whoever_waits_is_called_in_the_next_iteration, "F09", "2.3", ""),
    CHECK(whoever_waits_hears_of_an_error_and_of_a_cancel_too, "F09", "2.3", ""),
    CHECK(a_queued_waiter_holds_the_future, "F12", "2.3", ""),
    CHECK(what_is_never_called_is_dropped, "F23", "2.3", ""),
    CHECK(a_future_outlives_the_telling_of_its_end, "F12", "2.3", ""),
    CHECK(a_result_calls_back_in_the_next_iteration, "F09", "2.4", "2.1 2.3"),
    CHECK(an_error_calls_back_in_the_next_iteration, "F09", "2.4", "2.3"),
    CHECK(a_cancel_calls_back_in_the_next_iteration, "F09", "2.6", "2.3 2.4"),
    CHECK(callbacks_of_several_futures_keep_the_order_of_completion, "F09", "2.4", "2.1 2.3"),
    CHECK(a_callback_added_when_done_is_called_in_the_next_iteration, "F10", "2.4", "2.3"),
    CHECK(the_same_callback_added_twice_is_called_twice, "F11", "2.4", "2.3"),
    CHECK(a_callback_gets_the_future_in_its_final_state, "F12", "2.4", "2.3"),
    CHECK(removing_takes_all_equal_registrations, "F13", "2.5", "2.3 2.4"),
    CHECK(removing_looks_at_function_and_argument, "F13", "2.5", "2.3 2.4"),
    CHECK(removing_after_completion_comes_too_late, "F14", "2.5", "2.3 2.4"),
    CHECK(an_error_of_a_callback_is_reported_once_and_the_others_run, "F15", "2.4", "2.3"),
    CHECK(what_a_callback_causes_happens_in_the_next_iteration, "F16", "2.4", "2.3"),
    /* references */
    CHECK(a_callback_may_give_the_last_reference_back, "F12", "2.4", "2.3"),
    CHECK(queued_callbacks_keep_the_future_alive, "F12", "2.4", "2.3"),
    CHECK(callbacks_of_a_future_that_ends_pending_are_not_called, "F09", "2.4", ""),
    CHECK(each_reference_has_to_be_given_back, "", NULL, "2.3"),
    /* errors that nobody asked for */
    CHECK(an_error_that_nobody_asked_for_is_reported, "F17", NULL, "2.3"),
    CHECK(asking_for_the_result_takes_the_error, "F17", "2.2", "2.3"),
    CHECK(looking_at_the_exception_takes_the_error, "F17", "2.2", "2.3"),
    CHECK(nobody_hears_of_results_and_of_pending_futures, "F18", NULL, "2.3"),
    CHECK(a_cancel_after_the_error_silences_the_report, "F18", "2.6", "2.3"),
    CHECK(nobody_hears_of_a_cancel, "F18", "2.6", "2.3"),
    /* chaining */
    CHECK(a_chain_passes_a_result_on, "F22", "2.7", "2.3"),
    CHECK(a_chain_passes_an_error_on_with_the_duty_to_ask_for_it, "F22 F17", "2.7", "2.3"),
    CHECK(a_chain_passes_a_cancel_on, "F22", "2.7", "2.3 2.6"),
    CHECK(a_chain_passes_a_cancel_back, "F22", "2.6", "2.3 2.4 2.7"),
    CHECK(a_chain_copies_nothing_into_a_target_that_is_done, "F22", "2.7", "2.3"),
    CHECK(a_chain_copies_nothing_into_a_target_cancelled_meanwhile, "F22", "2.7", "2.3 2.6"),
    CHECK(a_chain_may_begin_at_a_future_that_is_done, "F22", "2.7", "2.3"),
    CHECK(the_outcome_of_a_task_is_not_copied_to, "F22 T29", "2.7", "2.3"),
    CHECK(what_is_done_already_is_no_error_of_a_copy, "F22", "2.7", "2.3 2.6"),
    CHECK(a_chain_keeps_the_target_alive, "F22", "2.7", "2.3 2.4"),
    CHECK(a_chain_that_nobody_holds_is_given_back, "F22", NULL, ""),
    SLOW_CHECK(a_long_chain_passes_a_result_on_without_recursion, "T34", "2.7", "2.3", 20),
    SLOW_CHECK(a_long_chain_passes_a_cancel_back_without_recursion, "T34", "2.6", "2.3 2.7", 20),
    SLOW_CHECK(a_long_chain_is_given_back_without_recursion, "T34", NULL, "", 20),
    /* the end of the dispatcher */
    CHECK(completing_after_the_close_is_fine_without_callbacks, "F23", "2.3", ""),
    CHECK(completing_after_the_close_says_that_nobody_will_be_called, "F23", "2.3", "2.4"),
    CHECK(cancelling_after_the_close_still_cancels, "F23", "2.6", "2.3 2.4"),
    CHECK(a_callback_that_would_never_be_called_is_refused, "F23", "2.4", "2.3"),
    CHECK(queued_callbacks_are_given_back_by_the_close, "L14", NULL, "2.3 2.4"),
    /* no memory */
    CHECK(no_memory_for_a_future, "", NULL, ""),
    CHECK(no_memory_for_a_callback_adds_nothing, "", "2.4", "2.3"),
    CHECK(no_memory_for_a_chain_leaves_both_alone, "", NULL, "2.3 2.6"),
    CHECK(completing_needs_no_memory, "", "2.3", "2.7"),
};
SUITE_ON_FIXTURE(future, 2, checks)
