/* eim_store.c - what the eIM keeps. */
#include "lab/eim_store.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "os/err.h"

static const char *const schema[] = {
    "CREATE TABLE setting (key TEXT PRIMARY KEY, value BLOB NOT NULL)",
    "CREATE TABLE device (eid TEXT PRIMARY KEY, token_state INTEGER NOT NULL,"
    " token INTEGER NOT NULL, counter INTEGER NOT NULL, version INTEGER NOT NULL,"
    " observed INTEGER NOT NULL DEFAULT 0, euicc INTEGER NOT NULL DEFAULT 0,"
    " last_seen INTEGER NOT NULL DEFAULT 0, last_seq INTEGER NOT NULL DEFAULT 0,"
    " features INTEGER NOT NULL DEFAULT 0, default_smdp TEXT NOT NULL DEFAULT '',"
    " gone_to TEXT NOT NULL DEFAULT '', euicc_cert BLOB, eum_cert BLOB, info1 BLOB, info2 BLOB,"
    " device_info BLOB)",
    "CREATE TABLE work (number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " eid TEXT NOT NULL REFERENCES device, kind INTEGER NOT NULL, state INTEGER NOT NULL,"
    " purpose INTEGER NOT NULL, tid BLOB, counter INTEGER NOT NULL DEFAULT 0,"
    " token INTEGER NOT NULL DEFAULT 0, handed INTEGER NOT NULL DEFAULT 0, text TEXT NOT NULL,"
    " fault TEXT NOT NULL, why TEXT NOT NULL DEFAULT '', work_order BLOB, message BLOB,"
    " queued_at INTEGER NOT NULL, done_at INTEGER)",
    "CREATE INDEX work_open ON work (eid, state)",
    "CREATE INDEX work_tid ON work (tid)",
    "CREATE TABLE result (id INTEGER PRIMARY KEY AUTOINCREMENT, eid TEXT NOT NULL,"
    " work INTEGER REFERENCES work, kind TEXT NOT NULL, received BLOB,"
    " json TEXT NOT NULL, verified INTEGER NOT NULL, at INTEGER NOT NULL,"
    " UNIQUE (eid, received))",
    "CREATE INDEX result_work ON result (work)",
    "CREATE TABLE notification (id INTEGER PRIMARY KEY AUTOINCREMENT, eid TEXT NOT NULL,"
    " seq INTEGER NOT NULL, received BLOB NOT NULL, json TEXT NOT NULL,"
    " verified INTEGER NOT NULL, address TEXT NOT NULL, pending INTEGER NOT NULL,"
    " tries INTEGER NOT NULL DEFAULT 0, at INTEGER NOT NULL, UNIQUE (eid, received))",
    "CREATE INDEX notification_pending ON notification (pending)",
    "CREATE TABLE download (tid BLOB PRIMARY KEY, eid TEXT NOT NULL, work INTEGER,"
    " address TEXT NOT NULL, challenge BLOB, server_signed1 BLOB, auth_oid BLOB, metadata BLOB,"
    " smdp_signed2 BLOB, smdp_signature2 BLOB, pb_oid BLOB, hash_cc BLOB, at INTEGER NOT NULL)",
    "CREATE TABLE handover (id INTEGER PRIMARY KEY AUTOINCREMENT, eid TEXT NOT NULL,"
    " other TEXT NOT NULL, work INTEGER NOT NULL, step INTEGER NOT NULL,"
    " token INTEGER NOT NULL DEFAULT 0, why TEXT NOT NULL DEFAULT '')",
};

static const struct {
    enum sgp32_version version;
    const char *name;
} versions[] = {
    { SGP32_UNKNOWN, "auto" }, { SGP32_V1_0, "1.0.1" }, { SGP32_V1_0, "1.0" },
    { SGP32_V1_2, "1.2" },     { SGP32_V1_2, "1.1" },   { SGP32_V1_3, "1.3" },
};

const char *sgp32_version_name(enum sgp32_version version)
{
    for (size_t i = 0; i < N_ELEMS(versions); i++)
        if (versions[i].version == version)
            return versions[i].name;
    return "unknown";
}

bool sgp32_version_read(const char *name, enum sgp32_version *ret)
{
    for (size_t i = 0; i < N_ELEMS(versions); i++) {
        if (strcmp(versions[i].name, name) == 0) {
            *ret = versions[i].version;
            return true;
        }
    }
    return false;
}

bool eim_eid_read(const char *digits, uint8_t ret[EIM_EID_LEN])
{
    struct wr eid;

    wr_init(&eid, ret, EIM_EID_LEN);
    return strlen(digits) == EIM_EID_TEXT_LEN - 1 &&
           strspn(digits, "0123456789") == EIM_EID_TEXT_LEN - 1 && hex_read(digits, &eid);
}

const char *work_kind_name(enum work_kind kind)
{
    return kind == WORK_PACKAGE ? "package" : kind == WORK_DOWNLOAD ? "download" : "data";
}

const char *work_state_name(enum work_state state)
{
    static const char *const names[] = { "?", "queued", "out", "done", "failed" };

    return (size_t)state < N_ELEMS(names) ? names[state] : "?";
}

static int64_t now(void)
{
    return (int64_t)time(NULL);
}

int store_create(const char *path, struct db **ret, struct lab_error *e)
{
    struct db *db = NULL;
    int r = 0;

    TRY(db_open(path, true, &db, e));
    for (size_t i = 0; r == 0 && i < N_ELEMS(schema); i++)
        r = db_run(db, schema[i], "");
    if (r != 0) {
        lab_fail(e, "%s: %s", path, db_reason(db));
        db_close(&db);
        return ERR_INPUT;
    }
    *ret = db;
    return 0;
}

int store_open(const char *path, struct db **ret, struct lab_error *e)
{
    return db_open(path, false, ret, e);
}

int store_put(struct db *db, const char *key, struct rd value)
{
    struct rd some = value.p != NULL ? value : rd_str("");

    return db_run(db, "INSERT OR REPLACE INTO setting VALUES (?, ?)", "tb", key, some);
}

/* The first column of the first row is octets. */
static int take_blob(struct db_rows *rows, struct wr *ret, bool *ret_found)
{
    *ret_found = db_next(rows) && !db_is_null(rows, 0);
    if (*ret_found)
        wr_put_rd(ret, db_blob(rows, 0));
    TRY(db_rows_done(&rows));
    return wr_failed(ret);
}

int store_get(struct db *db, const char *key, struct wr *ret)
{
    bool found = false;

    TRY(take_blob(db_query(db, "SELECT value FROM setting WHERE key = ?", "t", key), ret, &found));
    return found ? 0 : ERR_INPUT;
}

/* --- devices --------------------------------------------------------------------------------- */

int store_put_device(struct db *db, const struct eim_device *d)
{
    return db_run(db,
                  "INSERT INTO device (eid, token_state, token, counter, version)"
                  " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (eid) DO UPDATE SET"
                  " token_state = ?2, token = ?3, counter = ?4, version = ?5, gone_to = ''",
                  "tiiii", d->eid, (int64_t)d->token_state, (int64_t)d->token, (int64_t)d->counter,
                  (int64_t)d->version);
}

static void read_device(struct db_rows *rows, struct eim_device *d)
{
    copy_text(db_text(rows, 0), d->eid, sizeof d->eid);
    d->token_state = (enum token_state)db_int(rows, 1);
    d->token = (uint64_t)db_int(rows, 2);
    d->counter = (uint64_t)db_int(rows, 3);
    d->version = (enum sgp32_version)db_int(rows, 4);
    d->observed = (enum sgp32_version)db_int(rows, 5);
    d->euicc = (enum sgp32_version)db_int(rows, 6);
    d->last_seen = db_int(rows, 7);
    d->last_seq = (uint64_t)db_int(rows, 8);
    d->features = (uint32_t)db_int(rows, 9);
    copy_text(db_text(rows, 10), d->default_smdp, sizeof d->default_smdp);
    copy_text(db_text(rows, 11), d->gone_to, sizeof d->gone_to);
    d->has_certificate = db_int(rows, 12) != 0;
}

int store_get_device(struct db *db, const char *eid, struct eim_device *ret, bool *ret_found)
{
    struct db_rows *rows =
        db_query(db,
                 "SELECT eid, token_state, token, counter, version, observed, euicc, last_seen,"
                 " last_seq, features, default_smdp, gone_to, euicc_cert IS NOT NULL"
                 " FROM device WHERE eid = ?",
                 "t", eid);

    *ret = (struct eim_device){ .eid = "" };
    *ret_found = db_next(rows);
    if (*ret_found)
        read_device(rows, ret);
    return db_rows_done(&rows);
}

int store_update_device(struct db *db, const struct eim_device *d)
{
    return db_run(db,
                  "UPDATE device SET token_state = ?2, token = ?3, counter = ?4, version = ?5,"
                  " observed = ?6, euicc = ?7, last_seen = ?8, last_seq = ?9, features = ?10,"
                  " default_smdp = ?11, gone_to = ?12 WHERE eid = ?1",
                  "tiiiiiiiiitt", d->eid, (int64_t)d->token_state, (int64_t)d->token,
                  (int64_t)d->counter, (int64_t)d->version, (int64_t)d->observed, (int64_t)d->euicc,
                  d->last_seen, (int64_t)d->last_seq, (int64_t)d->features, d->default_smdp,
                  d->gone_to);
}

/* Column names are constants of this program. */
static int put_column(struct db *db, const char *table, const char *key_name, const char *column,
                      const char *types, const char *key, int64_t number, struct rd value)
{
    char sql[128];

    snprintf(sql, sizeof sql, "UPDATE %s SET %s = ? WHERE %s = ?", table, column, key_name);
    return key != NULL ? db_run(db, sql, types, value, key) : db_run(db, sql, types, value, number);
}

int store_put_blob(struct db *db, const char *eid, const char *column, struct rd value)
{
    return put_column(db, "device", "eid", column, "bt", eid, 0, value);
}

int store_get_blob(struct db *db, const char *eid, const char *column, struct wr *ret)
{
    char sql[128];
    bool found;

    snprintf(sql, sizeof sql, "SELECT %s FROM device WHERE eid = ?", column);
    return take_blob(db_query(db, sql, "t", eid), ret, &found);
}

/* --- work ------------------------------------------------------------------------------------ */

int store_add_work(struct db *db, const char *eid, const struct eim_order *order,
                   int64_t *ret_number)
{
    TRY(db_run(db,
               "INSERT INTO work (eid, kind, state, purpose, text, fault, work_order, queued_at)"
               " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
               "tiiittbi", eid, (int64_t)order->kind, (int64_t)WORK_QUEUED, (int64_t)order->purpose,
               order->text, order->fault, order->order, now()));
    *ret_number = db_last_id(db);
    return 0;
}

#define WORK_COLUMNS                                                                               \
    "SELECT number, eid, kind, state, purpose, tid, counter, token, handed FROM work "

static int take_work(struct db_rows *rows, struct eim_work *w, bool *ret_found)
{
    *w = (struct eim_work){ .number = 0 };
    *ret_found = db_next(rows);
    if (*ret_found) {
        struct rd tid = db_blob(rows, 5);
        w->number = db_int(rows, 0);
        copy_text(db_text(rows, 1), w->eid, sizeof w->eid);
        w->kind = (enum work_kind)db_int(rows, 2);
        w->state = (enum work_state)db_int(rows, 3);
        w->purpose = (enum work_purpose)db_int(rows, 4);
        if (tid.n > 0 && tid.n <= TRANSACTION_ID_MAX) {
            w->transaction_id.n = tid.n;
            memcpy(w->transaction_id.b, tid.p, tid.n);
        }
        w->counter = (uint64_t)db_int(rows, 6);
        w->token = (uint64_t)db_int(rows, 7);
        w->handed = (unsigned)db_int(rows, 8);
    }
    return db_rows_done(&rows);
}

int store_get_work(struct db *db, int64_t number, struct eim_work *ret, bool *ret_found)
{
    return take_work(db_query(db, WORK_COLUMNS "WHERE number = ?", "i", number), ret, ret_found);
}

int store_next_work(struct db *db, const char *eid, struct eim_work *ret, bool *ret_found)
{
    return take_work(db_query(db,
                              WORK_COLUMNS "WHERE eid = ? AND state IN (?, ?) ORDER BY"
                                           " purpose <> ?, state DESC, number LIMIT 1",
                              "tiii", eid, (int64_t)WORK_QUEUED, (int64_t)WORK_OUT,
                              (int64_t)FOR_LEARNING),
                     ret, ret_found);
}

int store_find_work(struct db *db, struct rd transaction_id, struct eim_work *ret, bool *ret_found)
{
    return take_work(db_query(db, WORK_COLUMNS "WHERE tid = ?", "b", transaction_id), ret,
                     ret_found);
}

int store_find_package(struct db *db, const char *eid, uint64_t counter, struct eim_work *ret,
                       bool *ret_found)
{
    return take_work(db_query(db,
                              WORK_COLUMNS "WHERE eid = ? AND kind = ? AND counter = ? AND"
                                           " handed > 0 ORDER BY number DESC LIMIT 1",
                              "tii", eid, (int64_t)WORK_PACKAGE, (int64_t)counter),
                     ret, ret_found);
}

int store_find_only(struct db *db, const char *eid, enum work_kind kind, struct eim_work *ret,
                    bool *ret_found)
{
    struct eim_work other;
    bool several = false;

    TRY(take_work(db_query(db,
                           WORK_COLUMNS "WHERE (eid = ?1 OR ?1 = '') AND kind = ? AND state = ?"
                                        " ORDER BY number LIMIT 1",
                           "tii", eid, (int64_t)kind, (int64_t)WORK_OUT),
                  ret, ret_found));
    TRY(take_work(db_query(db,
                           WORK_COLUMNS "WHERE (eid = ?1 OR ?1 = '') AND kind = ? AND state = ?"
                                        " ORDER BY number LIMIT 1 OFFSET 1",
                           "tii", eid, (int64_t)kind, (int64_t)WORK_OUT),
                  &other, &several));
    *ret_found = *ret_found && !several;
    return 0;
}

int store_update_work(struct db *db, const struct eim_work *w)
{
    struct rd tid =
        rd_of(w->transaction_id.n > 0 ? w->transaction_id.b : NULL, w->transaction_id.n);

    return db_run(db,
                  "UPDATE work SET state = ?, tid = ?, counter = ?, token = ?, handed = ?"
                  " WHERE number = ?",
                  "ibiiii", (int64_t)w->state, tid, (int64_t)w->counter, (int64_t)w->token,
                  (int64_t)w->handed, w->number);
}

int store_finish_work(struct db *db, int64_t number, enum work_state state, const char *why)
{
    /* The first failure is the one to tell; a result that comes late may still mend it. */
    return db_run(db,
                  "UPDATE work SET state = ?1, why = ?2, done_at = ?3 WHERE number = ?4"
                  " AND (state <> ?5 OR ?1 = ?6)",
                  "itiiii", (int64_t)state, why, now(), number, (int64_t)WORK_FAILED,
                  (int64_t)WORK_DONE);
}

int store_put_work_blob(struct db *db, int64_t number, const char *column, struct rd value)
{
    return put_column(db, "work", "number", column, "bi", NULL, number, value);
}

int store_get_work_blob(struct db *db, int64_t number, const char *column, struct wr *ret)
{
    char sql[128];
    bool found;

    snprintf(sql, sizeof sql, "SELECT %s FROM work WHERE number = ?", column);
    return take_blob(db_query(db, sql, "i", number), ret, &found);
}

int store_count_work(struct db *db, const char *eid, enum work_purpose purpose, bool open_only,
                     int64_t *ret)
{
    struct db_rows *rows = db_query(db,
                                    "SELECT count(*) FROM work WHERE eid = ? AND purpose = ? AND"
                                    " (? = 0 OR state IN (?, ?))",
                                    "tiiii", eid, (int64_t)purpose, (int64_t)open_only,
                                    (int64_t)WORK_QUEUED, (int64_t)WORK_OUT);

    if (db_next(rows))
        *ret = db_int(rows, 0);
    return db_rows_done(&rows);
}

/* --- results and notifications --------------------------------------------------------------- */

int store_add_result(struct db *db, const struct eim_record *r, bool *ret_known)
{
    TRY(db_run(db,
               "INSERT OR IGNORE INTO result (eid, work, kind, received, json, verified, at)"
               " VALUES (?, NULLIF(?, 0), ?, ?, ?, ?, ?)",
               "titbtii", r->eid, r->work, r->kind, r->received, r->json, (int64_t)r->verified,
               now()));
    *ret_known = db_changes(db) == 0;
    return 0;
}

int store_add_notification(struct db *db, const struct eim_record *r, uint64_t seq,
                           const char *address, bool *ret_known)
{
    TRY(db_run(db,
               "INSERT OR IGNORE INTO notification"
               " (eid, seq, received, json, verified, address, pending, at)"
               " VALUES (?, ?, ?, ?, ?, ?, 1, ?)",
               "tibtiti", r->eid, (int64_t)seq, r->received, r->json, (int64_t)r->verified, address,
               now()));
    *ret_known = db_changes(db) == 0;
    return 0;
}
