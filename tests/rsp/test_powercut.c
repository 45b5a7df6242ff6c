/* test_powercut.c - power is cut at each write of each function that writes: afterwards the card is
 * as before or as after, an installation in hand has left nothing or its one result, no sequence
 * number comes twice, and the next download works.
 *
 * Card and server are seeded, so that "as after" is a digest that a run without a cut has. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "os/err.h"
#include "tests/rsp/bench.h"
#include "tests/rsp/eim.h"
#include "tests/testlib/suite.h"

#define SEED "power cut"

/* Contents of a SubjectPublicKeyInfo. */
#define EIM_KEY                                                                                    \
    "3013 06072A8648CE3D0201 06082A8648CE3D030107 0342 0004"                                       \
    "E4D8B6D33CC5ABB9E3BBF5E14A4CDFE5149D89C1B84C4FEB6A1DEDE7D76BB583"                             \
    "F86E67CCB52EB18BE188EEFB8A8394F32B609E2E7B35F0BBAD8855CC40A02D45"

enum {
    NEVER = 1 << 20,   /* writes that no function makes */
    CUTS_MAX = 200,    /* no function makes more */
    INTERRUPTION = 11, /* ErrorReason */
};

/* --- the steps -------------------------------------------------------------------------------- */

static void two_profiles_one_enabled(struct bench *b)
{
    bench_download(b, 1);
    bench_download(b, 2);
    card_expect(&b->card, "BF3111 A00C 5A0A 980010000000000010F9 810100", "BF3103800100");
    card_expect(&b->card, "BF2910 5A0A 980010000000000010F9 9002 6162", "BF2903800100");
    card_expect(&b->card, "BF3F05 8003 612E62", "BF3F03800100");
}

static void authenticated(struct bench *b)
{
    two_profiles_one_enabled(b);
    ck_assert_int_eq(bench_authenticate(b, NULL), 0);
}

static void installing(struct bench *b)
{
    struct rd pieces[LPA_PIECES_MAX];

    bench_reach_prepared(b);
    server_bind(&b->server, &(struct bpp_plan){ .ppk = true }, &b->bpp);
    bench_slice(b, pieces);
    for (size_t i = 0; i < 3; i++)
        ck_assert_uint_eq(card_es10(&b->card, pieces[i]), 0x9000);
}

static void refresh_fetched(struct bench *b)
{
    static const uint8_t profile[] = { 0x80, 0x10, 0x00, 0x00, 0x04, 0xFF, 0xFF, 0xFF, 0xFF };

    two_profiles_one_enabled(b);
    ck_assert_uint_eq(card_apdu(&b->card, profile, sizeof profile), 0x9000);
    card_expect(&b->card, "BF3111 A00C 5A0A 980010000000000020F9 8101FF", "BF3103800100");
    const uint8_t fetch[] = { 0x80, 0x12, 0x00, 0x00, (uint8_t)b->card.sw };
    ck_assert_uint_eq(card_apdu(&b->card, fetch, sizeof fetch), 0x9000);
}

static void load_crl(struct bench *b)
{
    static const uint8_t number[] = { 0x12, 0x34 };
    const struct rd serial = rd_of(number, sizeof number);
    struct wr crl;

    wr_init_heap(&crl, MESSAGE_MAX);
    ck_assert_int_eq(
        crl_issue(b->server.c, b->server.ci, b->server.ci_key, 1, 0, &serial, 1, 1700000000, &crl),
        0);
    server_put_load_crl(wr_view(&crl), &b->request);
    card_es10(&b->card, wr_view(&b->request));
    wr_done(&crl);
}

static void prepare(struct bench *b)
{
    server_prepare(&b->server, &(struct prepare_plan){ .cc_required = false }, &b->request);
    card_es10(&b->card, wr_view(&b->request));
}

static void cancel(struct bench *b)
{
    server_cancel(&b->server, 5, &b->request);
    card_es10(&b->card, wr_view(&b->request));
}

static void refuse_refresh(struct bench *b)
{
    static const uint8_t response[] = { 0x80, 0x14, 0x00, 0x00, 0x0C, 0x81, 0x03, 0x01, 0x01,
                                        0x04, 0x82, 0x02, 0x82, 0x81, 0x83, 0x01, 0x20 };

    card_apdu(&b->card, response, sizeof response);
}

static void rollback_granted(struct bench *b)
{
    struct test_eim eim;

    two_profiles_one_enabled(b);
    test_eim_open(&eim, &b->server, "eim1", EIM_KEY_1);
    test_eim_associate(&eim, &b->card, true);
    test_eim_do(&eim, &b->card, "A0{ A3{" ICCID_OF(2) "0500 } }", "830100");
    test_eim_close(&eim);
}

static const struct step {
    const char *what;
    void (*reach)(struct bench *b);
    const char *request; /* hex, or */
    void (*act)(struct bench *b);
    bool interrupts; /* an installation */
} steps[] = {
    { "EnableProfile", two_profiles_one_enabled, "BF3111 A00C 5A0A 980010000000000020F9 810100",
      NULL, false },
    { "DisableProfile", two_profiles_one_enabled, "BF3211 A00C 5A0A 980010000000000010F9 810100",
      NULL, false },
    { "DeleteProfile", two_profiles_one_enabled, "BF330C 5A0A 980010000000000020F9", NULL, false },
    { "SetNickname", two_profiles_one_enabled, "BF2911 5A0A 980010000000000010F9 9003 636465", NULL,
      false },
    { "SetDefaultDpAddress", two_profiles_one_enabled, "BF3F05 8003 632E64", NULL, false },
    { "eUICCMemoryReset", two_profiles_one_enabled, "BF3404 820205E0", NULL, false },
    { "RemoveNotificationFromList", two_profiles_one_enabled, "BF3003 800102", NULL, false },
    { "AddInitialEim", two_profiles_one_enabled,
      "BF57 {A0 {30 {8004 65696D31 830100 8401FF A5 {A0 {" EIM_KEY "}}}"
      "          30 {8004 65696D32 830100 A5 {A0 {" EIM_KEY "}}}}}",
      NULL, false },
    { "ProfileRollback", rollback_granted, "BF5803 800100", NULL, false },
    { "LoadCRL", two_profiles_one_enabled, NULL, load_crl, false },
    { "PrepareDownload", authenticated, NULL, prepare, false },
    { "TERMINAL RESPONSE", refresh_fetched, NULL, refuse_refresh, false },
    { "CancelSession", installing, NULL, cancel, true },
    { "GetEUICCChallenge", installing, "BF2E00", NULL, true },
};

static void act(const struct step *step, struct bench *b)
{
    if (step->act != NULL)
        step->act(b);
    else
        card_es10_hex(&b->card, step->request);
}

/* --- what must hold --------------------------------------------------------------------------- */

/* The installation that was in hand has left one result, signed, and nothing else. */
static void assert_one_result(struct bench *b, unsigned pending_before)
{
    ck_assert_uint_eq(card_pending(&b->card), pending_before + 1);
    ck_assert_uint_eq(card_es10_hex(&b->card, "BF2B00"), 0x9000);
    wr_clear(&b->result);
    wr_put_rd(&b->result, message_at(wr_view(&b->card.data), "BF2B/A0/BF37").whole);
    server_take_notification(&b->server, wr_view(&b->result), &b->read);
    ck_assert(!b->read.success);
    ck_assert_int_eq(b->read.error_reason, INTERRUPTION);
}

static void assert_goes_on(struct bench *b, uint64_t last_before)
{
    bench_download(b, 7);
    ck_assert_uint_gt((uint64_t)b->read.seq_number, last_before);
}

struct state {
    char digest[CARD_DIGEST_LEN];
    uint64_t room, last;
    unsigned profiles, pending;
};

static struct state look(struct bench *b)
{
    struct state s;

    card_digest(&b->card, s.digest);
    s.room = card_free_memory(&b->card);
    s.last = card_last_sequence(&b->card);
    s.profiles = card_profiles(&b->card);
    s.pending = card_pending(&b->card);
    return s;
}

static void open_at(struct bench *b, const struct step *step)
{
    bench_open_as(b, &(struct bench_options){ .seed = SEED });
    step->reach(b);
}

/* The digest after the step, without a cut and a reset behind it. */
static void after_digest(const struct step *step, char ret[CARD_DIGEST_LEN])
{
    struct bench b;

    open_at(&b, step);
    look(&b);
    act(step, &b);
    card_reset(&b.card);
    card_digest(&b.card, ret);
    bench_close(&b);
}

/* One run with a cut after this many writes.  false: the step needed no more. */
static bool cut_once(const struct step *step, unsigned writes, const char *after)
{
    char now[CARD_DIGEST_LEN];
    struct bench b;

    open_at(&b, step);
    const struct state before = look(&b);
    card_cut_after(&b.card, writes);
    act(step, &b);
    bool cut = b.card.off;
    if (!cut)
        card_cut_after(&b.card, NEVER);
    card_reset(&b.card);
    card_digest(&b.card, now);
    if (step->interrupts)
        assert_one_result(&b, before.pending);
    else if (cut)
        ck_assert_msg(strcmp(now, before.digest) == 0 || strcmp(now, after) == 0,
                      "%s, cut after %u writes: neither before nor after", step->what, writes);
    else
        ck_assert_str_eq(now, after);
    if (step->interrupts || strcmp(now, before.digest) == 0) {
        ck_assert_uint_eq(card_profiles(&b.card), before.profiles);
        ck_assert_uint_eq(card_free_memory(&b.card), before.room);
    }
    assert_goes_on(&b, before.last);
    bench_close(&b);
    return cut;
}

START_TEST(a_cut_leaves_the_card_before_or_after)
{
    const struct step *step = &steps[_i];
    char after[CARD_DIGEST_LEN];
    unsigned writes = 0;

    after_digest(step, after);
    while (cut_once(step, writes, after)) {
        writes++;
        ck_assert_uint_lt(writes, CUTS_MAX);
    }
    ck_assert_uint_ge(writes, 2); /* something was written, and committed */
}
END_TEST

/* --- a whole download ------------------------------------------------------------------------- */

/* Sends the pieces before this one and arms the cut for it.  The number of pieces. */
static size_t reach_piece(struct bench *b, size_t piece, struct rd *pieces)
{
    bench_open_as(b, &(struct bench_options){ .seed = SEED });
    bench_download(b, 1);
    bench_remove_notifications(b);
    struct wr upp, metadata;
    wr_init_heap(&upp, MESSAGE_MAX);
    wr_init_heap(&metadata, MESSAGE_MAX);
    server_profile(2, &upp, &metadata);
    bench_reach_prepared(b);
    const struct bpp_plan plan = { .upp = wr_view(&upp),
                                   .metadata = wr_view(&metadata),
                                   .ppk = true };
    server_bind(&b->server, &plan, &b->bpp);
    wr_done(&upp);
    wr_done(&metadata);
    size_t n = bench_slice(b, pieces);
    for (size_t i = 0; i < piece && i < n; i++)
        ck_assert_uint_eq(card_es10(&b->card, pieces[i]), 0x9000);
    return n;
}

/* false: the piece needed no more writes. */
static bool cut_piece(size_t piece, unsigned writes, size_t *ret_pieces)
{
    struct rd pieces[LPA_PIECES_MAX];
    char now[CARD_DIGEST_LEN];
    struct bench b;

    *ret_pieces = reach_piece(&b, piece, pieces);
    const struct state before = look(&b);
    card_cut_after(&b.card, writes);
    card_es10(&b.card, pieces[piece]);
    bool cut = b.card.off;
    if (!cut)
        card_cut_after(&b.card, NEVER);
    card_reset(&b.card);
    card_digest(&b.card, now);
    if (!cut && piece + 1 == *ret_pieces) {
        ck_assert_uint_eq(card_profiles(&b.card), before.profiles + 1);
        bench_assert_profiles(&b, "1-2-");
    } else {
        if (piece == 0 && cut)
            ck_assert_str_eq(now, before.digest); /* it had not begun */
        else
            assert_one_result(&b, before.pending);
        ck_assert_uint_eq(card_profiles(&b.card), before.profiles);
        ck_assert_uint_eq(card_free_memory(&b.card), before.room);
    }
    assert_goes_on(&b, card_last_sequence(&b.card));
    bench_close(&b);
    return cut;
}

START_TEST(a_cut_in_any_piece_leaves_the_whole_profile_or_none)
{
    size_t n = 1;
    unsigned cuts = 0;

    for (size_t piece = 0; piece < n; piece++)
        for (unsigned writes = 0; cut_piece(piece, writes, &n); writes++) {
            cuts++;
            ck_assert_uint_lt(writes, CUTS_MAX);
        }
    ck_assert_uint_ge(n, 6);
    ck_assert_uint_ge(cuts, 6);
}
END_TEST

START_TEST(a_cut_while_the_card_recovers_leaves_one_result)
{
    struct rd pieces[LPA_PIECES_MAX];
    char reply[64];

    for (unsigned writes = 0;; writes++) {
        struct bench b;
        reach_piece(&b, 4, pieces);
        const struct state before = look(&b);
        card_control(&b.card, "power-off", reply, sizeof reply);
        card_cut_after(&b.card, writes);
        bool cut = softeuicc_power_on(b.card.chip) != 0;
        if (!cut)
            card_cut_after(&b.card, NEVER);
        card_reset(&b.card);
        card_reset(&b.card); /* it recovers once */
        assert_one_result(&b, before.pending);
        ck_assert_uint_eq(card_profiles(&b.card), before.profiles);
        ck_assert_uint_eq(card_free_memory(&b.card), before.room);
        assert_goes_on(&b, card_last_sequence(&b.card));
        bench_close(&b);
        if (!cut)
            break;
        ck_assert_uint_lt(writes, CUTS_MAX);
    }
}
END_TEST

START_TEST(a_mute_card_stays_mute_until_it_has_power_again)
{
    struct bench b;

    bench_open(&b);
    card_cut_after(&b.card, 0);
    ck_assert_uint_eq(card_es10_hex(&b.card, "BF3F05 8003 632E64"), CARD_MUTE);
    ck_assert_uint_eq(card_es10_hex(&b.card, "BF3C00"), 0x9000); /* powered on again */
    struct tlv t;
    ck_assert(!message_has(wr_view(&b.card.data), "BF3C/80", &t));
    bench_close(&b);
}
END_TEST

int main(void)
{
    struct suite s = suite_begin("powercut");

    suite_loop(&s, a_cut_leaves_the_card_before_or_after, N_ELEMS(steps));
    suite_add(&s, a_cut_in_any_piece_leaves_the_whole_profile_or_none);
    suite_add(&s, a_cut_while_the_card_recovers_leaves_one_result);
    suite_add(&s, a_mute_card_stays_mute_until_it_has_power_again);
    return suite_run(&s);
}
