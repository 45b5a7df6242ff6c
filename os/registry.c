/* registry.c - which applications there are. */
#include "os/registry.h"

#include <stdlib.h>
#include <string.h>

int registry_init(struct registry *r, const struct applet *const *applets, size_t n)
{
    *r = (struct registry){ .applets = applets, .n = n };
    if (n > MAX_APPLETS)
        return ERR_BUG;
    for (size_t i = 0; i < n; i++) {
        if (applets[i]->state_size == 0)
            continue;
        r->states[i] = calloc(1, applets[i]->state_size);
        if (r->states[i] == NULL) {
            registry_done(r);
            return ERR_NOMEM;
        }
    }
    return 0;
}

void registry_done(struct registry *r)
{
    for (size_t i = 0; i < MAX_APPLETS; i++)
        free(r->states[i]);
    memset(r, 0, sizeof *r);
}

const struct applet *registry_find(const struct registry *r, struct rd aid,
                                   const struct applet *after)
{
    bool passed = after == NULL;

    for (size_t i = r->n; i-- > 0;) {
        const struct applet *a = r->applets[i];
        if (passed && !a->serves_adfs && aid.n > 0 && aid.n <= a->aid_len &&
            memcmp(a->aid, aid.p, aid.n) == 0)
            return a;
        passed = passed || a == after;
    }
    return NULL;
}

const struct applet *registry_server(const struct registry *r, struct rd aid)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct applet *a = r->applets[i];
        if (a->serves_adfs && a->aid_len <= aid.n && memcmp(a->aid, aid.p, a->aid_len) == 0)
            return a;
    }
    return NULL;
}

void *registry_state(const struct registry *r, const struct applet *applet)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->applets[i] == applet)
            return r->states[i];
    return NULL;
}
