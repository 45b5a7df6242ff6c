/* terminal_run.c - a terminal in an event loop whose time is put forward, and a name server. */
#include "lab/terminal_run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <event2/dns.h>
#include <event2/dns_struct.h>
#include <event2/event.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "os/err.h"

enum { HEARTBEAT_MS = 5, DNS_TTL = 300 };

uint64_t here_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- turns ------------------------------------------------------------------------------------ */

static void on_heartbeat(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    (void)ctx;
}

int terminal_run_init(struct terminal_run *r, struct event_base *base, struct lab_error *e)
{
    const struct timeval beat = { .tv_usec = HEARTBEAT_MS * 1000 };

    *r = (struct terminal_run){ .base = base, .born = here_ms() };
    r->heartbeat = event_new(base, -1, EV_PERSIST, on_heartbeat, r);
    return r->heartbeat != NULL && event_add(r->heartbeat, &beat) == 0
               ? 0
               : lab_fail(e, "no event loop");
}

void terminal_run_done(struct terminal_run *r)
{
    if (r->heartbeat != NULL)
        event_free(r->heartbeat);
    r->heartbeat = NULL;
}

static void set_clock(struct terminal_run *r)
{
    r->clock.ms = here_ms() - r->born + r->skipped;
}

bool terminal_run_skip(struct terminal_run *r)
{
    uint64_t next = terminal_next_ms(r->terminal);

    if (next == UINT64_MAX)
        return false;
    if (next > r->clock.ms)
        r->skipped += next - r->clock.ms;
    set_clock(r);
    return true;
}

static uint64_t count_apdus(const struct terminal *t)
{
    const struct terminal_count *c;
    uint64_t all = 0;

    for (size_t n = terminal_counts(t, &c); n > 0; n--)
        all += c[n - 1].apdus;
    return all;
}

int terminal_run_turn(struct terminal_run *r, bool *ret_rests, struct lab_error *e)
{
    uint64_t before = count_apdus(r->terminal);

    *ret_rests = false;
    set_clock(r);
    event_base_loop(r->base, EVLOOP_NONBLOCK);
    if (event_base_got_break(r->base))
        return lab_fail(e, "told to end");
    terminal_tick(r->terminal);
    if (terminal_error(r->terminal) != NULL)
        return lab_fail(e, "%s", terminal_error(r->terminal));
    if (count_apdus(r->terminal) != before)
        return 0;
    if (terminal_state(r->terminal) == TERMINAL_IDLE && terminal_open_channels(r->terminal) == 0) {
        *ret_rests = true;
        return 0;
    }
    event_base_loop(r->base, EVLOOP_ONCE); /* until an octet comes, or the heartbeat */
    return event_base_got_break(r->base) ? lab_fail(e, "told to end") : 0;
}

/* --- names ------------------------------------------------------------------------------------ */

struct name_server {
    struct name_server_config config;
    struct evdns_server_port *dns;
    int fd;
    uint16_t port;
};

static void on_question(struct evdns_server_request *request, void *ctx)
{
    enum { NO_ERROR = 0, NO_SUCH_NAME = 3 }; /* RFC 1035 4.1.1 */
    struct name_server *s = ctx;
    struct in_addr address;
    int result = NO_SUCH_NAME;

    inet_pton(AF_INET, s->config.address, &address);
    for (int i = 0; i < request->nquestions; i++) {
        const struct evdns_server_question *q = request->questions[i];
        if (s->config.name != NULL && strcmp(q->name, s->config.name) != 0)
            continue;
        result = NO_ERROR;
        if (q->type == EVDNS_TYPE_A)
            evdns_server_request_add_a_reply(request, q->name, 1, &address, DNS_TTL);
        if (s->config.asked != NULL)
            s->config.asked(s->config.ctx, q->name);
    }
    evdns_server_request_respond(request, result);
}

static int listen_here(struct name_server *s, struct lab_error *e)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
    } at = { .v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) } };
    socklen_t n = sizeof at.v4;

    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0 || bind(s->fd, &at.any, n) != 0 || getsockname(s->fd, &at.any, &n) != 0)
        return lab_fail(e, "no socket for DNS: %s", strerror(errno));
    s->port = ntohs(at.v4.sin_port);
    return 0;
}

int name_server_new(const struct name_server_config *config, struct event_base *base,
                    struct name_server **ret, struct lab_error *e)
{
    struct name_server *s = calloc(1, sizeof *s);

    if (s == NULL)
        return lab_fail(e, "out of memory");
    s->config = *config;
    s->fd = -1;
    int r = listen_here(s, e);
    if (r == 0) {
        s->dns = evdns_add_server_port_with_base(base, s->fd, 0, on_question, s);
        r = s->dns != NULL ? 0 : lab_fail(e, "no DNS server");
    }
    if (r != 0)
        name_server_free(&s);
    *ret = s;
    return r;
}

uint16_t name_server_port(const struct name_server *server)
{
    return server->port;
}

void name_server_free(struct name_server **server)
{
    struct name_server *s = *server;

    if (s == NULL)
        return;
    if (s->dns != NULL)
        evdns_close_server_port(s->dns); /* closes fd */
    else if (s->fd >= 0)
        close(s->fd);
    free(s);
    *server = NULL;
}
