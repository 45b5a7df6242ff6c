/* tls_trust.c - whether the server is who the caller trusts.
 *
 * Chains to a GSMA CI are walked here, because the eUICC holds the CI's key and its identifier but
 * not its certificate (SGP.22 2.4.2); chains to a pinned certificate are OpenSSL's to verify. Names
 * are compared whole, without wildcards, with the subjectAltName alone.
 *
 * State: struct trust, in struct tls. */
#include "os/tls_trust.h"

#include <string.h>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "os/crypto_openssl.h"
#include "os/err.h"
#include "os/x509_der.h"

enum {
    MAX_SPKI = 1024,
    MAX_CERT = 16 * 1024,
    MAX_CAS = 3, /* between a leaf and its CI */
    MAX_DEPTH = 6,
    NAME_FLAGS = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS,
};

static int failed(int err)
{
    ERR_clear_error();
    return err;
}

/* --- what is trusted ------------------------------------------------------------------------ */

static int copy_name(struct trust *t, const char *name)
{
    uint8_t address[16];
    size_t n = name != NULL ? strlen(name) : 0;

    if (n == 0)
        return t->kind == TLS_TRUST_SPKI ? 0 : ERR_INPUT;
    if (n > TLS_MAX_NAME)
        return ERR_INPUT;
    memcpy(t->server_name, name, n + 1);
    t->is_address =
        inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
    return 0;
}

static int parse_certificate(struct trust *t, struct rd der)
{
    const unsigned char *p = der.p;

    if (der.n == 0 || der.n > MAX_CERT)
        return ERR_INPUT;
    t->pinned = X509_new_ex(crypto_libctx(t->crypto), NULL);
    if (t->pinned == NULL)
        return failed(ERR_NOMEM);
    if (d2i_X509(&t->pinned, &p, (long)der.n) == NULL) {
        t->pinned = NULL; /* d2i_X509() freed it */
        return failed(ERR_INPUT);
    }
    return p == der.p + der.n ? 0 : ERR_INPUT;
}

void trust_cache_done(struct trust_cache *cache)
{
    wr_done(&cache->der);
    X509_free(cache->certificate);
    cache->certificate = NULL;
}

static void keep_certificate(struct trust_cache *cache, X509 *certificate, struct rd der)
{
    trust_cache_done(cache);
    wr_init_heap(&cache->der, MAX_CERT);
    wr_put_rd(&cache->der, der);
    if (wr_failed(&cache->der) == 0 && X509_up_ref(certificate) == 1)
        cache->certificate = certificate;
}

static int copy_certificate(struct trust *t, struct rd der, struct trust_cache *cache)
{
    if (cache->certificate != NULL && rd_equal(wr_view(&cache->der), der) &&
        X509_up_ref(cache->certificate) == 1) {
        t->pinned = cache->certificate;
        return 0;
    }
    TRY(parse_certificate(t, der));
    keep_certificate(cache, t->pinned, der);
    return 0;
}

static int copy_cis(struct trust *t, const struct tls_trust *from)
{
    if (from->n_cis == 0 || from->n_cis > TLS_MAX_CI)
        return ERR_INPUT;
    for (size_t i = 0; i < from->n_cis; i++) {
        if (from->cis[i].key == NULL || from->cis[i].ski.n != SKI_LEN)
            return ERR_INPUT;
        memcpy(t->skis[i], from->cis[i].ski.p, SKI_LEN);
        t->cis[i] = (struct tls_ci){ rd_of(t->skis[i], SKI_LEN), from->cis[i].key };
    }
    t->n_cis = from->n_cis;
    t->roles = from->roles;
    return 0;
}

int trust_init(struct trust *t, struct crypto *c, const struct tls_options *options,
               struct trust_cache *cache)
{
    const struct tls_trust *from = &options->trust;

    *t = (struct trust){ .crypto = c, .kind = from->kind, .now = options->now };
    wr_init_heap(&t->spki, MAX_SPKI);
    TRY(copy_name(t, options->server_name));
    switch (from->kind) {
    case TLS_TRUST_SPKI:
        wr_put_rd(&t->spki, from->pinned);
        return t->spki.n > 0 && wr_failed(&t->spki) == 0 ? 0 : ERR_INPUT;
    case TLS_TRUST_CERTIFICATE:
        return copy_certificate(t, from->pinned, cache);
    case TLS_TRUST_CI:
        return copy_cis(t, from);
    default:
        return ERR_INPUT;
    }
}

void trust_done(struct trust *t)
{
    wr_done(&t->spki);
    X509_free(t->pinned);
    t->pinned = NULL;
}

/* Each part with its length, so that none runs into the next. */
static void put_part(struct wr *w, struct rd part)
{
    wr_put_u8(w, (uint8_t)(part.n >> 8));
    wr_put_u8(w, (uint8_t)part.n);
    wr_put_rd(w, part);
}

int trust_digest(const struct trust *t, bool datagram, uint8_t ret[SHA256_LEN])
{
    const uint8_t kinds[] = { (uint8_t)t->kind, datagram, (uint8_t)(t->roles >> 8),
                              (uint8_t)t->roles };
    uint8_t pinned[SHA256_LEN], octets[1024];
    struct wr w;

    wr_init(&w, octets, sizeof octets);
    put_part(&w, rd_of(kinds, sizeof kinds));
    put_part(&w, rd_str(t->server_name));
    const struct rd spki = wr_view(&t->spki);
    TRY(crypto_sha256(t->crypto, &spki, 1, pinned));
    put_part(&w, rd_of(pinned, sizeof pinned));
    if (t->pinned != NULL) {
        if (X509_digest(t->pinned, EVP_sha256(), pinned, NULL) != 1)
            return failed(ERR_CRYPTO);
        put_part(&w, rd_of(pinned, sizeof pinned));
    }
    for (size_t i = 0; i < t->n_cis; i++)
        put_part(&w, t->cis[i].ski);
    TRY(wr_failed(&w));
    const struct rd all = wr_view(&w);
    return crypto_sha256(t->crypto, &all, 1, ret);
}

/* --- checks --------------------------------------------------------------------------------- */

static const char *refuse(X509_STORE_CTX *ctx, int code, const char *reason)
{
    X509_STORE_CTX_set_error(ctx, code);
    ERR_clear_error();
    return reason;
}

static const char *check_spki(const struct trust *t, X509_STORE_CTX *ctx, X509 *leaf)
{
    unsigned char *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &der);
    bool same = n > 0 && rd_equal(rd_of(der, (size_t)n), wr_view(&t->spki));

    OPENSSL_free(der);
    if (!same)
        return refuse(ctx, X509_V_ERR_CERT_REJECTED,
                      "public key is not the trusted one (trustedEimPkTls, SGP.32 2.6.3)");
    return NULL;
}

static const char *check_name(const struct trust *t, X509_STORE_CTX *ctx, X509 *leaf)
{
    int found = t->is_address ? X509_check_ip_asc(leaf, t->server_name, 0)
                              : X509_check_host(leaf, t->server_name, 0, NAME_FLAGS, NULL);

    if (found == 1)
        return NULL;
    return refuse(ctx,
                  t->is_address ? X509_V_ERR_IP_ADDRESS_MISMATCH : X509_V_ERR_HOSTNAME_MISMATCH,
                  "subjectAltName is without the server's name (RFC 6125 6.4)");
}

static const char *check_anchor(const struct trust *t, X509_STORE_CTX *ctx, X509 *leaf)
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    STACK_OF(X509) *anchors = sk_X509_new_null();
    const char *reason = NULL;

    if (X509_cmp(leaf, t->pinned) == 0) {
        sk_X509_free(anchors);
        return NULL;
    }
    if (anchors == NULL || sk_X509_push(anchors, t->pinned) <= 0) {
        sk_X509_free(anchors);
        return refuse(ctx, X509_V_ERR_OUT_OF_MEM, "out of memory");
    }
    X509_VERIFY_PARAM_set_depth(param, MAX_DEPTH);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
    if (t->now != 0)
        X509_VERIFY_PARAM_set_time(param, (time_t)t->now);
    else
        X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_NO_CHECK_TIME);
    X509_STORE_CTX_set0_trusted_stack(ctx, anchors);
    if (X509_verify_cert(ctx) != 1) {
        int code = X509_STORE_CTX_get_error(ctx);
        if (code == X509_V_OK)
            code = X509_V_ERR_UNSPECIFIED;
        reason = refuse(ctx, code, X509_verify_cert_error_string(code));
    }
    sk_X509_free(anchors); /* OpenSSL is through with it: the callback verifies once */
    return reason != NULL ? reason : check_name(t, ctx, leaf);
}

static const char *check_dates(const struct trust *t, X509_STORE_CTX *ctx, X509 *cert)
{
    time_t now = (time_t)t->now;

    if (t->now == 0)
        return NULL;
    if (X509_cmp_time(X509_get0_notBefore(cert), &now) >= 0)
        return refuse(ctx, X509_V_ERR_CERT_NOT_YET_VALID, "not valid yet (RFC 5280 4.1.2.5)");
    if (X509_cmp_time(X509_get0_notAfter(cert), &now) <= 0)
        return refuse(ctx, X509_V_ERR_CERT_HAS_EXPIRED, "expired (RFC 5280 4.1.2.5)");
    return NULL;
}

static struct rd octets_of(const ASN1_OCTET_STRING *s)
{
    if (s == NULL)
        return rd_of(NULL, 0);
    return rd_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

static const struct tls_ci *find_ci(const struct trust *t, struct rd aki)
{
    for (size_t i = 0; i < t->n_cis; i++)
        if (rd_equal(t->cis[i].ski, aki))
            return &t->cis[i];
    return NULL;
}

/* The CA in the presented chain with this key identifier. */
static X509 *find_ca(X509_STORE_CTX *ctx, struct rd aki)
{
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_untrusted(ctx);

    for (int i = 0; aki.n > 0 && i < sk_X509_num(chain); i++) {
        X509 *cert = sk_X509_value(chain, i);
        if (rd_equal(octets_of(X509_get0_subject_key_id(cert)), aki) && X509_check_ca(cert) == 1)
            return cert;
    }
    return NULL;
}

static int parse(const struct trust *t, X509 *cert, struct cert **ret, const char **ret_reason)
{
    unsigned char *der = NULL;
    int n = i2d_X509(cert, &der);

    if (n <= 0)
        return failed(ERR_CRYPTO);
    int result = cert_parse(t->crypto, rd_of(der, (size_t)n), ret, ret_reason);
    OPENSSL_free(der);
    return result;
}

/* Signed with this key; the algorithm is ecdsa-with-SHA256, or it would not have been parsed. */
static bool is_signed(const struct trust *t, const struct cert *cert, const struct ec_pub *issuer)
{
    struct signed_object object;

    return der_signed_object(cert_der(cert), &object) == 0 &&
           ecdsa_verify(t->crypto, issuer, &object.tbs, 1,
                        rd_of(object.signature, sizeof object.signature));
}

/* A leaf of the profile of SGP.22 4.5.2.1 for TLS, or, when no role is asked for, one that may sign
 * in a handshake. */
static const char *check_leaf(const struct trust *t, X509_STORE_CTX *ctx, X509 *x,
                              const struct cert *leaf, const struct ec_pub *issuer, struct rd ski)
{
    const char *reason = NULL;
    enum cert_role role = (enum cert_role)(cert_roles(leaf) & t->roles);

    if (!(X509_get_extension_flags(x) & EXFLAG_XKUSAGE) ||
        !(X509_get_extended_key_usage(x) & XKU_SSL_SERVER))
        return refuse(ctx, X509_V_ERR_INVALID_PURPOSE,
                      "extendedKeyUsage is without serverAuth (SGP.22 4.5.2.1)");
    if (cert_key(leaf) == NULL)
        return refuse(ctx, X509_V_ERR_CERT_REJECTED,
                      "the key is on none of the curves (SGP.22 2.6.7.1)");
    if (t->roles != 0)
        reason = role != ROLE_NONE ? cert_check(t->crypto, leaf, role, issuer, ski)
                                   : "certificatePolicies names no TLS server (SGP.22 4.5.2.1)";
    else if (X509_check_ca(x) != 0 || !(X509_get_key_usage(x) & X509v3_KU_DIGITAL_SIGNATURE))
        reason = "keyUsage is without digitalSignature, or a CA (RFC 5280 4.2.1.3)";
    else if (!is_signed(t, leaf, issuer))
        reason = "signature does not verify under the issuer's key";
    return reason != NULL ? refuse(ctx, X509_V_ERR_CERT_REJECTED, reason) : NULL;
}

/* A CA with `below` CAs between it and the leaf. */
static const char *check_ca(const struct trust *t, X509_STORE_CTX *ctx, X509 *x,
                            const struct cert *ca, const struct ec_pub *issuer, long below)
{
    long pathlen = X509_get_pathlen(x);

    if (X509_check_ca(x) != 1 || !(X509_get_key_usage(x) & X509v3_KU_KEY_CERT_SIGN))
        return refuse(ctx, X509_V_ERR_INVALID_CA, "issuer is no CA (RFC 5280 4.2.1.9)");
    if (pathlen >= 0 && pathlen < below)
        return refuse(ctx, X509_V_ERR_PATH_LENGTH_EXCEEDED,
                      "more CAs than pathLenConstraint allows (RFC 5280 4.2.1.9)");
    if (!is_signed(t, ca, issuer))
        return refuse(ctx, X509_V_ERR_CERT_REJECTED,
                      "a CA's signature does not verify under its issuer's key");
    return NULL;
}

static const char *walk(const struct trust *t, X509_STORE_CTX *ctx, X509 *x, unsigned depth);

/* x, as cert: under the CI of its authorityKeyIdentifier, or under a CA that was presented. */
static const char *check_under(const struct trust *t, X509_STORE_CTX *ctx, X509 *x,
                               const struct cert *cert, unsigned depth)
{
    const struct tls_ci *ci = find_ci(t, cert_aki(cert));
    struct cert *ca = NULL;
    const char *reason = NULL;
    struct tls_ci issuer;

    if (ci != NULL) {
        issuer = *ci;
    } else {
        X509 *presented = depth < MAX_CAS ? find_ca(ctx, cert_aki(cert)) : NULL;
        if (presented == NULL)
            return refuse(ctx, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
                          "chain ends at no CI of the eUICC: authorityKeyIdentifier is none of its "
                          "CI PKIDs (SGP.22 4.5.2.1)");
        reason = walk(t, ctx, presented, depth + 1);
        if (reason != NULL)
            return reason;
        if (parse(t, presented, &ca, &reason) != 0)
            return refuse(ctx, X509_V_ERR_CERT_REJECTED, reason != NULL ? reason : "unreadable");
        issuer = (struct tls_ci){ cert_ski(ca), cert_key(ca) };
    }
    if (issuer.key == NULL)
        reason = refuse(ctx, X509_V_ERR_CERT_REJECTED, "issuer's curve is not known");
    else if (depth == 0)
        reason = check_leaf(t, ctx, x, cert, issuer.key, issuer.ski);
    else
        reason = check_ca(t, ctx, x, cert, issuer.key, (long)depth - 1);
    cert_free(&ca);
    return reason;
}

/* From the leaf (depth 0) up; the checks run from the CI down. */
static const char *walk(const struct trust *t, X509_STORE_CTX *ctx, X509 *x, unsigned depth)
{
    struct cert *cert = NULL;
    const char *reason = "unreadable";

    if (parse(t, x, &cert, &reason) != 0)
        return refuse(ctx, X509_V_ERR_CERT_REJECTED, reason);
    reason = check_dates(t, ctx, x);
    if (reason == NULL)
        reason = check_under(t, ctx, x, cert, depth);
    cert_free(&cert);
    return reason;
}

static const char *check_ci(const struct trust *t, X509_STORE_CTX *ctx, X509 *leaf)
{
    const char *reason = walk(t, ctx, leaf, 0);

    return reason != NULL ? reason : check_name(t, ctx, leaf);
}

const char *trust_check(const struct trust *t, struct x509_store_ctx_st *ctx)
{
    X509 *leaf = X509_STORE_CTX_get0_cert(ctx);

    X509_STORE_CTX_set_error(ctx, X509_V_OK);
    if (leaf == NULL)
        return refuse(ctx, X509_V_ERR_UNSPECIFIED, "no certificate");
    switch (t->kind) {
    case TLS_TRUST_SPKI:
        return check_spki(t, ctx, leaf);
    case TLS_TRUST_CERTIFICATE:
        return check_anchor(t, ctx, leaf);
    case TLS_TRUST_CI:
        return check_ci(t, ctx, leaf);
    default:
        return refuse(ctx, X509_V_ERR_UNSPECIFIED, "nothing is trusted");
    }
}
