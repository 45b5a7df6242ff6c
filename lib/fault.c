/* fault.c - faults on demand. */
#include "lib/fault.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/hex.h"

enum {
    RULES_MAX = 64,
    RULE_MAX_CHARS = 600,
    WORDS_MAX = 3,
    COUNT_MAX = 1000000,
    DELAY_MAX_MS = 600000,
    FOR_EVER = 0,
};

struct fault_rule {
    enum fault_kind kind;
    char *text; /* as it was written, for the list and the trace */
    char *word; /* MATCH or STEP */
    long value; /* SW, MS or OFFSET */
    long left;  /* how often it acts, or for CUT_AT which time; FOR_EVER */
};

static const char *const names[] = {
    [FAULT_CUT_AFTER] = "cut-after",
    [FAULT_CUT_AT] = "cut-at",
    [FAULT_SW] = "sw",
    [FAULT_DELAY] = "delay",
    [FAULT_MUTE] = "mute",
    [FAULT_CORRUPT] = "corrupt",
    [FAULT_CAT_BUSY] = "cat-busy",
    [FAULT_FULL_MEMORY] = "full-memory",
    [FAULT_CLOCK] = "clock",
};

static void rule_done(struct fault_rule *r)
{
    free(r->text);
    free(r->word);
}

static void forget(struct faults *f, size_t i)
{
    rule_done(&f->rules[i]);
    f->n--;
    memmove(f->rules + i, f->rules + i + 1, (f->n - i) * sizeof f->rules[0]);
}

/* --- words ------------------------------------------------------------------------------------ */

struct words {
    char text[RULE_MAX_CHARS];
    char *word[WORDS_MAX];
    size_t n;
};

static bool split(const char *arguments, struct words *ret)
{
    if (strlen(arguments) >= sizeof ret->text)
        return false;
    memcpy(ret->text, arguments, strlen(arguments) + 1);
    ret->n = 0;
    for (char *rest = ret->text, *word; (word = strsep(&rest, " \t")) != NULL;) {
        if (word[0] == '\0')
            continue;
        if (ret->n == WORDS_MAX)
            return false;
        ret->word[ret->n++] = word;
    }
    return true;
}

static bool number(const char *word, long low, long high, long *ret)
{
    char *end;

    errno = 0;
    *ret = strtol(word, &end, 10);
    bool begins_well = (word[0] >= '0' && word[0] <= '9') || (low < 0 && word[0] == '-');
    return begins_well && end != word && *end == '\0' && errno == 0 && *ret >= low && *ret <= high;
}

static bool is_match(const char *word)
{
    size_t n = strlen(word);

    return n > 0 && n % 2 == 0 && strspn(word, "0123456789abcdefABCDEFxX") == n;
}

static bool status_word(const char *word, long *ret)
{
    if (strlen(word) != 4 || strspn(word, "0123456789abcdefABCDEF") != 4)
        return false;
    *ret = strtol(word, NULL, 16);
    return true;
}

static bool on_or_off(const struct words *w, bool *ret)
{
    *ret = w->n == 1 && strcmp(w->word[0], "on") == 0;
    return w->n == 1 && (*ret || strcmp(w->word[0], "off") == 0);
}

/* --- setting ---------------------------------------------------------------------------------- */

/* What stands behind MATCH or STEP: a value, where the kind has one, and how often. */
static bool read_rule(enum fault_kind kind, const struct words *w, struct fault_rule *r)
{
    bool has_value = kind == FAULT_SW || kind == FAULT_DELAY || kind == FAULT_CORRUPT;
    size_t least = has_value ? 2 : 1;

    if (w->n < least || w->n > least + 1)
        return false;
    if (kind == FAULT_CUT_AT ? strlen(w->word[0]) >= NVM_KEY_MAX : !is_match(w->word[0]))
        return false;
    if (kind == FAULT_SW && !status_word(w->word[1], &r->value))
        return false;
    if (kind == FAULT_DELAY && !number(w->word[1], 1, DELAY_MAX_MS, &r->value))
        return false;
    if (kind == FAULT_CORRUPT &&
        !number(w->word[1], -APDU_MAX_RESPONSE, APDU_MAX_RESPONSE - 1, &r->value))
        return false;
    r->left = kind == FAULT_CUT_AT ? 1 : FOR_EVER;
    return w->n == least || number(w->word[least], 1, COUNT_MAX, &r->left);
}

static int add_rule(struct faults *f, enum fault_kind kind, const struct words *w,
                    const char *arguments)
{
    struct fault_rule r = { .kind = kind };
    char text[RULE_MAX_CHARS + 16];

    if (!read_rule(kind, w, &r))
        return ERR_INPUT;
    if (f->n == RULES_MAX)
        return ERR_NOMEM;
    struct fault_rule *more = realloc(f->rules, (f->n + 1) * sizeof *more);
    if (more == NULL)
        return ERR_NOMEM;
    f->rules = more;
    snprintf(text, sizeof text, "%s %s", names[kind], arguments);
    r.text = strdup(text);
    r.word = strdup(w->word[0]);
    if (r.text == NULL || r.word == NULL) {
        rule_done(&r);
        return ERR_NOMEM;
    }
    f->rules[f->n++] = r;
    return 0;
}

static int cut_after(struct euicc *e, const struct words *w)
{
    long n;

    if (w->n != 1 || !number(w->word[0], 0, LONG_MAX, &n))
        return ERR_INPUT;
    nvm_cut_after(e->nvm, (uint64_t)n);
    return 0;
}

/* Jumps add up; a card whose clock is right again has 0. */
static int clock_jump(struct euicc *e, const struct words *w)
{
    const long century = 36525L * 24 * 3600;
    long seconds;

    if (w->n != 1 || !number(w->word[0], -century, century, &seconds))
        return ERR_INPUT;
    if (e->forced.clock + seconds > century || e->forced.clock + seconds < -century)
        return ERR_INPUT;
    e->forced.clock += seconds;
    return 0;
}

int faults_set(struct faults *f, enum fault_kind kind, const char *arguments, char *reply,
               size_t size)
{
    struct words w;
    int err;

    if (!split(arguments, &w))
        return ERR_INPUT;
    if (kind == FAULT_CUT_AFTER)
        err = cut_after(f->e, &w);
    else if (kind == FAULT_FULL_MEMORY)
        err = on_or_off(&w, &f->e->forced.full_memory) ? 0 : ERR_INPUT;
    else if (kind == FAULT_CAT_BUSY)
        err = on_or_off(&w, &f->e->forced.cat_busy) ? 0 : ERR_INPUT;
    else if (kind == FAULT_CLOCK)
        err = clock_jump(f->e, &w);
    else
        err = add_rule(f, kind, &w, arguments);
    if (err != 0)
        return err;
    trace_rule(&f->e->trace, "%s %s: set", names[kind], arguments);
    snprintf(reply, size, "armed");
    return 0;
}

/* Appends to what stands in reply already. */
__attribute__((format(printf, 3, 4))) static void tell(char *reply, size_t size, const char *fmt,
                                                       ...)
{
    size_t at = strlen(reply);
    va_list ap;

    if (at > 0 && at + 2 < size) {
        memcpy(reply + at, "; ", 3);
        at += 2;
    }
    va_start(ap, fmt);
    vsnprintf(reply + at, size - at, fmt, ap);
    va_end(ap);
}

void faults_list(const struct faults *f, char *reply, size_t size)
{
    const struct forced *forced = &f->e->forced;
    uint64_t left;

    reply[0] = '\0';
    if (nvm_cut_waits(f->e->nvm, &left))
        tell(reply, size, "cut-after %" PRIu64, left);
    for (size_t i = 0; i < f->n; i++) {
        const struct fault_rule *r = &f->rules[i];
        tell(reply, size, "%s", r->text);
        if (r->left != FOR_EVER)
            snprintf(reply + strlen(reply), size - strlen(reply), " (%ld left)", r->left);
    }
    if (forced->full_memory)
        tell(reply, size, "full-memory on");
    if (forced->cat_busy)
        tell(reply, size, "cat-busy on");
    if (forced->clock != 0)
        tell(reply, size, "clock %" PRId64, forced->clock);
    if (reply[0] == '\0')
        tell(reply, size, "none");
}

void faults_clear(struct faults *f)
{
    while (f->n > 0)
        forget(f, f->n - 1);
    nvm_cut_never(f->e->nvm);
    f->e->forced = (struct forced){ 0 };
    trace_rule(&f->e->trace, "clear: no fault any more");
}

/* --- acting ----------------------------------------------------------------------------------- */

/* It acts: said, and counted.  false: it acts a later time. */
static bool takes_its_turn(struct faults *f, size_t i)
{
    struct fault_rule *r = &f->rules[i];

    if (r->kind == FAULT_CUT_AT && r->left > 1) {
        r->left--;
        return false;
    }
    trace_rule(&f->e->trace, "%s: acts", r->text);
    return true;
}

/* After it acted.  true: it was the last time, and its place is taken by the next one. */
static bool is_used_up(struct faults *f, size_t i)
{
    struct fault_rule *r = &f->rules[i];

    if (r->left == FOR_EVER || --r->left > 0)
        return false;
    forget(f, i);
    return true;
}

/* Is the step the one that is named: commit, committed, or how the name of an object begins? */
static bool names_step(const char *word, enum nvm_step step, const char *key)
{
    switch (step) {
    case NVM_COMMIT:
        return strcmp(word, "commit") == 0;
    case NVM_COMMITTED:
        return strcmp(word, "committed") == 0;
    default:
        return strncmp(word, key, strlen(word)) == 0;
    }
}

static bool cut_here(void *ctx, enum nvm_step step, const char *key)
{
    struct faults *f = ctx;

    for (size_t i = 0; i < f->n; i++) {
        if (f->rules[i].kind != FAULT_CUT_AT || !names_step(f->rules[i].word, step, key))
            continue;
        if (takes_its_turn(f, i)) {
            forget(f, i);
            return true;
        }
    }
    return false;
}

/* Does the command begin with these digits, X being any? */
static bool matches(const char *match, const uint8_t *command, size_t n)
{
    if (strlen(match) / 2 > n)
        return false;
    for (size_t i = 0; match[i] != '\0'; i++) {
        int is = i % 2 == 0 ? command[i / 2] >> 4 : command[i / 2] & 0xF;
        if ((match[i] | 0x20) != 'x' && hex_digit(match[i]) != is)
            return false;
    }
    return true;
}

/* What becomes of a command before the card has seen it. */
enum verdict { GOES_ON, ANSWERED, SILENT };

static enum verdict before(struct faults *f, const uint8_t *command, size_t n, uint8_t *response)
{
    for (size_t i = 0; i < f->n;) {
        const struct fault_rule *r = &f->rules[i];
        enum fault_kind kind = r->kind;
        bool is_mine = kind == FAULT_DELAY || kind == FAULT_SW || kind == FAULT_MUTE;

        if (!is_mine || !matches(r->word, command, n) || !takes_its_turn(f, i)) {
            i++;
            continue;
        }
        long value = r->value;
        bool gone = is_used_up(f, i);
        if (kind == FAULT_MUTE)
            return SILENT;
        if (kind == FAULT_SW) {
            response[0] = (uint8_t)(value >> 8);
            response[1] = (uint8_t)value;
            return ANSWERED;
        }
        f->delay_ms += (unsigned)value;
        if (!gone)
            i++;
    }
    return GOES_ON;
}

static void corrupt(struct faults *f, const uint8_t *command, size_t n, uint8_t *response,
                    size_t len)
{
    for (size_t i = 0; i < f->n;) {
        const struct fault_rule *r = &f->rules[i];
        long at = r->value < 0 ? (long)len + r->value : r->value;

        if (r->kind != FAULT_CORRUPT || !matches(r->word, command, n) || at < 0 ||
            at >= (long)len || !takes_its_turn(f, i)) {
            i++;
            continue;
        }
        trace_rule(&f->e->trace, "octet %ld goes out as %02X, not %02X", at, response[at] ^ 0xFFu,
                   response[at]);
        response[at] ^= 0xFF;
        if (!is_used_up(f, i))
            i++;
    }
}

/* The word of CUT_AT for the last step: all is done, and the answer does not get out. */
static bool cuts_answer(struct faults *f)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->rules[i].kind == FAULT_CUT_AT && strcmp(f->rules[i].word, "answer") == 0 &&
            takes_its_turn(f, i)) {
            forget(f, i);
            return true;
        }
    return false;
}

size_t faults_transmit(struct faults *f, const uint8_t *command, size_t n, uint8_t *response)
{
    struct euicc *e = f->e;

    switch (before(f, command, n, response)) {
    case SILENT:
        trace_bytes(&e->trace, TRACE_COMMAND, command, n);
        return 0;
    case ANSWERED:
        trace_bytes(&e->trace, TRACE_COMMAND, command, n);
        trace_bytes(&e->trace, TRACE_RESPONSE, response, 2);
        return 2;
    case GOES_ON:
        break;
    }
    size_t len = euicc_transmit(e, command, n, response);
    if (len > 0 && cuts_answer(f)) {
        nvm_cut_now(e->nvm);
        return 0;
    }
    corrupt(f, command, n, response, len);
    return len;
}

void faults_init(struct faults *f, struct euicc *e)
{
    *f = (struct faults){ .e = e };
    nvm_watch(e->nvm, cut_here, f);
}

void faults_done(struct faults *f)
{
    while (f->n > 0)
        forget(f, f->n - 1);
    free(f->rules);
    f->rules = NULL;
}
