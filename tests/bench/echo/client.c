/*
 * The load of the echo benchmark, and the scales. Starts each server as a process pinned to the
 * first processor, opens N connections to each, and then gives them slices of time in turn: in a
 * slice every connection sends 1024 bytes, waits for them to come back, and sends again. What is
 * compared is the processor time that a server took for one request, slice against slice, because
 * most of it is spent in the kernel and wall time depends on the client as well.
 *
 *     client CONNECTIONS SLICE_MS ROUNDS NAME=COMMAND…
 *
 * A slice of 0 ms is one request on each connection: a number of requests that is known beforehand.
 * COMMAND is run by the shell with LISTEN_FD=3, a listening socket, in its environment. The first
 * one is ours. Prints "ratio echoN/NAME VALUE" for each other, medians of the pairs, and "figure"
 * lines with microseconds and requests.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE = 1024, MOST_SERVERS = 16, MOST_ROUNDS = 1000 };

struct connection {
    int fd;
    int missing; /* bytes of the answer that have not come yet; 0: nothing is under way */
};

struct server {
    const char *name;
    pid_t pid;
    clockid_t clock;
    struct connection *connections;
    int epoll;
    double cost[MOST_ROUNDS]; /* microseconds for one request, by round */
    double rate[MOST_ROUNDS]; /* requests a second */
};

static char message[MESSAGE];

static void fail(const char *what)
{
    fprintf(stderr, "echo bench: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    if (clock_gettime(clock, &t) != 0)
        fail("the server has gone away");
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    sched_setaffinity(0, sizeof set, &set); /* with one processor they share it: fair as well */
}

static int listen_anywhere(struct sockaddr_in *address)
{
    socklen_t size = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one); /* a server may want more of them */
    *address = (struct sockaddr_in){.sin_family = AF_INET};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)address, size) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)address, &size) != 0)
        fail("listen");
    return fd;
}

static void start(struct server *s, const char *command, int connections)
{
    struct sockaddr_in address;
    int fd = listen_anywhere(&address);
    s->pid = fork();
    if (s->pid < 0)
        fail("fork");
    if (s->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* no server outlives the scales */
        pin(0);
        setenv("LISTEN_FD", "3", 1);
        if (fd == 3 ? fcntl(fd, F_SETFD, 0) != 0 : dup2(fd, 3) != 3)
            _exit(127);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    close(fd);
    nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000},
              NULL); /* until it has opened those */
    if (clock_getcpuclockid(s->pid, &s->clock) != 0)
        fail("the server's clock");
    s->connections = calloc((size_t)connections, sizeof *s->connections);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (s->connections == NULL || s->epoll < 0)
        fail("memory");
    for (int i = 0; i < connections; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &s->connections[i]};
        int c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
        if (c < 0 || connect(c, (struct sockaddr *)&address, sizeof address) != 0)
            fail("connect (is the limit of descriptors high enough? ulimit -n)");
        setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        fcntl(c, F_SETFL, O_NONBLOCK);
        s->connections[i].fd = c;
        if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, c, &event) != 0)
            fail("epoll_ctl");
    }
}

static void ask(struct connection *c)
{
    if (send(c->fd, message, MESSAGE, MSG_NOSIGNAL) != MESSAGE)
        fail("send");
    c->missing = MESSAGE;
}

/* One slice; answers the number of requests that were answered. */
static long load(struct server *s, int connections, double length)
{
    static struct epoll_event events[512];
    double end = seconds(CLOCK_MONOTONIC) + length;
    long answered = 0;
    int under_way = connections;
    bool more = true;
    for (int i = 0; i < connections; i++)
        ask(&s->connections[i]);
    while (under_way > 0) {
        int n = epoll_wait(s->epoll, events, 512, 5000);
        if (n <= 0) {
            errno = n == 0 ? ETIMEDOUT : errno;
            fail(s->name);
        }
        more = more && seconds(CLOCK_MONOTONIC) < end;
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            char buffer[MESSAGE];
            ssize_t got = recv(c->fd, buffer, sizeof buffer, 0);
            if (got <= 0) {
                errno = got == 0 ? ECONNRESET : errno;
                fail(s->name);
            }
            if (memcmp(buffer, message + (MESSAGE - c->missing), (size_t)got) != 0) {
                fprintf(stderr, "echo bench: %s sent other bytes back\n", s->name);
                exit(EXIT_FAILURE);
            }
            c->missing -= (int)got;
            if (c->missing > 0)
                continue;
            answered++;
            if (more)
                ask(c);
            else
                under_way--;
        }
    }
    return answered;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values, int n)
{
    double sorted[MOST_ROUNDS];
    memcpy(sorted, values, (size_t)n * sizeof *values);
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

int main(int argc, char **argv)
{
    static struct server servers[MOST_SERVERS];
    int n = argc - 4;
    int connections = argc > 4 ? atoi(argv[1]) : 0, rounds = argc > 4 ? atoi(argv[3]) : 0;
    double slice = argc > 4 ? atof(argv[2]) / 1000 : 0;
    struct rlimit limit;
    if (n < 1 || n > MOST_SERVERS || connections < 1 || rounds < 1 || rounds > MOST_ROUNDS) {
        fprintf(stderr, "usage: client CONNECTIONS SLICE_MS ROUNDS NAME=COMMAND...\n");
        return 2;
    }
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < MESSAGE; i++)
        message[i] = (char)(i * 31);
    for (int i = 0; i < n; i++) {
        char *command = strchr(argv[4 + i], '=');
        if (command == NULL)
            return 2;
        *command++ = '\0';
        servers[i].name = argv[4 + i];
        start(&servers[i], command, connections);
    }
    pin(1);
    for (int i = 0; i < n; i++)
        load(&servers[i], connections, slice); /* not counted: accepts, first pages, caches */
    for (int round = 0; round < rounds; round++)
        for (int k = 0; k < n; k++) {
            /* Nobody first always, and nobody twice in a row: he would find his memory in the
             * cache. */
            struct server *s = &servers[n > 2 ? (k + round) % n : k];
            double cpu = seconds(s->clock), wall = seconds(CLOCK_MONOTONIC);
            long answered = load(s, connections, slice);
            s->cost[round] = (seconds(s->clock) - cpu) / (double)answered * 1e6;
            s->rate[round] = (double)answered / (seconds(CLOCK_MONOTONIC) - wall);
        }
    for (int i = 0; i < n; i++) {
        double ratios[MOST_ROUNDS];
        for (int round = 0; round < rounds; round++)
            ratios[round] = servers[0].cost[round] / servers[i].cost[round];
        if (i > 0)
            printf("ratio echo%d/%s %.3f\n", connections, servers[i].name, median(ratios, rounds));
        printf("figure echo%d.cpu.%s %.2f us/request\n", connections, servers[i].name,
               median(servers[i].cost, rounds));
        printf("figure echo%d.rate.%s %.0f requests/s\n", connections, servers[i].name,
               median(servers[i].rate, rounds));
    }
    for (int i = 0; i < n; i++) {
        kill(servers[i].pid, SIGTERM); /* one under valgrind has something to write */
        waitpid(servers[i].pid, NULL, 0);
    }
    return 0;
}
