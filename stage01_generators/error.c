/*
 * Names and sentences for codes. Our own stand in one table in the order of the enum; of the
 * operating system's the names stand in another, since few C libraries have them, and the sentences
 * come from the C library; the user's from what he registered.
 */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    const char *name;
    const char *text;
};

static const struct entry ours[] = {
    {"ERR_TYPE", "the wrong kind of thing was given"},
    {"ERR_VALUE", "the value given is impossible"},
    {"ERR_RUNTIME", "this cannot be done now, or not here"},
    {"ERR_BUSY", "it is already running, or somebody waits there already"},
    {"ERR_INVALID_STATE", "the future is not in a state that allows this"},
    {"ERR_GENERATOR_EXIT", "the generator is asked to clean up and return"},
    {"ERR_IGNORED_EXIT", "the generator yielded when it was asked to end"},
    {"ERR_CANCELLED", "cancelled"},
    {"ERR_TIMEOUT", "the time is up"},
    {"ERR_CLOSED", "it has been closed"},
    {"ERR_WRONG_LOOP", "the future belongs to another loop"},
    {"ERR_NESTED", "a loop is running in this thread already"},
    {"ERR_DEADLOCK", "nothing can run, and nothing can change that"},
    {"ERR_END_OF_STREAM", "the stream ended before all was read"},
    {"ERR_LIMIT", "longer than the limit allows"},
    {"ERR_NOT_WRITTEN", "this exercise is not written yet"},
};
_Static_assert(sizeof ours / sizeof *ours == ERR_LAST_OF_OURS - ERR_TYPE, "a code has no entry");

/* Those of POSIX. EWOULDBLOCK and ENOTSUP are missing: they may be second names of one number. */
#define SYSTEM(code) [code] = #code
static const char *const systems[] = {
    SYSTEM(E2BIG), SYSTEM(EACCES), SYSTEM(EADDRINUSE), SYSTEM(EADDRNOTAVAIL),
    SYSTEM(EAFNOSUPPORT), SYSTEM(EAGAIN), SYSTEM(EALREADY), SYSTEM(EBADF), SYSTEM(EBADMSG),
    SYSTEM(EBUSY), SYSTEM(ECANCELED), SYSTEM(ECHILD), SYSTEM(ECONNABORTED),
    SYSTEM(ECONNREFUSED), SYSTEM(ECONNRESET), SYSTEM(EDEADLK), SYSTEM(EDESTADDRREQ),
    SYSTEM(EDOM), SYSTEM(EDQUOT), SYSTEM(EEXIST), SYSTEM(EFAULT), SYSTEM(EFBIG),
    SYSTEM(EHOSTUNREACH), SYSTEM(EIDRM), SYSTEM(EILSEQ), SYSTEM(EINPROGRESS), SYSTEM(EINTR),
    SYSTEM(EINVAL), SYSTEM(EIO), SYSTEM(EISCONN), SYSTEM(EISDIR), SYSTEM(ELOOP),
    SYSTEM(EMFILE), SYSTEM(EMLINK), SYSTEM(EMSGSIZE), SYSTEM(EMULTIHOP), SYSTEM(ENAMETOOLONG),
    SYSTEM(ENETDOWN), SYSTEM(ENETRESET), SYSTEM(ENETUNREACH), SYSTEM(ENFILE), SYSTEM(ENOBUFS),
    SYSTEM(ENODEV), SYSTEM(ENOENT), SYSTEM(ENOEXEC), SYSTEM(ENOLCK), SYSTEM(ENOLINK),
    SYSTEM(ENOMEM), SYSTEM(ENOMSG), SYSTEM(ENOPROTOOPT), SYSTEM(ENOSPC), SYSTEM(ENOSYS),
    SYSTEM(ENOTCONN), SYSTEM(ENOTDIR), SYSTEM(ENOTEMPTY), SYSTEM(ENOTRECOVERABLE),
    SYSTEM(ENOTSOCK), SYSTEM(ENOTTY), SYSTEM(ENXIO), SYSTEM(EOPNOTSUPP), SYSTEM(EOVERFLOW),
    SYSTEM(EOWNERDEAD), SYSTEM(EPERM), SYSTEM(EPIPE), SYSTEM(EPROTO), SYSTEM(EPROTONOSUPPORT),
    SYSTEM(EPROTOTYPE), SYSTEM(ERANGE), SYSTEM(EROFS), SYSTEM(ESPIPE), SYSTEM(ESRCH),
    SYSTEM(ESTALE), SYSTEM(ETIMEDOUT), SYSTEM(ETXTBSY), SYSTEM(EXDEV)};
enum { SYSTEM_CODES = sizeof systems / sizeof *systems };

enum { USER_CODES = 1000 };
static struct entry users[USER_CODES];

static const struct entry *find(int error)
{
    if (error >= ERR_TYPE && error < ERR_LAST_OF_OURS)
        return &ours[error - ERR_TYPE];
    if (error <= ERR_USER && error > ERR_USER - USER_CODES && users[ERR_USER - error].name != NULL)
        return &users[ERR_USER - error];
    return NULL;
}

const char *error_name(int error)
{
    static _Thread_local char unknown[24];
    const struct entry *entry = find(error);
    if (entry != NULL)
        return entry->name;
    if (error < 0 && error > -SYSTEM_CODES && systems[-error] != NULL)
        return systems[-error];
    snprintf(unknown, sizeof unknown, "error %d", error);
    return unknown;
}

const char *error_text(int error)
{
    const struct entry *entry = find(error);
    if (entry != NULL)
        return entry->text;
    if (error >= 0)
        return "no error";
    if (error <= ERR_TYPE)
        return "an error that nobody has registered";
    return strerror(-error);
}

int error_register(int error, const char *name, const char *text)
{
    if (error > ERR_USER || error <= ERR_USER - USER_CODES || name == NULL || text == NULL)
        return ERR_VALUE;
    users[ERR_USER - error] = (struct entry){name, text};
    return 0;
}

void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("fatal: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

/* Stubs may run on an executor's thread; the checks ask from their own. */
static _Atomic(const char *) first_unwritten;

int exercise_unwritten(const char *exercise)
{
    const char *none = NULL;
    atomic_compare_exchange_strong(&first_unwritten, &none, exercise);
    return ERR_NOT_WRITTEN;
}

const char *exercise_met_unwritten(void)
{
    return atomic_exchange(&first_unwritten, NULL);
}
