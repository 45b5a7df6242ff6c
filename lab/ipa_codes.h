/* ipa_codes.h - names of the result codes of ES10b that only an IPA meets, as SGP.32 spells them.
 */
#ifndef LAB_IPA_CODES_H
#define LAB_IPA_CODES_H

#include "lab/util.h"

enum ipa_codes {
    IPA_ADD_INITIAL_EIM, /* addInitialEimError, SGP.32 5.9.4 */
    IPA_MEMORY_RESET,    /* 5.9.5 */
    IPA_RESET_EIM,
    IPA_RESET_IMMEDIATE,
    IPA_GET_CERTS,           /* 5.9.10 */
    IPA_IMMEDIATE_ENABLE,    /* 5.9.15 */
    IPA_ROLLBACK,            /* 5.9.16 */
    IPA_CONFIGURE_IMMEDIATE, /* 5.9.17 */
    IPA_EXECUTE_FALLBACK,    /* 5.9.20 */
    IPA_RETURN_FROM_FALLBACK,
    IPA_ENABLE_EMERGENCY, /* 5.9.22 */
    IPA_DISABLE_EMERGENCY,
    IPA_CONNECTIVITY, /* 5.9.24 */
    IPA_DEFAULT_DP,   /* 5.9.25 */
    IPA_ACTIVATE_IPAE,
};

/* "insufficientMemory", or "unknown". */
const char *ipa_code_name(enum ipa_codes list, uint64_t code);

/* An EuiccPackageResult in words: "enable ok(0), delete profileNotInDisabledState(2)".  whole is
 * BF51 and may be anything.  Returns ret. */
char *package_result_text(struct rd whole, char *ret, size_t size);

/* Whether it is a result and each of its operations went well. */
bool package_result_ok(struct rd whole);

#endif
