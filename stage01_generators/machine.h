/**
 * @file machine.h
 * @brief The warm-up: a generator made by hand, without a stack.
 *
 * Before there are stacks there is a struct. A state machine keeps in it what must survive from one
 * step to the next: where to go on, and each local variable. This is what Python's compiler does
 * for you (`f_lasti` is the place to go on), and what a C++20 coroutine is. It is small and fast,
 * and it has one great limit: only the function itself can stop, never one that it calls.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include "value.h"

/** @defgroup machine A state machine by hand
 *  @brief What a generator is when the compiler has no stack to spare.
 *  @{ */

/** A countdown that remembers where it was. Belongs to whoever declares it; nothing to free. */
struct machine {
    int resume_at; /**< 0 before the first step, 1 inside the loop, -1 after the end. */
    intptr_t n;    /**< The local variable, here because it must survive. */
};

/** @param m to be started. @param n the first number to be handed out. */
void machine_init(struct machine *m, intptr_t n);

/**
 * One step: hands out n, n-1, … 1 and then ends.
 * @param m started by machine_init(). @param out the number; None at the end.
 * @retval 1 (GEN_NEXT) `*out` is the next number. @retval 0 (GEN_RETURN) it has ended; asking again
 * gives the same.
 */
int machine_next(struct machine *m, value *out);

/** @} */
#endif
