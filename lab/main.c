/* main.c - softeuicc-lab, what stands around the chip on a test bench. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/standard.h"
#include "lab/lab.h"
#include "lib/softeuicc.h"
#include "os/err.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
    bool serves; /* its log may go where nobody listens any longer */
} subcommands[] = {
    { "smdpp", smdpp_main, "a test SM-DP+: serves profile packages over ES9+", true },
    { "smds", smds_main, "a test SM-DS: tells eUICCs where something waits for them, over ES11",
      true },
    { "eim", eim_main, "a test eIM: queues work for IoT devices over ESipa", true },
    { "ipa", ipa_main, "the device's side: lists, downloads and manages profiles", false },
    { "terminal", terminal_main, "a modem: proactive commands, BIP on sockets", false },
    { "fleet", fleet_main, "a thousand cards that ask one eIM: load, and counts", false },
    { "demo", demo_main, "all of them: a card's way to its profile, as a story", false },
    { "play", play_main, "plays scripts on a card and reports what differs", false },
};

static void usage(FILE *out)
{
    fprintf(out, "usage: softeuicc-lab SUBCOMMAND [OPTION...] [ARGUMENT...]\n\n");
    for (size_t i = 0; i < N_ELEMS(subcommands); i++)
        fprintf(out, "  %-8s %s\n", subcommands[i].name, subcommands[i].summary);
    fprintf(out, "\n  softeuicc-lab SUBCOMMAND --help tells more; --version, --help\n");
}

static int choose(int argc, char **argv, bool *ret_serves)
{
    if (argc < 2) {
        usage(stderr);
        return STATUS_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0) {
        usage(stdout);
        return STATUS_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("softeuicc-lab %s\n", SOFTEUICC_VERSION);
        return STATUS_DONE;
    }
    for (size_t i = 0; i < N_ELEMS(subcommands); i++)
        if (strcmp(argv[1], subcommands[i].name) == 0) {
            *ret_serves = subcommands[i].serves;
            return subcommands[i].run(argc - 1, argv + 1);
        }
    fprintf(stderr, "softeuicc-lab: no subcommand %s; see --help\n", argv[1]);
    return STATUS_USAGE;
}

int main(int argc, char **argv)
{
    bool serves = false;

    if (!standard_descriptors_keep())
        return STATUS_FAILED;
    int status = choose(argc, argv, &serves);
    return serves ? status : standard_output_end("softeuicc-lab", status);
}
