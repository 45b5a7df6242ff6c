/* pcsc_bench.c - how long commands take through pcscd.
 *
 * usage: pcsc_bench READER ROUNDS COMMAND...
 *
 * Sends each command (hex) ROUNDS times, taking turns, and prints a line for each: the command,
 * the length of its answer and the median time in microseconds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <winscard.h>

#include "tests/testlib/hex.h"

enum { COMMAND_MAX = 261, RESPONSE_MAX = 65538, COMMANDS_MAX = 16, WARM_UP = 50 };

struct command {
    const char *text;
    uint8_t octets[COMMAND_MAX];
    size_t n;
    DWORD answer;
    double *times; /* microseconds */
};

static void insist(const char *what, LONG code)
{
    if (code == SCARD_S_SUCCESS)
        return;
    fprintf(stderr, "%s: %s\n", what, pcsc_stringify_error(code));
    exit(EXIT_FAILURE);
}

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double exchange(SCARDHANDLE card, struct command *c)
{
    uint8_t response[RESPONSE_MAX];
    double before = now_us();

    c->answer = sizeof response;
    insist("transmit",
           SCardTransmit(card, SCARD_PCI_T0, c->octets, c->n, NULL, response, &c->answer));
    return now_us() - before;
}

static int by_value(const void *a, const void *b)
{
    double x, y;

    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static void measure(SCARDHANDLE card, struct command *commands, size_t n, size_t rounds)
{
    for (size_t round = 0; round < WARM_UP; round++)
        for (size_t i = 0; i < n; i++)
            exchange(card, &commands[i]);
    for (size_t round = 0; round < rounds; round++)
        for (size_t i = 0; i < n; i++)
            commands[i].times[round] = exchange(card, &commands[i]);
    for (size_t i = 0; i < n; i++) {
        struct command *c = &commands[i];
        qsort(c->times, rounds, sizeof c->times[0], by_value);
        printf("%s %lu %.1f\n", c->text, c->answer, c->times[rounds / 2]);
    }
}

int main(int argc, char **argv)
{
    struct command commands[COMMANDS_MAX] = { 0 };
    size_t n = argc > 3 ? (size_t)argc - 3 : 0;
    long rounds = argc > 3 ? strtol(argv[2], NULL, 10) : 0;

    if (n == 0 || n > COMMANDS_MAX || rounds <= 0) {
        fprintf(stderr, "usage: pcsc_bench READER ROUNDS COMMAND...\n");
        return 2;
    }
    for (size_t i = 0; i < n; i++) {
        commands[i].text = argv[3 + i];
        commands[i].n = hex(argv[3 + i], commands[i].octets, COMMAND_MAX);
        commands[i].times = calloc((size_t)rounds, sizeof(double));
        if (commands[i].times == NULL)
            return EXIT_FAILURE;
    }

    SCARDCONTEXT context;
    SCARDHANDLE card;
    DWORD protocol;
    insist("context", SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context));
    insist("connect", SCardConnect(context, argv[1], SCARD_SHARE_EXCLUSIVE, SCARD_PROTOCOL_T0,
                                   &card, &protocol));
    measure(card, commands, n, (size_t)rounds);
    SCardDisconnect(card, SCARD_LEAVE_CARD);
    SCardReleaseContext(context);
    for (size_t i = 0; i < n; i++)
        free(commands[i].times);
    return EXIT_SUCCESS;
}
