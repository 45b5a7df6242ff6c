/* report.h - what came of played scripts, and the forms in which it is told: text, JUnit XML,
 * TAP 14, JSON, HTML, and what was covered. */
#ifndef LAB_REPORT_H
#define LAB_REPORT_H

#include <stdio.h>

#include "lab/codes.h"
#include "lab/util.h"

enum {
    REPORT_LOG_MAX = 256 * 1024, /* of one step's APDUs, as text */
    REPORT_OCTETS_MAX = 1024 * 1024,
    REPORT_MAX_STEPS = 20000, /* kept of one case; the others are counted */
    REPORT_MAX_CODES = 64,    /* of one case */
    REPORT_WHY_LEN = LAB_ERROR_LEN,
};

enum report_status {
    REPORT_PASSED,
    REPORT_FAILED, /* the card did not do as the script wants */
    REPORT_ERROR,  /* the script or the tool could not go on: no verdict about the card */
    REPORT_SKIPPED,
    REPORT_TODO, /* failed, as the case says it may */
};
const char *report_status_name(enum report_status status);

struct report_step {
    char *text;  /* the statement */
    char *place; /* FILE:LINE:COLUMN */
    enum report_status status;
    char why[REPORT_WHY_LEN]; /* "" when it passed */
    struct wr log;            /* "> HEX\n< HEX\n"... */
    struct wr received;       /* what was compared, or the last answer */
    char *wanted;             /* as the script has it; NULL: nothing */
    struct wr symbols;        /* the same, uint16_t's of lab/play_octets.h; may be empty */
    bool has_first;           /* first is the first octet that differs */
    size_t first;
    double seconds;
};

/* A result code that an answer had. */
struct report_code {
    enum code_list list;
    uint8_t code;
};

struct report_case {
    char *id, *title, *section, *provenance, *ref, *needs, *file;
    unsigned line;
    enum report_status status;
    char why[REPORT_WHY_LEN]; /* "" when it passed, unless that is a surprise */
    struct report_step *steps;
    size_t n_steps, room, n_played, n_apdus;
    struct report_code codes[REPORT_MAX_CODES]; /* each once */
    size_t n_codes;
    size_t rounds;                /* that the case was played */
    double seconds, card_seconds; /* all of it; what the card took for its APDUs */
};

struct report {
    struct report_case *cases;
    size_t n, room;
    size_t counts[REPORT_TODO + 1];
    char *card; /* what it was played on */
    double seconds, card_seconds;
};

void report_init(struct report *report);
void report_free(struct report *report);

/* A new case, or step, at the end; NULL without memory.  The pointer lives until the next call. */
struct report_case *report_add_case(struct report *report);
struct report_step *report_add_step(struct report_case *c);
void report_observe(struct report_case *c, enum code_list list, uint64_t code);
/* Steps are kept of the last round only. */
void report_forget_steps(struct report_case *c);
/* The step that the case ended with, unless it passed; NULL: there is none. */
const struct report_step *report_bad_step(const struct report_case *c);
void report_count(struct report *report, const struct report_case *c);
/* Reports are UTF-8 without control characters, whatever stands in scripts, in the names of files
 * and where a text was cut: '?' for what is not.  Of a case that is over; of any text. */
void report_clean(struct report_case *c);
char *report_clean_text(char *text);

/* 0, or -1 when writing failed. */
int report_text(const struct report *report, bool verbose, FILE *to);
int report_tap(const struct report *report, FILE *to);
int report_junit(const struct report *report, FILE *to);
int report_json(const struct report *report, FILE *to);
int report_html(const struct report *report, FILE *to);
int report_coverage(const struct report *report, FILE *to);

/* --- between the files of the report --------------------------------------------------------- */

/* Octets, or symbols of lab/play_octets.h, as lines of TLVs: each with its place and depth. */
struct report_line {
    size_t from, to;
    unsigned depth;
    char text[160];
};
enum { REPORT_MAX_LINES = 512 };
struct report_lines {
    struct report_line at[REPORT_MAX_LINES];
    size_t n;
};
void report_decode(const uint16_t *symbols, size_t n, struct report_lines *ret);
void report_decode_octets(struct rd octets, struct report_lines *ret);

/* The beginning of a page up to and without its heading, and a text in it. */
void report_begin_page(FILE *to, const char *title);
void report_put_html(FILE *to, const char *text);
/* The section of a case, or its file. */
const char *report_section_of(const struct report_case *c);

#endif
