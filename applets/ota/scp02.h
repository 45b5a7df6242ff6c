/* scp02.h - Secure Channel Protocol '02' as option i=55 says: three keys, MAC over the modified
 * command, enciphered MAC chaining (GlobalPlatform Card Specification annex E).
 *
 * Knows octets and keys only; when which call is legal is the business of secure_channel.c. */
#ifndef APPLETS_OTA_SCP02_H
#define APPLETS_OTA_SCP02_H

#include "applets/ota/scp03.h"

enum {
    SCP02_KEY_LEN = 16,
    SCP02_CHALLENGE_LEN = 6, /* of the card, behind the sequence counter */
};

struct scp02 {
    uint8_t enc[SCP02_KEY_LEN], mac[SCP02_KEY_LEN], dek[SCP02_KEY_LEN];
    uint8_t icv[DES_BLOCK]; /* of the next C-MAC */
    uint8_t card_cryptogram[SCP_CRYPTOGRAM_LEN], host_cryptogram[SCP_CRYPTOGRAM_LEN];
};

/* The session keys of a sequence counter; dek->n == 0: the domain has none.  DES keys of two. */
int scp02_keys(struct crypto *c, const struct scp80_key *enc, const struct scp80_key *mac,
               const struct scp80_key *dek, uint16_t counter, struct scp02 *ret);

/* With these keys: the card challenge that follows from the domain's AID (E.4.2.3). */
int scp02_challenge(struct crypto *c, const struct scp02 *s, struct rd aid,
                    uint8_t ret[SCP02_CHALLENGE_LEN]);

/* And the cryptograms. */
int scp02_begin(struct crypto *c, struct scp02 *s, uint16_t counter,
                const uint8_t host[SCP_CHALLENGE_LEN], const uint8_t card[SCP02_CHALLENGE_LEN]);

/* As scp03_unwrap(). */
int scp02_unwrap(struct crypto *c, struct scp02 *s, uint8_t level, const struct apdu *a,
                 uint8_t *data, size_t *n);

#endif
