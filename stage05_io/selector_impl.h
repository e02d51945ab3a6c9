/**
 * @file selector_impl.h
 * @brief The inside of a selector, for its three kinds, for wakeup.c and for sock.c.
 *
 * Private to stage 5.
 *
 *     table:  [0-63] [64-127] [128-191] …         pointers to chunks, so that a watch never moves
 *                |
 *                v
 *             watch 0 | watch 1 | …               one for each descriptor
 *               reading: a wait (a future), or a callback, or nobody
 *               writing: the same
 */
#ifndef SELECTOR_IMPL_H
#define SELECTOR_IMPL_H

#include "future_impl.h"
#include "selector.h"

enum { SELECTOR_READING, SELECTOR_WRITING, SELECTOR_DIRECTIONS };
#define SELECTOR_BOTH ((unsigned)SELECTOR_READ | (unsigned)SELECTOR_WRITE)

struct watch;
struct mailbox;

/**
 * Somebody who waits for a descriptor: the future of selector_wait(), or that of selector_enter(),
 * which lies on the stack of the task that awaits it. The table holds one reference while it is
 * registered.
 */
struct wait {
    struct future future;
    struct selector *selector; /**< selector_wait(): keeps the memory of it alive. */
    struct watch *watch;       /**< Where it is registered; NULL: nowhere any more. */
    unsigned direction;        /**< Index there. */
    const void *near;          /**< What else he who waits will touch when he goes on; or NULL. */
    struct wait *next;         /**< In the list of those that can be used again. */
};

/** Who wants to know about one direction: at most one of `wait` and `fn`. */
struct direction {
    struct wait *wait;
    selector_fn *fn;
    void *arg;
    struct call call; /**< Queued when `fn` shall be called. */
};

/** What is known of a descriptor. */
struct watch {
    int fd;
    unsigned char wanted; /**< The directions of waits and callbacks. */
    unsigned char level;  /**< Those of callbacks alone. */
    unsigned char mode;   /**< epoll's: how the system knows it. */
    unsigned char told;   /**< epoll's: the directions that the system was told. */
    bool special; /**< What was found last was more than data: an end, an error, urgent data. */
    unsigned char steady; /**< Directions in which waits may come and go without update(). */
    bool always;          /**< epoll refuses it: a regular file, which is always ready. */
    unsigned place;       /**< poll's: index in its array, plus one. */
    struct watch *next;   /**< In the list of those always ready. */
    struct direction direction[SELECTOR_DIRECTIONS];
};

/** What was found of a descriptor, until whoever wants to know is told. */
struct found {
    struct watch *watch;
    unsigned events;
};
enum { SELECTOR_BATCH = 64 }; /**< So many are told together. */

/** What the three kinds do differently. */
struct selector_ops {
    const char *name;
    int limit; /**< Descriptors must be below. */
    int (*open)(struct selector *s);
    void (*close)(struct selector *s);
    /** Before a wait by somebody of whom we do not know whether he has tried: is @p w open? 0 or
     * error. */
    int (*look)(struct selector *s, struct watch *w);
    /** `wanted` has changed, and not only in `steady` directions, or `level` has; or something was
     * found where nobody waits. It may fail only if there is more in it than before. */
    int (*update)(struct selector *s, struct watch *w);
    /** The descriptor is about to be closed, or has been. */
    void (*drop)(struct selector *s, struct watch *w);
    /** Waits so long at most, and calls selector_ready(). 0 or an error. */
    int (*poll)(struct selector *s, double timeout);
};

extern const struct selector_ops selector_ops_select;
extern const struct selector_ops selector_ops_poll;
#ifdef __linux__
extern const struct selector_ops selector_ops_epoll;
#endif

struct selector {
    struct poller poller; /**< First: a selector is one. */
    const struct selector_ops *ops;
    void *state;                   /**< The kind's own. */
    struct dispatcher *dispatcher; /**< Who owns us; NULL before bind(). */
    struct watch **chunks;
    size_t chunk_count;
    unsigned long looks; /**< How often the system was asked. */
    struct wait *free_waits;
    size_t count;            /**< Waits and callbacks. */
    struct watch *always;    /**< Those that epoll refuses and that have callbacks. */
    struct mailbox *mailbox; /**< What other threads send. */
    size_t references; /**< The owner, waits and socks: of our memory, not of the descriptors. */
    bool closed;
    size_t found_count;
    struct found found[SELECTOR_BATCH];
};

/** Asks for memory that will be needed in a moment: it comes into the cache while we go on. */
static inline void fetch(const void *memory, size_t size)
{
    enum { LINE = 64 }; /* of the cache; on some machines it is more */
    for (size_t at = 0; at < size; at += (size_t)LINE * 2) {
        __builtin_prefetch((const char *)memory + at);
        __builtin_prefetch((const char *)memory + at + LINE);
    }
}

/** @return the watch of a descriptor; NULL if there has never been one. */
struct watch *selector_watch(const struct selector *s, int fd);

/** The same, made if necessary. 0, ERR_VALUE, ERR_CLOSED or -ENOMEM. */
int selector_watch_make(struct selector *s, int fd, struct watch **out);

/**
 * selector_wait() for a task that has just been told EAGAIN and will await `wait->future`: an edge
 * is enough for it, so there is no system call in the steady state; and no memory is needed,
 * because @p wait lies on its stack; it is made here, but for `near`. 0; or ERR_BUSY, or what the
 * system says. Before that stack frame is left, also after an error, selector_leave() ends it.
 */
int selector_enter(struct selector *s, struct watch *w, unsigned direction, struct wait *wait);
void selector_leave(struct wait *wait);

/**
 * A kind found that @p w is ready in these directions: whoever wants to know will be told, at the
 * end of the poll if not before.
 */
void selector_ready(struct selector *s, struct watch *w, unsigned events);

/**
 * The system says that @p w is not open: as selector_forget(), and a report if it had callbacks.
 */
void selector_purge(struct selector *s, struct watch *w);

/** Whether nothing is there that could end a wait: no descriptor, and nobody who sends. */
bool selector_is_idle(struct selector *s);

/** A timeout for poll() and epoll_wait(): never too early, so rounded up; -1 for ever. */
int selector_milliseconds(double timeout);

/** One more who needs the memory of @p s, and one less. */
void selector_keep(struct selector *s);
void selector_release(struct selector *s);

/* --- wakeup.c ------------------------------------------------------------------------------- */

/** Makes it, with the descriptor that wakes. 0 or an error. */
int mailbox_new(struct mailbox **out);
/** What to watch. */
int mailbox_fileno(const struct mailbox *box);
/** It is @p d's from now on; other threads can find it. */
void mailbox_open(struct mailbox *box, struct dispatcher *d);
/** Nobody can find it any more; letters that were not read are thrown away. NULL allowed. */
void mailbox_free(struct mailbox *box);
/** Whether something is in it. Costs a load. */
bool mailbox_signalled(struct mailbox *box);
/** Whether something may still come. */
bool mailbox_expects(struct mailbox *box);
/** Gives what came to the dispatcher. */
void mailbox_drain(struct mailbox *box);

#endif
