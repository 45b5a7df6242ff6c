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

    SE_OF_DISABLED_PIN = 0x00, /* security environments, TS 102 221 9.3 */
    SE_OF_ENABLED_PIN = 0x01,

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

uint8_t access_application_pin(const struct fs_node *application)
{
    for (size_t i = 0; i < application->n_pins; i++)
        if (pin_is_application_pin(application->pins[i]))
            return application->pins[i];
    return 0;
}

/* --- security environments -------------------------------------------------------------------- */

int access_parse_reference(struct rd reference, struct fs_node *ret)
{
    struct rd fid, pair;
    uint8_t records[2] = { 0 }; /* by environment */

    if (rd_take(&reference, 2, &fid) != 0 || reference.n == 0)
        return ERR_INPUT;
    if (reference.n == 1)
        records[SE_OF_ENABLED_PIN] = reference.p[0];
    else if (reference.n % 2 != 0)
        return ERR_INPUT;
    while (rd_take(&reference, 2, &pair) == 0)
        if (pair.p[0] < N_ELEMS(records) && records[pair.p[0]] == 0)
            records[pair.p[0]] = pair.p[1];
    ret->arr_fid = (uint16_t)(fid.p[0] << 8 | fid.p[1]);
    ret->arr_record = records[SE_OF_ENABLED_PIN];
    ret->arr_record_se00 = records[SE_OF_DISABLED_PIN];
    return 0;
}

/* Environment 00 is in force while the application's PIN is disabled.  One that the universal PIN
 * has replaced is not: somebody has to be verified still. */
static int is_pin_disabled(const struct access_context *c, uint16_t node, bool *ret)
{
    const struct fs_node *application = &c->fs->nodes[fs_application(c->fs, node)];
    uint8_t reference = access_application_pin(application);
    struct pin pin;
    bool found = false;

    *ret = false;
    if (reference != 0)
        TRY(access_find_pin(c, FS_MF, reference, &pin, &found));
    if (!found)
        return 0;
    *ret = !(pin.attributes & PIN_ENABLED) && !pin.replaced;
    crypto_wipe(&pin, sizeof pin);
    return 0;
}

/* The record of EF.ARR that holds now. */
static int record_in_force(const struct access_context *c, uint16_t node, uint8_t *ret)
{
    const struct fs_node *n = &c->fs->nodes[node];
    bool disabled = false;

    if (n->arr_record_se00 != 0)
        TRY(is_pin_disabled(c, node, &disabled));
    *ret = disabled ? n->arr_record_se00 : n->arr_record;
    return 0;
}

/* --- what is written in EF.ARR ---------------------------------------------------------------- */

static bool is_access_mode(uint32_t tag)
{
    return (tag >= AM_BITS && tag <= AM_HEADER_LAST) || tag == AM_PROPRIETARY;
}

/* The next object of a record; false at its end, its padding, or what is no object. */
static bool peek(struct rd record, struct tlv *ret)
{
    return record.n > 0 && record.p[0] != 0xFF && record.p[0] != 0x00 && tlv_get(&record, ret) == 0;
}

bool access_next_rule(struct rd *record, struct access_rule *ret)
{
    struct tlv t;

    do { /* conditions in front of the first access mode belong to none */
        if (!peek(*record, &t))
            return false;
        (void)rd_take(record, t.whole.n, &t.whole);
    } while (!is_access_mode(t.tag));
    *ret = (struct access_rule){ .mode = t, .conditions = rd_of(record->p, 0) };
    while (peek(*record, &t) && !is_access_mode(t.tag)) {
        (void)rd_take(record, t.whole.n, &t.whole);
        ret->conditions.n += t.whole.n;
    }
    return true;
}

uint8_t access_rule_bits(const struct access_rule *r)
{
    if (r->mode.tag != AM_BITS || r->mode.value.n != 1)
        return 0;
    uint8_t bits = r->mode.value.p[0];
    return bits & AM_BITS_PROPRIETARY ? bits & AM_BITS_COMMON : bits;
}

/* Descriptions of commands, one after the other.  Of what is asked here the instruction says it
 * all; class and parameters are passed over. */
bool access_rule_ins(const struct access_rule *r, size_t nth, uint8_t *ret)
{
    uint32_t tag = r->mode.tag;
    size_t at = tag & AM_HEADER_CLA ? 1 : 0, step = 0;

    if (tag < AM_HEADER_FIRST || tag > AM_HEADER_LAST || !(tag & AM_HEADER_INS))
        return false;
    for (unsigned bit = AM_HEADER_CLA; bit > 0; bit >>= 1)
        step += tag & bit ? 1 : 0;
    if (nth >= r->mode.value.n / step)
        return false;
    *ret = r->mode.value.p[nth * step + at];
    return true;
}

/* A user authentication that is no PIN's (TS 102 221 9.2.6) is for nobody at a terminal. */
static enum access_sort sort_of_crt(struct rd crt, uint8_t *ret_reference)
{
    struct tlv reference, usage;

    if (!tlv_find(crt, TAG_KEY_REFERENCE, &reference) || reference.value.n != 1)
        return ACCESS_BEYOND_TERMINAL;
    if (tlv_find(crt, TAG_USAGE, &usage) &&
        (usage.value.n != 1 || !(usage.value.p[0] & USAGE_PASSWORD)))
        return ACCESS_BEYOND_TERMINAL;
    *ret_reference = reference.value.p[0];
    return ACCESS_PIN;
}

/* ISO 7816-4 table 20, of which only the two ends need no security environment. */
static enum access_sort sort_of_byte(struct rd value)
{
    if (value.n != 1)
        return ACCESS_UNKNOWN;
    return value.p[0] == 0x00   ? ACCESS_ALWAYS
           : value.p[0] == 0xFF ? ACCESS_NEVER
                                : ACCESS_BEYOND_TERMINAL;
}

static enum access_sort sort_of(const struct tlv *sc, uint8_t *ret_reference)
{
    switch (sc->tag) {
    case SC_ALWAYS:
        return ACCESS_ALWAYS;
    case SC_NEVER:
        return ACCESS_NEVER;
    case SC_BYTE:
        return sort_of_byte(sc->value);
    case SC_USER_AUTHENTICATION:
        return sort_of_crt(sc->value, ret_reference);
    case SC_CHECKSUM:
    case SC_SIGNATURE:
    case SC_CONFIDENTIALITY:
        return ACCESS_BEYOND_TERMINAL;
    case SC_OR:
        return ACCESS_ANY_OF;
    case SC_AND:
        return ACCESS_ALL_OF;
    case SC_NOT:
        return ACCESS_NONE_OF;
    default:
        return ACCESS_UNKNOWN;
    }
}

bool access_next_condition(struct rd *list, struct access_condition *ret)
{
    struct access_condition c = { .sort = ACCESS_UNKNOWN };
    struct tlv sc;

    if (list->n == 0)
        return false;
    if (tlv_get(list, &sc) == 0) {
        c.sort = sort_of(&sc, &c.reference);
        c.list = sc.value;
    } else {
        list->n = 0;
    }
    *ret = c;
    return true;
}

/* --- conditions ------------------------------------------------------------------------------- */

static int condition(const struct question *q, const struct access_condition *c, unsigned nesting,
                     enum truth *ret);

/* The conditions in a template together.  Nothing in it, or nothing readable, cannot be told. */
static int together(const struct question *q, struct rd list, bool all, unsigned nesting,
                    enum truth *ret)
{
    enum truth sum = list.n == 0 ? UNTOLD : all ? YES : NO, one = UNTOLD;
    struct access_condition c;

    while (access_next_condition(&list, &c)) {
        TRY(condition(q, &c, nesting, &one));
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
    *ret = (enum truth)(YES - any);
    return 0;
}

/* A remote party with full access fulfils everything that the terminal may or cannot. */
static int condition(const struct question *q, const struct access_condition *c, unsigned nesting,
                     enum truth *ret)
{
    bool remote = q->c->all_but_never;

    *ret = UNTOLD;
    if (nesting == MAX_NESTING)
        return 0;
    switch (c->sort) {
    case ACCESS_ALWAYS:
        *ret = YES;
        return 0;
    case ACCESS_NEVER:
        *ret = NO;
        return 0;
    case ACCESS_PIN:
        *ret = YES;
        return remote ? 0 : is_satisfied(q, c->reference, ret);
    case ACCESS_BEYOND_TERMINAL:
        *ret = remote ? YES : UNTOLD;
        return 0;
    case ACCESS_ANY_OF:
        return together(q, c->list, false, nesting + 1, ret);
    case ACCESS_ALL_OF:
        return together(q, c->list, true, nesting + 1, ret);
    case ACCESS_NONE_OF:
        *ret = YES;
        return remote ? 0 : not_any(q, c->list, nesting + 1, ret);
    case ACCESS_UNKNOWN:
        return 0;
    }
    return ERR_BUG;
}

/* --- rules ------------------------------------------------------------------------------------ */

static bool covers(const struct access_rule *r, unsigned mode)
{
    uint8_t ins = 0;

    if (!(mode & ACCESS_BY_INS))
        return access_rule_bits(r) & mode;
    for (size_t i = 0; access_rule_ins(r, i, &ins); i++)
        if (ins == (mode & INS_MASK))
            return true;
    return false;
}

/* The first rule for the mode; several conditions in it are alternatives. */
static int decide(const struct question *q, struct rd record, enum truth *ret)
{
    struct access_rule rule;

    *ret = NO;
    while (access_next_rule(&record, &rule))
        if (covers(&rule, q->mode))
            return together(q, rule.conditions, false, 0, ret);
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

int access_read_rules(const struct fs *fs, struct nvm *nvm, uint16_t node, uint8_t record,
                      struct wr *ret, bool *ret_found)
{
    uint16_t arr = record != 0 ? find_arr(fs, node) : FS_NONE;

    *ret_found = arr != FS_NONE && fs->nodes[arr].kind == FS_KIND_LINEAR &&
                 record <= fs_records(&fs->nodes[arr]);
    return *ret_found ? fs_read_record(fs, nvm, arr, record, ret) : 0;
}

int access_check(const struct access_context *c, uint16_t node, unsigned mode)
{
    uint8_t octets[FS_MAX_RECORD], number = 0;
    struct wr record;
    enum truth allowed;
    bool found;

    if (node >= c->fs->n || c->fs->nodes[node].deleted)
        return ERR_BUG;
    const struct fs_node *n = &c->fs->nodes[node];
    wr_init(&record, octets, sizeof octets);
    TRY(record_in_force(c, node, &number));
    TRY(access_read_rules(c->fs, c->nvm, node, number, &record, &found));
    if (!found)
        return SW_SECURITY_STATUS;
    struct question q = { .c = c, .df = fs_is_df(n) ? node : n->parent, .mode = mode };
    TRY(decide(&q, wr_view(&record), &allowed));
    return allowed == YES ? 0 : SW_SECURITY_STATUS;
}
