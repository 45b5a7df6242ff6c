/* es10c.c - local profile management (SGP.22 5.7.15 to 5.7.21). */
#include <string.h>

#include "applets/ecasd/ecasd.h"
#include "applets/isdr/addresses.h"
#include "applets/isdr/es10.h"
#include "applets/isdr/isdr.h"
#include "applets/isdr/notification.h"

enum {
    TAG_PROFILE_INFO = 0xE3,
    TAG_PROFILE_STATE = 0x9F70,
    TAG_NICKNAME = 0x90,
    TAG_CLASS = 0x95,
    TAG_METADATA_DP = 0xB8,
};

/* --- GetProfilesInfo (SGP.22 5.7.15) --- */

enum { INCORRECT_INPUT_VALUES = 1 }; /* ProfileInfoListError */

/* ProfileInfo, in the order of its ASN.1: what stands where, and what is told unasked. */
enum info_source { FROM_METADATA, FROM_STATE };
static const struct info_field {
    uint32_t tag;
    enum info_source source;
    bool unasked;
} info_fields[] = {
    { TAG_ICCID, FROM_METADATA, true },
    { TAG_AID_4F, FROM_STATE, true },
    { TAG_PROFILE_STATE, FROM_STATE, true },
    { TAG_NICKNAME, FROM_STATE, true },
    { 0x91, FROM_METADATA, true }, /* serviceProviderName */
    { 0x92, FROM_METADATA, true }, /* profileName */
    { 0x93, FROM_METADATA, true }, /* iconType */
    { 0x94, FROM_METADATA, true }, /* icon */
    { TAG_CLASS, FROM_STATE, true },
    { 0xB6, FROM_METADATA, false }, /* notificationConfigurationInfo */
    { 0xB7, FROM_METADATA, false }, /* profileOwner */
    { TAG_METADATA_DP, FROM_STATE, false },
    { 0x99, FROM_METADATA, false },   /* profilePolicyRules */
    { 0xBF22, FROM_METADATA, false }, /* serviceSpecificDataStoredInEuicc */
    { 0xBF76, FROM_METADATA, false }, /* access rules that Android reads */
};

/* Which profiles, and which of their fields. */
struct info_request {
    bool by_class, by_id;
    uint64_t profile_class;
    uint16_t index; /* by_id */
    bool has_tag_list;
    struct rd tag_list;
};

/* Is this tag in the list?  A list is tags one after the other, of up to three octets. */
static bool list_has(struct rd list, uint32_t tag)
{
    while (list.n > 0) {
        uint32_t one = list.p[0];
        size_t n = 1;
        if ((one & 0x1F) == 0x1F)
            do {
                if (n == list.n)
                    return false;
                one = one << 8 | list.p[n];
            } while ((list.p[n++] & 0x80) && n < 4);
        if (one == tag)
            return true;
        list.p += n;
        list.n -= n;
    }
    return false;
}

static void put_state_field(uint32_t tag, const struct profile *p, bool enabled, struct wr *rsp)
{
    uint8_t aid[AID_MAX_LEN];

    switch (tag) {
    case TAG_AID_4F:
        isdp_aid(p->index, aid);
        tlv_put(rsp, tag, rd_of(aid, sizeof aid));
        break;
    case TAG_PROFILE_STATE:
        tlv_put_u8(rsp, tag, enabled);
        break;
    case TAG_NICKNAME:
        if (p->nickname.n > 0)
            tlv_put(rsp, tag, p->nickname);
        break;
    case TAG_CLASS:
        tlv_put_uint(rsp, tag, p->profile_class);
        break;
    case TAG_METADATA_DP:
        wr_put_rd(rsp, p->dp_proprietary);
        break;
    default:
        break;
    }
}

static void put_info(const struct info_request *r, const struct profile *p, bool enabled,
                     struct wr *rsp)
{
    struct tlv t;

    struct wr_mark m = tlv_open(rsp, TAG_PROFILE_INFO);
    for (size_t i = 0; i < N_ELEMS(info_fields); i++) {
        const struct info_field *f = &info_fields[i];
        if (r->has_tag_list ? !list_has(r->tag_list, f->tag) : !f->unasked)
            continue;
        if (f->source == FROM_STATE)
            put_state_field(f->tag, p, enabled, rsp);
        else if (tlv_find(p->metadata, f->tag, &t))
            tlv_put(rsp, t.tag, t.value);
    }
    tlv_close(rsp, m);
}

static int put_all_infos(struct euicc *e, const struct info_request *r, struct wr *rsp)
{
    uint16_t index = NO_PROFILE, enabled;
    bool found;

    TRY(profile_enabled(e, &enabled));
    for (;;) {
        struct profile p;
        TRY(profile_next(e, &index));
        if (index == NO_PROFILE)
            return 0;
        if (r->by_id && index != r->index)
            continue;
        TRY(profile_load(e, index, &p, &found));
        if (!found)
            return ERR_BUG;
        if (!r->by_class || p.profile_class == r->profile_class)
            put_info(r, &p, index == enabled, rsp);
        profile_done(&p);
    }
}

/* 4F, 5A or 95, bare or within A0.  0 or a ProfileInfoListError. */
static int parse_search(struct euicc *e, struct rd body, struct info_request *r, int *ret_code)
{
    struct tlv criteria, t;
    bool wrapped = tlv_find(body, TAG_CHOICE_0, &criteria);
    struct rd in = wrapped ? criteria.value : body;

    *ret_code = 0;
    if (tlv_find(in, TAG_ICCID, &t)) {
        r->by_id = true;
        *ret_code = t.value.n == ICCID_LEN ? 0 : INCORRECT_INPUT_VALUES;
        return profile_find_iccid(e, t.value, &r->index);
    }
    if (tlv_find(in, TAG_AID_4F, &t)) {
        r->by_id = true;
        *ret_code = t.value.n >= 5 && t.value.n <= AID_MAX_LEN ? 0 : INCORRECT_INPUT_VALUES;
        return profile_find_aid(e, t.value, &r->index);
    }
    if (tlv_find(in, TAG_CLASS, &t)) {
        r->by_class = true;
        if (tlv_uint(t.value, &r->profile_class) != 0 || r->profile_class > CLASS_OPERATIONAL)
            *ret_code = INCORRECT_INPUT_VALUES;
    } else if (wrapped) {
        *ret_code = INCORRECT_INPUT_VALUES;
    }
    return 0;
}

int es10c_get_profiles_info(struct session *s, struct rd body, struct wr *rsp)
{
    static const struct result_name names[] = {
        { INCORRECT_INPUT_VALUES, "incorrectInputValues" },
    };
    struct euicc *e = s->euicc;
    struct info_request r = { 0 };
    struct tlv list;
    int code;

    TRY(parse_search(e, body, &r, &code));
    if (code != 0) {
        es10_refuse(e, "GetProfilesInfo", names, N_ELEMS(names), code,
                    "the search criteria are no ICCID, AID or class", "SGP.22 5.7.15");
        es10_put_result(rsp, TAG_GET_PROFILES_INFO, TAG_CTX_1, code);
        return 0;
    }
    if (tlv_find(body, TAG_TAG_LIST, &list)) {
        r.has_tag_list = true;
        r.tag_list = list.value;
    }
    struct wr_mark m = tlv_open(rsp, TAG_GET_PROFILES_INFO);
    struct wr_mark ok = tlv_open(rsp, TAG_CHOICE_0);
    TRY(put_all_infos(e, &r, rsp));
    tlv_close(rsp, ok);
    tlv_close(rsp, m);
    return 0;
}

/* --- EnableProfile, DisableProfile, DeleteProfile (SGP.22 5.7.16 to 5.7.18) --- */

/* Shared by the three functions. */
enum state_result {
    ICCID_OR_AID_NOT_FOUND = 1,
    PROFILE_NOT_IN_RIGHT_STATE = 2,
    DISALLOWED_BY_POLICY = 3,
    WRONG_PROFILE_REENABLING = 4,
    CAT_BUSY = 5,
};

struct state_function {
    uint32_t tag;
    const char *name, *not_in_state, *clause;
};

static const struct state_function enable_function = { TAG_ENABLE_PROFILE, "EnableProfile",
                                                       "profileNotInDisabledState",
                                                       "SGP.22 5.7.16" };
static const struct state_function disable_function = { TAG_DISABLE_PROFILE, "DisableProfile",
                                                        "profileNotInEnabledState",
                                                        "SGP.22 5.7.17" };
static const struct state_function delete_function = { TAG_DELETE_PROFILE, "DeleteProfile",
                                                       "profileNotInDisabledState",
                                                       "SGP.22 5.7.18" };

static int refuse(const struct euicc *e, const struct state_function *f, int code, const char *why)
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

/* The identifier, bare or within A0, and the profile it means, if there is one. */
static int find_target(struct euicc *e, struct rd body, struct profile *ret, bool *ret_found)
{
    struct tlv choice, t;
    struct rd in = tlv_find(body, TAG_CHOICE_0, &choice) ? choice.value : body;
    uint16_t index;

    *ret_found = false;
    if (tlv_find(in, TAG_ICCID, &t))
        TRY(profile_find_iccid(e, t.value, &index));
    else if (tlv_find(in, TAG_AID_4F, &t))
        TRY(profile_find_aid(e, t.value, &index));
    else
        return ERR_INPUT;
    return index == NO_PROFILE ? 0 : profile_load(e, index, ret, ret_found);
}

/* refreshFlag; absent reads as FALSE. */
static int read_refresh(struct rd body, bool *ret)
{
    struct tlv t;

    *ret = false;
    if (!tlv_find(body, TAG_CTX_1, &t))
        return 0;
    if (t.value.n != 1)
        return ERR_INPUT;
    *ret = t.value.p[0] != 0;
    return 0;
}

/* The terminal did REFRESH: the switch takes effect; or it refused: everything is as before
 * (SGP.22 3.2.1). */
static int refresh_ended(struct euicc *e, bool done)
{
    struct profile_switch *undo = &isdr_state(e)->undo;
    bool existed;

    if (!done && undo->pending) {
        trace_note(&e->trace, "the terminal refused REFRESH: the profile switch is undone");
        TRY(profile_set_switch(e, undo));
        for (uint64_t n = undo->first_notification; n <= undo->last_notification; n++)
            TRY(notification_remove(e, n, &existed));
    }
    undo->pending = false;
    return profile_want_enabled(e);
}

static int notify(struct euicc *e, uint16_t index, enum notification_event event)
{
    struct profile p;
    bool found;

    if (index == NO_PROFILE)
        return 0;
    TRY(profile_load(e, index, &p, &found));
    if (!found)
        return ERR_BUG;
    trace_note(&e->trace, "profile %04X is %s", index,
               event == EVENT_ENABLE ? "enabled" : "disabled");
    int err = notification_add_event(e, &p, event, rd_of(NULL, 0));
    profile_done(&p);
    return err;
}

/* Makes `next` the state of things, with the notifications of both profiles, and REFRESH. */
static int switch_profiles(struct euicc *e, const struct profile_switch *next, bool refresh)
{
    struct profile_switch *undo = &isdr_state(e)->undo;
    struct profile_switch before;
    uint64_t last;

    TRY(profile_get_switch(e, &before));
    TRY(notification_last(e, &last));
    before.first_notification = last + 1;
    TRY(notify(e, before.enabled, EVENT_DISABLE));
    TRY(notify(e, next->enabled, EVENT_ENABLE));
    TRY(profile_set_switch(e, next));
    TRY(notification_last(e, &before.last_notification));
    undo->pending = false;
    if (refresh && cat_queue_refresh(&e->cat, CAT_PROFILE_STATE_CHANGE, refresh_ended)) {
        *undo = before;
        undo->pending = true;
        return 0; /* the files follow when it ends */
    }
    return profile_want_enabled(e);
}

/* The rules between the enabled profile and the one to be.  0 or a state_result. */
static int check_replaced(struct euicc *e, const struct profile_switch *now,
                          const struct profile *target, const struct profile *enabled)
{
    bool to_test = target->profile_class == CLASS_TEST;

    if (enabled->profile_class == CLASS_TEST && !to_test && target->index != now->resumes)
        return refuse(e, &enable_function, WRONG_PROFILE_REENABLING,
                      "a test profile is enabled, and another profile was enabled before it");
    if (enabled->profile_class == CLASS_OPERATIONAL && target->profile_class == CLASS_OPERATIONAL &&
        (enabled->pprs & PPR1_NO_DISABLE))
        return refuse(e, &enable_function, DISALLOWED_BY_POLICY,
                      "PPR1 of the enabled profile forbids that it is disabled");
    return 0;
}

/* 0 with the state of things to be; a state_result; or a fault. */
static int check_enable(struct euicc *e, const struct profile *target, bool refresh,
                        struct profile_switch *next)
{
    struct profile_switch now;
    struct profile enabled;
    bool found = false;

    TRY(profile_get_switch(e, &now));
    if (now.enabled == target->index)
        return refuse(e, &enable_function, PROFILE_NOT_IN_RIGHT_STATE, "it is enabled already");
    *next = (struct profile_switch){ .enabled = target->index };
    if (now.enabled != NO_PROFILE) {
        TRY(profile_load(e, now.enabled, &enabled, &found));
        if (!found)
            return ERR_BUG;
        int code = check_replaced(e, &now, target, &enabled);
        if (target->profile_class == CLASS_TEST)
            next->resumes = enabled.profile_class == CLASS_TEST ? now.resumes : now.enabled;
        profile_done(&enabled);
        if (code != 0)
            return code;
    }
    if (refresh && cat_is_busy(&e->cat))
        return refuse(e, &enable_function, CAT_BUSY, "a proactive session is going on");
    return 0;
}

static int enable_target(struct euicc *e, const struct profile *target, bool refresh)
{
    struct profile_switch next;

    TRY(check_enable(e, target, refresh, &next));
    return switch_profiles(e, &next, refresh);
}

/* 0 with the state of things to be; a state_result; or a fault. */
static int check_disable(struct euicc *e, const struct profile *target, bool refresh,
                         struct profile_switch *next)
{
    struct profile_switch now;

    TRY(profile_get_switch(e, &now));
    if (now.enabled != target->index)
        return refuse(e, &disable_function, PROFILE_NOT_IN_RIGHT_STATE, "it is not enabled");
    if (target->profile_class == CLASS_OPERATIONAL && (target->pprs & PPR1_NO_DISABLE))
        return refuse(e, &disable_function, DISALLOWED_BY_POLICY, "its PPR1 forbids it");
    if (refresh && cat_is_busy(&e->cat))
        return refuse(e, &disable_function, CAT_BUSY, "a proactive session is going on");
    /* The end of a test profile brings back what was enabled before it. */
    *next = (struct profile_switch){ .enabled = now.resumes };
    return 0;
}

static int disable_target(struct euicc *e, const struct profile *target, bool refresh)
{
    struct profile_switch next;

    TRY(check_disable(e, target, refresh, &next));
    return switch_profiles(e, &next, refresh);
}

/* A profile goes, with its notification; and at once as the card's files, whatever comes next. */
static int remove_profile(struct euicc *e, const struct profile *p, struct profile_switch *now)
{
    TRY(notification_add_event(e, p, EVENT_DELETE, rd_of(NULL, 0)));
    TRY(profile_remove(e, p));
    if (e->uicc.mounted == p->index)
        uicc_want(e, NO_PROFILE);
    trace_note(&e->trace, "profile %04X is deleted", p->index);
    if (now->enabled == p->index)
        now->enabled = NO_PROFILE;
    if (now->resumes == p->index)
        now->resumes = NO_PROFILE;
    return 0;
}

static int delete_target(struct euicc *e, const struct profile *target, bool refresh)
{
    struct profile_switch now;

    (void)refresh; /* what is not enabled needs none */

    TRY(profile_get_switch(e, &now));
    if (now.enabled == target->index)
        return refuse(e, &delete_function, PROFILE_NOT_IN_RIGHT_STATE, "it is enabled");
    if (target->pprs & PPR2_NO_DELETE)
        return refuse(e, &delete_function, DISALLOWED_BY_POLICY, "its PPR2 forbids it");
    isdr_state(e)->undo.pending = false;
    TRY(remove_profile(e, target, &now));
    return profile_set_switch(e, &now);
}

/* What the three functions have in common: the target, and the answer.  act gives 0, a state_result
 * or a fault. */
static int run_state_function(struct session *s, struct rd body, struct wr *rsp,
                              const struct state_function *f,
                              int (*act)(struct euicc *, const struct profile *, bool))
{
    struct euicc *e = s->euicc;
    struct profile target;
    bool found, refresh;
    int code;

    TRY(read_refresh(body, &refresh));
    TRY(find_target(e, body, &target, &found));
    if (!found) {
        code = refuse(e, f, ICCID_OR_AID_NOT_FOUND, "there is no such profile");
    } else {
        code = act(e, &target, refresh);
        profile_done(&target);
    }
    if (code < 0)
        return code;
    es10_put_result(rsp, f->tag, TAG_CTX_0, code);
    return 0;
}

int es10c_enable_profile(struct session *s, struct rd body, struct wr *rsp)
{
    return run_state_function(s, body, rsp, &enable_function, enable_target);
}

int es10c_disable_profile(struct session *s, struct rd body, struct wr *rsp)
{
    return run_state_function(s, body, rsp, &disable_function, disable_target);
}

int es10c_delete_profile(struct session *s, struct rd body, struct wr *rsp)
{
    return run_state_function(s, body, rsp, &delete_function, delete_target);
}

/* --- eUICCMemoryReset (SGP.22 5.7.19) --- */

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
            err = remove_profile(e, &p, now);
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
    TRY(notify(e, now->enabled, EVENT_ENABLE));
    TRY(profile_set_switch(e, now));
    return cat_queue_refresh(&e->cat, CAT_UICC_RESET, refresh_ended) ? 0 : profile_want_enabled(e);
}

static int memory_reset(struct euicc *e, uint32_t options)
{
    struct profile_switch now;
    bool any = false, address = false;

    TRY(profile_get_switch(e, &now));
    uint16_t was_enabled = now.enabled;
    isdr_state(e)->undo.pending = false;
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

/* --- GetEID and SetNickname (SGP.22 5.7.20, 5.7.21) --- */

int es10c_get_eid(struct session *s, struct rd body, struct wr *rsp)
{
    struct tlv list;

    if (tlv_find(body, TAG_TAG_LIST, &list) && !list_has(list.value, TAG_ICCID))
        return ERR_INPUT; /* 5A, which means the EID here, is all there is */
    struct wr_mark m = tlv_open(rsp, TAG_GET_EID);
    tlv_put(rsp, TAG_ICCID, rd_of(ecasd_eid(s->euicc), EID_LEN));
    tlv_close(rsp, m);
    return 0;
}

int es10c_set_nickname(struct session *s, struct rd body, struct wr *rsp)
{
    enum { ICCID_NOT_FOUND = 1 };
    static const struct result_name names[] = {
        { ICCID_NOT_FOUND, "iccidNotFound" },
        { UNDEFINED_ERROR, "undefinedError" },
    };
    struct euicc *e = s->euicc;
    struct tlv iccid, nickname;
    struct profile p;
    uint16_t index;
    bool found;
    int code = ES10_OK;

    if (!tlv_find(body, TAG_ICCID, &iccid) || !tlv_find(body, TAG_NICKNAME, &nickname))
        return ERR_INPUT;
    TRY(profile_find_iccid(e, iccid.value, &index));
    if (index == NO_PROFILE) {
        code = es10_refuse(e, "SetNickname", names, N_ELEMS(names), ICCID_NOT_FOUND,
                           "there is no such profile", "SGP.22 5.7.21");
    } else if (nickname.value.n > NICKNAME_MAX || !rd_is_utf8(nickname.value)) {
        code = es10_refuse(e, "SetNickname", names, N_ELEMS(names), UNDEFINED_ERROR,
                           "the nickname is over 64 octets or not UTF-8", "SGP.22 5.7.21");
    } else {
        TRY(profile_load(e, index, &p, &found));
        int err = found ? profile_set_nickname(e, &p, nickname.value) : ERR_BUG;
        profile_done(&p);
        TRY(err);
    }
    es10_put_result(rsp, TAG_SET_NICKNAME, TAG_CTX_0, code);
    return 0;
}
