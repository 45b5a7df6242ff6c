/* esipa_json.h - the JSON binding of ESipa on the eIM's side (SGP.32 6.4): octets are base64 of
 * the TLV with its tag, transaction ids hex, the EID digits. */
#ifndef LAB_ESIPA_JSON_H
#define LAB_ESIPA_JSON_H

#include <cjson/cJSON.h>

#include "lab/util.h"

/* The request of a function as an ESipa message.  ERR_INPUT: no such function, or bad fields. */
int esipa_request_from_json(const char *function, const cJSON *in, struct wr *ret);

/* An answer (n == 0: none) as JSON, with its header. */
cJSON *esipa_answer_to_json(struct rd answer);

#endif
