/*
 * Virtual time under the real selectors of stage 5. The checks are linked with --wrap for the calls
 * that know time: a select(), poll() or epoll_wait() that would sleep only looks, and if nothing is
 * there sets the clock forward instead. A wait for ever is real: somebody else must end it.
 */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <time.h>
#ifdef __linux__
#include <sys/epoll.h>
#endif

#include "harness_impl.h"
#include "loop.h"
#include "selector.h"

#ifdef __linux__
const char *const fixture_kinds[] = {"select", "poll", "epoll", NULL};
#else
const char *const fixture_kinds[] = {"select", "poll", NULL};
#endif

#define WRAPPED __attribute__((used)) /* only the linker knows who calls it */

int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
int __real_select(int n, fd_set *r, fd_set *w, fd_set *x, struct timeval *timeout);
int __wrap_select(int n, fd_set *r, fd_set *w, fd_set *x, struct timeval *timeout);
int __real_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);
int __real_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m,
                                  const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m,
                                  const struct timespec *until);
#ifdef __linux__
int __real_epoll_wait(int fd, struct epoll_event *events, int n, int timeout);
int __wrap_epoll_wait(int fd, struct epoll_event *events, int n, int timeout);
#endif

#define BILLION INT64_C(1000000000)
#define FOR_EVER INT64_MAX

/* Of the thread that runs the check: the others live in real time. */
static _Thread_local bool virtual_here;
static _Thread_local int64_t clock_ns, limit_ns;

static int64_t real_ns(void)
{
    struct timespec t;
    __real_clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * BILLION + t.tv_nsec;
}

/* The clock after a sleep of so many nanoseconds. */
static void sleep_ns(int64_t wait)
{
    int64_t until = wait == FOR_EVER ? limit_ns : clock_ns + wait;
    if (until > limit_ns)
        until = limit_ns;
    if (until > clock_ns)
        clock_ns = until;
}

/* Whether a wait of so many nanoseconds shall only look. */
static bool only_looks(int64_t wait)
{
    return virtual_here && wait > 0 && !(wait == FOR_EVER && limit_ns == FOR_EVER);
}

WRAPPED int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
    if (!virtual_here || clock != CLOCK_MONOTONIC)
        return __real_clock_gettime(clock, t);
    t->tv_sec = clock_ns / BILLION;
    t->tv_nsec = clock_ns % BILLION;
    return 0;
}

WRAPPED int __wrap_select(int n, fd_set *r, fd_set *w, fd_set *x, struct timeval *timeout)
{
    int64_t wait = timeout == NULL ? FOR_EVER : timeout->tv_sec * BILLION + timeout->tv_usec * 1000;
    struct timeval now = {0};
    if (!only_looks(wait))
        return __real_select(n, r, w, x, timeout);
    int ready = __real_select(n, r, w, x, &now);
    if (ready == 0)
        sleep_ns(wait);
    return ready;
}

WRAPPED int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
    int64_t wait = timeout < 0 ? FOR_EVER : timeout * INT64_C(1000000);
    if (!only_looks(wait))
        return __real_poll(fds, n, timeout);
    int ready = __real_poll(fds, n, 0);
    if (ready == 0)
        sleep_ns(wait);
    return ready;
}

#ifdef __linux__
WRAPPED int __wrap_epoll_wait(int fd, struct epoll_event *events, int n, int timeout)
{
    int64_t wait = timeout < 0 ? FOR_EVER : timeout * INT64_C(1000000);
    if (!only_looks(wait))
        return __real_epoll_wait(fd, events, n, timeout);
    int ready = __real_epoll_wait(fd, events, n, 0);
    if (ready == 0)
        sleep_ns(wait);
    return ready;
}
#endif

/* A wait for another thread is real; only its end is told in our time. */
WRAPPED int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m,
                                          const struct timespec *until)
{
    if (!virtual_here)
        return __real_pthread_cond_timedwait(c, m, until);
    int64_t end = until->tv_sec * BILLION + until->tv_nsec;
    int64_t real = real_ns() + (end - clock_ns);
    struct timespec t = {.tv_sec = real / BILLION, .tv_nsec = real % BILLION};
    int error = __real_pthread_cond_timedwait(c, m, &t);
    if (error == ETIMEDOUT && end > clock_ns)
        clock_ns = end;
    return error;
}

/* --- for fixture_loop.c --------------------------------------------------------------------- */

struct poller *virtual_poller(const char *kind)
{
    static const char *const names[] = {"select", "poll", "epoll"};
    static const enum selector_kind kinds[] = {SELECTOR_SELECT, SELECTOR_POLL, SELECTOR_EPOLL};
    struct selector *selector = NULL;
    virtual_here = true;
    clock_ns = 1000 * BILLION;
    limit_ns = FOR_EVER;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(kind, names[i]) == 0 && selector_new(kinds[i], &selector) != 0)
            selector = NULL;
    if (selector == NULL)
        die("the fixture cannot make a selector of the kind %s", kind);
    return selector_poller(selector);
}

void virtual_limit(double seconds)
{
    limit_ns = isinf(seconds) ? FOR_EVER : llround(seconds * 1e9);
}

double virtual_now(void)
{
    return (double)(virtual_here ? clock_ns : real_ns()) / 1e9;
}

void virtual_set(double seconds)
{
    if (virtual_here)
        clock_ns = llround(seconds * 1e9);
}

void virtual_end(void)
{
    virtual_here = false;
}

void fixture_real_time(void)
{
    virtual_here = false;
}

struct selector *fixture_selector(void)
{
    return selector_from_poller(loop_poller(fixture_loop()));
}
