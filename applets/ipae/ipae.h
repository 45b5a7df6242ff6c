/* ipae.h - the IPAe: the IPA in the eUICC, which asks eIMs for packages through the terminal and
 * does what they say (SGP.32 3.1.1.1, 3.2.3, 3.3.1, 3.8).
 *
 *   off --TERMINAL PROFILE or IpaeActivation--> booting: the terminal is asked for IMEI, location
 *   booting --> waiting: for time to pass, or for service
 *   waiting --> talking: with an eIM or an SM-DP+, until neither has anything left --> waiting
 *   a profile switch --> waiting: for service; what came of it is told then
 *
 * Whatever happens to it is volatile, but for docs/STATE.md "ipae/...".  A result stays in the
 * ISD-R until the eIM has acknowledged it, so that a reset at any moment loses none.
 *
 * The ISD-R runs its requests through the functions that serve ES10 (isdr_call()).  Everything
 * happens within the APDU that brings an answer, and is one commit with it. */
#ifndef APPLETS_IPAE_H
#define APPLETS_IPAE_H

#include "applets/ipae/link.h"
#include "os/euicc.h"

extern const struct applet ipae_applet;

/* The way to servers: link.h's functions, or for tests something with their behaviour. */
struct ipae_link_ops {
    enum link_outcome (*request)(struct euicc *e, struct link *l, const struct link_request *q);
    bool (*close)(struct euicc *e, struct link *l, link_rested_fn *rested, void *ctx);
};

/* What it does, or waits for, in a few words (docs/CONTROL.md). */
void ipae_describe(const struct euicc *e, char *ret, size_t size);

/* From the next start on.  NULL: link.h's. */
void ipae_use_link(struct euicc *e, const struct ipae_link_ops *ops);

#endif
