/* bsp.c - the BPP Security Protocol. */
#include "applets/isdr/bsp.h"

#include <string.h>

#include "os/err.h"

int bsp_derive(struct crypto *c, struct rd shared_secret, struct rd host_id, struct rd eid,
               struct bsp *ret)
{
    uint8_t info[2 + 1 + BSP_HOST_ID_MAX + 1 + 16], keys[3 * BSP_KEY_LEN];
    struct wr w;

    wr_init(&w, info, sizeof info);
    wr_put_u8(&w, BSP_KEY_TYPE_AES);
    wr_put_u8(&w, BSP_KEY_LEN);
    wr_put_u8(&w, (uint8_t)host_id.n);
    wr_put_rd(&w, host_id);
    wr_put_u8(&w, (uint8_t)eid.n);
    wr_put_rd(&w, eid);
    TRY(wr_failed(&w));
    int err = kdf_x963(c, shared_secret, wr_view(&w), keys, sizeof keys);
    if (err == 0)
        bsp_replace(ret, keys, keys + BSP_KEY_LEN, keys + 2 * BSP_KEY_LEN);
    crypto_wipe(keys, sizeof keys);
    return err;
}

void bsp_replace(struct bsp *b, const uint8_t mac_chaining[AES_BLOCK],
                 const uint8_t s_enc[BSP_KEY_LEN], const uint8_t s_mac[BSP_KEY_LEN])
{
    memcpy(b->mac_chaining, mac_chaining, AES_BLOCK);
    memcpy(b->s_enc, s_enc, BSP_KEY_LEN);
    memcpy(b->s_mac, s_mac, BSP_KEY_LEN);
    b->counter = 1;
}

/* The MAC covers the chaining value, the header as received and the data; it becomes the next
 * chaining value. */
static int check_mac(struct crypto *c, struct bsp *b, const struct tlv *t, bool *ret_good)
{
    size_t covered = t->whole.n - BSP_MAC_LEN;
    const struct rd parts[] = { rd_of(b->mac_chaining, AES_BLOCK), rd_of(t->whole.p, covered) };
    uint8_t mac[AES_BLOCK];

    TRY(aes128_cmac(c, b->s_mac, parts, N_ELEMS(parts), mac));
    *ret_good = crypto_equal(mac, t->whole.p + covered, BSP_MAC_LEN);
    if (*ret_good)
        memcpy(b->mac_chaining, mac, AES_BLOCK);
    return 0;
}

/* Octets before the padding 80 00 ... 00 of up to one block; -1 when it is none. */
static int unpadded(const uint8_t *p, size_t n)
{
    for (size_t i = n; i-- > n - AES_BLOCK;) {
        if (p[i] == 0x80)
            return (int)i;
        if (p[i] != 0)
            return -1;
    }
    return -1;
}

/* The initial vector is the TLV's number, encrypted. */
static int decrypt(struct crypto *c, const struct bsp *b, struct rd data, struct wr *plain,
                   bool *ret_good)
{
    uint8_t number[AES_BLOCK] = { 0 }, iv[AES_BLOCK];
    size_t before = plain->n;

    for (int i = 0; i < 4; i++)
        number[AES_BLOCK - 1 - i] = (uint8_t)(b->counter >> 8 * i);
    TRY(aes128_encrypt_block(c, b->s_enc, number, iv));
    uint8_t *out = wr_reserve(plain, data.n);
    if (out == NULL)
        return ERR_SPACE;
    TRY(aes128_cbc_decrypt(c, b->s_enc, iv, data.p, data.n, out));
    int n = unpadded(out, data.n);
    *ret_good = n >= 0;
    plain->n = before + (size_t)(n < 0 ? 0 : n);
    return 0;
}

int bsp_open(struct crypto *c, struct bsp *b, const struct tlv *t, struct wr *plain)
{
    bool encrypted = t->tag != TAG_BSP_MAC_ONLY, good;

    if (t->value.n < BSP_MAC_LEN)
        return BSP_STRUCTURE_ERROR;
    struct rd data = rd_of(t->value.p, t->value.n - BSP_MAC_LEN);
    if (encrypted && (data.n == 0 || data.n % AES_BLOCK != 0))
        return BSP_STRUCTURE_ERROR;
    TRY(check_mac(c, b, t, &good));
    if (!good)
        return BSP_SECURITY_ERROR;
    if (encrypted)
        TRY(decrypt(c, b, data, plain, &good));
    else
        wr_put_rd(plain, data);
    if (plain->failed)
        return ERR_SPACE;
    b->counter++;
    return good ? BSP_OK : BSP_SECURITY_ERROR;
}
