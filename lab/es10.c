/* es10.c - the LPA's side of ES10 (SGP.22 5.7.1, 5.7.2; TS 102 221 11.1). */
#include "lab/es10.h"

#include <string.h>

#include "os/err.h"
#include "os/tlv.h"

enum {
    BLOCK = 255,
    MAX_BLOCKS = 256,
    FIRST_FAR_CHANNEL = 4, /* ISO 7816-4: channels 4 to 19 have a class byte of their own */
    LAST_CHANNEL = 19,
    P1_LAST_BLOCK = 0x91,
    P1_MORE_BLOCKS = 0x11,
    SW_OK = 0x9000,
};

static const uint8_t isd_r_aid[] = { 0xA0, 0x00, 0x00, 0x05, 0x59, 0x10, 0x10, 0xFF,
                                     0xFF, 0xFF, 0xFF, 0x89, 0x00, 0x00, 0x01, 0x00 };

static uint8_t class_byte(const struct es10 *es10, uint8_t cla)
{
    if (es10->channel < FIRST_FAR_CHANNEL)
        return cla | es10->channel;
    return (uint8_t)(cla | 0x40 | (es10->channel - FIRST_FAR_CHANNEL));
}

static int transmit(struct es10 *es10, struct rd command, struct wr *ret, uint16_t *ret_sw,
                    struct lab_error *e)
{
    int r = card_transmit(es10->card, command, ret, ret_sw, e);

    es10->lost = es10->lost || r != 0;
    return r;
}

/* Sends one APDU, fetches what 61xx announces, appends the data to ret. */
static int exchange(struct es10 *es10, struct rd command, struct wr *ret, uint16_t *ret_sw,
                    struct lab_error *e)
{
    uint16_t sw;

    TRY(transmit(es10, command, ret, &sw, e));
    while (sw >> 8 == 0x61) {
        uint8_t get_response[] = { class_byte(es10, 0x00), 0xC0, 0x00, 0x00, (uint8_t)sw };
        TRY(transmit(es10, rd_of(get_response, sizeof get_response), ret, &sw, e));
    }
    *ret_sw = sw;
    return 0;
}

static bool sw_is_good(uint16_t sw)
{
    return sw == SW_OK || sw >> 8 == 0x91; /* 91xx: a proactive command waits as well */
}

static int open_channel(struct es10 *es10, struct lab_error *e)
{
    static const uint8_t manage_channel[] = { 0x00, 0x70, 0x00, 0x00, 0x01 };
    uint8_t room[8];
    struct wr channel;
    uint16_t sw;

    wr_init(&channel, room, sizeof room);
    TRY(exchange(es10, rd_of(manage_channel, sizeof manage_channel), &channel, &sw, e));
    if (!sw_is_good(sw))
        return lab_fail(e, "MANAGE CHANNEL: status word %04X", sw);
    if (channel.n != 1 || room[0] == 0 || room[0] > LAST_CHANNEL)
        return lab_fail(e, "MANAGE CHANNEL: no channel number in the response");
    es10->channel = room[0];
    return 0;
}

static int select_isd_r(struct es10 *es10, struct lab_error *e)
{
    uint8_t room[512], select[5 + sizeof isd_r_aid] = { class_byte(es10, 0x00), 0xA4, 0x04, 0x00,
                                                        sizeof isd_r_aid };
    struct wr fci;
    uint16_t sw;

    memcpy(select + 5, isd_r_aid, sizeof isd_r_aid);
    wr_init(&fci, room, sizeof room);
    TRY(exchange(es10, rd_of(select, sizeof select), &fci, &sw, e));
    if (!sw_is_good(sw))
        return lab_fail(e, "SELECT ISD-R: status word %04X", sw);
    return 0;
}

int es10_open(struct es10 *es10, struct card *card, struct lab_error *e)
{
    /* TS 102 221 11.1.19: an LPA in the device, with all three interfaces, and an IPA (SGP.32
     * 3.8.4) */
    static const uint8_t terminal_capability[] = { 0x80, 0xAA, 0x00, 0x00, 0x0D, 0xA9,
                                                   0x0B, 0x81, 0x00, 0x82, 0x01, 0x01,
                                                   0x83, 0x01, 0x07, 0x84, 0x01, 0x01 };
    uint8_t room[16];
    struct wr nothing;
    uint16_t sw;

    *es10 = (struct es10){ .card = card };
    wr_init(&nothing, room, sizeof room);
    /* whether the eUICC knows the command is its own business */
    TRY(exchange(es10, rd_of(terminal_capability, sizeof terminal_capability), &nothing, &sw, e));
    TRY(open_channel(es10, e));
    int r = select_isd_r(es10, e);
    if (r != 0)
        es10_close(es10);
    return r;
}

void es10_close(struct es10 *es10)
{
    uint8_t room[16], manage_channel[] = { 0x00, 0x70, 0x80, es10->channel, 0x00 };
    struct lab_error e;
    struct wr nothing;
    uint16_t sw;

    if (es10->channel == 0)
        return;
    wr_init(&nothing, room, sizeof room);
    es10->channel = 0;
    exchange(es10, rd_of(manage_channel, sizeof manage_channel - 1), &nothing, &sw, &e);
}

int es10_send(struct es10 *es10, struct rd request, struct wr *ret, struct lab_error *e)
{
    uint8_t apdu[5 + BLOCK];
    uint16_t sw = SW_OK;

    es10->sw = 0;
    wr_clear(ret);
    if (request.n > (size_t)BLOCK * MAX_BLOCKS)
        return lab_fail(e, "request is longer than %d STORE DATA blocks", MAX_BLOCKS);
    for (unsigned block = 0; block == 0 || request.n > 0; block++) {
        struct rd part;
        TRY(rd_take(&request, request.n < BLOCK ? request.n : BLOCK, &part));
        apdu[0] = class_byte(es10, 0x80);
        apdu[1] = 0xE2;
        apdu[2] = request.n == 0 ? P1_LAST_BLOCK : P1_MORE_BLOCKS;
        apdu[3] = (uint8_t)block;
        apdu[4] = (uint8_t)part.n;
        memcpy(apdu + 5, part.p, part.n);
        TRY(exchange(es10, rd_of(apdu, 5 + part.n), ret, &sw, e));
        es10->sw = sw;
        if (!sw_is_good(sw))
            return lab_fail(e, "STORE DATA: status word %04X", sw);
    }
    return 0;
}

int es10_call(struct es10 *es10, struct rd request, struct wr *ret, struct rd *ret_value,
              struct lab_error *e)
{
    struct rd head = request, response;
    struct tlv t;
    uint32_t tag;
    size_t n;

    TRY(tlv_header(&head, &tag, &n));
    TRY(es10_send(es10, request, ret, e));
    response = wr_view(ret);
    if (tlv_expect(&response, tag, &t) != 0 || response.n != 0)
        return lab_fail(e, "%X: the response is not one TLV with this tag", (unsigned)tag);
    *ret_value = t.value;
    return 0;
}
