/*
 * State Threads: a thread of the library's for each connection, all of them on one of the system's.
 * Buffer and stacks are as small as ours. It is on select(), because Debian's is built without
 * epoll: enough for 900 connections, not for more than 1,000.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <st.h>
#include <stdlib.h>

enum { STACK = 16 * 1024 };

static void *echo(void *arg)
{
    st_netfd_t conn = arg;
    char buffer[1280];
    ssize_t n = 1;
    /* st_read() alone would try first, in vain, and then wait: 4% slower. */
    while (n > 0 && st_netfd_poll(conn, POLLIN, ST_UTIME_NO_TIMEOUT) == 0) {
        n = st_read(conn, buffer, sizeof buffer, ST_UTIME_NO_TIMEOUT);
        if (n > 0 && st_write(conn, buffer, (size_t)n, ST_UTIME_NO_TIMEOUT) != n)
            break;
    }
    st_netfd_close(conn);
    return NULL;
}

int main(void)
{
    st_netfd_t listener, conn;
    int one = 1;
    if (st_init() != 0 || (listener = st_netfd_open_socket(atoi(getenv("LISTEN_FD")))) == NULL)
        return EXIT_FAILURE;
    while ((conn = st_accept(listener, NULL, NULL, ST_UTIME_NO_TIMEOUT)) != NULL) {
        setsockopt(st_netfd_fileno(conn), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (st_thread_create(echo, conn, 0, STACK) == NULL)
            st_netfd_close(conn);
    }
    return EXIT_FAILURE;
}
