/* link_http.c - one POST over TLS (SGP.32 6.1, SGP.22 6.2 to 6.5). */
#include <stdio.h>
#include <string.h>

#include "applets/ipae/link_steps.h"

enum {
    HEAD_MAX = 2048, /* octets of a request before its body */
    PORT = 443,

    OK = 200,
    REQUEST_TIMEOUT = 408,
    TOO_MANY_REQUESTS = 429,
};

/* What Host says (RFC 9110 7.2). */
static void write_host(const struct link_peer *peer, char *ret, size_t size)
{
    bool is_ipv6 = strchr(peer->host, ':') != NULL;
    int n = snprintf(ret, size, is_ipv6 ? "[%s]" : "%s", peer->host);

    if (peer->port != PORT)
        snprintf(ret + n, size - (size_t)n, ":%u", peer->port);
}

static void begin(struct euicc *e, struct link *l)
{
    char host[sizeof l->peer.host + sizeof "[]:65535"];
    const struct http_request request = {
        .host = host,
        .path = l->server.path,
        .user_agent = l->server.user_agent,
        .content_type = l->server.content_type,
        .admin_protocol = l->server.admin_protocol,
        .close = l->q.close,
        .body = l->q.body,
    };

    write_host(&l->peer, host, sizeof host);
    wr_done(&l->request);
    wr_done(&l->body);
    wr_init_heap(&l->request, HEAD_MAX + l->q.body.n);
    wr_init_heap(&l->body, l->q.body_max != 0 ? l->q.body_max : LINK_BODY_MAX);
    l->written = l->got = 0;
    http_response_init(&l->http, &l->body);
    int err = http_put_request(&l->request, &request);
    if (err != 0)
        link_end(e, l, LINK_REFUSED, "a request that HTTP cannot say: %s", err_name(err));
}

static void write_plain(struct euicc *e, struct link *l)
{
    (void)e;
    while (l->written < l->request.n) {
        size_t n = tls_send(l->tls, rd_of(l->request.p + l->written, l->request.n - l->written));
        if (n == 0)
            return;
        l->written += n;
    }
    wr_done(&l->request);
}

static void judge_status(struct euicc *e, struct link *l)
{
    enum { CLASS = 100, SUCCESS = 2, SERVER_ERROR = 5 };
    unsigned status = l->http.status;

    l->status = status;
    l->retry_after = l->http.retry_after;
    l->whole = true;
    if (!l->http.keep_alive || l->request.n > 0)
        l->surplus = true; /* no other request can follow */
    if (status / CLASS == SUCCESS)
        link_end(e, l, LINK_OK, "%s", "");
    else if (status / CLASS == SERVER_ERROR || status == REQUEST_TIMEOUT ||
             status == TOO_MANY_REQUESTS)
        link_end(e, l, LINK_RETRY_LATER, "HTTP status %u, to be tried again after %u seconds",
                 status, l->retry_after);
    else
        link_end(e, l, LINK_REFUSED, "HTTP status %u (RFC 9110 15)", status);
}

/* To the sink as it comes. */
static void pass_on(struct euicc *e, struct link *l)
{
    if (l->q.sink == NULL || l->http.status != OK || l->body.n == 0)
        return;
    l->got += l->body.n;
    if (l->got > l->body.max)
        link_end(e, l, LINK_REFUSED, "the body is longer than %zu octets", l->body.max);
    else if (l->q.sink(e, l->q.ctx, wr_view(&l->body)) != 0)
        link_end(e, l, LINK_REFUSED, "the body is not wanted any more");
    wr_clear(&l->body);
}

static void read_plain(struct euicc *e, struct link *l, struct rd plain)
{
    int err = http_feed(&l->http, &plain);

    if (err == 0)
        pass_on(e, l);
    if (err != 0)
        link_end(e, l, err == ERR_NOMEM ? LINK_REFUSED : LINK_RETRY_LATER, "HTTP: %s",
                 l->http.reason);
    l->surplus = l->surplus || plain.n > 0;
    if (l->http.state == HTTP_DONE && !l->over)
        judge_status(e, l);
}

static void closed(struct euicc *e, struct link *l)
{
    if (tls_state(l->tls) == TLS_FAILED)
        link_end(e, l, LINK_RETRY_LATER, "%s", tls_failure(l->tls));
    else if (http_end(&l->http) != 0)
        link_end(e, l, LINK_RETRY_LATER, "HTTP: %s", l->http.reason);
    else
        judge_status(e, l);
}

const struct link_protocol link_http = {
    .port = PORT,
    .begin = begin,
    .write = write_plain,
    .read = read_plain,
    .closed = closed,
};
