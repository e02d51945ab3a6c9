/*
 * The simplest poller: it knows what time it is and can sleep. Nothing but time ever happens to it,
 * so a sleep for ever is a deadlock.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "poller.h"

static int clock_bind(struct poller *p, struct dispatcher *d)
{
    if (d->poller != NULL)
        return ERR_BUSY;
    d->poller = p;
    return 0;
}

static double clock_now(struct poller *p)
{
    struct timespec t;
    (void)p;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int clock_poll(struct poller *p, double timeout)
{
    const double day = 24 * 60 * 60;
    (void)p;
    if (timeout <= 0)
        return 0; /* not even a system call: the loop does this in every busy turn */
    if (isinf(timeout))
        return ERR_DEADLOCK;
    timeout = timeout < day ? timeout : day;
    struct timespec t = {.tv_sec = (time_t)timeout};
    t.tv_nsec = (long)ceil((timeout - (double)t.tv_sec) * 1e9);
    if (t.tv_nsec > 999999999)
        t.tv_nsec = 999999999;
    nanosleep(&t, NULL); /* a signal ends it early: the loop looks at the clock anyway */
    return 0;
}

static void clock_close(struct poller *p)
{
    free(p);
}

static const struct poller_ops clock_ops = {
    .bind = clock_bind, .now = clock_now, .poll = clock_poll, .close = clock_close};

struct poller *clock_poller_new(void)
{
    struct poller *p = malloc(sizeof *p);
    if (p == NULL)
        errno = ENOMEM;
    else
        *p = (struct poller){.ops = &clock_ops, .quiet = true}; /* time needs no looking at */
    return p;
}
