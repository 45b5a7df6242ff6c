/* coap_message.h - one CoAP message, taken apart and put together (RFC 7252 3).
 *
 * A message is a datagram: it has no length of its own. */
#ifndef APPLETS_IPAE_COAP_MESSAGE_H
#define APPLETS_IPAE_COAP_MESSAGE_H

#include "os/buf.h"

enum {
    COAP_HEADER_LEN = 4,
    COAP_TOKEN_MAX = 8,
    COAP_ETAG_MAX = 8,
    COAP_ECHO_MAX = 40,
};

enum coap_type { /* RFC 7252 3 */
                 COAP_CON = 0,
                 COAP_NON = 1,
                 COAP_ACK = 2,
                 COAP_RST = 3,
};

/* Class and detail as one octet: 2.04 is COAP_CODE(2, 4). */
#define COAP_CODE(class, detail) ((class) << 5 | (detail))

enum coap_code { /* those that something depends on; RFC 7252 12.1, RFC 7959 2.9 */
                 COAP_EMPTY = 0,
                 COAP_POST = COAP_CODE(0, 2),
                 COAP_PUT = COAP_CODE(0, 3),
                 COAP_CHANGED = COAP_CODE(2, 4),
                 COAP_CONTENT = COAP_CODE(2, 5),
                 COAP_CONTINUE = COAP_CODE(2, 31),
                 COAP_UNAUTHORIZED = COAP_CODE(4, 1),
                 COAP_INCOMPLETE = COAP_CODE(4, 8),
                 COAP_TOO_LARGE = COAP_CODE(4, 13),
                 COAP_UNAVAILABLE = COAP_CODE(5, 3),
};

enum coap_option { /* RFC 7252 12.2, RFC 7959 6, RFC 9175 6 */
                   COAP_URI_HOST = 3,
                   COAP_ETAG = 4,
                   COAP_URI_PATH = 11,
                   COAP_CONTENT_FORMAT = 12,
                   COAP_MAX_AGE = 14,
                   COAP_BLOCK2 = 23,
                   COAP_BLOCK1 = 27,
                   COAP_SIZE2 = 28,
                   COAP_ECHO = 252,
                   COAP_REQUEST_TAG = 292,
};

/* Block1 or Block2 (RFC 7959 2.2). */
struct coap_block {
    uint32_t num; /* 20 bits */
    bool more;
    unsigned szx; /* blocks of 2 ** (szx + 4) octets; 0 to 6 */
};

static inline size_t coap_block_size(unsigned szx)
{
    return (size_t)16 << szx;
}

/* What a response may say that matters here; views into the datagram. */
struct coap_message {
    enum coap_type type;
    uint8_t code;
    uint16_t id;
    struct rd token, payload;
    struct rd etag, echo; /* p is NULL: not there */
    bool has_block1, has_block2, has_max_age, has_size2;
    struct coap_block block1, block2;
    uint32_t max_age, size2;
    unsigned refused; /* number of a critical option that cannot be taken, RFC 7252 5.4.1; or 0 */
};

/* Takes a datagram apart.  0, or ERR_INPUT for what breaks the format; even then *ret has type,
 * code and id when there are four octets of version 1 (*ret_rejectable), so that it can be
 * rejected. */
int coap_parse(struct rd datagram, struct coap_message *ret, bool *ret_rejectable);

void coap_put_header(struct wr *out, enum coap_type type, uint8_t code, uint16_t id,
                     struct rd token);

/* Options are written in the order of their numbers; *last is the one before, 0 at first. */
void coap_put_option(struct wr *out, unsigned *last, unsigned number, struct rd value);
void coap_put_uint_option(struct wr *out, unsigned *last, unsigned number, uint32_t value);
void coap_put_block(struct wr *out, unsigned *last, unsigned number, struct coap_block block);

/* The marker and the payload; nothing when it is empty. */
void coap_put_payload(struct wr *out, struct rd payload);

#endif
