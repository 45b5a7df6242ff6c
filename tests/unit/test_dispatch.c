/* test_dispatch.c - os/registry, os/session and os/dispatch, through applets made for it. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/dispatch.h"
#include "os/euicc.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

/* --- the applets ------------------------------------------------------------------------------ */

/* What happened, in order: one letter each. */
static char events[200];

static void event(char what)
{
    size_t n = strlen(events);

    ck_assert_uint_lt(n + 1, sizeof events);
    events[n] = what;
    events[n + 1] = '\0';
}

struct session_block {
    uint8_t first[8]; /* zero at selection */
    void *memory;
};

struct state_block {
    uint8_t counter;
};

static const struct applet first_applet;
static int select_result;

static int select_first(struct session *s, struct wr *fci)
{
    (void)s;
    event('s');
    wr_put(fci, "\x6F\x00", 2);
    return select_result;
}

static void deselect_first(struct session *s)
{
    struct session_block *b = session_data(s);

    event('d');
    free(b->memory);
}

static int start_first(struct euicc *e)
{
    struct state_block *b = euicc_state(e, &first_applet);

    event('S');
    ck_assert_uint_eq(b->counter, 0);
    return nvm_put(e->nvm, "started", rd_str("yes"));
}

static void stop_first(struct euicc *e)
{
    struct state_block *b = euicc_state(e, &first_applet);

    event('P');
    b->counter = 77; /* zeroed behind us */
}

static void not_committed_first(struct euicc *e)
{
    (void)e;
    event('n');
}

/* Answers P1 P2 octets. */
static int answer(struct session *s, const struct apdu *a, struct wr *rsp)
{
    (void)s;
    for (unsigned i = 0; i < (unsigned)(a->p1 << 8 | a->p2); i++)
        wr_put_u8(rsp, (uint8_t)i);
    return 0;
}

/* Stores its data, answers an octet and the status word P1 P2. */
static int store(struct session *s, const struct apdu *a, struct wr *rsp)
{
    TRY(nvm_put(s->euicc->nvm, "stored", rd_of(a->data, a->lc)));
    wr_put_u8(rsp, 0xAA);
    int sw = a->p1 << 8 | a->p2;
    return sw == SW_OK ? 0 : sw;
}

/* Stores, then fails with the fault -P1. */
static int fault(struct session *s, const struct apdu *a, struct wr *rsp)
{
    TRY(nvm_put(s->euicc->nvm, "stored", rd_str("fault")));
    wr_put_u8(rsp, 0xAA);
    return -a->p1;
}

/* Remembers P1 in its session block and answers what was there; P2 allocates. */
static int remember(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct session_block *b = session_data(s);
    struct state_block *state = euicc_state(s->euicc, &first_applet);

    wr_put_u8(rsp, b->first[0]);
    wr_put_u8(rsp, state->counter++);
    b->first[0] = a->p1;
    if (a->p2 != 0 && b->memory == NULL)
        b->memory = malloc(a->p2);
    return 0;
}

static int too_much(struct session *s, const struct apdu *a, struct wr *rsp)
{
    (void)s, (void)a;
    ck_assert_ptr_null(wr_reserve(rsp, EUICC_MAX_ANSWER + 1));
    return nvm_put(s->euicc->nvm, "stored", rd_str("too much"));
}

static const struct command first_commands[] = {
    { true, 0xE0, 0, "ANSWER", answer, "test" },
    { true, 0xE2, 0, "STORE", store, "test" },
    { true, 0xE4, 0, "FAULT", fault, "test" },
    { true, 0xE6, NEEDS_DATA, "NEEDS DATA", answer, "test" },
    { true, 0xE8, NO_DATA, "NO DATA", answer, "test" },
    { true, 0xEA, NO_DATA | WITH_LE, "WITH LE", answer, "test" },
    { true, 0xEC, EITHER_CLA, "EITHER", answer, "test" },
    { false, 0xEE, 0, "INTERINDUSTRY", answer, "test" },
    { true, 0xCE, 0, "REMEMBER", remember, "test" },
    { true, 0xCC, 0, "TOO MUCH", too_much, "test" },
};

static const struct applet first_applet = {
    .name = "first",
    .aid = { 0xA0, 0x00, 0x00, 0x00, 0x01, 0x01 },
    .aid_len = 6,
    .commands = first_commands,
    .n_commands = N_ELEMS(first_commands),
    .state_size = sizeof(struct state_block),
    .session_size = sizeof(struct session_block),
    .start = start_first,
    .stop = stop_first,
    .select = select_first,
    .deselect = deselect_first,
    .not_committed = not_committed_first,
};

static const struct applet second_applet = {
    .name = "second",
    .aid = { 0xA0, 0x00, 0x00, 0x00, 0x01, 0x02 },
    .aid_len = 6,
};

static const struct applet third_applet = {
    .name = "third",
    .aid = { 0xA0, 0x00, 0x00, 0x00, 0x01, 0x03, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 },
    .aid_len = AID_MAX_LEN,
    .state_size = 1,
};

/* What starts last is found first. */
static const struct applet *const all[] = { &third_applet, &second_applet, &first_applet };

/* --- the card --------------------------------------------------------------------------------- */

static const struct trace no_trace;
static struct euicc e;
static uint8_t *response;

static void set_up(void)
{
    events[0] = '\0';
    select_result = 0;
    response = malloc(APDU_MAX_RESPONSE);
    ck_assert_ptr_nonnull(response);
    ck_assert_int_eq(euicc_init(&e, nvm_open_memory(&no_trace), NULL, no_trace, all, N_ELEMS(all)),
                     0);
    ck_assert_int_eq(euicc_power_on(&e), 0);
}

static void tear_down(void)
{
    euicc_done(&e);
    free(response);
}

static void ask(const char *command, const char *want)
{
    struct rd octets = exact_copy(command), wanted = exact_copy(want);
    size_t n = euicc_transmit(&e, octets.p, octets.n, response);

    ck_assert_msg(n == wanted.n && (n == 0 || memcmp(response, wanted.p, n) == 0),
                  "%s: %zu octets that end with %02X%02X instead of %s", command, n,
                  n < 2 ? 0 : response[n - 2], n < 2 ? 0 : response[n - 1], want);
    exact_free(&octets);
    exact_free(&wanted);
}

static void select_first_on(unsigned channel)
{
    char command[40];

    snprintf(command, sizeof command, "%02X A4 04 0C 06 A00000000101", channel);
    ask(command, "9000");
}

static void check_stored(const char *want)
{
    char value[20] = "";
    struct wr w;
    bool found;

    wr_init(&w, value, sizeof value - 1);
    ck_assert_int_eq(nvm_get(e.nvm, "stored", &w, &found), 0);
    ck_assert(found == (want != NULL));
    ck_assert(!nvm_is_dirty(e.nvm));
    if (want != NULL)
        ck_assert_str_eq(value, want);
}

/* --- registry --------------------------------------------------------------------------------- */

START_TEST(the_registry_finds_by_whole_and_partial_aid_and_goes_on)
{
    struct rd whole = exact_copy("A00000000102"), partial = exact_copy("A000000001"),
              longer = exact_copy("A0000000010200"), other = exact_copy("A000000002");

    ck_assert_ptr_eq(registry_find(&e.registry, whole, NULL), &second_applet);
    ck_assert_ptr_eq(registry_find(&e.registry, partial, NULL), &first_applet);
    ck_assert_ptr_eq(registry_find(&e.registry, partial, &first_applet), &second_applet);
    ck_assert_ptr_eq(registry_find(&e.registry, partial, &second_applet), &third_applet);
    ck_assert_ptr_null(registry_find(&e.registry, partial, &third_applet));
    ck_assert_ptr_null(registry_find(&e.registry, whole, &second_applet));
    ck_assert_ptr_null(registry_find(&e.registry, longer, NULL));
    ck_assert_ptr_null(registry_find(&e.registry, other, NULL));
    exact_free(&whole);
    exact_free(&partial);
    exact_free(&longer);
    exact_free(&other);
}
END_TEST

START_TEST(each_applet_has_its_own_state_block_or_none)
{
    ck_assert_ptr_nonnull(registry_state(&e.registry, &first_applet));
    ck_assert_ptr_null(registry_state(&e.registry, &second_applet));
    ck_assert_ptr_nonnull(registry_state(&e.registry, &third_applet));
    ck_assert_ptr_ne(registry_state(&e.registry, &first_applet),
                     registry_state(&e.registry, &third_applet));
    static const struct applet stranger = { .name = "stranger" };
    ck_assert_ptr_null(registry_state(&e.registry, &stranger));
}
END_TEST

START_TEST(the_registry_has_a_bound)
{
    const struct applet *many[MAX_APPLETS + 1];
    struct registry r;

    for (size_t i = 0; i < N_ELEMS(many); i++)
        many[i] = &third_applet;
    ck_assert_int_eq(registry_init(&r, many, MAX_APPLETS), 0);
    registry_done(&r);
    ck_assert_int_eq(registry_init(&r, many, MAX_APPLETS + 1), ERR_BUG);
    registry_done(&r);
}
END_TEST

/* --- SELECT and sessions ---------------------------------------------------------------------- */

START_TEST(select_by_aid_takes_whole_partial_and_next)
{
    ask("00A40400 06 A00000000101 00", "6F00 9000");
    ask("00A40400 06 A00000000102 00", "9000");
    ask("00A40400 05 A000000001 00", "6F00 9000"); /* the first */
    ask("00A40402 05 A000000001 00", "9000");      /* next: the second */
    ck_assert_ptr_eq(e.sessions[0]->selected, &second_applet);
    ask("00A40402 05 A000000001 00", "9000"); /* next: the third */
    ck_assert_ptr_eq(e.sessions[0]->selected, &third_applet);
    ask("00A40402 05 A000000001 00", "6A82"); /* there is no fourth */
    ck_assert_ptr_eq(e.sessions[0]->selected, &third_applet);
    ask("00A40400 07 A0000000010100 00", "6A82");
    ask("00A40400 10 A0000000010304050607 08090A0B0C0D 00", "9000");
}
END_TEST

START_TEST(an_unknown_aid_leaves_the_selection)
{
    select_first_on(0);
    ask("80CE4200 00", "0000 9000");
    ask("00A40400 05 A000000009", "6A82");
    ask("80CE0000 00", "4201 9000");
    ck_assert_str_eq(events, "Ss");
}
END_TEST

START_TEST(a_refusing_applet_is_not_selected)
{
    ask("00A40400 06 A00000000102", "9000");
    select_result = SW_CONDITIONS_OF_USE;
    ask("00A40400 06 A00000000101 00", "6985");
    ck_assert_ptr_eq(e.sessions[0]->selected, &second_applet);
    select_result = ERR_CRYPTO;
    ask("00A40400 06 A00000000101 00", "6F00");
    ck_assert_ptr_eq(e.sessions[0]->selected, &second_applet);
}
END_TEST

START_TEST(selecting_again_begins_anew)
{
    select_first_on(0);
    ask("80CE4210 00", "0000 9000");
    select_first_on(0);
    ask("80CE0000 00", "0001 9000");  /* session block zeroed, state block not */
    ck_assert_str_eq(events, "Sssd"); /* asked first, then replaced */
    ask("00A40004 02 3F00", "6115");  /* the MF */
    ck_assert_str_eq(events, "Sssdd");
    ck_assert_ptr_null(e.sessions[0]->selected);
    ck_assert_ptr_null(e.sessions[0]->data);
    ask("80CE0000 00", "6D00");
}
END_TEST

START_TEST(channels_have_their_own_selection_and_data)
{
    ask("00700000 01", "01 9000");
    ask("00700000 01", "02 9000");
    ask("00700013", "9000"); /* channel 19 */
    select_first_on(0x01);
    select_first_on(0x4F);
    ask("81CE1100 00", "0000 9000");
    ask("CFCE2200 00", "0001 9000");
    ask("80CE0000 00", "6D00");
    ask("82CE0000 00", "6D00");
    ask("81CE1200 00", "1102 9000");
    ask("CFCE2300 00", "2203 9000");
    ck_assert_ptr_null(e.sessions[0]->selected);
    ck_assert_ptr_eq(e.sessions[1]->selected, &first_applet);
}
END_TEST

START_TEST(closing_a_channel_frees_its_session)
{
    ask("00700000 01", "01 9000");
    ask("00700000 01", "02 9000");
    select_first_on(0x01);
    select_first_on(0x02);
    ask("81CE1110 00", "0000 9000");
    ask("82CE1110 00", "0001 9000");
    events[0] = '\0';
    ask("00708001", "9000");
    ck_assert_str_eq(events, "d");
    ck_assert_ptr_null(e.sessions[1]);
    ask("81CE0000 00", "6881");
    ask("02708002", "9000"); /* by itself */
    ck_assert_str_eq(events, "dd");
    ck_assert_ptr_null(e.sessions[2]);
    ask("00700000 01", "01 9000"); /* opened anew, nothing is left */
    ask("81CE0000 00", "6D00");
    ask("81C00000 00", "6985");
}
END_TEST

START_TEST(closing_a_channel_drops_what_waits_there)
{
    ask("00700000 01", "01 9000");
    select_first_on(0x01);
    ask("81E00010", "6110");
    ask("00708001", "9000");
    ask("00700000 01", "01 9000");
    ask("01C00000 10", "6985");
}
END_TEST

START_TEST(what_waits_belongs_to_its_channel)
{
    ask("00700000 01", "01 9000");
    select_first_on(0x01);
    select_first_on(0x00);
    ask("81E00002", "6102");
    ask("80E00003", "6103");
    ask("00C00000 03", "000102 9000");
    ask("81C00000 02", "0001 9000"); /* with either class */
    ask("81E00002", "6102");
    ask("81E00002", "6102");
    ask("01C00000 02", "0001 9000");
    ask("01C00000 02", "6985");
}
END_TEST

/* --- rows and what they need ------------------------------------------------------------------ */

START_TEST(the_class_and_the_instruction_pick_a_row)
{
    select_first_on(0);
    ask("80E00000", "9000");
    ask("00F20000", "6E00"); /* known, but not in this class */
    ask("80EE0000", "6E00");
    ask("00EE0000", "9000");
    ask("80EC0000", "9000");
    ask("00EC0000", "9000");
    ask("80FD0000", "6D00");
    ask("00FD0000", "6D00");
    ask("80A40000", "6E00"); /* the UICC's own rows behind the applet's */
    ask("00F2000C", "6E00");
    ask("80F2000C", "9000");
}
END_TEST

START_TEST(a_reserved_class_a_closed_channel_and_secure_messaging_come_before_the_row)
{
    select_first_on(0);
    ask("20E00000", "6E00");
    ask("FFE00000", "6E00");
    ask("81E00000", "6881");
    ask("CFE00000", "6881");
    ask("84E00000", "6882");
    ask("8CE00000", "6882");
    ask("E0E00000", "6882");
    ask("85E00000", "6882"); /* and on a closed channel */
}
END_TEST

START_TEST(lengths_are_checked_before_the_handler_runs)
{
    select_first_on(0);
    ask("80E6", "6700");
    ask("80E60000", "6700"); /* NEEDS_DATA */
    ask("80E60000 00", "6700");
    ask("80E60000 01 00", "9000");
    ask("80E80000 01 00", "6700"); /* NO_DATA */
    ask("80E80000", "9000");
    ask("80E80000 00", "9000");
    ask("80E00000 02 00", "6700");
    ask("80FD0000 02 00", "6700");
}
END_TEST

START_TEST(a_row_with_le_tells_the_right_one_and_parks_nothing)
{
    select_first_on(0);
    ask("80EA0003", "6C03");
    ask("80C00000 03", "6985");
    ask("80EA0003 03", "000102 9000");
    ask("80EA0003 00", "000102 9000");
    ask("80EA0003 02", "0001 6101");
    ask("80C00000 01", "02 9000");
    ask("80EA0000", "9000"); /* nothing to answer */
    ask("80EA0100", "6C00"); /* 256 */
}
END_TEST

/* --- commit and abort ------------------------------------------------------------------------- */

START_TEST(the_status_word_says_whether_it_is_stored)
{
    static const struct {
        const char *p1p2;
        bool stored;
    } words[] = { { "9000", true },  { "63C2", true },  { "6300", true },  { "6200", false },
                  { "6400", false }, { "6581", false }, { "6700", false }, { "6982", false },
                  { "6985", false }, { "6A80", false }, { "6A88", false }, { "6F00", false } };
    char command[40], want[10];

    select_first_on(0);
    ask("80E29000 03 6F6C64 00", "AA 9000");
    check_stored("old");
    snprintf(command, sizeof command, "80E2%s 03 6E6577 00", words[_i].p1p2);
    bool warns = strncmp(words[_i].p1p2, "62", 2) == 0 || strncmp(words[_i].p1p2, "63", 2) == 0;
    snprintf(want, sizeof want, "%s%s", _i == 0 || warns ? "AA" : "", words[_i].p1p2);
    events[0] = '\0';
    ask(command, want);
    check_stored(words[_i].stored ? "new" : "old");
    ck_assert_str_eq(events, words[_i].stored ? "" : "n");
}
END_TEST

START_TEST(a_fault_aborts_and_has_its_own_status_word)
{
    static const struct {
        int err;
        const char *sw;
    } faults[] = { { ERR_INPUT, "6A80" }, { ERR_NVM, "6581" }, { ERR_CRYPTO, "6F00" },
                   { ERR_NOMEM, "6F00" }, { ERR_BUG, "6F00" }, { ERR_SPACE, "6A84" },
                   { -100, "6F00" } };
    char command[40];
    uint8_t sw[2];

    hex(faults[_i].sw, sw, 2);
    ck_assert_uint_eq(dispatch_fault_sw(faults[_i].err), (unsigned)(sw[0] << 8 | sw[1]));
    select_first_on(0);
    ask("80E29000 03 6F6C64 00", "AA 9000");
    snprintf(command, sizeof command, "80E4%02X00 00", (unsigned)-faults[_i].err);
    events[0] = '\0';
    ask(command, faults[_i].sw);
    check_stored("old");
    ck_assert_str_eq(events, "n");
}
END_TEST

START_TEST(an_answer_beyond_its_bound_is_a_fault)
{
    select_first_on(0);
    ask("80CC0000 00", "6F00");
    check_stored(NULL);
    ask("80E00001 00", "00 9000");
}
END_TEST

START_TEST(who_stored_nothing_is_not_told)
{
    select_first_on(0);
    events[0] = '\0';
    ask("00A40400 05 A000000009", "6A82");
    ask("80E60000", "6700");
    ck_assert_str_eq(events, "");
    check_stored(NULL);
}
END_TEST

START_TEST(a_long_answer_comes_in_pieces)
{
    select_first_on(0);
    ask("80E00258", "6100");
    struct rd get = exact_copy("80C0000000");
    ck_assert_uint_eq(euicc_transmit(&e, get.p, get.n, response), 258);
    ck_assert_mem_eq(response + 256, "\x61\x00", 2);
    ck_assert_uint_eq(euicc_transmit(&e, get.p, get.n, response), 258);
    ck_assert_mem_eq(response + 256, "\x61\x58", 2);
    ck_assert_uint_eq(euicc_transmit(&e, get.p, get.n, response), 90);
    ck_assert_uint_eq(response[0], 0);
    ck_assert_uint_eq(response[87], 87);
    ck_assert_mem_eq(response + 88, "\x90\x00", 2);
    exact_free(&get);
}
END_TEST

START_TEST(a_chained_command_runs_once_when_it_is_complete)
{
    select_first_on(0);
    ask("90E29000 02 6E65", "9000");
    check_stored(NULL);
    ask("80E29000 01 77 00", "AA 9000");
    check_stored("new");
    ask("90E29000 02 6E65", "9000");
    ask("80E00001 00", "6883"); /* broken */
    ask("80E00001 00", "00 9000");
    check_stored("new");
}
END_TEST

START_TEST(a_reset_starts_applets_again_and_zeroes_their_state)
{
    struct state_block *b = registry_state(&e.registry, &first_applet);

    select_first_on(0);
    ask("80CE4210 00", "0000 9000");
    ck_assert_uint_eq(b->counter, 1);
    events[0] = '\0';
    ck_assert_int_eq(euicc_power_on(&e), 0);
    ck_assert_str_eq(events, "dPS");
    ck_assert_uint_eq(b->counter, 0);
    ask("80CE0000 00", "6D00");
}
END_TEST

START_TEST(what_an_applet_stores_at_start_is_committed)
{
    bool found;
    struct wr w;
    uint8_t octets[10];

    wr_init(&w, octets, sizeof octets);
    ck_assert(!nvm_is_dirty(e.nvm));
    nvm_abort(e.nvm);
    ck_assert_int_eq(nvm_get(e.nvm, "started", &w, &found), 0);
    ck_assert(found);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dispatch");
    TCase *cases = tcase_create("dispatch");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, the_registry_finds_by_whole_and_partial_aid_and_goes_on);
    tcase_add_test(cases, each_applet_has_its_own_state_block_or_none);
    tcase_add_test(cases, the_registry_has_a_bound);
    tcase_add_test(cases, select_by_aid_takes_whole_partial_and_next);
    tcase_add_test(cases, an_unknown_aid_leaves_the_selection);
    tcase_add_test(cases, a_refusing_applet_is_not_selected);
    tcase_add_test(cases, selecting_again_begins_anew);
    tcase_add_test(cases, channels_have_their_own_selection_and_data);
    tcase_add_test(cases, closing_a_channel_frees_its_session);
    tcase_add_test(cases, closing_a_channel_drops_what_waits_there);
    tcase_add_test(cases, what_waits_belongs_to_its_channel);
    tcase_add_test(cases, the_class_and_the_instruction_pick_a_row);
    tcase_add_test(cases,
                   a_reserved_class_a_closed_channel_and_secure_messaging_come_before_the_row);
    tcase_add_test(cases, lengths_are_checked_before_the_handler_runs);
    tcase_add_test(cases, a_row_with_le_tells_the_right_one_and_parks_nothing);
    tcase_add_loop_test(cases, the_status_word_says_whether_it_is_stored, 0, 12);
    tcase_add_loop_test(cases, a_fault_aborts_and_has_its_own_status_word, 0, 7);
    tcase_add_test(cases, an_answer_beyond_its_bound_is_a_fault);
    tcase_add_test(cases, who_stored_nothing_is_not_told);
    tcase_add_test(cases, a_long_answer_comes_in_pieces);
    tcase_add_test(cases, a_chained_command_runs_once_when_it_is_complete);
    tcase_add_test(cases, a_reset_starts_applets_again_and_zeroes_their_state);
    tcase_add_test(cases, what_an_applet_stores_at_start_is_committed);
    suite_add_tcase(suite, cases);
    return suite_status(suite);
}
