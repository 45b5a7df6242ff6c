/* test_event.c - softeuicc_event_line: an event as a line of text or JSON, and its bounds. */
#include <check.h>
#include <cjson/cJSON.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "lib/softeuicc.h"
#include "os/tlv.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/leak.h"
#include "tests/testlib/suite.h"

static void assert_line(enum softeuicc_event event, const char *text, const char *octets, bool json,
                        const char *want)
{
    struct rd bytes = exact_copy(octets);
    char *line = softeuicc_event_line(event, text, bytes.p, bytes.n, json);

    ck_assert_ptr_nonnull(line);
    ck_assert_str_eq(line, want);
    free(line);
    exact_free(&bytes);
}

START_TEST(each_event_has_its_mark)
{
    assert_line(SOFTEUICC_COMMAND, "SELECT", "00A4", false, "> 00A4 (SELECT)");
    assert_line(SOFTEUICC_COMMAND, "", "00A4", false, "> 00A4");
    assert_line(SOFTEUICC_RESPONSE, "normal ending", "9000", false, "< 9000 (normal ending)");
    assert_line(SOFTEUICC_CHECK, "F: why (X 1)", "", false, "! F: why (X 1)");
    assert_line(SOFTEUICC_FAULT, "ERR", "", false, "!! ERR");
    assert_line(SOFTEUICC_NOTE, "power on", "", false, "# power on");
    assert_line(SOFTEUICC_RULE, "sw: acts", "", false, "% sw: acts");
    assert_line(SOFTEUICC_COMMIT, "3 writes", "", false, "* commit: 3 writes");
    assert_line(SOFTEUICC_REQUEST, "GetEID", "BF3E035C015A", false,
                "= GetEID request: getEuiccData{tagList=5A}");
    assert_line(SOFTEUICC_ANSWER, "F", "30038101FF 0500", false, "= F answer: 30{81=FF} 5=");
    assert_line(SOFTEUICC_PROACTIVE, "REFRESH", "D000", false, "~ REFRESH D000");
    assert_line(SOFTEUICC_TLS, "a.example: TLS: no", "", false, "@ a.example: TLS: no");
}
END_TEST

START_TEST(fields_are_ordered_and_those_without_a_value_left_out)
{
    assert_line(SOFTEUICC_COMMAND, "SELECT", "00A4", true,
                "{\"event\":\"command\",\"name\":\"SELECT\",\"bytes\":\"00A4\"}");
    assert_line(SOFTEUICC_RESPONSE, "normal ending", "019000", true,
                "{\"event\":\"response\",\"sw\":\"9000\",\"text\":\"normal ending\","
                "\"bytes\":\"019000\"}");
    assert_line(SOFTEUICC_CHECK, "F: bad(1): why (SGP.22 5.7)", "", true,
                "{\"event\":\"check\",\"name\":\"F\",\"clause\":\"SGP.22 5.7\","
                "\"text\":\"F: bad(1): why (SGP.22 5.7)\"}");
    assert_line(SOFTEUICC_CHECK, "why", "", true, "{\"event\":\"check\",\"text\":\"why\"}");
    assert_line(SOFTEUICC_NOTE, "", "", true, "{\"event\":\"note\",\"text\":\"\"}");
    assert_line(SOFTEUICC_RULE, "sw 80 9000: acts", "", true,
                "{\"event\":\"rule\",\"text\":\"sw 80 9000: acts\"}");
    assert_line(SOFTEUICC_TLS, "a.example: TLS: no", "", true,
                "{\"event\":\"tls\",\"name\":\"a.example\",\"text\":\"a.example: TLS: no\"}");
    assert_line(SOFTEUICC_ANSWER, "F", "BF31038001 05", true,
                "{\"event\":\"answer\",\"name\":\"F\",\"decoded\":[{\"tag\":\"BF31\",\"name\":"
                "\"enableProfile\",\"in\":[{\"tag\":\"80\",\"name\":\"enableResult\",\"value\":"
                "\"05\"}]}]}");
}
END_TEST

START_TEST(a_name_depends_on_function_and_parent)
{
    assert_line(SOFTEUICC_REQUEST, "LoadEuiccPackage",
                "BF5117 3015 80016D 5A0189 810107 A00A A3085A01988101FF0500", false,
                "= LoadEuiccPackage request: euiccPackage{30{eimId=6D eidValue=89 counterValue=07 "
                "psmoList{enable{iccid=98 81=FF rollbackFlag=}}}}");
    assert_line(SOFTEUICC_ANSWER, "AuthenticateServer", "BF3808 3006 8001A1 830161", false,
                "= AuthenticateServer answer: authenticateServer{30{transactionId=A1 "
                "serverAddress=61}}");
}
END_TEST

START_TEST(what_is_no_tlv_is_told_as_far_as_it_is)
{
    assert_line(SOFTEUICC_REQUEST, "F", "", false, "= F request: ");
    assert_line(SOFTEUICC_REQUEST, "F", "BF", false, "= F request: ");
    assert_line(SOFTEUICC_REQUEST, "F", "800105 8105", false, "= F request: 80=05");
    assert_line(SOFTEUICC_REQUEST, "F", "A0028105", false, "= F request: A0=8105");
    assert_line(SOFTEUICC_REQUEST, "F", "800105 8105", true,
                "{\"event\":\"request\",\"name\":\"F\",\"decoded\":[{\"tag\":\"80\",\"value\":"
                "\"05\"}]}");
}
END_TEST

/* A tree of n values of size octets in one another depth times. */
static void put_tree(struct wr *w, unsigned depth, unsigned n, size_t size)
{
    static const uint8_t zeros[1000];

    if (depth > 0) {
        struct wr_mark m = tlv_open(w, 0x30);
        put_tree(w, depth - 1, n, size);
        tlv_close(w, m);
        return;
    }
    for (unsigned i = 0; i < n; i++)
        tlv_put(w, 0x04, rd_of(zeros, size));
}

START_TEST(trees_have_bounds)
{
    static const struct {
        unsigned depth, n;
        size_t size;
    } trees[] = { { 0, 5000, 1 }, { 1, 5000, 0 }, { 40, 1, 1 }, { 2, 50, 1000 }, { 300, 0, 0 } };

    for (size_t i = 0; i < sizeof trees / sizeof trees[0]; i++) {
        struct wr w;
        wr_init_heap(&w, 1 << 20);
        put_tree(&w, trees[i].depth, trees[i].n, trees[i].size);
        ck_assert_int_eq(wr_failed(&w), 0);
        char *text = softeuicc_event_line(SOFTEUICC_ANSWER, "F", w.p, w.n, false);
        char *json = softeuicc_event_line(SOFTEUICC_ANSWER, "F", w.p, w.n, true);
        ck_assert_uint_lt(strlen(text), 2000);
        ck_assert_uint_lt(strlen(json), 60000);
        cJSON *parsed = cJSON_Parse(json);
        ck_assert_ptr_nonnull(parsed);
        cJSON_Delete(parsed);
        free(text);
        free(json);
        wr_done(&w);
    }
}
END_TEST

START_TEST(a_long_value_says_how_long_it_is)
{
    struct wr w;

    wr_init_heap(&w, 2000);
    put_tree(&w, 0, 1, 1000);
    char *json = softeuicc_event_line(SOFTEUICC_ANSWER, "F", w.p, w.n, true);
    cJSON *parsed = cJSON_Parse(json);
    const cJSON *value = cJSON_GetArrayItem(cJSON_GetObjectItem(parsed, "decoded"), 0);
    ck_assert_int_eq(cJSON_GetObjectItem(value, "length")->valueint, 1000);
    ck_assert_uint_eq(strlen(cJSON_GetObjectItem(value, "value")->valuestring), 512);
    cJSON_Delete(parsed);
    free(json);
    wr_done(&w);
}
END_TEST

START_TEST(text_that_is_no_utf8_is_made_some)
{
    assert_line(SOFTEUICC_NOTE, "a\xC3\xA4\"\n", "", true,
                "{\"event\":\"note\",\"text\":\"a\xC3\xA4\\\"\\n\"}");
    assert_line(SOFTEUICC_NOTE,
                "a\xFF"
                "b",
                "", true, "{\"event\":\"note\",\"text\":\"a?b\"}");
}
END_TEST

START_TEST(what_is_said_makes_no_lines_of_its_own)
{
    assert_line(SOFTEUICC_NOTE, "a\n# b\r\x1B\x7F", "", false, "# a?# b???");
    assert_line(SOFTEUICC_COMMAND, "a\n", "00", false, "> 00 (a?)");
    assert_line(SOFTEUICC_REQUEST, "a\n", "", false, "= a? request: ");
}
END_TEST

/* The watch that other tests have for secrets: it ends them. */
START_TEST(a_leak_is_found)
{
    static const uint8_t octets[] = { 9, 1, 2, 3, 4, 5, 6, 0xA7, 8, 9 };

    leak_add_hex("010203040506A7080000");
    if (_i == 0)
        leak_watch("", octets, sizeof octets);
    else
        leak_watch("key 010203040506a708", NULL, 0);
}
END_TEST

START_TEST(the_longest_apdu_is_a_line)
{
    uint8_t *apdu = calloc(1, SOFTEUICC_RESPONSE_MAX);

    ck_assert_ptr_nonnull(apdu);
    for (int json = 0; json < 2; json++) {
        char *line =
            softeuicc_event_line(SOFTEUICC_RESPONSE, "", apdu, SOFTEUICC_RESPONSE_MAX, json != 0);
        ck_assert_ptr_nonnull(line);
        ck_assert_uint_gt(strlen(line), 2 * (size_t)SOFTEUICC_RESPONSE_MAX);
        free(line);
    }
    free(apdu);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("event");
    TCase *cases = tcase_create("event");

    tcase_add_test(cases, each_event_has_its_mark);
    tcase_add_test(cases, fields_are_ordered_and_those_without_a_value_left_out);
    tcase_add_test(cases, a_name_depends_on_function_and_parent);
    tcase_add_test(cases, what_is_no_tlv_is_told_as_far_as_it_is);
    tcase_add_test(cases, trees_have_bounds);
    tcase_add_test(cases, a_long_value_says_how_long_it_is);
    tcase_add_test(cases, text_that_is_no_utf8_is_made_some);
    tcase_add_test(cases, what_is_said_makes_no_lines_of_its_own);
    tcase_add_loop_test_raise_signal(cases, a_leak_is_found, SIGABRT, 0, 2);
    tcase_add_test(cases, the_longest_apdu_is_a_line);
    suite_add_tcase(suite, cases);
    return suite_status(suite);
}
