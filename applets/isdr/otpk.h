/* otpk.h - one-time key pairs kept for a retried download (SGP.22 3.1.3.2, 5.7.5): the server that
 * bound a profile to otPK.EUICC.ECKA may send the same BoundProfilePackage again. */
#ifndef APPLETS_ISDR_OTPK_H
#define APPLETS_ISDR_OTPK_H

#include "os/euicc.h"

/* The kept pair with this public key that was made for this SM-DP+; *ret is NULL when there is
 * none. */
int otpk_find(struct euicc *e, struct rd smdp_oid, enum curve curve, struct rd point,
              struct ec_key **ret);

/* Keeps a pair; beyond a few the oldest goes. */
int otpk_keep(struct euicc *e, struct rd smdp_oid, const struct ec_key *key);

/* Forgets a pair: its download succeeded, or can never succeed. */
int otpk_drop(struct euicc *e, const struct ec_key *key);

#endif
