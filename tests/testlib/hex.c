/* hex.c - octets of a test, written as text. */
#include "tests/testlib/hex.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/hex.h"

#define MAX_BRACES 16

static const char *skip_blanks(const char *at)
{
    while (isspace((unsigned char)*at))
        at++;
    return at;
}

static _Noreturn void bad(const char *what, const char *text)
{
    fprintf(stderr, "hex: %s: %s\n", what, text);
    abort();
}

/* Puts the length of out[at..n-1] in front of it and returns what n is then. */
static size_t close_brace(uint8_t *out, size_t at, size_t n)
{
    size_t length = n - at;
    size_t room = length < 0x80 ? 1 : length < 0x100 ? 2 : 3;

    memmove(out + at + room, out + at, length);
    for (size_t i = room; i > 0; i--, length >>= 8)
        out[at + i - 1] = (uint8_t)length;
    if (room > 1)
        out[at] = (uint8_t)(0x80 | (room - 1));
    return n + room;
}

size_t hex(const char *text, uint8_t *out, size_t max)
{
    size_t n = 0, open[MAX_BRACES], depth = 0;

    for (const char *at = skip_blanks(text); *at != '\0'; at = skip_blanks(at + 1)) {
        if (*at == '{') {
            if (depth == MAX_BRACES)
                bad("too many braces", text);
            open[depth++] = n;
        } else if (*at == '}') {
            if (depth == 0 || max - n < 3)
                bad("a brace too many, or too many octets", text);
            n = close_brace(out, open[--depth], n);
        } else {
            int high = hex_digit(*at);
            at = skip_blanks(at + 1);
            int low = hex_digit(*at);
            if (high < 0 || low < 0 || n >= max)
                bad("bad text, half an octet or too many octets", text);
            out[n++] = (uint8_t)(high << 4 | low);
        }
    }
    if (depth != 0)
        bad("an open brace", text);
    return n;
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
    size_t max = strlen(text) + 3;
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
