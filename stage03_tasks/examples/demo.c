/*
 * Stage 3 at work: the two classic ways to schedule generators. First the course's kernel, whose
 * tasks trap into it; then tasks that await futures; and at the end a crash, on purpose.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel.h"
#include "task.h"

static void stop_at(int error, const char *what)
{
    if (error >= 0)
        return;
    fprintf(stderr, "%s: %s\n", what, error_text(error));
    exit(EXIT_FAILURE);
}

/* --- the kernel --------------------------------------------------------------------------- */

struct chatter {
    const char *name;
    int times;
    bool numbered;
};

/* foo and bar of the course. The yield is a trap: it lets the kernel run somebody else. */
static int chatter(void *arg, value *ret)
{
    const struct chatter *self = arg;
    int error = 0;
    int tid = self->numbered ? sys_gettid() : 0;
    (void)ret;
    if (tid < 0)
        return tid;
    for (int i = 0; i < self->times && !error; i++) {
        printf(self->numbered ? "  I'm %s %d\n" : "  I'm %s\n", self->name, tid);
        error = gen_yield(value_none(), NULL);
    }
    return error;
}

static int kills_its_child(void *arg, value *ret)
{
    int child = sys_new(chatter, arg);
    int error = child < 0 ? child : 0;
    (void)ret;
    for (int i = 0; i < 5 && !error; i++)
        error = gen_yield(value_none(), NULL);
    if (!error && (error = sys_kill(child)) >= 0) {
        printf("  main done\n");
        error = 0;
    }
    return error;
}

static int waits_for_its_child(void *arg, value *ret)
{
    int child = sys_new(chatter, arg);
    (void)ret;
    if (child < 0)
        return child;
    printf("  Waiting for child\n");
    int error = sys_wait(child);
    if (error < 0)
        return error;
    printf("  Child done\n");
    return 0;
}

static int add(void *arg, value *ret)
{
    const int *numbers = arg;
    (void)ret;
    return gen_yield(value_int(numbers[0] + numbers[1]), NULL);
}

/* Yields a generator: the kernel runs it, and sends back what that one yields. */
static int calls_add(void *arg, value *ret)
{
    value sum;
    int error = gen_yield(value_generator(gen_new(add, arg)), &sum);
    (void)ret;
    if (!error)
        printf("  %d\n", (int)value_as_int(sum));
    return error;
}

static void report(int tid, int error, void *arg)
{
    (void)arg;
    printf(error ? "  Task %d terminated: %s\n" : "  Task %d terminated\n", tid, error_name(error));
}

static void run_kernel(const char *title, gen_fn *one, void *arg, gen_fn *two, void *arg_of_two)
{
    struct kernel *kernel = kernel_new();
    if (kernel == NULL)
        exit(EXIT_FAILURE);
    printf("\n%s\n", title);
    kernel_set_report(kernel, report, NULL);
    stop_at(kernel_spawn(kernel, one, arg), "kernel_spawn");
    if (two != NULL)
        stop_at(kernel_spawn(kernel, two, arg_of_two), "kernel_spawn");
    stop_at(kernel_run(kernel), "kernel_run");
    kernel_free(kernel);
}

/* --- tasks -------------------------------------------------------------------------------- */

static int awaits(void *arg, value *ret)
{
    value out;
    printf("  %s waits\n", task_name(task_current()));
    int error = task_await(arg, &out);
    if (error) {
        printf("  an error came: %s\n", error_name(error));
        return 0;
    }
    printf("  the value came: %d\n", (int)value_as_int(out));
    *ret = value_int(value_as_int(out) + 1);
    return 0;
}

static void run_tasks(void)
{
    struct dispatcher d;
    struct task *one, *two;
    char text[100];
    immediate_init(&d);
    struct future *f = future_new(&d), *g = future_new(&d);
    if (f == NULL || g == NULL)
        exit(EXIT_FAILURE);
    printf("\nTwo tasks, each awaiting a future\n");
    stop_at(task_new(&d, awaits, f, &one), "task_new");
    stop_at(task_new(&d, awaits, g, &two), "task_new");
    task_dump(&d, stdout);
    printf("  future_set_exception(g, ERR_VALUE):\n");
    stop_at(future_set_exception(g, ERR_VALUE), "future_set_exception");
    printf("  future_set_result(f, 41):\n");
    stop_at(future_set_result(f, value_int(41)), "future_set_result");
    future_describe(task_future(one), text, sizeof text);
    printf("  %s\n", text);
    task_unref(one);
    task_unref(two);
    future_unref(f);
    future_unref(g);
    immediate_close(&d);
}

/* --- the crash ---------------------------------------------------------------------------- */

enum { CHAIN = 100000, STACK_OF_CHILD = 256 * 1024 };

/* Takes over the reference to the future that it awaits. */
static int awaits_the_next(void *arg, value *ret)
{
    struct future *next = arg;
    int error = task_await(next, ret);
    future_unref(next);
    return error;
}

/*
 * Each task awaits the one made before it; the first awaits a future. When that completes, its task
 * ends, which completes it, which wakes the second, …
 */
static void wake_a_chain(int length)
{
    struct dispatcher d;
    immediate_init(&d);
    struct future *first = future_new(&d);
    struct future *last = future_ref(first);
    for (int i = 0; i < length; i++) {
        struct task *task;
        stop_at(task_new(&d, awaits_the_next, last, &task), "task_new");
        last = task_future(task);
    }
    stop_at(future_set_result(first, value_int(length)), "future_set_result");
    future_unref(first);
    if (!future_done(last))
        exit(EXIT_FAILURE);
    future_unref(last);
    immediate_close(&d);
    exit(EXIT_SUCCESS);
}

/* In a program of its own, because a limit of the stack counts from the start of a program. */
static int in_a_child(const char *program, const char *length)
{
    int status = -1;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit stack = {STACK_OF_CHILD, STACK_OF_CHILD}, core = {0, 0};
        if (setrlimit(RLIMIT_CORE, &core) == 0 && setrlimit(RLIMIT_STACK, &stack) == 0)
            execl("/proc/self/exe", program, "--chain", length, (char *)NULL);
        _exit(EXIT_FAILURE);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        exit(EXIT_FAILURE);
    return status;
}

static void crash(const char *program)
{
    char length[16];
    printf("\nA chain of tasks on the immediate dispatcher, with a stack of 256 KiB\n");
    printf("  10 tasks, each awaiting the next: %s\n",
           in_a_child(program, "10") == 0 ? "fine" : "it failed");
    snprintf(length, sizeof length, "%d", CHAIN);
    int status = in_a_child(program, length);
    if (WIFSIGNALED(status))
        printf("  100,000 tasks, each awaiting the next: killed, %s\n",
               strsignal(WTERMSIG(status)));
    else
        printf("  100,000 tasks, each awaiting the next: it %s\n",
               WEXITSTATUS(status) == 0 ? "survived" : "failed");
    printf("  The dispatcher calls at once, so each wake-up is a call inside the one before:\n"
           "  a long chain of wake-ups eats the C stack. The cure is a queue: stage 4.\n");
}

int main(int argc, char **argv)
{
    static struct chatter foo10 = {"foo", 10, false}, bar5 = {"bar", 5, false};
    static struct chatter foo5 = {"foo", 5, true}, bar10 = {"bar", 10, true};
    static struct chatter for_ever = {"foo", 1000000, true}, child = {"foo", 5, true};
    static int numbers[] = {2, 2};
    if (argc == 3 && strcmp(argv[1], "--chain") == 0)
        wake_a_chain(atoi(argv[2]));
    printf("Stage 3: two ways to schedule generators.\n");
    run_kernel("Taking turns: foo yields 10 times, bar 5 times", chatter, &foo10, chatter, &bar5);
    run_kernel("A system call: sys_gettid()", chatter, &foo5, chatter, &bar10);
    run_kernel("sys_new() and sys_kill()", kills_its_child, &for_ever, NULL, NULL);
    run_kernel("sys_wait()", waits_for_its_child, &child, NULL, NULL);
    run_kernel("A subroutine on the trampoline: add(2, 2)", calls_add, numbers, NULL, NULL);
    run_tasks();
    crash(argv[0]);
    return EXIT_SUCCESS;
}
