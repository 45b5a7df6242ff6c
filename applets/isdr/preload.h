/* preload.h - profiles that the EUM puts in at manufacture. */
#ifndef APPLETS_ISDR_PRELOAD_H
#define APPLETS_ISDR_PRELOAD_H

#include "os/euicc.h"

/* Installs a profile package, disabled, without a session and without notifications; its metadata
 * is made from its header.  The card must be on.  NULL when it is committed, else why not. */
const char *isdr_preload(struct euicc *e, struct rd package);

#endif
