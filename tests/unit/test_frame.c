/* test_frame.c - the framing of the vpcd protocol. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/testlib/suite.h"
#include "vpcd/frame.h"

/* OFF, ON, RESET, ATR, an APDU of four octets, and what is to be skipped in between. */
static const uint8_t stream[] = {
    0, 1, 0x00, 0, 0, 0,    1, 0x01, 0,    1,    0x03, 0,    1, 0x02, 0,    0,
    0, 1, 0xFF, 0, 1, 0x04, 0, 4,    0x00, 0xA4, 0x00, 0x04, 0, 1,    0x04,
};
static const enum frame_kind kinds[] = { FRAME_OFF, FRAME_ON,   FRAME_RESET,
                                         FRAME_ATR, FRAME_APDU, FRAME_ATR };
enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

static struct frames *frames;

static void setup(void)
{
    frames = malloc(sizeof *frames);
    ck_assert_ptr_nonnull(frames);
    frames_reset(frames);
}

static void teardown(void)
{
    free(frames);
}

static void feed(const uint8_t *p, size_t n)
{
    size_t room;
    uint8_t *space = frames_space(frames, &room);

    ck_assert_uint_ge(room, n);
    memcpy(space, p, n);
    frames_received(frames, n);
}

/* Takes what is there; the number of frames, which must be those of kinds[from]... */
static size_t take(size_t from)
{
    struct frame f;
    size_t n = 0;

    for (; frames_next(frames, &f); n++) {
        ck_assert_uint_lt(from + n, N_KINDS);
        ck_assert_int_eq(f.kind, kinds[from + n]);
        if (f.kind == FRAME_APDU) {
            ck_assert_uint_eq(f.n, 4);
            ck_assert_mem_eq(f.apdu, ((uint8_t[]){ 0x00, 0xA4, 0x00, 0x04 }), 4);
        }
    }
    return n;
}

START_TEST(frames_that_come_merged_are_told_apart)
{
    feed(stream, sizeof stream);
    ck_assert_uint_eq(take(0), N_KINDS);
}
END_TEST

START_TEST(frames_may_be_cut_anywhere)
{
    for (size_t cut = 0; cut <= sizeof stream; cut++) {
        feed(stream, cut);
        size_t n = take(0);
        feed(stream + cut, sizeof stream - cut);
        n += take(n);
        ck_assert_uint_eq(n, N_KINDS);
    }
}
END_TEST

START_TEST(frames_may_come_octet_by_octet)
{
    size_t n = 0;

    for (size_t i = 0; i < sizeof stream; i++) {
        feed(stream + i, 1);
        n += take(n);
    }
    ck_assert_uint_eq(n, N_KINDS);
}
END_TEST

START_TEST(unknown_codes_and_empty_frames_mean_nothing)
{
    struct frame f;

    for (unsigned code = 0; code <= 0xFF; code++) {
        if (code <= 2 || code == 4)
            continue;
        feed((uint8_t[]){ 0, 0, 0, 1, (uint8_t)code }, 5);
        ck_assert(!frames_next(frames, &f));
    }
}
END_TEST

START_TEST(the_shortest_apdu_is_two_octets)
{
    struct frame f;

    feed((uint8_t[]){ 0, 2, 0, 1 }, 4);
    ck_assert(frames_next(frames, &f));
    ck_assert_int_eq(f.kind, FRAME_APDU);
    ck_assert_uint_eq(f.n, 2);
}
END_TEST

START_TEST(the_longest_frame_fits_behind_others)
{
    enum { PIECE = 1000 };
    static const uint8_t zeros[PIECE];
    struct frame f;

    feed((uint8_t[]){ 0, 1, 4, 0xFF, 0xFF }, 5);
    ck_assert(frames_next(frames, &f));
    for (size_t left = FRAME_BODY_MAX; left > 0;) {
        ck_assert(!frames_next(frames, &f));
        size_t n = left < PIECE ? left : PIECE;
        feed(zeros, n);
        left -= n;
    }
    ck_assert(frames_next(frames, &f));
    ck_assert_int_eq(f.kind, FRAME_APDU);
    ck_assert_uint_eq(f.n, FRAME_BODY_MAX);
    ck_assert(!frames_next(frames, &f));
}
END_TEST

START_TEST(a_full_buffer_holds_a_whole_frame)
{
    struct frame f;
    size_t room;

    memset(frames_space(frames, &room), 0xFF, sizeof frames->bytes);
    ck_assert_uint_eq(room, sizeof frames->bytes);
    frames_received(frames, room);
    ck_assert(frames_next(frames, &f));
    ck_assert_uint_eq(f.n, FRAME_BODY_MAX);
    frames_space(frames, &room);
    ck_assert_uint_eq(room, sizeof frames->bytes);
}
END_TEST

START_TEST(a_new_connection_starts_afresh)
{
    struct frame f;

    feed((uint8_t[]){ 0, 9, 1 }, 3);
    ck_assert(!frames_next(frames, &f));
    frames_reset(frames);
    feed((uint8_t[]){ 0, 1, 4 }, 3);
    ck_assert(frames_next(frames, &f));
    ck_assert_int_eq(f.kind, FRAME_ATR);
}
END_TEST

START_TEST(the_header_of_an_answer_is_big_endian)
{
    uint8_t header[FRAME_HEADER_LEN];

    frame_put_header(header, 0x1234);
    ck_assert_mem_eq(header, ((uint8_t[]){ 0x12, 0x34 }), 2);
    frame_put_header(header, FRAME_BODY_MAX);
    ck_assert_mem_eq(header, ((uint8_t[]){ 0xFF, 0xFF }), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("frame");
    TCase *tc = tcase_create("frame");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, frames_that_come_merged_are_told_apart);
    tcase_add_test(tc, frames_may_be_cut_anywhere);
    tcase_add_test(tc, frames_may_come_octet_by_octet);
    tcase_add_test(tc, unknown_codes_and_empty_frames_mean_nothing);
    tcase_add_test(tc, the_shortest_apdu_is_two_octets);
    tcase_add_test(tc, the_longest_frame_fits_behind_others);
    tcase_add_test(tc, a_full_buffer_holds_a_whole_frame);
    tcase_add_test(tc, a_new_connection_starts_afresh);
    tcase_add_test(tc, the_header_of_an_answer_is_big_endian);
    suite_add_tcase(suite, tc);

    return suite_status(suite);
}
