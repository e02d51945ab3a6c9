/*
 * The course's own server: the trampolined kernel, with Accept, Recv and Send as subroutines that
 * are generators themselves (its echoserver.py). Each call of a subroutine is a generator made,
 * run and closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel.h"
#include "kernel_io.h"

struct transfer {
    int fd;
    char *buffer;
    size_t size;
};

static int accept_one(void *arg, value *ret)
{
    const struct transfer *t = arg;
    int err, client = -1;
    (void)ret;
    while ((err = sys_read_wait(t->fd)) == 0 &&
           (client = accept4(t->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0 &&
           errno == EAGAIN)
        ;
    return err ? err : gen_yield(value_int(client), NULL);
}

static int receive(void *arg, value *ret)
{
    const struct transfer *t = arg;
    ssize_t n = -1;
    int err;
    (void)ret;
    while ((err = sys_read_wait(t->fd)) == 0 && (n = recv(t->fd, t->buffer, t->size, 0)) < 0 &&
           errno == EAGAIN)
        ;
    return err ? err : gen_yield(value_int(n), NULL);
}

static int send_all(void *arg, value *ret)
{
    const struct transfer *t = arg;
    size_t sent = 0;
    int err = 0;
    (void)ret;
    while (!err && sent < t->size && (err = sys_write_wait(t->fd)) == 0) {
        ssize_t n = send(t->fd, t->buffer + sent, t->size - sent, MSG_NOSIGNAL);
        if (n >= 0)
            sent += (size_t)n;
        else if (errno != EAGAIN)
            err = -errno;
    }
    return err;
}

/* Yields a subroutine to the kernel; its result. */
static int call(gen_fn *fn, struct transfer *t, value *result)
{
    struct generator *g = gen_new_named(fn, t, "subroutine");
    return g == NULL ? -ENOMEM : gen_yield(value_generator(g), result);
}

static int client(void *arg, value *ret)
{
    char buffer[1024];
    int fd = (int)(intptr_t)arg, err;
    value got, nothing;
    (void)ret;
    for (;;) {
        struct transfer t = {fd, buffer, sizeof buffer};
        err = call(receive, &t, &got);
        if (err || value_as_int(got) <= 0)
            break;
        t.size = (size_t)value_as_int(got);
        if ((err = call(send_all, &t, &nothing)) != 0)
            break;
    }
    int forgotten = sys_forget(fd);
    close(fd);
    return err ? err : forgotten;
}

static int server(void *arg, value *ret)
{
    struct transfer t = {.fd = (int)(intptr_t)arg};
    value fd;
    int err, tid = 0;
    (void)ret;
    while ((err = call(accept_one, &t, &fd)) == 0 && tid >= 0)
        tid = sys_new(client, (void *)value_as_int(fd));
    return tid < 0 ? tid : err;
}

int main(void)
{
    int fd = atoi(getenv("LISTEN_FD"));
    struct kernel *kernel = kernel_new();
    fcntl(fd, F_SETFL, O_NONBLOCK);
    if (kernel == NULL || kernel_io_attach(kernel, SELECTOR_DEFAULT) != 0 ||
        kernel_spawn(kernel, server, (void *)(intptr_t)fd) < 0)
        return EXIT_FAILURE;
    int error = kernel_run(kernel);
    kernel_free(kernel);
    return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
