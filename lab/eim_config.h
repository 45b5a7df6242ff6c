/* eim_config.h - who the eIM is: made once, kept in its file, told as EimConfigurationData. */
#ifndef LAB_EIM_CONFIG_H
#define LAB_EIM_CONFIG_H

#include "lab/eim_store.h"
#include "os/crypto.h"
#include "os/x509.h"

enum { EIM_MAX_CI = 2 };

enum eim_id_type { EIM_ID_OID = 1, EIM_ID_FQDN = 2, EIM_ID_PROPRIETARY = 3 };
enum eim_tls_trust { TLS_TRUST_NONE, TLS_TRUST_CA, TLS_TRUST_SPKI, TLS_TRUST_CERTIFICATE };
/* How it says that it is asked, eimSupportedProtocol. */
enum eim_protocol { EIM_PROTOCOL_HTTPS, EIM_PROTOCOL_COAPS, EIM_PROTOCOL_BOTH };

/* What `eim new` is told. */
struct eim_choices {
    const char *eim_id; /* NULL: "eim1", with the signing key of the PKI when it has one */
    const char *fqdn;   /* host, or host:port */
    const char *pki;    /* NULL: the test PKI */
    enum eim_id_type id_type;
    enum curve curve;
    bool key_as_certificate;
    enum eim_tls_trust tls_trust;
    enum eim_protocol protocol;
    uint64_t counter;
    bool token, indirect, learn;
    uint8_t ci_pkid[SKI_LEN];
    bool has_ci_pkid;
};

struct eim_identity {
    char id[EIM_ID_MAX + 1], fqdn[EIM_TEXT_LEN];
    enum eim_id_type id_type;
    enum curve curve;
    bool key_as_certificate;
    enum eim_tls_trust tls_trust;
    enum eim_protocol protocol;
    uint64_t counter; /* of new devices */
    bool token, indirect, learn;
    struct wr ci_pkid;
    struct ec_key *key;                 /* signs packages */
    struct wr certificate;              /* of that key, DER */
    struct wr tls_key, tls_certificate; /* DER */
    struct wr tls_ci;                   /* the CI that issued it, DER */
    struct cert *ci[EIM_MAX_CI];        /* under which eUICCs are verified */
    size_t n_ci;
};

int eim_identity_create(struct crypto *c, const struct eim_choices *choices, struct db *db,
                        struct lab_error *e);
int eim_identity_load(struct crypto *c, struct db *db, struct eim_identity *ret,
                      struct lab_error *e);
void eim_identity_done(struct eim_identity *id);

/* The fields of an EimConfigurationData (SGP.32 2.11.1.1.1) without the outer 30, with the token
 * -1 when the eIM wants tokens. */
int eim_config_fields(struct crypto *c, const struct eim_identity *id, struct wr *ret);
/* EimConfigurationData (30), or an AddInitialEimRequest (BF57) around it. */
int eim_config_write(struct crypto *c, const struct eim_identity *id, bool request, struct wr *ret);

/* All CI certificates in PEM, for ES9+'. */
int eim_config_ca_pem(const struct eim_identity *id, struct wr *ret);

#endif
