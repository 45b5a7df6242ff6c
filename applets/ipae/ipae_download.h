/* ipae_download.h - a download while it goes on, and who it is from: an SM-DP+ itself, or an eIM
 * that speaks to it for us. */
#ifndef APPLETS_IPAE_DOWNLOAD_H
#define APPLETS_IPAE_DOWNLOAD_H

#include "applets/ipae/es9p_json.h"
#include "applets/ipae/ipae_parts.h"
#include "applets/isdr/rsp_session.h"
#include "asn1/esipa_download.h"

enum { IPAE_EVENTS_MAX = 16 }; /* of an SM-DS, and of those that it names */

/* What an SM-DS announces (SGP.22 3.6.2): which is next, and of those that are done the one to be
 * told of. */
struct ipae_discovery {
    struct ipae_event {
        char id[SERVER_ADDRESS_MAX + 1], address[SERVER_ADDRESS_MAX + 1];
    } events[IPAE_EVENTS_MAX];
    size_t n, next;
    bool failed;
    enum trigger_reason reason;
    struct wr refusal, result;
};

struct ipae_download {
    const struct download_way *way;
    struct ipae_discovery *discovery; /* NULL: the server must be an SM-DP+ */
    bool must_be_smds, has_events;    /* it was one */
    bool installed;
    struct link_server server;
    char host[IPAE_HOST_MAX + 1];
    char address[SERVER_ADDRESS_MAX + 1], matching_id[SERVER_ADDRESS_MAX + 1]; /* "": unknown */
    uint8_t oid[OID_MAX_LEN];
    size_t oid_n; /* 0: any */
    uint8_t eim_tid[TRANSACTION_ID_MAX], id[TRANSACTION_ID_MAX];
    size_t eim_tid_n, id_n;
    uint8_t claimed_id[TRANSACTION_ID_MAX]; /* outside of what is signed */
    size_t claimed_id_n;
    struct wr info1, message, fields[N_FIELDS];
    bool euicc_has_session, server_has_session;
    enum cancel_reason reason;
    enum trigger_reason trigger_reason;
    struct wr refusal; /* what the eUICC or the server said instead; empty: nothing */
    struct wr result;  /* ProfileInstallationResult; empty: none yet */
    uint64_t sequence; /* of it */
};

/* Each may be asked for any step.  put(): the request to x->request; what is the challenge, or the
 * eUICC's response.  read(): the answer to d's fields; false: it is none, or a refusal. */
struct download_way {
    int (*put)(struct euicc *e, struct ipae_download *d, enum download_step step, struct rd what);
    bool (*read)(struct euicc *e, struct ipae_download *d, enum download_step step, struct rd body);
};
extern const struct download_way download_indirect, download_direct;

static inline struct rd download_id(const struct ipae_download *d)
{
    return rd_of(d->id, d->id_n);
}

/* --- ipae_discovery.c ------------------------------------------------------------------------- */

/* The server is an SM-DS, and what it announces is to be downloaded.  false: out of memory. */
bool ipae_discovery_begin(struct ipae_download *d);
void ipae_discovery_free(struct ipae_download *d);
/* The events of an answer.  false when they are malformed, too many, or not an SM-DS's. */
bool ipae_discovery_read(struct euicc *e, struct ipae_download *d, const struct es9p_answer *a);
/* This server is done with.  true: d is made for the next event; false: there is none, and d holds
 * what is to be told. */
bool ipae_discovery_next(struct ipae_download *d);

/* HandleNotification with a whole PendingNotification to an SM-DP+ (SGP.22 6.5.2.10): the server
 * and the request.  false: the address is none. */
bool es9p_put_notification(struct euicc *e, struct rd address, struct rd pending,
                           char host[IPAE_HOST_MAX + 1], struct link_server *ret);

/* Functions of ES9+: where, and what is common. */
bool es9p_server(struct rd address, const char *path, char host[IPAE_HOST_MAX + 1],
                 struct link_server *ret);

#endif
