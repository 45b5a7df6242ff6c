/* access.c - access rules of files: which record of which EF.ARR, which rule in it, and whether its
 * condition holds (TS 102 221 9.2, ISO 7816-4 5.4.3).
 *
 * A record is a list of rules, an access mode and what follows it up to the next one; the first
 * rule for the access that is asked for decides, and without one it is never allowed.  Conditions
 * have a third value, "cannot be told", for whatever this card does not do (secure messaging,
 * external authentication) or cannot read: it never allows, not even negated. */
#include "os/access.h"

#include "card/sw.h"
#include "os/crypto.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    FID_MF_ARR = 0x2F06, /* always the one below the MF */

    AM_BITS = 0x80,
    AM_HEADER_FIRST = 0x81, /* command header: which octets of it follow, by the tag's low bits */
    AM_HEADER_LAST = 0x8F,
    AM_HEADER_CLA = 0x08,
    AM_HEADER_INS = 0x04,
    AM_PROPRIETARY = 0x9C,
    AM_BITS_PROPRIETARY = 0x80, /* b8 set: b7 to b4 mean something else (ISO 7816-4 table 16) */
    AM_BITS_COMMON = 0x07,

    SC_ALWAYS = 0x90,
    SC_NEVER = 0x97,
    SC_BYTE = 0x9E,
    SC_USER_AUTHENTICATION = 0xA4,
    SC_CHECKSUM = 0xB4,
    SC_SIGNATURE = 0xB6,
    SC_CONFIDENTIALITY = 0xB8,
    SC_OR = 0xA0,
    SC_AND = 0xA7,
    SC_NOT = 0xAF,

    TAG_KEY_REFERENCE = 0x83,
    TAG_USAGE = 0x95,
    USAGE_PASSWORD = 0x08, /* user authentication, knowledge based */

    LOCAL_REFERENCE = 0x80,
    MAX_NESTING = 4,
    INS_MASK = 0xFF,
};

/* In order: AND is the least, OR the greatest, NOT the mirror image. */
enum truth { NO, UNTOLD, YES };

/* One question about one file. */
struct question {
    const struct access_context *c;
    uint16_t df; /* whose local PINs count: the file's DF, or the DF that is asked about */
    unsigned mode;
};

/* --- PINs ------------------------------------------------------------------------------------- */

int access_find_pin(const struct access_context *c, uint16_t df, uint8_t reference, struct pin *ret,
                    bool *ret_found)
{
    bool found = false;

    if (!(reference & LOCAL_REFERENCE))
        df = FS_MF;
    while (df < c->fs->n) {
        TRY(pin_load(c->nvm, c->prefix, df, reference, ret, &found));
        if (found || df == FS_MF)
            break;
        df = c->fs->nodes[df].parent;
    }
    if (found && ret->replaced) /* to its own verification it is a disabled one */
        ret->attributes &= 0xFF & ~PIN_ENABLED;
    *ret_found = found;
    return 0;
}

/* Verified, disabled, or the universal PIN in its place (TS 102 221 9.5.1).  Of a PIN that is not
 * there nothing can be told. */
static int is_satisfied(const struct question *q, uint8_t reference, enum truth *ret)
{
    struct pin pin;
    bool found = false, satisfied = false;

    *ret = UNTOLD;
    TRY(access_find_pin(q->c, q->df, reference, &pin, &found));
    if (!found)
        return 0;
    int err = pin_is_satisfied(q->c->nvm, q->c->prefix, q->c->pins, &pin, &satisfied);
    crypto_wipe(&pin, sizeof pin);
    *ret = satisfied ? YES : NO;
    return err;
}

/* --- conditions ------------------------------------------------------------------------------- */

/* Everything that a remote party with full access fulfils, and the terminal cannot. */
static enum truth beyond_terminal(const struct question *q)
{
    return q->c->all_but_never ? YES : UNTOLD;
}

static int user_authentication(const struct question *q, struct rd crt, enum truth *ret)
{
    struct tlv reference, usage;

    *ret = beyond_terminal(q);
    if (*ret == YES)
        return 0;
    if (!tlv_find(crt, TAG_KEY_REFERENCE, &reference) || reference.value.n != 1)
        return 0;
    if (tlv_find(crt, TAG_USAGE, &usage) &&
        (usage.value.n != 1 || !(usage.value.p[0] & USAGE_PASSWORD)))
        return 0;
    return is_satisfied(q, reference.value.p[0], ret);
}

/* ISO 7816-4 table 20, of which only the two ends need no security environment. */
static enum truth condition_byte(const struct question *q, struct rd value)
{
    if (value.n != 1)
        return UNTOLD;
    return value.p[0] == 0x00 ? YES : value.p[0] == 0xFF ? NO : beyond_terminal(q);
}

static int condition(const struct question *q, const struct tlv *sc, unsigned nesting,
                     enum truth *ret);

/* The conditions in a template together.  Nothing in it, or nothing readable, cannot be told. */
static int together(const struct question *q, struct rd list, bool all, unsigned nesting,
                    enum truth *ret)
{
    enum truth sum = list.n == 0 ? UNTOLD : all ? YES : NO;
    struct tlv sc;

    while (list.n > 0) {
        enum truth one = UNTOLD;
        if (tlv_get(&list, &sc) == 0)
            TRY(condition(q, &sc, nesting, &one));
        else
            list.n = 0;
        if (all ? one < sum : one > sum)
            sum = one;
    }
    *ret = sum;
    return 0;
}

static int not_any(const struct question *q, struct rd list, unsigned nesting, enum truth *ret)
{
    enum truth any;

    TRY(together(q, list, false, nesting, &any));
    *ret = q->c->all_but_never ? YES : (enum truth)(YES - any);
    return 0;
}

static int condition(const struct question *q, const struct tlv *sc, unsigned nesting,
                     enum truth *ret)
{
    *ret = UNTOLD;
    if (nesting == MAX_NESTING)
        return 0;
    switch (sc->tag) {
    case SC_ALWAYS:
        *ret = YES;
        return 0;
    case SC_NEVER:
        *ret = NO;
        return 0;
    case SC_BYTE:
        *ret = condition_byte(q, sc->value);
        return 0;
    case SC_USER_AUTHENTICATION:
        return user_authentication(q, sc->value, ret);
    case SC_CHECKSUM:
    case SC_SIGNATURE:
    case SC_CONFIDENTIALITY:
        *ret = beyond_terminal(q);
        return 0;
    case SC_OR:
        return together(q, sc->value, false, nesting + 1, ret);
    case SC_AND:
        return together(q, sc->value, true, nesting + 1, ret);
    case SC_NOT:
        return not_any(q, sc->value, nesting + 1, ret);
    default:
        return 0;
    }
}

/* --- rules ------------------------------------------------------------------------------------ */

static bool is_access_mode(uint32_t tag)
{
    return (tag >= AM_BITS && tag <= AM_HEADER_LAST) || tag == AM_PROPRIETARY;
}

static bool covers_bits(struct rd value, unsigned mode)
{
    if (value.n != 1)
        return false;
    unsigned bits = value.p[0];
    if (bits & AM_BITS_PROPRIETARY)
        bits &= AM_BITS_COMMON;
    return bits & mode;
}

/* Descriptions of commands, one after the other.  Of what is asked here the instruction says it
 * all; class and parameters are passed over. */
static bool covers_header(uint32_t tag, struct rd value, uint8_t ins)
{
    size_t at = tag & AM_HEADER_CLA ? 1 : 0, step = 0;
    struct rd description;

    if (!(tag & AM_HEADER_INS))
        return false;
    for (unsigned bit = AM_HEADER_CLA; bit > 0; bit >>= 1)
        step += tag & bit ? 1 : 0;
    while (rd_take(&value, step, &description) == 0)
        if (description.p[at] == ins)
            return true;
    return false;
}

static bool covers(const struct tlv *am, unsigned mode)
{
    if (mode & ACCESS_BY_INS)
        return am->tag >= AM_HEADER_FIRST && am->tag <= AM_HEADER_LAST &&
               covers_header(am->tag, am->value, mode & INS_MASK);
    return am->tag == AM_BITS && covers_bits(am->value, mode);
}

/* Takes the next object of a record; false at its end, its padding, or what is no object. */
static bool take(struct rd *record, struct tlv *ret)
{
    return record->n > 0 && record->p[0] != 0xFF && record->p[0] != 0x00 &&
           tlv_get(record, ret) == 0;
}

/* The first rule for the mode; several conditions in it are alternatives. */
static int decide(const struct question *q, struct rd record, enum truth *ret)
{
    struct tlv t;
    bool mine = false;
    enum truth sum = NO, one;

    while (take(&record, &t)) {
        if (is_access_mode(t.tag)) {
            if (mine)
                break;
            mine = covers(&t, q->mode);
        } else if (mine) {
            TRY(condition(q, &t, 0, &one));
            sum = one > sum ? one : sum;
        }
    }
    *ret = sum;
    return 0;
}

/* --- EF.ARR ----------------------------------------------------------------------------------- */

/* The EF.ARR of a file: from the DF that it lies in upwards to its ADF or the MF; for an ADF and
 * the MF itself, below the MF. */
static uint16_t find_arr(const struct fs *fs, uint16_t node)
{
    const struct fs_node *n = &fs->nodes[node];
    uint16_t df = n->kind == FS_KIND_MF ? FS_MF : n->parent;

    if (n->arr_fid == FID_MF_ARR)
        return fs_child(fs, FS_MF, FID_MF_ARR);
    for (;;) {
        uint16_t arr = fs_child(fs, df, n->arr_fid);
        if (arr != FS_NONE || df == fs_application(fs, df))
            return arr;
        df = fs->nodes[df].parent;
    }
}

int access_check(const struct access_context *c, uint16_t node, unsigned mode)
{
    uint8_t octets[FS_MAX_RECORD];
    struct wr record;
    enum truth allowed;

    if (node >= c->fs->n || c->fs->nodes[node].deleted)
        return ERR_BUG;
    const struct fs_node *n = &c->fs->nodes[node];
    uint16_t arr = n->arr_record != 0 ? find_arr(c->fs, node) : FS_NONE;
    if (arr == FS_NONE || c->fs->nodes[arr].kind != FS_KIND_LINEAR ||
        n->arr_record > fs_records(&c->fs->nodes[arr]))
        return SW_SECURITY_STATUS;
    wr_init(&record, octets, sizeof octets);
    TRY(fs_read_record(c->fs, c->nvm, arr, n->arr_record, &record));
    struct question q = { .c = c, .df = fs_is_df(n) ? node : n->parent, .mode = mode };
    TRY(decide(&q, wr_view(&record), &allowed));
    return allowed == YES ? 0 : SW_SECURITY_STATUS;
}
