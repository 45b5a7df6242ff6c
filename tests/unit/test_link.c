/* test_link.c - applets/ipae/link: messages to servers, through a terminal that is right, poor or
 * wrong, and to servers that are so.
 *
 * What an exchange costs is printed (CK_FORK=no shows it). */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applets/ecasd/ecasd.h"
#include "applets/ipae/link.h"
#include "os/err.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"
#include "tests/unit/link_terminal.h"

#define NAME    "eim.example.test"
#define ADDRESS "192.0.2.10"
#define PATH    "/gsma/rsp2/asn1"

#define PROFILE        "3B01E8E2111C0007840000 1FE260000043400000000000005000000000000000 0320"
#define WITHOUT_BIP    "3B01E8E2111C0007840000 000060000043400000000000005000000000000000 0320"
#define WITHOUT_DATE   "3B01E8E2111C0003840000 1FE260000043400000000000005000000000000000 0320"
#define WITHOUT_TIMERS "3B01E8E2111C0000840000 1FE260000043400000000000005000000000000000 0320"

#define IN_2026 "62110202927240"
#define IN_2030 "03110202927240"

/* --- an applet with a link -------------------------------------------------------------------- */

static int start(struct euicc *e);
static void stop(struct euicc *e);

static const struct applet applet = { .name = "test",
                                      .aid = { 1, 2, 3, 4, 5 },
                                      .aid_len = 5,
                                      .state_size = sizeof(struct link),
                                      .start = start,
                                      .stop = stop };
static const struct applet *const all[] = { &ecasd_applet, &applet };

static struct link *link_of(const struct euicc *e)
{
    return euicc_state(e, &applet);
}

static int start(struct euicc *e)
{
    return link_start(e, link_of(e)) ? 0 : ERR_BUG;
}

static void stop(struct euicc *e)
{
    link_stop(link_of(e));
}

static struct crypto *c, *server_crypto;
static struct party ci, eim, other;
static struct euicc e;
static struct terminal t;
static struct peer *peers; /* two servers, two resolvers */
static struct link_server server;
static struct link_network network;
static struct link_request request;
static struct wr spki;

static struct {
    unsigned n;
    enum link_outcome outcome;
    unsigned status;
    uint32_t retry_after;
    char reason[LINK_REASON_MAX], content_type[64];
    struct wr body;
    struct link_count count;
} got;

static unsigned n_rested;
static size_t sink_max;

static enum { STAY, AGAIN, CLOSE } afterwards; /* what done() does, for good */

static int done(struct euicc *card, void *ctx, const struct link_answer *answer)
{
    ck_assert_ptr_eq(card, &e);
    ck_assert_ptr_eq(ctx, &got);
    ck_assert(link_of(card)->stage == LINK_AT_REST || link_of(card)->stage == LINK_IDLE);
    got.n++;
    got.outcome = answer->outcome;
    got.status = answer->status;
    got.retry_after = answer->retry_after;
    got.count = answer->count;
    snprintf(got.reason, sizeof got.reason, "%s", answer->reason);
    snprintf(got.content_type, sizeof got.content_type, "%s", answer->content_type);
    wr_put_rd(&got.body, answer->body);
    if (afterwards == AGAIN && got.n < 3)
        ck_assert_int_eq(link_request(card, link_of(card), &request), LINK_OK);
    if (afterwards == CLOSE)
        link_close(card, link_of(card), NULL, NULL);
    return 0;
}

static int sink(struct euicc *card, void *ctx, struct rd piece)
{
    (void)card;
    (void)ctx;
    wr_put_rd(&got.body, piece);
    return got.body.n > sink_max ? ERR_INPUT : 0;
}

static int rested(struct euicc *card, void *ctx)
{
    (void)card;
    (void)ctx;
    n_rested++;
    return 0;
}

static const struct trace no_trace;

static char told[4096]; /* about TLS, and faults on demand */

static void listen(void *ctx, enum trace_event event, const char *text, const uint8_t *bytes,
                   size_t n)
{
    size_t at = strlen(told);

    (void)ctx;
    (void)bytes;
    (void)n;
    if (event == TRACE_TLS || event == TRACE_RULE)
        snprintf(told + at, sizeof told - at, "%s\n", text);
    if (getenv("LOUD") != NULL &&
        (event == TRACE_CHECK || event == TRACE_NOTE || event == TRACE_FAULT || event == TRACE_TLS))
        printf("    %s\n", text);
}

static void assert_told(const char *what)
{
    ck_assert_msg(strstr(told, what) != NULL, "'%s' is not in:\n%s", what, told);
}

/* The certificates are not looked at here. */
static void personalise(struct nvm *nvm)
{
    static const uint8_t eid[EID_LEN] = { 0x89 };
    uint8_t point[EC_POINT_LEN];
    struct wr key;

    wr_init_heap(&key, 1024);
    ck_assert_int_eq(ec_key_write_der(server_crypto, other.key, &key), 0);
    ec_key_point(ci.key, point);
    const struct ecasd_ci_data data = { .curve = CURVE_P256,
                                        .ski = cert_ski(ci.cert),
                                        .ci_point = rd_of(point, sizeof point),
                                        .euicc_key = wr_view(&key),
                                        .cert_euicc = cert_der(other.cert),
                                        .cert_eum = cert_der(other.cert) };
    ck_assert_int_eq(ecasd_personalise(nvm, eid, &data, 1), 0);
    wr_done(&key);
}

static void open_card(void)
{
    const struct trace trace = { listen, NULL };
    struct nvm *nvm = nvm_open_memory(&no_trace);

    told[0] = '\0';
    personalise(nvm);
    ck_assert_int_eq(euicc_init(&e, nvm, c, trace, all, N_ELEMS(all)), 0);
    ck_assert_int_eq(euicc_power_on(&e), 0);
    terminal_init(&t, &e, server_crypto);
    for (size_t i = 0; i < TERMINAL_PEERS; i++)
        t.peers[i] = &peers[i];
    terminal_start(&t, PROFILE);
}

static void close_card(void)
{
    euicc_done(&e);
    terminal_done(&t);
}

/* peers[0] and [1] resolve, [2] is the server. */
static void set_peers(void)
{
    for (size_t i = 0; i < TERMINAL_PEERS; i++) {
        peer_init(&peers[i]);
        peers[i].c = server_crypto;
        peers[i].party = &eim;
        peers[i].kind = i < 2 ? PEER_DNS : PEER_HTTPS;
        peers[i].port = i < 2 ? 53 : 443;
        peers[i].szx = 6;
        memcpy(peers[i].address, (const uint8_t[]){ 192, 0, 2, (uint8_t)(8 + i) }, 4);
        memcpy(peers[i].resolved[0], (const uint8_t[]){ 192, 0, 2, 10 }, 4);
        peers[i].n_resolved = 1;
    }
}

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/x-gsma-rsp-asn1\r\n"

static void set_up(void)
{
    c = crypto_new(rd_str("the card"));
    server_crypto = crypto_new(rd_str("the server"));
    ck_assert(c != NULL && server_crypto != NULL);
    party_issue(server_crypto, &ci, NULL,
                (struct cert_request){ .role = ROLE_CI, .common_name = "CI" });
    party_issue(server_crypto, &eim, &ci,
                (struct cert_request){ .role = ROLE_NONE, .common_name = "e", .dns_name = NAME });
    party_issue(server_crypto, &other, &ci,
                (struct cert_request){ .role = ROLE_NONE, .common_name = "o", .dns_name = NAME });
    wr_init_heap(&spki, 1024);
    ck_assert_int_eq(ec_pub_write_der(eim.pub, &spki), 0);
    wr_init_heap(&got.body, PEER_MESSAGE_MAX);
    got.n = n_rested = 0;
    afterwards = STAY;
    sink_max = PEER_MESSAGE_MAX;
    peers = calloc(TERMINAL_PEERS, sizeof *peers);
    set_peers();
    peers[2].answers[0] = rd_str(OK_HEAD "Content-Length: 6\r\n\r\nanswer");
    server = (struct link_server){ .host = ADDRESS,
                                   .path = PATH,
                                   .trust = { .kind = TLS_TRUST_SPKI, .pinned = wr_view(&spki) },
                                   .user_agent = "gsma-rsp-lpae",
                                   .content_type = "application/x-gsma-rsp-asn1",
                                   .admin_protocol = "gsma/rsp/v2.1.0" };
    network = (struct link_network){ .dns = { { 192, 0, 2, 8 }, 4 } };
    request = (struct link_request){
        .server = &server, .network = &network, .body = rd_str("request"), .done = done, .ctx = &got
    };
    open_card();
}

static void tear_down(void)
{
    close_card();
    for (size_t i = 0; i < TERMINAL_PEERS; i++)
        peer_done(&peers[i]);
    free(peers);
    wr_done(&spki);
    wr_done(&got.body);
    party_free(&ci);
    party_free(&eim);
    party_free(&other);
    crypto_free(&c);
    crypto_free(&server_crypto);
}

static void use_coaps(void)
{
    server.how = LINK_COAPS;
    peers[2].kind = peers[3].kind = PEER_COAPS;
    peers[2].port = peers[3].port = 5684;
    peers[2].answers[0] = rd_str("answer");
}

static void use_name(void)
{
    server.host = NAME;
}

/* Until it is told. */
static void ask(void)
{
    unsigned want = got.n + 1;

    wr_clear(&got.body);
    ck_assert_int_eq(link_request(&e, link_of(&e), &request), LINK_OK);
    terminal_send(&t, "80F2000C");
    ck_assert(terminal_run(&t, &got.n, want));
    ck_assert_uint_eq(got.n, want);
}

static void assert_outcome(enum link_outcome outcome, const char *words)
{
    ck_assert_msg(got.outcome == outcome, "%s: %s", link_outcome_name(got.outcome), got.reason);
    ck_assert_msg(strstr(got.reason, words) != NULL, "%s", got.reason);
}

static void assert_ok(const char *body)
{
    assert_outcome(LINK_OK, "");
    ck_assert_uint_eq(got.body.n, strlen(body));
    ck_assert_mem_eq(got.body.p, body, got.body.n);
}

/* Nothing of the link is left, and no channel of the terminal's. */
static void assert_at_rest(void)
{
    const struct link *l = link_of(&e);

    ck_assert_int_eq(l->stage, LINK_AT_REST);
    ck_assert(!link_is_used(l));
    ck_assert_ptr_null(l->tls);
    ck_assert_ptr_null(l->body.p);
    ck_assert_ptr_null(l->request.p);
    ck_assert(!bip_is_used(&e.cat));
    for (size_t i = 1; i < TERMINAL_CHANNELS; i++)
        ck_assert_ptr_null(t.channels[i].peer);
}

/* Whatever is still in the line; no timer runs afterwards, unless its end was lost. */
static void settle(void)
{
    unsigned before = t.expirations;

    ck_assert(terminal_run(&t, NULL, 0));
    ck_assert(t.expirations == before || t.lost.type == CAT_TIMER_MANAGEMENT);
}

static void close_link(void)
{
    terminal_send(&t, "80F2000C");
    bool follows = link_close(&e, link_of(&e), rested, NULL);
    terminal_send(&t, "80F2000C");
    settle();
    ck_assert_uint_eq(n_rested, follows);
    n_rested = 0;
    assert_at_rest();
}

static void fails(enum link_outcome outcome, const char *words)
{
    ask();
    assert_outcome(outcome, words);
    settle();
    assert_at_rest();
}

static void print_cost(const char *what)
{
    printf("%s: %u up, %u down, %u BIP commands; %u APDUs, %u open %u send %u receive %u close "
           "%u timer\n",
           what, got.count.up, got.count.down, got.count.commands, t.apdus,
           t.commands[CAT_OPEN_CHANNEL], t.commands[CAT_SEND_DATA], t.commands[CAT_RECEIVE_DATA],
           t.commands[CAT_CLOSE_CHANNEL], t.commands[CAT_TIMER_MANAGEMENT]);
}

static uint8_t pattern[200000];

static struct rd pattern_of(size_t n)
{
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(i * 7 + i / 251);
    return rd_of(pattern, n);
}

/* --- HTTPS ------------------------------------------------------------------------------------ */

START_TEST(https_with_both_versions_of_tls)
{
    t.date = IN_2026;
    peers[2].version = _i == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
    ask();
    assert_ok("answer");
    ck_assert_uint_eq(got.status, 200);
    ck_assert_str_eq(got.content_type, "application/x-gsma-rsp-asn1");
    ck_assert_str_eq(peers[2].head, "POST " PATH " HTTP/1.1\r\n"
                                    "Host: " ADDRESS "\r\n"
                                    "User-Agent: gsma-rsp-lpae\r\n"
                                    "Content-Type: application/x-gsma-rsp-asn1\r\n"
                                    "X-Admin-Protocol: gsma/rsp/v2.1.0\r\n"
                                    "Content-Length: 7\r\n\r\n");
    ck_assert_mem_eq(peers[2].request, "request", 7);
    ck_assert_int_eq(link_of(&e)->stage, LINK_IDLE);
    ck_assert_uint_eq(got.count.up, t.up);
    ck_assert_uint_eq(got.count.down, t.down);
    ck_assert_uint_eq(got.count.commands, t.commands[CAT_OPEN_CHANNEL] + t.commands[CAT_SEND_DATA] +
                                              t.commands[CAT_RECEIVE_DATA]);
    print_cost(_i == 0 ? "HTTPS, TLS 1.2" : "HTTPS, TLS 1.3");
    close_link();
    ck_assert_int_ne(link_of(&e)->now, 0);
}
END_TEST

START_TEST(several_requests_go_over_one_connection)
{
    peers[2].answers[1] = rd_str("HTTP/1.1 204 No Content\r\n\r\n");
    peers[2].answers[2] = rd_str("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 "3\r\nabc\r\n0\r\n\r\n");
    ask();
    assert_ok("answer");
    unsigned before = t.apdus;
    ask();
    assert_ok("");
    ck_assert_uint_eq(got.status, 204);
    printf("a second request: %u APDUs\n", t.apdus - before);
    ask();
    assert_ok("abc");
    ck_assert_uint_eq(peers[2].connections, 1);
    ck_assert_uint_eq(got.count.requests, 3);
    ck_assert_uint_eq(got.count.connections, 1);
    close_link();
}
END_TEST

/* And whoever is told that all is over may begin anew. */
START_TEST(who_is_told_may_go_on)
{
    if (_i >= 2)
        use_coaps();
    afterwards = AGAIN;
    request.close = _i % 2 == 1;
    ck_assert_int_eq(link_request(&e, link_of(&e), &request), LINK_OK);
    terminal_send(&t, "80F2000C");
    ck_assert(terminal_run(&t, &got.n, 3));
    ck_assert_uint_eq(peers[2].served, 3);
    ck_assert_uint_eq(peers[2].connections, _i % 2 == 1 ? 3u : 1u);
    close_link();
    afterwards = CLOSE;
    ask();
    settle();
    assert_at_rest();
}
END_TEST

START_TEST(the_last_request_closes)
{
    request.close = true;
    ask();
    assert_ok("answer");
    ck_assert_ptr_nonnull(strstr(peers[2].head, "Connection: close\r\n"));
    settle();
    assert_at_rest();
}
END_TEST

START_TEST(a_server_that_closed_meanwhile_is_connected_anew)
{
    peers[2].close_after = 1;
    peers[2].cut = _i == 1;
    ask();
    assert_ok("answer");
    settle();
    assert_at_rest();
    ask();
    assert_ok("answer");
    ck_assert_uint_eq(peers[2].connections, 2);
    settle();
    close_link();
}
END_TEST

START_TEST(a_server_that_closes_when_the_request_comes_is_connected_anew_once)
{
    peers[2].close_early = true;
    peers[2].cut = _i == 1;
    ask();
    assert_ok("answer");
    ask();
    assert_ok("answer");
    ck_assert_uint_eq(peers[2].connections, 2);
    ck_assert_uint_eq(peers[2].served, 2);
    close_link();
}
END_TEST

/* Unless the server says so, nobody knows whether it saw what was sent. */
START_TEST(what_may_be_seen_once_is_not_sent_twice)
{
    ask();
    assert_ok("answer");
    request.once = true;
    request.body = pattern_of(1000);
    if (_i < 2) {
        peers[2].close_early = true;
        peers[2].cut = _i == 1;
    } else { /* "channel closed", at the first piece or at the last one */
        t.fault.type = CAT_SEND_DATA;
        t.fault.general = CAT_BIP_ERROR;
        t.fault.additional = 0x02;
        t.fault.skip = _i == 2 ? 0 : 3;
        t.fault.times = 1;
    }
    ask();
    if (_i != 1)
        assert_ok("answer");
    else
        assert_outcome(LINK_RETRY_LATER, "close_notify");
    ck_assert_uint_eq(peers[2].connections, _i != 1 ? 2 : 1);
    close_link();
}
END_TEST

START_TEST(another_server_takes_a_connection_of_its_own)
{
    struct link_server second = server;

    second.host = "192.0.2.11";
    peers[3].answers[0] = rd_str("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo");
    ask();
    assert_ok("answer");
    request.server = &second;
    ask();
    assert_ok("two");
    close_link();
    ck_assert_uint_eq(t.commands[CAT_OPEN_CHANNEL], 2);
    ck_assert_uint_eq(t.commands[CAT_CLOSE_CHANNEL], 2);
}
END_TEST

START_TEST(a_connection_is_not_reused_under_another_trust)
{
    struct wr wrong;

    ask();
    assert_ok("answer");
    wr_init_heap(&wrong, 1024);
    ck_assert_int_eq(ec_pub_write_der(other.pub, &wrong), 0);
    server.trust.pinned = wr_view(&wrong);
    fails(LINK_UNTRUSTED, "trusted one");
    ck_assert_uint_eq(peers[2].connections, 2);
    ck_assert_uint_eq(peers[2].served, 1);
    wr_done(&wrong);
}
END_TEST

START_TEST(a_connection_that_idles_is_closed_some_time)
{
    ask();
    assert_ok("answer");
    ck_assert(terminal_run(&t, NULL, 0));
    ck_assert_uint_le(t.now, 2 * LINK_PATIENCE);
    assert_at_rest();
}
END_TEST

static void answer_large(struct wr *w, size_t n, bool chunked)
{
    struct rd body = pattern_of(n), chunk;
    char text[160];

    wr_init_heap(w, n + n / 100 + 1000);
    snprintf(text, sizeof text, "Content-Length: %zu\r\n\r\n", n);
    wr_put_rd(w, rd_str("HTTP/1.1 200 OK\r\n"));
    wr_put_rd(w, rd_str(chunked ? "Transfer-Encoding: chunked\r\n\r\n" : text));
    while (chunked && rd_take(&body, body.n < 999 ? body.n : 999, &chunk) == 0 && chunk.n > 0) {
        snprintf(text, sizeof text, "%zx\r\n", chunk.n);
        wr_put_rd(w, rd_str(text));
        wr_put_rd(w, chunk);
        wr_put_rd(w, rd_str("\r\n"));
    }
    wr_put_rd(w, chunked ? rd_str("0\r\n\r\n") : body);
    peers[2].answers[0] = wr_view(w);
}

START_TEST(a_large_answer_goes_through_a_sink_as_it_comes)
{
    enum { LARGE = 150000 };
    struct wr w;

    answer_large(&w, LARGE, _i == 1);
    request.sink = sink;
    request.body_max = LARGE;
    ask();
    assert_outcome(LINK_OK, "");
    ck_assert_uint_eq(got.body.n, LARGE);
    ck_assert_mem_eq(got.body.p, pattern, LARGE);
    print_cost("150 kB");
    close_link();
    wr_done(&w);
}
END_TEST

START_TEST(a_sink_may_have_enough)
{
    struct wr w;

    answer_large(&w, 50000, false);
    request.sink = sink;
    sink_max = 1000;
    fails(LINK_REFUSED, "not wanted");
    wr_done(&w);
}
END_TEST

START_TEST(a_body_beyond_its_bound_is_refused)
{
    struct wr w;

    answer_large(&w, 50001, (_i & 1) != 0);
    request.sink = (_i & 2) != 0 ? sink : NULL;
    request.body_max = 50000;
    fails(LINK_REFUSED, "longer than");
    ck_assert_uint_le(got.body.n, 50000);
    wr_done(&w);
}
END_TEST

START_TEST(a_large_request_goes_out_whole)
{
    request.body = pattern_of(40000);
    ask();
    assert_ok("answer");
    ck_assert_uint_eq(peers[2].request_n, 40000);
    ck_assert_mem_eq(peers[2].request, pattern, 40000);
    close_link();
}
END_TEST

START_TEST(a_stream_goes_out_in_whole_pieces)
{
    enum { OTHERS = 4 }; /* flights, close_notify among them, whose last piece is short */
    static const uint16_t sizes[] = { 0, 1024, 300 };

    t.buffer_size = sizes[_i];
    request.body = pattern_of(24000);
    ask();
    assert_ok("answer");
    ck_assert_uint_eq(peers[2].request_n, 24000);
    ck_assert_uint_le(t.commands[CAT_SEND_DATA], got.count.up / BIP_SLICE_MAX + OTHERS);
    close_link();
}
END_TEST

/* The watch takes over the timer of DNS. */
START_TEST(a_session_with_a_name_starts_two_timers_and_stops_one)
{
    use_name();
    ask();
    assert_ok("answer");
    close_link();
    ck_assert_uint_eq(t.commands[CAT_TIMER_MANAGEMENT], 3);
}
END_TEST

START_TEST(statuses_say_what_to_do)
{
    static const struct {
        const char *head;
        unsigned status;
        enum link_outcome outcome;
        uint32_t retry_after;
    } rows[] = {
        { "503 x\r\nRetry-After: 120", 503, LINK_RETRY_LATER, 120 },
        { "500 x", 500, LINK_RETRY_LATER, 0 },
        { "429 x\r\nRetry-After: 7", 429, LINK_RETRY_LATER, 7 },
        { "408 x", 408, LINK_RETRY_LATER, 0 },
        { "404 x", 404, LINK_REFUSED, 0 },
        { "302 x\r\nLocation: https://x.example/", 302, LINK_REFUSED, 0 },
        { "201 x", 201, LINK_OK, 0 },
    };
    char text[200];

    snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: 4\r\n\r\nbody", rows[_i].head);
    peers[2].answers[0] = rd_str(text);
    request.sink = sink; /* is for 200 only */
    ask();
    assert_outcome(rows[_i].outcome, rows[_i].outcome == LINK_OK ? "" : "HTTP status");
    ck_assert_uint_eq(got.status, rows[_i].status);
    ck_assert_uint_eq(got.retry_after, rows[_i].retry_after);
    ck_assert_mem_eq(got.body.p, "body", 4);
    ck_assert_int_eq(link_of(&e)->stage, LINK_IDLE);
    close_link();
}
END_TEST

START_TEST(what_is_no_answer_is_tried_later)
{
    static const struct {
        const char *answer, *words;
        bool cut;
    } rows[] = {
        { "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "ended within", false },
        { "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "without close_notify", true },
        { "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc", "without close_notify", true },
        { "HTTP/1.1 200 OK\r\nContent-Le", "ended within", false },
        { "220 smtp.example ESMTP\r\n", "not a status line", false },
        { "\x16\x03\x03\n\r", "HTTP", false },
    };

    peers[2].answers[0] = rd_str(rows[_i].answer);
    peers[2].cut = rows[_i].cut;
    peers[2].close_after = 1;
    fails(LINK_RETRY_LATER, rows[_i].words);
}
END_TEST

START_TEST(an_answer_may_end_with_the_connection)
{
    peers[2].answers[0] = rd_str("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end");
    peers[2].close_after = 1;
    ask();
    assert_ok("to the end");
    settle();
    assert_at_rest();
}
END_TEST

START_TEST(what_follows_an_answer_ends_the_connection)
{
    peers[2].answers[0] = rd_str("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200");
    ask();
    assert_ok("x");
    settle();
    assert_at_rest();
}
END_TEST

START_TEST(a_server_that_says_nothing_is_left)
{
    peers[2].answers[0] = rd_of("", 0);
    fails(LINK_RETRY_LATER, "nothing came");
    ck_assert_uint_le(t.now, 2 * LINK_PATIENCE);
    network.session = network.patience = 10;
    fails(LINK_RETRY_LATER, "the session took");
}
END_TEST

START_TEST(data_that_nobody_asked_for_ends_the_connection)
{
    ask();
    assert_ok("answer");
    peer_push(&peers[2], rd_str("HTTP/1.1 200 OK\r\n"));
    settle();
    assert_at_rest();
    ask();
    assert_ok("answer");
    close_link();
}
END_TEST

START_TEST(a_port_of_its_own_is_named)
{
    server.port = peers[2].port = 8443;
    ask();
    assert_ok("answer");
    ck_assert_ptr_nonnull(strstr(peers[2].head, "Host: " ADDRESS ":8443\r\n"));
    close_link();
}
END_TEST

START_TEST(chunks_are_counted_together)
{
    peers[2].answers[0] = rd_str("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 "8\r\nabcdefgh\r\n8\r\nabcdefgh\r\n0\r\n\r\n");
    request.body_max = 10;
    request.sink = sink;
    fails(LINK_REFUSED, "longer than");
}
END_TEST

/* --- CoAPS ------------------------------------------------------------------------------------ */

START_TEST(coaps_in_one_datagram)
{
    use_coaps();
    ask();
    assert_ok("answer");
    ck_assert_uint_eq(got.status, 204);
    ck_assert_uint_eq(peers[2].request_n, 7);
    ck_assert_int_eq(link_of(&e)->stage, LINK_IDLE);
    ck_assert_uint_eq(got.count.up, t.up);
    ck_assert_uint_eq(got.count.down, t.down);
    print_cost("CoAPS");
    ask();
    assert_ok("answer");
    ck_assert_uint_eq(peers[2].connections, 1);
    close_link();
}
END_TEST

START_TEST(coaps_with_blocks_both_ways)
{
    static const uint16_t mtus[] = { 0, 256, 300, 600, 1000, 1500 };

    use_coaps();
    network.mtu = mtus[_i];
    network.buffer_size = 1500;
    request.body = peers[2].answers[0] = pattern_of(3000);
    ask();
    assert_outcome(LINK_OK, "");
    ck_assert_uint_eq(got.body.n, 3000);
    ck_assert_mem_eq(got.body.p, pattern, 3000);
    ck_assert_uint_eq(peers[2].request_n, 3000);
    ck_assert_mem_eq(peers[2].request, pattern, 3000);
    printf("MTU %u: ", mtus[_i]);
    print_cost("CoAPS, 3000 octets both ways");
    close_link();
}
END_TEST

START_TEST(lost_datagrams_are_repeated)
{
    use_coaps();
    request.body = peers[2].answers[0] = pattern_of(2000);
    peers[2].drop = _i < 16 ? 1u << _i : 0x1111u << (_i - 16);
    ask();
    assert_outcome(LINK_OK, "");
    ck_assert_uint_eq(got.body.n, 2000);
    ck_assert_mem_eq(got.body.p, pattern, 2000);
    close_link();
}
END_TEST

START_TEST(a_server_of_datagrams_that_is_not_there)
{
    use_coaps();
    peers[2].kind = PEER_DNS; /* that hears nothing */
    peers[2].silent = 1000;
    fails(LINK_RETRY_LATER, "no answer");
    ck_assert_uint_le(t.now, 70);
}
END_TEST

START_TEST(a_coap_server_that_goes_away_within)
{
    use_coaps();
    peers[2].drop = ~0u << 6; /* behind its Finished */
    fails(LINK_RETRY_LATER, "no answer");
}
END_TEST

START_TEST(codes_say_what_to_do)
{
    static const struct {
        unsigned code, status;
        enum link_outcome outcome;
        uint32_t retry_after;
    } rows[] = {
        { COAP_CODE(2, 5), 205, LINK_OK, 0 },
        { COAP_CODE(4, 4), 404, LINK_REFUSED, 0 },
        { COAP_CODE(5, 0), 500, LINK_RETRY_LATER, 0 },
        { COAP_CODE(5, 3), 503, LINK_RETRY_LATER, COAP_MAX_AGE_DEFAULT },
        { COAP_CODE(4, 29), 429, LINK_RETRY_LATER, COAP_MAX_AGE_DEFAULT },
    };

    use_coaps();
    peers[2].code = rows[_i].code;
    ask();
    assert_outcome(rows[_i].outcome, rows[_i].outcome == LINK_OK ? "" : "CoAP code");
    ck_assert_uint_eq(got.status, rows[_i].status);
    ck_assert_uint_eq(got.retry_after, rows[_i].retry_after);
    close_link();
}
END_TEST

START_TEST(a_coap_body_beyond_its_bound_is_refused)
{
    use_coaps();
    request.body_max = 1000;
    peers[2].answers[0] = pattern_of(3000);
    fails(LINK_REFUSED, "room");
}
END_TEST

/* --- trust ------------------------------------------------------------------------------------ */

START_TEST(a_server_that_is_not_trusted_gets_nothing)
{
    if (_i == 1)
        use_coaps();
    peers[2].party = &other;
    fails(LINK_UNTRUSTED, "SGP.32 2.6.3");
    ck_assert_uint_eq(peers[2].served, 0);
    ck_assert_uint_eq(peers[2].request_n, 0);
    ck_assert(SSL_CTX_sess_accept_good(peers[2].ctx) == 0);
}
END_TEST

START_TEST(the_name_is_checked_with_a_certificate)
{
    server.trust = (struct tls_trust){ .kind = TLS_TRUST_CERTIFICATE, .pinned = cert_der(ci.cert) };
    use_name();
    ask();
    assert_ok("answer");
    close_link();
    server.host = "another.example.test";
    fails(LINK_UNTRUSTED, "name");
    ck_assert_uint_eq(peers[2].served, 1);
}
END_TEST

START_TEST(the_date_is_checked_where_the_terminal_has_one)
{
    server.trust = (struct tls_trust){ .kind = TLS_TRUST_CERTIFICATE, .pinned = cert_der(ci.cert) };
    use_name();
    t.date = _i == 0 ? IN_2030 : NULL;
    if (_i == 2) {
        ck_assert_int_eq(euicc_power_on(&e), 0);
        terminal_start(&t, WITHOUT_DATE);
    }
    ask();
    if (_i == 0)
        assert_outcome(LINK_UNTRUSTED, "expired");
    else
        assert_ok("answer");
    ck_assert_uint_eq(t.commands[CAT_PROVIDE_LOCAL_INFORMATION], _i == 2 ? 0u : 1u);
    close_link();
}
END_TEST

/* What the terminal tells is taken with the jump; a clock that nobody knows does not jump. */
START_TEST(a_clock_that_jumps_changes_which_dates_are_good)
{
    static const struct {
        const char *date, *said;
        int64_t jump;
        bool is_good;
    } rows[] = {
        { IN_2026, "clock 0", 0, true },
        { IN_2026, "clock 94608000: the terminal says", 3 * 365 * 86400, false },
        { IN_2030, "clock -126144000: the terminal says", -4 * 365 * 86400, true },
        { IN_2026, ", taken as 1\n", INT64_C(-100) * 365 * 86400, false },
        { NULL, "clock 94608000", 3 * 365 * 86400, true },
    };
    bool is_said = rows[_i].jump != 0 && rows[_i].date != NULL;

    server.trust = (struct tls_trust){ .kind = TLS_TRUST_CERTIFICATE, .pinned = cert_der(ci.cert) };
    use_name();
    t.date = rows[_i].date;
    e.forced.clock = rows[_i].jump;
    ask();
    if (rows[_i].is_good)
        assert_ok("answer");
    else
        assert_outcome(LINK_UNTRUSTED, rows[_i].jump > 0 ? "expired" : "valid");
    ck_assert_msg((strstr(told, rows[_i].said) != NULL) == is_said, "%s", told);
    close_link();
}
END_TEST

START_TEST(what_tls_does_is_told)
{
    peers[2].version = TLS1_3_VERSION;
    if (_i == 0) {
        ask();
        assert_ok("answer");
        assert_told(ADDRESS ": TLSv1.3 TLS_AES_128_GCM_SHA256, certificate of ");
        assert_told("/CN=e, trusted by its public key, ");
        close_link();
    } else {
        peers[2].party = &other;
        fails(LINK_UNTRUSTED, "SGP.32 2.6.3");
        assert_told(ADDRESS ": TLS: server's certificate: ");
        assert_told("; alert ");
        ck_assert_ptr_null(strstr(told, "TLSv1"));
    }
}
END_TEST

START_TEST(the_cis_of_the_card_are_trusted)
{
    struct party dp = { 0 }, dp_of_other_ci = { 0 }, other_ci = { 0 };
    const struct cert_request req = { .role = ROLE_DP_TLS, .common_name = "d", .dns_name = NAME };

    party_issue(server_crypto, &other_ci, NULL,
                (struct cert_request){ .role = ROLE_CI, .common_name = "CI 2" });
    party_issue(server_crypto, &dp, &ci, req);
    party_issue(server_crypto, &dp_of_other_ci, &other_ci, req);
    server.trust = (struct tls_trust){ .kind = TLS_TRUST_CI, .roles = ROLE_DP_TLS };
    use_name();
    peers[2].party = _i == 0 ? &dp : _i == 1 ? &dp_of_other_ci : &eim;
    ask();
    if (_i == 0)
        assert_ok("answer");
    else
        assert_outcome(LINK_UNTRUSTED, "certificate");
    close_link();
    party_free(&dp);
    party_free(&dp_of_other_ci);
    party_free(&other_ci);
}
END_TEST

START_TEST(trust_in_nothing_is_none)
{
    server.trust = (struct tls_trust){ 0 };
    fails(LINK_REFUSED, "TLS");
}
END_TEST

START_TEST(tickets_make_the_next_connection_shorter)
{
    unsigned first;

    if (_i == 2)
        use_coaps();
    peers[2].version = _i == 0 ? TLS1_2_VERSION : _i == 1 ? TLS1_3_VERSION : 0;
    peers[2].tickets = network.tickets = true;
    ask();
    assert_ok("answer");
    first = got.count.up + got.count.down;
    close_link();
    ask();
    assert_ok("answer");
    ck_assert_uint_eq(peers[2].resumed, 1);
    ck_assert_uint_lt(got.count.up + got.count.down, first);
    printf("resumed: %u octets instead of %u\n", got.count.up + got.count.down, first);
    close_link();
}
END_TEST

/* Else it would see it again and again. */
START_TEST(a_server_that_breaks_off_over_a_ticket_sees_it_once)
{
    static const uint8_t refusal[] = { 0x15, 3, 3, 0, 2, 2, 40 },
                         nonsense[] = { 0x16, 3, 3, 255, 255 };
    const struct rd answer = peers[2].answers[0];

    peers[2].tickets = network.tickets = true;
    ask();
    assert_ok("answer");
    close_link();
    peers[2].kind = PEER_RAW;
    peers[2].served = 0;
    peers[2].answers[0] =
        _i == 0 ? rd_of(refusal, sizeof refusal) : rd_of(nonsense, sizeof nonsense);
    fails(LINK_RETRY_LATER, "TLS");
    peers[2].kind = PEER_HTTPS;
    peers[2].answers[0] = answer;
    ask();
    assert_ok("answer");
    ck_assert_uint_eq(peers[2].resumed, 0);
    close_link();
}
END_TEST

/* It may have been the network. */
START_TEST(a_ticket_outlives_one_link_that_is_lost)
{
    peers[2].tickets = network.tickets = true;
    ask();
    assert_ok("answer");
    close_link();
    for (int i = 0; i <= _i; i++) {
        t.fault.type = CAT_RECEIVE_DATA;
        t.fault.general = CAT_BIP_ERROR;
        t.fault.additional = 0x02;
        t.fault.times = 1;
        fails(LINK_RETRY_LATER, "ended in the handshake");
    }
    unsigned before = peers[2].resumed;
    ask();
    assert_ok("answer");
    ck_assert_uint_eq(peers[2].resumed - before, _i == 0);
    close_link();
}
END_TEST

/* --- names ------------------------------------------------------------------------------------ */

START_TEST(a_name_is_resolved_and_stays_so_for_the_session)
{
    use_name();
    peers[2].close_after = 1;
    ask();
    assert_ok("answer");
    ck_assert_ptr_nonnull(strstr(peers[2].head, "Host: " NAME "\r\n"));
    print_cost("HTTPS with DNS");
    ask();
    assert_ok("answer");
    ck_assert_uint_eq(peers[0].queries, 1);
    ck_assert_uint_eq(peers[2].connections, 2);
    settle();
    close_link();
    ask();
    assert_ok("answer");
    ck_assert_uint_eq(peers[0].queries, 2);
    settle();
    close_link();
}
END_TEST

START_TEST(dns_is_asked_again_and_then_given_up)
{
    use_name();
    peers[0].silent = (unsigned)_i;
    if (_i < 3) {
        ask();
        assert_ok("answer");
        close_link();
    } else {
        fails(LINK_RETRY_LATER, "DNS: no answer");
        ck_assert_uint_eq(t.now, 2 + 4 + 8);
    }
    ck_assert_uint_eq(peers[0].queries, _i < 3 ? (unsigned)_i + 1 : 3);
}
END_TEST

START_TEST(dns_answers_that_help_nobody)
{
    static const struct {
        bool no_name, wrong_id;
        unsigned n;
        enum link_outcome outcome;
        const char *words;
    } rows[] = {
        { true, false, 0, LINK_REFUSED, "DNS" },
        { false, false, 0, LINK_REFUSED, "DNS" },
        { false, true, 1, LINK_RETRY_LATER, "no answer" },
    };

    use_name();
    peers[0].no_name = rows[_i].no_name;
    peers[0].wrong_id = rows[_i].wrong_id;
    peers[0].n_resolved = rows[_i].n;
    fails(rows[_i].outcome, rows[_i].words);
    ck_assert_uint_eq(peers[2].connections, 0);
}
END_TEST

START_TEST(dns_that_lies_leads_to_who_is_not_trusted)
{
    use_name();
    peers[0].resolved[0][3] = 11;
    peers[3].party = &other;
    fails(LINK_UNTRUSTED, "trusted one");
    ck_assert_uint_eq(peers[3].served, 0);
}
END_TEST

START_TEST(the_next_address_is_tried)
{
    use_name();
    peers[0].resolved[0][3] = 99; /* nobody there */
    memcpy(peers[0].resolved[1], peers[2].address, 4);
    peers[0].n_resolved = 2;
    ask();
    assert_ok("answer");
    close_link();
    peers[0].n_resolved = 1;
    fails(LINK_RETRY_LATER, "3A 07");
}
END_TEST

START_TEST(the_network_is_asked_for_its_dns_server)
{
    struct rd parameters = exact_copy("350702030403041F02 470C03696F74076578616D706C65"
                                      "0D05F475736572 0D03F47077");

    use_name();
    network.parameters = parameters;
    network.dns.n = 0;
    t.tells_dns = _i == 0;
    if (_i == 0) {
        ask();
        assert_ok("answer");
        struct rd open = rd_of(t.open, t.open_n),
                  expected = exact_copy(
                      "8103FF4001 82028182 350702030403041F02 39020578 470C03696F74076578616D706C65"
                      "0D05F475736572 0D03F47077 3C030201BB 3E0521C000020A");
        ck_assert_uint_eq(open.n, expected.n);
        ck_assert_mem_eq(open.p + 5, expected.p + 5, open.n - 5);
        exact_free(&expected);
        close_link();
    } else {
        fails(LINK_RETRY_LATER, "3A 07"); /* and a network that does not tell */
    }
    exact_free(&parameters);
}
END_TEST

START_TEST(the_next_resolver_is_asked)
{
    struct rd parameters = exact_copy("350702030403041F02");

    use_name();
    network.parameters = parameters;
    network.dns.octets[3] = 9;
    peers[1].silent = 100;
    t.tells_dns = true; /* of peers[0] */
    ask();
    assert_ok("answer");
    ck_assert_uint_eq(peers[1].queries, 3);
    ck_assert_uint_eq(peers[0].queries, 1);
    close_link();
    exact_free(&parameters);
}
END_TEST

START_TEST(ipv6_is_asked_for_where_it_may_be_used)
{
    use_name();
    network.ipv6 = true;
    peers[0].n_resolved = 0;
    peers[0].ipv6 = true;
    fails(LINK_RETRY_LATER, "3A 07"); /* this terminal knows IPv4 only */
    struct rd expected = exact_copy("3C030201BB 3E115720010DB8000000000000000000000001");
    ck_assert_mem_eq(t.open + t.open_n - expected.n, expected.p, expected.n);
    exact_free(&expected);
    ck_assert_uint_eq(peers[0].queries, 2);
}
END_TEST

START_TEST(what_is_no_name_is_not_asked_for)
{
    server.host = "no name.example";
    fails(LINK_REFUSED, "host name");
    ck_assert_uint_eq(peers[0].queries, 0);
}
END_TEST

START_TEST(nobody_to_ask_for_a_name_and_nothing_to_wait_for)
{
    ck_assert_int_eq(euicc_power_on(&e), 0);
    terminal_start(&t, WITHOUT_DATE);
    use_name();
    network.dns.n = 0;
    ck_assert_int_eq(link_request(&e, link_of(&e), &request), LINK_REFUSED);
    terminal_send(&t, "80F2000C");
    settle();
    assert_at_rest();
    ck_assert_uint_eq(got.n, 0);
}
END_TEST

START_TEST(connectivity_parameters_that_are_wrong_are_left_out)
{
    static const char *const texts[] = { "4704 03616263", "4704 09616263", "4704 00616263",
                                         "4704 03612E63", "47 05 01",      "0D03F4610 0",
                                         "3500" };
    struct rd parameters = exact_copy(texts[_i]);

    network.parameters = parameters;
    ask();
    assert_ok("answer");
    bool named = memmem(t.open, t.open_n, "\x47\x04\x03", 3) != NULL;
    ck_assert_int_eq(named, _i == 0);
    close_link();
    exact_free(&parameters);
}
END_TEST

START_TEST(nobody_to_ask_for_a_name)
{
    use_name();
    network.dns.n = 0;
    ck_assert_int_eq(link_request(&e, link_of(&e), &request), LINK_OK);
    terminal_send(&t, "80F2000C");
    ck_assert(terminal_run(&t, &got.n, 1));
    assert_outcome(LINK_REFUSED, "no DNS server is known");
    settle();
    assert_at_rest();
}
END_TEST

/* --- the terminal ----------------------------------------------------------------------------- */

START_TEST(a_terminal_that_cannot_or_will_not)
{
    static const struct {
        uint8_t type, general, additional;
        unsigned times;
        enum link_outcome outcome;
    } rows[] = {
        { CAT_OPEN_CHANNEL, 0x20, 0x04, 1, LINK_NO_SERVICE },
        { CAT_OPEN_CHANNEL, 0x3A, 0x05, 1, LINK_REFUSED },
        { CAT_OPEN_CHANNEL, 0x22, 0x00, 1, LINK_REFUSED },
        { CAT_OPEN_CHANNEL, 0x3A, 0x07, 1, LINK_RETRY_LATER },
        { CAT_OPEN_CHANNEL, 0x21, 0x00, 9, LINK_RETRY_LATER },
        { CAT_OPEN_CHANNEL, 0x30, 0x00, 99, LINK_REFUSED },
        { CAT_SEND_DATA, 0x3A, 0x02, 1, LINK_RETRY_LATER },
        { CAT_SEND_DATA, 0x3A, 0x03, 1, LINK_RETRY_LATER },
        { CAT_SEND_DATA, 0x20, 0x04, 9, LINK_NO_SERVICE },
        { CAT_RECEIVE_DATA, 0x3A, 0x00, 9, LINK_RETRY_LATER },
        { CAT_RECEIVE_DATA, 0x3A, 0x02, 1, LINK_RETRY_LATER },
    };

    t.fault.type = rows[_i].type;
    t.fault.general = rows[_i].general;
    t.fault.additional = rows[_i].additional;
    t.fault.times = rows[_i].times;
    ask();
    assert_outcome(rows[_i].outcome, "");
    ck_assert_str_ne(got.reason, "");
    ck_assert_int_eq(link_of(&e)->stage, LINK_AT_REST);
    t.fault.times = 0;
    ask();
    assert_ok("answer");
}
END_TEST

START_TEST(a_terminal_without_channels)
{
    ck_assert_int_eq(euicc_power_on(&e), 0);
    terminal_start(&t, WITHOUT_BIP);
    ck_assert_int_eq(link_request(&e, link_of(&e), &request), LINK_REFUSED);
    terminal_send(&t, "80F2000C");
    settle();
    assert_at_rest();
    ck_assert_uint_eq(t.commands[CAT_OPEN_CHANNEL], 0);
}
END_TEST

START_TEST(a_terminal_without_timers)
{
    ck_assert_int_eq(euicc_power_on(&e), 0);
    terminal_start(&t, WITHOUT_TIMERS);
    ask();
    assert_ok("answer");
    close_link();
    use_coaps();
    server.host = "192.0.2.11";
    fails(LINK_RETRY_LATER, "timer");
}
END_TEST

START_TEST(small_buffers_are_enough)
{
    static const uint16_t sizes[] = { 128, 255, 300, 600 };

    if (_i >= 4)
        use_coaps();
    t.buffer_size = sizes[_i % 4];
    request.body = pattern_of(1000);
    if (_i >= 4 && t.buffer_size < TLS_MIN_MTU) {
        fails(LINK_REFUSED, "too small");
        return;
    }
    ask();
    assert_ok("answer");
    ck_assert_uint_eq(peers[2].request_n, 1000);
    close_link();
}
END_TEST

/* Each TERMINAL RESPONSE once. */
START_TEST(a_lost_terminal_response_is_overcome_or_told)
{
    static const uint8_t types[] = { CAT_OPEN_CHANNEL,     CAT_SEND_DATA,
                                     CAT_RECEIVE_DATA,     CAT_CLOSE_CHANNEL,
                                     CAT_TIMER_MANAGEMENT, CAT_PROVIDE_LOCAL_INFORMATION };

    if (_i % 2 == 1)
        use_coaps();
    use_name();
    t.lost.type = types[_i / 2];
    for (unsigned skip = 0;; skip++) {
        t.lost.skip = skip;
        t.lost.times = 1;
        ask();
        ck_assert(got.outcome == LINK_OK || got.outcome == LINK_RETRY_LATER);
        close_link();
        if (t.lost.times == 1)
            break;
    }
    t.lost.times = 0;
    ask();
    assert_ok("answer");
    close_link();
}
END_TEST

/* After every APDU of an exchange. */
START_TEST(a_reset_in_the_middle_releases_everything)
{
    if (_i == 1)
        use_coaps();
    use_name();
    network.tickets = true;
    for (unsigned n = 1;; n++) {
        wr_clear(&got.body);
        got.n = 0;
        ck_assert_int_eq(link_request(&e, link_of(&e), &request), LINK_OK);
        t.stop_after = t.apdus + n + 1;
        terminal_send(&t, "80F2000C");
        terminal_run(&t, &got.n, 1);
        if (got.n == 1)
            break;
        t.stop_after = 0;
        ck_assert_int_eq(euicc_power_on(&e), 0);
        ck_assert_uint_eq(got.n, 0);
        terminal_start(&t, PROFILE);
        settle();
        assert_at_rest();
    }
    assert_ok("answer");
    t.stop_after = 0;
    close_link();
}
END_TEST

/* After every APDU of an exchange, too. */
START_TEST(a_link_may_be_closed_at_any_time)
{
    if (_i == 1)
        use_coaps();
    use_name();
    for (unsigned n = 0;; n++) {
        got.n = 0;
        ck_assert_int_eq(link_request(&e, link_of(&e), &request), LINK_OK);
        t.stop_after = t.apdus + n + 1;
        terminal_send(&t, "80F2000C");
        terminal_run(&t, &got.n, 1);
        bool complete = got.n == 1;
        t.stop_after = 0;
        bool follows = link_close(&e, link_of(&e), rested, NULL);
        terminal_send(&t, "80F2000C");
        settle();
        assert_at_rest();
        ck_assert_uint_eq(n_rested, follows);
        n_rested = 0;
        ck_assert_uint_eq(got.n, complete);
        if (complete)
            break;
    }
}
END_TEST

/* --- the rest --------------------------------------------------------------------------------- */

START_TEST(garbage_instead_of_a_server)
{
    static const char *const texts[] = { "HTTP/1.1 400 Bad Request\r\n\r\n",
                                         "\x15\x03\x03\x00\x02\x02\x28", "\x16\x03\x03\xFF\xFF",
                                         "\x16\x03\x03\x00\x04\x02\x00\x00\x00" };
    static const size_t sizes[] = { 28, 7, 5, 9 };

    peers[2].kind = PEER_RAW;
    peers[2].answers[0] = rd_of(texts[_i], sizes[_i]);
    fails(LINK_RETRY_LATER, "");
    ck_assert_str_ne(got.reason, "");
}
END_TEST

START_TEST(requests_that_make_no_sense_are_refused)
{
    const struct link_server good = server;
    const struct link_request right = request;

    server.host = NULL;
    ck_assert_int_eq(link_request(&e, link_of(&e), &request), LINK_REFUSED);
    server = good;
    server.path = "gsma";
    ck_assert_int_eq(link_request(&e, link_of(&e), &request), LINK_REFUSED);
    server = good;
    server.how = LINK_COAPS;
    request.sink = sink;
    ck_assert_int_eq(link_request(&e, link_of(&e), &request), LINK_REFUSED);
    server = good;
    request = right;
    server.user_agent = "x\r\nX-Evil: y";
    fails(LINK_REFUSED, "HTTP");
    server = good;
    server.trust.kind = TLS_TRUST_CERTIFICATE;
    server.trust.pinned = rd_str("no certificate");
    fails(LINK_REFUSED, "");
    server = good;
    ck_assert_int_eq(link_request(&e, link_of(&e), &request), LINK_OK);
    ck_assert_int_eq(link_request(&e, link_of(&e), &request), LINK_REFUSED); /* busy */
    terminal_send(&t, "80F2000C");
    ck_assert(terminal_run(&t, &got.n, got.n + 1));
    assert_ok("answer");
    close_link();
}
END_TEST

START_TEST(the_same_seeds_give_the_same_octets)
{
    uint8_t first[SHA256_LEN];

    for (int i = 0; i < 2; i++) {
        if (i == 1) {
            tear_down();
            set_up();
        }
        if (_i == 1)
            use_coaps();
        use_name();
        ask();
        assert_ok("answer");
        close_link();
        if (i == 0)
            memcpy(first, t.digest, sizeof first);
    }
    ck_assert_mem_eq(first, t.digest, sizeof first);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("link");
    TCase *tc = tcase_create("link");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, https_with_both_versions_of_tls, 0, 2);
    tcase_add_test(tc, several_requests_go_over_one_connection);
    tcase_add_loop_test(tc, who_is_told_may_go_on, 0, 4);
    tcase_add_test(tc, the_last_request_closes);
    tcase_add_loop_test(tc, a_server_that_closed_meanwhile_is_connected_anew, 0, 2);
    tcase_add_loop_test(tc, a_server_that_closes_when_the_request_comes_is_connected_anew_once, 0,
                        2);
    tcase_add_loop_test(tc, what_may_be_seen_once_is_not_sent_twice, 0, 4);
    tcase_add_test(tc, another_server_takes_a_connection_of_its_own);
    tcase_add_test(tc, a_connection_is_not_reused_under_another_trust);
    tcase_add_test(tc, a_connection_that_idles_is_closed_some_time);
    tcase_add_loop_test(tc, a_large_answer_goes_through_a_sink_as_it_comes, 0, 2);
    tcase_add_test(tc, a_sink_may_have_enough);
    tcase_add_loop_test(tc, a_body_beyond_its_bound_is_refused, 0, 4);
    tcase_add_test(tc, a_large_request_goes_out_whole);
    tcase_add_loop_test(tc, a_stream_goes_out_in_whole_pieces, 0, 3);
    tcase_add_test(tc, a_session_with_a_name_starts_two_timers_and_stops_one);
    tcase_add_loop_test(tc, statuses_say_what_to_do, 0, 7);
    tcase_add_loop_test(tc, what_is_no_answer_is_tried_later, 0, 6);
    tcase_add_test(tc, an_answer_may_end_with_the_connection);
    tcase_add_test(tc, what_follows_an_answer_ends_the_connection);
    tcase_add_test(tc, a_server_that_says_nothing_is_left);
    tcase_add_test(tc, data_that_nobody_asked_for_ends_the_connection);
    tcase_add_test(tc, a_port_of_its_own_is_named);
    tcase_add_test(tc, chunks_are_counted_together);
    tcase_add_test(tc, coaps_in_one_datagram);
    tcase_add_loop_test(tc, coaps_with_blocks_both_ways, 0, 6);
    tcase_add_loop_test(tc, lost_datagrams_are_repeated, 0, 20);
    tcase_add_test(tc, a_server_of_datagrams_that_is_not_there);
    tcase_add_test(tc, a_coap_server_that_goes_away_within);
    tcase_add_loop_test(tc, codes_say_what_to_do, 0, 5);
    tcase_add_test(tc, a_coap_body_beyond_its_bound_is_refused);
    tcase_add_loop_test(tc, a_server_that_is_not_trusted_gets_nothing, 0, 2);
    tcase_add_test(tc, the_name_is_checked_with_a_certificate);
    tcase_add_loop_test(tc, the_date_is_checked_where_the_terminal_has_one, 0, 3);
    tcase_add_loop_test(tc, a_clock_that_jumps_changes_which_dates_are_good, 0, 5);
    tcase_add_loop_test(tc, what_tls_does_is_told, 0, 2);
    tcase_add_loop_test(tc, the_cis_of_the_card_are_trusted, 0, 3);
    tcase_add_test(tc, trust_in_nothing_is_none);
    tcase_add_loop_test(tc, tickets_make_the_next_connection_shorter, 0, 3);
    tcase_add_loop_test(tc, a_server_that_breaks_off_over_a_ticket_sees_it_once, 0, 2);
    tcase_add_loop_test(tc, a_ticket_outlives_one_link_that_is_lost, 0, 2);
    tcase_add_test(tc, a_name_is_resolved_and_stays_so_for_the_session);
    tcase_add_loop_test(tc, dns_is_asked_again_and_then_given_up, 0, 5);
    tcase_add_loop_test(tc, dns_answers_that_help_nobody, 0, 3);
    tcase_add_test(tc, dns_that_lies_leads_to_who_is_not_trusted);
    tcase_add_test(tc, the_next_address_is_tried);
    tcase_add_loop_test(tc, the_network_is_asked_for_its_dns_server, 0, 2);
    tcase_add_test(tc, the_next_resolver_is_asked);
    tcase_add_test(tc, ipv6_is_asked_for_where_it_may_be_used);
    tcase_add_test(tc, what_is_no_name_is_not_asked_for);
    tcase_add_test(tc, nobody_to_ask_for_a_name_and_nothing_to_wait_for);
    tcase_add_loop_test(tc, connectivity_parameters_that_are_wrong_are_left_out, 0, 7);
    tcase_add_test(tc, nobody_to_ask_for_a_name);
    tcase_add_loop_test(tc, a_terminal_that_cannot_or_will_not, 0, 11);
    tcase_add_test(tc, a_terminal_without_channels);
    tcase_add_test(tc, a_terminal_without_timers);
    tcase_add_loop_test(tc, small_buffers_are_enough, 0, 8);
    tcase_add_loop_test(tc, a_lost_terminal_response_is_overcome_or_told, 0, 12);
    tcase_add_loop_test(tc, a_reset_in_the_middle_releases_everything, 0, 2);
    tcase_add_loop_test(tc, a_link_may_be_closed_at_any_time, 0, 2);
    tcase_add_loop_test(tc, garbage_instead_of_a_server, 0, 4);
    tcase_add_test(tc, requests_that_make_no_sense_are_refused);
    tcase_add_loop_test(tc, the_same_seeds_give_the_same_octets, 0, 2);
    suite_add_tcase(suite, tc);
    return suite_status(suite);
}
