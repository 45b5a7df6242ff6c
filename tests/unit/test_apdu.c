/* test_apdu.c - card/apdu: the cases of ISO 7816-3 12.1 and every class byte. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "card/apdu.h"
#include "card/sw.h"
#include "os/err.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

static struct rd command;
static struct apdu a;

static void forget_command(void)
{
    exact_free(&command);
}

static uint16_t parse(const char *text)
{
    exact_free(&command);
    command = exact_copy(text);
    return apdu_parse(command.p, command.n, &a);
}

/* A header, then prefix, then n octets of data, then suffix. */
static uint16_t parse_long(const char *prefix, size_t n, const char *suffix)
{
    uint8_t *octets = malloc(n + 32);
    struct rd copy;

    ck_assert_ptr_nonnull(octets);
    size_t at = hex("80E29100", octets, 4);
    at += hex(prefix, octets + at, 16);
    memset(octets + at, 0xDA, n);
    at += n;
    at += hex(suffix, octets + at, 8);
    copy = exact_copy_of(rd_of(octets, at));
    free(octets);
    exact_free(&command);
    command = copy;
    return apdu_parse(command.p, command.n, &a);
}

START_TEST(case_1_has_neither_data_nor_le)
{
    ck_assert_uint_eq(parse("00A40102"), SW_OK);
    ck_assert_uint_eq(a.cla, 0x00);
    ck_assert_uint_eq(a.ins, 0xA4);
    ck_assert_uint_eq(a.p1, 0x01);
    ck_assert_uint_eq(a.p2, 0x02);
    ck_assert_ptr_null(a.data);
    ck_assert_uint_eq(a.lc, 0);
    ck_assert_uint_eq(a.le, 0);
    ck_assert(!a.extended);
}
END_TEST

START_TEST(case_2_short_reads_le_of_zero_as_256)
{
    static const struct {
        const char *text;
        size_t le;
    } rows[] = { { "00C00000 01", 1 },
                 { "00C00000 7F", 127 },
                 { "00C00000 80", 128 },
                 { "00C00000 FF", 255 },
                 { "00C00000 00", 256 } };

    ck_assert_uint_eq(parse(rows[_i].text), SW_OK);
    ck_assert_uint_eq(a.le, rows[_i].le);
    ck_assert_uint_eq(a.lc, 0);
    ck_assert(!a.extended);
}
END_TEST

START_TEST(case_2_extended_reads_le_of_zero_as_65536)
{
    static const struct {
        const char *text;
        size_t le;
    } rows[] = { { "00C00000 000001", 1 },
                 { "00C00000 0000FF", 255 },
                 { "00C00000 000100", 256 },
                 { "00C00000 00FFFF", 65535 },
                 { "00C00000 000000", 65536 } };

    ck_assert_uint_eq(parse(rows[_i].text), SW_OK);
    ck_assert_uint_eq(a.le, rows[_i].le);
    ck_assert_uint_eq(a.lc, 0);
    ck_assert(a.extended);
}
END_TEST

START_TEST(case_3_short_points_into_the_command)
{
    ck_assert_uint_eq(parse("80E29100 03 BF2000"), SW_OK);
    ck_assert_uint_eq(a.lc, 3);
    ck_assert_ptr_eq(a.data, command.p + 5);
    ck_assert_uint_eq(a.le, 0);
    ck_assert(!a.extended);
    ck_assert_uint_eq(parse_long("01", 1, ""), SW_OK);
    ck_assert_uint_eq(a.lc, 1);
    ck_assert_uint_eq(parse_long("FF", 255, ""), SW_OK);
    ck_assert_uint_eq(a.lc, 255);
    ck_assert_uint_eq(a.le, 0);
}
END_TEST

START_TEST(case_4_short_has_both)
{
    ck_assert_uint_eq(parse("80E29100 03 BF2000 00"), SW_OK);
    ck_assert_uint_eq(a.lc, 3);
    ck_assert_uint_eq(a.le, 256);
    ck_assert(!a.extended);
    ck_assert_uint_eq(parse_long("FF", 255, "FF"), SW_OK);
    ck_assert_uint_eq(a.lc, 255);
    ck_assert_uint_eq(a.le, 255);
    ck_assert_uint_eq(parse("80E29100 01 00 01"), SW_OK);
    ck_assert_uint_eq(a.lc, 1);
    ck_assert_uint_eq(a.le, 1);
}
END_TEST

START_TEST(case_3_extended_takes_up_to_65535_octets)
{
    static const struct {
        const char *lc;
        size_t n;
    } rows[] = { { "000001", 1 },
                 { "0000FF", 255 },
                 { "000100", 256 },
                 { "000101", 257 },
                 { "00FFFF", 65535 } };

    ck_assert_uint_eq(parse_long(rows[_i].lc, rows[_i].n, ""), SW_OK);
    ck_assert_uint_eq(a.lc, rows[_i].n);
    ck_assert_ptr_eq(a.data, command.p + 7);
    ck_assert_uint_eq(a.le, 0);
    ck_assert(a.extended);
}
END_TEST

START_TEST(case_4_extended_has_both)
{
    ck_assert_uint_eq(parse_long("000100", 256, "0000"), SW_OK);
    ck_assert_uint_eq(a.lc, 256);
    ck_assert_uint_eq(a.le, 65536);
    ck_assert(a.extended);
    ck_assert_uint_eq(parse_long("00FFFF", 65535, "0001"), SW_OK);
    ck_assert_uint_eq(a.lc, 65535);
    ck_assert_uint_eq(a.le, 1);
    ck_assert_uint_eq(parse_long("000001", 1, "FFFF"), SW_OK);
    ck_assert_uint_eq(a.lc, 1);
    ck_assert_uint_eq(a.le, 65535);
}
END_TEST

START_TEST(an_empty_last_block_reads_as_case_2)
{
    /* Some terminals end a multiple of 255 octets with Lc = 00 and nothing behind it. */
    ck_assert_uint_eq(parse("81E29105 00"), SW_OK);
    ck_assert_uint_eq(a.lc, 0);
    ck_assert_ptr_null(a.data);
    ck_assert_uint_eq(a.le, 256);
}
END_TEST

START_TEST(lengths_that_do_not_match_are_refused_with_nothing_written)
{
    static const char *const rows[] = {
        "",
        "00",
        "00A4",
        "00A404",                /* shorter than a header */
        "00A40400 02 A0",        /* Lc one more than there is */
        "00A40400 01 A0 00 00",  /* two octets behind the data */
        "00A40400 00 00",        /* Lc = 00 with an Le */
        "00A40400 000000 00",    /* extended Lc = 0000 with data */
        "00A40400 000002 A0",    /* extended Lc one more than there is */
        "00A40400 000001 A0 00", /* half an extended Le */
        "00A40400 000001 A0 000000",
        "00A40400 000000 0000",
        "00A40400 00FFFF A0",
    };

    memset(&a, 0x5A, sizeof a);
    struct apdu before = a;
    ck_assert_uint_eq(parse(rows[_i]), SW_WRONG_LENGTH);
    ck_assert_mem_eq(&a, &before, sizeof a);
}
END_TEST

START_TEST(one_octet_off_an_extended_maximum_is_refused)
{
    ck_assert_uint_eq(parse_long("00FFFF", 65534, ""), SW_WRONG_LENGTH);
    ck_assert_uint_eq(parse_long("00FFFF", 65535, "00"), SW_WRONG_LENGTH);
    ck_assert_uint_eq(parse_long("00FFFF", 65535, "000000"), SW_WRONG_LENGTH);
}
END_TEST

/* ISO 7816-4 5.4.1 and TS 102 221 10.1.1, sixteen class bytes a row. */
static const struct {
    bool good, proprietary, further, chained, secured;
} classes[16] = {
    [0x0] = { true, false, false, false, false },
    [0x1] = { true, false, false, true, false },
    [0x2] = { .good = false },
    [0x3] = { .good = false },
    [0x4] = { true, false, true, false, false },
    [0x5] = { true, false, true, true, false },
    [0x6] = { true, false, true, false, true },
    [0x7] = { true, false, true, true, true },
    [0x8] = { true, true, false, false, false },
    [0x9] = { true, true, false, true, false },
    [0xA] = { true, true, false, false, false },
    [0xB] = { true, true, false, true, false },
    [0xC] = { true, true, true, false, false },
    [0xD] = { true, true, true, true, false },
    [0xE] = { true, true, true, false, true },
    [0xF] = { true, true, true, true, true },
};

START_TEST(every_class_byte_is_taken_apart_as_the_tables_say)
{
    for (unsigned cla = 0; cla <= 0xFF; cla++) {
        unsigned row = cla >> 4, low = cla & 0x0F;
        struct cla got = { .channel = 0xEE };
        uint16_t sw = cla_parse((uint8_t)cla, &got);

        if (!classes[row].good || cla == 0xFF) {
            ck_assert_msg(sw == SW_CLA_NOT_SUPPORTED, "CLA %02X", cla);
            ck_assert_uint_eq(got.channel, 0xEE);
            continue;
        }
        ck_assert_msg(sw == SW_OK, "CLA %02X", cla);
        ck_assert_msg(got.proprietary == classes[row].proprietary, "CLA %02X", cla);
        ck_assert_msg(got.chained == classes[row].chained, "CLA %02X", cla);
        ck_assert_msg(got.channel == (classes[row].further ? low + 4 : low % 4), "CLA %02X", cla);
        ck_assert_msg(got.secured == (classes[row].further ? classes[row].secured : low >= 4),
                      "CLA %02X", cla);
    }
}
END_TEST

START_TEST(every_status_word_has_words)
{
    for (unsigned sw = 0; sw <= 0xFFFF; sw++)
        ck_assert_ptr_nonnull(sw_text((uint16_t)sw));
    ck_assert_str_eq(sw_text(SW_OK), "normal ending");
    ck_assert_str_eq(sw_text(0x6123), sw_text(SW_BYTES_LEFT));
    ck_assert_str_eq(sw_text(0x910B), sw_text(SW_PROACTIVE));
    ck_assert_str_eq(sw_text(0x6C10), sw_text(SW_WRONG_LE));
    ck_assert_str_eq(sw_text(0x1234), "unknown status word");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("apdu");
    TCase *cases = tcase_create("apdu");

    tcase_add_checked_fixture(cases, NULL, forget_command);
    tcase_add_test(cases, case_1_has_neither_data_nor_le);
    tcase_add_loop_test(cases, case_2_short_reads_le_of_zero_as_256, 0, 5);
    tcase_add_loop_test(cases, case_2_extended_reads_le_of_zero_as_65536, 0, 5);
    tcase_add_test(cases, case_3_short_points_into_the_command);
    tcase_add_test(cases, case_4_short_has_both);
    tcase_add_loop_test(cases, case_3_extended_takes_up_to_65535_octets, 0, 5);
    tcase_add_test(cases, case_4_extended_has_both);
    tcase_add_test(cases, an_empty_last_block_reads_as_case_2);
    tcase_add_loop_test(cases, lengths_that_do_not_match_are_refused_with_nothing_written, 0, 13);
    tcase_add_test(cases, one_octet_off_an_extended_maximum_is_refused);
    tcase_add_test(cases, every_class_byte_is_taken_apart_as_the_tables_say);
    tcase_add_test(cases, every_status_word_has_words);
    suite_add_tcase(suite, cases);
    return suite_status(suite);
}
