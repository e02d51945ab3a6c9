/*
 * Making something that can be suspended, running it to its end, and giving it back.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "generator.h"

static int answer(void *arg, value *ret)
{
    *ret = value_ptr(arg);
    return 0;
}

static int64_t ours(long n)
{
    value out = value_none();
    int64_t begin = bench_now();
    for (long i = 0; i < n; i++) {
        struct generator *g = gen_new(answer, NULL);
        if (g == NULL || gen_next(g, &out) != GEN_RETURN)
            MUST(!"no generator");
        gen_free(g);
    }
    BENCH_USE(out.as.pointer);
    return bench_now() - begin;
}

#ifdef HAVE_FCONTEXT
/* fcontext brings no pool: this is the smallest one, a list of free stacks. */
enum { STACK = 64 * 1024 };
typedef void *fcontext;
struct transfer {
    fcontext from;
    void *data;
};
struct transfer jump_fcontext(fcontext to, void *data);
fcontext make_fcontext(void *top, size_t size, void (*fn)(struct transfer));

struct pooled {
    struct pooled *next;
    void *(*fn)(void *);
    void *arg;
};
static struct pooled *pool;

static void *echo(void *arg)
{
    return arg;
}

static void run_to_end(struct transfer t)
{
    struct pooled *self = t.data;
    jump_fcontext(t.from, self->fn(self->arg));
}

static int64_t by_fcontext(long n)
{
    void *result = NULL;
    int64_t begin = bench_now();
    for (long i = 0; i < n; i++) {
        struct pooled *top = pool;
        pool = top->next;
        top->fn = echo;
        top->arg = &pool;
        result = jump_fcontext(make_fcontext(top, STACK - sizeof *top, run_to_end), top).data;
        top->next = pool;
        pool = top;
    }
    BENCH_USE(result);
    return bench_now() - begin;
}
#endif

static void remote(const char *name, const char *label, const char *command, const char *how)
{
    struct remote *r = command == NULL ? NULL : remote_open(command);
    if (r == NULL)
        bench_skip(name, how);
    else
        bench_compare(name, (struct side){"ours", ours, NULL, NULL, 0},
                      (struct side){label, NULL, r, "create", 0});
    remote_close(r);
}

int main(void)
{
    bench_begin();
#ifdef HAVE_FCONTEXT
    for (int i = 0; i < 16; i++) {
        char *stack = aligned_alloc(64, STACK);
        MUST(stack != NULL);
        struct pooled *top = (struct pooled *)(void *)(stack + STACK - sizeof *top - 8);
        top->next = pool;
        pool = top;
    }
    bench_compare("create/fcontext", (struct side){"ours", ours, NULL, NULL, 0},
                  (struct side){"fcontext", by_fcontext, NULL, NULL, 0});
#else
    bench_skip("create/fcontext", "apt install libboost-context-dev");
#endif
    remote("create/cpython", "cpython", getenv("BENCH_PYTHON"), "apt install python3");
    remote("create/go", "go", getenv("BENCH_GO"), "apt install golang-go");
    return 0;
}
