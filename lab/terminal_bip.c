/* terminal_bip.c - BIP channels on TCP and UDP sockets (TS 102 223 6.4.27 to 6.4.31, 7.5.10,
 * 7.5.11).
 *
 * A channel reads from its socket no more than its buffer holds; the rest waits in the network, as
 * it does with a modem.  Its command waits for the network where it must: OPEN CHANNEL with
 * immediate link establishment, and SEND DATA. */
#include "lab/terminal_bip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <netinet/tcp.h>

#include "lab/terminal_core.h"
#include "os/err.h"

enum {
    IMMEDIATE = 0x01, /* qualifier of OPEN CHANNEL */
    RECONNECT = 0x02,
    BACKGROUND = 0x04,
    DNS_REQUEST = 0x08,
    SEND_NOW = 0x01, /* of SEND DATA */

    BEARER_PACKET = 0x02,
    BEARER_DEFAULT = 0x03,
    BEARER_PACKET_EXTENDED = 0x09,
    BEARER_EUTRAN = 0x0B,
    BEARER_NGRAN = 0x0C,
    BEARER_LEN_MAX = 32,

    TRANSPORT_UDP = 0x01,
    TRANSPORT_TCP = 0x02,

    LINK_ESTABLISHED = 0x80,
    LINK_DROPPED = 0x05,

    RECEIVE_MAX = 237, /* what TERMINAL RESPONSE has room for */
    LENGTH_MANY = 0xFF,
    RENOTIFY_MS = 2000,
    TYPE_OPEN_CHANNEL = 0x40,
};

/* --- channels --------------------------------------------------------------------------------- */

void bip_init(struct terminal *t)
{
    for (unsigned i = 0; i < TERMINAL_CHANNELS; i++) {
        struct channel *c = &t->channels[i];
        *c = (struct channel){ .terminal = t, .id = i + 1, .fd = -1 };
    }
}

static void close_link(struct channel *c)
{
    if (c->in != NULL)
        event_free(c->in);
    if (c->out != NULL)
        event_free(c->out);
    if (c->fd >= 0)
        close(c->fd);
    c->in = c->out = NULL;
    c->fd = -1;
    c->sending = false;
    c->deadline = NEVER;
}

static void free_channel(struct channel *c)
{
    close_link(c);
    wr_done(&c->tx);
    free(c->rx);
    *c = (struct channel){ .terminal = c->terminal, .id = c->id, .fd = -1 };
}

void bip_reset(struct terminal *t)
{
    for (size_t i = 0; i < TERMINAL_CHANNELS; i++)
        if (t->channels[i].state != CHANNEL_FREE)
            free_channel(&t->channels[i]);
    t->waiting = NULL;
}

struct rd bip_channel_status(const struct channel *c, uint8_t ret[2])
{
    ret[0] = (uint8_t)(c->id | (c->state == CHANNEL_UP ? LINK_ESTABLISHED : 0));
    ret[1] = c->state == CHANNEL_DROPPED ? LINK_DROPPED : 0;
    return rd_of(ret, 2);
}

static size_t fetchable(const struct channel *c)
{
    if (c->udp && !c->terminal->config.faults.cut_datagram)
        return c->n_datagrams > 0 ? c->datagrams[0] : 0;
    return c->n_rx;
}

static uint8_t length_octet(size_t n)
{
    return n < LENGTH_MANY ? (uint8_t)n : LENGTH_MANY;
}

uint8_t bip_waiting(const struct channel *c)
{
    return length_octet(fetchable(c));
}

unsigned bip_status_due(const struct terminal *t)
{
    for (size_t i = 0; i < TERMINAL_CHANNELS; i++)
        if (t->channels[i].state != CHANNEL_FREE && t->channels[i].status_due)
            return t->channels[i].id;
    return 0;
}

unsigned bip_data_due(const struct terminal *t)
{
    for (size_t i = 0; i < TERMINAL_CHANNELS; i++) {
        const struct channel *c = &t->channels[(t->next_channel + i) % TERMINAL_CHANNELS];
        if (c->state != CHANNEL_FREE && c->data_due)
            return c->id;
    }
    return 0;
}

void bip_told_data(struct channel *c)
{
    c->data_due = false;
    c->renotify_at = terminal_now(c->terminal) + RENOTIFY_MS;
    c->terminal->next_channel = c->id % TERMINAL_CHANNELS;
}

static void carry(struct channel *c, bool sent, struct rd octets)
{
    struct terminal *t = c->terminal;
    struct terminal_count *count = terminal_counting(t);
    const struct address *local =
        c->asked.type == ADDRESS_IPV6 ? &t->config.device.local_v6 : &t->config.device.local_v4;
    const struct terminal_flow flow = {
        .channel = c->id, .udp = c->udp, .sent = sent, .local = local, .remote = &c->asked
    };

    *(sent ? &count->sent : &count->received) += octets.n;
    if (c->udp)
        (*(sent ? &count->datagrams_sent : &count->datagrams_received))++;
    *(sent ? &t->channel_sent[c->id - 1] : &t->channel_received[c->id - 1]) += octets.n;
    c->carried += octets.n;
    if (t->config.octets != NULL)
        t->config.octets(t->config.ctx, &flow, octets);
}

/* --- the end of a link ------------------------------------------------------------------------ */

static void finish(struct channel *c)
{
    struct terminal *t = c->terminal;

    if (!c->link_lost || c->n_rx > 0 || c->state == CHANNEL_DROPPED)
        return;
    if (c->reconnect) {
        c->state = CHANNEL_ON_DEMAND;
        c->link_lost = false;
    } else {
        c->state = CHANNEL_DROPPED;
        c->status_due = true;
    }
    terminal_wake(t);
}

/* The answer to the command that waits for this channel. */
static void answer_waiting(struct channel *c, uint8_t result, int info)
{
    struct terminal *t = c->terminal;

    if (t->waiting != c)
        return;
    t->answer.result = result;
    t->answer.info = info;
    answer_done(t);
    terminal_wake(t);
}

static void lose_link(struct channel *c, const char *why)
{
    struct terminal *t = c->terminal;

    if (c->link_lost || c->state == CHANNEL_DROPPED)
        return;
    terminal_note(t, NOTE_NETWORK, c->id, "link lost: %s", why);
    close_link(c);
    wr_clear(&c->tx);
    c->tx_sent = 0;
    c->link_lost = true;
    answer_waiting(c, RESULT_BIP, BIP_CHANNEL_CLOSED);
    finish(c);
}

void bip_lost(struct terminal *t)
{
    for (size_t i = 0; i < TERMINAL_CHANNELS; i++) {
        struct channel *c = &t->channels[i];
        if (c->state == CHANNEL_FREE || c->state == CHANNEL_DROPPED)
            continue;
        if (c == t->waiting && t->command.type == TYPE_OPEN_CHANNEL) {
            t->answer.result = RESULT_BUSY;
            t->answer.info = BUSY_NO_SERVICE;
            t->answer.objects.n = c->n_refusal;
            free_channel(c);
            answer_done(t);
            continue;
        }
        lose_link(c, "no service");
    }
}

/* The fault that closes channels. */
static void maybe_close(struct channel *c)
{
    struct terminal_faults *faults = &c->terminal->config.faults;
    static const struct fault_list none = { .n = 0 };

    if (c->fd < 0)
        return;
    if (faults_close(faults, c->carried) || faults_hit(faults, &none, 0, 100)) {
        terminal_note(c->terminal, NOTE_FAULT, c->id, "closed behind %llu octets",
                      (unsigned long long)c->carried);
        lose_link(c, "fault");
    }
}

/* --- receiving -------------------------------------------------------------------------------- */

static void gate(struct channel *c, bool closed)
{
    if (c->in == NULL || c->gated == closed)
        return;
    c->gated = closed;
    if (closed)
        event_del(c->in);
    else
        event_add(c->in, NULL);
}

/* A slow link brings nothing more for as long as these octets take. */
static void slow_down(struct channel *c, size_t n)
{
    unsigned long rate = c->terminal->config.faults.slow;

    if (rate == 0)
        return;
    c->slow_until = terminal_now(c->terminal) + n * 1000 / rate;
    gate(c, true);
    terminal_wake(c->terminal);
}

static bool drops_datagram(struct channel *c)
{
    struct terminal *t = c->terminal;

    t->n_datagrams++;
    if (!faults_hit(&t->config.faults, &t->config.faults.drop_datagram, t->n_datagrams, 12))
        return false;
    terminal_note(t, NOTE_FAULT, c->id, "datagram %lu is lost", t->n_datagrams);
    return true;
}

static void arrived(struct channel *c, size_t n)
{
    bool was_empty = c->n_rx == 0;

    carry(c, false, rd_of(c->rx + c->n_rx, n));
    if (c->udp)
        c->datagrams[c->n_datagrams++] = n;
    c->n_rx += n;
    if (was_empty)
        c->data_due = true;
    slow_down(c, n);
    maybe_close(c);
    terminal_wake(c->terminal);
}

/* Nothing more came, or there is an error that says that nothing will. */
static bool is_over(ssize_t n)
{
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

static void read_stream(struct channel *c)
{
    size_t room = c->buffer - c->n_rx;

    if (room == 0) {
        gate(c, true);
        return;
    }
    ssize_t n = recv(c->fd, c->rx + c->n_rx, room, 0);
    if (n > 0)
        arrived(c, (size_t)n);
    else if (is_over(n))
        lose_link(c, n == 0 ? "closed by the peer" : strerror(errno));
}

static void read_datagram(struct channel *c)
{
    size_t room = c->buffer - c->n_rx;
    uint8_t nothing;

    ssize_t n = recv(c->fd, &nothing, 0, MSG_PEEK | MSG_TRUNC);
    if (n < 0)
        return; /* such as an ICMP error, which this takes away */
    bool too_long = (size_t)n > c->buffer;
    if (!too_long && ((size_t)n > room || c->n_datagrams == BIP_DATAGRAMS_MAX)) {
        gate(c, true);
        return;
    }
    bool dropped = too_long || n == 0 || drops_datagram(c);
    if (dropped) {
        recv(c->fd, &nothing, 0, 0);
        if (too_long)
            terminal_note(c->terminal, NOTE_NETWORK, c->id,
                          "a datagram of %zd octets is longer than the buffer", n);
        return;
    }
    n = recv(c->fd, c->rx + c->n_rx, room, 0);
    if (n > 0)
        arrived(c, (size_t)n);
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
    struct channel *c = ctx;

    (void)fd;
    (void)what;
    if (c->udp)
        read_datagram(c);
    else
        read_stream(c);
}

/* What the network holds back for want of room comes as the card makes some, so that it hears of it
 * with what is left, and not by an event for each full buffer. */
static void top_up(struct channel *c)
{
    if (!c->udp && c->in != NULL && c->n_rx > 0 && c->n_rx < c->buffer &&
        c->slow_until <= terminal_now(c->terminal))
        read_stream(c);
}

/* Takes n octets out of the buffer. */
static void consume(struct channel *c, size_t n)
{
    bool in_datagrams = c->udp && !c->terminal->config.faults.cut_datagram;

    c->n_rx -= n;
    memmove(c->rx, c->rx + n, c->n_rx);
    while (c->udp && n > 0) {
        size_t part = n < c->datagrams[0] ? n : c->datagrams[0];
        c->datagrams[0] -= part;
        n -= part;
        if (c->datagrams[0] > 0)
            break;
        c->n_datagrams--;
        memmove(c->datagrams, c->datagrams + 1, c->n_datagrams * sizeof c->datagrams[0]);
        if (in_datagrams && c->n_datagrams > 0)
            c->data_due = true; /* the next one is news */
    }
    if (c->n_rx == 0)
        c->data_due = false;
    c->renotify_at = terminal_now(c->terminal) + RENOTIFY_MS;
    if (c->slow_until <= terminal_now(c->terminal))
        gate(c, false);
    finish(c);
}

/* --- links ------------------------------------------------------------------------------------ */

static void flush(struct channel *c);
static void on_writable(evutil_socket_t fd, short what, void *ctx);

static void link_up(struct channel *c)
{
    struct terminal *t = c->terminal;
    int on = 1;

    if (!c->udp)
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->state = CHANNEL_UP;
    c->deadline = NEVER;
    c->link_lost = false;
    c->gated = true;
    terminal_counting(t)->links++;
    terminal_note(t, NOTE_NETWORK, c->id, "link established");
    gate(c, false);
}

/* Starts to connect.  0: up or on its way; else a result of class 3A. */
static int connect_link(struct channel *c)
{
    struct terminal *t = c->terminal;
    struct sockaddr_storage at;
    char asked[ADDRESS_TEXT_LEN], real[ADDRESS_TEXT_LEN];
    socklen_t n = 0;

    terminal_note(t, NOTE_NETWORK, c->id, "%s %s at %s, buffer %u", c->udp ? "UDP" : "TCP",
                  address_text(&c->asked, asked), address_text(&c->real, real), c->buffer);
    if (!address_socket(&c->real, &at, &n))
        return BIP_UNREACHABLE;
    c->fd =
        socket(at.ss_family, (c->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return BIP_NO_CAUSE;
    c->in = event_new(t->config.base, c->fd, EV_READ | EV_PERSIST, on_readable, c);
    c->out = event_new(t->config.base, c->fd, EV_WRITE, on_writable, c);
    if (c->in == NULL || c->out == NULL)
        return BIP_NO_CAUSE;
    if (connect(c->fd, (const struct sockaddr *)&at, n) == 0) {
        link_up(c);
        return 0;
    }
    if (errno != EINPROGRESS)
        return BIP_UNREACHABLE;
    c->state = CHANNEL_CONNECTING;
    c->deadline = terminal_now(t) + t->config.device.connect_ms;
    event_add(c->out, NULL);
    return 0;
}

static void link_failed(struct channel *c, const char *why)
{
    struct terminal *t = c->terminal;
    bool opening = t->waiting == c && t->command.type == TYPE_OPEN_CHANNEL;

    terminal_note(t, NOTE_NETWORK, c->id, "no link: %s", why);
    close_link(c);
    wr_clear(&c->tx);
    if (opening) /* as far as bearer and buffer */
        t->answer.objects.n = c->n_refusal;
    answer_waiting(c, RESULT_BIP, BIP_UNREACHABLE);
    if (opening) {
        free_channel(c);
        return;
    }
    c->state = CHANNEL_DROPPED;
    c->status_due = c->in_background;
    terminal_wake(t);
}

/* What the answer to OPEN CHANNEL says of the channel goes before bearer and buffer. */
static void answer_opened(struct channel *c)
{
    struct terminal *t = c->terminal;
    uint8_t status[2], room[RESPONSE_DATA_MAX];
    struct wr rest;

    wr_init(&rest, room, sizeof room);
    wr_put_rd(&rest, wr_view(&t->answer.objects));
    wr_clear(&t->answer.objects);
    object_put(&t->answer.objects, OBJECT_CHANNEL_STATUS, bip_channel_status(c, status));
    wr_put_rd(&t->answer.objects, wr_view(&rest));
}

static void connected(struct channel *c)
{
    struct terminal *t = c->terminal;

    link_up(c);
    if (t->waiting == c && t->command.type == TYPE_OPEN_CHANNEL) {
        answer_opened(c);
        answer_waiting(c, t->answer.result, t->answer.info);
        return;
    }
    if (c->in_background)
        c->status_due = true;
    if (c->sending)
        flush(c);
    terminal_wake(t);
}

static void on_writable(evutil_socket_t fd, short what, void *ctx)
{
    struct channel *c = ctx;
    int why = 0;
    socklen_t n = sizeof why;

    (void)what;
    if (c->state != CHANNEL_CONNECTING) {
        flush(c);
        return;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &n) != 0)
        why = errno;
    if (why != 0)
        link_failed(c, strerror(why));
    else
        connected(c);
}

/* --- sending ---------------------------------------------------------------------------------- */

static void sent_all(struct channel *c, size_t n)
{
    struct terminal *t = c->terminal;
    unsigned long rate = t->config.faults.slow;

    c->sending = false;
    c->deadline = NEVER;
    wr_clear(&c->tx);
    c->tx_sent = 0;
    if (rate > 0)
        t->answer.at = terminal_now(t) + n * 1000 / rate;
    if (t->waiting == c)
        object_put_u8(&t->answer.objects, OBJECT_CHANNEL_DATA_LENGTH, length_octet(c->buffer));
    answer_waiting(c, RESULT_OK, -1);
    maybe_close(c);
}

static void flush_datagram(struct channel *c)
{
    size_t n = c->tx.n;

    if (drops_datagram(c)) { /* behind the card's antenna: it counts */
        carry(c, true, wr_view(&c->tx));
        sent_all(c, n);
        return;
    }
    ssize_t r = send(c->fd, c->tx.p, n, MSG_NOSIGNAL);
    if (r < 0 && errno == ECONNREFUSED) /* an ICMP error about one before */
        r = send(c->fd, c->tx.p, n, MSG_NOSIGNAL);
    if (r < 0 && errno == EMSGSIZE) {
        wr_clear(&c->tx);
        c->sending = false;
        answer_waiting(c, RESULT_BIP, BIP_NO_CAUSE);
        return;
    }
    if (r >= 0)
        carry(c, true, wr_view(&c->tx));
    sent_all(c, n);
}

/* Writes what is there; the rest when the socket takes it. */
static void flush(struct channel *c)
{
    if (!c->sending)
        return;
    if (c->udp) {
        flush_datagram(c);
        return;
    }
    while (c->tx_sent < c->tx.n) {
        ssize_t n = send(c->fd, c->tx.p + c->tx_sent, c->tx.n - c->tx_sent, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            event_add(c->out, NULL);
            return;
        }
        if (n < 0) {
            if (errno == EINTR)
                continue;
            lose_link(c, strerror(errno));
            return;
        }
        carry(c, true, rd_of(c->tx.p + c->tx_sent, (size_t)n));
        c->tx_sent += (size_t)n;
    }
    sent_all(c, c->tx.n);
}

/* --- deadlines -------------------------------------------------------------------------------- */

static bool can_renotify(const struct channel *c)
{
    return c->n_rx > 0 && !c->data_due && c->renotify_at != NEVER;
}

void bip_tick(struct terminal *t)
{
    uint64_t now = terminal_now(t);

    for (size_t i = 0; i < TERMINAL_CHANNELS; i++) {
        struct channel *c = &t->channels[i];
        if (c->state == CHANNEL_FREE)
            continue;
        if (can_renotify(c) && c->renotify_at <= now)
            c->data_due = true;
        if (c->slow_until <= now && c->slow_until != 0) {
            c->slow_until = 0;
            gate(c, false);
        }
        if (c->deadline > now)
            continue;
        if (c->state == CHANNEL_CONNECTING)
            link_failed(c, "it takes too long");
        else
            lose_link(c, "the peer takes nothing");
    }
}

static void sooner(uint64_t *at, uint64_t other)
{
    if (other < *at)
        *at = other;
}

uint64_t bip_deadline(const struct terminal *t)
{
    uint64_t at = NEVER;

    for (size_t i = 0; i < TERMINAL_CHANNELS; i++) {
        const struct channel *c = &t->channels[i];
        if (c->state == CHANNEL_FREE)
            continue;
        sooner(&at, c->deadline);
        if (c->slow_until != 0)
            sooner(&at, c->slow_until);
        if (can_renotify(c) && t->state != TERMINAL_EXEC)
            sooner(&at, c->renotify_at);
    }
    return at;
}

/* --- OPEN CHANNEL ----------------------------------------------------------------------------- */

/* What the command says; the two addresses have the same tag, the transport level between them. */
struct opening {
    struct rd bearer, buffer, transport, local, remote;
    bool has_local, has_remote, has_transport;
    uint16_t port;
};

/* 0, or the general result. */
static uint8_t read_opening(struct rd body, struct opening *o)
{
    struct object at;
    bool has_bearer = false, has_buffer = false;

    while (object_take(&body, &at)) {
        switch (at.tag) {
        case OBJECT_BEARER:
            has_bearer = true;
            o->bearer = at.value;
            break;
        case OBJECT_BUFFER_SIZE:
            has_buffer = true;
            o->buffer = at.value;
            break;
        case OBJECT_TRANSPORT:
            o->has_transport = true;
            o->transport = at.value;
            break;
        case OBJECT_ADDRESS:
            *(o->has_transport ? &o->remote : &o->local) = at.value;
            *(o->has_transport ? &o->has_remote : &o->has_local) = true;
            break;
        default:
            break;
        }
    }
    if (!has_buffer || (!has_bearer && !o->has_transport))
        return RESULT_VALUES_MISSING;
    if (o->buffer.n != 2 || (has_bearer && (o->bearer.n < 1 || o->bearer.n > BEARER_LEN_MAX)) ||
        (o->has_transport && o->transport.n != 3))
        return RESULT_NOT_UNDERSTOOD;
    if (!o->has_transport)
        return RESULT_BEYOND_CAPABILITIES; /* the card would make IP packets */
    o->port = (uint16_t)(o->transport.p[1] << 8 | o->transport.p[2]);
    return 0;
}

static bool knows_bearer(uint8_t type)
{
    return type == BEARER_PACKET || type == BEARER_DEFAULT || type == BEARER_PACKET_EXTENDED ||
           type == BEARER_EUTRAN || type == BEARER_NGRAN;
}

static struct channel *free_channel_of(struct terminal *t)
{
    unsigned n = device_channels(&t->config.device);

    for (unsigned i = 0; i < n && i < TERMINAL_CHANNELS; i++)
        if (t->channels[i].state == CHANNEL_FREE)
            return &t->channels[i];
    return NULL;
}

/* Bearer and buffer are in every answer. */
static void put_opening(struct terminal *t, const struct opening *o, uint16_t buffer)
{
    if (o->bearer.n > 0)
        object_put(&t->answer.objects, OBJECT_BEARER, o->bearer);
    object_put_two(&t->answer.objects, OBJECT_BUFFER_SIZE, buffer >> 8, buffer & 0xFF);
}

static void put_addresses(struct terminal *t, const struct command *command,
                          const struct opening *o, const struct channel *c)
{
    const struct terminal_device *d = &t->config.device;
    uint8_t room[17];

    if (o->has_local && o->local.n == 0)
        object_put(
            &t->answer.objects, OBJECT_ADDRESS,
            address_object(c->asked.type == ADDRESS_IPV6 ? &d->local_v6 : &d->local_v4, room));
    if ((command->qualifier & DNS_REQUEST) == 0 || o->bearer.p[0] == BEARER_DEFAULT ||
        !terminal_facility(t, 33, 1))
        return;
    for (size_t i = 0; i < d->n_dns; i++)
        object_put(&t->answer.objects, OBJECT_DNS_SERVER, address_object(&d->dns[i], room));
}

/* Everything that can be wrong before a socket is made: 0, or what was answered. */
static bool refuse(struct terminal *t, const struct opening *o, uint16_t buffer)
{
    struct terminal_faults *faults = &t->config.faults;
    static const struct fault_list none = { .n = 0 };
    bool tcp = o->transport.p[0] == TRANSPORT_TCP, udp = o->transport.p[0] == TRANSPORT_UDP;

    if (t->service != SERVICE_NORMAL) {
        answer_info(t, RESULT_BUSY, BUSY_NO_SERVICE);
    } else if (faults->refuse_open) {
        terminal_note(t, NOTE_FAULT, 0, "OPEN CHANNEL refused");
        t->answer.result = faults->refuse_result;
        t->answer.info = faults->refuse_has_info ? faults->refuse_info : -1;
    } else if (faults_hit(faults, &none, 0, 10)) {
        terminal_note(t, NOTE_FAULT, 0, "OPEN CHANNEL refused");
        answer_info(t, RESULT_BUSY, BUSY_NO_CAUSE);
    } else if (free_channel_of(t) == NULL) {
        answer_bip(t, BIP_NO_CHANNEL);
    } else if (buffer == 0) {
        answer_bip(t, BIP_BUFFER_SIZE);
    } else if (!(tcp && terminal_facility(t, 17, 1)) && !(udp && terminal_facility(t, 17, 2))) {
        answer_bip(t, BIP_TRANSPORT);
    } else {
        return false;
    }
    return true;
}

static uint16_t granted(const struct terminal *t, uint16_t asked)
{
    uint16_t max = t->config.device.buffer;

    if (t->config.faults.small_buffer > 0 && t->config.faults.small_buffer < max)
        max = (uint16_t)t->config.faults.small_buffer;
    return asked < max ? asked : max;
}

static bool set_up_channel(struct terminal *t, const struct command *command,
                           const struct opening *o, const struct address *asked, uint16_t buffer,
                           struct channel *c)
{
    static const struct address_map no_map = { .n = 0 };

    c->rx = malloc(buffer);
    if (c->rx == NULL)
        return false;
    wr_init_heap(&c->tx, buffer);
    c->buffer = buffer;
    c->udp = o->transport.p[0] == TRANSPORT_UDP;
    c->asked = *asked;
    c->real = address_map_find(t->config.map != NULL ? t->config.map : &no_map, asked);
    c->reconnect = (command->qualifier & RECONNECT) != 0;
    c->in_background = (command->qualifier & BACKGROUND) != 0;
    c->deadline = c->renotify_at = NEVER;
    c->state = CHANNEL_ON_DEMAND;
    c->gated = true;
    return true;
}

int bip_open(struct terminal *t, const struct command *command)
{
    struct opening o = { .has_local = false };
    struct address asked;

    uint8_t bad = read_opening(command->body, &o);
    if (bad != 0)
        return answer(t, bad);
    uint16_t wanted = (uint16_t)(o.buffer.p[0] << 8 | o.buffer.p[1]);
    uint16_t buffer = granted(t, wanted);
    put_opening(t, &o, wanted);
    if (refuse(t, &o, buffer))
        return ANSWERED;
    if (o.bearer.n == 0 || !o.has_remote)
        return answer(t, RESULT_VALUES_MISSING);
    if (!knows_bearer(o.bearer.p[0]))
        return answer(t, RESULT_BEYOND_CAPABILITIES);
    if (!address_from_object(o.remote, o.port, &asked))
        return answer(t, RESULT_NOT_UNDERSTOOD);
    struct channel *c = free_channel_of(t);
    if (!set_up_channel(t, command, &o, &asked, buffer, c))
        return answer_info(t, RESULT_BUSY, BUSY_NO_CAUSE);
    t->answer.objects.n = 0;
    put_opening(t, &o, buffer);
    c->n_refusal = t->answer.objects.n;
    put_addresses(t, command, &o, c);
    terminal_about(t, "channel %u", c->id);
    answer(t, buffer == wanted ? RESULT_OK : RESULT_MODIFIED);
    bool now = (command->qualifier & (IMMEDIATE | BACKGROUND)) != 0;
    int failed = now ? connect_link(c) : 0;
    if (failed != 0) {
        free_channel(c);
        t->answer.objects.n = 0;
        put_opening(t, &o, wanted);
        terminal_about(t, "no link");
        return answer_bip(t, (uint8_t)failed);
    }
    if (now && c->state == CHANNEL_CONNECTING && !c->in_background) {
        t->waiting = c;
        return LATER;
    }
    answer_opened(c);
    return ANSWERED;
}

/* --- the others ------------------------------------------------------------------------------- */

static struct channel *channel_of(struct terminal *t, const struct command *command)
{
    unsigned id = command->destination - (unsigned)DEVICE_CHANNEL;

    if (command->destination <= DEVICE_CHANNEL || id > TERMINAL_CHANNELS ||
        t->channels[id - 1].state == CHANNEL_FREE)
        return NULL;
    return &t->channels[id - 1];
}

int bip_close(struct terminal *t, const struct command *command)
{
    struct channel *c = channel_of(t, command);

    if (c == NULL)
        return answer_bip(t, BIP_CHANNEL_INVALID);
    terminal_note(t, NOTE_NETWORK, c->id, "closed by the card, %llu octets carried",
                  (unsigned long long)c->carried);
    free_channel(c);
    return answer(t, RESULT_OK);
}

int bip_receive(struct terminal *t, const struct command *command)
{
    struct channel *c = channel_of(t, command);
    struct rd body = command->body, length;

    if (!object_find(&body, OBJECT_CHANNEL_DATA_LENGTH, &length))
        return answer(t, RESULT_VALUES_MISSING);
    if (length.n != 1)
        return answer(t, RESULT_NOT_UNDERSTOOD);
    if (c == NULL)
        return answer_bip(t, BIP_CHANNEL_INVALID);
    if (c->state == CHANNEL_DROPPED)
        return answer_bip(t, BIP_CHANNEL_CLOSED);
    top_up(c);
    size_t wanted = length.p[0], there = fetchable(c);
    size_t n = wanted < there ? wanted : there;
    bool missing = wanted > there && !t->config.faults.plain_receive;
    if (n > RECEIVE_MAX)
        n = RECEIVE_MAX;
    object_put(&t->answer.objects, OBJECT_CHANNEL_DATA, rd_of(c->rx, n));
    object_put_u8(&t->answer.objects, OBJECT_CHANNEL_DATA_LENGTH, length_octet(there - n));
    terminal_about(t, "%zu octets, %zu left", n, there - n);
    consume(c, n);
    return answer(t, missing ? RESULT_MISSING_INFORMATION : RESULT_OK);
}

/* Everything is in tx now: onto the link, or first a link. */
static int send_now(struct channel *c)
{
    struct terminal *t = c->terminal;
    uint64_t deadline = terminal_now(t) + t->config.device.connect_ms;

    t->waiting = c;
    c->sending = true;
    if (c->state == CHANNEL_ON_DEMAND) {
        int failed = connect_link(c);
        if (failed != 0) {
            close_link(c);
            wr_clear(&c->tx);
            t->waiting = NULL;
            return answer_bip(t, (uint8_t)failed);
        }
    }
    if (c->state == CHANNEL_UP)
        flush(c);
    if (c->sending && c->deadline > deadline)
        c->deadline = deadline;
    return LATER; /* it may have been answered already */
}

int bip_send(struct terminal *t, const struct command *command)
{
    struct channel *c = channel_of(t, command);
    struct rd body = command->body, data;

    if (!object_find(&body, OBJECT_CHANNEL_DATA, &data))
        return answer(t, RESULT_VALUES_MISSING);
    if (c == NULL)
        return answer_bip(t, BIP_CHANNEL_INVALID);
    if (c->state == CHANNEL_DROPPED || c->link_lost)
        return answer_bip(t, BIP_CHANNEL_CLOSED);
    if (t->service != SERVICE_NORMAL)
        return answer_info(t, RESULT_BUSY, BUSY_NO_SERVICE);
    if (data.n > c->buffer - c->tx.n)
        return answer_bip(t, BIP_BUFFER_SIZE);
    wr_put_rd(&c->tx, data);
    if (wr_failed(&c->tx) != 0)
        return answer_info(t, RESULT_BUSY, BUSY_NO_CAUSE);
    terminal_about(t, "%zu octets", c->tx.n);
    if ((command->qualifier & SEND_NOW) != 0)
        return send_now(c);
    object_put_u8(&t->answer.objects, OBJECT_CHANNEL_DATA_LENGTH,
                  length_octet(c->buffer - c->tx.n));
    return answer(t, RESULT_OK);
}

int bip_status(struct terminal *t, const struct command *command)
{
    uint8_t status[2];
    bool any = false;

    (void)command;
    for (size_t i = 0; i < TERMINAL_CHANNELS; i++) {
        const struct channel *c = &t->channels[i];
        if (c->state == CHANNEL_FREE)
            continue;
        any = true;
        object_put(&t->answer.objects, OBJECT_CHANNEL_STATUS, bip_channel_status(c, status));
    }
    if (!any)
        object_put_two(&t->answer.objects, OBJECT_CHANNEL_STATUS, 0, 0);
    return answer(t, RESULT_OK);
}
