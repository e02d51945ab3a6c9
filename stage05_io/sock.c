/*
 * Every operation has the same shape: try; if the system would block, wait until the descriptor is
 * ready, and try again. A wait that ends too early does no harm, because the next try says so. And
 * because a wait begins only after the system has said EAGAIN, the selector may watch the
 * descriptor by edge, without a system call for each wait.
 *
 * One try is left out. Who has waited, and then read less than there was room for, has taken all;
 * if he comes again before the selector has looked, he can only be told EAGAIN, unless something
 * arrived in that very moment. He waits at once, and what arrived wakes him. That saves a system
 * call for each request of a server (docs/departures.md, row S20). Only on TCP: a read of messages
 * is always short. And not after a hang-up or urgent data: the end of a stream comes together with
 * its last bytes, and is not announced again; and a read stops short where the urgent byte was.
 *
 * While a task waits, another may close the sock. So the struct is counted by those who wait, and
 * whoever comes back from a wait looks first whether there still is a descriptor.
 */
#include "sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "combine.h" /* sleep_for(): see pause_accepting() */
#include "generator.h"
#include "selector_impl.h"
#include "task.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* there SO_NOSIGPIPE does it */
#endif
#ifdef STRESS
enum { MOST_BYTES = 1 }; /* so that whoever forgets that a read may be short is found out */
#else
enum { MOST_BYTES = 1 << 30 };
#endif

struct sock {
    int fd;         /* -1: closed while somebody waited */
    bool is_socket; /* else a pipe */
    bool is_tcp; /* a short read has taken everything: not so with messages, lines of a terminal */
    unsigned references; /* the owner, and those who wait */
    struct selector *selector;
    struct watch *watch;        /* the selector's, while that is open */
    const struct wait *sending; /* of a sock_send_all() that has not ended */
    unsigned long drained;      /* the selector's look after which all was read; 0: not so */
};

/* --- making and closing --------------------------------------------------------------------- */

static struct selector *selector_or_die(const char *function)
{
    struct task *task = task_current();
    struct selector *s = task == NULL ? NULL : selector_from_poller(task_dispatcher(task)->poller);
    if (task == NULL)
        die("%s() outside a task", function);
    if (s == NULL && task_dispatcher(task)->closed)
        return NULL; /* it is just being closed */
    if (s == NULL)
        die("%s() in a task whose loop has no selector", function);
    return s;
}

/* Small messages go out at once. Answers whether it is TCP: on anything else this fails. */
static bool send_at_once(int fd)
{
    return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) == 0;
}

static int sock_new(struct selector *s, int fd, bool is_socket, struct sock **out)
{
    *out = NULL;
    struct sock *sock = calloc(1, sizeof *sock);
    if (sock == NULL)
        return -ENOMEM;
    *sock = (struct sock){.fd = fd, .is_socket = is_socket, .references = 1, .selector = s};
    sock->is_tcp = is_socket && send_at_once(fd);
    int error = s == NULL ? ERR_CLOSED : selector_watch_make(s, fd, &sock->watch);
    if (error) {
        free(sock);
        return error;
    }
    selector_keep(s);
    *out = sock;
    return 0;
}

static void sock_release(struct sock *s)
{
    if (--s->references > 0)
        return;
    selector_release(s->selector);
    free(s);
}

void sock_close(struct sock *s)
{
    if (s == NULL)
        return;
    if (!s->selector->closed)
        selector_forget(s->selector, s->fd); /* who waits is told -EBADF, and released by itself */
    close(s->fd);
    s->fd = -1;
    sock_release(s);
}

int sock_from_fd(int fd, struct sock **out)
{
    struct selector *s = selector_or_die("sock_from_fd");
    struct stat what;
    *out = NULL;
    if (fd < 0)
        return ERR_VALUE;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fstat(fd, &what) < 0)
        return -errno;
    if ((flags & O_NONBLOCK) == 0)
        return ERR_VALUE;
    return sock_new(s, fd, S_ISSOCK(what.st_mode), out);
}

/* What every descriptor of ours needs where the system cannot do it with the call that makes it. */
static int prepare(int fd)
{
#ifndef SOCK_NONBLOCK
    int flags = fcntl(fd, F_GETFL);
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
#endif
#ifdef SO_NOSIGPIPE
    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &(int){1}, sizeof(int));
#endif
    (void)fd;
    return 0;
}

static int new_socket(int family)
{
#ifdef SOCK_NONBLOCK
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
#else
    int fd = socket(family, SOCK_STREAM, 0);
#endif
    if (fd < 0)
        return -errno;
    int error = prepare(fd);
    if (error)
        close(fd);
    return error ? error : fd;
}

static int accept_one(int listener)
{
#ifdef SOCK_NONBLOCK
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
    int fd = accept(listener, NULL, NULL);
#endif
    if (fd < 0)
        return -errno;
    int error = prepare(fd);
    if (error)
        close(fd);
    return error ? error : fd;
}

/* Either family. */
union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* The length of the address; ERR_VALUE if it is none. */
static int parse_address(const char *host, int port, union address *a)
{
    memset(a, 0, sizeof *a);
    if (port < 0 || port > 65535)
        return ERR_VALUE;
    if (host == NULL || inet_pton(AF_INET, host, &a->v4.sin_addr) == 1) {
        a->v4.sin_family = AF_INET;
        a->v4.sin_port = htons((uint16_t)port);
        return sizeof a->v4;
    }
    if (inet_pton(AF_INET6, host, &a->v6.sin6_addr) == 1) {
        a->v6.sin6_family = AF_INET6;
        a->v6.sin6_port = htons((uint16_t)port);
        return sizeof a->v6;
    }
    return ERR_VALUE;
}

int sock_listen(const char *host, int port, int backlog, struct sock **out)
{
    struct selector *s = selector_or_die("sock_listen");
    union address address;
    *out = NULL;
    int length = parse_address(host, port, &address);
    if (length < 0)
        return length;
    int fd = new_socket(address.any.sa_family);
    if (fd < 0)
        return fd;
    int error = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) < 0 ||
        bind(fd, &address.any, (socklen_t)length) < 0 ||
        listen(fd, backlog > 0 ? backlog : SOMAXCONN) < 0)
        error = -errno;
    if (!error)
        error = sock_new(s, fd, true, out);
    if (error)
        close(fd);
    return error;
}

int sock_port(const struct sock *s)
{
    union address address;
    socklen_t length = sizeof address;
    memset(&address, 0, sizeof address);
    if (getsockname(s->fd, &address.any, &length) < 0)
        return 0;
    if (address.any.sa_family == AF_INET6)
        return ntohs(address.v6.sin6_port);
    return address.any.sa_family == AF_INET ? ntohs(address.v4.sin_port) : 0;
}

int sock_fileno(const struct sock *s)
{
    return s->fd;
}

int sock_shutdown(struct sock *s)
{
    return shutdown(s->fd, SHUT_WR) < 0 ? -errno : 0;
}

/* --- waiting -------------------------------------------------------------------------------- */

/* Whether a task waits there: that is found out before anything is read or written. */
static bool somebody_waits(const struct sock *s, unsigned direction)
{
    return !s->selector->closed && s->watch->direction[direction].wait != NULL;
}

/*
 * Each function that has to be left after a switch is a wrong guess of the processor (see SWITCHES
 * in error.h). So what leads to the switch is put into one function, which also keeps what a
 * sleeping task needs closer together on its stack.
 *
 * After EAGAIN: sleeps until it is worth another try. The sock may be closed meanwhile: then the
 * error is -EBADF, and the caller must not touch it any more, unless he holds a reference.
 */
static FLAT int wait_until(struct sock *s, unsigned direction)
{
    struct wait wait;
    wait.near = gen_current();
    if (s->selector->closed)
        return ERR_CLOSED;
    if (direction == SELECTOR_WRITING)
        s->sending = &wait;
    s->references++;
    int error = selector_enter(s->selector, s->watch, direction, &wait);
    if (!error)
        error = task_await(&wait.future, NULL);
    selector_leave(&wait);
    if (s->sending == &wait) /* else we were cancelled, and somebody else has begun */
        s->sending = NULL;
    if (!error && s->fd < 0)
        error = -EBADF;
    sock_release(s);
    return error;
}

/* --- the operations ------------------------------------------------------------------------- */

/*
 * The system has a way to go before it writes what it has, and where it will write has not been
 * touched since the last message: that can come into the cache meanwhile.
 */
static ssize_t receive_some(const struct sock *s, void *buffer, size_t size)
{
    enum { MOST = 1024 }; /* few messages are longer; of those it is the beginning */
    ssize_t n;
    fetch(buffer, size < MOST ? size : MOST);
    if (size > MOST_BYTES)
        size = MOST_BYTES;
    do {
        n = s->is_socket ? recv(s->fd, buffer, size, 0) : read(s->fd, buffer, size);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/*
 * To a pipe without a reader one cannot write without a signal; so that is taken away unseen. Not
 * inline: its three sets would lie on the stack of everybody who sends to a socket.
 */
static __attribute__((noinline)) ssize_t write_quietly(int fd, const void *data, size_t size)
{
    sigset_t pipe_signal, before, pending;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    sigpending(&pending);
    bool was_pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    ssize_t n = write(fd, data, size);
    int error = errno;
    if (n < 0 && error == EPIPE && !was_pending) {
        int ignored;
        sigpending(&pending);
        if (sigismember(&pending, SIGPIPE) == 1)
            sigwait(&pipe_signal, &ignored);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return n;
}

static ssize_t send_some(const struct sock *s, const void *data, size_t size)
{
    ssize_t n;
    if (size > MOST_BYTES)
        size = MOST_BYTES;
    do {
        n = s->is_socket ? send(s->fd, data, size, MSG_NOSIGNAL) : write_quietly(s->fd, data, size);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* EAGAIN has two names, which are one number on the systems that we know. */
static bool would_block(ssize_t result)
{
    return result == -EAGAIN || result == -EWOULDBLOCK;
}

/* Whether a read that came after a wait has left nothing behind. */
static bool has_all(const struct sock *s, ssize_t n, size_t size)
{
    return n > 0 && (size_t)n < size && n < MOST_BYTES && s->is_tcp && !s->watch->special;
}

/* The loop is being closed: nothing is begun any more (rows T32, L14). */
static bool is_ending(const struct sock *s)
{
    return s->selector->closed || s->selector->dispatcher->closed;
}

FLAT ssize_t sock_recv(struct sock *s, void *buffer, size_t size)
{
    bool waited = false, try_first = s->drained == 0 || s->drained != s->selector->looks;
    if (is_ending(s))
        return ERR_GENERATOR_EXIT;
    if (somebody_waits(s, SELECTOR_READING))
        return ERR_BUSY;
    /* EXERCISE 5.4 sock_recv: try, wait, try again */
    if (size == 0)
        return 0;
    for (;; waited = true) {
        ssize_t n = try_first || waited ? receive_some(s, buffer, size) : -EAGAIN;
        if (!would_block(n)) {
            s->drained = waited && has_all(s, n, size) ? s->selector->looks : 0;
            return n;
        }
        int error = wait_until(s, SELECTOR_READING);
        if (error)
            return error;
    }
    /* END 5.4 */
}

int sock_send_all(struct sock *s, const void *data, size_t size)
{
    if (is_ending(s))
        return ERR_GENERATOR_EXIT;
    /* A sender that was woken and has not gone on yet is in the middle of his data, too. */
    if (s->sending != NULL && !future_cancelled(&s->sending->future))
        return ERR_BUSY;
    /* EXERCISE 5.5 sock_send_all: until the last byte is gone */
    const char *rest = data;
    while (size > 0) {
        ssize_t n = send_some(s, rest, size);
        if (n >= 0) {
            rest += n;
            size -= (size_t)n;
            continue;
        }
        int error = would_block(n) ? wait_until(s, SELECTOR_WRITING) : (int)n;
        if (error)
            return error;
    }
    return 0;
    /* END 5.5 */
}

/* A client who vanished before we came to him, or a network that had a word to say about him. */
static bool concerns_only_the_client(int error)
{
    return error == -ECONNABORTED || error == -EPROTO || error == -EINTR || error == -EPERM ||
           error == -ENETDOWN || error == -ENETUNREACH || error == -EHOSTUNREACH ||
           error == -ENOPROTOOPT || error == -EOPNOTSUPP || error == -ETIMEDOUT;
}

/* The descriptors or the memory of the process or of the system are used up, for the moment. */
static bool is_shortage(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM;
}

/*
 * The client stays in the system's queue, so the listener remains ready and waiting for it would
 * be a busy loop. Only time helps: this is the one place that needs a clock, and so combine.h.
 */
static int pause_accepting(struct sock *listener)
{
    const double moment = 0.02; /* seconds: enough for somebody to hang up */
    listener->references++;
    int error = sleep_for(moment);
    if (!error && listener->fd < 0)
        error = -EBADF;
    sock_release(listener);
    return error;
}

int sock_accept(struct sock *listener, struct sock **out)
{
    *out = NULL;
    if (is_ending(listener))
        return ERR_GENERATOR_EXIT;
    if (somebody_waits(listener, SELECTOR_READING))
        return ERR_BUSY;
    /* EXERCISE 5.6 sock_accept: the next client */
    for (;;) {
        int error = 0;
        int fd = accept_one(listener->fd);
        if (fd >= 0) {
            error = sock_new(listener->selector, fd, true, out);
            if (error)
                close(fd);
            return error;
        }
        if (would_block(fd))
            error = wait_until(listener, SELECTOR_READING);
        else if (is_shortage(fd))
            error = pause_accepting(listener);
        else if (!concerns_only_the_client(fd))
            error = fd;
        if (error)
            return error;
    }
    /* END 5.6 */
}

/* The system connects behind our back; when it has finished, the socket is writable (row S25). */
static int finish_connecting(struct sock *s)
{
    /* EXERCISE 5.7 finish_connecting: wait, and ask how it went */
    int failed = 0;
    socklen_t size = sizeof failed;
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    for (;;) {
        int error = wait_until(s, SELECTOR_WRITING);
        if (error)
            return error;
        if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &failed, &size) < 0)
            return -errno;
        if (failed != 0)
            return -failed;
        if (getpeername(s->fd, (struct sockaddr *)&peer, &length) == 0)
            return 0; /* else it was woken too early */
    }
    /* END 5.7 */
}

int sock_connect(const char *host, int port, struct sock **out)
{
    struct selector *s = selector_or_die("sock_connect");
    union address address;
    *out = NULL;
    int length = host == NULL || port == 0 ? ERR_VALUE : parse_address(host, port, &address);
    if (length < 0)
        return length;
    int fd = new_socket(address.any.sa_family);
    if (fd < 0)
        return fd;
    struct sock *sock;
    int error = sock_new(s, fd, true, &sock);
    if (error) {
        close(fd);
        return error;
    }
    if (connect(fd, &address.any, (socklen_t)length) < 0) {
        error = -errno; /* interrupted: it goes on nevertheless */
        if (error == -EINPROGRESS || error == -EINTR)
            error = finish_connecting(sock);
    }
    if (error)
        sock_close(sock);
    else
        *out = sock;
    return error;
}
