/* eim_provide.c - results that come back (SGP.32 5.14.6, 5.14.7, 2.11.2). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <EuiccPackageResult.h>

#include "asn1/der.h"
#include "lab/codes.h"
#include "lab/eim.h"
#include "lab/eim_package.h"
#include "lab/esipa.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    TAG_INTEGER = 0x02,
    TAG_OCTET_STRING = 0x04,
    TAG_SEQUENCE = 0x30,
    TAG_EID = 0x5A,
    TAG_NOTIFICATIONS = 0xBF2B, /* RetrieveNotificationsListResponse, v1.0 */
    TAG_INSTALLATION_RESULT = 0xBF37,
    REPLAY_ERROR = 4,
};

/* --- EuiccPackageResult ---------------------------------------------------------------------- */

/* The work that a result belongs to: by the transaction id, else by the counter (3.10). */
static int find_work(struct eim_call *call, const struct eim_result *result, struct eim_work *ret,
                     bool *ret_found)
{
    struct db *db = call->eim->db;

    *ret_found = false;
    if (result->transaction_id.n > 0) {
        TRY(store_find_work(db, result->transaction_id, ret, ret_found));
        *ret_found = *ret_found && strcmp(ret->eid, call->device.eid) == 0 &&
                     ret->kind == WORK_PACKAGE &&
                     (!result->has_counter || result->counter == ret->counter);
        return 0;
    }
    if (result->has_counter)
        return store_find_package(db, call->device.eid, result->counter, ret, ret_found);
    return store_find_only(db, call->device.eid, WORK_PACKAGE, ret, ret_found);
}

/* 1: verified, and how in ret_text; 0: not, and why; -1: the certificate is not known yet. */
static int verify(struct eim_call *call, const struct eim_result *result,
                  const struct eim_work *work, const char **ret_text)
{
    struct wr der, request;
    struct cert *euicc = NULL;
    const char *why = "the eUICC's certificate is not known", *how = NULL;
    int verified = -1;

    if (result->arm == RESULT_UNSIGNED) {
        *ret_text = "not signed";
        return 0;
    }
    wr_init_heap(&der, EIM_BLOB_MAX);
    wr_init_heap(&request, EIM_BLOB_MAX);
    store_get_blob(call->eim->db, call->device.eid, DEVICE_EUICC_CERT, &der);
    store_get_work_blob(call->eim->db, work->number, WORK_MESSAGE, &request);
    if (der.n > 0 && cert_parse(call->eim->crypto, wr_view(&der), &euicc, &why) == 0) {
        struct eim_signature_context context = {
            .key = cert_key(euicc),
            .token = work->number != 0                         ? work->token
                     : call->device.token_state == TOKEN_KNOWN ? call->device.token
                                                               : 0,
            .request = wr_view(&request),
            .only_token = call->device.version > SGP32_V1_0,
        };
        how = eim_result_verify(call->eim->crypto, result, &context);
        verified = how != NULL;
        why = "the signature does not verify";
    }
    *ret_text = how != NULL ? how : why;
    cert_free(&euicc);
    wr_done(&der);
    wr_done(&request);
    return verified;
}

/* A package that was delivered twice and refused as replayed was executed the first time: its
 * result waits in the eUICC. */
static int ask_for_results(struct eim_call *call)
{
    uint8_t room[16];
    struct wr order;
    int64_t number;

    wr_init(&order, room, sizeof room);
    TRY(eim_results_order(eim_version(call), &order));
    struct eim_order o = { WORK_DATA, FOR_RESULTS, wr_view(&order), "data (results)", "" };
    return store_add_work(call->eim->db, call->device.eid, &o, &number);
}

static int finish(struct eim_call *call, const struct eim_work *work,
                  const struct eim_result *result, int verified, const char *text)
{
    const char *why = "";

    if (work->state == WORK_DONE)
        return 0;
    if (result->arm == RESULT_ERROR && result->error == REPLAY_ERROR && work->handed > 1)
        TRY(ask_for_results(call));
    bool ok = eim_result_ok(result, &why);
    if (ok && verified != 1)
        why = text;
    ok = ok && verified == 1;
    TRY(store_finish_work(call->eim->db, work->number, ok ? WORK_DONE : WORK_FAILED, why));
    if (work->purpose == FOR_HANDOVER)
        return eim_handover_result(call, work, result, verified == 1);
    return 0;
}

/* Our own codec, which verified, against the types that asn1c made of the standard's modules. */
static bool keeps_schema(struct rd der)
{
    void *tree = NULL;

    if (der_decode(&asn_DEF_EuiccPackageResult, der.p, der.n, &tree) != 0)
        return false;
    der_free(&asn_DEF_EuiccPackageResult, tree);
    return true;
}

static int keep_result(struct eim_call *call, const struct eim_work *work, struct rd der,
                       int verified, const cJSON *out, bool *ret_known)
{
    char *text = cJSON_PrintUnformatted(out);

    if (text == NULL)
        return ERR_NOMEM;
    struct eim_record record = { call->device.eid, work->number, "package", der, text, verified };
    int r = store_add_result(call->eim->db, &record, ret_known);
    cJSON_free(text);
    return r;
}

static int take_known_result(struct eim_call *call, struct rd der, const struct eim_result *result,
                             cJSON *out)
{
    struct eim_work work = { .number = 0 };
    bool has_work, known;
    const char *text = "";

    TRY(find_work(call, result, &work, &has_work));
    if (!has_work)
        work = (struct eim_work){ .number = 0 };
    int verified = verify(call, result, &work, &text);
    if (has_work)
        cJSON_AddNumberToObject(out, "work", (double)work.number);
    eim_result_json(result, out);
    cJSON_AddBoolToObject(out, "verified", verified == 1);
    cJSON_AddStringToObject(out, verified == 1 ? "signatureInput" : "reason", text);
    cJSON_AddBoolToObject(out, "schema", keeps_schema(der));
    if (result->has_seq && verified == 1) {
        cJSON_AddBoolToObject(out, "seqNumberIsNew", result->seq > call->device.last_seq);
        if (result->seq > call->device.last_seq)
            call->device.last_seq = result->seq;
    }
    TRY(keep_result(call, &work, der, verified, out, &known));
    if (known)
        cJSON_AddTrueToObject(out, "again");
    if (!known && has_work)
        TRY(finish(call, &work, result, verified, text));
    if (verified == 1 && result->has_seq)
        eim_ack(call, result->seq);
    return 0;
}

/* By the eimId; one that does not know the eimId it got (a fault for tests) tells that one, and
 * the transaction. */
static int is_answer_to_us(struct eim_call *call, const struct eim_result *result, bool *ret)
{
    struct eim_work work;

    *ret = strcmp(result->eim_id, call->eim->identity.id) == 0;
    if (*ret || result->arm != RESULT_UNSIGNED || result->transaction_id.n == 0)
        return 0;
    return find_work(call, result, &work, ret);
}

int eim_take_result(struct eim_call *call, struct rd der, cJSON *out)
{
    struct eim_result result;
    bool ours;

    cJSON_AddStringToObject(out, "kind", "package");
    if (eim_result_read(der, &result) != 0) {
        cJSON_AddStringToObject(out, "reason", "not an EuiccPackageResult");
        json_hex(out, "octets", der);
        return 0;
    }
    TRY(is_answer_to_us(call, &result, &ours));
    if (!ours) {
        eim_result_json(&result, out);
        cJSON_AddStringToObject(out, "reason", "of another eIM");
        return 0;
    }
    return take_known_result(call, der, &result, out);
}

/* --- the other results ----------------------------------------------------------------------- */

static int find_other_work(struct eim_call *call, struct rd transaction_id, enum work_kind kind,
                           struct eim_work *ret, bool *ret_found)
{
    if (transaction_id.n > 0)
        return store_find_work(call->eim->db, transaction_id, ret, ret_found);
    return store_find_only(call->eim->db, call->device.eid, kind, ret, ret_found);
}

static int keep_other(struct eim_call *call, int64_t work, const char *kind, struct rd der,
                      const cJSON *out)
{
    char *text = cJSON_PrintUnformatted(out);
    bool known;

    if (text == NULL)
        return ERR_NOMEM;
    struct eim_record record = { call->device.eid, work, kind, der, text, -1 };
    int r = store_add_result(call->eim->db, &record, &known);
    cJSON_free(text);
    return r;
}

/* ProfileDownloadTriggerResult (2.11.2.3): of a direct download. */
static int take_trigger_result(struct eim_call *call, struct rd der, cJSON *out)
{
    struct tlv outer, tid, t, code;
    struct rd in = der;
    struct eim_work work = { .number = 0 };
    bool found, success = false;
    uint64_t reason;

    TRY(tlv_expect(&in, PROFILE_DOWNLOAD_TRIGGER, &outer));
    if (!tlv_find(outer.value, 0x82, &tid))
        tid.value = rd_of(NULL, 0);
    cJSON_AddStringToObject(out, "kind", "download");
    TRY(find_other_work(call, tid.value, WORK_DOWNLOAD, &work, &found));
    if (tlv_find(outer.value, TAG_INSTALLATION_RESULT, &t)) {
        TRY(eim_take_notification(call, t.whole, false, out));
        success = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(out, "success"));
    } else if (tlv_find(outer.value, TAG_SEQUENCE, &t)) {
        cJSON *error = cJSON_AddObjectToObject(out, "error");
        if (tlv_find(t.value, 0x80, &code) && tlv_uint(code.value, &reason) == 0 && reason < 256)
            cJSON_AddStringToObject(error, "reason",
                                    code_name(CODES_DOWNLOAD_TRIGGER, (long)reason));
        if (tlv_find(t.value, TAG_OCTET_STRING, &code))
            json_hex(error, "errorResponse", code.value);
    } else {
        cJSON_AddStringToObject(out, "reason", "not a ProfileDownloadTriggerResult");
    }
    if (found)
        cJSON_AddNumberToObject(out, "work", (double)work.number);
    if (found && work.state != WORK_DONE && (success || work.state != WORK_FAILED))
        TRY(store_finish_work(call->eim->db, work.number, success ? WORK_DONE : WORK_FAILED,
                              success ? "" : "the download failed"));
    return keep_other(call, found ? work.number : 0, "download", der, out);
}

/* The IPA could not do anything with what it got. */
static int take_error(struct eim_call *call, struct rd transaction_id, struct rd code,
                      struct rd der, cJSON *out)
{
    struct eim_work work = { .number = 0 };
    bool found = false;
    uint64_t v = 127;

    tlv_uint(code, &v);
    cJSON_AddStringToObject(out, "kind", "error");
    cJSON_AddNumberToObject(out, "code", (double)v);
    if (v < 256)
        cJSON_AddStringToObject(out, "name", code_name(CODES_EIM_PACKAGE_RESULT, (long)v));
    for (int kind = WORK_PACKAGE; !found && kind <= WORK_DATA; kind++)
        TRY(find_other_work(call, transaction_id, (enum work_kind)kind, &work, &found));
    if (found && work.state == WORK_OUT)
        TRY(store_finish_work(call->eim->db, work.number, WORK_FAILED,
                              "the IPA refused the package"));
    if (found)
        cJSON_AddNumberToObject(out, "work", (double)work.number);
    return keep_other(call, found ? work.number : 0, "error", der, out);
}

/* --- ProvideEimPackageResult ----------------------------------------------------------------- */

static int take_with_notifications(struct eim_call *call, struct rd body, cJSON *out)
{
    struct tlv t;

    if (tlv_find(body, EUICC_PACKAGE, &t))
        TRY(eim_take_result(call, t.whole, out));
    if (tlv_find(body, TAG_NOTIFICATIONS, &t)) { /* v1.0: a whole response */
        struct tlv list;
        if (tlv_find(t.value, 0xA0, &list))
            return eim_take_notifications(call, list.value, out);
    } else if (tlv_find(body, 0xA0, &t)) {
        return eim_take_notifications(call, t.value, out);
    }
    return 0;
}

static int take_arm(struct eim_call *call, const struct tlv *arm, cJSON *out)
{
    struct tlv tid, code;

    switch (arm->tag) {
    case EUICC_PACKAGE:
        return eim_take_result(call, arm->whole, out);
    case TAG_SEQUENCE:
        return take_with_notifications(call, arm->value, out);
    case IPA_EUICC_DATA:
        return eim_take_data(call, arm->whole, out);
    case PROFILE_DOWNLOAD_TRIGGER:
        return take_trigger_result(call, arm->whole, out);
    case TAG_INTEGER:
        return take_error(call, rd_of(NULL, 0), arm->value, arm->whole, out);
    case 0xA0:
        if (!tlv_find(arm->value, 0x80, &tid))
            tid.value = rd_of(NULL, 0);
        if (tlv_find(arm->value, TAG_INTEGER, &code))
            return take_error(call, tid.value, code.value, arm->whole, out);
        return ERR_INPUT;
    default:
        return ERR_INPUT;
    }
}

/* The transaction id of a result without an EID, wherever its kind has it. */
static struct rd transaction_of(const struct tlv *arm)
{
    struct tlv t, inner;
    struct eim_result result;

    switch (arm->tag) {
    case TAG_SEQUENCE:
        if (!tlv_find(arm->value, EUICC_PACKAGE, &t))
            break;
        return eim_result_read(t.whole, &result) == 0 ? result.transaction_id : rd_of(NULL, 0);
    case EUICC_PACKAGE:
        return eim_result_read(arm->whole, &result) == 0 ? result.transaction_id : rd_of(NULL, 0);
    case IPA_EUICC_DATA:
        if (tlv_find(arm->value, 0xA0, &inner) && tlv_find(inner.value, 0x87, &t))
            return t.value;
        if (tlv_find(arm->value, 0xA1, &inner) && tlv_find(inner.value, 0x80, &t))
            return t.value;
        break;
    case PROFILE_DOWNLOAD_TRIGGER:
        if (tlv_find(arm->value, 0x82, &t))
            return t.value;
        break;
    case 0xA0:
        if (tlv_find(arm->value, 0x80, &t))
            return t.value;
        break;
    default:
        break;
    }
    return rd_of(NULL, 0);
}

static void sniff_version(struct eim_call *call, const struct tlv *eid, const struct tlv *arm)
{
    struct tlv t;

    if (eid != NULL || arm->tag == 0xA0)
        call->shown = SGP32_V1_2;
    else if (arm->tag == TAG_INTEGER ||
             (arm->tag == TAG_SEQUENCE && tlv_find(arm->value, TAG_NOTIFICATIONS, &t)) ||
             (arm->tag == IPA_EUICC_DATA && tlv_find(arm->value, 0x81, &t)))
        call->shown = SGP32_V1_0;
}

/* A device without an eidValue whose IPA is not known to be newer: v1.0.1 has no eidValue. */
static void guess_version(struct eim_call *call, const struct tlv *eid)
{
    if (eid == NULL && call->shown == SGP32_UNKNOWN && call->has_device &&
        call->device.observed == SGP32_UNKNOWN) {
        call->shown = SGP32_V1_0;
        call->device.observed = SGP32_V1_0;
    }
}

/* An IPA of v1.0.1 reads acknowledgements in the answer to a package result alone.  Those of
 * results that came in IpaEuiccData are owed until then. */
static int owe_acks(struct eim_call *call, const char *key)
{
    struct wr owed;

    wr_init_heap(&owed, EIM_BLOB_MAX);
    int r = store_get(call->eim->db, key, &owed);
    for (size_t i = 0; i < call->n_acks; i++)
        tlv_put_uint(&owed, 0x80, call->acks[i]);
    if (r == 0 || r == ERR_INPUT) /* or nothing yet */
        r = wr_failed(&owed) != 0 ? ERR_NOMEM : store_put(call->eim->db, key, wr_view(&owed));
    wr_done(&owed);
    return r;
}

static int settle_acks(struct eim_call *call, const char *key)
{
    struct wr owed;
    struct tlv t;
    uint64_t seq;

    wr_init_heap(&owed, EIM_BLOB_MAX);
    int r = store_get(call->eim->db, key, &owed);
    struct rd in = wr_view(&owed);
    while (r == 0 && in.n > 0 && tlv_get(&in, &t) == 0)
        if (tlv_uint(t.value, &seq) == 0)
            eim_ack(call, seq);
    if (r == 0 && owed.n > 0)
        r = store_put(call->eim->db, key, rd_of(NULL, 0));
    wr_done(&owed);
    return r == ERR_INPUT ? 0 : r;
}

static int repeat_acks(struct eim_call *call, const struct tlv *arm)
{
    char key[EIM_TEXT_LEN];
    struct tlv t;

    snprintf(key, sizeof key, "acks owed to %s", call->device.eid);
    if (arm->tag == IPA_EUICC_DATA)
        return call->n_acks > 0 && eim_version(call) == SGP32_V1_0 ? owe_acks(call, key) : 0;
    if (arm->tag == EUICC_PACKAGE ||
        (arm->tag == TAG_SEQUENCE && tlv_find(arm->value, EUICC_PACKAGE, &t)))
        return settle_acks(call, key);
    return 0;
}

static int answer(struct eim_call *call, enum eim_who who, struct wr *ret)
{
    struct wr_mark mark = tlv_open(ret, ESIPA_PROVIDE_EIM_PACKAGE_RESULT);
    bool is_v1_0 = eim_version(call) == SGP32_V1_0;
    cJSON *list;

    if (who != EIM_FOUND) {
        if (!is_v1_0)
            tlv_put_uint(ret, TAG_INTEGER, (uint64_t)who);
        cJSON_AddStringToObject(call->log, "answer", code_name(CODES_PROVIDE_RESULT, (long)who));
    } else if (call->n_acks > 0) {
        struct wr_mark acks = tlv_open(ret, EIM_ACKNOWLEDGEMENTS);
        list = cJSON_AddArrayToObject(call->log, "acknowledged");
        for (size_t i = 0; i < call->n_acks; i++) {
            tlv_put_uint(ret, 0x80, call->acks[i]);
            cJSON_AddItemToArray(list, cJSON_CreateNumber((double)call->acks[i]));
        }
        tlv_close(ret, acks);
    } else if (!is_v1_0) {
        tlv_put(ret, TAG_SEQUENCE, rd_str(""));
    }
    tlv_close(ret, mark);
    return wr_failed(ret);
}

/* The contents of a ProvideEimPackageResult: an eidValue or none, and one of the results. */
static int provide(struct eim_call *call, struct rd body, enum eim_who *ret_who)
{
    struct tlv first, arm;
    bool has_eid;

    TRY(tlv_get(&body, &first));
    has_eid = first.tag == TAG_EID;
    if (has_eid)
        TRY(tlv_get(&body, &arm));
    else
        arm = first;
    sniff_version(call, has_eid ? &first : NULL, &arm);
    TRY(eim_find_device(call, has_eid ? first.value : rd_of(NULL, 0), transaction_of(&arm),
                        ret_who));
    if (*ret_who != EIM_FOUND)
        return 0;
    guess_version(call, has_eid ? &first : NULL);
    cJSON *out = cJSON_AddObjectToObject(call->log, "result");
    TRY(take_arm(call, &arm, out));
    TRY(repeat_acks(call, &arm));
    return store_update_device(call->eim->db, &call->device);
}

int eim_provide_result(struct eim_call *call, struct rd body, struct wr *ret)
{
    enum eim_who who = EIM_FOUND;

    TRY(provide(call, body, &who));
    return answer(call, who, ret);
}

/* --- HandleNotification ---------------------------------------------------------------------- */

int eim_receive_notification(struct eim_call *call, struct rd body, struct wr *ret)
{
    struct tlv arm;
    enum eim_who who = EIM_FOUND;

    (void)ret; /* there is no answer */
    TRY(tlv_get(&body, &arm));
    switch (arm.tag) {
    case 0xA0:
        TRY(eim_take_notification(call, arm.value, true,
                                  cJSON_AddObjectToObject(call->log, "notification")));
        return call->has_device ? store_update_device(call->eim->db, &call->device) : 0;
    case ESIPA_PROVIDE_EIM_PACKAGE_RESULT:
    case 0xA1: /* v1.0 */
        call->shown = arm.tag == 0xA1 ? SGP32_V1_0 : SGP32_V1_2;
        TRY(provide(call, arm.value, &who));
        if (who != EIM_FOUND)
            cJSON_AddStringToObject(call->log, "reason", code_name(CODES_PROVIDE_RESULT, who));
        return 0;
    default:
        return ERR_INPUT;
    }
}
