/* coap.c - the client's side of CoAP, one exchange at a time.
 *
 * Two layers, as in RFC 7252 2.1: messages (what is acknowledged, rejected, sent again) at the end
 * of the file, requests and responses with their blocks before it.  Each block is a request of its
 * own with a token and an ID of its own, so that a response that comes late is never taken for that
 * of another block (RFC 9175 4.2). */
#include "applets/ipae/coap.h"

#include <string.h>

#include "os/err.h"

enum {
    BLOCK_NUM_MAX = 0xFFFFF, /* RFC 7959 2.2 */
    URI_PART_MAX = 255,      /* RFC 7252 5.10 */
    ACK_TIMEOUT_MAX = 60,
};

/* --- how an exchange goes on and ends --------------------------------------------------------- */

static void set_timer(struct coap *c, unsigned seconds)
{
    c->wait = seconds;
    c->timer_changed = true;
}

static void end(struct coap *c, enum coap_state state)
{
    c->state = state;
    c->send_message = false;
    set_timer(c, 0);
}

static void fail(struct coap *c, const char *reason)
{
    end(c, COAP_FAILED);
    c->reason = reason;
    wr_clear(c->body);
}

static void put_u32(uint8_t ret[COAP_TOKEN_LEN], uint32_t v)
{
    for (unsigned i = 0; i < COAP_TOKEN_LEN; i++)
        ret[i] = (uint8_t)(v >> 8 * (COAP_TOKEN_LEN - 1 - i) & 0xFF);
}

/* --- requests --------------------------------------------------------------------------------- */

/* The segments of a path; a slash at its beginning says nothing (RFC 7252 6.4). */
static int put_path(struct wr *out, unsigned *last, const char *path)
{
    if (*path == '/')
        path++;
    while (*path != '\0') {
        size_t n = strcspn(path, "/");
        if (n > URI_PART_MAX)
            return ERR_INPUT;
        coap_put_option(out, last, COAP_URI_PATH, rd_of(path, n));
        path += n;
        if (*path == '/')
            path++;
    }
    return 0;
}

/* The part of the body that is sent now, and what its Block1 says. */
static struct rd upload_block(const struct coap *c, struct coap_block *ret)
{
    size_t size = coap_block_size(c->szx1), left = c->call.body.n - c->offset;

    *ret = (struct coap_block){ .num = (uint32_t)(c->offset / size),
                                .more = left > size,
                                .szx = c->szx1 };
    return rd_of(c->call.body.p + c->offset, left < size ? left : size);
}

/* Block2: the next block, or with the end of the body a word about sizes before there are any
 * (RFC 7959 2.4, 3.3). */
static void put_block2(const struct coap *c, struct wr *out, unsigned *last, bool body_ends)
{
    struct coap_block next = { .num = (uint32_t)(c->got / coap_block_size(c->szx2)),
                               .szx = c->szx2 };

    if (c->phase == COAP_FETCHING || (body_ends && c->szx2 < COAP_SZX_MAX))
        coap_put_block(out, last, COAP_BLOCK2, next);
}

static int put_options(const struct coap *c, struct wr *out, const struct coap_block *block1)
{
    unsigned last = 0;

    if (c->call.host != NULL)
        coap_put_option(out, &last, COAP_URI_HOST, rd_str(c->call.host));
    TRY(put_path(out, &last, c->call.path));
    if (c->call.has_format)
        coap_put_uint_option(out, &last, COAP_CONTENT_FORMAT, c->call.format);
    put_block2(c, out, &last, block1 == NULL || !block1->more);
    if (block1 != NULL)
        coap_put_block(out, &last, COAP_BLOCK1, *block1);
    if (c->echo_len > 0)
        coap_put_option(out, &last, COAP_ECHO, rd_of(c->echo, c->echo_len));
    if (c->tagged) {
        uint8_t tag[] = { (uint8_t)(c->tag >> 8), (uint8_t)(c->tag & 0xFF) };
        coap_put_option(out, &last, COAP_REQUEST_TAG, rd_of(tag, sizeof tag));
    }
    return 0;
}

static int write_request(struct coap *c)
{
    uint8_t token[COAP_TOKEN_LEN];
    struct coap_block block1;
    struct rd payload = c->phase == COAP_WHOLE ? c->call.body : rd_of(NULL, 0);
    struct wr out;

    if (c->phase == COAP_UPLOADING)
        payload = upload_block(c, &block1);
    put_u32(token, c->token);
    wr_init(&out, c->message, sizeof c->message);
    coap_put_header(&out, COAP_CON, c->call.method, c->id, rd_of(token, sizeof token));
    TRY(put_options(c, &out, c->phase == COAP_UPLOADING ? &block1 : NULL));
    coap_put_payload(&out, payload);
    c->message_len = out.n;
    return wr_failed(&out);
}

/* Sends the request that phase and offsets stand for.  The first wait is ACK_TIMEOUT to 1.5 times
 * that (RFC 7252 4.2), in whole seconds; the token is random enough for it. */
static int send_request(struct coap *c)
{
    unsigned least = c->call.ack_timeout;

    c->token++;
    c->id++;
    TRY(write_request(c));
    c->state = COAP_SENT;
    c->send_message = true;
    c->retransmissions = 0;
    set_timer(c, least + c->token % (least / 2 + 1));
    return 0;
}

/* The same, for what cannot fail any more but for a fault. */
static void go_on(struct coap *c)
{
    c->echoed = false;
    if (c->call.body.n / coap_block_size(c->szx1) > BLOCK_NUM_MAX ||
        c->got / coap_block_size(c->szx2) > BLOCK_NUM_MAX)
        fail(c, "more blocks than can be numbered (RFC 7959 2.2)");
    else if (send_request(c) != 0)
        fail(c, "the request does not fit a datagram");
}

/* From the first block on, with a Request-Tag that no other body has (RFC 9175 3.3). */
static void begin_upload(struct coap *c, unsigned szx)
{
    c->szx1 = szx;
    c->offset = 0;
    c->phase = c->call.body.n > coap_block_size(szx) ? COAP_UPLOADING : COAP_WHOLE;
    c->tagged = c->phase == COAP_UPLOADING;
    if (c->tagged)
        c->tag++;
}

/* --- responses -------------------------------------------------------------------------------- */

static void keep_echo(struct coap *c, struct rd echo)
{
    if (echo.n == 0)
        return;
    memcpy(c->echo, echo.p, echo.n);
    c->echo_len = echo.n;
}

/* The answer is all here. */
static void finish(struct coap *c, const struct coap_message *m)
{
    c->code = m->code;
    c->max_age = m->has_max_age ? m->max_age : COAP_MAX_AGE_DEFAULT;
    end(c, COAP_DONE);
}

/* 4.xx and 5.xx; the payload is a diagnostic message, if it fits (RFC 7252 5.5.2). */
static void finish_error(struct coap *c, const struct coap_message *m)
{
    wr_clear(c->body);
    if (m->payload.n <= c->body->max)
        wr_put_rd(c->body, m->payload);
    if (wr_failed(c->body) != 0)
        wr_clear(c->body);
    finish(c, m);
}

static bool take_payload(struct coap *c, const struct coap_message *m)
{
    if (m->has_size2 && m->size2 > c->body->max) {
        c->too_long = true;
        fail(c, "the answer is announced longer than there is room for");
        return false;
    }
    wr_put_rd(c->body, m->payload);
    if (wr_failed(c->body) != 0) {
        c->too_long = true;
        fail(c, "the answer is longer than there is room for");
        return false;
    }
    c->got += m->payload.n;
    return true;
}

/* Is this the block that is wanted, and part of the same answer as the others?  (RFC 7959 2.4) */
static const char *wrong_block(const struct coap *c, const struct coap_message *m)
{
    size_t size = coap_block_size(m->block2.szx);

    if ((size_t)m->block2.num * size != c->got)
        return "another block than was asked for (RFC 7959 2.4)";
    if (m->block2.more ? m->payload.n != size : m->payload.n > size)
        return "a block that is not as long as it says (RFC 7959 2.2)";
    if (c->got == 0)
        return NULL;
    if (m->block2.szx > c->szx2)
        return "larger blocks than were asked for (RFC 7959 2.4)";
    if (m->code != c->first_code)
        return "another code than that of the first block";
    if (!rd_equal(m->etag, rd_of(c->etag, c->etag_len)))
        return "blocks of different answers (RFC 7959 2.4)";
    return NULL;
}

static void take_block2(struct coap *c, const struct coap_message *m)
{
    const char *wrong = wrong_block(c, m);

    if (wrong != NULL) {
        fail(c, wrong);
        return;
    }
    if (c->got == 0) {
        c->first_code = m->code;
        c->etag_len = m->etag.n;
        if (m->etag.n > 0)
            memcpy(c->etag, m->etag.p, m->etag.n);
    }
    if (!take_payload(c, m))
        return;
    if (!m->block2.more) {
        finish(c, m);
        return;
    }
    if (m->block2.szx < c->szx2)
        c->szx2 = m->block2.szx;
    c->phase = COAP_FETCHING;
    go_on(c);
}

/* The request was taken as a whole: 2.xx but 2.31. */
static void take_answer(struct coap *c, const struct coap_message *m)
{
    if (m->has_block2)
        take_block2(c, m);
    else if (c->phase == COAP_FETCHING)
        fail(c, "an answer without Block2 among its blocks (RFC 7959 2.4)");
    else if (take_payload(c, m))
        finish(c, m);
}

/* 2.xx to a block that others follow: 2.31, or another code where the server takes each block for
 * itself (RFC 7959 2.3, 2.9.1).  It may want smaller ones from here on. */
static void take_continue(struct coap *c, const struct coap_message *m)
{
    size_t size = coap_block_size(c->szx1);

    if (!m->has_block1) {
        fail(c, "an answer before the whole body was sent");
        return;
    }
    if (m->block1.num != c->offset / size) {
        fail(c, "Block1 of another block (RFC 7959 2.3)");
        return;
    }
    c->offset += size;
    if (m->block1.szx < c->szx1)
        c->szx1 = m->block1.szx;
    go_on(c);
}

static bool has_more_blocks(const struct coap *c)
{
    return c->phase == COAP_UPLOADING && c->call.body.n - c->offset > coap_block_size(c->szx1);
}

static void take_success(struct coap *c, const struct coap_message *m)
{
    if (has_more_blocks(c))
        take_continue(c, m);
    else if (m->code == COAP_CONTINUE)
        fail(c, "2.31 though there is nothing to continue (RFC 7959 2.9.1)");
    else if (m->has_block1 && c->phase == COAP_UPLOADING &&
             m->block1.num != c->offset / coap_block_size(c->szx1))
        fail(c, "Block1 of another block (RFC 7959 2.3)");
    else
        take_answer(c, m);
}

/* An error that another attempt may mend; false when it is final. */
static bool try_again(struct coap *c, const struct coap_message *m)
{
    if (m->code == COAP_UNAUTHORIZED && m->echo.n > 0 && !c->echoed) { /* RFC 9175 2.3 */
        go_on(c);
        c->echoed = true;
        return true;
    }
    if (c->phase == COAP_FETCHING)
        return false;
    if (m->code == COAP_INCOMPLETE && c->phase == COAP_UPLOADING &&
        c->restarts < COAP_RESTARTS_MAX) { /* RFC 7959 2.9.2 */
        c->restarts++;
        begin_upload(c, c->szx1);
        go_on(c);
        return true;
    }
    if (m->code == COAP_TOO_LARGE && m->has_block1 && m->block1.szx < c->szx1 &&
        c->call.body.n > coap_block_size(m->block1.szx)) { /* RFC 7959 2.9.3 */
        begin_upload(c, m->block1.szx);
        go_on(c);
        return true;
    }
    return false;
}

static void take_response(struct coap *c, const struct coap_message *m)
{
    if (m->refused != 0) {
        fail(c, "a critical option that is not understood (RFC 7252 5.4.1)");
        return;
    }
    keep_echo(c, m->echo);
    if (m->code >> 5 == 2)
        take_success(c, m);
    else if (!try_again(c, m))
        finish_error(c, m);
}

/* --- messages --------------------------------------------------------------------------------- */

static void send_control(struct coap *c, enum coap_type type, uint16_t id)
{
    struct wr out;

    wr_init(&out, c->control, sizeof c->control);
    coap_put_header(&out, type, COAP_EMPTY, id, rd_of(NULL, 0));
    c->send_control = true;
}

/* RFC 7252 4.2, 4.3: a confirmable message is told that it was rejected, others are ignored. */
static void reject(struct coap *c, const struct coap_message *m)
{
    if (m->type == COAP_CON)
        send_control(c, COAP_RST, m->id);
}

static bool is_under_way(const struct coap *c)
{
    return c->state == COAP_SENT || c->state == COAP_ACKED;
}

static void take_empty(struct coap *c, const struct coap_message *m)
{
    if (m->type == COAP_CON || m->type == COAP_NON) {
        reject(c, m); /* "ping", RFC 7252 4.3 */
        return;
    }
    if (!is_under_way(c) || m->id != c->id)
        return;
    if (m->type == COAP_RST) {
        fail(c, "the server rejected the message (RFC 7252 4.2)");
    } else if (c->state == COAP_SENT) {
        c->state = COAP_ACKED;
        c->send_message = false;
        set_timer(c, COAP_RESPONSE_WAIT);
    }
}

/* RFC 7252 5.3.2: by token; a piggybacked one also by ID. */
static bool is_ours(const struct coap *c, const struct coap_message *m)
{
    uint8_t token[COAP_TOKEN_LEN];

    put_u32(token, c->token);
    return is_under_way(c) && m->type != COAP_RST &&
           rd_equal(m->token, rd_of(token, sizeof token)) &&
           (m->type != COAP_ACK || m->id == c->id);
}

static bool is_response(uint8_t code)
{
    return code >> 5 == 2 || code >> 5 == 4 || code >> 5 == 5;
}

void coap_feed_datagram(struct coap *c, struct rd datagram)
{
    struct coap_message m;
    bool rejectable;

    if (coap_parse(datagram, &m, &rejectable) != 0) {
        if (rejectable)
            reject(c, &m);
    } else if (m.code == COAP_EMPTY) {
        take_empty(c, &m);
    } else if (is_response(m.code) && is_ours(c, &m)) {
        if (m.type == COAP_CON) {
            send_control(c, m.refused == 0 ? COAP_ACK : COAP_RST, m.id);
            c->seen_con = m.refused == 0;
            c->seen_id = m.id;
        }
        take_response(c, &m);
    } else if (m.type == COAP_CON && c->seen_con && m.id == c->seen_id) {
        send_control(c, COAP_ACK, m.id); /* a duplicate, RFC 7252 4.5 */
    } else {
        reject(c, &m);
    }
}

/* --- the caller's side ------------------------------------------------------------------------ */

/* The counters stand one before the first value in use. */
void coap_init(struct coap *c, const uint8_t random[COAP_RANDOM_LEN])
{
    *c = (struct coap){ .state = COAP_IDLE };
    for (unsigned i = 0; i < COAP_TOKEN_LEN; i++)
        c->token = c->token << 8 | random[i];
    c->token--;
    c->id = (uint16_t)((random[4] << 8 | random[5]) - 1);
    c->tag = (uint16_t)((random[6] << 8 | random[7]) - 1);
}

static void forget_exchange(struct coap *c)
{
    c->state = COAP_IDLE;
    c->code = 0;
    c->max_age = 0;
    c->reason = NULL;
    c->too_long = false;
    c->got = 0;
    c->restarts = 0;
    c->etag_len = 0;
    c->echoed = false;
    c->send_message = false;
}

int coap_request(struct coap *c, const struct coap_call *call, struct wr *body)
{
    if (call->method == COAP_EMPTY || call->method >> 5 != 0 || call->path == NULL ||
        call->szx > COAP_SZX_MAX || call->ack_timeout > ACK_TIMEOUT_MAX ||
        (call->host != NULL && (call->host[0] == '\0' || strlen(call->host) > URI_PART_MAX)) ||
        call->body.n / coap_block_size(call->szx) > BLOCK_NUM_MAX)
        return ERR_INPUT;
    forget_exchange(c);
    c->call = *call;
    if (c->call.ack_timeout == 0)
        c->call.ack_timeout = COAP_ACK_TIMEOUT;
    c->body = body;
    wr_clear(body);
    c->szx2 = call->szx;
    begin_upload(c, call->szx);
    return send_request(c);
}

bool coap_take_datagram(struct coap *c, struct rd *ret)
{
    if (c->send_control) {
        c->send_control = false;
        *ret = rd_of(c->control, sizeof c->control);
        return true;
    }
    if (c->send_message) {
        c->send_message = false;
        *ret = rd_of(c->message, c->message_len);
        return true;
    }
    return false;
}

bool coap_take_timer(struct coap *c, unsigned *ret_seconds)
{
    if (!c->timer_changed)
        return false;
    c->timer_changed = false;
    *ret_seconds = c->wait;
    return true;
}

void coap_timeout(struct coap *c)
{
    if (c->state == COAP_ACKED) {
        fail(c, "no response after the acknowledgement");
    } else if (c->state == COAP_SENT && c->retransmissions == COAP_MAX_RETRANSMIT) {
        fail(c, "no answer (RFC 7252 4.2)");
    } else if (c->state == COAP_SENT) {
        c->retransmissions++;
        c->send_message = true;
        set_timer(c, c->wait * 2);
    }
}
