/* esipa.h - what IPA and eIM agree on beside ESipa's octets (SGP.32 6.4). */
#ifndef LAB_ESIPA_H
#define LAB_ESIPA_H

#include "asn1/esipa.h"

#define ESIPA_JSON_PATH "/gsma/rsp2/esipa/" /* followed by the function's name */
#define ESIPA_JSON_TYPE "application/json"

/* A refusal of an SM-DP+ is a code in the ASN.1 binding of ESipa, and stays a subject and a reason
 * in the JSON binding (SGP.22 5.6, SGP.32 6.4).  false: there is none for it. */
bool esipa_refusal_code(uint32_t function, const char *subject, const char *reason, long *ret);
bool esipa_refusal_words(uint32_t function, long code, const char **ret_subject,
                         const char **ret_reason);

#endif
