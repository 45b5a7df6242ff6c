/* test_rollback.c - Profile Rollback: when it is granted, what it does, and what ends the grant
 * (SGP.32 5.9.16; applets/isdr/rollback.c has the rows). */
#include <check.h>
#include <stdio.h>

#include "os/err.h"
#include "tests/rsp/bench.h"
#include "tests/rsp/eim.h"
#include "tests/testlib/suite.h"

#define ENABLE(digit)       "A0{ A3{" ICCID_OF(digit) "} }"
#define ENABLE_GRANT(digit) "A0{ A3{" ICCID_OF(digit) "0500 } }"
#define DISABLE(digit)      "A0{ A4{" ICCID_OF(digit) "} }"
#define DELETE(digit)       "A0{ A5{" ICCID_OF(digit) "} }"
#define ROLL_BACK           "BF58{ 800100 }"
#define ROLL_BACK_REFRESH   "BF58{ 8001FF }"
#define NOT_ALLOWED         "BF58{ 020101 }"

struct desk {
    struct bench b;
    struct test_eim eim;
    struct package_answer before, granted; /* results of the two packages */
};

/* Profiles 1, 2 and 3; 1 is enabled, and then 2 with a way back.  fields are of profile 2. */
static void open_granted(struct desk *d, const char *fields)
{
    bench_open(&d->b);
    bench_download_with(&d->b, 1, "9F6701FF");
    bench_download_with(&d->b, 2, fields);
    bench_download_with(&d->b, 3, "9F7B01FF");
    test_eim_open(&d->eim, &d->b.server, "eim1", EIM_KEY_1);
    test_eim_associate(&d->eim, &d->b.card, true);
    d->before = test_eim_do(&d->eim, &d->b.card, ENABLE(1), "830100");
    d->granted = test_eim_do(&d->eim, &d->b.card, ENABLE_GRANT(2), "830100");
    bench_assert_profiles(&d->b, "1-2+3-");
}

static void close_desk(struct desk *d)
{
    test_eim_close(&d->eim);
    bench_close(&d->b);
}

/* Asserts that it works; its result is signed for the eIM and in place of the one that granted. */
static void assert_rolls_back(struct desk *d, const char *request)
{
    struct tlv t;

    card_es10_hex(&d->b.card, request);
    ck_assert_msg(message_has(wr_view(&d->b.card.data), "BF58/BF51", &t), "%s", d->b.card.why);
    ck_assert(rd_equal(message_at(wr_view(&d->b.card.data), "BF58/02").value, rd_of("\0", 1)));
    struct wr result = message_copy(t.whole);
    struct package_answer a = test_eim_take(&d->eim, wr_view(&result));
    ck_assert(rd_equal(a.results, rd_of("\x83\x01\x00\x8C\x01\x00", 6)));
    ck_assert_uint_gt(a.sequence, d->granted.sequence);
    bench_assert_profiles(&d->b, "1+2-3-");

    char asks[32];
    snprintf(asks, sizeof asks, "BF2B{ A0{ 8001%02X } }", (unsigned)d->granted.sequence);
    card_expect(&d->b.card, asks, "BF2B{ A000 }");
    snprintf(asks, sizeof asks, "BF2B{ A0{ 8001%02X } }", (unsigned)a.sequence);
    ck_assert_uint_eq(card_es10_hex(&d->b.card, asks), 0x9000);
    ck_assert(
        rd_equal(message_at(wr_view(&d->b.card.data), "BF2B/A2/BF51").whole, wr_view(&result)));
    wr_done(&result);
    card_expect(&d->b.card, ROLL_BACK, NOT_ALLOWED); /* once */
}

START_TEST(it_brings_back_what_was_enabled)
{
    struct desk d;

    open_granted(&d, "");
    bench_remove_notifications(&d.b);
    assert_rolls_back(&d, ROLL_BACK);
    ck_assert_uint_eq(card_pending(&d.b.card), 2);
    close_desk(&d);
}
END_TEST

START_TEST(it_takes_the_flag_as_it_is_written)
{
    struct desk d;

    open_granted(&d, "");
    ck_assert_uint_eq(card_es10_hex(&d.b.card, "BF5800"), 0x6A80);
    assert_rolls_back(&d, "BF58{ 0101FF }");
    close_desk(&d);
}
END_TEST

START_TEST(ppr1_does_not_keep_what_came_with_a_way_back)
{
    struct desk d;

    open_granted(&d, "B7058003 00F110 99020640");
    assert_rolls_back(&d, ROLL_BACK);
    close_desk(&d);
}
END_TEST

START_TEST(without_a_grant_it_is_refused)
{
    struct bench b;

    bench_open(&b);
    card_expect(&b.card, ROLL_BACK, NOT_ALLOWED);
    card_assert_why(&b.card, "no eIM has granted it");
    bench_close(&b);
}
END_TEST

START_TEST(a_busy_terminal_puts_it_off)
{
    struct desk d;

    open_granted(&d, "");
    bench_terminal_profile(&d.b);
    test_eim_do(&d.eim, &d.b.card, ENABLE(1), "830100");
    bench_refresh(&d.b, 0x00);
    d.granted = test_eim_do(&d.eim, &d.b.card, ENABLE_GRANT(2), "830100");
    card_expect(&d.b.card, ROLL_BACK_REFRESH, "BF58{ 020105 }");
    ck_assert_uint_eq(d.b.card.sw >> 8, 0x91);
    bench_refresh(&d.b, 0x00);
    bench_assert_profiles(&d.b, "1-2+3-");

    card_es10_hex(&d.b.card, ROLL_BACK_REFRESH);
    ck_assert(rd_equal(message_at(wr_view(&d.b.card.data), "BF58/02").value, rd_of("\0", 1)));
    bench_refresh(&d.b, 0x20); /* refused: it stays */
    bench_assert_profiles(&d.b, "1+2-3-");
    card_expect(&d.b.card, ROLL_BACK, NOT_ALLOWED);
    close_desk(&d);
}
END_TEST

START_TEST(an_eim_that_is_gone_gets_a_result_without_its_token)
{
    struct desk d;

    open_granted(&d, "");
    test_eim_do(&d.eim, &d.b.card, "A1{ A9{ 80{ 65696D31 } } }", "890102");
    test_eim_sign(&d.eim, &(struct package_plan){ .list = ENABLE_GRANT(2), .counter = 2 });
    d.eim.has_token = false;
    assert_rolls_back(&d, ROLL_BACK);
    close_desk(&d);
}
END_TEST

/* A test profile, whose end brings back what it came after. */
START_TEST(a_test_profile_comes_back_as_one)
{
    struct desk d;

    bench_open(&d.b);
    bench_download(&d.b, 1);
    bench_download_with(&d.b, 2, "950100");
    test_eim_open(&d.eim, &d.b.server, "eim1", EIM_KEY_1);
    test_eim_associate(&d.eim, &d.b.card, false);
    test_eim_do(&d.eim, &d.b.card, ENABLE(1), "830100");
    test_eim_do(&d.eim, &d.b.card, ENABLE(2), "830100");
    test_eim_do(&d.eim, &d.b.card, ENABLE_GRANT(1), "830100");
    ck_assert_uint_eq(card_es10_hex(&d.b.card, ROLL_BACK), 0x9000);
    bench_assert_profiles(&d.b, "1-2+");
    test_eim_do(&d.eim, &d.b.card, DISABLE(2), "840100");
    bench_assert_profiles(&d.b, "1+2-");
    close_desk(&d);
}
END_TEST

/* --- what ends it ----------------------------------------------------------------------------- */

static void reset(struct desk *d)
{
    card_reset(&d->b.card);
}

static void remove_number(struct desk *d, uint64_t sequence)
{
    char request[32];

    snprintf(request, sizeof request, "BF30{ 8001%02X }", (unsigned)sequence);
    card_expect(&d->b.card, request, "BF30{ 800100 }");
}

static void remove_result(struct desk *d)
{
    remove_number(d, d->granted.sequence);
}

static void remove_other_result(struct desk *d)
{
    remove_number(d, d->before.sequence);
}

static void remove_notifications(struct desk *d)
{
    bench_remove_notifications(&d->b);
}

static const struct event {
    const char *what;
    const char *package, *answer; /* or */
    const char *request, *response;
    void (*act)(struct desk *d);
    bool ends;
} events[] = {
    { "reset", NULL, NULL, NULL, NULL, reset, false },
    { "its result is removed", NULL, NULL, NULL, NULL, remove_result, true },
    { "another result is removed", NULL, NULL, NULL, NULL, remove_other_result, false },
    { "notifications are removed", NULL, NULL, NULL, NULL, remove_notifications, false },
    { "enable without the flag", ENABLE(1), "830100", NULL, NULL, NULL, true },
    { "enable fails", ENABLE(2), "830102", NULL, NULL, NULL, false },
    { "disable", DISABLE(2), "840100", NULL, NULL, NULL, true },
    { "delete another one", DELETE(3), "850100", NULL, NULL, NULL, false },
    { "delete what it leads to", DELETE(1), "850114", NULL, NULL, NULL, false },
    { "another package", "A0{ A600 }",
      "A6{ 30{ 80020560 A1{ 30{ 8003EEEEEE 8100 8200 } } 82020780 } }", NULL, NULL, NULL, false },
    { "an eCO", "A1{ AB00 }", "AB{ A0{ 30{ 80{ 65696D31 } } } }", NULL, NULL, NULL, false },
    { "EnableProfile", NULL, NULL, "BF31{ A0{" ICCID_OF(1) "} 810100 }", "BF31{ 800100 }", NULL,
      true },
    { "DisableProfile", NULL, NULL, "BF32{ A0{" ICCID_OF(2) "} 810100 }", "BF32{ 800100 }", NULL,
      true },
    { "DeleteProfile", NULL, NULL, "BF33{" ICCID_OF(1) "}", "BF33{ 800100 }", NULL, true },
    { "EnableEmergencyProfile", NULL, NULL, "BF5B{ 800100 }", "BF5B{ 800100 }", NULL, true },
    { "memory reset", NULL, NULL, "BF64{ 82020780 }", "BF64{ 800100 }", NULL, true },
};

START_TEST(only_some_things_end_the_grant)
{
    const struct event *event = &events[_i];
    struct desk d;
    struct tlv t;

    open_granted(&d, "");
    if (event->package != NULL)
        test_eim_do(&d.eim, &d.b.card, event->package, event->answer);
    if (event->request != NULL)
        card_expect(&d.b.card, event->request, event->response);
    if (event->act != NULL)
        event->act(&d);
    ck_assert_uint_eq(card_es10_hex(&d.b.card, ROLL_BACK), 0x9000);
    bool allowed = message_has(wr_view(&d.b.card.data), "BF58/BF51", &t);
    ck_assert_msg(allowed != event->ends, "%s: %s", event->what, d.b.card.why);
    close_desk(&d);
}
END_TEST

START_TEST(fallback_ends_it)
{
    struct desk d;

    open_granted(&d, "");
    test_eim_do(&d.eim, &d.b.card, "A0{ A8{" ICCID_OF(1) "} }", "8D0100");
    card_expect(&d.b.card, "BF5D{ 800100 }", "BF5D{ 800100 }");
    card_expect(&d.b.card, ROLL_BACK, NOT_ALLOWED);
    close_desk(&d);
}
END_TEST

int main(void)
{
    struct suite s = suite_begin("rollback");

    suite_add(&s, it_brings_back_what_was_enabled);
    suite_add(&s, it_takes_the_flag_as_it_is_written);
    suite_add(&s, ppr1_does_not_keep_what_came_with_a_way_back);
    suite_add(&s, without_a_grant_it_is_refused);
    suite_add(&s, a_busy_terminal_puts_it_off);
    suite_add(&s, an_eim_that_is_gone_gets_a_result_without_its_token);
    suite_add(&s, a_test_profile_comes_back_as_one);
    suite_loop(&s, only_some_things_end_the_grant, N_ELEMS(events));
    suite_add(&s, fallback_ends_it);
    return suite_run(&s);
}
