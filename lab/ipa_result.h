/* ipa_result.h - the result of a eUICC Package in words. */
#ifndef LAB_IPA_RESULT_H
#define LAB_IPA_RESULT_H

#include "lab/util.h"

/* An EuiccPackageResult in words: "enable ok(0), delete profileNotInDisabledState(2)".  whole is
 * BF51 and may be anything.  Returns ret. */
char *package_result_text(struct rd whole, char *ret, size_t size);

/* Whether it is a result and each of its operations went well. */
bool package_result_ok(struct rd whole);

#endif
