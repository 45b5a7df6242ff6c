/* esipa_coap.c - ESipa over CoAP on the eIM's side (SGP.32 6.2).
 *
 * The messages are those of the ASN.1 binding over HTTPS; the path says what they are, so that
 * there is no Content-Format.  Refusals of the eIM are answers with 2.05; other codes are for what
 * is no ESipa message, and for an eIM that cannot answer now. */
#include "lab/esipa_coap.h"

#include <stdio.h>

#include "lab/esipa_server.h"
#include "lab/log.h"
#include "os/err.h"

enum {
    CHANGED = COAP_SERVER_CODE(2, 4),
    CONTENT = COAP_SERVER_CODE(2, 5),
    BAD_REQUEST = COAP_SERVER_CODE(4, 0),
    INTERNAL = COAP_SERVER_CODE(5, 0),
    UNAVAILABLE = COAP_SERVER_CODE(5, 3),
    RETRY_SECONDS = 30,
};

static void write_log(FILE *log, cJSON *line, uint8_t code)
{
    char text[sizeof "7.31"];

    if (log == NULL)
        return;
    snprintf(text, sizeof text, "%u.%02u", (unsigned)code >> 5 & 7, (unsigned)code & 31);
    cJSON_AddStringToObject(line, "coap", text);
    log_line(log, line);
}

/* A file that is locked, a full disk and no memory are states that pass. */
static void judge(int r, struct coap_server_reply *ret)
{
    if (r == 0) {
        ret->code = ret->body->n > 0 ? CONTENT : CHANGED;
    } else if (r == ERR_INPUT) {
        ret->code = BAD_REQUEST;
        ret->word = "not an ESipa message";
    } else if (r == ERR_NVM || r == ERR_NOMEM) {
        ret->code = UNAVAILABLE;
        ret->word = "the eIM cannot answer now";
        ret->max_age = RETRY_SECONDS;
    } else {
        ret->code = INTERNAL;
        ret->word = "the eIM fails";
    }
}

void esipa_handle_coap(void *ctx, const struct coap_server_request *request,
                       struct coap_server_reply *ret)
{
    struct esipa_server *server = ctx;
    cJSON *line = cJSON_CreateObject();

    int r = line == NULL ? ERR_NOMEM
                         : eim_handle(server->eim, request->body, request->peer, line, ret->body);
    judge(r, ret);
    if (line != NULL)
        write_log(server->log, line, ret->code);
    cJSON_Delete(line);
}
