/* smds.c - the SM-DS (SGP.22 3.6, 5.8, 5.9). */
#include "lab/smds.h"

#include <stdlib.h>
#include <string.h>

static const struct es9p_status done;

struct smds *smds_new(const struct mutual *server)
{
    static const struct mutual_kind kind = {
        .server = "8.9",
        .address = "8.9.1",
        .security = "8.9.2",
        .svn = "8.9.3",
        .certificate = "8.9.4",
        .session_size = sizeof(struct mutual_session),
    };
    struct smds *ds = calloc(1, sizeof *ds);

    if (ds == NULL)
        return NULL;
    ds->mutual = *server;
    ds->mutual.kind = &kind;
    return ds;
}

void smds_free(struct smds **ds)
{
    if (*ds == NULL)
        return;
    mutual_done(&(*ds)->mutual);
    free(*ds);
    *ds = NULL;
}

/* --- event records --------------------------------------------------------------------------- */

/* The place of a record, or the number of records. */
static size_t find_event(const struct smds *ds, const char *eid, const char *id)
{
    size_t i = 0;

    while (i < ds->n_events &&
           (strcmp(ds->events[i].eid, eid) != 0 || strcmp(ds->events[i].id, id) != 0))
        i++;
    return i;
}

struct es9p_status smds_register_event(struct smds *ds, const char *eid, const char *id,
                                       const char *address)
{
    struct smds_event event;

    if (strlen(eid) != EID_DIGITS || strspn(eid, "0123456789") != EID_DIGITS ||
        !copy_text(eid, event.eid, sizeof event.eid))
        return es9p_refuse_malformed("the EID is not 32 digits");
    if (id[0] == '\0' || !copy_text(id, event.id, sizeof event.id))
        return es9p_refuse_malformed("the EventID is empty, or too long");
    if (address[0] == '\0' || !copy_text(address, event.address, sizeof event.address))
        return es9p_refuse_malformed("the address is empty, or too long");
    if (find_event(ds, eid, id) < ds->n_events)
        return es9p_refuse("8.9.5", "3.3", "the EventID is in use");
    if (ds->n_events == SMDS_MAX_EVENTS)
        return es9p_refuse("8.9", "4.8", "there is no room for the event record");
    ds->events[ds->n_events++] = event;
    return done;
}

struct es9p_status smds_delete_event(struct smds *ds, const char *eid, const char *id)
{
    size_t i = find_event(ds, eid, id);

    if (i == ds->n_events)
        return es9p_refuse("8.9.5", "3.9", "unknown event record");
    ds->n_events--;
    memmove(&ds->events[i], &ds->events[i + 1], (ds->n_events - i) * sizeof ds->events[0]);
    return done;
}

/* --- AuthenticateClient ---------------------------------------------------------------------- */

/* Without a MatchingID all records of the eUICC, which may be none; with one the record of this
 * EventID. */
static struct es9p_status tell_events(const struct smds *ds, const char *eid,
                                      const char *matching_id,
                                      void (*found)(void *ctx, const struct smds_event *event),
                                      void *ctx)
{
    size_t at = find_event(ds, eid, matching_id);

    if (matching_id[0] == '\0') {
        for (size_t i = 0; i < ds->n_events; i++)
            if (strcmp(ds->events[i].eid, eid) == 0)
                found(ctx, &ds->events[i]);
        return done;
    }
    if (at == ds->n_events)
        return es9p_refuse("8.9.5", "3.9", "unknown event record");
    found(ctx, &ds->events[at]);
    return done;
}

struct es9p_status smds_authenticate_client(struct smds *ds, struct rd transaction_id,
                                            struct rd authenticate_server_response,
                                            void (*found)(void *ctx,
                                                          const struct smds_event *event),
                                            void *ctx, char ret_eid[SMDS_EID_TEXT_LEN])
{
    struct mutual_session *s;
    struct rsp_authenticate a;

    ret_eid[0] = '\0';
    struct es9p_status status =
        mutual_authenticate(&ds->mutual, transaction_id, authenticate_server_response, &a, &s);
    if (s == NULL || !s->authenticated)
        return status;
    if (s->euicc != NULL)
        copy_text(cert_subject_serial(s->euicc), ret_eid, SMDS_EID_TEXT_LEN);
    if (status.subject == NULL)
        status = tell_events(ds, ret_eid, a.matching_id, found, ctx);
    mutual_drop(&ds->mutual, s);
    return status;
}
