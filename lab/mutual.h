/* mutual.h - the common mutual authentication on a server's side (SGP.22 3.1.2): what an SM-DP+ and
 * an SM-DS do alike.
 *
 * Sessions are bounded in number, and in age until they are told to last.  A server's own session
 * begins with a struct mutual_session. */
#ifndef LAB_MUTUAL_H
#define LAB_MUTUAL_H

#include <time.h>

#include "lab/es9p.h"
#include "lab/identity.h"
#include "lab/rsp.h"

enum {
    MUTUAL_MAX_SESSIONS = 256,
    MUTUAL_MAX_IDENTITIES = 2,
    MUTUAL_SESSION_SECONDS = 3600,
    MUTUAL_EID_LEN = 16,
};

/* SM-DP+ or SM-DS: its subject codes (SGP.22 5.2.6.1), and what of a session is its own. */
struct mutual_kind {
    const char *server, *address, *security, *svn, *certificate;
    size_t session_size;
};

struct mutual_session {
    time_t born;
    uint64_t used;      /* position in the order of use */
    bool authenticated; /* AuthenticateClient was asked for */
    bool lasts;
    struct transaction_id transaction_id;
    const struct rsp_identity *identity;
    char address[RSP_TEXT_MAX];
    uint8_t server_challenge[CHALLENGE_LEN];
    struct cert *euicc;
    uint8_t eid[MUTUAL_EID_LEN];
};

struct mutual {
    const struct mutual_kind *kind;
    struct crypto *crypto;
    const char *host;    /* the address without a port is good as well */
    const char *address; /* host, or host:port */
    struct rsp_identity identities[MUTUAL_MAX_IDENTITIES];
    size_t n_identities;
    void (*session_done)(struct mutual_session *s); /* frees what is the server's own; NULL */
    uint64_t uses;
    struct mutual_session *sessions[MUTUAL_MAX_SESSIONS];
};
void mutual_done(struct mutual *m); /* with its identities */

struct mutual_session *mutual_find(struct mutual *m, struct rd transaction_id);
void mutual_drop(struct mutual *m, struct mutual_session *s);

/* Refusals: the tables of SGP.22 5.6 and 5.8. */
struct es9p_status es9p_refuse(const char *subject, const char *reason, const char *message);
struct es9p_status es9p_refuse_malformed(const char *message);
struct es9p_status es9p_refuse_transaction(void);
struct es9p_status mutual_refuse_internal(const struct mutual *m);

/* InitiateAuthentication (5.6.1, 5.8.1).  Writers are heap writers of the caller. */
struct mutual_initiation {
    struct wr server_signed1, server_signature1, ci_pk_id, server_certificate;
};
struct es9p_status mutual_initiate(struct mutual *m, struct rd euicc_challenge,
                                   struct rd euicc_info1, const char *address,
                                   struct mutual_initiation *ret,
                                   struct mutual_session **ret_session);

/* AuthenticateClient's first half (5.6.3, 5.8.2): the response of the eUICC is authentic, for a
 * session that waits for it.  *ret_session NULL: there is none; refused and `authenticated`: it is
 * the caller's to drop. */
struct es9p_status mutual_authenticate(struct mutual *m, struct rd transaction_id,
                                       struct rd authenticate_server_response,
                                       struct rsp_authenticate *ret,
                                       struct mutual_session **ret_session);

/* CERT.EUM under the CI and CERT.EUICC under it (4.5.2.2). */
struct es9p_status mutual_check_chain(struct crypto *c, const struct cert *ci, struct rd eum_der,
                                      struct rd euicc_der, struct cert **ret_euicc);

#endif
