/* settings.h - what can be set when a card is made; one table, from which docs/SETTINGS.md, --help
 * and the checks come. */
#ifndef OS_SETTINGS_H
#define OS_SETTINGS_H

#include "os/nvm.h"

enum setting {
    SET_ATR,
    SET_NVM_TOTAL,
    SET_MAX_PROFILES,
    SET_MAX_NOTIFICATIONS,
    SET_RSP_VERSION,
    SET_PROFILE_VERSION,
    SET_FIRMWARE_VERSION,
    SET_PP_VERSION,
    SET_SAS_NUMBER,
    SET_PLATFORM_LABEL,
    SET_DISCOVERY_URL,
    SET_CURVES,
    SET_DEFAULT_DP,
    SET_ROOT_DS,
    SET_RAT,
    SET_FORBIDDEN_PPR,
    SET_TEST_PROFILES,
    SET_OTPK_REUSE,
    SET_CRL,
    SET_STRICT_DER,
    SET_JAVACARD,
    SET_IOT,
    SET_SGP32_VERSION,
    SET_ES10C_ON_IOT,
    SET_MAX_EIMS,
    SET_MAX_PACKAGE_RESULTS,
    SET_PACKAGE_MAX,
    SET_PACKAGE_RESULT_MAX,
    SET_EIM_COUNTER_MAX,
    SET_FALLBACK,
    SET_ECALL,
    SET_EIM_RESET,
    SET_IMMEDIATE_ENABLE,
    SET_TERMINAL_CAPABILITY,
    SET_IPAE,
    SET_IPAE_PROTOCOL,
    SET_IPAE_POLL,
    SET_IPAE_DELAY,
    SET_IPAE_FALLBACK,
    SET_IPAE_DNS,
    SET_IPAE_BUFFER,
    SETTING_COUNT
};

enum setting_kind {
    KIND_NUMBER,  /* decimal, between low and high */
    KIND_SWITCH,  /* on or off */
    KIND_CHOICE,  /* one of the words in choices, separated by | */
    KIND_VERSION, /* 2.5.0: three numbers up to 255 */
    KIND_TEXT,    /* UTF-8, low to high octets */
    KIND_HEX,     /* low to high octets */
    KIND_ADDRESS, /* IPv4 or IPv6, or nothing */
    KIND_RAT,     /* rules authorisation table, see docs/SETTINGS.md */
    KIND_PPRS,    /* ppr1, ppr2, ppr1+ppr2 or nothing */
};

struct setting_info {
    const char *key, *initial, *meaning;
    enum setting_kind kind;
    uint64_t low, high;
    const char *choices;
};

/* SETTING_COUNT rows, by enum setting. */
extern const struct setting_info setting_infos[];

enum { SETTING_VALUE_MAX = 512 };

/* NULL, or why this value cannot be. */
const char *setting_check(enum setting which, const char *value);

/* By its key; SETTING_COUNT when there is none. */
enum setting setting_find(const char *key);

/* A card's settings, loaded. */
struct settings {
    char *values[SETTING_COUNT]; /* NULL: the initial one */
};

int settings_load(struct settings *s, struct nvm *nvm);
void settings_done(struct settings *s);
/* Stores one that setting_check() allows. */
int setting_store(struct nvm *nvm, enum setting which, const char *value);

const char *setting_text(const struct settings *s, enum setting which);
uint64_t setting_number(const struct settings *s, enum setting which);
bool setting_is(const struct settings *s, enum setting which, const char *word);
/* KIND_VERSION: three octets; KIND_HEX: returns the length. */
void setting_version(const struct settings *s, enum setting which, uint8_t ret[3]);
size_t setting_hex(const struct settings *s, enum setting which, uint8_t *ret, size_t size);

/* KIND_PPRS as PprIds bits (SGP.22 2.8.1): bit 1 PPR1, bit 2 PPR2. */
uint32_t setting_pprs(const struct settings *s, enum setting which);

/* KIND_RAT as the contents of RulesAuthorisationTable (SGP.22 5.7.22). */
int setting_rat(const struct settings *s, struct wr *ret);

#endif
