/* card.h - a card for a test: in memory, with the ISD-R selected, and watched.
 *
 * What holds for every command is asserted here, once: a status word that says "unchanged" leaves
 * the storage as it was; an answer decodes with asn1c's codec as the function's type and is written
 * back by it octet for octet; a refusal left a line of why in the trace. */
#ifndef TESTS_RSP_CARD_H
#define TESTS_RSP_CARD_H

#include <stdbool.h>

#include "lib/softeuicc.h"
#include "os/buf.h"

enum {
    CARD_MUTE = 0, /* instead of a status word */
    CARD_DIGEST_LEN = 2 * 32 + 1,
};

struct card {
    struct softeuicc *chip;
    struct softeuicc_crypto *seeded; /* NULL: the one that the cards of a process share */
    void (*hook)(bool begins);       /* called around each command, for injected faults; or NULL */
    uint8_t *response;
    struct wr data;          /* of the last answer, GET RESPONSE included, without status word */
    uint16_t sw;             /* of it */
    bool off;                /* the ISD-R is not selected: power was off */
    unsigned checks, faults; /* lines of the trace since the command began */
    char why[512];           /* the last such line */
    char digest[CARD_DIGEST_LEN]; /* of the storage; "": not known */
    size_t block;                 /* octets of a STORE DATA block */
    bool echoes; /* answers echo fields of the request that their ASN.1 type does not know */
    bool quick;  /* leave the storage unwatched, for long rows of commands */
};

/* seed NULL: random; else the same commands give the same answers. */
void card_open_as(struct card *card, const struct softeuicc_new *how, const char *seed);
void card_open_file(struct card *card, const char *path);
void card_close(struct card *card);

/* Reset, and the ISD-R selected again. */
void card_reset(struct card *card);

/* One APDU of this many octets; the answer's data replaces card->data.  The status word, or
 * CARD_MUTE. */
uint16_t card_apdu(struct card *card, const uint8_t *apdu, size_t n);

/* An ES10 request in STORE DATA blocks, and its whole answer.  The status word, or CARD_MUTE. */
uint16_t card_es10(struct card *card, struct rd request);
uint16_t card_es10_hex(struct card *card, const char *request);

/* Asserts 9000, and an answer of these octets. */
void card_expect(struct card *card, const char *request, const char *answer);

/* Asserts that the last command was refused for a reason that has these words. */
void card_assert_why(const struct card *card, const char *words);

/* A line to the back door (docs/CONTROL.md). */
void card_control(struct card *card, const char *line, char *reply, size_t size);
void card_cut_after(struct card *card, unsigned writes);
const char *card_digest(struct card *card, char ret[CARD_DIGEST_LEN]);

/* extCardResource's free storage, and how many profiles are listed. */
uint64_t card_free_memory(struct card *card);
unsigned card_profiles(struct card *card);

/* The highest sequence number that is pending, 0 when none is; and how many are. */
uint64_t card_last_sequence(struct card *card);
unsigned card_pending(struct card *card);

#endif
