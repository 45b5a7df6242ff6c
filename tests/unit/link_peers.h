/* link_peers.h - the other ends of test_link: servers in the same process, without sockets.
 *
 * What the terminal brings goes into peer_input(); what a peer says lies in its queue, in
 * datagrams, or in pieces of a stream. */
#ifndef TESTS_UNIT_LINK_PEERS_H
#define TESTS_UNIT_LINK_PEERS_H

#include <openssl/ssl.h>

#include "applets/ipae/coap_message.h"
#include "os/bip.h"
#include "os/crypto.h"
#include "os/x509.h"

enum {
    PEER_QUEUE = 256, /* pieces */
    PEER_ANSWERS = 4,
    PEER_MESSAGE_MAX = 300000,
};

struct party {
    struct ec_key *key;
    struct cert *cert;
    struct ec_pub *pub;
};

enum peer_kind {
    PEER_HTTPS,
    PEER_COAPS,
    PEER_DNS,
    PEER_RAW, /* answers[0] to the first octets, whatever they are */
};

struct peer {
    /* Set by the test. */
    enum peer_kind kind;
    uint8_t address[4];
    uint16_t port;
    const struct party *party;
    int version;      /* of TLS, the only one; 0: any */
    struct crypto *c; /* of the TLS server */
    bool tickets;
    /* HTTPS: whole responses, one a request, the last one again and again.  CoAPS: bodies. */
    struct rd answers[PEER_ANSWERS];
    unsigned code;                /* CoAPS: of the answer; 0: 2.04 */
    unsigned szx;                 /* CoAPS: of blocks */
    unsigned close_after;         /* answers on a connection, then the stream is closed; 0: never */
    bool close_early;             /* when the next request comes, without an answer */
    bool cut;                     /* without close_notify */
    unsigned drop;                /* bit n: datagram n of its own is lost */
    uint8_t resolved[2][4];       /* DNS: addresses */
    unsigned n_resolved, silent;  /* DNS: this many queries are not heard */
    bool wrong_id, no_name, ipv6; /* ipv6: the address is 2001:db8::1 */

    /* What happened. */
    unsigned connections, served, datagrams, queries, resumed;
    uint8_t request[PEER_MESSAGE_MAX]; /* the last one's body */
    size_t request_n;
    char head[2048]; /* of the last one */

    /* Its own. */
    SSL_CTX *ctx;
    SSL *ssl;
    struct {
        uint8_t *p;
        size_t n;
    } queue[PEER_QUEUE];
    size_t first, last;
    bool closed; /* its side of the stream, when the queue is empty */
    uint8_t in[PEER_MESSAGE_MAX];
    size_t in_n;
    unsigned served_here;
};

/* Of this crypto, valid 2024 to 2026; issuer NULL: a CI of its own. */
void party_issue(struct crypto *c, struct party *p, const struct party *issuer,
                 struct cert_request req);
void party_free(struct party *p);

void peer_init(struct peer *p);
void peer_done(struct peer *p);
bool peer_is_stream(const struct peer *p);

void peer_connect(struct peer *p);
void peer_disconnect(struct peer *p);
void peer_input(struct peer *p, struct rd octets);
void peer_timeout(struct peer *p);

/* link_responders.c: what is in the TLS. */
void peer_http(struct peer *p, struct rd plain);
void peer_coap(struct peer *p, struct rd plain);
void peer_dns(struct peer *p, struct rd query);
void peer_say(struct peer *p, struct rd plain); /* through TLS */
void peer_say_raw(struct peer *p, struct rd octets);
void peer_end(struct peer *p);                   /* its side of the stream */
void peer_push(struct peer *p, struct rd plain); /* that nobody asked for */

#endif
