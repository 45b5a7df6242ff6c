/* bsp.h - the BPP Security Protocol: keys of a BoundProfilePackage, and its 86, 87 and 88 TLVs
 * (SGP.22 2.5.3, 2.6.4; reference SCP03t). */
#ifndef APPLETS_ISDR_BSP_H
#define APPLETS_ISDR_BSP_H

#include "os/crypto.h"
#include "os/tlv.h"

enum {
    BSP_KEY_TYPE_AES = 0x88,
    BSP_KEY_LEN = 16,
    BSP_MAC_LEN = 8,
    BSP_HOST_ID_MAX = 16,

    TAG_BSP_ENCRYPTED = 0x86, /* profile package: encrypted and authenticated */
    TAG_BSP_COMMAND = 0x87,   /* commands: encrypted and authenticated */
    TAG_BSP_MAC_ONLY = 0x88,  /* metadata: authenticated */
};

struct bsp {
    uint8_t s_enc[BSP_KEY_LEN], s_mac[BSP_KEY_LEN];
    uint8_t mac_chaining[AES_BLOCK];
    uint32_t counter; /* of the next TLV since the keys were set */
};

enum bsp_result {
    BSP_OK = 0,
    BSP_STRUCTURE_ERROR = 1, /* length or tag cannot be */
    BSP_SECURITY_ERROR = 2,  /* MAC or padding is wrong */
};

/* Session keys from the shared secret (SGP.22 2.6.7.3, annex G). */
int bsp_derive(struct crypto *c, struct rd shared_secret, struct rd host_id, struct rd eid,
               struct bsp *ret);

/* ReplaceSessionKeys: the counter starts again. */
void bsp_replace(struct bsp *b, const uint8_t mac_chaining[AES_BLOCK],
                 const uint8_t s_enc[BSP_KEY_LEN], const uint8_t s_mac[BSP_KEY_LEN]);

/* Checks one TLV as received and appends its plaintext.  An enum bsp_result, or a fault. */
int bsp_open(struct crypto *c, struct bsp *b, const struct tlv *t, struct wr *plain);

#endif
