/* profile_info.c - GetProfilesInfo (SGP.22 5.7.15, SGP.32 5.9.14), which a eUICC Package can ask
 * for too. */
#include "applets/isdr/profile_info.h"

#include "applets/isdr/es10.h"
#include "applets/isdr/fallback.h"
#include "applets/isdr/iot.h"
#include "applets/isdr/metadata.h"

enum {
    TAG_PROFILE_INFO = 0xE3,
    TAG_PROFILE_STATE = 0x9F70,
    TAG_FALLBACK_ATTRIBUTE = 0x9F26, /* SGP.32 5.9.14 */
    TAG_IOT_SPECIFIC = 0xBF64,
    TAG_ACCESS_RULES = 0xBF76, /* that Android reads */

    INCORRECT_INPUT_VALUES = 1, /* ProfileInfoListError */
};

/* ProfileInfo, in the order of its ASN.1: what stands where, and what is told unasked. */
enum info_source { FROM_METADATA, FROM_STATE };
enum unasked { NEVER, ALWAYS, ON_IOT };
static const struct info_field {
    uint32_t tag;
    enum info_source source;
    enum unasked unasked;
} info_fields[] = {
    { TAG_ICCID, FROM_METADATA, ALWAYS },
    { TAG_AID_4F, FROM_STATE, ALWAYS },
    { TAG_PROFILE_STATE, FROM_STATE, ALWAYS },
    { TAG_NICKNAME, FROM_STATE, ALWAYS },
    { TAG_SERVICE_PROVIDER_NAME, FROM_METADATA, ALWAYS },
    { TAG_PROFILE_NAME, FROM_METADATA, ALWAYS },
    { TAG_ICON_TYPE, FROM_METADATA, ALWAYS },
    { TAG_ICON, FROM_METADATA, ALWAYS },
    { TAG_PROFILE_CLASS, FROM_STATE, ALWAYS },
    { TAG_NOTIFICATION_CONFIGURATION, FROM_METADATA, NEVER },
    { TAG_PROFILE_OWNER, FROM_METADATA, NEVER },
    { TAG_DP_PROPRIETARY, FROM_STATE, NEVER },
    { TAG_PPRS, FROM_METADATA, NEVER },
    { TAG_DATA_STORED, FROM_METADATA, NEVER },
    { TAG_ECALL_INDICATION, FROM_METADATA, ON_IOT },
    { TAG_FALLBACK_ATTRIBUTE, FROM_STATE, ON_IOT },
    { TAG_FALLBACK_ALLOWED, FROM_METADATA, ON_IOT },
    { TAG_IOT_SPECIFIC, FROM_METADATA, NEVER },
    { TAG_ACCESS_RULES, FROM_METADATA, NEVER },
};

/* Which profiles, and which of their fields. */
struct info_request {
    bool by_class, by_id;
    uint64_t profile_class;
    uint16_t index; /* by_id */
    bool has_tag_list;
    struct rd tag_list;
};

bool es10_list_has(struct rd list, uint32_t tag)
{
    uint32_t one;

    while (tlv_tag(&list, &one) == 0)
        if (one == tag)
            return true;
    return false;
}

/* What fields of every profile depend on. */
struct info_state {
    uint16_t enabled, fallback;
    bool iot;
};

static void put_state_field(uint32_t tag, const struct profile *p, const struct info_state *state,
                            struct wr *rsp)
{
    uint8_t aid[AID_MAX_LEN];

    switch (tag) {
    case TAG_AID_4F:
        isdp_aid(p->index, aid);
        tlv_put(rsp, tag, rd_of(aid, sizeof aid));
        break;
    case TAG_PROFILE_STATE:
        tlv_put_u8(rsp, tag, p->index == state->enabled);
        break;
    case TAG_NICKNAME:
        if (p->nickname.n > 0)
            tlv_put(rsp, tag, p->nickname);
        break;
    case TAG_PROFILE_CLASS:
        tlv_put_uint(rsp, tag, p->profile_class);
        break;
    case TAG_DP_PROPRIETARY:
        wr_put_rd(rsp, p->dp_proprietary);
        break;
    case TAG_FALLBACK_ATTRIBUTE:
        if (p->index == state->fallback) /* DEFAULT FALSE */
            tlv_put_u8(rsp, tag, 0xFF);
        break;
    default:
        break;
    }
}

static bool is_wanted(const struct info_request *r, const struct info_field *f, bool iot)
{
    if (r->has_tag_list)
        return es10_list_has(r->tag_list, f->tag);
    return f->unasked == ALWAYS || (f->unasked == ON_IOT && iot);
}

static void put_info(const struct info_request *r, const struct profile *p,
                     const struct info_state *state, struct wr *rsp)
{
    struct tlv t;

    struct wr_mark m = tlv_open(rsp, TAG_PROFILE_INFO);
    for (size_t i = 0; i < N_ELEMS(info_fields); i++) {
        const struct info_field *f = &info_fields[i];
        if (!is_wanted(r, f, state->iot))
            continue;
        if (f->source == FROM_STATE)
            put_state_field(f->tag, p, state, rsp);
        else if (tlv_find(p->metadata, f->tag, &t))
            tlv_put(rsp, t.tag, t.value);
    }
    tlv_close(rsp, m);
}

static int put_one(struct euicc *e, const struct info_request *r, const struct info_state *state,
                   uint16_t index, struct wr *rsp)
{
    struct profile p;

    TRY(profile_get(e, index, &p));
    if (!r->by_class || p.profile_class == r->profile_class)
        put_info(r, &p, state, rsp);
    profile_done(&p);
    return 0;
}

static int put_all(struct euicc *e, const struct info_request *r, struct wr *rsp)
{
    struct info_state state = { .iot = iot_at_least(e, IOT_V1_1) };
    uint16_t index = NO_PROFILE;

    TRY(profile_enabled(e, &state.enabled));
    TRY(fallback_holder(e, &state.fallback));
    if (r->by_id)
        return r->index == NO_PROFILE ? 0 : put_one(e, r, &state, r->index, rsp);
    for (;;) {
        TRY(profile_next(e, &index));
        if (index == NO_PROFILE)
            return 0;
        TRY(put_one(e, r, &state, index, rsp));
    }
}

/* 4F, 5A or 95, bare or within A0.  0 or a ProfileInfoListError. */
static int parse_search(struct euicc *e, struct rd body, struct info_request *r, int *ret_code)
{
    struct tlv criteria, t;
    bool wrapped = tlv_find(body, TAG_CHOICE_0, &criteria);
    struct rd in = wrapped ? criteria.value : body;

    *ret_code = 0;
    if (tlv_find(in, TAG_ICCID, &t)) {
        r->by_id = true;
        *ret_code = t.value.n == ICCID_LEN ? 0 : INCORRECT_INPUT_VALUES;
        return profile_find_iccid(e, t.value, &r->index);
    }
    if (tlv_find(in, TAG_AID_4F, &t)) {
        r->by_id = true;
        *ret_code = t.value.n >= 5 && t.value.n <= AID_MAX_LEN ? 0 : INCORRECT_INPUT_VALUES;
        return profile_find_aid(e, t.value, &r->index);
    }
    if (tlv_find(in, TAG_PROFILE_CLASS, &t)) {
        r->by_class = true;
        if (tlv_uint(t.value, &r->profile_class) != 0 || r->profile_class > CLASS_OPERATIONAL)
            *ret_code = INCORRECT_INPUT_VALUES;
    } else if (wrapped) {
        *ret_code = INCORRECT_INPUT_VALUES;
    }
    return 0;
}

int profile_infos_put(struct euicc *e, struct rd body, struct wr *rsp)
{
    static const struct result_name names[] = {
        { INCORRECT_INPUT_VALUES, "incorrectInputValues" },
    };
    struct info_request r = { 0 };
    struct tlv list;
    int code;

    TRY(parse_search(e, body, &r, &code));
    if (code != 0) {
        es10_refuse(e, "GetProfilesInfo", names, N_ELEMS(names), code,
                    "the search criteria are no ICCID, AID or class", "SGP.22 5.7.15");
        es10_put_result(rsp, TAG_GET_PROFILES_INFO, TAG_CTX_1, code);
        return code;
    }
    if (tlv_find(body, TAG_TAG_LIST, &list)) {
        r.has_tag_list = true;
        r.tag_list = list.value;
    }
    struct wr_mark m = tlv_open(rsp, TAG_GET_PROFILES_INFO);
    struct wr_mark ok = tlv_open(rsp, TAG_CHOICE_0);
    TRY(put_all(e, &r, rsp));
    tlv_close(rsp, ok);
    tlv_close(rsp, m);
    return 0;
}

int es10c_get_profiles_info(struct session *s, struct rd body, struct wr *rsp)
{
    int code = profile_infos_put(s->euicc, body, rsp);

    return code < 0 ? code : 0;
}
