/*
 * For callgrind: `count send N` and `count create N` do one thing N times and nothing else. The
 * difference between two counts of N, divided, is the number of instructions of one round.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generator.h"

static int echo(void *arg, value *ret)
{
    value in = value_none();
    (void)arg, (void)ret;
    for (;;) {
        int error = gen_yield(in, &in);
        if (error)
            return error;
    }
}

static int answer(void *arg, value *ret)
{
    *ret = value_ptr(arg);
    return 0;
}

/* Functions of their own: what stands in main() is optimised as if it ran once. */
static __attribute__((noinline)) int send(long n)
{
    value out = value_none();
    struct generator *g = gen_new(echo, NULL);
    if (g == NULL || gen_next(g, NULL) != GEN_NEXT)
        return 1;
    for (long i = 0; i < n; i++)
        if (gen_send(g, value_int(i), &out) != GEN_NEXT)
            return 1;
    gen_free(g);
    return 0;
}

static __attribute__((noinline)) int create(long n)
{
    value out = value_none();
    for (long i = 0; i < n; i++) {
        struct generator *g = gen_new(answer, NULL);
        if (g == NULL || gen_next(g, &out) != GEN_RETURN)
            return 1;
        gen_free(g);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    return strcmp(argv[1], "send") == 0 ? send(atol(argv[2])) : create(atol(argv[2]));
}
