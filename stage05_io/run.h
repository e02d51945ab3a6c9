/**
 * @file run.h
 * @brief One call for a whole program: asyncio.run.
 */
#ifndef RUN_H
#define RUN_H

#include "generator.h"

/** @defgroup run run
 *  @brief A loop, a selector, a main task, and an orderly end.
 *  @{ */

/**
 * Makes a loop on the default selector, runs @p main as a task until it has ended, cancels the
 * tasks that are left and lets them finish, and closes everything.
 * @param main the body. @param arg for it. @param out what it returned; None with an error; may be
 * NULL. A value that points to a task's own locals is dead by then.
 * @return 0; what main raised; or what making the loop answered: -ENOMEM, -EMFILE, ERR_VALUE for a
 * SELECTOR that does not exist, ERR_NESTED inside a running loop.
 */
MUST_CHECK int run(gen_fn *main, void *arg, value *out);

/** @} */
#endif
