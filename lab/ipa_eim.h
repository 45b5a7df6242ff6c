/* ipa_eim.h - a conversation of the device with one eIM (SGP.32 3.1 to 3.3, 3.7). */
#ifndef LAB_IPA_EIM_H
#define LAB_IPA_EIM_H

#include "lab/esipa_client.h"
#include "lab/ipa_compact.h"
#include "lab/ipa_download.h"

struct eim_session {
    struct ipa *ipa;
    const struct eim_record *config;
    const uint8_t *eid;
    enum esipa_version version;
    uint32_t features; /* enum ipa_feature */
    struct esipa_client *client;
    struct compact_known known;
    struct wr request, answer; /* the last exchange */
    bool silent;               /* as if the network were gone */
    bool reached;              /* the last result did reach the eIM */
};

/* Sends s->request; *ret is the whole answer, empty if there is none, until the next exchange. */
int eim_exchange(struct eim_session *s, struct rd *ret, struct lab_error *e);

/* One line of what happens: "eIM: step: what". */
void eim_tell(const struct eim_session *s, const char *step, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ProvideEimPackageResult (5.14.6) with these contents, and what the eIM acknowledges is removed
 * from the card.  attempts: how often to try. */
int eim_provide(struct eim_session *s, struct rd contents, unsigned attempts, struct lab_error *e);

/* Takes the acknowledged results and notifications from the card. */
void eim_remove_acknowledged(struct eim_session *s, const struct esipa_acks *acks);

/* Whether downloads and notifications go through this eIM. */
bool eim_is_indirect(const struct eim_session *s);

/* Pending notifications, one after the other, short if that was agreed (RetrieveNotificationsList);
 * and the results of packages. */
int eim_read_notifications(struct eim_session *s, struct wr *ret, struct lab_error *e);
int eim_read_package_results(struct eim_session *s, struct wr *ret, struct lab_error *e);

/* HandleNotification (5.14.7) with one PendingNotification, which is removed then. */
int eim_handle_notification(struct eim_session *s, struct rd whole, struct lab_error *e);

/* The notifications that the card holds go to the eIM or to the SM-DP+. */
int eim_deliver_notifications(struct eim_session *s, struct lab_error *e);

/* A download through the eIM (3.2.3.2).  ac without an address: the eIM knows where.  ret_next is
 * set when an SM-DS says where to go on; the call fails then. */
struct next_step {
    bool given;
    struct download_from from; /* its tid is in no buffer any more: empty */
};
int download_indirect(struct eim_session *s, const struct activation_code *ac, struct rd tid,
                      struct download_outcome *ret, struct next_step *ret_next,
                      struct lab_error *e);

/* Writes IpaEuiccData or its error, BF52, as asked for; body is the request's contents.
 * ret_given tells what is in it. */
int ipa_data_put(struct eim_session *s, struct rd body, struct wr *w, uint32_t *ret_given,
                 struct lab_error *e);

/* Whether an emergency profile is enabled. */
bool emergency_is_active(struct ipa *ipa);

#endif
