/* esipa_server.c - ESipa over HTTPS on the eIM's side (SGP.32 6.1, 6.3, 6.4).
 *
 * Refusals of the eIM are answers with HTTP status 200; other statuses are for what is no ESipa
 * message at all: 404, 415, 400. */
#include "lab/esipa_server.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lab/esipa.h"
#include "lab/esipa_json.h"
#include "lab/log.h"
#include "os/err.h"

enum {
    HTTP_STATUS_OK = 200,
    HTTP_STATUS_NO_CONTENT = 204,
    HTTP_STATUS_BAD_REQUEST = 400,
    HTTP_STATUS_NOT_FOUND = 404,
    HTTP_STATUS_UNSUPPORTED_TYPE = 415,
    HTTP_STATUS_INTERNAL = 500,
};

static const char json_type[] = ESIPA_JSON_TYPE ";charset=UTF-8";

/* The media type, whatever parameters follow. */
static bool type_is(const struct https_request *request, const char *type)
{
    size_t n = strlen(type);
    const char *given = request->content_type;

    return given != NULL && strncasecmp(given, type, n) == 0 &&
           (given[n] == '\0' || given[n] == ';' || given[n] == ' ');
}

static void write_log(FILE *log, cJSON *line, int status)
{
    if (log == NULL)
        return;
    cJSON_AddNumberToObject(line, "http", status);
    log_line(log, line);
}

static int status_of(int r)
{
    return r == 0           ? HTTP_STATUS_OK
           : r == ERR_INPUT ? HTTP_STATUS_BAD_REQUEST
                            : HTTP_STATUS_INTERNAL;
}

/* --- the ASN.1 binding ----------------------------------------------------------------------- */

static void handle_asn1(struct esipa_server *server, const struct https_request *request,
                        cJSON *line, struct https_reply *ret)
{
    struct wr answer;

    if (!type_is(request, ESIPA_ASN1_TYPE)) {
        ret->status = HTTP_STATUS_UNSUPPORTED_TYPE;
        return;
    }
    wr_init_heap(&answer, EIM_ANSWER_MAX);
    int r = eim_handle(server->eim, request->body, request->peer, line, &answer);
    ret->status = status_of(r);
    if (r == 0 && answer.n == 0) {
        ret->status = HTTP_STATUS_NO_CONTENT;
    } else if (r == 0) {
        ret->content_type = ESIPA_ASN1_TYPE;
        ret->n = answer.n;
        ret->body = malloc(answer.n);
        if (ret->body != NULL)
            memcpy(ret->body, answer.p, answer.n);
    }
    wr_done(&answer);
}

/* --- the JSON binding ------------------------------------------------------------------------ */

static int run_json(struct esipa_server *server, const struct https_request *request,
                    const char *function, cJSON *line, struct wr *answer)
{
    struct wr message;
    cJSON *in = cJSON_ParseWithLength((const char *)request->body.p, request->body.n);

    wr_init_heap(&message, HTTPS_MAX_BODY);
    int r = cJSON_IsObject(in) ? esipa_request_from_json(function, in, &message) : ERR_INPUT;
    cJSON_Delete(in);
    if (r == 0)
        r = eim_handle(server->eim, wr_view(&message), request->peer, line, answer);
    wr_done(&message);
    return r;
}

static void handle_json(struct esipa_server *server, const struct https_request *request,
                        const char *function, cJSON *line, struct https_reply *ret)
{
    struct wr answer;

    if (!type_is(request, ESIPA_JSON_TYPE)) {
        ret->status = HTTP_STATUS_UNSUPPORTED_TYPE;
        return;
    }
    wr_init_heap(&answer, EIM_ANSWER_MAX);
    int r = run_json(server, request, function, line, &answer);
    cJSON *out = r == 0 ? esipa_answer_to_json(wr_view(&answer)) : NULL;
    ret->status = r == 0 && out == NULL ? HTTP_STATUS_NO_CONTENT : status_of(r);
    if (out != NULL) {
        ret->content_type = json_type;
        ret->body = cJSON_PrintUnformatted(out);
    }
    cJSON_Delete(out);
    wr_done(&answer);
}

/* --- both ------------------------------------------------------------------------------------ */

void esipa_handle(void *ctx, const struct https_request *request, struct https_reply *ret)
{
    struct esipa_server *server = ctx;
    size_t n = strlen(ESIPA_JSON_PATH);
    cJSON *line = cJSON_CreateObject();

    *ret = (struct https_reply){ .status = HTTP_STATUS_NOT_FOUND };
    if (line == NULL) {
        ret->status = HTTP_STATUS_INTERNAL;
        return;
    }
    if (strcmp(request->path, ESIPA_ASN1_PATH) == 0)
        handle_asn1(server, request, line, ret);
    else if (strncmp(request->path, ESIPA_JSON_PATH, n) == 0)
        handle_json(server, request, request->path + n, line, ret);
    write_log(server->log, line, ret->status);
    cJSON_Delete(line);
}

void esipa_tick(void *ctx)
{
    struct esipa_server *server = ctx;

    eim_tick(server->eim, server->log);
}
