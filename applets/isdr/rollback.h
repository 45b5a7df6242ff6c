/* rollback.h - Profile Rollback: the way back that an eIM grants with the PSMO enable
 * (SGP.32 5.9.16).  The grant is kept in struct profile_switch. */
#ifndef APPLETS_ISDR_ROLLBACK_H
#define APPLETS_ISDR_ROLLBACK_H

#include "os/euicc.h"

/* The package result with this number was removed: the eIM has it, and what it granted ends. */
int rollback_forget(struct euicc *e, uint64_t sequence);

#endif
