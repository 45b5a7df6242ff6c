/* device.c - the device's side of a card in this process. */
#include "tests/fuzz/device.h"

#include <string.h>

enum {
    SW_OK = 0x9000,
    CLA = DEVICE_CHANNEL,
    STORE_DATA_HEADER = 5,
    LAST_BLOCK = 0x91,
    MORE_BLOCKS = 0x11,
};

/* One APDU and what it leaves to be fetched. */
static uint16_t exchange(struct device *d, const uint8_t *command, size_t n, struct wr *ret)
{
    uint8_t get_response[] = { CLA, 0xC0, 0x00, 0x00, 0x00 };
    uint8_t sw1;

    do {
        size_t got = d->transmit(d->ctx, command, n, d->response);
        if (got < 2)
            return 0;
        wr_put(ret, d->response, got - 2);
        sw1 = d->response[got - 2];
        get_response[4] = d->response[got - 1];
        command = get_response;
        n = sizeof get_response;
    } while (sw1 == 0x61);
    return (uint16_t)(sw1 << 8 | get_response[4]);
}

/* 91xx is a normal ending, too: a proactive command waits. */
static bool is_good(uint16_t sw)
{
    return sw == SW_OK || sw >> 8 == 0x91;
}

uint16_t device_open(struct device *d)
{
    static const uint8_t manage_channel[] = { 0x00, 0x70, 0x00, 0x00, 0x01 };
    static const uint8_t select[] = { CLA,  0xA4, 0x04, 0x00, 0x10, 0xA0, 0x00,
                                      0x00, 0x05, 0x59, 0x10, 0x10, 0xFF, 0xFF,
                                      0xFF, 0xFF, 0x89, 0x00, 0x00, 0x01, 0x00 };
    uint8_t room[256];
    struct wr ignored;

    wr_init(&ignored, room, sizeof room);
    uint16_t sw = exchange(d, manage_channel, sizeof manage_channel, &ignored);
    return is_good(sw) ? exchange(d, select, sizeof select, &ignored) : sw;
}

uint16_t device_es10(struct device *d, struct rd request, size_t block, struct wr *ret)
{
    uint8_t apdu[STORE_DATA_HEADER + DEVICE_BLOCK_MAX] = { 0x80 | CLA, 0xE2 };
    uint16_t sw = SW_OK;

    for (unsigned i = 0; is_good(sw) && (i == 0 || request.n > 0); i++) {
        size_t n = request.n < block ? request.n : block;
        apdu[2] = n == request.n ? LAST_BLOCK : MORE_BLOCKS;
        apdu[3] = (uint8_t)i;
        apdu[4] = (uint8_t)n;
        if (n > 0)
            memcpy(apdu + STORE_DATA_HEADER, request.p, n);
        request = rd_of(request.p + n, request.n - n);
        sw = exchange(d, apdu, STORE_DATA_HEADER + n, ret);
    }
    return is_good(sw) ? SW_OK : sw;
}
