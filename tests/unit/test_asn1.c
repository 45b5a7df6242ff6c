/* test_asn1.c - our ASN.1 modules and asn1/der.h: literal octets in, the same octets out. */

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <AuthenticateServerRequest.h>
#include <AuthenticateServerResponse.h>
#include <BoundProfilePackage.h>
#include <CancelSessionResponse.h>
#include <ConfigureISDPRequest.h>
#include <DeleteProfileRequest.h>
#include <EUICCInfo1.h>
#include <EUICCInfo2.h>
#include <EUICCResponse.h>
#include <EnableProfileRequest.h>
#include <EuiccConfiguredAddressesResponse.h>
#include <EuiccMemoryResetRequest.h>
#include <GetBoundProfilePackageRequest.h>
#include <GetEuiccChallengeResponse.h>
#include <GetEuiccDataResponse.h>
#include <GetRatResponse.h>
#include <HandleNotification.h>
#include <ISDRProprietaryApplicationTemplate.h>
#include <InitialiseSecureChannelRequest.h>
#include <ListNotificationRequest.h>
#include <ListNotificationResponse.h>
#include <LoadCRLRequest.h>
#include <NotificationSentRequest.h>
#include <PrepareDownloadRequest.h>
#include <PrepareDownloadResponse.h>
#include <ProfileElement.h>
#include <ProfileInfoListRequest.h>
#include <ProfileInfoListResponse.h>
#include <ProfileInstallationResult.h>
#include <RemoteProfileProvisioningRequest.h>
#include <ReplaceSessionKeysRequest.h>
#include <RetrieveNotificationsListRequest.h>
#include <RetrieveNotificationsListResponse.h>
#include <SetNicknameRequest.h>
#include <StoreMetadataRequest.h>

#include "asn1/der.h"
#include "os/err.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

#define SKI   "F54172BDF98A95D65CBEB88A38A1C11D800A85C3"
#define ICCID "5A0A98001032547698103214"
#define B16   "101112131415161718191A1B1C1D1E1F"
#define TXID  "80{000102030405060708090A0B0C0D0E0F}"
#define SIG   "5F37{" B16 B16 B16 B16 "}"
#define OTPK  "5F49{04" B16 B16 B16 B16 "}"
#define CERT  "30{30{020101}300030{AF00}030100}" /* any SEQUENCE will do: nobody looks inside */
#define META                                                                                       \
    "BF2F{80020080"                                                                                \
    "81020780"                                                                                     \
    "0C{736D64702E6578616D706C652E636F6D}" ICCID "}"
#define PIR                                                                                        \
    "BF37{BF27{" TXID META "06{883701}A2{A0{4F{A0000005591010FFFFFFFF8900001000}"                  \
    "04{3007A0053003800100}}}}" SIG "}"
#define INFO2                                                                                      \
    "BF22{8103020301"                                                                              \
    "8203020500"                                                                                   \
    "8303010203"                                                                                   \
    "84{81010882040001000083040001"                                                                \
    "0000}"                                                                                        \
    "8505067F36F3C0"                                                                               \
    "8603090200"                                                                                   \
    "8703020300"                                                                                   \
    "8802028C"                                                                                     \
    "A9{0414" SKI "}AA{0414" SKI "}8B0101"                                                         \
    "99020640"                                                                                     \
    "0403010000"                                                                                   \
    "0C{534F46542D45554943432D3030}"                                                               \
    "8D020640"                                                                                     \
    "AF{0403030301}}"
#define CTX                                                                                        \
    "A0{8000A1{800435290611A1{8003050000"                                                          \
    "85030E0000"                                                                                   \
    "8703020500"                                                                                   \
    "AE{8003010000}}}}"
#define SIGNED1     "30{" TXID "81{" B16 "}83{736D64702E6578616D706C65}84{" B16 "}}"
#define SMDPSIGNED2 "30{" TXID "0101FF" OTPK "}"

/* ---- octets ---- */

struct octets {
    uint8_t *p; /* a heap block of exactly n octets, so that ASan sees one too many */
    size_t n;
};

static struct octets octets(const char *text)
{
    size_t max = strlen(text) + 3;
    struct octets o = { malloc(max), 0 };
    o.n = hex(text, o.p, max);
    o.p = realloc(o.p, o.n > 0 ? o.n : 1);
    return o;
}

static int decode(const asn_TYPE_descriptor_t *type, const char *hex, void *ret)
{
    struct octets o = octets(hex);
    int r = der_decode(type, o.p, o.n, ret);
    free(o.p);
    return r;
}

/* The result of decoding; what it decoded to is forgotten. */
static int result_of(const asn_TYPE_descriptor_t *type, const uint8_t *p, size_t n)
{
    void *value = NULL;
    int r = der_decode(type, p, n, &value);
    ck_assert((r == 0) == (value != NULL));
    der_free(type, value);
    return r;
}

static int result(const asn_TYPE_descriptor_t *type, const char *hex)
{
    struct octets o = octets(hex);
    int r = result_of(type, o.p, o.n);
    free(o.p);
    return r;
}

/* Decodes `in` and expects `out` when it is written again. */
static void expect(const asn_TYPE_descriptor_t *type, const char *in, const char *out)
{
    void *value = NULL;
    ck_assert_msg(decode(type, in, &value) == 0, "%s: %s", type->name, in);

    struct octets want = octets(out);
    uint8_t *buf = malloc(want.n);
    size_t n = 0;
    ck_assert_int_eq(der_write(type, value, buf, want.n, &n), 0);
    ck_assert_uint_eq(n, want.n);
    ck_assert_mem_eq(buf, want.p, n);
    ck_assert_msg(der_is_canonical(buf, n), "%s: %s", type->name, in);
    ck_assert_int_eq(der_write(type, value, buf, n - 1, &n), ERR_NOMEM);
    free(buf);
    free(want.p);
    der_free(type, value);
}

static const asn_TYPE_descriptor_t *const PE = &asn_DEF_ProfileElement;

/* ---- vectors ---- */

static const struct vector {
    const asn_TYPE_descriptor_t *type;
    const char *hex;
} vectors[] = {
    { &asn_DEF_EUICCInfo1, "BF20358203020500A9160414" SKI "AA160414" SKI },
    { &asn_DEF_EUICCInfo1, "BF20098203020500A900AA00" },
    { &asn_DEF_EUICCInfo2, INFO2 },
    { &asn_DEF_ProfileInfoListRequest, "BF2D00" },
    { &asn_DEF_ProfileInfoListRequest, "BF2D{5C{5A90919293B79F709599BF769F24}}" },
    { &asn_DEF_ProfileInfoListRequest, "BF2D0EA00C" ICCID },
    { &asn_DEF_ProfileInfoListRequest, "BF2D05A003950102" },
    { &asn_DEF_ProfileInfoListResponse, "BF2D02A000" },
    { &asn_DEF_ProfileInfoListResponse, "BF2D03810101" },
    { &asn_DEF_ProfileInfoListResponse,
      "BF2D{A0{E3{" ICCID "4F{A0000005591010FFFFFFFF8900001000}9F70010190009102535092025052"
      "9301019403FFD8FF950102}}}" },
    { &asn_DEF_ProfileInfoListResponse,
      "BF2D{A0{E3{" ICCID "B6{30{800204F08103612E62}}B7{800362F2108100}B8{8003883701}99020640"
      "BF22{30{8003883701A1{0C0161}}}}E300}}" },
    { &asn_DEF_EUICCResponse, "3007A0053003800100" },
    { &asn_DEF_EUICCResponse, "300CA008300680010581010C8100" },
    { &asn_DEF_EUICCResponse, "30{A0{30{80026A828102012D8201018304010000"
                              "00}300380010A}82026E6F}" },
    { &asn_DEF_GetEuiccDataResponse, "BF3E125A1089049032123451234512345678901235" },
    { &asn_DEF_GetEuiccChallengeResponse, "BF2E{80{" B16 "}}" },
    { &asn_DEF_EnableProfileRequest, "BF31{A0{" ICCID "}8101FF}" },
    { &asn_DEF_EnableProfileRequest, "BF31{A0{4F{A0000005591010FFFFFFFF8900001000}}810100}" },
    { &asn_DEF_DeleteProfileRequest, "BF330C" ICCID },
    { &asn_DEF_EuiccMemoryResetRequest, "BF3404820205E0" },
    { &asn_DEF_SetNicknameRequest, "BF29{" ICCID "90026869}" },
    { &asn_DEF_EuiccConfiguredAddressesResponse, "BF3C028100" },
    { &asn_DEF_GetRatResponse, "BF4302A000" },
    { &asn_DEF_GetRatResponse, "BF43{A0{30{80020560A1{30{8003EEEEEE}}82020780}}}" },
    { &asn_DEF_ListNotificationRequest, "BF2800" },
    { &asn_DEF_ListNotificationRequest, "BF280481020470" },
    { &asn_DEF_ListNotificationResponse, "BF2802A000" },
    { &asn_DEF_ListNotificationResponse, "BF28{A0{" META META "}}" },
    { &asn_DEF_ListNotificationResponse, "BF280381017F" },
    { &asn_DEF_RetrieveNotificationsListRequest, "BF2B00" },
    { &asn_DEF_RetrieveNotificationsListRequest, "BF2B{A0{80020080}}" },
    { &asn_DEF_RetrieveNotificationsListRequest, "BF2B{A0{81020780}}" },
    { &asn_DEF_RetrieveNotificationsListResponse, "BF2B02A000" },
    { &asn_DEF_RetrieveNotificationsListResponse, "BF2B{A0{" PIR "30{" META SIG CERT CERT "}}}" },
    { &asn_DEF_NotificationSentRequest, "BF3003800105" },
    { &asn_DEF_ISDRProprietaryApplicationTemplate, "E0058203020202" },
    { &asn_DEF_ConfigureISDPRequest, "BF2400" },
    { &asn_DEF_ConfigureISDPRequest, "BF24{B8{8003883701}}" },
    { &asn_DEF_StoreMetadataRequest,
      "BF252F5A0A98001032547698103214910965756963632D727370921665756963632D72737020746573742070726F"
      "66696C65" },
    { &asn_DEF_StoreMetadataRequest,
      "BF25{" ICCID
      "91009200930101940389504E950100B6{30{800204F08103612E62}}B7{800362F210}99020560}" },
    { &asn_DEF_ReplaceSessionKeysRequest, "BF26{80{" B16 "}81{" B16 "}82{" B16 "}}" },
    { &asn_DEF_InitialiseSecureChannelRequest,
      "BF23{820101" TXID "A6{80018881011084{6D61686C7A656974}}" OTPK SIG "}" },
    { &asn_DEF_BoundProfilePackage,
      "BF36{BF23{820101" TXID "A6{80018881011084{6D61686C7A656974}}" OTPK SIG
      "}A0{8718BC43D09EF085954B55E4ACDBB87B6649813B5DB57A02D5C9}A1{880101880102}A3{860103}}" },
    { &asn_DEF_ProfileInstallationResult, PIR },
    { &asn_DEF_ProfileInstallationResult,
      "BF37{BF27{" TXID META "06{883701}A2{A1{80010581010C82{300CA008300680010581010C8100}}}}" SIG
      "}" },
    { &asn_DEF_AuthenticateServerRequest, "BF38{" SIGNED1 SIG "0414" SKI CERT CTX "}" },
    { &asn_DEF_AuthenticateServerResponse, "BF38{A0{30{" TXID "83{736D64702E6578616D706C65}84{" B16
                                           "}" INFO2 CTX "}" SIG CERT CERT "}}" },
    { &asn_DEF_AuthenticateServerResponse, "BF38{A1{" TXID "020102}}" },
    { &asn_DEF_PrepareDownloadRequest, "BF21{" SMDPSIGNED2 SIG CERT "}" },
    { &asn_DEF_PrepareDownloadRequest, "BF21{" SMDPSIGNED2 SIG "04{" B16 B16 "}" CERT "}" },
    { &asn_DEF_PrepareDownloadResponse, "BF21{A0{30{" TXID OTPK "}" SIG "}}" },
    { &asn_DEF_PrepareDownloadResponse, "BF21{A1{" TXID "02017F}}" },
    { &asn_DEF_CancelSessionResponse, "BF41{A0{30{" TXID "8103883701820100}" SIG "}}" },
    { &asn_DEF_CancelSessionResponse, "BF4103810105" },
    { &asn_DEF_LoadCRLRequest, "BF35{A0{30{020101300030008000}3000030100}}" },
    { &asn_DEF_RemoteProfileProvisioningRequest,
      "A2{BF39{81{" B16 "}83{736D6470}BF20{8203020500A900AA00}}}" },
    { &asn_DEF_RemoteProfileProvisioningRequest, "A2{BF3D{A0{" PIR "}}}" },
    { &asn_DEF_RemoteProfileProvisioningRequest, "A2{BF3B{" TXID "BF38{A1{" TXID "020102}}}}" },
    { &asn_DEF_ProfileElement, "AA{A0{800081020123}}" },
    { &asn_DEF_ProfileElement,
      "A0{80010281010382{54455354}830A89000123456789012341A5{81008200}A6{060667810F010201}}" },
    { &asn_DEF_ProfileElement, "A3{A0{8000810103}A1{30{80010181083132333435363738}30{80028101"
                               "81083132333435363738820133}}}" },
    { &asn_DEF_ProfileElement, "A2{A0{810103}A1{81{7FD0}}}" },
    { &asn_DEF_ProfileElement, "A2{A0{810103}A1{A0{30{80010181083132333435363738820101}}}}" },
    { &asn_DEF_ProfileElement,
      "A1{A0{810103}A1{30{80{7F10}62{82024121830264208B036F06058001108800}0201058103414243}}}" },
    { &asn_DEF_ProfileElement, "A7{A0{810103}4F{A000000559}A0{0403B00000}8101160401000401FF30{80{"
                               "A000000087}810100820100}}" },
    { &asn_DEF_ProfileElement,
      "A6{A0{810103}A1{4F{A000000151}4F{A000000151}4F{A000000151}82{80}83010FC9{8102}"
      "EA{80{0102}}30{0400}}A2{30{950138820101830130"
      "30{30{80018886{" B16 "}}}}}}" },
    { &asn_DEF_ProfileElement, "BF20{A0{810103}81{678100}A9{8303080910}B2028000}" },
};

START_TEST(what_is_decoded_is_written_the_same)
{
    const struct vector *v = &vectors[_i];
    expect(v->type, v->hex, v->hex);

    struct octets o = octets(v->hex);
    struct der_report report;
    void *value = NULL;
    ck_assert_int_eq(der_decode_report(v->type, o.p, o.n, &value, &report), 0);
    ck_assert_uint_eq(report.unknown, 0);
    ck_assert(!report.reordered);
    der_free(v->type, value);
    free(o.p);
}
END_TEST

START_TEST(what_is_cut_short_is_refused)
{
    const struct vector *v = &vectors[_i];
    struct octets o = octets(v->hex);
    for (size_t n = 0; n < o.n; n++) {
        uint8_t *part = malloc(n > 0 ? n : 1); /* so that reading on is noticed */
        memcpy(part, o.p, n);
        ck_assert_int_eq(result_of(v->type, part, n), ERR_INPUT);
        free(part);
    }
    free(o.p);
}
END_TEST

START_TEST(an_octet_too_many_is_refused)
{
    const struct vector *v = &vectors[_i];
    struct octets o = octets(v->hex);
    o.p = realloc(o.p, o.n + 1);
    o.p[o.n] = 0;
    ck_assert_int_eq(result_of(v->type, o.p, o.n + 1), ERR_INPUT);
    free(o.p);
}
END_TEST

/* No outcome is asked for: only that there is one, and that sanitizers have nothing to say. */
START_TEST(any_octet_may_be_wrong)
{
    static const uint8_t change[] = { 0x01, 0x02, 0x20, 0x40, 0x7f, 0x80, 0xff };
    const struct vector *v = &vectors[_i];
    struct octets o = octets(v->hex);
    for (size_t at = 0; at < o.n; at++)
        for (size_t k = 0; k < N_ELEMS(change); k++) {
            o.p[at] ^= change[k];
            void *value = NULL;
            if (der_decode(v->type, o.p, o.n, &value) == 0) {
                uint8_t buf[1024];
                size_t n;
                ck_assert_int_eq(der_write(v->type, value, buf, sizeof buf, &n), 0);
                ck_assert_uint_le(n,
                                  o.n + 1); /* a leap second of BOOLEAN or unused bits, no more */
            }
            der_free(v->type, value);
            der_is_canonical(o.p, o.n);
            o.p[at] ^= change[k];
        }
    free(o.p);
}
END_TEST

/* ---- leniency ---- */

START_TEST(unknown_components_are_skipped_wherever_they_stand)
{
    static const char want[] = "BF25{" ICCID "9100920099020560}";
    expect(&asn_DEF_StoreMetadataRequest,
           "BF25{" ICCID "91009200"
           "99020560BF760101}",
           want);
    expect(&asn_DEF_StoreMetadataRequest,
           "BF25{9B00" ICCID "9100BA009200BF7F03"
           "050000990205609F2103000000}",
           want);
    /* otherCertsInChain, crlList, sessionContext, serverRspCapability of SGP.22 v3 */
    expect(&asn_DEF_AuthenticateServerRequest,
           "BF38{30{" TXID "81{" B16 "}83{736D6470}84{" B16 "}A5{8003030000}86020780}" SIG
           "0414" SKI CERT CTX "A1{" CERT "}A2{" CERT "}}",
           "BF38{30{" TXID "81{" B16 "}83{736D6470}84{" B16 "}}" SIG "0414" SKI CERT CTX "}");
    expect(&asn_DEF_PrepareDownloadResponse, "BF21{A0{30{" TXID OTPK "3003800101}" SIG "}}",
           "BF21{A0{30{" TXID OTPK "}" SIG "}}");
}
END_TEST

START_TEST(unknown_alternatives_are_dropped_from_lists)
{
    struct octets o = octets("A1{A0{810103}A1{30{80{7F10}9F550101"
                             "8103414243}}8A00}");
    struct der_report report;
    ProfileElement_t *pe = NULL;
    ck_assert_int_eq(der_decode_report(PE, o.p, o.n, (void **)&pe, &report), 0);
    ck_assert_int_eq(pe->present, ProfileElement_PR_genericFileManagement);
    ck_assert_int_eq(pe->choice.genericFileManagement.fileManagementCMD.list.count, 1);
    ck_assert_int_eq(pe->choice.genericFileManagement.fileManagementCMD.list.array[0]->list.count,
                     2);
    ck_assert_uint_eq(report.unknown, 2);
    ck_assert_uint_eq(report.unknown_at, 15);
    ck_assert_mem_eq(o.p + 15, "\x9f\x55", 2);
    der_free(PE, pe);
    free(o.p);
}
END_TEST

START_TEST(an_unknown_alternative_alone_is_refused)
{
    ck_assert_int_eq(
        result(&asn_DEF_AuthenticateServerRequest, "BF38{" SIGNED1 SIG "0414" SKI CERT "A1{8000}}"),
        ERR_INPUT);
    ck_assert_int_eq(result(PE, "BF55{A0{810103}}"), ERR_INPUT);
    ck_assert_int_eq(result(&asn_DEF_EnableProfileRequest, "BF31{A0{9500}8101FF}"), ERR_INPUT);
}
END_TEST

START_TEST(components_may_come_in_any_order)
{
    struct octets o = octets("BF31{8101FFA0{" ICCID "}}");
    struct der_report report;
    void *value = NULL;
    ck_assert_int_eq(der_decode_report(&asn_DEF_EnableProfileRequest, o.p, o.n, &value, &report),
                     0);
    ck_assert(report.reordered);
    der_free(&asn_DEF_EnableProfileRequest, value);
    free(o.p);

    expect(&asn_DEF_EnableProfileRequest, "BF31{8101FFA0{" ICCID "}}", "BF31{A0{" ICCID "}8101FF}");
    expect(&asn_DEF_StoreMetadataRequest,
           "BF25{9206616263646566"
           "9100" ICCID "}",
           "BF25{" ICCID "91009206616263646566}");
}
END_TEST

START_TEST(lengths_need_not_be_minimal_and_true_is_not_zero)
{
    expect(&asn_DEF_ProfileInfoListResponse, "BF2D8102A000", "BF2D02A000");
    expect(&asn_DEF_EnableProfileRequest, "BF31820014A08300000C" ICCID "810101" /* 20 octets */,
           "BF31{A0{" ICCID "}8101FF}");
}
END_TEST

START_TEST(absent_refresh_flag_is_accepted)
{
    EnableProfileRequest_t *req = NULL;
    ck_assert_int_eq(decode(&asn_DEF_EnableProfileRequest, "BF31{A0{" ICCID "}}", &req), 0);
    ck_assert_ptr_null(req->refreshFlag);
    ck_assert_int_eq(req->profileIdentifier.present,
                     EnableProfileRequest__profileIdentifier_PR_iccid);
    der_free(&asn_DEF_EnableProfileRequest, req);
}
END_TEST

/* ---- what stays refused ---- */

START_TEST(a_component_twice_is_refused)
{
    ck_assert_int_eq(result(&asn_DEF_EnableProfileRequest, "BF31{A0{" ICCID "}8101FF810100}"),
                     ERR_INPUT);
    ck_assert_int_eq(result(&asn_DEF_StoreMetadataRequest, "BF25{" ICCID ICCID "91009200}"),
                     ERR_INPUT);
    ck_assert_int_eq(result(&asn_DEF_DeleteProfileRequest, "BF33{" ICCID ICCID "}"), ERR_INPUT);
}
END_TEST

START_TEST(bounds_hold_each_time)
{
    /* asn1c forgets the bound of a named type after its first use. */
    for (int round = 0; round < 3; round++) {
        expect(&asn_DEF_DeleteProfileRequest, "BF33{" ICCID "}", "BF33{" ICCID "}");
        ck_assert_int_eq(result(&asn_DEF_DeleteProfileRequest, "BF33{5A{980010325476981032}}"),
                         ERR_INPUT);
        ck_assert_int_eq(result(&asn_DEF_CancelSessionResponse,
                                "BF41{A0{30{80{00" B16 "}8103883701820100}" SIG "}}"),
                         ERR_INPUT);
        ck_assert_int_eq(result(&asn_DEF_EUICCInfo1, "BF20{820205008900"
                                                     "A900AA00}"),
                         ERR_INPUT);
        ck_assert_int_eq(result(&asn_DEF_GetEuiccChallengeResponse, "BF2E{80{" B16 "00}}"),
                         ERR_INPUT);
        ck_assert_int_eq(result(PE, "AA{A0{81028000}}"), ERR_INPUT);
        ck_assert_int_eq(result(PE, "AA{A0{8103008000}}"), ERR_INPUT);
        expect(PE, "AA{A0{81027FFF}}", "AA{A0{81027FFF}}");
    }
}
END_TEST

START_TEST(utf8_is_counted_in_characters_and_must_be_utf8)
{
    ck_assert_int_eq(result(&asn_DEF_SetNicknameRequest, "BF29{" ICCID "90{" B16 B16 B16 B16 "}}"),
                     0);
    ck_assert_int_eq(
        result(&asn_DEF_SetNicknameRequest, "BF29{" ICCID "90{" B16 B16 B16 B16 "41}}"), ERR_INPUT);
    ck_assert_int_eq(result(&asn_DEF_SetNicknameRequest, "BF29{" ICCID "9002C328}"), ERR_INPUT);
}
END_TEST

START_TEST(malformed_primitives_are_refused)
{
    ck_assert_int_eq(result(&asn_DEF_EnableProfileRequest, "BF31{A0{" ICCID "}8100}"), ERR_INPUT);
    ck_assert_int_eq(result(&asn_DEF_EnableProfileRequest, "BF31{A0{" ICCID "}81020001}"),
                     ERR_INPUT);
    ck_assert_int_eq(result(&asn_DEF_NotificationSentRequest, "BF30028000"), ERR_INPUT);
    ck_assert_int_eq(result(&asn_DEF_NotificationSentRequest, "BF30{80{00FFFFFFFFFFFFFFFFFF}}"),
                     ERR_INPUT);
    ck_assert_int_eq(result(&asn_DEF_ListNotificationRequest, "BF28028100"), ERR_INPUT);
    ck_assert_int_eq(result(&asn_DEF_ListNotificationRequest, "BF2803810101"), ERR_INPUT);
    ck_assert_int_eq(result(&asn_DEF_ListNotificationRequest, "BF280481020880"), ERR_INPUT);
    ck_assert_int_eq(result(PE, "AA{A0{800100810103}}"), ERR_INPUT); /* NULL with contents */
    ck_assert_int_eq(result(&asn_DEF_DeleteProfileRequest, "BF33{7A{04{98001032547698103214}}}"),
                     ERR_INPUT);
    ck_assert_int_eq(result(&asn_DEF_StoreMetadataRequest,
                            "BF25{" ICCID "91009200BF22{30{8001888103"
                            "0C0161}}}"),
                     ERR_INPUT); /* an explicit tag in primitive form */
    ck_assert_int_eq(result(&asn_DEF_EuiccConfiguredAddressesResponse, "BF3C{A1{0C0161}}"),
                     ERR_INPUT);
}
END_TEST

START_TEST(indefinite_lengths_are_refused)
{
    ck_assert_int_eq(result(&asn_DEF_ProfileInfoListResponse, "BF2D80A0000000"), ERR_INPUT);
    ck_assert_int_eq(result(&asn_DEF_ProfileInfoListResponse, "BF2D{A0800000}"), ERR_INPUT);
    ck_assert_int_eq(
        result(&asn_DEF_PrepareDownloadRequest, "BF21{" SMDPSIGNED2 SIG "30800201010000}"),
        ERR_INPUT);
}
END_TEST

/* `unit` over and over, `n` times. */
static uint8_t *bomb(const char *unit, size_t n, size_t *ret_n)
{
    struct octets o = octets(unit);
    uint8_t *p = malloc(o.n * n);
    for (size_t i = 0; i < n; i++)
        memcpy(p + i * o.n, o.p, o.n);
    *ret_n = o.n * n;
    free(o.p);
    return p;
}

START_TEST(nesting_bombs_are_refused)
{
    static const char *const units[] = { "3080", "A080", "BF2D80", "30840001869E", "A0840001869E" };
    size_t n;
    uint8_t *p = bomb(units[_i], 20000, &n);
    for (size_t k = 0; k < N_ELEMS(vectors); k++)
        ck_assert_int_eq(result_of(vectors[k].type, p, n), ERR_INPUT);
    ck_assert(!der_is_canonical(p, n));
    free(p);
}
END_TEST

/* Well-formed nesting `depth` deep inside BF2D: the innermost object first. */
START_TEST(deep_nesting_in_what_is_skipped_costs_nothing)
{
    size_t n = 2 + 6 + 60000 * 6;
    uint8_t *p = malloc(n), *at = p + n;
    for (size_t length = 0; length < 60000 * 6; length += 6) {
        at -= 6;
        memcpy(at,
               (uint8_t[]){ 0xaf, 0x84, (uint8_t)(length >> 24), (uint8_t)(length >> 16),
                            (uint8_t)(length >> 8), (uint8_t)length },
               6);
    }
    size_t length = (size_t)(p + n - at);
    at -= 6;
    memcpy(at,
           (uint8_t[]){ 0xbf, 0x2b, 0x83, (uint8_t)(length >> 16), (uint8_t)(length >> 8),
                        (uint8_t)length },
           6);
    ck_assert_int_eq(result_of(&asn_DEF_RetrieveNotificationsListRequest, at, length + 6), 0);
    ck_assert(!der_is_canonical(at, length + 6));

    /* The same where a certificate is due: octets like others, and asn1c has to get through. */
    for (uint8_t *o = at + 6; o < p + n; o += 6)
        *o = 0x30;
    Certificate_t *cert = NULL;
    int r = der_decode(&asn_DEF_Certificate, at + 6, length, (void **)&cert);
    ck_assert(r == 0 || r == ERR_INPUT);
    der_free(&asn_DEF_Certificate, cert);
    free(p);
}
END_TEST

START_TEST(too_many_components_are_refused)
{
    char hex[32 + 4 * (DER_MAX_COMPONENTS + 1)] = "BF2B{";
    for (size_t i = 0; i < DER_MAX_COMPONENTS; i++)
        strcat(hex, "8F00");
    strcat(hex, "}");
    ck_assert_int_eq(result(&asn_DEF_RetrieveNotificationsListRequest, hex), 0);
    hex[strlen(hex) - 1] = 0;
    strcat(hex, "8F00}");
    ck_assert_int_eq(result(&asn_DEF_RetrieveNotificationsListRequest, hex), ERR_INPUT);
}
END_TEST

/* ---- octets of signed things, values, writing ---- */

START_TEST(certificates_keep_their_octets)
{
    PrepareDownloadRequest_t *req = NULL;
    static const char cert[] = "308200053000040101"; /* not canonical, and not ours to mend */
    ck_assert_int_eq(decode(&asn_DEF_PrepareDownloadRequest,
                            "BF21{" SMDPSIGNED2 SIG "308200053000040101}", &req),
                     0);
    ck_assert_ptr_null(req->hashCc);
    struct octets want = octets(cert);
    ck_assert_int_eq(req->smdpCertificate.size, (int)want.n);
    ck_assert_mem_eq(req->smdpCertificate.buf, want.p, want.n);
    free(want.p);
    der_free(&asn_DEF_PrepareDownloadRequest, req);
}
END_TEST

START_TEST(values_arrive_where_they_belong)
{
    ProfileInstallationResult_t *pir = NULL;
    ck_assert_int_eq(decode(&asn_DEF_ProfileInstallationResult, PIR, &pir), 0);
    const ProfileInstallationResultData_t *d = &pir->profileInstallationResultData;
    ck_assert_int_eq(d->notificationMetadata.seqNumber, 128);
    ck_assert_int_eq(d->finalResult.present,
                     ProfileInstallationResultData__finalResult_PR_successResult);
    ck_assert_int_eq(d->finalResult.choice.successResult.aid.size, 16);
    ck_assert_int_eq(d->finalResult.choice.successResult.simaResponse.size, 9);
    ck_assert_int_eq(pir->euiccSignPIR.size, 64);
    der_free(&asn_DEF_ProfileInstallationResult, pir);

    ProfileElement_t *pe = NULL;
    ck_assert_int_eq(decode(PE,
                            "A0{80010281010382{54455354}830A89000123456789012341A5{81008200}A6{"
                            "060667810F010201}}",
                            &pe),
                     0);
    ck_assert_int_eq(pe->present, ProfileElement_PR_header);
    const ProfileHeader_t *h = &pe->choice.header;
    ck_assert_int_eq(h->major_version, 2);
    ck_assert_int_eq(h->minor_version, 3);
    ck_assert_ptr_nonnull(h->eUICC_Mandatory_services.usim);
    ck_assert_ptr_null(h->eUICC_Mandatory_services.csim);
    ck_assert_int_eq(h->eUICC_Mandatory_GFSTEList.list.count, 1);
    der_free(PE, pe);
}
END_TEST

START_TEST(writing_what_is_incomplete_is_a_bug)
{
    NotificationMetadata_t meta = { .seqNumber = 1 };
    uint8_t buf[64];
    size_t n = 99;
    ListNotificationResponse_t none = { .present = ListNotificationResponse_PR_NOTHING };
    ck_assert_int_eq(der_write(&asn_DEF_ListNotificationResponse, &none, buf, sizeof buf, &n),
                     ERR_BUG);
    ck_assert_uint_eq(n, 99);
    ck_assert(!der_valid(&asn_DEF_ListNotificationResponse, &none));
    ck_assert(!der_valid(&asn_DEF_NotificationMetadata, &meta)); /* no bits, no address */
    ck_assert(!der_valid(&asn_DEF_NotificationMetadata, NULL));
}
END_TEST

static int append(const void *p, size_t n, void *to)
{
    size_t used = strlen(to);
    memcpy((char *)to + used, p, n);
    ((char *)to)[used + n] = 0;
    return 0;
}

START_TEST(xml_and_back)
{
    static const char text[] = "A2{A0{8000810103}A1{A0{30{80010181083132333435363738820101}}}}";
    ProfileElement_t *pe = NULL, *again = NULL;
    char xml[4096] = "";
    ck_assert_int_eq(decode(PE, text, &pe), 0);
    ck_assert_int_gt(xer_encode(&asn_DEF_ProfileElement, pe, XER_F_BASIC, append, xml).encoded, 0);
    asn_dec_rval_t r = xer_decode(NULL, &asn_DEF_ProfileElement, (void **)&again, xml, strlen(xml));
    ck_assert_int_eq(r.code, RC_OK);
    ck_assert(der_valid(PE, again));

    struct octets want = octets(text);
    uint8_t buf[64];
    size_t n;
    ck_assert_int_eq(der_write(PE, again, buf, sizeof buf, &n), 0);
    ck_assert_uint_eq(n, want.n);
    ck_assert_mem_eq(buf, want.p, n);
    free(want.p);
    der_free(PE, pe);
    der_free(PE, again);
}
END_TEST

/* ---- strict DER ---- */

static const struct {
    const char *hex;
    bool canonical;
} strict[] = {
    { "", false },
    { "3000", true },
    { "30000500", true },
    { "308100", false },
    { "3080"
      "0000",
      false },
    { "3005", false },
    { "1000", false },
    { "2400", false },
    { "0000", false },
    { "9F1E00", false },
    { "9F1F00", true },
    { "9F801F00", false },
    { "BF8A4300", true },
    { "0101FF", true },
    { "010101", false },
    { "0100", false },
    { "020100", true },
    { "02020080", true },
    { "0202007F", false },
    { "0202FF80", false },
    { "0202FF7F", true },
    { "0200", false },
    { "030100", true },
    { "03020780", true },
    { "030207C0", false },
    { "03020880", false },
    { "030101", false },
    { "0300", false },
    { "0500", true },
    { "050100", false },
    { "0603883701", true },
    { "06028001", false },
    { "060188", false },
    { "0600", false },
    { "800101", true },
    { "A003010101", false },
    { "A0030101FF", true },
    { "30{0101FF30{0101FF}}"
      "0101FF",
      true },
    { "30{0101FF30{0101FE}}"
      "0101FF",
      false },
};

START_TEST(strict_der)
{
    struct octets o = octets(strict[_i].hex);
    ck_assert_msg(der_is_canonical(o.p, o.n) == strict[_i].canonical, "%s", strict[_i].hex);
    free(o.p);
}
END_TEST

START_TEST(strict_der_knows_how_deep_it_goes)
{
    uint8_t p[2 * DER_MAX_DEPTH];
    for (size_t i = 0; i < DER_MAX_DEPTH; i++) {
        p[2 * i] = 0x30;
        p[2 * i + 1] = (uint8_t)(2 * (DER_MAX_DEPTH - i - 1));
    }
    ck_assert(!der_is_canonical(p, sizeof p));
    ck_assert(der_is_canonical(p + 2, sizeof p - 2));
}
END_TEST

/* ---- profile packages of others ---- */

static size_t object_size(const uint8_t *p, size_t n)
{
    size_t at = (p[0] & 0x1f) == 0x1f ? 2 : 1;
    size_t length = p[at++];
    if (length & 0x80) {
        size_t octets_n = length & 0x7f;
        for (length = 0; octets_n > 0; octets_n--)
            length = length << 8 | p[at++];
    }
    ck_assert_uint_le(at + length, n);
    return at + length;
}

static void check_package(const char *path)
{
    static uint8_t package[1 << 20];
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    size_t n = fread(package, 1, sizeof package, f);
    fclose(f);

    for (size_t at = 0, size; at < n; at += size) {
        size = object_size(package + at, n - at);
        uint8_t *pe = malloc(size), *out = malloc(size);
        memcpy(pe, package + at, size);
        struct der_report report;
        void *value = NULL;
        size_t out_n = 0;
        ck_assert_msg(der_decode_report(PE, pe, size, &value, &report) == 0, "%s at %zu", path, at);
        ck_assert(report.unknown == 0 && !report.reordered && der_is_canonical(pe, size));
        ck_assert_int_eq(der_write(PE, value, out, size, &out_n), 0);
        ck_assert_uint_eq(out_n, size);
        ck_assert_mem_eq(out, pe, size);
        der_free(PE, value);
        free(pe);
        free(out);
    }
}

START_TEST(ts48_packages_are_written_as_they_were)
{
    const char *testdata = getenv("SOFTEUICC_TESTDATA");
    if (testdata == NULL) {
        puts("ts48_packages_are_written_as_they_were: skipped, SOFTEUICC_TESTDATA is not set");
        return;
    }
    char path[1024];
    snprintf(path, sizeof path, "%s/ts48", testdata);
    DIR *dir = opendir(path);
    ck_assert_msg(dir != NULL, "%s", path);
    int packages = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        const char *dot = strrchr(e->d_name, '.');
        if (dot == NULL || strcmp(dot, ".der") != 0)
            continue;
        snprintf(path, sizeof path, "%s/ts48/%s", testdata, e->d_name);
        check_package(path);
        packages++;
    }
    closedir(dir);
    ck_assert_int_gt(packages, 0);
}
END_TEST

static Suite *asn1_suite(void)
{
    Suite *s = suite_create("asn1");
    TCase *tc = tcase_create("asn1");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, what_is_decoded_is_written_the_same, 0, N_ELEMS(vectors));
    tcase_add_loop_test(tc, what_is_cut_short_is_refused, 0, N_ELEMS(vectors));
    tcase_add_loop_test(tc, an_octet_too_many_is_refused, 0, N_ELEMS(vectors));
    tcase_add_loop_test(tc, any_octet_may_be_wrong, 0, N_ELEMS(vectors));
    tcase_add_test(tc, unknown_components_are_skipped_wherever_they_stand);
    tcase_add_test(tc, unknown_alternatives_are_dropped_from_lists);
    tcase_add_test(tc, an_unknown_alternative_alone_is_refused);
    tcase_add_test(tc, components_may_come_in_any_order);
    tcase_add_test(tc, lengths_need_not_be_minimal_and_true_is_not_zero);
    tcase_add_test(tc, absent_refresh_flag_is_accepted);
    tcase_add_test(tc, a_component_twice_is_refused);
    tcase_add_test(tc, bounds_hold_each_time);
    tcase_add_test(tc, utf8_is_counted_in_characters_and_must_be_utf8);
    tcase_add_test(tc, malformed_primitives_are_refused);
    tcase_add_test(tc, indefinite_lengths_are_refused);
    tcase_add_loop_test(tc, nesting_bombs_are_refused, 0, 5);
    tcase_add_test(tc, deep_nesting_in_what_is_skipped_costs_nothing);
    tcase_add_test(tc, too_many_components_are_refused);
    tcase_add_test(tc, certificates_keep_their_octets);
    tcase_add_test(tc, values_arrive_where_they_belong);
    tcase_add_test(tc, writing_what_is_incomplete_is_a_bug);
    tcase_add_test(tc, xml_and_back);
    tcase_add_loop_test(tc, strict_der, 0, N_ELEMS(strict));
    tcase_add_test(tc, strict_der_knows_how_deep_it_goes);
    tcase_add_test(tc, ts48_packages_are_written_as_they_were);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return suite_status(asn1_suite());
}
