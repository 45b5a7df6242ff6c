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
#include "applets/isdr/iot.h"
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

/* LpaeActivationRequest shares its tag; there is no LPAe. */
static int ipae_activation(struct session *s, struct rd body, struct wr *rsp)
{
    enum { ACTIVATION_OK = 0, NOT_SUPPORTED = 1, ACTIVATE_IPAE = 1 << 0 };
    struct euicc *e = s->euicc;
    const struct isdr_assistant *assistant = isdr_state(e)->assistant;
    uint32_t option = 0;
    struct tlv t;

    if (tlv_find(body, TAG_CTX_0, &t))
        TRY(tlv_bits(t.value, &option));
    bool supported = assistant != NULL && (option & ACTIVATE_IPAE);
    if (supported)
        TRY(assistant->activate(e));
    es10_put_result(rsp, TAG_LPAE_ACTIVATION, TAG_CTX_0, supported ? ACTIVATION_OK : NOT_SUPPORTED);
    return 0;
}

enum { EVERY_EUICC = -1 };

static const struct es10_function {
    uint32_t tag;
    const char *name;
    es10_fn *run;
    const char *spec;
    int since;                      /* enum iot_version; EVERY_EUICC: also where iot=off */
    enum { CHANGES, LOOKS } access; /* LOOKS: also while the IPAe is at work */
} es10_functions[] = {
    { TAG_GET_EUICC_INFO1, "GetEUICCInfo1", es10b_get_euicc_info1, "SGP.22 5.7.8", EVERY_EUICC,
      LOOKS },
    { TAG_PREPARE_DOWNLOAD, "PrepareDownload", es10b_prepare_download, "SGP.22 5.7.5", EVERY_EUICC,
      CHANGES },
    { TAG_GET_EUICC_INFO2, "GetEUICCInfo2", es10b_get_euicc_info2, "SGP.22 5.7.8", EVERY_EUICC,
      LOOKS },
    { TAG_LIST_NOTIFICATION, "ListNotification", es10b_list_notification, "SGP.22 5.7.9",
      EVERY_EUICC, LOOKS },
    { TAG_SET_NICKNAME, "SetNickname", es10c_set_nickname, "SGP.22 5.7.21", EVERY_EUICC, CHANGES },
    { TAG_RETRIEVE_NOTIFICATIONS_LIST, "RetrieveNotificationsList",
      es10b_retrieve_notifications_list, "SGP.22 5.7.10", EVERY_EUICC, LOOKS },
    { TAG_GET_PROFILES_INFO, "GetProfilesInfo", es10c_get_profiles_info, "SGP.22 5.7.15",
      EVERY_EUICC, LOOKS },
    { TAG_GET_EUICC_CHALLENGE, "GetEUICCChallenge", es10b_get_euicc_challenge, "SGP.22 5.7.7",
      EVERY_EUICC, CHANGES },
    { TAG_NOTIFICATION_SENT, "RemoveNotificationFromList", es10b_remove_notification_from_list,
      "SGP.22 5.7.11", EVERY_EUICC, CHANGES },
    { TAG_ENABLE_PROFILE, "EnableProfile", es10c_enable_profile, "SGP.22 5.7.16", EVERY_EUICC,
      CHANGES },
    { TAG_DISABLE_PROFILE, "DisableProfile", es10c_disable_profile, "SGP.22 5.7.17", EVERY_EUICC,
      CHANGES },
    { TAG_DELETE_PROFILE, "DeleteProfile", es10c_delete_profile, "SGP.22 5.7.18", EVERY_EUICC,
      CHANGES },
    { TAG_EUICC_MEMORY_RESET, "eUICCMemoryReset", es10c_euicc_memory_reset, "SGP.22 5.7.19",
      EVERY_EUICC, CHANGES },
    { TAG_LOAD_CRL, "LoadCRL", es10b_load_crl, "SGP.22 5.7.12", EVERY_EUICC, CHANGES },
    { TAG_AUTHENTICATE_SERVER, "AuthenticateServer", es10b_authenticate_server, "SGP.22 5.7.13",
      EVERY_EUICC, CHANGES },
    { TAG_EUICC_CONFIGURED_ADDRESSES, "GetEuiccConfiguredAddresses",
      es10a_get_euicc_configured_addresses, "SGP.22 5.7.3", EVERY_EUICC, LOOKS },
    { TAG_GET_EID, "GetEID", es10c_get_eid, "SGP.22 5.7.20", EVERY_EUICC, LOOKS },
    { TAG_SET_DEFAULT_DP_ADDRESS, "SetDefaultDpAddress", es10a_set_default_dp_address,
      "SGP.22 5.7.4", EVERY_EUICC, CHANGES },
    { TAG_CANCEL_SESSION, "CancelSession", es10b_cancel_session, "SGP.22 5.7.14", EVERY_EUICC,
      CHANGES },
    { TAG_LPAE_ACTIVATION, "LpaeActivation, IpaeActivation", ipae_activation,
      "SGP.22 5.7.1, SGP.32 3.8.4", EVERY_EUICC, LOOKS },
    { TAG_GET_RAT, "GetRAT", es10b_get_rat, "SGP.22 5.7.22", EVERY_EUICC, LOOKS },
    { TAG_EUICC_PACKAGE, "LoadEuiccPackage", es10b_load_euicc_package, "SGP.32 5.9.1", IOT_V1_0,
      CHANGES },
    { TAG_PROFILE_ROLLBACK, "ProfileRollback", es10b_profile_rollback, "SGP.32 5.9.16", IOT_V1_0,
      CHANGES },
    { TAG_GET_EIM_CONFIGURATION_DATA, "GetEimConfigurationData", es10b_get_eim_configuration_data,
      "SGP.32 5.9.18", IOT_V1_0, LOOKS },
    { TAG_GET_CERTS, "GetCerts", es10b_get_certs, "SGP.32 5.9.10", IOT_V1_0, LOOKS },
    { TAG_ADD_INITIAL_EIM, "AddInitialEim", es10b_add_initial_eim, "SGP.32 5.9.4", IOT_V1_0,
      CHANGES },
    { TAG_CONFIGURE_IMMEDIATE_ENABLE, "ConfigureImmediateProfileEnabling",
      es10b_configure_immediate_enable, "SGP.32 5.9.17", IOT_V1_0, CHANGES },
    { TAG_IMMEDIATE_ENABLE, "ImmediateEnable", es10b_immediate_enable, "SGP.32 5.9.15", IOT_V1_0,
      CHANGES },
    { TAG_ENABLE_EMERGENCY_PROFILE, "EnableEmergencyProfile", es10b_enable_emergency_profile,
      "SGP.32 5.9.22", IOT_V1_1, CHANGES },
    { TAG_DISABLE_EMERGENCY_PROFILE, "DisableEmergencyProfile", es10b_disable_emergency_profile,
      "SGP.32 5.9.23", IOT_V1_1, CHANGES },
    { TAG_EXECUTE_FALLBACK, "ExecuteFallbackMechanism", es10b_execute_fallback, "SGP.32 5.9.20",
      IOT_V1_1, CHANGES },
    { TAG_RETURN_FROM_FALLBACK, "ReturnFromFallback", es10b_return_from_fallback, "SGP.32 5.9.21",
      IOT_V1_1, CHANGES },
    { TAG_GET_CONNECTIVITY_PARAMETERS, "GetConnectivityParameters",
      es10b_get_connectivity_parameters, "SGP.32 5.9.24", IOT_V1_1, LOOKS },
    { TAG_IOT_MEMORY_RESET, "eUICCMemoryReset", es10b_memory_reset, "SGP.32 5.9.5", IOT_V1_1,
      CHANGES },
    { TAG_IOT_SET_DEFAULT_DP_ADDRESS, "SetDefaultDpAddress", es10b_set_default_dp_address,
      "SGP.32 5.9.25", IOT_V1_1, CHANGES },
};

/* The function of this tag that this card has, or NULL. */
static const struct es10_function *find_function(const struct euicc *e, uint32_t tag)
{
    for (size_t i = 0; i < N_ELEMS(es10_functions); i++) {
        const struct es10_function *f = &es10_functions[i];
        if (f->tag == tag &&
            (f->since == EVERY_EUICC || iot_at_least(e, (enum iot_version)f->since)))
            return f;
    }
    return NULL;
}

/* Did the terminal declare an LPAd or an IPAd (TS 102 221 11.1.19.2.4, SGP.32 3.8.4)? */
static bool terminal_has_assistant(const struct euicc *e)
{
    enum { TAG_LPA_SUPPORT = 0x83, TAG_IPA_SUPPORT = 0x84 };
    struct rd declared = rd_of(e->terminal_capability, e->terminal_capability_len);
    struct tlv t;

    return tlv_find(declared, TAG_LPA_SUPPORT, &t) || tlv_find(declared, TAG_IPA_SUPPORT, &t);
}

bool isdr_has_active_assistant(const struct euicc *e)
{
    const struct isdr_assistant *assistant = isdr_state(e)->assistant;

    return assistant != NULL && assistant->is_active(e);
}

static bool assistant_is_busy(const struct euicc *e)
{
    return isdr_has_active_assistant(e) && isdr_state(e)->assistant->is_busy(e);
}

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

/* Asked from outside: 0, or the status word that refuses. */
static int check_access(const struct euicc *e, const struct es10_function *f)
{
    if (setting_is(&e->settings, SET_TERMINAL_CAPABILITY, "required") &&
        !terminal_has_assistant(e)) {
        trace_check(&e->trace,
                    "%s: TERMINAL CAPABILITY declared neither LPAd nor IPAd (SGP.32 3.8.4)",
                    f->name);
        return SW_CONDITIONS_OF_USE;
    }
    if (f->access != LOOKS && assistant_is_busy(e)) {
        trace_check(&e->trace, "%s: the IPAe is at work (SGP.32 3.8.2)", f->name);
        return SW_CONDITIONS_OF_USE;
    }
    return 0;
}

/* One whole request. */
static int run_es10(struct session *s, struct rd in, bool from_outside, struct wr *rsp)
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
    const struct es10_function *f = find_function(e, request.tag);
    if (f == NULL) {
        trace_check(&e->trace, "there is no function %X (SGP.22 5.7.2)", request.tag);
        return SW_REFERENCE_NOT_FOUND;
    }
    if (from_outside)
        TRY(check_access(e, f));
    if (!tlv_all_whole(request.value)) {
        trace_check(&e->trace, "%s: a field is no whole TLV (SGP.22 5.7.2)", f->name);
        return ERR_INPUT;
    }
    trace_note(&e->trace, "%s (%s)", f->name, f->spec);
    trace_named(&e->trace, TRACE_REQUEST, f->name, request.whole.p, request.whole.n);
    size_t before = rsp->n;
    int result = f->run(s, request.value, rsp);
    if (result == 0 && wr_failed(rsp) == 0)
        trace_named(&e->trace, TRACE_ANSWER, f->name, rsp->p + before, rsp->n - before);
    if (result == ERR_INPUT)
        trace_check(&e->trace, "%s: a field is missing, broken or beyond its bound (%s)", f->name,
                    f->spec);
    return result;
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

/* A whole request, or the next segment of a Bound Profile Package. */
static int take_request(struct session *s, struct rd in, bool outside, struct wr *rsp)
{
    struct euicc *e = s->euicc;

    if (!bpp_claims(e, in) || (outside && assistant_is_busy(e)))
        return run_es10(s, in, outside, rsp);
    size_t before = rsp->n;
    int result = bpp_take(e, in, rsp);
    if (result == 0 && rsp->n > before)
        trace_named(&e->trace, TRACE_ANSWER, "LoadBoundProfilePackage", rsp->p + before,
                    rsp->n - before);
    return result;
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
    int result = take_request(s, in, true, rsp);
    wr_done(&is->request);
    return result;
}

int isdr_call(struct euicc *e, struct rd request, struct wr *rsp)
{
    struct session inner = { .euicc = e };
    struct isdr *isdr = isdr_state(e);

    isdr->within = true;
    int result = take_request(&inner, request, false, rsp);
    isdr->within = false;
    return result;
}

static void deselect(struct session *s)
{
    struct isdr_session *is = session_data(s);

    wr_done(&is->request);
}

/* ISDRProprietaryApplicationTemplateIoT (SGP.32 5.9). */
static int put_iot_template(struct euicc *e, struct wr *fci)
{
    enum { TAG_IOT_TEMPLATE = 0xE1, IPAE_SUPPORTED = 1 << 0, ENABLED_PROFILE = 1 << 1 };
    uint32_t configuration = isdr_state(e)->assistant != NULL ? IPAE_SUPPORTED : 0;
    uint16_t enabled;

    TRY(profile_enabled(e, &enabled));
    if (enabled != NO_PROFILE)
        configuration |= ENABLED_PROFILE;
    struct wr_mark m = tlv_open(fci, TAG_IOT_TEMPLATE);
    tlv_put_bits(fci, TAG_CTX_0, configuration);
    tlv_close(fci, m);
    return 0;
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
    if (iot_at_least(s->euicc, IOT_V1_1))
        TRY(put_iot_template(s->euicc, fci));
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
    isdr_state(e)->finished.index = NO_PROFILE;
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
