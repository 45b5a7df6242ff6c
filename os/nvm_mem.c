/* nvm_mem.c - a store in memory: objects sorted by key, and an undo log for the open transaction.
 */
#include <stdlib.h>
#include <string.h>

#include "os/err.h"
#include "os/nvm.h"

struct object {
    char key[NVM_KEY_MAX];
    uint8_t *p;
    size_t n;
};

/* What an object was before the transaction touched it. */
struct undo {
    struct object was;
    bool existed;
};

struct mem {
    struct object *objects; /* sorted by key */
    size_t n, size;
    struct undo *undos; /* oldest first */
    size_t n_undos, undos_size;
};

/* The array with room for one more element behind its first n, or NULL with the array as it was. */
static void *with_room(void *array, size_t n, size_t *size, size_t element)
{
    if (n < *size)
        return array;
    size_t bigger = *size == 0 ? 8 : 2 * *size;
    void *p = realloc(array, bigger * element);
    if (p != NULL)
        *size = bigger;
    return p;
}

/* Index of the first object whose key is not below this one. */
static size_t lower_bound(const struct mem *m, const char *key)
{
    size_t low = 0, high = m->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strcmp(m->objects[mid].key, key) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static struct object *find(const struct mem *m, const char *key)
{
    size_t i = lower_bound(m, key);

    return i < m->n && strcmp(m->objects[i].key, key) == 0 ? &m->objects[i] : NULL;
}

static struct object *insert(struct mem *m, const char *key)
{
    struct object *objects = with_room(m->objects, m->n, &m->size, sizeof *m->objects);
    if (objects == NULL)
        return NULL;
    m->objects = objects;
    size_t i = lower_bound(m, key);
    memmove(m->objects + i + 1, m->objects + i, (m->n - i) * sizeof *m->objects);
    m->n++;
    memset(&m->objects[i], 0, sizeof m->objects[i]);
    strncpy(m->objects[i].key, key, NVM_KEY_MAX - 1);
    return &m->objects[i];
}

static void take_out(struct mem *m, struct object *o)
{
    size_t i = (size_t)(o - m->objects);

    free(o->p);
    memmove(o, o + 1, (m->n - i - 1) * sizeof *o);
    m->n--;
}

/* Moves the old value into the undo log; the object, if any, is left without one. */
static int remember(struct mem *m, const char *key, struct object *o)
{
    struct undo *undos = with_room(m->undos, m->n_undos, &m->undos_size, sizeof *m->undos);
    if (undos == NULL)
        return ERR_NOMEM;
    m->undos = undos;
    struct undo *u = &m->undos[m->n_undos++];
    memset(u, 0, sizeof *u);
    strncpy(u->was.key, key, NVM_KEY_MAX - 1);
    if (o != NULL) {
        u->existed = true;
        u->was.p = o->p;
        u->was.n = o->n;
        o->p = NULL;
        o->n = 0;
    }
    return 0;
}

static int mem_get(void *be, const char *key, size_t offset, size_t n, struct wr *ret,
                   bool *ret_found)
{
    const struct object *o = find(be, key);

    *ret_found = o != NULL;
    if (o != NULL && offset < o->n)
        wr_put(ret, o->p + offset, n < o->n - offset ? n : o->n - offset);
    return 0;
}

static int mem_put(void *be, const char *key, struct rd value)
{
    struct mem *m = be;
    uint8_t *p = malloc(value.n + 1);

    if (p == NULL)
        return ERR_NOMEM;
    struct object *o = find(m, key);
    if (remember(m, key, o) != 0 || (o == NULL && (o = insert(m, key)) == NULL)) {
        free(p);
        return ERR_NOMEM;
    }
    if (value.n > 0)
        memcpy(p, value.p, value.n);
    o->p = p;
    o->n = value.n;
    return 0;
}

static int mem_del(void *be, const char *key)
{
    struct mem *m = be;
    struct object *o = find(m, key);

    if (o == NULL)
        return 0;
    TRY(remember(m, key, o));
    take_out(m, o);
    return 0;
}

static int mem_next(void *be, const char *after, char ret[NVM_KEY_MAX], bool *ret_found)
{
    const struct mem *m = be;
    size_t i = lower_bound(m, after);

    if (i < m->n && strcmp(m->objects[i].key, after) == 0)
        i++;
    *ret_found = i < m->n;
    if (*ret_found)
        memcpy(ret, m->objects[i].key, NVM_KEY_MAX);
    return 0;
}

static int mem_begin(void *be)
{
    (void)be;
    return 0;
}

static int mem_commit(void *be)
{
    struct mem *m = be;

    for (size_t i = 0; i < m->n_undos; i++)
        free(m->undos[i].was.p);
    m->n_undos = 0;
    return 0;
}

/* Newest first, so that the oldest value of each object wins.  Room for what was deleted is there:
 * the array never shrinks. */
static int mem_abort(void *be)
{
    struct mem *m = be;

    while (m->n_undos > 0) {
        struct undo *u = &m->undos[--m->n_undos];
        struct object *o = find(m, u->was.key);
        if (!u->existed) {
            if (o != NULL)
                take_out(m, o);
            continue;
        }
        if (o == NULL)
            o = insert(m, u->was.key);
        free(o->p);
        o->p = u->was.p;
        o->n = u->was.n;
    }
    return 0;
}

static void mem_close(void *be)
{
    struct mem *m = be;

    mem_abort(m);
    while (m->n > 0)
        free(m->objects[--m->n].p);
    free(m->objects);
    free(m->undos);
    free(m);
}

struct nvm *nvm_open_memory(const struct trace *trace)
{
    static const struct nvm_backend ops = {
        .get = mem_get,
        .put = mem_put,
        .del = mem_del,
        .next = mem_next,
        .begin = mem_begin,
        .commit = mem_commit,
        .abort = mem_abort,
        .close = mem_close,
    };
    struct mem *m = calloc(1, sizeof *m);

    return m == NULL ? NULL : nvm_new(&ops, m, trace);
}
