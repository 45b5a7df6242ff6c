/* test_chain.c - card/chain: long commands in, long answers out, as T=0 splits them. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "card/chain.h"
#include "card/sw.h"
#include "os/err.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

static struct chain chain;
static uint8_t *octets; /* 0, 1, 2, ... */
static uint8_t *response;

enum { MANY = 70000 };

static void set_up(void)
{
    memset(&chain, 0, sizeof chain);
    octets = malloc(MANY);
    response = malloc(APDU_MAX_RESPONSE);
    ck_assert(octets != NULL && response != NULL);
    for (size_t i = 0; i < MANY; i++)
        octets[i] = (uint8_t)(i * 7 + i / 256);
}

static void tear_down(void)
{
    chain_reset(&chain);
    free(octets);
    free(response);
}

/* --- commands --------------------------------------------------------------------------------- */

static struct apdu store_data(const uint8_t *data, size_t n)
{
    return (struct apdu){ .cla = 0x80, .ins = 0xE2, .p1 = 0x91, .p2 = 0, .data = data, .lc = n };
}

START_TEST(a_command_alone_passes_untouched)
{
    struct apdu a = store_data(octets, 200), before = a;

    ck_assert_uint_eq(chain_take(&chain, false, &a), SW_OK);
    ck_assert_mem_eq(&a, &before, sizeof a);
}
END_TEST

START_TEST(a_chain_is_joined_at_its_last_command)
{
    struct apdu a = store_data(octets, 255);

    ck_assert_uint_eq(chain_take(&chain, true, &a), CHAIN_MORE);
    a = store_data(octets + 255, 1);
    ck_assert_uint_eq(chain_take(&chain, true, &a), CHAIN_MORE);
    a = store_data(NULL, 0); /* a link may be empty */
    ck_assert_uint_eq(chain_take(&chain, true, &a), CHAIN_MORE);
    a = store_data(octets + 256, 44);
    a.le = 256;
    ck_assert_uint_eq(chain_take(&chain, false, &a), SW_OK);
    ck_assert_uint_eq(a.lc, 300);
    ck_assert_mem_eq(a.data, octets, 300);
    ck_assert_uint_eq(a.le, 256);

    a = store_data(octets + 9, 1); /* and it is over */
    ck_assert_uint_eq(chain_take(&chain, false, &a), SW_OK);
    ck_assert_uint_eq(a.lc, 1);
    ck_assert_ptr_eq(a.data, octets + 9);
}
END_TEST

START_TEST(the_joined_data_are_a_copy)
{
    struct rd first = exact_copy("0102"), last = exact_copy("03");
    struct apdu a = store_data(first.p, first.n);

    ck_assert_uint_eq(chain_take(&chain, true, &a), CHAIN_MORE);
    exact_free(&first);
    a = store_data(last.p, last.n);
    ck_assert_uint_eq(chain_take(&chain, false, &a), SW_OK);
    exact_free(&last);
    ck_assert_uint_eq(a.lc, 3);
    ck_assert_mem_eq(a.data, "\1\2\3", 3);
}
END_TEST

START_TEST(another_command_breaks_a_chain_with_6883)
{
    for (int other = 0; other < 3; other++) {
        struct apdu a = store_data(octets, 10);
        ck_assert_uint_eq(chain_take(&chain, true, &a), CHAIN_MORE);
        a = store_data(octets, 10);
        a.ins = other == 0 ? 0xCA : a.ins;
        a.p1 = other == 1 ? 0x11 : a.p1;
        a.p2 = other == 2 ? 0x01 : a.p2;
        ck_assert_uint_eq(chain_take(&chain, _i != 0, &a), SW_LAST_OF_CHAIN_EXPECTED);

        a = store_data(octets + 5, 6); /* the chain is over, what comes now is taken */
        ck_assert_uint_eq(chain_take(&chain, false, &a), SW_OK);
        ck_assert_uint_eq(a.lc, 6);
        ck_assert_ptr_eq(a.data, octets + 5);
    }
}
END_TEST

START_TEST(a_chain_ends_at_its_bound)
{
    struct apdu a = store_data(octets, CHAIN_MAX_COMMAND);

    ck_assert_uint_eq(chain_take(&chain, true, &a), CHAIN_MORE);
    a = store_data(NULL, 0);
    ck_assert_uint_eq(chain_take(&chain, false, &a), SW_OK);
    ck_assert_uint_eq(a.lc, CHAIN_MAX_COMMAND);
    ck_assert_mem_eq(a.data, octets, CHAIN_MAX_COMMAND);

    a = store_data(octets, CHAIN_MAX_COMMAND);
    ck_assert_uint_eq(chain_take(&chain, true, &a), CHAIN_MORE);
    a = store_data(octets, 1);
    ck_assert_uint_eq(chain_take(&chain, true, &a), SW_WRONG_LENGTH);
    a = store_data(octets, 2); /* over */
    ck_assert_uint_eq(chain_take(&chain, false, &a), SW_OK);
    ck_assert_uint_eq(a.lc, 2);
}
END_TEST

START_TEST(a_reset_forgets_an_open_chain)
{
    struct apdu a = store_data(octets, 10);

    ck_assert_uint_eq(chain_take(&chain, true, &a), CHAIN_MORE);
    chain_reset(&chain);
    a = store_data(octets, 3);
    a.ins = 0xCA;
    ck_assert_uint_eq(chain_take(&chain, false, &a), SW_OK);
    ck_assert_uint_eq(a.lc, 3);
}
END_TEST

/* --- answers ---------------------------------------------------------------------------------- */

static uint16_t sw_of(size_t n)
{
    ck_assert_uint_ge(n, 2);
    return (uint16_t)(response[n - 2] << 8 | response[n - 1]);
}

static size_t answer(size_t n, size_t le, uint16_t sw)
{
    struct apdu a = { .ins = 0xE2, .le = le };
    struct rd data = exact_copy_of(rd_of(octets, n));
    size_t len = chain_answer(&chain, &a, data.p, n, sw, response);

    exact_free(&data);
    return len;
}

static size_t get_response(size_t le)
{
    struct apdu a = { .ins = INS_GET_RESPONSE, .le = le };

    return chain_get_response(&chain, &a, response);
}

static uint16_t left(size_t n)
{
    return (uint16_t)(SW_BYTES_LEFT | (n > 255 ? 0 : n));
}

static const size_t lengths[] = { 0, 1, 2, 255, 256, 257, 511, 512, 513, 600, 65536, 65537 };

START_TEST(without_le_all_waits_behind_61xx)
{
    size_t n = lengths[_i], at = 0;

    ck_assert_uint_eq(answer(n, 0, SW_OK), 2);
    if (n == 0) {
        ck_assert_uint_eq(sw_of(2), SW_OK);
        return;
    }
    ck_assert_uint_eq(sw_of(2), left(n));
    while (at < n) {
        size_t len = get_response(256);
        ck_assert_uint_eq(len - 2, n - at < 256 ? n - at : 256);
        ck_assert_mem_eq(response, octets + at, len - 2);
        at += len - 2;
        ck_assert_uint_eq(sw_of(len), at < n ? left(n - at) : SW_OK);
    }
    ck_assert_uint_eq(get_response(0), 2);
    ck_assert_uint_eq(sw_of(2), SW_CONDITIONS_OF_USE);
}
END_TEST

START_TEST(exactly_what_61xx_announced_can_be_fetched)
{
    static const size_t few[] = { 1, 255, 256, 257, 600 };
    size_t n = few[_i], at = 0;

    ck_assert_uint_eq(answer(n, 0, SW_OK), 2);
    uint16_t sw = sw_of(2);
    while (sw != SW_OK) {
        size_t announced = (sw & 0xFF) == 0 ? 256 : sw & 0xFF;
        size_t len = get_response(announced);
        ck_assert_uint_eq(len, announced + 2);
        ck_assert_mem_eq(response, octets + at, announced);
        at += announced;
        sw = sw_of(len);
    }
    ck_assert_uint_eq(at, n);
}
END_TEST

START_TEST(with_le_up_to_le_comes_at_once)
{
    static const size_t les[] = { 1, 2, 255, 256, 65536 };

    for (size_t k = 0; k < N_ELEMS(les); k++) {
        size_t n = lengths[_i], le = les[k], now = n < le ? n : le;
        size_t len = answer(n, le, SW_OK);
        ck_assert_uint_eq(len, now + 2);
        ck_assert_mem_eq(response, octets, now);
        ck_assert_uint_eq(sw_of(len), now < n ? left(n - now) : SW_OK);
        if (now == n)
            continue;
        len = get_response(65536);
        ck_assert_uint_eq(len, n - now + 2);
        ck_assert_mem_eq(response, octets + now, n - now);
        ck_assert_uint_eq(sw_of(len), SW_OK);
    }
}
END_TEST

START_TEST(other_status_words_pass)
{
    ck_assert_uint_eq(answer(0, 256, SW_FILE_NOT_FOUND), 2);
    ck_assert_uint_eq(sw_of(2), SW_FILE_NOT_FOUND);
    ck_assert_uint_eq(answer(0, 0, 0x910B), 2);
    ck_assert_uint_eq(sw_of(2), 0x910B);
    ck_assert_uint_eq(answer(3, 256, 0x910B), 5);
    ck_assert_uint_eq(sw_of(5), 0x910B);
}
END_TEST

START_TEST(get_response_in_small_pieces)
{
    answer(5, 0, SW_OK);
    ck_assert_uint_eq(get_response(2), 4);
    ck_assert_mem_eq(response, octets, 2);
    ck_assert_uint_eq(sw_of(4), 0x6103);
    ck_assert_uint_eq(get_response(1), 3);
    ck_assert_uint_eq(sw_of(3), 0x6102);
    ck_assert_uint_eq(get_response(2), 4);
    ck_assert_mem_eq(response, octets + 3, 2);
    ck_assert_uint_eq(sw_of(4), SW_OK);
}
END_TEST

START_TEST(asking_for_too_much_gets_6cxx_and_may_ask_again)
{
    answer(5, 0, SW_OK);
    ck_assert_uint_eq(get_response(6), 2);
    ck_assert_uint_eq(sw_of(2), 0x6C05);
    ck_assert_uint_eq(get_response(255), 2);
    ck_assert_uint_eq(sw_of(2), 0x6C05);
    ck_assert_uint_eq(get_response(5), 7);
    ck_assert_mem_eq(response, octets, 5);
    ck_assert_uint_eq(sw_of(7), SW_OK);

    answer(256, 0, SW_OK); /* 6C00 says 256 */
    ck_assert_uint_eq(get_response(257), 2);
    ck_assert_uint_eq(sw_of(2), 0x6C00);
}
END_TEST

START_TEST(get_response_without_le_means_as_much_as_a_short_answer_holds)
{
    answer(300, 0, SW_OK);
    ck_assert_uint_eq(get_response(0), 258);
    ck_assert_uint_eq(sw_of(258), 0x612C);
    ck_assert_uint_eq(get_response(0), 46);
    ck_assert_uint_eq(sw_of(46), SW_OK);
}
END_TEST

START_TEST(get_response_needs_p1_and_p2_of_zero)
{
    answer(5, 0, SW_OK);
    struct apdu a = { .ins = INS_GET_RESPONSE, .p1 = 1, .le = 5 };
    ck_assert_uint_eq(chain_get_response(&chain, &a, response), 2);
    ck_assert_uint_eq(sw_of(2), SW_WRONG_P1P2);
    a = (struct apdu){ .ins = INS_GET_RESPONSE, .p2 = 1, .le = 5 };
    ck_assert_uint_eq(chain_get_response(&chain, &a, response), 2);
    ck_assert_uint_eq(sw_of(2), SW_WRONG_P1P2);
    ck_assert_uint_eq(get_response(5), 7); /* nothing is lost */
}
END_TEST

START_TEST(get_response_of_nothing_is_6985)
{
    ck_assert_uint_eq(get_response(256), 2);
    ck_assert_uint_eq(sw_of(2), SW_CONDITIONS_OF_USE);
}
END_TEST

START_TEST(the_next_answer_replaces_what_waits)
{
    answer(600, 0, SW_OK);
    answer(0, 0, SW_OK);
    ck_assert_uint_eq(get_response(256), 2);
    ck_assert_uint_eq(sw_of(2), SW_CONDITIONS_OF_USE);
    answer(600, 0, SW_OK);
    answer(3, 0, SW_OK);
    ck_assert_uint_eq(get_response(256), 5);
}
END_TEST

START_TEST(a_reset_forgets_what_waits)
{
    answer(600, 0, SW_OK);
    chain_reset(&chain);
    ck_assert_uint_eq(get_response(256), 2);
    ck_assert_uint_eq(sw_of(2), SW_CONDITIONS_OF_USE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("chain");
    TCase *cases = tcase_create("chain");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, a_command_alone_passes_untouched);
    tcase_add_test(cases, a_chain_is_joined_at_its_last_command);
    tcase_add_test(cases, the_joined_data_are_a_copy);
    tcase_add_loop_test(cases, another_command_breaks_a_chain_with_6883, 0, 2);
    tcase_add_test(cases, a_chain_ends_at_its_bound);
    tcase_add_test(cases, a_reset_forgets_an_open_chain);
    tcase_add_loop_test(cases, without_le_all_waits_behind_61xx, 0, N_ELEMS(lengths));
    tcase_add_loop_test(cases, exactly_what_61xx_announced_can_be_fetched, 0, 5);
    tcase_add_loop_test(cases, with_le_up_to_le_comes_at_once, 0, N_ELEMS(lengths));
    tcase_add_test(cases, other_status_words_pass);
    tcase_add_test(cases, get_response_in_small_pieces);
    tcase_add_test(cases, asking_for_too_much_gets_6cxx_and_may_ask_again);
    tcase_add_test(cases, get_response_without_le_means_as_much_as_a_short_answer_holds);
    tcase_add_test(cases, get_response_needs_p1_and_p2_of_zero);
    tcase_add_test(cases, get_response_of_nothing_is_6985);
    tcase_add_test(cases, the_next_answer_replaces_what_waits);
    tcase_add_test(cases, a_reset_forgets_what_waits);
    suite_add_tcase(suite, cases);
    return suite_status(suite);
}
