/* fuzz_coap.c - applets/ipae/coap.h: an exchange with a server that may say anything.
 *
 * First octet: bits 0 to 2 size of blocks, bit 3 a body that needs few blocks or many.  Then steps:
 *   'R' type code length octets...   a message with the ID and the token of the last request; the
 *                                    octets are options and payload
 *   'S' type code ID ID length ...   the same with an ID of its own
 *   'D' length octets...             any datagram
 *   'T'                              the timer runs out
 *   'N'                              another exchange */
#include <stdlib.h>
#include <string.h>

#include "applets/ipae/coap.h"
#include "os/err.h"
#include "tests/fuzz/fuzz.h"

enum { BODY_MAX = 2000, STEPS_MAX = 300 };

static const uint8_t random_octets[COAP_RANDOM_LEN] = { 1, 2, 3, 4, 5, 6, 7, 8 };
static const uint8_t upload[3000];

struct world {
    struct coap c;
    struct wr body;
    struct rd upload;
    unsigned szx;
    uint8_t request[COAP_HEADER_LEN + COAP_TOKEN_LEN]; /* the head of the last one */
    bool timer;                                        /* it runs */
    unsigned sent;                                     /* the same request, so many times */
};

static void begin(struct world *w)
{
    const struct coap_call call = {
        .method = COAP_POST, .path = "gsma/rsp2/asn1", .szx = w->szx, .body = w->upload
    };

    oracle(coap_request(&w->c, &call, &w->body) == 0, "a request can be made");
}

static void take_sent(struct world *w, struct rd d)
{
    struct coap_message m;
    bool rejectable;

    oracle(coap_parse(d, &m, &rejectable) == 0, "what is sent parses");
    if (m.code == COAP_EMPTY) {
        oracle(m.type == COAP_ACK || m.type == COAP_RST, "what is empty is an answer");
        return;
    }
    oracle(m.type == COAP_CON && m.token.n == COAP_TOKEN_LEN, "a request is confirmable");
    oracle(m.payload.n <= coap_block_size(w->szx), "a block is not larger than was said");
    w->sent = memcmp(w->request, d.p, sizeof w->request) == 0 ? w->sent + 1 : 1;
    oracle(w->sent <= 1 + COAP_MAX_RETRANSMIT, "nothing is sent more often");
    memcpy(w->request, d.p, sizeof w->request);
}

static void look(struct world *w)
{
    struct coap *c = &w->c;
    unsigned seconds, n = 0;
    struct rd d;

    for (; coap_take_datagram(c, &d); n++)
        take_sent(w, d);
    oracle(n <= 2, "an answer and a request at most");
    if (coap_take_timer(c, &seconds))
        w->timer = seconds > 0;
    oracle(w->timer == (c->state == COAP_SENT || c->state == COAP_ACKED),
           "the timer runs as long as something is awaited");
    oracle((c->state == COAP_FAILED) == (c->reason != NULL), "a failure has its reason");
    oracle((c->state == COAP_DONE) == (c->code != 0), "an answer has its code");
    oracle(w->body.n <= w->body.max, "the body keeps its bound");
}

static void feed_message(struct world *w, struct rd *in, bool own_id)
{
    struct wr out;
    uint8_t *copy;
    size_t n, len;

    uint8_t type = fuzz_u8(in), code = fuzz_u8(in);
    uint16_t id = own_id ? fuzz_u16(in) : (uint16_t)(w->request[2] << 8 | w->request[3]);
    wr_init_heap(&out, 2048);
    coap_put_header(&out, (enum coap_type)(type & 3), code, id,
                    rd_of(w->request + COAP_HEADER_LEN, COAP_TOKEN_LEN));
    len = fuzz_u8(in);
    if (len == 0xFF) /* a payload longer than steps can be */
        len = fuzz_u16(in) % 1100;
    copy = fuzz_copy(in, len, &n);
    wr_put(&out, copy, n);
    for (; n < len; n++)
        wr_put_u8(&out, 0);
    free(copy);
    struct rd all = wr_view(&out);
    copy = fuzz_copy(&all, all.n, &n);
    coap_feed_datagram(&w->c, rd_of(copy, n));
    free(copy);
    wr_done(&out);
}

static void feed_datagram(struct world *w, struct rd *in)
{
    size_t n;
    uint8_t *copy = fuzz_copy(in, fuzz_u8(in), &n);

    coap_feed_datagram(&w->c, rd_of(copy, n));
    free(copy);
}

static void step(struct world *w, struct rd *in)
{
    switch (fuzz_u8(in)) {
    case 'R':
        feed_message(w, in, false);
        break;
    case 'S':
        feed_message(w, in, true);
        break;
    case 'D':
        feed_datagram(w, in);
        break;
    case 'T':
        w->timer = false;
        coap_timeout(&w->c);
        break;
    case 'N':
        begin(w);
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd in = rd_of(data, size);
    uint8_t how = fuzz_u8(&in);
    struct world *w = calloc(1, sizeof *w);

    oracle(w != NULL, "there is memory");
    w->szx = how % 7;
    w->upload = rd_of(upload, (how & 8) != 0 ? sizeof upload : 40);
    wr_init_heap(&w->body, BODY_MAX);
    coap_init(&w->c, random_octets);
    begin(w);
    look(w);
    for (unsigned i = 0; i < STEPS_MAX && in.n > 0; i++) {
        step(w, &in);
        look(w);
    }
    /* Silence ends everything. */
    for (unsigned i = 0; i <= COAP_MAX_RETRANSMIT && w->timer; i++) {
        w->timer = false;
        coap_timeout(&w->c);
        look(w);
    }
    oracle(!w->timer, "silence is an end");
    wr_done(&w->body);
    free(w);
    return 0;
}
