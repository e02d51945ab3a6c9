/*
 * A generator is a stack and a place on it where the body stopped.
 *
 * Who is driven and who runs are two different things once a generator delegates. If A delegates to
 * B and B to C, then somebody drives A, but C is the one that runs. We call A the root and C the
 * leaf. The root keeps a shortcut to its leaf, so a resume of A switches straight to C's stack, and
 * a yield of C straight back to whoever drives A; the ones between are not touched. Values travel
 * with the switch, in a message that also names the root.
 *
 *     driver --resume--> A (root)  --delegate-->  B  --delegate-->  C (leaf)
 *       ^                | leaf: - - - - - - - - - - - - - - - - - - ^ |
 *       '- - - - - - - - - - - - yields  - - - - - - - - - - - - - - - '
 *
 * Invariants: a generator that somebody delegates to has no shortcut of its own (leaf == NULL),
 * because it would grow stale unseen. Exactly the leaf of a driven root is GEN_RUNNING; a generator
 * that waits for the one it delegates to is DELEGATING, and what that means to the outside is
 * decided by asking the innermost.
 *
 * The struct lives at the top of the generator's own stack, in the page that the body touches
 * anyway.
 */
#include "generator.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "census.h"
#include "context.h"
#include "stack.h"
#include "thread.h"

enum { DELEGATING = GEN_CLOSED + 1 }; /* a fifth state that stays inside */

struct generator {
    /* the switch: valid while not running, and while running */
    struct context context; /* where the body stopped */
    struct context driver;  /* where whoever drives us waits */

    /* what a resume touches */
    struct generator *leaf;    /* who really runs when we are driven; NULL: look for him */
    uint32_t thread;           /* whose we are */
    unsigned char state;       /* enum gen_state, or DELEGATING */
    bool orphaned;             /* whom we delegated to was driven to his end by somebody else */

    /* the chain of delegation */
    struct generator *delegate;  /* inwards */
    struct generator *delegator; /* outwards */

    /* what we were made of */
    gen_fn *fn;
    void *arg;
    const char *name;
    struct stack *stack;
};

/* What each thread knows. */
static _Thread_local struct generator *current; /* the root that is being driven */
static _Thread_local bool introduced;           /* introduce_thread() has been called */
static _Thread_local void (*unraisable)(int error, void *arg);
static _Thread_local void *unraisable_arg;

/*
 * A body may go on in another thread than the one in which it yielded. On most machines a compiler
 * computes where a thread's variable is and keeps that address over the switch; only a call that it
 * cannot look into makes it ask again. x86-64 has no such address: there `current` is one access
 * through a segment register, unless the code is for a shared library.
 */
#if !defined(__x86_64__) || (defined(__PIC__) && !defined(__PIE__))
CONTEXT_OPAQUE static struct generator **place_of_current(void)
{
    struct generator **place = &current;
    __asm__ volatile("" : "+r"(place)); /* for compilers that look into it all the same */
    return place;
}
#define current (*place_of_current())
#endif

static struct generator *innermost(const struct generator *g)
{
    while (g->delegate != NULL)
        g = g->delegate;
    return (struct generator *)(uintptr_t)g;
}

static struct generator *outermost(struct generator *g)
{
    while (g->delegator != NULL)
        g = g->delegator;
    return g;
}

CONTEXT_OPAQUE static struct generator *nobody_drives(const char *function)
{
    die("%s() outside a generator: only a body that somebody drives can yield", function);
}

static inline struct generator *root_or_die(const char *function)
{
    struct generator *root = current;
    return root != NULL ? root : nobody_drives(function);
}

/* g has ended: its result goes to whoever waits for it, the delegator if there is one. */
static void deliver(struct generator *g, int error, value ret, struct context_message *message)
{
    /* EXERCISE 1.2 deliver: say how the body ended, and to whom */
    struct generator *root = current;
    message->value = error ? value_none() : ret;
    message->status = error;
    if (g != root) { /* somebody delegates to us; our result is the value of his gen_yield_from() */
        root->leaf = g->delegator;
        root->leaf->delegate = NULL;
        root->leaf->state = GEN_RUNNING;
        g->delegator = NULL;
        g->leaf = g;
    }
    /* END 1.2 */
}

/* The first thing on a new stack. All that the body does happens inside the call of g->fn. */
static void body(void *root_at_start)
{
    struct generator *g = ((struct generator *)root_at_start)->leaf;
    value ret = value_none();
    int error = g->fn(g->arg, &ret);
    if (error > 0)
        die("the body of generator '%s' returned %d: 0 is success, a negative number an error",
            g->name, error);
    g->state = GEN_CLOSED;
    struct generator *root = current; /* perhaps not the one that started us */
    struct context_message message = {root, value_none(), ERR_NOT_WRITTEN};
    deliver(g, error, ret, &message);
    context_exit(&g->context, root->leaf == g ? &root->driver : &root->leaf->context, message);
}

static int drive_inside(struct generator *g, int error, value in, value *out);

/* Runs g's leaf, on behalf of g, until it yields or g ends. */
static inline int drive(struct generator *g, int error, value in, value *out)
{
    if (current != NULL)
        return drive_inside(g, error, in, out);
    /* EXERCISE 1.3 drive: go in and come back */
    struct generator *leaf = g->leaf;
    struct context_message message = {g, in, error};
    leaf->state = GEN_RUNNING;
    current = g;
    message = context_switch(&g->driver, &leaf->context, message);
    current = NULL;
    if (out != NULL)
        *out = message.value;
    return message.status;
    /* END 1.3 */
}

/*
 * Who drives is a body himself: he is put aside meanwhile. Not in drive(), where every resume would
 * end with waiting for what it had put aside; a constant is there at once.
 */
static __attribute__((noinline)) int drive_inside(struct generator *g, int error, value in,
                                                  value *out)
{
    struct generator *outside = current;
    current = NULL;
    int status = drive(g, error, in, out);
    current = outside;
    return status;
}

SWITCHES int gen_yield(value out, value *in)
{
    struct generator *root = root_or_die("gen_yield");
    /* EXERCISE 1.4 gen_yield: hand a value out and sleep */
    struct generator *self = root->leaf;
    struct context_message message = {root, out, GEN_NEXT};
    self->state = GEN_SUSPENDED;
    message = context_switch(&self->context, &root->driver, message);
    if (in != NULL)
        *in = message.value;
    return message.status;
    /* END 1.4 */
}

/*
 * Drives a generator that sits in the middle of somebody's chain. The chain's root must not use its
 * shortcut meanwhile, and needs a new one afterwards.
 */
static __attribute__((noinline)) int drive_delegated(struct generator *g, int error, value in,
                                                     value *out)
{
    struct generator *root = outermost(g);
    struct generator *delegator = g->delegator;
    root->leaf = NULL;
    g->leaf = innermost(g);
    int status = drive(g, error, in, out);
    if (g->state == GEN_CLOSED) { /* the delegator will find out when it is resumed */
        g->delegator = NULL;
        delegator->delegate = NULL;
        delegator->state = GEN_SUSPENDED;
        delegator->orphaned = true;
        root->leaf = delegator;
    } else {
        root->leaf = g->leaf;
        g->leaf = NULL;
    }
    return status;
}

/* A resume that is not plain: of one who has not begun, of the dead, the busy, a delegate. */
CONTEXT_OPAQUE SELDOM static int resume_slowly(struct generator *g, int error, value in, value *out)
{
    /* EXERCISE 1.5 resume_slowly: the first step, the dead and the busy */
    if (out != NULL)
        *out = value_none();
    if (g->thread != thread_self || innermost(g)->state == GEN_RUNNING)
        return ERR_BUSY;
    if (g->state == GEN_CLOSED)
        return error ? error : GEN_RETURN;
    if (g->state == GEN_CREATED && error) {
        g->state = GEN_CLOSED;
        return error;
    }
    if (g->state == GEN_CREATED && !value_is_none(in))
        return ERR_TYPE; /* nobody waits for it: there is no yield yet */
    return g->delegator != NULL ? drive_delegated(g, error, in, out) : drive(g, error, in, out);
    /* END 1.5 */
}

/* Whether the leaf sleeps, or is about to begin and is told nothing yet: as it should be. */
static inline bool is_ready(const struct generator *leaf, int error, value in)
{
    return leaf->state == GEN_SUSPENDED ||
           (leaf->state == GEN_CREATED && error == 0 && value_is_none(in));
}

/* The way of nearly every resume: the shortcut is there, and at its end somebody is ready. */
static inline int resume(struct generator *g, int error, value in, value *out)
{
    if (g->thread == thread_self && g->leaf != NULL && is_ready(g->leaf, error, in))
        return drive(g, error, in, out);
    return resume_slowly(g, error, in, out);
}

SWITCHES int gen_send(struct generator *g, value in, value *out)
{
    return resume(g, 0, in, out);
}

SWITCHES int gen_next(struct generator *g, value *out)
{
    return gen_send(g, value_none(), out);
}

int gen_new_primed(gen_fn *fn, void *arg, struct generator **out)
{
    /* EXERCISE 1.6 gen_new_primed: run it to its first yield */
    *out = gen_new_named(fn, arg, NULL);
    if (*out == NULL)
        return -ENOMEM;
    int status = gen_next(*out, NULL);
    if (status < 0) {
        gen_free(*out);
        *out = NULL;
    }
    return status;
    /* END 1.6 */
}

/*
 * Closes everything that g delegates to, from the inside out. Each one's clean-up runs before that
 * of the one that waits for it, and what its clean-up raises is raised there. No recursion: the
 * chain may be long. Answers the error to raise where g waits.
 */
static int close_delegates(struct generator *g)
{
    /* EXERCISE 1.10 close_delegates: from the inside out */
    struct generator *leaf = innermost(g);
    int error = ERR_GENERATOR_EXIT;
    outermost(g)->leaf = NULL; /* no shortcut while the chain comes apart */
    g->leaf = NULL;
    while (leaf != g) {
        struct generator *delegator = leaf->delegator;
        leaf->leaf = leaf;
        int status = drive(leaf, error, value_none(), NULL);
        if (status == GEN_NEXT)
            error = ERR_IGNORED_EXIT;
        else if (status == GEN_RETURN)
            error = ERR_GENERATOR_EXIT;
        else
            error = status;
        leaf->delegator = NULL;
        delegator->delegate = NULL;
        delegator->state = GEN_SUSPENDED;
        leaf = delegator;
    }
    if (g->delegator == NULL)
        g->leaf = g;
    return error;
    /* END 1.10 */
}

/* Whether g sleeps in a delegation, so that closing it begins with others. */
static bool sleeps_in_delegation(const struct generator *g)
{
    return g->thread == thread_self && g->delegate != NULL && innermost(g)->state == GEN_SUSPENDED;
}

int gen_throw(struct generator *g, int error, value *out)
{
    /* EXERCISE 1.7 gen_throw: wake it with an error */
    if (error >= 0) {
        if (out != NULL)
            *out = value_none();
        return ERR_TYPE;
    }
    if (error == ERR_GENERATOR_EXIT && sleeps_in_delegation(g))
        error = close_delegates(g);
    return resume(g, error, value_none(), out);
    /* END 1.7 */
}

int gen_close(struct generator *g, value *out)
{
    /* EXERCISE 1.8 gen_close: ask it to end */
    if (out != NULL)
        *out = value_none();
    if (g->state == GEN_CLOSED)
        return 0;
    int status = gen_throw(g, ERR_GENERATOR_EXIT, out);
    if (status == GEN_NEXT) {
        if (out != NULL)
            *out = value_none(); /* what it yielded is nobody's answer */
        return ERR_IGNORED_EXIT;
    }
    return status == ERR_GENERATOR_EXIT ? 0 : status;
    /* END 1.8 */
}

int gen_yield_from(struct generator *inner, value *ret)
{
    struct generator *root = root_or_die("gen_yield_from");
    /* EXERCISE 1.9 gen_yield_from: let another one talk */
    struct generator *self = root->leaf;
    struct generator *leaf = inner->leaf;
    if (ret != NULL)
        *ret = value_none();
    if (inner->thread != thread_self || leaf == NULL || leaf->state == GEN_RUNNING)
        return ERR_BUSY;
    if (leaf->state == GEN_CLOSED)
        return 0;
    self->delegate = inner;
    self->state = DELEGATING;
    inner->delegator = self;
    inner->leaf = NULL; /* from now on the root's shortcut counts */
    root->leaf = leaf;
    leaf->state = GEN_RUNNING;
    struct context_message message = {root, value_none(), 0};
    message = context_switch(&self->context, &leaf->context, message);
    /* The inner one has ended, in one way or another. */
    if (ret != NULL && !self->orphaned && message.status == 0)
        *ret = message.value;
    self->orphaned = false;
    return message.status;
    /* END 1.9 */
}

enum gen_state gen_state(const struct generator *g)
{
    if (g->state != DELEGATING)
        return (enum gen_state)g->state;
    return innermost(g)->state == GEN_RUNNING ? GEN_RUNNING : GEN_SUSPENDED;
}

struct generator *gen_delegate(const struct generator *g)
{
    return gen_state(g) == GEN_SUSPENDED ? g->delegate : NULL;
}

const char *gen_name(const struct generator *g)
{
    return g->name;
}

struct generator *gen_current(void)
{
    return current == NULL ? NULL : current->leaf;
}

/* --- making and freeing ------------------------------------------------------------------- */

enum { COLOUR_STEP = 128 }; /* bytes: two cache lines */

static const char *guard_owner(const void *address, size_t *stack_size)
{
    if (current == NULL || current->leaf == NULL)
        return NULL;
    const struct stack *stack = current->leaf->stack;
    const unsigned char *touched = address;
    size_t slot = (size_t)STACK_SMALLEST << stack->size_class;
    const unsigned char *high = (const unsigned char *)(stack + 1);
    *stack_size = slot;
    return touched >= high - slot && touched < stack->low ? current->leaf->name : NULL;
}

/* What a thread does when it makes or adopts its first generator. */
static __attribute__((noinline)) void introduce_thread(void)
{
    thread_introduce();
    stack_blame(guard_owner);
    introduced = true;
}

int gen_adopt(struct generator *g)
{
    if (g->delegator != NULL || innermost(g)->state == GEN_RUNNING)
        return ERR_BUSY;
    if (!introduced)
        introduce_thread();
    for (; g != NULL; g = g->delegate)
        g->thread = thread_self;
    return 0;
}

int gen_new_sized(gen_fn *fn, void *arg, const char *name, size_t stack_size,
                  struct generator **out)
{
    struct stack *stack;
    *out = NULL;
    if (fn == NULL)
        die("gen_new() without a body");
    int error = stack_acquire(stack_size == 0 ? STACK_DEFAULT : stack_size, &stack);
    if (error)
        return error;
    census_paint(stack);
    if (!introduced)
        introduce_thread();
    size_t room =
        (stack->size - sizeof(struct generator) - stack->colour * COLOUR_STEP) & ~(size_t)63;
    struct generator *g = (struct generator *)(void *)(stack->low + room);
    g->leaf = g;
    g->thread = thread_self;
    g->state = GEN_CREATED;
    g->orphaned = false;
    g->delegate = NULL;
    g->delegator = NULL;
    g->fn = fn;
    g->arg = arg;
    g->name = name == NULL ? "generator" : name;
    g->stack = stack;
    context_prepare(&g->context, stack->low, room, body);
    *out = g;
    return 0;
}

struct generator *gen_new_named(gen_fn *fn, void *arg, const char *name)
{
    struct generator *g;
    int error = gen_new_sized(fn, arg, name, STACK_DEFAULT, &g);
    if (error)
        errno = ENOMEM;
    return g;
}

void gen_set_unraisable(void (*hook)(int error, void *arg), void *arg)
{
    unraisable = hook;
    unraisable_arg = arg;
}

static void report_unraisable(const struct generator *g, int error)
{
    if (unraisable != NULL)
        unraisable(error, unraisable_arg);
    else
        fprintf(stderr, "error ignored while generator '%s' was freed: %s (%s)\n", g->name,
                error_name(error), error_text(error));
}

/* Takes a generator that would not end out of the chains that it is part of. */
static void detach(struct generator *g)
{
    if (g->delegator != NULL) {
        outermost(g)->leaf = g->delegator;
        g->delegator->delegate = NULL;
        g->delegator->state = GEN_SUSPENDED;
        g->delegator->orphaned = true;
    }
    if (g->delegate != NULL) {
        g->delegate->leaf = innermost(g);
        g->delegate->delegator = NULL;
    }
}

/* What freeing means for one that has not ended. */
static __attribute__((noinline)) void end_by_force(struct generator *g)
{
    if (gen_state(g) == GEN_RUNNING)
        die("gen_free() of generator '%s', which is running", g->name);
    if (g->state != GEN_CLOSED && g->thread != thread_self)
        die("gen_free() of generator '%s', which belongs to another thread", g->name);
    int error = gen_close(g, NULL);
    if (error)
        report_unraisable(g, error);
    detach(g);
}

void gen_free(struct generator *g)
{
    if (g == NULL)
        return;
    if (g->state != GEN_CLOSED)
        end_by_force(g);
    context_discard(&g->context);
    census_count(g->stack, g->name);
    stack_release(g->stack);
}
