/* test_x509.c - os/x509: a PKI of the test's own, each rule broken once, and SGP.26's files.
 *
 * With SOFTEUICC_TESTDATA set, the files of its folder sgp26/ are read too. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/x509.h>

#include "os/err.h"
#include "os/tlv.h"
#include "os/x509.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

#define EID "89049032123451234512345678901235"

enum { YEAR_2024 = 1704067200 };

static const char in_order[] = ""; /* what why() gives for a certificate that passes */

static const enum curve both[] = { CURVE_P256, CURVE_BRAINPOOL_P256R1 };

static const enum cert_role roles[] = {
    ROLE_CI, ROLE_EUICC, ROLE_EUM, ROLE_DP_TLS, ROLE_DP_AUTH, ROLE_DP_PB, ROLE_DS_TLS, ROLE_DS_AUTH,
};

static struct crypto *c;

/* One party: its key, its certificate, and the octets of it. */
struct party {
    struct ec_key *key;
    struct cert *cert;
};

static struct party ci, other_ci, eum, euicc, dp;

static void read_cert(struct rd der, struct cert **ret)
{
    const char *reason = "";
    struct rd exact = exact_copy_of(der);

    if (cert_parse(c, exact, ret, &reason) != 0)
        ck_abort_msg("%s", reason);
    exact_free(&exact);
}

static void issue(struct cert_request req, const struct party *issuer, struct party *ret)
{
    uint8_t octets[2048], point[EC_POINT_LEN];
    struct ec_pub *pub = NULL;
    struct wr w;

    ec_key_point(ret->key, point);
    ck_assert_int_eq(ec_pub_from_point(c, ec_key_curve(ret->key), rd_of(point, sizeof point), &pub),
                     0);
    req.key = pub;
    req.issuer_key = issuer != NULL ? issuer->key : ret->key;
    req.issuer = issuer != NULL ? issuer->cert : NULL;
    req.not_before = YEAR_2024;
    req.not_after = INT64_C(253402300799); /* 9999-12-31 */
    if (req.serial == 0)
        req.serial = 0x1234;
    wr_init(&w, octets, sizeof octets);
    ck_assert_int_eq(cert_issue(c, &req, &w), 0);
    read_cert(wr_view(&w), &ret->cert);
    ec_pub_free(&pub);
}

static struct party make(enum curve curve, struct cert_request req, const struct party *issuer)
{
    struct party p = { NULL, NULL };

    ck_assert_int_eq(ec_key_generate(c, curve, &p.key), 0);
    issue(req, issuer, &p);
    return p;
}

static void drop(struct party *p)
{
    cert_free(&p->cert);
    ec_key_free(&p->key);
}

static const struct cert_request ci_request = {
    .role = ROLE_CI, .organization = "test", .common_name = "test CI", .oid = "2.999.1"
};
static const struct cert_request eum_request = { .role = ROLE_EUM,
                                                 .country = "ES",
                                                 .organization = "test EUM",
                                                 .common_name = "EUM",
                                                 .oid = "2.999.5",
                                                 .name_constraint_o = "test EUM",
                                                 .name_constraint_iin = "89049032",
                                                 .crl_url = "http://ci.example.com/a.crl" };
static const struct cert_request euicc_request = { .role = ROLE_EUICC,
                                                   .country = "ES",
                                                   .organization = "test EUM",
                                                   .common_name = "eUICC",
                                                   .subject_serial = EID };
static const struct cert_request dp_request = { .role = ROLE_DP_AUTH,
                                                .organization = "test",
                                                .common_name = "SM-DP+",
                                                .oid = "2.999.10",
                                                .crl_url = "http://ci.example.com/a.crl" };

static void open_pki_on(enum curve curve)
{
    c = crypto_new(rd_of(NULL, 0));
    ck_assert_ptr_nonnull(c);
    ci = make(curve, ci_request, NULL);
    other_ci = make(curve, ci_request, NULL);
    eum = make(curve, eum_request, &ci);
    euicc = make(curve, euicc_request, &eum);
    dp = make(curve, dp_request, &ci);
}

static void open_pki(void)
{
    open_pki_on(CURVE_P256);
}

static void close_pki(void)
{
    struct party *const all[] = { &ci, &other_ci, &eum, &euicc, &dp };

    for (size_t i = 0; i < N_ELEMS(all); i++)
        drop(all[i]);
    crypto_free(&c);
}

static const char *check(const struct cert *cert, enum cert_role role, const struct party *issuer)
{
    const char *reason = cert_check(c, cert, role, cert_key(issuer->cert), cert_ski(issuer->cert));
    return reason != NULL ? reason : in_order;
}

/* --- certificates with one thing changed ---------------------------------------------------- */

/* Members of TBSCertificate. */
enum member { VERSION, SERIAL, ALGORITHM, ISSUER, VALIDITY, SUBJECT, KEY, EXTENSIONS };

struct edit {
    enum member member;
    const char *with;      /* hex: takes the place of that member; NULL: none is replaced */
    const char *without;   /* hex: contents of the identifier of an extension to leave out */
    const char *extension; /* hex: Extensions to add */
};

static void put_edited_extensions(struct wr *w, struct rd list, const struct edit *edit)
{
    struct wr_mark outer = tlv_open(w, 0xA3), inner = tlv_open(w, 0x30);
    uint8_t octets[16];
    size_t n = edit->without != NULL ? hex(edit->without, octets, sizeof octets) : 0;
    struct tlv extension, oid;

    ck_assert_int_eq(tlv_expect(&list, 0x30, &extension), 0);
    list = extension.value;
    while (tlv_get(&list, &extension) == 0)
        if (!tlv_find(extension.value, 0x06, &oid) || n == 0 ||
            !rd_equal(oid.value, rd_of(octets, n)))
            wr_put_rd(w, extension.whole);
    if (edit->extension != NULL)
        hex_put(w, edit->extension);
    tlv_close(w, inner);
    tlv_close(w, outer);
}

/* The certificate with the change, signed again by the issuer. */
static void put_edited(struct wr *ret, const struct cert *cert, const struct edit *edit,
                       const struct ec_key *issuer)
{
    uint8_t octets[2048], signature[EC_SIGNATURE_LEN];
    struct rd der = cert_der(cert);
    struct tlv whole, tbs, t;
    struct wr w;

    wr_init(&w, octets, sizeof octets);
    ck_assert_int_eq(tlv_get(&der, &whole), 0);
    ck_assert_int_eq(tlv_get(&whole.value, &tbs), 0);
    struct wr_mark body = tlv_open(&w, 0x30);
    for (enum member i = VERSION; tlv_get(&tbs.value, &t) == 0; i++) {
        if (i == EXTENSIONS)
            put_edited_extensions(&w, t.value, edit);
        else if (edit->with != NULL && i == edit->member)
            hex_put(&w, edit->with);
        else
            wr_put_rd(&w, t.whole);
    }
    tlv_close(&w, body);
    const struct rd view = wr_view(&w);
    ck_assert_int_eq(ecdsa_sign(c, issuer, &view, 1, signature), 0);
    struct wr_mark outer = tlv_open(ret, 0x30);
    wr_put_rd(ret, view);
    hex_put(ret, "300A 06082A8648CE3D040302");
    struct wr_mark bits = tlv_open(ret, 0x03);
    wr_put_u8(ret, 0);
    ck_assert_int_eq(ecdsa_to_der(signature, ret), 0);
    tlv_close(ret, bits);
    tlv_close(ret, outer);
    ck_assert_int_eq(wr_failed(ret), 0);
}

/* Why a certificate in this role is refused after the change; in_order when it is not. */
static const char *why(const struct party *p, struct edit edit, enum cert_role role,
                       const struct party *issuer)
{
    const char *reason = in_order;
    uint8_t octets[2048];
    struct cert *cert = NULL;
    struct wr w;

    wr_init(&w, octets, sizeof octets);
    put_edited(&w, p->cert, &edit, issuer->key);
    struct rd exact = exact_copy_of(wr_view(&w));
    int result = cert_parse(c, exact, &cert, &reason);
    exact_free(&exact);
    if (result == 0)
        reason = check(cert, role, issuer);
    cert_free(&cert);
    return reason;
}

static void expect_reason(const char *got, const char *part)
{
    if (strstr(got, part) == NULL)
        ck_abort_msg("reason is \"%s\", without \"%s\"", got, part);
}

#define KEY_USAGE   "551D0F"
#define POLICIES    "551D20"
#define CONSTRAINTS "551D13"
#define NAMES       "551D1E"
#define AKI         "551D23"
#define SKI         "551D0E"

/* --- tests ---------------------------------------------------------------------------------- */

START_TEST(every_role_passes_as_itself_and_as_no_other)
{
    for (size_t i = 0; i < N_ELEMS(roles); i++) {
        struct cert_request req = roles[i] == ROLE_EUM ? eum_request : dp_request;
        req.role = roles[i];
        req.dns_name = roles[i] & (ROLE_DP_TLS | ROLE_DS_TLS) ? "dp.example.com" : NULL;
        struct party p = make(CURVE_P256, req, roles[i] == ROLE_CI ? NULL : &ci);
        const struct party *issuer = roles[i] == ROLE_CI ? &p : &ci;
        ck_assert_uint_eq(cert_roles(p.cert), roles[i]);
        ck_assert_str_eq(check(p.cert, roles[i], issuer), in_order);
        for (size_t j = 0; j < N_ELEMS(roles); j++)
            if (j != i)
                expect_reason(check(p.cert, roles[j], issuer), "does not name this role");
        drop(&p);
    }
}
END_TEST

START_TEST(chains_pass_on_both_curves)
{
    close_pki();
    open_pki_on(both[_i]);
    ck_assert_str_eq(check(ci.cert, ROLE_CI, &ci), in_order);
    ck_assert_str_eq(check(eum.cert, ROLE_EUM, &ci), in_order);
    ck_assert_str_eq(check(euicc.cert, ROLE_EUICC, &eum), in_order);
    ck_assert_str_eq(check(dp.cert, ROLE_DP_AUTH, &ci), in_order);
    ck_assert_ptr_null(cert_check_eum_constraints(eum.cert, euicc.cert));
    ck_assert_int_eq(cert_curve(dp.cert), both[_i]);
}
END_TEST

START_TEST(tells_what_is_in_a_certificate)
{
    struct rd oid = exact_copy("88 37 0A"), serial = exact_copy("12 34");

    ck_assert(rd_equal(cert_oid(dp.cert), oid));
    ck_assert(rd_equal(cert_serial(dp.cert), serial));
    ck_assert_str_eq(cert_subject_organization(euicc.cert), "test EUM");
    ck_assert_str_eq(cert_subject_serial(euicc.cert), EID);
    ck_assert_str_eq(cert_subject_serial(dp.cert), "");
    ck_assert_uint_eq(cert_oid(euicc.cert).n, 0);
    ck_assert_uint_eq(cert_ski(dp.cert).n, SKI_LEN);
    ck_assert(rd_equal(cert_aki(dp.cert), cert_ski(ci.cert)));
    ck_assert_uint_eq(cert_aki(ci.cert).n, 0);
    exact_free(&oid);
    exact_free(&serial);
}
END_TEST

START_TEST(refuses_another_issuer)
{
    expect_reason(check(dp.cert, ROLE_DP_AUTH, &other_ci), "authorityKeyIdentifier is not");
    expect_reason(cert_check(c, dp.cert, ROLE_DP_AUTH, cert_key(other_ci.cert), cert_ski(ci.cert)),
                  "signature does not verify");
    expect_reason(check(ci.cert, ROLE_CI, &other_ci), "not the CI's");
    expect_reason(check(euicc.cert, ROLE_EUICC, &ci), "authorityKeyIdentifier is not");
    expect_reason(why(&dp, (struct edit){ .without = AKI }, ROLE_DP_AUTH, &ci), "is absent");
    expect_reason(why(&dp, (struct edit){ .without = SKI }, ROLE_DP_AUTH, &ci), "is absent");
}
END_TEST

START_TEST(refuses_a_wrong_key_usage)
{
    static const struct {
        const char *extension, *reason;
    } edits[] = {
        { NULL, "keyUsage is absent or not critical" },
        { "300B 0603551D0F 0404 03020780", "keyUsage is absent or not critical" },
        { "300E 0603551D0F 0101FF 0404 03020520", "without digitalSignature" },
        { "300E 0603551D0F 0101FF 0404 03020284", "allows signing" },
        { "300E 0603551D0F 0101FF 0404 03020182", "allows signing" },
        { "300E 0603551D0F 010100 0404 03020780", "not a certificate" },
        { "300E 0603551D0F 0101FF 0404 03020780 300E 0603551D0F 0101FF 0404 03020780", "twice" },
        { "300E 0603551D0F 0101FF 0404 03020780", "" },
        { "300E 0603551D0F 0101FF 0404 03020388", "" }, /* and keyAgreement */
    };

    for (size_t i = 0; i < N_ELEMS(edits); i++) {
        const struct edit e = { .without = KEY_USAGE, .extension = edits[i].extension };
        const char *reason = why(&dp, e, ROLE_DP_AUTH, &ci);
        expect_reason(reason, edits[i].reason);
        ck_assert_int_eq(reason == in_order, edits[i].reason[0] == '\0');
    }
    expect_reason(why(&eum,
                      (struct edit){ .without = KEY_USAGE,
                                     .extension = "300E 0603551D0F 0101FF 0404 03020780" },
                      ROLE_EUM, &ci),
                  "without keyCertSign");
}
END_TEST

START_TEST(refuses_wrong_policies)
{
    static const struct {
        const char *extension, *reason;
    } edits[] = {
        { NULL, "does not name this role" },
        { "3014 0603551D20 040D 300B 3009 060767811201020104", "not critical" },
        { "3022 0603551D20 0101FF 0418 3016 3009 060767811201020104 3009 060767811201020105",
          "does not name this role" },
        { "3022 0603551D20 0101FF 0418 3016 3009 060767811201020104 3009 060767811201020109", "" },
    };

    for (size_t i = 0; i < N_ELEMS(edits); i++) {
        const struct edit e = { .without = POLICIES, .extension = edits[i].extension };
        const char *reason = why(&dp, e, ROLE_DP_AUTH, &ci);
        expect_reason(reason, edits[i].reason);
        ck_assert_int_eq(reason == in_order, edits[i].reason[0] == '\0');
    }
}
END_TEST

START_TEST(refuses_critical_extensions_it_does_not_understand)
{
    static const char *const critical[] = {
        "300C 06032A0304 0101FF 0402 0500",
        "300F 0603551D24 0101FF 0405 3003800100", /* policyConstraints */
        "300D 0603551D36 0101FF 0403 020100",     /* inhibitAnyPolicy */
    };

    for (size_t i = 0; i < N_ELEMS(critical); i++)
        expect_reason(why(&dp, (struct edit){ .extension = critical[i] }, ROLE_DP_AUTH, &ci),
                      "critical extension that is not understood");
    ck_assert_str_eq(why(&dp,
                         (struct edit){ .extension = "3009 06032A0304 0402 0500"
                                                     "3009 06032A0304 0402 0500" },
                         ROLE_DP_AUTH, &ci),
                     in_order);
    expect_reason(why(&dp,
                      (struct edit){ .extension = "3016 0603551D25 0101FF 040C 300A"
                                                  "06082B06010505070301" },
                      ROLE_DP_AUTH, &ci),
                  "extendedKeyUsage");
}
END_TEST

START_TEST(refuses_wrong_constraints_of_authorities)
{
    static const char ca[] = "300F 0603551D13 0101FF 0405 3003 0101FF";
    static const char lax[] = "300C 0603551D13 0405 3003 0101FF";
    static const char pathlen_1[] = "3012 0603551D13 0101FF 0408 3006 0101FF 020101";

    expect_reason(why(&dp, (struct edit){ .extension = ca }, ROLE_DP_AUTH, &ci), "allows a CA");
    ck_assert_str_eq(
        why(&dp, (struct edit){ .extension = "3009 0603551D13 0402 3000" }, ROLE_DP_AUTH, &ci),
        in_order);
    expect_reason(why(&ci, (struct edit){ .without = CONSTRAINTS }, ROLE_CI, &ci),
                  "basicConstraints");
    expect_reason(why(&ci, (struct edit){ .without = CONSTRAINTS, .extension = lax }, ROLE_CI, &ci),
                  "basicConstraints");
    expect_reason(
        why(&eum, (struct edit){ .without = CONSTRAINTS, .extension = ca }, ROLE_EUM, &ci),
        "pathLenConstraint");
    expect_reason(
        why(&eum, (struct edit){ .without = CONSTRAINTS, .extension = pathlen_1 }, ROLE_EUM, &ci),
        "pathLenConstraint");
    expect_reason(why(&eum, (struct edit){ .without = NAMES }, ROLE_EUM, &ci), "nameConstraints");
    expect_reason(why(&ci, (struct edit){ .member = ISSUER, .with = "3000" }, ROLE_CI, &ci),
                  "not issued by itself");
}
END_TEST

START_TEST(refuses_members_out_of_the_profile)
{
    static const struct {
        enum member member;
        const char *with, *reason;
    } edits[] = {
        { VERSION, "A003020101", "version 3" },
        { VERSION, "", "version 3" },
        { SERIAL, "0215 010203040506070809101112131415161718192021", "too long" },
        { SERIAL, "0202 0001", "not a certificate" },
        { ALGORITHM, "300A 06082A8648CE3D040303", "not ecdsa-with-SHA256" },
        { ALGORITHM, "300C 06082A8648CE3D040302 0500", "not ecdsa-with-SHA256" },
        { VALIDITY, "301C 170B3234303130313030303 05A 170D3335303130313030303030305A", "not a" },
        { VALIDITY, "3000", "not a certificate" },
        { SUBJECT, "3022 310F300D 060355040A 0C06746573742061 310F300D 060355040A 0C06746573742062",
          "twice" },
        { SUBJECT, "300F 310D300B 0603550405 0C0431003233", "no text" },
        { SUBJECT, "300F 310D300B 0603550405 160431323334", "no UTF8String" },
        { SUBJECT, "300F 310D300B 0603550405 1E0400310032", "not a certificate" },
        { SUBJECT, "300F 310D300B 060355048A 0C0431323334", "not a certificate" },
        { SUBJECT, "300F 310D300B 060380040A 0C0431323334", "not a certificate" },
        { SUBJECT, "300F 310D300B 060355040A 0C043132C080", "not a certificate" }, /* overlong */
        { SUBJECT, "300F 310D300B 060355040A 0C0431EDA080", "not a certificate" }, /* surrogate */
        { SUBJECT, "300F 310D300B 060355040A 0C04313233C3", "not a certificate" },
        { SUBJECT, "300F 310D300B 060355040A 0C04F4908080", "not a certificate" },
        { SUBJECT, "3004 3102 3000", "not a certificate" },
        /* RSA; explicit parameters; a point off the curve; compressed */
        { KEY, "300F 300B06092A864886F70D010101 0300", "not of an elliptic curve" },
        { KEY, "3015 300E 06072A8648CE3D0201 3003020101 0303000401", "not given by name" },
        { KEY,
          "3059 3013 06072A8648CE3D0201 06082A8648CE3D030107 034200 04"
          "a61b5852fedeecd5373d769af0edbc94502276d9c6ff1da3a156fecf31c66299"
          "54aea62862e227aebaf745c4e1d5f1bcbba6136400d9f0a63434225fee2590af",
          "no point" },
        { KEY,
          "3039 3013 06072A8648CE3D0201 06082A8648CE3D030107 032200 02"
          "a61b5852fedeecd5373d769af0edbc94502276d9c6ff1da3a156fecf31c66299",
          "no point" },
    };

    for (size_t i = 0; i < N_ELEMS(edits); i++) {
        const struct edit e = { .member = edits[i].member, .with = edits[i].with };
        expect_reason(why(&dp, e, ROLE_DP_AUTH, &ci), edits[i].reason);
    }
}
END_TEST

START_TEST(parses_a_curve_that_it_does_not_know)
{
    const struct edit e = {
        .member = KEY,
        .with = "3056 3010 06072A8648CE3D0201 06052B8104000A 034200 04"
                "79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798"
                "483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8"
    };
    const char *reason = NULL;
    uint8_t octets[2048];
    struct cert *cert = NULL;
    struct wr w;

    wr_init(&w, octets, sizeof octets);
    put_edited(&w, dp.cert, &e, ci.key);
    ck_assert_int_eq(cert_parse(c, wr_view(&w), &cert, &reason), 0);
    ck_assert_int_eq(cert_curve(cert), CURVE_UNKNOWN);
    ck_assert_ptr_null(cert_key(cert));
    ck_assert_str_eq(check(cert, ROLE_DP_AUTH, &ci), in_order);
    cert_free(&cert);
}
END_TEST

/* A public key alone, whole and cut at every length, and with an octet behind. */
START_TEST(reads_a_public_key)
{
    static const enum curve curves[] = { CURVE_P256, CURVE_BRAINPOOL_P256R1 };
    uint8_t octets[256], points[2][EC_POINT_LEN];
    const char *reason = NULL;
    struct ec_pub *pub = NULL, *again = NULL;
    struct ec_key *key;
    struct wr w;

    wr_init(&w, octets, sizeof octets);
    ck_assert_int_eq(ec_key_generate(c, curves[_i], &key), 0);
    ec_key_point(key, points[0]);
    ck_assert_int_eq(ec_pub_from_point(c, curves[_i], rd_of(points[0], sizeof points[0]), &pub), 0);
    ck_assert_int_eq(ec_pub_write_der(pub, &w), 0);
    ck_assert_int_eq(ec_pub_parse(c, wr_view(&w), &again, &reason), 0);
    ec_pub_point(again, points[1]);
    ck_assert_mem_eq(points[0], points[1], EC_POINT_LEN);
    ec_pub_free(&again);
    wr_put_u8(&w, 0);
    for (size_t n = 0; n <= w.n; n++)
        if (n != w.n - 1) {
            ck_assert_int_eq(ec_pub_parse(c, rd_of(w.p, n), &again, &reason), ERR_INPUT);
            ck_assert_ptr_null(again);
            ck_assert_str_eq(reason, "not a SubjectPublicKeyInfo in DER");
        }
    ec_pub_free(&pub);
    ec_key_free(&key);
}
END_TEST

static bool openssl_parses(struct rd der)
{
    const unsigned char *at = der.p;
    X509 *x = d2i_X509(NULL, &at, (long)der.n);
    bool ok = x != NULL && at == der.p + der.n;

    X509_free(x);
    return ok;
}

/* Each octet changed in two ways: never an accepted certificate, and never one that OpenSSL
 * cannot read. */
START_TEST(refuses_every_changed_octet)
{
    static const uint8_t changes[] = { 0x01, 0x80 };
    const struct party *const party = _i == 0 ? &dp : &eum;
    const enum cert_role role = _i == 0 ? ROLE_DP_AUTH : ROLE_EUM;
    struct rd der = exact_copy_of(cert_der(party->cert));
    uint8_t *octets = malloc(der.n);
    const char *reason;

    ck_assert_ptr_nonnull(octets);
    for (size_t i = 0; i < der.n * N_ELEMS(changes); i++) {
        struct cert *cert = NULL;
        memcpy(octets, der.p, der.n);
        octets[i / N_ELEMS(changes)] ^= changes[i % N_ELEMS(changes)];
        if (cert_parse(c, rd_of(octets, der.n), &cert, &reason) != 0)
            continue;
        ck_assert(openssl_parses(rd_of(octets, der.n)));
        ck_assert_str_ne(check(cert, role, &ci), in_order);
        cert_free(&cert);
    }
    free(octets);
    exact_free(&der);
}
END_TEST

START_TEST(refuses_every_truncation_and_anything_behind)
{
    struct rd der = exact_copy_of(cert_der(dp.cert));
    uint8_t longer[2048] = { 0 };
    const char *reason = "";
    struct cert *cert = NULL;

    for (size_t n = 0; n < der.n; n++) {
        struct rd less = exact_copy_of(rd_of(der.p, n));
        ck_assert_int_eq(cert_parse(c, less, &cert, &reason), ERR_INPUT);
        exact_free(&less);
    }
    memcpy(longer, der.p, der.n);
    ck_assert_int_eq(cert_parse(c, rd_of(longer, der.n + 1), &cert, &reason), ERR_INPUT);
    /* the same certificate with a length that is longer than it needs to be */
    longer[1] = 0x83;
    longer[2] = 0;
    memcpy(longer + 3, der.p + 2, der.n - 2);
    ck_assert_int_eq(der.p[1], 0x82);
    ck_assert_int_eq(cert_parse(c, rd_of(longer, der.n + 1), &cert, &reason), ERR_INPUT);
    ck_assert_ptr_null(cert);
    exact_free(&der);
}
END_TEST

START_TEST(what_is_issued_is_read_by_openssl)
{
    const struct party *const all[] = { &ci, &eum, &euicc, &dp };

    for (size_t i = 0; i < N_ELEMS(all); i++)
        ck_assert(openssl_parses(cert_der(all[i]->cert)));
}
END_TEST

START_TEST(eum_constraints_bind_organization_and_eid)
{
    static const struct {
        const char *organization, *eid, *reason;
    } cases[] = {
        { "test EUM", EID, "" },
        { "test EUM", "89049032000000000000000000000000", "" },
        { "another", EID, "outside" },
        { "test EUM ", EID, "outside" },
        { NULL, EID, "outside" },
        { "test EUM", "89049033123451234512345678901234", "outside" },
        { "test EUM", "8904903212345123451234567890123", "32 digits" },
        { "test EUM", "8904903212345123451234567890123F", "32 digits" },
        { "test EUM", NULL, "32 digits" },
    };

    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        struct cert_request req = euicc_request;
        req.organization = cases[i].organization;
        req.subject_serial = cases[i].eid;
        struct party p = make(CURVE_P256, req, &eum);
        const char *reason = cert_check_eum_constraints(eum.cert, p.cert);
        ck_assert_int_eq(reason == NULL, cases[i].reason[0] == '\0');
        if (reason != NULL)
            expect_reason(reason, cases[i].reason);
        drop(&p);
    }
    expect_reason(cert_check_eum_constraints(ci.cert, euicc.cert), "issuer");
}
END_TEST

START_TEST(refuses_name_constraints_it_does_not_understand)
{
    static const struct {
        const char *extension, *reason;
    } edits[] = {
        /* excludedSubtrees; a dNSName; an attribute of another kind; minimum given; empty */
        { "301B 0603551D1E 0101FF 0411 300F A10D 300B A409 3007 3105 3003 0601 55", "permitted" },
        { "3015 0603551D1E 0101FF 040B 3009 A007 3005 8203 612E62", "directoryName" },
        { "3021 0603551D1E 0101FF 0417 3015 A013 3011 A40F 300D 310B 3009 0603550406 13024553",
          "attribute that is not understood" },
        { "300E 0603551D1E 0101FF 0404 3002 A000", "permitted" },
    };

    for (size_t i = 0; i < N_ELEMS(edits); i++)
        expect_reason(why(&eum, (struct edit){ .without = NAMES, .extension = edits[i].extension },
                          ROLE_EUM, &ci),
                      edits[i].reason);
}
END_TEST

START_TEST(requests_that_make_no_sense_are_refused)
{
    uint8_t octets[2048], oid[16];
    struct cert_request req = dp_request;
    struct wr w;

    wr_init(&w, octets, sizeof octets);
    req.key = cert_key(dp.cert);
    req.issuer_key = ci.key;
    req.issuer = ci.cert;
    ck_assert_int_eq(cert_issue(c, &req, &w), ERR_INPUT); /* no serial number */
    req.serial = 1;
    req.oid = "2.999.";
    ck_assert_int_eq(cert_issue(c, &req, &w), ERR_INPUT);
    req.oid = NULL;
    req.ip_address = "127.0.0";
    ck_assert_int_eq(cert_issue(c, &req, &w), ERR_INPUT);
    req.ip_address = NULL;
    req.role = ROLE_DP_AUTH | ROLE_DP_PB;
    ck_assert_int_eq(cert_issue(c, &req, &w), ERR_INPUT);
    ck_assert_uint_eq(w.n, 0);
    wr_init(&w, oid, sizeof oid);
    ck_assert_int_eq(oid_from_text("2.23.146.1.2.1.0", &w), 0);
    ck_assert(rd_equal(wr_view(&w), rd_of("\x67\x81\x12\x01\x02\x01\x00", 7)));
    ck_assert_int_eq(oid_from_text("1.40", &w), ERR_INPUT);
    ck_assert_int_eq(oid_from_text("", &w), ERR_INPUT);
}
END_TEST

START_TEST(lists_tell_what_is_revoked)
{
    const struct rd serials[] = { rd_of("\x01", 1), cert_serial(dp.cert) };
    uint8_t octets[1024];
    const char *reason = "";
    struct crl *crl = NULL;
    uint64_t number = 0;
    struct wr w;

    wr_init(&w, octets, sizeof octets);
    ck_assert_int_eq(crl_issue(c, ci.cert, ci.key, 7, 0, serials, 2, YEAR_2024, &w), 0);
    struct rd exact = exact_copy_of(wr_view(&w));
    ck_assert_int_eq(crl_parse(c, exact, &crl, &reason), 0);
    exact_free(&exact);
    ck_assert(crl_verify(c, crl, cert_key(ci.cert)));
    ck_assert(!crl_verify(c, crl, cert_key(other_ci.cert)));
    ck_assert(rd_equal(crl_aki(crl), cert_ski(ci.cert)));
    ck_assert(crl_number(crl, &number));
    ck_assert_uint_eq(number, 7);
    ck_assert(!crl_is_partial(crl) && !crl_base_number(crl, &number));
    ck_assert(crl_has_serial(crl, cert_serial(dp.cert)));
    ck_assert(!crl_has_serial(crl, rd_of("\x02", 1)));
    crl_free(&crl);
    wr_clear(&w);
    ck_assert_int_eq(crl_issue(c, ci.cert, ci.key, 8, 7, NULL, 0, YEAR_2024, &w), 0);
    ck_assert_int_eq(crl_parse(c, wr_view(&w), &crl, &reason), 0);
    ck_assert(crl_is_partial(crl) && crl_base_number(crl, &number));
    ck_assert_uint_eq(number, 7);
    ck_assert(!crl_has_serial(crl, serials[0]));
    crl_free(&crl);
}
END_TEST

START_TEST(refuses_damaged_lists)
{
    const struct rd serial = rd_of("\x01", 1);
    uint8_t octets[1024];
    const char *reason = "";
    struct crl *crl = NULL;
    struct wr w;

    wr_init(&w, octets, sizeof octets);
    ck_assert_int_eq(crl_issue(c, ci.cert, ci.key, 7, 6, &serial, 1, YEAR_2024, &w), 0);
    for (size_t n = 0; n < w.n; n++) {
        struct rd less = exact_copy_of(rd_of(w.p, n));
        ck_assert_int_eq(crl_parse(c, less, &crl, &reason), ERR_INPUT);
        exact_free(&less);
    }
    for (size_t i = 0; i < w.n; i++) {
        w.p[i] ^= 1;
        if (crl_parse(c, wr_view(&w), &crl, &reason) == 0) {
            ck_assert(!crl_verify(c, crl, cert_key(ci.cert)));
            crl_free(&crl);
        }
        w.p[i] ^= 1;
    }
    ck_assert_int_eq(crl_parse(c, cert_der(ci.cert), &crl, &reason), ERR_INPUT);
}
END_TEST

/* --- SGP.26 --------------------------------------------------------------------------------- */

/* NULL when the file is not to be had; the reason is printed. */
static struct cert *published(const char *name)
{
    const char *root = getenv("SOFTEUICC_TESTDATA");
    char path[512];
    uint8_t octets[4096];
    struct cert *cert = NULL;

    if (root == NULL) {
        printf("skipped: %s: SOFTEUICC_TESTDATA is not set\n", name);
        return NULL;
    }
    snprintf(path, sizeof path, "%s/sgp26/%s", root, name);
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        printf("skipped: %s is not there\n", path);
        return NULL;
    }
    size_t n = fread(octets, 1, sizeof octets, f);
    fclose(f);
    read_cert(rd_of(octets, n), &cert);
    return cert;
}

START_TEST(accepts_what_sgp26_publishes)
{
    static const struct {
        const char *name;
        enum cert_role role;
        bool under_eum;
    } files[] = {
        { "CertificateIssuer/CERT_CI_ECDSA_%s.der", ROLE_CI, false },
        { "EUM/CERT_EUM_ECDSA_%s.der", ROLE_EUM, false },
        { "eUICC/CERT_EUICC_ECDSA_%s.der", ROLE_EUICC, true },
        { "DPauth/CERT_S_SM_DPauth_ECDSA_%s.der", ROLE_DP_AUTH, false },
        { "DPauth/CERT_S_SM_DP2auth_ECDSA_%s.der", ROLE_DP_AUTH, false },
        { "DPpb/CERT_S_SM_DPpb_ECDSA_%s.der", ROLE_DP_PB, false },
        { "DPpb/CERT_S_SM_DP2pb_ECDSA_%s.der", ROLE_DP_PB, false },
        { "DPtls/CERT_S_SM_DP_VARO_TLS_%s.der", ROLE_DP_TLS, false },
    };
    struct cert *certs[N_ELEMS(files)];
    char name[64];

    for (size_t i = 0; i < N_ELEMS(files); i++) {
        snprintf(name, sizeof name, files[i].name, _i == 0 ? "NIST" : "BRP");
        certs[i] = published(name);
        if (certs[i] == NULL)
            return;
        const struct cert *issuer = certs[files[i].under_eum ? 1 : 0];
        const char *reason =
            cert_check(c, certs[i], files[i].role, cert_key(issuer), cert_ski(issuer));
        if (reason != NULL)
            ck_abort_msg("%s: %s", name, reason);
        ck_assert_int_eq(cert_curve(certs[i]), both[_i]);
    }
    ck_assert_ptr_null(cert_check_eum_constraints(certs[1], certs[2]));
    ck_assert_str_eq(cert_subject_serial(certs[2]), EID);
    ck_assert(rd_equal(cert_oid(certs[3]), cert_oid(certs[5])));
    for (size_t i = 0; i < N_ELEMS(files); i++)
        cert_free(&certs[i]);
}
END_TEST

/* What depends on dates, or on the eUICC's own EID, is not for these checks. */
START_TEST(refuses_what_sgp26_calls_invalid)
{
    static const struct {
        const char *name, *reason;
        enum cert_role role;
    } files[] = {
        { "invalid/CERT_EUICC_ECDSA_NIST_EXPIRED.der", "", ROLE_EUICC },
        { "invalid/CERT_EUICC_ECDSA_NIST_INVALID.der", "authorityKeyIdentifier", ROLE_EUICC },
        { "invalid/CERT_EUICC_ECDSA_NIST_INVALID_EID.der", "outside", ROLE_EUICC },
        { "invalid/CERT_EUICC_ECDSA_NIST_UNMATCHED_EID.der", "", ROLE_EUICC },
        { "invalid/CERT_EUM_ECDSA_NIST_EXPIRED.der", "role", ROLE_EUM },
        { "invalid/CERT_EUM_ECDSA_NIST_INVALID.der", "role", ROLE_EUM },
        { "invalid/CERT_EUM_ECDSA_NIST_UNKNOWN_CI.der", "role", ROLE_EUM },
        { "invalid/CERT_UNKNOWN_CI_ECDSA_NIST.der", "role", ROLE_CI },
    };
    struct cert *their_ci = published("CertificateIssuer/CERT_CI_ECDSA_NIST.der");
    struct cert *their_eum = published("EUM/CERT_EUM_ECDSA_NIST.der");

    if (their_ci == NULL || their_eum == NULL)
        return;
    for (size_t i = 0; i < N_ELEMS(files); i++) {
        struct cert *cert = published(files[i].name);
        const struct cert *issuer = files[i].role == ROLE_EUICC ? their_eum : their_ci;
        const char *reason = cert_check(c, cert, files[i].role, cert_key(issuer), cert_ski(issuer));
        if (reason == NULL && files[i].role == ROLE_EUICC)
            reason = cert_check_eum_constraints(their_eum, cert);
        if ((reason == NULL) != (files[i].reason[0] == '\0') ||
            (reason != NULL && strstr(reason, files[i].reason) == NULL))
            ck_abort_msg("%s: %s", files[i].name, reason != NULL ? reason : "accepted");
        cert_free(&cert);
    }
    cert_free(&their_ci);
    cert_free(&their_eum);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("x509");
    TCase *cases = tcase_create("x509");

    tcase_add_checked_fixture(cases, open_pki, close_pki);
    tcase_add_test(cases, every_role_passes_as_itself_and_as_no_other);
    tcase_add_loop_test(cases, chains_pass_on_both_curves, 0, N_ELEMS(both));
    tcase_add_test(cases, tells_what_is_in_a_certificate);
    tcase_add_test(cases, refuses_another_issuer);
    tcase_add_test(cases, refuses_a_wrong_key_usage);
    tcase_add_test(cases, refuses_wrong_policies);
    tcase_add_test(cases, refuses_critical_extensions_it_does_not_understand);
    tcase_add_test(cases, refuses_wrong_constraints_of_authorities);
    tcase_add_test(cases, refuses_members_out_of_the_profile);
    tcase_add_test(cases, parses_a_curve_that_it_does_not_know);
    tcase_add_loop_test(cases, reads_a_public_key, 0, 2);
    tcase_add_loop_test(cases, refuses_every_changed_octet, 0, 2);
    tcase_add_test(cases, refuses_every_truncation_and_anything_behind);
    tcase_add_test(cases, what_is_issued_is_read_by_openssl);
    tcase_add_test(cases, eum_constraints_bind_organization_and_eid);
    tcase_add_test(cases, refuses_name_constraints_it_does_not_understand);
    tcase_add_test(cases, requests_that_make_no_sense_are_refused);
    tcase_add_test(cases, lists_tell_what_is_revoked);
    tcase_add_test(cases, refuses_damaged_lists);
    tcase_add_loop_test(cases, accepts_what_sgp26_publishes, 0, N_ELEMS(both));
    tcase_add_test(cases, refuses_what_sgp26_calls_invalid);
    suite_add_tcase(suite, cases);
    return suite_status(suite);
}
