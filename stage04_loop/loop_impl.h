/**
 * @file loop_impl.h
 * @brief The inside of a loop, shared by loop.c and handle.c.
 *
 * Private to stage 4.
 */
#ifndef LOOP_IMPL_H
#define LOOP_IMPL_H

#include "loop.h"
#include "ring.h"
#include "timers.h"

/** Kept out of the way of those who call it, because they need not always do so. */
#define APART __attribute__((noinline))
/** Put into those who call it, for the sake of the one that does so all the time. */
#define INTO inline __attribute__((always_inline))

/**
 * A place for what a timer will call. It is waiting for its time (its id has a deadline), or due
 * and in line, or free. Its memory stays where it is as long as the loop lives.
 */
struct slot {
    loop_fn *fn; /**< NULL while free. */
    void *arg;
    uint64_t number; /**< In line, when it is due. */
    uint32_t id;
    uint32_t generation; /**< Twice the number of timers that have left, plus one if the last of
                              them was cancelled. */
};

enum { SLOTS_IN_A_CHUNK = 64 };

/**
 * A few slots together. The lowest free one of all is taken first, so that timers that are set one
 * after the other stand one behind the other, whatever the order in which the last ones left.
 */
struct chunk {
    struct slot *slots;
    uint64_t free; /**< A bit for each that is. */
};

struct task_loop {
    struct dispatcher dispatcher; /* first: a loop is one */

    _Atomic uint32_t thread; /**< To which it belongs now: see thread.h. Others may ask. */
    uint32_t maker;          /**< The one that made it. */

    struct ring line;        /**< The callbacks, oldest first. */
    struct call_queue ready; /**< The calls of futures and tasks. Their order: run_calls(). */
    uint64_t batches;        /**< How many batches there have been of those. */
    struct timers timers;

    struct chunk *chunks;
    uint64_t *open; /**< A bit for each chunk with a free slot. */
    uint32_t chunk_count;
    uint32_t lowest; /**< The first chunk with a free slot; chunk_count if there is none. */

    bool running;
    bool stopping;
    int (*handler)(const struct problem *problem, void *arg);
    void *handler_arg;
};

/** The slot with that id, which exists. */
static inline struct slot *loop_slot_at(const struct task_loop *loop, uint32_t id)
{
    return &loop->chunks[id / SLOTS_IN_A_CHUNK].slots[id % SLOTS_IN_A_CHUNK];
}

/** A place for a timer's callback; NULL if there is no memory. */
struct slot *loop_slot_take(struct task_loop *loop, loop_fn *fn, void *arg);

/** The timer has left. */
void loop_slot_give_back(struct task_loop *loop, struct slot *slot, bool cancelled);

/** The ticket of the timer that stands there. */
struct handle loop_slot_handle(struct task_loop *loop, const struct slot *slot);

#endif
