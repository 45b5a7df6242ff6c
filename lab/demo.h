/* demo.h - the inside of softeuicc-lab demo.
 *
 *   demo_main.c    options, exit status
 *   demo_story.c   the steps, and what has to be true after each
 *   demo_bench.c   eIM, DNS server, terminal, card, and their clock
 *   demo_smdp.c    the SM-DP+
 *   demo_tell.c    who said what to whom: sequence diagram, tables, JSON
 *
 * Everything runs in the event loop of the eIM, but for the SM-DP+, which has a thread: the eIM
 * waits for its answers.  Nothing sleeps: when card and terminal wait for a timer and no channel is
 * open, their clock is put forward. */
#ifndef LAB_DEMO_H
#define LAB_DEMO_H

#include <pthread.h>
#include <stdio.h>

#include <cjson/cJSON.h>

#include "lab/coap_server.h"
#include "lab/esipa_server.h"
#include "lab/https.h"
#include "lab/terminal_run.h"
#include "lib/softeuicc.h"

enum {
    DEMO_TEXT_LEN = 96,
    DEMO_MESSAGES_MAX = 2000,
    DEMO_STEPS_MAX = 8,
    DEMO_ADDRESS_LEN = 32,
    DEMO_PATH_LEN = 512,
};

/* The ICCID of demo_profiles.h's bootstrap profile. */
#define DEMO_BOOTSTRAP "8900010000000000134"

/* --- demo_tell.c ------------------------------------------------------------------------------ */

enum demo_party { DEMO_CARD, DEMO_TERMINAL, DEMO_EIM, DEMO_SMDP, DEMO_PARTIES };

/* Said by one to another; to itself: something that happens there. */
struct demo_message {
    enum demo_party from, to;
    size_t step;
    size_t octets; /* of the message itself, without what carries it; 0: not counted */
    char text[DEMO_TEXT_LEN];
};

/* What was said, in order; may be written by two threads. */
struct demo_record {
    pthread_mutex_t lock;
    struct demo_message *messages;
    size_t n, step;
};

bool demo_record_init(struct demo_record *r);
void demo_record_done(struct demo_record *r);
/* Its place, for demo_record_change(). */
size_t demo_record_add(struct demo_record *r, enum demo_party from, enum demo_party to,
                       size_t octets, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void demo_record_change(struct demo_record *r, size_t at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* What a step took. */
struct demo_taken {
    const char *name, *title, *tale;
    bool holds;
    char why[LAB_ERROR_LEN]; /* it does not */
    struct terminal_count air;
    uint64_t bip;      /* commands of the bearer independent protocol */
    uint64_t clock_ms; /* of the device */
    uint64_t here_ms;
};

void demo_tell_step(FILE *out, const struct demo_record *r, size_t step,
                    const struct demo_taken *taken);
void demo_tell_end(FILE *out, const struct demo_taken *taken, size_t n);
cJSON *demo_json(const struct demo_record *r, const struct demo_taken *taken, size_t n, bool coap);

/* The line that a server of the lab logs, as an object. */
struct demo_log {
    FILE *f;
    char *text;
    size_t n;
};

FILE *demo_log_open(struct demo_log *log);
cJSON *demo_log_close(struct demo_log *log); /* NULL: there was none */
const char *demo_log_text(const cJSON *line, const char *name);

/* --- demo_smdp.c ------------------------------------------------------------------------------ */

enum demo_event { DEMO_INSTALL, DEMO_ENABLE, DEMO_DISABLE, DEMO_DELETE, DEMO_EVENTS };

struct demo_smdp;

/* It serves what is in the folder. */
int demo_smdp_start(const char *folder, struct demo_record *record, struct demo_smdp **ret,
                    struct lab_error *e);
void demo_smdp_stop(struct demo_smdp **smdp);
const char *demo_smdp_address(const struct demo_smdp *smdp);
/* Notifications that it has verified. */
unsigned demo_smdp_notified(struct demo_smdp *smdp, enum demo_event event);

/* --- demo_bench.c ----------------------------------------------------------------------------- */

struct demo_bench {
    bool coap;
    const char *profile; /* the package that is downloaded; NULL: demo_profiles.h's */
    FILE *trace;         /* may be NULL */
    struct demo_record record;

    char folder[DEMO_PATH_LEN]; /* "": there is none */
    char operational[ICCID_TEXT_LEN];
    struct demo_smdp *smdp;
    struct crypto *crypto;
    struct eim *eim;
    struct esipa_server esipa;
    struct https_server *https;
    struct coap_server *coap_server;
    struct name_server *names;

    struct softeuicc_crypto *card_crypto;
    struct softeuicc *card;
    char eid[SOFTEUICC_EID_LEN + 1];
    char said[LAB_ERROR_LEN]; /* the last that the card's trace told */
    uint8_t response[SOFTEUICC_RESPONSE_MAX];

    struct terminal_run run;
    struct address_map map;
    uint64_t bip;
    uint64_t resets;   /* that the network knows of */
    bool out_of_reach; /* the network of the operational profile is */
};

int demo_bench_open(struct demo_bench *b, struct lab_error *e);
void demo_bench_close(struct demo_bench *b);

/* Does what is due; *ret_rests: card and terminal wait for a timer, nothing is on its way.
 * Negative with *e: the card failed, or it was told to end. */
int demo_bench_turn(struct demo_bench *b, bool *ret_rests, struct lab_error *e);
/* Puts the clock forward to the next timer.  false: there is none. */
bool demo_bench_skip(struct demo_bench *b);
/* The network of the operational profile comes or goes. */
void demo_bench_reach(struct demo_bench *b, bool in_reach);
/* softeuicc show --json, to be deleted. */
cJSON *demo_bench_show(struct demo_bench *b);
/* ICCID of the enabled profile, "" for none. */
const char *demo_enabled(const cJSON *card);

/* --- demo_story.c ----------------------------------------------------------------------------- */

/* The steps until the first that does not hold; *ret_n of them.  Tells each as it ends, if out is
 * not NULL. */
bool demo_story(struct demo_bench *b, FILE *out, struct demo_taken ret[DEMO_STEPS_MAX],
                size_t *ret_n);

#endif
