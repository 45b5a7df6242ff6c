/* tls.h - TLS 1.2, TLS 1.3 and DTLS 1.2 clients that end in the card (SGP.22 2.6.6, SGP.32 2.6.3).
 *
 * A struct tls has no socket, thread or clock.  Octets from the channel go in with tls_feed(),
 * octets for the channel come out of tls_take(); after any other call tls_take() may have something
 * new. Nothing blocks: what cannot be done yet is done when the next octets come.
 *
 *     tls_open(crypto, &options, &t);
 *     for each round: send all that tls_take() gives; tls_feed() what came; and when tls_state() is
 *     TLS_OPEN, tls_send() and tls_receive() the plain text, until tls_receive() gives 0
 *
 * A failure of the connection is no fault of the card: it is a state, TLS_FAILED, with a line for
 * the trace.  An alert to the server then mostly waits in tls_take(): there is none for what is not
 * TLS at all.
 *
 * Server authentication only.  Suites in this order: TLS 1.3 1301, 1302; TLS 1.2 C02B, C02C, C023,
 * C024; DTLS 1.2 C02B, C02C, C0AE, C023.  Keys and certificates are on P-256 or, below TLS 1.3,
 * brainpoolP256r1; signatures ECDSA.
 *
 * With a seeded crypto the same calls with the same octets give the same octets. */
#ifndef OS_TLS_H
#define OS_TLS_H

#include "os/buf.h"
#include "os/crypto.h"
#include "os/x509.h"

enum {
    TLS_MAX_NAME = 253, /* a DNS name, or an address as text */
    TLS_MAX_CI = 8,
    TLS_MIN_MTU = 256,
    TLS_MTU = 1200,        /* unless the options say otherwise */
    TLS_MAX_PLAIN = 16384, /* in one record (RFC 8446 5.1) */
    TLS_MAX_SESSION = 8 * 1024,
    TLS_NO_ALERT = -1,
};

enum tls_state {
    TLS_HANDSHAKING,
    TLS_OPEN,
    TLS_CLOSED, /* by close_notify of either side */
    TLS_FAILED,
};

/* DTLS 1.2 is the only version of datagrams. */
enum tls_version { TLS_VERSION_ANY, TLS_VERSION_1_2, TLS_VERSION_1_3 };

enum tls_trust_kind {
    TLS_TRUST_NOTHING,
    TLS_TRUST_SPKI,        /* the server's SubjectPublicKeyInfo is this one; nothing else counts */
    TLS_TRUST_CERTIFICATE, /* the server's certificate is this one, or this one issued it */
    TLS_TRUST_CI,          /* it chains to the key of a GSMA CI */
};

/* A CI: its PKID (SKI_LEN octets) and PK.CI.ECDSA. */
struct tls_ci {
    struct rd ski;
    const struct ec_pub *key; /* borrowed until tls_close() */
};

struct tls_trust {
    enum tls_trust_kind kind;
    struct rd pinned; /* SubjectPublicKeyInfo or Certificate, DER */
    const struct tls_ci *cis;
    size_t n_cis;
    /* With TLS_TRUST_CI: the roles that may answer, of enum cert_role; 0: any server. */
    unsigned roles;
};

struct tls_options {
    bool datagram;
    /* Sent as SNI, unless it is an address; must be in the certificate's subjectAltName.  May be
     * NULL with TLS_TRUST_SPKI only. */
    const char *server_name;
    struct tls_trust trust; /* copied, but for the CIs' keys */
    enum tls_version min, max;
    size_t mtu;          /* octets of a datagram, without IP and UDP; 0: TLS_MTU */
    size_t max_fragment; /* to ask for: 512, 1024, 2048, 4096 (RFC 6066 4); 0: not */
    int64_t now;         /* seconds since 1970; 0: unknown, and then no date is checked */
    bool resumable;      /* ask for a ticket; in TLS 1.3 servers send them unasked */
    struct rd session;   /* what tls_session() gave, or empty; ignored when it does not fit */
};

struct tls;

/* Borrows crypto until tls_close().  ERR_INPUT for options that make no sense, such as a pinned
 * certificate that is none; ERR_NOMEM, ERR_CRYPTO. */
int tls_open(struct crypto *c, const struct tls_options *options, struct tls **ret);
void tls_close(struct tls **t);

enum tls_state tls_state(const struct tls *t);

/* For the trace: why the state is TLS_FAILED, or "". */
const char *tls_failure(const struct tls *t);
/* The fatal alert that was sent or received, or TLS_NO_ALERT. */
int tls_alert(const struct tls *t);

/* "TLSv1.3 TLS_AES_128_GCM_SHA256", and whether a session was resumed. */
void tls_describe(const struct tls *t, char *ret, size_t size);
bool tls_resumed(const struct tls *t);
/* The subject of the server's certificate, "/CN=eim.example.com"; octets that are no printable
 * ASCII as \xHH. */
void tls_peer(const struct tls *t, char *ret, size_t size);

/* Octets from the channel, in any pieces.  Returns how many were taken: fewer only of a stream
 * whose plain text waits for tls_receive(), or all after the end.  Datagrams may come in pieces
 * too: DTLS records are found by their headers, and tls_feed_end(), to be called when the
 * terminal's buffer has run empty, drops the beginning of one that will not be completed. */
size_t tls_feed(struct tls *t, struct rd octets);
void tls_feed_end(struct tls *t);

/* The channel has ended.  Of a stream that is TLS_FAILED unless close_notify came before: what was
 * received may have been cut short (RFC 8446 6.1). */
void tls_eof(struct tls *t);

/* What tls_take() has: octets of a stream, or the length of the next datagram. */
size_t tls_waiting(const struct tls *t);
/* Octets for the channel, as many as are there and fit; of datagrams the next one, or 0 when size
 * is too small for it. */
size_t tls_take(struct tls *t, uint8_t *ret, size_t size);

/* Plain text to the server.  Returns how many octets were taken, 0 for now when the state is not
 * TLS_OPEN or too much waits in tls_take().  In datagram mode one call is one record and one
 * datagram, all or nothing; tls_send_max() is what fits. */
size_t tls_send(struct tls *t, struct rd plain);
size_t tls_send_max(const struct tls *t);

/* Plain text from the server, 0 when there is none now.  In datagram mode one record, of which
 * what does not fit is lost. */
size_t tls_receive(struct tls *t, uint8_t *ret, size_t size);

/* Says close_notify; nothing is received any more. */
void tls_shutdown(struct tls *t);

/* DTLS: how many seconds to wait for the server before tls_timeout(), 0: no timer.  The timer
 * starts anew whenever tls_take() gave a datagram, and stops when this is 0.  No clock but the
 * caller's decides: 1 s, 2 s, 4 s ... (RFC 6347 4.2.4.1). */
unsigned tls_timer(const struct tls *t);
void tls_timeout(struct tls *t);

/* What resumes this session later, TLS_MAX_SESSION octets at most; it holds keys.  With TLS 1.3 it
 * is there after the first tls_feed() behind the handshake.  ERR_INPUT when there is none,
 * ERR_NOMEM. */
int tls_session(struct tls *t, struct wr *ret);

#endif
