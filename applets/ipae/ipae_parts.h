/* ipae_parts.h - what the files of the IPAe share.
 *
 *   ipae.c           the applet; exchanges with servers, requests to the ISD-R
 *   ipae_mode.c      whether it is the one at work
 *   ipae_boot.c      what it asks the terminal first
 *   ipae_policy.c    when it asks which eIM
 *   ipae_clock.c     time that passes
 *   ipae_service.c   waiting for service; fallback, return, rollback
 *   ipae_table.c     what is kept of each eIM
 *   ipae_eim.c       a conversation with an eIM
 *   ipae_data.c      IpaEuiccData
 *   ipae_download.c  a profile download; ipae_indirect.c, ipae_direct.c: who from
 *   ipae_discovery.c what an SM-DS announces
 *   ipae_notify.c    notifications to SM-DP+s
 *   es9p_json.c      ES9+'s messages; ESipa's are in asn1/esipa.h
 *
 * Functions that return int give 0 or a fault.  They are called within an APDU, and what follows
 * from them is under way when they return. */
#ifndef APPLETS_IPAE_PARTS_H
#define APPLETS_IPAE_PARTS_H

#include "applets/ipae/ipae.h"
#include "applets/isdr/eim.h"
#include "asn1/esipa.h"
#include "os/cat_info.h"

enum {
    IPAE_EIMS_MAX = 16, /* that are asked */
    IPAE_ES10_MAX = EUICC_MAX_ANSWER,
    IPAE_REQUEST_MAX = EUICC_MAX_ANSWER,
    IPAE_HOST_MAX = TLS_MAX_NAME,
    IPAE_PLMN_LEN = 3,
    IPAE_PATIENCE = 600, /* seconds until service is tried although nobody told of it */
    IPAE_FEATURES = FEATURE_DIRECT | FEATURE_INDIRECT,
};

/* --- state ------------------------------------------------------------------------------------ */

enum ipae_phase { IPAE_OFF, IPAE_BOOTING, IPAE_WAITING, IPAE_TALKING };

/* What is kept of an eIM, in the order of association. */
struct ipae_entry {
    uint16_t number; /* in applets/isdr/eim.h */
    uint8_t failures;
    uint8_t change; /* enum state_change that it does not know of yet */
    uint32_t wait;  /* seconds until it is asked again */
};

/* How a conversation ended. */
enum ipae_end { END_WELL, END_RETRY, END_NO_SERVICE, END_UNTRUSTED, END_REFUSED };

typedef int ipae_answered_fn(struct euicc *e, const struct link_answer *a);
typedef int ipae_closed_fn(struct euicc *e);

/* With one eIM. */
struct ipae_talk {
    struct eim eim;
    struct link_server server;
    char host[IPAE_HOST_MAX + 1];
    struct wr pinned; /* what server.trust points to */
    bool indirect;
    uint64_t told;  /* package results up to this number are dealt with */
    uint64_t noted; /* notifications likewise */
    bool delivered; /* the eIM answered: it is in reach */
    bool grants;    /* the result that is being told grants a rollback */
    bool last_pass; /* there is no package any more */
    bool installed; /* a profile was */
    unsigned packages, bad;
    struct wr package; /* kept while the channel is closed */
    enum ipae_end end;
    uint32_t retry_after;
};

/* Something that is over after some time.  Zeroed, it rests. */
struct ipae_clock {
    struct cat_timer timer;
    uint32_t seconds; /* that it was started with */
    uint32_t left;    /* of them, where STATUS is counted; 0: not here */
    int (*over)(struct euicc *e);
};

struct ipae_download;

struct ipae {
    const struct ipae_link_ops *ops;
    struct link link;
    bool has_link;
    struct link_network network;
    struct wr parameters; /* what network points to */
    bool activated;       /* by IpaeActivation */
    enum ipae_phase phase;

    struct wr request; /* to a server */
    struct wr es10;    /* the ISD-R's last response */
    ipae_answered_fn *answered;
    ipae_closed_fn *closed;

    struct cat_command question; /* to the terminal */
    char imei[CAT_IMEI_DIGITS + 1];
    bool new_device;
    bool has_plmn;
    uint8_t plmn[IPAE_PLMN_LEN];

    struct ipae_clock sleep;
    bool awaits_service, sleeps, service_known;
    enum cat_service service;
    struct ipae_clock watch; /* without service, or on the fallback profile */
    struct cat_command poll; /* POLL INTERVAL, for both */
    uint32_t interval;       /* seconds between two STATUS; 0: not asked for */

    struct ipae_entry entries[IPAE_EIMS_MAX];
    size_t n_entries;
    bool has_entries;
    bool notified; /* since the last conversation */

    struct ipae_talk talk;
    struct ipae_download *download;
    struct {
        uint64_t done;
        struct link_server server;
        char host[IPAE_HOST_MAX + 1], failed[IPAE_HOST_MAX + 1];
        unsigned failures; /* rounds in a row that left some undelivered */
        uint32_t wait;     /* seconds until the next round; 0: none is due */
    } notify;
};

/* NULL: there is none (ipae=off). */
struct ipae *ipae_of(const struct euicc *e);

/* --- ipae.c ----------------------------------------------------------------------------------- */

/* The result of whatever began outside: on a fault the conversation is dropped.  Returns it. */
int ipae_settle(struct euicc *e, int err);

/* To events and its item of the menu, from TERMINAL PROFILE on: a terminal with an assistant of its
 * own sees nothing of it. */
int ipae_listen(struct euicc *e);
void ipae_listen_no_more(struct euicc *e);

/* The enabled profile's connectivity parameters, before a conversation. */
int ipae_read_network(struct euicc *e);
/* Sends x->request; answered() follows. */
int ipae_exchange(struct euicc *e, const struct link_server *server, ipae_answered_fn *answered);
/* The same of what the server must not see twice. */
int ipae_exchange_once(struct euicc *e, const struct link_server *server,
                       ipae_answered_fn *answered);
/* Closes the channel; closed() follows. */
int ipae_close(struct euicc *e, ipae_closed_fn *closed);
/* Forgets everything that is under way with a server. */
void ipae_drop(struct euicc *e);

/* "NAME" or "NAME:PORT".  false when it is none, or too long. */
bool ipae_read_host(struct rd text, char ret_host[IPAE_HOST_MAX + 1], uint16_t *ret_port);

/* A request to the ISD-R; the response is in x->es10 until the next one.  *ret_ok: it was not
 * refused. */
int ipae_es10(struct euicc *e, struct rd request, bool *ret_ok);
/* One without fields; *ret: the contents of the response, which must carry the same tag. */
int ipae_es10_get(struct euicc *e, uint32_t tag, struct rd *ret);
/* One with refreshFlag TRUE; *ret: its result code, or 127. */
int ipae_es10_switch(struct euicc *e, uint32_t tag, uint64_t *ret);
/* RetrieveNotificationsList: A0 pending notifications or A2 package results; *ret: the list. */
int ipae_es10_list(struct euicc *e, uint32_t arm, struct rd *ret);
int ipae_es10_remove(struct euicc *e, uint64_t sequence);

enum esipa_version ipae_version(const struct euicc *e);

/* --- ipae_mode.c ------------------------------------------------------------------------------ */

bool ipae_is_active(const struct euicc *e);
/* What the terminal must have for it. */
bool ipae_terminal_suffices(const struct euicc *e);
bool ipae_may_use(const struct euicc *e, enum link_how how);
/* eimSupportedProtocol's bits that it has itself. */
uint32_t ipae_protocols(const struct euicc *e);
/* Makes itself known to the ISD-R. */
void ipae_introduce(struct euicc *e);

/* --- ipae_boot.c ------------------------------------------------------------------------------ */

int ipae_boot(struct euicc *e);

/* --- ipae_table.c ----------------------------------------------------------------------------- */

/* The table follows the Associated eIMs. */
int ipae_table_follow(struct euicc *e);
int ipae_table_save(struct euicc *e);
/* What is stored counts; ipae_policy_start() is due. */
void ipae_table_forget(struct ipae *x);
struct ipae_entry *ipae_table_find(struct ipae *x, uint16_t number);
/* Every eIM but one (NO_EIM: none) is to be told. */
int ipae_table_tell(struct euicc *e, enum state_change change, uint16_t but);

/* --- ipae_policy.c ---------------------------------------------------------------------------- */

/* After boot. */
int ipae_policy_start(struct euicc *e);
/* Does what is due, or sleeps.  Nobody is talked to. */
int ipae_policy_go(struct euicc *e);
/* A conversation has ended, and the channel is closed. */
int ipae_policy_conversed(struct euicc *e);
/* The same of notifications to SM-DP+s. */
int ipae_policy_notified(struct euicc *e);
/* Something happened because of which all are asked now. */
int ipae_policy_trigger(struct euicc *e, const char *why);

/* --- ipae_service.c --------------------------------------------------------------------------- */

int ipae_event(struct euicc *e, enum cat_event event, struct rd tlvs);
/* The next conversation waits for service. */
void ipae_await_service(struct euicc *e, unsigned seconds);
void ipae_set_service(struct euicc *e, enum cat_service service);
/* Another profile is enabled and REFRESH is on its way. */
int ipae_switched(struct euicc *e, enum state_change change, uint16_t but);
/* The result that grants a rollback was not delivered: *ret_rolled: the profile is rolled back. */
int ipae_not_delivered(struct euicc *e, unsigned *ret_attempts, bool *ret_rolled);
int ipae_delivered(struct euicc *e);
/* An eIM was reached: fallbacks are counted from the beginning again. */
int ipae_all_well(struct euicc *e);
void ipae_watch_fallback(struct euicc *e);

/* --- ipae_clock.c ----------------------------------------------------------------------------- */

/* over() follows after so many seconds, or a day.  Started again, it begins anew. */
void ipae_clock_start(struct euicc *e, struct ipae_clock *clock, uint32_t seconds,
                      int (*over)(struct euicc *e));
void ipae_clock_stop(struct euicc *e, struct ipae_clock *clock);
bool ipae_clock_runs(const struct ipae_clock *clock);
/* STATUS came. */
int ipae_polled(struct euicc *e);

/* Counts down; true: it is over now. */
static inline bool ipae_pass(uint32_t *left, uint32_t seconds)
{
    bool runs = *left > 0;

    *left -= *left < seconds ? *left : seconds;
    return runs && *left == 0;
}

/* --- ipae_eim.c ------------------------------------------------------------------------------- */

/* Ends with ipae_policy_conversed(). */
int ipae_talk_begin(struct euicc *e, uint16_t number);
/* The next question. */
int ipae_talk_ask(struct euicc *e);
int ipae_talk_end(struct euicc *e, enum ipae_end end, uint32_t retry_after);
/* Ends it when the answer is none; *ret: it is one. */
int ipae_talk_check(struct euicc *e, const struct link_answer *a, bool *ret);
/* Begins ProvideEimPackageResult in x->request, and sends what stands there; then asks again. */
struct wr_mark ipae_talk_open(struct euicc *e);
int ipae_talk_provide(struct euicc *e, struct wr_mark mark);
/* HandleNotification with what is given (whole); then sent(). */
int ipae_talk_notify(struct euicc *e, struct rd whole, ipae_answered_fn *sent);
void ipae_talk_done(struct ipae *x);

/* --- ipae_data.c ------------------------------------------------------------------------------ */

/* IpaEuiccDataResponse to a request's contents, into x->request.  *ret_good: it was one. */
int ipae_put_data(struct euicc *e, struct rd body, bool *ret_good);
int ipae_is_emergency(struct euicc *e, bool *ret);

/* --- ipae_download.c -------------------------------------------------------------------------- */

/* Ends in the conversation with the eIM that triggers it. */
int ipae_download_begin(struct euicc *e, const struct download_trigger *trigger);
void ipae_download_free(struct ipae *x);

/* --- ipae_notify.c ---------------------------------------------------------------------------- */

/* Pending notifications go to their SM-DP+s; ends with ipae_policy_notified(), or at once with
 * *ret_nothing. */
int ipae_notify_begin(struct euicc *e, bool *ret_nothing);

#endif
