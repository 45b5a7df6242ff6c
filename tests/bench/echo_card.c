/* echo_card.c - a card that answers at once: what the transport alone costs.
 *
 * usage: echo_card HOST:PORT INS=LENGTH...
 *
 * A command whose instruction is INS (hex) is answered with LENGTH octets, of which the last two
 * are 9000; with LENGTH 0 the card stays mute.  The connection to the reader is the one of
 * softeuicc run. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "vpcd/vpcd.h"

struct echo {
    size_t lengths[256];
};

static size_t atr(void *ctx, uint8_t ret[VPCD_ATR_MAX])
{
    static const uint8_t t0_and_t1[] = { 0x3B, 0x80, 0x80, 0x01, 0x01 };

    (void)ctx;
    memcpy(ret, t0_and_t1, sizeof t0_and_t1);
    return sizeof t0_and_t1;
}

static int power(void *ctx)
{
    (void)ctx;
    return 0;
}

static void power_off(void *ctx)
{
    (void)ctx;
}

static size_t transmit(void *ctx, const uint8_t *command, size_t n, uint8_t *response)
{
    const struct echo *e = ctx;
    size_t length = e->lengths[n > 1 ? command[1] : 0];

    if (length == 0)
        return 0;
    memset(response, 0xA5, length);
    response[length - 2] = 0x90;
    response[length - 1] = 0x00;
    return length;
}

static void say(void *ctx, const char *line)
{
    (void)ctx;
    puts(line);
    fflush(stdout);
}

static int stop_descriptor(void)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    return signalfd(-1, &signals, SFD_CLOEXEC);
}

static void take_lengths(struct echo *e, char **words)
{
    for (size_t i = 0; i < 256; i++)
        e->lengths[i] = 2;
    for (; *words != NULL; words++) {
        unsigned ins, length;
        if (sscanf(*words, "%2x=%u", &ins, &length) == 2 && length != 1 &&
            length <= VPCD_RESPONSE_MAX)
            e->lengths[ins] = length;
    }
}

int main(int argc, char **argv)
{
    struct echo echo;
    const struct vpcd_card card = { .ctx = &echo,
                                    .atr = atr,
                                    .power_on = power,
                                    .reset = power,
                                    .power_off = power_off,
                                    .transmit = transmit };
    char error[VPCD_ERROR_LEN] = "usage: echo_card HOST:PORT INS=LENGTH...";
    struct vpcd *v = NULL;
    int r = -1;

    if (argc >= 2) {
        const struct vpcd_options options = {
            .card = &card, .address = argv[1], .stop_fd = stop_descriptor(), .say = say
        };
        take_lengths(&echo, argv + 2);
        r = vpcd_new(&options, &v, error);
    }
    if (r == 0)
        r = vpcd_run(v, error);
    vpcd_free(&v);
    if (r != 0)
        fprintf(stderr, "%s\n", error);
    return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
