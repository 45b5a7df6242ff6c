/* options.c - the command line: one parser for all subcommands. */
#include "cli/options.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const struct option common[] = {
    { "--help", NULL, "print this help", false },
    { "--version", NULL, "print the version", false },
    { NULL, NULL, NULL, false },
};

static void complain(const struct arguments *args, const char *fmt, va_list ap)
{
    fprintf(stderr, "%s %s: ", PROGRAM, args->command->name);
    vfprintf(stderr, fmt, ap);
}

int failed(const struct arguments *args, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    complain(args, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return EXIT_FAILED;
}

int wrong_usage(const struct arguments *args, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    complain(args, fmt, ap);
    va_end(ap);
    fprintf(stderr, "; see %s %s --help\n", PROGRAM, args->command->name);
    return EXIT_USAGE;
}

/* The row whose name stands in the first n characters of word. */
static const struct option *find(const struct option *table, const char *word, size_t n)
{
    for (const struct option *o = table; o->name != NULL; o++)
        if (strlen(o->name) == n && strncmp(o->name, word, n) == 0)
            return o;
    return NULL;
}

static int take_operand(struct arguments *args, const char *word)
{
    if (args->command->operand == NULL)
        return wrong_usage(args, "'%s' is one word too many", word);
    if (args->operand != NULL)
        return wrong_usage(args, "'%s' is one %s too many", word, args->command->operand);
    args->operand = word;
    return EXIT_DONE;
}

/* Takes the option in words[0] and its value, which may stand in words[1].  *ret_used: how many
 * words that were. */
static int take_option(struct arguments *args, int n, char **words, int *ret_used)
{
    const char *word = words[0];
    const char *equals = strchr(word, '=');
    size_t length = equals == NULL ? strlen(word) : (size_t)(equals - word);
    const struct option *o = find(args->command->options, word, length);

    *ret_used = 1;
    if (o == NULL)
        return wrong_usage(args, "unknown option '%.*s'", (int)length, word);
    if (o->argument == NULL && equals != NULL)
        return wrong_usage(args, "%s takes no value", o->name);
    if (!o->repeats && argument_given(args, o->name))
        return wrong_usage(args, "%s is given twice", o->name);

    const char *value = equals == NULL ? NULL : equals + 1;
    if (o->argument != NULL && value == NULL) {
        if (n < 2)
            return wrong_usage(args, "%s needs a value (%s)", o->name, o->argument);
        value = words[1];
        *ret_used = 2;
    }
    args->given[args->n_given++] = (struct given){ o, value };
    return EXIT_DONE;
}

int arguments_parse(struct arguments *ret, const struct command *command, int n, char **argv)
{
    bool options_end = false;
    int r = EXIT_DONE;

    *ret = (struct arguments){ .command = command };
    ret->given = calloc((size_t)n + 1, sizeof *ret->given);
    if (ret->given == NULL)
        return failed(ret, "out of memory");

    for (int i = 0, used = 1; i < n && r == EXIT_DONE; i += used, used = 1) {
        if (options_end || argv[i][0] != '-' || argv[i][1] == '\0')
            r = take_operand(ret, argv[i]);
        else if (strcmp(argv[i], "--") == 0)
            options_end = true;
        else if (strcmp(argv[i], "--help") == 0)
            ret->help = true;
        else if (strcmp(argv[i], "--version") == 0)
            ret->version = true;
        else
            r = take_option(ret, n - i, argv + i, &used);
    }
    if (r == EXIT_DONE && !ret->help && !ret->version && command->operand != NULL &&
        ret->operand == NULL)
        r = wrong_usage(ret, "%s is missing", command->operand);
    return r;
}

void arguments_done(struct arguments *args)
{
    free(args->given);
    args->given = NULL;
}

const char *argument_value(const struct arguments *args, const char *name)
{
    for (size_t i = 0; i < args->n_given; i++)
        if (strcmp(args->given[i].option->name, name) == 0)
            return args->given[i].value;
    return NULL;
}

size_t argument_count(const struct arguments *args, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < args->n_given; i++)
        n += strcmp(args->given[i].option->name, name) == 0;
    return n;
}

bool argument_given(const struct arguments *args, const char *name)
{
    return argument_count(args, name) > 0;
}

void warn_of_seed(const struct arguments *args)
{
    const char *seed = argument_value(args, "--seed");

    if (seed != NULL)
        fprintf(stderr,
                "%s: WARNING: --seed %s: every key and random number of this run can be foretold; "
                "for tests only\n",
                PROGRAM, seed);
}

static void print_options(FILE *to, const struct option *table)
{
    for (const struct option *o = table; o->name != NULL; o++) {
        char left[40];
        snprintf(left, sizeof left, "%s %s", o->name, o->argument == NULL ? "" : o->argument);
        fprintf(to, "  %-22s %s%s\n", left, o->meaning, o->repeats ? " (repeatable)" : "");
    }
}

void print_command_help(FILE *to, const struct command *command)
{
    const char *operand = command->operand;

    fprintf(to, "usage: %s %s%s%s [OPTION]...\n", PROGRAM, command->name, operand ? " " : "",
            operand ? operand : "");
    fprintf(to, "%s.\n\noptions:\n", command->meaning);
    print_options(to, command->options);
    print_options(to, common);
    if (command->more_help != NULL)
        command->more_help(to);
}
