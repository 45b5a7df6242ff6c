/* tls_queue.c - bounded queues between OpenSSL and a channel, and the BIO over them.
 *
 * State: struct tls_link, in struct tls. */
#include "os/tls_queue.h"

#include <limits.h>
#include <string.h>

#include <openssl/bio.h>

#include "os/crypto.h"

enum {
    LENGTH_LEN = 2,     /* before each datagram in a queue */
    KEEP_SIZE = 1024,   /* memory that an empty queue may keep */
    WAIT_NOT = 1,       /* microseconds; OpenSSL takes below 15 ms for now */
    WAIT_LONG = INT_MAX /* microseconds: 35 minutes */
};

/* --- queues --------------------------------------------------------------------------------- */

void queue_init(struct queue *q, size_t max)
{
    q->at = 0;
    wr_init_heap(&q->w, max);
}

/* What went through may have been plain text. */
void queue_done(struct queue *q)
{
    if (q->w.p != NULL)
        crypto_wipe(q->w.p, q->w.size);
    wr_done(&q->w);
    q->at = 0;
}

size_t queue_n(const struct queue *q)
{
    return q->w.n - q->at;
}

size_t queue_room(const struct queue *q)
{
    return q->w.max - queue_n(q);
}

/* Moves what is there to the front. */
static void close_up(struct queue *q)
{
    if (q->at == 0)
        return;
    memmove(q->w.p, q->w.p + q->at, queue_n(q));
    q->w.n -= q->at;
    q->at = 0;
}

static void consume(struct queue *q, size_t n)
{
    q->at += n;
    if (q->at < q->w.n)
        return;
    q->at = 0;
    wr_clear(&q->w);
    if (q->w.size > KEEP_SIZE)
        queue_done(q);
}

bool queue_put(struct queue *q, struct rd octets)
{
    if (octets.n > queue_room(q))
        return false;
    close_up(q);
    wr_put_rd(&q->w, octets);
    bool fits = wr_failed(&q->w) == 0;
    q->w.failed = false;
    return fits;
}

size_t queue_take(struct queue *q, uint8_t *ret, size_t size)
{
    size_t n = queue_n(q) < size ? queue_n(q) : size;

    if (n == 0)
        return 0;
    memcpy(ret, q->w.p + q->at, n);
    consume(q, n);
    return n;
}

bool queue_put_datagram(struct queue *q, struct rd datagram)
{
    const uint8_t length[LENGTH_LEN] = { (uint8_t)(datagram.n >> 8), (uint8_t)datagram.n };

    if (datagram.n == 0 || datagram.n > UINT16_MAX || LENGTH_LEN + datagram.n > queue_room(q))
        return false;
    if (!queue_put(q, rd_of(length, sizeof length)))
        return false;
    if (queue_put(q, datagram))
        return true;
    q->w.n -= LENGTH_LEN; /* out of memory */
    return false;
}

size_t queue_next(const struct queue *q)
{
    if (queue_n(q) == 0)
        return 0;
    return (size_t)q->w.p[q->at] << 8 | q->w.p[q->at + 1];
}

size_t queue_take_datagram(struct queue *q, uint8_t *ret, size_t size)
{
    size_t whole = queue_next(q);
    size_t n = whole < size ? whole : size;

    if (whole == 0)
        return 0;
    memcpy(ret, q->w.p + q->at + LENGTH_LEN, n);
    consume(q, LENGTH_LEN + whole);
    return n;
}

/* --- the link ------------------------------------------------------------------------------- */

void tls_link_init(struct tls_link *l, bool datagram, size_t mtu)
{
    *l = (struct tls_link){ .datagram = datagram, .mtu = mtu };
    queue_init(&l->in, TLS_LINK_MAX_IN);
    queue_init(&l->out, TLS_LINK_MAX_OUT);
    wr_init_heap(&l->part, DTLS_MAX_RECORD);
    for (size_t i = 0; i < TLS_LINK_ATTEMPTS; i++)
        queue_init(&l->again[i], TLS_LINK_MAX_AGAIN);
}

void tls_link_done(struct tls_link *l)
{
    queue_done(&l->in);
    queue_done(&l->out);
    wr_done(&l->part);
    tls_link_forget(l);
}

/* Takes from in what completes the part to n octets. */
static bool complete(struct tls_link *l, struct rd *in, size_t n)
{
    size_t missing = n > l->part.n ? n - l->part.n : 0;
    size_t now = missing < in->n ? missing : in->n;

    wr_put(&l->part, in->p, now);
    in->p += now;
    in->n -= now;
    return wr_failed(&l->part) == 0 && now == missing;
}

/* The length of the record that begins here, or 0 when no DTLS record begins so (RFC 6347 4.1). */
static size_t record_len(const uint8_t header[DTLS_HEADER_LEN])
{
    enum { FIRST_TYPE = 20, LAST_TYPE = 24, DTLS_MAJOR = 0xFE };
    size_t n = (size_t)header[11] << 8 | header[12];

    if (header[0] < FIRST_TYPE || header[0] > LAST_TYPE || header[1] != DTLS_MAJOR)
        return 0;
    return DTLS_HEADER_LEN + n <= DTLS_MAX_RECORD ? DTLS_HEADER_LEN + n : 0;
}

/* A record that finds no room is lost, as datagrams may be. */
static void feed_records(struct tls_link *l, struct rd in)
{
    while (in.n > 0) {
        size_t n = 0;

        if (!complete(l, &in, DTLS_HEADER_LEN)) {
            if (wr_failed(&l->part) == 0)
                return;
        } else {
            n = record_len(l->part.p);
        }
        if (n == 0) {
            wr_done(&l->part);
            return;
        }
        if (!complete(l, &in, n))
            return;
        queue_put_datagram(&l->in, wr_view(&l->part));
        wr_done(&l->part);
    }
}

size_t tls_link_feed(struct tls_link *l, struct rd octets)
{
    size_t room = queue_room(&l->in);

    if (l->datagram) {
        feed_records(l, octets);
        return octets.n;
    }
    if (octets.n > room)
        octets.n = room;
    return queue_put(&l->in, octets) ? octets.n : 0;
}

void tls_link_feed_end(struct tls_link *l)
{
    wr_done(&l->part);
}

void tls_link_forget(struct tls_link *l)
{
    for (size_t i = 0; i < TLS_LINK_ATTEMPTS; i++)
        queue_done(&l->again[i]);
    l->made = 0;
    l->fired = 0;
    l->repeating = false;
}

bool tls_link_timeout(struct tls_link *l)
{
    if (l->fired >= l->made)
        return false;
    struct queue *copy = &l->again[l->fired++];
    /* The copy and out are written alike: with lengths. */
    if (queue_n(copy) > 0)
        queue_put(&l->out, rd_of(copy->w.p + copy->at, queue_n(copy)));
    queue_done(copy);
    return true;
}

unsigned tls_link_timer(struct tls_link *l, unsigned last)
{
    if (last == 0) {
        tls_link_forget(l);
        return WAIT_NOT;
    }
    l->repeating = true;
    l->made++; /* beyond TLS_LINK_ATTEMPTS: not kept */
    return l->made < TLS_LINK_ATTEMPTS ? WAIT_NOT : WAIT_LONG;
}

/* --- the BIO -------------------------------------------------------------------------------- */

static int read_bio(BIO *b, char *ret, int size)
{
    struct tls_link *l = BIO_get_data(b);

    BIO_clear_retry_flags(b);
    l->repeating = false;
    if (size <= 0)
        return 0;
    size_t n = l->datagram ? queue_take_datagram(&l->in, (uint8_t *)ret, (size_t)size)
                           : queue_take(&l->in, (uint8_t *)ret, (size_t)size);
    if (n > 0)
        return (int)n;
    if (l->ended)
        return 0;
    BIO_set_retry_read(b);
    return -1;
}

/* A datagram without room is lost; a stream waits. */
static int write_bio(BIO *b, const char *octets, int n)
{
    struct tls_link *l = BIO_get_data(b);

    BIO_clear_retry_flags(b);
    if (n <= 0)
        return 0;
    struct rd v = rd_of(octets, (size_t)n);
    if (!l->datagram) {
        if (queue_put(&l->out, v))
            return n;
        BIO_set_retry_write(b);
        return -1;
    }
    if (!l->repeating)
        queue_put_datagram(&l->out, v);
    else if (l->made > 0 && l->made <= TLS_LINK_ATTEMPTS)
        queue_put_datagram(&l->again[l->made - 1], v);
    return n;
}

static long control_bio(BIO *b, int command, long number, void *p)
{
    const struct tls_link *l = BIO_get_data(b);

    (void)number;
    (void)p;
    switch (command) {
    case BIO_CTRL_FLUSH:
    case BIO_CTRL_DUP:
        return 1;
    case BIO_CTRL_EOF:
        return l->ended && queue_n(&l->in) == 0;
    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_MTU:
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
        return (long)l->mtu;
    default:
        return 0;
    }
}

static int create_bio(BIO *b)
{
    BIO_set_init(b, 1);
    return 1;
}

/* The type is one that BIO_get_new_index(), which has 127 of them a process, never hands out. */
struct bio_method_st *tls_link_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_TYPE_START, "CAT channel");

    if (method == NULL)
        return NULL;
    if (BIO_meth_set_read(method, read_bio) != 1 || BIO_meth_set_write(method, write_bio) != 1 ||
        BIO_meth_set_ctrl(method, control_bio) != 1 ||
        BIO_meth_set_create(method, create_bio) != 1) {
        BIO_meth_free(method);
        return NULL;
    }
    return method;
}

void tls_link_bio_method_free(struct bio_method_st *method)
{
    BIO_meth_free(method);
}

struct bio_st *tls_link_bio(const struct bio_method_st *method, struct tls_link *l)
{
    BIO *b = BIO_new(method);

    if (b != NULL)
        BIO_set_data(b, l);
    return b;
}
