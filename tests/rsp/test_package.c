/* test_package.c - LoadEuiccPackage: each check with its answer, packages that are accepted once,
 * and results that are kept (SGP.32 5.9.1, 3.3.1, 2.11.1.1, 2.11.2.1). */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "os/err.h"
#include "tests/rsp/desk.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

#define V1_3 "sgp32_version=1.3.0"
#define V1_0 "sgp32_version=1.0.1"

#define LIST_EIM "A1{ AB00 }"
#define ZEROS_50                                                                                   \
    "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"     \
    "000000000000"
#define LARGE  "A1{ AB00 AB{" ZEROS_50 ZEROS_50 ZEROS_50 ZEROS_50 "} }"
#define LISTED "AB{ A0{ 30{ 80{ 65696D31 } } } }"

/* --- the ladder ------------------------------------------------------------------------------- */

/* One thing wrong; what is further up answers first. */
static const struct rung {
    const char *what, *setting;
    struct package_plan plan;
    const char *answer, *why;
    bool tells_token;
} rungs[] = {
    { "nothing", NULL, { .list = LIST_EIM }, LISTED, NULL, false },
    { "no transaction id", NULL, { .list = LIST_EIM, .transaction_id = "" }, LISTED, NULL, false },
    { "an unknown field", NULL, { .list = LIST_EIM "8F00" }, LISTED, NULL, false },
    { "no EID",
      NULL,
      { .list = LIST_EIM, .signed_change = { "30/5A", "" } },
      "unsigned",
      "a field is missing",
      false },
    { "no EID, v1.3",
      V1_3,
      { .list = LIST_EIM, .signed_change = { "30/5A", "" } },
      "unsigned 127",
      "a field is missing",
      false },
    { "a short EID", NULL, { .list = LIST_EIM, .eid = "8904" }, "unsigned", "a field", false },
    { "no counter",
      NULL,
      { .list = LIST_EIM, .signed_change = { "30/81", "" } },
      "unsigned",
      "a field is missing",
      false },
    { "a negative counter",
      NULL,
      { .list = LIST_EIM, .signed_change = { "30/81", "8101FF" } },
      "unsigned",
      "a field is missing",
      false },
    { "a counter with zeros before it",
      NULL,
      { .list = LIST_EIM, .signed_change = { "30/81", "81020001" } },
      "unsigned",
      "a field is missing",
      false },
    { "no signature",
      NULL,
      { .list = LIST_EIM, .change = { "BF51/5F37", "" } },
      "unsigned",
      "a field is missing",
      false },
    { "too large", "package_max=256", { .list = LARGE }, "unsigned", "package_max", false },
    { "another eIM",
      NULL,
      { .list = LIST_EIM, .signed_change = { "30/80", "80{ 6E6F }" } },
      "unsigned",
      "no Associated eIM",
      false },
    { "another eIM, v1.3",
      V1_3,
      { .list = LIST_EIM, .signed_change = { "30/80", "80{ 6E6F }" } },
      "unsigned",
      "no Associated eIM",
      false },
    { "another eIM, v1.0: no transaction id",
      V1_0,
      { .list = LIST_EIM, .transaction_id = "", .signed_change = { "30/80", "80{ 6E6F }" } },
      "unsigned",
      "no Associated eIM",
      false },
    { "a bit of the signature",
      NULL,
      { .list = LIST_EIM, .flip = "BF51/5F37" },
      "unsigned",
      "eimSignature",
      true },
    { "a bit of the counter",
      NULL,
      { .list = LIST_EIM, .flip = "BF51/30/81" },
      "unsigned",
      "eimSignature",
      true },
    { "a short signature",
      NULL,
      { .list = LIST_EIM, .change = { "BF51/5F37", "5F3700" } },
      "unsigned",
      "eimSignature",
      true },
    { "without the token",
      NULL,
      { .list = LIST_EIM, .token = "" },
      "unsigned",
      "eimSignature",
      true },
    { "the token of no association",
      NULL,
      { .list = LIST_EIM, .token = "840100" },
      "unsigned",
      "eimSignature",
      true },
    { "another EID",
      NULL,
      { .list = LIST_EIM, .eid = "89049032123451234512345678901236" },
      "error 3",
      "eidValue",
      false },
    { "another EID and an old counter",
      NULL,
      { .list = LIST_EIM,
        .eid = "89049032123451234512345678901236",
        .signed_change = { "30/81", "810100" } },
      "error 3",
      "eidValue",
      false },
    { "the highest counter", NULL, { .list = LIST_EIM, .counter = 0x7FFFFF }, LISTED, NULL, false },
    { "beyond the highest counter",
      NULL,
      { .list = LIST_EIM, .counter = 0x800000 },
      "error 6",
      "eim_counter_max",
      false },
    { "a counter of eight octets",
      NULL,
      { .list = LIST_EIM, .counter = INT64_MAX },
      "error 6",
      "eim_counter_max",
      false },
    { "the first counter again",
      NULL,
      { .list = LIST_EIM, .signed_change = { "30/81", "810100" } },
      "error 4",
      "counterValue",
      false },
    { "no list", NULL, { .list = "" }, "error 127", "PSMOs or eCOs", false },
    { "a third kind", NULL, { .list = "A2{ AB00 }" }, "error 127", "PSMOs or eCOs", false },
    { "both kinds", NULL, { .list = "A000 A100" }, "error 127", "PSMOs or eCOs", false },
};

START_TEST(each_check_has_its_answer)
{
    const struct rung *rung = &rungs[_i];
    struct desk d;

    desk_open(&d, rung->setting);
    struct package_answer a = test_eim_expect(&d.eim, &d.b.card, &rung->plan, rung->answer);
    ck_assert(a.has_token == rung->tells_token);
    if (rung->why != NULL) {
        card_assert_why(&d.b.card, rung->why);
        d.eim.counter = 0; /* nothing was used up */
        test_eim_do(&d.eim, &d.b.card, LIST_EIM, LISTED);
    }
    desk_close(&d);
}
END_TEST

START_TEST(without_an_eim_id_there_is_no_answer)
{
    static const struct package_plan plans[] = {
        { .list = LIST_EIM, .signed_change = { "30/80", "" } },
        { .list = LIST_EIM, .signed_change = { "30/80", "8000" } },
        { .list = LIST_EIM, .signed_change = { "30/80", "8001FF" } },
        { .list = LIST_EIM, .signed_change = { "30/80", "80{" ZEROS_50 ZEROS_50 ZEROS_50 "}" } },
        { .list = LIST_EIM, .change = { "BF51/30", "" } },
    };
    struct desk d;

    desk_open(&d, NULL);
    for (size_t i = 0; i < N_ELEMS(plans); i++) {
        test_eim_sign(&d.eim, &plans[i]);
        ck_assert_uint_eq(card_es10(&d.b.card, wr_view(&d.eim.package)), 0x6A80);
    }
    desk_close(&d);
}
END_TEST

/* However much of it comes, nothing of it is done. */
START_TEST(a_package_cut_anywhere_does_nothing)
{
    struct desk d;

    desk_open(&d, NULL);
    test_eim_sign(&d.eim, &(struct package_plan){ .list = LIST_EIM });
    struct rd whole = wr_view(&d.eim.package);
    for (size_t n = 1; n < whole.n; n++)
        ck_assert_uint_eq(card_es10(&d.b.card, rd_of(whole.p, n)), 0x6A80);
    d.eim.counter = 0;
    test_eim_do(&d.eim, &d.b.card, LIST_EIM, LISTED);
    desk_close(&d);
}
END_TEST

START_TEST(a_package_with_any_bit_turned_does_nothing)
{
    struct desk d;

    desk_open(&d, NULL);
    for (size_t bit = 0;; bit++) {
        d.eim.counter = 0;
        test_eim_sign(&d.eim, &(struct package_plan){ .list = LIST_EIM });
        if (bit / 8 == d.eim.package.n)
            break;
        d.eim.package.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        card_es10(&d.b.card, wr_view(&d.eim.package));
        struct tlv t;
        ck_assert_msg(!message_has(wr_view(&d.b.card.data), "BF51/A0", &t), "bit %zu", bit);
    }
    test_eim_do(&d.eim, &d.b.card, LIST_EIM, LISTED);
    desk_close(&d);
}
END_TEST

START_TEST(an_eim_without_a_token_signs_without_one)
{
    struct bench b;
    struct test_eim eim;

    bench_open(&b);
    test_eim_open(&eim, &b.server, "eim1", EIM_KEY_1);
    test_eim_associate(&eim, &b.card, false);
    test_eim_do(&eim, &b.card, LIST_EIM, LISTED);
    struct package_answer a = test_eim_expect(
        &eim, &b.card, &(struct package_plan){ .list = LIST_EIM, .flip = "BF51/5F37" }, "unsigned");
    ck_assert(!a.has_token);
    test_eim_close(&eim);
    bench_close(&b);
}
END_TEST

static const struct signer {
    enum curve curve;
    bool by_certificate;
} signers[] = {
    { CURVE_BRAINPOOL_P256R1, false },
    { CURVE_P256, true },
    { CURVE_BRAINPOOL_P256R1, true },
};

/* Whatever the eIM signs with, the result is signed under the CI that the eUICC prefers. */
START_TEST(an_eim_on_either_curve_by_key_or_by_certificate)
{
    const struct signer *signer = &signers[_i];
    struct test_eim eim;
    struct bench b;

    bench_open(&b);
    bench_download(&b, 1);
    test_eim_open_pki(&eim, &b.server, "eim1", signer->curve, signer->by_certificate);
    test_eim_associate(&eim, &b.card, true);
    test_eim_do(&eim, &b.card, LIST_EIM, LISTED);
    test_eim_do(&eim, &b.card, "A0{ A3{" ICCID_OF(1) "} }", "830100");
    bench_assert_profiles(&b, "1+");
    test_eim_expect(&eim, &b.card, &(struct package_plan){ .list = LIST_EIM, .counter = 2 },
                    "error 4");
    test_eim_expect(&eim, &b.card, &(struct package_plan){ .list = LIST_EIM, .flip = "BF51/30/81" },
                    "unsigned");
    card_assert_why(&b.card, "eimSignature");
    eim.counter = 2;
    test_eim_do(&eim, &b.card, "A0{ A4{" ICCID_OF(1) "} }", "840100");
    bench_assert_profiles(&b, "1-");
    test_eim_close(&eim);
    bench_close(&b);
}
END_TEST

START_TEST(the_emergency_profile_keeps_packages_out)
{
    struct desk d;

    desk_open(&d, NULL);
    bench_download_with(&d.b, 1, "9F7B01FF");
    card_expect(&d.b.card, "BF5B{ 800100 }", "BF5B{ 800100 }");
    test_eim_do(&d.eim, &d.b.card, LIST_EIM, "error 104");
    d.eim.counter--; /* it may come again */
    card_expect(&d.b.card, "BF5C{ 800100 }", "BF5C{ 800100 }");
    test_eim_do(&d.eim, &d.b.card, LIST_EIM, LISTED);
    desk_close(&d);
}
END_TEST

/* --- published octets ------------------------------------------------------------------------- */

START_TEST(the_vectors_are_accepted)
{
    static const char package[] =
        "BF51783033800465696D315A1089049032123451234512345678901235810101820411223344A010A30E5A0A"
        "981032547698103214F505005F37405188F599E524E20F927B889EC7FE4B4F4341A0F406A9CA89F7222C0849"
        "27E1F1D4DEFBA5B2D9FC8BF9548A753AF2F2394E9F476AE7BD30472A12239EAE721489";
    struct bench b;
    struct test_eim eim;

    bench_open(&b);
    test_eim_open(&eim, &b.server, "eim1", EIM_KEY_1);
    card_expect(&b.card,
                "BF578189A08186308183800465696D31810F65696D2E6578616D706C652E636F6D82010283010084"
                "01FFA55BA059301306072A8648CE3D020106082A8648CE3D03010703420004E4D8B6D33CC5ABB9E3"
                "BBF5E14A4CDFE5149D89C1B84C4FEB6A1DEDE7D76BB583F86E67CCB52EB18BE188EEFB8A8394F32B"
                "609E2E7B35F0BBAD8855CC40A02D45870207808900",
                "BF5705A003840101");
    eim.has_token = true;
    eim.token = 1;
    hex_put(&eim.package, package);
    ck_assert_uint_eq(card_es10(&b.card, wr_view(&eim.package)), 0x9000);
    struct package_answer a = test_eim_take(&eim, wr_view(&b.card.data));
    ck_assert(a.arm == ANSWER_RESULT && rd_equal(a.results, rd_of("\x83\x01\x01", 3)));
    card_expect(&b.card, "BF58038001FF", "BF5803020101");
    test_eim_close(&eim);
    bench_close(&b);
}
END_TEST

/* What the test's eIM takes for a signature is what the vectors have. */
START_TEST(the_vectors_verify)
{
    static const struct {
        const char *answer;
        int arm;
        long code;
    } vectors[] = {
        { "BF515EA05C3017800465696D3181010182041122334483010530038301005F3740CD63B6F7D87A3B2D2F74"
          "5B0768E6CB1B31B749B1C73137FB6915A6A5BE35B11A0021C05E97A51180E739FB7E8A92673CEA909EAF5B"
          "738364C1D26A306D3CA361",
          ANSWER_RESULT, 0 },
        { "BF5159A1573012800465696D318101018204112233440201045F37406A7E4A749DB03FFDE76457C38D323F"
          "615A78CAF4AAA0E61EBEDE487E41AED2CD9A6252B65DA64D879616BE23B7FFEC6962C6E1D37A82BC0678F8"
          "4E353FF73030",
          ANSWER_ERROR, 4 },
        { "BF5111A20F800465696D31820411223344840101", ANSWER_UNSIGNED, 0 },
    };
    uint8_t point[EC_POINT_LEN];
    struct test_eim eim, euicc;
    struct server s;
    struct wr answer;

    server_open(&s, NULL, CURVE_P256, NULL);
    test_eim_open(&eim, &s, "eim1", EIM_KEY_1);
    test_eim_open(&euicc, &s, "euicc", EIM_KEY_2);
    ec_key_point(euicc.key, point);
    ec_pub_free(&eim.euicc);
    ck_assert_int_eq(ec_pub_from_point(s.c, CURVE_P256, rd_of(point, sizeof point), &eim.euicc), 0);
    eim.has_token = true;
    eim.token = 1;
    test_eim_sign(&eim, &(struct package_plan){ .list = "A000" });
    wr_init_heap(&answer, MESSAGE_MAX);
    for (size_t i = 0; i < N_ELEMS(vectors); i++) {
        wr_clear(&answer);
        hex_put(&answer, vectors[i].answer);
        struct package_answer a = test_eim_take(&eim, wr_view(&answer));
        ck_assert_int_eq(a.arm, vectors[i].arm);
        ck_assert_int_eq(a.code, vectors[i].code);
    }
    wr_done(&answer);
    test_eim_close(&euicc);
    test_eim_close(&eim);
    server_close(&s);
}
END_TEST

/* --- counters and results --------------------------------------------------------------------- */

START_TEST(a_package_is_accepted_once)
{
    struct desk d;

    desk_open(&d, NULL);
    test_eim_do(&d.eim, &d.b.card, LIST_EIM, LISTED);
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(card_es10(&d.b.card, wr_view(&d.eim.package)), 0x9000);
        ck_assert_int_eq(test_eim_take(&d.eim, wr_view(&d.b.card.data)).code, 4);
        card_reset(&d.b.card);
    }
    d.eim.counter = 100;
    test_eim_do(&d.eim, &d.b.card, LIST_EIM, LISTED); /* gaps are fine */
    d.eim.counter = 99;
    test_eim_do(&d.eim, &d.b.card, LIST_EIM, "error 4");
    d.eim.counter = 1;
    test_eim_do(&d.eim, &d.b.card, LIST_EIM, "error 4");
    desk_close(&d);
}
END_TEST

START_TEST(a_result_is_kept_until_it_is_removed)
{
    char request[32];
    struct desk d;

    desk_open(&d, "max_package_results=2");
    struct package_answer first = test_eim_do(&d.eim, &d.b.card, LIST_EIM, LISTED);
    struct wr kept = message_copy(wr_view(&d.b.card.data));
    test_eim_do(&d.eim, &d.b.card, LIST_EIM, LISTED);
    wr_put_rd(&kept, wr_view(&d.b.card.data));
    test_eim_do(&d.eim, &d.b.card, LIST_EIM, "error 15");
    d.eim.counter--;
    card_reset(&d.b.card);
    ck_assert_uint_eq(card_es10_hex(&d.b.card, "BF2B{ A0{ 8200 } }"), 0x9000);
    ck_assert(rd_equal(message_at(wr_view(&d.b.card.data), "BF2B/A2").value, wr_view(&kept)));
    snprintf(request, sizeof request, "BF30{ 8001%02X }", (unsigned)first.sequence);
    card_expect(&d.b.card, request, "BF30{ 800100 }");
    card_expect(&d.b.card, request, "BF30{ 800101 }");
    test_eim_do(&d.eim, &d.b.card, LIST_EIM, LISTED);
    wr_done(&kept);
    desk_close(&d);
}
END_TEST

/* notificationAndEprList, as long as there is a result. */
START_TEST(v1_0_tells_of_notifications_and_results_together)
{
    static const uint8_t retrieve[] = { 0x80, 0xE2, 0x91, 0x00, 0x03, 0xBF, 0x2B, 0x00, 0x00 };
    char request[32];
    struct desk d;

    desk_open(&d, V1_0);
    card_expect(&d.b.card, "BF2B00", "BF2B{ A000 }");
    struct package_answer first = test_eim_do(&d.eim, &d.b.card, LIST_EIM, LISTED);
    struct wr kept = message_copy(wr_view(&d.b.card.data));
    /* Not card_es10(): asn1c's type is that of v1.1. */
    ck_assert_uint_eq(card_apdu(&d.b.card, retrieve, sizeof retrieve), 0x9000);
    ck_assert_uint_eq(message_at(wr_view(&d.b.card.data), "BF2B/A3/A0").value.n, 0);
    ck_assert(rd_equal(message_at(wr_view(&d.b.card.data), "BF2B/A3/A1").value, wr_view(&kept)));
    snprintf(request, sizeof request, "BF30{ 8001%02X }", (unsigned)first.sequence);
    card_expect(&d.b.card, request, "BF30{ 800100 }");
    card_expect(&d.b.card, "BF2B00", "BF2B{ A000 }");
    wr_done(&kept);
    desk_close(&d);
}
END_TEST

int main(void)
{
    struct suite s = suite_begin("package");

    suite_loop(&s, each_check_has_its_answer, N_ELEMS(rungs));
    suite_add(&s, without_an_eim_id_there_is_no_answer);
    suite_add(&s, a_package_cut_anywhere_does_nothing);
    suite_add(&s, a_package_with_any_bit_turned_does_nothing);
    suite_add(&s, an_eim_without_a_token_signs_without_one);
    suite_loop(&s, an_eim_on_either_curve_by_key_or_by_certificate, N_ELEMS(signers));
    suite_add(&s, the_emergency_profile_keeps_packages_out);
    suite_add(&s, the_vectors_are_accepted);
    suite_add(&s, the_vectors_verify);
    suite_add(&s, a_package_is_accepted_once);
    suite_add(&s, a_result_is_kept_until_it_is_removed);
    suite_add(&s, v1_0_tells_of_notifications_and_results_together);
    return suite_run(&s);
}
