/* euicc_info.c - what the eUICC is and can (SGP.22 5.7.8). */
#include "applets/isdr/euicc_info.h"

#include "applets/ecasd/ecasd.h"
#include "applets/isdp/upp.h"
#include "applets/isdr/es10.h"
#include "applets/isdr/iot.h"
#include "applets/isdr/isdr.h"
#include "applets/isdr/profile_store.h"

enum {
    TAG_PROFILE_VERSION = 0x81,
    TAG_SVN = 0x82,
    TAG_FIRMWARE_VERSION = 0x83,
    TAG_EXT_CARD_RESOURCE = 0x84,
    TAG_UICC_CAPABILITY = 0x85,
    TAG_TS102241_VERSION = 0x86,
    TAG_GLOBALPLATFORM_VERSION = 0x87,
    TAG_RSP_CAPABILITY = 0x88,
    TAG_CI_PKIDS_VERIFICATION = 0xA9,
    TAG_CI_PKIDS_SIGNING = 0xAA,
    TAG_FORBIDDEN_PPRS = 0x99,
    TAG_CERTIFICATION_DATA = 0xAC,
    TAG_ADDITIONAL_PROFILE_VERSIONS = 0xAF,
    TAG_IPA_MODE = 0x90,
    TAG_IOT_SPECIFIC_INFO = 0xB4,
    TAG_MINIMUM_SECURITY_LEVEL = 0x95,

    IPA_MODE_IPAD = 0,
    IPA_MODE_IPAE = 1,

    /* RspCapability, SGP.22 4.3 */
    RSP_ADDITIONAL_PROFILE = 1 << 0,
    RSP_CRL_SUPPORT = 1 << 1,
    RSP_TEST_PROFILE_SUPPORT = 1 << 3,
    RSP_DEVICE_INFO_EXTENSIBILITY = 1 << 4,
    RSP_SERVICE_SPECIFIC_DATA = 1 << 5,

    FREE_RAM = 65535, /* octets announced for volatile memory */
};

static void put_version(struct wr *w, const struct euicc *e, uint32_t tag, enum setting which)
{
    uint8_t version[3];

    setting_version(&e->settings, which, version);
    tlv_put(w, tag, rd_of(version, sizeof version));
}

static void put_pkids(struct wr *w, const struct euicc *e, uint32_t tag)
{
    struct wr_mark m = tlv_open(w, tag);
    for (int i = 0; i < ecasd_ci_count(e); i++)
        tlv_put(w, TAG_OCTET_STRING, ecasd_ci_pkid(e, i));
    tlv_close(w, m);
}

/* TS 102 226 8.2.1.7.2: numbers of up to four octets, high first. */
static void put_resource(struct wr *w, uint32_t tag, uint64_t n)
{
    uint32_t v = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
    const uint8_t octets[] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8),
                               (uint8_t)v };
    tlv_put(w, tag, rd_of(octets, sizeof octets));
}

static void put_ext_card_resource(struct wr *w, uint64_t room)
{
    struct wr_mark m = tlv_open(w, TAG_EXT_CARD_RESOURCE);
    tlv_put_u8(w, TAG_CTX_1, 0); /* applications installed */
    put_resource(w, TAG_CTX_2, room);
    put_resource(w, TAG_CTX_3, FREE_RAM);
    tlv_close(w, m);
}

static uint32_t rsp_capability(const struct euicc *e, uint64_t room)
{
    uint32_t bits = RSP_DEVICE_INFO_EXTENSIBILITY | RSP_SERVICE_SPECIFIC_DATA;

    if (room > 0)
        bits |= RSP_ADDITIONAL_PROFILE;
    if (setting_is(&e->settings, SET_CRL, "on"))
        bits |= RSP_CRL_SUPPORT;
    if (setting_is(&e->settings, SET_TEST_PROFILES, "on"))
        bits |= RSP_TEST_PROFILE_SUPPORT;
    return bits;
}

static void put_certification_data(struct wr *w, const struct euicc *e)
{
    const char *label = setting_text(&e->settings, SET_PLATFORM_LABEL);
    const char *url = setting_text(&e->settings, SET_DISCOVERY_URL);

    if (label[0] == '\0' && url[0] == '\0')
        return;
    struct wr_mark m = tlv_open(w, TAG_CERTIFICATION_DATA);
    tlv_put_str(w, TAG_CTX_0, label);
    tlv_put_str(w, TAG_CTX_1, url);
    tlv_close(w, m);
}

/* IoTSpecificInfo (SGP.32 5.9.2). */
static void put_iot_specific_info(struct wr *w, const struct euicc *e)
{
    const struct rd null = rd_of(NULL, 0);

    struct wr_mark m = tlv_open(w, TAG_IOT_SPECIFIC_INFO);
    struct wr_mark versions = tlv_open(w, TAG_CHOICE_0);
    put_version(w, e, TAG_OCTET_STRING, SET_SGP32_VERSION);
    tlv_close(w, versions);
    if (iot_at_least(e, IOT_V1_1) && setting_is(&e->settings, SET_ECALL, "on"))
        tlv_put(w, TAG_CTX_1, null); /* ecallSupported */
    if (iot_at_least(e, IOT_V1_1) && setting_is(&e->settings, SET_FALLBACK, "on"))
        tlv_put(w, TAG_CTX_2, null); /* fallbackSupported */
    if (iot_at_least(e, IOT_V1_3))
        tlv_put(w, TAG_CTX_3, null); /* fallbackAllowedUpdateSupported */
    tlv_close(w, m);
}

static void put_additional_versions(struct wr *w)
{
    static const uint8_t base_profile_version[] = { 2, 3, 1 };

    struct wr_mark m = tlv_open(w, TAG_ADDITIONAL_PROFILE_VERSIONS);
    tlv_put(w, TAG_OCTET_STRING, rd_of(base_profile_version, sizeof base_profile_version));
    tlv_close(w, m);
}

/* What SGP.32 5.9.2 adds to EUICCInfo2. */
static void put_iot_fields(struct wr *w, const struct euicc *e)
{
    tlv_put_uint(w, TAG_IPA_MODE, isdr_has_active_assistant(e) ? IPA_MODE_IPAE : IPA_MODE_IPAD);
    put_iot_specific_info(w, e);
    if (iot_at_least(e, IOT_V1_3))
        tlv_put_u8(w, TAG_MINIMUM_SECURITY_LEVEL, 0);
}

static int put_info2(struct euicc *e, bool with_iot_fields, struct wr *w)
{
    static const uint8_t ts102241[] = { 9, 2, 0 }, globalplatform[] = { 2, 3, 0 };
    uint32_t forbidden = setting_pprs(&e->settings, SET_FORBIDDEN_PPR);
    uint64_t room;

    TRY(profile_free_memory(e, &room));
    struct wr_mark m = tlv_open(w, TAG_GET_EUICC_INFO2);
    put_version(w, e, TAG_PROFILE_VERSION, SET_PROFILE_VERSION);
    put_version(w, e, TAG_SVN, SET_RSP_VERSION);
    put_version(w, e, TAG_FIRMWARE_VERSION, SET_FIRMWARE_VERSION);
    put_ext_card_resource(w, room);
    tlv_put_bits(w, TAG_UICC_CAPABILITY, upp_uicc_capability());
    tlv_put(w, TAG_TS102241_VERSION, rd_of(ts102241, sizeof ts102241));
    tlv_put(w, TAG_GLOBALPLATFORM_VERSION, rd_of(globalplatform, sizeof globalplatform));
    tlv_put_bits(w, TAG_RSP_CAPABILITY, rsp_capability(e, room));
    put_pkids(w, e, TAG_CI_PKIDS_VERIFICATION);
    put_pkids(w, e, TAG_CI_PKIDS_SIGNING);
    if (forbidden != 0)
        tlv_put_bits(w, TAG_FORBIDDEN_PPRS, forbidden);
    put_version(w, e, TAG_OCTET_STRING, SET_PP_VERSION);
    tlv_put_str(w, TAG_UTF8, setting_text(&e->settings, SET_SAS_NUMBER));
    put_certification_data(w, e);
    if (iot_at_least(e, IOT_V1_0))
        put_additional_versions(w);
    if (with_iot_fields)
        put_iot_fields(w, e);
    tlv_close(w, m);
    return 0;
}

/* euiccSigned1 is of SGP.22's module, whose EUICCInfo2 ends before these fields. */
int euicc_info2_put_signed(struct euicc *e, struct wr *w)
{
    return put_info2(e, iot_at_least(e, IOT_V1_1), w);
}

int es10b_get_euicc_info2(struct session *s, struct rd body, struct wr *rsp)
{
    (void)body;
    return put_info2(s->euicc, iot_at_least(s->euicc, IOT_V1_0), rsp);
}

int es10b_get_euicc_info1(struct session *s, struct rd body, struct wr *rsp)
{
    const struct euicc *e = s->euicc;

    (void)body;
    struct wr_mark m = tlv_open(rsp, TAG_GET_EUICC_INFO1);
    put_version(rsp, e, TAG_SVN, SET_RSP_VERSION);
    put_pkids(rsp, e, TAG_CI_PKIDS_VERIFICATION);
    put_pkids(rsp, e, TAG_CI_PKIDS_SIGNING);
    tlv_close(rsp, m);
    return 0;
}
