/* codes.c - names of result codes, as SGP.22 spells them. */
#include "lab/codes.h"

#include "os/err.h"

static const struct {
    enum code_list list;
    long code;
    const char *name;
} codes[] = {
    { CODES_AUTHENTICATE_SERVER, 1, "invalidCertificate" },
    { CODES_AUTHENTICATE_SERVER, 2, "invalidSignature" },
    { CODES_AUTHENTICATE_SERVER, 3, "unsupportedCurve" },
    { CODES_AUTHENTICATE_SERVER, 4, "noSessionContext" },
    { CODES_AUTHENTICATE_SERVER, 5, "invalidOid" },
    { CODES_AUTHENTICATE_SERVER, 6, "euiccChallengeMismatch" },
    { CODES_AUTHENTICATE_SERVER, 7, "ciPKUnknown" },
    { CODES_AUTHENTICATE_SERVER, 127, "undefinedError" },
    { CODES_PREPARE_DOWNLOAD, 1, "invalidCertificate" },
    { CODES_PREPARE_DOWNLOAD, 2, "invalidSignature" },
    { CODES_PREPARE_DOWNLOAD, 3, "unsupportedCurve" },
    { CODES_PREPARE_DOWNLOAD, 4, "noSessionContext" },
    { CODES_PREPARE_DOWNLOAD, 5, "invalidTransactionId" },
    { CODES_PREPARE_DOWNLOAD, 127, "undefinedError" },
    { CODES_CANCEL_SESSION, 5, "invalidTransactionId" },
    { CODES_CANCEL_SESSION, 127, "undefinedError" },
    { CODES_CANCEL_REASON, 0, "endUserRejection" },
    { CODES_CANCEL_REASON, 1, "postponed" },
    { CODES_CANCEL_REASON, 2, "timeout" },
    { CODES_CANCEL_REASON, 3, "pprNotAllowed" },
    { CODES_CANCEL_REASON, 4, "metadataMismatch" },
    { CODES_CANCEL_REASON, 5, "loadBppExecutionError" },
    { CODES_CANCEL_REASON, 127, "undefinedReason" },
    { CODES_BPP_COMMAND, 0, "initialiseSecureChannel" },
    { CODES_BPP_COMMAND, 1, "configureISDP" },
    { CODES_BPP_COMMAND, 2, "storeMetadata" },
    { CODES_BPP_COMMAND, 3, "storeMetadata2" },
    { CODES_BPP_COMMAND, 4, "replaceSessionKeys" },
    { CODES_BPP_COMMAND, 5, "loadProfileElements" },
    { CODES_ERROR_REASON, 1, "incorrectInputValues" },
    { CODES_ERROR_REASON, 2, "invalidSignature" },
    { CODES_ERROR_REASON, 3, "invalidTransactionId" },
    { CODES_ERROR_REASON, 4, "unsupportedCrtValues" },
    { CODES_ERROR_REASON, 5, "unsupportedRemoteOperationType" },
    { CODES_ERROR_REASON, 6, "unsupportedProfileClass" },
    { CODES_ERROR_REASON, 7, "scp03tStructureError" },
    { CODES_ERROR_REASON, 8, "scp03tSecurityError" },
    { CODES_ERROR_REASON, 9, "installFailedDueToIccidAlreadyExistsOnEuicc" },
    { CODES_ERROR_REASON, 10, "installFailedDueToInsufficientMemoryForProfile" },
    { CODES_ERROR_REASON, 11, "installFailedDueToInterruption" },
    { CODES_ERROR_REASON, 12, "installFailedDueToPEProcessingError" },
    { CODES_ERROR_REASON, 13, "installFailedDueToDataMismatch" },
    { CODES_ERROR_REASON, 14, "testProfileInstallFailedDueToInvalidNaaKey" },
    { CODES_ERROR_REASON, 15, "pprNotAllowed" },
    { CODES_ERROR_REASON, 127, "installFailedDueToUnknownError" },
    { CODES_ENABLE, 0, "ok" },
    { CODES_ENABLE, 1, "iccidOrAidNotFound" },
    { CODES_ENABLE, 2, "profileNotInDisabledState" },
    { CODES_ENABLE, 3, "disallowedByPolicy" },
    { CODES_ENABLE, 4, "wrongProfileReenabling" },
    { CODES_ENABLE, 5, "catBusy" },
    { CODES_ENABLE, 127, "undefinedError" },
    { CODES_DISABLE, 0, "ok" },
    { CODES_DISABLE, 1, "iccidOrAidNotFound" },
    { CODES_DISABLE, 2, "profileNotInEnabledState" },
    { CODES_DISABLE, 3, "disallowedByPolicy" },
    { CODES_DISABLE, 5, "catBusy" },
    { CODES_DISABLE, 127, "undefinedError" },
    { CODES_DELETE, 0, "ok" },
    { CODES_DELETE, 1, "iccidOrAidNotFound" },
    { CODES_DELETE, 2, "profileNotInDisabledState" },
    { CODES_DELETE, 3, "disallowedByPolicy" },
    { CODES_DELETE, 127, "undefinedError" },
    { CODES_RESET, 0, "ok" },
    { CODES_RESET, 1, "nothingToDelete" },
    { CODES_RESET, 5, "catBusy" },
    { CODES_RESET, 127, "undefinedError" },
    { CODES_NICKNAME, 0, "ok" },
    { CODES_NICKNAME, 1, "iccidNotFound" },
    { CODES_NICKNAME, 127, "undefinedError" },
    { CODES_PROFILE_LIST, 1, "incorrectInputValues" },
    { CODES_PROFILE_LIST, 127, "undefinedError" },
    { CODES_NOTIFICATIONS, 1, "noResultAvailable" },
    { CODES_NOTIFICATIONS, 127, "undefinedError" },
    { CODES_NOTIFICATION_SENT, 0, "ok" },
    { CODES_NOTIFICATION_SENT, 1, "nothingToDelete" },
    { CODES_NOTIFICATION_SENT, 127, "undefinedError" },
    { CODES_PROFILE_CLASS, 0, "test" },
    { CODES_PROFILE_CLASS, 1, "provisioning" },
    { CODES_PROFILE_CLASS, 2, "operational" },
    { CODES_PROFILE_STATE, 0, "disabled" },
    { CODES_PROFILE_STATE, 1, "enabled" },
};

const char *code_name(enum code_list list, long code)
{
    for (size_t i = 0; i < N_ELEMS(codes); i++)
        if (codes[i].list == list && codes[i].code == code)
            return codes[i].name;
    return "unknown";
}

const char *event_name(uint32_t events)
{
    static const char *const names[] = { "install", "enable", "disable", "delete" };

    for (size_t i = 0; i < N_ELEMS(names); i++)
        if (events & UINT32_C(1) << i)
            return names[i];
    return "unknown";
}
