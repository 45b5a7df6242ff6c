/* apdu.h - a command APDU taken apart (ISO 7816-3 12.1, ISO 7816-4 5.4).
 *
 * Knows bytes only: no applications, no state. */
#ifndef CARD_APDU_H
#define CARD_APDU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    APDU_HEADER_LEN = 4,
    APDU_MAX_SHORT_DATA = 255,
    APDU_MAX_SHORT_LE = 256,
    APDU_MAX_EXTENDED_LE = 65536,
    APDU_MAX_RESPONSE = APDU_MAX_EXTENDED_LE + 2,
};

struct apdu {
    uint8_t cla, ins, p1, p2;
    const uint8_t *data; /* points into the command */
    size_t lc;           /* octets of data */
    size_t le;           /* 0: absent; otherwise 1 to 65536 */
    bool extended;       /* Lc or Le came in their extended form */
};

/* Cases 1, 2, 3 and 4, short and extended.  Lc = 00 at the end of a case 3 header is Le = 00 of
 * case 2, which is also how some terminals write an empty last block.
 * SW_OK, or SW_WRONG_LENGTH with nothing written. */
uint16_t apdu_parse(const uint8_t *command, size_t n, struct apdu *ret);

/* The class byte taken apart (ISO 7816-4 5.4.1, TS 102 221 10.1.1). */
struct cla {
    uint8_t channel;  /* 0 to 19 */
    bool proprietary; /* 8x, 9x, Ax, Bx, Cx to Fx: a class that is not interindustry */
    bool chained;     /* not the last command of a chain */
    bool secured;     /* asks for secure messaging */
};

/* SW_OK, or SW_CLA_NOT_SUPPORTED for a value that the tables reserve. */
uint16_t cla_parse(uint8_t cla, struct cla *ret);

#endif
