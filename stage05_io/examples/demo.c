/*
 * The echo server under load: three processes with 300 connections each send messages of 1024
 * random bytes, and compare every byte that comes back. One more client of each process hangs up in
 * the middle of its message, again and again; nobody else may notice.
 *
 *     demo [--seconds S] [--messages N] [--connections N] [--selector select|poll|epoll]
 *
 * The clients are tasks, too. They are forked before the server makes its loop, wait until they are
 * told its port, and report through memory that all processes share.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "combine.h"
#include "loop.h"
#include "run.h"
#include "selector.h"
#include "sock.h"
#include "task.h"

enum {
    PROCESSES = 3,
    MESSAGE = 1024,
    STEPS = 32,           /* of latency in each doubling: so it is known to about 2% */
    BUCKETS = 32 * STEPS, /* from a microsecond to an hour */
    SPARE = 40            /* descriptors for everything else */
};

/* What one process of clients has to say; in shared memory. */
struct report {
    _Atomic uint64_t messages;
    _Atomic uint64_t wrong;  /* messages that came back changed, or not at all */
    _Atomic uint64_t resets; /* clients that hung up on purpose */
    uint32_t latency[BUCKETS];
};

static double seconds = 5;
static uint64_t most_messages = UINT64_MAX; /* for each process */
static int connections = 300;               /* in each process */
static struct report *reports;              /* one for each process */

/* In a process of clients. */
static struct report *mine;
static int port;
static double deadline;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* --- the clients ---------------------------------------------------------------------------- */

static int bucket_of(double latency)
{
    double doublings = log2(latency * 1e6);
    int bucket = doublings < 0 ? 0 : (int)(doublings * STEPS);
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static void randomise(uint64_t message[MESSAGE / 8], uint64_t *state)
{
    for (int i = 0; i < MESSAGE / 8; i++) {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        message[i] = *state;
    }
}

/* One message, there and back. */
static int exchange(struct sock *s, const void *message, void *reply)
{
    size_t got = 0;
    int error = sock_send_all(s, message, MESSAGE);
    while (!error && got < MESSAGE) {
        ssize_t n = sock_recv(s, (char *)reply + got, MESSAGE - got);
        if (n <= 0)
            error = n < 0 ? (int)n : ERR_END_OF_STREAM;
        else
            got += (size_t)n;
    }
    return error;
}

static int client(void *arg, value *ret)
{
    uint64_t message[MESSAGE / 8], reply[MESSAGE / 8];
    uint64_t random = (uint64_t)(uintptr_t)arg * 0x9e3779b97f4a7c15u;
    struct sock *s;
    (void)ret;
    int error = sock_connect("127.0.0.1", port, &s);
    if (error) {
        fprintf(stderr, "\ndemo: a client cannot connect: %s\n", error_text(error));
        mine->wrong++;
        return 0;
    }
    double start = now();
    while (!error && start < deadline && mine->messages < most_messages) {
        randomise(message, &random);
        error = exchange(s, message, reply);
        if (error || memcmp(message, reply, MESSAGE) != 0) {
            mine->wrong++;
            fprintf(stderr, "\ndemo: a message came back wrong: %s\n",
                    error ? error_text(error) : "other bytes than were sent");
            break;
        }
        double end = now();
        mine->latency[bucket_of(end - start)]++;
        mine->messages++;
        start = end;
    }
    sock_close(s);
    return 0;
}

/* Hangs up in the middle: SO_LINGER with no time makes the close a reset. */
static int rude_client(void *arg, value *ret)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    struct sock *s;
    int error = 0;
    (void)arg, (void)ret;
    while (!error && now() < deadline && mine->messages < most_messages) {
        error = sock_connect("127.0.0.1", port, &s);
        if (error)
            return 0;
        error = sock_send_all(s, "half a mess", 11);
        setsockopt(sock_fileno(s), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        sock_close(s);
        mine->resets++;
        if (!error)
            error = sleep_for(0.02);
    }
    return 0;
}

static int clients(void *arg, value *ret)
{
    struct task **tasks = calloc((size_t)connections, sizeof *tasks);
    int error = tasks == NULL ? -ENOMEM : task_spawn(rude_client, NULL, NULL);
    (void)ret;
    for (int i = 0; !error && i < connections; i++) {
        uintptr_t seed = (uintptr_t)arg * 1000003u + (uintptr_t)i + 1; /* never 0 */
        error = task_spawn(client, (void *)seed, &tasks[i]);
    }
    for (int i = 0; !error && i < connections; i++)
        error = task_await(task_future(tasks[i]), NULL);
    for (int i = 0; tasks != NULL && i < connections; i++)
        task_unref(tasks[i]);
    free(tasks);
    return error;
}

/* The life of a process of clients; answers its status. */
static int client_process(int index, int port_pipe)
{
    if (read(port_pipe, &port, sizeof port) != sizeof port)
        return 0; /* the server could not begin, and has said why */
    close(port_pipe);
    mine = &reports[index];
    deadline = now() + seconds;
    int error = run(clients, (void *)(uintptr_t)(index + 1), NULL);
    if (error)
        fprintf(stderr, "\ndemo: a process of clients failed: %s\n", error_text(error));
    return error || mine->wrong > 0 ? 1 : 0;
}

/* --- the server ----------------------------------------------------------------------------- */

struct server {
    int port_pipe;             /* to tell the clients */
    int done_pipe;             /* ends when the last process of clients has */
    pid_t children[PROCESSES];
    double began, took;
};

/* [echo] */
static int echo(void *arg, value *ret)
{
    struct sock *peer = arg; /* ours from here on */
    char buffer[2048];
    ssize_t n;
    int error = 0;
    (void)ret;
    while (!error && (n = sock_recv(peer, buffer, sizeof buffer)) != 0)
        error = n < 0 ? (int)n : sock_send_all(peer, buffer, (size_t)n);
    sock_close(peer); /* the end, an error and a cancel alike */
    return error == -ECONNRESET || error == -EPIPE ? 0 : error;
}

static int serve(void *arg, value *ret)
{
    struct sock *listener = arg, *peer;
    int error = 0;
    (void)ret;
    while (!error && (error = sock_accept(listener, &peer)) == 0) {
        error = task_spawn(echo, peer, NULL);
        if (error)
            sock_close(peer);
    }
    sock_close(listener);
    return error;
}
/* [echo] */

static uint64_t sum_messages(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < PROCESSES; i++)
        sum += reports[i].messages;
    return sum;
}

/* On a terminal one line that is written again and again; into a file five lines at most. */
static int progress(void *arg, value *ret)
{
    const struct server *server = arg;
    bool terminal = isatty(STDOUT_FILENO);
    int error = 0;
    (void)ret;
    while ((error = sleep_for(terminal ? 0.25 : fmax(1, seconds / 5))) == 0) {
        double elapsed = now() - server->began;
        unsigned long long sum = (unsigned long long)sum_messages();
        printf("%s  %5.1f s  %10llu messages  %8.0f messages/s%s", terminal ? "\r" : "", elapsed,
               sum, (double)sum / elapsed, terminal ? "" : "\n");
        fflush(stdout);
    }
    return error;
}

/* Something hangs: better a failure than a demonstration without end. */
static int watchdog(void *arg, value *ret)
{
    const struct server *server = arg;
    (void)ret;
    int error = sleep_for(seconds + 30);
    if (error)
        return error;
    fprintf(stderr, "\ndemo: the clients do not end\n");
    for (int i = 0; i < PROCESSES; i++)
        kill(server->children[i], SIGKILL);
    return 0;
}

static int server_main(void *arg, value *ret)
{
    struct server *server = arg;
    struct sock *listener, *done;
    char byte;
    (void)ret;
    int error = sock_listen("127.0.0.1", 0, 0, &listener);
    if (error)
        return error;
    port = sock_port(listener);
    error = task_spawn(serve, listener, NULL);
    if (error) {
        sock_close(listener);
        return error;
    }
    error = sock_from_fd(server->done_pipe, &done);
    if (error)
        return error;
    struct selector *s = selector_from_poller(loop_poller(loop_running()));
    printf("echo server (%s), port %d: %d processes x %d connections, %d bytes each\n",
           selector_name(s), port, PROCESSES, connections, MESSAGE);
    fflush(stdout);
    server->began = now();
    for (int i = 0; !error && i < PROCESSES; i++)
        if (write(server->port_pipe, &port, sizeof port) != sizeof port)
            error = -EPIPE;
    if (!error)
        error = task_spawn(progress, server, NULL);
    if (!error)
        error = task_spawn(watchdog, server, NULL);
    if (!error)
        error = (int)sock_recv(done, &byte, 1); /* nobody writes: it ends when they do */
    server->took = now() - server->began;
    sock_close(done);
    return error;
}

/* --- the summary ---------------------------------------------------------------------------- */

/* Below which the given part of all messages stayed, in milliseconds. */
static double percentile(double part)
{
    uint64_t all = sum_messages(), below = 0;
    for (int bucket = 0; bucket < BUCKETS; bucket++) {
        for (int i = 0; i < PROCESSES; i++)
            below += reports[i].latency[bucket];
        if (all > 0 && (double)below >= part * (double)all)
            return exp2((bucket + 1.0) / STEPS) / 1000;
    }
    return 0;
}

static bool summary(const struct server *server, bool clients_failed)
{
    uint64_t wrong = 0, resets = 0, sum = sum_messages();
    for (int i = 0; i < PROCESSES; i++) {
        wrong += reports[i].wrong;
        resets += reports[i].resets;
    }
    bool fine = wrong == 0 && !clients_failed && sum > 0;
    if (isatty(STDOUT_FILENO))
        printf("\n");
    printf("\n  messages    %12llu\n  seconds     %12.2f\n  messages/s  %12.0f\n",
           (unsigned long long)sum, server->took, (double)sum / server->took);
    printf("  latency p50 %9.2f ms\n  latency p99 %9.2f ms\n", percentile(0.5), percentile(0.99));
    printf("  hung up     %12llu clients in the middle of a message\n", (unsigned long long)resets);
    if (fine)
        printf("  every byte came back as it was sent\n");
    else
        printf("  FAILED: %llu messages were wrong or lost%s\n", (unsigned long long)wrong,
               clients_failed ? ", a process of clients failed" : "");
    return fine;
}

/* --- beginning ------------------------------------------------------------------------------ */

/* Whether there will be enough descriptors; raises the soft limit if that is what is in the way. */
static bool enough_descriptors(void)
{
    const char *kind = getenv("SELECTOR");
    rlim_t needed = (rlim_t)(PROCESSES * connections + SPARE);
    struct rlimit limit;
    if (kind != NULL && strcmp(kind, "select") == 0 && needed > FD_SETSIZE) {
        fprintf(stderr, "demo: select() can watch %d descriptors: at most --connections %d\n",
                FD_SETSIZE, (FD_SETSIZE - SPARE) / PROCESSES);
        return false;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return true; /* we shall see */
    if (limit.rlim_cur < needed && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = needed < limit.rlim_max ? needed : limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur >= needed)
        return true;
    fprintf(stderr,
            "demo: %d connections need %llu descriptors, and this process may have %llu:\n"
            "raise the limit (ulimit -n %llu), or take fewer (--connections %d)\n",
            PROCESSES * connections, (unsigned long long)needed,
            (unsigned long long)limit.rlim_cur, (unsigned long long)needed,
            limit.rlim_cur > SPARE + PROCESSES ? (int)(limit.rlim_cur - SPARE) / PROCESSES : 1);
    return false;
}

static bool start_clients(struct server *server)
{
    int ports[2], done[2];
    if (pipe(ports) < 0 || pipe(done) < 0)
        return false;
    for (int i = 0; i < PROCESSES; i++) {
        server->children[i] = fork();
        if (server->children[i] < 0)
            return false; /* those who are there end when the pipe does */
        if (server->children[i] == 0) {
            close(ports[1]);
            close(done[0]);
            _exit(client_process(i, ports[0])); /* done[1] stays open until then */
        }
    }
    close(ports[0]);
    close(done[1]);
    server->port_pipe = ports[1];
    server->done_pipe = done[0];
    return fcntl(done[0], F_SETFL, O_NONBLOCK) == 0;
}

static int usage(const char *what, const char *argument)
{
    fprintf(stderr,
            "demo: %s%s\nusage: demo [--seconds S] [--messages N] [--connections N]\n"
            "            [--selector select|poll|epoll]\n",
            what, argument);
    return 2;
}

static int read_arguments(int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        const char *argument = i + 1 < argc ? argv[i + 1] : "";
        char *end;
        double number = strtod(argument, &end);
        bool positive = *argument != '\0' && *end == '\0' && number > 0 && number <= 1e9;
        bool whole = positive && number == (int)number;
        if (strcmp(argv[i], "--selector") == 0 && *argument != '\0')
            setenv("SELECTOR", argument, 1);
        else if (strcmp(argv[i], "--seconds") == 0 && positive)
            seconds = number;
        else if (strcmp(argv[i], "--messages") == 0 && whole)
            most_messages = ((uint64_t)number + PROCESSES - 1) / PROCESSES;
        else if (strcmp(argv[i], "--connections") == 0 && whole && number <= 1e6)
            connections = (int)number;
        else if (strcmp(argv[i], "--seconds") == 0 || strcmp(argv[i], "--messages") == 0 ||
                 strcmp(argv[i], "--connections") == 0)
            return usage("this is no such number: ", argument);
        else
            return usage("unknown: ", argv[i]);
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct server server = {.took = 1};
    bool clients_failed = false;
    int status = read_arguments(argc, argv);
    if (status)
        return status;
    if (!enough_descriptors())
        return 1;
    reports = mmap(NULL, PROCESSES * sizeof *reports, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (reports == MAP_FAILED || !start_clients(&server)) {
        perror("demo");
        return 1;
    }
    int error = run(server_main, &server, NULL);
    close(server.port_pipe);
    for (int i = 0; i < PROCESSES; i++) {
        int how;
        while (waitpid(server.children[i], &how, 0) < 0 && errno == EINTR)
            continue;
        clients_failed |= how != 0;
    }
    if (error) {
        fprintf(stderr, "demo: the server failed: %s\n", error_text(error));
        return 1;
    }
    return summary(&server, clients_failed) ? 0 : 1;
}
