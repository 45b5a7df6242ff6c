/* target.c - from a TAR to a security domain or an instance of remote file management. */
#include "applets/ota/target.h"

#include <stdio.h>
#include <string.h>

#include "applets/isdr/profile_store.h"

enum {
    RFM_MAX = 32, /* instances of a profile that are looked at */
    RFM_OBJECT_MAX = 4096,

    TAG_RFM = 0xA7, /* ProfileElement */
    TAG_HEADER_OR_TARS = 0xA0,
    TAG_AID = 0x4F,
    TAG_LEVEL = 0x81,
    TAG_OCTET_STRING = 0x04,
    TAG_ADF_ACCESS = 0x30,
    TAG_ADF_AID = 0x80,
    TAG_ADF_DOMAIN = 0x81,
    TAG_ADF_ADMIN_DOMAIN = 0x82,

    DOMAIN_PARAMETER_FULL = 0x00,
    DOMAIN_PARAMETER_UICC = 0x02,

    AID_TAR_AT = 12, /* octets 13 to 15 of an AID */
};

/* What is none of the known ones grants nothing. */
static struct access_domain parse_domain(struct rd value)
{
    struct access_domain d = { .kind = DOMAIN_NONE };

    if (value.n >= 1 && value.p[0] == DOMAIN_PARAMETER_FULL) {
        d.kind = DOMAIN_FULL;
    } else if (value.n == 1 + sizeof d.pins && value.p[0] == DOMAIN_PARAMETER_UICC) {
        d.kind = DOMAIN_PINS;
        memcpy(d.pins, value.p + 1, sizeof d.pins);
    }
    return d;
}

/* Is the TAR in the list, or in the AID when there is none? */
static bool has_tar(struct rd element, const uint8_t tar[SCP80_TAR_LEN])
{
    struct tlv list, aid, t;
    struct rd wanted = rd_of(tar, SCP80_TAR_LEN);

    if (!tlv_find_nth(element, TAG_HEADER_OR_TARS, 1, &list))
        return tlv_find(element, TAG_AID, &aid) && aid.value.n >= AID_TAR_AT + SCP80_TAR_LEN &&
               rd_equal(rd_of(aid.value.p + AID_TAR_AT, SCP80_TAR_LEN), wanted);
    while (tlv_get(&list.value, &t) == 0)
        if (rd_equal(t.value, wanted))
            return true;
    return false;
}

static bool parse_adf_access(struct rd body, struct rfm_instance *ret)
{
    struct tlv aid, domain, admin;

    if (!tlv_find(body, TAG_ADF_AID, &aid) || aid.value.n == 0 || aid.value.n > AID_MAX_LEN ||
        !tlv_find(body, TAG_ADF_DOMAIN, &domain) || !tlv_find(body, TAG_ADF_ADMIN_DOMAIN, &admin))
        return false;
    memcpy(ret->adf_aid, aid.value.p, aid.value.n);
    ret->adf_aid_len = (uint8_t)aid.value.n;
    ret->adf = parse_domain(domain.value);
    ret->adf_admin = parse_domain(admin.value);
    return true;
}

static bool parse_rfm(struct rd element, struct ota_target *ret)
{
    struct tlv level, domain, admin, adf;

    if (!tlv_find(element, TAG_LEVEL, &level) || level.value.n != 1 ||
        !tlv_find_nth(element, TAG_OCTET_STRING, 0, &domain) ||
        !tlv_find_nth(element, TAG_OCTET_STRING, 1, &admin))
        return false;
    ret->kind = TARGET_RFM;
    ret->level = level.value.p[0];
    ret->rfm.uicc = parse_domain(domain.value);
    ret->rfm.uicc_admin = parse_domain(admin.value);
    return !tlv_find(element, TAG_ADF_ACCESS, &adf) || parse_adf_access(adf.value, &ret->rfm);
}

/* Whose keys: the security domain that the element names, or the MNO-SD. */
static int find_owner(struct euicc *e, struct rd element, struct ota_target *ret)
{
    struct tlv aid;

    ret->sd = SD_MNO;
    if (!tlv_find_nth(element, TAG_AID, 1, &aid))
        return 0;
    return sd_find(e, ret->profile, aid.value, false, &ret->sd);
}

static int match_rfm(struct euicc *e, struct rd object, const uint8_t tar[SCP80_TAR_LEN],
                     struct ota_target *ret, bool *ret_found)
{
    struct ota_target t = { .profile = ret->profile };
    struct tlv element;

    *ret_found = false;
    if (tlv_expect(&object, TAG_RFM, &element) != 0 || !has_tar(element.value, tar))
        return 0;
    TRY(find_owner(e, element.value, &t));
    if (!parse_rfm(element.value, &t) || t.sd == SD_MAX)
        return 0;
    *ret = t;
    *ret_found = true;
    return 0;
}

static int find_rfm(struct euicc *e, const uint8_t tar[SCP80_TAR_LEN], struct ota_target *ret,
                    bool *ret_found)
{
    bool there = true;

    *ret_found = false;
    for (unsigned n = 0; n < RFM_MAX && there && !*ret_found; n++) {
        char key[NVM_KEY_MAX];
        struct wr object;

        snprintf(key, sizeof key, "isdp/%04x/rfm/%02x", ret->profile, n);
        wr_init_heap(&object, RFM_OBJECT_MAX);
        int err = nvm_get(e->nvm, key, &object, &there);
        if (err == 0 && there && wr_failed(&object) == 0)
            err = match_rfm(e, wr_view(&object), tar, ret, ret_found);
        wr_done(&object);
        TRY(err);
    }
    return 0;
}

static int find_sd(struct euicc *e, const uint8_t tar[SCP80_TAR_LEN], struct ota_target *ret,
                   bool *ret_found)
{
    bool there = true;

    *ret_found = false;
    for (unsigned n = 0; n < SD_MAX && !*ret_found; n++) {
        struct sd sd;

        TRY(sd_load(e, ret->profile, n, &sd, &there));
        if (!there)
            return 0;
        *ret_found = sd_has_tar(&sd, tar, &ret->level);
        ret->kind = TARGET_SD;
        ret->sd = n;
        sd_done(&sd);
    }
    return 0;
}

int ota_find_target(struct euicc *e, const uint8_t tar[SCP80_TAR_LEN], struct ota_target *ret,
                    bool *ret_found)
{
    struct ota_target t = { .kind = TARGET_SD };

    *ret_found = false;
    TRY(profile_enabled(e, &t.profile));
    if (t.profile == NO_PROFILE)
        return 0;
    TRY(find_rfm(e, tar, &t, ret_found));
    if (!*ret_found)
        TRY(find_sd(e, tar, &t, ret_found));
    if (*ret_found)
        *ret = t;
    return 0;
}
