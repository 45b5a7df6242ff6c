/* ipa_message.h - what an IPAd knows of an eIM, and what it keeps of the messages in asn1/esipa.h.
 *
 * Everything read comes from the eIM or from the card and may be anything: what does not parse is
 * ERR_INPUT, and views point into what was given. */
#ifndef LAB_IPA_MESSAGE_H
#define LAB_IPA_MESSAGE_H

#include "asn1/esipa.h"
#include "lab/util.h"

enum {
    IPA_EID_LEN = 16,
    IPA_TEXT_MAX = 256,
    IPA_EIM_ID_MAX = EIM_ID_MAX + 1, /* with its end */
    IPA_MAX_EIMS = 32,
    IPA_RPLMN_LEN = 3,
};

/* --- EimConfigurationData (SGP.32 2.11.1.1.1) ------------------------------------------------- */

enum eim_key_form { EIM_KEY_NONE, EIM_KEY_SPKI, EIM_KEY_CERTIFICATE };

/* A key as the structure has it: the contents of a SubjectPublicKeyInfo or of a Certificate. */
struct eim_key {
    enum eim_key_form form;
    struct rd value;
};

struct eim_record {
    char id[IPA_EIM_ID_MAX];
    char fqdn[IPA_TEXT_MAX]; /* "": none */
    long id_type;            /* 1 oid, 2 fqdn, 3 proprietary */
    bool has_counter, has_token;
    uint64_t counter, token;
    struct eim_key package_key, tls_key;
    uint32_t protocols; /* enum eim_supported_protocol */
    struct rd ci;       /* euiccCiPKId; empty: none */
    bool indirect;      /* indirectProfileDownload */
};

/* The contents of one EimConfigurationData. */
int eim_record_read(struct rd body, struct eim_record *ret);

/* The contents of a GetEimConfigurationData response. */
int eim_records_read(struct rd response, struct eim_record *ret, size_t max, size_t *ret_n);

/* The key as a SEQUENCE of its own again. */
void eim_key_write(const struct eim_key *key, struct wr *ret);

/* --- profile download trigger (2.11.1.3) ------------------------------------------------------ */

/* Where a download is from, in text that outlives the message. */
struct download_from {
    enum download_source source;
    char text[IPA_TEXT_MAX]; /* the activation code, or the address of the SM-DS or "" */
    struct rd tid;           /* in the message */
};
int download_from_read(struct rd trigger, struct download_from *ret);

/* --- settings --------------------------------------------------------------------------------- */

/* "direct,indirect,eim-download,eim-ctx,eim-metadata,compact" */
bool features_read(const char *text, uint32_t *ret);

/* "26201" or "262001" as TS 24.008 10.5.1.13 writes it. */
bool plmn_read(const char *text, uint8_t ret[IPA_RPLMN_LEN]);

#endif
