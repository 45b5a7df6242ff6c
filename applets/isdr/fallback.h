/* fallback.h - the fallback attribute and the Fallback Mechanism (SGP.32 3.4.6, 3.4.7, 5.9.20,
 * 5.9.21).
 *
 * NVM: "isdr/fallback" is the XXXX of the profile that holds the attribute; absent: none. */
#ifndef APPLETS_ISDR_FALLBACK_H
#define APPLETS_ISDR_FALLBACK_H

#include "applets/isdr/profile_store.h"

/* NO_PROFILE when none holds it. */
int fallback_holder(struct euicc *e, uint16_t *ret);

/* What a eUICC Package finds, and what it will leave behind: a holder that is enabled in either
 * keeps the attribute. */
struct fallback_states {
    const struct profile_switch *before, *next;
};

/* The PSMOs setFallbackAttribute and unsetFallbackAttribute: their result code, or a fault. */
int fallback_set(struct euicc *e, const struct profile *target, struct fallback_states states);
int fallback_unset(struct euicc *e, struct fallback_states states);

/* The holder is deleted: nobody holds it any more. */
int fallback_forget(struct euicc *e, uint16_t index);

#endif
