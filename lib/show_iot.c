/* show_iot.c - what SGP.32 adds to a card: its eIMs, package results, and the ways back from one
 * profile to another. */
#include "lib/show_iot.h"

#include <inttypes.h>
#include <string.h>

#include "applets/ecasd/ecasd.h"
#include "applets/ipae/ipae_parts.h"
#include "applets/isdr/eim.h"
#include "applets/isdr/es10.h"
#include "applets/isdr/fallback.h"
#include "applets/isdr/iot.h"
#include "applets/isdr/profile_store.h"
#include "lib/show_json.h"

enum { SPKI_MAX = 256, CONFIGURATION_MAX = 1024 };

/* --- the IPAe --------------------------------------------------------------------------------- */

/* What is kept of an eIM in "ipae/eims" (docs/STATE.md): failures in a row, and the
 * stateChangeCause that it is to be told. */
static int add_contact(cJSON *to, struct euicc *e, uint16_t number)
{
    enum { ENTRY_LEN = 4 };
    uint8_t octets[IPAE_EIMS_MAX * ENTRY_LEN];
    struct wr w;
    bool found;

    wr_init(&w, octets, sizeof octets);
    TRY(nvm_get(e->nvm, "ipae/eims", &w, &found));
    for (const uint8_t *p = octets; p + ENTRY_LEN <= octets + w.n; p += ENTRY_LEN) {
        if ((p[0] << 8 | p[1]) != number)
            continue;
        cJSON_AddNumberToObject(to, "failures", p[2]);
        if (p[3] != CHANGE_NONE)
            cJSON_AddNumberToObject(to, "state_change_cause", p[3]);
    }
    return 0;
}

static int add_count(cJSON *to, const char *name, struct euicc *e, const char *key)
{
    uint64_t n;

    TRY(nvm_get_uint(e->nvm, key, 0, &n));
    cJSON_AddNumberToObject(to, name, (double)n);
    return 0;
}

/* What outlives power; the rest is asked of a card that runs (docs/CONTROL.md). */
static int add_ipae(cJSON *to, struct euicc *e)
{
    const char *mode = setting_text(&e->settings, SET_IPAE);
    char imei[CAT_IMEI_DIGITS + 1] = "";
    char key[NVM_KEY_MAX] = "";
    bool found, has_result;
    struct wr w;

    if (strcmp(mode, "off") == 0)
        return 0;
    cJSON *ipae = cJSON_AddObjectToObject(to, "ipae");
    cJSON_AddStringToObject(ipae, "mode", mode);
    wr_init(&w, imei, sizeof imei - 1);
    TRY(nvm_get(e->nvm, "ipae/imei", &w, &found));
    if (found)
        cJSON_AddStringToObject(ipae, "imei", imei);
    TRY(nvm_next(e->nvm, "isdr/package-result/", key, &has_result));
    cJSON_AddStringToObject(ipae, "waits_for",
                            has_result ? "an eIM to take a result" : "a package");
    TRY(add_count(ipae, "deliveries_in_vain", e, "ipae/attempts"));
    return add_count(ipae, "fallbacks", e, "ipae/fallbacks");
}

/* --- eIMs ------------------------------------------------------------------------------------- */

/* What an EimConfigurationData's CHOICE of keys is. */
static const char *kind_of_key(struct rd configuration, uint32_t field)
{
    struct tlv choice, arm;

    if (!tlv_find(configuration, field, &choice))
        return "none";
    return tlv_find(choice.value, TAG_CHOICE_0, &arm) ? "public key" : "certificate";
}

/* Its fingerprint is SHA-256 of the SubjectPublicKeyInfo, also for a certificate. */
static int add_key(cJSON *to, struct euicc *e, const struct eim *eim)
{
    uint8_t octets[SPKI_MAX], digest[SHA256_LEN];
    struct ec_pub *key = NULL;
    struct wr spki;

    cJSON *object = cJSON_AddObjectToObject(to, "key");
    cJSON_AddStringToObject(object, "kind", kind_of_key(eim->configuration, EIM_PUBLIC_KEY_DATA));
    TRY(eim_key(e, eim, &key));
    cJSON_AddStringToObject(object, "curve", curve_name(ec_pub_curve(key)));
    wr_init(&spki, octets, sizeof octets);
    int err = ec_pub_write_der(key, &spki);
    ec_pub_free(&key);
    TRY(err);
    const struct rd part = wr_view(&spki);
    TRY(crypto_sha256(e->crypto, &part, 1, digest));
    show_add_hex(object, "sha256", rd_of(digest, sizeof digest));
    return 0;
}

static void add_protocols(cJSON *to, struct rd configuration)
{
    static const char *const names[] = { "retrieveHttps", "retrieveCoaps", "injectHttps",
                                         "injectCoaps", "proprietary" };
    cJSON *list = cJSON_AddArrayToObject(to, "protocols");
    uint32_t bits = 0;
    struct tlv t;

    if (!tlv_find(configuration, EIM_SUPPORTED_PROTOCOL, &t) || tlv_bits(t.value, &bits) != 0)
        return;
    for (size_t i = 0; i < N_ELEMS(names); i++)
        if (bits & 1u << i)
            cJSON_AddItemToArray(list, cJSON_CreateString(names[i]));
}

static int add_eim(cJSON *list, struct euicc *e, const struct eim *eim)
{
    static const char *const types[] = { "?", "oid", "fqdn", "proprietary" };
    struct rd configuration = eim->configuration;
    cJSON *one = cJSON_CreateObject();
    uint64_t type = 0;
    struct tlv t;

    cJSON_AddItemToArray(list, one);
    show_add_text(one, "id", eim->id);
    if (tlv_find(configuration, EIM_ID_TYPE, &t) && tlv_uint(t.value, &type) != 0)
        type = 0;
    cJSON_AddStringToObject(one, "type", types[type < N_ELEMS(types) ? type : 0]);
    if (tlv_find(configuration, EIM_FQDN, &t))
        show_add_text(one, "fqdn", t.value);
    add_protocols(one, configuration);
    TRY(add_key(one, e, eim));
    cJSON_AddStringToObject(one, "tls_trust",
                            kind_of_key(configuration, EIM_TRUSTED_PUBLIC_KEY_DATA_TLS));
    cJSON_AddNumberToObject(one, "counter", (double)eim->counter);
    if (eim->has_token)
        cJSON_AddNumberToObject(one, "token", (double)eim->token);
    show_add_hex(one, "ci", ecasd_ci_pkid(e, eim->ci));
    cJSON_AddBoolToObject(one, "indirect_download",
                          tlv_find(configuration, EIM_INDIRECT_PROFILE_DOWNLOAD, &t));
    return add_contact(one, e, eim->number);
}

static int add_eims(cJSON *to, struct euicc *e)
{
    cJSON *list = cJSON_AddArrayToObject(to, "eims");
    uint16_t number = NO_EIM;
    bool found;

    for (;;) {
        struct eim eim;
        TRY(eim_next(e, &number));
        if (number == NO_EIM)
            return 0;
        TRY(eim_load(e, number, &eim, &found));
        int err = found ? add_eim(list, e, &eim) : 0;
        if (found)
            eim_done(&eim);
        TRY(err);
    }
}

/* --- profiles and packages -------------------------------------------------------------------- */

/* A profile by its ICCID; nothing for NO_PROFILE. */
static int add_profile(cJSON *to, const char *name, struct euicc *e, uint16_t index)
{
    struct profile p;
    bool found;

    if (index == NO_PROFILE)
        return 0;
    TRY(profile_load(e, index, &p, &found));
    if (found) {
        show_add_iccid(to, name, p.iccid);
        profile_done(&p);
    }
    return 0;
}

static int add_switch(cJSON *to, struct euicc *e)
{
    struct profile_switch now;
    uint16_t holder;

    TRY(profile_get_switch(e, &now));
    TRY(fallback_holder(e, &holder));
    TRY(add_profile(to, "fallback_profile", e, holder));
    TRY(add_profile(to, "return_from_fallback", e, now.returns));
    if (now.rolls_back != NO_PROFILE) {
        cJSON *rollback = cJSON_AddObjectToObject(to, "rollback");
        TRY(add_profile(rollback, "iccid", e, now.rolls_back));
        cJSON_AddNumberToObject(rollback, "granted_by", (double)now.grant);
    }
    cJSON_AddBoolToObject(to, "emergency", now.emergency);
    return add_profile(to, "after_emergency", e, now.after_emergency);
}

static int add_package_results(cJSON *to, struct euicc *e)
{
    static const char prefix[] = "isdr/package-result/";
    cJSON *list = cJSON_AddArrayToObject(to, "package_results");
    char key[NVM_KEY_MAX] = "";
    uint64_t sequence;
    bool found;

    for (;;) {
        TRY(nvm_next(e->nvm, prefix, key, &found));
        if (!found)
            return 0;
        if (sscanf(key + sizeof prefix - 1, "%" SCNx64, &sequence) == 1)
            cJSON_AddItemToArray(list, cJSON_CreateNumber((double)sequence));
    }
}

/* "2.999.10" of an OBJECT IDENTIFIER's contents. */
static void add_oid(cJSON *to, const char *name, struct rd oid)
{
    char text[256] = "";
    uint64_t arc = 0;

    for (size_t i = 0; i < oid.n; i++) {
        size_t at = strlen(text);
        arc = arc << 7 | (oid.p[i] & 0x7F);
        if (oid.p[i] & 0x80)
            continue;
        uint64_t first = arc < 80 ? arc / 40 : 2;
        if (at == 0)
            snprintf(text, sizeof text, "%" PRIu64 ".%" PRIu64, first, arc - 40 * first);
        else
            snprintf(text + at, sizeof text - at, ".%" PRIu64, arc);
        arc = 0;
    }
    cJSON_AddStringToObject(to, name, text);
}

static int add_immediate_enable(cJSON *to, struct euicc *e)
{
    uint8_t octets[CONFIGURATION_MAX];
    struct wr w;
    struct tlv t;
    bool on;

    wr_init(&w, octets, sizeof octets);
    TRY(nvm_get(e->nvm, "isdr/immediate-enable", &w, &on));
    cJSON *object = cJSON_AddObjectToObject(to, "immediate_enable");
    cJSON_AddBoolToObject(object, "on", on);
    if (tlv_find(wr_view(&w), TAG_CTX_1, &t))
        add_oid(object, "smdp_oid", t.value);
    if (tlv_find(wr_view(&w), TAG_CTX_2, &t))
        show_add_text(object, "smdp_address", t.value);
    return 0;
}

int show_iot_add(cJSON *to, struct euicc *e)
{
    if (!iot_at_least(e, IOT_V1_0))
        return 0;
    cJSON *iot = cJSON_AddObjectToObject(to, "iot");
    TRY(add_eims(iot, e));
    TRY(add_package_results(iot, e));
    TRY(add_immediate_enable(iot, e));
    TRY(add_ipae(iot, e));
    return add_switch(iot, e);
}

/* --- the text --------------------------------------------------------------------------------- */

static void print_eim(FILE *out, const cJSON *eim)
{
    const cJSON *key = cJSON_GetObjectItem(eim, "key"), *protocol;

    fprintf(out, "  %s (%s)", show_string(eim, "id"), show_string(eim, "type"));
    if (show_string(eim, "fqdn")[0] != '\0')
        fprintf(out, " at %s", show_string(eim, "fqdn"));
    fprintf(out, ", counter %.0f", show_number(eim, "counter"));
    if (cJSON_HasObjectItem(eim, "token"))
        fprintf(out, ", token %.0f", show_number(eim, "token"));
    fprintf(out, "\n    %s on %s, SHA-256 %s\n", show_string(key, "kind"),
            show_string(key, "curve"), show_string(key, "sha256"));
    fprintf(out, "    protocols");
    cJSON_ArrayForEach(protocol, cJSON_GetObjectItem(eim, "protocols"))
        fprintf(out, " %s", protocol->valuestring);
    fprintf(out, "%s; trust for TLS: %s\n",
            show_is(eim, "indirect_download") ? ", with indirect download" : "",
            show_string(eim, "tls_trust"));
    fprintf(out, "    results signed under CI %s\n", show_string(eim, "ci"));
    if (show_number(eim, "failures") > 0)
        fprintf(out, "    %.0f failures of the IPAe in a row\n", show_number(eim, "failures"));
    if (cJSON_HasObjectItem(eim, "state_change_cause"))
        fprintf(out, "    is to be told stateChangeCause %.0f\n",
                show_number(eim, "state_change_cause"));
}

static void print_package_results(FILE *out, const cJSON *iot)
{
    const cJSON *one, *list = cJSON_GetObjectItem(iot, "package_results");

    if (cJSON_GetArraySize(list) == 0)
        return;
    fprintf(out, "results        of eUICC Packages, pending:");
    cJSON_ArrayForEach(one, list) fprintf(out, " %.0f", one->valuedouble);
    fprintf(out, "\n");
}

static void print_immediate_enable(FILE *out, const cJSON *iot)
{
    const cJSON *object = cJSON_GetObjectItem(iot, "immediate_enable");

    if (!show_is(object, "on"))
        return;
    fprintf(out, "at once        profiles are enabled when downloaded");
    if (show_string(object, "smdp_address")[0] != '\0')
        fprintf(out, " from %s", show_string(object, "smdp_address"));
    if (show_string(object, "smdp_oid")[0] != '\0')
        fprintf(out, " (%s)", show_string(object, "smdp_oid"));
    fprintf(out, "\n");
}

static void print_ipae(FILE *out, const cJSON *iot)
{
    const cJSON *ipae = cJSON_GetObjectItem(iot, "ipae");

    if (ipae == NULL)
        return;
    fprintf(out, "IPAe           %s; waits for %s", show_string(ipae, "mode"),
            show_string(ipae, "waits_for"));
    if (show_number(ipae, "deliveries_in_vain") > 0)
        fprintf(out, ", in vain %.0f times", show_number(ipae, "deliveries_in_vain"));
    if (show_string(ipae, "imei")[0] != '\0')
        fprintf(out, "; IMEI %s", show_string(ipae, "imei"));
    if (show_number(ipae, "fallbacks") > 0)
        fprintf(out, "; %.0f fallbacks in a row", show_number(ipae, "fallbacks"));
    fprintf(out, "\n");
}

static void print_switch(FILE *out, const cJSON *iot)
{
    const cJSON *rollback = cJSON_GetObjectItem(iot, "rollback");

    if (show_string(iot, "fallback_profile")[0] != '\0')
        fprintf(out, "fallback       to %s\n", show_string(iot, "fallback_profile"));
    if (show_string(iot, "return_from_fallback")[0] != '\0')
        fprintf(out, "fallback       happened; returns to %s\n",
                show_string(iot, "return_from_fallback"));
    if (rollback != NULL)
        fprintf(out, "rollback       to %s, granted by result %.0f\n",
                show_string(rollback, "iccid"), show_number(rollback, "granted_by"));
    if (show_is(iot, "emergency"))
        fprintf(out, "emergency      the Emergency Profile is enabled; then %s\n",
                cJSON_HasObjectItem(iot, "after_emergency") ? show_string(iot, "after_emergency")
                                                            : "none");
}

void show_iot_print(FILE *out, const cJSON *root)
{
    const cJSON *iot = cJSON_GetObjectItem(root, "iot"), *eim;
    const cJSON *eims = cJSON_GetObjectItem(iot, "eims");

    if (iot == NULL)
        return;
    fprintf(out, "eIMs           %d\n", cJSON_GetArraySize(eims));
    cJSON_ArrayForEach(eim, eims) print_eim(out, eim);
    print_package_results(out, iot);
    print_immediate_enable(out, iot);
    print_ipae(out, iot);
    print_switch(out, iot);
}
