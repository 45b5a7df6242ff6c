/* terminal_run.c - a terminal in an event loop whose time is put forward. */
#include "lab/terminal_run.h"

#include <time.h>

#include <event2/event.h>

#include "os/err.h"

enum { HEARTBEAT_MS = 5 };

uint64_t here_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- turns ------------------------------------------------------------------------------------ */

static void on_heartbeat(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    (void)ctx;
}

int terminal_run_init(struct terminal_run *r, struct event_base *base, struct lab_error *e)
{
    const struct timeval beat = { .tv_usec = HEARTBEAT_MS * 1000 };

    *r = (struct terminal_run){ .base = base, .born = here_ms() };
    r->heartbeat = event_new(base, -1, EV_PERSIST, on_heartbeat, r);
    return r->heartbeat != NULL && event_add(r->heartbeat, &beat) == 0
               ? 0
               : lab_fail(e, "no event loop");
}

void terminal_run_done(struct terminal_run *r)
{
    if (r->heartbeat != NULL)
        event_free(r->heartbeat);
    r->heartbeat = NULL;
}

static void set_clock(struct terminal_run *r)
{
    r->clock.ms = here_ms() - r->born + r->skipped;
}

bool terminal_run_skip(struct terminal_run *r)
{
    uint64_t next = terminal_next_ms(r->terminal);

    if (next == UINT64_MAX)
        return false;
    if (next > r->clock.ms)
        r->skipped += next - r->clock.ms;
    set_clock(r);
    return true;
}

static uint64_t count_apdus(const struct terminal *t)
{
    const struct terminal_count *c;
    uint64_t all = 0;

    for (size_t n = terminal_counts(t, &c); n > 0; n--)
        all += c[n - 1].apdus;
    return all;
}

int terminal_run_turn(struct terminal_run *r, bool *ret_rests, struct lab_error *e)
{
    uint64_t before = count_apdus(r->terminal);

    *ret_rests = false;
    set_clock(r);
    event_base_loop(r->base, EVLOOP_NONBLOCK);
    if (event_base_got_break(r->base))
        return lab_fail(e, "told to end");
    terminal_tick(r->terminal);
    if (terminal_error(r->terminal) != NULL)
        return lab_fail(e, "%s", terminal_error(r->terminal));
    if (count_apdus(r->terminal) != before)
        return 0;
    if (terminal_state(r->terminal) == TERMINAL_IDLE && terminal_open_channels(r->terminal) == 0) {
        *ret_rests = true;
        return 0;
    }
    event_base_loop(r->base, EVLOOP_ONCE); /* until an octet comes, or the heartbeat */
    return event_base_got_break(r->base) ? lab_fail(e, "told to end") : 0;
}
