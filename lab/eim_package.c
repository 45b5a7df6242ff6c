/* eim_package.c - signed packages, data requests, download triggers (SGP.32 2.11.1). */
#include "lab/eim_package.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/esipa.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    TAG_SEQUENCE = 0x30,
    TAG_EID = 0x5A,
    TAG_TAG_LIST = 0x5C,
    TAG_SIGNATURE = 0x5F37,
    TOKEN_TLV_MAX = 16,
    PACKAGE_MAX = 64 * 1024,
};

int eim_put_token(struct wr *w, uint64_t token)
{
    tlv_put_uint(w, 0x84, token);
    return wr_failed(w);
}

static int write_signed(const struct eim_package *p, struct wr *ret)
{
    struct wr_mark mark = tlv_open(ret, TAG_SEQUENCE);

    tlv_put_str(ret, 0x80, p->eim_id);
    tlv_put(ret, TAG_EID, rd_of(p->eid, sizeof p->eid));
    tlv_put_uint(ret, 0x81, p->counter);
    if (p->transaction_id.n > 0)
        tlv_put(ret, 0x82, p->transaction_id);
    wr_put_rd(ret, p->operations);
    tlv_close(ret, mark);
    return wr_failed(ret);
}

static int sign(struct crypto *c, const struct ec_key *key, const struct eim_package *p,
                struct rd body, uint8_t ret[EC_SIGNATURE_LEN])
{
    uint8_t room[TOKEN_TLV_MAX];
    struct wr token;

    wr_init(&token, room, sizeof room);
    TRY(eim_put_token(&token, p->token));
    struct rd parts[] = { body, wr_view(&token) };
    TRY(ecdsa_sign(c, key, parts, N_ELEMS(parts), ret));
    if (p->bad_signature)
        ret[EC_SIGNATURE_LEN - 1] ^= 1;
    return 0;
}

int eim_package_write(struct crypto *c, const struct ec_key *key, const struct eim_package *p,
                      struct wr *ret)
{
    uint8_t signature[EC_SIGNATURE_LEN];
    struct wr body;

    wr_init_heap(&body, PACKAGE_MAX);
    int r = write_signed(p, &body);
    if (r == 0)
        r = sign(c, key, p, wr_view(&body), signature);
    if (r == 0) {
        struct wr_mark mark = tlv_open(ret, EUICC_PACKAGE);
        wr_put_rd(ret, wr_view(&body));
        tlv_put(ret, TAG_SIGNATURE, rd_of(signature, sizeof signature));
        tlv_close(ret, mark);
        r = wr_failed(ret);
    }
    wr_done(&body);
    return r;
}

/* --- faults ---------------------------------------------------------------------------------- */

static bool apply(const char *word, struct eim_package *p, char ret_id[EIM_ID_MAX + 1])
{
    unsigned long v;

    if (strcmp(word, "signature") == 0) {
        p->bad_signature = true;
        return true;
    }
    if (strcmp(word, "eid") == 0) {
        p->eid[EIM_EID_LEN - 1] ^= 0x01;
        return true;
    }
    if (strcmp(word, "replay") == 0) {
        p->counter = p->accepted;
        return true;
    }
    if (strncmp(word, "eim-id=", 7) == 0) {
        p->eim_id = ret_id;
        return word[7] != '\0' && copy_text(word + 7, ret_id, EIM_ID_MAX + 1);
    }
    const char *value = strchr(word, '=');
    if (value == NULL || !number_read(value + 1, UINT32_MAX, &v))
        return false;
    if (strncmp(word, "counter=", 8) == 0)
        p->counter = v;
    else if (strncmp(word, "token=", 6) == 0)
        p->token = v;
    else
        return false;
    return true;
}

bool eim_fault_apply(const char *fault, struct eim_package *p, char ret_id[EIM_ID_MAX + 1])
{
    char copy[EIM_TEXT_LEN];
    char *rest = copy;

    if (!copy_text(fault, copy, sizeof copy))
        return false;
    while (rest != NULL && *rest != '\0')
        if (!apply(strsep(&rest, ","), p, ret_id))
            return false;
    return true;
}

/* --- data requests and triggers -------------------------------------------------------------- */

static struct rd all_tags(enum sgp32_version version)
{
    static const uint8_t now[] = { 0x81, 0xBF, 0x20, 0xBF, 0x22, 0x83, 0x84,
                                   0xA5, 0xA6, 0xA8, 0xA9, 0xA0, 0xA2 };
    /* 88: what the comment in v1.0.1 calls ipaCapabilities. */
    static const uint8_t then[] = { 0x80, 0xBF, 0x20, 0xBF, 0x22, 0x83, 0x84,
                                    0xA5, 0xA6, 0x88, 0xA8, 0xA9, 0xBF, 0x2B };

    return version == SGP32_V1_0 ? rd_of(then, sizeof then) : rd_of(now, sizeof now);
}

int eim_data_request_write(struct rd order, enum sgp32_version version, struct rd transaction_id,
                           struct wr *ret)
{
    struct tlv part;
    struct wr_mark mark = tlv_open(ret, IPA_EUICC_DATA);

    if (!tlv_find(order, TAG_TAG_LIST, &part))
        tlv_put(ret, TAG_TAG_LIST, all_tags(version));
    wr_put_rd(ret, order);
    if (version != SGP32_V1_0)
        tlv_put(ret, 0x83, transaction_id);
    tlv_close(ret, mark);
    return wr_failed(ret);
}

int eim_trigger_write(struct rd order, bool with_data, struct rd transaction_id, struct wr *ret)
{
    struct tlv data;
    struct wr_mark mark = tlv_open(ret, PROFILE_DOWNLOAD_TRIGGER);

    if (with_data && tlv_find(order, 0xA0, &data))
        wr_put_rd(ret, data.whole);
    tlv_put(ret, 0x82, transaction_id);
    tlv_close(ret, mark);
    return wr_failed(ret);
}

int eim_learn_order(enum sgp32_version version, bool token, struct wr *ret)
{
    static const uint8_t now[] = { 0x81, 0xBF, 0x20, 0xBF, 0x22, 0xA5, 0xA6, 0xA8, 0xA9 };
    static const uint8_t then[] = { 0x80, 0xBF, 0x20, 0xBF, 0x22, 0xA5, 0xA6, 0x88 };
    struct wr_mark mark = tlv_open(ret, TAG_TAG_LIST);

    wr_put_rd(ret, version == SGP32_V1_0 ? rd_of(then, sizeof then) : rd_of(now, sizeof now));
    if (token)
        wr_put_u8(ret, 0x84);
    tlv_close(ret, mark);
    return wr_failed(ret);
}

int eim_results_order(enum sgp32_version version, struct wr *ret)
{
    static const uint8_t now[] = { 0xA2 }, then[] = { 0xBF, 0x2B };

    if (version != SGP32_V1_0) {
        tlv_put(ret, TAG_TAG_LIST, rd_of(now, sizeof now));
        return wr_failed(ret);
    }
    /* euiccPackageResults: without it a later eUICC behind the IPA gives notifications alone. */
    tlv_put(ret, TAG_TAG_LIST, rd_of(then, sizeof then));
    struct wr_mark criteria = tlv_open(ret, 0xA1);
    tlv_put(ret, 0x82, rd_str(""));
    tlv_close(ret, criteria);
    return wr_failed(ret);
}
