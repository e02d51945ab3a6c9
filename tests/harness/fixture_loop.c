/*
 * From stage 4 on the checks' dispatcher is the loop itself, on a clock of which the checks decide
 * how fast it goes. Which clock is the business of virtual_clock.c (stage 4) or virtual_time.c
 * (stage 5, under the real selectors).
 */
#include <math.h>
#include <stdio.h>

#include "harness_impl.h"
#include "loop.h"

static struct task_loop *loop;
static const char *kind_now;

static int report(const struct problem *problem, void *arg)
{
    (void)arg;
    harness_report(problem->message, problem->error);
    return 0;
}

struct task_loop *fixture_loop(void)
{
    if (loop == NULL) {
        loop = loop_new(virtual_poller(kind_now));
        if (loop == NULL)
            die("fixture_loop(): loop_new() failed");
        loop_set_exception_handler(loop, report, NULL);
    }
    return loop;
}

struct dispatcher *fixture_dispatcher(void)
{
    return loop_dispatcher(fixture_loop());
}

int fixture_iteration(void)
{
    struct task_loop *l = fixture_loop();
    virtual_limit(virtual_now());
    int ran = loop_run_once(l);
    virtual_limit(INFINITY);
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
    fixture_loop();
    double until = virtual_now() + seconds;
    int ran = 0;
    virtual_limit(until);
    while (ran >= 0 && (virtual_now() < until || ran > 0)) {
        double before = virtual_now();
        ran = loop_run_once(fixture_loop());
        if (ran == 0 && virtual_now() <= before) /* it has nothing that it could wait for */
            virtual_set(until);
    }
    virtual_limit(INFINITY);
    fixture_pump();
}

double fixture_now(void)
{
    fixture_loop(); /* its clock begins with it */
    return virtual_now();
}

void fixture_close(void)
{
    if (loop != NULL && loop_close(loop) != 0)
        die("fixture_close(): the loop is running");
}

const char *fixture_kind(void)
{
    return kind_now;
}

void fixture_begin(const char *kind)
{
    loop = NULL;
    kind_now = kind == NULL ? fixture_kinds[0] : kind;
}

void fixture_end(void)
{
    struct task_loop *ended = loop;
    loop = NULL;
    loop_free(ended);
    virtual_end();
}
