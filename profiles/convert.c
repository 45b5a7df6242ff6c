/* convert.c - a profile package from text to DER, at build time.
 *
 *     convert INPUT.xer OUTPUT.der
 *
 * The text is one <ProfileElement> after the other in XER, alternatives of a CHOICE in a SEQUENCE
 * OF bare; comments may stand anywhere.  asn1c's XER decoder is lenient where a profile must not
 * be: it pads odd hex and passes over what it does not know.  So each element must keep the bounds
 * of its type, and written back as XER it must be the same text but for white space. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ProfileElement.h>
#include <xer_decoder.h>
#include <xer_encoder.h>

#include "asn1/der.h"

enum { MAX_TEXT = 4 * 1024 * 1024, MAX_ELEMENT = 1024 * 1024 };

struct text {
    char *p;
    size_t n, size;
};

static int text_new(struct text *t, size_t size)
{
    *t = (struct text){ .p = malloc(size), .size = size };
    return t->p != NULL ? 0 : -1;
}

static int append(const void *p, size_t n, void *ctx)
{
    struct text *t = ctx;

    if (n > t->size - t->n)
        return -1;
    memcpy(t->p + t->n, p, n);
    t->n += n;
    return 0;
}

static int fail(const char *file, const char *what, int element)
{
    if (element > 0)
        fprintf(stderr, "%s: profile element %d: %s\n", file, element, what);
    else
        fprintf(stderr, "%s: %s\n", file, what);
    return -1;
}

static int read_text(const char *file, struct text *ret)
{
    FILE *f = fopen(file, "rb");
    if (f == NULL)
        return fail(file, strerror(errno), 0);
    ret->n = fread(ret->p, 1, ret->size, f);
    int bad = ferror(f) || ret->n == ret->size;
    fclose(f);
    return bad ? fail(file, "cannot be read, or is too long", 0) : 0;
}

/* Blanks comments out.  -1 when one does not end. */
static int blank_comments(struct text *t)
{
    static const char begin[] = "<!--", end[] = "-->";

    for (;;) {
        char *from = memmem(t->p, t->n, begin, sizeof begin - 1);
        if (from == NULL)
            return 0;
        size_t left = t->n - (size_t)(from - t->p);
        const char *to = memmem(from, left, end, sizeof end - 1);
        if (to == NULL)
            return -1;
        memset(from, ' ', (size_t)(to - from) + sizeof end - 1);
    }
}

/* A copy without white space, and with <name/> as <name></name>. */
static int normalise(const char *from, size_t n, struct text *ret)
{
    size_t name = 0; /* where in ret the last opening tag's name begins */
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++) {
        size_t name_len = ret->n - name;
        if (isspace((unsigned char)from[i]))
            continue;
        if (from[i] == '<')
            name = ret->n + 1;
        if (from[i] != '/' || i + 1 == n || from[i + 1] != '>') {
            r = append(from + i, 1, ret);
            continue;
        }
        r = append("></", 3, ret);
        if (r == 0)
            r = append(ret->p + name, name_len, ret);
    }
    return r;
}

/* Whether the value, written as XER, is the text it was read from. */
static int same_text(const struct ProfileElement *pe, const char *from, size_t n)
{
    struct text raw = { .p = NULL }, given = { .p = NULL }, written = { .p = NULL };
    int same = 0;

    if (text_new(&raw, MAX_ELEMENT) == 0 && text_new(&given, MAX_ELEMENT) == 0 &&
        text_new(&written, MAX_ELEMENT) == 0) {
        asn_enc_rval_t r = xer_encode(&asn_DEF_ProfileElement, (void *)(uintptr_t)pe,
                                      XER_F_CANONICAL, append, &raw);
        same = r.encoded >= 0 && normalise(raw.p, raw.n, &written) == 0 &&
               normalise(from, n, &given) == 0 && given.n == written.n &&
               memcmp(given.p, written.p, given.n) == 0;
        if (!same)
            fprintf(stderr, "understood as:\n%.*s\n", (int)written.n, written.p);
    }
    free(raw.p);
    free(given.p);
    free(written.p);
    return same;
}

static int write_der(const struct ProfileElement *pe, FILE *out)
{
    uint8_t *der = malloc(MAX_ELEMENT);
    size_t n = 0;
    int r = -1;

    if (der != NULL && der_write(&asn_DEF_ProfileElement, pe, der, MAX_ELEMENT, &n) == 0)
        r = fwrite(der, 1, n, out) == n ? 0 : -1;
    free(der);
    return r;
}

/* One element from the front of text.  Returns its length there, or -1. */
static long convert_one(const char *file, const char *text, size_t n, int element, FILE *out)
{
    struct ProfileElement *pe = NULL;
    const char *why = NULL;

    asn_dec_rval_t r = xer_decode(NULL, &asn_DEF_ProfileElement, (void **)&pe, text, n);
    if (r.code != RC_OK)
        why = "is not a ProfileElement in XER";
    else if (!der_valid(&asn_DEF_ProfileElement, pe))
        why = "breaks a bound of its type";
    else if (!same_text(pe, text, r.consumed))
        why = "is not what its text says (odd hex, an unknown element, or not upper case)";
    else if (write_der(pe, out) != 0)
        why = "cannot be written";
    der_free(&asn_DEF_ProfileElement, pe);
    return why == NULL ? (long)r.consumed : fail(file, why, element);
}

static int convert(const char *file, const struct text *t, FILE *out)
{
    size_t at = 0;

    for (int element = 1;; element++) {
        while (at < t->n && isspace((unsigned char)t->p[at]))
            at++;
        if (at == t->n)
            return element > 1 ? 0 : fail(file, "no profile element", 0);
        long n = convert_one(file, t->p + at, t->n - at, element, out);
        if (n <= 0)
            return -1;
        at += (size_t)n;
    }
}

int main(int argc, char **argv)
{
    struct text t;

    if (argc != 3) {
        fprintf(stderr, "usage: convert INPUT.xer OUTPUT.der\n");
        return 2;
    }
    if (text_new(&t, MAX_TEXT) != 0)
        return 1;
    int r = read_text(argv[1], &t);
    if (r == 0 && blank_comments(&t) != 0)
        r = fail(argv[1], "a comment does not end", 0);
    FILE *out = r == 0 ? fopen(argv[2], "wb") : NULL;
    if (r == 0)
        r = out == NULL ? fail(argv[2], strerror(errno), 0) : convert(argv[1], &t, out);
    if (out != NULL && fclose(out) != 0)
        r = fail(argv[2], strerror(errno), 0);
    if (r != 0)
        remove(argv[2]);
    free(t.p);
    return r == 0 ? 0 : 1;
}
