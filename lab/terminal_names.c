/* terminal_names.c - the DNS server of the terminal's network, as the device is told of it. */
#include "lab/terminal_names.h"

#include <stdio.h>

#include "os/err.h"

#define NAMES_ADDRESS "192.0.2.53" /* RFC 5737 */

enum { RULE_LEN = 64 };

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
               struct name_server **ret, struct lab_error *e)
{
    TRY(name_server_new(&(struct name_server_config){ .address = NULL }, base, ret, e));
    int r = tell(name_server_port(*ret), device, map, e);
    if (r != 0)
        name_server_free(ret);
    return r;
}
