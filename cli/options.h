/* options.h - the command line: tables of subcommands and options, and one parser for them.
 *
 * What --help prints comes from the same tables, and the manual page is checked against it. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define PROGRAM "softeuicc"

enum exit_status {
    EXIT_DONE = 0,
    EXIT_FAILED = 1, /* one line on standard error says what and why */
    EXIT_USAGE = 2,  /* one line on standard error says what and where to read on */
};

struct option {
    const char *name;     /* "--trace"; NULL behind the last of a table */
    const char *argument; /* "FILE", or NULL for a switch */
    const char *meaning;
    bool repeats;
};

struct arguments;

struct command {
    const char *name;
    const char *operand; /* the one operand, "CARD", or NULL for none */
    const char *meaning;
    const struct option *options;
    int (*run)(const struct arguments *args); /* returns an exit status */
    void (*more_help)(FILE *to);              /* what --help says beyond the tables, or NULL */
};

/* What was given; the strings are those of argv. */
struct arguments {
    const struct command *command;
    const char *operand;
    struct given {
        const struct option *option;
        const char *value; /* NULL for a switch */
    } * given;
    size_t n_given;
    bool help, version;
};

/* Options common to run and apdu. */
#define OPTIONS_OF_A_CARD_IN_USE                                                                   \
    { "--fault", "RULE", "make the card fail so, see below", true },                               \
        { "--trace", "FILE", "write what the card does and why; - is standard error", false },     \
        { "--trace-format", "FORMAT", "text or json (json where FILE ends in .jsonl)", false },    \
        { "--trace-secrets", NULL, "with PINs and the like, which are FF otherwise", false },      \
        { "--pcap", "FILE", "write the APDUs as a capture file (GSMTAP) for Wireshark", false },   \
    {                                                                                              \
        "--seed", "N", "tests only: derive everything random, keys too, from N", false             \
    }

/* Parses what stands behind the subcommand, n strings.  0, or an exit status after the reason was
 * printed.  arguments_done() frees in either case. */
int arguments_parse(struct arguments *ret, const struct command *command, int n, char **argv);
void arguments_done(struct arguments *args);

/* The value of an option that was given, or NULL. */
const char *argument_value(const struct arguments *args, const char *name);
bool argument_given(const struct arguments *args, const char *name);
size_t argument_count(const struct arguments *args, const char *name);

/* Prints the one line of a failure and returns the exit status. */
int failed(const struct arguments *args, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int wrong_usage(const struct arguments *args, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* With --seed, a line on standard error. */
void warn_of_seed(const struct arguments *args);

/* The usage line and the table of options of a subcommand. */
void print_command_help(FILE *to, const struct command *command);

#endif
