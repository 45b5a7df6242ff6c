/* ipa_local.c - local profile management (SGP.22 3.2, 5.7.8, 5.7.15 to 5.7.21). */
#include "lab/ipa_local.h"

#include <stdio.h>
#include <string.h>

#include "os/err.h"
#include "os/tlv.h"
#include "os/x509.h"

enum {
    REQUEST_MAX = 512,
    AID_MAX_LEN = 16,

    TAG_EUICC_INFO2 = 0xBF22,
    TAG_SET_NICKNAME = 0xBF29,
    TAG_PROFILES_INFO = 0xBF2D,
    TAG_ENABLE = 0xBF31,
    TAG_DISABLE = 0xBF32,
    TAG_DELETE = 0xBF33,
    TAG_MEMORY_RESET = 0xBF34,
    TAG_CONFIGURED_ADDRESSES = 0xBF3C,
    TAG_EUICC_DATA = 0xBF3E,
    TAG_PROFILE_INFO = 0xE3,
    TAG_ICCID = 0x5A,
    TAG_EID = 0x5A,
    TAG_AID = 0x4F,
    TAG_TAG_LIST = 0x5C,
    TAG_PROFILE_STATE = 0x9F70,
    TAG_NICKNAME = 0x90,
    TAG_PROVIDER = 0x91,
    TAG_NAME = 0x92,
    TAG_CLASS = 0x95,
    TAG_FREE_NVM = 0x82,

    RESET_ALL = 0x7, /* resetOptions: operational and test profiles, default SM-DP+ address */
};

/* --- info ------------------------------------------------------------------------------------- */

static void add_text(cJSON *out, const char *name, struct rd in, uint32_t tag)
{
    char text[512];
    struct tlv t;

    if (tlv_find(in, tag, &t))
        cJSON_AddStringToObject(out, name, printable(t.value, text, sizeof text));
}

static void add_hex(cJSON *out, const char *name, struct rd in, uint32_t tag)
{
    char text[512];
    struct tlv t;

    if (tlv_find(in, tag, &t))
        cJSON_AddStringToObject(out, name, hex_text(t.value, text, sizeof text));
}

static void add_version(cJSON *out, const char *name, struct rd in, uint32_t tag)
{
    char text[16];
    struct tlv t;

    if (!tlv_find(in, tag, &t) || t.value.n != 3)
        return;
    snprintf(text, sizeof text, "%u.%u.%u", t.value.p[0], t.value.p[1], t.value.p[2]);
    cJSON_AddStringToObject(out, name, text);
}

static void add_list(cJSON *out, const char *name, struct rd in, uint32_t tag)
{
    cJSON *list = cJSON_AddArrayToObject(out, name);
    char text[2 * SKI_LEN + 1];
    struct tlv all, one;

    if (!tlv_find(in, tag, &all))
        return;
    while (all.value.n > 0 && tlv_get(&all.value, &one) == 0)
        cJSON_AddItemToArray(list, cJSON_CreateString(hex_text(one.value, text, sizeof text)));
}

static void add_info2(cJSON *out, struct rd info)
{
    struct tlv resource, free_nvm;
    uint64_t octets;

    add_version(out, "svn", info, 0x82);
    add_version(out, "profileVersion", info, 0x81);
    add_version(out, "euiccFirmwareVer", info, 0x83);
    add_version(out, "ts102241Version", info, 0x86);
    add_version(out, "globalplatformVersion", info, 0x87);
    if (tlv_find(info, 0x84, &resource) && tlv_find(resource.value, TAG_FREE_NVM, &free_nvm)) {
        octets = 0;
        for (size_t i = 0; i < free_nvm.value.n && i < 8; i++)
            octets = octets << 8 | free_nvm.value.p[i];
        cJSON_AddNumberToObject(out, "freeNonVolatileMemory", (double)octets);
    }
    add_hex(out, "uiccCapability", info, 0x85);
    add_hex(out, "rspCapability", info, 0x88);
    add_version(out, "ppVersion", info, 0x04);
    add_text(out, "sasAcreditationNumber", info, 0x0C);
    add_list(out, "euiccCiPKIdListForVerification", info, 0xA9);
    add_list(out, "euiccCiPKIdListForSigning", info, 0xAA);
}

/* NAME VALUE lines; the values of a list one after the other. */
static void print_lines(const cJSON *object)
{
    for (const cJSON *field = object->child; field != NULL; field = field->next) {
        printf("%s", field->string);
        if (cJSON_IsString(field))
            printf(" %s", field->valuestring);
        if (cJSON_IsNumber(field))
            printf(" %.0f", field->valuedouble);
        for (const cJSON *item = field->child; item != NULL; item = item->next)
            printf(" %s", item->valuestring);
        printf("\n");
    }
}

static int read_info(struct ipa *ipa, cJSON *out, struct lab_error *e)
{
    static const uint8_t only_eid[] = { TAG_EID };
    uint8_t room[16];
    struct wr request;
    struct rd value;

    wr_init(&request, room, sizeof room);
    struct wr_mark mark = tlv_open(&request, TAG_EUICC_DATA);
    tlv_put(&request, TAG_TAG_LIST, rd_of(only_eid, sizeof only_eid));
    tlv_close(&request, mark);
    TRY(ipa_call(ipa, &request, &value, e));
    add_hex(out, "eid", value, TAG_EID);
    TRY(ipa_get(ipa, TAG_CONFIGURED_ADDRESSES, &value, e));
    add_text(out, "defaultDpAddress", value, 0x80);
    add_text(out, "rootDsAddress", value, 0x81);
    TRY(ipa_get(ipa, TAG_EUICC_INFO2, &value, e));
    add_info2(out, value);
    return 0;
}

int local_info(struct ipa *ipa, struct lab_error *e)
{
    cJSON *out = cJSON_CreateObject();

    int r = read_info(ipa, out, e);
    if (r == 0 && ipa->json) {
        ipa_print_json(out);
        return 0;
    }
    if (r == 0)
        print_lines(out);
    cJSON_Delete(out);
    return r;
}

/* --- list ------------------------------------------------------------------------------------- */

static void add_code(cJSON *out, const char *name, struct rd in, uint32_t tag, enum code_list list)
{
    struct tlv t;
    uint64_t v;

    if (tlv_find(in, tag, &t) && tlv_uint(t.value, &v) == 0)
        cJSON_AddStringToObject(out, name, code_name(list, (long)v));
}

static cJSON *profile_json(struct rd in)
{
    cJSON *out = cJSON_CreateObject();
    char text[ICCID_TEXT_LEN];
    struct tlv t;

    if (tlv_find(in, TAG_ICCID, &t))
        cJSON_AddStringToObject(out, "iccid", iccid_text(t.value, text));
    add_code(out, "profileState", in, TAG_PROFILE_STATE, CODES_PROFILE_STATE);
    add_code(out, "profileClass", in, TAG_CLASS, CODES_PROFILE_CLASS);
    add_hex(out, "isdpAid", in, TAG_AID);
    add_text(out, "serviceProviderName", in, TAG_PROVIDER);
    add_text(out, "profileName", in, TAG_NAME);
    add_text(out, "profileNickname", in, TAG_NICKNAME);
    return out;
}

static const char *text_of(const cJSON *in, const char *name)
{
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(in, name);

    return cJSON_IsString(field) ? field->valuestring : "-";
}

static void print_profiles(const cJSON *list)
{
    for (const cJSON *p = list->child; p != NULL; p = p->next) {
        printf("%s %s %s %s \"%s\" \"%s\"", text_of(p, "iccid"), text_of(p, "profileState"),
               text_of(p, "profileClass"), text_of(p, "isdpAid"), text_of(p, "serviceProviderName"),
               text_of(p, "profileName"));
        if (cJSON_HasObjectItem(p, "profileNickname"))
            printf(" \"%s\"", text_of(p, "profileNickname"));
        printf("\n");
    }
}

int local_list(struct ipa *ipa, struct lab_error *e)
{
    struct rd value;
    struct tlv part, profile;
    uint64_t code = 0;

    TRY(ipa_get(ipa, TAG_PROFILES_INFO, &value, e));
    if (tlv_find(value, 0x81, &part) && tlv_uint(part.value, &code) == 0)
        return lab_fail(e, "GetProfilesInfo: %s(%llu)", code_name(CODES_PROFILE_LIST, (long)code),
                        (unsigned long long)code);
    if (!tlv_find(value, 0xA0, &part))
        return lab_fail(e, "GetProfilesInfo: no list in the response");
    cJSON *out = cJSON_CreateArray();
    while (part.value.n > 0 && tlv_expect(&part.value, TAG_PROFILE_INFO, &profile) == 0)
        cJSON_AddItemToArray(out, profile_json(profile.value));
    if (part.value.n > 0) {
        cJSON_Delete(out);
        return lab_fail(e, "GetProfilesInfo: not a ProfileInfo in the list");
    }
    if (ipa->json) {
        ipa_print_json(out);
        return 0;
    }
    print_profiles(out);
    cJSON_Delete(out);
    return 0;
}

/* --- commands with a result code -------------------------------------------------------------- */

/* ICCID digits, or an ISD-P AID in hex: 32 digits. */
static int put_id(struct wr *w, const char *id, struct lab_error *e)
{
    uint8_t iccid[ICCID_LEN], room[AID_MAX_LEN];
    struct wr aid;

    wr_init(&aid, room, sizeof room);
    if (iccid_read(id, iccid)) {
        tlv_put(w, TAG_ICCID, rd_of(iccid, sizeof iccid));
        return 0;
    }
    if (!hex_read(id, &aid) || aid.n != AID_MAX_LEN)
        return lab_fail(e, "%.100s is neither an ICCID nor an ISD-P AID", id);
    tlv_put(w, TAG_AID, wr_view(&aid));
    return 0;
}

static int run_result(struct ipa *ipa, const struct wr *request, enum code_list list,
                      const char *function, struct lab_error *e)
{
    struct rd value;
    struct tlv result;
    uint64_t code;

    TRY(ipa_call(ipa, request, &value, e));
    if (!tlv_find(value, 0x80, &result) || tlv_uint(result.value, &code) != 0)
        return lab_fail(e, "%s: no result in the response", function);
    if (code != 0)
        return lab_fail(e, "%s: %s(%llu)", function, code_name(list, (long)code),
                        (unsigned long long)code);
    if (ipa->json) {
        cJSON *out = cJSON_CreateObject();
        cJSON_AddStringToObject(out, "result", code_name(list, 0));
        ipa_print_json(out);
    } else {
        printf("%s: ok\n", function);
    }
    return 0;
}

static int switch_profile(struct ipa *ipa, uint32_t tag, const char *id, enum code_list list,
                          const char *function, struct lab_error *e)
{
    uint8_t room[REQUEST_MAX];
    struct wr request;

    wr_init(&request, room, sizeof room);
    struct wr_mark mark = tlv_open(&request, tag);
    struct wr_mark identifier = tlv_open(&request, 0xA0);
    TRY(put_id(&request, id, e));
    tlv_close(&request, identifier);
    tlv_put_u8(&request, 0x81, 0xFF); /* refreshFlag */
    tlv_close(&request, mark);
    return run_result(ipa, &request, list, function, e);
}

int local_enable(struct ipa *ipa, const char *id, struct lab_error *e)
{
    return switch_profile(ipa, TAG_ENABLE, id, CODES_ENABLE, "EnableProfile", e);
}

int local_disable(struct ipa *ipa, const char *id, struct lab_error *e)
{
    return switch_profile(ipa, TAG_DISABLE, id, CODES_DISABLE, "DisableProfile", e);
}

int local_delete(struct ipa *ipa, const char *id, struct lab_error *e)
{
    uint8_t room[REQUEST_MAX];
    struct wr request;

    wr_init(&request, room, sizeof room);
    struct wr_mark mark = tlv_open(&request, TAG_DELETE);
    TRY(put_id(&request, id, e));
    tlv_close(&request, mark);
    return run_result(ipa, &request, CODES_DELETE, "DeleteProfile", e);
}

int local_nickname(struct ipa *ipa, const char *iccid_digits, const char *text, struct lab_error *e)
{
    uint8_t room[REQUEST_MAX], iccid[ICCID_LEN];
    struct wr request;

    if (!iccid_read(iccid_digits, iccid))
        return lab_fail(e, "%.100s is not an ICCID", iccid_digits);
    wr_init(&request, room, sizeof room);
    struct wr_mark mark = tlv_open(&request, TAG_SET_NICKNAME);
    tlv_put(&request, TAG_ICCID, rd_of(iccid, sizeof iccid));
    tlv_put_str(&request, TAG_NICKNAME, text);
    tlv_close(&request, mark);
    return run_result(ipa, &request, CODES_NICKNAME, "SetNickname", e);
}

int local_reset(struct ipa *ipa, struct lab_error *e)
{
    uint8_t room[REQUEST_MAX];
    struct wr request;

    wr_init(&request, room, sizeof room);
    struct wr_mark mark = tlv_open(&request, TAG_MEMORY_RESET);
    tlv_put_bits(&request, 0x82, RESET_ALL);
    tlv_close(&request, mark);
    return run_result(ipa, &request, CODES_RESET, "eUICCMemoryReset", e);
}
