/*
 * A heap with four children to a node. Compared with two it is half as deep, and the four brothers
 * that a step downwards looks at lie in one cache line, if the first of them is aligned:
 *
 *     memory:   | - - - 0 | 1 2 3 4 | 5 6 7 8 | 9 …        (one cache line between the bars)
 *
 * so the root stands at the fourth place of its line, and the children of i, 4i+1 … 4i+4, begin a
 * line each. Moving an entry is done by a hole: the others shift, and the entry is written once.
 *
 * Who is new stands behind the heap until somebody asks for the earliest. Many do not stay so long:
 * a time-out, for instance, of what is done at once.
 */
#include "timers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CHILDREN = 4, LINE = 64, FIRST_ROOM = 61 };

void timers_init(struct timers *t)
{
    memset(t, 0, sizeof *t);
}

/* The allocation begins three entries before the root. */
static void *allocation(struct timer *heap)
{
    return heap == NULL ? NULL : heap - (CHILDREN - 1);
}

void timers_free(struct timers *t)
{
    free(allocation(t->heap));
    free(t->place);
    timers_init(t);
}

static inline bool earlier(struct timer a, struct timer b)
{
    if (a.when != b.when)
        return a.when < b.when;
    return (int32_t)(a.sequence - b.sequence) < 0;
}

static inline void put(struct timers *t, size_t i, struct timer timer)
{
    t->heap[i] = timer;
    t->place[timer.id] = (uint32_t)i + 1;
}

/* The hole at i rises until `timer` may stand in it. */
static void sift_up(struct timers *t, size_t i, struct timer timer)
{
    /* EXERCISE 4.4 sift_up: the hole rises */
    while (i > 0) {
        size_t parent = (i - 1) / CHILDREN;
        if (!earlier(timer, t->heap[parent]))
            break;
        put(t, i, t->heap[parent]);
        i = parent;
    }
    put(t, i, timer);
    /* END 4.4 */
}

/* The hole at i sinks until `timer` may stand in it. */
static void sift_down(struct timers *t, size_t i, struct timer timer)
{
    /* EXERCISE 4.5 sift_down: the hole sinks */
    for (;;) {
        size_t first = CHILDREN * i + 1, best = first;
        size_t end = first + CHILDREN < t->sorted ? first + CHILDREN : t->sorted;
        if (first >= t->sorted)
            break;
        for (size_t child = first + 1; child < end; child++)
            if (earlier(t->heap[child], t->heap[best]))
                best = child;
        if (!earlier(t->heap[best], timer))
            break;
        put(t, i, t->heap[best]);
        i = best;
    }
    put(t, i, timer);
    /* END 4.5 */
}

static int make_room(struct timers *t, uint32_t id)
{
    if (t->count == t->room) {
        size_t room = t->room == 0 ? FIRST_ROOM : t->room * 2 + 3;
        size_t bytes = (room + CHILDREN - 1) * sizeof(struct timer); /* a multiple of a line */
        struct timer *fresh = aligned_alloc(LINE, (bytes + LINE - 1) / LINE * LINE);
        if (fresh == NULL)
            return -ENOMEM;
        fresh += CHILDREN - 1;
        if (t->count > 0)
            memcpy(fresh, t->heap, t->count * sizeof *fresh);
        free(allocation(t->heap));
        t->heap = fresh;
        t->room = room;
    }
    if (id >= t->places) {
        size_t places = t->places == 0 ? 64 : t->places;
        while (places <= id)
            places *= 2;
        uint32_t *fresh = realloc(t->place, places * sizeof *fresh);
        if (fresh == NULL)
            return -ENOMEM;
        memset(fresh + t->places, 0, (places - t->places) * sizeof *fresh);
        t->place = fresh;
        t->places = places;
    }
    return 0;
}

int timers_add(struct timers *t, uint32_t id, int64_t when)
{
    int error = make_room(t, id);
    if (error)
        return error;
    put(t, t->count++, (struct timer){when, t->sequence++, id});
    return 0;
}

/* Index + 1 of an id, 0 if it has none. */
static inline uint32_t find(const struct timers *t, uint32_t id)
{
    return id < t->places ? t->place[id] : 0;
}

/* The hole at i moves to where `timer` may stand. */
static inline void settle(struct timers *t, size_t i, struct timer timer)
{
    put(t, i, timer); /* so that it stands somewhere, whatever becomes of the order */
    if (i > 0 && earlier(timer, t->heap[(i - 1) / CHILDREN]))
        sift_up(t, i, timer);
    else if (CHILDREN * i + 1 < t->sorted) /* most have no children */
        sift_down(t, i, timer);
}

bool timers_remove(struct timers *t, uint32_t id)
{
    size_t i = find(t, id);
    if (i-- == 0)
        return false;
    t->place[id] = 0;
    if (i < t->sorted) {
        size_t hole = --t->sorted;
        if (i != hole)
            settle(t, i, t->heap[hole]); /* the last of the heap takes its place */
        i = hole;
    }
    if (i != --t->count)
        put(t, i, t->heap[t->count]); /* and the last of all that one's */
    return true;
}

const struct timer *timers_first(struct timers *t)
{
    for (; t->sorted < t->count; t->sorted++)
        sift_up(t, t->sorted, t->heap[t->sorted]);
    return t->count > 0 ? &t->heap[0] : NULL;
}

uint32_t timers_pop(struct timers *t)
{
    uint32_t id = timers_first(t)->id;
    timers_remove(t, id);
    return id;
}

bool timers_when(const struct timers *t, uint32_t id, int64_t *when)
{
    size_t i = find(t, id);
    if (i-- == 0)
        return false;
    *when = t->heap[i].when;
    return true;
}
