/* ipa_json.h - the JSON binding of ESipa as a translation of the ASN.1 binding (SGP.32 6.4). */
#ifndef LAB_IPA_JSON_H
#define LAB_IPA_JSON_H

#include <cjson/cJSON.h>

#include "lab/util.h"

/* EsipaMessageFromIpaToEim, a whole TLV, as the name of the function and its JSON object. */
int ipa_json_request(struct rd message, const char **ret_function, cJSON **ret,
                     struct lab_error *e);

/* The eIM's JSON text as EsipaMessageFromEimToIpa; nothing where there is no answer. */
int ipa_json_answer(const char *function, struct rd text, struct wr *ret, struct lab_error *e);

#endif
