/* test_uicc_powercut.c - power is cut at each write of each command that changes an enabled
 * profile's files, PINs or sequence numbers, or which profile's they are: afterwards the card is as
 * before or as after, or an attempt at a PIN is counted; what was answered is stored; and the
 * command, given again, does what it should have done.
 *
 * Cards are seeded, so that "as after" is a digest that a run without a cut has. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "os/err.h"
#include "tests/rsp/card.h"
#include "tests/rsp/message.h"
#include "tests/rsp/server.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

#define SEED "power cut of a UICC"

#define MF          "00A4000C 02 3F00"
#define USIM        "00A4040C 07 A0000000871002"
#define ADM1        "0020000A 08 3535353535353535"
#define ENABLE_1    "80E29100 14 BF3111 A00C 5A0A 980010000000000010F9 810100"
#define ENABLE_2    "80E29100 14 BF3111 A00C 5A0A 980010000000000020F9 810100"
#define SELECT_ISDR "00A4040C 10 A0000005591010FFFFFFFF8900000100"
#define CREATE(descriptor, fid, rule, size)                                                        \
    "00E00000 18 6216 8202 " descriptor " 8302 " fid " 8A01 05 8B03 2F06" rule " 8002 " size " 88" \
    "00"
#define CREATE_CYCLIC(fid, rule)                                                                   \
    "00E00000 1B 6219 8205 4621000303 8302 " fid " 8A01 05 8B03 2F06" rule " 8002 0009 8800"
#define CREATE_DF(fid)                                                                             \
    "00E00000 1A 6218 8202 7821 8302 " fid " 8A01 05 8B03 2F060E C606 900100 83010A"
/* Record 13 of EF.ARR: READ, UPDATE, DELETE, RESIZE and INCREASE with ADM1. */
#define RULE_13 "00DC0D04 21 800143A40683010A950108 8401D4A40683010A950108 840132A40683010A950108"
#define CHALLENGE                                                                                  \
    "00880081 22 10 23553CBE9637A89D218AE64DAE47BF35 10 AA689C648351800041ED662AE8C74ECD 00"

enum {
    NEVER = 1 << 20, /* writes that no command makes */
    CUTS_MAX = 200,  /* no command makes more */
    LINES_MAX = 8,
};

static const struct step {
    const char *what;
    const char *before[LINES_MAX]; /* once, on a card with profile 1 enabled */
    const char *log_in[LINES_MAX]; /* at each power on */
    const char *act;
    const char *wrong; /* the same with a wrong PIN; NULL: there is no guess in it */
} steps[] = {
    { "UPDATE BINARY", { 0 }, { "00A4000C 02 2F05" }, "00D60000 02 6465", NULL },
    { "UPDATE BINARY by SFI", { 0 }, { USIM }, "00D68D03 03 00F110", NULL },
    { "UPDATE RECORD",
      { 0 },
      { ADM1, "00A4000C 02 2F00" },
      "00DC0104 16 61144F0CA0000000871002FF49FF0189500455534954",
      NULL },
    { "UPDATE RECORD of a cyclic EF",
      { ADM1, MF, CREATE_CYCLIC("6F39", "0A"), "00DC0003 03 000001", "00DC0003 03 000002" },
      { ADM1, "00A4000C 02 6F39" },
      "00DC0003 03 000003",
      NULL },
    { "INCREASE",
      { ADM1, "00A4000C 02 2F06", RULE_13, MF, CREATE_CYCLIC("6F39", "0D"), "00DC0003 03 000001" },
      { ADM1, "00A4000C 02 6F39" },
      "80320000 03 000005 00",
      NULL },
    { "SET DATA",
      { ADM1, MF,
        "00E00000 1E 621C 8202 7921 8302 6F50 8A01 05 8B03 2F060A 8002 0040 A504 80020040 8800",
        "80DB0080 04 81020102" },
      { ADM1, "00A4000C 02 6F50" },
      "80DB0080 06 8204 01020304",
      NULL },
    { "VERIFY PIN",
      { 0 },
      { USIM },
      "00200081 08 39393939FFFFFFFF",
      "00200081 08 38393939FFFFFFFF" },
    { "VERIFY PIN, wrong", { 0 }, { USIM }, "00200081 08 38393939FFFFFFFF", NULL },
    { "CHANGE PIN",
      { 0 },
      { USIM },
      "00240081 10 39393939FFFFFFFF 31323334FFFFFFFF",
      "00240081 10 38393939FFFFFFFF 31323334FFFFFFFF" },
    { "ENABLE PIN", { 0 }, { 0 }, "00280001 08 30303030FFFFFFFF", "00280001 08 31303030FFFFFFFF" },
    { "DISABLE PIN",
      { "00280001 08 30303030FFFFFFFF" },
      { 0 },
      "00260001 08 30303030FFFFFFFF",
      "00260001 08 31303030FFFFFFFF" },
    { "UNBLOCK PIN",
      { "00280001 08 30303030FFFFFFFF", "00200001 08 00000000FFFFFFFF",
        "00200001 08 00000000FFFFFFFF", "00200001 08 00000000FFFFFFFF" },
      { 0 },
      "002C0001 10 3131313131313131 31323334FFFFFFFF",
      "002C0001 10 3131313131313132 31323334FFFFFFFF" },
    { "CREATE FILE", { 0 }, { ADM1, MF }, CREATE("4121", "6F11", "0A", "0004"), NULL },
    { "CREATE FILE of a DF", { 0 }, { ADM1, MF }, CREATE_DF("5F11"), NULL },
    { "DELETE FILE",
      { ADM1, MF, CREATE("4121", "6F11", "0A", "0004"), "00D60000 04 01020304" },
      { ADM1, MF },
      "00E40000 02 6F11",
      NULL },
    { "DELETE FILE of a DF with files",
      { ADM1, MF, CREATE_DF("5F11"), CREATE("4121", "4F11", "0A", "0004"), "00D60000 04 01020304",
        CREATE("4121", "4F12", "0A", "0200") },
      { ADM1, MF },
      "00E40000 02 5F11",
      NULL },
    { "RESIZE FILE",
      { ADM1, "00A4000C 02 2F06", RULE_13, MF, CREATE("4121", "6F12", "0D", "0004") },
      { ADM1, MF },
      "80D40000 0A 6208 8302 6F12 8002 0006",
      NULL },
    { "SET DATA that makes the file grow",
      { ADM1, MF, "00E00000 18 6216 8202 7921 8302 6F50 8A01 05 8B03 2F060A 8002 0004 8800" },
      { ADM1, "00A4000C 02 6F50" },
      "80DB0080 08 8206 010203040506",
      NULL },
    { "DEACTIVATE FILE", { 0 }, { ADM1, MF }, "00040000 02 2F05", NULL },
    { "ACTIVATE FILE", { ADM1, MF, "00040000 02 2F05" }, { ADM1, MF }, "00440000 02 2F05", NULL },
    { "AUTHENTICATE", { 0 }, { USIM }, CHALLENGE, NULL },
    { "EnableProfile", { 0 }, { 0 }, ENABLE_2, NULL },
    { "DisableProfile",
      { 0 },
      { 0 },
      "80E29100 14 BF3211 A00C 5A0A 980010000000000010F9 810100",
      NULL },
    { "DeleteProfile", { 0 }, { 0 }, "80E29100 0F BF330C 5A0A 980010000000000020F9", NULL },
    { "eUICCMemoryReset", { 0 }, { 0 }, "80E29100 07 BF3404 82020780", NULL },
};

/* --- cards ------------------------------------------------------------------------------------ */

static uint16_t send(struct card *card, const char *command)
{
    struct wr w;

    wr_init_heap(&w, MESSAGE_MAX);
    hex_put(&w, command);
    uint16_t sw = card_apdu(card, w.p, w.n);
    wr_done(&w);
    return sw;
}

static void send_all(struct card *card, const char *const commands[LINES_MAX])
{
    for (size_t i = 0; i < LINES_MAX && commands[i] != NULL; i++) {
        uint16_t sw = send(card, commands[i]);
        /* wrong PINs are there to be counted */
        ck_assert_msg(sw == 0x9000 || sw >> 4 == 0x63C, "%s: %04X (%s)", commands[i], sw,
                      card->why);
    }
}

/* Profiles 1 and 2 are there, 1 is enabled. */
static void open_card(struct card *card)
{
    struct wr upps[2], metadata;
    struct softeuicc_bytes profiles[2];

    wr_init_heap(&metadata, MESSAGE_MAX);
    for (unsigned i = 0; i < N_ELEMS(upps); i++) {
        wr_init_heap(&upps[i], MESSAGE_MAX);
        server_profile(i + 1, &upps[i], &metadata);
        profiles[i] = (struct softeuicc_bytes){ upps[i].p, upps[i].n };
    }
    const struct softeuicc_new how = { .profiles = profiles, .n_profiles = N_ELEMS(profiles) };
    card_open_as(card, &how, SEED);
    for (unsigned i = 0; i < N_ELEMS(upps); i++)
        wr_done(&upps[i]);
    wr_done(&metadata);
    ck_assert_uint_eq(send(card, ENABLE_1), 0x9000);
}

static void open_at(struct card *card, const struct step *step)
{
    open_card(card);
    send_all(card, step->before);
    card_reset(card);
    send_all(card, step->log_in);
}

/* The digest after this command, without a cut and a reset behind it; and its status word. */
static uint16_t digest_after(const struct step *step, const char *command,
                             char ret[CARD_DIGEST_LEN])
{
    struct card card;

    open_at(&card, step);
    uint16_t sw = command != NULL ? send(&card, command) : 0x9000;
    card_reset(&card);
    card_digest(&card, ret);
    card_close(&card);
    return sw;
}

/* --- one command ------------------------------------------------------------------------------ */

struct expected {
    char before[CARD_DIGEST_LEN], counted[CARD_DIGEST_LEN], after[CARD_DIGEST_LEN];
    uint16_t sw;
};

/* The command again, from where the cut left the card, does it. */
static void assert_goes_on(struct card *card, const struct step *step, const struct expected *want)
{
    char now[CARD_DIGEST_LEN];

    send_all(card, step->log_in);
    ck_assert_uint_eq(send(card, step->act), want->sw);
    card_reset(card);
    ck_assert_msg(strcmp(card_digest(card, now), want->after) == 0, "%s, again: not done",
                  step->what);
}

/* One run with a cut after this many writes.  false: the command needed no more. */
static bool cut_once(const struct step *step, unsigned writes, const struct expected *want)
{
    char now[CARD_DIGEST_LEN];
    struct card card;

    open_at(&card, step);
    card_cut_after(&card, writes);
    uint16_t sw = send(&card, step->act);
    bool cut = card.off;
    ck_assert(cut ? sw == CARD_MUTE : sw == want->sw);
    if (!cut)
        card_cut_after(&card, NEVER);
    card_reset(&card);
    card_digest(&card, now);
    bool is_before = strcmp(now, want->before) == 0 || strcmp(now, want->counted) == 0;
    if (!cut)
        ck_assert_str_eq(now, want->after);
    else
        ck_assert_msg(is_before || strcmp(now, want->after) == 0,
                      "%s, cut after %u writes: neither before nor after", step->what, writes);
    if (is_before && strcmp(now, want->after) != 0)
        assert_goes_on(&card, step, want);
    card_close(&card);
    return cut;
}

/* Right and wrong value look alike until the attempt is stored: both are mute, or the attempt
 * is counted. */
static void guess_once(const struct step *step, unsigned writes, const struct expected *want)
{
    char now[CARD_DIGEST_LEN];
    struct card card;

    open_at(&card, step);
    card_cut_after(&card, writes);
    bool answered = send(&card, step->wrong) != CARD_MUTE;
    card_cut_after(&card, NEVER);
    card_reset(&card);
    card_digest(&card, now);
    ck_assert_msg(strcmp(now, answered ? want->counted : want->before) == 0,
                  "%s, wrong and cut after %u writes: the attempt is not counted", step->what,
                  writes);
    card_close(&card);
}

START_TEST(a_cut_leaves_the_profile_before_or_after)
{
    const struct step *step = &steps[_i];
    struct expected want;
    unsigned writes = 0;

    digest_after(step, NULL, want.before);
    want.sw = digest_after(step, step->act, want.after);
    ck_assert_msg(want.sw == 0x9000 || want.sw >> 4 == 0x63C, "%s: %04X", step->what, want.sw);
    memcpy(want.counted, want.before, sizeof want.counted);
    if (step->wrong != NULL)
        ck_assert_uint_eq(digest_after(step, step->wrong, want.counted) >> 4, 0x63C);
    while (cut_once(step, writes, &want)) {
        if (step->wrong != NULL)
            guess_once(step, writes, &want);
        writes++;
        ck_assert_uint_lt(writes, CUTS_MAX);
    }
    ck_assert_uint_ge(writes, 2); /* something was written, and committed */
}
END_TEST

/* --- what the digest does not say ------------------------------------------------------------- */

static uint8_t second_octet_of_pl(struct card *card)
{
    ck_assert_uint_eq(send(card, "00A4000C 02 2F05"), 0x9000);
    ck_assert_uint_eq(send(card, "00B0000002"), 0x9000);
    ck_assert_uint_eq(card->data.n, 2);
    return card->data.p[1];
}

START_TEST(the_files_are_the_enabled_profiles_wherever_the_cut_is)
{
    static const char *const marks[LINES_MAX] = {
        "00A4000C 02 2F05", "00D60000 02 6101", SELECT_ISDR, ENABLE_2,
        "00A4000C 02 2F05", "00D60000 02 6102", SELECT_ISDR, ENABLE_1,
    };
    bool cut = true;

    for (unsigned writes = 0; cut; writes++) {
        struct card card;
        open_card(&card);
        send_all(&card, marks);
        card_reset(&card);
        card_cut_after(&card, writes);
        send(&card, ENABLE_2);
        cut = card.off;
        card_cut_after(&card, NEVER);
        card_reset(&card);
        ck_assert_uint_eq(card_es10_hex(&card, "BF2D10 5A0A 980010000000000020F9 5C02 9F70"),
                          0x9000);
        bool second = message_at(wr_view(&card.data), "BF2D/A0/E3/9F70").value.p[0] != 0;
        ck_assert(cut || second);
        ck_assert_uint_eq(second_octet_of_pl(&card), second ? 2 : 1);
        card_close(&card);
        ck_assert_uint_lt(writes, CUTS_MAX);
    }
}
END_TEST

START_TEST(an_answered_challenge_is_never_answered_again)
{
    bool answered = false;

    for (unsigned writes = 0; !answered; writes++) {
        struct card card;
        open_card(&card);
        ck_assert_uint_eq(send(&card, USIM), 0x9000);
        card_cut_after(&card, writes);
        answered = send(&card, CHALLENGE) == 0x9000;
        ck_assert(answered ? card.data.p[0] == 0xDB : card.data.n == 0);
        card_cut_after(&card, NEVER);
        card_reset(&card);
        ck_assert_uint_eq(send(&card, USIM), 0x9000);
        ck_assert_uint_eq(send(&card, CHALLENGE), 0x9000);
        ck_assert(!answered || card.data.p[0] == 0xDC);
        card_close(&card);
        ck_assert_uint_lt(writes, CUTS_MAX);
    }
}
END_TEST

/* --- how much is free ------------------------------------------------------------------------- */

static uint64_t free_room(struct card *card)
{
    ck_assert_uint_eq(send(card, SELECT_ISDR), 0x9000);
    return card_free_memory(card);
}

/* What one command below the MF takes of extCardResource's free storage. */
static int64_t takes(struct card *card, const char *command)
{
    uint64_t before = free_room(card);

    ck_assert_uint_eq(send(card, MF), 0x9000);
    uint16_t sw = send(card, command);
    ck_assert_msg(sw == 0x9000, "%s: %04X (%s)", command, sw, card->why);
    return (int64_t)before - (int64_t)free_room(card);
}

#define RESIZE(fid, size) "80D40000 0A 6208 8302 " fid " 8002 " size

START_TEST(files_are_counted_and_given_back)
{
    enum { ROW = 24, ROW_DF = 25 }; /* in the tree (docs/STATE.md) */
    static const char *const prepared[LINES_MAX] = { ADM1, "00A4000C 02 2F06", RULE_13 };
    struct card card;

    open_card(&card);
    send_all(&card, prepared);
    uint64_t before = free_room(&card);
    ck_assert_int_eq(takes(&card, CREATE("4121", "6F12", "0D", "0040")), ROW + 64);
    ck_assert_int_eq(takes(&card, RESIZE("6F12", "0100")), 256 - 64);
    ck_assert_int_eq(takes(&card, RESIZE("6F12", "0010")), 16 - 256);
    ck_assert_int_eq(takes(&card, CREATE_DF("5F11")), ROW_DF);
    ck_assert_int_eq(takes(&card, CREATE_CYCLIC("6F39", "0A")), ROW + 9);
    ck_assert_int_eq(takes(&card, "00E40000 02 6F39"), -(ROW + 9));
    ck_assert_int_eq(takes(&card, "00E40000 02 5F11"), -ROW_DF);
    ck_assert_int_eq(takes(&card, "00E40000 02 6F12"), -(ROW + 16));
    ck_assert_uint_eq(free_room(&card), before);
    card_close(&card);
}
END_TEST

START_TEST(a_data_object_that_makes_its_file_grow_is_counted)
{
    static const char *const prepared[LINES_MAX] = {
        ADM1, MF, "00E00000 18 6216 8202 7921 8302 6F50 8A01 05 8B03 2F060A 8002 0004 8800"
    };
    struct card card;

    open_card(&card);
    send_all(&card, prepared);
    uint64_t before = free_room(&card);
    send_all(&card, (const char *const[LINES_MAX]){ MF, "00A4000C 02 6F50" });
    ck_assert_uint_eq(send(&card, "80DB0080 08 8206 010203040506"), 0x9000);
    ck_assert_uint_eq(before - free_room(&card), 4);
    card_close(&card);
}
END_TEST

START_TEST(no_file_is_larger_than_what_is_free)
{
    char command[200];
    struct card card;

    open_card(&card);
    ck_assert_uint_eq(send(&card, ADM1), 0x9000);
    /* Files as large as they can be, until one does not fit; then one that just does. */
    uint64_t room = free_room(&card);
    for (unsigned fid = 0x6F80; room > 24 + 0xFFFF; fid++) {
        snprintf(command, sizeof command, CREATE("4121", "%04X", "0A", "FFFF"), fid);
        ck_assert_int_eq(takes(&card, command), 24 + 0xFFFF);
        room -= 24 + 0xFFFF;
    }
    ck_assert_uint_eq(send(&card, MF), 0x9000);
    ck_assert_uint_eq(send(&card, CREATE("4121", "6F70", "0A", "FFFF")), 0x6A84);
    snprintf(command, sizeof command, CREATE("4121", "6F71", "0A", "%04X"), (unsigned)room - 23);
    ck_assert_uint_eq(send(&card, command), 0x6A84);
    snprintf(command, sizeof command, CREATE("4121", "6F71", "0A", "%04X"), (unsigned)room - 24);
    ck_assert_int_eq(takes(&card, command), (int64_t)room);
    ck_assert_uint_eq(free_room(&card), 0);
    card_close(&card);
}
END_TEST

START_TEST(a_deleted_profile_gives_everything_back)
{
    struct card card;

    open_card(&card);
    uint64_t empty = free_room(&card);
    ck_assert_uint_eq(send(&card, ENABLE_2), 0x9000);
    ck_assert_uint_eq(card_es10_hex(&card, "BF330C 5A0A 980010000000000010F9"), 0x9000);
    uint64_t without = free_room(&card);
    card_close(&card);

    open_card(&card);
    ck_assert_uint_eq(send(&card, ADM1), 0x9000);
    ck_assert_int_eq(takes(&card, CREATE("4121", "6F12", "0A", "0400")), 24 + 1024);
    ck_assert_uint_eq(free_room(&card), empty - 24 - 1024);
    ck_assert_uint_eq(send(&card, ENABLE_2), 0x9000);
    ck_assert_uint_eq(free_room(&card), empty - 24 - 1024);
    ck_assert_uint_eq(card_es10_hex(&card, "BF330C 5A0A 980010000000000010F9"), 0x9000);
    ck_assert_uint_eq(free_room(&card), without);
    card_close(&card);
}
END_TEST

int main(void)
{
    struct suite s = suite_begin("uicc_powercut");

    suite_loop(&s, a_cut_leaves_the_profile_before_or_after, N_ELEMS(steps));
    suite_add(&s, the_files_are_the_enabled_profiles_wherever_the_cut_is);
    suite_add(&s, an_answered_challenge_is_never_answered_again);
    suite_add(&s, files_are_counted_and_given_back);
    suite_add(&s, a_data_object_that_makes_its_file_grow_is_counted);
    suite_add(&s, no_file_is_larger_than_what_is_free);
    suite_add(&s, a_deleted_profile_gives_everything_back);
    return suite_run(&s);
}
