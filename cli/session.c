/* session.c - a card in use by run or apdu. */
#include "cli/session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void write_trace(const struct session *s, enum softeuicc_event event, const char *text,
                        const uint8_t *bytes, size_t n)
{
    char *line = softeuicc_event_line(event, text, bytes, n, s->trace_json);

    if (line != NULL)
        fprintf(s->trace, "%s\n", line);
    fflush(s->trace);
    free(line);
}

static void on_event(void *ctx, enum softeuicc_event event, const char *text, const uint8_t *bytes,
                     size_t n)
{
    struct session *s = ctx;

    if (s->trace != NULL)
        write_trace(s, event, text, bytes, n);
    if (s->pcap_file != NULL && event == SOFTEUICC_COMMAND)
        pcap_command(&s->pcap, bytes, n);
    if (s->pcap_file != NULL && event == SOFTEUICC_RESPONSE)
        pcap_response(&s->pcap, bytes, n);
}

static int catch_signals(struct session *s)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0)
        return -1;
    s->stop_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    return s->stop_fd < 0 ? -1 : 0;
}

/* As --trace-format says, else as the name of the file ends. */
static int choose_format(struct session *s, const struct arguments *args)
{
    const char *format = argument_value(args, "--trace-format");
    const char *trace = argument_value(args, "--trace");

    if (trace == NULL)
        return format == NULL ? EXIT_DONE : wrong_usage(args, "--trace-format needs --trace");
    if (format == NULL) {
        size_t n = strlen(trace), end = strlen(".jsonl");
        s->trace_json = n > end && strcmp(trace + n - end, ".jsonl") == 0;
        return EXIT_DONE;
    }
    s->trace_json = strcmp(format, "json") == 0;
    return s->trace_json || strcmp(format, "text") == 0
               ? EXIT_DONE
               : wrong_usage(args, "--trace-format is text or json, not '%s'", format);
}

static int set_faults(struct session *s, const struct arguments *args)
{
    char reply[SOFTEUICC_ERROR_LEN];

    for (size_t i = 0; i < args->n_given; i++) {
        const struct given *g = &args->given[i];
        if (strcmp(g->option->name, "--fault") == 0 &&
            softeuicc_fault(s->card, g->value, reply, sizeof reply) != 0)
            return wrong_usage(args, "--fault '%s': %s", g->value, reply);
    }
    return EXIT_DONE;
}

static int open_outputs(struct session *s, const struct arguments *args)
{
    const char *trace = argument_value(args, "--trace");
    const char *pcap = argument_value(args, "--pcap");

    if (trace != NULL) {
        s->trace = strcmp(trace, "-") == 0 ? stderr : fopen(trace, "we");
        if (s->trace == NULL)
            return failed(args, "%s: %s", trace, strerror(errno));
    }
    if (pcap != NULL) {
        s->pcap_file = fopen(pcap, "wbe");
        if (s->pcap_file == NULL)
            return failed(args, "%s: %s", pcap, strerror(errno));
        if (pcap_init(&s->pcap, s->pcap_file) != 0)
            return failed(args, "out of memory");
    }
    return EXIT_DONE;
}

static int make_crypto(struct session *s, const struct arguments *args)
{
    const char *seed = argument_value(args, "--seed");

    warn_of_seed(args);
    s->crypto = softeuicc_crypto_new(seed);
    return s->crypto != NULL ? EXIT_DONE : failed(args, "OpenSSL does not start");
}

int session_open(struct session *s, const struct arguments *args)
{
    char error[SOFTEUICC_ERROR_LEN];

    *s = (struct session){ .stop_fd = -1 };
    int r = choose_format(s, args);
    if (r == EXIT_DONE)
        r = open_outputs(s, args);
    if (r == EXIT_DONE)
        r = make_crypto(s, args);
    if (r == EXIT_DONE && catch_signals(s) != 0)
        r = failed(args, "signals: %s", strerror(errno));
    if (r != EXIT_DONE)
        return r;

    struct softeuicc_options options = { .crypto = s->crypto };
    if (s->trace != NULL || s->pcap_file != NULL) {
        options.trace = on_event;
        options.trace_ctx = s;
        options.trace_secrets = argument_given(args, "--trace-secrets");
    }
    if (softeuicc_open(args->operand, &options, &s->card, error) != 0)
        return failed(args, "%s", error);
    return set_faults(s, args);
}

size_t session_transmit(struct session *s, const uint8_t *command, size_t n, uint8_t *response)
{
    size_t got = softeuicc_transmit(s->card, command, n, response);
    struct pollfd stop = { .fd = s->stop_fd, .events = POLLIN };
    unsigned ms = softeuicc_delay(s->card);

    if (ms > 0)
        poll(&stop, 1, (int)ms);
    return got;
}

static void print_lines(FILE *to, bool faults)
{
    struct softeuicc_control_info c;
    char line[64];

    for (size_t i = 0; softeuicc_control_at(i, &c); i++) {
        if (c.is_fault != faults)
            continue;
        snprintf(line, sizeof line, "%s %s", c.name, c.arguments);
        fprintf(to, "  %-30s %s\n", line, c.meaning);
    }
}

void session_help_control(FILE *to)
{
    fprintf(to, "\nlines of the control socket, beside pull, insert and the faults:\n");
    print_lines(to, false);
}

void session_help_faults(FILE *to)
{
    fprintf(to, "\nfaults for --fault, in quotes; docs/CONTROL.md tells more:\n");
    print_lines(to, true);
    fprintf(to, "MATCH: how the command begins, in hex; X is any digit.\n"
                "STEP: commit, committed, answer, or how the name of a stored object begins.\n");
}

/* Closes the file of an option; a trace that is not whole must not look so. */
static int close_output(const struct arguments *args, const char *option, FILE *f, int status)
{
    bool lost = ferror(f) != 0;

    errno = 0;
    lost |= fclose(f) != 0;
    if (!lost)
        return status;
    return failed(args, "%s: %s", argument_value(args, option),
                  errno != 0 ? strerror(errno) : "not all of it could be written");
}

int session_close(struct session *s, const struct arguments *args, int status)
{
    if (s->card != NULL)
        softeuicc_close(&s->card);
    if (s->crypto != NULL)
        softeuicc_crypto_free(&s->crypto);
    pcap_done(&s->pcap);
    if (s->pcap_file != NULL)
        status = close_output(args, "--pcap", s->pcap_file, status);
    if (s->trace != NULL && s->trace != stderr)
        status = close_output(args, "--trace", s->trace, status);
    if (s->stop_fd >= 0)
        close(s->stop_fd);
    return status;
}
