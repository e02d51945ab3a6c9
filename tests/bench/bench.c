/*
 * Slices, pairs and medians.
 *
 * Floating point is kept out of the measured parts and its exception flags are cleared before each
 * slice. That is a courtesy to Boost: its switch saves MXCSR, and when the flags of the two sides
 * differ (one inexact division on one of them is enough) it takes 145 ns instead of 10.
 */
#include "bench.h"

#include <fenv.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_NAMES = 64 };

static int pairs = 21;
static bool quickly;
static int64_t slice = 20 * 1000 * 1000;
static FILE *samples;

struct remote {
    FILE *to, *from;
    pid_t pid;
};

int64_t bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

_Noreturn void bench_fail(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: the benchmark itself failed: %s\n", file, line, what);
    exit(1);
}

void bench_begin(void)
{
    const char *quick = getenv("QUICK"), *path = getenv("BENCH_SAMPLES"),
               *core = getenv("BENCH_CORE");
    cpu_set_t one;
    if (quick != NULL && strcmp(quick, "0") != 0 && *quick != '\0') {
        quickly = true;
        pairs = 11;
        slice = 8 * 1000 * 1000;
    }
    CPU_ZERO(&one);
    CPU_SET(core == NULL ? (int)sysconf(_SC_NPROCESSORS_ONLN) - 1 : atoi(core), &one);
    sched_setaffinity(0, sizeof one, &one); /* not allowed: then unpinned */
    samples = path == NULL ? NULL : fopen(path, "a");
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
}

static int64_t run(const struct side *side, long n)
{
    if (side->run != NULL) {
        feclearexcept(FE_ALL_EXCEPT);
        return side->run(n);
    }
    long long ns = -1;
    fprintf(side->remote->to, "%s %ld\n", side->job, n);
    fflush(side->remote->to);
    if (fscanf(side->remote->from, "%lld", &ns) != 1 || ns < 0) {
        fprintf(stderr, "bench: %s did not answer to \"%s %ld\"\n", side->label, side->job, n);
        exit(1);
    }
    return ns;
}

/* How many times fill a slice. */
static long calibrate(const struct side *side)
{
    long n = 1;
    run(side, n); /* pages, caches, pools */
    for (;;) {
        int64_t ns = run(side, n);
        if (ns >= slice)
            return n;
        if (ns >= slice / 16)
            return (long)((double)n * (double)slice / (double)ns) + 1;
        n *= 4;
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, by_size);
    return n % 2 != 0 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* The part of a name before the slash: what was done. */
static int stem(const char *name)
{
    return (int)strcspn(name, "/");
}

static void keep(const char *name, const char *label, double ns)
{
    if (samples != NULL) {
        fprintf(samples, "%s\t%s\t%.3f\n", name, label, ns);
        fflush(samples);
    }
}

static void figure_once(const char *name, const char *label, double ns)
{
    static char known[MOST_NAMES][80];
    static int count;
    char text[80];
    snprintf(text, sizeof text, "%.*s.%s", stem(name), name, label);
    for (int i = 0; i < count; i++)
        if (strcmp(known[i], text) == 0)
            return;
    if (count < MOST_NAMES)
        strcpy(known[count++], text);
    bench_figure(text, ns, "ns");
}

bool bench_quick(void)
{
    return quickly;
}

void bench_report(const char *name, const char *label, const double *a, const char *other,
                  const double *b, int n)
{
    double ratio[BENCH_PAIRS], x[BENCH_PAIRS], y[BENCH_PAIRS];
    for (int i = 0; i < n; i++) {
        ratio[i] = a[i] / b[i];
        keep(name, label, x[i] = a[i]);
        keep(name, other, y[i] = b[i]);
    }
    printf("ratio %s %.3f\n", name, median(ratio, n));
    figure_once(name, label, median(x, n));
    figure_once(name, other, median(y, n));
}

static double each(const struct side *side, long n)
{
    return (double)run(side, n) / (double)n / (double)(side->per == 0 ? 1 : side->per);
}

double bench_once(struct side side, long n)
{
    return each(&side, n);
}

void bench_compare(const char *name, struct side ours, struct side theirs)
{
    double a[BENCH_PAIRS], b[BENCH_PAIRS];
    long n = calibrate(&ours), m = calibrate(&theirs);
    for (int i = 0; i < pairs; i++) {
        if (i % 2 != 0) /* who comes first, alternates too */
            b[i] = each(&theirs, m);
        a[i] = each(&ours, n);
        if (i % 2 == 0)
            b[i] = each(&theirs, m);
    }
    bench_report(name, ours.label, a, theirs.label, b, pairs);
}

void bench_alone(const char *name, struct side side)
{
    double a[BENCH_PAIRS];
    long n = calibrate(&side);
    for (int i = 0; i < pairs; i++) {
        a[i] = each(&side, n);
        keep(name, side.label, a[i]);
    }
    bench_figure(name, median(a, pairs), "ns");
}

void bench_figure(const char *name, double value, const char *unit)
{
    if (value >= 1000)
        printf("figure %s %.0f %s\n", name, value, unit);
    else
        printf("figure %s %.2f %s\n", name, value, unit);
}

void bench_skip(const char *name, const char *how)
{
    printf("skip %s (%s)\n", name, how);
}

struct remote *remote_open(const char *command)
{
    struct remote *r = calloc(1, sizeof *r);
    int in[2], out[2];
    MUST(r != NULL && pipe(in) == 0 && pipe(out) == 0);
    fflush(stdout);
    r->pid = fork();
    MUST(r->pid >= 0);
    if (r->pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[0]), close(in[1]), close(out[0]), close(out[1]);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    r->to = fdopen(in[1], "w");
    r->from = fdopen(out[0], "r");
    MUST(r->to != NULL && r->from != NULL);
    long long ns = -1;
    fprintf(r->to, "hello 1\n");
    fflush(r->to);
    if (fscanf(r->from, "%lld", &ns) == 1)
        return r;
    remote_close(r);
    return NULL;
}

void remote_close(struct remote *r)
{
    if (r == NULL)
        return;
    fclose(r->to);
    fclose(r->from);
    waitpid(r->pid, NULL, 0);
    free(r);
}
