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

/* The first thing that went wrong, as the trace tells it. */
struct fault {
    char text[SOFTEUICC_ERROR_LEN];
};

static void keep_fault(void *ctx, enum softeuicc_event event, const char *text,
                       const uint8_t *bytes, size_t n)
{
    struct fault *f = ctx;

    (void)bytes;
    (void)n;
    if (event == SOFTEUICC_FAULT && f->text[0] == '\0')
        snprintf(f->text, sizeof f->text, "%s", text);
}

static int run(const struct arguments *args)
{
    struct fault fault = { "" };
    const struct softeuicc_options options = { .read_only = true,
                                               .trace = keep_fault,
                                               .trace_ctx = &fault };
    struct softeuicc *card = NULL;
    char error[SOFTEUICC_ERROR_LEN];

    if (softeuicc_open(args->operand, &options, &card, error) != 0)
        return failed(args, "%s", error);
    char *text = softeuicc_show(card, argument_given(args, "--json"));
    softeuicc_close(&card);
    int r = text == NULL ? failed(args, "%s cannot be read: %s", args->operand,
                                  fault.text[0] != '\0' ? fault.text : "out of memory")
                         : print(args, text);
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
