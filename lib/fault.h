/* fault.h - faults on demand: rules that make a card fail in a way that was asked for.
 *
 * A rule is a line of docs/CONTROL.md.  It lives until it is cleared or has acted as often as it
 * says, over resets and power cuts, and never in the card's file.  Each says in the trace that it
 * was set, and that it is at work. */
#ifndef LIB_FAULT_H
#define LIB_FAULT_H

#include "os/euicc.h"

enum fault_kind {
    FAULT_CUT_AFTER,   /* N */
    FAULT_CUT_AT,      /* STEP [COUNT] */
    FAULT_SW,          /* MATCH SW [COUNT] */
    FAULT_DELAY,       /* MATCH MS [COUNT] */
    FAULT_MUTE,        /* MATCH [COUNT] */
    FAULT_CORRUPT,     /* MATCH OFFSET [COUNT] */
    FAULT_FULL_MEMORY, /* on|off */
    FAULT_CAT_BUSY,    /* on|off */
    FAULT_CLOCK,       /* SECONDS */
};

struct fault_rule;

struct faults {
    struct fault_rule *rules;
    size_t n;
    unsigned delay_ms; /* that the answer of this command shall wait */
    struct euicc *e;
};

/* e is the card that the rules are for. */
void faults_init(struct faults *f, struct euicc *e);
void faults_done(struct faults *f);

/* Sets a rule from its arguments.  0 with reply "armed" or the like; ERR_INPUT when they are not
 * understood, without a reply: what is right is the table's to say; ERR_NOMEM. */
int faults_set(struct faults *f, enum fault_kind kind, const char *arguments, char *reply,
               size_t size);
/* All rules that are set, as they were written, separated by "; ". */
void faults_list(const struct faults *f, char *reply, size_t size);
/* Takes all back. */
void faults_clear(struct faults *f);

/* euicc_transmit(), with the rules around it. */
size_t faults_transmit(struct faults *f, const uint8_t *command, size_t n, uint8_t *response);

#endif
