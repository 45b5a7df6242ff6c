/* profile_store.c - the profiles. */
#include "applets/isdr/profile_store.h"

#include <stdio.h>
#include <string.h>

#include "applets/isdr/es10.h"
#include "applets/isdr/metadata.h"
#include "os/tlv.h"

enum {
    /* Fields of the record, beside TAG_NICKNAME and TAG_DP_PROPRIETARY. */
    TAG_METADATA = 0xBF25, /* StoreMetadataRequest */
    TAG_RECORD_CI = 0xC0,
    TAG_RECORD_SIZE = 0xC1,
    TAG_RECORD_PRELOADED = 0xC2,

    /* Fields of isdr/switch. */
    TAG_RETURNS = 0x80,
    TAG_ROLLS_BACK = 0x81,
    TAG_GRANT = 0x82,
    TAG_AFTER_EMERGENCY = 0x83,
    SWITCH_MAX = 32,

    RECORD_MAX = 1 << 16,
};

#define KEY_ENABLED "isdr/enabled"
#define KEY_RESUMES "isdr/resumes"
#define KEY_SWITCH  "isdr/switch"
#define KEY_USED    "isdr/used"
#define KEY_COUNT   "isdr/profiles"

static const uint8_t isdp_prefix[] = { 0xA0, 0x00, 0x00, 0x05, 0x59, 0x10, 0x10,
                                       0xFF, 0xFF, 0xFF, 0xFF, 0x89, 0x00 };

void isdp_aid(uint16_t index, uint8_t ret[AID_MAX_LEN])
{
    memcpy(ret, isdp_prefix, sizeof isdp_prefix);
    ret[13] = (uint8_t)(index >> 8);
    ret[14] = (uint8_t)index;
    ret[15] = 0;
}

static void record_key(uint16_t index, char ret[NVM_KEY_MAX])
{
    snprintf(ret, NVM_KEY_MAX, "profile/%04x", index);
}

static void iccid_key(struct rd iccid, char ret[NVM_KEY_MAX])
{
    size_t at = (size_t)snprintf(ret, NVM_KEY_MAX, "isdr/iccid/");

    for (size_t i = 0; i < ICCID_LEN; i++)
        at += (size_t)snprintf(ret + at, NVM_KEY_MAX - at, "%02x", iccid.p[i]);
}

/* --- one record ------------------------------------------------------------------------------- */

/* A BOOLEAN of the metadata; absent reads as FALSE. */
static bool is_set(struct rd metadata, uint32_t tag)
{
    struct tlv t;

    return tlv_find(metadata, tag, &t) && t.value.n == 1 && t.value.p[0] != 0;
}

static bool parse_metadata(struct profile *p)
{
    struct tlv iccid, class, pprs;

    if (!tlv_find(p->metadata, TAG_ICCID, &iccid) || iccid.value.n != ICCID_LEN)
        return false;
    p->iccid = iccid.value;
    p->profile_class = CLASS_OPERATIONAL;
    p->is_emergency = is_set(p->metadata, TAG_ECALL_INDICATION);
    p->fallback_allowed = is_set(p->metadata, TAG_FALLBACK_ALLOWED);
    if (tlv_find(p->metadata, TAG_PROFILE_CLASS, &class) &&
        tlv_uint(class.value, &p->profile_class) != 0)
        return false;
    return !tlv_find(p->metadata, TAG_PPRS, &pprs) || tlv_bits(pprs.value, &p->pprs) == 0;
}

static bool parse_record(struct profile *p)
{
    struct rd in = wr_view(&p->object);
    struct tlv metadata, size, ci, t;
    uint64_t preloaded = 0;

    if (wr_failed(&p->object) != 0 || !tlv_find(in, TAG_METADATA, &metadata) ||
        !tlv_find(in, TAG_RECORD_SIZE, &size) || !tlv_find(in, TAG_RECORD_CI, &ci) ||
        tlv_uint(size.value, &p->size) != 0)
        return false;
    p->metadata = metadata.value;
    p->ci_pkid = ci.value;
    if (tlv_find(in, TAG_NICKNAME, &t))
        p->nickname = t.value;
    if (tlv_find(in, TAG_DP_PROPRIETARY, &t))
        p->dp_proprietary = t.whole;
    if (tlv_find(in, TAG_RECORD_PRELOADED, &t) && tlv_uint(t.value, &preloaded) != 0)
        return false;
    p->preloaded = preloaded != 0;
    return parse_metadata(p);
}

int profile_load(struct euicc *e, uint16_t index, struct profile *ret, bool *ret_found)
{
    struct profile p = { .index = index };
    char key[NVM_KEY_MAX];
    int err;

    record_key(index, key);
    wr_init_heap(&p.object, RECORD_MAX);
    err = nvm_get(e->nvm, key, &p.object, ret_found);
    if (err == 0 && *ret_found && !parse_record(&p))
        err = FAULT(&e->trace, ERR_NVM, "%s is damaged", key);
    if (err != 0 || !*ret_found) {
        profile_done(&p);
        return err;
    }
    *ret = p;
    return 0;
}

int profile_get(struct euicc *e, uint16_t index, struct profile *ret)
{
    bool found;

    TRY(profile_load(e, index, ret, &found));
    return found ? 0 : FAULT(&e->trace, ERR_BUG, "there is no profile %04X", index);
}

void profile_done(struct profile *p)
{
    wr_done(&p->object);
}

int profile_is_test(struct euicc *e, uint16_t index, bool *ret)
{
    struct profile p;

    *ret = false;
    if (index == NO_PROFILE)
        return 0;
    TRY(profile_get(e, index, &p));
    *ret = p.profile_class == CLASS_TEST;
    profile_done(&p);
    return 0;
}

static int store_record(struct euicc *e, const struct profile *p)
{
    char key[NVM_KEY_MAX];
    struct wr w;

    wr_init_heap(&w, RECORD_MAX);
    tlv_put(&w, TAG_METADATA, p->metadata);
    if (p->nickname.n > 0)
        tlv_put(&w, TAG_NICKNAME, p->nickname);
    wr_put_rd(&w, p->dp_proprietary);
    tlv_put(&w, TAG_RECORD_CI, p->ci_pkid);
    tlv_put_uint(&w, TAG_RECORD_SIZE, p->size);
    tlv_put_uint(&w, TAG_RECORD_PRELOADED, p->preloaded);
    record_key(p->index, key);
    int err = wr_failed(&w);
    if (err == 0)
        err = nvm_put(e->nvm, key, wr_view(&w));
    wr_done(&w);
    return err;
}

int profile_set_nickname(struct euicc *e, const struct profile *p, struct rd nickname)
{
    struct profile changed = *p;

    changed.nickname = nickname;
    return store_record(e, &changed);
}

/* --- finding ---------------------------------------------------------------------------------- */

static int get_index(struct euicc *e, const char *key, uint16_t *ret)
{
    uint64_t index;

    TRY(nvm_get_uint(e->nvm, key, NO_PROFILE, &index));
    *ret = (uint16_t)index;
    return 0;
}

int profile_find_iccid(struct euicc *e, struct rd iccid, uint16_t *ret_index)
{
    char key[NVM_KEY_MAX];

    *ret_index = NO_PROFILE;
    if (iccid.n != ICCID_LEN)
        return 0;
    iccid_key(iccid, key);
    return get_index(e, key, ret_index);
}

int profile_find_aid(struct euicc *e, struct rd aid, uint16_t *ret_index)
{
    uint8_t whole[AID_MAX_LEN];
    char key[NVM_KEY_MAX];
    bool found = false;

    *ret_index = NO_PROFILE;
    if (aid.n != AID_MAX_LEN)
        return 0;
    uint16_t index = (uint16_t)(aid.p[13] << 8 | aid.p[14]);
    isdp_aid(index, whole);
    if (!rd_equal(aid, rd_of(whole, sizeof whole)))
        return 0;
    record_key(index, key);
    TRY(nvm_has(e->nvm, key, &found));
    if (found)
        *ret_index = index;
    return 0;
}

int profile_next(struct euicc *e, uint16_t *index)
{
    char key[NVM_KEY_MAX] = "";
    bool found;

    if (*index != NO_PROFILE)
        record_key(*index, key);
    TRY(nvm_next(e->nvm, "profile/", key, &found));
    unsigned next = NO_PROFILE;
    if (found && sscanf(key, "profile/%4x", &next) != 1)
        return FAULT(&e->trace, ERR_NVM, "strange key %s", key);
    *index = (uint16_t)next;
    return 0;
}

/* One at most: StoreMetadata sees to it. */
int profile_find_emergency(struct euicc *e, uint16_t *ret_index)
{
    uint16_t index = NO_PROFILE;
    struct profile p;
    bool found = false;

    do {
        TRY(profile_next(e, &index));
        if (index == NO_PROFILE)
            break;
        TRY(profile_get(e, index, &p));
        found = p.is_emergency;
        profile_done(&p);
    } while (!found);
    *ret_index = index;
    return 0;
}

/* --- room ------------------------------------------------------------------------------------- */

/* Somebody outside wants the memory to be full. */
static bool is_made_full(const struct euicc *e)
{
    if (e->forced.full_memory)
        trace_rule(&e->trace, "full-memory on: nothing is free");
    return e->forced.full_memory;
}

int profile_free_room(struct euicc *e, uint64_t *ret)
{
    uint64_t used, total = setting_number(&e->settings, SET_NVM_TOTAL);

    TRY(nvm_get_uint(e->nvm, KEY_USED, 0, &used));
    *ret = used < total && !is_made_full(e) ? total - used : 0;
    return 0;
}

int profile_free_memory(struct euicc *e, uint64_t *ret)
{
    uint64_t count;

    TRY(profile_free_room(e, ret));
    TRY(nvm_get_uint(e->nvm, KEY_COUNT, 0, &count));
    if (count >= setting_number(&e->settings, SET_MAX_PROFILES))
        *ret = 0;
    return 0;
}

/* Adds a profile to the sums, or takes it off. */
static int account(struct euicc *e, uint64_t size, bool add)
{
    uint64_t used, count;

    TRY(nvm_get_uint(e->nvm, KEY_USED, 0, &used));
    TRY(nvm_get_uint(e->nvm, KEY_COUNT, 0, &count));
    if (!add && (used < size || count == 0))
        return FAULT(&e->trace, ERR_NVM, "the sum of profile sizes is wrong");
    TRY(nvm_put_uint(e->nvm, KEY_USED, add ? used + size : used - size));
    return nvm_put_uint(e->nvm, KEY_COUNT, add ? count + 1 : count - 1);
}

int profile_next_index(struct euicc *e, uint16_t *ret)
{
    uint16_t index = NO_PROFILE, lowest = ISDP_FIRST;
    uint64_t room;

    TRY(profile_free_memory(e, &room));
    if (room == 0)
        return ERR_SPACE;
    for (;;) {
        TRY(profile_next(e, &index));
        if (index != lowest)
            break;
        lowest++;
    }
    *ret = lowest;
    return 0;
}

struct upp *profile_upp(struct euicc *e, struct install *install, uint64_t max, struct rd iccid)
{
    struct upp_options options = {
        .max = (size_t)(max < NVM_VALUE_MAX ? max : NVM_VALUE_MAX),
        .iccid = iccid,
        .record_applications = setting_is(&e->settings, SET_JAVACARD, "record"),
        .install = install,
    };
    uint8_t version[3];

    setting_version(&e->settings, SET_PROFILE_VERSION, version);
    options.max_major = version[0];
    return upp_new(&options, &e->trace);
}

int profile_add(struct euicc *e, uint16_t index, const struct profile_new *n)
{
    char key[NVM_KEY_MAX];
    uint64_t room;
    struct profile p = {
        .index = index,
        .metadata = n->metadata,
        .dp_proprietary = n->dp_proprietary,
        .ci_pkid = n->ci_pkid,
        .preloaded = n->preloaded,
        .size = n->metadata.n + n->dp_proprietary.n + install_size(n->install),
    };

    if (!parse_metadata(&p))
        return ERR_BUG;
    TRY(profile_free_memory(e, &room));
    if (p.size > room)
        return ERR_SPACE;
    TRY(account(e, p.size, true));
    TRY(install_store(n->install, e->nvm));
    iccid_key(p.iccid, key);
    TRY(nvm_put_uint(e->nvm, key, index));
    return store_record(e, &p);
}

int profile_remove(struct euicc *e, const struct profile *p)
{
    char key[NVM_KEY_MAX];

    TRY(account(e, p->size, false));
    iccid_key(p->iccid, key);
    TRY(nvm_del(e->nvm, key));
    record_key(p->index, key);
    TRY(nvm_del(e->nvm, key));
    snprintf(key, sizeof key, "isdp/%04x/", p->index);
    return nvm_del_all(e->nvm, key);
}

/* Stores a profile that takes another number of octets than before, and the sum. */
static int store_resized(struct euicc *e, const struct profile *p, uint64_t before)
{
    uint64_t used, total = setting_number(&e->settings, SET_NVM_TOTAL);

    TRY(nvm_get_uint(e->nvm, KEY_USED, 0, &used));
    if (used < before)
        return FAULT(&e->trace, ERR_NVM, "the sum of profile sizes is wrong");
    if (p->size > before && (used - before + p->size > total || is_made_full(e)))
        return ERR_SPACE;
    TRY(nvm_put_uint(e->nvm, KEY_USED, used - before + p->size));
    return store_record(e, p);
}

int profile_update_metadata(struct euicc *e, const struct profile *p, struct rd metadata)
{
    struct profile changed = *p;

    if (p->size < p->metadata.n)
        return FAULT(&e->trace, ERR_NVM, "the size of profile %04X is wrong", p->index);
    changed.metadata = metadata;
    changed.size = p->size - p->metadata.n + metadata.n;
    return store_resized(e, &changed, p->size);
}

int profile_take_room(struct euicc *e, int64_t octets)
{
    struct profile p;
    int err = 0;

    TRY(profile_get(e, e->uicc.mounted, &p));
    uint64_t before = p.size;
    if (octets < 0 && (uint64_t)-octets > before)
        err = FAULT(&e->trace, ERR_NVM, "the size of profile %04X is wrong", p.index);
    p.size += (uint64_t)octets;
    if (err == 0)
        err = store_resized(e, &p, before);
    profile_done(&p);
    return err;
}

/* --- which one is enabled --------------------------------------------------------------------- */

int profile_enabled(struct euicc *e, uint16_t *ret_index)
{
    return get_index(e, KEY_ENABLED, ret_index);
}

int profile_want_enabled(struct euicc *e)
{
    uint16_t enabled;

    TRY(profile_enabled(e, &enabled));
    uicc_want(e, enabled);
    return 0;
}

/* One of the fields of isdr/switch; absent reads as 0. */
static int switch_field(struct rd in, uint32_t tag, uint64_t *ret)
{
    struct tlv t;

    *ret = 0;
    return tlv_find(in, tag, &t) ? tlv_uint(t.value, ret) : 0;
}

static int read_switch(struct rd in, struct profile_switch *s)
{
    uint64_t returns, rolls_back, after;
    struct tlv t;

    TRY(switch_field(in, TAG_RETURNS, &returns));
    TRY(switch_field(in, TAG_ROLLS_BACK, &rolls_back));
    TRY(switch_field(in, TAG_GRANT, &s->grant));
    TRY(switch_field(in, TAG_AFTER_EMERGENCY, &after));
    s->returns = (uint16_t)returns;
    s->rolls_back = (uint16_t)rolls_back;
    s->emergency = tlv_find(in, TAG_AFTER_EMERGENCY, &t);
    s->after_emergency = (uint16_t)after;
    return 0;
}

int profile_get_switch(struct euicc *e, struct profile_switch *ret)
{
    struct profile_switch s = { 0 };
    uint8_t octets[SWITCH_MAX];
    struct wr w;
    bool found;

    TRY(get_index(e, KEY_ENABLED, &s.enabled));
    TRY(get_index(e, KEY_RESUMES, &s.resumes));
    wr_init(&w, octets, sizeof octets);
    TRY(nvm_get(e->nvm, KEY_SWITCH, &w, &found));
    if (read_switch(wr_view(&w), &s) != 0)
        return FAULT(&e->trace, ERR_NVM, KEY_SWITCH " is damaged");
    *ret = s;
    return 0;
}

int profile_set_switch(struct euicc *e, const struct profile_switch *s)
{
    uint8_t octets[SWITCH_MAX];
    struct wr w;

    TRY(nvm_put_uint(e->nvm, KEY_ENABLED, s->enabled));
    TRY(nvm_put_uint(e->nvm, KEY_RESUMES, s->resumes));
    wr_init(&w, octets, sizeof octets);
    if (s->returns != NO_PROFILE)
        tlv_put_uint(&w, TAG_RETURNS, s->returns);
    if (s->rolls_back != NO_PROFILE) {
        tlv_put_uint(&w, TAG_ROLLS_BACK, s->rolls_back);
        tlv_put_uint(&w, TAG_GRANT, s->grant);
    }
    if (s->emergency)
        tlv_put_uint(&w, TAG_AFTER_EMERGENCY, s->after_emergency);
    TRY(wr_failed(&w));
    return w.n > 0 ? nvm_put(e->nvm, KEY_SWITCH, wr_view(&w)) : nvm_del(e->nvm, KEY_SWITCH);
}
