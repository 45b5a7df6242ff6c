/* terminal_address.h - network addresses as the card writes them, and the table that says where
 * they are on the bench. */
#ifndef LAB_TERMINAL_ADDRESS_H
#define LAB_TERMINAL_ADDRESS_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "lab/util.h"

enum {
    ADDRESS_NAME_MAX = 254,
    ADDRESS_TEXT_LEN = ADDRESS_NAME_MAX + 16,
    ADDRESS_MAP_MAX = 32,

    ADDRESS_IPV4 = 0x21, /* TS 102 223 8.58 */
    ADDRESS_IPV6 = 0x57,
    ADDRESS_FQDN = 0xF0, /* not in our edition; some terminals take a name */
};

struct address {
    uint8_t type; /* ADDRESS_...; 0: any (map only) */
    uint8_t octets[16];
    char name[ADDRESS_NAME_MAX];
    uint16_t port; /* 0: any (map only) */
};

/* "192.0.2.10:443", "[2001:db8::10]:5684", "eim.example.test:443"; "*" stands for any address or
 * port where a pattern is asked for. */
int address_read(const char *text, bool pattern, struct address *ret, struct lab_error *e);
char *address_text(const struct address *a, char ret[ADDRESS_TEXT_LEN]);

/* From and to the contents of an Other address object, which has no port. */
bool address_from_object(struct rd value, uint16_t port, struct address *ret);
struct rd address_object(const struct address *a, uint8_t ret[17]);

/* false for a name. */
bool address_socket(const struct address *a, struct sockaddr_storage *ret, socklen_t *ret_n);

struct address_map {
    struct {
        struct address from, to;
    } rows[ADDRESS_MAP_MAX];
    size_t n;
};

/* "A:P=B:Q" */
int address_map_add(struct address_map *map, const char *rule, struct lab_error *e);

/* The first row that fits, else the address itself. */
struct address address_map_find(const struct address_map *map, const struct address *asked);

#endif
