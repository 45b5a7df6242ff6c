/* fuzz_package.c - eUICC Packages into a whole card (SGP.32 5.9.1).  The input gives operations,
 * and an eIM whose key is known here signs them, so that the search gets behind the signature.  It
 * is an octet of options and then steps:
 *
 *   'P' length(2) octets   a package with these PSMOs
 *   'C' length(2) octets   a package with these eCOs
 *   'S' length(2) octets   a package of which these are the signed fields, all of them
 *   'X' length(2) octets   LoadEuiccPackage with these contents, which nobody signs
 *   'E' length(2) octets   an ES10 request
 *   'A' length(2) octets   a command APDU
 *   'R'                    a warm reset
 *   'W' n                  the power will be cut after n more writes
 *
 * Any other octet stands for one of these.  Options: bits 0 and 1 the version of SGP.32; bit 2 the
 * eIM has an association token; bit 3 a profile holds the fallback attribute; bit 4 results have
 * little room. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <EuiccPackageResult.h>
#include <GetEimConfigurationDataResponse.h>
#include <IoTRetrieveNotificationsListResponse.h>
#include <ProfileInfoListResponse.h>
#include <ProfileRollbackResponse.h>

#include "asn1/der.h"
#include "certs/pki.h"
#include "os/crypto.h"
#include "os/tlv.h"
#include "os/x509.h"
#include "tests/fuzz/eim_key.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/profile.h"
#include "tests/fuzz/watch.h"

enum {
    VERSION_BITS = 3,
    V1_0 = 1, /* of them */
    WITH_TOKEN = 1 << 2,
    WITH_FALLBACK = 1 << 3,
    SMALL_RESULTS = 1 << 4,
    KINDS = 1 << 5,
    MAX_STEPS = 32,
    N_PROFILES = 3,
    CONFIGURATION_MAX = 256,
    PROFILE_MAX = 1 << 16,
    REQUEST_MAX = 1 << 17,
    TOKEN_MAX = 16,
    TAG_EUICC_PACKAGE = 0xBF51,
    TAG_EIM_CONFIGURATION = 0xBF55,
    TAG_ROLLBACK = 0xBF58,
    TAG_PROFILES_INFO = 0xBF2D,
    TAG_SIGNATURE = 0x5F37,
    TAG_ASSOCIATION_TOKEN = 0x84,
};

static const char eim_id[] = "eim1";

/* Cards are used again while what they store stays as it was made. */
static struct kept {
    struct softeuicc *card;
    char digest[DIGEST_TEXT_LEN];
} kept[KINDS];
static struct watch watch;

/* The eIM, and the key that the card signs with. */
static struct crypto *crypto;
static struct ec_key *eim_key;
static struct cert *euicc;

/* --- the card --------------------------------------------------------------------------------- */

static void start(void)
{
    static const uint8_t number[EC_COORD_LEN] = {
        0x77, 0x7A, 0x97, 0xAE, 0x1E, 0x4F, 0x16, 0x38, 0x97, 0xA4, 0x7E,
        0xC1, 0x38, 0x98, 0x1D, 0x74, 0x77, 0x7F, 0x9C, 0xCC, 0x43, 0x92,
        0x54, 0x33, 0x11, 0xC9, 0x06, 0x70, 0xB1, 0xC3, 0x6D, 0xFD,
    };
    struct pki *pki = NULL;
    const char *why = "";
    struct wr der;

    crypto = crypto_new(rd_str("fuzz_package"));
    oracle(crypto != NULL && pki_open(NULL, &pki) == 0, "the PKI opens");
    wr_init_heap(&der, PKI_MAX_FILE);
    oracle(pki_read(pki, "eUICC/CERT_EUICC_ECDSA_NIST.der", &der) == 0 &&
               cert_parse(crypto, wr_view(&der), &euicc, &why) == 0,
           "the eUICC's certificate reads");
    oracle(ec_key_from_number(crypto, CURVE_P256, rd_of(number, sizeof number), &eim_key) == 0,
           "the eIM has a key");
    wr_done(&der);
    pki_close(&pki);
}

/* EimConfigurationData. */
static void put_configuration(bool with_token, struct wr *ret)
{

    struct wr_mark m = tlv_open(ret, 0x30);
    tlv_put_str(ret, 0x80, eim_id);
    tlv_put_uint(ret, 0x83, 0);
    if (with_token)
        tlv_put_u8(ret, TAG_ASSOCIATION_TOKEN, 0xFF);
    eim_key_put(eim_key, ret);
    tlv_close(ret, m);
}

/* Our profile with another ICCID in its header. */
static void put_profile(unsigned digit, struct wr *ret)
{
    struct rd in = rd_of(profile_operational, profile_operational_len);
    struct tlv header, iccid;

    oracle(tlv_get(&in, &header) == 0 && tlv_find(header.value, 0x83, &iccid),
           "the profile has a header");
    wr_put(ret, profile_operational, profile_operational_len);
    oracle(wr_failed(ret) == 0, "the profile is not too long");
    ret->p[iccid.value.p + 8 - profile_operational] = (uint8_t)digit;
}

static struct softeuicc *new_card(unsigned kind)
{
    static struct softeuicc_crypto *card_crypto;
    static const char *const versions[] = { "1.2.0", "1.0.1", "1.1.0", "1.3.0" };
    const struct softeuicc_setting settings[] = { { "curves", "nist" },
                                                  { "max_profiles", "3" },
                                                  { "max_package_results", "3" },
                                                  { "max_eims", "3" },
                                                  { "sgp32_version",
                                                    versions[kind & VERSION_BITS] },
                                                  { "package_result_max", "256" } };
    bool fallback = (kind & WITH_FALLBACK) && (kind & VERSION_BITS) != V1_0;
    const char *words[N_PROFILES] = { "enabled,fallback-allowed",
                                      fallback ? "fallback" : "fallback-allowed", "ecall" };
    struct softeuicc_bytes profiles[N_PROFILES], eim;
    uint8_t room[CONFIGURATION_MAX];
    struct wr packages[N_PROFILES];
    char error[SOFTEUICC_ERROR_LEN] = "";
    struct softeuicc *card = NULL;
    struct wr configuration;

    if (card_crypto == NULL)
        card_crypto = softeuicc_crypto_new("fuzz_package");
    for (unsigned i = 0; i < N_PROFILES; i++) {
        wr_init_heap(&packages[i], PROFILE_MAX);
        put_profile(i + 1, &packages[i]);
        profiles[i] = (struct softeuicc_bytes){ packages[i].p, packages[i].n };
    }
    wr_init(&configuration, room, sizeof room);
    put_configuration(kind & WITH_TOKEN, &configuration);
    eim = (struct softeuicc_bytes){ configuration.p, configuration.n };
    const struct softeuicc_new how = { .settings = settings,
                                       .n_settings = kind & SMALL_RESULTS ? 6 : 5,
                                       .profiles = profiles,
                                       .n_profiles = N_PROFILES,
                                       .profile_words = words,
                                       .eims = &eim,
                                       .n_eims = 1 };
    const struct softeuicc_options options = { .crypto = card_crypto };
    oracle(softeuicc_open_memory(&how, &options, &card, error) == 0, error);
    for (unsigned i = 0; i < N_PROFILES; i++)
        wr_done(&packages[i]);
    return card;
}

static void begin(struct kept *k, unsigned kind)
{
    bool is_new = k->card == NULL;

    if (crypto == NULL)
        start();
    if (is_new)
        k->card = new_card(kind);
    watch_init(&watch, k->card);
    if (is_new)
        memcpy(k->digest, watch.digest, sizeof k->digest);
}

/* The ISD-R is selected when it is not.  The last status word; 0 when the card is mute. */
static uint16_t ask(struct rd request, struct wr *answer)
{
    wr_clear(answer);
    uint16_t sw = device_es10(&watch.device, request, DEVICE_BLOCK_MAX, answer);
    if (sw == 0x6881 && device_open(&watch.device) == 0x9000) { /* channel 1 was not open yet */
        wr_clear(answer);
        sw = device_es10(&watch.device, request, DEVICE_BLOCK_MAX, answer);
    }
    return sw;
}

/* --- what the card says ----------------------------------------------------------------------- */

static void check_decodes(const struct asn_TYPE_descriptor_s *type, struct rd answer,
                          const char *what)
{
    void *value = NULL;

    oracle(der_decode(type, answer.p, answer.n, &value) == 0, what);
    der_free(type, value);
}

/* asn1c's INTEGER has 64 bits; a counter beyond them is echoed all the same. */
static bool is_within_asn1(struct rd arm)
{
    struct tlv data, counter;

    return !tlv_find(arm, 0x30, &data) || !tlv_find(data.value, 0x81, &counter) ||
           counter.value.n <= sizeof(int64_t);
}

/* Results and signed errors end with a signature over them and the eIM's association token
 * (SGP.32 2.11.2.1). */
static void check_result(struct rd answer, struct rd token, bool *ret_is_error)
{
    struct rd in = answer;
    struct tlv result, arm, data, signature;

    oracle(tlv_expect(&in, TAG_EUICC_PACKAGE, &result) == 0 && tlv_get(&result.value, &arm) == 0,
           "a result has an arm");
    if (is_within_asn1(arm.value))
        check_decodes(&asn_DEF_EuiccPackageResult, answer, "a result decodes");
    *ret_is_error = arm.tag != 0xA0;
    if (arm.tag == 0xA2)
        return;
    oracle(tlv_expect(&arm.value, 0x30, &data) == 0 &&
               tlv_expect(&arm.value, TAG_SIGNATURE, &signature) == 0,
           "it is signed");
    const struct rd parts[] = { data.whole, token };
    oracle(ecdsa_verify(crypto, cert_key(euicc), parts, 2, signature.value),
           "its signature verifies");
}

/* What the eIM's configuration says: 84 L V, 84 01 00 without one.  false: the eIM is gone. */
static bool read_token(struct wr *ret)
{
    static const uint8_t request[] = { 0xBF, 0x55, 0x00 };
    struct tlv response, list, one, id, token;
    struct wr answer;
    bool found = false;

    wr_clear(ret);
    wr_init_heap(&answer, DEVICE_ANSWER_MAX);
    uint16_t sw = ask(rd_of(request, sizeof request), &answer);
    struct rd in = wr_view(&answer);
    if (sw == 0x9000)
        check_decodes(&asn_DEF_GetEimConfigurationDataResponse, in, "the eIMs decode");
    if (sw == 0x9000 && tlv_expect(&in, TAG_EIM_CONFIGURATION, &response) == 0 &&
        tlv_expect(&response.value, 0xA0, &list) == 0)
        while (!found && tlv_get(&list.value, &one) == 0)
            found = tlv_find(one.value, 0x80, &id) && rd_equal(id.value, rd_str(eim_id));
    if (found && tlv_find(one.value, TAG_ASSOCIATION_TOKEN, &token))
        wr_put_rd(ret, token.whole);
    else
        tlv_put_uint(ret, TAG_ASSOCIATION_TOKEN, 0);
    oracle(wr_failed(ret) == 0, "a token is short");
    wr_done(&answer);
    return found;
}

static void check_profiles(void)
{
    static const uint8_t request[] = { 0xBF, 0x2D, 0x04, 0x5C, 0x02, 0x9F, 0x70 };
    struct tlv response, ok, profile, state;
    struct wr answer;
    unsigned enabled = 0;

    wr_init_heap(&answer, DEVICE_ANSWER_MAX);
    oracle(ask(rd_of(request, sizeof request), &answer) == 0x9000, "GetProfilesInfo answers");
    struct rd in = wr_view(&answer);
    check_decodes(&asn_DEF_ProfileInfoListResponse, in, "the profiles decode");
    oracle(tlv_expect(&in, TAG_PROFILES_INFO, &response) == 0 &&
               tlv_expect(&response.value, 0xA0, &ok) == 0,
           "profiles are listed");
    while (tlv_get(&ok.value, &profile) == 0)
        enabled +=
            tlv_find(profile.value, 0x9F70, &state) && state.value.n == 1 && state.value.p[0] == 1;
    oracle(enabled <= 1, "at most one profile is enabled");
    wr_done(&answer);
}

static void check_results_kept(void)
{
    static const uint8_t request[] = { 0xBF, 0x2B, 0x02, 0x82, 0x00 };
    struct wr answer;

    wr_init_heap(&answer, DEVICE_ANSWER_MAX);
    oracle(ask(rd_of(request, sizeof request), &answer) == 0x9000, "what is kept is told");
    check_decodes(&asn_DEF_IoTRetrieveNotificationsListResponse, wr_view(&answer),
                  "what is kept decodes");
    wr_done(&answer);
}

/* Another answer than a code is the result of the rollback (SGP.32 5.9.16). */
static void check_rollback(void)
{
    static const uint8_t request[] = { 0xBF, 0x58, 0x03, 0x80, 0x01, 0x00 };
    uint8_t room[TOKEN_MAX];
    struct tlv response, code, result;
    struct wr answer, token;
    bool is_error;

    wr_init(&token, room, sizeof room);
    bool has_eim = read_token(&token);
    wr_init_heap(&answer, DEVICE_ANSWER_MAX);
    oracle(ask(rd_of(request, sizeof request), &answer) == 0x9000, "ProfileRollback answers");
    struct rd in = wr_view(&answer);
    check_decodes(&asn_DEF_ProfileRollbackResponse, in, "its answer decodes");
    oracle(tlv_expect(&in, TAG_ROLLBACK, &response) == 0 && tlv_find(response.value, 0x02, &code) &&
               code.value.n == 1,
           "it has a code");
    if (tlv_find(response.value, TAG_EUICC_PACKAGE, &result) && has_eim)
        check_result(result.whole, wr_view(&token), &is_error);
    wr_done(&answer);
}

/* --- steps ------------------------------------------------------------------------------------ */

/* LoadEuiccPackage.  An error says that nothing happened. */
static void load(struct rd request, struct rd token)
{
    char before[DIGEST_TEXT_LEN];
    struct wr answer;
    bool is_error;

    memcpy(before, watch.digest, sizeof before);
    wr_init_heap(&answer, DEVICE_ANSWER_MAX);
    if (ask(request, &answer) == 0x9000) {
        check_result(wr_view(&answer), token, &is_error);
        oracle(!is_error || before[0] == '\0' || strcmp(before, watch.digest) == 0,
               "an error changes nothing");
    }
    wr_done(&answer);
}

/* Signs data, the whole of what is signed, and loads it. */
static void sign_and_load(struct rd data, struct rd token)
{
    const struct rd parts[] = { data, token };
    uint8_t signature[EC_SIGNATURE_LEN];
    struct wr request;

    oracle(ecdsa_sign(crypto, eim_key, parts, 2, signature) == 0, "the eIM can sign");
    wr_init_heap(&request, REQUEST_MAX);
    struct wr_mark m = tlv_open(&request, TAG_EUICC_PACKAGE);
    wr_put_rd(&request, data);
    tlv_put(&request, TAG_SIGNATURE, rd_of(signature, sizeof signature));
    tlv_close(&request, m);
    oracle(wr_failed(&request) == 0, "a package can be made");
    load(wr_view(&request), token);
    wr_done(&request);
}

/* Fields before the list of a package; counter is one that was not used before. */
static void put_fields(unsigned counter, struct wr *w)
{
    static const uint8_t eid[] = { 0x89, 0x04, 0x90, 0x32, 0x12, 0x34, 0x51, 0x23,
                                   0x45, 0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x35 };

    tlv_put_str(w, 0x80, eim_id);
    tlv_put(w, 0x5A, rd_of(eid, sizeof eid));
    tlv_put_uint(w, 0x81, counter);
    tlv_put_str(w, 0x82, "id");
}

static void package(char what, struct rd octets, unsigned counter)
{
    uint8_t room[TOKEN_MAX];
    struct wr token, data;

    wr_init(&token, room, sizeof room);
    read_token(&token);
    wr_init_heap(&data, REQUEST_MAX);
    if (what == 'X') {
        struct wr_mark m = tlv_open(&data, TAG_EUICC_PACKAGE);
        wr_put_rd(&data, octets);
        tlv_close(&data, m);
        load(wr_view(&data), wr_view(&token));
    } else {
        struct wr_mark m = tlv_open(&data, 0x30);
        if (what == 'S') {
            wr_put_rd(&data, octets);
        } else {
            put_fields(counter, &data);
            tlv_put(&data, what == 'P' ? 0xA0 : 0xA1, octets);
        }
        tlv_close(&data, m);
        sign_and_load(wr_view(&data), wr_view(&token));
    }
    wr_done(&data);
}

static void es10(struct rd request)
{
    struct wr answer;

    wr_init_heap(&answer, DEVICE_ANSWER_MAX);
    ask(request, &answer);
    wr_done(&answer);
}

static void step(struct rd *in, unsigned number)
{
    static const char kinds[] = { 'P', 'C', 'P', 'S', 'X', 'E', 'A', 'R', 'W' };
    uint8_t what = fuzz_u8(in), *octets;
    char line[32];
    size_t n;

    if (memchr(kinds, what, sizeof kinds) == NULL)
        what = (uint8_t)kinds[what % sizeof kinds];
    if (what == 'R' || what == 'W') {
        snprintf(line, sizeof line, "cut-after %u", what == 'W' ? fuzz_u8(in) : 0);
        watch_control(&watch, what == 'W' ? line : "reset");
        return;
    }
    octets = fuzz_copy(in, fuzz_u16(in), &n);
    if (what == 'A')
        watch_transmit(&watch, octets, n);
    else if (what == 'E')
        es10(rd_of(octets, n));
    else
        package((char)what, rd_of(octets, n), number + 1);
    free(octets);
}

static void end(struct kept *k)
{
    watch_finish(&watch);
    check_profiles();
    check_results_kept();
    check_rollback();
    check_profiles();
    watch_read_digest(&watch, watch.digest);
    if (strcmp(watch.digest, k->digest) != 0)
        softeuicc_close(&k->card);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd in = rd_of(data, size);
    unsigned kind = fuzz_u8(&in) % KINDS;

    begin(&kept[kind], kind);
    for (unsigned i = 0; i < MAX_STEPS && in.n > 0; i++)
        step(&in, i);
    end(&kept[kind]);
    return 0;
}
