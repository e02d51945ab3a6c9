/*
 * A selector is a table: for each descriptor and direction, who wants to know. When the operating
 * system says that a descriptor is ready, a future is completed or a callback queued; nobody is
 * called from here. How the system is asked is the business of the three kinds, which have a file
 * each; what they share is here.
 *
 * A wait is a future, and costs no malloc once the first few have been made: those that are over
 * are kept in a list, and that of a task in selector_enter() lies on its own stack. A future may
 * outlive the loop and the selector; so the memory of a selector is counted by those that point to
 * it, and only its descriptors go with the loop.
 *
 * Invariant: in each direction of a watch stands a wait that is pending, or a callback, or nobody;
 * `wanted` says in which directions somebody stands.
 */
#include "selector.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "selector_impl.h"

enum { CHUNK = 64 }; /* watches allocated at once */

/* --- the table ------------------------------------------------------------------------------ */

struct watch *selector_watch(const struct selector *s, int fd)
{
    if (fd < 0 || (size_t)fd / CHUNK >= s->chunk_count || s->chunks[fd / CHUNK] == NULL)
        return NULL;
    return &s->chunks[fd / CHUNK][fd % CHUNK];
}

int selector_watch_make(struct selector *s, int fd, struct watch **out)
{
    *out = NULL;
    if (s->closed || (s->dispatcher != NULL && s->dispatcher->closed))
        return ERR_CLOSED;
    if (fd < 0 || fd >= s->ops->limit)
        return ERR_VALUE;
    size_t at = (size_t)fd / CHUNK;
    if (at >= s->chunk_count) {
        size_t count = at + 1 > s->chunk_count * 2 ? at + 1 : s->chunk_count * 2;
        struct watch **chunks = realloc(s->chunks, count * sizeof *chunks);
        if (chunks == NULL)
            return -ENOMEM;
        memset(chunks + s->chunk_count, 0, (count - s->chunk_count) * sizeof *chunks);
        s->chunks = chunks;
        s->chunk_count = count;
    }
    if (s->chunks[at] == NULL) {
        s->chunks[at] = calloc(CHUNK, sizeof(struct watch));
        if (s->chunks[at] == NULL)
            return -ENOMEM;
        for (int i = 0; i < CHUNK; i++)
            s->chunks[at][i].fd = (int)at * CHUNK + i;
    }
    *out = &s->chunks[at][fd % CHUNK];
    return 0;
}

void selector_keep(struct selector *s)
{
    s->references++;
}

void selector_release(struct selector *s)
{
    if (--s->references == 0)
        free(s);
}

/* What is wanted of w in direction i has changed: must the system be told? */
static inline int tell_system(struct selector *s, struct watch *w, unsigned i)
{
    return UNLIKELY((w->steady & 1u << i) == 0) ? s->ops->update(s, w) : 0;
}

/* Somebody comes to w in direction i. */
static inline int come(struct selector *s, struct watch *w, unsigned i)
{
    s->count++;
    atomic_store_explicit(&s->poller.quiet, false, memory_order_relaxed);
    w->wanted |= (unsigned char)(1u << i);
    return tell_system(s, w, i);
}

/* He goes. */
static inline void go(struct selector *s, struct watch *w, unsigned i)
{
    s->count--;
    w->wanted &= (unsigned char)~(1u << i);
    (void)tell_system(s, w, i); /* wanting less does not fail */
}

static bool is_taken(const struct watch *w, unsigned i)
{
    return (w->wanted & 1u << i) != 0;
}

/* --- waits ---------------------------------------------------------------------------------- */

/* The wait in direction i is over, for whatever reason; the table's reference is the caller's. */
static struct wait *take_out(struct watch *w, unsigned i)
{
    struct wait *wait = w->direction[i].wait;
    w->direction[i].wait = NULL;
    wait->watch = NULL;
    go(wait->selector, w, i);
    return wait;
}

static void finish_wait(struct watch *w, unsigned i, int error)
{
    struct wait *wait = take_out(w, i);
    (void)future_finish(&wait->future, error, value_none());
    if (error && (wait->future.references == 1 || wait->selector->dispatcher->closed))
        wait->future.error_is_wanted = false; /* nobody is left who could ask */
    future_unref(&wait->future);
}

/* Takes effect at once: whoever waits there next finds the place free (rows S27, S28). */
static bool wait_cancel(struct future *f, bool alone)
{
    struct wait *wait = (struct wait *)(void *)f;
    (void)alone;
    if (wait->watch != NULL)
        take_out(wait->watch, wait->direction);
    (void)future_finish_cancelled(f);
    future_unref(f); /* the table's */
    return true;
}

static void wait_destroy(struct future *f)
{
    struct wait *wait = (struct wait *)(void *)f;
    struct selector *s = wait->selector;
    if (s->closed) {
        free(wait);
    } else {
        wait->next = s->free_waits;
        s->free_waits = wait;
    }
    selector_release(s);
}

static int wait_describe(const struct future *f, char *text, size_t size)
{
    const struct wait *wait = (const struct wait *)(const void *)f;
    const char *what = wait->direction == SELECTOR_READING ? "reading" : "writing";
    if (wait->watch == NULL)
        return snprintf(text, size, "wait for %s", what);
    return snprintf(text, size, "wait for %s descriptor %d", what, wait->watch->fd);
}

static const struct future_ops wait_ops = {
    .cancel = wait_cancel, .destroy = wait_destroy, .describe = wait_describe};

static const struct future_ops sleep_ops = {
    .cancel = wait_cancel, .destroy = future_on_a_stack, .describe = wait_describe};

/* Registers @p wait, of which the caller has the only reference. */
static int put_in(struct selector *s, struct watch *w, unsigned direction, struct wait *wait)
{
    if (is_taken(w, direction))
        return ERR_BUSY;
    int error = come(s, w, direction);
    if (error) {
        go(s, w, direction);
        return error;
    }
    wait->watch = w;
    wait->direction = direction;
    w->direction[direction].wait = wait;
    future_ref(&wait->future); /* the table's */
    return 0;
}

/* put_in() for one who lives on the heap: one that has been used before, or a new one. */
static int put_new_in(struct selector *s, struct watch *w, unsigned direction, struct wait **out)
{
    struct wait *wait = s->free_waits;
    if (wait != NULL)
        s->free_waits = wait->next;
    else
        wait = malloc(sizeof *wait);
    if (wait == NULL)
        return -ENOMEM;
    future_init(&wait->future, &wait_ops, s->dispatcher);
    wait->selector = s;
    wait->watch = NULL;
    wait->near = NULL;
    selector_keep(s);
    int error = put_in(s, w, direction, wait);
    if (error)
        future_unref(&wait->future);
    else
        *out = wait;
    return error;
}

int selector_enter(struct selector *s, struct watch *w, unsigned direction, struct wait *wait)
{
    future_init(&wait->future, &sleep_ops, s->dispatcher);
    wait->selector = s;
    wait->watch = NULL;
    int error = put_in(s, w, direction, wait);
#ifdef STRESS
    static _Thread_local unsigned waits;
    if (!error && ++waits % 3 == 0) /* over at once, although nothing is there */
        finish_wait(w, direction, 0);
#endif
    return error;
}

void selector_leave(struct wait *wait)
{
    if (wait->watch != NULL)
        future_cancel(&wait->future); /* the task is being ended: nobody else has done so */
    future_leave(&wait->future);
}

/* Which of the two; SELECTOR_DIRECTIONS if it is none. */
static unsigned direction_of(enum selector_events events)
{
    if (events == SELECTOR_READ)
        return SELECTOR_READING;
    return events == SELECTOR_WRITE ? SELECTOR_WRITING : SELECTOR_DIRECTIONS;
}

int selector_wait(struct selector *s, int fd, enum selector_events events, struct future **out)
{
    unsigned direction = direction_of(events);
    struct wait *wait;
    struct watch *w;
    *out = NULL;
    /* EXERCISE 5.3 selector_wait: a future for a descriptor */
    if (direction == SELECTOR_DIRECTIONS)
        return ERR_VALUE;
    if (!s->closed && s->dispatcher == NULL)
        return ERR_RUNTIME;
    int error = selector_watch_make(s, fd, &w);
    if (error)
        return error;
    if (is_taken(w, direction))
        return ERR_BUSY;
    error = s->ops->look(s, w);
    if (!error)
        error = put_new_in(s, w, direction, &wait);
    if (error)
        return error;
    *out = &wait->future;
    if (w->always) /* nothing will ever happen to it: it is ready now */
        finish_wait(w, direction, 0);
    return 0;
    /* END 5.3 */
}

/* --- callbacks ------------------------------------------------------------------------------ */

static int call_callback(struct call *call)
{
    struct direction *d = CONTAINER_OF(call, struct direction, call);
    return d->fn(d->arg);
}

/* Keeps the list of those that epoll refuses and that somebody wants to be told about. */
static void list_always(struct selector *s, struct watch *w)
{
    struct watch **link = &s->always;
    while (*link != NULL && *link != w)
        link = &(*link)->next;
    if (*link == NULL && w->always && w->level != 0) {
        w->next = s->always;
        s->always = w;
    } else if (*link != NULL && (!w->always || w->level == 0)) {
        *link = w->next;
    }
}

/* A callback comes to w in direction i, or goes: unlike a wait, never without the system. */
static void set_level(struct watch *w, unsigned i, bool level)
{
    unsigned bit = 1u << i;
    w->level = (unsigned char)(level ? w->level | bit : w->level & ~bit);
    w->steady = 0;
}

static int add(struct selector *s, int fd, unsigned direction, selector_fn *fn, void *arg)
{
    struct watch *w;
    if (fn == NULL)
        return ERR_VALUE;
    if (!s->closed && s->dispatcher == NULL)
        return ERR_RUNTIME;
    int error = selector_watch_make(s, fd, &w);
    if (error)
        return error;
    struct direction *d = &w->direction[direction];
    if (is_taken(w, direction))
        return ERR_BUSY;
    error = s->ops->look(s, w);
    if (error)
        return error;
    set_level(w, direction, true);
    error = come(s, w, direction);
    if (error) {
        set_level(w, direction, false);
        go(s, w, direction);
        return error;
    }
    d->fn = fn;
    d->arg = arg;
    d->call.fn = call_callback;
    list_always(s, w);
    return 0;
}

static bool take_callback(struct selector *s, struct watch *w, unsigned direction)
{
    struct direction *d = &w->direction[direction];
    if (d->fn == NULL)
        return false;
    call_queue_remove(&d->call);
    d->fn = NULL;
    set_level(w, direction, false);
    go(s, w, direction);
    list_always(s, w);
    return true;
}

int selector_add_reader(struct selector *s, int fd, selector_fn *fn, void *arg)
{
    return add(s, fd, SELECTOR_READING, fn, arg);
}

int selector_add_writer(struct selector *s, int fd, selector_fn *fn, void *arg)
{
    return add(s, fd, SELECTOR_WRITING, fn, arg);
}

bool selector_remove_reader(struct selector *s, int fd)
{
    struct watch *w = selector_watch(s, fd);
    return w != NULL && take_callback(s, w, SELECTOR_READING);
}

bool selector_remove_writer(struct selector *s, int fd)
{
    struct watch *w = selector_watch(s, fd);
    return w != NULL && take_callback(s, w, SELECTOR_WRITING);
}

/* --- what happened -------------------------------------------------------------------------- */

/*
 * Who waits has slept for long, and his wait lies on his stack: cold memory, of which the processor
 * may not even remember where the page is. To look at one after the other would be to wait for each
 * of them. So those that are found are collected: first all waits are asked for, then what they
 * lead to, and only then is the first one told (tests/bench/README.md).
 */

/* Whose wait that is; of a reader and a writer, the reader's. NULL: there is none. */
static const struct wait *sleeper(const struct found *found)
{
    const struct direction *d = found->watch->direction;
    return (found->events & SELECTOR_READ ? &d[SELECTOR_READING] : &d[SELECTOR_WRITING])->wait;
}

static inline void tell(struct selector *s, struct watch *w, unsigned i)
{
    struct direction *d = &w->direction[i];
    if (d->wait != NULL)
        finish_wait(w, i, 0);
    else if (d->fn != NULL && !call_is_queued(&d->call)) /* else the last one has not run yet */
        (void)dispatcher_soon(s->dispatcher, &d->call);
}

static FLAT void tell_found(struct selector *s)
{
    const struct found *found = s->found, *end = found + s->found_count;
    s->found_count = 0;
    for (const struct found *f = found; f < end; f++) {
        const struct wait *wait = sleeper(f);
        if (wait == NULL)
            continue;
        fetch(call_queue_first(&wait->future.waiters), 64);
        fetch(wait->near, 64);
    }
    for (const struct found *f = found; f < end; f++) {
        struct watch *w = f->watch;
        if (UNLIKELY(f->events & w->steady & ~w->wanted)) /* who waited there has not come back */
            (void)s->ops->update(s, w);
        if (f->events & SELECTOR_READ) /* the reader first: row S03 */
            tell(s, w, SELECTOR_READING);
        if (f->events & SELECTOR_WRITE)
            tell(s, w, SELECTOR_WRITING);
    }
}

void selector_ready(struct selector *s, struct watch *w, unsigned events)
{
    if (s->found_count == SELECTOR_BATCH)
        tell_found(s);
    struct found *found = &s->found[s->found_count++];
    *found = (struct found){w, events};
    const struct wait *wait = sleeper(found);
    if (wait != NULL)
        fetch((const char *)wait - 64, 256); /* his frame begins below it */
}

/* Nobody waits at w any more. Answers whether there was a callback. */
static bool evict(struct selector *s, struct watch *w, int error)
{
    bool callbacks = false;
    for (unsigned i = 0; i < SELECTOR_DIRECTIONS; i++) {
        if (w->direction[i].wait != NULL)
            finish_wait(w, i, error);
        callbacks |= take_callback(s, w, i);
    }
    s->ops->drop(s, w);
    w->always = false;
    return callbacks;
}

void selector_forget(struct selector *s, int fd)
{
    struct watch *w = selector_watch(s, fd);
    if (w != NULL)
        evict(s, w, -EBADF);
}

void selector_purge(struct selector *s, struct watch *w)
{
    tell_found(s); /* before somebody is asked who may change what they wait for */
    if (evict(s, w, -EBADF))
        dispatcher_report(s->dispatcher, "a descriptor was closed while a callback watched it",
                          -EBADF, NULL);
}

int selector_milliseconds(double timeout)
{
    const double day = 24 * 60 * 60; /* longer waits are taken in pieces: the loop asks again */
    if (isinf(timeout))
        return -1;
    return (int)ceil((timeout < day ? timeout : day) * 1000);
}

bool selector_is_idle(struct selector *s)
{
    return s->count == 0 && !mailbox_expects(s->mailbox);
}

/* --- the poller ----------------------------------------------------------------------------- */

static struct selector *from(struct poller *p)
{
    return (struct selector *)(void *)p;
}

static int poller_bind(struct poller *p, struct dispatcher *d)
{
    struct selector *s = from(p);
    if (s->dispatcher != NULL)
        return ERR_BUSY;
    s->dispatcher = d;
    d->poller = p;
    mailbox_open(s->mailbox, d);
    return 0;
}

static double poller_now(struct poller *p)
{
    struct timespec now;
    (void)p;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/*
 * The system is asked only if something could come of it: in a loop without descriptors a turn
 * that only looks costs no system call.
 */
static int poller_poll(struct poller *p, double timeout)
{
    struct selector *s = from(p);
    if (s->count == 0) /* before we look into the mailbox: what comes after that makes it false */
        atomic_exchange(&p->quiet, true);
    bool mail = mailbox_signalled(s->mailbox);
    if (!(timeout > 0) || s->always != NULL || mail)
        timeout = 0;
    if (isinf(timeout) && selector_is_idle(s))
        return ERR_DEADLOCK;
    if (timeout == 0 && s->count == 0 && !mail)
        return 0;
    s->looks++;
    int error = s->ops->poll(s, timeout);
    for (struct watch *next, *w = s->always; w != NULL; w = next) {
        next = w->next;
        selector_ready(s, w, SELECTOR_BOTH);
    }
    tell_found(s);
    if (mailbox_signalled(s->mailbox))
        mailbox_drain(s->mailbox);
    return error;
}

static void poller_close(struct poller *p)
{
    struct selector *s = from(p);
    if (s->closed)
        return;
    for (size_t at = 0; at < s->chunk_count; at++)
        for (int i = 0; s->chunks[at] != NULL && i < CHUNK; i++) {
            struct watch *w = &s->chunks[at][i];
            for (unsigned j = 0; j < SELECTOR_DIRECTIONS; j++) {
                take_callback(s, w, j);
                if (w->direction[j].wait != NULL)
                    finish_wait(w, j, ERR_CLOSED);
            }
        }
    s->closed = true;
    mailbox_free(s->mailbox);
    s->mailbox = NULL;
    s->ops->close(s);
    for (size_t at = 0; at < s->chunk_count; at++)
        free(s->chunks[at]);
    free(s->chunks);
    s->chunks = NULL;
    s->chunk_count = 0;
    for (struct wait *next, *wait = s->free_waits; wait != NULL; wait = next) {
        next = wait->next;
        free(wait);
    }
    s->free_waits = NULL;
    selector_release(s);
}

static const struct poller_ops poller_ops = {
    .bind = poller_bind, .now = poller_now, .poll = poller_poll, .close = poller_close};

struct poller *selector_poller(struct selector *s)
{
    return &s->poller;
}

struct selector *selector_from_poller(struct poller *p)
{
    /* Recognised by one function, so that a test may put its own clock into a copy of the table. */
    return p != NULL && p->ops->close == poller_close ? from(p) : NULL;
}

/* --- making one ----------------------------------------------------------------------------- */

/* In the order of preference. */
static const struct {
    enum selector_kind kind;
    const struct selector_ops *ops;
} kinds[] = {
#ifdef __linux__
    {SELECTOR_EPOLL, &selector_ops_epoll},
#endif
    {SELECTOR_POLL, &selector_ops_poll},
    {SELECTOR_SELECT, &selector_ops_select},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static const struct selector_ops *find_kind(enum selector_kind kind)
{
    const char *name = kind == SELECTOR_DEFAULT ? getenv("SELECTOR") : NULL;
    if (kind == SELECTOR_DEFAULT && (name == NULL || *name == '\0'))
        return kinds[0].ops;
    for (int i = 0; i < KINDS; i++)
        if (name != NULL ? strcmp(name, kinds[i].ops->name) == 0 : kinds[i].kind == kind)
            return kinds[i].ops;
    if (name != NULL) {
        fprintf(stderr, "SELECTOR=%s: there is no such selector here, only", name);
        for (int i = 0; i < KINDS; i++)
            fprintf(stderr, "%s %s",
                    i == 0           ? ""
                    : i == KINDS - 1 ? " and"
                                     : ",",
                    kinds[i].ops->name);
        fputc('\n', stderr);
    }
    return NULL;
}

int selector_new(enum selector_kind kind, struct selector **out)
{
    const struct selector_ops *ops = find_kind(kind);
    struct watch *door;
    *out = NULL;
    if (ops == NULL)
        return ERR_VALUE;
    struct selector *s = calloc(1, sizeof *s);
    if (s == NULL)
        return -ENOMEM;
    s->poller.ops = &poller_ops;
    s->ops = ops;
    s->references = 1;
    int error = ops->open(s);
    if (error) {
        free(s);
        return error;
    }
    error = mailbox_new(&s->mailbox);
    if (!error)
        error = selector_watch_make(s, mailbox_fileno(s->mailbox), &door);
    if (error == ERR_VALUE)
        error = -EMFILE; /* select, and its numbers are used up */
    if (!error) {
        /* Nobody stands at this door: what came is found by looking into the mailbox. So it does
           not count as somebody who waits. */
        door->level = door->wanted = SELECTOR_READ;
        error = ops->update(s, door);
    }
    if (error) {
        poller_close(&s->poller);
        return error;
    }
    *out = s;
    return 0;
}

void selector_free(struct selector *s)
{
    if (s != NULL)
        poller_close(&s->poller);
}

const char *selector_name(const struct selector *s)
{
    return s->ops->name;
}

size_t selector_count(const struct selector *s)
{
    return s->count;
}
