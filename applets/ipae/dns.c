/* dns.c - one question of a stub resolver, and what of its answer may be believed (RFC 1035).
 *
 * The answer section is read anew for each alias on the way, so that its records may come in any
 * order; the way is short (DNS_ALIASES_MAX) and no state is kept. */
#include "applets/ipae/dns.h"

#include <string.h>

#include "os/err.h"

enum {
    HEADER_LEN = 12, /* RFC 1035 4.1.1 */
    FLAG_QR = 0x8000,
    OPCODE_MASK = 0x7800,
    FLAG_TC = 0x0200,
    FLAG_RD = 0x0100,
    RCODE_MASK = 0x000F,
    RCODE_NO_NAME = 3,

    TYPE_CNAME = 5,
    CLASS_IN = 1,
    LABEL_MAX = 63,
    POINTER = 0xC0, /* RFC 1035 4.1.4 */
};

/* A name on the wire without compression, in small letters. */
struct name {
    uint8_t octets[DNS_NAME_MAX];
    size_t n;
};

struct record {
    struct name owner;
    unsigned type, class;
    uint32_t ttl;
    size_t data, data_len; /* data: where in the message */
};

/* --- query ------------------------------------------------------------------------------------ */

static void put_u16(struct wr *out, unsigned v)
{
    wr_put_u8(out, (uint8_t)(v >> 8));
    wr_put_u8(out, (uint8_t)(v & 0xFF));
}

/* Letters, digits and hyphen (RFC 1123 2.1), and what some put in front of services. */
static bool is_host_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

static int put_label(struct wr *out, struct rd *name)
{
    struct rd label, dot;
    size_t n = 0;

    while (n < name->n && is_host_char(name->p[n]))
        n++;
    if (n == 0 || n > LABEL_MAX)
        return ERR_INPUT;
    TRY(rd_take(name, n, &label));
    wr_put_u8(out, (uint8_t)n);
    wr_put_rd(out, label);
    if (name->n == 0)
        return 0;
    TRY(rd_take(name, 1, &dot));
    return dot.p[0] == '.' ? 0 : ERR_INPUT;
}

int dns_put_query(struct wr *out, struct rd name, enum dns_type type, uint16_t id)
{
    if (name.n == 0 || name.n > DNS_NAME_MAX)
        return ERR_INPUT;
    put_u16(out, id);
    put_u16(out, FLAG_RD);
    put_u16(out, 1); /* a question, and no records */
    put_u16(out, 0);
    put_u16(out, 0);
    put_u16(out, 0);
    size_t begin = out->n;
    while (name.n > 0)
        TRY(put_label(out, &name));
    wr_put_u8(out, 0);
    if (out->n - begin > DNS_NAME_MAX)
        return ERR_INPUT;
    put_u16(out, type);
    put_u16(out, CLASS_IN);
    return wr_failed(out);
}

/* --- records ---------------------------------------------------------------------------------- */

/* The message and a place in it. */
struct reader {
    struct rd message;
    size_t at;
};

static int read_uint(struct reader *r, size_t octets, uint32_t *ret)
{
    uint32_t v = 0;

    if (r->at > r->message.n || octets > r->message.n - r->at)
        return ERR_INPUT;
    for (size_t i = 0; i < octets; i++)
        v = v << 8 | r->message.p[r->at + i];
    r->at += octets;
    *ret = v;
    return 0;
}

static int read_label(struct reader *r, size_t len, struct name *name)
{
    if (len > r->message.n - r->at || name->n + 1 + len >= sizeof name->octets)
        return ERR_INPUT;
    name->octets[name->n++] = (uint8_t)len;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = r->message.p[r->at + i];
        name->octets[name->n++] = c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
    }
    r->at += len;
    return 0;
}

/* Pointers lead to what came before only, each further back than the one before it: there is an
 * end (RFC 1035 4.1.4: "a prior occurrence"). */
static int read_name(struct reader *r, struct name *ret)
{
    struct reader at = *r;
    size_t before = r->at;
    bool jumped = false;
    uint32_t len, low;

    ret->n = 0;
    for (;;) {
        TRY(read_uint(&at, 1, &len));
        if ((len & POINTER) == POINTER) {
            TRY(read_uint(&at, 1, &low));
            size_t target = (size_t)((len & ~(uint32_t)POINTER) << 8 | low);
            if (target < HEADER_LEN || target >= before)
                return ERR_INPUT;
            if (!jumped)
                r->at = at.at;
            jumped = true;
            before = at.at = target;
            continue;
        }
        if (len > LABEL_MAX)
            return ERR_INPUT;
        if (len == 0)
            break;
        TRY(read_label(&at, len, ret));
    }
    ret->octets[ret->n++] = 0;
    if (!jumped)
        r->at = at.at;
    return 0;
}

/* RFC 1035 4.1.3; a TTL with its first bit set is 0 (RFC 2181 8). */
static int read_record(struct reader *r, struct record *ret)
{
    uint32_t type, class, len;

    TRY(read_name(r, &ret->owner));
    TRY(read_uint(r, 2, &type));
    TRY(read_uint(r, 2, &class));
    TRY(read_uint(r, 4, &ret->ttl));
    TRY(read_uint(r, 2, &len));
    if (len > r->message.n - r->at)
        return ERR_INPUT;
    if (ret->ttl >> 31 != 0)
        ret->ttl = 0;
    ret->type = type;
    ret->class = class;
    ret->data = r->at;
    ret->data_len = len;
    r->at += len;
    return 0;
}

/* --- answer ----------------------------------------------------------------------------------- */

struct search {
    struct reader records; /* at the first one */
    size_t n_records;
    unsigned type;
    struct name name; /* whose addresses are wanted now */
    struct dns_answer found;
};

static bool is_about(const struct record *record, const struct name *name)
{
    return record->class == CLASS_IN && record->owner.n == name->n &&
           memcmp(record->owner.octets, name->octets, name->n) == 0;
}

static void note_ttl(struct search *s, uint32_t ttl)
{
    if (ttl < s->found.ttl)
        s->found.ttl = ttl;
}

static int take_address(struct search *s, const struct record *record)
{
    if (record->data_len != s->found.address_len)
        return ERR_INPUT;
    if (s->found.n == DNS_ADDRESSES_MAX)
        return 0;
    memcpy(s->found.address[s->found.n++], s->records.message.p + record->data, record->data_len);
    note_ttl(s, record->ttl);
    return 0;
}

static int read_alias(struct search *s, const struct record *record, struct name *ret)
{
    struct reader r = { s->records.message, record->data };

    TRY(read_name(&r, ret));
    return r.at == record->data + record->data_len ? 0 : ERR_INPUT;
}

/* Looks once through the section: addresses of the name, or what it is an alias of. */
static int look_through(struct search *s, bool *ret_alias)
{
    struct reader r = s->records;
    struct record record, alias;
    struct name target;
    bool is_alias = false;

    for (size_t i = 0; i < s->n_records; i++) {
        TRY(read_record(&r, &record));
        if (!is_about(&record, &s->name))
            continue;
        if (record.type == s->type)
            TRY(take_address(s, &record));
        if (record.type == TYPE_CNAME && !is_alias) {
            alias = record;
            is_alias = true;
        }
    }
    *ret_alias = is_alias && s->found.n == 0;
    if (*ret_alias) {
        TRY(read_alias(s, &alias, &target));
        note_ttl(s, alias.ttl);
        s->name = target;
    }
    return 0;
}

static enum dns_result find_addresses(struct search *s, struct dns_answer *ret)
{
    for (unsigned i = 0; i <= DNS_ALIASES_MAX; i++) {
        bool alias;
        if (look_through(s, &alias) != 0)
            return DNS_BROKEN;
        if (s->found.n > 0) {
            *ret = s->found;
            return DNS_FOUND;
        }
        if (!alias)
            return DNS_NO_ADDRESS;
    }
    return DNS_BROKEN;
}

/* RFC 5452 9: id and question are those of the query; the question octet by octet. */
static bool answers(struct rd query, struct rd message)
{
    return query.n > HEADER_LEN && message.n >= query.n && memcmp(query.p, message.p, 2) == 0 &&
           (message.p[2] & FLAG_QR >> 8) != 0 && memcmp(query.p + 4, message.p + 4, 2) == 0 &&
           memcmp(query.p + HEADER_LEN, message.p + HEADER_LEN, query.n - HEADER_LEN) == 0;
}

enum dns_result dns_read(struct rd query, struct rd message, struct dns_answer *ret)
{
    struct search s = { .records = { message, HEADER_LEN }, .found = { .ttl = DNS_TTL_MAX } };
    struct reader header = { message, 2 };
    uint32_t flags, questions, records, type, class;

    if (!answers(query, message))
        return DNS_NOT_OURS;
    if (read_uint(&header, 2, &flags) != 0 || read_uint(&header, 2, &questions) != 0 ||
        read_uint(&header, 2, &records) != 0 || read_name(&s.records, &s.name) != 0 ||
        read_uint(&s.records, 2, &type) != 0 || read_uint(&s.records, 2, &class) != 0)
        return DNS_BROKEN;
    if ((flags & OPCODE_MASK) != 0)
        return DNS_NOT_OURS;
    if ((flags & FLAG_TC) != 0)
        return DNS_TRUNCATED;
    if ((flags & RCODE_MASK) != 0)
        return (flags & RCODE_MASK) == RCODE_NO_NAME ? DNS_NO_NAME : DNS_FAILED;
    s.n_records = records;
    s.type = type;
    s.found.address_len = type == DNS_A ? 4 : 16;
    return find_addresses(&s, ret);
}

const char *dns_result_name(enum dns_result result)
{
    static const char *const names[] = {
        [DNS_FOUND] = "found",
        [DNS_NOT_OURS] = "not the answer to this query",
        [DNS_NO_NAME] = "there is no such name",
        [DNS_NO_ADDRESS] = "there is no such address",
        [DNS_TRUNCATED] = "the answer was truncated",
        [DNS_FAILED] = "the server failed or refused",
        [DNS_BROKEN] = "the answer does not parse",
    };

    return (size_t)result < N_ELEMS(names) ? names[result] : "?";
}
