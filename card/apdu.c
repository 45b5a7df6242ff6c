/* apdu.c - a command APDU taken apart. */
#include "card/apdu.h"

#include "card/sw.h"

/* Le of the short form: 00 means 256. */
static size_t short_le(uint8_t octet)
{
    return octet == 0 ? APDU_MAX_SHORT_LE : octet;
}

static size_t extended_le(const uint8_t *p)
{
    size_t le = (size_t)p[0] << 8 | p[1];
    return le == 0 ? APDU_MAX_EXTENDED_LE : le;
}

static uint16_t parse_short(const uint8_t *body, size_t n, struct apdu *a)
{
    if (n == 1) { /* case 2 */
        a->le = short_le(body[0]);
        return SW_OK;
    }
    size_t lc = body[0];
    if (lc == 0 || n < 1 + lc || n > 2 + lc)
        return SW_WRONG_LENGTH;
    a->data = body + 1;
    a->lc = lc;
    if (n == 2 + lc) /* case 4 */
        a->le = short_le(body[1 + lc]);
    return SW_OK;
}

static uint16_t parse_extended(const uint8_t *body, size_t n, struct apdu *a)
{
    a->extended = true;
    if (n == 3) { /* case 2 */
        a->le = extended_le(body + 1);
        return SW_OK;
    }
    size_t lc = (size_t)body[1] << 8 | body[2];
    if (lc == 0 || (n != 3 + lc && n != 5 + lc))
        return SW_WRONG_LENGTH;
    a->data = body + 3;
    a->lc = lc;
    if (n == 5 + lc) /* case 4 */
        a->le = extended_le(body + 3 + lc);
    return SW_OK;
}

uint16_t apdu_parse(const uint8_t *command, size_t n, struct apdu *ret)
{
    if (n < APDU_HEADER_LEN)
        return SW_WRONG_LENGTH;

    struct apdu a = { .cla = command[0], .ins = command[1], .p1 = command[2], .p2 = command[3] };
    const uint8_t *body = command + APDU_HEADER_LEN;
    size_t body_len = n - APDU_HEADER_LEN;
    uint16_t sw = SW_OK;

    if (body_len >= 3 && body[0] == 0)
        sw = parse_extended(body, body_len, &a);
    else if (body_len > 0)
        sw = parse_short(body, body_len, &a);
    if (sw == SW_OK)
        *ret = a;
    return sw;
}

uint16_t cla_parse(uint8_t cla, struct cla *ret)
{
    enum {
        PROPRIETARY = 0x80,
        FURTHER = 0x40, /* the coding for channels 4 to 19 */
        CHAINED = 0x10,
        FIRST_FURTHER_CHANNEL = 4,
    };

    bool further = (cla & FURTHER) != 0;
    if (cla == 0xFF || (!(cla & PROPRIETARY) && !further && (cla & 0x20)))
        return SW_CLA_NOT_SUPPORTED;
    *ret = (struct cla){
        .proprietary = (cla & PROPRIETARY) != 0,
        .channel = (uint8_t)(further ? FIRST_FURTHER_CHANNEL + (cla & 0x0F) : cla & 0x03),
        .chained = (cla & CHAINED) != 0,
        .secured = further ? (cla & 0x20) != 0 : (cla & 0x0C) != 0,
    };
    return SW_OK;
}
