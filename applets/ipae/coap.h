/* coap.h - the client's side of CoAP (RFC 7252) with blocks (RFC 7959), Request-Tag and Echo
 * (RFC 9175), for one exchange at a time with one server over DTLS.
 *
 * No socket, no clock.  After each call the caller
 *   1. sends what coap_take_datagram() gives, until it gives nothing: one message, one record;
 *   2. asks coap_take_timer() whether its timer is to be started anew or stopped;
 *   3. looks at state. */
#ifndef APPLETS_IPAE_COAP_H
#define APPLETS_IPAE_COAP_H

#include "applets/ipae/coap_message.h"

enum {
    COAP_DATAGRAM_MAX = 1280, /* that is sent; with szx 6 about 1100 are in use */
    COAP_TOKEN_LEN = 4,
    COAP_RANDOM_LEN = 8,  /* what coap_init() wants: token, message ID, Request-Tag */
    COAP_SZX_MAX = 6,     /* 1024 octets */
    COAP_ACK_TIMEOUT = 2, /* seconds; RFC 7252 4.8; about 10 with NB-IoT */
    COAP_MAX_RETRANSMIT = 4,
    COAP_RESPONSE_WAIT = 93,   /* for a separate response: MAX_TRANSMIT_WAIT, RFC 7252 4.8.2 */
    COAP_RESTARTS_MAX = 2,     /* after 4.08 */
    COAP_MAX_AGE_DEFAULT = 60, /* RFC 7252 5.10.5 */
};

/* Strings and body live until the exchange is over. */
struct coap_call {
    uint8_t method;   /* COAP_POST, COAP_PUT */
    const char *host; /* Uri-Host; NULL: left out */
    const char *path; /* "gsma/rsp2/asn1", each segment an option */
    bool has_format;
    uint16_t format;      /* Content-Format */
    unsigned szx;         /* size of blocks, at most; less than 6 is also asked of the server */
    unsigned ack_timeout; /* seconds; 0: COAP_ACK_TIMEOUT */
    struct rd body;
};

enum coap_state {
    COAP_IDLE,
    COAP_SENT,   /* neither acknowledgement nor response yet */
    COAP_ACKED,  /* acknowledged, the response comes in a message of its own */
    COAP_DONE,   /* code and body are the server's answer, be it 2.xx, 4.xx or 5.xx */
    COAP_FAILED, /* there is no answer, see reason */
};

enum coap_phase {
    COAP_WHOLE,     /* the body in one message, without Block1 */
    COAP_UPLOADING, /* Block1 */
    COAP_FETCHING,  /* Block2 behind the first one */
};

struct coap {
    enum coap_state state;
    uint8_t code;       /* COAP_DONE: COAP_CODE(class, detail) */
    uint32_t max_age;   /* COAP_DONE: seconds; with 5.03 those until another attempt */
    const char *reason; /* COAP_FAILED: why, in words; else NULL */
    bool too_long;      /* and that is the bound of body */

    /* Its own. */
    struct coap_call call;
    struct wr *body;
    enum coap_phase phase;
    uint32_t token;
    uint16_t id, tag;
    unsigned szx1, szx2;
    size_t offset; /* of the block in the body that is sent */
    size_t got;    /* octets of the answer's body so far */
    unsigned restarts;
    uint8_t first_code; /* of the blocks of an answer, all the same */
    uint8_t etag[COAP_ETAG_MAX], echo[COAP_ECHO_MAX];
    size_t etag_len, echo_len;
    bool tagged, echoed; /* Request-Tag is in use; this request was sent once more for its Echo */

    bool seen_con; /* the last separate response, whose acknowledgement may have been lost */
    uint16_t seen_id;

    unsigned wait, retransmissions; /* seconds of the timer now */
    bool timer_changed;

    uint8_t message[COAP_DATAGRAM_MAX], control[COAP_HEADER_LEN];
    size_t message_len;
    bool send_message, send_control;
};

/* A new DTLS session. */
void coap_init(struct coap *c, const uint8_t random[COAP_RANDOM_LEN]);

/* Begins an exchange; one that was under way is forgotten.  The answer's body goes to an emptied
 * body, up to its bound.  0; ERR_INPUT for a method, path, host or szx that cannot be; ERR_NOMEM
 * when they do not fit a datagram. */
int coap_request(struct coap *c, const struct coap_call *call, struct wr *body);

/* The next datagram to send; false when there is none.  It lives until the next call on c. */
bool coap_take_datagram(struct coap *c, struct rd *ret);

/* A datagram came.  Those that are not part of the exchange change nothing. */
void coap_feed_datagram(struct coap *c, struct rd datagram);

/* True once after each change: the timer is to run *ret_seconds from now, 0: not at all. */
bool coap_take_timer(struct coap *c, unsigned *ret_seconds);

/* The timer ran out. */
void coap_timeout(struct coap *c);

#endif
