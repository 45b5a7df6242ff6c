/* eim_result.h - what eUICCs and IPAs answer: taken apart, verified, told as JSON (SGP.32 2.11.2).
 */
#ifndef LAB_EIM_RESULT_H
#define LAB_EIM_RESULT_H

#include <cjson/cJSON.h>

#include "lab/eim_store.h"
#include "os/crypto.h"
#include "os/x509.h"

enum result_arm { RESULT_SIGNED, RESULT_ERROR, RESULT_UNSIGNED };

/* EuiccPackageResult; views into what was received. */
struct eim_result {
    enum result_arm arm;
    char eim_id[EIM_ID_MAX + 1];
    bool has_counter, has_seq, has_token;
    uint64_t counter, seq, token;
    struct rd transaction_id; /* n == 0: none */
    struct rd signed_part, signature;
    struct rd results; /* contents of euiccResult */
    long error;        /* of RESULT_ERROR, and of RESULT_UNSIGNED from v1.3 on (-1: none) */
};
int eim_result_read(struct rd der, struct eim_result *ret);

/* Whether all operations succeeded; else ret_why, if not NULL, names the first that did not. */
bool eim_result_ok(const struct eim_result *result, const char **ret_why);

/* The result of an addEim in it: the token that the eUICC gave (0 for none).  false: no addEim, or
 * it failed. */
bool eim_result_added(const struct eim_result *result, uint64_t *ret_token);

/* Which octets behind what is signed make euiccSignEPR or euiccSignEPE verify (SGP.32 2.11.2.1):
 * "associationToken"; in v1.0 also "eimSignature" (the request's, with its tag and length, or
 * "eimSignatureValue" without).  NULL: it does not verify. */
struct eim_signature_context {
    const struct ec_pub *key;
    uint64_t token;    /* 0: none */
    struct rd request; /* the EuiccPackageRequest, or n == 0 */
    bool only_token;   /* v1.1 and later */
};
const char *eim_result_verify(struct crypto *c, const struct eim_result *result,
                              const struct eim_signature_context *context);

/* CERT.EUM and CERT.EUICC under one of the CIs, for this EID.  NULL when all is well (and the
 * eUICC's certificate in *ret, if ret is not NULL), else the reason. */
const char *eim_check_chain(struct crypto *c, struct cert *const *ci, size_t n_ci, struct rd eum,
                            struct rd euicc, const char *eid, struct cert **ret);

/* A certificate whose 30 another tag may have replaced (AUTOMATIC TAGS), as a Certificate. */
int eim_take_certificate(struct rd value, struct wr *ret);

/* --- JSON --- */

void json_hex(cJSON *out, const char *name, struct rd v);
void json_text(cJSON *out, const char *name, struct rd v);

/* The results of the operations, by name. */
void eim_result_json(const struct eim_result *result, cJSON *out);

/* IpaEuiccData's contents. */
void eim_data_json(struct rd data, cJSON *out);

/* ProfileInfoListOk's contents. */
void eim_profiles_json(struct rd list, cJSON *out);

#endif
