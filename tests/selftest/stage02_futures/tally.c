/*
 * An exercise that is written, one that is not, and one that stands on it.
 */
#include "error.h"
#include "tally.h"

int tally_of(int a, int b)
{
    /* EXERCISE 2.1 tally_of: add two numbers */
    return a + b;
    /* END 2.1 */
}

int tally_double(int a)
{
    /* EXERCISE 2.2 tally_double: a number and itself */
    (void)a;
    return exercise_unwritten("2.2");
    /* END 2.2 */
}

int tally_twice(int a)
{
    /* EXERCISE 2.3 tally_twice: double it, twice */
    return tally_double(tally_double(a));
    /* END 2.3 */
}
