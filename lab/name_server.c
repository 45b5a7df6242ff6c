/* name_server.c - a DNS server for terminals: one name, or those that this machine knows. */
#include "lab/name_server.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <event2/dns.h>
#include <event2/dns_struct.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "os/err.h"

enum {
    ADDRESSES_MAX = 4, /* of a name */
    TTL = 60,

    NO_ERROR = 0, /* RFC 1035 4.1.1 */
    SERVER_FAILURE = 2,
    NO_SUCH_NAME = 3,
};

struct name_server {
    struct name_server_config config;
    struct evdns_server_port *dns;
    int fd;
    uint16_t port;
};

/* --- answers ---------------------------------------------------------------------------------- */

struct found {
    size_t n4, n6;
    struct in_addr v4[ADDRESSES_MAX];
    struct in6_addr v6[ADDRESSES_MAX];
};

static void take(const struct addrinfo *one, struct found *ret)
{
    if (one->ai_family == AF_INET && ret->n4 < ADDRESSES_MAX) {
        struct sockaddr_in at;
        memcpy(&at, one->ai_addr, sizeof at);
        ret->v4[ret->n4++] = at.sin_addr;
    } else if (one->ai_family == AF_INET6 && ret->n6 < ADDRESSES_MAX) {
        struct sockaddr_in6 at;
        memcpy(&at, one->ai_addr, sizeof at);
        ret->v6[ret->n6++] = at.sin6_addr;
    }
}

/* This machine, even if it has no file that says so (RFC 6761 6.3). */
static bool is_localhost(const char *name)
{
    static const char local[] = "localhost";
    size_t n = strlen(name), end = sizeof local - 1;

    return n >= end && strcasecmp(name + n - end, local) == 0 &&
           (n == end || name[n - end - 1] == '.');
}

/* It waits for the resolver, as other programs do. */
static int resolve(const char *name, struct found *ret)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct addrinfo *all = NULL;

    if (is_localhost(name)) { /* the servers of a test bench are at its IPv4 address */
        *ret = (struct found){ .n4 = 1, .v4[0].s_addr = htonl(INADDR_LOOPBACK) };
        return NO_ERROR;
    }
    *ret = (struct found){ .n4 = 0 };
    int r = getaddrinfo(name, NULL, &hints, &all);
    if (r != 0)
        return r == EAI_NONAME ? NO_SUCH_NAME : SERVER_FAILURE;
    for (const struct addrinfo *one = all; one != NULL; one = one->ai_next)
        take(one, ret);
    freeaddrinfo(all);
    return NO_ERROR;
}

/* The one that it was told of. */
static int look_up(const struct name_server_config *config, const char *name, struct found *ret)
{
    *ret = (struct found){ .n4 = 1 };
    if (config->name != NULL && strcmp(name, config->name) != 0)
        return NO_SUCH_NAME;
    return inet_pton(AF_INET, config->address, &ret->v4[0]) == 1 ? NO_ERROR : SERVER_FAILURE;
}

static int answer(const struct name_server *s, const struct evdns_server_question *q,
                  struct evdns_server_request *request)
{
    struct found found;

    int result =
        s->config.address != NULL ? look_up(&s->config, q->name, &found) : resolve(q->name, &found);
    if (result != NO_ERROR)
        return result;
    if (q->type == EVDNS_TYPE_A && found.n4 > 0)
        evdns_server_request_add_a_reply(request, q->name, (int)found.n4, found.v4, TTL);
    else if (q->type == EVDNS_TYPE_AAAA && found.n6 > 0)
        evdns_server_request_add_aaaa_reply(request, q->name, (int)found.n6, found.v6, TTL);
    if (s->config.asked != NULL)
        s->config.asked(s->config.ctx, q->name);
    return NO_ERROR;
}

static void on_request(struct evdns_server_request *request, void *ctx)
{
    int result = NO_ERROR;

    for (int i = 0; i < request->nquestions && result == NO_ERROR; i++)
        result = answer(ctx, request->questions[i], request);
    evdns_server_request_respond(request, result);
}

/* --- its place -------------------------------------------------------------------------------- */

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
    int r = listen_here(s, e);
    if (r == 0) {
        s->dns = evdns_add_server_port_with_base(base, s->fd, 0, on_request, s);
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
