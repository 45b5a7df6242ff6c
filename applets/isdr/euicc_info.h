/* euicc_info.h - EUICCInfo2 for those who sign it. */
#ifndef APPLETS_ISDR_EUICC_INFO_H
#define APPLETS_ISDR_EUICC_INFO_H

#include "os/euicc.h"

/* EUICCInfo2 (SGP.22 5.7.8), whole, as euiccSigned1 has it: in SGP.32 v1.0.1 without ipaMode and
 * iotSpecificInfo. */
int euicc_info2_put_signed(struct euicc *e, struct wr *w);

#endif
