/* ipa_download.h - a profile download as the device sees it (SGP.22 3.1.2, 3.1.3; SGP.32 3.2.3):
 * one procedure, and behind it either the SM-DP+ itself or an eIM that speaks to it for us. */
#ifndef LAB_IPA_DOWNLOAD_H
#define LAB_IPA_DOWNLOAD_H

#include "asn1/esipa_download.h"
#include "lab/ipa.h"
#include "lab/rsp.h"

enum { OID_TEXT_LEN = 128, EVENTS_MAX = 16 };

/* An activation code, SGP.22 4.1.  "": not known, or any. */
struct activation_code {
    char address[RSP_TEXT_MAX];
    char matching_id[RSP_TEXT_MAX];
    char oid[OID_TEXT_LEN];
    bool code_required;
};
int activation_code_read(const char *text, struct activation_code *ret, struct lab_error *e);

/* What an SM-DS tells: EventEntries of ES11 (SGP.22 5.8.2), and of how many servers in all. */
struct event_list {
    struct event_entry {
        char id[RSP_TEXT_MAX];
        char address[RSP_TEXT_MAX];
    } entries[EVENTS_MAX];
    size_t n;
};

struct download {
    struct ipa *ipa;
    const struct download_server *server;
    void *ctx; /* the server's */
    struct activation_code ac;
    struct wr info1;   /* whole */
    struct wr message; /* to be sent to the eUICC */
    struct wr fields[N_FIELDS];
    char claimed_id[2 * TRANSACTION_ID_MAX + 1]; /* outside of what is signed; "": not told */
    struct transaction_id id;                    /* of serverSigned1 */
    struct event_list *events; /* NULL: the server must be no SM-DS; else it may be */
    bool events_only, has_events;
    bool euicc_has_session, server_has_session;
    enum cancel_reason reason;
    struct download_outcome *outcome;
};

/* The way to a server.  Answers go to d->fields; a response of the eUICC is given whole. */
struct download_server {
    int (*initiate)(struct download *d, struct rd challenge, struct lab_error *e);
    int (*authenticate_client)(struct download *d, struct rd response, struct lab_error *e);
    int (*get_bpp)(struct download *d, struct rd response, struct lab_error *e);
    void (*cancel)(struct download *d, struct rd response);
};

/* How it ended.  result has values only: its views are gone. */
struct download_outcome {
    bool has_result;
    struct rsp_notification result;
    struct wr installation_result; /* whole BF37 */
    struct wr refusal; /* what the eUICC or the eIM answered instead; empty: nothing of the kind */
};
void download_outcome_init(struct download_outcome *outcome);
void download_outcome_done(struct download_outcome *outcome);

/* 0 when the profile is installed, or *ret_has_events.  After a failure the sessions are cancelled,
 * and ret tells whether the eUICC gave a result all the same. */
struct download_wanted {
    const struct activation_code *ac;
    struct event_list *events; /* as in struct download */
    bool events_only;
};
int download_run(struct ipa *ipa, const struct download_server *server, void *ctx,
                 const struct download_wanted *wanted, struct download_outcome *ret,
                 bool *ret_has_events, struct lab_error *e);

/* The same over ES9+ (ipa_direct.c). */
int download_direct(struct ipa *ipa, const struct activation_code *ac, struct download_outcome *ret,
                    struct lab_error *e);

/* An event's server, which may be another SM-DS: then its events go behind the others, and
 * *ret_asked.  And an SM-DS, which is asked for all that it has. */
int download_event(struct ipa *ipa, const struct activation_code *ac, struct event_list *events,
                   struct download_outcome *ret, bool *ret_asked, struct lab_error *e);
int discovery_ask(struct ipa *ipa, const char *smds, struct event_list *events,
                  struct lab_error *e);

/* All that the SM-DS announces, one after the other (ipa_discovery.c).  ret is the first event that
 * failed, or the last one. */
int discovery_download(struct ipa *ipa, const char *smds, bool notify, struct download_outcome *ret,
                       struct lab_error *e);

/* An address that the eUICC is configured with; the tags of EuiccConfiguredDataResponse. */
enum configured_server { CONFIGURED_SMDP = 0x80, CONFIGURED_SMDS = 0x81 };
int configured_address(struct ipa *ipa, enum configured_server which, char ret[RSP_TEXT_MAX],
                       struct lab_error *e);

#endif
