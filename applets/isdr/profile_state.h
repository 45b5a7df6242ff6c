/* profile_state.h - enabling, disabling and deleting: the rules, whoever asks (SGP.22 3.2, 5.7.16
 * to 5.7.18, SGP.32 3.4), and the switch from one profile to another.
 *
 * The checks look at a state of things and give the next one; nothing happens before
 * profile_switch_to(), so that a eUICC Package can mark first and switch at its end. */
#ifndef APPLETS_ISDR_PROFILE_STATE_H
#define APPLETS_ISDR_PROFILE_STATE_H

#include "applets/isdr/es10.h"
#include "applets/isdr/notification.h"

/* Result codes that ES10b, ES10c and PSMO have in common. */
enum state_result {
    ICCID_OR_AID_NOT_FOUND = 1,
    PROFILE_NOT_IN_RIGHT_STATE = 2,
    DISALLOWED_BY_POLICY = 3,
    WRONG_PROFILE_REENABLING = 4,
    CAT_BUSY = 5,
};

/* Who asks, for the trace. */
struct state_function {
    const char *name, *not_in_state, *clause;
};

/* Traces the refusal and returns its code. */
int state_refuse(const struct euicc *e, const struct state_function *f, int code, const char *why);

/* May target be enabled (disabled) where `now` is the state of things?  0 with the state after it
 * in *ret, a state_result, or a fault. */
int state_check_enable(struct euicc *e, const struct state_function *f,
                       const struct profile_switch *now, const struct profile *target,
                       struct profile_switch *ret);
int state_check_disable(struct euicc *e, const struct state_function *f,
                        const struct profile_switch *now, const struct profile *target,
                        struct profile_switch *ret);
int state_check_delete(struct euicc *e, const struct state_function *f,
                       const struct profile_switch *now, const struct profile *target);

/* CAT_BUSY while a proactive session keeps REFRESH from being queued; else 0. */
int state_check_refresh(const struct euicc *e, const struct state_function *f, bool refresh);

/* How the terminal learns of a switch. */
enum switch_how {
    SWITCH_SILENTLY,   /* refreshFlag FALSE: whoever asked sees to it */
    SWITCH_BY_REFRESH, /* refreshFlag TRUE: undone when the terminal refuses (SGP.22 3.2.1) */
    SWITCH_AND_TELL,   /* done; REFRESH where the terminal takes it (SGP.32 3.3.1) */
};

/* Makes `next` the state of things.  notify: with the notifications that both profiles ask for. */
int profile_switch_to(struct euicc *e, const struct profile_switch *next, enum switch_how how,
                      bool notify);

/* REFRESH with a UICC reset, after which the card's files are those of the enabled profile. */
int profile_refresh_by_reset(struct euicc *e);

/* A profile goes, with its notification; *now is the state of things, from which it goes too and
 * which the caller stores. */
int profile_delete(struct euicc *e, const struct profile *p, struct profile_switch *now);

/* The notifications of one event of one profile; NO_PROFILE has none. */
int profile_notify(struct euicc *e, uint16_t index, enum notification_event event);

#endif
