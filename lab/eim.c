/* eim.c - the eIM: which message is it, whose is it, and what does the device get (SGP.32 5.14.5).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lab/codes.h"
#include "lab/eim.h"
#include "lab/eim_download.h"
#include "lab/eim_package.h"
#include "lab/esipa.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    TAG_EID = 0x5A,
    TAG_INTEGER = 0x02,
    RPLMN_LEN = 3,
    MAX_LEARNING = 2, /* tries to learn a device's certificate and token */
    CA_MAX = 256 * 1024,
    UNDEFINED_ERROR = 127,
};

int eim_open(struct crypto *c, const char *path, struct rd smdp_ca, struct eim **ret,
             struct lab_error *e)
{
    struct eim *eim = calloc(1, sizeof *eim);
    struct wr ca;

    if (eim == NULL)
        return lab_fail(e, "out of memory");
    eim->crypto = c;
    wr_init_heap(&ca, CA_MAX);
    int r = store_open(path, &eim->db, e);
    if (r == 0)
        r = eim_identity_load(c, eim->db, &eim->identity, e);
    if (r == 0 && smdp_ca.n == 0)
        r = eim_config_ca_pem(&eim->identity, &ca);
    if (r == 0)
        r = es9p_client_new(smdp_ca.n > 0 ? smdp_ca : wr_view(&ca), &eim->smdp, e);
    wr_done(&ca);
    if (r != 0) {
        eim_close(&eim);
        return r;
    }
    *ret = eim;
    return 0;
}

void eim_close(struct eim **eim)
{
    if (*eim == NULL)
        return;
    es9p_client_free(&(*eim)->smdp);
    eim_identity_done(&(*eim)->identity);
    db_close(&(*eim)->db);
    free(*eim);
    *eim = NULL;
}

int eim_new_transaction_id(struct eim *eim, struct transaction_id *ret)
{
    ret->n = TRANSACTION_ID_MAX;
    return crypto_random(eim->crypto, ret->b, ret->n);
}

/* --- whose message is it? -------------------------------------------------------------------- */

void eim_note_peer(struct eim_call *call)
{
    struct eim *eim = call->eim;
    size_t oldest = 0;

    if (call->peer[0] == '\0' || !call->has_device)
        return;
    for (size_t i = 0; i < EIM_MAX_PEERS; i++) {
        if (strcmp(eim->peers[i].peer, call->peer) == 0) {
            oldest = i;
            break;
        }
        if (eim->peers[i].used < eim->peers[oldest].used)
            oldest = i;
    }
    copy_text(call->peer, eim->peers[oldest].peer, EIM_PEER_LEN);
    copy_text(call->device.eid, eim->peers[oldest].eid, EIM_EID_TEXT_LEN);
    eim->peers[oldest].used = ++eim->uses;
}

static const char *eid_of_peer(const struct eim_call *call)
{
    for (size_t i = 0; call->peer[0] != '\0' && i < EIM_MAX_PEERS; i++)
        if (strcmp(call->eim->peers[i].peer, call->peer) == 0)
            return call->eim->peers[i].eid;
    return NULL;
}

int eim_use_device(struct eim_call *call, const char *eid, bool *ret_found)
{
    TRY(store_get_device(call->eim->db, eid, &call->device, &call->has_device));
    *ret_found = call->has_device;
    if (call->has_device && call->shown != SGP32_UNKNOWN)
        call->device.observed = call->shown;
    return 0;
}

static bool eid_is_digits(struct rd eid)
{
    for (size_t i = 0; i < eid.n; i++)
        if (eid.p[i] >> 4 > 9 || (eid.p[i] & 0xF) > 9)
            return false;
    return eid.n == EIM_EID_LEN;
}

static int find_by_eid(struct eim_call *call, struct rd eid, enum eim_who *ret)
{
    char digits[EIM_EID_TEXT_LEN];
    bool found;

    *ret = EIM_INVALID_EID;
    if (!eid_is_digits(eid))
        return 0;
    hex_text(eid, digits, sizeof digits);
    TRY(eim_use_device(call, digits, &found));
    *ret = found ? EIM_FOUND : EIM_EID_NOT_FOUND;
    return 0;
}

int eim_find_device(struct eim_call *call, struct rd eid, struct rd transaction_id,
                    enum eim_who *ret)
{
    struct eim_work work;
    bool found = false;

    if (eid.n > 0)
        return find_by_eid(call, eid, ret);
    if (transaction_id.n > 0)
        TRY(store_find_work(call->eim->db, transaction_id, &work, &found));
    const char *digits = found ? work.eid : eid_of_peer(call);
    found = false;
    if (digits != NULL)
        TRY(eim_use_device(call, digits, &found));
    *ret = found ? EIM_FOUND : EIM_MISSING_EID;
    return 0;
}

enum sgp32_version eim_version(const struct eim_call *call)
{
    if (call->has_device && call->device.version != SGP32_UNKNOWN)
        return call->device.version;
    if (call->shown != SGP32_UNKNOWN)
        return call->shown;
    if (call->has_device && call->device.observed != SGP32_UNKNOWN)
        return call->device.observed;
    return SGP32_V1_2;
}

void eim_ack(struct eim_call *call, uint64_t seq)
{
    for (size_t i = 0; i < call->n_acks; i++)
        if (call->acks[i] == seq)
            return;
    if (call->n_acks < EIM_MAX_ACKS)
        call->acks[call->n_acks++] = seq;
}

/* --- GetEimPackage (5.14.5) ------------------------------------------------------------------ */

static int refuse_package(struct eim_call *call, long code, struct wr *ret)
{
    struct wr_mark mark = tlv_open(ret, ESIPA_GET_EIM_PACKAGE);

    if (eim_version(call) == SGP32_V1_0 && code != NO_EIM_PACKAGE_AVAILABLE)
        code = UNDEFINED_ERROR;
    tlv_put_uint(ret, TAG_INTEGER, (uint64_t)code);
    tlv_close(ret, mark);
    cJSON_AddStringToObject(call->log, "answer", code_name(CODES_GET_EIM_PACKAGE, code));
    return wr_failed(ret);
}

static int register_device(struct eim_call *call, struct rd eid)
{
    struct eim_device d = { .token_state = call->eim->identity.token ? TOKEN_UNKNOWN : TOKEN_NONE,
                            .counter = call->eim->identity.counter };
    bool found;

    hex_text(eid, d.eid, sizeof d.eid);
    TRY(store_put_device(call->eim->db, &d));
    return eim_use_device(call, d.eid, &found);
}

/* The parameters of v1.0 and of later versions differ: 81 was the rPLMN. */
static void sniff_version(struct eim_call *call, struct rd body)
{
    struct tlv t;

    if (tlv_find(body, 0x82, &t))
        call->shown = SGP32_V1_2;
    else if (tlv_find(body, 0x81, &t))
        call->shown = t.value.n == RPLMN_LEN ? SGP32_V1_0 : SGP32_V1_2;
}

static int tell_state_change(struct eim_call *call, struct rd body)
{
    struct tlv t, cause;
    uint64_t code;
    cJSON *out = cJSON_CreateObject();
    bool known;

    if (tlv_find(body, 0x81, &cause) && cause.value.n < RPLMN_LEN &&
        tlv_uint(cause.value, &code) == 0 && code <= UNDEFINED_ERROR)
        cJSON_AddStringToObject(out, "stateChangeCause", code_name(CODES_STATE_CHANGE, (long)code));
    if (tlv_find(body, 0x82, &t) || (tlv_find(body, 0x81, &t) && t.value.n == RPLMN_LEN))
        json_hex(out, "rPLMN", t.value);
    cJSON_AddItemToObject(call->log, "stateChange", out);
    char *text = cJSON_PrintUnformatted(out);
    if (text == NULL)
        return ERR_NOMEM;
    struct eim_record r = { call->device.eid, 0, "stateChange", rd_of(NULL, 0), text, -1 };
    int result = store_add_result(call->eim->db, &r, &known);
    cJSON_free(text);
    return result;
}

/* The first thing to ask of a device is what its results are verified with, and its token. */
static int queue_learning(struct eim_call *call)
{
    const struct eim_device *d = &call->device;
    bool token = d->token_state == TOKEN_UNKNOWN;
    int64_t all = 0, open = 0, number;
    uint8_t room[64];
    struct wr order;

    if (!call->eim->identity.learn || (d->has_certificate && !token))
        return 0;
    TRY(store_count_work(call->eim->db, d->eid, FOR_LEARNING, false, &all));
    TRY(store_count_work(call->eim->db, d->eid, FOR_LEARNING, true, &open));
    if (open > 0 || all >= MAX_LEARNING)
        return 0;
    wr_init(&order, room, sizeof room);
    TRY(eim_learn_order(eim_version(call), token, &order));
    struct eim_order o = { WORK_DATA, FOR_LEARNING, wr_view(&order), "data (learning)", "" };
    return store_add_work(call->eim->db, d->eid, &o, &number);
}

/* The counter of the last package that the eUICC took: of its last signed result. */
static int last_accepted(struct eim_call *call, uint64_t *ret)
{
    struct eim_result result;
    struct db_rows *rows = db_query(call->eim->db,
                                    "SELECT received FROM result WHERE eid = ? AND"
                                    " kind = 'package' AND verified = 1 ORDER BY id DESC",
                                    "t", call->device.eid);

    *ret = call->eim->identity.counter;
    while (db_next(rows)) {
        if (eim_result_read(db_blob(rows, 0), &result) != 0 || result.arm != RESULT_SIGNED)
            continue;
        *ret = result.counter;
        break;
    }
    return db_rows_done(&rows);
}

static int make_package(struct eim_call *call, struct eim_work *w, struct rd order,
                        const char *fault, struct wr *ret)
{
    struct eim_device *d = &call->device;
    char id[EIM_ID_MAX + 1];
    struct eim_package p = {
        .eim_id = call->eim->identity.id,
        .counter = d->counter + 1,
        .transaction_id = rd_of(w->transaction_id.b, w->transaction_id.n),
        .token = d->token_state == TOKEN_KNOWN ? d->token : 0,
        .operations = order,
    };

    if (!eim_eid_read(d->eid, p.eid))
        return ERR_BUG;
    TRY(last_accepted(call, &p.accepted));
    d->counter = p.counter;
    w->token = p.token;
    if (!eim_fault_apply(fault, &p, id))
        return ERR_BUG;
    w->counter = p.counter;
    return eim_package_write(call->eim->crypto, call->eim->identity.key, &p, ret);
}

static int make_message(struct eim_call *call, struct eim_work *w, struct rd order,
                        const char *fault, struct wr *ret)
{
    struct rd tid = rd_of(w->transaction_id.b, w->transaction_id.n);
    struct tlv t;

    switch (w->kind) {
    case WORK_PACKAGE:
        return make_package(call, w, order, fault, ret);
    case WORK_DATA:
        return eim_data_request_write(order, eim_version(call), tid, ret);
    case WORK_DOWNLOAD:
    default:
        return eim_trigger_write(order,
                                 !tlv_find(order, ORDER_EIM_HANDLES, &t) ||
                                     (call->device.features & FEATURE_EIM_DOWNLOAD) == 0,
                                 tid, ret);
    }
}

/* Makes the message of work that is handed out for the first time, and keeps it. */
static int prepare(struct eim_call *call, struct eim_work *w, struct wr *ret)
{
    struct db *db = call->eim->db;
    char fault[EIM_TEXT_LEN] = "";
    struct wr order, text;

    wr_init_heap(&order, EIM_BLOB_MAX);
    wr_init(&text, fault, sizeof fault - 1);
    int r = store_get_work_blob(db, w->number, WORK_ORDER, &order);
    if (r == 0)
        r = store_get_work_blob(db, w->number, WORK_FAULT, &text);
    if (r == 0)
        r = eim_new_transaction_id(call->eim, &w->transaction_id);
    if (r == 0)
        r = make_message(call, w, wr_view(&order), fault, ret);
    if (r == 0)
        r = store_put_work_blob(db, w->number, WORK_MESSAGE, wr_view(ret));
    wr_done(&order);
    return r;
}

static int hand_out(struct eim_call *call, struct eim_work *w, struct wr *ret)
{
    struct wr message;

    wr_init_heap(&message, EIM_BLOB_MAX);
    int r = w->state == WORK_QUEUED
                ? prepare(call, w, &message)
                : store_get_work_blob(call->eim->db, w->number, WORK_MESSAGE, &message);
    w->state = WORK_OUT;
    w->handed++;
    if (r == 0)
        r = store_update_work(call->eim->db, w);
    if (r == 0) {
        struct wr_mark mark = tlv_open(ret, ESIPA_GET_EIM_PACKAGE);
        wr_put_rd(ret, wr_view(&message));
        tlv_close(ret, mark);
        r = wr_failed(ret);
    }
    wr_done(&message);
    cJSON_AddStringToObject(call->log, "answer", work_kind_name(w->kind));
    cJSON_AddNumberToObject(call->log, "work", (double)w->number);
    if (w->kind == WORK_PACKAGE)
        cJSON_AddNumberToObject(call->log, "counter", (double)w->counter);
    return r;
}

static int answer_with_work(struct eim_call *call, struct wr *ret)
{
    struct db *db = call->eim->db;
    struct eim_work w;
    bool found = false;

    if (call->device.gone_to[0] != '\0')
        return refuse_package(call, NO_EIM_PACKAGE_AVAILABLE, ret);
    TRY(queue_learning(call));
    for (;;) {
        TRY(store_next_work(db, call->device.eid, &w, &found));
        if (!found)
            return refuse_package(call, NO_EIM_PACKAGE_AVAILABLE, ret);
        if (w.handed < EIM_MAX_HANDED)
            return hand_out(call, &w, ret);
        TRY(store_finish_work(db, w.number, WORK_FAILED, "no result after three deliveries"));
    }
}

int eim_get_package(struct eim_call *call, struct rd body, struct wr *ret)
{
    struct tlv eid, t;
    enum eim_who who;

    if (!tlv_find(body, TAG_EID, &eid))
        return refuse_package(call, EIM_MISSING_EID, ret);
    sniff_version(call, body);
    TRY(find_by_eid(call, eid.value, &who));
    if (who == EIM_EID_NOT_FOUND && call->eim->register_any) {
        TRY(register_device(call, eid.value));
        who = EIM_FOUND;
    }
    if (who != EIM_FOUND)
        return refuse_package(call, who, ret);
    eim_note_peer(call);
    call->device.last_seen = (int64_t)time(NULL);
    if (tlv_find(body, 0x80, &t))
        TRY(tell_state_change(call, body));
    TRY(answer_with_work(call, ret));
    return store_update_device(call->eim->db, &call->device);
}

/* --- any message ----------------------------------------------------------------------------- */

static const struct {
    uint32_t tag;
    const char *name;
    int (*run)(struct eim_call *call, struct rd body, struct wr *ret);
    bool own_transactions; /* it asks an SM-DP+ meanwhile */
} functions[] = {
    { ESIPA_GET_EIM_PACKAGE, "getEimPackage", eim_get_package, false },
    { ESIPA_PROVIDE_EIM_PACKAGE_RESULT, "provideEimPackageResult", eim_provide_result, false },
    { ESIPA_HANDLE_NOTIFICATION, "handleNotification", eim_receive_notification, false },
    { ESIPA_INITIATE_AUTHENTICATION, "initiateAuthentication", eim_initiate_authentication, true },
    { ESIPA_AUTHENTICATE_CLIENT, "authenticateClient", eim_authenticate_client, true },
    { ESIPA_GET_BOUND_PROFILE_PACKAGE, "getBoundProfilePackage", eim_get_bound_profile_package,
      true },
    { ESIPA_CANCEL_SESSION, "cancelSession", eim_cancel_session, true },
};

static int run(struct eim_call *call, size_t function, struct rd body, struct wr *ret)
{
    struct db *db = call->eim->db;

    if (functions[function].own_transactions)
        return functions[function].run(call, body, ret);
    TRY(db_begin(db));
    return db_end(db, functions[function].run(call, body, ret));
}

int eim_handle(struct eim *eim, struct rd message, const char *peer, cJSON *log, struct wr *ret)
{
    struct eim_call call = { .eim = eim, .peer = peer, .log = log };
    struct tlv t;

    TRY(tlv_get(&message, &t));
    if (message.n != 0 || !tlv_all_whole(t.value))
        return ERR_INPUT;
    for (size_t i = 0; i < N_ELEMS(functions); i++) {
        if (functions[i].tag != t.tag)
            continue;
        cJSON_AddStringToObject(log, "function", functions[i].name);
        int r = run(&call, i, t.value, ret);
        if (call.has_device)
            cJSON_AddStringToObject(log, "eid", call.device.eid);
        return r;
    }
    return ERR_INPUT;
}
