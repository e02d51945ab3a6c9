/*
 * One generator, and the one who drives it. What happens when generators delegate to each other is
 * in test_delegation.c.
 */
#include "generator.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "resume.h"

enum { OOPS = ERR_USER, ALAS = ERR_USER - 1 };

__attribute__((constructor)) static void name_errors(void)
{
    if (error_register(OOPS, "OOPS", "something went wrong") != 0 ||
        error_register(ALAS, "ALAS", "something else went wrong") != 0)
        abort();
}

/* --- bodies --------------------------------------------------------------------------------- */

static int empty(void *arg, value *ret)
{
    (void)arg, (void)ret;
    record("ran");
    return 0;
}

static int returns_seven(void *arg, value *ret)
{
    (void)arg;
    *ret = value_int(7);
    return 0;
}

static int returns_its_argument(void *arg, value *ret)
{
    *ret = *(value *)arg;
    return 0;
}

static int raises_oops(void *arg, value *ret)
{
    (void)arg;
    *ret = value_int(7); /* to be forgotten */
    return OOPS;
}

/* Yields 1, 2, 3 and returns "done"; errors go through. */
static int count_to_three(void *arg, value *ret)
{
    int error = 0;
    (void)arg;
    for (int i = 1; i <= 3 && !error; i++)
        error = gen_yield(value_int(i), NULL);
    if (!error)
        *ret = value_str("done");
    return error;
}

/* Yields "ready" and then whatever it is sent, until that is "stop"; returns how often. */
static int echo(void *arg, value *ret)
{
    value in;
    int n = 0;
    (void)arg;
    int error = gen_yield(value_str("ready"), &in);
    while (!error && !value_equal(in, value_str("stop"))) {
        n++;
        error = gen_yield(in, &in);
    }
    *ret = value_int(n);
    return error;
}

/* Yields 1; clean-up is noted, whatever the end; the error goes through. */
static int tidy(void *arg, value *ret)
{
    (void)arg, (void)ret;
    record("begin");
    int error = gen_yield(value_int(1), NULL);
    record("clean-up after %s", error ? error_name(error) : "0");
    return error;
}

/* Yields 1, catches whatever comes, yields "caught", then returns "fine". */
static int catches_and_yields(void *arg, value *ret)
{
    (void)arg;
    int error = gen_yield(value_int(1), NULL);
    if (error)
        error = gen_yield(value_str("caught"), NULL);
    if (!error)
        *ret = value_str("fine");
    return error;
}

static int catches_and_returns(void *arg, value *ret)
{
    (void)arg;
    int error = gen_yield(value_int(1), NULL);
    if (error)
        *ret = value_str("caught");
    return 0;
}

static int turns_into_alas(void *arg, value *ret)
{
    (void)arg, (void)ret;
    return gen_yield(value_int(1), NULL) ? ALAS : 0;
}

/* --- 1.2, 1.3, 1.4: the plain way ----------------------------------------------------------- */

static void making_one_runs_nothing(void)
{
    step("g = gen_new(empty, NULL)");
    struct generator *g = gen_new(empty, NULL);
    expect_no_trace();
    expect_state(g, GEN_CREATED);
    expect_str(gen_name(g), "empty");
    next_returns(g, value_none());
    expect_trace("ran");
    gen_free(g);
}

static void the_end_of_the_body_returns_none(void)
{
    struct generator *g = gen_new(empty, NULL);
    next_returns(g, value_none());
    expect_state(g, GEN_CLOSED);
    gen_free(g);
}

static void a_returned_value_is_handed_out(void)
{
    struct generator *g = gen_new(returns_seven, NULL);
    next_returns(g, value_int(7));
    expect_state(g, GEN_CLOSED);
    gen_free(g);
}

static void any_value_can_be_returned(void)
{
    value values[] = {value_none(),  value_bool(false), value_int(0),    value_int(-1),
                      value_str(""), value_str("x"),    value_ptr(NULL), value_ptr(&values)};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char text[40];
        value_format(values[i], text, sizeof text);
        step("the body returns %s", text);
        struct generator *g = gen_new(returns_its_argument, &values[i]);
        next_returns(g, values[i]);
        gen_free(g);
    }
}

static void an_error_of_the_body_is_raised(void)
{
    struct generator *g = gen_new(raises_oops, NULL);
    next_raises(g, OOPS);
    expect_state(g, GEN_CLOSED);
    gen_free(g);
}

static void every_kind_of_error_passes_unchanged(void)
{
    static const int errors[] = {-ENOENT,       ERR_TYPE, ERR_BUSY, ERR_GENERATOR_EXIT,
                                 ERR_CANCELLED, ALAS};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        struct generator *g = gen_new(count_to_three, NULL);
        next_yields(g, value_int(1));
        step("gen_throw(g, %s)", error_name(errors[i]));
        value out;
        int status = gen_throw(g, errors[i], &out);
        expect_raises(status, out, errors[i]);
        expect_state(g, GEN_CLOSED);
        gen_free(g);
    }
}

static void next_runs_to_the_next_yield(void)
{
    struct generator *g = gen_new(count_to_three, NULL);
    for (int i = 1; i <= 3; i++) {
        next_yields(g, value_int(i));
        expect_state(g, GEN_SUSPENDED);
    }
    next_returns(g, value_str("done"));
    expect_state(g, GEN_CLOSED);
    gen_free(g);
}

static int yields_none(void *arg, value *ret)
{
    (void)arg, (void)ret;
    return gen_yield(value_none(), NULL);
}

static void yielding_none_is_not_the_end(void)
{
    struct generator *g = gen_new(yields_none, NULL);
    next_yields(g, value_none());
    next_returns(g, value_none());
    gen_free(g);
}

static void the_yield_evaluates_to_what_is_sent(void)
{
    struct generator *g = gen_new(echo, NULL);
    next_yields(g, value_str("ready"));
    send_yields(g, value_int(5), value_int(5));
    send_yields(g, value_str("hello"), value_str("hello"));
    send_yields(g, value_bool(true), value_bool(true));
    send_returns(g, value_str("stop"), value_int(3));
    gen_free(g);
}

static void next_sends_none(void)
{
    struct generator *g = gen_new(echo, NULL);
    next_yields(g, value_str("ready"));
    next_yields(g, value_none());
    send_yields(g, value_none(), value_none());
    send_returns(g, value_str("stop"), value_int(2));
    gen_free(g);
}

static int sums_two_yields(void *arg, value *ret)
{
    value left, right;
    (void)arg;
    int error = gen_yield(value_str("left"), &left);
    if (!error)
        error = gen_yield(value_str("right"), &right);
    if (!error)
        *ret = value_int(value_as_int(left) - value_as_int(right));
    return error;
}

static void two_instances_share_nothing(void)
{
    struct generator *a = gen_new(sums_two_yields, NULL), *b = gen_new(sums_two_yields, NULL);
    next_yields(a, value_str("left"));
    next_yields(b, value_str("left"));
    send_yields(b, value_int(100), value_str("right"));
    send_yields(a, value_int(5), value_str("right"));
    send_returns(a, value_int(3), value_int(2));
    send_returns(b, value_int(1), value_int(99));
    gen_free(a);
    gen_free(b);
}

static void results_may_be_thrown_away(void)
{
    struct generator *g = gen_new(count_to_three, NULL);
    step("gen_next(g, NULL), twice");
    expect_int(gen_next(g, NULL), GEN_NEXT);
    expect_int(gen_send(g, value_none(), NULL), GEN_NEXT);
    next_yields(g, value_int(3));
    step("gen_next(g, NULL)");
    expect_int(gen_next(g, NULL), GEN_RETURN);
    expect_int(gen_next(g, NULL), GEN_RETURN);
    gen_free(g);
}

struct resumer {
    struct generator *target;
};

static int resumes_another(void *arg, value *ret)
{
    struct resumer *r = arg;
    value got;
    (void)ret;
    int status = gen_next(r->target, &got);
    expect_yields(status, got, value_int(2));
    return gen_yield(value_str("mine"), NULL);
}

/* G27: to whoever resumed last, not to whoever made it or resumed it before. */
static void a_yield_goes_to_the_latest_resumer(void)
{
    struct resumer r = {gen_new(count_to_three, NULL)};
    struct generator *g = gen_new(resumes_another, &r);
    next_yields(r.target, value_int(1));
    next_yields(g, value_str("mine"));
    next_yields(r.target, value_int(3));
    next_returns(g, value_none());
    next_returns(r.target, value_str("done"));
    gen_free(g);
    gen_free(r.target);
}

/* How a for loop uses one: values until the end, whose own value is dropped. */
static void a_loop_ends_at_the_return(void)
{
    struct generator *g = gen_new(count_to_three, NULL);
    value v;
    int sum = 0, rounds = 0;
    step("while (gen_next(g, &v) == GEN_NEXT) sum += v");
    while (gen_next(g, &v) == GEN_NEXT && ++rounds < 10)
        sum += (int)value_as_int(v);
    expect_int(sum, 6);
    expect_int(rounds, 3);
    gen_free(g);
}

static int yields_at_depth(int depth)
{
    volatile char ballast[64];
    memset((void *)(uintptr_t)ballast, depth, sizeof ballast);
    int error = depth == 0 ? gen_yield(value_str("deep"), NULL) : yields_at_depth(depth - 1);
    return error || ballast[63] == (char)depth ? error : OOPS;
}

static int calls_a_helper(void *arg, value *ret)
{
    (void)arg, (void)ret;
    int error = yields_at_depth(10);
    return error ? error : yields_at_depth(3);
}

static void a_helper_may_yield_at_any_depth(void)
{
    struct generator *g = gen_new(calls_a_helper, NULL);
    next_yields(g, value_str("deep"));
    next_yields(g, value_str("deep"));
    next_returns(g, value_none());
    gen_free(g);
}

static int halves(void *arg, value *ret)
{
    double x = *(double *)arg, y = x / 3, z = sqrt(x);
    long double w = (long double)x / 7;
    (void)ret;
    for (int i = 0; i < 10; i++) {
        double before[4] = {x, y, z, (double)w};
        int error = gen_yield(value_int((intptr_t)x), NULL);
        if (error)
            return error;
        if (before[0] != x || before[1] != y || before[2] != z || before[3] != (double)w)
            return OOPS;
        x /= 2, y *= 1.5, z += x, w -= (long double)y;
    }
    return 0;
}

static void floating_point_locals_survive_a_yield(void)
{
    double first = 1024, second = 4096;
    struct generator *a = gen_new(halves, &first), *b = gen_new(halves, &second);
    volatile double mine = 0.1;
    step("two generators with doubles, in turns");
    for (int i = 0; i < 10; i++) {
        mine = mine * 1.0001 + sqrt((double)i);
        next_yields(a, value_int(1024 >> i));
        next_yields(b, value_int(4096 >> i));
    }
    next_returns(a, value_none());
    next_returns(b, value_none());
    gen_free(a);
    gen_free(b);
}

static void ten_thousand_live_at_once(void)
{
    enum { MANY = 10000 };
    static struct generator *many[MANY];
    int n = harness_is_slow() ? 500 : MANY;
    step("%d generators, each resumed once", n);
    for (int i = 0; i < n; i++) {
        many[i] = gen_new(count_to_three, NULL);
        expect_true("there is memory for it", many[i] != NULL);
        value out;
        int status = gen_next(many[i], &out);
        if (status != GEN_NEXT || !value_equal(out, value_int(1)))
            expect_yields(status, out, value_int(1));
    }
    step("then each to its end");
    for (int i = 0; i < n; i++) {
        value out;
        int sum = 0;
        while (gen_next(many[i], &out) == GEN_NEXT)
            sum += (int)value_as_int(out);
        if (sum != 5)
            expect_int(sum, 5);
        gen_free(many[i]);
    }
}

static void stacks_are_used_again(void)
{
    gen_free(gen_new(empty, NULL));
    step("100,000 generators, one after the other; the system gives no more memory");
    fail_mapping(1);
    for (int i = 0; i < (harness_is_slow() ? 2000 : 100000); i++) {
        struct generator *g = gen_new(returns_seven, NULL);
        value out;
        int status = gen_next(g, &out);
        if (status != GEN_RETURN || !value_equal(out, value_int(7)))
            expect_returns(status, out, value_int(7));
        gen_free(g);
    }
    expect_true("one stack is enough", !allocation_failed());
}

static int asks_who_runs(void *arg, value *ret)
{
    struct generator **self = arg;
    (void)ret;
    expect_true("gen_current() is the one that runs", gen_current() == *self);
    expect_state(*self, GEN_RUNNING);
    int error = gen_yield(value_int(1), NULL);
    expect_true("gen_current() is the one that runs", gen_current() == *self);
    return error;
}

static void the_state_can_be_asked(void)
{
    struct generator *g = gen_new(asks_who_runs, &g);
    expect_true("outside, gen_current() is NULL", gen_current() == NULL);
    expect_state(g, GEN_CREATED);
    next_yields(g, value_int(1));
    expect_state(g, GEN_SUSPENDED);
    expect_true("outside, gen_current() is NULL", gen_current() == NULL);
    expect_true("it delegates to nobody", gen_delegate(g) == NULL);
    next_returns(g, value_none());
    expect_state(g, GEN_CLOSED);
    gen_free(g);
}

/* --- 1.5: the dead and the busy ------------------------------------------------------------- */

static void nothing_but_none_can_be_sent_first(void)
{
    struct generator *g = gen_new(count_to_three, NULL);
    send_raises(g, value_int(5), ERR_TYPE);
    expect_state(g, GEN_CREATED);
    send_raises(g, value_str("hello"), ERR_TYPE);
    next_yields(g, value_int(1));
    while (gen_next(g, NULL) == GEN_NEXT)
        continue;
    gen_free(g);
}

static void none_can_be_sent_first(void)
{
    struct generator *g = gen_new(returns_seven, NULL);
    send_returns(g, value_none(), value_int(7));
    gen_free(g);
}

static void the_value_is_returned_once(void)
{
    struct generator *g = gen_new(returns_seven, NULL);
    next_returns(g, value_int(7));
    next_returns(g, value_none());
    send_returns(g, value_none(), value_none());
    gen_free(g);
}

static void a_closed_one_accepts_anything(void)
{
    struct generator *g = gen_new(empty, NULL);
    next_returns(g, value_none());
    send_returns(g, value_int(5), value_none());
    send_returns(g, value_str("hello"), value_none());
    expect_state(g, GEN_CLOSED);
    gen_free(g);
}

static void the_error_is_raised_once(void)
{
    struct generator *g = gen_new(raises_oops, NULL);
    next_raises(g, OOPS);
    next_returns(g, value_none());
    send_returns(g, value_int(5), value_none());
    gen_free(g);
}

static int resumes_itself(void *arg, value *ret)
{
    struct generator *g = *(struct generator **)arg;
    value out = value_int(1);
    (void)ret;
    int status = gen_next(g, &out);
    expect_raises(status, out, ERR_BUSY);
    out = value_int(1);
    status = gen_send(g, value_int(5), &out);
    expect_raises(status, out, ERR_BUSY);
    expect_state(g, GEN_RUNNING);
    return gen_yield(value_str("still alive"), NULL);
}

static void one_that_runs_cannot_resume_itself(void)
{
    struct generator *g = gen_new(resumes_itself, &g);
    step("inside: gen_next(g), gen_send(g, 5)");
    next_yields(g, value_str("still alive"));
    next_returns(g, value_none());
    gen_free(g);
}

static int throws_and_closes_itself(void *arg, value *ret)
{
    struct generator *g = *(struct generator **)arg;
    value out = value_int(1);
    (void)ret;
    int status = gen_throw(g, OOPS, &out);
    expect_raises(status, out, ERR_BUSY);
    out = value_int(1);
    status = gen_close(g, &out);
    expect_raises(status, out, ERR_BUSY);
    status = gen_close(g, NULL);
    expect_error(status, ERR_BUSY);
    return gen_yield(value_str("still alive"), NULL);
}

static void one_that_runs_cannot_throw_into_or_close_itself(void)
{
    struct generator *g = gen_new(throws_and_closes_itself, &g);
    step("inside: gen_throw(g, OOPS), gen_close(g)");
    next_yields(g, value_str("still alive"));
    next_returns(g, value_none());
    gen_free(g);
}

struct pair {
    struct generator *a, *b;
};

static int drives_b(void *arg, value *ret)
{
    struct pair *p = arg;
    value out;
    (void)ret;
    int status = gen_next(p->b, &out);
    expect_yields(status, out, value_str("b"));
    return gen_yield(value_str("a"), NULL);
}

static int drives_a(void *arg, value *ret)
{
    struct pair *p = arg;
    value out = value_int(1);
    (void)ret;
    expect_state(p->a, GEN_RUNNING);
    int status = gen_send(p->a, value_none(), &out);
    expect_raises(status, out, ERR_BUSY);
    return gen_yield(value_str("b"), NULL);
}

static void one_that_waits_for_whom_it_resumed_is_busy(void)
{
    struct pair p = {NULL, NULL};
    p.a = gen_new(drives_b, &p);
    p.b = gen_new(drives_a, &p);
    step("a resumes b, which resumes a");
    next_yields(p.a, value_str("a"));
    next_returns(p.a, value_none());
    next_returns(p.b, value_none());
    gen_free(p.a);
    gen_free(p.b);
}

static void *resumes_from_outside(void *arg)
{
    struct generator *g = arg;
    value out = value_int(1);
    int status = gen_next(g, &out);
    expect_raises(status, out, ERR_BUSY);
    out = value_int(1);
    status = gen_throw(g, OOPS, &out);
    expect_raises(status, out, ERR_BUSY);
    expect_error(gen_close(g, NULL), ERR_BUSY);
    return NULL;
}

static void in_another_thread(void *(*fn)(void *), void *arg)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, fn, arg) != 0)
        skip("no thread");
    pthread_join(thread, NULL);
}

static void another_thread_finds_it_busy(void)
{
    struct generator *g = gen_new(count_to_three, NULL), *fresh = gen_new(empty, NULL);
    next_yields(g, value_int(1));
    step("another thread: gen_next(g), gen_throw(g, OOPS), gen_close(g)");
    in_another_thread(resumes_from_outside, g);
    step("another thread: the same with one that has not started");
    in_another_thread(resumes_from_outside, fresh);
    expect_no_trace();
    expect_state(fresh, GEN_CREATED);
    next_yields(g, value_int(2));
    next_yields(g, value_int(3));
    next_returns(g, value_str("done"));
    next_returns(fresh, value_none());
    gen_free(g);
    gen_free(fresh);
}

/* Also while it runs: the owner waits inside the body for the other thread. */
static int waits_for_a_thread(void *arg, value *ret)
{
    (void)ret;
    in_another_thread(resumes_from_outside, *(struct generator **)arg);
    return gen_yield(value_str("undamaged"), NULL);
}

static void another_thread_finds_it_busy_while_it_runs(void)
{
    struct generator *g = gen_new(waits_for_a_thread, &g);
    next_yields(g, value_str("undamaged"));
    next_returns(g, value_none());
    gen_free(g);
}

static void *adopts_and_finishes(void *arg)
{
    struct generator *g = arg;
    value out;
    expect_ok(gen_adopt(g));
    for (int i = 2; i <= 3; i++) {
        int status = gen_next(g, &out);
        expect_yields(status, out, value_int(i));
    }
    int status = gen_next(g, &out);
    expect_returns(status, out, value_str("done"));
    return NULL;
}

static void an_adopted_one_goes_on_in_its_new_thread(void)
{
    struct generator *g = gen_new(count_to_three, NULL);
    next_yields(g, value_int(1));
    step("another thread: gen_adopt(g), and gen_next(g) to its end");
    in_another_thread(adopts_and_finishes, g);
    step("gen_next(g) here, then gen_adopt(g)");
    value out;
    int status = gen_next(g, &out);
    expect_raises(status, out, ERR_BUSY);
    expect_ok(gen_adopt(g));
    next_returns(g, value_none());
    gen_free(g);
}

static void *makes_one(void *arg)
{
    struct generator *g = gen_new(count_to_three, NULL);
    value out;
    int status = gen_next(g, &out);
    expect_yields(status, out, value_int(1));
    *(struct generator **)arg = g;
    return NULL;
}

static void one_outlives_the_thread_that_made_it(void)
{
    struct generator *g = NULL;
    step("another thread makes g, resumes it once, and ends");
    in_another_thread(makes_one, &g);
    step("gen_adopt(g), and gen_next(g) to its end");
    adopts_and_finishes(g);
    gen_free(g);
}

static void *makes_one_and_resumes_the_other(void *arg)
{
    struct generator *own = gen_new(empty, NULL);
    resumes_from_outside(arg);
    gen_free(own);
    return NULL;
}

static void a_thread_inherits_nothing_from_one_that_has_ended(void)
{
    struct generator *g = NULL;
    step("a thread makes g, resumes it once, and ends");
    in_another_thread(makes_one, &g);
    step("the next one makes another, and tries gen_next(g), gen_throw(g, OOPS), gen_close(g)");
    in_another_thread(makes_one_and_resumes_the_other, g);
    step("gen_adopt(g), and gen_next(g) to its end");
    adopts_and_finishes(g);
    gen_free(g);
}

static int adopts_itself(void *arg, value *ret)
{
    (void)ret;
    expect_error(gen_adopt(*(struct generator **)arg), ERR_BUSY);
    return 0;
}

static void one_that_runs_cannot_be_adopted(void)
{
    struct generator *g = gen_new(adopts_itself, &g);
    step("inside: gen_adopt(g)");
    next_returns(g, value_none());
    gen_free(g);
}

/* --- 1.6: primed ---------------------------------------------------------------------------- */

static void a_primed_one_waits_at_its_first_yield(void)
{
    struct generator *g = NULL;
    step("gen_new_primed(echo, NULL, &g)");
    expect_int(gen_new_primed(echo, NULL, &g), GEN_NEXT);
    expect_state(g, GEN_SUSPENDED);
    send_yields(g, value_int(5), value_int(5));
    send_returns(g, value_str("stop"), value_int(1));
    gen_free(g);
}

static void a_primed_one_that_returned_is_closed(void)
{
    struct generator *g = NULL;
    step("gen_new_primed(returns_seven, NULL, &g)");
    expect_int(gen_new_primed(returns_seven, NULL, &g), GEN_RETURN);
    expect_true("there is a generator", g != NULL);
    expect_state(g, GEN_CLOSED);
    gen_free(g);
}

static void a_primed_one_that_raised_leaves_nothing(void)
{
    struct generator *g = gen_new(empty, NULL), *fresh = g;
    step("gen_new_primed(raises_oops, NULL, &g)");
    expect_error(gen_new_primed(raises_oops, NULL, &g), OOPS);
    expect_true("g is NULL", g == NULL);
    expect_state(fresh, GEN_CREATED);
    expect_int(gen_next(fresh, NULL), GEN_RETURN);
    gen_free(fresh);
}

static void primed_ones_that_raise_use_one_stack(void)
{
    gen_free(gen_new(empty, NULL));
    step("1000 of them; the system gives no more memory");
    fail_mapping(1);
    for (int i = 0; i < 1000; i++) {
        struct generator *g;
        int status = gen_new_primed(raises_oops, NULL, &g);
        if (status != OOPS)
            expect_error(status, OOPS);
    }
    expect_true("one stack is enough", !allocation_failed());
}

static void a_primed_one_without_memory_is_refused(void)
{
    struct generator *g = (void *)&g;
    step("gen_new_primed(echo, NULL, &g), the system gives no memory");
    fail_mapping(1);
    int status = gen_new_primed(echo, NULL, &g);
    bool refused = allocation_failed();
    if (!refused)
        skip("a stack could be had without asking the system");
    expect_error(status, -ENOMEM);
    expect_true("g is NULL", g == NULL);
}

/* --- 1.7: throw ----------------------------------------------------------------------------- */

static void only_errors_can_be_thrown(void)
{
    struct generator *g = gen_new(count_to_three, NULL);
    next_yields(g, value_int(1));
    throw_raises(g, 0, ERR_TYPE);
    throw_raises(g, 5, ERR_TYPE);
    expect_state(g, GEN_SUSPENDED);
    next_yields(g, value_int(2));
    next_yields(g, value_int(3));
    next_returns(g, value_str("done"));
    gen_free(g);
}

static void a_thrown_error_is_raised_at_the_yield(void)
{
    struct generator *g = gen_new(tidy, NULL);
    next_yields(g, value_int(1));
    throw_raises(g, OOPS, OOPS);
    expect_trace("begin", "clean-up after OOPS");
    expect_state(g, GEN_CLOSED);
    next_returns(g, value_none());
    gen_free(g);
}

static void an_error_that_is_caught_gives_the_next_yield(void)
{
    struct generator *g = gen_new(catches_and_yields, NULL);
    next_yields(g, value_int(1));
    throw_yields(g, OOPS, value_str("caught"));
    expect_state(g, GEN_SUSPENDED);
    next_returns(g, value_str("fine"));
    gen_free(g);
}

static void an_error_that_is_caught_may_end_in_a_return(void)
{
    struct generator *g = gen_new(catches_and_returns, NULL);
    next_yields(g, value_int(1));
    throw_returns(g, OOPS, value_str("caught"));
    expect_state(g, GEN_CLOSED);
    next_returns(g, value_none());
    gen_free(g);
}

static int notes_what_comes_in(void *arg, value *ret)
{
    value in = value_int(1);
    (void)arg, (void)ret;
    int error = gen_yield(value_none(), &in);
    expect_value(in, value_none());
    return error == OOPS ? 0 : ERR_VALUE;
}

static void with_an_error_nothing_is_sent(void)
{
    struct generator *g = gen_new(notes_what_comes_in, NULL);
    next_yields(g, value_none());
    throw_returns(g, OOPS, value_none());
    gen_free(g);
}

static void throwing_into_one_that_has_not_started_never_runs_it(void)
{
    struct generator *g = gen_new(empty, NULL);
    throw_raises(g, OOPS, OOPS);
    expect_no_trace();
    expect_state(g, GEN_CLOSED);
    next_returns(g, value_none());
    expect_no_trace();
    gen_free(g);
}

static void throwing_into_a_closed_one_raises_at_once(void)
{
    struct generator *g = gen_new(empty, NULL);
    next_returns(g, value_none());
    expect_trace("ran");
    throw_raises(g, OOPS, OOPS);
    throw_raises(g, ERR_GENERATOR_EXIT, ERR_GENERATOR_EXIT);
    expect_no_trace();
    expect_state(g, GEN_CLOSED);
    gen_free(g);
}

static void an_error_may_become_another(void)
{
    struct generator *g = gen_new(turns_into_alas, NULL);
    next_yields(g, value_int(1));
    throw_raises(g, OOPS, ALAS);
    expect_state(g, GEN_CLOSED);
    gen_free(g);
}

static void throwing_an_exit_is_not_closing(void)
{
    struct generator *a = gen_new(catches_and_yields, NULL),
                     *b = gen_new(catches_and_returns, NULL), *c = gen_new(tidy, NULL);
    next_yields(a, value_int(1));
    throw_yields(a, ERR_GENERATOR_EXIT, value_str("caught"));
    next_returns(a, value_str("fine"));
    next_yields(b, value_int(1));
    throw_returns(b, ERR_GENERATOR_EXIT, value_str("caught"));
    next_yields(c, value_int(1));
    throw_raises(c, ERR_GENERATOR_EXIT, ERR_GENERATOR_EXIT);
    expect_state(c, GEN_CLOSED);
    gen_free(a);
    gen_free(b);
    gen_free(c);
}

static int tries_again(void *arg, value *ret)
{
    int error = OOPS;
    (void)arg, (void)ret;
    for (int i = 0; i < 10 && error_is_ordinary(error); i++)
        error = gen_yield(value_str("trying"), NULL);
    record("clean-up after %s", error ? error_name(error) : "0");
    return error;
}

static void an_exit_is_no_ordinary_error(void)
{
    struct generator *g = gen_new(tries_again, NULL), *h = gen_new(tries_again, NULL);
    next_yields(g, value_str("trying"));
    throw_yields(g, OOPS, value_str("trying"));
    throw_yields(g, -EIO, value_str("trying"));
    throw_raises(g, ERR_GENERATOR_EXIT, ERR_GENERATOR_EXIT);
    expect_trace("clean-up after ERR_GENERATOR_EXIT");
    next_yields(h, value_str("trying"));
    throw_raises(h, ERR_CANCELLED, ERR_CANCELLED);
    expect_trace("clean-up after ERR_CANCELLED");
    gen_free(g);
    gen_free(h);
}

/* PEP 342's: try, except and finally that yield, in one body. */
static int yields_everywhere(void *arg, value *ret)
{
    (void)arg, (void)ret;
    int error = gen_yield(value_int(1), NULL);
    if (!error)
        error = gen_yield(value_int(2), NULL);
    if (!error)
        error = OOPS; /* 1 // 0 */
    if (error == OOPS) {
        int again = gen_yield(value_int(4), NULL);
        if (!again)
            again = gen_yield(value_int(5), NULL);
        error = again ? again : OOPS; /* raise */
    }
    if (error)
        error = gen_yield(value_int(8), NULL);
    if (!error)
        error = gen_yield(value_int(9), NULL);
    int final = gen_yield(value_int(10), NULL);
    error = final ? final : error;
    return error ? error : gen_yield(value_int(11), NULL);
}

static void clean_up_may_yield(void)
{
    static const int wanted[] = {1, 2, 4, 5, 8, 9, 10, 11};
    struct generator *g = gen_new(yields_everywhere, NULL);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        next_yields(g, value_int(wanted[i]));
    next_returns(g, value_none());
    gen_free(g);
}

static void outs_may_be_null_when_it_raises(void)
{
    struct generator *g = gen_new(count_to_three, NULL), *fresh = gen_new(empty, NULL);
    step("with NULL instead of &out: gen_next, gen_throw, gen_send to the wrong one");
    expect_int(gen_next(g, NULL), GEN_NEXT);
    expect_error(gen_throw(g, 0, NULL), ERR_TYPE);
    expect_error(gen_throw(g, OOPS, NULL), OOPS);
    expect_error(gen_throw(g, ALAS, NULL), ALAS);
    expect_error(gen_send(fresh, value_int(5), NULL), ERR_TYPE);
    expect_error(gen_throw(fresh, OOPS, NULL), OOPS);
    gen_free(g);
    gen_free(fresh);
}

/* --- 1.8: close ----------------------------------------------------------------------------- */

static void closing_one_that_has_not_started_runs_nothing(void)
{
    struct generator *g = gen_new(empty, NULL);
    close_returns(g, value_none());
    expect_no_trace();
    expect_state(g, GEN_CLOSED);
    next_returns(g, value_none());
    send_returns(g, value_int(5), value_none());
    expect_no_trace();
    gen_free(g);
}

static void closing_a_closed_one_does_nothing(void)
{
    struct generator *g = gen_new(returns_seven, NULL), *failed = gen_new(raises_oops, NULL);
    next_returns(g, value_int(7));
    close_returns(g, value_none());
    close_returns(g, value_none());
    next_raises(failed, OOPS);
    close_returns(failed, value_none());
    gen_free(g);
    gen_free(failed);
}

static void close_runs_the_clean_up(void)
{
    struct generator *g = gen_new(tidy, NULL);
    next_yields(g, value_int(1));
    close_returns(g, value_none());
    expect_trace("begin", "clean-up after ERR_GENERATOR_EXIT");
    expect_state(g, GEN_CLOSED);
    close_returns(g, value_none());
    expect_no_trace();
    gen_free(g);
}

static void close_hands_out_what_the_clean_up_returned(void)
{
    struct generator *g = gen_new(catches_and_returns, NULL);
    next_yields(g, value_int(1));
    close_returns(g, value_str("caught"));
    expect_state(g, GEN_CLOSED);
    close_returns(g, value_none());
    gen_free(g);
}

static int ignores_twice(void *arg, value *ret)
{
    (void)arg, (void)ret;
    int error = gen_yield(value_int(1), NULL);
    for (int i = 0; i < 2 && error == ERR_GENERATOR_EXIT; i++) {
        record("ignored");
        error = gen_yield(value_int(2), NULL);
    }
    record("gave in");
    return error;
}

static void one_that_yields_in_answer_to_close_is_told_of(void)
{
    struct generator *g = gen_new(ignores_twice, NULL);
    next_yields(g, value_int(1));
    close_raises(g, ERR_IGNORED_EXIT);
    expect_state(g, GEN_SUSPENDED);
    close_raises(g, ERR_IGNORED_EXIT);
    close_returns(g, value_none());
    expect_trace("ignored", "ignored", "gave in");
    expect_state(g, GEN_CLOSED);
    gen_free(g);
}

static void one_that_ignored_a_close_can_go_on(void)
{
    struct generator *g = gen_new(ignores_twice, NULL);
    next_yields(g, value_int(1));
    close_raises(g, ERR_IGNORED_EXIT);
    next_returns(g, value_none());
    expect_trace("ignored", "gave in");
    gen_free(g);
}

static void an_error_of_the_clean_up_is_raised_by_close(void)
{
    struct generator *g = gen_new(turns_into_alas, NULL);
    next_yields(g, value_int(1));
    close_raises(g, ALAS);
    expect_state(g, GEN_CLOSED);
    close_returns(g, value_none());
    gen_free(g);
}

static void closing_without_an_out(void)
{
    struct generator *g = gen_new(catches_and_returns, NULL), *h = gen_new(ignores_twice, NULL);
    next_yields(g, value_int(1));
    next_yields(h, value_int(1));
    step("gen_close(g, NULL), twice");
    expect_ok(gen_close(g, NULL));
    expect_ok(gen_close(g, NULL));
    step("gen_close(h, NULL), which ignores it twice");
    expect_error(gen_close(h, NULL), ERR_IGNORED_EXIT);
    expect_error(gen_close(h, NULL), ERR_IGNORED_EXIT);
    expect_ok(gen_close(h, NULL));
    gen_free(g);
    gen_free(h);
}

static void freeing_closes_it(void)
{
    struct generator *g = gen_new(tidy, NULL);
    next_yields(g, value_int(1));
    step("gen_free(g)");
    gen_free(g);
    expect_trace("begin", "clean-up after ERR_GENERATOR_EXIT");
    step("gen_free() of one that has not started, and of NULL");
    gen_free(gen_new(empty, NULL));
    gen_free(NULL);
    expect_no_trace();
}

static int owns_memory(void *arg, value *ret)
{
    char *mine = malloc(100);
    int error = mine == NULL ? -ENOMEM : 0;
    (void)arg, (void)ret;
    if (!error)
        error = gen_yield(value_int(1), NULL);
    free(mine);
    record("gave it back");
    return error;
}

static void closing_gives_back_what_the_body_holds(void)
{
    struct generator *g = gen_new(owns_memory, NULL), *h = gen_new(owns_memory, NULL);
    next_yields(g, value_int(1));
    close_returns(g, value_none());
    expect_trace("gave it back");
    next_yields(h, value_int(1));
    next_returns(h, value_none());
    expect_trace("gave it back");
    gen_free(g);
    gen_free(h);
}

static void hear(int error, void *arg)
{
    record("%s of %s", error_name(error), (const char *)arg);
}

static void errors_while_freeing_go_to_the_hook(void)
{
    static char who[] = "mine";
    struct generator *a = gen_new(turns_into_alas, NULL), *b = gen_new(ignores_twice, NULL),
                     *c = gen_new(tidy, NULL), *d = gen_new(raises_oops, NULL);
    next_yields(a, value_int(1));
    next_yields(b, value_int(1));
    next_yields(c, value_int(1));
    gen_set_unraisable(hear, who);
    step("gen_free(): its clean-up raises ALAS");
    gen_free(a);
    expect_trace("begin", "ALAS of mine");
    step("gen_free(): it ignores the exit");
    gen_free(b);
    expect_trace("ignored", "ERR_IGNORED_EXIT of mine");
    step("gen_free(): it ends well; and one that has not started");
    gen_free(c);
    gen_free(d);
    expect_trace("clean-up after ERR_GENERATOR_EXIT");
    gen_set_unraisable(NULL, NULL);
}

static void frees_one_with_an_error(void *arg)
{
    struct generator *g = gen_new(turns_into_alas, NULL);
    (void)arg;
    int status = gen_next(g, NULL);
    gen_free(g);
    step("the process ends");
    (void)status;
    abort();
}

static void without_a_hook_the_error_is_printed(void)
{
    step("gen_free(g), whose clean-up raises ALAS");
    expect_death(SIGABRT, "error ignored while generator 'turns_into_alas' was freed: ALAS",
                 frees_one_with_an_error, NULL);
}

/* --- programs of the course: filters, pipelines --------------------------------------------- */

/* Sends on what it is sent, doubled; whatever happens to the target happens to it. */
static int doubles(void *arg, value *ret)
{
    struct generator *target = arg;
    int error = 0, status = GEN_NEXT;
    while (!error && status == GEN_NEXT) {
        value in;
        error = gen_yield(value_none(), &in);
        if (!error) {
            record("filter sends");
            status = gen_send(target, value_int(2 * value_as_int(in)), ret);
        }
    }
    return error ? error : status < 0 ? status : 0;
}

/* Takes values until one is 6 (returns) or 8 (raises OOPS). */
static int sink(void *arg, value *ret)
{
    int error = 0;
    (void)ret;
    while (!error) {
        value in;
        error = gen_yield(value_none(), &in);
        if (!error) {
            record("sink got %d", (int)value_as_int(in));
            if (value_equal(in, value_int(6)))
                return 0;
            error = value_equal(in, value_int(8)) ? OOPS : 0;
        }
    }
    record("%s closed", (const char *)arg);
    return error;
}

static void a_filter_ends_with_its_target(void)
{
    static char name[] = "sink";
    struct generator *end, *filter;
    step("filter doubles and sends to sink");
    expect_int(gen_new_primed(sink, name, &end), GEN_NEXT);
    expect_int(gen_new_primed(doubles, end, &filter), GEN_NEXT);
    send_yields(filter, value_int(1), value_none());
    send_returns(filter, value_int(3), value_none());
    expect_trace("filter sends", "sink got 2", "filter sends", "sink got 6");
    send_returns(filter, value_int(1), value_none());
    expect_no_trace();
    gen_free(filter);
    gen_free(end);
}

static void a_filter_passes_its_targets_error_on(void)
{
    static char name[] = "sink";
    struct generator *end, *filter;
    step("filter doubles and sends to sink");
    expect_int(gen_new_primed(sink, name, &end), GEN_NEXT);
    expect_int(gen_new_primed(doubles, end, &filter), GEN_NEXT);
    send_raises(filter, value_int(4), OOPS);
    expect_trace("filter sends", "sink got 8", "sink closed");
    send_returns(filter, value_int(1), value_none());
    expect_no_trace();
    gen_free(filter);
    gen_free(end);
}

/* Sends each value to two targets, which it borrows. */
static int broadcasts(void *arg, value *ret)
{
    struct generator **targets = arg;
    int error = 0;
    (void)ret;
    while (!error) {
        value in;
        error = gen_yield(value_none(), &in);
        for (int i = 0; i < 2 && !error; i++) {
            int status = gen_send(targets[i], in, NULL);
            error = status < 0 ? status : 0;
        }
    }
    record("broadcast closed");
    return error;
}

static void a_pipeline_is_closed_from_source_to_sink(void)
{
    static char name[] = "shared sink";
    struct generator *end, *filters[2], *source;
    step("source broadcasts to two filters, both send to one sink");
    expect_int(gen_new_primed(sink, name, &end), GEN_NEXT);
    expect_int(gen_new_primed(doubles, end, &filters[0]), GEN_NEXT);
    expect_int(gen_new_primed(doubles, end, &filters[1]), GEN_NEXT);
    expect_int(gen_new_primed(broadcasts, filters, &source), GEN_NEXT);
    send_yields(source, value_int(1), value_none());
    expect_trace("filter sends", "sink got 2", "filter sends", "sink got 2");
    close_returns(source, value_none());
    expect_trace("broadcast closed");
    expect_state(filters[0], GEN_SUSPENDED);
    close_returns(filters[0], value_none());
    close_returns(filters[1], value_none());
    expect_no_trace();
    expect_state(end, GEN_SUSPENDED);
    close_returns(end, value_none());
    expect_trace("shared sink closed");
    close_returns(source, value_none());
    close_returns(end, value_none());
    expect_no_trace();
    gen_free(source);
    gen_free(filters[0]);
    gen_free(filters[1]);
    gen_free(end);
}

/* --- what only a broken program does -------------------------------------------------------- */

static void yields_outside(void *arg)
{
    (void)arg;
    int error = gen_yield(value_int(1), NULL);
    (void)error;
}

static void a_yield_outside_a_generator_aborts(void)
{
    step("gen_yield(1) in main()");
    expect_death(SIGABRT, "gen_yield() outside a generator", yields_outside, NULL);
}

static int frees_itself(void *arg, value *ret)
{
    (void)ret;
    gen_free(*(struct generator **)arg);
    return 0;
}

static void runs_one_that_frees_itself(void *arg)
{
    struct generator *g = gen_new(frees_itself, &g);
    (void)arg;
    int status = gen_next(g, NULL);
    (void)status;
}

static void freeing_one_that_runs_aborts(void)
{
    step("inside: gen_free(g)");
    expect_death(SIGABRT, "gen_free() of generator 'frees_itself', which is running",
                 runs_one_that_frees_itself, NULL);
}

static void *frees(void *arg)
{
    gen_free(arg);
    return NULL;
}

static void frees_in_another_thread(void *arg)
{
    struct generator *g = gen_new(tidy, NULL);
    pthread_t thread;
    (void)arg;
    int status = gen_next(g, NULL);
    (void)status;
    if (pthread_create(&thread, NULL, frees, g) == 0)
        pthread_join(thread, NULL);
}

static void freeing_one_of_another_thread_aborts(void)
{
    step("another thread: gen_free(g)");
    expect_death(SIGABRT, "gen_free() of generator 'tidy', which belongs to another thread",
                 frees_in_another_thread, NULL);
}

static int returns_one(void *arg, value *ret)
{
    (void)arg, (void)ret;
    return 1;
}

static void runs_one_that_returns_one(void *arg)
{
    (void)arg;
    int status = gen_next(gen_new(returns_one, NULL), NULL);
    (void)status;
}

static void a_positive_result_of_a_body_aborts(void)
{
    step("gen_next(g), whose body says return 1");
    expect_death(SIGABRT, "the body of generator 'returns_one' returned 1",
                 runs_one_that_returns_one, NULL);
}

static void makes_one_of_nothing(void *arg)
{
    (void)arg;
    gen_free(gen_new_named(NULL, NULL, NULL));
}

static void a_generator_without_a_body_aborts(void)
{
    step("gen_new(NULL, NULL)");
    expect_death(SIGABRT, "gen_new() without a body", makes_one_of_nothing, NULL);
}

/* --- memory --------------------------------------------------------------------------------- */

static void an_absurd_stack_is_refused(void)
{
    static const size_t absurd[] = {((size_t)64 << 20) + 1, SIZE_MAX, SIZE_MAX / 2,
                                    SIZE_MAX - 4095};
    for (size_t i = 0; i < sizeof absurd / sizeof *absurd; i++) {
        struct generator *g = (void *)&g;
        step("gen_new_sized(empty, NULL, \"absurd\", %zu, &g)", absurd[i]);
        expect_error(gen_new_sized(empty, NULL, "absurd", absurd[i], &g), ERR_VALUE);
        expect_true("g is NULL", g == NULL);
    }
}

static int touches(void *arg, value *ret)
{
    size_t size = *(size_t *)arg;
    volatile char *page = __builtin_alloca(size);
    (void)ret;
    for (size_t i = 0; i < size; i += 512)
        page[i] = (char)i;
    return 0;
}

static void a_stack_can_be_chosen(void)
{
    static const size_t sizes[] = {0,      1,       16 << 10, (16 << 10) + 1,
                                   100000, 1 << 20, 10 << 20, 64 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct generator *g = NULL;
        size_t use = sizes[i] < 32 << 10 ? 4 << 10 : sizes[i] / 2;
        step("gen_new_sized(touches, %zu bytes, \"chosen\", %zu, &g)", use, sizes[i]);
        expect_ok(gen_new_sized(touches, &use, "chosen", sizes[i], &g));
        expect_str(gen_name(g), "chosen");
        next_returns(g, value_none());
        gen_free(g);
    }
}

static void without_memory_there_is_no_generator(void)
{
    enum { MANY = 100000 };
    static struct generator *many[MANY];
    int n = 0, reason = 0;
    step("gen_new() until the system refuses to give memory");
    fail_mapping(1);
    for (; n < MANY; n++) {
        errno = 0;
        many[n] = gen_new(count_to_three, NULL);
        reason = errno;
        if (many[n] == NULL)
            break;
    }
    if (!allocation_failed())
        skip("stacks could be had without asking the system");
    expect_true("gen_new() answers NULL", n < MANY);
    expect_int(reason, ENOMEM);
    step("the others still work, and so does the next, when memory is back");
    many[n] = gen_new(count_to_three, NULL);
    for (int i = 0; i <= n; i++) {
        next_yields(many[i], value_int(1));
        while (gen_next(many[i], NULL) == GEN_NEXT)
            continue;
        gen_free(many[i]);
    }
}

static const struct check checks[] = {
    CHECK(a_yield_outside_a_generator_aborts, "", NULL, ""),
    CHECK(a_generator_without_a_body_aborts, "", NULL, ""),
    CHECK(an_absurd_stack_is_refused, "", NULL, ""),
    CHECK(a_positive_result_of_a_body_aborts, "", NULL, "1.3"),
    CHECK(freeing_one_that_runs_aborts, "", NULL, "1.3"),
    CHECK(freeing_one_of_another_thread_aborts, "", NULL, "1.4"),

    CHECK(the_end_of_the_body_returns_none, "G05", "1.2", "1.3"),
    CHECK(a_returned_value_is_handed_out, "G06", "1.2", "1.3"),
    CHECK(any_value_can_be_returned, "G07", "1.2", "1.3"),
    CHECK(an_error_of_the_body_is_raised, "G14", "1.2", "1.3"),

    CHECK(making_one_runs_nothing, "G01", "1.3", "1.2"),
    CHECK(none_can_be_sent_first, "G09", "1.3", "1.2"),
    CHECK(one_that_runs_cannot_be_adopted, "G18", "1.3", "1.2"),
    CHECK(a_stack_can_be_chosen, "", "1.3", "1.2"),
    SLOW_CHECK(stacks_are_used_again, "G29", "1.3", "1.2 1.5 1.7 1.8", 10),
    CHECK(next_runs_to_the_next_yield, "G02 G05", "1.3", "1.2 1.4"),
    CHECK(results_may_be_thrown_away, "", "1.3", "1.2 1.4 1.5"),
    CHECK(a_yield_goes_to_the_latest_resumer, "G27", "1.3", "1.2 1.4"),
    CHECK(the_state_can_be_asked, "G28", "1.3", "1.2 1.4"),

    CHECK(yielding_none_is_not_the_end, "G02 G08", "1.4", "1.2 1.3"),
    CHECK(the_yield_evaluates_to_what_is_sent, "G04", "1.4", "1.2 1.3"),
    CHECK(next_sends_none, "G03", "1.4", "1.2 1.3"),
    CHECK(two_instances_share_nothing, "G31", "1.4", "1.2 1.3"),
    CHECK(a_loop_ends_at_the_return, "G08", "1.4", "1.2 1.3"),
    CHECK(a_helper_may_yield_at_any_depth, "", "1.4", "1.2 1.3"),
    CHECK(floating_point_locals_survive_a_yield, "", "1.4", "1.2 1.3"),
    SLOW_CHECK(ten_thousand_live_at_once, "", "1.4", "1.2 1.3", 10),
    SLOW_CHECK(without_memory_there_is_no_generator, "", "1.4", "1.2 1.3", 20),
    CHECK(one_outlives_the_thread_that_made_it, "G18", "1.4", "1.2 1.3"),

    CHECK(nothing_but_none_can_be_sent_first, "G09", "1.5", "1.2 1.3 1.4"),
    CHECK(the_value_is_returned_once, "G06", "1.5", "1.2 1.3"),
    CHECK(a_closed_one_accepts_anything, "G10", "1.5", "1.2 1.3"),
    CHECK(the_error_is_raised_once, "G14", "1.5", "1.2 1.3"),
    CHECK(one_that_runs_cannot_resume_itself, "G17", "1.5", "1.2 1.3 1.4"),
    CHECK(one_that_runs_cannot_throw_into_or_close_itself, "G17", "1.8", "1.2 1.3 1.4 1.5 1.7"),
    CHECK(one_that_waits_for_whom_it_resumed_is_busy, "G18", "1.5", "1.2 1.3 1.4"),
    CHECK(an_adopted_one_goes_on_in_its_new_thread, "G18", "1.5", "1.2 1.3 1.4"),
    CHECK(another_thread_finds_it_busy, "G18", "1.8", "1.2 1.3 1.4 1.5 1.7"),
    CHECK(a_thread_inherits_nothing_from_one_that_has_ended, "G18", "1.8",
          "1.2 1.3 1.4 1.5 1.7"),
    CHECK(another_thread_finds_it_busy_while_it_runs, "G18", "1.8", "1.2 1.3 1.4 1.5 1.7"),

    CHECK(a_primed_one_waits_at_its_first_yield, "G34", "1.6", "1.2 1.3 1.4"),
    CHECK(a_primed_one_that_returned_is_closed, "G34", "1.6", "1.2 1.3"),
    CHECK(a_primed_one_that_raised_leaves_nothing, "G34", "1.6", "1.2 1.3"),
    CHECK(primed_ones_that_raise_use_one_stack, "G34", "1.6", "1.2 1.3 1.5 1.7 1.8"),
    CHECK(a_primed_one_without_memory_is_refused, "G34", "1.6", ""),

    CHECK(only_errors_can_be_thrown, "G11", "1.7", "1.2 1.3 1.4"),
    CHECK(a_thrown_error_is_raised_at_the_yield, "G11", "1.7", "1.2 1.3 1.4 1.5"),
    CHECK(an_error_that_is_caught_gives_the_next_yield, "G11", "1.7", "1.2 1.3 1.4"),
    CHECK(an_error_that_is_caught_may_end_in_a_return, "G11", "1.7", "1.2 1.3 1.4 1.5"),
    CHECK(with_an_error_nothing_is_sent, "G11", "1.7", "1.2 1.3 1.4"),
    CHECK(every_kind_of_error_passes_unchanged, "G11 G14", "1.7", "1.2 1.3 1.4"),
    CHECK(throwing_into_one_that_has_not_started_never_runs_it, "G12", "1.5", "1.7"),
    CHECK(throwing_into_a_closed_one_raises_at_once, "G13", "1.5", "1.2 1.3 1.7"),
    CHECK(an_error_may_become_another, "G16", "1.7", "1.2 1.3 1.4"),
    CHECK(throwing_an_exit_is_not_closing, "G24", "1.7", "1.2 1.3 1.4"),
    CHECK(an_exit_is_no_ordinary_error, "G25", "1.7", "1.2 1.3 1.4"),
    CHECK(clean_up_may_yield, "G30", "1.4", "1.2 1.3"),
    CHECK(outs_may_be_null_when_it_raises, "", "1.7", "1.2 1.3 1.4 1.5"),

    CHECK(closing_one_that_has_not_started_runs_nothing, "G10 G19", "1.8", "1.5 1.7"),
    CHECK(closing_a_closed_one_does_nothing, "G20", "1.8", "1.2 1.3"),
    CHECK(close_runs_the_clean_up, "G21", "1.8", "1.2 1.3 1.4 1.7"),
    CHECK(close_hands_out_what_the_clean_up_returned, "G21", "1.8", "1.2 1.3 1.4 1.7"),
    CHECK(one_that_yields_in_answer_to_close_is_told_of, "G22", "1.8", "1.2 1.3 1.4 1.7"),
    CHECK(one_that_ignored_a_close_can_go_on, "G22", "1.8", "1.2 1.3 1.4 1.7"),
    CHECK(an_error_of_the_clean_up_is_raised_by_close, "G23", "1.8", "1.2 1.3 1.4 1.7"),
    CHECK(closing_without_an_out, "", "1.8", "1.2 1.3 1.4 1.7"),
    CHECK(freeing_closes_it, "G26", "1.8", "1.2 1.3 1.4 1.5 1.7"),
    CHECK(closing_gives_back_what_the_body_holds, "G29", "1.8", "1.2 1.3 1.4 1.7"),
    CHECK(errors_while_freeing_go_to_the_hook, "G26", "1.8", "1.2 1.3 1.4 1.5 1.7"),
    CHECK(without_a_hook_the_error_is_printed, "G26", "1.8", "1.2 1.3 1.4 1.7"),

    CHECK(a_filter_ends_with_its_target, "G32", "1.6", "1.2 1.3 1.4 1.5"),
    CHECK(a_filter_passes_its_targets_error_on, "G32", "1.6", "1.2 1.3 1.4 1.5"),
    CHECK(a_pipeline_is_closed_from_source_to_sink, "G33", "1.8", "1.2 1.3 1.4 1.6 1.7"),
};
SUITE(generator, 1, checks)
