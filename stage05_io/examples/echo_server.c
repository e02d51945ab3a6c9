/*
 * An echo server: whatever a client sends comes back to him. Try it with `nc 127.0.0.1 45000`.
 *
 * There is one task for each client, and it is written as if nobody else were there: receive, send,
 * until the client hangs up. SIGINT (Ctrl-C) ends it in order.
 *
 *     echo_server [--port N] [--selector select|poll|epoll] [--seconds S]
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "combine.h"
#include "run.h"
#include "sock.h"
#include "task.h"

static int port = 45000;
static double seconds; /* 0: until SIGINT */
static int signals[2]; /* a pipe: the handler writes, the main task reads */

/* All that a signal handler may do: say that it was called. */
static void on_signal(int number)
{
    int error = errno;
    char byte = (char)number;
    if (write(signals[1], &byte, 1) < 0)
        byte = 0; /* full: then the main task has enough to read already */
    errno = error;
}

/* [echo] */
static int echo(void *arg, value *ret)
{
    struct sock *client = arg; /* ours from here on */
    char buffer[2048];
    ssize_t n;
    int error = 0;
    (void)ret;
    while (!error && (n = sock_recv(client, buffer, sizeof buffer)) != 0)
        error = n < 0 ? (int)n : sock_send_all(client, buffer, (size_t)n);
    sock_close(client); /* the end, an error and a cancel alike */
    return error == -ECONNRESET || error == -EPIPE ? 0 : error; /* clients do that */
}

static int serve(void *arg, value *ret)
{
    struct sock *listener = arg, *client;
    int error = 0;
    (void)ret;
    while (!error && (error = sock_accept(listener, &client)) == 0) {
        error = task_spawn(echo, client, NULL);
        if (error)
            sock_close(client);
    }
    sock_close(listener);
    return error;
}
/* [echo] */

static int stop_later(void *arg, value *ret)
{
    (void)arg, (void)ret;
    int error = sleep_for(seconds);
    if (!error)
        raise(SIGINT);
    return error;
}

static int say_why_not(int error)
{
    fprintf(stderr, "echo_server: cannot listen on port %d: %s\n", port, error_text(error));
    if (error == -EADDRINUSE)
        fprintf(stderr, "echo_server: choose another one with --port, 0 asks the system\n");
    return error;
}

static int server(void *arg, value *ret)
{
    struct sock *listener, *signal_pipe;
    char byte;
    (void)arg, (void)ret;
    int error = sock_listen(NULL, port, 0, &listener);
    if (error)
        return say_why_not(error);
    printf("listening on port %d; Ctrl-C ends it\n", sock_port(listener));
    fflush(stdout);
    error = task_spawn(serve, listener, NULL);
    if (error) {
        sock_close(listener);
        return error;
    }
    if (seconds > 0)
        error = task_spawn(stop_later, NULL, NULL);
    if (!error)
        error = sock_from_fd(signals[0], &signal_pipe);
    if (error)
        return error;
    ssize_t n = sock_recv(signal_pipe, &byte, 1); /* here the main task waits all the time */
    sock_close(signal_pipe);
    if (n < 0)
        return (int)n;
    printf("\nclosing\n");
    return 0; /* run() cancels the other tasks, and each closes what it has */
}

static int usage(const char *what, const char *argument)
{
    fprintf(stderr,
            "echo_server: %s%s\n"
            "usage: echo_server [--port N] [--selector select|poll|epoll] [--seconds S]\n",
            what, argument);
    return 2;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        const char *argument = i + 1 < argc ? argv[i + 1] : "";
        char *end;
        double number = strtod(argument, &end);
        bool is_number = *argument != '\0' && *end == '\0';
        if (strcmp(argv[i], "--selector") == 0 && *argument != '\0')
            setenv("SELECTOR", argument, 1);
        else if (strcmp(argv[i], "--port") == 0 && is_number && number >= 0 && number <= 65535 &&
                 number == (int)number)
            port = (int)number;
        else if (strcmp(argv[i], "--seconds") == 0 && is_number && number > 0)
            seconds = number;
        else if (strcmp(argv[i], "--port") == 0)
            return usage("no such port: ", argument);
        else if (strcmp(argv[i], "--seconds") == 0)
            return usage("this is no number of seconds: ", argument);
        else
            return usage("unknown: ", argv[i]);
    }
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
    if (pipe(signals) < 0 || fcntl(signals[0], F_SETFL, O_NONBLOCK) < 0 ||
        fcntl(signals[1], F_SETFL, O_NONBLOCK) < 0 || sigaction(SIGINT, &action, NULL) < 0 ||
        sigaction(SIGTERM, &action, NULL) < 0) {
        perror("echo_server");
        return 1;
    }
    int error = run(server, NULL, NULL);
    close(signals[1]);
    if (error && error != -EADDRINUSE && error != -EACCES)
        fprintf(stderr, "echo_server: %s\n", error_text(error));
    return error ? 1 : 0;
}
