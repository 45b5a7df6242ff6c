/* scp03.h - Secure Channel Protocol '03' with cryptograms and MACs of eight octets: session keys,
 * and commands and responses under them (GlobalPlatform Amendment D).
 *
 * Knows octets and keys only; when which call is legal is the business of secure_channel.c. */
#ifndef APPLETS_OTA_SCP03_H
#define APPLETS_OTA_SCP03_H

#include "applets/ota/scp80.h"
#include "card/apdu.h"
#include "card/sw.h"

enum {
    SCP_CHALLENGE_LEN = 8,
    SCP_CRYPTOGRAM_LEN = 8,
    SCP_MAC_LEN = 8,
    SCP03_COUNTER_LEN = 3,

    /* Security level (GlobalPlatform table 10-1). */
    SCP_C_MAC = 0x01,
    SCP_C_ENC = 0x02,
    SCP_R_MAC = 0x10,
    SCP_R_ENC = 0x20,
};

struct scp03 {
    size_t key_len;
    uint8_t enc[CIPHER_MAX_KEY], mac[CIPHER_MAX_KEY], rmac[CIPHER_MAX_KEY];
    uint8_t chaining[AES_BLOCK]; /* the last command's whole MAC */
    uint32_t commands;           /* encryption counter */
    uint8_t card_cryptogram[SCP_CRYPTOGRAM_LEN], host_cryptogram[SCP_CRYPTOGRAM_LEN];
};

/* The card challenge that follows from the sequence counter and the domain's AID (6.2.2.1). */
int scp03_challenge(struct crypto *c, const struct scp80_key *enc, uint32_t counter, struct rd aid,
                    uint8_t ret[SCP_CHALLENGE_LEN]);

/* Session keys and cryptograms.  AES keys of one length. */
int scp03_begin(struct crypto *c, const struct scp80_key *enc, const struct scp80_key *mac,
                const uint8_t host[SCP_CHALLENGE_LEN], const uint8_t card[SCP_CHALLENGE_LEN],
                struct scp03 *ret);

/* Checks the C-MAC of a command and deciphers its data as level says.  data: a copy of a's, which
 * becomes plain; *n its length after it.  0, SW_WRONG_SM_OBJECTS, or a fault. */
int scp03_unwrap(struct crypto *c, struct scp03 *s, uint8_t level, const struct apdu *a,
                 uint8_t *data, size_t *n);

/* Enciphers the answer's data and appends the R-MAC as level says. */
int scp03_wrap(struct crypto *c, const struct scp03 *s, uint8_t level, uint16_t sw, struct wr *rsp);

/* What a C-MAC covers before the data: the header without its channel, and Lc.  Returns its length.
 */
enum { SCP_HEADER_MAX = 7 };
size_t scp_header(const struct apdu *a, size_t lc, uint8_t ret[SCP_HEADER_MAX]);

/* Takes 80 00 .. off the end of n octets.  0 or ERR_INPUT. */
int scp_unpad(const uint8_t *data, size_t *n);

#endif
