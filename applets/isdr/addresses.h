/* addresses.h - the configured SM-DP+ address, for those who reset it. */
#ifndef APPLETS_ISDR_ADDRESSES_H
#define APPLETS_ISDR_ADDRESSES_H

#include "os/euicc.h"

/* Back to the address of manufacture. */
int addresses_reset(struct euicc *e);

/* Is it another one than at manufacture? */
int addresses_changed(struct euicc *e, bool *ret);

#endif
