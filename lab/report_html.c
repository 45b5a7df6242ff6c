/* report_html.c - reports as JSON with every step, and as one readable HTML page. */
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "lab/report.h"
#include "lib/softeuicc.h"

/* --- JSON ------------------------------------------------------------------------------------ */

static void add_text(cJSON *out, const char *name, const char *text)
{
    if (text != NULL && text[0] != '\0')
        cJSON_AddStringToObject(out, name, text);
}

static void add_hex(cJSON *out, const char *name, struct rd v)
{
    char *text = malloc(2 * v.n + 1);

    if (text != NULL)
        cJSON_AddStringToObject(out, name, hex_text(v, text, 2 * v.n + 1));
    free(text);
}

static cJSON *lines_json(struct rd octets)
{
    struct report_lines *lines = malloc(sizeof *lines);
    cJSON *out = cJSON_CreateArray();

    if (lines != NULL)
        report_decode_octets(octets, lines);
    for (size_t i = 0; lines != NULL && i < lines->n; i++) {
        cJSON *line = cJSON_CreateObject();
        cJSON_AddNumberToObject(line, "depth", lines->at[i].depth);
        cJSON_AddStringToObject(line, "text", lines->at[i].text);
        cJSON_AddItemToArray(out, line);
    }
    free(lines);
    return out;
}

/* The log's lines: [["> 80E2...", "< BF2E...9000"], ...] */
static cJSON *log_json(const struct report_step *s)
{
    cJSON *out = cJSON_CreateArray();
    const char *at = (const char *)s->log.p;
    size_t n = s->log.n;

    while (n > 0) {
        const char *end = memchr(at, '\n', n);
        size_t length = end == NULL ? n : (size_t)(end - at);
        char *line = strndup(at, length);
        if (line != NULL)
            cJSON_AddItemToArray(out, cJSON_CreateString(line));
        free(line);
        length += end != NULL;
        at += length;
        n -= length;
    }
    return out;
}

static cJSON *step_json(const struct report_step *s)
{
    cJSON *out = cJSON_CreateObject();

    add_text(out, "at", s->place);
    add_text(out, "step", s->text);
    cJSON_AddStringToObject(out, "status", report_status_name(s->status));
    add_text(out, "why", s->why);
    add_text(out, "wanted", s->wanted);
    if (s->log.n > 0)
        cJSON_AddItemToObject(out, "apdus", log_json(s));
    if (s->received.n > 0) {
        add_hex(out, "received", wr_view(&s->received));
        cJSON_AddItemToObject(out, "decoded", lines_json(wr_view(&s->received)));
    }
    if (s->has_first)
        cJSON_AddNumberToObject(out, "firstDifference", (double)s->first);
    cJSON_AddNumberToObject(out, "seconds", s->seconds);
    return out;
}

static cJSON *case_json(const struct report_case *c)
{
    cJSON *out = cJSON_CreateObject();
    cJSON *steps = cJSON_CreateArray();

    cJSON_AddStringToObject(out, "id", c->id);
    add_text(out, "title", c->title);
    add_text(out, "section", c->section);
    add_text(out, "provenance", c->provenance);
    add_text(out, "ref", c->ref);
    add_text(out, "applicability", c->needs);
    add_text(out, "file", c->file);
    cJSON_AddNumberToObject(out, "line", c->line);
    cJSON_AddStringToObject(out, "status", report_status_name(c->status));
    add_text(out, "why", c->why);
    cJSON_AddNumberToObject(out, "seconds", c->seconds);
    cJSON_AddNumberToObject(out, "cardSeconds", c->card_seconds);
    cJSON_AddNumberToObject(out, "rounds", (double)c->rounds);
    cJSON_AddNumberToObject(out, "stepsPlayed", (double)c->n_played);
    cJSON_AddNumberToObject(out, "apdus", (double)c->n_apdus);
    for (size_t i = 0; i < c->n_steps; i++)
        cJSON_AddItemToArray(steps, step_json(&c->steps[i]));
    cJSON_AddItemToObject(out, "steps", steps);
    return out;
}

int report_json(const struct report *report, FILE *to)
{
    cJSON *out = cJSON_CreateObject();
    cJSON *counts = cJSON_AddObjectToObject(out, "counts");
    cJSON *cases = cJSON_AddArrayToObject(out, "cases");

    cJSON_AddStringToObject(out, "softeuicc", SOFTEUICC_VERSION);
    add_text(out, "card", report->card);
    for (enum report_status s = REPORT_PASSED; s <= REPORT_TODO; s++)
        cJSON_AddNumberToObject(counts, report_status_name(s), (double)report->counts[s]);
    for (size_t i = 0; i < report->n; i++)
        cJSON_AddItemToArray(cases, case_json(&report->cases[i]));
    char *text = cJSON_Print(out);
    cJSON_Delete(out);
    if (text == NULL)
        return -1;
    fprintf(to, "%s\n", text);
    free(text);
    return ferror(to) ? -1 : 0;
}

/* --- HTML ------------------------------------------------------------------------------------ */

static const char style[] =
    "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem;"
    "color:#222;background:#fff}"
    "h1{font-size:1.4rem}h2{font-size:1.1rem;margin:2rem 0 .5rem;border-bottom:1px solid #ccc}"
    "pre,code,.o{font:13px/1.4 ui-monospace,monospace}pre{white-space:pre-wrap;"
    "overflow-wrap:anywhere;margin:.3rem 0}"
    "details{border:1px solid #ddd;border-left-width:6px;margin:.3rem 0;padding:.3rem .7rem}"
    "summary{cursor:pointer}.passed{border-left-color:#2a7d2a}.failed{border-left-color:#b00020}"
    ".error{border-left-color:#c06000}.skipped,.todo{border-left-color:#888}"
    "b.passed{color:#2a7d2a}b.failed{color:#b00020}b.error{color:#c06000}"
    "b.skipped,b.todo{color:#666}.m{color:#666}"
    "table{border-collapse:collapse;width:100%;table-layout:fixed}"
    "td,th{border:1px solid #ddd;padding:.3rem .5rem;vertical-align:top;text-align:left;"
    "overflow-wrap:anywhere}.d{background:#ffd9d9;font-weight:bold}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}"
    ".d{background:#702020}details,td,th,h2{border-color:#444}.m,b.skipped,b.todo{color:#999}}";

void report_put_html(FILE *to, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '&')
            fputs("&amp;", to);
        else if (*text == '<')
            fputs("&lt;", to);
        else if (*text == '>')
            fputs("&gt;", to);
        else if (*text == '"')
            fputs("&quot;", to);
        else
            fputc(*text, to);
    }
}

/* Octets, the first that differs marked. */
static void put_octets(FILE *to, struct rd v, bool has_first, size_t first)
{
    fprintf(to, "<pre>");
    for (size_t i = 0; i < v.n; i++)
        fprintf(to, has_first && i == first ? "<span class=d>%02X</span> " : "%02X ", v.p[i]);
    if (has_first && first >= v.n)
        fprintf(to, "<span class=d>(ends here)</span>");
    fprintf(to, "</pre>");
}

static void put_lines(FILE *to, const struct report_lines *lines, bool has_first, size_t first)
{
    fprintf(to, "<pre>");
    for (size_t i = 0; i < lines->n; i++) {
        const struct report_line *line = &lines->at[i];
        bool here = has_first && first >= line->from && first < line->to;
        fprintf(to, "%*s%s", (int)(2 * line->depth), "", here ? "<span class=d>" : "");
        report_put_html(to, line->text);
        fprintf(to, "%s\n", here ? "</span>" : "");
    }
    fprintf(to, "</pre>");
}

/* Wanted and received, octets and TLVs side by side. */
static void put_comparison(FILE *to, const struct report_step *s)
{
    struct report_lines *lines = malloc(sizeof *lines);

    if (lines == NULL)
        return;
    fprintf(to, "<table><tr><th>wanted</th><th>received</th></tr><tr><td><pre>");
    report_put_html(to, s->wanted != NULL ? s->wanted : "");
    fprintf(to, "</pre></td><td>");
    put_octets(to, wr_view(&s->received), s->has_first, s->first);
    fprintf(to, "</td></tr><tr><td>");
    if (s->symbols.n > 0) {
        report_decode((const uint16_t *)(const void *)s->symbols.p, s->symbols.n / 2, lines);
        put_lines(to, lines, s->has_first, s->first);
    }
    fprintf(to, "</td><td>");
    report_decode_octets(wr_view(&s->received), lines);
    put_lines(to, lines, s->has_first, s->first);
    fprintf(to, "</td></tr></table>");
    free(lines);
}

static void put_html_step(FILE *to, const struct report_step *s)
{
    fprintf(to, "<p><b class=%s>%s</b> <code>", report_status_name(s->status),
            report_status_name(s->status));
    report_put_html(to, s->text);
    fprintf(to, "</code> <span class=m>");
    report_put_html(to, s->place);
    fprintf(to, ", %.3f ms</span></p>", 1000 * s->seconds);
    if (s->log.n > 0) {
        fprintf(to, "<pre class=m>");
        char *log = strndup((const char *)s->log.p, s->log.n);
        report_put_html(to, log != NULL ? log : "");
        free(log);
        fprintf(to, "</pre>");
    }
    if (s->status == REPORT_PASSED)
        return;
    fprintf(to, "<p>");
    report_put_html(to, s->why);
    if (s->has_first)
        fprintf(to, "; the first difference is octet %zu", s->first);
    fprintf(to, "</p>");
    if (s->wanted != NULL || s->received.n > 0)
        put_comparison(to, s);
}

static void put_field(FILE *to, const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    fprintf(to, "%s: ", name);
    report_put_html(to, value);
    fprintf(to, "; ");
}

static void put_html_case(FILE *to, const struct report_case *c)
{
    bool open = c->status == REPORT_FAILED || c->status == REPORT_ERROR;

    fprintf(to, "<details class=%s%s><summary><b class=%s>%s</b> <code>",
            report_status_name(c->status), open ? " open" : "", report_status_name(c->status),
            report_status_name(c->status));
    report_put_html(to, c->id);
    fprintf(to, "</code> ");
    report_put_html(to, c->title);
    if (c->why[0] != '\0') {
        fprintf(to, " <span class=m>");
        report_put_html(to, c->why);
        fprintf(to, "</span>");
    }
    fprintf(to, "</summary><p class=m>");
    put_field(to, "provenance", c->provenance);
    put_field(to, "reference", c->ref);
    put_field(to, "applies with", c->needs);
    fprintf(to, "%zu steps, %zu APDUs, %.1f ms</p>\n", c->n_played, c->n_apdus, 1000 * c->seconds);
    for (size_t i = 0; i < c->n_steps; i++)
        put_html_step(to, &c->steps[i]);
    fprintf(to, "</details>\n");
}

void report_begin_page(FILE *to, const char *title)
{
    fprintf(to,
            "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport "
            "content=\"width=device-width\"><title>%s</title><style>%s</style>",
            title, style);
}

int report_html(const struct report *report, FILE *to)
{
    const char *section = NULL;

    report_begin_page(to, "softeuicc: played scripts");
    fprintf(to, "<h1>Played scripts</h1>\n<p>");
    for (enum report_status s = REPORT_PASSED; s <= REPORT_TODO; s++)
        fprintf(to, "<b class=%s>%zu %s</b> ", report_status_name(s), report->counts[s],
                report_status_name(s));
    fprintf(to, "<span class=m>of %zu; %.2f s; softeuicc %s; on ", report->n, report->seconds,
            SOFTEUICC_VERSION);
    report_put_html(to, report->card != NULL ? report->card : "");
    fprintf(to, "</span></p>\n");
    for (size_t i = 0; i < report->n; i++) {
        const struct report_case *c = &report->cases[i];
        const char *its = report_section_of(c);
        if (section == NULL || strcmp(section, its) != 0) {
            fprintf(to, "<h2>");
            report_put_html(to, its);
            fprintf(to, "</h2>\n");
        }
        section = its;
        put_html_case(to, c);
    }
    fprintf(to, "</html>\n");
    return ferror(to) ? -1 : 0;
}
