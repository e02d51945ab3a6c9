/**
 * @file future_impl.h
 * @brief The inside of a future, for those that are one: tasks, gathers, waits for a descriptor.
 *
 * Private to the library. A kind of future has a struct future as its first member and one static
 * table of what is special about it, so that future_cancel() and future_unref() do the right thing
 * with every kind and know none.
 */
#ifndef FUTURE_IMPL_H
#define FUTURE_IMPL_H

#include "future.h"

struct future_waiter;

/** What is special about a kind of future. Any of them may be NULL: as a plain future does. */
struct future_ops {
    /**
     * Instead of cancelling at once, if pending. `alone`: whom it waits for waits for it, in a
     * ring, so nobody else will ever end its wait (row T28). Returns whether anything was
     * requested.
     */
    bool (*cancel)(struct future *f, bool alone);
    /**
     * Whom a cancel of f shall be passed on to, so that a long chain of tasks is walked and not
     * recursed into; NULL, or the answer NULL: f's own `cancel` decides.
     */
    struct future *(*cancel_next)(struct future *f);
    /** Of those whose `cancel` is future_cancel_branches(): the next one to cancel, or NULL. */
    struct future *(*next_branch)(struct future *f);
    /** Gives the memory back; the last reference is gone. NULL: free(). */
    void (*destroy)(struct future *f);
    /** What stands before the state in future_describe(), as snprintf; may be NULL. */
    int (*describe)(const struct future *f, char *text, size_t size);
    /** Public setters answer ERR_RUNTIME, whatever the state. */
    bool is_task;
};

enum future_state { FUTURE_PENDING, FUTURE_FINISHED, FUTURE_CANCELLED };

struct future {
    const struct future_ops *ops;
    struct dispatcher *dispatcher;
    struct call_queue waiters; /**< While pending: future_waiter.call of all who wait, in order. */
    value result;              /**< When finished without an error. */
    int error;                 /**< When finished with one. */
    unsigned references;
    unsigned cancels;     /**< How often a cancel was asked for while it was pending. */
    unsigned char state;  /**< enum future_state */
    bool error_is_wanted; /**< It has an error that nobody has asked for yet. */
    bool visited;         /**< Scratch of one walk over several futures; false between walks. */
};

/**
 * Somebody who waits for a future, embedded in him: what future_add_done_callback() is made of.
 * `call` is queued with the future's dispatcher when the future is done. Two ways to live:
 * - `call.drop` is NULL: you hold a reference to the future yourself.
 * - `call.drop` is set: you belong to the future. From its completion on it is kept alive for you,
 *   until your call.fn gives that reference back. If that is never called, `drop` is: it frees you,
 *   and gives the reference back if the future is done.
 */
struct future_waiter {
    struct call call; /**< Set call.fn, and call.drop. In the future's list, then in the queue. */
    struct future *future; /**< Set by future_wait(). */
};

/**
 * How far a cancel has come in a future that waits for several, embedded in it. Each of them is to
 * be cancelled, and may wait for several itself: future_cancel() goes through that tree in a loop.
 */
struct future_branches {
    struct future *of;             /**< Whose these are. */
    struct future_branches *outer; /**< Those of which one led here. */
    struct future *now;            /**< The one that is being cancelled. */
    bool requested;                /**< Whether one of them has requested anything. */
};

/**
 * The `cancel` of one that waits for several: future_cancel() will ask `next_branch`, and cancel
 * what it answers, until that is NULL. The answer true is preliminary: if they request nothing,
 * future_cancel() goes on as if it had been false. `next_branch` must not be at work for @p f.
 */
bool future_cancel_branches(struct future *f, struct future_branches *branches);

/** A future of some kind, pending, with one reference. Its memory is the caller's. Never fails. */
void future_init(struct future *f, const struct future_ops *ops, struct dispatcher *d);

/**
 * The `destroy` of those that lie on the stack of a function that only waits for them: nothing to
 * allocate, and near to what that function needs anyway. So nobody may keep one any longer.
 */
_Noreturn void future_on_a_stack(struct future *f);

/** The function returns, and its future ends. Its is the only reference: anything else is fatal. */
void future_leave(struct future *f);

/**
 * Puts @p w to the end of those who wait; queues it at once if @p f is done. 0, or ERR_CLOSED; then
 * @p w is neither waiting nor dropped.
 */
MUST_CHECK int future_wait(struct future *f, struct future_waiter *w);

/** Takes @p w back, whether it waits or is queued already. */
void future_wait_no_more(struct future_waiter *w);

/**
 * Completes whatever kind it is, without the checks of the public setters: @p f must be pending.
 */
int future_finish(struct future *f, int error, value v);

/** Cancels at once, whatever kind it is: @p f must be pending. */
int future_finish_cancelled(struct future *f);

/**
 * When @p source is done, @p target becomes so too. When @p target is cancelled, so is @p source if
 * `both_ways`, else they part. 0, -ENOMEM or ERR_CLOSED.
 */
MUST_CHECK int future_follow(struct future *source, struct future *target, bool both_ways);

/** Copies the outcome of @p source, which is done, to @p target unless that is done. */
int future_copy(struct future *source, struct future *target);

#endif
