/* test_faults.c - each allocation of a command fails once: the answer is a fault's status word or
 * the right answer, nothing is lost or leaked, and the card works afterwards.
 *
 * That an "unchanged" status word means an unchanged storage is watched by card.c. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "os/err.h"
#include "tests/rsp/bench.h"
#include "tests/rsp/eim.h"
#include "tests/rsp/faults.h"
#include "tests/testlib/suite.h"

enum {
    ALLOCATIONS_MAX = 20000, /* no command makes more */
    DENSE = 60,              /* the first ones fail one by one, later ones in strides */
    STRIDE = 7,
};

static unsigned long next(unsigned long n)
{
    return n < DENSE ? n + 1 : n + STRIDE;
}

static bool is_fault(uint16_t sw)
{
    return sw == 0x6F00 || sw == 0x6581 || sw == 0x6A84;
}

/* --- single commands -------------------------------------------------------------------------- */

static void a_profile(struct bench *b)
{
    bench_download(b, 1);
}

static void challenged(struct bench *b)
{
    static const struct authenticate_plan nominal = { .reversed = false };

    a_profile(b);
    server_authenticate(&b->server, bench_challenge(b), &nominal, &b->request);
}

static void authenticated(struct bench *b)
{
    a_profile(b);
    ck_assert_int_eq(bench_authenticate(b, NULL), 0);
    server_prepare(&b->server, &(struct prepare_plan){ .cc_required = false }, &b->request);
}

/* LoadCRL of a list that revokes nobody. */
static void crl_ready(struct bench *b)
{
    struct wr crl;

    a_profile(b);
    wr_init_heap(&crl, MESSAGE_MAX);
    ck_assert_int_eq(
        crl_issue(b->server.c, b->server.ci, b->server.ci_key, 1, 0, NULL, 0, 1700000000, &crl), 0);
    server_put_load_crl(wr_view(&crl), &b->request);
    wr_done(&crl);
}

static void challenged_with_crl(struct bench *b)
{
    crl_ready(b);
    ck_assert_uint_eq(card_es10(&b->card, wr_view(&b->request)), 0x9000);
    server_authenticate(&b->server, bench_challenge(b),
                        &(struct authenticate_plan){ .reversed = false }, &b->request);
}

static void installing(struct bench *b)
{
    struct rd pieces[LPA_PIECES_MAX];
    struct wr upp, metadata;

    a_profile(b);
    wr_init_heap(&upp, MESSAGE_MAX);
    wr_init_heap(&metadata, MESSAGE_MAX);
    server_profile(2, &upp, &metadata);
    bench_reach_prepared(b);
    const struct bpp_plan plan = { .upp = wr_view(&upp), .metadata = wr_view(&metadata) };
    server_bind(&b->server, &plan, &b->bpp);
    bench_slice(b, pieces);
    ck_assert_uint_eq(card_es10(&b->card, pieces[0]), 0x9000);
    server_cancel(&b->server, 5, &b->request);
    wr_done(&upp);
    wr_done(&metadata);
}

static void enabled(struct bench *b)
{
    a_profile(b);
    card_expect(&b->card, "BF3111 A00C 5A0A 980010000000000010F9 810100", "BF3103800100");
}

static void ready_to_enable(struct bench *b)
{
    card_expect(&b->card, "BF5907 8000 8103 88370A", "BF5903800100");
    a_profile(b);
}

static void with_emergency(struct bench *b)
{
    bench_download_with(b, 1, "9F7B01FF");
}

static void in_emergency(struct bench *b)
{
    with_emergency(b);
    card_expect(&b->card, "BF5B03 800100", "BF5B03800100");
}

/* Fields of an EimConfigurationData. */
#define AN_EIM                                                                                     \
    "8004 65696D31 830100 A5 {A0 {3013 06072A8648CE3D0201 06082A8648CE3D030107 0342 0004"          \
    "E4D8B6D33CC5ABB9E3BBF5E14A4CDFE5149D89C1B84C4FEB6A1DEDE7D76BB583"                             \
    "F86E67CCB52EB18BE188EEFB8A8394F32B609E2E7B35F0BBAD8855CC40A02D45}}"

static void associated(struct bench *b)
{
    a_profile(b);
    card_expect(&b->card, "BF57 {A0 {30 {" AN_EIM "}}}", "BF5704 A0020500");
}

/* Profile 1 is enabled and 2 is there; a package of each kind of operation is ready. */
static void package_ready(struct bench *b)
{
    static const char list[] =
        "A0{ BF2D00 A600 A7{ 8000 } BF65{ 8003 612E62 } A5{" ICCID_OF(2) "} A4{" ICCID_OF(1) "} }";
    struct test_eim eim;

    bench_download(b, 1);
    bench_download(b, 2);
    test_eim_open(&eim, &b->server, "eim1", EIM_KEY_1);
    test_eim_associate(&eim, &b->card, true);
    test_eim_do(&eim, &b->card, "A0{ A3{" ICCID_OF(1) "} }", "830100");
    test_eim_sign(&eim, &(struct package_plan){ .list = list });
    wr_clear(&b->request);
    wr_put_rd(&b->request, wr_view(&eim.package));
    test_eim_close(&eim);
}

static void rollback_granted(struct bench *b)
{
    package_ready(b);
    struct test_eim eim;
    test_eim_open(&eim, &b->server, "eim1", EIM_KEY_1);
    eim.has_token = true;
    eim.token = eim.counter = 1;
    test_eim_do(&eim, &b->card, "A0{ A3{" ICCID_OF(2) "0500 } }", "830100");
    test_eim_close(&eim);
}

static const struct {
    const char *what;
    void (*reach)(struct bench *b);
    const char *request; /* hex; NULL: what reach() left in b->request */
} commands[] = {
    { "GetProfilesInfo", a_profile, "BF2D00" },
    { "GetProfilesInfo by ICCID", a_profile, "BF2D0E A00C 5A0A 980010000000000010F9" },
    { "GetEUICCInfo2", a_profile, "BF2200" },
    { "GetEUICCChallenge", installing, "BF2E00" },
    { "AuthenticateServer", challenged, NULL },
    { "AuthenticateServer, with a CRL", challenged_with_crl, NULL },
    { "LoadCRL", crl_ready, NULL },
    { "PrepareDownload", authenticated, NULL },
    { "CancelSession", installing, NULL },
    { "ListNotification", a_profile, "BF2800" },
    { "RetrieveNotificationsList", a_profile, "BF2B00" },
    { "RemoveNotificationFromList", a_profile, "BF3003 800101" },
    { "EnableProfile", a_profile, "BF3111 A00C 5A0A 980010000000000010F9 810100" },
    { "DisableProfile", enabled, "BF3211 A00C 5A0A 980010000000000010F9 810100" },
    { "DeleteProfile", a_profile, "BF330C 5A0A 980010000000000010F9" },
    { "eUICCMemoryReset", enabled, "BF3404 820205E0" },
    { "SetNickname", a_profile, "BF2910 5A0A 980010000000000010F9 9002 6162" },
    { "SetDefaultDpAddress", a_profile, "BF3F05 8003 632E64" },
    { "GetEuiccConfiguredAddresses", a_profile, "BF3C00" },
    { "GetRAT", a_profile, "BF4300" },
    { "AddInitialEim", a_profile, "BF57 {A0 {30 {" AN_EIM "}}}" },
    { "GetEimConfigurationData", associated, "BF5500" },
    { "GetCerts", a_profile, "BF5600" },
    { "ConfigureImmediateProfileEnabling", a_profile, "BF5907 8000 8103 88370A" },
    { "ImmediateEnable", ready_to_enable, "BF5A03 800100" },
    { "EnableEmergencyProfile", with_emergency, "BF5B03 800100" },
    { "DisableEmergencyProfile", in_emergency, "BF5C03 800100" },
    { "GetConnectivityParameters", enabled, "BF5F00" },
    { "LoadEuiccPackage", package_ready, NULL },
    { "ProfileRollback", rollback_granted, "BF5803 800100" },
    { "eUICCMemoryReset of SGP.32", enabled, "BF6404 820201FE" },
    { "SetDefaultDpAddress of SGP.32", a_profile, "BF6505 8003 632E64" },
};

/* false: the command makes no such allocation. */
static bool fail_once(size_t i, unsigned long nth)
{
    struct bench b;

    bench_open(&b);
    commands[i].reach(&b);
    b.card.hook = faults_hook;
    faults_arm(nth);
    uint16_t sw = commands[i].request != NULL ? card_es10_hex(&b.card, commands[i].request)
                                              : card_es10(&b.card, wr_view(&b.request));
    bool hit = faults_hit();
    b.card.hook = NULL;
    ck_assert_msg(is_fault(sw) || sw == 0x9000, "%s, allocation %lu: SW %04X (%s)",
                  commands[i].what, nth, sw, b.card.why);
    ck_assert_msg(hit || sw == 0x9000, "%s: SW %04X without a fault", commands[i].what, sw);
    bench_download(&b, 3);
    card_reset(&b.card);
    bench_download(&b, 4);
    bench_close(&b);
    return hit;
}

START_TEST(a_failed_allocation_is_a_fault_and_no_more)
{
    unsigned long nth = 0;

    while (fail_once((size_t)_i, nth)) {
        nth = next(nth);
        ck_assert_uint_lt(nth, ALLOCATIONS_MAX);
    }
    ck_assert_uint_gt(nth, 0); /* some did fail */
}
END_TEST

/* --- a download ------------------------------------------------------------------------------- */

/* false: the download makes no such allocation. */
static bool fail_in_download(unsigned long nth)
{
    struct rd pieces[LPA_PIECES_MAX];
    struct bench b;

    bench_open(&b);
    uint64_t room = card_free_memory(&b.card);
    bench_reach_prepared(&b);
    server_bind(&b.server, &(struct bpp_plan){ .ppk = true }, &b.bpp);
    size_t n = bench_slice(&b, pieces);
    b.card.hook = faults_hook;
    faults_arm(nth);
    size_t i = 0;
    while (i < n && card_es10(&b.card, pieces[i]) == 0x9000 && b.card.data.n == 0)
        i++;
    bool hit = faults_hit();
    b.card.hook = NULL;
    bool installed = false;
    if (b.card.sw == 0x9000) {
        server_take_notification(&b.server, wr_view(&b.card.data), &b.read);
        installed = b.read.success;
        ck_assert_msg(installed || b.read.error_reason != 11, "it was not interrupted");
    } else {
        ck_assert_msg(is_fault(b.card.sw), "allocation %lu: SW %04X (%s)", nth, b.card.sw,
                      b.card.why);
    }
    ck_assert(hit || installed);
    card_reset(&b.card);
    ck_assert_uint_eq(card_profiles(&b.card), installed);
    if (!installed)
        ck_assert_uint_eq(card_free_memory(&b.card), room);
    ck_assert_uint_le(card_pending(&b.card), 1);
    bench_download(&b, 3);
    bench_close(&b);
    return hit;
}

START_TEST(a_failed_allocation_in_a_download_leaves_the_profile_or_none)
{
    unsigned long nth = 0;

    while (fail_in_download(nth)) {
        nth = next(nth);
        ck_assert_uint_lt(nth, ALLOCATIONS_MAX);
    }
    ck_assert_uint_gt(nth, DENSE);
}
END_TEST

/* --- power on --------------------------------------------------------------------------------- */

START_TEST(a_failed_allocation_at_power_on_leaves_a_card_that_starts)
{
    unsigned long nth = 0;

    for (bool hit = true; hit; nth++) {
        struct bench b;
        bench_open(&b);
        installing(&b);
        softeuicc_power_off(b.card.chip);
        faults_arm(nth);
        faults_hook(true);
        int err = softeuicc_power_on(b.card.chip);
        faults_hook(false);
        ck_assert(err <= 0);
        hit = faults_hit();
        card_reset(&b.card);
        ck_assert_uint_eq(card_profiles(&b.card), 1);
        bench_download(&b, 3);
        bench_close(&b);
        ck_assert_uint_lt(nth, ALLOCATIONS_MAX);
    }
    ck_assert_uint_gt(nth, 1);
}
END_TEST

int main(void)
{
    struct suite s = suite_begin("faults");

    suite_loop(&s, a_failed_allocation_is_a_fault_and_no_more, N_ELEMS(commands));
    suite_add(&s, a_failed_allocation_in_a_download_leaves_the_profile_or_none);
    suite_add(&s, a_failed_allocation_at_power_on_leaves_a_card_that_starts);
    return suite_run(&s);
}
