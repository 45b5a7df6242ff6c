/* cat.h - proactive commands (TS 102 223): a short queue, each with somebody who is told its end.
 *
 * Nothing is offered to a terminal that did not announce the command in TERMINAL PROFILE: a plain
 * LPA never sees 91xx (TS 102 221 14.6.1). */
#ifndef OS_CAT_H
#define OS_CAT_H

#include "os/applet.h"

enum {
    CAT_PROFILE_MAX = 64,  /* octets of a TERMINAL PROFILE that are kept */
    CAT_COMMAND_MAX = 255, /* what 91xx can announce */
    CAT_QUEUE_MAX = 4,
};

/* Types of command that we use (TS 102 223 9.4). */
enum cat_type {
    CAT_REFRESH = 0x01,
    CAT_SEND_SHORT_MESSAGE = 0x13,
};

/* Qualifiers of REFRESH (TS 102 223 8.6). */
enum cat_refresh {
    CAT_UICC_RESET = 0x04,
    CAT_PROFILE_STATE_CHANGE = 0x09,
};

/* Told when a command ended: done, or refused by the terminal. */
typedef int cat_ended_fn(struct euicc *e, bool done);

struct cat_command {
    uint8_t octets[CAT_COMMAND_MAX];
    size_t n;
    uint8_t number, type;
    cat_ended_fn *ended; /* may be NULL */
};

struct cat {
    bool has_profile;
    uint8_t profile[CAT_PROFILE_MAX];
    size_t profile_len;
    struct cat_command queue[CAT_QUEUE_MAX]; /* the first is due, or fetched */
    size_t n_queue;
    bool fetched;   /* until TERMINAL RESPONSE */
    uint8_t number; /* of the last proactive command */
};

/* After a reset. */
void cat_reset(struct cat *c);

/* Another profile's files are the card's: what the old one's applications still wanted from the
 * terminal is dropped, but for REFRESH, which is about the change, and what was fetched already. */
void cat_profile_changed(struct cat *c);

/* A proactive session is going on: ES10c functions that need REFRESH answer catBusy; they ask
 * euicc_cat_is_busy(). */
bool cat_is_busy(const struct cat *c);

/* Did the terminal announce the command, and is there room for one more? */
bool cat_can(const struct cat *c, enum cat_type type);

/* Queues a command: its details and devices, then these simple TLVs.  false, and nothing is queued,
 * when cat_can() says no or it is too long. */
bool cat_queue(struct cat *c, enum cat_type type, uint8_t qualifier, struct rd tlvs,
               cat_ended_fn *ended);

/* Queues REFRESH; CAT_PROFILE_STATE_CHANGE only where the terminal knows it, else CAT_UICC_RESET
 * (TS 102 223 6.4.7, SGP.22 3.2.1).  When it returns false the change is complete already. */
bool cat_queue_refresh(struct cat *c, enum cat_refresh how, cat_ended_fn *ended);

/* 9000, or 91xx when a proactive command waits. */
uint16_t cat_ending(const struct cat *c);

/* Rows for the UICC's command table. */
command_fn cat_terminal_profile, cat_fetch, cat_terminal_response;

#endif
