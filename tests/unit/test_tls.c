/* test_tls.c - os/tls against a server of OpenSSL's in the same process, over memory.
 *
 * What the connection costs in memory is printed (CK_FORK=no shows it). */
#include <check.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "os/crypto_openssl.h"
#include "os/err.h"
#include "os/tls.h"
#include "os/x509.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/suite.h"

#define NAME "eim.example"

enum {
    YEAR_2024 = 1704067200,
    YEAR_2025 = 1735689600,
    YEAR_2026 = 1767225600,
    MAX_DATAGRAM = 20000,
    MAX_ROUNDS = 400,
    SERVER_MTU = 600,
    LARGE = 3 * TLS_MAX_PLAIN + 77,
};

/* --- parties --------------------------------------------------------------------------------- */

struct party {
    struct ec_key *key;
    struct cert *cert;
    struct ec_pub *pub;
};

static struct crypto *c;
static struct party ci, brainpool_ci, other_ci, sub_ca;
static struct party eim, eim_address, dp, dp_brainpool, dp_under_sub_ca, ds, other_name;

static void issue(struct party *p, const struct party *issuer, struct cert_request req,
                  enum curve curve)
{
    uint8_t octets[2048], point[EC_POINT_LEN];
    static uint64_t serial;
    const char *reason = "";
    struct wr w;

    ck_assert_int_eq(ec_key_generate(c, curve, &p->key), 0);
    ec_key_point(p->key, point);
    ck_assert_int_eq(ec_pub_from_point(c, curve, rd_of(point, sizeof point), &p->pub), 0);
    req.key = p->pub;
    req.issuer_key = issuer != NULL ? issuer->key : p->key;
    req.issuer = issuer != NULL ? issuer->cert : NULL;
    req.organization = "softeuicc test";
    req.not_before = YEAR_2024;
    req.not_after = YEAR_2026;
    req.serial = ++serial;
    wr_init(&w, octets, sizeof octets);
    ck_assert_int_eq(cert_issue(c, &req, &w), 0);
    ck_assert_int_eq(cert_parse(c, wr_view(&w), &p->cert, &reason), 0);
}

static void forget(struct party *p)
{
    ec_key_free(&p->key);
    ec_pub_free(&p->pub);
    cert_free(&p->cert);
}

static struct party *const all[] = { &ci,         &brainpool_ci,    &other_ci, &sub_ca,
                                     &eim,        &eim_address,     &dp,       &dp_brainpool,
                                     &other_name, &dp_under_sub_ca, &ds };

static void set_up(void)
{
    c = crypto_new(rd_of(NULL, 0));
    ck_assert_ptr_nonnull(c);
    issue(&ci, NULL, (struct cert_request){ .role = ROLE_CI, .common_name = "CI" }, CURVE_P256);
    issue(&other_ci, NULL, (struct cert_request){ .role = ROLE_CI, .common_name = "CI 2" },
          CURVE_P256);
    issue(&brainpool_ci, NULL, (struct cert_request){ .role = ROLE_CI, .common_name = "CI 3" },
          CURVE_BRAINPOOL_P256R1);
    issue(&sub_ca, &ci, (struct cert_request){ .role = ROLE_CI, .common_name = "sub" }, CURVE_P256);
    issue(&eim, &ci,
          (struct cert_request){ .role = ROLE_NONE, .common_name = "eIM", .dns_name = NAME },
          CURVE_P256);
    issue(&eim_address, &ci,
          (struct cert_request){ .role = ROLE_NONE, .common_name = "a", .ip_address = "192.0.2.1" },
          CURVE_P256);
    issue(
        &other_name, &ci,
        (struct cert_request){ .role = ROLE_DP_TLS, .common_name = NAME, .dns_name = "x.example" },
        CURVE_P256);
    issue(&dp, &ci,
          (struct cert_request){ .role = ROLE_DP_TLS, .common_name = "DP", .dns_name = NAME },
          CURVE_P256);
    issue(&ds, &ci,
          (struct cert_request){ .role = ROLE_DS_TLS, .common_name = "DS", .dns_name = NAME },
          CURVE_P256);
    issue(&dp_brainpool, &brainpool_ci,
          (struct cert_request){ .role = ROLE_DP_TLS, .common_name = "DP", .dns_name = NAME },
          CURVE_BRAINPOOL_P256R1);
    issue(&dp_under_sub_ca, &sub_ca,
          (struct cert_request){ .role = ROLE_DP_TLS, .common_name = "DP", .dns_name = NAME },
          CURVE_P256);
}

static void tear_down(void)
{
    for (size_t i = 0; i < N_ELEMS(all); i++)
        forget(all[i]);
    crypto_free(&c);
}

/* --- the server ------------------------------------------------------------------------------- */

struct server_options {
    bool datagram;
    const struct party *party, *also; /* also: another certificate of the chain */
    const char *suites;               /* NULL: OpenSSL's */
    int version;                      /* the only one; 0: any */
    bool no_tickets;
};

static SSL_CTX *server_context(const struct server_options *o)
{
    static const unsigned char id[] = "test";
    SSL_CTX *ctx = SSL_CTX_new(o->datagram ? DTLS_server_method() : TLS_server_method());
    char groups[] = "P-256:brainpoolP256r1";
    struct wr der;

    ck_assert_ptr_nonnull(ctx);
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_min_proto_version(ctx, o->version);
    SSL_CTX_set_max_proto_version(ctx, o->version);
    SSL_CTX_set1_groups_list(ctx, groups);
    SSL_CTX_set_session_id_context(ctx, id, sizeof id);
    SSL_CTX_set_options(ctx, SSL_OP_NO_QUERY_MTU);
    if (o->no_tickets) {
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(ctx, 0);
    }
    if (o->suites != NULL && strncmp(o->suites, "TLS_", 4) == 0)
        ck_assert_int_eq(SSL_CTX_set_ciphersuites(ctx, o->suites), 1);
    else if (o->suites != NULL)
        ck_assert_int_eq(SSL_CTX_set_cipher_list(ctx, o->suites), 1);
    struct rd cert = cert_der(o->party->cert);
    ck_assert_int_eq(SSL_CTX_use_certificate_ASN1(ctx, (int)cert.n, cert.p), 1);
    if (o->also != NULL) {
        cert = cert_der(o->also->cert);
        const unsigned char *p = cert.p;
        SSL_CTX_add_extra_chain_cert(ctx, d2i_X509(NULL, &p, (long)cert.n));
    }
    wr_init_heap(&der, 1024);
    ck_assert_int_eq(ec_key_write_der(c, o->party->key, &der), 0);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey_ASN1(EVP_PKEY_EC, ctx, der.p, (long)der.n), 1);
    wr_done(&der);
    return ctx;
}

static unsigned soon(SSL *ssl, unsigned last)
{
    (void)ssl;
    (void)last;
    return 20000;
}

static SSL *serve(SSL_CTX *ctx, bool datagram)
{
    SSL *ssl = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

    BIO_set_mem_eof_return(in, -1);
    BIO_set_mem_eof_return(out, -1);
    SSL_set_bio(ssl, in, out);
    SSL_set_accept_state(ssl);
    if (datagram) {
        SSL_set_mtu(ssl, SERVER_MTU);
        DTLS_set_timer_cb(ssl, soon);
    }
    return ssl;
}

/* --- between them ----------------------------------------------------------------------------- */

/* Both ends of a connection, and what each got. */
struct pair {
    struct tls *client;
    SSL_CTX *ctx;
    SSL *server;
    size_t piece; /* octets at once towards the client */
    size_t up, down;
    uint8_t got[64];
    size_t n_got;
};

static struct tls_options pinned_options(const struct party *p, bool datagram, struct wr *spki)
{
    wr_init_heap(spki, 1024);
    ck_assert_int_eq(ec_pub_write_der(p->pub, spki), 0);
    return (struct tls_options){ .datagram = datagram,
                                 .server_name = NAME,
                                 .trust = { .kind = TLS_TRUST_SPKI, .pinned = wr_view(spki) } };
}

static void open_pair(struct pair *p, const struct tls_options *client,
                      const struct server_options *server, size_t piece)
{
    memset(p, 0, sizeof *p);
    p->piece = piece;
    ck_assert_int_eq(tls_open(c, client, &p->client), 0);
    p->ctx = server_context(server);
    p->server = serve(p->ctx, server->datagram);
}

static void close_pair(struct pair *p)
{
    tls_close(&p->client);
    SSL_free(p->server);
    SSL_CTX_free(p->ctx);
    ERR_clear_error();
}

static void run_server(struct pair *p)
{
    int n = 0;

    ERR_clear_error();
    if (!SSL_is_init_finished(p->server))
        SSL_do_handshake(p->server);
    if (SSL_is_init_finished(p->server))
        n = SSL_read(p->server, p->got + p->n_got, (int)(sizeof p->got - p->n_got));
    if (n > 0)
        p->n_got += (size_t)n;
}

/* Client to server; whether anything was there. */
static bool carry_up(struct pair *p)
{
    uint8_t octets[MAX_DATAGRAM];
    size_t n = tls_take(p->client, octets, SSL_is_dtls(p->server) ? sizeof octets : p->piece);

    if (n == 0)
        return false;
    p->up += n;
    BIO_write(SSL_get_rbio(p->server), octets, (int)n);
    run_server(p);
    return true;
}

static bool carry_down(struct pair *p)
{
    uint8_t octets[MAX_DATAGRAM];
    int n = BIO_read(SSL_get_wbio(p->server), octets, (int)p->piece);

    if (n <= 0)
        return false;
    p->down += (size_t)n;
    struct rd exact = exact_copy_of(rd_of(octets, (size_t)n));
    ck_assert_uint_eq(tls_feed(p->client, exact), exact.n);
    exact_free(&exact);
    return true;
}

static void run(struct pair *p)
{
    bool moved;

    run_server(p);
    do {
        moved = false;
        while (carry_up(p))
            moved = true;
        while (carry_down(p))
            moved = true;
    } while (moved);
}

static void assert_open(struct pair *p)
{
    run(p);
    ck_assert_str_eq(tls_failure(p->client), "");
    ck_assert_int_eq(tls_state(p->client), TLS_OPEN);
    ck_assert(SSL_is_init_finished(p->server));
}

static void exchange(struct pair *p)
{
    uint8_t answer[64];

    p->n_got = 0;
    ck_assert_uint_eq(tls_send(p->client, rd_str("GetEimPackage")), 13);
    run(p);
    ck_assert_uint_eq(p->n_got, 13);
    ck_assert_mem_eq(p->got, "GetEimPackage", 13);
    ck_assert_int_eq(SSL_write(p->server, "noEimPackage", 12), 12);
    run(p);
    ck_assert_uint_eq(tls_receive(p->client, answer, sizeof answer), 12);
    ck_assert_mem_eq(answer, "noEimPackage", 12);
    ck_assert_uint_eq(tls_receive(p->client, answer, sizeof answer), 0);
    ck_assert_int_eq(tls_state(p->client), TLS_OPEN);
}

/* The handshake fails with this alert and these words; nothing but the alert goes out. */
static void assert_refused(struct pair *p, int alert, const char *words)
{
    run(p);
    ck_assert_int_eq(tls_state(p->client), TLS_FAILED);
    ck_assert_msg(strstr(tls_failure(p->client), words) != NULL, "%s", tls_failure(p->client));
    ck_assert_int_eq(tls_alert(p->client), alert);
    ck_assert(!SSL_is_init_finished(p->server));
    ck_assert_uint_eq(tls_send(p->client, rd_str("x")), 0);
}

/* --- versions and suites -----------------------------------------------------------------------
 */

static const struct cipher_suite {
    bool datagram;
    int version;
    const char *name, *described;
} suites[] = {
    { false, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256",
      "TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" },
    { false, TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384",
      "TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" },
    { false, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256",
      "TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256" },
    { false, TLS1_2_VERSION, "ECDHE-ECDSA-AES256-SHA384",
      "TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384" },
    { false, TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", "TLSv1.3 TLS_AES_128_GCM_SHA256" },
    { false, TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384", "TLSv1.3 TLS_AES_256_GCM_SHA384" },
    { true, DTLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256",
      "DTLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" },
    { true, DTLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384",
      "DTLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" },
    { true, DTLS1_2_VERSION, "ECDHE-ECDSA-AES128-CCM8",
      "DTLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8" },
    { true, DTLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256",
      "DTLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256" },
};

START_TEST(every_suite_works_in_pieces_of_any_size)
{
    static const size_t pieces[] = { 1, 7, 237 };
    const struct cipher_suite *s = &suites[_i];

    for (size_t i = 0; i < N_ELEMS(pieces); i++) {
        struct wr spki;
        struct tls_options o = pinned_options(&eim, s->datagram, &spki);
        struct server_options server = {
            .datagram = s->datagram, .party = &eim, .suites = s->name, .version = s->version
        };
        char described[80];
        struct pair p;

        open_pair(&p, &o, &server, pieces[i]);
        wr_done(&spki); /* tls_open() has a copy */
        assert_open(&p);
        ck_assert_str_eq(SSL_get_servername(p.server, TLSEXT_NAMETYPE_host_name), NAME);
        tls_describe(p.client, described, sizeof described);
        ck_assert_str_eq(described, s->described);
        if (pieces[i] == 237)
            printf("%s: %zu octets up, %zu down\n", described, p.up, p.down);
        exchange(&p);
        tls_shutdown(p.client);
        ck_assert_int_eq(tls_state(p.client), TLS_CLOSED);
        run(&p);
        ck_assert_int_eq(SSL_get_shutdown(p.server), SSL_RECEIVED_SHUTDOWN);
        close_pair(&p);
    }
}
END_TEST

START_TEST(a_version_that_is_too_old_or_not_allowed_is_refused)
{
    struct wr spki;
    struct tls_options o = pinned_options(&eim, false, &spki);
    struct server_options server = { .party = &eim, .version = TLS1_1_VERSION };
    struct pair p;

    open_pair(&p, &o, &server, 237);
    assert_refused(&p, SSL_AD_PROTOCOL_VERSION, "alert 70 (protocol version)");
    close_pair(&p);

    o.min = TLS_VERSION_1_3;
    server.version = TLS1_2_VERSION;
    open_pair(&p, &o, &server, 237);
    assert_refused(&p, SSL_AD_PROTOCOL_VERSION, "alert 70 (protocol version)");
    close_pair(&p);

    o.min = TLS_VERSION_ANY;
    o.max = TLS_VERSION_1_2;
    server.version = TLS1_3_VERSION;
    open_pair(&p, &o, &server, 237);
    assert_refused(&p, SSL_AD_PROTOCOL_VERSION, "the server refuses; alert 70");
    close_pair(&p);
    wr_done(&spki);
}
END_TEST

START_TEST(a_server_without_a_suite_of_ours_is_refused)
{
    struct wr spki;
    struct tls_options o = pinned_options(&eim, false, &spki);
    struct server_options server = { .party = &eim,
                                     .version = TLS1_2_VERSION,
                                     .suites = "ECDHE-ECDSA-CHACHA20-POLY1305" };
    struct pair p;

    open_pair(&p, &o, &server, 237);
    assert_refused(&p, SSL_AD_HANDSHAKE_FAILURE, "alert 40 (handshake failure) received");
    close_pair(&p);
    wr_done(&spki);
}
END_TEST

START_TEST(brainpool_works_and_falls_back_to_tls_1_2)
{
    struct wr spki;
    struct tls_options o = pinned_options(&dp_brainpool, _i == 1, &spki);
    struct server_options server = { .datagram = _i == 1, .party = &dp_brainpool };
    char described[80];
    struct pair p;

    open_pair(&p, &o, &server, 237);
    assert_open(&p);
    tls_describe(p.client, described, sizeof described);
    ck_assert_str_eq(described, _i == 1 ? "DTLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
                                        : "TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
    exchange(&p);
    close_pair(&p);
    wr_done(&spki);
}
END_TEST

/* --- trust ------------------------------------------------------------------------------------ */

static struct tls_options certificate_options(const struct party *anchor, const char *name,
                                              int64_t now)
{
    return (struct tls_options){ .server_name = name,
                                 .now = now,
                                 .trust = { .kind = TLS_TRUST_CERTIFICATE,
                                            .pinned = cert_der(anchor->cert) } };
}

static struct tls_ci cis[2];

static struct tls_options ci_options(const struct party *a, const struct party *b, const char *name,
                                     unsigned roles, int64_t now)
{
    cis[0] = (struct tls_ci){ cert_ski(a->cert), a->pub };
    cis[1] = (struct tls_ci){ cert_ski(b->cert), b->pub };
    return (struct tls_options){
        .server_name = name,
        .now = now,
        .trust = { .kind = TLS_TRUST_CI, .cis = cis, .n_cis = 2, .roles = roles }
    };
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION, DTLS1_2_VERSION };

/* One server, one trust, all versions: words NULL when it is trusted. */
static void try(struct tls_options o, const struct party *server, const struct party *also,
                int alert, const char *words)
{
    for (size_t i = 0; i < N_ELEMS(versions); i++) {
        struct server_options s = { .datagram = versions[i] == DTLS1_2_VERSION,
                                    .party = server,
                                    .also = also,
                                    .version = versions[i] };
        struct pair p;

        if (cert_curve(server->cert) == CURVE_BRAINPOOL_P256R1 && versions[i] == TLS1_3_VERSION)
            continue;
        o.datagram = s.datagram;
        open_pair(&p, &o, &s, 237);
        if (words == NULL) {
            assert_open(&p);
            exchange(&p);
        } else {
            assert_refused(&p, alert, words);
        }
        close_pair(&p);
    }
}

START_TEST(a_pinned_key_is_the_only_thing_that_counts)
{
    struct wr spki;
    struct tls_options o = pinned_options(&eim, false, &spki);

    try(o, &eim, NULL, 0, NULL);
    o.server_name = "another.example";
    o.now = YEAR_2026 + 1;
    try(o, &eim, NULL, 0, NULL);
    o.server_name = NULL;
    try(o, &eim, NULL, 0, NULL);
    try(o, &dp, NULL, SSL_AD_BAD_CERTIFICATE,
        "server's certificate: public key is not the trusted one (trustedEimPkTls, SGP.32 2.6.3); "
        "alert 42 (bad certificate) sent");
    wr_done(&spki);
}
END_TEST

START_TEST(a_pinned_certificate_is_the_leaf_or_its_issuer)
{
    try(certificate_options(&eim, NAME, 0), &eim, NULL, 0, NULL);
    try(certificate_options(&eim, "another.example", YEAR_2026 + 1), &eim, NULL, 0, NULL);
    try(certificate_options(&ci, NAME, 0), &eim, NULL, 0, NULL);
    try(certificate_options(&ci, NAME, YEAR_2025), &eim, &ci, 0, NULL);
    try(certificate_options(&ci, "EIM.Example", YEAR_2025), &eim, NULL, 0, NULL);
    try(certificate_options(&ci, "192.0.2.1", 0), &eim_address, NULL, 0, NULL);
    try(certificate_options(&ci, NAME, 0), &dp_under_sub_ca, &sub_ca, 0, NULL);
    try(certificate_options(&sub_ca, NAME, 0), &dp_under_sub_ca, NULL, 0, NULL);

    try(certificate_options(&ci, "another.example", 0), &eim, NULL, SSL_AD_BAD_CERTIFICATE,
        "subjectAltName is without the server's name");
    try(certificate_options(&ci, NAME, 0), &other_name, NULL, SSL_AD_BAD_CERTIFICATE,
        "subjectAltName is without the server's name");
    try(certificate_options(&ci, "192.0.2.2", 0), &eim_address, NULL, SSL_AD_BAD_CERTIFICATE,
        "subjectAltName is without the server's name");
    try(certificate_options(&ci, NAME, YEAR_2026 + 1), &eim, NULL, SSL_AD_CERTIFICATE_EXPIRED,
        "certificate has expired");
    try(certificate_options(&ci, NAME, YEAR_2024 - 1), &eim, NULL, SSL_AD_BAD_CERTIFICATE,
        "not yet valid");
    try(certificate_options(&other_ci, NAME, 0), &eim, NULL, SSL_AD_UNKNOWN_CA, "issuer");
    try(certificate_options(&dp, NAME, 0), &eim, NULL, SSL_AD_UNKNOWN_CA, "issuer");
    try(certificate_options(&ci, NAME, 0), &dp_under_sub_ca, NULL, SSL_AD_UNKNOWN_CA, "issuer");
}
END_TEST

START_TEST(a_chain_ends_at_the_key_of_a_ci)
{
    const unsigned tls_roles = ROLE_DP_TLS | ROLE_DS_TLS;
    struct party impostor = { 0 };

    try(ci_options(&other_ci, &ci, NAME, ROLE_DP_TLS, 0), &dp, NULL, 0, NULL);
    try(ci_options(&other_ci, &ci, NAME, ROLE_DP_TLS, YEAR_2025), &dp, &ci, 0, NULL);
    try(ci_options(&other_ci, &ci, NAME, tls_roles, 0), &ds, NULL, 0, NULL);
    try(ci_options(&other_ci, &ci, NAME, tls_roles, 0), &dp_under_sub_ca, &sub_ca, 0, NULL);
    try(ci_options(&ci, &brainpool_ci, NAME, ROLE_DP_TLS, 0), &dp_brainpool, NULL, 0, NULL);
    try(ci_options(&other_ci, &ci, NAME, 0, YEAR_2025), &eim, NULL, 0, NULL);

    try(ci_options(&other_ci, &ci, NAME, ROLE_DP_TLS, 0), &eim, NULL, SSL_AD_BAD_CERTIFICATE,
        "certificatePolicies names no TLS server");
    try(ci_options(&other_ci, &ci, NAME, ROLE_DP_TLS, 0), &ds, NULL, SSL_AD_BAD_CERTIFICATE,
        "certificatePolicies names no TLS server");
    try(ci_options(&other_ci, &ci, NAME, ROLE_DP_TLS, 0), &other_name, NULL, SSL_AD_BAD_CERTIFICATE,
        "subjectAltName is without the server's name");
    try(ci_options(&other_ci, &ci, NAME, ROLE_DP_TLS, YEAR_2026 + 1), &dp, NULL,
        SSL_AD_CERTIFICATE_EXPIRED, "expired (RFC 5280 4.1.2.5)");
    try(ci_options(&other_ci, &ci, NAME, ROLE_DP_TLS, YEAR_2024 - 1), &dp, NULL,
        SSL_AD_BAD_CERTIFICATE, "not valid yet");
    try(ci_options(&other_ci, &brainpool_ci, NAME, ROLE_DP_TLS, 0), &dp, NULL, SSL_AD_UNKNOWN_CA,
        "chain ends at no CI of the eUICC");
    try(ci_options(&other_ci, &brainpool_ci, NAME, ROLE_DP_TLS, 0), &dp, &ci, SSL_AD_UNKNOWN_CA,
        "chain ends at no CI of the eUICC");
    try(ci_options(&other_ci, &ci, NAME, ROLE_DP_TLS, 0), &dp_under_sub_ca, NULL, SSL_AD_UNKNOWN_CA,
        "chain ends at no CI of the eUICC");

    /* The identifier of one CI, the key of another. */
    struct tls_options o = ci_options(&other_ci, &ci, NAME, ROLE_DP_TLS, 0);
    cis[1].key = other_ci.pub;
    try(o, &dp, NULL, SSL_AD_BAD_CERTIFICATE, "signature does not verify under the issuer's key");

    /* A leaf is no CA. */
    issue(&impostor, &dp,
          (struct cert_request){ .role = ROLE_DP_TLS, .common_name = "x", .dns_name = NAME },
          CURVE_P256);
    try(ci_options(&other_ci, &ci, NAME, ROLE_DP_TLS, 0), &impostor, &dp, SSL_AD_UNKNOWN_CA,
        "chain ends at no CI of the eUICC");
    forget(&impostor);
}
END_TEST

START_TEST(options_that_make_no_sense_open_nothing)
{
    const uint8_t junk[] = { 0x30, 0x03, 0x02, 0x01, 0x05 };
    struct tls_options o = certificate_options(&ci, NAME, 0);
    char long_name[TLS_MAX_NAME + 2];
    struct tls *t = NULL;

    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    o.trust.pinned = rd_of(junk, sizeof junk);
    ck_assert_int_eq(tls_open(c, &o, &t), ERR_INPUT);
    o = certificate_options(&ci, NULL, 0);
    ck_assert_int_eq(tls_open(c, &o, &t), ERR_INPUT);
    o = certificate_options(&ci, long_name, 0);
    ck_assert_int_eq(tls_open(c, &o, &t), ERR_INPUT);
    o = certificate_options(&ci, NAME, 0);
    o.max_fragment = 700;
    ck_assert_int_eq(tls_open(c, &o, &t), ERR_INPUT);
    o = certificate_options(&ci, NAME, 0);
    o.mtu = TLS_MIN_MTU - 1;
    ck_assert_int_eq(tls_open(c, &o, &t), ERR_INPUT);
    o = ci_options(&ci, &ci, NAME, 0, 0);
    o.trust.n_cis = 0;
    ck_assert_int_eq(tls_open(c, &o, &t), ERR_INPUT);
    o = (struct tls_options){ .server_name = NAME };
    ck_assert_int_eq(tls_open(c, &o, &t), ERR_INPUT);
    ck_assert_ptr_null(t);
}
END_TEST

/* --- streams ------------------------------------------------------------------------------------
 */

START_TEST(a_record_larger_than_any_buffer_of_the_channel_arrives)
{
    static uint8_t sent[LARGE], got[LARGE];
    struct wr spki;
    struct tls_options o = pinned_options(&eim, false, &spki);
    struct server_options server = { .party = &eim, .version = versions[_i] };
    uint8_t octets[237];
    size_t n = 0;
    struct pair p;
    int piece;

    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (uint8_t)(i * 31 >> 3);
    open_pair(&p, &o, &server, 237);
    assert_open(&p);
    ck_assert_int_eq(SSL_write(p.server, sent, LARGE), LARGE);
    /* Without tls_receive() the client stops taking octets. */
    struct rd rest = { NULL, 0 };
    size_t fed = 0;
    while ((piece = BIO_read(SSL_get_wbio(p.server), octets, sizeof octets)) > 0) {
        size_t taken = tls_feed(p.client, rd_of(octets, (size_t)piece));
        fed += taken;
        rest = rd_of(octets + taken, (size_t)piece - taken);
        if (rest.n > 0)
            break;
    }
    ck_assert_uint_gt(rest.n, 0);
    ck_assert_uint_lt(fed, 45000);
    while (n < LARGE) {
        size_t now = tls_receive(p.client, got + n, LARGE - n);
        n += now;
        if (now > 0)
            continue;
        if (rest.n == 0) {
            piece = BIO_read(SSL_get_wbio(p.server), octets, sizeof octets);
            ck_assert_int_gt(piece, 0);
            rest = rd_of(octets, (size_t)piece);
        }
        size_t taken = tls_feed(p.client, rest);
        rest = rd_of(rest.p + taken, rest.n - taken);
    }
    ck_assert_mem_eq(got, sent, LARGE);
    exchange(&p);
    close_pair(&p);
    wr_done(&spki);
}
END_TEST

START_TEST(much_plain_text_goes_out_in_bounded_pieces)
{
    static uint8_t plain[100000];
    struct wr spki;
    struct tls_options o = pinned_options(&eim, false, &spki);
    struct server_options server = { .party = &eim, .version = versions[_i] };
    size_t at = 0, most = 0, read = 0;
    uint8_t octets[240], got[4096];
    struct pair p;

    open_pair(&p, &o, &server, 237);
    assert_open(&p);
    while (read < sizeof plain) {
        at += tls_send(p.client, rd_of(plain + at, sizeof plain - at));
        if (tls_waiting(p.client) > most)
            most = tls_waiting(p.client);
        size_t n = tls_take(p.client, octets, sizeof octets);
        BIO_write(SSL_get_rbio(p.server), octets, (int)n);
        int now = SSL_read(p.server, got, sizeof got);
        if (now > 0)
            read += (size_t)now;
        ck_assert(n > 0 || now > 0);
    }
    ck_assert_uint_lt(most, 16 * 1024);
    close_pair(&p);
    wr_done(&spki);
}
END_TEST

START_TEST(a_fragment_length_is_asked_for_and_need_not_be_granted)
{
    struct wr spki;
    struct tls_options o = pinned_options(&eim, false, &spki);
    struct server_options server = { .party = &eim, .version = versions[_i] };
    static uint8_t large[3000];
    uint8_t header[5];
    struct pair p;

    o.max_fragment = 512;
    open_pair(&p, &o, &server, 237);
    assert_open(&p);
    /* OpenSSL's server grants it: no record is longer. */
    ck_assert_int_eq(SSL_write(p.server, large, sizeof large), sizeof large);
    while (BIO_read(SSL_get_wbio(p.server), header, sizeof header) == sizeof header) {
        int n = header[3] << 8 | header[4];
        ck_assert_int_le(n, 512 + 64);
        ck_assert_int_eq(BIO_read(SSL_get_wbio(p.server), large, n), n);
    }
    close_pair(&p);
    wr_done(&spki);
}
END_TEST

START_TEST(close_notify_ends_and_a_cut_is_a_failure)
{
    struct wr spki;
    struct tls_options o = pinned_options(&eim, false, &spki);
    struct server_options server = { .party = &eim, .version = versions[_i] };
    uint8_t got[16];
    struct pair p;

    /* Data before close_notify are still received. */
    open_pair(&p, &o, &server, 237);
    assert_open(&p);
    SSL_write(p.server, "last", 4);
    SSL_shutdown(p.server);
    run(&p);
    ck_assert_int_eq(tls_state(p.client), TLS_OPEN);
    tls_eof(p.client);
    ck_assert_int_eq(tls_state(p.client), TLS_OPEN);
    ck_assert_uint_eq(tls_receive(p.client, got, sizeof got), 4);
    ck_assert_uint_eq(tls_receive(p.client, got, sizeof got), 0);
    ck_assert_int_eq(tls_state(p.client), TLS_CLOSED);
    ck_assert_str_eq(tls_failure(p.client), "");
    ck_assert_uint_eq(tls_feed(p.client, rd_str("more")), 4);
    ck_assert_uint_eq(tls_send(p.client, rd_str("more")), 0);
    close_pair(&p);

    open_pair(&p, &o, &server, 237);
    assert_open(&p);
    tls_eof(p.client);
    ck_assert_int_eq(tls_state(p.client), TLS_FAILED);
    ck_assert_ptr_nonnull(strstr(tls_failure(p.client), "TLS: the channel ended without close"));
    close_pair(&p);

    /* Cut after data. */
    open_pair(&p, &o, &server, 237);
    assert_open(&p);
    SSL_write(p.server, "last", 4);
    run(&p);
    tls_eof(p.client);
    ck_assert_uint_eq(tls_receive(p.client, got, sizeof got), 4);
    ck_assert_uint_eq(tls_receive(p.client, got, sizeof got), 0);
    ck_assert_int_eq(tls_state(p.client), TLS_FAILED);
    close_pair(&p);

    open_pair(&p, &o, &server, 237);
    tls_eof(p.client);
    ck_assert_str_eq(tls_failure(p.client), "TLS: the channel ended in the handshake");
    close_pair(&p);
    wr_done(&spki);
}
END_TEST

/* --- resumption ---------------------------------------------------------------------------------
 */

/* A connection to the server of ctx; the session of it in blob. */
static void connect_once(const struct tls_options *o, SSL_CTX *ctx, bool resumed, struct wr *blob,
                         size_t *ret_octets)
{
    struct pair p = { .piece = 237, .ctx = ctx };

    ck_assert_int_eq(tls_open(c, o, &p.client), 0);
    p.server = serve(ctx, o->datagram);
    assert_open(&p);
    ck_assert_int_eq(tls_resumed(p.client), resumed);
    *ret_octets = p.up + p.down;
    printf("%s: %zu up, %zu down\n", resumed ? "resumed" : "full", p.up, p.down);
    exchange(&p);
    wr_clear(blob);
    ck_assert_int_eq(tls_session(p.client, blob), 0);
    tls_close(&p.client);
    SSL_free(p.server);
}

START_TEST(a_session_is_resumed_under_the_same_trust_only)
{
    struct tls_options o = ci_options(&ci, &other_ci, NAME, ROLE_DP_TLS, _i < 3 ? 0 : YEAR_2025);
    struct server_options server = { .party = &dp, .version = versions[_i % 3] };
    uint8_t octets[TLS_MAX_SESSION];
    struct wr blob;
    size_t full, again;

    o.datagram = server.datagram = versions[_i % 3] == DTLS1_2_VERSION;
    o.resumable = true;
    wr_init(&blob, octets, sizeof octets);
    SSL_CTX *ctx = server_context(&server);
    connect_once(&o, ctx, false, &blob, &full);
    printf("session: %zu octets\n", blob.n);
    o.session = wr_view(&blob);
    size_t n = blob.n;
    uint8_t *session = malloc(n);
    ck_assert_ptr_nonnull(session);
    memcpy(session, octets, n);
    o.session = rd_of(session, n);
    if (o.now != 0)
        o.now += 3600;
    connect_once(&o, ctx, true, &blob, &again);
    ck_assert_uint_lt(again, full);

    /* Another name, another CI. */
    struct tls_options other = o;
    struct tls *t = NULL;
    other.trust.n_cis = 1;
    connect_once(&other, ctx, false, &blob, &full);
    /* Older than its ticket may become. */
    if (o.now != 0) {
        other = o;
        other.now += 30 * 24 * 3600;
        connect_once(&other, ctx, false, &blob, &full);
    }
    /* Any octet changed: at worst a full handshake. */
    for (size_t i = 0; i < n; i += 5) {
        session[i] ^= 0x41;
        ck_assert_int_eq(tls_open(c, &o, &t), 0);
        tls_close(&t);
        session[i] ^= 0x41;
    }
    free(session);
    SSL_CTX_free(ctx);
}
END_TEST

START_TEST(without_a_session_there_is_nothing_to_export)
{
    struct wr spki, blob;
    struct tls_options o = pinned_options(&eim, false, &spki);
    struct server_options server = { .party = &eim, .version = TLS1_3_VERSION, .no_tickets = true };
    uint8_t octets[TLS_MAX_SESSION];
    struct pair p;

    wr_init(&blob, octets, sizeof octets);
    open_pair(&p, &o, &server, 237);
    ck_assert_int_eq(tls_session(p.client, &blob), ERR_INPUT);
    assert_open(&p);
    exchange(&p);
    ck_assert_int_eq(tls_session(p.client, &blob), ERR_INPUT);
    close_pair(&p);
    wr_done(&spki);
}
END_TEST

/* --- datagrams
 * ------------------------------------------------------------------------------------ */

struct datagram {
    uint8_t octets[MAX_DATAGRAM];
    size_t n;
};

/* The server's next record, each as a datagram of its own. */
static bool next_from_server(struct pair *p, struct datagram *ret)
{
    BIO *out = SSL_get_wbio(p->server);

    if (BIO_read(out, ret->octets, 13) != 13)
        return false;
    ret->n = 13 + (size_t)(ret->octets[11] << 8 | ret->octets[12]);
    ck_assert_int_eq(BIO_read(out, ret->octets + 13, (int)ret->n - 13), (int)ret->n - 13);
    return true;
}

enum fault { LOSE, TWICE, LATE };

/* Carries datagrams both ways; the one of this number suffers. */
static void run_with_fault(struct pair *p, enum fault fault, unsigned victim)
{
    static struct datagram d, held;
    unsigned number = 0, timeouts = 0, rounds = 0;

    held.n = 0;
    while (rounds++ < MAX_ROUNDS &&
           !(tls_state(p->client) == TLS_OPEN && SSL_is_init_finished(p->server))) {
        bool moved = false;
        while ((d.n = tls_take(p->client, d.octets, sizeof d.octets)) > 0) {
            bool hit = number++ == victim;
            moved = true;
            for (int i = hit && fault == LOSE ? 1 : 0; i < (hit && fault == TWICE ? 2 : 1); i++) {
                BIO_write(SSL_get_rbio(p->server), d.octets, (int)d.n);
                run_server(p);
            }
        }
        while (next_from_server(p, &d)) {
            bool hit = number++ == victim;
            moved = true;
            if (hit && fault == LATE) {
                held = d;
                continue;
            }
            for (int i = hit && fault == LOSE ? 1 : 0; i < (hit && fault == TWICE ? 2 : 1); i++)
                tls_feed(p->client, rd_of(d.octets, d.n));
            if (held.n > 0) {
                tls_feed(p->client, rd_of(held.octets, held.n));
                held.n = 0;
            }
        }
        if (moved)
            continue;
        if (tls_timer(p->client) != 0) {
            tls_timeout(p->client);
            timeouts++;
        }
        usleep(40000); /* the server has its clock */
        DTLSv1_handle_timeout(p->server);
        run_server(p);
    }
    if (tls_state(p->client) != TLS_OPEN)
        ck_abort_msg("fault %d at %u: %s (%u timeouts)", fault, victim, tls_failure(p->client),
                     timeouts);
}

START_TEST(a_lost_doubled_or_late_datagram_does_no_harm)
{
    for (unsigned victim = 0; victim < 14; victim++) {
        struct tls_options o = ci_options(&ci, &other_ci, NAME, ROLE_DP_TLS, 0);
        struct server_options server = { .datagram = true, .party = &dp, .also = &ci };
        struct pair p;

        o.datagram = true;
        o.mtu = 300;
        open_pair(&p, &o, &server, 237);
        run_with_fault(&p, (enum fault)_i, victim);
        ck_assert_int_eq(tls_state(p.client), TLS_OPEN);
        ck_assert(SSL_is_init_finished(p.server));
        exchange(&p);
        close_pair(&p);
    }
}
END_TEST

/* A resumed handshake ends with the client's flight, which has no timer of its own. */
START_TEST(a_lost_last_flight_is_repeated_when_the_server_asks)
{
    struct tls_options o = ci_options(&ci, &other_ci, NAME, ROLE_DP_TLS, 0);
    struct server_options server = { .datagram = true, .party = &dp };
    uint8_t octets[TLS_MAX_SESSION];
    struct wr blob;
    size_t full;

    o.datagram = o.resumable = true;
    wr_init(&blob, octets, sizeof octets);
    SSL_CTX *ctx = server_context(&server);
    connect_once(&o, ctx, false, &blob, &full);
    o.session = wr_view(&blob);
    for (unsigned victim = 0; victim < 8; victim++) {
        struct pair p = { .piece = 237, .ctx = ctx };

        ck_assert_int_eq(tls_open(c, &o, &p.client), 0);
        p.server = serve(ctx, true);
        run_with_fault(&p, LOSE, victim);
        ck_assert(tls_resumed(p.client));
        exchange(&p);
        tls_close(&p.client);
        SSL_free(p.server);
    }
    SSL_CTX_free(ctx);
}
END_TEST

START_TEST(repetitions_are_the_callers_to_time_and_end)
{
    struct wr spki;
    struct tls_options o = pinned_options(&eim, true, &spki);
    uint8_t first[TLS_MTU], again[TLS_MTU];
    struct tls *t = NULL;

    ck_assert_int_eq(tls_open(c, &o, &t), 0);
    size_t n = tls_waiting(t);
    ck_assert_uint_eq(tls_take(t, first, n - 1), 0);
    ck_assert_uint_eq(tls_take(t, first, n), n);
    ck_assert_uint_eq(tls_take(t, again, sizeof again), 0);
    /* Nothing is repeated because time goes by. */
    usleep(20000);
    tls_feed(t, rd_of("", 0));
    tls_feed_end(t);
    ck_assert_uint_eq(tls_waiting(t), 0);
    for (unsigned seconds = 1; seconds <= 16; seconds *= 2) {
        ck_assert_uint_eq(tls_timer(t), seconds);
        tls_timeout(t);
        ck_assert_uint_eq(tls_take(t, again, sizeof again), n);
        ck_assert_uint_eq(tls_waiting(t), 0);
        ck_assert_mem_eq(again, first, 5);                    /* type, version, epoch */
        ck_assert_int_gt(memcmp(again + 5, first + 5, 6), 0); /* a record number of its own */
        ck_assert_mem_eq(again + 11, first + 11, n - 11);
        memcpy(first, again, n);
    }
    ck_assert_uint_eq(tls_timer(t), 32);
    tls_timeout(t);
    ck_assert_int_eq(tls_state(t), TLS_FAILED);
    ck_assert_str_eq(tls_failure(t), "DTLS: no answer, whatever was repeated (RFC 6347 4.2.4)");
    ck_assert_uint_eq(tls_timer(t), 0);
    tls_close(&t);
    wr_done(&spki);
}
END_TEST

START_TEST(datagrams_keep_their_bounds_and_their_size)
{
    struct wr spki;
    struct tls_options o = pinned_options(&eim, true, &spki);
    struct server_options server = { .datagram = true, .party = &eim };
    uint8_t octets[1500], message[1500] = { 0 };
    struct pair p;

    o.mtu = 300;
    open_pair(&p, &o, &server, 237);
    ck_assert_uint_le(tls_waiting(p.client), 300);
    assert_open(&p);
    size_t max = tls_send_max(p.client);
    ck_assert_uint_gt(max, 200);
    ck_assert_uint_lt(max, 300);
    ck_assert_uint_eq(tls_send(p.client, rd_of(message, max + 1)), 0);
    ck_assert_uint_eq(tls_send(p.client, rd_of(message, max)), max);
    ck_assert_uint_eq(tls_send(p.client, rd_of(message, 10)), 10);
    ck_assert_uint_le(tls_waiting(p.client), 300);
    ck_assert_uint_gt(tls_take(p.client, octets, sizeof octets), max);
    ck_assert_uint_lt(tls_take(p.client, octets, sizeof octets), 60);

    /* Two records in one piece are two messages; of one that is too long the rest is lost. */
    SSL_write(p.server, "first message", 13);
    SSL_write(p.server, "second", 6);
    run(&p);
    ck_assert_uint_eq(tls_receive(p.client, octets, 5), 5);
    ck_assert_uint_eq(tls_receive(p.client, octets, sizeof octets), 6);
    ck_assert_mem_eq(octets, "second", 6);

    /* The beginning of a record, and then another datagram. */
    SSL_write(p.server, "lost", 4);
    int n = BIO_read(SSL_get_wbio(p.server), octets, sizeof octets);
    tls_feed(p.client, rd_of(octets, (size_t)n - 3));
    tls_feed_end(p.client);
    exchange(&p);

    tls_eof(p.client);
    ck_assert_int_eq(tls_state(p.client), TLS_CLOSED);
    close_pair(&p);
    wr_done(&spki);
}
END_TEST

/* --- hostile octets
 * ------------------------------------------------------------------------------- */

static uint32_t dice_state;

static uint32_t dice(void)
{
    dice_state = dice_state * 1664525u + 1013904223u;
    return dice_state >> 8;
}

START_TEST(garbage_ends_in_a_failure_with_an_alert)
{
    static const char *const garbage[] = {
        "HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-x\r\n",
        "\x16\x03\x03\xff\xff\x02",         "\x17\x03\x03\x00\x01x",
        "\x15\x03\x03\x00\x02\x02\x28",     "\x80\x2e\x01\x00\x02"
    };
    struct wr spki;
    struct tls_options o = pinned_options(&eim, false, &spki);

    for (size_t i = 0; i < N_ELEMS(garbage); i++)
        for (int open = 0; open < 2; open++) {
            struct server_options server = { .party = &eim, .version = versions[i % 2] };
            struct pair p;

            open_pair(&p, &o, &server, 7);
            if (open == 1)
                assert_open(&p);
            size_t n = i == 3 ? 6 : i == 4 ? 7 : strlen(garbage[i]);
            for (size_t at = 0; at < n; at++)
                tls_feed(p.client, rd_of(garbage[i] + at, 1));
            static const uint8_t zeros[64];
            tls_feed(p.client, rd_of(zeros, sizeof zeros));
            ck_assert_msg(tls_state(p.client) == TLS_FAILED, "%zu", i);
            ck_assert_str_ne(tls_failure(p.client), "");
            /* OpenSSL has no alert for what is not TLS from its first octet. */
            ck_assert_msg(tls_alert(p.client) != TLS_NO_ALERT || open == 0, "%zu: %s", i,
                          tls_failure(p.client));
            close_pair(&p);
        }
    wr_done(&spki);
}
END_TEST

/* One octet of the server's, anywhere, is changed, dropped or doubled: the client may notice or
 * not, but it neither breaks nor takes the wrong server's word. */
START_TEST(broken_octets_break_nothing)
{
    struct server_options server = { .datagram = versions[_i] == DTLS1_2_VERSION,
                                     .party = &dp,
                                     .also = &ci,
                                     .version = versions[_i] };
    SSL_CTX *ctx = server_context(&server);

    dice_state = (uint32_t)_i;
    for (unsigned round = 0; round < 400; round++) {
        struct tls_options o = ci_options(&ci, &other_ci, NAME, ROLE_DP_TLS, YEAR_2025);
        struct pair p = { .piece = 237, .ctx = ctx };
        size_t at = dice() % 1700, seen = 0;
        uint8_t octets[600], got[64];
        unsigned kind = dice() % 4;
        bool moved = true;

        o.datagram = server.datagram;
        ck_assert_int_eq(tls_open(c, &o, &p.client), 0);
        p.server = serve(ctx, server.datagram);
        while (moved) {
            moved = false;
            while (carry_up(&p))
                moved = true;
            int n = BIO_read(SSL_get_wbio(p.server), octets, 237);
            if (n <= 0)
                break;
            moved = true;
            if (seen <= at && at < seen + (size_t)n) {
                if (kind == 0)
                    octets[at - seen] ^= (uint8_t)(1 + dice() % 255);
                else if (kind == 1)
                    n--;
                else if (kind == 2)
                    memcpy(octets + n, octets, (size_t)n), n *= 2;
                else
                    for (int i = 0; i < n; i++)
                        octets[i] = (uint8_t)dice();
            }
            seen += (size_t)n;
            tls_feed(p.client, rd_of(octets, (size_t)n));
            tls_receive(p.client, got, sizeof got);
        }
        if (tls_timer(p.client) != 0)
            tls_timeout(p.client);
        tls_eof(p.client);
        tls_close(&p.client);
        SSL_free(p.server);
        ERR_clear_error();
    }
    SSL_CTX_free(ctx);
}
END_TEST

/* --- repeatable; memory
 * ----------------------------------------------------------------------------- */

START_TEST(a_seeded_client_repeats_its_octets)
{
    uint8_t hello[2][TLS_MTU];
    size_t n[2];

    for (int round = 0; round < 2; round++) {
        struct crypto *seeded = crypto_new(rd_str("seed"));
        struct wr spki;
        struct tls_options o = pinned_options(&eim, _i == 1, &spki);
        struct tls *t = NULL;

        ck_assert_ptr_nonnull(seeded);
        ck_assert_int_eq(tls_open(seeded, &o, &t), 0);
        n[round] = tls_take(t, hello[round], sizeof hello[round]);
        tls_close(&t);
        /* A whole handshake works with such a generator too. */
        struct crypto *usual = c;
        struct server_options server = { .datagram = _i == 1, .party = &eim };
        struct pair p;
        c = seeded;
        open_pair(&p, &o, &server, 237);
        assert_open(&p);
        exchange(&p);
        close_pair(&p);
        c = usual;
        crypto_free(&seeded);
        wr_done(&spki);
    }
    ck_assert_uint_gt(n[0], 100);
    ck_assert_uint_eq(n[0], n[1]);
    ck_assert_mem_eq(hello[0], hello[1], n[0]);
}
END_TEST

static size_t in_use(void)
{
    return mallinfo2().uordblks;
}

static long private_kb(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[128];
    long kb = 0;

    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "RssAnon: %ld", &kb) == 1)
            break;
    if (f != NULL)
        fclose(f);
    return kb;
}

/* Printed, not asserted: OpenSSL's own business, and none of it is seen under ASan. */
START_TEST(memory_is_told)
{
    enum { N = 50 };
    static const char *const names[] = { "TLS 1.2", "TLS 1.3", "DTLS 1.2" };
    struct server_options server = { .datagram = versions[_i] == DTLS1_2_VERSION,
                                     .party = &dp,
                                     .version = versions[_i] };
    struct tls_options o = ci_options(&ci, &other_ci, NAME, ROLE_DP_TLS, 0);
    struct tls *t[N] = { NULL };
    struct pair p = { .piece = 237 };

    o.datagram = server.datagram;
    long kb = private_kb();
    size_t before = in_use();
    ck_assert_int_eq(tls_open(c, &o, &t[0]), 0);
    size_t first = in_use() - before;
    printf("%s: the first connection in a process, with its context: %zu octets, RssAnon +%ld kB\n",
           names[_i], first, private_kb() - kb);
    tls_close(&t[0]);
    p.ctx = server_context(&server);
    before = in_use();
    for (size_t i = 0; i < N; i++)
        ck_assert_int_eq(tls_open(c, &o, &t[i]), 0);
    printf("%s: a connection in its handshake: %zu octets\n", names[_i], (in_use() - before) / N);
    SSL *servers[N];
    for (size_t i = 0; i < N; i++)
        servers[i] = serve(p.ctx, server.datagram);
    kb = private_kb();
    for (size_t i = 0; i < N; i++) {
        p.client = t[i];
        p.server = servers[i];
        run(&p);
        ck_assert_int_eq(tls_state(t[i]), TLS_OPEN);
        SSL_free(servers[i]);
        servers[i] = NULL;
    }
    size_t with = in_use();
    for (size_t i = 0; i < N; i++)
        tls_close(&t[i]);
    printf("%s: an open and idle connection: %zu octets\n", names[_i], (with - in_use()) / N);
    SSL_CTX_free(p.ctx);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tls");
    TCase *t = tcase_create("tls");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, every_suite_works_in_pieces_of_any_size, 0, N_ELEMS(suites));
    tcase_add_test(t, a_version_that_is_too_old_or_not_allowed_is_refused);
    tcase_add_test(t, a_server_without_a_suite_of_ours_is_refused);
    tcase_add_loop_test(t, brainpool_works_and_falls_back_to_tls_1_2, 0, 2);
    tcase_add_test(t, a_pinned_key_is_the_only_thing_that_counts);
    tcase_add_test(t, a_pinned_certificate_is_the_leaf_or_its_issuer);
    tcase_add_test(t, a_chain_ends_at_the_key_of_a_ci);
    tcase_add_test(t, options_that_make_no_sense_open_nothing);
    tcase_add_loop_test(t, a_record_larger_than_any_buffer_of_the_channel_arrives, 0, 2);
    tcase_add_loop_test(t, much_plain_text_goes_out_in_bounded_pieces, 0, 2);
    tcase_add_loop_test(t, a_fragment_length_is_asked_for_and_need_not_be_granted, 0, 2);
    tcase_add_loop_test(t, close_notify_ends_and_a_cut_is_a_failure, 0, 2);
    tcase_add_loop_test(t, a_session_is_resumed_under_the_same_trust_only, 0, 6);
    tcase_add_test(t, without_a_session_there_is_nothing_to_export);
    tcase_add_loop_test(t, a_lost_doubled_or_late_datagram_does_no_harm, 0, 3);
    tcase_add_test(t, a_lost_last_flight_is_repeated_when_the_server_asks);
    tcase_add_test(t, repetitions_are_the_callers_to_time_and_end);
    tcase_add_test(t, datagrams_keep_their_bounds_and_their_size);
    tcase_add_test(t, garbage_ends_in_a_failure_with_an_alert);
    tcase_add_loop_test(t, broken_octets_break_nothing, 0, 3);
    tcase_add_loop_test(t, a_seeded_client_repeats_its_octets, 0, 2);
    tcase_add_loop_test(t, memory_is_told, 0, 3);
    suite_add_tcase(s, t);
    return suite_status(s);
}
