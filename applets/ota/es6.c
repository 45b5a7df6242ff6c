/* es6.c - UpdateMetadata, the operator's one function of SGP.22 (5.4.1).
 *
 * It comes as STORE DATA to the MNO-SD of the enabled profile.  The fields that it names replace
 * those of the StoreMetadataRequest; the result has to pass for one. */
#include "applets/ota/es6.h"

#include "applets/isdr/iot.h"
#include "applets/isdr/metadata.h"
#include "applets/isdr/profile_store.h"
#include "os/tlv.h"

enum { METADATA_MAX = 1 << 16 };

/* UpdateMetadataRequest; what else is in it is passed over. */
static const uint32_t updatable[] = {
    TAG_SERVICE_PROVIDER_NAME, TAG_PROFILE_NAME,     TAG_ICON_TYPE, TAG_ICON, TAG_PPRS,
    TAG_DATA_STORED,           TAG_FALLBACK_ALLOWED, /* since SGP.32 1.3 */
};

static bool is_updatable(const struct euicc *e, uint32_t tag)
{
    if (tag == TAG_FALLBACK_ALLOWED && !iot_at_least(e, IOT_V1_3))
        return false;
    for (size_t i = 0; i < N_ELEMS(updatable); i++)
        if (updatable[i] == tag)
            return true;
    return false;
}

static int refuse(const struct euicc *e, int sw, const char *why)
{
    trace_check(&e->trace, "UpdateMetadata: %s (SGP.22 5.4.1)", why);
    return sw;
}

/* An empty icon takes the icon away, rules without a bit take the rules away. */
static void put_updated(const struct tlv *t, bool without_icon, struct wr *ret)
{
    uint32_t pprs;

    if (without_icon && (t->tag == TAG_ICON || t->tag == TAG_ICON_TYPE))
        return;
    if (t->tag == TAG_PPRS && tlv_bits(t->value, &pprs) == 0 && pprs == 0)
        return;
    wr_put_rd(ret, t->whole);
}

static void merge(const struct euicc *e, struct rd old, struct rd update, struct wr *ret)
{
    struct rd in = old;
    struct tlv t, changed;
    bool without_icon = tlv_find(update, TAG_ICON, &t) && t.value.n == 0;

    while (tlv_get(&in, &t) == 0)
        if (is_updatable(e, t.tag) && tlv_find(update, t.tag, &changed))
            put_updated(&changed, without_icon, ret);
        else
            put_updated(&t, without_icon, ret);
    for (size_t i = 0; i < N_ELEMS(updatable); i++)
        if (is_updatable(e, updatable[i]) && tlv_find(update, updatable[i], &changed) &&
            !tlv_find(old, updatable[i], &t))
            put_updated(&changed, without_icon, ret);
}

/* Rules may be taken back; to add one needs pprUpdateControl, and a rule of the RAT as ever. */
static const char *refuse_pprs(const struct euicc *e, uint32_t old, const struct metadata *m)
{
    uint32_t added = m->pprs & ~old;

    if (added == 0)
        return NULL;
    if (!(old & PPR_UPDATE_CONTROL))
        return "profile policy rules may only be taken back";
    return metadata_refuse_pprs(e, m);
}

static int update(struct euicc *e, const struct profile *p, struct rd body)
{
    struct metadata m = { .pprs = 0 };
    struct wr merged;

    wr_init_heap(&merged, METADATA_MAX);
    merge(e, p->metadata, body, &merged);
    int result = wr_failed(&merged);
    const char *why = result == 0 ? metadata_parse(wr_view(&merged), &m) : NULL;
    if (why != NULL)
        result = refuse(e, SW_WRONG_DATA, why);
    else if (result == 0 && (why = refuse_pprs(e, p->pprs, &m)) != NULL)
        result = refuse(e, SW_CONDITIONS_OF_USE, why);
    if (result == 0)
        result = profile_update_metadata(e, p, wr_view(&merged));
    wr_done(&merged);
    return result;
}

int es6_update_metadata(struct euicc *e, uint16_t profile, struct rd body)
{
    struct profile p;

    if (!tlv_all_whole(body))
        return refuse(e, SW_WRONG_DATA, "its fields are broken");
    TRY(profile_get(e, profile, &p));
    int result = update(e, &p, body);
    profile_done(&p);
    if (result == 0)
        trace_note(&e->trace, "the operator updated the metadata of profile %04X", profile);
    return result;
}
