/**
 * @file loop_impl.h
 * @brief The inside of a loop, shared by loop.c and handle.c.
 *
 * Private to stage 4.
 */
#ifndef LOOP_IMPL_H
#define LOOP_IMPL_H

#include "loop.h"
#include "timers.h"

/** Kept out of the way of those who call it, because they seldom do. */
#define APART __attribute__((noinline))

/**
 * A place for one callback. It is waiting for its time (its id has a deadline), or queued, or free.
 * Its memory stays where it is as long as the loop lives. One cache line.
 */
struct slot {
    struct call call; /**< While queued. */
    loop_fn *fn;      /**< NULL while free. */
    void *arg;
    struct task_loop *loop;
    uint32_t id;
    uint32_t generation; /**< Twice the number of callbacks that have left, plus one if the last of
                              them was cancelled. */
};

enum { SLOTS_IN_A_CHUNK = 64 };
#define NO_CHUNK UINT32_MAX

/**
 * A page of slots. The lowest free one is taken first, so that callbacks that are made one after
 * the other stand one behind the other, whatever the order in which the last ones left.
 */
struct chunk {
    struct slot *slots;
    uint64_t free;      /**< A bit for each that is. */
    uint32_t next_open; /**< The next chunk with a free slot, or NO_CHUNK. */
};

struct task_loop {
    struct dispatcher dispatcher; /* first: a loop is one */

    struct call_queue ready; /**< Oldest first. */
    struct call *last; /**< The last of those that this turn runs; the ring itself: none is left. */
    struct timers timers;

    struct slot *at_hand; /**< A free slot that was just in use, so it is in the cache; or NULL. */
    struct chunk *chunks;
    uint32_t chunk_count;
    uint32_t open; /**< The first chunk with a free slot, or NO_CHUNK. */

    const void *thread; /**< Some address that only the loop's thread has. */
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

/** The slot of a callback that is still waiting or queued; NULL if it is gone. */
struct slot *loop_slot_find(struct handle handle);

/** Takes a call out of the queue, if it is there. */
void loop_unqueue(struct task_loop *loop, struct call *call);

/** A slot for a callback; NULL if there is no memory. */
struct slot *loop_slot_take(struct task_loop *loop, loop_fn *fn, void *arg);

/** The callback has left. */
void loop_slot_give_back(struct slot *slot, bool cancelled);

#endif
