/* eim_cli.c - the subcommands of softeuicc-lab eim that make, change and queue. */
#include "lab/eim_cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/eim_package.h"
#include "os/err.h"

enum {
    MAX_WORDS = 256,
    CONFIG_MAX = 16 * 1024,
};

static const char default_fqdn[] = "127.0.0.1:8444";

/* One of the words that an option may have; NULL takes the first. */
static int choose(const char *option, const char *given, const char *const words[], size_t n,
                  size_t *ret, struct lab_error *e)
{
    *ret = 0;
    for (size_t i = 0; given != NULL && i < n; i++) {
        if (strcmp(words[i], given) == 0) {
            *ret = i;
            return 0;
        }
    }
    return given == NULL ? 0 : lab_fail(e, "--%s: not %s", option, given);
}

int eim_cli_number(const char *option, const char *given, unsigned long max, unsigned long *ret,
                   struct lab_error *e)
{
    if (given == NULL || number_read(given, max, ret))
        return 0;
    return lab_fail(e, "--%s: not a number up to %lu: %s", option, max, given);
}

/* --- new ------------------------------------------------------------------------------------- */

static bool is_eim_id(const char *id)
{
    size_t characters = 0;

    for (const char *at = id; *at != '\0'; at++)
        characters += ((unsigned char)*at & 0xC0) != 0x80; /* not within one */
    return rd_is_utf8(rd_str(id)) && characters > 0 && characters <= EIM_ID_CHARACTERS;
}

static int read_choices(const struct eim_options *o, struct eim_choices *c, struct lab_error *e)
{
    static const char *const types[] = { "proprietary", "oid", "fqdn" };
    static const enum eim_id_type type_of[] = { EIM_ID_PROPRIETARY, EIM_ID_OID, EIM_ID_FQDN };
    static const char *const curves[] = { "nist", "brp" };
    static const char *const keys[] = { "spki", "certificate" };
    static const char *const trusts[] = { "ca", "spki", "certificate", "none" };
    static const enum eim_tls_trust trust_of[] = { TLS_TRUST_CA, TLS_TRUST_SPKI,
                                                   TLS_TRUST_CERTIFICATE, TLS_TRUST_NONE };
    static const char *const protocols[] = { "https", "coaps", "both" };
    static const char *const yes_no[] = { "yes", "no" };
    size_t type, curve, key, trust, protocol, token, indirect, learn;
    unsigned long counter = 0;
    struct wr ski;

    TRY(choose("id-type", o->id_type, types, N_ELEMS(types), &type, e));
    TRY(choose("curve", o->curve, curves, N_ELEMS(curves), &curve, e));
    TRY(choose("public-key", o->public_key, keys, N_ELEMS(keys), &key, e));
    TRY(choose("tls-trust", o->tls_trust, trusts, N_ELEMS(trusts), &trust, e));
    TRY(choose("protocol", o->protocol, protocols, N_ELEMS(protocols), &protocol, e));
    TRY(choose("token", o->token, yes_no, 2, &token, e));
    TRY(choose("indirect", o->indirect, yes_no, 2, &indirect, e));
    TRY(choose("learn", o->learn, yes_no, 2, &learn, e));
    TRY(eim_cli_number("counter", o->counter, EIM_NUMBER_MAX, &counter, e));
    if (o->eim_id != NULL && !is_eim_id(o->eim_id))
        return lab_fail(e, "--eim-id: 1 to %d characters of UTF-8", EIM_ID_CHARACTERS);
    if (o->fqdn != NULL && (o->fqdn[0] == '\0' || strlen(o->fqdn) >= EIM_TEXT_LEN))
        return lab_fail(e, "--fqdn: 1 to %d octets", EIM_TEXT_LEN - 1);
    *c = (struct eim_choices){
        .eim_id = o->eim_id,
        .fqdn = o->fqdn != NULL ? o->fqdn : default_fqdn,
        .pki = o->pki,
        .id_type = type_of[type],
        .curve = curve == 0 ? CURVE_P256 : CURVE_BRAINPOOL_P256R1,
        .key_as_certificate = key == 1,
        .tls_trust = trust_of[trust],
        .protocol = (enum eim_protocol)protocol,
        .counter = counter,
        .token = token == 0,
        .indirect = indirect == 0,
        .learn = learn == 0,
        .has_ci_pkid = o->ci_pkid != NULL,
    };
    wr_init(&ski, c->ci_pkid, sizeof c->ci_pkid);
    if (o->ci_pkid != NULL && (!hex_read(o->ci_pkid, &ski) || ski.n != SKI_LEN))
        return lab_fail(e, "--ci-pkid: not %d octets in hex", SKI_LEN);
    return 0;
}

int eim_cmd_new(const struct eim_options *o, struct lab_error *e)
{
    struct eim_choices choices;
    struct crypto *crypto;
    struct db *db = NULL;

    TRY(read_choices(o, &choices, e));
    TRY(store_create(o->args[0], &db, e));
    crypto = crypto_new(rd_of(NULL, 0));
    int r = crypto == NULL ? lab_fail(e, "OpenSSL does not start")
                           : eim_identity_create(crypto, &choices, db, e);
    crypto_free(&crypto);
    db_close(&db);
    if (r != 0)
        unlink(o->args[0]); /* made just now */
    return r;
}

/* --- with an eIM ----------------------------------------------------------------------------- */

int eim_cli_open(const struct eim_options *o, struct open_eim *ret, struct lab_error *e)
{
    ret->eim = NULL;
    ret->crypto = crypto_new(rd_of(NULL, 0));
    if (ret->crypto == NULL)
        return lab_fail(e, "OpenSSL does not start");
    int r = eim_open(ret->crypto, o->args[0], rd_of(NULL, 0), &ret->eim, e);
    if (r != 0)
        crypto_free(&ret->crypto);
    return r;
}

void eim_cli_close(struct open_eim *open)
{
    eim_close(&open->eim);
    crypto_free(&open->crypto);
}

static int write_file(const char *path, struct rd v, struct lab_error *e)
{
    FILE *f = fopen(path, "wb");

    if (f == NULL)
        return lab_fail(e, "%s: %s", path, strerror(errno));
    bool ok = fwrite(v.p, 1, v.n, f) == v.n;
    return fclose(f) == 0 && ok ? 0 : lab_fail(e, "%s: %s", path, strerror(errno));
}

static int print_hex(struct rd v, struct lab_error *e)
{
    char *text = malloc(2 * v.n + 1);

    if (text == NULL)
        return lab_fail(e, "out of memory");
    puts(hex_text(v, text, 2 * v.n + 1));
    free(text);
    return 0;
}

int eim_cmd_config(const struct eim_options *o, struct lab_error *e)
{
    struct open_eim open;
    struct wr der;

    TRY(eim_cli_open(o, &open, e));
    wr_init_heap(&der, CONFIG_MAX);
    int r = eim_config_write(open.crypto, &open.eim->identity, o->request, &der);
    if (r != 0)
        lab_fail(e, "cannot write it: %s", err_name(r));
    else
        r = o->out != NULL ? write_file(o->out, wr_view(&der), e) : print_hex(wr_view(&der), e);
    wr_done(&der);
    eim_cli_close(&open);
    return r;
}

static int check_eid(const char *eid, struct lab_error *e)
{
    uint8_t octets[EIM_EID_LEN];

    return eim_eid_read(eid, octets) ? 0 : lab_fail(e, "not an EID of 32 digits: %s", eid);
}

/* --- device ---------------------------------------------------------------------------------- */

static int change_device(const struct eim_options *o, struct eim *eim, struct lab_error *e)
{
    struct eim_device d;
    bool found;
    unsigned long v = 0;

    if (store_get_device(eim->db, o->args[1], &d, &found) != 0)
        return lab_fail(e, "%s", db_reason(eim->db));
    if (!found) {
        copy_text(o->args[1], d.eid, sizeof d.eid);
        d.counter = eim->identity.counter;
        d.token_state = eim->identity.token ? TOKEN_UNKNOWN : TOKEN_NONE;
    }
    if (o->counter != NULL) {
        TRY(eim_cli_number("counter", o->counter, EIM_NUMBER_MAX, &v, e));
        d.counter = v;
    }
    if (o->token != NULL && strcmp(o->token, "none") == 0) {
        d.token_state = TOKEN_NONE;
    } else if (o->token != NULL && strcmp(o->token, "unknown") == 0) {
        d.token_state = TOKEN_UNKNOWN;
    } else if (o->token != NULL) {
        TRY(eim_cli_number("token", o->token, EIM_NUMBER_MAX, &v, e));
        d.token_state = TOKEN_KNOWN;
        d.token = v;
    }
    if (o->version != NULL && !sgp32_version_read(o->version, &d.version))
        return lab_fail(e, "--version: not %s", o->version);
    return store_put_device(eim->db, &d) == 0 ? 0 : lab_fail(e, "%s", db_reason(eim->db));
}

int eim_cmd_device(const struct eim_options *o, struct lab_error *e)
{
    struct open_eim open;

    TRY(check_eid(o->args[1], e));
    TRY(eim_cli_open(o, &open, e));
    int r = change_device(o, open.eim, e);
    eim_cli_close(&open);
    return r;
}

/* --- queue ----------------------------------------------------------------------------------- */

static int need_device(struct eim *eim, const char *eid, struct lab_error *e)
{
    struct eim_device d;
    bool found;

    TRY(check_eid(eid, e));
    if (store_get_device(eim->db, eid, &d, &found) != 0)
        return lab_fail(e, "%s", db_reason(eim->db));
    return found ? 0 : lab_fail(e, "no device %s; register it with `device`", eid);
}

static int add_work(const struct eim_options *o, struct eim *eim, enum work_kind kind,
                    struct rd order, const char *text, struct lab_error *e)
{
    const char *fault = o->fault != NULL ? o->fault : "";
    struct eim_order work = { kind, FOR_USER, order, text, fault };
    struct eim_package p = { .counter = 0 };
    char id[EIM_ID_MAX + 1];
    int64_t number;

    if (!eim_fault_apply(fault, &p, id))
        return lab_fail(e, "--fault: what is %s?", fault);
    if (store_add_work(eim->db, o->args[1], &work, &number) != 0)
        return lab_fail(e, "%s", db_reason(eim->db));
    printf("%lld\n", (long long)number);
    return 0;
}

/* A single argument with blanks in it is several words. */
static size_t split(const struct eim_options *o, char *copy, char *words[MAX_WORDS])
{
    size_t n = 0;
    char *rest = copy;

    if (o->n_args > 3) {
        for (size_t i = 2; i < o->n_args && n < MAX_WORDS; i++)
            words[n++] = o->args[i];
        return n;
    }
    while (rest != NULL && n < MAX_WORDS) {
        char *word = strsep(&rest, " ");
        if (word[0] != '\0')
            words[n++] = word;
    }
    return n;
}

static char *join(const struct eim_options *o)
{
    size_t size = 1;
    char *text;

    for (size_t i = 2; i < o->n_args; i++)
        size += strlen(o->args[i]) + 1;
    text = calloc(1, size);
    for (size_t i = 2; text != NULL && i < o->n_args; i++) {
        if (i > 2)
            strcat(text, " ");
        strcat(text, o->args[i]);
    }
    return text;
}

int eim_cmd_queue(const struct eim_options *o, struct lab_error *e)
{
    struct open_eim open;
    char *words[MAX_WORDS];
    char *text = join(o), *copy = strdup(o->args[2]);
    enum work_kind kind = WORK_PACKAGE;
    struct wr order;

    wr_init_heap(&order, EIM_BLOB_MAX);
    int r = text == NULL || copy == NULL ? lab_fail(e, "out of memory") : 0;
    if (r == 0)
        r = eim_order_read(split(o, copy, words), words, &kind, &order, e);
    if (r == 0)
        r = eim_cli_open(o, &open, e);
    if (r == 0) {
        r = need_device(open.eim, o->args[1], e);
        if (r == 0)
            r = add_work(o, open.eim, kind, wr_view(&order), text, e);
        eim_cli_close(&open);
    }
    wr_done(&order);
    free(text);
    free(copy);
    return r;
}

int eim_cmd_handover(const struct eim_options *o, struct lab_error *e)
{
    struct open_eim open;
    int64_t number = 0;

    TRY(eim_cli_open(o, &open, e));
    int r = need_device(open.eim, o->args[1], e);
    if (r == 0)
        r = eim_handover_start(open.eim, o->args[1], o->args[2], &number, e);
    if (r == 0)
        printf("%lld\n", (long long)number);
    eim_cli_close(&open);
    return r;
}
