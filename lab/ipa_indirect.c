/* ipa_indirect.c - a download through an eIM, which speaks to the SM-DP+ (SGP.32 3.2.3.2, 5.14.1
 * to 5.14.3, 5.14.8). */
#include <string.h>

#include "lab/ipa_eim.h"
#include "os/err.h"
#include "os/tlv.h"
#include "os/x509.h"

enum {
    TAG_SEQUENCE = 0x30,
    TAG_OCTET_STRING = 0x04,
    TAG_UTF8_STRING = 0x0C,
    TAG_SIGNATURE = 0x5F37,
    TAG_METADATA = 0xBF25,
    TAG_PACKAGE = 0xBF36,
    CODE_MISSING = 2, /* getBoundProfilePackageErrorEsipa: confirmationCodeMissing, ...Refused */
    CODE_REFUSED = 3,
};

struct indirect {
    struct eim_session *eim;
    struct rd tid;
    struct next_step *next;
};

/* Sends what stands in the request and takes the arm that went well; the others are told. */
static int exchange(struct download *d, uint32_t tag, uint32_t error_tag, enum code_list codes,
                    const char *function, struct tlv *ret_arm, struct lab_error *e)
{
    const struct indirect *indirect = d->ctx;
    struct tlv outer;
    struct rd answer;
    uint64_t code;

    TRY(eim_exchange(indirect->eim, &answer, e));
    struct rd whole = answer;
    if (tlv_expect(&answer, tag, &outer) != 0 || answer.n != 0 ||
        tlv_get(&outer.value, ret_arm) != 0 || outer.value.n != 0)
        return lab_fail(e, "%s: the answer of the eIM is malformed", function);
    if (ret_arm->tag != error_tag)
        return 0;
    wr_clear(&d->outcome->refusal);
    wr_put_rd(&d->outcome->refusal, whole);
    if (tlv_uint(ret_arm->value, &code) != 0)
        return lab_fail(e, "%s: the answer of the eIM is malformed", function);
    if (codes == CODES_ESIPA_PACKAGE && (code == CODE_MISSING || code == CODE_REFUSED))
        d->reason = CANCEL_POSTPONED;
    return lab_fail(e, "%s: %s(%llu)", function, code_name(codes, (long)code),
                    (unsigned long long)code);
}

/* Copies the nth child with this tag to a field; nothing where there is none. */
static bool take(struct download *d, struct rd body, uint32_t tag, unsigned nth,
                 enum download_field field)
{
    struct tlv t;

    wr_clear(&d->fields[field]);
    if (!tlv_find_nth(body, tag, nth, &t))
        return false;
    wr_put_rd(&d->fields[field], t.whole);
    return wr_failed(&d->fields[field]) == 0;
}

/* The first one.  An eIM may hand on what ES9+ has in JSON as it is, with a tag and a length of its
 * own: longer than the longest such field. */
static bool take_plain(struct download *d, struct rd body, uint32_t tag, size_t longest,
                       enum download_field field)
{
    struct tlv t, within;

    if (!tlv_find(body, tag, &t))
        return false;
    struct rd in = t.value;
    bool twice = in.n > longest && tlv_expect(&in, tag, &within) == 0 && in.n == 0;
    return take(d, twice ? t.value : body, tag, 0, field);
}

static int initiate(struct download *d, struct rd challenge, struct lab_error *e)
{
    struct indirect *indirect = d->ctx;
    struct eim_session *eim = indirect->eim;
    struct wr *w = &eim->request;
    struct tlv ok, t;

    wr_clear(w);
    struct wr_mark mark = tlv_open(w, ESIPA_INITIATE_AUTHENTICATION);
    tlv_put(w, 0x81, challenge);
    if (d->ac.address[0] != '\0' && !(eim->features & FEATURE_EIM_DOWNLOAD))
        tlv_put_str(w, 0x83, d->ac.address);
    if (!(eim->features & FEATURE_COMPACT && eim->known.info1))
        wr_put_rd(w, wr_view(&d->info1));
    if (indirect->tid.n > 0 && eim->version != ESIPA_V1_0)
        tlv_put(w, 0x82, indirect->tid);
    tlv_close(w, mark);
    TRY(exchange(d, ESIPA_INITIATE_AUTHENTICATION, 0x81, CODES_ESIPA_INITIATE,
                 "InitiateAuthentication", &ok, e));
    struct rd body = ok.value;
    if (ok.tag != 0xA0 || !take(d, body, TAG_SEQUENCE, 0, FIELD_SIGNED1) ||
        !take_plain(d, body, TAG_SIGNATURE, EC_SIGNATURE_LEN, FIELD_SIGNATURE1) ||
        !take_plain(d, body, TAG_OCTET_STRING, SKI_LEN, FIELD_CI) ||
        !take(d, body, TAG_SEQUENCE, 1, FIELD_CERTIFICATE))
        return lab_fail(e, "InitiateAuthentication: a field is missing in the eIM's answer");
    if (tlv_find(body, 0x80, &t))
        hex_text(t.value, d->claimed_id, sizeof d->claimed_id);
    if (tlv_find(body, TAG_UTF8_STRING, &t) && d->ac.matching_id[0] == '\0' &&
        !copy_rd(t.value, d->ac.matching_id, sizeof d->ac.matching_id))
        return lab_fail(e, "InitiateAuthentication: the matchingId is too long");
    eim->known.ctx_params = tlv_find(body, 0xA2, &t) && take(d, t.value, 0xA0, 0, FIELD_CTX_PARAMS);
    return 0;
}

/* {80 transactionId, the eUICC's response}, short if that was agreed. */
static struct wr_mark open_request(struct download *d, uint32_t tag)
{
    struct indirect *indirect = d->ctx;
    struct wr *w = &indirect->eim->request;

    wr_clear(w);
    struct wr_mark mark = tlv_open(w, tag);
    tlv_put(w, 0x80, rd_of(d->id.b, d->id.n));
    return mark;
}

/* The answer of an SM-DS: where to go on (3.9). */
static int read_next(const struct indirect *indirect, struct rd body, struct lab_error *e)
{
    struct tlv t;

    if (!tlv_find(body, PROFILE_DOWNLOAD_TRIGGER, &t) ||
        download_trigger_read(t.value, &indirect->next->trigger) != 0)
        return lab_fail(e, "AuthenticateClient: the SM-DS has nothing for this eUICC");
    indirect->next->trigger.tid = rd_of(NULL, 0);
    indirect->next->given = true;
    return lab_fail(e, "AuthenticateClient: the SM-DS names another server");
}

static int authenticate_client(struct download *d, struct rd response, struct lab_error *e)
{
    const struct indirect *indirect = d->ctx;
    struct eim_session *eim = indirect->eim;
    struct tlv ok;

    struct wr_mark mark = open_request(d, ESIPA_AUTHENTICATE_CLIENT);
    if (!(eim->features & FEATURE_COMPACT) ||
        compact_authenticate(response, &eim->known, &eim->request) != 0)
        wr_put_rd(&eim->request, response);
    tlv_close(&eim->request, mark);
    TRY(exchange(d, ESIPA_AUTHENTICATE_CLIENT, 0x82, CODES_ESIPA_AUTHENTICATE, "AuthenticateClient",
                 &ok, e));
    if (ok.tag == 0xA1)
        return read_next(indirect, ok.value, e);
    d->server_has_session = true;
    take(d, ok.value, TAG_METADATA, 0, FIELD_METADATA);
    take(d, ok.value, TAG_OCTET_STRING, 0, FIELD_HASH_CC);
    if (ok.tag != 0xA0 || !take(d, ok.value, TAG_SEQUENCE, 0, FIELD_SIGNED2) ||
        !take_plain(d, ok.value, TAG_SIGNATURE, EC_SIGNATURE_LEN, FIELD_SIGNATURE2) ||
        !take(d, ok.value, TAG_SEQUENCE, 1, FIELD_CERTIFICATE2))
        return lab_fail(e, "AuthenticateClient: a field is missing in the eIM's answer");
    return 0;
}

static int get_bpp(struct download *d, struct rd response, struct lab_error *e)
{
    const struct indirect *indirect = d->ctx;
    struct eim_session *eim = indirect->eim;
    struct tlv ok;

    struct wr_mark mark = open_request(d, ESIPA_GET_BOUND_PROFILE_PACKAGE);
    if (!(eim->features & FEATURE_COMPACT) || compact_prepare(response, &eim->request) != 0)
        wr_put_rd(&eim->request, response);
    tlv_close(&eim->request, mark);
    TRY(exchange(d, ESIPA_GET_BOUND_PROFILE_PACKAGE, 0x81, CODES_ESIPA_PACKAGE,
                 "GetBoundProfilePackage", &ok, e));
    if (ok.tag != 0xA0 || !take(d, ok.value, TAG_PACKAGE, 0, FIELD_PACKAGE))
        return lab_fail(e, "GetBoundProfilePackage: no package in the eIM's answer");
    return 0;
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
    struct wr_mark mark = open_request(d, ESIPA_CANCEL_SESSION);
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
