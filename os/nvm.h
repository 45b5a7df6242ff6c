/* nvm.h - what survives power off: named objects, in transactions (docs/STATE.md).
 *
 * A key is text such as "isdr/notification/0000002a"; a value is up to NVM_VALUE_MAX octets.
 * The transaction opens by itself at the first write and ends with nvm_commit() or nvm_abort();
 * reading sees what was written in it.  nvm_count_down() is its own commit, for guess limiters.
 *
 * Two back ends serve one interface: a file (nvm_sqlite.c) and memory (nvm_mem.c).  Both can lose
 * power after the n-th write: from then on everything fails with ERR_NVM until nvm_restore_power(),
 * and what was not committed is gone. */
#ifndef OS_NVM_H
#define OS_NVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/buf.h"
#include "os/trace.h"

enum {
    NVM_LAYOUT_VERSION = 1,
    NVM_KEY_MAX = 64, /* with its terminating zero */
    NVM_VALUE_MAX = 4 << 20,
    NVM_ERROR_MAX = 200,
};

struct nvm;

/* What a back end does; all return 0 or ERR_NVM / ERR_NOMEM. */
struct nvm_backend {
    int (*get)(void *be, const char *key, size_t offset, size_t n, struct wr *ret,
               bool *ret_found); /* as nvm_get_part() */
    int (*put)(void *be, const char *key, struct rd value);
    int (*del)(void *be, const char *key);
    int (*next)(void *be, const char *after, char ret[NVM_KEY_MAX], bool *ret_found);
    int (*begin)(void *be);
    int (*commit)(void *be);
    int (*abort)(void *be);
    void (*close)(void *be);
};

/* Takes be over.  NULL without memory (be is closed then). */
struct nvm *nvm_new(const struct nvm_backend *ops, void *be, const struct trace *trace);

/* A store in memory. */
struct nvm *nvm_open_memory(const struct trace *trace);

enum nvm_open_mode { NVM_CREATE, NVM_SERVE, NVM_READ };

/* A store in a file.  NVM_CREATE: the file must not exist; NVM_SERVE: takes the lock;
 * NVM_READ: reads beside whoever serves it.  NULL with one readable line in error; what
 * NVM_CREATE had begun is gone then. */
struct nvm *nvm_open_file(const char *path, enum nvm_open_mode mode, const struct trace *trace,
                          char error[NVM_ERROR_MAX]);
/* Deletes a store that nobody has open, with what SQLite keeps beside it. */
void nvm_delete_file(const char *path);

/* Aborts what is open, closes, frees; *nvm becomes NULL. */
void nvm_close(struct nvm **nvm);

/* Appends the value to ret.  Absent is not a failure: *ret_found says. */
int nvm_get(struct nvm *nvm, const char *key, struct wr *ret, bool *ret_found);
int nvm_has(struct nvm *nvm, const char *key, bool *ret_found);
/* Appends n octets of it from offset; fewer when it ends before. */
int nvm_get_part(struct nvm *nvm, const char *key, size_t offset, size_t n, struct wr *ret,
                 bool *ret_found);
int nvm_put(struct nvm *nvm, const char *key, struct rd value);
/* Deleting what is absent is no failure. */
int nvm_del(struct nvm *nvm, const char *key);
/* Deletes every key that goes on behind prefix. */
int nvm_del_all(struct nvm *nvm, const char *prefix);

/* Walks the keys that go on behind prefix, in order: key holds the last one ("" to begin with)
 * and becomes the next one. */
int nvm_next(struct nvm *nvm, const char *prefix, char key[NVM_KEY_MAX], bool *ret_found);

/* Small numbers; absent reads as initial. */
int nvm_get_uint(struct nvm *nvm, const char *key, uint64_t initial, uint64_t *ret);
int nvm_put_uint(struct nvm *nvm, const char *key, uint64_t value);

int nvm_commit(struct nvm *nvm);
void nvm_abort(struct nvm *nvm);
bool nvm_is_dirty(const struct nvm *nvm);

/* Lowers the counter by one in a commit of its own and gives its new value; no transaction may be
 * open.  At 0 it stays and ret is 0: the caller refuses. */
int nvm_count_down(struct nvm *nvm, const char *key, uint64_t *ret);

/* Power can also go at a step, which who watches chooses.  key is NULL at the steps of a commit. */
enum nvm_step {
    NVM_PUT,       /* before it */
    NVM_DEL,       /* before it */
    NVM_COMMIT,    /* before it, with something to commit */
    NVM_COMMITTED, /* after it */
};
typedef bool nvm_watch_fn(void *ctx, enum nvm_step step, const char *key); /* true: it goes */
/* One watches at a time; NULL: nobody. */
void nvm_watch(struct nvm *nvm, nvm_watch_fn *fn, void *ctx);

/* Power: lets n more writes through (a put, a delete and a commit are one write each), then fails.
 * A cut that is never reached does nothing. */
void nvm_cut_after(struct nvm *nvm, uint64_t n);
/* A cut that was ordered and did not come yet: how many writes it still lets through. */
bool nvm_cut_waits(const struct nvm *nvm, uint64_t *ret_left);
void nvm_cut_never(struct nvm *nvm);
/* The power goes now. */
void nvm_cut_now(struct nvm *nvm);
bool nvm_has_power(const struct nvm *nvm);
void nvm_restore_power(struct nvm *nvm);

/* Where faults of what is stored are told. */
const struct trace *nvm_trace(const struct nvm *nvm);

/* Since the store was opened. */
uint64_t nvm_writes(const struct nvm *nvm);
uint64_t nvm_commits(const struct nvm *nvm);

#endif
