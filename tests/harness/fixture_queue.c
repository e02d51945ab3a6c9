/*
 * The dispatcher of the checks of the stages 2 and 3: a queue that moves when it is told to. What a
 * loop does in one turn is one fixture_iteration(). There is no time.
 */
#include <stdio.h>
#include <string.h>

#include "dispatcher.h"
#include "future.h"
#include "harness_impl.h"

const char *const fixture_kinds[] = {"queue", NULL};

static struct queue {
    struct dispatcher dispatcher;
    struct call_queue ready, batch;
    bool made;
} queue;

static int soon(struct dispatcher *d, struct call *call)
{
    if (d->closed)
        return ERR_CLOSED;
    call_queue_push(&queue.ready, call);
    return 0;
}

static void report(struct dispatcher *d, const struct problem *problem)
{
    (void)d;
    harness_report(problem->message, problem->error);
}

static const struct dispatcher_ops queue_ops = {.soon = soon, .report = report};

struct dispatcher *fixture_dispatcher(void)
{
    if (!queue.made) {
        dispatcher_init(&queue.dispatcher, &queue_ops);
        call_queue_init(&queue.ready);
        call_queue_init(&queue.batch);
        queue.made = true;
    }
    return &queue.dispatcher;
}

int fixture_iteration(void)
{
    struct call *call;
    int ran = 0;
    fixture_dispatcher();
    call_queue_move(&queue.batch, &queue.ready);
    while ((call = call_queue_pop(&queue.batch)) != NULL) {
        int error = call->fn(call);
        if (error < 0)
            dispatcher_report(&queue.dispatcher, "a callback failed", error, NULL);
        ran++;
    }
    return ran;
}

int fixture_pump(void)
{
    int ran, all = 0;
    while ((ran = fixture_iteration()) > 0)
        all += ran;
    return all;
}

void fixture_advance(double seconds)
{
    (void)seconds;
    fixture_pump();
}

double fixture_now(void)
{
    return 0;
}

void fixture_close(void)
{
    if (!queue.made || queue.dispatcher.closed)
        return;
    queue.dispatcher.closed = true;
    call_queue_drop(&queue.ready);
    dispatcher_shut(&queue.dispatcher);
    dispatcher_release(&queue.dispatcher);
}

struct task_loop *fixture_loop(void)
{
    return NULL;
}

struct selector *fixture_selector(void)
{
    return NULL;
}

void fixture_real_time(void)
{
}

const char *fixture_kind(void)
{
    return "queue";
}

void fixture_begin(const char *kind)
{
    (void)kind;
    memset(&queue, 0, sizeof queue);
}

void fixture_end(void)
{
    fixture_close();
}
