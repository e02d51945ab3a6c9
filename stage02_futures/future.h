/**
 * @file future.h
 * @brief A result that is not there yet.
 *
 * A future is pending until somebody sets its result, sets its error or cancels it; then it is done
 * for good. Whoever wants to know adds a callback, which is called soon afterwards by the future's
 * dispatcher, never from inside the call that completed it. A future lives as long as somebody
 * holds a reference, and belongs to its dispatcher's thread (row F25).
 */
#ifndef FUTURE_H
#define FUTURE_H

#include "dispatcher.h"
#include "error.h"
#include "value.h"

/** @defgroup future Futures
 *  @brief A result that is not there yet, and callbacks that wait for it.
 *  @{ */

struct future;

/**
 * What a done callback gets: the future, which is done (row F12). A negative result is reported.
 */
typedef int future_callback_fn(struct future *f, void *arg);

extern const struct value_type value_type_future; /**< Of value_future(). */

/** @param f a future or task. @return it, as a value: what a task's body yields to wait for it. */
static inline value value_future(struct future *f)
{
    return (value){&value_type_future, {.pointer = f}};
}

/** @param v a value. @return the future in it; NULL if it is not one. */
static inline struct future *value_as_future(value v)
{
    return v.type == &value_type_future ? v.as.pointer : NULL;
}

/**
 * A pending future (row F01).
 * @param d who shall call its callbacks; NULL aborts. @return one reference, yours; NULL with errno
 * ENOMEM.
 */
struct future *future_new(struct dispatcher *d);

/** @param f one more reference is taken, NULL allowed. @return @p f. */
struct future *future_ref(struct future *f);

/**
 * Gives a reference back. The last one ends the future; if it holds an error that nobody ever asked
 * for, that is reported now (row F17). One that is given back twice aborts, if that can be seen:
 * the memory of a future serves the next one.
 * @param f may be NULL.
 */
void future_unref(struct future *f);

/**
 * Completes with a value; callbacks are queued in the order of their registration (rows F03, F09).
 * Never allocates.
 * @param f not NULL. @param v borrowed; a future as the value passes its reference on (row T14).
 * @retval 0 done. @retval ERR_INVALID_STATE it is done already; nothing changed (row F05).
 * @retval ERR_RUNTIME it is a task: only its body decides (row T29). @retval ERR_CLOSED it is done
 * now, but its dispatcher has been closed and will not call its callbacks (row F23).
 */
MUST_CHECK int future_set_result(struct future *f, value v);

/**
 * Completes with an error; otherwise as future_set_result() (row F04).
 * @param f not NULL. @param error negative.
 * @retval ERR_TYPE @p error is no error; still pending (row F08). Being done comes first: then it
 * is ERR_INVALID_STATE. Otherwise as future_set_result().
 */
MUST_CHECK int future_set_exception(struct future *f, int error);

/**
 * As future_set_result(), but quiet if it has been cancelled meanwhile (row F21).
 * @param f not NULL. @param v the value. @return as future_set_result(); 0 if cancelled.
 */
MUST_CHECK int future_set_result_unless_cancelled(struct future *f, value v);

/**
 * The result, any number of times; counts as having asked for an error.
 * @param f not NULL. @param out the value; None with an error; may be NULL.
 * @retval 0 `*out` is the value. @retval ERR_INVALID_STATE pending. @retval ERR_CANCELLED
 * cancelled.
 * @return otherwise the error that was set.
 */
MUST_CHECK int future_result(struct future *f, value *out);

/**
 * The error as a thing to look at; counts as having asked for it.
 * @param f not NULL. @param error the error that was set, 0 if there is a result.
 * @retval 0 `*error` says it. @retval ERR_INVALID_STATE pending. @retval ERR_CANCELLED cancelled.
 */
MUST_CHECK int future_exception(struct future *f, int *error);

/** @param f not NULL. @return whether it has a result, has an error or is cancelled. */
bool future_done(const struct future *f);

/** @param f not NULL. @return whether it is cancelled. */
bool future_cancelled(const struct future *f);

/**
 * Cancels. A plain future is done at once; a task is asked to end, and may refuse (rows F06, T15).
 * Whoever else waits for the same future sees it cancelled too: see shield(). Also silences the
 * report of an error that nobody asked for (row F18).
 * @param f not NULL. @return whether anything was requested; false if it was done.
 */
bool future_cancel(struct future *f);

/**
 * Adds a callback. On a future that is done it is queued at once (row F10). Each registration is
 * called once; the same function added twice is called twice (row F11). The future is alive while
 * it is called.
 * @param f not NULL. @param fn not NULL. @param arg for it.
 * @retval 0 added. @retval ERR_VALUE no function. @retval -ENOMEM no memory; nothing was added.
 * @retval ERR_CLOSED done already, and its dispatcher closed: it will never be called.
 */
MUST_CHECK int future_add_done_callback(struct future *f, future_callback_fn *fn, void *arg);

/**
 * Removes all registrations of @p fn with @p arg that have not been queued yet (rows F13, F14).
 * @param f not NULL. @param fn the function. @param arg its argument. @return how many; 0 is none.
 */
size_t future_remove_done_callback(struct future *f, future_callback_fn *fn, void *arg);

/**
 * When @p source is done, @p target will be: result, error or cancellation is copied; cancelling
 * @p target cancels @p source; nothing is copied into a target that is done (row F22). The target
 * is kept alive until then; a source that nobody holds any more goes, and the chain with it.
 * @param source not NULL. @param target not NULL.
 * @retval 0 chained. @retval -ENOMEM no memory. @retval ERR_CLOSED as future_add_done_callback().
 */
MUST_CHECK int future_chain(struct future *source, struct future *target);

/**
 * Writes "pending", "cancelled", "finished result=5" or "finished exception=ERR_BUSY", with the
 * kind before it for those that have one: "task 'echo' pending" (row F24). Never an address.
 * @param f not NULL. @param text where to. @param size bytes there. @return as snprintf.
 */
int future_describe(const struct future *f, char *text, size_t size);

/** @param f not NULL. @return its dispatcher. */
struct dispatcher *future_dispatcher(const struct future *f);

/** @} */
#endif
