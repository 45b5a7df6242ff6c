/* main.c - softeuicc, the chip on the command line: chooses the subcommand. */
#include <signal.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/standard.h"
#include "lib/softeuicc.h"

static const struct command *const commands[] = {
    &new_command, &run_command, &apdu_command, &show_command, &pki_command, &doctor_command,
};

enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static void print_help(FILE *to)
{
    fprintf(to, "usage: %s COMMAND [ARGUMENT]...\n", PROGRAM);
    fprintf(to,
            "A GSMA eUICC in software: a card is a file, a program is its chip.\n\ncommands:\n");
    for (size_t i = 0; i < N_COMMANDS; i++) {
        const char *operand = commands[i]->operand;
        char left[40];
        snprintf(left, sizeof left, "%s %s", commands[i]->name, operand ? operand : "");
        fprintf(to, "  %-14s %s\n", left, commands[i]->meaning);
    }
    fprintf(to, "\n%s COMMAND --help tells the options of a command.\n", PROGRAM);
    fprintf(to, "exit status: 0 done, 1 failed, 2 wrong usage.\n");
    fprintf(to, "Test keys only: this is no secure element.\n");
}

static int print_version(void)
{
    printf("%s %s\n", PROGRAM, SOFTEUICC_VERSION);
    return EXIT_DONE;
}

static int run_command_line(const struct command *command, int n, char **argv)
{
    struct arguments args;
    int r = arguments_parse(&args, command, n, argv);

    if (r == EXIT_DONE && args.help)
        print_command_help(stdout, command);
    else if (r == EXIT_DONE && args.version)
        print_version();
    else if (r == EXIT_DONE)
        r = command->run(&args);
    arguments_done(&args);
    return r;
}

static int choose(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "%s: which command? see %s --help\n", PROGRAM, PROGRAM);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0) {
        print_help(stdout);
        return EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0)
        return print_version();
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(argv[1], commands[i]->name) == 0)
            return run_command_line(commands[i], argc - 2, argv + 2);
    fprintf(stderr, "%s: unknown command '%s'; see %s --help\n", PROGRAM, argv[1], PROGRAM);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a reader or a pipe that goes away is an error to report */
    if (!standard_descriptors_keep())
        return EXIT_FAILED;
    return standard_output_end(PROGRAM, choose(argc, argv));
}
