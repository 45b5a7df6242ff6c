/* test_package_limits.c - eUICC Packages and results that are too large, and power that goes in the
 * middle of one: all of it is done, or nothing, and its counter is accepted once (SGP.32 5.9.1,
 * 3.3.1). */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/err.h"
#include "tests/rsp/desk.h"
#include "tests/testlib/suite.h"

#define SEED "packages"

#define LIST_EIM "A1{ AB00 }"
#define ZEROS_50                                                                                   \
    "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"     \
    "000000000000"
#define LARGE "A1{ AB00 AB{" ZEROS_50 ZEROS_50 ZEROS_50 ZEROS_50 "} }"

enum {
    NEVER = 1 << 20, /* writes that no package makes */
    CUTS_MAX = 200,
};

/* --- limits ----------------------------------------------------------------------------------- */

/* As many operations as fit, then resultSizeOverflow(1), and nothing of what follows is done. */
START_TEST(a_result_that_grows_too_large_ends)
{
    char list[4096] = "A0{ A5{" ICCID_OF(1) "} ";
    struct desk d;

    desk_open(&d, "package_result_max=256");
    bench_download(&d.b, 1);
    bench_download(&d.b, 2);
    for (int i = 0; i < 100; i++)
        strcat(list, "BF65{ 8003 612E62 } ");
    strcat(list, "A5{" ICCID_OF(2) "} }");
    struct package_answer a =
        test_eim_send(&d.eim, &d.b.card, &(struct package_plan){ .list = list });
    ck_assert_int_eq(a.arm, ANSWER_RESULT);
    ck_assert_uint_le(d.b.card.data.n, 256);
    ck_assert_uint_ge(d.b.card.data.n, 256 - 24);
    ck_assert(rd_equal(rd_of(a.results.p + a.results.n - 3, 3), rd_of("\x02\x01\x01", 3)));
    bench_assert_profiles(&d.b, "2-");
    desk_close(&d);
}
END_TEST

/* Wherever the end of the room falls: what the result does not tell was not done. */
START_TEST(what_has_no_room_in_the_result_is_not_done)
{
    static const struct softeuicc_setting settings[] = { { "package_result_max", "256" },
                                                         { "max_package_results", "1000" },
                                                         { "rat", "" } };
    unsigned told = 0, untold = 0;
    struct desk d;

    bench_open_as(&d.b,
                  &(struct bench_options){ .settings = settings, .n_settings = N_ELEMS(settings) });
    test_eim_open(&d.eim, &d.b.server, "eim1", EIM_KEY_1);
    test_eim_associate(&d.eim, &d.b.card, true);
    for (unsigned i = 0; i < 90; i++) {
        char list[1024] = "A0{ ", last[32];
        for (unsigned n = 0; n < i; n++)
            strcat(list, "A600 ");
        snprintf(last, sizeof last, "BF65{ 8003 612E%02X } }", 0x21 + i);
        strcat(list, last);
        struct package_answer a =
            test_eim_send(&d.eim, &d.b.card, &(struct package_plan){ .list = list });
        ck_assert_uint_le(d.b.card.data.n, 256);
        bool done = a.results.p[a.results.n - 3] == 0x80; /* not 02 01 01 */
        const uint8_t address[] = { 0x61, 0x2E, (uint8_t)(0x21 + i) };
        struct tlv t;
        ck_assert_uint_eq(card_es10_hex(&d.b.card, "BF3C00"), 0x9000);
        bool is_set = message_has(wr_view(&d.b.card.data), "BF3C/80", &t) &&
                      rd_equal(t.value, rd_of(address, sizeof address));
        ck_assert_msg(done == is_set, "behind %u others", i);
        *(done ? &told : &untold) += 1;
    }
    ck_assert(told > 20 && untold > 10);
    desk_close(&d);
}
END_TEST

START_TEST(a_list_that_does_not_fit_is_left_out)
{
    struct desk d;

    desk_open(&d, "package_result_max=256");
    for (unsigned i = 1; i < 5; i++)
        bench_download(&d.b, i);
    test_eim_do(&d.eim, &d.b.card, "A0{ A3{" ICCID_OF(1) "} }", "830100");
    test_eim_do(&d.eim, &d.b.card, "A0{ BF65{ 8000 } BF2D00 A4{" ICCID_OF(1) "} }",
                "BF65{ 800100 } 020101");
    bench_assert_profiles(&d.b, "1+2-3-4-");
    desk_close(&d);
}
END_TEST

START_TEST(no_room_for_any_result_is_told_first)
{
    char id[2 * 100 + 1] = "";
    struct bench b;
    struct test_eim eim;

    for (int i = 0; i < 100; i++)
        strcat(id, "\xC3\xA4");
    bench_open_set(&b, "package_result_max=256");
    test_eim_open(&eim, &b.server, id, EIM_KEY_1);
    test_eim_associate(&eim, &b.card, true);
    test_eim_do(&eim, &b.card, LIST_EIM, "error 15");
    test_eim_close(&eim);
    bench_close(&b);
}
END_TEST

START_TEST(the_sizes_have_their_code_in_v1_3)
{
    static const struct softeuicc_setting settings[] = { { "sgp32_version", "1.3.0" },
                                                         { "package_max", "256" } };
    struct desk d;

    bench_open_as(&d.b,
                  &(struct bench_options){ .settings = settings, .n_settings = N_ELEMS(settings) });
    test_eim_open(&d.eim, &d.b.server, "eim1", EIM_KEY_1);
    test_eim_associate(&d.eim, &d.b.card, true);
    test_eim_do(&d.eim, &d.b.card, LARGE, "unsigned 15");
    desk_close(&d);
}
END_TEST

/* --- power ------------------------------------------------------------------------------------ */

static const char *const powered[] = {
    "A0{ A3{" ICCID_OF(2) "0500 } }",
    "A0{ A4{" ICCID_OF(1) "} }",
    "A0{ A4{" ICCID_OF(1) "} A3{" ICCID_OF(2) "} A5{" ICCID_OF(3) "} }",
    "A0{ A5{" ICCID_OF(2) "} }",
    "A0{ BF2D00 A600 }",
    "A0{ A7{ 8000 820161 } A8{" ICCID_OF(3) "} BF65{ 8003 612E62 } }",
    "A0{ A8{" ICCID_OF(3) "} A900 }",
    "A1{ A8{ 80{ 65696D32 } 830105 8401FF" EIM_PUBLIC_KEY(EIM_POINT_2) "} AB00 }",
    "A1{ AA{ 80{ 65696D31 } 830120 } }",
    "A1{ A9{ 80{ 65696D31 } } }",
};

/* Three profiles, the first one enabled; a package is ready. */
static void open_powered(struct desk *d, const char *list)
{
    bench_open_as(&d->b, &(struct bench_options){ .seed = SEED });
    bench_download(&d->b, 1);
    bench_download(&d->b, 2);
    bench_download_with(&d->b, 3, "9F6701FF");
    test_eim_open(&d->eim, &d->b.server, "eim1", EIM_KEY_1);
    test_eim_associate(&d->eim, &d->b.card, true);
    test_eim_do(&d->eim, &d->b.card, "A0{ A3{" ICCID_OF(1) "} }", "830100");
    test_eim_sign(&d->eim, &(struct package_plan){ .list = list });
}

static void digest_after(const char *list, char ret[CARD_DIGEST_LEN])
{
    struct desk d;

    open_powered(&d, list);
    card_es10(&d.b.card, wr_view(&d.eim.package));
    ck_assert_int_eq(test_eim_take(&d.eim, wr_view(&d.b.card.data)).arm, ANSWER_RESULT);
    card_reset(&d.b.card);
    card_digest(&d.b.card, ret);
    desk_close(&d);
}

/* false: the package needed no more writes. */
static bool cut_once(const char *list, unsigned writes, const char *after)
{
    char before[CARD_DIGEST_LEN], now[CARD_DIGEST_LEN];
    struct desk d;

    open_powered(&d, list);
    card_digest(&d.b.card, before);
    card_cut_after(&d.b.card, writes);
    card_es10(&d.b.card, wr_view(&d.eim.package));
    bool cut = d.b.card.off;
    if (!cut)
        card_cut_after(&d.b.card, NEVER);
    card_reset(&d.b.card);
    card_digest(&d.b.card, now);
    bool is_before = strcmp(now, before) == 0;
    ck_assert_msg(is_before || strcmp(now, after) == 0, "%s, cut after %u writes", list, writes);
    ck_assert(cut || !is_before);
    ck_assert_uint_eq(card_es10(&d.b.card, wr_view(&d.eim.package)), 0x9000);
    ck_assert_int_eq(test_eim_take(&d.eim, wr_view(&d.b.card.data)).arm == ANSWER_RESULT,
                     is_before); /* once, and only once */
    desk_close(&d);
    return cut;
}

START_TEST(a_cut_leaves_all_of_a_package_or_nothing)
{
    char after[CARD_DIGEST_LEN];
    unsigned writes = 0;

    digest_after(powered[_i], after);
    while (cut_once(powered[_i], writes, after)) {
        writes++;
        ck_assert_uint_lt(writes, CUTS_MAX);
    }
    ck_assert_uint_ge(writes, 3); /* counter, result, commit */
}
END_TEST

static unsigned long number_of(struct card *card, const char *name)
{
    char reply[256];

    card_control(card, "status", reply, sizeof reply);
    const char *at = strstr(reply, name);
    ck_assert_ptr_nonnull(at);
    return strtoul(at + strlen(name), NULL, 10);
}

START_TEST(ten_operations_are_one_commit)
{
    struct desk d;

    open_powered(&d, "A0{ A4{" ICCID_OF(1) "} A3{" ICCID_OF(2) "0500 } A5{" ICCID_OF(
                         3) "} A600 A600 A700 A900 BF65{ 8000 } BF65{ 8003 612E62 } A600 }");
    unsigned long commits = number_of(&d.b.card, "commits=");
    d.b.card.quick = true;
    ck_assert_uint_eq(card_es10(&d.b.card, wr_view(&d.eim.package)), 0x9000);
    ck_assert_uint_eq(number_of(&d.b.card, "commits="), commits + 1);
    desk_close(&d);
}
END_TEST

int main(void)
{
    struct suite s = suite_begin("package_limits");

    suite_add(&s, a_result_that_grows_too_large_ends);
    suite_add(&s, what_has_no_room_in_the_result_is_not_done);
    suite_add(&s, a_list_that_does_not_fit_is_left_out);
    suite_add(&s, no_room_for_any_result_is_told_first);
    suite_add(&s, the_sizes_have_their_code_in_v1_3);
    suite_loop(&s, a_cut_leaves_all_of_a_package_or_nothing, N_ELEMS(powered));
    suite_add(&s, ten_operations_are_one_commit);
    return suite_run(&s);
}
