/* test_atr.c - card/atr: what is built is right, and what is wrong is noticed. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "card/atr.h"
#include "os/err.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

static const struct atr_capabilities plain = { .ta1 = 0x11, .classes = 0x07 };
static const struct atr_capabilities rich = {
    .ta1 = 0x96,
    .classes = 0x07,
    .clock_stop = true,
    .euicc = true,
    .historical = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
    .historical_len = ATR_MAX_HISTORICAL,
};

static void check_built(const struct atr_capabilities *caps, const char *want)
{
    uint8_t got[ATR_MAX_LEN];
    size_t n = atr_build(caps, got);
    struct rd octets = exact_copy(want);

    ck_assert_uint_eq(n, octets.n);
    ck_assert_mem_eq(got, octets.p, n);
    exact_free(&octets);
    ck_assert_ptr_null(atr_check(got, n));
}

/* The reason, or NULL; from a copy of exactly this size. */
static const char *checked(const char *text)
{
    struct rd octets = exact_copy(text);
    const char *why = atr_check(octets.p, octets.n);

    exact_free(&octets);
    return why;
}

START_TEST(builds_every_octet_in_order)
{
    /* TS T0 TA1 TD1 TD2 TA3 TCK (ISO 7816-3 8.2) */
    check_built(&plain, "3B 90 11 80 1F 07 19");
    /* with TB3 (TS 102 221 6.3.3) and all historical bytes; their XOR is 0 */
    check_built(&rich, "3B 9F 96 80 3F C7 82 0102030405060708090A0B0C0D0E0F F3");
}
END_TEST

START_TEST(one_historical_byte_changes_length_and_tck)
{
    struct atr_capabilities caps = plain;

    caps.historical[0] = 0x80;
    caps.historical_len = 1;
    check_built(&caps, "3B 91 11 80 1F 07 80 98");
}
END_TEST

START_TEST(the_euicc_bit_is_b2_of_the_octet_behind_ta_for_t15)
{
    struct atr_capabilities caps = plain;
    uint8_t got[ATR_MAX_LEN];

    caps.euicc = true;
    atr_build(&caps, got);
    ck_assert_uint_eq(got[4], 0x3F);        /* TA and TB follow, T=15 */
    ck_assert_uint_eq(got[6] & 0x02, 0x02); /* TS 102 221 6.3.3 */
    ck_assert_uint_eq(got[6] & 0x80, 0x80);
}
END_TEST

START_TEST(the_longest_one_fits)
{
    uint8_t got[ATR_MAX_LEN];

    ck_assert_uint_le(atr_build(&rich, got), ATR_MAX_LEN);
}
END_TEST

START_TEST(accepts_what_is_right)
{
    static const char *const rows[] = {
        "3B9F96801FC78031A073BE21136743200718000001A5", /* a card of the field */
        "3B00",                                         /* T=0 by default, hence no TCK */
        "3B02 1450",
        "3F 02 1450",        /* inverse convention */
        "3B 80 00",          /* TD1 offers T=0 once more: no TCK */
        "3B 80 80 01 01",    /* T=0, then T=1: TCK */
        "3B F0 11 22 33 00", /* all four interface bytes, T=0 */
    };

    ck_assert_msg(checked(rows[_i]) == NULL, "%s: %s", rows[_i], checked(rows[_i]));
}
END_TEST

START_TEST(refuses_what_is_wrong)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        { "", "an ATR has 2 to 33 octets" },
        { "3B", "an ATR has 2 to 33 octets" },
        { "3B 0F 000000000000000000000000000000 00000000000000000000000000000000 00",
          "an ATR has 2 to 33 octets" },
        { "3C 00", "TS is neither 3B nor 3F" },
        { "00 00", "TS is neither 3B nor 3F" },
        { "3B 80 01 81", "T=0 is not offered first" },
        { "3B 80", "ends within the interface bytes" },
        { "3B 90 11", "ends within the interface bytes" },
        { "3B F0 11", "ends within the interface bytes" },
        { "3B 10", "its length does not match T0 and the interface bytes" },
        { "3B 01", "its length does not match T0 and the interface bytes" },
        { "3B 01 80 00", "its length does not match T0 and the interface bytes" },
        { "3B 90 11 80 1F 07", "its length does not match T0 and the interface bytes" },
        { "3B 90 11 80 1F 07 1D", "TCK is wrong" },
    };

    const char *why = checked(rows[_i].text);
    ck_assert_ptr_nonnull(why);
    ck_assert_str_eq(why, rows[_i].why);
}
END_TEST

START_TEST(no_truncated_and_no_flipped_one_passes)
{
    uint8_t good[ATR_MAX_LEN];
    size_t n = atr_build(&rich, good);

    for (size_t i = 0; i < n; i++) {
        struct rd shorter = exact_copy_of(rd_of(good, i));
        ck_assert_msg(atr_check(shorter.p, shorter.n) != NULL, "%zu octets", i);
        exact_free(&shorter);
    }
    for (size_t bit = 8; bit < 8 * n; bit++) {
        struct rd copy = exact_copy_of(rd_of(good, n));
        uint8_t *octets = (uint8_t *)(uintptr_t)copy.p;
        octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert_msg(atr_check(octets, n) != NULL, "bit %zu", bit);
        exact_free(&copy);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("atr");
    TCase *cases = tcase_create("atr");

    tcase_add_test(cases, builds_every_octet_in_order);
    tcase_add_test(cases, one_historical_byte_changes_length_and_tck);
    tcase_add_test(cases, the_euicc_bit_is_b2_of_the_octet_behind_ta_for_t15);
    tcase_add_test(cases, the_longest_one_fits);
    tcase_add_loop_test(cases, accepts_what_is_right, 0, 7);
    tcase_add_loop_test(cases, refuses_what_is_wrong, 0, 14);
    tcase_add_test(cases, no_truncated_and_no_flipped_one_passes);
    suite_add_tcase(suite, cases);
    return suite_status(suite);
}
