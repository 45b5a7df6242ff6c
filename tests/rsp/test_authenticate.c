/* test_authenticate.c - ES10b.AuthenticateServer and LoadCRL (SGP.22 5.7.12, 5.7.13): who is
 * accepted, and each reason to be refused. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/err.h"
#include "tests/rsp/bench.h"
#include "tests/testlib/suite.h"

enum { /* AuthenticateErrorCode */
       INVALID_CERTIFICATE = 1,
       INVALID_SIGNATURE = 2,
       UNSUPPORTED_CURVE = 3,
       NO_SESSION = 4,
       INVALID_OID = 5,
       CHALLENGE_MISMATCH = 6,
       CI_PK_UNKNOWN = 7,
};

/* Extensions that nobody knows, critical and not. */
#define CRITICAL_EXTENSION "+ 3012 0604 88378F67 0101FF 0407 3005 0C03 616263"
#define HARMLESS_EXTENSION "+ 300F 0604 88378F67 0407 3005 0C03 616263"

/* Parts of a certificate; the extensions of the test PKI's server certificates by their place. */
#define KEY        "30/30/30#4"
#define EXTENSIONS "30/30/A3/30"
#define AKI        EXTENSIONS "/30#0"
#define KEY_USAGE  EXTENSIONS "/30#2"
#define POLICIES   EXTENSIONS "/30#3"
#define ALT_NAME   EXTENSIONS "/30#4"
#define IN_REQUEST "BF38/30#1"

/* --- who is accepted -------------------------------------------------------------------------- */

static const struct {
    const char *what;
    struct authenticate_plan plan;
} accepted[] = {
    { "the nominal request", { .reversed = false } },
    { "an SM-DS", { .role = CERT_DS_AUTH } },
    { "another SM-DP+", { .cert = CERT_DP2_AUTH } },
    { "no matchingId", { .ctx_params = "A00F A10D 8004 35290611 A105 8003 050000" } },
    { "an empty matchingId", { .ctx_params = "A011 8000 A10D 8004 35290611 A105 8003 050000" } },
    { "an IMEI",
      { .ctx_params = "A019 A117 8004 35290611 A105 8003 050000 8208 3529061112345678" } },
    { "deviceInfo with a field that nobody knows",
      { .ctx_params = "A014 A112 8004 35290611 A105 8003 050000 9F7F 02 0102" } },
    { "ctxParams1 with a field that nobody knows",
      { .ctx_params = "A013 A10D 8004 35290611 A105 8003 050000 8F02 0102" } },
    { "serverSigned1 with a field that nobody knows",
      { .signed_change = { "30/84", "+ 8F03 010203" } } },
    { "a request with a field that nobody knows", { .change = { "BF38/A0", "+ 9F7F 00" } } },
    { "the fields of serverSigned1 in another order", { .reversed = true } },
    { "a transactionId of one octet", { .signed_change = { "30/80", "8001 01" } } },
    { "an empty serverAddress", { .signed_change = { "30/83", "8300" } } },
    { "an expired certificate, for a card has no clock", { .cert = CERT_EXPIRED } },
    { "a certificate with an unknown extension that is not critical",
      { .cert_change = { ALT_NAME, HARMLESS_EXTENSION } } },
};

static void assert_accepted(size_t i, enum curve curve)
{
    struct bench b;

    bench_open_as(&b, &(struct bench_options){ .curve = curve });
    b.card.echoes = true;
    long error = bench_authenticate(&b, &accepted[i].plan);
    ck_assert_msg(error == 0, "%s is refused with %ld (%s)", accepted[i].what, error, b.card.why);
    ck_assert_uint_eq(b.card.checks, 0);
    bench_close(&b);
}

START_TEST(a_good_request_is_answered_on_p256)
{
    assert_accepted((size_t)_i, CURVE_P256);
}
END_TEST

START_TEST(a_good_request_is_answered_on_brainpool)
{
    assert_accepted((size_t)_i, CURVE_BRAINPOOL_P256R1);
}
END_TEST

START_TEST(a_truncated_pkid_that_is_not_ambiguous_is_accepted)
{
    struct bench b;

    bench_open(&b);
    struct wr pkid = message_copy(cert_ski(b.server.ci));
    for (size_t n = 1; n < pkid.n; n += 6) {
        struct wr hex_of;
        char text[64];
        wr_init_heap(&hex_of, 64);
        tlv_put(&hex_of, 0x04, rd_of(pkid.p, n));
        for (size_t i = 0; i < hex_of.n; i++)
            snprintf(text + 2 * i, 3, "%02X", hex_of.p[i]);
        const struct authenticate_plan plan = { .ci_pkid = text };
        long error = bench_authenticate(&b, &plan);
        ck_assert_msg(error == 0 || error == CI_PK_UNKNOWN, "%zu octets: %ld", n, error);
        if (n > 4)
            ck_assert_msg(error == 0, "%zu octets: %ld (%s)", n, error, b.card.why);
        wr_done(&hex_of);
    }
    wr_done(&pkid);
    bench_close(&b);
}
END_TEST

/* --- who is refused --------------------------------------------------------------------------- */

static const struct {
    const char *what;
    struct authenticate_plan plan;
    long error;
    const char *why;
} refused[] = {
    /* euiccCiPKIdToBeUsed */
    { "a CI that the card does not know",
      { .ci_pkid = "0414 000102030405060708090A0B0C0D0E0F10111213" },
      CI_PK_UNKNOWN,
      "CI" },
    { "an empty CI", { .ci_pkid = "0400" }, CI_PK_UNKNOWN, "CI" },
    { "a CI of 21 octets",
      { .ci_pkid = "0415 000102030405060708090A0B0C0D0E0F1011121314" },
      CI_PK_UNKNOWN,
      "CI" },
    /* the certificate's role and issuer */
    { "CERT.DPpb", { .cert = CERT_DP_PB }, INVALID_OID, "policy" },
    { "CERT.DP.TLS", { .cert = CERT_DP_TLS }, INVALID_OID, "policy" },
    { "CERT.EUM", { .cert = CERT_EUM }, INVALID_OID, "policy" },
    { "CERT.CI", { .cert = CERT_CI }, INVALID_OID, "policy" },
    { "a certificate of an unknown CI", { .cert = CERT_UNKNOWN_CI }, INVALID_CERTIFICATE, "" },
    { "a certificate without registeredID", { .cert = CERT_NO_OID }, INVALID_OID, "registeredID" },
    { "an SM-DS certificate of an unknown CI",
      { .role = CERT_DS_AUTH, .cert = CERT_UNKNOWN_CI },
      INVALID_CERTIFICATE,
      "" },
    /* its contents, under a good signature */
    { "a certificate on P-384", { .cert_change = { KEY, P384_KEY } }, UNSUPPORTED_CURVE, "curve" },
    { "a certificate without keyUsage",
      { .cert_change = { KEY_USAGE, "" } },
      INVALID_CERTIFICATE,
      "" },
    { "a keyUsage that is not critical",
      { .cert_change = { KEY_USAGE, "300B 0603551D0F 0404 03020780" } },
      INVALID_CERTIFICATE,
      "" },
    { "a keyUsage of keyAgreement",
      { .cert_change = { KEY_USAGE, "300E 0603551D0F 0101FF 0404 03020308" } },
      INVALID_CERTIFICATE,
      "" },
    { "a certificate without policies",
      { .cert_change = { POLICIES, "" } },
      INVALID_OID,
      "policy" },
    { "policies that are not critical",
      { .cert_change = { POLICIES, "3014 0603551D20 040D 300B 3009 0607 67811201020104" } },
      INVALID_CERTIFICATE,
      "" },
    { "a certificate without AKI", { .cert_change = { AKI, "" } }, INVALID_CERTIFICATE, "" },
    { "a critical extension that nobody knows",
      { .cert_change = { ALT_NAME, CRITICAL_EXTENSION } },
      INVALID_CERTIFICATE,
      "" },
    { "a certificate of version 1",
      { .cert_change = { "30/30/A0", "" } },
      INVALID_CERTIFICATE,
      "" },
    /* a bit wrong in each part of it */
    { "a bit in its serial number",
      { .flip = IN_REQUEST "/30/02", .flip_at = -1 },
      INVALID_CERTIFICATE,
      "" },
    { "a bit in its issuer",
      { .flip = IN_REQUEST "/30/30#1", .flip_at = -1 },
      INVALID_CERTIFICATE,
      "" },
    { "a bit in its validity",
      { .flip = IN_REQUEST "/30/30#2", .flip_at = -2 },
      INVALID_CERTIFICATE,
      "" },
    { "a bit in its subject",
      { .flip = IN_REQUEST "/30/30#3", .flip_at = -1 },
      INVALID_CERTIFICATE,
      "" },
    { "a bit in its key",
      { .flip = IN_REQUEST "/30/30#4/03", .flip_at = -1 },
      INVALID_CERTIFICATE,
      "" },
    { "a bit in its curve's name",
      { .flip = IN_REQUEST "/30/30#4/30/06#1", .flip_at = -1 },
      UNSUPPORTED_CURVE,
      "curve" },
    { "a bit in its AKI",
      { .flip = IN_REQUEST "/30/A3/30/30#0/04", .flip_at = -1 },
      INVALID_CERTIFICATE,
      "" },
    { "a bit in its registeredID",
      { .flip = IN_REQUEST "/30/A3/30/30#4/04", .flip_at = -1 },
      INVALID_CERTIFICATE,
      "" },
    { "a bit in its signature",
      { .flip = IN_REQUEST "/03", .flip_at = -1 },
      INVALID_CERTIFICATE,
      "" },
    { "a bit in the SM-DS's certificate's signature",
      { .role = CERT_DS_AUTH, .flip = IN_REQUEST "/03", .flip_at = -1 },
      INVALID_CERTIFICATE,
      "" },
    { "a certificate with something behind it",
      { .change = { IN_REQUEST "/03", "+ 0500" } },
      INVALID_CERTIFICATE,
      "" },
    /* serverSignature1 */
    { "a bit in r of the signature", { .flip = "BF38/5F37", .flip_at = 0 }, INVALID_SIGNATURE, "" },
    { "a bit in s of the signature",
      { .flip = "BF38/5F37", .flip_at = -1 },
      INVALID_SIGNATURE,
      "" },
    { "a signature of another's key", { .key = CERT_DP2_AUTH }, INVALID_SIGNATURE, "" },
    { "a signature of CERT.DPpb's key", { .key = CERT_DP_PB }, INVALID_SIGNATURE, "" },
    { "an empty signature", { .change = { "BF38/5F37", "5F3700" } }, INVALID_SIGNATURE, "" },
    { "a signature of 63 octets",
      { .change = { "BF38/5F37",
                    "5F373F 000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F2021"
                    "22232425262728292A2B2C2D2E2F303132333435363738393A3B3C3D3E" } },
      INVALID_SIGNATURE,
      "" },
    { "a signature of zeros",
      { .change = { "BF38/5F37",
                    "5F3740 0000000000000000000000000000000000000000000000000000000000000000"
                    "0000000000000000000000000000000000000000000000000000000000000000" } },
      INVALID_SIGNATURE,
      "" },
    { "a bit in the signed transactionId",
      { .flip = "BF38/30/80", .flip_at = 0 },
      INVALID_SIGNATURE,
      "" },
    { "a bit in the signed challenge",
      { .flip = "BF38/30/81", .flip_at = 0 },
      INVALID_SIGNATURE,
      "" },
    { "a bit in the signed address",
      { .flip = "BF38/30/83", .flip_at = 0 },
      INVALID_SIGNATURE,
      "" },
    { "a bit in the server's challenge",
      { .flip = "BF38/30/84", .flip_at = -1 },
      INVALID_SIGNATURE,
      "" },
    /* the challenge, rightly signed */
    { "another challenge",
      { .signed_change = { "30/81", "8110 000102030405060708090A0B0C0D0E0F" } },
      CHALLENGE_MISMATCH,
      "euiccChallenge" },
    { "a challenge of zeros",
      { .signed_change = { "30/81", "8110 00000000000000000000000000000000" } },
      CHALLENGE_MISMATCH,
      "euiccChallenge" },
};

START_TEST(a_bad_request_is_refused_for_its_reason)
{
    struct bench b;
    char before[CARD_DIGEST_LEN], after[CARD_DIGEST_LEN];

    bench_open(&b);
    card_digest(&b.card, before);
    long error = bench_authenticate(&b, &refused[_i].plan);
    ck_assert_msg(error == refused[_i].error, "%s: %ld instead of %ld (%s)", refused[_i].what,
                  error, refused[_i].error, b.card.why);
    card_assert_why(&b.card, refused[_i].why);
    ck_assert_str_eq(card_digest(&b.card, after), before);

    /* The challenge is spent, no session came of it, and a good server is welcome afterwards. */
    card_es10(&b.card, wr_view(&b.request));
    ck_assert_int_eq(server_take_authenticate(&b.server, wr_view(&b.card.data)), NO_SESSION);
    server_cancel(&b.server, 0, &b.request);
    card_es10(&b.card, wr_view(&b.request));
    ck_assert_int_eq(server_take_cancel(&b.server, wr_view(&b.card.data), 0), 5);
    bench_download(&b, 1);
    bench_close(&b);
}
END_TEST

/* --- requests that are none ------------------------------------------------------------------- */

static const struct {
    const char *what;
    struct authenticate_plan plan;
} malformed[] = {
    { "without serverSigned1", { .change = { "BF38/30#0", "" } } },
    { "without serverSignature1", { .change = { "BF38/5F37", "" } } },
    { "without euiccCiPKIdToBeUsed", { .change = { "BF38/04", "" } } },
    { "without serverCertificate", { .change = { "BF38/30#1", "" } } },
    { "without ctxParams1", { .change = { "BF38/A0", "" } } },
    { "without transactionId", { .signed_change = { "30/80", "" } } },
    { "without euiccChallenge", { .signed_change = { "30/81", "" } } },
    { "without serverAddress", { .signed_change = { "30/83", "" } } },
    { "without serverChallenge", { .signed_change = { "30/84", "" } } },
    { "with an empty transactionId", { .signed_change = { "30/80", "8000" } } },
    { "with a transactionId of 17 octets",
      { .signed_change = { "30/80", "8011 0102030405060708090A0B0C0D0E0F1011" } } },
    { "with a euiccChallenge of 15 octets",
      { .signed_change = { "30/81", "810F 0102030405060708090A0B0C0D0E0F" } } },
    { "with a serverChallenge of 17 octets",
      { .signed_change = { "30/84", "8411 0102030405060708090A0B0C0D0E0F1011" } } },
    { "with a serverAddress that is no UTF-8", { .signed_change = { "30/83", "8302 C328" } } },
    { "with a broken TLV in serverSigned1", { .signed_change = { "30/84", "+ 8F05 01" } } },
    { "with a broken TLV at its end", { .change = { "BF38/A0", "+ 9F7F05 01" } } },
};

START_TEST(a_malformed_request_is_wrong_data)
{
    struct bench b;

    bench_open(&b);
    server_authenticate(&b.server, bench_challenge(&b), &malformed[_i].plan, &b.request);
    uint16_t sw = card_es10(&b.card, wr_view(&b.request));
    ck_assert_msg(sw == 0x6A80, "%s: %04X", malformed[_i].what, sw);
    ck_assert_int_eq(bench_authenticate(&b, NULL), 0);
    bench_close(&b);
}
END_TEST

/* --- the session ------------------------------------------------------------------------------ */

/* Sends b->request again and gives the error code of the answer. */
static long again(struct bench *b)
{
    ck_assert_uint_eq(card_es10(&b->card, wr_view(&b->request)), 0x9000);
    return server_take_authenticate(&b->server, wr_view(&b->card.data));
}

START_TEST(without_a_challenge_there_is_no_session)
{
    static const struct authenticate_plan nominal = { .reversed = false };
    struct bench b;

    bench_open(&b);
    server_authenticate(&b.server, rd_of("0123456789abcdef", CHALLENGE_LEN), &nominal, &b.request);
    ck_assert_int_eq(again(&b), NO_SESSION);
    card_assert_why(&b.card, "noSessionContext");
    bench_close(&b);
}
END_TEST

START_TEST(a_reset_takes_the_challenge_with_it)
{
    static const struct authenticate_plan nominal = { .reversed = false };
    struct bench b;

    bench_open(&b);
    server_authenticate(&b.server, bench_challenge(&b), &nominal, &b.request);
    card_reset(&b.card);
    ck_assert_int_eq(again(&b), NO_SESSION);
    bench_close(&b);
}
END_TEST

START_TEST(a_request_cannot_be_replayed)
{
    struct bench b;

    bench_open(&b);
    ck_assert_int_eq(bench_authenticate(&b, NULL), 0);
    ck_assert_int_eq(again(&b), NO_SESSION);
    ck_assert_int_eq(bench_prepare(&b, NULL), 0); /* the session it made goes on */
    bench_close(&b);
}
END_TEST

START_TEST(a_replay_under_a_new_challenge_is_a_mismatch)
{
    struct bench b;

    bench_open(&b);
    ck_assert_int_eq(bench_authenticate(&b, NULL), 0);
    struct wr old = message_copy(wr_view(&b.request));
    bench_challenge(&b);
    message_set(&b.request, wr_view(&old));
    ck_assert_int_eq(again(&b), CHALLENGE_MISMATCH);
    wr_done(&old);
    bench_close(&b);
}
END_TEST

START_TEST(a_new_challenge_voids_the_old_one)
{
    static const struct authenticate_plan nominal = { .reversed = false };
    struct bench b;

    bench_open(&b);
    server_authenticate(&b.server, bench_challenge(&b), &nominal, &b.request);
    card_es10_hex(&b.card, "BF2E00");
    ck_assert_int_eq(again(&b), CHALLENGE_MISMATCH);
    ck_assert_int_eq(again(&b), NO_SESSION);
    bench_close(&b);
}
END_TEST

START_TEST(challenges_differ_also_across_resets)
{
    enum { COUNT = 300 };
    static uint8_t seen[COUNT][CHALLENGE_LEN];
    struct bench b;

    bench_open(&b);
    for (size_t i = 0; i < COUNT; i++) {
        if (i % 50 == 0)
            card_reset(&b.card);
        memcpy(seen[i], bench_challenge(&b).p, CHALLENGE_LEN);
        for (size_t j = 0; j < i; j++)
            ck_assert_mem_ne(seen[i], seen[j], CHALLENGE_LEN);
    }
    bench_close(&b);
}
END_TEST

START_TEST(a_ci_of_the_other_curve_does_not_fit_the_certificate)
{
    struct bench b;
    struct server other;
    char text[64];

    bench_open(&b);
    server_open(&other, NULL, CURVE_BRAINPOOL_P256R1, NULL);
    size_t at = (size_t)snprintf(text, sizeof text, "0414");
    struct rd ski = cert_ski(other.ci);
    for (size_t i = 0; i < ski.n; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%02X", ski.p[i]);
    const struct authenticate_plan plan = { .ci_pkid = text };
    ck_assert_int_eq(bench_authenticate(&b, &plan), INVALID_CERTIFICATE);
    server_close(&other);
    bench_close(&b);
}
END_TEST

START_TEST(a_curve_that_the_card_was_made_without_has_no_ci)
{
    static const struct softeuicc_setting nist = { "curves", "nist" };
    struct bench b;

    bench_open_as(&b, &(struct bench_options){
                          .curve = CURVE_BRAINPOOL_P256R1, .settings = &nist, .n_settings = 1 });
    ck_assert_int_eq(bench_authenticate(&b, NULL), CI_PK_UNKNOWN);
    bench_close(&b);
}
END_TEST

/* --- certificate revocation lists ------------------------------------------------------------- */

enum { /* LoadCRLResponseError */
       CRL_OK = 0,
       CRL_INVALID_SIGNATURE = 1,
       CRL_INVALID_FORMAT = 2,
       CRL_NOT_ENOUGH_MEMORY = 3,
       CRL_KEY_NOT_FOUND = 4,
       CRL_FRESHER = 5,
       CRL_BASE_MISSING = 6,
};

/* A CRL of this number that has the serials of these certificates. */
static void issue_crl(struct bench *b, uint64_t number, uint64_t base, const struct rd *serials,
                      size_t n, struct wr *ret)
{
    wr_clear(ret);
    ck_assert_int_eq(crl_issue(b->server.c, b->server.ci, b->server.ci_key, number, base, serials,
                               n, 1700000000, ret),
                     0);
}

static long load_crl(struct bench *b, struct rd der)
{
    struct tlv t;
    uint64_t code;

    server_put_load_crl(der, &b->request);
    uint16_t sw = card_es10(&b->card, wr_view(&b->request));
    ck_assert_msg(sw == 0x9000, "LoadCRL: %04X (%s)", sw, b->card.why);
    if (message_has(wr_view(&b->card.data), "BF35/A0", &t))
        return CRL_OK;
    ck_assert(b->card.checks > 0);
    ck_assert_int_eq(tlv_uint(message_at(wr_view(&b->card.data), "BF35/81").value, &code), 0);
    return (long)code;
}

static struct wr serial_of(struct bench *b, enum server_cert which)
{
    struct credential credential = server_credential(&b->server, which, which);
    struct wr serial = message_copy(message_at(wr_view(&credential.der), "30/30/02").value);

    credential_done(&credential);
    return serial;
}

START_TEST(a_loaded_crl_revokes_what_it_names_and_nothing_else)
{
    struct bench b;
    struct wr crl;

    bench_open(&b);
    wr_init_heap(&crl, MESSAGE_MAX);
    struct wr auth = serial_of(&b, CERT_DP_AUTH), pb = serial_of(&b, CERT_DP2_PB);
    const struct rd serials[] = { wr_view(&pb), wr_view(&auth) };
    issue_crl(&b, 1, 0, serials, 2, &crl);
    ck_assert_int_eq(bench_authenticate(&b, NULL), 0);
    ck_assert_int_eq(load_crl(&b, wr_view(&crl)), CRL_OK);
    ck_assert_int_eq(bench_authenticate(&b, NULL), INVALID_CERTIFICATE);
    card_assert_why(&b.card, "CRL");
    card_reset(&b.card);
    ck_assert_int_eq(bench_authenticate(&b, NULL), INVALID_CERTIFICATE);
    ck_assert_int_eq(bench_authenticate(&b, &(struct authenticate_plan){ .cert = CERT_DP2_AUTH }),
                     0);
    ck_assert_int_eq(bench_prepare(&b, &(struct prepare_plan){ .cert = CERT_DP2_PB }), 1);
    card_assert_why(&b.card, "CRL");
    wr_done(&auth);
    wr_done(&pb);
    wr_done(&crl);
    bench_close(&b);
}
END_TEST

START_TEST(a_delta_crl_adds_to_its_base)
{
    struct bench b;
    struct wr crl;

    bench_open(&b);
    wr_init_heap(&crl, MESSAGE_MAX);
    struct wr auth = serial_of(&b, CERT_DP_AUTH);
    const struct rd serial = wr_view(&auth);
    issue_crl(&b, 2, 1, &serial, 1, &crl);
    ck_assert_int_eq(load_crl(&b, wr_view(&crl)), CRL_BASE_MISSING);
    ck_assert_int_eq(bench_authenticate(&b, NULL), 0);
    struct wr base;
    wr_init_heap(&base, MESSAGE_MAX);
    issue_crl(&b, 1, 0, NULL, 0, &base);
    ck_assert_int_eq(load_crl(&b, wr_view(&base)), CRL_OK);
    ck_assert_int_eq(bench_authenticate(&b, NULL), 0);
    ck_assert_int_eq(load_crl(&b, wr_view(&crl)), CRL_OK);
    ck_assert_int_eq(bench_authenticate(&b, NULL), INVALID_CERTIFICATE);
    issue_crl(&b, 9, 5, &serial, 1, &crl);
    ck_assert_int_eq(load_crl(&b, wr_view(&crl)), CRL_BASE_MISSING);
    wr_done(&base);
    wr_done(&auth);
    wr_done(&crl);
    bench_close(&b);
}
END_TEST

START_TEST(an_older_crl_than_the_loaded_one_is_refused)
{
    struct bench b;
    struct wr crl;

    bench_open(&b);
    wr_init_heap(&crl, MESSAGE_MAX);
    issue_crl(&b, 7, 0, NULL, 0, &crl);
    ck_assert_int_eq(load_crl(&b, wr_view(&crl)), CRL_OK);
    ck_assert_int_eq(load_crl(&b, wr_view(&crl)), CRL_OK); /* the same again changes nothing */
    issue_crl(&b, 6, 0, NULL, 0, &crl);
    ck_assert_int_eq(load_crl(&b, wr_view(&crl)), CRL_FRESHER);
    issue_crl(&b, 8, 0, NULL, 0, &crl);
    ck_assert_int_eq(load_crl(&b, wr_view(&crl)), CRL_OK);
    wr_done(&crl);
    bench_close(&b);
}
END_TEST

static const struct {
    const char *what, *flip;
    long flip_at;
    struct change change;
    long code;
} bad_crls[] = {
    { "a bit in the signature", "30/03", -1, { NULL, NULL }, CRL_INVALID_SIGNATURE },
    { "a bit in thisUpdate", "30/30/17", -2, { NULL, NULL }, CRL_INVALID_SIGNATURE },
    { "another issuer's key", "30/30/A0/30/30#0/04", -1, { NULL, NULL }, CRL_KEY_NOT_FOUND },
    { "no signature", NULL, 0, { "30/03", "" }, CRL_INVALID_FORMAT },
    { "no issuer", NULL, 0, { "30/30/30#1", "" }, CRL_INVALID_FORMAT },
    { "a broken TLV in it", NULL, 0, { "30/03", "+ 0405 00" }, CRL_INVALID_FORMAT },
};

START_TEST(a_bad_crl_is_refused_for_its_reason)
{
    struct bench b;
    struct wr crl;

    bench_open(&b);
    wr_init_heap(&crl, MESSAGE_MAX);
    issue_crl(&b, 1, 0, NULL, 0, &crl);
    message_change(&crl, bad_crls[_i].change);
    if (bad_crls[_i].flip != NULL)
        message_flip(&crl, bad_crls[_i].flip, bad_crls[_i].flip_at, 0x01);
    long code = load_crl(&b, wr_view(&crl));
    ck_assert_msg(code == bad_crls[_i].code, "%s: %ld (%s)", bad_crls[_i].what, code, b.card.why);
    issue_crl(&b, 1, 0, NULL, 0, &crl);
    ck_assert_int_eq(load_crl(&b, wr_view(&crl)), CRL_OK);
    wr_done(&crl);
    bench_close(&b);
}
END_TEST

START_TEST(a_crl_beyond_the_memory_is_refused)
{
    enum { COUNT = 1200 };
    static uint8_t octets[COUNT][9];
    static struct rd serials[COUNT];
    struct bench b;
    struct wr crl;

    bench_open(&b);
    wr_init_heap(&crl, MESSAGE_MAX);
    for (size_t i = 0; i < COUNT; i++) {
        octets[i][0] = 1;
        octets[i][1] = (uint8_t)(i >> 8);
        octets[i][2] = (uint8_t)i;
        serials[i] = rd_of(octets[i], sizeof octets[i]);
    }
    issue_crl(&b, 1, 0, serials, COUNT, &crl);
    ck_assert_uint_gt(crl.n, 32768);
    ck_assert_int_eq(load_crl(&b, wr_view(&crl)), CRL_NOT_ENOUGH_MEMORY);
    issue_crl(&b, 1, 0, serials, 1, &crl);
    ck_assert_int_eq(load_crl(&b, wr_view(&crl)), CRL_OK);
    wr_done(&crl);
    bench_close(&b);
}
END_TEST

START_TEST(a_card_without_crl_support_does_not_know_load_crl)
{
    struct bench b;

    bench_open_set(&b, "crl=off");
    ck_assert_uint_eq(card_es10_hex(&b.card, "BF3502A000"), 0x6A88);
    ck_assert_uint_eq(card_es10_hex(&b.card, "BF2200"), 0x9000);
    uint32_t bits;
    ck_assert_int_eq(tlv_bits(message_at(wr_view(&b.card.data), "BF22/88").value, &bits), 0);
    ck_assert_uint_eq(bits & 2, 0);
    bench_close(&b);
}
END_TEST

int main(void)
{
    struct suite s = suite_begin("authenticate");

    suite_loop(&s, a_good_request_is_answered_on_p256, N_ELEMS(accepted));
    suite_loop(&s, a_good_request_is_answered_on_brainpool, N_ELEMS(accepted));
    suite_add(&s, a_truncated_pkid_that_is_not_ambiguous_is_accepted);
    suite_loop(&s, a_bad_request_is_refused_for_its_reason, N_ELEMS(refused));
    suite_loop(&s, a_malformed_request_is_wrong_data, N_ELEMS(malformed));
    suite_add(&s, without_a_challenge_there_is_no_session);
    suite_add(&s, a_reset_takes_the_challenge_with_it);
    suite_add(&s, a_request_cannot_be_replayed);
    suite_add(&s, a_replay_under_a_new_challenge_is_a_mismatch);
    suite_add(&s, a_new_challenge_voids_the_old_one);
    suite_add(&s, challenges_differ_also_across_resets);
    suite_add(&s, a_ci_of_the_other_curve_does_not_fit_the_certificate);
    suite_add(&s, a_curve_that_the_card_was_made_without_has_no_ci);
    suite_add(&s, a_loaded_crl_revokes_what_it_names_and_nothing_else);
    suite_add(&s, a_delta_crl_adds_to_its_base);
    suite_add(&s, an_older_crl_than_the_loaded_one_is_refused);
    suite_loop(&s, a_bad_crl_is_refused_for_its_reason, N_ELEMS(bad_crls));
    suite_add(&s, a_crl_beyond_the_memory_is_refused);
    suite_add(&s, a_card_without_crl_support_does_not_know_load_crl);
    return suite_run(&s);
}
