/* sd.c - the security domains of a profile.
 *
 * State: none; everything is read from the storage when it is needed, since remote management
 * comes a few times in the life of a profile. */
#include "applets/ota/sd.h"

#include <stdio.h>
#include <string.h>

#include "os/tlv.h"

enum {
    SD_OBJECT_MAX = 1 << 16,
    KEYS_MAX = 1 << 14,

    TAG_SECURITY_DOMAIN = 0xA6, /* ProfileElement */
    TAG_INSTANCE = 0xA1,
    TAG_KEY_LIST = 0xA2,
    TAG_PERSO_DATA = 0xA3,

    TAG_AID = 0x4F, /* ApplicationInstance */
    TAG_PRIVILEGES = 0x82,
    TAG_LIFE_CYCLE = 0x83,
    TAG_SYSTEM_PARAMETERS = 0xC9,
    TAG_PROTOCOL = 0x81, /* in C9: protocol and option (UICC Configuration 4.3.2) */
    TAG_UICC_PARAMETERS = 0xEA,
    TAG_TOOLKIT = 0x80,
    NTH_INSTANCE_AID = 2, /* load package, class, instance */

    TAG_SEQUENCE = 0x30, /* KeyObject, and KeyComponent */
    TAG_KEY_ID = 0x82,
    TAG_KEY_VERSION = 0x83,
    TAG_KEY_COUNTER = 0x85,
    TAG_COMPONENT_TYPE = 0x80,
    TAG_COMPONENT_DATA = 0x86,
    TAG_COMPONENT_MAC_LEN = 0x87,
    MAC_LEN_DEFAULT = 8,

    LIFE_CYCLE_SELECTABLE = 0x07, /* GlobalPlatform 5.3.2: the default of lifeCycleState */
    MSL_MINIMUM_SPI1 = 0x01,      /* TS 102 226 8.2.1.3.2.4 */
    AID_TAR_AT = 12,              /* octets 13 to 15 of an AID, TS 101 220 */
};

/* --- loading ---------------------------------------------------------------------------------- */

static bool parse_instance(struct sd *sd, struct rd instance)
{
    struct tlv t, parameters;

    if (!tlv_find_nth(instance, TAG_AID, NTH_INSTANCE_AID, &t) || t.value.n > AID_MAX_LEN)
        return false;
    sd->aid = t.value;
    sd->life_cycle = LIFE_CYCLE_SELECTABLE;
    if (tlv_find(instance, TAG_PRIVILEGES, &t))
        sd->privileges = t.value;
    if (tlv_find(instance, TAG_LIFE_CYCLE, &t) && t.value.n == 1)
        sd->life_cycle = t.value.p[0];
    if (tlv_find(instance, TAG_SYSTEM_PARAMETERS, &t))
        sd->parameters = t.value;
    if (tlv_find(instance, TAG_UICC_PARAMETERS, &parameters) &&
        tlv_find(parameters.value, TAG_TOOLKIT, &t))
        sd->toolkit = t.value;
    return true;
}

static bool parse(struct sd *sd)
{
    struct rd in = wr_view(&sd->object);
    struct tlv element, t;

    if (wr_failed(&sd->object) != 0 || tlv_expect(&in, TAG_SECURITY_DOMAIN, &element) != 0 ||
        !tlv_find(element.value, TAG_INSTANCE, &t) || !parse_instance(sd, t.value))
        return false;
    if (tlv_find(element.value, TAG_KEY_LIST, &t))
        sd->keys = t.value;
    if (tlv_find(element.value, TAG_PERSO_DATA, &t))
        sd->objects = t.value;
    return true;
}

int sd_load(struct euicc *e, uint16_t profile, unsigned number, struct sd *ret, bool *ret_found)
{
    struct sd sd = { .profile = profile, .number = (uint8_t)number };
    char key[NVM_KEY_MAX];

    snprintf(key, sizeof key, "isdp/%04x/sd/%02x", profile, number);
    wr_init_secret(&sd.object, SD_OBJECT_MAX);
    int err = nvm_get(e->nvm, key, &sd.object, ret_found);
    if (err == 0 && *ret_found && !parse(&sd))
        err = FAULT(&e->trace, ERR_NVM, "%s is damaged", key);
    if (err != 0 || !*ret_found) {
        sd_done(&sd);
        return err;
    }
    *ret = sd;
    return 0;
}

void sd_done(struct sd *sd)
{
    sd_keys_done(&sd->object);
}

static bool aid_matches(struct rd aid, struct rd wanted, bool partial)
{
    return partial ? wanted.n <= aid.n && rd_equal(rd_of(aid.p, wanted.n), wanted)
                   : rd_equal(aid, wanted);
}

int sd_find(struct euicc *e, uint16_t profile, struct rd aid, bool partial, unsigned *ret_number)
{
    bool found = true;

    *ret_number = SD_MAX;
    for (unsigned n = 0; n < SD_MAX; n++) {
        struct sd sd;
        TRY(sd_load(e, profile, n, &sd, &found));
        if (!found)
            return 0;
        bool matches = aid_matches(sd.aid, aid, partial);
        sd_done(&sd);
        if (matches) {
            *ret_number = n;
            return 0;
        }
    }
    return 0;
}

uint8_t sd_scp_option(const struct sd *sd, uint8_t protocol, uint8_t otherwise)
{
    struct tlv t;

    for (unsigned i = 0; tlv_find_nth(sd->parameters, TAG_PROTOCOL, i, &t); i++)
        if (t.value.n == 2 && t.value.p[0] == protocol)
            return t.value.p[1];
    return otherwise;
}

/* --- toolkit parameters ----------------------------------------------------------------------- */

/* One octet of length and so many octets. */
static int take_field(struct rd *in, struct rd *ret)
{
    struct rd len;

    TRY(rd_take(in, 1, &len));
    return rd_take(in, len.p[0], ret);
}

/* Minimum security level and TARs (TS 102 226 8.2.1.3.2.2.1). */
static int parse_toolkit(struct rd in, struct rd *ret_level, struct rd *ret_tars)
{
    struct rd skipped, menu;

    TRY(rd_take(&in, 3, &skipped)); /* priority, timers, text of a menu entry */
    TRY(rd_take(&in, 1, &menu));
    TRY(rd_take(&in, (size_t)menu.p[0] * 2, &skipped)); /* position and identifier of each */
    TRY(rd_take(&in, 1, &skipped));                     /* channels */
    TRY(take_field(&in, ret_level));
    return take_field(&in, ret_tars);
}

bool sd_has_tar(const struct sd *sd, const uint8_t tar[SCP80_TAR_LEN], uint8_t *ret_level)
{
    struct rd level, tars;

    if (sd->toolkit.n == 0 || parse_toolkit(sd->toolkit, &level, &tars) != 0)
        return false;
    *ret_level = level.n == 2 && level.p[0] == MSL_MINIMUM_SPI1 ? level.p[1] : SD_NO_LEVEL;
    if (tars.n == 0 && sd->aid.n >= AID_TAR_AT + SCP80_TAR_LEN)
        tars = rd_of(sd->aid.p + AID_TAR_AT, SCP80_TAR_LEN);
    for (size_t i = 0; i + SCP80_TAR_LEN <= tars.n; i += SCP80_TAR_LEN)
        if (memcmp(tars.p + i, tar, SCP80_TAR_LEN) == 0)
            return true;
    return false;
}

/* --- keys ------------------------------------------------------------------------------------- */

static void version_key(const struct sd *sd, const char *what, unsigned version,
                        char ret[NVM_KEY_MAX])
{
    snprintf(ret, NVM_KEY_MAX, "isdp/%04x/ota/%02x/%s/%02x", sd->profile, sd->number, what,
             version);
}

static bool parse_component(struct rd components, struct sd_key_object *ret)
{
    struct tlv component, type, data, t;
    uint64_t mac_len = MAC_LEN_DEFAULT;

    if (!tlv_find(components, TAG_SEQUENCE, &component) ||
        !tlv_find(component.value, TAG_COMPONENT_TYPE, &type) || type.value.n == 0 ||
        !tlv_find(component.value, TAG_COMPONENT_DATA, &data))
        return false;
    if (tlv_find(component.value, TAG_COMPONENT_MAC_LEN, &t) &&
        (tlv_uint(t.value, &mac_len) != 0 || mac_len > AES_BLOCK))
        return false;
    ret->type = type.value.p[0];
    ret->value = data.value;
    ret->mac_len = (size_t)mac_len;
    return true;
}

bool sd_next_key(struct rd *keys, struct sd_key_object *ret)
{
    struct tlv object, id, version, components, t;

    while (tlv_get(keys, &object) == 0) {
        struct sd_key_object k = { .counter = 0 };
        if (object.tag != TAG_SEQUENCE || !tlv_find(object.value, TAG_KEY_ID, &id) ||
            id.value.n != 1 || !tlv_find(object.value, TAG_KEY_VERSION, &version) ||
            version.value.n != 1 || !tlv_find(object.value, TAG_SEQUENCE, &components) ||
            !parse_component(components.value, &k))
            continue;
        k.id = id.value.p[0];
        k.version = version.value.p[0];
        if (tlv_find(object.value, TAG_KEY_COUNTER, &t))
            for (size_t i = 0; i < t.value.n && i < SCP80_COUNTER_LEN; i++)
                k.counter = k.counter << 8 | t.value.p[i];
        *ret = k;
        return true;
    }
    return false;
}

void sd_keys_init(struct wr *w)
{
    wr_init_secret(w, KEYS_MAX);
}

void sd_keys_done(struct wr *w)
{
    wr_done(w);
}

/* Appends what PUT KEY made of a version; false in *ret_replaced when it is as in the profile. */
static int replacement(struct euicc *e, const struct sd *sd, unsigned version, struct wr *ret,
                       bool *ret_replaced)
{
    char key[NVM_KEY_MAX];

    version_key(sd, "key", version, key);
    return nvm_get(e->nvm, key, ret, ret_replaced);
}

/* The profile's keys of versions that were not replaced. */
static int original_keys(struct euicc *e, const struct sd *sd, struct wr *ret)
{
    for (struct rd in = sd->keys, before = in; in.n > 0; before = in) {
        struct sd_key_object k;
        struct wr nothing;
        bool replaced;

        if (!sd_next_key(&in, &k))
            break;
        wr_init(&nothing, NULL, 0);
        TRY(replacement(e, sd, k.version, &nothing, &replaced));
        if (!replaced)
            wr_put(ret, before.p, before.n - in.n);
    }
    return wr_failed(ret);
}

int sd_keys(struct euicc *e, const struct sd *sd, struct wr *ret)
{
    char prefix[NVM_KEY_MAX], key[NVM_KEY_MAX] = "";
    bool found;

    TRY(original_keys(e, sd, ret));
    snprintf(prefix, sizeof prefix, "isdp/%04x/ota/%02x/key/", sd->profile, sd->number);
    for (;;) {
        TRY(nvm_next(e->nvm, prefix, key, &found));
        if (!found)
            return wr_failed(ret);
        TRY(nvm_get(e->nvm, key, ret, &found));
    }
}

static void copy_key(const struct sd_key_object *k, struct scp80_key *ret)
{
    enum cipher_family family = k->type == KEY_TYPE_AES ? CIPHER_AES : CIPHER_DES;

    if ((k->type != KEY_TYPE_AES && k->type != KEY_TYPE_DES) ||
        !cipher_key_fits(family, k->value.n))
        return;
    ret->family = family;
    ret->n = k->value.n;
    ret->mac_len = k->mac_len;
    memcpy(ret->b, k->value.p, k->value.n);
}

int sd_key(struct euicc *e, const struct sd *sd, uint8_t version, uint8_t id, struct scp80_key *ret)
{
    struct sd_key_object k;
    struct wr keys;

    *ret = (struct scp80_key){ .n = 0 };
    sd_keys_init(&keys);
    int err = sd_keys(e, sd, &keys);
    if (err == 0)
        for (struct rd in = wr_view(&keys); sd_next_key(&in, &k);)
            if (k.version == version && k.id == id)
                copy_key(&k, ret);
    sd_keys_done(&keys);
    return err;
}

int sd_put_keys(struct euicc *e, const struct sd *sd, uint8_t version, struct rd objects)
{
    char key[NVM_KEY_MAX];

    version_key(sd, "key", version, key);
    return nvm_put(e->nvm, key, objects);
}

static void put_counter(struct wr *w, uint64_t counter)
{
    tlv_put_header(w, TAG_KEY_COUNTER, SCP80_COUNTER_LEN);
    for (int i = SCP80_COUNTER_LEN - 1; i >= 0; i--)
        wr_put_u8(w, (uint8_t)(counter >> 8 * i));
}

void sd_put_key_object(const struct sd_key_object *k, struct wr *ret)
{
    struct wr_mark object = tlv_open(ret, TAG_SEQUENCE);
    tlv_put_u8(ret, TAG_KEY_ID, k->id);
    tlv_put_u8(ret, TAG_KEY_VERSION, k->version);
    if (k->counter > 0)
        put_counter(ret, k->counter);
    struct wr_mark components = tlv_open(ret, TAG_SEQUENCE);
    struct wr_mark component = tlv_open(ret, TAG_SEQUENCE);
    tlv_put_u8(ret, TAG_COMPONENT_TYPE, k->type);
    tlv_put(ret, TAG_COMPONENT_DATA, k->value);
    tlv_put_uint(ret, TAG_COMPONENT_MAC_LEN, k->mac_len);
    tlv_close(ret, component);
    tlv_close(ret, components);
    tlv_close(ret, object);
}

/* --- counters --------------------------------------------------------------------------------- */

/* What the keys of a version began with. */
static int initial_counter(struct euicc *e, const struct sd *sd, uint8_t version, uint64_t *ret)
{
    struct sd_key_object k;
    struct wr keys;

    *ret = 0;
    sd_keys_init(&keys);
    int err = sd_keys(e, sd, &keys);
    if (err == 0)
        for (struct rd in = wr_view(&keys); sd_next_key(&in, &k);)
            if (k.version == version && k.counter > *ret)
                *ret = k.counter;
    sd_keys_done(&keys);
    return err;
}

int sd_counter(struct euicc *e, const struct sd *sd, uint8_t version, uint64_t *ret)
{
    char key[NVM_KEY_MAX];
    uint64_t initial;

    TRY(initial_counter(e, sd, version, &initial));
    version_key(sd, "counter", version, key);
    return nvm_get_uint(e->nvm, key, initial, ret);
}

int sd_set_counter(struct euicc *e, const struct sd *sd, uint8_t version, uint64_t counter)
{
    char key[NVM_KEY_MAX];

    version_key(sd, "counter", version, key);
    return nvm_put_uint(e->nvm, key, counter);
}

int sd_reset_counter(struct euicc *e, const struct sd *sd, uint8_t version)
{
    return sd_set_counter(e, sd, version, 0);
}

/* --- data objects ----------------------------------------------------------------------------- */

bool sd_object(const struct sd *sd, uint32_t tag, struct tlv *ret)
{
    enum { TAG_OCTET_STRING = 0x04, DGI_DATA_0 = 0x00, DGI_DATA_1 = 0x70 }; /* DGI 0070 */
    struct rd in = sd->objects;
    struct tlv dgi;

    while (tlv_get(&in, &dgi) == 0) {
        struct rd group = dgi.value, id, contents;
        if (dgi.tag != TAG_OCTET_STRING || rd_take(&group, 2, &id) != 0 || id.p[0] != DGI_DATA_0 ||
            id.p[1] != DGI_DATA_1 || take_field(&group, &contents) != 0)
            continue;
        if (tlv_find(contents, tag, ret))
            return true;
    }
    return false;
}
