/* ipa.c - the device's side of RSP on the command line: commands, and one ES10 call. */
#include "lab/ipa.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "lab/ipa_local.h"
#include "lab/ipa_options.h"
#include "lab/lab.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    TAG_EUICC_DATA = 0xBF3E,
    TAG_TAG_LIST = 0x5C,
    TAG_EID = 0x5A,
};

int ipa_call(struct ipa *ipa, const struct wr *request, struct rd *ret, struct lab_error *e)
{
    if (wr_failed(request) != 0)
        return lab_fail(e, "the request is too long");
    return es10_call(&ipa->es10, wr_view(request), &ipa->answer, ret, e);
}

int ipa_get(struct ipa *ipa, uint32_t tag, struct rd *ret, struct lab_error *e)
{
    uint8_t room[8];
    struct wr request;

    wr_init(&request, room, sizeof room);
    tlv_put_header(&request, tag, 0);
    return ipa_call(ipa, &request, ret, e);
}

int ipa_eid(struct ipa *ipa, uint8_t ret[IPA_EID_OCTETS], struct lab_error *e)
{
    static const uint8_t only_eid[] = { TAG_EID };
    uint8_t room[16];
    struct wr request;
    struct rd answer;
    struct tlv t;

    wr_init(&request, room, sizeof room);
    struct wr_mark mark = tlv_open(&request, TAG_EUICC_DATA);
    tlv_put(&request, TAG_TAG_LIST, rd_of(only_eid, sizeof only_eid));
    tlv_close(&request, mark);
    TRY(ipa_call(ipa, &request, &answer, e));
    if (!tlv_find(answer, TAG_EID, &t) || t.value.n != IPA_EID_OCTETS)
        return lab_fail(e, "GetEID: no EID in the response");
    memcpy(ret, t.value.p, IPA_EID_OCTETS);
    return 0;
}

void ipa_print_json(cJSON *value)
{
    char *text = cJSON_PrintUnformatted(value);

    if (text != NULL)
        printf("%s\n", text);
    cJSON_free(text);
    cJSON_Delete(value);
}

/* --- commands --------------------------------------------------------------------------------- */

static int cmd_info(struct invocation *v, char **args, struct lab_error *e)
{
    (void)args;
    return local_info(&v->ipa, e);
}

static int cmd_list(struct invocation *v, char **args, struct lab_error *e)
{
    (void)args;
    return local_list(&v->ipa, e);
}

static int cmd_download(struct invocation *v, char **args, struct lab_error *e)
{
    return ipa_download(&v->ipa, args[0], e);
}

static int cmd_discover(struct invocation *v, char **args, struct lab_error *e)
{
    return ipa_discover(&v->ipa, args[0], v->download, e);
}

static int cmd_enable(struct invocation *v, char **args, struct lab_error *e)
{
    return local_enable(&v->ipa, args[0], e);
}

static int cmd_disable(struct invocation *v, char **args, struct lab_error *e)
{
    return local_disable(&v->ipa, args[0], e);
}

static int cmd_delete(struct invocation *v, char **args, struct lab_error *e)
{
    return local_delete(&v->ipa, args[0], e);
}

static int cmd_nickname(struct invocation *v, char **args, struct lab_error *e)
{
    return local_nickname(&v->ipa, args[0], args[1], e);
}

static int cmd_notifications_list(struct invocation *v, char **args, struct lab_error *e)
{
    (void)args;
    return ipa_notifications_list(&v->ipa, e);
}

static int cmd_notifications_process(struct invocation *v, char **args, struct lab_error *e)
{
    (void)args;
    return ipa_notifications_process(&v->ipa, 0, e);
}

static int cmd_notifications_remove(struct invocation *v, char **args, struct lab_error *e)
{
    unsigned long seq_number;

    if (!number_read(args[0], 0x7FFFFFFF, &seq_number))
        return lab_fail(e, "%.100s is not a sequence number", args[0]);
    return ipa_notifications_remove(&v->ipa, seq_number, e);
}

static int cmd_reset(struct invocation *v, char **args, struct lab_error *e)
{
    (void)args;
    return local_reset(&v->ipa, e);
}

static int cmd_poll(struct invocation *v, char **args, struct lab_error *e)
{
    (void)args;
    v->poll.ca = wr_view(&v->ca);
    if (v->once)
        v->poll.mode = POLL_ONCE;
    return ipa_poll(&v->ipa, &v->poll, e);
}

static int cmd_eims(struct invocation *v, char **args, struct lab_error *e)
{
    (void)args;
    return iot_eims(&v->ipa, e);
}

static int cmd_add_initial_eim(struct invocation *v, char **args, struct lab_error *e)
{
    return iot_add_initial_eim(&v->ipa, args[0], e);
}

static int cmd_certs(struct invocation *v, char **args, struct lab_error *e)
{
    (void)args;
    return iot_certs(&v->ipa, e);
}

static int cmd_rollback(struct invocation *v, char **args, struct lab_error *e)
{
    (void)args;
    return iot_rollback(&v->ipa, e);
}

static int cmd_immediate_enable(struct invocation *v, char **args, struct lab_error *e)
{
    (void)args;
    return iot_immediate_enable(&v->ipa, e);
}

static int cmd_configure_immediate_enable(struct invocation *v, char **args, struct lab_error *e)
{
    (void)args;
    return iot_configure_immediate_enable(&v->ipa, &v->iot, e);
}

static int cmd_fallback(struct invocation *v, char **args, struct lab_error *e)
{
    (void)args;
    return iot_execute_fallback(&v->ipa, e);
}

static int cmd_return_from_fallback(struct invocation *v, char **args, struct lab_error *e)
{
    (void)args;
    return iot_return_from_fallback(&v->ipa, e);
}

static int cmd_emergency_on(struct invocation *v, char **args, struct lab_error *e)
{
    (void)args;
    return iot_emergency(&v->ipa, true, e);
}

static int cmd_emergency_off(struct invocation *v, char **args, struct lab_error *e)
{
    (void)args;
    return iot_emergency(&v->ipa, false, e);
}

static int cmd_connectivity(struct invocation *v, char **args, struct lab_error *e)
{
    (void)args;
    return iot_connectivity(&v->ipa, e);
}

static int cmd_reset_iot(struct invocation *v, char **args, struct lab_error *e)
{
    return iot_memory_reset(&v->ipa, args[0], e);
}

static int cmd_default_dp_iot(struct invocation *v, char **args, struct lab_error *e)
{
    return iot_default_dp(&v->ipa, args[0], e);
}

static int cmd_package_results(struct invocation *v, char **args, struct lab_error *e)
{
    (void)args;
    return iot_package_results(&v->ipa, e);
}

static int cmd_load_package(struct invocation *v, char **args, struct lab_error *e)
{
    return iot_load_package(&v->ipa, args[0], e);
}

static int cmd_ipae_activate(struct invocation *v, char **args, struct lab_error *e)
{
    (void)args;
    return iot_activate_ipae(&v->ipa, e);
}

static const struct command {
    const char *name, *sub;
    int n_args;
    int (*run)(struct invocation *v, char **args, struct lab_error *e);
    const char *usage;
} commands[] = {
    { "info", NULL, 0, cmd_info, "info" },
    { "list", NULL, 0, cmd_list, "list" },
    { "download", NULL, 1, cmd_download, "download ACTIVATION_CODE" },
    { "discover", NULL, 0, cmd_discover, "discover" },
    { "discover", NULL, 1, cmd_discover, "discover SM-DS-ADDRESS" },
    { "enable", NULL, 1, cmd_enable, "enable ID" },
    { "disable", NULL, 1, cmd_disable, "disable ID" },
    { "delete", NULL, 1, cmd_delete, "delete ID" },
    { "nickname", NULL, 2, cmd_nickname, "nickname ICCID TEXT" },
    { "notifications", "list", 0, cmd_notifications_list, "notifications list" },
    { "notifications", "process", 0, cmd_notifications_process, "notifications process" },
    { "notifications", "remove", 1, cmd_notifications_remove, "notifications remove SEQ" },
    { "reset", NULL, 0, cmd_reset, "reset" },
    { "poll", NULL, 0, cmd_poll, "poll" },
    { "eims", NULL, 0, cmd_eims, "eims" },
    { "add-initial-eim", NULL, 1, cmd_add_initial_eim, "add-initial-eim FILE" },
    { "certs", NULL, 0, cmd_certs, "certs" },
    { "package-results", NULL, 0, cmd_package_results, "package-results" },
    { "load-package", NULL, 1, cmd_load_package, "load-package FILE" },
    { "rollback", NULL, 0, cmd_rollback, "rollback" },
    { "immediate-enable", NULL, 0, cmd_immediate_enable, "immediate-enable" },
    { "configure-immediate-enable", NULL, 0, cmd_configure_immediate_enable,
      "configure-immediate-enable" },
    { "fallback", NULL, 0, cmd_fallback, "fallback" },
    { "return-from-fallback", NULL, 0, cmd_return_from_fallback, "return-from-fallback" },
    { "emergency", "on", 0, cmd_emergency_on, "emergency on" },
    { "emergency", "off", 0, cmd_emergency_off, "emergency off" },
    { "connectivity", NULL, 0, cmd_connectivity, "connectivity" },
    { "default-dp-iot", NULL, 1, cmd_default_dp_iot, "default-dp-iot ADDRESS" },
    { "reset-iot", NULL, 1, cmd_reset_iot,
      "reset-iot all|operational,field-test,dp-address,test,provisioning,eim,immediate-enable" },
    { "ipae-activate", NULL, 0, cmd_ipae_activate, "ipae-activate" },
};

static const struct command *find_command(int argc, char **argv, char ***ret_args)
{
    for (size_t i = 0; i < N_ELEMS(commands); i++) {
        const struct command *c = &commands[i];
        int words = c->sub == NULL ? 1 : 2;
        if (argc == words + c->n_args && strcmp(argv[0], c->name) == 0 &&
            (c->sub == NULL || strcmp(argv[1], c->sub) == 0)) {
            *ret_args = argv + words;
            return c;
        }
    }
    return NULL;
}

/* --- the command line ------------------------------------------------------------------------- */

/* No command is written so: which is meant, and how is it written? */
static void tell_how(int argc, char **argv)
{
    size_t n = 0;

    fprintf(stderr, "softeuicc-lab ipa: ");
    for (size_t i = 0; i < N_ELEMS(commands) && argc > 0; i++)
        if (strcmp(argv[0], commands[i].name) == 0)
            fprintf(stderr, "%s%s", n++ == 0 ? "it is written: " : ", or ", commands[i].usage);
    if (argc == 0)
        fprintf(stderr, "which command?");
    else if (n == 0)
        fprintf(stderr, "no such command: %s", argv[0]);
    fprintf(stderr, "; see --help\n");
}

static void usage(FILE *out)
{
    fprintf(out, "usage: softeuicc-lab ipa (--reader NAME|NUMBER | --card FILE) [OPTION...] "
                 "COMMAND\n\n");
    for (size_t i = 0; i < N_ELEMS(commands); i++)
        fprintf(out, "  %s\n", commands[i].usage);
    fprintf(out, "\n");
    options_print(out);
    fprintf(out, "\nID is an ICCID or the AID of an ISD-P.\n");
}

/* Opens everything, runs the command, closes everything. */
static int run(struct invocation *v, const struct command *command, char **args,
               struct lab_error *e)
{
    struct card *card = NULL;

    if (v->ca.n == 0)
        TRY(options_add_ca_pki(v->pki, &v->ca, e));
    TRY(es9p_client_new(wr_view(&v->ca), &v->ipa.server, e));
    TRY(v->card != NULL ? card_open_file(v->card, &card, e)
                        : card_open_reader(v->reader, &card, e));
    int r = es10_open(&v->ipa.es10, card, e);
    if (r == 0) {
        r = command->run(v, args, e);
        es10_close(&v->ipa.es10);
    }
    card_close(&card);
    return r;
}

static int run_and_tell(struct invocation *v, const struct command *command, char **args)
{
    struct lab_error e = { "" };

    wr_init_heap(&v->ipa.answer, ES10_RESPONSE_MAX);
    v->ipa.crypto = crypto_new(rd_of(NULL, 0));
    int r =
        v->ipa.crypto == NULL ? lab_fail(&e, "OpenSSL does not start") : run(v, command, args, &e);
    if (r != 0) {
        fflush(stdout);
        fprintf(stderr, "softeuicc-lab ipa: %s\n", e.text);
    }
    es9p_client_free(&v->ipa.server);
    crypto_free(&v->ipa.crypto);
    wr_done(&v->ipa.answer);
    return r == 0 ? STATUS_DONE : STATUS_FAILED;
}

int ipa_main(int argc, char **argv)
{
    struct invocation v = { .poll = { .version = ESIPA_V1_1,
                                      .features = FEATURE_DIRECT | FEATURE_INDIRECT,
                                      .cause = -1 } };
    char **args = NULL;

    signal(SIGPIPE, SIG_IGN);
    wr_init_heap(&v.ca, OPTIONS_CA_MAX);
    int status = options_read(argc, argv, &v);
    if (status == STATUS_DONE && v.help) {
        usage(stdout);
    } else if (status == STATUS_DONE) {
        const struct command *command = find_command(argc - optind, argv + optind, &args);
        status = STATUS_USAGE;
        if (command == NULL)
            tell_how(argc - optind, argv + optind);
        else if ((v.reader == NULL) == (v.card == NULL))
            fprintf(stderr, "softeuicc-lab ipa: give either --reader or --card; see --help\n");
        else
            status = run_and_tell(&v, command, args);
    }
    wr_done(&v.ca);
    return status;
}
