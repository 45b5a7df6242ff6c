/* event.h - an event of the trace as a line. */
#ifndef LIB_EVENT_H
#define LIB_EVENT_H

#include "lib/softeuicc.h"
#include "os/buf.h"

/* malloc'd, without a newline; NULL without memory. */
char *event_text(enum softeuicc_event event, const char *text, struct rd bytes);
char *event_json(enum softeuicc_event event, const char *text, struct rd bytes);

/* The name of a tag below those of its function and of its parent (0: none); NULL when it has none.
 */
const char *tag_name(uint32_t function, uint32_t parent, uint32_t tag);

#endif
