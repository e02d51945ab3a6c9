/*
 * A suite in which nothing is checked: the runner must not call that a success.
 */
#include "harness.h"

static const struct check checks[1];

static struct suite nothing = {"nothing", 2, false, 0, checks, NULL};

__attribute__((constructor)) static void nothing_add(void)
{
    harness_add_suite(&nothing);
}
