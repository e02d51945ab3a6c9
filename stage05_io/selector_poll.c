/*
 * poll(): one array of descriptors, each with what is wanted and what is the case. No limit to the
 * numbers, but the system looks at all of them in every turn.
 *
 * A place stays as it is when he who waited has gone, because he will most often be back before the
 * next turn; if not, it is emptied as soon as something is found there. poll() skips a place with a
 * negative number. When too many stand empty, the array is made anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>

#include "selector_impl.h"

struct poll_state {
    struct pollfd *places;
    struct watch **watches; /* whose place it is; NULL: nobody's */
    size_t count, room;
    size_t empty; /* places with a negative number */
};

static int open_poll(struct selector *s)
{
    s->state = calloc(1, sizeof(struct poll_state));
    return s->state == NULL ? -ENOMEM : 0;
}

static void close_poll(struct selector *s)
{
    struct poll_state *state = s->state;
    free(state->places);
    free(state->watches);
    free(state);
}

static int look(struct selector *s, struct watch *w)
{
    (void)s;
    return fcntl(w->fd, F_GETFD) < 0 ? -errno : 0;
}

static int make_place(struct poll_state *state, struct watch *w)
{
    if (state->count == state->room) {
        size_t room = state->room == 0 ? 64 : state->room * 2;
        struct pollfd *places = realloc(state->places, room * sizeof *places);
        if (places == NULL)
            return -ENOMEM;
        state->places = places;
        struct watch **watches = realloc(state->watches, room * sizeof(struct watch *));
        if (watches == NULL)
            return -ENOMEM;
        state->watches = watches;
        state->room = room;
    }
    state->watches[state->count] = w;
    state->places[state->count] = (struct pollfd){.fd = -1};
    state->empty++;
    w->place = (unsigned)++state->count;
    return 0;
}

static int update(struct selector *s, struct watch *w)
{
    struct poll_state *state = s->state;
    if (w->place == 0 && w->wanted) {
        int error = make_place(state, w);
        if (error)
            return error;
    }
    if (w->place == 0)
        return 0;
    struct pollfd *place = &state->places[w->place - 1];
    int fd = w->wanted ? w->fd : -1;
    place->events = (short)((w->wanted & SELECTOR_READ ? POLLIN : 0) |
                            (w->wanted & SELECTOR_WRITE ? POLLOUT : 0));
    state->empty += (size_t)(fd < 0) - (size_t)(place->fd < 0);
    place->fd = fd;
    w->steady = w->wanted;
    return 0;
}

static void drop(struct selector *s, struct watch *w)
{
    struct poll_state *state = s->state;
    (void)update(s, w); /* nobody wants it any more */
    if (w->place != 0)
        state->watches[w->place - 1] = NULL;
    w->place = 0;
}

static void close_ranks(struct poll_state *state)
{
    size_t kept = 0;
    for (size_t i = 0; i < state->count; i++) {
        struct watch *w = state->watches[i];
        if (state->places[i].fd < 0) {
            if (w != NULL)
                w->place = 0;
            continue;
        }
        state->places[kept] = state->places[i];
        state->watches[kept] = w;
        w->place = (unsigned)++kept;
    }
    state->count = kept;
    state->empty = 0;
}

static int poll_poll(struct selector *s, double timeout)
{
    struct poll_state *state = s->state;
    if (state->empty > 16 && state->empty > state->count / 2)
        close_ranks(state);
    size_t count = state->count; /* places may be added while we tell */
    int n = poll(state->places, (nfds_t)count, selector_milliseconds(timeout));
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    for (size_t i = 0; i < count && n > 0; i++) {
        struct watch *w = state->watches[i];
        int what = state->places[i].revents;
        unsigned events = 0;
        if (what == 0)
            continue;
        n--;
        state->places[i].revents = 0;
        if (w == NULL)
            continue; /* forgotten a moment ago */
        if (what & POLLNVAL) {
            selector_purge(s, w);
            continue;
        }
        if (what & (POLLIN | POLLHUP | POLLERR))
            events |= SELECTOR_READ;
        if (what & (POLLOUT | POLLHUP | POLLERR))
            events |= SELECTOR_WRITE;
        selector_ready(s, w, events);
    }
    return 0;
}

const struct selector_ops selector_ops_poll = {.name = "poll",
                                               .limit = INT_MAX,
                                               .open = open_poll,
                                               .close = close_poll,
                                               .look = look,
                                               .update = update,
                                               .drop = drop,
                                               .poll = poll_poll};
