/* apdu.c - softeuicc apdu: a card on a pipe.
 *
 * A line of hexadecimal digits is a command APDU, the line that answers it the response APDU.
 * "reset" is answered with the ATR.  What follows # is a comment; lines without anything else are
 * not answered.  A response without octets, the card having lost power, is an empty line. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/hex.h"
#include "cli/session.h"
#include "vpcd/lines.h"

enum {
    APDU_MAX = 4 + 3 + 65535 + 3, /* the longest extended command */
    LINE_MAX_CHARS = 4 * APDU_MAX,
};

struct pipe_card {
    const struct arguments *args;
    struct softeuicc *card;
    struct session *session;
    struct lines lines;
    size_t line_number;
    uint8_t *command, *response;
};

static void strip(char *line)
{
    line[strcspn(line, "#")] = '\0';
    for (size_t n = strlen(line); n > 0 && strchr(" \t", line[n - 1]) != NULL; n--)
        line[n - 1] = '\0';
}

static int bad_line(const struct pipe_card *p, const char *why)
{
    return failed(p->args, "line %zu: %s", p->line_number, why);
}

static int reset(struct pipe_card *p)
{
    uint8_t atr[SOFTEUICC_ATR_MAX];
    int r = softeuicc_is_on(p->card) ? softeuicc_reset(p->card) : softeuicc_power_on(p->card);

    if (r != 0)
        return bad_line(p, "the card does not start");
    hex_print(stdout, atr, softeuicc_atr(p->card, atr));
    return EXIT_DONE;
}

static int transmit(struct pipe_card *p, const char *digits)
{
    size_t n;

    if (hex_parse(digits, p->command, APDU_MAX, &n) != 0)
        return bad_line(p, "neither hexadecimal digits in pairs nor reset");
    hex_print(stdout, p->response, session_transmit(p->session, p->command, n, p->response));
    return EXIT_DONE;
}

static int serve_line(struct pipe_card *p, char *line)
{
    p->line_number++;
    strip(line);
    line += strspn(line, " \t");
    if (*line == '\0')
        return EXIT_DONE;

    int r = strcmp(line, "reset") == 0 ? reset(p) : transmit(p, line);
    if (r != EXIT_DONE)
        return r;
    putchar('\n');
    if (fflush(stdout) != 0)
        return failed(p->args, "standard output: %s", strerror(errno));
    return EXIT_DONE;
}

/* Reads once and serves what came.  *ret_end: there is no more to come. */
static int serve_input(struct pipe_card *p, bool *ret_end)
{
    int got = lines_read(&p->lines, STDIN_FILENO);
    int r = EXIT_DONE;
    char *line;

    if (got < 0)
        return failed(p->args, "standard input: %s", strerror(errno));
    while (r == EXIT_DONE && (line = lines_next(&p->lines)) != NULL)
        r = serve_line(p, line);
    if (r == EXIT_DONE && got == 0 && (line = lines_rest(&p->lines)) != NULL)
        r = serve_line(p, line);
    if (r == EXIT_DONE && lines_too_long(&p->lines)) {
        p->line_number++;
        r = bad_line(p, "longer than any APDU");
    }
    *ret_end = got == 0;
    return r;
}

static int serve(struct pipe_card *p, int stop_fd)
{
    struct pollfd fds[] = {
        { .fd = stop_fd, .events = POLLIN },
        { .fd = STDIN_FILENO, .events = POLLIN },
    };
    bool end = false;
    int r = EXIT_DONE;

    while (r == EXIT_DONE && !end) {
        if (poll(fds, sizeof fds / sizeof fds[0], -1) < 0)
            return failed(p->args, "poll: %s", strerror(errno));
        if (fds[0].revents != 0)
            return EXIT_DONE;
        r = serve_input(p, &end);
    }
    return r;
}

static int run(const struct arguments *args)
{
    struct session s;
    struct pipe_card p = { .args = args };

    int r = session_open(&s, args);
    if (r == EXIT_DONE) {
        p.card = s.card;
        p.session = &s;
        p.command = malloc(APDU_MAX);
        p.response = malloc(SOFTEUICC_RESPONSE_MAX);
        if (p.command == NULL || p.response == NULL || lines_init(&p.lines, LINE_MAX_CHARS) != 0)
            r = failed(args, "out of memory");
    }
    if (r == EXIT_DONE)
        r = serve(&p, s.stop_fd);
    lines_done(&p.lines);
    free(p.command);
    free(p.response);
    return session_close(&s, args, r);
}

static void more_help(FILE *to)
{
    fprintf(to,
            "\nEach line of standard input is a command APDU in hexadecimal digits, or the word\n"
            "reset, which is answered with the ATR; # starts a comment.  Each is answered by a\n"
            "line on standard output.  A line that is neither ends the program with status 1.\n");
    session_help_faults(to);
}

static const struct option options_of_apdu[] = {
    OPTIONS_OF_A_CARD_IN_USE,
    { NULL, NULL, NULL, false },
};

const struct command apdu_command = {
    .name = "apdu",
    .operand = "CARD",
    .meaning = "talk to a card through standard input and output",
    .options = options_of_apdu,
    .run = run,
    .more_help = more_help,
};
