/*
 * A stream puts a buffer between a sock, which gives what it has, and a reader who wants a line or
 * a record. Whatever was read and not yet asked for stays in the buffer, so an error, the end of
 * the stream or a cancel in the middle of a line loses nothing.
 *
 *     buffer:  | . . used up . . | unread . . . . . . . | room |
 *              0               start                   end    size
 */
#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT = 65536, FIRST_SIZE = 1024 };

struct stream {
    struct sock *sock;
    size_t limit;
    char *buffer;
    size_t size, start, end;
    size_t hole; /* where a NUL stands in place of `covered`, behind the last line; 0: nowhere */
    char covered;
};

struct stream *stream_new(struct sock *s, size_t limit)
{
    struct stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    stream->sock = s;
    stream->limit = limit == 0 ? LIMIT : limit;
    return stream;
}

void stream_close(struct stream *stream)
{
    if (stream == NULL)
        return;
    sock_close(stream->sock);
    free(stream->buffer);
    free(stream);
}

struct sock *stream_sock(struct stream *stream)
{
    return stream->sock;
}

/* The caller has had his line: what its NUL covered is there again. */
static void uncover(struct stream *stream)
{
    if (stream->hole != 0)
        stream->buffer[stream->hole] = stream->covered;
    stream->hole = 0;
}

/* Room for `wanted` unread bytes and a NUL, and for at least one more than there are. */
static int make_room(struct stream *stream, size_t wanted)
{
    size_t unread = stream->end - stream->start;
    if (stream->start > 0) {
        memmove(stream->buffer, stream->buffer + stream->start, unread);
        stream->start = 0;
        stream->end = unread;
    }
    if (wanted <= unread)
        wanted = unread + 1;
    if (wanted + 1 <= stream->size)
        return 0;
    size_t size = stream->size == 0 ? FIRST_SIZE : stream->size * 2;
    if (size < wanted + 1)
        size = wanted + 1;
    char *buffer = realloc(stream->buffer, size);
    if (buffer == NULL)
        return -ENOMEM;
    stream->buffer = buffer;
    stream->size = size;
    return 0;
}

/* Reads some more into the buffer; answers as sock_recv(). */
static ssize_t fill(struct stream *stream, size_t wanted)
{
    int error = make_room(stream, wanted);
    if (error)
        return error;
    ssize_t n = sock_recv(stream->sock, stream->buffer + stream->end,
                          stream->size - 1 - stream->end);
    if (n > 0)
        stream->end += (size_t)n;
    return n;
}

/* Hands out the first `length` unread bytes as a line. */
static ssize_t cut(struct stream *stream, size_t length, const char **line)
{
    *line = stream->buffer + stream->start;
    stream->start += length;
    stream->hole = stream->start;
    stream->covered = stream->buffer[stream->hole];
    stream->buffer[stream->hole] = '\0';
    return (ssize_t)length;
}

ssize_t stream_read_line(struct stream *stream, const char **line)
{
    uncover(stream);
    *line = "";
    /* EXERCISE 5.9 stream_read_line: fill the buffer until there is a newline in it */
    size_t seen = 0; /* so many unread bytes have been looked at */
    for (;;) {
        size_t unread = stream->end - stream->start;
        const char *from = stream->buffer + stream->start;
        const char *newline = unread > seen ? memchr(from + seen, '\n', unread - seen) : NULL;
        size_t length = newline != NULL ? (size_t)(newline - from) + 1 : unread;
        if (length > stream->limit)
            return ERR_LIMIT;
        if (newline != NULL)
            return cut(stream, length, line);
        seen = unread;
        ssize_t n = fill(stream, 0);
        if (n < 0)
            return n;
        if (n == 0) /* the end: the last line may have no newline, or there is none */
            return unread > 0 ? cut(stream, unread, line) : 0;
    }
    /* END 5.9 */
}

static void take(struct stream *stream, void *buffer, size_t size)
{
    if (size > 0)
        memcpy(buffer, stream->buffer + stream->start, size);
    stream->start += size;
}

/*
 * Everything is gathered in our buffer before the first byte is handed out: slower than reading
 * straight into the caller's for large records, but nothing can be lost when the stream ends early.
 */
int stream_read_exactly(struct stream *stream, void *buffer, size_t size)
{
    uncover(stream);
    while (stream->end - stream->start < size) {
        ssize_t n = fill(stream, size);
        if (n <= 0)
            return n < 0 ? (int)n : ERR_END_OF_STREAM;
    }
    take(stream, buffer, size);
    return 0;
}

ssize_t stream_read(struct stream *stream, void *buffer, size_t size)
{
    uncover(stream);
    size_t unread = stream->end - stream->start;
    if (unread == 0)
        return sock_recv(stream->sock, buffer, size);
    take(stream, buffer, size < unread ? size : unread);
    return (ssize_t)(size < unread ? size : unread);
}

int stream_write(struct stream *stream, const void *data, size_t size)
{
    return sock_send_all(stream->sock, data, size);
}
