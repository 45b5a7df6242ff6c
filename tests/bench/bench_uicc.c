/* bench_uicc.c - an enabled profile as a UICC: reading files against a command that reads none, and
 * switching profiles on a card with few of them against one with many. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/softeuicc.h"
#include "tests/bench/report.h"
#include "tests/testlib/hex.h"

enum { SAMPLES = 15, SAMPLE_US = 20000, COMMAND_MAX = 64, MANY = 50, ICCID_LEN = 10 };

static uint8_t response[SOFTEUICC_RESPONSE_MAX];

static size_t send(struct softeuicc *card, const char *command)
{
    uint8_t octets[COMMAND_MAX];

    return softeuicc_transmit(card, octets, hex(command, octets, sizeof octets), response);
}

static void expect(struct softeuicc *card, const char *command, uint8_t sw1)
{
    size_t n = send(card, command);

    insist(n >= 2 && response[n - 2] == sw1, command);
}

/* Microseconds of CPU for one round of these commands. */
static double round_us(struct softeuicc *card, const char *const *round, size_t n)
{
    double samples[SAMPLES];

    for (size_t s = 0; s < SAMPLES; s++) {
        double start = cpu_us(), now;
        size_t rounds = 0;
        do {
            for (size_t i = 0; i < n; i++)
                insist(send(card, round[i]) >= 2, "the card answers");
            rounds++;
            now = cpu_us();
        } while (now - start < SAMPLE_US);
        samples[s] = (now - start) / (double)rounds;
    }
    return median(samples, SAMPLES);
}

/* A package of the caller's under another ICCID: the digits of the header, where it stands first
 * (TCA 8.2.1). */
static void renumber(uint8_t *package, size_t n, unsigned number)
{
    for (size_t i = 0; i + 2 + ICCID_LEN <= n; i++) {
        if (package[i] != 0x83 || package[i + 1] != ICCID_LEN)
            continue;
        package[i + 2 + 7] = (uint8_t)((number / 10 % 10) << 4 | number % 10);
        package[i + 2 + 6] = (uint8_t)(number / 100);
        return;
    }
    insist(0, "the package has a header");
}

/* A card with this many profiles, the first of them enabled. */
static struct softeuicc *make(const uint8_t *package, size_t n, unsigned n_profiles)
{
    static const struct softeuicc_options options = { .crypto = NULL };
    struct softeuicc_bytes *profiles = calloc(n_profiles, sizeof *profiles);
    char error[SOFTEUICC_ERROR_LEN] = "";
    struct softeuicc *card = NULL;

    insist(profiles != NULL, "there is memory");
    for (unsigned i = 0; i < n_profiles; i++) {
        uint8_t *copy = malloc(n);
        insist(copy != NULL, "there is memory");
        memcpy(copy, package, n);
        renumber(copy, n, i);
        profiles[i] = (struct softeuicc_bytes){ copy, n };
    }
    const struct softeuicc_new how = { .profiles = profiles, .n_profiles = n_profiles };
    insist(softeuicc_open_memory(&how, &options, &card, error) == 0, error);
    for (unsigned i = 0; i < n_profiles; i++)
        free((void *)(uintptr_t)profiles[i].p);
    free(profiles);
    insist(softeuicc_power_on(card) == 0, "the card starts");
    expect(card, "0070000001", 0x90);
    expect(card, "01A4040010 A0000005591010FFFFFFFF8900000100", 0x61);
    return card;
}

#define FIRST_AID "4F10 A0000005591010FFFFFFFF8900001000"

static void measure_reading(struct softeuicc *card)
{
    static const char *const status[] = { "80F2000C" };
    static const struct {
        const char *name, *select, *read;
    } reads[] = {
        { "READ BINARY, 9 octets", "00A4080404 7FFF6F07 00", "00B0000009" },
        { "READ RECORD, 33 octets", "00A4080404 7FFF6F06 00", "00B2010421" },
    };

    expect(card, "81E2910017 BF3114 A012" FIRST_AID, 0x61);
    expect(card, "00A4040007 A0000000871002 00", 0x90);
    double floor_us = round_us(card, status, 1);
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
        char what[64];
        expect(card, reads[i].select, 0x90);
        expect(card, reads[i].read, 0x90);
        double us = round_us(card, &reads[i].read, 1);
        snprintf(what, sizeof what, "uicc %s", reads[i].name);
        report(what, "%.0f a second [aim 500000], %.2f times a STATUS", 1e6 / us, us / floor_us);
    }
    expect(card, "81E2910017 BF3214 A012" FIRST_AID, 0x61);
}

static double switch_us(struct softeuicc *card)
{
    static const char *const round[] = {
        "81E2910017 BF3114 A012" FIRST_AID,
        "81E2910017 BF3214 A012" FIRST_AID,
    };

    expect(card, round[0], 0x61);
    expect(card, round[1], 0x61);
    return round_us(card, round, 2);
}

int main(int argc, char **argv)
{
    static uint8_t package[1 << 16];
    FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;

    insist(f != NULL, "usage: bench_uicc PACKAGE.der");
    size_t n = fread(package, 1, sizeof package, f);
    fclose(f);

    struct softeuicc *few = make(package, n, 1), *many = make(package, n, MANY);
    measure_reading(few);
    double with_few = switch_us(few), with_many = switch_us(many);
    report("uicc enable and disable", "%.0f us with 1 profile, %.0f us with %d, ratio %.2f [aim 1]",
           with_few, with_many, MANY, with_many / with_few);
    softeuicc_close(&few);
    softeuicc_close(&many);
    return EXIT_SUCCESS;
}
