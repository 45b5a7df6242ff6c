/* ipa_indirect.c - a download through an eIM, which speaks to the SM-DP+ (SGP.32 3.2.3.2, 5.14.1
 * to 5.14.3, 5.14.8). */
#include <string.h>

#include "lab/ipa_eim.h"
#include "os/err.h"
#include "os/tlv.h"

enum { TAG_UTF8_STRING = 0x0C };

struct indirect {
    struct eim_session *eim;
    struct rd tid;
    struct next_step *next;
};

/* Sends what stands in the request and takes the arm that went well; the others are told. */
static int exchange(struct download *d, enum download_step step, struct tlv *ret_arm,
                    struct lab_error *e)
{
    static const enum code_list codes[] = {
        [STEP_INITIATE] = CODES_ESIPA_INITIATE,
        [STEP_AUTHENTICATE] = CODES_ESIPA_AUTHENTICATE,
        [STEP_GET_PACKAGE] = CODES_ESIPA_PACKAGE,
    };
    const struct indirect *indirect = d->ctx;
    const char *name = esipa_step_name(step);
    struct rd answer;
    uint64_t code;

    TRY(eim_exchange(indirect->eim, &answer, e));
    if (esipa_read_step(answer, step, ret_arm) != 0)
        return lab_fail(e, "%s: the answer of the eIM is malformed", name);
    if (!esipa_is_error(step, ret_arm))
        return 0;
    wr_clear(&d->outcome->refusal);
    wr_put_rd(&d->outcome->refusal, answer);
    if (tlv_uint(ret_arm->value, &code) != 0)
        return lab_fail(e, "%s: the answer of the eIM is malformed", name);
    if (esipa_asks_code(step, code))
        d->reason = CANCEL_POSTPONED;
    return lab_fail(e, "%s: %s(%llu)", name, code_name(codes[step], (long)code),
                    (unsigned long long)code);
}

static int take_fields(struct download *d, enum download_step step, const struct tlv *arm,
                       struct lab_error *e)
{
    if (arm->tag == 0xA0 && esipa_take_fields(step, arm->value, d->fields))
        return 0;
    return lab_fail(e, "%s: a field is missing in the eIM's answer", esipa_step_name(step));
}

static int initiate(struct download *d, struct rd challenge, struct lab_error *e)
{
    struct indirect *indirect = d->ctx;
    struct eim_session *eim = indirect->eim;
    const bool eim_knows_info1 = eim->features & FEATURE_COMPACT && eim->known.info1;
    const struct esipa_initiation initiation = {
        .challenge = challenge,
        .address = eim->features & FEATURE_EIM_DOWNLOAD ? "" : d->ac.address,
        .info1 = eim_knows_info1 ? rd_of(NULL, 0) : wr_view(&d->info1),
        .tid = indirect->tid,
    };
    struct tlv ok, t;

    wr_clear(&eim->request);
    esipa_put_initiation(&eim->request, eim->version, &initiation);
    TRY(exchange(d, STEP_INITIATE, &ok, e));
    TRY(take_fields(d, STEP_INITIATE, &ok, e));
    if (tlv_find(ok.value, 0x80, &t))
        hex_text(t.value, d->claimed_id, sizeof d->claimed_id);
    if (tlv_find(ok.value, TAG_UTF8_STRING, &t) && d->ac.matching_id[0] == '\0' &&
        !copy_rd(t.value, d->ac.matching_id, sizeof d->ac.matching_id))
        return lab_fail(e, "InitiateAuthentication: the matchingId is too long");
    eim->known.ctx_params = d->fields[FIELD_CTX_PARAMS].n > 0;
    return 0;
}

/* {80 transactionId, the eUICC's response}, short if that was agreed. */
static struct wr_mark open_request(struct download *d, enum download_step step)
{
    struct indirect *indirect = d->ctx;
    struct wr *w = &indirect->eim->request;

    wr_clear(w);
    return esipa_open_step(w, step, rd_of(d->id.b, d->id.n));
}

/* The answer of an SM-DS: where to go on (3.9). */
static int read_next(const struct indirect *indirect, struct rd body, struct lab_error *e)
{
    struct tlv t;

    if (!tlv_find(body, PROFILE_DOWNLOAD_TRIGGER, &t) ||
        download_from_read(t.value, &indirect->next->from) != 0)
        return lab_fail(e, "AuthenticateClient: the SM-DS has nothing for this eUICC");
    indirect->next->from.tid = rd_of(NULL, 0);
    indirect->next->given = true;
    return lab_fail(e, "AuthenticateClient: the SM-DS names another server");
}

static int authenticate_client(struct download *d, struct rd response, struct lab_error *e)
{
    const struct indirect *indirect = d->ctx;
    struct eim_session *eim = indirect->eim;
    struct tlv ok;

    struct wr_mark mark = open_request(d, STEP_AUTHENTICATE);
    if (!(eim->features & FEATURE_COMPACT) ||
        compact_authenticate(response, &eim->known, &eim->request) != 0)
        wr_put_rd(&eim->request, response);
    tlv_close(&eim->request, mark);
    TRY(exchange(d, STEP_AUTHENTICATE, &ok, e));
    if (ok.tag == 0xA1)
        return read_next(indirect, ok.value, e);
    d->server_has_session = true;
    return take_fields(d, STEP_AUTHENTICATE, &ok, e);
}

static int get_bpp(struct download *d, struct rd response, struct lab_error *e)
{
    const struct indirect *indirect = d->ctx;
    struct eim_session *eim = indirect->eim;
    struct tlv ok;

    struct wr_mark mark = open_request(d, STEP_GET_PACKAGE);
    if (!(eim->features & FEATURE_COMPACT) || compact_prepare(response, &eim->request) != 0)
        wr_put_rd(&eim->request, response);
    tlv_close(&eim->request, mark);
    TRY(exchange(d, STEP_GET_PACKAGE, &ok, e));
    return take_fields(d, STEP_GET_PACKAGE, &ok, e);
}

static void cancel(struct download *d, struct rd response)
{
    const struct indirect *indirect = d->ctx;
    struct eim_session *eim = indirect->eim;
    struct rd in = response, answer;
    struct lab_error e;
    struct tlv t;

    if (tlv_get(&in, &t) != 0)
        return;
    struct wr_mark mark = open_request(d, STEP_CANCEL);
    struct wr_mark arm = tlv_open(&eim->request, 0xA1);
    if (!(eim->features & FEATURE_COMPACT) || compact_cancel(response, &eim->request) != 0)
        wr_put_rd(&eim->request, t.value);
    tlv_close(&eim->request, arm);
    tlv_close(&eim->request, mark);
    if (eim_exchange(eim, &answer, &e) != 0)
        eim_tell(eim, "cancelSession", "%s", e.text);
}

int download_indirect(struct eim_session *s, const struct activation_code *ac, struct rd tid,
                      struct download_outcome *ret, struct next_step *ret_next, struct lab_error *e)
{
    static const struct download_server esipa = { initiate, authenticate_client, get_bpp, cancel };
    const struct download_wanted wanted = { .ac = ac };
    struct indirect indirect = { .eim = s, .tid = tid, .next = ret_next };
    bool unused;

    ret_next->given = false;
    return download_run(s->ipa, &esipa, &indirect, &wanted, ret, &unused, e);
}
