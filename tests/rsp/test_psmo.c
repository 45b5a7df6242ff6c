/* test_psmo.c - Profile State Management Operations: each one in each state that matters to it, and
 * every code of its result (SGP.32 2.11.1.1.3, 3.4).  Codes that cannot come are in
 * docs/INTERPRETATIONS.md. */
#include <stdio.h>

#include "os/err.h"
#include "tests/rsp/desk.h"
#include "tests/testlib/suite.h"

#define OWNER     "B705 8003 00F110"
#define PPR1      OWNER "99020640"
#define PPR2      OWNER "99020520"
#define TEST      "950100"
#define EMERGENCY "9F7B01FF"
#define FALLBACK  "9F6701FF"
#define V1_0      "sgp32_version=1.0.1"

#define ENABLE(digit)       "A3{" ICCID_OF(digit) "}"
#define ENABLE_GRANT(digit) "A3{" ICCID_OF(digit) "0500 }"
#define DISABLE(digit)      "A4{" ICCID_OF(digit) "}"
#define DELETE(digit)       "A5{" ICCID_OF(digit) "}"
#define SET(digit)          "A8{" ICCID_OF(digit) "}"
#define UNSET               "A900"
#define LIST                "BF2D{ 5C015A }"

enum { PROFILES_MAX = 3 };

/* Profiles 1 to 3 with more fields in their metadata (NULL: not there), one of them enabled; what
 * was done before, as packages that succeed; then a package, its answer and the states after it. */
static const struct row {
    const char *what, *setting;
    const char *fields[PROFILES_MAX];
    unsigned enabled;
    const char *first, *second;
    const char *list, *answer, *states;
} rows[] = {
    { "enable", NULL, { "", "" }, 1, NULL, NULL, ENABLE(2), "830100", "1-2+" },
    { "enable, none is", NULL, { "" }, 0, NULL, NULL, ENABLE(1), "830100", "1+" },
    { "enable: none such", NULL, { "" }, 0, NULL, NULL, ENABLE(2), "830101", "1-" },
    { "enable: enabled", NULL, { "" }, 1, NULL, NULL, ENABLE(1), "830102", "1+" },
    { "enable: PPR1", NULL, { PPR1, "" }, 1, NULL, NULL, ENABLE(2), "830103", "1+2-" },
    { "enable: PPR1, v1.0", V1_0, { PPR1, "" }, 1, NULL, NULL, ENABLE(2), "83017F", "1+2-" },
    { "enable: none such, v1.0", V1_0, { "" }, 0, NULL, NULL, ENABLE(2), "830101", "1-" },
    { "enable: emergency", NULL, { "", EMERGENCY }, 1, NULL, NULL, ENABLE(2), "830103", "1+2-" },
    { "enable: beside a test profile",
      NULL,
      { "", TEST, "" },
      1,
      ENABLE(2),
      NULL,
      ENABLE(3),
      "83017F",
      "1-2+3-" },
    { "enable: after a test profile",
      NULL,
      { "", TEST, "" },
      1,
      ENABLE(2),
      NULL,
      ENABLE(1),
      "830100",
      "1+2-3-" },
    { "enable twice",
      NULL,
      { "", "", "" },
      1,
      NULL,
      NULL,
      ENABLE(2) ENABLE(3),
      "830100 83017F",
      "1-2+3-" },
    { "enable, way back", NULL, { "", "" }, 1, NULL, NULL, ENABLE_GRANT(2), "830100", "1-2+" },
    { "enable, way back to none", NULL, { "" }, 0, NULL, NULL, ENABLE_GRANT(1), "830114", "1-" },
    { "the same under 81",
      NULL,
      { "" },
      0,
      NULL,
      NULL,
      "A3{" ICCID_OF(1) "8100 }",
      "830114",
      "1-" },
    { "the same, v1.0", V1_0, { "" }, 0, NULL, NULL, ENABLE_GRANT(1), "83017F", "1-" },
    { "enable: no ICCID", NULL, { "" }, 0, NULL, NULL, "A300", "020102", "1-" },
    { "enable: short ICCID", NULL, { "" }, 0, NULL, NULL, "A3{ 5A0198 }", "020102", "1-" },

    { "disable", NULL, { "", "" }, 1, NULL, NULL, DISABLE(1), "840100", "1-2-" },
    { "disable: none such", NULL, { "" }, 1, NULL, NULL, DISABLE(2), "840101", "1+" },
    { "disable: disabled", NULL, { "", "" }, 1, NULL, NULL, DISABLE(2), "840102", "1+2-" },
    { "disable: PPR1", NULL, { PPR1 }, 1, NULL, NULL, DISABLE(1), "840103", "1+" },
    { "disable: PPR1, v1.0", V1_0, { PPR1 }, 1, NULL, NULL, DISABLE(1), "84017F", "1+" },
    { "disable twice", NULL, { "" }, 1, NULL, NULL, DISABLE(1) DISABLE(1), "840100 84017F", "1-" },
    { "disable after enable",
      NULL,
      { "", "" },
      1,
      NULL,
      NULL,
      ENABLE(2) DISABLE(2),
      "830100 84017F",
      "1-2+" },
    { "disable, enable",
      NULL,
      { "", "" },
      1,
      NULL,
      NULL,
      DISABLE(1) ENABLE_GRANT(2),
      "840100 830100",
      "1-2+" },
    { "disable, enable the same with a way back",
      NULL,
      { "" },
      1,
      NULL,
      NULL,
      DISABLE(1) ENABLE_GRANT(1),
      "840100 830114",
      "1-" },
    { "disable a test profile",
      NULL,
      { "", TEST },
      1,
      ENABLE(2),
      NULL,
      DISABLE(2),
      "840100",
      "1+2-" },

    { "delete", NULL, { "", "" }, 1, NULL, NULL, DELETE(2), "850100", "1+" },
    { "delete: none such", NULL, { "" }, 1, NULL, NULL, DELETE(2), "850101", "1+" },
    { "delete: enabled", NULL, { "" }, 1, NULL, NULL, DELETE(1), "850102", "1+" },
    { "delete: PPR2", NULL, { "", PPR2 }, 1, NULL, NULL, DELETE(2), "850103", "1+2-" },
    { "delete: PPR2, v1.0", V1_0, { "", PPR2 }, 1, NULL, NULL, DELETE(2), "85017F", "1+2-" },
    { "delete: is to be disabled",
      NULL,
      { "" },
      1,
      NULL,
      NULL,
      DISABLE(1) DELETE(1),
      "840100 850102",
      "1-" },
    { "delete: is to be enabled",
      NULL,
      { "", "" },
      1,
      NULL,
      NULL,
      ENABLE(2) DELETE(2),
      "830100 850102",
      "1-2+" },
    { "delete: was granted before",
      NULL,
      { "", "" },
      1,
      ENABLE_GRANT(2),
      NULL,
      DELETE(1),
      "850114",
      "1-2+" },
    { "delete: was granted before, v1.0",
      V1_0,
      { "", "" },
      1,
      ENABLE_GRANT(2),
      NULL,
      DELETE(1),
      "85017F",
      "1-2+" },
    { "delete: is granted now",
      NULL,
      { "", "" },
      1,
      NULL,
      NULL,
      ENABLE_GRANT(2) DELETE(1),
      "830100 850114",
      "1-2+" },
    { "delete: the grant ends now",
      NULL,
      { "", "" },
      1,
      ENABLE_GRANT(2),
      NULL,
      DISABLE(2) DELETE(1),
      "840100 850100",
      "2-" },
    { "delete two, enable",
      NULL,
      { "", "", "" },
      0,
      NULL,
      NULL,
      DELETE(1) DELETE(2) ENABLE(3),
      "850100 850100 830100",
      "3+" },
    { "enable what was deleted",
      NULL,
      { "" },
      0,
      NULL,
      NULL,
      DELETE(1) ENABLE(1),
      "850100 830101",
      "" },
    { "delete what a test profile brings back",
      NULL,
      { "", TEST },
      1,
      ENABLE(2),
      DELETE(1),
      DISABLE(2),
      "840100",
      "2-" },

    { "list",
      NULL,
      { "", "" },
      0,
      NULL,
      NULL,
      LIST,
      "BF2D{ A0{ E3{" ICCID_OF(1) "} E3{" ICCID_OF(2) "} } }",
      "1-2-" },
    { "list: none", NULL, { NULL }, 0, NULL, NULL, LIST, "BF2D{ A000 }", "" },
    { "list: no class",
      NULL,
      { "" },
      0,
      NULL,
      NULL,
      "BF2D{ A0{ 950109 } }",
      "BF2D{ 810101 }",
      "1-" },
    { "list after delete",
      NULL,
      { "" },
      0,
      NULL,
      NULL,
      DELETE(1) LIST LIST,
      "850100 BF2D{ 81010B }",
      "" },
    { "list after enable",
      NULL,
      { "" },
      0,
      NULL,
      NULL,
      ENABLE(1) LIST,
      "830100 BF2D{ 81010B }",
      "1+" },
    { "list after disable",
      NULL,
      { "" },
      1,
      NULL,
      NULL,
      DISABLE(1) LIST,
      "840100 BF2D{ 81010B }",
      "1-" },
    { "list before",
      NULL,
      { "" },
      0,
      NULL,
      NULL,
      LIST ENABLE(1),
      "BF2D{ A0{ E3{" ICCID_OF(1) "} } } 830100",
      "1+" },
    { "RAT", "rat=", { NULL }, 0, NULL, NULL, "A600 A600", "A600 A600", "" },
    { "RAT with a rule",
      "rat=ppr1:EEEEEE",
      { NULL },
      0,
      NULL,
      NULL,
      "A600",
      "A6{ 30{ 80020640 A1{ 30{ 8003EEEEEE } } 820100 } }",
      "" },

    { "immediate enable",
      NULL,
      { NULL },
      0,
      NULL,
      NULL,
      "A7{ 8000 81022A03 820161 } A700",
      "870100 870100",
      "" },
    { "immediate enable: flag", NULL, { NULL }, 0, NULL, NULL, "A7{ 800100 }", "870107", "" },
    { "immediate enable: OID too long",
      NULL,
      { NULL },
      0,
      NULL,
      NULL,
      "A7{ 8000 81{ 2A030303030303030303030303030303030303030303030303030303030303030303030303 "
      "0303030303030303030303030303030303030303030303030303030303030303030303030303 } }",
      "870101",
      "" },
    { "immediate enable: off",
      "immediate_enable=off",
      { NULL },
      0,
      NULL,
      NULL,
      "A7{ 8000 }",
      "870107",
      "" },

    { "fallback: set", NULL, { FALLBACK }, 0, NULL, NULL, SET(1), "8D0100", "1-" },
    { "fallback: set again", NULL, { FALLBACK }, 1, SET(1), NULL, SET(1), "8D0100", "1+" },
    { "fallback: none such", NULL, { NULL }, 0, NULL, NULL, SET(1), "8D0101", "" },
    { "fallback: not allowed", NULL, { "" }, 0, NULL, NULL, SET(1), "8D0102", "1-" },
    { "fallback: emergency", NULL, { EMERGENCY FALLBACK }, 0, NULL, NULL, SET(1), "8D0102", "1-" },
    { "fallback: holder enabled",
      NULL,
      { FALLBACK, FALLBACK },
      1,
      SET(1),
      NULL,
      SET(2),
      "8D0103",
      "1+2-" },
    { "fallback: holder is to be enabled",
      NULL,
      { FALLBACK, FALLBACK },
      0,
      SET(1),
      NULL,
      ENABLE(1) SET(2),
      "830100 8D0103",
      "1+2-" },
    { "fallback: holder is to be disabled",
      NULL,
      { FALLBACK, FALLBACK },
      1,
      SET(1),
      NULL,
      DISABLE(1) SET(2),
      "840100 8D0103",
      "1-2-" },
    { "fallback: holder is to be enabled in place of",
      NULL,
      { FALLBACK, FALLBACK },
      2,
      SET(1),
      NULL,
      ENABLE(1) SET(2),
      "830100 8D0103",
      "1+2-" },
    { "fallback: target is to be enabled",
      NULL,
      { FALLBACK, FALLBACK },
      0,
      SET(1),
      NULL,
      ENABLE(2) SET(2) SET(1),
      "830100 8D0100 8D0103",
      "1-2+" },
    { "fallback: holder is to be enabled, again",
      NULL,
      { FALLBACK },
      0,
      SET(1),
      NULL,
      ENABLE(1) SET(1),
      "830100 8D0100",
      "1+" },
    { "fallback: off", "fallback=off", { FALLBACK }, 0, NULL, NULL, SET(1), "8D017F", "1-" },
    { "fallback: no ICCID", NULL, { NULL }, 0, NULL, NULL, "A800", "020102", "" },
    { "fallback: v1.0", V1_0, { FALLBACK }, 0, NULL, NULL, SET(1), "020102", "1-" },
    { "unset", NULL, { FALLBACK }, 0, SET(1), NULL, UNSET UNSET, "8E0100 8E0102", "1-" },
    { "unset: enabled", NULL, { FALLBACK }, 1, SET(1), NULL, UNSET, "8E0103", "1+" },
    { "unset: is to be enabled",
      NULL,
      { FALLBACK },
      0,
      SET(1),
      NULL,
      ENABLE(1) UNSET,
      "830100 8E0103",
      "1+" },
    { "unset: is to be disabled",
      NULL,
      { FALLBACK },
      1,
      SET(1),
      NULL,
      DISABLE(1) UNSET,
      "840100 8E0103",
      "1-" },
    { "unset: another is to be enabled",
      NULL,
      { FALLBACK, "" },
      0,
      SET(1),
      NULL,
      ENABLE(2) UNSET,
      "830100 8E0100",
      "1-2+" },
    { "unset: off", "fallback=off", { NULL }, 0, NULL, NULL, UNSET, "8E0107", "" },
    { "unset: v1.0", V1_0, { NULL }, 0, NULL, NULL, UNSET, "020102", "" },
    { "unset: holder deleted",
      NULL,
      { FALLBACK },
      0,
      SET(1),
      NULL,
      DELETE(1) UNSET,
      "850100 8E0102",
      "" },

    { "address",
      NULL,
      { NULL },
      0,
      NULL,
      NULL,
      "BF65{ 8003 612E62 } BF65{ 8000 }",
      "BF65{ 800100 } BF65{ 800100 }",
      "" },
    { "address: no UTF-8", NULL, { NULL }, 0, NULL, NULL, "BF65{ 8001FF }", "BF65{ 80017F }", "" },
    { "address: missing", NULL, { NULL }, 0, NULL, NULL, "BF6500", "020102", "" },
    { "address: v1.0", V1_0, { NULL }, 0, NULL, NULL, "BF65{ 8003 612E62 }", "020102", "" },

    { "nothing", NULL, { NULL }, 0, NULL, NULL, "", "", "" },
    { "unknown", NULL, { "" }, 0, NULL, NULL, "A2{ 800101 } " DELETE(1), "020102", "1-" },
    { "a good one, unknown",
      NULL,
      { "", "" },
      0,
      NULL,
      NULL,
      DELETE(1) "A200" DELETE(2),
      "850100 020102",
      "2-" },
    { "cut", NULL, { "" }, 0, NULL, NULL, ENABLE(1) "A4 0C 5A0A", "830100 020102", "1+" },
    { "cut within", NULL, { "" }, 0, NULL, NULL, "A3{ 5A0A98 }", "020102", "1-" },
    { "an eCO", NULL, { NULL }, 0, NULL, NULL, "AB00", "020102", "" },
};

static void do_psmos(struct desk *d, const char *list, const char *answer)
{
    char whole[1024];

    snprintf(whole, sizeof whole, "A0{ %s }", list);
    if (answer != NULL)
        test_eim_do(&d->eim, &d->b.card, whole, answer);
    else
        test_eim_send(&d->eim, &d->b.card, &(struct package_plan){ .list = whole });
}

static void open_desk(struct desk *d, const char *setting, const char *const fields[PROFILES_MAX],
                      unsigned enabled)
{
    static const char *const enables[] = { ENABLE(1), ENABLE(2), ENABLE(3) };

    bench_open_set(&d->b, setting);
    for (unsigned i = 0; i < PROFILES_MAX; i++)
        if (fields[i] != NULL)
            bench_download_with(&d->b, i + 1, fields[i]);
    desk_associate(d);
    if (enabled != 0)
        do_psmos(d, enables[enabled - 1], "830100");
}

START_TEST(each_operation_answers_each_state)
{
    const struct row *row = &rows[_i];
    struct desk d;

    open_desk(&d, row->setting, row->fields, row->enabled);
    if (row->first != NULL)
        do_psmos(&d, row->first, NULL);
    if (row->second != NULL)
        do_psmos(&d, row->second, NULL);
    do_psmos(&d, row->list, row->answer);
    bench_assert_profiles(&d.b, row->states);
    card_reset(&d.b.card);
    bench_assert_profiles(&d.b, row->states);
    desk_close(&d);
}
END_TEST

/* --- states that other functions make --------------------------------------------------------- */

static const char *const two_plain[PROFILES_MAX] = { "", "" };

START_TEST(a_profile_to_return_to_stays)
{
    static const char *const fields[PROFILES_MAX] = { "", FALLBACK };
    struct desk d;

    open_desk(&d, NULL, fields, 1);
    do_psmos(&d, SET(2), "8D0100");
    card_expect(&d.b.card, "BF5D03 800100", "BF5D03800100");
    do_psmos(&d, DELETE(1), "850115");
    card_expect(&d.b.card, "BF5E03 800100", "BF5E03800100");
    bench_assert_profiles(&d.b, "1+2-");
    desk_close(&d);
}
END_TEST

START_TEST(a_proactive_session_keeps_profiles_as_they_are)
{
    struct desk d;

    open_desk(&d, NULL, two_plain, 1);
    bench_terminal_profile(&d.b);
    do_psmos(&d, ENABLE(2), "830100");
    ck_assert_uint_eq(d.b.card.sw >> 8, 0x91);
    do_psmos(&d, ENABLE(1), "830105");
    do_psmos(&d, DISABLE(2), "840105");
    do_psmos(&d, LIST, "BF2D{ A0{ E3{" ICCID_OF(1) "} E3{" ICCID_OF(2) "} } }");
    bench_refresh(&d.b, 0x00);
    do_psmos(&d, DISABLE(2), "840100");
    desk_close(&d);
}
END_TEST

START_TEST(a_proactive_session_has_no_code_in_v1_0)
{
    struct desk d;

    open_desk(&d, V1_0, two_plain, 1);
    bench_terminal_profile(&d.b);
    do_psmos(&d, ENABLE(2), "830100");
    do_psmos(&d, ENABLE(1), "83017F");
    desk_close(&d);
}
END_TEST

/* SGP.32 has no way back that the terminal could take. */
START_TEST(a_terminal_that_refuses_the_refresh_changes_nothing)
{
    struct desk d;

    open_desk(&d, NULL, two_plain, 1);
    bench_terminal_profile(&d.b);
    do_psmos(&d, ENABLE(2), "830100");
    bench_refresh(&d.b, 0x20);
    bench_assert_profiles(&d.b, "1-2+");
    desk_close(&d);
}
END_TEST

START_TEST(both_profiles_notify_and_the_result_comes_before)
{
    struct desk d;

    open_desk(&d, NULL, two_plain, 1);
    bench_remove_notifications(&d.b);
    const struct package_plan plan = { .list = "A0{" ENABLE(2) "}" };
    struct package_answer a = test_eim_send(&d.eim, &d.b.card, &plan);
    ck_assert_uint_eq(card_pending(&d.b.card), 2);
    ck_assert_uint_eq(card_last_sequence(&d.b.card), a.sequence + 2);
    do_psmos(&d, DELETE(1), "850100");
    ck_assert_uint_eq(card_pending(&d.b.card), 3);
    desk_close(&d);
}
END_TEST

int main(void)
{
    struct suite s = suite_begin("psmo");

    suite_loop(&s, each_operation_answers_each_state, N_ELEMS(rows));
    suite_add(&s, a_profile_to_return_to_stays);
    suite_add(&s, a_proactive_session_keeps_profiles_as_they_are);
    suite_add(&s, a_proactive_session_has_no_code_in_v1_0);
    suite_add(&s, a_terminal_that_refuses_the_refresh_changes_nothing);
    suite_add(&s, both_profiles_notify_and_the_result_comes_before);
    return suite_run(&s);
}
