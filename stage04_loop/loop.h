/**
 * @file loop.h
 * @brief TaskLoop: the queue that everything runs from.
 *
 * One turn of the loop, in this order (row L01):
 *
 * 1. forget what cancelled timers left behind (here: nothing; they are gone at once);
 * 2. poll: only look if callbacks are ready or the loop is to stop, else wait until the next
 *    deadline, else for ever;
 * 3. the poller has queued the callbacks of what happened;
 * 4. queue the callbacks of the timers that are due;
 * 5. run the callbacks that are in the queue now, and not those that they add.
 *
 * loop_run_once() is the only function of the library that calls callbacks.
 */
#ifndef LOOP_H
#define LOOP_H

#include "future.h"
#include "handle.h"
#include "poller.h"

/** @defgroup loop TaskLoop
 *  @brief call_soon, call_later, run_forever, run_until_complete.
 *  @{ */

struct task_loop;

/** A callback. A negative result goes to the exception handler (row H04). */
typedef int loop_fn(void *arg);

/**
 * A loop, which belongs to the calling thread.
 * @param poller who waits for it, its own from now on; NULL (so that the result of a failed
 * constructor can be passed on) answers NULL.
 * @return the loop; NULL with errno ENOMEM, or EBUSY if the poller serves another one. Then the
 * poller has been closed.
 */
struct task_loop *loop_new(struct poller *poller);

/** Closes and frees. @param loop yours and not running, or NULL. Futures of it may live on. */
void loop_free(struct task_loop *loop);

/** @param loop not NULL. @return it, as what futures and tasks are made on. */
struct dispatcher *loop_dispatcher(struct task_loop *loop);

/** @param d any dispatcher. @return the loop that it is; NULL if it is another kind. */
struct task_loop *loop_from_dispatcher(struct dispatcher *d);

/** @param loop not NULL. @return its poller. */
struct poller *loop_poller(struct task_loop *loop);

/** @return the loop that is running in this thread, or NULL. */
struct task_loop *loop_running(void);

/**
 * Queues a callback for the next turn (rows H01, H02).
 * @param loop not NULL; called from its own thread. @param fn the callback. @param arg for it.
 * @param out its ticket; may be NULL.
 * @retval 0 queued. @retval ERR_VALUE no function. @retval ERR_CLOSED the loop is closed.
 * @retval -ENOMEM no memory; nothing was queued.
 */
MUST_CHECK int loop_call_soon(struct task_loop *loop, loop_fn *fn, void *arg, struct handle *out);

/**
 * Calls back in @p delay seconds, never earlier (row D02). Zero or less: in the next turn, behind
 * what is ready. Equal deadlines fire in the order in which they were set (K9).
 * @param loop not NULL; called from its own thread. @param delay seconds; INFINITY never fires.
 * @param fn,arg,out as in loop_call_soon().
 * @retval ERR_VALUE @p delay is NaN, or no function. Otherwise as loop_call_soon().
 */
MUST_CHECK int loop_call_later(struct task_loop *loop, double delay, loop_fn *fn, void *arg,
                               struct handle *out);

/** As loop_call_later(), at a point of loop_time()'s clock. @param when seconds.
 *  @param loop,fn,arg,out as there. @return as there. */
MUST_CHECK int loop_call_at(struct task_loop *loop, double when, loop_fn *fn, void *arg,
                            struct handle *out);

/** @param loop not NULL. @return seconds on the poller's clock, which never goes back. */
double loop_time(struct task_loop *loop);

/**
 * One turn, as above; waits if nothing is ready.
 * @param loop not NULL. @return how many callbacks ran; 0 and at once if nothing is ready and
 * nothing could ever happen (row L18); ERR_CLOSED; ERR_NESTED if a loop is running in this thread;
 * or the poller's error.
 */
MUST_CHECK int loop_run_once(struct task_loop *loop);

/**
 * Turns until loop_stop() (rows L05 to L07).
 * @param loop not NULL.
 * @retval 0 stopped. @retval ERR_DEADLOCK nothing is ready and nothing could ever happen; the
 * exception handler was given the list of tasks first. @retval ERR_CLOSED the loop is closed.
 * @retval ERR_NESTED a loop is running in this thread. @return otherwise the poller's error.
 */
MUST_CHECK int loop_run_forever(struct task_loop *loop);

/**
 * Turns until @p f is done (rows L08 to L12).
 * @param loop not NULL. @param f a future or task of this loop; stays the caller's.
 * @param out its result; None with an error; may be NULL.
 * @retval 0 `*out` is the result. @retval ERR_RUNTIME somebody stopped the loop before; @p f is
 * still pending. @retval ERR_WRONG_LOOP it is of another loop. @retval ERR_DEADLOCK, ERR_CLOSED,
 * ERR_NESTED as loop_run_forever(). @return otherwise the future's error, or ERR_CANCELLED.
 */
MUST_CHECK int loop_run_until_complete(struct task_loop *loop, struct future *f, value *out);

/** Ends the run after this turn; if none is running, the next one after its first turn.
 *  @param loop not NULL. */
void loop_stop(struct task_loop *loop);

/**
 * Closes: what is queued is dropped unrun, tasks that have not ended are brought to their end, the
 * poller is closed (rows L14, L15). Again: nothing happens.
 * @param loop not NULL. @retval 0 closed. @retval ERR_RUNTIME it is running.
 */
MUST_CHECK int loop_close(struct task_loop *loop);

/**
 * Any thread may ask.
 * @param loop not NULL. @return whether it belongs to the calling thread: it runs there, or it runs
 * nowhere and was made there.
 */
bool loop_is_mine(struct task_loop *loop);

/** @param loop not NULL. @return whether it is running. */
bool loop_is_running(const struct task_loop *loop);

/** @param loop not NULL. @return whether it is closed. */
bool loop_is_closed(const struct task_loop *loop);

/** @param loop not NULL. @return callbacks that are queued or wait for their time. */
size_t loop_pending(const struct task_loop *loop);

/**
 * Who hears of errors that nobody took (row H04).
 * @param loop not NULL. @param handler called with the problem and @p arg; NULL for the first one,
 * which prints a line. If it answers a negative number the line is printed too (row H05).
 * @param arg for the handler.
 */
void loop_set_exception_handler(struct task_loop *loop,
                                int (*handler)(const struct problem *problem, void *arg),
                                void *arg);

/** @} */
#endif
