/* euicc_package.c - LoadEuiccPackage: what an eIM has signed is checked, executed and answered with
 * a result that the eUICC signs (SGP.32 5.9.1, 3.3.1, 2.11.1.1, 2.11.2.1).
 *
 * The checks are a ladder, a row each in the order of their answers.  From its end on there is one
 * transaction: the counter, what the operations do, the result and the switch of profiles. */
#include "applets/isdr/euicc_package.h"

#include <inttypes.h>

#include "applets/ecasd/ecasd.h"
#include "applets/isdr/eim_config.h"
#include "applets/isdr/es10.h"
#include "applets/isdr/package_result.h"
#include "applets/isdr/profile_state.h"

enum {
    TRANSACTION_ID_MAX = 16,
    UNSIGNED_CODE = 0x8F, /* euiccPackageUnsignedErrorCode, v1.3 */

    /* Octets around the elements of a result that is signed and framed: BF51, A0, 5F37, and what
     * the lengths of its two SEQUENCEs grow by. */
    FRAME_LEN = 5 + 4 + 67 + 4,
    SEQUENCES_LEN = 2 + 2,
    SEQUENCE_NUMBER_MAX = 11, /* seqNumber, 83 L V */
    TERMINATED_LEN = 3,       /* processingTerminated, 02 01 V */
    ELEMENT_MAX = 16,         /* of an operation that changes something */
};

enum package_error { /* EuiccPackageErrorCode */
                     NO_ERROR_CODE = 0,
                     INVALID_EID = 3,
                     REPLAY_ERROR = 4,
                     COUNTER_OUT_OF_RANGE = 6,
                     SIZE_OVERFLOW = 15,
};

enum terminated { /* processingTerminated */
                  RESULT_SIZE_OVERFLOW = 1,
                  UNKNOWN_OR_DAMAGED_COMMAND = 2,
};

/* EuiccPackageRequest, taken apart as far as the ladder has come; views into the request. */
struct load {
    struct euicc *e;
    struct rd body;
    struct tlv package_signed, signature;
    struct rd id, eid, transaction_id; /* transaction_id.n == 0: absent */
    struct rd counter_octets;
    uint64_t counter;
    struct eim eim; /* known from the second rung on */
    bool eim_known;
    bool tells_token; /* an unsigned error does */
    struct rd list;
    const struct package_operation *operations;
    size_t n_operations;
};

/* --- the ladder ------------------------------------------------------------------------------- */

/* The least that an answer needs. */
static bool read_id(struct load *l)
{
    struct tlv id;

    if (!tlv_find(l->body, TAG_SEQUENCE, &l->package_signed) ||
        !tlv_find(l->package_signed.value, TAG_CTX_0, &id))
        return false;
    l->id = id.value;
    return eim_id_is_valid(l->id);
}

/* An INTEGER as it must be written; one that no counter reaches reads as the highest number. */
static bool read_counter(struct load *l)
{
    struct rd v = l->counter_octets;

    if (v.n == 0 || (v.p[0] & 0x80) || (v.n > 1 && v.p[0] == 0 && !(v.p[1] & 0x80)))
        return false;
    if (tlv_uint(v, &l->counter) != 0)
        l->counter = UINT64_MAX;
    return true;
}

static int decodes(struct load *l, bool *ret)
{
    struct rd in = l->package_signed.value;
    struct tlv eid, counter, id;

    *ret = false;
    if (tlv_find(in, TAG_CTX_2, &id)) {
        if (id.value.n == 0 || id.value.n > TRANSACTION_ID_MAX)
            return 0;
        l->transaction_id = id.value;
    }
    if (!tlv_all_whole(in) || !tlv_find(in, TAG_ICCID, &eid) || eid.value.n != EID_LEN ||
        !tlv_find(in, TAG_CTX_1, &counter) || !tlv_find(l->body, TAG_SIGNATURE, &l->signature))
        return 0;
    l->eid = eid.value; /* 5A: an EID here */
    l->counter_octets = counter.value;
    *ret = read_counter(l);
    return 0;
}

static int is_small_enough(struct load *l, bool *ret)
{
    *ret = tlv_header_len(TAG_EUICC_PACKAGE, l->body.n) + l->body.n <=
           setting_number(&l->e->settings, SET_PACKAGE_MAX);
    return 0;
}

static int is_associated(struct load *l, bool *ret)
{
    TRY(eim_find(l->e, l->id, &l->eim, &l->eim_known));
    *ret = l->eim_known;
    return 0;
}

/* Over the octets as received, then the association token (SGP.32 2.11.1.1). */
static int verifies(struct load *l, bool *ret)
{
    uint8_t octets[EIM_TOKEN_OBJECT_MAX];
    struct ec_pub *key = NULL;
    struct wr token;

    wr_init(&token, octets, sizeof octets);
    eim_put_token(&l->eim, &token);
    TRY(wr_failed(&token));
    TRY(eim_key(l->e, &l->eim, &key));
    const struct rd parts[] = { l->package_signed.whole, wr_view(&token) };
    *ret = ecdsa_verify(l->e->crypto, key, parts, N_ELEMS(parts), l->signature.value);
    ec_pub_free(&key);
    l->tells_token = !*ret;
    return 0;
}

static int is_ours(struct load *l, bool *ret)
{
    *ret = rd_equal(l->eid, rd_of(ecasd_eid(l->e), EID_LEN));
    return 0;
}

static int is_countable(struct load *l, bool *ret)
{
    *ret = l->counter <= setting_number(&l->e->settings, SET_EIM_COUNTER_MAX);
    return 0;
}

static int is_new(struct load *l, bool *ret)
{
    *ret = l->counter > l->eim.counter;
    return 0;
}

static int is_no_emergency(struct load *l, bool *ret)
{
    struct profile_switch now;

    TRY(profile_get_switch(l->e, &now));
    *ret = !now.emergency;
    return 0;
}

/* How far the data of a result may be written, with its SEQUENCEs open. */
static size_t result_limit(const struct euicc *e)
{
    return (size_t)setting_number(&e->settings, SET_PACKAGE_RESULT_MAX) - FRAME_LEN;
}

static int result_fits(struct load *l, bool *ret)
{
    size_t n = SEQUENCES_LEN + SEQUENCE_NUMBER_MAX + TERMINATED_LEN;

    n += tlv_header_len(TAG_CTX_0, l->id.n) + l->id.n;
    n += tlv_header_len(TAG_CTX_1, l->counter_octets.n) + l->counter_octets.n;
    n += tlv_header_len(TAG_CTX_2, l->transaction_id.n) + l->transaction_id.n;
    *ret = n <= result_limit(l->e);
    return 0;
}

static int result_has_room(struct load *l, bool *ret)
{
    return package_result_has_room(l->e, ret);
}

/* PSMOs or eCOs, not both and no third kind. */
static int has_operations(struct load *l, bool *ret)
{
    struct tlv psmos, ecos;
    bool has_psmos = tlv_find(l->package_signed.value, TAG_CHOICE_0, &psmos);
    bool has_ecos = tlv_find(l->package_signed.value, TAG_CHOICE_1, &ecos);

    *ret = has_psmos != has_ecos;
    l->list = has_psmos ? psmos.value : has_ecos ? ecos.value : rd_of(NULL, 0);
    l->operations = has_psmos ? psmo_operations : eco_operations;
    l->n_operations = has_psmos ? psmo_n_operations : eco_n_operations;
    return 0;
}

static const struct rung {
    int (*passes)(struct load *l, bool *ret);
    uint32_t answer; /* A1 signed, A2 unsigned: there its code is of v1.3 */
    int code;
    const char *name, *why;
} ladder[] = {
    { decodes, TAG_CHOICE_2, UNDEFINED_ERROR, "undefinedError",
      "a field is missing, broken or beyond its bound" },
    { is_small_enough, TAG_CHOICE_2, SIZE_OVERFLOW, "sizeOverflow",
      "the package is beyond the setting package_max" },
    { is_associated, TAG_CHOICE_2, NO_ERROR_CODE, "no code", "eimId is of no Associated eIM" },
    { verifies, TAG_CHOICE_2, NO_ERROR_CODE, "no code",
      "eimSignature does not verify under the eIM's key, with its association token" },
    { is_ours, TAG_CHOICE_1, INVALID_EID, "invalidEid", "eidValue is not this eUICC's" },
    { is_countable, TAG_CHOICE_1, COUNTER_OUT_OF_RANGE, "counterValueOutOfRange",
      "counterValue is beyond the setting eim_counter_max" },
    { is_new, TAG_CHOICE_1, REPLAY_ERROR, "replayError",
      "counterValue is not above the one accepted last" },
    { is_no_emergency, TAG_CHOICE_1, IOT_ECALL_ACTIVE, "ecallActive",
      "the Emergency Profile is enabled" },
    { result_fits, TAG_CHOICE_1, SIZE_OVERFLOW, "sizeOverflow",
      "no result is as short as the setting package_result_max" },
    { result_has_room, TAG_CHOICE_1, SIZE_OVERFLOW, "sizeOverflow",
      "as many results wait as the setting max_package_results allows" },
    { has_operations, TAG_CHOICE_1, UNDEFINED_ERROR, "undefinedError",
      "there is not one list of PSMOs or eCOs" },
};

/* *ret is the rung that the package does not take, or NULL. */
static int climb(struct load *l, const struct rung **ret)
{
    bool passes;

    *ret = NULL;
    for (size_t i = 0; i < N_ELEMS(ladder) && *ret == NULL; i++) {
        TRY(ladder[i].passes(l, &passes));
        if (!passes)
            *ret = &ladder[i];
    }
    return 0;
}

/* --- errors ----------------------------------------------------------------------------------- */

/* The fields that a result and a signed error begin with. */
static void put_head(const struct load *l, struct wr *w)
{
    tlv_put(w, TAG_CTX_0, l->id);
    tlv_put(w, TAG_CTX_1, l->counter_octets);
    if (l->transaction_id.n > 0)
        tlv_put(w, TAG_CTX_2, l->transaction_id);
}

static int put_unsigned(const struct load *l, int code, struct wr *rsp)
{
    struct wr_mark m = tlv_open(rsp, TAG_EUICC_PACKAGE);
    struct wr_mark error = tlv_open(rsp, TAG_CHOICE_2);
    tlv_put(rsp, TAG_CTX_0, l->id);
    if (l->transaction_id.n > 0 && iot_at_least(l->e, IOT_V1_1))
        tlv_put(rsp, TAG_CTX_2, l->transaction_id);
    if (l->tells_token && l->eim.has_token)
        eim_put_token(&l->eim, rsp);
    if (code != NO_ERROR_CODE && iot_at_least(l->e, IOT_V1_3))
        tlv_put_uint(rsp, UNSIGNED_CODE, (uint64_t)code);
    tlv_close(rsp, error);
    tlv_close(rsp, m);
    return 0;
}

static int put_signed(const struct load *l, int code, struct wr *rsp)
{
    struct wr data;

    wr_init_heap(&data, EUICC_MAX_ANSWER);
    struct wr_mark m = tlv_open(&data, TAG_SEQUENCE);
    put_head(l, &data);
    tlv_put_uint(&data, TAG_INTEGER, (uint64_t)code);
    tlv_close(&data, m);
    int err = wr_failed(&data);
    if (err == 0)
        err = package_error_put(l->e, &l->eim, wr_view(&data), rsp);
    wr_done(&data);
    return err;
}

static int refuse(const struct load *l, const struct rung *rung, struct wr *rsp)
{
    const struct result_name name = { rung->code, rung->name };

    es10_refuse(l->e, "LoadEuiccPackage", &name, 1, rung->code, rung->why, "SGP.32 5.9.1");
    return rung->answer == TAG_CHOICE_2 ? put_unsigned(l, rung->code, rsp)
                                        : put_signed(l, rung->code, rsp);
}

/* --- execution -------------------------------------------------------------------------------- */

int package_put_code(struct wr *result, uint32_t tag, int code)
{
    tlv_put_uint(result, tag, (uint64_t)code);
    return code;
}

/* In place of the element of an operation that was not executed, or that told too much: what was
 * written of it goes. */
static int terminate(const struct euicc *e, struct wr *data, size_t at, enum terminated code)
{
    static const struct result_name names[] = {
        { RESULT_SIZE_OVERFLOW, "resultSizeOverflow" },
        { UNKNOWN_OR_DAMAGED_COMMAND, "unknownOrDamagedCommand" },
    };

    data->n = at;
    es10_refuse(e, "processingTerminated", names, N_ELEMS(names), (int)code,
                code == RESULT_SIZE_OVERFLOW ? "the result is beyond the setting package_result_max"
                                             : "the operation is unknown or damaged",
                "SGP.32 3.3.1");
    return package_put_code(data, TAG_INTEGER, (int)code);
}

static const struct package_operation *find_operation(const struct load *l, uint32_t tag)
{
    for (size_t i = 0; i < l->n_operations; i++)
        if (l->operations[i].tag == tag && iot_at_least(l->e, l->operations[i].since))
            return &l->operations[i];
    return NULL;
}

/* The first operation of *list.  What changes something has a short element, for which there is
 * room before it begins; what only tells can be taken back. */
static int run_first(const struct load *l, struct package *p, struct rd *list, struct wr *data)
{
    const struct package_operation *operation = NULL;
    size_t at = data->n, limit = result_limit(l->e);
    struct tlv t;

    if (at + ELEMENT_MAX + TERMINATED_LEN > limit)
        return terminate(l->e, data, at, RESULT_SIZE_OVERFLOW);
    if (tlv_get(list, &t) == 0 && tlv_all_whole(t.value))
        operation = find_operation(l, t.tag);
    if (operation == NULL)
        return terminate(l->e, data, at, UNKNOWN_OR_DAMAGED_COMMAND);
    trace_note(&l->e->trace, "%s (%s)", operation->name, operation->clause);
    int result = operation->run(p, t.value, data);
    if (result == ERR_INPUT)
        return terminate(l->e, data, at, UNKNOWN_OR_DAMAGED_COMMAND);
    if (result < 0)
        return result;
    TRY(wr_failed(data));
    if (data->n + TERMINATED_LEN > limit)
        return terminate(l->e, data, at, RESULT_SIZE_OVERFLOW);
    return result;
}

/* One after the other; a positive result ends it (SGP.32 3.3.1). */
static int run_operations(const struct load *l, struct package *p, struct wr *data)
{
    int result = 0;

    for (struct rd list = l->list; list.n > 0 && result == 0;)
        result = run_first(l, p, &list, data);
    return result < 0 ? result : 0;
}

/* euiccPackageResultDataSigned, with everything that the operations do. */
static int put_data(const struct load *l, struct package *p, struct wr *data)
{
    struct wr_mark m = tlv_open(data, TAG_SEQUENCE);
    put_head(l, data);
    tlv_put_uint(data, TAG_CTX_3, p->sequence);
    struct wr_mark results = tlv_open(data, TAG_SEQUENCE);
    TRY(run_operations(l, p, data));
    tlv_close(data, results);
    tlv_close(data, m);
    return wr_failed(data);
}

/* What was marked becomes the state of things.  Last of all, since a REFRESH that is queued stays
 * queued. */
static int settle(const struct package *p)
{
    if (p->enables || p->disables)
        return profile_switch_to(p->e, &p->next, SWITCH_AND_TELL, true);
    return p->deletes ? profile_set_switch(p->e, &p->next) : 0;
}

static int execute(const struct load *l, struct wr *rsp)
{
    struct package p = { .e = l->e };
    struct wr data;

    TRY(profile_get_switch(l->e, &p.before));
    p.next = p.before;
    TRY(eim_set_counter(l->e, &l->eim, l->counter));
    TRY(package_result_sequence(l->e, &p.sequence));
    wr_init_heap(&data, EUICC_MAX_ANSWER);
    int err = put_data(l, &p, &data);
    if (err == 0)
        err = package_result_add(l->e, &l->eim, p.sequence, wr_view(&data), rsp);
    wr_done(&data);
    return err != 0 ? err : settle(&p);
}

int es10b_load_euicc_package(struct session *s, struct rd body, struct wr *rsp)
{
    struct load l = { .e = s->euicc, .body = body };
    const struct rung *missed;

    if (!read_id(&l))
        return ERR_INPUT;
    int err = climb(&l, &missed);
    if (err == 0)
        err = missed != NULL ? refuse(&l, missed, rsp) : execute(&l, rsp);
    if (l.eim_known)
        eim_done(&l.eim);
    return err;
}
