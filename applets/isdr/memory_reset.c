/* memory_reset.c - eUICCMemoryReset in its two forms (SGP.22 5.7.19, SGP.32 5.9.5). */
#include "applets/isdr/addresses.h"
#include "applets/isdr/eim.h"
#include "applets/isdr/es10.h"
#include "applets/isdr/immediate_enable.h"
#include "applets/isdr/iot.h"
#include "applets/isdr/isdr.h"
#include "applets/isdr/profile_state.h"

enum {
    /* resetOptions of SGP.32; the first three are those of SGP.22 too. */
    DELETE_OPERATIONAL = 1 << 0,
    DELETE_FIELD_LOADED_TEST = 1 << 1,
    RESET_DEFAULT_DP = 1 << 2,
    DELETE_PRELOADED_TEST = 1 << 3,
    DELETE_PROVISIONING = 1 << 4,
    RESET_EIM = 1 << 5,
    RESET_IMMEDIATE_ENABLE = 1 << 6,
    SGP22_OPTIONS = DELETE_OPERATIONAL | DELETE_FIELD_LOADED_TEST | RESET_DEFAULT_DP,
    RESULT_OPTIONS = SGP22_OPTIONS | DELETE_PRELOADED_TEST | DELETE_PROVISIONING, /* resetResult */

    /* The two last ones in version 1.0, which had the tag of SGP.22. */
    V1_0_RESET_EIM = 1 << 3,
    V1_0_RESET_IMMEDIATE_ENABLE = 1 << 4,

    NOTHING_TO_DELETE = 1, /* resetResult, and resetEimResult */
    RESET_CAT_BUSY = 5,
    EIM_RESET_NOT_SUPPORTED = 2,              /* resetEimResult */
    IMMEDIATE_ENABLE_RESET_NOT_SUPPORTED = 1, /* resetImmediateEnableConfigResult */
};

/* What was asked for, and what became of it. */
struct reset {
    uint32_t options;
    const char *clause;
    int result, eim, immediate_enable;
};

static int refuse(const struct euicc *e, const struct reset *r, int code, const char *why)
{
    static const struct result_name names[] = {
        { NOTHING_TO_DELETE, "nothingToDelete" },
        { RESET_CAT_BUSY, "catBusy" },
        { IOT_ECALL_ACTIVE, "ecallActive" },
    };
    return es10_refuse(e, "eUICCMemoryReset", names, N_ELEMS(names), code, why, r->clause);
}

/* --- profiles and the address ----------------------------------------------------------------- */

static bool reset_takes(uint32_t options, const struct profile *p)
{
    switch (p->profile_class) {
    case CLASS_OPERATIONAL:
        return (options & DELETE_OPERATIONAL) != 0;
    case CLASS_TEST:
        return (options & (p->preloaded ? DELETE_PRELOADED_TEST : DELETE_FIELD_LOADED_TEST)) != 0;
    case CLASS_PROVISIONING:
        return (options & DELETE_PROVISIONING) != 0;
    default:
        return false;
    }
}

static int takes_enabled(struct euicc *e, uint32_t options, uint16_t enabled, bool *ret)
{
    struct profile p;

    *ret = false;
    if (enabled == NO_PROFILE)
        return 0;
    TRY(profile_get(e, enabled, &p));
    *ret = reset_takes(options, &p);
    profile_done(&p);
    return 0;
}

/* Deletes what the options name, whatever its state and rules. */
static int reset_profiles(struct euicc *e, uint32_t options, struct profile_switch *now,
                          bool *ret_any)
{
    uint16_t index = NO_PROFILE;

    for (;;) {
        struct profile p;
        TRY(profile_next(e, &index));
        if (index == NO_PROFILE)
            return 0;
        TRY(profile_get(e, index, &p));
        int err = 0;
        if (reset_takes(options, &p)) {
            err = profile_delete(e, &p, now);
            *ret_any = true;
        }
        profile_done(&p);
        TRY(err);
    }
}

/* What stays enabled: the same profile, or the one that a deleted test profile had replaced. */
static int settle_after_reset(struct euicc *e, uint16_t was_enabled, struct profile_switch *now)
{
    if (was_enabled == NO_PROFILE || now->enabled == was_enabled)
        return profile_set_switch(e, now);
    now->enabled = now->resumes;
    now->resumes = NO_PROFILE;
    now->returns = NO_PROFILE;
    TRY(profile_notify(e, now->enabled, EVENT_ENABLE));
    TRY(profile_set_switch(e, now));
    return profile_refresh_by_reset(e);
}

/* Options of resetResult: 0 or NOTHING_TO_DELETE. */
static int reset_what_there_is(struct euicc *e, const struct reset *r, struct profile_switch *now)
{
    uint16_t was_enabled = now->enabled;
    bool any = false, address = false;

    TRY(reset_profiles(e, r->options, now, &any));
    if (any)
        TRY(settle_after_reset(e, was_enabled, now));
    if (r->options & RESET_DEFAULT_DP) {
        TRY(addresses_changed(e, &address));
        TRY(addresses_reset(e));
    }
    return any || address ? ES10_OK : NOTHING_TO_DELETE;
}

/* --- the configuration for eIMs --------------------------------------------------------------- */

static int reset_eim(struct euicc *e, const struct reset *r)
{
    static const struct result_name names[] = {
        { NOTHING_TO_DELETE, "nothingToDelete" },
        { EIM_RESET_NOT_SUPPORTED, "eimResetNotSupported" },
    };
    const char *why = "eIMs cannot be reset";
    int code = EIM_RESET_NOT_SUPPORTED;
    bool any;

    if (setting_is(&e->settings, SET_EIM_RESET, "on")) {
        TRY(eim_delete_all(e, &any));
        if (any)
            return ES10_OK;
        why = "there is no eIM";
        code = NOTHING_TO_DELETE;
    }
    return es10_refuse(e, "eUICCMemoryReset, eIM", names, N_ELEMS(names), code, why, r->clause);
}

static int reset_immediate_enable(struct euicc *e, const struct reset *r)
{
    static const struct result_name names[] = {
        { IMMEDIATE_ENABLE_RESET_NOT_SUPPORTED, "resetIECNotSupported" },
    };

    if (setting_is(&e->settings, SET_IMMEDIATE_ENABLE, "on"))
        return immediate_enable_reset(e);
    return es10_refuse(e, "eUICCMemoryReset, Immediate Enable", names, N_ELEMS(names),
                       IMMEDIATE_ENABLE_RESET_NOT_SUPPORTED,
                       "Immediate Profile Enabling is not supported", r->clause);
}

/* --- all of it -------------------------------------------------------------------------------- */

/* Everything that was asked for, each with its result; in one commit. */
static int reset_all(struct euicc *e, struct reset *r, struct profile_switch *now)
{
    int others = ES10_OK;

    r->result = reset_what_there_is(e, r, now);
    if (r->result < 0)
        return r->result;
    if (r->options & RESET_EIM) {
        r->eim = reset_eim(e, r);
        if (r->eim < 0)
            return r->eim;
        others = r->eim;
    }
    if (r->options & RESET_IMMEDIATE_ENABLE) {
        r->immediate_enable = reset_immediate_enable(e, r);
        if (r->immediate_enable < 0)
            return r->immediate_enable;
        others = others != ES10_OK ? others : r->immediate_enable;
    }
    bool only_others = !(r->options & RESULT_OPTIONS) && r->options != 0;
    if (only_others && others == ES10_OK)
        r->result = ES10_OK;
    if (r->result == NOTHING_TO_DELETE)
        refuse(e, r, NOTHING_TO_DELETE, "there is nothing that the options name");
    const struct isdr_assistant *assistant = isdr_state(e)->assistant;
    return r->result == ES10_OK && assistant != NULL ? assistant->memory_was_reset(e) : 0;
}

/* Nothing at all is done. */
static void refuse_all(const struct euicc *e, struct reset *r, int code, const char *why)
{
    r->result = refuse(e, r, code, why);
    r->eim = r->immediate_enable = UNDEFINED_ERROR;
}

static void put_results(struct wr *rsp, uint32_t tag, const struct reset *r)
{
    struct wr_mark m = tlv_open(rsp, tag);
    tlv_put_uint(rsp, TAG_CTX_0, (uint64_t)r->result);
    if (r->options & RESET_EIM)
        tlv_put_uint(rsp, TAG_CTX_1, (uint64_t)r->eim);
    if (r->options & RESET_IMMEDIATE_ENABLE)
        tlv_put_uint(rsp, TAG_CTX_2, (uint64_t)r->immediate_enable);
    tlv_close(rsp, m);
}

static int read_options(struct rd body, uint32_t *ret)
{
    struct tlv t;

    return tlv_find(body, TAG_CTX_2, &t) ? tlv_bits(t.value, ret) : ERR_INPUT;
}

/* The form of SGP.22, and of SGP.32 in version 1.0, which put two options of its own into it. */
int es10c_euicc_memory_reset(struct session *s, struct rd body, struct wr *rsp)
{
    struct euicc *e = s->euicc;
    struct reset r = { .clause = "SGP.22 5.7.19" };
    struct profile_switch now;
    uint32_t options;

    TRY(read_options(body, &options));
    r.options = options & SGP22_OPTIONS;
    if (iot_at_least(e, IOT_V1_0) && !iot_at_least(e, IOT_V1_1)) {
        r.clause = "SGP.32 5.9.5";
        if (options & V1_0_RESET_EIM)
            r.options |= RESET_EIM;
        if (options & V1_0_RESET_IMMEDIATE_ENABLE)
            r.options |= RESET_IMMEDIATE_ENABLE;
    }
    TRY(profile_get_switch(e, &now));
    if (euicc_cat_is_busy(e))
        refuse_all(e, &r, RESET_CAT_BUSY, "a proactive session is going on");
    else if (now.emergency)
        refuse_all(e, &r, UNDEFINED_ERROR, "the Emergency Profile is enabled");
    else
        TRY(reset_all(e, &r, &now));
    put_results(rsp, TAG_EUICC_MEMORY_RESET, &r);
    return 0;
}

int es10b_memory_reset(struct session *s, struct rd body, struct wr *rsp)
{
    struct euicc *e = s->euicc;
    struct reset r = { .clause = "SGP.32 5.9.5" };
    struct profile_switch now;
    bool needs_refresh;

    TRY(read_options(body, &r.options));
    TRY(profile_get_switch(e, &now));
    TRY(takes_enabled(e, r.options, now.enabled, &needs_refresh));
    if (now.emergency)
        refuse_all(e, &r, IOT_ECALL_ACTIVE, "the Emergency Profile is enabled");
    else if (needs_refresh && euicc_cat_is_busy(e))
        refuse_all(e, &r, RESET_CAT_BUSY, "a proactive session is going on");
    else
        TRY(reset_all(e, &r, &now));
    put_results(rsp, TAG_IOT_MEMORY_RESET, &r);
    return 0;
}
