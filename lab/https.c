/* https.c - an HTTPS server on libevent's evhttp and OpenSSL (SGP.22 6.3, 2.6.6). */
#include "lab/https.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "lab/tls_sessions.h"
#include "os/err.h"

enum { N_SIGNALS = 2 };

struct https_server {
    struct https_config config;
    struct event_base *base;
    struct evhttp *http;
    struct evhttp_bound_socket *socket;
    struct event *signals[N_SIGNALS];
    struct event *tick;
    SSL_CTX *tls;
};

static const char *openssl_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    ERR_clear_error();
    return reason != NULL ? reason : "unknown reason";
}

static int set_up_tls(struct https_server *server, struct lab_error *e)
{
    const struct https_config *config = &server->config;
    static const unsigned char session_context[] = "softeuicc-lab";
    char groups[] = "P-256:brainpoolP256r1:X25519:P-384"; /* OpenSSL's macro casts const away */

    server->tls = SSL_CTX_new(TLS_server_method());
    if (server->tls == NULL || SSL_CTX_set_min_proto_version(server->tls, TLS1_2_VERSION) != 1 ||
        (config->tls12_only && SSL_CTX_set_max_proto_version(server->tls, TLS1_2_VERSION) != 1) ||
        (config->suites != NULL && SSL_CTX_set_cipher_list(server->tls, config->suites) != 1) ||
        SSL_CTX_set1_groups_list(server->tls, groups) != 1 ||
        SSL_CTX_set_session_id_context(server->tls, session_context, sizeof session_context - 1) !=
            1 ||
        SSL_CTX_use_certificate_ASN1(server->tls, (int)config->certificate.n,
                                     config->certificate.p) != 1 ||
        SSL_CTX_use_PrivateKey_ASN1(EVP_PKEY_EC, server->tls, config->key.p, (long)config->key.n) !=
            1)
        return lab_fail(e, "TLS: %s", openssl_reason());
    return 0;
}

static struct bufferevent *accept_tls(struct event_base *base, void *ctx)
{
    struct https_server *server = ctx;

    SSL *ssl = SSL_new(server->tls);
    if (ssl == NULL)
        return NULL;
    tls_sessions_keep(ssl);
    struct bufferevent *bev = bufferevent_openssl_socket_new(
        base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (bev == NULL) {
        SSL_free(ssl);
        return NULL;
    }
    bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    return bev;
}

/* Header and body leave in pieces; without this the second waits for the client's ACK. */
static void send_at_once(struct evhttp_request *request)
{
    struct evhttp_connection *connection = evhttp_request_get_connection(request);
    evutil_socket_t fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));
    int on = 1;

    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void on_close(struct evhttp_connection *connection, void *unused)
{
    (void)unused;
    tls_sessions_end(bufferevent_openssl_get_ssl(evhttp_connection_get_bufferevent(connection)));
}

static void send_reply(const struct https_server *server, struct evhttp_request *request,
                       const struct https_reply *reply)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    struct evbuffer *body = evbuffer_new();

    send_at_once(request);
    if (body == NULL) {
        evhttp_send_error(request, HTTP_INTERNAL, NULL);
        return;
    }
    if (server->config.protocol != NULL)
        evhttp_add_header(headers, "X-Admin-Protocol", server->config.protocol);
    if (reply->content_type != NULL && reply->body != NULL) {
        evhttp_add_header(headers, "Content-Type", reply->content_type);
        evbuffer_add(body, reply->body, reply->n > 0 ? reply->n : strlen(reply->body));
    }
    evhttp_send_reply(request, reply->status, NULL, body);
    evbuffer_free(body);
}

static void name_peer(struct evhttp_request *request, char ret[HTTPS_PEER_LEN])
{
    char *address = NULL;
    uint16_t port = 0;

    evhttp_connection_get_peer(evhttp_request_get_connection(request), &address, &port);
    snprintf(ret, HTTPS_PEER_LEN, "%s:%u", address != NULL ? address : "", (unsigned)port);
}

static void on_request(struct evhttp_request *request, void *ctx)
{
    const struct https_server *server = ctx;
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const char *path = uri == NULL ? NULL : evhttp_uri_get_path(uri);
    struct evbuffer *in = evhttp_request_get_input_buffer(request);
    struct https_reply reply = { .status = HTTP_INTERNAL };
    size_t n = evbuffer_get_length(in);
    const uint8_t *body = n == 0 ? (const uint8_t *)"" : evbuffer_pullup(in, -1);

    if (evhttp_request_get_command(request) != EVHTTP_REQ_POST) {
        evhttp_send_error(request, HTTP_BADMETHOD, NULL);
        return;
    }
    if (path == NULL || body == NULL) {
        evhttp_send_error(request, HTTP_BADREQUEST, NULL);
        return;
    }
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
    char peer[HTTPS_PEER_LEN];
    name_peer(request, peer);
    evhttp_connection_set_closecb(evhttp_request_get_connection(request), on_close, NULL);
    struct https_request r = {
        .path = path,
        .protocol = evhttp_find_header(headers, "X-Admin-Protocol"),
        .content_type = evhttp_find_header(headers, "Content-Type"),
        .peer = peer,
        .body = rd_of(body, n),
    };
    server->config.handler(server->config.ctx, &r, &reply);
    send_reply(server, request, &reply);
    free(reply.body);
}

static void on_signal(evutil_socket_t signal_number, short what, void *ctx)
{
    struct https_server *server = ctx;

    (void)signal_number;
    (void)what;
    event_base_loopbreak(server->base);
}

static int set_up_signals(struct https_server *server)
{
    static const int numbers[N_SIGNALS] = { SIGINT, SIGTERM };

    for (size_t i = 0; i < N_SIGNALS; i++) {
        server->signals[i] = evsignal_new(server->base, numbers[i], on_signal, server);
        if (server->signals[i] == NULL || event_add(server->signals[i], NULL) != 0)
            return ERR_BUG;
    }
    return 0;
}

static void on_tick(evutil_socket_t none, short what, void *ctx)
{
    struct https_server *server = ctx;

    (void)none;
    (void)what;
    server->config.tick(server->config.ctx);
}

static int set_up_tick(struct https_server *server)
{
    struct timeval interval = { .tv_usec = HTTPS_TICK_MS * 1000 };

    if (server->config.tick == NULL)
        return 0;
    server->tick = event_new(server->base, -1, EV_PERSIST, on_tick, server);
    return server->tick != NULL && event_add(server->tick, &interval) == 0 ? 0 : ERR_BUG;
}

/* libevent's own words about a failed bind; ours are in the error line. */
static void no_log(int severity, const char *message)
{
    (void)severity;
    (void)message;
}

static int set_up_http(struct https_server *server, struct lab_error *e)
{
    const struct https_config *config = &server->config;

    event_set_log_callback(no_log);
    server->base = event_base_new();
    server->http = server->base == NULL ? NULL : evhttp_new(server->base);
    if (server->http == NULL || set_up_signals(server) != 0 || set_up_tick(server) != 0)
        return lab_fail(e, "no event loop");
    evhttp_set_bevcb(server->http, accept_tls, server);
    evhttp_set_gencb(server->http, on_request, server);
    evhttp_set_max_body_size(server->http, HTTPS_MAX_BODY);
    evhttp_set_max_headers_size(server->http, HTTPS_MAX_HEADERS);
    evhttp_set_timeout(server->http, HTTPS_TIMEOUT_SECONDS);
    server->socket =
        evhttp_bind_socket_with_handle(server->http, config->bind_address, config->port);
    if (server->socket == NULL)
        return lab_fail(e, "cannot listen on %s port %u: %s", config->bind_address,
                        (unsigned)config->port, strerror(errno));
    return 0;
}

int https_listen(const struct https_config *config, struct https_server **ret, struct lab_error *e)
{
    struct https_server *server = calloc(1, sizeof *server);

    if (server == NULL)
        return lab_fail(e, "out of memory");
    server->config = *config;
    int r = set_up_tls(server, e);
    if (r == 0)
        r = set_up_http(server, e);
    if (r != 0) {
        https_free(&server);
        return r;
    }
    *ret = server;
    return 0;
}

uint16_t https_port(const struct https_server *server)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at;
    socklen_t n = sizeof at;

    if (getsockname(evhttp_bound_socket_get_fd(server->socket), &at.any, &n) != 0)
        return 0;
    return ntohs(at.any.sa_family == AF_INET6 ? at.v6.sin6_port : at.v4.sin_port);
}

struct event_base *https_events(const struct https_server *server)
{
    return server->base;
}

int https_run(struct https_server *server)
{
    return event_base_dispatch(server->base) < 0 ? ERR_BUG : 0;
}

void https_free(struct https_server **server)
{
    struct https_server *s = *server;

    if (s == NULL)
        return;
    for (size_t i = 0; i < N_SIGNALS; i++)
        if (s->signals[i] != NULL)
            event_free(s->signals[i]);
    if (s->tick != NULL)
        event_free(s->tick);
    if (s->http != NULL)
        evhttp_free(s->http);
    if (s->base != NULL)
        event_base_free(s->base);
    SSL_CTX_free(s->tls);
    free(s);
    *server = NULL;
}
