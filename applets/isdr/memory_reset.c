/* memory_reset.c - eUICCMemoryReset (SGP.22 5.7.19, SGP.32 5.9.5). */
#include "applets/isdr/addresses.h"
#include "applets/isdr/es10.h"
#include "applets/isdr/profile_state.h"

enum {
    DELETE_OPERATIONAL = 1 << 0, /* resetOptions */
    DELETE_FIELD_LOADED_TEST = 1 << 1,
    RESET_DEFAULT_DP = 1 << 2,

    NOTHING_TO_DELETE = 1, /* resetResult */
    RESET_CAT_BUSY = 5,
};

static bool reset_takes(uint32_t options, const struct profile *p)
{
    switch (p->profile_class) {
    case CLASS_OPERATIONAL:
        return (options & DELETE_OPERATIONAL) != 0;
    case CLASS_TEST:
        return (options & DELETE_FIELD_LOADED_TEST) != 0 && !p->preloaded;
    default:
        return false;
    }
}

/* Deletes what the options name, whatever its state and rules. */
static int reset_profiles(struct euicc *e, uint32_t options, struct profile_switch *now,
                          bool *ret_any)
{
    uint16_t index = NO_PROFILE;
    bool found;

    for (;;) {
        struct profile p;
        TRY(profile_next(e, &index));
        if (index == NO_PROFILE)
            return 0;
        TRY(profile_load(e, index, &p, &found));
        if (!found)
            return ERR_BUG;
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
    TRY(profile_notify(e, now->enabled, EVENT_ENABLE));
    TRY(profile_set_switch(e, now));
    return profile_refresh_by_reset(e);
}

static int memory_reset(struct euicc *e, uint32_t options)
{
    struct profile_switch now;
    bool any = false, address = false;

    TRY(profile_get_switch(e, &now));
    uint16_t was_enabled = now.enabled;
    TRY(reset_profiles(e, options, &now, &any));
    if (any)
        TRY(settle_after_reset(e, was_enabled, &now));
    if (options & RESET_DEFAULT_DP) {
        TRY(addresses_changed(e, &address));
        TRY(addresses_reset(e));
    }
    return any || address ? ES10_OK : NOTHING_TO_DELETE;
}

int es10c_euicc_memory_reset(struct session *s, struct rd body, struct wr *rsp)
{
    static const struct result_name names[] = {
        { NOTHING_TO_DELETE, "nothingToDelete" },
        { RESET_CAT_BUSY, "catBusy" },
    };
    struct euicc *e = s->euicc;
    struct tlv t;
    uint32_t options;
    int code;

    if (!tlv_find(body, TAG_CTX_2, &t))
        return ERR_INPUT;
    TRY(tlv_bits(t.value, &options));
    if (cat_is_busy(&e->cat))
        code = es10_refuse(e, "eUICCMemoryReset", names, N_ELEMS(names), RESET_CAT_BUSY,
                           "a proactive session is going on", "SGP.22 5.7.19");
    else
        code = memory_reset(e, options);
    if (code < 0)
        return code;
    es10_put_result(rsp, TAG_EUICC_MEMORY_RESET, TAG_CTX_0, code);
    return 0;
}
