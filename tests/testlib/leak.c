/* leak.c - no secret in a trace. */
#include "tests/testlib/leak.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/testlib/hex.h"

enum { SECRETS_MAX = 64 };

static uint8_t secrets[SECRETS_MAX][LEAK_MIN];
static size_t n_added;

void leak_add(struct rd secret)
{
    if (secret.n < LEAK_MIN)
        abort();
    memcpy(secrets[n_added++ % SECRETS_MAX], secret.p, LEAK_MIN);
}

void leak_add_hex(const char *text)
{
    struct rd octets = exact_copy(text);

    leak_add(octets);
    exact_free(&octets);
}

static void fail(const char *digits, const char *text)
{
    fprintf(stderr, "the trace holds the secret %s...: %s\n", digits, text);
    abort();
}

void leak_watch(const char *text, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n_added && i < SECRETS_MAX; i++) {
        char digits[2 * LEAK_MIN + 1];
        for (size_t k = 0; k < LEAK_MIN; k++)
            snprintf(digits + 2 * k, 3, "%02X", secrets[i][k]);
        if (n > 0 && memmem(bytes, n, secrets[i], LEAK_MIN) != NULL)
            fail(digits, text);
        if (strcasestr(text, digits) != NULL)
            fail(digits, text);
    }
}
