/* bench_profiles.c - what GetProfilesInfo costs as profiles become many: one ICCID on a card with
 * one profile and on one with fifty, which should be the same, and all fifty against fifty times
 * one.  CPU time of the request and of the GET RESPONSEs after it.
 *
 * usage: bench_profiles PACKAGE.der */
#include <string.h>

#include "lib/softeuicc.h"
#include "os/err.h"
#include "os/tlv.h"
#include "tests/bench/report.h"
#include "tests/fuzz/device.h"
#include "tests/testlib/hex.h"

enum {
    MANY = 50,
    SAMPLES = 31,
    SAMPLE_US = 20000,
    BATCH = 4,
    FILE_MAX = 1 << 16,
    ICCID_LEN = 10,
    TAG_PROFILE_HEADER = 0xA0,
    TAG_ICCID_OF_HEADER = 0x83,
    LAST_DIGITS = 7, /* the octet of the ICCID that tells the packages apart */
};

static uint8_t response[SOFTEUICC_RESPONSE_MAX];

struct packages {
    uint8_t octets[MANY][FILE_MAX];
    struct softeuicc_bytes views[MANY];
};

struct bench {
    struct softeuicc *card;
    struct device device;
    struct wr answer;
};

static size_t transmit(void *ctx, const uint8_t *command, size_t n, uint8_t *ret)
{
    return softeuicc_transmit(ctx, command, n, ret);
}

/* --- fifty packages of one -------------------------------------------------------------------- */

/* Where the header's ICCID stands. */
static uint8_t *iccid_in(uint8_t *package, size_t n)
{
    struct rd in = rd_of(package, n);
    struct tlv header, iccid;

    insist(tlv_expect(&in, TAG_PROFILE_HEADER, &header) == 0 &&
               tlv_find(header.value, TAG_ICCID_OF_HEADER, &iccid) && iccid.value.n == ICCID_LEN,
           "the package begins with a header that has an ICCID");
    return package + (iccid.value.p - package);
}

static void read_packages(const char *path, struct packages *p)
{
    FILE *f = fopen(path, "rb");

    insist(f != NULL, path);
    size_t n = fread(p->octets[0], 1, FILE_MAX, f);
    fclose(f);
    for (unsigned i = 0; i < MANY; i++) {
        memmove(p->octets[i], p->octets[0], n);
        iccid_in(p->octets[i], n)[LAST_DIGITS] = (uint8_t)(i / 10 << 4 | i % 10);
        p->views[i] = (struct softeuicc_bytes){ p->octets[i], n };
    }
}

/* --- asking ----------------------------------------------------------------------------------- */

static void begin(struct bench *b, const struct packages *p, size_t n_profiles,
                  struct softeuicc_crypto *crypto)
{
    const struct softeuicc_new how = { .profiles = p->views, .n_profiles = n_profiles };
    const struct softeuicc_options options = { .crypto = crypto };
    char error[SOFTEUICC_ERROR_LEN] = "";

    wr_init_heap(&b->answer, DEVICE_ANSWER_MAX);
    insist(softeuicc_open_memory(&how, &options, &b->card, error) == 0, error);
    b->device = (struct device){ transmit, b->card, response };
    insist(softeuicc_power_on(b->card) == 0 && device_open(&b->device) == 0x9000,
           "the card starts");
}

static void end(struct bench *b)
{
    softeuicc_close(&b->card);
    wr_done(&b->answer);
}

static void ask(struct bench *b, struct rd request)
{
    wr_clear(&b->answer);
    insist(device_es10(&b->device, request, DEVICE_BLOCK_MAX, &b->answer) == 0x9000,
           "the card answers 9000");
}

static size_t count_profiles(struct rd answer)
{
    struct tlv list, ok, one;
    size_t n = 0;

    insist(tlv_get(&answer, &list) == 0 && tlv_find(list.value, 0xA0, &ok), "a list");
    while (tlv_get(&ok.value, &one) == 0)
        n++;
    return n;
}

/* CPU time of one request, in microseconds; its answer has so many profiles. */
static double cost(struct bench *b, struct rd request, size_t wanted)
{
    double times[SAMPLES];

    ask(b, request);
    insist(count_profiles(wr_view(&b->answer)) == wanted, "the profiles asked for are listed");
    for (size_t i = 0; i < SAMPLES; i++) {
        double start = cpu_us(), now;
        size_t done = 0;
        do {
            for (size_t j = 0; j < BATCH; j++)
                ask(b, request);
            done += BATCH;
            now = cpu_us();
        } while (now - start < SAMPLE_US);
        times[i] = (now - start) / (double)done;
    }
    return median(times, SAMPLES);
}

static void request_iccid(struct packages *p, unsigned which, struct wr *ret)
{
    uint8_t iccid[ICCID_LEN];
    const uint8_t *digits = iccid_in(p->octets[which], p->views[which].n);

    for (size_t i = 0; i < ICCID_LEN; i++) /* as in EF.ICCID */
        iccid[i] = (uint8_t)(digits[i] << 4 | digits[i] >> 4);
    struct wr_mark m = tlv_open(ret, 0xBF2D);
    struct wr_mark search = tlv_open(ret, 0xA0);
    tlv_put(ret, 0x5A, rd_of(iccid, sizeof iccid));
    tlv_close(ret, search);
    tlv_close(ret, m);
}

int main(int argc, char **argv)
{
    static const uint8_t everything[] = { 0xBF, 0x2D, 0x00 };
    static const uint8_t no_class[] = { 0xBF, 0x2D, 0x05, 0xA0, 0x03, 0x95, 0x01, 0x01 };
    static struct packages packages;
    struct softeuicc_crypto *crypto = softeuicc_crypto_new(NULL);
    struct bench one, many;
    uint8_t room[64];
    struct wr request;

    insist(argc == 2 && crypto != NULL, "usage: bench_profiles PACKAGE.der");
    read_packages(argv[1], &packages);
    begin(&one, &packages, 1, crypto);
    begin(&many, &packages, MANY, crypto);
    wr_init(&request, room, sizeof room);
    request_iccid(&packages, 0, &request);
    double of_one = cost(&one, wr_view(&request), 1);
    wr_clear(&request);
    request_iccid(&packages, MANY - 1, &request);
    double among = cost(&many, wr_view(&request), 1);
    report("GetProfilesInfo, one ICCID", "among 1 %.2f us, among %d %.2f us, ratio %.2f [aim 1]",
           of_one, MANY, among, among / of_one);
    double all = cost(&many, rd_of(everything, sizeof everything), MANY);
    report("GetProfilesInfo, all", "%d %.1f us, %d times one %.1f us, ratio %.2f [aim at most 1]",
           MANY, all, MANY, MANY * among, all / (MANY * among));
    double none = cost(&many, rd_of(no_class, sizeof no_class), 0);
    report("GetProfilesInfo, a class that none has", "%.1f us, all %.1f us, ratio %.2f", none, all,
           none / all);
    end(&one);
    end(&many);
    softeuicc_crypto_free(&crypto);
    return EXIT_SUCCESS;
}
