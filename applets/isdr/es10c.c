/* es10c.c - local profile management (SGP.22 5.7.16 to 5.7.21). */
#include "applets/ecasd/ecasd.h"
#include "applets/isdr/eim.h"
#include "applets/isdr/es10.h"
#include "applets/isdr/metadata.h"
#include "applets/isdr/profile_state.h"

/* --- EnableProfile, DisableProfile, DeleteProfile (SGP.22 5.7.16 to 5.7.18) --- */

static const struct state_function enable_function = { "EnableProfile", "profileNotInDisabledState",
                                                       "SGP.22 5.7.16" };
static const struct state_function disable_function = { "DisableProfile",
                                                        "profileNotInEnabledState",
                                                        "SGP.22 5.7.17" };
static const struct state_function delete_function = { "DeleteProfile", "profileNotInDisabledState",
                                                       "SGP.22 5.7.18" };

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

static int enable_target(struct euicc *e, const struct profile *target, bool refresh)
{
    struct profile_switch now, next;

    TRY(profile_get_switch(e, &now));
    TRY(state_check_enable(e, &enable_function, &now, target, &next));
    TRY(state_check_refresh(e, &enable_function, refresh));
    return profile_switch_to(e, &next, refresh ? SWITCH_BY_REFRESH : SWITCH_SILENTLY, true);
}

static int disable_target(struct euicc *e, const struct profile *target, bool refresh)
{
    struct profile_switch now, next;

    TRY(profile_get_switch(e, &now));
    TRY(state_check_disable(e, &disable_function, &now, target, &next));
    TRY(state_check_refresh(e, &disable_function, refresh));
    return profile_switch_to(e, &next, refresh ? SWITCH_BY_REFRESH : SWITCH_SILENTLY, true);
}

static int delete_target(struct euicc *e, const struct profile *target, bool refresh)
{
    struct profile_switch now;

    (void)refresh; /* what is not enabled needs none */
    TRY(profile_get_switch(e, &now));
    TRY(state_check_delete(e, &delete_function, &now, target));
    TRY(profile_delete(e, target, &now));
    return profile_set_switch(e, &now);
}

/* act gives 0, a state_result or a fault; so does this. */
static int act_on_target(struct euicc *e, struct rd body, const struct state_function *f,
                         int (*act)(struct euicc *, const struct profile *, bool), bool refresh)
{
    struct profile target;
    bool found;
    size_t eims;

    TRY(eim_count(e, &eims));
    if (eims > 0 && setting_is(&e->settings, SET_ES10C_ON_IOT, "refuse"))
        return state_refuse(e, f, UNDEFINED_ERROR,
                            "an eIM manages the profiles (setting es10c_on_iot)");
    TRY(find_target(e, body, &target, &found));
    if (!found)
        return state_refuse(e, f, ICCID_OR_AID_NOT_FOUND, "there is no such profile");
    int code = act(e, &target, refresh);
    profile_done(&target);
    return code;
}

/* What the three functions have in common: the target, and the answer. */
static int run_state_function(struct session *s, struct rd body, struct wr *rsp, uint32_t tag,
                              const struct state_function *f,
                              int (*act)(struct euicc *, const struct profile *, bool))
{
    bool refresh;

    TRY(read_refresh(body, &refresh));
    int code = act_on_target(s->euicc, body, f, act, refresh);
    if (code < 0)
        return code;
    es10_put_result(rsp, tag, TAG_CTX_0, code);
    return 0;
}

int es10c_enable_profile(struct session *s, struct rd body, struct wr *rsp)
{
    return run_state_function(s, body, rsp, TAG_ENABLE_PROFILE, &enable_function, enable_target);
}

int es10c_disable_profile(struct session *s, struct rd body, struct wr *rsp)
{
    return run_state_function(s, body, rsp, TAG_DISABLE_PROFILE, &disable_function, disable_target);
}

int es10c_delete_profile(struct session *s, struct rd body, struct wr *rsp)
{
    return run_state_function(s, body, rsp, TAG_DELETE_PROFILE, &delete_function, delete_target);
}

/* --- GetEID and SetNickname (SGP.22 5.7.20, 5.7.21) --- */

int es10c_get_eid(struct session *s, struct rd body, struct wr *rsp)
{
    struct tlv list;

    if (tlv_find(body, TAG_TAG_LIST, &list) && !es10_list_has(list.value, TAG_ICCID))
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
        TRY(profile_get(e, index, &p));
        int err = profile_set_nickname(e, &p, nickname.value);
        profile_done(&p);
        TRY(err);
    }
    es10_put_result(rsp, TAG_SET_NICKNAME, TAG_CTX_0, code);
    return 0;
}
