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

struct slot *loop_slot_at(struct task_loop *loop, uint32_t id)
{
    return &loop->chunks[id / SLOTS_IN_A_CHUNK][id % SLOTS_IN_A_CHUNK];
}

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

static bool make_chunk(struct task_loop *loop)
{
    uint32_t n = loop->slots / SLOTS_IN_A_CHUNK;
    if ((n & (n - 1)) == 0) { /* the table of chunks is full at each power of two */
        struct slot **chunks = realloc(loop->chunks, (n == 0 ? 1 : 2 * (size_t)n) * sizeof *chunks);
        if (chunks == NULL)
            return false;
        loop->chunks = chunks;
    }
    struct slot *chunk = calloc(SLOTS_IN_A_CHUNK, sizeof *chunk);
    if (chunk == NULL)
        return false;
    loop->chunks[n] = chunk;
    for (uint32_t i = SLOTS_IN_A_CHUNK; i-- > 0;) { /* the first one ends on top of the list */
        chunk[i].call.fn = run_slot;
        chunk[i].call.drop = drop_slot;
        chunk[i].loop = loop;
        chunk[i].id = loop->slots + i;
        chunk[i].call.next = loop->free_slots == NULL ? NULL : &loop->free_slots->call;
        loop->free_slots = &chunk[i];
    }
    loop->slots += SLOTS_IN_A_CHUNK;
    return true;
}

struct slot *loop_slot_take(struct task_loop *loop, loop_fn *fn, void *arg)
{
    if (loop->free_slots == NULL && !make_chunk(loop))
        return NULL;
    struct slot *slot = loop->free_slots;
    struct call *next = slot->call.next;
    loop->free_slots = next == NULL ? NULL : CONTAINER_OF(next, struct slot, call);
    slot->call.next = NULL;
    slot->fn = fn;
    slot->arg = arg;
    return slot;
}

void loop_slot_give_back(struct slot *slot, bool cancelled)
{
    struct task_loop *loop = slot->loop;
    slot->generation++;
    slot->was_cancelled = cancelled;
    slot->fn = NULL;
    slot->arg = NULL;
    slot->call.next = loop->free_slots == NULL ? NULL : &loop->free_slots->call;
    loop->free_slots = slot;
}

struct slot *loop_slot_find(struct handle handle)
{
    if (handle.loop == NULL || handle.slot >= handle.loop->slots)
        return NULL;
    struct slot *slot = loop_slot_at(handle.loop, handle.slot);
    return slot->generation == handle.generation && slot->fn != NULL ? slot : NULL;
}

bool handle_cancel(struct handle handle)
{
    /* EXERCISE 4.2 handle_cancel: take it out, wherever it waits */
    struct slot *slot = loop_slot_find(handle);
    if (slot == NULL)
        return false;
    if (!timers_remove(&handle.loop->timers, slot->id))
        call_queue_remove(&slot->call);
    loop_slot_give_back(slot, true);
    return true;
    /* END 4.2 */
}

bool handle_cancelled(struct handle handle)
{
    if (handle.loop == NULL || handle.slot >= handle.loop->slots)
        return false;
    const struct slot *slot = loop_slot_at(handle.loop, handle.slot);
    return slot->generation == ((handle.generation + 1) & 0x7fffffff) && slot->was_cancelled &&
           slot->fn == NULL;
}

double handle_when(struct handle handle)
{
    int64_t when;
    const struct slot *slot = loop_slot_find(handle);
    if (slot == NULL || !timers_when(&handle.loop->timers, slot->id, &when))
        return NAN;
    return (double)when / 1e9;
}
