/* der.c - decoding in two steps: make the input regular, then let asn1c read it.
 *
 * asn1c 0.9.28 skips unknown components only behind the last known one (an unknown one in front of
 * an optional one makes it lose the latter silently), turns an unknown alternative into a value
 * that fails later, and takes a component twice without a word.  So the input is first copied
 * under the guidance of asn1c's own type descriptors: unknown objects left out, components in the
 * order of the ASN.1, lengths minimal.  The copy is never longer than the input, and the recursion
 * is as deep as our types are, whatever the input is; what is skipped is not looked into.
 *
 * State: none after the program has started; see make_types_ready(). */

#include <stdlib.h>
#include <string.h>

#include <ANY.h>
#include <BIT_STRING.h>
#include <BOOLEAN.h>
#include <NULL.h>
#include <NativeInteger.h>
#include <asn_application.h>
#include <constr_CHOICE.h>
#include <constr_SEQUENCE.h>
#include <constr_SEQUENCE_OF.h>

#include "asn1/der.h"
#include "os/err.h"

/* asn1c bounds its recursion by the address of its locals.  Our types need a few kB; the rest is
 * room for the large frames of a sanitizer build. */
#define ASN1C_MAX_STACK (256 * 1024)

/* The tag of a member that has several: an untagged CHOICE. */
#define TAG_NONE ((ber_tlv_tag_t)-1)

/* One table of all types of all modules, ends with NULL; asn1c's -pdu=all. */
extern asn_TYPE_descriptor_t *asn_pdu_collection[];

/* ---- data objects ---- */

struct object {
    const uint8_t *p; /* the whole object; n octets */
    size_t n;
    ber_tlv_tag_t tag; /* asn1c's form: number << 2 | class */
    bool constructed;
    size_t tag_n;    /* octets of the tag */
    size_t header_n; /* octets of tag and length */
};

static int read_tag(const uint8_t *p, size_t n, struct object *o)
{
    if (n == 0)
        return ERR_INPUT;
    ber_tlv_tag_t number = p[0] & 0x1f;
    size_t i = 1;
    if (number == 0x1f) {
        number = 0;
        do {
            if (i == n || i == 4)
                return ERR_INPUT;
            number = number << 7 | (p[i] & 0x7f);
        } while (p[i++] & 0x80);
    }
    o->p = p;
    o->tag = number << 2 | p[0] >> 6;
    o->constructed = (p[0] & 0x20) != 0;
    o->tag_n = i;
    return 0;
}

/* The object at the start of p[0..n-1], definite length and wholly there. */
static int read_object(const uint8_t *p, size_t n, struct object *o)
{
    int r = read_tag(p, n, o);
    if (r != 0)
        return r;
    size_t i = o->tag_n;
    if (i == n || p[i] == 0x80)
        return ERR_INPUT;
    size_t length = p[i++];
    if (length & 0x80) {
        size_t octets = length & 0x7f;
        if (octets > 4 || octets > n - i)
            return ERR_INPUT;
        for (length = 0; octets > 0; octets--)
            length = length << 8 | p[i++];
    }
    if (length > n - i)
        return ERR_INPUT;
    o->header_n = i;
    o->n = i + length;
    return 0;
}

/* The object that p[0..n-1] is, with nothing behind it. */
static int read_only_object(const uint8_t *p, size_t n, struct object *o)
{
    int r = read_object(p, n, o);
    return r != 0 ? r : o->n == n ? 0 : ERR_INPUT;
}

static size_t length_octets(size_t length)
{
    size_t octets = 1;
    if (length >= 0x80)
        for (; length > 0; length >>= 8)
            octets++;
    return octets;
}

/* ---- types ---- */

enum kind { KIND_PRIMITIVE, KIND_SEQUENCE, KIND_LIST, KIND_CHOICE, KIND_OPEN };

static enum kind kind_of(const asn_TYPE_descriptor_t *type)
{
    if (type->ber_decoder == SEQUENCE_decode_ber)
        return KIND_SEQUENCE;
    if (type->ber_decoder == SEQUENCE_OF_decode_ber)
        return KIND_LIST;
    if (type->ber_decoder == CHOICE_decode_ber)
        return KIND_CHOICE;
    if (type->specifics != NULL && type->specifics == asn_DEF_ANY.specifics)
        return KIND_OPEN;
    return KIND_PRIMITIVE;
}

static const asn_TYPE_member_t *choice_member(const asn_TYPE_descriptor_t *type, ber_tlv_tag_t tag)
{
    const asn_CHOICE_specifics_t *specs = type->specifics;

    for (int i = 0; i < specs->tag2el_count; i++)
        if (specs->tag2el[i].el_tag == tag)
            return &type->elements[specs->tag2el[i].el_no];
    return NULL;
}

/* Can an object of this tag be this member?  Only an untagged CHOICE has several tags. */
static bool member_has_tag(const asn_TYPE_member_t *m, ber_tlv_tag_t tag)
{
    if (m->tag != TAG_NONE)
        return m->tag == tag;
    return kind_of(m->type) == KIND_CHOICE && choice_member(m->type, tag) != NULL;
}

static int member_headers(const asn_TYPE_member_t *m)
{
    return m->type->tags_count + (m->tag_mode == 1 ? 1 : 0);
}

/* ---- the regular copy ---- */

struct copy {
    const uint8_t *start; /* of the input, for offsets */
    uint8_t *out;
    size_t size;
    size_t n;
    struct der_report *report;
};

static int copy_octets(struct copy *c, const uint8_t *p, size_t n)
{
    if (n > c->size - c->n)
        return ERR_BUG;
    memcpy(c->out + c->n, p, n);
    c->n += n;
    return 0;
}

static void copy_put_length(uint8_t *p, size_t length, size_t octets)
{
    if (octets == 1) {
        p[0] = (uint8_t)length;
        return;
    }
    p[0] = (uint8_t)(0x80 | (octets - 1));
    for (size_t i = octets - 1; i > 0; i--, length >>= 8)
        p[i] = (uint8_t)length;
}

/* Writes the tag of `o` and room for the length of its contents, which can only shrink. */
static int copy_open(struct copy *c, const struct object *o)
{
    size_t room = length_octets(o->n - o->header_n);
    if (o->tag_n + room > c->size - c->n)
        return ERR_BUG;
    memcpy(c->out + c->n, o->p, o->tag_n);
    c->n += o->tag_n + room;
    return 0;
}

/* Closes what copy_open() began when `at` was the end of the output. */
static void copy_close(struct copy *c, const struct object *o, size_t at)
{
    size_t room = length_octets(o->n - o->header_n);
    size_t body = at + o->tag_n + room;
    size_t length = c->n - body;
    size_t octets = length_octets(length);
    if (octets != room)
        memmove(c->out + body - (room - octets), c->out + body, length);
    copy_put_length(c->out + at + o->tag_n, length, octets);
    c->n -= room - octets;
}

static void note_unknown(struct copy *c, const uint8_t *p)
{
    if (c->report->unknown++ == 0)
        c->report->unknown_at = (size_t)(p - c->start);
}

static int copy_object(struct copy *c, const asn_TYPE_descriptor_t *type, int headers,
                       const struct object *o);

static int copy_list(struct copy *c, const asn_TYPE_descriptor_t *type, const uint8_t *p, size_t n)
{
    const asn_TYPE_member_t *m = &type->elements[0];

    for (struct object o; n > 0; p += o.n, n -= o.n) {
        int r = read_object(p, n, &o);
        if (r != 0)
            return r;
        if (m->tag == TAG_NONE && kind_of(m->type) == KIND_CHOICE && !member_has_tag(m, o.tag)) {
            note_unknown(c, o.p);
            continue;
        }
        r = copy_object(c, m->type, member_headers(m), &o);
        if (r != 0)
            return r;
    }
    return 0;
}

struct components {
    size_t n;
    size_t n_used;
    struct {
        ber_tlv_tag_t tag;
        uint32_t at;
        bool used;
    } part[DER_MAX_COMPONENTS];
};

static int split(const uint8_t *p, size_t n, struct components *parts)
{
    parts->n = 0;
    parts->n_used = 0;
    struct object o;
    for (size_t at = 0; at < n; at += o.n) {
        int r = read_object(p + at, n - at, &o);
        if (r != 0 || parts->n == DER_MAX_COMPONENTS || at > UINT32_MAX)
            return ERR_INPUT;
        parts->part[parts->n].tag = o.tag;
        parts->part[parts->n].at = (uint32_t)at;
        parts->part[parts->n].used = false;
        parts->n++;
    }
    return 0;
}

/* The first unused part that can be `m`, or parts->n.  Members that share a tag take the parts in
 * the order they came, as ApplicationInstance with its 4F wants it. */
static size_t find_part(const struct components *parts, const asn_TYPE_member_t *m)
{
    size_t i = 0;
    while (i < parts->n && (parts->part[i].used || !member_has_tag(m, parts->part[i].tag)))
        i++;
    return i;
}

/* All that no member took: unknown, or a known component once too often. */
static int account_for_rest(struct copy *c, const asn_TYPE_descriptor_t *type, const uint8_t *p,
                            const struct components *parts)
{
    for (size_t i = 0; i < parts->n; i++) {
        if (parts->part[i].used)
            continue;
        for (int k = 0; k < type->elements_count; k++)
            if (member_has_tag(&type->elements[k], parts->part[i].tag))
                return ERR_INPUT;
        note_unknown(c, p + parts->part[i].at);
    }
    return 0;
}

static int copy_sequence(struct copy *c, const asn_TYPE_descriptor_t *type, const uint8_t *p,
                         size_t n)
{
    struct components parts;
    int r = split(p, n, &parts);

    size_t latest = 0;
    for (int k = 0; r == 0 && k < type->elements_count && parts.n_used < parts.n; k++) {
        const asn_TYPE_member_t *m = &type->elements[k];
        size_t i = find_part(&parts, m);
        if (i == parts.n)
            continue; /* asn1c complains if it was mandatory */
        if (i < latest)
            c->report->reordered = true;
        latest = i;
        parts.part[i].used = true;
        parts.n_used++;
        struct object o;
        r = read_object(p + parts.part[i].at, n - parts.part[i].at, &o);
        if (r == 0)
            r = copy_object(c, m->type, member_headers(m), &o);
    }
    return r != 0 ? r : account_for_rest(c, type, p, &parts);
}

/* The alternative itself, its tag included, fills p[0..n-1]. */
static int copy_choice(struct copy *c, const asn_TYPE_descriptor_t *type, const uint8_t *p,
                       size_t n)
{
    struct object o;
    int r = read_only_object(p, n, &o);
    if (r != 0)
        return r;
    const asn_TYPE_member_t *m = choice_member(type, o.tag);
    return m != NULL ? copy_object(c, m->type, member_headers(m), &o) : ERR_INPUT;
}

/* asn1c's own checks of these are lax: NULL may have contents there, BOOLEAN any length, and it
 * would glue the pieces of a constructed string together. */
static bool primitive_is_sound(const asn_TYPE_descriptor_t *type, const struct object *o)
{
    size_t n = o->n - o->header_n;

    if (o->constructed)
        return false;
    if (type == &asn_DEF_NULL)
        return n == 0;
    if (type == &asn_DEF_BOOLEAN)
        return n == 1;
    if (type->specifics != NULL && type->specifics == asn_DEF_BIT_STRING.specifics)
        return n > 0 && o->p[o->header_n] <= (n == 1 ? 0 : 7);
    if (type->ber_decoder == NativeInteger_decode_ber || type->ber_decoder == ber_decode_primitive)
        return n > 0; /* INTEGER, OBJECT IDENTIFIER */
    return true;
}

static int copy_contents(struct copy *c, const asn_TYPE_descriptor_t *type, const uint8_t *p,
                         size_t n)
{
    switch (kind_of(type)) {
    case KIND_SEQUENCE:
        return copy_sequence(c, type, p, n);
    case KIND_LIST:
        return copy_list(c, type, p, n);
    case KIND_CHOICE:
        return copy_choice(c, type, p, n);
    case KIND_OPEN:
    case KIND_PRIMITIVE:
        break;
    }
    return copy_octets(c, p, n);
}

/* What stands inside the innermost header of `o`. */
static int copy_inside(struct copy *c, const asn_TYPE_descriptor_t *type, const struct object *o)
{
    const uint8_t *p = o->p + o->header_n;
    size_t n = o->n - o->header_n;
    struct object inner;

    switch (kind_of(type)) {
    case KIND_PRIMITIVE:
        return primitive_is_sound(type, o) ? copy_octets(c, p, n) : ERR_INPUT;
    case KIND_OPEN:
        if (!o->constructed || read_only_object(p, n, &inner) != 0)
            return ERR_INPUT;
        return copy_octets(c, p, n);
    case KIND_SEQUENCE:
    case KIND_LIST:
    case KIND_CHOICE:
        break;
    }
    return o->constructed ? copy_contents(c, type, p, n) : ERR_INPUT;
}

/* Copies object `o`, a `type` within that many headers; 0 for a CHOICE or an open type without a
 * tag of its own.  Whether the tags are the right ones is asn1c's to check. */
static int copy_object(struct copy *c, const asn_TYPE_descriptor_t *type, int headers,
                       const struct object *o)
{
    if (headers == 0)
        return copy_contents(c, type, o->p, o->n);

    size_t at = c->n;
    int r = copy_open(c, o);
    if (r == 0 && headers == 1) {
        r = copy_inside(c, type, o);
    } else if (r == 0) {
        struct object inner;
        r = o->constructed ? read_only_object(o->p + o->header_n, o->n - o->header_n, &inner)
                           : ERR_INPUT;
        if (r == 0)
            r = copy_object(c, type, headers - 1, &inner);
    }
    if (r == 0)
        copy_close(c, o, at);
    return r;
}

static int make_regular(const asn_TYPE_descriptor_t *type, const uint8_t *p, size_t n,
                        struct copy *c)
{
    struct object o;
    int r = read_only_object(p, n, &o);

    return r != 0 ? r : copy_object(c, type, type->tags_count, &o);
}

/* ---- the interface ---- */

/* asn1c does not know const; it only reads through these. */
static void *no_const(const void *p)
{
    return (void *)(uintptr_t)p;
}

static int decode_regular(const asn_TYPE_descriptor_t *type, const uint8_t *p, size_t n, void **ret)
{
    asn_codec_ctx_t ctx = { .max_stack_size = ASN1C_MAX_STACK };
    void *value = NULL;

    asn_dec_rval_t r = type->ber_decoder(&ctx, no_const(type), &value, p, n, 0);
    if (r.code != RC_OK || r.consumed != n || !der_valid(type, value)) {
        der_free(type, value);
        return ERR_INPUT;
    }
    *ret = value;
    return 0;
}

int der_decode_report(const asn_TYPE_descriptor_t *type, const uint8_t *p, size_t n, void **ret,
                      struct der_report *ret_report)
{
    *ret_report = (struct der_report){ 0 };
    if (n == 0 || n > INT32_MAX)
        return ERR_INPUT;

    struct copy c = { .start = p, .out = malloc(n), .size = n, .report = ret_report };
    if (c.out == NULL)
        return ERR_NOMEM;
    int r = make_regular(type, p, n, &c);
    if (r == 0)
        r = decode_regular(type, c.out, c.n, ret);
    /* Keys of a profile pass through here. */
    explicit_bzero(c.out, n); /* the copy may have shrunk from there */
    free(c.out);
    return r;
}

int der_decode(const asn_TYPE_descriptor_t *type, const uint8_t *p, size_t n, void **ret)
{
    struct der_report ignored;

    return der_decode_report(type, p, n, ret, &ignored);
}

struct sink {
    uint8_t *buf;
    size_t size;
    size_t n;
    bool full;
};

static int sink_put(const void *p, size_t n, void *to)
{
    struct sink *s = to;

    if (n > s->size - s->n) {
        s->full = true;
        return -1;
    }
    memcpy(s->buf + s->n, p, n);
    s->n += n;
    return 0;
}

int der_write(const asn_TYPE_descriptor_t *type, const void *value, uint8_t *buf, size_t size,
              size_t *ret_n)
{
    struct sink s = { .buf = buf, .size = size };

    asn_enc_rval_t r = der_encode(no_const(type), no_const(value), sink_put, &s);
    if (r.encoded < 0)
        return s.full ? ERR_NOMEM : ERR_BUG;
    *ret_n = s.n;
    return 0;
}

bool der_valid(const asn_TYPE_descriptor_t *type, const void *value)
{
    return value != NULL && asn_check_constraints(no_const(type), value, NULL, NULL) == 0;
}

void der_free(const asn_TYPE_descriptor_t *type, void *value)
{
    if (value != NULL)
        type->free_struct(no_const(type), value, 0);
}

/* ---- strict DER ---- */

static bool header_is_canonical(const struct object *o)
{
    if (o->tag_n > 1 && (o->tag >> 2 < 0x1f || o->p[1] == 0x80))
        return false;
    return o->header_n - o->tag_n == length_octets(o->n - o->header_n);
}

static bool integer_is_canonical(const uint8_t *p, size_t n)
{
    return n == 1 || (n > 1 && !(p[0] == 0x00 && p[1] < 0x80) && !(p[0] == 0xff && p[1] >= 0x80));
}

static bool bits_are_canonical(const uint8_t *p, size_t n)
{
    if (n == 0 || p[0] > (n == 1 ? 0 : 7))
        return false;
    return (p[n - 1] & ((1u << p[0]) - 1)) == 0 || n == 1;
}

static bool oid_is_canonical(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] == 0x80 && (i == 0 || p[i - 1] < 0x80))
            return false; /* a number that starts with a digit zero */
    return n > 0 && p[n - 1] < 0x80;
}

static bool object_is_canonical(const struct object *o)
{
    const uint8_t *p = o->p + o->header_n;
    size_t n = o->n - o->header_n;

    if (!header_is_canonical(o))
        return false;
    if ((o->tag & 3) != ASN_TAG_CLASS_UNIVERSAL)
        return true;
    switch (o->tag >> 2) {
    case 0:
        return false; /* end of contents, or nothing at all */
    case 8:
    case 11:
    case 16:
    case 17:
        return o->constructed; /* EXTERNAL, EMBEDDED PDV, SEQUENCE, SET */
    case 1:
        return !o->constructed && n == 1 && (p[0] == 0x00 || p[0] == 0xff);
    case 2:
    case 10:
        return !o->constructed && integer_is_canonical(p, n);
    case 3:
        return !o->constructed && bits_are_canonical(p, n);
    case 5:
        return !o->constructed && n == 0;
    case 6:
    case 13:
        return !o->constructed && oid_is_canonical(p, n);
    default:
        return !o->constructed;
    }
}

bool der_is_canonical(const uint8_t *p, size_t n)
{
    const uint8_t *end[DER_MAX_DEPTH]; /* of the constructed objects that we are in */
    size_t depth = 0;

    if (n == 0)
        return false;
    end[0] = p + n;
    for (;;) {
        while (p == end[depth]) {
            if (depth == 0)
                return true;
            depth--;
        }
        struct object o;
        if (read_object(p, (size_t)(end[depth] - p), &o) != 0 || !object_is_canonical(&o))
            return false;
        if (!o.constructed) {
            p += o.n;
            continue;
        }
        if (++depth == DER_MAX_DEPTH)
            return false;
        p += o.header_n;
        end[depth] = o.p + o.n;
    }
}

/* ---- getting ready ---- */

/* asn1c 0.9.28 completes the descriptor of a type like `Iccid ::= OCTET STRING (SIZE(10))` when it
 * is first used, which two threads may do at once, and then overwrites the type's own constraint by
 * that of the base type: from the second value on, SIZE(10) is not checked.  So we trigger the
 * completion, on no value, and put the constraint back.  Called on no value, the constraint of a
 * type that has none replaces itself, which shall not happen later either. */
static void make_type_ready(asn_TYPE_descriptor_t *type, int depth)
{
    asn_constr_check_f *own = type->check_constraints;
    type->free_struct(type, NULL, 1);
    if (type->ber_decoder != SEQUENCE_decode_ber && type->ber_decoder != SEQUENCE_OF_decode_ber &&
        type->ber_decoder != CHOICE_decode_ber) {
        type->check_constraints = own;
        own(type, NULL, NULL, NULL);
    }
    for (int i = 0; depth > 0 && i < type->elements_count; i++)
        make_type_ready(type->elements[i].type, depth - 1);
}

/* Before main(): afterwards the descriptors are never written, and threads may share them.  Types
 * that stand inside another have no entry in the table; none is nested deeper than twice. */
__attribute__((constructor)) static void make_types_ready(void)
{
    for (asn_TYPE_descriptor_t **type = asn_pdu_collection; *type != NULL; type++)
        make_type_ready(*type, 2);
}
