/* milenage.c - the MILENAGE algorithm set (TS 35.206 4). */
#include "applets/naa/algorithm.h"

#include <string.h>

#include "os/err.h"

enum { BLOCK_BITS = 8 * AES_BLOCK };

/* Cyclic, towards the most significant bit. */
static void rotate(const uint8_t in[AES_BLOCK], unsigned bits, uint8_t ret[AES_BLOCK])
{
    unsigned octets = bits % BLOCK_BITS / 8, rest = bits % 8;

    for (unsigned i = 0; i < AES_BLOCK; i++) {
        unsigned two =
            (unsigned)in[(i + octets) % AES_BLOCK] << 8 | in[(i + octets + 1) % AES_BLOCK];
        ret[i] = (uint8_t)(two >> (8 - rest));
    }
}

static void xor_into(uint8_t x[AES_BLOCK], const uint8_t y[AES_BLOCK])
{
    for (size_t i = 0; i < AES_BLOCK; i++)
        x[i] ^= y[i];
}

/* TEMP = E(RAND xor OPc) */
static int first_block(struct crypto *c, const struct aka_keys *k, const uint8_t rand[AKA_RAND_LEN],
                       uint8_t ret[AES_BLOCK])
{
    uint8_t x[AES_BLOCK];

    memcpy(x, rand, sizeof x);
    xor_into(x, k->opc);
    return aes128_encrypt_block(c, k->k, x, ret);
}

/* OUT of one round: E(more xor rot(in xor OPc, r) xor c) xor OPc; round from 1. */
static int out_block(struct crypto *c, const struct aka_keys *k, unsigned round,
                     const uint8_t in[AES_BLOCK], const uint8_t more[AES_BLOCK],
                     uint8_t ret[AES_BLOCK])
{
    uint8_t x[AES_BLOCK], rotated[AES_BLOCK];

    memcpy(x, in, sizeof x);
    xor_into(x, k->opc);
    rotate(x, k->rotations[round - 1], rotated);
    xor_into(rotated, k->constants[round - 1]);
    xor_into(rotated, more);
    int err = aes128_encrypt_block(c, k->k, rotated, ret);
    xor_into(ret, k->opc);
    crypto_wipe(x, sizeof x);
    crypto_wipe(rotated, sizeof rotated);
    return err;
}

/* MAC-A and MAC-S, one after the other. */
static int out1(struct crypto *c, const struct aka_keys *k, const uint8_t rand[AKA_RAND_LEN],
                const uint8_t sqn[AKA_SQN_LEN], const uint8_t amf[AKA_AMF_LEN],
                uint8_t ret[AES_BLOCK])
{
    uint8_t temp[AES_BLOCK], in[AES_BLOCK];

    for (size_t half = 0; half < AES_BLOCK; half += AES_BLOCK / 2) {
        memcpy(in + half, sqn, AKA_SQN_LEN);
        memcpy(in + half + AKA_SQN_LEN, amf, AKA_AMF_LEN);
    }
    int err = first_block(c, k, rand, temp);
    if (err == 0)
        err = out_block(c, k, 1, in, temp, ret);
    crypto_wipe(temp, sizeof temp);
    return err;
}

static int f1(struct crypto *c, const struct aka_keys *k, const uint8_t rand[AKA_RAND_LEN],
              const uint8_t sqn[AKA_SQN_LEN], const uint8_t amf[AKA_AMF_LEN], uint8_t *ret_mac)
{
    uint8_t out[AES_BLOCK];

    TRY(out1(c, k, rand, sqn, amf, out));
    memcpy(ret_mac, out, AES_BLOCK / 2);
    return 0;
}

static int f1_star(struct crypto *c, const struct aka_keys *k, const uint8_t rand[AKA_RAND_LEN],
                   const uint8_t sqn[AKA_SQN_LEN], const uint8_t amf[AKA_AMF_LEN], uint8_t *ret_mac)
{
    uint8_t out[AES_BLOCK];

    TRY(out1(c, k, rand, sqn, amf, out));
    memcpy(ret_mac, out + AES_BLOCK / 2, AES_BLOCK / 2);
    return 0;
}

/* OUT2 to OUT5: what goes in is TEMP, and nothing is added. */
static int later_block(struct crypto *c, const struct aka_keys *k, unsigned round,
                       const uint8_t temp[AES_BLOCK], uint8_t ret[AES_BLOCK])
{
    static const uint8_t nothing[AES_BLOCK];

    return out_block(c, k, round, temp, nothing, ret);
}

static int f2345(struct crypto *c, const struct aka_keys *k, const uint8_t rand[AKA_RAND_LEN],
                 struct aka_vector *ret)
{
    uint8_t temp[AES_BLOCK], out2[AES_BLOCK];

    int err = first_block(c, k, rand, temp);
    if (err == 0)
        err = later_block(c, k, 2, temp, out2);
    if (err == 0)
        err = later_block(c, k, 3, temp, ret->ck);
    if (err == 0)
        err = later_block(c, k, 4, temp, ret->ik);
    if (err == 0) {
        memcpy(ret->ak, out2, AKA_AK_LEN);
        memcpy(ret->res, out2 + AES_BLOCK / 2, AES_BLOCK / 2);
    }
    crypto_wipe(temp, sizeof temp);
    crypto_wipe(out2, sizeof out2);
    return err;
}

static int f5_star(struct crypto *c, const struct aka_keys *k, const uint8_t rand[AKA_RAND_LEN],
                   uint8_t ret_ak[AKA_AK_LEN])
{
    uint8_t temp[AES_BLOCK], out5[AES_BLOCK];

    int err = first_block(c, k, rand, temp);
    if (err == 0)
        err = later_block(c, k, 5, temp, out5);
    if (err == 0)
        memcpy(ret_ak, out5, AKA_AK_LEN);
    crypto_wipe(temp, sizeof temp);
    crypto_wipe(out5, sizeof out5);
    return err;
}

const struct aka_algorithm milenage = {
    .name = "Milenage",
    .f1 = f1,
    .f1_star = f1_star,
    .f2345 = f2345,
    .f5_star = f5_star,
};
