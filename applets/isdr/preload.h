/* preload.h - profiles that the EUM puts in at manufacture. */
#ifndef APPLETS_ISDR_PRELOAD_H
#define APPLETS_ISDR_PRELOAD_H

#include "os/euicc.h"

/* Installs a profile package, without a session and without notifications; its metadata is made
 * from its header and from words, separated by commas (NULL: none):
 *
 *   class=test|provisioning|operational   profileClass (operational)
 *   fallback-allowed                      it may hold the fallback attribute (SGP.32 3.4.6)
 *   fallback                              it holds it
 *   ecall                                 it is the Emergency Profile (SGP.32 5.9.22)
 *   enabled                               it is enabled
 *
 * The card must be on.  NULL when it is committed, else why not. */
const char *isdr_preload(struct euicc *e, struct rd package, const char *words);

#endif
