/* ipa_direct.c - a download from the SM-DP+ itself, over ES9+ (SGP.22 5.6, 6.5). */
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

static int authenticate_client(struct download *d, struct rd response, struct lab_error *e)
{
    TRY(post(d, "authenticateClient", message_json(d, "authenticateServerResponse", response), e));
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

int download_direct(struct ipa *ipa, const struct activation_code *ac, struct download_outcome *ret,
                    struct lab_error *e)
{
    static const struct download_server es9p = { initiate, authenticate_client, get_bpp, cancel };
    struct direct direct = { .answer = NULL };

    int r = download_run(ipa, &es9p, &direct, ac, ret, e);
    cJSON_Delete(direct.answer);
    return r;
}
