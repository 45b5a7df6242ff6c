/* pki_make.c - makes a test PKI in the layout of SGP.26 v1: parties[] says who is in it.
 *
 * No state beyond one call. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certs/pki.h"
#include "os/err.h"
#include "os/trace.h"
#include "os/x509.h"

#define DEFAULT_EID      "89049032123451234512345678901235"
#define EUM_ORGANIZATION "softeuicc test EUM"
#define EUM_IIN          "89049032"
#define CRL_URL          "http://ci.test.example.com/CRL.crl"

enum {
    MAX_PATH = 1024,
    MAX_CERT = 2048,
    MAX_PEM = 4096,
    DAY = 24 * 3600,
    YEARS_40 = 40 * 365 + 10, /* days; with the leap days */
    YEARS_39 = 39 * 365 + 9,
    TLS_DAYS = 398, /* more and TLS clients refuse */
};

/* 9999-12-31 23:59:59, "no well-defined expiration date" (RFC 5280 4.1.2.5). */
static const int64_t never = INT64_C(253402300799);

enum issued_by { BY_ITSELF, BY_CI, BY_EUM };

/* In this order they are issued: issuers first. */
static const struct party {
    const char *folder;
    const char *name; /* CERT_<name>_<curve>.der */
    enum issued_by issuer;
    int days;                    /* 0: never expires */
    struct cert_request request; /* without keys, issuer, dates and serial number */
} parties[] = {
    { "CertificateIssuer",
      "CI_ECDSA",
      BY_ITSELF,
      YEARS_40,
      { .role = ROLE_CI,
        .organization = "softeuicc test",
        .organizational_unit = "TEST ONLY",
        .common_name = "softeuicc Test CI",
        .oid = "2.999.1",
        .crl_url = CRL_URL } },
    { "EUM",
      "EUM_ECDSA",
      BY_CI,
      YEARS_39,
      { .role = ROLE_EUM,
        .country = "ZZ",
        .organization = EUM_ORGANIZATION,
        .common_name = "softeuicc Test EUM",
        .oid = "2.999.5",
        .name_constraint_o = EUM_ORGANIZATION,
        .name_constraint_iin = EUM_IIN,
        .crl_url = CRL_URL } },
    { "eUICC",
      "EUICC_ECDSA",
      BY_EUM,
      0,
      { .role = ROLE_EUICC,
        .country = "ZZ",
        .organization = EUM_ORGANIZATION,
        .common_name = "softeuicc Test eUICC",
        .subject_serial = DEFAULT_EID } },
    { "DPauth",
      "S_SM_DPauth_ECDSA",
      BY_CI,
      YEARS_39,
      { .role = ROLE_DP_AUTH,
        .organization = "softeuicc test",
        .common_name = "softeuicc Test SM-DP+",
        .oid = "2.999.10",
        .crl_url = CRL_URL } },
    { "DPpb",
      "S_SM_DPpb_ECDSA",
      BY_CI,
      YEARS_39,
      { .role = ROLE_DP_PB,
        .organization = "softeuicc test",
        .common_name = "softeuicc Test SM-DP+",
        .oid = "2.999.10",
        .crl_url = CRL_URL } },
    { "DPauth",
      "S_SM_DP2auth_ECDSA",
      BY_CI,
      YEARS_39,
      { .role = ROLE_DP_AUTH,
        .organization = "softeuicc test",
        .common_name = "softeuicc Test SM-DP+2",
        .oid = "2.999.12",
        .crl_url = CRL_URL } },
    { "DPpb",
      "S_SM_DP2pb_ECDSA",
      BY_CI,
      YEARS_39,
      { .role = ROLE_DP_PB,
        .organization = "softeuicc test",
        .common_name = "softeuicc Test SM-DP+2",
        .oid = "2.999.12",
        .crl_url = CRL_URL } },
    { "DPtls",
      "S_SM_DP_TLS",
      BY_CI,
      TLS_DAYS,
      { .role = ROLE_DP_TLS,
        .organization = "softeuicc test",
        .common_name = "testsmdpplus1.example.com",
        .dns_name = "testsmdpplus1.example.com",
        .oid = "2.999.10",
        .crl_url = CRL_URL } },
    { "DSauth",
      "S_SM_DSauth_ECDSA",
      BY_CI,
      YEARS_39,
      { .role = ROLE_DS_AUTH,
        .organization = "softeuicc test",
        .common_name = "softeuicc Test SM-DS",
        .oid = "2.999.15",
        .crl_url = CRL_URL } },
    { "EIMsign",
      "S_EIMsign_ECDSA",
      BY_CI,
      YEARS_39,
      { .role = ROLE_NONE, .organization = "softeuicc test", .common_name = "eim.example.com" } },
};

/* One curve of one directory in the making. */
struct maker {
    struct crypto *crypto;
    const char *dir;
    int64_t now;
    enum curve curve;
    const char *suffix;
    struct ec_key *keys[3]; /* of the issuers, by enum issued_by */
    struct cert *certs[3];
    char *error;
    size_t error_size;
};

static int explain(struct maker *m, int err, const char *fmt, ...) TRACE_PRINTF(3, 4);

static int explain(struct maker *m, int err, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(m->error, m->error_size, fmt, args);
    va_end(args);
    return err;
}

/* --- files ---------------------------------------------------------------------------------- */

static int make_folder(struct maker *m, const char *path)
{
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return explain(m, ERR_INPUT, "%s: %s", path, strerror(errno));
    return 0;
}

static int check_empty(struct maker *m)
{
    const struct dirent *entry;
    bool empty = true;

    TRY(make_folder(m, m->dir));
    DIR *dir = opendir(m->dir);
    if (dir == NULL)
        return explain(m, ERR_INPUT, "%s: %s", m->dir, strerror(errno));
    while ((entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            empty = false;
    closedir(dir);
    return empty ? 0 : explain(m, ERR_INPUT, "%s: the directory is not empty", m->dir);
}

static int write_all(int fd, struct rd octets)
{
    while (octets.n > 0) {
        ssize_t n = write(fd, octets.p, octets.n);
        if (n < 0)
            return ERR_INPUT;
        octets = rd_of(octets.p + n, octets.n - (size_t)n);
    }
    return 0;
}

static int put_file(struct maker *m, const struct party *party, const char *kind, const char *end,
                    struct rd octets)
{
    const mode_t mode = strcmp(kind, "SK") == 0 ? 0600 : 0666;
    char path[MAX_PATH];

    int n = snprintf(path, sizeof path, "%s/%s/%s_%s_%s.%s", m->dir, party->folder, kind,
                     party->name, m->suffix, end);
    if (n < 0 || (size_t)n >= sizeof path)
        return explain(m, ERR_INPUT, "%s: path too long", m->dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    int result = fd >= 0 ? write_all(fd, octets) : ERR_INPUT;
    if (result != 0)
        explain(m, result, "%s: %s", path, strerror(errno));
    if (fd >= 0 && close(fd) != 0 && result == 0)
        result = explain(m, ERR_INPUT, "%s: %s", path, strerror(errno));
    return result;
}

/* --- parties -------------------------------------------------------------------------------- */

/* 63 random bits, so that no issuer numbers two certificates alike. */
static int draw_serial(struct crypto *c, uint64_t *ret)
{
    uint8_t octets[8];
    uint64_t serial = 0;

    TRY(crypto_random(c, octets, sizeof octets));
    for (size_t i = 0; i < sizeof octets; i++)
        serial = serial << 8 | octets[i];
    *ret = (serial >> 1) | 1;
    return 0;
}

static int put_keys(struct maker *m, const struct party *party, const struct ec_key *key,
                    const struct ec_pub *pub)
{
    uint8_t octets[MAX_PEM];
    struct wr pem;

    wr_init(&pem, octets, sizeof octets);
    int result = ec_key_write_pem(m->crypto, key, &pem);
    if (result == 0)
        result = put_file(m, party, "SK", "pem", wr_view(&pem));
    crypto_wipe(octets, sizeof octets);
    if (result != 0 || party->issuer == BY_ITSELF) /* SGP.26 has no PK file of the CI */
        return result;
    wr_clear(&pem);
    TRY(ec_pub_write_pem(pub, &pem));
    return put_file(m, party, "PK", "pem", wr_view(&pem));
}

static int put_cert(struct maker *m, const struct party *party, struct rd der)
{
    uint8_t octets[MAX_PEM];
    struct wr pem;

    TRY(put_file(m, party, "CERT", "der", der));
    if (party->issuer != BY_ITSELF)
        return 0;
    wr_init(&pem, octets, sizeof octets);
    TRY(pem_write("CERTIFICATE", der, &pem));
    return put_file(m, party, "CERT", "pem", wr_view(&pem));
}

static int issue(struct maker *m, const struct party *party, const struct ec_key *key,
                 const struct ec_pub *pub, struct wr *ret)
{
    struct cert_request req = party->request;

    req.key = pub;
    req.issuer_key = party->issuer == BY_ITSELF ? key : m->keys[party->issuer];
    req.issuer = m->certs[party->issuer];
    req.not_before = m->now;
    req.not_after = party->days > 0 ? m->now + (int64_t)party->days * DAY : never;
    TRY(draw_serial(m->crypto, &req.serial));
    return cert_issue(m->crypto, &req, ret);
}

/* Keeps key and certificate when later parties are issued by this one. */
static int keep_issuer(struct maker *m, const struct party *party, struct ec_key **key,
                       struct rd der)
{
    enum issued_by as = party->request.role == ROLE_CI ? BY_CI : BY_EUM;
    const char *reason;

    if (!(party->request.role & (ROLE_CI | ROLE_EUM)))
        return 0;
    TRY(cert_parse(m->crypto, der, &m->certs[as], &reason));
    m->keys[as] = *key;
    *key = NULL;
    return 0;
}

static int make_party(struct maker *m, const struct party *party)
{
    uint8_t octets[MAX_CERT], point[EC_POINT_LEN];
    struct ec_key *key = NULL;
    struct ec_pub *pub = NULL;
    char path[MAX_PATH];
    struct wr der;

    int n = snprintf(path, sizeof path, "%s/%s", m->dir, party->folder);
    if (n < 0 || (size_t)n >= sizeof path)
        return explain(m, ERR_INPUT, "%s: path too long", m->dir);
    TRY(make_folder(m, path));
    TRY(ec_key_generate(m->crypto, m->curve, &key));
    ec_key_point(key, point);
    wr_init(&der, octets, sizeof octets);
    int result = ec_pub_from_point(m->crypto, m->curve, rd_of(point, sizeof point), &pub);
    if (result == 0)
        result = issue(m, party, key, pub, &der);
    if (result == 0)
        result = put_keys(m, party, key, pub);
    if (result == 0)
        result = put_cert(m, party, wr_view(&der));
    if (result == 0)
        result = keep_issuer(m, party, &key, wr_view(&der));
    ec_pub_free(&pub);
    ec_key_free(&key);
    return result;
}

static int make_curve(struct maker *m)
{
    int result = 0;

    for (size_t i = 0; i < N_ELEMS(parties) && result == 0; i++)
        result = make_party(m, &parties[i]);
    for (size_t i = 0; i < N_ELEMS(m->keys); i++) {
        cert_free(&m->certs[i]);
        ec_key_free(&m->keys[i]);
    }
    return result;
}

int pki_make(struct crypto *c, const char *dir, int64_t now, char *error, size_t error_size)
{
    static const struct {
        enum curve curve;
        const char *suffix;
    } curves[] = { { CURVE_P256, "NIST" }, { CURVE_BRAINPOOL_P256R1, "BRP" } };
    struct maker m = {
        .crypto = c, .dir = dir, .now = now, .error = error, .error_size = error_size
    };

    explain(&m, 0, "%s", "");
    TRY(check_empty(&m));
    for (size_t i = 0; i < N_ELEMS(curves); i++) {
        m.curve = curves[i].curve;
        m.suffix = curves[i].suffix;
        int result = make_curve(&m);
        if (result != 0 && error_size > 0 && error[0] == '\0')
            explain(&m, result, "%s: %s", dir, err_name(result));
        TRY(result);
    }
    return 0;
}
