/* aka.c - PE-AKAParameter, sequence numbers, and the two authentications. */
#include "applets/naa/aka.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <ProfileElement.h>

#include "asn1/der.h"
#include "os/err.h"

enum {
    MAX_ELEMENT = 2048,
    MAX_MAPPINGS = 4, /* a source comes before what is mapped to it; more is a mistake */
    IND_BITS = 5,
    SEQ_LEN = 6,
    GBA_MASK_LEN = 8, /* octets of SHA-1(IK) in the MAC of GBA_U */

    /* algorithmOptions (docs/INTERPRETATIONS.md) */
    TUAK_RES = 0x07,
    TUAK_MAC = 0x38,
    TUAK_MAC_SHIFT = 3,
    TUAK_LONG_KEYS = 0x40,

    /* sqnOptions */
    SQN_LIMITS_DELTA = 0x02,
    SQN_LIMITS_AGE = 0x04,
};

static const uint64_t max_seq = ((uint64_t)1 << (8 * AKA_SQN_LEN - IND_BITS)) - 1;
static const uint64_t default_limit = 0x10000000; /* sqnDelta and sqnAgeLimit, when absent */

/* --- the element --- */

static uint64_t number(const uint8_t *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

static void put_number(uint64_t v, size_t n, uint8_t *ret)
{
    for (size_t i = 0; i < n; i++)
        ret[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

static int take(const OCTET_STRING_t *from, size_t n, uint8_t *ret)
{
    if (from->size < 0 || (size_t)from->size != n)
        return ERR_INPUT;
    memcpy(ret, from->buf, n);
    return 0;
}

static int take_milenage(const AlgoParameter_t *a, struct aka_keys *k)
{
    static const uint8_t rotations[MILENAGE_ROUNDS] = { 64, 0, 32, 64, 96 }; /* TS 35.206 4.1 */
    static const uint8_t constants[MILENAGE_ROUNDS] = { 0, 1, 2, 4, 8 };

    k->k_len = k->ck_len = k->ik_len = AES128_KEY_LEN;
    k->mac_len = k->res_len = 8;
    memcpy(k->rotations, rotations, sizeof rotations);
    for (size_t i = 0; i < MILENAGE_ROUNDS; i++)
        k->constants[i][AES_BLOCK - 1] = constants[i];
    TRY(take(&a->key, k->k_len, k->k));
    TRY(take(&a->opc, AES_BLOCK, k->opc));
    if (a->rotationConstants != NULL)
        TRY(take(a->rotationConstants, sizeof k->rotations, k->rotations));
    return a->xoringConstants == NULL
               ? 0
               : take(a->xoringConstants, sizeof k->constants, k->constants[0]);
}

static int take_tuak(const AlgoParameter_t *a, struct aka_keys *k)
{
    unsigned options = a->algorithmOptions.buf[0];
    unsigned res = options & TUAK_RES, mac = (options & TUAK_MAC) >> TUAK_MAC_SHIFT;

    if (res > 3 || mac > 2 || (a->key.size != 16 && a->key.size != 32))
        return ERR_INPUT;
    k->k_len = (size_t)a->key.size;
    k->res_len = (size_t)4 << res;
    k->mac_len = (size_t)8 << mac;
    k->ck_len = k->ik_len = options & TUAK_LONG_KEYS ? 32 : 16;
    k->keccaks = a->numberOfKeccak != NULL ? (unsigned)*a->numberOfKeccak : 1;
    TRY(take(&a->key, k->k_len, k->k));
    return k->keccaks == 0 ? ERR_INPUT : take(&a->opc, AKA_MAX_LEN, k->opc);
}

static int take_testalgo(const AlgoParameter_t *a, struct aka_keys *k)
{
    unsigned options = a->algorithmOptions.buf[0];

    if (options > 2)
        return ERR_INPUT;
    k->k_len = k->ck_len = k->ik_len = 16;
    k->mac_len = 8;
    k->res_len = (size_t)4 << options;
    return take(&a->key, k->k_len, k->k);
}

static int take_algorithm(const AlgoParameter_t *a, struct aka_parameters *p)
{
    static const struct {
        const struct aka_algorithm *algorithm;
        int (*take)(const AlgoParameter_t *a, struct aka_keys *k);
    } algorithms[] = {
        [AlgoParameter__algorithmID_milenage] = { &milenage, take_milenage },
        [AlgoParameter__algorithmID_tuak] = { &tuak, take_tuak },
        [AlgoParameter__algorithmID_usim_test_algorithm] = { &testalgo, take_testalgo },
    };

    if (a->algorithmID < 1 || (size_t)a->algorithmID >= N_ELEMS(algorithms))
        return ERR_INPUT;
    p->algorithm = algorithms[a->algorithmID].algorithm;
    if (a->authCounterMax != NULL) {
        p->counts = true;
        p->max_auths = (uint32_t)number(a->authCounterMax->buf, (size_t)a->authCounterMax->size);
    }
    return algorithms[a->algorithmID].take(a, &p->keys);
}

static int take_limit(const OCTET_STRING_t *from, uint64_t *ret)
{
    uint8_t octets[SEQ_LEN];

    *ret = default_limit;
    if (from == NULL)
        return 0;
    TRY(take(from, sizeof octets, octets));
    *ret = number(octets, sizeof octets);
    return 0;
}

static int take_sequence(const PE_AKAParameter_t *e, struct aka_parameters *p)
{
    uint8_t options = e->sqnOptions != NULL ? e->sqnOptions->buf[0] : SQN_LIMITS_DELTA;

    p->limits_delta = options & SQN_LIMITS_DELTA;
    p->limits_age = options & SQN_LIMITS_AGE;
    TRY(take_limit(e->sqnDelta, &p->delta));
    TRY(take_limit(e->sqnAgeLimit, &p->age));
    if (e->sqnInit == NULL)
        return 0;
    if (e->sqnInit->list.count != AKA_INDS)
        return ERR_INPUT;
    for (size_t i = 0; i < AKA_INDS; i++) {
        uint8_t octets[SEQ_LEN];

        TRY(take(e->sqnInit->list.array[i], sizeof octets, octets));
        p->init[i] = number(octets, sizeof octets) & max_seq;
    }
    return 0;
}

static int take_element(const PE_AKAParameter_t *e, struct aka_parameters *p)
{
    if (e->algoConfiguration.present == PE_AKAParameter__algoConfiguration_PR_mappingParameter) {
        const ApplicationIdentifier_t *aid =
            &e->algoConfiguration.choice.mappingParameter.mappingSource;

        p->source_len = (size_t)aid->size;
        return take(aid, p->source_len, p->source);
    }
    TRY(take_algorithm(&e->algoConfiguration.choice.algoParameter, p));
    return take_sequence(e, p);
}

int aka_parse(struct rd element, struct aka_parameters *ret)
{
    struct ProfileElement *e = NULL;
    int result = ERR_INPUT;

    memset(ret, 0, sizeof *ret);
    TRY(der_decode(&asn_DEF_ProfileElement, element.p, element.n, (void **)&e));
    if (e->present == ProfileElement_PR_akaParameter) {
        PE_AKAParameter_t *aka = &e->choice.akaParameter;
        struct PE_AKAParameter__algoConfiguration *algo = &aka->algoConfiguration;

        result = take_element(aka, ret);
        if (algo->present == PE_AKAParameter__algoConfiguration_PR_algoParameter) {
            OCTET_STRING_t *key = &algo->choice.algoParameter.key;
            OCTET_STRING_t *opc = &algo->choice.algoParameter.opc;

            crypto_wipe(key->buf, (size_t)key->size);
            crypto_wipe(opc->buf, (size_t)opc->size);
        }
    }
    der_free(&asn_DEF_ProfileElement, e);
    return result;
}

/* --- storage --- */

static void key_name(const struct fs *fs, const char *kind, uint16_t node, char ret[NVM_KEY_MAX])
{
    snprintf(ret, NVM_KEY_MAX, "%.32s%s/%04x", fs->prefix, kind, node);
}

static int load_element(struct aka *a, uint16_t node, bool *ret_found)
{
    char key[NVM_KEY_MAX];
    uint8_t octets[MAX_ELEMENT];
    struct wr w;

    key_name(a->fs, "aka", node, key);
    wr_init(&w, octets, sizeof octets);
    int err = nvm_get(a->nvm, key, &w, ret_found);
    if (err == 0 && *ret_found)
        err = wr_failed(&w) != 0 ? ERR_NVM : aka_parse(wr_view(&w), &a->parameters);
    crypto_wipe(octets, sizeof octets);
    return err;
}

static int load_sequence(struct aka *a)
{
    char key[NVM_KEY_MAX];
    uint8_t octets[AKA_INDS * SEQ_LEN];
    struct wr w;
    bool found;

    key_name(a->fs, "sqn", a->node, key);
    wr_init(&w, octets, sizeof octets);
    TRY(nvm_get(a->nvm, key, &w, &found));
    if (!found) {
        memcpy(a->seq, a->parameters.init, sizeof a->seq);
        return 0;
    }
    if (w.n != sizeof octets)
        return ERR_NVM;
    for (size_t i = 0; i < AKA_INDS; i++)
        a->seq[i] = number(octets + i * SEQ_LEN, SEQ_LEN);
    return 0;
}

static int store_sequence(const struct aka *a)
{
    char key[NVM_KEY_MAX];
    uint8_t octets[AKA_INDS * SEQ_LEN];

    for (size_t i = 0; i < AKA_INDS; i++)
        put_number(a->seq[i], SEQ_LEN, octets + i * SEQ_LEN);
    key_name(a->fs, "sqn", a->node, key);
    return nvm_put(a->nvm, key, rd_of(octets, sizeof octets));
}

int aka_open(struct crypto *crypto, struct nvm *nvm, const struct fs *fs, uint16_t adf,
             struct aka *ret, bool *ret_found)
{
    const struct aka_parameters *p = &ret->parameters;

    *ret = (struct aka){ .crypto = crypto, .nvm = nvm, .fs = fs, .node = adf };
    for (int i = 0; i <= MAX_MAPPINGS; i++) {
        TRY(load_element(ret, ret->node, ret_found));
        if (!*ret_found || p->source_len == 0)
            return *ret_found ? load_sequence(ret) : 0;
        ret->node = fs_adf(fs, rd_of(p->source, p->source_len), FS_NONE);
        if (ret->node == FS_NONE)
            break;
    }
    *ret_found = false;
    return 0;
}

void aka_close(struct aka *a)
{
    crypto_wipe(&a->parameters, sizeof a->parameters);
}

int aka_count(struct aka *a, bool *ret_any)
{
    char key[NVM_KEY_MAX];
    uint64_t left;

    *ret_any = true;
    if (!a->parameters.counts)
        return 0;
    key_name(a->fs, "auths", a->node, key);
    TRY(nvm_get_uint(a->nvm, key, UINT64_MAX, &left));
    if (left == UINT64_MAX) {
        left = a->parameters.max_auths;
        TRY(nvm_put_uint(a->nvm, key, left));
        TRY(nvm_commit(a->nvm));
    }
    *ret_any = left > 0;
    return left > 0 ? nvm_count_down(a->nvm, key, &left) : 0;
}

/* --- sequence numbers (TS 33.102 C.2) --- */

static unsigned newest(const struct aka *a)
{
    unsigned at = 0;

    for (unsigned i = 1; i < AKA_INDS; i++)
        if (a->seq[i] > a->seq[at])
            at = i;
    return at;
}

static bool is_fresh(const struct aka *a, uint64_t seq, unsigned ind)
{
    const struct aka_parameters *p = &a->parameters;
    uint64_t highest = a->seq[newest(a)];

    if (seq <= a->seq[ind])
        return false;
    if (p->limits_delta && seq > highest && seq - highest > p->delta)
        return false;
    return !(p->limits_age && seq < highest && highest - seq > p->age);
}

/* AUTS for the highest sequence number that was accepted (TS 33.102 6.3.3); the test algorithm has
 * none and takes the one received. */
static int put_auts(struct aka *a, const uint8_t rand[AKA_RAND_LEN],
                    const uint8_t received[AKA_SQN_LEN], struct aka_answer *ret)
{
    static const uint8_t resynch_amf[AKA_AMF_LEN];
    const struct aka_parameters *p = &a->parameters;
    uint8_t sqn[AKA_SQN_LEN], ak[AKA_AK_LEN];
    unsigned ind = newest(a);

    put_number(a->seq[ind] << IND_BITS | ind, sizeof sqn, sqn);
    if (p->algorithm->for_tests)
        memcpy(sqn, received, sizeof sqn);
    TRY(p->algorithm->f1_star(a->crypto, &p->keys, rand, sqn, resynch_amf,
                              ret->auts + AKA_SQN_LEN));
    TRY(p->algorithm->f5_star(a->crypto, &p->keys, rand, ak));
    for (size_t i = 0; i < AKA_SQN_LEN; i++)
        ret->auts[i] = sqn[i] ^ ak[i];
    ret->auts_len = AKA_SQN_LEN + p->keys.mac_len;
    ret->outcome = AKA_SYNCHRONISE;
    return 0;
}

/* --- authentication --- */

size_t aka_autn_len(const struct aka *a)
{
    return AKA_SQN_LEN + AKA_AMF_LEN + a->parameters.keys.mac_len;
}

/* MAC* of GBA_U = MAC xor the first octets of SHA-1(IK) (TS 33.220 5.3.2). */
static int modify_mac(struct aka *a, const struct aka_vector *v, uint8_t *mac)
{
    const struct rd ik = rd_of(v->ik, a->parameters.keys.ik_len);
    uint8_t hash[SHA1_LEN];

    TRY(crypto_sha1(a->crypto, &ik, 1, hash));
    for (size_t i = 0; i < GBA_MASK_LEN; i++)
        mac[i] ^= hash[i];
    crypto_wipe(hash, sizeof hash);
    return 0;
}

static int check_autn(struct aka *a, const uint8_t rand[AKA_RAND_LEN], const uint8_t *autn,
                      bool gba, struct aka_answer *ret)
{
    const struct aka_parameters *p = &a->parameters;
    const uint8_t *amf = autn + AKA_SQN_LEN, *mac = amf + AKA_AMF_LEN;
    uint8_t sqn[AKA_SQN_LEN], wanted[AKA_MAX_LEN];

    for (size_t i = 0; i < AKA_SQN_LEN; i++)
        sqn[i] = autn[i] ^ ret->vector.ak[i];
    TRY(p->algorithm->f1(a->crypto, &p->keys, rand, sqn, amf, wanted));
    if (gba)
        TRY(modify_mac(a, &ret->vector, wanted));
    ret->outcome = AKA_WRONG_MAC;
    if (!crypto_equal(wanted, mac, p->keys.mac_len))
        return 0;
    if (p->algorithm->for_tests) {
        if (amf[0] == 0xFF && amf[1] == 0xFF)
            return put_auts(a, rand, sqn, ret);
        ret->outcome = AKA_DONE;
        return 0;
    }
    uint64_t whole = number(sqn, sizeof sqn);
    unsigned ind = whole & (AKA_INDS - 1);
    if (!is_fresh(a, whole >> IND_BITS, ind))
        return put_auts(a, rand, sqn, ret);
    a->seq[ind] = whole >> IND_BITS;
    TRY(store_sequence(a));
    ret->outcome = AKA_DONE;
    return 0;
}

int aka_authenticate(struct aka *a, const uint8_t rand[AKA_RAND_LEN], const uint8_t *autn, bool gba,
                     struct aka_answer *ret)
{
    const struct aka_parameters *p = &a->parameters;

    memset(ret, 0, sizeof *ret);
    int err = p->algorithm->f2345(a->crypto, &p->keys, rand, &ret->vector);
    if (err == 0)
        err = check_autn(a, rand, autn, gba, ret);
    if (err != 0 || ret->outcome != AKA_DONE)
        crypto_wipe(&ret->vector, sizeof ret->vector);
    return err;
}

/* c3: the exclusive or of all groups of 8 octets of CK and IK. */
void aka_kc(const struct aka *a, const struct aka_vector *v, uint8_t ret[AKA_KC_LEN])
{
    memset(ret, 0, AKA_KC_LEN);
    for (size_t i = 0; i < a->parameters.keys.ck_len; i++)
        ret[i % AKA_KC_LEN] ^= v->ck[i];
    for (size_t i = 0; i < a->parameters.keys.ik_len; i++)
        ret[i % AKA_KC_LEN] ^= v->ik[i];
}

int aka_gsm(struct aka *a, const uint8_t rand[AKA_RAND_LEN], uint8_t ret_sres[AKA_SRES_LEN],
            uint8_t ret_kc[AKA_KC_LEN])
{
    const struct aka_parameters *p = &a->parameters;
    struct aka_vector v = { { 0 }, { 0 }, { 0 }, { 0 } };

    int err = p->algorithm->f2345(a->crypto, &p->keys, rand, &v);
    if (err == 0) {
        memset(ret_sres, 0, AKA_SRES_LEN); /* c2: likewise, groups of 4 octets of RES */
        for (size_t i = 0; i < p->keys.res_len; i++)
            ret_sres[i % AKA_SRES_LEN] ^= v.res[i];
        aka_kc(a, &v, ret_kc);
    }
    crypto_wipe(&v, sizeof v);
    return err;
}
