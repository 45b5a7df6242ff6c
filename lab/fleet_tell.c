/* fleet_tell.c - what softeuicc-lab fleet prints: a line now and then, and at the end what it was.
 */
#include "lab/fleet.h"

#include <stdlib.h>
#include <string.h>

#include <sys/resource.h>

#include "os/err.h"

static const char *const package_names[PACKAGE_KINDS] = {
    [PACKAGE_OF_EUICC] = "euicc",           [PACKAGE_OF_DATA] = "data",
    [PACKAGE_OF_ACKS] = "acknowledgements", [PACKAGE_OF_DOWNLOAD] = "download",
    [PACKAGE_OF_ELSE] = "unknown",
};

static const struct {
    const char *name;
    unsigned thousandths;
} percentiles[] = {
    { "p50", 500 }, { "p90", 900 }, { "p95", 950 }, { "p99", 990 }, { "p999", 999 },
};

/* --- the process ------------------------------------------------------------------------------ */

/* A line of /proc/self/status in kB; 0 where there is none. */
static long status_kb(const char *name)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[128];
    long kb = 0;

    while (f != NULL && kb == 0 && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            kb = strtol(line + strlen(name), NULL, 10);
    if (f != NULL)
        fclose(f);
    return kb;
}

long fleet_rss_kb(void)
{
    return status_kb("VmRSS:");
}

long fleet_most_rss_kb(void)
{
    return status_kb("VmHWM:");
}

double fleet_cpu_s(void)
{
    struct rusage u;

    if (getrusage(RUSAGE_SELF, &u) != 0)
        return 0;
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* --- now and then ----------------------------------------------------------------------------- */

static uint64_t packages_of(const struct fleet_counts *c)
{
    uint64_t n = 0;

    for (size_t i = 0; i < PACKAGE_KINDS; i++)
        n += c->packages[i];
    return n;
}

static double seconds_of(const struct fleet *f)
{
    return (double)(fleet_now_us() - f->born_us) / 1e6;
}

void fleet_tell_progress(FILE *out, const struct fleet *f, bool in_place)
{
    const struct fleet_counts *c = &f->counts;

    fprintf(out,
            "%s%.0f s: %zu of %zu cards on, %zu polling; %llu polls, %llu failed, %llu packages, "
            "%llu downloads; median %.1f ms, p99 %.1f ms%s",
            in_place ? "\r" : "", seconds_of(f), f->started, f->n, fleet_talking(f),
            (unsigned long long)c->polls, (unsigned long long)c->failed,
            (unsigned long long)packages_of(c), (unsigned long long)c->downloads,
            (double)latency_at(&c->latency, 500) / 1e3, (double)latency_at(&c->latency, 990) / 1e3,
            in_place ? "\033[K" : "\n");
    fflush(out);
}

/* --- at the end ------------------------------------------------------------------------------- */

static void tell_latency(FILE *out, const struct fleet_latency *l)
{
    if (l->n == 0)
        return;
    fprintf(out, "latency of a poll in ms: least %.2f, mean %.2f", (double)l->least / 1e3,
            (double)l->sum / (double)l->n / 1e3);
    for (size_t i = 0; i < N_ELEMS(percentiles); i++)
        fprintf(out, ", %s %.2f", percentiles[i].name,
                (double)latency_at(l, percentiles[i].thousandths) / 1e3);
    fprintf(out, ", most %.2f\n", (double)l->most / 1e3);
}

void fleet_tell_summary(FILE *out, const struct fleet *f, const struct fleet_taken *taken)
{
    const struct fleet_counts *c = &f->counts;
    struct terminal_count air;

    fleet_traffic(f, &air);
    fprintf(out, "%zu cards in %.1f s, %zu powered on, %zu polled; %.1f s\n", f->n, taken->made_s,
            f->started, f->n_polled, taken->ran_s);
    fprintf(out, "%llu polls, %llu of them failed, %zu under way; %llu handshakes, %llu resumed\n",
            (unsigned long long)c->polls, (unsigned long long)c->failed, fleet_talking(f),
            (unsigned long long)c->handshakes, (unsigned long long)c->resumed);
    fprintf(out, "packages:");
    for (size_t i = 0; i < PACKAGE_KINDS; i++)
        fprintf(out, "%s %s %llu", i > 0 ? "," : "", package_names[i],
                (unsigned long long)c->packages[i]);
    fprintf(out, "; results taken %llu; downloads %llu, failed %llu\n",
            (unsigned long long)c->results, (unsigned long long)c->downloads,
            (unsigned long long)c->downloads_failed);
    tell_latency(out, &c->latency);
    fprintf(out, "octets over channels: %llu up, %llu down, in %llu links\n",
            (unsigned long long)air.sent, (unsigned long long)air.received,
            (unsigned long long)air.links);
    fprintf(out,
            "this process: %.2f s of CPU, %ld kB before the cards, %ld kB with them, at most "
            "%ld kB\n",
            taken->cpu_s, taken->kb_before, taken->kb_made, taken->kb_most);
    for (size_t i = 0; i < c->n_causes; i++)
        fprintf(out, "failed %llu times: %s\n", (unsigned long long)c->causes[i].n,
                c->causes[i].text);
    fflush(out);
}

/* --- as JSON ---------------------------------------------------------------------------------- */

static void add_number(cJSON *to, const char *name, uint64_t n)
{
    cJSON_AddNumberToObject(to, name, (double)n);
}

static double ms_of(uint64_t us)
{
    return (double)us / 1e3;
}

static void add_latency(cJSON *to, const struct fleet_latency *l)
{
    cJSON *o = cJSON_AddObjectToObject(to, "latencyMs");

    add_number(o, "n", l->n);
    if (l->n == 0)
        return;
    cJSON_AddNumberToObject(o, "least", ms_of(l->least));
    cJSON_AddNumberToObject(o, "mean", ms_of(l->sum) / (double)l->n);
    for (size_t i = 0; i < N_ELEMS(percentiles); i++)
        cJSON_AddNumberToObject(o, percentiles[i].name,
                                ms_of(latency_at(l, percentiles[i].thousandths)));
    cJSON_AddNumberToObject(o, "most", ms_of(l->most));
}

static void add_cards(cJSON *to, const struct fleet *f)
{
    cJSON *o = cJSON_AddObjectToObject(to, "cards");
    size_t broken = 0;

    for (size_t i = 0; i < f->n; i++)
        broken += f->cards[i].broken;
    add_number(o, "made", f->n);
    add_number(o, "on", f->started);
    add_number(o, "polled", f->n_polled);
    add_number(o, "polling", fleet_talking(f));
    add_number(o, "broken", broken);
}

static void add_traffic(cJSON *to, const struct fleet *f)
{
    cJSON *o = cJSON_AddObjectToObject(to, "traffic");
    struct terminal_count air;

    fleet_traffic(f, &air);
    add_number(o, "sent", air.sent);
    add_number(o, "received", air.received);
    add_number(o, "datagramsSent", air.datagrams_sent);
    add_number(o, "datagramsReceived", air.datagrams_received);
    add_number(o, "links", air.links);
    add_number(o, "apdus", air.apdus);
    add_number(o, "commands", air.commands);
}

static void add_taken(cJSON *to, const struct fleet_taken *t)
{
    cJSON *o = cJSON_AddObjectToObject(to, "process");

    cJSON_AddNumberToObject(o, "madeSeconds", t->made_s);
    cJSON_AddNumberToObject(o, "seconds", t->ran_s);
    cJSON_AddNumberToObject(o, "cpuSeconds", t->cpu_s);
    cJSON_AddNumberToObject(o, "kBBefore", (double)t->kb_before);
    cJSON_AddNumberToObject(o, "kBWithCards", (double)t->kb_made);
    cJSON_AddNumberToObject(o, "kBAtMost", (double)t->kb_most);
}

cJSON *fleet_json(const struct fleet *f, const struct fleet_taken *taken)
{
    const struct fleet_counts *c = &f->counts;
    cJSON *o = cJSON_CreateObject();

    add_cards(o, f);
    cJSON *polls = cJSON_AddObjectToObject(o, "polls");
    add_number(polls, "ended", c->polls);
    add_number(polls, "good", c->polls - c->failed);
    add_number(polls, "failed", c->failed);
    add_number(polls, "exchanges", c->exchanges);
    add_number(polls, "handshakes", c->handshakes);
    add_number(polls, "resumed", c->resumed);
    add_latency(o, &c->latency);
    cJSON *packages = cJSON_AddObjectToObject(o, "packages");
    for (size_t i = 0; i < PACKAGE_KINDS; i++)
        add_number(packages, package_names[i], c->packages[i]);
    add_number(o, "results", c->results);
    add_number(o, "downloads", c->downloads);
    add_number(o, "downloadsFailed", c->downloads_failed);
    add_number(o, "faults", c->faults);
    cJSON *failures = cJSON_AddArrayToObject(o, "failures");
    for (size_t i = 0; i < c->n_causes; i++) {
        cJSON *one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "cause", c->causes[i].text);
        add_number(one, "n", c->causes[i].n);
        cJSON_AddItemToArray(failures, one);
    }
    add_traffic(o, f);
    add_taken(o, taken);
    return o;
}
