/* ipa_iot_eim.c - what eIMs have on the card: their configuration, packages and results (SGP.32
 * 5.9.1, 5.9.4, 5.9.18). */
#include "lab/ipa_iot.h"

#include <stdio.h>
#include <string.h>

#include "lab/codes.h"
#include "lab/ipa_message.h"
#include "lab/ipa_result.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    FILE_MAX = 256 * 1024,
    TEXT_LEN = 900,

    TAG_SEQUENCE = 0x30,
    TAG_EIM_CONFIGURATION_DATA = 0xBF55,
    TAG_ADD_INITIAL_EIM = 0xBF57,
};

/* --- eIMs ------------------------------------------------------------------------------------- */

static cJSON *eim_json(const struct eim_record *c)
{
    static const char *const types[] = { "oid", "fqdn", "proprietary" };
    static const char *const protocols[] = { "retrieveHttps", "retrieveCoaps", "injectHttps",
                                             "injectCoaps", "proprietary" };
    static const char *const forms[] = { "none", "key", "certificate" };
    cJSON *out = cJSON_CreateObject();
    char text[IPA_EIM_ID_MAX];

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
        iot_add_hex(out, "euiccCiPKId", c->ci);
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
    TRY(iot_read_code(answer, 0x81, "AddInitialEim", &code, e));
    return iot_refused(CODES_ADD_EIM, code, "AddInitialEim", e);
}

/* --- packages --------------------------------------------------------------------------------- */

void iot_tell_package_result(const struct ipa *ipa, const char *function, struct rd result)
{
    char text[TEXT_LEN];

    package_result_text(result, text, sizeof text);
    if (ipa->json) {
        cJSON *out = cJSON_CreateObject();
        cJSON_AddStringToObject(out, "result", text);
        iot_add_hex(out, "euiccPackageResult", result);
        ipa_print_json(out);
    } else {
        printf("%s: %s\n", function, text);
    }
}

static cJSON *package_result_json(struct rd whole, const struct package_result *result)
{
    cJSON *out = cJSON_CreateObject();
    char text[TEXT_LEN];

    cJSON_AddNumberToObject(out, "seqNumber", (double)result->seq_number);
    cJSON_AddStringToObject(out, "eimId", printable(result->eim_id, text, sizeof text));
    cJSON_AddNumberToObject(out, "counterValue", (double)result->counter);
    cJSON_AddStringToObject(out, "result", package_result_text(whole, text, sizeof text));
    iot_add_hex(out, "euiccPackageResult", whole);
    return out;
}

int iot_package_results(struct ipa *ipa, struct lab_error *e)
{
    static const uint8_t all[] = { 0xBF, 0x2B, 0x04, 0xA0, 0x02, 0x82, 0x00 };
    struct package_result result;
    char text[TEXT_LEN], id[IPA_EIM_ID_MAX];
    struct rd answer;
    struct tlv list, t;

    TRY(es10_call(&ipa->es10, rd_of(all, sizeof all), &ipa->answer, &answer, e));
    if (!tlv_find(answer, 0xA2, &list))
        list.value = rd_of(NULL, 0);
    cJSON *out = cJSON_CreateArray();
    while (list.value.n > 0 && tlv_get(&list.value, &t) == 0) {
        if (esipa_read_package_result(t.whole, &result) != 0)
            break;
        cJSON_AddItemToArray(out, package_result_json(t.whole, &result));
        if (!ipa->json)
            printf("%llu %s %llu %s\n", (unsigned long long)result.seq_number,
                   printable(result.eim_id, id, sizeof id), (unsigned long long)result.counter,
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
    iot_tell_package_result(ipa, "LoadEuiccPackage", wr_view(&ipa->answer));
    char text[TEXT_LEN];
    if (package_result_ok(wr_view(&ipa->answer)))
        return 0;
    return lab_fail(e, "LoadEuiccPackage: %.400s",
                    package_result_text(wr_view(&ipa->answer), text, sizeof text));
}
