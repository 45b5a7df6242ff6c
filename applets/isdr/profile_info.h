/* profile_info.h - what the profiles are (SGP.22 5.7.15, SGP.32 5.9.14). */
#ifndef APPLETS_ISDR_PROFILE_INFO_H
#define APPLETS_ISDR_PROFILE_INFO_H

#include "os/euicc.h"

enum { PROFILE_CHANGE_ONGOING = 11 }; /* ProfileInfoListError of a eUICC Package (SGP.32 3.4.4) */

/* Answers the contents of a ProfileInfoListRequest with a ProfileInfoListResponse.  0, the
 * ProfileInfoListError that it holds, or a fault. */
int profile_infos_put(struct euicc *e, struct rd body, struct wr *rsp);

#endif
