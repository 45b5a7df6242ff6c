/* fs.c - the file tree of one profile: finding, changing, storing (TS 102 221 8, TS 102 222).
 *
 * The tree is one object of fixed rows (docs/STATE.md), read and checked as a whole when a profile
 * is mounted; from then on every number in it can be followed without a check.  A node's parent
 * always has the lower number, so there are no cycles and one pass from a node onwards meets
 * everything below it.
 *
 * A link is a node whose body is another's.  Size, kind and record length belong to the body; the
 * link's row repeats them, so that whoever looks at a node need not know.  The number of a deleted
 * node is not given away before the last link to its body is gone. */
#include "os/fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/err.h"

enum {
    TREE_VERSION = 1,
    TREE_HEAD = 3, /* version, number of rows */
    ROW_FIXED = 24,
    ROW_MAX = ROW_FIXED + 1 + FS_AID_MAX + FS_MAX_PINS,
    ROW_KIND = 0x07,
    ROW_SHAREABLE = 0x80,
    ROW_DELETED = 0x40,
    ROW_SE00 = 0x20, /* one octet more: arr_record_se00 */
    SFI_MAX = 30,
    UNWRITTEN = 0xFF, /* what contents are before anybody writes them */
};

void fs_init(struct fs *fs, uint16_t profile)
{
    *fs = (struct fs){ 0 };
    snprintf(fs->prefix, sizeof fs->prefix, "isdp/%04x/", profile);
}

void fs_done(struct fs *fs)
{
    for (size_t i = 0; i < fs->n; i++)
        free(fs->nodes[i].staged);
    free(fs->nodes);
    fs->nodes = NULL;
    fs->n = 0;
}

/* "isdp/0010/" what "0042"; on the path of every READ, hence by hand. */
static void numbered_key(const struct fs *fs, const char *what, uint16_t node,
                         char ret[NVM_KEY_MAX])
{
    size_t n = strlen(fs->prefix), n_what = strlen(what);

    memcpy(ret, fs->prefix, n);
    memcpy(ret + n, what, n_what);
    for (int shift = 12; shift >= 0; shift -= 4)
        ret[n + n_what++] = "0123456789abcdef"[node >> shift & 0xF];
    ret[n + n_what] = '\0';
}

static void body_key(const struct fs *fs, uint16_t body, char ret[NVM_KEY_MAX])
{
    numbered_key(fs, "body/", body, ret);
}

static void tree_key(const struct fs *fs, char ret[NVM_KEY_MAX])
{
    snprintf(ret, NVM_KEY_MAX, "%.40stree", fs->prefix);
}

static bool is_live(const struct fs *fs, uint16_t node)
{
    return node < fs->n && !fs->nodes[node].deleted;
}

/* Whose contents an EF has.  ERR_BUG when there is no such EF. */
static int body_of(const struct fs *fs, uint16_t node, uint16_t *ret)
{
    if (!is_live(fs, node) || fs_is_df(&fs->nodes[node]))
        return ERR_BUG;
    *ret = fs->nodes[node].body;
    return 0;
}

static bool is_used(const struct fs *fs, uint16_t body)
{
    for (size_t i = 0; i < fs->n; i++)
        if (!fs->nodes[i].deleted && fs->nodes[i].body == body)
            return true;
    return false;
}

/* Does this node have contents of its own to keep? */
static bool keeps_body(const struct fs *fs, uint16_t node)
{
    return !fs_is_df(&fs->nodes[node]) && fs->nodes[node].body == node && is_used(fs, node);
}

/* What belongs to a body, from its owner to whoever links to it. */
static void mirror(struct fs *fs, uint16_t node)
{
    struct fs_node *link = &fs->nodes[node];
    const struct fs_node *owner = &fs->nodes[link->body];

    link->kind = owner->kind;
    link->size = owner->size;
    link->max_size = owner->max_size;
    link->record_len = owner->record_len;
}

static void mirror_all(struct fs *fs)
{
    for (size_t i = 0; i < fs->n; i++)
        mirror(fs, (uint16_t)i);
}

/* Nodes from the MF down to this one, both counted. */
static unsigned depth(const struct fs *fs, uint16_t node)
{
    unsigned levels = 1;

    for (; node != FS_MF; node = fs->nodes[node].parent)
        levels++;
    return levels;
}

/* What holds of a node by itself. */
static bool is_sound(const struct fs_node *n)
{
    if (n->kind > FS_KIND_BER_TLV || n->sfi > SFI_MAX || n->aid_len > FS_AID_MAX ||
        n->n_pins > FS_MAX_PINS)
        return false;
    if (fs_is_df(n))
        return true;
    bool in_records = n->kind == FS_KIND_LINEAR || n->kind == FS_KIND_CYCLIC;
    return n->size <= FS_MAX_EF && (!in_records || n->record_len > 0);
}

/* --- storing and loading ----------------------------------------------------------------- */

static void put_number(struct wr *w, uint32_t v, int octets)
{
    while (octets-- > 0)
        wr_put_u8(w, (uint8_t)(v >> 8 * octets));
}

static void put_row(struct wr *w, const struct fs_node *n)
{
    put_number(w,
               (unsigned)n->kind | (n->shareable ? ROW_SHAREABLE : 0u) |
                   (n->deleted ? ROW_DELETED : 0u) | (n->arr_record_se00 != 0 ? ROW_SE00 : 0u),
               1);
    put_number(w, n->fid, 2);
    put_number(w, n->parent, 2);
    put_number(w, n->body, 2);
    put_number(w, n->life_cycle, 1);
    put_number(w, n->special, 1);
    put_number(w, n->sfi, 1);
    put_number(w, n->record_len, 1);
    put_number(w, n->size, 4);
    put_number(w, n->max_size, 4);
    put_number(w, n->arr_fid, 2);
    put_number(w, n->arr_record, 1);
    if (n->arr_record_se00 != 0)
        put_number(w, n->arr_record_se00, 1);
    put_number(w, n->aid_len, 1);
    wr_put(w, n->aid, n->aid_len);
    put_number(w, n->n_pins, 1);
    wr_put(w, n->pins, n->n_pins);
}

/* Takes a number off the front; *ok becomes false when it is not there. */
static uint32_t take_number(struct rd *in, size_t octets, bool *ok)
{
    struct rd part;
    uint32_t v = 0;

    if (rd_take(in, octets, &part) != 0) {
        *ok = false;
        return 0;
    }
    for (size_t i = 0; i < octets; i++)
        v = v << 8 | part.p[i];
    return v;
}

static uint8_t take_octet(struct rd *in, bool *ok)
{
    return (uint8_t)take_number(in, 1, ok);
}

/* Takes a length and as many octets off the front. */
static uint8_t take_octets(struct rd *in, uint8_t *p, size_t max, bool *ok)
{
    uint8_t n = take_octet(in, ok);
    struct rd part;

    if (n > max || rd_take(in, n, &part) != 0) {
        *ok = false;
        return 0;
    }
    memcpy(p, part.p, n);
    return n;
}

static bool take_row(struct rd *in, struct fs_node *ret)
{
    bool ok = true;
    unsigned flags = take_octet(in, &ok);

    *ret = (struct fs_node){
        .kind = (enum fs_kind)(flags & ROW_KIND),
        .shareable = flags & ROW_SHAREABLE,
        .deleted = flags & ROW_DELETED,
    };
    ret->fid = (uint16_t)take_number(in, 2, &ok);
    ret->parent = (uint16_t)take_number(in, 2, &ok);
    ret->body = (uint16_t)take_number(in, 2, &ok);
    ret->life_cycle = take_octet(in, &ok);
    ret->special = take_octet(in, &ok);
    ret->sfi = take_octet(in, &ok);
    ret->record_len = take_octet(in, &ok);
    ret->size = take_number(in, 4, &ok);
    ret->max_size = take_number(in, 4, &ok);
    ret->arr_fid = (uint16_t)take_number(in, 2, &ok);
    ret->arr_record = take_octet(in, &ok);
    if (flags & ROW_SE00)
        ret->arr_record_se00 = take_octet(in, &ok);
    ret->aid_len = take_octets(in, ret->aid, FS_AID_MAX, &ok);
    ret->n_pins = take_octets(in, ret->pins, FS_MAX_PINS, &ok);
    return ok && is_sound(ret);
}

/* Does a row fit to those before it? */
static bool is_in_place(const struct fs *fs, uint16_t node)
{
    const struct fs_node *n = &fs->nodes[node];

    if (node == FS_MF)
        return n->kind == FS_KIND_MF && !n->deleted && n->parent == FS_NONE;
    if (n->kind == FS_KIND_MF)
        return false;
    if (n->deleted)
        return n->parent == FS_NONE;
    return n->parent < node && is_live(fs, n->parent) && fs_is_df(&fs->nodes[n->parent]) &&
           (n->kind != FS_KIND_ADF || n->parent == FS_MF) && depth(fs, node) <= FS_MAX_DEPTH;
}

static bool has_its_body(const struct fs *fs, uint16_t node)
{
    const struct fs_node *n = &fs->nodes[node];

    if (n->body == node)
        return true;
    return n->body < fs->n && !n->deleted && !fs_is_df(n) && !fs_is_df(&fs->nodes[n->body]) &&
           fs->nodes[n->body].body == n->body;
}

/* Fills fs, whose nodes are allocated, from the rows. */
static bool take_rows(struct fs *fs, struct rd in, size_t n)
{
    for (; fs->n < n; fs->n++)
        if (!take_row(&in, &fs->nodes[fs->n]))
            return false;
    if (in.n != 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_in_place(fs, (uint16_t)i) || !has_its_body(fs, (uint16_t)i))
            return false;
    mirror_all(fs);
    for (size_t i = 0; i < n; i++)
        fs->nodes[i].stored = keeps_body(fs, (uint16_t)i);
    return true;
}

/* Room for nodes is doubled as they come: a power of two always holds n of them. */
static size_t room(size_t n)
{
    size_t size = 16;

    while (size < n)
        size *= 2;
    return size;
}

static int take_tree(struct fs *fs, struct nvm *nvm, struct rd in)
{
    bool ok = true;
    unsigned version = take_octet(&in, &ok);
    size_t n = take_number(&in, 2, &ok);

    if (!ok || version != TREE_VERSION || n == 0 || n > FS_MAX_NODES)
        return FAULT(nvm_trace(nvm), ERR_NVM, "%stree is damaged", fs->prefix);
    fs->nodes = calloc(room(n), sizeof *fs->nodes);
    if (fs->nodes == NULL)
        return ERR_NOMEM;
    if (!take_rows(fs, in, n)) {
        fs_done(fs);
        return FAULT(nvm_trace(nvm), ERR_NVM, "%stree is damaged", fs->prefix);
    }
    return 0;
}

int fs_load(struct fs *fs, struct nvm *nvm)
{
    char key[NVM_KEY_MAX];
    struct wr tree;
    bool found = false;

    fs_done(fs);
    tree_key(fs, key);
    wr_init_heap(&tree, TREE_HEAD + FS_MAX_NODES * ROW_MAX);
    int err = nvm_get(nvm, key, &tree, &found);
    if (err == 0 && found)
        err = wr_failed(&tree);
    if (err == 0 && found)
        err = take_tree(fs, nvm, wr_view(&tree));
    wr_done(&tree);
    return err;
}

int fs_store_tree(const struct fs *fs, struct nvm *nvm)
{
    char key[NVM_KEY_MAX];
    struct wr tree;

    wr_init_heap(&tree, TREE_HEAD + FS_MAX_NODES * ROW_MAX);
    put_number(&tree, TREE_VERSION, 1);
    put_number(&tree, (uint32_t)fs->n, 2);
    for (size_t i = 0; i < fs->n; i++)
        put_row(&tree, &fs->nodes[i]);
    tree_key(fs, key);
    int err = wr_failed(&tree);
    if (err == 0)
        err = nvm_put(nvm, key, wr_view(&tree));
    wr_done(&tree);
    return err;
}

int fs_store(struct fs *fs, struct nvm *nvm)
{
    char key[NVM_KEY_MAX];
    uint8_t *contents;

    mirror_all(fs);
    for (size_t i = 0; i < fs->n; i++) {
        struct fs_node *n = &fs->nodes[i];
        if (n->stored || !keeps_body(fs, (uint16_t)i))
            continue;
        TRY(fs_body(fs, (uint16_t)i, &contents));
        body_key(fs, (uint16_t)i, key);
        TRY(nvm_put(nvm, key, rd_of(contents, n->size)));
        n->stored = true;
    }
    for (size_t i = 0; i < fs->n; i++) {
        free(fs->nodes[i].staged);
        fs->nodes[i].staged = NULL;
    }
    return fs_store_tree(fs, nvm);
}

static uint64_t row_size(const struct fs_node *n)
{
    return ROW_FIXED + (n->arr_record_se00 != 0 ? 1u : 0u) + (uint64_t)n->aid_len + n->n_pins;
}

uint64_t fs_node_size(const struct fs_node *n)
{
    return row_size(n) + (fs_is_df(n) ? 0 : n->size);
}

uint64_t fs_stored_size(const struct fs *fs)
{
    uint64_t sum = TREE_HEAD;

    for (size_t i = 0; i < fs->n; i++) {
        const struct fs_node *n = &fs->nodes[i];
        if (!n->deleted)
            sum += row_size(n);
        if (keeps_body(fs, (uint16_t)i))
            sum += n->size;
    }
    return sum;
}

/* --- building and changing --------------------------------------------------------------- */

/* A number for a child of parent: a free one, or one more. */
static int find_number(struct fs *fs, uint16_t parent, uint16_t *ret)
{
    for (size_t i = (size_t)parent + 1; i < fs->n; i++) {
        if (fs->nodes[i].deleted && !is_used(fs, (uint16_t)i)) {
            *ret = (uint16_t)i;
            return 0;
        }
    }
    if (fs->n == FS_MAX_NODES)
        return ERR_SPACE;
    if (fs->nodes == NULL || fs->n == room(fs->n)) {
        struct fs_node *nodes = realloc(fs->nodes, room(fs->n + 1) * sizeof *nodes);
        if (nodes == NULL)
            return ERR_NOMEM;
        fs->nodes = nodes;
    }
    *ret = (uint16_t)fs->n++;
    return 0;
}

static bool may_be_added(const struct fs *fs, const struct fs_node *n)
{
    if (!is_sound(n))
        return false;
    if (fs->n == 0 || n->kind == FS_KIND_MF)
        return fs->n == 0 && n->kind == FS_KIND_MF;
    return is_live(fs, n->parent) && fs_is_df(&fs->nodes[n->parent]) &&
           (n->kind != FS_KIND_ADF || n->parent == FS_MF) && depth(fs, n->parent) < FS_MAX_DEPTH &&
           fs_child(fs, n->parent, n->fid) == FS_NONE;
}

int fs_add(struct fs *fs, const struct fs_node *node, uint16_t *ret_node)
{
    bool first = fs->n == 0;

    *ret_node = FS_NONE;
    if (!may_be_added(fs, node))
        return ERR_INPUT;
    struct fs_node copy = *node; /* node may lie in the array that grows */
    uint16_t number;
    TRY(find_number(fs, first ? FS_MF : node->parent, &number));
    copy.body = number;
    copy.staged = NULL;
    copy.stored = copy.deleted = false;
    if (first)
        copy.parent = FS_NONE;
    fs->nodes[number] = copy;
    *ret_node = number;
    return 0;
}

int fs_link(struct fs *fs, uint16_t node, uint16_t target)
{
    uint16_t own, body;

    TRY(body_of(fs, node, &own));
    TRY(body_of(fs, target, &body));
    if (own != node || body == node || fs->nodes[node].stored)
        return ERR_BUG;
    free(fs->nodes[node].staged);
    fs->nodes[node].staged = NULL;
    fs->nodes[node].body = body;
    mirror(fs, node);
    return 0;
}

int fs_body(struct fs *fs, uint16_t node, uint8_t **ret)
{
    if (node >= fs->n || fs_is_df(&fs->nodes[node]))
        return ERR_BUG;
    struct fs_node *owner = &fs->nodes[fs->nodes[node].body];
    if (owner->stored)
        return ERR_BUG;
    if (owner->staged == NULL) {
        owner->staged = malloc(owner->size + 1u); /* of size 0, too, it is something */
        if (owner->staged == NULL)
            return ERR_NOMEM;
        memset(owner->staged, UNWRITTEN, owner->size);
    }
    *ret = owner->staged;
    return 0;
}

/* What else is named by the number of a DF goes with it, lest the next file of this number
 * inherits it. */
static int forget_what_is_local(const struct fs *fs, struct nvm *nvm, uint16_t df)
{
    static const char *const objects[] = { "pin/", "aka/", "sqn/", "auths/", "gba/", "cdma/" };
    char key[NVM_KEY_MAX];

    for (size_t i = 0; i < N_ELEMS(objects); i++) {
        numbered_key(fs, objects[i], df, key);
        TRY(nvm_del(nvm, key));
        TRY(nvm_del_all(nvm, key)); /* those whose keys go on behind it */
    }
    return 0;
}

static int drop_unused_bodies(struct fs *fs, struct nvm *nvm)
{
    char key[NVM_KEY_MAX];

    for (size_t i = 0; i < fs->n; i++) {
        struct fs_node *n = &fs->nodes[i];
        if (!n->deleted || (!n->stored && n->staged == NULL) || is_used(fs, (uint16_t)i))
            continue;
        free(n->staged);
        n->staged = NULL;
        n->stored = false;
        body_key(fs, (uint16_t)i, key);
        TRY(nvm_del(nvm, key));
    }
    return 0;
}

int fs_delete(struct fs *fs, struct nvm *nvm, uint16_t node)
{
    if (!is_live(fs, node))
        return ERR_BUG;
    if (node == FS_MF)
        return ERR_INPUT;
    for (size_t i = node; i < fs->n; i++) {
        struct fs_node *n = &fs->nodes[i];
        if (n->deleted || (i != node && !fs->nodes[n->parent].deleted))
            continue;
        n->deleted = true;
        n->parent = FS_NONE;
        n->body = (uint16_t)i;
        if (fs_is_df(n))
            TRY(forget_what_is_local(fs, nvm, (uint16_t)i));
    }
    TRY(drop_unused_bodies(fs, nvm));
    return fs_store_tree(fs, nvm);
}

/* Reads a whole body into memory of its own. */
static int get_body(const struct fs *fs, struct nvm *nvm, uint16_t body, struct wr *ret)
{
    char key[NVM_KEY_MAX];
    bool found = false;

    body_key(fs, body, key);
    wr_init_heap(ret, FS_MAX_EF);
    int err = nvm_get(nvm, key, ret, &found);
    if (err == 0)
        err = wr_failed(ret);
    if (err == 0 && (!found || ret->n != fs->nodes[body].size))
        err = FAULT(nvm_trace(nvm), ERR_NVM, "%s is damaged", key);
    if (err != 0)
        wr_done(ret);
    return err;
}

static int put_body(const struct fs *fs, struct nvm *nvm, uint16_t body, struct rd contents)
{
    char key[NVM_KEY_MAX];

    body_key(fs, body, key);
    return nvm_put(nvm, key, contents);
}

void fs_fill(uint8_t *p, size_t n, const struct fs_fill *fill)
{
    struct rd pattern = fill->pattern;

    if (pattern.n == 0) {
        memset(p, UNWRITTEN, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        size_t from = fill->repeat ? i % pattern.n : i;
        p[i] = pattern.p[from < pattern.n ? from : pattern.n - 1];
    }
}

/* Changes contents, n octets of which are there, to size octets; unit by unit are filled. */
static int resize_contents(struct wr *contents, uint32_t size, uint32_t unit,
                           const struct fs_fill *fill)
{
    size_t from = contents->n;

    if (size <= from) {
        contents->n = size;
        return 0;
    }
    uint8_t *p = wr_reserve(contents, size - from);
    if (p == NULL)
        return ERR_NOMEM;
    for (size_t at = 0; at < size - from; at += unit)
        fs_fill(p + at, unit < size - from - at ? unit : size - from - at, fill);
    return 0;
}

int fs_resize(struct fs *fs, struct nvm *nvm, uint16_t node, uint32_t size,
              const struct fs_fill *fill)
{
    uint16_t body;
    struct wr contents;

    TRY(body_of(fs, node, &body));
    const struct fs_node *owner = &fs->nodes[body];
    bool in_records = owner->kind == FS_KIND_LINEAR || owner->kind == FS_KIND_CYCLIC;
    if (in_records && size % owner->record_len != 0)
        return ERR_INPUT;
    if (size > FS_MAX_EF)
        return ERR_SPACE;
    TRY(get_body(fs, nvm, body, &contents));
    int err = resize_contents(&contents, size, in_records ? owner->record_len : FS_MAX_EF, fill);
    if (err == 0)
        err = put_body(fs, nvm, body, wr_view(&contents));
    wr_done(&contents);
    TRY(err);
    fs->nodes[body].size = size;
    mirror_all(fs);
    return fs_store_tree(fs, nvm);
}

/* --- finding ------------------------------------------------------------------------------ */

uint16_t fs_child(const struct fs *fs, uint16_t df, uint16_t fid)
{
    if (!is_live(fs, df))
        return FS_NONE;
    for (size_t i = (size_t)df + 1; i < fs->n; i++)
        if (fs->nodes[i].parent == df && fs->nodes[i].fid == fid)
            return (uint16_t)i;
    return FS_NONE;
}

uint16_t fs_sfi(const struct fs *fs, uint16_t df, uint8_t sfi)
{
    if (!is_live(fs, df) || sfi == 0)
        return FS_NONE;
    for (size_t i = (size_t)df + 1; i < fs->n; i++) {
        const struct fs_node *n = &fs->nodes[i];
        if (n->parent == df && n->sfi == sfi && !fs_is_df(n))
            return (uint16_t)i;
    }
    return FS_NONE;
}

uint16_t fs_adf(const struct fs *fs, struct rd aid, uint16_t after)
{
    for (size_t i = after == FS_NONE ? 0 : (size_t)after + 1; i < fs->n; i++) {
        const struct fs_node *n = &fs->nodes[i];
        if (n->kind == FS_KIND_ADF && !n->deleted && aid.n <= n->aid_len &&
            rd_equal(aid, rd_of(n->aid, aid.n)))
            return (uint16_t)i;
    }
    return FS_NONE;
}

uint16_t fs_application(const struct fs *fs, uint16_t node)
{
    if (!is_live(fs, node))
        return FS_NONE;
    while (node != FS_MF && fs->nodes[node].kind != FS_KIND_ADF)
        node = fs->nodes[node].parent;
    return node;
}

uint16_t fs_path(const struct fs *fs, uint16_t from, struct rd path)
{
    struct rd fid;

    while (path.n > 0) {
        if (rd_take(&path, 2, &fid) != 0)
            return FS_NONE;
        from = fs_child(fs, from, (uint16_t)(fid.p[0] << 8 | fid.p[1]));
    }
    return is_live(fs, from) ? from : FS_NONE;
}

unsigned fs_records(const struct fs_node *n)
{
    if (n->kind != FS_KIND_LINEAR && n->kind != FS_KIND_CYCLIC)
        return 0;
    return n->size / n->record_len;
}

bool fs_holds_records(uint8_t record_len, uint32_t size)
{
    return record_len == 0 || (size % record_len == 0 && size / record_len <= FS_MAX_RECORDS);
}

/* --- contents ----------------------------------------------------------------------------- */

static bool is_within(const struct fs_node *n, uint32_t offset, size_t len)
{
    return offset <= n->size && len <= n->size - offset;
}

int fs_read(const struct fs *fs, struct nvm *nvm, uint16_t node, uint32_t offset, uint32_t n,
            struct wr *ret)
{
    char key[NVM_KEY_MAX];
    uint16_t body;
    bool found = false;
    size_t before = ret->n;

    TRY(body_of(fs, node, &body));
    if (!is_within(&fs->nodes[body], offset, n))
        return ERR_INPUT;
    body_key(fs, body, key);
    TRY(nvm_get_part(nvm, key, offset, n, ret, &found));
    if (!found || (!ret->failed && ret->n - before != n))
        return FAULT(nvm_trace(nvm), ERR_NVM, "%s is damaged", key);
    return 0;
}

int fs_write(const struct fs *fs, struct nvm *nvm, uint16_t node, uint32_t offset, struct rd data)
{
    uint16_t body;
    struct wr contents;

    TRY(body_of(fs, node, &body));
    if (!is_within(&fs->nodes[body], offset, data.n))
        return ERR_INPUT;
    if (data.n == fs->nodes[body].size)
        return put_body(fs, nvm, body, data);
    TRY(get_body(fs, nvm, body, &contents));
    if (data.n > 0)
        memcpy(contents.p + offset, data.p, data.n);
    int err = put_body(fs, nvm, body, wr_view(&contents));
    wr_done(&contents);
    return err;
}

/* Where record r lies. */
static int find_record(const struct fs *fs, uint16_t node, unsigned r, uint32_t *ret_offset)
{
    uint16_t body;

    TRY(body_of(fs, node, &body));
    if (r == 0 || r > fs_records(&fs->nodes[body]))
        return ERR_INPUT;
    *ret_offset = (r - 1) * fs->nodes[body].record_len;
    return 0;
}

int fs_read_record(const struct fs *fs, struct nvm *nvm, uint16_t node, unsigned r, struct wr *ret)
{
    uint32_t offset;

    TRY(find_record(fs, node, r, &offset));
    return fs_read(fs, nvm, node, offset, fs->nodes[node].record_len, ret);
}

int fs_write_record(const struct fs *fs, struct nvm *nvm, uint16_t node, unsigned r, struct rd data)
{
    uint32_t offset;

    TRY(find_record(fs, node, r, &offset));
    if (data.n != fs->nodes[node].record_len)
        return ERR_INPUT;
    return fs_write(fs, nvm, node, offset, data);
}

int fs_push_record(const struct fs *fs, struct nvm *nvm, uint16_t node, struct rd data)
{
    uint16_t body;
    struct wr contents;

    TRY(body_of(fs, node, &body));
    const struct fs_node *owner = &fs->nodes[body];
    unsigned records = fs_records(owner);
    if (owner->kind != FS_KIND_CYCLIC || records == 0 || data.n != owner->record_len)
        return ERR_INPUT;
    TRY(get_body(fs, nvm, body, &contents));
    memmove(contents.p + data.n, contents.p, (records - 1) * data.n);
    memcpy(contents.p, data.p, data.n);
    int err = put_body(fs, nvm, body, wr_view(&contents));
    wr_done(&contents);
    return err;
}
