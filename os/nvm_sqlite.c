/* nvm_sqlite.c - a store in a file: one SQLite database a card (docs/STATE.md).
 *
 * A foreign, damaged or newer file is recognised before SQLite is let near it, so that it is left
 * as it is.  One process serves a card: flock() on a descriptor that is held until after the
 * database is closed, because closing any descriptor of the file drops SQLite's own locks. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "os/err.h"
#include "os/nvm.h"

enum {
    APPLICATION_ID = 0x65554343, /* "eUCC" */
    HEADER_LEN = 100,            /* SQLite file format 1.3 */
    HEADER_USER_VERSION = 60,
    HEADER_APPLICATION_ID = 68,
    BUSY_MS = 2000, /* a reader beside us may hold a lock for a moment */
    SHOWN_MAX = 110,
};

enum statement { GET, PUT, DEL, NEXT, BEGIN, COMMIT, ROLLBACK, N_STATEMENTS };

struct file {
    const struct trace *trace;
    sqlite3 *db;
    sqlite3_stmt *statements[N_STATEMENTS];
    int lock; /* descriptor that holds the lock, or -1 */
};

static int fault(const struct file *f, const char *what)
{
    return FAULT(f->trace, ERR_NVM, "%s: %s", what, sqlite3_errmsg(f->db));
}

/* Runs a statement that gives no rows. */
static int run(struct file *f, enum statement which, const char *what)
{
    sqlite3_stmt *s = f->statements[which];
    int rc = sqlite3_step(s);

    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return rc == SQLITE_DONE ? 0 : fault(f, what);
}

/* What the statement's first column holds of n octets from offset. */
static void put_part(sqlite3_stmt *s, size_t offset, size_t n, struct wr *ret)
{
    const uint8_t *p = sqlite3_column_blob(s, 0);
    size_t size = (size_t)sqlite3_column_bytes(s, 0);

    if (offset < size)
        wr_put(ret, p + offset, n < size - offset ? n : size - offset);
}

static int file_get(void *be, const char *key, size_t offset, size_t n, struct wr *ret,
                    bool *ret_found)
{
    struct file *f = be;
    sqlite3_stmt *s = f->statements[GET];
    int err = 0;

    sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        put_part(s, offset, n, ret);
    else if (rc != SQLITE_DONE)
        err = fault(f, "reading");
    sqlite3_reset(s);
    if (err == 0)
        *ret_found = rc == SQLITE_ROW;
    return err;
}

static int file_put(void *be, const char *key, struct rd value)
{
    struct file *f = be;

    sqlite3_bind_text(f->statements[PUT], 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_blob(f->statements[PUT], 2, value.n > 0 ? (const void *)value.p : "", (int)value.n,
                      SQLITE_STATIC);
    return run(f, PUT, "writing");
}

static int file_del(void *be, const char *key)
{
    struct file *f = be;

    sqlite3_bind_text(f->statements[DEL], 1, key, -1, SQLITE_STATIC);
    return run(f, DEL, "deleting");
}

/* A key as we write them, behind another.  In a damaged file it may be too long, hold a zero or be
 * no text, and a walk over the keys would not end. */
static bool take_key(sqlite3_stmt *s, const char *after, char ret[NVM_KEY_MAX])
{
    char key[NVM_KEY_MAX];
    const void *text = sqlite3_column_text(s, 0);
    size_t n = (size_t)sqlite3_column_bytes(s, 0);

    if (text == NULL || n >= sizeof key)
        return false;
    memcpy(key, text, n);
    key[n] = '\0';
    if (strlen(key) != n || strcmp(key, after) <= 0)
        return false;
    memcpy(ret, key, n + 1);
    return true;
}

static int file_next(void *be, const char *after, char ret[NVM_KEY_MAX], bool *ret_found)
{
    struct file *f = be;
    sqlite3_stmt *s = f->statements[NEXT];
    int err = 0;

    sqlite3_bind_text(s, 1, after, -1, SQLITE_STATIC);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW && !take_key(s, after, ret))
        err = FAULT(f->trace, ERR_NVM, "the key behind '%s' is damaged", after);
    else if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        err = fault(f, "listing");
    sqlite3_reset(s);
    if (err == 0)
        *ret_found = rc == SQLITE_ROW;
    return err;
}

static int file_begin(void *be)
{
    return run(be, BEGIN, "begin");
}

static int file_commit(void *be)
{
    return run(be, COMMIT, "commit");
}

static int file_abort(void *be)
{
    struct file *f = be;

    return sqlite3_get_autocommit(f->db) ? 0 : run(f, ROLLBACK, "rollback");
}

static void file_close(void *be)
{
    struct file *f = be;

    for (int i = 0; i < N_STATEMENTS; i++)
        sqlite3_finalize(f->statements[i]);
    sqlite3_close(f->db);
    if (f->lock >= 0)
        close(f->lock);
    free(f);
}

/* --- opening --------------------------------------------------------------------------------- */

/* A file in messages: the end of a long name, so that what is wrong fits behind it. */
static const char *shown(const char *path)
{
    size_t n = strlen(path);

    return n > SHOWN_MAX ? path + n - SHOWN_MAX : path;
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Is this a card of ours, in a layout that we know?  Looks at the header only. */
static bool check_header(int fd, const char *path, char error[NVM_ERROR_MAX])
{
    uint8_t header[HEADER_LEN];
    ssize_t n = pread(fd, header, sizeof header, 0);

    if (n != (ssize_t)sizeof header || memcmp(header, "SQLite format 3", 16) != 0 ||
        be32(header + HEADER_APPLICATION_ID) != APPLICATION_ID) {
        snprintf(error, NVM_ERROR_MAX, "%s is not a softeuicc card", shown(path));
        return false;
    }
    uint32_t version = be32(header + HEADER_USER_VERSION);
    if (version != NVM_LAYOUT_VERSION) {
        snprintf(error, NVM_ERROR_MAX, "%s has layout version %u; this program knows version %d",
                 shown(path), version, NVM_LAYOUT_VERSION);
        return false;
    }
    return true;
}

/* The process that holds a flock() on this file, from the kernel's table; 0 when it is not told. */
static long lock_holder(int fd)
{
    struct stat st;
    FILE *locks = fopen("/proc/locks", "re");
    char line[200];
    long holder = 0;

    if (locks == NULL)
        return 0;
    if (fstat(fd, &st) == 0) {
        while (holder == 0 && fgets(line, sizeof line, locks) != NULL) {
            long pid;
            unsigned maj, min;
            unsigned long long ino;
            if (sscanf(line, "%*d: FLOCK %*s %*s %ld %x:%x:%llu", &pid, &maj, &min, &ino) == 4 &&
                ino == st.st_ino && maj == major(st.st_dev) && min == minor(st.st_dev))
                holder = pid;
        }
    }
    fclose(locks);
    return holder;
}

static bool take_lock(int fd, const char *path, char error[NVM_ERROR_MAX])
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return true;
    long pid = lock_holder(fd);
    if (pid > 0)
        snprintf(error, NVM_ERROR_MAX, "%s is served by pid %ld; end that, or use its reader",
                 shown(path), pid);
    else
        snprintf(error, NVM_ERROR_MAX,
                 "%s is served by another process; end that, or use its reader", shown(path));
    return false;
}

static bool sql(sqlite3 *db, const char *text)
{
    return sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK;
}

static bool prepare_all(struct file *f)
{
    static const char *const texts[N_STATEMENTS] = {
        [GET] = "SELECT value FROM object WHERE key = ?",
        [PUT] = ("INSERT INTO object(key, value) VALUES(?, ?) "
                 "ON CONFLICT(key) DO UPDATE SET value = excluded.value"),
        [DEL] = "DELETE FROM object WHERE key = ?",
        [NEXT] = "SELECT key FROM object WHERE key > ? ORDER BY key LIMIT 1",
        [BEGIN] = "BEGIN IMMEDIATE",
        [COMMIT] = "COMMIT",
        [ROLLBACK] = "ROLLBACK",
    };

    for (int i = 0; i < N_STATEMENTS; i++)
        if (sqlite3_prepare_v3(f->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &f->statements[i],
                               NULL) != SQLITE_OK)
            return false;
    return true;
}

static bool make_tables(sqlite3 *db)
{
    char pragmas[128];

    snprintf(pragmas, sizeof pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %d;",
             APPLICATION_ID, NVM_LAYOUT_VERSION);
    return sql(db, "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL;") && sql(db, pragmas) &&
           sql(db, "CREATE TABLE object(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
                   "PRAGMA wal_checkpoint(TRUNCATE);");
}

static bool is_whole(sqlite3 *db)
{
    sqlite3_stmt *s = NULL;
    bool whole = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &s, NULL) == SQLITE_OK &&
                 sqlite3_step(s) == SQLITE_ROW &&
                 strcmp((const char *)sqlite3_column_text(s, 0), "ok") == 0;

    sqlite3_finalize(s);
    return whole;
}

/* A card at rest has no write-ahead log beside it, and looking at it must not make one: SQLite is
 * told that the file does not change. */
static bool open_for_reading(struct file *f, const char *path)
{
    char log[PATH_MAX], *uri;

    if ((size_t)snprintf(log, sizeof log, "%s-wal", path) >= sizeof log)
        return false;
    bool at_rest = access(log, F_OK) != 0;
    uri = sqlite3_mprintf("file:%s%s", path, at_rest ? "?immutable=1" : "");
    bool plain = strpbrk(path, "?#%") != NULL; /* no URI can be made of it as it is */
    int rc = uri == NULL ? SQLITE_NOMEM
                         : sqlite3_open_v2(plain ? path : uri, &f->db,
                                           SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX |
                                               (plain ? 0 : SQLITE_OPEN_URI),
                                           NULL);
    sqlite3_free(uri);
    return rc == SQLITE_OK;
}

static bool open_database(struct file *f, const char *name, enum nvm_open_mode mode)
{
    char path[PATH_MAX];

    /* SQLite means something else by ":memory:" and "file:card". */
    if ((size_t)snprintf(path, sizeof path, "%s%s", name[0] == '/' ? "" : "./", name) >=
        sizeof path)
        return false;
    bool opened = mode == NVM_READ
                      ? open_for_reading(f, path)
                      : sqlite3_open_v2(path, &f->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                                        NULL) == SQLITE_OK;

    if (!opened)
        return false;
    sqlite3_db_config(f->db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0);
    sqlite3_busy_timeout(f->db, BUSY_MS);
    if (mode == NVM_CREATE && !make_tables(f->db))
        return false;
    /* With three pages or more SQLite takes the memory of 20 at once; objects are few, and the
     * kernel has the file in its own cache. */
    if (!sql(f->db, "PRAGMA cache_size = 2; PRAGMA synchronous = FULL;") || !is_whole(f->db) ||
        !prepare_all(f))
        return false;
    sqlite3_db_release_memory(f->db);
    return true;
}

static int open_descriptor(const char *path, enum nvm_open_mode mode, char error[NVM_ERROR_MAX])
{
    int flags = mode == NVM_CREATE  ? O_RDWR | O_CREAT | O_EXCL
                : mode == NVM_SERVE ? O_RDWR
                                    : O_RDONLY;
    int fd = open(path, flags | O_CLOEXEC, 0600);

    if (fd < 0 && errno == EEXIST)
        snprintf(error, NVM_ERROR_MAX, "%s exists; it is left as it is", shown(path));
    else if (fd < 0)
        snprintf(error, NVM_ERROR_MAX, "%s: %s", shown(path), strerror(errno));
    return fd;
}

/* Why the database does not open: mostly it is damaged, but not when the disk is full or the folder
 * is closed to us, where SQLite keeps its log. */
static void explain(struct file *f, const char *path, char error[NVM_ERROR_MAX])
{
    switch (sqlite3_errcode(f->db)) {
    case SQLITE_OK:
        snprintf(error, NVM_ERROR_MAX, "%s is damaged: its integrity check fails", shown(path));
        break;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
        snprintf(error, NVM_ERROR_MAX,
                 "%s: its folder must be writable, for the files CARD-wal and CARD-shm",
                 shown(path));
        break;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
        snprintf(error, NVM_ERROR_MAX, "%s: %s", shown(path), sqlite3_errmsg(f->db));
        break;
    default:
        snprintf(error, NVM_ERROR_MAX, "%s is damaged: %s", shown(path), sqlite3_errmsg(f->db));
        break;
    }
}

void nvm_delete_file(const char *path)
{
    static const char *const ends[] = { "", "-wal", "-shm" };
    char name[PATH_MAX];

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if ((size_t)snprintf(name, sizeof name, "%s%s", path, ends[i]) < sizeof name)
            unlink(name);
}

struct nvm *nvm_open_file(const char *path, enum nvm_open_mode mode, const struct trace *trace,
                          char error[NVM_ERROR_MAX])
{
    static const struct nvm_backend ops = {
        .get = file_get,
        .put = file_put,
        .del = file_del,
        .next = file_next,
        .begin = file_begin,
        .commit = file_commit,
        .abort = file_abort,
        .close = file_close,
    };
    int fd = open_descriptor(path, mode, error);
    if (fd < 0)
        return NULL;
    if ((mode != NVM_CREATE && !check_header(fd, path, error)) ||
        (mode != NVM_READ && !take_lock(fd, path, error))) {
        close(fd);
        return NULL;
    }
    struct file *f = calloc(1, sizeof *f);
    if (f == NULL) {
        close(fd);
        snprintf(error, NVM_ERROR_MAX, "out of memory");
        return NULL;
    }
    *f = (struct file){ .trace = trace, .lock = fd };
    if (!open_database(f, path, mode)) {
        explain(f, path, error);
        file_close(f);
        if (mode == NVM_CREATE)
            nvm_delete_file(path);
        return NULL;
    }
    return nvm_new(&ops, f, trace);
}
