/* test_coap.c - applets/ipae/coap: exchanges with a server that is right, slow, lossy or wrong. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "applets/ipae/coap.h"
#include "os/err.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

enum { BODY_MAX = 5000 };

static const uint8_t random_octets[COAP_RANDOM_LEN] = { 0xA1, 0xA2, 0xA3, 0xA4,
                                                        0x12, 0x34, 0x00, 0x01 };
static uint8_t pattern[20000];
static struct coap *c;
static struct wr body;
static struct rd request; /* as sent last */
static uint8_t request_room[COAP_DATAGRAM_MAX];

static void setup(void)
{
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(i * 7 + i / 251);
    c = malloc(sizeof *c);
    ck_assert_ptr_nonnull(c);
    coap_init(c, random_octets);
    wr_init_heap(&body, BODY_MAX);
}

static void teardown(void)
{
    wr_done(&body);
    free(c);
}

static void start(size_t body_len, unsigned szx)
{
    const struct coap_call call = {
        .method = COAP_POST, .path = "gsma/rsp2/asn1", .szx = szx, .body = rd_of(pattern, body_len)
    };

    ck_assert_int_eq(coap_request(c, &call, &body), 0);
}

/* The one datagram that is to be sent now. */
static struct rd sent(void)
{
    struct rd d, none;

    ck_assert(coap_take_datagram(c, &d));
    memcpy(request_room, d.p, d.n);
    ck_assert(!coap_take_datagram(c, &none));
    request = rd_of(request_room, d.n);
    return request;
}

static void nothing_is_sent(void)
{
    struct rd d;

    ck_assert(!coap_take_datagram(c, &d));
}

static void is_sent(const char *text)
{
    struct rd expected = exact_copy(text), got = sent();

    ck_assert_uint_eq(got.n, expected.n);
    ck_assert_mem_eq(got.p, expected.p, got.n);
    exact_free(&expected);
}

static void timer_is(unsigned least, unsigned most)
{
    unsigned seconds = 12345;

    ck_assert(coap_take_timer(c, &seconds));
    ck_assert_uint_ge(seconds, least);
    ck_assert_uint_le(seconds, most);
    ck_assert(!coap_take_timer(c, &seconds));
}

static void feed_octets(struct rd octets)
{
    struct rd copy = exact_copy_of(octets);

    coap_feed_datagram(c, copy);
    exact_free(&copy);
}

static void feed(const char *text)
{
    struct rd octets = exact_copy(text);

    coap_feed_datagram(c, octets);
    exact_free(&octets);
}

/* A piggybacked response to the request that was sent last. */
static void respond(uint8_t code, const char *options, struct rd payload)
{
    uint8_t room[2048], more[64];
    struct wr out;

    wr_init(&out, room, sizeof room);
    coap_put_header(&out, COAP_ACK, code, (uint16_t)(request.p[2] << 8 | request.p[3]),
                    rd_of(request.p + 4, COAP_TOKEN_LEN));
    wr_put(&out, more, hex(options, more, sizeof more));
    coap_put_payload(&out, payload);
    feed_octets(wr_view(&out));
}

static const struct rd nothing = { NULL, 0 };

static void failed_because(const char *reason)
{
    ck_assert_int_eq(c->state, COAP_FAILED);
    ck_assert_msg(strstr(c->reason, reason) != NULL, "%s: %s", reason, c->reason);
    ck_assert_uint_eq(body.n, 0);
    timer_is(0, 0);
}

static void done_with(uint8_t code, struct rd expected)
{
    ck_assert_msg(c->state == COAP_DONE, "%s", c->reason != NULL ? c->reason : "under way");
    ck_assert_uint_eq(c->code, code);
    ck_assert(rd_equal(wr_view(&body), expected));
    ck_assert_ptr_null(c->reason);
}

/* --- worked octets ---------------------------------------------------------------------------- */

#define PATH "B4 67736D61 04 72737032 04 61736E31"

START_TEST(the_worked_request)
{
    uint8_t octets[32];
    const struct coap_call call = { .method = COAP_POST,
                                    .path = "gsma/rsp2/asn1",
                                    .szx = 6,
                                    .body = rd_of(octets, hex("BF4F125A1089", octets, 32)) };

    ck_assert_int_eq(coap_request(c, &call, &body), 0);
    ck_assert_int_eq(c->state, COAP_SENT);
    is_sent("44 02 1234 A1A2A3A4 " PATH " FF BF4F125A1089");
    timer_is(2, 3);
    feed("64 45 1234 A1A2A3A4 FF 0102");
    done_with(COAP_CONTENT, rd_of("\1\2", 2));
    ck_assert_uint_eq(c->max_age, 60);
    timer_is(0, 0);
    nothing_is_sent();
}
END_TEST

START_TEST(the_worked_block)
{
    uint8_t expected[64];

    start(1025, 6);
    struct rd got = sent();
    size_t n = hex("44 02 1234 A1A2A3A4 " PATH " D1030E D2FC0001 FF", expected, sizeof expected);
    ck_assert_uint_eq(got.n, n + 1024);
    ck_assert_mem_eq(got.p, expected, n);
    ck_assert_mem_eq(got.p + n, pattern, 1024);
    feed("64 5F 1234 A1A2A3A4 D10E0E"); /* 2.31, Block1 0/1/1024 */
    ck_assert_int_eq(c->state, COAP_SENT);
    is_sent("44 02 1235 A1A2A3A5 " PATH " D10316 D2FC0001 FF 04"); /* the 1025th octet */
    feed("64 44 1235 A1A2A3A5");                                   /* 2.04 without Block1 */
    done_with(COAP_CHANGED, nothing);
}
END_TEST

START_TEST(host_format_and_sizes_are_said)
{
    const struct coap_call call = { .method = COAP_PUT,
                                    .host = "h",
                                    .path = "/a",
                                    .has_format = true,
                                    .format = 42,
                                    .szx = 5,
                                    .ack_timeout = 10 };

    ck_assert_int_eq(coap_request(c, &call, &body), 0);
    is_sent("44 03 1234 A1A2A3A4 31 68 81 61 11 2A B1 05");
    timer_is(10, 15);
}
END_TEST

START_TEST(calls_that_cannot_be)
{
    char long_name[300], path[3000];
    memset(long_name, 'a', sizeof long_name);
    long_name[256] = '\0';
    memset(path, 'a', sizeof path);
    for (size_t i = 200; i < sizeof path; i += 200)
        path[i] = '/';
    path[sizeof path - 1] = '\0';
    const struct coap_call rows[] = {
        { .method = COAP_EMPTY, .path = "a" },
        { .method = COAP_CONTENT, .path = "a" },
        { .method = COAP_POST },
        { .method = COAP_POST, .path = "a", .szx = 7 },
        { .method = COAP_POST, .path = "a", .host = "" },
        { .method = COAP_POST, .path = "a", .host = long_name },
        { .method = COAP_POST, .path = long_name },
        { .method = COAP_POST, .path = "a", .ack_timeout = 61 },
        { .method = COAP_POST, .path = "a", .body = { pattern, (size_t)16 << 20 } },
    };

    for (size_t i = 0; i < N_ELEMS(rows); i++)
        ck_assert_int_eq(coap_request(c, &rows[i], &body), ERR_INPUT);
    const struct coap_call too_long = { .method = COAP_POST, .path = path };
    ck_assert_int_eq(coap_request(c, &too_long, &body), ERR_NOMEM);
    nothing_is_sent();
    ck_assert_int_eq(c->state, COAP_IDLE);
}
END_TEST

/* --- messages --------------------------------------------------------------------------------- */

START_TEST(it_is_sent_again_and_then_given_up)
{
    unsigned seconds = 0, total = 0, wait = 0;
    uint8_t first[64];

    start(3, 6);
    struct rd m = sent();
    memcpy(first, m.p, m.n);
    for (unsigned i = 0; i <= COAP_MAX_RETRANSMIT; i++) {
        ck_assert(coap_take_timer(c, &seconds));
        ck_assert(i == 0 ? seconds == 2 || seconds == 3 : seconds == 2 * wait);
        wait = seconds;
        total += seconds;
        nothing_is_sent();
        coap_timeout(c);
        if (i == COAP_MAX_RETRANSMIT)
            break;
        m = sent();
        ck_assert_mem_eq(m.p, first, m.n);
    }
    ck_assert_uint_le(total, 93);
    failed_because("no answer");
    nothing_is_sent();
    coap_timeout(c); /* means nothing any more */
    ck_assert_int_eq(c->state, COAP_FAILED);
}
END_TEST

START_TEST(waits_differ)
{
    bool two = false, three = false;

    for (unsigned i = 0; i < 20; i++) {
        unsigned seconds;
        start(3, 6);
        ck_assert(coap_take_timer(c, &seconds));
        two = two || seconds == 2;
        three = three || seconds == 3;
    }
    ck_assert(two && three);
}
END_TEST

START_TEST(a_response_may_come_separately)
{
    start(3, 6);
    sent();
    timer_is(2, 3);
    feed("60 00 1234");
    ck_assert_int_eq(c->state, COAP_ACKED);
    timer_is(COAP_RESPONSE_WAIT, COAP_RESPONSE_WAIT);
    nothing_is_sent();
    feed("60 00 1234"); /* once more: nothing changes, the timer runs on */
    ck_assert(!c->timer_changed);
    feed("44 45 7777 A1A2A3A4 FF 01");
    is_sent("60 00 7777");
    done_with(COAP_CONTENT, rd_of("\1", 1));
    feed("44 45 7777 A1A2A3A4 FF 01"); /* our acknowledgement was lost */
    is_sent("60 00 7777");
    feed("44 45 7778 A1A2A3A4 FF 01"); /* another one is of no exchange */
    is_sent("70 00 7778");
    done_with(COAP_CONTENT, rd_of("\1", 1));
}
END_TEST

START_TEST(a_response_stands_for_its_acknowledgement)
{
    start(3, 6);
    sent();
    feed("54 45 7777 A1A2A3A4 FF 01"); /* non-confirmable */
    done_with(COAP_CONTENT, rd_of("\1", 1));
    nothing_is_sent();
    start(3, 6);
    sent();
    feed("44 45 7778 A1A2A3A5 FF 02");
    is_sent("60 00 7778");
    done_with(COAP_CONTENT, rd_of("\2", 1));
}
END_TEST

START_TEST(no_response_behind_the_acknowledgement)
{
    start(3, 6);
    sent();
    feed("60 00 1234");
    timer_is(COAP_RESPONSE_WAIT, COAP_RESPONSE_WAIT);
    coap_timeout(c);
    failed_because("no response");
}
END_TEST

START_TEST(a_reset_ends_it)
{
    start(3, 6);
    sent();
    feed("70 00 1235");
    ck_assert_int_eq(c->state, COAP_SENT);
    feed("70 00 1234");
    failed_because("rejected");
}
END_TEST

START_TEST(what_is_not_ours_changes_nothing)
{
    static const struct {
        const char *datagram, *answer;
    } rows[] = {
        { "", NULL },
        { "44 45 77", NULL },
        { "04 45 7777 A1A2A3A4", NULL },                   /* version 0 */
        { "84 45 7777 A1A2A3A4", NULL },                   /* version 2 */
        { "60 00 1235", NULL },                            /* acknowledges something else */
        { "61 00 1234 A1", NULL },                         /* not empty */
        { "60 00 1234 FF01", NULL },                       /* "" */
        { "64 45 1235 A1A2A3A4", NULL },                   /* another ID */
        { "64 45 1234 A1A2A3A5", NULL },                   /* another token */
        { "63 45 1234 A1A2A3", NULL },                     /* a shorter one */
        { "74 45 1234 A1A2A3A4", NULL },                   /* a reset with a code */
        { "54 45 7777 A1A2A3A5", NULL },                   /* non-confirmable */
        { "44 45 7777 A1A2A3A5", "70 00 7777" },           /* confirmable: rejected */
        { "40 00 7777", "70 00 7777" },                    /* ping */
        { "50 00 7777", NULL },                            /* "" */
        { "40 01 7777", "70 00 7777" },                    /* a request */
        { "44 E1 7777 A1A2A3A4", "70 00 7777" },           /* a reserved class */
        { "44 21 7777 A1A2A3A4", "70 00 7777" },           /* "" */
        { "49 45 7777 A1A2A3A4A1A2A3A4A1", "70 00 7777" }, /* a token of nine octets */
        { "44 45 7777 A1A2A3", "70 00 7777" },             /* cut */
        { "44 45 7777 A1A2A3A4 FF", "70 00 7777" },        /* no payload */
        { "44 45 7777 A1A2A3A4 F0", "70 00 7777" },        /* reserved nibbles */
        { "44 45 7777 A1A2A3A4 0F", "70 00 7777" },
        { "44 45 7777 A1A2A3A4 D0", "70 00 7777" }, /* cut options */
        { "44 45 7777 A1A2A3A4 E000", "70 00 7777" },
        { "44 45 7777 A1A2A3A4 41", "70 00 7777" },
        { "44 45 7777 A1A2A3A4 E0FFFF", "70 00 7777" }, /* numbers beyond 65535 */
        { "64 45 1234 A1A2A3A4 FF", NULL },
    };

    start(3, 6);
    sent();
    timer_is(2, 3);
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        feed(rows[i].datagram);
        ck_assert_msg(c->state == COAP_SENT, "%s", rows[i].datagram);
        ck_assert(!c->timer_changed);
        if (rows[i].answer == NULL)
            nothing_is_sent();
        else
            is_sent(rows[i].answer);
    }
    feed("64 44 1234 A1A2A3A4");
    done_with(COAP_CHANGED, nothing);
}
END_TEST

START_TEST(critical_options_are_rejected)
{
    static const char *const options[] = {
        "9100",         /* 9: OSCORE */
        "11 61",        /* 1 */
        "B161",         /* 11: Uri-Path has no place in a response */
        "D10A07",       /* Block2 with the reserved size */
        "D40A00000000", /* of four octets */
        "D10A06 0106",  /* twice */
    };

    for (size_t i = 0; i < N_ELEMS(options); i++) {
        start(3, 6);
        sent();
        respond(COAP_CONTENT, options[i], nothing);
        failed_because("critical option");
        nothing_is_sent();
    }
    coap_init(c, random_octets);
    start(3, 6);
    sent();
    feed("44 45 7777 A1A2A3A4 9100");
    is_sent("70 00 7777");
    failed_because("critical option");
}
END_TEST

START_TEST(elective_options_are_passed_over)
{
    start(3, 6);
    sent();
    /* ETag, 8 Location-Path, Content-Format 12, Max-Age 120, 20, Size2 3, Size1, 65000 */
    respond(COAP_CONTENT, "44 01020304 41 61 41 2A 21 78 61 62 81 03 D1 13 05 E0 FCAF",
            rd_of("abc", 3));
    done_with(COAP_CONTENT, rd_of("abc", 3));
    ck_assert_uint_eq(c->max_age, 120);
}
END_TEST

START_TEST(errors_come_with_their_words)
{
    start(3, 6);
    sent();
    respond(COAP_UNAVAILABLE, "D2 01 0E10", rd_of("busy", 4)); /* Max-Age 3600 */
    done_with(COAP_UNAVAILABLE, rd_of("busy", 4));
    ck_assert_uint_eq(c->max_age, 3600);
    start(3, 6);
    sent();
    respond(COAP_CODE(4, 4), "", nothing);
    done_with(COAP_CODE(4, 4), nothing);
    start(3, 6);
    sent();
    respond(COAP_INCOMPLETE, "", nothing); /* there were no blocks to start again with */
    done_with(COAP_INCOMPLETE, nothing);
}
END_TEST

START_TEST(echo_is_given_back)
{
    start(3, 6);
    sent();
    respond(COAP_UNAUTHORIZED, "D3 EF 010203", nothing);
    ck_assert_int_eq(c->state, COAP_SENT);
    is_sent("44 02 1235 A1A2A3A5 " PATH " D3E4010203 FF 00070E");
    respond(COAP_UNAUTHORIZED, "D3 EF 040506", nothing); /* that was not enough */
    done_with(COAP_UNAUTHORIZED, nothing);
    start(3, 6);
    is_sent("44 02 1236 A1A2A3A6 " PATH " D3E4040506 FF 00070E");
}
END_TEST

/* --- a server --------------------------------------------------------------------------------- */

struct server {
    unsigned szx_up, szx_down;   /* what it likes, at most */
    bool separate, lossy, terse; /* terse: no Block1 in the final response */
    unsigned incomplete_at;      /* 4.08 to the n-th request, once; 0: never */
    bool too_large;              /* 4.13 with its size to a first block that is larger */
    bool stateless;              /* 2.04 to each block */
    size_t answer_len;
    unsigned seen, datagrams;
    uint8_t body[sizeof pattern];
    size_t n;
    uint16_t id, last_id;
    uint8_t out[2048];
    size_t out_len;
};

static void server_says(struct server *s, const struct coap_message *m, uint8_t code,
                        const struct coap_block *block1, const struct coap_block *block2,
                        struct rd payload)
{
    unsigned last = 0;
    struct wr out;

    wr_init(&out, s->out, sizeof s->out);
    coap_put_header(&out, s->separate ? COAP_CON : COAP_ACK, code, s->separate ? s->id++ : m->id,
                    m->token);
    coap_put_option(&out, &last, COAP_ETAG, rd_of("v1", 2));
    if (block2 != NULL)
        coap_put_block(&out, &last, COAP_BLOCK2, *block2);
    if (block1 != NULL)
        coap_put_block(&out, &last, COAP_BLOCK1, *block1);
    coap_put_payload(&out, payload);
    ck_assert_int_eq(wr_failed(&out), 0);
    s->out_len = out.n;
}

static void server_answers(struct server *s, const struct coap_message *m)
{
    unsigned szx = m->has_block2 && m->block2.szx < s->szx_down ? m->block2.szx : s->szx_down;
    size_t size = coap_block_size(szx), at = m->has_block2 ? m->block2.num * size : 0;
    size_t left = s->answer_len - at;
    struct coap_block b2 = { .num = (uint32_t)(at / size), .more = left > size, .szx = szx };
    bool blocks = m->has_block2 || left > size;

    ck_assert_uint_le(at, s->answer_len);
    server_says(s, m, COAP_CONTENT, m->has_block1 && !s->terse ? &m->block1 : NULL,
                blocks ? &b2 : NULL, rd_of(pattern + at, left < size ? left : size));
}

static void server_takes(struct server *s, const struct coap_message *m)
{
    struct coap_block b = m->block1;
    size_t at = b.num * coap_block_size(b.szx);

    s->seen++;
    if (m->has_block2 && m->block2.num > 0) {
        ck_assert_uint_eq(m->payload.n, 0);
        ck_assert(!m->has_block1);
        server_answers(s, m);
        return;
    }
    if (s->incomplete_at == s->seen) {
        server_says(s, m, COAP_INCOMPLETE, m->has_block1 ? &b : NULL, NULL, nothing);
        return;
    }
    if (s->too_large && at == 0 && m->payload.n > coap_block_size(s->szx_up)) {
        b = (struct coap_block){ .szx = s->szx_up, .more = true };
        server_says(s, m, COAP_TOO_LARGE, &b, NULL, nothing);
        return;
    }
    if (at == 0)
        s->n = 0;
    ck_assert_uint_eq(s->n, at);
    if (m->payload.n > 0)
        memcpy(s->body + at, m->payload.p, m->payload.n);
    s->n += m->payload.n;
    if (!m->has_block1 || !b.more) {
        server_answers(s, m);
        return;
    }
    if (b.szx > s->szx_up)
        b.szx = s->szx_up; /* the number stays that of the block that came, RFC 7959 figure 9 */
    b.more = !s->stateless;
    server_says(s, m, s->stateless ? COAP_CHANGED : COAP_CONTINUE, &b, NULL, nothing);
}

/* Every third datagram is lost. */
static bool is_lost(struct server *s)
{
    return s->lossy && s->datagrams++ % 3 == 0;
}

static void server_receives(struct server *s, struct rd datagram)
{
    struct coap_message m;
    bool rejectable;

    if (is_lost(s))
        return;
    ck_assert_int_eq(coap_parse(datagram, &m, &rejectable), 0);
    ck_assert_int_ne(m.type, COAP_RST);
    if (m.type != COAP_CON)
        return;
    if (s->separate) {
        uint8_t ack[] = { 0x60, 0, (uint8_t)(m.id >> 8), (uint8_t)(m.id & 0xFF) };
        if (!is_lost(s))
            feed_octets(rd_of(ack, sizeof ack));
    }
    if (s->seen == 0 || m.id != s->last_id)
        server_takes(s, &m);
    s->last_id = m.id;
    if (!is_lost(s))
        feed_octets(rd_of(s->out, s->out_len));
}

/* Until the exchange is over; the server's body is what was sent then. */
static void run(struct server *s, size_t body_len, unsigned szx)
{
    struct rd d;
    unsigned seconds;
    uint8_t copy[COAP_DATAGRAM_MAX];

    s->id = 0x7000;
    start(body_len, szx);
    for (unsigned i = 0; i < 10000 && (c->state == COAP_SENT || c->state == COAP_ACKED); i++) {
        if (coap_take_datagram(c, &d)) {
            ck_assert_uint_le(d.n, 64 + coap_block_size(szx));
            memcpy(copy, d.p, d.n);
            server_receives(s, rd_of(copy, d.n));
            continue;
        }
        ck_assert(coap_take_timer(c, &seconds)); /* if not, nothing would ever happen again */
        ck_assert_uint_gt(seconds, 0);
        if (c->state == COAP_ACKED) { /* the server sends its response again */
            feed_octets(rd_of(s->out, s->out_len));
            c->timer_changed = c->state != COAP_DONE;
        } else {
            coap_timeout(c);
        }
    }
    ck_assert_uint_eq(s->n, body_len);
    ck_assert_mem_eq(s->body, pattern, body_len);
}

static void run_all_sizes(struct server like)
{
    static const size_t lengths[] = { 0, 1, 15, 16, 17, 511, 512, 513, 1024, 1025, 3000 };

    for (size_t i = 0; i < N_ELEMS(lengths); i++) {
        for (unsigned szx = 0; szx <= COAP_SZX_MAX; szx++) {
            struct server *s = malloc(sizeof *s);
            ck_assert_ptr_nonnull(s);
            *s = like;
            s->answer_len = lengths[N_ELEMS(lengths) - 1 - i];
            run(s, lengths[i], szx);
            done_with(COAP_CONTENT, rd_of(pattern, s->answer_len));
            free(s);
        }
    }
}

START_TEST(blocks_go_up_and_down)
{
    run_all_sizes((struct server){ .szx_up = 6, .szx_down = 6 });
}
END_TEST

START_TEST(the_final_response_may_lack_block1)
{
    run_all_sizes((struct server){ .szx_up = 6, .szx_down = 6, .terse = true });
}
END_TEST

START_TEST(the_server_may_want_smaller_blocks)
{
    run_all_sizes((struct server){ .szx_up = 2, .szx_down = 1 });
    run_all_sizes((struct server){ .szx_up = 2, .szx_down = 1, .too_large = true });
    run_all_sizes((struct server){ .szx_up = 6, .szx_down = 0, .stateless = true });
}
END_TEST

START_TEST(blocks_may_be_answered_separately)
{
    run_all_sizes((struct server){ .szx_up = 3, .szx_down = 3, .separate = true });
}
END_TEST

START_TEST(datagrams_may_be_lost)
{
    for (unsigned first = 0; first < 3; first++) {
        run_all_sizes(
            (struct server){ .szx_up = 4, .szx_down = 4, .lossy = true, .datagrams = first });
        run_all_sizes((struct server){
            .szx_up = 4, .szx_down = 4, .lossy = true, .separate = true, .datagrams = first });
    }
}
END_TEST

START_TEST(an_incomplete_body_is_sent_again)
{
    struct server s = { .szx_up = 6, .szx_down = 6, .incomplete_at = 3, .answer_len = 5 };

    run(&s, 3000, 5);
    done_with(COAP_CONTENT, rd_of(pattern, 5));
    ck_assert_uint_eq(s.seen, 3 + 6);
    ck_assert_uint_eq(c->tag, 2); /* another Request-Tag */
    for (unsigned i = 0; i <= COAP_RESTARTS_MAX; i++) {
        if (i == 0)
            start(3000, 6);
        sent();
        respond(COAP_INCOMPLETE, "", nothing);
    }
    done_with(COAP_INCOMPLETE, nothing);
}
END_TEST

START_TEST(too_large_is_final_without_a_smaller_size)
{
    start(3000, 2);
    sent();
    respond(COAP_TOO_LARGE, "", nothing);
    done_with(COAP_TOO_LARGE, nothing);
    start(3000, 2);
    sent();
    respond(COAP_TOO_LARGE, "D10E02", nothing); /* the same size */
    done_with(COAP_TOO_LARGE, nothing);
    start(10, 2);
    sent();
    respond(COAP_TOO_LARGE, "D10E01", nothing); /* it is smaller already */
    done_with(COAP_TOO_LARGE, nothing);
}
END_TEST

START_TEST(blocks_that_do_not_fit_together)
{
    static const struct {
        const char *first, *second; /* options; first NULL: a body of three blocks goes up */
        uint8_t code;
        size_t len;
        const char *reason;
    } rows[] = {
        { "41 61 D10608", "41 62 D10610", COAP_CONTENT, 16, "different answers" },
        { "41 61 D10608", "D10A10", COAP_CONTENT, 16, "different answers" },
        { "D10A08", "41 61 D10610", COAP_CONTENT, 16, "different answers" },
        { "D10A08", "D10A10", COAP_CHANGED, 16, "another code" },
        { "D10A08", "D10A20", COAP_CONTENT, 16, "another block" },
        { "D10A08", "D10A00", COAP_CONTENT, 16, "another block" },
        { "D10A08", "D10A18", COAP_CONTENT, 15, "as long as it says" },
        { "D10A08", "D10A18", COAP_CONTENT, 0, "as long as it says" },
        { "D10A08", "D10A10", COAP_CONTENT, 17, "as long as it says" },
        { "D10A08", "", COAP_CONTENT, 16, "without Block2" },
        { "D10A08", "D10A10", COAP_CONTINUE, 16, "nothing to continue" },
        { "D10A08", "D10A18 5213 89", COAP_CONTENT, 16, "announced longer" },
        { NULL, "", COAP_CONTINUE, 0, "before the whole body" },
        { NULL, "", COAP_CHANGED, 0, "before the whole body" },
        { NULL, "D10E18", COAP_CONTINUE, 0, "Block1 of another" },
    };

    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        start(rows[i].first != NULL ? 3 : 48, 0);
        sent();
        if (rows[i].first != NULL) {
            respond(COAP_CONTENT, rows[i].first, rd_of(pattern, 16));
            ck_assert_int_eq(c->state, COAP_SENT);
            sent();
        }
        respond(rows[i].code, rows[i].second, rd_of(pattern, rows[i].len));
        failed_because(rows[i].reason);
    }
    start(20, 0); /* the final Block1 of another block */
    sent();
    respond(COAP_CONTINUE, "D10E08", nothing);
    sent();
    respond(COAP_CHANGED, "D10E20", nothing);
    failed_because("Block1 of another");
}
END_TEST

START_TEST(larger_blocks_than_wanted_become_smaller)
{
    start(3, 0);
    sent();
    respond(COAP_CONTENT, "D10A0A", rd_of(pattern, 64)); /* Block2 0/1/64, asked for 16 */
    is_sent("44 02 1235 A1A2A3A5 " PATH " C140");        /* Block2 4/0/16 */
    respond(COAP_CONTENT, "D10A1A", rd_of(pattern + 64, 64));
    failed_because("larger blocks");
}
END_TEST

START_TEST(an_error_among_blocks_ends_them)
{
    start(3, 0);
    sent();
    respond(COAP_CONTENT, "D10A08", rd_of(pattern, 16));
    sent();
    respond(COAP_INCOMPLETE, "", rd_of("gone", 4));
    done_with(COAP_INCOMPLETE, rd_of("gone", 4));
}
END_TEST

START_TEST(answers_keep_their_bound)
{
    struct server s = { .szx_up = 6, .szx_down = 6, .answer_len = BODY_MAX };

    run(&s, 3, 6);
    done_with(COAP_CONTENT, rd_of(pattern, BODY_MAX));
    s = (struct server){ .szx_up = 6, .szx_down = 6, .answer_len = BODY_MAX + 1 };
    run(&s, 3, 6);
    c->timer_changed = true;
    failed_because("longer than there is room");
    wr_done(&body);
    wr_init_heap(&body, 3);
    start(3, 6);
    sent();
    respond(COAP_CODE(5, 0), "", rd_of("long", 4)); /* words may be lost */
    done_with(COAP_CODE(5, 0), nothing);
}
END_TEST

/* A late answer to a block before is none to the next one. */
START_TEST(blocks_are_told_apart)
{
    start(48, 0);
    sent();
    feed("64 5F 1234 A1A2A3A4 D10E08");
    sent();
    feed("64 5F 1234 A1A2A3A4 D10E08");
    nothing_is_sent();
    feed("44 5F 7777 A1A2A3A4 D10E08");
    is_sent("70 00 7777");
    ck_assert_uint_eq(c->offset, 16);
}
END_TEST

/* --- damaged datagrams ------------------------------------------------------------------------ */

static const char *const responses[] = {
    "64 45 1234 A1A2A3A4 44 01020304 81 2A 21 78 91 08 81 20 FF 000102030405060708090A0B0C0D0E0F",
    "44 45 7777 A1A2A3A4 D3 EF 010203 D0 1B FF 01",
    "64 5F 1234 A1A2A3A4 D10E08",
    "60 00 1234",
};

static void bounded(void)
{
    struct rd d;
    unsigned n = 0;

    while (coap_take_datagram(c, &d))
        ck_assert_uint_le(++n, 2);
    ck_assert_uint_le(body.n, body.max);
    ck_assert((c->state == COAP_FAILED) == (c->reason != NULL));
}

START_TEST(damaged_datagrams_do_no_harm)
{
    for (size_t i = 0; i < N_ELEMS(responses); i++) {
        struct rd whole = exact_copy(responses[i]);
        uint8_t octets[128];
        for (size_t bit = 0; bit < 8 * whole.n; bit++) {
            memcpy(octets, whole.p, whole.n);
            octets[bit / 8] ^= (uint8_t)(1u << bit % 8);
            coap_init(c, random_octets);
            start(48, 0);
            feed_octets(rd_of(octets, whole.n));
            bounded();
        }
        for (size_t n = 0; n < whole.n; n++) {
            coap_init(c, random_octets);
            start(3, 0);
            feed_octets(rd_of(whole.p, n));
            bounded();
        }
        exact_free(&whole);
    }
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, the_worked_request);
    tcase_add_test(tc, the_worked_block);
    tcase_add_test(tc, host_format_and_sizes_are_said);
    tcase_add_test(tc, calls_that_cannot_be);
    tcase_add_test(tc, it_is_sent_again_and_then_given_up);
    tcase_add_test(tc, waits_differ);
    tcase_add_test(tc, a_response_may_come_separately);
    tcase_add_test(tc, a_response_stands_for_its_acknowledgement);
    tcase_add_test(tc, no_response_behind_the_acknowledgement);
    tcase_add_test(tc, a_reset_ends_it);
    tcase_add_test(tc, what_is_not_ours_changes_nothing);
    tcase_add_test(tc, critical_options_are_rejected);
    tcase_add_test(tc, elective_options_are_passed_over);
    tcase_add_test(tc, errors_come_with_their_words);
    tcase_add_test(tc, echo_is_given_back);
    tcase_add_test(tc, blocks_go_up_and_down);
    tcase_add_test(tc, the_final_response_may_lack_block1);
    tcase_add_test(tc, the_server_may_want_smaller_blocks);
    tcase_add_test(tc, blocks_may_be_answered_separately);
    tcase_add_test(tc, datagrams_may_be_lost);
    tcase_add_test(tc, an_incomplete_body_is_sent_again);
    tcase_add_test(tc, too_large_is_final_without_a_smaller_size);
    tcase_add_test(tc, blocks_that_do_not_fit_together);
    tcase_add_test(tc, larger_blocks_than_wanted_become_smaller);
    tcase_add_test(tc, an_error_among_blocks_ends_them);
    tcase_add_test(tc, answers_keep_their_bound);
    tcase_add_test(tc, blocks_are_told_apart);
    tcase_add_test(tc, damaged_datagrams_do_no_harm);
}

int main(void)
{
    Suite *suite = suite_create("coap");
    TCase *tc = tcase_create("coap");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    add_tests(tc);
    suite_add_tcase(suite, tc);
    return suite_status(suite);
}
