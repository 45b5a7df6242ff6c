/* play_model.h - the other side, as scripts have it: what its files share. */
#ifndef LAB_PLAY_MODEL_H
#define LAB_PLAY_MODEL_H

#include "lab/bpp.h"
#include "lab/play.h"
#include "lab/play_words.h"

/* --- eIMs (play_eim.c) ----------------------------------------------------------------------- */

/* NULL when there is none. */
struct play_eim *play_find_eim(struct player *p, const char *name);
int play_need_eim(struct player *p, const struct play_arguments *w, size_t i, struct play_eim **ret,
                  struct play_error *e);
/* AddInitialEimRequest for the eIMs that are named from there on. */
int play_put_add_initial_eim(struct player *p, const struct play_arguments *w, size_t from,
                             struct wr *ret, struct play_error *e);
/* EIM [transaction=HEX] [fault=FAULT] OPERATION...: a signed package with the next counter. */
int play_put_package(struct player *p, const struct play_arguments *w, size_t from, struct wr *ret,
                     struct play_error *e);
/* The EID, asked of the card. */
int play_read_eid(struct player *p, uint8_t ret[BPP_EID_LEN], struct play_error *e);

/* A TLS certificate for this host under the CI (play_ipae.c). */
int play_make_tls(struct player *p, struct eim_identity *id, const char *host, const char *where,
                  struct play_error *e);

/* --- the SM-DP+ (play_smdpp.c, play_relay.c) -------------------------------------------------- */

extern const char play_dp_address[];
int play_need_smdpp(struct player *p, const char *where, struct play_error *e);

/* A download through the eIM, one message of ESipa.  false: there is nothing to answer. */
bool play_relay(struct player *p, struct rd request, struct wr *ret);
struct https_request;
struct https_reply;
void play_relay_es9p(struct player *p, const struct https_request *request,
                     struct https_reply *ret);

/* --- values (play_compute.c, play_issue.c, play_naa.c, play_pieces.c, play_smdpp.c)
 * ---------------------------
 */

/* "nist", "brp" */
int play_read_curve(const char *word, const char *where, enum curve *ret, struct play_error *e);
/* A private key of the PKI. */
int play_read_key(struct player *p, const char *file, const char *where, struct ec_key **ret,
                  struct play_error *e);

/* What stands behind the word that chooses it is w->at[1] and so on. */
typedef int play_compute_fn(struct player *p, const struct play_arguments *w, struct wr *ret,
                            struct play_error *e);
play_compute_fn play_compute_issue, play_compute_crl;
play_compute_fn play_compute_path, play_compute_replace, play_compute_certify;
play_compute_fn play_compute_milenage, play_compute_scp80, play_compute_sms_pp, play_compute_suci;
play_compute_fn play_compute_profile, play_compute_metadata, play_compute_bind;

#endif
