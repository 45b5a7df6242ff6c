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

/* An IPA in the eUICC, as the ISD-R knows it (SGP.32 3.8).  It makes itself known at each start. */
struct isdr_assistant {
    bool (*is_active)(const struct euicc *e);
    /* Within a transaction of its own: whoever is outside may only look. */
    bool (*is_busy)(const struct euicc *e);
    int (*activate)(struct euicc *e);         /* IpaeActivation */
    int (*memory_was_reset)(struct euicc *e); /* eUICCMemoryReset did something */
};

/* Until power off. */
struct isdr {
    const struct isdr_assistant *assistant; /* NULL: there is none */
    bool within;                            /* isdr_call() */
    struct rsp_session rsp;
    struct finished_download finished;
    struct switch_undo undo;
};

static inline struct isdr *isdr_state(const struct euicc *e)
{
    return euicc_state(e, &isdr_applet);
}

/* Is the IPA of this card the one at work? */
bool isdr_has_active_assistant(const struct euicc *e);

/* A request of the assistant's, or a piece of a BoundProfilePackage, as STORE DATA would bring it;
 * the response is appended to rsp.  0; a status word or ERR_INPUT: refused, nothing was done; else
 * a fault. */
int isdr_call(struct euicc *e, struct rd request, struct wr *rsp);

/* connectivity.c: the enabled profile's httpParams, appended; nothing: it has none.  SGP.32 has
 * them since v1.1, profile packages ever since. */
int isdr_connectivity_parameters(struct euicc *e, struct wr *ret);

#endif
