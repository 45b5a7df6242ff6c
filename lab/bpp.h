/* bpp.h - binding a profile package to one eUICC: the server's side of SGP.22 5.5 and 2.5.
 *
 * A bound profile package is InitialiseSecureChannel (signed, new in each session) followed by
 * what the session keys protect: ConfigureISDP, StoreMetadata, ReplaceSessionKeys and the profile
 * elements.  The keys depend on both one-time keys, the host id and the EID only, so that part
 * stays the same when the same binding is sent again (SGP.22 3.1.3.3). */
#ifndef LAB_BPP_H
#define LAB_BPP_H

#include <stdbool.h>

#include "os/crypto.h"

enum {
    BSP_MAX_SEGMENT = 1020, /* tag, length, data and MAC (SGP.22 2.6.4.4) */
    BSP_MAC_LEN = 8,
    BSP_KEYS_LEN = 3 * AES128_KEY_LEN,
    BPP_MAX_HOST_ID = 16,
    BPP_EID_LEN = 16,
};

/* SGP.22 2.5.5: 87 and 86 are encrypted, 88 carries a MAC only. */
enum {
    TAG_BSP_PROFILE = 0x86,
    TAG_BSP_COMMAND = 0x87,
    TAG_BSP_METADATA = 0x88,
};

/* The state of the protection: keys, MAC chaining value, block counter (SGP.22 2.6.4). */
struct bsp {
    uint8_t mcv[AES_BLOCK];
    uint8_t s_enc[AES128_KEY_LEN];
    uint8_t s_mac[AES128_KEY_LEN];
    uint64_t counter; /* of the next TLV; starts at 1 */
};

/* From 48 octets in the order of the key derivation: MAC chaining value, S-ENC, S-MAC. */
void bsp_init(struct bsp *bsp, const uint8_t keys[BSP_KEYS_LEN]);

/* Wipes the keys. */
void bsp_done(struct bsp *bsp);

/* Session keys from the key agreement (SGP.22 Annex G). */
int bsp_derive(struct crypto *c, const struct ec_key *ot_sk_dp, struct rd ot_pk_euicc,
               struct rd host_id, struct rd eid, struct bsp *ret);

/* Appends data as TLVs of this tag, in segments of at most BSP_MAX_SEGMENT octets. */
int bsp_protect(struct crypto *c, struct bsp *bsp, uint8_t tag, struct rd data, struct wr *ret);

/* What goes into a package. */
struct bpp_content {
    struct rd configure_isdp; /* BF24, whole TLV */
    struct rd metadata;       /* BF25, whole TLV */
    struct rd upp;            /* profile elements, one after the other */
    const uint8_t *ppk;       /* NULL: session keys; else BSP_KEYS_LEN octets as for bsp_init() */
    struct rd replace_keys;   /* n > 0: this for ReplaceSessionKeys, and session keys go on */
};

/* firstSequenceOf87, sequenceOf88, [secondSequenceOf87,] sequenceOf86 under these keys. */
int bpp_protect(struct crypto *c, struct bsp *bsp, const struct bpp_content *content,
                struct wr *ret);

/* The two parties of one session. */
struct bpp_session {
    struct rd transaction_id;
    struct rd host_id;             /* 1 to BPP_MAX_HOST_ID octets */
    struct rd eid;                 /* BPP_EID_LEN octets */
    const struct ec_key *ot_sk_dp; /* the server's one-time key */
    struct rd ot_pk_euicc;         /* the eUICC's, EC_POINT_LEN octets */
    const struct ec_key *sk_dppb;  /* SK.DPpb.ECDSA */
};

/* InitialiseSecureChannelRequest, BF23 (SGP.22 5.5.1). */
int bpp_initialise(struct crypto *c, const struct bpp_session *session, struct wr *ret);

/* BoundProfilePackage, BF36, from its two parts. */
void bpp_join(struct rd initialise, struct rd protected_part, struct wr *ret);

/* All of the above at once: content bound to the eUICC of this session. */
int bpp_bind(struct crypto *c, const struct bpp_session *session, const struct bpp_content *content,
             struct wr *ret);

#endif
