/* ipae.c - the applet; exchanges with servers, and requests to the ISD-R. */
#include "applets/ipae/ipae.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applets/ecasd/ecasd.h"
#include "applets/ipae/ipae_parts.h"
#include "applets/ipae/link_steps.h"
#include "applets/isdr/iot.h"
#include "applets/isdr/isdr.h"

enum { BACK_TO_WORK = 60 /* seconds after a fault */ };

/* The block in euicc_state(): most cards have no IPAe. */
struct block {
    struct ipae *x;
};

struct ipae *ipae_of(const struct euicc *e)
{
    const struct block *b = euicc_state(e, &ipae_applet);

    return b != NULL ? b->x : NULL;
}

/* --- exchanges -------------------------------------------------------------------------------- */

static const struct ipae_link_ops real_link = { link_request, link_close };

void ipae_use_link(struct euicc *e, const struct ipae_link_ops *ops)
{
    if (ipae_of(e) != NULL)
        ipae_of(e)->ops = ops != NULL ? ops : &real_link;
}

void ipae_drop(struct euicc *e)
{
    struct ipae *x = ipae_of(e);

    x->ops->close(e, &x->link, NULL, NULL);
    x->answered = NULL;
    x->closed = NULL;
    ipae_talk_done(x);
    ipae_download_free(x);
    x->phase = IPAE_WAITING;
}

/* What was going on did not come true, and neither did what was to be stored of it. */
static void begin_again_later(struct euicc *e)
{
    ipae_drop(e);
    ipae_table_forget(ipae_of(e));
    ipae_await_service(e, BACK_TO_WORK);
}

int ipae_settle(struct euicc *e, int err)
{
    if (err == 0)
        return 0;
    trace_check(&e->trace, "IPAe: %s: it begins again later", err_name(err));
    begin_again_later(e);
    return err;
}

static int answered(struct euicc *e, void *ctx, const struct link_answer *a)
{
    struct ipae *x = ipae_of(e);
    ipae_answered_fn *then = x->answered;

    (void)ctx;
    x->answered = NULL;
    return then != NULL ? ipae_settle(e, then(e, a)) : 0;
}

/* How the enabled profile's operator wants its bearer opened (SGP.32 5.9.24). */
int ipae_read_network(struct euicc *e)
{
    enum { BUFFER_SIZE = 1400 };
    struct ipae *x = ipae_of(e);

    wr_clear(&x->parameters);
    TRY(isdr_connectivity_parameters(e, &x->parameters));
    x->network.parameters = wr_view(&x->parameters);
    x->network.buffer_size = BUFFER_SIZE;
    x->network.tickets = true;
    return 0;
}

static int exchange(struct euicc *e, const struct link_server *server, bool once,
                    ipae_answered_fn *then)
{
    struct ipae *x = ipae_of(e);

    TRY(wr_failed(&x->request));
    const struct link_request q = {
        .server = server,
        .network = &x->network,
        .body = wr_view(&x->request),
        .body_max = (size_t)setting_number(&e->settings, SET_IPAE_BUFFER),
        .once = once,
        .done = answered,
    };
    x->answered = then;
    enum link_outcome outcome = x->ops->request(e, &x->link, &q);
    if (outcome == LINK_OK)
        return 0;
    x->answered = NULL;
    return then(e, &(struct link_answer){ .outcome = outcome, .reason = "", .content_type = "" });
}

int ipae_exchange(struct euicc *e, const struct link_server *server, ipae_answered_fn *then)
{
    return exchange(e, server, false, then);
}

int ipae_exchange_once(struct euicc *e, const struct link_server *server, ipae_answered_fn *then)
{
    return exchange(e, server, true, then);
}

static int rested(struct euicc *e, void *ctx)
{
    struct ipae *x = ipae_of(e);
    ipae_closed_fn *then = x->closed;

    (void)ctx;
    x->closed = NULL;
    return then != NULL ? ipae_settle(e, then(e)) : 0;
}

int ipae_close(struct euicc *e, ipae_closed_fn *then)
{
    struct ipae *x = ipae_of(e);

    x->answered = NULL;
    x->closed = then;
    if (x->ops->close(e, &x->link, rested, NULL))
        return 0;
    x->closed = NULL;
    return then(e);
}

bool ipae_read_host(struct rd text, char ret_host[IPAE_HOST_MAX + 1], uint16_t *ret_port)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._";
    size_t n = 0;
    unsigned port = 0;

    while (n < text.n && text.p[n] != 0 && strchr(plain, text.p[n]) != NULL)
        n++;
    if (n == 0 || n > IPAE_HOST_MAX || (n < text.n && text.p[n] != ':'))
        return false;
    for (size_t i = n + 1; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        port = port * 10 + (unsigned)(text.p[i] - '0');
        if (port > UINT16_MAX)
            return false;
    }
    memcpy(ret_host, text.p, n);
    ret_host[n] = '\0';
    *ret_port = (uint16_t)port;
    return true;
}

/* --- the ISD-R -------------------------------------------------------------------------------- */

enum esipa_version ipae_version(const struct euicc *e)
{
    return iot_at_least(e, IOT_V1_1) ? ESIPA_V1_1 : ESIPA_V1_0;
}

int ipae_es10(struct euicc *e, struct rd request, bool *ret_ok)
{
    struct ipae *x = ipae_of(e);

    wr_clear(&x->es10);
    int result = isdr_call(e, request, &x->es10);
    *ret_ok = result == 0;
    if (result < 0 && result != ERR_INPUT)
        return result;
    return wr_failed(&x->es10);
}

int ipae_es10_get(struct euicc *e, uint32_t tag, struct rd *ret)
{
    const uint8_t request[] = { (uint8_t)(tag >> 8), (uint8_t)tag, 0 };
    struct tlv t;
    bool ok;

    TRY(ipae_es10(e, rd_of(request, sizeof request), &ok));
    struct rd in = wr_view(&ipae_of(e)->es10);
    if (!ok || tlv_expect(&in, tag, &t) != 0)
        return FAULT(&e->trace, ERR_BUG, "the ISD-R does not answer %X", (unsigned)tag);
    *ret = t.value;
    return 0;
}

int ipae_es10_switch(struct euicc *e, uint32_t tag, uint64_t *ret)
{
    const uint8_t request[] = { (uint8_t)(tag >> 8), (uint8_t)tag, 3, TAG_CTX_0, 1, 0xFF };
    struct tlv t, code;
    bool ok;

    *ret = UNDEFINED_ERROR;
    TRY(ipae_es10(e, rd_of(request, sizeof request), &ok));
    struct rd in = wr_view(&ipae_of(e)->es10);
    if (!ok || tlv_expect(&in, tag, &t) != 0)
        return 0;
    if (!tlv_find(t.value, TAG_CTX_0, &code) && !tlv_find(t.value, TAG_INTEGER, &code))
        return 0;
    return tlv_uint(code.value, ret) == 0 ? 0 : ERR_BUG;
}

int ipae_es10_list(struct euicc *e, uint32_t arm, struct rd *ret)
{
    static const uint8_t notifications[] = { 0xBF, 0x2B, 0x05, 0xA0, 0x03, 0x81, 0x01, 0x00 };
    static const uint8_t results[] = { 0xBF, 0x2B, 0x04, 0xA0, 0x02, 0x82, 0x00 };
    struct tlv t, list;
    bool ok;

    *ret = rd_of(NULL, 0);
    struct rd request = arm == TAG_CHOICE_2 ? rd_of(results, sizeof results)
                                            : rd_of(notifications, sizeof notifications);
    TRY(ipae_es10(e, request, &ok));
    struct rd in = wr_view(&ipae_of(e)->es10);
    if (ok && tlv_expect(&in, TAG_RETRIEVE_NOTIFICATIONS_LIST, &t) == 0 &&
        tlv_find(t.value, arm, &list))
        *ret = list.value;
    return 0;
}

int ipae_es10_remove(struct euicc *e, uint64_t sequence)
{
    uint8_t octets[24];
    struct wr w;
    bool ok;

    wr_init(&w, octets, sizeof octets);
    struct wr_mark m = tlv_open(&w, TAG_NOTIFICATION_SENT);
    tlv_put_uint(&w, TAG_CTX_0, sequence);
    tlv_close(&w, m);
    return ipae_es10(e, wr_view(&w), &ok);
}

/* --- what it does ----------------------------------------------------------------------------- */

void ipae_describe(const struct euicc *e, char *ret, size_t size)
{
    const struct ipae *x = ipae_of(e);

    if (x == NULL)
        snprintf(ret, size, "none");
    else if (x->phase == IPAE_OFF)
        snprintf(ret, size, "off");
    else if (x->phase == IPAE_BOOTING)
        snprintf(ret, size, "asks the terminal");
    else if (x->phase == IPAE_TALKING && x->talk.eim.number != NO_EIM)
        snprintf(ret, size, "talks to %s", x->talk.host);
    else if (x->phase == IPAE_TALKING)
        snprintf(ret, size, "notifies %s", x->notify.host);
    else if (x->awaits_service)
        snprintf(ret, size, "waits for service");
    else if (ipae_clock_runs(&x->sleep))
        snprintf(ret, size, "sleeps for %" PRIu32 " s", x->sleep.seconds);
    else
        snprintf(ret, size, "waits for an eIM");
}

/* --- the applet ------------------------------------------------------------------------------- */

static int profile_came(struct euicc *e)
{
    return ipae_settle(e, ipae_boot(e));
}

static int event_came(struct euicc *e, enum cat_event event, struct rd tlvs)
{
    int err = ipae_event(e, event, tlvs);

    return err == ERR_INPUT ? err : ipae_settle(e, err); /* nonsense ends nothing */
}

static int item_selected(struct euicc *e)
{
    return ipae_settle(e, ipae_policy_trigger(e, "the menu"));
}

static int status_came(struct euicc *e)
{
    return ipae_settle(e, ipae_polled(e));
}

static const struct cat_owner owner = {
    .name = "IPAe", .profile = profile_came, .event = event_came, .status = status_came
};
static const struct cat_owner menu_owner = { .name = "IPAe's menu",
                                             .item = "Ask for eIM packages",
                                             .selected = item_selected };

int ipae_listen(struct euicc *e)
{
    struct ipae *x = ipae_of(e);

    if (!x->has_link) {
        if (!link_start(e, &x->link) || !cat_register(&e->cat, &menu_owner))
            return FAULT(&e->trace, ERR_BUG, "there is no room for the IPAe");
        x->has_link = true;
        cat_follow_menu(&e->cat);
    }
    cat_want_events(&e->cat, &owner, cat_event_bit(CAT_EVENT_LOCATION_STATUS));
    return 0;
}

void ipae_listen_no_more(struct euicc *e)
{
    cat_want_events(&e->cat, &owner, 0);
}

static void use_dns(struct euicc *e, struct ipae *x)
{
    const char *dns = setting_text(&e->settings, SET_IPAE_DNS);

    if (dns[0] != '\0' && !link_read_address(dns, &x->network.dns))
        trace_check(&e->trace, "IPAe: %s is no address of a DNS server (setting ipae_dns)", dns);
}

static int start(struct euicc *e)
{
    struct block *b = euicc_state(e, &ipae_applet);

    if (setting_is(&e->settings, SET_IPAE, "off") || !iot_at_least(e, IOT_V1_0) || e->read_only)
        return 0;
    b->x = calloc(1, sizeof *b->x);
    if (b->x == NULL)
        return ERR_NOMEM;
    struct ipae *x = b->x;
    x->ops = &real_link;
    wr_init_heap(&x->parameters, NVM_VALUE_MAX);
    wr_init_heap(&x->request, IPAE_REQUEST_MAX);
    wr_init_heap(&x->es10, IPAE_ES10_MAX);
    wr_init_heap(&x->talk.pinned, NVM_VALUE_MAX);
    wr_init_heap(&x->talk.package, IPAE_REQUEST_MAX);
    use_dns(e, x);
    if (!cat_register(&e->cat, &owner))
        return FAULT(&e->trace, ERR_BUG, "there is no room for the IPAe");
    ipae_introduce(e);
    return 0;
}

static void stop(struct euicc *e)
{
    struct block *b = euicc_state(e, &ipae_applet);
    struct ipae *x = b->x;

    if (x == NULL)
        return;
    if (x->has_link)
        link_stop(&x->link);
    ipae_talk_done(x);
    ipae_download_free(x);
    wr_done(&x->parameters);
    wr_done(&x->request);
    wr_done(&x->es10);
    wr_done(&x->talk.pinned);
    wr_done(&x->talk.package);
    free(x);
    b->x = NULL;
}

/* What a server was told, or is about to be. */
static void not_committed(struct euicc *e)
{
    const struct ipae *x = ipae_of(e);

    if (x != NULL && x->phase == IPAE_TALKING)
        begin_again_later(e);
}

const struct applet ipae_applet = {
    .name = "IPAe",
    .state_size = sizeof(struct block),
    .start = start,
    .stop = stop,
    .not_committed = not_committed,
};
