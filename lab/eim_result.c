/* eim_result.c - what eUICCs answer, taken apart and verified (SGP.32 2.11.2.1, SGP.22 4.5.2). */
#include "lab/eim_result.h"

#include <string.h>

#include "lab/codes.h"
#include "lab/eim_package.h"
#include "lab/esipa.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    TAG_INTEGER = 0x02,
    TAG_SEQUENCE = 0x30,
    TAG_SIGNATURE = 0x5F37,
    TOKEN_TLV_MAX = 16,
    CERTIFICATE_MAX = 16 * 1024,
};

static bool find_number(struct rd body, uint32_t tag, uint64_t *ret)
{
    struct tlv t;

    return tlv_find(body, tag, &t) && tlv_uint(t.value, ret) == 0;
}

static int read_fields(struct rd body, struct eim_result *r)
{
    struct tlv t;

    if (!tlv_find(body, 0x80, &t) || !copy_rd(t.value, r->eim_id, sizeof r->eim_id))
        return ERR_INPUT;
    if (tlv_find(body, 0x82, &t))
        r->transaction_id = t.value;
    if (r->arm == RESULT_UNSIGNED) {
        uint64_t error;
        r->has_token = find_number(body, 0x84, &r->token);
        if (find_number(body, 0x8F, &error))
            r->error = (long)error;
        return 0;
    }
    r->has_counter = find_number(body, 0x81, &r->counter);
    r->has_seq = find_number(body, 0x83, &r->seq);
    return r->has_counter ? 0 : ERR_INPUT;
}

static int read_signed(struct rd body, struct eim_result *r)
{
    struct tlv data, t;
    uint64_t error;

    TRY(tlv_expect(&body, TAG_SEQUENCE, &data));
    TRY(tlv_expect(&body, TAG_SIGNATURE, &t));
    r->signed_part = data.whole;
    r->signature = t.value;
    TRY(read_fields(data.value, r));
    if (r->arm == RESULT_ERROR) {
        if (!find_number(data.value, TAG_INTEGER, &error))
            return ERR_INPUT;
        r->error = (long)error;
        return 0;
    }
    if (!r->has_seq || !tlv_find(data.value, TAG_SEQUENCE, &t))
        return ERR_INPUT;
    r->results = t.value;
    return tlv_all_whole(t.value) ? 0 : ERR_INPUT;
}

int eim_result_read(struct rd der, struct eim_result *ret)
{
    struct eim_result r = { .error = -1 };
    struct tlv outer, arm;
    struct rd in;

    TRY(tlv_expect(&der, EUICC_PACKAGE, &outer));
    in = outer.value;
    TRY(tlv_get(&in, &arm));
    if (der.n != 0)
        return ERR_INPUT;
    switch (arm.tag) {
    case 0xA0:
        r.arm = RESULT_SIGNED;
        TRY(read_signed(arm.value, &r));
        break;
    case 0xA1:
        r.arm = RESULT_ERROR;
        TRY(read_signed(arm.value, &r));
        break;
    case 0xA2:
        r.arm = RESULT_UNSIGNED;
        TRY(read_fields(arm.value, &r));
        break;
    case TAG_SEQUENCE: /* seen in the field: the arm's tag is missing */
        r.arm = RESULT_SIGNED;
        TRY(read_signed(outer.value, &r));
        break;
    default:
        return ERR_INPUT;
    }
    *ret = r;
    return 0;
}

/* --- did it work? ---------------------------------------------------------------------------- */

/* The code in a result element: its contents, or an INTEGER inside; -1 for a value. */
static long code_of(const struct tlv *t)
{
    const struct package_element *row = package_element_of(t->tag);
    uint64_t v;

    if ((t->tag & 0xFFFFFFE0) == 0x80 || t->tag == TAG_INTEGER)
        return tlv_uint(t->value, &v) == 0 ? (long)v : 127;
    return row != NULL && find_number(t->value, row->code_tag, &v) ? (long)v : -1;
}

static const char *failure_of(const struct tlv *t)
{
    long code = code_of(t);
    bool is_last_eim = t->tag == 0x89 && code == 2; /* lastEimDeleted is a success */

    if (t->tag == TAG_INTEGER)
        return "processing was terminated";
    return code <= 0 || is_last_eim ? NULL : "an operation failed";
}

bool eim_result_ok(const struct eim_result *result, const char **ret_why)
{
    struct rd in = result->results;
    struct tlv t;
    const char *why = result->arm == RESULT_ERROR      ? "the eUICC refused the package"
                      : result->arm == RESULT_UNSIGNED ? "the eUICC did not accept the package"
                                                       : NULL;

    while (why == NULL && tlv_get(&in, &t) == 0)
        why = failure_of(&t);
    if (why != NULL && ret_why != NULL)
        *ret_why = why;
    return why == NULL;
}

bool eim_result_added(const struct eim_result *result, uint64_t *ret_token)
{
    struct tlv t;

    if (result->arm != RESULT_SIGNED || !tlv_find(result->results, 0xA8, &t))
        return false;
    if (find_number(t.value, 0x84, ret_token))
        return true;
    *ret_token = 0;
    return code_of(&t) == 0;
}

/* --- signatures ------------------------------------------------------------------------------ */

/* Raw, as it should be, or an ECDSA-Sig-Value as some send. */
static bool verify(struct crypto *c, const struct ec_pub *key, struct rd signed_part,
                   struct rd tail, struct rd signature)
{
    uint8_t raw[EC_SIGNATURE_LEN];
    struct rd parts[] = { signed_part, tail };

    if (signature.n != EC_SIGNATURE_LEN) {
        if (ecdsa_from_der(signature, raw) != 0)
            return false;
        signature = rd_of(raw, sizeof raw);
    }
    return ecdsa_verify(c, key, parts, N_ELEMS(parts), signature);
}

static bool verify_token(struct crypto *c, const struct eim_result *r, const struct ec_pub *key,
                         uint64_t token)
{
    uint8_t room[TOKEN_TLV_MAX];
    struct wr tail;

    wr_init(&tail, room, sizeof room);
    return eim_put_token(&tail, token) == 0 &&
           verify(c, key, r->signed_part, wr_view(&tail), r->signature);
}

const char *eim_result_verify(struct crypto *c, const struct eim_result *result,
                              const struct eim_signature_context *context)
{
    struct rd in = context->request;
    struct tlv request, body, signature;

    if (result->arm == RESULT_UNSIGNED)
        return NULL;
    if (verify_token(c, result, context->key, context->token))
        return "associationToken";
    if (context->only_token || tlv_expect(&in, EUICC_PACKAGE, &request) != 0 ||
        tlv_get(&request.value, &body) != 0 ||
        tlv_expect(&request.value, TAG_SIGNATURE, &signature) != 0)
        return NULL;
    if (verify(c, context->key, result->signed_part, signature.whole, result->signature))
        return "eimSignature";
    if (verify(c, context->key, result->signed_part, signature.value, result->signature))
        return "eimSignatureValue";
    return NULL;
}

/* --- certificates ---------------------------------------------------------------------------- */

/* The contents of A5 and A6 are a TBSCertificate, an algorithm and a signature; some put the whole
 * Certificate there. */
int eim_take_certificate(struct rd value, struct wr *ret)
{
    struct rd in = value;
    struct tlv first;

    TRY(tlv_expect(&in, TAG_SEQUENCE, &first));
    if (in.n == 0) {
        wr_put_rd(ret, value);
    } else {
        struct wr_mark mark = tlv_open(ret, TAG_SEQUENCE);
        wr_put_rd(ret, value);
        tlv_close(ret, mark);
    }
    return wr_failed(ret);
}

static const char *check_under(struct crypto *c, const struct cert *ci, const struct cert *eum,
                               const struct cert *euicc)
{
    const char *why = cert_check(c, eum, ROLE_EUM, cert_key(ci), cert_ski(ci));

    if (why == NULL)
        why = cert_check(c, euicc, ROLE_EUICC, cert_key(eum), cert_ski(eum));
    return why != NULL ? why : cert_check_eum_constraints(eum, euicc);
}

static const char *check_pair(struct crypto *c, struct cert *const *ci, size_t n_ci,
                              const struct cert *eum, const struct cert *euicc, const char *eid)
{
    if (eid[0] != '\0' && strcmp(cert_subject_serial(euicc), eid) != 0)
        return "CERT.EUICC is of another EID";
    for (size_t i = 0; i < n_ci; i++)
        if (rd_equal(cert_aki(eum), cert_ski(ci[i])))
            return check_under(c, ci[i], eum, euicc);
    return "CERT.EUM is under no CI that this eIM knows";
}

const char *eim_check_chain(struct crypto *c, struct cert *const *ci, size_t n_ci, struct rd eum,
                            struct rd euicc, const char *eid, struct cert **ret)
{
    struct cert *eum_cert = NULL, *euicc_cert = NULL;
    const char *why = NULL;

    if (cert_parse(c, eum, &eum_cert, &why) == 0 && cert_parse(c, euicc, &euicc_cert, &why) == 0)
        why = check_pair(c, ci, n_ci, eum_cert, euicc_cert, eid);
    else if (why == NULL)
        why = "not a certificate";
    cert_free(&eum_cert);
    if (why == NULL && ret != NULL)
        *ret = euicc_cert;
    else
        cert_free(&euicc_cert);
    return why;
}
