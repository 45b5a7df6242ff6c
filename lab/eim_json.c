/* eim_json.c - results, profiles and data of eUICCs as JSON, by the standard's names (SGP.32
 * 2.11.2). */
#include <stdlib.h>
#include <string.h>

#include "lab/codes.h"
#include "lab/eim_result.h"
#include "os/err.h"
#include "os/tlv.h"

enum { TEXT_MAX = 1024 };

void json_hex(cJSON *out, const char *name, struct rd v)
{
    size_t size = 2 * v.n + 1;
    char *text = malloc(size);

    if (text != NULL)
        cJSON_AddStringToObject(out, name, hex_text(v, text, size));
    free(text);
}

/* Control characters become '?', and what is no UTF-8 is told in hex. */
void json_text(cJSON *out, const char *name, struct rd v)
{
    char text[TEXT_MAX];

    if (!rd_is_utf8(v)) {
        json_hex(out, name, v);
        return;
    }
    cJSON_AddStringToObject(out, name, printable(v, text, sizeof text));
}

static void json_number(cJSON *out, const char *name, struct rd v)
{
    uint64_t number;

    if (tlv_uint(v, &number) == 0)
        cJSON_AddNumberToObject(out, name, (double)number);
    else
        json_hex(out, name, v);
}

static void json_code(cJSON *out, enum code_list list, struct rd v)
{
    uint64_t code;

    json_number(out, "code", v);
    if (tlv_uint(v, &code) == 0 && code <= 255)
        cJSON_AddStringToObject(out, "name", code_name(list, (long)code));
}

/* --- fields by tables ------------------------------------------------------------------------ */

enum form { HEX, TEXT, NUMBER, FLAG, PRESENT, ICCID };

struct field {
    uint32_t tag;
    const char *name;
    enum form form;
};

static void put_field(cJSON *out, const struct field *f, const struct tlv *t)
{
    char iccid[ICCID_TEXT_LEN];

    switch (f->form) {
    case TEXT:
        json_text(out, f->name, t->value);
        break;
    case NUMBER:
        json_number(out, f->name, t->value);
        break;
    case FLAG:
        cJSON_AddBoolToObject(out, f->name, t->value.n > 0 && t->value.p[0] != 0);
        break;
    case PRESENT:
        cJSON_AddTrueToObject(out, f->name);
        break;
    case ICCID:
        cJSON_AddStringToObject(out, f->name, iccid_text(t->value, iccid));
        break;
    case HEX:
    default:
        json_hex(out, f->name, t->value);
        break;
    }
}

/* Known fields by name, others as "tag XX" in hex. */
static void put_fields(cJSON *out, struct rd body, const struct field *fields, size_t n)
{
    struct tlv t;

    while (tlv_get(&body, &t) == 0) {
        size_t i = 0;
        while (i < n && fields[i].tag != t.tag)
            i++;
        if (i < n) {
            put_field(out, &fields[i], &t);
        } else {
            char name[16] = "tag ";
            uint8_t tag[4] = { (uint8_t)(t.tag >> 24), (uint8_t)(t.tag >> 16),
                               (uint8_t)(t.tag >> 8), (uint8_t)t.tag };
            size_t skip = t.tag > 0xFFFF ? 1 : t.tag > 0xFF ? 2 : 3;
            hex_text(rd_of(tag + skip, 4 - skip), name + 4, sizeof name - 4);
            json_hex(out, name, t.value);
        }
    }
}

static const struct field profile_fields[] = {
    { 0x5A, "iccid", ICCID },
    { 0x4F, "isdpAid", HEX },
    { 0x90, "profileNickname", TEXT },
    { 0x91, "serviceProviderName", TEXT },
    { 0x92, "profileName", TEXT },
    { 0x9F7B, "ecallIndication", FLAG },
    { 0x9F26, "fallbackAttribute", FLAG },
    { 0x9F67, "fallbackAllowed", FLAG },
    { 0x93, "iconType", HEX },
    { 0x94, "icon", HEX },
    { 0xB6, "notificationConfigurationInfo", HEX },
    { 0xB7, "profileOwner", HEX },
    { 0xB8, "dpProprietaryData", HEX },
    { 0x99, "profilePolicyRules", HEX },
};

static cJSON *profile_json(struct rd body)
{
    cJSON *out = cJSON_CreateObject();
    struct rd rest = body;
    struct tlv t;

    while (tlv_get(&rest, &t) == 0) {
        uint64_t v;
        if (t.tag == 0x9F70 && tlv_uint(t.value, &v) == 0)
            cJSON_AddStringToObject(out, "profileState", code_name(CODES_PROFILE_STATE, (long)v));
        else if (t.tag == 0x95 && tlv_uint(t.value, &v) == 0)
            cJSON_AddStringToObject(out, "profileClass", code_name(CODES_PROFILE_CLASS, (long)v));
        else
            put_fields(out, t.whole, profile_fields, N_ELEMS(profile_fields));
    }
    return out;
}

void eim_profiles_json(struct rd list, cJSON *out)
{
    struct tlv t;

    while (tlv_get(&list, &t) == 0)
        if (t.tag == 0xE3)
            cJSON_AddItemToArray(out, profile_json(t.value));
}

/* --- results of operations ------------------------------------------------------------------- */

static void put_profile_list(const struct tlv *t, cJSON *out)
{
    struct tlv arm;

    if (tlv_find(t->value, 0x81, &arm))
        json_code(out, CODES_PROFILE_LIST, arm.value);
    else if (tlv_find(t->value, 0xA0, &arm))
        eim_profiles_json(arm.value, cJSON_AddArrayToObject(out, "profiles"));
    else /* seen in the field: without the arm's tag */
        eim_profiles_json(t->value, cJSON_AddArrayToObject(out, "profiles"));
}

static void put_add_eim(const struct tlv *t, cJSON *out)
{
    struct tlv arm;

    if (tlv_find(t->value, 0x84, &arm))
        json_number(out, "associationToken", arm.value);
    else if (tlv_find(t->value, 0x02, &arm))
        json_code(out, CODES_ADD_EIM, arm.value);
}

static void put_list_eim(const struct tlv *t, cJSON *out)
{
    static const struct field fields[] = {
        { 0x80, "eimId", TEXT },
        { 0x82, "eimIdType", NUMBER },
        { 0x84, "eimIdType", NUMBER }, /* v1.0 */
    };
    struct tlv arm, entry;

    if (tlv_find(t->value, 0x81, &arm)) {
        json_code(out, CODES_LIST_EIM, arm.value);
        return;
    }
    cJSON *list = cJSON_AddArrayToObject(out, "eims");
    struct rd in = tlv_find(t->value, 0xA0, &arm) ? arm.value : t->value;
    while (tlv_get(&in, &entry) == 0) {
        cJSON *eim = cJSON_CreateObject();
        put_fields(eim, entry.value, fields, N_ELEMS(fields));
        cJSON_AddItemToArray(list, eim);
    }
}

static void put_default_dp(const struct tlv *t, cJSON *out)
{
    struct tlv code;

    if (tlv_find(t->value, 0x80, &code))
        json_code(out, CODES_DEFAULT_DP, code.value);
}

static void put_rat(const struct tlv *t, cJSON *out)
{
    json_hex(out, "rulesAuthorisationTable", t->value);
}

/* What tells more than a code. */
static const struct {
    uint32_t tag;
    void (*put)(const struct tlv *t, cJSON *out);
} telling[] = {
    { 0xBF2D, put_profile_list }, { 0xA6, put_rat },      { 0xBF65, put_default_dp },
    { 0xA8, put_add_eim },        { 0xAB, put_list_eim },
};

static cJSON *operation_json(const struct tlv *t)
{
    const struct package_element *row = package_element_of(t->tag);
    cJSON *out = cJSON_CreateObject();
    size_t i = 0;

    cJSON_AddStringToObject(out, "operation", row != NULL ? row->name : "unknown");
    while (i < N_ELEMS(telling) && telling[i].tag != t->tag)
        i++;
    if (row == NULL)
        json_hex(out, "octets", t->whole);
    else if (i < N_ELEMS(telling))
        telling[i].put(t, out);
    else
        json_code(out, row->codes, t->value);
    return out;
}

void eim_result_json(const struct eim_result *result, cJSON *out)
{
    struct rd in = result->results;
    struct tlv t;

    cJSON_AddStringToObject(out, "eimId", result->eim_id);
    if (result->has_counter)
        cJSON_AddNumberToObject(out, "counter", (double)result->counter);
    if (result->transaction_id.n > 0)
        json_hex(out, "eimTransactionId", result->transaction_id);
    if (result->has_seq)
        cJSON_AddNumberToObject(out, "seqNumber", (double)result->seq);
    if (result->has_token)
        cJSON_AddNumberToObject(out, "associationToken", (double)result->token);
    if (result->arm == RESULT_SIGNED) {
        cJSON *list = cJSON_AddArrayToObject(out, "results");
        while (tlv_get(&in, &t) == 0)
            cJSON_AddItemToArray(list, operation_json(&t));
        return;
    }
    cJSON *error = cJSON_AddObjectToObject(out, "error");
    cJSON_AddBoolToObject(error, "signed", result->arm == RESULT_ERROR);
    if (result->error >= 0) {
        cJSON_AddNumberToObject(error, "code", (double)result->error);
        cJSON_AddStringToObject(error, "name", code_name(CODES_EUICC_PACKAGE, result->error));
    }
}

/* --- IpaEuiccData ---------------------------------------------------------------------------- */

void eim_data_json(struct rd data, cJSON *out)
{
    static const struct field fields[] = {
        { 0x81, "defaultSmdpAddress", TEXT },
        { 0x80, "defaultSmdpAddress", TEXT }, /* v1.0 */
        { 0xBF20, "euiccInfo1", HEX },
        { 0xBF22, "euiccInfo2", HEX },
        { 0x83, "rootSmdsAddress", TEXT },
        { 0x84, "associationToken", NUMBER },
        { 0xA5, "eumCertificate", HEX },
        { 0xA6, "euiccCertificate", HEX },
        { 0x87, "eimTransactionId", HEX },
        { 0xA8, "ipaCapabilities", HEX },
        { 0xA9, "deviceInfo", HEX },
        { 0xA0, "notificationsList", HEX },
        { 0xA2, "euiccPackageResultList", HEX },
        { 0xBF2B, "notificationsList", HEX }, /* v1.0 */
    };

    put_fields(out, data, fields, N_ELEMS(fields));
}
