/* fallback.c - the fallback attribute (SGP.32 3.4.6, 3.4.7), and the Fallback Mechanism: to the
 * profile that holds it when there is no connectivity, and back (5.9.20, 5.9.21). */
#include "applets/isdr/fallback.h"

#include "applets/isdr/iot.h"
#include "applets/isdr/isdr.h"
#include "applets/isdr/profile_state.h"

enum {
    /* setFallbackAttributeResult */
    SET_FALLBACK_NOT_ALLOWED = 2,
    FALLBACK_PROFILE_ENABLED = 3, /* and of unset */

    /* unsetFallbackAttributeResult */
    NO_FALLBACK_ATTRIBUTE = 2,
    FALLBACK_COMMAND_ERROR = 7, /* and of the two functions */

    /* executeFallbackMechanismResult, returnFromFallbackResult */
    FALLBACK_NOT_AVAILABLE = 6,
};

#define KEY_HOLDER "isdr/fallback"

static bool is_supported(const struct euicc *e)
{
    return iot_at_least(e, IOT_V1_1) && setting_is(&e->settings, SET_FALLBACK, "on");
}

/* --- the attribute ---------------------------------------------------------------------------- */

int fallback_holder(struct euicc *e, uint16_t *ret)
{
    uint64_t index;

    TRY(nvm_get_uint(e->nvm, KEY_HOLDER, NO_PROFILE, &index));
    *ret = (uint16_t)index;
    return 0;
}

int fallback_forget(struct euicc *e, uint16_t index)
{
    uint16_t holder;

    TRY(fallback_holder(e, &holder));
    return holder == index ? nvm_del(e->nvm, KEY_HOLDER) : 0;
}

static int refuse_set(const struct euicc *e, int code, const char *why)
{
    static const struct result_name names[] = {
        { SET_FALLBACK_NOT_ALLOWED, "fallbackNotAllowed" },
        { FALLBACK_PROFILE_ENABLED, "fallbackProfileEnabled" },
    };
    return es10_refuse(e, "setFallbackAttribute", names, N_ELEMS(names), code, why, "SGP.32 3.4.6");
}

static bool is_enabled(struct fallback_states states, uint16_t holder)
{
    return holder != NO_PROFILE &&
           (holder == states.before->enabled || holder == states.next->enabled);
}

int fallback_set(struct euicc *e, const struct profile *target, struct fallback_states states)
{
    uint16_t holder;

    if (!is_supported(e)) /* its results have no commandError */
        return refuse_set(e, UNDEFINED_ERROR, "the Fallback Mechanism is not supported");
    TRY(fallback_holder(e, &holder));
    if (holder == target->index)
        return 0;
    if (target->is_emergency)
        return refuse_set(e, SET_FALLBACK_NOT_ALLOWED, "it is the Emergency Profile");
    if (!target->fallback_allowed)
        return refuse_set(e, SET_FALLBACK_NOT_ALLOWED, "its metadata has no fallbackAllowed");
    if (is_enabled(states, holder))
        return refuse_set(e, FALLBACK_PROFILE_ENABLED,
                          "the profile that holds it is enabled, or will be");
    trace_note(&e->trace, "profile %04X holds the fallback attribute", target->index);
    return nvm_put_uint(e->nvm, KEY_HOLDER, target->index);
}

static int refuse_unset(const struct euicc *e, int code, const char *why)
{
    static const struct result_name names[] = {
        { NO_FALLBACK_ATTRIBUTE, "noFallbackAttribute" },
        { FALLBACK_PROFILE_ENABLED, "fallbackProfileEnabled" },
        { FALLBACK_COMMAND_ERROR, "commandError" },
    };
    return es10_refuse(e, "unsetFallbackAttribute", names, N_ELEMS(names), code, why,
                       "SGP.32 3.4.7");
}

int fallback_unset(struct euicc *e, struct fallback_states states)
{
    uint16_t holder;

    if (!is_supported(e))
        return refuse_unset(e, FALLBACK_COMMAND_ERROR, "the Fallback Mechanism is not supported");
    TRY(fallback_holder(e, &holder));
    if (holder == NO_PROFILE)
        return refuse_unset(e, NO_FALLBACK_ATTRIBUTE, "no profile holds it");
    if (is_enabled(states, holder))
        return refuse_unset(e, FALLBACK_PROFILE_ENABLED,
                            "the profile that holds it is enabled, or will be");
    trace_note(&e->trace, "profile %04X holds the fallback attribute no more", holder);
    return nvm_del(e->nvm, KEY_HOLDER);
}

/* --- there and back --------------------------------------------------------------------------- */

static const struct state_function execute_function = { "ExecuteFallbackMechanism",
                                                        "profileNotInDisabledState",
                                                        "SGP.32 5.9.20" };
static const struct state_function return_function = { "ReturnFromFallback",
                                                       "profileNotInEnabledState",
                                                       "SGP.32 5.9.21" };

static int refuse(const struct euicc *e, const struct state_function *f, int code, const char *why)
{
    const struct result_name names[] = {
        { PROFILE_NOT_IN_RIGHT_STATE, f->not_in_state },
        { FALLBACK_NOT_AVAILABLE, "fallbackNotAvailable" },
        { FALLBACK_COMMAND_ERROR, "commandError" },
        { IOT_ECALL_ACTIVE, "ecallActive" },
    };
    return es10_refuse(e, f->name, names, N_ELEMS(names), code, why, f->clause);
}

/* PPR1 of the enabled profile does not matter: fallbackAllowed of the other one does. */
static int check_execute(struct euicc *e, const struct profile_switch *now,
                         struct profile_switch *ret)
{
    const struct state_function *f = &execute_function;
    uint16_t holder;
    bool is_test;

    if (!is_supported(e))
        return refuse(e, f, FALLBACK_COMMAND_ERROR, "the Fallback Mechanism is not supported");
    if (now->emergency)
        return refuse(e, f, IOT_ECALL_ACTIVE, "the Emergency Profile is enabled");
    TRY(fallback_holder(e, &holder));
    if (holder == NO_PROFILE)
        return refuse(e, f, FALLBACK_NOT_AVAILABLE, "no profile holds the fallback attribute");
    if (now->enabled == holder)
        return refuse(e, f, PROFILE_NOT_IN_RIGHT_STATE, "the fallback profile is enabled");
    if (now->enabled == NO_PROFILE)
        return refuse(e, f, FALLBACK_COMMAND_ERROR, "no profile is enabled");
    TRY(profile_is_test(e, now->enabled, &is_test));
    if (is_test)
        return refuse(e, f, UNDEFINED_ERROR, "a test profile is enabled");
    *ret = (struct profile_switch){ .enabled = holder, .returns = now->enabled };
    return 0;
}

static int check_return(struct euicc *e, const struct profile_switch *now,
                        struct profile_switch *ret)
{
    const struct state_function *f = &return_function;
    uint16_t holder;

    if (!is_supported(e))
        return refuse(e, f, FALLBACK_COMMAND_ERROR, "the Fallback Mechanism is not supported");
    TRY(fallback_holder(e, &holder));
    if (holder == NO_PROFILE || now->enabled != holder)
        return refuse(e, f, FALLBACK_NOT_AVAILABLE, "the fallback profile is not enabled");
    if (now->returns == NO_PROFILE)
        return refuse(e, f, FALLBACK_NOT_AVAILABLE, "there is no profile to return to");
    *ret = (struct profile_switch){ .enabled = now->returns };
    return 0;
}

int es10b_execute_fallback(struct session *s, struct rd body, struct wr *rsp)
{
    const struct iot_switch f = { execute_function, TAG_EXECUTE_FALLBACK, true, check_execute };

    return iot_run_switch(s->euicc, &f, body, rsp);
}

int es10b_return_from_fallback(struct session *s, struct rd body, struct wr *rsp)
{
    const struct iot_switch f = { return_function, TAG_RETURN_FROM_FALLBACK, true, check_return };

    return iot_run_switch(s->euicc, &f, body, rsp);
}
