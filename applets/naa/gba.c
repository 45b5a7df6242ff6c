/* gba.c - AUTHENTICATE in the GBA context: bootstrapping and NAF derivation (TS 31.102 7.1.1.4,
 * 7.1.1.5, TS 33.220 5.3 and annex G).
 *
 * NVM below the profile's prefix: "gba/NNNN", NNNN the node of the ADF: RAND and Ks of the last
 * bootstrapping.  A new one replaces it. */
#include "applets/naa/naa.h"

#include <stdio.h>
#include <string.h>

#include "os/euicc.h"
#include "os/tlv.h"

enum {
    TAG_BOOTSTRAPPING = 0xDD,
    TAG_NAF_DERIVATION = 0xDE,
    TAG_GBA_DONE = 0xDB,

    FID_USIM_GBABP = 0x6FD6,
    FID_USIM_GBANL = 0x6FDA,
    FID_ISIM_GBABP = 0x6FD5,
    FID_ISIM_GBANL = 0x6FD7,
    FID_IMPI = 0x6F02,

    TAG_NAF_ID = 0x80, /* in EF.GBANL */
    TAG_B_TID = 0x81,
    TAG_IMPI = 0x80, /* in EF.IMPI */

    MAX_KS = AKA_RAND_LEN + 2 * AKA_MAX_LEN,
    MAX_GBABP = 512,
    KDF_GBA = 0x01, /* FC */
};

static void key_name(const struct session *s, char ret[NVM_KEY_MAX])
{
    snprintf(ret, NVM_KEY_MAX, "%.32sgba/%04x", s->euicc->uicc.fs.prefix, s->files.adf);
}

static uint16_t parameters_file(struct session *s)
{
    return naa_ef(s, 0, s->selected == &isim_applet ? FID_ISIM_GBABP : FID_USIM_GBABP);
}

/* --- bootstrapping --- */

static int store_ks(struct session *s, const struct aka_keys *k, struct rd rand,
                    const struct aka_vector *v)
{
    uint8_t octets[MAX_KS];
    char key[NVM_KEY_MAX];
    struct wr w;

    key_name(s, key);
    wr_init(&w, octets, sizeof octets);
    wr_put_rd(&w, rand);
    wr_put(&w, v->ck, k->ck_len);
    wr_put(&w, v->ik, k->ik_len);
    int err = nvm_put(s->euicc->nvm, key, wr_view(&w));
    crypto_wipe(octets, sizeof octets);
    return err;
}

/* RAND, and neither a B-TID nor a lifetime: they come from the ME (TS 33.220 G.1). */
static int store_rand(struct session *s, const struct apdu *a, struct rd rand)
{
    const struct fs *fs = &s->euicc->uicc.fs;
    uint16_t node = parameters_file(s);
    uint8_t octets[1 + AKA_RAND_LEN + 2];
    struct wr w;

    if (node == FS_NONE)
        return 0;
    wr_init(&w, octets, sizeof octets);
    naa_put(&w, rand.p, rand.n);
    wr_put_u8(&w, 0);
    wr_put_u8(&w, 0);
    int err = fs_write(fs, s->euicc->nvm, node, 0, wr_view(&w));
    return err == ERR_INPUT ? uicc_refuse(s, a, SW_NO_KEY_MEMORY, "EF.GBABP is too small") : err;
}

static int answer_bootstrap(struct session *s, const struct apdu *a, struct aka *aka, struct rd in,
                            struct wr *rsp)
{
    const struct aka_keys *k = &aka->parameters.keys;
    struct rd rest = in, rand;
    struct aka_answer answer;

    TRY(naa_challenge(s, a, aka, in, true, &answer, rsp));
    if (answer.outcome != AKA_DONE)
        return 0;
    int err = naa_take(&rest, &rand);
    if (err == 0)
        err = store_ks(s, k, rand, &answer.vector);
    if (err == 0)
        err = store_rand(s, a, rand);
    wr_put_u8(rsp, TAG_GBA_DONE);
    naa_put(rsp, answer.vector.res, k->res_len);
    crypto_wipe(&answer, sizeof answer);
    return err;
}

static int bootstrap(struct session *s, const struct apdu *a, struct rd in, struct wr *rsp)
{
    struct aka aka;

    int result = naa_open(s, a, &aka);
    if (result == 0)
        result = answer_bootstrap(s, a, &aka, in, rsp);
    aka_close(&aka);
    return result;
}

/* --- NAF derivation --- */

static void put_parameter(struct wr *w, struct rd p)
{
    wr_put_rd(w, p);
    wr_put_u8(w, (uint8_t)(p.n >> 8));
    wr_put_u8(w, (uint8_t)p.n);
}

/* Ks_ext_NAF = KDF(Ks, "gba-me", RAND, IMPI, NAF_ID) (TS 33.220 B.3). */
static int derive(struct session *s, struct rd stored, struct rd impi, struct rd naf_id,
                  uint8_t ret[SHA256_LEN])
{
    uint8_t octets[1024];
    struct rd rand;
    struct wr in;

    TRY(rd_take(&stored, AKA_RAND_LEN, &rand));
    wr_init(&in, octets, sizeof octets);
    wr_put_u8(&in, KDF_GBA);
    put_parameter(&in, rd_str("gba-me"));
    put_parameter(&in, rand);
    put_parameter(&in, impi);
    put_parameter(&in, naf_id);
    TRY(wr_failed(&in));
    return hmac_sha256(s->euicc->crypto, stored, wr_view(&in), ret);
}

/* The record of EF.GBANL for this NAF: its own, else a free one, else the last. */
static int pick_record(struct session *s, uint16_t node, unsigned n, struct rd naf_id,
                       unsigned *ret)
{
    uint8_t octets[FS_MAX_RECORD];
    unsigned free_one = 0;
    struct wr w;

    for (unsigned r = 1; r <= n; r++) {
        struct tlv t;

        wr_init(&w, octets, sizeof octets);
        TRY(fs_read_record(&s->euicc->uicc.fs, s->euicc->nvm, node, r, &w));
        if (tlv_find(wr_view(&w), TAG_NAF_ID, &t) && rd_equal(t.value, naf_id)) {
            *ret = r;
            return 0;
        }
        if (free_one == 0 && octets[0] == 0xFF)
            free_one = r;
    }
    *ret = free_one != 0 ? free_one : n;
    return 0;
}

/* B-TID as the ME wrote it into EF.GBABP; empty without. */
static int read_b_tid(struct session *s, struct wr *contents, struct rd *ret)
{
    struct rd in, skipped;
    bool found;

    *ret = rd_of(NULL, 0);
    TRY(naa_read(s, 0, s->selected == &isim_applet ? FID_ISIM_GBABP : FID_USIM_GBABP, contents,
                 &found));
    in = wr_view(contents);
    if (found && naa_take(&in, &skipped) == 0 && naa_take(&in, ret) != 0)
        *ret = rd_of(NULL, 0);
    return 0;
}

static int list_naf(struct session *s, const struct apdu *a, struct rd naf_id)
{
    const struct fs *fs = &s->euicc->uicc.fs;
    uint16_t node = naa_ef(s, 0, s->selected == &isim_applet ? FID_ISIM_GBANL : FID_USIM_GBANL);
    uint8_t record[FS_MAX_RECORD], gbabp[MAX_GBABP];
    struct wr w, contents;
    unsigned r;
    struct rd b_tid;

    if (node == FS_NONE || fs->nodes[fs->nodes[node].body].kind != FS_KIND_LINEAR)
        return 0;
    const struct fs_node *body = &fs->nodes[fs->nodes[node].body];
    wr_init(&contents, gbabp, sizeof gbabp);
    TRY(read_b_tid(s, &contents, &b_tid));
    TRY(pick_record(s, node, fs_records(body), naf_id, &r));
    wr_init(&w, record, body->record_len);
    tlv_put(&w, TAG_NAF_ID, naf_id);
    tlv_put(&w, TAG_B_TID, b_tid);
    if (wr_failed(&w) != 0 || r == 0)
        return uicc_refuse(s, a, SW_NO_KEY_MEMORY, "EF.GBANL is too small");
    memset(record + w.n, 0xFF, body->record_len - w.n);
    return fs_write_record(fs, s->euicc->nvm, node, r, rd_of(record, body->record_len));
}

/* An ISIM knows its IMPI itself (TS 31.103 7.1.2.4). */
static int take_impi(struct session *s, struct rd *in, struct wr *file, struct rd *ret)
{
    struct tlv impi;
    bool found;

    if (s->selected != &isim_applet)
        return naa_take(in, ret);
    TRY(naa_read(s, 0, FID_IMPI, file, &found));
    if (!found || !tlv_find(wr_view(file), TAG_IMPI, &impi))
        return SW_CONDITIONS_OF_USE;
    *ret = impi.value;
    return 0;
}

static int derive_naf(struct session *s, const struct apdu *a, struct rd in, struct wr *rsp)
{
    uint8_t octets[MAX_KS], file[FS_MAX_RECORD + 1], ks_naf[SHA256_LEN];
    struct rd naf_id, impi;
    char key[NVM_KEY_MAX];
    struct wr stored, impi_file;
    bool found;

    wr_init(&impi_file, file, sizeof file);
    if (naa_take(&in, &naf_id) != 0)
        return uicc_refuse(s, a, SW_WRONG_LENGTH, "NAF_ID is cut off");
    int err = take_impi(s, &in, &impi_file, &impi);
    if (err == ERR_INPUT || (err == 0 && in.n != 0))
        return uicc_refuse(s, a, SW_WRONG_LENGTH, "NAF_ID or IMPI has another length");
    if (err > 0)
        return uicc_refuse(s, a, err, "EF.IMPI has no IMPI");
    TRY(err);
    key_name(s, key);
    wr_init(&stored, octets, sizeof octets);
    TRY(nvm_get(s->euicc->nvm, key, &stored, &found));
    if (!found)
        return uicc_refuse(s, a, SW_CONDITIONS_OF_USE, "no bootstrapping yet (TS 33.220 G.2)");
    err = derive(s, wr_view(&stored), impi, naf_id, ks_naf);
    crypto_wipe(octets, sizeof octets);
    TRY(err);
    wr_put_u8(rsp, TAG_GBA_DONE);
    naa_put(rsp, ks_naf, sizeof ks_naf);
    crypto_wipe(ks_naf, sizeof ks_naf);
    return list_naf(s, a, naf_id);
}

int naa_authenticate_gba(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct rd in = rd_of(a->data, a->lc), tag;

    TRY(rd_take(&in, 1, &tag));
    switch (tag.p[0]) {
    case TAG_BOOTSTRAPPING:
        return bootstrap(s, a, in, rsp);
    case TAG_NAF_DERIVATION:
        return derive_naf(s, a, in, rsp);
    default:
        return uicc_refuse(s, a, SW_NO_SECURITY_CONTEXT, "neither bootstrapping nor derivation");
    }
}
