/* ipae_direct.c - a download from the SM-DP+ itself, over ES9+, and what an SM-DS tells, over ES11
 * (SGP.22 5.6, 5.8, 6.5). */
#include <stdio.h>
#include <string.h>

#include "applets/ipae/es9p_json.h"
#include "applets/ipae/ipae_download.h"
#include "applets/isdr/es10.h"

#define ES9P_PATH     "/gsma/rsp2/es9plus/"
#define ES9P_TYPE     "application/json"
#define ES9P_PROTOCOL "gsma/rsp/v2.5.0"
#define USER_AGENT    "gsma-rsp-ipae"

static const char *const functions[] = {
    [STEP_INITIATE] = ES9P_PATH "initiateAuthentication",
    [STEP_AUTHENTICATE] = ES9P_PATH "authenticateClient",
    [STEP_GET_PACKAGE] = ES9P_PATH "getBoundProfilePackage",
    [STEP_CANCEL] = ES9P_PATH "cancelSession",
};

bool es9p_server(struct rd address, const char *path, char host[IPAE_HOST_MAX + 1],
                 struct link_server *ret)
{
    *ret = (struct link_server){ .host = host,
                                 .how = LINK_HTTPS,
                                 .path = path,
                                 .trust = { .kind = TLS_TRUST_CI, .roles = ROLE_DP_TLS },
                                 .user_agent = USER_AGENT,
                                 .content_type = ES9P_TYPE,
                                 .admin_protocol = ES9P_PROTOCOL };
    return ipae_read_host(address, host, &ret->port);
}

bool es9p_put_notification(struct euicc *e, struct rd address, struct rd pending,
                           char host[IPAE_HOST_MAX + 1], struct link_server *ret)
{
    const struct es9p_field field = { "pendingNotification", ES9P_BASE64, pending };
    struct wr *w = &ipae_of(e)->request;

    if (!es9p_server(address, ES9P_PATH "handleNotification", host, ret)) {
        trace_check(&e->trace, "IPAe: the address of a notification is none (SGP.22 5.6.4)");
        return false;
    }
    wr_clear(w);
    es9p_put(w, &field, 1);
    return true;
}

static int put(struct euicc *e, struct ipae_download *d, enum download_step step, struct rd what)
{
    static const char *const names[] = { [STEP_AUTHENTICATE] = "authenticateServerResponse",
                                         [STEP_GET_PACKAGE] = "prepareDownloadResponse",
                                         [STEP_CANCEL] = "cancelSessionResponse" };
    const struct es9p_field initiation[] = {
        { "euiccInfo1", ES9P_BASE64, wr_view(&d->info1) },
        { "euiccChallenge", ES9P_BASE64, what },
        { "smdpAddress", ES9P_PLAIN, rd_str(d->address) },
    };
    const struct es9p_field others[] = {
        { "transactionId", ES9P_HEX, download_id(d) },
        { step != STEP_INITIATE ? names[step] : "", ES9P_BASE64, what },
    };

    d->server.path = functions[step];
    if (step == STEP_INITIATE)
        es9p_put(&ipae_of(e)->request, initiation, N_ELEMS(initiation));
    else
        es9p_put(&ipae_of(e)->request, others, N_ELEMS(others));
    return 0;
}

static bool take(struct ipae_download *d, const struct es9p_answer *a, const char *name,
                 enum download_field field)
{
    wr_clear(&d->fields[field]);
    return es9p_get(a, name, &d->fields[field]);
}

static bool take_initiation(struct ipae_download *d, const struct es9p_answer *a)
{
    struct wr id;

    wr_init(&id, d->claimed_id, sizeof d->claimed_id);
    if (!es9p_get_hex(a, "transactionId", &id))
        return false;
    d->claimed_id_n = id.n;
    return take(d, a, "serverSigned1", FIELD_SIGNED1) &&
           take(d, a, "serverSignature1", FIELD_SIGNATURE1) &&
           take(d, a, "euiccCiPKIdToBeUsed", FIELD_CI) &&
           take(d, a, "serverCertificate", FIELD_CERTIFICATE);
}

/* ES9+, or ES11 of an SM-DS. */
static bool take_authentication(struct euicc *e, struct ipae_download *d,
                                const struct es9p_answer *a)
{
    if (es9p_event_count(a) >= 0)
        return ipae_discovery_read(e, d, a);
    return !d->must_be_smds && take(d, a, "smdpSigned2", FIELD_SIGNED2) &&
           take(d, a, "smdpSignature2", FIELD_SIGNATURE2) &&
           take(d, a, "smdpCertificate", FIELD_CERTIFICATE2);
}

static bool take_fields(struct euicc *e, struct ipae_download *d, enum download_step step,
                        const struct es9p_answer *a)
{
    switch (step) {
    case STEP_INITIATE:
        return take_initiation(d, a);
    case STEP_AUTHENTICATE:
        return take_authentication(e, d, a);
    case STEP_GET_PACKAGE:
        return take(d, a, "boundProfilePackage", FIELD_PACKAGE);
    default:
        return true;
    }
}

static bool read(struct euicc *e, struct ipae_download *d, enum download_step step, struct rd body)
{
    struct es9p_answer a;
    bool ok = es9p_read(body, &a);

    if (!ok && strcmp(a.subject, "8.2.7") == 0) /* a confirmation code can be tried again */
        d->reason = CANCEL_POSTPONED;
    if (!ok)
        trace_check(&e->trace, "IPAe: %s: refused by the server: %.16s %.16s (SGP.22 6.5)",
                    functions[step], a.subject, a.reason);
    else if (!take_fields(e, d, step, &a))
        ok = false;
    es9p_done(&a);
    return ok;
}

const struct download_way download_direct = { put, read };
