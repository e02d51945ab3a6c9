/*
 * A million timers with deadlines in random order: set them all, let the time pass, run them all.
 * The clock is the real one; every contestant's timers are due when its run begins.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "loop.h"

enum { MANY = 1000000, FEWER = 100000 };
static const double EARLIEST = 0.4, SPREAD = 0.1; /* seconds after the first was set */

struct pass {
    double add, run; /* nanoseconds each */
};

static long fired;
static uint32_t state = 12345;

static double uniform(void)
{
    state = state * 1664525U + 1013904223U;
    return (double)state / 4294967296.0;
}

static void wait_until(int64_t moment)
{
    while (bench_now() < moment)
        ;
}

static int64_t all_due(int64_t begin)
{
    return begin + (int64_t)((EARLIEST + SPREAD + 0.005) * 1e9);
}

static struct task_loop *loop;
static struct handle handles[MANY];

static int fire(void *arg)
{
    (void)arg;
    fired++;
    return 0;
}

static int64_t add_ours(long n)
{
    double base = loop_time(loop) + EARLIEST;
    int64_t begin = bench_now();
    for (long i = 0; i < n; i++)
        if (loop_call_at(loop, base + SPREAD * uniform(), fire, NULL, &handles[i]) != 0)
            MUST(!"no memory for a timer");
    return begin;
}

static struct pass ours(long n)
{
    struct pass pass;
    int64_t begin = add_ours(n);
    pass.add = (double)(bench_now() - begin) / (double)n;
    wait_until(all_due(begin));
    fired = 0;
    begin = bench_now();
    while (fired < n)
        MUST(loop_run_once(loop) >= 0);
    pass.run = (double)(bench_now() - begin) / (double)n;
    return pass;
}

static double cancel_ours(long n)
{
    add_ours(n);
    MUST(loop_call_soon(loop, fire, NULL, NULL) == 0);
    MUST(loop_run_once(loop) == 1); /* a turn, so that they are a heap and not only new */
    int64_t begin = bench_now();
    for (long i = 0; i < n; i++)
        if (!handle_cancel(handles[i]))
            MUST(!"a timer ran too early");
    return (double)(bench_now() - begin) / (double)n;
}

#ifdef HAVE_LIBEV
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wstrict-aliasing"
#include <ev.h>

static struct ev_loop *ev;
static ev_timer *ev_all;

static void ev_fire(struct ev_loop *l, ev_timer *w, int events)
{
    (void)l, (void)w, (void)events;
    fired++;
}

static struct pass by_libev(long n)
{
    struct pass pass;
    ev_now_update(ev);
    int64_t begin = bench_now();
    for (long i = 0; i < n; i++) {
        ev_timer_init(&ev_all[i], ev_fire, EARLIEST + SPREAD * uniform(), 0);
        ev_timer_start(ev, &ev_all[i]);
    }
    pass.add = (double)(bench_now() - begin) / (double)n;
    wait_until(all_due(begin));
    fired = 0;
    begin = bench_now();
    while (fired < n)
        ev_run(ev, EVRUN_NOWAIT);
    pass.run = (double)(bench_now() - begin) / (double)n;
    return pass;
}
#pragma GCC diagnostic pop
#endif

#ifdef HAVE_LIBUV
#include <uv.h>
static uv_loop_t uv;
static uv_timer_t *uv_all;

static void uv_fire(uv_timer_t *t)
{
    (void)t;
    fired++;
}

static struct pass by_libuv(long n)
{
    struct pass pass;
    uv_update_time(&uv);
    int64_t begin = bench_now();
    for (long i = 0; i < n; i++)
        uv_timer_start(&uv_all[i], uv_fire, (uint64_t)(1000 * (EARLIEST + SPREAD * uniform())), 0);
    pass.add = (double)(bench_now() - begin) / (double)n;
    wait_until(all_due(begin));
    fired = 0;
    begin = bench_now();
    while (fired < n)
        uv_run(&uv, UV_RUN_NOWAIT);
    pass.run = (double)(bench_now() - begin) / (double)n;
    return pass;
}
#endif

#ifdef HAVE_LIBEVENT
#include <event2/event.h> /* after ev.h, whose names it defines anew */
#include <event2/event_struct.h>
static struct event_base *event_loop;
static struct event *event_all;

static void event_fire(evutil_socket_t fd, short events, void *arg)
{
    (void)fd, (void)events, (void)arg;
    fired++;
}

static struct pass by_libevent(long n)
{
    struct pass pass;
    int64_t begin = bench_now();
    for (long i = 0; i < n; i++) {
        long after = (long)(1000000 * (EARLIEST + SPREAD * uniform()));
        event_add(&event_all[i], &(struct timeval){0, after});
    }
    pass.add = (double)(bench_now() - begin) / (double)n;
    wait_until(all_due(begin));
    fired = 0;
    begin = bench_now();
    while (fired < n)
        event_base_loop(event_loop, EVLOOP_NONBLOCK);
    pass.run = (double)(bench_now() - begin) / (double)n;
    return pass;
}
#endif

static struct remote *asyncio;

static struct pass by_asyncio(long n)
{
    struct pass pass = {0, 0};
    struct side side = {"asyncio", NULL, asyncio, "timer-run", 0};
    pass.run = bench_once(side, n);
    return pass;
}

static void compare(const char *name, struct pass (*theirs)(long n), long n, int pairs, bool add)
{
    double a[BENCH_PAIRS], b[BENCH_PAIRS], c[BENCH_PAIRS], d[BENCH_PAIRS];
    char text[64];
    ours(n), theirs(n);
    for (int i = 0; i < pairs; i++) {
        struct pass us, them;
        if (i % 2 != 0)
            them = theirs(n);
        us = ours(n);
        if (i % 2 == 0)
            them = theirs(n);
        a[i] = us.add, b[i] = them.add, c[i] = us.run, d[i] = them.run;
    }
    if (add) {
        snprintf(text, sizeof text, "timer-add/%s", name);
        bench_report(text, "ours", a, name, b, pairs);
    }
    snprintf(text, sizeof text, "timer-run/%s", name);
    bench_report(text, "ours", c, name, d, pairs);
}

int main(void)
{
    bench_begin();
    loop = loop_new(clock_poller_new());
    MUST(loop != NULL);
    int pairs = bench_quick() ? 9 : 15;
#ifdef HAVE_LIBEV
    ev = ev_loop_new(EVFLAG_AUTO);
    ev_all = calloc(MANY, sizeof *ev_all);
    MUST(ev != NULL && ev_all != NULL);
    compare("libev", by_libev, MANY, pairs, true);
#else
    bench_skip("timer-add/libev", "apt install libev-dev");
    bench_skip("timer-run/libev", "apt install libev-dev");
#endif
#ifdef HAVE_LIBUV
    uv_loop_init(&uv);
    uv_all = calloc(MANY, sizeof *uv_all);
    MUST(uv_all != NULL);
    for (long i = 0; i < MANY; i++)
        uv_timer_init(&uv, &uv_all[i]);
    compare("libuv", by_libuv, MANY, bench_quick() ? 3 : pairs, false);
#else
    bench_skip("timer-run/libuv", "apt install libuv1-dev");
#endif
#ifdef HAVE_LIBEVENT
    MUST(strcmp(event_get_version(), LIBEVENT_VERSION) == 0); /* and not libev's imitation */
    event_loop = event_base_new();
    event_all = calloc(MANY, sizeof *event_all);
    MUST(event_loop != NULL && event_all != NULL);
    for (long i = 0; i < MANY; i++)
        MUST(evtimer_assign(&event_all[i], event_loop, event_fire, NULL) == 0);
    compare("libevent", by_libevent, MANY, bench_quick() ? 1 : pairs, true);
#else
    bench_skip("timer-add/libevent", "apt install libevent-dev");
    bench_skip("timer-run/libevent", "apt install libevent-dev");
#endif
    const char *python = getenv("BENCH_PYTHON");
    asyncio = python == NULL ? NULL : remote_open(python);
    if (asyncio != NULL)
        compare("asyncio", by_asyncio, FEWER, pairs, false);
    else
        bench_skip("timer-run/asyncio", "apt install python3");
    remote_close(asyncio);
    double cancel[3], run[3];
    for (int i = 0; i < 3; i++) {
        cancel[i] = cancel_ours(MANY);
        run[i] = ours(MANY).run;
    }
    bench_report("timer-cancel/timer-run", "cancel", cancel, "run", run, 3);
    loop_free(loop);
    return 0;
}
