/* ready.h - the line that says where a server listens: to standard output, a descriptor, a file. */
#ifndef SOFTEUICC_LAB_READY_H
#define SOFTEUICC_LAB_READY_H

#include "lab/util.h"

enum {
    READY_NO_FD = -1,
    READY_MAX_FD = 1023,
};

/* Who is told; standard output always is. */
struct ready {
    int fd;           /* closed when it is told, as its reader waits for the end; or READY_NO_FD */
    const char *file; /* or NULL; whoever sees the file sees the whole line in it */
};

/* Tells the line, which ends with a newline: the file first, so that it is there for whoever reads
 * the line.  -1: e says who could not be told. */
int ready_tell(const struct ready *who, const char *line, struct lab_error *e);

#endif
