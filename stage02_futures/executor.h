/**
 * @file executor.h
 * @brief Threads that do the work which would block.
 *
 * An executor has a few threads and a queue of jobs. A job runs on one of its threads and touches
 * nothing but its argument; its result travels back to the thread that owns the executor, which
 * completes the future there, in executor_drain(). So futures stay single-threaded.
 */
#ifndef EXECUTOR_H
#define EXECUTOR_H

#include "future.h"

/** @defgroup executor Executor
 *  @brief submit, wait, drain: a pool of threads behind futures.
 *  @{ */

struct executor;

/** A job: as the body of a generator, but it runs on another thread and must not yield. */
typedef int executor_job_fn(void *arg, value *ret);

/**
 * Called on the owner's thread for a job whose result nobody takes, so that what the job made, or
 * what its argument holds, can be freed. Nobody takes it if the future was cancelled, or if nobody
 * holds or waits for the future when the job is drained. Only for a job that was still running when
 * the executor ended there is no owner's thread any more: then it is called on the job's own.
 * @param arg the job's argument. @param result what it returned; None if it failed or never ran.
 */
typedef void executor_drop_fn(void *arg, value result);

/**
 * Starts the threads. The calling thread is the owner: all other functions are for it alone.
 * @param d completes and reports; the executor is shut with it. @param threads 1 to 1024.
 * @param notify called on a worker's thread, holding a lock, each time a finished job waits for
 * executor_drain() where none did before; must not block. NULL if the owner asks by itself.
 * @param arg for @p notify. @param out the executor, or NULL.
 * @retval 0 done. @retval ERR_VALUE an impossible number of threads. @retval ERR_CLOSED @p d is
 * closed. @retval -ENOMEM, -EAGAIN the system gave no memory or no thread; none is left running.
 */
MUST_CHECK int executor_new(struct dispatcher *d, unsigned threads, void (*notify)(void *arg),
                            void *arg, struct executor **out);

/**
 * Queues a job (row B08). Its return is the future's result, its error the future's error.
 * Cancelling the future withdraws a job that has not begun; one that runs is left to finish, and
 * its result dropped (row S43).
 * @param e not NULL. @param fn the job. @param arg for it. @param drop may be NULL.
 * @param out one reference to its future, or NULL with an error.
 * @retval 0 queued. @retval ERR_VALUE no function. @retval -ENOMEM no memory. @retval ERR_CLOSED.
 */
MUST_CHECK int executor_submit(struct executor *e, executor_job_fn *fn, void *arg,
                               executor_drop_fn *drop, struct future **out);

/**
 * Completes the futures of the jobs that have ended, in the order in which they ended. Never
 * blocks.
 * @param e not NULL. @return how many.
 */
size_t executor_drain(struct executor *e);

/** @param e not NULL. @return how many jobs are queued, running or not yet drained. */
size_t executor_outstanding(struct executor *e);

/**
 * Blocks until @p f, a future of this executor, is done; completes others that end meanwhile
 * (rows B01, B02).
 * @param e not NULL. @param f its future. @param timeout seconds; 0 only looks, INFINITY for ever.
 * @param out the job's result; None with an error; may be NULL.
 * @retval 0 `*out` is the result. @retval ERR_TIMEOUT not yet; nothing is changed.
 * @retval ERR_CANCELLED it was cancelled. @retval ERR_VALUE @p timeout is NaN. @return otherwise
 * the job's error.
 */
MUST_CHECK int executor_wait(struct executor *e, struct future *f, double timeout, value *out);

/**
 * Ends it: jobs that have ended are drained; those that have not begun are withdrawn; the futures
 * of all that are left are cancelled. Threads that are busy end when their job does, without
 * touching anything of ours, and notify nobody; nobody waits for them (rows S44, S45). When the
 * dispatcher is closed all this has happened already; then this gives back the memory.
 * @param e yours, or NULL. A callback that runs inside executor_drain() may free it.
 */
void executor_free(struct executor *e);

/** @} */
#endif
