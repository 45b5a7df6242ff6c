/* play_octets.c - octets as scripts write them (docs/SCRIPTS.md). */
#include "lab/play_octets.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/err.h"
#include "os/hex.h"
#include "os/tlv.h"

enum {
    MAX_PIECES = 64,   /* between "..." in what is wanted */
    MAX_CAPTURES = 64, /* {name:N} and {!name} */
    CAPTURE_MAX = 65536,
    SEARCH_WORK_MAX = 50 * 1000 * 1000, /* octets compared for one answer */
};

int play_fail(struct play_error *e, const char *at, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(e->e.text, sizeof e->e.text, fmt, args);
    va_end(args);
    e->at = at;
    return ERR_INPUT;
}

/* --- variables ------------------------------------------------------------------------------- */

void play_names_clear(struct play_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        wr_done(&names->at[i].value);
    names->n = 0;
}

/* Its index, or names->n. */
static size_t find(const struct play_names *names, const char *name)
{
    size_t i = 0;

    while (i < names->n && strcmp(names->at[i].name, name) != 0)
        i++;
    return i;
}

bool play_names_get(const struct play_names *names, const char *name, struct rd *ret)
{
    size_t i = find(names, name);

    if (name[0] == '\0' && names->last != NULL)
        *ret = wr_view(names->last);
    else if (i < names->n)
        *ret = wr_view(&names->at[i].value);
    else
        return false;
    return true;
}

bool play_names_put(struct play_names *names, const char *name, struct rd value)
{
    size_t i = find(names, name);
    struct wr copy;

    wr_init_heap(&copy, PLAY_VALUE_MAX);
    wr_put_rd(&copy, value);
    if (wr_failed(&copy) != 0 || i == PLAY_MAX_NAMES) {
        wr_done(&copy);
        return false;
    }
    struct play_name *at = &names->at[i];
    if (i == names->n) {
        names->n++;
        snprintf(at->name, sizeof at->name, "%s", name);
    } else {
        wr_done(&at->value);
    }
    at->value = copy;
    return true;
}

/* --- tokens ---------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* What stands in braces: nothing, {name}, {!name}, {name:N}, {name+N}, {iccid:DIGITS}. */
struct braces {
    char name[PLAY_NAME_MAX];
    char sign; /* '!', ':', '+', or 0 */
    char argument[PLAY_NAME_MAX];
};

static int read_word(const char **at, char *ret, const char *what, struct play_error *e)
{
    const char *begin = *at;
    size_t n = 0;

    while (isalnum((unsigned char)begin[n]) || begin[n] == '_' || begin[n] == '-')
        n++;
    if (n == 0 || n >= PLAY_NAME_MAX)
        return play_fail(e, begin, "%s of 1 to %d letters, digits, - and _", what,
                         PLAY_NAME_MAX - 1);
    memcpy(ret, begin, n);
    ret[n] = '\0';
    *at += n;
    return 0;
}

static int read_braces(const char **at, struct braces *ret, struct play_error *e)
{
    const char *begin = (*at)++;

    *ret = (struct braces){ .sign = 0 };
    if (**at == '}') { /* the last answer */
        (*at)++;
        return 0;
    }
    if (**at == '!') {
        ret->sign = '!';
        (*at)++;
    }
    TRY(read_word(at, ret->name, "a name", e));
    if (ret->sign == 0 && (**at == ':' || **at == '+')) {
        ret->sign = *(*at)++;
        TRY(read_word(at, ret->argument, "a number", e));
    }
    if (*(*at)++ != '}')
        return play_fail(e, begin, "no } to this {");
    return 0;
}

static int put_sum(const struct play_names *names, const struct braces *b, const char *where,
                   struct wr *ret, struct play_error *e)
{
    unsigned long more;
    uint64_t v = 0;
    struct rd value;

    if (!number_read(b->argument, UINT32_MAX, &more))
        return play_fail(e, where, "{name+N}: N is a number");
    if (names == NULL)
        return 0;
    if (!play_names_get(names, b->name, &value))
        return play_fail(e, where, "there is no %s yet", b->name);
    if (tlv_uint(value, &v) != 0 || v > INT64_MAX)
        return play_fail(e, where, "%s is not a number", b->name);
    uint8_t room[16];
    struct wr number;
    wr_init(&number, room, sizeof room);
    tlv_put_uint(&number, 0x02, v + more);
    wr_put(ret, room + 2, number.n - 2);
    return 0;
}

/* {name}, {name+N} and {iccid:DIGITS} as octets. */
static int put_braces(const struct play_names *names, const struct braces *b, const char *where,
                      struct wr *ret, struct play_error *e)
{
    uint8_t iccid[ICCID_LEN];
    struct rd value;

    if (b->sign == ':' && strcmp(b->name, "iccid") == 0) {
        if (!iccid_read(b->argument, iccid))
            return play_fail(e, where, "an ICCID has 18 to 20 digits");
        wr_put(ret, iccid, sizeof iccid);
        return 0;
    }
    if (b->sign == '+')
        return put_sum(names, b, where, ret, e);
    if (b->sign != 0)
        return play_fail(e, where, "this belongs into what is wanted, not into what is sent");
    if (names == NULL)
        return 0;
    if (!play_names_get(names, b->name, &value))
        return play_fail(e, where, "there is no %s yet", b->name);
    wr_put_rd(ret, value);
    return 0;
}

/* --- what is sent ---------------------------------------------------------------------------- */

/* A tag before its '(': n digits, as BER has them. */
static int read_tag(const char *begin, size_t n, uint32_t *ret, struct play_error *e)
{
    size_t octets = n / 2;
    bool good = n % 2 == 0 && octets >= 1 && octets <= 3;

    *ret = 0;
    for (size_t i = 0; good && i < n; i++) {
        good = hex_digit(begin[i]) >= 0;
        *ret = *ret << 4 | ((uint32_t)hex_digit(begin[i]) & 0xF);
    }
    if (!good)
        return play_fail(e, begin, "a tag has one to three octets");
    if (*ret == 0)
        return play_fail(e, begin, "there is no tag 00");
    for (size_t i = 0; i < octets; i++) {
        uint32_t octet = *ret >> 8 * (octets - 1 - i) & 0xFF;
        bool more = i == 0 ? (octet & 0x1F) == 0x1F : (octet & 0x80) != 0;
        good = good && more == (i + 1 < octets);
    }
    return good ? 0
                : play_fail(e, begin, "%.*s is no tag; a (STATUS) stands behind a blank", (int)n,
                            begin);
}

/* Digits, up to something else; those of a tag before '(' go to *ret_tag instead. */
static int read_digits(const char **at, bool plain, struct wr *ret, uint32_t *ret_tag,
                       struct play_error *e)
{
    const char *begin = *at;
    size_t n = 0;

    while (hex_digit(begin[n]) >= 0)
        n++;
    *ret_tag = 0;
    *at = begin + n;
    if (!plain && begin[n] == '(')
        return read_tag(begin, n, ret_tag, e);
    if (n % 2 != 0)
        return play_fail(e, begin + n - 1, "half an octet");
    for (size_t i = 0; i < n; i += 2)
        wr_put_u8(ret, (uint8_t)(hex_digit(begin[i]) << 4 | hex_digit(begin[i + 1])));
    return 0;
}

static int read_text(const char **at, struct wr *ret, struct play_error *e)
{
    const char *begin = *at + 1;
    const char *end = strchr(begin, '\'');

    if (end == NULL)
        return play_fail(e, *at, "no second ' to this one");
    wr_put(ret, begin, (size_t)(end - begin));
    *at = end + 1;
    return 0;
}

/* TLVs that are open. */
struct nest {
    struct wr_mark marks[PLAY_MAX_NESTING];
    const char *where[PLAY_MAX_NESTING];
    size_t n;
};

static int open_tlv(struct nest *nest, uint32_t tag, const char *where, struct wr *ret,
                    struct play_error *e)
{
    if (nest->n == PLAY_MAX_NESTING)
        return play_fail(e, where, "more than %d TLVs in each other", PLAY_MAX_NESTING);
    nest->where[nest->n] = where;
    nest->marks[nest->n++] = tlv_open(ret, tag);
    return 0;
}

static int sent_token(const char **at, struct play_octets_style style,
                      const struct play_names *names, struct nest *nest, struct wr *ret,
                      struct play_error *e)
{
    const char *where = *at;
    struct braces b;
    uint32_t tag;

    if (hex_digit(*where) >= 0) {
        TRY(read_digits(at, style.plain, ret, &tag, e));
        if (tag == 0)
            return 0;
        (*at)++;
        return open_tlv(nest, tag, where, ret, e);
    }
    if (!style.plain && *where == '\'')
        return read_text(at, ret, e);
    if (!style.plain && *where == '{') {
        TRY(read_braces(at, &b, e));
        return put_braces(names, &b, where, ret, e);
    }
    if (*where == ')' && nest->n > 0) {
        (*at)++;
        tlv_close(ret, nest->marks[--nest->n]);
        return 0;
    }
    return play_fail(e, where, "not understood: %.20s", where);
}

int play_octets_read(const char *text, struct play_octets_style style,
                     const struct play_names *names, struct wr *ret, const char **ret_end,
                     struct play_error *e)
{
    struct nest nest = { .n = 0 };
    const char *at = text;

    while (true) {
        while (is_blank(*at))
            at++;
        if (*at == '\0' || (style.stop_at_status && *at == '(' && nest.n == 0))
            break;
        TRY(sent_token(&at, style, names, &nest, ret, e));
        if (wr_failed(ret) != 0)
            return play_fail(e, at, "more than %zu octets", ret->max);
    }
    if (nest.n > 0)
        return play_fail(e, nest.where[nest.n - 1], "no ) to this TLV");
    if (ret_end != NULL)
        *ret_end = at;
    return 0;
}

/* --- what is wanted -------------------------------------------------------------------------- */

struct symbol {
    uint8_t value, mask;
};

/* One alternative: pieces of fixed length, between them any octets. */
struct pattern {
    struct wr symbols; /* struct symbol */
    struct piece {
        size_t first, n, at;
    } pieces[MAX_PIECES];
    size_t n_pieces;
    bool open_end; /* ends with "..." */
    struct capture {
        char name[PLAY_NAME_MAX];
        size_t piece, from, n;
        bool other; /* {!name}: not these octets */
    } captures[MAX_CAPTURES];
    size_t n_captures;
    struct open_tlv { /* whose length is not known yet */
        uint32_t tag;
        const char *where;
        size_t piece, at; /* where it begins, in symbols */
    } open[PLAY_MAX_NESTING];
    size_t n_open;
    bool mute, anything;
    int half; /* a digit that waits for its second one */
};

static struct piece *last_piece(struct pattern *p)
{
    return &p->pieces[p->n_pieces - 1];
}

static void put_symbol(struct pattern *p, uint8_t value, uint8_t mask)
{
    struct symbol s = { value & mask, mask };

    wr_put(&p->symbols, &s, sizeof s);
    last_piece(p)->n++;
}

static int put_capture(struct pattern *p, const char *name, size_t n, bool other, const char *where,
                       struct play_error *e)
{
    if (p->n_captures == MAX_CAPTURES)
        return play_fail(e, where, "more than %d captures", MAX_CAPTURES);
    struct capture *c = &p->captures[p->n_captures++];
    *c = (struct capture){
        .piece = p->n_pieces - 1, .from = last_piece(p)->n, .n = n, .other = other
    };
    snprintf(c->name, sizeof c->name, "%s", name);
    for (size_t i = 0; i < n; i++)
        put_symbol(p, 0, 0);
    return 0;
}

static int new_piece(struct pattern *p, const char *where, struct play_error *e)
{
    if (p->n_pieces == MAX_PIECES)
        return play_fail(e, where, "more than %d times ...", MAX_PIECES - 1);
    p->pieces[p->n_pieces++] = (struct piece){ .first = p->symbols.n / sizeof(struct symbol) };
    return 0;
}

static int wanted_braces(const char **at, const struct play_names *names, struct pattern *p,
                         struct play_error *e)
{
    const char *where = *at;
    struct rd value = { NULL, 0 };
    unsigned long n;
    struct braces b;
    struct wr octets;

    TRY(read_braces(at, &b, e));
    if (b.sign == ':' && strcmp(b.name, "iccid") != 0) {
        if (!number_read(b.argument, CAPTURE_MAX, &n))
            return play_fail(e, where, "{name:N}: N is a number up to %d", CAPTURE_MAX);
        return put_capture(p, b.name, n, false, where, e);
    }
    if (b.sign == '!') {
        if (names != NULL && !play_names_get(names, b.name, &value))
            return play_fail(e, where, "there is no %s yet", b.name);
        return put_capture(p, b.name, value.n, true, where, e);
    }
    wr_init_heap(&octets, PLAY_VALUE_MAX);
    int r = put_braces(names, &b, where, &octets, e);
    for (size_t i = 0; r == 0 && i < octets.n; i++)
        put_symbol(p, octets.p[i], 0xFF);
    wr_done(&octets);
    return r;
}

static void wanted_digit(struct pattern *p, char c)
{
    int v = c == 'X' || c == 'x' ? 0x100 : hex_digit(c);

    if (p->half < 0) {
        p->half = v;
        return;
    }
    put_symbol(p, (uint8_t)((p->half & 0xF) << 4 | (v & 0xF)),
               (uint8_t)((p->half > 0xF ? 0 : 0xF0) | (v > 0xF ? 0 : 0x0F)));
    p->half = -1;
}

/* Digits and X, or a tag before its '('. */
static int wanted_digits(const char **at, struct pattern *p, struct play_error *e)
{
    const char *begin = *at;
    size_t n = strspn(begin, "0123456789ABCDEFabcdefXx");
    uint32_t tag;

    *at += n;
    if (begin[n] != '(') {
        for (size_t i = 0; i < n; i++)
            wanted_digit(p, begin[i]);
        return 0;
    }
    (*at)++;
    if (p->half >= 0)
        return play_fail(e, begin, "half an octet before this");
    if (p->n_open == PLAY_MAX_NESTING)
        return play_fail(e, begin, "more than %d TLVs in each other", PLAY_MAX_NESTING);
    TRY(read_tag(begin, n, &tag, e));
    p->open[p->n_open++] = (struct open_tlv){ .tag = tag,
                                              .where = begin,
                                              .piece = p->n_pieces - 1,
                                              .at = p->symbols.n / sizeof(struct symbol) };
    return 0;
}

/* n symbols make room for the octets in front of them. */
static void insert_octets(struct pattern *p, size_t n, struct rd octets)
{
    size_t at = p->symbols.n - n * sizeof(struct symbol);

    for (size_t i = 0; i < octets.n; i++)
        put_symbol(p, 0, 0);
    if (wr_failed(&p->symbols) != 0)
        return;
    memmove(p->symbols.p + at + octets.n * sizeof(struct symbol), p->symbols.p + at,
            n * sizeof(struct symbol));
    for (size_t i = 0; i < octets.n; i++) {
        struct symbol s = { octets.p[i], 0xFF };
        memcpy(p->symbols.p + at + i * sizeof s, &s, sizeof s);
    }
}

/* Tag and length go before the contents, which move. */
static int close_wanted(const char *where, struct pattern *p, struct play_error *e)
{
    const struct open_tlv *tlv = &p->open[--p->n_open];
    size_t n = p->symbols.n / sizeof(struct symbol) - tlv->at;
    uint8_t room[8];
    struct wr header;

    if (p->half >= 0)
        return play_fail(e, where, "half an octet before this");
    if (tlv->piece != p->n_pieces - 1)
        return play_fail(e, tlv->where, "no length is known with ... in it: write it in octets");
    wr_init(&header, room, sizeof room);
    tlv_put_header(&header, tlv->tag, n);
    insert_octets(p, n, wr_view(&header));
    for (size_t i = 0; i < p->n_captures; i++) {
        struct capture *c = &p->captures[i];
        if (c->piece == tlv->piece && p->pieces[c->piece].first + c->from >= tlv->at)
            c->from += header.n;
    }
    return 0;
}

static int wanted_text(const char **at, struct pattern *p, struct play_error *e)
{
    const char *begin = *at + 1;
    const char *end = strchr(begin, '\'');

    if (end == NULL)
        return play_fail(e, *at, "no second ' to this one");
    for (; begin < end; begin++)
        put_symbol(p, (uint8_t)*begin, 0xFF);
    *at = end + 1;
    return 0;
}

static int wanted_any(const char **at, struct pattern *p, struct play_error *e)
{
    p->open_end = true;
    *at += 3;
    return new_piece(p, *at - 3, e);
}

static int wanted_token(const char **at, const struct play_names *names, struct pattern *p,
                        struct play_error *e)
{
    const char *where = *at;

    if (hex_digit(*where) >= 0 || *where == 'X' || *where == 'x') {
        p->open_end = false;
        return wanted_digits(at, p, e);
    }
    if (p->half >= 0)
        return play_fail(e, where, "half an octet before this");
    if (strncmp(where, "...", 3) == 0)
        return wanted_any(at, p, e);
    p->open_end = false;
    if (*where == ')' && p->n_open > 0) {
        (*at)++;
        return close_wanted(where, p, e);
    }
    if (*where == '\'')
        return wanted_text(at, p, e);
    if (*where == '{')
        return wanted_braces(at, names, p, e);
    return play_fail(e, where, "not understood: %.20s", where);
}

static bool is_word(const char *at, const char *word, const char **ret_end)
{
    size_t n = strlen(word);

    if (strncmp(at, word, n) != 0)
        return false;
    for (*ret_end = at + n; is_blank(**ret_end); (*ret_end)++)
        ;
    return **ret_end == '\0' || **ret_end == '|';
}

/* One alternative, up to '|' or the end. */
static int read_pattern(const char **at, const struct play_names *names, struct pattern *p,
                        struct play_error *e)
{
    *p = (struct pattern){ .half = -1 };
    wr_init_heap(&p->symbols, PLAY_VALUE_MAX * sizeof(struct symbol));
    TRY(new_piece(p, *at, e));
    while (is_blank(**at))
        (*at)++;
    p->mute = is_word(*at, "mute", at);
    p->anything = !p->mute && is_word(*at, "*", at);
    if (p->mute || p->anything)
        return 0;
    while (true) {
        while (is_blank(**at))
            (*at)++;
        if (**at == '\0' || **at == '|')
            break;
        TRY(wanted_token(at, names, p, e));
        if (wr_failed(&p->symbols) != 0)
            return play_fail(e, *at, "more than %d octets", PLAY_VALUE_MAX);
    }
    if (p->n_open > 0)
        return play_fail(e, p->open[p->n_open - 1].where, "no ) to this TLV");
    return p->half < 0 ? 0 : play_fail(e, *at, "half an octet before this");
}

/* Where the octets are the very ones that they must not be; SIZE_MAX: nowhere. */
static size_t same_as_other(const struct pattern *p, size_t piece, struct rd octets,
                            const struct play_names *names)
{
    for (size_t i = 0; i < p->n_captures; i++) {
        const struct capture *c = &p->captures[i];
        struct rd value;
        if (c->other && c->piece == piece && play_names_get(names, c->name, &value) &&
            rd_equal(value, rd_of(octets.p + c->from, c->n)))
            return c->from;
    }
    return SIZE_MAX;
}

/* How many octets of the piece fit at this place; all of them: it fits. */
static size_t fitting(const struct pattern *p, size_t piece, struct rd octets)
{
    const struct symbol *s =
        p->symbols.p == NULL ? NULL : (const struct symbol *)(const void *)p->symbols.p;
    size_t n = 0;

    s = s == NULL ? NULL : s + p->pieces[piece].first;
    while (n < p->pieces[piece].n && n < octets.n && (octets.p[n] & s[n].mask) == s[n].value)
        n++;
    return n;
}

struct search {
    struct rd octets;
    const struct play_names *names;
    size_t furthest;
    size_t work;
};

static bool fits_at(struct search *s, struct pattern *p, size_t piece, size_t at)
{
    struct rd rest = rd_of(s->octets.p + at, s->octets.n - at);
    size_t n = fitting(p, piece, rest), same = SIZE_MAX;

    s->work += n + 1;
    if (n == p->pieces[piece].n)
        same = same_as_other(p, piece, rest, s->names);
    if (same != SIZE_MAX)
        n = same;
    if (at + n > s->furthest)
        s->furthest = at + n;
    if (n < p->pieces[piece].n || same != SIZE_MAX)
        return false;
    p->pieces[piece].at = at;
    return true;
}

/* The leftmost place for each piece; the last one stands at the end unless that is open. */
static bool search(struct search *s, struct pattern *p)
{
    size_t at = 0;

    for (size_t i = 0; i < p->n_pieces; i++) {
        size_t n = p->pieces[i].n, last = s->octets.n;
        bool is_last = i + 1 == p->n_pieces;
        if (is_last && !p->open_end && p->n_pieces > 1) {
            if (n > last - at || !fits_at(s, p, i, last - n))
                return false;
            return true;
        }
        bool anchored = i == 0;
        while (!fits_at(s, p, i, at))
            if (anchored || at++ == last || s->work > SEARCH_WORK_MAX)
                return false;
        at += n;
    }
    return p->n_pieces > 1 || at == s->octets.n;
}

static bool keep_captures(const struct pattern *p, struct rd octets, struct play_names *names)
{
    for (size_t i = 0; i < p->n_captures; i++) {
        const struct capture *c = &p->captures[i];
        if (!c->other && !play_names_put(names, c->name,
                                         rd_of(octets.p + p->pieces[c->piece].at + c->from, c->n)))
            return false;
    }
    return true;
}

static int match_one(struct pattern *p, const struct play_answer *answer, struct play_names *names,
                     struct play_match *ret, const char *where, struct play_error *e)
{
    struct search s = { .octets = answer->octets, .names = names };

    if (p->mute || answer->mute) {
        ret->fits = p->mute && answer->mute;
        return 0;
    }
    ret->fits = p->anything || search(&s, p);
    if (!ret->fits && s.furthest > ret->first)
        ret->first = s.furthest;
    if (ret->fits && !p->anything && !keep_captures(p, answer->octets, names))
        return play_fail(e, where, "no room for more variables than %d", PLAY_MAX_NAMES);
    return 0;
}

int play_match(const char *wanted, const struct play_answer *answer, struct play_names *names,
               struct play_match *ret, struct play_error *e)
{
    const char *at = wanted;
    struct pattern p;

    *ret = (struct play_match){ .fits = false };
    while (!ret->fits) {
        const char *where = at;
        int r = read_pattern(&at, names, &p, e);
        if (r == 0 && answer != NULL)
            r = match_one(&p, answer, names, ret, where, e);
        wr_done(&p.symbols);
        TRY(r);
        if (*at != '|')
            break;
        at++;
    }
    return 0;
}

int play_wanted_check(const char *wanted, struct play_error *e)
{
    struct play_match ignored;

    return play_match(wanted, NULL, NULL, &ignored, e);
}

bool play_wanted_symbols(const char *wanted, const struct play_names *names, struct wr *ret)
{
    struct pattern p;
    struct play_error e;
    const char *at = wanted;
    bool ok = read_pattern(&at, names, &p, &e) == 0 && !p.mute && !p.anything;

    for (size_t i = 0; ok && i < p.n_pieces; i++) {
        static const uint16_t any = PLAY_SYMBOL_ANY;
        const struct symbol *s =
            p.symbols.p == NULL ? NULL : (const struct symbol *)(const void *)p.symbols.p;
        if (i > 0)
            wr_put(ret, &any, sizeof any);
        for (size_t j = 0; j < p.pieces[i].n; j++) {
            const struct symbol *one = &s[p.pieces[i].first + j];
            uint16_t v = one->mask == 0xFF ? one->value : PLAY_SYMBOL_X;
            wr_put(ret, &v, sizeof v);
        }
    }
    wr_done(&p.symbols);
    return ok && wr_failed(ret) == 0;
}

/* --- status words ---------------------------------------------------------------------------- */

/* One status word; digits[i] is -1 for X. */
static int read_status(const char **at, int digits[4], struct play_error *e)
{
    for (size_t i = 0; i < 4; i++) {
        while (is_blank(**at))
            (*at)++;
        if (**at != 'X' && **at != 'x' && hex_digit(**at) < 0)
            return play_fail(e, *at, "a status word has four digits, X for any");
        digits[i] = hex_digit(*(*at)++);
    }
    while (is_blank(**at))
        (*at)++;
    if (**at != ',' && **at != '\0')
        return play_fail(e, *at, "not a status word: %.20s", *at);
    return 0;
}

int play_status_check(const char *wanted, struct play_error *e)
{
    int digits[4];

    while (true) {
        TRY(read_status(&wanted, digits, e));
        if (*wanted++ == '\0')
            return 0;
    }
}

bool play_status_fits(const char *wanted, uint16_t sw)
{
    struct play_error e;
    int digits[4];

    while (read_status(&wanted, digits, &e) == 0) {
        bool fits = true;
        for (size_t i = 0; i < 4; i++)
            fits = fits && (digits[i] < 0 || digits[i] == (sw >> (12 - 4 * i) & 0xF));
        if (fits)
            return true;
        if (*wanted++ == '\0')
            return false;
    }
    return false;
}
