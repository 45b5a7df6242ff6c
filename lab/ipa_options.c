/* ipa_options.c - the options of softeuicc-lab ipa, and the CIs that TLS trusts. */
#include "lab/ipa_options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "certs/pki.h"
#include "lab/identity.h"
#include "lab/lab.h"
#include "os/err.h"

enum {
    MAX_ATTEMPTS = 100,
    MAX_SECONDS = 7 * 24 * 3600,
    MAX_ROUNDS = 1000000,
};

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

    wr_init_heap(&file, OPTIONS_CA_MAX);
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

int options_add_ca_pki(const char *dir, struct wr *ret, struct lab_error *e)
{
    static const enum curve curves[] = { CURVE_P256, CURVE_BRAINPOOL_P256R1 };
    struct pki *pki = NULL;
    struct lab_error why;

    TRY(identity_open_pki(dir, &pki, e));
    for (size_t i = 0; i < N_ELEMS(curves); i++) {
        struct wr der;
        wr_init_heap(&der, OPTIONS_CA_MAX);
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
    { "download", NULL, FLAG_AT(download), "for discover: download what is announced" },
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

void options_print(FILE *out)
{
    char left[64];

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

int options_read(int argc, char **argv, struct invocation *v)
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
