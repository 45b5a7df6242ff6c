/* link.h - messages to a server and its answers, from inside the card: name, channel, TLS or DTLS,
 * HTTPS or CoAPS (SGP.32 6.1, 6.2; SGP.22 6).
 *
 * A struct link is one connection at a time, in the applet's state block:
 *
 *   start(): link_start()         stop(): link_stop()
 *   rest --link_request()--> name, channel, handshake, exchange --done()--> idle or rest
 *   idle --link_request() to the same server--> exchange --done()--> ...
 *   any --link_close()--> rest
 *
 * A session is what lies between rest and link_close(): a connection that the server closed
 * meanwhile is made anew, once, with the addresses that are known.
 *
 * Nothing of a request leaves the card before the server is trusted.  When a request fails, the
 * reason is in the trace and in the answer, and channel and keys are gone before done() is called.
 */
#ifndef APPLETS_IPAE_LINK_H
#define APPLETS_IPAE_LINK_H

#include "applets/ipae/coap.h"
#include "applets/ipae/dns.h"
#include "applets/ipae/http.h"
#include "os/bip.h"
#include "os/tls.h"

enum {
    LINK_OUT_MAX = 1500, /* octets in one write, or in a datagram */
    LINK_PATIENCE = 60,  /* seconds without an octet of the server's */
    LINK_SESSION = 900,  /* seconds from the first request on */
    LINK_BODY_MAX = 64 * 1024,
    LINK_REASON_MAX = 160,
    LINK_TICKETS = 2,
    LINK_TICKET_MAX = 2048,
    LINK_DNS_MAX = 3, /* servers that are asked */
    LINK_DNS_MESSAGE_MAX = 512,
};

enum link_outcome {
    LINK_OK,
    LINK_RETRY_LATER, /* busy, unreachable, broken off, not understood; 5xx, 408, 429 */
    LINK_NO_SERVICE,  /* wait for a network */
    LINK_UNTRUSTED,   /* the server is not who it should be */
    LINK_REFUSED,     /* not again like that: 3xx, 4xx; too long; what cannot be */
};

const char *link_outcome_name(enum link_outcome outcome);

enum link_how { LINK_HTTPS, LINK_COAPS };

/* Strings and octets live until done(). */
struct link_server {
    const char *host; /* a name, or an address */
    uint16_t port;    /* 0: 443, 5684 */
    enum link_how how;
    const char *path;       /* "/gsma/rsp2/asn1" */
    struct tls_trust trust; /* TLS_TRUST_CI without any: those of the ECASD */
    /* With HTTPS; NULL: left out. */
    const char *user_agent, *content_type, *admin_protocol;
};

/* All zero is usable with servers that have addresses for names. */
struct link_network {
    struct rd parameters;   /* of the enabled profile, as CAT objects: bearer 35, network access
                               name 47, login 0D, password 0D; or empty */
    struct bip_address dns; /* server; none: the network is asked for one */
    bool ipv6;              /* ask for AAAA too when there is no A */
    uint16_t buffer_size;   /* to ask of the terminal; 0: 1400 */
    uint16_t mtu;           /* of datagrams; 0: TLS_MTU; never more than the terminal's buffer */
    uint16_t max_fragment;  /* of TLS records, see tls.h */
    unsigned ack_timeout;   /* see coap.h */
    unsigned patience, session; /* seconds; 0: LINK_PATIENCE, LINK_SESSION */
    bool tickets;               /* keep TLS sessions until the power goes */
};

/* Octets and commands of a session so far. */
struct link_count {
    uint32_t up, down; /* in channel data: TLS, DNS */
    uint32_t commands; /* of BIP, when none was repeated */
    uint32_t connections, requests;
};

struct link_answer {
    enum link_outcome outcome;
    const char *reason;       /* in words; "" with LINK_OK */
    unsigned status;          /* of HTTP; of CoAP 2.04 as 204; 0: there is no response */
    uint32_t retry_after;     /* seconds; 0: not said */
    const char *content_type; /* without parameters; "" */
    struct rd body;           /* what the sink did not get */
    struct link_count count;
};

/* How a request ended.  It may call link_request() and link_close().  Returns 0 or a fault.  The
 * answer lives until it returns. */
typedef int link_done_fn(struct euicc *e, void *ctx, const struct link_answer *answer);

/* A piece of the body of an answer with status 200, as it is decrypted; it may call nothing of this
 * file.  Not 0: no more of it, the request ends with LINK_REFUSED.  What comes so may still turn
 * out to be cut short. */
typedef int link_sink_fn(struct euicc *e, void *ctx, struct rd piece);

/* After link_close(). */
typedef int link_rested_fn(struct euicc *e, void *ctx);

struct link_request {
    const struct link_server *server;
    const struct link_network *network;
    struct rd body;     /* lives until done() */
    size_t body_max;    /* of the answer; 0: LINK_BODY_MAX */
    link_sink_fn *sink; /* with HTTPS; NULL: the body is collected */
    bool close;         /* no other one will follow */
    bool once;          /* the server must not see it twice (RFC 9110 9.2.2) */
    link_done_fn *done;
    void *ctx; /* of done and sink */
};

enum link_stage {
    LINK_AT_REST,
    LINK_ASKING_TIME,
    LINK_NAMING,
    LINK_CONNECTING,
    LINK_SHAKING_HANDS,
    LINK_EXCHANGING,
    LINK_IDLE,
    LINK_LEAVING,
};

/* What is done when the channel is closed. */
enum link_then {
    LINK_THEN_REST,
    LINK_THEN_TELL,
    LINK_THEN_BEGIN,
    LINK_THEN_NAME,
    LINK_THEN_CONNECT
};

/* A resolver at work. */
struct link_name {
    struct bip_address servers[LINK_DNS_MAX];
    size_t n, at;
    bool placeholder; /* the channel only asks the network for servers */
    enum dns_type type;
    uint8_t query[DNS_QUERY_MAX], message[LINK_DNS_MESSAGE_MAX];
    size_t query_n, message_n;
    unsigned tries;
};

/* The connection's other end. */
struct link_peer {
    char host[TLS_MAX_NAME + 1];
    uint16_t port;
    enum link_how how;
    uint8_t trust[SHA256_LEN]; /* what is trusted */
};

struct link_protocol;

/* Zeroed before link_start(). */
struct link {
    enum link_stage stage;
    bool busy; /* done() is due */
    struct link_request q;
    struct link_server server;
    struct link_network network;
    struct link_count count;

    struct bip bip;
    struct bip_parameters parameters;
    bool has_channel, closing, sending;
    uint8_t out[LINK_OUT_MAX];
    enum link_then then;
    link_rested_fn *rested;
    void *rested_ctx;

    struct cat_command question;
    bool has_time;
    int64_t now; /* seconds since 1970; 0: unknown */

    struct cat_timer timer; /* of datagrams */
    unsigned timer_runs;    /* seconds of its last start */
    unsigned timer_again;   /* seconds wanted since then; 0: none */
    bool timer_void;        /* what it was started for is over */
    struct cat_timer watch; /* of everything */
    unsigned watch_seconds, elapsed;
    bool heard; /* an octet since the watch began */
    bool in_session;

    struct link_name name;
    struct link_peer peer;
    struct bip_address addresses[DNS_ADDRESSES_MAX]; /* of peer.host */
    size_t n_addresses, address;

    struct tls *tls;
    const struct link_protocol *protocol;
    bool reused, replied, whole, surplus; /* replied: a part, whole: all; surplus: and then more */
    bool asked;                           /* all of the request is with the terminal */

    struct wr request, body;
    size_t written; /* of request */
    size_t got;     /* of the answer's body, with a sink */
    struct http_response http;
    struct coap coap;
    struct tls_ci cis[TLS_MAX_CI];

    bool over; /* outcome and reason are there */
    enum link_outcome outcome;
    char reason[LINK_REASON_MAX];
    unsigned status;
    uint32_t retry_after;

    struct {
        struct link_peer peer;
        struct wr octets;
        bool broke_off; /* the handshake with it, once, for no reason that was given */
    } tickets[LINK_TICKETS];
    size_t next_ticket;
};

/* In the applet's start(): false when all channels of the card are taken. */
bool link_start(struct euicc *e, struct link *l);
/* In the applet's stop(): frees everything; nobody is told. */
void link_stop(struct link *l);

/* LINK_OK: under way; done() follows, unless link_close() comes first.  Anything else: nothing
 * follows; LINK_REFUSED also for what makes no sense, and when the link is busy. */
enum link_outcome link_request(struct euicc *e, struct link *l, const struct link_request *q);

/* Ends the session; a request that is under way is forgotten.  true: rested(), if there is one,
 * follows; false: it is at rest, nothing follows. */
bool link_close(struct euicc *e, struct link *l, link_rested_fn *rested, void *ctx);

/* Is there a channel, or will there be one? */
bool link_is_used(const struct link *l);

#endif
