/*
 * Threads beside a loop: letters from them, holds, and jobs that they do. Real threads, real time;
 * nobody sleeps, everybody is waited for.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "combine.h"
#include "future.h"
#include "harness.h"
#include "loop.h"
#include "selector.h"
#include "task.h"
#include "wakeup.h"

static int note(void *arg)
{
    record("%s", (const char *)arg);
    return 0;
}

static int stop(void *arg)
{
    loop_stop(arg);
    return 0;
}

static struct task_loop *real_loop(void)
{
    struct task_loop *loop = fixture_loop();
    fixture_real_time();
    return loop;
}

static pthread_t thread(void *(*fn)(void *), void *arg)
{
    pthread_t id;
    if (pthread_create(&id, NULL, fn, arg) != 0)
        skip("needs a thread");
    return id;
}

/* --- misuse --------------------------------------------------------------------------------- */

static void a_letter_wants_a_function_and_an_open_loop(void)
{
    struct task_loop *loop = fixture_loop();
    struct future *f;
    step("loop_call_soon_threadsafe(loop, NULL, arg)");
    expect_error(loop_call_soon_threadsafe(loop, NULL, NULL), ERR_VALUE);
    expect_error(loop_run_in_executor(loop, NULL, NULL, NULL, &f), ERR_VALUE);
    fixture_close();
    step("the same on a closed loop");
    expect_error(loop_call_soon_threadsafe(loop, note, "never"), ERR_CLOSED);
    expect_error(loop_hold(loop), ERR_CLOSED);
    loop_release(loop);
    expect_error(loop_run_in_executor(loop, NULL, NULL, NULL, &f), ERR_CLOSED);
    expect_true("there is no future", f == NULL);
}

static int job(void *arg, value *ret)
{
    *ret = value_int(*(int *)arg * 2);
    return 0;
}

static void a_loop_without_a_selector_has_no_door(void)
{
    struct task_loop *loop = loop_new(clock_poller_new());
    struct future *f;
    int n = 21;
    step("on a loop whose poller is a clock");
    expect_error(loop_call_soon_threadsafe(loop, note, "never"), ERR_TYPE);
    expect_error(loop_hold(loop), ERR_TYPE);
    expect_error(loop_run_in_executor(loop, job, &n, NULL, &f), ERR_TYPE);
    loop_free(loop);
}

static void release_once(void *arg)
{
    loop_release(arg);
}

static void releasing_what_nobody_holds_aborts(void)
{
    step("loop_release() without loop_hold()");
    expect_death(SIGABRT, "loop_release()", release_once, fixture_loop());
}

/* --- letters -------------------------------------------------------------------------------- */

static void from_its_own_thread_it_is_call_soon(void)
{
    struct task_loop *loop = fixture_loop();
    step("call_soon, threadsafe, call_soon from the loop's own thread");
    expect_ok(loop_call_soon(loop, note, "1", NULL));
    expect_ok(loop_call_soon_threadsafe(loop, note, "2"));
    expect_ok(loop_call_soon(loop, note, "3", NULL));
    fixture_iteration();
    expect_trace("1", "2", "3");
}

static sem_t it_runs;

static int say_that_it_runs(void *arg)
{
    (void)arg;
    sem_post(&it_runs);
    return 0;
}

static void *run_there(void *arg)
{
    expect_ok(loop_call_soon_threadsafe(arg, note, "first"));
    expect_ok(loop_run_forever(arg));
    return NULL;
}

static void who_made_a_loop_that_runs_elsewhere_sends_letters(void)
{
    struct task_loop *loop = real_loop();
    sem_init(&it_runs, 0, 0);
    expect_ok(loop_hold(loop));
    expect_ok(loop_call_soon(loop, say_that_it_runs, NULL, NULL));
    step("another thread sends a letter and runs the loop; then the one that made it sends two");
    pthread_t id = thread(run_there, loop);
    sem_wait(&it_runs);
    expect_true("it is not mine", !loop_is_mine(loop));
    expect_ok(loop_call_soon_threadsafe(loop, note, "second"));
    expect_ok(loop_call_soon_threadsafe(loop, stop, loop));
    loop_release(loop);
    pthread_join(id, NULL);
    expect_true("it is mine again", loop_is_mine(loop));
    expect_trace("first", "second");
    sem_destroy(&it_runs);
}

static void *send_and_stop(void *arg)
{
    int error = loop_call_soon_threadsafe(arg, note, "first");
    if (!error)
        error = loop_call_soon_threadsafe(arg, note, "second");
    if (!error)
        error = loop_call_soon_threadsafe(arg, stop, arg);
    loop_release(arg);
    expect_ok(error);
    return NULL;
}

static void a_letter_wakes_a_loop_that_sleeps(void)
{
    struct task_loop *loop = real_loop();
    expect_ok(loop_hold(loop));
    step("a thread sends two letters to a loop that has nothing to do, and a third that stops it");
    pthread_t id = thread(send_and_stop, loop);
    int error = loop_run_forever(loop);
    pthread_join(id, NULL); /* first: it expects something, too */
    expect_ok(error);
    expect_trace("first", "second");
}

static void *send_one_and_two(void *arg)
{
    expect_ok(loop_call_soon_threadsafe(arg, note, "one"));
    expect_ok(loop_call_soon_threadsafe(arg, note, "two"));
    return NULL;
}

/* Nobody holds the loop, and nothing else happens: only the knock says that there is a letter. */
static void letters_alone_end_the_sleep(void)
{
    struct task_loop *loop = fixture_loop();
    double begin = fixture_now();
    expect_ok(loop_call_later(loop, 3600, note, "timer", NULL));
    pthread_join(thread(send_one_and_two, loop), NULL);
    step("two iterations, after a thread has sent two letters, with a timer of an hour");
    expect_true("the first goes well", loop_run_once(loop) >= 0);
    expect_time(fixture_now(), begin);
    fixture_iteration();
    expect_trace("one", "two");
}

/* Runs in each turn, so that the loop never sleeps, until a letter has come. */
static struct {
    struct task_loop *loop;
    pthread_t sender;
    long turns, turns_since;
    atomic_bool sent;
    bool over;
} restless;

static int end_of_unrest(void *arg)
{
    restless.over = true;
    return stop(arg);
}

static void *send_the_end(void *arg)
{
    int error = loop_call_soon_threadsafe(arg, end_of_unrest, arg);
    atomic_store(&restless.sent, true);
    expect_ok(error);
    return NULL;
}

static int never_rest(void *arg)
{
    (void)arg;
    if (atomic_load(&restless.sent) && ++restless.turns_since == 10)
        return stop(restless.loop); /* it should have come at once */
    if (++restless.turns == 100) /* the loop knows by now that nothing happens outside */
        restless.sender = thread(send_the_end, restless.loop);
    return restless.over ? 0 : loop_call_soon(restless.loop, never_rest, NULL, NULL);
}

static void a_letter_reaches_a_loop_that_never_sleeps(void)
{
    restless.loop = real_loop();
    restless.turns = restless.turns_since = 0;
    restless.sent = restless.over = false;
    expect_ok(loop_call_soon(restless.loop, never_rest, NULL, NULL));
    step("a thread sends a letter to a loop that has something to do in each turn");
    int error = loop_run_forever(restless.loop);
    pthread_join(restless.sender, NULL);
    expect_ok(error);
    expect_true("the letter came", restless.over);
}

static int fail(void *arg)
{
    (void)arg;
    return ERR_USER - 4;
}

static void *send_failure(void *arg)
{
    expect_ok(loop_call_soon_threadsafe(arg, fail, NULL));
    expect_ok(loop_call_soon_threadsafe(arg, stop, arg));
    loop_release(arg);
    return NULL;
}

static void an_error_of_a_letter_is_reported(void)
{
    struct task_loop *loop = real_loop();
    expect_ok(loop_hold(loop));
    pthread_t id = thread(send_failure, loop);
    int error = loop_run_forever(loop);
    pthread_join(id, NULL);
    expect_ok(error);
    expect_report("callback", ERR_USER - 4);
}

enum { THREADS = 4, LETTERS = 500 };

static struct {
    struct task_loop *loop;
    int next[THREADS]; /* the number that must come next from each */
    int wrong, arrived;
} post;

static struct letter {
    int thread, number;
} letters[THREADS][LETTERS];

static int arrive(void *arg)
{
    const struct letter *letter = arg;
    post.wrong += letter->number != post.next[letter->thread]++;
    if (++post.arrived == THREADS * LETTERS)
        loop_stop(post.loop);
    return 0;
}

static void *send_letters(void *arg)
{
    struct letter *mine = arg;
    int failed = 0;
    for (int i = 0; i < LETTERS; i++)
        failed += loop_call_soon_threadsafe(post.loop, arrive, &mine[i]) != 0;
    loop_release(post.loop);
    expect_int(failed, 0);
    return NULL;
}

static void letters_of_a_thread_keep_their_order(void)
{
    pthread_t ids[THREADS];
    post.loop = real_loop();
    post.wrong = post.arrived = 0;
    step("4 threads send 500 letters each");
    for (int i = 0; i < THREADS; i++) {
        post.next[i] = 0;
        for (int j = 0; j < LETTERS; j++)
            letters[i][j] = (struct letter){i, j};
        expect_ok(loop_hold(post.loop));
    }
    for (int i = 0; i < THREADS; i++)
        ids[i] = thread(send_letters, letters[i]);
    int error = loop_run_forever(post.loop);
    for (int i = 0; i < THREADS; i++)
        pthread_join(ids[i], NULL);
    expect_ok(error);
    expect_int(post.arrived, THREADS * LETTERS);
    expect_int(post.wrong, 0);
}

static atomic_int refused;

static void *send_until_closed(void *arg)
{
    int error;
    while ((error = loop_call_soon_threadsafe(arg, note, "never")) == 0)
        atomic_fetch_add(&refused, 0);
    if (error == ERR_CLOSED)
        atomic_fetch_add(&refused, 1);
    loop_release(arg);
    return NULL;
}

static void a_loop_may_close_while_others_send(void)
{
    struct task_loop *loop = real_loop();
    pthread_t ids[2];
    atomic_store(&refused, 0);
    for (int i = 0; i < 2; i++)
        ids[i] = thread(send_until_closed, loop);
    step("loop_close() while two threads send letters");
    fixture_close();
    for (int i = 0; i < 2; i++)
        pthread_join(ids[i], NULL);
    expect_int(atomic_load(&refused), 2);
    expect_no_trace();
}

static void *send_two(void *arg)
{
    expect_ok(loop_call_soon_threadsafe(arg, note, "never"));
    expect_ok(loop_call_soon_threadsafe(arg, note, "never"));
    return NULL;
}

static void letters_that_were_not_read_go_with_the_loop(void)
{
    struct task_loop *loop = real_loop();
    pthread_join(thread(send_two, loop), NULL);
    step("loop_close() with two letters in the box");
    fixture_close();
    expect_no_trace();
}

/* --- holds ---------------------------------------------------------------------------------- */

static void *only_release(void *arg)
{
    loop_release(arg);
    return NULL;
}

static void the_last_release_ends_a_wait_for_nothing(void)
{
    struct task_loop *loop = real_loop();
    expect_ok(loop_hold(loop));
    step("the only thread that held the loop lets it go, and has sent nothing");
    pthread_t id = thread(only_release, loop);
    expect_error(loop_run_forever(loop), ERR_DEADLOCK);
    pthread_join(id, NULL);
    expect_report("nothing", ERR_DEADLOCK);
}

/* --- jobs ----------------------------------------------------------------------------------- */

static struct {
    pthread_t loop_thread;
    bool elsewhere;
} places;

static int where_am_i(void *arg, value *ret)
{
    places.elsewhere = !pthread_equal(pthread_self(), places.loop_thread);
    return job(arg, ret);
}

static int failing_job(void *arg, value *ret)
{
    (void)arg, (void)ret;
    return ERR_USER - 5;
}

static void a_job_runs_on_another_thread(void)
{
    struct task_loop *loop = real_loop();
    struct future *f;
    value v;
    int n = 21;
    places.loop_thread = pthread_self();
    places.elsewhere = false;
    step("loop_run_in_executor(loop, job, &n, NULL, &f), and nothing else to do");
    expect_ok(loop_run_in_executor(loop, where_am_i, &n, NULL, &f));
    expect_ok(loop_run_until_complete(loop, f, &v));
    expect_value(v, value_int(42));
    expect_true("it ran on another thread", places.elsewhere);
    future_unref(f);
    step("a job that fails");
    expect_ok(loop_run_in_executor(loop, failing_job, NULL, NULL, &f));
    expect_error(loop_run_until_complete(loop, f, NULL), ERR_USER - 5);
    future_unref(f);
}

static int await_jobs(void *arg, value *ret)
{
    struct task_loop *loop = loop_running();
    intptr_t sum = 0;
    int error = 0;
    for (int i = 0; !error && i < 20; i++) {
        struct future *f;
        value v;
        error = loop_run_in_executor(loop, job, arg, NULL, &f);
        if (error)
            break;
        error = task_await(f, &v);
        if (!error)
            sum += value_as_int(v);
        future_unref(f);
    }
    *ret = value_int(sum);
    return error;
}

static void tasks_await_jobs(void)
{
    struct task_loop *loop = real_loop();
    struct task *tasks[3];
    int n[] = {1, 2, 3};
    step("three tasks, each awaits 20 jobs");
    for (int i = 0; i < 3; i++)
        expect_ok(task_new(fixture_dispatcher(), await_jobs, &n[i], &tasks[i]));
    for (int i = 0; i < 3; i++) {
        value v;
        expect_ok(loop_run_until_complete(loop, task_future(tasks[i]), &v));
        expect_value(v, value_int(40 * (i + 1)));
        task_unref(tasks[i]);
    }
}

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool begun, may_end;
    atomic_int dropped;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static int job_at_the_gate(void *arg, value *ret)
{
    (void)arg, (void)ret;
    pthread_mutex_lock(&gate.lock);
    gate.begun = true;
    pthread_cond_broadcast(&gate.changed);
    while (!gate.may_end)
        pthread_cond_wait(&gate.changed, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
    return 0;
}

static void drop_job(void *arg, value result)
{
    (void)arg, (void)result;
    pthread_mutex_lock(&gate.lock);
    atomic_fetch_add(&gate.dropped, 1);
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
}

static void close_the_gate(void)
{
    gate.begun = gate.may_end = false;
    atomic_store(&gate.dropped, 0);
}

static void wait_until_begun(void)
{
    pthread_mutex_lock(&gate.lock);
    while (!gate.begun)
        pthread_cond_wait(&gate.changed, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

static void open_the_gate(void)
{
    pthread_mutex_lock(&gate.lock);
    gate.may_end = true;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
}

static void wait_until_dropped(void)
{
    pthread_mutex_lock(&gate.lock);
    while (atomic_load(&gate.dropped) == 0)
        pthread_cond_wait(&gate.changed, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

static void a_cancelled_job_that_runs_is_left_to_finish(void)
{
    struct task_loop *loop = real_loop();
    struct future *f, *next;
    int n = 1;
    close_the_gate();
    expect_ok(loop_run_in_executor(loop, job_at_the_gate, NULL, drop_job, &f));
    wait_until_begun();
    step("future_cancel() of a job that runs");
    expect_true("it was cancelled", future_cancel(f));
    expect_error(loop_run_until_complete(loop, f, NULL), ERR_CANCELLED);
    future_unref(f);
    open_the_gate();
    step("the next job is not disturbed");
    expect_ok(loop_run_in_executor(loop, job, &n, NULL, &next));
    expect_ok(loop_run_until_complete(loop, next, NULL));
    future_unref(next);
    while (atomic_load(&gate.dropped) == 0)
        expect_true("the loop goes on", loop_run_once(loop) >= 0);
    expect_int(atomic_load(&gate.dropped), 1);
}

static void a_loop_may_close_while_a_job_runs(void)
{
    struct task_loop *loop = real_loop();
    struct future *f;
    close_the_gate();
    expect_ok(loop_run_in_executor(loop, job_at_the_gate, NULL, drop_job, &f));
    wait_until_begun();
    step("loop_close() while a job runs");
    fixture_close();
    expect_error(future_result(f, NULL), ERR_CANCELLED);
    future_unref(f);
    step("the job ends, and touches nothing of the loop");
    open_the_gate();
    wait_until_dropped();
    expect_int(atomic_load(&gate.dropped), 1);
}

#define IN_SELECT "5.1 5.2"

static const struct check checks[] = {
    CHECK(a_letter_wants_a_function_and_an_open_loop, "L15", NULL, ""),
    CHECK(a_loop_without_a_selector_has_no_door, "", NULL, ""),
    CHECK(releasing_what_nobody_holds_aborts, "", NULL, ""),
    CHECK(from_its_own_thread_it_is_call_soon, "S40", NULL, ""),
    CHECK(a_letter_wakes_a_loop_that_sleeps, "S40", "5.8", IN_SELECT),
    CHECK(letters_alone_end_the_sleep, "S40", "5.8", IN_SELECT),
    CHECK(a_letter_reaches_a_loop_that_never_sleeps, "S40", "5.8", IN_SELECT),
    CHECK(an_error_of_a_letter_is_reported, "H04 S40", "5.8", IN_SELECT),
    CHECK(letters_of_a_thread_keep_their_order, "S40 S41", "5.8", IN_SELECT),
    CHECK(who_made_a_loop_that_runs_elsewhere_sends_letters, "S40", "5.8", IN_SELECT),
    CHECK(a_loop_may_close_while_others_send, "S41 L15", NULL, "5.8"),
    CHECK(letters_that_were_not_read_go_with_the_loop, "S41", "5.8", ""),
    CHECK(the_last_release_ends_a_wait_for_nothing, "L04", NULL, IN_SELECT),
    CHECK(a_job_runs_on_another_thread, "S42 L04", NULL, IN_SELECT),
    CHECK(tasks_await_jobs, "S42", NULL, IN_SELECT),
    CHECK(a_cancelled_job_that_runs_is_left_to_finish, "S43", NULL, IN_SELECT),
    CHECK(a_loop_may_close_while_a_job_runs, "S44 S45", NULL, ""),
};
SUITE_ON_FIXTURE(wakeup, 5, checks)
