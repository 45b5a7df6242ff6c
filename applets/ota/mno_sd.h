/* mno_sd.h - the security domains of the enabled profile as an application: on a channel by their
 * AIDs, and over the air (GlobalPlatform Card Specification 11, ETSI TS 102 226 8). */
#ifndef APPLETS_OTA_MNO_SD_H
#define APPLETS_OTA_MNO_SD_H

#include "applets/ota/secure_channel.h"
#include "applets/ota/target.h"

extern const struct applet mno_sd_applet;

/* Runs a script of management commands and appends at most room octets of its answer.  version:
 * whose keys secured it.  0 or a fault. */
int mno_sd_run(struct euicc *e, const struct ota_target *target, uint8_t version, struct rd script,
               size_t room, struct wr *ret);

/* Which security domain of which profile. */
struct sd_name {
    uint16_t profile; /* NO_PROFILE: none yet */
    uint8_t number;
};

/* Until something else is selected on the channel, or the script ends. */
struct sd_session {
    struct sd_name name;
    uint8_t version;   /* of the keys that secure it; 0: it is not secured */
    struct wr request; /* blocks of STORE DATA so far */
    unsigned next_block;
    unsigned long last_command; /* of the session that brought a block */
    struct secure_channel channel;
};

/* The security domain that is selected: 0, a status word when its profile is enabled no more, or a
 * fault.  Ends with sd_done(). */
int sd_selected(struct session *s, struct sd *ret);

/* Whether who asks has proved to know its keys: 0, or the status word that refuses. */
int sd_check_secured(struct session *s, const char *command);

/* Traces why a command is refused; returns sw. */
int sd_refuse(const struct session *s, const char *command, int sw, const char *why);

/* put_key.c */
command_fn sd_put_key;

#endif
