/* pe_template.c - profile elements that name a template (TCA 8.3.2, 8.3.3, 9.1).
 *
 * The components of an element's ASN.1 type and the rows of its template stand in the same order,
 * so one loop over asn1c's description of the type serves all of them. */
#include <string.h>

#include "applets/isdp/pe.h"
#include "applets/isdp/templates.h"
#include "os/err.h"

static bool is_df_kind(enum fs_kind kind)
{
    return kind <= FS_KIND_ADF;
}

/* One element while its files are made. */
struct by_template {
    const struct template *template;
    uint16_t parents[4]; /* DF of level n - 1; FS_NONE: not there */
};

static uint16_t base_of(const struct install *i, const struct template *t)
{
    switch ((enum template_base)t->base) {
    case BASE_NONE:
        break;
    case BASE_MF:
        return i->fs.n > 0 ? FS_MF : FS_NONE;
    case BASE_USIM:
        return i->now.adf[NAA_USIM];
    case BASE_ISIM:
        return i->now.adf[NAA_ISIM];
    case BASE_CSIM:
        return i->now.adf[NAA_CSIM];
    case BASE_NAA:
        return i->now.last_adf;
    }
    return FS_NONE;
}

/* A file of a service that the platform lacks: it is passed over, with a warning. */
static bool is_without_use(struct install *i, const struct template_file *row)
{
    enum { CAPABILITY_GBA = 10, CAPABILITY_MBMS = 12, ADDITIONAL_GBA = 1, ADDITIONAL_MBMS = 2 };
    uint32_t capability = upp_uicc_capability();

    if ((row->flags & FILE_GBA) && !(capability & UINT32_C(1) << CAPABILITY_GBA)) {
        pe_warn(i, PE_FEATURE_NOT_SUPPORTED, ADDITIONAL_GBA, "the platform has no GBA");
        return true;
    }
    if ((row->flags & FILE_MBMS) && !(capability & UINT32_C(1) << CAPABILITY_MBMS)) {
        pe_warn(i, PE_FEATURE_NOT_SUPPORTED, ADDITIONAL_MBMS, "the platform has no MBMS");
        return true;
    }
    return false;
}

/* What the FCP of an IoT minimal profile's DF need not say (TCA 9.10.1). */
static void iot_df_defaults(const struct install *i, struct pe_file *f)
{
    static const uint8_t pins[] = { 0x01, 0x0A };
    enum { FID_ADF_USIM = 0x7FD0 }; /* temporary; where other packages have it, too */

    if (!is_df_kind(f->node.kind))
        return;
    memcpy(f->node.pins, pins, sizeof pins);
    f->node.n_pins = sizeof pins;
    if (f->node.kind != FS_KIND_ADF)
        return;
    f->node.fid = FID_ADF_USIM;
    memcpy(f->node.aid, i->iot.aid, i->iot.aid_len);
    f->node.aid_len = i->iot.aid_len;
}

/* EF.DIR's record, EF.ICCID. */
static void iot_contents(const struct install *i, uint16_t fid, struct wr *ret)
{
    enum { FID_DIR = 0x2F00, FID_ICCID = 0x2FE2, TAG_ENTRY = 0x61, TAG_AID = 0x4F, TAG_LABEL };

    if (fid == FID_ICCID)
        wr_put(ret, i->iot.iccid, sizeof i->iot.iccid);
    if (fid != FID_DIR)
        return;
    struct wr_mark entry = tlv_open(ret, TAG_ENTRY);
    tlv_put(ret, TAG_AID, rd_of(i->iot.aid, i->iot.aid_len));
    tlv_put(ret, TAG_LABEL, rd_of("USIM", 4));
    tlv_close(ret, entry);
}

static bool brings_contents(const struct File *file)
{
    for (int k = 0; file != NULL && k < file->list.count; k++) {
        const FileItem_t *item = file->list.array[k];
        if (item->present == FileItem_PR_fillFileContent)
            return true;
        if (item->present != FileItem_PR_fileDescriptor)
            continue;
        const Fcp_t *fcp = &item->choice.fileDescriptor;
        const struct ProprietaryInfo *p = fcp->proprietaryEFInfo;
        if (fcp->linkPath != NULL ||
            (p != NULL && (p->fillPattern != NULL || p->repeatPattern != NULL)))
            return true;
    }
    return false;
}

/* Contents that come from the header, where the element brings none; cut when the file is too
 * short. */
static int put_iot_contents(struct install *i, const struct template_file *row,
                            const struct File *file, uint16_t node)
{
    const struct fs_node *n = &i->fs.nodes[node];
    uint8_t octets[64], *p;
    struct wr contents;

    if (n->kind != row->kind || brings_contents(file))
        return 0;
    wr_init(&contents, octets, sizeof octets);
    iot_contents(i, row->fid, &contents);
    struct rd all = wr_view(&contents);
    if (all.n == 0)
        return 0;
    TRY(pe_body(i, node, &p));
    uint32_t room = n->kind == FS_KIND_LINEAR ? n->record_len : n->size;
    memcpy(p, all.p, all.n < room ? all.n : room);
    return 0;
}

/* A file as the template has it, or an instance of it with an FCP of its own. */
static int create_instance(struct install *i, const struct by_template *b,
                           const struct template_file *row, const Fcp_t *fcp, struct pe_fill *ret)
{
    struct pe_file f;

    pe_file_init(&f, row, b->parents[row->level]);
    if (b->template->number == TEMPLATE_IOT)
        iot_df_defaults(i, &f);
    if (fcp != NULL)
        TRY(pe_file_fcp(i, &f, fcp));
    TRY(pe_file_create(i, &f, &ret->node));
    ret->at = 0;
    return 0;
}

/* The items of a File in their order (TCA 8.3.2).  *ret: the last instance. */
static int make_file(struct install *i, const struct by_template *b,
                     const struct template_file *row, const struct File *file, uint16_t *ret)
{
    struct pe_fill fill = { .node = FS_NONE };

    for (int k = 0; file != NULL && k < file->list.count; k++) {
        const FileItem_t *item = file->list.array[k];
        pe_at(i, 1, 0, (size_t)k);
        if (item->present == FileItem_PR_fileDescriptor) {
            TRY(create_instance(i, b, row, &item->choice.fileDescriptor, &fill));
            continue;
        }
        if (item->present == FileItem_PR_doNotCreate)
            continue; /* of the MF's files, which are created in any case */
        if (fill.node == FS_NONE)
            TRY(create_instance(i, b, row, NULL, &fill));
        if (fs_is_df(&i->fs.nodes[fill.node]))
            return pe_refuse(i, PE_BAD_VALUES, "a DF has no contents");
        if (item->present == FileItem_PR_fillFileOffset)
            TRY(pe_fill_skip(i, &fill, item->choice.fillFileOffset));
        else
            TRY(pe_fill_put(i, &fill, pe_octets(&item->choice.fillFileContent)));
    }
    if (fill.node == FS_NONE)
        TRY(create_instance(i, b, row, NULL, &fill));
    *ret = fill.node;
    return 0;
}

static bool is_left_out(const struct template *t, const struct File *file)
{
    if (file == NULL)
        return !t->by_default;
    return t->number != TEMPLATE_MF && file->list.count > 0 &&
           file->list.array[0]->present == FileItem_PR_doNotCreate;
}

/* One component of the element; row is what the template says of it. */
static int do_component(struct install *i, struct by_template *b, const struct template_file *row,
                        const struct File *file)
{
    uint16_t parent = b->parents[row->level], made = FS_NONE;
    bool is_df = is_df_kind((enum fs_kind)row->kind);

    if (is_df)
        b->parents[row->level + 1] = FS_NONE;
    if (is_left_out(b->template, file) || is_without_use(i, row))
        return 0;
    if (parent == FS_NONE && row->kind != FS_KIND_MF) {
        if (file == NULL)
            return 0; /* its DF was left out */
        return pe_abort(i, PE_BAD_VALUES, "the DF or ADF that it belongs into is not there");
    }
    TRY(make_file(i, b, row, file, &made));
    if (b->template->number == TEMPLATE_IOT)
        TRY(put_iot_contents(i, row, file, made));
    if (is_df)
        b->parents[row->level + 1] = made;
    return 0;
}

/* The identifier octets of a component, as os/tlv.h writes tags. */
static uint32_t component_tag(const asn_TYPE_member_t *m)
{
    uint32_t number = (uint32_t)m->tag >> 2;

    return number < 31 ? 0xA0 | number : 0xBF00 | number;
}

static const struct File *component_of(const void *element, const asn_TYPE_member_t *m)
{
    const char *at = (const char *)element + m->memb_offset;

    return m->flags & ATF_POINTER ? *(const struct File *const *)(const void *)at
                                  : (const struct File *)(const void *)at;
}

int pe_header(struct install *i, const struct ProfileElement *value)
{
    static const uint8_t rid[] = { 0xA0, 0x00, 0x00, 0x00, 0x87 };
    const ProfileHeader_t *header = &value->choice.header;
    struct rd iccid = pe_octets(&header->iccid);

    if (header->connectivityParameters != NULL)
        TRY(pe_keep(i, "header"));
    if (header->iotOptions == NULL)
        return 0;
    struct rd pix = pe_octets(&header->iotOptions->pix);
    if (pix.n > sizeof i->iot.aid - sizeof rid || iccid.n != sizeof i->iot.iccid)
        return pe_abort(i, PE_BAD_VALUES, "the AID is too long, or the ICCID is none");
    memcpy(i->iot.aid, rid, sizeof rid);
    memcpy(i->iot.aid + sizeof rid, pix.p, pix.n);
    i->iot.aid_len = (uint8_t)(sizeof rid + pix.n);
    for (size_t k = 0; k < iccid.n; k++)
        i->iot.iccid[k] = (uint8_t)(iccid.p[k] << 4 | iccid.p[k] >> 4);
    return 0;
}

/* PE-IoT made the MF and an ADF: the ADF is the one of the header, and PINs go there. */
static int finish_iot(struct install *i)
{
    uint16_t usim = i->now.adf[NAA_USIM];

    if (usim == FS_NONE || i->fs.nodes[usim].aid_len != i->iot.aid_len ||
        memcmp(i->fs.nodes[usim].aid, i->iot.aid, i->iot.aid_len) != 0)
        return pe_refuse(i, PE_BAD_VALUES, "there is no USIM of the header's AID");
    i->first_df = usim;
    return 0;
}

int pe_template(struct install *i, const struct ProfileElement *value)
{
    /* What a template of another version, or of none that we know, says of a file: nothing. */
    static const struct template_file unknown = { .level = 1, .kind = FS_KIND_TRANSPARENT };
    enum { TAG_TEMPLATE_ID = 0x81, FIRST_FILE = 2 }; /* behind header and templateID */
    const asn_TYPE_member_t *choice = &asn_DEF_ProfileElement.elements[value->present - 1];
    const asn_TYPE_descriptor_t *type = choice->type;
    const char *element = (const char *)value + choice->memb_offset;
    const OBJECT_IDENTIFIER_t *oid =
        (const void *)(element + type->elements[FIRST_FILE - 1].memb_offset);
    struct by_template b = { .template = template_find(rd_of(oid->buf, (size_t)oid->size)) };
    size_t cursor = 0;

    pe_at(i, 0, TAG_TEMPLATE_ID, 0);
    if (b.template == NULL)
        return pe_refuse(i, PE_TEMPLATE_NOT_SUPPORTED, "the template is not supported");
    bool is_iot = value->present == ProfileElement_PR_iot;
    if (strcmp(type->elements[FIRST_FILE].name, b.template->files[0].name) != 0 ||
        is_iot != (b.template->number == TEMPLATE_IOT)) /* PE-MF begins like PE-IoT */
        return pe_refuse(i, PE_BAD_VALUES, "the template is not one of this element");
    b.parents[0] = b.parents[1] = base_of(i, b.template);
    b.parents[2] = b.parents[3] = FS_NONE;
    for (int k = FIRST_FILE; k < type->elements_count; k++) {
        const asn_TYPE_member_t *m = &type->elements[k];
        const struct template_file *row = template_file(b.template, m->name, &cursor);
        pe_at(i, 0, component_tag(m), 0);
        TRY(do_component(i, &b, row != NULL ? row : &unknown, component_of(element, m)));
    }
    return is_iot ? finish_iot(i) : 0;
}
