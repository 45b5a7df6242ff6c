/* link_peers.c - connections of test_link's peers: OpenSSL servers over memory. */
#include "tests/unit/link_peers.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>

#include "os/crypto_openssl.h"
#include "os/err.h"

enum { SERVER_MTU = 600, YEAR_2024 = 1704067200, YEAR_2027 = 1798761600 };

void party_issue(struct crypto *c, struct party *p, const struct party *issuer,
                 struct cert_request req)
{
    uint8_t octets[2048], point[EC_POINT_LEN];
    const char *reason = "";
    struct wr w;

    ck_assert_int_eq(ec_key_generate(c, CURVE_P256, &p->key), 0);
    ec_key_point(p->key, point);
    ck_assert_int_eq(ec_pub_from_point(c, CURVE_P256, rd_of(point, sizeof point), &p->pub), 0);
    req.key = p->pub;
    req.issuer_key = issuer != NULL ? issuer->key : p->key;
    req.issuer = issuer != NULL ? issuer->cert : NULL;
    req.organization = "softeuicc test";
    req.not_before = YEAR_2024;
    req.not_after = YEAR_2027;
    req.serial = issuer != NULL ? 2 : 1;
    wr_init(&w, octets, sizeof octets);
    ck_assert_int_eq(cert_issue(c, &req, &w), 0);
    ck_assert_int_eq(cert_parse(c, wr_view(&w), &p->cert, &reason), 0);
}

void party_free(struct party *p)
{
    ec_key_free(&p->key);
    ec_pub_free(&p->pub);
    cert_free(&p->cert);
}

/* --- TLS -------------------------------------------------------------------------------------- */

static bool is_tls(const struct peer *p)
{
    return p->kind == PEER_HTTPS || p->kind == PEER_COAPS;
}

bool peer_is_stream(const struct peer *p)
{
    return p->kind == PEER_HTTPS || p->kind == PEER_RAW;
}

static SSL_CTX *new_context(const struct peer *p)
{
    static const unsigned char id[] = "test";
    char groups[] = "P-256";
    struct wr der;

    ck_assert_int_eq(crypto_before_random(p->c), 0);
    SSL_CTX *ctx =
        SSL_CTX_new_ex(crypto_libctx(p->c), NULL,
                       p->kind == PEER_COAPS ? DTLS_server_method() : TLS_server_method());
    ck_assert_ptr_nonnull(ctx);
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_min_proto_version(ctx, p->version);
    SSL_CTX_set_max_proto_version(ctx, p->version);
    SSL_CTX_set1_groups_list(ctx, groups);
    SSL_CTX_set_session_id_context(ctx, id, sizeof id);
    SSL_CTX_set_options(ctx, SSL_OP_NO_QUERY_MTU);
    if (!p->tickets) {
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(ctx, 0);
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    }
    struct rd cert = cert_der(p->party->cert);
    ck_assert_int_eq(SSL_CTX_use_certificate_ASN1(ctx, (int)cert.n, cert.p), 1);
    wr_init_heap(&der, 1024);
    ck_assert_int_eq(ec_key_write_der(p->c, p->party->key, &der), 0);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey_ASN1(EVP_PKEY_EC, ctx, der.p, (long)der.n), 1);
    wr_done(&der);
    return ctx;
}

/* OpenSSL counts real time: only where something is lost may it repeat. */
static unsigned repeat_after(SSL *ssl, unsigned last)
{
    const struct peer *p = SSL_get_app_data(ssl);

    (void)last;
    return p->drop != 0 ? 50000 : 4000000000u; /* below 15000 is at once */
}

static void new_session(struct peer *p)
{
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

    if (p->ctx == NULL)
        p->ctx = new_context(p);
    SSL_free(p->ssl);
    p->ssl = SSL_new(p->ctx);
    BIO_set_mem_eof_return(in, -1);
    BIO_set_mem_eof_return(out, -1);
    SSL_set_bio(p->ssl, in, out);
    SSL_set_accept_state(p->ssl);
    if (p->kind == PEER_COAPS) {
        SSL_set_mtu(p->ssl, SERVER_MTU);
        SSL_set_app_data(p->ssl, p);
        DTLS_set_timer_cb(p->ssl, repeat_after);
    }
}

/* --- the queue -------------------------------------------------------------------------------- */

void peer_say_raw(struct peer *p, struct rd octets)
{
    if (!peer_is_stream(p) && p->datagrams < 32 && (p->drop >> p->datagrams & 1) != 0) {
        p->datagrams++;
        return;
    }
    p->datagrams++;
    ck_assert_uint_lt(p->last, PEER_QUEUE);
    p->queue[p->last].p = malloc(octets.n);
    memcpy(p->queue[p->last].p, octets.p, octets.n);
    p->queue[p->last++].n = octets.n;
}

static void empty_queue(struct peer *p)
{
    for (; p->first < p->last; p->first++)
        free(p->queue[p->first].p);
    p->first = p->last = 0;
}

/* Datagrams are records here. */
static void collect(struct peer *p)
{
    enum { HEADER = 13 };
    static uint8_t octets[PEER_MESSAGE_MAX];
    int n = BIO_read(SSL_get_wbio(p->ssl), octets, sizeof octets);

    if (n <= 0)
        return;
    struct rd out = rd_of(octets, (size_t)n), record;
    while (p->kind == PEER_COAPS && out.n > HEADER) {
        size_t length = (size_t)(HEADER + (out.p[11] << 8 | out.p[12]));
        ck_assert_int_eq(rd_take(&out, length, &record), 0);
        peer_say_raw(p, record);
    }
    if (out.n > 0)
        peer_say_raw(p, out);
}

void peer_say(struct peer *p, struct rd plain)
{
    ck_assert_int_eq(crypto_before_random(p->c), 0);
    ck_assert_int_eq(SSL_write(p->ssl, plain.p, (int)plain.n), (int)plain.n);
}

void peer_push(struct peer *p, struct rd plain)
{
    peer_say(p, plain);
    collect(p);
}

void peer_end(struct peer *p)
{
    if (is_tls(p) && !p->cut)
        SSL_shutdown(p->ssl);
    p->closed = true;
}

/* --- for the terminal ------------------------------------------------------------------------- */

void peer_init(struct peer *p)
{
    memset(p, 0, sizeof *p);
}

void peer_done(struct peer *p)
{
    empty_queue(p);
    SSL_free(p->ssl);
    SSL_CTX_free(p->ctx);
    p->ssl = NULL;
    p->ctx = NULL;
    ERR_clear_error();
}

void peer_connect(struct peer *p)
{
    empty_queue(p);
    p->connections++;
    p->closed = false;
    p->in_n = p->served_here = 0;
    if (is_tls(p))
        new_session(p);
}

void peer_disconnect(struct peer *p)
{
    empty_queue(p);
    SSL_free(p->ssl);
    p->ssl = NULL;
    ERR_clear_error();
}

static void run_tls(struct peer *p)
{
    static uint8_t plain[20000];
    bool fresh = !SSL_is_init_finished(p->ssl);
    int n;

    ERR_clear_error();
    ck_assert_int_eq(crypto_before_random(p->c), 0);
    if (fresh)
        SSL_do_handshake(p->ssl);
    if (fresh && SSL_is_init_finished(p->ssl))
        p->resumed += SSL_session_reused(p->ssl) == 1;
    while (SSL_is_init_finished(p->ssl) && !p->closed &&
           (n = SSL_read(p->ssl, plain, sizeof plain)) > 0) {
        if (p->kind == PEER_HTTPS)
            peer_http(p, rd_of(plain, (size_t)n));
        else
            peer_coap(p, rd_of(plain, (size_t)n));
    }
    collect(p);
    ERR_clear_error();
}

void peer_input(struct peer *p, struct rd octets)
{
    if (p->kind == PEER_DNS) {
        peer_dns(p, octets);
    } else if (p->kind == PEER_RAW) {
        if (p->served++ == 0 && p->answers[0].n > 0)
            peer_say_raw(p, p->answers[0]);
    } else if (p->ssl != NULL) {
        BIO_write(SSL_get_rbio(p->ssl), octets.p, (int)octets.n);
        run_tls(p);
    }
}

void peer_timeout(struct peer *p)
{
    if (p->kind != PEER_COAPS || p->ssl == NULL || p->drop == 0 || SSL_is_init_finished(p->ssl))
        return;
    usleep(40000);
    ck_assert_int_eq(crypto_before_random(p->c), 0);
    DTLSv1_handle_timeout(p->ssl);
    collect(p);
    ERR_clear_error();
}
