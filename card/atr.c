/* atr.c - the answer to reset. */
#include "card/atr.h"

#include <string.h>

enum {
    TS_DIRECT = 0x3B,
    TS_INVERSE = 0x3F,
    HAS_TA = 0x10,
    HAS_TB = 0x20,
    HAS_TC = 0x40,
    HAS_TD = 0x80,
    T0 = 0x00,
    T15 = 0x0F,             /* qualifies global interface bytes */
    TA15_CLOCK_STOP = 0xC0, /* clock stop indicator: no preference */
    TB15_UICC = 0x80,       /* TS 102 221 6.3.3: the coding of this document is used */
    TB15_EUICC = 0x02,      /* TS 102 221 6.3.3: eUICC-related functions supported */
};

static uint8_t xor_of(const uint8_t *p, size_t n)
{
    uint8_t x = 0;
    for (size_t i = 0; i < n; i++)
        x ^= p[i];
    return x;
}

size_t atr_build(const struct atr_capabilities *caps, uint8_t ret[ATR_MAX_LEN])
{
    uint8_t *p = ret;

    *p++ = TS_DIRECT;
    *p++ = (uint8_t)(HAS_TA | HAS_TD | caps->historical_len);
    *p++ = caps->ta1;
    *p++ = HAS_TD | T0;
    *p++ = (uint8_t)(HAS_TA | (caps->euicc ? HAS_TB : 0) | T15);
    *p++ = (uint8_t)((caps->clock_stop ? TA15_CLOCK_STOP : 0) | caps->classes);
    if (caps->euicc)
        *p++ = TB15_UICC | TB15_EUICC;
    memcpy(p, caps->historical, caps->historical_len);
    p += caps->historical_len;
    *p = xor_of(ret + 1, (size_t)(p - ret) - 1); /* TCK, present because T=15 is */
    return (size_t)(p - ret) + 1;
}

const char *atr_check(const uint8_t *atr, size_t n)
{
    if (n < 2 || n > ATR_MAX_LEN)
        return "an ATR has 2 to 33 octets";
    if (atr[0] != TS_DIRECT && atr[0] != TS_INVERSE)
        return "TS is neither 3B nor 3F";

    size_t at = 2, historical = atr[1] & 0x0F;
    uint8_t present = atr[1];
    bool has_tck = false, first = true;
    for (;;) {
        for (unsigned bit = HAS_TA; bit <= HAS_TC; bit <<= 1)
            at += (present & bit) != 0;
        if (!(present & HAS_TD))
            break;
        if (at >= n)
            return "ends within the interface bytes";
        present = atr[at++];
        if (first && (present & 0x0F) != T0)
            return "T=0 is not offered first";
        first = false;
        has_tck = has_tck || (present & 0x0F) != T0;
    }
    if (at + historical + has_tck != n)
        return "its length does not match T0 and the interface bytes";
    if (has_tck && xor_of(atr + 1, n - 1) != 0)
        return "TCK is wrong";
    return NULL;
}
