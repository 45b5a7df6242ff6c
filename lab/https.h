/* https.h - an HTTPS server for the lab: one event loop, requests with bodies of a bounded size,
 * an orderly end on SIGINT and SIGTERM. */
#ifndef LAB_HTTPS_H
#define LAB_HTTPS_H

#include <stdbool.h>
#include <stdint.h>

#include "lab/util.h"

enum {
    HTTPS_MAX_BODY = 1024 * 1024,
    HTTPS_MAX_HEADERS = 16 * 1024,
    HTTPS_TIMEOUT_SECONDS = 30,
    HTTPS_TICK_MS = 200,
    HTTPS_PEER_LEN = 64,
};

struct https_request {
    const char *path;         /* without a query */
    const char *protocol;     /* X-Admin-Protocol, or NULL */
    const char *content_type; /* or NULL */
    const char *peer;         /* address and port of the client: names the connection */
    struct rd body;
};

struct https_reply {
    int status;               /* HTTP status code */
    const char *content_type; /* NULL: no body */
    char *body;               /* malloc'd; the server frees it */
    size_t n;                 /* octets of body; 0: it is text, up to its zero */
};

/* Answers a POST. */
typedef void https_handler(void *ctx, const struct https_request *request, struct https_reply *ret);

struct https_config {
    const char *bind_address;
    uint16_t port;              /* 0: any free one */
    struct rd certificate, key; /* DER */
    bool tls12_only;            /* brainpool certificates have no place in TLS 1.3 */
    const char *suites;         /* of TLS 1.2, in OpenSSL's words, or NULL */
    const char *protocol;       /* X-Admin-Protocol of the answers, or NULL */
    https_handler *handler;
    void *ctx;
    void (*tick)(void *ctx); /* NULL, or called every HTTPS_TICK_MS milliseconds */
};

struct event_base;
struct https_server;
int https_listen(const struct https_config *config, struct https_server **ret, struct lab_error *e);
uint16_t https_port(const struct https_server *server);

/* Its loop, for what else is to be served in it; lives as long as the server. */
struct event_base *https_events(const struct https_server *server);

/* Serves until SIGINT or SIGTERM: 0, or negative when the event loop fails. */
int https_run(struct https_server *server);
void https_free(struct https_server **server);

#endif
