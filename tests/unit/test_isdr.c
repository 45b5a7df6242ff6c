/* test_isdr.c - applets/isdr: isdr_call(), by which the card's own assistant asks, among other
 * things in one transaction. */
#include <check.h>
#include <stdlib.h>

#include "applets/ecasd/ecasd.h"
#include "applets/isdr/isdr.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

#define KEY_OF_ANOTHER "test/another"

static const struct trace no_trace;
static struct euicc e;
static struct crypto *crypto;
static struct wr answer;

static void personalise(struct nvm *nvm)
{
    static const uint8_t eid[EID_LEN] = { 0x89 };
    uint8_t octets[256];
    struct ec_key *key = NULL;
    struct wr der;

    wr_init(&der, octets, sizeof octets);
    ck_assert_int_eq(ec_key_generate(crypto, CURVE_P256, &key), 0);
    ck_assert_int_eq(ec_key_write_der(crypto, key, &der), 0);
    ec_key_free(&key);
    const struct ecasd_ci_data ci = {
        .curve = CURVE_P256,
        .ski = rd_str("01234567890123456789"),
        .euicc_key = wr_view(&der),
    };
    ck_assert_int_eq(ecasd_personalise(nvm, eid, &ci, 1), 0);
    ck_assert_int_eq(nvm_commit(nvm), 0);
}

static void open_card(void)
{
    static const struct applet *const applets[] = { &ecasd_applet, &isdr_applet };
    struct nvm *nvm = nvm_open_memory(&no_trace);

    ck_assert_ptr_nonnull(nvm);
    crypto = crypto_new(rd_of(NULL, 0));
    ck_assert_ptr_nonnull(crypto);
    personalise(nvm);
    ck_assert_int_eq(euicc_init(&e, nvm, crypto, no_trace, applets, N_ELEMS(applets)), 0);
    ck_assert_int_eq(euicc_power_on(&e), 0);
    wr_init_heap(&answer, 1 << 16);
}

static void close_card(void)
{
    wr_done(&answer);
    euicc_done(&e);
    crypto_free(&crypto);
}

static int call(const char *request)
{
    struct rd octets = exact_copy(request);
    int result = isdr_call(&e, octets, &answer);

    exact_free(&octets);
    return result;
}

START_TEST(an_answer_stands_behind_what_is_there)
{
    /* no notification, but a result of a package might have this number */
    struct rd want = exact_copy("AB CD BF2B02 A000");

    hex_put(&answer, "AB CD");
    ck_assert_int_eq(call("BF2B05 A003 800105"), 0);
    ck_assert(rd_equal(wr_view(&answer), want));
    exact_free(&want);
}
END_TEST

START_TEST(a_refused_package_leaves_alone_what_others_have_written)
{
    struct rsp_session *rs = &isdr_state(&e)->rsp;
    struct tlv result;
    bool there;

    rs->state = RSP_PREPARED;
    ck_assert_int_eq(ec_key_generate(crypto, CURVE_P256, &rs->otsk), 0);
    ck_assert_int_eq(nvm_put_uint(e.nvm, KEY_OF_ANOTHER, 1), 0);
    ck_assert_int_eq(call("BF3603 BF2400"), 0);
    struct rd in = wr_view(&answer);
    ck_assert_int_eq(tlv_expect(&in, 0xBF37, &result), 0);
    ck_assert_int_eq(nvm_commit(e.nvm), 0);
    ck_assert_int_eq(nvm_has(e.nvm, KEY_OF_ANOTHER, &there), 0);
    ck_assert(there);
}
END_TEST

int main(void)
{
    struct suite s = suite_begin("isdr");

    tcase_add_checked_fixture(s.tests, open_card, close_card);
    suite_add(&s, an_answer_stands_behind_what_is_there);
    suite_add(&s, a_refused_package_leaves_alone_what_others_have_written);
    return suite_run(&s);
}
