/**
 * @file ring.h
 * @brief The line of callbacks, and the numbers by which they are called.
 *
 * Private to stage 4. Whoever comes gets the next number. Number n stands at places[n & mask], so
 * that the line is an array that bites its own tail, and 16 bytes are all that a callback needs.
 * Numbers are never given twice, so a number is all that a ticket needs, too.
 */
#ifndef RING_H
#define RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

/** One in line. */
struct callback {
    int (*fn)(void *arg); /**< ring_nobody(): it was taken back. */
    void *arg;            /**< For it. */
};

/** The line. ring_init() it. */
struct ring {
    struct callback *places; /**< The array. */
    uint64_t mask;   /**< A power of two less one: there are that many places and one. */
    uint64_t first;  /**< The number of the oldest. */
    uint64_t end;    /**< The number of the next to come. */
    uint64_t limit;  /**< Numbers before this one had room when that was last found out. */
    uint64_t oldest; /**< Of numbers before this one nothing is known. */
    uint64_t nobody; /**< How often nobody came to his turn. */
};

/** Makes it empty. @return false if there is no memory. */
bool ring_init(struct ring *ring);

/** Gives the memory back. */
void ring_free(struct ring *ring);

/** ring_push() at the limit: finds out where that is by now, or doubles the number of places. */
SELDOM bool ring_push_at_limit(struct ring *ring, int (*fn)(void *arg), void *arg);

/** Forgets everybody. */
void ring_clear(struct ring *ring);

/** Where number @p n stands, or has stood. */
static inline struct callback *ring_at(const struct ring *ring, uint64_t n)
{
    return &ring->places[n & ring->mask];
}

/** @p fn comes to the end of the line; its number is the old end. @return false: no memory. */
static inline bool ring_push(struct ring *ring, int (*fn)(void *arg), void *arg)
{
    if (ring->end == ring->limit)
        return ring_push_at_limit(ring, fn, arg);
    *ring_at(ring, ring->end++) = (struct callback){fn, arg};
    return true;
}

/** Stands in the place of one who was taken back, and only counts how often: @p ring is a line. */
int ring_nobody(void *ring);

/** Takes number @p n back. @return false if it is not in line any more. */
bool ring_take_back(struct ring *ring, uint64_t n);

/** Whether number @p n was taken back, as long as nobody stands in its place. */
bool ring_was_taken_back(const struct ring *ring, uint64_t n);

/** How many are in line and have not been taken back. */
size_t ring_count(const struct ring *ring);

#endif
