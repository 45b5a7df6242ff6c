/* eim_download.c - indirect profile download (SGP.32 3.2.3.2): ESipa on one side, ES9+' as the LPA
 * on the other. */
#include "lab/eim_download.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "lab/codes.h"
#include "lab/eim_compact.h"
#include "lab/eim_package.h"
#include "lab/esipa.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    TAG_BOOLEAN = 0x01,
    TAG_OCTET_STRING = 0x04,
    TAG_UTF8 = 0x0C,
    TAG_SEQUENCE = 0x30,
    TAG_INFO1 = 0xBF20,
    TAG_PREPARE_DOWNLOAD = 0xBF21,
    TAG_AUTHENTICATE_SERVER = 0xBF38,
    TAG_CANCEL_SESSION = 0xBF41,
    CHALLENGE = 16,
    ANSWER_PART_MAX = 16 * 1024 * 1024,

    UNDEFINED_ERROR = 127,
    INVALID_DP_ADDRESS = 1,
    SMDP_ADDRESS_MISMATCH = 50,
    SMDP_OID_MISMATCH = 51,
    INVALID_EIM_TRANSACTION_ID = 52,
    FEATURE_EIM_HANDLES_DATA = 1 << 2,
    FEATURE_EIM_CTX_PARAMS = 1 << 3,
};

/* --- refusals -------------------------------------------------------------------------------- */

static const struct {
    uint32_t function, tag; /* the tag of the error */
    enum code_list codes;
    long invalid_transaction;
} functions[] = {
    { ESIPA_INITIATE_AUTHENTICATION, 0x81, CODES_ESIPA_INITIATE, INVALID_EIM_TRANSACTION_ID },
    { ESIPA_AUTHENTICATE_CLIENT, 0x82, CODES_ESIPA_AUTHENTICATE, 10 },
    { ESIPA_GET_BOUND_PROFILE_PACKAGE, 0x81, CODES_ESIPA_PACKAGE, 95 },
    { ESIPA_CANCEL_SESSION, 0x81, CODES_ESIPA_CANCEL, 1 },
};

static int refuse(struct eim_call *call, uint32_t function, long code, int64_t work, struct wr *ret)
{
    size_t i = 0;

    while (functions[i].function != function)
        i++;
    const char *name = code_name(functions[i].codes, code);
    struct wr_mark mark = tlv_open(ret, function);
    tlv_put_uint(ret, functions[i].tag, (uint64_t)code);
    tlv_close(ret, mark);
    cJSON_AddStringToObject(call->log, "answer", name);
    if (work != 0)
        TRY(store_finish_work(call->eim->db, work, WORK_FAILED, name));
    return wr_failed(ret);
}

static long invalid_transaction(uint32_t function)
{
    for (size_t i = 0; i < N_ELEMS(functions); i++)
        if (functions[i].function == function)
            return functions[i].invalid_transaction;
    return UNDEFINED_ERROR;
}

static long code_of(uint32_t function, const struct es9p_refusal *refusal)
{
    long code;

    return esipa_refusal_code(function, refusal->subject, refusal->reason, &code) ? code
                                                                                  : UNDEFINED_ERROR;
}

/* --- ES9+' ----------------------------------------------------------------------------------- */

static void put_base64(cJSON *out, const char *name, struct rd v)
{
    char *text = base64_text(v);

    if (text != NULL)
        cJSON_AddStringToObject(out, name, text);
    free(text);
}

/* Takes the request.  *ret_code is 0, or the code with which ESipa refuses. */
static cJSON *ask(struct eim_call *call, uint32_t function, const char *name, const char *address,
                  cJSON *request, long *ret_code)
{
    struct es9p_refusal refusal = { .subject = "" };
    struct lab_error e = { "" };
    cJSON *answer = NULL;

    *ret_code = 0;
    if (call->eim->smdp == NULL)
        lab_fail(&e, "no SM-DP+ can be reached");
    if (call->eim->smdp == NULL ||
        es9p_call(call->eim->smdp, address, name, request, &answer, &refusal, &e) != 0) {
        *ret_code = code_of(function, &refusal);
        cJSON_AddStringToObject(call->log, "reason", e.text);
    }
    cJSON_Delete(request);
    return answer;
}

/* A base64 field of the answer goes behind what is written; false when it is missing. */
static bool put_part(const cJSON *answer, const char *name, struct wr *ret)
{
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(answer, name);
    struct wr part;

    if (!cJSON_IsString(field))
        return false;
    wr_init_heap(&part, ANSWER_PART_MAX);
    bool ok = base64_read(field->valuestring, &part) && part.n > 0;
    if (ok)
        wr_put_rd(ret, wr_view(&part));
    wr_done(&part);
    return ok;
}

int eim_relay_notification(struct eim *eim, const char *address, struct rd notification,
                           struct lab_error *e)
{
    struct es9p_refusal refusal;
    cJSON *answer = NULL, *request = cJSON_CreateObject();

    put_base64(request, "pendingNotification", notification);
    int r = eim->smdp == NULL ? lab_fail(e, "no SM-DP+ can be reached")
                              : es9p_call(eim->smdp, address, "handleNotification", request,
                                          &answer, &refusal, e);
    cJSON_Delete(answer);
    cJSON_Delete(request);
    return r;
}

/* --- InitiateAuthentication (5.14.1) --------------------------------------------------------- */

/* What the eIM knows of the download that begins. */
struct start {
    struct eim_work work;
    bool has_work;
    bool eim_handles; /* the trigger had no download data */
    char address[EIM_TEXT_LEN], matching_id[EIM_TEXT_LEN], oid[EIM_TEXT_LEN];
};

static void read_code(const char *code, struct start *s)
{
    const char *fields[4] = { "", "", "", "" };
    char copy[EIM_TEXT_LEN];
    char *rest = copy;

    if (!copy_text(code, copy, sizeof copy))
        return;
    for (size_t i = 0; i < N_ELEMS(fields) && rest != NULL; i++)
        fields[i] = strsep(&rest, "$");
    copy_text(fields[1], s->address, sizeof s->address);
    copy_text(fields[2], s->matching_id, sizeof s->matching_id);
    copy_text(fields[3], s->oid, sizeof s->oid);
}

static int read_order(struct eim_call *call, struct start *s)
{
    struct wr order;
    struct tlv data, t;
    char code[EIM_TEXT_LEN];

    wr_init_heap(&order, EIM_BLOB_MAX);
    int r = store_get_work_blob(call->eim->db, s->work.number, WORK_ORDER, &order);
    struct rd in = wr_view(&order);
    s->eim_handles = tlv_find(in, ORDER_EIM_HANDLES, &t) &&
                     (call->device.features & FEATURE_EIM_HANDLES_DATA) != 0;
    if (r == 0 && tlv_find(in, 0xA0, &data)) {
        if (tlv_find(data.value, 0x80, &t) && copy_rd(t.value, code, sizeof code))
            read_code(code, s);
        else if (tlv_find(data.value, 0x81, &t))
            copy_text(call->device.default_smdp, s->address, sizeof s->address);
    }
    wr_done(&order);
    return r;
}

/* The trigger that this belongs to: by its transaction id, or the only one that is out. */
static int find_start(struct eim_call *call, struct rd body, struct start *s, long *ret_code)
{
    struct tlv tid;
    bool has_tid = tlv_find(body, 0x82, &tid), found = false;
    enum eim_who who;

    *ret_code = 0;
    if (has_tid) {
        call->shown = SGP32_V1_2;
        TRY(store_find_work(call->eim->db, tid.value, &s->work, &s->has_work));
        if (!s->has_work || s->work.kind != WORK_DOWNLOAD) {
            *ret_code = INVALID_EIM_TRANSACTION_ID;
            return 0;
        }
        return eim_use_device(call, s->work.eid, &found);
    }
    TRY(eim_find_device(call, rd_of(NULL, 0), rd_of(NULL, 0), &who));
    TRY(store_find_only(call->eim->db, who == EIM_FOUND ? call->device.eid : "", WORK_DOWNLOAD,
                        &s->work, &s->has_work));
    return s->has_work ? eim_use_device(call, s->work.eid, &found) : 0;
}

/* The SM-DP+ address: the IPA's, which must be that of the trigger, or the trigger's. */
static long choose_address(struct rd body, struct start *s)
{
    char given[EIM_TEXT_LEN] = "";
    struct tlv t;

    if (tlv_find(body, 0x83, &t) && !copy_rd(t.value, given, sizeof given))
        return INVALID_DP_ADDRESS;
    if (given[0] != '\0' && s->address[0] != '\0' && strcasecmp(given, s->address) != 0)
        return SMDP_ADDRESS_MISMATCH;
    if (s->address[0] == '\0')
        memcpy(s->address, given, sizeof s->address);
    return s->address[0] == '\0' ? INVALID_DP_ADDRESS : 0;
}

static int put_info1(struct eim_call *call, struct rd body, cJSON *request, bool *ret_found)
{
    struct tlv t;
    struct wr kept;

    wr_init_heap(&kept, EIM_BLOB_MAX);
    if (tlv_find(body, TAG_INFO1, &t)) {
        put_base64(request, "euiccInfo1", t.whole);
        *ret_found = true;
        wr_done(&kept);
        return 0;
    }
    int r =
        call->has_device ? store_get_blob(call->eim->db, call->device.eid, DEVICE_INFO1, &kept) : 0;
    *ret_found = kept.n > 0;
    if (*ret_found)
        put_base64(request, "euiccInfo1", wr_view(&kept));
    wr_done(&kept);
    return r;
}

/* ctxParams1 as the IPA would make them, from what it told of its device. */
static int put_ctx_params(struct eim_call *call, const struct start *s, struct wr *ret)
{
    struct wr info;
    struct tlv t;

    if ((call->device.features & FEATURE_EIM_CTX_PARAMS) == 0)
        return 0;
    wr_init_heap(&info, EIM_BLOB_MAX);
    int r = store_get_blob(call->eim->db, call->device.eid, DEVICE_DEVICE_INFO, &info);
    struct rd in = wr_view(&info);
    if (r == 0 && tlv_get(&in, &t) == 0) {
        struct wr_mark outer = tlv_open(ret, 0xA2);
        struct wr_mark common = tlv_open(ret, 0xA0);
        tlv_put_str(ret, 0x80, s->matching_id);
        tlv_put(ret, 0xA1, t.value);
        tlv_close(ret, common);
        tlv_close(ret, outer);
    }
    wr_done(&info);
    return r;
}

/* The OID of CERT.DPauth, which must be that of the activation code; 0 or a code. */
static long check_server(struct eim_call *call, const struct start *s, const cJSON *answer,
                         struct wr *ret_oid)
{
    struct cert *cert = NULL;
    const char *why;
    struct wr der, wanted;
    uint8_t room[OID_MAX_LEN];
    long code = 0;

    wr_init(&wanted, room, sizeof room);
    wr_init_heap(&der, ANSWER_PART_MAX);
    if (!put_part(answer, "serverCertificate", &der) ||
        cert_parse(call->eim->crypto, wr_view(&der), &cert, &why) != 0)
        code = UNDEFINED_ERROR;
    else if (s->oid[0] != '\0' &&
             (oid_from_text(s->oid, &wanted) != 0 || !rd_equal(wr_view(&wanted), cert_oid(cert))))
        code = SMDP_OID_MISMATCH;
    else
        wr_put_rd(ret_oid, cert_oid(cert));
    cert_free(&cert);
    wr_done(&der);
    return code;
}

static long check_address(const struct start *s, struct rd server_signed1)
{
    struct tlv body, address;

    if (tlv_expect(&server_signed1, TAG_SEQUENCE, &body) != 0 ||
        !tlv_find(body.value, 0x83, &address))
        return UNDEFINED_ERROR;
    return address.value.n == strlen(s->address) &&
                   strncasecmp((const char *)address.value.p, s->address, address.value.n) == 0
               ? 0
               : SMDP_ADDRESS_MISMATCH;
}

static int keep_download(struct eim_call *call, const struct start *s, struct rd tid,
                         struct rd server_signed1, struct rd oid)
{
    struct rd body = server_signed1;
    struct tlv signed1, address;
    char text[EIM_TEXT_LEN];

    if (tlv_expect(&body, TAG_SEQUENCE, &signed1) != 0 ||
        !tlv_find(signed1.value, 0x83, &address) || !copy_rd(address.value, text, sizeof text))
        return ERR_BUG;
    return db_run(call->eim->db,
                  "INSERT OR REPLACE INTO download"
                  " (tid, eid, work, address, server_signed1, auth_oid, at)"
                  " VALUES (?, ?, NULLIF(?, 0), ?, ?, ?, ?)",
                  "btitbbi", tid, call->device.eid, s->has_work ? s->work.number : (int64_t)0, text,
                  server_signed1, oid, (int64_t)time(NULL));
}

static int write_initiated(struct eim_call *call, const struct start *s, const cJSON *answer,
                           struct rd tid, struct wr *ret, bool *ret_ok)
{
    struct wr_mark outer = tlv_open(ret, ESIPA_INITIATE_AUTHENTICATION);
    struct wr_mark ok = tlv_open(ret, 0xA0);

    tlv_put(ret, 0x80, tid);
    *ret_ok = put_part(answer, "serverSigned1", ret) && put_part(answer, "serverSignature1", ret) &&
              put_part(answer, "euiccCiPKIdToBeUsed", ret) &&
              put_part(answer, "serverCertificate", ret);
    if (s->eim_handles && s->matching_id[0] != '\0')
        tlv_put_str(ret, TAG_UTF8, s->matching_id);
    TRY(put_ctx_params(call, s, ret));
    tlv_close(ret, ok);
    tlv_close(ret, outer);
    return wr_failed(ret);
}

static int answer_initiate(struct eim_call *call, const struct start *s, const cJSON *answer,
                           struct wr *ret)
{
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(answer, "transactionId");
    uint8_t room[TRANSACTION_ID_MAX], oid_room[OID_MAX_LEN];
    struct wr tid, oid, server_signed1;
    bool ok = false;
    int r = 0;

    wr_init(&tid, room, sizeof room);
    wr_init(&oid, oid_room, sizeof oid_room);
    wr_init_heap(&server_signed1, ANSWER_PART_MAX);
    long code = cJSON_IsString(id) && hex_read(id->valuestring, &tid) &&
                        put_part(answer, "serverSigned1", &server_signed1)
                    ? check_address(s, wr_view(&server_signed1))
                    : UNDEFINED_ERROR;
    if (code == 0)
        code = check_server(call, s, answer, &oid);
    if (code == 0)
        r = keep_download(call, s, wr_view(&tid), wr_view(&server_signed1), wr_view(&oid));
    if (code == 0 && r == 0)
        r = write_initiated(call, s, answer, wr_view(&tid), ret, &ok);
    if (r == 0 && !ok) {
        wr_clear(ret);
        r = refuse(call, ESIPA_INITIATE_AUTHENTICATION, code != 0 ? code : UNDEFINED_ERROR,
                   s->has_work ? s->work.number : 0, ret);
    }
    wr_done(&server_signed1);
    return r;
}

int eim_initiate_authentication(struct eim_call *call, struct rd body, struct wr *ret)
{
    struct start s = { .has_work = false };
    struct tlv challenge;
    bool has_info = false;
    long code = 0;

    if (!tlv_find(body, 0x81, &challenge) || challenge.value.n != CHALLENGE)
        return ERR_INPUT;
    TRY(find_start(call, body, &s, &code));
    if (code == 0 && s.has_work)
        TRY(read_order(call, &s));
    if (code == 0)
        code = choose_address(body, &s);
    int64_t work = s.has_work ? s.work.number : 0;
    if (code != 0)
        return refuse(call, ESIPA_INITIATE_AUTHENTICATION, code, work, ret);
    cJSON *request = cJSON_CreateObject();
    cJSON_AddStringToObject(request, "smdpAddress", s.address);
    put_base64(request, "euiccChallenge", challenge.value);
    int r = put_info1(call, body, request, &has_info);
    if (r != 0 || !has_info) {
        cJSON_Delete(request);
        return r != 0 ? r : refuse(call, ESIPA_INITIATE_AUTHENTICATION, UNDEFINED_ERROR, work, ret);
    }
    eim_note_peer(call);
    cJSON_AddStringToObject(call->log, "smdpAddress", s.address);
    cJSON *answer = ask(call, ESIPA_INITIATE_AUTHENTICATION, "initiateAuthentication", s.address,
                        request, &code);
    r = code != 0 ? refuse(call, ESIPA_INITIATE_AUTHENTICATION, code, work, ret)
                  : answer_initiate(call, &s, answer, ret);
    cJSON_Delete(answer);
    return r;
}

/* --- the functions within a session ---------------------------------------------------------- */

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
        return refuse(call, function, invalid_transaction(function), 0, ret);
    int r = eim_use_device(call, d->eid, &found);
    if (r != 0)
        eim_download_done(d);
    return r;
}

static cJSON *new_request(const struct eim_download *d, const char *name, struct rd message)
{
    cJSON *request = cJSON_CreateObject();

    json_hex(request, "transactionId", rd_of(d->transaction_id.b, d->transaction_id.n));
    put_base64(request, name, message);
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

    wr_init_heap(&metadata, ANSWER_PART_MAX);
    put_tid(d, ret);
    if (put_part(answer, "profileMetadata", &metadata))
        wr_put_rd(ret, wr_view(&metadata));
    *ret_ok = put_part(answer, "smdpSigned2", ret) && put_part(answer, "smdpSignature2", ret) &&
              put_part(answer, "smdpCertificate", ret);
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
    *ret_ok = put_part(answer, "boundProfilePackage", ret);
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
        code = UNDEFINED_ERROR;
    else if (r == 0)
        answer = ask(call, step->function, step->name, d->address,
                     new_request(d, step->field, wr_view(&whole)), &code);
    wr_done(&whole);
    if (r != 0 && r != ERR_INPUT)
        return r;
    if (code == 0) {
        r = step->write(call, d, answer, ret, &ok);
        code = ok ? 0 : UNDEFINED_ERROR;
    }
    cJSON_Delete(answer);
    if (code != 0) {
        wr_clear(ret);
        return refuse(call, step->function, code, d->work, ret);
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
