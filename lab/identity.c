/* identity.c - who an SM-DP+ or an SM-DS is (SGP.22 4.5.2.1; file names of SGP.26 v1). */
#include "lab/identity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <arpa/inet.h>

#include "certs/pki.h"
#include "os/err.h"

enum {
    NAME_LEN = 80,
    DAY = 24 * 3600,
    VALID_DAYS = 365,
};

int identity_open_pki(const char *dir, struct pki **ret, struct lab_error *e)
{
    errno = 0;
    if (pki_open(dir, ret) != 0)
        return lab_fail(e, "%s: %s", dir != NULL ? dir : "test PKI",
                        errno != 0 ? strerror(errno) : "cannot be opened");
    return 0;
}

/* File name of this curve: PATTERN_NIST.der and the like. */
static int read_file(const struct pki *pki, const char *pattern, enum curve curve,
                     const char *suffix, struct wr *ret, struct lab_error *e)
{
    char name[NAME_LEN];

    snprintf(name, sizeof name, "%s_%s%s", pattern, curve == CURVE_P256 ? "NIST" : "BRP", suffix);
    return pki_read(pki, name, ret) == 0 ? 0 : lab_fail(e, "%s", pki_reason(pki));
}

static int read_cert(struct crypto *c, const struct pki *pki, const char *pattern, enum curve curve,
                     struct cert **ret, struct lab_error *e)
{
    const char *why = NULL;
    struct wr der;

    wr_init_heap(&der, PKI_MAX_FILE);
    int r = read_file(pki, pattern, curve, ".der", &der, e);
    if (r == 0 && cert_parse(c, wr_view(&der), ret, &why) != 0)
        r = lab_fail(e, "%s: %s", pattern, why);
    wr_done(&der);
    return r;
}

static int read_key(struct crypto *c, const struct pki *pki, const char *pattern, enum curve curve,
                    struct ec_key **ret, struct lab_error *e)
{
    struct wr pem;

    wr_init_heap(&pem, PKI_MAX_FILE);
    int r = read_file(pki, pattern, curve, ".pem", &pem, e);
    if (r == 0 && ec_key_read(c, wr_view(&pem), ret) != 0)
        r = lab_fail(e, "%s: not a private key", pattern);
    if (pem.n > 0)
        crypto_wipe(pem.p, pem.n);
    wr_done(&pem);
    return r;
}

static int check_smds(struct crypto *c, const struct rsp_identity *id, struct lab_error *e)
{
    const char *why = cert_check(c, id->auth, ROLE_DS_AUTH, cert_key(id->ci), cert_ski(id->ci));

    return why == NULL ? 0 : lab_fail(e, "CERT.DSauth.ECDSA: %s", why);
}

static int check_smdpp(struct crypto *c, const struct rsp_identity *id, struct lab_error *e)
{
    const char *why = cert_check(c, id->auth, ROLE_DP_AUTH, cert_key(id->ci), cert_ski(id->ci));

    if (why != NULL)
        return lab_fail(e, "CERT.DPauth.ECDSA: %s", why);
    why = cert_check(c, id->pb, ROLE_DP_PB, cert_key(id->ci), cert_ski(id->ci));
    if (why != NULL)
        return lab_fail(e, "CERT.DPpb.ECDSA: %s", why);
    if (!rd_equal(cert_oid(id->auth), cert_oid(id->pb)))
        return lab_fail(e, "CERT.DPauth.ECDSA and CERT.DPpb.ECDSA have different OIDs");
    return 0;
}

static int load_smds(struct crypto *c, const struct pki *pki, struct rsp_identity *id,
                     struct lab_error *e)
{
    TRY(read_cert(c, pki, "DSauth/CERT_S_SM_DSauth_ECDSA", id->curve, &id->auth, e));
    TRY(read_key(c, pki, "DSauth/SK_S_SM_DSauth_ECDSA", id->curve, &id->auth_key, e));
    return check_smds(c, id, e);
}

static int load_smdpp(struct crypto *c, const struct pki *pki, struct rsp_identity *id,
                      struct lab_error *e)
{
    TRY(read_cert(c, pki, "DPauth/CERT_S_SM_DPauth_ECDSA", id->curve, &id->auth, e));
    TRY(read_key(c, pki, "DPauth/SK_S_SM_DPauth_ECDSA", id->curve, &id->auth_key, e));
    TRY(read_cert(c, pki, "DPpb/CERT_S_SM_DPpb_ECDSA", id->curve, &id->pb, e));
    TRY(read_key(c, pki, "DPpb/SK_S_SM_DPpb_ECDSA", id->curve, &id->pb_key, e));
    return check_smdpp(c, id, e);
}

int identity_load(struct crypto *c, const struct pki *pki, enum identity_kind kind,
                  enum curve curve, struct rsp_identity *ret, struct lab_error *e)
{
    struct rsp_identity id = { .curve = curve };
    struct lab_error no_ci_key;

    int r = read_cert(c, pki, "CertificateIssuer/CERT_CI_ECDSA", curve, &id.ci, e);
    if (r == 0)
        r = kind == IDENTITY_SMDS ? load_smds(c, pki, &id, e) : load_smdpp(c, pki, &id, e);
    if (r != 0) {
        identity_done(&id);
        return r;
    }
    read_key(c, pki, "CertificateIssuer/SK_CI_ECDSA", curve, &id.ci_key, &no_ci_key);
    *ret = id;
    return 0;
}

void identity_done(struct rsp_identity *identity)
{
    cert_free(&identity->ci);
    ec_key_free(&identity->ci_key);
    cert_free(&identity->auth);
    ec_key_free(&identity->auth_key);
    cert_free(&identity->pb);
    ec_key_free(&identity->pb_key);
}

static int issue(struct crypto *c, const struct rsp_identity *identity, enum cert_role role,
                 const char *host, const struct ec_key *key, struct wr *ret)
{
    uint8_t point[EC_POINT_LEN], any[16];
    struct ec_pub *pub = NULL;
    int64_t now = (int64_t)time(NULL);
    uint64_t serial = 0;
    bool is_address = inet_pton(AF_INET, host, any) == 1 || inet_pton(AF_INET6, host, any) == 1;

    ec_key_point(key, point);
    TRY(crypto_random(c, any, 7));
    for (size_t i = 0; i < 7; i++)
        serial = serial << 8 | any[i];
    TRY(ec_pub_from_point(c, identity->curve, rd_of(point, sizeof point), &pub));
    struct cert_request request = {
        .role = role,
        .key = pub,
        .issuer_key = identity->ci_key,
        .issuer = identity->ci,
        .organization = "softeuicc test",
        .common_name = host,
        .dns_name = is_address ? NULL : host,
        .ip_address = is_address ? host : NULL,
        .not_before = now - DAY,
        .not_after = now + (int64_t)VALID_DAYS * DAY,
        .serial = serial | 1,
    };
    int r = cert_issue(c, &request, ret);
    ec_pub_free(&pub);
    return r;
}

int identity_issue_tls(struct crypto *c, const struct rsp_identity *identity, enum cert_role role,
                       const char *host, struct wr *ret_cert, struct wr *ret_key,
                       struct lab_error *e)
{
    struct ec_key *key = NULL;

    if (identity->ci_key == NULL)
        return lab_fail(e, "the PKI has no key of its CI (SK_CI_ECDSA): no TLS certificate");
    int r = ec_key_generate(c, identity->curve, &key);
    if (r == 0)
        r = issue(c, identity, role, host, key, ret_cert);
    if (r == 0)
        r = ec_key_write_der(c, key, ret_key);
    ec_key_free(&key);
    return r == 0 ? 0 : lab_fail(e, "the TLS certificate for %.100s: %s", host, err_name(r));
}

int identity_read_ci(const struct pki *pki, enum curve curve, struct wr *ret, struct lab_error *e)
{
    return read_file(pki, "CertificateIssuer/CERT_CI_ECDSA", curve, ".der", ret, e);
}
