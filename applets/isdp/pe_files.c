/* pe_files.c - one file from what describes it (TCA 8.3, 9.1).
 *
 * A file is resolved in one place, whatever describes it: the template's row, the FCP over it,
 * then contents: the FCP's pattern or else the row's, and what the profile element fills in over
 * that.  Generic file management is the same without a row. */
#include <string.h>

#include "applets/isdp/pe.h"
#include "applets/isdp/templates.h"
#include "os/access.h"
#include "os/err.h"

enum {
    FD_SHAREABLE = 0x40, /* file descriptor byte, TS 102 221 11.1.1.4.3 */
    FD_DF = 0x38,
    FD_BER_TLV = 0x39,
    FD_STRUCTURE = 0x07,
    FD_TRANSPARENT = 0x01,
    FD_LINEAR = 0x02,
    FD_CYCLIC = 0x06,
    FD_INTERNAL = 0x08,

    MAX_SFI = 30,
    FID_ARR_MF = 0x2F06, /* EF.ARR under the MF, and in a DF */
    FID_ARR_DF = 0x6F06,
    ROW_OCTETS = 64, /* of a node in the storage, about */
};

/* --- a file as it is to be -------------------------------------------------------------------- */

static bool is_df_kind(enum fs_kind kind)
{
    return kind <= FS_KIND_ADF;
}

static bool has_records(enum fs_kind kind)
{
    return kind == FS_KIND_LINEAR || kind == FS_KIND_CYCLIC;
}

/* EF.ARR where a reference names a record only (TCA 8.3.5). */
static uint16_t default_arr(const struct fs_node *n)
{
    bool at_top = n->kind == FS_KIND_MF || n->kind == FS_KIND_ADF || n->parent == FS_MF;

    return at_top ? FID_ARR_MF : FID_ARR_DF;
}

void pe_file_init(struct pe_file *f, const struct template_file *row, uint16_t parent)
{
    *f = (struct pe_file){
        .node = { .parent = parent, .life_cycle = FS_LCS_ACTIVATED, .shareable = true },
    };
    if (row == NULL) {
        f->node.kind = FS_KIND_TRANSPARENT;
        return;
    }
    f->by_template = true;
    f->node.fid = row->fid;
    f->node.kind = (enum fs_kind)row->kind;
    f->node.size = row->size;
    f->node.record_len = row->record_len;
    f->node.sfi = row->sfi;
    f->node.special = row->flags & FILE_HIGH_UPDATE ? FS_SPECIAL_HIGH_UPDATE : 0;
    f->node.arr_record = row->arr;
    f->node.arr_fid = row->arr != 0 ? default_arr(&f->node) : 0;
    f->records = row->records;
    f->contents = row->contents;
}

static bool kind_of_descriptor(uint8_t descriptor, enum fs_kind *ret)
{
    static const struct {
        uint8_t descriptor;
        enum fs_kind kind;
    } kinds[] = {
        { FD_DF, FS_KIND_DF },         { FD_BER_TLV, FS_KIND_BER_TLV },
        { FD_LINEAR, FS_KIND_LINEAR }, { FD_TRANSPARENT, FS_KIND_TRANSPARENT },
        { FD_CYCLIC, FS_KIND_CYCLIC },
    };

    descriptor &= 0xFF ^ FD_SHAREABLE;
    if ((descriptor & FD_DF) == FD_INTERNAL)
        descriptor &= FD_STRUCTURE;
    for (size_t k = 0; k < N_ELEMS(kinds); k++) {
        if (kinds[k].descriptor == descriptor) {
            *ret = kinds[k].kind;
            return true;
        }
    }
    return false;
}

static int read_descriptor(struct install *i, struct pe_file *f, struct rd v)
{
    enum fs_kind kind;

    if (v.n == 0)
        return 0;
    if (!kind_of_descriptor(v.p[0], &kind))
        return pe_refuse(i, PE_BAD_VALUES, "there is no such file descriptor");
    f->node.shareable = v.p[0] & FD_SHAREABLE;
    if (is_df_kind(kind)) {
        if (!f->by_template)
            f->node.kind = FS_KIND_DF; /* an ADF by its name, the MF by its FID */
        else if (!is_df_kind(f->node.kind))
            return pe_refuse(i, PE_BAD_VALUES, "an EF of the template is described as a DF");
        return 0;
    }
    if (f->by_template && is_df_kind(f->node.kind))
        return pe_refuse(i, PE_BAD_VALUES, "a DF of the template is described as an EF");
    if (kind != f->node.kind) {
        f->node.kind = kind; /* what the template said of another kind is void */
        f->node.size = 0;
        f->node.record_len = f->records = 0;
    }
    if (v.n == 4) {
        unsigned len = (unsigned)v.p[2] << 8 | v.p[3];
        if (has_records(kind) && (len == 0 || len > FS_MAX_RECORD))
            return pe_refuse(i, PE_BAD_VALUES, "a record cannot be that long");
        f->node.record_len = has_records(kind) ? (uint8_t)len : 0;
    }
    return 0;
}

static int read_fid(struct install *i, struct pe_file *f, struct rd v)
{
    if (v.n == 0)
        return 0;
    uint16_t fid = (uint16_t)(v.p[0] << 8 | v.p[1]);
    if (fid == FID_MF && !f->by_template && i->fs.n == 0)
        f->node.kind = FS_KIND_MF;
    bool reserved = fid == 0 || fid == 0x3FFF || fid == FID_CURRENT_ADF || fid == 0xFFFF;
    if (reserved || (fid == FID_MF) != (f->node.kind == FS_KIND_MF))
        return pe_refuse(i, PE_BAD_VALUES, "the FID is reserved");
    f->node.fid = fid;
    return 0;
}

static int read_name(struct install *i, struct pe_file *f, struct rd v)
{
    if (v.n == 0)
        return 0;
    if (!f->by_template && f->node.kind == FS_KIND_DF) {
        f->node.kind = FS_KIND_ADF;
        f->node.parent = FS_MF;
    }
    if (f->node.kind != FS_KIND_ADF)
        return f->by_template ? 0 : pe_refuse(i, PE_BAD_VALUES, "only an ADF has a name");
    if (v.n > FS_AID_MAX)
        return pe_refuse(i, PE_BAD_VALUES, "the AID is too long");
    memcpy(f->node.aid, v.p, v.n);
    f->node.aid_len = (uint8_t)v.n;
    return 0;
}

/* The life cycles of one meaning have one number here. */
static int read_life_cycle(struct install *i, struct pe_file *f, struct rd v)
{
    static const uint8_t states[16] = {
        [0x00] = FS_LCS_ACTIVATED,   [0x01] = FS_LCS_CREATION,   [0x03] = FS_LCS_INITIALISATION,
        [0x04] = FS_LCS_DEACTIVATED, [0x05] = FS_LCS_ACTIVATED,  [0x06] = FS_LCS_DEACTIVATED,
        [0x07] = FS_LCS_ACTIVATED,   [0x0C] = FS_LCS_TERMINATED, [0x0D] = FS_LCS_TERMINATED,
        [0x0E] = FS_LCS_TERMINATED,  [0x0F] = FS_LCS_TERMINATED,
    };

    if (v.n == 0)
        return 0;
    if (v.p[0] >= sizeof states || states[v.p[0]] == 0)
        return pe_refuse(i, PE_BAD_VALUES, "there is no such life cycle status");
    f->node.life_cycle = states[v.p[0]];
    return 0;
}

/* A record alone is one of the EF.ARR that files of this place have (TCA 8.3.5). */
static int read_security(struct install *i, struct pe_file *f, struct rd v)
{
    if (v.n == 0)
        return 0;
    if (v.n == 1) {
        f->node.arr_fid = default_arr(&f->node);
        f->node.arr_record = v.p[0];
        f->node.arr_record_se00 = 0;
        return 0;
    }
    if (access_parse_reference(v, &f->node) != 0)
        return pe_refuse(i, PE_BAD_VALUES, "the security attributes are no reference to EF.ARR");
    return 0;
}

/* A number of octets; leading zeros are fine. */
static bool read_number(struct rd v, uint32_t *ret)
{
    uint32_t n = 0;

    while (v.n > 1 && v.p[0] == 0) {
        v.p++;
        v.n--;
    }
    if (v.n == 0 || v.n > 4)
        return false;
    for (size_t k = 0; k < v.n; k++)
        n = n << 8 | v.p[k];
    *ret = n;
    return true;
}

static int read_size(struct install *i, struct pe_file *f, const OCTET_STRING_t *v)
{
    uint32_t size = 0;

    if (v == NULL || is_df_kind(f->node.kind))
        return 0;
    if (!read_number(pe_octets(v), &size) || size > FS_MAX_EF)
        return pe_refuse(i, PE_NOT_ENOUGH_MEMORY, "an EF cannot be that large");
    f->node.size = size;
    f->has_size = true;
    return 0;
}

static int read_sfi(struct install *i, struct pe_file *f, const OCTET_STRING_t *v)
{
    struct rd octets = pe_octets(v);

    if (is_df_kind(f->node.kind))
        return 0;
    if (v == NULL) {
        uint8_t low = f->node.fid & 0x1F;
        if (!f->by_template)
            f->node.sfi = low <= MAX_SFI ? low : 0;
        return 0;
    }
    f->node.sfi = octets.n > 0 ? octets.p[0] >> 3 : 0;
    if (f->node.sfi > MAX_SFI || (octets.n > 0 && (octets.p[0] & 0x07) != 0))
        return pe_refuse(i, PE_BAD_VALUES, "there is no such SFI");
    return 0;
}

static int read_key_references(struct install *i, struct pe_file *f, struct rd v)
{
    if (!is_df_kind(f->node.kind))
        return 0;
    if (v.n > FS_MAX_PINS)
        return pe_refuse(i, PE_BAD_VALUES, "the PIN status template names too many PINs");
    if (v.n == 0)
        return 0;
    memcpy(f->node.pins, v.p, v.n);
    f->node.n_pins = (uint8_t)v.n;
    return 0;
}

static int read_proprietary(struct install *i, struct pe_file *f, const struct ProprietaryInfo *p)
{
    if (p == NULL || is_df_kind(f->node.kind))
        return 0;
    if (p->specialFileInformation != NULL)
        f->node.special = pe_octets(p->specialFileInformation).p[0] &
                          (FS_SPECIAL_HIGH_UPDATE | FS_SPECIAL_USABLE_WHEN_DEACTIVATED);
    if (p->fillPattern != NULL && p->repeatPattern != NULL)
        return pe_refuse(i, PE_BAD_VALUES, "there are two patterns");
    if (p->fillPattern != NULL || p->repeatPattern != NULL) {
        if (f->node.kind == FS_KIND_BER_TLV)
            return pe_refuse(i, PE_BAD_VALUES, "a BER-TLV EF has no pattern");
        f->has_pattern = true;
        f->fill.repeat = p->repeatPattern != NULL;
        f->fill.pattern = pe_octets(f->fill.repeat ? p->repeatPattern : p->fillPattern);
    }
    if (p->maximumFileSize != NULL && f->node.kind == FS_KIND_BER_TLV &&
        !read_number(pe_octets(p->maximumFileSize), &f->node.max_size))
        return pe_refuse(i, PE_BAD_VALUES, "the maximum size is no number");
    return 0;
}

/* What generic file management must say, there being no template (TCA 8.3.5). */
static int check_complete(struct install *i, const struct pe_file *f, const Fcp_t *fcp)
{
    if (fcp->fileID == NULL || fcp->fileDescriptor == NULL)
        return pe_refuse(i, PE_BAD_VALUES, "FID or file descriptor is missing");
    if (fcp->securityAttributesReferenced == NULL)
        return pe_refuse(i, PE_BAD_VALUES, "the security attributes are missing");
    if (f->link.n == 0 && !is_df_kind(f->node.kind) && !f->has_size)
        return pe_refuse(i, PE_BAD_VALUES, "the size is missing");
    return 0;
}

int pe_file_fcp(struct install *i, struct pe_file *f, const Fcp_t *fcp)
{
    if (fcp->linkPath != NULL)
        f->link = pe_octets(fcp->linkPath);
    TRY(read_descriptor(i, f, pe_octets(fcp->fileDescriptor)));
    TRY(read_fid(i, f, pe_octets(fcp->fileID)));
    TRY(read_name(i, f, pe_octets(fcp->dfName)));
    TRY(read_life_cycle(i, f, pe_octets(fcp->lcsi)));
    TRY(read_security(i, f, pe_octets(fcp->securityAttributesReferenced)));
    TRY(read_size(i, f, fcp->efFileSize));
    TRY(read_key_references(i, f, pe_octets(fcp->pinStatusTemplateDO)));
    TRY(read_sfi(i, f, fcp->shortEFID));
    TRY(read_proprietary(i, f, fcp->proprietaryEFInfo));
    return f->by_template ? 0 : check_complete(i, f, fcp);
}

/* --- making it -------------------------------------------------------------------------------- */

/* Says why fs_add() did not want it. */
static int add_node(struct install *i, const struct fs_node *node, uint16_t *ret)
{
    int err = pe_take_room(i, ROW_OCTETS);

    if (err == 0)
        err = fs_add(&i->fs, node, ret);
    if (err == ERR_SPACE)
        return pe_abort(i, PE_NOT_ENOUGH_MEMORY, "there are too many files");
    if (err == ERR_INPUT)
        return pe_abort(i, PE_BAD_VALUES, "a file of this FID is there, or no DF to put it into");
    return err;
}

static int finish_size(struct install *i, struct pe_file *f)
{
    struct fs_node *n = &f->node;

    if (!f->has_size && has_records(n->kind))
        n->size = (uint32_t)f->records * n->record_len;
    if (n->size == 0 && n->kind == FS_KIND_BER_TLV && f->has_size)
        return 0; /* nothing is reserved (TS 102 221 11.1.1.4.6.6) */
    if (n->size == 0)
        return pe_refuse(i, PE_BAD_VALUES, "the size is not given");
    if (!has_records(n->kind))
        return 0;
    if (n->record_len == 0 || !fs_holds_records(n->record_len, n->size))
        return pe_refuse(i, PE_BAD_VALUES, "the size is not one of whole records");
    return 0;
}

static int put_initial(struct install *i, const struct pe_file *f, uint16_t node)
{
    const struct fs_node *n = &i->fs.nodes[node];
    size_t unit = has_records(n->kind) ? n->record_len : n->size;
    uint8_t *p;

    if (!f->has_pattern && f->contents == NULL)
        return 0; /* FF */
    TRY(pe_body(i, node, &p));
    for (size_t at = 0; at < n->size; at += unit) {
        if (f->has_pattern)
            fs_fill(p + at, unit, &f->fill);
        else
            template_contents(f->contents, (unsigned)(at / unit) + 1, p + at, unit);
    }
    return 0;
}

static int create_ef(struct install *i, struct pe_file *f, uint16_t *ret)
{
    TRY(finish_size(i, f));
    TRY(pe_take_room(i, f->node.size));
    TRY(add_node(i, &f->node, ret));
    return put_initial(i, f, *ret);
}

/* How the AIDs of NAAs begin (TS 101 220 annex E, C.S0065). */
static const uint8_t naa_aids[N_NAAS][7] = {
    [NAA_USIM] = { 0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02 },
    [NAA_ISIM] = { 0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x04 },
    [NAA_CSIM] = { 0xA0, 0x00, 0x00, 0x03, 0x43, 0x10, 0x02 },
};

struct rd pe_naa_aid(enum naa naa)
{
    return rd_of(naa_aids[naa], sizeof naa_aids[naa]);
}

static int create_adf(struct install *i, struct pe_file *f, uint16_t *ret)
{
    if (f->node.aid_len == 0 || f->node.fid == 0)
        return pe_refuse(i, PE_BAD_VALUES, "the ADF has no AID or no temporary FID");
    struct rd aid = rd_of(f->node.aid, f->node.aid_len);
    for (uint16_t at = fs_adf(&i->fs, aid, FS_NONE); at != FS_NONE; at = fs_adf(&i->fs, aid, at))
        if (i->fs.nodes[at].aid_len == f->node.aid_len)
            return pe_abort(i, PE_BAD_VALUES, "an ADF of this AID is there");
    TRY(add_node(i, &f->node, ret));
    i->now.last_adf = *ret;
    for (int naa = 0; naa < N_NAAS; naa++) {
        struct rd begin = pe_naa_aid((enum naa)naa);
        if (aid.n >= begin.n && rd_equal(rd_of(aid.p, begin.n), begin))
            i->now.adf[naa] = *ret;
    }
    return 0;
}

/* A DF without a PIN status template has that of the DF around it. */
static void inherit_pins(const struct install *i, struct fs_node *n)
{
    if (n->n_pins > 0 || n->kind == FS_KIND_MF)
        return;
    const struct fs_node *parent = &i->fs.nodes[n->parent];
    memcpy(n->pins, parent->pins, sizeof n->pins);
    n->n_pins = parent->n_pins;
}

static int create_df(struct install *i, struct pe_file *f, uint16_t *ret)
{
    if (f->node.fid == 0)
        return pe_refuse(i, PE_BAD_VALUES, "the DF has no FID");
    inherit_pins(i, &f->node);
    if (f->node.kind == FS_KIND_ADF)
        TRY(create_adf(i, f, ret));
    else
        TRY(add_node(i, &f->node, ret));
    pe_made_df(i, *ret);
    return 0;
}

static bool is_below(const struct fs *fs, uint16_t node, uint16_t df)
{
    while (node != df && node != FS_NONE)
        node = fs->nodes[node].parent;
    return node == df;
}

/* A link to a DF: a DF of its own in which every file links to the target's of now. */
static int link_df(struct install *i, struct pe_file *f, uint16_t target, uint16_t *ret)
{
    uint16_t copies[FS_MAX_NODES];
    size_t n = i->fs.n;

    if (i->fs.nodes[target].kind != FS_KIND_DF || is_below(&i->fs, f->node.parent, target))
        return pe_refuse(i, PE_BAD_VALUES, "a link cannot lead there");
    f->node.kind = FS_KIND_DF;
    inherit_pins(i, &f->node);
    TRY(add_node(i, &f->node, ret));
    pe_made_df(i, *ret);
    memset(copies, 0xFF, sizeof copies);
    copies[target] = *ret;
    for (size_t k = (size_t)target + 1; k < n; k++) {
        struct fs_node copy = i->fs.nodes[k];
        if (copy.parent == FS_NONE || copies[copy.parent] == FS_NONE)
            continue;
        copy.parent = copies[copy.parent];
        copy.n_pins = 0;
        if (fs_is_df(&copy))
            inherit_pins(i, &copy);
        TRY(add_node(i, &copy, &copies[k]));
        if (!fs_is_df(&copy))
            TRY(fs_link(&i->fs, copies[k], (uint16_t)k));
    }
    return 0;
}

static int create_link(struct install *i, struct pe_file *f, uint16_t *ret)
{
    uint16_t target = fs_path(&i->fs, FS_MF, f->link);

    if (target == FS_NONE)
        return pe_refuse(i, PE_BAD_VALUES, "there is no such file to link to");
    if (fs_is_df(&i->fs.nodes[target]))
        return link_df(i, f, target, ret);
    const struct fs_node *t = &i->fs.nodes[target];
    f->node.kind = t->kind;
    f->node.size = t->size;
    f->node.max_size = t->max_size;
    f->node.record_len = t->record_len;
    f->node.special = t->special;
    TRY(add_node(i, &f->node, ret));
    return fs_link(&i->fs, *ret, target);
}

int pe_file_create(struct install *i, struct pe_file *f, uint16_t *ret_node)
{
    if (f->node.kind == FS_KIND_MF ? i->fs.n > 0 : f->node.parent >= i->fs.n)
        return pe_abort(i, PE_BAD_VALUES, "its DF is not there, or it is a second MF");
    if (f->link.n > 0)
        return create_link(i, f, ret_node);
    if (is_df_kind(f->node.kind))
        return create_df(i, f, ret_node);
    if (f->node.fid == 0)
        return pe_refuse(i, PE_BAD_VALUES, "the file has no FID");
    return create_ef(i, f, ret_node);
}

/* --- its contents ----------------------------------------------------------------------------- */

int pe_fill_skip(struct install *i, struct pe_fill *fill, long octets)
{
    if (fill->node == FS_NONE)
        return pe_refuse(i, PE_BAD_VALUES, "there is no EF to fill");
    const struct fs_node *n = &i->fs.nodes[fill->node];
    if (n->kind == FS_KIND_BER_TLV)
        return pe_refuse(i, PE_BAD_VALUES, "a BER-TLV EF has no offsets");
    if (octets < 0 || (unsigned long)octets > n->size - fill->at)
        return pe_refuse(i, PE_BAD_VALUES, "the offset is beyond the end of the file");
    fill->at += (uint32_t)octets;
    return 0;
}

int pe_fill_put(struct install *i, struct pe_fill *fill, struct rd contents)
{
    uint8_t *p;

    if (fill->node == FS_NONE)
        return pe_refuse(i, PE_BAD_VALUES, "there is no EF to fill");
    const struct fs_node *n = &i->fs.nodes[fill->node];
    if (n->kind == FS_KIND_BER_TLV && !tlv_all_whole(contents))
        return pe_refuse(i, PE_BAD_VALUES, "the contents are not whole TLVs");
    if (contents.n > n->size - fill->at)
        return pe_refuse(i, PE_BAD_VALUES, "the contents are longer than the file");
    if (contents.n == 0)
        return 0;
    TRY(pe_body(i, fill->node, &p));
    memcpy(p + fill->at, contents.p, contents.n);
    fill->at += (uint32_t)contents.n;
    return 0;
}
