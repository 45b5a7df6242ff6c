/* bpp.h - a BoundProfilePackage on its way in (SGP.22 2.5.3 to 2.5.6, 5.5, 5.7.6).
 *
 * It comes in pieces that end anywhere; what is complete is processed at once, so that an error is
 * told in the answer to the piece that has it.  Nothing of the profile is stored before all of it
 * is good. */
#ifndef APPLETS_ISDR_BPP_H
#define APPLETS_ISDR_BPP_H

#include "os/euicc.h"

struct bpp;

/* Is this STORE DATA a piece of a BoundProfilePackage that may come now? */
bool bpp_claims(const struct euicc *e, struct rd piece);

/* Takes a piece.  rsp stays empty until the last one or an error, which write a
 * ProfileInstallationResult.  0 or a fault. */
int bpp_take(struct euicc *e, struct rd piece, struct wr *rsp);

/* An installation that goes on, if any, ends with installFailedDueToInterruption. */
int bpp_interrupt(struct euicc *e);

/* At power-on: the same for one that a power loss ended. */
int bpp_recover(struct euicc *e);

void bpp_free(struct bpp **b);

#endif
