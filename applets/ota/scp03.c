/* scp03.c - Secure Channel Protocol '03' (GlobalPlatform Amendment D 4 and 6.2). */
#include "applets/ota/scp03.h"

#include <string.h>

#include "os/err.h"

enum {
    PAD = 0x80,
    SECURED_CLASS = 0x84,
    INTERINDUSTRY_SECURED_CLASS = 0x04,

    /* Derivation constants, Amendment D table 4-1. */
    FOR_CARD_CRYPTOGRAM = 0x00,
    FOR_HOST_CRYPTOGRAM = 0x01,
    FOR_CARD_CHALLENGE = 0x02,
    FOR_ENC = 0x04,
    FOR_MAC = 0x06,
    FOR_RMAC = 0x07,
};

/* Amendment D 4.1.5: CMAC in counter mode over label, separator, length, counter, context. */
static int derive(struct crypto *c, struct rd key, uint8_t constant, struct rd context,
                  uint8_t *ret, size_t n)
{
    uint8_t head[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, constant, 0, 0, 0, 0 };
    uint8_t block[AES_BLOCK];
    const struct rd parts[] = { rd_of(head, sizeof head), context };
    int err = 0;

    head[13] = (uint8_t)(n * 8 >> 8);
    head[14] = (uint8_t)(n * 8);
    for (size_t at = 0; err == 0 && at < n; at += sizeof block) {
        head[15]++;
        err = cipher_mac(c, CIPHER_AES, key, parts, N_ELEMS(parts), block);
        if (err == 0)
            memcpy(ret + at, block, n - at < sizeof block ? n - at : sizeof block);
    }
    crypto_wipe(block, sizeof block);
    return err;
}

int scp03_challenge(struct crypto *c, const struct scp80_key *enc, uint32_t counter, struct rd aid,
                    uint8_t ret[SCP_CHALLENGE_LEN])
{
    uint8_t octets[SCP03_COUNTER_LEN + 16];
    struct wr context;

    wr_init(&context, octets, sizeof octets);
    for (int i = SCP03_COUNTER_LEN - 1; i >= 0; i--)
        wr_put_u8(&context, (uint8_t)(counter >> 8 * i));
    wr_put_rd(&context, aid);
    TRY(wr_failed(&context));
    return derive(c, scp80_key_octets(enc), FOR_CARD_CHALLENGE, wr_view(&context), ret,
                  SCP_CHALLENGE_LEN);
}

int scp03_begin(struct crypto *c, const struct scp80_key *enc, const struct scp80_key *mac,
                const uint8_t host[SCP_CHALLENGE_LEN], const uint8_t card[SCP_CHALLENGE_LEN],
                struct scp03 *ret)
{
    uint8_t octets[2 * SCP_CHALLENGE_LEN] = { 0 };
    const struct rd context = rd_of(octets, sizeof octets);

    if (enc->family != CIPHER_AES || mac->family != CIPHER_AES || enc->n != mac->n)
        return ERR_INPUT;
    memcpy(octets, host, SCP_CHALLENGE_LEN);
    memcpy(octets + SCP_CHALLENGE_LEN, card, SCP_CHALLENGE_LEN);
    *ret = (struct scp03){ .key_len = enc->n };
    TRY(derive(c, scp80_key_octets(enc), FOR_ENC, context, ret->enc, ret->key_len));
    TRY(derive(c, scp80_key_octets(mac), FOR_MAC, context, ret->mac, ret->key_len));
    TRY(derive(c, scp80_key_octets(mac), FOR_RMAC, context, ret->rmac, ret->key_len));
    const struct rd key = rd_of(ret->mac, ret->key_len);
    TRY(derive(c, key, FOR_CARD_CRYPTOGRAM, context, ret->card_cryptogram, SCP_CRYPTOGRAM_LEN));
    return derive(c, key, FOR_HOST_CRYPTOGRAM, context, ret->host_cryptogram, SCP_CRYPTOGRAM_LEN);
}

size_t scp_header(const struct apdu *a, size_t lc, uint8_t ret[SCP_HEADER_MAX])
{
    bool proprietary = a->cla & 0x80;
    size_t n = 0;

    ret[n++] = proprietary ? SECURED_CLASS : INTERINDUSTRY_SECURED_CLASS;
    ret[n++] = a->ins;
    ret[n++] = a->p1;
    ret[n++] = a->p2;
    if (a->extended) {
        ret[n++] = 0;
        ret[n++] = (uint8_t)(lc >> 8);
    }
    ret[n++] = (uint8_t)lc;
    return n;
}

int scp_unpad(const uint8_t *data, size_t *n)
{
    size_t at = *n;

    while (at > 0 && data[at - 1] == 0)
        at--;
    if (at == 0 || data[at - 1] != PAD)
        return ERR_INPUT;
    *n = at - 1;
    return 0;
}

/* Amendment D 6.2.6: the counter's block enciphered is the initial vector; an answer's has its
 * first bit set. */
static int initial_vector(struct crypto *c, const struct scp03 *s, bool answer,
                          uint8_t ret[AES_BLOCK])
{
    static const uint8_t zero[AES_BLOCK];
    uint8_t block[AES_BLOCK] = { answer ? 0x80 : 0 };

    for (size_t i = 0; i < sizeof s->commands; i++)
        block[AES_BLOCK - 1 - i] = (uint8_t)(s->commands >> 8 * i);
    return cipher_cbc(c, CIPHER_AES, rd_of(s->enc, s->key_len), true, zero, block, AES_BLOCK, ret);
}

static int decipher(struct crypto *c, const struct scp03 *s, uint8_t *data, size_t *n)
{
    uint8_t iv[AES_BLOCK];

    if (*n % AES_BLOCK != 0)
        return SW_WRONG_SM_OBJECTS;
    TRY(initial_vector(c, s, false, iv));
    TRY(cipher_cbc(c, CIPHER_AES, rd_of(s->enc, s->key_len), false, iv, data, *n, data));
    return scp_unpad(data, n) == 0 ? 0 : SW_WRONG_SM_OBJECTS;
}

int scp03_unwrap(struct crypto *c, struct scp03 *s, uint8_t level, const struct apdu *a,
                 uint8_t *data, size_t *n)
{
    uint8_t header[SCP_HEADER_MAX], mac[AES_BLOCK];

    *n = a->lc;
    if (*n < SCP_MAC_LEN)
        return SW_WRONG_SM_OBJECTS;
    *n -= SCP_MAC_LEN;
    const struct rd parts[] = { rd_of(s->chaining, sizeof s->chaining),
                                rd_of(header, scp_header(a, a->lc, header)), rd_of(data, *n) };
    TRY(cipher_mac(c, CIPHER_AES, rd_of(s->mac, s->key_len), parts, N_ELEMS(parts), mac));
    if (!crypto_equal(mac, data + *n, SCP_MAC_LEN))
        return SW_WRONG_SM_OBJECTS;
    memcpy(s->chaining, mac, sizeof s->chaining);
    if (!(level & SCP_C_ENC))
        return 0;
    s->commands++;
    return *n > 0 ? decipher(c, s, data, n) : 0;
}

static int encipher(struct crypto *c, const struct scp03 *s, struct wr *rsp)
{
    uint8_t iv[AES_BLOCK];

    wr_put_u8(rsp, PAD);
    while (rsp->n % AES_BLOCK != 0 && wr_failed(rsp) == 0)
        wr_put_u8(rsp, 0);
    TRY(wr_failed(rsp));
    TRY(initial_vector(c, s, true, iv));
    return cipher_cbc(c, CIPHER_AES, rd_of(s->enc, s->key_len), true, iv, rsp->p, rsp->n, rsp->p);
}

int scp03_wrap(struct crypto *c, const struct scp03 *s, uint8_t level, uint16_t sw, struct wr *rsp)
{
    const uint8_t trailer[] = { (uint8_t)(sw >> 8), (uint8_t)sw };
    uint8_t mac[AES_BLOCK];

    if (!(level & SCP_R_MAC))
        return 0;
    if ((level & SCP_R_ENC) && rsp->n > 0)
        TRY(encipher(c, s, rsp));
    const struct rd parts[] = { rd_of(s->chaining, sizeof s->chaining), wr_view(rsp),
                                rd_of(trailer, sizeof trailer) };
    TRY(cipher_mac(c, CIPHER_AES, rd_of(s->rmac, s->key_len), parts, N_ELEMS(parts), mac));
    wr_put(rsp, mac, SCP_MAC_LEN);
    return wr_failed(rsp);
}
