/* ipa.h - the device's side of RSP: an LPA or IPA on the command line (SGP.22 3.1, 3.2, 5.7). */
#ifndef LAB_IPA_H
#define LAB_IPA_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "lab/codes.h"
#include "lab/es10.h"
#include "lab/es9p_client.h"
#include "os/crypto.h"

/* What a command works with. */
struct ipa {
    struct crypto *crypto;
    struct es10 es10;
    struct es9p_client *server;
    struct wr answer; /* of the last ES10 call */
    bool json;
    bool quiet;                    /* a download prints nothing */
    const char *confirmation_code; /* NULL: none */
    const char *imei;              /* NULL: none; 15 digits */
    bool no_notifications;
    bool refresh; /* refreshFlag of the functions that switch profiles */
};

/* One ES10 call; the value of the response stays in ipa->answer until the next one. */
int ipa_call(struct ipa *ipa, const struct wr *request, struct rd *ret, struct lab_error *e);

/* The same without contents. */
int ipa_get(struct ipa *ipa, uint32_t tag, struct rd *ret, struct lab_error *e);

enum { IPA_EID_OCTETS = 16 };
int ipa_eid(struct ipa *ipa, uint8_t ret[IPA_EID_OCTETS], struct lab_error *e);

/* Prints and deletes a JSON value, on a line of its own. */
void ipa_print_json(cJSON *value);

/* Downloads the profile of an activation code (SGP.22 3.1.3) and, unless told not to, sends the
 * notifications that came of it. */
int ipa_download(struct ipa *ipa, const char *activation_code, struct lab_error *e);

/* What an SM-DS has for the eUICC (SGP.22 3.6.2): prints it, or downloads it likewise.  NULL: the
 * root SM-DS. */
int ipa_discover(struct ipa *ipa, const char *address, bool download, struct lab_error *e);

/* Pending notifications (SGP.22 3.5): a list; sending and removing those with at least this
 * sequence number; removing one unsent. */
int ipa_notifications_list(struct ipa *ipa, struct lab_error *e);
int ipa_notifications_process(struct ipa *ipa, uint64_t from, struct lab_error *e);
int ipa_notifications_remove(struct ipa *ipa, uint64_t seq_number, struct lab_error *e);

/* NotificationSent (SGP.22 5.7.11): takes a notification, or the result of an eUICC package, from
 * the card. */
int ipa_notification_sent(struct ipa *ipa, uint64_t seq_number, struct lab_error *e);

#endif
