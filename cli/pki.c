/* pki.c - softeuicc pki: a test PKI of one's own in the layout of SGP.26 v1. */
#include "cli/commands.h"
#include "lib/softeuicc.h"

static int run(const struct arguments *args)
{
    char error[SOFTEUICC_ERROR_LEN];

    if (softeuicc_make_pki(args->operand, NULL, error) != 0)
        return failed(args, "%s", error);
    printf("%s: test PKI made; give it to %s new --pki and softeuicc-lab smdpp --pki\n",
           args->operand, PROGRAM);
    return EXIT_DONE;
}

static const struct option options_of_pki[] = {
    { NULL, NULL, NULL, false },
};

const struct command pki_command = {
    .name = "pki",
    .operand = "DIR",
    .meaning = "make a test PKI in a directory that is new or empty",
    .options = options_of_pki,
    .run = run,
};
