/* child.h - a running softeuicc apdu CARD with its pipes, for the benchmarks. */
#ifndef TESTS_BENCH_CHILD_H
#define TESTS_BENCH_CHILD_H

#include <stdio.h>
#include <sys/types.h>

struct child {
    pid_t pid;
    int to;     /* its standard input */
    FILE *from; /* its standard output */
};

/* Starts PROGRAM apdu CARD. */
void child_start(struct child *c, const char *program, const char *card);

/* Sends a line and reads the one that answers it. */
void child_ask(struct child *c, const char *line, char *ret, size_t size);

/* Ends its input and waits for it. */
void child_end(struct child *c);

/* Private memory of a process in kB: RssAnon of /proc/PID/status. */
long rss_anon_kb(pid_t pid);

#endif
