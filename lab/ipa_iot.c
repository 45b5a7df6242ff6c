/* ipa_iot.c - the ES10b functions that SGP.32 adds, one by one (SGP.32 5.9). */
#include "lab/ipa_iot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/codes.h"
#include "lab/ipa_message.h"
#include "os/err.h"
#include "os/tlv.h"
#include "os/x509.h"

enum {
    REQUEST_MAX = 1024,
    FILE_MAX = 256 * 1024,

    TAG_INTEGER = 0x02,
    TAG_IPAE_ACTIVATION = 0xBF42,
    TAG_GET_CERTS = 0xBF56,
    TAG_PROFILE_ROLLBACK = 0xBF58,
    TAG_CONFIGURE_IMMEDIATE = 0xBF59,
    TAG_IMMEDIATE_ENABLE = 0xBF5A,
    TAG_ENABLE_EMERGENCY = 0xBF5B,
    TAG_DISABLE_EMERGENCY = 0xBF5C,
    TAG_EXECUTE_FALLBACK = 0xBF5D,
    TAG_RETURN_FROM_FALLBACK = 0xBF5E,
    TAG_CONNECTIVITY = 0xBF5F,
    TAG_MEMORY_RESET = 0xBF64,
    TAG_DEFAULT_DP = 0xBF65,
};

/* Hex digits of any number of octets; the caller frees them. */
static char *hex_of(struct rd v)
{
    size_t size = 2 * v.n + 1;
    char *text = malloc(size);

    return text == NULL ? NULL : hex_text(v, text, size);
}

void iot_add_hex(cJSON *out, const char *name, struct rd v)
{
    char *text = hex_of(v);

    if (text != NULL)
        cJSON_AddStringToObject(out, name, text);
    free(text);
}

int iot_read_code(struct rd answer, uint32_t tag, const char *function, uint64_t *ret,
                  struct lab_error *e)
{
    struct tlv t;

    if (!tlv_find(answer, tag, &t) || tlv_uint(t.value, ret) != 0)
        return lab_fail(e, "%s: no result in the response", function);
    return 0;
}

int iot_refused(enum code_list list, uint64_t code, const char *function, struct lab_error *e)
{
    return lab_fail(e, "%s: %s(%llu)", function, code_name(list, (long)code),
                    (unsigned long long)code);
}

static void tell_ok(const struct ipa *ipa, const char *function)
{
    if (ipa->json) {
        cJSON *out = cJSON_CreateObject();
        cJSON_AddStringToObject(out, "result", "ok");
        ipa_print_json(out);
    } else {
        printf("%s: ok\n", function);
    }
}

/* A function whose response is a code under 80. */
static int run_result(struct ipa *ipa, const struct wr *request, enum code_list list,
                      const char *function, struct lab_error *e)
{
    struct rd answer;
    uint64_t code;

    TRY(ipa_call(ipa, request, &answer, e));
    TRY(iot_read_code(answer, 0x80, function, &code, e));
    if (code != 0)
        return iot_refused(list, code, function, e);
    tell_ok(ipa, function);
    return 0;
}

/* A request that is nothing but a refreshFlag. */
static void put_refresh(const struct ipa *ipa, uint32_t tag, struct wr *w)
{
    struct wr_mark mark = tlv_open(w, tag);

    tlv_put_u8(w, 0x80, ipa->refresh ? 0xFF : 0x00);
    tlv_close(w, mark);
}

static int run_refresh(struct ipa *ipa, uint32_t tag, enum code_list list, const char *function,
                       struct lab_error *e)
{
    uint8_t room[16];
    struct wr request;

    wr_init(&request, room, sizeof room);
    put_refresh(ipa, tag, &request);
    return run_result(ipa, &request, list, function, e);
}

/* --- certificates ----------------------------------------------------------------------------- */

/* A certificate under an implicit tag, as one again, in PEM. */
static int put_pem(struct rd certs, uint32_t tag, struct wr *ret, struct lab_error *e)
{
    struct eim_key key = { .form = EIM_KEY_CERTIFICATE };
    struct wr der;
    struct tlv t;

    if (!tlv_find(certs, tag, &t))
        return lab_fail(e, "GetCerts: a certificate is missing in the response");
    key.value = t.value;
    wr_init_heap(&der, FILE_MAX);
    eim_key_write(&key, &der);
    int r = pem_write("CERTIFICATE", wr_view(&der), ret);
    wr_done(&der);
    return r == 0 && wr_failed(ret) == 0 ? 0 : lab_fail(e, "GetCerts: out of memory");
}

static void tell_certs(const struct ipa *ipa, struct rd certs, const struct wr *pem)
{
    struct tlv t;

    if (!ipa->json) {
        printf("%.*s", (int)pem->n, (const char *)pem->p);
        return;
    }
    cJSON *out = cJSON_CreateObject();
    if (tlv_find(certs, 0xA5, &t))
        iot_add_hex(out, "eumCertificate", t.whole);
    if (tlv_find(certs, 0xA6, &t))
        iot_add_hex(out, "euiccCertificate", t.whole);
    ipa_print_json(out);
}

int iot_certs(struct ipa *ipa, struct lab_error *e)
{
    struct rd answer;
    struct tlv certs;
    struct wr pem;
    uint64_t code;

    TRY(ipa_get(ipa, TAG_GET_CERTS, &answer, e));
    if (!tlv_find(answer, 0xA0, &certs)) {
        TRY(iot_read_code(answer, 0x81, "GetCerts", &code, e));
        return iot_refused(CODES_GET_CERTS, code, "GetCerts", e);
    }
    wr_init_heap(&pem, FILE_MAX);
    int r = put_pem(certs.value, 0xA5, &pem, e);
    if (r == 0)
        r = put_pem(certs.value, 0xA6, &pem, e);
    if (r == 0)
        tell_certs(ipa, certs.value, &pem);
    wr_done(&pem);
    return r;
}

/* --- switching profiles ----------------------------------------------------------------------- */

int iot_call_rollback(struct ipa *ipa, uint64_t *ret_code, struct rd *ret_result,
                      struct lab_error *e)
{
    uint8_t room[16];
    struct wr request;
    struct rd answer;
    struct tlv t;

    wr_init(&request, room, sizeof room);
    put_refresh(ipa, TAG_PROFILE_ROLLBACK, &request);
    TRY(ipa_call(ipa, &request, &answer, e));
    TRY(iot_read_code(answer, TAG_INTEGER, "ProfileRollback", ret_code, e));
    *ret_result = tlv_find(answer, EUICC_PACKAGE, &t) ? t.whole : rd_of(NULL, 0);
    return 0;
}

int iot_rollback(struct ipa *ipa, struct lab_error *e)
{
    struct rd result;
    uint64_t code;

    TRY(iot_call_rollback(ipa, &code, &result, e));
    if (code != 0)
        return iot_refused(CODES_PROFILE_ROLLBACK, code, "ProfileRollback", e);
    iot_tell_package_result(ipa, "ProfileRollback", result);
    return 0;
}

int iot_call_immediate_enable(struct ipa *ipa, uint64_t *ret_code, struct lab_error *e)
{
    uint8_t room[16];
    struct wr request;
    struct rd answer;

    wr_init(&request, room, sizeof room);
    put_refresh(ipa, TAG_IMMEDIATE_ENABLE, &request);
    TRY(ipa_call(ipa, &request, &answer, e));
    return iot_read_code(answer, 0x80, "ImmediateEnable", ret_code, e);
}

int iot_immediate_enable(struct ipa *ipa, struct lab_error *e)
{
    return run_refresh(ipa, TAG_IMMEDIATE_ENABLE, CODES_IMMEDIATE_ENABLE, "ImmediateEnable", e);
}

int iot_configure_immediate_enable(struct ipa *ipa, const struct iot_options *o,
                                   struct lab_error *e)
{
    uint8_t room[REQUEST_MAX], oid_room[OID_MAX_LEN];
    struct wr request, oid;

    wr_init(&request, room, sizeof room);
    wr_init(&oid, oid_room, sizeof oid_room);
    if (o->oid != NULL && oid_from_text(o->oid, &oid) != 0)
        return lab_fail(e, "%.100s is not an object identifier", o->oid);
    struct wr_mark mark = tlv_open(&request, TAG_CONFIGURE_IMMEDIATE);
    if (!o->off)
        tlv_put(&request, 0x80, rd_of(NULL, 0));
    if (o->oid != NULL)
        tlv_put(&request, 0x81, wr_view(&oid));
    if (o->address != NULL)
        tlv_put_str(&request, 0x82, o->address);
    tlv_close(&request, mark);
    return run_result(ipa, &request, CODES_CONFIGURE_IMMEDIATE_ES10B,
                      "ConfigureImmediateProfileEnabling", e);
}

int iot_execute_fallback(struct ipa *ipa, struct lab_error *e)
{
    return run_refresh(ipa, TAG_EXECUTE_FALLBACK, CODES_EXECUTE_FALLBACK,
                       "ExecuteFallbackMechanism", e);
}

int iot_return_from_fallback(struct ipa *ipa, struct lab_error *e)
{
    return run_refresh(ipa, TAG_RETURN_FROM_FALLBACK, CODES_RETURN_FROM_FALLBACK,
                       "ReturnFromFallback", e);
}

int iot_emergency(struct ipa *ipa, bool on, struct lab_error *e)
{
    return on ? run_refresh(ipa, TAG_ENABLE_EMERGENCY, CODES_ENABLE_EMERGENCY,
                            "EnableEmergencyProfile", e)
              : run_refresh(ipa, TAG_DISABLE_EMERGENCY, CODES_DISABLE_EMERGENCY,
                            "DisableEmergencyProfile", e);
}

/* --- the rest --------------------------------------------------------------------------------- */

int iot_connectivity(struct ipa *ipa, struct lab_error *e)
{
    struct rd answer, params = rd_of(NULL, 0);
    struct tlv ok, t;
    uint64_t code;

    TRY(ipa_get(ipa, TAG_CONNECTIVITY, &answer, e));
    if (!tlv_find(answer, 0xA0, &ok)) {
        TRY(iot_read_code(answer, 0x81, "GetConnectivityParameters", &code, e));
        return iot_refused(CODES_CONNECTIVITY, code, "GetConnectivityParameters", e);
    }
    if (tlv_find(ok.value, 0x81, &t))
        params = t.value;
    if (ipa->json) {
        cJSON *out = cJSON_CreateObject();
        iot_add_hex(out, "httpParams", params);
        ipa_print_json(out);
    } else {
        char *text = hex_of(params);
        printf("httpParams %s\n", text != NULL ? text : "");
        free(text);
    }
    return 0;
}

static bool read_reset_options(const char *text, uint32_t *ret)
{
    static const char *const names[] = { "operational",  "field-test", "dp-address",      "test",
                                         "provisioning", "eim",        "immediate-enable" };
    uint32_t bits = 0;

    if (strcmp(text, "all") == 0) {
        *ret = (UINT32_C(1) << N_ELEMS(names)) - 1;
        return true;
    }
    for (;;) {
        size_t n = strcspn(text, ","), i = 0;
        while (i < N_ELEMS(names) && !rd_equal(rd_str(names[i]), rd_of(text, n)))
            i++;
        if (i == N_ELEMS(names))
            return false;
        bits |= UINT32_C(1) << i;
        if (text[n] == '\0')
            break;
        text += n + 1;
    }
    *ret = bits;
    return true;
}

int iot_memory_reset(struct ipa *ipa, const char *options, struct lab_error *e)
{
    static const struct {
        uint32_t tag;
        enum code_list list;
        const char *name;
    } parts[] = {
        { 0x80, CODES_IOT_RESET, "eUICCMemoryReset" },
        { 0x81, CODES_IOT_RESET_EIM, "eUICCMemoryReset: resetEimResult" },
        { 0x82, CODES_IOT_RESET_IMMEDIATE, "eUICCMemoryReset: resetImmediateEnableConfigResult" },
    };
    uint8_t room[16];
    struct wr request;
    struct rd answer;
    struct tlv t;
    uint32_t bits;
    uint64_t code;
    int r = 0;

    if (!read_reset_options(options, &bits))
        return lab_fail(e, "%.100s: not a list of what can be reset", options);
    wr_init(&request, room, sizeof room);
    struct wr_mark mark = tlv_open(&request, TAG_MEMORY_RESET);
    tlv_put_bits(&request, 0x82, bits);
    tlv_close(&request, mark);
    TRY(ipa_call(ipa, &request, &answer, e));
    TRY(iot_read_code(answer, 0x80, parts[0].name, &code, e));
    for (size_t i = 0; i < N_ELEMS(parts); i++) {
        if (!tlv_find(answer, parts[i].tag, &t))
            continue;
        TRY(iot_read_code(answer, parts[i].tag, parts[i].name, &code, e));
        if (code != 0 && r == 0)
            r = iot_refused(parts[i].list, code, parts[i].name, e);
        else if (code == 0 && !ipa->json)
            printf("%s: ok\n", parts[i].name);
    }
    if (r == 0 && ipa->json)
        tell_ok(ipa, parts[0].name);
    return r;
}

int iot_default_dp(struct ipa *ipa, const char *address, struct lab_error *e)
{
    uint8_t room[REQUEST_MAX];
    struct wr request;

    wr_init(&request, room, sizeof room);
    struct wr_mark mark = tlv_open(&request, TAG_DEFAULT_DP);
    tlv_put_str(&request, 0x80, address);
    tlv_close(&request, mark);
    return run_result(ipa, &request, CODES_DEFAULT_DP, "SetDefaultDpAddress", e);
}

int iot_activate_ipae(struct ipa *ipa, struct lab_error *e)
{
    uint8_t room[16];
    struct wr request;

    wr_init(&request, room, sizeof room);
    struct wr_mark mark = tlv_open(&request, TAG_IPAE_ACTIVATION);
    tlv_put_bits(&request, 0x80, 1);
    tlv_close(&request, mark);
    return run_result(ipa, &request, CODES_IPAE_ACTIVATION, "IpaeActivation", e);
}
