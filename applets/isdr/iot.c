/* iot.c - what the functions of SGP.32 have in common. */
#include "applets/isdr/iot.h"

bool iot_at_least(const struct euicc *e, enum iot_version version)
{
    uint8_t spoken[3]; /* 1.0.1, 1.1.0, 1.2.0, 1.3.0: the second number is the enum's */

    if (!setting_is(&e->settings, SET_IOT, "on"))
        return false;
    setting_version(&e->settings, SET_SGP32_VERSION, spoken);
    return spoken[0] > 1 || (spoken[0] == 1 && spoken[1] >= (unsigned)version);
}

bool iot_refresh_flag(struct rd body, bool *ret)
{
    enum { UNIVERSAL_BOOLEAN = 0x01 };
    struct tlv flag;

    if (!tlv_find(body, TAG_CTX_0, &flag) && !tlv_find(body, UNIVERSAL_BOOLEAN, &flag))
        return false;
    if (flag.value.n != 1)
        return false;
    *ret = flag.value.p[0] != 0;
    return true;
}

bool iot_refresh_how(struct rd body, enum switch_how *ret)
{
    bool refresh;

    if (!iot_refresh_flag(body, &refresh))
        return false;
    *ret = refresh ? SWITCH_BY_REFRESH : SWITCH_SILENTLY;
    return true;
}

int iot_run_switch(struct euicc *e, const struct iot_switch *f, struct rd body, struct wr *rsp)
{
    struct profile_switch now, next;
    enum switch_how how;

    if (!iot_refresh_how(body, &how))
        return ERR_INPUT;
    TRY(profile_get_switch(e, &now));
    int code = f->check(e, &now, &next);
    if (code == 0)
        code = state_check_refresh(e, &f->function, how == SWITCH_BY_REFRESH);
    if (code == 0)
        code = profile_switch_to(e, &next, how, f->notify);
    if (code < 0)
        return code;
    es10_put_result(rsp, f->tag, TAG_CTX_0, code);
    return 0;
}
