/* play_ipae.c - what an IPAe needs around it: a terminal with BIP, a name server, and an eIM that
 * answers as the script says (docs/SCRIPTS.md, "The IPAe"). */
#include <stdlib.h>
#include <string.h>

#include "certs/pki.h"
#include "lab/coap_server.h"
#include "lab/esipa.h"
#include "lab/https.h"
#include "lab/identity.h"
#include "lab/name_server.h"
#include "lab/play_model.h"
#include "lab/terminal_run.h"
#include "os/err.h"
#include "os/tlv.h"

#define SERVERS_ADDRESS "192.0.2.10"
#define NAMES_ADDRESS   "192.0.2.53"
#define ES9P_PATH       "/gsma/rsp2/es9plus/"

enum {
    MAX_ANSWERS = 64,
    MESSAGES_MAX = 1024 * 1024,
    RUN_SECONDS = 60,       /* of the terminal's clock, unless the script says otherwise */
    MAX_SECONDS = 31536000, /* a year */
    HERE_MS = 60000,        /* the longest that a statement may take */
    RULE_LEN = 64,
    NAMES_PORT = 53,
    HTTPS_PORT = 443,
    STATUS_OK = 200,
    STATUS_NO_CONTENT = 204,
};

struct answer {
    int status;
    struct wr body;
};

struct play_ipae {
    struct player *player;
    struct https_server *https;
    struct coap_server *coap; /* NULL: the eIM does not say that it has one */
    struct name_server *names;
    struct address_map map;
    struct terminal_run run;
    struct answer answers[MAX_ANSWERS]; /* from next to n are not given yet */
    size_t next, n;
    struct wr requests, commands, heads; /* since the statement began */
};

/* --- the eIM ---------------------------------------------------------------------------------- */

int play_make_tls(struct player *p, struct eim_identity *id, const char *host, const char *where,
                  struct play_error *e)
{
    struct rsp_identity issuer = { .curve = CURVE_P256 };

    e->at = where;
    TRY(identity_load(p->crypto, p->pki, IDENTITY_SMDPP, CURVE_P256, &issuer, &e->e));
    int r = identity_issue_tls(p->crypto, &issuer, ROLE_DP_TLS, host, &id->tls_certificate,
                               &id->tls_key, &e->e);
    if (r == 0)
        r = identity_read_ci(p->pki, CURVE_P256, &id->tls_ci, &e->e);
    identity_done(&issuer);
    return r;
}

/* What is said when the script says nothing: what the SM-DP+ says, else there is no package, and
 * thank you. */
static void put_default(struct player *p, struct rd request, struct answer *ret)
{
    const struct rd whole = request;
    static const uint8_t no_package[] = { 0xBF, 0x4F, 0x03, 0x02, 0x01, 0x01 };
    static const uint8_t acknowledged[] = { 0xBF, 0x50, 0x02, 0x30, 0x00 };
    uint32_t tag = 0;
    size_t n;

    tlv_header(&request, &tag, &n);
    if (play_relay(p, whole, &ret->body))
        return;
    if (tag == ESIPA_GET_EIM_PACKAGE)
        wr_put(&ret->body, no_package, sizeof no_package);
    else if (tag == ESIPA_PROVIDE_EIM_PACKAGE_RESULT)
        wr_put(&ret->body, acknowledged, sizeof acknowledged);
    else
        ret->status = STATUS_NO_CONTENT;
}

/* "PATH CONTENT-TYPE PROTOCOL", a line a request; - is what there is not. */
static void put_head(struct play_ipae *i, const char *path, const char *type, const char *protocol)
{
    const char *const words[] = {
        path, " ", type != NULL ? type : "-", " ", protocol != NULL ? protocol : "-", "\n"
    };

    for (size_t k = 0; k < N_ELEMS(words); k++)
        wr_put_rd(&i->heads, rd_str(words[k]));
}

/* What the script has for this request, or *other with what there is without it. */
static struct answer *next_answer(struct play_ipae *i, struct rd request, struct answer *other)
{
    wr_put_rd(&i->requests, request);
    if (i->next < i->n)
        return &i->answers[i->next++];
    put_default(i->player, request, other);
    return other;
}

static void on_request(void *ctx, const struct https_request *request, struct https_reply *ret)
{
    struct play_ipae *i = ctx;
    struct answer other = { .status = STATUS_OK };

    put_head(i, request->path, request->content_type, request->protocol);
    if (strncmp(request->path, ES9P_PATH, strlen(ES9P_PATH)) == 0) {
        play_relay_es9p(i->player, request, ret);
        return;
    }
    wr_init_heap(&other.body, MESSAGES_MAX);
    const struct answer *answer = next_answer(i, request->body, &other);
    *ret = (struct https_reply){ .status = answer->status };
    if (answer->body.n > 0) {
        ret->content_type = ESIPA_ASN1_TYPE;
        ret->n = answer->body.n;
        ret->body = malloc(ret->n);
        if (ret->body != NULL)
            memcpy(ret->body, answer->body.p, ret->n);
    }
    wr_done(&other.body);
}

/* The status of HTTP as a code of CoAP: 503 is 5.03. */
static uint8_t coap_code(const struct answer *answer)
{
    int class = answer->status / 100, detail = answer->status % 100;

    if (class < 4)
        return answer->body.n > 0 ? COAP_SERVER_CODE(2, 5) : COAP_SERVER_CODE(2, 4);
    return (uint8_t)COAP_SERVER_CODE(class, detail < 32 ? detail : 0);
}

static void on_coap(void *ctx, const struct coap_server_request *request,
                    struct coap_server_reply *ret)
{
    struct play_ipae *i = ctx;
    struct answer other = { .status = STATUS_OK };

    put_head(i, ESIPA_ASN1_PATH, NULL, "coaps");
    wr_init_heap(&other.body, MESSAGES_MAX);
    const struct answer *answer = next_answer(i, request->body, &other);
    ret->code = coap_code(answer);
    wr_put_rd(ret->body, wr_view(&answer->body));
    wr_done(&other.body);
}

/* The eIM with a TLS certificate; there is one, since all names are at one address. */
static const struct play_eim *serving(const struct player *p)
{
    for (size_t i = 0; i < p->n_eims; i++)
        if (p->eims[i].identity.tls_certificate.n > 0)
            return &p->eims[i];
    return NULL;
}

/* --- around it -------------------------------------------------------------------------------- */

static struct play_ipae *get_ipae(struct player *p)
{
    if (p->ipae != NULL)
        return p->ipae;
    p->ipae = calloc(1, sizeof *p->ipae);
    if (p->ipae == NULL)
        return NULL;
    wr_init_heap(&p->ipae->requests, MESSAGES_MAX);
    wr_init_heap(&p->ipae->commands, MESSAGES_MAX);
    wr_init_heap(&p->ipae->heads, MESSAGES_MAX);
    p->ipae->player = p;
    return p->ipae;
}

static void stop_terminal(struct play_ipae *i)
{
    terminal_free(&i->run.terminal);
    terminal_run_done(&i->run);
    name_server_free(&i->names);
    coap_server_free(&i->coap);
    https_free(&i->https);
    i->map = (struct address_map){ .n = 0 };
}

void play_forget_ipae(struct player *p)
{
    struct play_ipae *i = p->ipae;

    if (i == NULL)
        return;
    stop_terminal(i);
    for (size_t k = 0; k < i->n; k++)
        wr_done(&i->answers[k].body);
    wr_done(&i->requests);
    wr_done(&i->commands);
    wr_done(&i->heads);
    free(i);
    p->ipae = NULL;
}

static void on_note(void *ctx, const struct terminal_note *note)
{
    struct play_ipae *i = ctx;

    if (note->kind == NOTE_COMMAND)
        wr_put_rd(&i->commands, note->octets);
}

static int map_port(struct play_ipae *i, const char *address, unsigned port, uint16_t here,
                    struct lab_error *e)
{
    char rule[RULE_LEN];

    snprintf(rule, sizeof rule, "%s:%u=127.0.0.1:%u", address, port, (unsigned)here);
    return address_map_add(&i->map, rule, e);
}

static int start_coap(const struct eim_identity *id, struct play_ipae *i, struct lab_error *e)
{
    const struct coap_server_config coap = { .bind_address = "127.0.0.1",
                                             .path = ESIPA_ASN1_PATH,
                                             .certificate = wr_view(&id->tls_certificate),
                                             .key = wr_view(&id->tls_key),
                                             .handler = on_coap,
                                             .ctx = i };

    if (id->protocol == EIM_PROTOCOL_HTTPS)
        return 0;
    TRY(coap_server_listen(&coap, https_events(i->https), &i->coap, e));
    return map_port(i, SERVERS_ADDRESS, COAP_SERVER_PORT, coap_server_port(i->coap), e);
}

static int start_servers(struct player *p, struct play_ipae *i, struct lab_error *e)
{
    const struct name_server_config names = { .address = SERVERS_ADDRESS };
    const struct play_eim *eim = serving(p);
    struct play_error error = { .at = NULL };

    if (eim == NULL)
        return lab_fail(e, "there is no eIM with a TLS certificate: eim ID tls");
    if (p->options->profiles != NULL && play_need_smdpp(p, NULL, &error) != 0)
        return lab_fail(e, "%s", error.e.text);
    const struct eim_identity *id = &eim->identity;
    const struct https_config https = { .bind_address = "127.0.0.1",
                                        .certificate = wr_view(&id->tls_certificate),
                                        .key = wr_view(&id->tls_key),
                                        .tls12_only = eim->tls_suites[0] != '\0',
                                        .suites =
                                            eim->tls_suites[0] != '\0' ? eim->tls_suites : NULL,
                                        .protocol = ESIPA_PROTOCOL,
                                        .handler = on_request,
                                        .ctx = i };
    TRY(https_listen(&https, &i->https, e));
    TRY(name_server_new(&names, https_events(i->https), &i->names, e));
    TRY(map_port(i, NAMES_ADDRESS, NAMES_PORT, name_server_port(i->names), e));
    TRY(start_coap(id, i, e));
    return map_port(i, SERVERS_ADDRESS, HTTPS_PORT, https_port(i->https), e);
}

static int start_terminal(struct player *p, struct play_ipae *i, struct terminal_config *config,
                          struct lab_error *e)
{
    stop_terminal(i);
    TRY(start_servers(p, i, e));
    config->base = https_events(i->https);
    config->clock = &i->run.clock;
    config->card = terminal_card_of(p->card);
    config->map = &i->map;
    config->note = on_note;
    config->ctx = i;
    TRY(address_read(NAMES_ADDRESS ":53", false, &config->device.dns[0], e));
    config->device.n_dns = 1;
    TRY(terminal_run_init(&i->run, config->base, e));
    TRY(terminal_new(config, &i->run.terminal, e));
    p->es10.channel = 0;
    terminal_start(i->run.terminal);
    return 0;
}

/* --- running ---------------------------------------------------------------------------------- */

/* Until card and terminal rest for longer than what is left of these seconds. */
static int run_on(struct play_ipae *i, unsigned long seconds, struct lab_error *e)
{
    uint64_t end = i->run.clock.ms + (uint64_t)seconds * 1000, here = here_ms();
    bool rests;

    while (true) {
        TRY(terminal_run_turn(&i->run, &rests, e));
        if (here_ms() - here > HERE_MS)
            return lab_fail(e, "card and terminal do not come to rest");
        if (rests && (terminal_next_ms(i->run.terminal) > end || !terminal_run_skip(&i->run)))
            return 0;
    }
}

/* The answer of the statement is what the IPAe asked its eIM; {commands} what it was after. */
static int run_and_tell(struct player *p, const struct play_step *s, unsigned long seconds,
                        struct play_error *e)
{
    struct play_ipae *i = p->ipae;

    wr_clear(&p->last);
    p->was_mute = false;
    int r = run_on(i, seconds, &e->e);
    wr_put_rd(&p->last, wr_view(&i->requests));
    p->sw = 0x9000;
    p->mute = p->was_mute;
    if (p->mute)
        return play_mute_is_wanted(p, s, play_differs(p, "the card is mute"), e);
    if (r != 0)
        return play_differs(p, "%s", e->e.text);
    if (!play_names_put(&p->names, "commands", wr_view(&i->commands)) ||
        !play_names_put(&p->names, "heads", wr_view(&i->heads)))
        return play_fail(e, s->at, "more than %d variables, or out of memory", PLAY_MAX_NAMES);
    return s->wanted == NULL ? 0 : play_compare_last(p, s, e);
}

static void begin_telling(struct play_ipae *i)
{
    wr_clear(&i->requests);
    wr_clear(&i->commands);
    wr_clear(&i->heads);
}

static int terminal_word(const char *word, const char *where, struct terminal_config *config,
                         unsigned long *ret_seconds, struct play_error *e)
{
    unsigned long v;
    const char *value;

    e->at = where;
    if (strcmp(word, "ipad") == 0)
        config->device.ipad = true;
    else if ((value = play_word_value(word, "seconds")) != NULL &&
             number_read(value, MAX_SECONDS, ret_seconds))
        return 0;
    else if ((value = play_word_value(word, "channels")) != NULL &&
             number_read(value, TERMINAL_CHANNELS, &v))
        terminal_device_channels(&config->device, (unsigned)v);
    else if ((value = play_word_value(word, "buffer")) != NULL &&
             number_read(value, UINT16_MAX, &v))
        config->device.buffer = (uint16_t)v;
    else if ((value = play_word_value(word, "service")) != NULL && strcmp(value, "none") == 0)
        config->device.service = SERVICE_NONE;
    else if ((value = play_word_value(word, "fault")) != NULL)
        return faults_add(&config->faults, value, &e->e);
    else
        return play_fail(e, where,
                         "seconds=N, ipad, channels=N, buffer=N, service=none, fault=RULE; "
                         "not %.60s",
                         word);
    return 0;
}

int play_run_terminal(struct player *p, const struct play_step *s, struct play_error *e)
{
    struct play_ipae *i = get_ipae(p);
    struct terminal_config config;
    unsigned long seconds = RUN_SECONDS;
    int r = 0;

    if (i == NULL)
        return play_fail(e, s->at, "out of memory");
    struct play_arguments *w = play_arguments_read(s->arguments[0], &p->names, e);
    if (w == NULL)
        return ERR_INPUT;
    terminal_config_init(&config);
    config.device.poll_s = 0; /* cards that want STATUS say so */
    for (size_t k = 0; k < w->n && r == 0; k++)
        r = terminal_word(w->at[k], w->where[k], &config, &seconds, e);
    play_arguments_free(w);
    TRY(r);
    begin_telling(i);
    e->at = s->at;
    TRY(start_terminal(p, i, &config, &e->e));
    return run_and_tell(p, s, seconds, e);
}

/* wait SECONDS: the same terminal, later. */
int play_run_wait(struct player *p, const struct play_step *s, struct play_error *e)
{
    if (p->ipae == NULL || p->ipae->run.terminal == NULL)
        return play_fail(e, s->at, "there is no terminal yet");
    begin_telling(p->ipae);
    return run_and_tell(p, s, s->count, e);
}

/* serve [status=N] OCTETS: what the eIM answers to the next request that has no answer yet. */
int play_run_serve(struct player *p, const struct play_step *s, struct play_error *e)
{
    static const struct play_octets_style rich = { .plain = false };
    struct play_ipae *i = get_ipae(p);
    const char *text = s->arguments[0], *value = play_word_value(text, "status");
    unsigned long status = STATUS_OK;
    char number[8];

    if (i == NULL || i->n == MAX_ANSWERS)
        return play_fail(e, s->at, "more than %d answers", MAX_ANSWERS);
    if (value != NULL) {
        size_t n = strcspn(value, " \t");
        if (!copy_rd(rd_of(value, n), number, sizeof number) || !number_read(number, 599, &status))
            return play_fail(e, text, "status=N, of HTTP");
        text = value + n + strspn(value + n, " \t");
    }
    struct answer *answer = &i->answers[i->n];
    answer->status = (int)status;
    wr_init_heap(&answer->body, MESSAGES_MAX);
    int r = play_octets_read(text, rich, &p->names, &answer->body, NULL, e);
    if (r == 0)
        i->n++;
    else
        wr_done(&answer->body);
    return r;
}
