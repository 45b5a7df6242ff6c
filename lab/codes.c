/* codes.c - names of result codes, as SGP.22 and SGP.32 spell them. */
#include "lab/codes.h"

#include <string.h>

#include "os/err.h"

enum { UNDEFINED_ERROR = 127, TAG_INTEGER = 0x02 };

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
    { CODES_PREPARE_DOWNLOAD, 1, "invalidCertificate" },
    { CODES_PREPARE_DOWNLOAD, 2, "invalidSignature" },
    { CODES_PREPARE_DOWNLOAD, 3, "unsupportedCurve" },
    { CODES_PREPARE_DOWNLOAD, 4, "noSessionContext" },
    { CODES_PREPARE_DOWNLOAD, 5, "invalidTransactionId" },
    { CODES_CANCEL_SESSION, 5, "invalidTransactionId" },
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
    { CODES_ENABLE, 1, "iccidOrAidNotFound" },
    { CODES_ENABLE, 2, "profileNotInDisabledState" },
    { CODES_ENABLE, 3, "disallowedByPolicy" },
    { CODES_ENABLE, 4, "wrongProfileReenabling" },
    { CODES_ENABLE, 5, "catBusy" },
    { CODES_ENABLE, 20, "rollbackNotAvailable" },
    { CODES_DISABLE, 1, "iccidOrAidNotFound" },
    { CODES_DISABLE, 2, "profileNotInEnabledState" },
    { CODES_DISABLE, 3, "disallowedByPolicy" },
    { CODES_DISABLE, 5, "catBusy" },
    { CODES_DELETE, 1, "iccidOrAidNotFound" },
    { CODES_DELETE, 2, "profileNotInDisabledState" },
    { CODES_DELETE, 3, "disallowedByPolicy" },
    { CODES_DELETE, 20, "rollbackNotAvailable" },
    { CODES_DELETE, 21, "returnFallbackProfile" },
    { CODES_RESET, 1, "nothingToDelete" },
    { CODES_RESET, 5, "catBusy" },
    { CODES_NICKNAME, 1, "iccidNotFound" },
    { CODES_PROFILE_LIST, 1, "incorrectInputValues" },
    { CODES_PROFILE_LIST, 11, "profileChangeOngoing" },
    { CODES_NOTIFICATIONS, 1, "noResultAvailable" },
    { CODES_NOTIFICATION_SENT, 1, "nothingToDelete" },
    { CODES_PROFILE_CLASS, 0, "test" },
    { CODES_PROFILE_CLASS, 1, "provisioning" },
    { CODES_PROFILE_CLASS, 2, "operational" },
    { CODES_PROFILE_STATE, 0, "disabled" },
    { CODES_PROFILE_STATE, 1, "enabled" },
    { CODES_EUICC_PACKAGE, 3, "invalidEid" },
    { CODES_EUICC_PACKAGE, 4, "replayError" },
    { CODES_EUICC_PACKAGE, 6, "counterValueOutOfRange" },
    { CODES_EUICC_PACKAGE, 15, "sizeOverflow" },
    { CODES_EUICC_PACKAGE, 104, "ecallActive" },
    { CODES_CONFIGURE_IMMEDIATE, 1, "insufficientMemory" },
    { CODES_CONFIGURE_IMMEDIATE, 7, "commandError" },
    { CODES_SET_FALLBACK, 1, "iccidOrAidNotFound" },
    { CODES_SET_FALLBACK, 2, "fallbackNotAllowed" },
    { CODES_SET_FALLBACK, 3, "fallbackProfileEnabled" },
    { CODES_UNSET_FALLBACK, 2, "noFallbackAttribute" },
    { CODES_UNSET_FALLBACK, 3, "fallbackProfileEnabled" },
    { CODES_UNSET_FALLBACK, 7, "commandError" },
    { CODES_ADD_EIM, 1, "insufficientMemory" },
    { CODES_ADD_EIM, 2, "associatedEimAlreadyExists" },
    { CODES_ADD_EIM, 3, "ciPKUnknown" },
    { CODES_ADD_EIM, 5, "invalidAssociationToken" },
    { CODES_ADD_EIM, 6, "counterValueOutOfRange" },
    { CODES_ADD_EIM, 7, "commandError" },
    { CODES_DELETE_EIM, 1, "eimNotFound" },
    { CODES_DELETE_EIM, 2, "lastEimDeleted" },
    { CODES_DELETE_EIM, 7, "commandError" },
    { CODES_UPDATE_EIM, 1, "eimNotFound" },
    { CODES_UPDATE_EIM, 3, "ciPKUnknown" },
    { CODES_UPDATE_EIM, 6, "counterValueOutOfRange" },
    { CODES_UPDATE_EIM, 7, "commandError" },
    { CODES_LIST_EIM, 7, "commandError" },
    { CODES_TERMINATED, 1, "resultSizeOverflow" },
    { CODES_TERMINATED, 2, "unknownOrDamagedCommand" },
    { CODES_TERMINATED, 3, "interruption" },
    { CODES_IOT_RESET, 1, "nothingToDelete" },
    { CODES_IOT_RESET, 5, "catBusy" },
    { CODES_IOT_RESET, 104, "ecallActive" },
    { CODES_IOT_RESET_EIM, 1, "nothingToDelete" },
    { CODES_IOT_RESET_EIM, 2, "eimResetNotSupported" },
    { CODES_IOT_RESET_IMMEDIATE, 1, "resetIECNotSupported" },
    { CODES_GET_CERTS, 1, "invalidCiPKId" },
    { CODES_IMMEDIATE_ENABLE, 1, "immediateEnableNotAvailable" },
    { CODES_IMMEDIATE_ENABLE, 4, "noSessionContext" },
    { CODES_IMMEDIATE_ENABLE, 5, "catBusy" },
    { CODES_PROFILE_ROLLBACK, 1, "rollbackNotAllowed" },
    { CODES_PROFILE_ROLLBACK, 5, "catBusy" },
    { CODES_PROFILE_ROLLBACK, 7, "commandError" },
    { CODES_CONFIGURE_IMMEDIATE_ES10B, 1, "insufficientMemory" },
    { CODES_CONFIGURE_IMMEDIATE_ES10B, 2, "associatedEimAlreadyExists" },
    { CODES_EXECUTE_FALLBACK, 2, "profileNotInDisabledState" },
    { CODES_EXECUTE_FALLBACK, 5, "catBusy" },
    { CODES_EXECUTE_FALLBACK, 6, "fallbackNotAvailable" },
    { CODES_EXECUTE_FALLBACK, 7, "commandError" },
    { CODES_EXECUTE_FALLBACK, 104, "ecallActive" },
    { CODES_RETURN_FROM_FALLBACK, 5, "catBusy" },
    { CODES_RETURN_FROM_FALLBACK, 6, "fallbackNotAvailable" },
    { CODES_RETURN_FROM_FALLBACK, 7, "commandError" },
    { CODES_ENABLE_EMERGENCY, 2, "profileNotInDisabledState" },
    { CODES_ENABLE_EMERGENCY, 5, "catBusy" },
    { CODES_ENABLE_EMERGENCY, 8, "ecallNotAvailable" },
    { CODES_DISABLE_EMERGENCY, 2, "profileNotInEnabledState" },
    { CODES_DISABLE_EMERGENCY, 5, "catBusy" },
    { CODES_DISABLE_EMERGENCY, 8, "ecallNotAvailable" },
    { CODES_CONNECTIVITY, 1, "parametersNotAvailable" },
    { CODES_IPAE_ACTIVATION, 1, "notSupported" },
    { CODES_DATA_REQUEST, 1, "incorrectTagList" },
    { CODES_DATA_REQUEST, 5, "euiccCiPKIdNotFound" },
    { CODES_DATA_REQUEST, 104, "ecallActive" },
    { CODES_DOWNLOAD_TRIGGER, 104, "ecallActive" },
    { CODES_EIM_PACKAGE_RESULT, 1, "invalidPackageFormat" },
    { CODES_EIM_PACKAGE_RESULT, 2, "unknownPackage" },
    { CODES_GET_EIM_PACKAGE, 1, "noEimPackageAvailable" },
    { CODES_GET_EIM_PACKAGE, 2, "eidNotFound" },
    { CODES_GET_EIM_PACKAGE, 3, "invalidEid" },
    { CODES_GET_EIM_PACKAGE, 4, "missingEid" },
    { CODES_PROVIDE_RESULT, 2, "eidNotFound" },
    { CODES_PROVIDE_RESULT, 3, "invalidEid" },
    { CODES_PROVIDE_RESULT, 4, "missingEid" },
    { CODES_STATE_CHANGE, 0, "otherEim" },
    { CODES_STATE_CHANGE, 1, "fallback" },
    { CODES_STATE_CHANGE, 2, "emergencyProfile" },
    { CODES_STATE_CHANGE, 3, "local" },
    { CODES_STATE_CHANGE, 4, "reset" },
    { CODES_STATE_CHANGE, 5, "immediateEnableProfile" },
    { CODES_STATE_CHANGE, 6, "deviceChange" },
    { CODES_STATE_CHANGE, 127, "undefined" },
    { CODES_ESIPA_INITIATE, 1, "invalidDpAddress" },
    { CODES_ESIPA_INITIATE, 2, "euiccVersionNotSupportedByDp" },
    { CODES_ESIPA_INITIATE, 3, "ciPKIdNotSupported" },
    { CODES_ESIPA_INITIATE, 50, "smdpAddressMismatch" },
    { CODES_ESIPA_INITIATE, 51, "smdpOidMismatch" },
    { CODES_ESIPA_INITIATE, 52, "invalidEimTransactionId" },
    { CODES_ESIPA_AUTHENTICATE, 1, "eumCertificateInvalid" },
    { CODES_ESIPA_AUTHENTICATE, 2, "eumCertificateExpired" },
    { CODES_ESIPA_AUTHENTICATE, 3, "euiccCertificateInvalid" },
    { CODES_ESIPA_AUTHENTICATE, 4, "euiccCertificateExpired" },
    { CODES_ESIPA_AUTHENTICATE, 5, "euiccSignatureInvalid" },
    { CODES_ESIPA_AUTHENTICATE, 6, "matchingIdRefused" },
    { CODES_ESIPA_AUTHENTICATE, 7, "eidMismatch" },
    { CODES_ESIPA_AUTHENTICATE, 8, "noEligibleProfile" },
    { CODES_ESIPA_AUTHENTICATE, 9, "ciPKUnknown" },
    { CODES_ESIPA_AUTHENTICATE, 10, "invalidTransactionId" },
    { CODES_ESIPA_AUTHENTICATE, 11, "insufficientMemory" },
    { CODES_ESIPA_AUTHENTICATE, 18, "downloadOrderExpired" },
    { CODES_ESIPA_AUTHENTICATE, 50, "pprNotAllowed" },
    { CODES_ESIPA_AUTHENTICATE, 56, "eventIdUnknown" },
    { CODES_ESIPA_PACKAGE, 1, "euiccSignatureInvalid" },
    { CODES_ESIPA_PACKAGE, 2, "confirmationCodeMissing" },
    { CODES_ESIPA_PACKAGE, 3, "confirmationCodeRefused" },
    { CODES_ESIPA_PACKAGE, 4, "confirmationCodeRetriesExceeded" },
    { CODES_ESIPA_PACKAGE, 5, "bppRebindingRefused" },
    { CODES_ESIPA_PACKAGE, 6, "downloadOrderExpired" },
    { CODES_ESIPA_PACKAGE, 50, "metadataMismatch" },
    { CODES_ESIPA_PACKAGE, 95, "invalidTransactionId" },
    { CODES_ESIPA_CANCEL, 1, "invalidTransactionId" },
    { CODES_ESIPA_CANCEL, 2, "euiccSignatureInvalid" },
};

static const char unknown[] = "unknown";

const char *code_name(enum code_list list, long code)
{
    for (size_t i = 0; i < N_ELEMS(codes); i++)
        if (codes[i].list == list && codes[i].code == code)
            return codes[i].name;
    return code == 0 ? "ok" : code == UNDEFINED_ERROR ? "undefinedError" : unknown;
}

bool code_is_in(enum code_list list, const char *name)
{
    for (long code = 0; code <= UINT8_MAX; code++) {
        const char *its = code_name(list, code);
        if (its != unknown && strcmp(its, name) == 0)
            return true;
    }
    return false;
}

bool code_at(enum code_list list, size_t n, long *ret_code)
{
    for (size_t i = 0; i < N_ELEMS(codes); i++) {
        if (codes[i].list != list || n-- > 0)
            continue;
        *ret_code = codes[i].code;
        return true;
    }
    return false;
}

const struct package_element *package_element_of(uint32_t tag)
{
    static const struct package_element elements[] = {
        { 0x83, "enable", CODES_ENABLE, 0 },
        { 0x84, "disable", CODES_DISABLE, 0 },
        { 0x85, "delete", CODES_DELETE, 0 },
        { 0xBF2D, "listProfileInfo", CODES_PROFILE_LIST, 0x81 },
        { 0xA6, "getRAT", CODES_PROFILE_LIST, UINT32_MAX }, /* it has none */
        { 0x87, "configureImmediateEnable", CODES_CONFIGURE_IMMEDIATE, 0 },
        { 0x8C, "rollback", CODES_ROLLBACK_RESULT, 0 },
        { 0x8D, "setFallbackAttribute", CODES_SET_FALLBACK, 0 },
        { 0x8E, "unsetFallbackAttribute", CODES_UNSET_FALLBACK, 0 },
        { 0xBF65, "setDefaultDpAddress", CODES_DEFAULT_DP, 0x80 },
        { 0xA8, "addEim", CODES_ADD_EIM, TAG_INTEGER },
        { 0x89, "deleteEim", CODES_DELETE_EIM, 0 },
        { 0x8A, "updateEim", CODES_UPDATE_EIM, 0 },
        { 0xAB, "listEim", CODES_LIST_EIM, 0x81 },
        { TAG_INTEGER, "processingTerminated", CODES_TERMINATED, 0 },
    };

    for (size_t i = 0; i < N_ELEMS(elements); i++)
        if (elements[i].tag == tag)
            return &elements[i];
    return NULL;
}

const char *event_name(uint32_t events)
{
    static const char *const names[] = { "install", "enable", "disable", "delete" };

    for (size_t i = 0; i < N_ELEMS(names); i++)
        if (events & UINT32_C(1) << i)
            return names[i];
    return "unknown";
}
