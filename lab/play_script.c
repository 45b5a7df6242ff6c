/* play_script.c - reading scripts (docs/SCRIPTS.md).
 *
 * A source is kept twice: as it is in the file, for lines and columns, and as a working copy of the
 * same length, in which lines are joined and strings ended in place.  Everything in a script points
 * into working copies. */
#include "lab/play_script.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lab/play_tlv.h"
#include "lab/util.h"
#include "os/err.h"

enum {
    MAX_STEPS = 200000,
    MAX_CASES = 10000,
    MAX_WORDS = 256,
    MAX_INCLUDES = 8,
    MAX_SOURCES = 4096,
    MAX_BLOCKS = 4,
    PATH_MAX_LEN = 4096,
};

struct play_source {
    struct play_source *next;
    char path[PATH_MAX_LEN];
    char *original, *work; /* n octets and a zero */
    size_t n;
};

/* --- places ---------------------------------------------------------------------------------- */

const char *play_source_path(const struct play_source *source)
{
    return source->path;
}

static unsigned place(const struct play_source *s, const char *at, unsigned *ret_column)
{
    size_t offset = (size_t)(at - s->work);
    unsigned line = 1, column = 1;

    for (size_t i = 0; i < offset && i < s->n; i++) {
        column++;
        if (s->original[i] == '\n') {
            line++;
            column = 1;
        }
    }
    *ret_column = column;
    return line;
}

char *play_source_text(const struct play_source *source, const char *at)
{
    const char *line = source->original + (at - source->work);
    size_t n = strcspn(line, "\r\n");

    return strndup(line, n);
}

unsigned play_source_line(const struct play_source *source, const char *at)
{
    unsigned column;

    return place(source, at, &column);
}

char *play_place(const struct play_source *source, const char *at, char ret[PLAY_PLACE_LEN])
{
    unsigned column, line = place(source, at, &column);

    snprintf(ret, PLAY_PLACE_LEN, "%.440s:%u:%u", source->path, line, column);
    return ret;
}

/* --- growing lists --------------------------------------------------------------------------- */

static void *grow(void *list, size_t n, size_t *room, size_t size, size_t max)
{
    return n == max ? NULL : list_grow(list, n, room, size);
}

static struct play_case *new_case(struct play_script *script)
{
    struct play_case *list = grow(script->cases, script->n, &script->room, sizeof *list, MAX_CASES);

    if (list == NULL)
        return NULL;
    script->cases = list;
    return &list[script->n++];
}

/* --- reading --------------------------------------------------------------------------------- */

/* A script on its way in. */
struct reader {
    struct play_script *script;
    struct play_source *source;
    char *next; /* the next line */
    size_t blocks[MAX_BLOCKS], n_blocks;
    bool label_open; /* the innermost block is a label of SWI */
    bool in_switch;
    bool ends;      /* scriptor reads nothing behind exit */
    unsigned depth; /* of includes */
    struct play_error *e;
};

static struct play_case *now(struct reader *r)
{
    return r->script->n == 0 ? &r->script->common : &r->script->cases[r->script->n - 1];
}

static struct play_step *add_step(struct reader *r, enum play_verb verb, const char *at)
{
    struct play_steps *s = &now(r)->steps;
    struct play_step *list = grow(s->at, s->n, &s->room, sizeof *list, MAX_STEPS);

    if (list == NULL) {
        play_fail(r->e, at, "more than %d statements, or out of memory", MAX_STEPS);
        return NULL;
    }
    s->at = list;
    struct play_step *step = &list[s->n++];
    *step = (struct play_step){ .verb = verb, .source = r->source, .at = at };
    return step;
}

static int add_words(struct reader *r, struct play_words *words, char *text)
{
    char *rest = text;

    while (rest != NULL) {
        char *word = strsep(&rest, " \t");
        if (*word == '\0')
            continue;
        const char **list = grow(words->at, words->n, &words->room, sizeof *list, MAX_WORDS);
        if (list == NULL)
            return play_fail(r->e, word, "more than %d words, or out of memory", MAX_WORDS);
        words->at = list;
        list[words->n++] = word;
    }
    return 0;
}

static void cut_blanks(char *line)
{
    size_t n = strlen(line);

    while (n > 0 && strchr(" \t\r", line[n - 1]) != NULL)
        line[--n] = '\0';
}

static char *skip_blanks(char *at)
{
    return at + strspn(at, " \t");
}

/* --- arguments ------------------------------------------------------------------------------- */

static const struct play_octets_style plain = { .plain = true };
static const struct play_octets_style rich = { .plain = false };
static const struct play_octets_style before_status = { .stop_at_status = true };

static int check_octets(struct reader *r, const char *text, struct play_octets_style style,
                        const char **ret_end)
{
    struct wr octets;

    wr_init_heap(&octets, PLAY_VALUE_MAX);
    int result = play_octets_read(text, style, NULL, &octets, ret_end, r->e);
    wr_done(&octets);
    return result;
}

static int must_have(struct reader *r, const char *argument, const char *what)
{
    return *argument != '\0' ? 0 : play_fail(r->e, argument, "%s is missing", what);
}

static int nothing(struct reader *r, char *argument, struct play_step *step)
{
    (void)step;
    return *argument == '\0' ? 0 : play_fail(r->e, argument, "nothing belongs here");
}

static int any_text(struct reader *r, char *argument, struct play_step *step)
{
    (void)r;
    step->arguments[0] = argument;
    return 0;
}

static int some_text(struct reader *r, char *argument, struct play_step *step)
{
    step->arguments[0] = argument;
    return must_have(r, argument, "an argument");
}

static int some_octets(struct reader *r, char *argument, struct play_step *step)
{
    step->arguments[0] = argument;
    TRY(must_have(r, argument, "what is sent"));
    return check_octets(r, argument, rich, NULL);
}

static int perhaps_octets(struct reader *r, char *argument, struct play_step *step)
{
    step->arguments[0] = argument;
    return check_octets(r, argument, rich, NULL);
}

/* "RESULT [INFORMATION] [/ TLVS]" */
static int terminal_response(struct reader *r, char *argument, struct play_step *step)
{
    char *slash = strchr(argument, '/');

    step->arguments[0] = argument;
    step->arguments[1] = "";
    if (slash != NULL) {
        *slash = '\0';
        cut_blanks(argument);
        step->arguments[1] = skip_blanks(slash + 1);
    }
    TRY(check_octets(r, argument, rich, NULL));
    return check_octets(r, step->arguments[1], rich, NULL);
}

/* From the closing character back to the text in brackets; ends the string there. */
static int in_brackets(struct reader *r, char **at, char close, const char **ret)
{
    char *begin = (*at)++;
    char *end = strchr(*at, close);

    if (end == NULL)
        return play_fail(r->e, begin, "no %c to this %c", close, *begin);
    *begin = *end = '\0';
    *ret = *at;
    *at = skip_blanks(end + 1);
    return 0;
}

/* TS 51.013 B.1: OCTETS [DATA] (STATUS), both optional. */
static int command(struct reader *r, char *argument, struct play_step *step)
{
    char *at = argument + strcspn(argument, "[(");

    step->arguments[0] = argument;
    if (*at == '[') {
        TRY(in_brackets(r, &at, ']', &step->arguments[1]));
        if (step->arguments[1][strspn(step->arguments[1], " \t")] == '\0')
            step->arguments[1] = "..."; /* TS 51.013 B.2: there are data, nobody compares them */
        TRY(play_wanted_check(step->arguments[1], r->e));
    }
    if (*at == '(') {
        TRY(in_brackets(r, &at, ')', &step->arguments[2]));
        TRY(play_status_check(step->arguments[2], r->e));
    }
    if (*at != '\0')
        return play_fail(r->e, at, "not understood: %.20s", at);
    TRY(must_have(r, argument, "a command APDU"));
    return check_octets(r, argument, rich, NULL);
}

static int terminal_profile(struct reader *r, char *argument, struct play_step *step)
{
    step->arguments[0] = argument;
    TRY(must_have(r, argument, "a terminal profile"));
    return check_octets(r, argument, plain, NULL);
}

static int es10_request(struct reader *r, char *argument, struct play_step *step)
{
    const char *end;

    step->arguments[0] = argument;
    TRY(must_have(r, argument, "a request"));
    TRY(check_octets(r, argument, before_status, &end));
    if (*end == '\0')
        return 0;
    char *at = argument + (end - argument);
    TRY(in_brackets(r, &at, ')', &step->arguments[1]));
    TRY(play_status_check(step->arguments[1], r->e));
    return *at == '\0' ? 0 : play_fail(r->e, at, "not understood: %.20s", at);
}

/* "{NAME} PREDICATE", or about the last answer. */
static int predicate(struct reader *r, char *argument, struct play_step *step)
{
    step->arguments[0] = argument;
    if (*argument == '{') {
        char *end = strchr(argument, '}');
        if (end == NULL || end == argument + 1)
            return play_fail(r->e, argument, "{NAME} PATH ...");
        *end = '\0';
        step->arguments[1] = argument + 1;
        step->arguments[0] = skip_blanks(end + 1);
    }
    return play_predicate_check(step->arguments[0], r->e);
}

static int variable(struct reader *r, char **at, struct play_step *step)
{
    size_t n = 0;

    while (isalnum((unsigned char)(*at)[n]) || (*at)[n] == '_' || (*at)[n] == '-')
        n++;
    if (n == 0 || n >= PLAY_NAME_MAX || !isalpha((unsigned char)(*at)[0]))
        return play_fail(r->e, *at, "a variable's name");
    step->arguments[0] = *at;
    *at += n;
    if (**at != '\0' && strchr(" \t=", **at) == NULL)
        return play_fail(r->e, *at, "not understood: %.20s", *at);
    return 0;
}

static int name_and_octets(struct reader *r, char *argument, struct play_step *step)
{
    char *at = argument;

    TRY(variable(r, &at, step));
    char *equals = skip_blanks(at);
    if (*equals != '=')
        return play_fail(r->e, equals, "NAME = OCTETS");
    *at = '\0';
    step->arguments[1] = skip_blanks(equals + 1);
    return check_octets(r, step->arguments[1], rich, NULL);
}

static int name_and_path(struct reader *r, char *argument, struct play_step *step)
{
    struct tlv t;
    char *at = argument;

    TRY(variable(r, &at, step));
    if (*at == '\0')
        return play_fail(r->e, at, "NAME PATH");
    *at = '\0';
    step->arguments[1] = skip_blanks(at + 1);
    return play_path_find(step->arguments[1], rd_of(NULL, 0), NULL, &t, r->e);
}

static int name_and_words(struct reader *r, char *argument, struct play_step *step)
{
    char *at = argument;

    TRY(variable(r, &at, step));
    if (*at == '\0')
        return play_fail(r->e, at, "NAME and what to compute");
    *at = '\0';
    step->arguments[1] = skip_blanks(at + 1);
    return must_have(r, step->arguments[1], "what to compute");
}

static int a_number(struct reader *r, char *argument, struct play_step *step)
{
    step->arguments[0] = argument;
    return number_read(argument, UINT32_MAX, &step->count)
               ? 0
               : play_fail(r->e, argument, "a number is missing");
}

/* --- blocks ---------------------------------------------------------------------------------- */

static int open_block(struct reader *r, const struct play_step *step)
{
    if (r->n_blocks == MAX_BLOCKS)
        return play_fail(r->e, step->at, "more than %d blocks in each other", MAX_BLOCKS);
    r->blocks[r->n_blocks++] = now(r)->steps.n - 1;
    return 0;
}

static int close_block(struct reader *r, const char *at)
{
    if (r->n_blocks == 0)
        return play_fail(r->e, at, "an end of nothing");
    size_t begin = r->blocks[--r->n_blocks];
    struct play_step *end = add_step(r, PLAY_END, at);
    if (end == NULL)
        return ERR_INPUT;
    end->block = begin;
    now(r)->steps.at[begin].block = now(r)->steps.n - 1;
    return 0;
}

static int either(struct reader *r, char *argument, struct play_step *step)
{
    TRY(nothing(r, argument, step));
    return open_block(r, step);
}

/* The part that ends here, and the next one. */
static int other_part(struct reader *r, char *argument, struct play_step *step)
{
    struct play_step *steps = now(r)->steps.at;
    size_t here = now(r)->steps.n - 1, begin = r->n_blocks > 0 ? r->blocks[r->n_blocks - 1] : here;

    TRY(nothing(r, argument, step));
    if (begin == here || (steps[begin].verb != PLAY_EITHER && steps[begin].verb != PLAY_OR))
        return play_fail(r->e, step->at, "or without either");
    steps[begin].block = here;
    r->blocks[r->n_blocks - 1] = here;
    return 0;
}

static int end_blocks(struct reader *r, const char *at)
{
    if (r->in_switch && r->label_open)
        TRY(close_block(r, at));
    r->in_switch = r->label_open = false;
    if (r->n_blocks > 0)
        return play_fail(r->e, now(r)->steps.at[r->blocks[r->n_blocks - 1]].at, "no end to this");
    return 0;
}

static int repeat(struct reader *r, char *argument, struct play_step *step)
{
    if (!number_read(argument, PLAY_MAX_REPEAT, &step->count))
        return play_fail(r->e, argument, "repeat N, up to %d", PLAY_MAX_REPEAT);
    return open_block(r, step);
}

/* --- statements that say what a case is ------------------------------------------------------ */

static int begin_case(struct reader *r, char *argument)
{
    char *id = argument;
    size_t n = strcspn(id, " \t");

    TRY(must_have(r, id, "the name of a case"));
    TRY(end_blocks(r, id));
    for (size_t i = 0; i < r->script->n; i++)
        if (strncmp(r->script->cases[i].id, id, n) == 0 && r->script->cases[i].id[n] == '\0')
            return play_fail(r->e, id, "there is a case %.*s already", (int)n, id);
    struct play_case *c = new_case(r->script);
    if (c == NULL)
        return play_fail(r->e, id, "more than %d cases, or out of memory", MAX_CASES);
    const struct play_case *common = &r->script->common;
    *c = (struct play_case){ .id = id,
                             .title = id[n] == '\0' ? "" : skip_blanks(id + n + 1),
                             .section = common->section,
                             .provenance = common->provenance,
                             .ref = common->ref,
                             .skip = common->skip,
                             .todo = common->todo,
                             .source = r->source,
                             .at = id };
    id[n] = '\0';
    return 0;
}

static int set_section(struct reader *r, char *argument)
{
    r->script->common.section = argument; /* of the cases that follow */
    return must_have(r, argument, "the name of a section");
}

static int set_provenance(struct reader *r, char *argument)
{
    static const char kinds[] = "SDR";

    if (*argument == '\0' || strchr(kinds, *argument) == NULL ||
        (argument[1] != '\0' && argument[1] != ' '))
        return play_fail(r->e, argument, "S (a source), D (derived) or R (recollected), and which");
    now(r)->provenance = argument;
    return 0;
}

static int set_ref(struct reader *r, char *argument)
{
    now(r)->ref = argument;
    return must_have(r, argument, "a clause");
}

static int add_needs(struct reader *r, char *argument)
{
    TRY(must_have(r, argument, "an option such as O_E_NIST"));
    return add_words(r, &now(r)->needs, argument);
}

static int add_new(struct reader *r, char *argument)
{
    now(r)->own_card = true;
    return add_words(r, &now(r)->options, argument);
}

/* "because WHY" */
static int because(struct reader *r, char *argument, const char **ret)
{
    if (strncmp(argument, "because ", 8) != 0 || *skip_blanks(argument + 8) == '\0')
        return play_fail(r->e, argument, "because, and why");
    *ret = skip_blanks(argument + 8);
    return 0;
}

static int set_skip(struct reader *r, char *argument)
{
    return because(r, argument, &now(r)->skip);
}

static int set_todo(struct reader *r, char *argument)
{
    return because(r, argument, &now(r)->todo);
}

static int include(struct reader *r, char *argument);

/* --- the table ------------------------------------------------------------------------------- */

static const struct statement {
    const char *word;
    enum play_verb verb;
    int (*arguments)(struct reader *r, char *argument, struct play_step *step);
    int (*says)(struct reader *r, char *argument); /* not a step */
} statements[] = {
    /* TS 51.013 Annex B */
    { "RST", PLAY_RESET, nothing, NULL },
    { "OFF", PLAY_POWER_OFF, nothing, NULL },
    { "INI", PLAY_TERMINAL_PROFILE, terminal_profile, NULL },
    { "CMD", PLAY_APDU, command, NULL },
    { "REM", PLAY_NOTE, any_text, NULL },
    /* scriptor */
    { "reset", PLAY_RESET, nothing, NULL },
    { "exit", PLAY_STOP, nothing, NULL },
    /* ours */
    { "section", 0, NULL, set_section },
    { "case", 0, NULL, begin_case },
    { "provenance", 0, NULL, set_provenance },
    { "ref", 0, NULL, set_ref },
    { "needs", 0, NULL, add_needs },
    { "new", 0, NULL, add_new },
    { "skip", 0, NULL, set_skip },
    { "todo", 0, NULL, set_todo },
    { "include", 0, NULL, include },
    { "power-off", PLAY_POWER_OFF, nothing, NULL },
    { "terminal-profile", PLAY_TERMINAL_PROFILE, terminal_profile, NULL },
    { "es10", PLAY_ES10, es10_request, NULL },
    { "select-isdr", PLAY_SELECT_ISDR, nothing, NULL },
    { "expect", PLAY_EXPECT, predicate, NULL },
    { "let", PLAY_LET, name_and_octets, NULL },
    { "take", PLAY_TAKE, name_and_path, NULL },
    { "fetch", PLAY_FETCH, nothing, NULL },
    { "respond", PLAY_RESPOND, terminal_response, NULL },
    { "load", PLAY_LOAD, some_text, NULL },
    { "verify", PLAY_VERIFY, perhaps_octets, NULL },
    { "verify-prepare", PLAY_VERIFY_PREPARE, some_octets, NULL },
    { "eim", PLAY_EIM, some_text, NULL },
    { "associate", PLAY_ASSOCIATE, some_text, NULL },
    { "package", PLAY_PACKAGE, some_text, NULL },
    { "compute", PLAY_COMPUTE, name_and_words, NULL },
    { "download", PLAY_DOWNLOAD, some_text, NULL },
    { "terminal", PLAY_TERMINAL, any_text, NULL },
    { "wait", PLAY_WAIT, a_number, NULL },
    { "serve", PLAY_SERVE, any_text, NULL },
    { "refresh", PLAY_REFRESH, nothing, NULL },
    { "clean", PLAY_CLEAN, nothing, NULL },
    { "control", PLAY_CONTROL, some_text, NULL },
    { "cut-after", PLAY_CUT_AFTER, a_number, NULL },
    { "cut-each", PLAY_CUT_EACH, nothing, NULL },
    { "mark", PLAY_MARK, nothing, NULL },
    { "changed", PLAY_CHANGED, nothing, NULL },
    { "unchanged", PLAY_UNCHANGED, nothing, NULL },
    { "note", PLAY_NOTE, any_text, NULL },
    { "repeat", PLAY_REPEAT, repeat, NULL },
    { "either", PLAY_EITHER, either, NULL },
    { "or", PLAY_OR, other_part, NULL },
};

/* --- lines ----------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return isxdigit((unsigned char)c) != 0;
}

/* A digit, or X for any. */
static bool is_symbol(char c)
{
    return is_digit(c) || c == 'X' || c == 'x';
}

static bool is_word(const char *at, const char *word)
{
    size_t n = strlen(word);

    return strncasecmp(at, word, n) == 0 && (at[n] == '\0' || at[n] == ' ' || at[n] == '\t');
}

/* Cuts a comment off; a # in quotes is none. */
static void cut_comment(char *line)
{
    bool quoted = false;

    for (char *at = line; *at != '\0'; at++) {
        quoted = quoted != (*at == '\'');
        if (*at == '#' && !quoted) {
            *at = '\0';
            return;
        }
    }
}

/* The next line, its comment gone; NULL at the end.  A \ at its end joins the next one. */
static char *take_line(struct reader *r)
{
    char *begin = r->next;

    if (begin == NULL)
        return NULL;
    char *end = begin;
    while ((end = strchr(end, '\n')) != NULL) {
        char *last = end;
        while (last > begin && strchr(" \t\r", last[-1]) != NULL)
            last--;
        if (last == begin || last[-1] != '\\' || *begin == '#')
            break;
        memset(last - 1, ' ', (size_t)(end - last) + 2);
    }
    if (end != NULL)
        *end++ = '\0';
    r->next = end;
    if (strncmp(begin, "# new:", 6) == 0) { /* as tests/apdu have it */
        memset(begin, ' ', 6);
        memcpy(begin + 2, "new", 3);
    }
    return begin;
}

/* A command APDU goes on in the next line, as TS 51.013 B.4 writes it, while neither its status
 * nor its data are complete. */
static bool goes_on(const char *argument)
{
    const char *open = strrchr(argument, '['), *close = strrchr(argument, ']');
    const char *rest = close != NULL ? close : argument; /* data may have parentheses, too */
    const char *status = strchr(rest, '('), *end = strchr(rest, ')');

    if (open != NULL && (close == NULL || close < open))
        return true;
    return status == NULL ? true : end == NULL;
}

static bool continues(const struct reader *r)
{
    if (r->next == NULL)
        return false;
    const char *at = r->next + strspn(r->next, " \t");
    if (memchr(at, ':', strcspn(at, "\n")) != NULL)
        return false; /* a label of SWI */
    return *at == '[' || *at == '(' || *at == ']' ||
           (is_symbol(at[0]) && is_symbol(at[1]) &&
            strspn(at, "0123456789ABCDEFabcdefXx \t\r[](),") == strcspn(at, "\n#"));
}

/* Joins what belongs to a CMD or INI that stands on several lines. */
static void join_lines(struct reader *r, char *line, const char *argument, bool is_command)
{
    while (continues(r) && (is_command ? goes_on(argument) : true)) {
        char *next = r->next;
        char *end = line + strlen(line);
        memset(end, ' ', (size_t)(next - end));
        take_line(r);
        cut_comment(next);
        cut_blanks(next);
    }
}

/* Statements that compare what they are answered. */
static bool has_answer(enum play_verb verb)
{
    static const enum play_verb verbs[] = {
        PLAY_RESET, PLAY_APDU,    PLAY_SEND,     PLAY_ES10,    PLAY_FETCH,    PLAY_RESPOND,
        PLAY_LOAD,  PLAY_PACKAGE, PLAY_DOWNLOAD, PLAY_CONTROL, PLAY_TERMINAL, PLAY_WAIT,
    };

    for (size_t i = 0; i < N_ELEMS(verbs); i++)
        if (verbs[i] == verb)
            return true;
    return false;
}

static int wanted_line(struct reader *r, char *argument, const char *at)
{
    struct play_steps *s = &now(r)->steps;

    if (s->n == 0 || !has_answer(s->at[s->n - 1].verb) || s->at[s->n - 1].wanted != NULL)
        return play_fail(r->e, at, "an answer to nothing: < stands right behind what has one");
    TRY(play_wanted_check(argument, r->e));
    s->at[s->n - 1].wanted = argument;
    return 0;
}

static int add_statement(struct reader *r, const char *at, char *argument, enum play_verb verb,
                         int (*arguments)(struct reader *r, char *argument, struct play_step *step))
{
    struct play_step *step = add_step(r, verb, at);

    return step == NULL ? ERR_INPUT : arguments(r, argument, step);
}

/* "(9FXX):" or "9FXX:" within SWI. */
static bool is_label(const char *line)
{
    size_t n = strcspn(line, ":");

    return line[n] == ':' && n >= 4 && strspn(line, "(0123456789ABCDEFXabcdefx, )") == n;
}

static int label(struct reader *r, char *line)
{
    char *colon = strchr(line, ':');
    char *status = line + strspn(line, "( ");
    char *rest = skip_blanks(colon + 1);

    if (r->label_open)
        TRY(close_block(r, line));
    *colon = '\0';
    status[strcspn(status, ")")] = '\0';
    TRY(play_status_check(status, r->e));
    struct play_step *step = add_step(r, PLAY_SWITCH, line);
    if (step == NULL)
        return ERR_INPUT;
    step->arguments[0] = status;
    r->label_open = true;
    TRY(open_block(r, step));
    return *rest == '\0' ? 0 : play_fail(r->e, rest, "a statement begins on a line of its own");
}

static int end_line(struct reader *r, const char *line)
{
    if (!r->in_switch)
        return close_block(r, line);
    if (r->label_open)
        TRY(close_block(r, line));
    r->in_switch = r->label_open = false;
    return 0;
}

/* scriptor's lines; a first word such as "fetch" begins with digits, too. */
static bool is_apdu(const char *line)
{
    size_t n = strspn(line, "0123456789ABCDEFabcdef");

    return n >= 2 &&
           (isdigit((unsigned char)line[0]) || (n % 2 == 0 && !isalnum((unsigned char)line[n])));
}

static int statement_line(struct reader *r, char *line)
{
    for (size_t i = 0; i < N_ELEMS(statements); i++) {
        const struct statement *s = &statements[i];
        if (!is_word(line, s->word))
            continue;
        char *argument = skip_blanks(line + strlen(s->word));
        if (s->verb == PLAY_APDU || s->verb == PLAY_TERMINAL_PROFILE)
            join_lines(r, line, argument, s->verb == PLAY_APDU);
        r->ends = s->verb == PLAY_STOP && r->script->n == 0;
        if (s->verb == PLAY_RESET && r->in_switch && r->n_blocks == (r->label_open ? 1u : 0u))
            TRY(end_line(r, line));
        return s->says != NULL ? s->says(r, argument)
                               : add_statement(r, line, argument, s->verb, s->arguments);
    }
    if (is_apdu(line))
        return add_statement(r, line, line, PLAY_APDU, command);
    return play_fail(r->e, line, "no such statement: %.*s", (int)strcspn(line, " \t"), line);
}

static int read_line(struct reader *r, char *line)
{
    if (!is_word(line, "REM"))
        cut_comment(line);
    cut_blanks(line);
    line = skip_blanks(line);
    if (*line == '\0')
        return 0;
    if (*line == '>')
        return add_statement(r, line, skip_blanks(line + 1), PLAY_SEND, some_octets);
    if (*line == '<')
        return wanted_line(r, skip_blanks(line + 1), line);
    if (is_word(line, "SWI")) {
        if (r->in_switch)
            TRY(end_line(r, line));
        r->in_switch = true;
        char *rest = skip_blanks(line + 3);
        return *rest == '\0'    ? 0
               : is_label(rest) ? label(r, rest)
                                : play_fail(r->e, rest, "STATUS: after SWI");
    }
    if (r->in_switch && is_label(line))
        return label(r, line);
    if (is_word(line, "end"))
        return end_line(r, line);
    return statement_line(r, line);
}

static int read_lines(struct reader *r)
{
    char *line;

    r->next = r->source->work;
    while ((line = take_line(r)) != NULL && !r->ends)
        TRY(read_line(r, line));
    return 0;
}

/* --- files ----------------------------------------------------------------------------------- */

/* Reports are UTF-8; remarks in old scripts are what they are. */
static void make_utf8(char *text, size_t n)
{
    if (rd_is_utf8(rd_of(text, n)))
        return;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] > 0x7F)
            text[i] = '?';
}

static struct play_source *new_source(struct play_script *script, const char *path, struct rd text)
{
    static const uint8_t byte_order_mark[] = { 0xEF, 0xBB, 0xBF };
    struct play_source *s = calloc(1, sizeof *s);
    size_t others = 0;

    if (text.n >= 3 && memcmp(text.p, byte_order_mark, 3) == 0)
        text = rd_of(text.p + 3, text.n - 3);

    for (const struct play_source *at = script->sources; at != NULL; at = at->next)
        others++;
    if (s == NULL || others == MAX_SOURCES) {
        free(s);
        return NULL;
    }
    s->next = script->sources;
    script->sources = s;
    snprintf(s->path, sizeof s->path, "%s", path);
    s->original = calloc(1, text.n + 1);
    s->work = calloc(1, text.n + 1);
    if (s->original == NULL || s->work == NULL)
        return NULL; /* freed with the script */
    s->n = text.n;
    if (text.n > 0) {
        memcpy(s->original, text.p, text.n);
        make_utf8(s->original, text.n);
        memcpy(s->work, s->original, text.n);
    }
    return s;
}

static struct play_source *load(struct play_script *script, const char *path, struct lab_error *e)
{
    struct play_source *s = NULL;
    struct wr text;

    wr_init_heap(&text, LAB_FILE_MAX);
    if (file_read(path, &text, e) == 0) {
        const void *zero = text.n == 0 ? NULL : memchr(text.p, 0, text.n);
        s = zero != NULL ? NULL : new_source(script, path, wr_view(&text));
        if (s == NULL)
            lab_fail(e, "%s: %s", path,
                     zero != NULL ? "not a text" : "too many files, or no memory");
    }
    wr_done(&text);
    return s;
}

static int include(struct reader *r, char *argument)
{
    char path[PATH_MAX_LEN];
    const char *slash = strrchr(r->source->path, '/');
    struct reader inner = { .script = r->script, .depth = r->depth + 1, .e = r->e };
    struct lab_error why;

    TRY(must_have(r, argument, "a file"));
    if (inner.depth > MAX_INCLUDES)
        return play_fail(r->e, argument, "more than %d includes in each other", MAX_INCLUDES);
    int n = slash == NULL || argument[0] == '/'
                ? snprintf(path, sizeof path, "%s", argument)
                : snprintf(path, sizeof path, "%.*s/%s", (int)(slash - r->source->path),
                           r->source->path, argument);
    if (n < 0 || (size_t)n >= sizeof path)
        return play_fail(r->e, argument, "too long a name");
    inner.source = load(r->script, path, &why);
    if (inner.source == NULL)
        return play_fail(r->e, argument, "%s", why.text);
    TRY(read_lines(&inner));
    return end_blocks(&inner, r->e->at);
}

/* The source that a place is in. */
static const struct play_source *source_of(const struct play_script *script, const char *at)
{
    for (const struct play_source *s = script->sources; s != NULL; s = s->next)
        if (s->work != NULL && at >= s->work && at <= s->work + s->n)
            return s;
    return NULL;
}

char *play_script_place(const struct play_script *script, const char *at, char ret[PLAY_PLACE_LEN])
{
    return play_place(source_of(script, at), at, ret);
}

/* A script without a case is one, called like its file. */
static int only_case(struct play_script *script, struct play_source *source)
{
    if (script->n > 0)
        return 0;
    struct play_case *c = new_case(script);
    if (c == NULL)
        return ERR_NOMEM;
    const struct play_case empty = { .id = NULL };
    const char *slash = strrchr(source->path, '/');
    *c = script->common;
    script->common = empty;
    c->id = slash == NULL ? source->path : slash + 1;
    c->source = source;
    c->at = source->work;
    return 0;
}

static bool does_something(const struct play_steps *steps)
{
    for (size_t i = 0; i < steps->n; i++)
        if (steps->at[i].verb != PLAY_NOTE && steps->at[i].verb != PLAY_STOP)
            return true;
    return false;
}

/* A case that does nothing of its own would pass. */
static int check_cases(const struct play_script *script, struct play_error *e)
{
    for (size_t i = 0; i < script->n; i++) {
        const struct play_case *c = &script->cases[i];
        if (c->skip == NULL && !does_something(&c->steps))
            return play_fail(e, c->at, "a case without a statement");
    }
    return 0;
}

static int read_source(struct play_source *source, struct play_script *script, struct lab_error *e)
{
    struct play_error error = { .at = source->work };
    struct reader r = { .script = script, .source = source, .e = &error };
    char where[PLAY_PLACE_LEN];
    int result = read_lines(&r);

    if (result == 0)
        result = end_blocks(&r, source->work + source->n);
    if (result == 0 && only_case(script, source) != 0)
        result = play_fail(&error, source->work, "out of memory");
    if (result == 0)
        result = check_cases(script, &error);
    if (result == 0)
        return 0;
    if (source_of(script, error.at) == NULL)
        error.at = source->work;
    return lab_fail(e, "%s: %.200s", play_script_place(script, error.at, where), error.e.text);
}

int play_script_read(const char *path, struct play_script *ret, struct lab_error *e)
{
    struct play_script script = { .n = 0 };
    struct play_source *source = load(&script, path, e);
    int r = source == NULL ? ERR_INPUT : read_source(source, &script, e);

    if (r != 0)
        play_script_free(&script);
    else
        *ret = script;
    return r;
}

int play_script_read_text(const char *name, struct rd text, struct play_script *ret,
                          struct lab_error *e)
{
    struct play_script script = { .n = 0 };
    struct play_source *source = new_source(&script, name, text);
    int r = source == NULL ? lab_fail(e, "out of memory") : read_source(source, &script, e);

    if (r != 0)
        play_script_free(&script);
    else
        *ret = script;
    return r;
}

static void free_case(struct play_case *c)
{
    free(c->steps.at);
    free((void *)c->needs.at);
    free((void *)c->options.at);
}

void play_script_free(struct play_script *script)
{
    free_case(&script->common);
    for (size_t i = 0; i < script->n; i++)
        free_case(&script->cases[i]);
    free(script->cases);
    while (script->sources != NULL) {
        struct play_source *next = script->sources->next;
        free(script->sources->original);
        free(script->sources->work);
        free(script->sources);
        script->sources = next;
    }
    *script = (struct play_script){ .n = 0 };
}
