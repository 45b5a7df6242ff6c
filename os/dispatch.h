/* dispatch.h - from a command to its row, and from a result to a status word and the storage. */
#ifndef OS_DISPATCH_H
#define OS_DISPATCH_H

#include "os/session.h"

/* Runs a complete command; its answer is in s->euicc->answer.  Returns the status word.  What was
 * stored is committed where ISO 7816-4 5.6 calls it changed (90xx, 91xx, 63xx), else undone. */
uint16_t dispatch(struct session *s, const struct cla *cla, const struct apdu *command);

/* What belongs to no command, such as an end that was waited for in vain: commits or undoes what it
 * stored, as its result says.  Returns the status word. */
uint16_t dispatch_aside(struct euicc *e, int result);

/* The one table of faults against status words. */
uint16_t dispatch_fault_sw(int err);

#endif
