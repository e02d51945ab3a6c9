/*
 * The kernel: numbers, traps, the trampoline, killing and waiting. No fixture: a kernel needs no
 * dispatcher. What tasks do is recorded; reports are recorded too, by note_end().
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"
#include "kernel.h"

static void note_end(int tid, int error, void *arg)
{
    (void)arg;
    if (error)
        record("%d ended: %s", tid, error_name(error));
    else
        record("%d ended", tid);
}

static struct kernel *new_kernel(void)
{
    struct kernel *k = kernel_new();
    expect_true("kernel_new() made a kernel", k != NULL);
    kernel_set_report(k, note_end, NULL);
    return k;
}

/* What many of the bodies here are given. */
struct script {
    const char *name;
    int times;
    int tid; /* of somebody else */
};

static int body_loops(void *arg, value *ret)
{
    const struct script *s = arg;
    int error = 0;
    (void)ret;
    for (int i = 0; i < s->times && !error; i++) {
        record("%s", s->name);
        error = gen_yield(value_none(), NULL);
    }
    return error;
}

enum { PATIENCE = 20 }; /* turns after which somebody who should be killed goes on without it */

static int body_ends_at_once(void *arg, value *ret)
{
    (void)arg, (void)ret;
    record("ran");
    return 0;
}

/* Waits for ever, in a system call that nobody answers; says when it is told to end. */
struct lost_call {
    struct syscall call;
    struct kernel *kernel;
    struct kernel_task *task;
};

static void handle_lost(struct syscall *call, struct kernel *kernel, struct kernel_task *task)
{
    struct lost_call *lost = (struct lost_call *)(void *)call;
    lost->kernel = kernel;
    lost->task = task;
}

static void cancel_lost(struct syscall *call)
{
    (void)call;
    record("the call was cancelled");
}

static int wait_for_ever(void)
{
    struct lost_call lost = {{handle_lost, cancel_lost}, NULL, NULL};
    return gen_yield(value_syscall(&lost.call), NULL);
}

static int body_waits_for_ever(void *arg, value *ret)
{
    (void)ret;
    int error = wait_for_ever();
    record("%s: %s", arg == NULL ? "told" : (const char *)arg, error ? error_name(error) : "0");
    return error;
}

/* --- misuse ------------------------------------------------------------------------------- */

static void a_task_needs_a_body(void)
{
    struct kernel *k = new_kernel();
    step("kernel_spawn(k, NULL, NULL)");
    expect_error(kernel_spawn(k, NULL, NULL), ERR_VALUE);
    expect_int(kernel_tasks(k), 0);
    step("kernel_run(k) without a task");
    expect_ok(kernel_run(k));
    step("kernel_free(NULL) does nothing");
    kernel_free(NULL);
    kernel_free(k);
}

static struct kernel *shared_kernel;

static int body_runs_the_kernel(void *arg, value *ret)
{
    (void)arg, (void)ret;
    record("%s", error_name(kernel_run(shared_kernel)));
    return 0;
}

static void a_running_kernel_is_busy(void)
{
    struct kernel *k = shared_kernel = new_kernel();
    expect_int(kernel_spawn(k, body_runs_the_kernel, NULL), 1);
    step("kernel_run(k), whose task calls kernel_run(k)");
    expect_ok(kernel_run(k));
    expect_trace("ERR_BUSY", "1 ended");
    kernel_free(k);
}

static int body_frees_the_kernel(void *arg, value *ret)
{
    (void)arg, (void)ret;
    kernel_free(shared_kernel);
    return 0;
}

static void free_while_running(void *arg)
{
    (void)arg;
    shared_kernel = kernel_new();
    if (shared_kernel != NULL && kernel_spawn(shared_kernel, body_frees_the_kernel, NULL) > 0)
        exit(kernel_run(shared_kernel));
}

static void a_running_kernel_cannot_be_freed(void)
{
    step("kernel_free(k) inside a task of k");
    expect_death(SIGABRT, "kernel_free()", free_while_running, NULL);
}

static void handle_twice(struct syscall *call, struct kernel *kernel, struct kernel_task *task)
{
    (void)call;
    kernel_schedule(kernel, task, value_none());
    kernel_schedule(kernel, task, value_none());
}

static int body_is_scheduled_twice(void *arg, value *ret)
{
    struct syscall call = {handle_twice, NULL};
    (void)arg, (void)ret;
    return gen_yield(value_syscall(&call), NULL);
}

static void schedule_twice(void *arg)
{
    struct kernel *k = kernel_new();
    (void)arg;
    if (k != NULL && kernel_spawn(k, body_is_scheduled_twice, NULL) > 0)
        exit(kernel_run(k));
}

static void a_task_cannot_be_scheduled_twice(void)
{
    step("kernel_schedule(kernel, task, None), twice for one system call");
    expect_death(SIGABRT, "kernel_schedule() of task 1", schedule_twice, NULL);
}

static void call_outside(void *arg)
{
    (void)arg;
    exit(sys_gettid());
}

static void a_system_call_outside_a_generator_aborts(void)
{
    step("sys_gettid() outside a generator");
    expect_death(SIGABRT, "outside a generator", call_outside, NULL);
}

static int body_asks_a_stranger(void *arg, value *ret)
{
    (void)arg;
    *ret = value_int(sys_gettid());
    return 0;
}

static void a_system_call_goes_to_whoever_drives_the_generator(void)
{
    struct generator *g = gen_new(body_asks_a_stranger, NULL);
    value out;
    char text[32];
    step("gen_next(g), whose body calls sys_gettid()");
    expect_int(gen_next(g, &out), GEN_NEXT);
    value_format(out, text, sizeof text);
    expect_str(text, "<system call>");
    step("gen_send(g, 7)");
    expect_returns(gen_send(g, value_int(7), &out), out, value_int(7));
    gen_free(g);
}

static void a_subroutine_is_printed_by_its_name(void)
{
    struct generator *g = gen_new(body_ends_at_once, NULL);
    char text[64];
    value_format(value_generator(g), text, sizeof text);
    expect_str(text, "<generator body_ends_at_once>");
    gen_free(g);
}

/* --- turns -------------------------------------------------------------------------------- */

static void numbers_begin_at_1_in_each_kernel_and_nothing_runs_yet(void)
{
    struct kernel *k = new_kernel(), *other = new_kernel();
    step("kernel_spawn(k, …), three times");
    expect_int(kernel_spawn(k, body_ends_at_once, NULL), 1);
    expect_int(kernel_spawn(k, body_ends_at_once, NULL), 2);
    expect_int(kernel_spawn(k, body_ends_at_once, NULL), 3);
    step("kernel_spawn() in another kernel");
    expect_int(kernel_spawn(other, body_ends_at_once, NULL), 1);
    expect_no_trace();
    expect_int(kernel_tasks(k), 3);
    step("kernel_run(k)");
    expect_ok(kernel_run(k));
    expect_trace("ran", "1 ended", "ran", "2 ended", "ran", "3 ended");
    expect_int(kernel_tasks(k), 0);
    step("kernel_spawn(k, …): numbers are not used again");
    expect_int(kernel_spawn(k, body_ends_at_once, NULL), 4);
    expect_ok(kernel_run(k));
    expect_ok(kernel_run(other));
    expect_trace("ran", "4 ended", "ran", "1 ended");
    kernel_free(k);
    kernel_free(other);
}

static void tasks_take_turns_and_each_end_is_reported(void)
{
    struct kernel *k = new_kernel();
    struct script foo = {"foo", 3, 0}, bar = {"bar", 1, 0};
    expect_int(kernel_spawn(k, body_loops, &foo), 1);
    expect_int(kernel_spawn(k, body_loops, &bar), 2);
    step("kernel_run(k): foo yields 3 times, bar once");
    expect_ok(kernel_run(k));
    expect_trace("foo", "bar", "foo", "2 ended", "foo", "1 ended");
    kernel_free(k);
}

static int body_yields_plain_values(void *arg, value *ret)
{
    value in = value_int(1);
    char text[32];
    (void)arg, (void)ret;
    int tid = sys_gettid();
    record("tid %d", tid);
    int error = gen_yield(value_int(5), &in);
    value_format(in, text, sizeof text);
    record("5 gave %s", text);
    in = value_int(1);
    error = error ? error : gen_yield(value_none(), &in);
    value_format(in, text, sizeof text);
    record("a bare yield gave %s", text);
    return error;
}

static void an_answer_is_handed_in_once(void)
{
    struct kernel *k = new_kernel();
    struct script other = {"other", 3, 0};
    expect_int(kernel_spawn(k, body_yields_plain_values, NULL), 1);
    expect_int(kernel_spawn(k, body_loops, &other), 2);
    step("sys_gettid(), then a yield of 5, then a bare yield");
    expect_ok(kernel_run(k));
    expect_trace("other", "tid 1", "other", "5 gave None", "other", "a bare yield gave None",
                 "1 ended", "2 ended");
    kernel_free(k);
}

static int body_fails(void *arg, value *ret)
{
    (void)arg;
    *ret = value_int(3);
    return sys_yield() ? 0 : -EIO;
}

static void an_error_ends_one_task_and_not_the_kernel(void)
{
    struct kernel *k = new_kernel();
    struct script other = {"other", 2, 0};
    expect_int(kernel_spawn(k, body_fails, NULL), 1);
    expect_int(kernel_spawn(k, body_loops, &other), 2);
    step("kernel_run(k), where task 1 raises EIO");
    expect_ok(kernel_run(k));
    expect_trace("other", "1 ended: EIO", "other", "2 ended");
    kernel_free(k);
}

static int body_asks_in_a_row(void *arg, value *ret)
{
    (void)arg, (void)ret;
    for (int i = 0; i < 2; i++) {
        int tid = sys_gettid();
        record("I am %d", tid);
    }
    return 0;
}

static void a_system_call_costs_a_turn(void)
{
    struct kernel *k = new_kernel();
    struct script other = {"other", 3, 0};
    expect_int(kernel_spawn(k, body_asks_in_a_row, NULL), 1);
    expect_int(kernel_spawn(k, body_loops, &other), 2);
    expect_ok(kernel_run(k));
    expect_trace("other", "I am 1", "other", "I am 1", "1 ended", "other", "2 ended");
    kernel_free(k);
}

/* --- calls of one's own ------------------------------------------------------------------- */

static struct lost_call door; /* one task may wait here */

static int body_waits_at_the_door(void *arg, value *ret)
{
    value in;
    char text[32];
    (void)arg, (void)ret;
    door = (struct lost_call){{handle_lost, NULL}, NULL, NULL};
    int error = gen_yield(value_syscall(&door.call), &in);
    value_format(in, text, sizeof text);
    record("the door opens: %s, %s", error ? error_name(error) : "0", text);
    return 0;
}

static int body_opens_the_door(void *arg, value *ret)
{
    const int *error = arg;
    (void)ret;
    record("knock");
    if (*error)
        kernel_throw(door.kernel, door.task, *error);
    else
        kernel_schedule(door.kernel, door.task, value_str("welcome"));
    return sys_yield();
}

static void a_call_of_ones_own_decides_when_its_task_goes_on(void)
{
    struct kernel *k = new_kernel();
    int error = 0;
    expect_int(kernel_spawn(k, body_waits_at_the_door, NULL), 1);
    expect_int(kernel_spawn(k, body_opens_the_door, &error), 2);
    step("kernel_schedule(kernel, task, 'welcome') by somebody else");
    expect_ok(kernel_run(k));
    expect_trace("knock", "the door opens: 0, 'welcome'", "1 ended", "2 ended");
    error = -EIO;
    expect_int(kernel_spawn(k, body_waits_at_the_door, NULL), 3);
    expect_int(kernel_spawn(k, body_opens_the_door, &error), 4);
    step("kernel_throw(kernel, task, -EIO) by somebody else");
    expect_ok(kernel_run(k));
    expect_trace("knock", "the door opens: EIO, None", "3 ended", "4 ended");
    kernel_free(k);
}

/* --- new, wait ---------------------------------------------------------------------------- */

static int body_has_a_child(void *arg, value *ret)
{
    (void)ret;
    int tid = sys_new(body_loops, arg);
    record("my child is %d", tid);
    record("without a body: %s", error_name(sys_new(NULL, NULL)));
    return 0;
}

static void a_child_runs_before_its_parent(void)
{
    struct kernel *k = new_kernel();
    struct script child = {"child", 1, 0};
    expect_int(kernel_spawn(k, body_has_a_child, &child), 1);
    step("sys_new(body_loops, …)");
    expect_ok(kernel_run(k));
    expect_trace("child", "my child is 2", "2 ended", "without a body: ERR_VALUE", "1 ended");
    kernel_free(k);
}

static int body_waits_for(void *arg, value *ret)
{
    const struct script *s = arg;
    (void)ret;
    int result = sys_wait(s->tid);
    if (result < 0)
        record("%s: %s", s->name, error_name(result));
    else
        record("%s: %d", s->name, result);
    return 0;
}

static void waiters_wake_in_the_order_in_which_they_came(void)
{
    struct kernel *k = new_kernel();
    struct script child = {"child", 2, 0}, a = {"a", 0, 1}, b = {"b", 0, 1}, c = {"c", 0, 1};
    expect_int(kernel_spawn(k, body_loops, &child), 1);
    expect_int(kernel_spawn(k, body_waits_for, &a), 2);
    expect_int(kernel_spawn(k, body_waits_for, &b), 3);
    expect_int(kernel_spawn(k, body_waits_for, &c), 4);
    step("sys_wait(1), three times");
    expect_ok(kernel_run(k));
    expect_trace("child", "child", "1 ended", "a: 1", "2 ended", "b: 1", "3 ended", "c: 1",
                 "4 ended");
    kernel_free(k);
}

static void nobody_waits_for_an_unknown_task(void)
{
    struct kernel *k = new_kernel();
    struct script unknown = {"unknown", 0, 77}, zero = {"zero", 0, 0},
                  negative = {"negative", 0, -3};
    expect_int(kernel_spawn(k, body_waits_for, &unknown), 1);
    expect_int(kernel_spawn(k, body_waits_for, &zero), 2);
    expect_int(kernel_spawn(k, body_waits_for, &negative), 3);
    step("sys_wait(77), sys_wait(0), sys_wait(-3)");
    expect_ok(kernel_run(k));
    expect_trace("unknown: 0", "1 ended", "zero: 0", "2 ended", "negative: 0", "3 ended");
    kernel_free(k);
}

static void to_wait_for_oneself_is_refused(void)
{
    struct kernel *k = new_kernel();
    struct script self = {"self", 0, 1};
    expect_int(kernel_spawn(k, body_waits_for, &self), 1);
    step("sys_wait(1) by task 1");
    expect_ok(kernel_run(k));
    expect_trace("self: ERR_DEADLOCK", "1 ended");
    kernel_free(k);
}

static int body_catches(void *arg, value *ret)
{
    (void)arg, (void)ret;
    record("%s", error_name(sys_wait(sys_gettid())));
    int error = gen_yield(value_none(), NULL);
    record("then %s", error ? error_name(error) : "nothing");
    return error;
}

static void an_error_is_raised_once(void)
{
    struct kernel *k = new_kernel();
    expect_int(kernel_spawn(k, body_catches, NULL), 1);
    step("sys_wait(1) by task 1, then a bare yield");
    expect_ok(kernel_run(k));
    expect_trace("ERR_DEADLOCK", "then nothing", "1 ended");
    kernel_free(k);
}

static void a_ring_of_waits_is_a_deadlock(void)
{
    struct kernel *k = new_kernel();
    struct script a = {"a", 0, 2}, b = {"b", 0, 1}, other = {"other", 2, 0};
    expect_int(kernel_spawn(k, body_waits_for, &a), 1);
    expect_int(kernel_spawn(k, body_waits_for, &b), 2);
    expect_int(kernel_spawn(k, body_loops, &other), 3);
    step("kernel_run(k): 1 waits for 2, 2 waits for 1");
    expect_error(kernel_run(k), ERR_DEADLOCK);
    expect_trace("other", "other", "3 ended", "1 ended: ERR_DEADLOCK", "2 ended: ERR_DEADLOCK");
    expect_int(kernel_tasks(k), 2);
    step("kernel_free(k)");
    kernel_free(k);
    expect_trace("a: ERR_GENERATOR_EXIT", "1 ended", "b: ERR_GENERATOR_EXIT", "2 ended");
}

/* --- kill --------------------------------------------------------------------------------- */

static int body_kills(void *arg, value *ret)
{
    const struct script *s = arg;
    (void)ret;
    for (int i = 0; i < s->times; i++) {
        int error = sys_yield();
        if (error)
            return error;
    }
    int result = sys_kill(s->tid);
    record("kill: %d", result);
    return 0;
}

static int body_cleans_up(void *arg, value *ret)
{
    const char *name = arg;
    (void)ret;
    int error = 0;
    for (int i = 0; i < PATIENCE && !error; i++)
        error = sys_yield();
    record("%s cleans up: %s", name, error_name(error));
    return error;
}

static void a_runnable_victim_is_closed_now_and_leaves_on_its_turn(void)
{
    struct kernel *k = new_kernel();
    static char name[] = "victim";
    struct script killer = {"killer", 1, 2}, other = {"other", 3, 0};
    expect_int(kernel_spawn(k, body_kills, &killer), 1);
    expect_int(kernel_spawn(k, body_cleans_up, name), 2);
    expect_int(kernel_spawn(k, body_loops, &other), 3);
    step("sys_kill(2), while 2 is in the ready queue");
    expect_ok(kernel_run(k));
    expect_trace("other", "victim cleans up: ERR_GENERATOR_EXIT", "2 ended", "other", "kill: 1",
                 "1 ended", "other", "3 ended");
    kernel_free(k);
}

static void an_unknown_task_cannot_be_killed(void)
{
    struct kernel *k = new_kernel();
    struct script killer = {"killer", 0, 9};
    expect_int(kernel_spawn(k, body_kills, &killer), 1);
    step("sys_kill(9)");
    expect_ok(kernel_run(k));
    expect_trace("kill: 0", "1 ended");
    kernel_free(k);
}

static void a_parked_victim_leaves_ahead_of_its_killer(void)
{
    struct kernel *k = new_kernel();
    static char name[] = "victim";
    struct script killer = {"killer", 0, 1};
    expect_int(kernel_spawn(k, body_waits_for_ever, name), 1);
    expect_int(kernel_spawn(k, body_kills, &killer), 2);
    step("sys_kill(1), while 1 waits for its system call");
    expect_ok(kernel_run(k));
    expect_trace("the call was cancelled", "victim: ERR_GENERATOR_EXIT", "1 ended", "kill: 1",
                 "2 ended");
    kernel_free(k);
}

static void a_body_that_has_not_begun_is_killed_unrun(void)
{
    struct kernel *k = new_kernel();
    struct script killer = {"killer", 0, 2};
    expect_int(kernel_spawn(k, body_kills, &killer), 1);
    expect_int(kernel_spawn(k, body_ends_at_once, NULL), 2);
    step("sys_kill(2) before its first turn");
    expect_ok(kernel_run(k));
    expect_trace("2 ended", "kill: 1", "1 ended");
    kernel_free(k);
}

static int body_kills_itself_politely(void *arg, value *ret)
{
    (void)arg, (void)ret;
    int result = sys_kill(sys_gettid());
    record("told: %s", result < 0 ? error_name(result) : "nothing");
    return result;
}

static void a_task_that_kills_itself_ends_on_its_next_turn(void)
{
    struct kernel *k = new_kernel();
    struct script other = {"other", 3, 0};
    expect_int(kernel_spawn(k, body_kills_itself_politely, NULL), 1);
    expect_int(kernel_spawn(k, body_loops, &other), 2);
    step("sys_kill(sys_gettid())");
    expect_ok(kernel_run(k));
    expect_trace("other", "told: ERR_GENERATOR_EXIT", "other", "1 ended", "other", "2 ended");
    kernel_free(k);
}

static void killing_twice_is_harmless(void)
{
    struct kernel *k = new_kernel();
    static char name[] = "victim";
    struct script first = {"first", 0, 3}, second = {"second", 0, 3};
    expect_int(kernel_spawn(k, body_kills, &first), 1);
    expect_int(kernel_spawn(k, body_kills, &second), 2);
    expect_int(kernel_spawn(k, body_cleans_up, name), 3);
    step("sys_kill(3), twice in one round");
    expect_ok(kernel_run(k));
    expect_trace("3 ended", "kill: 1", "1 ended", "kill: 1", "2 ended");
    kernel_free(k);
}

static void a_killed_waiter_is_gone_from_the_list(void)
{
    struct kernel *k = new_kernel();
    struct script child = {"child", 4, 0}, a = {"a", 0, 1}, b = {"b", 0, 1},
                  killer = {"killer", 0, 2};
    expect_int(kernel_spawn(k, body_loops, &child), 1);
    expect_int(kernel_spawn(k, body_waits_for, &a), 2);
    expect_int(kernel_spawn(k, body_waits_for, &b), 3);
    expect_int(kernel_spawn(k, body_kills, &killer), 4);
    step("sys_kill(2), while 2 and 3 wait for 1");
    expect_ok(kernel_run(k));
    expect_trace("child", "a: ERR_GENERATOR_EXIT", "child", "2 ended", "kill: 1", "4 ended",
                 "child", "child", "1 ended", "b: 1", "3 ended");
    kernel_free(k);
}

static void who_waits_for_a_killed_task_wakes(void)
{
    struct kernel *k = new_kernel();
    static char name[] = "victim";
    struct script waiter = {"waiter", 0, 1}, killer = {"killer", 0, 1};
    expect_int(kernel_spawn(k, body_waits_for_ever, name), 1);
    expect_int(kernel_spawn(k, body_waits_for, &waiter), 2);
    expect_int(kernel_spawn(k, body_kills, &killer), 3);
    step("sys_kill(1), while 2 waits for 1");
    expect_ok(kernel_run(k));
    expect_trace("the call was cancelled", "victim: ERR_GENERATOR_EXIT", "1 ended", "kill: 1",
                 "3 ended", "waiter: 1", "2 ended");
    kernel_free(k);
}

static void a_kill_overtakes_an_error_on_its_way(void)
{
    struct kernel *k = new_kernel();
    struct script victim = {"victim", 0, 1}, killer = {"killer", 0, 1};
    expect_int(kernel_spawn(k, body_waits_for, &victim), 1);
    expect_int(kernel_spawn(k, body_kills, &killer), 2);
    step("sys_kill(1), when ERR_DEADLOCK is to be raised in 1 on its next turn");
    expect_ok(kernel_run(k));
    expect_trace("victim: ERR_GENERATOR_EXIT", "1 ended", "kill: 1", "2 ended");
    kernel_free(k);
}

static int body_spawns_one(void *arg, value *ret)
{
    (void)arg, (void)ret;
    int tid = sys_new(body_ends_at_once, NULL);
    record("spawned %d", tid);
    return 0;
}

static void a_killed_task_does_not_run_what_came_after_it(void)
{
    struct kernel *k = new_kernel();
    struct script killer = {"killer", 0, 3};
    expect_int(kernel_spawn(k, body_kills, &killer), 1);
    expect_int(kernel_spawn(k, body_spawns_one, NULL), 2);
    expect_int(kernel_spawn(k, body_ends_at_once, NULL), 3);
    step("sys_kill(3), then sys_new(), which may get the memory of the body that was killed");
    expect_ok(kernel_run(k));
    expect_trace("3 ended", "kill: 1", "1 ended", "ran", "4 ended", "spawned 4", "2 ended");
    kernel_free(k);
}

static int body_ignores_the_first_exit(void *arg, value *ret)
{
    int error = sys_yield();
    (void)arg, (void)ret;
    for (int i = 0; i < PATIENCE && !error; i++)
        error = sys_yield();
    error = sys_yield(); /* in answer to the exit */
    record("asked again: %s", error_name(error));
    return error;
}

static void a_victim_that_ignores_the_exit_is_ended_nevertheless(void)
{
    struct kernel *k = new_kernel();
    struct script killer = {"killer", 1, 1}, other = {"other", 3, 0};
    expect_int(kernel_spawn(k, body_ignores_the_first_exit, NULL), 1);
    expect_int(kernel_spawn(k, body_kills, &killer), 2);
    expect_int(kernel_spawn(k, body_loops, &other), 3);
    step("sys_kill(1), which yields in answer");
    expect_ok(kernel_run(k));
    expect_trace("other", "asked again: ERR_GENERATOR_EXIT", "other", "1 ended: ERR_IGNORED_EXIT",
                 "kill: 1", "2 ended", "other", "3 ended");
    kernel_free(k);
}

static int body_fails_in_its_clean_up(void *arg, value *ret)
{
    (void)arg, (void)ret;
    return sys_yield() ? -ENOSPC : 0;
}

static void what_a_clean_up_raises_is_reported(void)
{
    struct kernel *k = new_kernel();
    struct script killer = {"killer", 0, 1};
    expect_int(kernel_spawn(k, body_fails_in_its_clean_up, NULL), 1);
    expect_int(kernel_spawn(k, body_kills, &killer), 2);
    step("sys_kill(1), whose clean-up raises ENOSPC");
    expect_ok(kernel_run(k));
    expect_trace("1 ended: ENOSPC", "kill: 1", "2 ended");
    kernel_free(k);
}

/* --- the trampoline ----------------------------------------------------------------------- */

/*
 * kernel_free() runs a task to its end, and starts one that has not begun. So a body that needs
 * nothing from the kernel shows the trampoline alone: no turn is taken.
 */
static void run_without_turns(struct kernel *k)
{
    step("kernel_free(k), which runs what has not begun to its end");
    kernel_free(k);
}

static int sub_says_how_it_was_called(void *arg, value *ret)
{
    value in = value_int(-77);
    char text[32];
    (void)arg, (void)ret;
    int error = gen_yield(value_str("its value"), &in);
    value_format(in, text, sizeof text);
    record("abandoned: %s, %s", error ? error_name(error) : "0", text);
    return 0;
}

static int body_calls_twice(void *arg, value *ret)
{
    value out = value_int(-77);
    char text[32];
    (void)arg, (void)ret;
    for (int i = 0; i < 2; i++) {
        gen_fn *sub = i == 0 ? sub_says_how_it_was_called : body_ends_at_once;
        int error = gen_yield(value_generator(gen_new(sub, NULL)), &out);
        value_format(out, text, sizeof text);
        record("%s, %s", error ? error_name(error) : "0", text);
    }
    return 0;
}

static void a_value_is_handed_to_the_caller_once(void)
{
    struct kernel *k = new_kernel();
    expect_int(kernel_spawn(k, body_calls_twice, NULL), 1);
    step("a subroutine that yields a value; then one that only ends");
    run_without_turns(k);
    expect_trace("abandoned: ERR_GENERATOR_EXIT, None", "0, 'its value'", "ran", "0, None",
                 "1 ended");
}

static int sub_raises(void *arg, value *ret)
{
    (void)arg;
    *ret = value_int(7);
    return -EIO;
}

static int body_calls_who_raises(void *arg, value *ret)
{
    value out = value_int(-77);
    char text[32];
    (void)arg, (void)ret;
    int error = gen_yield(value_generator(gen_new(sub_raises, NULL)), &out);
    value_format(out, text, sizeof text);
    record("%s, %s", error ? error_name(error) : "0", text);
    error = gen_yield(value_generator(gen_new(body_ends_at_once, NULL)), &out);
    record("then %s", error ? error_name(error) : "0");
    return -ENOSPC;
}

static void an_error_of_a_subroutine_is_raised_once(void)
{
    struct kernel *k = new_kernel();
    expect_int(kernel_spawn(k, body_calls_who_raises, NULL), 1);
    step("a subroutine that raises EIO; then one that only ends; then ENOSPC by the body");
    run_without_turns(k);
    expect_trace("EIO, None", "ran", "then 0", "1 ended: ENOSPC");
}

static int sub_calls_who_raises(void *arg, value *ret)
{
    (void)arg, (void)ret;
    int error = gen_yield(value_generator(gen_new(sub_raises, NULL)), NULL);
    record("between: %s", error ? error_name(error) : "0");
    return error;
}

static int body_lets_an_error_pass(void *arg, value *ret)
{
    (void)arg, (void)ret;
    int error = gen_yield(value_generator(gen_new(sub_calls_who_raises, NULL)), NULL);
    record("the body: %s", error ? error_name(error) : "0");
    return error;
}

static void an_error_passes_through_all_callers(void)
{
    struct kernel *k = new_kernel();
    expect_int(kernel_spawn(k, body_lets_an_error_pass, NULL), 1);
    step("a subroutine of a subroutine raises EIO");
    run_without_turns(k);
    expect_trace("between: EIO", "the body: EIO", "1 ended: EIO");
}

struct sum {
    int a, b;
};

static int sub_add(void *arg, value *ret)
{
    const struct sum *sum = arg;
    (void)ret;
    int error = gen_yield(value_int(sum->a + sum->b), NULL);
    record("abandoned: %s", error ? error_name(error) : "0");
    return 0;
}

static int body_adds(void *arg, value *ret)
{
    value out;
    char text[32];
    (void)ret;
    int error = gen_yield(value_generator(gen_new(sub_add, arg)), &out);
    value_format(out, text, sizeof text);
    record("the sum is %s", text);
    return error;
}

static void a_subroutine_gives_its_value_and_is_closed(void)
{
    struct kernel *k = new_kernel();
    struct sum sum = {2, 2};
    struct script other = {"other", 1, 0};
    expect_int(kernel_spawn(k, body_adds, &sum), 1);
    expect_int(kernel_spawn(k, body_loops, &other), 2);
    step("yield of a subroutine that yields 4");
    expect_ok(kernel_run(k));
    expect_trace("abandoned: ERR_GENERATOR_EXIT", "the sum is 4", "1 ended", "other", "2 ended");
    kernel_free(k);
}

static int sub_only_returns(void *arg, value *ret)
{
    (void)arg;
    *ret = value_int(9);
    return 0;
}

static int sub_yields_bare(void *arg, value *ret)
{
    (void)arg, (void)ret;
    if (gen_yield(value_none(), NULL) == 0)
        expect_never("a subroutine went on after its value");
    return 0;
}

static int sub_lets_others_run(void *arg, value *ret)
{
    (void)arg, (void)ret;
    int error = sys_yield();
    record("the subroutine goes on");
    return error ? error : gen_yield(value_int(1), NULL);
}

static int body_calls(void *arg, value *ret)
{
    gen_fn *const *sub = arg;
    value out = value_int(5);
    char text[32];
    (void)ret;
    int error = gen_yield(value_generator(gen_new(*sub, NULL)), &out);
    value_format(out, text, sizeof text);
    record("%s, %s", error ? error_name(error) : "0", text);
    return 0;
}

static void a_subroutine_that_ends_gives_none(void)
{
    struct kernel *k = new_kernel();
    gen_fn *sub = sub_only_returns, *bare = sub_yields_bare;
    expect_int(kernel_spawn(k, body_calls, &sub), 1);
    expect_int(kernel_spawn(k, body_calls, &bare), 2);
    step("a subroutine that returns; one that yields None");
    run_without_turns(k);
    expect_trace("0, None", "1 ended", "0, None", "2 ended");
}

static void a_system_call_leaves_the_subroutines_in_place(void)
{
    struct kernel *k = new_kernel();
    gen_fn *sub = sub_lets_others_run;
    struct script other = {"other", 1, 0};
    expect_int(kernel_spawn(k, body_calls, &sub), 1);
    expect_int(kernel_spawn(k, body_loops, &other), 2);
    step("sys_yield() in a subroutine");
    expect_ok(kernel_run(k));
    expect_trace("other", "the subroutine goes on", "0, 1", "1 ended", "2 ended");
    kernel_free(k);
}

static int sub_fails(void *arg, value *ret)
{
    (void)arg, (void)ret;
    return sys_yield() ? 0 : -EIO;
}

static int sub_passes_on(void *arg, value *ret)
{
    value out;
    (void)arg, (void)ret;
    int error = gen_yield(value_generator(gen_new(sub_fails, NULL)), &out);
    record("between: %s", error ? error_name(error) : "0");
    return error;
}

static void an_error_of_a_subroutine_is_raised_in_its_caller(void)
{
    struct kernel *k = new_kernel();
    gen_fn *sub = sub_passes_on;
    expect_int(kernel_spawn(k, body_calls, &sub), 1);
    expect_int(kernel_spawn(k, sub_passes_on, NULL), 2);
    step("a subroutine of a subroutine raises EIO");
    expect_ok(kernel_run(k));
    expect_trace("between: EIO", "EIO, None", "1 ended", "between: EIO", "2 ended: EIO");
    kernel_free(k);
}

static int sub_counts_down(void *arg, value *ret)
{
    intptr_t n = (intptr_t)arg;
    value below = value_none();
    (void)ret;
    if (n == 0)
        return gen_yield(value_int(0), NULL) == ERR_GENERATOR_EXIT ? 0 : ERR_RUNTIME;
    int error = gen_yield(value_generator(gen_new(sub_counts_down, (void *)(n - 1))), &below);
    if (error)
        return error;
    return gen_yield(value_int(value_as_int(below) + 1), NULL) == ERR_GENERATOR_EXIT ? 0
                                                                                     : ERR_RUNTIME;
}

static int body_counts_down(void *arg, value *ret)
{
    value out;
    (void)ret;
    int error = gen_yield(value_generator(gen_new(sub_counts_down, arg)), &out);
    record("depth %d", error ? error : (int)value_as_int(out));
    return error;
}

static void subroutines_may_be_as_deep_as_memory_allows(void)
{
    struct kernel *k = new_kernel();
    intptr_t depth = harness_is_slow() ? 200 : 5000;
    char text[32];
    snprintf(text, sizeof text, "depth %d", (int)depth);
    expect_int(kernel_spawn(k, body_counts_down, (void *)depth), 1);
    run_without_turns(k);
    expect_trace(text, "1 ended");
}

static int sub_waits(void *arg, value *ret)
{
    intptr_t depth = (intptr_t)arg;
    value out;
    (void)ret;
    int error = depth == 0
                    ? wait_for_ever()
                    : gen_yield(value_generator(gen_new(sub_waits, (void *)(depth - 1))), &out);
    record("level %d: %s", (int)depth, error ? error_name(error) : "0");
    return error;
}

static void a_kill_unwinds_all_subroutines_from_the_inside_out(void)
{
    struct kernel *k = new_kernel();
    struct script killer = {"killer", 0, 1};
    expect_int(kernel_spawn(k, sub_waits, (void *)2), 1);
    expect_int(kernel_spawn(k, body_kills, &killer), 2);
    step("sys_kill(1), which waits in a subroutine of a subroutine");
    expect_ok(kernel_run(k));
    expect_trace("the call was cancelled", "level 0: ERR_GENERATOR_EXIT",
                 "level 1: ERR_GENERATOR_EXIT", "level 2: ERR_GENERATOR_EXIT", "1 ended", "kill: 1",
                 "2 ended");
    kernel_free(k);
}

static int body_yields_impossible_subroutines(void *arg, value *ret)
{
    struct generator *used = gen_new(sub_only_returns, NULL);
    value out;
    (void)arg, (void)ret;
    int status = gen_next(used, &out);
    int error = gen_yield(value_generator(used), &out);
    record("one that has ended: %s", status || !error ? "?" : error_name(error));
    gen_free(used);
    error = gen_yield(value_generator(gen_current()), &out);
    record("oneself: %s", error ? error_name(error) : "0");
    error = gen_yield(value_generator(NULL), &out);
    record("none: %s", error ? error_name(error) : "0");
    return 0;
}

static void a_generator_that_has_run_is_no_subroutine(void)
{
    struct kernel *k = new_kernel();
    expect_int(kernel_spawn(k, body_yields_impossible_subroutines, NULL), 1);
    run_without_turns(k);
    expect_trace("one that has ended: ERR_RUNTIME", "oneself: ERR_RUNTIME", "none: ENOMEM",
                 "1 ended");
}

/* --- who waits ---------------------------------------------------------------------------- */

struct fake_idle {
    struct kernel_idle idle;
    int turns; /* so many polls with nothing to wait for until the door is opened */
    int answer;
    bool open; /* whether to open the door at all */
};

static int fake_poll(struct kernel_idle *idle, bool wait)
{
    struct fake_idle *fake = (struct fake_idle *)(void *)idle;
    record("%s", wait ? "waits" : "looks");
    if (wait && fake->open && --fake->turns == 0)
        kernel_schedule(door.kernel, door.task, value_int(1));
    return fake->open ? fake->answer : ERR_DEADLOCK;
}

static void fake_close(struct kernel_idle *idle)
{
    (void)idle;
    record("the idle is closed");
}

static void the_idle_takes_one_turn_in_each_round_and_is_no_task(void)
{
    struct kernel *k = new_kernel();
    struct fake_idle fake = {{fake_poll, fake_close}, 2, 0, true}, second = fake;
    struct script other = {"other", 2, 0}, third = {"third", 1, 0};
    step("kernel_set_idle(k, idle)");
    expect_true("there is none before", kernel_idle(k) == NULL);
    expect_int(kernel_spawn(k, body_waits_at_the_door, NULL), 1);
    expect_int(kernel_spawn(k, body_loops, &other), 2);
    expect_int(kernel_spawn(k, body_loops, &third), 3);
    expect_ok(kernel_set_idle(k, &fake.idle));
    expect_true("it is the one that was given", kernel_idle(k) == &fake.idle);
    expect_error(kernel_set_idle(k, &second.idle), ERR_BUSY);
    step("kernel_run(k)");
    expect_ok(kernel_run(k));
    expect_trace("other", "third", "looks", "other", "3 ended", "looks", "2 ended", "waits",
                 "waits", "the door opens: 0, 1", "1 ended");
    expect_int(kernel_tasks(k), 0);
    step("kernel_free(k)");
    kernel_free(k);
    expect_trace("the idle is closed");
}

static void an_idle_with_nothing_to_wait_for_is_a_deadlock(void)
{
    struct kernel *k = new_kernel();
    struct fake_idle fake = {{fake_poll, fake_close}, 1, 0, false};
    struct script other = {"other", 1, 0};
    expect_ok(kernel_set_idle(k, &fake.idle));
    expect_int(kernel_spawn(k, body_waits_at_the_door, NULL), 1);
    expect_int(kernel_spawn(k, body_loops, &other), 2);
    step("kernel_run(k), whose idle answers ERR_DEADLOCK");
    expect_error(kernel_run(k), ERR_DEADLOCK);
    expect_trace("looks", "other", "looks", "2 ended", "waits", "1 ended: ERR_DEADLOCK");
    step("kernel_run(k) again, after kernel_schedule()");
    kernel_schedule(k, door.task, value_int(2));
    expect_ok(kernel_run(k));
    expect_trace("looks", "the door opens: 0, 2", "1 ended");
    kernel_free(k);
    expect_trace("the idle is closed");
}

static void an_error_of_the_idle_ends_the_run(void)
{
    struct kernel *k = new_kernel();
    struct fake_idle fake = {{fake_poll, fake_close}, 5, -EIO, true};
    struct script other = {"other", 2, 0};
    expect_int(kernel_spawn(k, body_loops, &other), 1);
    expect_ok(kernel_set_idle(k, &fake.idle));
    step("kernel_run(k), whose idle answers EIO");
    expect_error(kernel_run(k), -EIO);
    expect_trace("other", "looks");
    step("kernel_run(k) goes on where it stopped");
    fake.answer = 0;
    expect_ok(kernel_run(k));
    expect_trace("other", "looks", "1 ended");
    kernel_free(k);
    expect_trace("the idle is closed");
}

/* --- teardown ----------------------------------------------------------------------------- */

static int body_begins_late(void *arg, value *ret)
{
    (void)arg, (void)ret;
    record("begins");
    int error = sys_gettid();
    record("told: %s", error < 0 ? error_name(error) : "0");
    error = gen_yield(value_none(), NULL);
    record("told: %s", error < 0 ? error_name(error) : "0");
    record("a new task: %s", error_name(kernel_spawn(shared_kernel, body_ends_at_once, NULL)));
    return error;
}

static void a_freed_kernel_ends_its_tasks_and_starts_what_has_not_begun(void)
{
    struct kernel *k = shared_kernel = new_kernel();
    expect_int(kernel_spawn(k, sub_waits, (void *)1), 1);
    expect_error(kernel_run(k), ERR_DEADLOCK);
    expect_trace("1 ended: ERR_DEADLOCK");
    expect_int(kernel_spawn(k, body_begins_late, NULL), 2);
    step("kernel_free(k)");
    kernel_free(k);
    expect_trace("the call was cancelled", "level 0: ERR_GENERATOR_EXIT",
                 "level 1: ERR_GENERATOR_EXIT", "1 ended", "begins", "told: ERR_GENERATOR_EXIT",
                 "told: ERR_GENERATOR_EXIT", "a new task: ERR_CLOSED", "2 ended");
}

static void a_freed_kernel_has_waiters_of_all_kinds(void)
{
    struct kernel *k = new_kernel();
    static char name[] = "first";
    struct script a = {"a", 0, 1}, b = {"b", 0, 2};
    expect_int(kernel_spawn(k, body_waits_for_ever, name), 1);
    expect_int(kernel_spawn(k, body_waits_for, &a), 2);
    expect_int(kernel_spawn(k, body_waits_for, &b), 3);
    expect_error(kernel_run(k), ERR_DEADLOCK);
    expect_trace("1 ended: ERR_DEADLOCK", "2 ended: ERR_DEADLOCK", "3 ended: ERR_DEADLOCK");
    step("kernel_free(k): 2 waits for 1, 3 waits for 2");
    kernel_free(k);
    expect_trace("the call was cancelled", "first: ERR_GENERATOR_EXIT", "1 ended",
                 "a: ERR_GENERATOR_EXIT", "2 ended", "b: ERR_GENERATOR_EXIT", "3 ended");
}

static int body_never_ends(void *arg, value *ret)
{
    (void)arg, (void)ret;
    for (;;)
        if (sys_yield() == 1)
            return 0;
}

static void free_the_endless(void *arg)
{
    struct kernel *k = kernel_new();
    (void)arg;
    if (k != NULL && kernel_spawn(k, body_never_ends, NULL) > 0)
        kernel_free(k);
}

static void a_body_that_never_ends_is_named(void)
{
    step("kernel_free(k), with a body that ignores ERR_GENERATOR_EXIT");
    expect_death(SIGABRT, "task 1", free_the_endless, NULL);
}

/* --- many, and memory --------------------------------------------------------------------- */

static int body_counts(void *arg, value *ret)
{
    int *count = arg;
    (void)ret;
    int error = sys_yield();
    ++*count;
    return error;
}

static int ends;

static void count_end(int tid, int error, void *arg)
{
    (void)tid, (void)error, (void)arg;
    ends++;
}

static int body_finds_all(void *arg, value *ret)
{
    const int *n = arg;
    int found = 0;
    (void)ret;
    for (int tid = 1; tid <= *n; tid++)
        found += sys_wait(tid) >= 0;
    record("found %d", found);
    return 0;
}

static void a_kernel_finds_each_of_many_tasks(void)
{
    struct kernel *k = new_kernel();
    int n = harness_is_slow() ? 200 : 3000, count = 0;
    char text[32];
    snprintf(text, sizeof text, "found %d", n);
    ends = 0;
    kernel_set_report(k, count_end, NULL);
    for (int i = 1; i <= n; i++)
        expect_int(kernel_spawn(k, body_counts, &count), i);
    expect_int(kernel_spawn(k, body_finds_all, &n), n + 1);
    expect_ok(kernel_run(k));
    expect_int(count, n);
    expect_int(ends, n + 1);
    expect_trace(text);
    kernel_free(k);
}

static int body_adds_quietly(void *arg, value *ret)
{
    value out;
    (void)ret;
    return gen_yield(value_generator(gen_new(sub_only_returns, arg)), &out);
}

static int body_spawns(void *arg, value *ret)
{
    (void)arg, (void)ret;
    int tid = sys_new(sub_only_returns, NULL);
    return tid < 0 ? tid : 0;
}

static void memory_may_run_out_anywhere(void)
{
    for (unsigned n = 1; n < 1000; n++) {
        fail_allocation(n);
        struct kernel *k = kernel_new();
        if (k != NULL) {
            kernel_set_report(k, count_end, NULL);
            int adds = kernel_spawn(k, body_adds_quietly, NULL);
            int spawns = kernel_spawn(k, body_spawns, NULL);
            expect_true("a spawn that failed says ENOMEM",
                        (adds > 0 || adds == -ENOMEM) && (spawns > 0 || spawns == -ENOMEM));
            kernel_free(k);
        }
        if (!allocation_failed())
            return;
    }
    expect_never("1,000 allocations were made");
}

static void an_allocation_that_fails_is_raised_in_the_caller(void)
{
    struct kernel *k = new_kernel();
    expect_int(kernel_spawn(k, body_adds_quietly, NULL), 1);
    expect_int(kernel_spawn(k, body_spawns, NULL), 2);
    fail_allocation(1);
    step("a yield of a subroutine, when there is no memory for its caller's place");
    expect_ok(kernel_run(k));
    expect_true("the allocation was tried", allocation_failed());
    expect_trace("1 ended: ENOMEM", "3 ended", "2 ended");
    kernel_free(k);
}

static const struct check checks[] = {
    CHECK(a_task_needs_a_body, "P02", NULL, ""),
    CHECK(a_running_kernel_is_busy, "", "3.7", "3.8"),
    CHECK(a_running_kernel_cannot_be_freed, "", "3.7", "3.8"),
    CHECK(a_task_cannot_be_scheduled_twice, "P04", "3.7", "3.8"),
    CHECK(a_system_call_outside_a_generator_aborts, "P20", NULL, ""),
    CHECK(a_system_call_goes_to_whoever_drives_the_generator, "P20", NULL, ""),
    CHECK(a_subroutine_is_printed_by_its_name, "", NULL, ""),
    CHECK(numbers_begin_at_1_in_each_kernel_and_nothing_runs_yet, "P01 P02", "3.7", "3.8"),
    CHECK(tasks_take_turns_and_each_end_is_reported, "P01 P02 P03", "3.7", "3.8"),
    CHECK(an_answer_is_handed_in_once, "P04 P19", "3.8", "3.7"),
    CHECK(an_error_ends_one_task_and_not_the_kernel, "P19", "3.7", "3.8"),
    CHECK(a_system_call_costs_a_turn, "P05 P20", "3.7", "3.8"),
    CHECK(a_call_of_ones_own_decides_when_its_task_goes_on, "P04", "3.7", "3.8"),
    CHECK(a_child_runs_before_its_parent, "P06", "3.7", "3.8"),
    CHECK(waiters_wake_in_the_order_in_which_they_came, "P09 P10", "3.9", "3.7 3.8"),
    CHECK(nobody_waits_for_an_unknown_task, "P09", "3.9", "3.7 3.8"),
    CHECK(to_wait_for_oneself_is_refused, "P19", "3.9", "3.7 3.8"),
    CHECK(an_error_is_raised_once, "P19", "3.8", "3.7 3.9"),
    CHECK(a_ring_of_waits_is_a_deadlock, "P19", "3.9", "3.7 3.8"),
    CHECK(a_runnable_victim_is_closed_now_and_leaves_on_its_turn, "P07", "3.10", "3.7 3.8"),
    CHECK(an_unknown_task_cannot_be_killed, "P07", NULL, "3.7 3.8"),
    CHECK(a_parked_victim_leaves_ahead_of_its_killer, "P07 P19", "3.10", "3.7 3.8"),
    CHECK(a_body_that_has_not_begun_is_killed_unrun, "P07", "3.10", "3.7 3.8"),
    CHECK(a_task_that_kills_itself_ends_on_its_next_turn, "P08", "3.10", "3.7 3.8"),
    CHECK(killing_twice_is_harmless, "P07", "3.10", "3.7 3.8"),
    CHECK(a_killed_waiter_is_gone_from_the_list, "P19", "3.10", "3.7 3.8 3.9"),
    CHECK(who_waits_for_a_killed_task_wakes, "P09 P19", "3.10", "3.7 3.8 3.9"),
    CHECK(a_kill_overtakes_an_error_on_its_way, "P07", "3.10", "3.7 3.8 3.9"),
    CHECK(a_killed_task_does_not_run_what_came_after_it, "P07", "3.10", "3.7 3.8"),
    CHECK(a_victim_that_ignores_the_exit_is_ended_nevertheless, "P19", "3.10", "3.7 3.8"),
    CHECK(what_a_clean_up_raises_is_reported, "P19", "3.10", "3.7 3.8"),
    CHECK(a_subroutine_gives_its_value_and_is_closed, "P13 P14", "3.8", "3.7"),
    CHECK(a_subroutine_that_ends_gives_none, "P13 P15", "3.8", ""),
    CHECK(a_value_is_handed_to_the_caller_once, "P14", "3.8", ""),
    CHECK(an_error_of_a_subroutine_is_raised_once, "P19", "3.8", ""),
    CHECK(an_error_passes_through_all_callers, "P19", "3.8", ""),
    CHECK(a_system_call_leaves_the_subroutines_in_place, "P13 P15", "3.8", "3.7"),
    CHECK(an_error_of_a_subroutine_is_raised_in_its_caller, "P19", "3.8", "3.7"),
    CHECK(subroutines_may_be_as_deep_as_memory_allows, "P13", "3.8", ""),
    CHECK(a_kill_unwinds_all_subroutines_from_the_inside_out, "P19", "3.10", "3.7 3.8"),
    CHECK(a_generator_that_has_run_is_no_subroutine, "P13", "3.8", ""),
    CHECK(the_idle_takes_one_turn_in_each_round_and_is_no_task, "P12 P19", "3.7", "3.8"),
    CHECK(an_idle_with_nothing_to_wait_for_is_a_deadlock, "P19", "3.7", "3.8"),
    CHECK(an_error_of_the_idle_ends_the_run, "", "3.7", "3.8"),
    CHECK(a_freed_kernel_ends_its_tasks_and_starts_what_has_not_begun, "", "3.8", "3.7"),
    CHECK(a_freed_kernel_has_waiters_of_all_kinds, "P19", "3.9", "3.7 3.8"),
    CHECK(a_body_that_never_ends_is_named, "", "3.8", ""),
    CHECK(a_kernel_finds_each_of_many_tasks, "P02", "3.7", "3.8 3.9"),
    CHECK(memory_may_run_out_anywhere, "P13", "3.8", ""),
    CHECK(an_allocation_that_fails_is_raised_in_the_caller, "P13", "3.8", "3.7"),
};
SUITE(kernel, 3, checks)
