/* trace_text.h - the trace as lines of text.
 *
 *   > 80E2910006BF3E035C015A         a command APDU
 *   < 612A (octets wait for GET RESPONSE)
 *   ! a check that failed, with its clause
 *   !! a fault, and where it arose
 *   # anything else
 *
 * There are no times in it: two runs that did the same have the same trace. */
#ifndef CLI_TRACE_TEXT_H
#define CLI_TRACE_TEXT_H

#include <stdio.h>

#include "lib/softeuicc.h"

/* Writes one event as one line, and flushes it. */
void trace_text(FILE *to, enum softeuicc_event event, const char *text, const uint8_t *bytes,
                size_t n);

#endif
