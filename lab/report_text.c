/* report_text.c - reports as text, TAP 14 and JUnit XML. */
#include <stdlib.h>
#include <string.h>

#include "lab/report.h"
#include "lib/softeuicc.h"

enum { HEX_SHOWN = 256 };

/* --- what a failing step says ---------------------------------------------------------------- */

static void put_hex(FILE *to, struct rd v, size_t max)
{
    for (size_t i = 0; i < v.n && i < max; i++)
        fprintf(to, "%02X", v.p[i]);
    if (v.n > max)
        fprintf(to, "... (%zu octets)", v.n);
}

static void put_lines(FILE *to, const char *prefix, const char *indent,
                      const struct report_lines *lines, size_t first)
{
    for (size_t i = 0; i < lines->n; i++) {
        const struct report_line *line = &lines->at[i];
        bool here = first >= line->from && first < line->to;
        fprintf(to, "%s%s%s%*s%s\n", prefix, indent, here ? "=> " : "   ", (int)(2 * line->depth),
                "", line->text);
    }
}

/* Only what differs, or all when it is not known where. */
static void put_decoded(FILE *to, const char *prefix, const struct report_step *s)
{
    struct report_lines *lines = malloc(sizeof *lines);
    size_t first = s->has_first ? s->first : SIZE_MAX;

    if (lines == NULL)
        return;
    if (s->symbols.n > 0) {
        report_decode((const uint16_t *)(const void *)s->symbols.p, s->symbols.n / 2, lines);
        fprintf(to, "%s  wanted, decoded:\n", prefix);
        put_lines(to, prefix, "    ", lines, first);
    }
    if (s->received.n > 0) {
        report_decode_octets(wr_view(&s->received), lines);
        fprintf(to, "%s  received, decoded:\n", prefix);
        put_lines(to, prefix, "    ", lines, first);
    }
    free(lines);
}

static void put_step(FILE *to, const char *prefix, const struct report_step *s)
{
    fprintf(to, "%s%s: %s\n", prefix, s->place, s->text);
    fprintf(to, "%s  %s\n", prefix, s->why);
    if (s->wanted != NULL)
        fprintf(to, "%s  wanted    %s\n", prefix, s->wanted);
    if (s->received.n > 0) {
        fprintf(to, "%s  received  ", prefix);
        put_hex(to, wr_view(&s->received), HEX_SHOWN);
        fprintf(to, "\n");
    }
    if (s->has_first)
        fprintf(to, "%s  first difference: octet %zu\n", prefix, s->first);
    put_decoded(to, prefix, s);
}

/* --- text ------------------------------------------------------------------------------------ */

int report_text(const struct report *report, bool verbose, FILE *to)
{
    for (size_t i = 0; i < report->n; i++) {
        const struct report_case *c = &report->cases[i];
        const struct report_step *step = report_bad_step(c);
        if (c->status == REPORT_PASSED && c->why[0] == '\0' && !verbose)
            continue;
        fprintf(to, "%-8s%s%s%s%s%s\n", report_status_name(c->status), c->id,
                c->title[0] != '\0' ? " " : "", c->title, c->why[0] != '\0' ? ": " : "", c->why);
        if (step != NULL)
            put_step(to, "  ", step);
    }
    fprintf(to,
            "%zu case%s: %zu passed, %zu failed, %zu errors, %zu skipped, %zu todo; %.2f s, "
            "%.2f s of it the card's\n",
            report->n, report->n == 1 ? "" : "s", report->counts[REPORT_PASSED],
            report->counts[REPORT_FAILED], report->counts[REPORT_ERROR],
            report->counts[REPORT_SKIPPED], report->counts[REPORT_TODO], report->seconds,
            report->card_seconds);
    return ferror(to) ? -1 : 0;
}

/* --- TAP 14 ---------------------------------------------------------------------------------- */

/* Descriptions keep # and \ from being directives. */
static void put_escaped(FILE *to, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '#' || *text == '\\')
            fputc('\\', to);
        fputc(*text, to);
    }
}

static void put_yaml(FILE *to, const char *key, const char *value)
{
    fprintf(to, "  %s: '", key);
    for (; *value != '\0'; value++)
        fputs(*value == '\'' ? "''" : (const char[]){ *value, '\0' }, to);
    fprintf(to, "'\n");
}

static void put_diagnosis(FILE *to, const struct report_case *c)
{
    const struct report_step *s = report_bad_step(c);

    fprintf(to, "  ---\n");
    put_yaml(to, "message", c->why);
    if (s != NULL) {
        put_yaml(to, "at", s->place);
        put_yaml(to, "step", s->text);
        if (s->wanted != NULL)
            put_yaml(to, "wanted", s->wanted);
        fprintf(to, "  received: '");
        put_hex(to, wr_view(&s->received), SIZE_MAX);
        fprintf(to, "'\n");
        if (s->has_first)
            fprintf(to, "  first_difference: %zu\n", s->first);
    }
    fprintf(to, "  ...\n");
}

int report_tap(const struct report *report, FILE *to)
{
    fprintf(to, "TAP version 14\n1..%zu\n", report->n);
    for (size_t i = 0; i < report->n; i++) {
        const struct report_case *c = &report->cases[i];
        bool good = c->status == REPORT_PASSED || c->status == REPORT_SKIPPED;
        fprintf(to, "%sok %zu - ", good ? "" : "not ", i + 1);
        put_escaped(to, c->id);
        fputc(' ', to);
        put_escaped(to, c->title);
        if (c->why[0] != '\0' && c->status != REPORT_FAILED && c->status != REPORT_ERROR) {
            fprintf(to, " # %s ", c->status == REPORT_SKIPPED ? "SKIP" : "TODO");
            put_escaped(to, c->why);
        }
        fputc('\n', to);
        if (!good)
            put_diagnosis(to, c);
    }
    return ferror(to) ? -1 : 0;
}

/* --- JUnit ----------------------------------------------------------------------------------- */

static void put_xml(FILE *to, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", to);
            break;
        case '<':
            fputs("&lt;", to);
            break;
        case '>':
            fputs("&gt;", to);
            break;
        case '"':
            fputs("&quot;", to);
            break;
        default:
            fputc(*text, to);
        }
    }
}

static void put_attribute(FILE *to, const char *name, const char *value)
{
    fprintf(to, " %s=\"", name);
    put_xml(to, value);
    fputc('"', to);
}

static void put_property(FILE *to, const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    fprintf(to, "        <property");
    put_attribute(to, "name", name);
    put_attribute(to, "value", value);
    fprintf(to, "/>\n");
}

/* The text of a failing step, escaped. */
static void put_failure(FILE *to, const struct report_case *c)
{
    const struct report_step *step = report_bad_step(c);
    char *text = NULL;
    size_t n = 0;
    FILE *memory = open_memstream(&text, &n);

    if (memory == NULL)
        return;
    if (step != NULL)
        put_step(memory, "", step);
    if (fclose(memory) == 0)
        put_xml(to, text);
    free(text);
}

static void put_log(FILE *to, const struct report_case *c)
{
    fprintf(to, "      <system-out>");
    for (size_t i = 0; i < c->n_steps; i++) {
        put_xml(to, c->steps[i].text);
        fputc('\n', to);
        char *log = c->steps[i].log.n == 0
                        ? NULL
                        : strndup((const char *)c->steps[i].log.p, c->steps[i].log.n);
        put_xml(to, log != NULL ? log : "");
        free(log);
    }
    fprintf(to, "</system-out>\n");
}

static void put_case(FILE *to, const struct report_case *c)
{
    static const char *const elements[] = { NULL, "failure", "error", "skipped", "skipped" };
    const char *element = elements[c->status];

    fprintf(to, "    <testcase");
    put_attribute(to, "name", c->id);
    put_attribute(to, "classname", c->section[0] != '\0' ? c->section : c->file);
    put_attribute(to, "file", c->file);
    fprintf(to, " line=\"%u\" time=\"%.6f\">\n      <properties>\n", c->line, c->seconds);
    put_property(to, "title", c->title);
    put_property(to, "provenance", c->provenance);
    put_property(to, "ref", c->ref);
    put_property(to, "applicability", c->needs);
    fprintf(to, "      </properties>\n");
    if (element != NULL) {
        fprintf(to, "      <%s", element);
        put_attribute(to, "message", c->why);
        fputc('>', to);
        if (c->status == REPORT_FAILED || c->status == REPORT_ERROR)
            put_failure(to, c);
        fprintf(to, "</%s>\n", element);
    }
    put_log(to, c);
    fprintf(to, "    </testcase>\n");
}

static bool is_first_of_suite(const struct report *report, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (strcmp(report_section_of(&report->cases[j]), report_section_of(&report->cases[i])) == 0)
            return false;
    return true;
}

static void put_suite(FILE *to, const struct report *report, const char *name)
{
    size_t n = 0, counts[REPORT_TODO + 1] = { 0 };
    double seconds = 0;

    for (size_t i = 0; i < report->n; i++) {
        if (strcmp(report_section_of(&report->cases[i]), name) != 0)
            continue;
        n++;
        counts[report->cases[i].status]++;
        seconds += report->cases[i].seconds;
    }
    fprintf(to, "  <testsuite");
    put_attribute(to, "name", name);
    fprintf(to,
            " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\" time=\"%.6f\">\n"
            "    <properties>\n",
            n, counts[REPORT_FAILED], counts[REPORT_ERROR],
            counts[REPORT_SKIPPED] + counts[REPORT_TODO], seconds);
    put_property(to, "softeuicc", SOFTEUICC_VERSION);
    put_property(to, "card", report->card != NULL ? report->card : "");
    fprintf(to, "    </properties>\n");
    for (size_t i = 0; i < report->n; i++)
        if (strcmp(report_section_of(&report->cases[i]), name) == 0)
            put_case(to, &report->cases[i]);
    fprintf(to, "  </testsuite>\n");
}

int report_junit(const struct report *report, FILE *to)
{
    fprintf(to,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<testsuites tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\" "
            "time=\"%.6f\">\n",
            report->n, report->counts[REPORT_FAILED], report->counts[REPORT_ERROR],
            report->counts[REPORT_SKIPPED] + report->counts[REPORT_TODO], report->seconds);
    for (size_t i = 0; i < report->n; i++)
        if (is_first_of_suite(report, i))
            put_suite(to, report, report_section_of(&report->cases[i]));
    fprintf(to, "</testsuites>\n");
    return ferror(to) ? -1 : 0;
}
