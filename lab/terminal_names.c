/* terminal_names.c - DNS for cards, answered out of the machine's own resolver: /etc/hosts counts,
 * and whatever else programs here resolve with. */
#include "lab/terminal_names.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/dns.h>
#include <event2/dns_struct.h>
#include <event2/util.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "os/err.h"

#define NAMES_ADDRESS "192.0.2.53" /* RFC 5737 */

enum {
    ADDRESSES_MAX = 4, /* of a name */
    TTL = 60,
    RULE_LEN = 64,

    NO_ERROR = 0, /* RFC 1035 4.1.1 */
    SERVER_FAILURE = 2,
    NO_SUCH_NAME = 3,
};

struct names {
    struct evdns_server_port *port;
    int fd;
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

/* It waits for the resolver, as other programs do. */
static int resolve(const char *name, struct found *ret)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct addrinfo *all = NULL;

    *ret = (struct found){ .n4 = 0 };
    int r = getaddrinfo(name, NULL, &hints, &all);
    if (r != 0)
        return r == EAI_NONAME ? NO_SUCH_NAME : SERVER_FAILURE;
    for (const struct addrinfo *one = all; one != NULL; one = one->ai_next)
        take(one, ret);
    freeaddrinfo(all);
    return NO_ERROR;
}

static void on_request(struct evdns_server_request *request, void *ctx)
{
    struct found found;
    int result = NO_ERROR;

    (void)ctx;
    for (int i = 0; i < request->nquestions && result == NO_ERROR; i++) {
        const struct evdns_server_question *q = request->questions[i];
        result = resolve(q->name, &found);
        if (q->type == EVDNS_TYPE_A && found.n4 > 0)
            evdns_server_request_add_a_reply(request, q->name, (int)found.n4, found.v4, TTL);
        else if (q->type == EVDNS_TYPE_AAAA && found.n6 > 0)
            evdns_server_request_add_aaaa_reply(request, q->name, (int)found.n6, found.v6, TTL);
    }
    evdns_server_request_respond(request, result);
}

/* --- its place -------------------------------------------------------------------------------- */

static int listen_here(struct names *n, uint16_t *ret_port, struct lab_error *e)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr any;
    socklen_t length = sizeof at;

    _Static_assert(sizeof any == sizeof at, "they stand for each other");
    memcpy(&any, &at, sizeof any);
    n->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (n->fd < 0 || bind(n->fd, &any, length) != 0 || getsockname(n->fd, &any, &length) != 0)
        return lab_fail(e, "no socket for DNS: %s", strerror(errno));
    memcpy(&at, &any, sizeof at);
    *ret_port = ntohs(at.sin_port);
    return 0;
}

static int tell(uint16_t port, struct terminal_device *device, struct address_map *map,
                struct lab_error *e)
{
    char rule[RULE_LEN];

    TRY(address_read(NAMES_ADDRESS ":53", false, &device->dns[0], e));
    device->n_dns = 1;
    snprintf(rule, sizeof rule, NAMES_ADDRESS ":53=127.0.0.1:%u", port);
    return address_map_add(map, rule, e);
}

int names_open(struct event_base *base, struct terminal_device *device, struct address_map *map,
               struct names **ret, struct lab_error *e)
{
    uint16_t port = 0;

    *ret = calloc(1, sizeof **ret);
    if (*ret == NULL)
        return lab_fail(e, "out of memory");
    int r = listen_here(*ret, &port, e);
    if (r == 0)
        (*ret)->port = evdns_add_server_port_with_base(base, (*ret)->fd, 0, on_request, *ret);
    if (r == 0 && (*ret)->port == NULL)
        r = lab_fail(e, "no DNS server");
    if (r == 0)
        r = tell(port, device, map, e);
    if (r != 0)
        names_close(ret);
    return r;
}

void names_close(struct names **names)
{
    struct names *n = *names;

    if (n == NULL)
        return;
    if (n->port != NULL)
        evdns_close_server_port(n->port); /* closes fd */
    else if (n->fd >= 0)
        close(n->fd);
    free(n);
    *names = NULL;
}
