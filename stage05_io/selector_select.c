/*
 * select(): two sets of bits go in, one for each direction, and come out with only those bits left
 * that are ready. So what we want is kept apart and copied in every turn. A bit stays when he who
 * waited has gone, because he will most often be back before the next turn; if not, it is cleared
 * as soon as it is found ready.
 *
 * A set has room for FD_SETSIZE descriptors, and setting a bit beyond that destroys whatever lies
 * behind it: such a number is refused when somebody wants to wait for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>

#include "selector_impl.h"

/*
 * A set that can also be looked at by words: most are empty, and skipped at one look. Single bits
 * are changed in them, too: what FD_SET() does with its argument differs from system to system.
 */
union bits {
    fd_set set;
    unsigned long words[sizeof(fd_set) / sizeof(unsigned long)];
};
enum { WORD = sizeof(unsigned long) * CHAR_BIT };

static unsigned long bit_of(int fd)
{
    return 1ul << fd % WORD;
}

static bool is_in(const union bits *bits, int fd)
{
    return (bits->words[fd / WORD] & bit_of(fd)) != 0;
}

struct select_state {
    union bits wanted[SELECTOR_DIRECTIONS];
    int end; /* one more than the largest descriptor wanted, as select() would have it */
};

static int open_select(struct selector *s)
{
    struct select_state *state = calloc(1, sizeof *state);
    if (state == NULL)
        return -ENOMEM;
    FD_ZERO(&state->wanted[SELECTOR_READING].set);
    FD_ZERO(&state->wanted[SELECTOR_WRITING].set);
    s->state = state;
    return 0;
}

static void close_select(struct selector *s)
{
    free(s->state);
}

static int look(struct selector *s, struct watch *w)
{
    (void)s;
    return fcntl(w->fd, F_GETFD) < 0 ? -errno : 0;
}

static int update(struct selector *s, struct watch *w)
{
    struct select_state *state = s->state;
    for (unsigned i = 0; i < SELECTOR_DIRECTIONS; i++) {
        unsigned long *word = &state->wanted[i].words[w->fd / WORD];
        *word = w->wanted & 1u << i ? *word | bit_of(w->fd) : *word & ~bit_of(w->fd);
    }
    w->steady = w->wanted;
    if (w->wanted && w->fd >= state->end)
        state->end = w->fd + 1;
    while (state->end > 0 && !is_in(&state->wanted[SELECTOR_READING], state->end - 1) &&
           !is_in(&state->wanted[SELECTOR_WRITING], state->end - 1))
        state->end--;
    return 0;
}

static void drop(struct selector *s, struct watch *w)
{
    (void)update(s, w); /* nobody wants it any more */
}

/* One that is closed spoils the call for all: find it, and tell those who wait for it (row S08). */
static void purge_closed(struct selector *s)
{
    struct select_state *state = s->state;
    for (int fd = 0; fd < state->end; fd++) {
        struct watch *w = selector_watch(s, fd);
        if (w != NULL && w->steady && fcntl(fd, F_GETFD) < 0)
            selector_purge(s, w);
    }
}

/* How many bits are set in `ready`; 0 also after a signal; or an error. */
static int ask(const struct select_state *state, double timeout, union bits *ready)
{
    /* EXERCISE 5.1 ask: fill the sets and wait */
    struct timeval limit;
    bool forever = isinf(timeout);
    if (!forever) { /* in whole microseconds, rounded up: never too early */
        double microseconds = ceil((timeout < 86400 ? timeout : 86400) * 1e6);
        limit.tv_sec = (time_t)(microseconds / 1e6);
        limit.tv_usec = (suseconds_t)(microseconds - (double)limit.tv_sec * 1e6);
    }
    ready[SELECTOR_READING] = state->wanted[SELECTOR_READING];
    ready[SELECTOR_WRITING] = state->wanted[SELECTOR_WRITING];
    int n = select(state->end, &ready[SELECTOR_READING].set, &ready[SELECTOR_WRITING].set, NULL,
                   forever ? NULL : &limit);
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    return n;
    /* END 5.1 */
}

/* Finds the bits that are set, and tells. */
static int tell(struct selector *s, const union bits *ready, int end)
{
    /* EXERCISE 5.2 tell: find who is ready */
    for (int base = 0; base < end; base += WORD) {
        unsigned long reading = ready[SELECTOR_READING].words[base / WORD];
        unsigned long writing = ready[SELECTOR_WRITING].words[base / WORD];
        for (unsigned long left = reading | writing; left != 0; left &= left - 1) {
            int bit = __builtin_ctzl(left);
            unsigned events = (reading >> bit & 1 ? SELECTOR_READ : 0u) |
                              (writing >> bit & 1 ? SELECTOR_WRITE : 0u);
            selector_ready(s, selector_watch(s, base + bit), events);
        }
    }
    return 0;
    /* END 5.2 */
}

static int poll_select(struct selector *s, double timeout)
{
    struct select_state *state = s->state;
    union bits ready[SELECTOR_DIRECTIONS];
    int end = state->end; /* it may change while we tell */
    int n = ask(state, timeout, ready);
    if (n == -EBADF)
        purge_closed(s);
    return n > 0 ? tell(s, ready, end) : n == -EBADF ? 0 : n;
}

const struct selector_ops selector_ops_select = {.name = "select",
                                                 .limit = FD_SETSIZE,
                                                 .open = open_select,
                                                 .close = close_select,
                                                 .look = look,
                                                 .update = update,
                                                 .drop = drop,
                                                 .poll = poll_select};
