/* notification.h - pending notifications (SGP.22 3.5): made and signed once, kept until the LPA
 * removes them, under sequence numbers that never come again.
 *
 * NVM: "isdr/notification/XXXXXXXX" holds one PendingNotification as it will be sent;
 * "isdr/sequence" the last number given. */
#ifndef APPLETS_ISDR_NOTIFICATION_H
#define APPLETS_ISDR_NOTIFICATION_H

#include "applets/isdr/profile_store.h"

enum notification_event { /* NotificationEvent, SGP.22 2.4.10: bits */
                          EVENT_INSTALL = 1 << 0,
                          EVENT_ENABLE = 1 << 1,
                          EVENT_DISABLE = 1 << 2,
                          EVENT_DELETE = 1 << 3,
};

/* ProfileInstallationResult (SGP.22 2.5.6), without its sequence number and signature. */
struct installation_result {
    struct rd transaction_id, address, iccid, smdp_oid; /* iccid.n == 0: not known yet */
    int ci;
    bool success;
    uint16_t index;          /* success: of the ISD-P */
    int command_id, reason;  /* failure: BppCommandId and ErrorReason */
    struct rd sima_response; /* EUICCResponse; n == 0: none */
};

/* Signs and stores it, and writes it to rsp. */
int notification_add_result(struct euicc *e, const struct installation_result *r, struct wr *rsp);

/* What a profile's notificationConfigurationInfo asks for at this event, one for each address;
 * `except` is left out (n == 0: none). */
int notification_add_event(struct euicc *e, const struct profile *p, enum notification_event event,
                           struct rd except);

/* Takes the next sequence number. */
int notification_next(struct euicc *e, uint64_t *ret);

/* The last sequence number given. */
int notification_last(struct euicc *e, uint64_t *ret);
int notification_remove(struct euicc *e, uint64_t sequence, bool *ret_existed);

#endif
