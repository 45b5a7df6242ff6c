/* registry.h - which applications there are, by AID (ISO 7816-4 8.2.1.2). */
#ifndef OS_REGISTRY_H
#define OS_REGISTRY_H

#include "os/applet.h"

enum { MAX_APPLETS = 16 };

struct registry {
    const struct applet *const *applets; /* in the order in which they start */
    size_t n;
    void *states[MAX_APPLETS];
};

/* Allocates every applet's state block.  0 or ERR_NOMEM. */
int registry_init(struct registry *r, const struct applet *const *applets, size_t n);
void registry_done(struct registry *r);

/* The first applet whose AID begins with aid, which is not empty, or the next one behind `after`.
 * What starts last comes first: the ISD-R, which builds on the ECASD, is found before it. */
const struct applet *registry_find(const struct registry *r, struct rd aid,
                                   const struct applet *after);

/* The applet that serves the ADF with this AID; NULL when there is none. */
const struct applet *registry_server(const struct registry *r, struct rd aid);

/* This applet's state block, or NULL when it has none. */
void *registry_state(const struct registry *r, const struct applet *applet);

#endif
