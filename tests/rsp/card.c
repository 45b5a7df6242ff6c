/* card.c - a card for a test, watched. */
#include "tests/rsp/card.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <AddInitialEimResponse.h>
#include <AuthenticateServerResponse.h>
#include <CancelSessionResponse.h>
#include <ConfigureImmediateProfileEnablingResponse.h>
#include <DeleteProfileResponse.h>
#include <DisableEmergencyProfileResponse.h>
#include <DisableProfileResponse.h>
#include <EUICCInfo1.h>
#include <EUICCInfo2.h>
#include <EnableEmergencyProfileResponse.h>
#include <EnableProfileResponse.h>
#include <EuiccConfiguredAddressesResponse.h>
#include <EuiccMemoryResetResponse.h>
#include <EuiccPackageResult.h>
#include <ExecuteFallbackMechanismResponse.h>
#include <GetCertsResponse.h>
#include <GetConnectivityParametersResponse.h>
#include <GetEimConfigurationDataResponse.h>
#include <GetEuiccChallengeResponse.h>
#include <GetEuiccDataResponse.h>
#include <GetRatResponse.h>
#include <ImmediateEnableResponse.h>
#include <IoTEuiccMemoryResetResponse.h>
#include <IoTRetrieveNotificationsListResponse.h>
#include <IoTSetDefaultDpAddressResponse.h>
#include <ListNotificationResponse.h>
#include <LoadCRLResponse.h>
#include <LpaeActivationResponse.h>
#include <NotificationSentResponse.h>
#include <PrepareDownloadResponse.h>
#include <ProfileInfoListResponse.h>
#include <ProfileInstallationResult.h>
#include <ProfileRollbackResponse.h>
#include <ReturnFromFallbackResponse.h>
#include <SetDefaultDpAddressResponse.h>
#include <SetNicknameResponse.h>

#include "asn1/der.h"
#include "os/err.h"
#include "os/tlv.h"
#include "tests/rsp/message.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/leak.h"

enum {
    ANSWER_MAX = 1 << 20,
    BLOCK_MAX = 255,
    MAX_BLOCKS = 256,
    P1_MORE = 0x11,
    P1_LAST = 0x91,
};

/* Opened at its first card and kept: OpenSSL takes longer to start than a card. */
static struct softeuicc_crypto *shared_crypto(void)
{
    static struct softeuicc_crypto *crypto;

    if (crypto == NULL)
        crypto = softeuicc_crypto_new(NULL);
    ck_assert_ptr_nonnull(crypto);
    return crypto;
}

static void watch(void *ctx, enum softeuicc_event event, const char *text, const uint8_t *bytes,
                  size_t n)
{
    struct card *card = ctx;

    leak_watch(text, bytes, n);
    if (event == SOFTEUICC_CHECK)
        card->checks++;
    else if (event == SOFTEUICC_FAULT)
        card->faults++;
    else
        return;
    size_t at = strlen(card->why);
    snprintf(card->why + at, sizeof card->why - at, "%s%s", at > 0 ? "; " : "", text);
}

/* --- opening ---------------------------------------------------------------------------------- */

static void begin(struct card *card)
{
    *card = (struct card){ .off = true, .block = BLOCK_MAX };
    wr_init_heap(&card->data, ANSWER_MAX);
    card->response = malloc(SOFTEUICC_RESPONSE_MAX);
    ck_assert_ptr_nonnull(card->response);
}

static struct softeuicc_options options_of(struct card *card)
{
    return (struct softeuicc_options){ .crypto =
                                           card->seeded != NULL ? card->seeded : shared_crypto(),
                                       .trace = watch,
                                       .trace_ctx = card };
}

void card_open_as(struct card *card, const struct softeuicc_new *how, const char *seed)
{
    char error[SOFTEUICC_ERROR_LEN] = "";

    begin(card);
    if (seed != NULL)
        card->seeded = softeuicc_crypto_new(seed);
    const struct softeuicc_options options = options_of(card);
    int err = softeuicc_open_memory(how, &options, &card->chip, error);
    ck_assert_msg(err == 0, "%s", error);
    card_reset(card);
}

void card_open_file(struct card *card, const char *path)
{
    char error[SOFTEUICC_ERROR_LEN] = "";

    begin(card);
    const struct softeuicc_options options = options_of(card);
    int err = softeuicc_open(path, &options, &card->chip, error);
    ck_assert_msg(err == 0, "%s", error);
    card_reset(card);
}

void card_close(struct card *card)
{
    softeuicc_close(&card->chip);
    softeuicc_crypto_free(&card->seeded);
    wr_done(&card->data);
    free(card->response);
    card->response = NULL;
}

static void select_isdr(struct card *card)
{
    static const uint8_t select[] = { 0x00, 0xA4, 0x04, 0x00, 0x10, 0xA0, 0x00,
                                      0x00, 0x05, 0x59, 0x10, 0x10, 0xFF, 0xFF,
                                      0xFF, 0xFF, 0x89, 0x00, 0x00, 0x01, 0x00 };

    card->off = false;
    ck_assert_uint_eq(card_apdu(card, select, sizeof select), 0x9000);
}

void card_reset(struct card *card)
{
    card->digest[0] = '\0'; /* what was interrupted is settled at power on */
    ck_assert_int_eq(softeuicc_power_on(card->chip), 0);
    select_isdr(card);
}

/* --- the back door ---------------------------------------------------------------------------- */

void card_control(struct card *card, const char *line, char *reply, size_t size)
{
    int err = softeuicc_control(card->chip, line, reply, size);

    ck_assert_msg(err == 0, "%s: %s", line, reply);
}

void card_cut_after(struct card *card, unsigned writes)
{
    char line[32], reply[64];

    snprintf(line, sizeof line, "cut-after %u", writes);
    card_control(card, line, reply, sizeof reply);
}

const char *card_digest(struct card *card, char ret[CARD_DIGEST_LEN])
{
    card_control(card, "digest", ret, CARD_DIGEST_LEN);
    return ret;
}

/* --- APDUs ------------------------------------------------------------------------------------ */

static bool says_unchanged(uint16_t sw)
{
    return (sw >> 8) != 0x90 && (sw >> 8) != 0x91 && (sw >> 8) != 0x61 && (sw >> 8) != 0x63;
}

/* One APDU without GET RESPONSE behind it. */
static uint16_t exchange(struct card *card, const uint8_t *apdu, size_t n)
{
    char after[CARD_DIGEST_LEN];

    if (!card->quick && card->digest[0] == '\0')
        card_digest(card, card->digest);
    if (card->hook != NULL)
        card->hook(true);
    size_t len = softeuicc_transmit(card->chip, apdu, n, card->response);
    if (card->hook != NULL)
        card->hook(false);
    if (len == 0) {
        card->digest[0] = '\0';
        card->off = true;
        return CARD_MUTE;
    }
    ck_assert_uint_ge(len, 2);
    uint16_t sw = (uint16_t)(card->response[len - 2] << 8 | card->response[len - 1]);
    wr_put(&card->data, card->response, len - 2);
    if (!says_unchanged(sw)) {
        card->digest[0] = '\0';
    } else if (!card->quick) {
        ck_assert_uint_eq(len, 2); /* ISO 7816-4: no data with an error */
        ck_assert_msg(strcmp(card_digest(card, after), card->digest) == 0,
                      "SW %04X says unchanged, but the storage changed", sw);
        ck_assert_msg(card->checks + card->faults > 0, "SW %04X without a line in the trace", sw);
    }
    return sw;
}

static uint16_t transmit(struct card *card, const uint8_t *apdu, size_t n)
{
    uint16_t sw = exchange(card, apdu, n);

    while (sw >> 8 == 0x61) {
        const uint8_t get_response[] = { apdu[0], 0xC0, 0x00, 0x00, (uint8_t)sw };
        sw = exchange(card, get_response, sizeof get_response);
    }
    return sw;
}

static void new_command(struct card *card)
{
    if (card->off)
        card_reset(card);
    wr_clear(&card->data);
    card->checks = card->faults = 0;
    card->why[0] = '\0';
}

uint16_t card_apdu(struct card *card, const uint8_t *apdu, size_t n)
{
    new_command(card);
    card->sw = transmit(card, apdu, n);
    return card->sw;
}

/* --- ES10 ------------------------------------------------------------------------------------- */

static const struct {
    uint32_t tag;
    const asn_TYPE_descriptor_t *type;
} answers[] = {
    { 0xBF20, &asn_DEF_EUICCInfo1 },
    { 0xBF21, &asn_DEF_PrepareDownloadResponse },
    { 0xBF22, &asn_DEF_EUICCInfo2 },
    { 0xBF28, &asn_DEF_ListNotificationResponse },
    { 0xBF29, &asn_DEF_SetNicknameResponse },
    { 0xBF2B, &asn_DEF_IoTRetrieveNotificationsListResponse },
    { 0xBF2D, &asn_DEF_ProfileInfoListResponse },
    { 0xBF2E, &asn_DEF_GetEuiccChallengeResponse },
    { 0xBF30, &asn_DEF_NotificationSentResponse },
    { 0xBF31, &asn_DEF_EnableProfileResponse },
    { 0xBF32, &asn_DEF_DisableProfileResponse },
    { 0xBF33, &asn_DEF_DeleteProfileResponse },
    { 0xBF34, &asn_DEF_EuiccMemoryResetResponse },
    { 0xBF35, &asn_DEF_LoadCRLResponse },
    { 0xBF37, &asn_DEF_ProfileInstallationResult },
    { 0xBF38, &asn_DEF_AuthenticateServerResponse },
    { 0xBF3C, &asn_DEF_EuiccConfiguredAddressesResponse },
    { 0xBF3E, &asn_DEF_GetEuiccDataResponse },
    { 0xBF3F, &asn_DEF_SetDefaultDpAddressResponse },
    { 0xBF41, &asn_DEF_CancelSessionResponse },
    { 0xBF42, &asn_DEF_LpaeActivationResponse },
    { 0xBF43, &asn_DEF_GetRatResponse },
    { 0xBF51, &asn_DEF_EuiccPackageResult },
    { 0xBF55, &asn_DEF_GetEimConfigurationDataResponse },
    { 0xBF56, &asn_DEF_GetCertsResponse },
    { 0xBF57, &asn_DEF_AddInitialEimResponse },
    { 0xBF58, &asn_DEF_ProfileRollbackResponse },
    { 0xBF59, &asn_DEF_ConfigureImmediateProfileEnablingResponse },
    { 0xBF5A, &asn_DEF_ImmediateEnableResponse },
    { 0xBF5B, &asn_DEF_EnableEmergencyProfileResponse },
    { 0xBF5C, &asn_DEF_DisableEmergencyProfileResponse },
    { 0xBF5D, &asn_DEF_ExecuteFallbackMechanismResponse },
    { 0xBF5E, &asn_DEF_ReturnFromFallbackResponse },
    { 0xBF5F, &asn_DEF_GetConnectivityParametersResponse },
    { 0xBF64, &asn_DEF_IoTEuiccMemoryResetResponse },
    { 0xBF65, &asn_DEF_IoTSetDefaultDpAddressResponse },
};

/* asn1c's codec is not the card's own code: it reads the answer, and writes the same octets. */
static void check_codec(struct rd answer, bool echoes)
{
    struct rd in = answer;
    size_t n, size = answer.n + 16;
    struct der_report report;
    struct tlv outer;
    void *value = NULL;

    ck_assert_msg(tlv_get(&in, &outer) == 0 && in.n == 0, "the answer is not one TLV");
    for (size_t i = 0; i < N_ELEMS(answers); i++) {
        if (answers[i].tag != outer.tag)
            continue;
        ck_assert_msg(der_decode_report(answers[i].type, answer.p, answer.n, &value, &report) == 0,
                      "the answer %X does not decode", outer.tag);
        ck_assert(report.unknown == 0 || echoes);
        ck_assert(!report.reordered);
        ck_assert(der_is_canonical(answer.p, answer.n));
        uint8_t *again = malloc(size);
        ck_assert_ptr_nonnull(again);
        ck_assert_int_eq(der_write(answers[i].type, value, again, size, &n), 0);
        ck_assert_msg(report.unknown > 0 || rd_equal(rd_of(again, n), answer),
                      "the answer %X is not what its ASN.1 type encodes to", outer.tag);
        free(again);
        der_free(answers[i].type, value);
        return;
    }
    ck_abort_msg("no function answers %X", outer.tag);
}

static uint16_t send_block(struct card *card, struct rd block, size_t number, bool last)
{
    uint8_t apdu[5 + BLOCK_MAX] = { 0x80, 0xE2, last ? P1_LAST : P1_MORE, (uint8_t)number,
                                    (uint8_t)block.n };

    ck_assert_uint_lt(number, MAX_BLOCKS);
    memcpy(apdu + 5, block.p, block.n);
    return transmit(card, apdu, 5 + block.n);
}

uint16_t card_es10(struct card *card, struct rd request)
{
    size_t number = 0;
    struct rd block;

    new_command(card);
    do {
        ck_assert_int_eq(
            rd_take(&request, request.n < card->block ? request.n : card->block, &block), 0);
        card->sw = send_block(card, block, number++, request.n == 0);
    } while (request.n > 0 && card->sw == 0x9000);
    if ((card->sw == 0x9000 || card->sw >> 8 == 0x91) && card->data.n > 0)
        check_codec(wr_view(&card->data), card->echoes);
    return card->sw;
}

uint16_t card_es10_hex(struct card *card, const char *request)
{
    struct wr w;

    wr_init_heap(&w, MESSAGE_MAX);
    hex_put(&w, request);
    card_es10(card, wr_view(&w));
    wr_done(&w);
    return card->sw;
}

void card_expect(struct card *card, const char *request, const char *answer)
{
    struct wr w;

    card_es10_hex(card, request);
    ck_assert_msg(card->sw == 0x9000 || card->sw >> 8 == 0x91, "%s: SW %04X (%s)", request,
                  card->sw, card->why);
    wr_init_heap(&w, MESSAGE_MAX);
    hex_put(&w, answer);
    if (!rd_equal(wr_view(&w), wr_view(&card->data))) {
        char got[128] = "";
        for (size_t i = 0; i < card->data.n && 2 * i + 3 < sizeof got; i++)
            snprintf(got + 2 * i, 3, "%02X", card->data.p[i]);
        ck_abort_msg("%s: %s instead of %s (%s)", request, got, answer, card->why);
    }
    wr_done(&w);
}

void card_assert_why(const struct card *card, const char *words)
{
    ck_assert_msg(card->checks > 0, "the refusal left no line in the trace");
    ck_assert_msg(strstr(card->why, words) != NULL, "the trace says \"%s\", not \"%s\"", card->why,
                  words);
}

/* --- what it holds ---------------------------------------------------------------------------- */

uint64_t card_free_memory(struct card *card)
{
    uint64_t room = 0;

    ck_assert_uint_eq(card_es10_hex(card, "BF2200"), 0x9000);
    struct rd octets = message_at(wr_view(&card->data), "BF22/84/82").value;
    for (size_t i = 0; i < octets.n; i++)
        room = room << 8 | octets.p[i];
    return room;
}

static unsigned count_children(struct rd body)
{
    struct tlv t;
    unsigned n = 0;

    while (tlv_get(&body, &t) == 0)
        n++;
    return n;
}

unsigned card_profiles(struct card *card)
{
    ck_assert_uint_eq(card_es10_hex(card, "BF2D00"), 0x9000);
    return count_children(message_at(wr_view(&card->data), "BF2D/A0").value);
}

unsigned card_pending(struct card *card)
{
    ck_assert_uint_eq(card_es10_hex(card, "BF2800"), 0x9000);
    return count_children(message_at(wr_view(&card->data), "BF28/A0").value);
}

uint64_t card_last_sequence(struct card *card)
{
    uint64_t sequence, last = 0;
    struct tlv one, number;

    ck_assert_uint_eq(card_es10_hex(card, "BF2800"), 0x9000);
    for (struct rd in = message_at(wr_view(&card->data), "BF28/A0").value;
         tlv_get(&in, &one) == 0;) {
        ck_assert(tlv_find(one.value, 0x80, &number) && tlv_uint(number.value, &sequence) == 0);
        ck_assert_uint_gt(sequence, last); /* in order, and none twice */
        last = sequence;
    }
    return last;
}
