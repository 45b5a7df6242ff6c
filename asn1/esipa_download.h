/* esipa_download.h - a profile download through an eIM, as octets (SGP.32 5.14.1
 * to 5.14.3, 5.14.8), and what an IPA says and keeps whoever the server is. */
#ifndef ASN1_ESIPA_DOWNLOAD_H
#define ASN1_ESIPA_DOWNLOAD_H

#include "asn1/esipa.h"

/* What a server says, as whole TLVs. */
enum download_field {
    FIELD_SIGNED1, /* initiate; mandatory up to the certificate */
    FIELD_SIGNATURE1,
    FIELD_CI,
    FIELD_CERTIFICATE,
    FIELD_CTX_PARAMS, /* ctxParams1, if the server makes them; else empty */
    FIELD_METADATA,   /* authenticate; may be empty from an eIM */
    FIELD_SIGNED2,
    FIELD_SIGNATURE2,
    FIELD_CERTIFICATE2,
    FIELD_HASH_CC, /* if the server makes it; else empty */
    FIELD_PACKAGE, /* get_package */
    N_FIELDS
};

/* CancelSessionReason (SGP.22 5.7.14). */
enum cancel_reason {
    CANCEL_POSTPONED = 1,
    CANCEL_METADATA_MISMATCH = 4,
    CANCEL_LOAD_BPP_ERROR = 5,
    CANCEL_UNDEFINED = 127,
};

enum download_step { STEP_INITIATE, STEP_AUTHENTICATE, STEP_GET_PACKAGE, STEP_CANCEL };

/* "InitiateAuthentication" and so on. */
const char *esipa_step_name(enum download_step step);

/* --- what the IPA says ------------------------------------------------------------------------ */

/* InitiateAuthentication; what is empty is left out. */
struct esipa_initiation {
    struct rd challenge;
    const char *address; /* "": the eIM knows */
    struct rd info1;     /* whole */
    struct rd tid;       /* of the trigger; not in v1.0 */
};
void esipa_put_initiation(struct wr *w, enum esipa_version version,
                          const struct esipa_initiation *i);

/* The others: {80 transactionId; the eUICC's response goes between this and tlv_close().  In
 * CancelSession it is the contents of that, within A1. */
struct wr_mark esipa_open_step(struct wr *w, enum download_step step, struct rd id);

/* --- what the eIM answers --------------------------------------------------------------------- */

/* The only arm of the answer's CHOICE. */
int esipa_read_step(struct rd answer, enum download_step step, struct tlv *ret_arm);
bool esipa_is_error(enum download_step step, const struct tlv *arm);

/* Whether a confirmation code is missing or wrong, and can be tried again. */
bool esipa_asks_code(enum download_step step, uint64_t error);

/* The contents of the arm that went well: its fields.  false: one is missing. */
bool esipa_take_fields(enum download_step step, struct rd body, struct wr fields[N_FIELDS]);

/* --- of the device ---------------------------------------------------------------------------- */

/* DeviceInfo's fields: TAC, capabilities, IMEI (SGP.22 5.7.13).  imei: 15 digits; NULL or "":
 * it is not told. */
void device_info_put(struct wr *w, const char *imei);

/* CtxParams1 (SGP.22 5.7.13). */
void ctx_params1_put(struct wr *w, const char *matching_id, const char *imei);

#endif
