/**
 * @file timers.h
 * @brief Deadlines in order: a heap.
 *
 * Private to stage 4. A heap of small entries, each with its deadline inside, so that comparing two
 * does not follow a pointer; four children to a node, so that they share a cache line. Each entry
 * knows whose it is (an id below some number), and a table knows where in the heap each id stands,
 * so that any timer can be taken out at once.
 */
#ifndef TIMERS_H
#define TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** One deadline. */
struct timer {
    int64_t when;      /**< Nanoseconds. */
    uint32_t sequence; /**< Orders equal deadlines; may wrap around. */
    uint32_t id;       /**< Whose it is. */
};

struct timers {
    struct timer *heap;  /**< Aligned so that four siblings share a cache line. */
    uint32_t *place;     /**< By id: index in the heap + 1, 0 if none. */
    size_t count;
    size_t room;         /**< In the heap. */
    size_t places;       /**< In the table. */
    uint32_t sequence;   /**< Of the next one. */
};

/** @param t made empty: all bytes zero do as well. */
void timers_init(struct timers *t);

/** @param t gives its memory back. */
void timers_free(struct timers *t);

/** @retval 0 set. @retval -ENOMEM no memory. @p id must have no deadline. */
int timers_add(struct timers *t, uint32_t id, int64_t when);

/** Takes out the deadline of @p id; false if it has none. */
bool timers_remove(struct timers *t, uint32_t id);

/** @return the earliest; NULL if there is none. */
const struct timer *timers_first(const struct timers *t);

/** Takes the earliest out, and answers whose it was. There must be one. */
uint32_t timers_pop(struct timers *t);

/** @return the deadline of @p id; false if it has none. */
bool timers_when(const struct timers *t, uint32_t id, int64_t *when);

#endif
