/*
 * One resume and one yield: ours, complete with checks and values, against bare switches and
 * against other languages' generators.
 */
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#include "bench.h"
#include "generator.h"

enum { MANY = 1000, CHAIN = 512, STACK = 64 * 1024 };

/* --- ours --- */

static int sum(void *arg, value *ret)
{
    intptr_t total = 0;
    (void)arg, (void)ret;
    for (;;) {
        value in;
        int error = gen_yield(value_int(total), &in);
        if (error)
            return error;
        total += in.as.integer;
    }
}

/* Delegates to a chain that is `depth` generators long. */
static int chain(void *arg, value *ret)
{
    intptr_t depth = (intptr_t)arg;
    if (depth == 0)
        return sum(NULL, ret);
    struct generator *inner = gen_new(chain, (void *)(depth - 1)); /* NOLINT */
    int error = gen_yield_from(inner, ret);
    gen_free(inner);
    return error;
}

static struct generator *one, *many[MANY], *shallow, *deep;

static struct generator *start(gen_fn *fn, intptr_t arg)
{
    struct generator *g = gen_new(fn, (void *)arg); /* NOLINT */
    MUST(g != NULL && gen_next(g, NULL) == GEN_NEXT);
    return g;
}

static int64_t send_to(struct generator *g, long n)
{
    value out = value_none();
    int64_t begin = bench_now();
    for (long i = 0; i < n; i++)
        if (gen_send(g, value_int(i), &out) != GEN_NEXT)
            MUST(!"a generator ended");
    BENCH_USE(out.as.integer);
    return bench_now() - begin;
}

static int64_t ours(long n)
{
    return send_to(one, n);
}

static int64_t ours_many(long n)
{
    value out = value_none();
    int64_t begin = bench_now();
    for (long i = 0; i < n; i += MANY)
        for (int j = 0; j < MANY; j++)
            if (gen_send(many[j], value_int(i), &out) != GEN_NEXT)
                MUST(!"a generator ended");
    BENCH_USE(out.as.integer);
    int64_t ns = bench_now() - begin;
    return n % MANY == 0 ? ns : ns * n / (n + MANY - n % MANY);
}

static int64_t depth_1(long n)
{
    return send_to(shallow, n);
}

static int64_t depth_512(long n)
{
    return send_to(deep, n);
}

/* --- a call --- */

static value add(value in)
{
    static intptr_t total;
    total += in.as.integer;
    return value_int(total);
}

static value (*volatile called)(value) = add;

static int64_t call(long n)
{
    int64_t begin = bench_now();
    for (long i = 0; i < n; i++)
        BENCH_USE(called(value_int(i)).as.integer);
    return bench_now() - begin;
}

/* --- ucontext --- */

static ucontext_t outside, inside;

static void swap_back(void)
{
    for (;;)
        swapcontext(&inside, &outside);
}

static int64_t by_ucontext(long n)
{
    int64_t begin = bench_now();
    for (long i = 0; i < n; i++)
        swapcontext(&outside, &inside);
    return bench_now() - begin;
}

/* --- Boost.Context: what its own C++ is built on, called from C --- */

#ifdef HAVE_FCONTEXT
typedef void *fcontext;
struct transfer {
    fcontext from;
    void *data;
};
struct transfer jump_fcontext(fcontext to, void *data);
fcontext make_fcontext(void *top, size_t size, void (*fn)(struct transfer));

static fcontext f_one, f_many[MANY];

static void jump_back(struct transfer t)
{
    for (;;)
        t = jump_fcontext(t.from, t.data);
}

static fcontext f_new(size_t offset)
{
    char *stack = malloc(STACK);
    MUST(stack != NULL);
    return make_fcontext(stack + STACK - offset, STACK - offset, jump_back);
}

static int64_t by_fcontext(long n)
{
    int64_t begin = bench_now();
    for (long i = 0; i < n; i++)
        f_one = jump_fcontext(f_one, &f_one).from;
    return bench_now() - begin;
}

/*
 * In some runs it takes the double all along, with nothing else changed (seen; the cause is
 * unknown). So it may try some stacks, and the best of them is what we compare with.
 */
static fcontext f_best(void)
{
    enum { PLACES = 16, TRIES = 100000 };
    fcontext best = NULL;
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < PLACES; i++) {
        f_one = f_new(i * 272);
        by_fcontext(TRIES);
        int64_t ns = by_fcontext(TRIES), again = by_fcontext(TRIES);
        ns = ns < again ? ns : again;
        if (ns < least) {
            least = ns;
            best = f_one;
        }
    }
    return best;
}

static int64_t by_fcontext_many(long n)
{
    int64_t begin = bench_now();
    for (long i = 0; i < n; i += MANY)
        for (int j = 0; j < MANY; j++)
            f_many[j] = jump_fcontext(f_many[j], &f_one).from;
    int64_t ns = bench_now() - begin;
    return n % MANY == 0 ? ns : ns * n / (n + MANY - n % MANY);
}
#endif

static void remote(const char *name, const char *label, const char *command, const char *how)
{
    struct remote *r = command == NULL ? NULL : remote_open(command);
    if (r == NULL)
        bench_skip(name, how);
    else
        bench_compare(name, (struct side){"ours", ours, NULL, NULL, 0},
                      (struct side){label, NULL, r, "switch", 0});
    remote_close(r);
}

int main(void)
{
    bench_begin();
    one = start(sum, 0);
#ifdef WITHOUT_LTO
    bench_alone("switch.without-lto", (struct side){"ours without LTO", ours, NULL, NULL, 0});
    return 0;
#endif
    for (int i = 0; i < MANY; i++)
        many[i] = start(sum, 0);
    shallow = start(chain, 1);
    deep = start(chain, CHAIN);
    struct side us = {"ours", ours, NULL, NULL, 0}, us_many = {"ours", ours_many, NULL, NULL, 0};
#ifdef HAVE_FCONTEXT
    f_one = f_best();
    for (int i = 0; i < MANY; i++)
        f_many[i] = f_new(0);
    bench_compare("switch/fcontext", us, (struct side){"fcontext", by_fcontext, NULL, NULL, 0});
#else
    bench_skip("switch/fcontext", "apt install libboost-context-dev");
#endif
    MUST(getcontext(&inside) == 0);
    inside.uc_stack.ss_sp = malloc(STACK);
    inside.uc_stack.ss_size = STACK;
    makecontext(&inside, swap_back, 0);
    bench_compare("switch/ucontext", us, (struct side){"ucontext", by_ucontext, NULL, NULL, 0});
    remote("switch/cpython-send", "cpython-send", getenv("BENCH_PYTHON"), "apt install python3");
    remote("switch/luajit", "luajit", getenv("BENCH_LUAJIT"), "apt install luajit");
    bench_compare("switch/call", us, (struct side){"call", call, NULL, NULL, 0});
#ifdef HAVE_FCONTEXT
    bench_compare("switch-1000/fcontext", us_many,
                  (struct side){"fcontext", by_fcontext_many, NULL, NULL, 0});
#else
    bench_alone("switch-1000.ours", us_many);
    bench_skip("switch-1000/fcontext", "apt install libboost-context-dev");
#endif
    bench_compare("yield-from-depth512/depth1", (struct side){"depth512", depth_512, NULL, NULL, 0},
                  (struct side){"depth1", depth_1, NULL, NULL, 0});
    return 0;
}
