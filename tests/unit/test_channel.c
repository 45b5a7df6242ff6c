/* test_channel.c - card/channel: MANAGE CHANNEL (TS 102 221 11.1.17). */
#include <check.h>
#include <stdlib.h>

#include "card/channel.h"
#include "card/sw.h"
#include "tests/testlib/suite.h"

static struct channels channels;
static struct channel_change change;

static void reset(void)
{
    channels_reset(&channels);
    change = (struct channel_change){ CHANNEL_CLOSED, 0xEE, false };
}

static uint16_t manage(uint8_t p1, uint8_t p2, size_t le, uint8_t carrier)
{
    struct apdu a = { .ins = 0x70, .p1 = p1, .p2 = p2, .le = le };

    return channel_manage(&channels, &a, carrier, &change);
}

static unsigned n_open(void)
{
    unsigned n = 0;

    for (uint8_t i = 0; i < CHANNEL_COUNT; i++)
        n += channel_is_open(&channels, i);
    return n;
}

static void check_unchanged(unsigned open)
{
    ck_assert_uint_eq(n_open(), open);
    ck_assert_uint_eq(change.channel, 0xEE);
}

START_TEST(only_the_basic_channel_is_open_after_reset)
{
    ck_assert(channel_is_open(&channels, CHANNEL_BASIC));
    for (unsigned i = 1; i <= 0xFF; i++)
        ck_assert(!channel_is_open(&channels, (uint8_t)i));
}
END_TEST

START_TEST(opens_the_lowest_free_channel_and_tells_its_number)
{
    ck_assert_uint_eq(manage(0x00, 0x00, 1, 0), SW_OK);
    ck_assert_int_eq(change.what, CHANNEL_OPENED);
    ck_assert_uint_eq(change.channel, 1);
    ck_assert(change.tell);
    ck_assert(channel_is_open(&channels, 1));
    ck_assert_uint_eq(manage(0x00, 0x00, 256, 0), SW_OK);
    ck_assert_uint_eq(change.channel, 2);
    ck_assert_uint_eq(manage(0x80, 1, 0, 0), SW_OK);
    ck_assert_uint_eq(manage(0x00, 0x00, 1, 2), SW_OK);
    ck_assert_uint_eq(change.channel, 1);
}
END_TEST

START_TEST(asks_for_le_01_before_it_opens_anything)
{
    ck_assert_uint_eq(manage(0x00, 0x00, 0, 0), SW_WRONG_LE | 1);
    check_unchanged(1);
}
END_TEST

START_TEST(opens_a_named_channel_without_data)
{
    for (uint8_t n = CHANNEL_COUNT - 1; n > 0; n--) {
        ck_assert_uint_eq(manage(0x00, n, n % 2, 0), SW_OK);
        ck_assert_int_eq(change.what, CHANNEL_OPENED);
        ck_assert_uint_eq(change.channel, n);
        ck_assert(!change.tell);
        ck_assert(channel_is_open(&channels, n));
    }
    ck_assert_uint_eq(n_open(), CHANNEL_COUNT);
}
END_TEST

START_TEST(refuses_a_named_channel_that_is_open_or_beyond_19)
{
    ck_assert_uint_eq(manage(0x00, 3, 0, 0), SW_OK);
    change.channel = 0xEE;
    ck_assert_uint_eq(manage(0x00, 3, 0, 0), SW_WRONG_P1P2);
    ck_assert_uint_eq(manage(0x00, CHANNEL_COUNT, 0, 0), SW_NO_CHANNEL);
    ck_assert_uint_eq(manage(0x00, 0xFF, 0, 0), SW_NO_CHANNEL);
    check_unchanged(2);
}
END_TEST

START_TEST(runs_out_after_nineteen_and_recovers)
{
    for (uint8_t n = 1; n < CHANNEL_COUNT; n++) {
        ck_assert_uint_eq(manage(0x00, 0x00, 1, 0), SW_OK);
        ck_assert_uint_eq(change.channel, n);
    }
    change.channel = 0xEE;
    ck_assert_uint_eq(manage(0x00, 0x00, 1, 0), SW_NO_CHANNEL);
    check_unchanged(CHANNEL_COUNT);
    ck_assert_uint_eq(manage(0x80, 7, 0, 0), SW_OK);
    ck_assert_uint_eq(manage(0x00, 0x00, 1, 0), SW_OK);
    ck_assert_uint_eq(change.channel, 7);
}
END_TEST

START_TEST(closes_a_named_channel_or_the_one_that_carries_the_command)
{
    for (uint8_t n = 1; n < 4; n++)
        ck_assert_uint_eq(manage(0x00, n, 0, 0), SW_OK);
    ck_assert_uint_eq(manage(0x80, 2, 0, 0), SW_OK);
    ck_assert_int_eq(change.what, CHANNEL_CLOSED);
    ck_assert_uint_eq(change.channel, 2);
    ck_assert(!change.tell);
    ck_assert_uint_eq(manage(0x80, 0, 256, 3), SW_OK); /* Le = 00, as some terminals send it */
    ck_assert_uint_eq(change.channel, 3);
    ck_assert_uint_eq(manage(0x80, 1, 0, 1), SW_OK);
    ck_assert_uint_eq(change.channel, 1);
    ck_assert_uint_eq(n_open(), 1);
}
END_TEST

START_TEST(the_basic_channel_stays_open)
{
    ck_assert_uint_eq(manage(0x80, 0, 0, CHANNEL_BASIC), SW_WRONG_P1P2);
    check_unchanged(1);
}
END_TEST

START_TEST(refuses_to_close_what_is_not_open)
{
    static const uint8_t numbers[] = { 1, 19, 20, 0xFF };

    ck_assert_uint_eq(manage(0x80, numbers[_i], 0, 0), SW_NO_CHANNEL);
    check_unchanged(1);
}
END_TEST

START_TEST(refuses_every_other_p1)
{
    for (unsigned p1 = 1; p1 <= 0xFF; p1++) {
        if (p1 == 0x80)
            continue;
        ck_assert_msg(manage((uint8_t)p1, 0, 1, 0) == SW_WRONG_P1P2, "P1 %02X", p1);
        ck_assert_msg(manage((uint8_t)p1, 1, 0, 0) == SW_WRONG_P1P2, "P1 %02X", p1);
    }
    check_unchanged(1);
}
END_TEST

START_TEST(refuses_data)
{
    static const uint8_t data[] = { 1 };
    struct apdu a = { .ins = 0x70, .data = data, .lc = 1, .le = 1 };

    ck_assert_uint_eq(channel_manage(&channels, &a, 0, &change), SW_WRONG_LENGTH);
    check_unchanged(1);
}
END_TEST

START_TEST(a_reset_closes_all)
{
    for (uint8_t n = 1; n < CHANNEL_COUNT; n++)
        ck_assert_uint_eq(manage(0x00, n, 0, 0), SW_OK);
    channels_reset(&channels);
    ck_assert_uint_eq(n_open(), 1);
    ck_assert(channel_is_open(&channels, CHANNEL_BASIC));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("channel");
    TCase *cases = tcase_create("channel");

    tcase_add_checked_fixture(cases, reset, NULL);
    tcase_add_test(cases, only_the_basic_channel_is_open_after_reset);
    tcase_add_test(cases, opens_the_lowest_free_channel_and_tells_its_number);
    tcase_add_test(cases, asks_for_le_01_before_it_opens_anything);
    tcase_add_test(cases, opens_a_named_channel_without_data);
    tcase_add_test(cases, refuses_a_named_channel_that_is_open_or_beyond_19);
    tcase_add_test(cases, runs_out_after_nineteen_and_recovers);
    tcase_add_test(cases, closes_a_named_channel_or_the_one_that_carries_the_command);
    tcase_add_test(cases, the_basic_channel_stays_open);
    tcase_add_loop_test(cases, refuses_to_close_what_is_not_open, 0, 4);
    tcase_add_test(cases, refuses_every_other_p1);
    tcase_add_test(cases, refuses_data);
    tcase_add_test(cases, a_reset_closes_all);
    suite_add_tcase(suite, cases);
    return suite_status(suite);
}
