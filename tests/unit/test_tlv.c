/* test_tlv.c - os/tlv: reading at every edge, minimal DER out (X.690 8.1, 10.1). */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "os/err.h"
#include "os/tlv.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

static struct wr w;

static void set_up(void)
{
    wr_init_heap(&w, 1 << 20);
}

static void tear_down(void)
{
    wr_done(&w);
}

static void check_written(const char *want)
{
    struct rd octets = exact_copy(want);

    ck_assert_int_eq(wr_failed(&w), 0);
    ck_assert_uint_eq(w.n, octets.n);
    if (w.n > 0)
        ck_assert_mem_eq(w.p, octets.p, octets.n);
    exact_free(&octets);
    wr_clear(&w);
}

/* Lengths of contents, and how they are written. */
static const struct {
    size_t n;
    const char *len;
} edges[] = {
    { 0x0, "00" },    { 0x1, "01" },       { 0x7F, "7F" },       { 0x80, "8180" },
    { 0xFF, "81FF" }, { 0x100, "820100" }, { 0xFFFF, "82FFFF" }, { 0x10000, "83010000" },
};

/* tag, the length of edges[i], and that many octets; from malloc. */
static struct rd made(const char *tag, size_t i)
{
    uint8_t *octets = malloc(edges[i].n + 16);

    ck_assert_ptr_nonnull(octets);
    size_t at = hex(tag, octets, 4);
    at += hex(edges[i].len, octets + at, 8);
    for (size_t k = 0; k < edges[i].n; k++)
        octets[at + k] = (uint8_t)(k * 31 + 1);
    struct rd copy = exact_copy_of(rd_of(octets, at + edges[i].n));
    free(octets);
    return copy;
}

/* --- reading ---------------------------------------------------------------------------------- */

START_TEST(a_tag_list_is_read_tag_by_tag)
{
    static const uint32_t tags[] = { 0x5A, 0x9F70, 0xBF2D, 0x5F8101, 0x80 };
    struct rd copy = exact_copy("5A 9F70 BF2D 5F8101 80"), in = copy;
    uint32_t tag;

    for (size_t i = 0; i < N_ELEMS(tags); i++) {
        ck_assert_int_eq(tlv_tag(&in, &tag), 0);
        ck_assert_uint_eq(tag, tags[i]);
        tlv_put_tag(&w, tag);
    }
    ck_assert_int_eq(tlv_tag(&in, &tag), ERR_INPUT);
    exact_free(&copy);
    check_written("5A 9F70 BF2D 5F8101 80");
}
END_TEST

START_TEST(half_a_tag_is_none_and_stays)
{
    static const char *const rows[] = { "9F", "BF", "5F81", "5F818181", "5F81818101" };
    struct rd copy = exact_copy(rows[_i]), in = copy;
    uint32_t tag;

    ck_assert_int_eq(tlv_tag(&in, &tag), ERR_INPUT);
    ck_assert_uint_eq(in.n, copy.n);
    exact_free(&copy);
}
END_TEST

START_TEST(reads_every_length_at_its_edges)
{
    struct rd copy = made("BF2D", (size_t)_i), in = copy;
    struct tlv t;

    ck_assert_int_eq(tlv_get(&in, &t), 0);
    ck_assert_uint_eq(t.tag, 0xBF2D);
    ck_assert_uint_eq(t.value.n, edges[_i].n);
    ck_assert_ptr_eq(t.value.p, copy.p + copy.n - edges[_i].n);
    ck_assert_ptr_eq(t.whole.p, copy.p);
    ck_assert_uint_eq(t.whole.n, copy.n);
    ck_assert_uint_eq(in.n, 0);
    exact_free(&copy);
}
END_TEST

START_TEST(every_truncation_is_refused_with_nothing_consumed)
{
    struct rd copy = made("9F70", (size_t)_i);

    for (size_t n = 0; n < copy.n; n += n < 1000 || n + 1000 > copy.n ? 1 : 997) {
        struct rd shorter = exact_copy_of(rd_of(copy.p, n)), in = shorter;
        struct tlv t = { .tag = 0xEEEE };
        ck_assert_int_eq(tlv_get(&in, &t), ERR_INPUT);
        ck_assert_uint_eq(in.n, n);
        ck_assert_ptr_eq(in.p, shorter.p);
        ck_assert_int_eq(tlv_expect(&in, 0x9F70, &t), ERR_INPUT);
        ck_assert_uint_eq(in.n, n);
        ck_assert_uint_eq(t.tag, 0xEEEE);
        exact_free(&shorter);
    }
    exact_free(&copy);
}
END_TEST

START_TEST(a_header_may_stand_before_an_incomplete_value)
{
    struct rd copy = exact_copy("BF36 82 1234 00"), in = copy;
    uint32_t tag = 0;
    size_t len = 0;

    ck_assert_int_eq(tlv_header(&in, &tag, &len), 0);
    ck_assert_uint_eq(tag, 0xBF36);
    ck_assert_uint_eq(len, 0x1234);
    ck_assert_uint_eq(in.n, 1);
    for (size_t n = 0; n < 5; n++) {
        struct rd shorter = exact_copy_of(rd_of(copy.p, n));
        in = shorter;
        ck_assert_int_eq(tlv_header(&in, &tag, &len), ERR_INPUT);
        ck_assert_uint_eq(in.n, n);
        exact_free(&shorter);
    }
    exact_free(&copy);
}
END_TEST

START_TEST(reads_tags_of_one_to_three_octets_and_lengths_that_are_not_minimal)
{
    static const struct {
        const char *text;
        uint32_t tag;
        size_t n;
    } rows[] = {
        { "5A 01 FF", 0x5A, 1 },
        { "00 00", 0x00, 0 },
        { "1E 00", 0x1E, 0 },
        { "9F70 00", 0x9F70, 0 },
        { "9F7F 00", 0x9F7F, 0 },
        { "1F8101 00", 0x1F8101, 0 },
        { "BFFF7F 00", 0xBFFF7F, 0 },
        { "5A 8101 FF", 0x5A, 1 },
        { "5A 820001 FF", 0x5A, 1 },
        { "5A 83000001 FF", 0x5A, 1 },
        { "5A 8400000001 FF", 0x5A, 1 },
        { "5A 8100", 0x5A, 0 },
    };
    struct rd copy = exact_copy(rows[_i].text), in = copy;
    struct tlv t;

    ck_assert_int_eq(tlv_get(&in, &t), 0);
    ck_assert_uint_eq(t.tag, rows[_i].tag);
    ck_assert_uint_eq(t.value.n, rows[_i].n);
    ck_assert_uint_eq(in.n, 0);
    exact_free(&copy);
}
END_TEST

START_TEST(refuses_what_is_no_tlv)
{
    static const char *const rows[] = {
        "",
        "5A",
        "1F",                  /* tag goes on */
        "BF",                  /* the same */
        "BF80",                /* the same */
        "BF8080",              /* the same */
        "BF808001 00",         /* four octets */
        "5A 80 0000",          /* indefinite length */
        "5A 8500000000 01 FF", /* five octets of length */
        "5A FF",               /* reserved */
        "5A 02 89",            /* past the end */
        "5A 84FFFFFFFF 00",    /* far past it */
        "5A 8480000000 00",    /* past it, and a sign bit */
    };
    struct rd copy = exact_copy(rows[_i]), in = copy;
    struct tlv t;

    ck_assert_int_eq(tlv_get(&in, &t), ERR_INPUT);
    ck_assert_uint_eq(in.n, copy.n);
    ck_assert_ptr_eq(in.p, copy.p);
    ck_assert(copy.n == 0 || !tlv_all_whole(copy));
    exact_free(&copy);
}
END_TEST

START_TEST(expect_takes_the_right_tag_only)
{
    struct rd copy = exact_copy("80 01 AA 81 01 BB"), in = copy;
    struct tlv t;

    ck_assert_int_eq(tlv_expect(&in, 0x81, &t), ERR_INPUT);
    ck_assert_uint_eq(in.n, 6);
    ck_assert_int_eq(tlv_expect(&in, 0x80, &t), 0);
    ck_assert_uint_eq(t.value.p[0], 0xAA);
    ck_assert_int_eq(tlv_expect(&in, 0x81, &t), 0);
    ck_assert_uint_eq(t.value.p[0], 0xBB);
    ck_assert_uint_eq(in.n, 0);
    exact_free(&copy);
}
END_TEST

START_TEST(find_passes_over_others_and_stops_at_damage)
{
    struct rd copy = exact_copy("80 01 01 9F70 01 02 80 01 03 BF22 00 80 01 04 81 05 00");
    struct tlv t = { .tag = 0xEEEE };

    ck_assert(tlv_find(copy, 0x9F70, &t));
    ck_assert_uint_eq(t.value.p[0], 2);
    ck_assert(tlv_find(copy, 0xBF22, &t));
    ck_assert_uint_eq(t.value.n, 0);
    for (unsigned i = 0; i < 3; i++) {
        static const uint8_t values[] = { 1, 3, 4 };
        ck_assert(tlv_find_nth(copy, 0x80, i, &t));
        ck_assert_uint_eq(t.value.p[0], values[i]);
    }
    t.tag = 0xEEEE;
    ck_assert(!tlv_find_nth(copy, 0x80, 3, &t));
    ck_assert(!tlv_find(copy, 0x81, &t)); /* damaged */
    ck_assert(!tlv_find(copy, 0x82, &t));
    ck_assert(!tlv_find(rd_of(NULL, 0), 0x80, &t));
    ck_assert_uint_eq(t.tag, 0xEEEE);
    exact_free(&copy);
}
END_TEST

START_TEST(all_whole_is_what_it_says)
{
    static const struct {
        const char *text;
        bool whole;
    } rows[] = { { "", true },         { "5A00", true },       { "5A00 9F7001FF", true },
                 { "5A", false },      { "5A00 9F70", false }, { "5A01", false },
                 { "5A00 00", false }, { "5A00 0000", true } };
    struct rd copy = exact_copy(rows[_i].text);

    ck_assert(tlv_all_whole(copy) == rows[_i].whole);
    exact_free(&copy);
}
END_TEST

START_TEST(integers_read_at_their_sign_edges)
{
    static const struct {
        const char *text;
        uint64_t v;
    } rows[] = {
        { "00", 0 },
        { "01", 1 },
        { "7F", 0x7F },
        { "0080", 0x80 },
        { "00FF", 0xFF },
        { "0100", 0x100 },
        { "7FFF", 0x7FFF },
        { "008000", 0x8000 },
        { "0000000001", 1 }, /* not minimal */
        { "7FFFFFFFFFFFFFFF", 0x7FFFFFFFFFFFFFFF },
        { "008000000000000000", 0x8000000000000000 },
        { "00FFFFFFFFFFFFFFFF", 0xFFFFFFFFFFFFFFFF },
    };
    struct rd copy = exact_copy(rows[_i].text);
    uint64_t v = 99;

    ck_assert_int_eq(tlv_uint(copy, &v), 0);
    ck_assert(v == rows[_i].v);
    exact_free(&copy);
}
END_TEST

START_TEST(integers_that_are_negative_or_too_long_are_refused)
{
    static const char *const rows[] = {
        "", "80", "FF", "FF00", "8000000000000000", "010000000000000000", "00000000000000000001"
    };
    struct rd copy = exact_copy(rows[_i]);
    uint64_t v = 99;

    ck_assert_int_eq(tlv_uint(copy, &v), ERR_INPUT);
    ck_assert_uint_eq(v, 99);
    exact_free(&copy);
}
END_TEST

START_TEST(bit_strings_read_as_named_bits)
{
    static const struct {
        const char *text;
        uint32_t bits;
    } rows[] = {
        { "00", 0 },
        { "0780", 1 << 0 },
        { "0640", 1 << 1 },
        { "0520", 1 << 2 },
        { "0410", 1 << 3 },
        { "00FF", 0xFF },
        { "0560", 1 << 1 | 1 << 2 },
        { "05E0", 7 },
        { "07FF", 1 }, /* unused bits do not count */
        { "0080", 1 }, /* not minimal */
        { "070080", 1 << 8 },
        { "0000000001", UINT32_C(1) << 31 },
        { "0000000001FFFF", UINT32_C(1) << 31 }, /* the first 32 */
    };
    struct rd copy = exact_copy(rows[_i].text);
    uint32_t bits = 99;

    ck_assert_int_eq(tlv_bits(copy, &bits), 0);
    ck_assert_uint_eq(bits, rows[_i].bits);
    exact_free(&copy);
}
END_TEST

START_TEST(bit_strings_that_are_none_are_refused)
{
    static const char *const rows[] = { "", "08FF", "FFFF", "01", "07" };
    struct rd copy = exact_copy(rows[_i]);
    uint32_t bits = 99;

    ck_assert_int_eq(tlv_bits(copy, &bits), ERR_INPUT);
    ck_assert_uint_eq(bits, 99);
    exact_free(&copy);
}
END_TEST

/* --- writing ---------------------------------------------------------------------------------- */

START_TEST(open_and_close_fill_in_the_minimal_length)
{
    struct rd want = made("BF2D", (size_t)_i);
    size_t header = want.n - edges[_i].n;

    struct wr_mark m = tlv_open(&w, 0xBF2D);
    wr_put(&w, want.p + header, edges[_i].n);
    tlv_close(&w, m);
    ck_assert_int_eq(wr_failed(&w), 0);
    ck_assert_uint_eq(w.n, want.n);
    ck_assert_mem_eq(w.p, want.p, want.n);
    ck_assert_uint_eq(tlv_header_len(0xBF2D, edges[_i].n), header);

    wr_clear(&w);
    tlv_put(&w, 0xBF2D, rd_of(want.p + header, edges[_i].n));
    ck_assert_uint_eq(w.n, want.n);
    ck_assert_mem_eq(w.p, want.p, want.n);

    wr_clear(&w);
    tlv_put_header(&w, 0xBF2D, edges[_i].n);
    ck_assert_uint_eq(w.n, header);
    ck_assert_mem_eq(w.p, want.p, header);
    exact_free(&want);
}
END_TEST

START_TEST(an_exactly_full_buffer_works_and_one_octet_less_fails)
{
    struct rd want = made("5A", (size_t)_i);
    size_t header = want.n - edges[_i].n;

    for (size_t room = want.n; room + 1 >= want.n; room--) {
        uint8_t *memory = malloc(room);
        struct wr opened, put;
        ck_assert_ptr_nonnull(memory);
        wr_init(&opened, memory, room);
        struct wr_mark m = tlv_open(&opened, 0x5A);
        wr_put(&opened, want.p + header, edges[_i].n);
        tlv_close(&opened, m);
        ck_assert_int_eq(wr_failed(&opened), room == want.n ? 0 : ERR_NOMEM);
        if (room == want.n)
            ck_assert_mem_eq(memory, want.p, want.n);
        memset(memory, 0, room);
        wr_init(&put, memory, room);
        tlv_put(&put, 0x5A, rd_of(want.p + header, edges[_i].n));
        ck_assert_int_eq(wr_failed(&put), room == want.n ? 0 : ERR_NOMEM);
        if (room == want.n)
            ck_assert_mem_eq(memory, want.p, want.n);
        free(memory);
    }
    exact_free(&want);
}
END_TEST

START_TEST(open_ones_nest_while_inner_bodies_move)
{
    struct wr_mark outer = tlv_open(&w, 0xBF2D);
    struct wr_mark middle = tlv_open(&w, 0xA0);
    for (int i = 0; i < 2; i++) {
        struct wr_mark inner = tlv_open(&w, 0xE3);
        for (int k = 0; k < 200; k++)
            wr_put_u8(&w, (uint8_t)k);
        tlv_close(&w, inner);
    }
    tlv_close(&w, middle);
    tlv_close(&w, outer);
    ck_assert_int_eq(wr_failed(&w), 0);

    struct rd in = wr_view(&w);
    struct tlv t, child;
    ck_assert_int_eq(tlv_expect(&in, 0xBF2D, &t), 0);
    ck_assert_uint_eq(in.n, 0);
    in = t.value;
    ck_assert_int_eq(tlv_expect(&in, 0xA0, &t), 0);
    ck_assert_uint_eq(in.n, 0);
    ck_assert(tlv_all_whole(t.value));
    for (unsigned i = 0; i < 2; i++) {
        ck_assert(tlv_find_nth(t.value, 0xE3, i, &child));
        ck_assert_uint_eq(child.value.n, 200);
        for (unsigned k = 0; k < 200; k++)
            ck_assert_uint_eq(child.value.p[k], k);
    }
}
END_TEST

START_TEST(tags_are_written_in_as_many_octets_as_they_have)
{
    tlv_put(&w, 0x5A, rd_of(NULL, 0));
    check_written("5A00");
    tlv_put(&w, 0x9F70, rd_of(NULL, 0));
    check_written("9F7000");
    tlv_put(&w, 0xBF8101, rd_of(NULL, 0));
    check_written("BF810100");
    ck_assert_uint_eq(tlv_header_len(0x5A, 0), 2);
    ck_assert_uint_eq(tlv_header_len(0xFF, 0x7F), 2);
    ck_assert_uint_eq(tlv_header_len(0x9F70, 0x80), 4);
    ck_assert_uint_eq(tlv_header_len(0xBF8101, 0x100), 6);
}
END_TEST

START_TEST(text_and_single_octets)
{
    tlv_put_str(&w, 0x80, "abc");
    check_written("8003616263");
    tlv_put_str(&w, 0x80, "");
    check_written("8000");
    tlv_put_u8(&w, 0x9F70, 0xFF);
    check_written("9F7001FF");
}
END_TEST

START_TEST(integers_are_written_minimal_and_positive)
{
    static const struct {
        uint64_t v;
        const char *text;
    } rows[] = {
        { 0, "020100" },
        { 1, "020101" },
        { 0x7F, "02017F" },
        { 0x80, "02020080" },
        { 0xFF, "020200FF" },
        { 0x100, "02020100" },
        { 0x7FFF, "02027FFF" },
        { 0x8000, "0203008000" },
        { 0xFFFFFFFF, "020500FFFFFFFF" },
        { 0x7FFFFFFFFFFFFFFF, "02087FFFFFFFFFFFFFFF" },
        { 0x8000000000000000, "0209008000000000000000" },
        { 0xFFFFFFFFFFFFFFFF, "020900FFFFFFFFFFFFFFFF" },
    };

    tlv_put_uint(&w, 0x02, rows[_i].v);
    struct rd in = wr_view(&w);
    struct tlv t;
    uint64_t v;
    ck_assert_int_eq(tlv_get(&in, &t), 0);
    ck_assert_int_eq(tlv_uint(t.value, &v), 0);
    ck_assert(v == rows[_i].v);
    check_written(rows[_i].text);
}
END_TEST

START_TEST(named_bits_are_written_without_trailing_zeros)
{
    static const struct {
        uint32_t bits;
        const char *text;
    } rows[] = {
        { 0, "810100" },
        { 1, "81020780" },
        { 1 << 1, "81020640" },
        { 1 << 3, "81020410" },
        { 6, "81020560" },
        { 0x80, "81020001" },
        { 0x100, "8103070080" },
        { 0xFFFF, "810300FFFF" },
        { UINT32_C(1) << 31, "81050000000001" },
        { UINT32_MAX, "810500FFFFFFFF" },
    };

    tlv_put_bits(&w, 0x81, rows[_i].bits);
    struct rd in = wr_view(&w);
    struct tlv t;
    uint32_t bits;
    ck_assert_int_eq(tlv_get(&in, &t), 0);
    ck_assert_int_eq(tlv_bits(t.value, &bits), 0);
    ck_assert_uint_eq(bits, rows[_i].bits);
    check_written(rows[_i].text);
}
END_TEST

START_TEST(closing_a_failed_writer_does_no_harm)
{
    uint8_t memory[1];
    struct wr small;

    wr_init(&small, memory, sizeof memory);
    struct wr_mark m = tlv_open(&small, 0xBF2D);
    tlv_put_u8(&small, 0x80, 1);
    tlv_close(&small, m);
    ck_assert_int_eq(wr_failed(&small), ERR_NOMEM);
    wr_init(&small, NULL, 0);
    m = tlv_open(&small, 0x5A);
    tlv_close(&small, m);
    ck_assert_int_eq(wr_failed(&small), ERR_NOMEM);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tlv");
    TCase *cases = tcase_create("tlv");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_tag_list_is_read_tag_by_tag);
    tcase_add_loop_test(cases, half_a_tag_is_none_and_stays, 0, 5);
    tcase_add_loop_test(cases, reads_every_length_at_its_edges, 0, N_ELEMS(edges));
    tcase_add_loop_test(cases, every_truncation_is_refused_with_nothing_consumed, 0,
                        N_ELEMS(edges));
    tcase_add_test(cases, a_header_may_stand_before_an_incomplete_value);
    tcase_add_loop_test(cases, reads_tags_of_one_to_three_octets_and_lengths_that_are_not_minimal,
                        0, 12);
    tcase_add_loop_test(cases, refuses_what_is_no_tlv, 0, 13);
    tcase_add_test(cases, expect_takes_the_right_tag_only);
    tcase_add_test(cases, find_passes_over_others_and_stops_at_damage);
    tcase_add_loop_test(cases, all_whole_is_what_it_says, 0, 8);
    tcase_add_loop_test(cases, integers_read_at_their_sign_edges, 0, 12);
    tcase_add_loop_test(cases, integers_that_are_negative_or_too_long_are_refused, 0, 7);
    tcase_add_loop_test(cases, bit_strings_read_as_named_bits, 0, 13);
    tcase_add_loop_test(cases, bit_strings_that_are_none_are_refused, 0, 5);
    tcase_add_loop_test(cases, open_and_close_fill_in_the_minimal_length, 0, N_ELEMS(edges));
    tcase_add_loop_test(cases, an_exactly_full_buffer_works_and_one_octet_less_fails, 0,
                        N_ELEMS(edges));
    tcase_add_test(cases, open_ones_nest_while_inner_bodies_move);
    tcase_add_test(cases, tags_are_written_in_as_many_octets_as_they_have);
    tcase_add_test(cases, text_and_single_octets);
    tcase_add_loop_test(cases, integers_are_written_minimal_and_positive, 0, 12);
    tcase_add_loop_test(cases, named_bits_are_written_without_trailing_zeros, 0, 10);
    tcase_add_test(cases, closing_a_failed_writer_does_no_harm);
    suite_add_tcase(suite, cases);
    return suite_status(suite);
}
