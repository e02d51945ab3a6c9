/* libuv: read callbacks, and uv_try_write(), the faster of its two ways to write. */
#include <stdlib.h>
#include <uv.h>

static char buffer[65536];

static void allocate(uv_handle_t *h, size_t size, uv_buf_t *out)
{
    (void)h, (void)size;
    *out = uv_buf_init(buffer, sizeof buffer);
}

static void gone(uv_handle_t *h)
{
    free(h);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *got)
{
    if (n > 0) {
        uv_buf_t out = uv_buf_init(got->base, (unsigned)n);
        if (uv_try_write(stream, &out, 1) == (int)n)
            return;
    }
    if (n != 0)
        uv_close((uv_handle_t *)stream, gone);
}

static void on_client(uv_stream_t *listener, int status)
{
    uv_tcp_t *client = malloc(sizeof *client);
    uv_tcp_init(listener->loop, client);
    if (status < 0 || uv_accept(listener, (uv_stream_t *)client) != 0) {
        uv_close((uv_handle_t *)client, gone);
        return;
    }
    uv_tcp_nodelay(client, 1);
    uv_read_start((uv_stream_t *)client, allocate, on_read);
}

int main(void)
{
    static uv_tcp_t listener;
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_init(loop, &listener);
    uv_tcp_open(&listener, atoi(getenv("LISTEN_FD")));
    if (uv_listen((uv_stream_t *)&listener, 4096, on_client) != 0)
        return EXIT_FAILURE;
    return uv_run(loop, UV_RUN_DEFAULT);
}
