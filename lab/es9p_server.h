/* es9p_server.h - the JSON binding of ES9+ on the server's side (SGP.22 6.5), and its log. */
#ifndef LAB_ES9P_SERVER_H
#define LAB_ES9P_SERVER_H

#include <stdio.h>

#include "lab/https.h"
#include "lab/smdpp.h"

struct es9p_server {
    struct smdpp *dp;
    FILE *log; /* one JSON object a line for each call; NULL: none */
};

/* An https_handler; ctx is a struct es9p_server. */
void es9p_handle(void *ctx, const struct https_request *request, struct https_reply *ret);

#endif
