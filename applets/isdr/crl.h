/* crl.h - loaded certificate revocation lists (SGP.22 5.7.12). */
#ifndef APPLETS_ISDR_CRL_H
#define APPLETS_ISDR_CRL_H

#include "os/euicc.h"
#include "os/x509.h"

/* Does a loaded CRL of this CI revoke the certificate? */
int crl_revokes(struct euicc *e, int ci, const struct cert *cert, bool *ret);

#endif
