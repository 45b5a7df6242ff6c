/* fuzz_http.c - applets/ipae/http.h: a response means the same however its octets come, and keeps
 * its bounds.  The first octet is the bound of the body, the second makes the sizes of the pieces,
 * the third says whether the connection ends; the response is the rest. */
#include <stdlib.h>
#include <string.h>

#include "applets/ipae/http.h"
#include "os/err.h"
#include "tests/fuzz/fuzz.h"

struct outcome {
    struct http_response h;
    struct wr body;
    int result;
    size_t left;
};

static void check(const struct outcome *o)
{
    const struct http_response *h = &o->h;

    oracle((h->state == HTTP_REFUSED) == (o->result != 0), "a refusal is a fault");
    oracle((h->state == HTTP_REFUSED) == (h->reason != NULL), "a refusal has its reason");
    oracle(o->body.n <= o->body.max, "the body keeps its bound");
    oracle(memchr(h->content_type, 0, sizeof h->content_type) != NULL, "Content-Type is a string");
    if (h->state == HTTP_DONE)
        oracle(h->status >= 200 && h->status <= 599, "the status is final");
    if (h->state != HTTP_DONE && h->state != HTTP_REFUSED)
        oracle(o->left == 0, "all is taken until there is enough");
}

/* pieces: 0 for as a whole. */
static void run(struct rd text, size_t max, uint32_t pieces, bool end, struct outcome *o)
{
    struct rd piece;

    wr_init_heap(&o->body, max);
    http_response_init(&o->h, &o->body);
    o->result = 0;
    do {
        pieces = pieces * 1103515245u;
        size_t n = pieces == 0 ? text.n : 1 + (pieces >> 16) % 9;
        oracle(rd_take(&text, n < text.n ? n : text.n, &piece) == 0, "a piece is there");
        o->result = http_feed(&o->h, &piece);
        o->left = piece.n + text.n;
    } while (o->result == 0 && o->h.state != HTTP_DONE && text.n > 0);
    if (o->result == 0 && end) {
        o->result = http_end(&o->h);
        oracle(o->result != 0 || o->h.state == HTTP_DONE, "there is an end");
    }
    check(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd in = rd_of(data, size);
    size_t max = fuzz_u8(&in);
    uint32_t pieces = fuzz_u8(&in) * 2u + 1;
    bool end = (fuzz_u8(&in) & 1) != 0;
    struct outcome whole, cut;

    run(in, max, 0, end, &whole);
    run(in, max, pieces, end, &cut);
    oracle(whole.h.state == cut.h.state && whole.result == cut.result &&
               whole.h.reason == cut.h.reason,
           "the result does not depend on where it was cut");
    oracle(whole.result != 0 || whole.left == cut.left, "nor does what is left");
    oracle(whole.h.status == cut.h.status && whole.h.keep_alive == cut.h.keep_alive &&
               whole.h.retry_after == cut.h.retry_after &&
               strcmp(whole.h.content_type, cut.h.content_type) == 0,
           "nor do the fields");
    oracle(whole.result != 0 || rd_equal(wr_view(&whole.body), wr_view(&cut.body)),
           "nor does the body");
    wr_done(&whole.body);
    wr_done(&cut.body);
    return 0;
}
