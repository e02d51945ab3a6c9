/*
 * As many tasks as PERFORMANCE.md asks for, each asleep on a timer, in the smallest class of
 * stacks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "combine.h"
#include "loop.h"
#include "task.h"

enum { STACK = 16 * 1024 };

static long asleep;

static int sleeper(void *arg, value *ret)
{
    (void)arg, (void)ret;
    asleep++;
    return sleep_for(3600);
}

static double status_of(const char *field)
{
    char line[256];
    double kilobytes = 0;
    FILE *file = fopen("/proc/self/status", "r");
    MUST(file != NULL);
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, field, strlen(field)) == 0)
            kilobytes = atof(line + strlen(field) + 1);
    fclose(file);
    return kilobytes * 1024;
}

int main(void)
{
    bench_begin();
    const long n = 1000000;
    struct task_loop *loop = loop_new(clock_poller_new());
    MUST(loop != NULL);
    double resident = status_of("VmRSS"), tables = status_of("VmPTE");
    int64_t begin = bench_now();
    for (long i = 0; i < n; i++) {
        struct task *task;
        int error = task_new_named(loop_dispatcher(loop), sleeper, NULL, "sleeper", STACK, &task);
        MUST(error == 0);
        task_unref(task);
    }
    while (asleep < n)
        MUST(loop_run_once(loop) >= 0);
    double each = (double)(bench_now() - begin) / (double)n;
    resident = status_of("VmRSS") - resident;
    tables = status_of("VmPTE") - tables;
    bench_figure("memory.task", (resident + tables) / (double)n, "bytes");
    bench_figure("memory.task-count", (double)n, "tasks");
    bench_figure("memory.task-create-cold", each, "ns");
    fflush(stdout);
    _Exit(0); /* waking a million to say good-bye is not what is measured */
}
