/* ipae_discovery.c - what an SM-DS announces is downloaded, one event after the other
 * (SGP.22 3.6.2, 5.8.2; SGP.32 3.9).
 *
 * An event names a server and, as its EventID, the MatchingID there.  The server may be another
 * SM-DS, whose events go behind the rest.  One trigger has one result: that of the first event that
 * failed, or else of the last one. */
#include <stdlib.h>
#include <string.h>

#include "applets/ipae/ipae_download.h"

bool ipae_discovery_begin(struct ipae_download *d)
{
    struct ipae_discovery *all = calloc(1, sizeof *all);

    if (all == NULL)
        return false;
    wr_init_heap(&all->refusal, IPAE_REQUEST_MAX);
    wr_init_heap(&all->result, IPAE_REQUEST_MAX);
    all->reason = TRIGGER_UNDEFINED_ERROR;
    d->discovery = all;
    d->must_be_smds = true;
    return true;
}

void ipae_discovery_free(struct ipae_download *d)
{
    if (d->discovery == NULL)
        return;
    wr_done(&d->discovery->refusal);
    wr_done(&d->discovery->result);
    free(d->discovery);
    d->discovery = NULL;
}

/* NULL, or why it has no events to tell. */
static const char *check_smds(const struct euicc *e, const struct ipae_download *d)
{
    struct cert *cert = NULL;
    const char *why;

    if (d->discovery == NULL)
        return "the server is an SM-DS";
    if (cert_parse(e->crypto, wr_view(&d->fields[FIELD_CERTIFICATE]), &cert, &why) != 0)
        return why;
    bool is_smds = (cert_roles(cert) & ROLE_DS_AUTH) != 0;
    cert_free(&cert);
    return is_smds ? NULL : "the server's certificate is not CERT.DSauth";
}

static const char *read_events(struct ipae_discovery *all, const struct es9p_answer *a)
{
    const int n = es9p_event_count(a);
    const size_t before = all->n;
    const char *id, *address;

    for (int i = 0; i < n; i++) {
        bool fits = all->n < IPAE_EVENTS_MAX;
        if (!fits || !es9p_get_event(a, i, SERVER_ADDRESS_MAX, &id, &address)) {
            all->n = before; /* all of them or none */
            return fits ? "eventEntries is malformed" : "there are too many events";
        }
        struct ipae_event *event = &all->events[all->n];
        memcpy(event->id, id, strlen(id) + 1);
        memcpy(event->address, address, strlen(address) + 1);
        all->n++;
    }
    return NULL;
}

bool ipae_discovery_read(struct euicc *e, struct ipae_download *d, const struct es9p_answer *a)
{
    const char *why = check_smds(e, d);

    if (why == NULL)
        why = read_events(d->discovery, a);
    if (why != NULL) {
        trace_check(&e->trace, "IPAe: authenticateClient: %s (SGP.22 5.8.2)", why);
        return false;
    }
    trace_note(&e->trace, "IPAe: the SM-DS at %s has %d events", d->host, es9p_event_count(a));
    d->has_events = true;
    return true;
}

static void copy(struct wr *to, const struct wr *from)
{
    wr_clear(to);
    wr_put_rd(to, wr_view(from));
}

/* How it ended; an SM-DS that was asked has no end of its own. */
static void keep_end(struct ipae_discovery *all, const struct ipae_download *d)
{
    if (d->has_events || all->failed)
        return;
    all->failed = !d->installed;
    all->reason = d->trigger_reason;
    copy(&all->refusal, &d->refusal);
    copy(&all->result, &d->result);
}

/* Nothing of the last server stays. */
static void renew(struct ipae_download *d, const struct ipae_event *event)
{
    for (size_t i = 0; i < N_FIELDS; i++)
        wr_clear(&d->fields[i]);
    wr_clear(&d->info1);
    wr_clear(&d->refusal);
    wr_clear(&d->result);
    d->oid_n = d->id_n = d->claimed_id_n = 0;
    d->must_be_smds = d->has_events = d->installed = false;
    d->euicc_has_session = d->server_has_session = false; /* the next challenge ends them */
    d->reason = CANCEL_UNDEFINED;
    d->trigger_reason = TRIGGER_UNDEFINED_ERROR;
    memcpy(d->address, event->address, sizeof d->address);
    memcpy(d->matching_id, event->id, sizeof d->matching_id);
}

bool ipae_discovery_next(struct ipae_download *d)
{
    struct ipae_discovery *all = d->discovery;

    if (all == NULL)
        return false;
    keep_end(all, d);
    if (all->next < all->n) {
        renew(d, &all->events[all->next++]);
        return true;
    }
    d->trigger_reason = all->reason;
    copy(&d->refusal, &all->refusal);
    copy(&d->result, &all->result);
    return false;
}
