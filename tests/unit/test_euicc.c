/* test_euicc.c - os/euicc and os/uicc: power, resets, the ATR, and the UICC's own commands. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "os/euicc.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

/* Stores its data. */
static int store(struct session *s, const struct apdu *a, struct wr *rsp)
{
    wr_put_u8(rsp, 0x55);
    TRY(nvm_put(s->euicc->nvm, "one", rd_of(a->data, a->lc)));
    return nvm_put(s->euicc->nvm, "two", rd_of(a->data, a->lc));
}

static int starts, start_result;

static int start(struct euicc *e)
{
    starts++;
    TRY(nvm_put_uint(e->nvm, "starts", (uint64_t)starts));
    return start_result;
}

static int select_it(struct session *s, struct wr *fci)
{
    (void)s;
    wr_put(fci, "\x6F\x02\x84\x00", 4);
    return 0;
}

static const struct command commands[] = { { true, 0xE2, 0, "STORE", store, "test" } };
static const struct applet applet = {
    .name = "test",
    .aid = { 1, 2, 3, 4, 5 },
    .aid_len = 5,
    .commands = commands,
    .n_commands = 1,
    .start = start,
    .select = select_it,
};
static const struct applet *const all[] = { &applet };

/* Everything that is told. */
static struct {
    int commands, responses, checks;
    char last_check[300];
} told;

static void listen(void *ctx, enum trace_event event, const char *text, const uint8_t *bytes,
                   size_t n)
{
    (void)ctx, (void)bytes, (void)n;
    told.commands += event == TRACE_COMMAND;
    told.responses += event == TRACE_RESPONSE;
    told.checks += event == TRACE_CHECK;
    if (event == TRACE_CHECK)
        strncpy(told.last_check, text, sizeof told.last_check - 1);
}

static const struct trace loud = { listen, NULL };
static struct euicc e;
static uint8_t *response;

static void set_up(void)
{
    starts = start_result = 0;
    memset(&told, 0, sizeof told);
    response = malloc(APDU_MAX_RESPONSE);
    ck_assert_ptr_nonnull(response);
    ck_assert_int_eq(euicc_init(&e, nvm_open_memory(&loud), NULL, loud, all, 1), 0);
}

static void power_on(void)
{
    ck_assert_int_eq(euicc_power_on(&e), 0);
}

static void tear_down(void)
{
    euicc_done(&e);
    free(response);
}

static size_t transmit(const char *command)
{
    struct rd octets = exact_copy(command);
    size_t n = euicc_transmit(&e, octets.p, octets.n, response);

    exact_free(&octets);
    return n;
}

static void ask(const char *command, const char *want)
{
    struct rd wanted = exact_copy(want);
    size_t n = transmit(command);

    ck_assert_msg(n == wanted.n && (n == 0 || memcmp(response, wanted.p, n) == 0),
                  "%s: %zu octets that end with %02X%02X instead of %s", command, n,
                  n < 2 ? 0 : response[n - 2], n < 2 ? 0 : response[n - 1], want);
    exact_free(&wanted);
}

static void check_one_and_two(const char *want)
{
    static const char *const keys[] = { "one", "two" };

    for (size_t i = 0; i < 2; i++) {
        char value[10] = "";
        struct wr w;
        bool found;
        wr_init(&w, value, sizeof value - 1);
        ck_assert_int_eq(nvm_get(e.nvm, keys[i], &w, &found), 0);
        ck_assert_str_eq(value, want);
    }
}

#define MF "6213 82027821 83023F00 A506 800171 870101 8A0105"

/* --- power ------------------------------------------------------------------------------------ */

START_TEST(the_atr_is_told_while_off_and_passes_its_own_check)
{
    uint8_t off[ATR_MAX_LEN], on[ATR_MAX_LEN];
    size_t n = euicc_atr(&e, off);

    ck_assert(!e.on);
    ck_assert_ptr_null(atr_check(off, n));
    power_on();
    ck_assert(e.on);
    ck_assert_uint_eq(euicc_atr(&e, on), n);
    ck_assert_mem_eq(on, off, n);
    euicc_power_off(&e);
    ck_assert(!e.on);
    ck_assert_uint_eq(euicc_atr(&e, on), n);
    ck_assert_int_eq(starts, 1);
}
END_TEST

START_TEST(the_atr_is_the_one_of_the_settings)
{
    static const char text[] = "3B9F96801FC78031A073BE21136743200718000001A5";
    struct nvm *nvm = nvm_open_memory(&loud);
    struct rd want = exact_copy(text);
    uint8_t atr[ATR_MAX_LEN];
    struct euicc other;

    ck_assert_int_eq(setting_store(nvm, SET_ATR, text), 0);
    ck_assert_int_eq(nvm_commit(nvm), 0);
    ck_assert_int_eq(euicc_init(&other, nvm, NULL, loud, all, 1), 0);
    ck_assert_uint_eq(euicc_atr(&other, atr), want.n);
    ck_assert_mem_eq(atr, want.p, want.n);
    exact_free(&want);
    euicc_done(&other);
}
END_TEST

START_TEST(a_second_power_on_is_a_reset)
{
    power_on();
    ask("00700000 01", "01 9000");
    ask("00A4040C 05 0102030405", "9000");
    ask("80100000 03 000080", "9000");
    ask("80AA0000 05 A903830107", "9000");
    ask("90E20000 01 01", "9000"); /* an open chain */
    power_on();
    ck_assert_int_eq(starts, 2);
    ask("80E20000 01 01", "6D00"); /* neither chain nor selection */
    ask("80C00000 00", "6985");
    ask("81F2000C", "6881");
    ck_assert(!e.cat.terminal.has_profile);
    ck_assert_uint_eq(e.terminal_capability_len, 0);
    euicc_power_off(&e);
    euicc_power_off(&e); /* no harm */
}
END_TEST

START_TEST(a_card_that_does_not_start_says_so)
{
    uint64_t n;

    start_result = ERR_NVM;
    ck_assert_int_eq(euicc_power_on(&e), ERR_NVM);
    start_result = 0;
    power_on();
    ck_assert_int_eq(nvm_get_uint(e.nvm, "starts", 0, &n), 0);
    ck_assert_uint_eq(n, 2);
}
END_TEST

START_TEST(two_cards_do_not_know_each_other)
{
    struct euicc other;

    power_on();
    ck_assert_int_eq(euicc_init(&other, nvm_open_memory(&loud), NULL, loud, all, 1), 0);
    ck_assert_int_eq(euicc_power_on(&other), 0);
    ask("00700000 01", "01 9000");
    struct rd command = exact_copy("8070000001");
    ck_assert_uint_eq(euicc_transmit(&other, command.p, command.n, response), 2);
    exact_free(&command);
    ck_assert_uint_eq(other.channels.open, 1);
    euicc_done(&other);
    ask("01A4040C 05 0102030405", "9000");
}
END_TEST

START_TEST(a_card_that_loses_power_is_mute_and_comes_back_as_it_was)
{
    enum { WRITES = 3 }; /* two puts and a commit */

    power_on();
    ask("00A4040C 05 0102030405", "9000");
    ask("80E20000 03 6F6C64 00", "55 9000");
    for (uint64_t n = 0; n < WRITES; n++) {
        nvm_cut_after(e.nvm, n);
        ask("80E20000 03 6E6577 00", "");
        ask("80F2000C", ""); /* and stays so */
        ask("00A40004 02 3F00", "");
        power_on();
        check_one_and_two("old");
        ask("00A4040C 05 0102030405", "9000");
    }
    nvm_cut_after(e.nvm, WRITES);
    ask("80E20000 03 6E6577 00", "55 9000");
    check_one_and_two("new");
}
END_TEST

START_TEST(every_command_and_every_response_is_traced)
{
    power_on();
    ask("80F2000C", "9000");
    ask("80", "6700");
    ck_assert_int_eq(told.commands, 2);
    ck_assert_int_eq(told.responses, 2);
    ck_assert_int_eq(told.checks, 1);
    ask("00FD0000", "6D00");
    ck_assert_int_eq(told.checks, 2);
    ck_assert_ptr_nonnull(strstr(told.last_check, "FD"));
    nvm_cut_after(e.nvm, 0);
    ask("00A4040C 05 0102030405", "9000");
    ask("80E20000 01 01", "");
    ck_assert_int_eq(told.commands, 5);
    ck_assert_int_eq(told.responses, 4); /* a mute card gives none */
}
END_TEST

/* --- the UICC's own commands ------------------------------------------------------------------ */

START_TEST(the_mf_is_selected_in_each_way)
{
    power_on();
    ask("00A40004 02 3F00 00", MF "9000");
    ask("00A40004 00", MF "9000"); /* no data: the MF */
    ask("00A40804 00", MF "9000");
    ask("00A4000C 02 3F00", "9000");
    ask("00A40004 02 2FE2 00", "6A82");
    ask("00A40004 01 3F 00", "6700");
    ask("00A40804 03 3F0000 00", "6700");
    ask("00A40204 02 3F00 00", "6A86");
    ask("00A4FF04 02 3F00 00", "6A86");
}
END_TEST

START_TEST(a_file_that_is_not_there_leaves_the_selection)
{
    power_on();
    ask("00A4040C 05 0102030405", "9000");
    ask("00A40004 02 6F07", "6A82");
    ask("80F20001 00", "8405 0102030405 9000");
}
END_TEST

START_TEST(status_tells_of_the_mf_or_of_the_application)
{
    power_on();
    ask("80F20000 00", MF "9000");
    ask("80F20001 00", "9000");
    ask("80F2000C", "9000");
    ask("80F2000C 00", "9000");
    ask("80F20100 00", MF "9000");
    ask("80F20200 00", MF "9000");
    ask("80F20300", "6A86");
    ask("80F20002", "6A86");
    ask("80F20000 01 00", "6700");
    ask("00A4040C 05 0102030405", "9000");
    ask("80F20000 00", "6F028400 9000");
    ask("80F20001 00", "8405 0102030405 9000");
}
END_TEST

START_TEST(terminal_capability_is_kept_until_reset)
{
    power_on();
    ask("80AA0000 05 A903830107", "9000");
    ck_assert_uint_eq(e.terminal_capability_len, 3);
    ck_assert_mem_eq(e.terminal_capability, "\x83\x01\x07", 3);
    ask("80AA0000 0A A908 8100 820101 830107", "9000");
    ck_assert_uint_eq(e.terminal_capability_len, 8);
    ask("80AA0000 04 A9029900", "9000"); /* unknown tags are no harm */
    ask("80AA0000 02 A900", "9000");
    ck_assert_uint_eq(e.terminal_capability_len, 0);
}
END_TEST

START_TEST(terminal_capability_refuses_what_is_none)
{
    static const struct {
        const char *command, *sw;
    } rows[] = {
        { "80AA0000", "6700" },           { "80AA0000 00", "6700" },
        { "80AA0100 02 A900", "6A86" },   { "80AA0001 02 A900", "6A86" },
        { "80AA0000 02 A800", "6A80" },   { "80AA0000 01 A9", "6A80" },
        { "80AA0000 02 A901", "6A80" },   { "80AA0000 03 A90000", "6A80" },
        { "80AA0000 03 A90183", "6A80" }, { "80AA0000 04 A9028301", "6A80" },
        { "00AA0000 02 A900", "6E00" },
    };

    power_on();
    ask("80AA0000 05 A903830107", "9000");
    ask(rows[_i].command, rows[_i].sw);
    ck_assert_uint_eq(e.terminal_capability_len, 3);
}
END_TEST

START_TEST(terminal_capability_has_a_bound)
{
    uint8_t command[5 + 133] = { 0x80, 0xAA, 0, 0, 133, 0xA9, 0x81, 130, 0x99, 0x81, 127 };
    struct rd exact = exact_copy_of(rd_of(command, sizeof command));

    power_on();
    ck_assert_uint_eq(euicc_transmit(&e, exact.p, exact.n, response), 2);
    ck_assert_mem_eq(response, "\x6A\x80", 2);
    exact_free(&exact);
    command[4] = 131;
    command[7] = 128;
    command[10] = 125;
    exact = exact_copy_of(rd_of(command, 5 + 131));
    ck_assert_uint_eq(euicc_transmit(&e, exact.p, exact.n, response), 2);
    ck_assert_mem_eq(response, "\x90\x00", 2);
    ck_assert_uint_eq(e.terminal_capability_len, 128);
    exact_free(&exact);
}
END_TEST

START_TEST(selecting_by_an_empty_aid_is_refused)
{
    power_on();
    ask("00A40400", "6A82");
    ask("00A40400 00", "6A82");
}
END_TEST

START_TEST(no_garbage_gets_anything_but_a_status_word)
{
    uint8_t octets[12];
    uint32_t x = 1;

    power_on();
    for (int i = 0; i < 50000; i++) {
        for (size_t k = 0; k < sizeof octets; k++) {
            x = x * 1664525 + 1013904223;
            octets[k] = (uint8_t)(x >> 24);
        }
        if (i % 2 == 0)
            octets[4] = (uint8_t)(octets[4] % 8);
        struct rd exact = exact_copy_of(rd_of(octets, octets[11] % 12));
        size_t n = euicc_transmit(&e, exact.p, exact.n, response);
        exact_free(&exact);
        ck_assert_uint_ge(n, 2);
        ck_assert(response[n - 2] >> 4 == 6 || response[n - 2] >> 4 == 9);
        ck_assert_uint_ne(response[n - 2], 0x6F);
        ck_assert(!nvm_is_dirty(e.nvm));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("euicc");
    TCase *cases = tcase_create("euicc");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, the_atr_is_told_while_off_and_passes_its_own_check);
    tcase_add_test(cases, the_atr_is_the_one_of_the_settings);
    tcase_add_test(cases, a_second_power_on_is_a_reset);
    tcase_add_test(cases, a_card_that_does_not_start_says_so);
    tcase_add_test(cases, two_cards_do_not_know_each_other);
    tcase_add_test(cases, a_card_that_loses_power_is_mute_and_comes_back_as_it_was);
    tcase_add_test(cases, every_command_and_every_response_is_traced);
    tcase_add_test(cases, the_mf_is_selected_in_each_way);
    tcase_add_test(cases, a_file_that_is_not_there_leaves_the_selection);
    tcase_add_test(cases, status_tells_of_the_mf_or_of_the_application);
    tcase_add_test(cases, terminal_capability_is_kept_until_reset);
    tcase_add_loop_test(cases, terminal_capability_refuses_what_is_none, 0, 11);
    tcase_add_test(cases, terminal_capability_has_a_bound);
    tcase_add_test(cases, selecting_by_an_empty_aid_is_refused);
    tcase_add_test(cases, no_garbage_gets_anything_but_a_status_word);
    suite_add_tcase(suite, cases);
    return suite_status(suite);
}
