/*
 * The levels of futures and tasks, and what the loop and I/O add to them. A program is
 * [level, callbacks, bodies, script]; callbacks and the script are lists of actions, bodies are
 * lists of statements that may wait. Every action says what came out.
 */
#include "async.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "combine.h"

struct world world;

/* --- the queue ------------------------------------------------------------------------------ */

struct queue {
    struct dispatcher dispatcher;
    struct call_queue ready, batch;
};

static int queue_soon(struct dispatcher *d, struct call *call)
{
    if (d->closed)
        return ERR_CLOSED;
    call_queue_push(&((struct queue *)(void *)d)->ready, call);
    return 0;
}

static void queue_report(struct dispatcher *d, const struct problem *problem)
{
    (void)d;
    report(problem);
}

static const struct dispatcher_ops queue_ops = {
    .soon = queue_soon, .report = queue_report};

struct dispatcher *queue_new(void)
{
    struct queue *q = calloc(1, sizeof *q);
    if (q == NULL)
        die("no memory");
    dispatcher_init(&q->dispatcher, &queue_ops);
    call_queue_init(&q->ready);
    call_queue_init(&q->batch);
    return &q->dispatcher;
}

int queue_turn(struct dispatcher *d)
{
    struct queue *q = (struct queue *)(void *)d;
    struct call *call;
    int n = 0;
    call_queue_move(&q->batch, &q->ready);
    while ((call = call_queue_pop(&q->batch)) != NULL) {
        int error = call->fn(call);
        if (error < 0)
            dispatcher_report(d, "a callback failed", error, NULL);
        n++;
    }
    return n;
}

void queue_close(struct dispatcher *d)
{
    if (d->closed)
        return;
    d->closed = true;
    call_queue_drop(&((struct queue *)(void *)d)->ready);
    dispatcher_shut(d);
}

void queue_free(struct dispatcher *d)
{
    queue_close(d);
    dispatcher_release(d);
    if (d->futures != 0 && !world.dropped)
        trace("%zu futures are left", d->futures);
    free(d);
}

/* --- reports -------------------------------------------------------------------------------- */

static int kept[NUMBERS];
static int kept_errors[NUMBERS];
static size_t n_kept;

void report(const struct problem *problem)
{
    int f = problem->future == NULL ? -1 : number_of(problem->future);
    if (problem->error == ERR_DEADLOCK) {
        trace("report deadlock");
    } else if (strstr(problem->message, "never retrieved") != NULL) {
        if (n_kept < NUMBERS) {
            kept[n_kept] = f;
            kept_errors[n_kept++] = problem->error;
        }
    } else if (strstr(problem->message, "destroyed") != NULL) {
        trace("report destroyed: f%d", f);
    } else if (strstr(problem->message, "callback") != NULL) {
        trace("report callback: %s", error_name(problem->error));
    } else {
        trace("report %s: %s", problem->message, problem->error ? error_name(problem->error) : "0");
    }
}

/* Which errors nobody ever asked for; when they were dropped is not looked at here. */
static void late_reports(void)
{
    if (world.dropped) /* what its body held is lost, and with it some reports */
        return;
    for (int f = -1; f < NUMBERS; f++)
        for (size_t i = 0; i < n_kept; i++)
            if (kept[i] == f)
                trace("report never retrieved: f%d %s", f, error_name(kept_errors[i]));
}

void ran(int n)
{
    if (n < 0)
        trace("ran %s", error_name(n));
    else if (world.inexact)
        trace("ran");
    else
        trace("ran %d", n);
}

/* --- numbers and slots ---------------------------------------------------------------------- */

static const struct future *known[NUMBERS];
static bool is_gather[NUMBERS];
static int n_known;

int number_of(const struct future *f)
{
    for (int i = n_known; i-- > 0;)
        if (known[i] == f)
            return i;
    return -1;
}

static void register_future(const struct future *f)
{
    if (n_known < NUMBERS) {
        is_gather[n_known] = false;
        known[n_known++] = f;
    }
}

void put(int slot, struct future *f)
{
    struct future *old = world.slots[slot];
    world.slots[slot] = NULL;
    future_unref(old);
    world.slots[slot] = f;
}

struct future *pick_future(int i)
{
    return world.slots[place(i, SLOTS)];
}

struct script *pick_callback(int i)
{
    return world.n_callbacks == 0 ? NULL : &world.callbacks[place(i, (int)world.n_callbacks)];
}

/* A slot that may be written: not the foreign future's. */
static int slot_of(int i)
{
    return place(i, FOREIGN);
}

static const char *describe(const struct future *f)
{
    static char line[160];
    future_describe(f, line, sizeof line);
    return line;
}

static const char *status_text(int error)
{
    return error < 0 ? error_name(error) : "ok";
}

/* --- actions -------------------------------------------------------------------------------- */

static int simple(struct instance *self, const struct node *st);

static struct instance *instances;

static struct instance *new_instance(int i)
{
    struct instance *x = malloc(sizeof *x);
    if (x == NULL)
        die("no memory");
    *x = instance_of(world.bodies, i, simple, "f", -1);
    x->next = instances;
    instances = x;
    return x;
}

static void new_task(const struct node *st)
{
    struct task *task;
    if (n_known == NUMBERS || world.bodies->n == 0) {
        trace("no more");
        return;
    }
    struct instance *x = new_instance(number(st, 1));
    int error = task_new(world.dispatcher, body, x, &task);
    trace("task f%d: %s", n_known, status_text(error));
    if (error)
        return;
    x->number = n_known;
    register_future(task_future(task));
    if (number(st, 0) < 0)
        task_unref(task);
    else
        put(slot_of(number(st, 0)), task_future(task));
}

static int done_callback(struct future *f, void *arg)
{
    const struct script *script = arg;
    if (!spend())
        return 0;
    trace("callback %d of f%d %s", script->number, number_of(f), describe(f));
    return run_actions(script);
}

static void new_gather(const struct node *st)
{
    struct future *children[8], *f;
    size_t n = 0;
    const struct node *list = kid(st, 2);
    for (size_t i = 0; i < list->n && n < 8; i++)
        if ((children[n] = pick_future(number(list, i))) != NULL)
            n++;
    if (n_known == NUMBERS) {
        trace("no more");
        return;
    }
    world.inexact = true;
    int error = gather(world.dispatcher, children, n,
                       number(st, 1) ? GATHER_RETURN_EXCEPTIONS : GATHER_FIRST_ERROR, &f);
    trace("gather f%d of %zu: %s", n_known, n, status_text(error));
    if (error)
        return;
    is_gather[n_known] = true;
    known[n_known++] = f;
    put(slot_of(number(st, 0)), f);
}

/* One action; false if it is none of those that are possible everywhere. */
static bool act(const struct node *st)
{
    struct future *f = pick_future(number(st, 0)), *g;
    struct script *callback;
    value out;
    int error, failure;
    switch (st->op) {
    case OP_FUT:
        if (n_known == NUMBERS) {
            trace("no more");
            return true;
        }
        g = future_new(world.dispatcher);
        register_future(g);
        put(slot_of(number(st, 0)), g);
        return true;
    case OP_TASK:
        new_task(st);
        return true;
    case OP_CUR:
        trace("current f%d", task_current() == NULL ? -1 : number_of(task_future(task_current())));
        return true;
    case OP_GATHER:
        new_gather(st);
        return true;
    case OP_DROP:
        put(slot_of(number(st, 0)), NULL);
        return true;
    case OP_SET: case OP_EXC: case OP_SETUN: case OP_CANCEL: case OP_RES: case OP_ERR: case OP_ST:
    case OP_ADD: case OP_RM: case OP_CHAIN: case OP_ITEM: case OP_SHIELD:
        break;
    default:
        return world.level >= LEVEL_LOOP && (act_loop(st) || act_io(st));
    }
    if (f == NULL) {
        trace("none");
        return true;
    }
    int n = number_of(f);
    switch (st->op) {
    case OP_SET:
        error = future_set_result(f, operand(number(st, 1)));
        trace("set f%d: %s", n, status_text(error));
        break;
    case OP_EXC:
        error = future_set_exception(f, user_error(number(st, 1)));
        trace("exc f%d: %s", n, status_text(error));
        break;
    case OP_SETUN:
        error = future_set_result_unless_cancelled(f, operand(number(st, 1)));
        trace("setun f%d: %s", n, status_text(error));
        break;
    case OP_CANCEL:
        trace("cancel f%d: %d", n, future_cancel(f));
        break;
    case OP_RES:
        error = future_result(f, &out);
        trace("result f%d: %s %s", n, status_text(error), text(out));
        break;
    case OP_ERR:
        error = future_exception(f, &failure);
        trace("exception f%d: %s %s", n, status_text(error),
              failure ? error_name(failure) : "None");
        break;
    case OP_ST:
        trace("f%d %s", n, describe(f));
        break;
    case OP_ADD:
        callback = pick_callback(number(st, 1));
        if (callback != NULL) {
            error = future_add_done_callback(f, done_callback, callback);
            trace("add f%d %d: %s", n, callback->number, status_text(error));
        }
        break;
    case OP_RM:
        callback = pick_callback(number(st, 1));
        if (callback != NULL)
            trace("remove f%d %d: %zu", n, callback->number,
                  future_remove_done_callback(f, done_callback, callback));
        break;
    case OP_CHAIN:
        g = pick_future(number(st, 1));
        /* not in a ring, which nobody would ever free: neither backwards nor into a gather */
        if (g == NULL || number_of(g) <= n || is_gather[number_of(g)] ||
            future_dispatcher(g) != world.dispatcher || future_dispatcher(f) != world.dispatcher) {
            trace("none");
        } else {
            world.inexact = true;
            error = future_chain(f, g);
            trace("chain f%d f%d: %s", n, number_of(g), status_text(error));
        }
        break;
    case OP_ITEM:
        error = gather_item(f, (size_t)number(st, 1), &out);
        trace("item f%d %d: %s %s", n, number(st, 1), status_text(error), text(out));
        break;
    default: /* OP_SHIELD */
        if (n_known == NUMBERS) {
            trace("no more");
            break;
        }
        world.inexact = true;
        error = shield(f, &g);
        if (!error && g != f) {
            trace("shield f%d: f%d", n, n_known);
            register_future(g);
        } else {
            trace("shield f%d: %s", n, error ? error_name(error) : "itself");
        }
        if (!error)
            put(slot_of(number(st, 1)), g);
        break;
    }
    return true;
}

int run_actions(const struct script *script)
{
    for (size_t i = 0; i < script->actions->n; i++) {
        const struct node *st = script->actions->kids[i];
        if (!spend())
            return 0;
        if (st->op == OP_RAISE)
            return user_error(number(st, 0));
        if (!act(st))
            not_of_this_level();
    }
    return 0;
}

/* --- bodies --------------------------------------------------------------------------------- */

/* A statement that can suspend or fail; answers what it raises. */
static int simple(struct instance *self, const struct node *st)
{
    struct future *f;
    value v = value_none();
    int error = 0;
    switch (st->op) {
    case OP_RAISE:
        return user_error(number(st, 0));
    case OP_YN:
        return task_yield();
    case OP_Y:
        error = gen_yield(operand(number(st, 0)), &v);
        break;
    case OP_AW: case OP_YF: case OP_WF:
        f = pick_future(number(st, 0));
        if (f == NULL) {
            trace("none");
            return 0;
        }
        future_ref(f);
        if (st->op == OP_AW)
            error = task_await(f, &v);
        else if (st->op == OP_YF)
            error = gen_yield(value_future(f), &v);
        else
            world.inexact = true, error = wait_for(f, number(st, 1), &v);
        future_unref(f);
        break;
    case OP_SLEEP:
        return sleep_for(number(st, 0));
    case OP_DN: {
        if (world.inner++ >= 12) {
            trace("no more");
            return 0;
        }
        struct instance *x = new_instance(number(st, 0));
        struct generator *inner = gen_new(body, x);
        if (inner == NULL)
            die("no memory");
        x->number = self->number;
        error = gen_yield_from(inner, &v);
        gen_free(inner);
        break;
    }
    default:
        if (world.level == LEVEL_IO && body_io(self->number, st, &error))
            return error;
        if (!act(st))
            not_of_this_level();
        return 0;
    }
    if (!error)
        trace("f%d got %s", self->number, text(v));
    return error;
}

/* --- a program ------------------------------------------------------------------------------ */

static void unraisable(int error, void *arg)
{
    (void)arg;
    world.dropped = error == ERR_IGNORED_EXIT || world.dropped;
    trace("unraisable %s", error_name(error));
}

static int loop_reports(const struct problem *problem, void *arg)
{
    (void)arg;
    report(problem);
    return 0;
}

static void close_world(void)
{
    int error = 0;
    if (world.loop != NULL)
        error = loop_close(world.loop);
    else
        queue_close(world.dispatcher);
    trace("closed: %s", status_text(error));
}

void run_async(const struct node *program)
{
    const struct node *callbacks = kid(program, 1), *script = kid(program, 3);
    world = (struct world){.level = number(program, 0), .bodies = kid(program, 2)};
    gen_set_unraisable(unraisable, NULL);
    n_known = 0;
    n_kept = 0;
    world.n_callbacks = callbacks->n;
    world.callbacks = calloc(callbacks->n + 1, sizeof *world.callbacks);
    for (size_t i = 0; i < callbacks->n; i++)
        world.callbacks[i] = (struct script){callbacks->kids[i], (int)i};
    struct dispatcher *foreign = queue_new();
    world.slots[FOREIGN] = future_new(foreign);
    register_future(world.slots[FOREIGN]);
    if (world.level >= LEVEL_LOOP) {
        if (world.level == LEVEL_LOOP)
            world.loop = loop_new(virtual_poller_new());
        else
            io_begin(program);
        loop_set_exception_handler(world.loop, loop_reports, NULL);
        world.dispatcher = loop_dispatcher(world.loop);
    } else {
        world.dispatcher = queue_new();
    }

    for (size_t i = 0; i < script->n; i++) {
        const struct node *st = script->kids[i];
        if (!spend())
            continue;
        if (st->op == OP_LCLOSE)
            close_world();
        else if (st->op == OP_ONCE && world.loop == NULL)
            ran(queue_turn(world.dispatcher));
        else if (!act(st))
            not_of_this_level();
    }
    trace("end");
    for (int turns = 0; turns < 10 && world.loop == NULL; turns++)
        queue_turn(world.dispatcher);
    close_world();
    for (int i = 0; i < SLOTS; i++)
        put(i, NULL);
    queue_close(foreign);
    late_reports();
    if (world.loop != NULL) {
        loop_free(world.loop);
        if (world.level == LEVEL_IO)
            io_end();
    } else {
        queue_free(world.dispatcher);
    }
    queue_free(foreign);
    free(world.callbacks);
    while (instances != NULL) {
        struct instance *next = instances->next;
        free(instances);
        instances = next;
    }
}
