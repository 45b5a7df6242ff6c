/* uicc_fcp.c - the FCP template, as SELECT answers it (TS 102 221 11.1.1.3) and as CREATE FILE
 * brings it (TS 102 222 6.3). */
#include <string.h>

#include "os/euicc.h"
#include "os/tlv.h"
#include "os/uicc.h"

enum {
    TAG_FCP = 0x62,
    TAG_FILE_SIZE = 0x80,
    TAG_FILE_DESCRIPTOR = 0x82,
    TAG_FILE_ID = 0x83,
    TAG_DF_NAME = 0x84,
    TAG_SHORT_FILE_ID = 0x88,
    TAG_LIFE_CYCLE = 0x8A,
    TAG_SECURITY_REFERENCED = 0x8B,
    TAG_SECURITY_COMPACT = 0x8C,
    TAG_PROPRIETARY = 0xA5,
    TAG_PIN_STATUS = 0xC6,

    /* Within A5. */
    TAG_UICC_CHARACTERISTICS = 0x80,
    TAG_AVAILABLE_MEMORY = 0x83,
    TAG_FILE_DETAILS = 0x84,
    TAG_RESERVED_SIZE = 0x85,
    TAG_MAXIMUM_SIZE = 0x86,
    TAG_SYSTEM_COMMANDS = 0x87,
    TAG_SPECIAL_INFORMATION = 0xC0,
    TAG_FILLING_PATTERN = 0xC1,
    TAG_REPEAT_PATTERN = 0xC2,

    /* Within C6. */
    TAG_PS_DO = 0x90,
    TAG_KEY_REFERENCE = 0x83,
    TAG_USAGE_QUALIFIER = 0x95,
    USAGE_VERIFICATION = 0x08,
    USAGE_NONE = 0x00,

    CHARACTERISTICS = 0x71,     /* clock may stop; 1.8 V and 3 V */
    TERMINAL_CAPABILITY = 0x01, /* is supported */
    DER_CODING = 0x01,

    SHAREABLE = 0x40, /* file descriptor byte */
    DATA_CODING = 0x21,
    SFI_SHIFT = 3,
    SFI_MAX = 30,
    N_KINDS = FS_KIND_BER_TLV + 1,
};

/* File descriptor byte without its shareable bit, by enum fs_kind (TS 102 221 11.1.1.4.3). */
static const uint8_t descriptors[N_KINDS] = {
    [FS_KIND_MF] = 0x38,          [FS_KIND_DF] = 0x38,     [FS_KIND_ADF] = 0x38,
    [FS_KIND_TRANSPARENT] = 0x01, [FS_KIND_LINEAR] = 0x02, [FS_KIND_CYCLIC] = 0x06,
    [FS_KIND_BER_TLV] = 0x39,
};

/* --- out -------------------------------------------------------------------------------------- */

static void put_octets(struct wr *w, uint32_t tag, uint32_t v, size_t n)
{
    const uint8_t octets[] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8),
                               (uint8_t)v };

    tlv_put(w, tag, rd_of(octets + sizeof octets - n, n));
}

/* A size: two octets, more if they are needed. */
static void put_size(struct wr *w, uint32_t tag, uint32_t v)
{
    put_octets(w, tag, v, v <= UINT16_MAX ? 2 : 4);
}

static void put_descriptor(const struct fs_node *n, struct wr *w)
{
    struct wr_mark m = tlv_open(w, TAG_FILE_DESCRIPTOR);
    wr_put_u8(w, (uint8_t)(descriptors[n->kind] | (n->shareable ? SHAREABLE : 0)));
    wr_put_u8(w, DATA_CODING);
    if (n->kind == FS_KIND_LINEAR || n->kind == FS_KIND_CYCLIC) {
        unsigned records = fs_records(n);
        wr_put_u8(w, 0);
        wr_put_u8(w, n->record_len);
        wr_put_u8(w, (uint8_t)(records < UINT8_MAX ? records : UINT8_MAX));
    }
    tlv_close(w, m);
}

/* A5 of the MF, an ADF or a DF; only the first two speak for the UICC. */
static int put_df_proprietary(struct euicc *e, enum fs_kind kind, struct wr *w)
{
    uint64_t room = 0;

    if (uicc_has_files(&e->uicc))
        TRY(uicc_free_room(e, &room));
    struct wr_mark m = tlv_open(w, TAG_PROPRIETARY);
    if (kind != FS_KIND_DF)
        tlv_put_u8(w, TAG_UICC_CHARACTERISTICS, CHARACTERISTICS);
    if (uicc_has_files(&e->uicc))
        put_octets(w, TAG_AVAILABLE_MEMORY, room < UINT32_MAX ? (uint32_t)room : UINT32_MAX, 4);
    if (kind != FS_KIND_DF)
        tlv_put_u8(w, TAG_SYSTEM_COMMANDS, TERMINAL_CAPABILITY);
    tlv_close(w, m);
    return 0;
}

static void put_ef_proprietary(const struct fs_node *n, struct wr *w)
{
    if (n->kind != FS_KIND_BER_TLV && n->special == 0)
        return;
    struct wr_mark m = tlv_open(w, TAG_PROPRIETARY);
    if (n->kind == FS_KIND_BER_TLV) {
        put_size(w, TAG_RESERVED_SIZE, n->size);
        if (n->max_size != 0)
            put_size(w, TAG_MAXIMUM_SIZE, n->max_size);
        tlv_put_u8(w, TAG_FILE_DETAILS, DER_CODING);
    }
    if (n->special != 0)
        tlv_put_u8(w, TAG_SPECIAL_INFORMATION, n->special);
    tlv_close(w, m);
}

/* The reference to EF.ARR: with one record, or pairs of security environment and record
 * (TS 102 221 11.1.1.4.7). */
static void put_security(const struct fs_node *n, struct wr *w)
{
    static const uint8_t nothing_allowed[] = { 0x00 }; /* compact: no access mode is listed */

    if (n->arr_record == 0 && n->arr_record_se00 == 0) {
        tlv_put(w, TAG_SECURITY_COMPACT, rd_of(nothing_allowed, sizeof nothing_allowed));
        return;
    }
    struct wr_mark m = tlv_open(w, TAG_SECURITY_REFERENCED);
    wr_put_u8(w, (uint8_t)(n->arr_fid >> 8));
    wr_put_u8(w, (uint8_t)n->arr_fid);
    if (n->arr_record_se00 != 0) {
        wr_put_u8(w, 0x00);
        wr_put_u8(w, n->arr_record_se00);
        if (n->arr_record != 0)
            wr_put_u8(w, 0x01);
    }
    if (n->arr_record != 0)
        wr_put_u8(w, n->arr_record);
    tlv_close(w, m);
}

/* What the FCP says of a DF's PINs. */
struct pin_list {
    uint8_t references[FS_MAX_PINS + 1], n;
    uint8_t enabled[FS_MAX_PINS / 8 + 1]; /* a bit each, from b8 of the first */
    bool universal_used;                  /* in the place of one of them */
};

static int add_pin(const struct access_context *c, uint16_t node, uint8_t reference,
                   struct pin_list *list)
{
    unsigned i = list->n++;
    struct pin pin;
    bool found;

    list->references[i] = reference;
    TRY(access_find_pin(c, node, reference, &pin, &found));
    if (!found)
        return 0;
    if (pin.attributes & PIN_ENABLED)
        list->enabled[i / 8] |= (uint8_t)(0x80 >> i % 8);
    if (pin.replaced)
        list->universal_used = true;
    crypto_wipe(&pin, sizeof pin);
    return 0;
}

/* The DF's, and the universal PIN where it has taken the place of one. */
static int list_pins(const struct access_context *c, uint16_t node, struct pin_list *ret)
{
    const struct fs_node *n = &c->fs->nodes[node];

    *ret = (struct pin_list){ 0 };
    for (size_t i = 0; i < n->n_pins; i++)
        TRY(add_pin(c, node, n->pins[i], ret));
    bool listed = memchr(ret->references, PIN_UNIVERSAL, ret->n) != NULL;
    return ret->universal_used && !listed ? add_pin(c, node, PIN_UNIVERSAL, ret) : 0;
}

/* C6: which of the DF's PINs are enabled, then which they are; of the universal PIN also whether it
 * is asked for (TS 102 221 9.5.2). */
static int put_pin_status(const struct session *s, uint16_t node, struct wr *w)
{
    const struct access_context c = uicc_access(s);
    struct pin_list list;

    TRY(list_pins(&c, node, &list));
    if (list.n == 0)
        return 0;
    struct wr_mark m = tlv_open(w, TAG_PIN_STATUS);
    tlv_put(w, TAG_PS_DO, rd_of(list.enabled, (list.n + 7u) / 8));
    for (size_t i = 0; i < list.n; i++) {
        if (list.references[i] == PIN_UNIVERSAL)
            tlv_put_u8(w, TAG_USAGE_QUALIFIER,
                       list.universal_used ? USAGE_VERIFICATION : USAGE_NONE);
        tlv_put_u8(w, TAG_KEY_REFERENCE, list.references[i]);
    }
    tlv_close(w, m);
    return 0;
}

/* Without a profile there is an MF and nothing in it. */
static int put_empty_mf(struct euicc *e, struct wr *w)
{
    static const struct fs_node mf = { .kind = FS_KIND_MF, .shareable = true };

    put_descriptor(&mf, w);
    put_octets(w, TAG_FILE_ID, FID_MF, 2);
    TRY(put_df_proprietary(e, FS_KIND_MF, w));
    tlv_put_u8(w, TAG_LIFE_CYCLE, FS_LCS_ACTIVATED);
    return 0;
}

static int put_node(const struct session *s, uint16_t node, struct wr *w)
{
    struct euicc *e = s->euicc;
    const struct fs_node *n = &e->uicc.fs.nodes[node];

    put_descriptor(n, w);
    put_octets(w, TAG_FILE_ID, n->fid, 2);
    if (n->kind == FS_KIND_ADF)
        tlv_put(w, TAG_DF_NAME, rd_of(n->aid, n->aid_len));
    if (fs_is_df(n))
        TRY(put_df_proprietary(e, n->kind, w));
    else
        put_ef_proprietary(n, w);
    tlv_put_u8(w, TAG_LIFE_CYCLE, n->life_cycle);
    put_security(n, w);
    if (fs_is_df(n))
        return put_pin_status(s, node, w);
    put_size(w, TAG_FILE_SIZE, n->size);
    const uint8_t sfi = (uint8_t)(n->sfi << SFI_SHIFT);
    tlv_put(w, TAG_SHORT_FILE_ID, rd_of(&sfi, n->sfi != 0));
    return 0;
}

int uicc_put_fcp(struct session *s, uint16_t node, struct wr *ret)
{
    struct euicc *e = s->euicc;

    struct wr_mark m = tlv_open(ret, TAG_FCP);
    int err = uicc_has_files(&e->uicc) ? put_node(s, node, ret) : put_empty_mf(e, ret);
    tlv_close(ret, m);
    return err;
}

/* --- in --------------------------------------------------------------------------------------- */

/* A number of up to four octets. */
static int take_number(struct rd body, uint32_t tag, uint32_t *ret)
{
    struct tlv t;
    uint32_t v = 0;

    if (!tlv_find(body, tag, &t) || t.value.n == 0 || t.value.n > 4)
        return ERR_INPUT;
    for (size_t i = 0; i < t.value.n; i++)
        v = v << 8 | t.value.p[i];
    *ret = v;
    return 0;
}

static int parse_descriptor(struct rd body, struct fs_node *n)
{
    struct tlv t;

    if (!tlv_find(body, TAG_FILE_DESCRIPTOR, &t) || t.value.n < 2 || (t.value.p[0] & 0x80) != 0)
        return ERR_INPUT;
    n->shareable = t.value.p[0] & SHAREABLE;
    unsigned kind = FS_KIND_DF;
    while (kind < N_KINDS && descriptors[kind] != (t.value.p[0] & ~SHAREABLE))
        kind++;
    if (kind == N_KINDS)
        return ERR_INPUT;
    n->kind = (enum fs_kind)kind;
    if (n->kind != FS_KIND_LINEAR && n->kind != FS_KIND_CYCLIC)
        return 0;
    if (t.value.n < 4 || t.value.p[2] != 0 || t.value.p[3] == 0)
        return ERR_INPUT;
    n->record_len = t.value.p[3];
    return 0;
}

static int take_fid(struct rd body, uint16_t *ret)
{
    struct tlv t;

    if (!tlv_find(body, TAG_FILE_ID, &t) || t.value.n != 2)
        return ERR_INPUT;
    *ret = (uint16_t)(t.value.p[0] << 8 | t.value.p[1]);
    return 0;
}

static bool is_reserved(uint16_t fid)
{
    enum { FID_NONE = 0x0000, FID_RFU = 0x3FFF, FID_ALL = 0xFFFF };

    return fid == FID_NONE || fid == FID_MF || fid == FID_CURRENT_ADF || fid == FID_RFU ||
           fid == FID_ALL;
}

/* Any but terminated; ACTIVATED without one. */
static int take_life_cycle(struct rd body, uint8_t *ret)
{
    enum { FIRST_IN_USE = 0x04, LAST_IN_USE = 0x07 }; /* activated or not */
    uint32_t v = FS_LCS_ACTIVATED;
    struct tlv t;

    if (tlv_find(body, TAG_LIFE_CYCLE, &t))
        TRY(take_number(body, TAG_LIFE_CYCLE, &v));
    if (v != FS_LCS_CREATION && v != FS_LCS_INITIALISATION && (v < FIRST_IN_USE || v > LAST_IN_USE))
        return ERR_INPUT;
    *ret = (uint8_t)v;
    return 0;
}

/* FID, life cycle and security attributes: every file has them. */
static int parse_common(struct rd body, struct fs_node *n)
{
    struct tlv t;

    TRY(take_fid(body, &n->fid));
    if (is_reserved(n->fid))
        return ERR_INPUT;
    TRY(take_life_cycle(body, &n->life_cycle));
    if (!tlv_find(body, TAG_SECURITY_REFERENCED, &t))
        return ERR_INPUT; /* attributes by reference are the only ones there are */
    return access_parse_reference(t.value, n);
}

/* Key references, each in an 83, of a PIN status template. */
static int parse_pins(struct rd body, struct fs_node *n)
{
    struct tlv template, t;
    struct rd in;

    if (!tlv_find(body, TAG_PIN_STATUS, &template))
        return 0;
    for (in = template.value; in.n > 0;) {
        TRY(tlv_get(&in, &t));
        if (t.tag != TAG_KEY_REFERENCE)
            continue;
        if (t.value.n != 1 || n->n_pins == FS_MAX_PINS)
            return ERR_INPUT;
        n->pins[n->n_pins++] = t.value.p[0];
    }
    return 0;
}

static int parse_df(struct rd body, struct fs_node *n)
{
    struct tlv t;

    if (tlv_find(body, TAG_DF_NAME, &t)) {
        if (t.value.n < 5 || t.value.n > FS_AID_MAX)
            return ERR_INPUT;
        n->kind = FS_KIND_ADF;
        n->aid_len = (uint8_t)t.value.n;
        memcpy(n->aid, t.value.p, t.value.n);
    }
    return parse_pins(body, n);
}

/* Absent means the low bits of the FID, empty means none (TS 102 221 11.1.1.4.8). */
static int parse_sfi(struct rd body, struct fs_node *n)
{
    struct tlv t;

    n->sfi = n->fid & 0x1F;
    if (tlv_find(body, TAG_SHORT_FILE_ID, &t)) {
        if (t.value.n > 1 || (t.value.n == 1 && (t.value.p[0] & 0x07) != 0))
            return ERR_INPUT;
        n->sfi = t.value.n == 0 ? 0 : t.value.p[0] >> SFI_SHIFT;
        if (t.value.n == 1 && (n->sfi == 0 || n->sfi > SFI_MAX))
            return ERR_INPUT;
    }
    if (n->sfi > SFI_MAX)
        n->sfi = 0;
    return 0;
}

static void parse_fill(struct rd proprietary, struct fs_fill *ret)
{
    struct tlv t;

    ret->repeat = tlv_find(proprietary, TAG_REPEAT_PATTERN, &t);
    if (ret->repeat || tlv_find(proprietary, TAG_FILLING_PATTERN, &t))
        ret->pattern = t.value;
}

static int parse_ef(struct rd body, struct fs_node *n, struct fs_fill *fill)
{
    struct tlv proprietary = { 0 }, t;

    TRY(take_number(body, TAG_FILE_SIZE, &n->size));
    if (n->size == 0 && n->kind != FS_KIND_BER_TLV)
        return ERR_INPUT;
    if (!fs_holds_records(n->record_len, n->size))
        return ERR_INPUT;
    TRY(parse_sfi(body, n));
    if (!tlv_find(body, TAG_PROPRIETARY, &proprietary))
        return 0;
    if (tlv_find(proprietary.value, TAG_SPECIAL_INFORMATION, &t) && t.value.n == 1)
        n->special = t.value.p[0];
    if (n->kind == FS_KIND_BER_TLV && tlv_find(proprietary.value, TAG_MAXIMUM_SIZE, &t))
        TRY(take_number(proprietary.value, TAG_MAXIMUM_SIZE, &n->max_size));
    parse_fill(proprietary.value, fill);
    return 0;
}

int uicc_parse_fcp(struct rd in, struct fs_node *ret, struct fs_fill *ret_fill)
{
    struct fs_node n = { 0 };
    struct fs_fill fill = { 0 };
    struct tlv fcp;

    if (tlv_expect(&in, TAG_FCP, &fcp) != 0 || in.n != 0 || !tlv_all_whole(fcp.value))
        return ERR_INPUT;
    TRY(parse_descriptor(fcp.value, &n));
    TRY(parse_common(fcp.value, &n));
    TRY(fs_is_df(&n) ? parse_df(fcp.value, &n) : parse_ef(fcp.value, &n, &fill));
    *ret = n;
    *ret_fill = fill;
    return 0;
}

int uicc_parse_resize(struct rd in, uint16_t *ret_fid, uint32_t *ret_size, struct fs_fill *ret_fill)
{
    struct tlv fcp, proprietary;
    struct fs_fill fill = { 0 };

    if (tlv_expect(&in, TAG_FCP, &fcp) != 0 || in.n != 0 || !tlv_all_whole(fcp.value))
        return ERR_INPUT;
    TRY(take_fid(fcp.value, ret_fid));
    TRY(take_number(fcp.value, TAG_FILE_SIZE, ret_size));
    if (tlv_find(fcp.value, TAG_PROPRIETARY, &proprietary))
        parse_fill(proprietary.value, &fill);
    *ret_fill = fill;
    return 0;
}
