/* util.h - what the files of the lab share: readable errors, hex, base64, files, ICCIDs. */
#ifndef LAB_UTIL_H
#define LAB_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/buf.h"

enum {
    LAB_ERROR_LEN = 512,
    ICCID_LEN = 10,
    ICCID_TEXT_LEN = 2 * ICCID_LEN + 1,
    LAB_FILE_MAX = 8 * 1024 * 1024,
};

/* One readable line that says what failed and why. */
struct lab_error {
    char text[LAB_ERROR_LEN];
};

/* Writes the line and returns ERR_INPUT, so that refusals read
 *   return lab_fail(e, "%s: not a certificate", name); */
int lab_fail(struct lab_error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Hex digits, nothing else, an even number of them; at most ret->max octets. */
bool hex_read(const char *s, struct wr *ret);

/* Upper-case hex with a terminating zero; what does not fit is left out.  Returns ret. */
char *hex_text(struct rd v, char *ret, size_t size);

/* Base64 (RFC 4648 clause 4) with a terminating zero; malloc'd, NULL without memory. */
char *base64_text(struct rd v);

/* Strict: padding present, no other characters.  false also when it does not fit. */
bool base64_read(const char *s, struct wr *ret);

/* A whole file of at most LAB_FILE_MAX octets.  0 or negative with *e. */
int file_read(const char *path, struct wr *ret, struct lab_error *e);

/* The octets of EF.ICCID (nibbles swapped, padded with F) as digits, and back. */
char *iccid_text(struct rd iccid, char ret[ICCID_TEXT_LEN]);
bool iccid_read(const char *digits, uint8_t ret[ICCID_LEN]);

/* A copy of a UTF-8 string for printing: control characters become '?'.  Returns ret. */
char *printable(struct rd v, char *ret, size_t size);

/* Copies s with its zero into ret of this size; false when it does not fit. */
bool copy_text(const char *s, char *ret, size_t size);
bool copy_rd(struct rd v, char *ret, size_t size);

/* The list of n items of size octets, with room for one more, moved perhaps; NULL without memory,
 * and then it is as it was. */
void *list_grow(void *list, size_t n, size_t *room, size_t size);

/* A decimal number from 0 to max and nothing else. */
bool number_read(const char *s, unsigned long max, unsigned long *ret);

#endif
