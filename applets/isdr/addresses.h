/* addresses.h - the default SM-DP+ address, for those who set, reset or ask for it. */
#ifndef APPLETS_ISDR_ADDRESSES_H
#define APPLETS_ISDR_ADDRESSES_H

#include "os/euicc.h"

enum { ADDRESS_MAX = 255 };

/* Into a writer of the caller: the stored one, else the one of manufacture; empty: none. */
int addresses_get_default_dp(struct euicc *e, struct wr *ret);

/* The fields of SetDefaultDpAddress, whoever brings them (ES10a, ES10b, PSMO): 0,
 * undefinedError(127), ERR_INPUT when there is none, or a fault. */
int addresses_set_default_dp(struct euicc *e, struct rd fields, const char *clause);

/* Back to the address of manufacture. */
int addresses_reset(struct euicc *e);

/* Is it another one than at manufacture? */
int addresses_changed(struct euicc *e, bool *ret);

#endif
