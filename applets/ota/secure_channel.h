/* secure_channel.h - a secure channel between a security domain and whoever knows its keys, on a
 * logical channel: INITIALIZE UPDATE, EXTERNAL AUTHENTICATE, and what is under them (GlobalPlatform
 * Card Specification 10 and annex E, Amendment D). */
#ifndef APPLETS_OTA_SECURE_CHANNEL_H
#define APPLETS_OTA_SECURE_CHANNEL_H

#include "applets/ota/scp02.h"
#include "applets/ota/scp03.h"
#include "os/applet.h"

struct secure_channel {
    enum { CHANNEL_NONE, CHANNEL_STARTED, CHANNEL_SECURE } state;
    uint8_t protocol; /* 2 or 3 */
    uint8_t option;   /* "i" */
    uint8_t version;  /* of its keys */
    uint8_t level;
    uint16_t counter;              /* of SCP02 */
    unsigned long secured_command; /* of the session: the last one that came under a MAC */
    struct scp02 scp02;            /* of these, the one of the protocol */
    struct scp03 scp03;
    uint8_t *plain; /* data of the command that runs, from malloc */
    size_t plain_size;
};

/* Forgets it and its keys. */
void secure_channel_end(struct secure_channel *c);

/* Did the command that runs come as the channel demands? */
bool secure_channel_covers(const struct secure_channel *c, unsigned long command);

/* Rows for the security domain's command table, and its hooks in struct applet. */
command_fn secure_channel_initialize, secure_channel_authenticate;
int secure_channel_unwrap(struct session *s, struct apdu *a);
int secure_channel_wrap(struct session *s, uint16_t sw, struct wr *rsp);

#endif
