/* test_es6.c - applets/ota/es6: what UpdateMetadata changes, and what it may not. */
#include <check.h>
#include <stdlib.h>

#include "applets/isdr/profile_store.h"
#include "applets/ota/es6.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

enum { PROFILE = 0x0010 };

#define ICCID_TLV "5A0A 98001032547698103214"
#define OWNER     "B705 8003 00F110"
#define PPR1      "9902 0640"
#define PPR1_2    "9902 0560"
#define CONTROL   "9902 0780"

static struct euicc e;
static unsigned checks;

static void watch(void *ctx, enum trace_event event, const char *text, const uint8_t *bytes,
                  size_t n)
{
    (void)ctx;
    (void)text;
    (void)bytes;
    (void)n;
    checks += event == TRACE_CHECK;
}

static void open_card(void)
{
    static const struct trace trace = { watch, NULL }; /* the storage keeps a pointer to it */
    struct nvm *nvm = nvm_open_memory(&trace);

    ck_assert_ptr_nonnull(nvm);
    ck_assert_int_eq(euicc_init(&e, nvm, NULL, trace, NULL, 0), 0);
}

static void close_card(void)
{
    euicc_done(&e);
}

static void add_profile(const char *metadata)
{
    struct rd octets = exact_copy(metadata);
    struct profile_new new = {
        .metadata = octets,
        .install = install_new(PROFILE, NVM_VALUE_MAX, &e.trace),
        .ci_pkid = rd_str("01234567890123456789"),
    };

    ck_assert_ptr_nonnull(new.install);
    ck_assert_int_eq(profile_add(&e, PROFILE, &new), 0);
    install_free(&new.install);
    ck_assert_int_eq(nvm_commit(e.nvm), 0);
    exact_free(&octets);
}

static int update(const char *request)
{
    struct rd octets = exact_copy(request);

    checks = 0;
    int result = es6_update_metadata(&e, PROFILE, octets);
    exact_free(&octets);
    if (result == 0)
        ck_assert_int_eq(nvm_commit(e.nvm), 0);
    else
        nvm_abort(e.nvm);
    ck_assert(result == 0 || checks == 1);
    return result;
}

static void expect(const char *metadata)
{
    struct rd want = exact_copy(metadata);
    struct profile p;
    bool found;

    ck_assert_int_eq(profile_load(&e, PROFILE, &p, &found), 0);
    ck_assert(found);
    ck_assert(rd_equal(p.metadata, want));
    profile_done(&p);
    exact_free(&want);
}

START_TEST(fields_are_replaced_and_added)
{
    uint64_t before, after;

    add_profile(ICCID_TLV "9100 9203 4F6C64 9501 02");
    ck_assert_int_eq(profile_free_memory(&e, &before), 0);
    ck_assert_int_eq(update("9204 4E657721 BF2200"), 0);
    expect(ICCID_TLV "9100 9204 4E657721 9501 02 BF2200");
    ck_assert_int_eq(profile_free_memory(&e, &after), 0);
    ck_assert_uint_eq(before - after, 1 + 3);
    ck_assert_int_eq(update(""), 0);
    expect(ICCID_TLV "9100 9204 4E657721 9501 02 BF2200");
}
END_TEST

START_TEST(an_empty_icon_takes_the_icon_away)
{
    add_profile(ICCID_TLV "9100 9200");
    ck_assert_int_eq(update("9301 01 9403 89504E"), 0);
    expect(ICCID_TLV "9100 9200 9301 01 9403 89504E");
    ck_assert_int_eq(update("9301 00 9400"), 0);
    expect(ICCID_TLV "9100 9200");
    ck_assert_int_eq(update("9403 89504E"), SW_WRONG_DATA); /* without a type */
    ck_assert_int_eq(update("9301 02 9403 89504E"), SW_WRONG_DATA);
    expect(ICCID_TLV "9100 9200");
}
END_TEST

START_TEST(other_fields_stay)
{
    add_profile(ICCID_TLV "9100 9200 9501 00");
    ck_assert_int_eq(update("5A0A 00000000000000000000 9501 02 B705 8003 00F110"), 0);
    expect(ICCID_TLV "9100 9200 9501 00");
}
END_TEST

START_TEST(rules_may_be_taken_back)
{
    add_profile(ICCID_TLV "9100 9200" OWNER PPR1_2);
    ck_assert_int_eq(update(PPR1), 0);
    expect(ICCID_TLV "9100 9200" OWNER PPR1);
    ck_assert_int_eq(update(PPR1_2), SW_CONDITIONS_OF_USE);
    ck_assert_int_eq(update(CONTROL), SW_CONDITIONS_OF_USE);
    expect(ICCID_TLV "9100 9200" OWNER PPR1);
    ck_assert_int_eq(update("9901 00"), 0);
    expect(ICCID_TLV "9100 9200" OWNER);
    ck_assert_int_eq(update(PPR1), SW_CONDITIONS_OF_USE);
}
END_TEST

START_TEST(rules_may_be_added_where_control_and_rat_allow)
{
    add_profile(ICCID_TLV "9100 9200" OWNER CONTROL);
    ck_assert_int_eq(update("9902 05A0"), 0); /* control and PPR2: any owner has it by default */
    expect(ICCID_TLV "9100 9200" OWNER "9902 05A0");
}
END_TEST

START_TEST(broken_requests_change_nothing)
{
    add_profile(ICCID_TLV "9100 9200");
    ck_assert_int_eq(update("92"), SW_WRONG_DATA);
    ck_assert_int_eq(update("9203 4E65"), SW_WRONG_DATA);
    ck_assert_int_eq(update("9201 FF"), SW_WRONG_DATA);
    ck_assert_int_eq(
        update("9121 303132333435363738393031323334353637383930313233343536373839303132"),
        SW_WRONG_DATA);
    expect(ICCID_TLV "9100 9200");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("es6");
    TCase *tc = tcase_create("es6");

    tcase_add_checked_fixture(tc, open_card, close_card);
    tcase_add_test(tc, fields_are_replaced_and_added);
    tcase_add_test(tc, an_empty_icon_takes_the_icon_away);
    tcase_add_test(tc, other_fields_stay);
    tcase_add_test(tc, rules_may_be_taken_back);
    tcase_add_test(tc, rules_may_be_added_where_control_and_rat_allow);
    tcase_add_test(tc, broken_requests_change_nothing);
    suite_add_tcase(suite, tc);
    return suite_status(suite);
}
