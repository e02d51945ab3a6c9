/*
 * A mailbox: a list of letters under a lock, and a descriptor that is readable while something is
 * in the box. The descriptor is what ends the loop's sleep; it is among those that its selector
 * watches.
 *
 *     other threads                    mailbox                     the loop's thread
 *     loop_call_soon_threadsafe -----> [letter] -> [letter]
 *                        write() ----> the door  - - - - - - - ->  poll() returns
 *                                                                  mailbox_drain(): all letters go
 *                                                                  to the ready queue, in order
 *
 * The descriptor is written to only when the box was not signalled before, and read when it is
 * emptied, both under the lock. So there is never more than one write in it: it cannot be full, and
 * it is always drained completely (row S41).
 *
 * How does a thread find the box of a loop that may be closed at this very moment? Not through the
 * loop. All open boxes stand in one list with a lock of its own; a box that is being closed leaves
 * the list first. A program has a handful of loops, so the list is searched from its beginning.
 */
#include "wakeup.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/eventfd.h>
#endif

#include "loop.h"
#include "selector_impl.h"

/* A callback on its way. */
struct letter {
    struct call call;
    loop_fn *fn;
    void *arg;
};

struct mailbox {
    /* for good */
    int read_fd, write_fd; /* the door: one and the same where there is an eventfd */
    struct dispatcher *dispatcher;

    /* the owner's */
    struct executor *executor; /* made with the first job */

    /* under the lock; `signalled` may be looked at without it */
    pthread_mutex_t lock;
    atomic_bool signalled; /* something was put in, and the door written to */
    struct call_queue letters;
    size_t holds;

    struct mailbox *next; /* in the list of all, under the list's lock */
};

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct mailbox *all;

/* --- the door ------------------------------------------------------------------------------- */

static int open_door(struct mailbox *box)
{
#ifdef __linux__
    box->read_fd = box->write_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return box->read_fd < 0 ? -errno : 0;
#else
    int fds[2];
    if (pipe(fds) < 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        fcntl(fds[i], F_SETFD, FD_CLOEXEC);
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
    }
    box->read_fd = fds[0];
    box->write_fd = fds[1];
    return 0;
#endif
}

/* Wakes the loop, if nobody has done so already. The lock is held. */
static void knock(struct mailbox *box)
{
    const uint64_t one = 1; /* what an eventfd takes; to a pipe it is eight bytes as any others */
    if (atomic_load_explicit(&box->signalled, memory_order_relaxed))
        return;
    atomic_store(&box->signalled, true);
    atomic_store(&box->dispatcher->poller->quiet, false);
    while (write(box->write_fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

static void answer(struct mailbox *box)
{
    uint64_t bytes;
    while (read(box->read_fd, &bytes, sizeof bytes) < 0 && errno == EINTR)
        continue;
    atomic_store_explicit(&box->signalled, false, memory_order_relaxed);
}

/* --- the box -------------------------------------------------------------------------------- */

int mailbox_new(struct mailbox **out)
{
    struct mailbox *box = calloc(1, sizeof *box);
    *out = NULL;
    if (box == NULL)
        return -ENOMEM;
    int error = open_door(box);
    if (error) {
        free(box);
        return error;
    }
    pthread_mutex_init(&box->lock, NULL);
    call_queue_init(&box->letters);
    *out = box;
    return 0;
}

int mailbox_fileno(const struct mailbox *box)
{
    return box->read_fd;
}

void mailbox_open(struct mailbox *box, struct dispatcher *d)
{
    box->dispatcher = d;
    pthread_mutex_lock(&all_lock);
    box->next = all;
    all = box;
    pthread_mutex_unlock(&all_lock);
}

static void take_off_the_list(const struct mailbox *box)
{
    pthread_mutex_lock(&all_lock);
    for (struct mailbox **link = &all; *link != NULL; link = &(*link)->next)
        if (*link == box) {
            *link = box->next;
            break;
        }
    pthread_mutex_unlock(&all_lock);
}

void mailbox_free(struct mailbox *box)
{
    if (box == NULL)
        return;
    executor_free(box->executor); /* from here on it does not notify us */
    take_off_the_list(box);
    pthread_mutex_lock(&box->lock); /* whoever found it before has gone when we get this */
    call_queue_drop(&box->letters);
    pthread_mutex_unlock(&box->lock);
    close(box->read_fd);
    if (box->write_fd != box->read_fd)
        close(box->write_fd);
    pthread_mutex_destroy(&box->lock);
    free(box);
}

bool mailbox_signalled(struct mailbox *box)
{
    return atomic_load(&box->signalled);
}

bool mailbox_expects(struct mailbox *box)
{
    pthread_mutex_lock(&box->lock);
    bool expects = box->holds > 0 || mailbox_signalled(box);
    pthread_mutex_unlock(&box->lock);
    return expects || (box->executor != NULL && executor_outstanding(box->executor) > 0);
}

void mailbox_drain(struct mailbox *box)
{
    struct call_queue letters;
    struct call *call;
    call_queue_init(&letters);
    pthread_mutex_lock(&box->lock);
    answer(box);
    call_queue_move(&letters, &box->letters);
    pthread_mutex_unlock(&box->lock);
    while ((call = call_queue_pop(&letters)) != NULL)
        if (dispatcher_soon(box->dispatcher, call) != 0)
            call->drop(call);
    if (box->executor != NULL)
        executor_drain(box->executor);
}

/* The open box of a loop, locked; NULL if there is none. */
static struct mailbox *find_and_lock(struct task_loop *loop)
{
    const struct dispatcher *d = loop_dispatcher(loop);
    pthread_mutex_lock(&all_lock);
    struct mailbox *box = all;
    while (box != NULL && box->dispatcher != d)
        box = box->next;
    if (box != NULL)
        pthread_mutex_lock(&box->lock);
    pthread_mutex_unlock(&all_lock);
    return box;
}

/* --- from other threads --------------------------------------------------------------------- */

static int deliver(struct call *call)
{
    struct letter *letter = CONTAINER_OF(call, struct letter, call);
    loop_fn *fn = letter->fn;
    void *arg = letter->arg;
    free(letter);
    return fn(arg);
}

static void throw_away(struct call *call)
{
    free(CONTAINER_OF(call, struct letter, call));
}

/* Why a loop has no open box. */
static int no_mailbox(const struct task_loop *loop)
{
    return loop_is_closed(loop) ? ERR_CLOSED : ERR_TYPE;
}

int loop_call_soon_threadsafe(struct task_loop *loop, loop_fn *fn, void *arg)
{
    if (fn == NULL)
        return ERR_VALUE;
    struct letter *letter = calloc(1, sizeof *letter);
    if (letter == NULL)
        return -ENOMEM;
    *letter = (struct letter){{.fn = deliver, .drop = throw_away}, fn, arg};
    struct mailbox *box = find_and_lock(loop);
    if (box == NULL) {
        free(letter);
        return no_mailbox(loop);
    }
    bool mine = loop_is_mine(loop);
    if (!mine) {
        /* EXERCISE 5.8 loop_call_soon_threadsafe: put a letter in, and knock */
        call_queue_push(&box->letters, &letter->call);
        knock(box);
        /* END 5.8 */
    }
    pthread_mutex_unlock(&box->lock);
    if (!mine)
        return 0;
    free(letter);
    return loop_call_soon(loop, fn, arg, NULL);
}

void loop_release(struct task_loop *loop)
{
    struct mailbox *box = find_and_lock(loop);
    if (box == NULL)
        return;
    if (box->holds == 0)
        die("loop_release() of a loop that nobody holds");
    box->holds--;
    knock(box); /* perhaps there is nothing left to wait for */
    pthread_mutex_unlock(&box->lock);
}

int loop_hold(struct task_loop *loop)
{
    struct mailbox *box = find_and_lock(loop);
    if (box == NULL)
        return no_mailbox(loop);
    box->holds++;
    pthread_mutex_unlock(&box->lock);
    return 0;
}

/* --- jobs ----------------------------------------------------------------------------------- */

/*
 * On a worker's thread: a job waits to be fetched. Not called any more once the executor is shut.
 */
static void job_has_ended(void *arg)
{
    struct mailbox *box = arg;
    pthread_mutex_lock(&box->lock);
    knock(box);
    pthread_mutex_unlock(&box->lock);
}

/* As many as asyncio takes: jobs wait more than they compute. */
static unsigned worker_count(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return processors < 1 ? 5 : processors > 28 ? 32 : (unsigned)processors + 4;
}

int loop_run_in_executor(struct task_loop *loop, executor_job_fn *fn, void *arg,
                         executor_drop_fn *drop, struct future **out)
{
    struct selector *s = selector_from_poller(loop_poller(loop));
    *out = NULL;
    if (loop_is_closed(loop))
        return ERR_CLOSED;
    if (s == NULL)
        return ERR_TYPE;
    if (fn == NULL)
        return ERR_VALUE;
    struct mailbox *box = s->mailbox;
    if (box->executor == NULL) {
        int error = executor_new(loop_dispatcher(loop), worker_count(), job_has_ended, box,
                                 &box->executor);
        if (error)
            return error;
    }
    return executor_submit(box->executor, fn, arg, drop, out);
}
