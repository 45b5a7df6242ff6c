/* control.h - the back door: lines of docs/CONTROL.md. */
#ifndef LIB_CONTROL_H
#define LIB_CONTROL_H

#include "lib/fault.h"
#include "lib/softeuicc.h"

/* 0 with the answer, or negative with the reason, as one line in reply.  The card is that of f. */
int control_run(struct faults *f, const char *line, char *reply, size_t size);

/* Only lines that set a fault. */
int control_fault(struct faults *f, const char *line, char *reply, size_t size);

/* The n-th row of the table of lines; false behind the last. */
bool control_at(size_t n, struct softeuicc_control_info *ret);

#endif
