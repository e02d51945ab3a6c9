/*
 * An operating system in one file. A task is a generator with a number; a yield is a trap, which
 * brings the kernel back; what was yielded says what the task wants.
 *
 *     kernel_run:   ready queue -> [3] -> [1] -> [idle] -> [7]
 *                        |
 *                        v  one turn
 *                   run(task 3) yields
 *                        a system call    its handle() decides when the task goes on
 *                        anything else    back to the end of the queue
 *                        nothing more     it leaves; whoever waited for it is queued
 *
 * Invariant: a task that is not running stands in the ready queue, or has a system call (`call`)
 * that will put it there; never both. `link` is its one place in a queue: the ready queue, or the
 * list of those who wait for some task to end. So a task cannot be resumed twice, and queueing it
 * never allocates. The links are those of dispatcher.h, as a plain list: nobody calls these calls.
 */
#include "kernel.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "dispatcher.h"

enum {
    FIRST_BUCKETS = 16, /* a power of two, as all later sizes */
    FIRST_STACK = 4,    /* callers that a task has room for when it first needs some */
    PATIENCE = 1000     /* how often kernel_free() asks a body to end */
};

struct kernel_task {
    int tid;
    struct call link;          /* in the ready queue, or among the waiters of another task */
    struct syscall *call;      /* what it waits for; NULL: it is ready or running */
    struct call_queue waiters; /* those who wait for it to end, in the order in which they came */

    /* the generator to be resumed, and with what; no generator: killed, leaves on its next turn */
    struct generator *target;
    value answer;
    int error; /* raised instead, if not 0; of a killed task: what its clean-up raised */

    /* who called a subroutine and waits for its result, the latest last */
    struct generator **stack;
    size_t depth, room;

    /* how the kernel finds it */
    struct call all;
    struct kernel_task *next_in_bucket;
    char name[20];
};

struct kernel {
    struct call_queue ready;
    struct call_queue all; /* every task, by number */
    struct kernel_task **buckets;
    size_t n_buckets;
    size_t count;
    int last_tid;
    bool running, closing;

    struct kernel_idle *idle;
    struct call idle_turn; /* its place in the ready queue: always there, once there is an idle */

    void (*report)(int tid, int error, void *arg);
    void *report_arg;
};

static int format_generator(value v, char *text, size_t size)
{
    struct generator *g = v.as.pointer;
    return snprintf(text, size, "<generator %s>", g == NULL ? "NULL" : gen_name(g));
}

const struct value_type value_type_syscall = {"system call", NULL};
const struct value_type value_type_generator = {"generator", format_generator};

/* --- finding tasks ------------------------------------------------------------------------ */

static struct kernel_task **bucket_of(const struct kernel *kernel, int tid)
{
    return &kernel->buckets[(size_t)tid & (kernel->n_buckets - 1)];
}

static struct kernel_task *find(const struct kernel *kernel, int tid)
{
    struct kernel_task *task = *bucket_of(kernel, tid);
    while (task != NULL && task->tid != tid)
        task = task->next_in_bucket;
    return task;
}

static void enter(struct kernel *kernel, struct kernel_task *task)
{
    struct kernel_task **bucket = bucket_of(kernel, task->tid);
    task->next_in_bucket = *bucket;
    *bucket = task;
}

/* Numbers follow each other, so the buckets fill evenly. Without memory the old ones must do. */
static void grow_buckets(struct kernel *kernel)
{
    struct kernel_task **more = calloc(2 * kernel->n_buckets, sizeof *more);
    if (more == NULL)
        return;
    free(kernel->buckets);
    kernel->buckets = more;
    kernel->n_buckets *= 2;
    for (struct call *c = call_queue_first(&kernel->all); c != NULL;
         c = call_queue_next(&kernel->all, c))
        enter(kernel, CONTAINER_OF(c, struct kernel_task, all));
}

static void forget(struct kernel *kernel, struct kernel_task *task)
{
    struct kernel_task **place = bucket_of(kernel, task->tid);
    while (*place != task)
        place = &(*place)->next_in_bucket;
    *place = task->next_in_bucket;
    call_queue_remove(&task->all);
    kernel->count--;
}

/* --- beginning ---------------------------------------------------------------------------- */

struct kernel *kernel_new(void)
{
    struct kernel *kernel = calloc(1, sizeof *kernel);
    struct kernel_task **buckets = calloc(FIRST_BUCKETS, sizeof(struct kernel_task *));
    if (kernel == NULL || buckets == NULL) {
        free(kernel);
        free(buckets);
        errno = ENOMEM;
        return NULL;
    }
    kernel->buckets = buckets;
    kernel->n_buckets = FIRST_BUCKETS;
    call_queue_init(&kernel->ready);
    call_queue_init(&kernel->all);
    return kernel;
}

int kernel_spawn(struct kernel *kernel, gen_fn *fn, void *arg)
{
    if (kernel->closing)
        return ERR_CLOSED;
    if (fn == NULL)
        return ERR_VALUE;
    if (kernel->last_tid == INT_MAX)
        return -EAGAIN;
    struct kernel_task *task = calloc(1, sizeof *task);
    if (task == NULL)
        return -ENOMEM;
    task->target = gen_new_named(fn, arg, task->name);
    if (task->target == NULL) {
        free(task);
        return -ENOMEM;
    }
    task->tid = ++kernel->last_tid;
    snprintf(task->name, sizeof task->name, "task %d", task->tid);
    call_queue_init(&task->waiters);
    if (++kernel->count > kernel->n_buckets)
        grow_buckets(kernel);
    enter(kernel, task);
    call_queue_push(&kernel->all, &task->all);
    call_queue_push(&kernel->ready, &task->link);
    return task->tid;
}

size_t kernel_tasks(const struct kernel *kernel)
{
    return kernel->count;
}

int kernel_task_tid(const struct kernel_task *task)
{
    return task->tid;
}

void kernel_set_report(struct kernel *kernel, void (*report)(int tid, int error, void *arg),
                       void *arg)
{
    kernel->report = report;
    kernel->report_arg = arg;
}

static void report(const struct kernel *kernel, const struct kernel_task *task, int error,
                   const char *what)
{
    if (kernel->report != NULL)
        kernel->report(task->tid, error, kernel->report_arg);
    else if (error)
        printf("Task %d %s: %s\n", task->tid, what, error_name(error));
    else
        printf("Task %d %s\n", task->tid, what);
}

int kernel_set_idle(struct kernel *kernel, struct kernel_idle *idle)
{
    if (kernel->idle != NULL)
        return ERR_BUSY;
    kernel->idle = idle;
    call_queue_push(&kernel->ready, &kernel->idle_turn);
    return 0;
}

struct kernel_idle *kernel_idle(const struct kernel *kernel)
{
    return kernel->idle;
}

/* --- waking ------------------------------------------------------------------------------- */

static void wake(struct kernel *kernel, struct kernel_task *task, value answer, int error)
{
    task->call = NULL;
    task->answer = answer;
    task->error = error;
    call_queue_push(&kernel->ready, &task->link);
}

void kernel_schedule(struct kernel *kernel, struct kernel_task *task, value answer)
{
    if (task->call == NULL)
        die("kernel_schedule() of task %d, which does not wait for a system call", task->tid);
    wake(kernel, task, answer, 0);
}

void kernel_throw(struct kernel *kernel, struct kernel_task *task, int error)
{
    if (task->call == NULL)
        die("kernel_throw() at task %d, which does not wait for a system call", task->tid);
    if (error >= 0)
        die("kernel_throw() at task %d with %d, which is no error", task->tid, error);
    wake(kernel, task, value_none(), error);
}

/* --- running ------------------------------------------------------------------------------ */

/* A subroutine is called: its caller waits on the stack. Or the error to raise in the caller. */
static int push(struct kernel_task *task, struct generator *subroutine)
{
    if (subroutine == NULL)
        return -ENOMEM; /* value_generator(gen_new(…)), and gen_new() had no memory */
    if (gen_state(subroutine) != GEN_CREATED)
        return ERR_RUNTIME; /* it may stand on some stack already: then it has an owner */
    if (task->depth == task->room) {
        size_t room = task->room == 0 ? FIRST_STACK : 2 * task->room;
        struct generator **more = realloc(task->stack, room * sizeof(struct generator *));
        if (more == NULL) {
            gen_free(subroutine);
            return -ENOMEM;
        }
        task->stack = more;
        task->room = room;
    }
    task->stack[task->depth++] = task->target;
    task->target = subroutine;
    return 0;
}

/* The subroutine is over, or abandoned at the yield of its value (P14): back to its caller. */
static void pop(struct kernel_task *task)
{
    gen_free(task->target);
    task->target = task->stack[--task->depth];
}

/*
 * The trampoline: resumes the task, and its subroutines for it, until there is something for the
 * kernel to do. GEN_NEXT: it yielded `*out`, a system call or, at the bottom of the stack,
 * something plain. Otherwise the task's own body returned (0) or raised that error.
 */
static int run(struct kernel_task *task, value *out)
{
    /* EXERCISE 3.8 run: the trampoline */
    for (;;) {
        value answer = task->answer;
        int error = task->error;
        task->answer = value_none(); /* it is used up */
        task->error = 0;
        int status = error ? gen_throw(task->target, error, out)
                           : gen_send(task->target, answer, out);
        if (status == GEN_NEXT && value_is(*out, &value_type_syscall))
            return status;
        if (status == GEN_NEXT && value_is(*out, &value_type_generator)) {
            task->error = push(task, out->as.pointer);
            continue;
        }
        if (task->depth == 0)
            return status;
        pop(task);
        if (status == GEN_NEXT)
            task->answer = *out; /* its value; one that only ended gives None */
        else if (status < 0)
            task->error = status;
    }
    /* END 3.8 */
}

/* The end of a task: reported, then forgotten, then whoever waited for it goes on (P10). */
static void leave(struct kernel *kernel, struct kernel_task *task, int error)
{
    struct call *link;
    report(kernel, task, error, "terminated");
    forget(kernel, task);
    while ((link = call_queue_pop(&task->waiters)) != NULL)
        kernel_schedule(kernel, CONTAINER_OF(link, struct kernel_task, link), value_bool(true));
    call_queue_remove(&task->link);
    while (task->depth > 0)
        pop(task);
    gen_free(task->target);
    free(task->stack);
    free(task);
}

/* Nothing can run. Everybody who is left waits for something that will never come. */
static int deadlock(const struct kernel *kernel)
{
    for (struct call *c = call_queue_first(&kernel->all); c != NULL;
         c = call_queue_next(&kernel->all, c)) {
        struct kernel_task *task = CONTAINER_OF(c, struct kernel_task, all);
        if (task->call != NULL) /* the report of another one may have spawned a task */
            report(kernel, task, ERR_DEADLOCK, "waits for ever");
    }
    return ERR_DEADLOCK;
}

/* The turn of whoever can wait; one in each round, because it has a place in the queue. */
static int idle_turn(struct kernel *kernel)
{
    bool wait = call_queue_empty(&kernel->ready);
    int error = kernel->idle->poll(kernel->idle, wait);
    bool stuck = error == ERR_DEADLOCK && wait && call_queue_empty(&kernel->ready);
    call_queue_push(&kernel->ready, &kernel->idle_turn);
    if (error == ERR_DEADLOCK)
        return stuck ? deadlock(kernel) : 0;
    return error;
}

/* One turn: the oldest in the ready queue, up to its next trap. Negative ends kernel_run(). */
static int turn(struct kernel *kernel)
{
    /* EXERCISE 3.7 turn: run the oldest, and see what it wants */
    struct call *oldest = call_queue_pop(&kernel->ready);
    if (oldest == NULL)
        return deadlock(kernel);
    if (oldest == &kernel->idle_turn)
        return idle_turn(kernel);
    struct kernel_task *task = CONTAINER_OF(oldest, struct kernel_task, link);
    value wish = value_none();
    int status = task->target == NULL ? task->error : run(task, &wish);
    if (status != GEN_NEXT) {
        leave(kernel, task, status);
    } else if (value_is(wish, &value_type_syscall)) {
        task->call = wish.as.pointer;
        task->call->handle(task->call, kernel, task); /* the task and the call may be gone now */
    } else {
        call_queue_push(&kernel->ready, &task->link);
    }
    return 0;
    /* END 3.7 */
}

int kernel_run(struct kernel *kernel)
{
    int error = 0;
    if (kernel->running || kernel->closing)
        return ERR_BUSY;
    kernel->running = true;
    while (!error && kernel->count > 0)
        error = turn(kernel);
    kernel->running = false;
    return error;
}

/* --- ending ------------------------------------------------------------------------------- */

static void cancel_call(struct kernel_task *task)
{
    struct syscall *call = task->call;
    task->call = NULL;
    if (call != NULL && call->cancel != NULL)
        call->cancel(call);
}

/*
 * Closes the victim's generators, the innermost first, so that each clean-up runs before that of
 * its caller. The task itself leaves on its next turn; one that waits gets that turn now. `call` of
 * a task that kills itself lies on the stack that is closed here.
 */
static void kill_task(struct kernel *kernel, struct kernel_task *victim)
{
    /* EXERCISE 3.10 kill_task: unwind it, and let it leave */
    if (victim->target == NULL)
        return; /* killed before, and not gone yet */
    if (victim->call != NULL) {
        cancel_call(victim);
        call_queue_push(&kernel->ready, &victim->link);
    }
    victim->error = 0;
    for (;;) {
        int error = gen_close(victim->target, NULL);
        if (error)
            victim->error = error;
        if (victim->depth == 0)
            break;
        pop(victim);
    }
    gen_free(victim->target);
    victim->target = NULL;
    /* END 3.10 */
}

/* Runs a task to its end; whatever it waits for fails at once, subroutines included. */
static void finish(struct kernel *kernel, struct kernel_task *task)
{
    value wish;
    int status = task->target == NULL ? task->error : GEN_NEXT;
    bool begun = task->target == NULL || gen_state(task->target) != GEN_CREATED;
    cancel_call(task);
    for (int times = 0; status == GEN_NEXT; times++) {
        if (times > PATIENCE)
            die("kernel_free(): the body of task %d does not end: it ignores ERR_GENERATOR_EXIT",
                task->tid);
        task->answer = value_none();
        task->error = begun ? ERR_GENERATOR_EXIT : 0;
        begun = true;
        status = run(task, &wish);
    }
    leave(kernel, task, status == ERR_GENERATOR_EXIT ? 0 : status);
}

void kernel_free(struct kernel *kernel)
{
    if (kernel == NULL)
        return;
    if (kernel->running || kernel->closing)
        die("kernel_free() of a kernel that is running");
    kernel->closing = true;
    while (!call_queue_empty(&kernel->all))
        finish(kernel, CONTAINER_OF(call_queue_first(&kernel->all), struct kernel_task, all));
    if (kernel->idle != NULL && kernel->idle->close != NULL)
        kernel->idle->close(kernel->idle);
    free(kernel->buckets);
    free(kernel);
}

/* --- system calls ------------------------------------------------------------------------- */

/* The trap. Yields the call; the kernel's answer is a number or a truth, or nothing. */
static int trap(struct syscall *call)
{
    value answer;
    int error = gen_yield(value_syscall(call), &answer);
    if (error)
        return error;
    if (value_is(answer, &value_type_int) || value_is(answer, &value_type_bool))
        return (int)value_as_int(answer);
    return value_is_none(answer) ? 0 : ERR_TYPE; /* a driver that is no kernel may send anything */
}

static void handle_gettid(struct syscall *call, struct kernel *kernel, struct kernel_task *task)
{
    (void)call;
    kernel_schedule(kernel, task, value_int(task->tid));
}

int sys_gettid(void)
{
    struct syscall call = {.handle = handle_gettid};
    return trap(&call);
}

static void handle_yield(struct syscall *call, struct kernel *kernel, struct kernel_task *task)
{
    (void)call;
    kernel_schedule(kernel, task, value_none());
}

int sys_yield(void)
{
    struct syscall call = {.handle = handle_yield};
    return trap(&call);
}

struct new_call {
    struct syscall call;
    gen_fn *fn;
    void *arg;
};

static void handle_new(struct syscall *call, struct kernel *kernel, struct kernel_task *task)
{
    struct new_call *wanted = CONTAINER_OF(call, struct new_call, call);
    int tid = kernel_spawn(kernel, wanted->fn, wanted->arg);
    if (tid < 0)
        kernel_throw(kernel, task, tid);
    else
        kernel_schedule(kernel, task, value_int(tid));
}

int sys_new(gen_fn *fn, void *arg)
{
    struct new_call call = {{.handle = handle_new}, fn, arg};
    return trap(&call.call);
}

struct tid_call {
    struct syscall call;
    int tid;
    struct kernel_task *task; /* who asks */
};

static void handle_kill(struct syscall *call, struct kernel *kernel, struct kernel_task *task)
{
    struct kernel_task *victim = find(kernel, CONTAINER_OF(call, struct tid_call, call)->tid);
    if (victim != NULL)
        kill_task(kernel, victim); /* a parked one is queued here, and so before its killer */
    if (victim != task)
        kernel_schedule(kernel, task, value_bool(victim != NULL));
}

int sys_kill(int tid)
{
    struct tid_call call = {{.handle = handle_kill}, tid, NULL};
    return trap(&call.call);
}

static void handle_wait(struct syscall *call, struct kernel *kernel, struct kernel_task *task)
{
    struct tid_call *wanted = CONTAINER_OF(call, struct tid_call, call);
    struct kernel_task *other = find(kernel, wanted->tid);
    wanted->task = task;
    /* EXERCISE 3.9 handle_wait: refuse, answer or park */
    if (other == NULL)
        kernel_schedule(kernel, task, value_bool(false));
    else if (other == task)
        kernel_throw(kernel, task, ERR_DEADLOCK);
    else
        call_queue_push(&other->waiters, &task->link);
    /* END 3.9 */
}

static void cancel_wait(struct syscall *call)
{
    call_queue_remove(&CONTAINER_OF(call, struct tid_call, call)->task->link);
}

int sys_wait(int tid)
{
    struct tid_call call = {{.handle = handle_wait, .cancel = cancel_wait}, tid, NULL};
    return trap(&call.call);
}
