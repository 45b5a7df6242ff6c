/* rules.h - profile policy rules against the rules authorisation table (SGP.22 2.4.13, 2.9). */
#ifndef APPLETS_ISDR_RULES_H
#define APPLETS_ISDR_RULES_H

#include "os/euicc.h"

/* May a profile of this owner (contents of profileOwner; n == 0: none) carry these PPRs?
 * NULL, or why not. */
const char *rules_refuse_pprs(const struct euicc *e, uint32_t pprs, struct rd owner);

#endif
