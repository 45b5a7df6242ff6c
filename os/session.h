/* session.h - the volatile state of one logical channel. */
#ifndef OS_SESSION_H
#define OS_SESSION_H

#include "card/chain.h"
#include "os/applet.h"

struct session {
    struct euicc *euicc;
    uint8_t channel;
    struct chain chain;
    unsigned long commands;        /* dispatched on this channel so far */
    const struct applet *selected; /* NULL: the UICC itself, at its MF */
    void *data;                    /* selected->session_size octets */
};

/* NULL without memory. */
struct session *session_new(struct euicc *e, uint8_t channel);
void session_free(struct session **s);

/* Makes applet (NULL: the MF) the selected one; the FCI, if any, goes to fci.  On refusal or
 * fault the old selection stays. */
int session_select(struct session *s, const struct applet *applet, struct wr *fci);

/* The selected applet's block. */
static inline void *session_data(const struct session *s)
{
    return s->data;
}

#endif
