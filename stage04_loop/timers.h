/**
 * @file timers.h
 * @brief Deadlines in order: a heap.
 *
 * What the loop keeps its timers in; of use by itself wherever things are due. A heap of small
 * entries, each with its deadline inside, so that comparing two does not follow a pointer; four
 * children to a node, so that they share a cache line. Each entry knows whose it is, an id, and a
 * table knows where in the heap each id stands, so that any of them can be taken out at once.
 */
#ifndef TIMERS_H
#define TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

/** @defgroup timers Timers
 *  @brief A heap of deadlines, from which any one can be taken out.
 *  @{ */

/** One deadline. */
struct timer {
    int64_t when;      /**< Nanoseconds, on whatever clock. */
    uint32_t sequence; /**< Orders equal deadlines by when they were set; may wrap around. */
    uint32_t id;       /**< Whose it is. */
};

/** The heap. All bytes zero: empty. Belongs to whoever declares it. */
struct timers {
    struct timer *heap; /**< Aligned so that four siblings share a cache line. */
    uint32_t *place;    /**< By id: index in the heap + 1, 0 if none. */
    size_t count;       /**< How many deadlines there are. */
    size_t sorted;      /**< So many of them are a heap; behind it stand those that are new. */
    size_t room;        /**< For so many in the heap. */
    size_t places;      /**< For so many ids in the table. */
    uint32_t sequence;  /**< Of the next one. */
};

/** Makes it empty. @param t not NULL. */
void timers_init(struct timers *t);

/** Gives its memory back; it is empty then. @param t not NULL. */
void timers_free(struct timers *t);

/**
 * Sets a deadline. Costs the same for the first and the millionth: it is put in order later, see
 * timers_first(). Grows by doubling.
 * @param t not NULL. @param id whose; small numbers, because the table has a place for each up to
 * the largest. It must have no deadline. @param when nanoseconds.
 * @retval 0 set. @retval -ENOMEM no memory; nothing was changed.
 */
MUST_CHECK int timers_add(struct timers *t, uint32_t id, int64_t when);

/**
 * Takes a deadline out, wherever it stands, and gives its place back at once.
 * @param t not NULL. @param id any number. @return false if it has none.
 */
bool timers_remove(struct timers *t, uint32_t id);

/**
 * The earliest. Puts those in order that are new: a few steps for each.
 * @param t not NULL. @return it, valid until the next change; NULL if there is none.
 */
const struct timer *timers_first(struct timers *t);

/** Takes the earliest out. @param t not empty. @return whose it was. */
uint32_t timers_pop(struct timers *t);

/**
 * Looks a deadline up.
 * @param t not NULL. @param id any number. @param when the deadline. @return false if it has none.
 */
bool timers_when(const struct timers *t, uint32_t id, int64_t *when);

/** @} */
#endif
