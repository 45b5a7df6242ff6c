/* codes.h - names of result codes, as SGP.22 spells them. */
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
    CODES_ENABLE,              /* enableResult, 5.7.16 */
    CODES_DISABLE,             /* disableResult, 5.7.17 */
    CODES_DELETE,              /* deleteResult, 5.7.18 */
    CODES_RESET,               /* resetResult, 5.7.19 */
    CODES_NICKNAME,            /* setNicknameResult, 5.7.21 */
    CODES_PROFILE_LIST,        /* ProfileInfoListError, 5.7.15 */
    CODES_NOTIFICATIONS,       /* notificationsListResultError, 5.7.10 */
    CODES_NOTIFICATION_SENT,   /* deleteNotificationStatus, 5.7.11 */
    CODES_PROFILE_CLASS,       /* ProfileClass */
    CODES_PROFILE_STATE,       /* ProfileState */
};

/* "iccidOrAidNotFound", or "unknown" for a code that the standard does not name. */
const char *code_name(enum code_list list, long code);

/* "install", "enable", "disable", "delete" for the first of these bits that is set. */
const char *event_name(uint32_t events);

#endif
