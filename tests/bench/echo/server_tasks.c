/*
 * Ours: a task for each connection, sock_recv() and sock_send_all(), nothing special, except that
 * the stacks are of the small size, as of all that are there in thousands. The environment variable
 * SELECTOR chooses.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "run.h"
#include "sock.h"
#include "task.h"

enum { STACK = 16 * 1024 };

static int echo(void *arg, value *ret)
{
    struct sock *conn = arg;
    char buffer[1280]; /* with all that sleeps on the stack it fills one page */
    ssize_t n;
    int err = 0;
    (void)ret;
    while (!err && (n = sock_recv(conn, buffer, sizeof buffer)) != 0)
        err = n < 0 ? (int)n : sock_send_all(conn, buffer, (size_t)n);
    sock_close(conn);
    return err;
}

static int serve(void *arg, value *ret)
{
    struct sock *listener, *conn;
    int fd = atoi(getenv("LISTEN_FD"));
    (void)arg, (void)ret;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    int err = sock_from_fd(fd, &listener);
    if (err)
        return err;
    struct dispatcher *d = task_dispatcher(task_current());
    while ((err = sock_accept(listener, &conn)) == 0 &&
           (err = task_new_named(d, echo, conn, "echo", STACK, NULL)) == 0)
        ;
    sock_close(listener);
    return err;
}

int main(void)
{
    return run(serve, NULL, NULL) ? EXIT_FAILURE : EXIT_SUCCESS;
}
