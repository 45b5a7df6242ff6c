/* es6.h - what an operator may change of its profile's metadata (SGP.22 5.4). */
#ifndef APPLETS_OTA_ES6_H
#define APPLETS_OTA_ES6_H

#include "os/euicc.h"

enum { TAG_UPDATE_METADATA = 0xBF2A };

/* UpdateMetadata: the contents of the request.  0, a status word that refuses, or a fault. */
int es6_update_metadata(struct euicc *e, uint16_t profile, struct rd body);

#endif
