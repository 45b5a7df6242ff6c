/* link.c - what comes when between a request and its answer. */
#include "applets/ipae/link.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "applets/ipae/link_steps.h"
#include "os/cat_info.h"

const char *link_outcome_name(enum link_outcome outcome)
{
    static const char *const names[] = {
        [LINK_OK] = "ok",
        [LINK_RETRY_LATER] = "retry later",
        [LINK_NO_SERVICE] = "no service",
        [LINK_UNTRUSTED] = "untrusted",
        [LINK_REFUSED] = "refused",
    };

    return names[outcome];
}

enum link_outcome link_outcome_of(enum bip_outcome outcome)
{
    switch (outcome) {
    case BIP_OK:
        return LINK_OK;
    case BIP_NO_SERVICE:
        return LINK_NO_SERVICE;
    case BIP_REFUSED:
    case BIP_TRY_VARIANT:
        return LINK_REFUSED;
    default:
        return LINK_RETRY_LATER;
    }
}

void link_end(struct euicc *e, struct link *l, enum link_outcome outcome, const char *format, ...)
{
    va_list args;

    if (l->over || !l->busy)
        return;
    l->over = true;
    l->outcome = outcome;
    va_start(args, format);
    vsnprintf(l->reason, sizeof l->reason, format, args);
    va_end(args);
    if (outcome != LINK_OK)
        trace_check(&e->trace, "link to %s: %s: %s", l->peer.host, link_outcome_name(outcome),
                    l->reason);
}

void link_count_sent(struct link *l, size_t n)
{
    l->count.up += (uint32_t)n;
    l->count.commands += (uint32_t)((n + BIP_SLICE_MAX - 1) / BIP_SLICE_MAX);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void release(struct euicc *e, struct link *l)
{
    link_forget_tls(l);
    cat_timer_stop(&e->cat, &l->timer);
    wr_done(&l->request);
    l->sending = l->closing = false;
}

static void forget_session(struct link *l)
{
    l->n_addresses = 0;
    l->elapsed = 0;
    l->has_time = l->in_session = false;
}

/* A connection that idles is still watched. */
static int tell(struct euicc *e, struct link *l)
{
    struct wr body = l->body;
    const struct link_request q = l->q;
    char reason[LINK_REASON_MAX], content_type[sizeof l->http.content_type];
    struct link_answer answer = {
        .outcome = l->outcome,
        .reason = reason,
        .status = l->status,
        .retry_after = l->retry_after,
        .content_type = content_type,
        .body = wr_view(&body),
        .count = l->count,
    };

    memcpy(reason, l->reason, sizeof reason);
    snprintf(content_type, sizeof content_type, "%s",
             l->protocol == &link_http ? l->http.content_type : "");
    wr_init_heap(&l->body, 1);
    wr_done(&l->request);
    l->busy = l->over = false;
    l->q = (struct link_request){ 0 };
    if (l->stage == LINK_AT_REST)
        cat_timer_stop(&e->cat, &l->watch);
    trace_note(&e->trace, "link to %s: %s, status %u, %zu octets; %u up, %u down, %u commands",
               l->peer.host, link_outcome_name(answer.outcome), answer.status, answer.body.n,
               answer.count.up, answer.count.down, answer.count.commands);
    int err = q.done(e, q.ctx, &answer);
    wr_done(&body);
    return err;
}

static int rest(struct euicc *e, struct link *l)
{
    link_rested_fn *rested = l->rested;

    cat_timer_stop(&e->cat, &l->watch);
    l->rested = NULL;
    return rested != NULL ? rested(e, l->rested_ctx) : 0;
}

/* --- the beginning ---------------------------------------------------------------------------- */

bool link_open_channel(struct link *l, enum bip_protocol protocol,
                       const struct bip_address *address, uint16_t port, bool dns)
{
    struct bip_parameters p = l->parameters;

    p.protocol = protocol;
    p.address = *address;
    p.port = port;
    p.dns = dns;
    l->has_channel = bip_open(&l->bip, &p);
    l->count.commands += l->has_channel;
    return l->has_channel;
}

void link_connect(struct euicc *e, struct link *l)
{
    enum bip_protocol protocol = l->protocol->datagram ? BIP_UDP : BIP_TCP;

    l->stage = LINK_CONNECTING;
    link_start_watch(e, l);
    if (link_open_channel(l, protocol, &l->addresses[l->address], l->peer.port, false))
        return;
    if (!bip_can(&e->cat, protocol))
        link_end(e, l, LINK_REFUSED, "the terminal has no %s (TS 102 223 5.2)",
                 protocol == BIP_TCP ? "TCP" : "UDP");
    else
        link_end(e, l, LINK_RETRY_LATER, "the terminal has no channel left (TS 102 223 5.2)");
}

static int got_time(struct euicc *e, void *ctx, const struct cat_result *r)
{
    struct link *l = ctx;

    if (!r->done || !cat_get_date_time(r->tlvs, &l->now) || l->now < 0)
        l->now = 0;
    l->now = euicc_time_told(e, l->now);
    if (l->stage != LINK_ASKING_TIME)
        return 0;
    link_find(e, l);
    return link_settle(e, l);
}

/* The time of a session is asked for once: dates of certificates are days. */
static void begin(struct euicc *e, struct link *l)
{
    l->stage = LINK_ASKING_TIME;
    if (!l->has_time && !l->question.queued) {
        l->has_time = true;
        l->question = (struct cat_command){ .type = CAT_PROVIDE_LOCAL_INFORMATION,
                                            .qualifier = CAT_INFO_DATE_TIME,
                                            .ended = got_time,
                                            .ctx = l };
        if (cat_submit(&e->cat, &l->question))
            return;
    }
    link_find(e, l);
}

/* --- what follows ----------------------------------------------------------------------------- */

void link_leave(struct link *l, enum link_then then)
{
    if (l->tls != NULL) {
        link_keep_ticket(l);
        tls_shutdown(l->tls);
    }
    l->stage = LINK_LEAVING;
    l->then = then;
}

/* The server closed before it saw the request, or so it seems: a new connection, once. */
static bool may_reconnect(const struct link *l)
{
    return l->outcome == LINK_RETRY_LATER && l->reused && !l->replied && l->n_addresses > 0 &&
           (!l->q.once || !l->asked || tls_state(l->tls) == TLS_CLOSED);
}

static bool may_stay(const struct link *l)
{
    return l->stage == LINK_EXCHANGING && l->whole && !l->q.close && !l->surplus &&
           l->has_channel && tls_state(l->tls) == TLS_OPEN;
}

/* The request is over. */
static int conclude(struct euicc *e, struct link *l)
{
    l->over = false;
    if (may_reconnect(l)) {
        trace_note(&e->trace, "link to %s: once more, with a new connection", l->peer.host);
        l->reused = false;
        link_leave(l, LINK_THEN_CONNECT);
        return 0;
    }
    if (!l->whole)
        wr_done(&l->body);
    if (may_stay(l)) {
        link_set_timer(e, l, 0);
        l->stage = LINK_IDLE;
        return tell(e, l);
    }
    if (l->outcome != LINK_OK && l->stage < LINK_EXCHANGING)
        l->n_addresses = 0;
    link_leave(l, LINK_THEN_TELL);
    return 0;
}

/* The channel is closed. */
static int left(struct euicc *e, struct link *l)
{
    release(e, l);
    l->stage = LINK_AT_REST;
    switch (l->then) {
    case LINK_THEN_TELL:
        return tell(e, l);
    case LINK_THEN_BEGIN:
        begin(e, l);
        break;
    case LINK_THEN_NAME:
        link_name_open(e, l);
        break;
    case LINK_THEN_CONNECT:
        link_connect(e, l);
        break;
    default:
        return rest(e, l);
    }
    return 0;
}

/* Closes the channel after what TLS still has to say. */
static int go_on_leaving(struct euicc *e, struct link *l)
{
    bool another_follows = l->then != LINK_THEN_REST && l->then != LINK_THEN_TELL;

    if (l->closing || l->sending)
        return 0;
    l->closing = true;
    l->count.commands += l->has_channel;
    if (l->has_channel && bip_close(&l->bip, another_follows))
        return 0;
    l->has_channel = false;
    return left(e, l);
}

int link_settle(struct euicc *e, struct link *l)
{
    int err = 0;

    for (bool again = true; again && err == 0;) {
        enum link_stage before = l->stage;
        if (l->over)
            err = conclude(e, l);
        link_pump(e, l);
        if (l->stage == LINK_LEAVING && err == 0)
            err = go_on_leaving(e, l);
        again = l->over || l->stage != before;
    }
    return err;
}

/* --- the channel ------------------------------------------------------------------------------ */

static void connected(struct euicc *e, struct link *l, enum bip_outcome outcome)
{
    if (outcome == BIP_OK) {
        l->count.connections++;
        link_secure(e, l);
    } else if (outcome == BIP_RETRY_LATER && l->address + 1 < l->n_addresses) {
        l->address++;
        link_connect(e, l);
    } else {
        link_end(e, l, link_outcome_of(outcome), "OPEN CHANNEL: result %02X %02X (TS 102 223 8.12)",
                 l->bip.general, l->bip.additional);
    }
}

static int opened(struct euicc *e, void *ctx, enum bip_outcome outcome)
{
    struct link *l = ctx;

    l->heard = true;
    l->has_channel = outcome == BIP_OK;
    if (l->stage == LINK_NAMING)
        link_name_opened(e, l, outcome);
    else if (l->stage == LINK_CONNECTING)
        connected(e, l, outcome);
    return link_settle(e, l);
}

static int sent(struct euicc *e, void *ctx)
{
    struct link *l = ctx;

    l->sending = false;
    if (l->tls != NULL && l->stage != LINK_LEAVING)
        link_turn(e, l);
    if (l->stage == LINK_EXCHANGING && l->request.n == 0 && tls_waiting(l->tls) == 0)
        l->asked = true;
    return link_settle(e, l);
}

static int received(struct euicc *e, void *ctx, struct rd octets, uint8_t remaining)
{
    struct link *l = ctx;

    l->heard = true;
    l->count.down += (uint32_t)octets.n;
    l->count.commands++;
    if (l->stage == LINK_NAMING)
        link_name_received(e, l, octets, remaining);
    else if (l->tls != NULL && l->stage != LINK_LEAVING)
        link_secure_received(e, l, octets, remaining);
    return link_settle(e, l);
}

static int closed(struct euicc *e, void *ctx, enum bip_outcome why)
{
    struct link *l = ctx;

    l->has_channel = l->sending = false;
    if (why == BIP_NO_SERVICE)
        link_end(e, l, LINK_NO_SERVICE, "the network is gone (TS 102 223 8.12.2)");
    if (l->stage == LINK_LEAVING)
        l->closing = false;
    else if (l->stage == LINK_NAMING)
        link_name_closed(e, l);
    else if (l->tls != NULL)
        link_secure_closed(e, l);
    return link_settle(e, l);
}

/* --- for the owner ---------------------------------------------------------------------------- */

bool link_start(struct euicc *e, struct link *l)
{
    static const struct bip_user user = {
        .opened = opened, .sent = sent, .received = received, .closed = closed
    };

    wr_init_heap(&l->body, 1);
    wr_init_heap(&l->request, 1);
    for (size_t i = 0; i < LINK_TICKETS; i++)
        wr_init_heap(&l->tickets[i].octets, TLS_MAX_SESSION);
    return bip_init(e, &l->bip, &user, l);
}

void link_stop(struct link *l)
{
    link_forget_tls(l);
    wr_done(&l->body);
    wr_done(&l->request);
    for (size_t i = 0; i < LINK_TICKETS; i++) {
        struct wr *w = &l->tickets[i].octets;
        if (w->p != NULL)
            crypto_wipe(w->p, w->size);
        wr_done(w);
    }
}

static bool makes_sense(const struct link *l, const struct link_request *q)
{
    const struct link_server *s = q->server;

    return !l->busy && (l->stage == LINK_AT_REST || l->stage == LINK_IDLE) && q->done != NULL &&
           s->host != NULL && s->host[0] != '\0' && strlen(s->host) <= TLS_MAX_NAME &&
           s->path != NULL && s->path[0] == '/' && (s->how == LINK_HTTPS || q->sink == NULL);
}

static void begin_count(struct link *l)
{
    l->watch_seconds = l->network.patience != 0 ? l->network.patience : LINK_PATIENCE;
    if (l->stage == LINK_AT_REST && !l->in_session) {
        l->count = (struct link_count){ 0 };
        l->in_session = true;
    }
    l->count.requests++;
}

enum link_outcome link_request(struct euicc *e, struct link *l, const struct link_request *q)
{
    struct link_peer peer;

    if (!makes_sense(l, q))
        return LINK_REFUSED;
    l->q = *q;
    l->server = *q->server;
    l->network = *q->network;
    l->protocol = l->server.how == LINK_HTTPS ? &link_http : &link_coap;
    int err = link_read_peer(e, l, &peer);
    if (err != 0) {
        trace_check(&e->trace, "link to %s: nothing to trust the server by: %s", peer.host,
                    err_name(err));
        return err == ERR_INPUT ? LINK_REFUSED : LINK_RETRY_LATER;
    }
    if (!bip_can(&e->cat, l->protocol->datagram ? BIP_UDP : BIP_TCP)) {
        trace_check(&e->trace, "link to %s: the terminal has no channels (TS 102 223 5.2)",
                    peer.host);
        return LINK_REFUSED;
    }
    bool same = link_same_peer(&peer, &l->peer) && l->tls != NULL && tls_state(l->tls) == TLS_OPEN;
    if (strcmp(peer.host, l->peer.host) != 0)
        l->n_addresses = 0;
    l->peer = peer;
    l->busy = true;
    l->over = l->replied = l->surplus = l->whole = l->asked = false;
    l->status = 0;
    l->retry_after = 0;
    l->reused = l->stage == LINK_IDLE && same;
    link_read_network(e, l);
    begin_count(l);
    if (l->reused) {
        l->stage = LINK_EXCHANGING;
        l->protocol->begin(e, l);
        link_turn(e, l);
    } else if (l->stage == LINK_IDLE) {
        link_leave(l, LINK_THEN_BEGIN);
    } else {
        begin(e, l);
    }
    enum link_outcome outcome = LINK_OK;
    if (l->over && !may_reconnect(l)) { /* nobody is told */
        outcome = l->outcome;
        l->over = l->busy = false;
        link_leave(l, LINK_THEN_REST);
    }
    (void)link_settle(e, l);
    return outcome;
}

bool link_close(struct euicc *e, struct link *l, link_rested_fn *rested, void *ctx)
{
    l->busy = l->over = false;
    forget_session(l);
    if (l->stage == LINK_AT_REST)
        return false;
    cat_withdraw(&e->cat, &l->question);
    if (l->stage == LINK_LEAVING)
        l->then = LINK_THEN_REST;
    else
        link_leave(l, LINK_THEN_REST);
    l->rested = NULL;
    (void)link_settle(e, l);
    if (l->stage == LINK_AT_REST)
        return false;
    l->rested = rested;
    l->rested_ctx = ctx;
    return true;
}

bool link_is_used(const struct link *l)
{
    return l->stage != LINK_AT_REST;
}
