/* ipae_policy.c - when the IPAe asks which eIM; SGP.32 leaves it open.
 *
 *   it was answered                       again after ipae_poll
 *   out of reach, busy, broken off        after 1, 2, 5, 15, 60 minutes, but not more than
 *                                         ipae_poll, +-20 %, or as the server says (Retry-After, a
 *                                         week at most); at last after ipae_poll
 *   it is not who it should be            after a day
 *   it does not want us                   after ipae_poll
 *   an SM-DP+ takes no notification       as out of reach
 *   no service                            when there is
 *   menu, IpaeActivation, a change        now
 *   another PLMN                          within an hour
 *
 * Each eIM has its own time.  There is no clock: what is left is counted when the sleep is
 * over. */
#include <inttypes.h>
#include <string.h>

#include "applets/ipae/ipae_parts.h"
#include "applets/isdr/profile_store.h"

#define KEY_EMERGENCY "ipae/emergency"

enum {
    DAY = 24 * 60 * 60,
    WEEK = 7 * DAY,
    ROLLBACK_PACE = 30, /* seconds between attempts while a rollback is granted */
};

/* From 0 to most. */
static int random_below(struct euicc *e, uint32_t most, uint32_t *ret)
{
    uint8_t octets[4];

    TRY(crypto_random(e->crypto, octets, sizeof octets));
    uint32_t v = (uint32_t)octets[0] << 24 | (uint32_t)octets[1] << 16 | (uint32_t)octets[2] << 8 |
                 octets[3];
    *ret = (uint32_t)((uint64_t)v * ((uint64_t)most + 1) >> 32);
    return 0;
}

static uint32_t poll_seconds(const struct euicc *e)
{
    return (uint32_t)setting_number(&e->settings, SET_IPAE_POLL);
}

/* After so many failures in a row. */
static int back_off(struct euicc *e, unsigned failures, uint32_t *ret)
{
    static const uint32_t steps[] = { 60, 120, 300, 900, 3600 };
    uint32_t base, jitter;

    if (failures > N_ELEMS(steps)) {
        *ret = poll_seconds(e);
        return 0;
    }
    base = steps[failures > 0 ? failures - 1 : 0];
    if (base > poll_seconds(e))
        base = poll_seconds(e);
    TRY(random_below(e, 2 * (base / 5), &jitter));
    *ret = base - base / 5 + jitter;
    return 0;
}

/* --- going ---------------------------------------------------------------------------------- */

static int wake(struct euicc *e);

static void sleep_for(struct euicc *e, uint32_t seconds)
{
    struct ipae *x = ipae_of(e);

    x->sleeps = false;
    ipae_clock_start(e, &x->sleep, seconds, wake);
    trace_note(&e->trace, "IPAe: sleeps for %" PRIu32 " s", x->sleep.seconds);
}

void ipae_await_service(struct euicc *e, unsigned seconds)
{
    ipae_of(e)->awaits_service = true;
    sleep_for(e, seconds);
}

/* A sleep that ends in time is not begun anew: what has passed of it is known at its end only. */
static void sleep_until_due(struct euicc *e, uint32_t seconds)
{
    const struct ipae *x = ipae_of(e);

    if (x->sleeps && ipae_clock_runs(&x->sleep) && x->sleep.seconds <= seconds)
        return;
    sleep_for(e, seconds);
    ipae_of(e)->sleeps = true;
}

int ipae_policy_go(struct euicc *e)
{
    struct ipae *x = ipae_of(e);
    uint32_t least = UINT32_MAX;
    bool nothing;

    x->phase = IPAE_WAITING;
    if (!x->has_entries)
        return ipae_policy_start(e);
    if (x->service_known && x->service != CAT_SERVICE_NORMAL) {
        ipae_await_service(e, IPAE_PATIENCE);
        return 0;
    }
    x->awaits_service = false;
    for (size_t i = 0; i < x->n_entries; i++) {
        if (x->entries[i].wait == 0) {
            ipae_clock_stop(e, &x->sleep);
            return ipae_talk_begin(e, x->entries[i].number);
        }
        least = x->entries[i].wait < least ? x->entries[i].wait : least;
    }
    if (!x->notified) {
        x->notified = true;
        x->notify.wait = 0;
        TRY(ipae_notify_begin(e, &nothing));
        if (!nothing)
            return 0;
    }
    if (x->notify.wait > 0 && x->notify.wait < least)
        least = x->notify.wait;
    if (x->n_entries == 0)
        trace_note(&e->trace, "IPAe: there is no eIM to ask");
    if (least != UINT32_MAX)
        sleep_until_due(e, least);
    return 0;
}

static int wake(struct euicc *e)
{
    struct ipae *x = ipae_of(e);

    if (x->phase != IPAE_WAITING)
        return 0;
    if (x->awaits_service) /* nobody tells: whoever is asked finds out */
        x->service_known = false;
    x->sleeps = false;
    for (size_t i = 0; i < x->n_entries; i++)
        ipae_pass(&x->entries[i].wait, x->sleep.seconds);
    if (ipae_pass(&x->notify.wait, x->sleep.seconds))
        x->notified = false;
    return ipae_policy_go(e);
}

int ipae_policy_trigger(struct euicc *e, const char *why)
{
    struct ipae *x = ipae_of(e);

    if (x->phase != IPAE_WAITING && x->phase != IPAE_TALKING)
        return 0;
    trace_note(&e->trace, "IPAe: all eIMs are asked: %s", why);
    TRY(ipae_table_follow(e));
    for (size_t i = 0; i < x->n_entries; i++)
        x->entries[i].wait = 0;
    return x->phase == IPAE_WAITING ? ipae_policy_go(e) : 0;
}

/* --- beginnings and ends ---------------------------------------------------------------------- */

/* The device enables and disables the Emergency Profile by itself (SGP.32 5.9.22). */
static int follow_emergency(struct euicc *e)
{
    uint64_t before;
    bool now;

    TRY(ipae_is_emergency(e, &now));
    TRY(nvm_get_uint(e->nvm, KEY_EMERGENCY, 0, &before));
    if (now == (before != 0))
        return 0;
    TRY(nvm_put_uint(e->nvm, KEY_EMERGENCY, now));
    return ipae_table_tell(e, CHANGE_EMERGENCY, NO_EIM);
}

int ipae_policy_start(struct euicc *e)
{
    struct ipae *x = ipae_of(e);
    uint32_t delay, wait;

    TRY(ipae_table_follow(e));
    TRY(random_below(e, (uint32_t)setting_number(&e->settings, SET_IPAE_DELAY), &delay));
    for (size_t i = 0; i < x->n_entries; i++) {
        struct ipae_entry *entry = &x->entries[i];
        entry->wait = delay;
        if (entry->failures == 0)
            continue;
        TRY(back_off(e, entry->failures, &wait));
        entry->wait = wait;
    }
    if (x->new_device)
        TRY(ipae_table_tell(e, CHANGE_DEVICE, NO_EIM));
    x->new_device = false;
    TRY(follow_emergency(e));
    x->notified = false;
    ipae_watch_fallback(e);
    return ipae_policy_go(e);
}

/* What the result that was not delivered does to the time.  *ret_rolled: the rest waits. */
static int pace_rollback(struct euicc *e, struct ipae_entry *entry, bool *ret_rolled)
{
    unsigned attempts;

    TRY(ipae_not_delivered(e, &attempts, ret_rolled));
    if (!*ret_rolled && attempts > 0)
        entry->wait = ROLLBACK_PACE * attempts;
    return 0;
}

static int set_wait(struct euicc *e, struct ipae_entry *entry)
{
    const struct ipae *x = ipae_of(e);

    switch (x->talk.end) {
    case END_WELL:
        entry->failures = 0;
        entry->wait = poll_seconds(e);
        return 0;
    case END_NO_SERVICE:
        entry->wait = 0;
        ipae_set_service(e, CAT_SERVICE_NONE);
        return 0;
    default:
        break;
    }
    if (entry->failures < UINT8_MAX)
        entry->failures++;
    if (x->talk.end == END_UNTRUSTED) {
        entry->wait = DAY;
        return 0;
    }
    entry->wait = poll_seconds(e);
    if (x->talk.end == END_RETRY)
        TRY(back_off(e, entry->failures, &entry->wait));
    uint32_t asked = x->talk.retry_after < WEEK ? x->talk.retry_after : WEEK;
    if (asked > entry->wait)
        entry->wait = asked;
    return 0;
}

int ipae_policy_conversed(struct euicc *e)
{
    struct ipae *x = ipae_of(e);
    struct ipae_entry *entry = ipae_table_find(x, x->talk.eim.number);
    bool rolled = false;

    x->phase = IPAE_WAITING;
    x->notified = false;
    if (x->talk.delivered)
        ipae_set_service(e, CAT_SERVICE_NORMAL);
    if (entry != NULL) {
        TRY(set_wait(e, entry));
        if (x->talk.grants && !x->talk.delivered)
            TRY(pace_rollback(e, entry, &rolled));
    }
    bool well = x->talk.end == END_WELL;
    ipae_talk_done(x);
    if (rolled)
        return 0;
    if (well) {
        TRY(follow_emergency(e));
        TRY(ipae_all_well(e));
    }
    TRY(ipae_table_follow(e));
    ipae_watch_fallback(e);
    return ipae_policy_go(e);
}

int ipae_policy_notified(struct euicc *e)
{
    struct ipae *x = ipae_of(e);

    x->notify.failures = x->notify.failed[0] != '\0' ? x->notify.failures + 1 : 0;
    x->notify.wait = 0;
    if (x->notify.failures > 0)
        TRY(back_off(e, x->notify.failures, &x->notify.wait));
    return ipae_policy_go(e);
}
