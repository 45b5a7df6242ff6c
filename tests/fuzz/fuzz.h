/* fuzz.h - what the fuzz targets share. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "os/buf.h"

/* The one function of a target; libFuzzer or replay.c calls it.  0 always. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Says what does not hold and ends the program, so that the search keeps the input. */
void oracle(bool holds, const char *what);

/* Numbers off the front of the input; 0 at its end. */
uint8_t fuzz_u8(struct rd *in);
uint16_t fuzz_u16(struct rd *in);

/* The next n octets, or what is left of the input, in memory of exactly their size, so that a
 * sanitizer sees a read beyond; the caller frees them. */
uint8_t *fuzz_copy(struct rd *in, size_t n, size_t *ret_n);

#endif
