/* sd.h - the security domains of a profile, as its PE-SecurityDomain made them and PUT KEY changed
 * them: keys, addresses, data objects (TCA eUICC Profile Package 8.7, GlobalPlatform 11).
 *
 * NVM, below "isdp/XXXX/": "sd/NN" is the profile element as received; "ota/NN/key/VV" replaces its
 * keys of version VV (KeyObjects, one after the other; none: the version is gone), and
 * "ota/NN/counter/VV" is the highest counter that was accepted from version VV, or the sequence
 * counter of its secure channels.  N and V are hex, NN 00 is the MNO-SD. */
#ifndef APPLETS_OTA_SD_H
#define APPLETS_OTA_SD_H

#include "applets/ota/scp80.h"
#include "os/euicc.h"
#include "os/tlv.h"

enum {
    SD_MAX = 16,     /* security domains of a profile that are looked at */
    SD_MNO = 0,      /* the first one */
    SD_NO_LEVEL = 0, /* minimum security level */

    /* Key versions (1 to 15 for SCP80) and identifiers (GlobalPlatform, UICC Configuration). */
    KVN_SCP80_FIRST = 0x01,
    KID_ENC = 0x01, /* KIc */
    KID_MAC = 0x02, /* KID */
    KID_DEK = 0x03, /* KIK */

    KEY_TYPE_DES = 0x80, /* GlobalPlatform table 11-16 */
    KEY_TYPE_AES = 0x88,
};

/* One security domain, loaded; the views point into object, which holds keys. */
struct sd {
    struct wr object;
    uint16_t profile;
    uint8_t number;
    struct rd aid, privileges;
    uint8_t life_cycle;
    struct rd parameters; /* system specific ones: secure channel protocols, extradition */
    struct rd keys;       /* contents of keyList */
    struct rd objects;    /* contents of sdPersoData */
    struct rd toolkit;    /* UICC toolkit parameters; n == 0: not reachable over the air */
};

int sd_load(struct euicc *e, uint16_t profile, unsigned number, struct sd *ret, bool *ret_found);
void sd_done(struct sd *sd);

/* By AID: whole, or (partial) as a beginning.  *ret_number is SD_MAX when there is none. */
int sd_find(struct euicc *e, uint16_t profile, struct rd aid, bool partial, unsigned *ret_number);

/* The option "i" of a secure channel protocol that its parameters name, else otherwise. */
uint8_t sd_scp_option(const struct sd *sd, uint8_t protocol, uint8_t otherwise);

/* Is it addressed by this TAR, and what is its minimum security level? */
bool sd_has_tar(const struct sd *sd, const uint8_t tar[SCP80_TAR_LEN], uint8_t *ret_level);

/* A key; one of a type that is not for ciphers counts as absent (n == 0). */
int sd_key(struct euicc *e, const struct sd *sd, uint8_t version, uint8_t id,
           struct scp80_key *ret);

/* A writer for KeyObjects, which leaves none behind. */
void sd_keys_init(struct wr *w);
void sd_keys_done(struct wr *w);

/* The KeyObjects of all versions, replaced ones left out and replacements in, one after the other.
 */
int sd_keys(struct euicc *e, const struct sd *sd, struct wr *ret);

/* One KeyObject of sd_keys(); value of its first component in component. */
struct sd_key_object {
    uint8_t version, id;
    uint8_t type;
    struct rd value;
    uint64_t counter; /* keyCounterValue; 0: absent */
    size_t mac_len;
};
bool sd_next_key(struct rd *keys, struct sd_key_object *ret);

/* Replaces all keys of a version by these KeyObjects; within the open transaction. */
int sd_put_keys(struct euicc *e, const struct sd *sd, uint8_t version, struct rd objects);

/* Appends one KeyObject. */
void sd_put_key_object(const struct sd_key_object *k, struct wr *ret);

/* The highest counter that was accepted from this key version; within the open transaction. */
int sd_counter(struct euicc *e, const struct sd *sd, uint8_t version, uint64_t *ret);
int sd_set_counter(struct euicc *e, const struct sd *sd, uint8_t version, uint64_t counter);
/* It begins again, as new keys do. */
int sd_reset_counter(struct euicc *e, const struct sd *sd, uint8_t version);

/* A data object of sdPersoData's DGI 0070 by tag. */
bool sd_object(const struct sd *sd, uint32_t tag, struct tlv *ret);

#endif
