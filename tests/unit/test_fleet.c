/* test_fleet.c - what a fleet makes of its cards' traces, and its percentiles. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lab/fleet.h"
#include "os/err.h"
#include "tests/testlib/suite.h"

static struct fleet_counts counts;
static struct fleet_watch watch;

static void setup(void)
{
    counts = (struct fleet_counts){ 0 };
    watch = (struct fleet_watch){ 0 };
}

static void note(const char *text)
{
    fleet_hears(&counts, &watch, SOFTEUICC_NOTE, text);
}

static void check(const char *text)
{
    fleet_hears(&counts, &watch, SOFTEUICC_CHECK, text);
}

/* --- percentiles ------------------------------------------------------------------------------ */

START_TEST(knows_small_times_exactly)
{
    struct fleet_latency l = { 0 };

    ck_assert_uint_eq(latency_at(&l, 500), 0);
    for (uint64_t us = 1; us <= 50; us++)
        latency_add(&l, us);
    ck_assert_uint_eq(latency_at(&l, 500), 25);
    ck_assert_uint_eq(latency_at(&l, 20), 1);
    ck_assert_uint_eq(latency_at(&l, 1000), 50);
    ck_assert_uint_eq(l.sum, 1275);
}
END_TEST

/* Never too low, and at most a class too high. */
START_TEST(knows_long_times_well)
{
    for (uint64_t us = 1; us < (uint64_t)1 << 35; us = us * 5 / 4 + 1) {
        struct fleet_latency l = { 0 };
        latency_add(&l, us);
        latency_add(&l, us * 8);
        uint64_t half = latency_at(&l, 500);
        ck_assert_uint_ge(half, us);
        ck_assert_uint_le(half, us + us / 32);
        ck_assert_uint_eq(latency_at(&l, 501), us * 8);
        ck_assert_uint_eq(l.least, us);
    }
}
END_TEST

START_TEST(keeps_what_is_beyond_all_classes)
{
    struct fleet_latency l = { 0 };

    latency_add(&l, UINT64_MAX / 2);
    ck_assert_uint_eq(l.n, 1);
    ck_assert_uint_eq(latency_at(&l, 1000), UINT64_MAX / 2);
}
END_TEST

/* --- causes ----------------------------------------------------------------------------------- */

START_TEST(counts_only_so_many_causes)
{
    char text[16];

    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 2 * FLEET_CAUSES_MAX; i++) {
            snprintf(text, sizeof text, "cause %u", i);
            fleet_blame(&counts, text);
        }
    }
    ck_assert_uint_eq(counts.n_causes, FLEET_CAUSES_MAX);
    ck_assert_uint_eq(counts.causes[0].n, 2);
    ck_assert_str_eq(counts.causes[FLEET_CAUSES_MAX - 1].text, "others");
    ck_assert_uint_eq(counts.causes[FLEET_CAUSES_MAX - 1].n, 2 * (FLEET_CAUSES_MAX + 1));
}
END_TEST

START_TEST(cuts_a_long_cause)
{
    char text[2 * FLEET_CAUSE_LEN];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    fleet_blame(&counts, text);
    fleet_blame(&counts, text);
    ck_assert_uint_eq(strlen(counts.causes[0].text), FLEET_CAUSE_LEN - 1);
    ck_assert_uint_eq(counts.n_causes, 1);
    ck_assert_uint_eq(counts.causes[0].n, 2);
}
END_TEST

/* --- conversations ---------------------------------------------------------------------------- */

START_TEST(counts_a_good_conversation)
{
    note("IPAe: asks eim.example.test (HTTPS)");
    ck_assert(watch.talking);
    fleet_opens(&watch);
    fleet_hears(&counts, &watch, SOFTEUICC_TLS,
                "eim.example.test: TLSv1.3 TLS_AES_128_GCM_SHA256, resumed, certificate of /CN=a");
    fleet_hears(&counts, &watch, SOFTEUICC_TLS, "eim.example.test: closed by the server");
    note("link to eim.example.test: ok, status 200, 12 octets; 900 up, 600 down, 20 commands");
    note("IPAe: eIM package: eUICC package");
    note("IPAe: eIM package: something new");
    note("link to eim.example.test: ok, status 200, 12 octets; 900 up, 600 down, 20 commands");
    note("IPAe: the eIM has the result");
    note("IPAe: the conversation ends: well");
    ck_assert(!watch.talking);
    ck_assert_uint_eq(counts.polls, 1);
    ck_assert_uint_eq(counts.failed, 0);
    ck_assert_uint_eq(counts.exchanges, 2);
    ck_assert_uint_eq(counts.handshakes, 1);
    ck_assert_uint_eq(counts.resumed, 1);
    ck_assert_uint_eq(counts.latency.n, 1);
    ck_assert_uint_eq(counts.packages[PACKAGE_OF_EUICC], 1);
    ck_assert_uint_eq(counts.packages[PACKAGE_OF_ELSE], 1);
    ck_assert_uint_eq(counts.results, 1);
    ck_assert_uint_eq(counts.n_causes, 0);
}
END_TEST

/* The host is not part of a cause: it may be an IPv6 address, or another one each time. */
START_TEST(says_why_a_conversation_failed)
{
    for (unsigned i = 0; i < 2; i++) {
        note("IPAe: asks 2001:db8::1 (CoAPS)");
        check(i == 0 ? "link to 2001:db8::1: untrusted: DTLS: a reason"
                     : "link to eim.test: untrusted: DTLS: a reason");
        note("link to 2001:db8::1: untrusted, status 0, 0 octets; 1 up, 0 down, 4 commands");
        note("IPAe: the conversation ends: untrusted");
    }
    ck_assert_uint_eq(counts.failed, 2);
    ck_assert_uint_eq(counts.latency.n, 0);
    ck_assert_uint_eq(counts.n_causes, 1);
    ck_assert_str_eq(counts.causes[0].text, "untrusted: DTLS: a reason");
    ck_assert_uint_eq(counts.causes[0].n, 2);
}
END_TEST

START_TEST(counts_conversations_that_end_otherwise)
{
    note("IPAe: asks eim.test (HTTPS)");
    check("a package's own refusal is no failure of the conversation");
    note("IPAe: the result waits for the network of the other profile");
    ck_assert_uint_eq(counts.polls, 1);
    ck_assert_uint_eq(counts.failed, 0);
    note("IPAe: asks eim.test (HTTPS)");
    check("IPAe: ERR_NVM: it begins again later");
    ck_assert_uint_eq(counts.polls, 2);
    ck_assert_uint_eq(counts.failed, 1);
    check("IPAe: ERR_NVM: it begins again later"); /* nobody was talked to */
    ck_assert_uint_eq(counts.polls, 2);
    note("IPAe: the conversation ends: refused"); /* before anything was asked */
    ck_assert_uint_eq(counts.failed, 2);
    fleet_hears(&counts, &watch, SOFTEUICC_FAULT, "ERR_NVM at os/nvm.c:1: no power");
    ck_assert_uint_eq(counts.faults, 1);
}
END_TEST

START_TEST(counts_downloads)
{
    note("IPAe: asks eim.test (HTTPS)");
    note("IPAe: eIM package: download trigger");
    note("IPAe: the profile is installed");
    check("IPAe: the download fails: a reason (SGP.32 3.2.3)");
    check("IPAe: the profile is not installed (SGP.22 5.7.6)");
    note("IPAe: the conversation ends: well");
    ck_assert_uint_eq(counts.packages[PACKAGE_OF_DOWNLOAD], 1);
    ck_assert_uint_eq(counts.downloads, 1);
    ck_assert_uint_eq(counts.downloads_failed, 2);
    ck_assert_uint_eq(counts.n_causes, 2);
    ck_assert_uint_eq(counts.failed, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fleet");
    TCase *tc = tcase_create("fleet");
    const TTest *const tests[] = {
        knows_small_times_exactly,
        knows_long_times_well,
        keeps_what_is_beyond_all_classes,
        counts_only_so_many_causes,
        cuts_a_long_cause,
        counts_a_good_conversation,
        says_why_a_conversation_failed,
        counts_conversations_that_end_otherwise,
        counts_downloads,
    };

    tcase_add_checked_fixture(tc, setup, NULL);
    for (size_t i = 0; i < N_ELEMS(tests); i++)
        tcase_add_test(tc, tests[i]);
    suite_add_tcase(suite, tc);
    return suite_status(suite);
}
