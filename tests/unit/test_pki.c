/* test_pki.c - certs/: the test PKI that is compiled in, and a new one in a directory, are whole.
 */
#include <check.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certs/pki.h"
#include "os/err.h"
#include "os/x509.h"
#include "tests/testlib/suite.h"

#define EID "89049032123451234512345678901235"

enum { YEAR_2024 = 1704067200 };

static const char *const suffixes[] = { "NIST", "BRP" };
static const enum curve curves[] = { CURVE_P256, CURVE_BRAINPOOL_P256R1 };

static const struct {
    const char *stem; /* folder and name, %s being CERT, PK or SK */
    enum cert_role role;
    bool committed;
} parties[] = {
    { "CertificateIssuer/%s_CI_ECDSA_%s.%s", ROLE_CI, true },
    { "EUM/%s_EUM_ECDSA_%s.%s", ROLE_EUM, true },
    { "eUICC/%s_EUICC_ECDSA_%s.%s", ROLE_EUICC, true },
    { "DPauth/%s_S_SM_DPauth_ECDSA_%s.%s", ROLE_DP_AUTH, true },
    { "DPauth/%s_S_SM_DP2auth_ECDSA_%s.%s", ROLE_DP_AUTH, true },
    { "DPpb/%s_S_SM_DPpb_ECDSA_%s.%s", ROLE_DP_PB, true },
    { "DPpb/%s_S_SM_DP2pb_ECDSA_%s.%s", ROLE_DP_PB, true },
    { "DSauth/%s_S_SM_DSauth_ECDSA_%s.%s", ROLE_DS_AUTH, true },
    { "EIMsign/%s_S_EIMsign_ECDSA_%s.%s", ROLE_NONE, true },
    { "DPtls/%s_S_SM_DP_TLS_%s.%s", ROLE_DP_TLS, false },
};

static struct crypto *c;
static char root[] = "/tmp/softeuicc-pki-XXXXXX";
static char dir[64];

static void set_up(void)
{
    c = crypto_new(rd_of(NULL, 0));
    ck_assert_ptr_nonnull(c);
    strcpy(root + sizeof root - sizeof "XXXXXX", "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    snprintf(dir, sizeof dir, "%s/pki", root);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static void tear_down(void)
{
    nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    crypto_free(&c);
}

static struct rd read_one(const struct pki *pki, size_t party, const char *kind, const char *end,
                          size_t curve, uint8_t octets[2048])
{
    char name[128];
    struct wr w;

    snprintf(name, sizeof name, parties[party].stem, kind, suffixes[curve], end);
    wr_init(&w, octets, 2048);
    if (pki_read(pki, name, &w) != 0)
        ck_abort_msg("%s", pki_reason(pki));
    return wr_view(&w);
}

static struct cert *read_cert(const struct pki *pki, size_t party, size_t curve)
{
    uint8_t octets[2048];
    const char *reason = "";
    struct cert *cert = NULL;

    if (cert_parse(c, read_one(pki, party, "CERT", "der", curve, octets), &cert, &reason) != 0)
        ck_abort_msg("%s: %s", parties[party].stem, reason);
    ck_assert_int_eq(cert_curve(cert), curves[curve]);
    return cert;
}

static void check_key(const struct pki *pki, size_t party, size_t curve, const struct cert *cert)
{
    uint8_t octets[2048], point[EC_POINT_LEN], certified[EC_POINT_LEN];
    struct ec_key *key = NULL;

    ck_assert_int_eq(ec_key_read(c, read_one(pki, party, "SK", "pem", curve, octets), &key), 0);
    ec_key_point(key, point);
    ec_pub_point(cert_key(cert), certified);
    ck_assert_mem_eq(point, certified, sizeof point);
    ec_key_free(&key);
    if (parties[party].role != ROLE_CI) {
        uint8_t pem[512];
        struct wr w;
        wr_init(&w, pem, sizeof pem);
        ck_assert_int_eq(ec_pub_write_pem(cert_key(cert), &w), 0);
        ck_assert(rd_equal(wr_view(&w), read_one(pki, party, "PK", "pem", curve, octets)));
    }
}

static void check_whole(const struct pki *pki, size_t curve, bool with_tls)
{
    struct cert *ci = read_cert(pki, 0, curve), *eum = read_cert(pki, 1, curve);

    for (size_t i = 0; i < N_ELEMS(parties); i++) {
        if (!parties[i].committed && !with_tls)
            continue;
        struct cert *cert = read_cert(pki, i, curve);
        const struct cert *issuer = parties[i].role == ROLE_EUICC ? eum : ci;
        const char *reason =
            cert_check(c, cert, parties[i].role, cert_key(issuer), cert_ski(issuer));
        if (parties[i].role == ROLE_NONE) /* an eIM has no certificatePolicies to check */
            ck_assert(rd_equal(cert_aki(cert), cert_ski(ci)));
        else if (reason != NULL)
            ck_abort_msg("%s: %s", parties[i].stem, reason);
        if (parties[i].role == ROLE_EUICC) {
            ck_assert_ptr_null(cert_check_eum_constraints(eum, cert));
            ck_assert_str_eq(cert_subject_serial(cert), EID);
        }
        check_key(pki, i, curve, cert);
        cert_free(&cert);
    }
    cert_free(&eum);
    cert_free(&ci);
}

START_TEST(compiled_in_pki_is_whole)
{
    struct pki *pki = NULL;
    uint8_t octets[4096];
    struct wr w;

    ck_assert_int_eq(pki_open(NULL, &pki), 0);
    check_whole(pki, (size_t)_i, false);
    wr_init(&w, octets, sizeof octets);
    ck_assert_int_eq(pki_read(pki, "CertificateIssuer/CERT_CI_ECDSA_NIST.pem", &w), 0);
    ck_assert_int_eq(pki_read(pki, "DPtls/CERT_S_SM_DP_TLS_NIST.der", &w), ERR_INPUT);
    pki_close(&pki);
    ck_assert_ptr_null(pki);
}
END_TEST

START_TEST(a_new_pki_is_whole_and_its_keys_are_private)
{
    char error[256], path[128];
    struct pki *pki = NULL;
    struct stat st;

    if (pki_make(c, dir, YEAR_2024, error, sizeof error) != 0)
        ck_abort_msg("%s", error);
    ck_assert_int_eq(pki_open(dir, &pki), 0);
    for (size_t curve = 0; curve < N_ELEMS(curves); curve++)
        check_whole(pki, curve, true);
    pki_close(&pki);
    snprintf(path, sizeof path, "%s/EUM/SK_EUM_ECDSA_BRP.pem", dir);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(a_new_pki_does_not_touch_what_is_there)
{
    char error[256] = "", path[128];

    snprintf(path, sizeof path, "%s/occupied", root);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(pki_make(c, root, YEAR_2024, error, sizeof error), ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(error, "not empty"));
    ck_assert_int_eq(pki_make(c, "/dev/null/pki", YEAR_2024, error, sizeof error), ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(error, "/dev/null/pki: "));
    ck_assert_int_eq(pki_make(c, path, YEAR_2024, error, sizeof error), 0); /* empty: fine */
}
END_TEST

START_TEST(says_what_it_cannot_read)
{
    char path[128];
    uint8_t octets[16];
    struct pki *pki = NULL;
    struct wr w;

    ck_assert_int_eq(pki_open(dir, &pki), ERR_INPUT);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_int_eq(pki_open("/dev/null", &pki), ERR_INPUT);
    ck_assert_ptr_null(pki);
    ck_assert_int_eq(pki_open(root, &pki), 0);
    wr_init(&w, octets, sizeof octets);
    wr_put_u8(&w, 1);
    ck_assert_int_eq(pki_read(pki, "EUM/absent.der", &w), ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(pki_reason(pki), "EUM/absent.der: No such file"));
    snprintf(path, sizeof path, "%s/large", root);
    FILE *f = fopen(path, "wb");
    for (int i = 0; i <= PKI_MAX_FILE; i++)
        fputc(0, f);
    fclose(f);
    ck_assert_int_eq(pki_read(pki, "large", &w), ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(pki_reason(pki), "large: more than 65536 octets"));
    ck_assert_uint_eq(w.n, 1);
    ck_assert_int_eq(wr_failed(&w), 0);
    pki_close(&pki);
    ck_assert_int_eq(pki_open(NULL, &pki), 0);
    wr_init(&w, octets, sizeof octets);
    ck_assert_int_eq(pki_read(pki, "EUM/absent.der", &w), ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(pki_reason(pki), "EUM/absent.der: not in the built-in"));
    ck_assert_int_eq(pki_read(pki, "EUM/CERT_EUM_ECDSA_NIST.der", &w), ERR_NOMEM);
    pki_close(&pki);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pki");
    TCase *cases = tcase_create("pki");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_loop_test(cases, compiled_in_pki_is_whole, 0, N_ELEMS(curves));
    tcase_add_test(cases, a_new_pki_is_whole_and_its_keys_are_private);
    tcase_add_test(cases, a_new_pki_does_not_touch_what_is_there);
    tcase_add_test(cases, says_what_it_cannot_read);
    suite_add_tcase(suite, cases);
    return suite_status(suite);
}
