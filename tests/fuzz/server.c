/* server.c - an SM-DP+ in four calls. */
#include "tests/fuzz/server.h"

#include <string.h>

#include "certs/pki.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    TAG_SEQUENCE = 0x30,
    TAG_BOOLEAN = 0x01,
    TAG_OCTET_STRING = 0x04,
    TAG_SIGNATURE = 0x5F37,
    TAG_GET_CHALLENGE = 0xBF2E,
    TAG_AUTHENTICATE_SERVER = 0xBF38,
    TAG_PREPARE_DOWNLOAD = 0xBF21,
    TAG_CONFIGURE_ISDP = 0xBF24,
    TAG_DP_PROPRIETARY_DATA = 0xB8,
};

int server_init(struct server *s, struct crypto *crypto, enum curve curve)
{
    static const uint8_t eid[BPP_EID_LEN] = { 0x89, 0x04, 0x90, 0x32, 0x12, 0x34, 0x51, 0x23,
                                              0x45, 0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x35 };
    struct lab_error why;
    struct pki *pki;

    *s = (struct server){ .crypto = crypto };
    memcpy(s->eid, eid, sizeof eid);
    TRY(identity_open_pki(NULL, &pki, &why));
    int r = identity_load(crypto, pki, IDENTITY_SMDPP, curve, &s->identity, &why);
    pki_close(&pki);
    return r;
}

void server_done(struct server *s)
{
    ec_key_free(&s->ot_sk);
    identity_done(&s->identity);
}

/* Appends the signature of the parts as 5F37. */
static int put_signature(const struct server *s, const struct ec_key *key, const struct rd *parts,
                         size_t n_parts, struct wr *ret)
{
    uint8_t signature[EC_SIGNATURE_LEN];

    TRY(ecdsa_sign(s->crypto, key, parts, n_parts, signature));
    tlv_put(ret, TAG_SIGNATURE, rd_of(signature, sizeof signature));
    return 0;
}

static void put_ctx_params1(struct wr *w)
{
    static const uint8_t tac[] = { 0x53, 0x92, 0x60, 0x11 }, release[] = { 14, 0, 0 };

    struct wr_mark ctx = tlv_open(w, 0xA0);
    tlv_put_str(w, 0x80, "MATCHING-ID");
    struct wr_mark device = tlv_open(w, 0xA1);
    tlv_put(w, 0x80, rd_of(tac, sizeof tac));
    struct wr_mark capabilities = tlv_open(w, 0xA1);
    tlv_put(w, 0x85, rd_of(release, sizeof release));
    tlv_close(w, capabilities);
    tlv_close(w, device);
    tlv_close(w, ctx);
}

int server_authenticate(struct server *s, struct rd challenge_answer, struct wr *ret)
{
    struct tlv answer, challenge;

    TRY(tlv_expect(&challenge_answer, TAG_GET_CHALLENGE, &answer));
    TRY(tlv_expect(&answer.value, 0x80, &challenge));
    TRY(crypto_random(s->crypto, s->transaction_id, sizeof s->transaction_id));
    TRY(crypto_random(s->crypto, s->challenge, sizeof s->challenge));
    struct wr_mark request = tlv_open(ret, TAG_AUTHENTICATE_SERVER);
    size_t at = ret->n;
    struct wr_mark signed1 = tlv_open(ret, TAG_SEQUENCE);
    tlv_put(ret, 0x80, rd_of(s->transaction_id, sizeof s->transaction_id));
    tlv_put(ret, 0x81, challenge.value);
    tlv_put_str(ret, 0x83, SERVER_ADDRESS);
    tlv_put(ret, 0x84, rd_of(s->challenge, sizeof s->challenge));
    tlv_close(ret, signed1);
    TRY(wr_failed(ret));
    struct rd part = rd_of(ret->p + at, ret->n - at);
    TRY(put_signature(s, s->identity.auth_key, &part, 1, ret));
    tlv_put(ret, TAG_OCTET_STRING, cert_ski(s->identity.ci));
    wr_put_rd(ret, cert_der(s->identity.auth));
    put_ctx_params1(ret);
    tlv_close(ret, request);
    return wr_failed(ret);
}

int server_prepare(struct server *s, struct rd authenticate_answer, struct wr *ret)
{
    uint8_t room[3 + EC_SIGNATURE_LEN];
    struct rsp_authenticate answer;
    struct wr signature1;

    TRY(rsp_read_authenticate(authenticate_answer, &answer));
    if (answer.error != 0 || answer.signature1.n != EC_SIGNATURE_LEN)
        return ERR_INPUT;
    memcpy(s->euicc_signature1, answer.signature1.p, EC_SIGNATURE_LEN);
    struct wr_mark request = tlv_open(ret, TAG_PREPARE_DOWNLOAD);
    size_t at = ret->n;
    struct wr_mark signed2 = tlv_open(ret, TAG_SEQUENCE);
    tlv_put(ret, 0x80, rd_of(s->transaction_id, sizeof s->transaction_id));
    tlv_put_u8(ret, TAG_BOOLEAN, 0x00);
    tlv_close(ret, signed2);
    TRY(wr_failed(ret));
    wr_init(&signature1, room, sizeof room);
    tlv_put(&signature1, TAG_SIGNATURE, answer.signature1);
    const struct rd parts[] = { rd_of(ret->p + at, ret->n - at), wr_view(&signature1) };
    TRY(put_signature(s, s->identity.pb_key, parts, N_ELEMS(parts), ret));
    wr_put_rd(ret, cert_der(s->identity.pb));
    tlv_close(ret, request);
    return wr_failed(ret);
}

int server_agree(struct server *s, struct rd prepare_answer)
{
    struct rsp_prepare answer;

    TRY(rsp_read_prepare(prepare_answer, &answer));
    if (answer.error != 0)
        return ERR_INPUT;
    memcpy(s->ot_pk_euicc, answer.ot_pk, sizeof s->ot_pk_euicc);
    TRY(crypto_random(s->crypto, s->host_id, sizeof s->host_id));
    ec_key_free(&s->ot_sk);
    return ec_key_generate(s->crypto, s->identity.curve, &s->ot_sk);
}

struct bpp_session server_session(const struct server *s)
{
    return (struct bpp_session){
        .transaction_id = rd_of(s->transaction_id, sizeof s->transaction_id),
        .host_id = rd_of(s->host_id, sizeof s->host_id),
        .eid = rd_of(s->eid, sizeof s->eid),
        .ot_sk_dp = s->ot_sk,
        .ot_pk_euicc = rd_of(s->ot_pk_euicc, sizeof s->ot_pk_euicc),
        .sk_dppb = s->identity.pb_key,
    };
}

void server_put_configure_isdp(const struct server *s, struct wr *ret)
{
    struct wr_mark configure = tlv_open(ret, TAG_CONFIGURE_ISDP);
    struct wr_mark proprietary = tlv_open(ret, TAG_DP_PROPRIETARY_DATA);
    tlv_put(ret, 0x80, cert_oid(s->identity.auth));
    tlv_close(ret, proprietary);
    tlv_close(ret, configure);
}
