/* test_sms.c - applets/ota/sms: short messages taken apart, right and wrong. */
#include <check.h>
#include <stdlib.h>

#include "applets/ota/sms.h"
#include "os/err.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

/* SMS-DELIVER from 12345678, header of a command packet, three octets. */
#define PLAIN "40 08 81 21436587 7F F6 22705200000000 06 027000 A1A2A3"

static int parse(const char *tpdu, struct sms *ret)
{
    struct rd octets = exact_copy(tpdu);
    int err = sms_parse(octets, ret);

    exact_free(&octets); /* its views are not looked at */
    return err;
}

START_TEST(a_command_packet_is_found)
{
    struct rd tpdu = exact_copy(PLAIN);
    struct sms m;

    ck_assert_int_eq(sms_parse(tpdu, &m), 0);
    ck_assert(m.for_card);
    ck_assert(m.command);
    ck_assert_uint_eq(m.total, 1);
    ck_assert(rd_equal(m.text, rd_of("\xA1\xA2\xA3", 3)));
    ck_assert(rd_equal(m.sender, rd_of("\x08\x81\x21\x43\x65\x87", 6)));
    exact_free(&tpdu);
}
END_TEST

START_TEST(what_is_cut_is_no_message)
{
    struct rd whole = exact_copy(PLAIN);
    struct sms m;

    for (size_t n = 0; n < whole.n; n++) {
        struct rd cut = exact_copy_of(rd_of(whole.p, n));
        ck_assert_int_eq(sms_parse(cut, &m), ERR_INPUT);
        exact_free(&cut);
    }
    exact_free(&whole);
}
END_TEST

START_TEST(only_messages_for_the_card_are_taken)
{
    static const struct {
        const char *tpdu;
        bool for_card;
    } rows[] = {
        { "40 00 81 7F F6 22705200000000 00", false }, /* refused: a header is announced */
        { "00 00 81 7F F6 22705200000000 00", true },
        { "00 00 81 7F 16 22705200000000 00", true },
        { "00 00 81 7F F5 22705200000000 00", false }, /* class 1 */
        { "00 00 81 7F F2 22705200000000 00", false }, /* seven bits */
        { "00 00 81 7F 12 22705200000000 00", false },
        { "00 00 81 7F 36 22705200000000 00", false }, /* compressed */
        { "00 00 81 00 F6 22705200000000 00", false },
    };
    struct sms m;

    ck_assert_int_eq(parse(rows[0].tpdu, &m), ERR_INPUT);
    for (size_t i = 1; i < N_ELEMS(rows); i++) {
        ck_assert_int_eq(parse(rows[i].tpdu, &m), 0);
        ck_assert_int_eq(m.for_card, rows[i].for_card);
        ck_assert(!m.command);
    }
}
END_TEST

START_TEST(other_types_and_lengths_are_refused)
{
    struct sms m;

    ck_assert_int_eq(parse("41 00 81 7F F6 22705200000000 00", &m), ERR_INPUT); /* SUBMIT */
    ck_assert_int_eq(parse("00 00 81 7F F6 22705200000000 01 0000", &m), ERR_INPUT);
    ck_assert_int_eq(parse("00 15 81 1111111111111111111111 7F F6 22705200000000 00", &m),
                     ERR_INPUT); /* 21 digits */
    ck_assert_int_eq(parse("40 00 81 7F F6 22705200000000 03 037000", &m), ERR_INPUT);
    ck_assert_int_eq(parse("40 00 81 7F F6 22705200000000 03 027001", &m), ERR_INPUT);
    ck_assert_int_eq(parse("40 00 81 7F F6 22705200000000 02 0170", &m), ERR_INPUT);
}
END_TEST

START_TEST(parts_are_numbered)
{
    struct sms m;

    ck_assert_int_eq(parse("40 00 81 7F F6 22705200000000 08 07 0003A50302 7000", &m), 0);
    ck_assert_uint_eq(m.reference, 0xA5);
    ck_assert_uint_eq(m.total, 3);
    ck_assert_uint_eq(m.number, 2);
    ck_assert(m.command);
    ck_assert_int_eq(parse("40 00 81 7F F6 22705200000000 07 06 0804A5A60303", &m), 0);
    ck_assert_uint_eq(m.reference, 0xA5A6);
    ck_assert_uint_eq(m.number, 3);
    ck_assert(!m.command);
    ck_assert_int_eq(parse("40 00 81 7F F6 22705200000000 06 05 0003A50304", &m), 0);
    ck_assert_uint_eq(m.total, 1); /* the fourth of three counts for nothing */
    ck_assert_int_eq(parse("40 00 81 7F F6 22705200000000 06 05 0003A50300", &m), 0);
    ck_assert_uint_eq(m.total, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sms");
    TCase *tc = tcase_create("sms");

    tcase_add_test(tc, a_command_packet_is_found);
    tcase_add_test(tc, what_is_cut_is_no_message);
    tcase_add_test(tc, only_messages_for_the_card_are_taken);
    tcase_add_test(tc, other_types_and_lengths_are_refused);
    tcase_add_test(tc, parts_are_numbered);
    suite_add_tcase(suite, tc);
    return suite_status(suite);
}
