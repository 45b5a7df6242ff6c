/* play_octets.h - octets as scripts write them, and octets that an answer is compared with
 * (docs/SCRIPTS.md, "Octets").  Variables live here too. */
#ifndef LAB_PLAY_OCTETS_H
#define LAB_PLAY_OCTETS_H

#include <stdbool.h>

#include "lab/util.h"

enum {
    PLAY_NAME_MAX = 32,
    PLAY_VALUE_MAX = 1024 * 1024,
    PLAY_MAX_NAMES = 256,
    PLAY_MAX_NESTING = 32,
};

/* What is wrong with a text, and where in it. */
struct play_error {
    const char *at; /* into the text */
    struct lab_error e;
};
int play_fail(struct play_error *e, const char *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Variables: names with octets. */
struct play_names {
    struct play_name {
        char name[PLAY_NAME_MAX];
        struct wr value;
    } at[PLAY_MAX_NAMES];
    size_t n;
    const struct wr *last; /* the last answer, {}; NULL: there is none yet */
};
void play_names_clear(struct play_names *names);
bool play_names_get(const struct play_names *names, const char *name, struct rd *ret);
/* false: too many, or out of memory. */
bool play_names_put(struct play_names *names, const char *name, struct rd value);

/* Octets to be sent, up to the end of the text or, with stop_at_status, to a '(' behind a blank:
 * *ret_end tells where.  names NULL: only whether it is well written. */
struct play_octets_style {
    bool plain;          /* hexadecimal digits only, as in TS 51.013 and scriptor */
    bool stop_at_status; /* for "es10 OCTETS (STATUS)" */
};
int play_octets_read(const char *text, struct play_octets_style style,
                     const struct play_names *names, struct wr *ret, const char **ret_end,
                     struct play_error *e);

/* Whether an answer is as wanted; its captures go to names then.  Otherwise ret->first is the first
 * octet that is not, of the alternative that came furthest. */
struct play_answer {
    struct rd octets;
    bool mute;
};
struct play_match {
    bool fits;
    size_t first;
};
int play_match(const char *wanted, const struct play_answer *answer, struct play_names *names,
               struct play_match *ret, struct play_error *e);
int play_wanted_check(const char *wanted, struct play_error *e);

/* Status words with X for any digit, separated by commas: "9000, 91XX". */
int play_status_check(const char *wanted, struct play_error *e);
bool play_status_fits(const char *wanted, uint16_t sw);

/* What is wanted, as symbols for reports: an octet, or one of these. */
enum { PLAY_SYMBOL_X = 0x100, PLAY_SYMBOL_ANY = 0x101 };
/* The first alternative; false when it has none or cannot be read.  ret gets uint16_t's. */
bool play_wanted_symbols(const char *wanted, const struct play_names *names, struct wr *ret);

#endif
