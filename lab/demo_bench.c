/* demo_bench.c - everything around the story: the servers, the terminal, the card, their clock.
 *
 * The card believes in addresses of RFC 5737 and in the names of RFC 2606; the terminal's map says
 * where they are on this machine. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lab/demo.h"
#include "lab/demo_profiles.h"
#include "lab/esipa.h"
#include "lab/esipa_coap.h"
#include "lab/metadata.h"
#include "lab/name_server.h"
#include "os/err.h"
#include "os/tlv.h"

#define EIM_NAME    "eim.example.test"
#define EIM_ADDRESS "192.0.2.10"
#define DNS_ADDRESS "192.0.2.53"

/* The card's waits are at random: the same each time, so that the story is. */
static const char seed[] = "softeuicc-lab demo";

enum {
    ATTACH_MS = 500,
    CONFIG_MAX = 16 * 1024,
    PROFILE_MAX = LAB_FILE_MAX,
    RULE_LEN = 64,
    SW_LEN = 2,
    TYPE_REFRESH = 0x01, /* TS 102 223 8.6 */
    TYPE_LOCAL_INFORMATION = 0x26,
    TYPE_OPEN_CHANNEL = 0x40,
    TYPE_CLOSE_CHANNEL = 0x41,
    TYPE_CHANNEL_STATUS = 0x44,

    TAG_SEQUENCE = 0x30,
};

/* --- the folder ------------------------------------------------------------------------------- */

static const char *const files[] = { "operational.der", "eim", "eim-wal", "eim-shm",
                                     "eim-journal" };

static void path_of(const struct demo_bench *b, const char *name, char ret[DEMO_PATH_LEN])
{
    snprintf(ret, DEMO_PATH_LEN, "%.400s/%s", b->folder, name);
}

static int make_folder(struct demo_bench *b, struct lab_error *e)
{
    const char *where = getenv("TMPDIR");
    char path[DEMO_PATH_LEN];

    snprintf(path, sizeof path, "%.300s/softeuicc-demo-XXXXXX",
             where != NULL && where[0] != '\0' ? where : "/tmp");
    if (mkdtemp(path) == NULL)
        return lab_fail(e, "%s: %s", path, strerror(errno));
    memcpy(b->folder, path, sizeof path);
    return 0;
}

static int write_profile(struct demo_bench *b, struct rd package, struct lab_error *e)
{
    char path[DEMO_PATH_LEN];
    struct metadata m;

    TRY(metadata_from_upp(package, "", &m, e));
    iccid_text(rd_of(m.iccid, sizeof m.iccid), b->operational);
    if (strcmp(b->operational, DEMO_BOOTSTRAP) == 0)
        return lab_fail(e, "the card has this profile already, as its bootstrap profile");
    path_of(b, files[0], path);
    FILE *f = fopen(path, "wb");
    if (f == NULL)
        return lab_fail(e, "%s: %s", path, strerror(errno));
    bool ok = fwrite(package.p, 1, package.n, f) == package.n;
    return fclose(f) == 0 && ok ? 0 : lab_fail(e, "%s: %s", path, strerror(errno));
}

static int choose_profile(struct demo_bench *b, struct lab_error *e)
{
    struct wr package;

    if (b->profile == NULL)
        return write_profile(b, rd_of(demo_operational.p, demo_operational.n), e);
    wr_init_heap(&package, PROFILE_MAX);
    int r = file_read(b->profile, &package, e);
    if (r == 0)
        r = write_profile(b, wr_view(&package), e);
    wr_done(&package);
    return r;
}

static void remove_folder(struct demo_bench *b)
{
    char path[DEMO_PATH_LEN];

    if (b->folder[0] == '\0')
        return;
    for (size_t i = 0; i < N_ELEMS(files); i++) {
        path_of(b, files[i], path);
        unlink(path);
    }
    rmdir(b->folder);
}

/* --- the eIM ---------------------------------------------------------------------------------- */

/* What a request was, in words: "provideEimPackageResult: package". */
static void name_request(const cJSON *line, char ret[DEMO_TEXT_LEN])
{
    const char *about[] = {
        demo_log_text(cJSON_GetObjectItemCaseSensitive(line, "stateChange"), "stateChangeCause"),
        demo_log_text(cJSON_GetObjectItemCaseSensitive(line, "result"), "kind"),
        demo_log_text(cJSON_GetObjectItemCaseSensitive(line, "notification"), "operation"),
    };
    const char *more = "";

    for (size_t i = 0; i < N_ELEMS(about) && more[0] == '\0'; i++)
        more = about[i];
    snprintf(ret, DEMO_TEXT_LEN, "%.40s%s%.40s", demo_log_text(line, "function"),
             more[0] != '\0' ? ": " : "", more);
}

static const char *name_answer(const cJSON *line)
{
    static const char *const packages[][2] = {
        { "package", "a signed package" },
        { "data", "a request for data" },
        { "download", "a download trigger" },
    };
    const char *answer = demo_log_text(line, "answer");

    for (size_t i = 0; i < N_ELEMS(packages); i++)
        if (strcmp(packages[i][0], answer) == 0)
            return packages[i][1];
    if (answer[0] != '\0')
        return answer;
    return cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(line, "acknowledged")) ? "acknowledged"
                                                                                 : "done";
}

static void tell_esipa(struct demo_bench *b, size_t asked, cJSON *line, size_t n)
{
    char text[DEMO_TEXT_LEN];

    name_request(line, text);
    demo_record_change(&b->record, asked, "%s", text);
    demo_record_add(&b->record, DEMO_EIM, DEMO_CARD, n, "%s", name_answer(line));
    cJSON_Delete(line);
}

static void on_https(void *ctx, const struct https_request *request, struct https_reply *ret)
{
    struct demo_bench *b = ctx;
    struct demo_log log;

    size_t asked = demo_record_add(&b->record, DEMO_CARD, DEMO_EIM, request->body.n, "ESipa");
    b->esipa.log = demo_log_open(&log);
    esipa_handle(&b->esipa, request, ret);
    tell_esipa(b, asked, demo_log_close(&log), ret->n);
    b->esipa.log = NULL;
}

static void on_coap(void *ctx, const struct coap_server_request *request,
                    struct coap_server_reply *ret)
{
    struct demo_bench *b = ctx;
    struct demo_log log;

    size_t asked = demo_record_add(&b->record, DEMO_CARD, DEMO_EIM, request->body.n, "ESipa");
    b->esipa.log = demo_log_open(&log);
    esipa_handle_coap(&b->esipa, request, ret);
    tell_esipa(b, asked, demo_log_close(&log), ret->body->n);
    b->esipa.log = NULL;
}

static int make_eim(struct demo_bench *b, struct lab_error *e)
{
    const struct eim_choices choices = {
        .fqdn = EIM_NAME,
        .id_type = EIM_ID_PROPRIETARY,
        .curve = CURVE_P256,
        .tls_trust = TLS_TRUST_CA,
        .protocol = EIM_PROTOCOL_BOTH,
        .token = true,
        .indirect = true,
        .learn = true,
    };
    char path[DEMO_PATH_LEN];
    struct db *db = NULL;

    path_of(b, files[1], path);
    b->crypto = crypto_new(rd_of(NULL, 0));
    if (b->crypto == NULL)
        return lab_fail(e, "OpenSSL does not start");
    TRY(store_create(path, &db, e));
    int r = eim_identity_create(b->crypto, &choices, db, e);
    db_close(&db);
    if (r == 0)
        r = eim_open(b->crypto, path, rd_of(NULL, 0), &b->eim, e);
    if (r != 0)
        return r;
    b->eim->register_any = true;
    b->esipa.eim = b->eim;
    return 0;
}

static int serve_eim(struct demo_bench *b, struct lab_error *e)
{
    const struct eim_identity *id = &b->eim->identity;
    const struct https_config https = {
        .bind_address = "127.0.0.1",
        .certificate = wr_view(&id->tls_certificate),
        .key = wr_view(&id->tls_key),
        .protocol = ESIPA_PROTOCOL,
        .handler = on_https,
        .ctx = b,
    };
    const struct coap_server_config coap = {
        .bind_address = "127.0.0.1",
        .path = ESIPA_ASN1_PATH,
        .certificate = wr_view(&id->tls_certificate),
        .key = wr_view(&id->tls_key),
        .handler = on_coap,
        .ctx = b,
    };

    TRY(https_listen(&https, &b->https, e));
    return b->coap ? coap_server_listen(&coap, https_events(b->https), &b->coap_server, e) : 0;
}

/* --- DNS -------------------------------------------------------------------------------------- */

static void on_question(void *ctx, const char *name)
{
    struct demo_bench *b = ctx;

    demo_record_add(&b->record, DEMO_TERMINAL, DEMO_TERMINAL, 0, "DNS: %s", name);
}

static int serve_names(struct demo_bench *b, struct lab_error *e)
{
    const struct name_server_config config = {
        .name = EIM_NAME, .address = EIM_ADDRESS, .asked = on_question, .ctx = b
    };

    return name_server_new(&config, https_events(b->https), &b->names, e);
}

/* --- the card --------------------------------------------------------------------------------- */

/* "eim.example.test: TLSv1.3 TLS_AES_128_GCM_SHA256, resumed, certificate of ..." */
static void tell_tls(struct demo_bench *b, const char *text)
{
    const char *version = strstr(text, "TLSv1");

    if (version == NULL)
        return;
    version -= version[-1] == 'D';
    demo_record_add(&b->record, DEMO_CARD, DEMO_CARD, 0, "%.*s, %s handshake",
                    (int)strcspn(version, " "), version,
                    strstr(version, ", resumed") != NULL ? "short" : "full");
}

static void on_trace(void *ctx, enum softeuicc_event event, const char *text, const uint8_t *bytes,
                     size_t n)
{
    struct demo_bench *b = ctx;

    (void)bytes;
    (void)n;
    if (event == SOFTEUICC_COMMAND || event == SOFTEUICC_RESPONSE)
        return;
    snprintf(b->said, sizeof b->said, "%s", text);
    if (event == SOFTEUICC_TLS)
        tell_tls(b, text);
    if (b->trace != NULL)
        fprintf(b->trace, "%10.3f = %s\n", (double)b->run.clock.ms / 1000, text);
}

static int make_card(struct demo_bench *b, struct lab_error *e)
{
    static const char *const words[] = { "class=provisioning,fallback,enabled" };
    const struct softeuicc_bytes bootstrap = { demo_bootstrap.p, demo_bootstrap.n };
    const struct softeuicc_setting settings[] = {
        { "ipae", "on" },
        { "ipae_protocol", b->coap ? "coaps" : "https" },
        { "ipae_dns", DNS_ADDRESS },
        { "ipae_poll", "86400" },
        { "ipae_fallback", "7200" },
    };
    const struct softeuicc_options options = { .crypto = b->card_crypto,
                                               .trace = on_trace,
                                               .trace_ctx = b };
    char why[SOFTEUICC_ERROR_LEN] = "";
    struct wr config;

    wr_init_heap(&config, CONFIG_MAX);
    struct wr_mark entry = tlv_open(&config, TAG_SEQUENCE);
    int r = eim_config_fields(b->crypto, &b->eim->identity, &config);
    tlv_close(&config, entry);
    if (r == 0)
        r = wr_failed(&config);
    if (r == 0) {
        const struct softeuicc_bytes eim = { config.p, config.n };
        const struct softeuicc_new how = {
            .settings = settings,
            .n_settings = N_ELEMS(settings),
            .profiles = &bootstrap,
            .n_profiles = 1,
            .profile_words = words,
            .eims = &eim,
            .n_eims = 1,
        };
        r = softeuicc_open_memory(&how, &options, &b->card, why);
    }
    wr_done(&config);
    if (r != 0)
        return lab_fail(e, "the card: %s", why);
    return softeuicc_eid(b->card, b->eid) ? 0 : lab_fail(e, "the card has no EID");
}

static int transmit(void *ctx, struct rd command, struct wr *ret, uint16_t *ret_sw,
                    struct lab_error *e)
{
    struct demo_bench *b = ctx;

    size_t n = softeuicc_transmit(b->card, command.p, command.n, b->response);
    if (n < SW_LEN)
        return lab_fail(e, "the card is mute");
    wr_put(ret, b->response, n - SW_LEN);
    *ret_sw = (uint16_t)(b->response[n - 2] << 8 | b->response[n - 1]);
    return 0;
}

static int reset(void *ctx, struct lab_error *e)
{
    struct demo_bench *b = ctx;

    return softeuicc_reset(b->card) == 0 ? 0 : lab_fail(e, "the card does not start");
}

cJSON *demo_bench_show(struct demo_bench *b)
{
    char *text = softeuicc_show(b->card, true);
    cJSON *shown = text == NULL ? NULL : cJSON_Parse(text);

    free(text);
    return shown;
}

const char *demo_enabled(const cJSON *card)
{
    const cJSON *one;

    cJSON_ArrayForEach(one, cJSON_GetObjectItemCaseSensitive(card, "profiles"))
    {
        if (strcmp(demo_log_text(one, "state"), "enabled") == 0)
            return demo_log_text(one, "iccid");
    }
    return "";
}

/* --- the terminal ----------------------------------------------------------------------------- */

static void tell_command(struct demo_bench *b, const struct terminal_note *note)
{
    switch (note->type) {
    case TYPE_REFRESH:
    case TYPE_LOCAL_INFORMATION:
    case TYPE_CLOSE_CHANNEL:
        demo_record_add(&b->record, DEMO_CARD, DEMO_TERMINAL, 0, "%s", note->name);
        break;
    default:
        break;
    }
    if (note->type >= TYPE_OPEN_CHANNEL && note->type <= TYPE_CHANNEL_STATUS)
        b->bip++;
}

/* "TCP 192.0.2.10:443 at 127.0.0.1:40000, buffer 1500" tells whom a channel is for. */
static void tell_network(struct demo_bench *b, const struct terminal_note *note)
{
    const char *at = strstr(note->text, " at ");

    if (at != NULL && (strncmp(note->text, "TCP ", 4) == 0 || strncmp(note->text, "UDP ", 4) == 0))
        demo_record_add(&b->record, DEMO_CARD, DEMO_TERMINAL, 0, "OPEN CHANNEL %.*s",
                        (int)(at - note->text), note->text);
    else if (strstr(note->text, "service") != NULL)
        demo_record_add(&b->record, DEMO_TERMINAL, DEMO_TERMINAL, 0, "%s", note->text);
}

static void print_note(struct demo_bench *b, const struct terminal_note *note)
{
    static const char marks[] = {
        [NOTE_COMMAND] = '<', [NOTE_RESPONSE] = '>', [NOTE_ENVELOPE] = '>', [NOTE_NETWORK] = '*',
        [NOTE_CARD] = '*',    [NOTE_FAULT] = '*',    [NOTE_APDU] = ' ',
    };

    if (b->trace == NULL || note->kind == NOTE_APDU)
        return;
    fprintf(b->trace, "%10.3f %c %s%s%s", (double)b->run.clock.ms / 1000, marks[note->kind],
            note->name != NULL ? note->name : "", note->name != NULL && note->text[0] ? ": " : "",
            note->text);
    if (note->kind == NOTE_RESPONSE)
        fprintf(b->trace, " [%02X%s %04X]", note->result, note->info < 0 ? "" : "+", note->sw);
    fputc('\n', b->trace);
}

static void on_note(void *ctx, const struct terminal_note *note)
{
    struct demo_bench *b = ctx;

    print_note(b, note);
    switch (note->kind) {
    case NOTE_COMMAND:
        tell_command(b, note);
        break;
    case NOTE_ENVELOPE:
        if (strcmp(note->name, "location status") == 0 ||
            strcmp(note->name, "timer expiration") == 0)
            demo_record_add(&b->record, DEMO_TERMINAL, DEMO_CARD, 0, "%s", note->name);
        break;
    case NOTE_NETWORK:
        tell_network(b, note);
        break;
    case NOTE_CARD:
        if (strcmp(note->text, "reset") == 0)
            demo_record_add(&b->record, DEMO_TERMINAL, DEMO_CARD, 0, "reset, TERMINAL PROFILE");
        break;
    default:
        break;
    }
}

static int map_port(struct demo_bench *b, const char *address, unsigned port, uint16_t here,
                    struct lab_error *e)
{
    char rule[RULE_LEN];

    snprintf(rule, sizeof rule, "%s:%u=127.0.0.1:%u", address, port, (unsigned)here);
    return address_map_add(&b->map, rule, e);
}

static int make_terminal(struct demo_bench *b, struct lab_error *e)
{
    enum { DNS_PORT = 53, HTTPS_PORT = 443 };
    struct terminal_config config;

    terminal_config_init(&config);
    config.device.attach_ms = ATTACH_MS;
    config.device.date = time(NULL); /* and from here on by the clock of the story */
    config.device.poll_s = 0;
    config.base = https_events(b->https);
    config.clock = &b->run.clock;
    config.card = (struct terminal_card){ transmit, reset, b };
    config.map = &b->map;
    config.note = on_note;
    config.ctx = b;
    TRY(terminal_run_init(&b->run, config.base, e));
    TRY(serve_names(b, e));
    TRY(map_port(b, DNS_ADDRESS, DNS_PORT, name_server_port(b->names), e));
    TRY(map_port(b, EIM_ADDRESS, HTTPS_PORT, https_port(b->https), e));
    if (b->coap)
        TRY(map_port(b, EIM_ADDRESS, COAP_SERVER_PORT, coap_server_port(b->coap_server), e));
    return terminal_new(&config, &b->run.terminal, e);
}

/* --- time ------------------------------------------------------------------------------------- */

bool demo_bench_skip(struct demo_bench *b)
{
    return terminal_run_skip(&b->run);
}

/* The networks around: what the terminal finds depends on the profile. */
static void find_network(struct demo_bench *b)
{
    cJSON *card = demo_bench_show(b);
    bool lost = b->out_of_reach && strcmp(demo_enabled(card), b->operational) == 0;

    cJSON_Delete(card);
    terminal_set_service(b->run.terminal, lost ? SERVICE_NONE : SERVICE_NORMAL);
}

void demo_bench_reach(struct demo_bench *b, bool in_reach)
{
    b->out_of_reach = !in_reach;
    find_network(b);
}

int demo_bench_turn(struct demo_bench *b, bool *ret_rests, struct lab_error *e)
{
    TRY(terminal_run_turn(&b->run, ret_rests, e));
    if (terminal_resets(b->run.terminal) == b->resets)
        return 0;
    b->resets = terminal_resets(b->run.terminal);
    if (b->out_of_reach)
        find_network(b);
    *ret_rests = false;
    return 0;
}

/* --- all of it -------------------------------------------------------------------------------- */

int demo_bench_open(struct demo_bench *b, struct lab_error *e)
{
    b->card_crypto = softeuicc_crypto_new(seed);
    if (b->card_crypto == NULL || !demo_record_init(&b->record))
        return lab_fail(e, "out of memory");
    TRY(make_folder(b, e));
    TRY(choose_profile(b, e));
    TRY(demo_smdp_start(b->folder, &b->record, &b->smdp, e));
    TRY(make_eim(b, e));
    TRY(serve_eim(b, e));
    TRY(make_card(b, e));
    return make_terminal(b, e);
}

void demo_bench_close(struct demo_bench *b)
{
    terminal_free(&b->run.terminal);
    softeuicc_close(&b->card);
    softeuicc_crypto_free(&b->card_crypto);
    terminal_run_done(&b->run);
    name_server_free(&b->names);
    coap_server_free(&b->coap_server);
    https_free(&b->https);
    demo_smdp_stop(&b->smdp);
    eim_close(&b->eim);
    crypto_free(&b->crypto);
    demo_record_done(&b->record);
    remove_folder(b);
}
