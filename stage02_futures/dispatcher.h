/**
 * @file dispatcher.h
 * @brief Whoever will call you back soon.
 *
 * A future must not call its callbacks itself: they would run in the middle of whatever completed
 * it, on a stack that grows with each link of a chain. It asks a dispatcher to do so. Stage 2 needs
 * no more of a dispatcher than the three functions here; stage 4 builds one that has a clock, and
 * the tests have one that is pumped by hand.
 *
 * The things queued are the struct call that each object has inside it anyway. Queueing one never
 * allocates, so completing a future cannot fail for lack of memory, and a queued one can be
 * withdrawn before its owner is freed.
 */
#ifndef DISPATCHER_H
#define DISPATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "error.h"

/** @defgroup dispatcher Dispatchers
 *  @brief "Call this soon": the seam between a future and a loop.
 *  @{ */

struct dispatcher;
struct future;
struct poller;
struct call;

/**
 * What a call does. A negative result is an error that nobody else took: whoever called reports it.
 * @param call the one that was queued, no longer queued; embed it first, or use CONTAINER_OF().
 */
typedef int call_fn(struct call *call);

/**
 * Where something stands in a ring of things, embedded in it. All bytes zero: it is in none. A list
 * is a ring through one that stands for nothing: the next of that one is the first.
 */
struct links {
    struct links *next;     /**< Behind it. */
    struct links *previous; /**< Before it. */
};

/** @param head made a ring of its own: an empty list. */
static inline void links_init(struct links *head)
{
    head->next = head->previous = head;
}

/** @param head of a list. @param one in no ring; goes to the end of that list. */
static inline void links_append(struct links *head, struct links *one)
{
    one->next = head;
    one->previous = head->previous;
    head->previous->next = one;
    head->previous = one;
}

/** @param one taken out of its ring, if it is in one. @return whether it was. */
static inline bool links_remove(struct links *one)
{
    if (one->next == NULL)
        return false;
    one->previous->next = one->next;
    one->next->previous = one->previous;
    one->next = one->previous = NULL;
    return true;
}

/** The object in which @p pointer is the member @p member. */
#define CONTAINER_OF(pointer, type, member) \
    ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

/** A function to be called soon, embedded in whoever wants it. All bytes zero: not queued. */
struct call {
    struct links links;           /**< The dispatcher's, while queued. */
    call_fn *fn;                  /**< Set it before queueing. */
    /** Called instead of `fn` if the dispatcher will never call: it was closed while this was
     * queued. NULL if there is nothing to give back. */
    void (*drop)(struct call *call);
    uint64_t after; /**< The dispatcher's: how many others came before it, in a line beside this. */
};

/** @param call any. @return whether it stands in some queue. */
static inline bool call_is_queued(const struct call *call)
{
    return call->links.next != NULL;
}

/** A queue of calls. call_queue_init() it first. */
struct call_queue {
    struct links ring; /**< Its next is the oldest. */
};

/** @param q made empty. */
static inline void call_queue_init(struct call_queue *q)
{
    links_init(&q->ring);
}

/** @param q a queue. @return whether nothing is queued. */
static inline bool call_queue_empty(const struct call_queue *q)
{
    return q->ring.next == &q->ring;
}

/** @param q a queue. @param call not queued anywhere; goes to the end. */
static inline void call_queue_push(struct call_queue *q, struct call *call)
{
    links_append(&q->ring, &call->links);
}

/** @param call queued somewhere, or not: taken out of its queue. @return whether it was queued. */
static inline bool call_queue_remove(struct call *call)
{
    return links_remove(&call->links);
}

/** @param q a queue. @param call in it. @return the one behind it; NULL if it is the last. */
static inline struct call *call_queue_next(const struct call_queue *q, const struct call *call)
{
    struct links *next = call->links.next;
    return next == &q->ring ? NULL : CONTAINER_OF(next, struct call, links);
}

/** @param q a queue. @return its oldest call, which stays in it; NULL if there is none. */
static inline struct call *call_queue_first(const struct call_queue *q)
{
    return call_queue_empty(q) ? NULL : CONTAINER_OF(q->ring.next, struct call, links);
}

/** @param q a queue. @return its oldest call, taken out; NULL if there is none. */
static inline struct call *call_queue_pop(struct call_queue *q)
{
    if (call_queue_empty(q))
        return NULL;
    struct call *call = call_queue_first(q);
    call_queue_remove(call);
    return call;
}

/** @param to receives, behind what it has, all that is in @p from. @param from is empty then. */
static inline void call_queue_move(struct call_queue *to, struct call_queue *from)
{
    if (call_queue_empty(from))
        return;
    from->ring.next->previous = to->ring.previous;
    to->ring.previous->next = from->ring.next;
    from->ring.previous->next = &to->ring;
    to->ring.previous = from->ring.previous;
    call_queue_init(from);
}

/**
 * Empties a queue that will never be run: each call is taken out and dropped.
 * @param q a queue. */
static inline void call_queue_drop(struct call_queue *q)
{
    struct call *call;
    while ((call = call_queue_pop(q)) != NULL)
        if (call->drop != NULL)
            call->drop(call);
}

/** Something that went wrong and that nobody took (rows F15, F17, H04, T32). */
struct problem {
    const char *message;   /**< One sentence: "exception was never retrieved". Never NULL. */
    int error;             /**< The error, 0 if there is none. */
    struct future *future; /**< Whose it is, or NULL. Valid during the report only. */
};

struct member;

/** What a dispatcher can do with a member. */
struct member_ops {
    /** Ends the owner. Called once, by dispatcher_shut(), with the member delisted already. */
    void (*shut)(struct member *member);
    /** Writes one line about the owner for dispatcher_dump(), as snprintf; may be NULL. */
    int (*describe)(struct member *member, char *text, size_t size);
};

/** What must be ended before its dispatcher goes away: a task, an executor. Embed it. */
struct member {
    const struct member_ops *ops; /**< What kind it is. */
    struct links links;           /**< The dispatcher's, while enlisted. */
};

/** What a dispatcher can do; one static table for each kind. */
struct dispatcher_ops {
    /** Queues @p call, which is not queued. 0, or ERR_CLOSED. */
    int (*soon)(struct dispatcher *d, struct call *call);
    /** Tells somebody. */
    void (*report)(struct dispatcher *d, const struct problem *problem);
    /** Gives its memory back: it has been released and its last future is gone. May be NULL. */
    void (*gone)(struct dispatcher *d);
};

/** The memory of a future that is gone, for the next one. */
struct spare {
    struct spare *next; /**< In the list of its dispatcher. */
};

/** The first member of every dispatcher. dispatcher_init() it. */
struct dispatcher {
    const struct dispatcher_ops *ops; /**< What kind it is. */
    struct poller *poller;            /**< Who waits for it when it is idle (stage 4), or NULL. */
    struct links members;             /**< A list of those to be shut. */
    size_t futures;                   /**< How many futures know this dispatcher. */
    struct spare *spare;              /**< Kept for the next plain futures, until it is closed. */
    unsigned spares;                  /**< How many. */
    bool closed;                      /**< It takes no more calls and members. */
    bool released;                    /**< Its owner is done with it. */
};

/** @param d to be initialised. @param ops what kind it is. */
void dispatcher_init(struct dispatcher *d, const struct dispatcher_ops *ops);

/**
 * Queues a call. It will run once, after the caller has returned to the dispatcher, in the order of
 * queueing. Never allocates.
 * @param d not NULL. @param call not queued. @retval 0 queued. @retval ERR_CLOSED not any more.
 */
static inline int dispatcher_soon(struct dispatcher *d, struct call *call)
{
    return d->ops->soon(d, call);
}

/**
 * Reports a problem.
 * @param d to whom. @param message a sentence. @param error or 0. @param future or NULL.
 */
void dispatcher_report(struct dispatcher *d, const char *message, int error, struct future *future);

/**
 * Writes a problem as one line to standard error: what dispatchers do that were told nothing else.
 * @param problem the problem.
 */
void problem_print(const struct problem *problem);

/**
 * Enlists an object to be shut with the dispatcher.
 * @param d not NULL. @param member not enlisted, `ops` set.
 * @retval 0 done. @retval ERR_CLOSED it has been closed.
 */
MUST_CHECK int dispatcher_enlist(struct dispatcher *d, struct member *member);

/** @param member taken off its list; nothing happens if it is on none. */
void dispatcher_delist(struct member *member);

/**
 * Closes: from now on dispatcher_soon() answers ERR_CLOSED, and each member is shut, oldest first.
 * Part of every dispatcher's own close; idempotent.
 * @param d not NULL.
 */
void dispatcher_shut(struct dispatcher *d);

/**
 * The owner is done with @p d, which has been shut: its memory is given back when the last future
 * that knows it is gone, which may be now.
 * @param d not NULL.
 */
void dispatcher_release(struct dispatcher *d);

/**
 * One line for each member: what is alive, and what it waits for.
 * @param d not NULL. @param stream where to. @return how many members there are.
 */
size_t dispatcher_dump(struct dispatcher *d, FILE *stream);

/**
 * The dispatcher that does not wait: it calls at once, inside dispatcher_soon(). It exists to be
 * felt (a chain of completions is a chain of calls, and a long one overflows the stack; the end of
 * stage 3 shows it), and is replaced by a queue in stage 4.
 * @param d storage of the caller, at least as long alive as its futures.
 */
void immediate_init(struct dispatcher *d);

/** Shuts what immediate_init() began. @param d no futures may be left. */
void immediate_close(struct dispatcher *d);

/** @} */
#endif
