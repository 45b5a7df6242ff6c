/* tlv.c - BER-TLV. */
#include "os/tlv.h"

#include <string.h>

#include "os/err.h"

enum {
    MAX_TAG_OCTETS = 3,
    MAX_LEN_OCTETS = 4,
    TAG_NUMBER_FOLLOWS = 0x1F, /* X.690 8.1.2.4 */
    MORE_TAG_OCTETS = 0x80,
    LONG_FORM = 0x80, /* X.690 8.1.3.5 */
};

int tlv_tag(struct rd *in, uint32_t *ret)
{
    struct rd at = *in, octet;

    if (rd_take(&at, 1, &octet) != 0)
        return ERR_INPUT;
    uint32_t tag = octet.p[0];
    if ((tag & TAG_NUMBER_FOLLOWS) == TAG_NUMBER_FOLLOWS) {
        int octets = 1;
        do {
            if (++octets > MAX_TAG_OCTETS || rd_take(&at, 1, &octet) != 0)
                return ERR_INPUT;
            tag = tag << 8 | octet.p[0];
        } while (octet.p[0] & MORE_TAG_OCTETS);
    }
    *ret = tag;
    *in = at;
    return 0;
}

static int take_len(struct rd *in, size_t *ret)
{
    struct rd first, rest;

    if (rd_take(in, 1, &first) != 0)
        return ERR_INPUT;
    if (!(first.p[0] & LONG_FORM)) {
        *ret = first.p[0];
        return 0;
    }
    size_t octets = first.p[0] & 0x7Fu;
    if (octets == 0 || octets > MAX_LEN_OCTETS || rd_take(in, octets, &rest) != 0)
        return ERR_INPUT;
    size_t len = 0;
    for (size_t i = 0; i < octets; i++)
        len = len << 8 | rest.p[i];
    *ret = len;
    return 0;
}

int tlv_header(struct rd *in, uint32_t *ret_tag, size_t *ret_len)
{
    struct rd at = *in;
    uint32_t tag;
    size_t len;

    TRY(tlv_tag(&at, &tag));
    TRY(take_len(&at, &len));
    *ret_tag = tag;
    *ret_len = len;
    *in = at;
    return 0;
}

int tlv_get(struct rd *in, struct tlv *ret)
{
    struct rd at = *in, value;
    uint32_t tag;
    size_t len;

    TRY(tlv_header(&at, &tag, &len));
    TRY(rd_take(&at, len, &value));
    *ret = (struct tlv){ .tag = tag, .value = value, .whole = rd_of(in->p, in->n - at.n) };
    *in = at;
    return 0;
}

int tlv_expect(struct rd *in, uint32_t tag, struct tlv *ret)
{
    struct rd at = *in;
    struct tlv t;

    TRY(tlv_get(&at, &t));
    if (t.tag != tag)
        return ERR_INPUT;
    *ret = t;
    *in = at;
    return 0;
}

bool tlv_find_nth(struct rd body, uint32_t tag, unsigned nth, struct tlv *ret)
{
    struct tlv t;

    while (body.n > 0 && tlv_get(&body, &t) == 0) {
        if (t.tag == tag && nth-- == 0) {
            *ret = t;
            return true;
        }
    }
    return false;
}

bool tlv_find(struct rd body, uint32_t tag, struct tlv *ret)
{
    return tlv_find_nth(body, tag, 0, ret);
}

bool tlv_all_whole(struct rd body)
{
    struct tlv t;

    while (body.n > 0)
        if (tlv_get(&body, &t) != 0)
            return false;
    return true;
}

int tlv_uint(struct rd value, uint64_t *ret)
{
    uint64_t v = 0;

    if (value.n == 0 || value.n > 9 || (value.p[0] & 0x80))
        return ERR_INPUT;
    if (value.n == 9 && value.p[0] != 0)
        return ERR_INPUT;
    for (size_t i = 0; i < value.n; i++)
        v = v << 8 | value.p[i];
    *ret = v;
    return 0;
}

static size_t tag_octets(uint32_t tag)
{
    return tag > 0xFFFF ? 3 : tag > 0xFF ? 2 : 1;
}

static size_t len_octets(size_t n)
{
    return n < 0x80 ? 1 : n <= 0xFF ? 2 : n <= 0xFFFF ? 3 : n <= 0xFFFFFF ? 4 : 5;
}

size_t tlv_header_len(uint32_t tag, size_t n)
{
    return tag_octets(tag) + len_octets(n);
}

void tlv_put_tag(struct wr *w, uint32_t tag)
{
    for (size_t i = tag_octets(tag); i-- > 0;)
        wr_put_u8(w, (uint8_t)(tag >> (8 * i)));
}

static void fill_len(uint8_t *at, size_t n)
{
    size_t octets = len_octets(n) - 1;

    if (octets == 0) {
        at[0] = (uint8_t)n;
        return;
    }
    at[0] = (uint8_t)(LONG_FORM | octets);
    for (size_t i = 0; i < octets; i++)
        at[1 + i] = (uint8_t)(n >> (8 * (octets - 1 - i)));
}

struct wr_mark tlv_open(struct wr *w, uint32_t tag)
{
    tlv_put_tag(w, tag);
    wr_put_u8(w, 0);
    return (struct wr_mark){ w->n };
}

void tlv_close(struct wr *w, struct wr_mark mark)
{
    if (w->failed)
        return;
    size_t n = w->n - mark.body;
    size_t more = len_octets(n) - 1;
    if (more > 0) {
        if (wr_reserve(w, more) == NULL)
            return;
        memmove(w->p + mark.body + more, w->p + mark.body, n);
    }
    fill_len(w->p + mark.body - 1, n);
}

void tlv_put_header(struct wr *w, uint32_t tag, size_t n)
{
    tlv_put_tag(w, tag);
    uint8_t *at = wr_reserve(w, len_octets(n));
    if (at != NULL)
        fill_len(at, n);
}

void tlv_put(struct wr *w, uint32_t tag, struct rd value)
{
    tlv_put_header(w, tag, value.n);
    wr_put_rd(w, value);
}

void tlv_put_str(struct wr *w, uint32_t tag, const char *s)
{
    tlv_put(w, tag, rd_str(s));
}

void tlv_put_u8(struct wr *w, uint32_t tag, uint8_t octet)
{
    tlv_put(w, tag, rd_of(&octet, 1));
}

void tlv_put_uint(struct wr *w, uint32_t tag, uint64_t v)
{
    uint8_t octets[9];
    size_t first = sizeof octets - 1;

    octets[first] = (uint8_t)v;
    while ((v >>= 8) != 0)
        octets[--first] = (uint8_t)v;
    if (octets[first] & 0x80) /* would read as negative */
        octets[--first] = 0;
    tlv_put(w, tag, rd_of(octets + first, sizeof octets - first));
}

void tlv_put_bits(struct wr *w, uint32_t tag, uint32_t bits)
{
    uint8_t octets[5] = { 0 };
    size_t n = 1;

    for (unsigned i = 0; i < 32; i++) {
        if (bits & UINT32_C(1) << i) {
            octets[1 + i / 8] |= (uint8_t)(0x80 >> i % 8);
            octets[0] = (uint8_t)(7 - i % 8);
            n = 2 + i / 8;
        }
    }
    tlv_put(w, tag, rd_of(octets, n));
}

int tlv_bits(struct rd value, uint32_t *ret)
{
    uint32_t bits = 0;

    if (value.n == 0 || value.p[0] > 7 || (value.n == 1 && value.p[0] != 0))
        return ERR_INPUT;
    size_t count = 8 * (value.n - 1) - value.p[0];
    for (size_t i = 0; i < count && i < 32; i++)
        if (value.p[1 + i / 8] & 0x80 >> i % 8)
            bits |= UINT32_C(1) << i;
    *ret = bits;
    return 0;
}
