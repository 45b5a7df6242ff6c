/* ipa_compact.c - compact forms of the eUICC's answers (SGP.32 5.14.1 to 5.14.8). */
#include "lab/ipa_compact.h"

#include "os/err.h"
#include "os/tlv.h"

enum {
    TAG_BOOLEAN = 0x01,
    TAG_INTEGER = 0x02,
    TAG_OCTET_STRING = 0x04,
    TAG_SEQUENCE = 0x30,
    TAG_ICCID = 0x5A,
    TAG_AID = 0x4F,
    TAG_OTPK = 0x5F49,
    TAG_SIGNATURE = 0x5F37,
    TAG_PREPARE_DOWNLOAD = 0xBF21,
    TAG_EUICC_INFO2 = 0xBF22,
    TAG_INSTALLATION_RESULT_DATA = 0xBF27,
    TAG_NOTIFICATION_METADATA = 0xBF2F,
    TAG_INSTALLATION_RESULT = 0xBF37,
    TAG_AUTHENTICATE_SERVER = 0xBF38,
    TAG_CANCEL_SESSION = 0xBF41,
    TAG_OK = 0xA0,
    TAG_COMPACT = 0xA2,

    AID_LEN = 16,
    AID_VARIABLE = 13, /* where the two octets stand that tell ISD-Ps apart */
};

/* TAG { A0 { 30 signed part, 5F37 signature, what follows } }, one thing after the other. */
static int open_ok(struct rd whole, uint32_t tag, struct tlv *ret_part, struct tlv *ret_signature,
                   struct rd *ret_rest)
{
    struct tlv outer, ok;

    TRY(tlv_expect(&whole, tag, &outer));
    TRY(tlv_expect(&outer.value, TAG_OK, &ok));
    TRY(tlv_expect(&ok.value, TAG_SEQUENCE, ret_part));
    TRY(tlv_expect(&ok.value, TAG_SIGNATURE, ret_signature));
    *ret_rest = ok.value;
    return whole.n == 0 && outer.value.n == 0 ? 0 : ERR_INPUT;
}

int compact_authenticate(struct rd response, const struct compact_known *known, struct wr *ret)
{
    struct tlv part, signature, info2, resource, ctx, euicc, eum;
    struct rd rest;

    TRY(open_ok(response, TAG_AUTHENTICATE_SERVER, &part, &signature, &rest));
    TRY(tlv_expect(&rest, TAG_SEQUENCE, &euicc));
    TRY(tlv_expect(&rest, TAG_SEQUENCE, &eum));
    if (!tlv_find(part.value, TAG_EUICC_INFO2, &info2) || !tlv_find(info2.value, 0x84, &resource) ||
        !tlv_find(part.value, 0xA0, &ctx))
        return ERR_INPUT;
    struct wr_mark outer = tlv_open(ret, TAG_AUTHENTICATE_SERVER);
    struct wr_mark compact = tlv_open(ret, TAG_COMPACT);
    if (known->info2) {
        struct wr_mark signed1 = tlv_open(ret, 0xA0);
        tlv_put(ret, 0x84, resource.value);
        if (!known->ctx_params) {
            struct wr_mark params = tlv_open(ret, 0xA2); /* a tag before a CHOICE stays */
            wr_put_rd(ret, ctx.whole);
            tlv_close(ret, params);
        }
        tlv_close(ret, signed1);
    } else {
        wr_put_rd(ret, part.whole);
    }
    wr_put_rd(ret, signature.whole);
    if (!known->certificates) {
        tlv_put(ret, 0xA1, euicc.value);
        tlv_put(ret, 0xA2, eum.value);
    }
    tlv_close(ret, compact);
    tlv_close(ret, outer);
    return 0;
}

int compact_prepare(struct rd response, struct wr *ret)
{
    struct tlv part, signature, t;
    struct rd rest;

    TRY(open_ok(response, TAG_PREPARE_DOWNLOAD, &part, &signature, &rest));
    struct wr_mark outer = tlv_open(ret, TAG_PREPARE_DOWNLOAD);
    struct wr_mark compact = tlv_open(ret, TAG_COMPACT);
    struct wr_mark signed2 = tlv_open(ret, TAG_SEQUENCE);
    if (tlv_find(part.value, TAG_OTPK, &t))
        wr_put_rd(ret, t.whole);
    if (tlv_find(part.value, TAG_OCTET_STRING, &t))
        wr_put_rd(ret, t.whole);
    tlv_close(ret, signed2);
    wr_put_rd(ret, signature.whole);
    tlv_close(ret, compact);
    tlv_close(ret, outer);
    return 0;
}

int compact_cancel(struct rd response, struct wr *ret)
{
    struct tlv part, signature, reason;
    struct rd rest;

    TRY(open_ok(response, TAG_CANCEL_SESSION, &part, &signature, &rest));
    struct wr_mark compact = tlv_open(ret, TAG_COMPACT);
    struct wr_mark cancel = tlv_open(ret, TAG_SEQUENCE);
    if (tlv_find(part.value, 0x82, &reason))
        tlv_put(ret, 0x80, reason.value);
    tlv_close(ret, cancel);
    wr_put_rd(ret, signature.whole);
    tlv_close(ret, compact);
    return 0;
}

/* The result of an installation that went as it should: the eIM knows these octets. */
static bool is_plain_success(struct rd sima)
{
    static const uint8_t success[] = { 0x30, 0x07, 0xA0, 0x05, 0x30, 0x03, 0x80, 0x01, 0x00 };

    return rd_equal(sima, rd_of(success, sizeof success));
}

static int put_final_result(struct rd final, struct wr *ret)
{
    struct tlv arm, aid, sima;

    TRY(tlv_get(&final, &arm));
    struct wr_mark result = tlv_open(ret, 0xA2);
    if (arm.tag == 0xA0) {
        if (!tlv_find(arm.value, TAG_AID, &aid) || aid.value.n != AID_LEN ||
            !tlv_find(arm.value, TAG_OCTET_STRING, &sima))
            return ERR_INPUT;
        struct wr_mark success = tlv_open(ret, 0xA0);
        tlv_put(ret, TAG_AID, rd_of(aid.value.p + AID_VARIABLE, 2));
        if (!is_plain_success(sima.value))
            wr_put_rd(ret, sima.whole);
        tlv_close(ret, success);
    } else if (arm.tag == 0xA1) {
        wr_put_rd(ret, arm.whole);
    } else {
        return ERR_INPUT;
    }
    tlv_close(ret, result);
    return 0;
}

static int compact_installation_result(struct rd body, struct wr *ret)
{
    struct tlv data, signature, id, metadata, seq, final, iccid;

    TRY(tlv_expect(&body, TAG_INSTALLATION_RESULT_DATA, &data));
    TRY(tlv_expect(&body, TAG_SIGNATURE, &signature));
    if (!tlv_find(data.value, 0x80, &id) ||
        !tlv_find(data.value, TAG_NOTIFICATION_METADATA, &metadata) ||
        !tlv_find(metadata.value, 0x80, &seq) || !tlv_find(data.value, 0xA2, &final))
        return ERR_INPUT;
    struct wr_mark outer = tlv_open(ret, 0xA0);
    struct wr_mark mark = tlv_open(ret, 0xA0);
    wr_put_rd(ret, id.whole);
    tlv_put(ret, TAG_INTEGER, seq.value);
    if (!tlv_find(metadata.value, TAG_ICCID, &iccid))
        tlv_put_u8(ret, TAG_BOOLEAN, 0x00);
    TRY(put_final_result(final.value, ret));
    tlv_close(ret, mark);
    wr_put_rd(ret, signature.whole);
    tlv_close(ret, outer);
    return 0;
}

static int compact_other_notification(struct rd body, struct wr *ret)
{
    struct tlv metadata, signature;

    TRY(tlv_expect(&body, TAG_NOTIFICATION_METADATA, &metadata));
    TRY(tlv_expect(&body, TAG_SIGNATURE, &signature));
    struct wr_mark mark = tlv_open(ret, 0xA1);
    wr_put_rd(ret, metadata.whole);
    wr_put_rd(ret, signature.whole);
    tlv_close(ret, mark);
    return 0;
}

int compact_notification(struct rd whole, struct wr *ret)
{
    struct tlv t;
    size_t before = ret->n;

    TRY(tlv_get(&whole, &t));
    int r = whole.n != 0                       ? ERR_INPUT
            : t.tag == TAG_INSTALLATION_RESULT ? compact_installation_result(t.value, ret)
            : t.tag == TAG_SEQUENCE            ? compact_other_notification(t.value, ret)
                                               : ERR_INPUT;
    if (r != 0)
        ret->n = before;
    return r;
}
