/* x509.c - the certificate checks that an eUICC makes (SGP.22 4.5.2; RFC 5280).
 *
 * The profile of SGP.22 is narrow, so that the certificate is read here with os/tlv and strictly as
 * DER, and only the point and the signature go to OpenSSL: its own parser costs as much as two
 * verifications.  tests/unit/test_x509.c holds the two against each other.
 *
 * State: struct cert, views into its own copy of the octets. */
#include "os/x509.h"

#include <stdlib.h>
#include <string.h>

#include "os/err.h"
#include "os/x509_der.h"

enum {
    VERSION_3 = 2,
    MAX_SERIAL = 20,    /* RFC 5280 4.1.2.2 */
    MAX_ATTRIBUTE = 64, /* X.520 ub-serial-number, ub-organization-name */
    MAX_DER = 0x10000,
    NO_PATHLEN = -1,
    LAST_ROLE = 7, /* id-rspRole-ds-auth */
};

struct cert {
    struct signed_object object;
    struct rd issuer, subject; /* contents of the Names */
    struct rd serial, ski, aki, oid;
    struct rd permitted; /* permittedSubtrees, contents */
    enum curve curve;
    struct ec_pub *key;
    unsigned roles;
    uint32_t key_usage;
    bool key_usage_critical, policies_critical, constraints_critical;
    bool ca, ca_critical;
    bool ext_key_usage_critical;
    int pathlen;
    uint32_t seen; /* extensions, 1 << enum oid */
    char subject_serial[MAX_ATTRIBUTE + 1];
    char organization[MAX_ATTRIBUTE + 1];
    size_t n;
    uint8_t octets[];
};

_Static_assert(OID_NONE <= 32, "struct cert.seen has a bit for each");

/* One parse: reason says why it ended. */
struct parse {
    struct crypto *crypto;
    struct cert *cert;
    const char *reason;
};

static int refuse(struct parse *p, const char *reason)
{
    p->reason = reason;
    return ERR_INPUT;
}

/* --- names ---------------------------------------------------------------------------------- */

/* A text attribute that may come once.  Without zeros inside, so that it is a C string. */
static int copy_attribute(struct parse *p, const struct tlv *value, char ret[MAX_ATTRIBUTE + 1])
{
    if (value->tag != DER_UTF8_STRING && value->tag != DER_PRINTABLE_STRING)
        return refuse(p, "subject attribute is no UTF8String or PrintableString");
    if (ret[0] != '\0')
        return refuse(p, "subject attribute comes twice");
    if (value->value.n == 0 || value->value.n > MAX_ATTRIBUTE ||
        memchr(value->value.p, 0, value->value.n) != NULL)
        return refuse(p, "subject attribute is empty, too long or no text");
    memcpy(ret, value->value.p, value->value.n);
    return 0;
}

static int parse_subject(struct parse *p, struct rd *in)
{
    struct rd rdns, rdn = { NULL, 0 };
    struct tlv value;
    enum oid type;

    TRY(der_take_name(in, &p->cert->subject));
    rdns = p->cert->subject;
    while (rdns.n > 0 || rdn.n > 0) {
        TRY(der_next_attribute(&rdns, &rdn, &type, &value));
        if (type == OID_SERIAL_NUMBER)
            TRY(copy_attribute(p, &value, p->cert->subject_serial));
        else if (type == OID_ORGANIZATION)
            TRY(copy_attribute(p, &value, p->cert->organization));
    }
    return 0;
}

/* --- public key ----------------------------------------------------------------------------- */

/* Takes a SubjectPublicKeyInfo; *ret stays NULL when its curve is not in enum curve. */
static int take_key(struct crypto *c, struct rd *in, enum curve *ret_curve, struct ec_pub **ret,
                    const char **ret_reason)
{
    struct tlv info, algorithm, bits;
    struct rd kind, curve;

    TRY(der_take(in, DER_SEQUENCE, &info));
    TRY(der_take(&info.value, DER_SEQUENCE, &algorithm));
    TRY(der_take(&info.value, DER_BIT_STRING, &bits));
    TRY(der_take_oid(&algorithm.value, &kind));
    if (oid_of(kind) != OID_EC_PUBLIC_KEY) {
        *ret_reason = "public key is not of an elliptic curve";
        return ERR_INPUT;
    }
    if (der_take_oid(&algorithm.value, &curve) != 0) {
        *ret_reason = "curve is not given by name";
        return ERR_INPUT;
    }
    if (info.value.n != 0 || algorithm.value.n != 0 || bits.value.n == 0 || bits.value.p[0] != 0)
        return ERR_INPUT;
    *ret_curve = curve_of_oid(curve);
    if (*ret_curve == CURVE_UNKNOWN)
        return 0;
    int result = ec_pub_from_point(c, *ret_curve, rd_of(bits.value.p + 1, bits.value.n - 1), ret);
    if (result == ERR_INPUT)
        *ret_reason = "public key is no point of its curve";
    return result;
}

int ec_pub_parse(struct crypto *c, struct rd der, struct ec_pub **ret, const char **ret_reason)
{
    const char *reason = "not a SubjectPublicKeyInfo in DER";
    enum curve curve = CURVE_UNKNOWN;
    struct ec_pub *key = NULL;

    int result = take_key(c, &der, &curve, &key, &reason);
    if (result == 0 && der.n != 0)
        result = ERR_INPUT;
    if (result == 0 && key == NULL) {
        reason = "the key's curve is not supported";
        result = ERR_INPUT;
    }
    if (result != 0) {
        ec_pub_free(&key);
        *ret_reason = result == ERR_INPUT ? reason : err_name(result);
        return result;
    }
    *ret = key;
    return 0;
}

/* --- extensions ----------------------------------------------------------------------------- */

static int parse_policies(struct parse *p, struct rd value)
{
    const struct rd roles = oid_octets(OID_RSP_ROLE);
    struct tlv list, policy;
    struct rd oid;

    TRY(der_take(&value, DER_SEQUENCE, &list));
    if (value.n != 0 || list.value.n == 0)
        return ERR_INPUT;
    while (list.value.n > 0) {
        TRY(der_take(&list.value, DER_SEQUENCE, &policy));
        TRY(der_take_oid(&policy.value, &oid));
        if (oid.n == roles.n + 1 && rd_equal(rd_of(oid.p, roles.n), roles) &&
            oid.p[roles.n] <= LAST_ROLE)
            p->cert->roles |= 1u << oid.p[roles.n];
    }
    return 0;
}

static int parse_alt_names(struct parse *p, struct rd value)
{
    struct tlv list, name;

    TRY(der_take(&value, DER_SEQUENCE, &list));
    if (value.n != 0 || list.value.n == 0)
        return ERR_INPUT;
    while (list.value.n > 0) {
        TRY(der_any(&list.value, &name));
        if (name.tag != NAME_REGISTERED_ID)
            continue;
        if (p->cert->oid.n != 0 || name.value.n == 0 || name.value.n > OID_MAX_LEN)
            return refuse(p, "subjectAltName: registeredID comes twice or is too long");
        p->cert->oid = name.value;
    }
    return 0;
}

static int parse_basic_constraints(struct parse *p, struct rd value)
{
    struct tlv list;
    struct rd number;
    uint64_t pathlen;

    TRY(der_take(&value, DER_SEQUENCE, &list));
    TRY(der_take_flag(&list.value, &p->cert->ca));
    if (list.value.n > 0) {
        TRY(der_take_integer(&list.value, &number));
        TRY(tlv_uint(number, &pathlen));
        if (!p->cert->ca || pathlen > 100)
            return ERR_INPUT;
        p->cert->pathlen = (int)pathlen;
    }
    return value.n == 0 && list.value.n == 0 ? 0 : ERR_INPUT;
}

/* Only what SGP.22 4.5.2.1.0.2 uses: permitted directoryNames of organization and serialNumber. */
static int parse_name_constraints(struct parse *p, struct rd value)
{
    struct tlv list, permitted, subtree, directory, attribute;
    struct rd rdns, rdn = { NULL, 0 };
    enum oid type;

    TRY(der_take(&value, DER_SEQUENCE, &list));
    if (der_take(&list.value, PERMITTED_SUBTREES, &permitted) != 0 || list.value.n != 0 ||
        value.n != 0 || permitted.value.n == 0)
        return refuse(p, "nameConstraints is not a list of permitted names");
    p->cert->permitted = permitted.value;
    while (permitted.value.n > 0) {
        TRY(der_take(&permitted.value, DER_SEQUENCE, &subtree));
        if (der_take(&subtree.value, NAME_DIRECTORY, &directory) != 0 || subtree.value.n != 0)
            return refuse(p, "nameConstraints permits something else than a directoryName");
        TRY(der_take_name(&directory.value, &rdns));
        if (directory.value.n != 0 || rdns.n == 0)
            return ERR_INPUT;
        while (rdns.n > 0 || rdn.n > 0) {
            TRY(der_next_attribute(&rdns, &rdn, &type, &attribute));
            if (type != OID_ORGANIZATION && type != OID_SERIAL_NUMBER)
                return refuse(p, "nameConstraints has an attribute that is not understood");
        }
    }
    return 0;
}

static int parse_key_usage(struct parse *p, struct rd value)
{
    struct tlv bits;

    TRY(der_take(&value, DER_BIT_STRING, &bits));
    TRY(tlv_bits(bits.value, &p->cert->key_usage));
    return value.n == 0 ? 0 : ERR_INPUT;
}

static int parse_key_identifiers(struct parse *p, const struct extension *e)
{
    struct rd value = e->value;
    struct tlv t;

    if (e->oid == OID_SUBJECT_KEY_IDENTIFIER) {
        TRY(der_take(&value, DER_OCTET_STRING, &t));
        if (value.n != 0 || t.value.n != SKI_LEN)
            return refuse(p, "subjectKeyIdentifier is not of 20 octets");
        p->cert->ski = t.value;
        return 0;
    }
    TRY(der_take(&value, DER_SEQUENCE, &t));
    if (value.n != 0 || !tlv_all_whole(t.value))
        return ERR_INPUT;
    if (tlv_find(t.value, AKI_KEY_IDENTIFIER, &t))
        p->cert->aki = t.value;
    return 0;
}

static int parse_extension(struct parse *p, const struct extension *e)
{
    struct cert *cert = p->cert;

    switch (e->oid) {
    case OID_AUTHORITY_KEY_IDENTIFIER:
    case OID_SUBJECT_KEY_IDENTIFIER:
        return parse_key_identifiers(p, e);
    case OID_KEY_USAGE:
        cert->key_usage_critical = e->critical;
        return parse_key_usage(p, e->value);
    case OID_CERTIFICATE_POLICIES:
        cert->policies_critical = e->critical;
        return parse_policies(p, e->value);
    case OID_SUBJECT_ALT_NAME:
        return parse_alt_names(p, e->value);
    case OID_BASIC_CONSTRAINTS:
        cert->ca_critical = e->critical;
        return parse_basic_constraints(p, e->value);
    case OID_NAME_CONSTRAINTS:
        cert->constraints_critical = e->critical;
        return parse_name_constraints(p, e->value);
    case OID_EXT_KEY_USAGE:
        cert->ext_key_usage_critical = e->critical;
        return 0;
    case OID_CRL_DISTRIBUTION_POINTS:
        return 0;
    default:
        return e->critical ? refuse(p, "critical extension that is not understood") : 0;
    }
}

/* Two extensions that are not understood and not critical may share OID_NONE. */
static int parse_extensions(struct parse *p, struct rd *in)
{
    struct tlv outer, list;
    struct extension e;

    if (in->n == 0)
        return 0;
    TRY(der_take(in, DER_CONTEXT_3, &outer));
    TRY(der_take(&outer.value, DER_SEQUENCE, &list));
    if (outer.value.n != 0 || list.value.n == 0)
        return ERR_INPUT;
    while (list.value.n > 0) {
        TRY(der_take_extension(&list.value, &e));
        if (e.oid != OID_NONE) {
            if (p->cert->seen & 1u << e.oid)
                return refuse(p, "extension comes twice");
            p->cert->seen |= 1u << e.oid;
        }
        TRY(parse_extension(p, &e));
    }
    return 0;
}

/* --- the certificate ------------------------------------------------------------------------ */

/* RFC 5280 4.1.2, member by member. */
static int parse_body(struct parse *p, struct rd body)
{
    struct tlv version, validity;
    struct rd number;

    if (der_take(&body, DER_CONTEXT_0, &version) != 0 ||
        der_take_integer(&version.value, &number) != 0 || version.value.n != 0 || number.n != 1 ||
        number.p[0] != VERSION_3)
        return refuse(p, "certificate is not of version 3");
    TRY(der_take_integer(&body, &p->cert->serial));
    if (p->cert->serial.n > MAX_SERIAL)
        return refuse(p, "serial number is too long");
    if (der_take_ecdsa_algorithm(&body) != 0)
        return refuse(p, "signature algorithm is not ecdsa-with-SHA256");
    TRY(der_take_name(&body, &p->cert->issuer));
    TRY(der_take(&body, DER_SEQUENCE, &validity));
    TRY(der_take_time(&validity.value));
    TRY(der_take_time(&validity.value));
    if (validity.value.n != 0)
        return ERR_INPUT;
    TRY(parse_subject(p, &body));
    TRY(take_key(p->crypto, &body, &p->cert->curve, &p->cert->key, &p->reason));
    TRY(parse_extensions(p, &body));
    return body.n == 0 ? 0 : ERR_INPUT;
}

int cert_parse(struct crypto *c, struct rd der, struct cert **ret, const char **ret_reason)
{
    struct parse p = { .crypto = c, .reason = "not a certificate in DER, signed with ECDSA" };

    if (der.n == 0 || der.n > MAX_DER) {
        *ret_reason = p.reason;
        return ERR_INPUT;
    }
    p.cert = calloc(1, sizeof *p.cert + der.n);
    if (p.cert == NULL) {
        *ret_reason = err_name(ERR_NOMEM);
        return ERR_NOMEM;
    }
    memcpy(p.cert->octets, der.p, der.n);
    p.cert->n = der.n;
    p.cert->pathlen = NO_PATHLEN;
    int result = der_signed_object(cert_der(p.cert), &p.cert->object);
    if (result == 0)
        result = parse_body(&p, p.cert->object.body);
    if (result != 0) {
        cert_free(&p.cert);
        *ret_reason = result == ERR_INPUT ? p.reason : err_name(result);
        return result;
    }
    *ret = p.cert;
    return 0;
}

void cert_free(struct cert **cert)
{
    if (*cert == NULL)
        return;
    ec_pub_free(&(*cert)->key);
    free(*cert);
    *cert = NULL;
}

struct rd cert_der(const struct cert *cert)
{
    return rd_of(cert->octets, cert->n);
}

enum curve cert_curve(const struct cert *cert)
{
    return cert->curve;
}

const struct ec_pub *cert_key(const struct cert *cert)
{
    return cert->key;
}

unsigned cert_roles(const struct cert *cert)
{
    return cert->roles;
}

struct rd cert_ski(const struct cert *cert)
{
    return cert->ski;
}

struct rd cert_aki(const struct cert *cert)
{
    return cert->aki;
}

struct rd cert_oid(const struct cert *cert)
{
    return cert->oid;
}

struct rd cert_serial(const struct cert *cert)
{
    return cert->serial;
}

struct rd cert_subject_name(const struct cert *cert)
{
    return cert->subject;
}

const char *cert_subject_serial(const struct cert *cert)
{
    return cert->subject_serial;
}

const char *cert_subject_organization(const struct cert *cert)
{
    return cert->organization;
}

/* --- checks --------------------------------------------------------------------------------- */

static bool has(const struct cert *cert, enum oid extension)
{
    return cert->seen & 1u << extension;
}

/* NULL or the reason, as cert_check(). */
static const char *check_authority(const struct cert *cert, enum cert_role role)
{
    if (!has(cert, OID_BASIC_CONSTRAINTS) || !cert->ca || !cert->ca_critical)
        return "basicConstraints is not critical with CA";
    if (!(cert->key_usage & USE_KEY_CERT_SIGN))
        return "keyUsage is without keyCertSign";
    if (role == ROLE_CI)
        return rd_equal(cert->issuer, cert->subject) ? NULL : "CI is not issued by itself";
    if (cert->pathlen != 0)
        return "EUM has no pathLenConstraint of 0";
    if (!has(cert, OID_NAME_CONSTRAINTS) || !cert->constraints_critical)
        return "EUM has no critical nameConstraints";
    return NULL;
}

static const char *check_leaf(const struct cert *cert, enum cert_role role)
{
    if (cert->ca)
        return "basicConstraints allows a CA";
    if (!(cert->key_usage & USE_DIGITAL_SIGNATURE))
        return "keyUsage is without digitalSignature";
    if (cert->key_usage & (USE_KEY_CERT_SIGN | USE_CRL_SIGN))
        return "keyUsage allows signing of certificates or CRLs";
    if (has(cert, OID_NAME_CONSTRAINTS))
        return "nameConstraints in a certificate of no authority";
    if (!(role & (ROLE_DP_TLS | ROLE_DS_TLS)) && cert->ext_key_usage_critical)
        return "critical extendedKeyUsage in a certificate that is not for TLS";
    return NULL;
}

static const char *check_identifiers(const struct cert *cert, enum cert_role role,
                                     struct rd issuer_ski)
{
    if (cert->ski.n == 0)
        return "subjectKeyIdentifier is absent";
    if (role == ROLE_CI && cert->aki.n == 0)
        return rd_equal(cert->ski, issuer_ski) ? NULL : "subjectKeyIdentifier is not the CI's";
    if (cert->aki.n == 0)
        return "authorityKeyIdentifier is absent";
    return rd_equal(cert->aki, issuer_ski) ? NULL : "authorityKeyIdentifier is not the issuer's";
}

/* The signature comes last: it is the dearest. */
const char *cert_check(struct crypto *c, const struct cert *cert, enum cert_role role,
                       const struct ec_pub *issuer, struct rd issuer_ski)
{
    if (cert->roles != (unsigned)role)
        return "certificatePolicies does not name this role and no other";
    if (!cert->policies_critical && !(role & (ROLE_DP_TLS | ROLE_DS_TLS)))
        return "certificatePolicies is not critical";
    if (!cert->key_usage_critical)
        return "keyUsage is absent or not critical";
    const char *reason =
        role & (ROLE_CI | ROLE_EUM) ? check_authority(cert, role) : check_leaf(cert, role);
    if (reason == NULL)
        reason = check_identifiers(cert, role, issuer_ski);
    if (reason != NULL)
        return reason;
    const struct rd signature = rd_of(cert->object.signature, EC_SIGNATURE_LEN);
    if (!ecdsa_verify(c, issuer, &cert->object.tbs, 1, signature))
        return "signature does not verify under the issuer's key";
    return NULL;
}

/* Whether a subject is within one permitted name: the same organization, a serial number that
 * begins with the permitted one. */
static bool within(struct rd rdns, const struct cert *cert)
{
    const struct rd organization = rd_str(cert->organization);
    const struct rd serial = rd_str(cert->subject_serial);
    struct rd rdn = { NULL, 0 };
    struct tlv value;
    enum oid type;

    while (rdns.n > 0 || rdn.n > 0) {
        if (der_next_attribute(&rdns, &rdn, &type, &value) != 0)
            return false;
        if (type == OID_ORGANIZATION && !rd_equal(value.value, organization))
            return false;
        if (type == OID_SERIAL_NUMBER &&
            (value.value.n > serial.n || !rd_equal(value.value, rd_of(serial.p, value.value.n))))
            return false;
    }
    return true;
}

static bool is_permitted(const struct cert *eum, const struct cert *euicc)
{
    struct rd permitted = eum->permitted, rdns;
    struct tlv subtree, directory;

    while (der_take(&permitted, DER_SEQUENCE, &subtree) == 0)
        if (der_take(&subtree.value, NAME_DIRECTORY, &directory) == 0 &&
            der_take_name(&directory.value, &rdns) == 0 && within(rdns, euicc))
            return true;
    return false;
}

const char *cert_check_eum_constraints(const struct cert *eum, const struct cert *euicc)
{
    if (!rd_equal(euicc->issuer, eum->subject))
        return "eUICC's issuer is not the EUM's subject";
    if (strlen(euicc->subject_serial) != EID_DIGITS ||
        strspn(euicc->subject_serial, "0123456789") != EID_DIGITS)
        return "eUICC's serialNumber is not an EID of 32 digits";
    if (!eum->ca || euicc->ca)
        return "EUM is no CA, or the eUICC is one";
    if (!is_permitted(eum, euicc))
        return "eUICC's organization or EID is outside the EUM's nameConstraints";
    return NULL;
}
