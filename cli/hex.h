/* hex.h - octets as hexadecimal digits and back. */
#ifndef CLI_HEX_H
#define CLI_HEX_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

void hex_print(FILE *to, const uint8_t *bytes, size_t n);

/* Digits in pairs, with spaces and tabs anywhere between pairs.  0; -1 for anything else or more
 * than size octets. */
int hex_parse(const char *text, uint8_t *ret, size_t size, size_t *ret_n);

#endif
