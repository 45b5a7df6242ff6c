/* x509_der.c - the pieces of DER that certificates and CRLs are made of (RFC 5280, X.690).
 *
 * Reading is strict: shortest lengths, shortest integers, nothing behind the end. */
#include "os/x509_der.h"

#include <time.h>

#include "os/err.h"

#define OCTETS(...)                                                                                \
    {                                                                                              \
        (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })                 \
    }

static const struct rd oids[OID_NONE] = {
    [OID_ECDSA_WITH_SHA256] = OCTETS(0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02),
    [OID_EC_PUBLIC_KEY] = OCTETS(0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01),
    [OID_COUNTRY] = OCTETS(0x55, 0x04, 0x06),
    [OID_ORGANIZATION] = OCTETS(0x55, 0x04, 0x0A),
    [OID_ORGANIZATIONAL_UNIT] = OCTETS(0x55, 0x04, 0x0B),
    [OID_COMMON_NAME] = OCTETS(0x55, 0x04, 0x03),
    [OID_SERIAL_NUMBER] = OCTETS(0x55, 0x04, 0x05),
    [OID_SUBJECT_KEY_IDENTIFIER] = OCTETS(0x55, 0x1D, 0x0E),
    [OID_KEY_USAGE] = OCTETS(0x55, 0x1D, 0x0F),
    [OID_SUBJECT_ALT_NAME] = OCTETS(0x55, 0x1D, 0x11),
    [OID_BASIC_CONSTRAINTS] = OCTETS(0x55, 0x1D, 0x13),
    [OID_CRL_NUMBER] = OCTETS(0x55, 0x1D, 0x14),
    [OID_REASON_CODE] = OCTETS(0x55, 0x1D, 0x15),
    [OID_DELTA_CRL_INDICATOR] = OCTETS(0x55, 0x1D, 0x1B),
    [OID_ISSUING_DISTRIBUTION_POINT] = OCTETS(0x55, 0x1D, 0x1C),
    [OID_NAME_CONSTRAINTS] = OCTETS(0x55, 0x1D, 0x1E),
    [OID_CRL_DISTRIBUTION_POINTS] = OCTETS(0x55, 0x1D, 0x1F),
    [OID_CERTIFICATE_POLICIES] = OCTETS(0x55, 0x1D, 0x20),
    [OID_AUTHORITY_KEY_IDENTIFIER] = OCTETS(0x55, 0x1D, 0x23),
    [OID_EXT_KEY_USAGE] = OCTETS(0x55, 0x1D, 0x25),
    [OID_SERVER_AUTH] = OCTETS(0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01),
    [OID_CLIENT_AUTH] = OCTETS(0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02),
    [OID_RSP_ROLE] = OCTETS(0x67, 0x81, 0x12, 0x01, 0x02, 0x01),
    [OID_RSP_EXPIRATION_DATE] = OCTETS(0x67, 0x81, 0x12, 0x01, 0x02, 0x00, 0x01),
    [OID_RSP_TOTAL_PARTIAL_CRL_NUMBER] = OCTETS(0x67, 0x81, 0x12, 0x01, 0x02, 0x00, 0x02),
    [OID_RSP_PARTIAL_CRL_NUMBER] = OCTETS(0x67, 0x81, 0x12, 0x01, 0x02, 0x00, 0x03),
};

struct rd oid_octets(enum oid oid)
{
    return oids[oid];
}

enum oid oid_of(struct rd octets)
{
    size_t i = 0;

    while (i < OID_NONE && !rd_equal(oids[i], octets))
        i++;
    return (enum oid)i;
}

/* --- reading -------------------------------------------------------------------------------- */

int der_any(struct rd *in, struct tlv *ret)
{
    struct rd at = *in;
    struct tlv t;

    TRY(tlv_get(&at, &t));
    if (t.whole.n - t.value.n != tlv_header_len(t.tag, t.value.n))
        return ERR_INPUT;
    *ret = t;
    *in = at;
    return 0;
}

int der_take(struct rd *in, uint32_t tag, struct tlv *ret)
{
    struct rd at = *in;
    struct tlv t;

    TRY(der_any(&at, &t));
    if (t.tag != tag)
        return ERR_INPUT;
    *ret = t;
    *in = at;
    return 0;
}

/* Arcs in base 128: none begins with an empty digit, the last one ends (X.690 8.19). */
int der_take_oid(struct rd *in, struct rd *ret)
{
    struct rd at = *in;
    struct tlv t;

    TRY(der_take(&at, DER_OID, &t));
    if (t.value.n == 0 || (t.value.p[t.value.n - 1] & 0x80))
        return ERR_INPUT;
    for (size_t i = 0; i < t.value.n; i++)
        if (t.value.p[i] == 0x80 && (i == 0 || !(t.value.p[i - 1] & 0x80)))
            return ERR_INPUT;
    *ret = t.value;
    *in = at;
    return 0;
}

int der_take_integer(struct rd *in, struct rd *ret)
{
    struct tlv t;

    TRY(der_take(in, DER_INTEGER, &t));
    if (t.value.n == 0)
        return ERR_INPUT;
    if (t.value.n > 1 && (t.value.p[0] == 0x00 || t.value.p[0] == 0xFF) &&
        ((t.value.p[0] ^ t.value.p[1]) & 0x80) == 0)
        return ERR_INPUT;
    *ret = t.value;
    return 0;
}

int der_take_flag(struct rd *in, bool *ret)
{
    struct tlv t;

    if (in->n == 0 || in->p[0] != DER_BOOLEAN) {
        *ret = false;
        return 0;
    }
    TRY(der_take(in, DER_BOOLEAN, &t));
    if (t.value.n != 1 || t.value.p[0] != 0xFF)
        return ERR_INPUT;
    *ret = true;
    return 0;
}

int der_take_time(struct rd *in)
{
    struct tlv t;

    TRY(der_any(in, &t));
    if (!(t.tag == DER_UTC_TIME && t.value.n == sizeof "YYMMDDhhmmssZ" - 1) &&
        !(t.tag == DER_GENERALIZED_TIME && t.value.n == sizeof "YYYYMMDDhhmmssZ" - 1))
        return ERR_INPUT;
    for (size_t i = 0; i < t.value.n - 1; i++)
        if (t.value.p[i] < '0' || t.value.p[i] > '9')
            return ERR_INPUT;
    return t.value.p[t.value.n - 1] == 'Z' ? 0 : ERR_INPUT;
}

/* DirectoryString without its historical forms, or IA5String (RFC 5280 4.1.2.4). */
static int check_text(const struct tlv *text)
{
    if (text->tag == DER_UTF8_STRING)
        return rd_is_utf8(text->value) ? 0 : ERR_INPUT;
    if (text->tag != DER_PRINTABLE_STRING && text->tag != DER_IA5_STRING)
        return ERR_INPUT;
    for (size_t i = 0; i < text->value.n; i++)
        if (text->value.p[i] & 0x80)
            return ERR_INPUT;
    return 0;
}

int der_next_attribute(struct rd *rdns, struct rd *rdn, enum oid *ret_type, struct tlv *ret_value)
{
    struct tlv set, attribute, value;
    struct rd type;

    if (rdn->n == 0) {
        TRY(der_take(rdns, DER_SET, &set));
        *rdn = set.value;
    }
    TRY(der_take(rdn, DER_SEQUENCE, &attribute));
    TRY(der_take_oid(&attribute.value, &type));
    TRY(der_any(&attribute.value, &value));
    TRY(check_text(&value));
    if (attribute.value.n != 0)
        return ERR_INPUT;
    *ret_type = oid_of(type);
    *ret_value = value;
    return 0;
}

int der_take_name(struct rd *in, struct rd *ret)
{
    struct rd rdns, rdn = { NULL, 0 };
    struct tlv name, value;
    enum oid type;

    TRY(der_take(in, DER_SEQUENCE, &name));
    rdns = name.value;
    while (rdns.n > 0 || rdn.n > 0)
        TRY(der_next_attribute(&rdns, &rdn, &type, &value));
    *ret = name.value;
    return 0;
}

int der_take_ecdsa_algorithm(struct rd *in)
{
    struct tlv algorithm;
    struct rd oid;

    TRY(der_take(in, DER_SEQUENCE, &algorithm));
    TRY(der_take_oid(&algorithm.value, &oid));
    if (algorithm.value.n != 0 || oid_of(oid) != OID_ECDSA_WITH_SHA256)
        return ERR_INPUT;
    return 0;
}

int der_take_extension(struct rd *in, struct extension *ret)
{
    struct tlv extension, value;
    struct rd oid;
    bool critical;

    TRY(der_take(in, DER_SEQUENCE, &extension));
    TRY(der_take_oid(&extension.value, &oid));
    TRY(der_take_flag(&extension.value, &critical));
    TRY(der_take(&extension.value, DER_OCTET_STRING, &value));
    if (extension.value.n != 0)
        return ERR_INPUT;
    *ret = (struct extension){ oid_of(oid), critical, value.value };
    return 0;
}

int der_signed_object(struct rd der, struct signed_object *ret)
{
    struct tlv whole, tbs, bits;

    TRY(der_take(&der, DER_SEQUENCE, &whole));
    TRY(der_take(&whole.value, DER_SEQUENCE, &tbs));
    TRY(der_take_ecdsa_algorithm(&whole.value));
    TRY(der_take(&whole.value, DER_BIT_STRING, &bits));
    if (der.n != 0 || whole.value.n != 0 || bits.value.n == 0 || bits.value.p[0] != 0)
        return ERR_INPUT;
    TRY(ecdsa_from_der(rd_of(bits.value.p + 1, bits.value.n - 1), ret->signature));
    ret->tbs = tbs.whole;
    ret->body = tbs.value;
    return 0;
}

/* --- writing -------------------------------------------------------------------------------- */

void der_put_oid(struct wr *w, enum oid oid)
{
    tlv_put(w, DER_OID, oids[oid]);
}

void der_put_ecdsa_algorithm(struct wr *w)
{
    struct wr_mark algorithm = tlv_open(w, DER_SEQUENCE);

    der_put_oid(w, OID_ECDSA_WITH_SHA256);
    tlv_close(w, algorithm);
}

void der_put_time(struct wr *w, int64_t seconds)
{
    const time_t at = (time_t)seconds;
    struct tm tm;
    char text[sizeof "YYYYMMDDhhmmssZ"];

    if (gmtime_r(&at, &tm) == NULL || tm.tm_year < 50 || tm.tm_year >= 10000 - 1900 ||
        strftime(text, sizeof text, "%Y%m%d%H%M%SZ", &tm) != sizeof text - 1) {
        w->failed = true;
        return;
    }
    if (tm.tm_year < 150)
        tlv_put_str(w, DER_UTC_TIME, text + 2);
    else
        tlv_put_str(w, DER_GENERALIZED_TIME, text);
}

void der_put_extension(struct wr *w, enum oid oid, bool critical, struct rd value)
{
    struct wr_mark extension = tlv_open(w, DER_SEQUENCE);

    der_put_oid(w, oid);
    if (critical)
        tlv_put_u8(w, DER_BOOLEAN, 0xFF);
    tlv_put(w, DER_OCTET_STRING, value);
    tlv_close(w, extension);
}

void der_put_aki(struct wr *w, struct rd ski)
{
    uint8_t octets[8 + SKI_LEN];
    struct wr value;

    wr_init(&value, octets, sizeof octets);
    struct wr_mark sequence = tlv_open(&value, DER_SEQUENCE);
    tlv_put(&value, AKI_KEY_IDENTIFIER, ski);
    tlv_close(&value, sequence);
    w->failed |= wr_failed(&value) != 0;
    der_put_extension(w, OID_AUTHORITY_KEY_IDENTIFIER, false, wr_view(&value));
}

int der_put_signed_object(struct crypto *c, const struct ec_key *k, struct rd tbs, struct wr *ret)
{
    uint8_t signature[EC_SIGNATURE_LEN], octets[80];
    struct wr der;

    TRY(ecdsa_sign(c, k, &tbs, 1, signature));
    wr_init(&der, octets, sizeof octets);
    TRY(ecdsa_to_der(signature, &der));
    struct wr_mark whole = tlv_open(ret, DER_SEQUENCE);
    wr_put_rd(ret, tbs);
    der_put_ecdsa_algorithm(ret);
    struct wr_mark bits = tlv_open(ret, DER_BIT_STRING);
    wr_put_u8(ret, 0); /* unused bits */
    wr_put_rd(ret, wr_view(&der));
    tlv_close(ret, bits);
    tlv_close(ret, whole);
    return wr_failed(ret);
}
