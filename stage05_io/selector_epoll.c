/*
 * epoll: the system keeps the table, and answers only with what happened. Telling it who wants
 * what is a system call of its own, and doing so for every wait would cost more than all of our
 * own work. So a descriptor for which only futures wait is told once, for both directions and by
 * edge: the system speaks when something changes, and whoever waits has seen EAGAIN before, so a
 * change is all he needs. What changes while nobody waits is not remembered; he who comes later
 * tries first.
 *
 * A callback does not promise to read everything, so with a callback the descriptor is told by
 * level, for exactly the directions that are wanted.
 *
 * Edge-triggered events, and why it is enough to try first, are told at length in epoll(7).
 */
#ifdef __linux__

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "selector_impl.h"

enum { UNKNOWN, BY_EDGE, BY_LEVEL }; /* watch.mode */
enum { BATCH = 128 }; /* events taken at a time; of more, the first ones would leave the cache again
                         before their tasks run */

struct epoll_state {
    int fd;
    struct epoll_event events[BATCH];
};

static int open_epoll(struct selector *s)
{
    struct epoll_state *state = malloc(sizeof *state);
    if (state == NULL)
        return -ENOMEM;
    state->fd = epoll_create1(EPOLL_CLOEXEC);
    if (state->fd < 0) {
        int error = -errno;
        free(state);
        return error;
    }
    s->state = state;
    return 0;
}

static void close_epoll(struct selector *s)
{
    struct epoll_state *state = s->state;
    close(state->fd);
    free(state);
}

/* Tells the system. It may know less than we think, because somebody closed and reopened w->fd. */
static int control(struct selector *s, struct watch *w, uint32_t events)
{
    struct epoll_state *state = s->state;
    struct epoll_event event = {.events = events, .data.ptr = w};
    int operation = w->mode == UNKNOWN ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    int failed = epoll_ctl(state->fd, operation, w->fd, &event);
    if (failed && errno == ENOENT)
        failed = epoll_ctl(state->fd, EPOLL_CTL_ADD, w->fd, &event);
    else if (failed && errno == EEXIST)
        failed = epoll_ctl(state->fd, EPOLL_CTL_MOD, w->fd, &event);
    return failed ? -errno : 0;
}

static void drop(struct selector *s, struct watch *w)
{
    struct epoll_state *state = s->state;
    struct epoll_event unused = {0};
    if (w->mode != UNKNOWN)
        epoll_ctl(state->fd, EPOLL_CTL_DEL, w->fd, &unused); /* not there any more: as well */
    w->mode = UNKNOWN;
    w->steady = 0;
    w->told = 0;
}

static const uint32_t edge = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;

static int update(struct selector *s, struct watch *w)
{
    int mode = w->level ? BY_LEVEL : BY_EDGE;
    if (w->always || (w->mode == BY_EDGE && mode == BY_EDGE))
        return 0;
    if (w->wanted == 0) {
        drop(s, w);
        return 0;
    }
    if (w->mode == mode && w->told == w->wanted)
        return 0;
    uint32_t level = (w->wanted & SELECTOR_READ ? (uint32_t)EPOLLIN | EPOLLRDHUP : 0) |
                     (w->wanted & SELECTOR_WRITE ? (uint32_t)EPOLLOUT : 0);
    int error = control(s, w, mode == BY_EDGE ? edge : level);
    if (error == -EPERM) { /* a regular file, /dev/null: it is always ready */
        w->always = true;
        return 0;
    }
    if (error == 0) {
        w->mode = (unsigned char)mode;
        w->steady = mode == BY_EDGE ? SELECTOR_BOTH : 0;
        w->told = w->wanted;
    }
    return error;
}

/*
 * Somebody waits who may not have tried. Telling the system again makes it look at once; it also
 * finds a descriptor that was closed behind our back.
 */
static int look(struct selector *s, struct watch *w)
{
    if (w->always) { /* perhaps the number belongs to another file by now */
        w->always = w->level != 0;
        return 0;
    }
    return w->mode == BY_EDGE ? control(s, w, edge) : 0;
}

static int poll_epoll(struct selector *s, double timeout)
{
    struct epoll_state *state = s->state;
    int n = epoll_wait(state->fd, state->events, BATCH, selector_milliseconds(timeout));
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < n; i++) {
        uint32_t what = state->events[i].events;
        unsigned events = 0;
        if (what & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
            events |= SELECTOR_READ;
        if (what & (EPOLLOUT | EPOLLHUP | EPOLLERR))
            events |= SELECTOR_WRITE;
        struct watch *w = state->events[i].data.ptr;
        w->special = (what & (EPOLLRDHUP | EPOLLPRI | EPOLLHUP | EPOLLERR)) != 0;
        selector_ready(s, w, events & w->wanted);
    }
    return 0;
}

const struct selector_ops selector_ops_epoll = {.name = "epoll",
                                                .limit = INT_MAX,
                                                .open = open_epoll,
                                                .close = close_epoll,
                                                .look = look,
                                                .update = update,
                                                .drop = drop,
                                                .poll = poll_epoll};

#else
typedef int selector_epoll_is_linux_only; /* an empty file is not C */
#endif
