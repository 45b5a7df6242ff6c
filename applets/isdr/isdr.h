/* isdr.h - the ISD-R, the profile manager of the eUICC (SGP.22 2.4.2). */
#ifndef APPLETS_ISDR_H
#define APPLETS_ISDR_H

#include "applets/isdr/profile_store.h"
#include "applets/isdr/rsp_session.h"
#include "os/euicc.h"

extern const struct applet isdr_applet;

/* The download that ended the last RSP session, if it installed a profile: ImmediateEnable is about
 * that one (SGP.32 5.9.15). */
struct finished_download {
    uint16_t index; /* NO_PROFILE: there was none */
    uint8_t oid[OID_MAX_LEN];
    uint8_t oid_len;
    char address[SERVER_ADDRESS_MAX + 1];
};

/* Until power off. */
struct isdr {
    struct rsp_session rsp;
    struct finished_download finished;
    struct switch_undo undo;
};

static inline struct isdr *isdr_state(const struct euicc *e)
{
    return euicc_state(e, &isdr_applet);
}

#endif
