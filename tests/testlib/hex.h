/* hex.h - octets of a test, written as text. */
#ifndef TESTS_TESTLIB_HEX_H
#define TESTS_TESTLIB_HEX_H

#include "os/buf.h"

/* Reads hex digits into out, passing over blanks, and returns the number of octets; {...} stands
 * for the length of what it holds, in DER, and then that.  Anything else in the text, half an octet
 * or more than max octets ends the program: the test itself is wrong. */
size_t hex(const char *text, uint8_t *out, size_t max);

/* Appends them to a writer, or as the contents of a TLV. */
void hex_put(struct wr *w, const char *text);
void hex_put_tlv(struct wr *w, uint32_t tag, const char *text);

/* The octets in memory of exactly their size, so that a sanitizer sees a read beyond; the caller
 * frees p (exact_free()). */
struct rd exact_copy(const char *text);
struct rd exact_copy_of(struct rd octets);
void exact_free(struct rd *copy);

#endif
