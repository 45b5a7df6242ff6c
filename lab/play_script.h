/* play_script.h - a script as statements (docs/SCRIPTS.md): TS 51.013 Annex B, scriptor, the
 * transcripts of tests/apdu, and our own.
 *
 * Everything is checked when a script is read; what can still go wrong when it is played is a
 * variable that has no value, or a card. */
#ifndef LAB_PLAY_SCRIPT_H
#define LAB_PLAY_SCRIPT_H

#include "lab/play_octets.h"

enum {
    PLAY_PLACE_LEN = 512,
    PLAY_MAX_REPEAT = 100000,
};

/* What a statement does; rows of statements[] in play_script.c and of runners[] in play_run.c. */
enum play_verb {
    PLAY_RESET,
    PLAY_POWER_OFF,
    PLAY_TERMINAL_PROFILE,
    PLAY_APDU, /* arguments: octets, wanted data or NULL, wanted status or NULL */
    PLAY_SEND, /* "> OCTETS": the answer as a whole is compared */
    PLAY_ES10, /* octets; wanted status or NULL */
    PLAY_SELECT_ISDR,
    PLAY_FETCH,
    PLAY_RESPOND,        /* result and TLVs; may be empty */
    PLAY_LOAD,           /* words, octets among them */
    PLAY_EXPECT,         /* predicate, a variable's name or NULL */
    PLAY_LET,            /* name, octets */
    PLAY_TAKE,           /* name, path */
    PLAY_VERIFY,         /* octets; none: the last answer */
    PLAY_VERIFY_PREPARE, /* octets of smdpSignature2 */
    PLAY_EIM,
    PLAY_ASSOCIATE,
    PLAY_PACKAGE,
    PLAY_COMPUTE,
    PLAY_DOWNLOAD,
    PLAY_TERMINAL, /* words */
    PLAY_WAIT,     /* number */
    PLAY_SERVE,    /* status and octets; may be empty */
    PLAY_REFRESH,
    PLAY_CLEAN,
    PLAY_CONTROL,
    PLAY_CUT_AFTER,
    PLAY_CUT_EACH,
    PLAY_MARK,
    PLAY_CHANGED,
    PLAY_UNCHANGED,
    PLAY_NOTE,
    PLAY_REPEAT, /* number */
    PLAY_SWITCH, /* SWI: label; what follows up to its end runs if the last status fits */
    PLAY_EITHER,
    PLAY_OR,
    PLAY_END,  /* of repeat, of a label, of either */
    PLAY_STOP, /* scriptor's exit */
    PLAY_N_VERBS,
};

struct play_source;

struct play_step {
    enum play_verb verb;
    const struct play_source *source;
    const char *at;           /* the statement's text, in source */
    const char *arguments[3]; /* as the verb has them; "" or NULL when absent */
    const char *wanted;       /* of a line "< WANTED" behind it; NULL: none */
    size_t block; /* of repeat and a label: its end; of either and or: the next part, or the end;
                   * of an end: what it ends */
    unsigned long count; /* of repeat */
};

struct play_steps {
    struct play_step *at;
    size_t n, room;
};

/* Words of a line, borrowed from the source; several lines add up. */
struct play_words {
    const char **at;
    size_t n, room;
};

struct play_case {
    const char *id, *title, *section; /* "" when absent */
    const char *provenance, *ref;     /* likewise */
    const char *skip, *todo;          /* NULL: none */
    struct play_words needs;
    struct play_words options; /* of "new" */
    bool own_card;             /* there is a "new" */
    const struct play_source *source;
    const char *at;
    struct play_steps steps;
};

struct play_script {
    struct play_source *sources; /* the file and what it includes */
    struct play_case common;     /* what stands before the first case: for each of them */
    struct play_case *cases;
    size_t n, room;
};

/* Reads a script.  0, or ERR_INPUT with "FILE:LINE:COLUMN: what" in *e. */
int play_script_read(const char *path, struct play_script *ret, struct lab_error *e);
/* The same from memory; name stands in messages. */
int play_script_read_text(const char *name, struct rd text, struct play_script *ret,
                          struct lab_error *e);
void play_script_free(struct play_script *script);

/* "FILE:LINE:COLUMN" of a place in a source. */
char *play_place(const struct play_source *source, const char *at, char ret[PLAY_PLACE_LEN]);
/* The same of a place in one of the sources of a script. */
char *play_script_place(const struct play_script *script, const char *at, char ret[PLAY_PLACE_LEN]);
/* The first line of a statement as it is in the file, malloc'd. */
char *play_source_text(const struct play_source *source, const char *at);
const char *play_source_path(const struct play_source *source);
unsigned play_source_line(const struct play_source *source, const char *at);

#endif
