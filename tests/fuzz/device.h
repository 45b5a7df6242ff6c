/* device.h - the device's side of a card in this process, for fuzz targets and benchmarks: the
 * ISD-R on logical channel 1, and ES10 requests in STORE DATA blocks (SGP.22 5.7.2). */
#ifndef TESTS_FUZZ_DEVICE_H
#define TESTS_FUZZ_DEVICE_H

#include "os/buf.h"

enum {
    DEVICE_CHANNEL = 1,
    DEVICE_ANSWER_MAX = 1 << 20,
    DEVICE_BLOCK_MAX = 255,
};

/* One APDU; the length of its response, 0 when the card is mute.  The response, with its status
 * word, is in d->response. */
struct device {
    size_t (*transmit)(void *ctx, const uint8_t *command, size_t n, uint8_t *response);
    void *ctx;
    uint8_t *response; /* room for the longest one; the caller's */
};

/* Opens channel 1 and selects the ISD-R on it.  The last status word; 0 when the card is mute. */
uint16_t device_open(struct device *d);

/* Sends one request in blocks of block octets (1 to DEVICE_BLOCK_MAX), fetches what the card
 * announces with 61xx, and appends it to ret.  Stops at the first status word that is not good and
 * gives it; 9000 at the end; 0 when the card is mute. */
uint16_t device_es10(struct device *d, struct rd request, size_t block, struct wr *ret);

#endif
