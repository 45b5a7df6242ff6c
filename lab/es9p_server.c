/* es9p_server.c - the JSON binding of ES9+ on the server's side (SGP.22 6.5).
 *
 * A refusal is an answer with a functionExecutionStatus and HTTP status 200; other HTTP statuses
 * are for what is no ES9+ request at all. */
#include "lab/es9p_server.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "lab/codes.h"
#include "lab/es9p.h"
#include "lab/log.h"
#include "os/err.h"

enum {
    HTTP_STATUS_OK = 200,
    HTTP_STATUS_NO_CONTENT = 204,
    HTTP_STATUS_NOT_FOUND = 404,
    HEX_TEXT_LEN = 2 * RSP_SIMA_MAX + 1,
    ANSWER_MAX = 16 * 1024 * 1024,
};

static const char content_type[] = "application/json;charset=UTF-8";
static const struct es9p_status executed;

static struct es9p_status refuse_missing(const char *message)
{
    return (struct es9p_status){ "1.6", "2.2", message };
}

/* A base64 field; what it holds goes to ret, a heap writer.  Refuses when it is missing or bad. */
static struct es9p_status get_octets(const cJSON *in, const char *name, struct wr *ret)
{
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(in, name);

    if (!cJSON_IsString(field))
        return refuse_missing(name);
    if (!base64_read(field->valuestring, ret) || ret->n == 0)
        return (struct es9p_status){ "1.6", "2.1", name };
    return executed;
}

static struct es9p_status get_transaction_id(const cJSON *in, struct wr *ret)
{
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(in, "transactionId");

    if (!cJSON_IsString(field))
        return refuse_missing("transactionId");
    if (!hex_read(field->valuestring, ret) || ret->n == 0)
        return (struct es9p_status){ "1.6", "2.1", "transactionId" };
    return executed;
}

static void put_octets(cJSON *out, const char *name, const struct wr *v)
{
    char *text = base64_text(wr_view(v));

    if (text != NULL)
        cJSON_AddStringToObject(out, name, text);
    free(text);
}

static void put_hex(cJSON *out, const char *name, struct rd v)
{
    char text[HEX_TEXT_LEN];

    cJSON_AddStringToObject(out, name, hex_text(v, text, sizeof text));
}

static void put_transaction_id(cJSON *out, const struct transaction_id *id)
{
    put_hex(out, "transactionId", rd_of(id->b, id->n));
}

/* The octets of one request: the transaction id and one signed message. */
struct arguments {
    struct wr transaction_id, message;
    uint8_t room[TRANSACTION_ID_MAX];
};

static struct es9p_status get_arguments(const cJSON *in, const char *name, struct arguments *a)
{
    wr_init(&a->transaction_id, a->room, sizeof a->room);
    wr_init_heap(&a->message, HTTPS_MAX_BODY);
    struct es9p_status status = get_transaction_id(in, &a->transaction_id);
    return status.subject != NULL ? status : get_octets(in, name, &a->message);
}

static struct es9p_status initiate_authentication(struct smdpp *dp, const cJSON *in, cJSON *out,
                                                  struct smdpp_event *event)
{
    const cJSON *address = cJSON_GetObjectItemCaseSensitive(in, "smdpAddress");
    struct smdpp_initiate answer;
    struct wr challenge, info;
    struct wr *answers[] = { &answer.server_signed1, &answer.server_signature1, &answer.ci_pk_id,
                             &answer.server_certificate };
    static const char *const names[] = { "serverSigned1", "serverSignature1", "euiccCiPKIdToBeUsed",
                                         "serverCertificate" };

    if (!cJSON_IsString(address))
        return refuse_missing("smdpAddress");
    wr_init_heap(&challenge, HTTPS_MAX_BODY);
    wr_init_heap(&info, HTTPS_MAX_BODY);
    for (size_t i = 0; i < N_ELEMS(answers); i++)
        wr_init_heap(answers[i], ANSWER_MAX);
    struct es9p_status status = get_octets(in, "euiccChallenge", &challenge);
    if (status.subject == NULL)
        status = get_octets(in, "euiccInfo1", &info);
    if (status.subject == NULL)
        status = smdpp_initiate_authentication(dp, wr_view(&challenge), wr_view(&info),
                                               address->valuestring, &answer, event);
    if (status.subject == NULL)
        put_transaction_id(out, &answer.transaction_id);
    for (size_t i = 0; i < N_ELEMS(answers); i++) {
        if (status.subject == NULL)
            put_octets(out, names[i], answers[i]);
        wr_done(answers[i]);
    }
    wr_done(&challenge);
    wr_done(&info);
    return status;
}

static struct es9p_status authenticate_client(struct smdpp *dp, const cJSON *in, cJSON *out,
                                              struct smdpp_event *event)
{
    struct smdpp_authenticate answer;
    struct arguments a;
    struct wr *answers[] = { &answer.profile_metadata, &answer.smdp_signed2,
                             &answer.smdp_signature2, &answer.smdp_certificate };
    static const char *const names[] = { "profileMetadata", "smdpSigned2", "smdpSignature2",
                                         "smdpCertificate" };

    for (size_t i = 0; i < N_ELEMS(answers); i++)
        wr_init_heap(answers[i], ANSWER_MAX);
    struct es9p_status status = get_arguments(in, "authenticateServerResponse", &a);
    if (status.subject == NULL)
        status = smdpp_authenticate_client(dp, wr_view(&a.transaction_id), wr_view(&a.message),
                                           &answer, event);
    if (status.subject == NULL)
        put_transaction_id(out, &event->transaction_id);
    for (size_t i = 0; i < N_ELEMS(answers); i++) {
        if (status.subject == NULL)
            put_octets(out, names[i], answers[i]);
        wr_done(answers[i]);
    }
    wr_done(&a.message);
    return status;
}

static struct es9p_status get_bound_profile_package(struct smdpp *dp, const cJSON *in, cJSON *out,
                                                    struct smdpp_event *event)
{
    struct arguments a;
    struct wr package;

    wr_init_heap(&package, ANSWER_MAX);
    struct es9p_status status = get_arguments(in, "prepareDownloadResponse", &a);
    if (status.subject == NULL)
        status = smdpp_get_bound_profile_package(dp, wr_view(&a.transaction_id),
                                                 wr_view(&a.message), &package, event);
    if (status.subject == NULL) {
        put_transaction_id(out, &event->transaction_id);
        put_octets(out, "boundProfilePackage", &package);
    }
    wr_done(&package);
    wr_done(&a.message);
    return status;
}

static struct es9p_status cancel_session(struct smdpp *dp, const cJSON *in, cJSON *out,
                                         struct smdpp_event *event)
{
    struct arguments a;

    (void)out;
    struct es9p_status status = get_arguments(in, "cancelSessionResponse", &a);
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
    struct es9p_status status = get_octets(in, "pendingNotification", &message);
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

/* The header of an answer (SGP.22 6.5.1.4). */
static void put_status(cJSON *out, const struct es9p_status *status)
{
    cJSON *header = cJSON_AddObjectToObject(out, "header");
    cJSON *execution = cJSON_AddObjectToObject(header, "functionExecutionStatus");

    cJSON_AddStringToObject(execution, "status",
                            status->subject == NULL ? "Executed-Success" : "Failed");
    if (status->subject == NULL)
        return;
    cJSON *data = cJSON_AddObjectToObject(execution, "statusCodeData");
    cJSON_AddStringToObject(data, "subjectCode", status->subject);
    cJSON_AddStringToObject(data, "reasonCode", status->reason);
    cJSON_AddStringToObject(data, "message", status->message);
}

static void write_log(FILE *log, const struct function *f, const struct es9p_status *status,
                      const struct smdpp_event *event)
{
    cJSON *line = log == NULL ? NULL : cJSON_CreateObject();

    if (line == NULL)
        return;
    cJSON_AddStringToObject(line, "function", f->name);
    if (event->transaction_id.n > 0)
        put_transaction_id(line, &event->transaction_id);
    if (event->eid[0] != '\0')
        cJSON_AddStringToObject(line, "eid", event->eid);
    if (event->matching_id[0] != '\0')
        cJSON_AddStringToObject(line, "matchingId", event->matching_id);
    if (event->cancel_reason >= 0)
        cJSON_AddStringToObject(line, "cancelReason",
                                code_name(CODES_CANCEL_REASON, event->cancel_reason));
    if (status->subject == NULL && f->log != NULL)
        f->log(event, line);
    cJSON_AddStringToObject(line, "status",
                            status->subject == NULL ? "Executed-Success" : "Failed");
    if (status->subject != NULL) {
        cJSON_AddStringToObject(line, "subjectCode", status->subject);
        cJSON_AddStringToObject(line, "reasonCode", status->reason);
        cJSON_AddStringToObject(line, "message", status->message);
    }
    log_line(log, line);
    cJSON_Delete(line);
}

static struct es9p_status run(struct es9p_server *server, const struct function *f,
                              const struct https_request *request, cJSON *out,
                              struct smdpp_event *event)
{
    if (request->protocol == NULL ||
        strncmp(request->protocol, ES9P_PROTOCOL_PREFIX, strlen(ES9P_PROTOCOL_PREFIX)) != 0)
        return (struct es9p_status){ "1.3.2", "3.1", "X-Admin-Protocol is not gsma/rsp" };
    cJSON *in = cJSON_ParseWithLength((const char *)request->body.p, request->body.n);
    if (!cJSON_IsObject(in)) {
        cJSON_Delete(in);
        return (struct es9p_status){ "1.3.1", "2.1", "the body is not a JSON object" };
    }
    struct es9p_status status = f->run(server->dp, in, out, event);
    cJSON_Delete(in);
    return status;
}

void es9p_handle(void *ctx, const struct https_request *request, struct https_reply *ret)
{
    struct es9p_server *server = ctx;
    struct smdpp_event event = { .cancel_reason = -1 };
    const struct function *f = find_function(request->path);

    if (f == NULL) {
        *ret = (struct https_reply){ .status = HTTP_STATUS_NOT_FOUND };
        return;
    }
    cJSON *body = cJSON_CreateObject();
    cJSON *out = cJSON_CreateObject();
    struct es9p_status status = run(server, f, request, out, &event);
    write_log(server->log, f, &status, &event);
    put_status(body, &status);
    while (status.subject == NULL && out->child != NULL) {
        cJSON *field = cJSON_DetachItemViaPointer(out, out->child);
        cJSON_AddItemToObject(body, field->string, field);
    }
    if (status.subject == NULL && f->log == log_notification)
        *ret = (struct https_reply){ .status = HTTP_STATUS_NO_CONTENT };
    else
        *ret = (struct https_reply){ .status = HTTP_STATUS_OK,
                                     .content_type = content_type,
                                     .body = cJSON_PrintUnformatted(body) };
    cJSON_Delete(out);
    cJSON_Delete(body);
}
