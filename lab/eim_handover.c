/* eim_handover.c - a device goes from this eIM to another, without anybody touching it: this one
 * adds the other to the eUICC; when the eUICC's signed result brings the other's association
 * token, the device is registered there, and there the removal of this one is queued (SGP.32
 * 8.6).
 *
 * The two eIMs are two files, so that the step between them is made so that it can be made again:
 * it is marked as done here only after it is kept there. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/eim.h"
#include "lab/eim_package.h"
#include "lab/log.h"
#include "os/err.h"
#include "os/tlv.h"

enum step { STEP_ADDING, STEP_ADDED, STEP_DONE, STEP_FAILED };

enum { ORDER_MAX = 8192, HANDOVER_TEXT_LEN = EIM_ID_MAX + 32 };

/* ecoList with addEim of the other. */
static int write_add_eim(struct crypto *c, const struct eim_identity *other, struct wr *ret)
{
    struct wr_mark list = tlv_open(ret, EIM_ECO_LIST);
    struct wr_mark add = tlv_open(ret, 0xA8);

    TRY(eim_config_fields(c, other, ret));
    tlv_close(ret, add);
    tlv_close(ret, list);
    return wr_failed(ret);
}

static int queue_adding(struct eim *eim, const char *eid, const char *path,
                        const struct eim_identity *other, int64_t *ret_number)
{
    char text[HANDOVER_TEXT_LEN];
    struct wr order;

    snprintf(text, sizeof text, "add-eim %s (handover)", other->id);
    wr_init_heap(&order, ORDER_MAX);
    int r = write_add_eim(eim->crypto, other, &order);
    struct eim_order o = { WORK_PACKAGE, FOR_HANDOVER, wr_view(&order), text, "" };
    if (r == 0)
        r = store_add_work(eim->db, eid, &o, ret_number);
    if (r == 0)
        r = db_run(eim->db, "INSERT INTO handover (eid, other, work, step) VALUES (?, ?, ?, ?)",
                   "ttii", eid, path, *ret_number, (int64_t)STEP_ADDING);
    wr_done(&order);
    return r;
}

int eim_handover_start(struct eim *eim, const char *eid, const char *other_path,
                       int64_t *ret_number, struct lab_error *e)
{
    char path[PATH_MAX];
    struct eim_device device;
    struct eim_identity other;
    struct db *db = NULL;
    bool found = false;

    if (realpath(other_path, path) == NULL)
        return lab_fail(e, "%s: no such file", other_path);
    if (store_get_device(eim->db, eid, &device, &found) != 0 || !found)
        return lab_fail(e, "no device %s", eid);
    TRY(store_open(path, &db, e));
    int r = eim_identity_load(eim->crypto, db, &other, e);
    if (r == 0) {
        if (strcmp(other.id, eim->identity.id) == 0)
            r = lab_fail(e, "%s is this eIM itself", other_path);
        else if (db_begin(eim->db) != 0 ||
                 db_end(eim->db, queue_adding(eim, eid, path, &other, ret_number)) != 0)
            r = lab_fail(e, "cannot queue it: %s", db_reason(eim->db));
        eim_identity_done(&other);
    }
    db_close(&db);
    return r;
}

int eim_handover_result(struct eim_call *call, const struct eim_work *work,
                        const struct eim_result *result, bool verified)
{
    uint64_t token = 0;
    bool ok = verified && eim_result_added(result, &token);

    return db_run(call->eim->db, "UPDATE handover SET step = ?, token = ?, why = ? WHERE work = ?",
                  "iiti", (int64_t)(ok ? STEP_ADDED : STEP_FAILED), (int64_t)token,
                  ok         ? ""
                  : verified ? "the eUICC did not add the other eIM"
                             : "the result does not verify",
                  work->number);
}

/* --- the step to the other eIM --------------------------------------------------------------- */

struct handover {
    int64_t id;
    uint64_t token;
    char eid[EIM_EID_TEXT_LEN], path[PATH_MAX];
};

static int next_handover(struct eim *eim, struct handover *ret, bool *ret_found)
{
    struct db_rows *rows = db_query(
        eim->db, "SELECT id, token, eid, other FROM handover WHERE step = ? ORDER BY id LIMIT 1",
        "i", (int64_t)STEP_ADDED);

    *ret_found = db_next(rows);
    if (*ret_found) {
        ret->id = db_int(rows, 0);
        ret->token = (uint64_t)db_int(rows, 1);
        copy_text(db_text(rows, 2), ret->eid, sizeof ret->eid);
        copy_text(db_text(rows, 3), ret->path, sizeof ret->path);
    }
    return db_rows_done(&rows);
}

static const char *const copied[] = { DEVICE_EUICC_CERT, DEVICE_EUM_CERT, DEVICE_INFO1,
                                      DEVICE_INFO2, DEVICE_DEVICE_INFO };

static int copy_octets(struct eim *eim, struct db *other, const char *eid)
{
    for (size_t i = 0; i < N_ELEMS(copied); i++) {
        struct wr v;
        wr_init_heap(&v, EIM_BLOB_MAX);
        int r = store_get_blob(eim->db, eid, copied[i], &v);
        if (r == 0 && v.n > 0)
            r = store_put_blob(other, eid, copied[i], wr_view(&v));
        wr_done(&v);
        TRY(r);
    }
    return 0;
}

static int queue_removal(struct db *other, const char *eid, const char *eim_id)
{
    char text[HANDOVER_TEXT_LEN];
    uint8_t room[EIM_ID_MAX + 16];
    struct wr order;
    int64_t number;

    snprintf(text, sizeof text, "delete-eim %s (handover)", eim_id);
    wr_init(&order, room, sizeof room);
    struct wr_mark list = tlv_open(&order, EIM_ECO_LIST);
    struct wr_mark del = tlv_open(&order, 0xA9);
    tlv_put_str(&order, 0x80, eim_id);
    tlv_close(&order, del);
    tlv_close(&order, list);
    TRY(wr_failed(&order));
    struct eim_order o = { WORK_PACKAGE, FOR_USER, wr_view(&order), text, "" };
    return store_add_work(other, eid, &o, &number);
}

static int register_there(struct eim *eim, struct db *other, const struct eim_identity *identity,
                          const struct handover *h)
{
    struct eim_device d, there;
    bool found;

    TRY(store_get_device(other, h->eid, &there, &found));
    if (found && there.token_state != TOKEN_UNKNOWN && there.token == h->token &&
        there.gone_to[0] == '\0')
        return 0; /* this step was made before */
    TRY(store_get_device(eim->db, h->eid, &d, &found));
    d.token_state = identity->token ? TOKEN_KNOWN : TOKEN_NONE;
    d.token = h->token;
    d.counter = identity->counter;
    d.last_seen = 0;
    d.gone_to[0] = '\0';
    TRY(store_put_device(other, &d));
    TRY(store_update_device(other, &d));
    TRY(copy_octets(eim, other, h->eid));
    return queue_removal(other, h->eid, eim->identity.id);
}

static int mark_here(struct eim *eim, const struct handover *h, const char *other_id)
{
    TRY(db_run(eim->db, "UPDATE device SET gone_to = ? WHERE eid = ?", "tt", other_id, h->eid));
    return db_run(eim->db, "UPDATE handover SET step = ? WHERE id = ?", "ii", (int64_t)STEP_DONE,
                  h->id);
}

static int pass_on(struct eim *eim, const struct handover *h, char ret_id[EIM_ID_MAX + 1],
                   struct lab_error *e)
{
    struct eim_identity other;
    struct db *db = NULL;

    TRY(store_open(h->path, &db, e));
    int r = eim_identity_load(eim->crypto, db, &other, e);
    if (r == 0) {
        r = db_begin(db);
        if (r == 0)
            r = db_end(db, register_there(eim, db, &other, h));
        if (r != 0)
            lab_fail(e, "%.200s: %s", h->path, db_reason(db));
        memcpy(ret_id, other.id, EIM_ID_MAX + 1);
        eim_identity_done(&other);
    }
    db_close(&db);
    return r;
}

static void log_handover(FILE *log, const struct handover *h, const char *other_id)
{
    cJSON *line = log == NULL ? NULL : cJSON_CreateObject();

    if (line == NULL)
        return;
    cJSON_AddStringToObject(line, "function", "handover");
    cJSON_AddStringToObject(line, "eid", h->eid);
    cJSON_AddStringToObject(line, "to", other_id);
    log_line(log, line);
    cJSON_Delete(line);
}

void eim_handover_tick(struct eim *eim, FILE *log)
{
    struct handover h;
    struct lab_error e = { "" };
    char other_id[EIM_ID_MAX + 1];
    bool found = true;

    while (next_handover(eim, &h, &found) == 0 && found) {
        if (pass_on(eim, &h, other_id, &e) != 0) {
            db_run(eim->db, "UPDATE handover SET why = ? WHERE id = ?", "ti", e.text, h.id);
            break; /* again at the next tick */
        }
        if (db_begin(eim->db) != 0 || db_end(eim->db, mark_here(eim, &h, other_id)) != 0)
            break;
        log_handover(log, &h, other_id);
    }
}
