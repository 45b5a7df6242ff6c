/* terminal_fault.c - the rules of --fault, as a table. */
#include "lab/terminal_fault.h"

#include <string.h>

#include "os/err.h"

enum {
    COUNT_MAX = 1000000000,
    MS_MAX = 3600000,
    BUFFER_MAX = 65535,
    RULE_LEN = 128,
};

static const uint64_t first_state = 0x9E3779B97F4A7C15u;

static bool read_list(const char *value, struct fault_list *ret)
{
    char text[RULE_LEN], *at = text, *number;

    if (!copy_text(value, text, sizeof text))
        return false;
    while ((number = strsep(&at, ",")) != NULL) {
        if (ret->n == N_ELEMS(ret->at) || !number_read(number, COUNT_MAX, &ret->at[ret->n]) ||
            ret->at[ret->n] == 0)
            return false;
        ret->n++;
    }
    return true;
}

static bool read_hex_octet(const char *text, uint8_t *ret)
{
    struct wr w;

    wr_init(&w, ret, 1);
    return strlen(text) == 2 && hex_read(text, &w);
}

static bool no_service(struct terminal_faults *f, const char *value)
{
    if (value != NULL)
        return number_read(value, COUNT_MAX, &f->no_service_at) && f->no_service_at > 0;
    f->no_service_at = 1;
    return true;
}

static bool refuse_open(struct terminal_faults *f, const char *value)
{
    char text[RULE_LEN], *info = text;

    if (!copy_text(value, text, sizeof text))
        return false;
    const char *result = strsep(&info, ":");
    f->refuse_open = true;
    f->refuse_has_info = info != NULL;
    return read_hex_octet(result, &f->refuse_result) &&
           (info == NULL || read_hex_octet(info, &f->refuse_info));
}

static bool drop_datagram(struct terminal_faults *f, const char *value)
{
    return read_list(value, &f->drop_datagram);
}

static bool close_after(struct terminal_faults *f, const char *value)
{
    char text[RULE_LEN], *times = text;

    if (!copy_text(value, text, sizeof text) ||
        !number_read(strsep(&times, ":"), COUNT_MAX, &f->close_after) || f->close_after == 0)
        return false;
    f->close_times = 0;
    return times == NULL || (number_read(times, COUNT_MAX, &f->close_times) && f->close_times > 0);
}

static bool lose_response(struct terminal_faults *f, const char *value)
{
    return read_list(value, &f->lose_response);
}

static bool late(struct terminal_faults *f, const char *value)
{
    return number_read(value, MS_MAX, &f->late_ms);
}

static bool nonsense(struct terminal_faults *f, const char *value)
{
    return read_list(value, &f->nonsense);
}

static bool reset_at(struct terminal_faults *f, const char *value)
{
    return read_list(value, &f->reset_at);
}

static bool busy(struct terminal_faults *f, const char *value)
{
    return read_list(value, &f->busy_command);
}

static bool small_buffer(struct terminal_faults *f, const char *value)
{
    return number_read(value, BUFFER_MAX, &f->small_buffer) && f->small_buffer > 0;
}

static bool slow(struct terminal_faults *f, const char *value)
{
    return number_read(value, COUNT_MAX, &f->slow) && f->slow > 0;
}

static bool plain_receive(struct terminal_faults *f, const char *value)
{
    (void)value;
    f->plain_receive = true;
    return true;
}

static bool cut_datagram(struct terminal_faults *f, const char *value)
{
    (void)value;
    f->cut_datagram = true;
    return true;
}

static bool seed(struct terminal_faults *f, const char *value)
{
    unsigned long n;

    if (!number_read(value, COUNT_MAX, &n))
        return false;
    f->random = true;
    f->state = first_state ^ (uint64_t)(n + 1) * 0xD1342543DE82EF95u;
    if (f->state == 0)
        f->state = first_state;
    return true;
}

static const struct {
    const char *name, *value, *help;
    char separator; /* before the value; 0: there is none */
    bool optional;
    bool (*read)(struct terminal_faults *f, const char *value);
} rules[] = {
    { "no-service", "N", "no network, from the Nth proactive command on", '@', true, no_service },
    { "refuse-open", "RESULT[:INFO]", "answer OPEN CHANNEL with this, in hex: 3A:01", '=', false,
      refuse_open },
    { "drop-datagram", "N[,N...]", "lose the Nth datagram, sent or received", '=', false,
      drop_datagram },
    { "cut-datagram", NULL, "Rx buffer without datagram boundaries", 0, false, cut_datagram },
    { "close-after", "OCTETS[:N]", "drop a link after so many octets, N times", '=', false,
      close_after },
    { "lose-response", "N[,N...]", "do not send the Nth TERMINAL RESPONSE", '=', false,
      lose_response },
    { "late", "MS", "wait before each TERMINAL RESPONSE", '=', false, late },
    { "nonsense", "N[,N...]", "put nonsense into the Nth TERMINAL RESPONSE", '=', false, nonsense },
    { "busy", "N[,N...]", "answer the Nth proactive command with 20 00", '=', false, busy },
    { "reset-at", "N[,N...]", "reset the card after the Nth FETCH", '=', false, reset_at },
    { "small-buffer", "OCTETS", "grant no more than this to OPEN CHANNEL", '=', false,
      small_buffer },
    { "slow", "OCTETS", "a link of so many octets a second", '=', false, slow },
    { "plain-receive", NULL, "RECEIVE DATA that asks for too much ends with 00, not 02", 0, false,
      plain_receive },
    { "seed", "N", "faults of all kinds at random, the same ones for the same N", '=', false,
      seed },
};

void faults_init(struct terminal_faults *f)
{
    memset(f, 0, sizeof *f);
    f->state = first_state;
}

int faults_add(struct terminal_faults *f, const char *rule, struct lab_error *e)
{
    size_t n = strcspn(rule, "=@");

    for (size_t i = 0; i < N_ELEMS(rules); i++) {
        if (strlen(rules[i].name) != n || strncmp(rules[i].name, rule, n) != 0)
            continue;
        const char *value = rule[n] == '\0' ? NULL : rule + n + 1;
        bool fits = value != NULL ? rules[i].separator != 0 && rule[n] == rules[i].separator
                                  : rules[i].separator == 0 || rules[i].optional;
        if (!fits || !rules[i].read(f, value))
            return lab_fail(e, "fault %s: it is %s%.1s%s", rule, rules[i].name, &rules[i].separator,
                            rules[i].value == NULL ? "" : rules[i].value);
        return 0;
    }
    return lab_fail(e, "no fault %s", rule);
}

void faults_help(FILE *out)
{
    for (size_t i = 0; i < N_ELEMS(rules); i++) {
        char rule[RULE_LEN] = "";
        if (rules[i].separator != 0)
            snprintf(rule, sizeof rule, rules[i].optional ? "[%c%s]" : "%c%s", rules[i].separator,
                     rules[i].value);
        fprintf(out, "    %s%-*s %s\n", rules[i].name, (int)(28 - strlen(rules[i].name)), rule,
                rules[i].help);
    }
}

/* xorshift64*: repeatable, and for nothing else. */
uint32_t faults_random(struct terminal_faults *f, uint32_t n)
{
    f->state ^= f->state >> 12;
    f->state ^= f->state << 25;
    f->state ^= f->state >> 27;
    return (uint32_t)((f->state * 0x2545F4914F6CDD1Du) >> 32) % n;
}

bool faults_close(struct terminal_faults *f, uint64_t carried)
{
    if (f->close_after == 0 || carried < f->close_after)
        return false;
    if (f->close_times == 1)
        f->close_after = 0;
    f->close_times -= f->close_times > 0;
    return true;
}

bool faults_hit(struct terminal_faults *f, const struct fault_list *list, unsigned long n,
                unsigned one_of)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->at[i] == n)
            return true;
    return f->random && faults_random(f, one_of) == 0;
}
