/* tuak.c - the TUAK algorithm set (TS 35.231 6).
 *
 * All functions put their inputs into one state, apply Keccak-f and take their outputs from fixed
 * places; INSTANCE tells them and their lengths apart.  The specification numbers bits from the end
 * of each value, so that values lie backwards in the octets of the state. */
#include "applets/naa/algorithm.h"

#include <string.h>

#include "applets/naa/keccak.h"
#include "os/err.h"

enum {
    INSTANCE_F1 = 0x00,
    INSTANCE_F2345 = 0x40,
    INSTANCE_F1_STAR = 0x80,
    INSTANCE_F5_STAR = 0xC0,
    INSTANCE_64 = 0x08, /* MAC or RES; RES of 32: none of them */
    INSTANCE_128 = 0x10,
    INSTANCE_256 = 0x20,
    INSTANCE_CK_256 = 0x04,
    INSTANCE_IK_256 = 0x02,
    INSTANCE_K_256 = 0x01,

    TOPC_LEN = 32,
    NAME_LEN = 7,
    PAD_END = 136, /* octets of the rate: 1088 bits */

    /* Where outputs begin. */
    AT_MAC = 0,
    AT_RES = 0,
    AT_CK = 32,
    AT_IK = 64,
    AT_AK = 96,
};

static void copy_reversed(uint8_t *to, const uint8_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = from[n - 1 - i];
}

static uint8_t length_bits(size_t len)
{
    return len == 32 ? INSTANCE_256 : len == 16 ? INSTANCE_128 : len == 8 ? INSTANCE_64 : 0;
}

static void run(const struct aka_keys *k, uint8_t instance, const uint8_t rand[AKA_RAND_LEN],
                const uint8_t sqn[AKA_SQN_LEN], const uint8_t amf[AKA_AMF_LEN],
                uint8_t state[KECCAK_STATE_LEN])
{
    static const uint8_t name[NAME_LEN] = { 'T', 'U', 'A', 'K', '1', '.', '0' };
    uint8_t *at = state;

    memset(state, 0, KECCAK_STATE_LEN);
    copy_reversed(at, k->opc, TOPC_LEN);
    at += TOPC_LEN;
    *at++ = k->k_len == 32 ? instance | INSTANCE_K_256 : instance;
    copy_reversed(at, name, NAME_LEN);
    at += NAME_LEN;
    copy_reversed(at, rand, AKA_RAND_LEN);
    at += AKA_RAND_LEN;
    copy_reversed(at, amf, AKA_AMF_LEN);
    at += AKA_AMF_LEN;
    copy_reversed(at, sqn, AKA_SQN_LEN);
    at += AKA_SQN_LEN;
    copy_reversed(at, k->k, k->k_len);
    at += AKA_MAX_LEN;
    *at = 0x1F;
    state[PAD_END - 1] = 0x80;
    for (unsigned i = 0; i < k->keccaks; i++)
        keccak_f1600(state);
}

static void mac(const struct aka_keys *k, uint8_t instance, const uint8_t rand[AKA_RAND_LEN],
                const uint8_t sqn[AKA_SQN_LEN], const uint8_t amf[AKA_AMF_LEN], uint8_t *ret_mac)
{
    uint8_t state[KECCAK_STATE_LEN];

    run(k, instance | length_bits(k->mac_len), rand, sqn, amf, state);
    copy_reversed(ret_mac, state + AT_MAC, k->mac_len);
    crypto_wipe(state, sizeof state);
}

static int f1(struct crypto *c, const struct aka_keys *k, const uint8_t rand[AKA_RAND_LEN],
              const uint8_t sqn[AKA_SQN_LEN], const uint8_t amf[AKA_AMF_LEN], uint8_t *ret_mac)
{
    (void)c;
    mac(k, INSTANCE_F1, rand, sqn, amf, ret_mac);
    return 0;
}

static int f1_star(struct crypto *c, const struct aka_keys *k, const uint8_t rand[AKA_RAND_LEN],
                   const uint8_t sqn[AKA_SQN_LEN], const uint8_t amf[AKA_AMF_LEN], uint8_t *ret_mac)
{
    (void)c;
    mac(k, INSTANCE_F1_STAR, rand, sqn, amf, ret_mac);
    return 0;
}

/* f2 to f5 and f5* see neither SQN nor AMF. */
static const uint8_t no_sqn[AKA_SQN_LEN], no_amf[AKA_AMF_LEN];

static int f2345(struct crypto *c, const struct aka_keys *k, const uint8_t rand[AKA_RAND_LEN],
                 struct aka_vector *ret)
{
    uint8_t state[KECCAK_STATE_LEN];
    uint8_t instance = INSTANCE_F2345 | length_bits(k->res_len);

    (void)c;
    if (k->ck_len == 32)
        instance |= INSTANCE_CK_256;
    if (k->ik_len == 32)
        instance |= INSTANCE_IK_256;
    run(k, instance, rand, no_sqn, no_amf, state);
    copy_reversed(ret->res, state + AT_RES, k->res_len);
    copy_reversed(ret->ck, state + AT_CK, k->ck_len);
    copy_reversed(ret->ik, state + AT_IK, k->ik_len);
    copy_reversed(ret->ak, state + AT_AK, AKA_AK_LEN);
    crypto_wipe(state, sizeof state);
    return 0;
}

static int f5_star(struct crypto *c, const struct aka_keys *k, const uint8_t rand[AKA_RAND_LEN],
                   uint8_t ret_ak[AKA_AK_LEN])
{
    uint8_t state[KECCAK_STATE_LEN];

    (void)c;
    run(k, INSTANCE_F5_STAR, rand, no_sqn, no_amf, state);
    copy_reversed(ret_ak, state + AT_AK, AKA_AK_LEN);
    crypto_wipe(state, sizeof state);
    return 0;
}

const struct aka_algorithm tuak = {
    .name = "TUAK",
    .f1 = f1,
    .f1_star = f1_star,
    .f2345 = f2345,
    .f5_star = f5_star,
};
