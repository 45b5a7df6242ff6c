/* watch.h - a card in memory under watch: each APDU goes through the oracles that hold for all of
 * them, whatever they are (tests/fuzz/README.md). */
#ifndef TESTS_FUZZ_WATCH_H
#define TESTS_FUZZ_WATCH_H

#include "lib/softeuicc.h"
#include "tests/fuzz/device.h"

enum { DIGEST_TEXT_LEN = 65 };

struct watch {
    struct softeuicc *card;
    struct device device; /* whose APDUs are watched */
    uint8_t response[SOFTEUICC_RESPONSE_MAX];
    char digest[DIGEST_TEXT_LEN]; /* "": not known, the card having lost power */
};

/* Takes a card that is off or on and resets it. */
void watch_init(struct watch *w, struct softeuicc *card);

/* One APDU and its oracles.  The length of the response in w->response; 0 when the card is mute. */
size_t watch_transmit(struct watch *w, const uint8_t *command, size_t n);

/* Any line of docs/CONTROL.md; what is stored may change. */
void watch_control(struct watch *w, const char *line);

/* Has the power been cut? */
bool watch_is_mute(struct watch *w);

/* At the end: the card still lives, two resets leave it the same, and GetEID answers. */
void watch_finish(struct watch *w);

void watch_read_digest(struct watch *w, char ret[DIGEST_TEXT_LEN]);

#endif
