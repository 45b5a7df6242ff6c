/* play_relay.c - the eIM of a script passes downloads on to the model SM-DP+: ESipa on one side
 * (SGP.32 3.2.3.2), the functions of ES9+ on the other; and ES9+ itself, at the same address. */
#include "lab/es9p_server.h"
#include "lab/esipa.h"
#include "lab/play_model.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    MESSAGE_MAX = 1024 * 1024,
    TAG_CHALLENGE = 0x81,
    TAG_TRANSACTION_ID = 0x80,
    TAG_EUICC_INFO1 = 0xBF20,
    TAG_PREPARE_DOWNLOAD = 0xBF21,
    TAG_AUTHENTICATE_SERVER = 0xBF38,
    TAG_CANCELLED = 0xA1,
    TAG_NOTIFICATION = 0xA0,
    UNDEFINED_ERROR = 127,
};

/* The parts of an answer, appended as they are. */
struct parts {
    struct wr at[4];
};

static void parts_init(struct parts *parts)
{
    for (size_t i = 0; i < N_ELEMS(parts->at); i++)
        wr_init_heap(&parts->at[i], MESSAGE_MAX);
}

static void parts_done(struct parts *parts)
{
    for (size_t i = 0; i < N_ELEMS(parts->at); i++)
        wr_done(&parts->at[i]);
}

static void put_refusal(uint32_t function, struct wr *ret)
{
    struct wr_mark outer = tlv_open(ret, function);

    tlv_put_u8(ret, 0x81, UNDEFINED_ERROR);
    tlv_close(ret, outer);
}

static void put_answer(uint32_t function, struct rd id, const struct wr *parts, size_t n,
                       struct wr *ret)
{
    struct wr_mark outer = tlv_open(ret, function), ok = tlv_open(ret, 0xA0);

    tlv_put(ret, TAG_TRANSACTION_ID, id);
    for (size_t i = 0; i < n; i++)
        wr_put_rd(ret, wr_view(&parts[i]));
    tlv_close(ret, ok);
    tlv_close(ret, outer);
}

static bool initiate(struct smdpp *dp, struct rd body, struct parts *parts, struct wr *ret)
{
    struct mutual_initiation answer = { parts->at[0], parts->at[1], parts->at[2], parts->at[3] };
    struct mutual_session *session;
    struct tlv challenge, info1;

    if (!tlv_find(body, TAG_CHALLENGE, &challenge) || !tlv_find(body, TAG_EUICC_INFO1, &info1))
        return false;
    bool ok = mutual_initiate(smdpp_mutual(dp), challenge.value, info1.whole, play_dp_address,
                              &answer, &session)
                  .subject == NULL;
    *parts = (struct parts){ { answer.server_signed1, answer.server_signature1, answer.ci_pk_id,
                               answer.server_certificate } };
    if (ok)
        put_answer(ESIPA_INITIATE_AUTHENTICATION,
                   rd_of(session->transaction_id.b, session->transaction_id.n), parts->at,
                   N_ELEMS(parts->at), ret);
    return ok;
}

static bool authenticate(struct smdpp *dp, struct rd id, struct rd body, struct parts *parts,
                         struct wr *ret)
{
    struct smdpp_event event = { .verified = NULL };
    struct smdpp_authenticate answer = { parts->at[0], parts->at[1], parts->at[2], parts->at[3] };
    struct tlv response;

    if (!tlv_find(body, TAG_AUTHENTICATE_SERVER, &response))
        return false;
    bool ok = smdpp_authenticate_client(dp, id, response.whole, &answer, &event).subject == NULL;
    *parts = (struct parts){ { answer.profile_metadata, answer.smdp_signed2, answer.smdp_signature2,
                               answer.smdp_certificate } };
    if (ok)
        put_answer(ESIPA_AUTHENTICATE_CLIENT, id, parts->at, N_ELEMS(parts->at), ret);
    return ok;
}

static bool get_package(struct smdpp *dp, struct rd id, struct rd body, struct parts *parts,
                        struct wr *ret)
{
    struct smdpp_event event = { .verified = NULL };
    struct tlv response;

    if (!tlv_find(body, TAG_PREPARE_DOWNLOAD, &response) ||
        smdpp_get_bound_profile_package(dp, id, response.whole, &parts->at[0], &event).subject !=
            NULL)
        return false;
    put_answer(ESIPA_GET_BOUND_PROFILE_PACKAGE, id, parts->at, 1, ret);
    return true;
}

static bool cancel(struct smdpp *dp, struct rd id, struct rd body, struct wr *ret)
{
    struct smdpp_event event = { .verified = NULL };
    struct tlv response;
    struct wr whole;

    if (!tlv_find(body, TAG_CANCELLED, &response))
        return false;
    wr_init_heap(&whole, MESSAGE_MAX);
    tlv_put(&whole, ESIPA_CANCEL_SESSION, response.value);
    bool ok = smdpp_cancel_session(dp, id, wr_view(&whole), &event).subject == NULL;
    wr_done(&whole);
    if (ok) {
        struct wr_mark outer = tlv_open(ret, ESIPA_CANCEL_SESSION);
        tlv_put(ret, 0xA0, rd_str(""));
        tlv_close(ret, outer);
    }
    return ok;
}

/* 204: there is nothing to say. */
static void take_notification(struct smdpp *dp, struct rd body)
{
    struct smdpp_event event = { .verified = NULL };
    struct tlv pending;

    if (tlv_find(body, TAG_NOTIFICATION, &pending))
        smdpp_handle_notification(dp, pending.value, &event);
}

bool play_relay(struct player *p, struct rd request, struct wr *ret)
{
    struct tlv t, id = { .tag = 0 };
    struct parts parts;
    bool ok = false;

    if (p->dp == NULL || tlv_get(&request, &t) != 0)
        return false;
    tlv_find(t.value, TAG_TRANSACTION_ID, &id);
    parts_init(&parts);
    switch (t.tag) {
    case ESIPA_INITIATE_AUTHENTICATION:
        ok = initiate(p->dp, t.value, &parts, ret);
        break;
    case ESIPA_AUTHENTICATE_CLIENT:
        ok = authenticate(p->dp, id.value, t.value, &parts, ret);
        break;
    case ESIPA_GET_BOUND_PROFILE_PACKAGE:
        ok = get_package(p->dp, id.value, t.value, &parts, ret);
        break;
    case ESIPA_CANCEL_SESSION:
        ok = cancel(p->dp, id.value, t.value, ret);
        break;
    default:
        take_notification(p->dp, t.value);
        parts_done(&parts);
        return false;
    }
    parts_done(&parts);
    if (!ok)
        put_refusal(t.tag, ret);
    return true;
}

void play_relay_es9p(struct player *p, const struct https_request *request, struct https_reply *ret)
{
    struct es9p_server server = { .dp = p->dp };

    es9p_handle(&server, request, ret);
}
