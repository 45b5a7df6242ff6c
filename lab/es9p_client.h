/* es9p_client.h - the LPA's side of ES9+: JSON over HTTPS with libcurl (SGP.22 6.5). */
#ifndef LAB_ES9P_CLIENT_H
#define LAB_ES9P_CLIENT_H

#include <cjson/cJSON.h>

#include "lab/util.h"

enum { ES9P_ANSWER_MAX = 32 * 1024 * 1024, ES9P_TIMEOUT_SECONDS = 60 };

struct es9p_client;

/* ca is a sequence of CI certificates in PEM; TLS accepts what they issued and nothing else. */
int es9p_client_new(struct rd ca, struct es9p_client **ret, struct lab_error *e);
void es9p_client_free(struct es9p_client **client);

/* Refusals of the server, functionExecutionStatus Failed. */
struct es9p_refusal {
    char subject[16], reason[16]; /* "": not refused */
};

/* Calls a function of the server at host or host:port.  The answer's JSON object goes to ret (NULL
 * for an answer without body), to be deleted by the caller.  Negative with *e when the server could
 * not be reached, did not answer, or refused; ret_refusal tells the last case. */
int es9p_call(struct es9p_client *client, const char *address, const char *function,
              const cJSON *request, cJSON **ret, struct es9p_refusal *ret_refusal,
              struct lab_error *e);

/* A base64 field of an answer, decoded. */
int es9p_get(const cJSON *answer, const char *field, struct wr *ret, struct lab_error *e);

#endif
