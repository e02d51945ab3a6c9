/*
 * What the parts of the harness know of each other; suites do not include this.
 *
 * Each check has a record in memory that the check's process and the runner share. The check writes
 * down what it does as it goes, so the runner can tell what led to a crash or a hang although the
 * process that could say so is gone.
 */
#ifndef HARNESS_IMPL_H
#define HARNESS_IMPL_H

#include "harness.h"

enum { STEPS = 40, STEP_SIZE = 120, TEXT_SIZE = 700 };

enum progress {
    NOT_BEGUN,
    BEGUN,   /* and never came back, if it stays so */
    FAILED,  /* an expectation was wrong, or something was left behind */
    SKIPPED, /* it said so itself */
    NOT_RUN, /* it needs an exercise that is not written */
    ENDED    /* it reached its end */
};

struct record {
    int order;              /* the how-manieth it was to begin */
    unsigned char progress; /* enum progress */
    bool random;            /* it asked for random numbers */
    char unwritten[12];     /* the first unwritten exercise that was met */
    char stub[12];          /* the last stub that was entered: the dead cannot be asked */
    int steps;              /* how many there were; the last ones are kept */
    char step[STEPS][STEP_SIZE];
    char want[TEXT_SIZE], got[TEXT_SIZE]; /* of the expectation that failed */
    char reason[TEXT_SIZE];               /* other reasons */
    char file[200];                       /* where the expectation stands */
    int line;
    long output;                  /* where in the common file its output begins */
    double seconds, began, limit; /* limit: the least time in which it can have hung */
    bool hung, waited;            /* so it seemed to the next one; it did nothing else */
};

/* runner.c calls these around each check, in the check's process. */
void harness_begin(struct record *record, const char *kind, unsigned seed);
void harness_end(void);
_Noreturn void harness_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What a failed check does: never returns. */
_Noreturn void harness_give_up(void);
void harness_stop(void);
void harness_stop_at_end(void);

/* Fixtures call this for each report of their dispatcher. */
void harness_report(const char *message, int error);

/* One of the fixture_*.c. */
extern const char *const fixture_kinds[]; /* ends with NULL */
void fixture_begin(const char *kind);
void fixture_end(void);
/* The clock under the loop: virtual_clock.c or virtual_time.c. */
struct poller;
struct poller *virtual_poller(const char *kind);
void virtual_limit(double seconds); /* time may go on by itself up to here */
double virtual_now(void);
void virtual_set(double seconds);
void virtual_end(void);

/* allocation.c */
void allocation_begin(void);
/* @return how many blocks are in use; *bytes of all, *first of one of them (NULL: not wanted). */
size_t allocation_left(size_t *bytes, size_t *first);

#endif
