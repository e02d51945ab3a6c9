/**
 * @file sock.h
 * @brief Sockets that look blocking, inside a task.
 *
 * Each operation tries at once; only if the system would block does the task wait for the
 * descriptor, and then it tries again. Everything here is called inside a task of a loop that is on
 * a selector; elsewhere it aborts with a sentence. A sock belongs to one task at a time, except
 * that one may read while another writes (row S32). Waiting needs no memory: the future that is
 * awaited lies on the task's stack, and who drives such a body by hand must not keep what it
 * yielded.
 */
#ifndef SOCK_H
#define SOCK_H

#include <stddef.h>
#include <sys/types.h>

#include "error.h"

/** @defgroup sock Sockets
 *  @brief listen, accept, connect, recv, send_all, close.
 *  @{ */

struct sock;

/**
 * Listens on TCP. The address may be used again at once after a restart (SO_REUSEADDR).
 * @param host a numeric address: "127.0.0.1", "::1"; NULL is every IPv4 address of the machine.
 * @param port 0 asks the system for one: see sock_port(). @param backlog how many may queue; 0 is
 * the system's largest. @param out the listener, or NULL.
 * @retval 0 listens. @retval ERR_VALUE not a numeric address, or no such port. @retval -EADDRINUSE,
 * -EACCES, -EMFILE, … from the system. @retval -ENOMEM.
 */
MUST_CHECK int sock_listen(const char *host, int port, int backlog, struct sock **out);

/**
 * Takes a descriptor over, which must be non-blocking (row S12); sock_close() will close it.
 * @param fd of a stream socket, or a pipe. @param out the sock, or NULL.
 * @retval 0 done. @retval ERR_VALUE it is blocking, or negative. @retval -EBADF it is not open.
 * @retval -ENOMEM. With an error @p fd is still the caller's.
 */
MUST_CHECK int sock_from_fd(int fd, struct sock **out);

/**
 * Waits for a client (row S26). One that vanished meanwhile is skipped; when there is no descriptor
 * left it waits a moment and tries again, so that those who are served can go on.
 * @param listener from sock_listen(). @param out the connection, non-blocking; NULL with an error.
 * @retval 0 a client. @return otherwise the system's error or what task_await() raises; a client
 * that is waiting then is still waiting (row S29).
 */
MUST_CHECK int sock_accept(struct sock *listener, struct sock **out);

/**
 * Connects over TCP (row S25).
 * @param host a numeric address. @param port 1 to 65535. @param out the connection, or NULL.
 * @retval 0 connected. @retval ERR_VALUE not an address or port. @return otherwise -ECONNREFUSED, …
 * or what task_await() raises.
 */
MUST_CHECK int sock_connect(const char *host, int port, struct sock **out);

/**
 * Reads what is there, waiting only if there is nothing (rows S20, S21).
 * @param s not NULL. @param buffer where to. @param size how many bytes fit.
 * @return how many were read, at least 1; 0 at the end of the stream, or if @p size is 0;
 * -ECONNRESET, … ; ERR_BUSY if another task reads it; or what task_await() raises: nothing is lost
 * then.
 */
MUST_CHECK ssize_t sock_recv(struct sock *s, void *buffer, size_t size);

/**
 * Writes all of it, waiting whenever the system takes no more (rows S23, S24, S34).
 * @param s not NULL. @param data what. @param size how many bytes.
 * @retval 0 all was handed to the system. @return otherwise -EPIPE, -ECONNRESET, …; ERR_BUSY if
 * another task writes to it; or what task_await() raises: then some of it may have been sent. There
 * is no SIGPIPE.
 */
MUST_CHECK int sock_send_all(struct sock *s, const void *data, size_t size);

/**
 * Tells the peer that nothing more will come; reading goes on.
 * @param s not NULL. @retval 0 done. @return or the system's error.
 */
MUST_CHECK int sock_shutdown(struct sock *s);

/** @param s not NULL. @return its own port; 0 if it has none. */
int sock_port(const struct sock *s);

/** @param s not NULL. @return its descriptor, still the sock's. */
int sock_fileno(const struct sock *s);

/** Closes, in whatever state; whoever waits there is told -EBADF. May be called anywhere on the
 *  loop's thread, also while the loop is being closed. @param s yours, or NULL. */
void sock_close(struct sock *s);

/** @} */
#endif
