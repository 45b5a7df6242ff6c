/* smds.h - the SM-DS: ES11 without its transport, and the event records of ES12 (SGP.22 3.6, 5.8,
 * 5.9).  The records are in memory and bounded in number. */
#ifndef LAB_SMDS_H
#define LAB_SMDS_H

#include "lab/mutual.h"

enum { SMDS_MAX_EVENTS = 256, SMDS_EID_TEXT_LEN = 33, SMDS_EVENT_ID_LEN = 129 };

/* An event record (3.6.1). */
struct smds_event {
    char eid[SMDS_EID_TEXT_LEN];
    char id[SMDS_EVENT_ID_LEN];
    char address[RSP_TEXT_MAX]; /* of the RSP server: an SM-DP+, or another SM-DS */
};

struct smds {
    struct mutual mutual;
    struct smds_event events[SMDS_MAX_EVENTS]; /* in the order of registration */
    size_t n_events;
};
/* With what belongs to the server; takes its identities. */
struct smds *smds_new(const struct mutual *server);
void smds_free(struct smds **ds);

/* 5.8.2.  found() for each record that the eUICC is told of, in order; the EID once it is known. */
struct es9p_status smds_authenticate_client(struct smds *ds, struct rd transaction_id,
                                            struct rd authenticate_server_response,
                                            void (*found)(void *ctx,
                                                          const struct smds_event *event),
                                            void *ctx, char ret_eid[SMDS_EID_TEXT_LEN]);

/* 5.9.1 and 5.9.2 */
struct es9p_status smds_register_event(struct smds *ds, const char *eid, const char *id,
                                       const char *address);
struct es9p_status smds_delete_event(struct smds *ds, const char *eid, const char *id);

#endif
