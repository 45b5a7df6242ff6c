/* terminal_run.h - a terminal in an event loop with a clock of its own: time is put forward when
 * nobody waits for an octet, so that nothing sleeps. */
#ifndef LAB_TERMINAL_RUN_H
#define LAB_TERMINAL_RUN_H

#include "lab/terminal.h"

struct event;
struct event_base;

struct terminal_run {
    struct event_base *base; /* borrowed, as the terminal is */
    struct terminal *terminal;
    struct terminal_clock clock; /* the terminal's */
    uint64_t born, skipped;
    struct event *heartbeat; /* so that a turn ends */
};

/* The terminal is made with this clock, and told afterwards. */
int terminal_run_init(struct terminal_run *r, struct event_base *base, struct lab_error *e);
void terminal_run_done(struct terminal_run *r);

/* Does what is due; *ret_rests: card and terminal wait for a timer, nothing is on its way.
 * Negative with *e: the card failed, or it was told to end. */
int terminal_run_turn(struct terminal_run *r, bool *ret_rests, struct lab_error *e);
/* Puts the clock forward to the next timer.  false: there is none. */
bool terminal_run_skip(struct terminal_run *r);

uint64_t here_ms(void);

#endif
