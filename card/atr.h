/* atr.h - the answer to reset (ISO 7816-3 8.2, TS 102 221 6.3). */
#ifndef CARD_ATR_H
#define CARD_ATR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ATR_MAX_LEN = 33,
    ATR_MAX_HISTORICAL = 15,
};

/* What an ATR says, in the order of its octets. */
struct atr_capabilities {
    uint8_t ta1;     /* speed: Fi and Di; 0x11 is the default of ISO 7816-3 */
    uint8_t classes; /* TA for T=15: supply voltages A, B, C as bits 1, 2, 3 */
    bool clock_stop; /* may be stopped in either state */
    bool euicc;      /* eUICC-related functions (TS 102 221 6.3.3) */
    uint8_t historical[ATR_MAX_HISTORICAL];
    uint8_t historical_len;
};

/* Only T=0 is offered.  Returns the length. */
size_t atr_build(const struct atr_capabilities *caps, uint8_t ret[ATR_MAX_LEN]);

/* An ATR as an octet string of somebody else: follows the interface bytes, and demands TCK right
 * and T=0 offered first.  NULL, or what is wrong with it. */
const char *atr_check(const uint8_t *atr, size_t n);

#endif
