/* eim_show.c - the subcommands of softeuicc-lab eim that tell: show and results. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lab/eim_cli.h"
#include "os/err.h"

enum { POLL_MS = 100 };

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

    TRY(eim_cli_open(o, &open, e));
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
    eim_cli_close(&open);
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

    TRY(eim_cli_number("number", o->number, EIM_NUMBER_MAX, &number, e));
    TRY(eim_cli_number("wait", o->wait, 24 * 3600, &seconds, e));
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
