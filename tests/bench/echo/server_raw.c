/*
 * The least that an echo server can be: a loop around epoll_wait() or select(), a read and a write
 * for each ready descriptor, and no thought of what happens if the write takes only a part (then it
 * waits for that one client). Level-triggered, registered once. Argument: epoll or select.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

static int epoll;
static fd_set watched;
static int highest;

static void watch(int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    fcntl(fd, F_SETFL, O_NONBLOCK);
    if (epoll >= 0)
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    else
        FD_SET(fd, &watched);
    highest = fd > highest ? fd : highest;
}

static void serve(int fd, int listener)
{
    char buffer[4096];
    int one = 1;
    if (fd == listener) {
        int client;
        while ((client = accept(listener, NULL, NULL)) >= 0) {
            setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            watch(client);
        }
        return;
    }
    ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0 && !(n < 0 && errno == EAGAIN)) {
        if (epoll < 0)
            FD_CLR(fd, &watched);
        close(fd);
        return;
    }
    for (ssize_t sent = 0; sent < n;) {
        ssize_t m = send(fd, buffer + sent, (size_t)(n - sent), MSG_NOSIGNAL);
        if (m < 0 && errno != EAGAIN)
            return;
        if (m < 0)
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        else
            sent += m;
    }
}

int main(int argc, char **argv)
{
    static struct epoll_event events[512];
    int listener = atoi(getenv("LISTEN_FD"));
    epoll = argc > 1 && strcmp(argv[1], "select") == 0 ? -1 : epoll_create1(0);
    watch(listener);
    for (;;) {
        if (epoll >= 0) {
            int n = epoll_wait(epoll, events, 512, -1);
            for (int i = 0; i < n; i++)
                serve(events[i].data.fd, listener);
        } else {
            fd_set ready = watched;
            int left = select(highest + 1, &ready, NULL, NULL, NULL);
            for (int fd = 0; fd <= highest && left > 0; fd++)
                if (FD_ISSET(fd, &ready)) {
                    left--;
                    serve(fd, listener);
                }
        }
    }
}
