/* tls_queue.h - what stands between OpenSSL and a channel: bounded queues of octets or datagrams,
 * and the BIO over them.  Shared by os/tls.c and os/tls_queue.c.
 *
 * OpenSSL reads from in and writes to out; os/tls.c moves octets between those and its caller.  In
 * datagram mode each write is one datagram, and what arrives is cut into DTLS records by their
 * headers, because a terminal need not keep the bounds of datagrams (TS 102 223 6.4.29).
 *
 * Retransmission.  OpenSSL's DTLS timer reads the wall clock and cannot be told the time.  So it is
 * told, by DTLS_set_timer_cb(), that each flight of the handshake waits one microsecond: when it
 * next finds no answer to read it writes the flight again, with fresh record numbers as RFC 6347
 * 4.2.4 demands.  Those copies, TLS_LINK_ATTEMPTS of them, are kept in again[]; tls_link_timeout()
 * releases one when the caller's own timer says so.  After the last copy OpenSSL is told to wait
 * for more than an hour, and whatever it then repeats is dropped. */
#ifndef OS_TLS_QUEUE_H
#define OS_TLS_QUEUE_H

#include "os/buf.h"

struct bio_st;        /* BIO */
struct bio_method_st; /* BIO_METHOD */

enum {
    TLS_LINK_MAX_IN = 20 * 1024,  /* more than one record of the longest form (RFC 8446 5.2) */
    TLS_LINK_MAX_OUT = 16 * 1024, /* a flight, or some records of data */
    TLS_LINK_MAX_AGAIN = 4 * 1024,
    TLS_LINK_ATTEMPTS = 5,
    DTLS_HEADER_LEN = 13,
    DTLS_MAX_RECORD = DTLS_HEADER_LEN + 16384 + 2048, /* RFC 6347 4.1 */
};

/* First in, first out; grows up to its bound and gives its memory back when it runs empty. */
struct queue {
    struct wr w;
    size_t at; /* octets at the front that are gone */
};

void queue_init(struct queue *q, size_t max);
void queue_done(struct queue *q);
size_t queue_n(const struct queue *q);
size_t queue_room(const struct queue *q);
/* All or nothing: false when it does not fit. */
bool queue_put(struct queue *q, struct rd octets);
size_t queue_take(struct queue *q, uint8_t *ret, size_t size);

/* The same with bounds kept.  queue_next() is the length of the first one, 0 when there is none;
 * what of a datagram does not fit into size is lost. */
bool queue_put_datagram(struct queue *q, struct rd datagram);
size_t queue_next(const struct queue *q);
size_t queue_take_datagram(struct queue *q, uint8_t *ret, size_t size);

struct tls_link {
    bool datagram;
    bool ended; /* nothing more will come in */
    size_t mtu; /* octets of a datagram */
    struct queue in, out;
    struct wr part;                        /* of a DTLS record */
    struct queue again[TLS_LINK_ATTEMPTS]; /* the last flight, for tls_link_timeout() */
    unsigned made;                         /* of again[] */
    unsigned fired;                        /* of again[] */
    bool repeating;                        /* OpenSSL writes copy number made */
};

void tls_link_init(struct tls_link *l, bool datagram, size_t mtu);
void tls_link_done(struct tls_link *l);

/* Octets from the channel: how many were taken.  In datagram mode always all of them. */
size_t tls_link_feed(struct tls_link *l, struct rd octets);

/* The channel has no more for now: the part of a record that is here will not be completed. */
void tls_link_feed_end(struct tls_link *l);

/* Forgets the copies of the last flight. */
void tls_link_forget(struct tls_link *l);

/* A copy of the last flight goes out; false when none is left. */
bool tls_link_timeout(struct tls_link *l);

/* For DTLS_set_timer_cb(): how long OpenSSL's timer runs, in microseconds, when it ran last so long
 * (0: a new flight). */
unsigned tls_link_timer(struct tls_link *l, unsigned last);

/* OpenSSL's kind of object for a link; NULL when OpenSSL refuses. */
struct bio_method_st *tls_link_bio_method(void);
void tls_link_bio_method_free(struct bio_method_st *method);
/* A BIO over a link that lives longer; NULL when OpenSSL refuses. */
struct bio_st *tls_link_bio(const struct bio_method_st *method, struct tls_link *l);

#endif
