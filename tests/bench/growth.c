/*
 * How it grows: the same operations with a thousand, ten thousand, a hundred thousand and a million
 * of whatever there can be many of. Nanoseconds for one operation; the smallest of a few rounds, so
 * that what else the machine does shows least. What it costs more at a million is memory: the
 * caches and the pages' addresses no longer fit.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "combine.h"
#include "loop.h"
#include "task.h"

enum { LEAST = 1000, MOST = 1000000, ROUNDS = 5 };

static struct task_loop *loop;
static long left;

static void report(const char *what, long n, const double *rounds, int count)
{
    char name[64];
    double least = rounds[0];
    for (int i = 1; i < count; i++)
        least = rounds[i] < least ? rounds[i] : least;
    snprintf(name, sizeof name, "growth.%s.%ld", what, n);
    bench_figure(name, least, "ns");
}

static int answer(void *arg, value *ret)
{
    value v = value_none();
    int error = 0;
    (void)arg, (void)ret;
    while (!error)
        error = gen_yield(v, &v);
    return error == ERR_GENERATOR_EXIT ? 0 : error;
}

/* n generators, each sent to once, in turn; and what it takes to make one when n are alive. */
static void generators(long n)
{
    struct generator **all = malloc((size_t)n * sizeof(struct generator *));
    double send[ROUNDS], made;
    MUST(all != NULL);
    int64_t begin = bench_now();
    for (long i = 0; i < n; i++) {
        MUST(gen_new_sized(answer, NULL, "answer", 16384, &all[i]) == 0);
        MUST(gen_next(all[i], NULL) == GEN_NEXT);
    }
    made = (double)(bench_now() - begin) / (double)n;
    for (int round = 0; round < ROUNDS; round++) {
        begin = bench_now();
        for (long i = 0; i < n; i++)
            MUST(gen_send(all[i], value_int(i), NULL) == GEN_NEXT);
        send[round] = (double)(bench_now() - begin) / (double)n;
    }
    for (long i = 0; i < n; i++)
        gen_free(all[i]);
    free(all);
    report("send", n, send, ROUNDS);
    report("first-made", n, &made, 1);
}

static int count_down(void *arg)
{
    (void)arg;
    left--;
    return 0;
}

static void run_all(void)
{
    while (left > 0)
        MUST(loop_run_once(loop) >= 0);
}

static void callbacks(long n)
{
    double rounds[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        int64_t begin = bench_now();
        for (left = 0; left < n; left++)
            MUST(loop_call_soon(loop, count_down, NULL, NULL) == 0);
        run_all();
        rounds[round] = (double)(bench_now() - begin) / (double)n;
    }
    report("call_soon", n, rounds, ROUNDS);
}

/* Deadlines in random order, all of them past already. */
static void timers(long n)
{
    double rounds[ROUNDS];
    unsigned state = 12345;
    for (int round = 0; round < ROUNDS; round++) {
        double now = loop_time(loop);
        int64_t begin = bench_now();
        for (left = 0; left < n; left++) {
            state = state * 1664525U + 1013904223U;
            MUST(loop_call_at(loop, now - state * 1e-10, count_down, NULL, NULL) == 0);
        }
        run_all();
        rounds[round] = (double)(bench_now() - begin) / (double)n;
    }
    report("call_at", n, rounds, ROUNDS);
}

static int yielding(void *arg, value *ret)
{
    int error = 0;
    (void)arg, (void)ret;
    for (int i = 0; i < ROUNDS && !error; i++)
        error = task_yield();
    left--;
    return error;
}

static void tasks(long n)
{
    double rounds[ROUNDS];
    for (left = 0; left < n; left++)
        MUST(task_new_named(loop_dispatcher(loop), yielding, NULL, "yielding", 16384, NULL) == 0);
    MUST(loop_run_once(loop) >= 0); /* each has come to its first yield */
    for (int round = 0; round + 1 < ROUNDS; round++) {
        int64_t begin = bench_now();
        MUST(loop_run_once(loop) == n);
        rounds[round] = (double)(bench_now() - begin) / (double)n;
    }
    run_all();
    report("task_yield", n, rounds, ROUNDS - 1);
}

int main(void)
{
    bench_begin();
    loop = loop_new(clock_poller_new());
    MUST(loop != NULL);
    for (long n = LEAST; n <= MOST; n *= 10) {
        generators(n);
        callbacks(n);
        timers(n);
        tasks(n);
    }
    loop_free(loop);
    return 0;
}
