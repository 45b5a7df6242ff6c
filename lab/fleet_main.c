/* fleet_main.c - softeuicc-lab fleet: options, descriptors, signals, exit status. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <event2/event.h>

#include "lab/fleet.h"
#include "lab/lab.h"
#include "lab/terminal_names.h"
#include "os/err.h"

enum {
    N_SIGNALS = 2,
    SETTINGS_MAX = 32,
    OWN_SETTINGS = 4,
    NUMBER_LEN = 24,
    SECONDS_MAX = 30 * 24 * 3600,
    POLLS_MAX = 1000000000,
    TICK_SECONDS = 1,
    LINE_TICKS = 10,      /* a line where there is no terminal */
    DESCRIPTORS = 64,     /* beside the cards' */
    DESCRIPTORS_CARD = 1, /* a card has one channel at a time */
    DESCRIPTORS_FILE = 4, /* of SQLite, for a card in a file */
};

struct running {
    const char *eim_path, *profile_path, *devices_path, *json_path, *dns;
    unsigned long n, ramp, duration, poll, polls;
    struct softeuicc_setting settings[SETTINGS_MAX];
    size_t n_settings;
    char poll_text[NUMBER_LEN], dns_text[INET6_ADDRSTRLEN];
    bool json, make, help;
    struct address_map map;
    struct fleet_config config;

    struct wr eim, profile;
    struct event_base *base;
    struct event *signals[N_SIGNALS], *tick, *end;
    struct name_server *names;
    struct fleet *fleet;
    struct fleet_taken taken;
    unsigned ticks;
    bool in_place;
    struct lab_error error;
};

static void usage(FILE *out)
{
    fprintf(
        out,
        "usage: softeuicc-lab fleet N --eim FILE [OPTION...]\n\n"
        "  --eim FILE               their eIM, as `softeuicc-lab eim config --out` writes it\n"
        "  --profile FILE[,WORD]... a profile package for each card, with the words of\n"
        "                           `softeuicc new --profile`\n"
        "  --set KEY=VALUE          a setting of the cards, as for `softeuicc new`; repeatable\n"
        "  --seed TEXT              the same EIDs and keys each time\n"
        "  --folder DIR             cards are files there, and stay; made where there is none\n"
        "  --devices FILE           writes EIDs, certificates and association tokens, in JSON\n"
        "  --make                   makes the cards, and ends\n"
        "  --ramp SECONDS           from the first card's power-on to the last one's (10)\n"
        "  --poll SECONDS           between two polls of a card, at least 10 (60)\n"
        "  --polls N                ends when each card has polled so often\n"
        "  --duration SECONDS       ends then (60; 0: not)\n"
        "  --map A:P=B:Q            the cards' address A is at B here, as for terminal;\n"
        "                           repeatable\n"
        "  --dns A:P|none           the network's DNS server (default: the names that this\n"
        "                           machine knows)\n"
        "  --json[=FILE]            the summary in JSON, on standard output or to a file\n"
        "  --help\n\n"
        "N cards, each with an IPAe and a terminal of its own, in one process against any\n"
        "eIM.  Counts as they are go to standard error, the summary to standard output.  It\n"
        "ends on SIGINT and SIGTERM too.  Exit status 1 if anything failed, or a card had no\n"
        "good poll.\n");
}

/* --- options ---------------------------------------------------------------------------------- */

enum {
    OPT_EIM = 1,
    OPT_PROFILE,
    OPT_SET,
    OPT_SEED,
    OPT_FOLDER,
    OPT_DEVICES,
    OPT_MAKE,
    OPT_RAMP,
    OPT_POLL,
    OPT_POLLS,
    OPT_DURATION,
    OPT_MAP,
    OPT_DNS,
    OPT_JSON,
    OPT_HELP,
};

static const struct option long_options[] = {
    { "eim", required_argument, NULL, OPT_EIM },
    { "profile", required_argument, NULL, OPT_PROFILE },
    { "set", required_argument, NULL, OPT_SET },
    { "seed", required_argument, NULL, OPT_SEED },
    { "folder", required_argument, NULL, OPT_FOLDER },
    { "devices", required_argument, NULL, OPT_DEVICES },
    { "make", no_argument, NULL, OPT_MAKE },
    { "ramp", required_argument, NULL, OPT_RAMP },
    { "poll", required_argument, NULL, OPT_POLL },
    { "polls", required_argument, NULL, OPT_POLLS },
    { "duration", required_argument, NULL, OPT_DURATION },
    { "map", required_argument, NULL, OPT_MAP },
    { "dns", required_argument, NULL, OPT_DNS },
    { "json", optional_argument, NULL, OPT_JSON },
    { "help", no_argument, NULL, OPT_HELP },
    { NULL, 0, NULL, 0 },
};

/* KEY=VALUE, in the command line's own memory. */
static bool add_setting(struct running *r, char *text)
{
    char *equals = strchr(text, '=');

    if (equals == NULL || r->n_settings == SETTINGS_MAX)
        return false;
    *equals = '\0';
    r->settings[r->n_settings++] = (struct softeuicc_setting){ text, equals + 1 };
    return true;
}

static bool set_dns(struct running *r, const char *value)
{
    struct terminal_device *d = &r->config.device;
    struct address at;

    r->dns = value;
    if (strcmp(value, "none") == 0)
        return true;
    if (r->map.n == ADDRESS_MAP_MAX || d->n_dns > 0 ||
        address_read(value, false, &at, &r->error) != 0)
        return false;
    d->dns[d->n_dns++] = at;
    r->map.rows[r->map.n].to = at;
    at.port = 53; /* which the cards ask */
    r->map.rows[r->map.n++].from = at;
    return true;
}

static bool read_time(int option, const char *value, struct running *r)
{
    switch (option) {
    case OPT_RAMP:
        return number_read(value, SECONDS_MAX, &r->ramp);
    case OPT_POLL:
        return number_read(value, SECONDS_MAX, &r->poll) && r->poll >= 10;
    case OPT_POLLS:
        return number_read(value, POLLS_MAX, &r->polls) && r->polls > 0;
    default:
        return number_read(value, SECONDS_MAX, &r->duration);
    }
}

static bool read_option(int option, char *value, struct running *r)
{
    switch (option) {
    case OPT_EIM:
        r->eim_path = value;
        return true;
    case OPT_PROFILE:
        r->profile_path = value;
        return true;
    case OPT_SET:
        return add_setting(r, value);
    case OPT_SEED:
        r->config.seed = value;
        return value[0] != '\0' && strlen(value) < FLEET_SEED_LEN / 2;
    case OPT_FOLDER:
        r->config.folder = value;
        return true;
    case OPT_DEVICES:
        r->devices_path = value;
        return true;
    case OPT_MAKE:
        r->make = true;
        return true;
    case OPT_MAP:
        return address_map_add(&r->map, value, &r->error) == 0;
    case OPT_DNS:
        return set_dns(r, value);
    case OPT_JSON:
        r->json = true;
        r->json_path = value;
        return true;
    case OPT_HELP:
        r->help = true;
        return true;
    default:
        return read_time(option, value, r);
    }
}

static bool complain(const char *what)
{
    fprintf(stderr, "softeuicc-lab fleet: %s; see --help\n", what);
    return false;
}

static bool read_options(int argc, char **argv, struct running *r)
{
    int option, index = 0;

    while ((option = getopt_long(argc, argv, "", long_options, &index)) != -1) {
        if (option == '?')
            return false;
        if (!read_option(option, optarg, r)) {
            fprintf(stderr, "softeuicc-lab fleet: --%s: bad value %s%s%s\n",
                    long_options[index].name, optarg, r->error.text[0] == '\0' ? "" : ": ",
                    r->error.text);
            return false;
        }
    }
    if (r->help)
        return true;
    if (optind + 1 != argc || !number_read(argv[optind], FLEET_MAX, &r->n) || r->n == 0)
        return complain("one argument is expected: how many cards");
    return r->eim_path != NULL || complain("--eim is missing");
}

/* --- files ------------------------------------------------------------------------------------ */

static int write_text(const char *path, const char *text, struct lab_error *e)
{
    FILE *f = path != NULL ? fopen(path, "w") : stdout;

    if (f == NULL)
        return lab_fail(e, "%s: %s", path, strerror(errno));
    bool ok = fprintf(f, "%s\n", text) > 0;
    ok = (path != NULL ? fclose(f) : fflush(f)) == 0 && ok;
    return ok ? 0 : lab_fail(e, "%s: %s", path != NULL ? path : "standard output", strerror(errno));
}

/* Deletes the value; to standard output without a path. */
static int write_json(const char *path, cJSON *value, struct lab_error *e)
{
    char *text = cJSON_Print(value);
    int r = text != NULL ? write_text(path, text, e) : lab_fail(e, "out of memory");

    cJSON_free(text);
    cJSON_Delete(value);
    return r;
}

/* FILE or FILE,WORD,WORD...; a file whose name has a comma is taken by its whole name. */
static int read_profile(struct running *r, struct lab_error *e)
{
    char path[FLEET_PATH_LEN];
    const char *text = r->profile_path;

    if (text == NULL)
        return 0;
    const char *comma = access(text, F_OK) == 0 ? NULL : strchr(text, ',');
    size_t n = comma != NULL ? (size_t)(comma - text) : strlen(text);
    if (!copy_rd(rd_of(text, n), path, sizeof path))
        return lab_fail(e, "%.200s: too long", text);
    TRY(file_read(path, &r->profile, e));
    r->config.profile = (struct softeuicc_bytes){ r->profile.p, r->profile.n };
    r->config.profile_words = comma != NULL ? comma + 1 : NULL;
    return 0;
}

static int read_files(struct running *r, struct lab_error *e)
{
    TRY(file_read(r->eim_path, &r->eim, e));
    r->config.eim = (struct softeuicc_bytes){ r->eim.p, r->eim.n };
    TRY(read_profile(r, e));
    if (r->config.folder != NULL && mkdir(r->config.folder, 0700) != 0 && errno != EEXIST)
        return lab_fail(e, "%s: %s", r->config.folder, strerror(errno));
    return 0;
}

/* --- the process ------------------------------------------------------------------------------ */

static int need_descriptors(const struct running *r, struct lab_error *e)
{
    const rlim_t each = DESCRIPTORS_CARD + (r->config.folder != NULL ? DESCRIPTORS_FILE : 0);
    const rlim_t need = DESCRIPTORS + each * r->n;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return lab_fail(e, "the limit of descriptors: %s", strerror(errno));
    if (limit.rlim_cur >= need)
        return 0;
    limit.rlim_cur = need;
    if (limit.rlim_max < need)
        limit.rlim_max = need;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return lab_fail(e, "%lu cards need %llu descriptors (ulimit -n): %s", r->n,
                        (unsigned long long)need, strerror(errno));
    return 0;
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
    struct running *r = ctx;

    (void)fd;
    (void)what;
    if (r->in_place || ++r->ticks % LINE_TICKS == 0)
        fleet_tell_progress(stderr, r->fleet, r->in_place);
}

static void on_signal(evutil_socket_t number, short what, void *ctx)
{
    (void)number;
    (void)what;
    event_base_loopbreak(((struct running *)ctx)->base);
}

static void on_end(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    event_base_loopbreak(((struct running *)ctx)->base);
}

static void on_done(void *ctx)
{
    event_base_loopbreak(((struct running *)ctx)->base);
}

static int set_up_events(struct running *r, struct lab_error *e)
{
    static const int numbers[N_SIGNALS] = { SIGINT, SIGTERM };
    const struct timeval tick = { TICK_SECONDS, 0 };

    r->base = event_base_new();
    if (r->base == NULL)
        return lab_fail(e, "no event loop");
    for (size_t i = 0; i < N_SIGNALS; i++) {
        r->signals[i] = evsignal_new(r->base, numbers[i], on_signal, r);
        if (r->signals[i] == NULL || event_add(r->signals[i], NULL) != 0)
            return lab_fail(e, "no event loop");
    }
    r->tick = event_new(r->base, -1, EV_PERSIST, on_tick, r);
    r->end = evtimer_new(r->base, on_end, r);
    if (r->tick == NULL || r->end == NULL || event_add(r->tick, &tick) != 0)
        return lab_fail(e, "no event loop");
    return 0;
}

/* --- from beginning to end -------------------------------------------------------------------- */

/* What the command line says comes last, and so counts.  The cards know the DNS server: only a
 * profile with an operator's bearer lets them ask the network for it. */
static void choose_settings(struct running *r)
{
    const struct terminal_device *d = &r->config.device;

    if (d->n_dns > 0)
        inet_ntop(d->dns[0].type == ADDRESS_IPV6 ? AF_INET6 : AF_INET, d->dns[0].octets,
                  r->dns_text, sizeof r->dns_text);
    snprintf(r->poll_text, sizeof r->poll_text, "%lu", r->poll);
    const struct softeuicc_setting own[OWN_SETTINGS] = {
        { "ipae", "on" },
        { "ipae_delay", "0" },
        { "ipae_poll", r->poll_text },
        { "ipae_dns", r->dns_text },
    };
    memcpy(r->settings, own, sizeof own);
    r->config.settings = r->settings;
    r->config.n_settings = r->n_settings;
}

static int make(struct running *r, struct lab_error *e)
{
    cJSON *devices = NULL;

    choose_settings(r);
    r->config.n = r->n;
    r->config.map = &r->map;
    r->config.ramp_ms = r->ramp * 1000;
    r->config.polls = r->polls;
    r->config.done = on_done;
    r->config.ctx = r;
    r->config.base = r->base;
    r->taken.kb_before = fleet_rss_kb();
    uint64_t before = fleet_now_us();
    TRY(fleet_new(&r->config, &r->fleet, e));
    r->taken.made_s = (double)(fleet_now_us() - before) / 1e6;
    r->taken.kb_made = fleet_rss_kb();
    if (r->devices_path == NULL)
        return 0;
    TRY(fleet_devices(r->fleet, &devices, e));
    return write_json(r->devices_path, devices, e);
}

static int run(struct running *r, struct lab_error *e)
{
    const struct timeval end = { (time_t)r->duration, 0 };
    double cpu = fleet_cpu_s();
    uint64_t before = fleet_now_us();

    if (r->duration > 0 && event_add(r->end, &end) != 0)
        return lab_fail(e, "no event loop");
    TRY(fleet_start(r->fleet, e));
    int result = event_base_dispatch(r->base);
    r->taken.kb_most = fleet_most_rss_kb();
    r->taken.ran_s = (double)(fleet_now_us() - before) / 1e6;
    r->taken.cpu_s = fleet_cpu_s() - cpu;
    if (r->in_place)
        fputc('\n', stderr);
    if (result < 0)
        return lab_fail(e, "the event loop fails");
    if (r->json)
        TRY(write_json(r->json_path, fleet_json(r->fleet, &r->taken), e));
    if (!r->json || r->json_path != NULL)
        fleet_tell_summary(stdout, r->fleet, &r->taken);
    if (r->fleet->n_polled < r->fleet->n)
        return lab_fail(e, "%zu cards of %zu had no good poll", r->fleet->n - r->fleet->n_polled,
                        r->fleet->n);
    return r->fleet->counts.n_causes == 0 ? 0 : lab_fail(e, "there were failures");
}

static int work(struct running *r, struct lab_error *e)
{
    TRY(read_files(r, e));
    TRY(need_descriptors(r, e));
    TRY(set_up_events(r, e));
    if (r->dns == NULL)
        TRY(names_open(r->base, &r->config.device, &r->map, &r->names, e));
    TRY(make(r, e));
    return r->make ? 0 : run(r, e);
}

static void end(struct running *r)
{
    fleet_free(&r->fleet);
    name_server_free(&r->names);
    for (size_t i = 0; i < N_SIGNALS; i++)
        if (r->signals[i] != NULL)
            event_free(r->signals[i]);
    if (r->tick != NULL)
        event_free(r->tick);
    if (r->end != NULL)
        event_free(r->end);
    if (r->base != NULL)
        event_base_free(r->base);
    wr_done(&r->eim);
    wr_done(&r->profile);
}

int fleet_main(int argc, char **argv)
{
    struct running *r = calloc(1, sizeof *r);
    struct lab_error e = { "" };
    int status = STATUS_USAGE;

    if (r == NULL)
        return STATUS_FAILED;
    r->ramp = 10;
    r->poll = r->duration = 60;
    r->n_settings = OWN_SETTINGS;
    r->in_place = isatty(STDERR_FILENO);
    wr_init_heap(&r->eim, LAB_FILE_MAX);
    wr_init_heap(&r->profile, LAB_FILE_MAX);
    terminal_device_init(&r->config.device);
    r->config.device.attach_ms = 0;
    r->config.device.poll_s = 0;
    if (read_options(argc, argv, r)) {
        status = STATUS_DONE;
        if (r->help) {
            usage(stdout);
        } else {
            signal(SIGPIPE, SIG_IGN);
            if (work(r, &e) != 0) {
                fprintf(stderr, "softeuicc-lab fleet: %s\n", e.text);
                status = STATUS_FAILED;
            }
        }
    }
    end(r);
    free(r);
    return status;
}
