/* hex.c - octets as hexadecimal digits and back. */
#include "cli/hex.h"

#include <ctype.h>

#include "os/hex.h"

void hex_print(FILE *to, const uint8_t *bytes, size_t n)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < n; i++) {
        fputc(digits[bytes[i] >> 4], to);
        fputc(digits[bytes[i] & 0xF], to);
    }
}

int hex_parse(const char *text, uint8_t *ret, size_t size, size_t *ret_n)
{
    size_t n = 0;

    for (const char *c = text; *c != '\0'; c++) {
        if (isblank((unsigned char)*c))
            continue;
        int octet = hex_octet(c);
        if (octet < 0 || n == size)
            return -1;
        ret[n++] = (uint8_t)octet;
        c++;
    }
    *ret_n = n;
    return 0;
}
