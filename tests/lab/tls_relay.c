/* tls_relay.c - os/tls between two pipes, for test_tls_peers.py, which has the sockets.
 *
 * usage: tls_relay tls12|tls13|dtls12 NAME spki|certificate FILE.der [SESSION]
 *
 * Standard input: frames of kind (1 octet), length (2) and octets: N from the network, E the
 * terminal's buffer is empty, P plain text to send, T the timer has run out, Q close_notify, X the
 * channel ended. After each frame, and once before, the answer: frames N and P, S the session, and
 * at last one of kind 'D', whose text is: state, seconds of the timer, whether resumed, description
 * or failure. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/tls.h"

enum { MAX_FRAME = 0xFFFF };

static void put(char kind, struct rd octets)
{
    putchar(kind);
    putchar((int)(octets.n >> 8));
    putchar((int)(octets.n & 0xFF));
    fwrite(octets.p, 1, octets.n, stdout);
}

static void put_session(struct tls *t)
{
    static uint8_t octets[TLS_MAX_SESSION];
    struct wr session;

    wr_init(&session, octets, sizeof octets);
    if (tls_session(t, &session) == 0)
        put('S', wr_view(&session));
}

static void answer(struct tls *t)
{
    static const char *const states[] = { [TLS_HANDSHAKING] = "handshaking",
                                          [TLS_OPEN] = "open",
                                          [TLS_CLOSED] = "closed",
                                          [TLS_FAILED] = "failed" };
    static uint8_t octets[MAX_FRAME];
    char line[512], description[80];
    size_t n;

    while ((n = tls_receive(t, octets, TLS_MAX_PLAIN)) > 0)
        put('P', rd_of(octets, n));
    while ((n = tls_take(t, octets, 1400)) > 0)
        put('N', rd_of(octets, n));
    put_session(t);
    tls_describe(t, description, sizeof description);
    snprintf(line, sizeof line, "%s %u %d %s", states[tls_state(t)], tls_timer(t), tls_resumed(t),
             tls_state(t) == TLS_FAILED ? tls_failure(t) : description);
    put('D', rd_str(line));
    fflush(stdout);
}

static bool next(char *ret_kind, uint8_t *octets, size_t *ret_n)
{
    uint8_t header[3];

    if (fread(header, 1, sizeof header, stdin) != sizeof header)
        return false;
    *ret_kind = (char)header[0];
    *ret_n = (size_t)header[1] << 8 | header[2];
    return fread(octets, 1, *ret_n, stdin) == *ret_n;
}

static void serve(struct tls *t)
{
    static uint8_t octets[MAX_FRAME];
    char kind;
    size_t n;

    answer(t);
    while (next(&kind, octets, &n)) {
        if (kind == 'N')
            tls_feed(t, rd_of(octets, n));
        else if (kind == 'E')
            tls_feed_end(t);
        else if (kind == 'P')
            tls_send(t, rd_of(octets, n));
        else if (kind == 'T')
            tls_timeout(t);
        else if (kind == 'Q')
            tls_shutdown(t);
        else if (kind == 'X')
            tls_eof(t);
        answer(t);
    }
}

static struct rd slurp(const char *path, uint8_t *octets, size_t size)
{
    FILE *f = fopen(path, "rb");
    size_t n = f != NULL ? fread(octets, 1, size, f) : 0;

    if (f == NULL || n == 0) {
        perror(path);
        exit(2);
    }
    fclose(f);
    return rd_of(octets, n);
}

int main(int argc, char **argv)
{
    static uint8_t pinned[4096], session[TLS_MAX_SESSION];

    if (argc < 5)
        return 2;
    struct tls_options o = {
        .datagram = strcmp(argv[1], "dtls12") == 0,
        .min = strcmp(argv[1], "tls13") == 0 ? TLS_VERSION_1_3 : TLS_VERSION_1_2,
        .max = strcmp(argv[1], "tls12") == 0 ? TLS_VERSION_1_2 : TLS_VERSION_ANY,
        .server_name = argv[2],
        .trust = { .kind = strcmp(argv[3], "spki") == 0 ? TLS_TRUST_SPKI : TLS_TRUST_CERTIFICATE,
                   .pinned = slurp(argv[4], pinned, sizeof pinned) },
        .mtu = 600,
        .resumable = true,
    };
    if (argc > 5)
        o.session = slurp(argv[5], session, sizeof session);
    struct crypto *c = crypto_new(rd_of(NULL, 0));
    struct tls *t = NULL;
    if (c == NULL || tls_open(c, &o, &t) != 0)
        return 1;
    serve(t);
    tls_close(&t);
    crypto_free(&c);
    return 0;
}
