/* control.h - the back door: lines of docs/CONTROL.md. */
#ifndef LIB_CONTROL_H
#define LIB_CONTROL_H

#include <stddef.h>

struct euicc;

/* 0 with the answer, or negative with the reason, as one line in reply. */
int control_run(struct euicc *e, const char *line, char *reply, size_t size);

#endif
