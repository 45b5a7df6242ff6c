/* settings.c - the table of settings, and how their values read. */
#include "os/settings.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card/atr.h"
#include "os/err.h"
#include "os/hex.h"
#include "os/tlv.h"

const struct setting_info setting_infos[SETTING_COUNT] = {
    [SET_ATR] = { "atr", "", "answer to reset in hex; empty: one that says what the card can",
                  KIND_HEX, 0, ATR_MAX_LEN, NULL },
    [SET_NVM_TOTAL] = { "nvm_total", "1048576", "octets of storage for profiles", KIND_NUMBER, 4096,
                        1 << 30, NULL },
    [SET_MAX_PROFILES] = { "max_profiles", "100", "how many profiles fit, whatever their size",
                           KIND_NUMBER, 1, 1000, NULL },
    [SET_MAX_NOTIFICATIONS] = { "max_notifications", "128",
                                "pending notifications kept; beyond, the oldest goes", KIND_NUMBER,
                                1, 10000, NULL },
    [SET_RSP_VERSION] = { "rsp_version", "2.5.0", "SGP.22 version announced (svn)", KIND_VERSION, 0,
                          0, NULL },
    [SET_PROFILE_VERSION] = { "profile_version", "3.3.1",
                              "profile package version announced and accepted", KIND_VERSION, 0, 0,
                              NULL },
    [SET_FIRMWARE_VERSION] = { "firmware_version", "1.0.0", "euiccFirmwareVer", KIND_VERSION, 0, 0,
                               NULL },
    [SET_PP_VERSION] = { "pp_version", "0.0.1", "protection profile version (ppVersion)",
                         KIND_VERSION, 0, 0, NULL },
    [SET_SAS_NUMBER] = { "sas_number", "SOFTEUICC-TEST-0", "sasAcreditationNumber", KIND_TEXT, 0,
                         64, NULL },
    [SET_PLATFORM_LABEL] = { "platform_label", "",
                             "platformLabel of certificationDataObject; empty: none", KIND_TEXT, 0,
                             64, NULL },
    [SET_DISCOVERY_URL] = { "discovery_url", "",
                            "discoveryBaseURL of certificationDataObject; empty: none", KIND_TEXT,
                            0, 128, NULL },
    [SET_CURVES] = { "curves", "both", "certificates that the card holds: nist, brp or both",
                     KIND_CHOICE, 0, 0, "nist|brp|both" },
    [SET_DEFAULT_DP] = { "default_dp", "", "default SM-DP+ address at manufacture", KIND_TEXT, 0,
                         255, NULL },
    [SET_ROOT_DS] = { "root_ds", "testrootsmds.example.com", "root SM-DS address", KIND_TEXT, 0,
                      255, NULL },
    [SET_RAT] = { "rat", "ppr1+ppr2:EEEEEE/*/*:consent",
                  "rules authorisation table; empty: no rule, no PPR allowed", KIND_RAT, 0, 0,
                  NULL },
    [SET_FORBIDDEN_PPR] = { "forbidden_ppr", "", "profile policy rules that are never allowed",
                            KIND_PPRS, 0, 0, NULL },
    [SET_TEST_PROFILES] = { "test_profiles", "on", "test profiles are supported", KIND_SWITCH, 0, 0,
                            NULL },
    [SET_OTPK_REUSE] = { "otpk_reuse", "on", "one-time keys are kept for a retried download",
                         KIND_SWITCH, 0, 0, NULL },
    [SET_CRL] = { "crl", "on", "LoadCRL is supported", KIND_SWITCH, 0, 0, NULL },
    [SET_STRICT_DER] = { "strict_der", "off", "requests that are not canonical DER get 6A80",
                         KIND_SWITCH, 0, 0, NULL },
    [SET_JAVACARD] = { "javacard", "refuse",
                       "profiles that demand Java Card: refuse, or record (installed without it)",
                       KIND_CHOICE, 0, 0, "refuse|record" },
    [SET_IOT] = { "iot", "on", "an IoT eUICC: the functions of SGP.32", KIND_SWITCH, 0, 0, NULL },
    [SET_SGP32_VERSION] = { "sgp32_version", "1.2.0",
                            "SGP.32 version that is spoken: 1.0.1, 1.1.0, 1.2.0 or 1.3.0",
                            KIND_CHOICE, 0, 0, "1.0.1|1.1.0|1.2.0|1.3.0" },
    [SET_ES10C_ON_IOT] = { "es10c_on_iot", "allow",
                           "ES10c's profile management on an IoT eUICC with an eIM: allow or "
                           "refuse",
                           KIND_CHOICE, 0, 0, "allow|refuse" },
    [SET_MAX_EIMS] = { "max_eims", "10", "how many eIMs can be associated", KIND_NUMBER, 1, 1000,
                       NULL },
    [SET_MAX_PACKAGE_RESULTS] = { "max_package_results", "16",
                                  "eUICC Package Results kept; beyond, packages are refused",
                                  KIND_NUMBER, 1, 1000, NULL },
    [SET_PACKAGE_MAX] = { "package_max", "65000", "octets of an eUICC Package", KIND_NUMBER, 256,
                          65000, NULL },
    [SET_PACKAGE_RESULT_MAX] = { "package_result_max", "65000", "octets of an eUICC Package Result",
                                 KIND_NUMBER, 256, 65000, NULL },
    [SET_EIM_COUNTER_MAX] = { "eim_counter_max", "8388607", "highest counterValue of an eIM",
                              KIND_NUMBER, 8388607, INT32_MAX, NULL },
    [SET_FALLBACK] = { "fallback", "on", "the Fallback Mechanism is supported", KIND_SWITCH, 0, 0,
                       NULL },
    [SET_ECALL] = { "ecall", "on", "Emergency Profiles are supported", KIND_SWITCH, 0, 0, NULL },
    [SET_EIM_RESET] = { "eim_reset", "on", "eUICCMemoryReset can remove the eIMs", KIND_SWITCH, 0,
                        0, NULL },
    [SET_IMMEDIATE_ENABLE] = { "immediate_enable", "on", "Immediate Profile Enabling is supported",
                               KIND_SWITCH, 0, 0, NULL },
    [SET_TERMINAL_CAPABILITY] = { "terminal_capability", "optional",
                                  "required: ES10 functions only after a TERMINAL CAPABILITY with "
                                  "IPAd or LPAd",
                                  KIND_CHOICE, 0, 0, "optional|required" },
    [SET_IPAE] = { "ipae", "off",
                   "the IPA in the eUICC: off, inactive (until IpaeActivation) or on", KIND_CHOICE,
                   0, 0, "off|inactive|on" },
    [SET_IPAE_PROTOCOL] = { "ipae_protocol", "both", "how the IPAe asks eIMs: https, coaps or both",
                            KIND_CHOICE, 0, 0, "https|coaps|both" },
    [SET_IPAE_POLL] = { "ipae_poll", "86400", "seconds between two questions of the IPAe",
                        KIND_NUMBER, 10, 2592000, NULL },
    [SET_IPAE_DELAY] = { "ipae_delay", "30",
                         "seconds that the IPAe waits at most after power-on, at random",
                         KIND_NUMBER, 0, 86400, NULL },
    [SET_IPAE_FALLBACK] = { "ipae_fallback", "7200",
                            "seconds without service until the IPAe executes the Fallback "
                            "Mechanism",
                            KIND_NUMBER, 10, 86400, NULL },
    [SET_IPAE_DNS] = { "ipae_dns", "",
                       "address of the DNS server that the IPAe asks; empty: the network's",
                       KIND_ADDRESS, 0, 0, NULL },
    [SET_IPAE_BUFFER] = { "ipae_buffer", "262144", "octets of an answer to the IPAe", KIND_NUMBER,
                          4096, 1 << 24, NULL },
};

/* --- values -------------------------------------------------------------------------------- */

/* Octets of an even number of hex digits, n characters; -1 when they are not. */
static int read_hex(const char *text, size_t n, uint8_t *ret, size_t size)
{
    if (n % 2 != 0 || n / 2 > size)
        return -1;
    for (size_t i = 0; i < n / 2; i++) {
        int octet = hex_octet(text + 2 * i);
        if (octet < 0)
            return -1;
        ret[i] = (uint8_t)octet;
    }
    return (int)(n / 2);
}

static bool read_number(const char *text, uint64_t *ret)
{
    char *end;

    if (!isdigit((unsigned char)text[0]))
        return false;
    *ret = strtoull(text, &end, 10);
    return *end == '\0';
}

/* Three numbers of up to 255 with nothing but dots between them. */
static bool read_version(const char *text, uint8_t ret[3])
{
    for (int i = 0; i < 3; i++) {
        unsigned n = 0;
        size_t digits = strspn(text, "0123456789");
        if (digits == 0 || digits > 3)
            return false;
        for (; digits > 0; digits--)
            n = n * 10 + (unsigned)(*text++ - '0');
        if (n > 255 || *text != (i < 2 ? '.' : '\0'))
            return false;
        ret[i] = (uint8_t)n;
        text++;
    }
    return true;
}

static bool is_one_of(const char *choices, const char *value)
{
    size_t n = strcspn(value, "|");

    if (value[n] != '\0')
        return false;
    for (const char *at = choices; at != NULL; at = strchr(at, '|')) {
        at += *at == '|';
        if (strncmp(at, value, n) == 0 && (at[n] == '|' || at[n] == '\0') && n > 0)
            return true;
    }
    return false;
}

enum {
    PPR1 = 1 << 1, /* PprIds, SGP.22 2.8.1 */
    PPR2 = 1 << 2,
};

static bool read_pprs(const char *text, size_t n, uint32_t *ret)
{
    static const struct {
        const char *word;
        uint32_t bits;
    } words[] = { { "", 0 }, { "ppr1", PPR1 }, { "ppr2", PPR2 }, { "ppr1+ppr2", PPR1 | PPR2 } };

    for (size_t i = 0; i < N_ELEMS(words); i++) {
        if (strlen(words[i].word) == n && memcmp(words[i].word, text, n) == 0) {
            *ret = words[i].bits;
            return true;
        }
    }
    return false;
}

/* "/GID": hex digits, or * for any value; absent when there is no such part. */
static bool put_gid(struct wr *w, uint32_t tag, const char **at, const char *end)
{
    uint8_t gid[16];

    if (*at == end)
        return true;
    if (*(*at)++ != '/')
        return false;
    size_t n = 0;
    while (*at + n < end && (*at)[n] != '/')
        n++;
    int octets = n == 1 && **at == '*' ? 0 : read_hex(*at, n, gid, sizeof gid);
    if (octets < 0)
        return false;
    tlv_put(w, tag, rd_of(gid, (size_t)octets));
    *at += n;
    return true;
}

/* An OperatorId: mccMnc as in TS 24.008, then gid1 and gid2, each behind a slash. */
static bool put_operator(struct wr *w, const char *at, const char *end)
{
    uint8_t mcc_mnc[3];

    if (end - at < 6 || read_hex(at, 6, mcc_mnc, sizeof mcc_mnc) != 3)
        return false;
    at += 6;
    struct wr_mark m = tlv_open(w, 0x30);
    tlv_put(w, 0x80, rd_of(mcc_mnc, sizeof mcc_mnc));
    bool good = put_gid(w, 0x81, &at, end) && put_gid(w, 0x82, &at, end) && at == end;
    tlv_close(w, m);
    return good;
}

/* "ppr1+ppr2:OPERATOR,OPERATOR:consent", a ProfilePolicyAuthorisationRule. */
static bool put_rule(struct wr *w, const char *at, const char *end)
{
    const char *colon = memchr(at, ':', (size_t)(end - at));
    uint32_t pprs;

    if (colon == NULL || !read_pprs(at, (size_t)(colon - at), &pprs) || pprs == 0)
        return false;
    at = colon + 1;
    colon = memchr(at, ':', (size_t)(end - at));
    const char *operators_end = colon != NULL ? colon : end;
    if (colon != NULL && (end - colon != 8 || memcmp(colon, ":consent", 8) != 0))
        return false;

    struct wr_mark rule = tlv_open(w, 0x30);
    tlv_put_bits(w, 0x80, pprs);
    struct wr_mark operators = tlv_open(w, 0xA1);
    for (;;) {
        const char *comma = memchr(at, ',', (size_t)(operators_end - at));
        const char *one_end = comma != NULL ? comma : operators_end;
        if (!put_operator(w, at, one_end))
            return false;
        if (comma == NULL)
            break;
        at = comma + 1;
    }
    tlv_close(w, operators);
    tlv_put_bits(w, 0x82, colon != NULL ? 1 : 0); /* pprFlags: consentRequired(0) */
    tlv_close(w, rule);
    return true;
}

static bool read_rat(const char *text, struct wr *ret)
{
    const char *end = text + strlen(text);

    while (text < end) {
        const char *semicolon = memchr(text, ';', (size_t)(end - text));
        const char *rule_end = semicolon != NULL ? semicolon : end;
        if (!put_rule(ret, text, rule_end))
            return false;
        text = rule_end + (semicolon != NULL);
    }
    return true;
}

const char *setting_check(enum setting which, const char *value)
{
    const struct setting_info *info = &setting_infos[which];
    uint8_t scratch[SETTING_VALUE_MAX];
    uint64_t number;
    uint32_t pprs;
    struct wr w;
    int n;

    if (strlen(value) >= SETTING_VALUE_MAX)
        return "too long";
    switch (info->kind) {
    case KIND_NUMBER:
        return read_number(value, &number) && number >= info->low && number <= info->high
                   ? NULL
                   : "not a number in its range";
    case KIND_SWITCH:
        return is_one_of("on|off", value) ? NULL : "neither on nor off";
    case KIND_CHOICE:
        return is_one_of(info->choices, value)
                   ? NULL
                   : "none of the words that softeuicc new --help tells";
    case KIND_VERSION:
        return read_version(value, scratch) ? NULL : "not a version such as 2.5.0";
    case KIND_TEXT:
        if (strlen(value) < info->low || strlen(value) > info->high)
            return "too long";
        return rd_is_utf8(rd_str(value)) ? NULL : "not UTF-8";
    case KIND_HEX:
        n = read_hex(value, strlen(value), scratch, sizeof scratch);
        if (n < 0 || (size_t)n < info->low || (size_t)n > info->high)
            return "not hex digits, or too many";
        return which == SET_ATR && n > 0 ? atr_check(scratch, (size_t)n) : NULL;
    case KIND_ADDRESS:
        return value[0] == '\0' || inet_pton(AF_INET, value, scratch) == 1 ||
                       inet_pton(AF_INET6, value, scratch) == 1
                   ? NULL
                   : "not an address such as 192.0.2.53";
    case KIND_RAT:
        wr_init(&w, scratch, sizeof scratch);
        return read_rat(value, &w) && wr_failed(&w) == 0
                   ? NULL
                   : "not rules such as ppr1+ppr2:EEEEEE/*/*:consent";
    case KIND_PPRS:
        return read_pprs(value, strlen(value), &pprs) ? NULL : "not ppr1, ppr2 or ppr1+ppr2";
    }
    return "of no known kind";
}

enum setting setting_find(const char *key)
{
    int which = 0;

    while (which < SETTING_COUNT && strcmp(setting_infos[which].key, key) != 0)
        which++;
    return (enum setting)which;
}

/* --- storing and loading --------------------------------------------------------------------- */

static void key_of(enum setting which, char ret[NVM_KEY_MAX])
{
    snprintf(ret, NVM_KEY_MAX, "setting/%s", setting_infos[which].key);
}

int setting_store(struct nvm *nvm, enum setting which, const char *value)
{
    char key[NVM_KEY_MAX];

    key_of(which, key);
    return nvm_put(nvm, key, rd_str(value));
}

int settings_load(struct settings *s, struct nvm *nvm)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        char key[NVM_KEY_MAX], value[SETTING_VALUE_MAX];
        struct wr w;
        bool found;

        key_of((enum setting)i, key);
        wr_init(&w, value, sizeof value - 1);
        TRY(nvm_get(nvm, key, &w, &found));
        if (!found)
            continue;
        value[w.n] = '\0';
        s->values[i] = strdup(value);
        if (s->values[i] == NULL)
            return ERR_NOMEM;
    }
    return 0;
}

void settings_done(struct settings *s)
{
    for (int i = 0; i < SETTING_COUNT; i++)
        free(s->values[i]);
    memset(s, 0, sizeof *s);
}

const char *setting_text(const struct settings *s, enum setting which)
{
    return s->values[which] != NULL ? s->values[which] : setting_infos[which].initial;
}

uint64_t setting_number(const struct settings *s, enum setting which)
{
    uint64_t n = 0;

    read_number(setting_text(s, which), &n);
    return n;
}

bool setting_is(const struct settings *s, enum setting which, const char *word)
{
    return strcmp(setting_text(s, which), word) == 0;
}

void setting_version(const struct settings *s, enum setting which, uint8_t ret[3])
{
    memset(ret, 0, 3);
    read_version(setting_text(s, which), ret);
}

size_t setting_hex(const struct settings *s, enum setting which, uint8_t *ret, size_t size)
{
    const char *text = setting_text(s, which);
    int n = read_hex(text, strlen(text), ret, size);

    return n < 0 ? 0 : (size_t)n;
}

uint32_t setting_pprs(const struct settings *s, enum setting which)
{
    const char *text = setting_text(s, which);
    uint32_t bits = 0;

    read_pprs(text, strlen(text), &bits);
    return bits;
}

int setting_rat(const struct settings *s, struct wr *ret)
{
    return read_rat(setting_text(s, SET_RAT), ret) ? wr_failed(ret) : ERR_BUG;
}
