/* esipa_coap.h - ESipa over CoAP on the eIM's side (SGP.32 6.2). */
#ifndef LAB_ESIPA_COAP_H
#define LAB_ESIPA_COAP_H

#include "lab/coap_server.h"

/* A coap_server_handler; ctx is a struct esipa_server (lab/esipa_server.h). */
void esipa_handle_coap(void *ctx, const struct coap_server_request *request,
                       struct coap_server_reply *ret);

#endif
