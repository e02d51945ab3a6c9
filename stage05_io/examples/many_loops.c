/*
 * A loop uses one processor. To use them all, start one loop in each thread, and let the system
 * deal out the clients: with SO_REUSEPORT several sockets listen on one port, and each new
 * connection goes to one of them. The loops share nothing, so they need no lock, and a client stays
 * where he is.
 *
 *     many_loops [--port N] [--threads N] [--seconds S]
 *
 * LISTEN_FD=n in the environment names a socket that listens already, with SO_REUSEPORT: its port
 * is used, and the first loop takes it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "combine.h"
#include "run.h"
#include "sock.h"
#include "task.h"

enum { MOST_THREADS = 64 };

/* What belongs to one loop; the others never look at it before it has ended. */
struct part {
    pthread_t thread;
    int number;
    int fd; /* listens */
    int error;
    long clients, messages;
};

static int port = 45000;
static double seconds = 86400; /* a day */
static struct part parts[MOST_THREADS];
static _Thread_local struct part
    *part; /* the one of this thread; no task changes its thread here */

static int echo(void *arg, value *ret)
{
    struct sock *client = arg; /* ours from here on */
    char buffer[2048];
    ssize_t n;
    int error = 0;
    (void)ret;
    part->clients++;
    while (!error && (n = sock_recv(client, buffer, sizeof buffer)) != 0) {
        error = n < 0 ? (int)n : sock_send_all(client, buffer, (size_t)n);
        part->messages += n > 0;
    }
    sock_close(client);
    return error == -ECONNRESET || error == -EPIPE ? 0 : error;
}

static int accept_clients(void *arg, value *ret)
{
    struct sock *listener = arg, *client;
    int error;
    (void)ret;
    while ((error = sock_accept(listener, &client)) == 0) {
        error = task_spawn(echo, client, NULL);
        if (error) {
            sock_close(client);
            break;
        }
    }
    sock_close(listener);
    return error;
}

/* The main task of a loop: when it ends, run() cancels the others. */
static int serve(void *arg, value *ret)
{
    struct sock *listener;
    (void)arg, (void)ret;
    int error = sock_from_fd(part->fd, &listener);
    if (error)
        return error;
    error = task_spawn(accept_clients, listener, NULL);
    if (error) {
        sock_close(listener);
        return error;
    }
    return sleep_for(seconds);
}

static void *run_part(void *arg)
{
    part = arg;
#ifdef __linux__
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)(part->number % (int)sysconf(_SC_NPROCESSORS_ONLN)), &one);
    pthread_setaffinity_np(pthread_self(), sizeof one, &one); /* refused: slower, not wrong */
#endif
    part->error = run(serve, NULL, NULL);
    return NULL;
}

/* One more socket on the port; a negative errno. */
static int listen_too(int at)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)at)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) == 0 &&
        bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    int error = -errno;
    if (fd >= 0)
        close(fd);
    return error;
}

/* The socket that somebody opened for us; -1 if nobody did. Sets the port. */
static int inherited(void)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    const char *number = getenv("LISTEN_FD");
    int fd = number == NULL ? -1 : atoi(number);
    if (fd < 0 || getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        return -1;
    port = ntohs(address.sin_port);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    return fd;
}

int main(int argc, char **argv)
{
    int threads = (int)sysconf(_SC_NPROCESSORS_ONLN), status = EXIT_SUCCESS;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--port") == 0)
            port = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--threads") == 0)
            threads = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--seconds") == 0)
            seconds = atof(argv[i + 1]);
    }
    if (threads < 1 || threads > MOST_THREADS || port < 1 || port > 65535) {
        fprintf(stderr, "usage: many_loops [--port N] [--threads 1..%d] [--seconds S]\n",
                MOST_THREADS);
        return 2;
    }
    int first = inherited();
    for (int i = 0; i < threads; i++) {
        parts[i].number = i;
        parts[i].fd = i == 0 && first >= 0 ? first : listen_too(port);
        if (parts[i].fd < 0) {
            fprintf(stderr, "many_loops: port %d: %s\n", port, strerror(-parts[i].fd));
            return EXIT_FAILURE;
        }
    }
    if (first < 0)
        printf("%d loops on port %d\n", threads, port);
    fflush(stdout);
    for (int i = 0; i < threads; i++)
        if (pthread_create(&parts[i].thread, NULL, run_part, &parts[i]) != 0)
            die("many_loops: no thread");
    for (int i = 0; i < threads; i++) {
        pthread_join(parts[i].thread, NULL);
        printf("loop %d: %ld clients, %ld messages%s%s\n", i, parts[i].clients, parts[i].messages,
               parts[i].error ? ", " : "", parts[i].error ? error_name(parts[i].error) : "");
        if (parts[i].error)
            status = EXIT_FAILURE;
    }
    return status;
}
