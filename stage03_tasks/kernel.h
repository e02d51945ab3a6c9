/**
 * @file kernel.h
 * @brief The course's operating system: tasks that trap into it with system calls.
 *
 * The other classic way to schedule generators. A kernel owns its tasks and knows them by number. A
 * task never sees another task, nor the kernel: when it wants something it yields a system call,
 * which is a trap; the kernel handles it and decides when the task goes on, and with which answer.
 *
 * A task may also yield a generator, value_generator(): a subroutine. The kernel runs it on the
 * task's behalf until it yields a plain value, which is its result (the course's trampoline).
 */
#ifndef KERNEL_H
#define KERNEL_H

#include "generator.h"

/** @defgroup kernel Kernel
 *  @brief Tasks with numbers, traps, and a scheduler.
 *  @{ */

struct kernel;
struct kernel_task;
struct syscall;

/**
 * A system call: an open object, so that anybody may invent more of them. It lies on the stack of
 * the task that yields it, and is valid until the task is resumed.
 */
struct syscall {
    /**
     * Handles it, on the kernel's side. It alone decides when @p task goes on: now or later,
     * somebody must call kernel_schedule() or kernel_throw() for it (row P04).
     */
    void (*handle)(struct syscall *call, struct kernel *kernel, struct kernel_task *task);
    /**
     * The task was killed while it waited for this call: forget it. NULL if there is nothing to
     * forget.
     */
    void (*cancel)(struct syscall *call);
};

extern const struct value_type value_type_syscall;   /**< Of value_syscall(). */
extern const struct value_type value_type_generator; /**< Of value_generator(). */

/** @param call a system call. @return it, as a value to be yielded. */
static inline value value_syscall(struct syscall *call)
{
    return (value){&value_type_syscall, {.pointer = call}};
}

/**
 * A subroutine, to be yielded; the kernel's own from then on.
 * @param g a generator that has not run. One that has is refused: the yield answers ERR_RUNTIME,
 * and it stays yours. NULL, from a gen_new() that had no memory, answers -ENOMEM.
 * @return it, as a value.
 */
static inline value value_generator(struct generator *g)
{
    return (value){&value_type_generator, {.pointer = g}};
}

/** @return an empty kernel; NULL with errno ENOMEM. */
struct kernel *kernel_new(void);

/**
 * Ends all tasks, oldest first, and frees the kernel: a body that has not started is started, and
 * every system call and bare yield fails with ERR_GENERATOR_EXIT at once, until the body has
 * returned; one that goes on for ever aborts. Each end is reported, as if it had been killed.
 * @param kernel yours and not running, or NULL.
 */
void kernel_free(struct kernel *kernel);

/**
 * A new task at the end of the ready queue (row P02). Numbers begin at 1 in each kernel and are
 * never used again. Not to be called by a task: that is sys_new().
 * @param kernel not NULL. @param fn the body. @param arg for it.
 * @return its number, -ENOMEM, ERR_VALUE without a body, ERR_CLOSED while kernel_free() runs, or
 * -EAGAIN after two billion tasks.
 */
MUST_CHECK int kernel_spawn(struct kernel *kernel, gen_fn *fn, void *arg);

/**
 * Runs until no task is left, each in turn up to its next yield (row P02). An error ends the task
 * that raised it, not the kernel (row P19).
 * @param kernel not NULL.
 * @retval 0 all tasks have ended. @retval ERR_DEADLOCK tasks are left, none can run, and nothing
 * that could change that is awaited; each was reported once, and stays. @retval ERR_BUSY it is
 * running. @return otherwise what the idle function answered.
 */
MUST_CHECK int kernel_run(struct kernel *kernel);

/** @param kernel not NULL. @return how many tasks it has. */
size_t kernel_tasks(const struct kernel *kernel);

/**
 * Who waits when there is nothing to do: the course's I/O task. First member of its implementer.
 */
struct kernel_idle {
    /**
     * Takes one turn in each round; `wait` is true if no task is ready. Looks, or waits, and
     * schedules those whose wait is over. Answers 0, or ERR_DEADLOCK if it was to wait and nobody
     * waits for anything; any other error ends kernel_run().
     */
    int (*poll)(struct kernel_idle *idle, bool wait);
    /** The kernel is being freed, its tasks have ended: gives everything back. */
    void (*close)(struct kernel_idle *idle);
};

/**
 * Gives a kernel somebody who can wait; it owns him from now on.
 * @param kernel not NULL. @param idle not NULL.
 * @retval 0 done. @retval ERR_BUSY it has one.
 */
MUST_CHECK int kernel_set_idle(struct kernel *kernel, struct kernel_idle *idle);

/** For system calls: @param kernel not NULL. @return what kernel_set_idle() gave it, or NULL. */
struct kernel_idle *kernel_idle(const struct kernel *kernel);

/**
 * Who hears of tasks that end. Unset, a line "Task N terminated" goes to standard output, followed
 * by ": " and the error's name if it failed; "Task N waits for ever: ERR_DEADLOCK" if it is stuck.
 * @param kernel not NULL. @param report called with the number and 0, the error, or ERR_DEADLOCK
 * for one that is stuck. @param arg for @p report.
 */
void kernel_set_report(struct kernel *kernel, void (*report)(int tid, int error, void *arg),
                       void *arg);

/**
 * For system calls: puts a task to the end of the ready queue. Never allocates.
 * @param kernel not NULL. @param task waiting for a system call. @param answer what the yield of
 * the call will hand in.
 */
void kernel_schedule(struct kernel *kernel, struct kernel_task *task, value answer);

/** The same, with an error raised at the yield. @param kernel,task as there.
 *  @param error negative. */
void kernel_throw(struct kernel *kernel, struct kernel_task *task, int error);

/** @param task a task. @return its number. */
int kernel_task_tid(const struct kernel_task *task);

/** @name System calls
 *  For the body of a kernel's task. Each costs a turn of the scheduler. Called anywhere else, the
 *  value goes to whoever drives that generator; outside any generator they abort.
 *  Each answers a negative error that was thrown in meanwhile: ERR_GENERATOR_EXIT when killed.
 *  @{ */

/** @return the number of the task that asks (row P05), or an error. */
MUST_CHECK int sys_gettid(void);

/**
 * Starts a task; it runs before its parent does (row P06).
 * @param fn the body. @param arg for it. @return its number, -ENOMEM, ERR_VALUE, or an error thrown
 * in.
 */
MUST_CHECK int sys_new(gen_fn *fn, void *arg);

/**
 * Ends a task: ERR_GENERATOR_EXIT is raised where it waits, in its subroutines first; it is gone
 * from every list of those who wait (rows P07, P08, P19). Its clean-up runs inside this call and
 * cannot wait: a system call there is ERR_IGNORED_EXIT in the report. A body that has not begun
 * does not begin, as with gen_close(). It leaves with its report on its next turn. Killing oneself
 * does not return.
 * @param tid a number. @retval 1 killed. @retval 0 there is no such task. @return or an error.
 */
MUST_CHECK int sys_kill(int tid);

/**
 * Waits until a task has ended (rows P09, P10).
 * @param tid a number. @retval 1 it has. @retval 0 there is no such task. @retval ERR_DEADLOCK it
 * is oneself. @return or an error thrown in.
 */
MUST_CHECK int sys_wait(int tid);

/**
 * Lets the others run. In a task a bare yield does the same; in a subroutine it would return None
 * (row P15), so subroutines need this. @return 0, or an error thrown in.
 */
MUST_CHECK int sys_yield(void);

/** @} */
/** @} */
#endif
