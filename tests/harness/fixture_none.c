/*
 * Stage 1 has no dispatcher: its checks run on nothing.
 */
#include "harness_impl.h"

const char *const fixture_kinds[] = {"none", NULL};

void fixture_begin(const char *kind)
{
    (void)kind;
}

void fixture_end(void)
{
}
