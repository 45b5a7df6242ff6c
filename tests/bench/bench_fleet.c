/* bench_fleet.c - what a card of a fleet costs: CPU time of a poll on its side, from the terminal's
 * event to the sleep after it, against a bare TLS handshake of OpenSSL's with the same server, the
 * same suite and the same check of the server's certificate; and memory a card, asleep and while
 * all of them poll.  The eIM is another process.
 *
 * usage: bench_fleet SOFTEUICC_LAB */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <event2/event.h>
#include <openssl/ssl.h>

#include "lab/fleet.h"
#include "os/err.h"
#include "os/tls_trust.h"
#include "os/tlv.h"
#include "tests/bench/child.h"
#include "tests/bench/report.h"

enum {
    ROUNDS = 200,
    CARDS = 1000,
    PATH_LEN = 96,
    RULE_LEN = 64,
    CONFIG_MAX = 16 * 1024,
    DESCRIPTORS = 2 * CARDS,
    TAG_SEQUENCE = 0x30,
    TAG_TRUSTED_TLS = 0xA6, /* trustedPublicKeyDataTls (SGP.32 2.11.1.1.1) */
    TAG_CERTIFICATE = 0xA1,
};

#define HOST "127.0.0.1"

struct bench {
    const char *program;
    char folder[32];
    pid_t eim;
    uint16_t port;
    struct wr config;
    struct event_base *base;
    struct address_map map;
    struct fleet *fleet;
};

/* --- the eIM ---------------------------------------------------------------------------------- */

static void path_of(const struct bench *b, const char *name, char ret[PATH_LEN])
{
    snprintf(ret, PATH_LEN, "%s/%s", b->folder, name);
}

static pid_t start(const struct bench *b, char *const arguments[])
{
    pid_t pid = fork();

    if (pid == 0) {
        int nothing = open("/dev/null", O_WRONLY);
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* a benchmark that fails leaves nothing running */
        dup2(nothing, STDOUT_FILENO);
        execv(b->program, arguments);
        _exit(127);
    }
    insist(pid > 0, "a process");
    return pid;
}

static void do_eim(const struct bench *b, char *const arguments[])
{
    int status = -1;

    insist(waitpid(start(b, arguments), &status, 0) > 0 && status == 0, "softeuicc-lab eim");
}

/* "eIM eim1 at https://..., listening at 127.0.0.1:40000" */
static uint16_t read_port(const char *path)
{
    char line[512];
    FILE *f = fopen(path, "r");
    unsigned long port = 0;

    if (f == NULL)
        return 0;
    if (fgets(line, sizeof line, f) != NULL && strrchr(line, ':') != NULL)
        port = strtoul(strrchr(line, ':') + 1, NULL, 10);
    fclose(f);
    return (uint16_t)port;
}

/* The cards know it at port 443; nothing is to be learned of them, so that a poll is one question.
 */
static void start_eim(struct bench *b)
{
    char db[PATH_LEN], config[PATH_LEN], ready[PATH_LEN];
    char eim[] = "eim", new[] = "new", fqdn[] = "--fqdn", host[] = HOST, learn[] = "--learn",
         no[] = "no", write[] = "config", out[] = "--out", serve[] = "serve", port[] = "--port",
         any[] = "0", register_any[] = "--register-any", ready_file[] = "--ready-file",
         name[] = "softeuicc-lab";
    struct lab_error e = { "" };

    path_of(b, "eim", db);
    path_of(b, "config", config);
    path_of(b, "ready", ready);
    do_eim(b, (char *[]){ name, eim, new, db, fqdn, host, learn, no, NULL });
    do_eim(b, (char *[]){ name, eim, write, db, out, config, NULL });
    b->eim = start(
        b, (char *[]){ name, eim, serve, db, port, any, register_any, ready_file, ready, NULL });
    while ((b->port = read_port(ready)) == 0)
        insist(waitpid(b->eim, NULL, WNOHANG) == 0, "the eIM serves");
    wr_init_heap(&b->config, CONFIG_MAX);
    insist(file_read(config, &b->config, &e) == 0, e.text);
}

static void stop_eim(struct bench *b)
{
    static const char *const files[] = { "eim", "eim-wal", "eim-shm", "config", "ready" };
    char path[PATH_LEN];

    kill(b->eim, SIGTERM);
    insist(waitpid(b->eim, NULL, 0) == b->eim, "the eIM ends");
    for (size_t i = 0; i < N_ELEMS(files); i++) {
        path_of(b, files[i], path);
        unlink(path);
    }
    insist(rmdir(b->folder) == 0, "a folder that is empty again");
    wr_done(&b->config);
}

/* --- the fleet -------------------------------------------------------------------------------- */

/* Cards that have booted and wait for service. */
static void start_fleet(struct bench *b, size_t n)
{
    static const struct softeuicc_setting settings[] = {
        { "ipae", "on" },
        { "ipae_delay", "0" },
        { "ipae_poll", "86400" },
    };
    char rule[RULE_LEN];
    struct lab_error e = { "" };
    struct fleet_config config = {
        .n = n,
        .eim = { b->config.p, b->config.n },
        .settings = settings,
        .n_settings = N_ELEMS(settings),
        .map = &b->map,
    };

    b->base = event_base_new();
    insist(b->base != NULL, "an event loop");
    config.base = b->base;
    snprintf(rule, sizeof rule, HOST ":443=" HOST ":%u", b->port);
    b->map.n = 0;
    insist(address_map_add(&b->map, rule, &e) == 0, e.text);
    terminal_device_init(&config.device);
    config.device.poll_s = 0;
    config.device.attach_ms = 0;
    config.device.service = SERVICE_NONE;
    insist(fleet_new(&config, &b->fleet, &e) == 0 && fleet_start(b->fleet, &e) == 0, e.text);
    for (size_t i = 0; i < n; i++)
        while (i >= b->fleet->started || !terminal_is_idle(b->fleet->cards[i].terminal))
            event_base_loop(b->base, EVLOOP_ONCE);
}

static void end_fleet(struct bench *b)
{
    fleet_free(&b->fleet);
    event_base_free(b->base);
}

static bool rests(const struct fleet_card *c)
{
    return terminal_is_idle(c->terminal) && terminal_open_channels(c->terminal) == 0 &&
           !c->watch.talking;
}

static void attach(struct fleet_card *c)
{
    terminal_set_service(c->terminal, SERVICE_NORMAL);
}

static void skip(struct fleet_card *c)
{
    insist(terminal_skip(c->terminal), "the card sleeps");
}

/* CPU time from the event to rest. */
static double poll_once(struct bench *b, size_t i, void (*wake)(struct fleet_card *c))
{
    struct fleet_card *c = &b->fleet->cards[i];
    uint64_t polls = c->watch.polls;

    double begun = cpu_us();
    wake(c);
    while (c->watch.polls == polls || !rests(c))
        event_base_loop(b->base, EVLOOP_ONCE);
    double taken = cpu_us() - begun;
    insist(c->watch.failed == 0, "the card is answered");
    return taken;
}

/* --- the bare handshake ----------------------------------------------------------------------- */

struct bare_tls {
    struct crypto *crypto;
    SSL_CTX *ctx;
    struct wr pinned;
    struct trust_cache trusted;
    struct trust trust;
    SSL_SESSION *session; /* the latest */
};

static int check_trust(X509_STORE_CTX *ctx, void *p)
{
    return trust_check(&((struct bare_tls *)p)->trust, ctx) == NULL;
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct bare_tls *t = SSL_get_app_data(ssl);

    SSL_SESSION_free(t->session);
    t->session = session;
    return 1;
}

/* What the card trusts the eIM by. */
static void read_trust(struct bare_tls *t, struct rd config)
{
    struct tls_options options = { .server_name = HOST,
                                   .trust = { .kind = TLS_TRUST_CERTIFICATE },
                                   .now = (int64_t)time(NULL) };
    struct tlv whole, outer, certificate;

    insist(tlv_get(&config, &whole) == 0 && tlv_find(whole.value, TAG_TRUSTED_TLS, &outer) &&
               tlv_find(outer.value, TAG_CERTIFICATE, &certificate),
           "the eIM's configuration has a certificate for TLS");
    wr_init_heap(&t->pinned, CONFIG_MAX);
    tlv_put(&t->pinned, TAG_SEQUENCE, certificate.value);
    options.trust.pinned = wr_view(&t->pinned);
    insist(trust_init(&t->trust, t->crypto, &options, &t->trusted) == 0, "the trust of the card");
}

static void begin_bare(struct bare_tls *t, struct rd config)
{
    char groups[] = "P-256", algorithms[] = "ECDSA+SHA256:ECDSA+SHA384";

    *t = (struct bare_tls){ .crypto = crypto_new(rd_of(NULL, 0)),
                            .ctx = SSL_CTX_new(TLS_client_method()) };
    insist(t->crypto != NULL && t->ctx != NULL, "OpenSSL");
    read_trust(t, config);
    SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(t->ctx, keep_session);
    SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(t->ctx, check_trust, t);
    insist(SSL_CTX_set_ciphersuites(t->ctx, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384") == 1 &&
               SSL_CTX_set1_groups_list(t->ctx, groups) == 1 &&
               SSL_CTX_set1_sigalgs_list(t->ctx, algorithms) == 1,
           "the card's choices");
}

static void end_bare(struct bare_tls *t)
{
    SSL_SESSION_free(t->session);
    trust_done(&t->trust);
    trust_cache_done(&t->trusted);
    wr_done(&t->pinned);
    SSL_CTX_free(t->ctx);
    crypto_free(&t->crypto);
}

static int connect_to(uint16_t port)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
    } at = { .v4 = { .sin_family = AF_INET, .sin_port = htons(port) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    inet_pton(AF_INET, HOST, &at.v4.sin_addr);
    insist(fd >= 0 && connect(fd, &at.any, sizeof at.v4) == 0, "a connection");
    return fd;
}

/* Connection, handshake, the server's tickets, close_notify. */
static double bare_once(struct bare_tls *t, uint16_t port, bool resume)
{
    SSL_SESSION *session = resume ? SSL_SESSION_dup(t->session) : NULL; /* used up by its use */
    double begun = cpu_us();
    int fd = connect_to(port);
    SSL *ssl = SSL_new(t->ctx);

    insist(ssl != NULL && SSL_set_app_data(ssl, t) == 1 && SSL_set_fd(ssl, fd) == 1, "an SSL");
    insist(!resume || SSL_set_session(ssl, session) == 1, "a session");
    insist(SSL_connect(ssl) == 1, "a handshake");
    insist(SSL_session_reused(ssl) == resume, "one of the kind that is measured");
    SSL_shutdown(ssl);
    SSL_free(ssl);
    close(fd);
    double taken = cpu_us() - begun;
    SSL_SESSION_free(session);
    return taken;
}

/* A ticket comes behind the handshake: something has to be read for it. */
static void get_ticket(struct bare_tls *t, uint16_t port)
{
    static const char request[] = "POST / HTTP/1.1\r\nHost: " HOST "\r\nContent-Length: 0\r\n\r\n";
    char answer[4096];
    int fd = connect_to(port);
    SSL *ssl = SSL_new(t->ctx);

    insist(ssl != NULL && SSL_set_app_data(ssl, t) == 1 && SSL_set_fd(ssl, fd) == 1 &&
               SSL_connect(ssl) == 1 &&
               SSL_write(ssl, request, sizeof request - 1) == sizeof request - 1 &&
               SSL_read(ssl, answer, sizeof answer) > 0 && t->session != NULL,
           "a ticket");
    SSL_shutdown(ssl);
    SSL_free(ssl);
    close(fd);
}

/* --- CPU -------------------------------------------------------------------------------------- */

static void report_ratio(const char *what, double *polls, double *bare, const char *aim)
{
    double of_poll = median(polls, ROUNDS), of_bare = median(bare, ROUNDS);

    report(what, "card %.0f us, bare %.0f us, ratio %.2f%s", of_poll, of_bare, of_poll / of_bare,
           aim);
}

static void measure_cpu(struct bench *b)
{
    double polls[ROUNDS], bare[ROUNDS];
    struct bare_tls t;

    start_fleet(b, ROUNDS);
    begin_bare(&t, wr_view(&b->config));
    for (size_t i = 0; i < ROUNDS; i++) {
        polls[i] = poll_once(b, i, attach);
        bare[i] = bare_once(&t, b->port, false);
    }
    report_ratio("CPU of a poll, full handshake", polls, bare, " [aim 1.4]");
    get_ticket(&t, b->port);
    for (size_t i = 0; i < ROUNDS; i++) {
        polls[i] = poll_once(b, i, skip);
        bare[i] = bare_once(&t, b->port, true);
    }
    insist(b->fleet->counts.resumed == ROUNDS, "second polls are resumed");
    report_ratio("CPU of a poll, resumed", polls, bare, "");
    end_bare(&t);
    end_fleet(b);
}

/* --- memory ----------------------------------------------------------------------------------- */

static long most(long a, long b)
{
    return a > b ? a : b;
}

/* All at once; the most that the process has in between. */
static long poll_all(struct bench *b, void (*wake)(struct fleet_card *c))
{
    uint64_t target = b->fleet->counts.polls + b->fleet->n;
    long kb = 0;

    for (size_t i = 0; i < b->fleet->n; i++)
        wake(&b->fleet->cards[i]);
    while (b->fleet->counts.polls < target) {
        event_base_loop(b->base, EVLOOP_ONCE);
        kb = most(kb, rss_anon_kb(getpid()));
    }
    for (size_t i = 0; i < b->fleet->n; i++)
        while (!rests(&b->fleet->cards[i]))
            event_base_loop(b->base, EVLOOP_ONCE);
    insist(b->fleet->counts.failed == 0, "the cards are answered");
    return kb;
}

/* Octets of the heap that one poll holds at most. */
static double heap_of_poll(struct bench *b)
{
    struct fleet_card *c = &b->fleet->cards[0];
    uint64_t polls = c->watch.polls;
    size_t asleep = mallinfo2().uordblks, at_most = asleep;

    skip(c);
    while (c->watch.polls == polls || !rests(c)) {
        event_base_loop(b->base, EVLOOP_ONCE);
        size_t now = mallinfo2().uordblks;
        at_most = now > at_most ? now : at_most;
    }
    return (double)(at_most - asleep) / 1024;
}

static void measure_memory(struct bench *b)
{
    const struct rlimit limit = { DESCRIPTORS, DESCRIPTORS };

    insist(setrlimit(RLIMIT_NOFILE, &limit) == 0, "a descriptor a card (ulimit -n)");
    start_fleet(b, 1); /* pays for OpenSSL */
    poll_once(b, 0, attach);
    end_fleet(b);
    long empty = rss_anon_kb(getpid());
    double begun = wall_us();
    start_fleet(b, CARDS);
    double made = wall_us() - begun;
    long on = rss_anon_kb(getpid());
    for (size_t i = 0; i < CARDS; i++)
        poll_once(b, i, attach);
    double heap = (double)mallinfo2().uordblks / 1024 / CARDS;
    long asleep = rss_anon_kb(getpid());
    double of_poll = heap_of_poll(b);
    long polling = poll_all(b, skip);
    report("a fleet is made and powered on", "%.2f s, %d cards, one thread", made / 1e6, CARDS);
    report("memory of a card that was powered on", "%.1f kB", (double)(on - empty) / CARDS);
    report("memory of a card that sleeps after a poll",
           "%.1f kB, %.1f kB of them in use [aim 64 kB]", (double)(asleep - empty) / CARDS, heap);
    report("memory of a card while all poll", "%.1f kB, a poll holds %.1f kB at most [aim 256 kB]",
           (double)(polling - empty) / CARDS, of_poll);
    end_fleet(b);
}

/* In a process of its own: what another measurement has freed would be used again. */
static void apart(struct bench *b, void (*measure)(struct bench *b))
{
    int status;

    pid_t pid = fork();
    if (pid == 0) {
        measure(b);
        _exit(EXIT_SUCCESS);
    }
    insist(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "a process of its own");
}

int main(int argc, char **argv)
{
    struct bench b = { .folder = "/tmp/bench-fleet-XXXXXX" };

    insist(argc == 2 && mkdtemp(b.folder) != NULL, "usage: bench_fleet SOFTEUICC_LAB");
    b.program = argv[1];
    signal(SIGPIPE, SIG_IGN);
    start_eim(&b);
    apart(&b, measure_cpu);
    apart(&b, measure_memory);
    stop_eim(&b);
    return EXIT_SUCCESS;
}
