/* libev: a watcher for each connection, read and write in its callback. */
#include <ev.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_readable(struct ev_loop *loop, ev_io *w, int events)
{
    char buffer[4096];
    ssize_t n = recv(w->fd, buffer, sizeof buffer, 0);
    (void)events;
    if (n > 0 && send(w->fd, buffer, (size_t)n, MSG_NOSIGNAL) == n)
        return;
    ev_io_stop(loop, w);
    close(w->fd);
    free(w);
}

static void on_client(struct ev_loop *loop, ev_io *w, int events)
{
    int fd, one = 1;
    (void)events;
    while ((fd = accept(w->fd, NULL, NULL)) >= 0) {
        ev_io *client = malloc(sizeof *client);
        fcntl(fd, F_SETFL, O_NONBLOCK);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        ev_io_init(client, on_readable, fd, EV_READ);
        ev_io_start(loop, client);
    }
}

int main(void)
{
    struct ev_loop *loop = ev_default_loop(EVBACKEND_EPOLL);
    static ev_io listener;
    int fd = atoi(getenv("LISTEN_FD"));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    ev_io_init(&listener, on_client, fd, EV_READ);
    ev_io_start(loop, &listener);
    ev_run(loop, 0);
    return 0;
}
