/* test_ctlv.c - os/ctlv: COMPREHENSION-TLV (ETSI TS 101 220 7.1). */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "os/ctlv.h"
#include "os/err.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

START_TEST(reads_both_forms_of_a_tag)
{
    static const struct {
        const char *octets;
        unsigned tag, comprehension;
        size_t n;
    } rows[] = {
        { "8100", 0x01, 1, 0 },           { "0100", 0x01, 0, 0 },
        { "BF0108", 0x3F, 1, 1 },         { "3F0108", 0x3F, 0, 1 },
        { "9F0155", 0x1F, 1, 1 },         { "FE00", 0x7E, 1, 0 },
        { "01 8101 AA", 0x01, 0, 1 },     { "01 820001 AA", 0x01, 0, 1 },
        { "01 83000001 AA", 0x01, 0, 1 }, { "7F 8123 01 AA", 0x123, 1, 1 },
        { "7F 0123 01 AA", 0x123, 0, 1 }, { "7F 0080 00", 0x80, 0, 0 },
    };
    struct rd octets = exact_copy(rows[_i].octets), in = octets;
    struct ctlv t;

    ck_assert_int_eq(ctlv_get(&in, &t), 0);
    ck_assert_uint_eq(t.tag, rows[_i].tag);
    ck_assert_uint_eq(t.comprehension, rows[_i].comprehension);
    ck_assert_uint_eq(t.value.n, rows[_i].n);
    ck_assert_uint_eq(in.n, 0);
    exact_free(&octets);
}
END_TEST

START_TEST(refuses_what_is_none_and_consumes_nothing)
{
    static const char *const rows[] = {
        "00",     "0000",     "8000",     "FF00",           "01",           "0101",
        "0180",   "0181",     "018101",   "01840000000100", "7F",           "7F01",
        "7F0123", "7F003600", "7F803600", "01820100AA",     "0183FFFFFFAA",
    };
    struct rd octets = exact_copy(rows[_i]), in = octets;
    struct ctlv t;

    ck_assert_int_eq(ctlv_get(&in, &t), ERR_INPUT);
    ck_assert_uint_eq(in.n, octets.n);
    exact_free(&octets);
}
END_TEST

START_TEST(what_is_written_is_read)
{
    static const size_t lengths[] = { 0, 1, 0x7F, 0x80, 0xFF, 0x100 };
    static uint8_t value[0x100], octets[0x110];

    for (int comprehension = 0; comprehension < 2; comprehension++) {
        struct wr w;
        struct ctlv t;
        wr_init(&w, octets, sizeof octets);
        memset(value, 0x5A, sizeof value);
        ctlv_put(&w, CTLV_CHANNEL_DATA, comprehension, rd_of(value, lengths[_i]));
        ck_assert_int_eq(wr_failed(&w), 0);
        ck_assert_uint_eq(octets[0], comprehension ? 0xB6 : 0x36);
        struct rd copy = exact_copy_of(wr_view(&w)), in = copy;
        ck_assert_int_eq(ctlv_get(&in, &t), 0);
        ck_assert_uint_eq(t.tag, CTLV_CHANNEL_DATA);
        ck_assert_uint_eq(t.comprehension, (unsigned)comprehension);
        ck_assert(rd_equal(t.value, rd_of(value, lengths[_i])));
        for (in = copy; in.n > 0; in.n--) { /* cut short anywhere, it is none */
            struct rd cut = exact_copy_of(rd_of(copy.p, in.n - 1)), rest = cut;
            ck_assert_int_eq(ctlv_get(&rest, &t), ERR_INPUT);
            exact_free(&cut);
        }
        exact_free(&copy);
    }
}
END_TEST

START_TEST(finds_the_first_and_the_nth_before_any_damage)
{
    struct rd octets = exact_copy("8103010203 4001AA C001BB 0102CCDD 36 05 00"), v;

    ck_assert(ctlv_find(octets, CTLV_COMMAND_DETAILS, &v) && v.n == 3);
    ck_assert(ctlv_find_nth(octets, CTLV_COMMAND_DETAILS, 1, &v) && v.n == 2);
    ck_assert(ctlv_find_nth(octets, CTLV_DNS_SERVER, 0, &v) && v.p[0] == 0xAA);
    ck_assert(ctlv_find_nth(octets, CTLV_DNS_SERVER, 1, &v) && v.p[0] == 0xBB);
    ck_assert(!ctlv_find_nth(octets, CTLV_DNS_SERVER, 2, &v));
    ck_assert(!ctlv_find(octets, CTLV_CHANNEL_DATA, &v));
    ck_assert(!ctlv_find(rd_of(NULL, 0), CTLV_RESULT, &v));
    exact_free(&octets);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctlv");
    TCase *cases = tcase_create("ctlv");

    tcase_add_loop_test(cases, reads_both_forms_of_a_tag, 0, 12);
    tcase_add_loop_test(cases, refuses_what_is_none_and_consumes_nothing, 0, 17);
    tcase_add_loop_test(cases, what_is_written_is_read, 0, 6);
    tcase_add_test(cases, finds_the_first_and_the_nth_before_any_damage);
    suite_add_tcase(suite, cases);
    return suite_status(suite);
}
