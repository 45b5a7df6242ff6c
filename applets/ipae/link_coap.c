/* link_coap.c - one POST over DTLS (SGP.32 6.2). */
#include <string.h>

#include "applets/ipae/link_steps.h"

enum {
    PORT = 5684,   /* RFC 7252 12.8 */
    OVERHEAD = 48, /* octets of header, token, options but for host and path, and marker */
};

/* Token, message ID and Request-Tag begin somewhere, once for a DTLS session. */
static void connected(struct euicc *e, struct link *l)
{
    uint8_t random[COAP_RANDOM_LEN];

    if (crypto_random(e->crypto, random, sizeof random) != 0)
        link_end(e, l, LINK_RETRY_LATER, "no random octets");
    else
        coap_init(&l->coap, random);
}

/* The largest block that fits a record. */
static unsigned block_size(const struct link *l)
{
    size_t others = OVERHEAD + strlen(l->peer.host) + strlen(l->server.path);
    size_t max = tls_send_max(l->tls);
    unsigned szx = COAP_SZX_MAX;

    if (max > COAP_DATAGRAM_MAX)
        max = COAP_DATAGRAM_MAX;
    while (szx > 0 && coap_block_size(szx) + others > max)
        szx--;
    return szx;
}

static void time_it(struct euicc *e, struct link *l)
{
    unsigned seconds;

    if (!l->over && coap_take_timer(&l->coap, &seconds))
        link_set_timer(e, l, seconds);
}

static void begin(struct euicc *e, struct link *l)
{
    struct bip_address address;
    const struct coap_call call = {
        .method = COAP_POST,
        .host = link_read_address(l->peer.host, &address) ? NULL : l->peer.host,
        .path = l->server.path + 1,
        .szx = block_size(l),
        .ack_timeout = l->network.ack_timeout,
        .body = l->q.body,
    };

    if (l->over)
        return;
    wr_done(&l->body);
    wr_init_heap(&l->body, l->q.body_max != 0 ? l->q.body_max : LINK_BODY_MAX);
    int err = coap_request(&l->coap, &call, &l->body);
    if (err != 0)
        link_end(e, l, LINK_REFUSED, "a request that CoAP cannot say: %s", err_name(err));
}

/* What TLS does not take is as good as lost on the way. */
static void write_plain(struct euicc *e, struct link *l)
{
    struct rd datagram;

    while (coap_take_datagram(&l->coap, &datagram))
        (void)tls_send(l->tls, datagram);
    time_it(e, l);
}

static void judge_code(struct euicc *e, struct link *l)
{
    enum { SUCCESS = 2, SERVER_ERROR = 5, CLASS_SHIFT = 5, DETAIL = 0x1F };
    const unsigned too_many = COAP_CODE(4, 29); /* RFC 8516 */
    unsigned class = l->coap.code >> CLASS_SHIFT, detail = l->coap.code & DETAIL;

    l->whole = true;
    l->status = class * 100 + detail;
    if (l->coap.code == COAP_UNAVAILABLE || l->coap.code == too_many)
        l->retry_after = l->coap.max_age;
    if (class == SUCCESS)
        link_end(e, l, LINK_OK, "%s", "");
    else if (class == SERVER_ERROR || l->coap.code == too_many)
        link_end(e, l, LINK_RETRY_LATER, "CoAP code %u.%02u, to be tried again after %u seconds",
                 class, detail, l->retry_after);
    else
        link_end(e, l, LINK_REFUSED, "CoAP code %u.%02u (RFC 7252 5.9)", class, detail);
}

static void judge(struct euicc *e, struct link *l)
{
    if (l->coap.state == COAP_DONE)
        judge_code(e, l);
    else if (l->coap.state == COAP_FAILED)
        link_end(e, l, l->coap.too_long ? LINK_REFUSED : LINK_RETRY_LATER, "CoAP: %s",
                 l->coap.reason);
}

/* The acknowledgement of an answer goes out even when the exchange is over with it. */
static void read_plain(struct euicc *e, struct link *l, struct rd plain)
{
    coap_feed_datagram(&l->coap, plain);
    write_plain(e, l);
    judge(e, l);
}

static void timeout(struct euicc *e, struct link *l)
{
    coap_timeout(&l->coap);
    judge(e, l);
}

static void closed(struct euicc *e, struct link *l)
{
    if (tls_state(l->tls) == TLS_FAILED)
        link_end(e, l, LINK_RETRY_LATER, "%s", tls_failure(l->tls));
    else
        link_end(e, l, LINK_RETRY_LATER, "CoAP: the server closed the session");
}

const struct link_protocol link_coap = {
    .datagram = true,
    .port = PORT,
    .connected = connected,
    .begin = begin,
    .write = write_plain,
    .read = read_plain,
    .timeout = timeout,
    .closed = closed,
};
