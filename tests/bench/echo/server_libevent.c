/*
 * libevent: an event for each connection, read and write in its callback. Its bufferevents would do
 * more for it, and take longer. (Compiled without libev, which has functions of the same names.)
 */
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct event_base *base;

static void on_readable(evutil_socket_t fd, short events, void *arg)
{
    char buffer[4096];
    ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    (void)events;
    if (n > 0 && send(fd, buffer, (size_t)n, MSG_NOSIGNAL) == n)
        return;
    event_free(arg); /* takes it out of the loop, too */
    close(fd);
}

static void on_client(evutil_socket_t listener, short events, void *arg)
{
    int fd, one = 1;
    (void)events, (void)arg;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        fcntl(fd, F_SETFL, O_NONBLOCK);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        event_add(event_new(base, fd, EV_READ | EV_PERSIST, on_readable, event_self_cbarg()), NULL);
    }
}

int main(void)
{
    int fd = atoi(getenv("LISTEN_FD"));
    base = event_base_new(); /* of what the system has it takes the best: epoll */
    fcntl(fd, F_SETFL, O_NONBLOCK);
    event_add(event_new(base, fd, EV_READ | EV_PERSIST, on_client, NULL), NULL);
    return event_base_dispatch(base);
}
