/* uicc_mount.c - which profile's files are the card's, where sessions stand in them, and what the
 * handlers of file commands have in common (TS 102 221 8).
 *
 * struct uicc is volatile.  The tree of the mounted profile is in memory; a handler that changes it
 * stores it and says so (changed), and when the dispatcher does not commit, the tree is loaded
 * again.  Every mount has a number, and a session remembers the number of the tree that it stands
 * in: after another mount it is at the MF again before its next command, whoever owns it. */
#include "os/euicc.h"
#include "os/uicc.h"

/* --- mounting --------------------------------------------------------------------------------- */

void uicc_want(struct euicc *e, uint16_t profile)
{
    e->uicc.wanted = profile;
}

void uicc_unmount(struct euicc *e)
{
    struct uicc *u = &e->uicc;

    fs_done(&u->fs);
    *u = (struct uicc){ .mount = u->mount + 1 };
}

int uicc_mount(struct euicc *e)
{
    struct uicc *u = &e->uicc;
    uint16_t profile = u->wanted;

    if (profile == u->mounted)
        return 0;
    cat_profile_changed(&e->cat);
    uicc_unmount(e);
    if (profile == 0)
        return 0;
    fs_init(&u->fs, profile);
    int err = fs_load(&u->fs, e->nvm);
    if (err != 0) {
        uicc_unmount(e);
        return err;
    }
    u->mounted = u->wanted = profile;
    trace_note(&e->trace, "profile %04X has %zu files", profile, u->fs.n);
    return 0;
}

/* The tree as it is stored.  Sessions may stand in what is not in it. */
static int reload(struct euicc *e)
{
    e->uicc.mount++;
    return fs_load(&e->uicc.fs, e->nvm);
}

void uicc_settle(struct euicc *e, bool committed)
{
    struct uicc *u = &e->uicc;
    int err = 0;

    if (!committed)
        u->wanted = u->mounted;
    if (u->wanted != u->mounted)
        err = uicc_mount(e);
    else if (u->changed && !committed)
        err = reload(e);
    u->changed = false;
    if (err == 0)
        return;
    /* The command is over and answered; what can be done is to go on without files. */
    trace_check(&e->trace, "the profile's files cannot be used: %s", err_name(err));
    uicc_unmount(e);
}

/* --- sessions --------------------------------------------------------------------------------- */

static struct file_state at_mf(const struct session *s)
{
    return (struct file_state){
        .adf = FS_NONE, .df = FS_MF, .ef = FS_NONE, .mount = s->euicc->uicc.mount
    };
}

/* Has it selected an application without files, such as the ISD-R? */
static bool is_at_applet(const struct session *s)
{
    return s->selected != NULL && !s->selected->serves_adfs;
}

int uicc_go_to_applet(struct session *s, const struct applet *applet, struct wr *fci)
{
    TRY(session_select(s, applet, fci));
    session_end_transfer(s);
    s->files = at_mf(s);
    return 0;
}

void uicc_go_home(struct session *s)
{
    (void)uicc_go_to_applet(s, NULL, NULL); /* nobody is there to refuse */
}

void uicc_follow(struct session *s)
{
    if (s->files.mount == s->euicc->uicc.mount)
        return;
    session_end_transfer(s);
    s->files = at_mf(s);
    if (!is_at_applet(s))
        uicc_go_home(s);
}

/* Selects whoever serves an application's ADF: an applet, or nobody but the UICC. */
static int begin_application(struct session *s, uint16_t adf)
{
    const struct fs_node *n = &s->euicc->uicc.fs.nodes[adf];
    uint8_t octets[256]; /* for an FCI, in whose place the FCP is answered */
    struct wr fci;

    wr_init(&fci, octets, sizeof octets);
    return session_select(s, registry_server(&s->euicc->registry, rd_of(n->aid, n->aid_len)), &fci);
}

int uicc_go(struct session *s, uint16_t node, bool anew)
{
    const struct uicc *u = &s->euicc->uicc;
    struct file_state to = at_mf(s);
    uint16_t application = uicc_has_files(u) ? fs_application(&u->fs, node) : FS_MF;

    if (application != FS_MF) {
        if (anew || application != s->files.adf)
            TRY(begin_application(s, application));
        to.adf = application;
    } else if (is_at_applet(s)) {
        uicc_go_home(s);
    } else {
        to.adf = s->files.adf; /* it goes on while files of the MF are visited */
    }
    to.df = node;
    if (uicc_has_files(u) && !fs_is_df(&u->fs.nodes[node])) {
        to.ef = node;
        to.df = u->fs.nodes[node].parent;
        to.record = u->fs.nodes[node].kind == FS_KIND_CYCLIC; /* the newest */
    }
    session_end_transfer(s);
    s->files = to;
    return 0;
}

bool uicc_is_taken(const struct session *s, uint16_t node)
{
    struct session *const *all = s->euicc->sessions;
    const struct uicc *u = &s->euicc->uicc;

    if (!uicc_has_files(u) || u->fs.nodes[node].shareable)
        return false;
    for (size_t i = 0; i < CHANNEL_COUNT; i++)
        if (all[i] != NULL && all[i] != s && all[i]->files.mount == u->mount &&
            (all[i]->files.df == node || all[i]->files.ef == node))
            return true;
    return false;
}

int uicc_go_along(struct session *s, const struct session *with)
{
    s->files = at_mf(s);
    if (uicc_is_taken(s, with->files.df))
        return SW_CONDITIONS_OF_USE;
    if (with->files.adf != FS_NONE)
        TRY(uicc_go(s, with->files.adf, true));
    return uicc_go(s, with->files.df, false);
}

/* --- what handlers have in common ------------------------------------------------------------- */

bool uicc_is_deactivated(const struct fs_node *n)
{
    return (n->life_cycle & ~0x02) == FS_LCS_DEACTIVATED; /* 04 and 06 */
}

bool uicc_is_terminated(const struct fs_node *n)
{
    return (n->life_cycle & ~0x03) == FS_LCS_TERMINATED; /* 0C to 0F */
}

static const struct command *find_row(const struct command *rows, size_t n, uint8_t ins)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].ins == ins)
            return &rows[i];
    return NULL;
}

int uicc_refuse(const struct session *s, const struct apdu *a, int sw, const char *why)
{
    static const struct command none = { .name = "?", .spec = "?" };
    const struct applet *selected = s->selected;
    const struct command *row = NULL;

    if (selected != NULL)
        row = find_row(selected->commands, selected->n_commands, a->ins);
    if (row == NULL)
        row = find_row(uicc_commands, uicc_n_commands, a->ins);
    if (row == NULL)
        row = &none;
    trace_check(&s->euicc->trace, "%s: %s: %s (%s)", row->name, why, sw_text((uint16_t)sw),
                row->spec);
    return sw;
}

struct access_context uicc_access(const struct session *s)
{
    const struct uicc *u = &s->euicc->uicc;

    return (struct access_context){
        .fs = &u->fs,
        .nvm = s->euicc->nvm,
        .pins = &u->pins,
        .prefix = u->fs.prefix,
        .all_but_never = s->remote,
    };
}

int uicc_may(struct session *s, uint16_t node, unsigned mode)
{
    const struct access_context c = uicc_access(s);
    int result = access_check(&c, node, mode);

    if (result > 0)
        trace_check(&s->euicc->trace, "file %04X: access %03X is not granted (TS 102 221 9.2)",
                    c.fs->nodes[node].fid, mode);
    return result;
}

/* Whoever keeps account of the storage; NULL: nobody, and every profile may have all of it. */
static const struct applet *accountant(const struct euicc *e)
{
    for (size_t i = 0; i < e->registry.n; i++)
        if (e->registry.applets[i]->take_room != NULL)
            return e->registry.applets[i];
    return NULL;
}

int uicc_free_room(struct euicc *e, uint64_t *ret)
{
    const struct applet *applet = accountant(e);
    uint64_t total = setting_number(&e->settings, SET_NVM_TOTAL);
    uint64_t used = fs_stored_size(&e->uicc.fs);

    if (applet != NULL)
        return applet->free_room(e, ret);
    *ret = used < total ? total - used : 0;
    return 0;
}

int uicc_account(struct euicc *e, uint64_t before)
{
    const struct applet *applet = accountant(e);
    uint64_t after = fs_stored_size(&e->uicc.fs);

    return applet == NULL || after == before ? 0 : applet->take_room(e, (int64_t)(after - before));
}

int uicc_check_end(const struct session *s, const struct apdu *a, uint16_t node)
{
    const struct fs_node *nodes = s->euicc->uicc.fs.nodes;

    for (; node != FS_NONE; node = nodes[node].parent)
        if (uicc_is_terminated(&nodes[node]))
            return uicc_refuse(s, a, SW_CONDITIONS_OF_USE, "the file is terminated for ever");
    return 0;
}

/* A terminated file cannot be used; a deactivated one only if its special file information says so
 * (TS 102 221 11.1.1.4.6). */
static int check_life_cycle(const struct session *s, const struct apdu *a, uint16_t node)
{
    const struct fs_node *nodes = s->euicc->uicc.fs.nodes;

    if (uicc_is_deactivated(&nodes[node]) &&
        !(nodes[node].special & FS_SPECIAL_USABLE_WHEN_DEACTIVATED))
        return uicc_refuse(s, a, SW_INVALIDATED, "the file is deactivated");
    return uicc_check_end(s, a, node);
}

int uicc_target(struct session *s, const struct apdu *a, const struct uicc_wanted *w, uint16_t *ret)
{
    const struct uicc *u = &s->euicc->uicc;
    uint16_t ef = s->files.ef;

    if (w->sfi != 0) {
        ef = !uicc_has_files(u) || is_at_applet(s) ? FS_NONE : fs_sfi(&u->fs, s->files.df, w->sfi);
        if (ef == FS_NONE)
            return uicc_refuse(s, a, SW_FILE_NOT_FOUND, "no EF of the current DF has this SFI");
        if (uicc_is_taken(s, ef))
            return uicc_refuse(s, a, SW_CONDITIONS_OF_USE,
                               "it is not shareable, and current on another channel");
    }
    if (ef == FS_NONE)
        return uicc_refuse(s, a, SW_NO_EF_SELECTED, "no EF is selected");
    if (!(w->kinds & 1u << u->fs.nodes[ef].kind))
        return uicc_refuse(s, a, SW_WRONG_FILE_STRUCTURE, "this is not for files of this kind");
    TRY(uicc_may(s, ef, w->mode));
    TRY(check_life_cycle(s, a, ef));
    *ret = ef;
    return 0;
}
