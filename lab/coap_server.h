/* coap_server.h - CoAP over DTLS 1.2 for the lab, in the event loop of an HTTPS server: POSTs to
 * one path, with blocks of bodies both ways (RFC 7252, RFC 7959) and Request-Tag (RFC 9175). */
#ifndef LAB_COAP_SERVER_H
#define LAB_COAP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "lab/util.h"

enum {
    COAP_SERVER_PORT = 5684,            /* RFC 7252 12.8 */
    COAP_SERVER_MAX_BODY = 1024 * 1024, /* of a request; beyond it 4.13 */
    COAP_SERVER_MAX_ANSWER = 16 * 1024 * 1024,
    COAP_SERVER_MAX_SESSIONS = 256,    /* the oldest idle one gives way */
    COAP_SERVER_SESSION_SECONDS = 300, /* without a message */
    COAP_SERVER_WORD_LEN = 64,
};

/* Class and detail as one octet: 2.04 is COAP_SERVER_CODE(2, 4). */
#define COAP_SERVER_CODE(class, detail) ((uint8_t)((class) << 5 | (detail)))

struct coap_server_request {
    const char *peer; /* names the DTLS session by its address and port */
    struct rd body;
};

struct coap_server_reply {
    uint8_t code;
    struct wr *body;  /* empty, COAP_SERVER_MAX_ANSWER at most; goes out with 2.xx only */
    const char *word; /* what goes out with 4.xx and 5.xx, for people (RFC 7252 5.5.2), or NULL */
    uint32_t max_age; /* seconds; 0: not said */
};

/* Answers a POST.  It is called once for each request, however often that is sent. */
typedef void coap_server_handler(void *ctx, const struct coap_server_request *request,
                                 struct coap_server_reply *ret);

struct coap_server_config {
    const char *bind_address;
    uint16_t port;              /* UDP; 0: any free one */
    const char *path;           /* "/gsma/rsp2/asn1"; borrowed */
    struct rd certificate, key; /* DER; borrowed */
    coap_server_handler *handler;
    void *ctx;
};

struct event_base;
struct coap_server;

/* Serves whenever the loop runs; there is one in a process.  To be freed before the loop. */
int coap_server_listen(const struct coap_server_config *config, struct event_base *events,
                       struct coap_server **ret, struct lab_error *e);
uint16_t coap_server_port(const struct coap_server *server);
void coap_server_free(struct coap_server **server);

#endif
