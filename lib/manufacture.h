/* manufacture.h - making a card: what an EUM does in its factory. */
#ifndef LIB_MANUFACTURE_H
#define LIB_MANUFACTURE_H

#include "lib/softeuicc.h"
#include "os/crypto.h"
#include "os/nvm.h"

/* Fills an empty store: settings, EID, keys and certificates, profiles, eIMs.  The store stays
 * the caller's.  0, or negative with a line in error. */
int manufacture(struct nvm **nvm, struct crypto *c, const struct softeuicc_new *how,
                struct trace trace, char error[SOFTEUICC_ERROR_LEN]);

#endif
