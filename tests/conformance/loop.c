/*
 * The level of the loop: what it adds to the actions of async.c, and a clock on which a day takes
 * no time. Seconds are whole numbers, so no two drivers can round them differently.
 */
#include <math.h>
#include <stdlib.h>

#include "async.h"

struct virtual_poller {
    struct poller poller;
    double now;
};

static int bind_virtual(struct poller *p, struct dispatcher *d)
{
    d->poller = p;
    return 0;
}

static double now_virtual(struct poller *p)
{
    return ((struct virtual_poller *)(void *)p)->now;
}

static int poll_virtual(struct poller *p, double timeout)
{
    if (isinf(timeout))
        return ERR_DEADLOCK;
    ((struct virtual_poller *)(void *)p)->now += timeout;
    return 0;
}

static void close_virtual(struct poller *p)
{
    free(p);
}

struct poller *virtual_poller_new(void)
{
    static const struct poller_ops ops = {bind_virtual, now_virtual, poll_virtual, close_virtual};
    struct virtual_poller *p = calloc(1, sizeof *p);
    if (p == NULL)
        die("no memory");
    p->poller.ops = &ops;
    return &p->poller;
}

static int call(void *arg)
{
    const struct script *script = arg;
    if (!spend())
        return 0;
    trace("call %d", script->number);
    return run_actions(script);
}

static const char *outcome(int error)
{
    return error < 0 ? error_name(error) : "ok";
}

/* The handle that an operand means, by way of its slot. */
static struct handle *pick_handle(int i)
{
    return &world.handles[place(i, HANDLES)];
}

bool act_loop(const struct node *st)
{
    struct task_loop *loop = world.loop;
    struct handle *h = pick_handle(number(st, 0));
    struct future *f;
    struct script *script;
    value out;
    int error;
    switch (st->op) {
    case OP_SOON:
        script = pick_callback(number(st, 1));
        if (script != NULL)
            trace("soon %d: %s", script->number, outcome(loop_call_soon(loop, call, script, h)));
        return true;
    case OP_LATER:
        script = pick_callback(number(st, 2));
        if (script != NULL)
            trace("later %d %d: %s", number(st, 1), script->number,
                  outcome(loop_call_later(loop, number(st, 1), call, script, h)));
        return true;
    case OP_AT:
        script = pick_callback(number(st, 2));
        if (script != NULL)
            trace("at %d %d: %s", number(st, 1), script->number,
                  outcome(loop_call_at(loop, number(st, 1), call, script, h)));
        return true;
    case OP_HC:
        if (handle_cancel(*h))
            trace("handle cancel: 1 %d", handle_cancelled(*h));
        else
            trace("handle cancel: 0");
        return true;
    case OP_WHEN: {
        double when = handle_when(*h);
        if (isnan(when))
            trace("when: none");
        else
            trace("when: %g", when);
        return true;
    }
    case OP_TIME:
        if (!loop_is_closed(loop))
            trace("time: %g running %d", loop_time(loop), loop_is_running(loop));
        return true;
    case OP_STOP:
        loop_stop(loop);
        trace("stop");
        return true;
    case OP_ONCE:
        ran(loop_run_once(loop));
        return true;
    case OP_FOREVER:
        error = loop_run_forever(loop);
        trace("forever: %s", outcome(error));
        return true;
    case OP_UNTIL:
        f = pick_future(number(st, 0));
        if (f == NULL) {
            trace("none");
            return true;
        }
        future_ref(f);
        error = loop_run_until_complete(loop, f, &out);
        trace("until f%d: %s %s", number_of(f), outcome(error), text(out));
        future_unref(f);
        return true;
    case OP_LCLOSE:
        trace("closed: %s", outcome(loop_close(loop))); /* from inside: it is running */
        return true;
    default:
        return false;
    }
}
