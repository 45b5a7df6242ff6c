/* iot.h - what the functions of SGP.32 have in common. */
#ifndef APPLETS_ISDR_IOT_H
#define APPLETS_ISDR_IOT_H

#include "applets/isdr/profile_state.h"

/* The versions that differ for a eUICC, oldest first (setting sgp32_version). */
enum iot_version { IOT_V1_0, IOT_V1_1, IOT_V1_2, IOT_V1_3 };

enum { IOT_ECALL_ACTIVE = 104 }; /* the Emergency Profile is enabled (SGP.32 5.9.22) */

/* Does this card speak SGP.32 in this version or a later one?  False with iot=off. */
bool iot_at_least(const struct euicc *e, enum iot_version version);

/* The mandatory refreshFlag of a request: 80, and as some IPAs write it, 01.  False: missing. */
bool iot_refresh_flag(struct rd body, bool *ret);

/* The same as what it means: SWITCH_BY_REFRESH or SWITCH_SILENTLY. */
bool iot_refresh_how(struct rd body, enum switch_how *ret);

/* A function that is a switch from one state of things to another, and its refreshFlag. */
struct iot_switch {
    struct state_function function;
    uint32_t tag;
    bool notify;
    /* 0 with the state that is to be, a result code or a fault. */
    int (*check)(struct euicc *e, const struct profile_switch *now, struct profile_switch *ret);
};
int iot_run_switch(struct euicc *e, const struct iot_switch *f, struct rd body, struct wr *rsp);

#endif
