/* cat.h - proactive commands (TS 102 223): for now REFRESH, after a profile was switched.
 *
 * Nothing is offered to a terminal that did not send TERMINAL PROFILE: a plain LPA never sees
 * 91xx (TS 102 221 14.6.1). */
#ifndef OS_CAT_H
#define OS_CAT_H

#include "os/applet.h"

enum {
    CAT_PROFILE_MAX = 64, /* octets of a TERMINAL PROFILE that are kept */
    CAT_COMMAND_MAX = 64,
};

enum cat_state {
    CAT_IDLE,
    CAT_PENDING, /* 91xx until FETCH */
    CAT_FETCHED, /* until TERMINAL RESPONSE */
};

/* Told when a REFRESH ended: done, or refused by the terminal. */
typedef int cat_refresh_fn(struct euicc *e, bool done);

struct cat {
    bool has_profile;
    uint8_t profile[CAT_PROFILE_MAX];
    size_t profile_len;
    enum cat_state state;
    uint8_t command[CAT_COMMAND_MAX];
    size_t command_len;
    uint8_t number; /* of the last proactive command */
    cat_refresh_fn *refresh_ended;
};

/* After a reset. */
void cat_reset(struct cat *c);

/* A proactive session is going on: ES10c functions that need REFRESH answer catBusy. */
bool cat_is_busy(const struct cat *c);

/* Queues REFRESH: "eUICC Profile State Change" where the terminal knows it, else "UICC Reset"
 * (TS 102 223 6.4.7, SGP.22 3.2.1).  Without a TERMINAL PROFILE nothing is queued, and false is
 * returned: the change is complete already. */
bool cat_queue_refresh(struct cat *c, cat_refresh_fn *ended);

/* 9000, or 91xx when a proactive command waits. */
uint16_t cat_ending(const struct cat *c);

/* Rows for the UICC's command table. */
command_fn cat_terminal_profile, cat_fetch, cat_terminal_response;

#endif
