/* test_states.c - the life of installed profiles (SGP.22 5.7.15 to 5.7.21), their notifications
 * (5.7.9 to 5.7.11), addresses (5.7.3, 5.7.4) and CancelSession (5.7.14). */
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
#define PPR2         OWNER "99020520"

enum { ENABLE = 0xBF31, DISABLE = 0xBF32, DELETE = 0xBF33 };
enum { OK = 0, NOT_FOUND = 1, WRONG_STATE = 2, POLICY = 3, REENABLING = 4, CAT_BUSY = 5 };

/* Enables, disables or deletes profile `digit` and asserts the result. */
static void change_as(struct bench *b, unsigned function, unsigned digit, bool refresh, int result)
{
    char request[96], answer[16];

    if (function == DELETE)
        snprintf(request, sizeof request, "BF330C 5A0A %s", server_iccid(digit));
    else
        snprintf(request, sizeof request, "%X11 A00C 5A0A %s 8101%s", function, server_iccid(digit),
                 refresh ? "FF" : "00");
    snprintf(answer, sizeof answer, "%X038001%02X", function, result);
    card_expect(&b->card, request, answer);
    ck_assert_msg((b->card.checks > 0) == (result != OK), "%s: %s", request, b->card.why);
}

static void change(struct bench *b, unsigned function, unsigned digit, int result)
{
    char before[CARD_DIGEST_LEN], after[CARD_DIGEST_LEN];

    card_digest(&b->card, before);
    change_as(b, function, digit, false, result);
    ck_assert_int_eq(strcmp(card_digest(&b->card, after), before) != 0, result == OK);
}

/* --- enabling, disabling, deleting ------------------------------------------------------------ */

START_TEST(a_profile_is_enabled_disabled_and_deleted)
{
    struct bench b;

    bench_open(&b);
    bench_download(&b, 1);
    bench_assert_profiles(&b, "1-");
    change(&b, ENABLE, 1, OK);
    bench_assert_profiles(&b, "1+");
    card_reset(&b.card);
    bench_assert_profiles(&b, "1+");
    change(&b, DISABLE, 1, OK);
    bench_assert_profiles(&b, "1-");
    change(&b, DELETE, 1, OK);
    bench_assert_profiles(&b, "");
    bench_close(&b);
}
END_TEST

START_TEST(each_wrong_change_is_refused_and_changes_nothing)
{
    static const struct {
        unsigned function, digit;
        int result;
    } rows[] = {
        { ENABLE, 9, NOT_FOUND },   { DISABLE, 9, NOT_FOUND },   { DELETE, 9, NOT_FOUND },
        { ENABLE, 1, WRONG_STATE }, { DISABLE, 2, WRONG_STATE }, { DELETE, 1, WRONG_STATE },
    };
    struct bench b;

    bench_open(&b);
    bench_download(&b, 1);
    bench_download(&b, 2);
    change(&b, ENABLE, 1, OK);
    for (size_t i = 0; i < N_ELEMS(rows); i++)
        change(&b, rows[i].function, rows[i].digit, rows[i].result);
    bench_assert_profiles(&b, "1+2-");
    bench_close(&b);
}
END_TEST

START_TEST(a_profile_is_known_by_its_aid_too)
{
    struct bench b;

    bench_open(&b);
    bench_download(&b, 1);
    card_expect(&b.card, "BF3117 A012 4F10 A0000005591010FFFFFFFF8900001000 810100",
                "BF3103800100");
    card_expect(&b.card, "BF3117 A012 4F10 A0000005591010FFFFFFFF8900001000 810100",
                "BF3103800102");
    card_expect(&b.card, "BF3217 A012 4F10 A0000005591010FFFFFFFF8900001000 810100",
                "BF3203800100");
    card_expect(&b.card, "BF3312 4F10 A0000005591010FFFFFFFF8900001100", "BF3303800101");
    card_expect(&b.card, "BF3312 4F10 A0000005591010FFFFFFFF8900001000", "BF3303800100");
    bench_close(&b);
}
END_TEST

START_TEST(identifiers_need_no_wrapper_and_refresh_no_flag)
{
    struct bench b;

    bench_open(&b);
    bench_download(&b, 1);
    card_expect(&b.card, "BF310C 5A0A 980010000000000010F9", "BF3103800100");
    card_expect(&b.card, "BF320F 5A0A 980010000000000010F9 810100", "BF3203800100");
    card_expect(&b.card, "BF330E A00C 5A0A 980010000000000010F9", "BF3303800100");
    bench_close(&b);
}
END_TEST

START_TEST(malformed_requests_are_wrong_data)
{
    static const char *const requests[] = {
        "BF3100",
        "BF3103 810100",
        "BF3205 A003 950100",
        "BF3300",
        "BF3310 A00C 5A0A 980010000000000010F9 8102 0000", /* a broken wrapper */
        "BF3112 A00C 5A0A 980010000000000010F9 8102 0000",
        "BF3400",
        "BF3402 8200",
        "BF290C 5A0A 980010000000000010F9",
        "BF2902 9000",
        "BF3000",
        "BF3003 8001 80",
        "BF2B04 A002 9500",
        "BF2B05 A003 8001FF",
        "BF2804 8102 0900",
        "BF3F00",
        "BF4103 810100",
        "BF3E03 5C0199",
    };
    struct bench b;

    bench_open(&b);
    bench_download(&b, 1);
    for (size_t i = 0; i < N_ELEMS(requests); i++)
        ck_assert_msg(card_es10_hex(&b.card, requests[i]) == 0x6A80, "%s: %04X", requests[i],
                      b.card.sw);
    bench_assert_profiles(&b, "1-");
    bench_close(&b);
}
END_TEST

START_TEST(enabling_another_profile_disables_the_enabled_one)
{
    struct bench b;

    bench_open(&b);
    bench_download(&b, 1);
    bench_download(&b, 2);
    change(&b, ENABLE, 1, OK);
    bench_remove_notifications(&b);
    change(&b, ENABLE, 2, OK);
    bench_assert_profiles(&b, "1-2+");
    /* disable of the old one, then enable of the new one */
    ck_assert_uint_eq(card_es10_hex(&b.card, "BF2800"), 0x9000);
    struct rd list = message_at(wr_view(&b.card.data), "BF28/A0").value;
    ck_assert(rd_equal(message_at(list, "BF2F#0/81").value, rd_of("\x05\x20", 2)));
    ck_assert(rd_equal(message_at(list, "BF2F#1/81").value, rd_of("\x06\x40", 2)));
    ck_assert_uint_eq(message_at(list, "BF2F#0/5A").value.p[8], 0x10);
    ck_assert_uint_eq(message_at(list, "BF2F#1/5A").value.p[8], 0x20);
    ck_assert_uint_eq(card_pending(&b.card), 2);
    bench_close(&b);
}
END_TEST

/* --- policy rules ----------------------------------------------------------------------------- */

START_TEST(ppr1_keeps_a_profile_enabled)
{
    struct bench b;

    bench_open(&b);
    bench_download_with(&b, 1, PPR1);
    bench_download(&b, 2);
    bench_download_with(&b, 3, TEST_CLASS);
    bench_download_with(&b, 4, PROVISIONING);
    change(&b, ENABLE, 1, OK);
    change(&b, DISABLE, 1, POLICY);
    change(&b, ENABLE, 2, POLICY);
    change(&b, ENABLE, 3, OK); /* a test profile may, for a while */
    bench_assert_profiles(&b, "1-2-3+4-");
    change(&b, DISABLE, 3, OK);
    bench_assert_profiles(&b, "1+2-3-4-");
    change(&b, ENABLE, 4, OK); /* and so may a provisioning profile */
    change(&b, ENABLE, 2, OK);
    bench_close(&b);
}
END_TEST

START_TEST(ppr2_keeps_a_profile_from_deletion)
{
    struct bench b;

    bench_open(&b);
    bench_download_with(&b, 1, PPR2);
    change(&b, DELETE, 1, POLICY);
    change(&b, ENABLE, 1, OK);
    change(&b, DISABLE, 1, OK);
    change(&b, DELETE, 1, POLICY);
    card_expect(&b.card, "BF3404 82020780", "BF3403800100"); /* but not from a memory reset */
    bench_assert_profiles(&b, "");
    bench_close(&b);
}
END_TEST

START_TEST(a_memory_reset_takes_an_enabled_profile_with_ppr1)
{
    struct bench b;

    bench_open(&b);
    bench_download_with(&b, 1, PPR1);
    change(&b, ENABLE, 1, OK);
    card_expect(&b.card, "BF3404 82020780", "BF3403800100");
    bench_assert_profiles(&b, "");
    bench_download(&b, 2);
    change(&b, ENABLE, 2, OK);
    bench_close(&b);
}
END_TEST

/* --- test profiles ---------------------------------------------------------------------------- */

START_TEST(a_test_profile_gives_way_to_the_profile_before_it_only)
{
    struct bench b;

    bench_open(&b);
    bench_download(&b, 1);
    bench_download(&b, 2);
    bench_download_with(&b, 3, TEST_CLASS);
    bench_download_with(&b, 4, TEST_CLASS);
    change(&b, ENABLE, 1, OK);
    change(&b, ENABLE, 3, OK);
    change(&b, ENABLE, 2, REENABLING);
    change(&b, ENABLE, 4, OK); /* another test profile */
    change(&b, ENABLE, 2, REENABLING);
    card_reset(&b.card);
    change(&b, ENABLE, 2, REENABLING);
    change(&b, ENABLE, 1, OK);
    bench_assert_profiles(&b, "1+2-3-4-");
    change(&b, ENABLE, 2, OK);
    bench_close(&b);
}
END_TEST

START_TEST(disabling_a_test_profile_enables_the_profile_before_it)
{
    struct bench b;

    bench_open(&b);
    bench_download(&b, 1);
    bench_download_with(&b, 3, TEST_CLASS);
    change(&b, ENABLE, 3, OK); /* nothing was enabled before it */
    change(&b, ENABLE, 1, REENABLING);
    change(&b, DISABLE, 3, OK);
    bench_assert_profiles(&b, "1-3-");
    change(&b, ENABLE, 1, OK);
    change(&b, ENABLE, 3, OK);
    change(&b, DISABLE, 3, OK);
    bench_assert_profiles(&b, "1+3-");
    bench_close(&b);
}
END_TEST

START_TEST(the_profile_before_a_test_profile_may_be_deleted)
{
    struct bench b;

    bench_open(&b);
    bench_download(&b, 1);
    bench_download(&b, 2);
    bench_download_with(&b, 3, TEST_CLASS);
    change(&b, ENABLE, 1, OK);
    change(&b, ENABLE, 3, OK);
    change(&b, DELETE, 1, OK);
    change(&b, DISABLE, 3, OK);
    bench_assert_profiles(&b, "2-3-");
    bench_close(&b);
}
END_TEST

START_TEST(a_memory_reset_of_test_profiles_brings_the_profile_before_back)
{
    struct bench b;

    bench_open(&b);
    bench_download(&b, 1);
    bench_download_with(&b, 3, TEST_CLASS);
    change(&b, ENABLE, 1, OK);
    change(&b, ENABLE, 3, OK);
    card_expect(&b.card, "BF3404 82020640", "BF3403800100");
    bench_assert_profiles(&b, "1+");
    card_expect(&b.card, "BF3404 82020640", "BF3403800101");
    bench_close(&b);
}
END_TEST

START_TEST(a_memory_reset_takes_what_its_options_name)
{
    struct bench b;

    bench_open(&b);
    bench_download(&b, 1);
    bench_download_with(&b, 2, TEST_CLASS);
    bench_download_with(&b, 3, PROVISIONING);
    card_expect(&b.card, "BF3404 82020520", "BF3403800101"); /* the address is as it was made */
    bench_assert_profiles(&b, "1-2-3-");
    card_expect(&b.card, "BF3404 82020780", "BF3403800100");
    bench_assert_profiles(&b, "2-3-");
    card_expect(&b.card, "BF3404 820205E0", "BF3403800100");
    bench_assert_profiles(&b, "3-");
    card_expect(&b.card, "BF3404 820205E0", "BF3403800101");
    change(&b, DELETE, 3, OK);
    bench_close(&b);
}
END_TEST

/* --- REFRESH ---------------------------------------------------------------------------------- */

START_TEST(a_refresh_that_was_done_leaves_the_new_state)
{
    struct bench b;

    bench_open(&b);
    bench_download(&b, 1);
    bench_terminal_profile(&b);
    change_as(&b, ENABLE, 1, true, OK);
    bench_refresh(&b, 0x00);
    bench_assert_profiles(&b, "1+");
    change_as(&b, DISABLE, 1, true, OK);
    bench_refresh(&b, 0x01);
    bench_assert_profiles(&b, "1-");
    bench_close(&b);
}
END_TEST

START_TEST(a_refresh_that_is_refused_restores_the_old_state)
{
    struct bench b;

    bench_open(&b);
    bench_download(&b, 1);
    bench_download(&b, 2);
    change(&b, ENABLE, 1, OK);
    bench_terminal_profile(&b);
    unsigned pending = card_pending(&b.card);
    uint64_t last = card_last_sequence(&b.card);
    change_as(&b, ENABLE, 2, true, OK);
    bench_refresh(&b, 0x20);
    bench_assert_profiles(&b, "1+2-");
    ck_assert_uint_eq(card_pending(&b.card), pending);
    change(&b, DISABLE, 1, OK);
    ck_assert_uint_gt(card_last_sequence(&b.card), last + 1); /* numbers are not used again */
    bench_close(&b);
}
END_TEST

START_TEST(a_proactive_session_makes_the_card_busy)
{
    struct bench b;

    bench_open(&b);
    bench_download(&b, 1);
    bench_download(&b, 2);
    bench_terminal_profile(&b);
    change_as(&b, ENABLE, 1, true, OK);
    change_as(&b, ENABLE, 2, true, CAT_BUSY);
    change_as(&b, DISABLE, 1, true, CAT_BUSY);
    card_expect(&b.card, "BF3404 82020780", "BF3403800105");
    change_as(&b, ENABLE, 1, true, WRONG_STATE); /* the state is asked about first */
    ck_assert_uint_eq(card_es10_hex(&b.card, "BF2000") >> 8, 0x91);
    bench_refresh(&b, 0x00);
    change_as(&b, ENABLE, 2, true, OK);
    bench_refresh(&b, 0x00);
    bench_assert_profiles(&b, "1-2+");
    card_expect(&b.card, "BF3404 82020780", "BF3403800100");
    bench_refresh(&b, 0x00);
    bench_assert_profiles(&b, "");
    bench_close(&b);
}
END_TEST

START_TEST(without_a_terminal_profile_nothing_is_proactive)
{
    struct bench b;

    bench_open(&b);
    bench_download(&b, 1);
    change_as(&b, ENABLE, 1, true, OK);
    ck_assert_uint_eq(b.card.sw, 0x9000);
    change_as(&b, DISABLE, 1, true, OK);
    ck_assert_uint_eq(b.card.sw, 0x9000);
    bench_close(&b);
}
END_TEST

/* --- files ------------------------------------------------------------------------------------ */

#define USIM    "00A4040C 07 A0000000871002"
#define EF_PL   "00A4000C 02 2F05"
#define READ_PL "00B0000002"
#define ADM1    "0020000A 08 3535353535353535"
/* A record of EF.DIR, which needs ADM1; EF.DIR is not selected. */
#define WRITE_DIR "00DC01F4 16 61144F0CA0000000871002FF49FF0189500455534954"

static uint16_t command(struct bench *b, const char *text)
{
    wr_clear(&b->request);
    hex_put(&b->request, text);
    return card_apdu(&b->card, b->request.p, b->request.n);
}

static void good(struct bench *b, const char *text)
{
    uint16_t sw = command(b, text);

    ck_assert_msg(sw == 0x9000 || sw >> 8 == 0x91, "%s: %04X (%s)", text, sw, b->card.why);
}

/* The ISD-R on this channel. */
static void select_isdr(struct bench *b)
{
    good(b, "00A4040C 10 A0000005591010FFFFFFFF8900000100");
}

/* Whose files are there?  Their mark; 0: none. */
static unsigned mark(struct bench *b)
{
    unsigned digit = 0;

    if (command(b, EF_PL) != 0x6A82) {
        good(b, READ_PL);
        ck_assert_uint_eq(b->card.data.n, 2);
        digit = b->card.data.p[1];
    }
    select_isdr(b);
    return digit;
}

/* Profiles 1 and 2, each with its digit in EF.PL; profile 1 is enabled. */
static void open_marked(struct bench *b)
{
    bench_open(b);
    for (unsigned digit = 1; digit <= 2; digit++) {
        bench_download(b, digit);
        change(b, ENABLE, digit, OK);
        good(b, EF_PL);
        good(b, digit == 1 ? "00D60000 02 6101" : "00D60000 02 6102");
        select_isdr(b);
    }
    change(b, ENABLE, 1, OK);
    ck_assert_uint_eq(mark(b), 1);
}

START_TEST(files_come_and_go_with_their_profile)
{
    struct bench b;

    open_marked(&b);
    change(&b, ENABLE, 2, OK);
    ck_assert_uint_eq(mark(&b), 2);
    card_reset(&b.card);
    ck_assert_uint_eq(mark(&b), 2);
    change(&b, DISABLE, 2, OK);
    ck_assert_uint_eq(mark(&b), 0);
    ck_assert_uint_eq(command(&b, USIM), 0x6A82);
    card_reset(&b.card);
    ck_assert_uint_eq(mark(&b), 0);
    change(&b, ENABLE, 1, OK);
    ck_assert_uint_eq(mark(&b), 1);
    change(&b, DELETE, 2, OK);
    ck_assert_uint_eq(mark(&b), 1);
    bench_close(&b);
}
END_TEST

START_TEST(files_follow_when_refresh_was_done)
{
    struct bench b;

    open_marked(&b);
    bench_terminal_profile(&b);
    change_as(&b, ENABLE, 2, true, OK);
    ck_assert_uint_eq(mark(&b), 1); /* 91xx goes on */
    bench_refresh(&b, 0x00);
    ck_assert_uint_eq(mark(&b), 2);
    change_as(&b, DISABLE, 2, true, OK);
    ck_assert_uint_eq(mark(&b), 2);
    bench_refresh(&b, 0x03);
    ck_assert_uint_eq(mark(&b), 0);
    bench_close(&b);
}
END_TEST

START_TEST(files_stay_as_they_are_when_refresh_is_refused)
{
    struct bench b;

    open_marked(&b);
    good(&b, "0070000001");
    good(&b, "01A4040C 07 A0000000871002");
    good(&b, ADM1);
    bench_terminal_profile(&b);
    change_as(&b, ENABLE, 2, true, OK);
    bench_refresh(&b, 0x20);
    good(&b, "01B0870009"); /* the other channel is in its ADF still */
    ck_assert_uint_eq(mark(&b), 1);
    good(&b, "00A4000C 02 3F00");
    good(&b, WRITE_DIR); /* and ADM1 is verified */
    select_isdr(&b);
    change_as(&b, DISABLE, 1, true, OK);
    bench_refresh(&b, 0x20);
    ck_assert_uint_eq(mark(&b), 1);
    card_reset(&b.card);
    ck_assert_uint_eq(mark(&b), 1);
    bench_close(&b);
}
END_TEST

/* Without FETCH, or without TERMINAL RESPONSE. */
START_TEST(a_reset_instead_of_refresh_brings_the_new_files)
{
    struct bench b;

    open_marked(&b);
    bench_terminal_profile(&b);
    change_as(&b, ENABLE, 2, true, OK);
    if (_i == 1)
        good(&b, "8012000000");
    ck_assert_uint_eq(mark(&b), 1);
    card_reset(&b.card);
    ck_assert_uint_eq(mark(&b), 2);
    bench_assert_profiles(&b, "1-2+");
    bench_close(&b);
}
END_TEST

START_TEST(another_profile_begins_at_the_mf_with_nothing_verified)
{
    struct bench b;

    open_marked(&b);
    good(&b, "0070000001");
    good(&b, "0070000001");
    good(&b, "01A4040C 07 A0000000871002");
    good(&b, "02A4000C 02 2F05");
    good(&b, ADM1);
    change(&b, ENABLE, 2, OK); /* the ISD-R of channel 0 is selected still */
    change(&b, DISABLE, 2, OK);
    change(&b, ENABLE, 2, OK);
    ck_assert_uint_eq(command(&b, "01B0870009"), 0x6A82);
    ck_assert_uint_eq(command(&b, "02B0000002"), 0x6986);
    good(&b, "81F2000100"); /* no application */
    ck_assert_uint_eq(b.card.data.n, 0);
    good(&b, "00A4000C 02 3F00");
    ck_assert_uint_eq(command(&b, WRITE_DIR), 0x6982);
    bench_close(&b);
}
END_TEST

START_TEST(a_memory_reset_takes_the_files_at_once)
{
    struct bench b;

    open_marked(&b);
    bench_terminal_profile(&b);
    card_expect(&b.card, "BF3404 82020780", "BF3403800100");
    ck_assert_uint_eq(mark(&b), 0);
    bench_refresh(&b, 0x20);
    ck_assert_uint_eq(mark(&b), 0);
    bench_close(&b);
}
END_TEST

START_TEST(a_test_profiles_files_give_way_to_those_before)
{
    struct bench b;

    open_marked(&b);
    bench_download_with(&b, 3, TEST_CLASS);
    change(&b, ENABLE, 3, OK);
    ck_assert_uint_eq(mark(&b), 0xFF); /* as they were made */
    change(&b, DISABLE, 3, OK);
    ck_assert_uint_eq(mark(&b), 1);
    bench_close(&b);
}
END_TEST

/* --- GetProfilesInfo and SetNickname ---------------------------------------------------------- */

START_TEST(profiles_are_found_by_iccid_aid_and_class)
{
    static const struct {
        const char *request, *answer;
    } rows[] = {
        { "BF2D11 A00C 5A0A 980010000000000020F9 5C0195", "BF2D07 A005 E303 950100" },
        { "BF2D0F 5A0A 980010000000000020F9 5C0195", "BF2D07 A005 E303 950100" },
        { "BF2D17 A012 4F10 A0000005591010FFFFFFFF8900001100 5C0195", "BF2D07 A005 E303 950100" },
        { "BF2D17 A012 4F10 A0000005591010FFFFFFFF8900001200 5C0195", "BF2D02 A000" },
        { "BF2D08 A003 950102 5C0195", "BF2D07 A005 E303 950102" },
        { "BF2D08 A003 950100 5C0195", "BF2D07 A005 E303 950100" },
        { "BF2D08 A003 950101 5C0195", "BF2D02 A000" },
        { "BF2D11 A00C 5A0A 980010000000000090F9 5C0195", "BF2D02 A000" },
        { "BF2D03 5C0195", "BF2D0C A00A E303 950102 E303 950100" },
        { "BF2D02 5C00", "BF2D06 A004 E300 E300" },
        { "BF2D05 5C03 9F7F93", "BF2D06 A004 E300 E300" }, /* unknown, and not there */
        { "BF2D08 A003 950103 5C0195", "BF2D03 810101" },
        { "BF2D10 A00B 5A09 980010000000000020 5C0195", "BF2D03 810101" },
        { "BF2D05 A003 9F7F00", "BF2D03 810101" },
        { "BF2D02 A000", "BF2D03 810101" },
    };
    struct bench b;

    bench_open(&b);
    bench_download(&b, 1);
    bench_download_with(&b, 2, TEST_CLASS);
    for (size_t i = 0; i < N_ELEMS(rows); i++)
        card_expect(&b.card, rows[i].request, rows[i].answer);
    bench_close(&b);
}
END_TEST

START_TEST(unasked_a_profile_tells_its_usual_fields)
{
    struct bench b;

    bench_open(&b);
    bench_download(&b, 1);
    card_expect(&b.card, "BF2914 5A0A 980010000000000010F9 9006 6D79206F6E65", "BF2903800100");
    change(&b, ENABLE, 1, OK);
    card_expect(&b.card, "BF2D00",
                "BF2D58 A056 E354 5A0A 980010000000000010F9 4F10 A0000005591010FFFFFFFF8900001000"
                "9F700101 9006 6D79206F6E65 9109 5350204E616D652031"
                "921A 4F7065726174696F6E616C2050726F66696C65204E616D652031 950102");
    bench_close(&b);
}
END_TEST

START_TEST(a_nickname_is_set_changed_and_taken_away)
{
#define NICK64                                                                                     \
    "61616161616161616161616161616161616161616161616161616161616161616161616161616161"             \
    "616161616161616161616161616161616161616161616161"
    struct bench b;

    bench_open(&b);
    bench_download(&b, 1);
    card_expect(&b.card, "BF2D03 5C0190", "BF2D04 A002 E300");
    card_expect(&b.card, "BF2910 5A0A 980010000000000010F9 9002 C3BC", "BF2903800100");
    card_reset(&b.card);
    card_expect(&b.card, "BF2D03 5C0190", "BF2D08 A006 E304 9002 C3BC");
    card_expect(&b.card, "BF294E 5A0A 980010000000000010F9 9040" NICK64, "BF2903800100");
    card_expect(&b.card, "BF294F 5A0A 980010000000000010F9 9041" NICK64 "61", "BF290380017F");
    card_expect(&b.card, "BF2910 5A0A 980010000000000010F9 9002 C328", "BF290380017F");
    card_expect(&b.card, "BF290F 5A0A 980010000000000090F9 9001 61", "BF2903800101");
    card_assert_why(&b.card, "iccidNotFound");
    card_expect(&b.card, "BF2D03 5C0190", "BF2D46 A044 E342 9040" NICK64);
    card_expect(&b.card, "BF290E 5A0A 980010000000000010F9 9000", "BF2903800100");
    card_expect(&b.card, "BF2D03 5C0190", "BF2D04 A002 E300");
    bench_close(&b);
}
END_TEST

/* --- notifications ---------------------------------------------------------------------------- */

START_TEST(without_notifications_the_lists_are_empty)
{
    struct bench b;

    bench_open(&b);
    card_expect(&b.card, "BF2800", "BF2802A000");
    card_expect(&b.card, "BF2B00", "BF2B02A000");
    card_expect(&b.card, "BF2B05 A003 800107", "BF2B02A000");
    card_expect(&b.card, "BF3003 800107", "BF3003800101");
    bench_close(&b);
}
END_TEST

/* The profile's whole life, with one notification each. */
static void live(struct bench *b)
{
    bench_download(b, 1);
    change(b, ENABLE, 1, OK);
    change(b, DISABLE, 1, OK);
    change(b, DELETE, 1, OK);
}

START_TEST(each_event_leaves_one_signed_notification)
{
    struct rsp_notification n;
    struct tlv one;
    struct bench b;
    long last = 0;

    bench_open(&b);
    live(&b);
    ck_assert_uint_eq(card_es10_hex(&b.card, "BF2B00"), 0x9000);
    struct wr answer = message_copy(wr_view(&b.card.data));
    struct rd list = message_at(wr_view(&answer), "BF2B/A0").value;
    for (unsigned event = 0; event < 4; event++) {
        ck_assert_int_eq(tlv_get(&list, &one), 0);
        server_take_notification(&b.server, one.whole, &n);
        ck_assert_uint_eq(n.events, 1u << event);
        ck_assert_str_eq(n.address, SERVER_ADDRESS);
        ck_assert(n.has_iccid);
        ck_assert_int_gt(n.seq_number, last);
        last = n.seq_number;
    }
    ck_assert_uint_eq(list.n, 0);
    wr_done(&answer);
    bench_close(&b);
}
END_TEST

START_TEST(notifications_are_listed_by_event_and_by_number)
{
    static const struct {
        const char *list, *retrieve;
        unsigned count;
    } rows[] = {
        { "BF2804 81020780", "BF2B06 A004 81020780", 1 },
        { "BF2804 81020640", "BF2B06 A004 81020640", 1 },
        { "BF2804 81020520", "BF2B06 A004 81020520", 1 },
        { "BF2804 81020410", "BF2B06 A004 81020410", 1 },
        { "BF2804 810204F0", "BF2B06 A004 810204F0", 4 },
        { "BF2804 81020560", "BF2B06 A004 81020560", 2 },
        { "BF2804 81020308", "BF2B06 A004 81020308", 0 },
        { "BF2803 810100", "BF2B05 A003 810100", 4 }, /* no bit: no filter */
        { "BF2800", "BF2B00", 4 },
    };
    struct bench b;
    struct tlv t;

    bench_open(&b);
    live(&b);
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        unsigned listed = 0, retrieved = 0;
        ck_assert_uint_eq(card_es10_hex(&b.card, rows[i].list), 0x9000);
        for (struct rd in = message_at(wr_view(&b.card.data), "BF28/A0").value;
             tlv_get(&in, &t) == 0;)
            listed++;
        ck_assert_uint_eq(card_es10_hex(&b.card, rows[i].retrieve), 0x9000);
        for (struct rd in = message_at(wr_view(&b.card.data), "BF2B/A0").value;
             tlv_get(&in, &t) == 0;)
            retrieved++;
        ck_assert_uint_eq(listed, rows[i].count);
        ck_assert_uint_eq(retrieved, rows[i].count);
    }
    bench_close(&b);
}
END_TEST

START_TEST(a_removed_notification_is_gone_and_its_number_with_it)
{
    struct bench b;

    bench_open(&b);
    live(&b);
    uint64_t last = card_last_sequence(&b.card);
    ck_assert_uint_eq(last, 4);
    card_expect(&b.card, "BF3003 800104", "BF3003800100");
    card_expect(&b.card, "BF3003 800104", "BF3003800101");
    card_expect(&b.card, "BF2B05 A003 800104", "BF2B02A000");
    card_reset(&b.card);
    ck_assert_uint_eq(card_pending(&b.card), 3);
    bench_remove_notifications(&b);
    card_reset(&b.card);
    bench_download(&b, 2);
    ck_assert_uint_eq(card_last_sequence(&b.card), last + 1);
    card_expect(&b.card, "BF3404 82020780", "BF3403800100");
    ck_assert_uint_eq(card_last_sequence(&b.card), last + 2);
    bench_close(&b);
}
END_TEST

START_TEST(each_configured_address_gets_its_notification)
{
    struct bench b;

    bench_open(&b);
    bench_reach_prepared(&b);
    /* install to two others; enable to two; one entry of two events */
    const struct bpp_plan good = { .metadata_change = {
                                       "BF25/B6", "B624 3007 80020780 8101 61 3007 80020780 8101 62"
                                                  "3007 80020640 8101 61 3007 80020560 8101 63" } };
    server_bind(&b.server, &good, &b.bpp);
    ck_assert(bench_load(&b, AS_LPAS_DO));
    ck_assert_msg(b.read.success, "%s", b.card.why);
    ck_assert_uint_eq(card_pending(&b.card), 3);
    change(&b, ENABLE, 1, OK);
    ck_assert_uint_eq(card_pending(&b.card), 5);
    change(&b, DISABLE, 1, OK);
    ck_assert_uint_eq(card_pending(&b.card), 6);
    change(&b, DELETE, 1, OK);
    ck_assert_uint_eq(card_pending(&b.card), 6); /* nobody asked for that */
    bench_close(&b);
}
END_TEST

START_TEST(installation_is_told_once_to_the_server_that_did_it)
{
    struct bench b;

    bench_open(&b);
    bench_reach_prepared(&b);
    const struct bpp_plan plan = {
        .metadata_change = { "BF25/B6", "B621 301F 80020780 8119 "
                                        "74657374736D6470706C7573312E6578616D706C652E636F6D" }
    };
    server_bind(&b.server, &plan, &b.bpp);
    ck_assert(bench_load(&b, AS_LPAS_DO));
    ck_assert_msg(b.read.success, "%s", b.card.why);
    ck_assert_uint_eq(card_pending(&b.card), 1);
    bench_close(&b);
}
END_TEST

START_TEST(the_oldest_notification_goes_when_there_are_too_many)
{
    struct bench b;

    bench_open_set(&b, "max_notifications=3");
    live(&b);
    ck_assert_uint_eq(card_pending(&b.card), 3);
    card_expect(&b.card, "BF2B05 A003 800101", "BF2B02A000");
    ck_assert_uint_eq(card_last_sequence(&b.card), 4);
    bench_download(&b, 1);
    ck_assert_uint_eq(card_pending(&b.card), 3);
    ck_assert_uint_eq(card_last_sequence(&b.card), 5);
    bench_close(&b);
}
END_TEST

START_TEST(a_profile_has_its_notifications_signed_on_the_curve_of_its_download)
{
    struct rsp_notification n;
    struct bench b;

    bench_open_as(&b, &(struct bench_options){ .curve = CURVE_BRAINPOOL_P256R1 });
    bench_download(&b, 1);
    change(&b, ENABLE, 1, OK);
    ck_assert_uint_eq(card_es10_hex(&b.card, "BF2B06 A004 81020640"), 0x9000);
    struct wr answer = message_copy(wr_view(&b.card.data));
    server_take_notification(&b.server, message_at(wr_view(&answer), "BF2B/A0/30").whole, &n);
    ck_assert_uint_eq(n.events, 2);
    wr_done(&answer);
    bench_close(&b);
}
END_TEST

/* --- addresses -------------------------------------------------------------------------------- */

START_TEST(the_default_server_is_set_taken_away_and_reset)
{
    static const char root[] = "8118 74657374726F6F74736D64732E6578616D706C652E636F6D";
    static const char made[] = "8003 612E62";
    struct bench b;
    char answer[128];

    bench_open_set(&b, "default_dp=a.b");
    snprintf(answer, sizeof answer, "BF3C1F %s %s", made, root);
    card_expect(&b.card, "BF3C00", answer);
    card_expect(&b.card, "BF3F05 8003 632E64", "BF3F03800100");
    card_reset(&b.card);
    snprintf(answer, sizeof answer, "BF3C1F 8003 632E64 %s", root);
    card_expect(&b.card, "BF3C00", answer);
    card_expect(&b.card, "BF3F04 8002 C328", "BF3F0380017F");
    card_expect(&b.card, "BF3C00", answer);
    card_expect(&b.card, "BF3F02 8000", "BF3F03800100");
    snprintf(answer, sizeof answer, "BF3C1A %s", root);
    card_expect(&b.card, "BF3C00", answer);
    card_expect(&b.card, "BF3404 82020520", "BF3403800100");
    snprintf(answer, sizeof answer, "BF3C1F %s %s", made, root);
    card_expect(&b.card, "BF3C00", answer);
    card_expect(&b.card, "BF3404 82020520", "BF3403800101");
    bench_close(&b);
}
END_TEST

START_TEST(an_address_of_255_octets_is_the_longest)
{
    struct wr request, address;
    struct bench b;

    bench_open(&b);
    wr_init_heap(&request, 1024);
    wr_init_heap(&address, 1024);
    for (size_t n = 255; n <= 256; n++) {
        wr_clear(&address);
        wr_clear(&request);
        for (size_t i = 0; i < n; i++)
            wr_put_u8(&address, 'a');
        struct wr_mark m = tlv_open(&request, 0xBF3F);
        tlv_put(&request, 0x80, wr_view(&address));
        tlv_close(&request, m);
        ck_assert_uint_eq(card_es10(&b.card, wr_view(&request)), 0x9000);
        ck_assert_uint_eq(message_at(wr_view(&b.card.data), "BF3F/80").value.p[0],
                          n == 255 ? 0 : 127);
    }
    ck_assert_uint_eq(card_es10_hex(&b.card, "BF3C00"), 0x9000);
    ck_assert_uint_eq(message_at(wr_view(&b.card.data), "BF3C/80").value.n, 255);
    wr_done(&request);
    wr_done(&address);
    bench_close(&b);
}
END_TEST

/* --- CancelSession ---------------------------------------------------------------------------- */

static long cancel(struct bench *b, unsigned reason)
{
    server_cancel(&b->server, reason, &b->request);
    ck_assert_uint_eq(card_es10(&b->card, wr_view(&b->request)), 0x9000);
    return server_take_cancel(&b->server, wr_view(&b->card.data), reason);
}

START_TEST(a_session_is_cancelled_for_any_reason_at_any_stage)
{
    static const unsigned reasons[] = { 0, 1, 2, 3, 4, 5, 127 };
    struct rd pieces[LPA_PIECES_MAX];
    struct bench b;

    bench_open(&b);
    for (size_t i = 0; i < 3 * N_ELEMS(reasons); i++) {
        bool installing = i % 3 == 2;
        ck_assert_int_eq(bench_authenticate(&b, NULL), 0);
        if (i % 3 > 0)
            ck_assert_int_eq(bench_prepare(&b, NULL), 0);
        if (installing) {
            server_bind(&b.server, &(struct bpp_plan){ .ppk = false }, &b.bpp);
            bench_slice(&b, pieces);
            ck_assert_uint_eq(card_es10(&b.card, pieces[0]), 0x9000);
        }
        ck_assert_int_eq(cancel(&b, reasons[i / 3]), 0);
        ck_assert(rd_equal(message_at(wr_view(&b.card.data), "BF41/A0/30/81").value,
                           rd_of("\x88\x37\x0A", 3)));
        ck_assert_int_eq(cancel(&b, reasons[i / 3]), 5); /* it is over */
        ck_assert_int_eq(bench_prepare(&b, NULL), 4);
        ck_assert_uint_eq(card_pending(&b.card), installing);
        bench_remove_notifications(&b);
    }
    bench_download(&b, 1);
    bench_close(&b);
}
END_TEST

START_TEST(a_session_with_an_sm_ds_is_cancelled_under_its_oid)
{
    struct bench b;

    bench_open(&b);
    ck_assert_int_eq(bench_authenticate(&b, &(struct authenticate_plan){ .role = CERT_DS_AUTH }),
                     0);
    ck_assert_int_eq(cancel(&b, 0), 0);
    ck_assert(rd_equal(message_at(wr_view(&b.card.data), "BF41/A0/30/81").value,
                       rd_of("\x88\x37\x0F", 3)));
    bench_close(&b);
}
END_TEST

START_TEST(what_is_no_session_cannot_be_cancelled)
{
    struct bench b;

    bench_open(&b);
    ck_assert_int_eq(cancel(&b, 0), 5);
    bench_challenge(&b);
    ck_assert_int_eq(cancel(&b, 0), 5);
    ck_assert_int_eq(bench_authenticate(&b, NULL), 0);
    struct transaction_id right = b.server.transaction_id;
    b.server.transaction_id.b[0] ^= 1;
    ck_assert_int_eq(cancel(&b, 0), 5);
    card_assert_why(&b.card, "invalidTransactionId");
    b.server.transaction_id = right;
    ck_assert_int_eq(bench_prepare(&b, NULL), 0); /* a wrong one did no harm */
    bench_close(&b);
}
END_TEST

/* --- numbers and AIDs ------------------------------------------------------------------------- */

START_TEST(sequence_numbers_rise_over_everything)
{
    struct bench b;
    uint64_t last = 0;

    bench_open(&b);
    for (unsigned i = 0; i < 12; i++) {
        bench_download(&b, i % 3);
        ck_assert_uint_gt((uint64_t)b.read.seq_number, last);
        last = (uint64_t)b.read.seq_number;
        if (i % 4 == 1)
            card_reset(&b.card);
        if (i % 4 == 2)
            bench_remove_notifications(&b);
        if (i % 4 == 3)
            card_expect(&b.card, "BF3404 820205E0", "BF3403800100");
        else
            change(&b, DELETE, i % 3, OK);
    }
    bench_close(&b);
}
END_TEST

START_TEST(every_profile_has_an_aid_of_its_own_for_life)
{
    struct bench b;

    bench_open(&b);
    bench_download(&b, 1);
    bench_download(&b, 2);
    bench_download(&b, 3);
    change(&b, DELETE, 2, OK);
    card_reset(&b.card);
    bench_download(&b, 4);
    bench_assert_profiles(&b, "1-4-3-");
    bench_close(&b);
}
END_TEST

int main(void)
{
    struct suite s = suite_begin("states");

    suite_add(&s, a_profile_is_enabled_disabled_and_deleted);
    suite_add(&s, each_wrong_change_is_refused_and_changes_nothing);
    suite_add(&s, a_profile_is_known_by_its_aid_too);
    suite_add(&s, identifiers_need_no_wrapper_and_refresh_no_flag);
    suite_add(&s, malformed_requests_are_wrong_data);
    suite_add(&s, enabling_another_profile_disables_the_enabled_one);
    suite_add(&s, ppr1_keeps_a_profile_enabled);
    suite_add(&s, ppr2_keeps_a_profile_from_deletion);
    suite_add(&s, a_memory_reset_takes_an_enabled_profile_with_ppr1);
    suite_add(&s, a_test_profile_gives_way_to_the_profile_before_it_only);
    suite_add(&s, disabling_a_test_profile_enables_the_profile_before_it);
    suite_add(&s, the_profile_before_a_test_profile_may_be_deleted);
    suite_add(&s, a_memory_reset_of_test_profiles_brings_the_profile_before_back);
    suite_add(&s, a_memory_reset_takes_what_its_options_name);
    suite_add(&s, a_refresh_that_was_done_leaves_the_new_state);
    suite_add(&s, a_refresh_that_is_refused_restores_the_old_state);
    suite_add(&s, a_proactive_session_makes_the_card_busy);
    suite_add(&s, without_a_terminal_profile_nothing_is_proactive);
    suite_add(&s, files_come_and_go_with_their_profile);
    suite_add(&s, files_follow_when_refresh_was_done);
    suite_add(&s, files_stay_as_they_are_when_refresh_is_refused);
    suite_loop(&s, a_reset_instead_of_refresh_brings_the_new_files, 2);
    suite_add(&s, another_profile_begins_at_the_mf_with_nothing_verified);
    suite_add(&s, a_memory_reset_takes_the_files_at_once);
    suite_add(&s, a_test_profiles_files_give_way_to_those_before);
    suite_add(&s, profiles_are_found_by_iccid_aid_and_class);
    suite_add(&s, unasked_a_profile_tells_its_usual_fields);
    suite_add(&s, a_nickname_is_set_changed_and_taken_away);
    suite_add(&s, without_notifications_the_lists_are_empty);
    suite_add(&s, each_event_leaves_one_signed_notification);
    suite_add(&s, notifications_are_listed_by_event_and_by_number);
    suite_add(&s, a_removed_notification_is_gone_and_its_number_with_it);
    suite_add(&s, each_configured_address_gets_its_notification);
    suite_add(&s, installation_is_told_once_to_the_server_that_did_it);
    suite_add(&s, the_oldest_notification_goes_when_there_are_too_many);
    suite_add(&s, a_profile_has_its_notifications_signed_on_the_curve_of_its_download);
    suite_add(&s, the_default_server_is_set_taken_away_and_reset);
    suite_add(&s, an_address_of_255_octets_is_the_longest);
    suite_add(&s, a_session_is_cancelled_for_any_reason_at_any_stage);
    suite_add(&s, a_session_with_an_sm_ds_is_cancelled_under_its_oid);
    suite_add(&s, what_is_no_session_cannot_be_cancelled);
    suite_add(&s, sequence_numbers_rise_over_everything);
    suite_add(&s, every_profile_has_an_aid_of_its_own_for_life);
    return suite_run(&s);
}
