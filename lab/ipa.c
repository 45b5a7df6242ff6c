/* ipa.c - the device's side of RSP on the command line: commands, options, and one ES10 call. */
#include "lab/ipa.h"

#include <getopt.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certs/pki.h"
#include "lab/identity.h"
#include "lab/ipa_iot.h"
#include "lab/ipa_local.h"
#include "lab/ipa_poll.h"
#include "lab/lab.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    CA_MAX = 1024 * 1024,
    MAX_ATTEMPTS = 100,
    MAX_SECONDS = 7 * 24 * 3600,
    MAX_ROUNDS = 1000000,

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

/* All that one call of the program is told. */
struct invocation {
    struct ipa ipa;
    const char *reader, *card, *pki;
    struct wr ca; /* PEM */
    bool until_empty, once, help;
    struct poll_options poll;
    struct iot_options iot;
};

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

/* --- trust ------------------------------------------------------------------------------------ */

static int add_pem(struct rd der, struct wr *ret, struct lab_error *e)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----\n";
    static const char end[] = "-----END CERTIFICATE-----\n";
    enum { LINE = 64 };

    char *text = base64_text(der);
    if (text == NULL)
        return lab_fail(e, "out of memory");
    wr_put(ret, begin, sizeof begin - 1);
    for (size_t at = 0, n = strlen(text); at < n; at += LINE) {
        wr_put(ret, text + at, n - at < LINE ? n - at : LINE);
        wr_put_u8(ret, '\n');
    }
    wr_put(ret, end, sizeof end - 1);
    free(text);
    return wr_failed(ret) == 0 ? 0 : lab_fail(e, "too many CI certificates");
}

static int add_ca_file(const char *path, struct wr *ret, struct lab_error *e)
{
    static const char pem[] = "-----BEGIN";
    struct wr file;

    wr_init_heap(&file, CA_MAX);
    int r = file_read(path, &file, e);
    if (r == 0 && memmem(file.p, file.n, pem, sizeof pem - 1) == NULL) {
        r = add_pem(wr_view(&file), ret, e);
    } else if (r == 0) {
        wr_put_rd(ret, wr_view(&file));
        wr_put_u8(ret, '\n');
    }
    wr_done(&file);
    return r;
}

/* The CIs of the PKI in a folder, or of the one compiled in; one curve may be missing. */
static int add_ca_pki(const char *dir, struct wr *ret, struct lab_error *e)
{
    static const enum curve curves[] = { CURVE_P256, CURVE_BRAINPOOL_P256R1 };
    struct pki *pki = NULL;
    struct lab_error why;

    TRY(identity_open_pki(dir, &pki, e));
    for (size_t i = 0; i < N_ELEMS(curves); i++) {
        struct wr der;
        wr_init_heap(&der, CA_MAX);
        if (identity_read_ci(pki, curves[i], &der, &why) == 0)
            add_pem(wr_view(&der), ret, &why);
        wr_done(&der);
    }
    pki_close(&pki);
    return ret->n > 0 ? 0 : lab_fail(e, "%s", why.text);
}

/* --- options ---------------------------------------------------------------------------------- */

/* 0, or negative with *e. */
static int set_ca(struct invocation *v, const char *text, struct lab_error *e)
{
    return add_ca_file(text, &v->ca, e);
}

static int set_binding(struct invocation *v, const char *text, struct lab_error *e)
{
    if (strcmp(text, "asn1") != 0 && strcmp(text, "json") != 0)
        return lab_fail(e, "--binding asn1|json");
    v->poll.binding = strcmp(text, "json") == 0 ? ESIPA_JSON : ESIPA_ASN1;
    return 0;
}

static int set_version(struct invocation *v, const char *text, struct lab_error *e)
{
    static const char *const versions[] = { "1.0.1", "1.1", "1.2", "1.3" };

    for (size_t i = 0; i < N_ELEMS(versions); i++)
        if (strcmp(text, versions[i]) == 0) {
            v->poll.version = i == 0 ? ESIPA_V1_0 : ESIPA_V1_1;
            return 0;
        }
    return lab_fail(e, "--version 1.0.1|1.1|1.2|1.3");
}

static int set_interval(struct invocation *v, const char *text, struct lab_error *e)
{
    v->poll.mode = POLL_INTERVAL;
    return number_read(text, MAX_SECONDS, &v->poll.interval)
               ? 0
               : lab_fail(e, "--interval: %.100s is not a number of seconds", text);
}

static int set_count(struct invocation *v, const char *text, struct lab_error *e)
{
    return number_read(text, MAX_ROUNDS, &v->poll.count) && v->poll.count > 0
               ? 0
               : lab_fail(e, "--count: %.100s is not a number of rounds", text);
}

static int set_features(struct invocation *v, const char *text, struct lab_error *e)
{
    uint32_t compact = v->poll.features & FEATURE_COMPACT; /* --compact may come first */

    if (!features_read(text, &v->poll.features))
        return lab_fail(e, "--features direct,indirect,eim-download,eim-ctx,eim-metadata,compact");
    v->poll.features |= compact;
    return 0;
}

static int set_compact(struct invocation *v, const char *text, struct lab_error *e)
{
    (void)text;
    (void)e;
    v->poll.features |= FEATURE_COMPACT;
    return 0;
}

static int set_state_change(struct invocation *v, const char *text, struct lab_error *e)
{
    static const struct {
        const char *name;
        long code;
    } causes[] = {
        { "other-eim", 0 }, { "fallback", 1 },         { "emergency", 2 },     { "local", 3 },
        { "reset", 4 },     { "immediate-enable", 5 }, { "device-change", 6 }, { "undefined", 127 },
    };
    unsigned long number;

    v->poll.state_change = true;
    for (size_t i = 0; i < N_ELEMS(causes); i++)
        if (strcmp(text, causes[i].name) == 0) {
            v->poll.cause = causes[i].code;
            return 0;
        }
    if (!number_read(text, 127, &number))
        return lab_fail(e, "--state-change: %.100s is no cause", text);
    v->poll.cause = (long)number;
    return 0;
}

static int set_rplmn(struct invocation *v, const char *text, struct lab_error *e)
{
    v->poll.has_rplmn = plmn_read(text, v->poll.rplmn);
    return v->poll.has_rplmn ? 0 : lab_fail(e, "--rplmn: %.100s is not MCC and MNC", text);
}

static int set_rollback_after(struct invocation *v, const char *text, struct lab_error *e)
{
    return number_read(text, MAX_ATTEMPTS, &v->poll.rollback_after) && v->poll.rollback_after > 0
               ? 0
               : lab_fail(e, "--rollback-after: %.100s is not a number of attempts", text);
}

/* Where an option goes: a text or a flag of the invocation, or a function. */
#define TEXT_AT(field) offsetof(struct invocation, field), true, NULL
#define FLAG_AT(field) offsetof(struct invocation, field), false, NULL

static const struct option_row {
    const char *name, *argument; /* NULL: none */
    size_t offset;
    bool is_text;
    int (*set)(struct invocation *v, const char *text, struct lab_error *e);
    const char *usage; /* lines */
} option_rows[] = {
    { "reader", "NAME|NUMBER", TEXT_AT(reader),
      "a PC/SC reader: a part of its name, or its number" },
    { "card", "FILE", TEXT_AT(card), "a card file, opened in this process" },
    { "ca", "FILE", 0, false, set_ca,
      "a CI certificate (PEM or DER) that TLS trusts;\n"
      "repeatable (default: the CIs of the test PKI)" },
    { "pki", "DIR", TEXT_AT(pki), "take the CI certificates from a PKI" },
    { "json", NULL, FLAG_AT(ipa.json), "print JSON" },
    { "confirmation-code", "CODE", TEXT_AT(ipa.confirmation_code), "for download" },
    { "imei", "DIGITS", TEXT_AT(ipa.imei), "for download" },
    { "no-notifications", NULL, FLAG_AT(ipa.no_notifications),
      "for download: leave the notifications on the card" },
    { "refresh", NULL, FLAG_AT(ipa.refresh),
      "for rollback, immediate-enable, fallback, emergency:\n"
      "switch by REFRESH" },
    { "off", NULL, FLAG_AT(iot.off), "for configure-immediate-enable" },
    { "oid", "OID", TEXT_AT(iot.oid), "likewise: the SM-DP+ that may enable" },
    { "address", "ADDRESS", TEXT_AT(iot.address), "likewise" },
    { "eim-id", "ID", TEXT_AT(poll.eim_id),
      "poll: this eIM (default: all that are asked over\nHTTPS)" },
    { "url", "HOST[:PORT]", TEXT_AT(poll.url), "poll: where the eIM is, instead of its eimFqdn" },
    { "binding", "asn1|json", 0, false, set_binding, "poll: of ESipa (default: asn1)" },
    { "version", "VERSION", 0, false, set_version, "poll: of SGP.32, such as 1.0.1" },
    { "until-empty", NULL, FLAG_AT(until_empty), "poll: until there is no package (default)" },
    { "once", NULL, FLAG_AT(once), "poll: one package" },
    { "interval", "SECONDS", 0, false, set_interval, "poll: again and again" },
    { "count", "N", 0, false, set_count, "with --interval: so many times" },
    { "features", "LIST", 0, false, set_features,
      "poll: of direct,indirect,eim-download,eim-ctx,\n"
      "eim-metadata,compact (default: direct,indirect)" },
    { "compact", NULL, 0, false, set_compact, "poll: short messages, as the feature" },
    { "state-change", "CAUSE", 0, false, set_state_change,
      "poll: tell the eIM: other-eim, fallback, emergency,\n"
      "local, reset, immediate-enable, device-change" },
    { "rplmn", "MCCMNC", 0, false, set_rplmn, "poll: tell the eIM" },
    { "immediate-enable", NULL, FLAG_AT(poll.immediate_enable),
      "poll: enable what was downloaded" },
    { "no-provide", NULL, FLAG_AT(poll.no_provide),
      "poll: deliver nothing, as if the network were gone" },
    { "rollback-after", "N", 0, false, set_rollback_after,
      "poll: failed attempts before ProfileRollback\n(default: 3)" },
    { "help", NULL, FLAG_AT(help), "" },
};

static void usage(FILE *out)
{
    char left[64];

    fprintf(out, "usage: softeuicc-lab ipa (--reader NAME|NUMBER | --card FILE) [OPTION...] "
                 "COMMAND\n\n");
    for (size_t i = 0; i < N_ELEMS(commands); i++)
        fprintf(out, "  %s\n", commands[i].usage);
    fprintf(out, "\n");
    for (size_t i = 0; i < N_ELEMS(option_rows); i++) {
        const struct option_row *row = &option_rows[i];
        snprintf(left, sizeof left, "--%s%s%s", row->name, row->argument != NULL ? " " : "",
                 row->argument != NULL ? row->argument : "");
        const char *line = row->usage;
        do {
            size_t n = strcspn(line, "\n");
            fprintf(out, n > 0 ? "  %-25s %.*s\n" : "  %s\n", left, (int)n, line);
            line += n + (line[n] == '\n');
            left[0] = '\0';
        } while (*line != '\0');
    }
    fprintf(out, "\nID is an ICCID or the AID of an ISD-P.\n");
}

static int set_option(struct invocation *v, const struct option_row *row, const char *text,
                      struct lab_error *e)
{
    char *at = (char *)v + row->offset;

    if (row->set != NULL)
        return row->set(v, text, e);
    if (row->is_text)
        memcpy(at, &text, sizeof text);
    else
        *(bool *)at = true;
    return 0;
}

/* STATUS_DONE to go on, otherwise the exit status. */
static int read_options(int argc, char **argv, struct invocation *v)
{
    struct option long_options[N_ELEMS(option_rows) + 1] = { { NULL, 0, NULL, 0 } };
    struct lab_error e;
    int option;

    for (size_t i = 0; i < N_ELEMS(option_rows); i++)
        long_options[i] =
            (struct option){ option_rows[i].name,
                             option_rows[i].argument != NULL ? required_argument : no_argument,
                             NULL, (int)i + 1 };
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option < 1 || option > (int)N_ELEMS(option_rows))
            return STATUS_USAGE;
        if (set_option(v, &option_rows[option - 1], optarg, &e) == 0)
            continue;
        fprintf(stderr, "softeuicc-lab ipa: %s\n", e.text);
        return option_rows[option - 1].set == set_ca ? STATUS_FAILED : STATUS_USAGE;
    }
    return STATUS_DONE;
}

/* --- the command line ------------------------------------------------------------------------- */

/* Opens everything, runs the command, closes everything. */
static int run(struct invocation *v, const struct command *command, char **args,
               struct lab_error *e)
{
    struct card *card = NULL;

    if (v->ca.n == 0)
        TRY(add_ca_pki(v->pki, &v->ca, e));
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
    wr_init_heap(&v.ca, CA_MAX);
    int status = read_options(argc, argv, &v);
    if (status == STATUS_DONE && v.help) {
        usage(stdout);
    } else if (status == STATUS_DONE) {
        const struct command *command = find_command(argc - optind, argv + optind, &args);
        if (command != NULL && (v.reader == NULL) != (v.card == NULL)) {
            status = run_and_tell(&v, command, args);
        } else {
            fprintf(stderr, "softeuicc-lab ipa: %s; see --help\n",
                    command == NULL ? "no such command" : "give either --reader or --card");
            status = STATUS_USAGE;
        }
    }
    wr_done(&v.ca);
    return status;
}
