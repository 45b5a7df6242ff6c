/* ipa_iot.c - the ES10b functions that SGP.32 adds, one by one (SGP.32 5.9). */
#include "lab/ipa_iot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/codes.h"
#include "lab/ipa_message.h"
#include "lab/ipa_result.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    REQUEST_MAX = 1024,
    FILE_MAX = 256 * 1024,
    TEXT_LEN = 900,

    TAG_INTEGER = 0x02,
    TAG_SEQUENCE = 0x30,
    TAG_IPAE_ACTIVATION = 0xBF42,
    TAG_EIM_CONFIGURATION_DATA = 0xBF55,
    TAG_GET_CERTS = 0xBF56,
    TAG_ADD_INITIAL_EIM = 0xBF57,
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

static void add_hex(cJSON *out, const char *name, struct rd v)
{
    char *text = hex_of(v);

    if (text != NULL)
        cJSON_AddStringToObject(out, name, text);
    free(text);
}

/* An INTEGER of a response. */
static int read_code(struct rd answer, uint32_t tag, const char *function, uint64_t *ret,
                     struct lab_error *e)
{
    struct tlv t;

    if (!tlv_find(answer, tag, &t) || tlv_uint(t.value, ret) != 0)
        return lab_fail(e, "%s: no result in the response", function);
    return 0;
}

static int refused(enum code_list list, uint64_t code, const char *function, struct lab_error *e)
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
    TRY(read_code(answer, 0x80, function, &code, e));
    if (code != 0)
        return refused(list, code, function, e);
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

/* --- eIMs ------------------------------------------------------------------------------------- */

static cJSON *eim_json(const struct eim_record *c)
{
    static const char *const types[] = { "oid", "fqdn", "proprietary" };
    static const char *const protocols[] = { "retrieveHttps", "retrieveCoaps", "injectHttps",
                                             "injectCoaps", "proprietary" };
    static const char *const forms[] = { "none", "key", "certificate" };
    cJSON *out = cJSON_CreateObject();
    char text[IPA_TEXT_MAX];

    cJSON_AddStringToObject(out, "eimId", printable(rd_str(c->id), text, sizeof text));
    if (c->fqdn[0] != '\0')
        cJSON_AddStringToObject(out, "eimFqdn", printable(rd_str(c->fqdn), text, sizeof text));
    if (c->id_type >= 1 && c->id_type <= (long)N_ELEMS(types))
        cJSON_AddStringToObject(out, "eimIdType", types[c->id_type - 1]);
    if (c->has_counter)
        cJSON_AddNumberToObject(out, "counterValue", (double)c->counter);
    if (c->has_token)
        cJSON_AddNumberToObject(out, "associationToken", (double)c->token);
    cJSON *list = cJSON_AddArrayToObject(out, "eimSupportedProtocol");
    for (size_t i = 0; i < N_ELEMS(protocols); i++)
        if (c->protocols & UINT32_C(1) << i)
            cJSON_AddItemToArray(list, cJSON_CreateString(protocols[i]));
    cJSON_AddStringToObject(out, "eimPublicKeyData", forms[c->package_key.form]);
    cJSON_AddStringToObject(out, "trustedPublicKeyDataTls", forms[c->tls_key.form]);
    if (c->ci.n > 0)
        add_hex(out, "euiccCiPKId", c->ci);
    cJSON_AddBoolToObject(out, "indirectProfileDownload", c->indirect);
    return out;
}

/* "eim1 eim.example.com token 1 retrieveHttps, TLS key, indirect" */
static void print_eim(const struct eim_record *c)
{
    cJSON *json = eim_json(c);
    const cJSON *fqdn = cJSON_GetObjectItemCaseSensitive(json, "eimFqdn");
    const cJSON *protocol = cJSON_GetObjectItemCaseSensitive(json, "eimSupportedProtocol");
    const cJSON *trust = cJSON_GetObjectItemCaseSensitive(json, "trustedPublicKeyDataTls");

    printf("%s %s", cJSON_GetObjectItemCaseSensitive(json, "eimId")->valuestring,
           fqdn != NULL ? fqdn->valuestring : "-");
    if (c->has_token)
        printf(" token %llu", (unsigned long long)c->token);
    for (const cJSON *p = protocol->child; p != NULL; p = p->next)
        printf(" %s", p->valuestring);
    if (c->tls_key.form != EIM_KEY_NONE)
        printf(", TLS by %s", trust->valuestring);
    if (c->indirect)
        printf(", indirect download");
    printf("\n");
    cJSON_Delete(json);
}

int iot_eims(struct ipa *ipa, struct lab_error *e)
{
    struct eim_record eims[IPA_MAX_EIMS];
    struct rd answer;
    size_t n;

    TRY(ipa_get(ipa, TAG_EIM_CONFIGURATION_DATA, &answer, e));
    if (eim_records_read(answer, eims, IPA_MAX_EIMS, &n) != 0)
        return lab_fail(e, "GetEimConfigurationData: the response is malformed");
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < n; i++) {
        cJSON_AddItemToArray(list, eim_json(&eims[i]));
        if (!ipa->json)
            print_eim(&eims[i]);
    }
    if (ipa->json)
        ipa_print_json(list);
    else
        cJSON_Delete(list);
    return 0;
}

/* A file of DER, or of hex digits and blanks. */
static int read_object(const char *path, struct wr *ret, struct lab_error *e)
{
    char digits[3] = "";
    struct wr file;
    size_t n = 0;

    wr_init_heap(&file, FILE_MAX);
    int r = file_read(path, &file, e);
    bool is_hex = r == 0 && file.n > 0;
    for (size_t i = 0; is_hex && i < file.n; i++) {
        char c = (char)file.p[i];
        if (c != '\0' && strchr(" \t\r\n", c) != NULL)
            continue;
        digits[n++] = c;
        if (n == 2) {
            is_hex = hex_read(digits, ret);
            n = 0;
        }
    }
    if (r == 0 && !(is_hex && n == 0)) {
        wr_clear(ret);
        wr_put_rd(ret, wr_view(&file));
    }
    wr_done(&file);
    return r != 0 || wr_failed(ret) == 0 ? r : lab_fail(e, "%s: too long", path);
}

/* An AddInitialEimRequest, or one around an EimConfigurationData. */
static int put_add_initial_eim(struct rd object, struct wr *w)
{
    struct rd in = object;
    struct tlv t;

    TRY(tlv_get(&in, &t));
    if (t.tag == TAG_ADD_INITIAL_EIM && in.n == 0) {
        wr_put_rd(w, object);
        return 0;
    }
    for (in = object; in.n > 0;)
        TRY(tlv_expect(&in, TAG_SEQUENCE, &t));
    struct wr_mark mark = tlv_open(w, TAG_ADD_INITIAL_EIM);
    tlv_put(w, 0xA0, object);
    tlv_close(w, mark);
    return 0;
}

static int tell_added(struct ipa *ipa, struct rd list, struct lab_error *e)
{
    cJSON *out = cJSON_CreateArray();
    struct tlv t;
    uint64_t token;

    while (list.n > 0 && tlv_get(&list, &t) == 0) {
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddItemToArray(out, entry);
        if (t.tag == 0x84 && tlv_uint(t.value, &token) == 0) {
            cJSON_AddNumberToObject(entry, "associationToken", (double)token);
            if (!ipa->json)
                printf("AddInitialEim: ok, association token %llu\n", (unsigned long long)token);
        } else if (!ipa->json) {
            printf("AddInitialEim: ok\n");
        }
    }
    if (ipa->json)
        ipa_print_json(out);
    else
        cJSON_Delete(out);
    return list.n == 0 ? 0 : lab_fail(e, "AddInitialEim: the response is malformed");
}

int iot_add_initial_eim(struct ipa *ipa, const char *path, struct lab_error *e)
{
    struct wr object, request;
    struct rd answer;
    struct tlv list;
    uint64_t code;

    wr_init_heap(&object, FILE_MAX);
    wr_init_heap(&request, FILE_MAX);
    int r = read_object(path, &object, e);
    if (r == 0 && put_add_initial_eim(wr_view(&object), &request) != 0)
        r = lab_fail(e, "%s: neither EimConfigurationData nor an AddInitialEimRequest", path);
    if (r == 0)
        r = ipa_call(ipa, &request, &answer, e);
    wr_done(&object);
    wr_done(&request);
    TRY(r);
    if (tlv_find(answer, 0xA0, &list))
        return tell_added(ipa, list.value, e);
    TRY(read_code(answer, 0x81, "AddInitialEim", &code, e));
    return refused(CODES_ADD_EIM, code, "AddInitialEim", e);
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
        add_hex(out, "eumCertificate", t.whole);
    if (tlv_find(certs, 0xA6, &t))
        add_hex(out, "euiccCertificate", t.whole);
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
        TRY(read_code(answer, 0x81, "GetCerts", &code, e));
        return refused(CODES_GET_CERTS, code, "GetCerts", e);
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
    TRY(read_code(answer, TAG_INTEGER, "ProfileRollback", ret_code, e));
    *ret_result = tlv_find(answer, EUICC_PACKAGE, &t) ? t.whole : rd_of(NULL, 0);
    return 0;
}

static void tell_package_result(const struct ipa *ipa, const char *function, struct rd result)
{
    char text[TEXT_LEN];

    package_result_text(result, text, sizeof text);
    if (ipa->json) {
        cJSON *out = cJSON_CreateObject();
        cJSON_AddStringToObject(out, "result", text);
        add_hex(out, "euiccPackageResult", result);
        ipa_print_json(out);
    } else {
        printf("%s: %s\n", function, text);
    }
}

int iot_rollback(struct ipa *ipa, struct lab_error *e)
{
    struct rd result;
    uint64_t code;

    TRY(iot_call_rollback(ipa, &code, &result, e));
    if (code != 0)
        return refused(CODES_PROFILE_ROLLBACK, code, "ProfileRollback", e);
    tell_package_result(ipa, "ProfileRollback", result);
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
    return read_code(answer, 0x80, "ImmediateEnable", ret_code, e);
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
        TRY(read_code(answer, 0x81, "GetConnectivityParameters", &code, e));
        return refused(CODES_CONNECTIVITY, code, "GetConnectivityParameters", e);
    }
    if (tlv_find(ok.value, 0x81, &t))
        params = t.value;
    if (ipa->json) {
        cJSON *out = cJSON_CreateObject();
        add_hex(out, "httpParams", params);
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
    TRY(read_code(answer, 0x80, parts[0].name, &code, e));
    for (size_t i = 0; i < N_ELEMS(parts); i++) {
        if (!tlv_find(answer, parts[i].tag, &t))
            continue;
        TRY(read_code(answer, parts[i].tag, parts[i].name, &code, e));
        if (code != 0 && r == 0)
            r = refused(parts[i].list, code, parts[i].name, e);
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

static cJSON *package_result_json(struct rd whole, const struct package_result *result)
{
    cJSON *out = cJSON_CreateObject();
    char text[TEXT_LEN];

    cJSON_AddNumberToObject(out, "seqNumber", (double)result->seq_number);
    cJSON_AddStringToObject(out, "eimId", printable(rd_str(result->eim_id), text, sizeof text));
    cJSON_AddNumberToObject(out, "counterValue", (double)result->counter);
    cJSON_AddStringToObject(out, "result", package_result_text(whole, text, sizeof text));
    add_hex(out, "euiccPackageResult", whole);
    return out;
}

int iot_package_results(struct ipa *ipa, struct lab_error *e)
{
    static const uint8_t all[] = { 0xBF, 0x2B, 0x04, 0xA0, 0x02, 0x82, 0x00 };
    struct package_result result;
    char text[TEXT_LEN], id[IPA_TEXT_MAX];
    struct rd answer;
    struct tlv list, t;

    TRY(es10_call(&ipa->es10, rd_of(all, sizeof all), &ipa->answer, &answer, e));
    if (!tlv_find(answer, 0xA2, &list))
        list.value = rd_of(NULL, 0);
    cJSON *out = cJSON_CreateArray();
    while (list.value.n > 0 && tlv_get(&list.value, &t) == 0) {
        if (package_result_read(t.whole, &result) != 0)
            break;
        cJSON_AddItemToArray(out, package_result_json(t.whole, &result));
        if (!ipa->json)
            printf("%llu %s %llu %s\n", (unsigned long long)result.seq_number,
                   printable(rd_str(result.eim_id), id, sizeof id),
                   (unsigned long long)result.counter,
                   package_result_text(t.whole, text, sizeof text));
    }
    if (ipa->json)
        ipa_print_json(out);
    else
        cJSON_Delete(out);
    return list.value.n == 0 ? 0 : lab_fail(e, "RetrieveNotificationsList: a damaged result");
}

int iot_load_package(struct ipa *ipa, const char *path, struct lab_error *e)
{
    struct wr package;
    struct rd answer;

    wr_init_heap(&package, FILE_MAX);
    int r = read_object(path, &package, e);
    struct rd in = wr_view(&package);
    struct tlv t;
    if (r == 0 && (tlv_expect(&in, EUICC_PACKAGE, &t) != 0 || in.n != 0))
        r = lab_fail(e, "%s: not an EuiccPackageRequest", path);
    if (r == 0)
        r = ipa_call(ipa, &package, &answer, e);
    wr_done(&package);
    TRY(r);
    tell_package_result(ipa, "LoadEuiccPackage", wr_view(&ipa->answer));
    char text[TEXT_LEN];
    if (package_result_ok(wr_view(&ipa->answer)))
        return 0;
    return lab_fail(e, "LoadEuiccPackage: %.400s",
                    package_result_text(wr_view(&ipa->answer), text, sizeof text));
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
