/**
 * @file generator.h
 * @brief A function that stops in the middle and can be spoken to.
 *
 * A generator is a function with a stack of its own. gen_next() runs it until it calls gen_yield();
 * then the caller goes on with the value that was yielded, and the function sleeps with all its
 * locals in place. gen_send() wakes it with an answer, gen_throw() with an error, gen_close() asks
 * it to end. gen_yield_from() lets another generator do the talking for a while.
 *
 * Everything here belongs to one thread: the one that created the generator, or that adopted it.
 */
#ifndef GENERATOR_H
#define GENERATOR_H

#include <stddef.h>

#include "error.h"
#include "value.h"

/** @defgroup generator Generators
 *  @brief next, send, throw, close, yield, yield from.
 *  @{ */

struct generator;

/**
 * The body of a generator: an ordinary function.
 * @param arg what gen_new() was given. @param ret set it to return a value; it starts as None.
 * @return 0 = returned `*ret`, negative = raised that error. A positive result is a broken program.
 */
typedef int gen_fn(void *arg, value *ret);

/** Where a generator stands; Python's `inspect.getgeneratorstate`. */
enum gen_state {
    GEN_CREATED,   /**< Nothing of the body has run. */
    GEN_RUNNING,   /**< Running, or waiting for somebody whom it resumed or delegates to. */
    GEN_SUSPENDED, /**< Inside a yield. */
    GEN_CLOSED     /**< The body has ended, or will never begin. */
};

/** The two answers of a resume that are no error; CPython's PYGEN_NEXT and PYGEN_RETURN. */
enum gen_status {
    GEN_RETURN = 0, /**< The body returned; the value is handed out once, later ones are None. */
    GEN_NEXT = 1    /**< The body yielded. */
};

/**
 * Makes a generator on a stack of 64 KiB, of which only the touched pages cost memory. Nothing of
 * the body runs (row G01). Costs a few nanoseconds once the pool is warm, no system call.
 * @param fn the body, not NULL. @param arg handed to it; whose it is, is between you and the body.
 * @return the generator, yours to gen_free(); NULL with errno ENOMEM if there is no memory.
 */
struct generator *gen_new(gen_fn *fn, void *arg);

/**
 * The same with a chosen stack and a name for reports. gen_new() is a macro that calls this with
 * the body's own name, so that an overflow can say whose it was.
 * @param fn the body. @param arg for it. @param name outlives the generator; NULL is "generator".
 * @param stack_size bytes of stack, 0 for the default; rounded up to 16 KiB · 2^n, of which a
 * quarter at most is guard.
 * @param out the generator, or NULL with any error.
 * @retval 0 done. @retval ERR_VALUE more than 64 MiB. @retval -ENOMEM no memory.
 */
MUST_CHECK int gen_new_sized(gen_fn *fn, void *arg, const char *name, size_t stack_size,
                             struct generator **out);

/** @cond */
struct generator *gen_new_named(gen_fn *fn, void *arg, const char *name);
#define gen_new(fn, arg) gen_new_named((fn), (arg), #fn)
/** @endcond */

/**
 * Makes a generator and runs it to its first yield: the course's `@coroutine`. What it yields there
 * is dropped (row G34).
 * @param fn the body. @param arg for it. @param out the generator, closed if the body has returned
 * already; NULL if this answers an error, with nothing left behind.
 * @return GEN_NEXT, GEN_RETURN, -ENOMEM, or what the body raised.
 */
MUST_CHECK int gen_new_primed(gen_fn *fn, void *arg, struct generator **out);

/**
 * Resumes with None: gen_send(g, value_none(), out) (row G03).
 * @param g not NULL. @param out may be NULL; as in gen_send(). @return as gen_send().
 */
MUST_CHECK int gen_next(struct generator *g, value *out);

/**
 * Resumes @p g: the yield in which it sleeps returns 0 and hands @p in to the body (row G04). Runs
 * until the body yields, returns or raises. A round trip costs two or three nanoseconds.
 * @param g not NULL. @param in what the body's gen_yield() gets; must be None the first time.
 * @param out what was yielded or returned; None with an error. May be NULL.
 * @retval GEN_NEXT the body yielded `*out`.
 * @retval GEN_RETURN the body returned `*out`; None if it had ended before (rows G06, G10).
 * @retval ERR_TYPE something other than None was sent to a generator that has not started; it stays
 * startable (row G09).
 * @retval ERR_BUSY it is running, here or through somebody it resumed, or belongs to another
 * thread; it is undamaged (rows G17, G18).
 * @return any other negative: the error that the body raised; it is closed now (row G14).
 */
MUST_CHECK int gen_send(struct generator *g, value in, value *out);

/**
 * Raises @p error at the yield where @p g sleeps: gen_yield() there returns it (row G11). A
 * generator that delegates passes it on to the innermost, except ERR_GENERATOR_EXIT, which closes
 * the inner ones first (rows Y05, Y06).
 * @param g not NULL; one that has not started or has ended raises at once and is closed (G12, G13).
 * @param error negative. @param out as in gen_send().
 * @retval ERR_TYPE @p error is not negative; nothing happens.
 * @return otherwise as gen_send(); an error that the body did not catch comes back.
 */
MUST_CHECK int gen_throw(struct generator *g, int error, value *out);

/**
 * Asks @p g to end: ERR_GENERATOR_EXIT is raised where it sleeps, inner generators first. One that
 * has not started, or has ended, just is closed (rows G19 to G23).
 * @param g not NULL. @param out the value that the body returned after catching the error, else
 * None; may be NULL.
 * @retval 0 closed. @retval ERR_BUSY it is running. @retval ERR_IGNORED_EXIT it yielded instead; it
 * sleeps there now and can be resumed or closed again. @return any other negative: what its
 * clean-up raised; it is closed.
 */
MUST_CHECK int gen_close(struct generator *g, value *out);

/**
 * Closes @p g and gives everything back. What closing answers goes to the hook of
 * gen_set_unraisable() (row G26); a body that ignores the exit is dropped where it stands.
 * Freeing a running generator aborts.
 * @param g yours from gen_new(), or NULL.
 */
void gen_free(struct generator *g);

/**
 * Inside a body, at any depth of calls: hands @p out to whoever resumed, and sleeps.
 * Called outside any generator it aborts.
 * @param out the value. @param in what gen_send() sent; None with an error; may be NULL.
 * @return 0, or the error thrown in: clean up and return it, or handle it.
 */
MUST_CHECK int gen_yield(value out, value *in);

/**
 * Inside a body: lets @p inner yield to whoever resumes us, and be sent to and thrown into by him,
 * until it ends. A resume reaches the innermost generator directly, whatever the depth (rows Y01 to
 * Y14). @p inner stays yours to free.
 * @param inner not NULL. It may have been driven before, and goes on where it stands; one that has
 * ended gives None at once.
 * @param ret what @p inner returned; None with an error. May be NULL.
 * @retval 0 it returned. @retval ERR_BUSY it is running, is delegated to already, or belongs to
 * another thread (rows Y11, Y12). @return otherwise what it raised, or ERR_GENERATOR_EXIT after it
 * was closed with us, or ERR_IGNORED_EXIT if it would not be.
 */
MUST_CHECK int gen_yield_from(struct generator *inner, value *ret);

/** @param g not NULL. @return where it stands. Costs a step for each generator it delegates
 * through. */
enum gen_state gen_state(const struct generator *g);

/** @param g not NULL. @return whom it delegates to while suspended, else NULL (row Y13). */
struct generator *gen_delegate(const struct generator *g);

/** @param g not NULL. @return the name it was given, or that of its body. */
const char *gen_name(const struct generator *g);

/**
 * Hands a generator, with all it delegates to, over to the calling thread. The two threads must
 * have agreed on that (a lock, a queue, a join): this only writes down the new owner. The body must
 * not keep the address of a thread-local variable, errno's for one, across a yield.
 * @param g not NULL.
 * @retval 0 done. @retval ERR_BUSY it is running, or somebody delegates to it.
 */
int gen_adopt(struct generator *g);

/** @return the generator whose body is running in this thread, or NULL outside. */
struct generator *gen_current(void);

/**
 * Where errors go that nobody can be given, because they came up while a generator was being freed.
 * @param hook called with the error and @p arg; NULL for the first one, which writes a line to
 * standard error. @param arg for the hook. Holds for the calling thread.
 */
void gen_set_unraisable(void (*hook)(int error, void *arg), void *arg);

/** @} */
#endif
