/* codes.h - names of result codes, as SGP.22 and SGP.32 spell them. */
#ifndef LAB_CODES_H
#define LAB_CODES_H

#include "os/buf.h"

enum code_list {
    CODES_AUTHENTICATE_SERVER, /* AuthenticateErrorCode, SGP.22 5.7.13 */
    CODES_PREPARE_DOWNLOAD,    /* DownloadErrorCode, 5.7.5 */
    CODES_CANCEL_SESSION,      /* cancelSessionResponseError, 5.7.14 */
    CODES_CANCEL_REASON,       /* CancelSessionReason, 5.7.14 */
    CODES_BPP_COMMAND,         /* BppCommandId, 2.5.6 */
    CODES_ERROR_REASON,        /* ErrorReason, 2.5.6 */
    CODES_ENABLE,              /* enableResult, 5.7.16, and of a package, SGP.32 2.11.2.1 */
    CODES_DISABLE,             /* disableResult, 5.7.17, likewise */
    CODES_DELETE,              /* deleteResult, 5.7.18, likewise */
    CODES_RESET,               /* resetResult, 5.7.19 */
    CODES_NICKNAME,            /* setNicknameResult, 5.7.21 */
    CODES_PROFILE_LIST,        /* ProfileInfoListError, 5.7.15 */
    CODES_NOTIFICATIONS,       /* notificationsListResultError, 5.7.10 */
    CODES_NOTIFICATION_SENT,   /* deleteNotificationStatus, 5.7.11 */
    CODES_PROFILE_CLASS,       /* ProfileClass */
    CODES_PROFILE_STATE,       /* ProfileState */
    CODES_EUICC_PACKAGE,       /* EuiccPackageErrorCode, SGP.32 2.11.2.1 */
    CODES_CONFIGURE_IMMEDIATE, /* ConfigureImmediateEnableResult, likewise to CODES_TERMINATED */
    CODES_ROLLBACK_RESULT,
    CODES_SET_FALLBACK,
    CODES_UNSET_FALLBACK,
    CODES_DEFAULT_DP,
    CODES_ADD_EIM, /* and addInitialEimError, 5.9.4 */
    CODES_DELETE_EIM,
    CODES_UPDATE_EIM,
    CODES_LIST_EIM,
    CODES_TERMINATED,
    CODES_IOT_RESET, /* resetResult, SGP.32 5.9.5 */
    CODES_IOT_RESET_EIM,
    CODES_IOT_RESET_IMMEDIATE,
    CODES_GET_CERTS,                 /* 5.9.10 */
    CODES_IMMEDIATE_ENABLE,          /* 5.9.15 */
    CODES_PROFILE_ROLLBACK,          /* 5.9.16 */
    CODES_CONFIGURE_IMMEDIATE_ES10B, /* 5.9.17 */
    CODES_EXECUTE_FALLBACK,          /* 5.9.20 */
    CODES_RETURN_FROM_FALLBACK,      /* 5.9.21 */
    CODES_ENABLE_EMERGENCY,          /* 5.9.22 */
    CODES_DISABLE_EMERGENCY,         /* 5.9.23 */
    CODES_CONNECTIVITY,              /* 5.9.24 */
    CODES_IPAE_ACTIVATION,           /* 3.8.4 */
    CODES_DATA_REQUEST,              /* ipaEuiccDataErrorCode, SGP.32 2.11.2.2 */
    CODES_DOWNLOAD_TRIGGER,          /* profileDownloadErrorReason, 2.11.2.3 */
    CODES_EIM_PACKAGE_RESULT,        /* eimPackageResultErrorCode, 5.14.6 */
    CODES_GET_EIM_PACKAGE,           /* eimPackageError, 5.14.5 */
    CODES_PROVIDE_RESULT,            /* provideEimPackageResultError, 5.14.6 */
    CODES_STATE_CHANGE,              /* StateChangeCause, 5.14.5 */
    CODES_ESIPA_INITIATE,            /* initiateAuthenticationErrorEsipa, 5.14.1 */
    CODES_ESIPA_AUTHENTICATE,        /* authenticateClientErrorEsipa, 5.14.3 */
    CODES_ESIPA_PACKAGE,             /* getBoundProfilePackageErrorEsipa, 5.14.2 */
    CODES_ESIPA_CANCEL,              /* cancelSessionError, 5.14.8 */
};

/* "iccidOrAidNotFound", or "unknown" for a code that the standard does not name.  What a list does
 * not say otherwise is "ok" for 0 and "undefinedError" for 127. */
const char *code_name(enum code_list list, long code);

/* Whether the list has a code of this name. */
bool code_is_in(enum code_list list, const char *name);

/* The n-th code of a list that has a name of its own, from 0; false behind the last. */
bool code_at(enum code_list list, size_t n, long *ret_code);

/* What an element of euiccResult is (SGP.32 2.11.2.1). */
struct package_element {
    uint32_t tag;
    const char *name;
    enum code_list codes;
    uint32_t code_tag; /* of the code in it; 0: its contents are the code */
};

/* NULL: there is no such element. */
const struct package_element *package_element_of(uint32_t tag);

/* "install", "enable", "disable", "delete" for the first of these bits that is set. */
const char *event_name(uint32_t events);

#endif
