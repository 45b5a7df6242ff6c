/* sw.h - status words, each with the clause that defines it. */
#ifndef CARD_SW_H
#define CARD_SW_H

#include <stdint.h>

enum sw {
    SW_OK = 0x9000,                     /* ISO 7816-4 5.6 */
    SW_PROACTIVE = 0x9100,              /* TS 102 221 10.2.1.1: + length of the command pending */
    SW_BYTES_LEFT = 0x6100,             /* ISO 7816-4 5.6: + octets available, 00 for 256 or more */
    SW_END_OF_FILE = 0x6282,            /* TS 102 221 10.2.1.2: before Le octets; search failed */
    SW_DEACTIVATED = 0x6283,            /* TS 102 221 10.2.1.2: selected file invalidated */
    SW_TERMINATED = 0x6285,             /* TS 102 221 10.2.1.3: in termination state */
    SW_MORE_DATA = 0x62F1,              /* TS 102 221 10.2.1.2: available */
    SW_MORE_DATA_EXPECTED = 0x63F1,     /* TS 102 221 10.2.1.3 */
    SW_TRIES_LEFT = 0x63C0,             /* TS 102 221 10.2.1.3: + attempts */
    SW_MEMORY_FAILURE = 0x6581,         /* TS 102 221 10.2.1.5 */
    SW_WRONG_LENGTH = 0x6700,           /* TS 102 221 10.2.1.5 */
    SW_NO_CHANNEL = 0x6881,             /* TS 102 221 10.2.1.5: logical channel not supported */
    SW_NO_SECURE_MESSAGING = 0x6882,    /* TS 102 221 10.2.1.5 */
    SW_LAST_OF_CHAIN_EXPECTED = 0x6883, /* ISO 7816-4 5.6 */
    SW_WRONG_FILE_STRUCTURE = 0x6981,   /* TS 102 221 10.2.1.5 */
    SW_SECURITY_STATUS = 0x6982,        /* TS 102 221 10.2.1.5 */
    SW_BLOCKED = 0x6983,                /* TS 102 221 10.2.1.5: authentication or PIN method */
    SW_INVALIDATED = 0x6984,            /* TS 102 221 10.2.1.5: referenced data */
    SW_CONDITIONS_OF_USE = 0x6985,      /* TS 102 221 10.2.1.5 */
    SW_NO_EF_SELECTED = 0x6986,         /* TS 102 221 10.2.1.5 */
    SW_WRONG_SM_OBJECTS = 0x6988,       /* ISO 7816-4 5.6: secure messaging data objects */
    SW_WRONG_DATA = 0x6A80,             /* TS 102 221 10.2.1.6 */
    SW_FUNCTION_NOT_SUPPORTED = 0x6A81, /* TS 102 221 10.2.1.6 */
    SW_FILE_NOT_FOUND = 0x6A82,         /* TS 102 221 10.2.1.6: file or application */
    SW_RECORD_NOT_FOUND = 0x6A83,       /* TS 102 221 10.2.1.6 */
    SW_NOT_ENOUGH_MEMORY = 0x6A84,      /* TS 102 221 10.2.1.6 */
    SW_WRONG_P1P2 = 0x6A86,             /* TS 102 221 10.2.1.6 */
    SW_REFERENCE_NOT_FOUND = 0x6A88,    /* TS 102 221 10.2.1.6: referenced data */
    SW_FILE_EXISTS = 0x6A89,            /* ISO 7816-4 5.6, TS 102 222 6.3 */
    SW_WRONG_OFFSET = 0x6B00,           /* TS 102 221 10.2.1.5: P1 or P2 */
    SW_WRONG_LE = 0x6C00,               /* ISO 7816-4 5.6: + the right Le */
    SW_INS_NOT_SUPPORTED = 0x6D00,      /* TS 102 221 10.2.1.5 */
    SW_CLA_NOT_SUPPORTED = 0x6E00,      /* TS 102 221 10.2.1.5 */
    SW_TECHNICAL_PROBLEM = 0x6F00,      /* TS 102 221 10.2.1.5 */
    SW_TOOLKIT_BUSY = 0x9300,           /* TS 102 221 10.2.1.1: ENVELOPE cannot be taken now */
    SW_MAX_VALUE_REACHED = 0x9850,      /* TS 102 221 10.2.1.7: INCREASE cannot be performed */
    SW_WRONG_MAC = 0x9862,              /* TS 31.102 7.3.1: authentication error */
    SW_NO_SECURITY_CONTEXT = 0x9864,    /* TS 31.102 7.3.1: not supported */
    SW_KEY_NOT_FRESH = 0x9865,          /* TS 31.102 7.3.1 */
    SW_NO_KEY_MEMORY = 0x9866,          /* TS 31.102 7.3.1 */
    SW_NO_MUK_MEMORY = 0x9867,          /* TS 31.102 7.3.1 */
};

/* A few words for traces, "normal ending"; never NULL. */
const char *sw_text(uint16_t sw);

#endif
