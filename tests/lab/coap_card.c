/* coap_card.c - the card's CoAP and DTLS through a UDP socket, for test_eim_coap.py.
 *
 * usage: coap_card PORT CERTIFICATE.der PATH SZX LOST FILE...
 *
 * Each FILE is POSTed to PATH at 127.0.0.1:PORT, in blocks of 2 ** (SZX + 4) octets, all in one
 * DTLS session; the answer goes to FILE.answer, and a line says its code and Max-Age.  LOST are
 * ordinals of datagrams, those sent and those received counted together from 0, that are lost:
 * "3,4", or
 * "-".  The last line is how many datagrams there were.  With raw for SZX each FILE is a message as
 * it is, and FILE.answer the next one that comes. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "applets/ipae/coap.h"
#include "os/tls.h"

enum {
    SECOND_MS = 100, /* of the card's timers */
    MAX_SECONDS = 100,
    MAX_BODY = 2 * 1024 * 1024,
    MAX_DATAGRAM = 2048,
    NO_DEADLINE = -1,
};

struct card {
    struct tls *tls;
    struct coap coap;
    int fd;
    const char *lost;
    unsigned n_datagrams;
    long deadline;
};

static void give_up(const char *why)
{
    printf("failed: %s\n", why);
    exit(1);
}

static long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void set_deadline(struct card *card, unsigned seconds)
{
    card->deadline = seconds == 0 ? NO_DEADLINE : now_ms() + (long)seconds * SECOND_MS;
}

/* Counts a datagram; is it among the lost? */
static bool is_lost(struct card *card)
{
    unsigned long n = card->n_datagrams++;
    const char *at = card->lost;
    char *end;

    while (*at >= '0' && *at <= '9') {
        if (strtoul(at, &end, 10) == n)
            return true;
        at = *end == ',' ? end + 1 : end;
    }
    return false;
}

static void send_all(struct card *card)
{
    uint8_t datagram[MAX_DATAGRAM];
    size_t n;

    while ((n = tls_take(card->tls, datagram, sizeof datagram)) > 0)
        if (!is_lost(card) && send(card->fd, datagram, n, 0) < 0)
            give_up("send");
}

/* Waits for a datagram; false when the timer runs out. */
static bool receive(struct card *card)
{
    uint8_t datagram[MAX_DATAGRAM];
    struct pollfd p = { .fd = card->fd, .events = POLLIN };
    long wait = card->deadline == NO_DEADLINE ? -1 : card->deadline - now_ms();

    if (card->deadline != NO_DEADLINE && wait < 0)
        wait = 0;
    if (poll(&p, 1, (int)wait) <= 0)
        return false;
    ssize_t n = recv(card->fd, datagram, sizeof datagram, 0);
    if (n < 0)
        give_up("recv: nobody listens");
    if (is_lost(card))
        return true;
    tls_feed(card->tls, rd_of(datagram, (size_t)n));
    tls_feed_end(card->tls);
    return true;
}

static void shake_hands(struct card *card)
{
    while (tls_state(card->tls) == TLS_HANDSHAKING) {
        if (tls_waiting(card->tls) > 0) {
            send_all(card);
            set_deadline(card, tls_timer(card->tls));
        }
        if (!receive(card))
            tls_timeout(card->tls);
    }
    send_all(card);
    if (tls_state(card->tls) != TLS_OPEN)
        give_up(tls_failure(card->tls));
}

static void send_messages(struct card *card)
{
    struct rd message;
    unsigned seconds;

    while (coap_take_datagram(&card->coap, &message))
        if (tls_send(card->tls, message) != message.n)
            give_up("a message that is no record");
    if (coap_take_timer(&card->coap, &seconds))
        set_deadline(card, seconds);
    send_all(card);
}

static void exchange(struct card *card, const struct coap_call *call, struct wr *answer)
{
    uint8_t message[MAX_DATAGRAM];
    size_t n;

    if (coap_request(&card->coap, call, answer) != 0)
        give_up("a request that cannot be said");
    send_messages(card);
    while (card->coap.state == COAP_SENT || card->coap.state == COAP_ACKED) {
        if (!receive(card))
            coap_timeout(&card->coap);
        while ((n = tls_receive(card->tls, message, sizeof message)) > 0)
            coap_feed_datagram(&card->coap, rd_of(message, n));
        if (tls_state(card->tls) != TLS_OPEN)
            give_up("the session has ended");
        send_messages(card);
    }
    if (card->coap.state != COAP_DONE)
        give_up(card->coap.reason);
}

static void slurp(const char *path, struct wr *ret)
{
    FILE *f = fopen(path, "rb");
    uint8_t piece[4096];
    size_t n;

    wr_init_heap(ret, MAX_BODY);
    if (f == NULL)
        give_up(path);
    while ((n = fread(piece, 1, sizeof piece, f)) > 0)
        wr_put(ret, piece, n);
    fclose(f);
    if (wr_failed(ret) != 0)
        give_up("a file that is too long");
}

static void spill(const char *path, struct rd octets)
{
    char name[256];

    snprintf(name, sizeof name, "%s.answer", path);
    FILE *f = fopen(name, "wb");
    if (f == NULL || fwrite(octets.p, 1, octets.n, f) != octets.n || fclose(f) != 0)
        give_up(name);
}

static void post(struct card *card, const char *path, unsigned szx, const char *file)
{
    struct wr body, answer;

    slurp(file, &body);
    wr_init_heap(&answer, MAX_BODY);
    const struct coap_call call = {
        .method = COAP_POST,
        .path = path,
        .szx = szx,
        .body = wr_view(&body),
    };
    exchange(card, &call, &answer);
    spill(file, wr_view(&answer));
    printf("%u.%02u %u\n", (unsigned)card->coap.code >> 5, (unsigned)card->coap.code & 31,
           (unsigned)card->coap.max_age);
    wr_done(&answer);
    wr_done(&body);
}

static void send_raw(struct card *card, const char *file)
{
    uint8_t message[MAX_DATAGRAM];
    struct wr body;
    size_t n = 0;

    slurp(file, &body);
    if (tls_send(card->tls, wr_view(&body)) != body.n)
        give_up("a message that is no record");
    send_all(card);
    set_deadline(card, MAX_SECONDS);
    while (n == 0) {
        if (!receive(card))
            give_up("no answer");
        n = tls_receive(card->tls, message, sizeof message);
    }
    spill(file, rd_of(message, n));
    wr_done(&body);
}

static int open_socket(unsigned long port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&at, sizeof at) != 0)
        give_up("socket");
    return fd;
}

static void begin(struct card *card, struct crypto *c, struct rd certificate)
{
    uint8_t random[COAP_RANDOM_LEN];
    const struct tls_options options = {
        .datagram = true,
        .server_name = "127.0.0.1",
        .trust = { .kind = TLS_TRUST_CERTIFICATE, .pinned = certificate },
    };

    if (crypto_random(c, random, sizeof random) != 0 || tls_open(c, &options, &card->tls) != 0)
        give_up("no session");
    coap_init(&card->coap, random);
    shake_hands(card);
}

int main(int argc, char **argv)
{
    static struct card card;
    struct wr certificate;

    if (argc < 7)
        return 2;
    alarm(MAX_SECONDS);
    struct crypto *c = crypto_new(rd_of(NULL, 0));
    if (c == NULL)
        give_up("OpenSSL");
    card.fd = open_socket(strtoul(argv[1], NULL, 10));
    card.lost = argv[5];
    slurp(argv[2], &certificate);
    begin(&card, c, wr_view(&certificate));
    for (int i = 6; i < argc; i++) {
        if (strcmp(argv[4], "raw") == 0)
            send_raw(&card, argv[i]);
        else
            post(&card, argv[3], (unsigned)strtoul(argv[4], NULL, 10), argv[i]);
    }
    tls_shutdown(card.tls);
    send_all(&card);
    printf("%u\n", card.n_datagrams);
    tls_close(&card.tls);
    wr_done(&certificate);
    crypto_free(&c);
    close(card.fd);
    return 0;
}
