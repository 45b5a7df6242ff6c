/* show.c - what a card holds.  One tree is built, as JSON; the text is printed from it. */
#include "lib/show.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applets/ecasd/ecasd.h"
#include "applets/isdr/profile_store.h"
#include "lib/show_files.h"
#include "os/euicc.h"
#include "os/tlv.h"

enum {
    TAG_SERVICE_PROVIDER_NAME = 0x91,
    TAG_PROFILE_NAME = 0x92,
};

/* --- the tree --- */

static void add_hex(cJSON *to, const char *name, struct rd v)
{
    char text[2 * 64 + 1] = "";

    for (size_t i = 0; i < v.n && i < 64; i++)
        snprintf(text + 2 * i, 3, "%02X", v.p[i]);
    cJSON_AddStringToObject(to, name, text);
}

static void add_text(cJSON *to, const char *name, struct rd v)
{
    char text[256];

    snprintf(text, sizeof text, "%.*s", (int)v.n, v.n > 0 ? (const char *)v.p : "");
    cJSON_AddStringToObject(to, name, text);
}

/* Digits as printed on cards: nibbles swapped back, padding dropped. */
static void add_iccid(cJSON *to, struct rd iccid)
{
    char digits[2 * ICCID_LEN + 1];
    size_t n = 0;

    for (size_t i = 0; i < iccid.n && i < ICCID_LEN; i++) {
        digits[n++] = "0123456789ABCDEF"[iccid.p[i] & 0xF];
        digits[n++] = "0123456789ABCDEF"[iccid.p[i] >> 4];
    }
    while (n > 0 && digits[n - 1] == 'F')
        n--;
    digits[n] = '\0';
    cJSON_AddStringToObject(to, "iccid", digits);
}

static int add_profile(cJSON *list, struct euicc *e, const struct profile *p, uint16_t enabled)
{
    static const char *const classes[] = { "test", "provisioning", "operational" };
    cJSON *one = cJSON_CreateObject();
    uint8_t aid[AID_MAX_LEN];
    struct tlv t;

    add_iccid(one, p->iccid);
    cJSON_AddStringToObject(one, "state", p->index == enabled ? "enabled" : "disabled");
    cJSON_AddStringToObject(one, "class",
                            p->profile_class < N_ELEMS(classes) ? classes[p->profile_class] : "?");
    add_text(one, "name", tlv_find(p->metadata, TAG_PROFILE_NAME, &t) ? t.value : rd_of(NULL, 0));
    add_text(one, "provider",
             tlv_find(p->metadata, TAG_SERVICE_PROVIDER_NAME, &t) ? t.value : rd_of(NULL, 0));
    add_text(one, "nickname", p->nickname);
    isdp_aid(p->index, aid);
    add_hex(one, "aid", rd_of(aid, sizeof aid));
    cJSON_AddNumberToObject(one, "octets", (double)p->size);
    cJSON_AddBoolToObject(one, "ppr1", (p->pprs & PPR1_NO_DISABLE) != 0);
    cJSON_AddBoolToObject(one, "ppr2", (p->pprs & PPR2_NO_DELETE) != 0);
    cJSON_AddItemToArray(list, one);
    return show_files_add(one, e, p->index);
}

static int add_profiles(cJSON *to, struct euicc *e)
{
    cJSON *list = cJSON_AddArrayToObject(to, "profiles");
    uint16_t index = NO_PROFILE, enabled;
    bool found;

    TRY(profile_enabled(e, &enabled));
    for (;;) {
        struct profile p;
        TRY(profile_next(e, &index));
        if (index == NO_PROFILE)
            return 0;
        TRY(profile_load(e, index, &p, &found));
        int err = found ? add_profile(list, e, &p, enabled) : 0;
        if (found)
            profile_done(&p);
        TRY(err);
    }
}

static int add_counts(cJSON *to, struct euicc *e)
{
    uint64_t room, sequence;
    char key[NVM_KEY_MAX] = "";
    unsigned pending = 0;
    bool found;

    TRY(profile_free_memory(e, &room));
    cJSON_AddNumberToObject(to, "octets_free", (double)room);
    for (;;) {
        TRY(nvm_next(e->nvm, "isdr/notification/", key, &found));
        if (!found)
            break;
        pending++;
    }
    cJSON_AddNumberToObject(to, "notifications_pending", pending);
    TRY(nvm_get_uint(e->nvm, "isdr/sequence", 0, &sequence));
    cJSON_AddNumberToObject(to, "last_sequence_number", (double)sequence);
    return 0;
}

static void add_cis(cJSON *to, const struct euicc *e)
{
    cJSON *list = cJSON_AddArrayToObject(to, "certificate_issuers");

    for (int i = 0; i < ecasd_ci_count(e); i++) {
        cJSON *one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "curve", curve_name(ecasd_ci_curve(e, i)));
        add_hex(one, "pkid", ecasd_ci_pkid(e, i));
        cJSON_AddItemToArray(list, one);
    }
}

static void add_settings(cJSON *to, const struct euicc *e)
{
    cJSON *settings = cJSON_AddObjectToObject(to, "settings");

    for (int i = 0; i < SETTING_COUNT; i++)
        cJSON_AddStringToObject(settings, setting_infos[i].key,
                                setting_text(&e->settings, (enum setting)i));
}

static int build(cJSON *root, struct euicc *e)
{
    uint8_t atr[ATR_MAX_LEN];

    add_hex(root, "eid", rd_of(ecasd_eid(e), EID_LEN));
    add_hex(root, "atr", rd_of(atr, euicc_atr(e, atr)));
    TRY(add_profiles(root, e));
    TRY(add_counts(root, e));
    add_cis(root, e);
    add_settings(root, e);
    return 0;
}

/* --- the text --- */

static const char *string_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItem(object, name);

    return cJSON_IsString(item) ? item->valuestring : "";
}

static double number_of(const cJSON *object, const char *name)
{
    return cJSON_GetNumberValue(cJSON_GetObjectItem(object, name));
}

static void print_profiles(FILE *out, const cJSON *root)
{
    const cJSON *list = cJSON_GetObjectItem(root, "profiles"), *one;

    fprintf(out, "profiles       %d\n", cJSON_GetArraySize(list));
    cJSON_ArrayForEach(one, list)
    {
        fprintf(out, "  %-20s %-8s %-12s %s", string_of(one, "iccid"), string_of(one, "state"),
                string_of(one, "class"), string_of(one, "name"));
        if (string_of(one, "nickname")[0] != '\0')
            fprintf(out, " (%s)", string_of(one, "nickname"));
        fprintf(out, "\n    AID %s, %.0f octets%s%s\n", string_of(one, "aid"),
                number_of(one, "octets"),
                cJSON_IsTrue(cJSON_GetObjectItem(one, "ppr1")) ? ", PPR1" : "",
                cJSON_IsTrue(cJSON_GetObjectItem(one, "ppr2")) ? ", PPR2" : "");
        show_files_print(out, one);
    }
}

static void print_text(FILE *out, const cJSON *root)
{
    const cJSON *one;

    fprintf(out, "EID            %s\n", string_of(root, "eid"));
    fprintf(out, "ATR            %s\n", string_of(root, "atr"));
    cJSON_ArrayForEach(one, cJSON_GetObjectItem(root, "certificate_issuers"))
        fprintf(out, "CI             %s on %s\n", string_of(one, "pkid"), string_of(one, "curve"));
    print_profiles(out, root);
    fprintf(out, "memory         %.0f octets free\n", number_of(root, "octets_free"));
    fprintf(out, "notifications  %.0f pending, last sequence number %.0f\n",
            number_of(root, "notifications_pending"), number_of(root, "last_sequence_number"));
    fprintf(out, "settings\n");
    cJSON_ArrayForEach(one, cJSON_GetObjectItem(root, "settings"))
        fprintf(out, "  %s=%s\n", one->string, one->valuestring);
}

static char *as_text(const cJSON *root)
{
    char *text = NULL;
    size_t n;
    FILE *out = open_memstream(&text, &n);

    if (out == NULL)
        return NULL;
    print_text(out, root);
    fclose(out);
    return text;
}

char *show_card(struct euicc *e, bool json)
{
    char *shown = NULL;

    if (!e->on && euicc_power_on(e) != 0)
        return NULL;
    cJSON *root = cJSON_CreateObject();
    if (root != NULL && build(root, e) == 0)
        shown = json ? cJSON_Print(root) : as_text(root);
    cJSON_Delete(root);
    return shown;
}
