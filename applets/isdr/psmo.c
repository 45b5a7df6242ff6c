/* psmo.c - the Profile State Management Operations of a eUICC Package (SGP.32 2.11.1.1.3, 3.4).
 *
 * Enabling and disabling mark: profiles are switched when the package has ended.  Deleting happens
 * at once, and for it a profile counts as enabled from its mark, or until the end. */
#include "applets/isdr/addresses.h"
#include "applets/isdr/es10.h"
#include "applets/isdr/euicc_package.h"
#include "applets/isdr/fallback.h"
#include "applets/isdr/immediate_enable.h"
#include "applets/isdr/profile_info.h"
#include "applets/isdr/profile_state.h"

enum {
    TAG_ENABLE = 0xA3, /* Psmo */
    TAG_DISABLE = 0xA4,
    TAG_DELETE = 0xA5,
    TAG_GET_RAT_PSMO = 0xA6, /* and its result */
    TAG_IMMEDIATE_ENABLE_PSMO = 0xA7,
    TAG_SET_FALLBACK = 0xA8,
    TAG_UNSET_FALLBACK = 0xA9,

    TAG_ENABLE_RESULT = 0x83, /* EuiccResultData */
    TAG_DISABLE_RESULT = 0x84,
    TAG_DELETE_RESULT = 0x85,
    TAG_IMMEDIATE_ENABLE_RESULT = 0x87,
    TAG_SET_FALLBACK_RESULT = 0x8D,
    TAG_UNSET_FALLBACK_RESULT = 0x8E,

    TAG_ROLLBACK_FLAG = 0x05,       /* NULL */
    TAG_ROLLBACK_FLAG_OTHER = 0x81, /* as some eIMs write it */
};

enum psmo_result { /* beside enum state_result */
                   ROLLBACK_NOT_AVAILABLE = 20,
                   RETURN_FALLBACK_PROFILE = 21,
};

static const struct state_function enable_psmo = { "PSMO enable", "profileNotInDisabledState",
                                                   "SGP.32 3.4.1" };
static const struct state_function disable_psmo = { "PSMO disable", "profileNotInEnabledState",
                                                    "SGP.32 3.4.2" };
static const struct state_function delete_psmo = { "PSMO delete", "profileNotInDisabledState",
                                                   "SGP.32 3.4.3" };

/* Traces the refusal and returns its code. */
static int refuse(const struct package *p, const struct state_function *f, int code,
                  const char *why)
{
    static const struct result_name names[] = {
        { PROFILE_CHANGE_ONGOING, "profileChangeOngoing" },
        { ROLLBACK_NOT_AVAILABLE, "rollbackNotAvailable" },
        { RETURN_FALLBACK_PROFILE, "returnFallbackProfile" },
    };
    return es10_refuse(p->e, f->name, names, N_ELEMS(names), code, why, f->clause);
}

/* --- enable, disable, delete ------------------------------------------------------------------ */

/* Results have no wrongProfileReenabling; up to v1.0 there are no more than the first three. */
static int code_of_version(const struct package *p, int code)
{
    bool is_old = code >= ES10_OK && code <= PROFILE_NOT_IN_RIGHT_STATE;

    if (code == WRONG_PROFILE_REENABLING || (!is_old && !iot_at_least(p->e, IOT_V1_1)))
        return UNDEFINED_ERROR;
    return code;
}

static int find_target(const struct package *p, struct rd body, struct profile *ret,
                       bool *ret_found)
{
    struct tlv iccid;
    uint16_t index;

    *ret_found = false;
    if (!tlv_find(body, TAG_ICCID, &iccid) || iccid.value.n != ICCID_LEN)
        return ERR_INPUT;
    TRY(profile_find_iccid(p->e, iccid.value, &index));
    return index == NO_PROFILE ? 0 : profile_load(p->e, index, ret, ret_found);
}

/* What the operations on a profile have in common: its ICCID and the result element. */
static int run_on_profile(struct package *p, struct rd body, struct wr *result, uint32_t tag,
                          const struct state_function *f,
                          int (*act)(struct package *, const struct profile *, struct rd))
{
    struct profile target;
    bool found;
    int code;

    TRY(find_target(p, body, &target, &found));
    if (!found) {
        code = state_refuse(p->e, f, ICCID_OR_AID_NOT_FOUND, "there is no such profile");
    } else {
        code = act(p, &target, body);
        profile_done(&target);
    }
    return code < 0 ? code : package_put_code(result, tag, code_of_version(p, code));
}

/* With rollbackFlag the way back leads to what is enabled before the package. */
static int grant_rollback(const struct package *p, const struct profile *target,
                          struct profile_switch *next)
{
    if (p->before.enabled == NO_PROFILE || p->before.enabled == target->index)
        return refuse(p, &enable_psmo, ROLLBACK_NOT_AVAILABLE,
                      "no other profile is enabled to which there could be a way back");
    next->rolls_back = p->before.enabled;
    next->grant = p->sequence;
    return 0;
}

static int enable_target(struct package *p, const struct profile *target, struct rd body)
{
    struct profile_switch next;
    struct tlv flag;

    if (p->enables)
        return refuse(p, &enable_psmo, UNDEFINED_ERROR, "the package has enabled one already");
    TRY(state_check_enable(p->e, &enable_psmo, &p->next, target, &next));
    if (tlv_find(body, TAG_ROLLBACK_FLAG, &flag) || tlv_find(body, TAG_ROLLBACK_FLAG_OTHER, &flag))
        TRY(grant_rollback(p, target, &next));
    TRY(state_check_refresh(p->e, &enable_psmo, true));
    p->next = next;
    p->enables = true;
    return 0;
}

static int disable_target(struct package *p, const struct profile *target, struct rd body)
{
    struct profile_switch next;

    (void)body;
    if (p->enables || p->disables)
        return refuse(p, &disable_psmo, UNDEFINED_ERROR,
                      "the package has enabled or disabled one already");
    TRY(state_check_disable(p->e, &disable_psmo, &p->next, target, &next));
    TRY(state_check_refresh(p->e, &disable_psmo, true));
    p->next = next;
    p->disables = true;
    return 0;
}

static int delete_target(struct package *p, const struct profile *target, struct rd body)
{
    (void)body;
    if (target->index == p->next.rolls_back)
        return refuse(p, &delete_psmo, ROLLBACK_NOT_AVAILABLE,
                      "it is the profile that ProfileRollback would bring back");
    if (target->index == p->next.returns)
        return refuse(p, &delete_psmo, RETURN_FALLBACK_PROFILE,
                      "it is the profile that ReturnFromFallback would bring back");
    TRY(state_check_delete(p->e, &delete_psmo, &p->before, target));
    TRY(state_check_delete(p->e, &delete_psmo, &p->next, target));
    p->deletes = true;
    return profile_delete(p->e, target, &p->next);
}

static int psmo_enable(struct package *p, struct rd body, struct wr *result)
{
    return run_on_profile(p, body, result, TAG_ENABLE_RESULT, &enable_psmo, enable_target);
}

static int psmo_disable(struct package *p, struct rd body, struct wr *result)
{
    return run_on_profile(p, body, result, TAG_DISABLE_RESULT, &disable_psmo, disable_target);
}

static int psmo_delete(struct package *p, struct rd body, struct wr *result)
{
    return run_on_profile(p, body, result, TAG_DELETE_RESULT, &delete_psmo, delete_target);
}

/* --- listProfileInfo, getRAT ------------------------------------------------------------------ */

static int psmo_list_profile_info(struct package *p, struct rd body, struct wr *result)
{
    static const struct state_function list_psmo = { "PSMO listProfileInfo", "", "SGP.32 3.4.4" };

    if (!p->enables && !p->disables && !p->deletes)
        return profile_infos_put(p->e, body, result);
    int code = refuse(p, &list_psmo, PROFILE_CHANGE_ONGOING,
                      "the package has enabled, disabled or deleted one already");
    es10_put_result(result, TAG_GET_PROFILES_INFO, TAG_CTX_1, code);
    return code;
}

static int psmo_get_rat(struct package *p, struct rd body, struct wr *result)
{
    (void)body;
    struct wr_mark table = tlv_open(result, TAG_GET_RAT_PSMO);
    TRY(setting_rat(&p->e->settings, result));
    tlv_close(result, table);
    return 0;
}

/* --- configuration ---------------------------------------------------------------------------- */

static int psmo_configure_immediate_enable(struct package *p, struct rd body, struct wr *result)
{
    int code =
        immediate_enable_configure(p->e, body, "PSMO configureImmediateEnable", "SGP.32 3.4.5");

    return code < 0 ? code : package_put_code(result, TAG_IMMEDIATE_ENABLE_RESULT, code);
}

static int psmo_set_fallback_attribute(struct package *p, struct rd body, struct wr *result)
{
    static const struct state_function f = { "PSMO setFallbackAttribute", "", "SGP.32 3.4.6" };
    struct profile target;
    bool found;

    TRY(find_target(p, body, &target, &found));
    if (!found)
        return package_put_code(
            result, TAG_SET_FALLBACK_RESULT,
            state_refuse(p->e, &f, ICCID_OR_AID_NOT_FOUND, "there is no such profile"));
    int code = fallback_set(p->e, &target, (struct fallback_states){ &p->before, &p->next });
    profile_done(&target);
    return code < 0 ? code : package_put_code(result, TAG_SET_FALLBACK_RESULT, code);
}

static int psmo_unset_fallback_attribute(struct package *p, struct rd body, struct wr *result)
{
    (void)body;
    int code = fallback_unset(p->e, (struct fallback_states){ &p->before, &p->next });
    return code < 0 ? code : package_put_code(result, TAG_UNSET_FALLBACK_RESULT, code);
}

static int psmo_set_default_dp_address(struct package *p, struct rd body, struct wr *result)
{
    int code = addresses_set_default_dp(p->e, body, "SGP.32 5.9.25");

    if (code < 0)
        return code;
    es10_put_result(result, TAG_IOT_SET_DEFAULT_DP_ADDRESS, TAG_CTX_0, code);
    return code;
}

/* --- the table -------------------------------------------------------------------------------- */

const struct package_operation psmo_operations[] = {
    { TAG_ENABLE, "PSMO enable", psmo_enable, "SGP.32 3.4.1", IOT_V1_0 },
    { TAG_DISABLE, "PSMO disable", psmo_disable, "SGP.32 3.4.2", IOT_V1_0 },
    { TAG_DELETE, "PSMO delete", psmo_delete, "SGP.32 3.4.3", IOT_V1_0 },
    { TAG_GET_PROFILES_INFO, "PSMO listProfileInfo", psmo_list_profile_info, "SGP.32 3.4.4",
      IOT_V1_0 },
    { TAG_GET_RAT_PSMO, "PSMO getRAT", psmo_get_rat, "SGP.32 2.11.1.1.3", IOT_V1_0 },
    { TAG_IMMEDIATE_ENABLE_PSMO, "PSMO configureImmediateEnable", psmo_configure_immediate_enable,
      "SGP.32 3.4.5", IOT_V1_0 },
    { TAG_SET_FALLBACK, "PSMO setFallbackAttribute", psmo_set_fallback_attribute, "SGP.32 3.4.6",
      IOT_V1_1 },
    { TAG_UNSET_FALLBACK, "PSMO unsetFallbackAttribute", psmo_unset_fallback_attribute,
      "SGP.32 3.4.7", IOT_V1_1 },
    { TAG_IOT_SET_DEFAULT_DP_ADDRESS, "PSMO setDefaultDpAddress", psmo_set_default_dp_address,
      "SGP.32 5.9.25", IOT_V1_1 },
};
const size_t psmo_n_operations = N_ELEMS(psmo_operations);
