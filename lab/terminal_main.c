/* terminal_main.c - softeuicc-lab terminal: options, the operator's commands, the trace. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <event2/buffer.h>
#include <event2/event.h>

#include "lab/lab.h"
#include "lab/terminal.h"
#include "lab/terminal_capture.h"
#include "lab/terminal_names.h"
#include "os/err.h"

enum {
    LINE_MAX_LEN = 4096,
    HEX_LEN = 1200,
    SECONDS_MAX = 30 * 24 * 3600,
    N_SIGNALS = 2,
};

enum until {
    UNTIL_STOPPED,
    UNTIL_IDLE,
    UNTIL_CLOSED,
    UNTIL_REFRESH,
};

/* What the next line of standard input waits for. */
enum pause {
    PAUSE_NONE,
    PAUSE_REST,
    PAUSE_SKIP, /* the same, and then the clock is put forward */
};

static const char *const until_names[] = { NULL, "idle", "closed", "refresh" };

struct running {
    const char *reader, *card_path, *trace_path, *capture_path;
    unsigned long seconds;
    enum until until;
    bool json, apdus, help, no_dns;
    struct terminal_config config;
    struct address_map map;

    struct event_base *base;
    struct event *signals[N_SIGNALS], *standard_input, *end, *go_on;
    struct evbuffer *lines;
    struct card *card;
    struct terminal *terminal;
    struct capture *capture;
    struct name_server *names;
    FILE *trace;
    enum pause pause;
    bool reached, stopped;
    struct lab_error error;
};

static void usage(FILE *out)
{
    fprintf(out,
            "usage: softeuicc-lab terminal (--reader NAME|NUMBER | --card FILE) [OPTION...]\n\n"
            "  --reader NAME|NUMBER    a PC/SC reader, or\n"
            "  --card FILE             a card file\n"
            "  --imei DIGITS           15 digits (default 490154203237518)\n"
            "  --plmn MCCMNC           the network (default 00101)\n"
            "  --technology NAME       gsm, utran, eutran (default) or nr\n"
            "  --profile HEX           TERMINAL PROFILE\n"
            "  --capability ipad|none  TERMINAL CAPABILITY: has the device an IPA? (none)\n"
            "  --channels N            BIP channels, 0 to 7 (default)\n"
            "  --buffer N              octets that a channel gets at most (1500)\n"
            "  --map A:P=B:Q           the card's address A is at B here; * for any A or P;\n"
            "                          repeatable\n"
            "  --dns A:P|none          a DNS server for OPEN CHANNEL to tell; repeatable\n"
            "                          (default: the names that this machine knows)\n"
            "  --attach MS             from TERMINAL PROFILE to normal service (500)\n"
            "  --poll SECONDS          STATUS where the card asks for nothing (30; 0: none)\n"
            "  --date SECONDS|none     the date, since 1970 (default: this machine's)\n"
            "  --fault RULE            repeatable:\n");
    faults_help(out);
    fprintf(
        out,
        "  --trace FILE|-          a line for every command, event and link\n"
        "  --apdus                 and for every APDU\n"
        "  --json                  the trace and the counts in JSON\n"
        "  --capture FILE          what goes over BIP; a pcap file if its name says so\n"
        "  --for SECONDS           ends then\n"
        "  --until WHAT            ends at idle: nothing to do and no channel is open;\n"
        "                          closed: and one was; refresh: after a REFRESH\n"
        "  --help\n\n"
        "Standard input: location normal|limited|none, technology NAME, plmn MCCMNC,\n"
        "menu N, sms HEX, apdu HEX, status, reset, power-off, power-on, phase NAME, counts, quit;\n"
        "rest: the next line waits until there is nothing to do and no channel is open;\n"
        "skip: the same, and puts the clock forward to the card's next timer.\n"
        "It ends on SIGINT and SIGTERM with exit status 0 and the counts.\n");
}

/* --- options ---------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum terminal_technology value;
} technologies[] = {
    { "gsm", TECHNOLOGY_GSM },
    { "utran", TECHNOLOGY_UTRAN },
    { "eutran", TECHNOLOGY_EUTRAN },
    { "nr", TECHNOLOGY_NR },
};

static bool read_technology(const char *name, enum terminal_technology *ret)
{
    for (size_t i = 0; i < N_ELEMS(technologies); i++) {
        if (strcmp(technologies[i].name, name) == 0) {
            *ret = technologies[i].value;
            return true;
        }
    }
    return false;
}

static bool read_service(const char *name, enum terminal_service *ret)
{
    static const char *const names[] = { "normal", "limited", "none" };

    for (size_t i = 0; i < N_ELEMS(names); i++) {
        if (strcmp(names[i], name) == 0) {
            *ret = (enum terminal_service)i;
            return true;
        }
    }
    return false;
}

static bool read_until(const char *name, enum until *ret)
{
    for (size_t i = UNTIL_IDLE; i < N_ELEMS(until_names); i++) {
        if (strcmp(until_names[i], name) == 0) {
            *ret = (enum until)i;
            return true;
        }
    }
    return false;
}

static bool read_profile(const char *hex, struct terminal_device *d)
{
    struct wr w;

    wr_init(&w, d->profile, sizeof d->profile);
    bool good = hex_read(hex, &w) && w.n > 0;
    d->n_profile = w.n;
    return good;
}

/* The card asks its port 53; --dns says where that is. */
static bool add_dns(struct running *r, const char *value)
{
    struct terminal_device *d = &r->config.device;
    struct address at;

    r->no_dns = r->no_dns || strcmp(value, "none") == 0;
    if (strcmp(value, "none") == 0)
        return true;
    if (d->n_dns == TERMINAL_DNS_MAX || r->map.n == ADDRESS_MAP_MAX ||
        address_read(value, false, &at, &r->error) != 0)
        return false;
    d->dns[d->n_dns++] = at;
    r->map.rows[r->map.n].to = at;
    at.port = 53;
    r->map.rows[r->map.n++].from = at;
    return true;
}

static bool read_date(const char *value, struct terminal_device *d)
{
    unsigned long seconds = 0;

    d->no_date = strcmp(value, "none") == 0;
    if (!d->no_date && !number_read(value, 4102444800ul, &seconds))
        return false;
    d->date = (int64_t)seconds;
    return true;
}

enum {
    OPT_READER = 1,
    OPT_CARD,
    OPT_IMEI,
    OPT_PLMN,
    OPT_TECHNOLOGY,
    OPT_PROFILE,
    OPT_CAPABILITY,
    OPT_CHANNELS,
    OPT_BUFFER,
    OPT_MAP,
    OPT_DNS,
    OPT_ATTACH,
    OPT_POLL,
    OPT_DATE,
    OPT_FAULT,
    OPT_TRACE,
    OPT_APDUS,
    OPT_JSON,
    OPT_CAPTURE,
    OPT_FOR,
    OPT_UNTIL,
    OPT_HELP,
};

static const struct option long_options[] = {
    { "reader", required_argument, NULL, OPT_READER },
    { "card", required_argument, NULL, OPT_CARD },
    { "imei", required_argument, NULL, OPT_IMEI },
    { "plmn", required_argument, NULL, OPT_PLMN },
    { "technology", required_argument, NULL, OPT_TECHNOLOGY },
    { "profile", required_argument, NULL, OPT_PROFILE },
    { "capability", required_argument, NULL, OPT_CAPABILITY },
    { "channels", required_argument, NULL, OPT_CHANNELS },
    { "buffer", required_argument, NULL, OPT_BUFFER },
    { "map", required_argument, NULL, OPT_MAP },
    { "dns", required_argument, NULL, OPT_DNS },
    { "attach", required_argument, NULL, OPT_ATTACH },
    { "poll", required_argument, NULL, OPT_POLL },
    { "date", required_argument, NULL, OPT_DATE },
    { "fault", required_argument, NULL, OPT_FAULT },
    { "trace", required_argument, NULL, OPT_TRACE },
    { "apdus", no_argument, NULL, OPT_APDUS },
    { "json", no_argument, NULL, OPT_JSON },
    { "capture", required_argument, NULL, OPT_CAPTURE },
    { "for", required_argument, NULL, OPT_FOR },
    { "until", required_argument, NULL, OPT_UNTIL },
    { "help", no_argument, NULL, OPT_HELP },
    { NULL, 0, NULL, 0 },
};

/* A number option. */
static bool read_number(const char *value, unsigned long min, unsigned long max, unsigned *ret)
{
    unsigned long n;

    if (!number_read(value, max, &n) || n < min)
        return false;
    *ret = (unsigned)n;
    return true;
}

/* What the device is; false when the value is wrong. */
static bool read_device_option(int option, const char *value, struct running *r, int *channels)
{
    struct terminal_device *d = &r->config.device;
    unsigned n = 0;

    switch (option) {
    case OPT_IMEI:
        return strlen(value) == TERMINAL_IMEI_LEN &&
               strspn(value, "0123456789") == TERMINAL_IMEI_LEN &&
               copy_text(value, d->imei, sizeof d->imei);
    case OPT_PLMN:
        return terminal_plmn_read(value, d->plmn);
    case OPT_TECHNOLOGY:
        return read_technology(value, &d->technology);
    case OPT_PROFILE:
        return read_profile(value, d);
    case OPT_CAPABILITY:
        d->ipad = strcmp(value, "ipad") == 0;
        return d->ipad || strcmp(value, "none") == 0;
    case OPT_CHANNELS:
        if (!read_number(value, 0, TERMINAL_CHANNELS, &n))
            return false;
        *channels = (int)n;
        return true;
    case OPT_BUFFER:
        if (!read_number(value, 1, UINT16_MAX, &n))
            return false;
        d->buffer = (uint16_t)n;
        return true;
    case OPT_ATTACH:
        return read_number(value, 0, 3600000, &d->attach_ms);
    case OPT_POLL:
        return read_number(value, 0, 86400, &d->poll_s);
    case OPT_DATE:
        return read_date(value, d);
    default:
        return false;
    }
}

static bool read_option(int option, const char *value, struct running *r, int *channels)
{
    switch (option) {
    case OPT_READER:
        r->reader = value;
        return true;
    case OPT_CARD:
        r->card_path = value;
        return true;
    case OPT_MAP:
        return address_map_add(&r->map, value, &r->error) == 0;
    case OPT_DNS:
        return add_dns(r, value);
    case OPT_FAULT:
        return faults_add(&r->config.faults, value, &r->error) == 0;
    case OPT_TRACE:
        r->trace_path = value;
        return true;
    case OPT_APDUS:
        r->apdus = true;
        return true;
    case OPT_JSON:
        r->json = true;
        return true;
    case OPT_CAPTURE:
        r->capture_path = value;
        return true;
    case OPT_FOR:
        return number_read(value, SECONDS_MAX, &r->seconds) && r->seconds > 0;
    case OPT_UNTIL:
        return read_until(value, &r->until);
    case OPT_HELP:
        r->help = true;
        return true;
    default:
        return read_device_option(option, value, r, channels);
    }
}

static bool read_options(int argc, char **argv, struct running *r)
{
    int option, index = 0, channels = -1;

    while ((option = getopt_long(argc, argv, "", long_options, &index)) != -1) {
        if (option == '?')
            return false;
        if (!read_option(option, optarg, r, &channels)) {
            fprintf(stderr, "softeuicc-lab terminal: --%s: bad value %s%s%s\n",
                    long_options[index].name, optarg, r->error.text[0] == '\0' ? "" : ": ",
                    r->error.text);
            return false;
        }
    }
    if (channels >= 0)
        terminal_device_channels(&r->config.device, (unsigned)channels);
    if (r->help)
        return true;
    if (optind < argc || (r->reader == NULL) == (r->card_path == NULL)) {
        fprintf(stderr, "softeuicc-lab terminal: %s; see --help\n",
                optind < argc ? "no argument expected" : "give either --reader or --card");
        return false;
    }
    return true;
}

/* --- the trace -------------------------------------------------------------------------------- */

static const char *const kinds[] = {
    [NOTE_COMMAND] = "command", [NOTE_RESPONSE] = "response", [NOTE_ENVELOPE] = "envelope",
    [NOTE_NETWORK] = "network", [NOTE_CARD] = "card",         [NOTE_FAULT] = "fault",
    [NOTE_APDU] = "apdu",
};

static void print_json(FILE *out, cJSON *value)
{
    char *text = cJSON_PrintUnformatted(value);

    if (text != NULL)
        fprintf(out, "%s\n", text);
    cJSON_free(text);
    cJSON_Delete(value);
    fflush(out);
}

static void note_as_json(FILE *out, const struct terminal_note *note)
{
    cJSON *line = cJSON_CreateObject();
    char hex[HEX_LEN], sw[8];

    cJSON_AddNumberToObject(line, "ms", (double)note->ms);
    cJSON_AddStringToObject(line, "kind", kinds[note->kind]);
    if (note->name != NULL)
        cJSON_AddStringToObject(line, "name", note->name);
    if (note->kind == NOTE_COMMAND || note->kind == NOTE_RESPONSE) {
        cJSON_AddNumberToObject(line, "number", note->number);
        cJSON_AddNumberToObject(line, "type", note->type);
        cJSON_AddNumberToObject(line, "qualifier", note->qualifier);
    }
    if (note->channel > 0)
        cJSON_AddNumberToObject(line, "channel", note->channel);
    if (note->kind == NOTE_RESPONSE) {
        cJSON_AddNumberToObject(line, "result", note->result);
        if (note->info >= 0)
            cJSON_AddNumberToObject(line, "info", note->info);
    }
    if (note->sw != 0) {
        snprintf(sw, sizeof sw, "%04X", note->sw);
        cJSON_AddStringToObject(line, "sw", sw);
    }
    if (note->octets.n > 0)
        cJSON_AddStringToObject(line, "octets", hex_text(note->octets, hex, sizeof hex));
    if (note->text[0] != '\0')
        cJSON_AddStringToObject(line, note->kind == NOTE_APDU ? "response" : "text", note->text);
    print_json(out, line);
}

static void note_as_text(FILE *out, const struct terminal_note *note)
{
    char hex[HEX_LEN], channel[24] = "", info[8] = "";

    if (note->channel > 0)
        snprintf(channel, sizeof channel, " channel %u", note->channel);
    if (note->info >= 0)
        snprintf(info, sizeof info, " %02X", (unsigned)note->info & 0xFF);
    fprintf(out, "%8llu.%03u ", (unsigned long long)(note->ms / 1000), (unsigned)(note->ms % 1000));
    switch (note->kind) {
    case NOTE_COMMAND:
        fprintf(out, "< %s %02X%s: %s\n", note->name, note->qualifier, channel,
                hex_text(note->octets, hex, sizeof hex));
        break;
    case NOTE_RESPONSE:
        fprintf(out, "> %s%s: %02X%s%s%s [%04X]\n", note->name, channel, note->result, info,
                note->text[0] == '\0' ? "" : ", ", note->text, note->sw);
        break;
    case NOTE_ENVELOPE:
        fprintf(out, "> ENVELOPE %s%s: %s [%04X]\n", note->name, channel,
                hex_text(note->octets, hex, sizeof hex), note->sw);
        break;
    case NOTE_APDU:
        fprintf(out, "  %s -> %s %04X\n", hex_text(note->octets, hex, sizeof hex), note->text,
                note->sw);
        break;
    default:
        fprintf(out, "* %s%s: %s\n", kinds[note->kind], channel, note->text);
    }
    fflush(out);
}

static void on_note(void *ctx, const struct terminal_note *note)
{
    const struct running *r = ctx;

    if (r->trace == NULL || (note->kind == NOTE_APDU && !r->apdus))
        return;
    if (r->json)
        note_as_json(r->trace, note);
    else
        note_as_text(r->trace, note);
}

static void on_octets(void *ctx, const struct terminal_flow *flow, struct rd octets)
{
    struct running *r = ctx;

    if (r->capture != NULL)
        capture_octets(r->capture, flow, octets);
}

static void add_number(cJSON *to, const char *name, uint64_t n)
{
    cJSON_AddNumberToObject(to, name, (double)n);
}

static void counts_as_json(const struct running *r)
{
    const struct terminal_count *c;
    size_t n = terminal_counts(r->terminal, &c);
    cJSON *line = cJSON_CreateObject();
    cJSON *phases = cJSON_AddArrayToObject(line, "phases");
    cJSON *channels = cJSON_AddArrayToObject(line, "channels");

    for (size_t i = 0; i < n; i++) {
        cJSON *phase = cJSON_CreateObject();
        cJSON_AddStringToObject(phase, "phase", c[i].phase);
        add_number(phase, "sent", c[i].sent);
        add_number(phase, "received", c[i].received);
        add_number(phase, "datagramsSent", c[i].datagrams_sent);
        add_number(phase, "datagramsReceived", c[i].datagrams_received);
        add_number(phase, "links", c[i].links);
        add_number(phase, "apdus", c[i].apdus);
        add_number(phase, "apduOctets", c[i].apdu_octets);
        add_number(phase, "commands", c[i].commands);
        add_number(phase, "envelopes", c[i].envelopes);
        cJSON_AddItemToArray(phases, phase);
    }
    for (unsigned id = 1; id <= TERMINAL_CHANNELS; id++) {
        uint64_t sent, received;
        terminal_channel_counts(r->terminal, id, &sent, &received);
        if (sent + received == 0)
            continue;
        cJSON *channel = cJSON_CreateObject();
        add_number(channel, "channel", id);
        add_number(channel, "sent", sent);
        add_number(channel, "received", received);
        cJSON_AddItemToArray(channels, channel);
    }
    add_number(line, "resets", terminal_resets(r->terminal));
    add_number(line, "refreshes", terminal_refreshes(r->terminal));
    print_json(stdout, line);
}

static void print_counts(const struct running *r)
{
    const struct terminal_count *c;

    if (r->json) {
        counts_as_json(r);
        return;
    }
    size_t n = terminal_counts(r->terminal, &c);
    for (size_t i = 0; i < n; i++)
        printf("%s%s%llu octets sent, %llu received in %llu links; %llu proactive commands, "
               "%llu events; %llu APDUs of %llu octets\n",
               c[i].phase, c[i].phase[0] == '\0' ? "" : ": ", (unsigned long long)c[i].sent,
               (unsigned long long)c[i].received, (unsigned long long)c[i].links,
               (unsigned long long)c[i].commands, (unsigned long long)c[i].envelopes,
               (unsigned long long)c[i].apdus, (unsigned long long)c[i].apdu_octets);
    fflush(stdout);
}

/* --- the operator ----------------------------------------------------------------------------- */

static void stop(struct running *r)
{
    r->stopped = true;
    event_base_loopbreak(r->base);
}

static bool do_location(struct running *r, const char *value)
{
    enum terminal_service service;

    if (!read_service(value, &service))
        return false;
    terminal_set_service(r->terminal, service);
    return true;
}

static bool do_technology(struct running *r, const char *value)
{
    enum terminal_technology technology;

    if (!read_technology(value, &technology))
        return false;
    terminal_set_technology(r->terminal, technology);
    return true;
}

static bool do_plmn(struct running *r, const char *value)
{
    uint8_t plmn[3];

    if (!terminal_plmn_read(value, plmn))
        return false;
    terminal_set_plmn(r->terminal, plmn);
    return true;
}

static bool do_menu(struct running *r, const char *value)
{
    unsigned long item;

    if (!number_read(value, 255, &item))
        return false;
    terminal_choose_menu(r->terminal, (uint8_t)item);
    return true;
}

static bool do_sms(struct running *r, const char *value)
{
    uint8_t room[TERMINAL_SMS_MAX];
    struct wr w;

    wr_init(&w, room, sizeof room);
    return hex_read(value, &w) && terminal_receive_sms(r->terminal, wr_view(&w));
}

static bool do_apdu(struct running *r, const char *value)
{
    uint8_t command[LINE_MAX_LEN / 2], response[HEX_LEN / 2];
    char text[HEX_LEN];
    struct lab_error e;
    struct wr in, out;
    uint16_t sw = 0;

    wr_init(&in, command, sizeof command);
    wr_init(&out, response, sizeof response);
    if (!hex_read(value, &in) || in.n < 4)
        return false;
    if (terminal_transmit(r->terminal, wr_view(&in), &out, &sw, &e) != 0)
        fprintf(stderr, "softeuicc-lab terminal: %s\n", e.text);
    else
        printf("%s%04X\n", hex_text(wr_view(&out), text, sizeof text), sw);
    fflush(stdout);
    return true;
}

static bool do_phase(struct running *r, const char *value)
{
    terminal_phase(r->terminal, value);
    return true;
}

static bool do_status(struct running *r, const char *value)
{
    (void)value;
    terminal_poll(r->terminal);
    return true;
}

static bool do_rest(struct running *r, const char *value)
{
    (void)value;
    r->pause = PAUSE_REST;
    return true;
}

static bool do_skip(struct running *r, const char *value)
{
    (void)value;
    r->pause = PAUSE_SKIP;
    return true;
}

static bool do_reset(struct running *r, const char *value)
{
    (void)value;
    terminal_reset(r->terminal);
    return true;
}

static bool do_power_off(struct running *r, const char *value)
{
    (void)value;
    terminal_power_off(r->terminal);
    return true;
}

static bool do_counts(struct running *r, const char *value)
{
    (void)value;
    print_counts(r);
    return true;
}

static bool do_quit(struct running *r, const char *value)
{
    (void)value;
    stop(r);
    return true;
}

static const struct {
    const char *name;
    bool has_value;
    bool (*run)(struct running *r, const char *value);
} operator_commands[] = {
    { "location", true, do_location }, { "technology", true, do_technology },
    { "plmn", true, do_plmn },         { "menu", true, do_menu },
    { "sms", true, do_sms },           { "apdu", true, do_apdu },
    { "phase", true, do_phase },       { "status", false, do_status },
    { "rest", false, do_rest },        { "skip", false, do_skip },
    { "reset", false, do_reset },      { "power-off", false, do_power_off },
    { "power-on", false, do_reset },   { "counts", false, do_counts },
    { "quit", false, do_quit },
};

static void obey(struct running *r, char *line)
{
    char *value = line + strcspn(line, " ");
    bool has_value = *value != '\0';

    if (line[0] == '\0' || line[0] == '#')
        return;
    if (has_value)
        *value++ = '\0';
    for (size_t i = 0; i < N_ELEMS(operator_commands); i++)
        if (strcmp(operator_commands[i].name, line) == 0 &&
            operator_commands[i].has_value == has_value && operator_commands[i].run(r, value))
            return;
    fprintf(stderr, "softeuicc-lab terminal: not understood: %s%s%s\n", line, has_value ? " " : "",
            value);
}

static bool is_at_rest(const struct running *r)
{
    return terminal_state(r->terminal) == TERMINAL_OFF ||
           (terminal_is_idle(r->terminal) && terminal_open_channels(r->terminal) == 0);
}

static bool has_to_wait(struct running *r)
{
    if (r->pause == PAUSE_NONE)
        return false;
    if (!is_at_rest(r))
        return true;
    if (r->pause == PAUSE_SKIP && !terminal_skip(r->terminal))
        fprintf(stderr, "softeuicc-lab terminal: there is nothing to skip to\n");
    r->pause = PAUSE_NONE;
    return false;
}

static void obey_lines(struct running *r)
{
    char *line;

    while (!r->stopped && !has_to_wait(r) &&
           (line = evbuffer_readln(r->lines, NULL, EVBUFFER_EOL_CRLF)) != NULL) {
        obey(r, line);
        free(line);
        terminal_tick(r->terminal); /* before the next line */
    }
}

static void on_go_on(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    obey_lines(ctx);
}

static void on_input(evutil_socket_t fd, short what, void *ctx)
{
    struct running *r = ctx;

    (void)what;
    int n = evbuffer_read(r->lines, fd, LINE_MAX_LEN);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        event_del(r->standard_input);
    obey_lines(r);
    if (r->pause == PAUSE_NONE &&
        evbuffer_get_length(r->lines) > LINE_MAX_LEN) /* no line is that long */
        evbuffer_drain(r->lines, evbuffer_get_length(r->lines));
}

static void on_signal(evutil_socket_t number, short what, void *ctx)
{
    (void)number;
    (void)what;
    stop(ctx);
}

static void on_end(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    event_base_loopbreak(((struct running *)ctx)->base);
}

static void on_rest(void *ctx)
{
    struct running *r = ctx;
    unsigned open = terminal_open_channels(r->terminal);
    const struct terminal_count *c;
    uint64_t links = 0;

    if (terminal_error(r->terminal) != NULL) {
        event_base_loopbreak(r->base);
        return;
    }
    if (r->pause != PAUSE_NONE)
        event_active(r->go_on, EV_TIMEOUT, 0);
    size_t n = terminal_counts(r->terminal, &c);
    for (size_t i = 0; i < n; i++)
        links += c[i].links;
    bool idle = open == 0 && terminal_state(r->terminal) == TERMINAL_IDLE;
    if ((r->until == UNTIL_IDLE && idle) || (r->until == UNTIL_CLOSED && idle && links > 0) ||
        (r->until == UNTIL_REFRESH && idle && terminal_refreshes(r->terminal) > 0)) {
        r->reached = true;
        event_base_loopbreak(r->base);
    }
}

/* --- start and end ---------------------------------------------------------------------------- */

static int open_files(struct running *r, struct lab_error *e)
{
    if (r->trace_path != NULL) {
        r->trace = strcmp(r->trace_path, "-") == 0 ? stdout : fopen(r->trace_path, "w");
        if (r->trace == NULL)
            return lab_fail(e, "%s: %s", r->trace_path, strerror(errno));
    }
    if (r->capture_path != NULL)
        TRY(capture_open(r->capture_path, &r->capture, e));
    return r->card_path != NULL ? card_open_file(r->card_path, &r->card, e)
                                : card_open_reader(r->reader, &r->card, e);
}

/* Standard input may be a file, which epoll does not take. */
static struct event_base *new_base(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;

    if (config == NULL)
        return NULL;
    if (event_config_require_features(config, EV_FEATURE_FDS) == 0)
        base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

static int set_up_events(struct running *r, struct lab_error *e)
{
    static const int numbers[N_SIGNALS] = { SIGINT, SIGTERM };
    const struct timeval end = { (time_t)r->seconds, 0 };

    r->base = new_base();
    r->lines = evbuffer_new();
    if (r->base == NULL || r->lines == NULL)
        return lab_fail(e, "no event loop");
    for (size_t i = 0; i < N_SIGNALS; i++) {
        r->signals[i] = evsignal_new(r->base, numbers[i], on_signal, r);
        if (r->signals[i] == NULL || event_add(r->signals[i], NULL) != 0)
            return lab_fail(e, "no event loop");
    }
    r->standard_input = event_new(r->base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, r);
    r->end = evtimer_new(r->base, on_end, r);
    r->go_on = evtimer_new(r->base, on_go_on, r);
    if (r->standard_input == NULL || r->end == NULL || r->go_on == NULL)
        return lab_fail(e, "no event loop");
    event_add(r->standard_input, NULL); /* a closed one is no harm */
    if (r->seconds > 0)
        event_add(r->end, &end);
    return 0;
}

static int work(struct running *r, struct lab_error *e)
{
    TRY(open_files(r, e));
    TRY(set_up_events(r, e));
    if (r->config.device.n_dns == 0 && !r->no_dns)
        TRY(names_open(r->base, &r->config.device, &r->map, &r->names, e));
    r->config.base = r->base;
    r->config.card = terminal_card_of(r->card);
    r->config.map = &r->map;
    r->config.note = on_note;
    r->config.octets = on_octets;
    r->config.rest = on_rest;
    r->config.ctx = r;
    TRY(terminal_new(&r->config, &r->terminal, e));
    terminal_start(r->terminal);
    if (!r->reached && terminal_error(r->terminal) == NULL)
        event_base_dispatch(r->base);
    print_counts(r);
    if (terminal_error(r->terminal) != NULL)
        return lab_fail(e, "%s", terminal_error(r->terminal));
    if (r->until != UNTIL_STOPPED && !r->reached && !r->stopped)
        return lab_fail(e, "not %s within %lu s", until_names[r->until], r->seconds);
    return 0;
}

static void clean_up(struct running *r)
{
    terminal_free(&r->terminal);
    for (size_t i = 0; i < N_SIGNALS; i++)
        if (r->signals[i] != NULL)
            event_free(r->signals[i]);
    if (r->standard_input != NULL)
        event_free(r->standard_input);
    if (r->end != NULL)
        event_free(r->end);
    if (r->go_on != NULL)
        event_free(r->go_on);
    name_server_free(&r->names);
    if (r->lines != NULL)
        evbuffer_free(r->lines);
    if (r->base != NULL)
        event_base_free(r->base);
    capture_close(&r->capture);
    card_close(&r->card);
    if (r->trace != NULL && r->trace != stdout)
        fclose(r->trace);
}

int terminal_main(int argc, char **argv)
{
    struct running r = { .until = UNTIL_STOPPED };
    struct lab_error e = { "" };

    terminal_config_init(&r.config);
    r.config.device.attach_ms = 500;
    if (!read_options(argc, argv, &r))
        return STATUS_USAGE;
    if (r.help) {
        usage(stdout);
        return STATUS_DONE;
    }
    signal(SIGPIPE, SIG_IGN);
    int result = work(&r, &e);
    if (result != 0) {
        fflush(stdout);
        fprintf(stderr, "softeuicc-lab terminal: %s\n", e.text);
    }
    clean_up(&r);
    return result == 0 ? STATUS_DONE : STATUS_FAILED;
}
