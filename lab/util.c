/* util.c - readable errors, hex, base64, files, ICCIDs. */
#include "lab/util.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/err.h"
#include "os/hex.h"

static const char hex_digits[] = "0123456789ABCDEF";
static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int lab_fail(struct lab_error *e, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, args);
    va_end(args);
    return ERR_INPUT;
}

bool hex_read(const char *s, struct wr *ret)
{
    for (; *s != '\0'; s += 2) {
        int octet = hex_octet(s);
        if (octet < 0)
            return false;
        wr_put_u8(ret, (uint8_t)octet);
    }
    return wr_failed(ret) == 0;
}

char *hex_text(struct rd v, char *ret, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < v.n && n + 3 <= size; i++) {
        ret[n++] = hex_digits[v.p[i] >> 4];
        ret[n++] = hex_digits[v.p[i] & 0xF];
    }
    ret[n] = '\0';
    return ret;
}

char *base64_text(struct rd v)
{
    char *text = malloc((v.n + 2) / 3 * 4 + 1);
    char *at = text;

    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < v.n; i += 3) {
        uint32_t three = (uint32_t)v.p[i] << 16;
        if (i + 1 < v.n)
            three |= (uint32_t)v.p[i + 1] << 8;
        if (i + 2 < v.n)
            three |= v.p[i + 2];
        *at++ = base64_digits[three >> 18];
        *at++ = base64_digits[three >> 12 & 63];
        *at++ = i + 1 < v.n ? base64_digits[three >> 6 & 63] : '=';
        *at++ = i + 2 < v.n ? base64_digits[three & 63] : '=';
    }
    *at = '\0';
    return text;
}

static int base64_digit(char c)
{
    const char *at = c == '\0' ? NULL : strchr(base64_digits, c);

    return at == NULL ? -1 : (int)(at - base64_digits);
}

bool base64_read(const char *s, struct wr *ret)
{
    size_t n = strlen(s);

    if (n % 4 != 0)
        return false;
    for (size_t i = 0; i < n; i += 4) {
        size_t digits = 4;
        if (i + 4 == n)
            digits = s[i + 3] != '=' ? 4 : s[i + 2] != '=' ? 3 : 2;
        uint32_t three = 0;
        for (size_t j = 0; j < 4; j++) {
            int d = j < digits ? base64_digit(s[i + j]) : 0;
            if (d < 0)
                return false;
            three = three << 6 | (uint32_t)d;
        }
        if (three & (digits == 2 ? 0xFFFFu : digits == 3 ? 0xFFu : 0))
            return false; /* bits behind the end */
        for (size_t j = 0; j + 1 < digits; j++)
            wr_put_u8(ret, (uint8_t)(three >> (16 - 8 * j)));
    }
    return wr_failed(ret) == 0;
}

int file_read(const char *path, struct wr *ret, struct lab_error *e)
{
    uint8_t block[16384];
    size_t n;

    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return lab_fail(e, "%s: %s", path, strerror(errno));
    while ((n = fread(block, 1, sizeof block, f)) > 0)
        wr_put(ret, block, n);
    bool failed = ferror(f) != 0;
    int why = errno;
    fclose(f);
    if (failed)
        return lab_fail(e, "%s: %s", path, strerror(why));
    if (wr_failed(ret) != 0)
        return lab_fail(e, "%s: too long", path);
    return 0;
}

char *iccid_text(struct rd iccid, char ret[ICCID_TEXT_LEN])
{
    size_t n = 0;

    for (size_t i = 0; i < iccid.n && i < ICCID_LEN; i++) {
        unsigned nibbles[2] = { iccid.p[i] & 0xFu, iccid.p[i] >> 4 };
        for (size_t j = 0; j < 2; j++)
            if (nibbles[j] != 0xF)
                ret[n++] = hex_digits[nibbles[j]];
    }
    ret[n] = '\0';
    return ret;
}

bool iccid_read(const char *digits, uint8_t ret[ICCID_LEN])
{
    size_t n = strlen(digits);

    if (n < 18 || n > 2 * ICCID_LEN || strspn(digits, "0123456789") != n)
        return false;
    memset(ret, 0xFF, ICCID_LEN);
    for (size_t i = 0; i < n; i++) {
        unsigned d = (unsigned)(digits[i] - '0');
        ret[i / 2] =
            (uint8_t)(i % 2 == 0 ? (ret[i / 2] & 0xF0u) | d : (ret[i / 2] & 0x0Fu) | d << 4);
    }
    return true;
}

char *printable(struct rd v, char *ret, size_t size)
{
    size_t n = v.n < size ? v.n : size - 1;

    for (size_t i = 0; i < n; i++)
        ret[i] = v.p[i] < 0x20 || v.p[i] == 0x7F ? '?' : (char)v.p[i];
    ret[n] = '\0';
    return ret;
}

bool copy_text(const char *s, char *ret, size_t size)
{
    return copy_rd(rd_str(s), ret, size);
}

bool copy_rd(struct rd v, char *ret, size_t size)
{
    if (v.n >= size || (v.n > 0 && memchr(v.p, 0, v.n) != NULL))
        return false;
    if (v.n > 0)
        memcpy(ret, v.p, v.n);
    ret[v.n] = '\0';
    return true;
}

void *list_grow(void *list, size_t n, size_t *room, size_t size)
{
    if (n < *room)
        return list;
    size_t more = *room == 0 ? 16 : 2 * *room;
    void *moved = realloc(list, more * size);
    if (moved != NULL)
        *room = more;
    return moved;
}

bool number_read(const char *s, unsigned long max, unsigned long *ret)
{
    size_t n = strlen(s);
    unsigned long v = 0;

    if (n == 0 || strspn(s, "0123456789") != n)
        return false;
    for (; *s != '\0'; s++) {
        unsigned long d = (unsigned long)(*s - '0');
        if (v > (max - d) / 10 || d > max)
            return false;
        v = 10 * v + d;
    }
    *ret = v;
    return true;
}
