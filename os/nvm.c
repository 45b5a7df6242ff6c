/* nvm.c - transactions, counters and power cuts, for every back end. */
#include "os/nvm.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "os/err.h"
#include "os/tlv.h"

struct nvm {
    const struct nvm_backend *ops;
    void *be;
    const struct trace *trace;
    bool dirty; /* a transaction is open */
    bool cut;   /* power is gone */
    bool cut_armed;
    uint64_t cut_left;
    uint64_t writes, commits;
    uint64_t last_commit; /* writes, at the last commit or abort */
    nvm_watch_fn *watch;
    void *watch_ctx;
};

struct nvm *nvm_new(const struct nvm_backend *ops, void *be, const struct trace *trace)
{
    struct nvm *nvm = calloc(1, sizeof *nvm);

    if (nvm == NULL) {
        ops->close(be);
        return NULL;
    }
    *nvm = (struct nvm){ .ops = ops, .be = be, .trace = trace };
    return nvm;
}

void nvm_close(struct nvm **nvm)
{
    if (*nvm == NULL)
        return;
    nvm_abort(*nvm);
    (*nvm)->ops->close((*nvm)->be);
    free(*nvm);
    *nvm = NULL;
}

/* Loses power: what is not committed goes, as it does from a journalled storage. */
static void lose_power(struct nvm *nvm)
{
    nvm_abort(nvm);
    nvm->cut = true;
    nvm->cut_armed = false;
    trace_note(nvm->trace, "power lost after write %llu", (unsigned long long)nvm->writes);
}

static int need_power(const struct nvm *nvm)
{
    return nvm->cut ? ERR_NVM : 0;
}

static bool goes_at(const struct nvm *nvm, enum nvm_step step, const char *key)
{
    return nvm->watch != NULL && nvm->watch(nvm->watch_ctx, step, key);
}

/* Before a write: is there power for it? */
static int spend_write(struct nvm *nvm, enum nvm_step step, const char *key)
{
    TRY(need_power(nvm));
    if (goes_at(nvm, step, key)) {
        lose_power(nvm);
        return ERR_NVM;
    }
    if (nvm->cut_armed && nvm->cut_left-- == 0) {
        lose_power(nvm);
        return ERR_NVM;
    }
    nvm->writes++;
    return 0;
}

static int before_write(struct nvm *nvm, enum nvm_step step, const char *key)
{
    TRY(spend_write(nvm, step, key));
    if (nvm->dirty)
        return 0;
    TRY(nvm->ops->begin(nvm->be));
    nvm->dirty = true;
    return 0;
}

int nvm_get(struct nvm *nvm, const char *key, struct wr *ret, bool *ret_found)
{
    return nvm_get_part(nvm, key, 0, NVM_VALUE_MAX, ret, ret_found);
}

int nvm_get_part(struct nvm *nvm, const char *key, size_t offset, size_t n, struct wr *ret,
                 bool *ret_found)
{
    TRY(need_power(nvm));
    return nvm->ops->get(nvm->be, key, offset, n, ret, ret_found);
}

int nvm_put(struct nvm *nvm, const char *key, struct rd value)
{
    if (strlen(key) >= NVM_KEY_MAX || value.n > NVM_VALUE_MAX)
        return FAULT(nvm->trace, ERR_BUG, "key or value too long: %s", key);
    TRY(before_write(nvm, NVM_PUT, key));
    return nvm->ops->put(nvm->be, key, value);
}

int nvm_del(struct nvm *nvm, const char *key)
{
    TRY(before_write(nvm, NVM_DEL, key));
    return nvm->ops->del(nvm->be, key);
}

int nvm_del_all(struct nvm *nvm, const char *prefix)
{
    char key[NVM_KEY_MAX] = "";
    bool found;

    for (;;) {
        TRY(nvm_next(nvm, prefix, key, &found));
        if (!found)
            return 0;
        TRY(nvm_del(nvm, key));
    }
}

int nvm_next(struct nvm *nvm, const char *prefix, char key[NVM_KEY_MAX], bool *ret_found)
{
    char next[NVM_KEY_MAX];
    bool found;

    TRY(need_power(nvm));
    TRY(nvm->ops->next(nvm->be, key[0] != '\0' ? key : prefix, next, &found));
    *ret_found = found && strncmp(next, prefix, strlen(prefix)) == 0;
    if (*ret_found)
        memcpy(key, next, sizeof next);
    return 0;
}

int nvm_has(struct nvm *nvm, const char *key, bool *ret_found)
{
    struct wr nothing;

    wr_init(&nothing, NULL, 0);
    return nvm_get(nvm, key, &nothing, ret_found);
}

int nvm_get_uint(struct nvm *nvm, const char *key, uint64_t initial, uint64_t *ret)
{
    uint8_t octets[9];
    struct wr w;
    bool found = false;

    wr_init(&w, octets, sizeof octets);
    TRY(nvm_get(nvm, key, &w, &found));
    if (!found) {
        *ret = initial;
        return 0;
    }
    if (wr_failed(&w) != 0 || tlv_uint(wr_view(&w), ret) != 0)
        return FAULT(nvm->trace, ERR_NVM, "%s is not a number", key);
    return 0;
}

int nvm_put_uint(struct nvm *nvm, const char *key, uint64_t value)
{
    uint8_t octets[16];
    struct wr w;
    struct tlv t;

    wr_init(&w, octets, sizeof octets);
    tlv_put_uint(&w, 0x02, value);
    struct rd in = wr_view(&w);
    TRY(tlv_get(&in, &t));
    return nvm_put(nvm, key, t.value);
}

int nvm_commit(struct nvm *nvm)
{
    if (!nvm->dirty)
        return need_power(nvm);
    TRY(spend_write(nvm, NVM_COMMIT, NULL));
    TRY(nvm->ops->commit(nvm->be)); /* what fails stays open, for nvm_abort() */
    nvm->dirty = false;
    nvm->commits++;
    uint64_t n = nvm->writes - 1 - nvm->last_commit; /* without the commit itself */
    trace_commit(nvm->trace, "%llu write%s", (unsigned long long)n, n == 1 ? "" : "s");
    nvm->last_commit = nvm->writes;
    if (!goes_at(nvm, NVM_COMMITTED, NULL))
        return 0;
    lose_power(nvm);
    return ERR_NVM;
}

void nvm_abort(struct nvm *nvm)
{
    if (nvm->dirty)
        nvm->ops->abort(nvm->be);
    nvm->dirty = false;
    nvm->last_commit = nvm->writes;
}

bool nvm_is_dirty(const struct nvm *nvm)
{
    return nvm->dirty;
}

int nvm_count_down(struct nvm *nvm, const char *key, uint64_t *ret)
{
    uint64_t left;

    assert(!nvm->dirty); /* the count must not depend on what else happens */
    TRY(nvm_get_uint(nvm, key, 0, &left));
    if (left > 0) {
        TRY(nvm_put_uint(nvm, key, --left));
        TRY(nvm_commit(nvm));
    }
    *ret = left;
    return 0;
}

void nvm_cut_after(struct nvm *nvm, uint64_t n)
{
    nvm->cut_armed = true;
    nvm->cut_left = n;
}

void nvm_watch(struct nvm *nvm, nvm_watch_fn *fn, void *ctx)
{
    nvm->watch = fn;
    nvm->watch_ctx = ctx;
}

bool nvm_cut_waits(const struct nvm *nvm, uint64_t *ret_left)
{
    if (nvm->cut_armed)
        *ret_left = nvm->cut_left;
    return nvm->cut_armed;
}

void nvm_cut_never(struct nvm *nvm)
{
    nvm->cut_armed = false;
}

void nvm_cut_now(struct nvm *nvm)
{
    if (!nvm->cut)
        lose_power(nvm);
}

bool nvm_has_power(const struct nvm *nvm)
{
    return !nvm->cut;
}

void nvm_restore_power(struct nvm *nvm)
{
    nvm->cut = false;
    nvm->cut_armed = false;
}

const struct trace *nvm_trace(const struct nvm *nvm)
{
    return nvm->trace;
}

uint64_t nvm_writes(const struct nvm *nvm)
{
    return nvm->writes;
}

uint64_t nvm_commits(const struct nvm *nvm)
{
    return nvm->commits;
}
