/*
 * Ten thousand clients that say nothing: what a connection costs while it only waits. The clients
 * are a process of their own, because each side needs its own descriptors. Counted is the memory of
 * the user's side, page tables included; the system's buffers come on top, for whoever serves.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "combine.h"
#include "run.h"
#include "sock.h"
#include "task.h"

static long wanted = 10000, accepted, answered;
static pid_t clients;

static double status_of(const char *field)
{
    char line[256];
    double kilobytes = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, field, strlen(field)) == 0)
            kilobytes = atof(line + strlen(field) + 1);
    if (file != NULL)
        fclose(file);
    return kilobytes * 1024;
}

/* Connects all, says one byte with each and waits for it, so that every server's task has really
 * run. */
static void be_clients(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (long i = 0; i < wanted; i++) {
        char byte = 'x';
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
            send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, 0) != 1) {
            fprintf(stderr, "echo bench: client %ld: %s\n", i, strerror(errno));
            _exit(1);
        }
    }
    pause();
}

static int echo(void *arg, value *ret)
{
    struct sock *conn = arg;
    char buffer[1280];
    ssize_t n;
    int error = 0;
    (void)ret;
    while (!error && (n = sock_recv(conn, buffer, sizeof buffer)) != 0) {
        error = n < 0 ? (int)n : sock_send_all(conn, buffer, (size_t)n);
        answered++;
    }
    sock_close(conn);
    return error;
}

static int accept_clients(void *arg, value *ret)
{
    struct sock *conn;
    int error;
    (void)ret;
    while ((error = sock_accept(arg, &conn)) == 0 && (error = task_spawn(echo, conn, NULL)) == 0)
        accepted++;
    sock_close(arg);
    return error;
}

static int measure(void *arg, value *ret)
{
    struct sock *listener;
    (void)arg, (void)ret;
    int error = sock_listen("127.0.0.1", 0, 1024, &listener);
    if (error)
        return error;
    int port = sock_port(listener);
    double before = status_of("VmRSS") + status_of("VmPTE");
    clients = fork();
    if (clients == 0)
        be_clients(port);
    error = task_spawn(accept_clients, listener, NULL);
    if (error)
        return error;
    while (!error && answered < wanted && waitpid(clients, NULL, WNOHANG) == 0)
        error = sleep_for(0.05);
    if (answered < wanted)
        return -ECONNABORTED;
    printf("figure memory.connection %.0f bytes\nfigure memory.connection-count %ld connections\n",
           (status_of("VmRSS") + status_of("VmPTE") - before) / (double)wanted, accepted);
    return error;
}

int main(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < (rlim_t)wanted + 100)
        wanted = (long)limit.rlim_cur - 100; /* as many as we may */
    int error = run(measure, NULL, NULL);
    if (clients > 0) {
        kill(clients, SIGKILL);
        waitpid(clients, NULL, 0);
    }
    return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
