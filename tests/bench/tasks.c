/*
 * Two tasks that hand a value to and fro through futures; a task that spawns another one and awaits
 * it; and a gather over a thousand that are done. State Threads are a library, too, so theirs are
 * in this process.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "combine.h"
#include "loop.h"
#include "task.h"

enum { CHILDREN = 1000 };

static struct task_loop *loop;
static struct dispatcher *d;
static struct future *box[2];
static long rounds;

/* Waits for the ball, puts a new box in the place of the old one, and throws the ball back. */
static int player(void *arg, value *ret)
{
    struct future **mine = arg, **other = mine == box ? box + 1 : box;
    (void)ret;
    for (long i = 0; i < rounds; i++) {
        value ball;
        int error = task_await(*mine, &ball);
        if (error)
            return error;
        future_unref(*mine);
        *mine = future_new(d);
        if (*mine == NULL)
            return -12;
        error = future_set_result(*other, ball);
        if (error)
            return error;
    }
    return 0;
}

static int64_t run_both(struct task *a, struct task *b)
{
    int64_t begin = bench_now();
    MUST(loop_run_until_complete(loop, task_future(a), NULL) == 0);
    MUST(loop_run_until_complete(loop, task_future(b), NULL) == 0);
    int64_t ns = bench_now() - begin;
    task_unref(a);
    task_unref(b);
    return ns;
}

static int64_t pingpong(long n)
{
    struct task *a, *b;
    rounds = n;
    for (int i = 0; i < 2; i++)
        MUST((box[i] = future_new(d)) != NULL);
    MUST(future_set_result(box[0], value_int(1)) == 0);
    MUST(task_new(d, player, box, &a) == 0);
    MUST(task_new(d, player, box + 1, &b) == 0);
    int64_t ns = run_both(a, b);
    future_unref(box[0]);
    future_unref(box[1]);
    return ns;
}

static int child(void *arg, value *ret)
{
    *ret = value_ptr(arg);
    return 0;
}

static int parent(void *arg, value *ret)
{
    (void)arg, (void)ret;
    for (long i = 0; i < rounds; i++) {
        struct task *task;
        int error = task_spawn(child, NULL, &task);
        if (error)
            return error;
        error = task_await(task_future(task), NULL);
        task_unref(task);
        if (error)
            return error;
    }
    return 0;
}

static int64_t spawn(long n)
{
    struct task *task;
    rounds = n;
    MUST(task_new(d, parent, NULL, &task) == 0);
    int64_t begin = bench_now();
    MUST(loop_run_until_complete(loop, task_future(task), NULL) == 0);
    int64_t ns = bench_now() - begin;
    task_unref(task);
    return ns;
}

static int64_t gather_ready(long n)
{
    static struct future *ready[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        MUST((ready[i] = future_new(d)) != NULL);
        MUST(future_set_result(ready[i], value_int(i)) == 0);
    }
    int64_t begin = bench_now();
    for (long i = 0; i < n; i++) {
        struct future *all;
        MUST(gather(d, ready, CHILDREN, GATHER_FIRST_ERROR, &all) == 0);
        MUST(loop_run_until_complete(loop, all, NULL) == 0);
        future_unref(all);
    }
    int64_t ns = bench_now() - begin;
    for (int i = 0; i < CHILDREN; i++)
        future_unref(ready[i]);
    return ns;
}

#ifdef HAVE_ST
#include <st.h>
static struct hand {
    st_cond_t filled;
    bool full;
    long ball;
} hand[2];

/* The same game without futures: a variable, and a condition for who waits for it. */
static void *st_player(void *arg)
{
    struct hand *mine = arg, *other = mine == hand ? hand + 1 : hand;
    for (long i = 0; i < rounds; i++) {
        while (!mine->full)
            st_cond_wait(mine->filled);
        mine->full = false;
        other->ball = mine->ball;
        other->full = true;
        st_cond_signal(other->filled);
    }
    return NULL;
}

static int64_t st_pingpong(long n)
{
    st_thread_t player[2];
    rounds = n;
    for (int i = 0; i < 2; i++)
        MUST((player[i] = st_thread_create(st_player, &hand[i], 1, 0)) != NULL);
    int64_t begin = bench_now();
    for (int i = 0; i < 2; i++)
        MUST(st_thread_join(player[i], NULL) == 0);
    return bench_now() - begin;
}

static void *st_child(void *arg)
{
    return arg;
}

/* Called from the thread that called st_init(): to the library it is one like the others. */
static int64_t st_spawn(long n)
{
    int64_t begin = bench_now();
    for (long i = 0; i < n; i++) {
        st_thread_t thread = st_thread_create(st_child, NULL, 1, 0);
        if (thread == NULL || st_thread_join(thread, NULL) != 0)
            MUST(!"no thread of State Threads");
    }
    return bench_now() - begin;
}
#endif

static void remote(const char *what, const char *label, const char *variable, const char *how,
                   int64_t (*ours)(long n))
{
    char name[64];
    const char *command = getenv(variable);
    struct remote *r = command == NULL ? NULL : remote_open(command);
    snprintf(name, sizeof name, "%s/%s", what, label);
    if (r == NULL)
        bench_skip(name, how);
    else
        bench_compare(name, (struct side){"ours", ours, NULL, NULL, 0},
                      (struct side){label, NULL, r, what, 0});
    remote_close(r);
}

int main(void)
{
    bench_begin();
    loop = loop_new(clock_poller_new());
    MUST(loop != NULL);
    d = loop_dispatcher(loop);
    remote("pingpong", "go", "BENCH_GO", "apt install golang-go", pingpong);
    remote("pingpong", "asyncio", "BENCH_PYTHON", "apt install python3", pingpong);
    remote("pingpong", "uvloop", "BENCH_UVLOOP", "apt install python3-uvloop", pingpong);
    remote("spawn", "go", "BENCH_GO", "apt install golang-go", spawn);
    remote("spawn", "asyncio", "BENCH_PYTHON", "apt install python3", spawn);
    remote("spawn", "uvloop", "BENCH_UVLOOP", "apt install python3-uvloop", spawn);
#ifdef HAVE_ST
    MUST(st_init() == 0);
    for (int i = 0; i < 2; i++)
        MUST((hand[i].filled = st_cond_new()) != NULL);
    hand[0].full = true; /* and so it is again after each game */
    bench_compare("pingpong/st", (struct side){"ours", pingpong, NULL, NULL, 0},
                  (struct side){"st", st_pingpong, NULL, NULL, 0});
    bench_compare("spawn/st", (struct side){"ours", spawn, NULL, NULL, 0},
                  (struct side){"st", st_spawn, NULL, NULL, 0});
#else
    bench_skip("pingpong/st", "apt install libst-dev");
    bench_skip("spawn/st", "apt install libst-dev");
#endif
    bench_alone("gather-1000.ours", (struct side){"ours", gather_ready, NULL, NULL, 0});
    loop_free(loop);
    return 0;
}
