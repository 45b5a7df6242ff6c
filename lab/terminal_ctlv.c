/* terminal_ctlv.c - COMPREHENSION-TLV as a terminal reads and writes it. */
#include "lab/terminal_ctlv.h"

#include "os/err.h"

enum {
    LONG_TAG = 0x7F,
    TAG_MASK = 0x7F,
    LENGTH_1 = 0x81,
    LENGTH_2 = 0x82,
    LENGTH_3 = 0x83,
};

bool object_take_length(struct rd *in, size_t *ret)
{
    if (in->n < 1)
        return false;
    uint8_t first = in->p[0];
    size_t extra = first < 0x80                             ? 0
                   : first >= LENGTH_1 && first <= LENGTH_3 ? (size_t)(first - 0x80)
                                                            : SIZE_MAX;
    if (extra > in->n - 1)
        return false;
    size_t n = extra == 0 ? first : 0;
    for (size_t i = 1; i <= extra; i++)
        n = n << 8 | in->p[i];
    *in = rd_of(in->p + 1 + extra, in->n - 1 - extra);
    *ret = n;
    return true;
}

bool object_take(struct rd *in, struct object *ret)
{
    struct rd at = *in;
    struct object o = { .tag = 0 };
    size_t n;

    if (at.n < 1 || at.p[0] == 0x00 || at.p[0] == 0x80 || at.p[0] == 0xFF)
        return false;
    o.required = (at.p[0] & OBJECT_REQUIRED) != 0;
    o.tag = at.p[0] & TAG_MASK;
    at = rd_of(at.p + 1, at.n - 1);
    if (o.tag == LONG_TAG && !o.required) { /* FF was turned away: 7F is the long form */
        if (at.n < 2)
            return false;
        o.required = (at.p[0] & OBJECT_REQUIRED) != 0;
        o.tag = (unsigned)(at.p[0] & TAG_MASK) << 8 | at.p[1];
        at = rd_of(at.p + 2, at.n - 2);
    }
    if (!object_take_length(&at, &n) || n > at.n)
        return false;
    o.value = rd_of(at.p, n);
    *in = rd_of(at.p + n, at.n - n);
    *ret = o;
    return true;
}

bool object_find(struct rd *in, unsigned tag, struct rd *ret)
{
    struct rd at = *in;
    struct object o;

    while (at.n > 0 && object_take(&at, &o)) {
        if (o.tag != tag)
            continue;
        *ret = o.value;
        *in = at;
        return true;
    }
    return false;
}

bool object_all_whole(struct rd in)
{
    struct object o;

    while (in.n > 0)
        if (!object_take(&in, &o))
            return false;
    return true;
}

bool object_is_known(unsigned tag)
{
    /* first and last of each run */
    static const uint8_t known[][2] = {
        { 0x01, 0x06 }, { 0x08, 0x1C }, { 0x1D, 0x2F }, { 0x30, 0x42 }, { 0x46, 0x48 },
        { 0x50, 0x52 }, { 0x60, 0x69 }, { 0x6B, 0x76 }, { 0x79, 0x7D },
    };

    for (size_t i = 0; i < N_ELEMS(known); i++)
        if (tag >= known[i][0] && tag <= known[i][1])
            return true;
    return false;
}

void object_put_length(struct wr *w, size_t n)
{
    if (n > 0xFF) {
        wr_put_u8(w, LENGTH_2);
        wr_put_u8(w, (uint8_t)(n >> 8));
    } else if (n > 0x7F) {
        wr_put_u8(w, LENGTH_1);
    }
    wr_put_u8(w, (uint8_t)n);
}

void object_put(struct wr *w, unsigned tag, struct rd value)
{
    wr_put_u8(w, (uint8_t)tag);
    object_put_length(w, value.n);
    wr_put_rd(w, value);
}

void object_put_u8(struct wr *w, unsigned tag, unsigned value)
{
    uint8_t octet = (uint8_t)value;

    object_put(w, tag, rd_of(&octet, 1));
}

void object_put_two(struct wr *w, unsigned tag, unsigned first, unsigned second)
{
    uint8_t octets[] = { (uint8_t)first, (uint8_t)second };

    object_put(w, tag, rd_of(octets, sizeof octets));
}
