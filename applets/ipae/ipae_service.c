/* ipae_service.c - service and what hangs on it: the profile switch after which it has to come
 * back, rollback when it does not (SGP.32 3.3.1), fallback when it is gone, and the return
 * (3.4.6).
 *
 * NVM: "ipae/attempts" counts deliveries in vain of a result that grants a rollback;
 * "ipae/fallbacks" fallbacks in a row, each of which lasts twice as long. */
#include <string.h>

#include "applets/ipae/ipae_parts.h"
#include "applets/isdr/es10.h"
#include "applets/isdr/profile_store.h"

#define KEY_ATTEMPTS  "ipae/attempts"
#define KEY_FALLBACKS "ipae/fallbacks"

enum {
    ATTEMPTS_MAX = 3,
    ATTACH_SECONDS = 30, /* when the terminal tells of no location status */
    BUSY_SECONDS = 60,
    PLMN_SPACING = 60 * 60,
    DAY = 24 * 60 * 60,
    DOUBLINGS_MAX = 4,
};

/* --- service ---------------------------------------------------------------------------------- */

void ipae_set_service(struct euicc *e, enum cat_service service)
{
    struct ipae *x = ipae_of(e);
    bool changed = !x->service_known || x->service != service;

    x->service = service;
    x->service_known = true;
    if (changed && x->phase != IPAE_BOOTING)
        ipae_watch_fallback(e);
}

/* Somewhere else, eIMs are asked, but not at each step over a border. */
static bool follow_plmn(struct ipae *x, const uint8_t plmn[IPAE_PLMN_LEN])
{
    bool moved = x->has_plmn && memcmp(x->plmn, plmn, IPAE_PLMN_LEN) != 0;

    memcpy(x->plmn, plmn, IPAE_PLMN_LEN);
    x->has_plmn = true;
    for (size_t i = 0; i < x->n_entries && moved; i++)
        if (x->entries[i].wait > PLMN_SPACING)
            x->entries[i].wait = PLMN_SPACING;
    return moved;
}

int ipae_event(struct euicc *e, enum cat_event event, struct rd tlvs)
{
    struct ipae *x = ipae_of(e);
    struct cat_location location;
    enum cat_service service;

    if (event != CAT_EVENT_LOCATION_STATUS || x->phase == IPAE_OFF)
        return 0;
    if (!cat_get_location_status(tlvs, &service))
        return ERR_INPUT;
    ipae_set_service(e, service);
    if (service != CAT_SERVICE_NORMAL)
        return 0;
    bool moved = cat_get_location(tlvs, &location) && follow_plmn(x, location.plmn);
    return x->phase == IPAE_WAITING && (x->awaits_service || moved) ? ipae_policy_go(e) : 0;
}

/* --- switches --------------------------------------------------------------------------------- */

int ipae_switched(struct euicc *e, enum state_change change, uint16_t but)
{
    struct ipae *x = ipae_of(e);

    x->phase = IPAE_WAITING;
    x->service_known = false;
    x->has_plmn = false;
    x->notified = false;
    TRY(ipae_table_follow(e));
    for (size_t i = 0; i < x->n_entries; i++) /* what failed, failed in another network */
        x->entries[i].failures = 0;
    TRY(ipae_table_tell(e, change, but));
    struct ipae_entry *entry = ipae_table_find(x, but);
    if (entry != NULL)
        entry->wait = 0;
    ipae_watch_fallback(e);
    bool is_told = cat_allows(&e->cat, CAT_CAN_EVENT_LOCATION_STATUS);
    ipae_await_service(e, is_told ? IPAE_PATIENCE : ATTACH_SECONDS);
    return 0;
}

/* --- rollback --------------------------------------------------------------------------------- */

int ipae_delivered(struct euicc *e)
{
    uint64_t attempts;

    TRY(nvm_get_uint(e->nvm, KEY_ATTEMPTS, 0, &attempts));
    return attempts > 0 ? nvm_del(e->nvm, KEY_ATTEMPTS) : 0;
}

int ipae_not_delivered(struct euicc *e, unsigned *ret_attempts, bool *ret_rolled)
{
    struct ipae *x = ipae_of(e);
    uint64_t attempts, code;

    *ret_attempts = 0;
    *ret_rolled = false;
    TRY(nvm_get_uint(e->nvm, KEY_ATTEMPTS, 0, &attempts));
    if (++attempts < ATTEMPTS_MAX) {
        *ret_attempts = (unsigned)attempts;
        return nvm_put_uint(e->nvm, KEY_ATTEMPTS, attempts);
    }
    trace_note(&e->trace, "IPAe: the result cannot be delivered: ProfileRollback (SGP.32 3.3.1)");
    TRY(ipae_delivered(e));
    TRY(ipae_es10_switch(e, TAG_PROFILE_ROLLBACK, &code));
    if (code != ES10_OK)
        return 0;
    *ret_rolled = true;
    uint16_t number = x->talk.eim.number;
    ipae_talk_done(x);
    return ipae_switched(e, CHANGE_BY_OTHER_EIM, number);
}

/* --- fallback and return ---------------------------------------------------------------------- */

static int over(struct euicc *e);

static void watch_for(struct euicc *e, uint64_t seconds)
{
    ipae_clock_start(e, &ipae_of(e)->watch, seconds < DAY ? (uint32_t)seconds : (uint32_t)DAY,
                     over);
}

static uint64_t fallback_seconds(const struct euicc *e)
{
    return setting_number(&e->settings, SET_IPAE_FALLBACK);
}

/* Is the fallback profile enabled, and how often in a row was it? */
static bool has_fallen_back(struct euicc *e, uint64_t *ret_times)
{
    struct profile_switch now;

    return profile_get_switch(e, &now) == 0 && now.returns != NO_PROFILE &&
           nvm_get_uint(e->nvm, KEY_FALLBACKS, 0, ret_times) == 0;
}

void ipae_watch_fallback(struct euicc *e)
{
    struct ipae *x = ipae_of(e);
    bool without = x->service_known && x->service != CAT_SERVICE_NORMAL;
    uint64_t times = 0;
    bool fallen = has_fallen_back(e, &times);

    if (!without && !fallen)
        ipae_clock_stop(e, &x->watch);
    else if (!ipae_clock_runs(&x->watch) && fallen)
        watch_for(e, fallback_seconds(e) << (times < DOUBLINGS_MAX ? times : DOUBLINGS_MAX));
    else if (!ipae_clock_runs(&x->watch))
        watch_for(e, fallback_seconds(e));
}

int ipae_all_well(struct euicc *e)
{
    uint64_t times = 0;

    if (has_fallen_back(e, &times))
        return 0;
    TRY(nvm_get_uint(e->nvm, KEY_FALLBACKS, 0, &times));
    return times > 0 ? nvm_del(e->nvm, KEY_FALLBACKS) : 0;
}

static int fall_back(struct euicc *e)
{
    uint64_t times, code;

    TRY(ipae_es10_switch(e, TAG_EXECUTE_FALLBACK, &code));
    if (code != ES10_OK)
        return 0;
    TRY(nvm_get_uint(e->nvm, KEY_FALLBACKS, 0, &times));
    TRY(nvm_put_uint(e->nvm, KEY_FALLBACKS, times + 1));
    return ipae_switched(e, CHANGE_FALLBACK, NO_EIM);
}

static int go_back(struct euicc *e)
{
    uint64_t code;

    TRY(ipae_es10_switch(e, TAG_RETURN_FROM_FALLBACK, &code));
    return code == ES10_OK ? ipae_switched(e, CHANGE_FALLBACK, NO_EIM) : 0;
}

/* Long enough without service, or on the fallback profile. */
static int over(struct euicc *e)
{
    const struct ipae *x = ipae_of(e);
    uint64_t times;

    if (x->phase == IPAE_TALKING) {
        watch_for(e, BUSY_SECONDS);
        return 0;
    }
    if (x->phase != IPAE_WAITING)
        return 0;
    if (has_fallen_back(e, &times))
        return go_back(e);
    return x->service_known && x->service != CAT_SERVICE_NORMAL ? fall_back(e) : 0;
}
