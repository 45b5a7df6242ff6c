/* demo_tell.c - who said what to whom: the record, a sequence diagram of it in text, tables, JSON.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lab/demo.h"
#include "os/err.h"

enum { DIAGRAM_WIDTH = 86, LABEL_LEN = DEMO_TEXT_LEN + 24, MS = 1000 };

static const struct {
    const char *name;
    size_t column;
} parties[DEMO_PARTIES] = {
    [DEMO_CARD] = { "card", 2 },
    [DEMO_TERMINAL] = { "terminal", 39 },
    [DEMO_EIM] = { "eIM", 49 },
    [DEMO_SMDP] = { "SM-DP+", 83 },
};

/* --- the record ------------------------------------------------------------------------------- */

bool demo_record_init(struct demo_record *r)
{
    *r = (struct demo_record){ .messages = calloc(DEMO_MESSAGES_MAX, sizeof *r->messages) };
    return r->messages != NULL && pthread_mutex_init(&r->lock, NULL) == 0;
}

void demo_record_done(struct demo_record *r)
{
    if (r->messages != NULL)
        pthread_mutex_destroy(&r->lock);
    free(r->messages);
    r->messages = NULL;
}

static void write_text(struct demo_message *m, const char *fmt, va_list args)
{
    vsnprintf(m->text, sizeof m->text, fmt, args);
}

size_t demo_record_add(struct demo_record *r, enum demo_party from, enum demo_party to,
                       size_t octets, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    pthread_mutex_lock(&r->lock);
    size_t at = r->n;
    if (at < DEMO_MESSAGES_MAX) {
        struct demo_message *m = &r->messages[r->n++];
        *m = (struct demo_message){ .from = from, .to = to, .step = r->step, .octets = octets };
        write_text(m, fmt, args);
    }
    pthread_mutex_unlock(&r->lock);
    va_end(args);
    return at;
}

void demo_record_change(struct demo_record *r, size_t at, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    pthread_mutex_lock(&r->lock);
    if (at < r->n)
        write_text(&r->messages[at], fmt, args);
    pthread_mutex_unlock(&r->lock);
    va_end(args);
}

/* --- logs of the lab's servers ---------------------------------------------------------------- */

FILE *demo_log_open(struct demo_log *log)
{
    *log = (struct demo_log){ .f = NULL };
    log->f = open_memstream(&log->text, &log->n);
    return log->f;
}

cJSON *demo_log_close(struct demo_log *log)
{
    if (log->f == NULL || fclose(log->f) != 0)
        return NULL;
    cJSON *line = cJSON_ParseWithLength(log->text, log->n);
    free(log->text);
    return line;
}

const char *demo_log_text(const cJSON *line, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(line, name);

    return cJSON_IsString(v) ? v->valuestring : "";
}

/* --- the diagram ------------------------------------------------------------------------------ */

static void clear_line(char line[DIAGRAM_WIDTH + 1])
{
    memset(line, ' ', DIAGRAM_WIDTH);
    line[DIAGRAM_WIDTH] = '\0';
}

static void print_line(FILE *out, char line[DIAGRAM_WIDTH + 1])
{
    size_t n = DIAGRAM_WIDTH;

    while (n > 0 && line[n - 1] == ' ')
        n--;
    line[n] = '\0';
    fprintf(out, "  %s\n", line);
}

static void lifelines(char line[DIAGRAM_WIDTH + 1])
{
    clear_line(line);
    for (size_t i = 0; i < DEMO_PARTIES; i++)
        line[parties[i].column] = '|';
}

static void print_head(FILE *out)
{
    char line[DIAGRAM_WIDTH + 1];

    clear_line(line);
    for (size_t i = 0; i < DEMO_PARTIES; i++) {
        size_t n = strlen(parties[i].name), half = (n - 1) / 2;
        size_t at = parties[i].column < half ? 0 : parties[i].column - half;
        memcpy(line + (at + n > DIAGRAM_WIDTH ? DIAGRAM_WIDTH - n : at), parties[i].name, n);
    }
    print_line(out, line);
    lifelines(line);
    print_line(out, line);
}

/* Text between two columns, with blanks around it if they fit. */
static void put_label(char *line, size_t from, size_t to, const char *label)
{
    size_t room = to - from - 1, n = strlen(label);

    n = n < room ? n : room;
    char *at = line + from + 1 + (room - n) / 2;
    memcpy(at, label, n);
    if (n + 2 <= room)
        at[-1] = at[n] = ' ';
}

static void print_arrow(FILE *out, const struct demo_message *m)
{
    char line[DIAGRAM_WIDTH + 1], label[LABEL_LEN];
    bool right = m->from < m->to;
    size_t a = parties[right ? m->from : m->to].column;
    size_t b = parties[right ? m->to : m->from].column;

    lifelines(line);
    if (m->octets > 0)
        snprintf(label, sizeof label, "%s, %zu", m->text, m->octets);
    else
        snprintf(label, sizeof label, "%s", m->text);
    memset(line + a + 1, '-', b - a - 1);
    line[right ? b - 1 : a + 1] = right ? '>' : '<';
    put_label(line, a + (right ? 0 : 1), b - (right ? 1 : 0), label);
    print_line(out, line);
}

/* What happens at one of them stands beside its lifeline. */
static void print_event(FILE *out, const struct demo_message *m)
{
    char line[DIAGRAM_WIDTH + 1];
    size_t at = parties[m->from].column + 2, n = strlen(m->text);

    lifelines(line);
    n = at + n < DIAGRAM_WIDTH ? n : DIAGRAM_WIDTH - at;
    memcpy(line + at, m->text, n);
    if (at + n < DIAGRAM_WIDTH)
        line[at + n] = ' ';
    print_line(out, line);
}

static void print_diagram(FILE *out, const struct demo_record *r, size_t step)
{
    bool any = false;

    for (size_t i = 0; i < r->n; i++) {
        const struct demo_message *m = &r->messages[i];
        if (m->step != step)
            continue;
        if (!any)
            print_head(out);
        any = true;
        if (m->from == m->to)
            print_event(out, m);
        else
            print_arrow(out, m);
    }
}

/* --- text ------------------------------------------------------------------------------------- */

static const char *duration(uint64_t ms, char ret[32])
{
    uint64_t s = (ms + MS / 2) / MS;

    if (ms < 60 * MS)
        snprintf(ret, 32, "%llu.%03u s", (unsigned long long)(ms / MS), (unsigned)(ms % MS));
    else
        snprintf(ret, 32, "%llu:%02u:%02u h", (unsigned long long)(s / 3600),
                 (unsigned)(s / 60 % 60), (unsigned)(s % 60));
    return ret;
}

void demo_tell_step(FILE *out, const struct demo_record *r, size_t step,
                    const struct demo_taken *taken)
{
    const struct terminal_count *air = &taken->air;
    char clock[32];

    fprintf(out, "%zu. %s\n\n%s\n\n", step + 1, taken->title, taken->tale);
    print_diagram(out, r, step);
    fprintf(
        out,
        "\n   On the air: %llu octets up, %llu down, %llu links.  %llu BIP commands, %llu "
        "proactive\n   ones in all, %llu APDU pairs.  %s on the device's clock, %llu ms here.\n",
        (unsigned long long)air->sent, (unsigned long long)air->received,
        (unsigned long long)air->links, (unsigned long long)taken->bip,
        (unsigned long long)air->commands, (unsigned long long)air->apdus,
        duration(taken->clock_ms, clock), (unsigned long long)taken->here_ms);
    if (taken->holds)
        fprintf(out, "\n");
    else
        fprintf(out, "   It does not hold: %s.\n\n", taken->why);
    fflush(out);
}

void demo_tell_end(FILE *out, const struct demo_taken *taken, size_t n)
{
    struct demo_taken sum = { .name = "together" };
    char clock[32];

    fprintf(out, "%-17s %8s %8s %6s %6s %8s %12s %8s\n", "", "up", "down", "links", "BIP", "APDUs",
            "its clock", "here");
    for (size_t i = 0; i <= n; i++) {
        const struct demo_taken *t = i < n ? &taken[i] : &sum;
        fprintf(out, "%-17s %8llu %8llu %6llu %6llu %8llu %12s %5llu ms\n", t->name,
                (unsigned long long)t->air.sent, (unsigned long long)t->air.received,
                (unsigned long long)t->air.links, (unsigned long long)t->bip,
                (unsigned long long)t->air.apdus, duration(t->clock_ms, clock),
                (unsigned long long)t->here_ms);
        sum.air.sent += t->air.sent;
        sum.air.received += t->air.received;
        sum.air.links += t->air.links;
        sum.bip += t->bip;
        sum.air.apdus += t->air.apdus;
        sum.clock_ms += t->clock_ms;
        sum.here_ms += t->here_ms;
    }
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void add_number(cJSON *to, const char *name, uint64_t n)
{
    cJSON_AddNumberToObject(to, name, (double)n);
}

static cJSON *messages_json(const struct demo_record *r, size_t step)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < r->n; i++) {
        const struct demo_message *m = &r->messages[i];
        if (m->step != step)
            continue;
        cJSON *one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, m->from == m->to ? "at" : "from", parties[m->from].name);
        if (m->from != m->to)
            cJSON_AddStringToObject(one, "to", parties[m->to].name);
        cJSON_AddStringToObject(one, "text", m->text);
        if (m->octets > 0)
            add_number(one, "octets", m->octets);
        cJSON_AddItemToArray(list, one);
    }
    return list;
}

cJSON *demo_json(const struct demo_record *r, const struct demo_taken *taken, size_t n, bool coap)
{
    cJSON *out = cJSON_CreateObject(), *steps;
    bool all = true;

    cJSON_AddStringToObject(out, "esipa", coap ? "coaps" : "https");
    steps = cJSON_AddArrayToObject(out, "steps");
    for (size_t i = 0; i < n; i++) {
        const struct demo_taken *t = &taken[i];
        cJSON *step = cJSON_CreateObject();
        cJSON_AddStringToObject(step, "name", t->name);
        cJSON_AddStringToObject(step, "title", t->title);
        cJSON_AddBoolToObject(step, "holds", t->holds);
        if (!t->holds)
            cJSON_AddStringToObject(step, "why", t->why);
        add_number(step, "sent", t->air.sent);
        add_number(step, "received", t->air.received);
        add_number(step, "datagramsSent", t->air.datagrams_sent);
        add_number(step, "datagramsReceived", t->air.datagrams_received);
        add_number(step, "links", t->air.links);
        add_number(step, "bipCommands", t->bip);
        add_number(step, "proactiveCommands", t->air.commands);
        add_number(step, "envelopes", t->air.envelopes);
        add_number(step, "apdus", t->air.apdus);
        add_number(step, "apduOctets", t->air.apdu_octets);
        add_number(step, "deviceMilliseconds", t->clock_ms);
        add_number(step, "milliseconds", t->here_ms);
        cJSON_AddItemToObject(step, "messages", messages_json(r, i));
        cJSON_AddItemToArray(steps, step);
        all = all && t->holds;
    }
    cJSON_AddBoolToObject(out, "holds", all);
    return out;
}
