/* link_steps.h - the steps of a link, shared by applets/ipae/link*.c.
 *
 * A step changes the link's state and says by link_end() when the request is over; the functions
 * that the engine calls end with link_settle(), which does what follows from the state. */
#ifndef APPLETS_IPAE_LINK_STEPS_H
#define APPLETS_IPAE_LINK_STEPS_H

#include "applets/ipae/link.h"
#include "os/euicc.h"

/* HTTP or CoAP over TLS.  begin() and write() come when the state of TLS is TLS_OPEN; connected()
 * and timeout() are optional. */
struct link_protocol {
    bool datagram;
    uint16_t port;
    void (*connected)(struct euicc *e, struct link *l); /* a new connection */
    void (*begin)(struct euicc *e, struct link *l);
    void (*write)(struct euicc *e, struct link *l);
    void (*read)(struct euicc *e, struct link *l, struct rd plain);
    void (*timeout)(struct euicc *e, struct link *l);
    void (*closed)(struct euicc *e, struct link *l); /* TLS is, within an exchange */
};

extern const struct link_protocol link_http, link_coap;

/* --- link.c --- */

/* The request is over; the first reason counts. */
void link_end(struct euicc *e, struct link *l, enum link_outcome outcome, const char *format, ...)
    TRACE_PRINTF(4, 5);
int link_settle(struct euicc *e, struct link *l);
/* Closes the channel; then is done when that has happened.  link_settle() does it. */
void link_leave(struct link *l, enum link_then then);
/* Opens a channel; l->parameters but for these are the network's. */
bool link_open_channel(struct link *l, enum bip_protocol protocol,
                       const struct bip_address *address, uint16_t port, bool dns);
enum link_outcome link_outcome_of(enum bip_outcome outcome);
void link_count_sent(struct link *l, size_t n);
void link_connect(struct euicc *e, struct link *l);

/* --- link_watch.c --- */

/* 0 stops it. */
void link_set_timer(struct euicc *e, struct link *l, unsigned seconds);
/* Nothing, while it runs. */
void link_start_watch(struct euicc *e, struct link *l);

/* --- link_name.c --- */

/* Is it an address? */
bool link_read_address(const char *text, struct bip_address *ret);
void link_find(struct euicc *e, struct link *l);
void link_name_open(struct euicc *e, struct link *l);
void link_name_opened(struct euicc *e, struct link *l, enum bip_outcome outcome);
void link_name_received(struct euicc *e, struct link *l, struct rd octets, uint8_t remaining);
void link_name_closed(struct euicc *e, struct link *l);
void link_name_timeout(struct euicc *e, struct link *l);

/* --- link_tls.c --- */

void link_secure(struct euicc *e, struct link *l);
void link_secure_received(struct euicc *e, struct link *l, struct rd octets, uint8_t remaining);
void link_secure_closed(struct euicc *e, struct link *l);
void link_secure_timeout(struct euicc *e, struct link *l);
/* Does what the state of TLS allows. */
void link_turn(struct euicc *e, struct link *l);
/* What TLS has for the channel, when that is free. */
void link_pump(struct euicc *e, struct link *l);
void link_forget_tls(struct link *l);

/* --- link_network.c --- */

/* The network's parameters into l->parameters. */
void link_read_network(struct euicc *e, struct link *l);
/* What l->server says, in a form to compare.  0 or a fault. */
int link_read_peer(struct euicc *e, struct link *l, struct link_peer *ret);
bool link_same_peer(const struct link_peer *a, const struct link_peer *b);
struct rd link_ticket(const struct link *l);
void link_keep_ticket(struct link *l);

#endif
