/* test_pin.c - os/pin: the five commands, their refusals, and power cuts at every write. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card/sw.h"
#include "os/err.h"
#include "os/pin.h"
#include "tests/testlib/card_file.h"
#include "tests/testlib/suite.h"

static const struct trace no_trace;
static const char prefix[] = "isdp/0010/";

enum back_end { MEMORY, FILE_, N_BACK_ENDS };
enum { MF = 0, ADF = 7, MAX = 3, PUK_MAX = 10, PUK = 0x01 };

static struct nvm *nvm;
static struct pin_status status;
static struct card_file place;
static char error[NVM_ERROR_MAX];

/* A right and a wrong value, and a new one. */
static const char right[] = "1234\xFF\xFF\xFF\xFF", wrong[] = "4321\xFF\xFF\xFF\xFF";
static const char fresh[] = "98765432", puk_right[] = "11111111", puk_wrong[] = "11111112";

static struct rd octets(const char *text)
{
    return rd_of(text, PIN_LEN);
}

static void store(uint16_t context, uint8_t reference, uint8_t attributes, uint8_t puk)
{
    struct pin pin = {
        .reference = reference, .context = context, .puk = puk, .attributes = attributes, .max = MAX
    };

    memcpy(pin.value, right, PIN_LEN);
    ck_assert_int_eq(pin_store(nvm, prefix, &pin, MAX), 0);
    ck_assert_int_eq(nvm_commit(nvm), 0);
}

static void set_up_with(uint8_t attributes)
{
    struct puk puk = { .reference = PUK, .max = PUK_MAX };

    memset(&status, 0, sizeof status);
    memcpy(puk.value, puk_right, PIN_LEN);
    ck_assert_int_eq(puk_store(nvm, prefix, &puk, PUK_MAX), 0);
    store(MF, 0x01, attributes, PUK);
}

static void set_up(void)
{
    nvm = nvm_open_memory(&no_trace);
    ck_assert_ptr_nonnull(nvm);
    set_up_with(PIN_ENABLED | PIN_CHANGEABLE | PIN_DISABLEABLE);
}

static void tear_down(void)
{
    nvm_close(&nvm);
}

static void use_file(void)
{
    nvm_close(&nvm);
    card_file_make(&place);
    nvm = nvm_open_file(place.path, NVM_CREATE, &no_trace, error);
    ck_assert_msg(nvm != NULL, "%s", error);
}

static void remove_file(void)
{
    nvm_close(&nvm);
    card_file_remove(&place);
}

static struct pin load(uint16_t context, uint8_t reference)
{
    struct pin pin;
    bool found = false;

    ck_assert_int_eq(pin_load(nvm, prefix, context, reference, &pin, &found), 0);
    ck_assert(found);
    return pin;
}

static uint64_t left(void)
{
    struct pin pin = load(MF, 0x01);
    uint64_t n;

    ck_assert_int_eq(pin_left(nvm, prefix, &pin, &n), 0);
    return n;
}

static uint64_t left_of_puk(void)
{
    uint64_t n;
    bool found = false;

    ck_assert_int_eq(puk_left(nvm, prefix, PUK, &n, &found), 0);
    ck_assert(found);
    return n;
}

/* --- the commands on PIN 01, loaded anew each time --- */

enum command { VERIFY, CHANGE, DISABLE, ENABLE, UNBLOCK, N_COMMANDS };

static int run(enum command which, const char *value)
{
    struct pin pin = load(MF, 0x01);

    switch (which) {
    case VERIFY:
        return pin_verify(nvm, prefix, &status, &pin, octets(value));
    case CHANGE:
        return pin_change(nvm, prefix, &status, &pin, octets(value), octets(fresh));
    case DISABLE:
        return pin_disable(nvm, prefix, &status, &pin, octets(value));
    case ENABLE:
        return pin_enable(nvm, prefix, &status, &pin, octets(value));
    default:
        return pin_unblock(nvm, prefix, &status, &pin, octets(value), octets(fresh));
    }
}

static const char *right_for(enum command which)
{
    return which == UNBLOCK ? puk_right : right;
}

static const char *wrong_for(enum command which)
{
    return which == UNBLOCK ? puk_wrong : wrong;
}

static uint64_t left_for(enum command which)
{
    return which == UNBLOCK ? left_of_puk() : left();
}

/* Back to where each command can do its work. */
static void prepare(enum command which)
{
    set_up_with(which == ENABLE ? PIN_CHANGEABLE : PIN_ENABLED | PIN_CHANGEABLE | PIN_DISABLEABLE);
}

static bool verified(void)
{
    return pin_is_verified(&status, MF, 0x01);
}

static bool enabled(void)
{
    return load(MF, 0x01).attributes & PIN_ENABLED;
}

static bool value_is(const char *value)
{
    struct pin pin = load(MF, 0x01);

    return memcmp(pin.value, value, PIN_LEN) == 0;
}

START_TEST(a_pin_reads_back_as_it_was_stored)
{
    struct pin pin = load(MF, 0x01);

    ck_assert_uint_eq(pin.reference, 0x01);
    ck_assert_uint_eq(pin.context, MF);
    ck_assert_uint_eq(pin.puk, PUK);
    ck_assert_uint_eq(pin.max, MAX);
    ck_assert_uint_eq(pin.attributes, PIN_ENABLED | PIN_CHANGEABLE | PIN_DISABLEABLE);
    ck_assert(value_is(right));
    ck_assert_uint_eq(left(), MAX);
}
END_TEST

START_TEST(a_pin_that_is_not_there_is_not_found)
{
    struct pin pin;
    bool found = true;
    uint64_t n;

    ck_assert_int_eq(pin_load(nvm, prefix, ADF, 0x01, &pin, &found), 0);
    ck_assert(!found);
    found = true;
    ck_assert_int_eq(pin_load(nvm, "isdp/0011/", MF, 0x01, &pin, &found), 0);
    ck_assert(!found);
    found = true;
    ck_assert_int_eq(puk_left(nvm, prefix, 0x02, &n, &found), 0);
    ck_assert(!found);
}
END_TEST

START_TEST(a_pin_that_is_damaged_is_a_fault)
{
    static const char *const damaged[] = {
        "", "\x80\x08",
        "\x80\x07"
        "1234567\x81\x01\x01\x82\x01\x07\x83\x01\x03",
        "\x80\x08"
        "12345678\x82\x01\x07\x83\x01\x03",
        "a value that is longer than every PIN can be, so that it does "
        "not fit"
    };
    struct pin pin;
    uint64_t n;
    bool found;

    ck_assert_int_eq(nvm_put(nvm, "isdp/0010/pin/0000-01", rd_str(damaged[_i])), 0);
    ck_assert_int_eq(nvm_put(nvm, "isdp/0010/puk/01", rd_str(damaged[_i])), 0);
    ck_assert_int_eq(pin_load(nvm, prefix, MF, 0x01, &pin, &found), ERR_NVM);
    if (_i != 3) /* that one would do for a PUK */
        ck_assert_int_eq(puk_left(nvm, prefix, PUK, &n, &found), ERR_NVM);
}
END_TEST

START_TEST(the_right_value_does_it_and_gives_the_attempts_back)
{
    enum command which = (enum command)_i;

    prepare(which);
    ck_assert_int_eq(run(which, wrong_for(which)),
                     SW_TRIES_LEFT | (which == UNBLOCK ? PUK_MAX - 1 : MAX - 1));
    ck_assert(!verified());
    ck_assert_int_eq(run(which, right_for(which)), 0);
    ck_assert_uint_eq(left(), MAX);
    ck_assert_uint_eq(left_of_puk(), PUK_MAX);
    ck_assert_int_eq(verified(), which != DISABLE);
    ck_assert_int_eq(enabled(), which != DISABLE);
    ck_assert(value_is(which == CHANGE || which == UNBLOCK ? fresh : right));
    ck_assert(!nvm_is_dirty(nvm));
}
END_TEST

START_TEST(wrong_values_count_down_and_the_last_one_blocks)
{
    enum command which = (enum command)_i;
    int max = which == UNBLOCK ? PUK_MAX : MAX;

    prepare(which);
    for (int i = max - 1; i >= 0; i--) {
        ck_assert_int_eq(run(which, wrong_for(which)), SW_TRIES_LEFT | i);
        ck_assert_uint_eq(left_for(which), (uint64_t)i);
    }
    ck_assert_int_eq(run(which, right_for(which)), SW_BLOCKED);
    ck_assert_int_eq(run(which, wrong_for(which)), SW_BLOCKED);
    ck_assert_uint_eq(left_for(which), 0);
    ck_assert(!verified());
    ck_assert(value_is(right));
}
END_TEST

START_TEST(a_value_of_another_length_costs_nothing)
{
    struct pin pin = load(MF, 0x01);
    static const size_t lengths[] = { 0, 7, 9 };
    struct rd odd = rd_of("123456789", lengths[_i]), good = octets(right);

    ck_assert_int_eq(pin_verify(nvm, prefix, &status, &pin, odd), SW_WRONG_LENGTH);
    ck_assert_int_eq(pin_change(nvm, prefix, &status, &pin, odd, good), SW_WRONG_LENGTH);
    ck_assert_int_eq(pin_change(nvm, prefix, &status, &pin, good, odd), SW_WRONG_LENGTH);
    ck_assert_int_eq(pin_disable(nvm, prefix, &status, &pin, odd), SW_WRONG_LENGTH);
    ck_assert_int_eq(pin_unblock(nvm, prefix, &status, &pin, odd, good), SW_WRONG_LENGTH);
    ck_assert_int_eq(pin_unblock(nvm, prefix, &status, &pin, octets(puk_right), odd),
                     SW_WRONG_LENGTH);
    ck_assert_uint_eq(left(), MAX);
    ck_assert_uint_eq(left_of_puk(), PUK_MAX);
    ck_assert(value_is(right));
}
END_TEST

START_TEST(every_octet_of_the_value_counts)
{
    char near[PIN_LEN];

    memcpy(near, right, PIN_LEN);
    near[_i] ^= 1;
    ck_assert_int_eq(run(VERIFY, near), SW_TRIES_LEFT | (MAX - 1));
}
END_TEST

START_TEST(a_wrong_value_takes_back_what_was_verified)
{
    ck_assert_int_eq(run(VERIFY, right), 0);
    ck_assert(verified());
    ck_assert_int_eq(run(VERIFY, wrong), SW_TRIES_LEFT | (MAX - 1));
    ck_assert(!verified());
}
END_TEST

START_TEST(a_wrong_puk_leaves_the_pin_alone)
{
    ck_assert_int_eq(run(VERIFY, right), 0);
    ck_assert_int_eq(run(UNBLOCK, puk_wrong), SW_TRIES_LEFT | (PUK_MAX - 1));
    ck_assert(verified());
    ck_assert_uint_eq(left(), MAX);
}
END_TEST

START_TEST(a_disabled_pin_is_neither_verified_nor_changed)
{
    set_up_with(PIN_CHANGEABLE | PIN_DISABLEABLE);
    ck_assert_int_eq(run(VERIFY, right), SW_INVALIDATED);
    ck_assert_int_eq(run(CHANGE, right), SW_INVALIDATED);
    ck_assert_int_eq(run(DISABLE, right), SW_CONDITIONS_OF_USE);
    ck_assert_uint_eq(left(), MAX);
}
END_TEST

START_TEST(an_enabled_pin_is_not_enabled_again)
{
    ck_assert_int_eq(run(ENABLE, wrong), SW_CONDITIONS_OF_USE);
    ck_assert_uint_eq(left(), MAX);
}
END_TEST

START_TEST(attributes_forbid_changing_and_disabling)
{
    set_up_with(PIN_ENABLED);
    ck_assert_int_eq(run(CHANGE, right), SW_CONDITIONS_OF_USE);
    ck_assert_int_eq(run(DISABLE, right), SW_CONDITIONS_OF_USE);
    ck_assert_int_eq(run(VERIFY, right), 0);
    ck_assert_uint_eq(left(), MAX);
}
END_TEST

START_TEST(unblocking_opens_a_blocked_and_disabled_pin)
{
    set_up_with(PIN_CHANGEABLE);
    for (int i = 0; i < MAX; i++)
        ck_assert_int_gt(run(ENABLE, wrong), 0);
    ck_assert_uint_eq(left(), 0);
    ck_assert_int_eq(run(UNBLOCK, puk_right), 0);
    ck_assert_uint_eq(left(), MAX);
    ck_assert(enabled() && verified() && value_is(fresh));
}
END_TEST

START_TEST(without_a_puk_there_is_no_unblocking)
{
    store(MF, 0x01, PIN_ENABLED, 0);
    ck_assert_int_eq(run(UNBLOCK, puk_right), SW_CONDITIONS_OF_USE);
    store(MF, 0x01, PIN_ENABLED, 0x02); /* is not stored */
    ck_assert_int_eq(run(UNBLOCK, puk_right), SW_CONDITIONS_OF_USE);
    ck_assert(!verified());
}
END_TEST

START_TEST(a_pin_delivered_blocked_stays_so)
{
    struct pin pin = load(MF, 0x01);

    ck_assert_int_eq(pin_store(nvm, prefix, &pin, 0), 0);
    ck_assert_int_eq(nvm_commit(nvm), 0);
    ck_assert_int_eq(run(VERIFY, right), SW_BLOCKED);
}
END_TEST

START_TEST(more_attempts_than_one_digit_shows_are_shown_as_fifteen)
{
    struct pin pin = load(MF, 0x01);

    ck_assert_int_eq(pin_store(nvm, prefix, &pin, 200), 0);
    ck_assert_int_eq(nvm_commit(nvm), 0);
    ck_assert_int_eq(run(VERIFY, wrong), SW_TRIES_LEFT | 15);
    ck_assert_uint_eq(left(), 199);
}
END_TEST

START_TEST(contexts_and_references_are_apart)
{
    store(ADF, 0x81, PIN_ENABLED, 0);
    store(ADF + 1, 0x81, PIN_ENABLED, 0);
    struct pin pin = load(ADF, 0x81);
    ck_assert_int_eq(pin_verify(nvm, prefix, &status, &pin, octets(right)), 0);
    ck_assert(pin_is_verified(&status, ADF, 0x81));
    ck_assert(!pin_is_verified(&status, ADF + 1, 0x81));
    ck_assert(!pin_is_verified(&status, ADF, 0x01));
    ck_assert(!verified());
}
END_TEST

START_TEST(a_shared_pin_is_the_owners)
{
    struct pin pin;
    bool found = true;

    store(ADF, 0x81, PIN_ENABLED, 0);
    ck_assert_int_eq(pin_share(nvm, prefix, 9, ADF), 0);
    pin = load(9, 0x81);
    ck_assert_uint_eq(pin.context, ADF);
    ck_assert_int_eq(pin_share(nvm, prefix, 10, 9), 0); /* one step only */
    ck_assert_int_eq(pin_load(nvm, prefix, 10, 0x81, &pin, &found), 0);
    ck_assert(!found);
    ck_assert_int_eq(pin_share(nvm, prefix, 11, 11), 0);
    ck_assert_int_eq(pin_load(nvm, prefix, 11, 0x81, &pin, &found), 0);
    ck_assert(!found);
}
END_TEST

START_TEST(when_too_many_are_verified_the_oldest_goes)
{
    for (uint16_t i = 0; i <= PIN_MAX_VERIFIED; i++) {
        store(i, 0x82, PIN_ENABLED, 0);
        struct pin pin = load(i, 0x82);
        ck_assert_int_eq(pin_verify(nvm, prefix, &status, &pin, octets(right)), 0);
    }
    ck_assert_uint_eq(status.n, PIN_MAX_VERIFIED);
    ck_assert(!pin_is_verified(&status, 0, 0x82));
    for (uint16_t i = 1; i <= PIN_MAX_VERIFIED; i++)
        ck_assert(pin_is_verified(&status, i, 0x82));
}
END_TEST

/* --- the universal PIN in another one's place --- */

static int replace(const char *value)
{
    struct pin pin = load(MF, 0x01);

    return pin_replace(nvm, prefix, &status, &pin, octets(value));
}

static bool satisfied(void)
{
    struct pin pin = load(MF, 0x01);
    bool holds = false;

    ck_assert_int_eq(pin_is_satisfied(nvm, prefix, &status, &pin, &holds), 0);
    return holds;
}

static int verify_universal(const char *value)
{
    struct pin pin = load(MF, PIN_UNIVERSAL);

    return pin_verify(nvm, prefix, &status, &pin, octets(value));
}

START_TEST(a_replaced_pin_holds_with_the_universal_one)
{
    store(MF, PIN_UNIVERSAL, PIN_ENABLED | PIN_DISABLEABLE, 0);
    ck_assert_int_eq(run(VERIFY, right), 0);
    ck_assert(satisfied());
    ck_assert_int_eq(replace(wrong), SW_TRIES_LEFT | (MAX - 1));
    ck_assert(!load(MF, 0x01).replaced && !satisfied());
    ck_assert_int_eq(replace(right), 0);
    ck_assert_uint_eq(left(), MAX);
    ck_assert(load(MF, 0x01).replaced && !verified() && !satisfied());
    ck_assert_int_eq(verify_universal(right), 0);
    ck_assert(satisfied());
    ck_assert_int_gt(verify_universal(wrong), 0);
    ck_assert(!satisfied());
    store(MF, PIN_UNIVERSAL, PIN_DISABLEABLE, 0); /* disabled, which satisfies as ever */
    ck_assert(satisfied());
    ck_assert_int_eq(nvm_del(nvm, "isdp/0010/pin/0000-11"), 0);
    ck_assert(!satisfied());
}
END_TEST

START_TEST(a_replaced_pin_is_a_disabled_one_until_it_is_enabled)
{
    store(MF, PIN_UNIVERSAL, PIN_ENABLED, 0);
    ck_assert_int_eq(replace(right), 0);
    ck_assert_int_eq(run(VERIFY, right), SW_INVALIDATED);
    ck_assert_int_eq(run(CHANGE, right), SW_INVALIDATED);
    ck_assert_int_eq(run(DISABLE, right), SW_CONDITIONS_OF_USE);
    ck_assert_int_eq(replace(right), SW_CONDITIONS_OF_USE);
    ck_assert_int_eq(run(ENABLE, right), 0);
    ck_assert(!load(MF, 0x01).replaced && enabled() && satisfied());
    status.n = 0;
    ck_assert_int_eq(verify_universal(right), 0);
    ck_assert(!satisfied());
    ck_assert_int_eq(replace(right), 0);
    ck_assert_int_eq(run(UNBLOCK, puk_right), 0);
    ck_assert(!load(MF, 0x01).replaced && enabled());
}
END_TEST

START_TEST(what_cannot_be_replaced)
{
    struct pin local, universal;

    ck_assert_int_eq(replace(right), SW_REFERENCE_NOT_FOUND); /* by nothing */
    store(MF, PIN_UNIVERSAL, PIN_ENABLED | PIN_DISABLEABLE, 0);
    store(ADF, 0x81, PIN_ENABLED | PIN_DISABLEABLE, 0);
    local = load(ADF, 0x81);
    universal = load(MF, PIN_UNIVERSAL);
    ck_assert_int_eq(pin_replace(nvm, prefix, &status, &local, octets(right)),
                     SW_CONDITIONS_OF_USE);
    ck_assert_int_eq(pin_replace(nvm, prefix, &status, &universal, octets(right)),
                     SW_CONDITIONS_OF_USE);
    set_up_with(PIN_ENABLED | PIN_CHANGEABLE);
    ck_assert_int_eq(replace(right), SW_CONDITIONS_OF_USE);
    set_up_with(PIN_CHANGEABLE | PIN_DISABLEABLE);
    ck_assert_int_eq(replace(right), SW_CONDITIONS_OF_USE);
    ck_assert_uint_eq(left(), MAX);
}
END_TEST

/* It is replaced, or as it was: a cut never leaves it open. */
START_TEST(a_power_cut_never_leaves_a_pin_half_replaced)
{
    store(MF, PIN_UNIVERSAL, PIN_ENABLED, 0);
    for (uint64_t n = 0; n < 10; n++) {
        prepare(DISABLE);
        nvm_cut_after(nvm, n);
        int result = replace(right);
        nvm_abort(nvm);
        nvm_restore_power(nvm);
        ck_assert(result == 0 || result == ERR_NVM);
        ck_assert_int_eq(load(MF, 0x01).replaced, result == 0);
        ck_assert(enabled() && !satisfied());
    }
}
END_TEST

/* --- power cuts --- */

/* Cut after n writes: a wrong guess is paid for before it is answered, whatever the cut. */
static void check_wrong_guess(enum command which, uint64_t n)
{
    prepare(which);
    uint64_t before = left_for(which);
    nvm_cut_after(nvm, n);
    int result = run(which, wrong_for(which));
    nvm_abort(nvm);
    nvm_restore_power(nvm);
    if (result == ERR_NVM)
        ck_assert_uint_ge(before, left_for(which));
    else
        ck_assert_uint_eq(left_for(which), before - 1);
    ck_assert(!verified());
    ck_assert(value_is(right));
}

/* Likewise a right one: what it says was done is stored as one, or nothing but an attempt is gone.
 */
static void check_right_guess(enum command which, uint64_t n)
{
    prepare(which);
    uint64_t before = left_for(which);
    bool was_enabled = enabled();
    nvm_cut_after(nvm, n);
    int result = run(which, right_for(which));
    nvm_abort(nvm);
    nvm_restore_power(nvm);
    if (result == 0) {
        ck_assert_uint_eq(left_for(which), before);
        ck_assert(value_is(which == CHANGE || which == UNBLOCK ? fresh : right));
        ck_assert_int_eq(verified(), which != DISABLE);
        return;
    }
    ck_assert_int_eq(result, ERR_NVM);
    ck_assert(!verified());
    ck_assert(value_is(right));
    ck_assert_int_eq(enabled(), was_enabled);
    ck_assert_uint_ge(before, left_for(which));
    ck_assert_uint_ge(left_for(which) + 1, before);
}

/* At the last attempt a cut at the right place must not leave another one. */
static void check_last_guess(enum command which, uint64_t n)
{
    prepare(which);
    while (left_for(which) > 1)
        ck_assert_int_gt(run(which, wrong_for(which)), 0);
    nvm_cut_after(nvm, n);
    int result = run(which, wrong_for(which));
    nvm_abort(nvm);
    nvm_restore_power(nvm);
    ck_assert_uint_eq(left_for(which), result == ERR_NVM ? 1 : 0);
    if (result != ERR_NVM)
        ck_assert_int_eq(run(which, right_for(which)), SW_BLOCKED);
}

static void check_cuts(void)
{
    for (int which = 0; which < N_COMMANDS; which++) {
        for (uint64_t n = 0; n < 10; n++) {
            check_wrong_guess((enum command)which, n);
            check_right_guess((enum command)which, n);
        }
        for (uint64_t n = 0; n < 3; n++)
            check_last_guess((enum command)which, n);
    }
}

START_TEST(a_power_cut_never_gives_a_guess_for_free)
{
    if (_i == FILE_)
        use_file();
    check_cuts();
    if (_i == FILE_)
        remove_file();
}
END_TEST

/* The comparison comes after the commit: without power for that, right and wrong look alike. */
START_TEST(nothing_is_told_before_the_attempt_is_stored)
{
    for (int which = 0; which < N_COMMANDS; which++) {
        for (uint64_t n = 0; n < 2; n++) {
            prepare((enum command)which);
            nvm_cut_after(nvm, n);
            ck_assert_int_eq(run((enum command)which, right_for((enum command)which)), ERR_NVM);
            nvm_restore_power(nvm);
            nvm_cut_after(nvm, n);
            ck_assert_int_eq(run((enum command)which, wrong_for((enum command)which)), ERR_NVM);
            nvm_restore_power(nvm);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pin");
    TCase *tcase = tcase_create("pin");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, a_pin_reads_back_as_it_was_stored);
    tcase_add_test(tcase, a_pin_that_is_not_there_is_not_found);
    tcase_add_loop_test(tcase, a_pin_that_is_damaged_is_a_fault, 0, 5);
    tcase_add_loop_test(tcase, the_right_value_does_it_and_gives_the_attempts_back, 0, N_COMMANDS);
    tcase_add_loop_test(tcase, wrong_values_count_down_and_the_last_one_blocks, 0, N_COMMANDS);
    tcase_add_loop_test(tcase, a_value_of_another_length_costs_nothing, 0, 3);
    tcase_add_loop_test(tcase, every_octet_of_the_value_counts, 0, PIN_LEN);
    tcase_add_test(tcase, a_wrong_value_takes_back_what_was_verified);
    tcase_add_test(tcase, a_wrong_puk_leaves_the_pin_alone);
    tcase_add_test(tcase, a_disabled_pin_is_neither_verified_nor_changed);
    tcase_add_test(tcase, an_enabled_pin_is_not_enabled_again);
    tcase_add_test(tcase, attributes_forbid_changing_and_disabling);
    tcase_add_test(tcase, unblocking_opens_a_blocked_and_disabled_pin);
    tcase_add_test(tcase, without_a_puk_there_is_no_unblocking);
    tcase_add_test(tcase, a_pin_delivered_blocked_stays_so);
    tcase_add_test(tcase, more_attempts_than_one_digit_shows_are_shown_as_fifteen);
    tcase_add_test(tcase, contexts_and_references_are_apart);
    tcase_add_test(tcase, a_shared_pin_is_the_owners);
    tcase_add_test(tcase, when_too_many_are_verified_the_oldest_goes);
    tcase_add_test(tcase, a_replaced_pin_holds_with_the_universal_one);
    tcase_add_test(tcase, a_replaced_pin_is_a_disabled_one_until_it_is_enabled);
    tcase_add_test(tcase, what_cannot_be_replaced);
    tcase_add_test(tcase, a_power_cut_never_leaves_a_pin_half_replaced);
    tcase_add_loop_test(tcase, a_power_cut_never_gives_a_guess_for_free, 0, N_BACK_ENDS);
    tcase_add_test(tcase, nothing_is_told_before_the_attempt_is_stored);
    suite_add_tcase(suite, tcase);

    return suite_status(suite);
}
