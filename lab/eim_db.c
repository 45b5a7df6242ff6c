/* eim_db.c - a door to SQLite for the eIM. */
#include "lab/eim_db.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/err.h"

enum {
    APPLICATION_ID = 0x6545494D, /* "eEIM" */
    LAYOUT_VERSION = 1,
    BUSY_MS = 20000,
};

struct db {
    sqlite3 *handle;
    unsigned depth; /* of open transactions */
    bool spoilt;    /* an inner transaction failed: the outer one is taken back */
};

struct db_rows {
    sqlite3_stmt *statement;
    bool failed;
};

const char *db_reason(const struct db *db)
{
    return sqlite3_errmsg(db->handle);
}

static int exec(struct db *db, const char *sql)
{
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : ERR_NVM;
}

static int64_t pragma(struct db *db, const char *sql)
{
    struct db_rows *rows = db_query(db, sql, "");
    int64_t v = db_next(rows) ? db_int(rows, 0) : -1;

    return db_rows_done(&rows) == 0 ? v : -1;
}

static int set_up(struct db *db, bool create)
{
    TRY(exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON"));
    if (!create)
        return 0;
    TRY(exec(db, "PRAGMA application_id=1699039565"));
    return exec(db, "PRAGMA user_version=1");
}

/* The file of a new database is made here, readable for its owner alone: it holds keys. */
static int make_file(const char *path, struct lab_error *e)
{
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

    if (fd < 0)
        return lab_fail(e, "%s: %s", path, strerror(errno));
    close(fd);
    return 0;
}

int db_open(const char *path, bool create, struct db **ret, struct lab_error *e)
{
    if (create)
        TRY(make_file(path, e));
    struct db *db = calloc(1, sizeof *db);
    if (db == NULL)
        return lab_fail(e, "out of memory");
    if (sqlite3_open_v2(path, &db->handle, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) {
        lab_fail(e, "%s: %s", path, db->handle != NULL ? db_reason(db) : "out of memory");
        db_close(&db);
        return ERR_INPUT;
    }
    sqlite3_busy_timeout(db->handle, BUSY_MS);
    if (!create && (pragma(db, "PRAGMA application_id") != APPLICATION_ID ||
                    pragma(db, "PRAGMA user_version") != LAYOUT_VERSION)) {
        lab_fail(e, "%s is not an eIM's file of this version", path);
        db_close(&db);
        return ERR_INPUT;
    }
    if (set_up(db, create) != 0) {
        lab_fail(e, "%s: %s", path, db_reason(db));
        db_close(&db);
        return ERR_INPUT;
    }
    *ret = db;
    return 0;
}

void db_close(struct db **db)
{
    if (*db == NULL)
        return;
    sqlite3_close((*db)->handle);
    free(*db);
    *db = NULL;
}

int db_begin(struct db *db)
{
    if (db->depth == 0) {
        db->spoilt = false;
        TRY(exec(db, "BEGIN IMMEDIATE"));
    }
    db->depth++;
    return 0;
}

int db_end(struct db *db, int r)
{
    if (r != 0)
        db->spoilt = true;
    if (--db->depth > 0)
        return r;
    if (db->spoilt) {
        exec(db, "ROLLBACK");
        return r != 0 ? r : ERR_NVM;
    }
    if (exec(db, "COMMIT") == 0)
        return 0;
    exec(db, "ROLLBACK");
    return ERR_NVM;
}

static int bind_blob(sqlite3_stmt *s, int at, struct rd v)
{
    if (v.p == NULL)
        return sqlite3_bind_null(s, at);
    return sqlite3_bind_blob(s, at, v.p, (int)v.n, SQLITE_TRANSIENT);
}

static int bind_values(sqlite3_stmt *s, const char *types, va_list values)
{
    for (int at = 1; *types != '\0'; types++, at++) {
        int rc = *types == 'i' ? sqlite3_bind_int64(s, at, va_arg(values, int64_t))
                 : *types == 't'
                     ? sqlite3_bind_text(s, at, va_arg(values, const char *), -1, SQLITE_TRANSIENT)
                     : bind_blob(s, at, va_arg(values, struct rd));
        if (rc != SQLITE_OK)
            return ERR_NVM;
    }
    return 0;
}

int db_run(struct db *db, const char *sql, const char *types, ...)
{
    sqlite3_stmt *s = NULL;
    va_list values;
    int r = sqlite3_prepare_v2(db->handle, sql, -1, &s, NULL) == SQLITE_OK ? 0 : ERR_NVM;

    va_start(values, types);
    if (r == 0)
        r = bind_values(s, types, values);
    va_end(values);
    if (r == 0 && sqlite3_step(s) != SQLITE_DONE)
        r = ERR_NVM;
    sqlite3_finalize(s);
    return r;
}

int64_t db_last_id(const struct db *db)
{
    return sqlite3_last_insert_rowid(db->handle);
}

int db_changes(const struct db *db)
{
    return sqlite3_changes(db->handle);
}

static const struct db_rows no_memory = { NULL, true };

struct db_rows *db_query(struct db *db, const char *sql, const char *types, ...)
{
    struct db_rows *rows = calloc(1, sizeof *rows);
    va_list values;

    if (rows == NULL)
        return (struct db_rows *)(uintptr_t)&no_memory;
    va_start(values, types);
    rows->failed = sqlite3_prepare_v2(db->handle, sql, -1, &rows->statement, NULL) != SQLITE_OK ||
                   bind_values(rows->statement, types, values) != 0;
    va_end(values);
    return rows;
}

bool db_next(struct db_rows *rows)
{
    if (rows->failed)
        return false;
    int rc = sqlite3_step(rows->statement);
    rows->failed = rc != SQLITE_ROW && rc != SQLITE_DONE;
    return rc == SQLITE_ROW;
}

int db_rows_done(struct db_rows **rows)
{
    int r = (*rows)->failed ? ERR_NVM : 0;

    sqlite3_finalize((*rows)->statement);
    if (*rows != &no_memory)
        free(*rows);
    *rows = NULL;
    return r;
}

bool db_is_null(struct db_rows *rows, int column)
{
    return sqlite3_column_type(rows->statement, column) == SQLITE_NULL;
}

int64_t db_int(struct db_rows *rows, int column)
{
    return sqlite3_column_int64(rows->statement, column);
}

const char *db_text(struct db_rows *rows, int column)
{
    const unsigned char *text = sqlite3_column_text(rows->statement, column);

    return text != NULL ? (const char *)text : "";
}

struct rd db_blob(struct db_rows *rows, int column)
{
    const void *p = sqlite3_column_blob(rows->statement, column);

    return rd_of(p, p == NULL ? 0 : (size_t)sqlite3_column_bytes(rows->statement, column));
}
