/* uicc_ber_tlv.c - data objects of BER-TLV EFs, in blocks (TS 102 221 11.3).
 *
 * The contents of such an EF are its objects one after the other, then FF.  An object goes out from
 * a copy, so that it stays one object whatever others write meanwhile; one that comes in is stored
 * when it is whole, and not at all if its last block never comes. */

#include "os/euicc.h"
#include "os/tlv.h"
#include "os/uicc.h"

enum {
    P2_FIRST = 0x80,
    P2_RFU = 0x60,
    SFI_MASK = 0x1F,

    TAG_TAG_LIST = 0x5C,
    UNWRITTEN = 0xFF,
    LONGEST_HEADER = 8, /* octets of tag and length */

    /* Octets of a block when Le does not say.  A terminal that takes the second octet of 62F1 for
     * a length, as T=0 has it for 61xx, asks for more than this and is corrected by 6Cxx. */
    BLOCK = 240,
};

static struct rd objects_of(const struct wr *contents)
{
    struct rd all = wr_view(contents), in = all;
    struct tlv t;

    while (in.n > 0 && in.p[0] != UNWRITTEN && tlv_get(&in, &t) == 0)
        continue;
    return rd_of(all.p, all.n - in.n);
}

static int read_contents(struct session *s, uint16_t ef, struct wr *ret)
{
    const struct fs *fs = &s->euicc->uicc.fs;

    wr_init_heap(ret, FS_MAX_EF);
    int err = fs_read(fs, s->euicc->nvm, ef, 0, fs->nodes[ef].size, ret);
    if (err == 0)
        err = wr_failed(ret);
    if (err != 0)
        wr_done(ret);
    return err;
}

int uicc_check_objects(struct session *s, const struct apdu *a, uint16_t ef, uint32_t size)
{
    const struct fs_node *n = &s->euicc->uicc.fs.nodes[ef];
    struct wr contents;

    if (n->max_size != 0 && size > n->max_size)
        return uicc_refuse(s, a, SW_NOT_ENOUGH_MEMORY, "the EF has a lower maximum");
    TRY(read_contents(s, ef, &contents));
    size_t used = objects_of(&contents).n;
    wr_done(&contents);
    return used <= size ? 0 : uicc_refuse(s, a, SW_NOT_ENOUGH_MEMORY, "its data objects need more");
}

static int check_p1p2(const struct session *s, const struct apdu *a)
{
    if (a->p1 != 0 || (a->p2 & P2_RFU) || (a->p2 & SFI_MASK) == SFI_MASK)
        return uicc_refuse(s, a, SW_WRONG_P1P2, "P1 is not 00, or P2 is reserved");
    return 0;
}

static int find_target(struct session *s, const struct apdu *a, unsigned mode, uint16_t *ret)
{
    const struct uicc_wanted w = { .sfi = a->p2 & SFI_MASK,
                                   .kinds = 1u << FS_KIND_BER_TLV,
                                   .mode = mode };

    TRY(uicc_target(s, a, &w, ret));
    return w.sfi != 0 ? uicc_go(s, *ret, false) : 0;
}

/* A tag as the number that its octets make, alone in a command's data. */
static int parse_tag(struct rd data, uint32_t *ret)
{
    TRY(tlv_tag(&data, ret));
    return data.n == 0 ? 0 : ERR_INPUT;
}

/* --- RETRIEVE DATA ---------------------------------------------------------------------------- */

static void put_tags(struct rd objects, struct wr *w)
{
    struct tlv t;

    struct wr_mark m = tlv_open(w, TAG_TAG_LIST);
    while (tlv_get(&objects, &t) == 0)
        tlv_put_tag(w, t.tag);
    tlv_close(w, m);
}

static int begin_out(struct session *s, const struct apdu *a)
{
    struct transfer *x = &s->transfer;
    struct wr contents;
    uint32_t tag;
    uint16_t ef;
    struct tlv t;
    bool found;

    session_end_transfer(s);
    if (parse_tag(rd_of(a->data, a->lc), &tag) != 0)
        return uicc_refuse(s, a, SW_WRONG_DATA, "the data is no tag");
    TRY(find_target(s, a, ACCESS_READ, &ef));
    TRY(read_contents(s, ef, &contents));
    wr_init_heap(&x->object, FS_MAX_EF + BLOCK);
    if (tag == TAG_TAG_LIST)
        put_tags(objects_of(&contents), &x->object);
    found = tag == TAG_TAG_LIST || tlv_find(objects_of(&contents), tag, &t);
    if (tag != TAG_TAG_LIST && found)
        wr_put_rd(&x->object, t.whole);
    wr_done(&contents);
    TRY(wr_failed(&x->object));
    if (!found)
        return uicc_refuse(s, a, SW_REFERENCE_NOT_FOUND, "there is no such data object");
    x->way = TRANSFER_OUT;
    x->ef = ef;
    x->done = 0;
    return 0;
}

int uicc_retrieve_data(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct transfer *x = &s->transfer;

    TRY(check_p1p2(s, a));
    if (a->p2 & P2_FIRST)
        TRY(begin_out(s, a));
    else if (a->lc != 0)
        return uicc_refuse(s, a, SW_WRONG_LENGTH, "a next block has no data");
    else if (x->way != TRANSFER_OUT)
        return uicc_refuse(s, a, SW_CONDITIONS_OF_USE, "no data object is on its way");
    size_t left = x->object.n - x->done;
    size_t block = a->le == 0 || a->le == APDU_MAX_SHORT_LE ? BLOCK : a->le;
    size_t n = left < block ? left : block;
    wr_put(rsp, x->object.p + x->done, n);
    x->done += n;
    if (n < left)
        return SW_MORE_DATA;
    session_end_transfer(s);
    return 0;
}

/* --- SET DATA --------------------------------------------------------------------------------- */

/* The EF's objects with this one in the place of its namesake; without contents it only takes the
 * namesake away. */
static int put_objects(struct rd objects, const struct tlv *changed, struct wr *ret)
{
    struct tlv t;

    while (tlv_get(&objects, &t) == 0)
        if (t.tag != changed->tag)
            wr_put_rd(ret, t.whole);
    if (changed->value.n > 0)
        wr_put_rd(ret, changed->whole);
    return wr_failed(ret) == 0 ? 0 : ERR_SPACE;
}

static int grow(struct euicc *e, uint16_t ef, uint32_t size)
{
    struct fs *fs = &e->uicc.fs;
    const struct fs_node *n = &fs->nodes[ef];
    const struct fs_fill unwritten = { .pattern = rd_of(NULL, 0) };
    uint64_t room, before = fs_stored_size(fs);

    TRY(uicc_free_room(e, &room));
    if ((n->max_size != 0 && size > n->max_size) || size - n->size > room)
        return ERR_SPACE;
    e->uicc.changed = true;
    TRY(fs_resize(fs, e->nvm, ef, size, &unwritten));
    return uicc_account(e, before);
}

/* Stores these octets as the contents, FF to the end; the file grows if it must and may. */
static int write_contents(struct session *s, uint16_t ef, struct wr *contents)
{
    struct euicc *e = s->euicc;
    struct fs *fs = &e->uicc.fs;
    const struct fs_node *n = &fs->nodes[ef];

    if (contents->n > n->size)
        TRY(grow(e, ef, (uint32_t)contents->n));
    while (contents->n < n->size && !contents->failed)
        wr_put_u8(contents, UNWRITTEN);
    TRY(wr_failed(contents));
    return fs_write(fs, e->nvm, ef, 0, wr_view(contents));
}

static int store_object(struct session *s, const struct tlv *object)
{
    struct wr before, after;

    TRY(read_contents(s, s->transfer.ef, &before));
    wr_init_heap(&after, FS_MAX_EF);
    int err = put_objects(objects_of(&before), object, &after);
    if (err == 0)
        err = write_contents(s, s->transfer.ef, &after);
    wr_done(&before);
    wr_done(&after);
    return err;
}

static int begin_in(struct session *s, const struct apdu *a)
{
    uint16_t ef;

    session_end_transfer(s);
    TRY(find_target(s, a, ACCESS_UPDATE, &ef));
    wr_init_heap(&s->transfer.object, FS_MAX_EF);
    s->transfer.way = TRANSFER_IN;
    s->transfer.ef = ef;
    return 0;
}

/* A next block is for the current EF; meanwhile another channel may have ended its use. */
static int check_next(struct session *s, const struct apdu *a)
{
    const struct uicc_wanted w = { .kinds = 1u << FS_KIND_BER_TLV, .mode = ACCESS_UPDATE };
    uint16_t ef;

    if (s->transfer.way != TRANSFER_IN)
        return uicc_refuse(s, a, SW_CONDITIONS_OF_USE, "no data object is on its way");
    return uicc_target(s, a, &w, &ef);
}

/* A beginning of an object, that may go on or not. */
static int expect_more(const struct session *s, const struct apdu *a, struct rd begin)
{
    struct rd in = begin;
    uint32_t tag;
    size_t len;

    if (tlv_header(&in, &tag, &len) == 0)
        return len <= FS_MAX_EF ? SW_MORE_DATA_EXPECTED
                                : uicc_refuse(s, a, SW_NOT_ENOUGH_MEMORY, "it is too long");
    return begin.n < LONGEST_HEADER
               ? SW_MORE_DATA_EXPECTED
               : uicc_refuse(s, a, SW_WRONG_DATA, "this is the beginning of no data object");
}

/* What came so far: more is to come, or it is whole and stored.  A first block of nothing but a tag
 * is an object without contents. */
static int take_object(struct session *s, const struct apdu *a)
{
    struct rd all = wr_view(&s->transfer.object), in = all;
    struct tlv object = { 0 };

    if (all.n > 0 && all.p[0] == UNWRITTEN)
        return uicc_refuse(s, a, SW_WRONG_DATA, "no data object begins so");
    if ((a->p2 & P2_FIRST) && parse_tag(all, &object.tag) == 0)
        in.n = 0;
    else if (tlv_get(&in, &object) != 0)
        return expect_more(s, a, all);
    if (in.n != 0 || object.tag == TAG_TAG_LIST)
        return uicc_refuse(s, a, SW_WRONG_DATA, "this is not one data object");
    return store_object(s, &object);
}

int uicc_set_data(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct transfer *x = &s->transfer;

    (void)rsp;
    TRY(check_p1p2(s, a));
    if (a->p2 & P2_FIRST)
        TRY(begin_in(s, a));
    else
        TRY(check_next(s, a));
    wr_put(&x->object, a->data, a->lc);
    int result = wr_failed(&x->object) == 0 ? take_object(s, a) : SW_NOT_ENOUGH_MEMORY;
    if (result != SW_MORE_DATA_EXPECTED)
        session_end_transfer(s);
    return result;
}
