/* ipa_local.h - local profile management on the command line (SGP.22 3.2).  Each prints what it
 * does; an id is an ICCID or the AID of an ISD-P. */
#ifndef LAB_IPA_LOCAL_H
#define LAB_IPA_LOCAL_H

#include "lab/ipa.h"

int local_info(struct ipa *ipa, struct lab_error *e);
int local_list(struct ipa *ipa, struct lab_error *e);
int local_enable(struct ipa *ipa, const char *id, struct lab_error *e);
int local_disable(struct ipa *ipa, const char *id, struct lab_error *e);
int local_delete(struct ipa *ipa, const char *id, struct lab_error *e);
int local_nickname(struct ipa *ipa, const char *iccid, const char *text, struct lab_error *e);
int local_reset(struct ipa *ipa, struct lab_error *e);

#endif
