/* preload.c - profiles that the EUM puts in at manufacture. */
#include "applets/isdr/preload.h"

#include "applets/ecasd/ecasd.h"
#include "applets/isdp/upp.h"
#include "applets/isdr/es10.h"
#include "applets/isdr/profile_store.h"

enum {
    TAG_HEADER = 0xA0,
    TAG_PROFILE_TYPE = 0x82,
    TAG_HEADER_ICCID = 0x83,
    TAG_SERVICE_PROVIDER_NAME = 0x91,
    TAG_PROFILE_NAME = 0x92,
    PROFILE_NAME_MAX = 64,
};

/* ICCID as in EF.ICCID, and StoreMetadataRequest's contents. */
static bool metadata_of(struct rd package, uint8_t ret_iccid[ICCID_LEN], struct wr *ret)
{
    struct tlv header, iccid, type;

    if (tlv_expect(&package, TAG_HEADER, &header) != 0 ||
        !tlv_find(header.value, TAG_HEADER_ICCID, &iccid) || iccid.value.n != ICCID_LEN)
        return false;
    for (size_t i = 0; i < ICCID_LEN; i++)
        ret_iccid[i] = (uint8_t)(iccid.value.p[i] << 4 | iccid.value.p[i] >> 4);
    struct rd name = rd_of(NULL, 0);
    if (tlv_find(header.value, TAG_PROFILE_TYPE, &type) && type.value.n <= PROFILE_NAME_MAX)
        name = type.value;
    tlv_put(ret, TAG_ICCID, rd_of(ret_iccid, ICCID_LEN));
    tlv_put(ret, TAG_SERVICE_PROVIDER_NAME, rd_of(NULL, 0));
    tlv_put(ret, TAG_PROFILE_NAME, name);
    return wr_failed(ret) == 0;
}

static const char *check_package(struct euicc *e, struct rd package, struct rd iccid)
{
    uint8_t version[3];

    setting_version(&e->settings, SET_PROFILE_VERSION, version);
    struct upp *u = upp_new(NVM_VALUE_MAX, version[0], iccid, &e->trace);
    if (u == NULL)
        return "out of memory";
    int result = upp_take(u, package);
    if (result == UPP_OK)
        result = upp_finish(u);
    upp_free(&u);
    return result == UPP_OK ? NULL : "a profile element is refused; the trace says which";
}

const char *isdr_preload(struct euicc *e, struct rd package)
{
    uint8_t iccid[ICCID_LEN], octets[256];
    struct profile_new new = { .elements = package, .preloaded = true };
    struct wr metadata;
    uint16_t index;

    wr_init(&metadata, octets, sizeof octets);
    if (!metadata_of(package, iccid, &metadata))
        return "it does not begin with a profile header";
    const char *why = check_package(e, package, rd_of(iccid, sizeof iccid));
    if (why != NULL)
        return why;
    new.metadata = wr_view(&metadata);
    new.ci_pkid = ecasd_ci_pkid(e, 0);
    if (profile_find_iccid(e, rd_of(iccid, sizeof iccid), &index) != 0)
        return "the storage failed";
    if (index != NO_PROFILE)
        return "a profile of this ICCID is there already";
    int err = profile_next_index(e, &index);
    if (err == 0)
        err = profile_add(e, index, &new);
    if (err == 0)
        err = nvm_commit(e->nvm);
    if (err != 0)
        nvm_abort(e->nvm);
    return err == 0 ? NULL : err == ERR_SPACE ? "it does not fit" : "the storage failed";
}
