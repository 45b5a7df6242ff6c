/* show.c - what a card holds.  One tree is built, as JSON; the text is printed from it. */
#include "lib/show.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applets/ecasd/ecasd.h"
#include "applets/isdr/metadata.h"
#include "applets/isdr/profile_store.h"
#include "lib/show_files.h"
#include "lib/show_iot.h"
#include "lib/show_json.h"
#include "os/euicc.h"
#include "os/tlv.h"

/* --- the tree --- */

static int add_profile(cJSON *list, struct euicc *e, const struct profile *p, uint16_t enabled)
{
    static const char *const classes[] = { "test", "provisioning", "operational" };
    cJSON *one = cJSON_CreateObject();
    uint8_t aid[AID_MAX_LEN];
    struct tlv t;

    show_add_iccid(one, "iccid", p->iccid);
    cJSON_AddStringToObject(one, "state", p->index == enabled ? "enabled" : "disabled");
    cJSON_AddStringToObject(one, "class",
                            p->profile_class < N_ELEMS(classes) ? classes[p->profile_class] : "?");
    show_add_text(one, "name",
                  tlv_find(p->metadata, TAG_PROFILE_NAME, &t) ? t.value : rd_of(NULL, 0));
    show_add_text(one, "provider",
                  tlv_find(p->metadata, TAG_SERVICE_PROVIDER_NAME, &t) ? t.value : rd_of(NULL, 0));
    show_add_text(one, "nickname", p->nickname);
    isdp_aid(p->index, aid);
    show_add_hex(one, "aid", rd_of(aid, sizeof aid));
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
        show_add_hex(one, "pkid", ecasd_ci_pkid(e, i));
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

    show_add_hex(root, "eid", rd_of(ecasd_eid(e), EID_LEN));
    show_add_hex(root, "atr", rd_of(atr, euicc_atr(e, atr)));
    TRY(add_profiles(root, e));
    TRY(add_counts(root, e));
    TRY(show_iot_add(root, e));
    add_cis(root, e);
    add_settings(root, e);
    return 0;
}

/* --- the text --- */

static void print_profiles(FILE *out, const cJSON *root)
{
    const cJSON *list = cJSON_GetObjectItem(root, "profiles"), *one;

    fprintf(out, "profiles       %d\n", cJSON_GetArraySize(list));
    cJSON_ArrayForEach(one, list)
    {
        fprintf(out, "  %-20s %-8s %-12s %s", show_string(one, "iccid"), show_string(one, "state"),
                show_string(one, "class"), show_string(one, "name"));
        if (show_string(one, "nickname")[0] != '\0')
            fprintf(out, " (%s)", show_string(one, "nickname"));
        fprintf(out, "\n    AID %s, %.0f octets%s%s\n", show_string(one, "aid"),
                show_number(one, "octets"), show_is(one, "ppr1") ? ", PPR1" : "",
                show_is(one, "ppr2") ? ", PPR2" : "");
        show_files_print(out, one);
    }
}

static void print_text(FILE *out, const cJSON *root)
{
    const cJSON *one;

    fprintf(out, "EID            %s\n", show_string(root, "eid"));
    fprintf(out, "ATR            %s\n", show_string(root, "atr"));
    cJSON_ArrayForEach(one, cJSON_GetObjectItem(root, "certificate_issuers")) fprintf(
        out, "CI             %s on %s\n", show_string(one, "pkid"), show_string(one, "curve"));
    print_profiles(out, root);
    fprintf(out, "memory         %.0f octets free\n", show_number(root, "octets_free"));
    fprintf(out, "notifications  %.0f pending, last sequence number %.0f\n",
            show_number(root, "notifications_pending"), show_number(root, "last_sequence_number"));
    show_iot_print(out, root);
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
