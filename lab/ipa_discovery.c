/* ipa_discovery.c - what an SM-DS tells, and the downloads that follow from it (SGP.22 3.6.2,
 * SGP.32 3.9).
 *
 * An event may be at another SM-DS; what that tells is done behind the rest, within the bound of
 * the list. */
#include <stdio.h>
#include <string.h>

#include "lab/ipa_download.h"
#include "os/err.h"
#include "os/tlv.h"

enum { TAG_CONFIGURED_ADDRESSES = 0xBF3C };

int configured_address(struct ipa *ipa, enum configured_server which, char ret[RSP_TEXT_MAX],
                       struct lab_error *e)
{
    struct rd answer;
    struct tlv t;

    TRY(ipa_get(ipa, TAG_CONFIGURED_ADDRESSES, &answer, e));
    if (!tlv_find(answer, which, &t) || t.value.n == 0 || !copy_rd(t.value, ret, RSP_TEXT_MAX))
        return lab_fail(e, "the eUICC has no %s",
                        which == CONFIGURED_SMDS ? "root SM-DS address" : "default SM-DP+ address");
    return 0;
}

static void tell_event(const struct ipa *ipa, const struct event_entry *entry)
{
    char id[RSP_TEXT_MAX], address[RSP_TEXT_MAX];

    if (!ipa->json) {
        printf("event %s at %s\n", printable(rd_str(entry->id), id, sizeof id),
               printable(rd_str(entry->address), address, sizeof address));
        return;
    }
    cJSON *out = cJSON_CreateObject();
    cJSON_AddStringToObject(out, "eventId", entry->id);
    cJSON_AddStringToObject(out, "rspServerAddress", entry->address);
    ipa_print_json(out);
}

/* One event: its EventID is the MatchingID at its server.  *ret_asked: that was an SM-DS. */
static int take_event(struct ipa *ipa, struct event_list *events, size_t i,
                      struct download_outcome *ret, bool *ret_asked, struct lab_error *e)
{
    const struct event_entry entry = events->entries[i];
    struct activation_code ac = { .address = "" };
    struct lab_error why;
    size_t before = events->n;

    copy_text(entry.address, ac.address, sizeof ac.address);
    copy_text(entry.id, ac.matching_id, sizeof ac.matching_id);
    tell_event(ipa, &entry);
    int r = download_event(ipa, &ac, events, ret, ret_asked, &why);
    if (r != 0)
        return lab_fail(e, "event %.64s: %.400s", entry.id, why.text);
    return *ret_asked && events->n == before
               ? lab_fail(e, "event %.64s: it leads nowhere", entry.id)
               : 0;
}

int discovery_download(struct ipa *ipa, const char *smds, bool notify, struct download_outcome *ret,
                       struct lab_error *e)
{
    struct event_list events = { .n = 0 };
    bool failed = false;

    TRY(discovery_ask(ipa, smds, &events, e));
    if (events.n == 0)
        return lab_fail(e, "the SM-DS at %.100s has no event", smds);
    for (size_t i = 0; i < events.n && !ipa->es10.lost; i++) {
        struct download_outcome one;
        struct lab_error why = { "" };
        bool asked = false;
        download_outcome_init(&one);
        int r = take_event(ipa, &events, i, &one, &asked, &why);
        if (notify && one.has_result) {
            int sent = ipa_notifications_process(ipa, (uint64_t)one.result.seq_number, &why);
            r = r != 0 ? r : sent;
        }
        if (!failed && (r != 0 || !asked)) {
            struct download_outcome other = *ret;
            *ret = one;
            one = other;
            *e = why;
        }
        failed = failed || r != 0;
        download_outcome_done(&one);
    }
    return failed ? ERR_INPUT : 0;
}

int ipa_discover(struct ipa *ipa, const char *address, bool download, struct lab_error *e)
{
    struct event_list events = { .n = 0 };
    struct download_outcome outcome;
    char root[RSP_TEXT_MAX];

    if (address == NULL)
        TRY(configured_address(ipa, CONFIGURED_SMDS, root, e));
    const char *smds = address != NULL ? address : root;
    if (!download) {
        TRY(discovery_ask(ipa, smds, &events, e));
        for (size_t i = 0; i < events.n; i++)
            tell_event(ipa, &events.entries[i]);
        return 0;
    }
    download_outcome_init(&outcome);
    int r = discovery_download(ipa, smds, !ipa->no_notifications, &outcome, e);
    download_outcome_done(&outcome);
    return r;
}
