/* demo_main.c - softeuicc-lab demo: options, what is printed, exit status. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "lab/demo.h"
#include "lab/lab.h"
#include "os/err.h"

struct options {
    bool coap, json, help;
    const char *profile, *trace;
};

static void usage(FILE *out)
{
    fprintf(out, "usage: softeuicc-lab demo [OPTION...]\n\n"
                 "  --coap          the card asks its eIM over CoAP and DTLS, not over HTTPS\n"
                 "  --profile FILE  the profile package that is downloaded\n"
                 "  --json          the steps as one JSON object\n"
                 "  --trace FILE    what card and terminal did, a line each; - is standard error\n"
                 "  --help\n\n"
                 "A factory-new card finds its eIM, is given a profile, enables it, loses its\n"
                 "network, falls back and returns: card, terminal, eIM and SM-DP+ in this\n"
                 "process, on ports of this machine that are free.  Exit status 1 if a step does\n"
                 "not hold.\n");
}

enum { OPT_COAP = 1, OPT_PROFILE, OPT_JSON, OPT_TRACE, OPT_HELP };

static const struct option long_options[] = {
    { "coap", no_argument, NULL, OPT_COAP }, { "profile", required_argument, NULL, OPT_PROFILE },
    { "json", no_argument, NULL, OPT_JSON }, { "trace", required_argument, NULL, OPT_TRACE },
    { "help", no_argument, NULL, OPT_HELP }, { NULL, 0, NULL, 0 },
};

static bool read_options(int argc, char **argv, struct options *o)
{
    int option;

    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (option) {
        case OPT_COAP:
            o->coap = true;
            break;
        case OPT_PROFILE:
            o->profile = optarg;
            break;
        case OPT_JSON:
            o->json = true;
            break;
        case OPT_TRACE:
            o->trace = optarg;
            break;
        case OPT_HELP:
            o->help = true;
            break;
        default:
            return false;
        }
    }
    if (optind < argc)
        fprintf(stderr, "softeuicc-lab demo: no argument expected: %s; see --help\n", argv[optind]);
    return optind == argc;
}

static int open_trace(const struct options *o, FILE **ret, struct lab_error *e)
{
    *ret = NULL;
    if (o->trace == NULL)
        return 0;
    *ret = strcmp(o->trace, "-") == 0 ? stderr : fopen(o->trace, "w");
    return *ret != NULL ? 0 : lab_fail(e, "%s: %s", o->trace, strerror(errno));
}

static int print_json(const struct demo_bench *b, const struct demo_taken *taken, size_t n,
                      struct lab_error *e)
{
    cJSON *out = demo_json(&b->record, taken, n, b->coap);
    char *text = cJSON_Print(out);

    cJSON_Delete(out);
    if (text == NULL)
        return lab_fail(e, "out of memory");
    puts(text);
    cJSON_free(text);
    return 0;
}

static int tell(const struct options *o, struct demo_bench *b, struct lab_error *e)
{
    struct demo_taken taken[DEMO_STEPS_MAX];
    size_t n = 0;

    TRY(demo_bench_open(b, e));
    bool holds = demo_story(b, o->json ? NULL : stdout, taken, &n);
    if (o->json)
        TRY(print_json(b, taken, n, e));
    else
        demo_tell_end(stdout, taken, n);
    fflush(stdout);
    return holds ? 0 : lab_fail(e, "step %zu, %s: %.400s", n, taken[n - 1].name, taken[n - 1].why);
}

int demo_main(int argc, char **argv)
{
    struct options o = { .coap = false };
    struct demo_bench b = { .coap = false };
    struct lab_error e = { "" };

    if (!read_options(argc, argv, &o))
        return STATUS_USAGE;
    if (o.help) {
        usage(stdout);
        return STATUS_DONE;
    }
    signal(SIGPIPE, SIG_IGN);
    b.coap = o.coap;
    b.profile = o.profile;
    int result = open_trace(&o, &b.trace, &e);
    if (result == 0) {
        result = tell(&o, &b, &e);
        demo_bench_close(&b);
    }
    if (b.trace != NULL && b.trace != stderr)
        fclose(b.trace);
    if (result != 0)
        fprintf(stderr, "softeuicc-lab demo: %s\n", e.text);
    return result == 0 ? STATUS_DONE : STATUS_FAILED;
}
