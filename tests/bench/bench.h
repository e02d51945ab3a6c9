/*
 * How two contestants are compared. Each is a function that does something n times and answers the
 * nanoseconds. They take turns in slices of some milliseconds, in one run on one core, so that
 * whatever else the machine does meets both; each pair of slices gives a ratio, and the median of
 * the ratios is what is printed. A contestant in another language is another process, which does
 * the same when it is asked to (see remote_open()).
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>

struct remote;

struct side {
    const char *label;               /* "ours", "fcontext" */
    int64_t (*run)(long n);          /* does it n times, answers nanoseconds; or NULL and … */
    struct remote *remote;           /* … this process does, */
    const char *job;                 /* when asked for this */
    long per;                        /* one of n is so many operations; 0 means 1 */
};

/* Reads QUICK, pins the process to one core, opens the file of raw samples (BENCH_SAMPLES). */
void bench_begin(void);

/* Nanoseconds of a clock that only goes forward. Integers: see bench.c on floating point. */
int64_t bench_now(void);

/* Prints `ratio NAME VALUE`, and the medians of both as `figure` lines the first time. */
void bench_compare(const char *name, struct side ours, struct side theirs);

/* The same from measurements made elsewhere: n pairs of nanoseconds. At most BENCH_PAIRS. */
enum { BENCH_PAIRS = 101 };
void bench_report(const char *name, const char *label, const double *a, const char *other,
                  const double *b, int n);

/* One slice of n, nanoseconds each. */
double bench_once(struct side side, long n);

/* Whether QUICK=1 was asked for. */
bool bench_quick(void);

/* Prints the median of a contestant alone. */
void bench_alone(const char *name, struct side side);

void bench_figure(const char *name, double value, const char *unit);
void bench_skip(const char *name, const char *how);

/*
 * Starts a program that reads lines `JOB N` and answers each with the nanoseconds that it took.
 * NULL if it cannot be started or does not answer to `hello 1`.
 */
struct remote *remote_open(const char *command);
void remote_close(struct remote *remote);

/* For results that nobody looks at. */
#define BENCH_USE(x) __asm__ volatile("" : : "r"(x) : "memory")

/* A step of a benchmark that must not fail: ends the program with the place. */
_Noreturn void bench_fail(const char *what, const char *file, int line);
#define MUST(x) ((x) ? (void)0 : bench_fail(#x, __FILE__, __LINE__))

#endif
