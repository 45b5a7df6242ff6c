/* es10.h - the functions that the ISD-R offers to an LPA (SGP.22 5.7), one a request tag.
 *
 * Each takes the contents of its request and writes its whole response.  0: the response stands,
 * with status word 9000, whatever result code is in it; positive: a status word instead; negative:
 * a fault.  A request whose structure is broken is ERR_INPUT (6A80). */
#ifndef APPLETS_ISDR_ES10_H
#define APPLETS_ISDR_ES10_H

#include "os/session.h"
#include "os/tlv.h"

typedef int es10_fn(struct session *s, struct rd body, struct wr *rsp);

enum es10_tag {
    TAG_GET_EUICC_INFO1 = 0xBF20,
    TAG_PREPARE_DOWNLOAD = 0xBF21,
    TAG_GET_EUICC_INFO2 = 0xBF22,
    TAG_LIST_NOTIFICATION = 0xBF28,
    TAG_SET_NICKNAME = 0xBF29,
    TAG_RETRIEVE_NOTIFICATIONS_LIST = 0xBF2B,
    TAG_GET_PROFILES_INFO = 0xBF2D,
    TAG_GET_EUICC_CHALLENGE = 0xBF2E,
    TAG_NOTIFICATION_SENT = 0xBF30,
    TAG_ENABLE_PROFILE = 0xBF31,
    TAG_DISABLE_PROFILE = 0xBF32,
    TAG_DELETE_PROFILE = 0xBF33,
    TAG_EUICC_MEMORY_RESET = 0xBF34,
    TAG_LOAD_CRL = 0xBF35,
    TAG_BOUND_PROFILE_PACKAGE = 0xBF36,
    TAG_AUTHENTICATE_SERVER = 0xBF38,
    TAG_EUICC_CONFIGURED_ADDRESSES = 0xBF3C,
    TAG_GET_EID = 0xBF3E,
    TAG_SET_DEFAULT_DP_ADDRESS = 0xBF3F,
    TAG_CANCEL_SESSION = 0xBF41,
    TAG_LPAE_ACTIVATION = 0xBF42,
    TAG_GET_RAT = 0xBF43,

    /* SGP.32 5.9 */
    TAG_EUICC_PACKAGE = 0xBF51,
    TAG_GET_EIM_CONFIGURATION_DATA = 0xBF55,
    TAG_GET_CERTS = 0xBF56,
    TAG_ADD_INITIAL_EIM = 0xBF57,
    TAG_PROFILE_ROLLBACK = 0xBF58,
    TAG_CONFIGURE_IMMEDIATE_ENABLE = 0xBF59,
    TAG_IMMEDIATE_ENABLE = 0xBF5A,
    TAG_ENABLE_EMERGENCY_PROFILE = 0xBF5B,
    TAG_DISABLE_EMERGENCY_PROFILE = 0xBF5C,
    TAG_EXECUTE_FALLBACK = 0xBF5D,
    TAG_RETURN_FROM_FALLBACK = 0xBF5E,
    TAG_GET_CONNECTIVITY_PARAMETERS = 0xBF5F,
    TAG_IOT_MEMORY_RESET = 0xBF64,
    TAG_IOT_SET_DEFAULT_DP_ADDRESS = 0xBF65,
};

/* Tags that several functions share. */
enum {
    TAG_INTEGER = 0x02,
    TAG_OCTET_STRING = 0x04,
    TAG_OID = 0x06,
    TAG_UTF8 = 0x0C,
    TAG_SEQUENCE = 0x30,
    TAG_AID_4F = 0x4F,
    TAG_ICCID = 0x5A,
    TAG_TAG_LIST = 0x5C,
    TAG_OTPK = 0x5F49,
    TAG_SIGNATURE = 0x5F37,
    TAG_CTX_0 = 0x80,
    TAG_CTX_1 = 0x81,
    TAG_CTX_2 = 0x82,
    TAG_CTX_3 = 0x83,
    TAG_CTX_4 = 0x84,
    TAG_CHOICE_0 = 0xA0,
    TAG_CHOICE_1 = 0xA1,
    TAG_CHOICE_2 = 0xA2,
};

/* UNDEFINED_ERROR is 127 in every result list of SGP.22. */
enum { ES10_OK = 0, UNDEFINED_ERROR = 127 };

/* One row of a function's result codes. */
struct result_name {
    int code;
    const char *name;
};

/* "FUNCTION: name(code): why (clause)" to the trace; returns code. */
int es10_refuse(const struct euicc *e, const char *function, const struct result_name *names,
                size_t n_names, int code, const char *why, const char *clause);

/* Is this tag in a tag list (5C)? */
bool es10_list_has(struct rd list, uint32_t tag);

/* A response that is nothing but a result code: TAG { inner code }. */
void es10_put_result(struct wr *rsp, uint32_t tag, uint32_t inner, int code);

/* es10a.c: LPAd to ISD-R, discovery (SGP.22 5.7.3, 5.7.4) */
es10_fn es10a_get_euicc_configured_addresses, es10a_set_default_dp_address;

/* es10b.c: profile download (SGP.22 5.7.5, 5.7.7, 5.7.13, 5.7.14) */
es10_fn es10b_get_euicc_challenge, es10b_authenticate_server, es10b_prepare_download,
    es10b_cancel_session;

/* euicc_info.c, rules.c (SGP.22 5.7.8, 5.7.22) */
es10_fn es10b_get_euicc_info1, es10b_get_euicc_info2, es10b_get_rat;

/* notification.c (SGP.22 5.7.9 to 5.7.11) */
es10_fn es10b_list_notification, es10b_retrieve_notifications_list,
    es10b_remove_notification_from_list;

/* crl.c (SGP.22 5.7.12) */
es10_fn es10b_load_crl;

/* es10c.c: local profile management (SGP.22 5.7.16 to 5.7.18, 5.7.20, 5.7.21) */
es10_fn es10c_enable_profile, es10c_disable_profile, es10c_delete_profile, es10c_get_eid,
    es10c_set_nickname;

/* profile_info.c, memory_reset.c (SGP.22 5.7.15, 5.7.19) */
es10_fn es10c_get_profiles_info, es10c_euicc_memory_reset;

/* euicc_package.c, rollback.c (SGP.32 5.9.1, 5.9.16) */
es10_fn es10b_load_euicc_package, es10b_profile_rollback;

/* eim_functions.c (SGP.32 5.9.4, 5.9.18) */
es10_fn es10b_add_initial_eim, es10b_get_eim_configuration_data;

/* immediate_enable.c, fallback.c, emergency.c (SGP.32 5.9.15, 5.9.17, 5.9.20 to 5.9.23) */
es10_fn es10b_configure_immediate_enable, es10b_immediate_enable, es10b_execute_fallback,
    es10b_return_from_fallback, es10b_enable_emergency_profile, es10b_disable_emergency_profile;

/* memory_reset.c, es10a.c, connectivity.c, es10b.c (SGP.32 5.9.5, 5.9.25, 5.9.24, 5.9.10) */
es10_fn es10b_memory_reset, es10b_set_default_dp_address, es10b_get_connectivity_parameters,
    es10b_get_certs;

#endif
