/* fuzz_settings.c - settings: the first octet says which one, the rest is its value.
 *
 * A value that is allowed is kept as it is, reads as what its kind promises, and gives a card whose
 * EUICCInfo2 and ATR are well-formed. */
#include <stdlib.h>
#include <string.h>

#include <EUICCInfo2.h>

#include "asn1/der.h"
#include "card/atr.h"
#include "lib/softeuicc.h"
#include "os/settings.h"
#include "tests/fuzz/device.h"
#include "tests/fuzz/fuzz.h"

/* Beyond, a value is refused anyway. */
enum { LONGEST = 2 * SETTING_VALUE_MAX };

static size_t transmit(void *ctx, const uint8_t *command, size_t n, uint8_t *response)
{
    return softeuicc_transmit(ctx, command, n, response);
}

static void ask_card(struct softeuicc *card)
{
    static const uint8_t get_info2[] = { 0xBF, 0x22, 0x00 };
    static const uint8_t with_ipad[] = { 0x80, 0xAA, 0, 0, 5, 0xA9, 3, 0x83, 1, 7 };
    struct device d = { transmit, card, malloc(SOFTEUICC_RESPONSE_MAX) };
    uint8_t atr[SOFTEUICC_ATR_MAX];
    void *info = NULL;
    struct wr answer;

    size_t n = softeuicc_atr(card, atr);
    oracle(n >= 2 && n <= sizeof atr, "the ATR has a length that ISO 7816-3 allows");
    wr_init_heap(&answer, DEVICE_ANSWER_MAX);
    oracle(d.response != NULL && transmit(card, with_ipad, sizeof with_ipad, d.response) == 2,
           "the card takes a TERMINAL CAPABILITY, which it may require");
    oracle(device_open(&d) == 0x9000 && device_es10(&d, rd_of(get_info2, sizeof get_info2),
                                                    DEVICE_BLOCK_MAX, &answer) == 0x9000,
           "the card answers GetEUICCInfo2");
    oracle(der_is_canonical(answer.p, answer.n), "EUICCInfo2 is DER");
    oracle(der_decode(&asn_DEF_EUICCInfo2, answer.p, answer.n, &info) == 0,
           "EUICCInfo2 decodes as its type");
    der_free(&asn_DEF_EUICCInfo2, info);
    wr_done(&answer);
    free(d.response);
}

static void make_card(const char *key, const char *value)
{
    static struct softeuicc_crypto *crypto;
    /* On one curve, because each takes its time; unless it is the curves that are set. */
    const struct softeuicc_setting settings[] = { { "curves", "nist" }, { key, value } };
    const struct softeuicc_new how = { .settings = settings, .n_settings = 2 };
    char error[SOFTEUICC_ERROR_LEN] = "";
    struct softeuicc *card = NULL;

    if (crypto == NULL)
        crypto = softeuicc_crypto_new("fuzz_settings");
    const struct softeuicc_options options = { .crypto = crypto };
    oracle(softeuicc_open_memory(&how, &options, &card, error) == 0,
           "a card is made with an allowed setting");
    ask_card(card);
    softeuicc_close(&card);
}

static void read_typed(const struct settings *s, enum setting which)
{
    const struct setting_info *info = &setting_infos[which];
    uint8_t octets[SETTING_VALUE_MAX];
    struct wr rat;

    switch (info->kind) {
    case KIND_NUMBER:
        oracle(setting_number(s, which) >= info->low && setting_number(s, which) <= info->high,
               "a number keeps its bounds");
        break;
    case KIND_VERSION:
        setting_version(s, which, octets);
        break;
    case KIND_HEX:
        oracle(setting_hex(s, which, octets, sizeof octets) <= info->high,
               "octets keep their bounds");
        break;
    case KIND_RAT:
        wr_init_heap(&rat, 1 << 16);
        oracle(setting_rat(s, &rat) == 0 && wr_failed(&rat) == 0,
               "an allowed table can be written");
        oracle(rat.n == 0 || der_is_canonical(rat.p, rat.n), "it is DER");
        wr_done(&rat);
        break;
    case KIND_PPRS:
        (void)setting_pprs(s, which);
        break;
    case KIND_SWITCH:
    case KIND_CHOICE:
    case KIND_TEXT:
    case KIND_ADDRESS:
        break;
    }
}

static void store(enum setting which, const char *value)
{
    static const struct trace silent = { NULL, NULL };
    struct nvm *nvm = nvm_open_memory(&silent);
    struct settings s = { { NULL } };

    oracle(nvm != NULL, "there is memory");
    oracle(setting_store(nvm, which, value) == 0 && settings_load(&s, nvm) == 0,
           "what is allowed can be stored and loaded");
    oracle(strcmp(setting_text(&s, which), value) == 0, "a value is kept as it is");
    read_typed(&s, which);
    settings_done(&s);
    nvm_close(&nvm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd in = rd_of(data, size);
    enum setting which = (enum setting)(fuzz_u8(&in) % SETTING_COUNT);
    size_t n = in.n < LONGEST ? in.n : LONGEST;
    char *value = malloc(n + 1);

    oracle(value != NULL, "there is memory");
    if (n > 0)
        memcpy(value, in.p, n);
    value[n] = '\0';
    oracle(setting_find(setting_infos[which].key) == which, "a setting is found by its key");
    if (setting_check(which, value) == NULL) {
        store(which, value);
        make_card(setting_infos[which].key, value);
    }
    free(value);
    return 0;
}
