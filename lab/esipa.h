/* esipa.h - what both ends of ESipa agree on, the IPA and the eIM (SGP.32 5.14, 6.1, 6.3, 6.4). */
#ifndef LAB_ESIPA_H
#define LAB_ESIPA_H

#include <stdbool.h>
#include <stdint.h>

#define ESIPA_PROTOCOL_PREFIX "gsma/rsp/v"
#define ESIPA_PROTOCOL        ESIPA_PROTOCOL_PREFIX "2.4.0"
#define ESIPA_PROTOCOL_V1_0   ESIPA_PROTOCOL_PREFIX "2.1.0"
#define ESIPA_ASN1_PATH       "/gsma/rsp2/asn1"
#define ESIPA_JSON_PATH       "/gsma/rsp2/esipa/" /* followed by the function's name */
#define ESIPA_ASN1_TYPE       "application/x-gsma-rsp-asn1"
#define ESIPA_JSON_TYPE       "application/json"

/* EsipaMessageFromIpaToEim and EsipaMessageFromEimToIpa (SGP.32 6.3): the outer tags. */
enum esipa_tag {
    ESIPA_INITIATE_AUTHENTICATION = 0xBF39,
    ESIPA_GET_BOUND_PROFILE_PACKAGE = 0xBF3A,
    ESIPA_AUTHENTICATE_CLIENT = 0xBF3B,
    ESIPA_HANDLE_NOTIFICATION = 0xBF3D,
    ESIPA_CANCEL_SESSION = 0xBF41,
    ESIPA_TRANSFER_EIM_PACKAGE = 0xBF4E,
    ESIPA_GET_EIM_PACKAGE = 0xBF4F,
    ESIPA_PROVIDE_EIM_PACKAGE_RESULT = 0xBF50,
};

/* What an eIM package is, and what comes back (SGP.32 2.11.1, 2.11.2). */
enum eim_package_tag {
    EUICC_PACKAGE = 0xBF51,
    IPA_EUICC_DATA = 0xBF52,
    EIM_ACKNOWLEDGEMENTS = 0xBF53,
    PROFILE_DOWNLOAD_TRIGGER = 0xBF54,
};

/* A refusal of an SM-DP+ is a code in the ASN.1 binding of ESipa, and stays a subject and a reason
 * in the JSON binding (SGP.22 5.6, SGP.32 6.4).  false: there is none for it. */
bool esipa_refusal_code(uint32_t function, const char *subject, const char *reason, long *ret);
bool esipa_refusal_words(uint32_t function, long code, const char **ret_subject,
                         const char **ret_reason);

#endif
