/* hex.c - octets of a test, written as text. */
#include "tests/testlib/hex.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

size_t hex(const char *text, uint8_t *out, size_t max)
{
    size_t digits = 0;

    for (const char *at = text; *at != '\0'; at++) {
        if (isspace((unsigned char)*at))
            continue;
        int value = digit(*at);
        if (value < 0 || digits / 2 >= max) {
            fprintf(stderr, "hex: bad text or more than %zu octets: %s\n", max, text);
            abort();
        }
        if (digits % 2 == 0)
            out[digits / 2] = (uint8_t)(value << 4);
        else
            out[digits / 2] |= (uint8_t)value;
        digits++;
    }
    if (digits % 2 != 0) {
        fprintf(stderr, "hex: half an octet: %s\n", text);
        abort();
    }
    return digits / 2;
}

struct rd exact_copy_of(struct rd octets)
{
    uint8_t *p = malloc(octets.n > 0 ? octets.n : 1);

    if (p == NULL)
        abort();
    if (octets.n > 0)
        memcpy(p, octets.p, octets.n);
    return rd_of(p, octets.n);
}

struct rd exact_copy(const char *text)
{
    size_t max = strlen(text) / 2 + 1;
    uint8_t *octets = malloc(max);

    if (octets == NULL)
        abort();
    struct rd copy = exact_copy_of(rd_of(octets, hex(text, octets, max)));
    free(octets);
    return copy;
}

void exact_free(struct rd *copy)
{
    free((void *)(uintptr_t)copy->p);
    *copy = rd_of(NULL, 0);
}
