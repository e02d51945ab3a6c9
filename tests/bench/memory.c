/*
 * As many suspended generators as PERFORMANCE.md asks for, each on its own guarded stack, and what
 * the system says they cost: pages in memory and the tables that map them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "generator.h"

static int sleeper(void *arg, value *ret)
{
    (void)arg, (void)ret;
    return gen_yield(value_none(), NULL);
}

/* A number of kilobytes from /proc/self/status, in bytes. */
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

static int mappings(void)
{
    int count = 0, c;
    FILE *file = fopen("/proc/self/maps", "r");
    MUST(file != NULL);
    while ((c = getc(file)) != EOF)
        count += c == '\n';
    fclose(file);
    return count;
}

/* What is left for us, so that a small machine measures fewer instead of dying. */
static long affordable(long wanted, double each)
{
    char line[256];
    double available = 8e9;
    FILE *file = fopen("/proc/meminfo", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "MemAvailable:", 13) == 0)
            available = atof(line + 13) * 1024;
    if (file != NULL)
        fclose(file);
    while (wanted > 1000 && (double)wanted * each > available * 0.7)
        wanted /= 10;
    return wanted;
}

static double fill(struct generator **all, long n)
{
    int64_t begin = bench_now();
    for (long i = 0; i < n; i++) {
        all[i] = gen_new(sleeper, NULL);
        if (all[i] == NULL || gen_next(all[i], NULL) != GEN_NEXT)
            MUST(!"no memory for another generator");
    }
    return (double)(bench_now() - begin) / (double)n;
}

static void empty(struct generator **all, long n)
{
    for (long i = n; i > 0; i--)
        gen_free(all[i - 1]);
}

int main(void)
{
    bench_begin();
    const long n = affordable(1000000, 4300);
    double resident = status_of("VmRSS"), tables = status_of("VmPTE");
    struct generator **all = malloc((size_t)n * sizeof *all);
    MUST(all != NULL);
    double cold = fill(all, n);
    resident = status_of("VmRSS") - resident;
    tables = status_of("VmPTE") - tables;
    bench_figure("memory.generator", (resident + tables) / (double)n, "bytes");
    bench_figure("memory.count", (double)n, "generators");
    bench_figure("memory.page-tables", tables / (double)n, "bytes");
    bench_figure("memory.mappings", mappings(), "mappings");
    bench_figure("memory.create-cold", cold, "ns");
    empty(all, n);
    double warm = fill(all, n);
    bench_figure("memory.create-warm", warm, "ns");
    bench_figure("memory.create-warm-rate", 1000 / warm, "million/s");
    empty(all, n);
    free(all);
    return 0;
}
