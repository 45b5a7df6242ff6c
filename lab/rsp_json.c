/* rsp_json.c - the JSON binding on a server's side (SGP.22 6.5). */
#include "lab/rsp_json.h"

#include <stdlib.h>
#include <string.h>

#include "lab/log.h"
#include "os/err.h"

enum {
    HTTP_STATUS_OK = 200,
    HTTP_STATUS_NO_CONTENT = 204,
    HTTP_STATUS_NOT_FOUND = 404,
};

static const char content_type[] = "application/json;charset=UTF-8";
static const struct es9p_status executed;

/* --- fields ---------------------------------------------------------------------------------- */

struct es9p_status rsp_json_text(const cJSON *in, const char *name, const char **ret)
{
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(in, name);

    if (!cJSON_IsString(field))
        return es9p_refuse("1.6", "2.2", name);
    *ret = field->valuestring;
    return executed;
}

struct es9p_status rsp_json_octets(const cJSON *in, const char *name, struct wr *ret)
{
    const char *text = "";
    struct es9p_status status = rsp_json_text(in, name, &text);

    if (status.subject == NULL && (!base64_read(text, ret) || ret->n == 0))
        status = es9p_refuse_malformed(name);
    return status;
}

void rsp_json_put_octets(cJSON *out, const char *name, const struct wr *v)
{
    char *text = base64_text(wr_view(v));

    if (text != NULL)
        cJSON_AddStringToObject(out, name, text);
    free(text);
}

void rsp_json_put_transaction_id(cJSON *out, const struct transaction_id *id)
{
    char text[2 * TRANSACTION_ID_MAX + 1];

    cJSON_AddStringToObject(out, "transactionId", hex_text(rd_of(id->b, id->n), text, sizeof text));
}

struct es9p_status rsp_json_arguments(const cJSON *in, const char *name,
                                      struct rsp_json_arguments *ret)
{
    const char *id = "";

    wr_init(&ret->transaction_id, ret->room, sizeof ret->room);
    wr_init_heap(&ret->message, HTTPS_MAX_BODY);
    struct es9p_status status = rsp_json_text(in, "transactionId", &id);
    if (status.subject == NULL &&
        (!hex_read(id, &ret->transaction_id) || ret->transaction_id.n == 0))
        status = es9p_refuse_malformed("transactionId");
    return status.subject != NULL ? status : rsp_json_octets(in, name, &ret->message);
}

struct es9p_status rsp_json_initiate(struct mutual *m, const char *address, const cJSON *in,
                                     cJSON *out, struct mutual_session **ret_session)
{
    static const char *const names[] = { "serverSigned1", "serverSignature1", "euiccCiPKIdToBeUsed",
                                         "serverCertificate" };
    struct mutual_initiation answer;
    struct wr challenge, info;
    struct wr *answers[] = { &answer.server_signed1, &answer.server_signature1, &answer.ci_pk_id,
                             &answer.server_certificate };

    *ret_session = NULL;
    wr_init_heap(&challenge, HTTPS_MAX_BODY);
    wr_init_heap(&info, HTTPS_MAX_BODY);
    for (size_t i = 0; i < N_ELEMS(answers); i++)
        wr_init_heap(answers[i], RSP_JSON_ANSWER_MAX);
    struct es9p_status status = rsp_json_octets(in, "euiccChallenge", &challenge);
    if (status.subject == NULL)
        status = rsp_json_octets(in, "euiccInfo1", &info);
    if (status.subject == NULL)
        status =
            mutual_initiate(m, wr_view(&challenge), wr_view(&info), address, &answer, ret_session);
    if (status.subject == NULL)
        rsp_json_put_transaction_id(out, &(*ret_session)->transaction_id);
    for (size_t i = 0; i < N_ELEMS(answers); i++) {
        if (status.subject == NULL)
            rsp_json_put_octets(out, names[i], answers[i]);
        wr_done(answers[i]);
    }
    wr_done(&challenge);
    wr_done(&info);
    return status;
}

/* --- answers --------------------------------------------------------------------------------- */

static void put_code_data(cJSON *out, const struct es9p_status *status)
{
    cJSON_AddStringToObject(out, "subjectCode", status->subject);
    cJSON_AddStringToObject(out, "reasonCode", status->reason);
    cJSON_AddStringToObject(out, "message", status->message);
}

static const char *status_name(const struct es9p_status *status)
{
    return status->subject == NULL ? "Executed-Success" : "Failed";
}

/* The header of an answer (SGP.22 6.5.1.4). */
static void put_status(cJSON *out, const struct es9p_status *status)
{
    cJSON *header = cJSON_AddObjectToObject(out, "header");
    cJSON *execution = cJSON_AddObjectToObject(header, "functionExecutionStatus");

    cJSON_AddStringToObject(execution, "status", status_name(status));
    if (status->subject != NULL)
        put_code_data(cJSON_AddObjectToObject(execution, "statusCodeData"), status);
}

static struct es9p_status run(const struct https_request *request, const struct rsp_json_call *call,
                              cJSON *out, cJSON *log)
{
    if (request->protocol == NULL ||
        strncmp(request->protocol, ES9P_PROTOCOL_PREFIX, strlen(ES9P_PROTOCOL_PREFIX)) != 0)
        return es9p_refuse("1.3.2", "3.1", "X-Admin-Protocol is not gsma/rsp");
    cJSON *in = cJSON_ParseWithLength((const char *)request->body.p, request->body.n);
    if (!cJSON_IsObject(in)) {
        cJSON_Delete(in);
        return es9p_refuse("1.3.1", "2.1", "the body is not a JSON object");
    }
    struct es9p_status status = call->run(call->ctx, in, out, log);
    cJSON_Delete(in);
    return status;
}

void rsp_json_answer(const struct https_request *request, const struct rsp_json_call *call,
                     FILE *log, struct https_reply *ret)
{
    cJSON *body = cJSON_CreateObject(), *out = cJSON_CreateObject(), *line = cJSON_CreateObject();

    cJSON_AddStringToObject(line, "function", call->name);
    struct es9p_status status = run(request, call, out, line);
    cJSON_AddStringToObject(line, "status", status_name(&status));
    if (status.subject != NULL)
        put_code_data(line, &status);
    if (log != NULL && line != NULL)
        log_line(log, line);
    put_status(body, &status);
    while (status.subject == NULL && out->child != NULL) {
        cJSON *field = cJSON_DetachItemViaPointer(out, out->child);
        cJSON_AddItemToObject(body, field->string, field);
    }
    if (status.subject == NULL && call->no_content)
        *ret = (struct https_reply){ .status = HTTP_STATUS_NO_CONTENT };
    else
        *ret = (struct https_reply){ .status = HTTP_STATUS_OK,
                                     .content_type = content_type,
                                     .body = cJSON_PrintUnformatted(body) };
    cJSON_Delete(line);
    cJSON_Delete(out);
    cJSON_Delete(body);
}

void rsp_json_not_found(struct https_reply *ret)
{
    *ret = (struct https_reply){ .status = HTTP_STATUS_NOT_FOUND };
}
