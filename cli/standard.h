/* standard.h - standard input, output and error of both programs. */
#ifndef CLI_STANDARD_H
#define CLI_STANDARD_H

#include <stdbool.h>

/* At the beginning.  Where one is closed, the next file would take its number, and what is meant
 * for it: something takes the place that can neither be read nor written as it is meant to. */
bool standard_descriptors_keep(void);

/* At the end, with the exit status so far: returns it, or 1 when it is 0 and standard output did
 * not take all that was written, which is told. */
int standard_output_end(const char *program, int status);

#endif
