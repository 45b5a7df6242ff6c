/* sw.h - status words, each with the clause that defines it. */
#ifndef CARD_SW_H
#define CARD_SW_H

#include <stdint.h>

enum sw {
    SW_OK = 0x9000,                     /* ISO 7816-4 5.6 */
    SW_PROACTIVE = 0x9100,              /* TS 102 221 10.2.1.1: + length of the command pending */
    SW_BYTES_LEFT = 0x6100,             /* ISO 7816-4 5.6: + octets available, 00 for 256 or more */
    SW_MEMORY_FAILURE = 0x6581,         /* TS 102 221 10.2.1.5 */
    SW_WRONG_LENGTH = 0x6700,           /* TS 102 221 10.2.1.5 */
    SW_NO_CHANNEL = 0x6881,             /* TS 102 221 10.2.1.5: logical channel not supported */
    SW_NO_SECURE_MESSAGING = 0x6882,    /* TS 102 221 10.2.1.5 */
    SW_LAST_OF_CHAIN_EXPECTED = 0x6883, /* ISO 7816-4 5.6 */
    SW_SECURITY_STATUS = 0x6982,        /* TS 102 221 10.2.1.5 */
    SW_CONDITIONS_OF_USE = 0x6985,      /* TS 102 221 10.2.1.5 */
    SW_WRONG_DATA = 0x6A80,             /* TS 102 221 10.2.1.6 */
    SW_FUNCTION_NOT_SUPPORTED = 0x6A81, /* TS 102 221 10.2.1.6 */
    SW_FILE_NOT_FOUND = 0x6A82,         /* TS 102 221 10.2.1.6: file or application */
    SW_NOT_ENOUGH_MEMORY = 0x6A84,      /* TS 102 221 10.2.1.6 */
    SW_WRONG_P1P2 = 0x6A86,             /* TS 102 221 10.2.1.6 */
    SW_REFERENCE_NOT_FOUND = 0x6A88,    /* TS 102 221 10.2.1.6: referenced data */
    SW_WRONG_LE = 0x6C00,               /* ISO 7816-4 5.6: + the right Le */
    SW_INS_NOT_SUPPORTED = 0x6D00,      /* TS 102 221 10.2.1.5 */
    SW_CLA_NOT_SUPPORTED = 0x6E00,      /* TS 102 221 10.2.1.5 */
    SW_TECHNICAL_PROBLEM = 0x6F00,      /* TS 102 221 10.2.1.5 */
};

/* A few words for traces, "normal ending"; never NULL. */
const char *sw_text(uint16_t sw);

#endif
