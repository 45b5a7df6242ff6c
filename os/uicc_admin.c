/* uicc_admin.c - files are made, changed in size, deleted, and moved through their life cycle
 * (TS 102 222 6, TS 102 221 11.1.14 and 11.1.15).
 *
 * Each command changes the tree in memory and stores it within its transaction; u->changed has the
 * tree loaded again when that is not committed. */
#include <string.h>

#include "os/euicc.h"
#include "os/uicc.h"

static int check_p1p2(const struct session *s, const struct apdu *a)
{
    if (a->p1 != 0 || a->p2 != 0)
        return uicc_refuse(s, a, SW_WRONG_P1P2, "P1 or P2 is not 00");
    return 0;
}

/* Files are administered where there are some, and not from within an applet. */
static int check_files(const struct session *s, const struct apdu *a)
{
    if (!uicc_has_files(&s->euicc->uicc) || (s->selected != NULL && !s->selected->serves_adfs))
        return uicc_refuse(s, a, SW_FILE_NOT_FOUND, "there are no files here");
    return 0;
}

/* --- CREATE FILE ------------------------------------------------------------------------------ */

/* The pattern, from the beginning in each record. */
static int fill_body(struct fs *fs, uint16_t node, const struct fs_fill *f)
{
    const struct fs_node *n = &fs->nodes[node];
    size_t unit = n->record_len != 0 ? n->record_len : n->size;
    uint8_t *p;

    TRY(fs_body(fs, node, &p));
    if (f->pattern.n == 0)
        return 0;
    for (size_t at = 0; at < n->size; at += unit)
        fs_fill(p + at, unit, f);
    return 0;
}

/* A file and whatever it lies in have different FIDs (TS 102 221 8.3). */
static bool is_named_above(const struct fs *fs, uint16_t df, uint16_t fid)
{
    for (; df != FS_NONE; df = fs->nodes[df].parent)
        if (fs->nodes[df].fid == fid)
            return true;
    return false;
}

/* What CREATE FILE wants, against what is there. */
static int check_new(struct session *s, const struct apdu *a, struct fs_node *n)
{
    const struct uicc *u = &s->euicc->uicc;
    uint16_t df = s->files.df;
    uint64_t room;

    n->parent = df;
    TRY(uicc_may(s, df, fs_is_df(n) ? ACCESS_DF_CREATE_DF : ACCESS_DF_CREATE_EF));
    TRY(uicc_check_end(s, a, df));
    if (fs_child(&u->fs, df, n->fid) != FS_NONE)
        return uicc_refuse(s, a, SW_FILE_EXISTS, "the DF has a file with this FID");
    if (is_named_above(&u->fs, df, n->fid))
        return uicc_refuse(s, a, SW_FILE_EXISTS, "a DF around it has this FID");
    if (n->kind == FS_KIND_ADF && fs_adf(&u->fs, rd_of(n->aid, n->aid_len), FS_NONE) != FS_NONE)
        return uicc_refuse(s, a, SW_FILE_EXISTS, "there is an ADF with this AID");
    if (n->sfi != 0 && fs_sfi(&u->fs, df, n->sfi) != FS_NONE)
        return uicc_refuse(s, a, SW_WRONG_DATA, "another EF of the DF has this SFI");
    TRY(uicc_free_room(s->euicc, &room));
    if (n->size > FS_MAX_EF || fs_node_size(n) > room)
        return uicc_refuse(s, a, SW_NOT_ENOUGH_MEMORY, "so much is not left for one file");
    return 0;
}

int uicc_create_file(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct uicc *u = &s->euicc->uicc;
    struct fs_node n;
    struct fs_fill fill;
    uint16_t node;

    (void)rsp;
    TRY(check_p1p2(s, a));
    TRY(check_files(s, a));
    if (uicc_parse_fcp(rd_of(a->data, a->lc), &n, &fill) != 0)
        return uicc_refuse(s, a, SW_WRONG_DATA, "the FCP template is no file's");
    TRY(check_new(s, a, &n));
    uint64_t before = fs_stored_size(&u->fs);
    int err = fs_add(&u->fs, &n, &node);
    if (err == ERR_INPUT)
        return uicc_refuse(s, a, SW_WRONG_DATA, "no such file can lie in this DF");
    TRY(err);
    u->changed = true;
    if (!fs_is_df(&n))
        TRY(fill_body(&u->fs, node, &fill));
    TRY(fs_store(&u->fs, s->euicc->nvm));
    TRY(uicc_account(s->euicc, before));
    return uicc_go(s, node, false);
}

/* --- DELETE FILE ------------------------------------------------------------------------------ */

/* A child of the current DF, or the DF itself. */
static uint16_t find_named(const struct session *s, const uint8_t *data)
{
    const struct fs *fs = &s->euicc->uicc.fs;
    uint16_t fid = (uint16_t)(data[0] << 8 | data[1]), df = s->files.df;
    uint16_t node = fs_child(fs, df, fid);

    return node == FS_NONE && fs->nodes[df].fid == fid ? df : node;
}

static bool is_below(const struct fs *fs, uint16_t node, uint16_t top)
{
    while (node != FS_NONE && node != top)
        node = fs->nodes[node].parent;
    return node == top;
}

/* What a session would stand in after `node` is deleted; FS_NONE: it need not move. */
static uint16_t refuge(const struct session *s, uint16_t node)
{
    const struct fs *fs = &s->euicc->uicc.fs;

    if (s->files.mount != s->euicc->uicc.mount)
        return FS_NONE;
    if (is_below(fs, s->files.df, node))
        return fs->nodes[node].parent;
    return s->files.ef != FS_NONE && is_below(fs, s->files.ef, node) ? s->files.df : FS_NONE;
}

/* Sessions leave what is going to be deleted. */
static int leave(struct session *s, uint16_t node)
{
    uint16_t to = refuge(s, node);
    const struct uicc *u = &s->euicc->uicc;

    if (s->transfer.way != TRANSFER_NONE && s->files.mount == u->mount &&
        is_below(&u->fs, s->transfer.ef, node))
        session_end_transfer(s);
    if (s->files.mount == u->mount && s->files.adf == node) {
        uicc_go_home(s);
        return 0;
    }
    return to == FS_NONE ? 0 : uicc_go(s, to, false);
}

static int leave_all(struct session *s, uint16_t node)
{
    struct euicc *e = s->euicc;

    TRY(leave(s, node)); /* it may be none of the channels' */
    for (size_t i = 0; i < CHANNEL_COUNT; i++)
        if (e->sessions[i] != NULL)
            TRY(leave(e->sessions[i], node));
    return 0;
}

/* The file's own rule, or the parent's for its children. */
static int may_delete(struct session *s, uint16_t node)
{
    int result = uicc_may(s, node, ACCESS_DELETE);

    if (result == SW_SECURITY_STATUS)
        result = uicc_may(s, s->euicc->uicc.fs.nodes[node].parent, ACCESS_DF_DELETE_CHILD);
    return result;
}

int uicc_delete_file(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct uicc *u = &s->euicc->uicc;

    (void)rsp;
    TRY(check_p1p2(s, a));
    TRY(check_files(s, a));
    if (a->lc != 2)
        return uicc_refuse(s, a, SW_WRONG_LENGTH, "an FID has two octets");
    uint16_t node = find_named(s, a->data);
    if (node == FS_NONE)
        return uicc_refuse(s, a, SW_FILE_NOT_FOUND, "there is no such file");
    if (node == FS_MF)
        return uicc_refuse(s, a, SW_CONDITIONS_OF_USE, "the MF goes with its profile");
    TRY(may_delete(s, node));
    TRY(leave_all(s, node));
    uint64_t before = fs_stored_size(&u->fs);
    u->changed = true;
    TRY(fs_delete(&u->fs, s->euicc->nvm, node));
    return uicc_account(s->euicc, before);
}

/* --- RESIZE FILE ------------------------------------------------------------------------------ */

static int check_resize(struct session *s, const struct apdu *a, uint16_t node, uint32_t size)
{
    const struct fs_node *n = &s->euicc->uicc.fs.nodes[node];
    uint64_t room;

    if (fs_is_df(n))
        return uicc_refuse(s, a, SW_WRONG_FILE_STRUCTURE, "a DF has no size");
    TRY(uicc_may(s, node, ACCESS_BY_INS | 0xD4));
    TRY(uicc_check_end(s, a, node));
    TRY(uicc_free_room(s->euicc, &room));
    if (size > FS_MAX_EF || (size > n->size && size - n->size > room))
        return uicc_refuse(s, a, SW_NOT_ENOUGH_MEMORY, "so much is not left for one file");
    if ((size == 0 && n->kind != FS_KIND_BER_TLV) || !fs_holds_records(n->record_len, size))
        return uicc_refuse(s, a, SW_WRONG_DATA, "this is not a number of whole records");
    return n->kind == FS_KIND_BER_TLV ? uicc_check_objects(s, a, node, size) : 0;
}

int uicc_resize_file(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct uicc *u = &s->euicc->uicc;
    struct fs_fill fill;
    uint16_t fid;
    uint32_t size;

    (void)rsp;
    TRY(check_p1p2(s, a));
    TRY(check_files(s, a));
    if (uicc_parse_resize(rd_of(a->data, a->lc), &fid, &size, &fill) != 0)
        return uicc_refuse(s, a, SW_WRONG_DATA, "FID and size of a file are missing");
    uint16_t node = fs_child(&u->fs, s->files.df, fid);
    if (node == FS_NONE)
        return uicc_refuse(s, a, SW_FILE_NOT_FOUND, "the DF has no such file");
    TRY(check_resize(s, a, node, size));
    uint64_t before = fs_stored_size(&u->fs);
    u->changed = true;
    TRY(fs_resize(&u->fs, s->euicc->nvm, node, size, &fill));
    return uicc_account(s->euicc, before);
}

/* --- life cycle ------------------------------------------------------------------------------- */

/* The file that is named, or without a name the current EF. */
static int find_for_life_cycle(struct session *s, const struct apdu *a, uint16_t *ret)
{
    if (a->p2 != 0)
        return uicc_refuse(s, a, SW_WRONG_P1P2, "P2 is not 00");
    TRY(check_files(s, a));
    if (a->lc != 0)
        return uicc_find_file(s, a, ret);
    if (a->p1 != 0)
        return uicc_refuse(s, a, SW_WRONG_LENGTH, "there is no path");
    *ret = s->files.ef;
    return *ret != FS_NONE ? 0 : uicc_refuse(s, a, SW_NO_EF_SELECTED, "no EF is selected");
}

static int set_life_cycle(struct session *s, const struct apdu *a, uint16_t node, unsigned mode,
                          enum fs_life_cycle to)
{
    struct uicc *u = &s->euicc->uicc;
    struct fs_node *n = &u->fs.nodes[node];

    TRY(uicc_may(s, node, mode));
    TRY(uicc_check_end(s, a, node));
    u->changed = true;
    n->life_cycle = (uint8_t)to;
    return fs_store_tree(&u->fs, s->euicc->nvm);
}

int uicc_activate_file(struct session *s, const struct apdu *a, struct wr *rsp)
{
    uint16_t node;

    (void)rsp;
    TRY(find_for_life_cycle(s, a, &node));
    return set_life_cycle(s, a, node, ACCESS_ACTIVATE, FS_LCS_ACTIVATED);
}

int uicc_deactivate_file(struct session *s, const struct apdu *a, struct wr *rsp)
{
    uint16_t node;

    (void)rsp;
    TRY(find_for_life_cycle(s, a, &node));
    if (node == FS_MF)
        return uicc_refuse(s, a, SW_CONDITIONS_OF_USE, "nothing would be left");
    return set_life_cycle(s, a, node, ACCESS_DEACTIVATE, FS_LCS_DEACTIVATED);
}

static int terminate(struct session *s, const struct apdu *a, bool df)
{
    uint16_t node;

    TRY(find_for_life_cycle(s, a, &node));
    if (fs_is_df(&s->euicc->uicc.fs.nodes[node]) != df || node == FS_MF)
        return uicc_refuse(s, a, SW_WRONG_FILE_STRUCTURE, "this is not for files of this kind");
    return set_life_cycle(s, a, node, ACCESS_TERMINATE, FS_LCS_TERMINATED);
}

int uicc_terminate_ef(struct session *s, const struct apdu *a, struct wr *rsp)
{
    (void)rsp;
    return terminate(s, a, false);
}

int uicc_terminate_df(struct session *s, const struct apdu *a, struct wr *rsp)
{
    (void)rsp;
    return terminate(s, a, true);
}

/* A card that is an eUICC cannot end with one of its profiles: the profile's MF is terminated. */
int uicc_terminate_card_usage(struct session *s, const struct apdu *a, struct wr *rsp)
{
    (void)rsp;
    TRY(check_p1p2(s, a));
    TRY(check_files(s, a));
    return set_life_cycle(s, a, FS_MF, ACCESS_TERMINATE, FS_LCS_TERMINATED);
}
