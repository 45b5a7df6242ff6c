/* rollback.c - Profile Rollback (SGP.32 5.9.16).
 *
 * What happens to a grant (struct profile_switch: rolls_back, grant):
 *
 *   PSMO enable with rollbackFlag         granted; back to what is enabled before the package
 *   any other change of what is enabled   ends, since the next state of things begins empty: PSMO
 *     enable and disable, ES10c, ImmediateEnable, ExecuteFallbackMechanism, ReturnFromFallback,
 *     EnableEmergencyProfile, DisableEmergencyProfile
 *   ProfileRollback                       used up
 *   its result is removed                 ends: rollback_forget()
 *   PSMO delete of the profile to return  refused, rollbackNotAvailable(20)
 *     to; ES10c and memory reset          ends: profile_delete()
 *   other packages, other deletions,      stays
 *     power off, a refusal of ProfileRollback */
#include "applets/isdr/rollback.h"

#include "applets/isdr/iot.h"
#include "applets/isdr/package_result.h"
#include "applets/isdr/profile_state.h"

enum { TAG_ROLLBACK_RESULT = 0x8C };

enum { ROLLBACK_NOT_ALLOWED = 1 }; /* ProfileRollbackResponse */

static const struct state_function rollback_function = { "ProfileRollback", "", "SGP.32 5.9.16" };

int rollback_forget(struct euicc *e, uint64_t sequence)
{
    struct profile_switch now;

    TRY(profile_get_switch(e, &now));
    if (now.rolls_back == NO_PROFILE || now.grant != sequence)
        return 0;
    trace_note(&e->trace, "the eIM has the result: ProfileRollback is not allowed any more");
    now.rolls_back = NO_PROFILE;
    now.grant = 0;
    return profile_set_switch(e, &now);
}

static int refuse(const struct euicc *e, const char *why)
{
    static const struct result_name names[] = { { ROLLBACK_NOT_ALLOWED, "rollbackNotAllowed" } };

    return es10_refuse(e, rollback_function.name, names, N_ELEMS(names), ROLLBACK_NOT_ALLOWED, why,
                       rollback_function.clause);
}

/* --- the result ------------------------------------------------------------------------------- */

/* The data of the original result with a number of its own and one element more. */
static int put_data(struct rd original, uint64_t sequence, struct rd *ret_id, struct wr *w)
{
    struct tlv package, ok, data, results, t;

    if (tlv_get(&original, &package) != 0 || !tlv_find(package.value, TAG_CHOICE_0, &ok) ||
        !tlv_find(ok.value, TAG_SEQUENCE, &data) || !tlv_find(data.value, TAG_SEQUENCE, &results) ||
        !tlv_find(data.value, TAG_CTX_0, &t))
        return ERR_NVM;
    *ret_id = t.value;
    struct wr_mark m = tlv_open(w, TAG_SEQUENCE);
    for (struct rd in = data.value; tlv_get(&in, &t) == 0 && t.tag != TAG_CTX_3;)
        wr_put_rd(w, t.whole); /* eimId, counterValue, eimTransactionId */
    tlv_put_uint(w, TAG_CTX_3, sequence);
    struct wr_mark list = tlv_open(w, TAG_SEQUENCE);
    wr_put_rd(w, results.value);
    tlv_put_uint(w, TAG_ROLLBACK_RESULT, ES10_OK);
    tlv_close(w, list);
    tlv_close(w, m);
    return wr_failed(w);
}

/* Signs for the eIM that granted it; one that is associated no more has no token. */
static int add_result(struct euicc *e, struct rd original, uint64_t sequence, struct wr *data,
                      struct wr *rsp)
{
    struct eim eim = { .number = NO_EIM };
    struct rd id;
    bool found;

    int err = put_data(original, sequence, &id, data);
    if (err != 0)
        return FAULT(&e->trace, err, "a package result is damaged");
    TRY(eim_find(e, id, &eim, &found));
    if (!found)
        eim = (struct eim){ .number = NO_EIM };
    err = package_result_add(e, &eim, sequence, wr_view(data), rsp);
    if (found)
        eim_done(&eim);
    return err;
}

/* In place of the original, appends the new result to rsp. */
static int replace_result(struct euicc *e, uint64_t grant, struct wr *rsp, bool *ret_found)
{
    struct wr original, data;
    uint64_t sequence;
    bool existed;

    wr_init_heap(&original, EUICC_MAX_ANSWER);
    wr_init_heap(&data, EUICC_MAX_ANSWER);
    int err = package_result_get(e, grant, &original, ret_found);
    if (err == 0 && *ret_found) {
        err = package_result_remove(e, grant, &existed);
        if (err == 0)
            err = package_result_sequence(e, &sequence);
        if (err == 0)
            err = add_result(e, wr_view(&original), sequence, &data, rsp);
    }
    wr_done(&data);
    wr_done(&original);
    return err;
}

/* --- the function ----------------------------------------------------------------------------- */

/* The state of things after it.  A test profile remembers what its end brings back; PPR1 does not
 * keep a profile that came with a way back. */
static int state_after(struct euicc *e, const struct profile_switch *now,
                       struct profile_switch *ret)
{
    struct profile_switch next = { .enabled = now->rolls_back };
    bool to_test, from_test;

    TRY(profile_is_test(e, now->rolls_back, &to_test));
    TRY(profile_is_test(e, now->enabled, &from_test));
    if (to_test)
        next.resumes = from_test ? now->resumes : now->enabled;
    *ret = next;
    return 0;
}

/* 0, a code, or a fault; the response stays open for the result. */
static int roll_back(struct euicc *e, bool refresh, struct wr *rsp)
{
    struct profile_switch now, next;
    bool found;

    TRY(profile_get_switch(e, &now));
    if (now.rolls_back == NO_PROFILE)
        return refuse(e, "no eIM has granted it");
    TRY(state_check_refresh(e, &rollback_function, refresh));
    TRY(state_after(e, &now, &next));
    size_t at = rsp->n;
    tlv_put_uint(rsp, TAG_INTEGER, ES10_OK);
    TRY(replace_result(e, now.grant, rsp, &found));
    if (!found) {
        rsp->n = at;
        return refuse(e, "the result that granted it is gone");
    }
    TRY(wr_failed(rsp));
    return profile_switch_to(e, &next, refresh ? SWITCH_AND_TELL : SWITCH_SILENTLY, true);
}

int es10b_profile_rollback(struct session *s, struct rd body, struct wr *rsp)
{
    bool refresh;

    if (!iot_refresh_flag(body, &refresh))
        return ERR_INPUT;
    struct wr_mark m = tlv_open(rsp, TAG_PROFILE_ROLLBACK);
    int code = roll_back(s->euicc, refresh, rsp);
    if (code < 0)
        return code;
    if (code != ES10_OK)
        tlv_put_uint(rsp, TAG_INTEGER, (uint64_t)code);
    tlv_close(rsp, m);
    return 0;
}
