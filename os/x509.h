/* x509.h - the certificate checks that an eUICC makes (SGP.22 4.5.2), and issuing for test PKIs.
 *
 * cert_parse() checks: one DER certificate and nothing behind it; version 3; ecdsa-with-SHA256;
 * an EC public key by named curve, on its curve; no critical extension that is not understood, none
 * twice; one EID and one organization at most.
 * cert_check() checks the rules of one role.  Not checked here:
 *   - validity dates: a card has no clock (SGP.22 4.5.2.2; docs/INTERPRETATIONS.md);
 *   - revocation: the ISD-R asks its loaded CRLs;
 *   - issuer's name = subject's name of the issuer, where only the issuer's key is at hand: it is
 *     found by the key identifier; cert_check_eum_constraints() does compare the names;
 *   - registeredID: AuthenticateServer has a code of its own for it;
 *   - host names and anything else that TLS needs. */
#ifndef OS_X509_H
#define OS_X509_H

#include "os/crypto.h"

enum {
    SKI_LEN = 20,
    OID_MAX_LEN = 32,
    EID_DIGITS = 32,
};

/* Roles by certificate policy, 2.23.146.1.2.1.x (SGP.22 4.5.2.1, SGP.14). */
enum cert_role {
    ROLE_NONE = 0,
    ROLE_CI = 1 << 0,      /* .0 */
    ROLE_EUICC = 1 << 1,   /* .1 */
    ROLE_EUM = 1 << 2,     /* .2 */
    ROLE_DP_TLS = 1 << 3,  /* .3 */
    ROLE_DP_AUTH = 1 << 4, /* .4 */
    ROLE_DP_PB = 1 << 5,   /* .5 */
    ROLE_DS_TLS = 1 << 6,  /* .6 */
    ROLE_DS_AUTH = 1 << 7, /* .7 */
};

struct cert; /* a parsed certificate; keeps its own copy of the octets */

/* 0; ERR_INPUT when it is not a certificate as above, with the reason (static text) in
 * ret_reason, or a fault, with its name there.  A certificate on a curve that is not in enum curve
 * parses, with CURVE_UNKNOWN. */
int cert_parse(struct crypto *c, struct rd der, struct cert **ret, const char **ret_reason);
void cert_free(struct cert **cert);

struct rd cert_der(const struct cert *cert);
enum curve cert_curve(const struct cert *cert);           /* of the subject's key */
const struct ec_pub *cert_key(const struct cert *cert);   /* NULL with CURVE_UNKNOWN */
unsigned cert_roles(const struct cert *cert);             /* enum cert_role, a set */
struct rd cert_ski(const struct cert *cert);              /* subjectKeyIdentifier; n == 0: none */
struct rd cert_aki(const struct cert *cert);              /* authorityKeyIdentifier.keyIdentifier */
struct rd cert_oid(const struct cert *cert);              /* SAN registeredID, OID contents */
struct rd cert_serial(const struct cert *cert);           /* INTEGER contents */
const char *cert_subject_serial(const struct cert *cert); /* serialNumber attribute or "" */
const char *cert_subject_organization(const struct cert *cert); /* or "" */

/* A SubjectPublicKeyInfo and nothing behind it, strictly read, of a key on one of enum curve.
 * Results as those of cert_parse(). */
int ec_pub_parse(struct crypto *c, struct rd der, struct ec_pub **ret, const char **ret_reason);

/* The rules of the profile of SGP.22 4.5.2.1 for a certificate in this role, signed by issuer:
 * signature, AKI = issuer_ski, keyUsage, basicConstraints, certificatePolicies critical and naming
 * exactly this role.  NULL when all hold, otherwise the reason (static text). */
const char *cert_check(struct crypto *c, const struct cert *cert, enum cert_role role,
                       const struct ec_pub *issuer, struct rd issuer_ski);

/* An eUICC certificate against its EUM's: nameConstraints (organization and the beginning of the
 * EID), pathlen.  NULL or the reason. */
const char *cert_check_eum_constraints(const struct cert *eum, const struct cert *euicc);

/* --- certificate revocation lists ------------------------------------------------------------ */

struct crl;

/* Results as those of cert_parse(). */
int crl_parse(struct crypto *c, struct rd der, struct crl **ret, const char **ret_reason);
void crl_free(struct crl **crl);
bool crl_verify(struct crypto *c, const struct crl *crl, const struct ec_pub *issuer);
struct rd crl_aki(const struct crl *crl);
/* A delta CRL, which names a base CRL, or one of several partial CRLs (SGP.22 4.5.2.1.2). */
bool crl_is_partial(const struct crl *crl);
/* cRLNumber; false when absent or beyond 64 bits. */
bool crl_number(const struct crl *crl, uint64_t *ret);
/* deltaCRLIndicator's base number; false when absent. */
bool crl_base_number(const struct crl *crl, uint64_t *ret);
bool crl_has_serial(const struct crl *crl, struct rd serial);

/* --- issuing, for test PKIs and for personalised eUICCs -------------------------------------- */

struct cert_request {
    enum cert_role role;
    const struct ec_pub *key;        /* the subject's */
    const struct ec_key *issuer_key; /* its own key for a CI */
    const struct cert *issuer;       /* NULL: self-signed */
    const char *country;             /* subject attributes; NULL leaves one out */
    const char *organization;
    const char *organizational_unit;
    const char *common_name;
    const char *subject_serial;      /* the EID of an eUICC */
    const char *oid;                 /* SAN registeredID in dotted form, or NULL */
    const char *dns_name;            /* SAN dNSName, TLS certificates only, or NULL */
    const char *ip_address;          /* SAN iPAddress as text, TLS certificates only, or NULL */
    const char *name_constraint_o;   /* EUM: permitted organization */
    const char *name_constraint_iin; /* EUM: permitted beginning of the EID */
    const char *crl_url;             /* CRL distribution point, or NULL */
    int64_t not_before, not_after;   /* seconds since 1970 */
    uint64_t serial;                 /* 1 to 2^63-1 */
};

/* Signs a certificate with the extensions of its role (SGP.22 4.5.2.1, SGP.26 v1).  ROLE_NONE is
 * for eIMs: no certificatePolicies, and extendedKeyUsage when a DNS name or an address is given.
 * ERR_INPUT when the request makes no sense. */
int cert_issue(struct crypto *c, const struct cert_request *req, struct wr *ret_der);

/* Contents of an OBJECT IDENTIFIER from its dotted form, "2.999.10".  0, ERR_INPUT, ERR_NOMEM. */
int oid_from_text(const char *text, struct wr *ret);

/* An empty or filled CRL under the CI's key (serials as INTEGER contents); base_number 0 makes a
 * full CRL, another number a delta CRL on that base. */
int crl_issue(struct crypto *c, const struct cert *issuer, const struct ec_key *issuer_key,
              uint64_t number, uint64_t base_number, const struct rd *serials, size_t n_serials,
              int64_t this_update, struct wr *ret_der);

#endif
