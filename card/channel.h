/* channel.h - which logical channels are open, and MANAGE CHANNEL (TS 102 221 11.1.17). */
#ifndef CARD_CHANNEL_H
#define CARD_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "card/apdu.h"

enum {
    CHANNEL_BASIC = 0,
    CHANNEL_COUNT = 20,
};

struct channels {
    uint32_t open; /* bit n: channel n */
};

/* After a reset only the basic channel is open. */
void channels_reset(struct channels *c);
bool channel_is_open(const struct channels *c, uint8_t channel);

/* What a MANAGE CHANNEL asked for. */
struct channel_change {
    enum { CHANNEL_OPENED, CHANNEL_CLOSED } what;
    uint8_t channel;
    bool tell; /* its number is the answer's one octet of data */
};

/* Opens the lowest free channel (P1P2 0000, Le 01) or a named one (P1 00, P2 n), or closes one
 * (P1 80, P2 n; with P2 00 the one that carries the command, as some terminals do).
 * SW_OK with what happened; 6881 no channel left, or a number beyond 19; 6A86 reserved P1 or P2,
 * or the channel asked for is open; 6C01 without Le. */
uint16_t channel_manage(struct channels *c, const struct apdu *a, uint8_t carrier,
                        struct channel_change *ret);

#endif
