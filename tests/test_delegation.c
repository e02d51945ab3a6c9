/*
 * Generators that let others talk: gen_yield_from(), in both directions, and how a chain ends.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "generator.h"
#include "harness.h"
#include "resume.h"

enum { OOPS = ERR_USER, ALAS = ERR_USER - 1 };

/*
 * Most checks need one inner generator and an outer one that delegates to it. The outer notes how
 * the delegation came out, and returns its value, or does with an error what `then` says.
 */
enum then { PASS_ON, RETURN, YIELD, RAISE };

struct outer {
    struct generator *inner;
    enum then then;
    struct generator *self; /* for those who look at themselves */
};

static int delegates(void *arg, value *ret)
{
    struct outer *o = arg;
    value got = value_int(-1);
    record("outer begins");
    int error = gen_yield_from(o->inner, &got);
    if (error) {
        record("outer got %s", error_name(error));
        expect_value(got, value_none());
    } else {
        record("outer goes on");
    }
    if (error && o->then == RETURN) {
        *ret = value_str("outer caught it");
        error = 0;
    } else if (error && o->then == YIELD) {
        error = gen_yield(value_str("outer caught it"), NULL);
    } else if (error && o->then == RAISE) {
        error = ALAS;
    } else {
        *ret = got;
    }
    return error;
}

/* Yields "ready" and what it is sent, until "stop"; returns "over". */
static int echo(void *arg, value *ret)
{
    value in;
    (void)arg;
    record("inner begins");
    int error = gen_yield(value_str("ready"), &in);
    while (!error && !value_equal(in, value_str("stop")))
        error = gen_yield(in, &in);
    record("inner ends with %s", error ? error_name(error) : "0");
    *ret = value_str("over");
    return error;
}

static int empty(void *arg, value *ret)
{
    (void)arg, (void)ret;
    return 0;
}

static int returns_seven(void *arg, value *ret)
{
    (void)arg;
    *ret = value_int(7);
    return 0;
}

static int raises_at_once(void *arg, value *ret)
{
    (void)arg, (void)ret;
    return OOPS;
}

static int raises_when_resumed(void *arg, value *ret)
{
    (void)arg, (void)ret;
    int error = gen_yield(value_int(1), NULL);
    return error ? error : OOPS;
}

/* Yields 1; what is raised there is caught and ends in a yield, or in a return of "caught". */
static int catches_and_yields(void *arg, value *ret)
{
    (void)arg;
    int error = gen_yield(value_int(1), NULL);
    if (error)
        error = gen_yield(value_str("inner caught it"), NULL);
    *ret = value_str("inner is over");
    return error;
}

static int catches_and_returns(void *arg, value *ret)
{
    (void)arg;
    int error = gen_yield(value_int(1), NULL);
    record("inner got %s", error ? error_name(error) : "0");
    *ret = value_str("caught");
    return 0;
}

static int turns_into_oops(void *arg, value *ret)
{
    (void)arg, (void)ret;
    return gen_yield(value_int(1), NULL) ? OOPS : 0;
}

static int count(void *arg, value *ret)
{
    int n = *(int *)arg, error = 0;
    for (int i = 1; i <= n && !error; i++)
        error = gen_yield(value_int(i), NULL);
    *ret = value_str("counted");
    return error;
}

static struct generator *outer_of(struct outer *o, struct generator *inner, enum then then)
{
    *o = (struct outer){inner, then, gen_new(delegates, o)};
    return o->self;
}

/* --- 1.9: talking --------------------------------------------------------------------------- */

static void the_inner_ones_yields_go_to_the_resumer(void)
{
    struct outer o;
    struct generator *outer = outer_of(&o, gen_new(echo, NULL), PASS_ON);
    next_yields(outer, value_str("ready"));
    expect_trace("outer begins", "inner begins");
    next_yields(outer, value_none());
    send_returns(outer, value_str("stop"), value_str("over"));
    expect_trace("inner ends with 0", "outer goes on");
    expect_state(o.inner, GEN_CLOSED);
    gen_free(outer);
    gen_free(o.inner);
}

static void what_is_sent_goes_to_the_inner_one(void)
{
    struct outer o;
    struct generator *outer = outer_of(&o, gen_new(echo, NULL), PASS_ON);
    next_yields(outer, value_str("ready"));
    expect_trace("outer begins", "inner begins");
    send_yields(outer, value_int(5), value_int(5));
    send_yields(outer, value_str("hello"), value_str("hello"));
    expect_no_trace();
    send_returns(outer, value_str("stop"), value_str("over"));
    gen_free(outer);
    gen_free(o.inner);
}

static int delegates_twice(void *arg, value *ret)
{
    struct generator **inner = arg;
    value got;
    int error = 0;
    for (int i = 0; i < 2 && !error; i++) {
        error = gen_yield_from(inner[i], &got);
        record("got %s", error                ? error_name(error)
                         : value_is_none(got) ? "None"
                                              : value_as_str(got));
    }
    *ret = value_str("both");
    return error;
}

static void the_delegation_evaluates_to_the_returned_value(void)
{
    int two = 2;
    struct generator *inner[] = {gen_new(count, &two), gen_new(count, &two)};
    struct generator *outer = gen_new(delegates_twice, inner);
    next_yields(outer, value_int(1));
    next_yields(outer, value_int(2));
    expect_no_trace();
    next_yields(outer, value_int(1));
    expect_trace("got counted");
    next_yields(outer, value_int(2));
    next_returns(outer, value_str("both"));
    expect_trace("got counted");
    gen_free(outer);
    gen_free(inner[0]);
    gen_free(inner[1]);
}

static void one_that_yields_nothing_takes_no_extra_resume(void)
{
    struct outer a, b;
    struct generator *outer = outer_of(&a, gen_new(empty, NULL), PASS_ON);
    next_returns(outer, value_none());
    struct generator *other = outer_of(&b, gen_new(returns_seven, NULL), PASS_ON);
    next_returns(other, value_int(7));
    gen_free(outer);
    gen_free(other);
    gen_free(a.inner);
    gen_free(b.inner);
}

static void an_error_of_the_first_step_surfaces_in_the_outer_one(void)
{
    struct outer a, b;
    struct generator *outer = outer_of(&a, gen_new(raises_at_once, NULL), PASS_ON);
    next_raises(outer, OOPS);
    struct generator *catching = outer_of(&b, gen_new(raises_at_once, NULL), RETURN);
    next_returns(catching, value_str("outer caught it"));
    gen_free(outer);
    gen_free(catching);
    gen_free(a.inner);
    gen_free(b.inner);
}

static void an_error_of_a_later_step_surfaces_in_the_outer_one(void)
{
    struct outer a, b;
    struct generator *outer = outer_of(&a, gen_new(raises_when_resumed, NULL), YIELD);
    next_yields(outer, value_int(1));
    send_yields(outer, value_int(5), value_str("outer caught it"));
    expect_state(a.inner, GEN_CLOSED);
    expect_true("it delegates to nobody any more", gen_delegate(outer) == NULL);
    next_returns(outer, value_none());
    struct generator *changing = outer_of(&b, gen_new(raises_when_resumed, NULL), RAISE);
    next_yields(changing, value_int(1));
    next_raises(changing, ALAS);
    gen_free(outer);
    gen_free(changing);
    gen_free(a.inner);
    gen_free(b.inner);
}

static void one_that_has_ended_gives_none_at_once(void)
{
    struct outer o;
    struct generator *inner = gen_new(returns_seven, NULL);
    next_returns(inner, value_int(7));
    struct generator *outer = outer_of(&o, inner, PASS_ON);
    next_returns(outer, value_none());
    expect_trace("outer begins", "outer goes on");
    gen_free(outer);
    gen_free(inner);
}

static void one_that_has_begun_goes_on_where_it_stands(void)
{
    struct outer o;
    int three = 3;
    struct generator *inner = gen_new(count, &three);
    next_yields(inner, value_int(1));
    struct generator *outer = outer_of(&o, inner, PASS_ON);
    next_yields(outer, value_int(2));
    next_yields(outer, value_int(3));
    next_returns(outer, value_str("counted"));
    gen_free(outer);
    gen_free(inner);
}

static int delegates_to_itself(void *arg, value *ret)
{
    struct outer *o = arg;
    value got = value_int(1);
    (void)ret;
    expect_error(gen_yield_from(o->self, &got), ERR_BUSY);
    expect_value(got, value_none());
    expect_error(gen_yield_from(o->self, NULL), ERR_BUSY);
    return gen_yield(value_str("undamaged"), NULL);
}

static void nobody_delegates_to_himself(void)
{
    struct outer o = {.self = NULL};
    struct generator *g = o.self = gen_new(delegates_to_itself, &o);
    step("inside: gen_yield_from(self)");
    next_yields(g, value_str("undamaged"));
    next_returns(g, value_none());
    gen_free(g);
}

/* The inner one delegates back to the outer one, which waits for it. */
static void nobody_delegates_to_one_that_waits_for_him(void)
{
    struct outer a, b = {.self = NULL};
    struct generator *inner = b.self = gen_new(delegates, &b);
    struct generator *outer = outer_of(&a, inner, PASS_ON);
    b.inner = outer;
    b.then = YIELD;
    step("outer delegates to inner, and inner to outer");
    next_yields(outer, value_str("outer caught it"));
    expect_trace("outer begins", "outer begins", "outer got ERR_BUSY");
    next_returns(outer, value_none());
    gen_free(outer);
    gen_free(inner);
}

static void the_second_delegator_is_refused(void)
{
    struct outer a, b;
    struct generator *inner = gen_new(echo, NULL);
    struct generator *first = outer_of(&a, inner, PASS_ON), *second = outer_of(&b, inner, RETURN);
    next_yields(first, value_str("ready"));
    step("a second one delegates to the same inner one");
    next_returns(second, value_str("outer caught it"));
    expect_trace("outer begins", "inner begins", "outer begins", "outer got ERR_BUSY");
    send_yields(first, value_int(5), value_int(5));
    send_returns(first, value_str("stop"), value_str("over"));
    gen_free(first);
    gen_free(second);
    gen_free(inner);
}

static int looks_around(void *arg, value *ret)
{
    struct outer *o = arg;
    (void)ret;
    expect_state(o->self, GEN_RUNNING);
    expect_state(o->inner, GEN_RUNNING);
    expect_true("the running one is the inner one", gen_current() == o->inner);
    expect_true("a running outer one shows no delegate", gen_delegate(o->self) == NULL);
    value out;
    int status = gen_next(o->self, &out);
    expect_raises(status, out, ERR_BUSY);
    return gen_yield(value_int(1), NULL);
}

static void the_outer_one_counts_as_running(void)
{
    struct outer o;
    struct generator *inner = gen_new(looks_around, &o);
    struct generator *outer = outer_of(&o, inner, PASS_ON);
    next_yields(outer, value_int(1));
    expect_state(outer, GEN_SUSPENDED);
    expect_state(inner, GEN_SUSPENDED);
    expect_true("a suspended outer one shows its delegate", gen_delegate(outer) == inner);
    next_returns(outer, value_none());
    expect_true("a closed one has none", gen_delegate(outer) == NULL);
    gen_free(outer);
    gen_free(inner);
}

static int delegates_without_out(void *arg, value *ret)
{
    (void)ret;
    return gen_yield_from(arg, NULL);
}

static void the_value_may_be_unwanted(void)
{
    struct generator *inner = gen_new(returns_seven, NULL);
    struct generator *outer = gen_new(delegates_without_out, inner);
    step("gen_yield_from(inner, NULL)");
    next_returns(outer, value_none());
    gen_free(outer);
    gen_free(inner);
}

/* --- the tree of the course: a walk that delegates to itself -------------------------------- */

struct node {
    int key;
    struct node *left, *right;
};

static int walk(void *arg, value *ret)
{
    struct node *node = arg;
    struct node *const sides[] = {node->left, node->right};
    int error = 0;
    (void)ret;
    for (int i = 0; i < 2 && !error; i++) {
        if (sides[i] != NULL) {
            struct generator *g = gen_new(walk, sides[i]);
            error = g == NULL ? ERR_RUNTIME : gen_yield_from(g, NULL);
            gen_free(g);
        }
        if (!error && i == 0)
            error = gen_yield(value_int(node->key), NULL);
    }
    return error;
}

static void a_tree_is_walked_in_order(void)
{
    struct node n[7];
    for (int i = 0; i < 7; i++)
        n[i] = (struct node){i, NULL, NULL};
    n[3].left = &n[1], n[3].right = &n[5];
    n[1].left = &n[0], n[1].right = &n[2];
    n[5].left = &n[4], n[5].right = &n[6];
    struct generator *g = gen_new(walk, &n[3]);
    for (int i = 0; i < 7; i++)
        next_yields(g, value_int(i));
    next_returns(g, value_none());
    gen_free(g);
}

/* --- 1.7 and 1.9: throwing through ---------------------------------------------------------- */

static void a_thrown_error_goes_to_the_inner_one_first(void)
{
    struct outer o;
    struct generator *outer = outer_of(&o, gen_new(catches_and_yields, NULL), PASS_ON);
    next_yields(outer, value_int(1));
    throw_yields(outer, OOPS, value_str("inner caught it"));
    expect_trace("outer begins");
    next_returns(outer, value_str("inner is over"));
    gen_free(outer);
    gen_free(o.inner);
}

static void an_error_that_the_inner_one_catches_may_end_it(void)
{
    struct outer o;
    struct generator *outer = outer_of(&o, gen_new(catches_and_returns, NULL), PASS_ON);
    next_yields(outer, value_int(1));
    throw_returns(outer, OOPS, value_str("caught"));
    expect_trace("outer begins", "inner got OOPS", "outer goes on");
    gen_free(outer);
    gen_free(o.inner);
}

static void an_error_that_nobody_catches_comes_out(void)
{
    struct outer a, b;
    struct generator *outer = outer_of(&a, gen_new(echo, NULL), PASS_ON);
    next_yields(outer, value_str("ready"));
    throw_raises(outer, OOPS, OOPS);
    expect_trace("outer begins", "inner begins", "inner ends with OOPS", "outer got OOPS");
    struct generator *catching = outer_of(&b, gen_new(echo, NULL), YIELD);
    next_yields(catching, value_str("ready"));
    throw_yields(catching, OOPS, value_str("outer caught it"));
    next_returns(catching, value_none());
    gen_free(outer);
    gen_free(catching);
    gen_free(a.inner);
    gen_free(b.inner);
}

/* --- 1.10: closing from the inside out ------------------------------------------------------ */

static void close_ends_the_inner_one_first(void)
{
    struct outer o;
    struct generator *outer = outer_of(&o, gen_new(echo, NULL), PASS_ON);
    next_yields(outer, value_str("ready"));
    close_returns(outer, value_none());
    expect_trace("outer begins", "inner begins", "inner ends with ERR_GENERATOR_EXIT",
                 "outer got ERR_GENERATOR_EXIT");
    expect_state(outer, GEN_CLOSED);
    expect_state(o.inner, GEN_CLOSED);
    gen_free(outer);
    gen_free(o.inner);
}

static void throwing_an_exit_closes_the_inner_one_too(void)
{
    struct outer a, b;
    struct generator *outer = outer_of(&a, gen_new(catches_and_returns, NULL), PASS_ON);
    next_yields(outer, value_int(1));
    throw_raises(outer, ERR_GENERATOR_EXIT, ERR_GENERATOR_EXIT);
    expect_trace("outer begins", "inner got ERR_GENERATOR_EXIT", "outer got ERR_GENERATOR_EXIT");
    struct generator *catching = outer_of(&b, gen_new(echo, NULL), YIELD);
    next_yields(catching, value_str("ready"));
    throw_yields(catching, ERR_GENERATOR_EXIT, value_str("outer caught it"));
    next_returns(catching, value_none());
    gen_free(outer);
    gen_free(catching);
    gen_free(a.inner);
    gen_free(b.inner);
}

static void an_error_of_the_inner_clean_up_replaces_the_exit(void)
{
    struct outer a, b;
    struct generator *outer = outer_of(&a, gen_new(turns_into_oops, NULL), PASS_ON);
    next_yields(outer, value_int(1));
    close_raises(outer, OOPS);
    expect_trace("outer begins", "outer got OOPS");
    expect_state(outer, GEN_CLOSED);
    struct generator *yielding = outer_of(&b, gen_new(turns_into_oops, NULL), YIELD);
    next_yields(yielding, value_int(1));
    close_raises(yielding, ERR_IGNORED_EXIT);
    expect_state(yielding, GEN_SUSPENDED);
    next_returns(yielding, value_none());
    gen_free(outer);
    gen_free(yielding);
    gen_free(a.inner);
    gen_free(b.inner);
}

static void an_inner_one_that_will_not_end_is_told_of_in_the_outer_one(void)
{
    struct outer a, b;
    struct generator *outer = outer_of(&a, gen_new(catches_and_yields, NULL), PASS_ON);
    next_yields(outer, value_int(1));
    close_raises(outer, ERR_IGNORED_EXIT);
    expect_trace("outer begins", "outer got ERR_IGNORED_EXIT");
    expect_state(outer, GEN_CLOSED);
    expect_state(a.inner, GEN_SUSPENDED);
    next_returns(a.inner, value_str("inner is over"));
    struct generator *catching = outer_of(&b, gen_new(catches_and_yields, NULL), RETURN);
    next_yields(catching, value_int(1));
    close_returns(catching, value_str("outer caught it"));
    next_returns(b.inner, value_str("inner is over"));
    gen_free(outer);
    gen_free(catching);
    gen_free(a.inner);
    gen_free(b.inner);
}

static void closing_the_outer_one_closes_a_shared_inner_one(void)
{
    struct outer o;
    int three = 3;
    struct generator *inner = gen_new(count, &three);
    next_yields(inner, value_int(1));
    struct generator *outer = outer_of(&o, inner, PASS_ON);
    next_yields(outer, value_int(2));
    close_returns(outer, value_none());
    next_returns(inner, value_none());
    gen_free(outer);
    gen_free(inner);
}

/* --- chains: a, which delegates to b, which delegates to c ---------------------------------- */

struct chain {
    struct outer a, b;
    struct generator *c;
};

static void make_chain(struct chain *chain, enum then then_a, enum then then_b)
{
    chain->c = gen_new(echo, NULL);
    outer_of(&chain->b, chain->c, then_b);
    outer_of(&chain->a, chain->b.self, then_a);
    step("a delegates to b, and b to c");
    value out;
    int status = gen_next(chain->a.self, &out);
    expect_yields(status, out, value_str("ready"));
    expect_trace("outer begins", "outer begins", "inner begins");
}

static void free_chain(struct chain *chain)
{
    gen_free(chain->a.self);
    gen_free(chain->b.self);
    gen_free(chain->c);
}

static void a_delegated_one_can_be_driven_directly(void)
{
    struct chain chain;
    make_chain(&chain, PASS_ON, PASS_ON);
    struct generator *a = chain.a.self, *b = chain.b.self, *c = chain.c;
    send_yields(c, value_int(1), value_int(1));
    send_yields(b, value_int(2), value_int(2));
    send_yields(a, value_int(3), value_int(3));
    send_yields(c, value_int(4), value_int(4));
    expect_no_trace();
    expect_state(a, GEN_SUSPENDED);
    expect_true("a delegates to b", gen_delegate(a) == b);
    expect_true("b delegates to c", gen_delegate(b) == c);
    send_returns(a, value_str("stop"), value_str("over"));
    expect_trace("inner ends with 0", "outer goes on", "outer goes on");
    free_chain(&chain);
}

static void one_that_ended_behind_its_delegators_back_gives_none(void)
{
    struct chain chain;
    make_chain(&chain, PASS_ON, PASS_ON);
    struct generator *a = chain.a.self, *b = chain.b.self, *c = chain.c;
    send_returns(c, value_str("stop"), value_str("over"));
    expect_trace("inner ends with 0");
    expect_state(c, GEN_CLOSED);
    expect_state(b, GEN_SUSPENDED);
    expect_true("b delegates to nobody", gen_delegate(b) == NULL);
    send_returns(a, value_int(5), value_none());
    expect_trace("outer goes on", "outer goes on");
    free_chain(&chain);
}

static void the_next_delegation_has_its_value_again(void)
{
    int one = 1;
    struct generator *inner[] = {gen_new(count, &one), gen_new(count, &one)};
    struct generator *outer = gen_new(delegates_twice, inner);
    next_yields(outer, value_int(1));
    next_returns(inner[0], value_str("counted"));
    next_yields(outer, value_int(1));
    expect_trace("got None");
    next_returns(outer, value_str("both"));
    expect_trace("got counted");
    gen_free(outer);
    gen_free(inner[0]);
    gen_free(inner[1]);
}

static void one_that_ended_in_a_delegation_gives_none_to_the_next(void)
{
    int one = 1;
    struct generator *inner[2];
    inner[0] = inner[1] = gen_new(count, &one);
    struct generator *outer = gen_new(delegates_twice, inner);
    next_yields(outer, value_int(1));
    next_returns(outer, value_str("both"));
    expect_trace("got counted", "got None");
    gen_free(outer);
    gen_free(inner[0]);
}

static void a_middle_one_can_be_driven_to_its_end(void)
{
    struct chain chain;
    make_chain(&chain, PASS_ON, PASS_ON);
    struct generator *a = chain.a.self, *b = chain.b.self;
    send_returns(b, value_str("stop"), value_str("over"));
    expect_trace("inner ends with 0", "outer goes on");
    expect_state(b, GEN_CLOSED);
    expect_state(a, GEN_SUSPENDED);
    next_returns(a, value_none());
    expect_trace("outer goes on");
    free_chain(&chain);
}

static void a_middle_one_can_be_closed(void)
{
    struct chain chain;
    make_chain(&chain, PASS_ON, PASS_ON);
    struct generator *a = chain.a.self, *b = chain.b.self;
    close_returns(b, value_none());
    expect_trace("inner ends with ERR_GENERATOR_EXIT", "outer got ERR_GENERATOR_EXIT");
    expect_state(chain.c, GEN_CLOSED);
    expect_state(a, GEN_SUSPENDED);
    next_returns(a, value_none());
    expect_trace("outer goes on");
    free_chain(&chain);
}

static void an_error_thrown_into_the_middle_goes_inwards(void)
{
    struct chain chain;
    make_chain(&chain, PASS_ON, YIELD);
    struct generator *a = chain.a.self, *b = chain.b.self;
    throw_yields(b, OOPS, value_str("outer caught it"));
    expect_trace("inner ends with OOPS", "outer got OOPS");
    expect_state(a, GEN_SUSPENDED);
    expect_true("a delegates to b", gen_delegate(a) == b);
    next_returns(a, value_none());
    expect_trace("outer goes on");
    free_chain(&chain);
}

static void clean_up_runs_from_the_inside_out(void)
{
    struct chain chain;
    make_chain(&chain, PASS_ON, PASS_ON);
    struct generator *a = chain.a.self;
    close_returns(a, value_none());
    expect_trace("inner ends with ERR_GENERATOR_EXIT", "outer got ERR_GENERATOR_EXIT",
                 "outer got ERR_GENERATOR_EXIT");
    free_chain(&chain);
}

static void the_middle_one_may_turn_the_exit_into_an_error(void)
{
    struct chain chain;
    make_chain(&chain, RETURN, RAISE);
    struct generator *a = chain.a.self;
    close_returns(a, value_str("outer caught it"));
    expect_trace("inner ends with ERR_GENERATOR_EXIT", "outer got ERR_GENERATOR_EXIT",
                 "outer got ALAS");
    free_chain(&chain);
}

static void each_level_hears_what_the_one_below_raised(void)
{
    struct outer a, b;
    struct generator *inner = gen_new(turns_into_oops, NULL);
    struct generator *middle = outer_of(&b, inner, PASS_ON), *outer = outer_of(&a, middle, RETURN);
    next_yields(outer, value_int(1));
    close_returns(outer, value_str("outer caught it"));
    expect_trace("outer begins", "outer begins", "outer got OOPS", "outer got OOPS");
    gen_free(outer);
    gen_free(middle);
    gen_free(inner);
}

static void the_inner_ones_can_be_freed_in_any_order(void)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (int i = 0; i < 6; i++) {
        struct chain chain;
        make_chain(&chain, PASS_ON, PASS_ON);
        struct generator *all[] = {chain.a.self, chain.b.self, chain.c};
        for (int j = 0; j < 3; j++) {
            step("gen_free(%c)", 'a' + orders[i][j]);
            gen_free(all[orders[i][j]]);
        }
        forget_trace();
    }
}

static void a_chain_goes_on_when_its_middle_is_freed(void)
{
    struct chain chain;
    make_chain(&chain, PASS_ON, PASS_ON);
    struct generator *a = chain.a.self;
    step("gen_free(b)");
    gen_free(chain.b.self);
    expect_trace("inner ends with ERR_GENERATOR_EXIT", "outer got ERR_GENERATOR_EXIT");
    expect_state(chain.c, GEN_CLOSED);
    next_returns(a, value_none());
    expect_trace("outer goes on");
    gen_free(a);
    gen_free(chain.c);
}

static int swallows(void *arg, value *ret)
{
    (void)arg, (void)ret;
    for (int i = 0; i < 100; i++)
        if (gen_yield(value_int(i), NULL) == 0)
            return 0;
    return 0;
}

static void hear(int error, void *arg)
{
    (void)arg;
    record("unraisable: %s", error_name(error));
}

/* b ignores the exit, and is dropped where it stands. */
static void one_that_ignores_the_exit_can_be_freed_in_a_chain(void)
{
    struct outer o;
    struct generator *inner = gen_new(swallows, NULL);
    struct generator *outer = outer_of(&o, inner, PASS_ON);
    next_yields(outer, value_int(0));
    gen_set_unraisable(hear, NULL);
    step("gen_free(inner), which ignores the exit");
    gen_free(inner);
    expect_trace("outer begins", "unraisable: ERR_IGNORED_EXIT");
    gen_set_unraisable(NULL, NULL);
    struct generator *successor = gen_new(echo, NULL); /* on the same stack, most likely */
    next_returns(outer, value_none());
    expect_trace("outer goes on");
    expect_state(successor, GEN_CREATED);
    gen_free(successor);
    gen_free(outer);
}

/* Answers the exit by delegating to the second one. */
static int flees_into_the_second(void *arg, value *ret)
{
    struct generator **inner = arg;
    int error = gen_yield_from(inner[0], ret);
    return error == ERR_GENERATOR_EXIT ? gen_yield_from(inner[1], ret) : error;
}

static void whom_a_freed_one_delegated_to_goes_on_alone(void)
{
    int three = 3;
    struct generator *inner[] = {gen_new(count, &three), gen_new(count, &three)};
    struct generator *outer = gen_new(flees_into_the_second, inner);
    next_yields(outer, value_int(1));
    gen_set_unraisable(hear, NULL);
    step("gen_free(outer), which answers the exit with another delegation");
    gen_free(outer);
    expect_trace("unraisable: ERR_IGNORED_EXIT");
    gen_set_unraisable(NULL, NULL);
    struct generator *successor = gen_new(echo, NULL);
    struct generator *second = inner[1];
    expect_ok(gen_adopt(second)); /* nobody delegates to it any more */
    next_yields(second, value_int(2));
    next_yields(second, value_int(3));
    next_returns(second, value_str("counted"));
    expect_state(successor, GEN_CREATED);
    gen_free(successor);
    gen_free(inner[0]);
    gen_free(second);
}

/* --- threads -------------------------------------------------------------------------------- */

static void *finishes_a_chain(void *arg)
{
    struct chain *chain = arg;
    value out;
    expect_error(gen_adopt(chain->b.self), ERR_BUSY);
    expect_error(gen_adopt(chain->c), ERR_BUSY);
    expect_ok(gen_adopt(chain->a.self));
    int status = gen_send(chain->a.self, value_int(5), &out);
    expect_yields(status, out, value_int(5));
    status = gen_send(chain->b.self, value_int(6), &out);
    expect_yields(status, out, value_int(6));
    status = gen_send(chain->c, value_int(7), &out);
    expect_yields(status, out, value_int(7));
    status = gen_send(chain->a.self, value_str("stop"), &out);
    expect_returns(status, out, value_str("over"));
    free_chain(chain);
    return NULL;
}

static void a_chain_is_adopted_as_a_whole(void)
{
    struct chain chain;
    pthread_t thread;
    make_chain(&chain, PASS_ON, PASS_ON);
    step("another thread: gen_adopt(a), and a to its end");
    if (pthread_create(&thread, NULL, finishes_a_chain, &chain) != 0)
        skip("no thread");
    pthread_join(thread, NULL);
    expect_trace("inner ends with 0", "outer goes on", "outer goes on");
}

static void *makes_an_inner_one(void *arg)
{
    *(struct generator **)arg = gen_new(returns_seven, NULL);
    return NULL;
}

static void nobody_delegates_to_one_of_another_thread(void)
{
    struct outer o;
    struct generator *inner = NULL;
    pthread_t thread;
    step("another thread makes inner");
    if (pthread_create(&thread, NULL, makes_an_inner_one, &inner) != 0)
        skip("no thread");
    pthread_join(thread, NULL);
    struct generator *outer = outer_of(&o, inner, RETURN);
    next_returns(outer, value_str("outer caught it"));
    expect_trace("outer begins", "outer got ERR_BUSY");
    expect_ok(gen_adopt(inner));
    gen_free(inner);
    gen_free(outer);
}

/* --- depth ---------------------------------------------------------------------------------- */

struct level {
    struct generator *inner;
    int n; /* levels below */
};

/* Each level delegates to the next; the last one echoes. */
static int goes_down(void *arg, value *ret)
{
    struct level *level = arg;
    if (level->n == 0) {
        value in;
        int error = gen_yield(value_int(0), &in);
        while (!error && !value_is_none(in))
            error = gen_yield(in, &in);
        *ret = value_str("bottom");
        return error;
    }
    return gen_yield_from(level->inner, ret);
}

/* Makes n + 1 generators, [0] the outermost. */
static struct generator **make_deep(int n, struct level **levels)
{
    struct generator **all = calloc((size_t)n + 1, sizeof(struct generator *));
    *levels = calloc((size_t)n + 1, sizeof **levels);
    if (all == NULL || *levels == NULL)
        skip("no memory");
    for (int i = n; i >= 0; i--) {
        (*levels)[i] = (struct level){i < n ? all[i + 1] : NULL, n - i};
        if (gen_new_sized(goes_down, &(*levels)[i], "level", 16 << 10, &all[i]) != 0)
            skip("no memory for so many stacks");
    }
    return all;
}

static void free_deep(struct generator **all, struct level *levels, int n, bool from_inside)
{
    for (int i = 0; i <= n; i++)
        gen_free(all[from_inside ? n - i : i]);
    free(all);
    free(levels);
}

static int depth(void)
{
    return harness_is_slow() ? 300 : 100000;
}

static void a_chain_of_100000_levels_talks_and_ends(void)
{
    struct level *levels;
    int n = depth();
    struct generator **all = make_deep(n, &levels), *top = all[0];
    step("%d generators, each delegates to the next", n);
    next_yields(top, value_int(0));
    for (int i = 1; i <= 1000; i++) {
        value out;
        int status = gen_send(top, value_int(i), &out);
        if (status != GEN_NEXT || !value_equal(out, value_int(i)))
            expect_yields(status, out, value_int(i));
    }
    expect_state(top, GEN_SUSPENDED);
    next_returns(top, value_str("bottom"));
    for (int i = 0; i <= n; i++)
        if (gen_state(all[i]) != GEN_CLOSED)
            expect_state(all[i], GEN_CLOSED);
    free_deep(all, levels, n, false);
}

static void an_error_passes_100000_levels(void)
{
    struct level *levels;
    int n = depth();
    struct generator **all = make_deep(n, &levels), *top = all[0];
    step("%d generators, each delegates to the next", n);
    next_yields(top, value_int(0));
    throw_raises(top, OOPS, OOPS);
    expect_state(all[n], GEN_CLOSED);
    free_deep(all, levels, n, true);
}

static void a_chain_of_100000_levels_is_closed(void)
{
    struct level *levels;
    int n = depth();
    struct generator **all = make_deep(n, &levels), *top = all[0];
    step("%d generators, each delegates to the next", n);
    next_yields(top, value_int(0));
    close_returns(top, value_none());
    expect_state(all[n], GEN_CLOSED);
    expect_state(all[n / 2], GEN_CLOSED);
    free_deep(all, levels, n, false);
}

static int looks_at_itself_after(void *arg, value *ret)
{
    struct outer *o = arg;
    value in = value_none();
    int error = gen_yield_from(o->inner, ret);
    expect_state(o->self, GEN_RUNNING);
    expect_error(gen_send(o->self, in, NULL), ERR_BUSY);
    record("looked");
    return error;
}

static void after_a_delegation_the_outer_one_runs(void)
{
    struct outer o = {.inner = gen_new(returns_seven, NULL)};
    value out;
    o.self = gen_new(looks_at_itself_after, &o);
    step("gen_next(outer), which looks at itself after its delegation");
    int status = gen_next(o.self, &out);
    expect_returns(status, out, value_int(7));
    expect_trace("looked");
    gen_free(o.self);
    gen_free(o.inner);
}

static void one_that_ended_in_a_delegation_is_in_no_chain(void)
{
    struct outer o = {.inner = gen_new(returns_seven, NULL)};
    struct generator *outer = gen_new(delegates, &o);
    value out;
    int status = gen_next(outer, &out);
    expect_returns(status, out, value_int(7));
    step("gen_adopt(inner), which nobody delegates to any more");
    expect_ok(gen_adopt(o.inner));
    forget_trace();
    gen_free(outer);
    gen_free(o.inner);
}

static const struct check checks[] = {
    CHECK(nobody_delegates_to_himself, "Y12", "1.9", "1.2 1.3 1.4"),
    CHECK(nobody_delegates_to_one_that_waits_for_him, "Y12", "1.9", "1.2 1.3 1.4"),
    CHECK(the_second_delegator_is_refused, "Y11", "1.9", "1.2 1.3 1.4"),
    CHECK(nobody_delegates_to_one_of_another_thread, "Y12", "1.9", "1.2 1.3 1.5 1.7 1.8"),

    CHECK(the_inner_ones_yields_go_to_the_resumer, "Y01", "1.9", "1.2 1.3 1.4"),
    CHECK(what_is_sent_goes_to_the_inner_one, "Y02", "1.9", "1.2 1.3 1.4"),
    CHECK(the_delegation_evaluates_to_the_returned_value, "Y03", "1.9", "1.2 1.3 1.4"),
    CHECK(one_that_yields_nothing_takes_no_extra_resume, "Y03 Y14", "1.9", "1.2 1.3"),
    CHECK(an_error_of_the_first_step_surfaces_in_the_outer_one, "Y04", "1.9", "1.2 1.3"),
    CHECK(an_error_of_a_later_step_surfaces_in_the_outer_one, "Y04", "1.9", "1.2 1.3 1.4"),
    CHECK(one_that_has_ended_gives_none_at_once, "Y10", "1.9", "1.2 1.3"),
    CHECK(one_that_has_begun_goes_on_where_it_stands, "Y11", "1.9", "1.2 1.3 1.4"),
    CHECK(the_outer_one_counts_as_running, "Y13", "1.9", "1.2 1.3 1.4 1.5"),
    CHECK(after_a_delegation_the_outer_one_runs, "Y13", "1.2", "1.3 1.5 1.9"),
    CHECK(one_that_ended_in_a_delegation_is_in_no_chain, "Y10", "1.2", "1.3 1.9"),
    CHECK(the_value_may_be_unwanted, "", "1.9", "1.2 1.3"),
    CHECK(a_tree_is_walked_in_order, "Y01", "1.9", "1.2 1.3 1.4"),
    CHECK(a_thrown_error_goes_to_the_inner_one_first, "Y05", "1.9", "1.2 1.3 1.4 1.7"),
    CHECK(an_error_that_the_inner_one_catches_may_end_it, "Y05", "1.9", "1.2 1.3 1.4 1.7"),
    CHECK(an_error_that_nobody_catches_comes_out, "Y05", "1.9", "1.2 1.3 1.4 1.7"),
    CHECK(a_delegated_one_can_be_driven_directly, "Y11", "1.9", "1.2 1.3 1.4 1.5"),
    CHECK(one_that_ended_behind_its_delegators_back_gives_none, "Y11", "1.9", "1.2 1.3 1.4 1.5"),
    CHECK(the_next_delegation_has_its_value_again, "Y03", "1.9", "1.2 1.3 1.4 1.5"),
    CHECK(one_that_ended_in_a_delegation_gives_none_to_the_next, "Y10", "1.9", "1.2 1.3 1.4"),
    CHECK(a_middle_one_can_be_driven_to_its_end, "Y11", "1.9", "1.2 1.3 1.4 1.5"),
    CHECK(an_error_thrown_into_the_middle_goes_inwards, "Y05 Y11", "1.9", "1.2 1.3 1.4 1.5 1.7"),
    CHECK(one_that_ignores_the_exit_can_be_freed_in_a_chain, "G26", "1.9",
          "1.2 1.3 1.4 1.5 1.7 1.8"),
    CHECK(a_chain_is_adopted_as_a_whole, "", "1.9", "1.2 1.3 1.4 1.5"),
    SLOW_CHECK(a_chain_of_100000_levels_talks_and_ends, "Y16", "1.9", "1.2 1.3 1.4", 20),
    SLOW_CHECK(an_error_passes_100000_levels, "Y16", "1.9", "1.2 1.3 1.4 1.7", 20),

    CHECK(close_ends_the_inner_one_first, "G25 Y06", "1.10", "1.2 1.3 1.4 1.7 1.8 1.9"),
    CHECK(throwing_an_exit_closes_the_inner_one_too, "Y06", "1.10", "1.2 1.3 1.4 1.7 1.9"),
    CHECK(an_error_of_the_inner_clean_up_replaces_the_exit, "Y07", "1.10",
          "1.2 1.3 1.4 1.7 1.8 1.9"),
    CHECK(an_inner_one_that_will_not_end_is_told_of_in_the_outer_one, "Y08", "1.10",
          "1.2 1.3 1.4 1.7 1.8 1.9"),
    CHECK(closing_the_outer_one_closes_a_shared_inner_one, "Y11", "1.10",
          "1.2 1.3 1.4 1.5 1.7 1.8 1.9"),
    CHECK(clean_up_runs_from_the_inside_out, "G25 Y06", "1.10", "1.2 1.3 1.4 1.7 1.8 1.9"),
    CHECK(the_middle_one_may_turn_the_exit_into_an_error, "Y07", "1.10", "1.2 1.3 1.4 1.7 1.8 1.9"),
    CHECK(each_level_hears_what_the_one_below_raised, "Y07", "1.10", "1.2 1.3 1.4 1.7 1.8 1.9"),
    CHECK(whom_a_freed_one_delegated_to_goes_on_alone, "G26", "1.10",
          "1.2 1.3 1.4 1.5 1.7 1.8 1.9"),
    CHECK(a_middle_one_can_be_closed, "Y06 Y11", "1.10", "1.2 1.3 1.4 1.5 1.7 1.8 1.9"),
    CHECK(the_inner_ones_can_be_freed_in_any_order, "G26", "1.10", "1.2 1.3 1.4 1.5 1.7 1.8 1.9"),
    CHECK(a_chain_goes_on_when_its_middle_is_freed, "G26", "1.10", "1.2 1.3 1.4 1.5 1.7 1.8 1.9"),
    SLOW_CHECK(a_chain_of_100000_levels_is_closed, "Y16", "1.10", "1.2 1.3 1.4 1.7 1.8 1.9", 20),
};
SUITE(delegation, 1, checks)
