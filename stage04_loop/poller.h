/**
 * @file poller.h
 * @brief Whoever can wait for a loop.
 *
 * A loop that has nothing to do must sleep until something happens, and it does not want to know
 * what could happen. It asks a poller. Stage 4 has one that knows only time; the tests have one on
 * which a day takes no time; the selectors of stage 5 are pollers that watch descriptors.
 */
#ifndef POLLER_H
#define POLLER_H

#include <stdatomic.h>

#include "dispatcher.h"

/** @defgroup poller Pollers
 *  @brief Time and waiting, as an interface.
 *  @{ */

struct poller;

/** What a poller can do. */
struct poller_ops {
    /** It will wait for @p d, and queue its calls there. Once. 0, or ERR_BUSY if it has one. */
    int (*bind)(struct poller *p, struct dispatcher *d);
    /** Seconds on a clock that never goes back. */
    double (*now)(struct poller *p);
    /**
     * Waits until something happens or @p timeout seconds are over; 0 only looks, INFINITY waits
     * for ever. Queues the calls of what happened. 0 (also when a signal came), or ERR_DEADLOCK if
     * it was to wait for ever and nothing is there that could end it, or another error.
     */
    int (*poll)(struct poller *p, double timeout);
    /** Gives its memory and descriptors back; the loop owns its poller. */
    void (*close)(struct poller *p);
};

/** The first member of every poller. */
struct poller {
    const struct poller_ops *ops; /**< What kind it is. */
    /** A look would find nothing: a loop that has something to do need not ask. Whoever has news
     * for the poller, on whatever thread, sets it to false. */
    atomic_bool quiet;
};

/** @param p a poller. @return whether a poll that does not wait would be in vain. */
static inline bool poller_is_quiet(struct poller *p)
{
    return atomic_load_explicit(&p->quiet, memory_order_relaxed);
}

/** @return a poller that knows only the system's monotonic clock; NULL with errno ENOMEM. */
struct poller *clock_poller_new(void);

/** @} */
#endif
