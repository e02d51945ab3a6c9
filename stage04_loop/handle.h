/**
 * @file handle.h
 * @brief A callback that was queued, and can be taken back.
 *
 * loop_call_soon() answers with a handle: a ticket for the callback. It is a small value, copied
 * freely. It has a number on it that no other ticket of the loop has, so one that is kept too long
 * has no effect on anybody else.
 */
#ifndef HANDLE_H
#define HANDLE_H

#include <stdbool.h>
#include <stdint.h>

/** @defgroup handle Handles
 *  @brief The ticket of a queued callback.
 *  @{ */

struct task_loop;

/** A ticket. All bytes zero: for no callback. Of no use after loop_free(). */
struct handle {
    struct task_loop *loop; /**< Where the callback waits. */
    uint64_t number;        /**< Which one it is: its number in line, or what tells a timer. */
};

/**
 * Takes the callback back: it will not run. Its place can be used again at once, that of a timer
 * too. Costs a step or, for a timer, a few (row H03).
 * @param handle any ticket. @return whether it was still waiting; false after it ran, while it
 * runs, or after it was cancelled.
 */
bool handle_cancel(struct handle handle);

/**
 * Whether the callback was cancelled and did not run, as far as that is still known.
 * @param handle any ticket. @return true if handle_cancel() had an effect and the place has not
 * been given to another callback since.
 */
bool handle_cancelled(struct handle handle);

/**
 * When a timer will fire (row D01).
 * @param handle any ticket. @return its deadline on loop_time()'s clock; NaN if it is no timer that
 * still waits.
 */
double handle_when(struct handle handle);

/** @} */
#endif
