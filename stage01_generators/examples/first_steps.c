/*
 * The pieces of code that the chapter of stage 1 talks about, as one program that runs. Each piece
 * stands between two lines with its name, by which the chapter includes it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "generator.h"
#include "machine.h"

/* [countdown] */
static int countdown(void *arg, value *ret)
{
    intptr_t n = (intptr_t)arg;
    int err = 0;
    for (; n > 0 && !err; n--)
        err = gen_yield(value_int(n), NULL);
    *ret = value_str("lift-off");
    return err;
}
/* [countdown] */

/* [drive] */
static void drive_countdown(void)
{
    struct generator *g = gen_new(countdown, (void *)(intptr_t)3);
    value out;
    int status;
    while ((status = gen_next(g, &out)) == GEN_NEXT)
        printf("%d\n", (int)value_as_int(out));
    if (status == GEN_RETURN)
        printf("returned %s\n", value_as_str(out));
    gen_free(g);
}
/* [drive] */

/* [average] */
static int average(void *arg, value *ret)
{
    intptr_t sum = 0, n = 0;
    value in, out = value_none();
    int err;
    (void)arg;
    while ((err = gen_yield(out, &in)) == 0) {
        sum += value_as_int(in);
        out = value_int(sum / ++n);
    }
    printf("average: cleaning up after %d numbers\n", (int)n); /* "finally" */
    *ret = value_int(n);
    return err == ERR_GENERATOR_EXIT ? 0 : err;
}
/* [average] */

/* [talk] */
static int talk_to_average(void)
{
    struct generator *g;
    value out;
    int status = gen_new_primed(average, NULL, &g);
    for (int i = 10; i <= 30 && status == GEN_NEXT; i += 10) {
        status = gen_send(g, value_int(i), &out);
        if (status == GEN_NEXT)
            printf("sent %d, average is %d\n", i, (int)value_as_int(out));
    }
    int error = gen_close(g, &out);
    if (!error)
        printf("closed, it returned %d\n", (int)value_as_int(out));
    gen_free(g);
    return error;
}
/* [talk] */

struct node {
    int key;
    const struct node *left, *right;
};

/* [tree] */
static int in_order(const struct node *t) /* an ordinary function, and it yields */
{
    int err = 0;
    if (t == NULL)
        return 0;
    if ((err = in_order(t->left)) == 0 && (err = gen_yield(value_int(t->key), NULL)) == 0)
        err = in_order(t->right);
    return err;
}

static int keys(void *arg, value *ret)
{
    (void)ret;
    return in_order(arg);
}
/* [tree] */

/* [delegate] */
static int two_countdowns(void *arg, value *ret)
{
    int err = 0;
    for (intptr_t n = 2; n > 0 && !err; n--) {
        struct generator *inner = gen_new(countdown, (void *)n);
        value word;
        (void)arg;
        if (inner == NULL)
            return -ENOMEM;
        err = gen_yield_from(inner, &word); /* our driver hears the numbers, we get the word */
        if (!err)
            printf("(%s)\n", value_as_str(word));
        gen_free(inner);
    }
    *ret = value_none();
    return err;
}
/* [delegate] */

/* Prints everything that a generator yields. */
static int print_all(struct generator *g)
{
    value out;
    int status = -ENOMEM;
    while (g != NULL && (status = gen_next(g, &out)) == GEN_NEXT)
        printf("%d\n", (int)value_as_int(out));
    gen_free(g);
    return status;
}

int main(void)
{
    struct machine m;
    value out;
    machine_init(&m, 3);
    while (machine_next(&m, &out) == GEN_NEXT)
        printf("machine: %d\n", (int)value_as_int(out));
    drive_countdown();
    struct node one = {1, NULL, NULL}, three = {3, NULL, NULL}, two = {2, &one, &three};
    int error = talk_to_average();
    if (!error)
        error = print_all(gen_new(keys, &two));
    if (!error)
        error = print_all(gen_new(two_countdowns, NULL));
    if (error)
        fprintf(stderr, "first_steps: %s\n", error_text(error));
    return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
