/* ipae_boot.c - what the IPAe asks a terminal first: which device it is, and where. */
#include <string.h>

#include "applets/ipae/ipae_parts.h"

#define KEY_IMEI "ipae/imei"

/* --- the device ------------------------------------------------------------------------------- */

/* A eUICC that was moved to another device tells its eIMs (SGP.32 5.14.5). */
static int compare_imei(struct euicc *e)
{
    struct ipae *x = ipae_of(e);
    uint8_t before[CAT_IMEI_DIGITS];
    struct wr w;
    bool found;

    wr_init(&w, before, sizeof before);
    TRY(nvm_get(e->nvm, KEY_IMEI, &w, &found));
    if (found && rd_equal(wr_view(&w), rd_str(x->imei)))
        return 0;
    x->new_device = found;
    return nvm_put(e->nvm, KEY_IMEI, rd_str(x->imei));
}

/* --- questions -------------------------------------------------------------------------------- */

/* Asks, or goes on without an answer. */
static int ask(struct euicc *e, enum cat_info what, cat_ended_fn *ended)
{
    static const struct cat_result none = { .general = CAT_BEYOND_CAPABILITY };
    struct ipae *x = ipae_of(e);

    x->question = (struct cat_command){ .type = CAT_PROVIDE_LOCAL_INFORMATION,
                                        .qualifier = (uint8_t)what,
                                        .ended = ended };
    return cat_submit(&e->cat, &x->question) ? 0 : ended(e, NULL, &none);
}

static int got_location(struct euicc *e, void *ctx, const struct cat_result *r)
{
    enum { NO_SERVICE = 0x04, LIMITED_SERVICE = 0x06 }; /* TS 102 223 8.12 */
    struct ipae *x = ipae_of(e);
    struct cat_location location;

    (void)ctx;
    if (x->phase != IPAE_BOOTING)
        return 0;
    if (r->done && r->general != LIMITED_SERVICE && cat_get_location(r->tlvs, &location)) {
        memcpy(x->plmn, location.plmn, sizeof x->plmn);
        x->has_plmn = true;
        ipae_set_service(e, CAT_SERVICE_NORMAL);
    } else if (r->general == LIMITED_SERVICE) {
        ipae_set_service(e, CAT_SERVICE_LIMITED);
    } else if (r->general == CAT_TERMINAL_BUSY && r->info.n > 0 && r->info.p[0] == NO_SERVICE) {
        ipae_set_service(e, CAT_SERVICE_NONE);
    }
    return ipae_settle(e, ipae_policy_start(e));
}

static int got_imei(struct euicc *e, void *ctx, const struct cat_result *r)
{
    struct ipae *x = ipae_of(e);

    (void)ctx;
    if (x->phase != IPAE_BOOTING)
        return 0;
    if (r->done && cat_get_imei(r->tlvs, x->imei)) {
        int err = compare_imei(e);
        if (err != 0)
            return ipae_settle(e, err);
    }
    return ask(e, CAT_INFO_LOCATION, got_location);
}

/* Of an earlier boot: it is not in the line any more, or what follows its end is this boot's. */
static bool is_asking(struct euicc *e)
{
    struct ipae *x = ipae_of(e);

    return x->question.queued && !cat_withdraw(&e->cat, &x->question);
}

int ipae_boot(struct euicc *e)
{
    struct ipae *x = ipae_of(e);

    if (x->phase != IPAE_OFF)
        ipae_drop(e);
    ipae_listen_no_more(e);
    ipae_clock_stop(e, &x->sleep);
    ipae_clock_stop(e, &x->watch);
    x->phase = IPAE_OFF;
    x->service_known = x->awaits_service = false;
    if (!ipae_is_active(e))
        return 0;
    if (!ipae_terminal_suffices(e)) {
        trace_note(&e->trace, "IPAe: the terminal lacks what it needs (SGP.32 A.2)");
        return 0;
    }
    TRY(ipae_listen(e));
    x->phase = IPAE_BOOTING;
    return is_asking(e) ? 0 : ask(e, CAT_INFO_IMEI, got_imei);
}
