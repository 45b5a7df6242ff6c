/* eim.c - the Associated eIMs (SGP.32 2.11.1.1.1, 2.11.1.1.2).
 *
 * A record is 30 { the fields of EimConfigurationData that are kept }, then the association token.
 * Whatever is refused is refused before anything is written. */
#include "applets/isdr/eim.h"

#include <stdio.h>

#include "applets/ecasd/ecasd.h"
#include "applets/isdr/eim_config.h"
#include "applets/isdr/es10.h"
#include "applets/isdr/iot.h"

enum { RECORD_MAX = 2 * EIM_CONFIG_MAX /* octets: a request's fields, and others that stay */ };

#define KEY_PREFIX  "isdr/eim/"
#define KEY_COUNTER "isdr/eim-counter/"
#define KEY_TOKEN   "isdr/eim-token"

static void record_key(uint16_t number, char ret[NVM_KEY_MAX])
{
    snprintf(ret, NVM_KEY_MAX, KEY_PREFIX "%04x", number);
}

static void counter_key(uint16_t number, char ret[NVM_KEY_MAX])
{
    snprintf(ret, NVM_KEY_MAX, KEY_COUNTER "%04x", number);
}

int eim_refuse(const struct euicc *e, const char *who, int code, const char *why,
               const char *clause)
{
    static const struct result_name names[] = {
        { EIM_INSUFFICIENT_MEMORY, "insufficientMemory" },
        { EIM_ALREADY_ASSOCIATED, "associatedEimAlreadyExists" },
        { EIM_CI_PK_UNKNOWN, "ciPKUnknown" },
        { EIM_INVALID_TOKEN, "invalidAssociationToken" },
        { EIM_COUNTER_OUT_OF_RANGE, "counterValueOutOfRange" },
        { EIM_COMMAND_ERROR, "commandError" },
    };
    return es10_refuse(e, who, names, N_ELEMS(names), code, why, clause);
}

/* 1 means something else where an eIM is named that there should be. */
static int refuse_unknown(const struct euicc *e, const char *who, const char *clause)
{
    static const struct result_name name = { EIM_NOT_FOUND, "eimNotFound" };

    return es10_refuse(e, who, &name, 1, EIM_NOT_FOUND, "no eIM of this eimId is associated",
                       clause);
}

/* --- records ---------------------------------------------------------------------------------- */

static bool parse_record(const struct euicc *e, struct eim *eim)
{
    struct rd in = wr_view(&eim->object);
    struct tlv t;

    if (wr_failed(&eim->object) != 0 || tlv_expect(&in, TAG_SEQUENCE, &t) != 0)
        return false;
    eim->configuration = t.value;
    eim->has_token = tlv_find(in, EIM_ASSOCIATION_TOKEN, &t);
    if (eim->has_token && tlv_uint(t.value, &eim->token) != 0)
        return false;
    if (!tlv_find(eim->configuration, EIM_EUICC_CI_PKID, &t))
        return false;
    eim->ci = ecasd_find_ci(e, t.value);
    if (!tlv_find(eim->configuration, EIM_ID, &t))
        return false;
    eim->id = t.value;
    return eim->ci != ECASD_NO_CI;
}

int eim_load(struct euicc *e, uint16_t number, struct eim *ret, bool *ret_found)
{
    struct eim eim = { .number = number };
    char key[NVM_KEY_MAX], counter[NVM_KEY_MAX];

    record_key(number, key);
    counter_key(number, counter);
    wr_init_heap(&eim.object, RECORD_MAX);
    int err = nvm_get(e->nvm, key, &eim.object, ret_found);
    if (err == 0 && *ret_found && !parse_record(e, &eim))
        err = FAULT(&e->trace, ERR_NVM, "%s is damaged", key);
    if (err == 0 && *ret_found)
        err = nvm_get_uint(e->nvm, counter, 0, &eim.counter);
    if (err != 0 || !*ret_found) {
        eim_done(&eim);
        return err;
    }
    *ret = eim;
    return 0;
}

void eim_done(struct eim *eim)
{
    wr_done(&eim->object);
}

/* The record of a new eIM (before NULL), or of one that changes; token 0: none. */
static int store_record(struct euicc *e, uint16_t number, struct rd configuration,
                        const struct eim *before, uint64_t token)
{
    char key[NVM_KEY_MAX];
    struct wr w;

    wr_init_heap(&w, RECORD_MAX);
    struct wr_mark m = tlv_open(&w, TAG_SEQUENCE);
    eim_config_put(e, configuration, before != NULL ? before->configuration : rd_of(NULL, 0), &w);
    tlv_close(&w, m);
    if (token != 0)
        tlv_put_uint(&w, EIM_ASSOCIATION_TOKEN, token);
    record_key(number, key);
    int err = wr_failed(&w);
    if (err == 0)
        err = nvm_put(e->nvm, key, wr_view(&w));
    wr_done(&w);
    return err;
}

int eim_set_counter(struct euicc *e, const struct eim *eim, uint64_t counter)
{
    char key[NVM_KEY_MAX];

    counter_key(eim->number, key);
    return nvm_put_uint(e->nvm, key, counter);
}

int eim_key(struct euicc *e, const struct eim *eim, struct ec_pub **ret)
{
    const char *why = "it is missing";
    struct tlv t;

    int err = ERR_INPUT;
    if (tlv_find(eim->configuration, EIM_PUBLIC_KEY_DATA, &t))
        err = eim_config_key(e, t.value, ret, &why);
    if (err == ERR_INPUT)
        return FAULT(&e->trace, ERR_NVM, "the key of eIM %u is damaged: %s", eim->number, why);
    return err;
}

/* --- finding ---------------------------------------------------------------------------------- */

int eim_next(struct euicc *e, uint16_t *number)
{
    char key[NVM_KEY_MAX] = "";
    unsigned next = NO_EIM;
    bool found;

    if (*number != NO_EIM)
        record_key(*number, key);
    TRY(nvm_next(e->nvm, KEY_PREFIX, key, &found));
    if (found && sscanf(key, KEY_PREFIX "%4x", &next) != 1)
        return FAULT(&e->trace, ERR_NVM, "strange key %s", key);
    *number = (uint16_t)next;
    return 0;
}

int eim_count(struct euicc *e, size_t *ret)
{
    uint16_t number = NO_EIM;

    for (*ret = 0;; ++*ret) {
        TRY(eim_next(e, &number));
        if (number == NO_EIM)
            return 0;
    }
}

int eim_find(struct euicc *e, struct rd id, struct eim *ret, bool *ret_found)
{
    uint16_t number = NO_EIM;

    for (;;) {
        struct eim eim;
        *ret_found = false;
        TRY(eim_next(e, &number));
        if (number == NO_EIM)
            return 0;
        TRY(eim_load(e, number, &eim, ret_found));
        if (*ret_found && rd_equal(eim.id, id)) {
            *ret = eim;
            return 0;
        }
        if (*ret_found)
            eim_done(&eim);
    }
}

static int exists(struct euicc *e, struct rd id, bool *ret)
{
    struct eim eim;

    TRY(eim_find(e, id, &eim, ret));
    if (*ret)
        eim_done(&eim);
    return 0;
}

/* Behind the last one; where no number is left there, the lowest that is free. */
static int next_number(struct euicc *e, uint16_t *ret)
{
    uint16_t number = NO_EIM, last = NO_EIM, lowest = 0;

    for (;;) {
        TRY(eim_next(e, &number));
        if (number == NO_EIM)
            break;
        if (number == lowest)
            lowest++;
        last = number;
    }
    *ret = last == NO_EIM ? 0 : last + 1 < NO_EIM ? (uint16_t)(last + 1) : lowest;
    return 0;
}

/* --- what is told of them --------------------------------------------------------------------- */

void eim_put_token(const struct eim *eim, struct wr *w)
{
    tlv_put_uint(w, EIM_ASSOCIATION_TOKEN, eim->has_token ? eim->token : 0);
}

void eim_put_configuration(const struct eim *eim, struct wr *w)
{
    struct rd in = eim->configuration;
    struct tlv t;

    struct wr_mark m = tlv_open(w, TAG_SEQUENCE);
    while (tlv_get(&in, &t) == 0) {
        if (t.tag == EIM_PUBLIC_KEY_DATA && eim->has_token)
            eim_put_token(eim, w);
        wr_put_rd(w, t.whole);
    }
    tlv_close(w, m);
}

/* EimIdInfo: the type only where it says something. */
static void put_id_info(const struct euicc *e, const struct eim *eim, struct wr *w)
{
    const uint32_t tag_of_type = iot_at_least(e, IOT_V1_1) ? TAG_CTX_2 : TAG_CTX_4;
    uint64_t type;
    struct tlv t;

    struct wr_mark m = tlv_open(w, TAG_SEQUENCE);
    tlv_put(w, TAG_CTX_0, eim->id);
    if (tlv_find(eim->configuration, EIM_ID_TYPE, &t) && tlv_uint(t.value, &type) == 0 &&
        type != EIM_ID_TYPE_PROPRIETARY)
        tlv_put_uint(w, tag_of_type, type);
    tlv_close(w, m);
}

int eim_put_list(struct euicc *e, struct wr *w)
{
    uint16_t number = NO_EIM;
    bool found;

    struct wr_mark m = tlv_open(w, TAG_CHOICE_0);
    for (;;) {
        struct eim eim;
        TRY(eim_next(e, &number));
        if (number == NO_EIM)
            break;
        TRY(eim_load(e, number, &eim, &found));
        if (!found)
            continue;
        put_id_info(e, &eim, w);
        eim_done(&eim);
    }
    tlv_close(w, m);
    return 0;
}

/* --- changing them ---------------------------------------------------------------------------- */

/* Is there an associationToken to give?  Tokens go up for as long as the card lives. */
static int next_token(struct euicc *e, struct rd configuration, uint64_t *ret)
{
    uint64_t token;
    struct tlv t;

    *ret = 0;
    if (!tlv_find(configuration, EIM_ASSOCIATION_TOKEN, &t))
        return 0;
    TRY(nvm_get_uint(e->nvm, KEY_TOKEN, 0, &token));
    TRY(nvm_put_uint(e->nvm, KEY_TOKEN, ++token));
    *ret = token;
    return 0;
}

int eim_add(struct euicc *e, struct rd configuration, const char *who, const char *clause,
            uint64_t *ret_token)
{
    struct eim eim = { 0 };
    uint64_t counter;
    const char *why;
    struct tlv t;
    size_t count;
    bool there;

    int result = eim_config_check(e, configuration, &why);
    if (result != 0)
        return result > 0 ? eim_refuse(e, who, result, why, clause) : result;
    if (!tlv_find(configuration, EIM_ID, &t))
        return ERR_BUG;
    TRY(exists(e, t.value, &there));
    if (there)
        return eim_refuse(e, who,
                          iot_at_least(e, IOT_V1_1) ? EIM_ALREADY_ASSOCIATED : EIM_COMMAND_ERROR,
                          "an eIM of this eimId is associated", clause);
    TRY(eim_count(e, &count));
    if (count >= setting_number(&e->settings, SET_MAX_EIMS))
        return eim_refuse(e, who, EIM_INSUFFICIENT_MEMORY, "as many eIMs as max_eims are there",
                          clause);
    TRY(next_number(e, &eim.number));
    TRY(next_token(e, configuration, ret_token));
    TRY(store_record(e, eim.number, configuration, NULL, *ret_token));
    if (!tlv_find(configuration, EIM_COUNTER_VALUE, &t) || tlv_uint(t.value, &counter) != 0)
        return ERR_BUG;
    return eim_set_counter(e, &eim, counter);
}

/* Does the change bring a key that the eIM did not have? */
static int brings_new_key(struct euicc *e, const struct eim *eim, struct rd configuration,
                          bool *ret)
{
    uint8_t points[2][EC_POINT_LEN];
    struct ec_pub *keys[2] = { NULL, NULL };
    const char *why;
    struct tlv t;

    *ret = false;
    if (!tlv_find(configuration, EIM_PUBLIC_KEY_DATA, &t))
        return 0;
    int err = eim_key(e, eim, &keys[0]);
    if (err == 0)
        err = eim_config_key(e, t.value, &keys[1], &why);
    if (err == 0) {
        ec_pub_point(keys[0], points[0]);
        ec_pub_point(keys[1], points[1]);
        *ret = ec_pub_curve(keys[0]) != ec_pub_curve(keys[1]) ||
               !crypto_equal(points[0], points[1], EC_POINT_LEN);
    }
    ec_pub_free(&keys[0]);
    ec_pub_free(&keys[1]);
    return err;
}

/* A counter may only go back together with the key: what was signed before does not verify then. */
static int update_counter(struct euicc *e, const struct eim *eim, struct rd configuration,
                          const char *who, const char *clause)
{
    uint64_t counter;
    struct tlv t;
    bool new_key;

    if (!tlv_find(configuration, EIM_COUNTER_VALUE, &t))
        return 0;
    TRY(tlv_uint(t.value, &counter));
    if (counter < eim->counter) {
        TRY(brings_new_key(e, eim, configuration, &new_key));
        if (!new_key)
            return eim_refuse(e, who, EIM_COUNTER_OUT_OF_RANGE,
                              "counterValue goes back without a new public key", clause);
    }
    return eim_set_counter(e, eim, counter);
}

int eim_update(struct euicc *e, struct rd configuration, const char *who, const char *clause)
{
    const char *why;
    struct eim eim;
    struct tlv id;
    bool found;

    int result = eim_config_check_change(e, configuration, &why);
    if (result != 0)
        return result > 0 ? eim_refuse(e, who, result, why, clause) : result;
    if (!tlv_find(configuration, EIM_ID, &id))
        return ERR_BUG;
    TRY(eim_find(e, id.value, &eim, &found));
    if (!found)
        return refuse_unknown(e, who, clause);
    result = update_counter(e, &eim, configuration, who, clause);
    if (result == 0)
        result = store_record(e, eim.number, configuration, &eim, eim.has_token ? eim.token : 0);
    eim_done(&eim);
    return result;
}

int eim_delete(struct euicc *e, struct rd id, const char *who, const char *clause)
{
    char key[NVM_KEY_MAX];
    struct eim eim;
    size_t left;
    bool found;

    if (id.n == 0)
        return eim_refuse(e, who, EIM_COMMAND_ERROR, "eimId is missing", clause);
    TRY(eim_find(e, id, &eim, &found));
    if (!found)
        return refuse_unknown(e, who, clause);
    uint16_t number = eim.number;
    eim_done(&eim);
    record_key(number, key);
    TRY(nvm_del(e->nvm, key));
    counter_key(number, key);
    TRY(nvm_del(e->nvm, key));
    TRY(eim_count(e, &left));
    if (left > 0)
        return EIM_OK;
    trace_note(&e->trace, "%s: the last eIM is gone (%s)", who, clause);
    return EIM_LAST_DELETED;
}

int eim_delete_all(struct euicc *e, bool *ret_any)
{
    size_t count;

    TRY(eim_count(e, &count));
    TRY(nvm_del_all(e->nvm, KEY_PREFIX));
    TRY(nvm_del_all(e->nvm, KEY_COUNTER));
    *ret_any = count > 0;
    return 0;
}

/* --- manufacture ------------------------------------------------------------------------------ */

/* One EimConfigurationData's contents.  NULL, or why not. */
static const char *preload_one(struct euicc *e, struct rd configuration)
{
    const char *why = "the storage failed";
    uint64_t token;
    size_t count;
    struct tlv id;
    bool there;

    if (eim_config_check(e, configuration, &why) != 0 || !tlv_find(configuration, EIM_ID, &id) ||
        exists(e, id.value, &there) != 0 || eim_count(e, &count) != 0)
        return why;
    if (there)
        return "an eIM of this eimId is there already";
    if (count >= setting_number(&e->settings, SET_MAX_EIMS))
        return "there are more of them than setting max_eims";
    return eim_add(e, configuration, "manufacture", "SGP.32 2.11.1.1.1", &token) == 0 ? NULL : why;
}

static const char *preload_list(struct euicc *e, struct rd list)
{
    const char *why = list.n == 0 ? "its list is empty" : NULL;
    struct tlv one;

    while (why == NULL && list.n > 0)
        why = tlv_expect(&list, TAG_SEQUENCE, &one) != 0 ? "its list is damaged"
                                                         : preload_one(e, one.value);
    return why;
}

const char *eim_preload(struct euicc *e, struct rd der)
{
    const char *why = "it is neither EimConfigurationData (30) nor AddInitialEimRequest (BF57)";
    struct tlv outer, list;

    if (!iot_at_least(e, IOT_V1_0))
        return "the card has no functions for eIMs (setting iot)";
    if (tlv_get(&der, &outer) != 0 || der.n != 0)
        return "it is not one whole TLV in DER";
    if (outer.tag == TAG_SEQUENCE)
        why = preload_one(e, outer.value);
    else if (outer.tag == TAG_ADD_INITIAL_EIM && tlv_find(outer.value, TAG_CHOICE_0, &list))
        why = preload_list(e, list.value);
    if (why == NULL && nvm_commit(e->nvm) != 0)
        why = "the storage failed";
    if (why != NULL)
        nvm_abort(e->nvm);
    return why;
}
