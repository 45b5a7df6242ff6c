/* testalgo.c - the algorithm of test USIMs (TS 34.108 8.1.2): everything is K xor RAND. */
#include "applets/naa/algorithm.h"

#include <string.h>

enum { XDOUT_LEN = 16, AK_AT = 3 };

static void xdout(const struct aka_keys *k, const uint8_t rand[AKA_RAND_LEN],
                  uint8_t ret[XDOUT_LEN])
{
    for (size_t i = 0; i < XDOUT_LEN; i++)
        ret[i] = k->k[i] ^ rand[i];
}

/* f1 and f1* are one function. */
static int f1(struct crypto *c, const struct aka_keys *k, const uint8_t rand[AKA_RAND_LEN],
              const uint8_t sqn[AKA_SQN_LEN], const uint8_t amf[AKA_AMF_LEN], uint8_t *ret_mac)
{
    uint8_t x[XDOUT_LEN];

    (void)c;
    xdout(k, rand, x);
    for (size_t i = 0; i < AKA_SQN_LEN; i++)
        ret_mac[i] = x[i] ^ sqn[i];
    for (size_t i = 0; i < AKA_AMF_LEN; i++)
        ret_mac[AKA_SQN_LEN + i] = x[AKA_SQN_LEN + i] ^ amf[i];
    return 0;
}

static int f2345(struct crypto *c, const struct aka_keys *k, const uint8_t rand[AKA_RAND_LEN],
                 struct aka_vector *ret)
{
    uint8_t x[XDOUT_LEN];

    (void)c;
    xdout(k, rand, x);
    memcpy(ret->res, x, k->res_len);
    for (size_t i = 0; i < XDOUT_LEN; i++) {
        ret->ck[i] = x[(i + 1) % XDOUT_LEN];
        ret->ik[i] = x[(i + 2) % XDOUT_LEN];
    }
    memcpy(ret->ak, x + AK_AT, AKA_AK_LEN);
    return 0;
}

static int f5_star(struct crypto *c, const struct aka_keys *k, const uint8_t rand[AKA_RAND_LEN],
                   uint8_t ret_ak[AKA_AK_LEN])
{
    uint8_t x[XDOUT_LEN];

    (void)c;
    xdout(k, rand, x);
    memcpy(ret_ak, x + AK_AT, AKA_AK_LEN);
    return 0;
}

const struct aka_algorithm testalgo = {
    .name = "test algorithm",
    .f1 = f1,
    .f1_star = f1,
    .f2345 = f2345,
    .f5_star = f5_star,
    .for_tests = true,
};
