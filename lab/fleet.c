/* fleet.c - the cards of a fleet: made, powered on one after the other, heard. */
#include "lab/fleet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "lab/terminal_ctlv.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    STARTS = 4, /* power-ons in a row: those that are at work have to share */
    SW_LEN = 2,
    INS_FETCH = 0x12,
    TAG_PROACTIVE = 0xD0,
    TYPE_OPEN_CHANNEL = 0x40, /* TS 102 223 9.4 */
};

/* --- what a card says ------------------------------------------------------------------------- */

static void check_done(struct fleet *f)
{
    if (f->n_done == f->n && f->config.done != NULL)
        f->config.done(f->config.ctx);
}

/* A conversation has ended, or the card is broken. */
static void count_card(struct fleet_card *c, const struct fleet_watch *before, bool was_broken)
{
    struct fleet *f = c->fleet;
    const struct fleet_watch *now = &c->watch;
    bool did = was_broken || (f->config.polls > 0 && before->polls >= f->config.polls);
    bool does = c->broken || (f->config.polls > 0 && now->polls >= f->config.polls);

    if (before->polls == before->failed && now->polls > now->failed)
        f->n_polled++;
    if (!did && does) {
        f->n_done++;
        check_done(f);
    }
}

static void on_trace(void *ctx, enum softeuicc_event event, const char *text, const uint8_t *bytes,
                     size_t n)
{
    struct fleet_card *c = ctx;
    const uint64_t polls = c->watch.polls, failed = c->watch.failed;

    (void)bytes;
    (void)n;
    if (event == SOFTEUICC_COMMAND || event == SOFTEUICC_RESPONSE)
        return;
    fleet_hears(&c->fleet->counts, &c->watch, event, text);
    if (c->watch.polls != polls)
        count_card(c, &(struct fleet_watch){ .polls = polls, .failed = failed }, c->broken);
}

static bool opens_channel(struct rd response)
{
    struct tlv command;
    struct rd details;

    return tlv_find(response, TAG_PROACTIVE, &command) &&
           object_find(&command.value, OBJECT_DETAILS, &details) && details.n >= 2 &&
           details.p[1] == TYPE_OPEN_CHANNEL;
}

static int transmit(void *ctx, struct rd command, struct wr *ret, uint16_t *ret_sw,
                    struct lab_error *e)
{
    struct fleet_card *c = ctx;
    uint8_t *response = c->fleet->response;

    size_t n = softeuicc_transmit(c->card, command.p, command.n, response);
    if (n < SW_LEN)
        return lab_fail(e, "the card is mute");
    n -= SW_LEN;
    wr_put(ret, response, n);
    *ret_sw = (uint16_t)(response[n] << 8 | response[n + 1]);
    if (command.n > 1 && command.p[1] == INS_FETCH && opens_channel(rd_of(response, n)))
        fleet_opens(&c->watch);
    return 0;
}

static int reset(void *ctx, struct lab_error *e)
{
    struct fleet_card *c = ctx;

    return softeuicc_reset(c->card) == 0 ? 0 : lab_fail(e, "the card does not start");
}

static void on_rest(void *ctx)
{
    struct fleet_card *c = ctx;
    const char *why = terminal_error(c->terminal);

    if (why == NULL || c->broken)
        return;
    c->broken = true;
    c->fleet->counts.faults++;
    fleet_blame(&c->fleet->counts, why);
    count_card(c, &c->watch, false);
}

/* --- making ----------------------------------------------------------------------------------- */

static int make_in_folder(struct fleet_card *c, const struct softeuicc_new *how,
                          const struct softeuicc_options *options, struct lab_error *e)
{
    char path[FLEET_PATH_LEN], why[SOFTEUICC_ERROR_LEN] = "";
    struct fleet *f = c->fleet;

    int n = snprintf(path, sizeof path, "%s/card-%05zu", f->config.folder, c->number);
    if (n < 0 || (size_t)n >= sizeof path)
        return lab_fail(e, "%.200s: too long", f->config.folder);
    if (access(path, F_OK) != 0 && softeuicc_new(path, how, f->crypto, why) != 0)
        return lab_fail(e, "%.240s: %s", path, why);
    return softeuicc_open(path, options, &c->card, why) == 0 ? 0
                                                             : lab_fail(e, "%.240s: %s", path, why);
}

static int make_card(struct fleet_card *c, struct lab_error *e)
{
    const struct fleet_config *config = &c->fleet->config;
    const struct softeuicc_options options = { .crypto = c->fleet->crypto,
                                               .trace = on_trace,
                                               .trace_ctx = c };
    char seed[FLEET_SEED_LEN], why[SOFTEUICC_ERROR_LEN] = "";
    const struct softeuicc_new how = {
        .eid = "random",
        .seed = config->seed != NULL ? seed : NULL,
        .settings = config->settings,
        .n_settings = config->n_settings,
        .profiles = &config->profile,
        .n_profiles = config->profile.n > 0 ? 1 : 0,
        .profile_words = &config->profile_words,
        .eims = &config->eim,
        .n_eims = 1,
    };

    snprintf(seed, sizeof seed, "%zu of %.160s", c->number,
             config->seed != NULL ? config->seed : "");
    if (config->folder != NULL)
        TRY(make_in_folder(c, &how, &options, e));
    else if (softeuicc_open_memory(&how, &options, &c->card, why) != 0)
        return lab_fail(e, "card %zu: %s", c->number, why);
    bool good = softeuicc_eid(c->card, c->eid);
    softeuicc_power_off(c->card);
    return good ? 0 : lab_fail(e, "card %zu has no EID", c->number);
}

/* Each device is another one: a number of six digits and the check digit (TS 23.003 B). */
static void choose_imei(size_t number, char ret[TERMINAL_IMEI_LEN + 1])
{
    unsigned sum = 0;

    snprintf(ret, TERMINAL_IMEI_LEN + 1, "49015420%06zu0", number % 1000000);
    for (size_t i = 0; i < TERMINAL_IMEI_LEN - 1; i++) {
        unsigned digit = (unsigned)(ret[i] - '0') << (i % 2);
        sum += digit / 10 + digit % 10;
    }
    ret[TERMINAL_IMEI_LEN - 1] = (char)('0' + (10 - sum % 10) % 10);
}

static int make_terminal(struct fleet_card *c, struct lab_error *e)
{
    const struct fleet_config *config = &c->fleet->config;
    struct terminal_config t;

    terminal_config_init(&t);
    t.base = config->base;
    t.device = config->device;
    choose_imei(c->number, t.device.imei);
    t.card = (struct terminal_card){ transmit, reset, c };
    t.map = config->map;
    t.rest = on_rest;
    t.ctx = c;
    return terminal_new(&t, &c->terminal, e);
}

int fleet_new(const struct fleet_config *config, struct fleet **ret, struct lab_error *e)
{
    struct fleet *f = calloc(1, sizeof *f);
    int r = 0;

    if (f == NULL)
        return lab_fail(e, "out of memory");
    f->config = *config;
    f->crypto = softeuicc_crypto_new(NULL);
    f->cards = calloc(config->n, sizeof *f->cards);
    if (f->crypto == NULL || f->cards == NULL)
        r = lab_fail(e, "out of memory");
    for (; f->n < config->n && r == 0; f->n++) {
        f->cards[f->n] = (struct fleet_card){ .fleet = f, .number = f->n };
        r = make_card(&f->cards[f->n], e);
    }
    f->counts = (struct fleet_counts){ 0 }; /* the factory does not count */
    if (r != 0) {
        fleet_free(&f);
        return r;
    }
    *ret = f;
    return 0;
}

void fleet_free(struct fleet **fleet)
{
    struct fleet *f = *fleet;

    if (f == NULL)
        return;
    if (f->ramp != NULL)
        event_free(f->ramp);
    for (size_t i = 0; i < f->n; i++) {
        terminal_free(&f->cards[i].terminal);
        softeuicc_close(&f->cards[i].card);
    }
    softeuicc_crypto_free(&f->crypto);
    free(f->cards);
    free(f);
    *fleet = NULL;
}

/* --- powering on ------------------------------------------------------------------------------ */

static uint64_t due_us(const struct fleet *f, size_t i)
{
    return f->n > 1 ? f->born_us + f->config.ramp_ms * 1000 * i / (f->n - 1) : f->born_us;
}

static void on_ramp(evutil_socket_t fd, short what, void *ctx)
{
    struct fleet *f = ctx;
    uint64_t now = fleet_now_us();

    (void)fd;
    (void)what;
    for (size_t i = 0; i < STARTS && f->started < f->n && due_us(f, f->started) <= now; i++)
        terminal_start(f->cards[f->started++].terminal);
    if (f->started == f->n)
        return;
    uint64_t due = due_us(f, f->started), us = due > now ? due - now : 0;
    const struct timeval in = { (time_t)(us / 1000000), (suseconds_t)(us % 1000000) };
    event_add(f->ramp, &in);
}

int fleet_start(struct fleet *f, struct lab_error *e)
{
    for (size_t i = 0; i < f->n; i++)
        TRY(make_terminal(&f->cards[i], e));
    f->ramp = evtimer_new(f->config.base, on_ramp, f);
    if (f->ramp == NULL)
        return lab_fail(e, "no event loop");
    f->born_us = fleet_now_us();
    event_active(f->ramp, EV_TIMEOUT, 0);
    return 0;
}

/* --- sums ------------------------------------------------------------------------------------- */

void fleet_traffic(const struct fleet *f, struct terminal_count *ret)
{
    const struct terminal_count *c;

    *ret = (struct terminal_count){ .phase = "" };
    for (size_t i = 0; i < f->n; i++) {
        size_t n = f->cards[i].terminal != NULL ? terminal_counts(f->cards[i].terminal, &c) : 0;
        for (; n > 0; n--, c++) {
            ret->sent += c->sent;
            ret->received += c->received;
            ret->datagrams_sent += c->datagrams_sent;
            ret->datagrams_received += c->datagrams_received;
            ret->links += c->links;
            ret->apdus += c->apdus;
            ret->apdu_octets += c->apdu_octets;
            ret->commands += c->commands;
            ret->envelopes += c->envelopes;
        }
    }
}

size_t fleet_talking(const struct fleet *f)
{
    size_t n = 0;

    for (size_t i = 0; i < f->n; i++)
        n += f->cards[i].watch.talking;
    return n;
}
