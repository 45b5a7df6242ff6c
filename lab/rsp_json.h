/* rsp_json.h - the JSON binding on a server's side, as far as SM-DP+ and SM-DS are alike (SGP.22
 * 6.5), and the log of calls.
 *
 * A refusal is an answer with a functionExecutionStatus and HTTP status 200; other HTTP statuses
 * are for what is no request of RSP at all. */
#ifndef LAB_RSP_JSON_H
#define LAB_RSP_JSON_H

#include <stdio.h>

#include <cjson/cJSON.h>

#include "lab/https.h"
#include "lab/mutual.h"

enum { RSP_JSON_ANSWER_MAX = 16 * 1024 * 1024 };

/* A function of the server.  run(): fields go to out, what is worth telling to log. */
struct rsp_json_call {
    const char *name;
    struct es9p_status (*run)(void *ctx, const cJSON *in, cJSON *out, cJSON *log);
    void *ctx;
    bool no_content; /* success is HTTP status 204 */
};

/* Answers a request with it; log may be NULL: none. */
void rsp_json_answer(const struct https_request *request, const struct rsp_json_call *call,
                     FILE *log, struct https_reply *ret);
void rsp_json_not_found(struct https_reply *ret);

/* A field that must be there: text; base64, into a heap writer. */
struct es9p_status rsp_json_text(const cJSON *in, const char *name, const char **ret);
struct es9p_status rsp_json_octets(const cJSON *in, const char *name, struct wr *ret);

void rsp_json_put_octets(cJSON *out, const char *name, const struct wr *v);
void rsp_json_put_transaction_id(cJSON *out, const struct transaction_id *id);

/* The octets of one request: the transaction id and one signed message, which is done in any
 * case. */
struct rsp_json_arguments {
    struct wr transaction_id, message;
    uint8_t room[TRANSACTION_ID_MAX];
};
struct es9p_status rsp_json_arguments(const cJSON *in, const char *name,
                                      struct rsp_json_arguments *ret);

/* InitiateAuthentication: *ret_session NULL when it is refused. */
struct es9p_status rsp_json_initiate(struct mutual *m, const char *address, const cJSON *in,
                                     cJSON *out, struct mutual_session **ret_session);

#endif
