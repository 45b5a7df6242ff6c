/* ctlv.c - COMPREHENSION-TLV. */
#include "os/ctlv.h"

#include "os/err.h"
#include "os/tlv.h"

enum {
    COMPREHENSION = 0x80,
    THREE_OCTETS = 0x7F, /* the number is in the two octets behind (TS 101 220 7.1.1.1) */

    LENGTH_FOLLOWS = 0x80, /* in so many octets (TS 101 220 7.1.2) */
    MAX_LENGTH_OCTETS = 3,
};

static int take_tag(struct rd *in, struct ctlv *ret)
{
    struct rd octets;

    TRY(rd_take(in, 1, &octets));
    uint8_t first = octets.p[0];
    if (first == 0x00 || first == 0x80 || first == 0xFF)
        return ERR_INPUT; /* never a tag (TS 101 220 7.1.1.1) */
    if (first != THREE_OCTETS) {
        ret->tag = (uint16_t)(first & ~COMPREHENSION);
        ret->comprehension = (first & COMPREHENSION) != 0;
        return 0;
    }
    TRY(rd_take(in, 2, &octets));
    ret->tag = (uint16_t)((octets.p[0] & ~COMPREHENSION) << 8 | octets.p[1]);
    ret->comprehension = (octets.p[0] & COMPREHENSION) != 0;
    return ret->tag > THREE_OCTETS ? 0 : ERR_INPUT; /* one octet would have done */
}

static int take_length(struct rd *in, size_t *ret)
{
    struct rd octets;

    TRY(rd_take(in, 1, &octets));
    size_t more = octets.p[0] & 0x7Fu, n = 0;
    *ret = more;
    if (!(octets.p[0] & LENGTH_FOLLOWS))
        return 0;
    if (more == 0 || more > MAX_LENGTH_OCTETS || rd_take(in, more, &octets) != 0)
        return ERR_INPUT;
    for (size_t i = 0; i < more; i++)
        n = n << 8 | octets.p[i];
    *ret = n;
    return 0;
}

int ctlv_get(struct rd *in, struct ctlv *ret)
{
    struct rd at = *in;
    struct ctlv t;
    size_t n;

    TRY(take_tag(&at, &t));
    TRY(take_length(&at, &n));
    TRY(rd_take(&at, n, &t.value));
    *ret = t;
    *in = at;
    return 0;
}

bool ctlv_find_nth(struct rd body, uint16_t tag, unsigned nth, struct rd *ret)
{
    struct ctlv t;

    while (body.n > 0 && ctlv_get(&body, &t) == 0) {
        if (t.tag == tag && nth-- == 0) {
            *ret = t.value;
            return true;
        }
    }
    return false;
}

bool ctlv_find(struct rd body, uint16_t tag, struct rd *ret)
{
    return ctlv_find_nth(body, tag, 0, ret);
}

void ctlv_put(struct wr *w, uint8_t tag, bool comprehension, struct rd value)
{
    tlv_put(w, comprehension ? tag | COMPREHENSION : tag, value);
}
