/* eim_download.c - the functions within the session of an indirect download (SGP.32 3.2.3.2): ESipa
 * on one side, ES9+' as the LPA on the other. */
#include "lab/eim_download.h"

#include "lab/eim_compact.h"
#include "lab/eim_package.h"
#include "lab/eim_relay.h"
#include "lab/esipa.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    TAG_OCTET_STRING = 0x04,
    TAG_PREPARE_DOWNLOAD = 0xBF21,
    TAG_AUTHENTICATE_SERVER = 0xBF38,
    TAG_CANCEL_SESSION = 0xBF41,
};

/* The session of a request.  *ret_found false: refused already. */
static int find_download(struct eim_call *call, uint32_t function, struct rd body,
                         struct eim_download *d, struct wr *ret, bool *ret_found)
{
    struct tlv tid;
    bool found = false;

    *ret_found = false;
    if (!tlv_find(body, 0x80, &tid) || tid.value.n == 0 || tid.value.n > TRANSACTION_ID_MAX)
        return ERR_INPUT;
    TRY(eim_download_get(call->eim->db, tid.value, d, ret_found));
    if (!*ret_found)
        return eim_refuse_download(call, function, eim_invalid_transaction(function), 0, ret);
    int r = eim_use_device(call, d->eid, &found);
    if (r != 0)
        eim_download_done(d);
    return r;
}

static cJSON *new_request(const struct eim_download *d, const char *name, struct rd message)
{
    cJSON *request = cJSON_CreateObject();

    json_hex(request, "transactionId", rd_of(d->transaction_id.b, d->transaction_id.n));
    eim_put_base64(request, name, message);
    return request;
}

static void put_tid(const struct eim_download *d, struct wr *ret)
{
    tlv_put(ret, 0x80, rd_of(d->transaction_id.b, d->transaction_id.n));
}

/* hashCc = SHA256(SHA256(confirmation code) | transactionId) (SGP.22 2.6.7, 5.7.5). */
static int put_hash_cc(struct eim_call *call, const struct eim_download *d, struct wr *ret)
{
    uint8_t inner[SHA256_LEN], hash[SHA256_LEN];
    struct wr order;
    struct tlv code;

    wr_init_heap(&order, EIM_BLOB_MAX);
    int r = store_get_work_blob(call->eim->db, d->work, WORK_ORDER, &order);
    if (r == 0 && tlv_find(wr_view(&order), ORDER_CONFIRMATION_CODE, &code)) {
        struct rd parts[] = { rd_of(inner, sizeof inner),
                              rd_of(d->transaction_id.b, d->transaction_id.n) };
        r = crypto_sha256(call->eim->crypto, &code.value, 1, inner);
        if (r == 0)
            r = crypto_sha256(call->eim->crypto, parts, N_ELEMS(parts), hash);
        if (r == 0)
            tlv_put(ret, TAG_OCTET_STRING, rd_of(hash, sizeof hash));
    }
    wr_done(&order);
    return r;
}

static int write_authenticated(struct eim_call *call, const struct eim_download *d,
                               const cJSON *answer, struct wr *ret, bool *ret_ok)
{
    struct wr metadata;
    struct wr_mark outer = tlv_open(ret, ESIPA_AUTHENTICATE_CLIENT);
    struct wr_mark ok = tlv_open(ret, 0xA0);

    wr_init_heap(&metadata, EIM_PART_MAX);
    put_tid(d, ret);
    if (eim_put_part(answer, "profileMetadata", &metadata))
        wr_put_rd(ret, wr_view(&metadata));
    *ret_ok = eim_put_part(answer, "smdpSigned2", ret) &&
              eim_put_part(answer, "smdpSignature2", ret) &&
              eim_put_part(answer, "smdpCertificate", ret);
    int r = put_hash_cc(call, d, ret);
    tlv_close(ret, ok);
    tlv_close(ret, outer);
    if (r == 0)
        r = db_run(call->eim->db, "UPDATE download SET metadata = ? WHERE tid = ?", "bb",
                   wr_view(&metadata), rd_of(d->transaction_id.b, d->transaction_id.n));
    wr_done(&metadata);
    return r != 0 ? r : wr_failed(ret);
}

static bool is_compact(struct rd whole)
{
    struct tlv outer, arm;

    return tlv_get(&whole, &outer) == 0 && tlv_get(&outer.value, &arm) == 0 && arm.tag == 0xA2;
}

/* Appends the eUICC's answer as it signed it. */
static int whole_authenticate(struct eim_call *call, const struct eim_download *d,
                              const struct tlv *t, struct wr *ret)
{
    if (is_compact(t->whole))
        return eim_expand_authenticate(call, d, t->whole, ret);
    wr_put_rd(ret, t->whole);
    return wr_failed(ret);
}

static int whole_prepare(struct eim_call *call, const struct eim_download *d, const struct tlv *t,
                         struct wr *ret)
{
    (void)call;
    if (is_compact(t->whole))
        return eim_expand_prepare(d, t->whole, ret);
    wr_put_rd(ret, t->whole);
    return wr_failed(ret);
}

/* In the request A1 stands for the BF41 of the eUICC's answer. */
static int whole_cancel(struct eim_call *call, const struct eim_download *d, const struct tlv *t,
                        struct wr *ret)
{
    struct rd in = t->value;
    struct tlv arm;

    (void)call;
    TRY(tlv_get(&in, &arm));
    if (arm.tag == 0xA2)
        return eim_expand_cancel(d, arm.value, ret);
    tlv_put(ret, TAG_CANCEL_SESSION, t->value);
    return wr_failed(ret);
}

static int write_package(struct eim_call *call, const struct eim_download *d, const cJSON *answer,
                         struct wr *ret, bool *ret_ok)
{
    struct wr_mark outer = tlv_open(ret, ESIPA_GET_BOUND_PROFILE_PACKAGE);
    struct wr_mark ok = tlv_open(ret, 0xA0);

    (void)call;
    put_tid(d, ret);
    *ret_ok = eim_put_part(answer, "boundProfilePackage", ret);
    tlv_close(ret, ok);
    tlv_close(ret, outer);
    return wr_failed(ret);
}

static int write_cancelled(struct eim_call *call, const struct eim_download *d, const cJSON *answer,
                           struct wr *ret, bool *ret_ok)
{
    struct wr_mark outer = tlv_open(ret, ESIPA_CANCEL_SESSION);

    (void)answer;
    tlv_put(ret, 0xA0, rd_str(""));
    tlv_close(ret, outer);
    *ret_ok = true;
    if (d->work != 0)
        TRY(store_finish_work(call->eim->db, d->work, WORK_FAILED, "the IPA cancelled"));
    return wr_failed(ret);
}

/* A function within a session: the eUICC's answer goes to the SM-DP+, its answer to the IPA. */
struct step {
    uint32_t function, tag;   /* ESipa; of the eUICC's answer in it */
    const char *name, *field; /* ES9+' */
    int (*whole)(struct eim_call *call, const struct eim_download *d, const struct tlv *t,
                 struct wr *ret);
    int (*write)(struct eim_call *call, const struct eim_download *d, const cJSON *answer,
                 struct wr *ret, bool *ret_ok);
};

static int pass_on(struct eim_call *call, const struct step *step, const struct eim_download *d,
                   const struct tlv *message, struct wr *ret)
{
    struct wr whole;
    long code = 0;
    bool ok = false;
    cJSON *answer = NULL;

    wr_init_heap(&whole, EIM_BLOB_MAX);
    int r = step->whole(call, d, message, &whole);
    if (r == ERR_INPUT)
        code = EIM_UNDEFINED_ERROR;
    else if (r == 0)
        answer = eim_ask_smdp(call, step->function, step->name, d->address,
                              new_request(d, step->field, wr_view(&whole)), &code);
    wr_done(&whole);
    if (r != 0 && r != ERR_INPUT)
        return r;
    if (code == 0) {
        r = step->write(call, d, answer, ret, &ok);
        code = ok ? 0 : EIM_UNDEFINED_ERROR;
    }
    cJSON_Delete(answer);
    if (code != 0) {
        wr_clear(ret);
        return eim_refuse_download(call, step->function, code, d->work, ret);
    }
    return r;
}

static int run_step(struct eim_call *call, const struct step *step, struct rd body, struct wr *ret)
{
    struct eim_download d;
    struct tlv message;
    bool found;

    if (!tlv_find(body, step->tag, &message))
        return ERR_INPUT;
    TRY(find_download(call, step->function, body, &d, ret, &found));
    if (!found)
        return 0;
    int r = pass_on(call, step, &d, &message, ret);
    eim_download_done(&d);
    return r;
}

int eim_authenticate_client(struct eim_call *call, struct rd body, struct wr *ret)
{
    static const struct step step = { ESIPA_AUTHENTICATE_CLIENT, TAG_AUTHENTICATE_SERVER,
                                      "authenticateClient",      "authenticateServerResponse",
                                      whole_authenticate,        write_authenticated };

    return run_step(call, &step, body, ret);
}

int eim_get_bound_profile_package(struct eim_call *call, struct rd body, struct wr *ret)
{
    static const struct step step = {
        ESIPA_GET_BOUND_PROFILE_PACKAGE, TAG_PREPARE_DOWNLOAD, "getBoundProfilePackage",
        "prepareDownloadResponse",       whole_prepare,        write_package
    };

    return run_step(call, &step, body, ret);
}

int eim_cancel_session(struct eim_call *call, struct rd body, struct wr *ret)
{
    static const struct step step = { ESIPA_CANCEL_SESSION,    0xA1,         "cancelSession",
                                      "cancelSessionResponse", whole_cancel, write_cancelled };

    return run_step(call, &step, body, ret);
}
