/* test_prepare.c - ES10b.PrepareDownload (SGP.22 5.7.5): who is bound to, with which one-time key,
 * and each reason to be refused. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "os/err.h"
#include "tests/rsp/bench.h"
#include "tests/testlib/suite.h"

enum { /* DownloadErrorCode */
       INVALID_CERTIFICATE = 1,
       INVALID_SIGNATURE = 2,
       UNSUPPORTED_CURVE = 3,
       NO_SESSION = 4,
       INVALID_TRANSACTION_ID = 5,
       UNDEFINED_ERROR = 127,
};

#define HASH_CC "000102030405060708090A0B0C0D0E0F 101112131415161718191A1B1C1D1E1F"

/* --- who is accepted -------------------------------------------------------------------------- */

static const struct {
    const char *what;
    struct prepare_plan plan;
} accepted[] = {
    { "the nominal request", { .cc_required = false } },
    { "a confirmation code", { .cc_required = true, .hash_cc = HASH_CC } },
    { "a confirmation code that nobody asked for", { .hash_cc = HASH_CC } },
    { "TRUE as 01",
      { .cc_required = true, .hash_cc = HASH_CC, .signed_change = { "30/01", "010101" } } },
    { "smdpSigned2 with a field that nobody knows",
      { .signed_change = { "30/01", "+ 8F03 010203" } } },
    { "a request with a field that nobody knows", { .change = { "BF21/5F37", "+ 9F7F 00" } } },
    { "the fields of smdpSigned2 in another order", { .reversed = true } },
    { "an expired certificate, for a card has no clock", { .cert = CERT_EXPIRED } },
};

static void assert_accepted(size_t i, enum curve curve)
{
    struct bench b;

    bench_open_as(&b, &(struct bench_options){ .curve = curve });
    ck_assert_int_eq(bench_authenticate(&b, NULL), 0);
    long error = bench_prepare(&b, &accepted[i].plan);
    ck_assert_msg(error == 0, "%s is refused with %ld (%s)", accepted[i].what, error, b.card.why);
    ck_assert_uint_eq(b.card.checks, 0);
    if (accepted[i].plan.cc_required)
        ck_assert(rd_equal(message_at(wr_view(&b.card.data), "BF21/A0/30/04").value,
                           message_at(wr_view(&b.request), "BF21/04").value));
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

/* --- who is refused --------------------------------------------------------------------------- */

static const struct {
    const char *what;
    struct prepare_plan plan;
    long error;
    const char *why;
} refused[] = {
    { "another transactionId",
      { .signed_change = { "30/80", "8010 000102030405060708090A0B0C0D0E0F" } },
      INVALID_TRANSACTION_ID,
      "transactionId" },
    { "a transactionId that is cut short",
      { .signed_change = { "30/80", "8001 00" } },
      INVALID_TRANSACTION_ID,
      "transactionId" },
    { "CERT.DP2pb, another SM-DP+'s", { .cert = CERT_DP2_PB }, INVALID_CERTIFICATE, "OID" },
    { "CERT.DPauth", { .cert = CERT_DP_AUTH }, INVALID_CERTIFICATE, "" },
    { "CERT.DSauth", { .cert = CERT_DS_AUTH }, INVALID_CERTIFICATE, "" },
    { "CERT.DP.TLS", { .cert = CERT_DP_TLS }, INVALID_CERTIFICATE, "" },
    { "a certificate of an unknown CI", { .cert = CERT_UNKNOWN_CI }, INVALID_CERTIFICATE, "" },
    { "a certificate without registeredID", { .cert = CERT_NO_OID }, INVALID_CERTIFICATE, "" },
    { "a certificate without keyUsage",
      { .cert_change = { "30/30/A3/30/30#2", "" } },
      INVALID_CERTIFICATE,
      "" },
    { "a certificate without policies",
      { .cert_change = { "30/30/A3/30/30#3", "" } },
      INVALID_CERTIFICATE,
      "" },
    { "a certificate on P-384",
      { .cert_change = { "30/30/30#4", P384_KEY } },
      UNSUPPORTED_CURVE,
      "curve" },
    { "a bit in the certificate's subject",
      { .flip = "BF21/30#1/30/30#3", .flip_at = -1 },
      INVALID_CERTIFICATE,
      "" },
    { "a bit in the certificate's key",
      { .flip = "BF21/30#1/30/30#4/03", .flip_at = -1 },
      INVALID_CERTIFICATE,
      "" },
    { "a bit in the certificate's signature",
      { .flip = "BF21/30#1/03", .flip_at = -1 },
      INVALID_CERTIFICATE,
      "" },
    { "a bit in r of smdpSignature2",
      { .flip = "BF21/5F37", .flip_at = 0 },
      INVALID_SIGNATURE,
      "" },
    { "a bit in s of smdpSignature2",
      { .flip = "BF21/5F37", .flip_at = -1 },
      INVALID_SIGNATURE,
      "" },
    { "a signature of CERT.DPauth's key", { .key = CERT_DP_AUTH }, INVALID_SIGNATURE, "" },
    { "a signature without euiccSignature1",
      { .without_signature1 = true },
      INVALID_SIGNATURE,
      "" },
    { "a bit in the signed ccRequiredFlag",
      { .flip = "BF21/30/01", .flip_at = 0 },
      INVALID_SIGNATURE,
      "" },
    { "an empty signature", { .change = { "BF21/5F37", "5F3700" } }, INVALID_SIGNATURE, "" },
    { "no hashCc where the server wants one", { .cc_required = true }, UNDEFINED_ERROR, "hashCc" },
};

START_TEST(a_bad_request_is_refused_for_its_reason)
{
    struct bench b;
    char before[CARD_DIGEST_LEN], after[CARD_DIGEST_LEN];

    bench_open(&b);
    ck_assert_int_eq(bench_authenticate(&b, NULL), 0);
    card_digest(&b.card, before);
    long error = bench_prepare(&b, &refused[_i].plan);
    ck_assert_msg(error == refused[_i].error, "%s: %ld instead of %ld (%s)", refused[_i].what,
                  error, refused[_i].error, b.card.why);
    ck_assert(rd_equal(message_at(wr_view(&b.card.data), "BF21/A1/80").value,
                       message_at(wr_view(&b.request), "BF21/30/80").value));
    card_assert_why(&b.card, refused[_i].why);
    ck_assert_str_eq(card_digest(&b.card, after), before);
    /* The session is over; the next one works. */
    ck_assert_int_eq(bench_prepare(&b, NULL), NO_SESSION);
    bench_download(&b, 1);
    bench_close(&b);
}
END_TEST

static const struct {
    const char *what;
    struct prepare_plan plan;
} malformed[] = {
    { "without smdpSigned2", { .change = { "BF21/30#0", "" } } },
    { "without smdpSignature2", { .change = { "BF21/5F37", "" } } },
    { "without smdpCertificate", { .change = { "BF21/30#1", "" } } },
    { "without transactionId", { .signed_change = { "30/80", "" } } },
    { "without ccRequiredFlag", { .signed_change = { "30/01", "" } } },
    { "with a ccRequiredFlag of two octets", { .signed_change = { "30/01", "0102FFFF" } } },
    { "with a hashCc of 31 octets",
      { .cc_required = true,
        .hash_cc = "000102030405060708090A0B0C0D0E0F 101112131415161718191A1B1C1D1E" } },
    { "with a broken TLV in smdpSigned2", { .signed_change = { "30/01", "+ 8F05 01" } } },
};

START_TEST(a_malformed_request_is_wrong_data)
{
    struct bench b;

    bench_open(&b);
    ck_assert_int_eq(bench_authenticate(&b, NULL), 0);
    server_prepare(&b.server, &malformed[_i].plan, &b.request);
    uint16_t sw = card_es10(&b.card, wr_view(&b.request));
    ck_assert_msg(sw == 0x6A80, "%s: %04X", malformed[_i].what, sw);
    bench_download(&b, 1);
    bench_close(&b);
}
END_TEST

/* --- the session ------------------------------------------------------------------------------ */

START_TEST(without_an_authenticated_server_there_is_no_session)
{
    struct bench b;

    bench_open(&b);
    ck_assert_int_eq(bench_prepare(&b, NULL), NO_SESSION);
    bench_challenge(&b);
    ck_assert_int_eq(bench_prepare(&b, NULL), NO_SESSION);
    card_assert_why(&b.card, "noSessionContext");
    bench_close(&b);
}
END_TEST

START_TEST(an_sm_ds_cannot_prepare_a_download)
{
    struct bench b;

    bench_open(&b);
    ck_assert_int_eq(bench_authenticate(&b, &(struct authenticate_plan){ .role = CERT_DS_AUTH }),
                     0);
    ck_assert_int_eq(bench_prepare(&b, NULL), NO_SESSION);
    bench_close(&b);
}
END_TEST

START_TEST(a_reset_ends_the_session)
{
    struct bench b;

    bench_open(&b);
    ck_assert_int_eq(bench_authenticate(&b, NULL), 0);
    card_reset(&b.card);
    ck_assert_int_eq(bench_prepare(&b, NULL), NO_SESSION);
    bench_close(&b);
}
END_TEST

START_TEST(the_session_outlives_its_logical_channel)
{
    static const uint8_t open[] = { 0x00, 0x70, 0x00, 0x00, 0x01 },
                         close[] = { 0x00, 0x70, 0x80, 0x01, 0x00 };
    struct bench b;

    bench_open(&b);
    ck_assert_uint_eq(card_apdu(&b.card, open, sizeof open), 0x9000);
    ck_assert_int_eq(bench_authenticate(&b, NULL), 0);
    ck_assert_uint_eq(card_apdu(&b.card, close, sizeof close), 0x9000);
    ck_assert_int_eq(bench_prepare(&b, NULL), 0);
    bench_close(&b);
}
END_TEST

START_TEST(preparing_twice_gives_a_second_key_and_a_download_that_works)
{
    uint8_t first[EC_POINT_LEN];
    struct bench b;

    bench_open(&b);
    bench_reach_prepared(&b);
    memcpy(first, b.server.ot_pk_euicc, sizeof first);
    ck_assert_int_eq(bench_prepare(&b, NULL), 0);
    ck_assert_mem_ne(first, b.server.ot_pk_euicc, sizeof first);
    server_bind(&b.server, &(struct bpp_plan){ .ppk = false }, &b.bpp);
    ck_assert(bench_load(&b, AS_LPAS_DO));
    ck_assert(b.read.success);
    bench_close(&b);
}
END_TEST

/* --- one-time keys ---------------------------------------------------------------------------- */

/* A second session that asks for the first one's key: is it the same one? */
static bool reuses(struct bench *b, enum server_cert auth, enum server_cert pb,
                   const uint8_t wanted[EC_POINT_LEN])
{
    const struct prepare_plan plan = { .cert = pb, .bpp_euicc_otpk = rd_of(wanted, EC_POINT_LEN) };

    ck_assert_int_eq(bench_authenticate(b, &(struct authenticate_plan){ .cert = auth }), 0);
    long error = bench_prepare(b, &plan);
    ck_assert_msg(error == 0, "%ld (%s)", error, b->card.why);
    return memcmp(b->server.ot_pk_euicc, wanted, EC_POINT_LEN) == 0;
}

START_TEST(a_kept_key_is_used_again_also_after_a_reset)
{
    uint8_t first[EC_POINT_LEN];
    struct bench b;

    bench_open(&b);
    bench_reach_prepared(&b);
    memcpy(first, b.server.ot_pk_euicc, sizeof first);
    ck_assert(reuses(&b, CERT_OWN, CERT_OWN, first));
    card_reset(&b.card);
    ck_assert(reuses(&b, CERT_OWN, CERT_OWN, first));
    server_bind(&b.server, &(struct bpp_plan){ .ppk = false }, &b.bpp);
    ck_assert(bench_load(&b, AS_LPAS_DO));
    ck_assert(b.read.success);
    bench_close(&b);
}
END_TEST

START_TEST(a_key_goes_with_the_profile_that_it_installed)
{
    uint8_t first[EC_POINT_LEN];
    struct bench b;

    bench_open(&b);
    bench_download(&b, 1);
    memcpy(first, b.server.ot_pk_euicc, sizeof first);
    ck_assert(!reuses(&b, CERT_OWN, CERT_OWN, first));
    bench_close(&b);
}
END_TEST

START_TEST(a_key_goes_with_a_permanent_error_and_stays_with_a_cancelled_session)
{
    uint8_t first[EC_POINT_LEN];
    struct bench b;

    bench_open(&b);
    bench_reach_prepared(&b);
    memcpy(first, b.server.ot_pk_euicc, sizeof first);
    server_cancel(&b.server, 1, &b.request);
    card_es10(&b.card, wr_view(&b.request));
    ck_assert_int_eq(server_take_cancel(&b.server, wr_view(&b.card.data), 1), 0);
    ck_assert(reuses(&b, CERT_OWN, CERT_OWN, first));
    server_bind(&b.server, &(struct bpp_plan){ .flip = "BF36/BF23/5F37" }, &b.bpp);
    ck_assert(bench_load(&b, AS_LPAS_DO));
    ck_assert(!b.read.success);
    ck_assert(!reuses(&b, CERT_OWN, CERT_OWN, first));
    bench_close(&b);
}
END_TEST

START_TEST(a_key_of_another_server_or_of_nobody_is_not_used)
{
    uint8_t first[EC_POINT_LEN], unknown[EC_POINT_LEN];
    struct bench b;

    bench_open(&b);
    bench_reach_prepared(&b);
    memcpy(first, b.server.ot_pk_euicc, sizeof first);
    struct credential any = server_credential(&b.server, CERT_DP_AUTH, CERT_DP_AUTH);
    ec_key_point(any.key, unknown);
    credential_done(&any);
    ck_assert(!reuses(&b, CERT_OWN, CERT_OWN, unknown));
    ck_assert(!reuses(&b, CERT_DP2_AUTH, CERT_DP2_PB, first));
    ck_assert(reuses(&b, CERT_OWN, CERT_OWN, first));
    bench_close(&b);
}
END_TEST

START_TEST(a_key_that_is_no_point_is_answered_with_a_new_one)
{
    static const uint8_t nonsense[EC_POINT_LEN] = { 0x04 };
    struct bench b;

    bench_open(&b);
    ck_assert(!reuses(&b, CERT_OWN, CERT_OWN, nonsense));
    bench_close(&b);
}
END_TEST

START_TEST(a_card_that_keeps_no_keys_gives_a_new_one)
{
    uint8_t first[EC_POINT_LEN];
    struct bench b;

    bench_open_set(&b, "otpk_reuse=off");
    bench_reach_prepared(&b);
    memcpy(first, b.server.ot_pk_euicc, sizeof first);
    ck_assert(!reuses(&b, CERT_OWN, CERT_OWN, first));
    bench_close(&b);
}
END_TEST

START_TEST(keys_are_kept_on_both_curves_side_by_side)
{
    uint8_t on_p256[EC_POINT_LEN];
    struct server other;
    struct bench b;

    bench_open(&b);
    bench_reach_prepared(&b);
    memcpy(on_p256, b.server.ot_pk_euicc, sizeof on_p256);
    server_open(&other, NULL, CURVE_BRAINPOOL_P256R1, NULL);
    struct server first = b.server;
    b.server = other;
    ck_assert(!reuses(&b, CERT_OWN, CERT_OWN, on_p256));
    other = b.server;
    b.server = first;
    ck_assert(reuses(&b, CERT_OWN, CERT_OWN, on_p256));
    server_close(&other);
    bench_close(&b);
}
END_TEST

int main(void)
{
    struct suite s = suite_begin("prepare");

    suite_loop(&s, a_good_request_is_answered_on_p256, N_ELEMS(accepted));
    suite_loop(&s, a_good_request_is_answered_on_brainpool, N_ELEMS(accepted));
    suite_loop(&s, a_bad_request_is_refused_for_its_reason, N_ELEMS(refused));
    suite_loop(&s, a_malformed_request_is_wrong_data, N_ELEMS(malformed));
    suite_add(&s, without_an_authenticated_server_there_is_no_session);
    suite_add(&s, an_sm_ds_cannot_prepare_a_download);
    suite_add(&s, a_reset_ends_the_session);
    suite_add(&s, the_session_outlives_its_logical_channel);
    suite_add(&s, preparing_twice_gives_a_second_key_and_a_download_that_works);
    suite_add(&s, a_kept_key_is_used_again_also_after_a_reset);
    suite_add(&s, a_key_goes_with_the_profile_that_it_installed);
    suite_add(&s, a_key_goes_with_a_permanent_error_and_stays_with_a_cancelled_session);
    suite_add(&s, a_key_of_another_server_or_of_nobody_is_not_used);
    suite_add(&s, a_key_that_is_no_point_is_answered_with_a_new_one);
    suite_add(&s, a_card_that_keeps_no_keys_gives_a_new_one);
    suite_add(&s, keys_are_kept_on_both_curves_side_by_side);
    return suite_run(&s);
}
