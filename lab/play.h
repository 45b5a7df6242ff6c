/* play.h - playing scripts: what the files of the player share. */
#ifndef LAB_PLAY_H
#define LAB_PLAY_H

#include "lab/eim_config.h"
#include "lab/es10.h"
#include "lab/play_script.h"
#include "lab/report.h"
#include "os/crypto.h"
#include "os/x509.h"

enum {
    PLAY_MAX_EIMS = 8,
    PLAY_MAX_CHAINS = 4,
    PLAY_CONTROL_LEN = 256,
    PLAY_SUITES_LEN = 64,
};

struct play_options {
    const char *card, *reader; /* both NULL: cards are made as the scripts ask */
    const char *vpcd;     /* those are put into this reader, HOST:PORT, which is called reader */
    const char *pki;      /* NULL: the test PKI */
    const char *profiles; /* folder of NAME.der; NULL: none */
    const char *only_case, *only_section;
    const char *const *options; /* O_E_NIST or !O_E_NIST; the last one about a name counts */
    size_t n_options;
};

struct softeuicc_crypto;
struct smdpp;
struct play_ipae;

/* A model eIM of the script. */
struct play_eim {
    struct eim_identity identity;
    uint64_t counter, token;          /* the last ones used, and given */
    char tls_suites[PLAY_SUITES_LEN]; /* of TLS 1.2, alone; "": what OpenSSL likes */
};

/* One player plays one case after the other. */
struct player {
    const struct play_options *options;
    struct crypto *crypto;
    struct softeuicc_crypto *card_crypto;
    struct pki *pki;
    struct cert *ci[2];     /* P-256 and brainpoolP256r1; NULL: the PKI has none */
    struct smdpp *dp;       /* NULL until a download */
    struct play_ipae *ipae; /* of one case; NULL until its terminal, or an answer of its eIM */
    struct card *card;
    struct card_slot *slot; /* NULL: made cards are played in this process */
    const char *shared;     /* what --card and --reader name; NULL: a card a case */
    /* of one case: */
    struct es10 es10; /* channel 0: not open */
    struct play_names names;
    struct wr last; /* the last answer */
    uint16_t sw;
    bool mute, was_mute;  /* at the last command; ever since this was set to false */
    uint8_t proactive[3]; /* command details of what was fetched last */
    uint8_t cat_class;    /* of FETCH and TERMINAL RESPONSE: that of TERMINAL PROFILE */
    double card_seconds;  /* of the card, that cases have been told */
    size_t card_commands;
    struct play_eim eims[PLAY_MAX_EIMS];
    size_t n_eims;
    struct cert *chains[PLAY_MAX_CHAINS]; /* CERT.EUICC, verified */
    size_t n_chains;
    bool asked_certs; /* GetCerts, in this case */
    char digest[PLAY_CONTROL_LEN];
    size_t round; /* of cut-each */
    bool cut_armed, cut_hit, cuts_each;
    struct report_case *record;
    struct report_step *step; /* NULL: nobody listens */
};

/* What a runner gives besides 0 and ERR_INPUT (the script or the tool is wrong, *e tells). */
enum {
    PLAY_DIFFERS = 1, /* the card did otherwise; step->why tells */
    PLAY_SKIPS = 2,   /* this cannot be done with this card; step->why tells */
    PLAY_STOPS = 3,
};

/* Plays all cases of a script that are chosen; appends to the report. */
int player_init(struct player *p, const struct play_options *options, struct lab_error *e);
void player_done(struct player *p);
int player_play(struct player *p, const struct play_script *script, struct report *report,
                struct lab_error *e);

/* --- between the files of the player --------------------------------------------------------- */

/* Notes why the step differs, and returns PLAY_DIFFERS. */
int play_differs(struct player *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* One APDU; a mute card is PLAY_DIFFERS. */
int play_transmit(struct player *p, struct rd command, struct wr *ret, struct play_error *e);
/* One ES10 request to the ISD-R, whose channel is opened if it is not: the answer in p->last, the
 * status word in p->sw. */
int play_es10(struct player *p, struct rd request, struct play_error *e);
/* The same; another status word than 9000 and 91xx is PLAY_DIFFERS. */
int play_es10_ok(struct player *p, struct rd request, struct play_error *e);
/* The same, aside: p->last and p->sw stay. */
int play_ask(struct player *p, struct rd request, struct wr *ret, struct play_error *e);
int play_open_isdr(struct player *p, struct play_error *e);

/* p->last with the line "< WANTED" behind the statement. */
int play_compare_last(struct player *p, const struct play_step *s, struct play_error *e);

/* r, unless "< mute" is behind the statement and the card is. */
int play_mute_is_wanted(struct player *p, const struct play_step *s, int r, struct play_error *e);

/* A card as "new" asks for it (play_card.c). */
int play_make_card(struct player *p, const struct play_script *script, const struct play_case *c,
                   struct lab_error *e);
/* NULL when the options that the cases name are there, else the one that is not. */
const char *play_missing_option(const struct play_options *options, const struct play_words *needs);

/* play_eim.c, play_compute.c, play_smdpp.c, play_verify.c, play_ipae.c */
typedef int play_runner(struct player *p, const struct play_step *s, struct play_error *e);
play_runner play_run_eim, play_run_associate, play_run_package, play_run_compute;
play_runner play_run_download, play_run_load, play_run_verify, play_run_verify_prepare;
play_runner play_run_terminal, play_run_wait, play_run_serve;
/* Keeps CERT.EUICC of what AuthenticateServer answers: a eUICC of SGP.22 has no GetCerts. */
void play_learn_euicc(struct player *p, struct rd answer);
void play_forget_ipae(struct player *p);
void play_forget_models(struct player *p);

#endif
