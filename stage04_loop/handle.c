/*
 * Places for callbacks, and the tickets that name them. A place is used again and again, which
 * costs nothing, and keeps a count of those who have left it; a ticket remembers that count from
 * when it was written. If the two differ, the ticket's callback is gone.
 *
 * Places are made in chunks that never move, because the loop's queue is linked through them.
 */
#include "handle.h"

#include <math.h>
#include <stdlib.h>

#include "loop_impl.h"

static int run_slot(struct call *call)
{
    struct slot *slot = CONTAINER_OF(call, struct slot, call);
    loop_fn *fn = slot->fn;
    void *arg = slot->arg;
    loop_slot_give_back(slot, false); /* before the call: from now on cancelling has no effect */
    return fn(arg);
}

static void drop_slot(struct call *call)
{
    loop_slot_give_back(CONTAINER_OF(call, struct slot, call), false);
}

static APART bool make_chunk(struct task_loop *loop)
{
    uint32_t n = loop->chunk_count;
    if ((n & (n - 1)) == 0) { /* the table is full at each power of two */
        struct chunk *chunks = realloc(loop->chunks, (n == 0 ? 1 : 2 * (size_t)n) * sizeof *chunks);
        if (chunks == NULL)
            return false;
        loop->chunks = chunks;
    }
    struct slot *slots = aligned_alloc(sizeof *slots, SLOTS_IN_A_CHUNK * sizeof *slots);
    if (slots == NULL)
        return false;
    for (uint32_t i = 0; i < SLOTS_IN_A_CHUNK; i++)
        slots[i] = (struct slot){.call = {.fn = run_slot, .drop = drop_slot},
                                 .loop = loop,
                                 .id = n * SLOTS_IN_A_CHUNK + i};
    loop->chunks[n] = (struct chunk){slots, UINT64_MAX, loop->open};
    loop->open = n;
    loop->chunk_count++;
    return true;
}

/* The lowest free one of the first chunk that has one; NULL if there is no memory. */
static struct slot *take_out(struct task_loop *loop)
{
    if (loop->open == NO_CHUNK && !make_chunk(loop))
        return NULL;
    struct chunk *chunk = &loop->chunks[loop->open];
    struct slot *slot = &chunk->slots[__builtin_ctzll(chunk->free)];
    chunk->free &= chunk->free - 1;
    if (chunk->free == 0)
        loop->open = chunk->next_open;
    return slot;
}

static void put_back(struct task_loop *loop, const struct slot *slot)
{
    struct chunk *chunk = &loop->chunks[slot->id / SLOTS_IN_A_CHUNK];
    if (chunk->free == 0) {
        chunk->next_open = loop->open;
        loop->open = slot->id / SLOTS_IN_A_CHUNK;
    }
    chunk->free |= (uint64_t)1 << slot->id % SLOTS_IN_A_CHUNK;
}

struct slot *loop_slot_take(struct task_loop *loop, loop_fn *fn, void *arg)
{
    struct slot *slot = loop->at_hand;
    loop->at_hand = NULL;
    if (slot == NULL)
        slot = take_out(loop);
    if (slot == NULL)
        return NULL;
    slot->fn = fn;
    slot->arg = arg;
    return slot;
}

void loop_slot_give_back(struct slot *slot, bool cancelled)
{
    struct task_loop *loop = slot->loop;
    slot->generation = (slot->generation | 1) + 1 + cancelled;
    slot->fn = NULL;
    if (loop->at_hand == NULL)
        loop->at_hand = slot;
    else
        put_back(loop, slot);
}

/* The slot that a ticket names, whoever stands there now. */
static struct slot *named(struct handle handle)
{
    if (handle.loop == NULL || handle.slot / SLOTS_IN_A_CHUNK >= handle.loop->chunk_count)
        return NULL;
    return loop_slot_at(handle.loop, handle.slot);
}

struct slot *loop_slot_find(struct handle handle)
{
    struct slot *slot = named(handle);
    return slot != NULL && slot->generation == handle.generation && slot->fn != NULL ? slot : NULL;
}

bool handle_cancel(struct handle handle)
{
    /* EXERCISE 4.2 handle_cancel: take it out, wherever it waits */
    struct slot *slot = loop_slot_find(handle);
    if (slot == NULL)
        return false;
    if (!timers_remove(&handle.loop->timers, slot->id))
        loop_unqueue(handle.loop, &slot->call);
    loop_slot_give_back(slot, true);
    return true;
    /* END 4.2 */
}

bool handle_cancelled(struct handle handle)
{
    const struct slot *slot = named(handle);
    return slot != NULL && slot->fn == NULL && slot->generation == (handle.generation | 1) + 2;
}

double handle_when(struct handle handle)
{
    int64_t when;
    const struct slot *slot = loop_slot_find(handle);
    if (slot == NULL || !timers_when(&handle.loop->timers, slot->id, &when))
        return NAN;
    return (double)when / 1e9;
}
