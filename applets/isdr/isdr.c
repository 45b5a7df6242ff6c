/* isdr.c - the ISD-R, the profile manager of the eUICC (SGP.22 2.4.2, 5.7).
 *
 * STORE DATA blocks are joined into one ES10 request per logical channel; the request's outer tag
 * picks a row of es10_functions[], and that function writes its answer.  Pieces of a
 * BoundProfilePackage are no whole TLVs and go to bpp.c as they come.  State here is volatile;
 * what survives a reset is in profile_store.c, notification.c and their like. */
#include "applets/isdr/isdr.h"

#include <string.h>

#include "applets/ecasd/ecasd.h"
#include "applets/isdr/bpp.h"
#include "applets/isdr/es10.h"
#include "asn1/der.h"

enum {
    P1_LAST_BLOCK = 0x80, /* GlobalPlatform 11.11.2.1 */
    REQUEST_MAX = 65535,  /* octets of a joined request */
};

/* Until the channel closes or selects something else. */
struct isdr_session {
    struct wr request; /* blocks so far */
    bool joining;
    unsigned next_block;
    unsigned long last_command; /* of the session that brought a block */
};

static int lpae_activation(struct session *s, struct rd body, struct wr *rsp)
{
    enum { NOT_SUPPORTED = 1 }; /* SGP.22 5.7.1: there is no LPAe */

    (void)s;
    (void)body;
    es10_put_result(rsp, TAG_LPAE_ACTIVATION, TAG_CTX_0, NOT_SUPPORTED);
    return 0;
}

static const struct {
    uint32_t tag;
    const char *name;
    es10_fn *run;
    const char *spec;
} es10_functions[] = {
    { TAG_GET_EUICC_INFO1, "GetEUICCInfo1", es10b_get_euicc_info1, "SGP.22 5.7.8" },
    { TAG_PREPARE_DOWNLOAD, "PrepareDownload", es10b_prepare_download, "SGP.22 5.7.5" },
    { TAG_GET_EUICC_INFO2, "GetEUICCInfo2", es10b_get_euicc_info2, "SGP.22 5.7.8" },
    { TAG_LIST_NOTIFICATION, "ListNotification", es10b_list_notification, "SGP.22 5.7.9" },
    { TAG_SET_NICKNAME, "SetNickname", es10c_set_nickname, "SGP.22 5.7.21" },
    { TAG_RETRIEVE_NOTIFICATIONS_LIST, "RetrieveNotificationsList",
      es10b_retrieve_notifications_list, "SGP.22 5.7.10" },
    { TAG_GET_PROFILES_INFO, "GetProfilesInfo", es10c_get_profiles_info, "SGP.22 5.7.15" },
    { TAG_GET_EUICC_CHALLENGE, "GetEUICCChallenge", es10b_get_euicc_challenge, "SGP.22 5.7.7" },
    { TAG_NOTIFICATION_SENT, "RemoveNotificationFromList", es10b_remove_notification_from_list,
      "SGP.22 5.7.11" },
    { TAG_ENABLE_PROFILE, "EnableProfile", es10c_enable_profile, "SGP.22 5.7.16" },
    { TAG_DISABLE_PROFILE, "DisableProfile", es10c_disable_profile, "SGP.22 5.7.17" },
    { TAG_DELETE_PROFILE, "DeleteProfile", es10c_delete_profile, "SGP.22 5.7.18" },
    { TAG_EUICC_MEMORY_RESET, "eUICCMemoryReset", es10c_euicc_memory_reset, "SGP.22 5.7.19" },
    { TAG_LOAD_CRL, "LoadCRL", es10b_load_crl, "SGP.22 5.7.12" },
    { TAG_AUTHENTICATE_SERVER, "AuthenticateServer", es10b_authenticate_server, "SGP.22 5.7.13" },
    { TAG_EUICC_CONFIGURED_ADDRESSES, "GetEuiccConfiguredAddresses",
      es10a_get_euicc_configured_addresses, "SGP.22 5.7.3" },
    { TAG_GET_EID, "GetEID", es10c_get_eid, "SGP.22 5.7.20" },
    { TAG_SET_DEFAULT_DP_ADDRESS, "SetDefaultDpAddress", es10a_set_default_dp_address,
      "SGP.22 5.7.4" },
    { TAG_CANCEL_SESSION, "CancelSession", es10b_cancel_session, "SGP.22 5.7.14" },
    { TAG_LPAE_ACTIVATION, "LpaeActivation", lpae_activation, "SGP.22 5.7.1" },
    { TAG_GET_RAT, "GetRAT", es10b_get_rat, "SGP.22 5.7.22" },
};

int es10_refuse(const struct euicc *e, const char *function, const struct result_name *names,
                size_t n_names, int code, const char *why, const char *clause)
{
    const char *name = "undefinedError";

    for (size_t i = 0; i < n_names; i++)
        if (names[i].code == code)
            name = names[i].name;
    trace_check(&e->trace, "%s: %s(%d): %s (%s)", function, name, code, why, clause);
    return code;
}

void es10_put_result(struct wr *rsp, uint32_t tag, uint32_t inner, int code)
{
    struct wr_mark m = tlv_open(rsp, tag);
    tlv_put_uint(rsp, inner, (uint64_t)code);
    tlv_close(rsp, m);
}

/* One whole request. */
static int run_es10(struct session *s, struct rd in, struct wr *rsp)
{
    const struct euicc *e = s->euicc;
    struct tlv request;

    if (setting_is(&e->settings, SET_STRICT_DER, "on") && !der_is_canonical(in.p, in.n)) {
        trace_check(&e->trace, "the request is not canonical DER (setting strict_der)");
        return ERR_INPUT;
    }
    if (tlv_get(&in, &request) != 0 || in.n != 0) {
        trace_check(&e->trace, "the request is not one whole TLV (SGP.22 5.7.2)");
        return ERR_INPUT;
    }
    for (size_t i = 0; i < N_ELEMS(es10_functions); i++) {
        if (es10_functions[i].tag != request.tag)
            continue;
        if (!tlv_all_whole(request.value)) {
            trace_check(&e->trace, "%s: a field is no whole TLV (SGP.22 5.7.2)",
                        es10_functions[i].name);
            return ERR_INPUT;
        }
        trace_note(&e->trace, "%s (%s)", es10_functions[i].name, es10_functions[i].spec);
        int result = es10_functions[i].run(s, request.value, rsp);
        if (result == ERR_INPUT)
            trace_check(&e->trace, "%s: a field is missing, broken or beyond its bound (%s)",
                        es10_functions[i].name, es10_functions[i].spec);
        return result;
    }
    trace_check(&e->trace, "there is no function %X (SGP.22 5.7.2)", request.tag);
    return SW_REFERENCE_NOT_FOUND;
}

/* Appends a block.  0, or the status word that refuses it. */
static int join_block(struct session *s, const struct apdu *a)
{
    struct isdr_session *is = session_data(s);
    bool follows = is->joining && is->last_command + 1 == s->commands;

    if (a->p2 == 0 || !follows) {
        wr_clear(&is->request);
        is->next_block = 0;
    }
    is->joining = false;
    if (a->p2 != is->next_block) {
        trace_check(&s->euicc->trace, "STORE DATA: block %u instead of %u (GlobalPlatform 11.11)",
                    a->p2, is->next_block);
        return SW_WRONG_P1P2;
    }
    wr_put(&is->request, a->data, a->lc);
    if (wr_failed(&is->request) != 0) {
        trace_check(&s->euicc->trace, "STORE DATA: the request is beyond %d octets, or memory",
                    REQUEST_MAX);
        return SW_NOT_ENOUGH_MEMORY;
    }
    is->joining = true;
    is->next_block++;
    is->last_command = s->commands;
    return 0;
}

static int store_data(struct session *s, const struct apdu *a, struct wr *rsp)
{
    struct isdr_session *is = session_data(s);

    if (is->request.max == 0)
        wr_init_heap(&is->request, REQUEST_MAX);
    TRY(join_block(s, a));
    if (!(a->p1 & P1_LAST_BLOCK))
        return 0;
    is->joining = false;
    struct rd in = wr_view(&is->request);
    int result = bpp_claims(s->euicc, in) ? bpp_take(s->euicc, in, rsp) : run_es10(s, in, rsp);
    wr_done(&is->request);
    return result;
}

static void deselect(struct session *s)
{
    struct isdr_session *is = session_data(s);

    wr_done(&is->request);
}

/* SGP.22 5.7.1 and 4.1: what Android and other LPAs read before they talk to an ISD-R. */
static int select_isdr(struct session *s, struct wr *fci)
{
    enum { TAG_FCI = 0x6F, TAG_DF_NAME = 0x84, TAG_ISDR_TEMPLATE = 0xE0 };
    uint8_t svn[3];

    setting_version(&s->euicc->settings, SET_RSP_VERSION, svn);
    struct wr_mark m = tlv_open(fci, TAG_FCI);
    tlv_put(fci, TAG_DF_NAME, rd_of(isdr_applet.aid, isdr_applet.aid_len));
    struct wr_mark proprietary = tlv_open(fci, 0xA5);
    tlv_put_u8(fci, 0x9F65, 0xFF); /* GlobalPlatform 11.9.3.1: most data in a command */
    tlv_close(fci, proprietary);
    struct wr_mark template = tlv_open(fci, TAG_ISDR_TEMPLATE);
    tlv_put(fci, TAG_CTX_2, rd_of(svn, sizeof svn));
    tlv_close(fci, template);
    tlv_close(fci, m);
    return 0;
}

static int start(struct euicc *e)
{
    if (!e->read_only)
        TRY(bpp_recover(e));
    return profile_want_enabled(e);
}

static void stop(struct euicc *e)
{
    rsp_end(&isdr_state(e)->rsp);
}

/* What a function said did not come true: its session cannot go on. */
static void not_committed(struct euicc *e)
{
    rsp_end(&isdr_state(e)->rsp);
}

static const struct command isdr_commands[] = {
    { true, 0xE2, 0, "STORE DATA", store_data, "SGP.22 5.7.2" },
    { true, 0xCA, WITH_LE | EITHER_CLA, "GET DATA", ecasd_get_data, "GlobalPlatform 11.3" },
};

const struct applet isdr_applet = {
    .name = "ISD-R",
    .aid = { 0xA0, 0x00, 0x00, 0x05, 0x59, 0x10, 0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0x89, 0x00, 0x00,
             0x01, 0x00 },
    .aid_len = 16,
    .commands = isdr_commands,
    .n_commands = N_ELEMS(isdr_commands),
    .state_size = sizeof(struct isdr),
    .session_size = sizeof(struct isdr_session),
    .start = start,
    .stop = stop,
    .select = select_isdr,
    .deselect = deselect,
    .not_committed = not_committed,
    .free_room = profile_free_room,
    .take_room = profile_take_room,
};
