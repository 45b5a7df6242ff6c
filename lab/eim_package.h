/* eim_package.h - what the eIM sends: operations as text to TLVs, signed packages, data requests
 * and download triggers (SGP.32 2.11.1). */
#ifndef LAB_EIM_PACKAGE_H
#define LAB_EIM_PACKAGE_H

#include "lab/eim_store.h"
#include "os/crypto.h"

enum {
    EIM_PSMO_LIST = 0xA0, /* EuiccPackage: psmoList */
    EIM_ECO_LIST = 0xA1,  /* ecoList */
    /* What an order keeps beside what is sent; private tags of ours. */
    ORDER_CONFIRMATION_CODE = 0xC0,
    ORDER_EIM_HANDLES = 0xC1, /* the trigger carries no download data if the IPA allows that */
};

/* Words of the command line, "enable ICCID rollback + list", to a kind of work and its order: the
 * whole psmoList or ecoList; profileDownloadData and the private fields; the parts of an
 * IpaEuiccDataRequest. */
int eim_order_read(size_t n_words, char *const words[], enum work_kind *ret_kind, struct wr *ret,
                   struct lab_error *e);

struct eim_package {
    const char *eim_id;
    uint8_t eid[EIM_EID_LEN];
    uint64_t counter;
    struct rd transaction_id;
    uint64_t token;       /* 0: none, as signed (SGP.32 3.3.1) */
    struct rd operations; /* psmoList or ecoList, whole */
    uint64_t accepted;    /* the last counter that the eUICC took, for a replay */
    bool bad_signature;   /* for tests */
};

/* EuiccPackageRequest (SGP.32 2.11.1.1). */
int eim_package_write(struct crypto *c, const struct ec_key *key, const struct eim_package *p,
                      struct wr *ret);

/* The association token as it is signed: 84 and the number (0 for none). */
int eim_put_token(struct wr *w, uint64_t token);

/* Changes to a package, for tests: "signature", "eid", "replay", "counter=N", "token=N",
 * "eim-id=ID", separated by commas.  ret_id holds the eimId. */
bool eim_fault_apply(const char *fault, struct eim_package *p, char ret_id[EIM_ID_MAX + 1]);

/* IpaEuiccDataRequest (SGP.32 2.11.1.2) from an order; without a tag list in it everything that
 * the version knows. */
int eim_data_request_write(struct rd order, enum sgp32_version version, struct rd transaction_id,
                           struct wr *ret);

/* ProfileDownloadTriggerRequest (SGP.32 2.11.1.3). */
int eim_trigger_write(struct rd order, bool with_data, struct rd transaction_id, struct wr *ret);

/* The order of what the eIM asks for by itself: certificates, EUICCInfo, the association token;
 * or package results that it missed. */
int eim_learn_order(enum sgp32_version version, bool token, struct wr *ret);
int eim_results_order(enum sgp32_version version, struct wr *ret);

#endif
