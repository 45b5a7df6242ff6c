/* pe_other.c - profile elements that are kept as they came, once they make sense: parameters of
 * NAAs, security domains, remote file management, applications (TCA 8.4, 8.6, 8.7, 8.9); and the
 * service tables, which tell what the platform can (TCA 8.3.3). */
#include <stdio.h>
#include <string.h>

#include "applets/isdp/pe.h"
#include "os/err.h"

enum {
    TAG_ALGORITHM = 0xA1, /* PE-AKAParameter */
    TAG_SD_INSTANCE = 0xA1,
    TAG_KEY_LIST = 0xA2,
    TAG_OPEN_PERSO = 0xA4,
    TAG_CAT_TP = 0xA5,

    SD_PERSONALIZED = 0x0F,
    SELECTABLE = 0x07,
};

/* --- parameters of NAAs ----------------------------------------------------------------------- */

/* Keeps the element for the ADF that was created last. */
static int keep_for_adf(struct install *i, const char *what)
{
    char key[KEPT_KEY];

    if (i->now.last_adf == FS_NONE)
        return pe_abort(i, PE_BAD_VALUES, "there is no NAA that the parameters belong to");
    snprintf(key, sizeof key, "%s/%04x", what, i->now.last_adf);
    return pe_keep(i, key);
}

static const struct {
    long algorithm;
    uint8_t key, other_key, opc;
} algorithms[] = {
    { AlgoParameter__algorithmID_milenage, 16, 16, 16 },
    { AlgoParameter__algorithmID_tuak, 16, 32, 32 },
    { AlgoParameter__algorithmID_usim_test_algorithm, 16, 16, 16 },
};

static int check_algorithm(struct install *i, const AlgoParameter_t *a)
{
    for (size_t k = 0; k < N_ELEMS(algorithms); k++) {
        if (algorithms[k].algorithm != a->algorithmID)
            continue;
        if ((a->key.size == algorithms[k].key || a->key.size == algorithms[k].other_key) &&
            a->opc.size == algorithms[k].opc)
            return 0;
        return pe_refuse(i, PE_BAD_VALUES, "K or OPc has not the length that the algorithm needs");
    }
    return pe_refuse(i, PE_FEATURE_NOT_SUPPORTED, "there is no such algorithm");
}

int pe_aka(struct install *i, const struct ProfileElement *value)
{
    const PE_AKAParameter_t *pe = &value->choice.akaParameter;

    pe_at(i, 0, TAG_ALGORITHM, 0);
    if (pe->algoConfiguration.present == PE_AKAParameter__algoConfiguration_PR_algoParameter)
        TRY(check_algorithm(i, &pe->algoConfiguration.choice.algoParameter));
    else if (fs_adf(&i->fs, pe_octets(&pe->algoConfiguration.choice.mappingParameter.mappingSource),
                    FS_NONE) == FS_NONE)
        return pe_refuse(i, PE_BAD_VALUES, "there is no NAA whose parameters could be shared");
    return keep_for_adf(i, "aka");
}

int pe_cdma(struct install *i, const struct ProfileElement *value)
{
    (void)value;
    return keep_for_adf(i, "cdma");
}

/* --- security domains and remote file management ---------------------------------------------- */

/* Keeps the element under a number of its own. */
static int keep_numbered(struct install *i, const char *what, unsigned *number)
{
    char key[KEPT_KEY];

    snprintf(key, sizeof key, "%s/%02x", what, *number & 0xFFF);
    ++*number;
    return pe_keep(i, key);
}

static const struct instance *find_instance(const struct install *i, struct rd aid)
{
    for (size_t k = 0; k < i->now.n_instances; k++)
        if (rd_equal(aid, rd_of(i->instances[k].aid, i->instances[k].aid_len)))
            return &i->instances[k];
    return NULL;
}

static int add_instance(struct install *i, struct rd aid, bool is_sd, uint8_t life_cycle)
{
    struct instance one = { .is_sd = is_sd, .life_cycle = life_cycle };

    if (find_instance(i, aid) != NULL)
        return pe_refuse(i, PE_BAD_VALUES, "an instance of this AID is there");
    if (i->now.n_instances == MAX_INSTANCES)
        return pe_abort(i, PE_NOT_ENOUGH_MEMORY, "there are too many instances");
    memcpy(one.aid, aid.p, aid.n); /* its ASN.1 type bounds it */
    one.aid_len = (uint8_t)aid.n;
    i->instances[i->now.n_instances++] = one;
    return 0;
}

/* GlobalPlatform key types, and how long their values may be; 0: as they are. */
static const struct {
    uint8_t first, last;
    uint8_t lengths[3];
} key_types[] = {
    { 0x80, 0x80, { 8, 16, 24 } },  /* DES */
    { 0x85, 0x85, { 0 } },          /* PSK of TLS */
    { 0x88, 0x88, { 16, 24, 32 } }, /* AES */
    { 0x90, 0x91, { 0 } },          /* HMAC */
    { 0xA0, 0xA8, { 0 } },          /* RSA */
    { 0xB0, 0xB7, { 0 } },          /* ECC */
    { 0xF0, 0xF0, { 0 } },          /* reference of a curve */
};

static bool has_length(const uint8_t lengths[3], size_t n)
{
    return lengths[0] == 0 || n == lengths[0] || n == lengths[1] || n == lengths[2];
}

static int check_component(struct install *i, const KeyComponent_t *c)
{
    uint8_t type = c->keyType.size == 1 ? c->keyType.buf[0] : 0;

    for (size_t k = 0; k < N_ELEMS(key_types); k++) {
        if (type < key_types[k].first || type > key_types[k].last)
            continue;
        if (!has_length(key_types[k].lengths, (size_t)c->keyData.size))
            return pe_abort(i, PE_BAD_VALUES, "a key has not a length of its type");
        return 0;
    }
    return pe_abort(i, PE_FEATURE_NOT_SUPPORTED, "there is no such key type");
}

static int check_key(struct install *i, const KeyObject_t *key)
{
    for (int k = 0; k < key->keyComponents.list.count; k++) {
        const KeyComponent_t *c = key->keyComponents.list.array[k];
        TRY(check_component(i, c));
        for (int m = 0; m < k; m++)
            if (rd_equal(pe_octets(&c->keyType),
                         pe_octets(&key->keyComponents.list.array[m]->keyType)))
                return pe_abort(i, PE_BAD_VALUES, "a key has two components of one type");
    }
    return 0;
}

/* TCA 8.6.3 */
static int check_keys(struct install *i, const PE_SecurityDomain_t *pe)
{
    uint8_t seen[1 << 13] = { 0 }; /* a bit for each key version number and key identifier */

    for (int k = 0; pe->keyList != NULL && k < pe->keyList->list.count; k++) {
        const KeyObject_t *key = pe->keyList->list.array[k];
        unsigned name = (unsigned)key->keyVersionNumber.buf[0] << 8 | key->keyIdentifier.buf[0];
        pe_at(i, 0, TAG_KEY_LIST, 0);
        pe_at(i, 1, 0, (size_t)k);
        if (seen[name / 8] & 1u << name % 8)
            return pe_abort(i, PE_BAD_VALUES, "two keys have one version and identifier");
        seen[name / 8] |= (uint8_t)(1u << name % 8);
        TRY(check_key(i, key));
    }
    return 0;
}

/* TCA 8.6.2, 8.7.3: it may be handed to another security domain that is ready for it. */
static int check_extradition(struct install *i, const ApplicationInstance_t *a)
{
    if (a->extraditeSecurityDomainAID == NULL)
        return 0;
    const struct instance *sd = find_instance(i, pe_octets(a->extraditeSecurityDomainAID));
    if (sd == NULL || !sd->is_sd || sd->life_cycle != SD_PERSONALIZED)
        return pe_abort(i, PE_INVALID_PARAMETER, "the security domain above is not personalized");
    return 0;
}

int pe_security_domain(struct install *i, const struct ProfileElement *value)
{
    const PE_SecurityDomain_t *pe = &value->choice.securityDomain;
    struct rd life_cycle = pe_octets(pe->instance.lifeCycleState);

    pe_at(i, 0, TAG_SD_INSTANCE, 0);
    TRY(check_extradition(i, &pe->instance));
    TRY(add_instance(i, pe_octets(&pe->instance.instanceAID), true,
                     life_cycle.n > 0 ? life_cycle.p[0] : SELECTABLE));
    TRY(check_keys(i, pe));
    pe_at(i, 0, TAG_OPEN_PERSO, 0);
    if (pe->openPersoData != NULL && pe->openPersoData->contactlessProtocolParameters != NULL)
        return pe_abort(i, PE_FEATURE_NOT_SUPPORTED, "there is no contactless interface");
    pe_at(i, 0, TAG_CAT_TP, 0);
    if (pe->catTpParameters != NULL)
        return pe_abort(i, PE_FEATURE_NOT_SUPPORTED, "there is no CAT_TP");
    return keep_numbered(i, "sd", &i->now.n_sds);
}

int pe_rfm(struct install *i, const struct ProfileElement *value)
{
    const PE_RFM_t *pe = &value->choice.rfm;
    struct rd sd_aid = pe_octets(pe->securityDomainAID);
    const struct instance *sd = sd_aid.n > 0       ? find_instance(i, sd_aid)
                                : i->now.n_sds > 0 ? &i->instances[0]
                                                   : NULL;

    if (sd == NULL || !sd->is_sd)
        return pe_refuse(i, PE_BAD_VALUES, "there is no security domain for it");
    if (pe->adfRFMAccess != NULL &&
        fs_adf(&i->fs, pe_octets(&pe->adfRFMAccess->adfAID), FS_NONE) == FS_NONE)
        return pe_refuse(i, PE_BAD_VALUES, "there is no ADF of its AID");
    TRY(add_instance(i, pe_octets(&pe->instanceAID), false, SELECTABLE));
    return keep_numbered(i, "rfm", &i->now.n_rfms);
}

/* --- what cannot run -------------------------------------------------------------------------- */

int pe_application(struct install *i, const struct ProfileElement *value)
{
    (void)value;
    pe_warn(i, PE_RUNTIME_NOT_SUPPORTED, 0, "there is no application runtime");
    return keep_numbered(i, "app", &i->now.n_applications);
}

int pe_non_standard(struct install *i, const struct ProfileElement *value)
{
    (void)value;
    pe_warn(i, PE_NOT_SUPPORTED, 0, "nobody here knows its issuer");
    return keep_numbered(i, "other", &i->now.n_others);
}

/* --- service tables --------------------------------------------------------------------------- */

/* Services of EF.UST and EF.IST that need something of the platform, as UICCCapability bits. */
static const struct {
    enum naa naa;
    uint8_t service, capability;
} platform_services[] = {
    { NAA_USIM, 68, 10 },  /* GBA */
    { NAA_USIM, 69, 12 },  /* MBMS security */
    { NAA_USIM, 76, 10 },  /* GBA-based local key establishment */
    { NAA_USIM, 125, 22 }, /* SUCI calculation by the USIM: GET IDENTITY */
    { NAA_ISIM, 2, 11 },   /* GBA */
    { NAA_ISIM, 4, 11 },   /* GBA-based local key establishment */
};

static const uint16_t service_tables[] = { [NAA_USIM] = 0x6F38, [NAA_ISIM] = 0x6F07 };

/* Clears the services of one table that cannot be. */
static int edit_services(struct install *i, enum naa naa, uint16_t table)
{
    uint8_t *p;

    TRY(pe_body(i, table, &p));
    for (size_t k = 0; k < N_ELEMS(platform_services); k++) {
        unsigned bit = platform_services[k].service - 1u;
        if (platform_services[k].naa == naa && bit / 8 < i->fs.nodes[table].size &&
            !(upp_uicc_capability() & UINT32_C(1) << platform_services[k].capability))
            p[bit / 8] &= (uint8_t) ~(1u << bit % 8);
    }
    return 0;
}

int pe_services_finish(struct install *i)
{
    for (size_t naa = 0; naa < N_ELEMS(service_tables); naa++) {
        uint16_t adf = FS_NONE;
        while ((adf = fs_adf(&i->fs, pe_naa_aid((enum naa)naa), adf)) != FS_NONE) {
            uint16_t table = fs_child(&i->fs, adf, service_tables[naa]);
            if (table != FS_NONE && !fs_is_df(&i->fs.nodes[table]))
                TRY(edit_services(i, (enum naa)naa, table));
        }
    }
    return 0;
}
