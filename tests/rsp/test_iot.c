/* test_iot.c - what SGP.32 gives an IPA to do without an eIM: Immediate Profile Enabling (5.9.15,
 * 5.9.17), fallback (3.4.6, 3.4.7, 5.9.20, 5.9.21), emergency (5.9.22, 5.9.23), memory reset
 * (5.9.5), certificates (5.9.10), connectivity parameters (5.9.24), address (5.9.25). */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/err.h"
#include "tests/rsp/bench.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

#define TEST_CLASS   "950100"
#define PROVISIONING "950101"
#define OWNER        "B705 8003 00F110"
#define PPR1         OWNER "99020640"
#define EMERGENCY    "9F7B01FF"
#define FALLBACK     "9F6701FF"

#define DP_OID     "8103 88370A"
#define DP_ADDRESS "8219 74657374736D6470706C7573312E6578616D706C652E636F6D"

enum { IMMEDIATE_ENABLE = 0xBF5A, EMERGENCY_ON, EMERGENCY_OFF, EXECUTE_FALLBACK, RETURN };
enum {
    OK = 0,
    NOT_AVAILABLE = 1,
    WRONG_STATE = 2,
    NO_SESSION = 4,
    CAT_BUSY = 5,
    NO_FALLBACK = 6,
    COMMAND_ERROR = 7,
    NO_ECALL = 8,
    ECALL_ACTIVE = 104,
    UNDEFINED = 127,
};

/* A function with a refreshFlag, and its result. */
static void run_as(struct bench *b, unsigned function, bool refresh, int result)
{
    char request[32], answer[32];

    snprintf(request, sizeof request, "%X03 8001%s", function, refresh ? "FF" : "00");
    snprintf(answer, sizeof answer, "%X03 8001%02X", function, result);
    card_expect(&b->card, request, answer);
    ck_assert_msg((b->card.checks > 0) == (result != OK), "%s: %s", request, b->card.why);
}

/* Without REFRESH; what is refused changes nothing. */
static void run(struct bench *b, unsigned function, int result)
{
    char before[CARD_DIGEST_LEN], after[CARD_DIGEST_LEN];

    card_digest(&b->card, before);
    run_as(b, function, false, result);
    ck_assert_int_eq(strcmp(card_digest(&b->card, after), before) != 0, result == OK);
}

static void enable(struct bench *b, unsigned digit)
{
    char request[64];

    snprintf(request, sizeof request, "BF3111 A00C 5A0A %s 810100", server_iccid(digit));
    card_expect(&b->card, request, "BF3103800100");
}

static void delete_profile(struct bench *b, unsigned digit)
{
    char request[64];

    snprintf(request, sizeof request, "BF330C 5A0A %s", server_iccid(digit));
    card_expect(&b->card, request, "BF3303800100");
}

/* The events and ICCIDs of what is pending: "-1+2" for disable of 1, enable of 2; "x" for delete,
 * "i" for install. */
static void assert_pending(struct bench *b, const char *expected)
{
    static const char letters[] = "i+-x";
    char got[64] = "";
    size_t n = 0;
    struct tlv one;

    ck_assert_uint_eq(card_es10_hex(&b->card, "BF2800"), 0x9000);
    for (struct rd in = message_at(wr_view(&b->card.data), "BF28/A0").value;
         tlv_get(&in, &one) == 0 && n + 2 < sizeof got;) {
        uint32_t events;
        ck_assert_int_eq(tlv_bits(message_at(one.value, "81").value, &events), 0);
        for (unsigned bit = 0; bit < 4; bit++)
            if (events == UINT32_C(1) << bit)
                got[n++] = letters[bit];
        got[n++] = (char)('0' + (message_at(one.value, "5A").value.p[8] >> 4));
    }
    ck_assert_str_eq(got, expected);
}

/* --- an eIM ----------------------------------------------------------------------------------- */

#define EIM_KEY "777A97AE1E4F163897A47EC138981D74777F9CCC4392543311C90670B1C36DFD"
#define EIM_POINT                                                                                  \
    "04E4D8B6D33CC5ABB9E3BBF5E14A4CDFE5149D89C1B84C4FEB6A1DEDE7D76BB583"                           \
    "F86E67CCB52EB18BE188EEFB8A8394F32B609E2E7B35F0BBAD8855CC40A02D45"

/* eIM "eim1", without an association token. */
static void associate(struct bench *b)
{
    card_expect(&b->card,
                "BF57 {A0 {30 {8004 65696D31 830100 A5 {A0 {"
                "3013 06072A8648CE3D0201 06082A8648CE3D030107 034200" EIM_POINT "}}}}}",
                "BF5704 A0020500");
}

/* A eUICC Package of it with these PSMOs (hex); the contents of euiccResult must be `results`. */
static void package(struct bench *b, unsigned counter, const char *psmos, const char *results)
{
    static const uint8_t no_token[] = { 0x84, 0x01, 0x00 };
    uint8_t signature[EC_SIGNATURE_LEN], key_octets[32];
    struct ec_key *key;
    struct wr number, payload, signed_part, expected;

    wr_init(&number, key_octets, sizeof key_octets);
    hex_put(&number, EIM_KEY);
    ck_assert_int_eq(ec_key_from_number(b->server.c, CURVE_P256, wr_view(&number), &key), 0);
    wr_init_heap(&payload, MESSAGE_MAX);
    wr_init_heap(&signed_part, MESSAGE_MAX);
    wr_init_heap(&expected, MESSAGE_MAX);
    hex_put(&payload, psmos);
    hex_put(&expected, results);

    ck_assert_uint_eq(card_es10_hex(&b->card, "BF3E035C015A") & 0xFF00, 0x9000);
    struct wr_mark m = tlv_open(&signed_part, 0x30);
    tlv_put_str(&signed_part, 0x80, "eim1");
    tlv_put(&signed_part, 0x5A, message_at(wr_view(&b->card.data), "BF3E/5A").value);
    tlv_put_uint(&signed_part, 0x81, counter);
    tlv_put(&signed_part, 0xA0, wr_view(&payload));
    tlv_close(&signed_part, m);
    const struct rd parts[] = { wr_view(&signed_part), rd_of(no_token, sizeof no_token) };
    ck_assert_int_eq(ecdsa_sign(b->server.c, key, parts, N_ELEMS(parts), signature), 0);
    wr_clear(&b->request);
    m = tlv_open(&b->request, 0xBF51);
    wr_put_rd(&b->request, wr_view(&signed_part));
    tlv_put(&b->request, 0x5F37, rd_of(signature, sizeof signature));
    tlv_close(&b->request, m);

    card_es10(&b->card, wr_view(&b->request));
    struct rd got = message_at(wr_view(&b->card.data), "BF51/A0/30/30").value;
    if (!rd_equal(got, wr_view(&expected)))
        ck_abort_msg("%s: %02X%02X%02X... instead of %s (%s)", psmos, got.n > 0 ? got.p[0] : 0u,
                     got.n > 1 ? got.p[1] : 0u, got.n > 2 ? got.p[2] : 0u, results, b->card.why);
    ec_key_free(&key);
    wr_done(&payload);
    wr_done(&signed_part);
    wr_done(&expected);
}

/* The fallback attribute to profile `digit`, by an eIM whose packages count up. */
static void set_fallback(struct bench *b, unsigned *counter, unsigned digit, const char *result)
{
    char psmo[48];

    snprintf(psmo, sizeof psmo, "A80C 5A0A %s", server_iccid(digit));
    package(b, ++*counter, psmo, result);
}

/* --- Immediate Profile Enabling --------------------------------------------------------------- */

static void configure(struct bench *b, const char *fields, int result)
{
    char request[640], answer[32];

    snprintf(request, sizeof request, "BF59 {%s}", fields);
    snprintf(answer, sizeof answer, "BF5903 8001%02X", result);
    card_expect(&b->card, request, answer);
    ck_assert_msg((b->card.checks > 0) == (result != OK), "%s: %s", request, b->card.why);
}

START_TEST(a_profile_is_enabled_right_after_its_download)
{
    struct bench b;

    bench_open(&b);
    configure(&b, "8000" DP_OID DP_ADDRESS, OK);
    bench_download(&b, 1);
    bench_remove_notifications(&b);
    run(&b, IMMEDIATE_ENABLE, OK);
    bench_assert_profiles(&b, "1+");
    assert_pending(&b, "+1");
    card_reset(&b.card);
    bench_assert_profiles(&b, "1+");
    bench_download(&b, 2); /* and the next one replaces it */
    bench_remove_notifications(&b);
    run(&b, IMMEDIATE_ENABLE, OK);
    bench_assert_profiles(&b, "1-2+");
    assert_pending(&b, "-1+2");
    bench_close(&b);
}
END_TEST

START_TEST(immediate_enable_needs_its_sm_dp)
{
    static const struct {
        const char *fields, *default_dp;
        int result;
    } rows[] = {
        { NULL, NULL, NOT_AVAILABLE },   /* not configured */
        { "8000", NULL, NOT_AVAILABLE }, /* nothing says which one */
        { "8000" DP_OID, NULL, OK },     /* its OID alone */
        { "8000" DP_ADDRESS, NULL, OK }, /* its address alone */
        { "8000" DP_OID DP_ADDRESS, NULL, OK },
        { "8000 8103 88370B", NULL, NOT_AVAILABLE },
        { "8000 8102 8837", NULL, NOT_AVAILABLE },
        { "8000 8103 88370B" DP_ADDRESS, NULL, NOT_AVAILABLE },
        { "8000 8203 612E62", NULL, NOT_AVAILABLE },
        { "8000" DP_OID "8203 612E62", NULL, NOT_AVAILABLE },
        { "8000", "74657374736D6470706C7573312E6578616D706C652E636F6D", OK }, /* the eUICC's own */
        { "8000", "612E62", NOT_AVAILABLE },
        { "8000" DP_OID, "612E62", NOT_AVAILABLE },
        { "8000" DP_ADDRESS, "612E62", OK }, /* the configured one comes first */
        { DP_OID DP_ADDRESS, NULL, NOT_AVAILABLE },
        { "", NULL, NOT_AVAILABLE },
    };
    char request[128];
    struct bench b;

    bench_open(&b);
    if (rows[_i].fields != NULL)
        configure(&b, rows[_i].fields, OK);
    if (rows[_i].default_dp != NULL) {
        snprintf(request, sizeof request, "BF65 {80 {%s}}", rows[_i].default_dp);
        card_expect(&b.card, request, "BF6503800100");
    }
    bench_download(&b, 1);
    run(&b, IMMEDIATE_ENABLE, rows[_i].result);
    bench_assert_profiles(&b, rows[_i].result == OK ? "1+" : "1-");
    bench_close(&b);
}
END_TEST

static void begin_session(struct bench *b)
{
    bench_challenge(b);
}

static void cancel_session(struct bench *b)
{
    card_expect(&b->card, "BF4106 800101 810100", "BF4103810105");
}

static void reset(struct bench *b)
{
    card_reset(&b->card);
}

static void delete_it(struct bench *b)
{
    delete_profile(b, 1);
}

static void fail_to_install(struct bench *b)
{
    bench_download_as(b, &(struct bpp_plan){ .upp_tail = "00" }, AS_LPAS_DO);
    ck_assert(!b->read.success);
}

static void ask_for_certificates(struct bench *b)
{
    ck_assert_uint_eq(card_es10_hex(&b->card, "BF5600"), 0x9000);
}

static void send_notifications(struct bench *b)
{
    bench_remove_notifications(b);
}

START_TEST(immediate_enable_is_about_the_session_before)
{
    static const struct {
        void (*act)(struct bench *b);
        int result;
    } rows[] = {
        { begin_session, NO_SESSION },   { cancel_session, NO_SESSION },
        { reset, NO_SESSION },           { delete_it, NO_SESSION },
        { fail_to_install, NO_SESSION }, { ask_for_certificates, OK },
        { send_notifications, OK },
    };
    struct bench b;

    bench_open(&b);
    configure(&b, "8000" DP_OID, OK);
    run(&b, IMMEDIATE_ENABLE, NO_SESSION); /* nothing was installed yet */
    bench_download(&b, 1);
    rows[_i].act(&b);
    run(&b, IMMEDIATE_ENABLE, rows[_i].result);
    bench_close(&b);
}
END_TEST

START_TEST(immediate_enable_follows_the_rules_of_enabling)
{
    struct bench b;

    bench_open(&b);
    configure(&b, "8000" DP_OID, OK);
    bench_download_with(&b, 1, PPR1);
    run(&b, IMMEDIATE_ENABLE, OK);
    run(&b, IMMEDIATE_ENABLE, UNDEFINED); /* it is enabled */
    bench_download(&b, 2);
    run(&b, IMMEDIATE_ENABLE, UNDEFINED);
    card_assert_why(&b.card, "PPR1");
    bench_download_with(&b, 3, TEST_CLASS);
    run(&b, IMMEDIATE_ENABLE, OK);
    bench_download(&b, 4);
    run(&b, IMMEDIATE_ENABLE, UNDEFINED);
    card_assert_why(&b.card, "test profile");
    bench_assert_profiles(&b, "1-2-3+4-");
    bench_close(&b);
}
END_TEST

START_TEST(immediate_enable_leaves_the_emergency_profile)
{
    struct bench b;

    bench_open(&b);
    configure(&b, "8000" DP_OID, OK);
    bench_download_with(&b, 1, EMERGENCY);
    run(&b, IMMEDIATE_ENABLE, UNDEFINED);
    run(&b, EMERGENCY_ON, OK);
    bench_download(&b, 2);
    run(&b, IMMEDIATE_ENABLE, UNDEFINED);
    bench_assert_profiles(&b, "1+2-");
    bench_close(&b);
}
END_TEST

START_TEST(immediate_enable_by_refresh)
{
    struct bench b;

    bench_open(&b);
    configure(&b, "8000" DP_OID, OK);
    bench_download(&b, 1);
    run(&b, IMMEDIATE_ENABLE, OK);
    bench_download(&b, 2);
    bench_remove_notifications(&b);
    bench_terminal_profile(&b);
    run_as(&b, IMMEDIATE_ENABLE, true, OK);
    run_as(&b, IMMEDIATE_ENABLE, true, UNDEFINED); /* the rules come before catBusy */
    bench_refresh(&b, 0x20);
    bench_assert_profiles(&b, "1+2-");
    assert_pending(&b, "");
    run_as(&b, IMMEDIATE_ENABLE, true, OK); /* the session is still the one before */
    bench_refresh(&b, 0x00);
    bench_assert_profiles(&b, "1-2+");
    assert_pending(&b, "-1+2");
    bench_close(&b);
}
END_TEST

START_TEST(immediate_enable_is_configured_without_an_eim_only)
{
    char before[CARD_DIGEST_LEN], after[CARD_DIGEST_LEN];
    unsigned counter = 0;
    struct bench b;

    bench_open(&b);
    associate(&b);
    card_digest(&b.card, before);
    configure(&b, "8000" DP_OID, 2);
    configure(&b, "", 2);
    ck_assert_str_eq(card_digest(&b.card, after), before);
    package(&b, ++counter, "A707 8000" DP_OID, "870100"); /* but by the eIM itself */
    bench_download(&b, 1);
    run(&b, IMMEDIATE_ENABLE, OK);
    package(&b, ++counter, "A700", "870100");
    bench_download(&b, 2);
    run(&b, IMMEDIATE_ENABLE, NOT_AVAILABLE);
    package(&b, ++counter, "A703 800100", "870107");
    package(&b, ++counter, "A704 8000 8100", "870107");
    card_expect(&b.card, "BF6404 82020204", "BF6406 800100 810100"); /* bit 5: the eIMs */
    configure(&b, "8000" DP_OID, OK);
    bench_close(&b);
}
END_TEST

START_TEST(a_configuration_must_be_sound)
{
    static const struct {
        const char *fields;
        int result;
    } rows[] = {
        { "8000", OK },
        { "", OK },
        { "8000 9F5500", OK }, /* unknown fields are passed over */
        { "800100", UNDEFINED },
        { "8000 8100", UNDEFINED },
        { "8000 810188", UNDEFINED },   /* does not end */
        { "8000 81028001", UNDEFINED }, /* a leading zero */
        { "8000 8200", UNDEFINED },
        { "8000 8201FF", UNDEFINED }, /* no UTF-8 */
    };
    char fields[600];
    struct bench b;

    bench_open(&b);
    for (size_t i = 0; i < N_ELEMS(rows); i++)
        configure(&b, rows[i].fields, rows[i].result);
    ck_assert_uint_eq(card_es10_hex(&b.card, "BF5903 800100 00"), 0x6A80);
    snprintf(fields, sizeof fields, "8000 82 {%0510d}", 0); /* 255 octets */
    configure(&b, fields, OK);
    snprintf(fields, sizeof fields, "8000 82 {%0512d}", 0);
    configure(&b, fields, 1); /* insufficientMemory */
    bench_close(&b);
}
END_TEST

START_TEST(immediate_enable_can_be_unsupported)
{
    unsigned counter = 0;
    struct bench b;

    bench_open_set(&b, "immediate_enable=off");
    configure(&b, "8000" DP_OID, UNDEFINED);
    bench_download(&b, 1);
    run(&b, IMMEDIATE_ENABLE, NOT_AVAILABLE);
    card_expect(&b.card, "BF6404 82020102", "BF6406 800101 820101");
    associate(&b);
    package(&b, ++counter, "A702 8000", "870107");
    bench_close(&b);
}
END_TEST

START_TEST(version_1_0_enables_without_a_flag)
{
    struct bench b;

    bench_open_set(&b, "sgp32_version=1.0.1");
    configure(&b, "8000" DP_OID, OK);
    bench_download(&b, 1);
    card_expect(&b.card, "BF5A00", "BF5A03800100");
    bench_assert_profiles(&b, "1+");
    bench_download(&b, 2);
    bench_terminal_profile(&b);
    card_expect(&b.card, "BF5A00", "BF5A03800100");
    bench_refresh(&b, 0x20); /* it is done, whatever the terminal says */
    bench_assert_profiles(&b, "1-2+");
    bench_close(&b);
}
END_TEST

/* --- fallback --------------------------------------------------------------------------------- */

/* 1 is enabled, 2 has the fallback attribute, 3 may have it; an eIM, nothing pending. */
static void open_fallback(struct bench *b, unsigned *counter)
{
    *counter = 0;
    bench_open(b);
    bench_download(b, 1);
    bench_download_with(b, 2, FALLBACK);
    bench_download_with(b, 3, FALLBACK);
    enable(b, 1);
    associate(b);
    set_fallback(b, counter, 2, "8D0100");
    bench_remove_notifications(b);
}

START_TEST(there_and_back)
{
    unsigned counter;
    struct bench b;

    open_fallback(&b, &counter);
    run(&b, RETURN, NO_FALLBACK);
    run(&b, EXECUTE_FALLBACK, OK);
    bench_assert_profiles(&b, "1-2+3-");
    assert_pending(&b, "-1+2");
    run(&b, EXECUTE_FALLBACK, WRONG_STATE);
    card_reset(&b.card);
    run(&b, EXECUTE_FALLBACK, WRONG_STATE);
    bench_remove_notifications(&b);
    run(&b, RETURN, OK);
    bench_assert_profiles(&b, "1+2-3-");
    assert_pending(&b, "-2+1");
    run(&b, RETURN, NO_FALLBACK);
    bench_close(&b);
}
END_TEST

START_TEST(fallback_by_refresh)
{
    unsigned counter;
    struct bench b;

    open_fallback(&b, &counter);
    bench_terminal_profile(&b);
    run_as(&b, EXECUTE_FALLBACK, true, OK);
    run_as(&b, EXECUTE_FALLBACK, true, WRONG_STATE);
    run_as(&b, RETURN, true, CAT_BUSY);
    bench_refresh(&b, 0x20);
    bench_assert_profiles(&b, "1+2-3-");
    assert_pending(&b, "");
    run(&b, RETURN, NO_FALLBACK); /* there was no fallback */
    run_as(&b, EXECUTE_FALLBACK, true, OK);
    bench_refresh(&b, 0x00);
    bench_assert_profiles(&b, "1-2+3-");
    bench_remove_notifications(&b);
    run_as(&b, RETURN, true, OK);
    run_as(&b, EXECUTE_FALLBACK, true, CAT_BUSY);
    bench_refresh(&b, 0x20);
    bench_assert_profiles(&b, "1-2+3-");
    assert_pending(&b, "");
    run_as(&b, RETURN, true, OK);
    bench_refresh(&b, 0x01);
    bench_assert_profiles(&b, "1+2-3-");
    assert_pending(&b, "-2+1");
    bench_close(&b);
}
END_TEST

START_TEST(another_switch_ends_the_way_back)
{
    unsigned counter;
    struct bench b;

    open_fallback(&b, &counter);
    run(&b, EXECUTE_FALLBACK, OK);
    enable(&b, 3);
    run(&b, RETURN, NO_FALLBACK);
    enable(&b, 2);
    run(&b, RETURN, NO_FALLBACK); /* enabled as any other */
    enable(&b, 1);
    run(&b, EXECUTE_FALLBACK, OK);
    delete_profile(&b, 1);
    run(&b, RETURN, NO_FALLBACK);
    bench_assert_profiles(&b, "2+3-");
    bench_close(&b);
}
END_TEST

START_TEST(fallback_needs_a_holder_and_a_profile)
{
    unsigned counter = 0;
    struct bench b;

    bench_open(&b);
    bench_download_with(&b, 1, PPR1);
    bench_download_with(&b, 2, FALLBACK);
    bench_download_with(&b, 3, TEST_CLASS);
    run(&b, EXECUTE_FALLBACK, NO_FALLBACK);
    associate(&b);
    set_fallback(&b, &counter, 2, "8D0100");
    run(&b, EXECUTE_FALLBACK, COMMAND_ERROR); /* no profile is enabled */
    enable(&b, 3);
    run(&b, EXECUTE_FALLBACK, UNDEFINED); /* a test profile is */
    card_expect(&b.card, "BF3211 A00C 5A0A 980010000000000030F9 810100", "BF3203800100");
    enable(&b, 1);
    run(&b, EXECUTE_FALLBACK, OK); /* PPR1 does not matter */
    run(&b, RETURN, OK);
    package(&b, ++counter, "A900", "8E0100");
    run(&b, EXECUTE_FALLBACK, NO_FALLBACK);
    set_fallback(&b, &counter, 2, "8D0100");
    delete_profile(&b, 2);
    run(&b, EXECUTE_FALLBACK, NO_FALLBACK); /* the attribute went with it */
    package(&b, ++counter, "A900", "8E0102");
    bench_close(&b);
}
END_TEST

START_TEST(the_fallback_attribute)
{
    unsigned counter;
    struct bench b;

    open_fallback(&b, &counter);
    bench_download_with(&b, 4, EMERGENCY FALLBACK);
    set_fallback(&b, &counter, 9, "8D0101");
    set_fallback(&b, &counter, 1, "8D0102");
    card_assert_why(&b.card, "fallbackAllowed");
    set_fallback(&b, &counter, 4, "8D0102");
    card_assert_why(&b.card, "Emergency");
    set_fallback(&b, &counter, 2, "8D0100"); /* it has it */
    run(&b, EXECUTE_FALLBACK, OK);
    set_fallback(&b, &counter, 3, "8D0103");
    package(&b, ++counter, "A900", "8E0103");
    set_fallback(&b, &counter, 2, "8D0100");
    run(&b, RETURN, OK);
    set_fallback(&b, &counter, 3, "8D0100"); /* and 2 has it no more */
    run(&b, EXECUTE_FALLBACK, OK);
    bench_assert_profiles(&b, "1-2-3+4-");
    run(&b, RETURN, OK);
    package(&b, ++counter, "A900", "8E0100");
    package(&b, ++counter, "A900", "8E0102");
    bench_close(&b);
}
END_TEST

START_TEST(a_fallback_ends_the_rollback_grant)
{
    unsigned counter;
    struct bench b;

    open_fallback(&b, &counter);
    package(&b, ++counter, "A30E 5A0A 980010000000000030F9 0500", "830100");
    bench_assert_profiles(&b, "1-2-3+");
    run(&b, EXECUTE_FALLBACK, OK);
    card_expect(&b.card, "BF5803 800100", "BF5803 020101");
    bench_close(&b);
}
END_TEST

START_TEST(fallback_can_be_unsupported)
{
    unsigned counter = 0;
    struct bench b;

    bench_open_set(&b, "fallback=off");
    bench_download_with(&b, 1, FALLBACK);
    associate(&b);
    run(&b, EXECUTE_FALLBACK, COMMAND_ERROR);
    run(&b, RETURN, COMMAND_ERROR);
    set_fallback(&b, &counter, 1, "8D017F");
    package(&b, ++counter, "A900", "8E0107");
    bench_close(&b);
}
END_TEST

/* --- emergency -------------------------------------------------------------------------------- */

START_TEST(an_emergency_passes_all_rules_and_leaves_no_trace)
{
    struct bench b;

    bench_open(&b);
    bench_download_with(&b, 1, PPR1);
    bench_download_with(&b, 2, EMERGENCY);
    enable(&b, 1);
    bench_remove_notifications(&b);
    run(&b, EMERGENCY_OFF, WRONG_STATE);
    run(&b, EMERGENCY_ON, OK);
    bench_assert_profiles(&b, "1-2+");
    assert_pending(&b, "");
    run(&b, EMERGENCY_ON, WRONG_STATE);
    card_reset(&b.card);
    bench_assert_profiles(&b, "1-2+");
    run(&b, EMERGENCY_ON, WRONG_STATE);
    run(&b, EMERGENCY_OFF, OK);
    bench_assert_profiles(&b, "1+2-");
    assert_pending(&b, "-2+1");
    run(&b, EMERGENCY_OFF, WRONG_STATE);
    bench_close(&b);
}
END_TEST

START_TEST(an_emergency_ends_with_what_was_before)
{
    struct bench b;

    bench_open(&b);
    bench_download_with(&b, 2, EMERGENCY);
    run(&b, EMERGENCY_ON, OK); /* no profile was */
    run(&b, EMERGENCY_OFF, OK);
    bench_assert_profiles(&b, "2-");
    bench_download(&b, 1);
    bench_download_with(&b, 3, TEST_CLASS);
    enable(&b, 1);
    enable(&b, 3);
    run(&b, EMERGENCY_ON, OK);
    run(&b, EMERGENCY_OFF, OK);
    bench_assert_profiles(&b, "2-1-3+");
    card_expect(&b.card, "BF3211 A00C 5A0A 980010000000000030F9 810100", "BF3203800100");
    bench_assert_profiles(&b, "2-1+3-"); /* the test profile's past is known */
    run(&b, EMERGENCY_ON, OK);
    delete_profile(&b, 1);
    run(&b, EMERGENCY_OFF, OK);
    bench_assert_profiles(&b, "2-3-");
    bench_close(&b);
}
END_TEST

START_TEST(an_emergency_keeps_everything_else_away)
{
    unsigned counter;
    struct bench b;

    open_fallback(&b, &counter);
    bench_download_with(&b, 4, EMERGENCY);
    run(&b, EXECUTE_FALLBACK, OK);
    run(&b, EMERGENCY_ON, OK);
    run(&b, EXECUTE_FALLBACK, ECALL_ACTIVE);
    run(&b, RETURN, NO_FALLBACK);
    card_expect(&b.card, "BF6404 820201FE", "BF6409 800168 81017F 82017F");
    card_expect(&b.card, "BF3404 820205E0", "BF340380017F");
    card_expect(&b.card, "BF3111 A00C 5A0A 980010000000000010F9 810100", "BF3103800103");
    card_expect(&b.card, "BF3211 A00C 5A0A 980010000000000040F9 810100", "BF3203800103");
    card_expect(&b.card, "BF330C 5A0A 980010000000000040F9", "BF3303800102");
    bench_assert_profiles(&b, "1-2-3-4+");
    run(&b, EMERGENCY_OFF, OK);
    card_expect(&b.card, "BF3111 A00C 5A0A 980010000000000040F9 810100", "BF3103800103");
    run(&b, RETURN, OK); /* the way back from the fallback has waited */
    bench_assert_profiles(&b, "1+2-3-4-");
    bench_close(&b);
}
END_TEST

START_TEST(an_emergency_by_refresh)
{
    struct bench b;

    bench_open(&b);
    bench_download(&b, 1);
    bench_download_with(&b, 2, EMERGENCY);
    enable(&b, 1);
    bench_remove_notifications(&b);
    bench_terminal_profile(&b);
    run_as(&b, EMERGENCY_ON, true, OK);
    run_as(&b, EMERGENCY_ON, true, WRONG_STATE);
    run_as(&b, EMERGENCY_OFF, true, CAT_BUSY);
    bench_refresh(&b, 0x20);
    bench_assert_profiles(&b, "1+2-");
    run(&b, EMERGENCY_OFF, WRONG_STATE);
    run_as(&b, EMERGENCY_ON, true, OK);
    bench_refresh(&b, 0x00);
    bench_assert_profiles(&b, "1-2+");
    run_as(&b, EMERGENCY_OFF, true, OK);
    run_as(&b, EMERGENCY_ON, true, CAT_BUSY);
    bench_refresh(&b, 0x20);
    bench_assert_profiles(&b, "1-2+");
    assert_pending(&b, "");
    run_as(&b, EMERGENCY_OFF, true, OK);
    bench_refresh(&b, 0x00);
    bench_assert_profiles(&b, "1+2-");
    assert_pending(&b, "-2+1");
    bench_close(&b);
}
END_TEST

START_TEST(an_emergency_needs_its_profile)
{
    static const struct {
        const char *version, *ecall;
        bool installed;
        int on, off;
    } rows[] = {
        { "1.1.0", "on", false, NO_ECALL, WRONG_STATE },
        { "1.2.0", "on", false, NO_ECALL, WRONG_STATE },
        { "1.3.0", "on", false, NO_ECALL, NO_ECALL },
        { "1.3.0", "on", true, OK, WRONG_STATE },
        { "1.2.0", "off", false, NO_ECALL, UNDEFINED },
        { "1.3.0", "off", false, NO_ECALL, NO_ECALL },
    };
    const struct softeuicc_setting settings[] = { { "sgp32_version", rows[_i].version },
                                                  { "ecall", rows[_i].ecall } };
    struct bench b;

    bench_open_as(&b,
                  &(struct bench_options){ .settings = settings, .n_settings = N_ELEMS(settings) });
    if (rows[_i].installed)
        bench_download_with(&b, 1, EMERGENCY);
    run(&b, EMERGENCY_OFF, rows[_i].off);
    run(&b, EMERGENCY_ON, rows[_i].on);
    bench_close(&b);
}
END_TEST

/* --- memory reset ----------------------------------------------------------------------------- */

#define OPERATIONAL_BIT  "BF6404 82020780"
#define TEST_BIT         "BF6404 82020640"
#define ADDRESS_BIT      "BF6404 82020520"
#define PRELOADED_BIT    "BF6404 82020410"
#define PROVISIONING_BIT "BF6404 82020308"
#define EIM_BIT          "BF6404 82020204"
#define IMMEDIATE_BIT    "BF6404 82020102"
#define ALL_BITS         "BF6404 820201FE"

START_TEST(each_option_takes_what_it_names)
{
    struct bench b;

    bench_open(&b);
    bench_download(&b, 1);
    bench_download_with(&b, 2, TEST_CLASS);
    bench_download_with(&b, 3, PROVISIONING);
    card_expect(&b.card, PRELOADED_BIT, "BF6403800101"); /* none was put in at manufacture */
    card_expect(&b.card, ADDRESS_BIT, "BF6403800101");
    card_expect(&b.card, "BF6502 8000", "BF6503800100");
    card_expect(&b.card, "BF6505 8003 612E62", "BF6503800100");
    card_expect(&b.card, ADDRESS_BIT, "BF6403800100");
    bench_assert_profiles(&b, "1-2-3-");
    card_expect(&b.card, PROVISIONING_BIT, "BF6403800100");
    bench_assert_profiles(&b, "1-2-");
    card_expect(&b.card, PROVISIONING_BIT, "BF6403800101");
    card_expect(&b.card, TEST_BIT, "BF6403800100");
    bench_assert_profiles(&b, "1-");
    bench_remove_notifications(&b);
    card_expect(&b.card, OPERATIONAL_BIT, "BF6403800100");
    bench_assert_profiles(&b, "");
    assert_pending(&b, "x1");
    card_expect(&b.card, OPERATIONAL_BIT, "BF6403800101");
    card_expect(&b.card, "BF6403 820100", "BF6403800101"); /* nothing is asked for */
    bench_close(&b);
}
END_TEST

/* What was put in at manufacture: a test profile, an operational one. */
static void open_preloaded(struct bench *b)
{
    static const char *const words[] = { "class=test", NULL };
    struct wr upps[2], metadata;
    struct softeuicc_bytes profiles[2];

    wr_init_heap(&metadata, MESSAGE_MAX);
    for (unsigned i = 0; i < N_ELEMS(upps); i++) {
        wr_init_heap(&upps[i], MESSAGE_MAX);
        server_profile(i + 1, &upps[i], &metadata);
        profiles[i] = (struct softeuicc_bytes){ upps[i].p, upps[i].n };
    }
    bench_open_as(b, &(struct bench_options){ .profiles = profiles,
                                              .n_profiles = N_ELEMS(profiles),
                                              .profile_words = words });
    for (unsigned i = 0; i < N_ELEMS(upps); i++)
        wr_done(&upps[i]);
    wr_done(&metadata);
}

/* Bits 1 and 3 tell test profiles apart: loaded later, or put in at manufacture. */
START_TEST(test_profiles_of_manufacture_have_a_bit_of_their_own)
{
    struct bench b;

    open_preloaded(&b);
    bench_download_with(&b, 3, TEST_CLASS);
    bench_remove_notifications(&b);
    bench_assert_profiles(&b, "1-2-3-");
    card_expect(&b.card, TEST_BIT, "BF6403800100");
    bench_assert_profiles(&b, "1-2-");
    card_expect(&b.card, TEST_BIT, "BF6403800101");
    bench_assert_profiles(&b, "1-2-");
    enable(&b, 1);
    card_expect(&b.card, PRELOADED_BIT, "BF6403800100"); /* enabled or not */
    bench_assert_profiles(&b, "2-");
    card_expect(&b.card, PRELOADED_BIT, "BF6403800101");
    card_reset(&b.card);
    bench_assert_profiles(&b, "2-");
    bench_close(&b);
}
END_TEST

START_TEST(the_eims_and_immediate_enable_have_results_of_their_own)
{
    struct bench b;

    bench_open(&b);
    configure(&b, "8000" DP_OID, OK);
    associate(&b);
    bench_download(&b, 1);
    card_expect(&b.card, IMMEDIATE_BIT, "BF6406 800100 820100");
    run(&b, IMMEDIATE_ENABLE, NOT_AVAILABLE);
    card_expect(&b.card, IMMEDIATE_BIT, "BF6406 800100 820100"); /* there is no nothingToDelete */
    card_expect(&b.card, EIM_BIT, "BF6406 800100 810100");
    card_expect(&b.card, EIM_BIT, "BF6406 800101 810101");
    card_expect(&b.card, "BF6404 82020106", "BF6409 800101 810101 820100");
    associate(&b);
    card_expect(&b.card, "BF6404 82020244", "BF6406 800101 810100"); /* bits 1 and 5: no test one */
    card_expect(&b.card, ALL_BITS, "BF6409 800100 810101 820100");
    bench_assert_profiles(&b, "");
    bench_close(&b);
}
END_TEST

START_TEST(parts_of_a_reset_can_be_unsupported)
{
    const struct softeuicc_setting settings[] = { { "eim_reset", "off" },
                                                  { "immediate_enable", "off" } };
    struct bench b;

    bench_open_as(&b,
                  &(struct bench_options){ .settings = settings, .n_settings = N_ELEMS(settings) });
    bench_download(&b, 1);
    associate(&b);
    card_expect(&b.card, EIM_BIT, "BF6406 800101 810102");
    card_expect(&b.card, ALL_BITS, "BF6409 800100 810102 820101");
    bench_assert_profiles(&b, "");
    bench_close(&b);
}
END_TEST

START_TEST(a_reset_of_the_enabled_profile_needs_a_refresh)
{
    struct bench b;

    bench_open(&b);
    bench_download(&b, 1);
    bench_download_with(&b, 2, TEST_CLASS);
    bench_download(&b, 3);
    enable(&b, 1);
    bench_terminal_profile(&b);
    card_expect(&b.card, "BF3111 A00C 5A0A 980010000000000020F9 8101FF", "BF3103800100");
    card_expect(&b.card, TEST_BIT, "BF6403800105");
    card_expect(&b.card, "BF6404 82020142", "BF6406 800105 82017F"); /* nothing at all is done */
    card_expect(&b.card, PROVISIONING_BIT, "BF6403800101");          /* needs none */
    bench_refresh(&b, 0x00);
    card_expect(&b.card, TEST_BIT, "BF6403800100");
    bench_refresh(&b, 0x00);
    bench_assert_profiles(&b, "1+3-");
    card_expect(&b.card, OPERATIONAL_BIT, "BF6403800100");
    bench_refresh(&b, 0x20); /* a refusal changes nothing about it */
    bench_assert_profiles(&b, "");
    bench_close(&b);
}
END_TEST

START_TEST(a_reset_takes_fallback_and_rollback_with_their_profiles)
{
    unsigned counter;
    struct bench b;

    open_fallback(&b, &counter);
    package(&b, ++counter, "A30E 5A0A 980010000000000030F9 0500", "830100");
    card_expect(&b.card, OPERATIONAL_BIT, "BF6403800100");
    card_expect(&b.card, "BF5803 800100", "BF5803 020101");
    run(&b, EXECUTE_FALLBACK, NO_FALLBACK);
    bench_download_with(&b, 5, FALLBACK); /* gets an AID that was used */
    enable(&b, 5);
    run(&b, EXECUTE_FALLBACK, NO_FALLBACK);
    run(&b, RETURN, NO_FALLBACK);
    bench_close(&b);
}
END_TEST

START_TEST(the_form_of_sgp22_stays)
{
    struct bench b;

    bench_open(&b);
    bench_download_with(&b, 3, PROVISIONING);
    associate(&b);
    card_expect(&b.card, "BF3404 820201FE", "BF3403800101"); /* other bits mean nothing */
    bench_assert_profiles(&b, "3-");
    configure(&b, "8000", 2);
    bench_close(&b);
}
END_TEST

START_TEST(the_form_of_version_1_0)
{
    struct bench b;

    bench_open_set(&b, "sgp32_version=1.0.1");
    b.card.echoes = true; /* SGP.22's type has one result */
    bench_download_with(&b, 3, PROVISIONING);
    configure(&b, "8000" DP_OID, OK);
    associate(&b);
    ck_assert_uint_eq(card_es10_hex(&b.card, ALL_BITS), 0x6A88);
    card_expect(&b.card, "BF3404 82020308", "BF3406 800100 820100");
    card_expect(&b.card, "BF5A00", "BF5A03800101");
    card_expect(&b.card, "BF3404 82020410", "BF3406 800100 810100");
    card_expect(&b.card, "BF3404 820201FE", "BF3409 800101 810101 820100");
    bench_assert_profiles(&b, "3-");
    bench_close(&b);
}
END_TEST

/* --- what only tells or sets something -------------------------------------------------------- */

START_TEST(get_certs_gives_the_chain)
{
    char request[128] = "BF5616 8014 ";
    struct bench b;

    bench_open(&b);
    ck_assert_int_eq(bench_authenticate(&b, NULL), 0);
    struct rd answer = wr_view(&b.card.data); /* of GetEUICCInfo2 */
    struct rd pkid = message_at(answer, "BF22/AA/04").value;
    for (size_t i = 0; i < pkid.n; i++)
        snprintf(request + strlen(request), 3, "%02X", pkid.p[i]);
    ck_assert_uint_eq(card_es10_hex(&b.card, "BF5600"), 0x9000);
    struct wr first = message_copy(wr_view(&b.card.data));
    ck_assert_uint_eq(card_es10_hex(&b.card, request), 0x9000);
    ck_assert(rd_equal(wr_view(&b.card.data), wr_view(&first)));

    /* The certificates of AuthenticateServer without their outer 30. */
    ck_assert_int_eq(bench_authenticate(&b, NULL), 0);
    server_authenticate(&b.server, bench_challenge(&b),
                        &(struct authenticate_plan){ .ctx_params = NULL }, &b.request);
    ck_assert_uint_eq(card_es10(&b.card, wr_view(&b.request)), 0x9000);
    struct rd own = message_at(wr_view(&b.card.data), "BF38/A0/30#1").value;
    struct rd eum = message_at(wr_view(&b.card.data), "BF38/A0/30#2").value;
    ck_assert(rd_equal(message_at(wr_view(&first), "BF56/A0/A6").value, own));
    ck_assert(rd_equal(message_at(wr_view(&first), "BF56/A0/A5").value, eum));
    wr_done(&first);

    card_expect(&b.card, "BF5616 8014 0000000000000000000000000000000000000000", "BF5603810101");
    card_expect(&b.card, "BF5602 8000", "BF5603810101");
    bench_close(&b);
}
END_TEST

START_TEST(there_is_no_ipae)
{
    struct bench b;

    bench_open(&b);
    card_expect(&b.card, "BF4204 80020780", "BF4203800101");
    bench_close(&b);
}
END_TEST

START_TEST(the_default_address_is_set)
{
    char request[600];
    struct bench b;

    bench_open(&b);
    associate(&b); /* the IPA may all the same */
    card_expect(&b.card, "BF650C 800A 64702E6578616D706C65", "BF6503800100");
    card_reset(&b.card);
    ck_assert_uint_eq(card_es10_hex(&b.card, "BF3C00"), 0x9000);
    ck_assert(rd_equal(message_at(wr_view(&b.card.data), "BF3C/80").value, rd_str("dp.example")));
    package(&b, 1, "BF6505 8003 612E62", "BF6503800100");
    ck_assert_uint_eq(card_es10_hex(&b.card, "BF3C00"), 0x9000);
    ck_assert(rd_equal(message_at(wr_view(&b.card.data), "BF3C/80").value, rd_str("a.b")));
    card_expect(&b.card, "BF6502 8000", "BF6503800100");
    struct tlv t;
    ck_assert_uint_eq(card_es10_hex(&b.card, "BF3C00"), 0x9000);
    ck_assert(!message_has(wr_view(&b.card.data), "BF3C/80", &t));
    card_expect(&b.card, "BF6503 8001FF", "BF650380017F");
    ck_assert_uint_eq(card_es10_hex(&b.card, "BF6500"), 0x6A80);
    snprintf(request, sizeof request, "BF65 {80 {%0510d}}", 0);
    card_expect(&b.card, request, "BF6503800100");
    snprintf(request, sizeof request, "BF65 {80 {%0512d}}", 0);
    card_expect(&b.card, request, "BF650380017F");
    bench_close(&b);
}
END_TEST

/* A profile whose header has these connectivityParameters. */
static void download_connected(struct bench *b, unsigned digit, const char *parameters)
{
    char with[256];
    struct wr upp, metadata;

    wr_init_heap(&upp, MESSAGE_MAX);
    wr_init_heap(&metadata, MESSAGE_MAX);
    server_profile(digit, &upp, &metadata);
    snprintf(with, sizeof with, "+87 {%s}", parameters);
    const struct bpp_plan plan = {
        .upp = wr_view(&upp),
        .metadata = wr_view(&metadata),
        .upp_change = { "A0/A6", with },
    };
    bench_download_as(b, &plan, AS_LPAS_DO);
    ck_assert_msg(b->read.success, "%s", b->card.why);
    wr_done(&upp);
    wr_done(&metadata);
}

START_TEST(connectivity_parameters_are_those_of_the_enabled_profile)
{
    static const struct {
        const char *in_header, *answer;
    } rows[] = {
        { "3501 03 4703 026161", "BF5F {A0 {81 {3501 03 4703 026161}}}" },
        { "0102030405", "BF5F {A0 {81 {0102030405}}}" }, /* no TLVs: as they are */
        { "A003 010203 A208 3501 03 4703 026161", "BF5F {A0 {81 {3501 03 4703 026161}}}" },
        { "A205 3501 03 3300", "BF5F {A0 {81 {3501 03 3300}}}" },
        { "A003 010203", "BF5F03 810101" }, /* SMS only */
        { "", "BF5F03 810101" },
    };
    struct bench b;

    bench_open(&b);
    card_expect(&b.card, "BF5F00", "BF5F03 810101"); /* no profile */
    bench_download(&b, 1);
    download_connected(&b, 2, rows[_i].in_header);
    card_expect(&b.card, "BF5F00", "BF5F03 810101"); /* none is enabled */
    enable(&b, 1);
    card_expect(&b.card, "BF5F00", "BF5F03 810101"); /* it has none */
    enable(&b, 2);
    card_expect(&b.card, "BF5F00", rows[_i].answer);
    card_reset(&b.card);
    card_expect(&b.card, "BF5F00", rows[_i].answer);
    bench_close(&b);
}
END_TEST

/* --- what is not there ------------------------------------------------------------------------ */

START_TEST(a_missing_refresh_flag_is_wrong_data)
{
    struct bench b;

    bench_open(&b);
    for (unsigned tag = IMMEDIATE_ENABLE; tag <= RETURN; tag++) {
        char request[32];
        snprintf(request, sizeof request, "%X00", tag);
        ck_assert_uint_eq(card_es10_hex(&b.card, request), 0x6A80);
        snprintf(request, sizeof request, "%X02 8000", tag);
        ck_assert_uint_eq(card_es10_hex(&b.card, request), 0x6A80);
        snprintf(request, sizeof request, "%X03 010100", tag); /* as some IPAs write it */
        ck_assert_uint_eq(card_es10_hex(&b.card, request), 0x9000);
    }
    ck_assert_uint_eq(card_es10_hex(&b.card, "BF6400"), 0x6A80);
    ck_assert_uint_eq(card_es10_hex(&b.card, "BF6402 8200"), 0x6A80);
    bench_close(&b);
}
END_TEST

START_TEST(functions_are_there_since_their_version)
{
    static const struct {
        const char *setting, *there, *missing; /* requests, separated by blanks */
    } rows[] = {
        { "iot=off", "BF420480020780",
          "BF5600 BF5900 BF5A03800100 BF5B03800100 BF5C03800100 BF5D03800100 BF5E03800100 BF5F00 "
          "BF640482020780 BF65028000" },
        { "sgp32_version=1.0.1", "BF5600 BF5900 BF5A00",
          "BF5B03800100 BF5C03800100 BF5D03800100 BF5E03800100 BF5F00 BF640482020780 BF65028000" },
        { "sgp32_version=1.1.0",
          "BF5600 BF5900 BF5A03800100 BF5B03800100 BF5C03800100 BF5D03800100 BF5E03800100 BF5F00 "
          "BF640482020780 BF65028000",
          "" },
    };
    struct bench b;

    bench_open_set(&b, rows[_i].setting);
    for (int missing = 0; missing < 2; missing++) {
        char *requests = strdup(missing ? rows[_i].missing : rows[_i].there), *at = requests;
        for (char *one; (one = strsep(&at, " ")) != NULL;)
            if (*one != '\0')
                ck_assert_msg(card_es10_hex(&b.card, one) == (missing ? 0x6A88 : 0x9000),
                              "%s: %04X", one, b.card.sw);
        free(requests);
    }
    bench_close(&b);
}
END_TEST

/* --- power cuts ------------------------------------------------------------------------------- */

enum { NEVER = 1 << 20, CUTS_MAX = 200 };

static void at_rest(struct bench *b)
{
    unsigned counter = 0;

    bench_download(b, 1);
    bench_download_with(b, 2, FALLBACK);
    bench_download_with(b, 3, EMERGENCY);
    bench_download_with(b, 4, TEST_CLASS);
    enable(b, 1);
    configure(b, "8000" DP_OID, OK);
    associate(b);
    set_fallback(b, &counter, 2, "8D0100");
}

static void fallen_back(struct bench *b)
{
    at_rest(b);
    run(b, EXECUTE_FALLBACK, OK);
}

static void in_emergency(struct bench *b)
{
    at_rest(b);
    run(b, EMERGENCY_ON, OK);
}

static void just_installed(struct bench *b)
{
    at_rest(b);
    bench_download(b, 5);
}

static void without_eim(struct bench *b)
{
    bench_download(b, 1);
}

static const struct step {
    const char *request;
    void (*reach)(struct bench *b);
} steps[] = {
    { "BF5A03 800100", just_installed },
    { "BF5B03 800100", at_rest },
    { "BF5C03 800100", in_emergency },
    { "BF5D03 800100", at_rest },
    { "BF5E03 800100", fallen_back },
    { "BF5D03 8001FF", at_rest },
    { ALL_BITS, at_rest },
    { ALL_BITS, fallen_back },
    { "BF6505 8003 632E64", at_rest },
    { "BF5907 8000" DP_OID, without_eim },
};

static void open_at(struct bench *b, const struct step *step)
{
    bench_open_as(b, &(struct bench_options){ .seed = "power cut" });
    step->reach(b);
}

/* One run with a cut after this many writes.  false: the step needed no more. */
static bool cut_once(const struct step *step, unsigned writes, const char *after)
{
    char before[CARD_DIGEST_LEN], now[CARD_DIGEST_LEN];
    struct bench b;

    open_at(&b, step);
    card_digest(&b.card, before);
    card_cut_after(&b.card, writes);
    card_es10_hex(&b.card, step->request);
    bool cut = b.card.off;
    if (!cut)
        card_cut_after(&b.card, NEVER);
    card_reset(&b.card);
    card_digest(&b.card, now);
    ck_assert_msg((cut && strcmp(now, before) == 0) || strcmp(now, after) == 0,
                  "%s, cut after %u writes: neither before nor after", step->request, writes);
    bench_close(&b);
    return cut;
}

START_TEST(a_cut_leaves_the_card_before_or_after)
{
    const struct step *step = &steps[_i];
    char after[CARD_DIGEST_LEN];
    unsigned writes = 0;
    struct bench b;

    open_at(&b, step);
    ck_assert_uint_eq(card_es10_hex(&b.card, step->request), 0x9000);
    card_reset(&b.card);
    card_digest(&b.card, after);
    bench_close(&b);
    while (cut_once(step, writes, after)) {
        writes++;
        ck_assert_uint_lt(writes, CUTS_MAX);
    }
    ck_assert_uint_ge(writes, 2);
}
END_TEST

int main(void)
{
    struct suite s = suite_begin("iot");

    suite_add(&s, a_profile_is_enabled_right_after_its_download);
    suite_loop(&s, immediate_enable_needs_its_sm_dp, 16);
    suite_loop(&s, immediate_enable_is_about_the_session_before, 7);
    suite_add(&s, immediate_enable_follows_the_rules_of_enabling);
    suite_add(&s, immediate_enable_leaves_the_emergency_profile);
    suite_add(&s, immediate_enable_by_refresh);
    suite_add(&s, immediate_enable_is_configured_without_an_eim_only);
    suite_add(&s, a_configuration_must_be_sound);
    suite_add(&s, immediate_enable_can_be_unsupported);
    suite_add(&s, version_1_0_enables_without_a_flag);
    suite_add(&s, there_and_back);
    suite_add(&s, fallback_by_refresh);
    suite_add(&s, another_switch_ends_the_way_back);
    suite_add(&s, fallback_needs_a_holder_and_a_profile);
    suite_add(&s, the_fallback_attribute);
    suite_add(&s, a_fallback_ends_the_rollback_grant);
    suite_add(&s, fallback_can_be_unsupported);
    suite_add(&s, an_emergency_passes_all_rules_and_leaves_no_trace);
    suite_add(&s, an_emergency_ends_with_what_was_before);
    suite_add(&s, an_emergency_keeps_everything_else_away);
    suite_add(&s, an_emergency_by_refresh);
    suite_loop(&s, an_emergency_needs_its_profile, 6);
    suite_add(&s, each_option_takes_what_it_names);
    suite_add(&s, test_profiles_of_manufacture_have_a_bit_of_their_own);
    suite_add(&s, the_eims_and_immediate_enable_have_results_of_their_own);
    suite_add(&s, parts_of_a_reset_can_be_unsupported);
    suite_add(&s, a_reset_of_the_enabled_profile_needs_a_refresh);
    suite_add(&s, a_reset_takes_fallback_and_rollback_with_their_profiles);
    suite_add(&s, the_form_of_sgp22_stays);
    suite_add(&s, the_form_of_version_1_0);
    suite_add(&s, get_certs_gives_the_chain);
    suite_add(&s, there_is_no_ipae);
    suite_add(&s, the_default_address_is_set);
    suite_loop(&s, connectivity_parameters_are_those_of_the_enabled_profile, 6);
    suite_add(&s, a_missing_refresh_flag_is_wrong_data);
    suite_loop(&s, functions_are_there_since_their_version, 3);
    suite_loop(&s, a_cut_leaves_the_card_before_or_after, N_ELEMS(steps));
    return suite_run(&s);
}
