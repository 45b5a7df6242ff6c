/* rsp.c - reading what an eUICC signed (SGP.22 5.7). */
#include "lab/rsp.h"

#include <string.h>

#include <AuthenticateServerResponse.h>
#include <CancelSessionResponse.h>
#include <EUICCInfo1.h>
#include <PendingNotification.h>
#include <PrepareDownloadResponse.h>

#include "asn1/der.h"
#include "lab/util.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    TAG_AUTHENTICATE_SERVER = 0xBF38,
    TAG_PREPARE_DOWNLOAD = 0xBF21,
    TAG_CANCEL_SESSION = 0xBF41,
    TAG_INSTALLATION_RESULT_DATA = 0xBF27,
    TAG_NOTIFICATION_METADATA = 0xBF2F,
    TAG_RESPONSE_OK = 0xA0,
    TAG_SEQUENCE = 0x30,
    TAG_SIGNATURE = 0x5F37,
};

static struct rd view(const OCTET_STRING_t *s)
{
    return rd_of(s->buf, (size_t)s->size);
}

static int copy_octets(struct rd v, uint8_t *ret, size_t max, size_t *ret_n)
{
    if (v.n > max)
        return ERR_INPUT;
    if (v.n > 0)
        memcpy(ret, v.p, v.n);
    *ret_n = v.n;
    return 0;
}

static int copy_exactly(struct rd v, uint8_t *ret, size_t n)
{
    size_t got;

    return v.n == n ? copy_octets(v, ret, n, &got) : ERR_INPUT;
}

static int copy_transaction_id(const TransactionId_t *id, struct transaction_id *ret)
{
    return copy_octets(view(id), ret->b, sizeof ret->b, &ret->n);
}

static int decode(const asn_TYPE_descriptor_t *type, struct rd der, void **ret)
{
    return der_decode(type, der.p, der.n, ret);
}

/* One level: a TLV of this tag that fills der, and inside it one of another tag that fills it. */
static int open_ok(struct rd der, uint32_t tag, struct rd *ret)
{
    struct tlv outer, ok;

    TRY(tlv_expect(&der, tag, &outer));
    TRY(tlv_expect(&outer.value, TAG_RESPONSE_OK, &ok));
    *ret = ok.value;
    return der.n == 0 && outer.value.n == 0 ? 0 : ERR_INPUT;
}

/* What is signed, then its signature. */
static int take_signed(struct rd *in, uint32_t tag, struct rd *ret_signed, struct rd *ret_signature)
{
    struct tlv body, signature;

    TRY(tlv_expect(in, tag, &body));
    TRY(tlv_expect(in, TAG_SIGNATURE, &signature));
    *ret_signed = body.whole;
    *ret_signature = signature.value;
    return 0;
}

static int take_certificates(struct rd *in, struct rd *ret_euicc, struct rd *ret_eum)
{
    struct tlv euicc, eum;

    TRY(tlv_expect(in, TAG_SEQUENCE, &euicc));
    TRY(tlv_expect(in, TAG_SEQUENCE, &eum));
    *ret_euicc = euicc.whole;
    *ret_eum = eum.whole;
    return 0;
}

int rsp_read_info1(struct rd der, struct rsp_info1 *ret)
{
    void *tree = NULL;
    struct rsp_info1 info = { 0 };

    TRY(decode(&asn_DEF_EUICCInfo1, der, &tree));
    const EUICCInfo1_t *v = tree;
    int r = copy_exactly(view(&v->svn), info.svn, sizeof info.svn);
    for (int i = 0; i < v->euiccCiPKIdListForVerification.list.count; i++) {
        struct rd ski = view(v->euiccCiPKIdListForVerification.list.array[i]);
        if (ski.n == SKI_LEN && info.n_verification < RSP_MAX_CI)
            memcpy(info.verification[info.n_verification++], ski.p, SKI_LEN);
    }
    for (int i = 0; i < v->euiccCiPKIdListForSigning.list.count; i++) {
        struct rd ski = view(v->euiccCiPKIdListForSigning.list.array[i]);
        if (ski.n == SKI_LEN && info.n_signing < RSP_MAX_CI)
            memcpy(info.signing[info.n_signing++], ski.p, SKI_LEN);
    }
    der_free(&asn_DEF_EUICCInfo1, tree);
    if (r == 0)
        *ret = info;
    return r;
}

static int authenticate_values(const AuthenticateServerResponse_t *v, struct rsp_authenticate *a)
{
    if (v->present == AuthenticateServerResponse_PR_authenticateResponseError) {
        const AuthenticateResponseError_t *error = &v->choice.authenticateResponseError;
        a->error = error->authenticateErrorCode;
        return a->error == 0 ? ERR_INPUT
                             : copy_transaction_id(&error->transactionId, &a->transaction_id);
    }
    const EuiccSigned1_t *s = &v->choice.authenticateResponseOk.euiccSigned1;
    if (v->present != AuthenticateServerResponse_PR_authenticateResponseOk ||
        s->ctxParams1.present != CtxParams1_PR_ctxParamsForCommonAuthentication)
        return ERR_INPUT;
    const UTF8String_t *id = s->ctxParams1.choice.ctxParamsForCommonAuthentication.matchingId;
    if (id != NULL && !copy_rd(view(id), a->matching_id, sizeof a->matching_id))
        return ERR_INPUT;
    if (!copy_rd(view(&s->serverAddress), a->server_address, sizeof a->server_address))
        return ERR_INPUT;
    TRY(copy_exactly(view(&s->serverChallenge), a->server_challenge, CHALLENGE_LEN));
    return copy_transaction_id(&s->transactionId, &a->transaction_id);
}

int rsp_read_authenticate(struct rd der, struct rsp_authenticate *ret)
{
    void *tree = NULL;
    struct rsp_authenticate a = { .error = 0 };
    struct rd body;

    TRY(decode(&asn_DEF_AuthenticateServerResponse, der, &tree));
    int r = authenticate_values(tree, &a);
    der_free(&asn_DEF_AuthenticateServerResponse, tree);
    TRY(r);
    if (a.error == 0) {
        TRY(open_ok(der, TAG_AUTHENTICATE_SERVER, &body));
        TRY(take_signed(&body, TAG_SEQUENCE, &a.signed1, &a.signature1));
        TRY(take_certificates(&body, &a.euicc_cert, &a.eum_cert));
    }
    *ret = a;
    return 0;
}

static int prepare_values(const PrepareDownloadResponse_t *v, struct rsp_prepare *p)
{
    if (v->present == PrepareDownloadResponse_PR_downloadResponseError) {
        const PrepareDownloadResponseError_t *error = &v->choice.downloadResponseError;
        p->error = error->downloadErrorCode;
        return p->error == 0 ? ERR_INPUT
                             : copy_transaction_id(&error->transactionId, &p->transaction_id);
    }
    if (v->present != PrepareDownloadResponse_PR_downloadResponseOk)
        return ERR_INPUT;
    const EUICCSigned2_t *s = &v->choice.downloadResponseOk.euiccSigned2;
    p->has_hash_cc = s->hashCc != NULL;
    if (p->has_hash_cc)
        TRY(copy_exactly(view(s->hashCc), p->hash_cc, sizeof p->hash_cc));
    TRY(copy_exactly(view(&s->euiccOtpk), p->ot_pk, sizeof p->ot_pk));
    return copy_transaction_id(&s->transactionId, &p->transaction_id);
}

int rsp_read_prepare(struct rd der, struct rsp_prepare *ret)
{
    void *tree = NULL;
    struct rsp_prepare p = { .error = 0 };
    struct rd body;

    TRY(decode(&asn_DEF_PrepareDownloadResponse, der, &tree));
    int r = prepare_values(tree, &p);
    der_free(&asn_DEF_PrepareDownloadResponse, tree);
    TRY(r);
    if (p.error == 0) {
        TRY(open_ok(der, TAG_PREPARE_DOWNLOAD, &body));
        TRY(take_signed(&body, TAG_SEQUENCE, &p.signed2, &p.signature2));
    }
    *ret = p;
    return 0;
}

static int cancel_values(const CancelSessionResponse_t *v, struct rsp_cancel *c)
{
    if (v->present == CancelSessionResponse_PR_cancelSessionResponseError) {
        c->error = v->choice.cancelSessionResponseError;
        return c->error == 0 ? ERR_INPUT : 0;
    }
    if (v->present != CancelSessionResponse_PR_cancelSessionResponseOk)
        return ERR_INPUT;
    const EuiccCancelSessionSigned_t *s =
        &v->choice.cancelSessionResponseOk.euiccCancelSessionSigned;
    c->reason = s->reason;
    TRY(copy_octets(rd_of(s->smdpOid.buf, (size_t)s->smdpOid.size), c->smdp_oid, sizeof c->smdp_oid,
                    &c->n_smdp_oid));
    return copy_transaction_id(&s->transactionId, &c->transaction_id);
}

int rsp_read_cancel(struct rd der, struct rsp_cancel *ret)
{
    void *tree = NULL;
    struct rsp_cancel c = { .error = 0 };
    struct rd body;

    TRY(decode(&asn_DEF_CancelSessionResponse, der, &tree));
    int r = cancel_values(tree, &c);
    der_free(&asn_DEF_CancelSessionResponse, tree);
    TRY(r);
    if (c.error == 0) {
        TRY(open_ok(der, TAG_CANCEL_SESSION, &body));
        TRY(take_signed(&body, TAG_SEQUENCE, &c.signed_part, &c.signature));
    }
    *ret = c;
    return 0;
}

static int metadata_values(const NotificationMetadata_t *v, struct rsp_notification *n)
{
    const BIT_STRING_t *events = &v->profileManagementOperation;

    n->seq_number = v->seqNumber;
    for (size_t i = 0; i < 8 && events->size > 0; i++)
        if (events->buf[0] & 0x80 >> i)
            n->events |= UINT32_C(1) << i;
    n->has_iccid = v->iccid != NULL;
    if (n->has_iccid)
        TRY(copy_exactly(view(v->iccid), n->iccid, sizeof n->iccid));
    return copy_rd(view(&v->notificationAddress), n->address, sizeof n->address) ? 0 : ERR_INPUT;
}

static int result_values(const ProfileInstallationResultData_t *v, struct rsp_notification *n)
{
    TRY(metadata_values(&v->notificationMetadata, n));
    TRY(copy_transaction_id(&v->transactionId, &n->transaction_id));
    TRY(copy_octets(rd_of(v->smdpOid.buf, (size_t)v->smdpOid.size), n->smdp_oid, sizeof n->smdp_oid,
                    &n->n_smdp_oid));
    if (v->finalResult.present == ProfileInstallationResultData__finalResult_PR_successResult) {
        const SuccessResult_t *s = &v->finalResult.choice.successResult;
        n->success = true;
        TRY(copy_octets(view(&s->aid), n->aid, sizeof n->aid, &n->n_aid));
        return copy_octets(view(&s->simaResponse), n->sima_response, RSP_SIMA_MAX,
                           &n->n_sima_response);
    }
    if (v->finalResult.present != ProfileInstallationResultData__finalResult_PR_errorResult)
        return ERR_INPUT;
    const ErrorResult_t *error = &v->finalResult.choice.errorResult;
    n->bpp_command_id = error->bppCommandId;
    n->error_reason = error->errorReason;
    if (error->simaResponse == NULL)
        return 0;
    return copy_octets(view(error->simaResponse), n->sima_response, RSP_SIMA_MAX,
                       &n->n_sima_response);
}

static int notification_values(const PendingNotification_t *v, struct rsp_notification *n)
{
    switch (v->present) {
    case PendingNotification_PR_profileInstallationResult:
        n->is_installation_result = true;
        return result_values(&v->choice.profileInstallationResult.profileInstallationResultData, n);
    case PendingNotification_PR_otherSignedNotification:
        return metadata_values(&v->choice.otherSignedNotification.tbsOtherNotification, n);
    case PendingNotification_PR_NOTHING:
    default:
        return ERR_INPUT;
    }
}

int rsp_read_notification(struct rd der, struct rsp_notification *ret)
{
    void *tree = NULL;
    struct rsp_notification n = { .seq_number = 0 };
    struct tlv outer;

    TRY(decode(&asn_DEF_PendingNotification, der, &tree));
    int r = notification_values(tree, &n);
    der_free(&asn_DEF_PendingNotification, tree);
    TRY(r);
    TRY(tlv_get(&der, &outer));
    if (n.is_installation_result) {
        TRY(take_signed(&outer.value, TAG_INSTALLATION_RESULT_DATA, &n.signed_part, &n.signature));
    } else {
        TRY(take_signed(&outer.value, TAG_NOTIFICATION_METADATA, &n.signed_part, &n.signature));
        TRY(take_certificates(&outer.value, &n.euicc_cert, &n.eum_cert));
    }
    *ret = n;
    return 0;
}
