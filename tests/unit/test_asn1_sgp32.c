/* test_asn1_sgp32.c - the module of SGP.32 and asn1/der.h: literal octets in, the same octets out.
 *
 * The first vectors are octets that other decoders of the standard's module read as well; in ours
 * {...} stands for a length and what has it. */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <AddInitialEimRequest.h>
#include <AddInitialEimResponse.h>
#include <AuthenticateClientRequestEsipa.h>
#include <AuthenticateClientResponseEsipa.h>
#include <CancelSessionRequestEsipa.h>
#include <CancelSessionResponseEsipa.h>
#include <ConfigureImmediateProfileEnablingRequest.h>
#include <ConfigureImmediateProfileEnablingResponse.h>
#include <DisableEmergencyProfileRequest.h>
#include <DisableEmergencyProfileResponse.h>
#include <EUICCInfo2.h>
#include <EimConfigurationData.h>
#include <EnableEmergencyProfileRequest.h>
#include <EnableEmergencyProfileResponse.h>
#include <EsipaMessageFromEimToIpa.h>
#include <EsipaMessageFromIpaToEim.h>
#include <EuiccPackage.h>
#include <EuiccPackageRequest.h>
#include <EuiccPackageResult.h>
#include <EuiccResultData.h>
#include <ExecuteFallbackMechanismRequest.h>
#include <ExecuteFallbackMechanismResponse.h>
#include <GetBoundProfilePackageRequestEsipa.h>
#include <GetBoundProfilePackageResponseEsipa.h>
#include <GetCertsRequest.h>
#include <GetCertsResponse.h>
#include <GetConnectivityParametersRequest.h>
#include <GetConnectivityParametersResponse.h>
#include <GetEimConfigurationDataRequest.h>
#include <GetEimConfigurationDataResponse.h>
#include <GetEimPackageRequest.h>
#include <GetEimPackageResponse.h>
#include <HandleNotificationEsipa.h>
#include <ISDRProprietaryApplicationTemplateIoT.h>
#include <ImmediateEnableRequest.h>
#include <ImmediateEnableResponse.h>
#include <InitiateAuthenticationRequestEsipa.h>
#include <InitiateAuthenticationResponseEsipa.h>
#include <IoTEuiccMemoryResetRequest.h>
#include <IoTEuiccMemoryResetResponse.h>
#include <IoTPendingNotification.h>
#include <IoTRetrieveNotificationsListRequest.h>
#include <IoTRetrieveNotificationsListResponse.h>
#include <IoTSetDefaultDpAddressRequest.h>
#include <IoTSetDefaultDpAddressResponse.h>
#include <IoTSpecificInfo.h>
#include <IpaEuiccDataRequest.h>
#include <IpaEuiccDataResponse.h>
#include <IpaeActivationRequest.h>
#include <IpaeActivationResponse.h>
#include <ProfileDownloadTriggerRequest.h>
#include <ProfileDownloadTriggerResult.h>
#include <ProfileRollbackRequest.h>
#include <ProfileRollbackResponse.h>
#include <ProvideEimPackageResult.h>
#include <ProvideEimPackageResultResponse.h>
#include <ReturnFromFallbackRequest.h>
#include <ReturnFromFallbackResponse.h>
#include <StoreMetadataRequest.h>
#include <TransferEimPackageRequest.h>
#include <TransferEimPackageResponse.h>
#include <UpdateMetadataRequest.h>

#include "asn1/der.h"
#include "os/err.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

#define EIM    "800465696D31"
#define EID    "5A1089049032123451234512345678901235"
#define ICCID  "5A0A981032547698103214F5"
#define SKI    "F54172BDF98A95D65CBEB88A38A1C11D800A85C3"
#define B16    "101112131415161718191A1B1C1D1E1F"
#define VENDOR "30{8003883701A1{0C0161}}"
#define CERT   "30{A003020102}30{06022A03}030200AA" /* without its 30 */
#define SPKI   "301306072A8648CE3D020106082A8648CE3D030107034200" POINT
#define POINT                                                                                      \
    "04E4D8B6D33CC5ABB9E3BBF5E14A4CDFE5149D89C1B84C4FEB6A1DEDE7D76BB583"                           \
    "F86E67CCB52EB18BE188EEFB8A8394F32B609E2E7B35F0BBAD8855CC40A02D45"
#define NO_SIG                                                                                     \
    "5F3740000000000000000000000000000000000000000000000000000000000000000000000000000000"         \
    "00000000000000000000000000000000000000000000000000"
#define NEW_EIM                                                                                    \
    EIM "810F65696D2E6578616D706C652E636F6D8201028301008401FFA55BA059" SPKI "870207808900"
#define EPR_SIGNED "3017800465696D318101018204112233448301053003830100"
#define EPR                                                                                        \
    "BF515EA05C" EPR_SIGNED "5F3740CD63B6F7D87A3B2D2F745B0768E6CB1B31B749B1C73137FB6915A6"         \
    "A5BE35B11A0021C05E97A51180E739FB7E8A92673CEA909EAF5B738364C1D26A306D3CA361"
#define ENABLE                                                                                     \
    "BF51783033" EIM EID "810101820411223344A010A30E" ICCID "0500"                                 \
    "5F37405188F599E524E20F927B889EC7FE4B4F4341A0F406A9CA89F7222C084927E1F1D4"                     \
    "DEFBA5B2D9FC8BF9548A753AF2F2394E9F476AE7BD30472A12239EAE721489"
#define EIM_COUNTER     EIM "810102"
#define EIM_COUNTER_EID EIM EID "810102"
#define META            "BF2F{800107810207800C{64702E78}" ICCID "}"
#define PIR                                                                                        \
    "BF37{BF27{80020102" META "06{883701}A2{A0{4F{A0000005591010FFFFFFFF8900001000}"               \
    "04{3007A0053003800100}}}}" NO_SIG "}"
#define COMPACT_PIR       "A0{A0{80020102020107A2{A0{4F021000}}}" NO_SIG "}"
#define COMPACT_PIR_ERROR "A0{A0{80020102020107010100A2{A1{80010581010C}}}" NO_SIG "}"
#define COMPACT_OTHER     "A1{" EID META NO_SIG "04{" SKI "}}"
#define NOTIFICATIONS                                                                              \
    PIR "30{" META NO_SIG "30{" CERT "}30{" CERT "}}" COMPACT_PIR COMPACT_PIR_ERROR COMPACT_OTHER
#define EPR_AND_NOTIFICATIONS "30{" EPR "A0{" PIR "}}"
#define IOT_INFO              "B4{A0{0403010300}810082008300}"
#define INFO2                                                                                      \
    "BF22{810302030182030205008303010203"                                                          \
    "8400"                                                                                         \
    "8505067F36F3C08802028CA900AA0004030100000C0141"                                               \
    "900101B1{04{" SKI "}}92009303030000" IOT_INFO "950101}"
#define CTX                  "A0{8000A1{800435290611A100}}"
#define SIGNED1              "30{8002010281{" B16 "}83017884{" B16 "}}"
#define COMPACT_AUTHENTICATE "BF3B{80020102BF38{A2{A0{840101A2{" CTX "}}" NO_SIG "}}}"

/* ---- octets to values and back ---- */

static int decode(const asn_TYPE_descriptor_t *type, const char *text, void *ret)
{
    struct rd o = exact_copy(text);
    int r = der_decode(type, o.p, o.n, ret);
    exact_free(&o);
    return r;
}

/* The result of decoding; what it decoded to is forgotten. */
static int result_of(const asn_TYPE_descriptor_t *type, struct rd o)
{
    void *value = NULL;
    int r = der_decode(type, o.p, o.n, &value);
    ck_assert((r == 0) == (value != NULL));
    der_free(type, value);
    return r;
}

static int result(const asn_TYPE_descriptor_t *type, const char *text)
{
    struct rd o = exact_copy(text);
    int r = result_of(type, o);
    exact_free(&o);
    return r;
}

/* Decodes `in`, expects `out` when it is written again, and that this much was unknown. */
static void expect(const asn_TYPE_descriptor_t *type, const char *in, const char *out,
                   size_t unknown)
{
    struct rd o = exact_copy(in), want = exact_copy(out);
    struct der_report report;
    void *value = NULL;
    ck_assert_msg(der_decode_report(type, o.p, o.n, &value, &report) == 0, "%s: %s", type->name,
                  in);
    ck_assert_uint_eq(report.unknown, unknown);
    ck_assert(!report.reordered);

    uint8_t *buf = malloc(want.n);
    size_t n = 0;
    ck_assert_int_eq(der_write(type, value, buf, want.n, &n), 0);
    ck_assert_msg(n == want.n && memcmp(buf, want.p, n) == 0, "%s: %s", type->name, in);
    ck_assert(der_is_canonical(buf, n));
    free(buf);
    der_free(type, value);
    exact_free(&o);
    exact_free(&want);
}

/* ---- vectors ---- */

static const struct vector {
    const asn_TYPE_descriptor_t *type;
    const char *text;
} vectors[] = {
    { &asn_DEF_AddInitialEimRequest, "BF578189A08186308183" NEW_EIM },
    { &asn_DEF_AddInitialEimResponse, "BF5705A003840101" },
    { &asn_DEF_AddInitialEimResponse, "BF5704A0020500" },
    { &asn_DEF_AddInitialEimResponse, "BF5703810102" },
    { &asn_DEF_EuiccPackageRequest, ENABLE },
    { &asn_DEF_EuiccPackageResult, EPR },
    { &asn_DEF_EuiccPackageResult,
      "BF5159A1573012800465696D318101018204112233440201045F37406A7E4A749DB03F"
      "FDE76457C38D323F615A78CAF4AAA0E61EBEDE487E41AED2CD9A6252B65DA64D879616"
      "BE23B7FFEC6962C6E1D37A82BC0678F84E353FF73030" },
    { &asn_DEF_EuiccPackageResult, "BF5111A20F800465696D31820411223344840101" },
    { &asn_DEF_ProfileRollbackResponse,
      "BF5867020100BF5161A05F301A800465696D3181010182041122334483010630068301"
      "008C01005F3740003AED7CCE75AFDE72E0B1EFACB9A82CA635314D6B7840A98A4B2ED4"
      "24A82FB171EFF7DBC38AB77706D2D2F09348C720A239981BE4D9720E81230BB909E70C"
      "3F" },
    { &asn_DEF_GetEimConfigurationDataRequest, "BF5508A006800465696D31" },
    { &asn_DEF_IoTRetrieveNotificationsListRequest, "BF2B04A0028200" },
    { &asn_DEF_IoTRetrieveNotificationsListRequest, "BF2B05A003800105" },
    { &asn_DEF_IoTRetrieveNotificationsListResponse, "BF2B02A000" },
    { &asn_DEF_ProfileRollbackRequest, "BF58038001FF" },
    { &asn_DEF_ProfileRollbackResponse, "BF5803020101" },
    { &asn_DEF_IoTEuiccMemoryResetRequest, "BF6404820201FE" },
    { &asn_DEF_IoTEuiccMemoryResetRequest, "BF640482020780" },
    { &asn_DEF_IoTEuiccMemoryResetResponse, "BF6409800100810100820100" },
    { &asn_DEF_IpaeActivationRequest, "BF420480020780" },
    { &asn_DEF_IpaeActivationResponse, "BF4203800100" },
    { &asn_DEF_ISDRProprietaryApplicationTemplateIoT, "E104800206C0" },
    { &asn_DEF_IoTSetDefaultDpAddressRequest, "BF650C800A64702E6578616D706C65" },
    { &asn_DEF_ConfigureImmediateProfileEnablingRequest, "BF590E8000820A64702E6578616D706C65" },
    { &asn_DEF_GetEimPackageRequest, "BF4F1C" EID "8000810101820362F210" },
    { &asn_DEF_GetEimPackageResponse, "BF4F03020101" },
    { &asn_DEF_GetEimPackageResponse,
      "BF4F1BBF5418A0128010312464702E6578616D706C652441424382020102" },
    { &asn_DEF_GetEimPackageResponse, "BF4F16BF52135C0D81BF20BF228384A5A6A8A9A0A283020102" },
    { &asn_DEF_IpaEuiccDataRequest, "BF52125C02A0A2A103800105A20380010683020102" },
    { &asn_DEF_ProvideEimPackageResult, "BF5073" EID EPR },
    { &asn_DEF_ProvideEimPackageResult, "BF5077" EID "3063" EPR "A000" },
    { &asn_DEF_ProvideEimPackageResult, "BF501B" EID "A00780020102020101" },
    { &asn_DEF_ProvideEimPackageResultResponse, "BF5006BF5303800105" },
    { &asn_DEF_ProvideEimPackageResultResponse, "BF50023000" },
    { &asn_DEF_ProvideEimPackageResultResponse, "BF5003020102" },
    { &asn_DEF_IpaEuiccDataResponse,
      "BF521FA01D810A64702E6578616D706C6584010187020102A8088002078081020780" },
    { &asn_DEF_IpaEuiccDataResponse, "BF5209A10780020102020101" },
    { &asn_DEF_ProfileDownloadTriggerResult, "BF540982020102300380017F" },
    { &asn_DEF_IoTSpecificInfo, "300BA005040301020081008200" },
    { &asn_DEF_EuiccPackage, "A18186A88183" NEW_EIM },
    { &asn_DEF_EuiccPackage, "A102AB00" },
    { &asn_DEF_EuiccPackage, "A108A906800465696D31" },
    { &asn_DEF_EuiccPackage, "A003BF2D00" },
    { &asn_DEF_EuiccPackage, "A002A600" },
    { &asn_DEF_EuiccPackage, "A00FBF650C800A64702E6578616D706C65" },
    { &asn_DEF_EuiccResultData, "A803840102" },
    { &asn_DEF_EuiccResultData, "A803020107" },
    { &asn_DEF_EuiccResultData, "AB0DA00B3009800465696D31820102" },
    { &asn_DEF_EuiccResultData, "BF2D0381010B" },
    { &asn_DEF_EuiccResultData, "020102" },
    { &asn_DEF_EuiccResultData, "8E0102" },
    { &asn_DEF_EuiccResultData, "BF6503800100" },
    { &asn_DEF_EuiccResultData, "870100" },
    { &asn_DEF_HandleNotificationEsipa, "BF3D64BF5061" EPR },
    { &asn_DEF_HandleNotificationEsipa,
      "BF3D7BA079A177" EID "BF2F1F800107810207800C0A64702E6578616D706C65" ICCID NO_SIG },
    { &asn_DEF_CancelSessionRequestEsipa, "BF410980020102A103810105" },
    { &asn_DEF_CancelSessionRequestEsipa, "BF415080020102A14AA2483003800100" NO_SIG },
    { &asn_DEF_GetConnectivityParametersResponse, "BF5F06A0048102AABB" },
    { &asn_DEF_GetConnectivityParametersResponse, "BF5F03810101" },
    { &asn_DEF_ExecuteFallbackMechanismRequest, "BF5D03800100" },
    { &asn_DEF_TransferEimPackageResponse, "BF4E020500" },
    { &asn_DEF_InitiateAuthenticationRequestEsipa,
      "BF3922811000000000000000000000000000000000830A64702E6578616D706C658202"
      "0102" },

    /* Our own. */
    { &asn_DEF_GetEimConfigurationDataRequest, "BF5500" },
    { &asn_DEF_GetEimConfigurationDataResponse, "BF5502A000" },
    { &asn_DEF_GetEimConfigurationDataResponse,
      "BF55{A0{30{" EIM "A5{A1{" CERT "}}A6{A1{" CERT "}}87020308"
      "88{" SKI "}}30{80{78}83020080AA{" VENDOR "}}}}" },
    { &asn_DEF_GetCertsRequest, "BF5600" },
    { &asn_DEF_GetCertsRequest, "BF56{80{" SKI "}}" },
    { &asn_DEF_GetCertsResponse, "BF56{A0{A5{" CERT "}A6{" CERT "}}}" },
    { &asn_DEF_GetCertsResponse, "BF5603810101" },
    { &asn_DEF_ConfigureImmediateProfileEnablingRequest, "BF5900" },
    { &asn_DEF_ConfigureImmediateProfileEnablingRequest, "BF59{80008103883701}" },
    { &asn_DEF_ConfigureImmediateProfileEnablingResponse, "BF5903800102" },
    { &asn_DEF_ImmediateEnableRequest, "BF5A038001FF" },
    { &asn_DEF_ImmediateEnableResponse, "BF5A03800104" },
    { &asn_DEF_EnableEmergencyProfileRequest, "BF5B038001FF" },
    { &asn_DEF_EnableEmergencyProfileResponse, "BF5B03800108" },
    { &asn_DEF_DisableEmergencyProfileRequest, "BF5C03800100" },
    { &asn_DEF_DisableEmergencyProfileResponse, "BF5C03800102" },
    { &asn_DEF_ExecuteFallbackMechanismResponse, "BF5D03800168" },
    { &asn_DEF_ReturnFromFallbackRequest, "BF5E038001FF" },
    { &asn_DEF_ReturnFromFallbackResponse, "BF5E03800106" },
    { &asn_DEF_GetConnectivityParametersRequest, "BF5F00" },
    { &asn_DEF_IoTEuiccMemoryResetResponse, "BF6403800105" },
    { &asn_DEF_IoTSetDefaultDpAddressRequest, "BF65028000" },
    { &asn_DEF_IoTSetDefaultDpAddressResponse, "BF6503800100" },
    { &asn_DEF_IoTRetrieveNotificationsListRequest, "BF2B00" },
    { &asn_DEF_IoTRetrieveNotificationsListResponse, "BF2B0381017F" },
    { &asn_DEF_IoTRetrieveNotificationsListResponse, "BF2B{A2{" EPR EPR "}}" },
    { &asn_DEF_IoTRetrieveNotificationsListResponse, "BF2B{A0{" NOTIFICATIONS "}}" },
    { &asn_DEF_EuiccPackage, "A0{A3{" ICCID "}A4{" ICCID "}A5{" ICCID "}BF2D{A003950102"
                             "5C{5A9F70}}A700}" },
    { &asn_DEF_EuiccPackage, "A0{A7{80008103883701820178}A8{" ICCID "}A900}" },
    { &asn_DEF_EuiccPackage, "A1{AA{80{78}81{79}}}" },
    { &asn_DEF_EuiccPackageResult,
      "BF51{A0{30{" EIM_COUNTER "83010130{8401038501158C01008D0103}}" NO_SIG "}}" },
    { &asn_DEF_EuiccPackageResult, "BF51{A2{" EIM "}}" },
    { &asn_DEF_EuiccPackageResult, "BF51{A2{" EIM "8F010F}}" },
    { &asn_DEF_EuiccResultData, "A600" },
    { &asn_DEF_EuiccResultData, "A6{30{80020560A1{30{8003EEEEEE}}82020780}}" },
    { &asn_DEF_EuiccResultData, "BF2D{A0{E3{" ICCID "9F7001019F7B01009F2601FF9F6701FFBF6400}}}" },
    { &asn_DEF_EuiccResultData, "890102" },
    { &asn_DEF_EuiccResultData, "8A0106" },
    { &asn_DEF_EuiccResultData, "AB02A000" },
    { &asn_DEF_IpaEuiccDataResponse,
      "BF52{A0{A0{" NOTIFICATIONS "}8100A2{" EPR "}BF20{8203020500A900AA00}" INFO2
      "830178840101A5{" CERT "}A6{" CERT "}87020102A8{8002078081020780"
      "A2{" VENDOR "}}A9{800435290611A100}}}" },
    { &asn_DEF_ProfileDownloadTriggerRequest, "BF5400" },
    { &asn_DEF_ProfileDownloadTriggerRequest, "BF5404A0028100" },
    { &asn_DEF_ProfileDownloadTriggerRequest, "BF54{A0{A200}82020102}" },
    { &asn_DEF_ProfileDownloadTriggerRequest, "BF54{A0{A2{80{64732E78}}}}" },
    { &asn_DEF_ProfileDownloadTriggerResult, "BF54{82020102" PIR "}" },
    { &asn_DEF_ProfileDownloadTriggerResult, "BF54{30{8001680403BF4100}}" },
    { &asn_DEF_ProvideEimPackageResult, "BF50{BF54{" PIR "}}" },
    { &asn_DEF_ProvideEimPackageResult, "BF50{" EPR_AND_NOTIFICATIONS "}" },
    { &asn_DEF_ProvideEimPackageResult, "BF50{BF52{A103020168}}" },
    { &asn_DEF_ProvideEimPackageResultResponse, "BF50{BF53{80010580020080}}" },
    { &asn_DEF_GetEimPackageRequest, "BF4F{" EID "}" },
    { &asn_DEF_TransferEimPackageRequest, "BF4E{BF51{30{" EIM_COUNTER_EID "A1{AB00}}" NO_SIG "}}" },
    { &asn_DEF_TransferEimPackageRequest, "BF4E{BF53{800105}}" },
    { &asn_DEF_TransferEimPackageRequest, "BF4E{BF5404A0028100}" },
    { &asn_DEF_TransferEimPackageRequest, "BF4E{BF52{5C01A0}}" },
    { &asn_DEF_TransferEimPackageResponse, "BF4E{" EPR "}" },
    { &asn_DEF_TransferEimPackageResponse, "BF4E{" EPR_AND_NOTIFICATIONS "}" },
    { &asn_DEF_TransferEimPackageResponse, "BF4E03020102" },
    { &asn_DEF_TransferEimPackageResponse, "BF4E03BF6000" },
    { &asn_DEF_TransferEimPackageResponse, "BF4E{BF60{80020102}}" },
    { &asn_DEF_TransferEimPackageResponse, "BF4E{BF60{" EID "}}" },
    { &asn_DEF_TransferEimPackageResponse, "BF4E{BF61{020101}}" },
    { &asn_DEF_TransferEimPackageResponse, "BF4E{BF61{" EID "020102}}" },
    { &asn_DEF_HandleNotificationEsipa, "BF3D{A0{" PIR "}}" },
    { &asn_DEF_InitiateAuthenticationRequestEsipa, "BF39{81{" B16 "}BF20{8203020500A900AA00}}" },
    { &asn_DEF_InitiateAuthenticationResponseEsipa,
      "BF39{A0{" SIGNED1 NO_SIG "0414" SKI "30{" CERT "}}}" },
    { &asn_DEF_InitiateAuthenticationResponseEsipa,
      "BF39{A0{80020102" SIGNED1 NO_SIG "0414" SKI "30{" CERT "}0C0178A2{" CTX "}}}" },
    { &asn_DEF_InitiateAuthenticationResponseEsipa, "BF3903810134" },
    { &asn_DEF_AuthenticateClientRequestEsipa,
      "BF3B{80020102BF38{A0{30{80020102830178"
      "84{" B16 "}" INFO2 CTX "}" NO_SIG "30{" CERT "}30{" CERT "}}}}" },
    { &asn_DEF_AuthenticateClientRequestEsipa, "BF3B{80020102BF38{A1{80020102020102}}}" },
    { &asn_DEF_AuthenticateClientRequestEsipa, COMPACT_AUTHENTICATE },
    { &asn_DEF_AuthenticateClientRequestEsipa,
      "BF3B{80020102BF38{A2{30{8002010283017884{" B16 "}" INFO2 CTX "}" NO_SIG "A1{" CERT
      "}A2{" CERT "}}}}" },
    { &asn_DEF_AuthenticateClientResponseEsipa,
      "BF3B{A0{80020102BF25{" ICCID "910092009F7B01FF9F6701FFBF6400}30{800201020101FF}" NO_SIG
      "30{" CERT "}04{" B16 B16 "}}}" },
    { &asn_DEF_AuthenticateClientResponseEsipa,
      "BF3B{A0{30{800201020101FF}" NO_SIG "30{" CERT "}}}" },
    { &asn_DEF_AuthenticateClientResponseEsipa, "BF3B{A1{80020102BF54{A0{80{3124}}}}}" },
    { &asn_DEF_AuthenticateClientResponseEsipa, "BF3B{A1{80020102}}" },
    { &asn_DEF_AuthenticateClientResponseEsipa, "BF3B03820138" },
    { &asn_DEF_GetBoundProfilePackageRequestEsipa,
      "BF3A{80020102BF21{A0{30{800201025F490104}" NO_SIG "}}}" },
    { &asn_DEF_GetBoundProfilePackageRequestEsipa, "BF3A{80020102BF21{A1{800201020201"
                                                   "7F}}}" },
    { &asn_DEF_GetBoundProfilePackageRequestEsipa,
      "BF3A{80020102BF21{A2{30{5F49010404{" B16 B16 "}}" NO_SIG "}}}" },
    { &asn_DEF_GetBoundProfilePackageResponseEsipa,
      "BF3A{A0{BF36{BF23{82010180020102A6{80018881011084{78}}5F4901045F370100}A000A100A300}}}" },
    { &asn_DEF_GetBoundProfilePackageResponseEsipa, "BF3A0381015F" },
    { &asn_DEF_CancelSessionRequestEsipa,
      "BF41{80020102A1{A0{30{800201028103883701820100}" NO_SIG "}}}" },
    { &asn_DEF_CancelSessionResponseEsipa, "BF4102A000" },
    { &asn_DEF_CancelSessionResponseEsipa, "BF4103810101" },
    { &asn_DEF_EsipaMessageFromIpaToEim, "BF4F{" EID "}" },
    { &asn_DEF_EsipaMessageFromIpaToEim, "BF50{" EPR "}" },
    { &asn_DEF_EsipaMessageFromIpaToEim, "BF3D{A0{" PIR "}}" },
    { &asn_DEF_EsipaMessageFromIpaToEim, "BF4E020500" },
    { &asn_DEF_EsipaMessageFromIpaToEim, COMPACT_AUTHENTICATE },
    { &asn_DEF_EsipaMessageFromEimToIpa, "BF4F03020101" },
    { &asn_DEF_EsipaMessageFromEimToIpa, "BF50023000" },
    { &asn_DEF_EsipaMessageFromEimToIpa, "BF4E{BF53{800105}}" },
    { &asn_DEF_EsipaMessageFromEimToIpa, "BF3B03820101" },
    { &asn_DEF_EUICCInfo2, INFO2 },
    { &asn_DEF_StoreMetadataRequest, "BF25{" ICCID "910092009F7B01009F670100BF6400}" },
    { &asn_DEF_UpdateMetadataRequest, "BF2A00" },
    { &asn_DEF_UpdateMetadataRequest,
      "BF2A{9100920093010194019999020640BF22{" VENDOR "}9F6701FF}" },
};

START_TEST(what_is_decoded_is_written_the_same)
{
    expect(vectors[_i].type, vectors[_i].text, vectors[_i].text, 0);
}
END_TEST

START_TEST(what_is_cut_short_is_refused)
{
    struct rd o = exact_copy(vectors[_i].text);
    for (size_t n = 0; n < o.n; n++) {
        struct rd part = exact_copy_of(rd_of(o.p, n));
        ck_assert_int_eq(result_of(vectors[_i].type, part), ERR_INPUT);
        exact_free(&part);
    }
    exact_free(&o);
}
END_TEST

/* No outcome is asked for: only that what decodes can be written, and that sanitizers have nothing
 * to say. */
START_TEST(any_octet_may_be_wrong)
{
    static const uint8_t change[] = { 0x01, 0x02, 0x20, 0x40, 0x7f, 0x80, 0xff };
    struct rd o = exact_copy(vectors[_i].text);
    uint8_t *p = malloc(o.n), buf[2048];
    memcpy(p, o.p, o.n);
    for (size_t at = 0; at < o.n; at++)
        for (size_t k = 0; k < N_ELEMS(change); k++) {
            p[at] ^= change[k];
            void *value = NULL;
            size_t n;
            if (der_decode(vectors[_i].type, p, o.n, &value) == 0)
                ck_assert_int_eq(der_write(vectors[_i].type, value, buf, sizeof buf, &n), 0);
            der_free(vectors[_i].type, value);
            p[at] ^= change[k];
        }
    free(p);
    exact_free(&o);
}
END_TEST

/* ---- what comes after v1.3 ---- */

START_TEST(unknown_components_are_skipped)
{
    expect(&asn_DEF_EuiccPackageRequest,
           "BF51{30{8F0101" EIM EID "810102BF7F00A1{AB{8000}}AE{8000}}8500" NO_SIG "}",
           "BF51{30{" EIM EID "810102A1{AB00}}" NO_SIG "}", 5);
    expect(&asn_DEF_EuiccPackageResult,
           "BF51{A0{30{" EIM_COUNTER "83010186010130{830100}8700}" NO_SIG "8800}}",
           "BF51{A0{30{" EIM_COUNTER "83010130{830100}}" NO_SIG "}}", 3);
    expect(&asn_DEF_AddInitialEimRequest, "BF57{8500A0{30{" EIM "AB00A5{A0{" SPKI "0500}}9F7F00}}}",
           "BF57{A0{30{" EIM "A5{A0{" SPKI "}}}}}", 4);
    expect(&asn_DEF_GetEimPackageRequest, "BF4F{" EID "8000830101}", "BF4F{" EID "8000}", 1);
    expect(&asn_DEF_GetEimPackageResponse, "BF4F{BF54{A100A0{A2{80008100}}}}",
           "BF4F{BF54{A0{A2{8000}}}}", 2);
    expect(&asn_DEF_ProvideEimPackageResult, "BF50{" EID "9F7F00" EPR "8B00}", "BF50{" EID EPR "}",
           2);
    expect(&asn_DEF_IpaEuiccDataResponse, "BF52{A0{8A00840101BF7F00}}", "BF52{A0{840101}}", 2);
    expect(&asn_DEF_IoTSpecificInfo, "30{A0{0403010400}84008500}", "30{A0{0403010400}}", 2);
    expect(&asn_DEF_StoreMetadataRequest, "BF25{" ICCID "91009200BF64{8000810101}}",
           "BF25{" ICCID "91009200BF6400}", 2);
}
END_TEST

/* The list is shorter then: who executes one must ask the report. */
START_TEST(unknown_operations_are_dropped_and_reported)
{
    expect(&asn_DEF_EuiccPackage, "A0{A600BF6600AE{80}A900}", "A0{A600A900}", 2);
    expect(&asn_DEF_EuiccPackage, "A1{AC{8000}AB00}", "A1{AB00}", 1);
    expect(&asn_DEF_EuiccPackageResult,
           "BF51{A0{30{" EIM_COUNTER "83010130{830100980100}}" NO_SIG "}}",
           "BF51{A0{30{" EIM_COUNTER "83010130{830100}}" NO_SIG "}}", 1);
}
END_TEST

START_TEST(an_unknown_alternative_alone_is_refused)
{
    ck_assert_int_eq(result(&asn_DEF_EuiccPackage, "A200"), ERR_INPUT);
    ck_assert_int_eq(result(&asn_DEF_EuiccPackageResult, "BF5102A300"), ERR_INPUT);
    ck_assert_int_eq(result(&asn_DEF_GetEimPackageResponse, "BF4F03BF6200"), ERR_INPUT);
    ck_assert_int_eq(result(&asn_DEF_TransferEimPackageResponse, "BF4E03BF6200"), ERR_INPUT);
    ck_assert_int_eq(result(&asn_DEF_EsipaMessageFromIpaToEim, "BF6200"), ERR_INPUT);
    ck_assert_int_eq(result(&asn_DEF_EsipaMessageFromEimToIpa, "BF3D00"), ERR_INPUT);
}
END_TEST

/* ---- what stays refused ---- */

START_TEST(bounds_hold_each_time)
{
    /* asn1c forgets the bound of a named type after its first use. */
    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(result(&asn_DEF_EuiccPackage, "A1{A9{8000}}"), ERR_INPUT);
        ck_assert_int_eq(
            result(&asn_DEF_EuiccPackage, "A1{A9{80{" B16 B16 B16 B16 B16 B16 B16 B16 "}}}"), 0);
        ck_assert_int_eq(
            result(&asn_DEF_EuiccPackage, "A1{A9{80{" B16 B16 B16 B16 B16 B16 B16 B16 "41}}}"),
            ERR_INPUT);
        ck_assert_int_eq(result(&asn_DEF_EuiccPackage, "A0{A8{5A{981032547698103214}}}"),
                         ERR_INPUT);
        ck_assert_int_eq(result(&asn_DEF_GetEimPackageRequest, "BF4F{5A{" B16 "00}}"), ERR_INPUT);
        ck_assert_int_eq(result(&asn_DEF_GetEimPackageRequest, "BF4F{" EID "82020000}"), ERR_INPUT);
        ck_assert_int_eq(result(&asn_DEF_ProfileDownloadTriggerRequest, "BF54{82{" B16 "00}}"),
                         ERR_INPUT);
        ck_assert_int_eq(result(&asn_DEF_EuiccPackageResult,
                                "BF51{A0{30{" EIM_COUNTER "820083010130{}}" NO_SIG "}}"),
                         ERR_INPUT);
        ck_assert_int_eq(result(&asn_DEF_IoTPendingNotification, "A0{A0{80020102020107A2{A0{"
                                                                 "4F03101000}}}" NO_SIG "}"),
                         ERR_INPUT);
    }
}
END_TEST

START_TEST(what_is_missing_or_doubled_is_refused)
{
    ck_assert_int_eq(result(&asn_DEF_EuiccPackageRequest, "BF51{30{" EIM_COUNTER_EID "A1{AB00}}}"),
                     ERR_INPUT); /* no signature */
    ck_assert_int_eq(
        result(&asn_DEF_EuiccPackageRequest, "BF51{30{" EIM_COUNTER_EID "}" NO_SIG "}"),
        ERR_INPUT); /* no package */
    ck_assert_int_eq(result(&asn_DEF_EuiccPackageRequest,
                            "BF51{30{" EIM_COUNTER_EID "A1{AB00}A1{AB00}}" NO_SIG "}"),
                     ERR_INPUT);
    ck_assert_int_eq(result(&asn_DEF_EuiccPackageRequest,
                            "BF51{30{" EIM_COUNTER_EID "A0{A600}A1{AB00}}" NO_SIG "}"),
                     ERR_INPUT); /* either PSMOs or eCOs */
    ck_assert_int_eq(result(&asn_DEF_ProvideEimPackageResult, "BF50{" EID "}"), ERR_INPUT);
    ck_assert_int_eq(result(&asn_DEF_ProvideEimPackageResult, "BF50{" EPR EPR "}"), ERR_INPUT);
    ck_assert_int_eq(result(&asn_DEF_IpaEuiccDataRequest, "BF5200"), ERR_INPUT);
}
END_TEST

/* eimId and psmoList share the number of their tag: 80 and A0.  The first one is the eimId. */
START_TEST(a_package_in_front_of_the_eim_id_is_refused)
{
    ck_assert_int_eq(
        result(&asn_DEF_EuiccPackageRequest, "BF51{30{A0{A600}" EIM_COUNTER_EID "}" NO_SIG "}"),
        ERR_INPUT);
}
END_TEST

/* ---- values ---- */

static void is_text(const OCTET_STRING_t *s, const char *text)
{
    ck_assert_int_eq(s->size, (int)strlen(text));
    ck_assert_mem_eq(s->buf, text, strlen(text));
}

static void is_octets(const uint8_t *p, int n, const char *text)
{
    struct rd want = exact_copy(text);
    ck_assert_int_eq(n, (int)want.n);
    ck_assert_mem_eq(p, want.p, want.n);
    exact_free(&want);
}

START_TEST(values_of_a_package)
{
    EuiccPackageRequest_t *req = NULL;
    ck_assert_int_eq(decode(&asn_DEF_EuiccPackageRequest, ENABLE, &req), 0);
    const EuiccPackageSigned_t *s = &req->euiccPackageSigned;
    is_text(&s->eimId, "eim1");
    is_octets(s->eidValue.buf, s->eidValue.size, "89049032123451234512345678901235");
    ck_assert_int_eq(s->counterValue, 1);
    is_octets(s->eimTransactionId->buf, s->eimTransactionId->size, "11223344");
    ck_assert_int_eq(s->euiccPackage.present, EuiccPackage_PR_psmoList);
    ck_assert_int_eq(s->euiccPackage.choice.psmoList.list.count, 1);
    const Psmo_t *psmo = s->euiccPackage.choice.psmoList.list.array[0];
    ck_assert_int_eq(psmo->present, Psmo_PR_enable);
    ck_assert_int_eq(psmo->choice.enable.iccid.size, 10);
    ck_assert_ptr_nonnull(psmo->choice.enable.rollbackFlag);
    ck_assert_int_eq(req->eimSignature.size, 64);
    der_free(&asn_DEF_EuiccPackageRequest, req);
}
END_TEST

START_TEST(values_of_a_result)
{
    EuiccPackageResult_t *result = NULL;
    ck_assert_int_eq(decode(&asn_DEF_EuiccPackageResult, EPR, &result), 0);
    ck_assert_int_eq(result->present, EuiccPackageResult_PR_euiccPackageResultSigned);
    const EuiccPackageResultDataSigned_t *d =
        &result->choice.euiccPackageResultSigned.euiccPackageResultDataSigned;
    ck_assert_int_eq(d->seqNumber, 5);
    ck_assert_int_eq(d->euiccResult.list.count, 1);
    ck_assert_int_eq(d->euiccResult.list.array[0]->present, EuiccResultData_PR_enableResult);
    ck_assert_int_eq(d->euiccResult.list.array[0]->choice.enableResult, EnableProfileResult_ok);
    der_free(&asn_DEF_EuiccPackageResult, result);

    EuiccResultData_t *data = NULL;
    ck_assert_int_eq(decode(&asn_DEF_EuiccResultData, "AB0DA00B3009800465696D31820102", &data), 0);
    ck_assert_int_eq(data->choice.listEimResult.present, ListEimResult_PR_eimIdList);
    const EimIdInfo_t *info = data->choice.listEimResult.choice.eimIdList.list.array[0];
    is_text(&info->eimId, "eim1");
    ck_assert_int_eq(*info->eimIdType, EimIdType_eimIdTypeFqdn);
    der_free(&asn_DEF_EuiccResultData, data);
}
END_TEST

START_TEST(values_of_an_eim)
{
    AddInitialEimRequest_t *req = NULL;
    ck_assert_int_eq(decode(&asn_DEF_AddInitialEimRequest, "BF578189A08186308183" NEW_EIM, &req),
                     0);
    const EimConfigurationData_t *eim = req->eimConfigurationDataList.list.array[0];
    is_text(eim->eimFqdn, "eim.example.com");
    ck_assert_int_eq(*eim->counterValue, 0);
    ck_assert_int_eq(*eim->associationToken, -1);
    ck_assert_int_eq(eim->eimPublicKeyData->present, EimKey_PR_eimPublicKey);
    const PublicKeyContents_t *key = &eim->eimPublicKeyData->choice.eimPublicKey;
    is_octets(key->algorithm.buf, key->algorithm.size,
              "301306072A8648CE3D020106082A8648CE3D030107");
    is_octets(key->subjectPublicKey->buf, key->subjectPublicKey->size, POINT);
    ck_assert_ptr_nonnull(eim->indirectProfileDownload);
    ck_assert_ptr_null(eim->trustedPublicKeyDataTls);
    der_free(&asn_DEF_AddInitialEimRequest, req);
}
END_TEST

/* A certificate that kept its 30 is the first component, and the only one. */
START_TEST(certificates_may_keep_their_30)
{
    GetCertsResponse_t *rsp = NULL;
    ck_assert_int_eq(
        decode(&asn_DEF_GetCertsResponse, "BF56{A0{A5{" CERT "}A6{30{" CERT "}}}}", &rsp), 0);
    const CertificateContents_t *eum = &rsp->choice.certs.eumCertificate;
    is_octets(eum->tbsCertificate.buf, eum->tbsCertificate.size, "30{A003020102}");
    is_octets(eum->signatureAlgorithm->buf, eum->signatureAlgorithm->size, "30{06022A03}");
    is_octets(eum->signatureValue->buf, eum->signatureValue->size, "AA");
    const CertificateContents_t *euicc = &rsp->choice.certs.euiccCertificate;
    is_octets(euicc->tbsCertificate.buf, euicc->tbsCertificate.size, "30{" CERT "}");
    ck_assert_ptr_null(euicc->signatureAlgorithm);
    ck_assert_ptr_null(euicc->signatureValue);
    der_free(&asn_DEF_GetCertsResponse, rsp);

    EimConfigurationData_t *eim = NULL;
    ck_assert_int_eq(decode(&asn_DEF_EimConfigurationData, "30{" EIM "A5{A0{30{" SPKI "}}}}", &eim),
                     0);
    ck_assert_ptr_null(eim->eimPublicKeyData->choice.eimPublicKey.subjectPublicKey);
    der_free(&asn_DEF_EimConfigurationData, eim);
}
END_TEST

START_TEST(values_on_the_way_to_the_eim)
{
    EsipaMessageFromIpaToEim_t *m = NULL;
    ck_assert_int_eq(
        decode(&asn_DEF_EsipaMessageFromIpaToEim, "BF4F1C" EID "8000810101820362F210", &m), 0);
    ck_assert_int_eq(m->present, EsipaMessageFromIpaToEim_PR_getEimPackageRequest);
    const GetEimPackageRequest_t *get = &m->choice.getEimPackageRequest;
    ck_assert_ptr_nonnull(get->notifyStateChange);
    ck_assert_int_eq(*get->stateChangeCause, StateChangeCause_fallback);
    is_octets(get->rPLMN->buf, get->rPLMN->size, "62F210");
    der_free(&asn_DEF_EsipaMessageFromIpaToEim, m);

    m = NULL;
    ck_assert_int_eq(
        decode(&asn_DEF_EsipaMessageFromIpaToEim, "BF50{" EPR_AND_NOTIFICATIONS "}", &m), 0);
    const ProvideEimPackageResult_t *provide = &m->choice.provideEimPackageResult;
    ck_assert_ptr_null(provide->eidValue);
    ck_assert_int_eq(provide->eimPackageResult.present, EimPackageResult_PR_ePRAndNotifications);
    const EPRAndNotifications_t *both = &provide->eimPackageResult.choice.ePRAndNotifications;
    ck_assert_int_eq(both->euiccPackageResult.present,
                     EuiccPackageResult_PR_euiccPackageResultSigned);
    ck_assert_int_eq(both->notificationList.list.count, 1);
    ck_assert_int_eq(both->notificationList.list.array[0]->present,
                     IoTPendingNotification_PR_profileInstallationResult);
    der_free(&asn_DEF_EsipaMessageFromIpaToEim, m);

    m = NULL;
    ck_assert_int_eq(decode(&asn_DEF_EsipaMessageFromIpaToEim, COMPACT_AUTHENTICATE, &m), 0);
    const IoTAuthenticateServerResponse_t *auth =
        &m->choice.authenticateClientRequestEsipa.authenticateServerResponse;
    ck_assert_int_eq(auth->present, IoTAuthenticateServerResponse_PR_compactAuthenticateResponseOk);
    ck_assert_int_eq(auth->choice.compactAuthenticateResponseOk.signedData.present,
                     CompactAuthenticateResponseOk__signedData_PR_compactEuiccSigned1);
    der_free(&asn_DEF_EsipaMessageFromIpaToEim, m);
}
END_TEST

START_TEST(values_on_the_way_to_the_ipa)
{
    EsipaMessageFromEimToIpa_t *m = NULL;
    ck_assert_int_eq(decode(&asn_DEF_EsipaMessageFromEimToIpa,
                            "BF4F1BBF5418A0128010312464702E6578616D706C652441424382020102", &m),
                     0);
    const GetEimPackageResponse_t *get = &m->choice.getEimPackageResponse;
    ck_assert_int_eq(get->present, GetEimPackageResponse_PR_profileDownloadTriggerRequest);
    const ProfileDownloadData_t *d = get->choice.profileDownloadTriggerRequest.profileDownloadData;
    ck_assert_int_eq(d->present, ProfileDownloadData_PR_activationCode);
    is_text(&d->choice.activationCode, "1$dp.example$ABC");
    der_free(&asn_DEF_EsipaMessageFromEimToIpa, m);

    m = NULL;
    ck_assert_int_eq(decode(&asn_DEF_EsipaMessageFromEimToIpa, "BF50{BF53{80010580020080}}", &m),
                     0);
    const ProvideEimPackageResultResponse_t *acks = &m->choice.provideEimPackageResultResponse;
    ck_assert_int_eq(acks->present, ProvideEimPackageResultResponse_PR_eimAcknowledgements);
    ck_assert_int_eq(acks->choice.eimAcknowledgements.list.count, 2);
    ck_assert_int_eq(*acks->choice.eimAcknowledgements.list.array[1], 128);
    der_free(&asn_DEF_EsipaMessageFromEimToIpa, m);
}
END_TEST

START_TEST(values_that_v1_3_added)
{
    EUICCInfo2_t *info = NULL;
    ck_assert_int_eq(decode(&asn_DEF_EUICCInfo2, INFO2, &info), 0);
    ck_assert_int_eq(*info->ipaMode, EUICCInfo2__ipaMode_ipae);
    ck_assert_ptr_nonnull(info->iotSpecificInfo->fallbackAllowedUpdateSupported);
    is_octets(info->euiccMinimumSecurityLevel->buf, info->euiccMinimumSecurityLevel->size, "01");
    der_free(&asn_DEF_EUICCInfo2, info);

    EuiccPackageResult_t *result = NULL;
    ck_assert_int_eq(decode(&asn_DEF_EuiccPackageResult, "BF51{A2{" EIM "8F010F}}", &result), 0);
    ck_assert_int_eq(*result->choice.euiccPackageErrorUnsigned.euiccPackageUnsignedErrorCode, 15);
    der_free(&asn_DEF_EuiccPackageResult, result);

    UpdateMetadataRequest_t *update = NULL;
    ck_assert_int_eq(decode(&asn_DEF_UpdateMetadataRequest, "BF2A{9F670101}", &update), 0);
    ck_assert_int_ne(*update->fallbackAllowed, 0);
    der_free(&asn_DEF_UpdateMetadataRequest, update);

    IoTPendingNotification_t *n = NULL;
    ck_assert_int_eq(decode(&asn_DEF_IoTPendingNotification, COMPACT_OTHER, &n), 0);
    ck_assert_int_eq(n->choice.compactOtherSignedNotification.euiccCiPKIdentifierToBeUsed->size,
                     20);
    der_free(&asn_DEF_IoTPendingNotification, n);

    TransferEimPackageResponse_t *rsp = NULL;
    ck_assert_int_eq(
        decode(&asn_DEF_TransferEimPackageResponse, "BF4E{BF61{80020102020102}}", &rsp), 0);
    ck_assert_int_eq(rsp->present, TransferEimPackageResponse_PR_eimPackageErrorWithCid);
    ck_assert_int_eq(rsp->choice.eimPackageErrorWithCid.eimPackageError,
                     EimPackageResultErrorCode_unknownPackage);
    der_free(&asn_DEF_TransferEimPackageResponse, rsp);

    EimConfigurationData_t *eim = NULL;
    ck_assert_int_eq(decode(&asn_DEF_EimConfigurationData, "30{" EIM "AA{" VENDOR "}}", &eim), 0);
    ck_assert_int_eq(eim->eSipaProprietaryProtocolInformation->list.count, 1);
    der_free(&asn_DEF_EimConfigurationData, eim);
}
END_TEST

static Suite *asn1_sgp32_suite(void)
{
    Suite *s = suite_create("asn1_sgp32");
    TCase *tc = tcase_create("asn1_sgp32");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, what_is_decoded_is_written_the_same, 0, N_ELEMS(vectors));
    tcase_add_loop_test(tc, what_is_cut_short_is_refused, 0, N_ELEMS(vectors));
    tcase_add_loop_test(tc, any_octet_may_be_wrong, 0, N_ELEMS(vectors));
    tcase_add_test(tc, unknown_components_are_skipped);
    tcase_add_test(tc, unknown_operations_are_dropped_and_reported);
    tcase_add_test(tc, an_unknown_alternative_alone_is_refused);
    tcase_add_test(tc, bounds_hold_each_time);
    tcase_add_test(tc, what_is_missing_or_doubled_is_refused);
    tcase_add_test(tc, a_package_in_front_of_the_eim_id_is_refused);
    tcase_add_test(tc, values_of_a_package);
    tcase_add_test(tc, values_of_a_result);
    tcase_add_test(tc, values_of_an_eim);
    tcase_add_test(tc, certificates_may_keep_their_30);
    tcase_add_test(tc, values_on_the_way_to_the_eim);
    tcase_add_test(tc, values_on_the_way_to_the_ipa);
    tcase_add_test(tc, values_that_v1_3_added);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return suite_status(asn1_sgp32_suite());
}
