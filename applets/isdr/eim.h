/* eim.h - the Associated eIMs: who they are, which key they sign with, and what they said last
 * (SGP.32 2.11.1.1.1, 2.11.1.1.2, 5.9.4, 5.9.18).
 *
 * NVM (docs/STATE.md): "isdr/eim/NNNN" is an eIM's record, in the order of association;
 * "isdr/eim-counter/NNNN" the counterValue accepted last; "isdr/eim-token" the association token
 * given last, which nothing ever sets back. */
#ifndef APPLETS_ISDR_EIM_H
#define APPLETS_ISDR_EIM_H

#include "os/crypto.h"
#include "os/euicc.h"

enum { NO_EIM = 0xFFFF };

/* Fields of EimConfigurationData. */
enum eim_field {
    EIM_ID = 0x80,
    EIM_FQDN = 0x81,
    EIM_ID_TYPE = 0x82,
    EIM_COUNTER_VALUE = 0x83,
    EIM_ASSOCIATION_TOKEN = 0x84,
    EIM_PUBLIC_KEY_DATA = 0xA5,
    EIM_TRUSTED_PUBLIC_KEY_DATA_TLS = 0xA6,
    EIM_SUPPORTED_PROTOCOL = 0x87,
    EIM_EUICC_CI_PKID = 0x88,
    EIM_INDIRECT_PROFILE_DOWNLOAD = 0x89,
    EIM_PROPRIETARY_PROTOCOL = 0xAA,
};

enum eim_id_type { EIM_ID_TYPE_OID = 1, EIM_ID_TYPE_FQDN = 2, EIM_ID_TYPE_PROPRIETARY = 3 };

/* Result codes that AddInitialEim and the eCOs have in common. */
enum eim_result {
    EIM_OK = 0,
    EIM_INSUFFICIENT_MEMORY = 1,
    EIM_ALREADY_ASSOCIATED = 2, /* associatedEimAlreadyExists */
    EIM_CI_PK_UNKNOWN = 3,
    EIM_INVALID_TOKEN = 5, /* invalidAssociationToken */
    EIM_COUNTER_OUT_OF_RANGE = 6,
    EIM_COMMAND_ERROR = 7,

    EIM_NOT_FOUND = 1,   /* deleteEim, updateEim */
    EIM_LAST_DELETED = 2 /* deleteEim: a success */
};

/* One of them, loaded; the views point into object. */
struct eim {
    struct wr object;
    uint16_t number;
    struct rd configuration; /* contents of EimConfigurationData: defaults filled in, without
                                counterValue and associationToken */
    struct rd id;
    uint64_t counter; /* accepted last */
    bool has_token;
    uint64_t token;
    int ci; /* in the ECASD: whose key signs the results */
};

int eim_load(struct euicc *e, uint16_t number, struct eim *ret, bool *ret_found);
int eim_find(struct euicc *e, struct rd id, struct eim *ret, bool *ret_found);
void eim_done(struct eim *eim);

/* Walks all of them in the order of association: NO_EIM to begin with and again at the end. */
int eim_next(struct euicc *e, uint16_t *number);
int eim_count(struct euicc *e, size_t *ret);

/* The key that verifies its packages; the caller frees it. */
int eim_key(struct euicc *e, const struct eim *eim, struct ec_pub **ret);

/* Its EimConfigurationData (30), with the association token and without the counterValue. */
void eim_put_configuration(const struct eim *eim, struct wr *w);

/* The data object that ends what is signed between the two: 84 L token, 84 01 00 without one
 * (SGP.32 2.11.1.1, 2.11.2.1). */
enum { EIM_TOKEN_OBJECT_MAX = 11 };
void eim_put_token(const struct eim *eim, struct wr *w);

/* The counter goes up with the package that brings it. */
int eim_set_counter(struct euicc *e, const struct eim *eim, uint64_t counter);

/* Traces the refusal and returns its code. */
int eim_refuse(const struct euicc *e, const char *who, int code, const char *why,
               const char *clause);

/* An EimConfigurationData's contents becomes an Associated eIM.  An eim_result or a fault;
 * *ret_token is 0 when none was asked for.  `who` and `clause` are for the trace. */
int eim_add(struct euicc *e, struct rd configuration, const char *who, const char *clause,
            uint64_t *ret_token);
/* The fields that it has replace those of the eIM that its eimId names. */
int eim_update(struct euicc *e, struct rd configuration, const char *who, const char *clause);
int eim_delete(struct euicc *e, struct rd id, const char *who, const char *clause);

/* The contents of a result of listEim: A0 { EimIdInfo... } (SGP.32 5.13.11). */
int eim_put_list(struct euicc *e, struct wr *w);

/* All of them go; tokens already given stay given (SGP.32 5.9.5). */
int eim_delete_all(struct euicc *e, bool *ret_any);

/* NULL, or why this cannot be an eIM at manufacture: EimConfigurationData (30) or an
 * AddInitialEimRequest (BF57), whole.  Stores and commits. */
const char *eim_preload(struct euicc *e, struct rd der);

#endif
