/* link_tls.c - between the channel and TLS, and between TLS and the protocol above it. */
#include "applets/ipae/link_steps.h"

enum { PIECE = 2048 }; /* octets of plain text at once; more than a record of CoAP's */

void link_forget_tls(struct link *l)
{
    tls_close(&l->tls);
    l->coap = (struct coap){ 0 };
}

/* --- the handshake ---------------------------------------------------------------------------- */

static size_t mtu_of(const struct link *l)
{
    size_t mtu = l->network.mtu != 0 ? l->network.mtu : TLS_MTU;

    if (mtu > l->bip.buffer_size)
        mtu = l->bip.buffer_size;
    return mtu < LINK_OUT_MAX ? mtu : LINK_OUT_MAX;
}

void link_secure(struct euicc *e, struct link *l)
{
    const struct tls_options options = {
        .datagram = l->protocol->datagram,
        .server_name = l->peer.host,
        .trust = l->server.trust,
        .mtu = l->protocol->datagram ? mtu_of(l) : 0,
        .max_fragment = l->network.max_fragment,
        .now = l->now,
        .resumable = l->network.tickets,
        .session = link_ticket(l),
    };

    if (options.datagram && options.mtu < TLS_MIN_MTU) {
        link_end(e, l, LINK_REFUSED, "a buffer of %u octets is too small for DTLS",
                 l->bip.buffer_size);
        return;
    }
    l->stage = LINK_SHAKING_HANDS;
    l->reused = false;
    int err = tls_open(e->crypto, &options, &l->tls);
    if (err != 0)
        link_end(e, l, err == ERR_INPUT ? LINK_REFUSED : LINK_RETRY_LATER, "TLS cannot begin: %s",
                 err_name(err));
}

/* Of certificates (RFC 8446 6.2): those that we send say that the server is not who it should be;
 * of a server that asks for no certificate they would make no sense. */
static bool is_untrusted(const struct tls *t)
{
    enum { BAD = 42, UNKNOWN = 46, UNKNOWN_CA = 48 };
    int alert = tls_alert(t);

    return (alert >= BAD && alert <= UNKNOWN) || alert == UNKNOWN_CA;
}

static void say_open(struct euicc *e, const struct link *l)
{
    static const char *const by[] = {
        [TLS_TRUST_NOTHING] = "nothing",
        [TLS_TRUST_SPKI] = "its public key",
        [TLS_TRUST_CERTIFICATE] = "a certificate",
        [TLS_TRUST_CI] = "a CI",
    };
    char suite[80], peer[160];

    tls_describe(l->tls, suite, sizeof suite);
    tls_peer(l->tls, peer, sizeof peer);
    trace_tls(&e->trace, "%s: %s%s, certificate of %s, trusted by %s, %u up, %u down", l->peer.host,
              suite, tls_resumed(l->tls) ? ", resumed" : "", peer, by[l->server.trust.kind],
              l->count.up, l->count.down);
}

static void shake_hands(struct euicc *e, struct link *l)
{
    switch (tls_state(l->tls)) {
    case TLS_HANDSHAKING:
        break;
    case TLS_OPEN:
        say_open(e, l);
        l->stage = LINK_EXCHANGING;
        if (l->protocol->connected != NULL)
            l->protocol->connected(e, l);
        l->protocol->begin(e, l);
        break;
    case TLS_FAILED:
        trace_tls(&e->trace, "%s: %s", l->peer.host, tls_failure(l->tls));
        if (is_untrusted(l->tls))
            link_end(e, l, LINK_UNTRUSTED, "%s", tls_failure(l->tls));
        else
            link_end(e, l, LINK_RETRY_LATER, "%s", tls_failure(l->tls));
        break;
    default:
        link_end(e, l, LINK_RETRY_LATER, "TLS: the server said goodbye in the handshake");
    }
}

/* --- plain text ------------------------------------------------------------------------------- */

/* All that is decrypted; a connection at rest should not have any. */
static void drain(struct euicc *e, struct link *l)
{
    uint8_t plain[PIECE];
    size_t n;

    if (l->stage == LINK_SHAKING_HANDS)
        shake_hands(e, l);
    while (!l->over && (n = tls_receive(l->tls, plain, sizeof plain)) > 0) {
        if (l->stage != LINK_EXCHANGING) {
            trace_check(&e->trace, "link to %s: data that nobody asked for", l->peer.host);
            link_leave(l, LINK_THEN_REST);
            break;
        }
        l->replied = true;
        l->protocol->read(e, l, rd_of(plain, n));
    }
    crypto_wipe(plain, sizeof plain);
}

static void time_handshake(struct euicc *e, struct link *l)
{
    if (l->protocol->datagram && l->stage == LINK_SHAKING_HANDS && l->tls != NULL)
        link_set_timer(e, l, tls_timer(l->tls));
}

void link_turn(struct euicc *e, struct link *l)
{
    drain(e, l);
    if (l->over || l->stage == LINK_LEAVING)
        return;
    if (tls_state(l->tls) == TLS_CLOSED || tls_state(l->tls) == TLS_FAILED) {
        trace_tls(&e->trace, "%s: %s", l->peer.host,
                  tls_state(l->tls) == TLS_FAILED ? tls_failure(l->tls) : "close_notify");
        if (l->stage == LINK_EXCHANGING)
            l->protocol->closed(e, l);
        else if (l->stage == LINK_IDLE)
            link_leave(l, LINK_THEN_REST);
    } else if (l->stage == LINK_EXCHANGING) {
        l->protocol->write(e, l);
    }
}

/* Of a stream whole SEND DATAs, and no more than the terminal takes before it sends them on. */
static size_t write_size(const struct link *l)
{
    size_t n = l->bip.buffer_size < sizeof l->out ? l->bip.buffer_size : sizeof l->out;

    if (l->protocol->datagram)
        return sizeof l->out;
    return n > BIP_SLICE_MAX ? n - n % BIP_SLICE_MAX : n;
}

void link_pump(struct euicc *e, struct link *l)
{
    if (l->tls == NULL || l->sending || l->closing || !l->has_channel)
        return;
    size_t n = tls_take(l->tls, l->out, write_size(l));
    if (n == 0)
        return;
    l->sending = bip_send(&l->bip, rd_of(l->out, n));
    if (l->sending)
        link_count_sent(l, n);
    if (tls_waiting(l->tls) == 0) /* the last of a flight */
        time_handshake(e, l);
}

/* --- the channel ------------------------------------------------------------------------------ */

void link_secure_received(struct euicc *e, struct link *l, struct rd octets, uint8_t remaining)
{
    struct rd taken;

    while (octets.n > 0 && !l->over && l->stage != LINK_LEAVING) {
        size_t n = tls_feed(l->tls, octets);
        (void)rd_take(&octets, n, &taken);
        drain(e, l);
        if (n == 0)
            break;
    }
    if (l->protocol->datagram && remaining == 0)
        tls_feed_end(l->tls);
    if (!l->over && l->stage != LINK_LEAVING)
        link_turn(e, l);
}

void link_secure_closed(struct euicc *e, struct link *l)
{
    tls_eof(l->tls); /* is over, or will be when what came is read */
    link_turn(e, l);
}

void link_secure_timeout(struct euicc *e, struct link *l)
{
    if (l->stage == LINK_EXCHANGING) {
        if (l->protocol->timeout != NULL)
            l->protocol->timeout(e, l);
        link_turn(e, l);
        return;
    }
    tls_timeout(l->tls);
    if (tls_waiting(l->tls) == 0)
        time_handshake(e, l);
    link_turn(e, l);
}
