/* hex.h - what hexadecimal digits are worth. */
#ifndef OS_HEX_H
#define OS_HEX_H

/* 0 to 15, or -1 for what is no digit. */
static inline int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Two of them: an octet, or -1.  The second is looked at behind a digit only, so that a string may
 * end before it. */
static inline int hex_octet(const char *digits)
{
    int high = hex_digit(digits[0]), low = high < 0 ? -1 : hex_digit(digits[1]);

    return low < 0 ? -1 : high << 4 | low;
}

#endif
