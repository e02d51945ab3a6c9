/*
 * Tickets. That of a callback in line is its number. That of a timer names a place, which is used
 * again and again, and keeps a count of those who have left it; the ticket remembers that count
 * from when it was written. If the two differ, the ticket's timer is gone.
 *
 * Places are made in chunks that never move, because those who are due are called through them.
 */
#include "handle.h"

#include <math.h>
#include <stdlib.h>

#include "loop_impl.h"

/* Makes room for twice as many chunks, or for the first ones. */
static bool make_room(struct task_loop *loop)
{
    size_t room = loop->chunk_count == 0 ? 64 : 2 * (size_t)loop->chunk_count;
    struct chunk *chunks = realloc(loop->chunks, room * sizeof *chunks);
    if (chunks != NULL)
        loop->chunks = chunks;
    uint64_t *open = realloc(loop->open, room / 64 * sizeof *open);
    if (open != NULL)
        loop->open = open;
    return chunks != NULL && open != NULL;
}

static APART bool make_chunk(struct task_loop *loop)
{
    uint32_t n = loop->chunk_count;
    if ((n & (n - 1)) == 0 && (n == 0 || n >= 64) && !make_room(loop))
        return false;
    struct slot *slots = calloc(SLOTS_IN_A_CHUNK, sizeof *slots);
    if (slots == NULL)
        return false;
    for (uint32_t i = 0; i < SLOTS_IN_A_CHUNK; i++)
        slots[i].id = n * SLOTS_IN_A_CHUNK + i;
    loop->chunks[n] = (struct chunk){slots, UINT64_MAX};
    if (n % 64 == 0)
        loop->open[n / 64] = 0;
    loop->open[n / 64] |= (uint64_t)1 << n % 64;
    loop->chunk_count++;
    return true;
}

/* Chunk n has no free slot any more: which is the lowest that has? */
static APART void close_chunk(struct task_loop *loop, uint32_t n)
{
    uint32_t words = (loop->chunk_count + 63) / 64, word = n / 64;
    loop->open[word] &= ~((uint64_t)1 << n % 64);
    while (word < words && loop->open[word] == 0)
        word++;
    loop->lowest = word == words ? loop->chunk_count
                                 : 64 * word + (uint32_t)__builtin_ctzll(loop->open[word]);
}

/* The lowest free one; NULL if there is no memory. */
static inline struct slot *take_out(struct task_loop *loop)
{
    uint32_t n = loop->lowest;
    if (n == loop->chunk_count && !make_chunk(loop))
        return NULL;
    struct chunk *chunk = &loop->chunks[n];
    struct slot *slot = &chunk->slots[__builtin_ctzll(chunk->free)];
    chunk->free &= chunk->free - 1;
    if (chunk->free == 0)
        close_chunk(loop, n);
    return slot;
}

static inline void put_back(struct task_loop *loop, const struct slot *slot)
{
    uint32_t n = slot->id / SLOTS_IN_A_CHUNK;
    if (loop->chunks[n].free == 0)
        loop->open[n / 64] |= (uint64_t)1 << n % 64;
    loop->chunks[n].free |= (uint64_t)1 << slot->id % SLOTS_IN_A_CHUNK;
    if (n < loop->lowest)
        loop->lowest = n;
}

struct slot *loop_slot_take(struct task_loop *loop, loop_fn *fn, void *arg)
{
    struct slot *slot = take_out(loop);
    if (slot == NULL)
        return NULL;
    slot->fn = fn;
    slot->arg = arg;
    return slot;
}

void loop_slot_give_back(struct task_loop *loop, struct slot *slot, bool cancelled)
{
    slot->generation = ((slot->generation | 1) + 1 + cancelled) & INT32_MAX;
    slot->fn = NULL;
    put_back(loop, slot);
}

/* --- tickets -------------------------------------------------------------------------------- */

/* A timer's number: this bit, which no number in line will ever reach, the count, and the place. */
#define TIMER ((uint64_t)1 << 63)
#define GENERATION(n) ((uint32_t)((n) >> 32) & INT32_MAX)

struct handle loop_slot_handle(struct task_loop *loop, const struct slot *slot)
{
    uint64_t generation = slot->generation;
    return (struct handle){loop, TIMER | generation << 32 | slot->id};
}

static bool is_timer(struct handle handle)
{
    return handle.loop != NULL && (handle.number & TIMER) != 0;
}

/* The slot that a timer's ticket names, whoever stands there now. */
static struct slot *named(struct handle handle)
{
    uint32_t id = (uint32_t)handle.number;
    if (!is_timer(handle) || id / SLOTS_IN_A_CHUNK >= handle.loop->chunk_count)
        return NULL;
    return loop_slot_at(handle.loop, id);
}

/* The slot of a timer that is waiting or in line; NULL if it is gone. */
static struct slot *find(struct handle handle)
{
    struct slot *slot = named(handle);
    bool same = slot != NULL && GENERATION(handle.number) == slot->generation;
    return same && slot->fn != NULL ? slot : NULL;
}

bool handle_cancel(struct handle handle)
{
    /* EXERCISE 4.2 handle_cancel: take it out, wherever it waits */
    struct task_loop *loop = handle.loop;
    if (loop == NULL)
        return false;
    if (!is_timer(handle))
        return ring_take_back(&loop->line, handle.number);
    struct slot *slot = find(handle);
    if (slot == NULL)
        return false;
    if (!timers_remove(&loop->timers, slot->id))
        ring_take_back(&loop->line, slot->number); /* it is due */
    loop_slot_give_back(loop, slot, true);
    return true;
    /* END 4.2 */
}

bool handle_cancelled(struct handle handle)
{
    if (handle.loop == NULL)
        return false;
    if (!is_timer(handle))
        return ring_was_taken_back(&handle.loop->line, handle.number);
    const struct slot *slot = named(handle);
    uint32_t cancelled = ((GENERATION(handle.number) | 1) + 2) & INT32_MAX;
    return slot != NULL && slot->fn == NULL && slot->generation == cancelled;
}

double handle_when(struct handle handle)
{
    int64_t when;
    const struct slot *slot = find(handle);
    if (slot == NULL || !timers_when(&handle.loop->timers, slot->id, &when))
        return NAN;
    return (double)when / 1e9;
}
