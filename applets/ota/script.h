/* script.h - remote commands in compact and expanded format, and what they answer (ETSI TS 102 226
 * 5.2). */
#ifndef APPLETS_OTA_SCRIPT_H
#define APPLETS_OTA_SCRIPT_H

#include "os/session.h"

/* A command that may come in a script. */
struct script_command {
    uint8_t ins;
    bool outgoing; /* P3 in the compact format is Le */
    const char *name;
};

/* Who runs it: a session of its own, and a function that runs one command in it and leaves the
 * answer in the card's answer buffer. */
struct script {
    struct session *session;
    const struct script_command *commands;
    size_t n_commands;
    uint16_t (*run)(void *ctx, const struct cla *cla, const struct apdu *a);
    void *ctx;
};

/* Runs the commands in `in` up to the first one that fails, and appends at most `room` octets of
 * answer to ret: data that does not fit is left out, and SW_MORE_DATA tells so.  0 or a fault. */
int script_run(const struct script *s, struct rd in, size_t room, struct wr *ret);

#endif
