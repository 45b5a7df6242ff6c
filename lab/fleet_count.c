/* fleet_count.c - what the cards of a fleet say of themselves, counted.
 *
 * A card's trace (docs/TRACE.md) tells of a conversation with an eIM:
 *   IPAe: asks eim.example.test (HTTPS)
 *   eim.example.test: TLSv1.3 TLS_AES_128_GCM_SHA256, resumed, certificate of ...
 *   link to eim.example.test: ok, status 200, 12 octets; 900 up, 600 down, 20 commands
 *   IPAe: eIM package: eUICC package
 *   IPAe: the conversation ends: well
 * and a check that failed says why it did not end well. */
#include "lab/fleet.h"

#include <string.h>
#include <time.h>

#include "os/err.h"

uint64_t fleet_now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* --- latencies -------------------------------------------------------------------------------- */

/* The octave of 0 to LATENCY_PARTS - 1 is exact; behind it each has as many classes. */
static void class_of(uint64_t us, unsigned *ret_octave, unsigned *ret_part)
{
    unsigned octave = 0;

    for (; us >= 2 * LATENCY_PARTS; us >>= 1)
        octave++;
    if (us >= LATENCY_PARTS)
        octave++;
    *ret_octave = octave < LATENCY_OCTAVES ? octave : LATENCY_OCTAVES - 1;
    *ret_part = (unsigned)(us % LATENCY_PARTS);
}

/* The highest time of a class; the last octave has no end. */
static uint64_t end_of(unsigned octave, unsigned part)
{
    if (octave == 0)
        return part;
    if (octave == LATENCY_OCTAVES - 1)
        return UINT64_MAX;
    return ((uint64_t)(LATENCY_PARTS + part + 1) << (octave - 1)) - 1;
}

void latency_add(struct fleet_latency *l, uint64_t us)
{
    unsigned octave, part;

    class_of(us, &octave, &part);
    l->classes[octave][part]++;
    l->least = l->n == 0 || us < l->least ? us : l->least;
    l->most = us > l->most ? us : l->most;
    l->sum += us;
    l->n++;
}

uint64_t latency_at(const struct fleet_latency *l, unsigned thousandths)
{
    uint64_t rank = (l->n * thousandths + 999) / 1000, seen = 0;

    for (unsigned octave = 0; octave < LATENCY_OCTAVES && l->n > 0; octave++) {
        for (unsigned part = 0; part < LATENCY_PARTS; part++) {
            seen += l->classes[octave][part];
            if (seen >= rank && seen > 0) {
                uint64_t end = end_of(octave, part);
                return end < l->most ? end : l->most;
            }
        }
    }
    return l->most;
}

/* --- causes ----------------------------------------------------------------------------------- */

void fleet_blame(struct fleet_counts *c, const char *whole)
{
    char cause[FLEET_CAUSE_LEN];
    size_t i = 0;

    snprintf(cause, sizeof cause, "%s", whole);
    while (i < c->n_causes && strcmp(c->causes[i].text, cause) != 0)
        i++;
    if (i == FLEET_CAUSES_MAX) {
        i--;
        copy_text("others", c->causes[i].text, sizeof c->causes[i].text);
    } else if (i == c->n_causes) {
        memcpy(c->causes[i].text, cause, sizeof cause);
        c->n_causes++;
    }
    c->causes[i].n++;
}

/* Behind "link to HOST: ", which is the same for all; NULL: it is about something else. */
static const char *behind_link(const char *text)
{
    static const char prefix[] = "link to ";

    if (strncmp(text, prefix, sizeof prefix - 1) != 0)
        return NULL;
    const char *colon = strstr(text, ": ");
    return colon != NULL ? colon + 2 : NULL;
}

static void note_cause(struct fleet_watch *w, const char *text)
{
    const char *link = behind_link(text);

    snprintf(w->cause, sizeof w->cause, "%s", link != NULL ? link : text);
}

/* --- conversations ---------------------------------------------------------------------------- */

void fleet_opens(struct fleet_watch *w)
{
    if (w->talking && w->opened == 0)
        w->opened = fleet_now_us();
}

static void begins(struct fleet_watch *w)
{
    w->talking = true;
    w->answered = false;
    w->opened = 0;
    w->cause[0] = '\0';
}

static void ends(struct fleet_counts *c, struct fleet_watch *w, bool well, const char *otherwise)
{
    c->polls++;
    w->polls++;
    if (!well) {
        c->failed++;
        w->failed++;
        fleet_blame(c, w->cause[0] != '\0' ? w->cause : otherwise);
    }
    w->talking = false;
    w->cause[0] = '\0';
}

static void answered(struct fleet_counts *c, struct fleet_watch *w)
{
    c->exchanges++;
    if (w->answered || !w->talking || w->opened == 0)
        return;
    w->answered = true;
    latency_add(&c->latency, fleet_now_us() - w->opened);
}

static void hears_link(struct fleet_counts *c, struct fleet_watch *w, const char *text)
{
    if (strncmp(text, "ok, status ", 11) == 0)
        answered(c, w);
}

/* A failure is told as a check as well. */
static void hears_tls(struct fleet_counts *c, const char *text)
{
    if (strstr(text, ": TLSv1") == NULL && strstr(text, ": DTLSv1") == NULL)
        return;
    c->handshakes++;
    c->resumed += strstr(text, ", resumed") != NULL;
}

static void hears_package(struct fleet_counts *c, const char *name)
{
    static const char *const names[] = {
        [PACKAGE_OF_EUICC] = "eUICC package",
        [PACKAGE_OF_DATA] = "data request",
        [PACKAGE_OF_ACKS] = "acknowledgements",
        [PACKAGE_OF_DOWNLOAD] = "download trigger",
    };
    size_t i = 0;

    while (i < N_ELEMS(names) && strcmp(names[i], name) != 0)
        i++;
    c->packages[i]++;
}

/* The rest of a text behind its beginning, or NULL. */
static const char *behind(const char *text, const char *beginning)
{
    size_t n = strlen(beginning);

    return strncmp(text, beginning, n) == 0 ? text + n : NULL;
}

static void hears_note(struct fleet_counts *c, struct fleet_watch *w, const char *text)
{
    const char *rest = behind_link(text);

    if (rest != NULL)
        hears_link(c, w, rest);
    else if ((rest = behind(text, "IPAe: ")) == NULL)
        return;
    else if (behind(rest, "asks ") != NULL)
        begins(w);
    else if ((text = behind(rest, "the conversation ends: ")) != NULL)
        ends(c, w, strcmp(text, "well") == 0, text);
    else if (behind(rest, "the result waits for the network") != NULL)
        ends(c, w, true, "");
    else if ((text = behind(rest, "eIM package: ")) != NULL)
        hears_package(c, text);
    else if (strcmp(rest, "the eIM has the result") == 0)
        c->results++;
    else if (strcmp(rest, "the profile is installed") == 0)
        c->downloads++;
}

static void hears_check(struct fleet_counts *c, struct fleet_watch *w, const char *text)
{
    note_cause(w, text);
    if (behind(text, "IPAe: the download fails") != NULL ||
        behind(text, "IPAe: the profile is not installed") != NULL) {
        c->downloads_failed++;
        fleet_blame(c, text);
    } else if (behind(text, "IPAe: ") != NULL && strstr(text, ": it begins again later") != NULL &&
               w->talking) {
        ends(c, w, false, text);
    }
}

void fleet_hears(struct fleet_counts *c, struct fleet_watch *w, enum softeuicc_event event,
                 const char *text)
{
    switch (event) {
    case SOFTEUICC_NOTE:
        hears_note(c, w, text);
        break;
    case SOFTEUICC_TLS:
        hears_tls(c, text);
        break;
    case SOFTEUICC_CHECK:
        hears_check(c, w, text);
        break;
    case SOFTEUICC_FAULT:
        c->faults++;
        fleet_blame(c, text);
        break;
    default:
        break;
    }
}
