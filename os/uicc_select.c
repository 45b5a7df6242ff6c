/* uicc_select.c - SELECT and STATUS (TS 102 221 8.4, 11.1.1, 11.1.2).
 *
 * What is current on a channel changes only when everything about a SELECT is right. */
#include "os/euicc.h"
#include "os/tlv.h"
#include "os/uicc.h"

enum select_by { /* P1, TS 102 221 11.1.1.2 */
                 BY_FID = 0x00,
                 BY_CHILD_DF = 0x01,
                 BY_PARENT = 0x03,
                 BY_AID = 0x04,
                 BY_PATH_FROM_MF = 0x08,
                 BY_PATH_FROM_CURRENT = 0x09,
};

enum { /* P2 */
       P2_RFU = 0xA0,
       P2_TERMINATE = 0x40,
       P2_ANSWER = 0x1C,
       P2_OCCURRENCE = 0x03,

       ANSWER_FCI = 0x00,
       ANSWER_FCP = 0x04,
       ANSWER_NOTHING = 0x0C,

       OCCURRENCE_FIRST = 0x00,
       OCCURRENCE_LAST = 0x01,
       OCCURRENCE_NEXT = 0x02,
       OCCURRENCE_PREVIOUS = 0x03,
};

/* --- by file ---------------------------------------------------------------------------------- */

static uint16_t fid_at(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

/* TS 102 221 8.4.2: children of the current DF, DFs beside it, its parent, itself; and from
 * everywhere the MF and the current application. */
static uint16_t find_by_fid(const struct session *s, uint16_t fid)
{
    const struct fs *fs = &s->euicc->uicc.fs;
    uint16_t df = s->files.df, found;

    if (fid == FID_MF)
        return FS_MF;
    if (fid == FID_CURRENT_ADF)
        return s->files.adf;
    if (!uicc_has_files(&s->euicc->uicc))
        return FS_NONE;
    found = fs_child(fs, df, fid);
    if (found != FS_NONE)
        return found;
    uint16_t parent = fs->nodes[df].parent;
    if (parent != FS_NONE) {
        found = fs_child(fs, parent, fid);
        if (found != FS_NONE && fs_is_df(&fs->nodes[found]))
            return found;
        if (fs->nodes[parent].fid == fid)
            return parent;
    }
    return fs->nodes[df].fid == fid ? df : FS_NONE;
}

static uint16_t find_by_path(const struct session *s, uint16_t from, struct rd path)
{
    const struct uicc *u = &s->euicc->uicc;

    if (from == FS_MF && path.n >= 2 && fid_at(path.p) == FID_MF)
        path = rd_of(path.p + 2, path.n - 2);
    else if (from == FS_MF && path.n >= 2 && fid_at(path.p) == FID_CURRENT_ADF) {
        from = s->files.adf;
        path = rd_of(path.p + 2, path.n - 2);
    }
    if (path.n == 0)
        return from;
    return uicc_has_files(u) && from != FS_NONE ? fs_path(&u->fs, from, path) : FS_NONE;
}

int uicc_find_file(const struct session *s, const struct apdu *a, uint16_t *ret)
{
    const struct uicc *u = &s->euicc->uicc;
    struct rd data = rd_of(a->data, a->lc);

    switch (a->p1) {
    case BY_FID:
        if (data.n != 0 && data.n != 2)
            return uicc_refuse(s, a, SW_WRONG_LENGTH, "an FID has two octets");
        *ret = data.n == 0 ? FS_MF : find_by_fid(s, fid_at(data.p));
        break;
    case BY_CHILD_DF:
        if (data.n != 2)
            return uicc_refuse(s, a, SW_WRONG_LENGTH, "an FID has two octets");
        *ret = uicc_has_files(u) ? fs_child(&u->fs, s->files.df, fid_at(data.p)) : FS_NONE;
        if (*ret != FS_NONE && !fs_is_df(&u->fs.nodes[*ret]))
            *ret = FS_NONE;
        break;
    case BY_PARENT:
        if (data.n != 0)
            return uicc_refuse(s, a, SW_WRONG_LENGTH, "the parent needs no name");
        *ret = uicc_has_files(u) ? u->fs.nodes[s->files.df].parent : FS_NONE;
        break;
    case BY_PATH_FROM_MF:
    case BY_PATH_FROM_CURRENT:
        if (data.n % 2 != 0 || (data.n == 0 && a->p1 == BY_PATH_FROM_CURRENT))
            return uicc_refuse(s, a, SW_WRONG_LENGTH, "a path is of FIDs, two octets each");
        *ret = find_by_path(s, a->p1 == BY_PATH_FROM_MF ? FS_MF : s->files.df, data);
        break;
    default:
        return uicc_refuse(s, a, SW_WRONG_P1P2, "P1 is reserved");
    }
    if (*ret == FS_NONE)
        return uicc_refuse(s, a, SW_FILE_NOT_FOUND, "there is no such file");
    return 0;
}

static int go_and_tell(struct session *s, const struct apdu *a, uint16_t node, struct wr *rsp)
{
    const struct uicc *u = &s->euicc->uicc;

    if (uicc_is_taken(s, node))
        return uicc_refuse(s, a, SW_CONDITIONS_OF_USE,
                           "it is not shareable, and current on another channel");
    TRY(uicc_go(s, node, a->p1 == BY_AID));
    if ((a->p2 & P2_ANSWER) != ANSWER_NOTHING)
        TRY(uicc_put_fcp(s, node, rsp));
    if (!uicc_has_files(u))
        return 0;
    if (uicc_is_terminated(&u->fs.nodes[node]))
        return SW_TERMINATED;
    return uicc_is_deactivated(&u->fs.nodes[node]) ? SW_DEACTIVATED : 0;
}

/* --- by AID ----------------------------------------------------------------------------------- */

/* An ADF, or an applet without files; neither: there is none. */
struct application {
    uint16_t adf;
    const struct applet *applet;
};

static const struct application no_application = { FS_NONE, NULL };

static bool is_none(struct application x)
{
    return x.adf == FS_NONE && x.applet == NULL;
}

static struct application current_application(const struct session *s)
{
    if (s->files.adf != FS_NONE)
        return (struct application){ s->files.adf, NULL };
    return (struct application){ FS_NONE, s->selected };
}

/* The one behind `after` whose AID begins with aid: ADFs come first. */
static struct application next_application(const struct session *s, struct rd aid,
                                           struct application after)
{
    const struct euicc *e = s->euicc;
    uint16_t adf = FS_NONE;

    if (after.applet == NULL)
        adf = fs_adf(&e->uicc.fs, aid, after.adf);
    if (adf != FS_NONE)
        return (struct application){ adf, NULL };
    return (struct application){ FS_NONE, registry_find(&e->registry, aid, after.applet) };
}

/* The last one before `end`, or the last of all. */
static struct application last_application(const struct session *s, struct rd aid,
                                           struct application end)
{
    struct application last = no_application, x = no_application;

    for (;;) {
        x = next_application(s, aid, x);
        if (is_none(x) || (x.adf == end.adf && x.applet == end.applet))
            return last;
        last = x;
    }
}

static struct application find_application(const struct session *s, const struct apdu *a)
{
    struct rd aid = rd_of(a->data, a->lc);

    switch (a->p2 & P2_OCCURRENCE) {
    case OCCURRENCE_LAST:
        return last_application(s, aid, no_application);
    case OCCURRENCE_NEXT:
        return next_application(s, aid, current_application(s));
    case OCCURRENCE_PREVIOUS:
        return last_application(s, aid, current_application(s));
    default:
        return next_application(s, aid, no_application);
    }
}

/* One that a profile made and an applet serves, such as its security domains. */
static int find_claimed(struct session *s, struct rd aid, struct application *ret)
{
    const struct registry *r = &s->euicc->registry;
    bool claimed = false;

    for (size_t i = 0; i < r->n && !claimed; i++) {
        const struct applet *x = r->applets[i];
        if (x->claims_aid == NULL)
            continue;
        TRY(x->claims_aid(s, aid, &claimed));
        if (claimed)
            *ret = (struct application){ FS_NONE, x };
    }
    return 0;
}

/* Is a PIN verified for this application: local to it, or its application PIN, which others may
 * have as well?  The universal PIN and ADMs are nobody's. */
static bool is_of_application(const struct fs *fs, uint16_t adf, const struct pin_verified *v)
{
    if (v->context != FS_MF)
        return fs_application(fs, v->context) == adf;
    return v->reference == access_application_pin(&fs->nodes[adf]);
}

static bool is_of_open_application(const struct euicc *e, const struct pin_verified *v)
{
    for (size_t i = 0; i < CHANNEL_COUNT; i++) {
        const struct session *s = e->sessions[i];
        if (s != NULL && s->files.mount == e->uicc.mount && s->files.adf != FS_NONE &&
            is_of_application(&e->uicc.fs, s->files.adf, v))
            return true;
    }
    return false;
}

/* An application's last session has ended (TS 102 221 9.4). */
static void forget_pins(struct euicc *e, uint16_t adf)
{
    struct pin_status *pins = &e->uicc.pins;

    for (unsigned i = pins->n; i-- > 0;)
        if (is_of_application(&e->uicc.fs, adf, &pins->verified[i]) &&
            !is_of_open_application(e, &pins->verified[i]))
            pin_forget(pins, i);
}

/* The AID of what goes on, and nothing goes on any more (TS 102 221 11.1.1.2). */
static int terminate_application(struct session *s, const struct apdu *a)
{
    struct application now = current_application(s);
    const struct fs_node *n = now.adf != FS_NONE ? &s->euicc->uicc.fs.nodes[now.adf] : NULL;
    struct rd own = n != NULL            ? rd_of(n->aid, n->aid_len)
                    : now.applet != NULL ? rd_of(now.applet->aid, now.applet->aid_len)
                                         : rd_of(NULL, 0);

    if (is_none(now) || a->lc > own.n || !rd_equal(rd_of(a->data, a->lc), rd_of(own.p, a->lc)))
        return uicc_refuse(s, a, SW_FILE_NOT_FOUND, "this application is not the current one");
    uicc_go_home(s);
    if (now.adf != FS_NONE)
        forget_pins(s->euicc, now.adf);
    return 0;
}

static int select_by_aid(struct session *s, const struct apdu *a, struct wr *rsp)
{
    if (a->lc == 0)
        return uicc_refuse(s, a, SW_FILE_NOT_FOUND, "there is no AID");
    if (a->p2 & P2_TERMINATE)
        return terminate_application(s, a);
    struct application found = find_application(s, a);
    if (is_none(found) && (a->p2 & P2_OCCURRENCE) == OCCURRENCE_FIRST)
        TRY(find_claimed(s, rd_of(a->data, a->lc), &found));
    if (is_none(found))
        return uicc_refuse(s, a, SW_FILE_NOT_FOUND, "no application has this AID");
    if (found.applet == NULL)
        return go_and_tell(s, a, found.adf, rsp);
    TRY(uicc_go_to_applet(s, found.applet, rsp));
    if ((a->p2 & P2_ANSWER) == ANSWER_NOTHING)
        wr_clear(rsp);
    return 0;
}

/* --- the commands ----------------------------------------------------------------------------- */

static bool is_p2_defined(const struct apdu *a)
{
    uint8_t answer = a->p2 & P2_ANSWER;

    if ((a->p2 & P2_RFU) ||
        (answer != ANSWER_FCI && answer != ANSWER_FCP && answer != ANSWER_NOTHING))
        return false;
    return a->p1 == BY_AID || (a->p2 & (P2_TERMINATE | P2_OCCURRENCE)) == 0;
}

int uicc_select(struct session *s, const struct apdu *a, struct wr *rsp)
{
    uint16_t node;

    if (!is_p2_defined(a))
        return uicc_refuse(s, a, SW_WRONG_P1P2, "P2 is reserved");
    if (a->p1 == BY_AID)
        return select_by_aid(s, a, rsp);
    TRY(uicc_find_file(s, a, &node));
    return go_and_tell(s, a, node, rsp);
}

static int put_status(struct session *s, const struct apdu *a, struct wr *rsp)
{
    enum { P1_MAX = 2, RETURN_FCP = 0x00, RETURN_AID = 0x01, RETURN_NOTHING = 0x0C };
    const struct applet *applet = s->files.adf == FS_NONE ? s->selected : NULL;

    if (a->p1 > P1_MAX)
        return uicc_refuse(s, a, SW_WRONG_P1P2, "P1 is reserved");
    switch (a->p2) {
    case RETURN_FCP:
        if (applet != NULL && applet->select != NULL)
            return applet->select(s, rsp);
        return uicc_put_fcp(s, s->files.df, rsp);
    case RETURN_AID:
        if (applet != NULL) {
            tlv_put(rsp, 0x84, rd_of(applet->aid, applet->aid_len));
        } else if (s->files.adf != FS_NONE) {
            const struct fs_node *n = &s->euicc->uicc.fs.nodes[s->files.adf];
            tlv_put(rsp, 0x84, rd_of(n->aid, n->aid_len));
        }
        return 0;
    case RETURN_NOTHING:
        return 0;
    default:
        return uicc_refuse(s, a, SW_WRONG_P1P2, "P2 is reserved");
    }
}

int uicc_status(struct session *s, const struct apdu *a, struct wr *rsp)
{
    int result = put_status(s, a, rsp);

    return result == 0 ? cat_tell_status(s->euicc) : result;
}
