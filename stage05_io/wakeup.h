/**
 * @file wakeup.h
 * @brief From other threads: the one door into a running loop.
 *
 * A loop belongs to one thread. Others may only put a callback into a locked list and wake the loop
 * up, which may be asleep in its selector: a byte through a pipe does that (an eventfd on Linux).
 */
#ifndef WAKEUP_H
#define WAKEUP_H

#include "error.h"
#include "executor.h"
#include "value.h"

/** @defgroup wakeup Threads beside a loop
 *  @brief call_soon_threadsafe, run_in_executor.
 *  @{ */

struct task_loop;
struct future;

/**
 * As loop_call_soon(), from any thread; the loop must be on a selector. Calls of one thread run in
 * the order in which they were made (row S40). From the loop's own thread it is loop_call_soon().
 * The caller must know that the loop has not been freed: see loop_hold().
 * @param loop not NULL. @param fn the callback. @param arg for it.
 * @retval 0 queued. @retval ERR_VALUE no function. @retval ERR_CLOSED the loop is closed.
 * @retval ERR_TYPE its poller is no selector. @retval -ENOMEM no memory.
 */
MUST_CHECK int loop_call_soon_threadsafe(struct task_loop *loop, int (*fn)(void *arg), void *arg);

/**
 * Says that a thread may still call: the loop waits for it, instead of answering ERR_DEADLOCK (row
 * L04). From the loop's own thread, before the other one is started.
 * @param loop not NULL, on a selector. @retval 0 done. @retval ERR_CLOSED the loop is
 * closed. @retval ERR_TYPE its poller is no selector.
 */
MUST_CHECK int loop_hold(struct task_loop *loop);

/** Takes one loop_hold() back; from any thread, as the last thing it does with the loop.
 *  @param loop not NULL. */
void loop_release(struct task_loop *loop);

/**
 * Runs a job on a thread of the loop's own executor, which is made with the first job; see
 * executor_submit() for cancelling and @p drop (rows S42 to S45).
 * @param loop not NULL, on a selector; from its own thread. @param fn the job. @param arg for it.
 * @param drop may be NULL. @param out one reference to its future, completed on the loop's thread.
 * @return as executor_submit(); ERR_TYPE if its poller is no selector.
 */
MUST_CHECK int loop_run_in_executor(struct task_loop *loop, executor_job_fn *fn, void *arg,
                                    executor_drop_fn *drop, struct future **out);

/** @} */
#endif
