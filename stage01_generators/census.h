/**
 * @file census.h
 * @brief How much of its stack each body really used: a debug build's question.
 *
 * Private to stage 1, and given. `make CENSUS=1 …` builds with it; every program then ends with a
 * list of the bodies and their highest use. Without it nothing is left of these two calls.
 */
#ifndef CENSUS_H
#define CENSUS_H

#include "stack.h"

#ifdef STACK_CENSUS
/** Before a generator gets the stack: paints it. Touches every page of it. */
void census_paint(struct stack *stack);
/** Before it gives the stack back: counts what is no longer painted, for @p name. */
void census_count(const struct stack *stack, const char *name);
#else
static inline void census_paint(struct stack *stack)
{
    (void)stack;
}
static inline void census_count(const struct stack *stack, const char *name)
{
    (void)stack, (void)name;
}
#endif

#endif
