/* play_main.c - softeuicc-lab play: options, scripts and folders, reports. */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lab/lab.h"
#include "lab/play.h"
#include "os/err.h"

enum {
    MAX_PATHS = 10000,
    MAX_OPTIONS = 64,
    MAX_DEPTH = 8,
    PATH_LEN = 4096,
};

struct arguments {
    struct play_options play;
    const char *options[MAX_OPTIONS];
    const char *junit, *tap, *json, *html, *coverage;
    bool verbose, list, help;
};

static void usage(FILE *out)
{
    fprintf(out,
            "usage: softeuicc-lab play [OPTION...] SCRIPT|FOLDER...\n\n"
            "  --card FILE      play on this card\n"
            "  --reader NAME    play on the card in this PC/SC reader (name, part of it, number)\n"
            "                   without either: on cards made as the scripts ask\n"
            "  --vpcd HOST:PORT put these cards into this reader of vpcd, and play over PC/SC;\n"
            "                   --reader is its name then (default: Virtual PCD)\n"
            "  --case ID        only the case of this name\n"
            "  --section TEXT   only sections whose name begins so\n"
            "  --option NAME    the card has this option, such as O_E_NIST; !NAME: has not\n"
            "  --profiles DIR   profile packages NAME.der for downloads and for {NAME}\n"
            "  --pki DIR        layout of SGP.26 v1 (default: the test PKI)\n"
            "  --junit FILE     report as JUnit XML; - is standard output, also below\n"
            "  --tap FILE       as TAP 14\n"
            "  --json FILE      as JSON, with every step\n"
            "  --html FILE      as a page to read\n"
            "  --coverage FILE  a page of sections and observed result codes\n"
            "  --verbose        tell of cases that passed, too\n"
            "  --list           only list the cases\n"
            "  --help\n\n"
            "Folders: their files *.sct, in the order of their names.  Exit status 0: nothing\n"
            "failed; 1: something did; 2: wrong usage, or a script is wrong.\n");
}

enum {
    OPT_CARD = 1,
    OPT_READER,
    OPT_VPCD,
    OPT_CASE,
    OPT_SECTION,
    OPT_OPTION,
    OPT_PROFILES,
    OPT_PKI,
    OPT_JUNIT,
    OPT_TAP,
    OPT_JSON,
    OPT_HTML,
    OPT_COVERAGE,
    OPT_VERBOSE,
    OPT_LIST,
    OPT_HELP,
};

static const struct option long_options[] = {
    { "card", required_argument, NULL, OPT_CARD },
    { "reader", required_argument, NULL, OPT_READER },
    { "vpcd", required_argument, NULL, OPT_VPCD },
    { "case", required_argument, NULL, OPT_CASE },
    { "section", required_argument, NULL, OPT_SECTION },
    { "option", required_argument, NULL, OPT_OPTION },
    { "profiles", required_argument, NULL, OPT_PROFILES },
    { "pki", required_argument, NULL, OPT_PKI },
    { "junit", required_argument, NULL, OPT_JUNIT },
    { "tap", required_argument, NULL, OPT_TAP },
    { "json", required_argument, NULL, OPT_JSON },
    { "html", required_argument, NULL, OPT_HTML },
    { "coverage", required_argument, NULL, OPT_COVERAGE },
    { "verbose", no_argument, NULL, OPT_VERBOSE },
    { "list", no_argument, NULL, OPT_LIST },
    { "help", no_argument, NULL, OPT_HELP },
    { NULL, 0, NULL, 0 },
};

static bool read_option(int option, const char *value, struct arguments *a)
{
    switch (option) {
    case OPT_CARD:
        a->play.card = value;
        return true;
    case OPT_READER:
        a->play.reader = value;
        return true;
    case OPT_VPCD:
        a->play.vpcd = value;
        return true;
    case OPT_CASE:
        a->play.only_case = value;
        return true;
    case OPT_SECTION:
        a->play.only_section = value;
        return true;
    case OPT_OPTION:
        if (a->play.n_options == MAX_OPTIONS)
            return false;
        a->options[a->play.n_options++] = value;
        return true;
    case OPT_PROFILES:
        a->play.profiles = value;
        return true;
    case OPT_PKI:
        a->play.pki = value;
        return true;
    case OPT_JUNIT:
        a->junit = value;
        return true;
    case OPT_TAP:
        a->tap = value;
        return true;
    case OPT_JSON:
        a->json = value;
        return true;
    case OPT_HTML:
        a->html = value;
        return true;
    case OPT_COVERAGE:
        a->coverage = value;
        return true;
    case OPT_VERBOSE:
        a->verbose = true;
        return true;
    case OPT_LIST:
        a->list = true;
        return true;
    case OPT_HELP:
        a->help = true;
        return true;
    default:
        return false;
    }
}

static bool read_arguments(int argc, char **argv, struct arguments *a)
{
    int option;

    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        if (!read_option(option, optarg, a))
            return false;
    if (a->play.card != NULL && (a->play.reader != NULL || a->play.vpcd != NULL)) {
        fprintf(stderr, "softeuicc-lab play: --card, or --reader and --vpcd\n");
        return false;
    }
    if (a->play.vpcd != NULL && a->play.reader == NULL)
        a->play.reader = "Virtual PCD";
    if (optind == argc && !a->help) {
        fprintf(stderr, "softeuicc-lab play: no script; see --help\n");
        return false;
    }
    return true;
}

/* --- scripts --------------------------------------------------------------------------------- */

struct paths {
    char **at;
    size_t n;
};

static int add_path(struct paths *paths, const char *path, struct lab_error *e)
{
    if (paths->n == MAX_PATHS)
        return lab_fail(e, "more than %d scripts", MAX_PATHS);
    char **moved = realloc(paths->at, (paths->n + 1) * sizeof *moved);
    if (moved == NULL)
        return lab_fail(e, "out of memory");
    paths->at = moved;
    paths->at[paths->n] = strdup(path);
    if (paths->at[paths->n] == NULL)
        return lab_fail(e, "out of memory");
    paths->n++;
    return 0;
}

static int add_folder(struct paths *paths, const char *folder, unsigned depth, struct lab_error *e);

static int add_entry(struct paths *paths, const char *folder, const char *name, unsigned depth,
                     struct lab_error *e)
{
    char path[PATH_LEN];
    struct stat what;
    size_t n = strlen(name);

    if (name[0] == '.' || snprintf(path, sizeof path, "%s/%s", folder, name) >= PATH_LEN ||
        stat(path, &what) != 0)
        return 0;
    if (S_ISDIR(what.st_mode))
        return depth < MAX_DEPTH ? add_folder(paths, path, depth + 1, e) : 0;
    return n > 4 && strcmp(name + n - 4, ".sct") == 0 ? add_path(paths, path, e) : 0;
}

static int add_folder(struct paths *paths, const char *folder, unsigned depth, struct lab_error *e)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, alphasort), r = 0;

    if (n < 0)
        return lab_fail(e, "%s: %s", folder, strerror(errno));
    for (int i = 0; i < n; i++) {
        if (r == 0)
            r = add_entry(paths, folder, entries[i]->d_name, depth, e);
        free(entries[i]);
    }
    free(entries);
    return r;
}

static int find_scripts(int argc, char **argv, struct paths *ret, struct lab_error *e)
{
    struct stat what;

    for (int i = 0; i < argc; i++) {
        if (stat(argv[i], &what) != 0)
            return lab_fail(e, "%s: %s", argv[i], strerror(errno));
        TRY(S_ISDIR(what.st_mode) ? add_folder(ret, argv[i], 0, e) : add_path(ret, argv[i], e));
    }
    return ret->n > 0 ? 0 : lab_fail(e, "there is no script (*.sct) in there");
}

/* All of them, so that what is wrong in one is known before the first is played. */
static struct play_script *read_scripts(const struct paths *paths)
{
    struct play_script *scripts = calloc(paths->n, sizeof *scripts);
    struct lab_error e;
    bool good = scripts != NULL;

    for (size_t i = 0; scripts != NULL && i < paths->n; i++) {
        if (play_script_read(paths->at[i], &scripts[i], &e) != 0) {
            fprintf(stderr, "%s\n", e.text);
            good = false;
        }
    }
    if (good)
        return scripts;
    for (size_t i = 0; scripts != NULL && i < paths->n; i++)
        play_script_free(&scripts[i]);
    free(scripts);
    return NULL;
}

/* --- reports --------------------------------------------------------------------------------- */

typedef int writer(const struct report *report, FILE *to);

static int write_report(const char *path, writer *write, const struct report *report,
                        struct lab_error *e)
{
    if (path == NULL)
        return 0;
    if (strcmp(path, "-") == 0)
        return write(report, stdout) == 0 ? 0 : lab_fail(e, "standard output: %s", strerror(errno));
    FILE *f = fopen(path, "w");
    if (f == NULL)
        return lab_fail(e, "%s: %s", path, strerror(errno));
    int r = write(report, f);
    return fclose(f) == 0 && r == 0 ? 0 : lab_fail(e, "%s: %s", path, strerror(errno));
}

static bool uses_stdout(const char *path)
{
    return path != NULL && strcmp(path, "-") == 0;
}

static int write_reports(const struct arguments *a, const struct report *report,
                         struct lab_error *e)
{
    bool busy = uses_stdout(a->junit) || uses_stdout(a->tap) || uses_stdout(a->json) ||
                uses_stdout(a->html) || uses_stdout(a->coverage);

    report_text(report, a->verbose, busy ? stderr : stdout);
    TRY(write_report(a->junit, report_junit, report, e));
    TRY(write_report(a->tap, report_tap, report, e));
    TRY(write_report(a->json, report_json, report, e));
    TRY(write_report(a->html, report_html, report, e));
    return write_report(a->coverage, report_coverage, report, e);
}

static int list(const struct play_script *scripts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < scripts[i].n; j++) {
            const struct play_case *c = &scripts[i].cases[j];
            printf("%-16s %s%s%s\n", c->id, c->section != NULL ? c->section : "",
                   c->section != NULL ? ": " : "", c->title != NULL ? c->title : "");
        }
    return STATUS_DONE;
}

static int play_all(const struct arguments *a, const struct play_script *scripts, size_t n,
                    struct report *report, struct lab_error *e)
{
    struct player *p = calloc(1, sizeof *p);

    if (p == NULL)
        return lab_fail(e, "out of memory");
    int r = player_init(p, &a->play, e);
    report->card =
        report_clean_text(strdup(p->shared != NULL ? p->shared
                                 : p->slot != NULL ? "cards made for each case, over PC/SC"
                                                   : "cards made for each case"));
    for (size_t i = 0; i < n && r == 0; i++)
        r = player_play(p, &scripts[i], report, e);
    player_done(p);
    free(p);
    if (r == 0 && report->n == 0)
        return lab_fail(e, "no case fits --case and --section");
    return r == 0 ? write_reports(a, report, e) : r;
}

static int play(const struct arguments *a, const struct play_script *scripts, size_t n)
{
    struct lab_error e = { "" };
    struct report report;

    report_init(&report);
    int r = play_all(a, scripts, n, &report, &e);
    bool failed = report.counts[REPORT_FAILED] + report.counts[REPORT_ERROR] > 0;
    report_free(&report);
    if (r != 0)
        fprintf(stderr, "softeuicc-lab play: %s\n", e.text);
    return r != 0 || failed ? STATUS_FAILED : STATUS_DONE;
}

int play_main(int argc, char **argv)
{
    struct arguments a = { .verbose = false };
    struct paths paths = { .at = NULL };
    struct lab_error e;
    int status = STATUS_USAGE;

    a.play.options = a.options;
    if (!read_arguments(argc, argv, &a))
        return STATUS_USAGE;
    if (a.help) {
        usage(stdout);
        return STATUS_DONE;
    }
    if (find_scripts(argc - optind, argv + optind, &paths, &e) != 0) {
        fprintf(stderr, "softeuicc-lab play: %s\n", e.text);
    } else {
        struct play_script *scripts = read_scripts(&paths);
        if (scripts != NULL)
            status = a.list ? list(scripts, paths.n) : play(&a, scripts, paths.n);
        for (size_t i = 0; scripts != NULL && i < paths.n; i++)
            play_script_free(&scripts[i]);
        free(scripts);
    }
    for (size_t i = 0; i < paths.n; i++)
        free(paths.at[i]);
    free(paths.at);
    return status;
}
