/* new.c - softeuicc new: manufactures a card. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "lib/softeuicc.h"

enum {
    PROFILE_FILE_MAX = 4 * 1024 * 1024,
    EIM_FILE_MAX = 256 * 1024,
};

/* The files of an option that may be repeated. */
struct files {
    struct softeuicc_bytes *bytes;
    uint8_t **owned;    /* the octets behind bytes */
    const char **words; /* what stood behind FILE: */
    size_t n;
};

/* What softeuicc_new() borrows. */
struct order {
    struct softeuicc_setting *settings;
    char **texts; /* the strings behind settings */
    size_t n_settings;
    struct files profiles, eims;
};

static bool files_init(struct files *f, size_t most)
{
    f->bytes = calloc(most + 1, sizeof *f->bytes);
    f->owned = calloc(most + 1, sizeof *f->owned);
    f->words = calloc(most + 1, sizeof *f->words);
    return f->bytes != NULL && f->owned != NULL && f->words != NULL;
}

static void files_done(struct files *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->owned[i]);
    free(f->bytes);
    free(f->owned);
    free(f->words);
}

static void order_done(struct order *o)
{
    for (size_t i = 0; i < o->n_settings; i++)
        free(o->texts[i]);
    free(o->settings);
    free(o->texts);
    files_done(&o->profiles);
    files_done(&o->eims);
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

static int take_file(const struct arguments *args, const char *path, size_t max, const char *what,
                     struct files *ret)
{
    FILE *from = fopen(path, "rbe");
    uint8_t *bytes = from == NULL ? NULL : malloc(max);
    if (bytes == NULL) {
        int r = failed(args, "%s: %s", path, strerror(errno));
        if (from != NULL)
            fclose(from);
        return r;
    }
    size_t n = fread(bytes, 1, max, from);
    const char *why = ferror(from) ? strerror(errno) : n == 0 ? "is empty" : NULL;
    fclose(from);
    if (why != NULL || n == max) {
        free(bytes);
        return why != NULL ? failed(args, "%s: %s", path, why)
                           : failed(args, "%s: is too large for %s", path, what);
    }
    ret->owned[ret->n] = bytes;
    ret->bytes[ret->n++] = (struct softeuicc_bytes){ bytes, n };
    return EXIT_DONE;
}

/* FILE or FILE,WORD,WORD...; a file whose name has a comma is taken by its whole name. */
static int take_profile(const struct arguments *args, const char *text, struct files *ret)
{
    char path[4096];
    const char *comma = access(text, F_OK) == 0 ? NULL : strchr(text, ',');
    size_t n = comma != NULL ? (size_t)(comma - text) : strlen(text);

    if (n >= sizeof path)
        return failed(args, "%s: %s", text, strerror(ENAMETOOLONG));
    memcpy(path, text, n);
    path[n] = '\0';
    ret->words[ret->n] = comma != NULL ? comma + 1 : NULL;
    return take_file(args, path, PROFILE_FILE_MAX, "a profile package", ret);
}

static int take_order(const struct arguments *args, struct order *o)
{
    int r = EXIT_DONE;

    o->settings = calloc(argument_count(args, "--set") + 1, sizeof *o->settings);
    o->texts = calloc(argument_count(args, "--set") + 1, sizeof *o->texts);
    if (o->settings == NULL || o->texts == NULL ||
        !files_init(&o->profiles, argument_count(args, "--profile")) ||
        !files_init(&o->eims, argument_count(args, "--eim")))
        return failed(args, "out of memory");
    for (size_t i = 0; i < args->n_given && r == EXIT_DONE; i++) {
        const struct given *g = &args->given[i];
        if (strcmp(g->option->name, "--set") == 0)
            r = take_setting(args, g->value, o);
        else if (strcmp(g->option->name, "--profile") == 0)
            r = take_profile(args, g->value, &o->profiles);
        else if (strcmp(g->option->name, "--eim") == 0)
            r = take_file(args, g->value, EIM_FILE_MAX, "an eIM", &o->eims);
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
    const char *preset = argument_value(args, "--preset");
    printf("%s: EID %s, ", args->operand, eid);
    if (preset != NULL)
        printf("preset %s, ", preset);
    printf("%zu %sprofile%s", o->profiles.n, preset != NULL ? "more " : "",
           o->profiles.n == 1 ? "" : "s");
    if (o->eims.n > 0)
        printf(", %zu file%s of eIMs", o->eims.n, o->eims.n == 1 ? "" : "s");
    printf("; softeuicc show tells more\n");
    return EXIT_DONE;
}

static int make(const struct arguments *args, const struct order *o)
{
    const struct softeuicc_new how = {
        .preset = argument_value(args, "--preset"),
        .eid = argument_value(args, "--eid"),
        .seed = argument_value(args, "--seed"),
        .pki_dir = argument_value(args, "--pki"),
        .settings = o->settings,
        .n_settings = o->n_settings,
        .profiles = o->profiles.bytes,
        .n_profiles = o->profiles.n,
        .profile_words = o->profiles.words,
        .eims = o->eims.bytes,
        .n_eims = o->eims.n,
    };
    char error[SOFTEUICC_ERROR_LEN];

    warn_of_seed(args);
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
    struct softeuicc_preset_info p;

    fprintf(to,
            "\nwords behind a profile package: class=test, class=provisioning, class=operational,\n"
            "fallback-allowed, fallback (it holds the fallback attribute), ecall, enabled,\n"
            "iccid=DIGITS, provider=TEXT, name=TEXT, nickname=TEXT, notify=ADDRESS, owner=MCCMNC,\n"
            "ppr=1|2|1+2, icon=HEX, aid=XXXX\n");
    fprintf(to, "\npresets for --preset:\n");
    for (size_t i = 0; softeuicc_preset_at(i, &p); i++)
        fprintf(to, "  %-16s %s\n", p.name, p.meaning);
    fprintf(to, "\nsettings for --set, with their defaults:\n");
    for (size_t i = 0; softeuicc_setting_at(i, &s); i++)
        fprintf(to, "  %s=%s\n      %s\n", s.key, s.initial, s.meaning);
}

static const struct option options_of_new[] = {
    { "--eid", "DIGITS", "32 digits, or random (89049032123451234512345678901235)", false },
    { "--preset", "NAME[,WORD]...", "a card of the list below; other options add to it", false },
    { "--pki", "DIR", "keys and certificates as in SGP.26 v1 (the built-in test PKI)", false },
    { "--set", "KEY=VALUE", "a setting of the list below", true },
    { "--profile", "UPP.der[,WORD]...", "install this profile package, disabled", true },
    { "--seed", "N", "tests only: derive its keys and a random EID from N", false },
    { "--eim", "EIM.der", "associate this eIM: EimConfigurationData, AddInitialEimRequest", true },
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
