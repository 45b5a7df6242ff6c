/* fleet.h - many cards in one process, each with its own identity, state and IPAe, in terminals of
 * their own on one event loop.
 *
 *   fleet.c          the cards: made, powered on one after the other, heard
 *   fleet_count.c    what they say of themselves, counted
 *   fleet_devices.c  who they are, for an eIM
 *   fleet_main.c, fleet_tell.c  softeuicc-lab fleet: options; what is printed
 *
 * TLS ends in the cards: what they do is known from their trace. */
#ifndef LAB_FLEET_H
#define LAB_FLEET_H

#include <stdio.h>

#include <cjson/cJSON.h>

#include "lab/terminal.h"
#include "lib/softeuicc.h"

enum {
    FLEET_MAX = 100000,
    FLEET_CAUSES_MAX = 32,
    FLEET_CAUSE_LEN = 160,
    FLEET_SEED_LEN = 200,
    FLEET_PATH_LEN = 512,
};

/* --- fleet_count.c ---------------------------------------------------------------------------- */

/* Times from 1 us on in classes of 1/32 of an octave: what is read from it is at most 3 % too
 * high. */
enum { LATENCY_PARTS = 32, LATENCY_OCTAVES = 36 };

struct fleet_latency {
    uint64_t n, sum, least, most; /* microseconds */
    uint64_t classes[LATENCY_OCTAVES][LATENCY_PARTS];
};

void latency_add(struct fleet_latency *l, uint64_t us);
/* The time that so many of a thousand do not exceed; 0 without any. */
uint64_t latency_at(const struct fleet_latency *l, unsigned thousandths);

/* What a card was asked to do. */
enum fleet_package {
    PACKAGE_OF_EUICC,
    PACKAGE_OF_DATA,
    PACKAGE_OF_ACKS,
    PACKAGE_OF_DOWNLOAD,
    PACKAGE_OF_ELSE,
    PACKAGE_KINDS,
};

struct fleet_cause {
    char text[FLEET_CAUSE_LEN];
    uint64_t n;
};

struct fleet_counts {
    uint64_t polls;     /* conversations with an eIM that ended */
    uint64_t failed;    /* of those */
    uint64_t exchanges; /* requests that were answered */
    uint64_t handshakes, resumed;
    uint64_t packages[PACKAGE_KINDS];
    uint64_t results; /* acknowledged by the eIM */
    uint64_t downloads, downloads_failed;
    uint64_t faults;                             /* of the cards themselves */
    struct fleet_cause causes[FLEET_CAUSES_MAX]; /* the last one counts what had no room */
    size_t n_causes;
    struct fleet_latency latency; /* of good polls: first OPEN CHANNEL to first answer */
};

/* One card's part in them. */
struct fleet_watch {
    bool talking, answered;
    uint64_t opened; /* microseconds; 0: not yet */
    uint64_t polls, failed;
    char cause[FLEET_CAUSE_LEN]; /* the last check that failed */
};

uint64_t fleet_now_us(void);
void fleet_opens(struct fleet_watch *w);
void fleet_hears(struct fleet_counts *c, struct fleet_watch *w, enum softeuicc_event event,
                 const char *text);
/* Something that failed outside of a conversation. */
void fleet_blame(struct fleet_counts *c, const char *cause);

/* --- fleet.c ---------------------------------------------------------------------------------- */

struct fleet;

struct fleet_card {
    struct fleet *fleet;
    size_t number;
    struct softeuicc *card;
    struct terminal *terminal;
    char eid[SOFTEUICC_EID_LEN + 1];
    struct fleet_watch watch;
    bool broken;
};

struct fleet_config {
    struct event_base *base;
    size_t n;
    const char *seed;   /* EIDs and keys; NULL: random */
    const char *folder; /* cards as files; NULL: in memory */
    struct softeuicc_bytes eim;
    struct softeuicc_bytes profile; /* n 0: none */
    const char *profile_words;
    const struct softeuicc_setting *settings;
    size_t n_settings;
    const struct address_map *map; /* borrowed */
    struct terminal_device device;
    uint64_t ramp_ms;        /* from the first power-on to the last */
    uint64_t polls;          /* then a card has done its part; 0: never */
    void (*done)(void *ctx); /* all have; may be NULL */
    void *ctx;
};

struct fleet {
    struct fleet_config config;
    struct softeuicc_crypto *crypto;
    struct fleet_card *cards;
    size_t n, started;
    struct event *ramp;
    uint64_t born_us;
    struct fleet_counts counts;
    size_t n_done, n_polled; /* cards that did their part; that had a good conversation */
    uint8_t response[SOFTEUICC_RESPONSE_MAX];
};

/* Makes the cards, or opens those that are in the folder. */
int fleet_new(const struct fleet_config *config, struct fleet **ret, struct lab_error *e);
void fleet_free(struct fleet **fleet);

/* Powers them on, as the event loop goes on. */
int fleet_start(struct fleet *f, struct lab_error *e);

/* The sum over all terminals. */
void fleet_traffic(const struct fleet *f, struct terminal_count *ret);
size_t fleet_talking(const struct fleet *f);

/* --- fleet_devices.c -------------------------------------------------------------------------- */

/* Who the cards are: EIDs, certificates, eIMs and their association tokens, as JSON. */
int fleet_devices(struct fleet *f, cJSON **ret, struct lab_error *e);

/* --- fleet_tell.c ----------------------------------------------------------------------------- */

/* How long things took, and what the process needed. */
struct fleet_taken {
    double made_s, ran_s, cpu_s; /* cpu_s: of ran_s */
    long kb_before, kb_made, kb_most;
};

/* Resident memory of this process in kB, and the most that it was. */
long fleet_rss_kb(void);
long fleet_most_rss_kb(void);
double fleet_cpu_s(void);

void fleet_tell_progress(FILE *out, const struct fleet *f, bool in_place);
void fleet_tell_summary(FILE *out, const struct fleet *f, const struct fleet_taken *taken);
cJSON *fleet_json(const struct fleet *f, const struct fleet_taken *taken);

#endif
