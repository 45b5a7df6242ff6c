/* ipa_direct.c - a download from the SM-DP+ itself, over ES9+, and what an SM-DS tells, over ES11
 * (SGP.22 5.6, 5.8, 6.5). */
#include <stdlib.h>
#include <string.h>

#include "lab/ipa_download.h"
#include "os/err.h"

struct direct {
    cJSON *answer; /* the server's last one */
};

static int post(struct download *d, const char *function, cJSON *request, struct lab_error *e)
{
    struct direct *direct = d->ctx;
    struct es9p_refusal refusal;
    cJSON *answer = NULL;

    int r = es9p_call(d->ipa->server, d->ac.address, function, request, &answer, &refusal, e);
    cJSON_Delete(request);
    if (r != 0) {
        if (strcmp(refusal.subject, "8.2.7") == 0) /* a confirmation code can be tried again */
            d->reason = CANCEL_POSTPONED;
        return r;
    }
    cJSON_Delete(direct->answer);
    direct->answer = answer;
    return answer != NULL ? 0 : lab_fail(e, "%s: the answer is empty", function);
}

static void put_base64(cJSON *out, const char *name, struct rd v)
{
    char *text = base64_text(v);

    if (text != NULL)
        cJSON_AddStringToObject(out, name, text);
    free(text);
}

/* {transactionId, NAME: base64} */
static cJSON *message_json(const struct download *d, const char *name, struct rd message)
{
    char hex[2 * TRANSACTION_ID_MAX + 1];
    cJSON *out = cJSON_CreateObject();

    hex_text(rd_of(d->id.b, d->id.n), hex, sizeof hex);
    cJSON_AddStringToObject(out, "transactionId", hex);
    put_base64(out, name, message);
    return out;
}

static int take(struct download *d, const char *name, enum download_field field,
                struct lab_error *e)
{
    const struct direct *direct = d->ctx;

    return es9p_get(direct->answer, name, &d->fields[field], e);
}

static int initiate(struct download *d, struct rd challenge, struct lab_error *e)
{
    const struct direct *direct = d->ctx;
    cJSON *request = cJSON_CreateObject();

    put_base64(request, "euiccInfo1", wr_view(&d->info1));
    put_base64(request, "euiccChallenge", challenge);
    cJSON_AddStringToObject(request, "smdpAddress", d->ac.address);
    TRY(post(d, "initiateAuthentication", request, e));
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(direct->answer, "transactionId");
    if (!cJSON_IsString(id) || id->valuestring[0] == '\0' ||
        !copy_text(id->valuestring, d->claimed_id, sizeof d->claimed_id))
        return lab_fail(e, "initiateAuthentication: no transactionId");
    TRY(take(d, "serverSigned1", FIELD_SIGNED1, e));
    TRY(take(d, "serverSignature1", FIELD_SIGNATURE1, e));
    TRY(take(d, "euiccCiPKIdToBeUsed", FIELD_CI, e));
    return take(d, "serverCertificate", FIELD_CERTIFICATE, e);
}

/* --- ES11 (SGP.22 5.8.2) ---------------------------------------------------------------------- */

/* A field of an event: text that is there and fits. */
static bool take_text(const cJSON *entry, const char *name, char ret[RSP_TEXT_MAX])
{
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(entry, name);

    return cJSON_IsString(field) && field->valuestring[0] != '\0' &&
           copy_text(field->valuestring, ret, RSP_TEXT_MAX);
}

static int take_events(struct event_list *events, const cJSON *entries, struct lab_error *e)
{
    size_t n = events->n; /* all of them or none */
    const cJSON *entry;

    cJSON_ArrayForEach(entry, entries)
    {
        struct event_entry *to = &events->entries[n];
        if (n++ == EVENTS_MAX)
            return lab_fail(e, "authenticateClient: more than %d events", EVENTS_MAX);
        if (!take_text(entry, "eventId", to->id) ||
            !take_text(entry, "rspServerAddress", to->address))
            return lab_fail(e, "authenticateClient: eventEntries is malformed");
    }
    events->n = n;
    return 0;
}

/* Only an SM-DS has events to tell: its certificate says so (SGP.22 3.6.2). */
static int check_smds(const struct download *d, struct lab_error *e)
{
    struct cert *cert = NULL;
    const char *why;

    if (cert_parse(d->ipa->crypto, wr_view(&d->fields[FIELD_CERTIFICATE]), &cert, &why) != 0)
        return lab_fail(e, "serverCertificate: %s", why);
    bool is_smds = (cert_roles(cert) & ROLE_DS_AUTH) != 0;
    cert_free(&cert);
    return is_smds ? 0 : lab_fail(e, "serverCertificate: it is not CERT.DSauth");
}

static int authenticate_client_es11(struct download *d, const cJSON *entries, struct lab_error *e)
{
    if (d->events == NULL)
        return lab_fail(e, "the server is an SM-DS");
    TRY(check_smds(d, e));
    TRY(take_events(d->events, entries, e));
    d->has_events = true;
    return 0;
}

/* --- ES9+ ------------------------------------------------------------------------------------- */

static int authenticate_client(struct download *d, struct rd response, struct lab_error *e)
{
    const struct direct *direct = d->ctx;

    TRY(post(d, "authenticateClient", message_json(d, "authenticateServerResponse", response), e));
    const cJSON *entries = cJSON_GetObjectItemCaseSensitive(direct->answer, "eventEntries");
    if (cJSON_IsArray(entries))
        return authenticate_client_es11(d, entries, e);
    if (d->events_only)
        return lab_fail(e, "authenticateClient: the answer has no eventEntries");
    d->server_has_session = true;
    TRY(take(d, "profileMetadata", FIELD_METADATA, e));
    TRY(take(d, "smdpSigned2", FIELD_SIGNED2, e));
    TRY(take(d, "smdpSignature2", FIELD_SIGNATURE2, e));
    return take(d, "smdpCertificate", FIELD_CERTIFICATE2, e);
}

static int get_bpp(struct download *d, struct rd response, struct lab_error *e)
{
    TRY(post(d, "getBoundProfilePackage", message_json(d, "prepareDownloadResponse", response), e));
    return take(d, "boundProfilePackage", FIELD_PACKAGE, e);
}

static void cancel(struct download *d, struct rd response)
{
    struct lab_error e;

    post(d, "cancelSession", message_json(d, "cancelSessionResponse", response), &e);
}

static int run(struct ipa *ipa, const struct download_wanted *wanted, struct download_outcome *ret,
               bool *ret_has_events, struct lab_error *e)
{
    static const struct download_server es9p = { initiate, authenticate_client, get_bpp, cancel };
    struct direct direct = { .answer = NULL };

    int r = download_run(ipa, &es9p, &direct, wanted, ret, ret_has_events, e);
    cJSON_Delete(direct.answer);
    return r;
}

int download_direct(struct ipa *ipa, const struct activation_code *ac, struct download_outcome *ret,
                    struct lab_error *e)
{
    const struct download_wanted wanted = { .ac = ac };
    bool unused;

    return run(ipa, &wanted, ret, &unused, e);
}

int download_event(struct ipa *ipa, const struct activation_code *ac, struct event_list *events,
                   struct download_outcome *ret, bool *ret_asked, struct lab_error *e)
{
    const struct download_wanted wanted = { .ac = ac, .events = events };

    return run(ipa, &wanted, ret, ret_asked, e);
}

int discovery_ask(struct ipa *ipa, const char *smds, struct event_list *events, struct lab_error *e)
{
    struct activation_code ac = { .address = "" };
    const struct download_wanted wanted = { .ac = &ac, .events = events, .events_only = true };
    struct download_outcome outcome;
    bool unused;

    if (!copy_text(smds, ac.address, sizeof ac.address))
        return lab_fail(e, "the address of the SM-DS is too long");
    download_outcome_init(&outcome);
    int r = run(ipa, &wanted, &outcome, &unused, e);
    download_outcome_done(&outcome);
    return r;
}
