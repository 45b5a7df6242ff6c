/* test_buf.c - os/buf: views that cannot run past their end, writers that cannot overrun. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "os/buf.h"
#include "os/err.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

START_TEST(a_view_of_a_string_leaves_out_its_zero)
{
    struct rd v = rd_str("abc");

    ck_assert_uint_eq(v.n, 3);
    ck_assert_mem_eq(v.p, "abc", 3);
    ck_assert_uint_eq(rd_str("").n, 0);
}
END_TEST

START_TEST(equal_means_same_length_and_same_octets)
{
    struct rd a = exact_copy("010203"), b = exact_copy("010203"), c = exact_copy("010204");

    ck_assert(rd_equal(a, b));
    ck_assert(!rd_equal(a, c));
    ck_assert(!rd_equal(a, rd_of(b.p, 2)));
    ck_assert(rd_equal(rd_of(NULL, 0), rd_of(NULL, 0)));
    ck_assert(rd_equal(rd_of(NULL, 0), rd_of(a.p, 0)));
    ck_assert(!rd_equal(rd_of(NULL, 0), a));
    exact_free(&a);
    exact_free(&b);
    exact_free(&c);
}
END_TEST

START_TEST(taking_consumes_from_the_front_up_to_the_end)
{
    struct rd copy = exact_copy("0102030405"), in = copy, got = { NULL, 99 };

    ck_assert_int_eq(rd_take(&in, 0, &got), 0);
    ck_assert_uint_eq(got.n, 0);
    ck_assert_uint_eq(in.n, 5);
    ck_assert_int_eq(rd_take(&in, 2, &got), 0);
    ck_assert_ptr_eq(got.p, copy.p);
    ck_assert_uint_eq(got.n, 2);
    ck_assert_int_eq(rd_take(&in, 4, &got), ERR_INPUT);
    ck_assert_int_eq(rd_take(&in, SIZE_MAX, &got), ERR_INPUT);
    ck_assert_uint_eq(in.n, 3); /* nothing consumed, nothing written */
    ck_assert_uint_eq(got.n, 2);
    ck_assert_int_eq(rd_take(&in, 3, &got), 0);
    ck_assert_ptr_eq(got.p, copy.p + 2);
    ck_assert_uint_eq(in.n, 0);
    ck_assert_int_eq(rd_take(&in, 0, &got), 0);
    ck_assert_int_eq(rd_take(&in, 1, &got), ERR_INPUT);
    exact_free(&copy);

    in = rd_of(NULL, 0);
    ck_assert_int_eq(rd_take(&in, 0, &got), 0);
    ck_assert_int_eq(rd_take(&in, 1, &got), ERR_INPUT);
}
END_TEST

static bool is_utf8(const char *text)
{
    struct rd copy = exact_copy(text);
    bool is = rd_is_utf8(copy);

    exact_free(&copy);
    return is;
}

START_TEST(utf8_takes_every_edge_of_rfc_3629)
{
    static const char *const rows[] = {
        "",       "00",     "7F",       "41 42 43",     "C280",     "DFBF",
        "E0A080", "ED9FBF", "EE8080",   "EFBFBF",       "F0908080", "F48FBFBF",
        "C3A9",   "E282AC", "F09F9880", "41C3A9E282AC", "EFBBBF41",
    };

    for (size_t i = 0; i < N_ELEMS(rows); i++)
        ck_assert_msg(is_utf8(rows[i]), "%s", rows[i]);
}
END_TEST

START_TEST(utf8_refuses_what_rfc_3629_forbids)
{
    static const char *const rows[] = {
        "80",         "BF",           "4180",                     /* continuation alone */
        "C080",       "C1BF",         "E08080",   "E09FBF",       /* overlong */
        "F0808080",   "F08FBFBF",                                 /* overlong */
        "EDA080",     "EDBFBF",                                   /* surrogates */
        "F4908080",   "F5808080",     "F7BFBFBF",                 /* above 10FFFF */
        "F888808080", "FC8480808080", "FE",       "FF",           /* no such octet */
        "C2",         "E0A0",         "E0",       "F09080", "F0", /* cut short */
        "C241",       "E0A041",       "F0908041", "C2C2",         /* no continuation */
        "41FF",       "C28080",
    };

    for (size_t i = 0; i < N_ELEMS(rows); i++)
        ck_assert_msg(!is_utf8(rows[i]), "%s", rows[i]);
}
END_TEST

START_TEST(a_writer_of_secrets_keeps_nothing_that_it_was_told_to_forget)
{
    static const uint8_t zeros[1000];
    uint8_t octets[1000];
    struct wr w;

    memset(octets, 0x5A, sizeof octets);
    wr_init_secret(&w, 1 << 16);
    wr_put(&w, octets, 1);
    wr_put(&w, octets, sizeof octets - 1); /* moves */
    ck_assert(rd_equal(wr_view(&w), rd_of(octets, sizeof octets)));
    wr_clear(&w);
    ck_assert_mem_eq(w.p, zeros, sizeof zeros);
    wr_put(&w, octets, 1);
    ck_assert_uint_eq(w.n, 1);
    wr_done(&w);
    ck_assert_ptr_null(w.p);
    ck_assert(w.secret && w.max == 1 << 16);
}
END_TEST

START_TEST(a_fixed_writer_takes_exactly_its_size)
{
    uint8_t *memory = malloc(4);
    struct wr w;

    wr_init(&w, memory, 4);
    wr_put(&w, "abc", 3);
    wr_put_u8(&w, 'd');
    ck_assert_int_eq(wr_failed(&w), 0);
    ck_assert_uint_eq(wr_view(&w).n, 4);
    ck_assert_mem_eq(wr_view(&w).p, "abcd", 4);
    wr_put(&w, "", 0); /* nothing fits anywhere */
    ck_assert_int_eq(wr_failed(&w), 0);
    wr_put_u8(&w, 'e');
    ck_assert_int_eq(wr_failed(&w), ERR_NOMEM);
    ck_assert_uint_eq(w.n, 4);
    wr_done(&w); /* not its memory */
    free(memory);
}
END_TEST

START_TEST(what_does_not_fit_is_not_written_at_all_and_remembered)
{
    uint8_t *memory = malloc(4);
    struct wr w;

    memset(memory, 0xEE, 4);
    wr_init(&w, memory, 4);
    wr_put(&w, "ab", 2);
    wr_put(&w, "cde", 3);
    ck_assert_uint_eq(w.n, 2);
    ck_assert_uint_eq(memory[2], 0xEE);
    wr_put_u8(&w, 'x'); /* would fit, but comes behind a hole */
    ck_assert_uint_eq(w.n, 2);
    ck_assert_ptr_null(wr_reserve(&w, 1));
    ck_assert_int_eq(wr_failed(&w), ERR_NOMEM);
    wr_clear(&w);
    ck_assert_int_eq(wr_failed(&w), 0);
    wr_put(&w, "abcd", 4);
    ck_assert_int_eq(wr_failed(&w), 0);
    ck_assert_uint_eq(w.n, 4);
    free(memory);
}
END_TEST

START_TEST(a_writer_without_room_takes_nothing)
{
    struct wr w;

    wr_init(&w, NULL, 0);
    wr_put(&w, NULL, 0);
    wr_put_rd(&w, rd_of(NULL, 0));
    ck_assert_int_eq(wr_failed(&w), 0);
    wr_put_u8(&w, 1);
    ck_assert_int_eq(wr_failed(&w), ERR_NOMEM);
    ck_assert_uint_eq(w.n, 0);
}
END_TEST

START_TEST(absurd_lengths_do_not_wrap_around)
{
    uint8_t memory[4];
    struct wr w;

    wr_init(&w, memory, sizeof memory);
    wr_put_u8(&w, 1);
    ck_assert_ptr_null(wr_reserve(&w, SIZE_MAX));
    wr_init_heap(&w, 100);
    wr_put_u8(&w, 1);
    ck_assert_ptr_null(wr_reserve(&w, SIZE_MAX));
    ck_assert_int_eq(wr_failed(&w), ERR_NOMEM);
    wr_done(&w);
}
END_TEST

START_TEST(a_heap_writer_grows_up_to_its_bound)
{
    enum { BOUND = 1000 };
    struct wr w;

    wr_init_heap(&w, BOUND);
    ck_assert_uint_eq(wr_view(&w).n, 0);
    for (unsigned i = 0; i < BOUND; i++)
        wr_put_u8(&w, (uint8_t)i);
    ck_assert_int_eq(wr_failed(&w), 0);
    ck_assert_uint_eq(w.n, BOUND);
    ck_assert_uint_le(w.size, BOUND);
    for (unsigned i = 0; i < BOUND; i++)
        ck_assert_uint_eq(w.p[i], (uint8_t)i);
    wr_put_u8(&w, 0);
    ck_assert_int_eq(wr_failed(&w), ERR_NOMEM);
    ck_assert_uint_eq(w.n, BOUND);
    wr_clear(&w);
    ck_assert_ptr_nonnull(w.p); /* the memory stays */
    wr_done(&w);
    ck_assert_ptr_null(w.p);
    ck_assert_uint_eq(w.n, 0);
    wr_put(&w, "again", 5); /* same bound, empty */
    ck_assert_int_eq(wr_failed(&w), 0);
    ck_assert_mem_eq(w.p, "again", 5);
    wr_done(&w);
    wr_done(&w);
}
END_TEST

START_TEST(a_heap_writer_takes_its_bound_in_one_piece)
{
    uint8_t *octets = calloc(1, 70000);
    struct wr w;

    wr_init_heap(&w, 70000);
    wr_put(&w, octets, 70000);
    ck_assert_int_eq(wr_failed(&w), 0);
    ck_assert_uint_eq(w.n, 70000);
    wr_done(&w);
    wr_init_heap(&w, 69999);
    wr_put(&w, octets, 70000);
    ck_assert_int_eq(wr_failed(&w), ERR_NOMEM);
    ck_assert_uint_eq(w.n, 0);
    wr_done(&w);
    free(octets);
}
END_TEST

START_TEST(reserve_says_where_the_octets_go)
{
    struct wr w;

    wr_init_heap(&w, 10);
    wr_put(&w, "ab", 2);
    uint8_t *at = wr_reserve(&w, 8);
    ck_assert_ptr_eq(at, w.p + 2);
    ck_assert_uint_eq(w.n, 10);
    memset(at, 'x', 8);
    ck_assert_ptr_null(wr_reserve(&w, 1));
    wr_done(&w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("buf");
    TCase *cases = tcase_create("buf");

    tcase_add_test(cases, a_view_of_a_string_leaves_out_its_zero);
    tcase_add_test(cases, equal_means_same_length_and_same_octets);
    tcase_add_test(cases, taking_consumes_from_the_front_up_to_the_end);
    tcase_add_test(cases, utf8_takes_every_edge_of_rfc_3629);
    tcase_add_test(cases, utf8_refuses_what_rfc_3629_forbids);
    tcase_add_test(cases, a_writer_of_secrets_keeps_nothing_that_it_was_told_to_forget);
    tcase_add_test(cases, a_fixed_writer_takes_exactly_its_size);
    tcase_add_test(cases, what_does_not_fit_is_not_written_at_all_and_remembered);
    tcase_add_test(cases, a_writer_without_room_takes_nothing);
    tcase_add_test(cases, absurd_lengths_do_not_wrap_around);
    tcase_add_test(cases, a_heap_writer_grows_up_to_its_bound);
    tcase_add_test(cases, a_heap_writer_takes_its_bound_in_one_piece);
    tcase_add_test(cases, reserve_says_where_the_octets_go);
    suite_add_tcase(suite, cases);
    return suite_status(suite);
}
