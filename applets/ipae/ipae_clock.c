/* ipae_clock.c - time that passes: the terminal's timers, and where it has none to give, its
 * polling (TS 102 223 6.4.6, 6.4.21; TS 102 221 14.5.2): each STATUS is an interval. */
#include "applets/ipae/ipae_parts.h"

enum { INTERVAL = 30 /* seconds between two STATUS of a terminal that was not asked or refuses */ };

static int got_interval(struct euicc *e, void *ctx, const struct cat_result *r)
{
    struct ipae *x = ipae_of(e);

    (void)ctx;
    if (!r->done || !cat_get_interval(r->tlvs, &x->interval))
        x->interval = INTERVAL;
    return 0;
}

static void count_status(struct euicc *e, struct ipae_clock *clock)
{
    struct ipae *x = ipae_of(e);
    uint32_t most = CAT_POLL_SECONDS_MAX;

    trace_note(&e->trace, "IPAe: the terminal gives no timer: STATUS is counted");
    clock->left = clock->seconds;
    if (x->interval == 0)
        x->interval = INTERVAL;
    if (x->poll.queued)
        return;
    x->poll = (struct cat_command){ .ended = got_interval };
    cat_poll_interval(&e->cat, &x->poll, clock->left < most ? clock->left : most);
}

static int timer_told(struct euicc *e, void *ctx, bool expired)
{
    struct ipae_clock *clock = ctx;

    if (expired)
        return ipae_settle(e, clock->over(e));
    count_status(e, clock);
    return 0;
}

void ipae_clock_start(struct euicc *e, struct ipae_clock *clock, uint32_t seconds,
                      int (*over)(struct euicc *e))
{
    uint32_t most = CAT_TIMER_SECONDS_MAX;

    clock->seconds = seconds < most ? seconds : most;
    if (clock->seconds == 0)
        clock->seconds = 1;
    clock->over = over;
    clock->left = 0;
    if (!cat_timer_start(&e->cat, &clock->timer, clock->seconds, timer_told, clock))
        count_status(e, clock);
}

void ipae_clock_stop(struct euicc *e, struct ipae_clock *clock)
{
    clock->left = 0;
    cat_timer_stop(&e->cat, &clock->timer);
}

bool ipae_clock_runs(const struct ipae_clock *clock)
{
    return clock->left > 0 || (clock->timer.id != 0 && clock->timer.wanted);
}

int ipae_polled(struct euicc *e)
{
    struct ipae *x = ipae_of(e);
    struct ipae_clock *const clocks[] = { &x->sleep, &x->watch };

    for (size_t i = 0; i < N_ELEMS(clocks); i++)
        if (ipae_pass(&clocks[i]->left, x->interval))
            TRY(clocks[i]->over(e));
    return 0;
}
