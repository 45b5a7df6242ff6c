/* channel.c - logical channels. */
#include "card/channel.h"

#include "card/sw.h"

enum {
    P1_OPEN = 0x00,
    P1_CLOSE = 0x80,
};

void channels_reset(struct channels *c)
{
    c->open = 1u << CHANNEL_BASIC;
}

bool channel_is_open(const struct channels *c, uint8_t channel)
{
    return channel < CHANNEL_COUNT && (c->open & 1u << channel) != 0;
}

static uint16_t open_lowest(struct channels *c, const struct apdu *a, struct channel_change *ret)
{
    if (a->le == 0)
        return SW_WRONG_LE | 1;
    for (uint8_t n = 1; n < CHANNEL_COUNT; n++) {
        if (!channel_is_open(c, n)) {
            c->open |= 1u << n;
            *ret = (struct channel_change){ CHANNEL_OPENED, n, true };
            return SW_OK;
        }
    }
    return SW_NO_CHANNEL;
}

static uint16_t open_named(struct channels *c, uint8_t n, struct channel_change *ret)
{
    if (n >= CHANNEL_COUNT)
        return SW_NO_CHANNEL;
    if (channel_is_open(c, n))
        return SW_WRONG_P1P2;
    c->open |= 1u << n;
    *ret = (struct channel_change){ CHANNEL_OPENED, n, false };
    return SW_OK;
}

static uint16_t close_named(struct channels *c, uint8_t n, struct channel_change *ret)
{
    if (n == CHANNEL_BASIC)
        return SW_WRONG_P1P2;
    if (!channel_is_open(c, n))
        return SW_NO_CHANNEL;
    c->open &= ~(1u << n);
    *ret = (struct channel_change){ CHANNEL_CLOSED, n, false };
    return SW_OK;
}

uint16_t channel_manage(struct channels *c, const struct apdu *a, uint8_t carrier,
                        struct channel_change *ret)
{
    if (a->lc != 0)
        return SW_WRONG_LENGTH;
    if (a->p1 == P1_OPEN)
        return a->p2 == 0 ? open_lowest(c, a, ret) : open_named(c, a->p2, ret);
    if (a->p1 == P1_CLOSE)
        return close_named(c, a->p2 == 0 ? carrier : a->p2, ret);
    return SW_WRONG_P1P2;
}
