/*
 * call_soon: a callback that queues itself again and again, and a million of them at once. Each of
 * ours can be cancelled, and its memory is ours to find; libev's are fed to watchers that exist.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "loop.h"

enum { BATCH = 1000000 };

static struct task_loop *loop;
static long left, counted;

static int step(void *arg)
{
    (void)arg;
    struct handle handle;
    if (--left > 0)
        return loop_call_soon(loop, step, NULL, &handle);
    loop_stop(loop);
    return 0;
}

static int64_t chain(long n)
{
    struct handle handle;
    left = n;
    int64_t begin = bench_now();
    MUST(loop_call_soon(loop, step, NULL, &handle) == 0);
    MUST(loop_run_forever(loop) == 0);
    return bench_now() - begin;
}

static int count(void *arg)
{
    (void)arg;
    counted++;
    return 0;
}

static int64_t batch(long n)
{
    struct handle handle;
    int64_t begin = bench_now();
    for (long i = 0; i < n; i++) {
        for (long k = 0; k < BATCH; k++)
            if (loop_call_soon(loop, count, NULL, &handle) != 0)
                MUST(!"no memory for a callback");
        MUST(loop_run_once(loop) == BATCH);
    }
    return bench_now() - begin;
}

#ifdef HAVE_LIBEV
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <ev.h>
#pragma GCC diagnostic pop

static struct ev_loop *ev;
static ev_prepare ev_one, *ev_all;

static void ev_step(struct ev_loop *l, ev_prepare *w, int events)
{
    (void)events;
    if (--left > 0)
        ev_feed_event(l, w, 0);
}

static int64_t ev_chain(long n)
{
    left = n;
    int64_t begin = bench_now();
    ev_feed_event(ev, &ev_one, 0);
    ev_invoke_pending(ev);
    return bench_now() - begin;
}

static void ev_count(struct ev_loop *l, ev_prepare *w, int events)
{
    (void)l, (void)w, (void)events;
    counted++;
}

static int64_t ev_batch(long n)
{
    int64_t begin = bench_now();
    for (long i = 0; i < n; i++) {
        for (long k = 0; k < BATCH; k++) {
            ev_prepare_init(&ev_all[k], ev_count); /* we are told what to call each time, too */
            ev_all[k].data = NULL;
            ev_feed_event(ev, &ev_all[k], 0);
        }
        ev_invoke_pending(ev);
    }
    return bench_now() - begin;
}
#endif

#ifdef HAVE_LIBUV
#include <uv.h>
static uv_loop_t uv;
static uv_timer_t uv_one;

static void uv_step(uv_timer_t *t)
{
    if (--left > 0)
        uv_timer_start(t, uv_step, 0, 0);
}

static int64_t uv_chain(long n)
{
    left = n;
    int64_t begin = bench_now();
    uv_timer_start(&uv_one, uv_step, 0, 0);
    uv_run(&uv, UV_RUN_DEFAULT);
    return bench_now() - begin;
}
#endif

#ifdef HAVE_LIBEVENT
#include <event2/event.h> /* after ev.h, whose names it defines anew */
static struct event_base *event_loop;
static struct event *event_one;

static void event_step(evutil_socket_t fd, short events, void *arg)
{
    (void)fd, (void)events, (void)arg;
    if (--left > 0)
        event_active(event_one, EV_TIMEOUT, 0);
}

static int64_t event_chain(long n)
{
    left = n;
    int64_t begin = bench_now();
    event_active(event_one, EV_TIMEOUT, 0);
    event_base_loop(event_loop, 0); /* until nothing is active any more */
    return bench_now() - begin;
}
#endif

int main(void)
{
    bench_begin();
    loop = loop_new(clock_poller_new());
    MUST(loop != NULL);
    struct side ours = {"ours", chain, NULL, NULL, 0};
    struct side ours_batch = {"ours", batch, NULL, NULL, BATCH};
#ifdef HAVE_LIBEV
    ev = ev_loop_new(EVFLAG_AUTO);
    ev_all = malloc(BATCH * sizeof *ev_all);
    MUST(ev != NULL && ev_all != NULL);
    ev_prepare_init(&ev_one, ev_step);
    bench_compare("callbacks-chain/libev", ours, (struct side){"libev", ev_chain, NULL, NULL, 0});
    bench_compare("callbacks-batch/libev", ours_batch,
                  (struct side){"libev", ev_batch, NULL, NULL, BATCH});
#else
    bench_skip("callbacks-chain/libev", "apt install libev-dev");
    bench_skip("callbacks-batch/libev", "apt install libev-dev");
    bench_alone("callbacks-batch.ours", ours_batch);
#endif
#ifdef HAVE_LIBUV
    uv_loop_init(&uv);
    uv_timer_init(&uv, &uv_one);
    bench_compare("callbacks-chain/libuv", ours, (struct side){"libuv", uv_chain, NULL, NULL, 0});
#else
    bench_skip("callbacks-chain/libuv", "apt install libuv1-dev");
#endif
#ifdef HAVE_LIBEVENT
    MUST(strcmp(event_get_version(), LIBEVENT_VERSION) == 0); /* and not libev's imitation */
    event_loop = event_base_new();
    /* One that is not persistent would be taken out of the loop first, each time. */
    event_one = event_new(event_loop, -1, EV_PERSIST, event_step, NULL);
    MUST(event_loop != NULL && event_one != NULL);
    bench_compare("callbacks-chain/libevent", ours,
                  (struct side){"libevent", event_chain, NULL, NULL, 0});
#else
    bench_skip("callbacks-chain/libevent", "apt install libevent-dev");
#endif
    const char *python = getenv("BENCH_PYTHON"), *uvloop = getenv("BENCH_UVLOOP");
    struct remote *r = python == NULL ? NULL : remote_open(python);
    if (r != NULL)
        bench_compare("callbacks-chain/asyncio", ours,
                      (struct side){"asyncio", NULL, r, "chain", 0});
    else
        bench_skip("callbacks-chain/asyncio", "apt install python3");
    remote_close(r);
    r = uvloop == NULL ? NULL : remote_open(uvloop);
    if (r != NULL)
        bench_compare("callbacks-chain/uvloop", ours, (struct side){"uvloop", NULL, r, "chain", 0});
    else
        bench_skip("callbacks-chain/uvloop", "apt install python3-uvloop");
    remote_close(r);
    loop_free(loop);
    return 0;
}
