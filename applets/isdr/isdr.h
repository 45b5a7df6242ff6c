/* isdr.h - the ISD-R, the profile manager of the eUICC (SGP.22 2.4.2). */
#ifndef APPLETS_ISDR_H
#define APPLETS_ISDR_H

#include "applets/isdr/profile_store.h"
#include "applets/isdr/rsp_session.h"
#include "os/euicc.h"

extern const struct applet isdr_applet;

/* Until power off. */
struct isdr {
    struct rsp_session rsp;
    struct switch_undo undo;
};

static inline struct isdr *isdr_state(const struct euicc *e)
{
    return euicc_state(e, &isdr_applet);
}

#endif
