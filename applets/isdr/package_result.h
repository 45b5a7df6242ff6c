/* package_result.h - EuiccPackageResults: signed once, kept until the IPA removes them
 * (SGP.32 2.11.2.1, 5.9.1, 5.9.11).  They share their sequence numbers with the notifications.
 *
 * NVM: "isdr/package-result/XXXXXXXX" holds one EuiccPackageResult as it will be sent. */
#ifndef APPLETS_ISDR_PACKAGE_RESULT_H
#define APPLETS_ISDR_PACKAGE_RESULT_H

#include "applets/isdr/eim.h"

/* Takes the next sequence number. */
int package_result_sequence(struct euicc *e, uint64_t *ret);

/* Signs euiccPackageResultDataSigned (whole, tag 30) for this eIM, stores the result under its
 * sequence number and appends it, BF51, to rsp. */
int package_result_add(struct euicc *e, const struct eim *eim, uint64_t sequence,
                       struct rd data_signed, struct wr *rsp);

/* Signs euiccPackageErrorDataSigned and appends the error, BF51, to rsp; errors are not kept. */
int package_error_put(struct euicc *e, const struct eim *eim, struct rd data_signed,
                      struct wr *rsp);

/* Is there room for one more? (setting max_package_results) */
int package_result_has_room(struct euicc *e, bool *ret);

/* Appends the result with this number, or all of them, oldest first, each BF51. */
int package_result_get(struct euicc *e, uint64_t sequence, struct wr *rsp, bool *ret_found);
int package_result_put_all(struct euicc *e, struct wr *rsp);

int package_result_remove(struct euicc *e, uint64_t sequence, bool *ret_existed);

#endif
