/* report.c - what came of played scripts: the records, and TLVs as lines. */
#include "lab/report.h"

#include <stdlib.h>
#include <string.h>

#include "lab/play_octets.h"
#include "lab/play_tlv.h"
#include "os/err.h"

enum { MAX_DEPTH = 16, SHOWN = 24 };

const char *report_status_name(enum report_status status)
{
    static const char *const names[] = { "passed", "failed", "error", "skipped", "todo" };

    return names[status];
}

void report_init(struct report *report)
{
    *report = (struct report){ .n = 0 };
}

static void free_step(struct report_step *s)
{
    free(s->text);
    free(s->place);
    free(s->wanted);
    wr_done(&s->log);
    wr_done(&s->received);
    wr_done(&s->symbols);
}

void report_forget_steps(struct report_case *c)
{
    for (size_t i = 0; i < c->n_steps; i++)
        free_step(&c->steps[i]);
    c->n_steps = 0;
}

/* Earlier ones that differ are parts of "either" that did not hold. */
const struct report_step *report_bad_step(const struct report_case *c)
{
    const struct report_step *last = c->n_steps > 0 ? &c->steps[c->n_steps - 1] : NULL;

    return last != NULL && last->status != REPORT_PASSED ? last : NULL;
}

static void free_case(struct report_case *c)
{
    report_forget_steps(c);
    free(c->steps);
    free(c->id);
    free(c->title);
    free(c->section);
    free(c->provenance);
    free(c->ref);
    free(c->needs);
    free(c->file);
}

void report_free(struct report *report)
{
    for (size_t i = 0; i < report->n; i++)
        free_case(&report->cases[i]);
    free(report->cases);
    free(report->card);
    report_init(report);
}

struct report_case *report_add_case(struct report *report)
{
    void *list = list_grow(report->cases, report->n, &report->room, sizeof *report->cases);

    if (list == NULL)
        return NULL;
    report->cases = list;
    struct report_case *c = &report->cases[report->n++];
    *c = (struct report_case){ .status = REPORT_PASSED };
    return c;
}

struct report_step *report_add_step(struct report_case *c)
{
    if (c->n_steps ==
        REPORT_MAX_STEPS) { /* the last one makes room: it may be the one that fails */
        free_step(&c->steps[--c->n_steps]);
    }
    void *list = list_grow(c->steps, c->n_steps, &c->room, sizeof *c->steps);
    if (list == NULL)
        return NULL;
    c->steps = list;
    struct report_step *s = &c->steps[c->n_steps++];
    *s = (struct report_step){ .status = REPORT_PASSED };
    wr_init_heap(&s->log, REPORT_LOG_MAX);
    wr_init_heap(&s->received, REPORT_OCTETS_MAX);
    wr_init_heap(&s->symbols, 2 * REPORT_OCTETS_MAX);
    return s;
}

const char *report_section_of(const struct report_case *c)
{
    return c->section[0] != '\0' ? c->section : c->file;
}

void report_observe(struct report_case *c, enum code_list list, uint64_t code)
{
    for (size_t i = 0; i < c->n_codes; i++)
        if (c->codes[i].list == list && c->codes[i].code == code)
            return;
    if (c->n_codes < REPORT_MAX_CODES)
        c->codes[c->n_codes++] = (struct report_code){ list, (uint8_t)code };
}

void report_count(struct report *report, const struct report_case *c)
{
    report->counts[c->status]++;
    report->seconds += c->seconds;
    report->card_seconds += c->card_seconds;
}

/* --- texts of others ------------------------------------------------------------------------- */

/* The octets of the character at *s that may stay as it is; 0: it may not.  XML has neither control
 * characters nor U+FFFE and U+FFFF. */
static size_t good_character(const char *s, size_t n)
{
    struct rd one = rd_of(s, 1);

    while (one.n < n && one.n < 4 && !rd_is_utf8(one))
        one.n++;
    bool good = rd_is_utf8(one);
    if (one.n == 1)
        good = good && (*one.p == '\t' || (*one.p >= 0x20 && *one.p != 0x7F));
    else if (one.n == 2)
        good = good && (one.p[0] != 0xC2 || one.p[1] >= 0xA0);
    else if (one.n == 3)
        good =
            good && memcmp(one.p, "\xEF\xBF\xBE", 3) != 0 && memcmp(one.p, "\xEF\xBF\xBF", 3) != 0;
    return good ? one.n : 0;
}

char *report_clean_text(char *text)
{
    size_t n = text == NULL ? 0 : strlen(text), good;

    for (size_t i = 0; i < n; i += good) {
        good = good_character(text + i, n - i);
        if (good == 0) {
            text[i] = '?';
            good = 1;
        }
    }
    return text;
}

void report_clean(struct report_case *c)
{
    char *const texts[] = { c->id, c->title, c->section, c->provenance, c->ref, c->needs, c->file };

    for (size_t i = 0; i < N_ELEMS(texts); i++)
        report_clean_text(texts[i]);
    report_clean_text(c->why);
    for (size_t i = 0; i < c->n_steps; i++) {
        report_clean_text(c->steps[i].text);
        report_clean_text(c->steps[i].place);
        report_clean_text(c->steps[i].wanted);
        report_clean_text(c->steps[i].why);
    }
}

/* --- TLVs as lines ---------------------------------------------------------------------------
 *
 * Symbols may be unknown octets, so this is a reader of its own: where a tag or a length is not
 * known, the rest of that TLV is one line. */

struct decoder {
    const uint16_t *symbols;
    struct report_lines *lines;
};

static void put_text(char *text, size_t size, const char *more)
{
    size_t n = strlen(text);

    snprintf(text + n, size - n, "%s", more);
}

static void put_symbols(const uint16_t *symbols, size_t n, char *text, size_t size)
{
    char one[8];

    for (size_t i = 0; i < n && i < SHOWN; i++) {
        if (symbols[i] == PLAY_SYMBOL_ANY)
            put_text(text, size, i == 0 ? "..." : " ...");
        else if (symbols[i] == PLAY_SYMBOL_X)
            put_text(text, size, "XX");
        else {
            snprintf(one, sizeof one, "%02X", symbols[i]);
            put_text(text, size, one);
        }
    }
    if (n > SHOWN)
        put_text(text, size, "...");
}

static bool is_text(const uint16_t *symbols, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (symbols[i] < 0x20 || symbols[i] > 0x7E)
            return false;
    return n >= 3;
}

/* What is text, in quotes behind the octets. */
static void put_quoted(const uint16_t *symbols, size_t n, char *text, size_t size)
{
    if (!is_text(symbols, n))
        return;
    put_text(text, size, "  \"");
    for (size_t i = 0; i < n && i < 2 * SHOWN; i++)
        put_text(text, size, (const char[]){ (char)symbols[i], '\0' });
    put_text(text, size, n > 2 * SHOWN ? "...\"" : "\"");
}

static struct report_line *add_line(struct decoder *d, size_t from, size_t to, unsigned depth)
{
    if (d->lines->n == REPORT_MAX_LINES)
        return NULL;
    struct report_line *line = &d->lines->at[d->lines->n++];
    *line = (struct report_line){ .from = from, .to = to, .depth = depth };
    return line;
}

/* Tag and length at *at; false when they are not known or run over the end. */
static bool take_head(const struct decoder *d, size_t *at, size_t end, uint32_t *ret_tag,
                      size_t *ret_n)
{
    const uint16_t *s = d->symbols;
    size_t i = *at, octets = 0;
    uint32_t tag;

    if (i >= end || s[i] > 0xFF || s[i] == 0)
        return false;
    tag = s[i++];
    if ((tag & 0x1F) == 0x1F) {
        do {
            if (i >= end || s[i] > 0xFF || tag > 0xFFFF)
                return false;
            tag = tag << 8 | s[i];
        } while ((s[i++] & 0x80) != 0);
    }
    if (i >= end || s[i] > 0xFF)
        return false;
    size_t n = s[i++];
    if (n > 0x84 || n == 0x80)
        return false;
    if (n > 0x80) {
        octets = n & 0xF;
        for (n = 0; octets > 0; octets--) {
            if (i >= end || s[i] > 0xFF)
                return false;
            n = n << 8 | s[i++];
        }
    }
    *at = i;
    *ret_tag = tag;
    *ret_n = n;
    return n <= end - i;
}

static void tell_tlv(struct report_line *line, uint32_t tag, size_t n)
{
    const char *name = play_tag_name(tag);

    snprintf(line->text, sizeof line->text, "%02X %s%s[%zu]", (unsigned)tag,
             name != NULL ? name : "", name != NULL ? " " : "", n);
}

static void decode(struct decoder *d, size_t at, size_t end, unsigned depth)
{
    struct report_line *line;
    uint32_t tag;
    size_t n;

    while (at < end) {
        size_t from = at;
        if (!take_head(d, &at, end, &tag, &n)) {
            line = add_line(d, from, end, depth);
            if (line != NULL) {
                put_symbols(d->symbols + from, end - from, line->text, sizeof line->text);
                put_quoted(d->symbols + from, end - from, line->text, sizeof line->text);
            }
            return;
        }
        bool inside = play_tag_is_constructed(tag) && depth < MAX_DEPTH;
        line = add_line(d, from, inside ? at : at + n, depth);
        if (line == NULL)
            return;
        tell_tlv(line, tag, n);
        if (inside) {
            decode(d, at, at + n, depth + 1);
        } else {
            put_text(line->text, sizeof line->text, n > 0 ? " " : "");
            put_symbols(d->symbols + at, n, line->text, sizeof line->text);
            put_quoted(d->symbols + at, n, line->text, sizeof line->text);
        }
        at += n;
    }
}

/* A status word at the end is a line of its own when TLVs end just before it. */
static bool ends_with_status(const uint16_t *symbols, size_t n)
{
    struct report_lines none = { .n = 0 };
    struct decoder d = { symbols, &none };
    size_t at = 0, length;
    uint32_t tag;

    if (n < 2 || symbols[n - 2] > 0xFF || symbols[n - 2] < 0x61 || symbols[n - 2] > 0x9F)
        return false;
    while (at < n - 2) {
        if (!take_head(&d, &at, n - 2, &tag, &length))
            return false;
        at += length;
    }
    return true;
}

void report_decode(const uint16_t *symbols, size_t n, struct report_lines *ret)
{
    struct decoder d = { symbols, ret };
    size_t end = ends_with_status(symbols, n) ? n - 2 : n;

    ret->n = 0;
    decode(&d, 0, end, 0);
    struct report_line *line = end < n ? add_line(&d, end, n, 0) : NULL;
    if (line != NULL) {
        snprintf(line->text, sizeof line->text, "status word ");
        put_symbols(symbols + end, n - end, line->text, sizeof line->text);
    }
}

void report_decode_octets(struct rd octets, struct report_lines *ret)
{
    uint16_t *symbols = malloc((octets.n + 1) * sizeof *symbols);

    ret->n = 0;
    if (symbols == NULL)
        return;
    for (size_t i = 0; i < octets.n; i++)
        symbols[i] = octets.p[i];
    report_decode(symbols, octets.n, ret);
    free(symbols);
}
