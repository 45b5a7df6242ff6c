/* emergency.c - EnableEmergencyProfile and DisableEmergencyProfile (SGP.32 5.9.22, 5.9.23): for the
 * time of an eCall another profile is enabled, past all rules, and nobody is notified. */
#include "applets/isdr/iot.h"
#include "applets/isdr/isdr.h"
#include "applets/isdr/profile_state.h"

enum { ECALL_NOT_AVAILABLE = 8 };

static const struct state_function enable_function = { "EnableEmergencyProfile",
                                                       "profileNotInDisabledState",
                                                       "SGP.32 5.9.22" };
static const struct state_function disable_function = { "DisableEmergencyProfile",
                                                        "profileNotInEnabledState",
                                                        "SGP.32 5.9.23" };

static int refuse(const struct euicc *e, const struct state_function *f, int code, const char *why)
{
    const struct result_name names[] = {
        { PROFILE_NOT_IN_RIGHT_STATE, f->not_in_state },
        { ECALL_NOT_AVAILABLE, "ecallNotAvailable" },
    };
    return es10_refuse(e, f->name, names, N_ELEMS(names), code, why, f->clause);
}

static bool is_supported(const struct euicc *e)
{
    return setting_is(&e->settings, SET_ECALL, "on");
}

static int check_enable(struct euicc *e, const struct profile_switch *now,
                        struct profile_switch *ret)
{
    uint16_t index = NO_PROFILE;

    if (now->emergency)
        return refuse(e, &enable_function, PROFILE_NOT_IN_RIGHT_STATE, "it is enabled already");
    if (!is_supported(e))
        return refuse(e, &enable_function, ECALL_NOT_AVAILABLE,
                      "Emergency Profiles are not supported");
    TRY(profile_find_emergency(e, &index));
    if (index == NO_PROFILE)
        return refuse(e, &enable_function, ECALL_NOT_AVAILABLE, "there is no Emergency Profile");
    /* What brings other profiles back waits for its end; only a rollback is granted no more. */
    *ret = *now;
    ret->enabled = index;
    ret->rolls_back = NO_PROFILE;
    ret->emergency = true;
    ret->after_emergency = now->enabled;
    return 0;
}

/* The code ecallNotAvailable is of version 1.3. */
static int check_supported_at_disable(struct euicc *e)
{
    bool has_code = iot_at_least(e, IOT_V1_3);
    uint16_t index;

    if (!is_supported(e))
        return refuse(e, &disable_function, has_code ? ECALL_NOT_AVAILABLE : UNDEFINED_ERROR,
                      "Emergency Profiles are not supported");
    TRY(profile_find_emergency(e, &index));
    if (index == NO_PROFILE && has_code)
        return refuse(e, &disable_function, ECALL_NOT_AVAILABLE, "there is no Emergency Profile");
    return 0;
}

static int check_disable(struct euicc *e, const struct profile_switch *now,
                         struct profile_switch *ret)
{
    if (!now->emergency) {
        TRY(check_supported_at_disable(e));
        return refuse(e, &disable_function, PROFILE_NOT_IN_RIGHT_STATE, "it is not enabled");
    }
    *ret = *now;
    ret->enabled = now->after_emergency;
    ret->rolls_back = NO_PROFILE;
    ret->emergency = false;
    ret->after_emergency = NO_PROFILE;
    return 0;
}

int es10b_enable_emergency_profile(struct session *s, struct rd body, struct wr *rsp)
{
    const struct iot_switch f = { enable_function, TAG_ENABLE_EMERGENCY_PROFILE, false,
                                  check_enable };

    return iot_run_switch(s->euicc, &f, body, rsp);
}

int es10b_disable_emergency_profile(struct session *s, struct rd body, struct wr *rsp)
{
    const struct iot_switch f = { disable_function, TAG_DISABLE_EMERGENCY_PROFILE, true,
                                  check_disable };

    return iot_run_switch(s->euicc, &f, body, rsp);
}
