/* x509_issue.c - issuing certificates, for test PKIs and for personalised eUICCs.
 *
 * Which extensions a role has is the table profiles[]; their contents are SGP.22 4.5.2.1 as the
 * SGP.26 v1 test certificates show it.  No state. */
#include <arpa/inet.h>
#include <string.h>

#include "os/err.h"
#include "os/x509.h"
#include "os/x509_der.h"

enum {
    MAX_BODY = 2048,
    MAX_EXTENSION = 512,
    VERSION_3 = 2,
};

/* What a certificate of one role carries beside AKI (not for a CI) and SKI. */
struct profile {
    enum cert_role role;
    uint32_t key_usage;
    bool policy, policy_critical;
    bool ca, pathlen_0, name_constraints;
    bool tls;
};

static const struct profile profiles[] = {
    { .role = ROLE_CI,
      .key_usage = USE_KEY_CERT_SIGN | USE_CRL_SIGN,
      .policy = true,
      .policy_critical = true,
      .ca = true },
    { .role = ROLE_EUM,
      .key_usage = USE_KEY_CERT_SIGN,
      .policy = true,
      .policy_critical = true,
      .ca = true,
      .pathlen_0 = true,
      .name_constraints = true },
    { .role = ROLE_EUICC,
      .key_usage = USE_DIGITAL_SIGNATURE,
      .policy = true,
      .policy_critical = true },
    { .role = ROLE_DP_AUTH,
      .key_usage = USE_DIGITAL_SIGNATURE,
      .policy = true,
      .policy_critical = true },
    { .role = ROLE_DP_PB,
      .key_usage = USE_DIGITAL_SIGNATURE,
      .policy = true,
      .policy_critical = true },
    { .role = ROLE_DS_AUTH,
      .key_usage = USE_DIGITAL_SIGNATURE,
      .policy = true,
      .policy_critical = true },
    { .role = ROLE_DP_TLS, .key_usage = USE_DIGITAL_SIGNATURE, .policy = true, .tls = true },
    { .role = ROLE_DS_TLS, .key_usage = USE_DIGITAL_SIGNATURE, .policy = true, .tls = true },
    { .role = ROLE_NONE, .key_usage = USE_DIGITAL_SIGNATURE }, /* eIM (SGP.26 for SGP.32) */
};

static const struct profile *profile_of(enum cert_role role)
{
    for (size_t i = 0; i < N_ELEMS(profiles); i++)
        if (profiles[i].role == role)
            return &profiles[i];
    return NULL;
}

/* --- pieces --------------------------------------------------------------------------------- */

static void put_attribute(struct wr *w, enum oid type, uint32_t tag, const char *text)
{
    if (text == NULL)
        return;
    struct wr_mark rdn = tlv_open(w, DER_SET);
    struct wr_mark attribute = tlv_open(w, DER_SEQUENCE);
    der_put_oid(w, type);
    tlv_put_str(w, tag, text);
    tlv_close(w, attribute);
    tlv_close(w, rdn);
}

static void put_subject(struct wr *w, const struct cert_request *req)
{
    struct wr_mark name = tlv_open(w, DER_SEQUENCE);

    put_attribute(w, OID_COUNTRY, DER_PRINTABLE_STRING, req->country);
    put_attribute(w, OID_ORGANIZATION, DER_UTF8_STRING, req->organization);
    put_attribute(w, OID_ORGANIZATIONAL_UNIT, DER_UTF8_STRING, req->organizational_unit);
    put_attribute(w, OID_SERIAL_NUMBER, DER_PRINTABLE_STRING, req->subject_serial);
    put_attribute(w, OID_COMMON_NAME, DER_UTF8_STRING, req->common_name);
    tlv_close(w, name);
}

/* One arc in base 128, 7 bits an octet, most significant first (X.690 8.19.2). */
static void put_arc(struct wr *w, uint64_t arc)
{
    unsigned shift = 0;

    while (arc >> shift > 0x7F)
        shift += 7;
    for (; shift > 0; shift -= 7)
        wr_put_u8(w, (uint8_t)(0x80 | (arc >> shift & 0x7F)));
    wr_put_u8(w, arc & 0x7F);
}

/* Takes one arc of a dotted identifier and the dot behind it. */
static int take_arc(const char **text, uint64_t *ret)
{
    const char *at = *text;
    uint64_t arc = 0;

    if (*at < '0' || *at > '9')
        return ERR_INPUT;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (arc > UINT32_MAX)
            return ERR_INPUT;
        arc = arc * 10 + (uint64_t)(*at - '0');
    }
    if (*at == '.' && at[1] != '\0')
        at++;
    else if (*at != '\0')
        return ERR_INPUT;
    *text = at;
    *ret = arc;
    return 0;
}

int oid_from_text(const char *text, struct wr *ret)
{
    uint64_t first, second, arc;

    TRY(take_arc(&text, &first));
    TRY(take_arc(&text, &second));
    if (first > 2 || (first < 2 && second > 39))
        return ERR_INPUT;
    put_arc(ret, first * 40 + second);
    while (*text != '\0') {
        TRY(take_arc(&text, &arc));
        put_arc(ret, arc);
    }
    return wr_failed(ret);
}

static int put_ip(struct wr *w, const char *text)
{
    uint8_t octets[16];

    if (inet_pton(AF_INET, text, octets) == 1)
        tlv_put(w, NAME_IP, rd_of(octets, 4));
    else if (inet_pton(AF_INET6, text, octets) == 1)
        tlv_put(w, NAME_IP, rd_of(octets, 16));
    else
        return ERR_INPUT;
    return 0;
}

/* --- extensions ----------------------------------------------------------------------------- */

/* An extension's value in the making. */
struct value {
    struct wr w;
    uint8_t octets[MAX_EXTENSION];
};

static void value_init(struct value *v)
{
    wr_init(&v->w, v->octets, sizeof v->octets);
}

static void put_value(struct wr *w, enum oid oid, bool critical, const struct value *v)
{
    w->failed |= v->w.failed;
    der_put_extension(w, oid, critical, wr_view(&v->w));
}

/* RFC 5280 4.2.1.2 method 1: SHA-1 of the point. */
static int put_ski(struct crypto *c, struct wr *w, const struct ec_pub *key)
{
    uint8_t point[EC_POINT_LEN], ski[SHA1_LEN];
    struct value v;

    ec_pub_point(key, point);
    const struct rd part = rd_of(point, sizeof point);
    TRY(crypto_sha1(c, &part, 1, ski));
    value_init(&v);
    tlv_put(&v.w, DER_OCTET_STRING, rd_of(ski, sizeof ski));
    put_value(w, OID_SUBJECT_KEY_IDENTIFIER, false, &v);
    return 0;
}

static void put_key_usage(struct wr *w, uint32_t bits)
{
    struct value v;

    value_init(&v);
    tlv_put_bits(&v.w, DER_BIT_STRING, bits);
    put_value(w, OID_KEY_USAGE, true, &v);
}

static void put_ext_key_usage(struct wr *w)
{
    struct value v;

    value_init(&v);
    struct wr_mark list = tlv_open(&v.w, DER_SEQUENCE);
    der_put_oid(&v.w, OID_SERVER_AUTH);
    der_put_oid(&v.w, OID_CLIENT_AUTH);
    tlv_close(&v.w, list);
    put_value(w, OID_EXT_KEY_USAGE, true, &v);
}

static void put_policy(struct wr *w, const struct profile *profile)
{
    const struct rd roles = oid_octets(OID_RSP_ROLE);
    uint8_t number = 0;
    struct value v;

    while (1u << number != (unsigned)profile->role)
        number++;
    value_init(&v);
    struct wr_mark list = tlv_open(&v.w, DER_SEQUENCE);
    struct wr_mark policy = tlv_open(&v.w, DER_SEQUENCE);
    tlv_put_header(&v.w, DER_OID, roles.n + 1);
    wr_put_rd(&v.w, roles);
    wr_put_u8(&v.w, number);
    tlv_close(&v.w, policy);
    tlv_close(&v.w, list);
    put_value(w, OID_CERTIFICATE_POLICIES, profile->policy_critical, &v);
}

static int put_alt_names(struct wr *w, const struct cert_request *req)
{
    struct value v;

    if (req->oid == NULL && req->dns_name == NULL && req->ip_address == NULL)
        return 0;
    value_init(&v);
    struct wr_mark list = tlv_open(&v.w, DER_SEQUENCE);
    if (req->dns_name != NULL)
        tlv_put_str(&v.w, NAME_DNS, req->dns_name);
    if (req->ip_address != NULL)
        TRY(put_ip(&v.w, req->ip_address));
    if (req->oid != NULL) {
        struct wr_mark oid = tlv_open(&v.w, NAME_REGISTERED_ID);
        TRY(oid_from_text(req->oid, &v.w));
        tlv_close(&v.w, oid);
    }
    tlv_close(&v.w, list);
    put_value(w, OID_SUBJECT_ALT_NAME, false, &v);
    return 0;
}

static void put_basic_constraints(struct wr *w, bool pathlen_0)
{
    struct value v;

    value_init(&v);
    struct wr_mark list = tlv_open(&v.w, DER_SEQUENCE);
    tlv_put_u8(&v.w, DER_BOOLEAN, 0xFF);
    if (pathlen_0)
        tlv_put_u8(&v.w, DER_INTEGER, 0);
    tlv_close(&v.w, list);
    put_value(w, OID_BASIC_CONSTRAINTS, true, &v);
}

/* One distribution point with one URI as its full name (RFC 5280 4.2.1.13). */
static void put_crl_url(struct wr *w, const char *url)
{
    static const uint32_t tags[] = { DER_SEQUENCE, DER_SEQUENCE, 0xA0, 0xA0 };
    struct wr_mark marks[N_ELEMS(tags)];
    struct value v;

    if (url == NULL)
        return;
    value_init(&v);
    for (size_t i = 0; i < N_ELEMS(tags); i++)
        marks[i] = tlv_open(&v.w, tags[i]);
    tlv_put_str(&v.w, NAME_URI, url);
    for (size_t i = N_ELEMS(tags); i-- > 0;)
        tlv_close(&v.w, marks[i]);
    put_value(w, OID_CRL_DISTRIBUTION_POINTS, false, &v);
}

static void put_name_constraints(struct wr *w, const struct cert_request *req)
{
    static const uint32_t tags[] = { DER_SEQUENCE, PERMITTED_SUBTREES, DER_SEQUENCE, NAME_DIRECTORY,
                                     DER_SEQUENCE };
    struct wr_mark marks[N_ELEMS(tags)];
    struct value v;

    value_init(&v);
    for (size_t i = 0; i < N_ELEMS(tags); i++)
        marks[i] = tlv_open(&v.w, tags[i]);
    put_attribute(&v.w, OID_ORGANIZATION, DER_UTF8_STRING, req->name_constraint_o);
    put_attribute(&v.w, OID_SERIAL_NUMBER, DER_PRINTABLE_STRING, req->name_constraint_iin);
    for (size_t i = N_ELEMS(tags); i-- > 0;)
        tlv_close(&v.w, marks[i]);
    put_value(w, OID_NAME_CONSTRAINTS, true, &v);
}

static int put_extensions(struct crypto *c, struct wr *w, const struct cert_request *req,
                          const struct profile *profile)
{
    struct wr_mark outer = tlv_open(w, DER_CONTEXT_3);
    struct wr_mark list = tlv_open(w, DER_SEQUENCE);

    if (req->issuer != NULL)
        der_put_aki(w, cert_ski(req->issuer));
    TRY(put_ski(c, w, req->key));
    put_key_usage(w, profile->key_usage);
    if (profile->tls || req->dns_name != NULL || req->ip_address != NULL)
        put_ext_key_usage(w);
    if (profile->policy)
        put_policy(w, profile);
    TRY(put_alt_names(w, req));
    if (profile->ca)
        put_basic_constraints(w, profile->pathlen_0);
    put_crl_url(w, req->crl_url);
    if (profile->name_constraints)
        put_name_constraints(w, req);
    tlv_close(w, list);
    tlv_close(w, outer);
    return 0;
}

/* --- the certificate ------------------------------------------------------------------------ */

static int put_body(struct crypto *c, struct wr *w, const struct cert_request *req,
                    const struct profile *profile)
{
    struct wr_mark body = tlv_open(w, DER_SEQUENCE);
    struct wr_mark version = tlv_open(w, DER_CONTEXT_0);
    tlv_put_u8(w, DER_INTEGER, VERSION_3);
    tlv_close(w, version);
    tlv_put_uint(w, DER_INTEGER, req->serial);
    der_put_ecdsa_algorithm(w);
    if (req->issuer != NULL)
        tlv_put(w, DER_SEQUENCE, cert_subject_name(req->issuer));
    else
        put_subject(w, req);
    struct wr_mark validity = tlv_open(w, DER_SEQUENCE);
    der_put_time(w, req->not_before);
    der_put_time(w, req->not_after);
    tlv_close(w, validity);
    put_subject(w, req);
    TRY(ec_pub_write_der(req->key, w));
    TRY(put_extensions(c, w, req, profile));
    tlv_close(w, body);
    return wr_failed(w);
}

int cert_issue(struct crypto *c, const struct cert_request *req, struct wr *ret_der)
{
    const struct profile *profile = profile_of(req->role);
    uint8_t octets[MAX_BODY];
    struct wr body;

    if (profile == NULL || req->serial == 0 || req->serial > INT64_MAX ||
        (profile->name_constraints && req->name_constraint_o == NULL &&
         req->name_constraint_iin == NULL))
        return ERR_INPUT;
    wr_init(&body, octets, sizeof octets);
    TRY(put_body(c, &body, req, profile));
    return der_put_signed_object(c, req->issuer_key, wr_view(&body), ret_der);
}
