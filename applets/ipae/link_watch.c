/* link_watch.c - the two timers of a link: one for datagrams, one for everything. */
#include "applets/ipae/link_steps.h"

/* A datagram is answered long before its time is over, and a command to the terminal for each costs
 * more than the datagram.  So a timer that runs is left to run, unless it is far too long; when it
 * expires it begins again for what was wanted since, which waits at most three times as long. */

enum { TOO_LONG = 2 }; /* times what is wanted */

static cat_timer_fn timer_told;

static void start_timer(struct euicc *e, struct link *l, unsigned seconds)
{
    l->timer_runs = seconds;
    l->timer_again = 0;
    l->timer_void = false;
    if (!cat_timer_start(&e->cat, &l->timer, seconds, timer_told, l))
        link_end(e, l, LINK_RETRY_LATER, "the terminal has no timer (TS 102 223 6.4.21)");
}

static void time_is_over(struct euicc *e, struct link *l)
{
    if (l->timer_again != 0)
        start_timer(e, l, l->timer_again);
    else if (l->timer_void)
        return;
    else if (l->stage == LINK_NAMING)
        link_name_timeout(e, l);
    else if (l->stage == LINK_SHAKING_HANDS || l->stage == LINK_EXCHANGING)
        link_secure_timeout(e, l);
}

static int timer_told(struct euicc *e, void *ctx, bool expired)
{
    struct link *l = ctx;

    if (!expired && !l->timer_void)
        link_end(e, l, LINK_RETRY_LATER, "the terminal does not start a timer (TS 102 223 6.4.21)");
    else if (expired)
        time_is_over(e, l);
    return link_settle(e, l);
}

static bool runs(const struct cat_timer *t)
{
    return t->id != 0 && t->wanted;
}

void link_set_timer(struct euicc *e, struct link *l, unsigned seconds)
{
    if (seconds != 0 && (!runs(&l->timer) || l->timer_runs > TOO_LONG * seconds)) {
        start_timer(e, l, seconds);
        return;
    }
    l->timer_again = runs(&l->timer) ? seconds : 0;
    l->timer_void = seconds == 0;
}

static int watch_told(struct euicc *e, void *ctx, bool expired);

/* Without it a server that says nothing keeps the channel until the terminal ends it. */
void link_start_watch(struct euicc *e, struct link *l)
{
    if (runs(&l->watch))
        return;
    l->heard = false;
    if (!cat_timer_start(&e->cat, &l->watch, l->watch_seconds, watch_told, l))
        trace_note(&e->trace, "link to %s: without a timer", l->peer.host);
}

/* Datagrams have timers of their own. */
static bool is_silent(const struct link *l)
{
    return !l->heard && l->stage != LINK_NAMING && !l->protocol->datagram;
}

static int watch_told(struct euicc *e, void *ctx, bool expired)
{
    struct link *l = ctx;
    unsigned session = l->network.session != 0 ? l->network.session : LINK_SESSION;

    l->elapsed += l->watch_seconds;
    if (!expired || l->stage == LINK_AT_REST)
        return 0;
    if (l->stage == LINK_LEAVING)
        l->sending = false; /* does not wait for a farewell */
    else if (l->stage == LINK_IDLE)
        link_leave(l, LINK_THEN_REST);
    else if (l->elapsed >= session)
        link_end(e, l, LINK_RETRY_LATER, "the session took %u seconds", l->elapsed);
    else if (is_silent(l))
        link_end(e, l, LINK_RETRY_LATER, "nothing came for %u seconds", l->watch_seconds);
    link_start_watch(e, l);
    return link_settle(e, l);
}
