/**
 * @file selector.h
 * @brief Waiting for descriptors: select, poll and epoll behind one interface.
 *
 * A selector is a poller that watches descriptors. You can ask it for a future that is done when a
 * descriptor is ready, or give it a callback that is called in every turn in which it is. Of each
 * descriptor and direction there can be one who waits (K10).
 */
#ifndef SELECTOR_H
#define SELECTOR_H

#include "future.h"
#include "poller.h"

/** @defgroup selector Selectors
 *  @brief select first; then poll and epoll.
 *  @{ */

struct selector;

/** The ways to ask the operating system. */
enum selector_kind {
    SELECTOR_DEFAULT, /**< What the environment variable SELECTOR names, else the best there is. */
    SELECTOR_SELECT,  /**< select(): everywhere; descriptors below FD_SETSIZE only. */
    SELECTOR_POLL,    /**< poll(): any descriptor; costs a step for each in every turn. */
    SELECTOR_EPOLL    /**< epoll: Linux; idle descriptors cost nothing. */
};

/** The two directions. */
enum selector_events {
    SELECTOR_READ = 1, /**< There is something to read, or to accept; or the end, or an error. */
    SELECTOR_WRITE = 2 /**< There is room to write; or it has connected; or an error. */
};

/** A callback of selector_add_reader(). A negative result is reported. */
typedef int selector_fn(void *arg);

/**
 * @param kind which. @param out the selector, or NULL.
 * @retval 0 made. @retval ERR_VALUE not available here, or SELECTOR names none: the sentence on
 * standard error says which there are. @retval -ENOMEM, -EMFILE, -ENFILE from the system.
 */
MUST_CHECK int selector_new(enum selector_kind kind, struct selector **out);

/** Frees one that no loop owns. @param s or NULL. Who still waits is told ERR_CLOSED. */
void selector_free(struct selector *s);

/** @param s not NULL. @return it, as what loop_new() takes; the loop owns it then. After the loop
 * has been closed, @p s may be asked as long as a future or a sock of it is alive. */
struct poller *selector_poller(struct selector *s);

/** @param p a poller or NULL. @return the selector that it is; NULL if it is another kind. */
struct selector *selector_from_poller(struct poller *p);

/** @param s not NULL. @return "select", "poll" or "epoll". */
const char *selector_name(const struct selector *s);

/**
 * A future that is done when @p fd is ready. It may be early: try, and wait again. Cancelling it
 * takes effect at once (row S27).
 * @param s not NULL. @param fd a descriptor. @param events one direction. @param out one reference.
 * @retval 0 made. @retval ERR_BUSY somebody waits there (K10). @retval ERR_VALUE @p fd is negative,
 * too large for select(), or @p events is not one direction (rows S06, S07). @retval ERR_CLOSED.
 * @retval ERR_RUNTIME no loop owns the selector yet. @retval -EBADF it is not open. @retval
 * -ENOMEM.
 */
MUST_CHECK int selector_wait(struct selector *s, int fd, enum selector_events events,
                             struct future **out);

/**
 * Calls @p fn in every turn in which @p fd is ready to read, until removed (row S01).
 * @param s,fd as selector_wait(). @param fn not NULL. @param arg for it.
 * @return as selector_wait(); ERR_VALUE also without a function.
 */
MUST_CHECK int selector_add_reader(struct selector *s, int fd, selector_fn *fn, void *arg);

/** The same for writing. @param s,fd,fn,arg as there. @return as there. */
MUST_CHECK int selector_add_writer(struct selector *s, int fd, selector_fn *fn, void *arg);

/**
 * Ends selector_add_reader(): also a call that is queued already will not come (rows S04, S05).
 * @param s not NULL. @param fd any number. @return whether there was one; false on a closed one.
 */
bool selector_remove_reader(struct selector *s, int fd);

/** The same for writing. @param s not NULL. @param fd any number. @return whether there was one. */
bool selector_remove_writer(struct selector *s, int fd);

/**
 * To be called before close(fd) if a selector may know it: who waits is told -EBADF, callbacks are
 * removed, and the number is free for another file (rows S08, S09). sock_close() does so by itself.
 * @param s not NULL. @param fd any number.
 */
void selector_forget(struct selector *s, int fd);

/** @param s not NULL. @return how many waits and callbacks it has. */
size_t selector_count(const struct selector *s);

/** @} */
#endif
