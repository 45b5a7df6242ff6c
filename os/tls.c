/* tls.c - TLS and DTLS clients between two queues of octets, over OpenSSL.
 *
 * One SSL_CTX a process and method, made when first needed, is kept with struct crypto; a
 * connection holds an SSL, whose buffers OpenSSL frees whenever they are empty.
 *
 * State: struct tls; struct contexts. */
#include "os/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "os/crypto_openssl.h"
#include "os/err.h"
#include "os/tls_queue.h"
#include "os/tls_trust.h"
#include "os/tlv.h"

enum {
    MAX_FAILURE = 256,
    MAX_CHAIN = 24 * 1024,  /* of the server's certificates */
    MAX_SEND = 4096,        /* plain octets of a record that we write */
    MAX_WAITING = 8 * 1024, /* beyond this tls_send() takes nothing */
    MAX_TIMER = 60,         /* seconds (RFC 6347 4.2.4.1) */
    SECURITY_LEVEL = 2,     /* 112 bits (SSL_CTX_set_security_level(3)) */
};

struct contexts {
    SSL_CTX *ctx[2]; /* by tls_options.datagram */
    BIO_METHOD *bio;
    struct trust_cache trusted;
};

struct tls {
    struct crypto *crypto;
    SSL *ssl;
    struct tls_link link;
    struct trust trust;
    enum tls_state state;
    bool stalled;         /* OpenSSL waits for room in link.out */
    SSL_SESSION *session; /* the latest that can be resumed */
    uint8_t binding[SHA256_LEN];
    const char *refusal; /* of the server's certificate */
    int alert;
    bool alert_sent;
    char failure[MAX_FAILURE];
};

/* --- the shared contexts -------------------------------------------------------------------- */

static void release_contexts(void *p)
{
    struct contexts *contexts = p;

    SSL_CTX_free(contexts->ctx[false]);
    SSL_CTX_free(contexts->ctx[true]);
    trust_cache_done(&contexts->trusted);
    tls_link_bio_method_free(contexts->bio);
    free(contexts);
}

static int verify(X509_STORE_CTX *ctx, void *unused)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls *t = SSL_get_app_data(ssl);

    (void)unused;
    t->refusal = trust_check(&t->trust, ctx);
    return t->refusal == NULL;
}

/* Alerts of either side; ret is level and description. */
static void note_alert(const SSL *ssl, int where, int ret)
{
    struct tls *t = SSL_get_app_data(ssl);

    if (!(where & SSL_CB_ALERT) || ret >> 8 != SSL3_AL_FATAL || t == NULL)
        return;
    t->alert = ret & 0xFF;
    t->alert_sent = where & SSL_CB_WRITE;
}

/* OpenSSL hands over a reference. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls *t = SSL_get_app_data(ssl);

    SSL_SESSION_free(t->session);
    t->session = session;
    return 1;
}

/* The order of suites is the order of preference; what a system's openssl.cnf says does not count.
 */
static bool set_up(SSL_CTX *ctx, bool datagram)
{
    char groups[] = "P-256:brainpoolP256r1"; /* OpenSSL's macros cast const away */
    char algorithms[] = "ECDSA+SHA256:ECDSA+SHA384";
    const char *suites = datagram ? "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
                                    "ECDHE-ECDSA-AES128-CCM8:ECDHE-ECDSA-AES128-SHA256"
                                  : "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
                                    "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA384";

    SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
    SSL_CTX_clear_options(ctx, SSL_CTX_get_options(ctx));
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_QUERY_MTU |
                                 SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, verify, NULL);
    SSL_CTX_set_info_callback(ctx, note_alert);
    SSL_CTX_set_max_cert_list(ctx, MAX_CHAIN);
    return SSL_CTX_set_max_send_fragment(ctx, MAX_SEND) == 1 &&
           SSL_CTX_set_cipher_list(ctx, suites) == 1 &&
           SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384") == 1 &&
           SSL_CTX_set1_groups_list(ctx, groups) == 1 &&
           SSL_CTX_set1_sigalgs_list(ctx, algorithms) == 1;
}

static SSL_CTX *new_context(struct crypto *c, bool datagram)
{
    if (crypto_before_random(c) != 0)
        return NULL;
    SSL_CTX *ctx = SSL_CTX_new_ex(crypto_libctx(c), NULL,
                                  datagram ? DTLS_client_method() : TLS_client_method());
    if (ctx != NULL && !set_up(ctx, datagram)) {
        SSL_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

static struct contexts *contexts_of(struct crypto *c)
{
    struct crypto_guest *guest = crypto_guest(c);

    if (guest->p == NULL) {
        guest->p = calloc(1, sizeof(struct contexts));
        guest->release = guest->p != NULL ? release_contexts : NULL;
    }
    return guest->p;
}

static SSL *new_ssl(struct crypto *c, struct contexts *contexts, bool datagram,
                    struct tls_link *link)
{
    if (contexts->bio == NULL)
        contexts->bio = tls_link_bio_method();
    if (contexts->ctx[datagram] == NULL)
        contexts->ctx[datagram] = new_context(c, datagram);
    if (contexts->bio == NULL || contexts->ctx[datagram] == NULL)
        return NULL;
    BIO *bio = tls_link_bio(contexts->bio, link);
    SSL *ssl = bio != NULL ? SSL_new(contexts->ctx[datagram]) : NULL;
    if (ssl == NULL) {
        BIO_free(bio);
        return NULL;
    }
    SSL_set_bio(ssl, bio, bio);
    SSL_set_connect_state(ssl);
    return ssl;
}

/* --- how it ends ---------------------------------------------------------------------------- */

/* The state is TLS_FAILED from now on; reason and the alert, if there was one, are its line. */
static void fail(struct tls *t, const char *reason)
{
    char alert[80] = "";

    if (t->state == TLS_FAILED)
        return;
    t->state = TLS_FAILED;
    tls_link_forget(&t->link);
    if (t->alert != TLS_NO_ALERT)
        snprintf(alert, sizeof alert, "; alert %d (%s) %s", t->alert,
                 SSL_alert_desc_string_long(t->alert), t->alert_sent ? "sent" : "received");
    snprintf(t->failure, sizeof t->failure, "%s: %s%s%s", t->link.datagram ? "DTLS" : "TLS",
             t->refusal != NULL ? "server's certificate: " : "",
             t->refusal != NULL ? t->refusal : reason, alert);
}

/* The first error that OpenSSL queued is the cause of the others. */
static void fail_by_openssl(struct tls *t)
{
    unsigned long code = ERR_peek_error();
    const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;

    if (t->link.ended)
        reason = "the channel ended without close_notify, perhaps in the middle (RFC 8446 6.1)";
    if (t->alert != TLS_NO_ALERT && !t->alert_sent)
        reason = "the server refuses";
    fail(t, reason != NULL ? reason : "unknown reason of OpenSSL");
    ERR_clear_error();
}

/* What a call of OpenSSL that gave 0 or less means. */
static void judge(struct tls *t, int result)
{
    switch (SSL_get_error(t->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        break;
    case SSL_ERROR_WANT_WRITE:
        t->stalled = true;
        break;
    case SSL_ERROR_ZERO_RETURN:
        t->state = TLS_CLOSED;
        break;
    default:
        fail_by_openssl(t);
        return;
    }
    ERR_clear_error();
}

/* Before any call that may draw random octets or queue errors. */
static bool enter(struct tls *t)
{
    ERR_clear_error();
    t->stalled = false;
    if (crypto_before_random(t->crypto) == 0)
        return true;
    fail(t, "no random octets");
    return false;
}

/* As far as what is in the queues allows. */
static void advance(struct tls *t)
{
    uint8_t first;

    if (t->state == TLS_HANDSHAKING && enter(t)) {
        int result = SSL_do_handshake(t->ssl);
        if (result == 1) {
            t->state = TLS_OPEN;
            tls_link_forget(&t->link);
        } else {
            judge(t, result);
        }
    }
    /* Tickets, key updates and alerts are taken up to the first octet of data. */
    if (t->state == TLS_OPEN && enter(t)) {
        int result = SSL_peek(t->ssl, &first, 1);
        if (result <= 0)
            judge(t, result);
    }
}

/* --- opening -------------------------------------------------------------------------------- */

static bool set_versions(SSL *ssl, const struct tls_options *options)
{
    if (options->datagram)
        return SSL_set_min_proto_version(ssl, DTLS1_2_VERSION) == 1 &&
               SSL_set_max_proto_version(ssl, DTLS1_2_VERSION) == 1;
    return SSL_set_min_proto_version(ssl, options->min == TLS_VERSION_1_3 ? TLS1_3_VERSION
                                                                          : TLS1_2_VERSION) == 1 &&
           SSL_set_max_proto_version(ssl, options->max == TLS_VERSION_1_2 ? TLS1_2_VERSION
                                                                          : TLS1_3_VERSION) == 1;
}

static bool set_max_fragment(SSL *ssl, size_t n)
{
    static const uint8_t codes[] = {
        TLSEXT_max_fragment_length_512,
        TLSEXT_max_fragment_length_1024,
        TLSEXT_max_fragment_length_2048,
        TLSEXT_max_fragment_length_4096,
    };

    if (n == 0)
        return true;
    for (size_t i = 0; i < N_ELEMS(codes); i++)
        if (n == (size_t)512 << i)
            return SSL_set_tlsext_max_fragment_length(ssl, codes[i]) == 1;
    return false;
}

static unsigned time_openssl(SSL *ssl, unsigned last)
{
    struct tls *t = SSL_get_app_data(ssl);

    return tls_link_timer(&t->link, last);
}

static int configure(struct tls *t, const struct tls_options *options)
{
    if (!set_versions(t->ssl, options) || !set_max_fragment(t->ssl, options->max_fragment))
        return ERR_INPUT;
    if (t->trust.server_name[0] != '\0' && !t->trust.is_address &&
        SSL_set_tlsext_host_name(t->ssl, t->trust.server_name) != 1)
        return ERR_INPUT;
    if (!options->resumable)
        SSL_set_options(t->ssl, SSL_OP_NO_TICKET);
    if (!options->datagram)
        return 0;
    DTLS_set_timer_cb(t->ssl, time_openssl);
    return SSL_set_mtu(t->ssl, (long)t->link.mtu) > 0 ? 0 : ERR_INPUT;
}

/* Seconds since 1970 as this session's tickets count: OpenSSL subtracts the wall clock again, and
 * so the age that it tells the server (RFC 8446 4.2.11.1) is ours: 0 when the time is not known. */
static void set_age(SSL_SESSION *session, int64_t now)
{
    int64_t made = SSL_SESSION_get_time(session);
    int64_t age = made > 1 && now > made ? now - made : 0;

    SSL_SESSION_set_time(session, (long)(time(NULL) - age));
}

static bool is_stale(const SSL_SESSION *session, int64_t now)
{
    int64_t made = SSL_SESSION_get_time(session);
    unsigned long life = SSL_SESSION_get_ticket_lifetime_hint(session);

    return now != 0 && made > 1 && life != 0 && now - made > (int64_t)life;
}

/* Octets that do not fit this trust, or are no session, lead to a full handshake. */
static void resume(struct tls *t, struct rd blob, int64_t now)
{
    struct rd binding;

    if (blob.n > TLS_MAX_SESSION || rd_take(&blob, sizeof t->binding, &binding) != 0 ||
        !rd_equal(binding, rd_of(t->binding, sizeof t->binding)))
        return;
    const unsigned char *p = blob.p;
    SSL_SESSION *session = d2i_SSL_SESSION(NULL, &p, (long)blob.n);
    if (session != NULL && p == blob.p + blob.n && SSL_SESSION_is_resumable(session) &&
        !is_stale(session, now)) {
        set_age(session, now);
        if (SSL_set_session(t->ssl, session) == 1) {
            t->session = session;
            session = NULL;
        }
    }
    SSL_SESSION_free(session);
    ERR_clear_error();
}

static int open_it(struct tls *t, const struct tls_options *options)
{
    size_t mtu = options->mtu != 0 ? options->mtu : TLS_MTU;
    struct contexts *contexts = contexts_of(t->crypto);

    tls_link_init(&t->link, options->datagram, mtu);
    if (contexts == NULL)
        return ERR_NOMEM;
    TRY(trust_init(&t->trust, t->crypto, options, &contexts->trusted));
    TRY(trust_digest(&t->trust, options->datagram, t->binding));
    if (mtu < TLS_MIN_MTU || mtu > UINT16_MAX || options->now < 0)
        return ERR_INPUT;
    ERR_clear_error();
    t->ssl = new_ssl(t->crypto, contexts, options->datagram, &t->link);
    if (t->ssl == NULL)
        return ERR_CRYPTO;
    SSL_set_app_data(t->ssl, t);
    TRY(configure(t, options));
    if (options->session.n > 0)
        resume(t, options->session, options->now);
    advance(t); /* the ClientHello */
    return t->state == TLS_FAILED ? ERR_CRYPTO : 0;
}

int tls_open(struct crypto *c, const struct tls_options *options, struct tls **ret)
{
    struct tls *t = calloc(1, sizeof *t);

    if (t == NULL)
        return ERR_NOMEM;
    t->crypto = c;
    t->alert = TLS_NO_ALERT;
    int r = open_it(t, options);
    if (r != 0) {
        tls_close(&t);
        return r;
    }
    *ret = t;
    return 0;
}

void tls_close(struct tls **t)
{
    struct tls *old = *t;

    if (old == NULL)
        return;
    SSL_SESSION_free(old->session);
    SSL_free(old->ssl);
    trust_done(&old->trust);
    tls_link_done(&old->link);
    crypto_wipe(old, sizeof *old);
    free(old);
    *t = NULL;
    ERR_clear_error();
}

/* --- in between ----------------------------------------------------------------------------- */

enum tls_state tls_state(const struct tls *t)
{
    return t->state;
}

const char *tls_failure(const struct tls *t)
{
    return t->failure;
}

int tls_alert(const struct tls *t)
{
    return t->alert;
}

void tls_describe(const struct tls *t, char *ret, size_t size)
{
    const SSL_CIPHER *suite = SSL_get_current_cipher(t->ssl);
    const char *name = suite != NULL ? SSL_CIPHER_standard_name(suite) : NULL;

    snprintf(ret, size, "%s %s", SSL_get_version(t->ssl), name != NULL ? name : "no suite");
}

bool tls_resumed(const struct tls *t)
{
    return t->state != TLS_HANDSHAKING && SSL_session_reused(t->ssl) == 1;
}

void tls_peer(const struct tls *t, char *ret, size_t size)
{
    const X509 *cert = SSL_get0_peer_certificate(t->ssl);

    snprintf(ret, size, "none");
    if (cert != NULL)
        X509_NAME_oneline(X509_get_subject_name(cert), ret, (int)size);
}

static bool is_over(const struct tls *t)
{
    return t->state == TLS_CLOSED || t->state == TLS_FAILED;
}

size_t tls_feed(struct tls *t, struct rd octets)
{
    size_t taken = 0;

    if (is_over(t))
        return octets.n;
    /* Once more when OpenSSL made room by going on. */
    for (size_t n = 1; n > 0 && octets.n > taken && !is_over(t); taken += n) {
        n = tls_link_feed(&t->link, rd_of(octets.p + taken, octets.n - taken));
        advance(t);
    }
    return is_over(t) ? octets.n : taken;
}

void tls_feed_end(struct tls *t)
{
    tls_link_feed_end(&t->link);
}

void tls_eof(struct tls *t)
{
    if (is_over(t))
        return;
    t->link.ended = true;
    if (t->state == TLS_HANDSHAKING)
        fail(t, "the channel ended in the handshake");
    else if (t->link.datagram)
        t->state = TLS_CLOSED;
    else
        advance(t); /* fails, unless data come first */
}

size_t tls_waiting(const struct tls *t)
{
    return t->link.datagram ? queue_next(&t->link.out) : queue_n(&t->link.out);
}

size_t tls_take(struct tls *t, uint8_t *ret, size_t size)
{
    size_t n = 0;

    if (!t->link.datagram)
        n = queue_take(&t->link.out, ret, size);
    else if (tls_waiting(t) <= size)
        n = queue_take_datagram(&t->link.out, ret, size);
    if (n > 0 && t->stalled)
        advance(t);
    return n;
}

size_t tls_send_max(const struct tls *t)
{
    if (t->state != TLS_OPEN)
        return 0;
    return t->link.datagram ? DTLS_get_data_mtu(t->ssl) : MAX_SEND;
}

size_t tls_send(struct tls *t, struct rd plain)
{
    size_t max = tls_send_max(t);

    if (plain.n == 0 || max == 0 || queue_n(&t->link.out) > MAX_WAITING ||
        (t->link.datagram && plain.n > max) || !enter(t))
        return 0;
    int result = SSL_write(t->ssl, plain.p, (int)(plain.n < max ? plain.n : max));
    if (result > 0)
        return (size_t)result;
    judge(t, result);
    return 0;
}

/* A record is read whole or, of datagrams, its rest is passed over. */
static void pass_over(struct tls *t)
{
    uint8_t rest[256];

    while (SSL_has_pending(t->ssl) == 1 && SSL_pending(t->ssl) > 0)
        if (SSL_read(t->ssl, rest, sizeof rest) <= 0)
            break;
    crypto_wipe(rest, sizeof rest);
}

size_t tls_receive(struct tls *t, uint8_t *ret, size_t size)
{
    if (t->state != TLS_OPEN || size == 0 || !enter(t))
        return 0;
    int result = SSL_read(t->ssl, ret, size < TLS_MAX_PLAIN ? (int)size : TLS_MAX_PLAIN);
    if (result <= 0) {
        judge(t, result);
        return 0;
    }
    if (t->link.datagram && (size_t)result == size)
        pass_over(t);
    return (size_t)result;
}

void tls_shutdown(struct tls *t)
{
    if (t->state == TLS_OPEN && enter(t)) {
        SSL_shutdown(t->ssl);
        ERR_clear_error();
    }
    if (!is_over(t))
        t->state = TLS_CLOSED;
    tls_link_forget(&t->link);
}

/* --- datagrams ------------------------------------------------------------------------------ */

unsigned tls_timer(const struct tls *t)
{
    if (!t->link.datagram || t->state != TLS_HANDSHAKING)
        return 0;
    unsigned seconds = 1u << t->link.fired;
    return seconds < MAX_TIMER ? seconds : MAX_TIMER;
}

void tls_timeout(struct tls *t)
{
    if (tls_timer(t) != 0 && !tls_link_timeout(&t->link))
        fail(t, "no answer, whatever was repeated (RFC 6347 4.2.4)");
}

/* --- resumption ----------------------------------------------------------------------------- */

/* A session of OpenSSL's (SEQUENCE) without the server's certificate: who resumes it does not need
 * that, and OpenSSL would parse it again each time. */
static void put_session(struct wr *ret, struct rd der)
{
    enum { TAG_SEQUENCE = 0x30, TAG_PEER = 0xA3 };
    struct tlv outer, field;

    if (tlv_expect(&der, TAG_SEQUENCE, &outer) != 0)
        return;
    struct wr_mark m = tlv_open(ret, TAG_SEQUENCE);
    while (outer.value.n > 0 && tlv_get(&outer.value, &field) == 0)
        if (field.tag != TAG_PEER)
            wr_put_rd(ret, field.whole);
    tlv_close(ret, m);
}

int tls_session(struct tls *t, struct wr *ret)
{
    unsigned char *der = NULL;

    if (t->session == NULL || SSL_SESSION_is_resumable(t->session) != 1)
        return ERR_INPUT;
    SSL_SESSION *session = SSL_SESSION_dup(t->session);
    if (session == NULL)
        return ERR_NOMEM;
    SSL_SESSION_set_time(session, t->trust.now != 0 ? (long)t->trust.now : 1);
    int n = i2d_SSL_SESSION(session, &der);
    SSL_SESSION_free(session);
    ERR_clear_error();
    if (n <= 0)
        return ERR_NOMEM;
    size_t before = ret->n;
    wr_put(ret, t->binding, sizeof t->binding);
    put_session(ret, rd_of(der, (size_t)n));
    OPENSSL_clear_free(der, (size_t)n);
    return ret->n - before <= TLS_MAX_SESSION ? wr_failed(ret) : ERR_NOMEM;
}
