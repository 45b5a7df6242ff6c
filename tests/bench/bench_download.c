/* bench_download.c - what a profile download costs the card: CPU time of AuthenticateServer,
 * PrepareDownload and all pieces of the package, in STORE DATA blocks of 255 octets, against the
 * same cryptography done bare with OpenSSL in the same run.  The server's work is not in it.
 *
 * usage: bench_download PACKAGE.der
 *
 * With SOFTEUICC_TESTDATA in the environment, the packages of its folder ts48 are measured, too. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/metadata.h"
#include "lib/softeuicc.h"
#include "tests/bench/bare.h"
#include "tests/bench/report.h"
#include "tests/fuzz/device.h"
#include "tests/fuzz/server.h"

enum {
    ROUNDS = 60,
    FILE_ROUNDS = 15,
    MESSAGE_MAX = 1 << 20,
    TAG_PROFILE_RESULT = 0xBF37,
    TAG_NOTIFICATION_LIST = 0xBF28,
};

static uint8_t response[SOFTEUICC_RESPONSE_MAX];

struct bench {
    struct softeuicc *card;
    struct device device;
    struct server server;
    struct bare *bare;
    struct wr upp, metadata;
    struct download d;
};

/* --- the messages --- */

static size_t transmit(void *ctx, const uint8_t *command, size_t n, uint8_t *ret)
{
    return softeuicc_transmit(ctx, command, n, ret);
}

static void ask(struct bench *b, struct rd request, struct wr *answer)
{
    wr_clear(answer);
    insist(device_es10(&b->device, request, DEVICE_BLOCK_MAX, answer) == 0x9000,
           "the card answers 9000");
}

/* Cuts the package as an LPA does (SGP.22 2.5.5). */
static void cut_package(struct download *d)
{
    struct rd in = wr_view(&d->package);
    struct tlv whole, t;

    insist(tlv_get(&in, &whole) == 0 && tlv_get(&whole.value, &t) == 0, "a package");
    d->pieces[0] = rd_of(d->package.p, (size_t)(t.whole.p + t.whole.n - d->package.p));
    d->n_pieces = 1;
    while (tlv_get(&whole.value, &t) == 0) {
        bool by_segments = t.tag == 0xA1 || t.tag == 0xA3;
        struct tlv segment;
        d->pieces[d->n_pieces++] = by_segments ? rd_of(t.whole.p, t.whole.n - t.value.n) : t.whole;
        while (by_segments && tlv_get(&t.value, &segment) == 0) {
            insist(d->n_pieces < BARE_PIECES_MAX - 1, "a package of bearable length");
            d->pieces[d->n_pieces++] = segment.whole;
        }
    }
}

static void bind_package(struct bench *b)
{
    struct bpp_session session = server_session(&b->server);
    uint8_t room[64];
    struct wr configure;

    wr_init(&configure, room, sizeof room);
    server_put_configure_isdp(&b->server, &configure);
    const struct bpp_content content = { .configure_isdp = wr_view(&configure),
                                         .metadata = wr_view(&b->metadata),
                                         .upp = wr_view(&b->upp) };
    wr_clear(&b->d.package);
    insist(bpp_bind(b->server.crypto, &session, &content, &b->d.package) == 0, "the server binds");
    cut_package(&b->d);
}

/* One download.  CPU time of the card in microseconds. */
static double download(struct bench *b)
{
    static const uint8_t get_challenge[] = { 0xBF, 0x2E, 0x00 };
    struct download *d = &b->d;
    struct rsp_notification result;

    ask(b, rd_of(get_challenge, sizeof get_challenge), &d->authenticate_answer);
    wr_clear(&d->authenticate);
    insist(server_authenticate(&b->server, wr_view(&d->authenticate_answer), &d->authenticate) == 0,
           "a challenge comes");
    double start = cpu_us();
    ask(b, wr_view(&d->authenticate), &d->authenticate_answer);
    double time = cpu_us() - start;

    wr_clear(&d->prepare);
    insist(server_prepare(&b->server, wr_view(&d->authenticate_answer), &d->prepare) == 0,
           "the card accepts the server");
    start = cpu_us();
    ask(b, wr_view(&d->prepare), &d->prepare_answer);
    time += cpu_us() - start;

    insist(server_agree(&b->server, wr_view(&d->prepare_answer)) == 0, "the card is prepared");
    bind_package(b);
    start = cpu_us();
    for (size_t i = 0; i < d->n_pieces; i++)
        ask(b, d->pieces[i], &d->result);
    time += cpu_us() - start;
    insist(rsp_read_notification(wr_view(&d->result), &result) == 0 && result.success,
           "the profile is installed");
    return time;
}

/* --- before and after --- */

/* Deletes the profile and removes its notifications, so that the next download finds what this one
 * found.  Counts the notifications beside the result. */
static void clear_card(struct bench *b)
{
    uint8_t room[64];
    struct wr request, answer;
    struct tlv list, one, iccid, number;
    struct rd in = wr_view(&b->metadata);

    wr_init_heap(&answer, MESSAGE_MAX);
    wr_init(&request, room, sizeof room);
    tlv_put_header(&request, TAG_NOTIFICATION_LIST, 0);
    ask(b, wr_view(&request), &answer);
    struct rd got = wr_view(&answer);
    insist(tlv_get(&got, &list) == 0 && tlv_get(&list.value, &one) == 0, "there are notifications");
    b->d.notifications = 0;
    for (struct rd all = one.value; tlv_get(&all, &one) == 0;)
        b->d.notifications++;
    b->d.notifications--;

    insist(tlv_get(&in, &one) == 0 && tlv_find(one.value, 0x5A, &iccid), "metadata has an ICCID");
    wr_clear(&request);
    struct wr_mark m = tlv_open(&request, 0xBF33);
    wr_put_rd(&request, iccid.whole);
    tlv_close(&request, m);
    ask(b, wr_view(&request), &answer);

    wr_clear(&request);
    tlv_put_header(&request, TAG_NOTIFICATION_LIST, 0);
    ask(b, wr_view(&request), &answer);
    got = wr_view(&answer);
    insist(tlv_get(&got, &list) == 0 && tlv_get(&list.value, &one) == 0, "there are notifications");
    for (struct rd all = one.value; tlv_get(&all, &one) == 0;) {
        uint8_t sent_room[16], ignored_room[16];
        struct wr sent, ignored;
        wr_init(&sent, sent_room, sizeof sent_room);
        wr_init(&ignored, ignored_room, sizeof ignored_room);
        insist(tlv_find(one.value, 0x80, &number), "a notification has a number");
        m = tlv_open(&sent, 0xBF30);
        wr_put_rd(&sent, number.whole);
        tlv_close(&sent, m);
        ask(b, wr_view(&sent), &ignored);
    }
    wr_done(&answer);
}

static void begin(struct bench *b, struct crypto *crypto, enum curve curve, const char *path)
{
    struct metadata m;
    struct lab_error why;

    memset(b, 0, sizeof *b);
    insist(server_init(&b->server, crypto, curve) == 0, "the server starts");
    b->bare = bare_new(curve);
    b->d.curve = curve;
    ec_pub_point(cert_key(b->server.identity.ci), b->d.ci_point);
    wr_init_heap(&b->upp, LAB_FILE_MAX);
    wr_init_heap(&b->metadata, MESSAGE_MAX);
    insist(file_read(path, &b->upp, &why) == 0, path);
    insist(metadata_from_upp(wr_view(&b->upp), SERVER_ADDRESS, &m, &why) == 0, why.text);
    metadata_write(&m, &b->metadata);
    struct wr *messages[] = { &b->d.authenticate, &b->d.authenticate_answer,
                              &b->d.prepare,      &b->d.prepare_answer,
                              &b->d.package,      &b->d.result };
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++)
        wr_init_heap(messages[i], 16 * MESSAGE_MAX);
}

static void end(struct bench *b)
{
    struct wr *messages[] = { &b->d.authenticate, &b->d.authenticate_answer,
                              &b->d.prepare,      &b->d.prepare_answer,
                              &b->d.package,      &b->d.result };

    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++)
        wr_done(messages[i]);
    wr_done(&b->upp);
    wr_done(&b->metadata);
    bare_free(&b->bare);
    server_done(&b->server);
}

static void use(struct bench *b, struct softeuicc *card)
{
    b->card = card;
    b->device = (struct device){ transmit, card, response };
    insist(softeuicc_power_on(card) == 0 && device_open(&b->device) == 0x9000, "the card starts");
}

static uint64_t commits(const struct bench *b)
{
    char reply[256];
    uint64_t n = 0;

    insist(softeuicc_control(b->card, "status", reply, sizeof reply) == 0, "status");
    const char *at = strstr(reply, "commits=");
    insist(at != NULL && sscanf(at, "commits=%" SCNu64, &n) == 1, "status tells the commits");
    return n;
}

/* --- measuring --- */

static void measure_memory(struct bench *b, const char *what,
                           const struct softeuicc_options *options)
{
    const struct softeuicc_new how = { .eid = NULL };
    double card_times[ROUNDS], bare_times[ROUNDS];
    char error[SOFTEUICC_ERROR_LEN] = "";
    struct softeuicc *card = NULL;

    insist(softeuicc_open_memory(&how, options, &card, error) == 0, error);
    use(b, card);
    double first = download(b);
    for (size_t i = 0; i < ROUNDS; i++) {
        clear_card(b);
        double start = cpu_us();
        bare_run(b->bare, &b->d);
        bare_times[i] = cpu_us() - start;
        card_times[i] = download(b);
    }
    softeuicc_close(&card);
    double of_card = median(card_times, ROUNDS), of_bare = median(bare_times, ROUNDS);
    report(what, "card %.0f us, bare %.0f us, ratio %.2f (the first one %.0f us) [aim 1.5]",
           of_card, of_bare, of_card / of_bare, first);
}

static void measure_file(struct bench *b, const char *what, const struct softeuicc_options *options)
{
    const struct softeuicc_new how = { .eid = NULL };
    char folder[] = "/tmp/bench-download-XXXXXX", path[64], error[SOFTEUICC_ERROR_LEN] = "";
    struct softeuicc *card = NULL;
    double times[FILE_ROUNDS];

    insist(mkdtemp(folder) != NULL, "a folder");
    snprintf(path, sizeof path, "%s/card", folder);
    insist(softeuicc_new(path, &how, options->crypto, error) == 0 &&
               softeuicc_open(path, options, &card, error) == 0,
           error);
    use(b, card);
    download(b);
    uint64_t n = 0;
    for (size_t i = 0; i < FILE_ROUNDS; i++) {
        clear_card(b);
        uint64_t before = commits(b);
        times[i] = download(b);
        n = commits(b) - before;
    }
    softeuicc_close(&card);
    unlink(path);
    insist(rmdir(folder) == 0, "a folder that is empty again");
    report(what, "card in a file %.0f us, %" PRIu64 " commits a download",
           median(times, FILE_ROUNDS), n);
}

static void measure(const char *path, const struct softeuicc_options *options)
{
    static const enum curve curves[] = { CURVE_P256, CURVE_BRAINPOOL_P256R1 };
    struct crypto *crypto = crypto_new(rd_of(NULL, 0));
    const char *name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
    char what[128];
    struct bench b;

    insist(crypto != NULL, "OpenSSL starts");
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++) {
        snprintf(what, sizeof what, "download %.60s, %s", name, curve_name(curves[i]));
        begin(&b, crypto, curves[i], path);
        measure_memory(&b, what, options);
        if (curves[i] == CURVE_P256)
            measure_file(&b, what, options);
        end(&b);
    }
    crypto_free(&crypto);
}

static int is_der(const struct dirent *d)
{
    size_t n = strlen(d->d_name);

    return n > 4 && strcmp(d->d_name + n - 4, ".der") == 0;
}

static void measure_all(const char *folder, const struct softeuicc_options *options)
{
    struct dirent **entries;
    char path[4096 + 256];

    int n = scandir(folder, &entries, is_der, alphasort);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        measure(path, options);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

int main(int argc, char **argv)
{
    const char *testdata = getenv("SOFTEUICC_TESTDATA");
    const struct softeuicc_options options = { .crypto = softeuicc_crypto_new(NULL) };
    char folder[4096];

    insist(argc == 2 && options.crypto != NULL, "usage: bench_download PACKAGE.der");
    measure(argv[1], &options);
    if (testdata != NULL && testdata[0] != '\0') {
        snprintf(folder, sizeof folder, "%s/ts48", testdata);
        measure_all(folder, &options);
    } else {
        report("download of the TS.48 packages", "skipped, SOFTEUICC_TESTDATA is not set");
    }
    struct softeuicc_crypto *crypto = options.crypto;
    softeuicc_crypto_free(&crypto);
    return EXIT_SUCCESS;
}
