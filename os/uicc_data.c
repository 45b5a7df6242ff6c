/* uicc_data.c - contents of transparent EFs and of EFs with records (TS 102 221 11.1.3 to 11.1.8).
 *
 * A command that names an EF by SFI makes it current, if it succeeds. */
#include <string.h>

#include "os/euicc.h"
#include "os/uicc.h"

enum {
    P1_SFI = 0x80, /* READ and UPDATE BINARY, INCREASE: the rest of P1 is an SFI */
    SFI_MASK = 0x1F,
    SFI_SHIFT = 3, /* P2 of record commands */
    MODE_MASK = 0x07,

    TRANSPARENT = 1 << FS_KIND_TRANSPARENT,
    LINEAR = 1 << FS_KIND_LINEAR,
    CYCLIC = 1 << FS_KIND_CYCLIC,
};

static const struct fs_node *node_at(const struct session *s, uint16_t node)
{
    return &s->euicc->uicc.fs.nodes[node];
}

/* The end of a command that succeeded. */
static int make_current(struct session *s, uint8_t sfi, uint16_t ef)
{
    return sfi != 0 ? uicc_go(s, ef, false) : 0;
}

/* --- transparent ------------------------------------------------------------------------------ */

struct place {
    uint8_t sfi;
    uint16_t ef;
    uint32_t offset;
};

/* Which EF, and where in it. */
static int find_place(struct session *s, const struct apdu *a, unsigned mode, struct place *ret)
{
    bool by_sfi = a->p1 & P1_SFI;
    struct uicc_wanted w = { .kinds = TRANSPARENT, .mode = mode };
    struct place p = { .offset = a->p2 };

    if (by_sfi)
        w.sfi = a->p1 & SFI_MASK;
    else
        p.offset |= (uint32_t)a->p1 << 8;
    if (by_sfi && ((a->p1 & ~(P1_SFI | SFI_MASK)) != 0 || w.sfi == 0))
        return uicc_refuse(s, a, SW_WRONG_P1P2, "P1 is no SFI");
    TRY(uicc_target(s, a, &w, &p.ef));
    if (p.offset >= node_at(s, p.ef)->size)
        return uicc_refuse(s, a, SW_WRONG_OFFSET, "the offset is beyond the end");
    p.sfi = w.sfi;
    *ret = p;
    return 0;
}

int uicc_read_binary(struct session *s, const struct apdu *a, struct wr *rsp)
{
    bool all = a->le == 0 || a->le == APDU_MAX_SHORT_LE || a->le == APDU_MAX_EXTENDED_LE;
    size_t n = a->le == 0 ? APDU_MAX_SHORT_LE : a->le;
    struct place p = { 0 };

    TRY(find_place(s, a, ACCESS_READ, &p));
    uint32_t left = node_at(s, p.ef)->size - p.offset;
    TRY(fs_read(&s->euicc->uicc.fs, s->euicc->nvm, p.ef, p.offset, n < left ? (uint32_t)n : left,
                rsp));
    TRY(make_current(s, p.sfi, p.ef));
    if (n > left && !all)
        return uicc_refuse(s, a, SW_END_OF_FILE, "fewer than Le octets are left");
    return 0;
}

int uicc_update_binary(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct place p = { 0 };

    (void)rsp;
    TRY(find_place(s, a, ACCESS_UPDATE, &p));
    if (a->lc > node_at(s, p.ef)->size - p.offset)
        return uicc_refuse(s, a, SW_WRONG_LENGTH, "the data runs past the end");
    TRY(fs_write(&s->euicc->uicc.fs, s->euicc->nvm, p.ef, p.offset, rd_of(a->data, a->lc)));
    return make_current(s, p.sfi, p.ef);
}

/* --- records ---------------------------------------------------------------------------------- */

enum record_mode { /* P2, TS 102 221 11.1.5.1 */
                   MODE_NEXT = 2,
                   MODE_PREVIOUS = 3,
                   MODE_ABSOLUTE = 4, /* P1 = 00: the current one */
};

/* A record command on its way. */
struct records {
    uint8_t sfi;
    uint16_t ef;
    const struct fs_node *node;
    unsigned n;       /* records */
    unsigned current; /* record pointer; 0: undefined */
};

static int find_records(struct session *s, const struct apdu *a, uint8_t sfi, unsigned kinds,
                        unsigned mode, struct records *ret)
{
    const struct uicc_wanted w = { .sfi = sfi, .kinds = kinds, .mode = mode };
    struct records r = { .sfi = sfi };

    if (sfi == SFI_MASK)
        return uicc_refuse(s, a, SW_WRONG_P1P2, "P2 is no SFI");
    TRY(uicc_target(s, a, &w, &r.ef));
    r.node = node_at(s, r.ef);
    r.n = fs_records(r.node);
    r.current = s->files.record;
    if (sfi != 0) /* as if it was selected just now */
        r.current = r.node->kind == FS_KIND_CYCLIC;
    if (r.current > r.n)
        r.current = 0;
    *ret = r;
    return 0;
}

static int record_done(struct session *s, const struct records *r, unsigned pointer)
{
    TRY(make_current(s, r->sfi, r->ef));
    s->files.record = (uint16_t)pointer;
    return 0;
}

/* The record that mode and P1 mean, and where the pointer goes.  0 when there is none. */
static unsigned find_record(const struct records *r, enum record_mode mode, uint8_t p1,
                            unsigned *ret_pointer)
{
    bool circular = r->node->kind == FS_KIND_CYCLIC;
    unsigned which;

    switch (mode) {
    case MODE_NEXT:
        which = r->current < r->n ? r->current + 1 : circular ? 1 : 0;
        break;
    case MODE_PREVIOUS:
        which = r->current > 1 ? r->current - 1 : r->current == 0 || circular ? r->n : 0;
        break;
    default:
        *ret_pointer = r->current;
        which = p1 != 0 ? p1 : r->current;
        return which <= r->n ? which : 0;
    }
    *ret_pointer = which;
    return which <= r->n ? which : 0;
}

static bool is_record_mode(const struct apdu *a)
{
    uint8_t mode = a->p2 & MODE_MASK;

    return mode == MODE_ABSOLUTE || ((mode == MODE_NEXT || mode == MODE_PREVIOUS) && a->p1 == 0);
}

int uicc_read_record(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct records r = { 0 };
    unsigned pointer;

    if (!is_record_mode(a))
        return uicc_refuse(s, a, SW_WRONG_P1P2, "there is no such mode");
    TRY(find_records(s, a, a->p2 >> SFI_SHIFT, LINEAR | CYCLIC, ACCESS_READ, &r));
    unsigned which = find_record(&r, a->p2 & MODE_MASK, a->p1, &pointer);
    if (which == 0)
        return uicc_refuse(s, a, SW_RECORD_NOT_FOUND, "there is no such record");
    if (a->le != 0 && a->le != APDU_MAX_SHORT_LE && a->le != APDU_MAX_EXTENDED_LE &&
        a->le != r.node->record_len)
        return uicc_refuse(s, a, SW_WRONG_LE | r.node->record_len, "a record is read as a whole");
    TRY(fs_read_record(&s->euicc->uicc.fs, s->euicc->nvm, r.ef, which, rsp));
    return record_done(s, &r, pointer);
}

/* Of a cyclic EF only the oldest record is ever written, and becomes the first. */
static int update_cyclic(struct session *s, const struct apdu *a, const struct records *r)
{
    if ((a->p2 & MODE_MASK) != MODE_PREVIOUS)
        return uicc_refuse(s, a, SW_WRONG_FILE_STRUCTURE, "a cyclic EF is written with PREVIOUS");
    TRY(fs_push_record(&s->euicc->uicc.fs, s->euicc->nvm, r->ef, rd_of(a->data, a->lc)));
    return record_done(s, r, 1);
}

int uicc_update_record(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct records r = { 0 };
    unsigned pointer;

    (void)rsp;
    if (!is_record_mode(a))
        return uicc_refuse(s, a, SW_WRONG_P1P2, "there is no such mode");
    TRY(find_records(s, a, a->p2 >> SFI_SHIFT, LINEAR | CYCLIC, ACCESS_UPDATE, &r));
    if (a->lc != r.node->record_len)
        return uicc_refuse(s, a, SW_WRONG_LENGTH, "a record is written as a whole");
    if (r.node->kind == FS_KIND_CYCLIC)
        return update_cyclic(s, a, &r);
    unsigned which = find_record(&r, a->p2 & MODE_MASK, a->p1, &pointer);
    if (which == 0)
        return uicc_refuse(s, a, SW_RECORD_NOT_FOUND, "there is no such record");
    TRY(fs_write_record(&s->euicc->uicc.fs, s->euicc->nvm, r.ef, which, rd_of(a->data, a->lc)));
    return record_done(s, &r, pointer);
}

/* --- SEARCH RECORD ---------------------------------------------------------------------------- */

enum search_mode { /* P2, and with ENHANCED the first octet of data (TS 102 221 11.1.7) */
                   SEARCH_FORWARD = 4,
                   SEARCH_BACKWARD = 5,
                   SEARCH_ENHANCED = 6,
                   ENHANCED_FORWARD_NEXT = 6,
                   ENHANCED_BACKWARD_PREVIOUS = 7,
                   ENHANCED_AFTER_VALUE = 0x08,
                   ENHANCED_RFU = 0xF0,
                   ENHANCED_HEAD = 2,
};

struct search {
    bool backward, from_neighbour; /* begin with the record beside the current one */
    bool after_value;
    uint8_t start; /* offset, or the value */
    struct rd pattern;
};

static int parse_search(const struct session *s, const struct apdu *a, struct search *ret)
{
    uint8_t mode = a->p2 & MODE_MASK;
    struct search q = { .pattern = rd_of(a->data, a->lc) };

    if (mode == SEARCH_ENHANCED) {
        if (a->lc <= ENHANCED_HEAD)
            return uicc_refuse(s, a, SW_WRONG_LENGTH, "there is nothing to search for");
        if (a->data[0] & ENHANCED_RFU)
            return uicc_refuse(s, a, SW_WRONG_DATA, "the search indication is reserved");
        mode = a->data[0] & MODE_MASK;
        q.after_value = a->data[0] & ENHANCED_AFTER_VALUE;
        q.start = a->data[1];
        q.pattern = rd_of(a->data + ENHANCED_HEAD, a->lc - ENHANCED_HEAD);
        q.from_neighbour = mode == ENHANCED_FORWARD_NEXT || mode == ENHANCED_BACKWARD_PREVIOUS;
    } else if (mode != SEARCH_FORWARD && mode != SEARCH_BACKWARD) {
        return uicc_refuse(s, a, SW_WRONG_P1P2, "there is no such mode");
    }
    if (mode < SEARCH_FORWARD)
        return uicc_refuse(s, a, SW_WRONG_DATA, "the search indication is reserved");
    if (q.from_neighbour && a->p1 != 0)
        return uicc_refuse(s, a, SW_WRONG_P1P2, "P1 is not 00 beside the current record");
    q.backward = mode & 1;
    *ret = q;
    return 0;
}

static bool matches(const struct search *q, struct rd record)
{
    size_t at = q->start;

    if (q->after_value) {
        const uint8_t *value = memchr(record.p, q->start, record.n);
        if (value == NULL)
            return false;
        at = (size_t)(value - record.p) + 1;
    }
    for (; at + q->pattern.n <= record.n; at++)
        if (memcmp(record.p + at, q->pattern.p, q->pattern.n) == 0)
            return true;
    return false;
}

/* Numbers of the records that match, from `first` to the end; around the end in a cyclic EF. */
static int search(struct session *s, const struct records *r, const struct search *q,
                  unsigned first, struct wr *rsp)
{
    bool circular = r->node->kind == FS_KIND_CYCLIC;
    unsigned steps = circular ? r->n : q->backward ? first : r->n - first + 1;
    uint8_t octets[FS_MAX_RECORD];
    struct wr record;

    for (unsigned i = 0; i < steps; i++) {
        unsigned which = q->backward ? first + r->n - i : first + i;
        which = (which - 1) % r->n + 1;
        wr_init(&record, octets, sizeof octets);
        TRY(fs_read_record(&s->euicc->uicc.fs, s->euicc->nvm, r->ef, which, &record));
        if (matches(q, wr_view(&record)))
            wr_put_u8(rsp, (uint8_t)which);
    }
    return 0;
}

/* Where a search begins; 0: nowhere. */
static unsigned first_of_search(const struct records *r, const struct search *q, uint8_t p1)
{
    unsigned pointer;

    if (q->from_neighbour || (p1 == 0 && r->current == 0))
        return find_record(r, q->backward ? MODE_PREVIOUS : MODE_NEXT, 0, &pointer);
    return find_record(r, MODE_ABSOLUTE, p1, &pointer);
}

int uicc_search_record(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct search q = { 0 };
    struct records r = { 0 };

    TRY(parse_search(s, a, &q));
    TRY(find_records(s, a, a->p2 >> SFI_SHIFT, LINEAR | CYCLIC, ACCESS_READ, &r));
    if (q.pattern.n > r.node->record_len)
        return uicc_refuse(s, a, SW_WRONG_LENGTH, "no record is as long as what is searched");
    unsigned first = first_of_search(&r, &q, a->p1);
    if (first == 0)
        return uicc_refuse(s, a, SW_RECORD_NOT_FOUND, "there is no record to begin with");
    TRY(search(s, &r, &q, first, rsp));
    if (rsp->n == 0) {
        TRY(record_done(s, &r, r.current));
        return uicc_refuse(s, a, SW_END_OF_FILE, "no record matches");
    }
    return record_done(s, &r, rsp->p[0]);
}

/* --- INCREASE --------------------------------------------------------------------------------- */

/* sum += value, both numbers with the highest octet first.  false: it does not fit. */
static bool add(uint8_t *sum, size_t n, struct rd value)
{
    unsigned carry = 0;

    for (size_t i = 1; i <= n; i++) {
        carry += sum[n - i] + (i <= value.n ? value.p[value.n - i] : 0u);
        sum[n - i] = (uint8_t)carry;
        carry >>= 8;
    }
    return carry == 0;
}

int uicc_increase(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct fs *fs = &s->euicc->uicc.fs;
    uint8_t octets[FS_MAX_RECORD];
    struct records r = { 0 };
    struct wr newest;

    if (a->p2 != 0 || (a->p1 != 0 && (a->p1 & ~SFI_MASK) != P1_SFI))
        return uicc_refuse(s, a, SW_WRONG_P1P2, "P1 is no SFI, or P2 is not 00");
    TRY(find_records(s, a, a->p1 & SFI_MASK, CYCLIC, ACCESS_BY_INS | 0x32, &r));
    if (a->lc > r.node->record_len)
        return uicc_refuse(s, a, SW_WRONG_LENGTH, "the value is longer than a record");
    wr_init(&newest, octets, sizeof octets);
    TRY(fs_read_record(fs, s->euicc->nvm, r.ef, 1, &newest));
    if (!add(octets, newest.n, rd_of(a->data, a->lc)))
        return uicc_refuse(s, a, SW_MAX_VALUE_REACHED, "the sum does not fit");
    TRY(fs_push_record(fs, s->euicc->nvm, r.ef, wr_view(&newest)));
    wr_put_rd(rsp, wr_view(&newest));
    wr_put(rsp, a->data, a->lc);
    return record_done(s, &r, 1);
}
