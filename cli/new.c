/* new.c - softeuicc new: manufactures a card. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "lib/softeuicc.h"

enum { PROFILE_FILE_MAX = 4 * 1024 * 1024 };

/* What softeuicc_new() borrows. */
struct order {
    struct softeuicc_setting *settings;
    char **texts; /* the strings behind settings */
    size_t n_settings;
    struct softeuicc_bytes *profiles;
    uint8_t **files; /* the octets behind profiles */
    size_t n_profiles;
};

static void order_done(struct order *o)
{
    for (size_t i = 0; i < o->n_settings; i++)
        free(o->texts[i]);
    for (size_t i = 0; i < o->n_profiles; i++)
        free(o->files[i]);
    free(o->settings);
    free(o->texts);
    free(o->profiles);
    free(o->files);
}

/* KEY=VALUE; whether the key exists is the library's to say. */
static int take_setting(const struct arguments *args, const char *text, struct order *o)
{
    if (strchr(text, '=') == NULL || text[0] == '=')
        return wrong_usage(args, "--set wants KEY=VALUE, not '%s'", text);
    char *copy = strdup(text);
    if (copy == NULL)
        return failed(args, "out of memory");
    char *equals = strchr(copy, '=');
    *equals = '\0';
    o->texts[o->n_settings] = copy;
    o->settings[o->n_settings++] = (struct softeuicc_setting){ copy, equals + 1 };
    return EXIT_DONE;
}

static int take_profile(const struct arguments *args, const char *path, struct order *o)
{
    FILE *from = fopen(path, "rbe");
    uint8_t *bytes = from == NULL ? NULL : malloc(PROFILE_FILE_MAX);
    if (bytes == NULL) {
        int r = failed(args, "%s: %s", path, strerror(errno));
        if (from != NULL)
            fclose(from);
        return r;
    }
    size_t n = fread(bytes, 1, PROFILE_FILE_MAX, from);
    const char *why = ferror(from)            ? strerror(errno)
                      : n == 0                ? "is empty"
                      : n == PROFILE_FILE_MAX ? "is too large for a profile package"
                                              : NULL;
    fclose(from);
    if (why != NULL) {
        free(bytes);
        return failed(args, "%s: %s", path, why);
    }
    o->files[o->n_profiles] = bytes;
    o->profiles[o->n_profiles++] = (struct softeuicc_bytes){ bytes, n };
    return EXIT_DONE;
}

static int take_order(const struct arguments *args, struct order *o)
{
    int r = EXIT_DONE;

    o->settings = calloc(argument_count(args, "--set") + 1, sizeof *o->settings);
    o->texts = calloc(argument_count(args, "--set") + 1, sizeof *o->texts);
    o->profiles = calloc(argument_count(args, "--profile") + 1, sizeof *o->profiles);
    o->files = calloc(argument_count(args, "--profile") + 1, sizeof *o->files);
    if (o->settings == NULL || o->texts == NULL || o->profiles == NULL || o->files == NULL)
        return failed(args, "out of memory");
    for (size_t i = 0; i < args->n_given && r == EXIT_DONE; i++) {
        const struct given *g = &args->given[i];
        if (strcmp(g->option->name, "--set") == 0)
            r = take_setting(args, g->value, o);
        else if (strcmp(g->option->name, "--profile") == 0)
            r = take_profile(args, g->value, o);
    }
    return r;
}

/* What was made. */
static int tell(const struct arguments *args, const struct order *o)
{
    const struct softeuicc_options look = { .read_only = true };
    char error[SOFTEUICC_ERROR_LEN], eid[SOFTEUICC_EID_LEN + 1];
    struct softeuicc *card;

    if (softeuicc_open(args->operand, &look, &card, error) != 0)
        return failed(args, "%s", error);
    bool read = softeuicc_eid(card, eid);
    softeuicc_close(&card);
    if (!read)
        return failed(args, "%s does not read", args->operand);
    printf("%s: EID %s, %zu profile%s; softeuicc show tells more\n", args->operand, eid,
           o->n_profiles, o->n_profiles == 1 ? "" : "s");
    return EXIT_DONE;
}

static int make(const struct arguments *args, const struct order *o)
{
    const struct softeuicc_new how = {
        .eid = argument_value(args, "--eid"),
        .pki_dir = argument_value(args, "--pki"),
        .settings = o->settings,
        .n_settings = o->n_settings,
        .profiles = o->profiles,
        .n_profiles = o->n_profiles,
    };
    char error[SOFTEUICC_ERROR_LEN];

    if (softeuicc_new(args->operand, &how, NULL, error) != 0)
        return failed(args, "%s", error);
    return tell(args, o);
}

static int run(const struct arguments *args)
{
    struct order o = { 0 };
    int r = take_order(args, &o);

    if (r == EXIT_DONE)
        r = make(args, &o);
    order_done(&o);
    return r;
}

static void more_help(FILE *to)
{
    struct softeuicc_setting_info s;

    fprintf(to, "\nsettings for --set, with their defaults:\n");
    for (size_t i = 0; softeuicc_setting_at(i, &s); i++)
        fprintf(to, "  %s=%s\n      %s\n", s.key, s.initial, s.meaning);
}

static const struct option options_of_new[] = {
    { "--eid", "DIGITS", "32 digits, or random (89049032123451234512345678901235)", false },
    { "--pki", "DIR", "keys and certificates as in SGP.26 v1 (the built-in test PKI)", false },
    { "--set", "KEY=VALUE", "a setting of the list below", true },
    { "--profile", "UPP.der", "install this profile package, disabled", true },
    { NULL, NULL, NULL, false },
};

const struct command new_command = {
    .name = "new",
    .operand = "CARD",
    .meaning = "make a card in a new file",
    .options = options_of_new,
    .run = run,
    .more_help = more_help,
};
