/* eim_config.c - who the eIM is (SGP.32 2.11.1.1.1). */
#include "lab/eim_config.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <arpa/inet.h>

#include "certs/pki.h"
#include "lab/identity.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    DAY = 24 * 3600,
    VALID_DAYS = 10 * 365,
    NAME_LEN = 80,
    COMMON_NAME_MAX = 64, /* RFC 5280 ub-common-name */

    TAG_SEQUENCE = 0x30,
    TAG_ADD_INITIAL_EIM = 0xBF57,
};

static const char default_id[] = "eim1";

/* eimSupportedProtocol (SGP.32 2.11.1.1.1). */
static const uint8_t protocol_bits[] = {
    [EIM_PROTOCOL_HTTPS] = 1 << 0, /* eimRetrieveHttps */
    [EIM_PROTOCOL_COAPS] = 1 << 1, /* eimRetrieveCoaps */
    [EIM_PROTOCOL_BOTH] = 1 << 0 | 1 << 1,
};

static const struct curve_files {
    enum curve curve;
    const char *suffix;
} curve_files[] = { { CURVE_P256, "NIST" }, { CURVE_BRAINPOOL_P256R1, "BRP" } };

static const char *suffix_of(enum curve curve)
{
    return curve == CURVE_P256 ? "NIST" : "BRP";
}

/* --- making one ------------------------------------------------------------------------------ */

/* The CI under which the eIM's certificates are issued. */
struct issuer {
    struct cert *ci;
    struct ec_key *key;
};

static int read_pki(const struct pki *pki, const char *name, enum curve curve, const char *ending,
                    struct wr *ret, struct lab_error *e)
{
    char path[NAME_LEN];

    snprintf(path, sizeof path, "%s_%s.%s", name, suffix_of(curve), ending);
    return pki_read(pki, path, ret) == 0 ? 0 : lab_fail(e, "%s", pki_reason(pki));
}

static int read_issuer(struct crypto *c, const struct pki *pki, enum curve curve,
                       struct issuer *ret, struct lab_error *e)
{
    struct wr cert, key;
    const char *why = "";

    wr_init_heap(&cert, PKI_MAX_FILE);
    wr_init_heap(&key, PKI_MAX_FILE);
    int r = read_pki(pki, "CertificateIssuer/CERT_CI_ECDSA", curve, "der", &cert, e);
    if (r == 0)
        r = read_pki(pki, "CertificateIssuer/SK_CI_ECDSA", curve, "pem", &key, e);
    if (r == 0 && (cert_parse(c, wr_view(&cert), &ret->ci, &why) != 0 ||
                   ec_key_read(c, wr_view(&key), &ret->key) != 0))
        r = lab_fail(e, "the CI of the PKI: %s", why);
    wr_done(&cert);
    wr_done(&key);
    return r;
}

static int random_serial(struct crypto *c, uint64_t *ret)
{
    uint8_t octets[7];
    uint64_t serial = 0;

    TRY(crypto_random(c, octets, sizeof octets));
    for (size_t i = 0; i < sizeof octets; i++)
        serial = serial << 8 | octets[i];
    *ret = serial | 1;
    return 0;
}

/* host NULL: the certificate of the signing key; else that of the TLS server there. */
static int issue(struct crypto *c, const struct issuer *issuer, const struct ec_key *key,
                 const char *name, const char *host, struct wr *ret)
{
    uint8_t point[EC_POINT_LEN], any[16];
    struct ec_pub *pub = NULL;
    char common_name[COMMON_NAME_MAX + 1];
    int64_t now = (int64_t)time(NULL);
    uint64_t serial = 0;
    bool is_address =
        host != NULL && (inet_pton(AF_INET, host, any) == 1 || inet_pton(AF_INET6, host, any) == 1);

    snprintf(common_name, sizeof common_name, "%.64s", name);
    TRY(random_serial(c, &serial));
    ec_key_point(key, point);
    TRY(ec_pub_from_point(c, ec_key_curve(key), rd_of(point, sizeof point), &pub));
    struct cert_request request = {
        .role = ROLE_NONE,
        .key = pub,
        .issuer_key = issuer->key,
        .issuer = issuer->ci,
        .organization = "softeuicc test",
        .common_name = common_name,
        .dns_name = is_address ? NULL : host,
        .ip_address = is_address ? host : NULL,
        .not_before = now - DAY,
        .not_after = now + (int64_t)VALID_DAYS * DAY,
        .serial = serial,
    };
    int r = cert_issue(c, &request, ret);
    ec_pub_free(&pub);
    return r;
}

static int put_key(struct crypto *c, struct db *db, const char *name, const struct ec_key *key)
{
    struct wr der;

    wr_init_heap(&der, PKI_MAX_FILE);
    int r = ec_key_write_der(c, key, &der);
    if (r == 0)
        r = store_put(db, name, wr_view(&der));
    if (der.n > 0)
        crypto_wipe(der.p, der.n);
    wr_done(&der);
    return r;
}

/* A new key and its certificate, kept as NAME-key and NAME-certificate. */
static int make_pair(struct crypto *c, struct db *db, const struct issuer *issuer,
                     const char *key_name, const char *certificate_name, const char *name,
                     const char *host)
{
    struct ec_key *key = NULL;
    struct wr cert;

    wr_init_heap(&cert, PKI_MAX_FILE);
    int r = ec_key_generate(c, ec_key_curve(issuer->key), &key);
    if (r == 0)
        r = issue(c, issuer, key, name, host, &cert);
    if (r == 0)
        r = put_key(c, db, key_name, key);
    if (r == 0)
        r = store_put(db, certificate_name, wr_view(&cert));
    wr_done(&cert);
    ec_key_free(&key);
    return r;
}

/* The signing key of the PKI; false when it has none. */
static bool take_pki_key(struct crypto *c, struct db *db, const struct pki *pki, enum curve curve)
{
    struct ec_key *key = NULL;
    struct lab_error none;
    struct wr pem, cert;

    wr_init_heap(&pem, PKI_MAX_FILE);
    wr_init_heap(&cert, PKI_MAX_FILE);
    bool ok = read_pki(pki, "EIMsign/SK_S_EIMsign_ECDSA", curve, "pem", &pem, &none) == 0 &&
              read_pki(pki, "EIMsign/CERT_S_EIMsign_ECDSA", curve, "der", &cert, &none) == 0 &&
              ec_key_read(c, wr_view(&pem), &key) == 0 && put_key(c, db, "key", key) == 0 &&
              store_put(db, "certificate", wr_view(&cert)) == 0;
    ec_key_free(&key);
    wr_done(&pem);
    wr_done(&cert);
    return ok;
}

static int put_number(struct db *db, const char *key, uint64_t v)
{
    char text[32];

    snprintf(text, sizeof text, "%llu", (unsigned long long)v);
    return store_put(db, key, rd_str(text));
}

static int put_choices(struct db *db, const struct eim_choices *o)
{
    TRY(store_put(db, "eim-id", rd_str(o->eim_id != NULL ? o->eim_id : default_id)));
    TRY(store_put(db, "fqdn", rd_str(o->fqdn)));
    TRY(put_number(db, "id-type", o->id_type));
    TRY(put_number(db, "curve", o->curve));
    TRY(put_number(db, "key-as-certificate", o->key_as_certificate));
    TRY(put_number(db, "tls-trust", o->tls_trust));
    TRY(put_number(db, "protocol", o->protocol));
    TRY(put_number(db, "counter", o->counter));
    TRY(put_number(db, "token", o->token));
    TRY(put_number(db, "indirect", o->indirect));
    TRY(put_number(db, "learn", o->learn));
    return store_put(db, "ci-pkid", rd_of(o->ci_pkid, o->has_ci_pkid ? SKI_LEN : 0));
}

static int put_cis(struct db *db, const struct pki *pki)
{
    struct lab_error none;

    for (size_t i = 0; i < N_ELEMS(curve_files); i++) {
        char key[NAME_LEN];
        struct wr der;
        wr_init_heap(&der, PKI_MAX_FILE);
        snprintf(key, sizeof key, "ci-%s", curve_files[i].suffix);
        int r = read_pki(pki, "CertificateIssuer/CERT_CI_ECDSA", curve_files[i].curve, "der", &der,
                         &none) != 0
                    ? 0
                    : store_put(db, key, wr_view(&der));
        wr_done(&der);
        TRY(r);
    }
    return 0;
}

static void host_of(const char *fqdn, char ret[EIM_TEXT_LEN])
{
    const char *end = fqdn[0] == '[' ? strchr(fqdn, ']') : strchr(fqdn, ':');
    const char *begin = fqdn[0] == '[' && end != NULL ? fqdn + 1 : fqdn;

    snprintf(ret, EIM_TEXT_LEN, "%.*s", end == NULL ? EIM_TEXT_LEN : (int)(end - begin), begin);
}

static int fill(struct crypto *c, const struct eim_choices *o, const struct pki *pki,
                const struct issuer *issuer, struct db *db)
{
    const char *name = o->eim_id != NULL ? o->eim_id : default_id;
    char host[EIM_TEXT_LEN];

    host_of(o->fqdn, host);
    TRY(put_choices(db, o));
    TRY(put_cis(db, pki));
    if (o->eim_id != NULL || !take_pki_key(c, db, pki, o->curve))
        TRY(make_pair(c, db, issuer, "key", "certificate", name, NULL));
    TRY(store_put(db, "tls-ci", cert_der(issuer->ci)));
    return make_pair(c, db, issuer, "tls-key", "tls-certificate", host, host);
}

int eim_identity_create(struct crypto *c, const struct eim_choices *choices, struct db *db,
                        struct lab_error *e)
{
    struct pki *pki = NULL;
    struct issuer issuer = { NULL, NULL };

    TRY(identity_open_pki(choices->pki, &pki, e));
    int r = read_issuer(c, pki, choices->curve, &issuer, e);
    if (r == 0) {
        r = db_begin(db);
        if (r == 0)
            r = db_end(db, fill(c, choices, pki, &issuer, db));
        if (r != 0)
            lab_fail(e, "cannot keep the eIM: %s, %s", err_name(r), db_reason(db));
    }
    cert_free(&issuer.ci);
    ec_key_free(&issuer.key);
    pki_close(&pki);
    return r;
}

/* --- reading it ------------------------------------------------------------------------------ */

static int get_text(struct db *db, const char *key, char *ret, size_t size)
{
    struct wr v;

    wr_init_heap(&v, EIM_BLOB_MAX);
    int r = store_get(db, key, &v);
    if (r == 0 && !copy_rd(wr_view(&v), ret, size))
        r = ERR_INPUT;
    wr_done(&v);
    return r;
}

static int get_number(struct db *db, const char *key, unsigned long *ret)
{
    char text[32];

    TRY(get_text(db, key, text, sizeof text));
    return number_read(text, UINT32_MAX, ret) ? 0 : ERR_INPUT;
}

static int load_choices(struct db *db, struct eim_identity *id)
{
    unsigned long type, curve, as_certificate, trust, protocol, counter, token, indirect, learn;

    TRY(get_text(db, "eim-id", id->id, sizeof id->id));
    TRY(get_text(db, "fqdn", id->fqdn, sizeof id->fqdn));
    TRY(get_number(db, "id-type", &type));
    TRY(get_number(db, "curve", &curve));
    TRY(get_number(db, "key-as-certificate", &as_certificate));
    TRY(get_number(db, "tls-trust", &trust));
    TRY(get_number(db, "protocol", &protocol));
    TRY(get_number(db, "counter", &counter));
    TRY(get_number(db, "token", &token));
    TRY(get_number(db, "indirect", &indirect));
    TRY(get_number(db, "learn", &learn));
    id->id_type = (enum eim_id_type)type;
    id->curve = (enum curve)curve;
    id->key_as_certificate = as_certificate != 0;
    id->tls_trust = (enum eim_tls_trust)trust;
    id->protocol =
        protocol < N_ELEMS(protocol_bits) ? (enum eim_protocol)protocol : EIM_PROTOCOL_HTTPS;
    id->counter = counter;
    id->token = token != 0;
    id->indirect = indirect != 0;
    id->learn = learn != 0;
    return store_get(db, "ci-pkid", &id->ci_pkid);
}

static int load_key(struct crypto *c, struct db *db, struct ec_key **ret)
{
    struct wr der;

    wr_init_heap(&der, PKI_MAX_FILE);
    int r = store_get(db, "key", &der);
    if (r == 0)
        r = ec_key_read(c, wr_view(&der), ret);
    if (der.n > 0)
        crypto_wipe(der.p, der.n);
    wr_done(&der);
    return r;
}

static int load_cis(struct crypto *c, struct db *db, struct eim_identity *id)
{
    for (size_t i = 0; i < N_ELEMS(curve_files); i++) {
        char key[NAME_LEN];
        const char *why;
        struct wr der;
        wr_init_heap(&der, PKI_MAX_FILE);
        snprintf(key, sizeof key, "ci-%s", curve_files[i].suffix);
        if (store_get(db, key, &der) == 0 &&
            cert_parse(c, wr_view(&der), &id->ci[id->n_ci], &why) == 0)
            id->n_ci++;
        wr_done(&der);
    }
    return id->n_ci > 0 ? 0 : ERR_INPUT;
}

static int load(struct crypto *c, struct db *db, struct eim_identity *id)
{
    TRY(load_choices(db, id));
    TRY(load_key(c, db, &id->key));
    TRY(store_get(db, "certificate", &id->certificate));
    TRY(store_get(db, "tls-key", &id->tls_key));
    TRY(store_get(db, "tls-certificate", &id->tls_certificate));
    TRY(store_get(db, "tls-ci", &id->tls_ci));
    return load_cis(c, db, id);
}

int eim_identity_load(struct crypto *c, struct db *db, struct eim_identity *ret,
                      struct lab_error *e)
{
    struct eim_identity id = { .key = NULL };

    wr_init_heap(&id.ci_pkid, SKI_LEN);
    wr_init_heap(&id.certificate, PKI_MAX_FILE);
    wr_init_heap(&id.tls_key, PKI_MAX_FILE);
    wr_init_heap(&id.tls_certificate, PKI_MAX_FILE);
    wr_init_heap(&id.tls_ci, PKI_MAX_FILE);
    int r = load(c, db, &id);
    if (r != 0) {
        eim_identity_done(&id);
        return lab_fail(e, "the eIM's identity in its file is incomplete");
    }
    *ret = id;
    return 0;
}

void eim_identity_done(struct eim_identity *id)
{
    ec_key_free(&id->key);
    for (size_t i = 0; i < id->n_ci; i++)
        cert_free(&id->ci[i]);
    wr_done(&id->ci_pkid);
    wr_done(&id->certificate);
    if (id->tls_key.n > 0)
        crypto_wipe(id->tls_key.p, id->tls_key.n);
    wr_done(&id->tls_key);
    wr_done(&id->tls_certificate);
    wr_done(&id->tls_ci);
}

/* --- telling it ------------------------------------------------------------------------------ */

/* A SEQUENCE under another tag: the tag replaces the 30 (AUTOMATIC TAGS, IMPLICIT). */
static int put_implicit(struct wr *w, uint32_t tag, struct rd der)
{
    struct tlv sequence;

    TRY(tlv_expect(&der, TAG_SEQUENCE, &sequence));
    tlv_put(w, tag, sequence.value);
    return 0;
}

static int put_spki(const struct ec_pub *pub, struct wr *w)
{
    struct wr der;

    wr_init_heap(&der, PKI_MAX_FILE);
    int r = ec_pub_write_der(pub, &der);
    if (r == 0)
        r = put_implicit(w, 0xA0, wr_view(&der));
    wr_done(&der);
    return r;
}

static int put_public_key(struct crypto *c, const struct eim_identity *id, struct wr *w)
{
    struct wr_mark data = tlv_open(w, 0xA5);
    uint8_t point[EC_POINT_LEN];
    struct ec_pub *pub = NULL;
    int r;

    ec_key_point(id->key, point);
    if (id->key_as_certificate) {
        r = put_implicit(w, 0xA1, wr_view(&id->certificate));
    } else {
        r = ec_pub_from_point(c, ec_key_curve(id->key), rd_of(point, sizeof point), &pub);
        if (r == 0)
            r = put_spki(pub, w);
        ec_pub_free(&pub);
    }
    tlv_close(w, data);
    return r;
}

static int put_tls_trust(struct crypto *c, const struct eim_identity *id, struct wr *w)
{
    struct cert *cert = NULL;
    const char *why;

    if (id->tls_trust == TLS_TRUST_NONE)
        return 0;
    struct wr_mark data = tlv_open(w, 0xA6);
    int r = 0;
    if (id->tls_trust == TLS_TRUST_SPKI) {
        r = cert_parse(c, wr_view(&id->tls_certificate), &cert, &why);
        if (r == 0)
            r = put_spki(cert_key(cert), w);
        cert_free(&cert);
    } else {
        r = put_implicit(
            w, 0xA1, wr_view(id->tls_trust == TLS_TRUST_CA ? &id->tls_ci : &id->tls_certificate));
    }
    tlv_close(w, data);
    return r;
}

int eim_config_fields(struct crypto *c, const struct eim_identity *id, struct wr *ret)
{
    static const uint8_t minus_one = 0xFF;

    tlv_put_str(ret, 0x80, id->id);
    tlv_put_str(ret, 0x81, id->fqdn);
    tlv_put_uint(ret, 0x82, id->id_type);
    tlv_put_uint(ret, 0x83, id->counter);
    if (id->token)
        tlv_put(ret, 0x84, rd_of(&minus_one, 1));
    TRY(put_public_key(c, id, ret));
    TRY(put_tls_trust(c, id, ret));
    tlv_put_bits(ret, 0x87, protocol_bits[id->protocol]);
    if (id->ci_pkid.n > 0)
        tlv_put(ret, 0x88, wr_view(&id->ci_pkid));
    if (id->indirect)
        tlv_put(ret, 0x89, rd_str(""));
    return wr_failed(ret);
}

int eim_config_write(struct crypto *c, const struct eim_identity *id, bool request, struct wr *ret)
{
    struct wr_mark outer = { 0 }, list = { 0 };

    if (request) {
        outer = tlv_open(ret, TAG_ADD_INITIAL_EIM);
        list = tlv_open(ret, 0xA0);
    }
    struct wr_mark entry = tlv_open(ret, TAG_SEQUENCE);
    TRY(eim_config_fields(c, id, ret));
    tlv_close(ret, entry);
    if (request) {
        tlv_close(ret, list);
        tlv_close(ret, outer);
    }
    return wr_failed(ret);
}

int eim_config_ca_pem(const struct eim_identity *id, struct wr *ret)
{
    for (size_t i = 0; i < id->n_ci; i++)
        TRY(pem_write("CERTIFICATE", cert_der(id->ci[i]), ret));
    return 0;
}
