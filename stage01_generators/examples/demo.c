/*
 * Stage 1 at work: what can be said to a generator, and what is built from that. Each line with an
 * arrow is something that the program says; what stands behind it is the answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generator.h"

/* Prints what a resume answered, in Python's words. */
static void answer(const char *said, int status, value out)
{
    char text[80];
    value_format(out, text, sizeof text);
    if (status < 0)
        printf("  %-34s -> raised %s\n", said, error_name(status));
    else
        printf("  %-34s -> %s %s\n", said, status == GEN_NEXT ? "yielded" : "returned", text);
}

/* --- the conversation --------------------------------------------------------------------- */

static int my_gen(void *arg, value *ret)
{
    value in;
    int error = gen_yield(value_int(5), &in);
    (void)arg;
    if (error == ERR_VALUE) { /* caught */
        printf("    (my_gen caught ERR_VALUE and goes on)\n");
        error = gen_yield(value_str("hello again"), &in);
    }
    if (!error)
        *ret = in;
    printf("    (my_gen cleans up)\n"); /* one exit: this line is its "finally" */
    return error;
}

static void talk(void)
{
    struct generator *g = gen_new(my_gen, NULL);
    value out;
    int status;
    if (g == NULL)
        exit(EXIT_FAILURE);
    printf("\nA conversation: next, send, throw, close\n");
    status = gen_next(g, &out);
    answer("gen_next(g)", status, out);
    status = gen_send(g, value_int(42), &out);
    answer("gen_send(g, 42)", status, out);
    status = gen_next(g, &out);
    answer("gen_next(g), after the end", status, out);
    gen_free(g);

    g = gen_new(my_gen, NULL);
    if (g == NULL)
        exit(EXIT_FAILURE);
    status = gen_next(g, &out);
    answer("another one: gen_next(h)", status, out);
    status = gen_throw(g, ERR_VALUE, &out);
    answer("gen_throw(h, ERR_VALUE)", status, out);
    status = gen_close(g, NULL);
    printf("  %-34s -> %s\n", "gen_close(h)", status == 0 ? "closed" : error_name(status));
    gen_free(g);
}

/* --- producing ---------------------------------------------------------------------------- */

static int countdown(void *arg, value *ret)
{
    int error = 0;
    (void)ret;
    for (intptr_t n = (intptr_t)arg; n > 0 && !error; n--)
        error = gen_yield(value_int(n), NULL);
    return error;
}

static void count(void)
{
    struct generator *g = gen_new(countdown, (void *)5);
    value out;
    if (g == NULL)
        exit(EXIT_FAILURE);
    printf("\nA loop over a generator: countdown(5)\n ");
    while (gen_next(g, &out) == GEN_NEXT)
        printf(" %d", (int)value_as_int(out));
    printf("\n");
    gen_free(g);
}

/* --- delegating: outer lets two others talk ----------------------------------------------- */

static int outer(void *arg, value *ret)
{
    struct generator *first = gen_new(countdown, (void *)2);
    struct generator *second = gen_new(my_gen, NULL);
    value result;
    int error = first == NULL || second == NULL ? ERR_RUNTIME : gen_yield_from(first, NULL);
    (void)arg;
    if (!error)
        error = gen_yield_from(second, &result);
    if (!error)
        *ret = result; /* what the inner one returned is the value of the delegation */
    gen_free(first);
    gen_free(second);
    return error;
}

static void delegate(void)
{
    struct generator *g = gen_new(outer, NULL);
    value out;
    int status = GEN_NEXT;
    if (g == NULL)
        exit(EXIT_FAILURE);
    printf("\nDelegation: outer yields from countdown(2), then from my_gen\n");
    for (int i = 0; i < 3; i++) {
        status = gen_next(g, &out);
        answer("gen_next(outer)", status, out);
    }
    status = gen_send(g, value_str("through outer"), &out);
    answer("gen_send(outer, 'through outer')", status, out);
    gen_free(g);
}

/* --- a pipeline: source -> grep -> printer ------------------------------------------------ */

static int printer(void *arg, value *ret)
{
    value line;
    int error;
    (void)arg, (void)ret;
    while ((error = gen_yield(value_none(), &line)) == 0)
        printf("    %s\n", value_as_str(line));
    printf("    (the printer goes away)\n");
    return error;
}

struct grep {
    const char *pattern;
    struct generator *target; /* borrowed: who built the pipeline closes it */
};

static int grep(void *arg, value *ret)
{
    const struct grep *self = arg;
    value line;
    int error;
    (void)ret;
    while ((error = gen_yield(value_none(), &line)) == 0) {
        if (strstr(value_as_str(line), self->pattern) == NULL)
            continue;
        int status = gen_send(self->target, line, NULL);
        if (status != GEN_NEXT)
            return status; /* the target has ended, and so have we; or it failed: so do we */
    }
    printf("    (grep goes away)\n");
    return error;
}

static void pipeline(void)
{
    const char *const log[] = {"GET /ply/ply.html", "GET /python/tutorial.html", "GET /favicon.ico",
                               "GET /python/coroutines.pdf"};
    struct generator *sink, *filter = NULL;
    struct grep python = {"python", NULL};
    int status = gen_new_primed(printer, NULL, &sink);
    python.target = sink;
    if (status == GEN_NEXT)
        status = gen_new_primed(grep, &python, &filter);
    printf("\nA pipeline, pushed: lines -> grep('python') -> printer\n");
    for (size_t i = 0; i < sizeof log / sizeof *log && status == GEN_NEXT; i++)
        status = gen_send(filter, value_str(log[i]), NULL);
    gen_free(filter); /* from the source to the sink */
    gen_free(sink);
}

int main(void)
{
    printf("Stage 1: a function that stops in the middle and can be spoken to.\n");
    talk();
    count();
    delegate();
    pipeline();
    return EXIT_SUCCESS;
}
