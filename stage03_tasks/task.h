/**
 * @file task.h
 * @brief A generator that is driven by the futures it waits for.
 *
 * A task is a future: its result is what its body returns. Its body runs as a generator; when it
 * must wait it yields a future, the task sleeps until that is done, and the body goes on with the
 * future's value, or with its error raised at the yield. task_await() is that yield.
 *
 * A task that has begun keeps itself alive until its body has ended, so nobody has to hold a
 * reference to a task that is only to be run. When its dispatcher is closed first, each await of
 * the body fails with ERR_GENERATOR_EXIT, so that it reaches its clean-up.
 */
#ifndef TASK_H
#define TASK_H

#include "future.h"
#include "generator.h"

/** @defgroup task Tasks
 *  @brief A generator that yields futures, and whoever resumes it.
 *  @{ */

struct task;

/**
 * Makes a task; its first step is queued, nothing of the body runs yet (row T01). A macro names it
 * after its body.
 * @param d who calls its steps; NULL aborts. @param fn the body. @param arg for it.
 * @param out one reference, or NULL with an error.
 * @retval 0 made. @retval ERR_VALUE no body. @retval ERR_CLOSED @p d is closed. @retval -ENOMEM no
 * memory. With an error the body has not run, and @p arg is still the caller's.
 */
MUST_CHECK int task_new(struct dispatcher *d, gen_fn *fn, void *arg, struct task **out);

/**
 * As task_new(), on the dispatcher of the task that is running; outside a task it aborts.
 * @param fn the body. @param arg for it. @param out one reference; NULL if you want none.
 * @return as task_new().
 */
MUST_CHECK int task_spawn(gen_fn *fn, void *arg, struct task **out);

/** @cond */
int task_new_named(struct dispatcher *d, gen_fn *fn, void *arg, const char *name, size_t stack_size,
                   struct task **out);
#define task_new(d, fn, arg, out) task_new_named((d), (fn), (arg), #fn, 0, (out))
#define task_spawn(fn, arg, out) \
    task_new_named(task_dispatcher_or_die("task_spawn"), (fn), (arg), #fn, 0, (out))
struct dispatcher *task_dispatcher_or_die(const char *function);
/** @endcond */

/**
 * @param task not NULL. @return the same object as a future: for results, callbacks, references.
 */
static inline struct future *task_future(struct task *task)
{
    return (struct future *)(void *)task;
}

/** @param f a future or NULL. @return the task that it is; NULL if it is none. */
struct task *task_from_future(struct future *f);

/**
 * Waits for a future, a task or anything else that is one: the body sleeps, others run.
 * One that is done answers at once, without giving anybody else a turn (rows F20, K3).
 * @param f not NULL; kept alive meanwhile. @param out its result; None with an error; may be NULL.
 * @retval 0 `*out` is the result. @retval ERR_CANCELLED it, or this task, was cancelled.
 * @retval ERR_RUNTIME it waits for itself (T11), or was resumed by somebody while @p f is pending
 * (F19). @retval ERR_WRONG_LOOP it belongs to another dispatcher (T10). @retval ERR_GENERATOR_EXIT
 * the dispatcher is being closed: clean up and return. @return otherwise the future's error.
 * Outside a generator, with a pending future, it aborts. Inside a generator that is no task, it
 * yields the future to whoever drives it.
 */
MUST_CHECK int task_await(struct future *f, value *out);

/**
 * Gives everybody else who is ready a turn, and goes on in the next iteration (row T07).
 * @retval 0 it is our turn again. @retval ERR_CANCELLED cancelled meanwhile. @retval
 * ERR_GENERATOR_EXIT the dispatcher is being closed.
 */
MUST_CHECK int task_yield(void);

/**
 * Asks a task to end: ERR_CANCELLED is raised where it waits; what it waits for is cancelled. The
 * same as future_cancel(task_future(task)); rows T15 to T24. A task that has not begun begins, and
 * the first wait that would suspend it is cancelled.
 * @param task not NULL. @return false if it is done.
 */
bool task_cancel(struct task *task);

/**
 * Cancels every task that is alive on @p d, except the one that is running: what run() does at its
 * end.
 * @param d not NULL, and queueing. @return how many were asked.
 */
size_t task_cancel_all(struct dispatcher *d);

/** @return the task whose step is running in this thread; NULL outside of one (row T31). */
struct task *task_current(void);

/** @param task not NULL. @return its dispatcher. */
struct dispatcher *task_dispatcher(const struct task *task);

/** @param task not NULL. @return the name of its body. */
const char *task_name(const struct task *task);

/** @param task may be NULL. Gives a reference back; the same as future_unref(task_future(task)). */
void task_unref(struct task *task);

/**
 * How often it has been cancelled since it began, less what task_forgive() took back. For
 * wait_for(), which must tell its own cancel from others.
 * @param task not NULL. @return the count.
 */
unsigned task_cancel_count(const struct task *task);

/** Takes one cancel off the count. @param task not NULL, cancelled before. @return what is left. */
unsigned task_forgive(struct task *task);

/**
 * One line for each task alive on @p d: its name, and what it waits for. What a debugger cannot
 * see.
 * @param d not NULL. @param stream where to. @return how many there are.
 */
size_t task_dump(struct dispatcher *d, FILE *stream);

/** @} */
#endif
