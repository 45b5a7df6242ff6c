/* eim_notify.c - notifications: verified, kept, and delivered to their SM-DP+ (SGP.32 3.7). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lab/codes.h"
#include "lab/eim.h"
#include "lab/eim_compact.h"
#include "lab/eim_download.h"
#include "lab/log.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    MAX_AT_ONCE = 4, /* deliveries a tick */
    MAX_TRIES = 5,
    PENDING_DONE = 0,
    PENDING_GIVEN_UP = 2,
};

/* NULL, or why not; *ret_open when the certificate is not known yet. */
static const char *verify_result(struct eim_call *call, const struct rsp_notification *n,
                                 bool *ret_open)
{
    struct cert *euicc = NULL;
    const char *why = "the eUICC's certificate is not known";
    struct wr der;

    wr_init_heap(&der, EIM_BLOB_MAX);
    if (call->has_device)
        store_get_blob(call->eim->db, call->device.eid, DEVICE_EUICC_CERT, &der);
    *ret_open = der.n == 0;
    if (der.n > 0 && cert_parse(call->eim->crypto, wr_view(&der), &euicc, &why) == 0)
        why = ecdsa_verify(call->eim->crypto, cert_key(euicc), &n->signed_part, 1, n->signature)
                  ? NULL
                  : "the signature does not verify";
    cert_free(&euicc);
    wr_done(&der);
    return why;
}

static const char *verify_other(struct eim_call *call, const struct rsp_notification *n)
{
    struct eim *eim = call->eim;
    struct cert *euicc = NULL;
    const char *why =
        eim_check_chain(eim->crypto, eim->identity.ci, eim->identity.n_ci, n->eum_cert,
                        n->euicc_cert, call->has_device ? call->device.eid : "", &euicc);

    if (why == NULL &&
        !ecdsa_verify(eim->crypto, cert_key(euicc), &n->signed_part, 1, n->signature))
        why = "the signature does not verify";
    cert_free(&euicc);
    return why;
}

static void tell(const struct rsp_notification *n, const char *why, cJSON *out)
{
    char iccid[ICCID_TEXT_LEN];

    cJSON_AddStringToObject(out, "notification",
                            n->is_installation_result ? "profileInstallationResult"
                                                      : "otherSignedNotification");
    cJSON_AddStringToObject(out, "operation", event_name(n->events));
    cJSON_AddNumberToObject(out, "notificationSeqNumber", (double)n->seq_number);
    cJSON_AddStringToObject(out, "notificationAddress", n->address);
    if (n->has_iccid)
        cJSON_AddStringToObject(out, "iccid", iccid_text(rd_of(n->iccid, ICCID_LEN), iccid));
    if (n->is_installation_result) {
        cJSON_AddBoolToObject(out, "success", n->success);
        json_hex(out, "transactionId", rd_of(n->transaction_id.b, n->transaction_id.n));
        if (!n->success) {
            cJSON_AddStringToObject(out, "bppCommandId",
                                    code_name(CODES_BPP_COMMAND, n->bpp_command_id));
            cJSON_AddStringToObject(out, "errorReason",
                                    code_name(CODES_ERROR_REASON, n->error_reason));
        }
    }
    cJSON_AddBoolToObject(out, "notificationVerified", why == NULL);
    if (why != NULL)
        cJSON_AddStringToObject(out, "notificationReason", why);
}

/* The result of a download is its installation result. */
static int keep_as_result(struct eim_call *call, int64_t work, struct rd der, const cJSON *out)
{
    char *text = cJSON_PrintUnformatted(out);
    bool known;

    if (text == NULL)
        return ERR_NOMEM;
    struct eim_record record = { call->device.eid, work, "download", der, text, -1 };
    int r = store_add_result(call->eim->db, &record, &known);
    cJSON_free(text);
    return r;
}

/* An installation result ends the download that it belongs to. */
static int finish_download(struct eim_call *call, const struct rsp_notification *n, struct rd der,
                           cJSON *out)
{
    struct db *db = call->eim->db;
    struct rd tid = rd_of(n->transaction_id.b, n->transaction_id.n);
    struct db_rows *rows =
        db_query(db,
                 "SELECT download.work FROM download JOIN work ON number = download.work"
                 " WHERE download.tid = ? AND state IN (2, 4)",
                 "b", tid);
    int64_t number = db_next(rows) ? db_int(rows, 0) : 0;

    TRY(db_rows_done(&rows));
    if (number == 0)
        return 0;
    cJSON_AddNumberToObject(out, "work", (double)number);
    TRY(keep_as_result(call, number, der, out));
    return store_finish_work(db, number, n->success ? WORK_DONE : WORK_FAILED,
                             n->success ? "" : "the installation failed");
}

/* Whose it is, when the message did not say: from the download, or from the certificate. */
static int find_owner(struct eim_call *call, const struct rsp_notification *n)
{
    char eid[EIM_EID_TEXT_LEN] = "";
    struct cert *euicc = NULL;
    const char *why;
    bool found;

    if (call->has_device)
        return 0;
    if (n->is_installation_result) {
        struct db_rows *rows = db_query(call->eim->db, "SELECT eid FROM download WHERE tid = ?",
                                        "b", rd_of(n->transaction_id.b, n->transaction_id.n));
        if (db_next(rows))
            copy_text(db_text(rows, 0), eid, sizeof eid);
        TRY(db_rows_done(&rows));
    } else if (cert_parse(call->eim->crypto, n->euicc_cert, &euicc, &why) == 0) {
        copy_text(cert_subject_serial(euicc), eid, sizeof eid);
        cert_free(&euicc);
    }
    if (eid[0] != '\0')
        return eim_use_device(call, eid, &found);
    enum eim_who who;
    return eim_find_device(call, rd_of(NULL, 0), rd_of(NULL, 0), &who);
}

static int keep(struct eim_call *call, const struct rsp_notification *n, struct rd der,
                const char *why, bool relay, const cJSON *out)
{
    char *text = cJSON_PrintUnformatted(out);
    bool known = true;
    int r = text == NULL ? ERR_NOMEM : 0;

    if (r == 0) {
        struct eim_record record = { call->device.eid, 0, "notification", der, text, why == NULL };
        r = store_add_notification(call->eim->db, &record, (uint64_t)n->seq_number, n->address,
                                   &known);
    }
    if (r == 0 && !known && !relay)
        r = db_run(call->eim->db, "UPDATE notification SET pending = 0 WHERE id = ?", "i",
                   db_last_id(call->eim->db));
    cJSON_free(text);
    return r;
}

static int take(struct eim_call *call, struct rd der, bool relay, cJSON *out)
{
    struct rsp_notification n;
    bool open = false;

    if (rsp_read_notification(der, &n) != 0) {
        cJSON_AddStringToObject(out, "notificationReason", "not a notification");
        return 0;
    }
    TRY(find_owner(call, &n));
    if (!call->has_device) {
        cJSON_AddStringToObject(out, "notificationReason", "of a device that is not known");
        return 0;
    }
    const char *why =
        n.is_installation_result ? verify_result(call, &n, &open) : verify_other(call, &n);
    tell(&n, why, out);
    /* Without a certificate at hand the SM-DP+ may still verify it. */
    bool responsible = why == NULL || open;
    TRY(keep(call, &n, der, why, relay && responsible, out));
    if (n.is_installation_result && responsible)
        TRY(finish_download(call, &n, der, out));
    if (responsible && relay && n.seq_number >= 0)
        eim_ack(call, (uint64_t)n.seq_number);
    return 0;
}

int eim_take_notification(struct eim_call *call, struct rd der, bool relay, cJSON *out)
{
    struct rd in = der;
    struct tlv t;
    struct wr whole;

    TRY(tlv_get(&in, &t));
    if (in.n != 0)
        return ERR_INPUT;
    if (t.tag != 0xA0 && t.tag != 0xA1)
        return take(call, der, relay, out);
    cJSON_AddTrueToObject(out, "compact");
    wr_init_heap(&whole, EIM_BLOB_MAX);
    int r = eim_expand_notification(call, &t, &whole);
    if (r == 0)
        r = take(call, wr_view(&whole), relay, out);
    else if (r == ERR_INPUT) {
        cJSON_AddStringToObject(out, "notificationReason", "what was left out is not known");
        r = 0;
    }
    wr_done(&whole);
    return r;
}

int eim_take_notifications(struct eim_call *call, struct rd list, cJSON *out)
{
    cJSON *array = cJSON_AddArrayToObject(out, "notifications");
    struct tlv t;

    while (tlv_get(&list, &t) == 0) {
        cJSON *one = cJSON_CreateObject();
        cJSON_AddItemToArray(array, one);
        TRY(eim_take_notification(call, t.whole, true, one));
    }
    return 0;
}

/* --- what could not be verified before ------------------------------------------------------- */

/* Takes one unverified result out again; false when there is none. */
static int take_out(struct eim_call *call, struct wr *ret, bool *ret_found)
{
    struct db *db = call->eim->db;
    struct db_rows *rows = db_query(db,
                                    "SELECT id, received FROM result WHERE eid = ? AND"
                                    " kind = 'package' AND verified = -1 LIMIT 1",
                                    "t", call->device.eid);
    int64_t id = 0;

    *ret_found = db_next(rows);
    if (*ret_found) {
        id = db_int(rows, 0);
        wr_put_rd(ret, db_blob(rows, 1));
    }
    TRY(db_rows_done(&rows));
    return *ret_found ? db_run(db, "DELETE FROM result WHERE id = ?", "i", id) : 0;
}

int eim_verify_again(struct eim_call *call)
{
    bool found = true;

    while (found) {
        struct wr der;
        wr_init_heap(&der, EIM_BLOB_MAX);
        cJSON *out = cJSON_CreateObject();
        int r = take_out(call, &der, &found);
        if (r == 0 && found)
            r = eim_take_result(call, wr_view(&der), out);
        cJSON_Delete(out);
        wr_done(&der);
        TRY(r);
    }
    return 0;
}

/* --- delivery -------------------------------------------------------------------------------- */

struct pending {
    int64_t id, tries;
    char eid[EIM_EID_TEXT_LEN], address[EIM_TEXT_LEN];
    struct wr notification;
};

static int next_pending(struct eim *eim, int64_t after, struct pending *ret, bool *ret_found)
{
    struct db_rows *rows = db_query(eim->db,
                                    "SELECT id, tries, address, received, eid FROM notification"
                                    " WHERE pending = 1 AND id > ? AND"
                                    " (tries = 0 OR at + tries * tries * 5 <= ?)"
                                    " ORDER BY id LIMIT 1",
                                    "ii", after, (int64_t)time(NULL));

    *ret_found = db_next(rows);
    if (*ret_found) {
        ret->id = db_int(rows, 0);
        ret->tries = db_int(rows, 1) + 1;
        copy_text(db_text(rows, 2), ret->address, sizeof ret->address);
        wr_clear(&ret->notification);
        wr_put_rd(&ret->notification, db_blob(rows, 3));
        copy_text(db_text(rows, 4), ret->eid, sizeof ret->eid);
    }
    return db_rows_done(&rows);
}

static void log_delivery(FILE *log, const struct pending *p, const char *why)
{
    cJSON *line = log == NULL ? NULL : cJSON_CreateObject();

    if (line == NULL)
        return;
    cJSON_AddStringToObject(line, "function", "es9+.handleNotification");
    cJSON_AddStringToObject(line, "eid", p->eid);
    cJSON_AddStringToObject(line, "notificationAddress", p->address);
    cJSON_AddBoolToObject(line, "delivered", why == NULL);
    if (why != NULL)
        cJSON_AddStringToObject(line, "reason", why);
    log_line(log, line);
    cJSON_Delete(line);
}

void eim_tick(struct eim *eim, FILE *log)
{
    struct pending p = { .id = 0 };
    bool found = true;

    eim_handover_tick(eim, log);
    wr_init_heap(&p.notification, EIM_BLOB_MAX);
    for (unsigned i = 0; i < MAX_AT_ONCE; i++) {
        struct lab_error e = { "" };
        if (next_pending(eim, p.id, &p, &found) != 0 || !found)
            break;
        bool ok = eim_relay_notification(eim, p.address, wr_view(&p.notification), &e) == 0;
        db_run(eim->db, "UPDATE notification SET pending = ?, tries = ?, at = ? WHERE id = ?",
               "iiii",
               (int64_t)(ok                    ? PENDING_DONE
                         : p.tries < MAX_TRIES ? 1
                                               : PENDING_GIVEN_UP),
               p.tries, (int64_t)time(NULL), p.id);
        log_delivery(log, &p, ok ? NULL : e.text);
    }
    wr_done(&p.notification);
}
