/* run.c - softeuicc run: a card in a reader of vpcd until SIGINT or SIGTERM. */
#include <stdio.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/session.h"
#include "vpcd/vpcd.h"

_Static_assert((int)VPCD_ATR_MAX >= (int)SOFTEUICC_ATR_MAX, "an ATR fits");
_Static_assert((int)VPCD_RESPONSE_MAX >= (int)SOFTEUICC_RESPONSE_MAX, "a response fits");

static struct softeuicc *card_of(void *ctx)
{
    const struct session *s = ctx;

    return s->card;
}

static size_t atr(void *ctx, uint8_t ret[VPCD_ATR_MAX])
{
    return softeuicc_atr(card_of(ctx), ret);
}

static int power_on(void *ctx)
{
    return softeuicc_power_on(card_of(ctx));
}

static int reset(void *ctx)
{
    return softeuicc_reset(card_of(ctx));
}

static void power_off(void *ctx)
{
    softeuicc_power_off(card_of(ctx));
}

static size_t transmit(void *ctx, const uint8_t *command, size_t n, uint8_t *response)
{
    return session_transmit(ctx, command, n, response);
}

static int control(void *ctx, const char *line, char *reply, size_t size)
{
    return softeuicc_control(card_of(ctx), line, reply, size);
}

static void say(void *ctx, const char *line)
{
    const struct arguments *const *args = ctx;

    /* Not through stdout: that nobody listens any longer is no failure. */
    dprintf(STDOUT_FILENO, "%s: %s\n", (*args)->operand, line);
}

static int serve(const struct arguments *args, struct session *s)
{
    const struct vpcd_card card = {
        .ctx = s,
        .atr = atr,
        .power_on = power_on,
        .reset = reset,
        .power_off = power_off,
        .transmit = transmit,
        .control = control,
    };
    const char *reader = argument_value(args, "--reader");
    const char *listen = argument_value(args, "--listen");
    struct vpcd_options options = {
        .card = &card,
        .address = listen != NULL   ? listen
                   : reader != NULL ? reader
                                    : VPCD_DEFAULT_READER,
        .listen = listen != NULL,
        .control = argument_value(args, "--control"),
        .stop_fd = s->stop_fd,
        .say = say,
        .say_ctx = &args,
    };
    struct vpcd *v = NULL;
    char error[VPCD_ERROR_LEN];

    int r = vpcd_new(&options, &v, error);
    if (r == 0)
        r = vpcd_run(v, error);
    vpcd_free(&v);
    return r == 0 ? EXIT_DONE : failed(args, "%s", error);
}

static int run(const struct arguments *args)
{
    struct session s;

    if (argument_given(args, "--reader") && argument_given(args, "--listen"))
        return wrong_usage(args, "--reader and --listen exclude each other");
    int r = session_open(&s, args);
    if (r == EXIT_DONE)
        r = serve(args, &s);
    return session_close(&s, args, r);
}

static void more_help(FILE *to)
{
    fprintf(to,
            "\nEach slot of the reader has its own port, counted from 35963, and takes one card.\n"
            "The control socket takes lines of docs/CONTROL.md.\n");
    session_help_control(to);
    session_help_faults(to);
}

static const struct option options_of_run[] = {
    { "--reader", "HOST:PORT", "connect to this reader of vpcd (" VPCD_DEFAULT_READER ")", false },
    { "--listen", "HOST:PORT", "wait here for the reader to connect (vpcd's reversed mode)",
      false },
    { "--control", "SOCKET", "take control lines at this UNIX socket", false },
    OPTIONS_OF_A_CARD_IN_USE,
    { NULL, NULL, NULL, false },
};

const struct command run_command = {
    .name = "run",
    .operand = "CARD",
    .meaning = "put a card into a virtual reader of pcscd",
    .options = options_of_run,
    .run = run,
    .more_help = more_help,
};
