/*
 * Stacks as the owner of a generator feels them: how much fits, and what happens to him who wants
 * more.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "generator.h"
#include "harness.h"
#include "resume.h"

static volatile int forever = 1;

__attribute__((noinline)) static int digs(int depth)
{
    volatile char frame[256];
    memset((void *)(uintptr_t)frame, depth, sizeof frame);
    int below = forever ? digs(depth + 1) : 0;
    return below + frame[depth & 127];
}

static int deep(void *arg, value *ret)
{
    (void)arg, (void)ret;
    return digs(0) < 0 ? -1 : 0;
}

static void runs_deep(void *arg)
{
    size_t size = *(size_t *)arg;
    struct generator *g;
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    int error = gen_new_sized(deep, NULL, "deep", size, &g);
    if (!error)
        error = gen_next(g, NULL);
    (void)error;
}

static void an_overflow_is_reported_by_name(void)
{
    static const struct {
        size_t size;
        const char *text;
    } stacks[] = {{16 << 10, "fatal: generator 'deep' overflowed its 16 KiB stack"},
                  {64 << 10, "fatal: generator 'deep' overflowed its 64 KiB stack"},
                  {1 << 20, "fatal: generator 'deep' overflowed its 1024 KiB stack"}};
    if (harness_is_slow())
        skip("sanitizers and valgrind report an overflow in their own way");
    for (size_t i = 0; i < sizeof stacks / sizeof *stacks; i++) {
        size_t size = stacks[i].size;
        step("a body without end in a stack of %zu bytes", size);
        expect_death(SIGSEGV, stacks[i].text, runs_deep, &size);
    }
}

static void *runs_deep_in_a_thread(void *arg)
{
    runs_deep(arg);
    return NULL;
}

static void starts_a_thread_that_runs_deep(void *arg)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, runs_deep_in_a_thread, arg) == 0)
        pthread_join(thread, NULL);
}

static void an_overflow_is_reported_in_any_thread(void)
{
    size_t size = 64 << 10;
    if (harness_is_slow())
        skip("sanitizers and valgrind report an overflow in their own way");
    step("a body without end, in another thread");
    expect_death(SIGSEGV, "fatal: generator 'deep' overflowed its 64 KiB stack",
                 starts_a_thread_that_runs_deep, &size);
}

/* A frame larger than a page must not jump over the guard into the neighbour. */
static int takes_a_large_frame(void *arg, value *ret)
{
    size_t size = *(size_t *)arg;
    volatile char *frame = __builtin_alloca(size);
    (void)ret;
    frame[0] = 1;
    return frame[0] == 1 ? gen_yield(value_int(1), NULL) : -1;
}

static void runs_a_large_frame(void *arg)
{
    struct generator *g, *neighbour;
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    neighbour = gen_new(takes_a_large_frame, arg);
    g = gen_new(takes_a_large_frame, arg);
    int status = gen_next(g, NULL);
    gen_free(neighbour);
    (void)status;
}

static void a_large_frame_does_not_jump_over_the_guard(void)
{
    size_t size = 60 << 10;
    if (harness_is_slow())
        skip("sanitizers and valgrind report an overflow in their own way");
    step("a frame of 60 KiB in a stack of 64 KiB, guard included");
    expect_death(SIGSEGV, NULL, runs_a_large_frame, &size);
}

static void crashes(void *arg)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    struct generator *g = gen_new(takes_a_large_frame, NULL);
    (void)arg;
    *(volatile int *)(uintptr_t)(forever * 16) = 1;
    gen_free(g);
}

static void another_crash_stays_what_it_is(void)
{
    if (harness_is_slow())
        skip("sanitizers and valgrind report a crash in their own way");
    step("a write to address 16, outside any generator");
    expect_death(SIGSEGV, NULL, crashes, NULL);
}

static int fills(void *arg, value *ret)
{
    unsigned char mine[2048];
    int mark = *(int *)arg, error = 0;
    (void)ret;
    memset(mine, mark, sizeof mine);
    for (int round = 0; round < 3 && !error; round++) {
        error = gen_yield(value_int(mark), NULL);
        for (size_t i = 0; i < sizeof mine; i++)
            if (mine[i] != (unsigned char)mark)
                return -EIO;
    }
    return error;
}

static void no_stack_touches_another(void)
{
    enum { MANY = 200 };
    static int marks[MANY];
    struct generator *g[MANY];
    step("%d generators of all sizes fill 2 KiB each, in turns", MANY);
    for (int i = 0; i < MANY; i++) {
        marks[i] = i;
        expect_ok(gen_new_sized(fills, &marks[i], "fills", (size_t)(16 << 10) << (i % 4), &g[i]));
    }
    for (int round = 0; round < 4; round++)
        for (int i = 0; i < MANY; i++) {
            value out;
            int status = gen_next(g[i], &out);
            if (round < 3)
                expect_yields(status, out, value_int(i));
            else
                expect_returns(status, out, value_none());
        }
    for (int i = 0; i < MANY; i++)
        gen_free(g[i]);
}

static void *makes_and_frees_many(void *arg)
{
    static int mark = 7;
    (void)arg;
    for (int i = 0; i < 500; i++) {
        struct generator *g = gen_new(fills, &mark);
        value out;
        int status = g == NULL ? -ENOMEM : gen_next(g, &out);
        if (status != GEN_NEXT)
            expect_int(status, GEN_NEXT);
        while (gen_next(g, NULL) == GEN_NEXT)
            continue;
        gen_free(g);
    }
    return NULL;
}

static void each_thread_has_its_own_pool(void)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    int n = 0;
    step("%d threads make and free 500 generators each, three times over", THREADS);
    for (int round = 0; round < 3; round++) {
        for (n = 0; n < THREADS; n++)
            if (pthread_create(&threads[n], NULL, makes_and_frees_many, NULL) != 0)
                break;
        for (int i = 0; i < n; i++)
            pthread_join(threads[i], NULL);
    }
    expect_int(n, THREADS);
}

static const struct check checks[] = {
    SLOW_CHECK(an_overflow_is_reported_by_name, "", NULL, "1.3", 10),
    SLOW_CHECK(an_overflow_is_reported_in_any_thread, "", NULL, "1.3", 10),
    CHECK(a_large_frame_does_not_jump_over_the_guard, "", NULL, "1.3"),
    CHECK(another_crash_stays_what_it_is, "", NULL, ""),
    CHECK(no_stack_touches_another, "", NULL, "1.2 1.3 1.4"),
    CHECK(each_thread_has_its_own_pool, "", NULL, "1.2 1.3 1.4"),
};
SUITE(stack, 1, checks)
