/* eim_db.h - a door to SQLite for the eIM: statements with values, rows, transactions.
 *
 * Several processes may hold the same file: one serves while others queue work.  Writers take the
 * lock at the start of their transaction and wait for it. */
#ifndef LAB_EIM_DB_H
#define LAB_EIM_DB_H

#include "lab/util.h"

struct db;
struct db_rows;

/* Opens a file of ours; create: it must not exist yet. */
int db_open(const char *path, bool create, struct db **ret, struct lab_error *e);
void db_close(struct db **db);

/* What went wrong last, for people. */
const char *db_reason(const struct db *db);

/* Transactions nest; only the outermost counts.  db_end(db, r) commits when r is 0, else it takes
 * everything back; it returns r, or ERR_NVM when the commit fails. */
int db_begin(struct db *db);
int db_end(struct db *db, int r);

/* types has a letter a value: i (int64_t), t (const char *, NULL for none), b (struct rd, p NULL
 * for none).  0 or ERR_NVM. */
int db_run(struct db *db, const char *sql, const char *types, ...);
int64_t db_last_id(const struct db *db);
int db_changes(const struct db *db);

/* Rows: NULL is never returned; a failed query shows in the first db_next(). */
struct db_rows *db_query(struct db *db, const char *sql, const char *types, ...);

/* Whether there is a row.  After false, db_rows_done() tells whether it was the end. */
bool db_next(struct db_rows *rows);

/* Frees the rows: 0, or ERR_NVM. */
int db_rows_done(struct db_rows **rows);

/* Columns, from 0; views live until the next call on rows. */
bool db_is_null(struct db_rows *rows, int column);
int64_t db_int(struct db_rows *rows, int column);
const char *db_text(struct db_rows *rows, int column); /* "" for none */
struct rd db_blob(struct db_rows *rows, int column);

#endif
