/* esipa_server.h - ESipa over HTTPS on the eIM's side: the ASN.1 and the JSON binding (SGP.32 6.1,
 * 6.3, 6.4), and the log. */
#ifndef LAB_ESIPA_SERVER_H
#define LAB_ESIPA_SERVER_H

#include <stdio.h>

#include "lab/eim.h"
#include "lab/https.h"

struct esipa_server {
    struct eim *eim;
    FILE *log; /* one JSON object a line for each message; NULL: none */
};

/* An https_handler, and what belongs to it; ctx is a struct esipa_server. */
void esipa_handle(void *ctx, const struct https_request *request, struct https_reply *ret);
void esipa_tick(void *ctx);

#endif
