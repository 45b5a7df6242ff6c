/* preload.c - profiles that the EUM puts in at manufacture. */
#include "applets/isdr/preload.h"

#include <string.h>

#include "applets/ecasd/ecasd.h"
#include "applets/isdr/es10.h"
#include "applets/isdr/fallback.h"
#include "applets/isdr/metadata.h"
#include "os/hex.h"

enum {
    TAG_HEADER = 0xA0,
    TAG_PROFILE_TYPE = 0x82,
    TAG_HEADER_ICCID = 0x83,
    MCC_MNC_LEN = 3,
    METADATA_MAX = 2048,
};

/* What the words say, as bits. */
enum {
    WORD_CLASS_TEST = 1 << 0,
    WORD_CLASS_PROVISIONING = 1 << 1,
    WORD_CLASS_OPERATIONAL = 1 << 2,
    WORD_FALLBACK_ALLOWED = 1 << 3,
    WORD_FALLBACK = 1 << 4,
    WORD_ECALL = 1 << 5,
    WORD_ENABLED = 1 << 6,
};

static const struct {
    const char *word;
    unsigned bits;
} known_words[] = {
    { "class=test", WORD_CLASS_TEST },
    { "class=provisioning", WORD_CLASS_PROVISIONING },
    { "class=operational", WORD_CLASS_OPERATIONAL },
    { "fallback-allowed", WORD_FALLBACK_ALLOWED },
    { "fallback", WORD_FALLBACK | WORD_FALLBACK_ALLOWED },
    { "ecall", WORD_ECALL },
    { "enabled", WORD_ENABLED },
};

/* What the words want; the views point into them. */
struct wanted {
    unsigned bits;
    bool has_iccid;
    uint8_t iccid[ICCID_LEN];           /* as in EF.ICCID */
    struct rd provider, name, nickname; /* p NULL: not said */
    struct rd notify;                   /* address for all events; n == 0: none */
    struct rd owner;                    /* MCC and MNC; n == 0: none */
    uint8_t owner_octets[MCC_MNC_LEN];
    uint32_t pprs;
    uint16_t index; /* XXXX of its AID; NO_PROFILE: the next */
    struct wr icon; /* on the heap */
};

static void wanted_done(struct wanted *w)
{
    wr_done(&w->icon);
}

static bool hex_octets(struct rd text, struct wr *ret)
{
    if (text.n % 2 != 0)
        return false;
    for (size_t i = 0; i < text.n; i += 2) {
        int octet = hex_octet((const char *)text.p + i);
        if (octet < 0)
            return false;
        wr_put_u8(ret, (uint8_t)octet);
    }
    return wr_failed(ret) == 0;
}

static bool take_iccid(struct wanted *w, struct rd v)
{
    memset(w->iccid, 0xFF, sizeof w->iccid);
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < '0' || v.p[i] > '9' || i >= 2 * ICCID_LEN)
            return false;
        unsigned d = v.p[i] - '0';
        w->iccid[i / 2] = (uint8_t)(i % 2 == 0 ? 0xF0 | d : (w->iccid[i / 2] & 0xF) | d << 4);
    }
    w->has_iccid = v.n >= 18;
    return w->has_iccid;
}

static bool take_provider(struct wanted *w, struct rd v)
{
    w->provider = v;
    return v.n <= SERVICE_PROVIDER_NAME_MAX && rd_is_utf8(v);
}

static bool take_name(struct wanted *w, struct rd v)
{
    w->name = v;
    return v.n <= PROFILE_NAME_MAX && rd_is_utf8(v);
}

static bool take_nickname(struct wanted *w, struct rd v)
{
    w->nickname = v;
    return v.n <= NICKNAME_MAX && rd_is_utf8(v);
}

static bool take_notify(struct wanted *w, struct rd v)
{
    w->notify = v;
    return v.n > 0 && v.n <= NOTIFICATION_ADDRESS_MAX && rd_is_utf8(v);
}

/* Six hex digits as in TS 24.008, like those of the setting rat. */
static bool take_owner(struct wanted *w, struct rd v)
{
    struct wr octets;

    wr_init(&octets, w->owner_octets, sizeof w->owner_octets);
    w->owner = rd_of(w->owner_octets, sizeof w->owner_octets);
    return v.n == 2 * sizeof w->owner_octets && hex_octets(v, &octets);
}

static bool take_pprs(struct wanted *w, struct rd v)
{
    if (rd_equal(v, rd_str("1")))
        w->pprs = PPR1_NO_DISABLE;
    else if (rd_equal(v, rd_str("2")))
        w->pprs = PPR2_NO_DELETE;
    else if (rd_equal(v, rd_str("1+2")))
        w->pprs = PPR1_NO_DISABLE | PPR2_NO_DELETE;
    return w->pprs != 0;
}

static bool take_aid(struct wanted *w, struct rd v)
{
    uint8_t octets[2];
    struct wr to;

    wr_init(&to, octets, sizeof octets);
    if (v.n != 4 || !hex_octets(v, &to))
        return false;
    w->index = (uint16_t)(octets[0] << 8 | octets[1]);
    return w->index >= ISDP_FIRST;
}

static bool take_icon(struct wanted *w, struct rd v)
{
    wr_clear(&w->icon);
    return v.n > 8 && hex_octets(v, &w->icon);
}

static const struct {
    const char *key;
    bool (*take)(struct wanted *w, struct rd v);
} known_keys[] = {
    { "iccid=", take_iccid },       { "provider=", take_provider }, { "name=", take_name },
    { "nickname=", take_nickname }, { "notify=", take_notify },     { "owner=", take_owner },
    { "ppr=", take_pprs },          { "aid=", take_aid },           { "icon=", take_icon },
};

static bool read_word(struct rd word, struct wanted *ret)
{
    for (size_t i = 0; i < N_ELEMS(known_words); i++)
        if (rd_equal(word, rd_str(known_words[i].word))) {
            ret->bits |= known_words[i].bits;
            return true;
        }
    for (size_t i = 0; i < N_ELEMS(known_keys); i++) {
        struct rd key, value = word;
        if (rd_take(&value, strlen(known_keys[i].key), &key) == 0 &&
            rd_equal(key, rd_str(known_keys[i].key)))
            return known_keys[i].take(ret, value);
    }
    return false;
}

/* False when one is not known or not good; wanted_done() frees in either case. */
static bool read_words(const char *words, struct wanted *ret)
{
    *ret = (struct wanted){ .index = NO_PROFILE };
    wr_init_heap(&ret->icon, ICON_MAX);
    while (words != NULL && words[0] != '\0') {
        size_t n = strcspn(words, ",");
        if (n > 0 && !read_word(rd_of(words, n), ret))
            return false;
        words += n + (words[n] == ',');
    }
    return ret->pprs == 0 || ret->owner.n > 0;
}

static void swap_nibbles(const uint8_t in[ICCID_LEN], uint8_t ret[ICCID_LEN])
{
    for (size_t i = 0; i < ICCID_LEN; i++)
        ret[i] = (uint8_t)(in[i] << 4 | in[i] >> 4);
}

/* Its header's ICCID, as in EF.ICCID, and profile type. */
static bool header_of(struct rd package, uint8_t ret_iccid[ICCID_LEN], struct rd *ret_type)
{
    struct tlv header, iccid, type;

    if (tlv_expect(&package, TAG_HEADER, &header) != 0 ||
        !tlv_find(header.value, TAG_HEADER_ICCID, &iccid) || iccid.value.n != ICCID_LEN)
        return false;
    swap_nibbles(iccid.value.p, ret_iccid);
    *ret_type = rd_of(NULL, 0);
    if (tlv_find(header.value, TAG_PROFILE_TYPE, &type) && type.value.n <= PROFILE_NAME_MAX)
        *ret_type = type.value;
    return true;
}

static void put_notify(struct rd address, struct wr *ret)
{
    enum { ALL_EVENTS = 0x0F };
    struct wr_mark all = tlv_open(ret, TAG_NOTIFICATION_CONFIGURATION);
    struct wr_mark one = tlv_open(ret, TAG_SEQUENCE);

    tlv_put_bits(ret, TAG_CTX_0, ALL_EVENTS);
    tlv_put(ret, TAG_CTX_1, address);
    tlv_close(ret, one);
    tlv_close(ret, all);
}

static void put_icon(struct rd icon, struct wr *ret)
{
    enum { PNG_MAGIC = 0x89 };

    tlv_put_u8(ret, TAG_ICON_TYPE, icon.p[0] == PNG_MAGIC ? ICON_PNG : ICON_JPG);
    tlv_put(ret, TAG_ICON, icon);
}

/* StoreMetadataRequest's contents. */
static bool put_metadata(const struct wanted *w, const uint8_t iccid[ICCID_LEN], struct rd type,
                         struct wr *ret)
{
    tlv_put(ret, TAG_ICCID, rd_of(iccid, ICCID_LEN));
    tlv_put(ret, TAG_SERVICE_PROVIDER_NAME, w->provider);
    tlv_put(ret, TAG_PROFILE_NAME, w->name.p != NULL ? w->name : type);
    if (w->icon.n > 0)
        put_icon(wr_view(&w->icon), ret);
    if (w->bits & (WORD_CLASS_TEST | WORD_CLASS_PROVISIONING))
        tlv_put_u8(ret, TAG_PROFILE_CLASS,
                   w->bits & WORD_CLASS_TEST ? CLASS_TEST : CLASS_PROVISIONING);
    if (w->notify.n > 0)
        put_notify(w->notify, ret);
    if (w->owner.n > 0) {
        struct wr_mark owner = tlv_open(ret, TAG_PROFILE_OWNER);
        tlv_put(ret, TAG_CTX_0, w->owner);
        tlv_close(ret, owner);
    }
    if (w->pprs != 0)
        tlv_put_bits(ret, TAG_PPRS, w->pprs);
    if (w->bits & WORD_ECALL)
        tlv_put_u8(ret, TAG_ECALL_INDICATION, 0xFF);
    if (w->bits & WORD_FALLBACK_ALLOWED)
        tlv_put_u8(ret, TAG_FALLBACK_ALLOWED, 0xFF);
    return wr_failed(ret) == 0;
}

/* The package under another ICCID: in its header and wherever else the octets of its own stand,
 * which is EF.ICCID. */
static void give_iccid(const uint8_t old[ICCID_LEN], const uint8_t new[ICCID_LEN],
                       struct wr *package)
{
    uint8_t from[2][ICCID_LEN], to[2][ICCID_LEN];

    memcpy(from[0], old, ICCID_LEN);
    memcpy(to[0], new, ICCID_LEN);
    swap_nibbles(old, from[1]);
    swap_nibbles(new, to[1]);
    for (size_t i = 0; i + ICCID_LEN <= package->n; i++)
        for (size_t way = 0; way < N_ELEMS(from); way++)
            if (memcmp(package->p + i, from[way], ICCID_LEN) == 0) {
                memcpy(package->p + i, to[way], ICCID_LEN);
                break;
            }
}

/* Makes the package an installation.  NULL, or why not. */
static const char *interpret(struct euicc *e, struct rd package, struct rd iccid,
                             struct install *install)
{
    struct upp *u = profile_upp(e, install, NVM_VALUE_MAX, iccid);

    if (u == NULL)
        return "out of memory";
    int result = upp_take(u, package);
    if (result == UPP_OK)
        result = upp_finish(u);
    upp_free(&u);
    if (result == UPP_OK)
        return NULL;
    return result == UPP_NO_SPACE ? "it does not fit"
                                  : "a profile element is refused; the trace says which";
}

/* What the words say beyond the metadata.  0, a refusal, or a fault. */
static int put_state(struct euicc *e, uint16_t index, const struct wanted *w)
{
    struct profile_switch now;
    struct profile p;

    if (w->nickname.n > 0) {
        TRY(profile_get(e, index, &p));
        int err = profile_set_nickname(e, &p, w->nickname);
        profile_done(&p);
        TRY(err);
    }
    TRY(profile_get_switch(e, &now));
    if (w->bits & WORD_ENABLED) {
        if (now.enabled != NO_PROFILE)
            return ERR_INPUT;
        now.enabled = index;
        TRY(profile_set_switch(e, &now));
    }
    if (!(w->bits & WORD_FALLBACK))
        return 0;
    TRY(profile_get(e, index, &p));
    int result = fallback_set(e, &p, (struct fallback_states){ &now, &now });
    profile_done(&p);
    return result;
}

/* The XXXX of its AID: the one that is wanted, if it is free, or the next. */
static int choose_index(struct euicc *e, const struct wanted *w, uint16_t *ret)
{
    struct profile p;
    bool found;

    TRY(profile_next_index(e, ret));
    if (w->index == NO_PROFILE)
        return 0;
    TRY(profile_load(e, w->index, &p, &found));
    if (found)
        profile_done(&p);
    *ret = w->index;
    return found ? ERR_INPUT : 0;
}

/* Interprets and stores.  NULL, or why not. */
static const char *install(struct euicc *e, struct rd package, struct rd iccid,
                           const struct wanted *w, struct profile_new *new)
{
    uint16_t index;
    uint64_t room;

    int err = profile_free_memory(e, &room);
    if (err == 0)
        err = choose_index(e, w, &index);
    if (err == ERR_INPUT)
        return "another profile has its AID";
    if (err != 0)
        return err == ERR_SPACE ? "it does not fit" : "the storage failed";
    new->install = install_new(index, room, &e->trace);
    if (new->install == NULL)
        return "out of memory";
    const char *why = interpret(e, package, iccid, new->install);
    if (why == NULL)
        err = profile_add(e, index, new);
    if (why == NULL && err == 0)
        err = put_state(e, index, w);
    if (why == NULL && err == 0)
        err = nvm_commit(e->nvm);
    install_free(&new->install);
    if (why != NULL || err == 0)
        return why;
    nvm_abort(e->nvm);
    if (err == ERR_INPUT || err > 0)
        return "another profile is enabled, or it cannot hold the fallback attribute";
    return err == ERR_SPACE ? "it does not fit" : "the storage failed";
}

/* With the words read and the package a copy of ours. */
static const char *preload(struct euicc *e, struct wr *package, const struct wanted *w)
{
    uint8_t iccid[ICCID_LEN], octets[METADATA_MAX];
    struct profile_new new = { .preloaded = true };
    struct wr metadata;
    struct rd type;
    uint16_t index;

    if (!header_of(wr_view(package), iccid, &type))
        return "it does not begin with a profile header";
    if (w->has_iccid) {
        give_iccid(iccid, w->iccid, package);
        memcpy(iccid, w->iccid, sizeof iccid);
    }
    wr_init(&metadata, octets, sizeof octets);
    if (!put_metadata(w, iccid, type, &metadata))
        return "its metadata are too long";
    new.metadata = wr_view(&metadata);
    new.ci_pkid = ecasd_ci_pkid(e, 0);
    if (profile_find_iccid(e, rd_of(iccid, sizeof iccid), &index) != 0)
        return "the storage failed";
    if (index != NO_PROFILE)
        return "a profile of this ICCID is there already";
    if ((w->bits & WORD_ECALL) && (profile_find_emergency(e, &index) != 0 || index != NO_PROFILE))
        return "there is an Emergency Profile already";
    return install(e, wr_view(package), rd_of(iccid, sizeof iccid), w, &new);
}

const char *isdr_preload(struct euicc *e, struct rd package, const char *words)
{
    struct wanted w;
    struct wr copy;

    wr_init_heap(&copy, NVM_VALUE_MAX);
    wr_put_rd(&copy, package);
    const char *why = "a word behind it is not known or not good; see softeuicc new --help";
    if (read_words(words, &w))
        why = wr_failed(&copy) != 0 ? "out of memory" : preload(e, &copy, &w);
    wanted_done(&w);
    wr_done(&copy);
    return why;
}
