/* link_name.c - the addresses of a server: its name is one, or a DNS server is asked over a channel
 * of its own.  An answer may be a lie; who is at an address shows in TLS. */
#include <arpa/inet.h>
#include <string.h>

#include "applets/ipae/link_steps.h"

enum {
    DNS_PORT = 53,
    FIRST_WAIT = 2, /* seconds; 4 and 8 follow */
    TRIES = 3,
};

bool link_read_address(const char *text, struct bip_address *ret)
{
    if (inet_pton(AF_INET, text, ret->octets) == 1)
        ret->n = 4;
    else if (inet_pton(AF_INET6, text, ret->octets) == 1)
        ret->n = 16;
    else
        return false;
    return true;
}

static void add_server(struct link_name *name, const struct bip_address *address)
{
    for (size_t i = 0; i < name->n; i++)
        if (name->servers[i].n == address->n &&
            memcmp(name->servers[i].octets, address->octets, address->n) == 0)
            return;
    if (name->n < LINK_DNS_MAX)
        name->servers[name->n++] = *address;
}

static bool can_ask_network(const struct euicc *e, const struct link *l)
{
    return l->parameters.packet_service && cat_allows(&e->cat, CAT_CAN_DNS_REQUEST);
}

/* The network tells its servers to who opens a channel, whatever for (TS 102 223 6.4.27.1). */
static const struct bip_address nobody = { { 192, 0, 2, 53 }, 4 }; /* RFC 5737 */

void link_name_open(struct euicc *e, struct link *l)
{
    struct link_name *name = &l->name;

    l->stage = LINK_NAMING;
    name->tries = 0;
    name->message_n = 0;
    name->placeholder = name->n == 0;
    if (name->placeholder && !can_ask_network(e, l))
        link_end(e, l, LINK_REFUSED, "no DNS server is known");
    else if (!link_open_channel(l, BIP_UDP, name->placeholder ? &nobody : &name->servers[name->at],
                                DNS_PORT, can_ask_network(e, l) && name->at == 0))
        link_end(e, l, LINK_RETRY_LATER, "no channel for DNS (TS 102 223 5.2)");
}

void link_find(struct euicc *e, struct link *l)
{
    if (l->n_addresses == 0 && link_read_address(l->peer.host, &l->addresses[0]))
        l->n_addresses = 1;
    if (l->n_addresses > 0) {
        l->address = l->address < l->n_addresses ? l->address : 0;
        link_connect(e, l);
        return;
    }
    l->address = 0;
    l->name = (struct link_name){ .type = DNS_A };
    if (l->network.dns.n != 0)
        add_server(&l->name, &l->network.dns);
    link_name_open(e, l);
}

/* --- asking ----------------------------------------------------------------------------------- */

static void send_query(struct euicc *e, struct link *l)
{
    struct rd query = rd_of(l->name.query, l->name.query_n);

    if (!l->sending && bip_send(&l->bip, query)) {
        l->sending = true;
        link_count_sent(l, query.n);
    }
    link_set_timer(e, l, (unsigned)FIRST_WAIT << l->name.tries);
}

static void ask(struct euicc *e, struct link *l)
{
    struct link_name *name = &l->name;
    uint8_t id[2];
    struct wr w;

    wr_init(&w, name->query, sizeof name->query);
    if (crypto_random(e->crypto, id, sizeof id) != 0) {
        link_end(e, l, LINK_RETRY_LATER, "no random octets");
        return;
    }
    if (dns_put_query(&w, rd_str(l->peer.host), name->type, (uint16_t)(id[0] << 8 | id[1])) != 0) {
        link_end(e, l, LINK_REFUSED, "not a host name (RFC 1123 2.1)");
        return;
    }
    name->query_n = w.n;
    name->tries = 0;
    send_query(e, l);
}

static void ask_next_server(struct euicc *e, struct link *l, const char *why)
{
    link_set_timer(e, l, 0);
    if (l->name.at + 1 < l->name.n) {
        l->name.at++;
        link_leave(l, LINK_THEN_NAME);
    } else {
        link_end(e, l, LINK_RETRY_LATER, "DNS: %s", why);
    }
}

void link_name_opened(struct euicc *e, struct link *l, enum bip_outcome outcome)
{
    struct link_name *name = &l->name;

    for (size_t i = 0; outcome == BIP_OK && i < l->bip.n_dns; i++)
        add_server(name, &l->bip.dns[i]);
    if (outcome == BIP_RETRY_LATER && name->at + 1 < name->n) {
        name->at++;
        link_name_open(e, l);
    } else if (outcome != BIP_OK) {
        link_end(e, l, link_outcome_of(outcome),
                 "OPEN CHANNEL for DNS: result %02X %02X (TS 102 223 8.12)", l->bip.general,
                 l->bip.additional);
    } else if (!name->placeholder) {
        ask(e, l);
    } else if (name->n == 0) {
        link_end(e, l, LINK_REFUSED, "the network tells no DNS server (TS 102 223 6.4.27.1)");
    } else {
        link_leave(l, LINK_THEN_NAME);
    }
}

void link_name_timeout(struct euicc *e, struct link *l)
{
    if (++l->name.tries < TRIES)
        send_query(e, l);
    else
        ask_next_server(e, l, "no answer");
}

void link_name_closed(struct euicc *e, struct link *l)
{
    ask_next_server(e, l, "the channel was closed");
}

/* --- answers ---------------------------------------------------------------------------------- */

static void take_addresses(struct euicc *e, struct link *l, const struct dns_answer *answer)
{
    for (size_t i = 0; i < answer->n; i++) {
        memcpy(l->addresses[i].octets, answer->address[i], answer->address_len);
        l->addresses[i].n = (uint8_t)answer->address_len;
    }
    l->n_addresses = answer->n;
    trace_note(&e->trace, "DNS: %s has %zu addresses, for %u seconds", l->peer.host, answer->n,
               answer->ttl);
    link_set_timer(e, l, 0);
    link_leave(l, LINK_THEN_CONNECT);
}

static void take_message(struct euicc *e, struct link *l, struct rd message)
{
    struct link_name *name = &l->name;
    struct dns_answer answer;
    enum dns_result result = dns_read(rd_of(name->query, name->query_n), message, &answer);

    if (result == DNS_NOT_OURS)
        return;
    if (result == DNS_FOUND) {
        take_addresses(e, l, &answer);
    } else if (result == DNS_NO_ADDRESS && name->type == DNS_A && l->network.ipv6) {
        name->type = DNS_AAAA;
        ask(e, l);
    } else if (result == DNS_NO_NAME || result == DNS_NO_ADDRESS) {
        link_end(e, l, LINK_REFUSED, "DNS: %s", dns_result_name(result));
    } else {
        ask_next_server(e, l, dns_result_name(result));
    }
}

/* The end of a datagram is where nothing remains; one that is longer than its buffer is none. */
void link_name_received(struct euicc *e, struct link *l, struct rd octets, uint8_t remaining)
{
    struct link_name *name = &l->name;
    size_t room = sizeof name->message - name->message_n;

    if (octets.n <= room) {
        memcpy(name->message + name->message_n, octets.p, octets.n);
        name->message_n += octets.n;
    } else {
        name->message_n = sizeof name->message;
    }
    if (remaining > 0 || l->sending)
        return;
    struct rd message = rd_of(name->message, name->message_n);
    name->message_n = 0;
    take_message(e, l, message);
}
