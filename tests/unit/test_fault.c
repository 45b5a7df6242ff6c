/* test_fault.c - lib/fault: each rule acts as it says, as often as it says, says so, and nothing
 * acts that was not asked for. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/softeuicc.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

#define SELECT_ISDR "00A4040410A0000005591010FFFFFFFF890000010000"
#define GET_EID     "80E2910006BF3E035C015A00"
#define SET_DP      "80E2910008BF3F0580036465" /* two digits more are to come */
#define RAT         "80E2910003BF430000"

/* What the trace said since the last command. */
static char told[16384];
static unsigned commits, rules;

static struct softeuicc *card;
static struct softeuicc_crypto *crypto;
static uint8_t *response;

static void listen(void *ctx, enum softeuicc_event event, const char *text, const uint8_t *bytes,
                   size_t n)
{
    char *line = softeuicc_event_line(event, text, bytes, n, false);
    size_t at = strlen(told);

    (void)ctx;
    ck_assert_ptr_nonnull(line);
    snprintf(told + at, sizeof told - at, "%s\n", line);
    free(line);
    commits += event == SOFTEUICC_COMMIT;
    rules += event == SOFTEUICC_RULE;
}

static void set_up_with(const struct softeuicc_new *how)
{
    const struct softeuicc_options options = { .crypto = crypto, .trace = listen };
    char error[SOFTEUICC_ERROR_LEN] = "";

    ck_assert_msg(softeuicc_open_memory(how, &options, &card, error) == 0, "%s", error);
    ck_assert_int_eq(softeuicc_power_on(card), 0);
    told[0] = '\0';
    commits = rules = 0;
}

static void set_up(void)
{
    crypto = softeuicc_crypto_new("fault");
    response = malloc(SOFTEUICC_RESPONSE_MAX);
    const struct softeuicc_new how = { .preset = "sgp23" };
    set_up_with(&how);
}

static void tear_down(void)
{
    softeuicc_close(&card);
    softeuicc_crypto_free(&crypto);
    free(response);
}

/* The answer as hex, "" when the card is mute. */
static const char *ask(const char *command)
{
    static char answer[2 * 600 + 1];
    struct rd octets = exact_copy(command);

    told[0] = '\0';
    size_t n = softeuicc_transmit(card, octets.p, octets.n, response);
    ck_assert_uint_lt(n, 600);
    for (size_t i = 0; i < n; i++)
        snprintf(answer + 2 * i, 3, "%02X", response[i]);
    answer[2 * n] = '\0';
    exact_free(&octets);
    return answer;
}

static void control(const char *line, const char *want)
{
    char reply[1024];

    ck_assert_msg(softeuicc_control(card, line, reply, sizeof reply) == 0, "%s: %s", line, reply);
    ck_assert_str_eq(reply, want);
}

static void fault(const char *line)
{
    char reply[1024];

    told[0] = '\0';
    ck_assert_msg(softeuicc_fault(card, line, reply, sizeof reply) == 0, "%s: %s", line, reply);
    ck_assert_str_eq(reply, "armed");
    ck_assert_ptr_nonnull(strstr(told, line));
    ck_assert_ptr_nonnull(strstr(told, ": set"));
}

static void refused(const char *line, const char *saying)
{
    char reply[1024];

    ck_assert_int_lt(softeuicc_fault(card, line, reply, sizeof reply), 0);
    ck_assert_msg(strstr(reply, saying) != NULL, "%s: %s", line, reply);
}

static void assert_told(const char *what)
{
    ck_assert_msg(strstr(told, what) != NULL, "'%s' is not in:\n%s", what, told);
}

static void assert_ends(const char *answer, const char *with)
{
    size_t n = strlen(answer), m = strlen(with);

    ck_assert_msg(n >= m && strcmp(answer + n - m, with) == 0, "%s does not end with %s", answer,
                  with);
}

START_TEST(nothing_acts_unless_asked_for)
{
    assert_ends(ask(SELECT_ISDR), "9000");
    assert_ends(ask(GET_EID), "9000");
    ck_assert_uint_eq(softeuicc_delay(card), 0);
    ck_assert_uint_eq(rules, 0);
    control("faults", "none");
}
END_TEST

START_TEST(a_status_word_is_injected_so_often)
{
    ask(SELECT_ISDR);
    fault("sw 80E2 6A80 2");
    control("faults", "sw 80E2 6A80 2 (2 left)");
    ck_assert_str_eq(ask(GET_EID), "6A80");
    assert_told("% sw 80E2 6A80 2: acts\n> 80E2910006BF3E035C015A00 (STORE DATA)\n< 6A80 ");
    ck_assert_str_eq(ask(GET_EID), "6A80");
    assert_ends(ask(GET_EID), "9000");
    control("faults", "none");
}
END_TEST

START_TEST(a_match_has_free_digits_and_is_how_the_command_begins)
{
    ask(SELECT_ISDR);
    fault("sw x0XXxx0006bF3e 6F00");
    ck_assert_str_eq(ask(GET_EID), "6F00");
    ck_assert_str_eq(ask(GET_EID), "6F00");
    assert_ends(ask(RAT), "9000");
    control("clear", "cleared");
    assert_ends(ask(GET_EID), "9000");
    fault("sw 80E2910006BF3E035C015A0000 6F00"); /* longer than the command */
    assert_ends(ask(GET_EID), "9000");
}
END_TEST

START_TEST(the_card_does_not_see_what_is_answered_for_it)
{
    fault("sw 00A4 9000 1");
    ck_assert_str_eq(ask(SELECT_ISDR), "9000");
    assert_ends(ask(GET_EID), "6D00"); /* nothing is selected */
}
END_TEST

START_TEST(a_mute_card_answers_nothing_and_lives)
{
    ask(SELECT_ISDR);
    fault("mute 80E2 1");
    ck_assert_str_eq(ask(GET_EID), "");
    assert_told("% mute 80E2 1: acts");
    assert_ends(ask(GET_EID), "9000"); /* no power was lost: still selected */
}
END_TEST

START_TEST(a_delay_is_the_callers_to_wait)
{
    ask(SELECT_ISDR);
    fault("delay 80E2 70 2");
    fault("delay 80 5");
    assert_ends(ask(GET_EID), "9000");
    ck_assert_uint_eq(softeuicc_delay(card), 75);
    assert_told("% delay 80E2 70 2: acts");
    ask(GET_EID);
    ck_assert_uint_eq(softeuicc_delay(card), 75);
    ask(GET_EID);
    ck_assert_uint_eq(softeuicc_delay(card), 5);
    ask(SELECT_ISDR);
    ck_assert_uint_eq(softeuicc_delay(card), 0);
}
END_TEST

START_TEST(an_octet_of_the_answer_is_inverted)
{
    ask(SELECT_ISDR);
    fault("corrupt 80E2 5 1");
    ck_assert_str_eq(ask(GET_EID), "BF3E125A10760490321234512345123456789012359000");
    assert_told("octet 5 goes out as 76, not 89");
    assert_ends(ask(GET_EID), "9000");
    fault("corrupt 80E2 -1 1");
    assert_ends(ask(GET_EID), "90FF");
    fault("corrupt 80E2 5000 1"); /* beyond the answer: waits for a longer one */
    assert_ends(ask(GET_EID), "9000");
    control("faults", "corrupt 80E2 5000 1 (1 left)");
}
END_TEST

/* Of everything that is stored. */
static void digest(char ret[100])
{
    ck_assert_int_eq(softeuicc_control(card, "digest", ret, 100), 0);
}

/* The same command with the power cut at a step: mute, said, and after it old or new. */
static void cut_at(const char *rule, bool stored)
{
    char before[100], after[100];

    ask(SELECT_ISDR);
    digest(before);
    fault(rule);
    ck_assert_str_eq(ask(SET_DP "66"), "");
    assert_told(rule);
    assert_told("power lost after write");
    assert_ends(ask(SELECT_ISDR), "9000"); /* it comes back by itself */
    digest(after);
    ck_assert_msg((strcmp(before, after) != 0) == stored, "%s", rule);
    control("faults", "none");
    control("clear", "cleared");
}

START_TEST(the_power_goes_at_a_named_step)
{
    cut_at("cut-at isdr/", false);
    cut_at("cut-at commit", false);
    cut_at("cut-at committed", true);
    ck_assert_uint_gt(commits, 0);
}
END_TEST

START_TEST(the_power_goes_with_the_answer)
{
    cut_at("cut-at answer", true);
    fault("cut-at answer 2");
    assert_ends(ask(SELECT_ISDR), "9000");
    control("faults", "cut-at answer 2 (1 left)");
    ck_assert_str_eq(ask(SELECT_ISDR), "");
}
END_TEST

START_TEST(the_power_goes_after_so_many_writes)
{
    ask(SELECT_ISDR);
    fault("cut-after 1");
    control("faults", "cut-after 1");
    ck_assert_str_eq(ask(SET_DP "66"), ""); /* the commit is the second */
    control("faults", "none");
    fault("cut-after 5");
    control("clear", "cleared");
    for (int i = 0; i < 4; i++)
        assert_ends(ask(SELECT_ISDR), "9000");
    ck_assert_str_eq(ask(SET_DP "66"), "6106");
}
END_TEST

START_TEST(full_memory_refuses_what_needs_room)
{
    ask(SELECT_ISDR);
    fault("full-memory on");
    control("faults", "full-memory on");
    const char *info = ask("80E2910003BF220000");
    ck_assert_ptr_nonnull(strstr(info, "820400000000")); /* extCardResource: nothing is free */
    assert_told("% full-memory on: nothing is free");
    fault("full-memory off");
    info = ask("80E2910003BF220000");
    ck_assert_ptr_null(strstr(info, "820400000000"));
    ck_assert_ptr_null(strchr(told, '%'));
}
END_TEST

START_TEST(a_busy_cat_refuses_a_switch)
{
    ask("80100000"
        "22"
        "FFFFFFFF7F9D00DFBF00001FE2000000C7EB0000016800500000000000000000"
        "0002");
    ask(SELECT_ISDR);
    fault("cat-busy on");
    /* EnableProfile by ICCID, with refreshFlag */
    ck_assert_str_eq(ask("80E2910014BF3111A00C5A0A989209012143658709F58101FF00"),
                     "BF31038001059000");
    assert_told("% cat-busy on: ");
    assert_told("catBusy(5)");
    control("clear", "cleared");
    assert_ends(ask("80E2910014BF3111A00C5A0A989209012143658709F58101FF00"), "910B");
}
END_TEST

START_TEST(the_clock_jumps_and_jumps_back)
{
    char status[200];

    fault("clock 86400");
    fault("clock -400");
    control("faults", "clock 86000");
    ck_assert_int_eq(softeuicc_control(card, "status", status, sizeof status), 0);
    const char *at = strstr(status, "time=");
    ck_assert_ptr_nonnull(at);
    long long off = atoll(at + 5) - (long long)time(NULL) - 86000;
    ck_assert_int_ge(off, -30);
    ck_assert_int_le(off, 30);
    control("clear", "cleared");
    control("faults", "none");
}
END_TEST

START_TEST(faults_outlive_resets)
{
    fault("sw 80E2 6A80");
    fault("cat-busy on");
    ck_assert_int_eq(softeuicc_reset(card), 0);
    softeuicc_power_off(card);
    assert_ends(ask(SELECT_ISDR), "9000");
    ck_assert_str_eq(ask(GET_EID), "6A80");
    control("faults", "sw 80E2 6A80; cat-busy on");
}
END_TEST

START_TEST(what_is_written_wrong_is_refused_with_what_is_right)
{
    static const char *const wrong[] = {
        "sw",
        "sw 80E2",
        "sw 80E 9000",
        "sw 80G2 9000",
        "sw 80E2 900",
        "sw 80E2 9000 0",
        "sw 80E2 9000 x",
        "sw 80E2 9000 1 1",
        "sw 80E2 90G0",
        "sw  ",
        "delay 80E2",
        "delay 80E2 0",
        "delay 80E2 600001",
        "delay 80E2 -1",
        "delay 80E2 1s",
        "mute",
        "mute ZZ",
        "mute 80 0",
        "mute 80 1 1",
        "corrupt 80E2",
        "corrupt 80E2 x",
        "corrupt 80E2 99999999",
        "corrupt 80E2 99999999999999999999999",
        "cut-at",
        "cut-at x 0",
        "cut-at x y",
        "cut-after",
        "cut-after -1",
        "cut-after 1x",
        "cut-after  ",
        "full-memory",
        "full-memory yes",
        "full-memory on on",
        "cat-busy",
        "cat-busy maybe",
        "clock",
        "clock now",
        "clock 99999999999999",
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        refused(wrong[i], "it is written: ");
    refused("reset", "no fault");
    refused("", "no fault");
    refused("nonsense", "no fault");
    char *line = malloc(2000);
    memset(line, 'A', 1999);
    line[1999] = '\0';
    memcpy(line, "mute ", 5);
    refused(line, "it is written: ");
    free(line);
    ck_assert_uint_eq(rules, 0);
    control("faults", "none");
    for (int i = 0; i < 64; i++)
        fault("mute FFFF");
    refused("mute FFFF", "too many");
}
END_TEST

START_TEST(the_table_names_every_line)
{
    struct softeuicc_control_info c;
    unsigned faults = 0;
    size_t n = 0;

    for (; softeuicc_control_at(n, &c); n++) {
        ck_assert_ptr_nonnull(c.meaning);
        faults += c.is_fault;
    }
    ck_assert_uint_eq(faults, 9);
    ck_assert_uint_ge(n, 15);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fault");
    TCase *cases = tcase_create("fault");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, nothing_acts_unless_asked_for);
    tcase_add_test(cases, a_status_word_is_injected_so_often);
    tcase_add_test(cases, a_match_has_free_digits_and_is_how_the_command_begins);
    tcase_add_test(cases, the_card_does_not_see_what_is_answered_for_it);
    tcase_add_test(cases, a_mute_card_answers_nothing_and_lives);
    tcase_add_test(cases, a_delay_is_the_callers_to_wait);
    tcase_add_test(cases, an_octet_of_the_answer_is_inverted);
    tcase_add_test(cases, the_power_goes_at_a_named_step);
    tcase_add_test(cases, the_power_goes_with_the_answer);
    tcase_add_test(cases, the_power_goes_after_so_many_writes);
    tcase_add_test(cases, full_memory_refuses_what_needs_room);
    tcase_add_test(cases, a_busy_cat_refuses_a_switch);
    tcase_add_test(cases, the_clock_jumps_and_jumps_back);
    tcase_add_test(cases, faults_outlive_resets);
    tcase_add_test(cases, what_is_written_wrong_is_refused_with_what_is_right);
    tcase_add_test(cases, the_table_names_every_line);
    suite_add_tcase(suite, cases);
    return suite_status(suite);
}
