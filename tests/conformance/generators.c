/*
 * The level of generators: bodies that yield, delegate, drive each other, and clean up, and a
 * script that drives them. Program: [0, bodies, script].
 */
#include <stdlib.h>

#include "generator.h"
#include "program.h"

enum { MOST = 24 }; /* generators of one program */

static struct instance all[MOST];
static int count;
static const struct node *bodies;

static int simple(struct instance *self, const struct node *st);

/* The generator that an operand means; NULL if there is none. */
static struct instance *pick(int i)
{
    if (count == 0 || all[place(i, count)].generator == NULL)
        return NULL;
    return &all[place(i, count)];
}

/* A place for one more; NULL if there are enough. */
static struct instance *add(int i)
{
    if (count == MOST || bodies->n == 0) {
        trace("no more");
        return NULL;
    }
    struct instance *fresh = &all[count];
    *fresh = instance_of(bodies, i, simple, "", count++);
    return fresh;
}

static void make(struct instance *fresh)
{
    fresh->generator = gen_new(body, fresh);
    if (fresh->generator == NULL)
        die("no memory");
}

static bool is_held(const struct generator *g)
{
    for (int i = 0; i < count; i++)
        if (all[i].generator != NULL && gen_delegate(all[i].generator) == g)
            return true;
    return false;
}

static void release(struct instance *x)
{
    if (gen_state(x->generator) == GEN_RUNNING) {
        trace("free %d busy", x->number);
    } else if (is_held(x->generator)) {
        trace("free %d held", x->number);
    } else {
        trace("free %d", x->number);
        gen_free(x->generator);
        x->generator = NULL;
    }
}

static void unraisable(int error, void *arg)
{
    (void)arg;
    trace("unraisable %s", error_name(error));
}

static int outcome(const char *what, const struct instance *x, int status, value out)
{
    if (status < 0)
        trace("%s %d: raised %s", what, x->number, error_name(status));
    else
        trace("%s %d: %s %s", what, x->number, status == GEN_NEXT ? "yielded" : "returned",
              text(out));
    return status < 0 ? status : 0;
}

/* What both bodies and the script can do. Answers the error that came out. */
static int drive(const struct node *st)
{
    static const char *const states[] = {"created", "running", "suspended", "closed"};
    struct instance *x;
    value out;
    int status;
    if (st->op == OP_NEW) {
        x = add(number(st, 0));
        if (x != NULL)
            make(x);
        return 0;
    }
    if (st->op == OP_PRIMED) {
        x = add(number(st, 0));
        if (x == NULL)
            return 0;
        struct generator *g;
        status = gen_new_primed(body, x, &g);
        x->generator = g;
        trace("primed %d: %s", x->number, status < 0 ? error_name(status) : status ? "1" : "0");
        return status < 0 ? status : 0;
    }
    x = pick(number(st, 0));
    if (x == NULL) {
        trace("none");
        return 0;
    }
    struct generator *g = x->generator;
    switch (st->op) {
    case OP_NEXT:
        status = gen_next(g, &out);
        return outcome("next", x, status, out);
    case OP_SEND:
        status = gen_send(g, operand(number(st, 1)), &out);
        return outcome("send", x, status, out);
    case OP_THROW:
        status =
            gen_throw(g, number(st, 1) == 9 ? ERR_GENERATOR_EXIT : user_error(number(st, 1)), &out);
        return outcome("throw", x, status, out);
    case OP_CLOSE:
        status = gen_close(g, &out);
        return outcome("close", x, status, out);
    case OP_STATE:
        trace("state %d: %s", x->number, states[gen_state(g)]);
        return 0;
    case OP_DELEG: {
        const struct generator *inner = gen_delegate(g);
        int found = -1;
        for (int i = 0; i < count; i++)
            if (inner != NULL && all[i].generator == inner)
                found = i;
        trace("delegate of %d: %d", x->number, found);
        return 0;
    }
    case OP_FREE:
        release(x);
        return 0;
    default:
        not_of_this_level();
    }
}

/* A statement that can fail; answers what it raises. */
static int simple(struct instance *self, const struct node *st)
{
    struct instance *x;
    value v;
    int error;
    switch (st->op) {
    case OP_Y:
        error = gen_yield(operand(number(st, 0)), &v);
        if (!error)
            trace("%d got %s", self->number, text(v));
        return error;
    case OP_RAISE:
        return user_error(number(st, 0));
    case OP_DF:
    case OP_DN:
        x = st->op == OP_DF ? pick(number(st, 0)) : add(number(st, 0));
        if (x == NULL) {
            trace("none");
            return 0;
        }
        if (st->op == OP_DN)
            make(x);
        error = gen_yield_from(x->generator, &v);
        if (!error)
            trace("%d delegated: %s", self->number, text(v));
        return error;
    default:
        error = drive(st);
        /* the last operand says whether the error goes on */
        return st->n > 1 && number(st, st->n - 1) == 1 && st->op != OP_FREE ? error : 0;
    }
}

void run_generators(const struct node *program)
{
    bodies = kid(program, 1);
    count = 0;
    gen_set_unraisable(unraisable, NULL);
    const struct node *script = kid(program, 2);
    for (size_t i = 0; i < script->n; i++)
        if (spend())
            drive(script->kids[i]);
    trace("end");
    for (bool some = true; some;) {
        some = false;
        for (int i = 0; i < count; i++)
            if (all[i].generator != NULL) {
                some = true;
                if (!is_held(all[i].generator))
                    release(&all[i]);
            }
    }
}
