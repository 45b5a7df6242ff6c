/* fuzz.c - what the fuzz targets share. */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void oracle(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

uint8_t fuzz_u8(struct rd *in)
{
    struct rd one;

    return rd_take(in, 1, &one) == 0 ? one.p[0] : 0;
}

uint16_t fuzz_u16(struct rd *in)
{
    uint8_t high = fuzz_u8(in);

    return (uint16_t)(high << 8 | fuzz_u8(in));
}

uint8_t *fuzz_copy(struct rd *in, size_t n, size_t *ret_n)
{
    struct rd part = { NULL, 0 };

    oracle(rd_take(in, n < in->n ? n : in->n, &part) == 0, "what is left of the input is there");
    uint8_t *copy = malloc(part.n);
    oracle(copy != NULL || part.n == 0, "there is memory");
    if (part.n > 0)
        memcpy(copy, part.p, part.n);
    *ret_n = part.n;
    return copy;
}
