/* scp02.c - Secure Channel Protocol '02' (GlobalPlatform Card Specification annexes B.1.2, E). */
#include "applets/ota/scp02.h"

#include <string.h>

#include "os/err.h"

enum { PAD = 0x80 };

static const uint8_t zero[DES_BLOCK];

/* E.4.1: the constant and the counter, enciphered with the static key. */
static int derive(struct crypto *c, const struct scp80_key *key, uint16_t constant,
                  uint16_t counter, uint8_t ret[SCP02_KEY_LEN])
{
    const uint8_t data[SCP02_KEY_LEN] = { (uint8_t)(constant >> 8), (uint8_t)constant,
                                          (uint8_t)(counter >> 8), (uint8_t)counter };

    if (key->family != CIPHER_DES || key->n != SCP02_KEY_LEN)
        return ERR_INPUT;
    return cipher_cbc(c, CIPHER_DES, scp80_key_octets(key), true, zero, data, sizeof data, ret);
}

int scp02_keys(struct crypto *c, const struct scp80_key *enc, const struct scp80_key *mac,
               const struct scp80_key *dek, uint16_t counter, struct scp02 *ret)
{
    enum { FOR_C_MAC = 0x0101, FOR_DEK = 0x0181, FOR_ENC = 0x0182 };

    *ret = (struct scp02){ .icv = { 0 } };
    TRY(derive(c, enc, FOR_ENC, counter, ret->enc));
    TRY(derive(c, mac, FOR_C_MAC, counter, ret->mac));
    return dek->n > 0 ? derive(c, dek, FOR_DEK, counter, ret->dek) : 0;
}

/* Single DES over all whole blocks but the last, padded one, which both keys encipher (B.1.2.2).
 * parts: what the MAC covers. */
static int retail_mac(struct crypto *c, const struct scp02 *s, const uint8_t icv[DES_BLOCK],
                      const struct rd *parts, size_t n_parts, uint8_t ret[DES_BLOCK])
{
    uint8_t chain[DES_BLOCK], block[DES_BLOCK];
    size_t at = 0;

    memcpy(chain, icv, sizeof chain);
    for (size_t i = 0; i < n_parts; i++)
        for (size_t j = 0; j < parts[i].n; j++) {
            block[at++] = parts[i].p[j];
            if (at < sizeof block)
                continue;
            TRY(cipher_cbc(c, CIPHER_DES, rd_of(s->mac, DES_BLOCK), true, chain, block,
                           sizeof block, chain));
            at = 0;
        }
    memset(block + at, 0, sizeof block - at);
    block[at] = PAD;
    return cipher_cbc(c, CIPHER_DES, rd_of(s->mac, sizeof s->mac), true, chain, block, sizeof block,
                      ret);
}

int scp02_challenge(struct crypto *c, const struct scp02 *s, struct rd aid,
                    uint8_t ret[SCP02_CHALLENGE_LEN])
{
    uint8_t mac[DES_BLOCK];

    TRY(retail_mac(c, s, zero, &aid, 1, mac));
    memcpy(ret, mac, SCP02_CHALLENGE_LEN);
    return 0;
}

int scp02_begin(struct crypto *c, struct scp02 *s, uint16_t counter,
                const uint8_t host[SCP_CHALLENGE_LEN], const uint8_t card[SCP02_CHALLENGE_LEN])
{
    static const uint8_t pad[] = { PAD, 0, 0, 0, 0, 0, 0, 0 };
    const uint8_t octets[] = { (uint8_t)(counter >> 8), (uint8_t)counter };
    const struct rd host_part = rd_of(host, SCP_CHALLENGE_LEN),
                    counter_part = rd_of(octets, sizeof octets),
                    card_part = rd_of(card, SCP02_CHALLENGE_LEN),
                    key = rd_of(s->enc, sizeof s->enc);
    const struct rd by_card[] = { host_part, counter_part, card_part, rd_of(pad, sizeof pad) };
    const struct rd by_host[] = { counter_part, card_part, host_part, rd_of(pad, sizeof pad) };

    TRY(cipher_mac(c, CIPHER_DES, key, by_card, N_ELEMS(by_card), s->card_cryptogram));
    return cipher_mac(c, CIPHER_DES, key, by_host, N_ELEMS(by_host), s->host_cryptogram);
}

/* The MAC covers the plain data, so that deciphering comes first (E.4.4, E.4.6). */
static int decipher(struct crypto *c, const struct scp02 *s, uint8_t *data, size_t *n)
{
    if (*n % DES_BLOCK != 0)
        return SW_WRONG_SM_OBJECTS;
    TRY(cipher_cbc(c, CIPHER_DES, rd_of(s->enc, sizeof s->enc), false, zero, data, *n, data));
    return scp_unpad(data, n) == 0 ? 0 : SW_WRONG_SM_OBJECTS;
}

int scp02_unwrap(struct crypto *c, struct scp02 *s, uint8_t level, const struct apdu *a,
                 uint8_t *data, size_t *n)
{
    uint8_t header[SCP_HEADER_MAX], mac[DES_BLOCK];

    *n = a->lc;
    if (*n < SCP_MAC_LEN || a->extended)
        return SW_WRONG_SM_OBJECTS;
    *n -= SCP_MAC_LEN;
    const uint8_t *received = data + *n;
    if ((level & SCP_C_ENC) && *n > 0)
        TRY(decipher(c, s, data, n));
    const struct rd parts[] = { rd_of(header, scp_header(a, *n + SCP_MAC_LEN, header)),
                                rd_of(data, *n) };
    TRY(retail_mac(c, s, s->icv, parts, N_ELEMS(parts), mac));
    if (!crypto_equal(mac, received, SCP_MAC_LEN))
        return SW_WRONG_SM_OBJECTS;
    return cipher_cbc(c, CIPHER_DES, rd_of(s->mac, DES_BLOCK), true, zero, mac, sizeof mac, s->icv);
}
