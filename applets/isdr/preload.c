/* preload.c - profiles that the EUM puts in at manufacture. */
#include "applets/isdr/preload.h"

#include "applets/ecasd/ecasd.h"
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

/* Interprets and stores.  NULL, or why not. */
static const char *install(struct euicc *e, struct rd package, struct rd iccid,
                           struct profile_new *new)
{
    uint16_t index;
    uint64_t room;

    int err = profile_free_memory(e, &room);
    if (err == 0)
        err = profile_next_index(e, &index);
    if (err != 0)
        return err == ERR_SPACE ? "it does not fit" : "the storage failed";
    new->install = install_new(index, room, &e->trace);
    if (new->install == NULL)
        return "out of memory";
    const char *why = interpret(e, package, iccid, new->install);
    if (why == NULL)
        err = profile_add(e, index, new);
    if (why == NULL && err == 0)
        err = nvm_commit(e->nvm);
    install_free(&new->install);
    if (why != NULL || err == 0)
        return why;
    nvm_abort(e->nvm);
    return err == ERR_SPACE ? "it does not fit" : "the storage failed";
}

const char *isdr_preload(struct euicc *e, struct rd package)
{
    uint8_t iccid[ICCID_LEN], octets[256];
    struct profile_new new = { .preloaded = true };
    struct wr metadata;
    uint16_t index;

    wr_init(&metadata, octets, sizeof octets);
    if (!metadata_of(package, iccid, &metadata))
        return "it does not begin with a profile header";
    new.metadata = wr_view(&metadata);
    new.ci_pkid = ecasd_ci_pkid(e, 0);
    if (profile_find_iccid(e, rd_of(iccid, sizeof iccid), &index) != 0)
        return "the storage failed";
    if (index != NO_PROFILE)
        return "a profile of this ICCID is there already";
    return install(e, package, rd_of(iccid, sizeof iccid), &new);
}
