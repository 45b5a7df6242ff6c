/* show.c - softeuicc show: what a card file holds.  The card may be in use meanwhile. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "lib/softeuicc.h"

static int print(const struct arguments *args, const char *text)
{
    size_t n = strlen(text);

    fputs(text, stdout);
    if (n == 0 || text[n - 1] != '\n')
        putchar('\n');
    return fflush(stdout) == 0 ? EXIT_DONE : failed(args, "standard output: %s", strerror(errno));
}

static int run(const struct arguments *args)
{
    const struct softeuicc_options options = { .read_only = true };
    struct softeuicc *card = NULL;
    char error[SOFTEUICC_ERROR_LEN];

    if (softeuicc_open(args->operand, &options, &card, error) != 0)
        return failed(args, "%s", error);
    char *text = softeuicc_show(card, argument_given(args, "--json"));
    softeuicc_close(&card);
    int r = text == NULL ? failed(args, "%s cannot be read", args->operand) : print(args, text);
    free(text);
    return r;
}

static const struct option options_of_show[] = {
    { "--json", NULL, "as JSON", false },
    { NULL, NULL, NULL, false },
};

const struct command show_command = {
    .name = "show",
    .operand = "CARD",
    .meaning = "tell what is on a card: EID, profiles, keys, settings",
    .options = options_of_show,
    .run = run,
};
