/* link_terminal.c - test_link's terminal. */
#include "tests/unit/link_terminal.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "os/ctlv.h"
#include "os/err.h"
#include "os/tlv.h"
#include "tests/testlib/hex.h"

enum { TX_MAX = 4096, APDUS_MAX = 20000 };

static void transmit(struct terminal *t, struct rd command)
{
    struct rd exact = exact_copy_of(command);

    t->n = euicc_transmit(t->e, exact.p, exact.n, t->response);
    const struct rd parts[] = { rd_of(t->digest, sizeof t->digest), exact,
                                rd_of(t->response, t->n) };
    ck_assert_int_eq(crypto_sha256(t->c, parts, N_ELEMS(parts), t->digest), 0);
    ck_assert_uint_ge(t->n, 2);
    t->sw = (unsigned)(t->response[t->n - 2] << 8 | t->response[t->n - 1]);
    t->apdus++;
    exact_free(&exact);
}

static void say(struct terminal *t, uint8_t ins, struct rd data)
{
    uint8_t room[5 + 255];
    struct wr w;

    ck_assert_uint_le(data.n, 255);
    wr_init(&w, room, sizeof room);
    wr_put(&w, (const uint8_t[]){ 0x80, ins, 0, 0, (uint8_t)data.n }, 5);
    wr_put_rd(&w, data);
    transmit(t, wr_view(&w));
}

void terminal_send(struct terminal *t, const char *apdu)
{
    struct rd octets = exact_copy(apdu);

    transmit(t, octets);
    exact_free(&octets);
}

/* --- channels --------------------------------------------------------------------------------- */

static size_t waiting(const struct terminal *t, unsigned id)
{
    const struct peer *p = t->channels[id].peer;
    size_t n = 0;

    for (size_t i = p->first; i < p->last; i++) {
        n += p->queue[i].n - (i == p->first ? t->channels[id].rx_at : 0);
        if (!peer_is_stream(p))
            break; /* one datagram at a time */
    }
    return n;
}

static struct peer *find_peer(struct terminal *t, struct rd transport, struct rd address)
{
    for (size_t i = 0; i < TERMINAL_PEERS; i++) {
        struct peer *p = t->peers[i];
        if (p != NULL && address.n == 5 && memcmp(address.p + 1, p->address, 4) == 0 &&
            (transport.p[1] << 8 | transport.p[2]) == p->port &&
            (transport.p[0] == 2) == peer_is_stream(p))
            return p;
    }
    return NULL;
}

static void put_u8(struct wr *w, uint8_t tag, uint8_t value)
{
    ctlv_put(w, tag, false, rd_of(&value, 1));
}

static void put_result(struct wr *w, const char *result)
{
    struct rd octets = exact_copy(result);

    ctlv_put(w, CTLV_RESULT, true, octets);
    exact_free(&octets);
}

/* Nobody there is "remote device not reachable"; the resolver that nobody is takes anything. */
static void open_channel(struct terminal *t, struct rd body, struct wr *w)
{
    struct rd transport, address, buffer;
    uint8_t size[2], dns[5] = { 0x21 };
    unsigned id = t->channels[1].peer == NULL ? 1 : 2;

    memcpy(t->open, body.p, body.n);
    t->open_n = body.n;
    ck_assert(ctlv_find(body, CTLV_TRANSPORT_LEVEL, &transport) && transport.n == 3);
    ck_assert(ctlv_find(body, CTLV_ADDRESS, &address));
    ck_assert(ctlv_find(body, CTLV_BUFFER_SIZE, &buffer) && buffer.n == 2);
    struct peer *p = find_peer(t, transport, address);
    if (p == NULL && t->tells_dns && (t->qualifier & 8) != 0)
        p = t->peers[0];
    if (p == NULL) {
        put_result(w, "3A07");
        return;
    }
    ck_assert_ptr_null(t->channels[id].peer);
    memcpy(size, buffer.p, 2);
    if (t->buffer_size != 0 && (size[0] << 8 | size[1]) > t->buffer_size) {
        size[0] = (uint8_t)(t->buffer_size >> 8);
        size[1] = (uint8_t)t->buffer_size;
    }
    t->channels[id].peer = p;
    t->channels[id].rx_at = t->channels[id].tx_n = 0;
    t->channels[id].notified = t->channels[id].told_closed = false;
    peer_connect(p);
    const uint8_t status[] = { (uint8_t)(0x80 | id), 0 };
    put_result(w, "00");
    ctlv_put(w, CTLV_CHANNEL_STATUS, false, rd_of(status, 2));
    ctlv_put(w, CTLV_BUFFER_SIZE, false, rd_of(size, 2));
    if (t->tells_dns && (t->qualifier & 8) != 0) {
        memcpy(dns + 1, t->peers[0]->address, 4);
        ctlv_put(w, CTLV_DNS_SERVER, false, rd_of(dns, sizeof dns));
    }
}

static void send_data(struct terminal *t, unsigned id, bool flush, struct rd body, struct wr *w)
{
    struct rd data;

    ck_assert(ctlv_find(body, CTLV_CHANNEL_DATA, &data));
    ck_assert_uint_le(t->channels[id].tx_n + data.n, TX_MAX);
    memcpy(t->channels[id].tx + t->channels[id].tx_n, data.p, data.n);
    t->channels[id].tx_n += data.n;
    t->up += data.n;
    if (flush) {
        struct rd all = exact_copy_of(rd_of(t->channels[id].tx, t->channels[id].tx_n));
        t->channels[id].tx_n = 0;
        if (!t->channels[id].peer->closed)
            peer_input(t->channels[id].peer, all);
        exact_free(&all);
    }
    put_result(w, "00");
    put_u8(w, CTLV_CHANNEL_DATA_LENGTH, 0xFF);
}

static void receive_data(struct terminal *t, unsigned id, struct rd body, struct wr *w)
{
    struct peer *p = t->channels[id].peer;
    uint8_t octets[237];
    size_t n = 0;
    struct rd wanted;

    ck_assert(ctlv_find(body, CTLV_CHANNEL_DATA_LENGTH, &wanted) && wanted.n == 1);
    while (n < wanted.p[0] && n < sizeof octets && p->first < p->last) {
        octets[n++] = p->queue[p->first].p[t->channels[id].rx_at++];
        if (t->channels[id].rx_at < p->queue[p->first].n)
            continue;
        free(p->queue[p->first++].p);
        t->channels[id].rx_at = 0;
        if (p->first == p->last)
            p->first = p->last = 0;
        if (!peer_is_stream(p))
            break;
    }
    t->down += n;
    bool ended = !peer_is_stream(p) && t->channels[id].rx_at == 0;
    size_t left = ended ? 0 : waiting(t, id);
    t->channels[id].notified = left > 0;
    put_result(w, "00");
    ctlv_put(w, CTLV_CHANNEL_DATA, false, rd_of(octets, n));
    put_u8(w, CTLV_CHANNEL_DATA_LENGTH, left > 254 ? 255 : (uint8_t)left);
}

/* --- timers ----------------------------------------------------------------------------------- */

static unsigned swapped(uint8_t octet)
{
    return (octet & 15u) * 10 + (octet >> 4);
}

static void manage_timer(struct terminal *t, uint8_t qualifier, struct rd body, struct wr *w)
{
    struct rd id, value;

    ck_assert(ctlv_find(body, CTLV_TIMER_ID, &id) && id.n == 1 && id.p[0] < TERMINAL_TIMERS);
    put_result(w, "00");
    t->timers[id.p[0]].running = qualifier == 0;
    if (qualifier != 0)
        return;
    ck_assert(ctlv_find(body, CTLV_TIMER_VALUE, &value) && value.n == 3);
    t->timers[id.p[0]].seconds =
        swapped(value.p[0]) * 3600 + swapped(value.p[1]) * 60 + swapped(value.p[2]);
    t->timers[id.p[0]].due = t->now + t->timers[id.p[0]].seconds;
}

static bool expire(struct terminal *t)
{
    uint8_t first = 0;

    for (uint8_t i = 1; i < TERMINAL_TIMERS; i++)
        if (t->timers[i].running && (first == 0 || t->timers[i].due < t->timers[first].due))
            first = i;
    if (first == 0)
        return false;
    t->timers[first].running = false;
    t->now = t->timers[first].due;
    t->expirations++;
    for (size_t i = 1; i < TERMINAL_CHANNELS; i++)
        if (t->channels[i].peer != NULL)
            peer_timeout(t->channels[i].peer);
    const uint8_t envelope[] = { 0xD7, 12, 0x82, 2, 0x82, 0x81, 0xA4, 1, first, 0xA5, 3, 0, 0, 0 };
    say(t, 0xC2, rd_of(envelope, sizeof envelope));
    return true;
}

/* --- commands --------------------------------------------------------------------------------- */

static void date_time(struct terminal *t, struct wr *w)
{
    if (t->date == NULL) {
        put_result(w, "20");
        return;
    }
    struct rd octets = exact_copy(t->date);
    put_result(w, "00");
    ctlv_put(w, CTLV_DATE_TIME, true, octets);
    exact_free(&octets);
}

static void perform(struct terminal *t, uint8_t type, uint8_t qualifier, unsigned channel,
                    struct rd body, struct wr *w)
{
    bool needs_channel = type >= CAT_CLOSE_CHANNEL && type <= CAT_SEND_DATA;

    if (type == CAT_OPEN_CHANNEL)
        t->qualifier = qualifier;
    if (needs_channel && (channel >= TERMINAL_CHANNELS || t->channels[channel].peer == NULL)) {
        put_result(w, "3A03");
    } else if (type == CAT_OPEN_CHANNEL) {
        open_channel(t, body, w);
    } else if (type == CAT_CLOSE_CHANNEL) {
        peer_disconnect(t->channels[channel].peer);
        t->channels[channel].peer = NULL;
        put_result(w, "00");
    } else if (type == CAT_SEND_DATA) {
        send_data(t, channel, (qualifier & 1) != 0, body, w);
    } else if (type == CAT_RECEIVE_DATA) {
        receive_data(t, channel, body, w);
    } else if (type == CAT_TIMER_MANAGEMENT) {
        manage_timer(t, qualifier, body, w);
    } else if (type == CAT_PROVIDE_LOCAL_INFORMATION) {
        date_time(t, w);
    } else if (type == CAT_GET_CHANNEL_STATUS) {
        put_result(w, "00");
        for (unsigned i = 1; i < TERMINAL_CHANNELS; i++)
            if (t->channels[i].peer != NULL)
                ctlv_put(w, CTLV_CHANNEL_STATUS, false,
                         rd_of((const uint8_t[]){ (uint8_t)(0x80 | i), 0 }, 2));
    } else {
        put_result(w, "00");
    }
}

static bool is_faulty(struct terminal *t, uint8_t type, struct wr *w)
{
    if (t->fault.type != type || t->fault.times == 0)
        return false;
    if (t->fault.skip > 0) {
        t->fault.skip--;
        return false;
    }
    t->fault.times--;
    const uint8_t result[] = { t->fault.general, t->fault.additional };
    ctlv_put(w, CTLV_RESULT, true, rd_of(result, sizeof result));
    return true;
}

static bool is_lost(struct terminal *t, uint8_t type)
{
    if (t->lost.type != type || t->lost.times == 0)
        return false;
    if (t->lost.skip > 0) {
        t->lost.skip--;
        return false;
    }
    t->lost.times--;
    return true;
}

static void fetch(struct terminal *t)
{
    uint8_t command[256], room[256];
    struct rd body, details, devices;
    struct tlv outer;
    struct wr w;

    const uint8_t apdu[] = { 0x80, 0x12, 0, 0, (uint8_t)t->sw };
    transmit(t, rd_of(apdu, sizeof apdu));
    ck_assert_uint_eq(t->sw, 0x9000);
    memcpy(command, t->response, t->n - 2);
    struct rd in = rd_of(command, t->n - 2);
    ck_assert_int_eq(tlv_get(&in, &outer), 0);
    body = outer.value;
    ck_assert(ctlv_find(body, CTLV_COMMAND_DETAILS, &details) && details.n == 3);
    ck_assert(ctlv_find(body, CTLV_DEVICE_IDENTITIES, &devices) && devices.n == 2);
    t->commands[details.p[1]]++;
    wr_init(&w, room, sizeof room);
    ctlv_put(&w, CTLV_COMMAND_DETAILS, true, details);
    ctlv_put(&w, CTLV_DEVICE_IDENTITIES, true, rd_of((const uint8_t[]){ 0x82, 0x81 }, 2));
    if (!is_faulty(t, details.p[1], &w))
        perform(t, details.p[1], details.p[2], devices.p[1] & 7u, body, &w);
    if (is_lost(t, details.p[1]))
        for (unsigned i = 0; i <= CAT_PATIENCE; i++)
            terminal_send(t, "80F2000C");
    else
        say(t, 0x14, wr_view(&w));
}

/* --- what happens next ------------------------------------------------------------------------ */

static bool tell_event(struct terminal *t)
{
    for (unsigned id = 1; id < TERMINAL_CHANNELS; id++) {
        struct peer *p = t->channels[id].peer;
        if (p == NULL)
            continue;
        size_t n = waiting(t, id);
        if (n > 0 && !t->channels[id].notified) {
            const uint8_t envelope[] = { 0xD6, 14,   0x99, 1,
                                         0x09, 0x82, 2,    0x82,
                                         0x81, 0xB8, 2,    (uint8_t)(0x80 | id),
                                         0,    0xB7, 1,    n > 254 ? 255 : (uint8_t)n };
            t->channels[id].notified = true;
            say(t, 0xC2, rd_of(envelope, sizeof envelope));
            return true;
        }
        if (n == 0 && p->closed && !t->channels[id].told_closed) {
            const uint8_t envelope[] = { 0xD6, 11,   0x99, 1, 0x0A,        0x82, 2,
                                         0x82, 0x81, 0xB8, 2, (uint8_t)id, 5 };
            t->channels[id].told_closed = true;
            say(t, 0xC2, rd_of(envelope, sizeof envelope));
            return true;
        }
    }
    return false;
}

bool terminal_run(struct terminal *t, const unsigned *stop, unsigned want)
{
    for (;;) {
        if (stop != NULL && *stop >= want && t->sw >> 8 != 0x91)
            return true;
        if (t->apdus > APDUS_MAX || (t->stop_after != 0 && t->apdus >= t->stop_after))
            return false;
        if (t->sw >> 8 == 0x91)
            fetch(t);
        else if (!tell_event(t) && !expire(t))
            return true;
    }
}

void terminal_init(struct terminal *t, struct euicc *e, struct crypto *c)
{
    memset(t, 0, sizeof *t);
    t->e = e;
    t->c = c;
    t->response = malloc(APDU_MAX_RESPONSE);
    for (size_t i = 1; i < TERMINAL_CHANNELS; i++)
        t->channels[i].tx = malloc(TX_MAX);
}

void terminal_done(struct terminal *t)
{
    free(t->response);
    for (size_t i = 1; i < TERMINAL_CHANNELS; i++)
        free(t->channels[i].tx);
}

void terminal_start(struct terminal *t, const char *profile)
{
    struct rd octets = exact_copy(profile);

    for (size_t i = 0; i < TERMINAL_CHANNELS; i++)
        t->channels[i].peer = NULL;
    memset(t->timers, 0, sizeof t->timers);
    t->sw = 0;
    say(t, 0x10, octets);
    exact_free(&octets);
}
