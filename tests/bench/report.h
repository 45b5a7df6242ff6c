/* report.h - what the benchmarks share: clocks, medians, and one form of line.
 *
 *   download TS48v3: card 812 us, bare 540 us, ratio 1.50
 *
 * A line begins with what was measured; the aim stands at its end in brackets.  Nobody asserts a
 * time: machines differ, and ratios within one run are what to look at. */
#ifndef TESTS_BENCH_REPORT_H
#define TESTS_BENCH_REPORT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline double clock_us(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* CPU time of this process, all its threads. */
static inline double cpu_us(void)
{
    return clock_us(CLOCK_PROCESS_CPUTIME_ID);
}

static inline double wall_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

static inline int compare_times(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Sorts the times. */
static inline double median(double *times, size_t n)
{
    qsort(times, n, sizeof *times, compare_times);
    return times[n / 2];
}

__attribute__((format(printf, 2, 3))) static inline void report(const char *what,
                                                                const char *format, ...)
{
    va_list args;

    printf("%s: ", what);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

/* What a benchmark cannot go on without. */
static inline void insist(int holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "the benchmark fails: %s\n", what);
    exit(EXIT_FAILURE);
}

#endif
