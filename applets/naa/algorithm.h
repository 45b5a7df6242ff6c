/* algorithm.h - the authentication and key agreement functions f1 to f5* of TS 33.102 6.3, as three
 * algorithms offer them.
 *
 * Results are 0 or a fault.  Lengths are octets. */
#ifndef APPLETS_NAA_ALGORITHM_H
#define APPLETS_NAA_ALGORITHM_H

#include "os/crypto.h"

enum {
    AKA_RAND_LEN = 16,
    AKA_SQN_LEN = 6,
    AKA_AMF_LEN = 2,
    AKA_AK_LEN = 6,
    AKA_MAX_LEN = 32, /* of keys, MACs and RES */

    MILENAGE_ROUNDS = 5,
};

/* What a subscription has of its own.  Secret: wiped by who holds it. */
struct aka_keys {
    uint8_t k[AKA_MAX_LEN];
    uint8_t opc[AKA_MAX_LEN]; /* OPc or TOPc */
    size_t k_len;
    size_t mac_len, res_len, ck_len, ik_len;
    uint8_t rotations[MILENAGE_ROUNDS];            /* r1 to r5, in bits */
    uint8_t constants[MILENAGE_ROUNDS][AES_BLOCK]; /* c1 to c5 */
    unsigned keccaks;                              /* TUAK: applications of Keccak-f */
};

struct aka_vector {
    uint8_t res[AKA_MAX_LEN]; /* f2 */
    uint8_t ck[AKA_MAX_LEN];  /* f3 */
    uint8_t ik[AKA_MAX_LEN];  /* f4 */
    uint8_t ak[AKA_AK_LEN];   /* f5 */
};

/* f1 and f1*: mac_len octets. */
typedef int aka_mac_fn(struct crypto *c, const struct aka_keys *k, const uint8_t rand[AKA_RAND_LEN],
                       const uint8_t sqn[AKA_SQN_LEN], const uint8_t amf[AKA_AMF_LEN],
                       uint8_t *ret_mac);

struct aka_algorithm {
    const char *name;
    aka_mac_fn *f1, *f1_star;
    int (*f2345)(struct crypto *c, const struct aka_keys *k, const uint8_t rand[AKA_RAND_LEN],
                 struct aka_vector *ret);
    int (*f5_star)(struct crypto *c, const struct aka_keys *k, const uint8_t rand[AKA_RAND_LEN],
                   uint8_t ret_ak[AKA_AK_LEN]);
    bool for_tests; /* no sequence numbers; AMF FFFF asks for synchronisation (TS 34.108 8.1.2) */
};

extern const struct aka_algorithm milenage; /* TS 35.206 */
extern const struct aka_algorithm tuak;     /* TS 35.231 */
extern const struct aka_algorithm testalgo; /* TS 34.108 8.1.2 */

#endif
