/* session.c - a card in use by run or apdu. */
#include "cli/session.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/trace_text.h"

static void on_event(void *ctx, enum softeuicc_event event, const char *text, const uint8_t *bytes,
                     size_t n)
{
    struct session *s = ctx;

    if (s->trace != NULL)
        trace_text(s->trace, event, text, bytes, n);
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

    if (seed != NULL)
        fprintf(stderr,
                "%s: WARNING: --seed %s: every key and random number of this run can be foretold; "
                "for tests only\n",
                PROGRAM, seed);
    s->crypto = softeuicc_crypto_new(seed);
    return s->crypto != NULL ? EXIT_DONE : failed(args, "OpenSSL does not start");
}

int session_open(struct session *s, const struct arguments *args)
{
    char error[SOFTEUICC_ERROR_LEN];

    *s = (struct session){ .stop_fd = -1 };
    int r = open_outputs(s, args);
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
    }
    if (softeuicc_open(args->operand, &options, &s->card, error) != 0)
        return failed(args, "%s", error);
    return EXIT_DONE;
}

void session_close(struct session *s)
{
    if (s->card != NULL)
        softeuicc_close(&s->card);
    if (s->crypto != NULL)
        softeuicc_crypto_free(&s->crypto);
    pcap_done(&s->pcap);
    if (s->pcap_file != NULL)
        fclose(s->pcap_file);
    if (s->trace != NULL && s->trace != stderr)
        fclose(s->trace);
    if (s->stop_fd >= 0)
        close(s->stop_fd);
}
