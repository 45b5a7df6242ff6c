/* smds_server.c - the JSON binding of ES11 and ES12 on the SM-DS's side (SGP.22 6.5).
 *
 * LPAs ask an SM-DS under the path of ES9+ or under that of ES11, and name its address smdpAddress
 * or smdsAddress: either is served. */
#include "lab/smds_server.h"

#include <string.h>

#include "lab/rsp_json.h"
#include "os/err.h"

static struct es9p_status initiate_authentication(struct smds *ds, const cJSON *in, cJSON *out,
                                                  cJSON *log)
{
    struct mutual_session *s;
    const char *address;
    struct es9p_status status = rsp_json_text(
        in, cJSON_HasObjectItem(in, "smdpAddress") ? "smdpAddress" : "smdsAddress", &address);

    if (status.subject == NULL)
        status = rsp_json_initiate(&ds->mutual, address, in, out, &s);
    if (status.subject == NULL)
        rsp_json_put_transaction_id(log, &s->transaction_id);
    return status;
}

static void add_event(void *ctx, const struct smds_event *event)
{
    cJSON *entry = cJSON_CreateObject();

    cJSON_AddStringToObject(entry, "eventId", event->id);
    cJSON_AddStringToObject(entry, "rspServerAddress", event->address);
    cJSON_AddItemToArray(ctx, entry);
}

static struct es9p_status authenticate_client(struct smds *ds, const cJSON *in, cJSON *out,
                                              cJSON *log)
{
    char eid[SMDS_EID_TEXT_LEN] = "";
    struct rsp_json_arguments a;
    cJSON *entries = cJSON_CreateArray();

    struct es9p_status status = rsp_json_arguments(in, "authenticateServerResponse", &a);
    if (status.subject == NULL)
        status = smds_authenticate_client(ds, wr_view(&a.transaction_id), wr_view(&a.message),
                                          add_event, entries, eid);
    cJSON_AddItemToObject(
        log, "transactionId",
        cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(in, "transactionId"), true));
    if (eid[0] != '\0')
        cJSON_AddStringToObject(log, "eid", eid);
    wr_done(&a.message);
    if (status.subject != NULL) {
        cJSON_Delete(entries);
        return status;
    }
    cJSON_AddItemToObject(
        out, "transactionId",
        cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(in, "transactionId"), true));
    cJSON_AddItemToObject(log, "eventEntries", cJSON_Duplicate(entries, true));
    cJSON_AddItemToObject(out, "eventEntries", entries);
    return status;
}

/* --- ES12 ------------------------------------------------------------------------------------ */

static struct es9p_status get_texts(const cJSON *in, cJSON *log, const char *const *names,
                                    const char **ret, size_t n)
{
    struct es9p_status status = { .subject = NULL };

    for (size_t i = 0; i < n && status.subject == NULL; i++) {
        status = rsp_json_text(in, names[i], &ret[i]);
        if (status.subject == NULL)
            cJSON_AddStringToObject(log, names[i], ret[i]);
    }
    return status;
}

static struct es9p_status register_event(struct smds *ds, const cJSON *in, cJSON *out, cJSON *log)
{
    static const char *const names[] = { "eid", "eventId", "rspServerAddress" };
    const char *texts[N_ELEMS(names)];

    (void)out;
    struct es9p_status status = get_texts(in, log, names, texts, N_ELEMS(names));
    return status.subject != NULL ? status : smds_register_event(ds, texts[0], texts[1], texts[2]);
}

static struct es9p_status delete_event(struct smds *ds, const cJSON *in, cJSON *out, cJSON *log)
{
    static const char *const names[] = { "eid", "eventId" };
    const char *texts[N_ELEMS(names)];

    (void)out;
    struct es9p_status status = get_texts(in, log, names, texts, N_ELEMS(names));
    return status.subject != NULL ? status : smds_delete_event(ds, texts[0], texts[1]);
}

/* --- requests -------------------------------------------------------------------------------- */

static const struct function {
    const char *path, *name;
    struct es9p_status (*run)(struct smds *ds, const cJSON *in, cJSON *out, cJSON *log);
} functions[] = {
    { ES9P_PATH, "initiateAuthentication", initiate_authentication },
    { ES11_PATH, "initiateAuthentication", initiate_authentication },
    { ES9P_PATH, "authenticateClient", authenticate_client },
    { ES11_PATH, "authenticateClient", authenticate_client },
    { ES12_PATH, "registerEvent", register_event },
    { ES12_PATH, "deleteEvent", delete_event },
};

static const struct function *find_function(const char *path)
{
    for (size_t i = 0; i < N_ELEMS(functions); i++) {
        size_t n = strlen(functions[i].path);
        if (strncmp(path, functions[i].path, n) == 0 && strcmp(path + n, functions[i].name) == 0)
            return &functions[i];
    }
    return NULL;
}

struct call {
    struct smds *ds;
    const struct function *function;
};

static struct es9p_status run(void *ctx, const cJSON *in, cJSON *out, cJSON *log)
{
    const struct call *call = ctx;

    return call->function->run(call->ds, in, out, log);
}

void smds_handle(void *ctx, const struct https_request *request, struct https_reply *ret)
{
    struct smds_server *server = ctx;
    const struct function *f = find_function(request->path);
    struct call call = { server->ds, f };

    if (f == NULL)
        rsp_json_not_found(ret);
    else
        rsp_json_answer(request,
                        &(struct rsp_json_call){ .name = f->name, .run = run, .ctx = &call },
                        server->log, ret);
}
