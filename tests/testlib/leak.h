/* leak.h - no secret in a trace.  A line of text or JSON and a capture file hold nothing but what
 * an event brings, so that it is enough to look there. */
#ifndef TESTS_TESTLIB_LEAK_H
#define TESTS_TESTLIB_LEAK_H

#include "os/buf.h"

enum { LEAK_MIN = 8 }; /* octets of a secret */

/* From now on secret; the last 64 count. */
void leak_add(struct rd secret);
void leak_add_hex(const char *text);

/* Ends the test when an event holds the first LEAK_MIN octets of a secret, as they are or in hex.
 */
void leak_watch(const char *text, const uint8_t *bytes, size_t n);

#endif
