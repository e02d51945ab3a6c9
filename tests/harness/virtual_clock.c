/*
 * A poller on which a day takes no time: to sleep is to set the clock forward.
 */
#include <math.h>
#include <stddef.h>

#include "harness_impl.h"
#include "poller.h"

const char *const fixture_kinds[] = {"loop", NULL};

static struct virtual_clock {
    struct poller poller;
    double now, limit;
} the_clock;

static int bind_to(struct poller *p, struct dispatcher *d)
{
    if (d->poller != NULL)
        return ERR_BUSY;
    d->poller = p;
    return 0;
}

static double now(struct poller *p)
{
    (void)p;
    return the_clock.now;
}

static int sleep_or_jump(struct poller *p, double timeout)
{
    (void)p;
    if (timeout <= 0)
        return 0;
    double until = the_clock.now + timeout;
    if (until > the_clock.limit)
        until = the_clock.limit;
    if (isinf(until))
        return ERR_DEADLOCK;
    if (until > the_clock.now)
        the_clock.now = until;
    return 0;
}

static void end(struct poller *p)
{
    (void)p;
}

static const struct poller_ops virtual_ops = {
    .bind = bind_to, .now = now, .poll = sleep_or_jump, .close = end};

struct poller *virtual_poller(const char *kind)
{
    (void)kind;
    the_clock = (struct virtual_clock){{.ops = &virtual_ops}, 1000, INFINITY};
    return &the_clock.poller;
}

void virtual_limit(double seconds)
{
    the_clock.limit = seconds;
}

double virtual_now(void)
{
    return the_clock.poller.ops == NULL ? 1000 : the_clock.now;
}

void virtual_set(double seconds)
{
    the_clock.now = seconds;
}

void virtual_end(void)
{
}

void fixture_real_time(void)
{
}

struct selector *fixture_selector(void)
{
    return NULL;
}
