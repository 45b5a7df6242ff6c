/* ipae_indirect.c - a download through an eIM, which speaks to the SM-DP+ (SGP.32 3.2.3.2, 5.14.1
 * to 5.14.3, 5.14.8). */
#include <string.h>

#include "applets/ipae/ipae_download.h"
#include "applets/isdr/es10.h"
#include "os/x509.h"

enum {
    CODE_MISSING = 2, /* getBoundProfilePackageErrorEsipa: confirmationCodeMissing, ...Refused */
    CODE_REFUSED = 3,
};

static const struct {
    uint32_t tag, error;
    const char *name;
} steps[] = {
    [STEP_INITIATE] = { ESIPA_INITIATE_AUTHENTICATION, 0x81, "InitiateAuthentication" },
    [STEP_AUTHENTICATE] = { ESIPA_AUTHENTICATE_CLIENT, 0x82, "AuthenticateClient" },
    [STEP_GET_PACKAGE] = { ESIPA_GET_BOUND_PROFILE_PACKAGE, 0x81, "GetBoundProfilePackage" },
    [STEP_CANCEL] = { ESIPA_CANCEL_SESSION, 0x81, "CancelSession" },
};

static void put_initiate(const struct ipae_download *d, bool v1_0, struct rd challenge,
                         struct wr *w)
{
    tlv_put(w, 0x81, challenge);
    if (d->address[0] != '\0')
        tlv_put_str(w, 0x83, d->address);
    wr_put_rd(w, wr_view(&d->info1));
    if (d->eim_tid_n > 0 && !v1_0)
        tlv_put(w, 0x82, rd_of(d->eim_tid, d->eim_tid_n));
}

static int put(struct euicc *e, struct ipae_download *d, enum download_step step, struct rd what)
{
    struct wr *w = &ipae_of(e)->request;
    struct tlv t;

    struct wr_mark m = tlv_open(w, steps[step].tag);
    if (step == STEP_INITIATE) {
        put_initiate(d, ipae_dialect(e).v1_0, what, w);
    } else {
        tlv_put(w, 0x80, download_id(d));
        if (step == STEP_CANCEL && tlv_get(&what, &t) == 0)
            tlv_put(w, 0xA1, t.value);
        else
            wr_put_rd(w, what);
    }
    tlv_close(w, m);
    return 0;
}

/* Copies the nth child with this tag to a field. */
static bool take(struct ipae_download *d, struct rd body, uint32_t tag, unsigned nth,
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
static bool take_plain(struct ipae_download *d, struct rd body, uint32_t tag, size_t longest,
                       enum download_field field)
{
    struct tlv t, within;

    if (!tlv_find(body, tag, &t))
        return false;
    struct rd in = t.value;
    bool twice = in.n > longest && tlv_expect(&in, tag, &within) == 0 && in.n == 0;
    return take(d, twice ? t.value : body, tag, 0, field);
}

static bool take_initiation(struct ipae_download *d, struct rd body)
{
    struct tlv t;

    if (tlv_find(body, TAG_CTX_0, &t) && t.value.n <= sizeof d->claimed_id) {
        d->claimed_id_n = t.value.n;
        memcpy(d->claimed_id, t.value.p, t.value.n);
    }
    if (tlv_find(body, TAG_UTF8, &t) && d->matching_id[0] == '\0') {
        if (t.value.n >= sizeof d->matching_id)
            return false;
        memcpy(d->matching_id, t.value.p, t.value.n);
        d->matching_id[t.value.n] = '\0';
    }
    if (tlv_find(body, 0xA2, &t))
        take(d, t.value, TAG_CHOICE_0, 0, FIELD_CTX_PARAMS);
    return take(d, body, TAG_SEQUENCE, 0, FIELD_SIGNED1) &&
           take_plain(d, body, TAG_SIGNATURE, EC_SIGNATURE_LEN, FIELD_SIGNATURE1) &&
           take_plain(d, body, TAG_OCTET_STRING, SKI_LEN, FIELD_CI) &&
           take(d, body, TAG_SEQUENCE, 1, FIELD_CERTIFICATE);
}

static bool take_authentication(struct ipae_download *d, struct rd body)
{
    take(d, body, TAG_OCTET_STRING, 0, FIELD_HASH_CC);
    return take(d, body, TAG_SEQUENCE, 0, FIELD_SIGNED2) &&
           take_plain(d, body, TAG_SIGNATURE, EC_SIGNATURE_LEN, FIELD_SIGNATURE2) &&
           take(d, body, TAG_SEQUENCE, 1, FIELD_CERTIFICATE2);
}

static void take_error(struct euicc *e, struct ipae_download *d, enum download_step step,
                       struct rd whole, struct rd value)
{
    uint64_t code = UNDEFINED_ERROR;

    wr_clear(&d->refusal);
    wr_put_rd(&d->refusal, whole);
    if (tlv_uint(value, &code) != 0)
        code = UNDEFINED_ERROR;
    if (step == STEP_GET_PACKAGE && (code == CODE_MISSING || code == CODE_REFUSED))
        d->reason = CANCEL_POSTPONED;
    trace_check(&e->trace, "IPAe: %s: error %u (SGP.32 5.14)", steps[step].name, (unsigned)code);
}

static bool read(struct euicc *e, struct ipae_download *d, enum download_step step, struct rd body)
{
    struct rd whole = body;
    struct tlv outer, arm;

    if (tlv_expect(&body, steps[step].tag, &outer) != 0 || body.n != 0 ||
        tlv_get(&outer.value, &arm) != 0 || outer.value.n != 0) {
        trace_check(&e->trace, "IPAe: %s: the eIM's answer is malformed (SGP.32 6.3)",
                    steps[step].name);
        return false;
    }
    if (arm.tag == steps[step].error) {
        take_error(e, d, step, whole, arm.value);
        return false;
    }
    if (arm.tag != 0xA0)
        return false;
    switch (step) {
    case STEP_INITIATE:
        return take_initiation(d, arm.value);
    case STEP_AUTHENTICATE:
        return take_authentication(d, arm.value);
    case STEP_GET_PACKAGE:
        return take(d, arm.value, TAG_BOUND_PROFILE_PACKAGE, 0, FIELD_PACKAGE);
    default:
        return true;
    }
}

const struct download_way download_indirect = { put, read };
