/**
 * @file stack.h
 * @brief Where generators keep their locals: a pool of stacks with guards.
 *
 * Private to stage 1, and given. A stack is a slot of a large reservation of address space. Only
 * pages that were touched cost memory, so a suspended generator costs one page however large its
 * slot is. The lowest pages of a slot are the guard: whoever runs off the end of his stack hits
 * them and not his neighbour.
 *
 *     slot:  | guard | . . never touched . . | locals of the body | owner's struct | struct stack |
 *            low                                <- grows                            high
 *
 * Slots come in sizes 16 KiB · 2^n. Each thread keeps its own list of free ones, so taking and
 * giving back is a few instructions and no system call.
 */
#ifndef STACK_H
#define STACK_H

#include <stddef.h>

enum {
    STACK_SMALLEST = 16 * 1024, /**< The smallest slot. */
    STACK_DEFAULT = 64 * 1024,  /**< What gen_new() takes. */
    STACK_CLASSES = 13          /**< So the largest slot is 64 MiB. */
};
#define STACK_LARGEST ((size_t)STACK_SMALLEST << (STACK_CLASSES - 1))

/**
 * One slot, as its owner sees it. This struct stands in the slot itself, above what it describes.
 */
struct stack {
    unsigned char *low; /**< The lowest usable byte; the guard is below. */
    size_t size;        /**< Usable bytes, up to this struct. */
    unsigned colour;    /**< 0…15: shift your hot data by this many pairs of cache lines, so that
                             the stacks of many generators do not compete for the same sets. */
    unsigned size_class;
    struct stack *next; /**< The pool's: while it is free. */
};

/**
 * Takes a slot of at least @p size bytes, guard included.
 * @retval 0 done. @retval -ENOMEM no memory or no address space. @retval ERR_VALUE more than
 * STACK_LARGEST, or 0.
 */
int stack_acquire(size_t size, struct stack **out);

/** Gives it back; what stood there is gone. */
void stack_release(struct stack *stack);

/**
 * Who to blame when a guard is hit: called from a signal handler with the address that was touched;
 * returns the name of the generator of the calling thread whose guard that is, or NULL.
 * stack_blame() also sets up the calling thread to survive its own overflow long enough to say so.
 */
typedef const char *stack_owner_fn(const void *address, size_t *stack_size);
void stack_blame(stack_owner_fn *owner);

#endif
