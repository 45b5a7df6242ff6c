/* test_http.c - applets/ipae/http: requests written, responses read, right and wrong. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applets/ipae/http.h"
#include "os/err.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

enum { BODY_MAX = 64 };

#define OK "HTTP/1.1 200 OK\r\n"

/* What came of a response. */
struct outcome {
    struct http_response h;
    int result;
    uint8_t body[BODY_MAX];
    size_t body_n, left; /* left: octets behind the response */
};

/* Feeds text in pieces: the first of `first` octets, the others of `rest`. */
static void feed(struct rd text, size_t first, size_t rest, bool end, struct outcome *ret)
{
    struct wr body;
    size_t n = first;

    wr_init_heap(&body, BODY_MAX);
    http_response_init(&ret->h, &body);
    ret->result = 0;
    do {
        struct rd taken, piece;
        ck_assert_int_eq(rd_take(&text, n < text.n ? n : text.n, &taken), 0);
        piece = taken = exact_copy_of(taken);
        ret->result = http_feed(&ret->h, &piece);
        ret->left = piece.n + text.n;
        exact_free(&taken);
        n = rest;
    } while (ret->result == 0 && ret->h.state != HTTP_DONE && text.n > 0);
    if (end && ret->result == 0)
        ret->result = http_end(&ret->h);
    ret->body_n = body.n;
    if (body.n > 0)
        memcpy(ret->body, body.p, body.n);
    wr_done(&body);
    ck_assert((ret->result == 0) == (ret->h.state != HTTP_REFUSED));
    ck_assert((ret->result == 0) == (ret->h.reason == NULL));
}

static void same(const struct outcome *a, const struct outcome *b)
{
    ck_assert_int_eq(a->result, b->result);
    ck_assert_int_eq(a->h.state, b->h.state);
    ck_assert_ptr_eq(a->h.reason, b->h.reason);
    ck_assert(rd_equal(rd_of(a->body, a->body_n), rd_of(b->body, b->body_n)));
    if (a->result != 0)
        return;
    ck_assert_uint_eq(a->h.status, b->h.status);
    ck_assert_uint_eq(a->left, b->left);
    ck_assert_uint_eq(a->h.retry_after, b->h.retry_after);
    ck_assert(a->h.keep_alive == b->h.keep_alive);
}

/* As a whole, octet by octet and in two parts at every place: always the same. */
static void read_response(const char *text, bool end, struct outcome *ret)
{
    struct rd octets = rd_str(text);
    struct outcome other;

    feed(octets, octets.n, 1, end, ret);
    feed(octets, 1, 1, end, &other);
    same(ret, &other);
    for (size_t cut = 0; cut <= octets.n; cut++) {
        feed(octets, cut, octets.n, end, &other);
        same(ret, &other);
    }
}

static const struct {
    const char *text;
    unsigned status;
    const char *body;
    bool keep, end; /* end: the connection's end is needed */
} good[] = {
    { OK "Content-Length: 3\r\n\r\nabc", 200, "abc", true, false },
    { OK "content-length:3\r\n\r\nabc", 200, "abc", true, false },
    { OK "Content-Length: \t3 \t\r\n\r\nabc", 200, "abc", true, false },
    { OK "Content-Length: 3\r\nContent-Length: 03\r\n\r\nabc", 200, "abc", true, false },
    { OK "Content-Length: 0\r\n\r\n", 200, "", true, false },
    { "HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", 200, "x", true, false },
    { "HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nx", 200, "x", true, false },
    { "HTTP/1.1 200 d\xC3\xA9j\xC3\xA0\r\nX-A: \xFF\r\nContent-Length: 1\r\n\r\nx", 200, "x", true,
      false },
    { "HTTP/1.2 503 No\r\nContent-Length: 2\r\n\r\nno", 503, "no", true, false },
    { "HTTP/1.1 204 No Content\r\n\r\n", 204, "", true, false },
    { "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 204, "", true, false },
    { "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, "", true, false },
    { "HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 1\r\n\r\nx", 200, "x", true, false },
    { "HTTP/1.1 100 C\r\nContent-Length: 7\r\n\r\nHTTP/1.1 103 E\r\nConnection: close\r\nA: "
      "b\r\n\r\n" OK "Content-Length: 1\r\n\r\nx",
      200, "x", true, false },
    { OK "Connection: close\r\nContent-Length: 1\r\n\r\nx", 200, "x", false, false },
    { OK "Connection: a, ,Close\r\nContent-Length: 1\r\n\r\nx", 200, "x", false, false },
    { "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, "x", false, false },
    { "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx", 200, "x", true,
      false },
    { OK "\r\nto the end", 200, "to the end", false, true },
    { OK "\r\n", 200, "", false, true },
    { OK "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, "", true, false },
    { OK "Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n00A;n=\"v;\"\r\n0123456789\r\n0\r\n\r\n",
      200, "abc0123456789", true, false },
    { OK "Transfer-Encoding: chunked\r\n\r\n1 \t\r\na\r\n1;\r\nb\r\n000\r\nContent-Length: 9\r\n"
         "T: x\r\n\r\n",
      200, "ab", true, false },
};

START_TEST(responses_are_read_however_they_are_cut)
{
    for (size_t i = 0; i < N_ELEMS(good); i++) {
        struct outcome o;
        read_response(good[i].text, good[i].end, &o);
        ck_assert_msg(o.result == 0, "%zu: %s", i, o.h.reason);
        ck_assert_int_eq(o.h.state, HTTP_DONE);
        ck_assert_uint_eq(o.h.status, good[i].status);
        ck_assert(o.h.keep_alive == good[i].keep);
        ck_assert(rd_equal(rd_of(o.body, o.body_n), rd_str(good[i].body)));
        ck_assert_uint_eq(o.left, 0);
    }
}
END_TEST

START_TEST(a_response_that_is_cut_off_is_none)
{
    for (size_t i = 0; i < N_ELEMS(good); i++) {
        struct rd text = rd_str(good[i].text);
        for (size_t n = 0; n < text.n && !good[i].end; n++) {
            struct outcome o;
            feed(rd_of(text.p, n), n, 1, false, &o);
            ck_assert_int_eq(o.result, 0);
            ck_assert_int_ne(o.h.state, HTTP_DONE);
            feed(rd_of(text.p, n), n, 1, true, &o);
            ck_assert_int_eq(o.result, ERR_INPUT);
        }
    }
}
END_TEST

START_TEST(a_changed_octet_does_no_harm)
{
    for (size_t i = 0; i < N_ELEMS(good); i++) {
        struct rd text = exact_copy_of(rd_str(good[i].text));
        uint8_t *octets = malloc(text.n);
        ck_assert_ptr_nonnull(octets);
        for (size_t bit = 0; bit < 8 * text.n; bit++) {
            struct outcome whole, pieces;
            memcpy(octets, text.p, text.n);
            octets[bit / 8] ^= (uint8_t)(1u << bit % 8);
            feed(rd_of(octets, text.n), text.n, 1, true, &whole);
            feed(rd_of(octets, text.n), 1, 1, true, &pieces);
            same(&whole, &pieces);
        }
        free(octets);
        exact_free(&text);
    }
}
END_TEST

START_TEST(what_comes_behind_a_response_stays)
{
    for (size_t i = 0; i < N_ELEMS(good); i++) {
        char text[512];
        struct outcome o;
        if (good[i].end)
            continue;
        ck_assert_uint_lt(strlen(good[i].text) + 4, sizeof text);
        strcpy(text, good[i].text);
        strcat(text, "next");
        read_response(text, false, &o);
        ck_assert_int_eq(o.result, 0);
        ck_assert_uint_eq(o.left, 4);
    }
}
END_TEST

START_TEST(each_refusal_says_why)
{
    static const struct {
        const char *text, *reason;
    } rows[] = {
        { "HTTP/2 200\r\n", "status line" },
        { "http/1.1 200 OK\r\n", "status line" },
        { "ICY 200 OK\r\n", "status line" },
        { "HTTP/1.1  200 OK\r\n", "status code" },
        { "HTTP/1.1 20 OK\r\n", "status code" },
        { "HTTP/1.1 2000 OK\r\n", "status code" },
        { "\r\n" OK "\r\n", "status line" },
        { "HTTP/1.1 099 No\r\n", "no class" },
        { "HTTP/1.1 600 No\r\n", "no class" },
        { "HTTP/1.1 101 Switching Protocols\r\n\r\n", "another protocol" },
        { "HTTP/1.1 200 OK\n", "LF without CR" },
        { "HTTP/1.1 200 OK\r\r\n", "CR without LF" },
        { OK "A: b\rc\r\n", "CR without LF" },
        { OK "A: \x01\r\n", "control character" },
        { OK "A: \x7F\r\n", "control character" },
        { OK " A: b\r\n", "folded" },
        { OK "A: b\r\n\tc\r\n", "folded" },
        { OK "A : b\r\n", "not a header field" },
        { OK ": b\r\n", "not a header field" },
        { OK "A\r\n", "not a header field" },
        { OK "(A): b\r\n", "not a header field" },
        { OK "Content-Length:\r\n", "no number" },
        { OK "Content-Length: -1\r\n", "no number" },
        { OK "Content-Length: +1\r\n", "no number" },
        { OK "Content-Length: 0x1\r\n", "no number" },
        { OK "Content-Length: 3, 3\r\n", "no number" },
        { OK "Content-Length: 18446744073709551616\r\n", "no number" },
        { OK "Content-Length: 99999999999999999999999\r\n", "no number" },
        { OK "Content-Length: 3\r\nContent-Length: 4\r\n", "two different" },
        { OK "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "beside" },
        { OK "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", "beside" },
        { OK "Transfer-Encoding: gzip\r\n", "transfer coding" },
        { OK "Transfer-Encoding: gzip, chunked\r\n", "transfer coding" },
        { OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "transfer coding" },
        { OK "Transfer-Encoding:\r\n", "transfer coding" },
        { "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n", "HTTP/1.0" },
        { OK "Content-Type: a/0123456789012345678901234567890123456789012345678901234567890123\r\n",
          "too long" },
        { OK "Transfer-Encoding: chunked\r\n\r\n\r\n", "without a size" },
        { OK "Transfer-Encoding: chunked\r\n\r\n-1\r\n", "without a size" },
        { OK "Transfer-Encoding: chunked\r\n\r\n ;a\r\n", "without a size" },
        { OK "Transfer-Encoding: chunked\r\n\r\n1x\r\n", "no number" },
        { OK "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n", "too large" },
        { OK "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "longer than its size" },
        { OK "Transfer-Encoding: chunked\r\n\r\n1\r\na\n", "LF without CR" },
        { OK "Transfer-Encoding: chunked\r\n\r\n0\r\nA\r\n", "not a header field" },
    };

    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        struct outcome o;
        read_response(rows[i].text, false, &o);
        ck_assert_msg(o.result == ERR_INPUT, "%s", rows[i].text);
        ck_assert_msg(strstr(o.h.reason, rows[i].reason) != NULL, "%s: %s", rows[i].text,
                      o.h.reason);
    }
}
END_TEST

START_TEST(nul_is_refused)
{
    static const char text[] = OK "A: b\0c\r\n";
    struct outcome o;

    feed(rd_of(text, sizeof text - 1), sizeof text, 1, false, &o);
    ck_assert_int_eq(o.result, ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(o.h.reason, "control character"));
}
END_TEST

START_TEST(a_refusal_stays)
{
    struct rd text = rd_str("no\r\n" OK "Content-Length: 0\r\n\r\n");
    struct http_response h;
    uint8_t room[4];
    struct wr body;

    wr_init(&body, room, sizeof room);
    http_response_init(&h, &body);
    ck_assert_int_eq(http_feed(&h, &text), ERR_INPUT);
    ck_assert_int_eq(http_feed(&h, &text), ERR_INPUT);
    ck_assert_int_eq(http_end(&h), ERR_INPUT);
}
END_TEST

START_TEST(bodies_keep_their_bound)
{
    static const char *const rows[] = {
        OK "Content-Length: 65\r\n\r\n",
        OK "Content-Length: 18446744073709551615\r\n\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\n41\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n",
        OK "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n40\r\n",
        OK "\r\n01234567890123456789012345678901234567890123456789012345678901234",
    };
    struct outcome o;

    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        struct rd text = rd_str(rows[i]);
        feed(text, text.n, 1, true, &o);
        ck_assert_int_eq(o.result, ERR_NOMEM);
        ck_assert_ptr_nonnull(strstr(o.h.reason, "room"));
        feed(text, 1, 1, true, &o);
        ck_assert_int_eq(o.result, ERR_NOMEM);
    }
    read_response(OK "\r\n0123456789012345678901234567890123456789012345678901234567890123", true,
                  &o);
    ck_assert_int_eq(o.result, 0);
    ck_assert_uint_eq(o.body_n, BODY_MAX);
}
END_TEST

/* Feeds piece for ever, a hundred thousand times at most. */
static const char *feed_for_ever(const char *begin, const char *piece)
{
    static const size_t most = 100000;
    struct http_response h;
    uint8_t room[BODY_MAX];
    struct wr body;
    struct rd in = rd_str(begin);

    wr_init(&body, room, sizeof room);
    http_response_init(&h, &body);
    ck_assert_int_eq(http_feed(&h, &in), 0);
    for (size_t i = 0; i < most; i++) {
        in = rd_str(piece);
        if (http_feed(&h, &in) != 0)
            return h.reason;
    }
    return "";
}

START_TEST(nothing_goes_on_for_ever)
{
    static const char *const rows[][2] = {
        { "", "x" },
        { OK, "x" },
        { OK, "A: b\r\n" },
        { "", "HTTP/1.1 100 C\r\n\r\n" },
        { OK "Transfer-Encoding: chunked\r\n\r\n", "0" },
        { OK "Transfer-Encoding: chunked\r\n\r\n1;", "x" },
        { OK "Transfer-Encoding: chunked\r\n\r\n0\r\n", "A: b\r\n" },
    };

    for (size_t i = 0; i < N_ELEMS(rows); i++)
        ck_assert_ptr_nonnull(strstr(feed_for_ever(rows[i][0], rows[i][1]), "too long"));
    ck_assert_ptr_nonnull(
        strstr(feed_for_ever(OK "Transfer-Encoding: chunked\r\n\r\n", "1;abc\r\nx\r\n"), "room"));
}
END_TEST

START_TEST(a_long_line_matters_only_where_it_says_something)
{
    char text[2048], blanks[HTTP_LINE_MAX + 1];
    struct outcome o;

    memset(blanks, ' ', HTTP_LINE_MAX);
    blanks[HTTP_LINE_MAX] = '\0';
    snprintf(text, sizeof text, OK "Set-Cookie: %sx\r\nContent-Length: 1\r\n\r\nx", blanks);
    read_response(text, false, &o);
    ck_assert_int_eq(o.result, 0);
    snprintf(text, sizeof text, OK "Content-Length: %s1\r\n\r\nx", blanks);
    read_response(text, false, &o);
    ck_assert_ptr_nonnull(strstr(o.h.reason, "too long"));
    snprintf(text, sizeof text, OK "Transfer-Encoding: chunked\r\n\r\n1;%s\r\nx", blanks);
    read_response(text, false, &o);
    ck_assert_ptr_nonnull(strstr(o.h.reason, "extensions"));
}
END_TEST

START_TEST(retry_after_and_content_type_are_kept)
{
    static const struct {
        const char *value;
        uint32_t seconds;
    } rows[] = {
        { "120", 120 },
        { "0", 0 },
        { "4294967296", UINT32_MAX },
        { "-1", 0 },
        { "Fri, 31 Dec 1999 23:59:59 GMT", 0 },
    };
    struct outcome o;
    char text[256];

    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        snprintf(text, sizeof text,
                 "HTTP/1.1 503 No\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n", rows[i].value);
        read_response(text, false, &o);
        ck_assert_int_eq(o.result, 0);
        ck_assert_uint_eq(o.h.retry_after, rows[i].seconds);
    }
    read_response(OK "Content-Type: Application/X-gsma-RSP-asn1;charset=x\r\nContent-Length: 0\r\n"
                     "\r\n",
                  false, &o);
    ck_assert_str_eq(o.h.content_type, "application/x-gsma-rsp-asn1");
}
END_TEST

START_TEST(a_request_is_written)
{
    static const struct http_field more[] = { { "Accept", "*/*" } };
    const struct http_request r = {
        .host = "eim.example.test",
        .path = "/gsma/rsp2/asn1",
        .user_agent = "gsma-rsp-ipae",
        .content_type = "application/x-gsma-rsp-asn1",
        .admin_protocol = "gsma/rsp/v2.1.0",
        .more = more,
        .n_more = N_ELEMS(more),
        .body = rd_of("\xBF\x4F\x00", 3),
    };
    static const char expected[] = "POST /gsma/rsp2/asn1 HTTP/1.1\r\n"
                                   "Host: eim.example.test\r\n"
                                   "User-Agent: gsma-rsp-ipae\r\n"
                                   "Content-Type: application/x-gsma-rsp-asn1\r\n"
                                   "X-Admin-Protocol: gsma/rsp/v2.1.0\r\n"
                                   "Content-Length: 3\r\n"
                                   "Accept: */*\r\n"
                                   "\r\n\xBF\x4F";
    uint8_t room[512];
    struct wr out;

    wr_init(&out, room, sizeof room);
    ck_assert_int_eq(http_put_request(&out, &r), 0);
    ck_assert(rd_equal(wr_view(&out), rd_of(expected, sizeof expected)));
    for (size_t n = 0; n < sizeof expected; n++) {
        wr_init(&out, room, n);
        ck_assert_int_eq(http_put_request(&out, &r), ERR_NOMEM);
    }
    const struct http_request least = { .host = "h", .path = "/", .close = true };
    wr_init(&out, room, sizeof room);
    ck_assert_int_eq(http_put_request(&out, &least), 0);
    ck_assert(rd_equal(wr_view(&out), rd_str("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n"
                                             "Connection: close\r\n\r\n")));
}
END_TEST

START_TEST(a_request_takes_no_lines_from_elsewhere)
{
    static const struct http_field bad_name[] = { { "A b", "c" } }, no_name[] = { { "", "c" } };
    const struct http_request rows[] = {
        { .path = "/" },
        { .host = "", .path = "/" },
        { .host = "h" },
        { .host = "h", .path = "" },
        { .host = "h", .path = "x" },
        { .host = "h", .path = "/ HTTP/1.1\r\nX: y" },
        { .host = "h\r\nX: y", .path = "/" },
        { .host = "h h", .path = "/" },
        { .host = "h\x80", .path = "/" },
        { .host = "h", .path = "/", .user_agent = "a\r\nb" },
        { .host = "h", .path = "/", .user_agent = "a\tb" },
        { .host = "h", .path = "/", .content_type = "a\x7F" },
        { .host = "h", .path = "/", .admin_protocol = "\n" },
        { .host = "h", .path = "/", .more = bad_name, .n_more = 1 },
        { .host = "h", .path = "/", .more = no_name, .n_more = 1 },
    };
    uint8_t room[512];
    struct wr out;

    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        wr_init(&out, room, sizeof room);
        ck_assert_int_eq(http_put_request(&out, &rows[i]), ERR_INPUT);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http");
    TCase *tc = tcase_create("http");

    tcase_add_test(tc, responses_are_read_however_they_are_cut);
    tcase_add_test(tc, a_response_that_is_cut_off_is_none);
    tcase_add_test(tc, a_changed_octet_does_no_harm);
    tcase_add_test(tc, what_comes_behind_a_response_stays);
    tcase_add_test(tc, each_refusal_says_why);
    tcase_add_test(tc, nul_is_refused);
    tcase_add_test(tc, a_refusal_stays);
    tcase_add_test(tc, bodies_keep_their_bound);
    tcase_add_test(tc, nothing_goes_on_for_ever);
    tcase_add_test(tc, a_long_line_matters_only_where_it_says_something);
    tcase_add_test(tc, retry_after_and_content_type_are_kept);
    tcase_add_test(tc, a_request_is_written);
    tcase_add_test(tc, a_request_takes_no_lines_from_elsewhere);
    suite_add_tcase(suite, tc);
    return suite_status(suite);
}
