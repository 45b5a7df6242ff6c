/* terminal_names.h - the DNS server of the terminal's network: it knows the names that this machine
 * knows. */
#ifndef LAB_TERMINAL_NAMES_H
#define LAB_TERMINAL_NAMES_H

#include "lab/name_server.h"
#include "lab/terminal.h"

/* The device is told of it, and map gets a row for it. */
int names_open(struct event_base *base, struct terminal_device *device, struct address_map *map,
               struct name_server **ret, struct lab_error *e);

#endif
