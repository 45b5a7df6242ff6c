/* eim_cli.c - the subcommands of softeuicc-lab eim that do not serve. */
#include "lab/eim_cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lab/eim.h"
#include "lab/eim_package.h"
#include "os/err.h"

enum {
    MAX_WORDS = 256,
    POLL_MS = 100,
    CONFIG_MAX = 16 * 1024,
    COUNTER_MAX = 0x7FFFFFFF,
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

static int read_number(const char *option, const char *given, unsigned long max, unsigned long *ret,
                       struct lab_error *e)
{
    if (given == NULL || number_read(given, max, ret))
        return 0;
    return lab_fail(e, "--%s: not a number up to %lu: %s", option, max, given);
}

/* --- new ------------------------------------------------------------------------------------- */

static int read_choices(const struct eim_options *o, struct eim_choices *c, struct lab_error *e)
{
    static const char *const types[] = { "proprietary", "oid", "fqdn" };
    static const enum eim_id_type type_of[] = { EIM_ID_PROPRIETARY, EIM_ID_OID, EIM_ID_FQDN };
    static const char *const curves[] = { "nist", "brp" };
    static const char *const keys[] = { "spki", "certificate" };
    static const char *const trusts[] = { "ca", "spki", "certificate", "none" };
    static const enum eim_tls_trust trust_of[] = { TLS_TRUST_CA, TLS_TRUST_SPKI,
                                                   TLS_TRUST_CERTIFICATE, TLS_TRUST_NONE };
    static const char *const yes_no[] = { "yes", "no" };
    size_t type, curve, key, trust, token, indirect, learn;
    unsigned long counter = 0;
    struct wr ski;

    TRY(choose("id-type", o->id_type, types, N_ELEMS(types), &type, e));
    TRY(choose("curve", o->curve, curves, N_ELEMS(curves), &curve, e));
    TRY(choose("public-key", o->public_key, keys, N_ELEMS(keys), &key, e));
    TRY(choose("tls-trust", o->tls_trust, trusts, N_ELEMS(trusts), &trust, e));
    TRY(choose("token", o->token, yes_no, 2, &token, e));
    TRY(choose("indirect", o->indirect, yes_no, 2, &indirect, e));
    TRY(choose("learn", o->learn, yes_no, 2, &learn, e));
    TRY(read_number("counter", o->counter, COUNTER_MAX, &counter, e));
    if (o->eim_id != NULL && (o->eim_id[0] == '\0' || strlen(o->eim_id) > EIM_ID_MAX))
        return lab_fail(e, "--eim-id: 1 to %d octets", EIM_ID_MAX);
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

struct open_eim {
    struct crypto *crypto;
    struct eim *eim;
};

static int open_eim(const struct eim_options *o, struct open_eim *ret, struct lab_error *e)
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

static void close_eim(struct open_eim *open)
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

    TRY(open_eim(o, &open, e));
    wr_init_heap(&der, CONFIG_MAX);
    int r = eim_config_write(open.crypto, &open.eim->identity, o->request, &der);
    if (r != 0)
        lab_fail(e, "cannot write it: %s", err_name(r));
    else
        r = o->out != NULL ? write_file(o->out, wr_view(&der), e) : print_hex(wr_view(&der), e);
    wr_done(&der);
    close_eim(&open);
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
        TRY(read_number("counter", o->counter, COUNTER_MAX, &v, e));
        d.counter = v;
    }
    if (o->token != NULL && strcmp(o->token, "none") == 0) {
        d.token_state = TOKEN_NONE;
    } else if (o->token != NULL && strcmp(o->token, "unknown") == 0) {
        d.token_state = TOKEN_UNKNOWN;
    } else if (o->token != NULL) {
        TRY(read_number("token", o->token, COUNTER_MAX, &v, e));
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
    TRY(open_eim(o, &open, e));
    int r = change_device(o, open.eim, e);
    close_eim(&open);
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
        r = open_eim(o, &open, e);
    if (r == 0) {
        r = need_device(open.eim, o->args[1], e);
        if (r == 0)
            r = add_work(o, open.eim, kind, wr_view(&order), text, e);
        close_eim(&open);
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

    TRY(open_eim(o, &open, e));
    int r = need_device(open.eim, o->args[1], e);
    if (r == 0)
        r = eim_handover_start(open.eim, o->args[1], o->args[2], &number, e);
    if (r == 0)
        printf("%lld\n", (long long)number);
    close_eim(&open);
    return r;
}

/* --- show ------------------------------------------------------------------------------------ */

static cJSON *work_json(struct db *db, const char *eid)
{
    cJSON *list = cJSON_CreateArray();
    struct db_rows *rows = db_query(db,
                                    "SELECT number, kind, state, text, counter, why, handed"
                                    " FROM work WHERE eid = ? ORDER BY number",
                                    "t", eid);

    while (db_next(rows)) {
        cJSON *w = cJSON_CreateObject();
        cJSON_AddNumberToObject(w, "number", (double)db_int(rows, 0));
        cJSON_AddStringToObject(w, "kind", work_kind_name((enum work_kind)db_int(rows, 1)));
        cJSON_AddStringToObject(w, "state", work_state_name((enum work_state)db_int(rows, 2)));
        cJSON_AddStringToObject(w, "text", db_text(rows, 3));
        if (db_int(rows, 4) != 0)
            cJSON_AddNumberToObject(w, "counter", (double)db_int(rows, 4));
        if (db_text(rows, 5)[0] != '\0')
            cJSON_AddStringToObject(w, "why", db_text(rows, 5));
        cJSON_AddNumberToObject(w, "delivered", (double)db_int(rows, 6));
        cJSON_AddItemToArray(list, w);
    }
    db_rows_done(&rows);
    return list;
}

static cJSON *device_json(struct db *db, const char *eid)
{
    struct eim_device d;
    bool found;
    cJSON *out = cJSON_CreateObject();

    if (store_get_device(db, eid, &d, &found) != 0 || !found)
        return out;
    cJSON_AddStringToObject(out, "eid", d.eid);
    if (d.token_state == TOKEN_KNOWN)
        cJSON_AddNumberToObject(out, "associationToken", (double)d.token);
    else
        cJSON_AddStringToObject(out, "associationToken",
                                d.token_state == TOKEN_NONE ? "none" : "unknown");
    cJSON_AddNumberToObject(out, "counter", (double)d.counter);
    cJSON_AddStringToObject(out, "version", sgp32_version_name(d.version));
    if (d.observed != SGP32_UNKNOWN)
        cJSON_AddStringToObject(out, "ipaVersion", sgp32_version_name(d.observed));
    if (d.euicc != SGP32_UNKNOWN)
        cJSON_AddStringToObject(out, "euiccVersion", sgp32_version_name(d.euicc));
    cJSON_AddNumberToObject(out, "lastSeen", (double)d.last_seen);
    cJSON_AddBoolToObject(out, "certificate", d.has_certificate);
    if (d.default_smdp[0] != '\0')
        cJSON_AddStringToObject(out, "defaultSmdpAddress", d.default_smdp);
    if (d.gone_to[0] != '\0')
        cJSON_AddStringToObject(out, "goneTo", d.gone_to);
    cJSON_AddItemToObject(out, "work", work_json(db, eid));
    return out;
}

static const char *text_of(const cJSON *in, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(in, name);

    return cJSON_IsString(v) ? v->valuestring : "";
}

static void print_device(const cJSON *d)
{
    const cJSON *token = cJSON_GetObjectItemCaseSensitive(d, "associationToken"), *w;
    const cJSON *counter = cJSON_GetObjectItemCaseSensitive(d, "counter");

    printf("%s  counter %.0f  token ", text_of(d, "eid"),
           counter != NULL ? counter->valuedouble : 0);
    if (cJSON_IsNumber(token))
        printf("%.0f", token->valuedouble);
    else
        printf("%s", cJSON_IsString(token) ? token->valuestring : "?");
    if (text_of(d, "goneTo")[0] != '\0')
        printf("  gone to %s", text_of(d, "goneTo"));
    printf("\n");
    cJSON_ArrayForEach(w, cJSON_GetObjectItemCaseSensitive(d, "work"))
    {
        const cJSON *number = cJSON_GetObjectItemCaseSensitive(w, "number");
        printf("  %.0f %s: %s%s%s\n", number != NULL ? number->valuedouble : 0, text_of(w, "state"),
               text_of(w, "text"), text_of(w, "why")[0] != '\0' ? ": " : "", text_of(w, "why"));
    }
}

static cJSON *eim_json(const struct eim_options *o, struct eim *eim)
{
    cJSON *out = cJSON_CreateObject(), *list;
    struct db_rows *rows =
        db_query(eim->db, "SELECT eid FROM device WHERE ? IN ('', eid) ORDER BY eid", "t",
                 o->n_args > 1 ? o->args[1] : "");

    cJSON_AddStringToObject(out, "eimId", eim->identity.id);
    cJSON_AddStringToObject(out, "eimFqdn", eim->identity.fqdn);
    list = cJSON_AddArrayToObject(out, "devices");
    while (db_next(rows))
        cJSON_AddItemToArray(list, device_json(eim->db, db_text(rows, 0)));
    db_rows_done(&rows);
    return out;
}

int eim_cmd_show(const struct eim_options *o, struct lab_error *e)
{
    struct open_eim open;
    const cJSON *device;

    TRY(open_eim(o, &open, e));
    cJSON *out = eim_json(o, open.eim);
    if (o->json) {
        char *text = cJSON_Print(out);
        puts(text != NULL ? text : "{}");
        cJSON_free(text);
    } else {
        printf("eIM %s at %s\n", text_of(out, "eimId"), text_of(out, "eimFqdn"));
        cJSON_ArrayForEach(device, cJSON_GetObjectItemCaseSensitive(out, "devices"))
            print_device(device);
    }
    cJSON_Delete(out);
    close_eim(&open);
    return 0;
}

/* --- results --------------------------------------------------------------------------------- */

/* kind, eid, work and state in front of what was kept. */
static void print_line(struct db_rows *rows)
{
    cJSON *line = cJSON_CreateObject(), *kept = cJSON_Parse(db_text(rows, 3));

    cJSON_AddStringToObject(line, "eid", db_text(rows, 0));
    if (!db_is_null(rows, 1))
        cJSON_AddNumberToObject(line, "work", (double)db_int(rows, 1));
    cJSON_AddStringToObject(line, "kind", db_text(rows, 2));
    while (kept != NULL && kept->child != NULL) {
        cJSON *field = cJSON_DetachItemViaPointer(kept, kept->child);
        if (cJSON_GetObjectItemCaseSensitive(line, field->string) == NULL)
            cJSON_AddItemToObject(line, field->string, field);
        else
            cJSON_Delete(field);
    }
    char *text = cJSON_PrintUnformatted(line);
    if (text != NULL)
        puts(text);
    cJSON_free(text);
    cJSON_Delete(kept);
    cJSON_Delete(line);
}

static int print_results(struct db *db, const char *eid, int64_t number)
{
    struct db_rows *rows =
        db_query(db,
                 "SELECT eid, work, kind, json, at, id FROM result WHERE ?1 IN ('', eid) AND"
                 " ?2 IN (0, work) UNION ALL"
                 " SELECT eid, NULL, 'notification', json, at, id FROM notification WHERE"
                 " ?1 IN ('', eid) AND ?2 = 0 ORDER BY at, id",
                 "ti", eid, number);

    while (db_next(rows))
        print_line(rows);
    fflush(stdout);
    return db_rows_done(&rows);
}

/* Waits until the work is done or failed, or the time is over. */
static int wait_for(struct db *db, int64_t number, unsigned long seconds, enum work_state *ret)
{
    struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
    unsigned long rounds = seconds * (1000 / POLL_MS);
    struct eim_work w;
    bool found;

    for (unsigned long i = 0;; i++) {
        TRY(store_get_work(db, number, &w, &found));
        if (!found)
            return ERR_INPUT;
        *ret = w.state;
        if (w.state == WORK_DONE || w.state == WORK_FAILED || i >= rounds)
            return 0;
        nanosleep(&pause, NULL);
    }
}

static int tell_state(struct db *db, int64_t number, enum work_state state, struct lab_error *e)
{
    char why[EIM_TEXT_LEN] = "";
    struct wr text;

    if (state == WORK_DONE)
        return 0;
    wr_init(&text, why, sizeof why - 1);
    store_get_work_blob(db, number, WORK_WHY, &text);
    return lab_fail(e, "work %lld is %s%s%s", (long long)number, work_state_name(state),
                    why[0] != '\0' ? ": " : "", why);
}

int eim_cmd_results(const struct eim_options *o, struct lab_error *e)
{
    const char *eid = o->n_args > 1 ? o->args[1] : "";
    unsigned long number = 0, seconds = 0;
    enum work_state state = WORK_DONE;
    struct db *db = NULL;

    TRY(read_number("number", o->number, COUNTER_MAX, &number, e));
    TRY(read_number("wait", o->wait, 24 * 3600, &seconds, e));
    if (o->wait != NULL && number == 0)
        return lab_fail(e, "--wait needs --number");
    TRY(store_open(o->args[0], &db, e));
    int r = number == 0 ? 0 : wait_for(db, (int64_t)number, seconds, &state);
    if (r == 0)
        r = print_results(db, eid, (int64_t)number);
    if (r != 0)
        lab_fail(e, r == ERR_INPUT ? "no work %lu" : "reading fails (%lu)", number);
    else
        r = tell_state(db, (int64_t)number, state, e);
    db_close(&db);
    return r;
}
