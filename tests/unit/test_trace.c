/* test_trace.c - os/trace and os/err: what is said, to whom, and that faults keep their code. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/err.h"
#include "os/trace.h"
#include "tests/testlib/suite.h"

/* The last event. */
static struct {
    int times;
    enum trace_event event;
    char text[2048];
    const uint8_t *bytes;
    size_t n;
} heard;

static void listen(void *ctx, enum trace_event event, const char *text, const uint8_t *bytes,
                   size_t n)
{
    ck_assert_ptr_eq(ctx, &heard);
    heard.times++;
    heard.event = event;
    strncpy(heard.text, text, sizeof heard.text - 1);
    heard.bytes = bytes;
    heard.n = n;
}

static const struct trace loud = { listen, &heard };
static const struct trace silent = { NULL, NULL };

static void set_up(void)
{
    memset(&heard, 0, sizeof heard);
}

START_TEST(octets_arrive_as_they_are)
{
    static const uint8_t octets[] = { 0x90, 0x00 };

    trace_bytes(&loud, TRACE_RESPONSE, octets, sizeof octets);
    ck_assert_int_eq(heard.times, 1);
    ck_assert_int_eq(heard.event, TRACE_RESPONSE);
    ck_assert_str_eq(heard.text, "");
    ck_assert_ptr_eq(heard.bytes, octets);
    ck_assert_uint_eq(heard.n, 2);
}
END_TEST

START_TEST(checks_and_notes_are_lines)
{
    trace_check(&loud, "%s(%d): %s", "invalidSignature", 2, "why");
    ck_assert_int_eq(heard.event, TRACE_CHECK);
    ck_assert_str_eq(heard.text, "invalidSignature(2): why");
    ck_assert_ptr_null(heard.bytes);
    trace_note(&loud, "power %s", "on");
    ck_assert_int_eq(heard.event, TRACE_NOTE);
    ck_assert_str_eq(heard.text, "power on");
    ck_assert_int_eq(heard.times, 2);
}
END_TEST

START_TEST(rules_and_commits_are_lines_and_octets_may_have_a_name)
{
    static const uint8_t octets[] = { 0xD0, 0x00 };

    trace_rule(&loud, "sw %04X", 0x6F00);
    ck_assert_int_eq(heard.event, TRACE_RULE);
    ck_assert_str_eq(heard.text, "sw 6F00");
    trace_commit(&loud, "%d writes", 3);
    ck_assert_int_eq(heard.event, TRACE_COMMIT);
    ck_assert_str_eq(heard.text, "3 writes");
    trace_named(&loud, TRACE_CAT, "REFRESH", octets, sizeof octets);
    ck_assert_int_eq(heard.event, TRACE_CAT);
    ck_assert_str_eq(heard.text, "REFRESH");
    ck_assert_ptr_eq(heard.bytes, octets);
    ck_assert_uint_eq(heard.n, 2);
    trace_rule(&silent, "%d", 1);
    trace_commit(&silent, "%d", 1);
    trace_named(&silent, TRACE_CAT, "", octets, sizeof octets);
    ck_assert_int_eq(heard.times, 3);
}
END_TEST

START_TEST(a_fault_says_its_name_and_where_it_arose)
{
    int line = __LINE__ + 1;
    ck_assert_int_eq(FAULT(&loud, ERR_NVM, "sqlite: %s", "disk full"), ERR_NVM);
    char want[200];
    snprintf(want, sizeof want, "ERR_NVM at %s:%d: sqlite: disk full", __FILE__, line);
    ck_assert_int_eq(heard.event, TRACE_FAULT);
    ck_assert_str_eq(heard.text, want);
}
END_TEST

START_TEST(nobody_needs_to_listen)
{
    trace_bytes(&silent, TRACE_COMMAND, NULL, 0);
    trace_check(&silent, "%d", 1);
    trace_note(&silent, "%d", 1);
    ck_assert_int_eq(FAULT(&silent, ERR_BUG, "%d", 1), ERR_BUG);
    ck_assert_int_eq(FAULT(NULL, ERR_CRYPTO, "%d", 1), ERR_CRYPTO);
    ck_assert_int_eq(heard.times, 0);
}
END_TEST

START_TEST(a_long_line_is_cut_not_overrun)
{
    char *text = malloc(4000);

    memset(text, 'x', 3999);
    text[3999] = '\0';
    trace_check(&loud, "%s", text);
    ck_assert_uint_lt(strlen(heard.text), 3999);
    ck_assert_uint_ge(strlen(heard.text), 200);
    trace_note(&loud, "%s", text);
    FAULT(&loud, ERR_NOMEM, "%s", text);
    ck_assert_ptr_nonnull(strstr(heard.text, "ERR_NOMEM at "));
    free(text);
}
END_TEST

START_TEST(every_fault_has_a_name)
{
    ck_assert_str_eq(err_name(ERR_INPUT), "ERR_INPUT");
    ck_assert_str_eq(err_name(ERR_NVM), "ERR_NVM");
    ck_assert_str_eq(err_name(ERR_CRYPTO), "ERR_CRYPTO");
    ck_assert_str_eq(err_name(ERR_NOMEM), "ERR_NOMEM");
    ck_assert_str_eq(err_name(ERR_BUG), "ERR_BUG");
    ck_assert_str_eq(err_name(ERR_SPACE), "ERR_SPACE");
    ck_assert_str_eq(err_name(0), "ERR_?");
    ck_assert_str_eq(err_name(0x6A80), "ERR_?");
    ck_assert_str_eq(err_name(-7), "ERR_?");
    ck_assert_str_eq(err_name(-1000000), "ERR_?");
}
END_TEST

static int evaluations;

static int counted(int result)
{
    evaluations++;
    return result;
}

static int tries(int result)
{
    TRY(counted(result));
    return 77;
}

START_TEST(try_evaluates_once_and_leaves_with_what_is_not_zero)
{
    ck_assert_int_eq(tries(0), 77);
    ck_assert_int_eq(tries(ERR_NVM), ERR_NVM);
    ck_assert_int_eq(tries(0x6A88), 0x6A88);
    ck_assert_int_eq(evaluations, 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trace");
    TCase *cases = tcase_create("trace");

    tcase_add_checked_fixture(cases, set_up, NULL);
    tcase_add_test(cases, octets_arrive_as_they_are);
    tcase_add_test(cases, checks_and_notes_are_lines);
    tcase_add_test(cases, rules_and_commits_are_lines_and_octets_may_have_a_name);
    tcase_add_test(cases, a_fault_says_its_name_and_where_it_arose);
    tcase_add_test(cases, nobody_needs_to_listen);
    tcase_add_test(cases, a_long_line_is_cut_not_overrun);
    tcase_add_test(cases, every_fault_has_a_name);
    tcase_add_test(cases, try_evaluates_once_and_leaves_with_what_is_not_zero);
    suite_add_tcase(suite, cases);
    return suite_status(suite);
}
