/* smdpp.h - the SM-DP+: ES9+ without its transport (SGP.22 3.1, 5.5, 5.6).
 *
 * It owns the sessions and the bindings of profile packages to eUICCs, both in memory and bounded
 * in number; sessions that are not finished also in age.  Octets in, octets out: lab/es9p_server.c
 * puts JSON around it. */
#ifndef LAB_SMDPP_H
#define LAB_SMDPP_H

#include "lab/metadata.h"
#include "lab/mutual.h"
#include "os/crypto.h"

enum {
    SMDPP_MAX_BINDINGS = 256,
    SMDPP_MAX_CODE_TRIES = 3,
    SMDPP_EID_TEXT_LEN = 33,
};

struct smdpp_config {
    struct crypto *crypto;
    const char *profiles;                    /* folder of NAME.der and NAME.metadata */
    const char *host;                        /* the address without a port is good as well */
    const char *address;                     /* host, or host:port */
    const char *confirmation_code;           /* NULL: none, unless the profile's metadata has one */
    const enum profile_class *profile_class; /* NULL: operational */
    bool ppk;                                /* protect profiles under random keys */
    struct rsp_identity identities[MUTUAL_MAX_IDENTITIES];
    size_t n_identities;
};

struct smdpp;
struct smdpp *smdpp_new(const struct smdpp_config *config); /* copies it; owns the identities */
void smdpp_free(struct smdpp **dp);

/* What a call was about, for the log. */
struct smdpp_event {
    struct transaction_id transaction_id;
    char eid[SMDPP_EID_TEXT_LEN]; /* "" when not known yet */
    char matching_id[RSP_TEXT_MAX];
    const char *verified; /* of a notification: NULL when it is, else why not */
    struct rsp_notification notification;
    long cancel_reason;
};

/* For 5.6.1, InitiateAuthentication. */
struct mutual *smdpp_mutual(struct smdpp *dp);

/* 5.6.3 */
struct smdpp_authenticate {
    struct wr profile_metadata, smdp_signed2, smdp_signature2, smdp_certificate;
};
struct es9p_status smdpp_authenticate_client(struct smdpp *dp, struct rd transaction_id,
                                             struct rd authenticate_server_response,
                                             struct smdpp_authenticate *ret,
                                             struct smdpp_event *event);

/* 5.6.2 */
struct es9p_status smdpp_get_bound_profile_package(struct smdpp *dp, struct rd transaction_id,
                                                   struct rd prepare_download_response,
                                                   struct wr *ret, struct smdpp_event *event);

/* 5.6.5 */
struct es9p_status smdpp_cancel_session(struct smdpp *dp, struct rd transaction_id,
                                        struct rd cancel_session_response,
                                        struct smdpp_event *event);

/* 5.6.4.  Succeeds for whatever is a notification; event->verified tells the rest. */
struct es9p_status smdpp_handle_notification(struct smdpp *dp, struct rd pending_notification,
                                             struct smdpp_event *event);

#endif
