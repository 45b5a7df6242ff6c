/* x509_der.h - what os/x509.c, os/x509_crl.c and os/x509_issue.c share: tags, object identifiers
 * and strict DER reading. */
#ifndef OS_X509_DER_H
#define OS_X509_DER_H

#include "os/tlv.h"
#include "os/x509.h"

enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_OID = 0x06,
    DER_UTF8_STRING = 0x0C,
    DER_PRINTABLE_STRING = 0x13,
    DER_IA5_STRING = 0x16,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_CONTEXT_0 = 0xA0, /* explicit or constructed */
    DER_CONTEXT_3 = 0xA3,
};

/* Tags inside extensions. */
enum {
    AKI_KEY_IDENTIFIER = 0x80, /* RFC 5280 4.2.1.1 */
    NAME_DNS = 0x82,           /* GeneralName, RFC 5280 4.2.1.6 */
    NAME_DIRECTORY = 0xA4,
    NAME_URI = 0x86,
    NAME_IP = 0x87,
    NAME_REGISTERED_ID = 0x88,
    PERMITTED_SUBTREES = 0xA0, /* RFC 5280 4.2.1.10 */
};

/* keyUsage, named bits (RFC 5280 4.2.1.3). */
enum {
    USE_DIGITAL_SIGNATURE = 1 << 0,
    USE_KEY_CERT_SIGN = 1 << 5,
    USE_CRL_SIGN = 1 << 6,
};

/* Object identifiers that certificates and CRLs use, as an index into oids[]. */
enum oid {
    OID_ECDSA_WITH_SHA256,
    OID_EC_PUBLIC_KEY,
    OID_COUNTRY,
    OID_ORGANIZATION,
    OID_ORGANIZATIONAL_UNIT,
    OID_COMMON_NAME,
    OID_SERIAL_NUMBER,
    OID_SUBJECT_KEY_IDENTIFIER,
    OID_KEY_USAGE,
    OID_SUBJECT_ALT_NAME,
    OID_BASIC_CONSTRAINTS,
    OID_CRL_NUMBER,
    OID_REASON_CODE,
    OID_DELTA_CRL_INDICATOR,
    OID_ISSUING_DISTRIBUTION_POINT,
    OID_NAME_CONSTRAINTS,
    OID_CRL_DISTRIBUTION_POINTS,
    OID_CERTIFICATE_POLICIES,
    OID_AUTHORITY_KEY_IDENTIFIER,
    OID_EXT_KEY_USAGE,
    OID_SERVER_AUTH,
    OID_CLIENT_AUTH,
    OID_RSP_ROLE,            /* id-rspRole without its last arc, 2.23.146.1.2.1 */
    OID_RSP_EXPIRATION_DATE, /* id-rsp-expDate (SGP.22 4.5.2.1.2) */
    OID_RSP_TOTAL_PARTIAL_CRL_NUMBER,
    OID_RSP_PARTIAL_CRL_NUMBER,
    OID_NONE /* not one of these */
};

/* Contents octets. */
struct rd oid_octets(enum oid oid);
enum oid oid_of(struct rd octets);

/* Takes one TLV off the front, which must have this tag and a length of the shortest form. */
int der_take(struct rd *in, uint32_t tag, struct tlv *ret);
/* The same with any tag. */
int der_any(struct rd *in, struct tlv *ret);

/* OBJECT IDENTIFIER, contents. */
int der_take_oid(struct rd *in, struct rd *ret);
/* INTEGER: shortest form, any sign. */
int der_take_integer(struct rd *in, struct rd *ret);
/* BOOLEAN DEFAULT FALSE: absent or TRUE. */
int der_take_flag(struct rd *in, bool *ret);
/* UTCTime or GeneralizedTime in the forms of RFC 5280 4.1.2.5. */
int der_take_time(struct rd *in);
/* Name: RDNSequence with whole attributes, contents of the SEQUENCE. */
int der_take_name(struct rd *in, struct rd *ret);
/* The next attribute of a Name (as der_take_name() gives it) that was found to be whole. */
int der_next_attribute(struct rd *rdns, struct rd *rdn, enum oid *ret_type, struct tlv *ret_value);
/* AlgorithmIdentifier of ecdsa-with-SHA256, without parameters. */
int der_take_ecdsa_algorithm(struct rd *in);

/* Extension: its identifier, whether it is critical, and what is in its OCTET STRING. */
struct extension {
    enum oid oid;
    bool critical;
    struct rd value;
};
int der_take_extension(struct rd *in, struct extension *ret);

/* SEQUENCE { tbs, algorithm, signature }, as certificates and CRLs are. */
struct signed_object {
    struct rd tbs;  /* with its header: what is signed */
    struct rd body; /* contents of tbs */
    uint8_t signature[EC_SIGNATURE_LEN];
};
int der_signed_object(struct rd der, struct signed_object *ret);
/* Hashes and signs tbs and writes the three as one. */
int der_put_signed_object(struct crypto *c, const struct ec_key *k, struct rd tbs, struct wr *ret);

void der_put_oid(struct wr *w, enum oid oid);
void der_put_ecdsa_algorithm(struct wr *w);
/* UTCTime until 2049, GeneralizedTime from 2050 (RFC 5280 4.1.2.5). */
void der_put_time(struct wr *w, int64_t seconds);
/* Extension around a value that is whole. */
void der_put_extension(struct wr *w, enum oid oid, bool critical, struct rd value);
/* authorityKeyIdentifier with a key identifier. */
void der_put_aki(struct wr *w, struct rd ski);

/* Contents of the subject Name. */
struct rd cert_subject_name(const struct cert *cert);

#endif
