/* preload.c - profiles that the EUM puts in at manufacture. */
#include "applets/isdr/preload.h"

#include <string.h>

#include "applets/ecasd/ecasd.h"
#include "applets/isdr/es10.h"
#include "applets/isdr/fallback.h"

enum {
    TAG_HEADER = 0xA0,
    TAG_PROFILE_TYPE = 0x82,
    TAG_HEADER_ICCID = 0x83,
    TAG_SERVICE_PROVIDER_NAME = 0x91,
    TAG_PROFILE_NAME = 0x92,
    TAG_PROFILE_CLASS = 0x95,
    TAG_FALLBACK_ALLOWED = 0x9F67,
    TAG_ECALL_INDICATION = 0x9F7B,
    PROFILE_NAME_MAX = 64,
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

/* False when one is not known. */
static bool read_words(const char *words, unsigned *ret)
{
    *ret = 0;
    while (words != NULL && words[0] != '\0') {
        size_t n = strcspn(words, ","), i = 0;
        while (i < N_ELEMS(known_words) &&
               (strlen(known_words[i].word) != n || strncmp(known_words[i].word, words, n) != 0))
            i++;
        if (i == N_ELEMS(known_words))
            return false;
        *ret |= known_words[i].bits;
        words += n + (words[n] == ',');
    }
    return true;
}

/* ICCID as in EF.ICCID, and StoreMetadataRequest's contents. */
static bool metadata_of(struct rd package, unsigned words, uint8_t ret_iccid[ICCID_LEN],
                        struct wr *ret)
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
    if (words & (WORD_CLASS_TEST | WORD_CLASS_PROVISIONING))
        tlv_put_u8(ret, TAG_PROFILE_CLASS,
                   words & WORD_CLASS_TEST ? CLASS_TEST : CLASS_PROVISIONING);
    if (words & WORD_ECALL)
        tlv_put_u8(ret, TAG_ECALL_INDICATION, 0xFF);
    if (words & WORD_FALLBACK_ALLOWED)
        tlv_put_u8(ret, TAG_FALLBACK_ALLOWED, 0xFF);
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

/* What the words say beyond the metadata.  0, a refusal, or a fault. */
static int put_state(struct euicc *e, uint16_t index, unsigned words)
{
    struct profile_switch now;
    struct profile p;
    bool found;

    TRY(profile_get_switch(e, &now));
    if (words & WORD_ENABLED) {
        if (now.enabled != NO_PROFILE)
            return ERR_INPUT;
        now.enabled = index;
        TRY(profile_set_switch(e, &now));
    }
    if (!(words & WORD_FALLBACK))
        return 0;
    TRY(profile_load(e, index, &p, &found));
    int result = found ? fallback_set(e, &p, (struct fallback_states){ &now, &now }) : ERR_BUG;
    profile_done(&p);
    return result;
}

/* Interprets and stores.  NULL, or why not. */
static const char *install(struct euicc *e, struct rd package, struct rd iccid, unsigned words,
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
        err = put_state(e, index, words);
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

const char *isdr_preload(struct euicc *e, struct rd package, const char *words)
{
    uint8_t iccid[ICCID_LEN], octets[256];
    struct profile_new new = { .preloaded = true };
    struct wr metadata;
    unsigned bits;
    uint16_t index;

    if (!read_words(words, &bits))
        return "a word behind it is not known; see softeuicc new --help";
    wr_init(&metadata, octets, sizeof octets);
    if (!metadata_of(package, bits, iccid, &metadata))
        return "it does not begin with a profile header";
    new.metadata = wr_view(&metadata);
    new.ci_pkid = ecasd_ci_pkid(e, 0);
    if (profile_find_iccid(e, rd_of(iccid, sizeof iccid), &index) != 0)
        return "the storage failed";
    if (index != NO_PROFILE)
        return "a profile of this ICCID is there already";
    if ((bits & WORD_ECALL) && (profile_find_emergency(e, &index) != 0 || index != NO_PROFILE))
        return "there is an Emergency Profile already";
    return install(e, package, rd_of(iccid, sizeof iccid), bits, &new);
}
