/**
 * @file combine.h
 * @brief Futures made of futures, and of time: sleep, gather, wait_for, shield.
 */
#ifndef COMBINE_H
#define COMBINE_H

#include "future.h"
#include "task.h"

/** @defgroup combine Combinators
 *  @brief sleep_for, gather, wait_for, shield, ensure_future.
 *  @{ */

/**
 * The future in a value: asyncio's ensure_future for what C can hold (rows E01, E02).
 * @param d where it shall belong to. @param v holds a future or task. @param out the same object,
 * with one more reference; NULL with an error.
 * @retval 0 done. @retval ERR_TYPE it holds none. @retval ERR_WRONG_LOOP it belongs elsewhere.
 */
MUST_CHECK int ensure_future(struct dispatcher *d, value v, struct future **out);

/**
 * Inside a task on a loop: sleeps. Zero or less is a bare task_yield() (rows Z01 to Z03). A cancel
 * ends it at once and takes its timer back. Allocates nothing but the timer: the future lies on the
 * sleeper's stack, and who drives a generator that sleeps must not keep what it yielded.
 * @param seconds how long at least.
 * @retval 0 slept. @retval ERR_VALUE NaN. @retval ERR_RUNTIME the task's dispatcher has no clock.
 * @retval -ENOMEM no memory for the timer. @return otherwise what task_await() raises.
 */
MUST_CHECK int sleep_for(double seconds);

/** For gather(). */
enum gather_flags {
    GATHER_FIRST_ERROR = 0,      /**< The first error completes it; the others go on (row Q04). */
    GATHER_RETURN_EXCEPTIONS = 1 /**< Waits for all; errors are items like others (row Q05). */
};

/**
 * One future for many: done when all are. Its own result is None; ask gather_item() for theirs.
 * Cancelling it cancels all children that are not done (rows Q01 to Q09).
 * @param d where all of them belong. @param futures may repeat; gather takes its own references.
 * @param n how many; 0 gives a done one. @param flags as above. @param out one reference, or NULL.
 * @retval 0 made. @retval ERR_WRONG_LOOP a child belongs elsewhere. @retval ERR_TYPE a child is
 * NULL.
 * @retval -ENOMEM, ERR_CLOSED nothing was made; the children are untouched.
 */
MUST_CHECK int gather(struct dispatcher *d, struct future *const *futures, size_t n,
                      enum gather_flags flags, struct future **out);

/**
 * One result of a gather that is done; its order is that of the arguments (row Q01).
 * @param f from gather(). @param i below its n. @param out the value; None with an error; may be
 * NULL.
 * @retval 0 `*out` is the value. @retval ERR_INVALID_STATE the gather, or this child, is pending.
 * @retval ERR_TYPE @p f is no gather. @retval ERR_VALUE no such child. @return otherwise the error
 * at that place, ERR_CANCELLED for a cancelled child.
 */
MUST_CHECK int gather_item(struct future *f, size_t i, value *out);

/**
 * Inside a task on a loop: awaits @p f, but not longer than @p timeout seconds; then @p f is
 * cancelled, and awaited until it has really ended (rows W01 to W06, K11, K12).
 * @param f not NULL. @param timeout seconds; INFINITY is task_await(); zero or less only looks, and
 * cancels. @param out the result; None with an error; may be NULL.
 * @retval 0 `*out` is the result; also if @p f swallowed the cancel and returned one (row W03).
 * @retval ERR_TIMEOUT it was cancelled by us. @retval ERR_CANCELLED we, or @p f, were cancelled by
 * somebody else. @retval ERR_VALUE NaN. @retval ERR_RUNTIME the task's dispatcher has no clock.
 * @return otherwise the future's error, or -ENOMEM.
 */
MUST_CHECK int wait_for(struct future *f, double timeout, value *out);

/**
 * A future that follows @p f, and that can be cancelled without cancelling @p f.
 * @param f not NULL. @param outer one reference, or NULL; a done @p f is its own shield.
 * @retval 0 made. @retval -ENOMEM no memory. @retval ERR_CLOSED the dispatcher is closed.
 */
MUST_CHECK int shield(struct future *f, struct future **outer);

/** @} */
#endif
