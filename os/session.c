/* session.c - the volatile state of one logical channel. */
#include "os/session.h"

#include <stdlib.h>

struct session *session_new(struct euicc *e, uint8_t channel)
{
    struct session *s = calloc(1, sizeof *s);

    if (s != NULL)
        *s = (struct session){ .euicc = e, .channel = channel };
    return s;
}

static void deselect(struct session *s)
{
    if (s->selected != NULL && s->selected->deselect != NULL)
        s->selected->deselect(s);
    free(s->data);
    s->data = NULL;
    s->selected = NULL;
}

void session_end_transfer(struct session *s)
{
    wr_done(&s->transfer.object);
    s->transfer.way = TRANSFER_NONE;
}

void session_free(struct session **s)
{
    if (*s == NULL)
        return;
    deselect(*s);
    session_end_transfer(*s);
    chain_reset(&(*s)->chain);
    free(*s);
    *s = NULL;
}

int session_select(struct session *s, const struct applet *applet, struct wr *fci)
{
    void *data = NULL;

    if (applet != NULL && applet->select != NULL)
        TRY(applet->select(s, fci));
    if (applet != NULL && applet->session_size > 0) {
        data = calloc(1, applet->session_size);
        if (data == NULL)
            return ERR_NOMEM;
    }
    deselect(s);
    s->selected = applet;
    s->data = data;
    return 0;
}
