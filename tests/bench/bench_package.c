/* bench_package.c - what a eUICC Package of ten operations costs the card: CPU time of
 * LoadEuiccPackage, in STORE DATA blocks of 255 octets, against one signature verified, one made
 * and one commit, done bare in the same run.  The eIM's work is not in it.
 *
 * usage: bench_package PACKAGE.der */
#include <string.h>

#include "lib/softeuicc.h"
#include "os/err.h"
#include "os/nvm.h"
#include "os/tlv.h"
#include "tests/bench/bare.h"
#include "tests/bench/report.h"
#include "tests/fuzz/device.h"
#include "tests/testlib/hex.h"

enum {
    ROUNDS = 200,
    MESSAGE_MAX = 1 << 16,
    FILE_MAX = 1 << 20,
    TAG_PACKAGE = 0xBF51,
    TAG_ADD_INITIAL_EIM = 0xBF57,
    TAG_REMOVE = 0xBF30,
    TAG_SIGNATURE = 0x5F37,
};

#define EID "89049032123451234512345678901235"
/* getRAT, configureImmediateEnable, listProfileInfo, setDefaultDpAddress: ten of them. */
#define TEN                                                                                        \
    "A0{ A600 A7{ 8000 820161 } BF2D{ 5C025A95 } BF65{ 8003 612E62 } A600"                         \
    "    A700 BF2D{ 5C025A95 } BF65{ 8003 632E64 } A7{ 8000 } A600 }"
#define ONE "A0{ A600 }"

static uint8_t response[SOFTEUICC_RESPONSE_MAX];

struct bench {
    struct softeuicc *card;
    struct device device;
    struct crypto *crypto;
    struct ec_key *key; /* the eIM's */
    uint8_t point[EC_POINT_LEN];
    struct bare *bare;
    struct nvm *nvm; /* of the bare commit */
    uint64_t counter;
    struct wr data, request, answer;
};

static size_t transmit(void *ctx, const uint8_t *command, size_t n, uint8_t *ret)
{
    return softeuicc_transmit(ctx, command, n, ret);
}

static void ask(struct bench *b, struct rd request)
{
    wr_clear(&b->answer);
    insist(device_es10(&b->device, request, DEVICE_BLOCK_MAX, &b->answer) == 0x9000,
           "the card answers 9000");
}

static void associate(struct bench *b)
{
    wr_clear(&b->request);
    struct wr_mark m = tlv_open(&b->request, TAG_ADD_INITIAL_EIM);
    struct wr_mark list = tlv_open(&b->request, 0xA0);
    struct wr_mark one = tlv_open(&b->request, 0x30);
    hex_put(&b->request, "80{ 65696D31 } 830100");
    struct wr_mark key = tlv_open(&b->request, 0xA5);
    struct wr_mark arm = tlv_open(&b->request, 0xA0);
    hex_put(&b->request, "30{ 06072A8648CE3D0201 06082A8648CE3D030107 }");
    struct wr_mark bits = tlv_open(&b->request, 0x03);
    wr_put_u8(&b->request, 0);
    wr_put(&b->request, b->point, sizeof b->point);
    tlv_close(&b->request, bits);
    tlv_close(&b->request, arm);
    tlv_close(&b->request, key);
    tlv_close(&b->request, one);
    tlv_close(&b->request, list);
    tlv_close(&b->request, m);
    ask(b, wr_view(&b->request));
    insist(b->answer.n > 3 && b->answer.p[3] == 0xA0, "the eIM is associated");
}

/* The next package, into data and request. */
static void sign_package(struct bench *b, const char *list)
{
    static const uint8_t no_token[] = { 0x84, 0x01, 0x00 };
    uint8_t signature[EC_SIGNATURE_LEN];

    wr_clear(&b->data);
    struct wr_mark m = tlv_open(&b->data, 0x30);
    hex_put(&b->data, "80{ 65696D31 } 5A{" EID "}");
    tlv_put_uint(&b->data, 0x81, ++b->counter);
    hex_put(&b->data, list);
    tlv_close(&b->data, m);
    const struct rd parts[] = { wr_view(&b->data), rd_of(no_token, sizeof no_token) };
    insist(ecdsa_sign(b->crypto, b->key, parts, 2, signature) == 0, "the eIM signs");
    wr_clear(&b->request);
    m = tlv_open(&b->request, TAG_PACKAGE);
    wr_put_rd(&b->request, wr_view(&b->data));
    tlv_put(&b->request, TAG_SIGNATURE, rd_of(signature, sizeof signature));
    tlv_close(&b->request, m);
}

/* What the card cannot do without: two signatures, a counter and a result in one commit. */
static double bare_time(struct bench *b)
{
    static const uint8_t no_token[] = { 0x84, 0x01, 0x00 };
    const struct rd parts[] = { wr_view(&b->data), rd_of(no_token, sizeof no_token) };
    const struct package_cost cost = {
        .eim_point = b->point,
        .parts = parts,
        .n_parts = N_ELEMS(parts),
        .signature = rd_of(b->request.p + b->request.n - EC_SIGNATURE_LEN, EC_SIGNATURE_LEN),
        .result = wr_view(&b->answer),
    };

    double start = cpu_us();
    bare_package(b->bare, &cost);
    insist(nvm_put_uint(b->nvm, "counter", b->counter) == 0 &&
               nvm_put(b->nvm, "result", cost.result) == 0 && nvm_commit(b->nvm) == 0,
           "a commit");
    return cpu_us() - start;
}

/* The IPA removes the result. */
static void remove_result(struct bench *b)
{
    struct tlv package, ok, data, number;
    struct rd in = wr_view(&b->answer);

    insist(tlv_get(&in, &package) == 0 && tlv_find(package.value, 0xA0, &ok) &&
               tlv_find(ok.value, 0x30, &data) && tlv_find(data.value, 0x83, &number),
           "the package is executed");
    wr_clear(&b->request);
    struct wr_mark m = tlv_open(&b->request, TAG_REMOVE);
    tlv_put(&b->request, 0x80, number.value);
    tlv_close(&b->request, m);
    ask(b, wr_view(&b->request));
}

static void measure(struct bench *b, const char *what, const char *list, const char *aim)
{
    double card_times[ROUNDS], bare_times[ROUNDS];

    for (size_t i = 0; i < ROUNDS; i++) {
        sign_package(b, list);
        double start = cpu_us();
        ask(b, wr_view(&b->request));
        card_times[i] = cpu_us() - start;
        bare_times[i] = bare_time(b);
        remove_result(b);
    }
    double of_card = median(card_times, ROUNDS), of_bare = median(bare_times, ROUNDS);
    report(what, "card %.0f us, bare %.0f us, ratio %.2f%s", of_card, of_bare, of_card / of_bare,
           aim);
}

static struct softeuicc_bytes read_profile(const char *path)
{
    static uint8_t octets[FILE_MAX];
    FILE *f = fopen(path, "rb");

    insist(f != NULL, path);
    size_t n = fread(octets, 1, sizeof octets, f);
    fclose(f);
    return (struct softeuicc_bytes){ octets, n };
}

static void begin(struct bench *b, const struct softeuicc_new *how,
                  const struct softeuicc_options *options)
{
    static const struct trace silent = { NULL, NULL };
    char error[SOFTEUICC_ERROR_LEN] = "";

    memset(b, 0, sizeof *b);
    wr_init_heap(&b->data, MESSAGE_MAX);
    wr_init_heap(&b->request, MESSAGE_MAX);
    wr_init_heap(&b->answer, MESSAGE_MAX);
    b->crypto = crypto_new(rd_of(NULL, 0));
    insist(b->crypto != NULL && ec_key_generate(b->crypto, CURVE_P256, &b->key) == 0, "a key");
    ec_key_point(b->key, b->point);
    b->bare = bare_new(CURVE_P256);
    b->nvm = nvm_open_memory(&silent);
    insist(b->nvm != NULL && softeuicc_open_memory(how, options, &b->card, error) == 0, error);
    b->device = (struct device){ transmit, b->card, response };
    insist(softeuicc_power_on(b->card) == 0 && device_open(&b->device) == 0x9000,
           "the card starts");
}

static void end(struct bench *b)
{
    softeuicc_close(&b->card);
    nvm_close(&b->nvm);
    bare_free(&b->bare);
    ec_key_free(&b->key);
    crypto_free(&b->crypto);
    wr_done(&b->data);
    wr_done(&b->request);
    wr_done(&b->answer);
}

int main(int argc, char **argv)
{
    struct softeuicc_options options = { .crypto = softeuicc_crypto_new(NULL) };
    struct bench b;

    insist(argc == 2 && options.crypto != NULL, "usage: bench_package PACKAGE.der");
    const struct softeuicc_bytes profile = read_profile(argv[1]);
    const struct softeuicc_new how = { .profiles = &profile, .n_profiles = 1 };
    begin(&b, &how, &options);
    associate(&b);
    measure(&b, "eUICC Package, ten operations", TEN, " [aim 1.3]");
    measure(&b, "eUICC Package, one operation", ONE, "");
    end(&b);
    softeuicc_crypto_free(&options.crypto);
    return EXIT_SUCCESS;
}
