/* test_cat.c - os/cat: proactive commands, and REFRESH in particular (TS 102 223, TS 102 221 11.2).
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/euicc.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

/* --- an applet that switches something -------------------------------------------------------- */

static int ended, ended_done, ended_result;

static int refresh_ended(struct euicc *e, void *ctx, const struct cat_result *r)
{
    (void)ctx;
    ended++;
    ended_done = r->done;
    if (ended_result == 0)
        return nvm_put(e->nvm, "state", rd_str(r->done ? "new" : "old"));
    return ended_result;
}

/* P1 0: queues REFRESH; answers whether there will be one.  P1 1: whether a session goes on.
 * P1 2: queues REFRESH as UICC Reset.  P1 3: queues SEND SHORT MESSAGE with the data; nobody waits
 * for its end.  P1 4: somebody does. */
static int change(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct cat *c = &s->euicc->cat;
    bool answer = false;

    if (a->p1 == 0)
        answer = cat_queue_refresh(c, CAT_PROFILE_STATE_CHANGE, refresh_ended);
    else if (a->p1 == 1)
        answer = cat_is_busy(c);
    else if (a->p1 == 2)
        answer = cat_queue_refresh(c, CAT_UICC_RESET, refresh_ended);
    else
        answer = cat_queue(c, CAT_SEND_SHORT_MESSAGE, 0, rd_of(a->data, a->lc),
                           a->p1 == 3 ? NULL : refresh_ended);
    wr_put_u8(rsp, answer);
    return 0;
}

static const struct command commands[] = { { true, 0xE2, 0, "CHANGE", change, "test" } };
static const struct applet applet = {
    .name = "test", .aid = { 1, 2, 3, 4, 5 }, .aid_len = 5, .commands = commands, .n_commands = 1
};
static const struct applet *const all[] = { &applet };

static const struct trace no_trace;
static struct euicc e;
static uint8_t *response;

static void set_up(void)
{
    ended = ended_result = 0;
    ended_done = -1;
    response = malloc(APDU_MAX_RESPONSE);
    ck_assert_ptr_nonnull(response);
    ck_assert_int_eq(euicc_init(&e, nvm_open_memory(&no_trace), NULL, no_trace, all, 1), 0);
    ck_assert_int_eq(euicc_power_on(&e), 0);
}

static void tear_down(void)
{
    euicc_done(&e);
    free(response);
}

static void ask(const char *command, const char *want)
{
    struct rd octets = exact_copy(command), wanted = exact_copy(want);
    size_t n = euicc_transmit(&e, octets.p, octets.n, response);

    ck_assert_msg(n == wanted.n && memcmp(response, wanted.p, n) == 0,
                  "%s: %zu octets that end with %02X%02X instead of %s", command, n,
                  response[n - 2], response[n - 1], want);
    exact_free(&octets);
    exact_free(&wanted);
}

static void select_it(void)
{
    ask("00A4040C 05 0102030405", "9000");
}

/* Third octet, b8: REFRESH (TS 102 223 5.2). */
#define PROFILE_REFRESH "80100000 03 000080"

/* And "eUICC Profile State Change" in the 34th. */
#define PROFILE_STATE_CHANGE                                                                       \
    "80100000 22 000080 00000000000000 00000000000000000000 00000000000000000000 000000 20"

#define REFRESH_04 "D009 8103010104 82028182"
#define REFRESH_09 "D009 8103010109 82028182"

START_TEST(nothing_is_offered_before_terminal_profile)
{
    select_it();
    ask("80E20000 00", "00 9000");
    ask("80E20100 00", "00 9000");
    ask("80120000 00", "6985");
    ck_assert(!cat_is_busy(&e.cat));
    ck_assert_uint_eq(cat_ending(&e.cat), SW_OK);
}
END_TEST

START_TEST(nothing_is_offered_to_a_terminal_that_cannot_refresh)
{
    static const char *const profiles[] = { "80100000 01 FF", "80100000 02 FFFF",
                                            "80100000 03 FFFF7F",
                                            "80100000 09 FFFF7FFFFFFFFFFFFF" };

    ask(profiles[_i], "9000");
    select_it();
    ask("80E20000 00", "00 9000");
    ask("80E20100 00", "00 9000");
}
END_TEST

START_TEST(terminal_profile_wants_data_and_p1_p2_of_zero)
{
    ask("80100000", "6700");
    ask("80100100 03 000080", "6A86");
    ask("80100001 03 000080", "6A86");
    ask("00100000 03 000080", "6E00");
    select_it();
    ask("80E20000 00", "00 9000");
}
END_TEST

START_TEST(a_long_terminal_profile_is_cut)
{
    uint8_t command[5 + 255] = { 0x80, 0x10, 0, 0, 255, 0, 0, 0x80 };
    struct rd exact = exact_copy_of(rd_of(command, sizeof command));

    ck_assert_uint_eq(euicc_transmit(&e, exact.p, exact.n, response), 2);
    ck_assert_mem_eq(response, "\x90\x00", 2);
    ck_assert_uint_eq(e.cat.terminal.profile_len, CAT_PROFILE_MAX);
    exact_free(&exact);
}
END_TEST

START_TEST(refresh_is_uicc_reset_or_euicc_profile_state_change)
{
    ask(_i == 0 ? PROFILE_REFRESH : PROFILE_STATE_CHANGE, "9000");
    select_it();
    ask("80E20000 00", "01 910B");
    ask("80E20100 00", "01 910B");
    ask("80120000 0B", _i == 0 ? REFRESH_04 "9000" : REFRESH_09 "9000");
}
END_TEST

START_TEST(a_normal_ending_on_any_channel_tells_of_it_until_it_is_fetched)
{
    ask(PROFILE_REFRESH, "9000");
    ask("00700000 01", "01 9000");
    select_it();
    ask("80E20000 00", "01 910B");
    ask("81F2000C", "910B");
    ask("80F2000C", "910B");
    ask("00A40004 02 3F00", "6115"); /* data first */
    ask("00C00000 00", "6213 82027821 83023F00 A506 800171 870101 8A0105 910B");
    ask("00A40400 01 FF", "6A82"); /* no normal ending */
    ask("80E20000", "6D00");
    ask("80120000 00", REFRESH_04 "9000");
    ask("80F2000C", "9000");
}
END_TEST

START_TEST(fetch_with_another_length_is_told_the_right_one)
{
    ask(PROFILE_REFRESH, "9000");
    select_it();
    ask("80E20000 00", "01 910B");
    ask("80120000 0A", "6C0B");
    ask("80120000 0C", "6C0B");
    ask("80120000", "6C0B");
    ask("80120100 0B", "6A86");
    ask("80120001 0B", "6A86");
    ask("00120000 0B", "6E00");
    ask("80120000 01 00", "6700"); /* data */
    ask("80120000 0B", REFRESH_04 "9000");
    ask("80120000 0B", REFRESH_04 "9000"); /* as often as the terminal likes */
    ask("80120000 0A", "6C0B");
}
END_TEST

START_TEST(terminal_response_ends_it)
{
    static const struct {
        const char *result;
        bool done;
    } rows[] = {
        { "00", true },  { "01", true },    { "03", true },    { "10", true },
        { "1F", true },  { "20", false },   { "2001", false }, { "21", false },
        { "30", false }, { "3201", false }, { "FF", false },
    };
    char command[80];
    size_t n = strlen(rows[_i].result) / 2;

    ask(PROFILE_REFRESH, "9000");
    select_it();
    ask("80E20000 00", "01 910B");
    ask("80120000 00", REFRESH_04 "9000");
    snprintf(command, sizeof command, "80140000 %02zX 8103010104 82028281 83%02zX%s", 11 + n, n,
             rows[_i].result);
    ask(command, "9000");
    ck_assert_int_eq(ended, 1);
    ck_assert_int_eq(ended_done, rows[_i].done);
    ck_assert(!cat_is_busy(&e.cat));
    ck_assert(!nvm_is_dirty(e.nvm)); /* and committed */
    ask(command, "6985");
    ck_assert_int_eq(ended, 1);
}
END_TEST

START_TEST(terminal_response_without_the_comprehension_bit_or_in_another_order)
{
    static const char *const rows[] = {
        "80140000 0C 0103010104 02028281 030100", "80140000 0E 830100 8103010104 82028281 2F00",
        "80140000 0F 8103010100 82028281 BF0108 830100", /* no qualifier; no BER-TLV */
    };

    ask(PROFILE_REFRESH, "9000");
    select_it();
    ask("80E20000 00", "01 910B");
    ask("80120000 00", REFRESH_04 "9000");
    ask(rows[_i], "9000");
    ck_assert_int_eq(ended, 1);
}
END_TEST

START_TEST(terminal_response_that_does_not_match_is_refused_and_awaited_still)
{
    static const struct {
        const char *command, *sw;
    } rows[] = {
        { "80140000", "6700" },
        { "80140100 0C 8103010104 82028281 830100", "6A86" },
        { "80140001 0C 8103010104 82028281 830100", "6A86" },
        { "80140000 0C 8103020104 82028281 830100", "6A80" }, /* another command */
        { "80140000 0C 8103011304 82028281 830100", "6A80" }, /* of another type */
        { "80140000 09 8103010104 82028281", "6A80" },        /* no result */
        { "80140000 0B 8103010104 82028281 8300", "6A80" },   /* an empty one */
        { "80140000 07 82028281 830100", "6A80" },            /* no command details */
        { "80140000 0B 81020101 82028281 830100", "6A80" },
        { "80140000 0B 8103010104 82028281 8301", "6A80" }, /* cut short */
        { "80140000 01 81", "6A80" },
    };

    ask(PROFILE_REFRESH, "9000");
    select_it();
    ask("80E20000 00", "01 910B");
    ask("80140000 0C 8103010104 82028281 830100", "6985"); /* not fetched yet */
    ask("80120000 00", REFRESH_04 "9000");
    ask(rows[_i].command, rows[_i].sw);
    ck_assert_int_eq(ended, 0);
    ask("80140000 0C 8103010104 82028281 830100", "9000");
    ck_assert_int_eq(ended, 1);
}
END_TEST

START_TEST(numbers_of_commands_go_up)
{
    ask(PROFILE_REFRESH, "9000");
    select_it();
    ask("80E20000 00", "01 910B");
    ask("80120000 00", REFRESH_04 "9000");
    ask("80140000 0C 8103010104 82028281 830100", "9000");
    ask("80E20000 00", "01 910B");
    ask("80120000 00", "D009 8103020104 82028182 9000");
    ask("80140000 0C 8103010104 82028281 830100", "6A80");
    ask("80140000 0C 8103020104 82028281 830100", "9000");
    ck_assert_int_eq(ended, 2);
}
END_TEST

START_TEST(a_fault_at_the_end_is_told_and_stores_nothing)
{
    ask(PROFILE_REFRESH, "9000");
    select_it();
    ask("80E20000 00", "01 910B");
    ask("80120000 00", REFRESH_04 "9000");
    ended_result = ERR_NVM;
    ask("80140000 0C 8103010104 82028281 830100", "6581");
    ck_assert(!nvm_is_dirty(e.nvm));
}
END_TEST

START_TEST(a_reset_forgets_profile_and_command)
{
    ask(PROFILE_REFRESH, "9000");
    select_it();
    ask("80E20000 00", "01 910B");
    ck_assert_int_eq(euicc_power_on(&e), 0);
    ask("80F2000C", "9000");
    ask("80120000 00", "6985");
    select_it();
    ask("80E20000 00", "00 9000");
    ck_assert_int_eq(ended, 0);
}
END_TEST

START_TEST(busy_lasts_until_terminal_response)
{
    ask(PROFILE_REFRESH, "9000");
    select_it();
    ask("80E20100 00", "00 9000");
    ask("80E20000 00", "01 910B");
    ask("80E20100 00", "01 910B");
    ask("80120000 00", REFRESH_04 "9000");
    ask("80E20100 00", "01 9000");
    ask("80140000 0C 8103010104 82028281 830100", "9000");
    ask("80E20100 00", "00 9000");
}
END_TEST

/* Fourth octet, b2: SEND SHORT MESSAGE. */
#define PROFILE_BOTH                                                                               \
    "80100000 22 00008002 000000000000 00000000000000000000 00000000000000000000 000000 20"

START_TEST(uicc_reset_is_not_made_a_state_change)
{
    ask(PROFILE_STATE_CHANGE, "9000");
    select_it();
    ask("80E20200 00", "01 910B");
    ask("80120000 0B", REFRESH_04 "9000");
}
END_TEST

START_TEST(each_command_needs_its_facility)
{
    ask(PROFILE_REFRESH, "9000");
    select_it();
    ask("80E20300 01 AA 00", "00 9000");
    ck_assert(!cat_can(&e.cat, CAT_SEND_SHORT_MESSAGE));
    ck_assert(cat_can(&e.cat, CAT_REFRESH));
    ask("80100000 04 00000002", "9000");
    ask("80E20000 00", "00 9000");
    ask("80E20300 03 8B01AA 00", "01 910E");
    ask("80120000 00", "D00C 8103011300 82028183 8B01AA 9000");
    ask("80140000 0C 8103011300 82028281 830100", "9000");
    ck_assert_int_eq(ended, 0);
}
END_TEST

START_TEST(commands_are_done_in_their_order)
{
    ask(PROFILE_BOTH, "9000");
    select_it();
    ask("80E20300 03 8B01AA 00", "01 910E");
    ask("80E20000 00", "01 910E");
    ask("80120000 0E", "D00C 8103011300 82028183 8B01AA 9000"); /* one at a time */
    ask("80120000 0B", "6C0E");
    ask("80F2000C", "9000");
    ask("80140000 0C 8103020109 82028281 830100", "6A80"); /* it is not its turn */
    ask("80140000 0C 8103011300 82028281 830120", "910B");
    ask("80E20100 00", "01 910B");
    ask("80120000 0B", "D009 8103020109 82028182 9000");
    ask("80140000 0C 8103020109 82028281 830100", "9000");
    ck_assert_int_eq(ended, 1);
    ck_assert_int_eq(ended_done, 1);
    ask("80E20100 00", "00 9000");
}
END_TEST

/* The new profile neither knows the old one's sender nor pays for its message. */
START_TEST(another_profile_sends_no_message_of_the_last_one)
{
    select_it();
    ask("80100000 04 00008002", "9000"); /* both commands */
    ask("80E20300 03 8B01AA 00", "01 910E");
    ask("80E20000 00", "01 910E");
    cat_profile_changed(&e.cat);
    ask("80120000 00", "D009 8103020104 82028182 9000"); /* REFRESH, nothing else */
    ask("80140000 0C 810302010482028281 830100", "9000");
    ask("80120000 00", "6985");
}
END_TEST

START_TEST(a_message_that_was_fetched_is_ended_under_another_profile)
{
    select_it();
    ask("80100000 04 00008002", "9000");
    ask("80E20300 03 8B01AA 00", "01 910E");
    ask("80E20300 03 8B01BB 00", "01 910E");
    ask("80120000 00", "D00C 8103011300 82028183 8B01AA 9000");
    cat_profile_changed(&e.cat);
    ask("80140000 0C 810301130082028281 830100", "9000");
    ask("80120000 00", "6985"); /* the second is gone */
}
END_TEST

START_TEST(the_queue_is_bounded)
{
    uint8_t command[5 + 245] = { 0x80, 0xE2, 3, 0, 245 };

    ask(PROFILE_BOTH, "9000");
    select_it();
    struct rd exact = exact_copy_of(rd_of(command, sizeof command));
    size_t n = euicc_transmit(&e, exact.p, exact.n, response);
    ck_assert_uint_eq(n, 2); /* 61xx: the answer is behind it */
    exact_free(&exact);
    ask("00C00000 01", "00 9000"); /* too long for 91xx */
    for (int i = 0; i < CAT_QUEUE_MAX; i++)
        ask("80E20300 03 8B01AA 00", "01 910E");
    ask("80E20300 03 8B01AA 00", "00 910E");
    ask("80E20000 00", "00 910E");
    ask("80120000 00", "D00C 8103011300 82028183 8B01AA 9000");
}
END_TEST

START_TEST(what_nobody_answers_ends_after_thirty_other_commands)
{
    ask(PROFILE_BOTH, "9000");
    select_it();
    ask("80E20400 03 8B01AA 00", "01 910E");
    for (int i = 0; i < 2 * CAT_PATIENCE; i++)
        ask("80F2000C", "910E"); /* the terminal may take its time to fetch it */
    ask("80120000 00", "D00C 8103011300 82028183 8B01AA 9000");
    for (int i = 0; i < CAT_PATIENCE; i++) {
        ask("80120000 00", "D00C 8103011300 82028183 8B01AA 9000"); /* does not count */
        ask("80140000 0C 8103021300 82028281 830100", "6A80");      /* nor does this */
        ask("80F2000C", "9000");
    }
    ck_assert_int_eq(ended, 0);
    if (_i == 0) {
        ask("80140000 0C 8103011300 82028281 830100", "9000");
        ck_assert_int_eq(ended_done, 1);
        return;
    }
    ended_result = _i == 2 ? ERR_NVM : 0;
    ask("00A40004 02 7FFF", _i == 2 ? "6581" : "6A82"); /* whatever that one says */
    ck_assert_int_eq(ended, 1);
    ck_assert_int_eq(ended_done, 0);
    ck_assert(!nvm_is_dirty(e.nvm));
    if (_i == 1) {
        struct wr state;
        bool found;
        wr_init_heap(&state, 16);
        ck_assert_int_eq(nvm_get(e.nvm, "state", &state, &found), 0);
        ck_assert(found && rd_equal(wr_view(&state), rd_str("old"))); /* committed */
        wr_done(&state);
    }
    ask("80140000 0C 8103011300 82028281 830100", "6985"); /* too late */
    ck_assert_int_eq(ended, 1);
}
END_TEST

START_TEST(refresh_is_waited_for_however_long_it_takes)
{
    ask(PROFILE_BOTH, "9000");
    select_it();
    ask("80E20000 00", "01 910B");
    ask("80120000 00", REFRESH_09 "9000");
    for (int i = 0; i < 3 * CAT_PATIENCE; i++)
        ask("00A4000C 02 3F00", "9000");
    for (int i = 0; i < CAT_PATIENCE; i++)
        ask("80F2000C", "9000");
    ask("80140000 0C 8103010109 82028281 830100", "9000");
    ck_assert_int_eq(ended_done, 1);
}
END_TEST

/* Offered until it is fetched again, and answered at any time. */
START_TEST(a_refresh_that_the_terminal_forgot_is_offered_again)
{
    ask(PROFILE_BOTH, "9000");
    select_it();
    ask("80E20000 00", "01 910B");
    for (int times = 0; times < 2; times++) {
        ask("80120000 00", REFRESH_09 "9000");
        for (int i = 0; i < CAT_PATIENCE; i++)
            ask("80F2000C", "9000");
        ask("80F2000C", "910B");
        ask("00A4000C 02 3F00", "910B");
    }
    if (_i == 1) {
        ask("80120000 00", REFRESH_09 "9000");
        ask("80F2000C", "9000");
    }
    ck_assert_int_eq(ended, 0);
    ask("80140000 0C 8103010109 82028281 830100", "9000");
    ck_assert_int_eq(ended_done, 1);
    ask("80F2000C", "9000");
}
END_TEST

START_TEST(numbers_begin_again_after_fe)
{
    ask(PROFILE_BOTH, "9000");
    select_it();
    e.cat.terminal.number = 0xFD;
    ask("80E20000 00", "01 910B");
    ask("80E20000 00", "01 910B");
    ask("80120000 00", "D009 8103FE0109 82028182 9000");
    ask("80140000 0C 8103FE0109 82028281 830100", "910B");
    ask("80120000 00", "D009 8103010109 82028182 9000");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cat");
    TCase *cases = tcase_create("cat");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, nothing_is_offered_before_terminal_profile);
    tcase_add_loop_test(cases, nothing_is_offered_to_a_terminal_that_cannot_refresh, 0, 4);
    tcase_add_test(cases, terminal_profile_wants_data_and_p1_p2_of_zero);
    tcase_add_test(cases, a_long_terminal_profile_is_cut);
    tcase_add_loop_test(cases, refresh_is_uicc_reset_or_euicc_profile_state_change, 0, 2);
    tcase_add_test(cases, a_normal_ending_on_any_channel_tells_of_it_until_it_is_fetched);
    tcase_add_test(cases, fetch_with_another_length_is_told_the_right_one);
    tcase_add_loop_test(cases, terminal_response_ends_it, 0, 11);
    tcase_add_loop_test(cases, terminal_response_without_the_comprehension_bit_or_in_another_order,
                        0, 3);
    tcase_add_loop_test(cases, terminal_response_that_does_not_match_is_refused_and_awaited_still,
                        0, 11);
    tcase_add_test(cases, numbers_of_commands_go_up);
    tcase_add_test(cases, a_fault_at_the_end_is_told_and_stores_nothing);
    tcase_add_test(cases, a_reset_forgets_profile_and_command);
    tcase_add_test(cases, busy_lasts_until_terminal_response);
    tcase_add_test(cases, uicc_reset_is_not_made_a_state_change);
    tcase_add_test(cases, each_command_needs_its_facility);
    tcase_add_test(cases, commands_are_done_in_their_order);
    tcase_add_test(cases, another_profile_sends_no_message_of_the_last_one);
    tcase_add_test(cases, a_message_that_was_fetched_is_ended_under_another_profile);
    tcase_add_test(cases, the_queue_is_bounded);
    tcase_add_loop_test(cases, what_nobody_answers_ends_after_thirty_other_commands, 0, 3);
    tcase_add_test(cases, refresh_is_waited_for_however_long_it_takes);
    tcase_add_loop_test(cases, a_refresh_that_the_terminal_forgot_is_offered_again, 0, 2);
    tcase_add_test(cases, numbers_begin_again_after_fe);
    suite_add_tcase(suite, cases);
    return suite_status(suite);
}
