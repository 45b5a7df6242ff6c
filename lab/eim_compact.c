/* eim_compact.c - compact forms of the eUICC's answers made whole again (SGP.32 5.14). */
#include "lab/eim_compact.h"

#include <string.h>

#include "os/err.h"

enum {
    TAG_BOOLEAN = 0x01,
    TAG_INTEGER = 0x02,
    TAG_OCTET_STRING = 0x04,
    TAG_OID = 0x06,
    TAG_UTF8 = 0x0C,
    TAG_SEQUENCE = 0x30,
    TAG_AID = 0x4F,
    TAG_ICCID = 0x5A,
    TAG_OTPK = 0x5F49,
    TAG_SIGNATURE = 0x5F37,
    TAG_PREPARE_DOWNLOAD = 0xBF21,
    TAG_INFO2 = 0xBF22,
    TAG_IPA_MODE = 0x90,
    TAG_IOT_INFO = 0xB4,
    TAG_STORE_METADATA = 0xBF25,
    TAG_RESULT_DATA = 0xBF27,
    TAG_NOTIFICATION_METADATA = 0xBF2F,
    TAG_INSTALLATION_RESULT = 0xBF37,
    TAG_AUTHENTICATE_SERVER = 0xBF38,
    TAG_CANCEL_SESSION = 0xBF41,
    TAG_OK = 0xA0,
    TAG_COMPACT = 0xA2,
    UNDEFINED_REASON = 127,
    EVENT_INSTALL = 1 << 0,
};

int eim_download_get(struct db *db, struct rd transaction_id, struct eim_download *ret,
                     bool *ret_found)
{
    struct db_rows *rows =
        db_query(db,
                 "SELECT eid, work, address, server_signed1, auth_oid FROM download"
                 " WHERE tid = ?",
                 "b", transaction_id);

    *ret = (struct eim_download){ .work = 0 };
    wr_init_heap(&ret->server_signed1, EIM_BLOB_MAX);
    wr_init_heap(&ret->smdp_oid, OID_MAX_LEN);
    *ret_found = transaction_id.n <= TRANSACTION_ID_MAX && db_next(rows);
    if (*ret_found) {
        ret->transaction_id.n = transaction_id.n;
        memcpy(ret->transaction_id.b, transaction_id.p, transaction_id.n);
        copy_text(db_text(rows, 0), ret->eid, sizeof ret->eid);
        ret->work = db_int(rows, 1);
        copy_text(db_text(rows, 2), ret->address, sizeof ret->address);
        wr_put_rd(&ret->server_signed1, db_blob(rows, 3));
        wr_put_rd(&ret->smdp_oid, db_blob(rows, 4));
    }
    int r = db_rows_done(&rows);
    if (r != 0 || !*ret_found)
        eim_download_done(ret);
    return r;
}

void eim_download_done(struct eim_download *d)
{
    wr_done(&d->server_signed1);
    wr_done(&d->smdp_oid);
}

static struct rd tid_of(const struct eim_download *d)
{
    return rd_of(d->transaction_id.b, d->transaction_id.n);
}

/* TAG { A2 { ... } }: the contents of the A2. */
static int open_compact(struct rd whole, uint32_t tag, struct rd *ret)
{
    struct tlv outer, arm;

    TRY(tlv_expect(&whole, tag, &outer));
    TRY(tlv_expect(&outer.value, TAG_COMPACT, &arm));
    *ret = arm.value;
    return 0;
}

/* --- AuthenticateServerResponse -------------------------------------------------------------- */

/* A eUICC of v1.0.1 signs EUICCInfo2 as SGP.22 has it. */
static bool is_signed(const struct eim_device *d, uint32_t tag)
{
    return d->euicc != SGP32_V1_0 || (tag != TAG_IPA_MODE && tag != TAG_IOT_INFO);
}

/* EUICCInfo2 as kept, with the extCardResource of now. */
static int put_info2(struct eim_call *call, const struct tlv *resource, struct wr *ret)
{
    struct wr kept;
    struct tlv outer, t;

    wr_init_heap(&kept, EIM_BLOB_MAX);
    int r = store_get_blob(call->eim->db, call->device.eid, DEVICE_INFO2, &kept);
    struct rd in = wr_view(&kept);
    if (r == 0)
        r = tlv_expect(&in, TAG_INFO2, &outer);
    if (r == 0) {
        struct wr_mark mark = tlv_open(ret, TAG_INFO2);
        while (tlv_get(&outer.value, &t) == 0)
            if (is_signed(&call->device, t.tag))
                wr_put_rd(ret, t.tag == 0x84 ? resource->whole : t.whole);
        tlv_close(ret, mark);
    }
    wr_done(&kept);
    return r;
}

/* euiccSigned1 from compactEuiccSigned1 (A0): extCardResource and perhaps ctxParams1. */
static int put_signed1(struct eim_call *call, const struct eim_download *d, struct rd compact,
                       struct wr *ret)
{
    static const uint32_t from_server[] = { 0x80, 0x83, 0x84 };
    struct rd in = wr_view(&d->server_signed1);
    struct tlv server, resource, ctx, t;

    TRY(tlv_expect(&in, TAG_SEQUENCE, &server));
    if (!tlv_find(compact, 0x84, &resource) || !tlv_find(compact, 0xA2, &ctx))
        return ERR_INPUT;
    struct wr_mark mark = tlv_open(ret, TAG_SEQUENCE);
    for (size_t i = 0; i < N_ELEMS(from_server); i++) {
        if (!tlv_find(server.value, from_server[i], &t))
            return ERR_INPUT;
        wr_put_rd(ret, t.whole);
    }
    TRY(put_info2(call, &resource, ret));
    wr_put_rd(ret, ctx.value);
    tlv_close(ret, mark);
    return 0;
}

/* A certificate that came with the message, or the one that is kept. */
static int put_certificate(struct eim_call *call, struct rd body, uint32_t tag, const char *column,
                           struct wr *ret)
{
    size_t before = ret->n;
    struct tlv t;

    if (tlv_find(body, tag, &t))
        return eim_take_certificate(t.value, ret);
    TRY(store_get_blob(call->eim->db, call->device.eid, column, ret));
    return ret->n > before ? 0 : ERR_INPUT;
}

int eim_expand_authenticate(struct eim_call *call, const struct eim_download *d, struct rd compact,
                            struct wr *ret)
{
    struct rd body;
    struct tlv t;

    TRY(open_compact(compact, TAG_AUTHENTICATE_SERVER, &body));
    struct wr_mark outer = tlv_open(ret, TAG_AUTHENTICATE_SERVER);
    struct wr_mark ok = tlv_open(ret, TAG_OK);
    if (tlv_find(body, TAG_SEQUENCE, &t))
        wr_put_rd(ret, t.whole);
    else if (tlv_find(body, 0xA0, &t))
        TRY(put_signed1(call, d, t.value, ret));
    else
        return ERR_INPUT;
    if (!tlv_find(body, TAG_SIGNATURE, &t))
        return ERR_INPUT;
    wr_put_rd(ret, t.whole);
    TRY(put_certificate(call, body, 0xA1, DEVICE_EUICC_CERT, ret));
    TRY(put_certificate(call, body, 0xA2, DEVICE_EUM_CERT, ret));
    tlv_close(ret, ok);
    tlv_close(ret, outer);
    return wr_failed(ret);
}

/* --- PrepareDownloadResponse, CancelSessionResponse ------------------------------------------ */

int eim_expand_prepare(const struct eim_download *d, struct rd compact, struct wr *ret)
{
    struct rd body;
    struct tlv part, signature;

    TRY(open_compact(compact, TAG_PREPARE_DOWNLOAD, &body));
    if (!tlv_find(body, TAG_SEQUENCE, &part) || !tlv_find(body, TAG_SIGNATURE, &signature))
        return ERR_INPUT;
    struct wr_mark outer = tlv_open(ret, TAG_PREPARE_DOWNLOAD);
    struct wr_mark ok = tlv_open(ret, TAG_OK);
    struct wr_mark signed2 = tlv_open(ret, TAG_SEQUENCE);
    tlv_put(ret, 0x80, tid_of(d));
    wr_put_rd(ret, part.value);
    tlv_close(ret, signed2);
    wr_put_rd(ret, signature.whole);
    tlv_close(ret, ok);
    tlv_close(ret, outer);
    return wr_failed(ret);
}

int eim_expand_cancel(const struct eim_download *d, struct rd compact, struct wr *ret)
{
    struct tlv part, signature, reason;

    if (!tlv_find(compact, TAG_SEQUENCE, &part) || !tlv_find(compact, TAG_SIGNATURE, &signature))
        return ERR_INPUT;
    struct wr_mark outer = tlv_open(ret, TAG_CANCEL_SESSION);
    struct wr_mark ok = tlv_open(ret, TAG_OK);
    struct wr_mark cancel = tlv_open(ret, TAG_SEQUENCE);
    tlv_put(ret, 0x80, tid_of(d));
    tlv_put(ret, 0x81, wr_view(&d->smdp_oid));
    if (tlv_find(part.value, 0x80, &reason))
        tlv_put(ret, 0x82, reason.value);
    else
        tlv_put_u8(ret, 0x82, UNDEFINED_REASON);
    tlv_close(ret, cancel);
    wr_put_rd(ret, signature.whole);
    tlv_close(ret, ok);
    tlv_close(ret, outer);
    return wr_failed(ret);
}

/* --- notifications --------------------------------------------------------------------------- */

/* The ICCID of the download's metadata as sent to the IPA. */
static int put_iccid(struct eim_call *call, const struct eim_download *d, struct wr *ret)
{
    struct db_rows *rows =
        db_query(call->eim->db, "SELECT metadata FROM download WHERE tid = ?", "b", tid_of(d));
    struct tlv metadata, iccid;
    int r = ERR_INPUT;

    if (db_next(rows)) {
        struct rd in = db_blob(rows, 0);
        if (tlv_expect(&in, TAG_STORE_METADATA, &metadata) == 0 &&
            tlv_find(metadata.value, TAG_ICCID, &iccid)) {
            wr_put_rd(ret, iccid.whole);
            r = 0;
        }
    }
    return db_rows_done(&rows) != 0 ? ERR_NVM : r;
}

static int put_metadata(struct eim_call *call, const struct eim_download *d, struct rd body,
                        struct wr *ret)
{
    struct tlv seq, present;

    if (!tlv_find(body, TAG_INTEGER, &seq))
        return ERR_INPUT;
    struct wr_mark mark = tlv_open(ret, TAG_NOTIFICATION_METADATA);
    tlv_put(ret, 0x80, seq.value);
    tlv_put_bits(ret, 0x81, EVENT_INSTALL);
    tlv_put_str(ret, TAG_UTF8, d->address);
    if (!tlv_find(body, TAG_BOOLEAN, &present) || present.value.n != 1 || present.value.p[0] != 0)
        TRY(put_iccid(call, d, ret));
    tlv_close(ret, mark);
    return 0;
}

static int put_final_result(struct rd body, struct wr *ret)
{
    static const uint8_t isdp[] = { 0xA0, 0x00, 0x00, 0x05, 0x59, 0x10, 0x10,
                                    0xFF, 0xFF, 0xFF, 0xFF, 0x89, 0x00 };
    static const uint8_t success[] = { 0x30, 0x07, 0xA0, 0x05, 0x30, 0x03, 0x80, 0x01, 0x00 };
    static const uint8_t zero = 0;
    struct tlv final, arm, aid, sima;

    if (!tlv_find(body, 0xA2, &final))
        return ERR_INPUT;
    if (!tlv_find(final.value, 0xA0, &arm)) {
        wr_put_rd(ret, final.whole);
        return 0;
    }
    if (!tlv_find(arm.value, TAG_AID, &aid) || aid.value.n != 2)
        return ERR_INPUT;
    struct wr_mark result = tlv_open(ret, 0xA2);
    struct wr_mark ok = tlv_open(ret, 0xA0);
    struct wr_mark mark = tlv_open(ret, TAG_AID);
    wr_put(ret, isdp, sizeof isdp);
    wr_put_rd(ret, aid.value);
    wr_put_u8(ret, zero);
    tlv_close(ret, mark);
    if (tlv_find(arm.value, TAG_OCTET_STRING, &sima))
        wr_put_rd(ret, sima.whole);
    else
        tlv_put(ret, TAG_OCTET_STRING, rd_of(success, sizeof success));
    tlv_close(ret, ok);
    tlv_close(ret, result);
    return 0;
}

static int put_result(struct eim_call *call, const struct eim_download *d, struct rd body,
                      struct rd signature, struct wr *ret)
{
    struct wr_mark outer = tlv_open(ret, TAG_INSTALLATION_RESULT);
    struct wr_mark data = tlv_open(ret, TAG_RESULT_DATA);

    tlv_put(ret, 0x80, tid_of(d));
    TRY(put_metadata(call, d, body, ret));
    tlv_put(ret, TAG_OID, wr_view(&d->smdp_oid));
    TRY(put_final_result(body, ret));
    tlv_close(ret, data);
    wr_put_rd(ret, signature);
    tlv_close(ret, outer);
    return wr_failed(ret);
}

static int expand_result(struct eim_call *call, struct rd compact, struct wr *ret)
{
    struct tlv body, signature, tid;
    struct eim_download d;
    bool found, known;

    if (!tlv_find(compact, 0xA0, &body) || !tlv_find(compact, TAG_SIGNATURE, &signature) ||
        !tlv_find(body.value, 0x80, &tid))
        return ERR_INPUT;
    TRY(eim_download_get(call->eim->db, tid.value, &d, &found));
    if (!found)
        return ERR_INPUT;
    int r = call->has_device ? 0 : eim_use_device(call, d.eid, &known);
    if (r == 0)
        r = put_result(call, &d, body.value, signature.whole, ret);
    eim_download_done(&d);
    return r;
}

static int expand_other(struct eim_call *call, struct rd compact, struct wr *ret)
{
    struct tlv metadata, signature, eid;
    enum eim_who who = EIM_FOUND;

    if (!tlv_find(compact, TAG_NOTIFICATION_METADATA, &metadata) ||
        !tlv_find(compact, TAG_SIGNATURE, &signature))
        return ERR_INPUT;
    if (!tlv_find(compact, TAG_ICCID, &eid)) /* 5A: here an EID */
        eid.value = rd_of(NULL, 0);
    if (!call->has_device)
        TRY(eim_find_device(call, eid.value, rd_of(NULL, 0), &who));
    if (who != EIM_FOUND)
        return ERR_INPUT;
    struct wr_mark outer = tlv_open(ret, TAG_SEQUENCE);
    wr_put_rd(ret, metadata.whole);
    wr_put_rd(ret, signature.whole);
    TRY(put_certificate(call, rd_of(NULL, 0), 0, DEVICE_EUICC_CERT, ret));
    TRY(put_certificate(call, rd_of(NULL, 0), 0, DEVICE_EUM_CERT, ret));
    tlv_close(ret, outer);
    return wr_failed(ret);
}

int eim_expand_notification(struct eim_call *call, const struct tlv *compact, struct wr *ret)
{
    return compact->tag == 0xA0 ? expand_result(call, compact->value, ret)
                                : expand_other(call, compact->value, ret);
}
