/*
 * The line of callbacks. It is written at one end and read at the other, so memory is used in the
 * order that it likes best, and a callback costs 16 bytes and no allocation. Who is taken back
 * leaves his place to nobody, who does nothing when the number comes.
 */
#include "ring.h"

#include <stdlib.h>

enum { FIRST_ROOM = 64 };

bool ring_init(struct ring *ring)
{
    *ring = (struct ring){.places = malloc(FIRST_ROOM * sizeof *ring->places),
                          .mask = FIRST_ROOM - 1,
                          .limit = FIRST_ROOM};
    return ring->places != NULL;
}

void ring_free(struct ring *ring)
{
    free(ring->places);
}

static bool grow(struct ring *ring)
{
    uint64_t room = 2 * (ring->mask + 1);
    struct callback *places = malloc(room * sizeof *places);
    if (places == NULL)
        return false;
    for (uint64_t n = ring->first; n < ring->end; n++)
        places[n & (room - 1)] = *ring_at(ring, n);
    free(ring->places);
    ring->places = places;
    ring->mask = room - 1;
    ring->oldest = ring->first;
    return true;
}

bool ring_push_at_limit(struct ring *ring, int (*fn)(void *arg), void *arg)
{
    if (ring->end - ring->first > ring->mask && !grow(ring))
        return false;
    ring->limit = ring->first + ring->mask + 1;
    return ring_push(ring, fn, arg);
}

void ring_clear(struct ring *ring)
{
    ring->first = ring->oldest = ring->end;
}

/* Each number that was given has a place until somebody else gets it, or the line grows. */
static bool is_known(const struct ring *ring, uint64_t n)
{
    return n >= ring->oldest && n < ring->end && ring->end - n <= ring->mask + 1;
}

int ring_nobody(void *ring)
{
    ((struct ring *)ring)->nobody++;
    return 0;
}

static bool is_nobody(const struct ring *ring, uint64_t n)
{
    return ring_at(ring, n)->fn == ring_nobody;
}

bool ring_take_back(struct ring *ring, uint64_t n)
{
    if (n < ring->first || n >= ring->end || is_nobody(ring, n))
        return false;
    *ring_at(ring, n) = (struct callback){ring_nobody, ring};
    return true;
}

bool ring_was_taken_back(const struct ring *ring, uint64_t n)
{
    return is_known(ring, n) && is_nobody(ring, n);
}

size_t ring_count(const struct ring *ring)
{
    size_t count = 0;
    for (uint64_t n = ring->first; n < ring->end; n++)
        count += !is_nobody(ring, n);
    return count;
}
