/* profile_state.c - enabling, disabling and deleting profiles. */
#include "applets/isdr/profile_state.h"

#include "applets/isdr/fallback.h"
#include "applets/isdr/isdr.h"

int state_refuse(const struct euicc *e, const struct state_function *f, int code, const char *why)
{
    const struct result_name names[] = {
        { ICCID_OR_AID_NOT_FOUND, "iccidOrAidNotFound" },
        { PROFILE_NOT_IN_RIGHT_STATE, f->not_in_state },
        { DISALLOWED_BY_POLICY, "disallowedByPolicy" },
        { WRONG_PROFILE_REENABLING, "wrongProfileReenabling" },
        { CAT_BUSY, "catBusy" },
    };
    return es10_refuse(e, f->name, names, N_ELEMS(names), code, why, f->clause);
}

/* --- rules ------------------------------------------------------------------------------------ */

/* The rules between the enabled profile and the one to be.  0 or a state_result. */
static int check_replaced(struct euicc *e, const struct state_function *f,
                          const struct profile_switch *now, const struct profile *target,
                          const struct profile *enabled)
{
    bool to_test = target->profile_class == CLASS_TEST;

    if (enabled->profile_class == CLASS_TEST && !to_test && target->index != now->resumes)
        return state_refuse(e, f, WRONG_PROFILE_REENABLING,
                            "a test profile is enabled, and another profile was enabled before it");
    if (enabled->profile_class == CLASS_OPERATIONAL && target->profile_class == CLASS_OPERATIONAL &&
        (enabled->pprs & PPR1_NO_DISABLE))
        return state_refuse(e, f, DISALLOWED_BY_POLICY,
                            "PPR1 of the enabled profile forbids that it is disabled");
    return 0;
}

/* Neither the Emergency Profile, nor any other while it is enabled (SGP.32 5.9.22). */
static int check_emergency(struct euicc *e, const struct state_function *f,
                           const struct profile_switch *now, const struct profile *target)
{
    if (now->emergency)
        return state_refuse(e, f, DISALLOWED_BY_POLICY, "the Emergency Profile is enabled");
    if (target->is_emergency)
        return state_refuse(e, f, DISALLOWED_BY_POLICY,
                            "the Emergency Profile has functions of its own");
    return 0;
}

int state_check_enable(struct euicc *e, const struct state_function *f,
                       const struct profile_switch *now, const struct profile *target,
                       struct profile_switch *ret)
{
    struct profile_switch next = { .enabled = target->index };
    struct profile enabled;

    if (now->enabled == target->index)
        return state_refuse(e, f, PROFILE_NOT_IN_RIGHT_STATE, "it is enabled already");
    TRY(check_emergency(e, f, now, target));
    if (now->enabled != NO_PROFILE) {
        TRY(profile_get(e, now->enabled, &enabled));
        int code = check_replaced(e, f, now, target, &enabled);
        if (target->profile_class == CLASS_TEST)
            next.resumes = enabled.profile_class == CLASS_TEST ? now->resumes : now->enabled;
        profile_done(&enabled);
        if (code != 0)
            return code;
    }
    *ret = next;
    return 0;
}

int state_check_disable(struct euicc *e, const struct state_function *f,
                        const struct profile_switch *now, const struct profile *target,
                        struct profile_switch *ret)
{
    if (now->enabled != target->index)
        return state_refuse(e, f, PROFILE_NOT_IN_RIGHT_STATE, "it is not enabled");
    TRY(check_emergency(e, f, now, target));
    if (target->profile_class == CLASS_OPERATIONAL && (target->pprs & PPR1_NO_DISABLE))
        return state_refuse(e, f, DISALLOWED_BY_POLICY, "its PPR1 forbids it");
    /* The end of a test profile brings back what was enabled before it. */
    *ret = (struct profile_switch){ .enabled = now->resumes };
    return 0;
}

int state_check_delete(struct euicc *e, const struct state_function *f,
                       const struct profile_switch *now, const struct profile *target)
{
    if (now->enabled == target->index)
        return state_refuse(e, f, PROFILE_NOT_IN_RIGHT_STATE, "it is enabled");
    if (target->pprs & PPR2_NO_DELETE)
        return state_refuse(e, f, DISALLOWED_BY_POLICY, "its PPR2 forbids it");
    return 0;
}

int state_check_refresh(const struct euicc *e, const struct state_function *f, bool refresh)
{
    if (!refresh)
        return 0;
    /* What goes on may be the assistant's own: it has closed its channel, and REFRESH comes first
     * in the line. */
    bool busy = isdr_state(e)->within ? euicc_cat_is_made_busy(e) : euicc_cat_is_busy(e);
    return busy ? state_refuse(e, f, CAT_BUSY, "a proactive session is going on") : 0;
}

/* --- the switch ------------------------------------------------------------------------------- */

int profile_notify(struct euicc *e, uint16_t index, enum notification_event event)
{
    struct profile p;

    if (index == NO_PROFILE)
        return 0;
    TRY(profile_get(e, index, &p));
    int err = notification_add_event(e, &p, event, rd_of(NULL, 0));
    profile_done(&p);
    return err;
}

/* The terminal did REFRESH: the switch takes effect; or it refused: everything is as before
 * (SGP.22 3.2.1). */
static int refresh_ended(struct euicc *e, void *ctx, const struct cat_result *r)
{
    struct switch_undo *undo = &isdr_state(e)->undo;
    bool existed;

    (void)ctx;
    if (!r->done && undo->pending) {
        trace_note(&e->trace, "the terminal refused REFRESH: the profile switch is undone");
        TRY(profile_set_switch(e, &undo->before));
        for (uint64_t n = undo->first_notification; n <= undo->last_notification; n++)
            TRY(notification_remove(e, n, &existed));
    }
    undo->pending = false;
    return profile_want_enabled(e);
}

/* Stores the next state of things, with its notifications, and what would take it back. */
static int store_switch(struct euicc *e, const struct profile_switch *next, bool notify,
                        struct switch_undo *ret)
{
    struct switch_undo undo = { .pending = false };

    TRY(profile_get_switch(e, &undo.before));
    TRY(notification_last(e, &undo.first_notification));
    undo.first_notification++;
    if (notify) {
        TRY(profile_notify(e, undo.before.enabled, EVENT_DISABLE));
        TRY(profile_notify(e, next->enabled, EVENT_ENABLE));
    }
    TRY(notification_last(e, &undo.last_notification));
    trace_note(&e->trace, "enabled profile: %04X instead of %04X (0000: none)", next->enabled,
               undo.before.enabled);
    *ret = undo;
    return profile_set_switch(e, next);
}

int profile_switch_to(struct euicc *e, const struct profile_switch *next, enum switch_how how,
                      bool notify)
{
    struct isdr *isdr = isdr_state(e);

    TRY(store_switch(e, next, notify, &isdr->undo));
    if (how != SWITCH_SILENTLY &&
        cat_queue_refresh(&e->cat, CAT_PROFILE_STATE_CHANGE, refresh_ended)) {
        isdr->undo.pending = how == SWITCH_BY_REFRESH;
        return 0; /* the files follow when it ends */
    }
    return profile_want_enabled(e);
}

int profile_refresh_by_reset(struct euicc *e)
{
    isdr_state(e)->undo.pending = false;
    return cat_queue_refresh(&e->cat, CAT_UICC_RESET, refresh_ended) ? 0 : profile_want_enabled(e);
}

int profile_delete(struct euicc *e, const struct profile *p, struct profile_switch *now)
{
    TRY(notification_add_event(e, p, EVENT_DELETE, rd_of(NULL, 0)));
    TRY(profile_remove(e, p));
    TRY(fallback_forget(e, p->index));
    if (e->uicc.mounted == p->index)
        uicc_want(e, NO_PROFILE);
    isdr_state(e)->undo.pending = false;
    if (isdr_state(e)->finished.index == p->index)
        isdr_state(e)->finished.index = NO_PROFILE;
    trace_note(&e->trace, "profile %04X is deleted", p->index);
    if (now->enabled == p->index)
        now->enabled = NO_PROFILE;
    if (now->resumes == p->index)
        now->resumes = NO_PROFILE;
    if (now->returns == p->index)
        now->returns = NO_PROFILE;
    if (now->rolls_back == p->index)
        now->rolls_back = NO_PROFILE;
    if (now->after_emergency == p->index)
        now->after_emergency = NO_PROFILE;
    return 0;
}
