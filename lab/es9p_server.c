/* es9p_server.c - the JSON binding of ES9+ on the server's side (SGP.22 6.5). */
#include "lab/es9p_server.h"

#include <string.h>

#include "lab/codes.h"
#include "lab/rsp_json.h"
#include "os/err.h"

enum { HEX_TEXT_LEN = 2 * RSP_SIMA_MAX + 1 };

static void put_hex(cJSON *out, const char *name, struct rd v)
{
    char text[HEX_TEXT_LEN];

    cJSON_AddStringToObject(out, name, hex_text(v, text, sizeof text));
}

static struct es9p_status initiate_authentication(struct smdpp *dp, const cJSON *in, cJSON *out,
                                                  struct smdpp_event *event)
{
    struct mutual_session *s;
    const char *address;
    struct es9p_status status = rsp_json_text(in, "smdpAddress", &address);

    if (status.subject == NULL)
        status = rsp_json_initiate(smdpp_mutual(dp), address, in, out, &s);
    if (status.subject == NULL)
        event->transaction_id = s->transaction_id;
    return status;
}

static struct es9p_status authenticate_client(struct smdpp *dp, const cJSON *in, cJSON *out,
                                              struct smdpp_event *event)
{
    struct smdpp_authenticate answer;
    struct rsp_json_arguments a;
    struct wr *answers[] = { &answer.profile_metadata, &answer.smdp_signed2,
                             &answer.smdp_signature2, &answer.smdp_certificate };
    static const char *const names[] = { "profileMetadata", "smdpSigned2", "smdpSignature2",
                                         "smdpCertificate" };

    for (size_t i = 0; i < N_ELEMS(answers); i++)
        wr_init_heap(answers[i], RSP_JSON_ANSWER_MAX);
    struct es9p_status status = rsp_json_arguments(in, "authenticateServerResponse", &a);
    if (status.subject == NULL)
        status = smdpp_authenticate_client(dp, wr_view(&a.transaction_id), wr_view(&a.message),
                                           &answer, event);
    if (status.subject == NULL)
        rsp_json_put_transaction_id(out, &event->transaction_id);
    for (size_t i = 0; i < N_ELEMS(answers); i++) {
        if (status.subject == NULL)
            rsp_json_put_octets(out, names[i], answers[i]);
        wr_done(answers[i]);
    }
    wr_done(&a.message);
    return status;
}

static struct es9p_status get_bound_profile_package(struct smdpp *dp, const cJSON *in, cJSON *out,
                                                    struct smdpp_event *event)
{
    struct rsp_json_arguments a;
    struct wr package;

    wr_init_heap(&package, RSP_JSON_ANSWER_MAX);
    struct es9p_status status = rsp_json_arguments(in, "prepareDownloadResponse", &a);
    if (status.subject == NULL)
        status = smdpp_get_bound_profile_package(dp, wr_view(&a.transaction_id),
                                                 wr_view(&a.message), &package, event);
    if (status.subject == NULL) {
        rsp_json_put_transaction_id(out, &event->transaction_id);
        rsp_json_put_octets(out, "boundProfilePackage", &package);
    }
    wr_done(&package);
    wr_done(&a.message);
    return status;
}

static struct es9p_status cancel_session(struct smdpp *dp, const cJSON *in, cJSON *out,
                                         struct smdpp_event *event)
{
    struct rsp_json_arguments a;

    (void)out;
    struct es9p_status status = rsp_json_arguments(in, "cancelSessionResponse", &a);
    if (status.subject == NULL)
        status = smdpp_cancel_session(dp, wr_view(&a.transaction_id), wr_view(&a.message), event);
    wr_done(&a.message);
    return status;
}

static void log_result(const struct rsp_notification *n, cJSON *line)
{
    cJSON_AddStringToObject(line, "result", n->success ? "success" : "error");
    if (n->success) {
        put_hex(line, "isdpAid", rd_of(n->aid, n->n_aid));
    } else {
        cJSON_AddStringToObject(line, "bppCommandId",
                                code_name(CODES_BPP_COMMAND, n->bpp_command_id));
        cJSON_AddStringToObject(line, "errorReason",
                                code_name(CODES_ERROR_REASON, n->error_reason));
    }
    put_hex(line, "simaResponse", rd_of(n->sima_response, n->n_sima_response));
}

static void log_notification(const struct smdpp_event *event, cJSON *line)
{
    const struct rsp_notification *n = &event->notification;
    char iccid[ICCID_TEXT_LEN];

    cJSON_AddStringToObject(line, "notification",
                            n->is_installation_result ? "profileInstallationResult"
                                                      : "otherSignedNotification");
    cJSON_AddStringToObject(line, "operation", event_name(n->events));
    cJSON_AddNumberToObject(line, "seqNumber", (double)n->seq_number);
    cJSON_AddStringToObject(line, "notificationAddress", n->address);
    if (n->has_iccid)
        cJSON_AddStringToObject(line, "iccid", iccid_text(rd_of(n->iccid, ICCID_LEN), iccid));
    if (n->is_installation_result)
        log_result(n, line);
    cJSON_AddBoolToObject(line, "verified", event->verified == NULL);
    if (event->verified != NULL)
        cJSON_AddStringToObject(line, "reason", event->verified);
}

static struct es9p_status handle_notification(struct smdpp *dp, const cJSON *in, cJSON *out,
                                              struct smdpp_event *event)
{
    struct wr message;

    (void)out;
    wr_init_heap(&message, HTTPS_MAX_BODY);
    struct es9p_status status = rsp_json_octets(in, "pendingNotification", &message);
    if (status.subject == NULL)
        status = smdpp_handle_notification(dp, wr_view(&message), event);
    wr_done(&message); /* the views in the event end here; its copies stay */
    return status;
}

static const struct function {
    const char *name;
    struct es9p_status (*run)(struct smdpp *dp, const cJSON *in, cJSON *out,
                              struct smdpp_event *event);
    void (*log)(const struct smdpp_event *event, cJSON *line);
} functions[] = {
    { "initiateAuthentication", initiate_authentication, NULL },
    { "authenticateClient", authenticate_client, NULL },
    { "getBoundProfilePackage", get_bound_profile_package, NULL },
    { "handleNotification", handle_notification, log_notification },
    { "cancelSession", cancel_session, NULL },
};

static const struct function *find_function(const char *path)
{
    size_t n = strlen(ES9P_PATH);

    if (strncmp(path, ES9P_PATH, n) != 0)
        return NULL;
    for (size_t i = 0; i < N_ELEMS(functions); i++)
        if (strcmp(path + n, functions[i].name) == 0)
            return &functions[i];
    return NULL;
}

struct call {
    struct smdpp *dp;
    const struct function *function;
};

static struct es9p_status run(void *ctx, const cJSON *in, cJSON *out, cJSON *log)
{
    const struct call *call = ctx;
    struct smdpp_event event = { .cancel_reason = -1 };

    struct es9p_status status = call->function->run(call->dp, in, out, &event);
    if (event.transaction_id.n > 0)
        rsp_json_put_transaction_id(log, &event.transaction_id);
    if (event.eid[0] != '\0')
        cJSON_AddStringToObject(log, "eid", event.eid);
    if (event.matching_id[0] != '\0')
        cJSON_AddStringToObject(log, "matchingId", event.matching_id);
    if (event.cancel_reason >= 0)
        cJSON_AddStringToObject(log, "cancelReason",
                                code_name(CODES_CANCEL_REASON, event.cancel_reason));
    if (status.subject == NULL && call->function->log != NULL)
        call->function->log(&event, log);
    return status;
}

void es9p_handle(void *ctx, const struct https_request *request, struct https_reply *ret)
{
    struct es9p_server *server = ctx;
    const struct function *f = find_function(request->path);
    struct call call = { server->dp, f };

    if (f == NULL)
        rsp_json_not_found(ret);
    else
        rsp_json_answer(request,
                        &(struct rsp_json_call){ .name = f->name,
                                                 .run = run,
                                                 .ctx = &call,
                                                 .no_content = f->log == log_notification },
                        server->log, ret);
}
