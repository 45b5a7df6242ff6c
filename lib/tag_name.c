/* tag_name.c - names for the TLVs of ES10 functions and proactive commands, as the specifications
 * call them.  A tag means what its function and its parent make of it: the first row that fits. */
#include "lib/event.h"

#include "os/err.h"

static const struct {
    uint32_t function, parent; /* 0: any */
    uint32_t tag;
    const char *name;
} rows[] = {
    /* Functions and what they carry, SGP.22 5.7, SGP.32 5.9. */
    { 0, 0, 0xBF20, "euiccInfo1" },
    { 0, 0, 0xBF21, "prepareDownload" },
    { 0, 0, 0xBF22, "euiccInfo2" },
    { 0, 0, 0xBF23, "initialiseSecureChannel" },
    { 0, 0, 0xBF25, "storeMetadata" },
    { 0, 0, 0xBF27, "profileInstallationResultData" },
    { 0, 0, 0xBF28, "listNotification" },
    { 0, 0, 0xBF29, "setNickname" },
    { 0, 0, 0xBF2A, "updateMetadata" },
    { 0, 0, 0xBF2B, "retrieveNotificationsList" },
    { 0, 0, 0xBF2D, "profileInfoList" },
    { 0, 0, 0xBF2E, "getEuiccChallenge" },
    { 0, 0, 0xBF2F, "notificationMetadata" },
    { 0, 0, 0xBF30, "notificationSent" },
    { 0, 0, 0xBF31, "enableProfile" },
    { 0, 0, 0xBF32, "disableProfile" },
    { 0, 0, 0xBF33, "deleteProfile" },
    { 0, 0, 0xBF34, "euiccMemoryReset" },
    { 0, 0, 0xBF35, "loadCRL" },
    { 0, 0, 0xBF36, "boundProfilePackage" },
    { 0, 0, 0xBF37, "profileInstallationResult" },
    { 0, 0, 0xBF38, "authenticateServer" },
    { 0, 0, 0xBF3C, "euiccConfiguredAddresses" },
    { 0, 0, 0xBF3E, "getEuiccData" },
    { 0, 0, 0xBF3F, "setDefaultDpAddress" },
    { 0, 0, 0xBF41, "cancelSession" },
    { 0, 0, 0xBF42, "lpaeActivation" },
    { 0, 0, 0xBF43, "getRat" },
    { 0, 0, 0xBF51, "euiccPackage" },
    { 0, 0, 0xBF55, "getEimConfigurationData" },
    { 0, 0, 0xBF56, "getCerts" },
    { 0, 0, 0xBF57, "addInitialEim" },
    { 0, 0, 0xBF58, "profileRollback" },
    { 0, 0, 0xBF59, "configureImmediateProfileEnabling" },
    { 0, 0, 0xBF5A, "immediateEnable" },
    { 0, 0, 0xBF5B, "enableEmergencyProfile" },
    { 0, 0, 0xBF5C, "disableEmergencyProfile" },
    { 0, 0, 0xBF5D, "executeFallbackMechanism" },
    { 0, 0, 0xBF5E, "returnFromFallback" },
    { 0, 0, 0xBF5F, "getConnectivityParameters" },
    { 0, 0, 0xBF64, "euiccMemoryReset" },
    { 0, 0, 0xBF65, "setDefaultDpAddress" },

    /* Results and fields of one function. */
    { 0xBF31, 0xBF31, 0x80, "enableResult" },
    { 0xBF32, 0xBF32, 0x80, "disableResult" },
    { 0xBF33, 0xBF33, 0x80, "deleteResult" },
    { 0xBF29, 0xBF29, 0x80, "setNicknameResult" },
    { 0xBF30, 0xBF30, 0x80, "seqNumber" },
    { 0xBF3F, 0xBF3F, 0x80, "setDefaultDpAddressResult" },
    { 0xBF3C, 0xBF3C, 0x80, "defaultDpAddress" },
    { 0xBF3C, 0xBF3C, 0x81, "rootDsAddress" },
    { 0xBF2E, 0xBF2E, 0x80, "euiccChallenge" },
    { 0xBF31, 0, 0x81, "refreshFlag" },
    { 0xBF32, 0, 0x81, "refreshFlag" },
    { 0xBF3E, 0, 0x5A, "eidValue" },
    { 0xBF20, 0xBF20, 0x82, "svn" },
    { 0xBF22, 0xBF22, 0x81, "profileVersion" },
    { 0xBF22, 0xBF22, 0x82, "svn" },
    { 0xBF22, 0xBF22, 0x83, "euiccFirmwareVer" },
    { 0xBF22, 0xBF22, 0x84, "extCardResource" },
    { 0xBF22, 0xBF22, 0x85, "uiccCapability" },
    { 0xBF22, 0xBF22, 0x86, "ts102241Version" },
    { 0xBF22, 0xBF22, 0x87, "globalplatformVersion" },
    { 0xBF22, 0xBF22, 0x88, "rspCapability" },
    { 0xBF22, 0xBF22, 0x8B, "euiccCategory" },
    { 0xBF22, 0xBF22, 0x99, "forbiddenProfilePolicyRules" },
    { 0xBF22, 0xBF22, 0x04, "ppVersion" },
    { 0xBF22, 0xBF22, 0x0C, "sasAcreditationNumber" },
    { 0xBF20, 0, 0xA9, "euiccCiPKIdListForVerification" },
    { 0xBF20, 0, 0xAA, "euiccCiPKIdListForSigning" },
    { 0xBF22, 0, 0xA9, "euiccCiPKIdListForVerification" },
    { 0xBF22, 0, 0xAA, "euiccCiPKIdListForSigning" },
    { 0, 0xA9, 0x04, "subjectKeyIdentifier" },
    { 0, 0xAA, 0x04, "subjectKeyIdentifier" },
    { 0, 0xBF2F, 0x80, "seqNumber" },
    { 0, 0xBF2F, 0x81, "profileManagementOperation" },
    { 0, 0xBF2F, 0x0C, "notificationAddress" },

    /* Profiles. */
    { 0, 0, 0xE3, "profileInfo" },
    { 0, 0, 0x5A, "iccid" },
    { 0, 0, 0x4F, "isdpAid" },
    { 0, 0, 0x9F70, "profileState" },
    { 0, 0, 0x90, "profileNickname" },
    { 0, 0, 0x91, "serviceProviderName" },
    { 0, 0, 0x92, "profileName" },
    { 0, 0, 0x93, "iconType" },
    { 0, 0, 0x94, "icon" },
    { 0, 0, 0x95, "profileClass" },
    { 0, 0, 0xB6, "notificationConfigurationInfo" },
    { 0, 0, 0xB7, "profileOwner" },
    { 0, 0, 0xB8, "dpProprietaryData" },
    { 0, 0, 0x99, "profilePolicyRules" },
    { 0, 0, 0x9F67, "fallbackAllowed" },
    { 0, 0, 0x9F68, "fallbackAttribute" },
    { 0, 0, 0x9F7B, "ecallIndication" },
    { 0, 0xB7, 0x80, "mccMnc" },
    { 0, 0xB7, 0x81, "gid1" },
    { 0, 0xB7, 0x82, "gid2" },

    /* Anywhere. */
    { 0, 0, 0x5C, "tagList" },
    { 0, 0, 0x5F37, "signature" },
    { 0, 0, 0x5F49, "otPK" },

    /* Proactive commands, TS 102 223 9.3. */
    { 0, 0, 0xD0, "proactiveCommand" },
    { 0xD0, 0xD0, 0x81, "commandDetails" },
    { 0xD0, 0xD0, 0x82, "deviceIdentities" },
};

const char *tag_name(uint32_t function, uint32_t parent, uint32_t tag)
{
    for (size_t i = 0; i < N_ELEMS(rows); i++)
        if (rows[i].tag == tag && (rows[i].function == 0 || rows[i].function == function) &&
            (rows[i].parent == 0 || rows[i].parent == parent))
            return rows[i].name;
    return NULL;
}
