/* smds_server.h - the JSON binding of ES11 and ES12 on the SM-DS's side (SGP.22 6.5), and its
 * log. */
#ifndef LAB_SMDS_SERVER_H
#define LAB_SMDS_SERVER_H

#include <stdio.h>

#include "lab/https.h"
#include "lab/smds.h"

struct smds_server {
    struct smds *ds;
    FILE *log; /* one JSON object a line for each call; NULL: none */
};

/* An https_handler; ctx is a struct smds_server. */
void smds_handle(void *ctx, const struct https_request *request, struct https_reply *ret);

#endif
