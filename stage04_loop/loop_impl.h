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

/**
 * A place for one callback. It is waiting for its time (its id has a deadline), or queued, or free.
 * Its memory stays where it is as long as the loop lives.
 */
struct slot {
    struct call call; /**< While queued. While free, call.next is the next free slot's call. */
    loop_fn *fn;
    void *arg;
    struct task_loop *loop;
    uint32_t id;
    uint32_t generation : 31; /**< How many callbacks have left this place. */
    uint32_t was_cancelled : 1; /**< Whether the last one left by handle_cancel(). */
};

enum { SLOTS_IN_A_CHUNK = 256 };

struct task_loop {
    struct dispatcher dispatcher; /* first: a loop is one */

    struct call_queue ready; /**< Will be run in the next turn. */
    struct call_queue batch; /**< What is left of those that this turn runs. */
    struct timers timers;

    struct slot *free_slots;
    struct slot **chunks;
    uint32_t slots; /**< That exist, in chunks. */

    const void *thread; /**< Some address that only the loop's thread has. */
    bool running;
    bool stopping;
    int (*handler)(const struct problem *problem, void *arg);
    void *handler_arg;
};

/** The slot with that id. */
struct slot *loop_slot_at(struct task_loop *loop, uint32_t id);

/** The slot of a callback that is still waiting or queued; NULL if it is gone. */
struct slot *loop_slot_find(struct handle handle);

/** A slot for a callback; NULL if there is no memory. */
struct slot *loop_slot_take(struct task_loop *loop, loop_fn *fn, void *arg);

/** The callback has left. */
void loop_slot_give_back(struct slot *slot, bool cancelled);

#endif
