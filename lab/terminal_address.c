/* terminal_address.c - network addresses of cards, and where they are on the bench. */
#include "lab/terminal_address.h"

#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>

#include "os/err.h"

enum {
    IPV4_LEN = 4,
    IPV6_LEN = 16,
    PORT_MAX = 65535,
    RULE_LEN = 2 * ADDRESS_TEXT_LEN,
};

static size_t octets_of(uint8_t type)
{
    return type == ADDRESS_IPV4 ? IPV4_LEN : type == ADDRESS_IPV6 ? IPV6_LEN : 0;
}

/* Splits HOST:PORT in place. */
static bool split(char *text, const char **ret_host, const char **ret_port)
{
    char *colon = strrchr(text, ':');

    if (colon == NULL)
        return false;
    *colon = '\0';
    *ret_port = colon + 1;
    *ret_host = text;
    if (text[0] != '[')
        return strchr(text, ':') == NULL;
    size_t n = strlen(text);
    if (n < 2 || text[n - 1] != ']')
        return false;
    text[n - 1] = '\0';
    *ret_host = text + 1;
    return true;
}

static bool read_host(const char *host, bool pattern, struct address *ret)
{
    if (strcmp(host, "*") == 0) {
        ret->type = 0;
        return pattern;
    }
    if (inet_pton(AF_INET, host, ret->octets) == 1) {
        ret->type = ADDRESS_IPV4;
        return true;
    }
    if (inet_pton(AF_INET6, host, ret->octets) == 1) {
        ret->type = ADDRESS_IPV6;
        return true;
    }
    ret->type = ADDRESS_FQDN;
    return pattern && host[0] != '\0' && copy_text(host, ret->name, sizeof ret->name);
}

int address_read(const char *text, bool pattern, struct address *ret, struct lab_error *e)
{
    char copy[ADDRESS_TEXT_LEN];
    const char *host, *port;
    struct address a = { .type = 0 };
    unsigned long number = 0;

    if (!copy_text(text, copy, sizeof copy) || !split(copy, &host, &port) ||
        !read_host(host, pattern, &a) ||
        !((pattern && strcmp(port, "*") == 0) || (number_read(port, PORT_MAX, &number) && number)))
        return lab_fail(e, "%s: not an address and a port", text);
    a.port = (uint16_t)number;
    *ret = a;
    return 0;
}

char *address_text(const struct address *a, char ret[ADDRESS_TEXT_LEN])
{
    char host[INET6_ADDRSTRLEN] = "*";

    if (a->type == ADDRESS_FQDN) {
        snprintf(ret, ADDRESS_TEXT_LEN, "%s:%u", a->name, a->port);
        return ret;
    }
    if (a->type != 0)
        inet_ntop(a->type == ADDRESS_IPV4 ? AF_INET : AF_INET6, a->octets, host, sizeof host);
    snprintf(ret, ADDRESS_TEXT_LEN, a->type == ADDRESS_IPV6 ? "[%s]:%u" : "%s:%u", host, a->port);
    return ret;
}

bool address_from_object(struct rd value, uint16_t port, struct address *ret)
{
    struct address a = { .port = port };

    if (value.n < 1)
        return false;
    a.type = value.p[0];
    struct rd octets = rd_of(value.p + 1, value.n - 1);
    if (a.type == ADDRESS_FQDN) {
        char name[ADDRESS_NAME_MAX];
        if (octets.n == 0 || !copy_rd(octets, name, sizeof name))
            return false;
        printable(octets, a.name, sizeof a.name);
    } else if (octets.n == 0 || octets.n != octets_of(a.type)) {
        return false;
    } else {
        memcpy(a.octets, octets.p, octets.n);
    }
    *ret = a;
    return true;
}

struct rd address_object(const struct address *a, uint8_t ret[17])
{
    size_t n = octets_of(a->type);

    ret[0] = a->type;
    memcpy(ret + 1, a->octets, n);
    return rd_of(ret, n + 1);
}

bool address_socket(const struct address *a, struct sockaddr_storage *ret, socklen_t *ret_n)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(a->port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(a->port) };

    memset(ret, 0, sizeof *ret);
    if (a->type == ADDRESS_IPV4) {
        memcpy(&v4.sin_addr, a->octets, IPV4_LEN);
        memcpy(ret, &v4, sizeof v4);
        *ret_n = sizeof v4;
    } else if (a->type == ADDRESS_IPV6) {
        memcpy(&v6.sin6_addr, a->octets, IPV6_LEN);
        memcpy(ret, &v6, sizeof v6);
        *ret_n = sizeof v6;
    } else {
        return false;
    }
    return true;
}

int address_map_add(struct address_map *map, const char *rule, struct lab_error *e)
{
    char text[RULE_LEN], *to = text;

    if (map->n == N_ELEMS(map->rows))
        return lab_fail(e, "more than %d addresses to map", ADDRESS_MAP_MAX);
    if (!copy_text(rule, text, sizeof text))
        return lab_fail(e, "%s: too long", rule);
    const char *from = strsep(&to, "=");
    if (to == NULL)
        return lab_fail(e, "%s: not A:P=B:Q", rule);
    TRY(address_read(from, true, &map->rows[map->n].from, e));
    TRY(address_read(to, false, &map->rows[map->n].to, e));
    map->n++;
    return 0;
}

static bool fits(const struct address *pattern, const struct address *a)
{
    if (pattern->port != 0 && pattern->port != a->port)
        return false;
    if (pattern->type == 0)
        return true;
    if (pattern->type != a->type)
        return false;
    if (a->type == ADDRESS_FQDN)
        return strcasecmp(pattern->name, a->name) == 0;
    return memcmp(pattern->octets, a->octets, octets_of(a->type)) == 0;
}

struct address address_map_find(const struct address_map *map, const struct address *asked)
{
    for (size_t i = 0; i < map->n; i++)
        if (fits(&map->rows[i].from, asked))
            return map->rows[i].to;
    return *asked;
}
