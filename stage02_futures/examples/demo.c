/*
 * Stage 2 at work: a result that is not there yet, and threads that bring it. The dispatcher is the
 * immediate one, which calls back in the very moment of completion: see where the lines stand.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "executor.h"
#include "future.h"

static void stop_at(int error, const char *what)
{
    if (!error)
        return;
    fprintf(stderr, "%s: %s\n", what, error_text(error));
    exit(EXIT_FAILURE);
}

static int tell(struct future *f, void *arg)
{
    char text[80];
    future_describe(f, text, sizeof text);
    printf("    %s is called: the future is %s\n", (const char *)arg, text);
    return 0;
}

static int fail(struct future *f, void *arg)
{
    (void)f, (void)arg;
    return ERR_VALUE;
}

static void show(const struct future *f)
{
    char text[80];
    future_describe(f, text, sizeof text);
    printf("  it is %s\n", text);
}

/* --- one future --------------------------------------------------------------------------- */

static void callbacks(struct dispatcher *d)
{
    static char first[] = "the first callback", second[] = "the second callback";
    static char late[] = "a late callback", copy[] = "the copy's callback";
    struct future *f = future_new(d), *other = future_new(d);
    value out;
    if (f == NULL || other == NULL)
        exit(EXIT_FAILURE);
    printf("\nA future and its callbacks\n");
    show(f);
    printf("  its result now: %s\n", error_name(future_result(f, &out)));
    stop_at(future_add_done_callback(f, tell, first), "future_add_done_callback");
    stop_at(future_add_done_callback(f, fail, NULL), "future_add_done_callback");
    stop_at(future_add_done_callback(f, tell, second), "future_add_done_callback");
    stop_at(future_chain(f, other), "future_chain");
    stop_at(future_add_done_callback(other, tell, copy), "future_add_done_callback");
    printf("  future_set_result(f, 42):\n");
    fflush(stdout);
    stop_at(future_set_result(f, value_int(42)), "future_set_result");
    printf("  and only now has future_set_result() returned: nothing was queued\n");
    printf("  future_set_result(f, 43): %s\n", error_name(future_set_result(f, value_int(43))));
    printf("  future_add_done_callback() on a future that is done:\n");
    stop_at(future_add_done_callback(f, tell, late), "future_add_done_callback");
    future_unref(f);
    future_unref(other);

    f = future_new(d);
    if (f == NULL)
        exit(EXIT_FAILURE);
    printf("  another one, cancelled: %s", future_cancel(f) ? "yes" : "no");
    printf("; once more: %s\n", future_cancel(f) ? "yes" : "no");
    show(f);
    future_unref(f);
}

/* --- three jobs --------------------------------------------------------------------------- */

struct job {
    const char *name;
    double seconds;
    int error;
};

/* On another thread: touches nothing but its argument. */
static int work(void *arg, value *ret)
{
    const struct job *job = arg;
    struct timespec t = {.tv_sec = 0, .tv_nsec = (long)(job->seconds * 1e9)};
    while (nanosleep(&t, &t) != 0)
        continue;
    *ret = value_str(job->name);
    return job->error;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void jobs(struct dispatcher *d)
{
    static struct job list[] = {
        {"the slow one", 0.3, 0}, {"the quick one", 0.1, 0}, {"the broken one", 0.2, ERR_VALUE}};
    static char names[][8] = {"slow", "quick", "broken"};
    struct executor *e;
    struct future *f[3];
    stop_at(executor_new(d, 3, NULL, NULL, &e), "executor_new");
    printf("\nThree jobs that block for 0.3, 0.1 and 0.2 seconds, on three threads\n");
    double begun = now();
    for (int i = 0; i < 3; i++) {
        stop_at(executor_submit(e, work, &list[i], NULL, &f[i]), "executor_submit");
        stop_at(future_add_done_callback(f[i], tell, names[i]), "future_add_done_callback");
    }
    printf("  executor_wait() for the slow one, for 0.05 s: %s\n",
           error_name(executor_wait(e, f[0], 0.05, NULL)));
    printf("  executor_wait() for each, as long as it takes; callbacks run on this thread:\n");
    fflush(stdout);
    for (int i = 0; i < 3; i++) {
        value out;
        char text[40];
        int error = executor_wait(e, f[i], INFINITY, &out);
        value_format(out, text, sizeof text);
        printf("  %s: %s\n", names[i], error ? error_name(error) : text);
        future_unref(f[i]);
    }
    printf("  all that took %.1f s, not 0.6: they slept side by side\n", now() - begun);
    executor_free(e);
}

int main(void)
{
    struct dispatcher d;
    immediate_init(&d);
    setvbuf(stdout, NULL, _IOLBF, 0); /* in order with what is reported on standard error */
    printf("Stage 2: a result that is not there yet.\n");
    callbacks(&d);
    jobs(&d);
    immediate_close(&d);
    return EXIT_SUCCESS;
}
