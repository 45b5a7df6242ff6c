/* rfm.h - remote file management: a script of file commands in a session of its own (ETSI TS
 * 102 226 6). */
#ifndef APPLETS_OTA_RFM_H
#define APPLETS_OTA_RFM_H

#include "applets/ota/target.h"

/* Runs the script and appends at most room octets of its answer.  0 or a fault. */
int rfm_run(struct euicc *e, const struct ota_target *target, struct rd script, size_t room,
            struct wr *ret);

#endif
