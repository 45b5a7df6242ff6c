/* es10b.c - mutual authentication and download preparation (SGP.22 5.7.5, 5.7.7, 5.7.13, 5.7.14),
 * and the certificates that eIMs ask for (SGP.32 5.9.10).
 *
 * Checks stand in the order in which SGP.22 wants their codes; each leaves a line in the trace. */
#include <string.h>

#include "applets/ecasd/ecasd.h"
#include "applets/isdr/bpp.h"
#include "applets/isdr/crl.h"
#include "applets/isdr/es10.h"
#include "applets/isdr/euicc_info.h"
#include "applets/isdr/isdr.h"
#include "applets/isdr/otpk.h"

/* --- GetEUICCChallenge --- */

int es10b_get_euicc_challenge(struct session *s, struct rd body, struct wr *rsp)
{
    struct euicc *e = s->euicc;
    struct rsp_session *rs = &isdr_state(e)->rsp;

    (void)body;
    TRY(bpp_interrupt(e)); /* a new session ends the old one, and an installation with it */
    rsp_end(rs);
    isdr_state(e)->finished.index = NO_PROFILE;
    TRY(crypto_random(e->crypto, rs->challenge, sizeof rs->challenge));
    rs->state = RSP_CHALLENGED;
    struct wr_mark m = tlv_open(rsp, TAG_GET_EUICC_CHALLENGE);
    tlv_put(rsp, TAG_CTX_0, rd_of(rs->challenge, sizeof rs->challenge));
    tlv_close(rsp, m);
    return 0;
}

/* --- AuthenticateServer --- */

enum authenticate_error { /* AuthenticateErrorCode */
                          AUTH_INVALID_CERTIFICATE = 1,
                          AUTH_INVALID_SIGNATURE = 2,
                          AUTH_UNSUPPORTED_CURVE = 3,
                          AUTH_NO_SESSION = 4,
                          AUTH_INVALID_OID = 5,
                          AUTH_CHALLENGE_MISMATCH = 6,
                          AUTH_CI_PK_UNKNOWN = 7,
};

static int refuse_authentication(const struct euicc *e, int code, const char *why)
{
    static const struct result_name names[] = {
        { AUTH_INVALID_CERTIFICATE, "invalidCertificate" },
        { AUTH_INVALID_SIGNATURE, "invalidSignature" },
        { AUTH_UNSUPPORTED_CURVE, "unsupportedCurve" },
        { AUTH_NO_SESSION, "noSessionContext" },
        { AUTH_INVALID_OID, "invalidOid" },
        { AUTH_CHALLENGE_MISMATCH, "euiccChallengeMismatch" },
        { AUTH_CI_PK_UNKNOWN, "ciPKUnknown" },
    };
    return es10_refuse(e, "AuthenticateServer", names, N_ELEMS(names), code, why, "SGP.22 5.7.13");
}

/* AuthenticateServerRequest, taken apart; views into the request. */
struct authenticate_request {
    struct tlv server_signed1, signature1, ci_pkid, certificate, ctx_params1;
    struct rd transaction_id, challenge, server_address, server_challenge;
};

static int parse_server_signed1(struct authenticate_request *r)
{
    struct tlv id, challenge, address, server_challenge;
    struct rd body = r->server_signed1.value;

    if (!tlv_all_whole(body) || !tlv_find(body, TAG_CTX_0, &id) ||
        !tlv_find(body, TAG_CTX_1, &challenge) || !tlv_find(body, TAG_CTX_3, &address) ||
        !tlv_find(body, TAG_CTX_4, &server_challenge))
        return ERR_INPUT;
    if (id.value.n == 0 || id.value.n > TRANSACTION_ID_MAX || challenge.value.n != CHALLENGE_LEN ||
        server_challenge.value.n != CHALLENGE_LEN || address.value.n > SERVER_ADDRESS_MAX ||
        !rd_is_utf8(address.value))
        return ERR_INPUT;
    r->transaction_id = id.value;
    r->challenge = challenge.value;
    r->server_address = address.value;
    r->server_challenge = server_challenge.value;
    return 0;
}

/* The two SEQUENCEs are told apart by their order: serverSigned1, then serverCertificate. */
static int parse_authenticate(struct rd body, struct authenticate_request *r)
{
    if (!tlv_find_nth(body, TAG_SEQUENCE, 0, &r->server_signed1) ||
        !tlv_find_nth(body, TAG_SEQUENCE, 1, &r->certificate) ||
        !tlv_find(body, TAG_SIGNATURE, &r->signature1) ||
        !tlv_find(body, TAG_OCTET_STRING, &r->ci_pkid) ||
        !tlv_find(body, TAG_CHOICE_0, &r->ctx_params1))
        return ERR_INPUT;
    return parse_server_signed1(r);
}

/* CERT.DPauth or CERT.DSauth.  0 or an authenticate_error; negative on a fault. */
static int check_server_certificate(struct euicc *e, const struct cert *cert, int ci)
{
    enum cert_role role = cert_roles(cert) & ROLE_DS_AUTH ? ROLE_DS_AUTH : ROLE_DP_AUTH;
    const struct ec_pub *ci_key;
    bool revoked;

    if (cert_curve(cert) == CURVE_UNKNOWN)
        return refuse_authentication(e, AUTH_UNSUPPORTED_CURVE,
                                     "the key of the server's certificate is on another curve");
    TRY(ecasd_ci_key(e, ci, &ci_key));
    if (!(cert_roles(cert) & (ROLE_DP_AUTH | ROLE_DS_AUTH)))
        return refuse_authentication(e, AUTH_INVALID_OID,
                                     "the certificate's policy is neither DPauth nor DSauth");
    const char *why = cert_check(e->crypto, cert, role, ci_key, ecasd_ci_pkid(e, ci));
    if (why != NULL)
        return refuse_authentication(e, AUTH_INVALID_CERTIFICATE, why);
    TRY(crl_revokes(e, ci, cert, &revoked));
    if (revoked)
        return refuse_authentication(e, AUTH_INVALID_CERTIFICATE, "a loaded CRL revokes it");
    if (cert_oid(cert).n == 0 || cert_oid(cert).n > OID_MAX_LEN)
        return refuse_authentication(e, AUTH_INVALID_OID, "subjectAltName has no registeredID");
    return 0;
}

/* Everything about the request.  0 with the certificate and the CI; an authenticate_error; or a
 * fault. */
static int check_authenticate(struct euicc *e, const struct authenticate_request *r,
                              struct cert **ret_cert, int *ret_ci)
{
    const struct rsp_session *rs = &isdr_state(e)->rsp;
    const char *reason;

    if (!rsp_allows(rs, RSP_AUTHENTICATE_SERVER))
        return refuse_authentication(e, AUTH_NO_SESSION, "no challenge is out");
    *ret_ci = ecasd_find_ci(e, r->ci_pkid.value);
    if (*ret_ci == ECASD_NO_CI)
        return refuse_authentication(e, AUTH_CI_PK_UNKNOWN,
                                     "euiccCiPKIdToBeUsed is no CI of this eUICC");
    int err = cert_parse(e->crypto, r->certificate.whole, ret_cert, &reason);
    if (err == ERR_INPUT)
        return refuse_authentication(e, AUTH_INVALID_CERTIFICATE, reason);
    if (err == 0)
        err = check_server_certificate(e, *ret_cert, *ret_ci);
    if (err != 0)
        return err;
    if (!ecdsa_verify(e->crypto, cert_key(*ret_cert), &r->server_signed1.whole, 1,
                      r->signature1.value))
        return refuse_authentication(e, AUTH_INVALID_SIGNATURE,
                                     "serverSignature1 does not verify under CERT.DPauth");
    if (!rd_equal(r->challenge, rd_of(rs->challenge, CHALLENGE_LEN)))
        return refuse_authentication(e, AUTH_CHALLENGE_MISMATCH,
                                     "euiccChallenge is not the one that is out");
    return 0;
}

/* euiccSigned1 and its signature. */
static int put_euicc_signed1(struct euicc *e, const struct authenticate_request *r, int ci,
                             uint8_t signature[EC_SIGNATURE_LEN], struct wr *rsp)
{
    size_t at = rsp->n;

    struct wr_mark m = tlv_open(rsp, TAG_SEQUENCE);
    tlv_put(rsp, TAG_CTX_0, r->transaction_id);
    tlv_put(rsp, TAG_CTX_3, r->server_address);
    tlv_put(rsp, TAG_CTX_4, r->server_challenge);
    TRY(euicc_info2_put_signed(e, rsp));
    wr_put_rd(rsp, r->ctx_params1.whole); /* echoed as received */
    tlv_close(rsp, m);
    TRY(wr_failed(rsp));
    struct rd signed_part = rd_of(rsp->p + at, rsp->n - at);
    TRY(ecasd_sign(e, ci, &signed_part, 1, signature));
    tlv_put(rsp, TAG_SIGNATURE, rd_of(signature, EC_SIGNATURE_LEN));
    return 0;
}

static int accept_server(struct euicc *e, const struct authenticate_request *r,
                         const struct cert *cert, int ci, struct wr *rsp)
{
    struct rsp_session *rs = &isdr_state(e)->rsp;

    struct wr_mark m = tlv_open(rsp, TAG_AUTHENTICATE_SERVER);
    struct wr_mark ok = tlv_open(rsp, TAG_CHOICE_0);
    TRY(put_euicc_signed1(e, r, ci, rs->euicc_signature1, rsp));
    wr_put_rd(rsp, ecasd_cert_euicc(e, ci));
    wr_put_rd(rsp, ecasd_cert_eum(e, ci));
    tlv_close(rsp, ok);
    tlv_close(rsp, m);

    rs->state = RSP_AUTHENTICATED;
    memset(rs->challenge, 0, sizeof rs->challenge);
    memcpy(rs->transaction_id, r->transaction_id.p, r->transaction_id.n);
    rs->transaction_id_len = (uint8_t)r->transaction_id.n;
    memcpy(rs->server_address, r->server_address.p, r->server_address.n);
    rs->server_address[r->server_address.n] = '\0';
    memcpy(rs->server_oid, cert_oid(cert).p, cert_oid(cert).n);
    rs->server_oid_len = (uint8_t)cert_oid(cert).n;
    rs->is_dp = (cert_roles(cert) & ROLE_DP_AUTH) != 0;
    rs->ci = ci;
    rs->curve = cert_curve(cert);
    return 0;
}

/* { transactionId, errorCode }, the same for AuthenticateServer and PrepareDownload. */
static void put_error(struct wr *rsp, uint32_t tag, struct rd transaction_id, int code)
{
    struct wr_mark m = tlv_open(rsp, tag);
    struct wr_mark error = tlv_open(rsp, TAG_CHOICE_1);
    tlv_put(rsp, TAG_CTX_0, transaction_id);
    tlv_put_uint(rsp, TAG_INTEGER, (uint64_t)code);
    tlv_close(rsp, error);
    tlv_close(rsp, m);
}

int es10b_authenticate_server(struct session *s, struct rd body, struct wr *rsp)
{
    struct euicc *e = s->euicc;
    struct authenticate_request r;
    struct cert *cert = NULL;
    int ci = ECASD_NO_CI;

    TRY(parse_authenticate(body, &r));
    int result = check_authenticate(e, &r, &cert, &ci);
    if (result == 0)
        result = accept_server(e, &r, cert, ci, rsp);
    cert_free(&cert);
    if (result <= 0)
        return result;
    if (rsp_allows(&isdr_state(e)->rsp, RSP_AUTHENTICATE_SERVER))
        rsp_end(&isdr_state(e)->rsp); /* the challenge is spent */
    put_error(rsp, TAG_AUTHENTICATE_SERVER, r.transaction_id, result);
    return 0;
}

/* --- PrepareDownload --- */

enum download_error { /* DownloadErrorCode */
                      DOWNLOAD_INVALID_CERTIFICATE = 1,
                      DOWNLOAD_INVALID_SIGNATURE = 2,
                      DOWNLOAD_UNSUPPORTED_CURVE = 3,
                      DOWNLOAD_NO_SESSION = 4,
                      DOWNLOAD_INVALID_TRANSACTION_ID = 5,
};

static int refuse_download(const struct euicc *e, int code, const char *why)
{
    static const struct result_name names[] = {
        { DOWNLOAD_INVALID_CERTIFICATE, "invalidCertificate" },
        { DOWNLOAD_INVALID_SIGNATURE, "invalidSignature" },
        { DOWNLOAD_UNSUPPORTED_CURVE, "unsupportedCurve" },
        { DOWNLOAD_NO_SESSION, "noSessionContext" },
        { DOWNLOAD_INVALID_TRANSACTION_ID, "invalidTransactionId" },
        { UNDEFINED_ERROR, "undefinedError" },
    };
    return es10_refuse(e, "PrepareDownload", names, N_ELEMS(names), code, why, "SGP.22 5.7.5");
}

/* PrepareDownloadRequest, taken apart; views into the request. */
struct prepare_request {
    struct tlv smdp_signed2, signature2, certificate;
    struct rd transaction_id;
    struct rd bpp_euicc_otpk; /* n == 0: absent */
    struct rd hash_cc;        /* n == 0: absent */
    bool cc_required;
};

static int parse_smdp_signed2(struct prepare_request *r)
{
    enum { TAG_BOOLEAN = 0x01 };
    struct rd body = r->smdp_signed2.value;
    struct tlv id, flag, otpk;

    if (!tlv_all_whole(body) || !tlv_find(body, TAG_CTX_0, &id) ||
        !tlv_find(body, TAG_BOOLEAN, &flag) || flag.value.n != 1 || id.value.n == 0 ||
        id.value.n > TRANSACTION_ID_MAX)
        return ERR_INPUT;
    r->transaction_id = id.value;
    r->cc_required = flag.value.p[0] != 0;
    if (tlv_find(body, TAG_OTPK, &otpk))
        r->bpp_euicc_otpk = otpk.value;
    return 0;
}

static int parse_prepare(struct rd body, struct prepare_request *r)
{
    struct tlv hash_cc;

    *r = (struct prepare_request){ 0 };
    if (!tlv_find_nth(body, TAG_SEQUENCE, 0, &r->smdp_signed2) ||
        !tlv_find_nth(body, TAG_SEQUENCE, 1, &r->certificate) ||
        !tlv_find(body, TAG_SIGNATURE, &r->signature2))
        return ERR_INPUT;
    if (tlv_find(body, TAG_OCTET_STRING, &hash_cc)) {
        if (hash_cc.value.n != SHA256_LEN)
            return ERR_INPUT;
        r->hash_cc = hash_cc.value;
    }
    return parse_smdp_signed2(r);
}

/* CERT.DPpb.  0 or a download_error; negative on a fault. */
static int check_pb_certificate(struct euicc *e, const struct cert *cert)
{
    const struct rsp_session *rs = &isdr_state(e)->rsp;
    const struct ec_pub *ci_key;
    bool revoked;

    if (cert_curve(cert) == CURVE_UNKNOWN || cert_curve(cert) != rs->curve)
        return refuse_download(e, DOWNLOAD_UNSUPPORTED_CURVE,
                               "the key of CERT.DPpb is not on the curve of CERT.DPauth");
    TRY(ecasd_ci_key(e, rs->ci, &ci_key));
    const char *why = cert_check(e->crypto, cert, ROLE_DP_PB, ci_key, ecasd_ci_pkid(e, rs->ci));
    if (why != NULL)
        return refuse_download(e, DOWNLOAD_INVALID_CERTIFICATE, why);
    TRY(crl_revokes(e, rs->ci, cert, &revoked));
    if (revoked)
        return refuse_download(e, DOWNLOAD_INVALID_CERTIFICATE, "a loaded CRL revokes it");
    if (!rd_equal(cert_oid(cert), rsp_server_oid(rs)))
        return refuse_download(e, DOWNLOAD_INVALID_CERTIFICATE,
                               "CERT.DPpb and CERT.DPauth have different OIDs");
    return 0;
}

/* Everything about the request.  0 with the certificate; a download_error; or a fault. */
static int check_prepare(struct euicc *e, const struct prepare_request *r, struct cert **ret_cert)
{
    const struct rsp_session *rs = &isdr_state(e)->rsp;
    uint8_t signature1[3 + EC_SIGNATURE_LEN];
    const char *reason;
    struct wr w;

    if (!rsp_allows(rs, RSP_PREPARE_DOWNLOAD))
        return refuse_download(e, DOWNLOAD_NO_SESSION, "no server is authenticated");
    if (!rs->is_dp)
        return refuse_download(e, DOWNLOAD_NO_SESSION, "the server is an SM-DS");
    if (!rd_equal(r->transaction_id, rsp_transaction_id(rs)))
        return refuse_download(e, DOWNLOAD_INVALID_TRANSACTION_ID,
                               "transactionId is not the session's");
    int err = cert_parse(e->crypto, r->certificate.whole, ret_cert, &reason);
    if (err == ERR_INPUT)
        return refuse_download(e, DOWNLOAD_INVALID_CERTIFICATE, reason);
    if (err == 0)
        err = check_pb_certificate(e, *ret_cert);
    if (err != 0)
        return err;
    wr_init(&w, signature1, sizeof signature1);
    tlv_put(&w, TAG_SIGNATURE, rd_of(rs->euicc_signature1, EC_SIGNATURE_LEN));
    const struct rd parts[] = { r->smdp_signed2.whole, wr_view(&w) };
    if (!ecdsa_verify(e->crypto, cert_key(*ret_cert), parts, N_ELEMS(parts), r->signature2.value))
        return refuse_download(e, DOWNLOAD_INVALID_SIGNATURE,
                               "smdpSignature2 does not verify under CERT.DPpb");
    if (r->cc_required && r->hash_cc.n == 0)
        return refuse_download(e, UNDEFINED_ERROR, "ccRequiredFlag is set and there is no hashCc");
    return 0;
}

/* The pair that the server bound to before, if it is still here; else a new one. */
static int one_time_key(struct euicc *e, const struct prepare_request *r, struct ec_key **ret)
{
    struct rsp_session *rs = &isdr_state(e)->rsp;
    struct ec_key *key = NULL;

    if (r->bpp_euicc_otpk.n > 0)
        TRY(otpk_find(e, rsp_server_oid(rs), rs->curve, r->bpp_euicc_otpk, &key));
    if (key == NULL)
        TRY(ec_key_generate(e->crypto, rs->curve, &key));
    int err = otpk_keep(e, rsp_server_oid(rs), key);
    if (err != 0)
        ec_key_free(&key);
    else
        *ret = key;
    return err;
}

static int accept_download(struct euicc *e, const struct prepare_request *r,
                           const struct cert *cert, struct wr *rsp)
{
    struct rsp_session *rs = &isdr_state(e)->rsp;
    uint8_t point[EC_POINT_LEN], pb_point[EC_POINT_LEN], signature[EC_SIGNATURE_LEN];
    struct ec_key *otsk;
    struct ec_pub *dp_pb;

    ec_pub_point(cert_key(cert), pb_point);
    TRY(ec_pub_from_point(e->crypto, rs->curve, rd_of(pb_point, sizeof pb_point), &dp_pb));
    int err = one_time_key(e, r, &otsk);
    if (err != 0) {
        ec_pub_free(&dp_pb);
        return err;
    }
    ec_key_free(&rs->otsk);
    ec_pub_free(&rs->dp_pb);
    rs->otsk = otsk;
    rs->dp_pb = dp_pb;
    rs->state = RSP_PREPARED;

    ec_key_point(otsk, point);
    struct wr_mark m = tlv_open(rsp, TAG_PREPARE_DOWNLOAD);
    struct wr_mark ok = tlv_open(rsp, TAG_CHOICE_0);
    size_t at = rsp->n;
    struct wr_mark signed2 = tlv_open(rsp, TAG_SEQUENCE);
    tlv_put(rsp, TAG_CTX_0, rsp_transaction_id(rs));
    tlv_put(rsp, TAG_OTPK, rd_of(point, sizeof point));
    if (r->cc_required)
        tlv_put(rsp, TAG_OCTET_STRING, r->hash_cc);
    tlv_close(rsp, signed2);
    TRY(wr_failed(rsp));
    const struct rd parts[] = { rd_of(rsp->p + at, rsp->n - at), r->signature2.whole };
    TRY(ecasd_sign(e, rs->ci, parts, N_ELEMS(parts), signature));
    tlv_put(rsp, TAG_SIGNATURE, rd_of(signature, sizeof signature));
    tlv_close(rsp, ok);
    tlv_close(rsp, m);
    return 0;
}

int es10b_prepare_download(struct session *s, struct rd body, struct wr *rsp)
{
    struct euicc *e = s->euicc;
    struct rsp_session *rs = &isdr_state(e)->rsp;
    struct prepare_request r;
    struct cert *cert = NULL;

    TRY(parse_prepare(body, &r));
    int result = check_prepare(e, &r, &cert);
    if (result == 0)
        result = accept_download(e, &r, cert, rsp);
    cert_free(&cert);
    if (result <= 0)
        return result;
    if (rsp_allows(rs, RSP_PREPARE_DOWNLOAD))
        rsp_end(rs);
    put_error(rsp, TAG_PREPARE_DOWNLOAD, r.transaction_id, result);
    return 0;
}

/* --- CancelSession --- */

enum { CANCEL_INVALID_TRANSACTION_ID = 5 }; /* CancelSessionResponse, SGP.22 5.7.14 */

static int put_cancel_signed(struct euicc *e, struct rd reason, struct wr *rsp)
{
    const struct rsp_session *rs = &isdr_state(e)->rsp;
    uint8_t signature[EC_SIGNATURE_LEN];

    struct wr_mark m = tlv_open(rsp, TAG_CANCEL_SESSION);
    struct wr_mark ok = tlv_open(rsp, TAG_CHOICE_0);
    size_t at = rsp->n;
    struct wr_mark cancel_signed = tlv_open(rsp, TAG_SEQUENCE);
    tlv_put(rsp, TAG_CTX_0, rsp_transaction_id(rs));
    tlv_put(rsp, TAG_CTX_1, rsp_server_oid(rs));
    tlv_put(rsp, TAG_CTX_2, reason);
    tlv_close(rsp, cancel_signed);
    TRY(wr_failed(rsp));
    struct rd signed_part = rd_of(rsp->p + at, rsp->n - at);
    TRY(ecasd_sign(e, rs->ci, &signed_part, 1, signature));
    tlv_put(rsp, TAG_SIGNATURE, rd_of(signature, sizeof signature));
    tlv_close(rsp, ok);
    tlv_close(rsp, m);
    return 0;
}

int es10b_cancel_session(struct session *s, struct rd body, struct wr *rsp)
{
    static const struct result_name names[] = {
        { CANCEL_INVALID_TRANSACTION_ID, "invalidTransactionId" },
    };
    struct euicc *e = s->euicc;
    struct rsp_session *rs = &isdr_state(e)->rsp;
    struct tlv id, reason;
    uint64_t number;

    if (!tlv_find(body, TAG_CTX_0, &id) || !tlv_find(body, TAG_CTX_1, &reason))
        return ERR_INPUT;
    TRY(tlv_uint(reason.value, &number));
    isdr_state(e)->finished.index = NO_PROFILE;
    if (!rsp_allows(rs, RSP_CANCEL_SESSION) || !rd_equal(id.value, rsp_transaction_id(rs))) {
        int code =
            es10_refuse(e, "CancelSession", names, N_ELEMS(names), CANCEL_INVALID_TRANSACTION_ID,
                        "there is no such session", "SGP.22 5.7.14");
        es10_put_result(rsp, TAG_CANCEL_SESSION, TAG_CTX_1, code);
        return 0;
    }
    TRY(put_cancel_signed(e, reason.value, rsp));
    TRY(bpp_interrupt(e));
    rsp_end(rs);
    return 0;
}

/* --- GetCerts (SGP.32 5.9.10) --- */

/* The tag takes the place of the certificate's own 30 (Certificate is imported IMPLICIT). */
static int put_certificate(struct wr *rsp, uint32_t tag, struct rd certificate)
{
    struct tlv t;

    TRY(tlv_expect(&certificate, TAG_SEQUENCE, &t));
    tlv_put(rsp, tag, t.value);
    return 0;
}

int es10b_get_certs(struct session *s, struct rd body, struct wr *rsp)
{
    enum { TAG_EUM_CERTIFICATE = 0xA5, TAG_EUICC_CERTIFICATE = 0xA6, INVALID_CI_PK_ID = 1 };
    static const struct result_name names[] = { { INVALID_CI_PK_ID, "invalidCiPKId" } };
    struct euicc *e = s->euicc;
    struct tlv pkid;
    int ci = 0; /* the one that the eUICC prefers */

    if (tlv_find(body, TAG_CTX_0, &pkid))
        ci = ecasd_find_ci(e, pkid.value);
    if (ci == ECASD_NO_CI) {
        es10_put_result(rsp, TAG_GET_CERTS, TAG_CTX_1,
                        es10_refuse(e, "GetCerts", names, N_ELEMS(names), INVALID_CI_PK_ID,
                                    "there are no certificates of this CI", "SGP.32 5.9.10"));
        return 0;
    }
    struct wr_mark m = tlv_open(rsp, TAG_GET_CERTS);
    struct wr_mark certs = tlv_open(rsp, TAG_CHOICE_0);
    TRY(put_certificate(rsp, TAG_EUM_CERTIFICATE, ecasd_cert_eum(e, ci)));
    TRY(put_certificate(rsp, TAG_EUICC_CERTIFICATE, ecasd_cert_euicc(e, ci)));
    tlv_close(rsp, certs);
    tlv_close(rsp, m);
    return 0;
}
