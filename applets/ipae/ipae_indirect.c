/* ipae_indirect.c - a download through an eIM, which speaks to the SM-DP+ (SGP.32 3.2.3.2, 5.14.1
 * to 5.14.3, 5.14.8). */
#include <string.h>

#include "applets/ipae/ipae_download.h"
#include "applets/isdr/es10.h"

static int put(struct euicc *e, struct ipae_download *d, enum download_step step, struct rd what)
{
    const struct esipa_initiation initiation = { .challenge = what,
                                                 .address = d->address,
                                                 .info1 = wr_view(&d->info1),
                                                 .tid = rd_of(d->eim_tid, d->eim_tid_n) };
    struct wr *w = &ipae_of(e)->request;
    struct tlv t;

    if (step == STEP_INITIATE) {
        esipa_put_initiation(w, ipae_version(e), &initiation);
        return 0;
    }
    struct wr_mark m = esipa_open_step(w, step, download_id(d));
    if (step == STEP_CANCEL && tlv_get(&what, &t) == 0)
        tlv_put(w, 0xA1, t.value);
    else
        wr_put_rd(w, what);
    tlv_close(w, m);
    return 0;
}

/* Of an initiation, what is told beside the fields.  false: it is too long. */
static bool take_ids(struct ipae_download *d, struct rd body)
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
    return true;
}

static void take_error(struct euicc *e, struct ipae_download *d, enum download_step step,
                       struct rd whole, struct rd value)
{
    uint64_t code = UNDEFINED_ERROR;

    wr_clear(&d->refusal);
    wr_put_rd(&d->refusal, whole);
    if (tlv_uint(value, &code) != 0)
        code = UNDEFINED_ERROR;
    if (esipa_asks_code(step, code))
        d->reason = CANCEL_POSTPONED;
    trace_check(&e->trace, "IPAe: %s: error %u (SGP.32 5.14)", esipa_step_name(step),
                (unsigned)code);
}

static bool read(struct euicc *e, struct ipae_download *d, enum download_step step, struct rd body)
{
    struct tlv arm;

    if (esipa_read_step(body, step, &arm) != 0) {
        trace_check(&e->trace, "IPAe: %s: the eIM's answer is malformed (SGP.32 6.3)",
                    esipa_step_name(step));
        return false;
    }
    if (esipa_is_error(step, &arm)) {
        take_error(e, d, step, body, arm.value);
        return false;
    }
    return arm.tag == 0xA0 && (step != STEP_INITIATE || take_ids(d, arm.value)) &&
           esipa_take_fields(step, arm.value, d->fields);
}

const struct download_way download_indirect = { put, read };
