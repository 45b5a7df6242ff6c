/* bench_apdu.c - commands per second on one core, in process, of a card in memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/softeuicc.h"
#include "tests/bench/report.h"
#include "tests/testlib/hex.h"

enum { SAMPLES = 15, SAMPLE_US = 40000, COMMAND_MAX = 64 };

static uint8_t response[SOFTEUICC_RESPONSE_MAX];

static const struct {
    const char *name, *command, *aim;
} commands[] = {
    { "GetEID", "80E2910006 BF3E035C015A 00", " [aim 500000]" },
    { "GetEUICCInfo1", "80E2910003 BF2000 00", "" },
    { "GetEUICCInfo2", "80E2910003 BF2200 00", "" },
    { "GetProfilesInfo, one profile", "80E2910003 BF2D00 00", "" },
    { "GetEUICCChallenge", "80E2910003 BF2E00 00", "" },
    { "SELECT ISD-R", "00A4040010 A0000005591010FFFFFFFF8900000100 00", "" },
    { "STATUS", "80F2000000", "" },
};

/* One sample: commands a second. */
static double sample(struct softeuicc *card, const uint8_t *command, size_t n)
{
    double start = cpu_us(), now;
    size_t done = 0;

    do {
        for (size_t i = 0; i < 64; i++)
            insist(softeuicc_transmit(card, command, n, response) >= 2, "the card answers");
        done += 64;
        now = cpu_us();
    } while (now - start < SAMPLE_US);
    return (double)done * 1e6 / (now - start);
}

static void measure(struct softeuicc *card, size_t which)
{
    uint8_t octets[COMMAND_MAX];
    double rates[SAMPLES];
    char what[64];

    size_t n = hex(commands[which].command, octets, sizeof octets);
    size_t got = softeuicc_transmit(card, octets, n, response);
    for (size_t i = 0; i < SAMPLES; i++)
        rates[i] = sample(card, octets, n);
    snprintf(what, sizeof what, "apdu %s", commands[which].name);
    report(what, "%.0f a second, answer of %zu octets, status word %02X%02X%s",
           median(rates, SAMPLES), got - 2, response[got - 2], response[got - 1],
           commands[which].aim);
}

static struct softeuicc_bytes read_profile(const char *path)
{
    static uint8_t octets[1 << 16];
    FILE *f = fopen(path, "rb");

    insist(f != NULL, path);
    size_t n = fread(octets, 1, sizeof octets, f);
    fclose(f);
    return (struct softeuicc_bytes){ octets, n };
}

int main(int argc, char **argv)
{
    char error[SOFTEUICC_ERROR_LEN] = "";
    struct softeuicc *card = NULL;

    insist(argc == 2, "usage: bench_apdu PACKAGE.der");
    struct softeuicc_bytes profile = read_profile(argv[1]);
    const struct softeuicc_new how = { .profiles = &profile, .n_profiles = 1 };
    const struct softeuicc_options options = { .crypto = NULL };
    insist(softeuicc_open_memory(&how, &options, &card, error) == 0, error);
    insist(softeuicc_power_on(card) == 0, "the card starts");
    uint8_t select[COMMAND_MAX];
    size_t n = hex("00A4040010 A0000005591010FFFFFFFF8900000100 00", select, sizeof select);
    insist(softeuicc_transmit(card, select, n, response) > 2, "the ISD-R can be selected");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        measure(card, i);
    softeuicc_close(&card);
    return EXIT_SUCCESS;
}
