/* eim_main.c - softeuicc-lab eim: the command line of the test eIM. */
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "lab/eim_cli.h"
#include "lab/lab.h"
#include "os/err.h"

static const struct command {
    const char *name;
    int (*run)(const struct eim_options *o, struct lab_error *e);
    size_t min_args, max_args;
    const char *usage;
} commands[] = {
    { "new", eim_cmd_new, 1, 1,
      "new DB [--eim-id ID] [--id-type oid|fqdn|proprietary] [--fqdn HOST[:PORT]] [--pki DIR]\n"
      "      [--curve nist|brp] [--public-key spki|certificate] [--token yes|no] [--counter N]\n"
      "      [--tls-trust ca|spki|certificate|none] [--protocol https|coaps|both]\n"
      "      [--indirect yes|no] [--ci-pkid HEX] [--learn yes|no]\n"
      "    makes an eIM in a new file DB" },
    { "config", eim_cmd_config, 1, 1,
      "config DB [--request] [--out FILE]\n"
      "    its EimConfigurationData, or with --request an AddInitialEimRequest around it; hex on\n"
      "    standard output unless --out names a file" },
    { "device", eim_cmd_device, 2, 2,
      "device DB EID [--token N|none|unknown] [--counter N] [--version 1.0.1|1.2|1.3|auto]\n"
      "    registers a device, or changes what is registered" },
    { "queue", eim_cmd_queue, 3, SIZE_MAX,
      "queue DB EID OPERATION [+ OPERATION]... [--fault FAULT]\n"
      "    queues work and prints its number; OPERATION is\n"
      "      enable ICCID [rollback], disable ICCID, delete ICCID, rat, fallback ICCID,\n"
      "      no-fallback, list [iccid X|aid X|class N] [tags HEX], default-dp ADDRESS,\n"
      "      immediate-enable [off] [oid OID] [address ADDRESS];\n"
      "      add-eim FILE, update-eim FILE, delete-eim ID, list-eims;\n"
      "      raw HEX: a psmoList (A0) or an ecoList (A1) as it is;\n"
      "      download ACTIVATION-CODE|default|smds [ADDRESS] [code CODE] [indirect];\n"
      "      data [TAGS] [ci HEX] [notification SEQ] [result SEQ]\n"
      "    FAULT, for tests: signature, eid, replay, counter=N, token=N, eim-id=ID, with commas" },
    { "show", eim_cmd_show, 1, 2, "show DB [EID] [--json]\n    devices and their work" },
    { "results", eim_cmd_results, 1, 2,
      "results DB [EID] [--number N] [--wait SECONDS]\n"
      "    what came back, a JSON object a line; with --number the results of that work, waiting\n"
      "    until it is done: exit status 1 when it failed or is not done in time" },
    { "handover", eim_cmd_handover, 3, 3,
      "handover DB EID OTHER-DB\n"
      "    hands the device over to the eIM in OTHER-DB and prints the work's number; the rest\n"
      "    happens as results arrive" },
    { "serve", eim_cmd_serve, 1, 1,
      "serve DB [--port N] [--bind ADDRESS] [--ready-file FILE] [--ready-fd N] [--ca FILE]\n"
      "      [--register-any] [--coap [PORT]] [--coap-path PATH]\n"
      "    answers ESipa over HTTPS until SIGINT or SIGTERM, with --coap over CoAP with DTLS too;\n"
      "    --port: default that of --fqdn, 0: any free one; PORT of --coap: default that of "
      "--fqdn,\n"
      "    else 5684, 0: any free one; PATH: default /gsma/rsp2/asn1; --ca: CI certificates (PEM)\n"
      "    that ES9+' trusts; --register-any: takes unknown devices in" },
};

static void usage(FILE *out, const struct command *only)
{
    if (only == NULL)
        fprintf(out, "usage: softeuicc-lab eim SUBCOMMAND DB [ARGUMENT...] [OPTION...]\n\n");
    else
        fprintf(out, "usage: softeuicc-lab eim\n");
    for (size_t i = 0; i < N_ELEMS(commands); i++)
        if (only == NULL || only == &commands[i])
            fprintf(out, "  %s\n", commands[i].usage);
    if (only == NULL)
        fprintf(out,
                "\nAn eIM is one file.  While one process serves it others may queue work and\n"
                "read results.  See softeuicc-lab(1).\n");
}

/* Options with a value, by where it goes. */
#define VALUE(name, member)                                                                        \
    {                                                                                              \
        name, offsetof(struct eim_options, member)                                                 \
    }
static const struct {
    const char *name;
    size_t at;
} values[] = {
    VALUE("eim-id", eim_id),
    VALUE("id-type", id_type),
    VALUE("fqdn", fqdn),
    VALUE("pki", pki),
    VALUE("curve", curve),
    VALUE("public-key", public_key),
    VALUE("tls-trust", tls_trust),
    VALUE("protocol", protocol),
    VALUE("token", token),
    VALUE("counter", counter),
    VALUE("indirect", indirect),
    VALUE("learn", learn),
    VALUE("ci-pkid", ci_pkid),
    VALUE("out", out),
    VALUE("version", version),
    VALUE("fault", fault),
    VALUE("number", number),
    VALUE("wait", wait),
    VALUE("port", port),
    VALUE("bind", bind),
    VALUE("ready-file", ready_file),
    VALUE("ready-fd", ready_fd),
    VALUE("ca", ca),
    VALUE("coap-path", coap_path),
};
/* Options that may have one, and are "" without. */
static const struct {
    const char *name;
    size_t at;
} optional_values[] = {
    VALUE("coap", coap),
};
static const struct {
    const char *name;
    size_t at;
} flags[] = {
    VALUE("request", request),
    VALUE("json", json),
    VALUE("register-any", register_any),
    VALUE("help", help),
};

enum {
    FIRST_OPTIONAL = N_ELEMS(values),
    FIRST_FLAG = FIRST_OPTIONAL + N_ELEMS(optional_values),
    N_OPTIONS = FIRST_FLAG + N_ELEMS(flags),
};

/* The value of an option that may have one: after = or, if it is a number, the next word. */
static const char *optional_value(int argc, char **argv)
{
    unsigned long any;

    if (optarg != NULL)
        return optarg;
    return optind < argc && number_read(argv[optind], ULONG_MAX, &any) ? argv[optind++] : "";
}

static void set_option(struct eim_options *o, size_t i, int argc, char **argv)
{
    const char *value = optarg;

    if (i >= FIRST_FLAG) {
        *((bool *)((char *)o + flags[i - FIRST_FLAG].at)) = true;
    } else if (i >= FIRST_OPTIONAL) {
        value = optional_value(argc, argv);
        memcpy((char *)o + optional_values[i - FIRST_OPTIONAL].at, &value, sizeof value);
    } else {
        memcpy((char *)o + values[i].at, &value, sizeof value);
    }
}

static bool read_options(int argc, char **argv, struct eim_options *o)
{
    struct option options[N_OPTIONS + 1] = { { NULL, 0, NULL, 0 } };
    int at, index = 0;

    for (size_t i = 0; i < N_ELEMS(values); i++)
        options[i] = (struct option){ values[i].name, required_argument, NULL, 1 };
    for (size_t i = 0; i < N_ELEMS(optional_values); i++)
        options[FIRST_OPTIONAL + i] =
            (struct option){ optional_values[i].name, optional_argument, NULL, 1 };
    for (size_t i = 0; i < N_ELEMS(flags); i++)
        options[FIRST_FLAG + i] = (struct option){ flags[i].name, no_argument, NULL, 1 };
    while ((at = getopt_long(argc, argv, "", options, &index)) != -1) {
        if (at == '?')
            return false;
        set_option(o, (size_t)index, argc, argv);
    }
    o->args = argv + optind;
    o->n_args = (size_t)(argc - optind);
    return true;
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < N_ELEMS(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

int eim_main(int argc, char **argv)
{
    struct eim_options o = { .n_args = 0 };
    struct lab_error e = { "" };
    const struct command *command = argc < 2 ? NULL : find_command(argv[1]);

    if (command == NULL && (argc < 2 || strcmp(argv[1], "--help") != 0)) {
        fprintf(stderr, "softeuicc-lab eim: no subcommand%s%s; see --help\n", argc < 2 ? "" : " ",
                argc < 2 ? "" : argv[1]);
        return STATUS_USAGE;
    }
    if (command == NULL) {
        usage(stdout, NULL);
        return STATUS_DONE;
    }
    if (!read_options(argc - 1, argv + 1, &o))
        return STATUS_USAGE;
    if (o.help) {
        usage(stdout, command);
        return STATUS_DONE;
    }
    if (o.n_args < command->min_args || o.n_args > command->max_args) {
        usage(stderr, command);
        return STATUS_USAGE;
    }
    signal(SIGPIPE, SIG_IGN);
    if (command->run(&o, &e) == 0)
        return STATUS_DONE;
    fflush(stdout);
    fprintf(stderr, "softeuicc-lab eim: %s\n", e.text);
    return STATUS_FAILED;
}
