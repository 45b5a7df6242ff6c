/* immediate_enable.c - Immediate Profile Enabling: a profile goes live right after its download,
 * without an eIM, when it comes from the SM-DP+ that was agreed on (SGP.32 5.9.15, 5.9.17). */
#include "applets/isdr/immediate_enable.h"

#include "applets/isdr/addresses.h"
#include "applets/isdr/eim.h"
#include "applets/isdr/iot.h"
#include "applets/isdr/isdr.h"
#include "applets/isdr/profile_state.h"

enum {
    TAG_FLAG = TAG_CTX_0,
    TAG_SMDP_OID = TAG_CTX_1,
    TAG_SMDP_ADDRESS = TAG_CTX_2,

    CONFIGURATION_MAX = 512,

    CONFIGURE_INSUFFICIENT_MEMORY = 1, /* configImmediateEnableResult, and of the PSMO */
    CONFIGURE_EIM_EXISTS = 2,
    CONFIGURE_COMMAND_ERROR = 7,

    ENABLE_NOT_AVAILABLE = 1, /* immediateEnableResult */
    ENABLE_NO_SESSION = 4,
};

#define KEY_CONFIGURATION "isdr/immediate-enable"

/* --- configuration ---------------------------------------------------------------------------- */

static int refuse_configuration(const struct euicc *e, const char *who, int code, const char *why,
                                const char *clause)
{
    static const struct result_name names[] = {
        { CONFIGURE_INSUFFICIENT_MEMORY, "insufficientMemory" },
        { CONFIGURE_EIM_EXISTS, "associatedEimAlreadyExists" },
        { CONFIGURE_COMMAND_ERROR, "commandError" },
    };
    return es10_refuse(e, who, names, N_ELEMS(names), code, why, clause);
}

/* OBJECT IDENTIFIER contents: subidentifiers that end, none with leading zeros. */
static bool is_oid(struct rd value)
{
    bool begins = true;

    for (size_t i = 0; i < value.n; i++) {
        if (begins && value.p[i] == 0x80)
            return false;
        begins = (value.p[i] & 0x80) == 0;
    }
    return value.n > 0 && begins;
}

static int store_configuration(struct euicc *e, const struct tlv *oid, const struct tlv *address)
{
    uint8_t octets[CONFIGURATION_MAX];
    struct wr w;

    wr_init(&w, octets, sizeof octets);
    tlv_put(&w, TAG_FLAG, rd_of(NULL, 0));
    if (oid != NULL)
        tlv_put(&w, TAG_SMDP_OID, oid->value);
    if (address != NULL)
        tlv_put(&w, TAG_SMDP_ADDRESS, address->value);
    TRY(wr_failed(&w));
    trace_note(&e->trace, "Immediate Profile Enabling is on");
    return nvm_put(e->nvm, KEY_CONFIGURATION, wr_view(&w));
}

int immediate_enable_configure(struct euicc *e, struct rd fields, const char *who,
                               const char *clause)
{
    struct tlv flag, oid, address;

    if (!setting_is(&e->settings, SET_IMMEDIATE_ENABLE, "on"))
        return refuse_configuration(e, who, CONFIGURE_COMMAND_ERROR,
                                    "Immediate Profile Enabling is not supported", clause);
    bool on = tlv_find(fields, TAG_FLAG, &flag);
    bool has_oid = tlv_find(fields, TAG_SMDP_OID, &oid);
    bool has_address = tlv_find(fields, TAG_SMDP_ADDRESS, &address);
    if (!tlv_all_whole(fields) || (on && flag.value.n != 0) || (has_oid && !is_oid(oid.value)) ||
        (has_address && (address.value.n == 0 || !rd_is_utf8(address.value))))
        return refuse_configuration(e, who, CONFIGURE_COMMAND_ERROR, "a field is broken", clause);
    if ((has_oid && oid.value.n > OID_MAX_LEN) ||
        (has_address && address.value.n > SERVER_ADDRESS_MAX))
        return refuse_configuration(e, who, CONFIGURE_INSUFFICIENT_MEMORY,
                                    "the OID or the address is too long", clause);
    if (!on)
        return immediate_enable_reset(e);
    return store_configuration(e, has_oid ? &oid : NULL, has_address ? &address : NULL);
}

int immediate_enable_reset(struct euicc *e)
{
    return nvm_del(e->nvm, KEY_CONFIGURATION);
}

int es10b_configure_immediate_enable(struct session *s, struct rd body, struct wr *rsp)
{
    static const char name[] = "ConfigureImmediateProfileEnabling", clause[] = "SGP.32 5.9.17";
    struct euicc *e = s->euicc;
    size_t eims;
    int code;

    TRY(eim_count(e, &eims));
    if (eims > 0) {
        code = refuse_configuration(e, name, CONFIGURE_EIM_EXISTS, "an eIM is associated", clause);
    } else {
        code = immediate_enable_configure(e, body, name, clause);
        if (code == CONFIGURE_COMMAND_ERROR) /* which only the PSMO has */
            code = refuse_configuration(e, name, UNDEFINED_ERROR, "it is refused", clause);
    }
    if (code < 0)
        return code;
    es10_put_result(rsp, TAG_CONFIGURE_IMMEDIATE_ENABLE, TAG_CTX_0, code);
    return 0;
}

/* --- ImmediateEnable -------------------------------------------------------------------------- */

static const struct state_function enable_function = { "ImmediateEnable",
                                                       "profileNotInDisabledState",
                                                       "SGP.32 5.9.15" };

static int refuse(const struct euicc *e, int code, const char *why)
{
    static const struct result_name names[] = {
        { ENABLE_NOT_AVAILABLE, "immediateEnableNotAvailable" },
        { ENABLE_NO_SESSION, "noSessionContext" },
    };
    return es10_refuse(e, enable_function.name, names, N_ELEMS(names), code, why,
                       enable_function.clause);
}

/* NULL, or why the download's SM-DP+ is not the one that was agreed on. */
static const char *wrong_server(struct rd configuration, struct rd default_dp,
                                const struct finished_download *download)
{
    struct tlv oid, address;
    bool has_oid = tlv_find(configuration, TAG_SMDP_OID, &oid);

    if (has_oid && !rd_equal(oid.value, rd_of(download->oid, download->oid_len)))
        return "the SM-DP+ has another OID";
    struct rd wanted =
        tlv_find(configuration, TAG_SMDP_ADDRESS, &address) ? address.value : default_dp;
    if (wanted.n == 0)
        return has_oid ? NULL : "no SM-DP+ is configured";
    return rd_equal(wanted, rd_str(download->address)) ? NULL : "the SM-DP+ has another address";
}

/* 0, an immediateEnableResult or a fault. */
static int check_download(struct euicc *e)
{
    const struct finished_download *download = &isdr_state(e)->finished;
    uint8_t octets[CONFIGURATION_MAX], dp[ADDRESS_MAX];
    struct wr configuration, default_dp;
    bool on;

    wr_init(&configuration, octets, sizeof octets);
    wr_init(&default_dp, dp, sizeof dp);
    TRY(nvm_get(e->nvm, KEY_CONFIGURATION, &configuration, &on));
    TRY(addresses_get_default_dp(e, &default_dp));
    if (!on || !setting_is(&e->settings, SET_IMMEDIATE_ENABLE, "on"))
        return refuse(e, ENABLE_NOT_AVAILABLE, "Immediate Profile Enabling is not on");
    if (download->index == NO_PROFILE)
        return refuse(e, ENABLE_NO_SESSION, "no profile was just installed");
    const char *why = wrong_server(wr_view(&configuration), wr_view(&default_dp), download);
    return why != NULL ? refuse(e, ENABLE_NOT_AVAILABLE, why) : 0;
}

static int enable_finished(struct euicc *e, enum switch_how how)
{
    struct profile_switch now, next;
    struct profile target;

    TRY(check_download(e));
    TRY(profile_get_switch(e, &now));
    TRY(profile_get(e, isdr_state(e)->finished.index, &target));
    int code = state_check_enable(e, &enable_function, &now, &target, &next);
    profile_done(&target);
    if (code > 0) /* none of these results is there for it */
        return refuse(e, UNDEFINED_ERROR, "the rules of enabling forbid it");
    if (code < 0)
        return code;
    TRY(state_check_refresh(e, &enable_function, how == SWITCH_BY_REFRESH));
    return profile_switch_to(e, &next, how, true);
}

/* Up to version 1.0 there is no refreshFlag (EnableUsingDD). */
int es10b_immediate_enable(struct session *s, struct rd body, struct wr *rsp)
{
    struct euicc *e = s->euicc;
    enum switch_how how = SWITCH_AND_TELL;

    if (iot_at_least(e, IOT_V1_1) && !iot_refresh_how(body, &how))
        return ERR_INPUT;
    int code = enable_finished(e, how);
    if (code < 0)
        return code;
    es10_put_result(rsp, TAG_IMMEDIATE_ENABLE, TAG_CTX_0, code);
    return 0;
}
