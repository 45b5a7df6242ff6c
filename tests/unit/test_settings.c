/* test_settings.c - os/settings: what each setting takes and refuses, and what comes of it. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/err.h"
#include "os/settings.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

static const struct trace no_trace;

enum { MAX_VALUES = 12 };

static const struct {
    enum setting which;
    const char *good[MAX_VALUES], *bad[MAX_VALUES];
} rows[] = {
    { SET_ATR,
      { "", "3B00", "3b00", "3B9F96801FC78031A073BE21136743200718000001A5" },
      { "3B", "3B0", "3B0G", "3C00", "3B9F96801FC78031A073BE21136743200718000001A4", " 3B00",
        "3B 00", "0x3B00",
        "3B9F96801FC78031A073BE21136743200718000001A53B9F96801FC78031A073BE21136743200718000001A"
        "5" } },
    { SET_NVM_TOTAL,
      { "4096", "1048576", "1073741824", "0004096" },
      { "", "4095", "1073741825", "-1", "+5000", " 5000", "5000 ", "5000k", "0x2000", "many",
        "99999999999999999999999" } },
    { SET_MAX_PROFILES, { "1", "100", "1000" }, { "", "0", "1001", "-1", "1.0" } },
    { SET_MAX_NOTIFICATIONS,
      { "1", "128", "10000" },
      { "", "0", "10001", "18446744073709551617" } },
    { SET_RSP_VERSION,
      { "2.5.0", "0.0.0", "255.255.255" },
      { "", "2", "2.5", "2.5.0.1", "2.5.", ".5.0", "2.5.0 ", "256.0.0", "0.256.0", "0.0.256",
        "a.b.c", "2,5,0" } },
    { SET_PROFILE_VERSION, { "2.3.1", "3.3.1" }, { "", "3.3", "3.3.1x" } },
    { SET_FIRMWARE_VERSION, { "1.0.0" }, { "", "1", "-1.0.0" } },
    { SET_PP_VERSION, { "0.0.1" }, { "", "0.0" } },
    { SET_SAS_NUMBER,
      { "", "GI-BA-UP-0419", "0123456789012345678901234567890123456789012345678901234567890123" },
      { "01234567890123456789012345678901234567890123456789012345678901234", "\xFF" } },
    { SET_PLATFORM_LABEL,
      { "", "label", "0123456789012345678901234567890123456789012345678901234567890123" },
      { "01234567890123456789012345678901234567890123456789012345678901234", "\xC3" } },
    { SET_DISCOVERY_URL, { "", "https://example.com" }, { "\xC0\x80" } },
    { SET_CURVES,
      { "nist", "brp", "both" },
      { "", "nis", "nistx", "NIST", "frp", " nist", "|", "t" } },
    { SET_DEFAULT_DP,
      { "", "testsmdpplus1.example.com", "d\xC3\xA9p\xC3\xB4t.example.com" },
      { "\xED\xA0\x80" } },
    { SET_ROOT_DS, { "", "testrootsmds.example.com" }, { "\x80" } },
    { SET_RAT,
      { "", "ppr1:EEEEEE", "ppr1:eeeeee", "ppr2:62F210:consent", "ppr1+ppr2:EEEEEE/*/*:consent",
        "ppr1:62F210/AB/CD,62F220", "ppr1:EEEEEE;ppr2:EEEEEE:consent", "ppr1:62F210/0102" },
      { "ppr1", "ppr1:", ":EEEEEE", "ppr3:EEEEEE", "ppr2+ppr1:EEEEEE", "ppr1:EEEEE", "ppr1:EEEEEE,",
        "ppr1:EEEEEE:maybe", "ppr1:EEEEEE:consent:", "ppr1:EEEEEE/*/*/*", "ppr1:EEEEEE/A",
        "ppr1:EEEEEE;;ppr2:EEEEEE" } },
    { SET_FORBIDDEN_PPR,
      { "", "ppr1", "ppr2", "ppr1+ppr2" },
      { "ppr", "ppr3", "ppr2+ppr1", "ppr1+", "ppr1,ppr2", "PPR1", " ppr1" } },
    { SET_TEST_PROFILES, { "on", "off" }, { "", "o", "yes", "ON", "on ", "1" } },
    { SET_OTPK_REUSE, { "on", "off" }, { "", "no" } },
    { SET_CRL, { "on", "off" }, { "", "true" } },
    { SET_STRICT_DER, { "on", "off" }, { "", "strict" } },
    { SET_JAVACARD, { "refuse", "record" }, { "", "on", "refuse|record" } },
    { SET_IOT, { "on", "off" }, { "", "yes" } },
    { SET_SGP32_VERSION,
      { "1.0.1", "1.1.0", "1.2.0", "1.3.0" },
      { "", "1.0", "1.0.0", "1.2", "1.4.0", "2.0.0" } },
    { SET_ES10C_ON_IOT, { "allow", "refuse" }, { "", "on" } },
    { SET_MAX_EIMS, { "1", "1000" }, { "0", "1001" } },
    { SET_MAX_PACKAGE_RESULTS, { "1", "1000" }, { "0", "1001" } },
    { SET_PACKAGE_MAX, { "256", "65000" }, { "255", "65001" } },
    { SET_PACKAGE_RESULT_MAX, { "256", "65000" }, { "255", "65001" } },
    { SET_EIM_COUNTER_MAX, { "8388607", "2147483647" }, { "8388606", "2147483648" } },
    { SET_FALLBACK, { "on", "off" }, { "1" } },
    { SET_ECALL, { "on", "off" }, { "1" } },
    { SET_EIM_RESET, { "on", "off" }, { "1" } },
    { SET_IMMEDIATE_ENABLE, { "on", "off" }, { "1" } },
    { SET_TERMINAL_CAPABILITY, { "optional", "required" }, { "", "on" } },
    { SET_IPAE, { "off", "inactive", "on" }, { "", "active" } },
    { SET_IPAE_PROTOCOL, { "https", "coaps", "both" }, { "", "http", "https+coaps" } },
    { SET_IPAE_POLL, { "10", "86400", "2592000" }, { "", "9", "2592001", "1d" } },
    { SET_IPAE_DELAY, { "0", "30", "86400" }, { "", "-1", "86401" } },
    { SET_IPAE_FALLBACK, { "10", "7200", "86400" }, { "", "9", "86401" } },
    { SET_IPAE_DNS,
      { "", "192.0.2.53", "2001:db8::53" },
      { "192.0.2", "dns.example", " 192.0.2.53", "2001:db8::53::", "\x80" } },
    { SET_IPAE_BUFFER, { "4096", "262144", "16777216" }, { "4095", "16777217" } },
};

START_TEST(every_setting_takes_its_values_and_refuses_others)
{
    const struct setting_info *info = &setting_infos[rows[_i].which];

    ck_assert_uint_eq(rows[_i].which, (unsigned)_i);
    for (size_t k = 0; k < MAX_VALUES && rows[_i].good[k] != NULL; k++) {
        const char *why = setting_check(rows[_i].which, rows[_i].good[k]);
        ck_assert_msg(why == NULL, "%s=%s: %s", info->key, rows[_i].good[k], why);
    }
    for (size_t k = 0; k < MAX_VALUES && rows[_i].bad[k] != NULL; k++) {
        const char *why = setting_check(rows[_i].which, rows[_i].bad[k]);
        ck_assert_msg(why != NULL, "%s=%s is taken", info->key, rows[_i].bad[k]);
        ck_assert_ptr_null(strchr(why, '\n'));
    }
}
END_TEST

/* Values that are refused nowhere yet, although they should be. */
START_TEST(odd_values_are_refused)
{
    ck_assert_ptr_nonnull(setting_check(SET_CURVES, "nist|brp"));
    ck_assert_ptr_nonnull(setting_check(SET_CRL, "on|off"));
    ck_assert_ptr_nonnull(setting_check(SET_RSP_VERSION, " 2.5.0"));
    ck_assert_ptr_nonnull(setting_check(SET_RSP_VERSION, "2.+5.0"));
}
END_TEST

START_TEST(every_text_has_a_longest_value)
{
    static const struct {
        enum setting which;
        size_t most;
    } texts[] = { { SET_SAS_NUMBER, 64 },
                  { SET_PLATFORM_LABEL, 64 },
                  { SET_DISCOVERY_URL, 128 },
                  { SET_DEFAULT_DP, 255 },
                  { SET_ROOT_DS, 255 } };
    char value[1000];

    memset(value, 'a', sizeof value);
    value[texts[_i].most + 1] = '\0';
    ck_assert_str_eq(setting_check(texts[_i].which, value), "too long");
    value[texts[_i].most] = '\0';
    ck_assert_ptr_null(setting_check(texts[_i].which, value));
}
END_TEST

START_TEST(no_value_reaches_the_bound_of_all)
{
    char value[SETTING_VALUE_MAX + 1];

    memset(value, '0', sizeof value);
    value[SETTING_VALUE_MAX] = '\0';
    for (int i = 0; i < SETTING_COUNT; i++)
        ck_assert_str_eq(setting_check((enum setting)i, value), "too long");
}
END_TEST

START_TEST(the_table_is_complete_and_its_initial_values_are_allowed)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct setting_info *info = &setting_infos[i];
        ck_assert(info->key != NULL && info->key[0] != '\0');
        ck_assert(info->meaning != NULL && info->meaning[0] != '\0');
        ck_assert_ptr_nonnull(info->initial);
        ck_assert_ptr_null(setting_check((enum setting)i, info->initial));
        ck_assert_int_eq(setting_find(info->key), i); /* and no key twice */
    }
    ck_assert_int_eq(setting_find(""), SETTING_COUNT);
    ck_assert_int_eq(setting_find("ATR"), SETTING_COUNT);
    ck_assert_int_eq(setting_find("curves "), SETTING_COUNT);
    ck_assert_int_eq(setting_find("none"), SETTING_COUNT);
}
END_TEST

/* --- loaded ----------------------------------------------------------------------------------- */

static struct nvm *nvm;
static struct settings settings;

static void set_up(void)
{
    nvm = nvm_open_memory(&no_trace);
    ck_assert_ptr_nonnull(nvm);
    memset(&settings, 0, sizeof settings);
}

static void tear_down(void)
{
    settings_done(&settings);
    nvm_close(&nvm);
}

static void load_with(enum setting which, const char *value)
{
    ck_assert_ptr_null(setting_check(which, value));
    ck_assert_int_eq(setting_store(nvm, which, value), 0);
    ck_assert_int_eq(nvm_commit(nvm), 0);
    settings_done(&settings);
    ck_assert_int_eq(settings_load(&settings, nvm), 0);
}

START_TEST(a_card_without_settings_has_the_initial_ones)
{
    uint8_t version[3];

    ck_assert_int_eq(settings_load(&settings, nvm), 0);
    for (int i = 0; i < SETTING_COUNT; i++)
        ck_assert_str_eq(setting_text(&settings, (enum setting)i), setting_infos[i].initial);
    ck_assert_uint_eq(setting_number(&settings, SET_MAX_PROFILES), 100);
    ck_assert(setting_is(&settings, SET_STRICT_DER, "off"));
    setting_version(&settings, SET_RSP_VERSION, version);
    ck_assert_mem_eq(version, "\2\5\0", 3);
}
END_TEST

START_TEST(what_is_stored_is_loaded_for_every_setting)
{
    for (size_t i = 0; i < N_ELEMS(rows); i++)
        for (size_t k = 0; k < MAX_VALUES && rows[i].good[k] != NULL; k++) {
            load_with(rows[i].which, rows[i].good[k]);
            ck_assert_str_eq(setting_text(&settings, rows[i].which), rows[i].good[k]);
            ck_assert(setting_is(&settings, rows[i].which, rows[i].good[k]));
        }
}
END_TEST

START_TEST(numbers_versions_and_octets_are_read)
{
    uint8_t version[3], octets[33];

    load_with(SET_NVM_TOTAL, "1073741824");
    ck_assert_uint_eq(setting_number(&settings, SET_NVM_TOTAL), 1073741824);
    load_with(SET_FIRMWARE_VERSION, "255.0.16");
    setting_version(&settings, SET_FIRMWARE_VERSION, version);
    ck_assert_mem_eq(version, "\xFF\x00\x10", 3);
    load_with(SET_ATR, "3B021450");
    ck_assert_uint_eq(setting_hex(&settings, SET_ATR, octets, sizeof octets), 4);
    ck_assert_mem_eq(octets, "\x3B\x02\x14\x50", 4);
    ck_assert_uint_eq(setting_hex(&settings, SET_ATR, octets, 3), 0);
    load_with(SET_ATR, "");
    ck_assert_uint_eq(setting_hex(&settings, SET_ATR, octets, sizeof octets), 0);
}
END_TEST

START_TEST(forbidden_rules_are_ppr_ids)
{
    static const struct {
        const char *text;
        uint32_t bits;
    } pprs[] = { { "", 0 }, { "ppr1", 2 }, { "ppr2", 4 }, { "ppr1+ppr2", 6 } };

    load_with(SET_FORBIDDEN_PPR, pprs[_i].text);
    ck_assert_uint_eq(setting_pprs(&settings, SET_FORBIDDEN_PPR), pprs[_i].bits);
}
END_TEST

/* SGP.22 5.7.22: SEQUENCE OF ProfilePolicyAuthorisationRule, without the outer tag. */
static const struct {
    const char *text, *der;
} rats[] = {
    { "", "" },
    { "ppr1:EEEEEE", "3010 80020640 A107 3005 8003EEEEEE 820100" },
    { "ppr2:62F210:consent", "3011 80020520 A107 3005 800362F210 82020780" },
    { "ppr1+ppr2:EEEEEE/*/*:consent", "3015 80020560 A10B 3009 8003EEEEEE 8100 8200 82020780" },
    { "ppr1:62F210/AB/CDEF", "3017 80020640 A10E 300C 800362F210 8101AB 8202CDEF 820100" },
    { "ppr1:62F210/*", "3012 80020640 A109 3007 800362F210 8100 820100" },
    { "ppr1:62F210,EEEEEE/01", "301A 80020640 A111 3005 800362F210 3008 8003EEEEEE 810101 820100" },
    { "ppr1:EEEEEE;ppr2:EEEEEE:consent", "3010 80020640 A107 3005 8003EEEEEE 820100"
                                         "3011 80020520 A107 3005 8003EEEEEE 82020780" },
};

START_TEST(the_rules_authorisation_table_becomes_der)
{
    struct rd want = exact_copy(rats[_i].der);
    uint8_t *octets = malloc(want.n + 1);
    struct wr w;

    load_with(SET_RAT, rats[_i].text);
    wr_init(&w, octets, want.n); /* exactly full */
    ck_assert_int_eq(setting_rat(&settings, &w), 0);
    ck_assert_uint_eq(w.n, want.n);
    if (want.n > 0)
        ck_assert_mem_eq(w.p, want.p, want.n);
    if (want.n > 0) {
        wr_init(&w, octets, want.n - 1);
        ck_assert_int_eq(setting_rat(&settings, &w), ERR_NOMEM);
    }
    exact_free(&want);
    free(octets);
}
END_TEST

START_TEST(a_storage_without_power_is_a_fault)
{
    nvm_cut_after(nvm, 0);
    ck_assert_int_eq(setting_store(nvm, SET_CRL, "off"), ERR_NVM);
    ck_assert_int_eq(settings_load(&settings, nvm), ERR_NVM);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("settings");
    TCase *values = tcase_create("values"), *loaded = tcase_create("loaded");

    tcase_add_loop_test(values, every_setting_takes_its_values_and_refuses_others, 0,
                        SETTING_COUNT);
    tcase_add_test(values, odd_values_are_refused);
    tcase_add_loop_test(values, every_text_has_a_longest_value, 0, 5);
    tcase_add_test(values, no_value_reaches_the_bound_of_all);
    tcase_add_test(values, the_table_is_complete_and_its_initial_values_are_allowed);
    suite_add_tcase(suite, values);

    tcase_add_checked_fixture(loaded, set_up, tear_down);
    tcase_add_test(loaded, a_card_without_settings_has_the_initial_ones);
    tcase_add_test(loaded, what_is_stored_is_loaded_for_every_setting);
    tcase_add_test(loaded, numbers_versions_and_octets_are_read);
    tcase_add_loop_test(loaded, forbidden_rules_are_ppr_ids, 0, 4);
    tcase_add_loop_test(loaded, the_rules_authorisation_table_becomes_der, 0, N_ELEMS(rats));
    tcase_add_test(loaded, a_storage_without_power_is_a_fault);
    suite_add_tcase(suite, loaded);

    return suite_status(suite);
}
