/* name_server.h - a DNS server at a free port of 127.0.0.1. */
#ifndef LAB_NAME_SERVER_H
#define LAB_NAME_SERVER_H

#include "lab/util.h"

struct event_base;
struct name_server;

/* What it knows; all zero: the names that this machine knows. */
struct name_server_config {
    const char *address; /* an IPv4 address, at which name is, or every name if that is NULL */
    const char *name;
    void (*asked)(void *ctx, const char *name); /* for a name that it knows; may be NULL */
    void *ctx;
};

int name_server_new(const struct name_server_config *config, struct event_base *base,
                    struct name_server **ret, struct lab_error *e);
uint16_t name_server_port(const struct name_server *server);
void name_server_free(struct name_server **server);

#endif
