/**
 * @file error.h
 * @brief What can go wrong, as one negative int.
 *
 * Python raises objects; here an error is a negative int: `-errno` for what the operating system
 * says, one of the codes below for what Python would raise, or a code of your own. Zero or more is
 * success. *Thrown* into a generator means that its gen_yield() returns the code; *propagated*
 * means `return err;`; *caught* means not returning it; *finally* is the one exit of the function.
 *
 * What only a broken program does (a yield outside a generator, freeing a running one) is no error
 * code: it ends the process with one sentence, see die().
 */
#ifndef ERROR_H
#define ERROR_H

#include <stdbool.h>

/** @defgroup error Errors
 *  @brief One convention in the whole library: an int, and a negative one is an error.
 *  @{ */

/** On a function whose result may carry an error: ignoring it is a compiler's warning. */
#define MUST_CHECK __attribute__((warn_unused_result))

/**
 * On the definition of a function that switches stacks and returns: please put it into those who
 * call it, also from other files, when the program is linked. A processor guesses where a `ret`
 * goes from the calls that it has seen; after a switch the guess is wrong, and costs as much as all
 * the rest. (gcc takes `inline` for a hint, clang wants it in other words.)
 */
#ifdef __clang__
#define SWITCHES __attribute__((always_inline))
#else
#define SWITCHES inline
#endif

/**
 * For the way that is seldom taken, or that is long anyway: the other one is laid out straight. A
 * jump that is taken costs a processor about as much as four instructions.
 */
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)
/** On a function that is called all the time: all that it calls is put into it. */
#define FLAT __attribute__((flatten))
/** Like UNLIKELY for a whole function, wherever it is called. */
#define SELDOM __attribute__((noinline, cold))

/** Which sanitizer this is compiled for. gcc defines a macro of its own, clang has to be asked. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZE_ADDRESS 1
#elif defined(__SANITIZE_THREAD__)
#define SANITIZE_THREAD 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZE_ADDRESS 1
#elif __has_feature(thread_sanitizer)
#define SANITIZE_THREAD 1
#endif
#endif

/** Our own codes. They stand clear of every `-errno`. */
enum error_code {
    ERR_TYPE = -10000,    /**< TypeError: the wrong kind of thing was given. */
    ERR_VALUE,            /**< ValueError: the right kind, but an impossible value. */
    ERR_RUNTIME,          /**< RuntimeError: not now, or not here. */
    ERR_BUSY,             /**< "generator already executing"; somebody waits there already. */
    ERR_INVALID_STATE,    /**< InvalidStateError: a future that is (or is not yet) done. */
    ERR_GENERATOR_EXIT,   /**< GeneratorExit: please clean up and return. */
    ERR_IGNORED_EXIT,     /**< "generator ignored GeneratorExit": it yielded in answer to close. */
    ERR_CANCELLED,        /**< CancelledError. */
    ERR_TIMEOUT,          /**< TimeoutError. */
    ERR_CLOSED,           /**< The loop, selector or executor has been closed. */
    ERR_WRONG_LOOP,       /**< A future that belongs to another dispatcher. */
    ERR_NESTED,           /**< A loop is running in this thread already. */
    ERR_DEADLOCK,         /**< Nothing can run, and nothing that could change that is awaited. */
    ERR_END_OF_STREAM,    /**< IncompleteReadError: the stream ended too early. */
    ERR_LIMIT,            /**< LimitOverrunError: a line longer than allowed. */
    ERR_NOT_WRITTEN,      /**< An exercise of the workbook that has not been written yet. */
    ERR_LAST_OF_OURS      /**< Not an error: the end of our list. */
};

/** The first code of the user's range: `ERR_USER`, `ERR_USER - 1`, … `ERR_USER - 999` are yours. */
#define ERR_USER (-20000)

/**
 * The name of an error: "ERR_BUSY", "ECONNRESET", or as registered.
 * @param error a negative code. @return its name; for a code nobody knows, "error N" in a buffer of
 * this thread that the next call may overwrite.
 */
const char *error_name(int error);

/**
 * One sentence about an error, for people.
 * @param error a negative code. @return the sentence, without a full stop.
 */
const char *error_text(int error);

/**
 * Gives a code of the user's range its name and sentence. The texts are kept, not copied.
 * Register before other threads ask for names.
 * @param error between ERR_USER - 999 and ERR_USER.
 * @param name as error_name() shall print it. @param text as error_text() shall.
 * @retval 0 done. @retval ERR_VALUE the code is outside that range, or a text is NULL.
 */
int error_register(int error, const char *name, const char *text);

/**
 * Whether Python's `except Exception` would catch it: not a GeneratorExit, not a cancellation
 * (row G25). Clean-up runs for all errors; a handler that means "try again" asks this first.
 * @param error a code. @return true for every negative code except those two.
 */
static inline bool error_is_ordinary(int error)
{
    return error < 0 && error != ERR_GENERATOR_EXIT && error != ERR_CANCELLED;
}

/**
 * Ends a broken program: prints "fatal: " and the sentence to standard error and aborts.
 * For what no caller can handle, because only a mistake in the program text leads to it.
 * @param format as printf; the sentence should begin with the name of the function that was
 * misused.
 */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/**
 * What the stub of an exercise calls. Remembers the exercise, so that the checks can say
 * "1.3 is not written yet", and answers ERR_NOT_WRITTEN.
 * @param exercise its number: "1.3". @return ERR_NOT_WRITTEN.
 */
int exercise_unwritten(const char *exercise);

/** @return the number of the first unwritten exercise that was entered since the last call, or
 * NULL. */
const char *exercise_met_unwritten(void);

/** @} */
#endif
