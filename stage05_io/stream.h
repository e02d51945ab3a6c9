/**
 * @file stream.h
 * @brief Lines and records out of a sock: reading with a buffer.
 */
#ifndef STREAM_H
#define STREAM_H

#include "sock.h"

/** @defgroup stream Streams
 *  @brief read_line, read_exactly, on top of a sock.
 *  @{ */

struct stream;

/**
 * @param s the sock, the stream's own from now on. @param limit the longest line in bytes; 0 is
 * 65536. @return the stream; NULL with errno ENOMEM, then @p s is still the caller's.
 */
struct stream *stream_new(struct sock *s, size_t limit);

/** Closes the sock too. @param stream yours, or NULL. */
void stream_close(struct stream *stream);

/** @param stream not NULL. @return its sock, still the stream's. */
struct sock *stream_sock(struct stream *stream);

/**
 * One line with its newline; the last one may come without.
 * @param stream not NULL. @param line points into the stream's buffer, NUL-terminated, until the
 * next call.
 * @return its length; 0 at the end; ERR_LIMIT if it is longer than the limit (what was read stays
 * to be read by stream_read()); or what sock_recv() answers.
 */
MUST_CHECK ssize_t stream_read_line(struct stream *stream, const char **line);

/**
 * Exactly so many bytes.
 * @param stream not NULL. @param buffer where to. @param size how many.
 * @return 0; ERR_END_OF_STREAM if the stream ended first (what came stays in the stream); or what
 * sock_recv() answers.
 */
MUST_CHECK int stream_read_exactly(struct stream *stream, void *buffer, size_t size);

/**
 * What is there, as sock_recv(), what is buffered first.
 * @param stream not NULL. @param buffer where to. @param size how many fit. @return as sock_recv().
 */
MUST_CHECK ssize_t stream_read(struct stream *stream, void *buffer, size_t size);

/** As sock_send_all(). @param stream not NULL. @param data what. @param size bytes. @return as
 * there. */
MUST_CHECK int stream_write(struct stream *stream, const void *data, size_t size);

/** @} */
#endif
