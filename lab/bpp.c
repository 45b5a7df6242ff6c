/* bpp.c - binding a profile package to one eUICC (SGP.22 2.5, 2.6.4, 5.5). */
#include "lab/bpp.h"

#include <string.h>

#include "os/err.h"
#include "os/tlv.h"

enum {
    KEY_TYPE_AES = 0x88, /* GlobalPlatform key type, SGP.22 5.5.1 */
    REMOTE_OP_INSTALL = 1,
    MAX_PACKAGE = 16 * 1024 * 1024,
    LONG_HEADER = 4, /* tag and 82 xx xx */

    TAG_BPP = 0xBF36,
    TAG_INITIALISE = 0xBF23,
    TAG_REPLACE_KEYS = 0xBF26,
    TAG_REMOTE_OP_ID = 0x82,
    TAG_TRANSACTION_ID = 0x80,
    TAG_CRT = 0xA6,
    TAG_OTPK = 0x5F49,
    TAG_SIGNATURE = 0x5F37,
    TAG_FIRST_87 = 0xA0,
    TAG_SEQUENCE_88 = 0xA1,
    TAG_SECOND_87 = 0xA2,
    TAG_SEQUENCE_86 = 0xA3,
};

void bsp_init(struct bsp *bsp, const uint8_t keys[BSP_KEYS_LEN])
{
    memcpy(bsp->mcv, keys, sizeof bsp->mcv);
    memcpy(bsp->s_enc, keys + AES_BLOCK, sizeof bsp->s_enc);
    memcpy(bsp->s_mac, keys + AES_BLOCK + AES128_KEY_LEN, sizeof bsp->s_mac);
    bsp->counter = 1;
}

void bsp_done(struct bsp *bsp)
{
    crypto_wipe(bsp, sizeof *bsp);
}

/* keyType, keyLen, host id and EID, each of the latter behind its length (SGP.22 Annex G). */
static void put_shared_info(struct rd host_id, struct rd eid, struct wr *w)
{
    wr_put_u8(w, KEY_TYPE_AES);
    wr_put_u8(w, AES128_KEY_LEN);
    wr_put_u8(w, (uint8_t)host_id.n);
    wr_put_rd(w, host_id);
    wr_put_u8(w, (uint8_t)eid.n);
    wr_put_rd(w, eid);
}

int bsp_derive(struct crypto *c, const struct ec_key *ot_sk_dp, struct rd ot_pk_euicc,
               struct rd host_id, struct rd eid, struct bsp *ret)
{
    uint8_t shared[EC_COORD_LEN], keys[BSP_KEYS_LEN], room[4 + BPP_MAX_HOST_ID + BPP_EID_LEN];
    struct ec_pub *theirs = NULL;
    struct wr info;

    wr_init(&info, room, sizeof room);
    put_shared_info(host_id, eid, &info);
    if (host_id.n == 0 || eid.n != BPP_EID_LEN || wr_failed(&info) != 0)
        return ERR_INPUT;
    TRY(ec_pub_from_point(c, ec_key_curve(ot_sk_dp), ot_pk_euicc, &theirs));
    int r = ecka(c, ot_sk_dp, theirs, shared);
    if (r == 0)
        r = kdf_x963(c, rd_of(shared, sizeof shared), wr_view(&info), keys, sizeof keys);
    if (r == 0)
        bsp_init(ret, keys);
    crypto_wipe(shared, sizeof shared);
    crypto_wipe(keys, sizeof keys);
    ec_pub_free(&theirs);
    return r;
}

/* Encrypts in place: the counter under S-ENC is the initial vector (SGP.22 2.6.4.4). */
static int encrypt_segment(struct crypto *c, const struct bsp *bsp, uint8_t *p, size_t n)
{
    uint8_t block[AES_BLOCK] = { 0 }, icv[AES_BLOCK];

    for (size_t i = 0; i < 8; i++)
        block[AES_BLOCK - 1 - i] = (uint8_t)(bsp->counter >> (8 * i));
    TRY(aes128_encrypt_block(c, bsp->s_enc, block, icv));
    return aes128_cbc_encrypt(c, bsp->s_enc, icv, p, n, p);
}

static int protect_segment(struct crypto *c, struct bsp *bsp, uint8_t tag, struct rd data,
                           struct wr *ret)
{
    bool encrypted = tag != TAG_BSP_METADATA;
    size_t n = encrypted ? data.n + AES_BLOCK - data.n % AES_BLOCK : data.n;
    size_t start = ret->n;

    tlv_put_header(ret, tag, n + BSP_MAC_LEN);
    size_t header = ret->n - start;
    uint8_t *body = wr_reserve(ret, n + BSP_MAC_LEN);
    if (body == NULL)
        return ERR_NOMEM;
    memset(body, 0, n);
    if (data.n > 0)
        memcpy(body, data.p, data.n);
    if (encrypted) {
        body[data.n] = 0x80;
        TRY(encrypt_segment(c, bsp, body, n));
    }
    struct rd parts[] = {
        rd_of(bsp->mcv, sizeof bsp->mcv),
        rd_of(body - header, header + n),
    };
    uint8_t mac[AES_BLOCK];
    TRY(aes128_cmac(c, bsp->s_mac, parts, N_ELEMS(parts), mac));
    memcpy(body + n, mac, BSP_MAC_LEN);
    memcpy(bsp->mcv, mac, sizeof bsp->mcv);
    bsp->counter++;
    return 0;
}

int bsp_protect(struct crypto *c, struct bsp *bsp, uint8_t tag, struct rd data, struct wr *ret)
{
    size_t most = BSP_MAX_SEGMENT - LONG_HEADER - BSP_MAC_LEN;

    if (tag != TAG_BSP_METADATA)
        most = most / AES_BLOCK * AES_BLOCK - 1; /* padding takes at least one octet */
    do {
        struct rd segment;
        TRY(rd_take(&data, data.n < most ? data.n : most, &segment));
        TRY(protect_segment(c, bsp, tag, segment, ret));
    } while (data.n > 0);
    return 0;
}

static int protect_sequence(struct crypto *c, struct bsp *bsp, uint32_t sequence, uint8_t tag,
                            struct rd data, struct wr *ret)
{
    struct wr_mark mark = tlv_open(ret, sequence);

    TRY(bsp_protect(c, bsp, tag, data, ret));
    tlv_close(ret, mark);
    return wr_failed(ret);
}

/* ReplaceSessionKeys (SGP.22 5.5.4), and from then on the profile protection keys. */
static int replace_keys(struct crypto *c, struct bsp *bsp, const uint8_t ppk[BSP_KEYS_LEN],
                        struct wr *ret)
{
    uint8_t room[BSP_KEYS_LEN + 16];
    struct wr w;

    wr_init(&w, room, sizeof room);
    struct wr_mark mark = tlv_open(&w, TAG_REPLACE_KEYS);
    for (uint8_t i = 0; i < 3; i++) /* 80 MAC chaining value, 81 PPK-ENC, 82 PPK-CMAC */
        tlv_put(&w, 0x80u + i, rd_of(ppk + (size_t)i * AES128_KEY_LEN, AES128_KEY_LEN));
    tlv_close(&w, mark);
    int r = wr_failed(&w);
    if (r == 0)
        r = protect_sequence(c, bsp, TAG_SECOND_87, TAG_BSP_COMMAND, wr_view(&w), ret);
    crypto_wipe(room, sizeof room);
    if (r == 0)
        bsp_init(bsp, ppk);
    return r;
}

int bpp_protect(struct crypto *c, struct bsp *bsp, const struct bpp_content *content,
                struct wr *ret)
{
    TRY(protect_sequence(c, bsp, TAG_FIRST_87, TAG_BSP_COMMAND, content->configure_isdp, ret));
    TRY(protect_sequence(c, bsp, TAG_SEQUENCE_88, TAG_BSP_METADATA, content->metadata, ret));
    if (content->replace_keys.n > 0)
        TRY(protect_sequence(c, bsp, TAG_SECOND_87, TAG_BSP_COMMAND, content->replace_keys, ret));
    else if (content->ppk != NULL)
        TRY(replace_keys(c, bsp, content->ppk, ret));
    return protect_sequence(c, bsp, TAG_SEQUENCE_86, TAG_BSP_PROFILE, content->upp, ret);
}

int bpp_initialise(struct crypto *c, const struct bpp_session *session, struct wr *ret)
{
    static const uint8_t key_type = KEY_TYPE_AES, key_len = AES128_KEY_LEN;
    uint8_t room[256], otpk[EC_POINT_LEN], signature[EC_SIGNATURE_LEN];
    struct wr w;

    ec_key_point(session->ot_sk_dp, otpk);
    wr_init(&w, room, sizeof room);
    tlv_put_uint(&w, TAG_REMOTE_OP_ID, REMOTE_OP_INSTALL);
    tlv_put(&w, TAG_TRANSACTION_ID, session->transaction_id);
    struct wr_mark crt = tlv_open(&w, TAG_CRT);
    tlv_put(&w, 0x80, rd_of(&key_type, 1));
    tlv_put(&w, 0x81, rd_of(&key_len, 1));
    tlv_put(&w, 0x84, session->host_id);
    tlv_close(&w, crt);
    tlv_put(&w, TAG_OTPK, rd_of(otpk, sizeof otpk));
    size_t sent = w.n; /* the eUICC's key is signed as well, but not sent */
    tlv_put(&w, TAG_OTPK, session->ot_pk_euicc);
    TRY(wr_failed(&w));

    struct rd signed_part = wr_view(&w);
    TRY(ecdsa_sign(c, session->sk_dppb, &signed_part, 1, signature));
    struct wr_mark mark = tlv_open(ret, TAG_INITIALISE);
    wr_put(ret, room, sent);
    tlv_put(ret, TAG_SIGNATURE, rd_of(signature, sizeof signature));
    tlv_close(ret, mark);
    return wr_failed(ret);
}

void bpp_join(struct rd initialise, struct rd protected_part, struct wr *ret)
{
    tlv_put_header(ret, TAG_BPP, initialise.n + protected_part.n);
    wr_put_rd(ret, initialise);
    wr_put_rd(ret, protected_part);
}

int bpp_bind(struct crypto *c, const struct bpp_session *session, const struct bpp_content *content,
             struct wr *ret)
{
    struct wr initialise, body;
    struct bsp bsp;

    TRY(bsp_derive(c, session->ot_sk_dp, session->ot_pk_euicc, session->host_id, session->eid,
                   &bsp));
    wr_init_heap(&initialise, MAX_PACKAGE);
    wr_init_heap(&body, MAX_PACKAGE);
    int r = bpp_initialise(c, session, &initialise);
    if (r == 0)
        r = bpp_protect(c, &bsp, content, &body);
    if (r == 0) {
        bpp_join(wr_view(&initialise), wr_view(&body), ret);
        r = wr_failed(ret);
    }
    bsp_done(&bsp);
    wr_done(&initialise);
    wr_done(&body);
    return r;
}
