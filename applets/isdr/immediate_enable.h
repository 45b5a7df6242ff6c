/* immediate_enable.h - Immediate Profile Enabling: its configuration, and whether a finished
 * download qualifies (SGP.32 5.9.15, 5.9.17, 3.4.5).
 *
 * NVM: "isdr/immediate-enable" holds the fields 80, 81, 82 as configured; absent: off. */
#ifndef APPLETS_ISDR_IMMEDIATE_ENABLE_H
#define APPLETS_ISDR_IMMEDIATE_ENABLE_H

#include "os/euicc.h"

/* The fields of ConfigureImmediateProfileEnabling, whoever brings them (ES10b or PSMO).  0,
 * insufficientMemory(1), commandError(7) or a fault. */
int immediate_enable_configure(struct euicc *e, struct rd fields, const char *who,
                               const char *clause);

/* Off, as at manufacture. */
int immediate_enable_reset(struct euicc *e);

#endif
