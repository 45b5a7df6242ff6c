/* cat_timer.c - the terminal's eight timers, shared (TS 102 223 6.4.21, 6.6.21, 7.4).
 *
 * A timer has a number from its first start until the terminal is done with it: it expired, was
 * stopped, or would not run.  Its owner may change its mind at any time; what the terminal has not
 * fetched yet says what is wanted then, and what it has is followed by another command.  A start
 * takes over the number of a timer that is about to be stopped: one command does both. */
#include "os/cat.h"

#include "os/ctlv.h"
#include "os/euicc.h"

enum { START = 0x00, DEACTIVATE = 0x01 }; /* TS 102 223 8.6 */

/* Two digits, the first in the low half (TS 102 223 8.38). */
static uint8_t swapped(uint32_t number)
{
    return (uint8_t)(number % 10 << 4 | number / 10);
}

static void put_timer(struct cat_command *command, struct wr *w)
{
    struct cat_timer *t = command->ctx;
    bool comprehension = command->argument != 0;

    t->sent = t->asked;
    command->qualifier = t->wanted ? START : DEACTIVATE;
    ctlv_put(w, CTLV_TIMER_ID, comprehension, rd_of(&t->id, 1));
    if (t->wanted) {
        const uint8_t value[] = { swapped(t->seconds / 3600), swapped(t->seconds / 60 % 60),
                                  swapped(t->seconds % 60) };
        ctlv_put(w, CTLV_TIMER_VALUE, comprehension, rd_of(value, sizeof value));
    }
}

static cat_ended_fn timer_ended;

static bool submit(struct cat *c, struct cat_timer *t)
{
    t->command = (struct cat_command){ .type = CAT_TIMER_MANAGEMENT,
                                       .argument = c->comprehension,
                                       .put = put_timer,
                                       .ended = timer_ended,
                                       .ctx = t };
    return cat_submit(c, &t->command);
}

static void release(struct cat *c, struct cat_timer *t)
{
    c->timers[t->id - 1] = NULL;
    t->id = 0;
    t->running = t->expired_early = false;
}

static int release_and_tell(struct euicc *e, struct cat_timer *t, bool expired)
{
    release(&e->cat, t);
    return t->told(e, t->ctx, expired);
}

/* Its owner changed its mind when the command was with the terminal already. */
static int say_again(struct euicc *e, struct cat_timer *t)
{
    t->expired_early = false;
    if (!t->wanted && !t->running) {
        release(&e->cat, t);
        return 0;
    }
    if (submit(&e->cat, t))
        return 0;
    if (t->wanted)
        return release_and_tell(e, t, false);
    release(&e->cat, t);
    return 0;
}

static int timer_ended(struct euicc *e, void *ctx, const struct cat_result *r)
{
    struct cat_timer *t = ctx;
    bool started = t->command.qualifier == START;

    t->running = started ? r->done : t->running && !r->done;
    if (started && r->done && t->expired_early)
        t->running = false;
    if (t->sent != t->asked)
        return say_again(e, t);
    if (!started) { /* 24, not running, says the same as done */
        release(&e->cat, t);
        return 0;
    }
    if (!r->done || t->expired_early)
        return release_and_tell(e, t, r->done);
    return 0;
}

/* The terminal's timer that is to be stopped is given another value instead (TS 102 223 6.4.21). */
static bool take_over(struct cat *c, struct cat_timer *t)
{
    for (size_t i = 0; i < CAT_TIMER_MAX; i++) {
        struct cat_timer *old = c->timers[i];
        if (old == NULL || old->wanted || !cat_withdraw(c, &old->command))
            continue;
        release(c, old);
        c->timers[i] = t;
        t->id = (uint8_t)(i + 1);
        t->running = true;
        return true;
    }
    return false;
}

static bool take_number(struct cat *c, struct cat_timer *t)
{
    if (take_over(c, t))
        return true;
    for (uint8_t i = 0; i < CAT_TIMER_MAX; i++) {
        if (c->timers[i] != NULL)
            continue;
        c->timers[i] = t;
        t->id = (uint8_t)(i + 1);
        return true;
    }
    return false;
}

bool cat_timer_start(struct cat *c, struct cat_timer *t, uint32_t seconds, cat_timer_fn *told,
                     void *ctx)
{
    if (seconds == 0 || seconds > CAT_TIMER_SECONDS_MAX || !c->terminal.has_profile ||
        !cat_allows(c, CAT_CAN_TIMER) || !cat_allows(c, CAT_CAN_TIMER_EXPIRATION))
        return false;
    if (t->id == 0 && !take_number(c, t))
        return false;
    t->seconds = seconds;
    t->told = told;
    t->ctx = ctx;
    t->wanted = true;
    t->asked++;
    if (!cat_withdraw(c, &t->command) && t->command.queued)
        return true; /* announced: another one follows */
    return submit(c, t);
}

void cat_timer_stop(struct cat *c, struct cat_timer *t)
{
    if (t->id == 0 || !t->wanted)
        return;
    t->wanted = false;
    t->asked++;
    if (!cat_withdraw(c, &t->command) && t->command.queued)
        return;
    if (!t->running || !submit(c, t))
        release(c, t);
}

/* Of a run that is not over for its owner; what crosses with a stop or a new start is void. */
int cat_timer_envelope(struct euicc *e, struct rd tlvs)
{
    struct cat *c = &e->cat;
    struct rd id;

    if (!ctlv_find(tlvs, CTLV_TIMER_ID, &id) || id.n != 1)
        return ERR_INPUT;
    struct cat_timer *t = id.p[0] >= 1 && id.p[0] <= CAT_TIMER_MAX ? c->timers[id.p[0] - 1] : NULL;
    if (t == NULL || (!t->running && !cat_is_fetched(c, &t->command))) {
        trace_note(&e->trace, "timer %u expired, which nobody waits for", id.p[0]);
        return 0;
    }
    t->running = false;
    if (cat_is_fetched(c, &t->command)) { /* of which run it is its TERMINAL RESPONSE tells */
        t->expired_early = t->command.qualifier == START;
        return 0;
    }
    if (t->wanted && !t->command.queued)
        return release_and_tell(e, t, true);
    if (!t->wanted && cat_withdraw(c, &t->command))
        release(c, t); /* nothing to stop any more */
    return 0;
}
