/* terminal_names.h - the DNS server of the terminal's network: it knows the names that this machine
 * knows. */
#ifndef LAB_TERMINAL_NAMES_H
#define LAB_TERMINAL_NAMES_H

#include "lab/terminal.h"

struct names;

/* At a free port of 127.0.0.1.  The device is told of it, and map gets a row for it. */
int names_open(struct event_base *base, struct terminal_device *device, struct address_map *map,
               struct names **ret, struct lab_error *e);
void names_close(struct names **names);

#endif
