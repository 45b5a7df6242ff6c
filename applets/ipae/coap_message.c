/* coap_message.c - one CoAP message, taken apart and put together (RFC 7252 3). */
#include "applets/ipae/coap_message.h"

#include "os/err.h"

enum {
    VERSION = 1,
    PAYLOAD_MARKER = 0xFF,
    NIBBLE_1 = 13, /* one octet more, RFC 7252 3.1 */
    NIBBLE_2 = 14, /* two octets more */
    EXTENDED_1 = 13,
    EXTENDED_2 = 269,
    OPTION_NUMBER_MAX = 0xFFFF,
    SZX_RESERVED = 7,
    BLOCK_OCTETS_MAX = 3,
};

/* --- reading ---------------------------------------------------------------------------------- */

/* uint of an option (RFC 7252 3.2); leading zeros are read. */
static int read_uint(struct rd value, size_t max, uint32_t *ret)
{
    uint32_t v = 0;

    if (value.n > max)
        return ERR_INPUT;
    for (size_t i = 0; i < value.n; i++)
        v = v << 8 | value.p[i];
    *ret = v;
    return 0;
}

static int read_block(struct rd value, struct coap_block *ret)
{
    uint32_t v;

    TRY(read_uint(value, BLOCK_OCTETS_MAX, &v));
    if ((v & 7) == SZX_RESERVED)
        return ERR_INPUT;
    *ret = (struct coap_block){ .num = v >> 4, .more = (v & 8) != 0, .szx = v & 7 };
    return 0;
}

/* Delta or length from its nibble. */
static int read_extended(struct rd *in, unsigned nibble, uint32_t *ret)
{
    struct rd more;

    if (nibble > NIBBLE_2)
        return ERR_INPUT;
    if (nibble < NIBBLE_1) {
        *ret = nibble;
        return 0;
    }
    TRY(rd_take(in, nibble == NIBBLE_1 ? 1 : 2, &more));
    TRY(read_uint(more, 2, ret));
    *ret += nibble == NIBBLE_1 ? EXTENDED_1 : EXTENDED_2;
    return 0;
}

/* Critical options have odd numbers; those that a response cannot have, that come twice or that do
 * not parse are as if they were not known (RFC 7252 5.4.1, 5.4.3, 5.4.5). */
static void refuse_if_critical(unsigned number, struct coap_message *ret)
{
    if ((number & 1) != 0 && ret->refused == 0)
        ret->refused = number;
}

static void take_block(unsigned number, struct rd value, bool *has, struct coap_block *block,
                       struct coap_message *ret)
{
    if (*has || read_block(value, block) != 0)
        refuse_if_critical(number, ret);
    else
        *has = true;
}

static void take_option(unsigned number, struct rd value, struct coap_message *ret)
{
    switch (number) {
    case COAP_ETAG:
        if (ret->etag.p == NULL && value.n > 0 && value.n <= COAP_ETAG_MAX)
            ret->etag = value;
        break;
    case COAP_MAX_AGE:
        if (!ret->has_max_age && read_uint(value, 4, &ret->max_age) == 0)
            ret->has_max_age = true;
        break;
    case COAP_BLOCK2:
        take_block(number, value, &ret->has_block2, &ret->block2, ret);
        break;
    case COAP_BLOCK1:
        take_block(number, value, &ret->has_block1, &ret->block1, ret);
        break;
    case COAP_SIZE2:
        if (!ret->has_size2 && read_uint(value, 4, &ret->size2) == 0)
            ret->has_size2 = true;
        break;
    case COAP_ECHO:
        if (ret->echo.p == NULL && value.n > 0 && value.n <= COAP_ECHO_MAX)
            ret->echo = value;
        break;
    default:
        refuse_if_critical(number, ret);
        break;
    }
}

static int parse_options(struct rd *in, struct coap_message *ret)
{
    uint32_t number = 0, delta, len;
    struct rd first, value;

    while (in->n > 0 && in->p[0] != PAYLOAD_MARKER) {
        TRY(rd_take(in, 1, &first));
        TRY(read_extended(in, first.p[0] >> 4, &delta));
        TRY(read_extended(in, first.p[0] & 0x0F, &len));
        TRY(rd_take(in, len, &value));
        number += delta;
        if (number > OPTION_NUMBER_MAX)
            return ERR_INPUT;
        take_option(number, value, ret);
    }
    return 0;
}

int coap_parse(struct rd datagram, struct coap_message *ret, bool *ret_rejectable)
{
    struct rd header, marker;

    *ret = (struct coap_message){ 0 };
    *ret_rejectable = false;
    TRY(rd_take(&datagram, COAP_HEADER_LEN, &header));
    if (header.p[0] >> 6 != VERSION) /* silently ignored, RFC 7252 3 */
        return ERR_INPUT;
    *ret_rejectable = true;
    ret->type = (enum coap_type)(header.p[0] >> 4 & 3);
    ret->code = header.p[1];
    ret->id = (uint16_t)(header.p[2] << 8 | header.p[3]);
    size_t token_len = header.p[0] & 0x0F;
    if (ret->code == COAP_EMPTY) /* nothing but the header, RFC 7252 4.1 */
        return token_len == 0 && datagram.n == 0 ? 0 : ERR_INPUT;
    if (token_len > COAP_TOKEN_MAX)
        return ERR_INPUT;
    TRY(rd_take(&datagram, token_len, &ret->token));
    TRY(parse_options(&datagram, ret));
    if (datagram.n == 0)
        return 0;
    TRY(rd_take(&datagram, 1, &marker));
    ret->payload = datagram;
    return datagram.n > 0 ? 0 : ERR_INPUT; /* a marker without a payload, RFC 7252 3 */
}

/* --- writing ---------------------------------------------------------------------------------- */

void coap_put_header(struct wr *out, enum coap_type type, uint8_t code, uint16_t id,
                     struct rd token)
{
    wr_put_u8(out, (uint8_t)(VERSION << 6 | (unsigned)type << 4 | (token.n & 0x0F)));
    wr_put_u8(out, code);
    wr_put_u8(out, (uint8_t)(id >> 8));
    wr_put_u8(out, (uint8_t)(id & 0xFF));
    wr_put_rd(out, token);
}

static unsigned nibble_of(size_t v)
{
    return v < EXTENDED_1 ? (unsigned)v : v < EXTENDED_2 ? NIBBLE_1 : NIBBLE_2;
}

static void put_extended(struct wr *out, size_t v)
{
    if (v >= EXTENDED_2) {
        wr_put_u8(out, (uint8_t)((v - EXTENDED_2) >> 8));
        wr_put_u8(out, (uint8_t)((v - EXTENDED_2) & 0xFF));
    } else if (v >= EXTENDED_1) {
        wr_put_u8(out, (uint8_t)(v - EXTENDED_1));
    }
}

void coap_put_option(struct wr *out, unsigned *last, unsigned number, struct rd value)
{
    unsigned delta = number - *last;

    wr_put_u8(out, (uint8_t)(nibble_of(delta) << 4 | nibble_of(value.n)));
    put_extended(out, delta);
    put_extended(out, value.n);
    wr_put_rd(out, value);
    *last = number;
}

void coap_put_uint_option(struct wr *out, unsigned *last, unsigned number, uint32_t value)
{
    uint8_t octets[4];
    size_t n = value >> 24 != 0 ? 4 : value >> 16 != 0 ? 3 : value >> 8 != 0 ? 2 : value != 0;

    for (size_t i = 0; i < n; i++)
        octets[i] = (uint8_t)(value >> 8 * (n - 1 - i) & 0xFF);
    coap_put_option(out, last, number, rd_of(octets, n));
}

void coap_put_block(struct wr *out, unsigned *last, unsigned number, struct coap_block block)
{
    coap_put_uint_option(out, last, number, block.num << 4 | (block.more ? 8u : 0u) | block.szx);
}

void coap_put_payload(struct wr *out, struct rd payload)
{
    if (payload.n == 0)
        return;
    wr_put_u8(out, PAYLOAD_MARKER);
    wr_put_rd(out, payload);
}
