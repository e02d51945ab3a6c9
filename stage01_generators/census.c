/*
 * A stack is painted with one byte before it is used. What the body wrote over, it used; the lowest
 * byte that is not paint is the high-water mark. (A body may have written paint itself, or have
 * left a hole: the count is a good guess, and never too high.)
 */
#include "census.h"

#ifdef STACK_CENSUS

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAINT = 0xa5 };

struct entry {
    const char *name;
    size_t most, size;
    unsigned long generators;
    struct entry *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry *entries;

/* The greatest first. */
static void print(void)
{
    fprintf(stderr, "stack use, the highest of each body, in bytes:\n");
    while (entries != NULL) {
        struct entry *e = entries, *greatest = e;
        for (; e != NULL; e = e->next)
            greatest = e->most > greatest->most ? e : greatest;
        fprintf(stderr, "%9zu of %8zu  %-32s %9lu generators\n", greatest->most, greatest->size,
                greatest->name, greatest->generators);
        struct entry **link = &entries;
        while (*link != greatest)
            link = &(*link)->next;
        *link = greatest->next;
        free(greatest);
    }
}

void census_paint(struct stack *stack)
{
    memset(stack->low, PAINT, stack->size);
}

static struct entry *entry_of(const char *name)
{
    struct entry *e = entries;
    while (e != NULL && strcmp(e->name, name) != 0)
        e = e->next;
    if (e != NULL)
        return e;
    e = calloc(1, sizeof *e);
    if (e == NULL)
        return NULL;
    if (entries == NULL)
        atexit(print);
    e->name = name;
    e->next = entries;
    entries = e;
    return e;
}

void census_count(const struct stack *stack, const char *name)
{
    size_t untouched = 0;
    while (untouched < stack->size && stack->low[untouched] == PAINT)
        untouched++;
    pthread_mutex_lock(&lock);
    struct entry *e = entry_of(name);
    if (e != NULL) {
        e->generators++;
        if (stack->size - untouched > e->most) {
            e->most = stack->size - untouched;
            e->size = stack->size;
        }
    }
    pthread_mutex_unlock(&lock);
}

#else
typedef int census_is_not_built; /* an empty file is not C */
#endif
