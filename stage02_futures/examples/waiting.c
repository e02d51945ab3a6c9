/*
 * The pieces of code that the chapter of stage 2 talks about, as one program that runs.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "executor.h"
#include "future.h"

/* [callback] */
static int print_outcome(struct future *f, void *arg)
{
    value v;
    int error = future_result(f, &v);
    if (error)
        printf("%s heard of %s\n", (const char *)arg, error_name(error));
    else
        printf("%s heard of %d\n", (const char *)arg, (int)value_as_int(v));
    return 0;
}

static int two_callbacks(struct dispatcher *d)
{
    struct future *f = future_new(d);
    if (f == NULL)
        return -ENOMEM;
    int error = future_add_done_callback(f, print_outcome, "Anna");
    if (!error)
        error = future_add_done_callback(f, print_outcome, "Ben");
    if (!error)
        error = future_set_result(f, value_int(42));
    if (!error && future_set_result(f, value_int(43)) == ERR_INVALID_STATE)
        printf("a future is done once\n");
    future_unref(f);
    return error;
}
/* [callback] */

/* [job] */
static int slow_square(void *arg, value *ret)
{
    intptr_t n = (intptr_t)arg;
    *ret = value_int(n * n); /* think of something that takes a second */
    return n < 0 ? ERR_VALUE : 0;
}

static int square_elsewhere(struct dispatcher *d)
{
    struct executor *e;
    struct future *f = NULL;
    value v;
    int error = executor_new(d, 2, NULL, NULL, &e);
    if (error)
        return error;
    error = executor_submit(e, slow_square, (void *)(intptr_t)12, NULL, &f);
    if (!error)
        error = executor_wait(e, f, INFINITY, &v);
    if (!error)
        printf("the job returned %d\n", (int)value_as_int(v));
    future_unref(f);
    executor_free(e);
    return error;
}
/* [job] */

/* [cancel] */
static int cancel_a_chain(struct dispatcher *d)
{
    struct future *source = future_new(d), *target = future_new(d);
    int error = source == NULL || target == NULL ? -ENOMEM : future_chain(source, target);
    if (!error) {
        future_cancel(target);
        printf("the source is %s\n", future_cancelled(source) ? "cancelled too" : "untouched");
    }
    future_unref(source);
    future_unref(target);
    return error;
}
/* [cancel] */

int main(void)
{
    struct dispatcher d;
    immediate_init(&d);
    int error = two_callbacks(&d);
    if (!error)
        error = cancel_a_chain(&d);
    if (!error)
        error = square_elsewhere(&d);
    immediate_close(&d);
    if (error)
        fprintf(stderr, "waiting: %s\n", error_text(error));
    return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
