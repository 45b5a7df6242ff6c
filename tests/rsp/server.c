/* server.c - a model SM-DP+ (SGP.22 5.5, 5.6, 5.7; the protection itself is lab/bpp.c). */
#include "tests/rsp/server.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/util.h"
#include "os/err.h"
#include "tests/testlib/hex.h"
#include "tests/testlib/leak.h"

enum {
    TAG_AUTHENTICATE_SERVER = 0xBF38,
    TAG_PREPARE_DOWNLOAD = 0xBF21,
    TAG_CANCEL_SESSION = 0xBF41,
    TAG_BPP = 0xBF36,
    TAG_SEQUENCE = 0x30,
    TAG_OCTET_STRING = 0x04,
    TAG_BIT_STRING = 0x03,
    TAG_BOOLEAN = 0x01,
    TAG_SIGNATURE = 0x5F37,
    TAG_OTPK = 0x5F49,
    SECONDS_2030 = 1893456000,
    SECONDS_2001 = 1000000000,
};

static const char host_id[] = "test-host";

/* --- certificates ----------------------------------------------------------------------------- */

/* Where the PKI has them; certificates that are not here are issued. */
static const struct {
    const char *cert, *key;
} files[N_SERVER_CERTS] = {
    [CERT_DP_AUTH] = { "DPauth/CERT_S_SM_DPauth_ECDSA", "DPauth/SK_S_SM_DPauth_ECDSA" },
    [CERT_DP_PB] = { "DPpb/CERT_S_SM_DPpb_ECDSA", "DPpb/SK_S_SM_DPpb_ECDSA" },
    [CERT_DP2_AUTH] = { "DPauth/CERT_S_SM_DP2auth_ECDSA", "DPauth/SK_S_SM_DP2auth_ECDSA" },
    [CERT_DP2_PB] = { "DPpb/CERT_S_SM_DP2pb_ECDSA", "DPpb/SK_S_SM_DP2pb_ECDSA" },
    [CERT_DS_AUTH] = { "DSauth/CERT_S_SM_DSauth_ECDSA", "DSauth/SK_S_SM_DSauth_ECDSA" },
    [CERT_EUM] = { "EUM/CERT_EUM_ECDSA", "EUM/SK_EUM_ECDSA" },
    [CERT_CI] = { "CertificateIssuer/CERT_CI_ECDSA", "CertificateIssuer/SK_CI_ECDSA" },
};

static bool read_file(const struct server *s, const char *name, const char *suffix, struct wr *ret)
{
    char path[128];

    snprintf(path, sizeof path, "%s_%s%s", name, s->curve == CURVE_P256 ? "NIST" : "BRP", suffix);
    return pki_read(s->pki, path, ret) == 0;
}

static struct ec_key *read_key(const struct server *s, const char *name)
{
    struct ec_key *key = NULL;
    struct wr pem;

    wr_init_heap(&pem, PKI_MAX_FILE);
    if (read_file(s, name, ".pem", &pem))
        ck_assert_int_eq(ec_key_read(s->c, wr_view(&pem), &key), 0);
    wr_done(&pem);
    return key;
}

static struct cert *parse(const struct server *s, struct rd der)
{
    struct cert *cert = NULL;
    const char *why = "";

    ck_assert_msg(cert_parse(s->c, der, &cert, &why) == 0, "%s", why);
    return cert;
}

static struct ec_pub *public_of(const struct server *s, const struct ec_key *key)
{
    uint8_t point[EC_POINT_LEN];
    struct ec_pub *pub = NULL;

    ec_key_point(key, point);
    ck_assert_int_eq(ec_pub_from_point(s->c, ec_key_curve(key), rd_of(point, sizeof point), &pub),
                     0);
    return pub;
}

static struct cert *issue_ci(const struct server *s, struct ec_key **ret_key)
{
    struct wr der;

    ck_assert_int_eq(ec_key_generate(s->c, s->curve, ret_key), 0);
    struct ec_pub *pub = public_of(s, *ret_key);
    const struct cert_request request = { .role = ROLE_CI,
                                          .key = pub,
                                          .issuer_key = *ret_key,
                                          .common_name = "Unknown CI",
                                          .oid = "2.999.1",
                                          .not_before = SECONDS_2001,
                                          .not_after = SECONDS_2030,
                                          .serial = 1 };
    wr_init_heap(&der, PKI_MAX_FILE);
    ck_assert_int_eq(cert_issue(s->c, &request, &der), 0);
    struct cert *ci = parse(s, wr_view(&der));
    wr_done(&der);
    ec_pub_free(&pub);
    return ci;
}

static enum cert_role role_of(enum server_cert own)
{
    switch (own) {
    case CERT_DP_PB:
    case CERT_DP2_PB:
        return ROLE_DP_PB;
    case CERT_DS_AUTH:
        return ROLE_DS_AUTH;
    default:
        return ROLE_DP_AUTH;
    }
}

static void issue(struct server *s, enum server_cert which, enum server_cert own,
                  struct credential *ret)
{
    struct ec_key *other_key = NULL;
    struct cert *other = which == CERT_UNKNOWN_CI ? issue_ci(s, &other_key) : NULL;

    ck_assert_int_eq(ec_key_generate(s->c, s->curve, &ret->key), 0);
    struct ec_pub *pub = public_of(s, ret->key);
    const struct cert_request request = {
        .role = which == CERT_DP_TLS ? ROLE_DP_TLS : role_of(own),
        .key = pub,
        .issuer = other != NULL ? other : s->ci,
        .issuer_key = other != NULL ? other_key : s->ci_key,
        .organization = "softeuicc test",
        .common_name = "issued for a test",
        .oid = which == CERT_NO_OID  ? NULL
               : own == CERT_DS_AUTH ? "2.999.15"
                                     : "2.999.10",
        .not_before = SECONDS_2001,
        .not_after = which == CERT_EXPIRED ? SECONDS_2001 + 1 : SECONDS_2030,
        .serial = 4711,
    };
    ck_assert_int_eq(cert_issue(s->c, &request, &ret->der), 0);
    ec_pub_free(&pub);
    cert_free(&other);
    ec_key_free(&other_key);
}

struct credential server_credential(struct server *s, enum server_cert which, enum server_cert own)
{
    struct credential credential = { .key = NULL };

    if (which == CERT_OWN)
        which = own;
    wr_init_heap(&credential.der, PKI_MAX_FILE);
    if (files[which].cert == NULL) {
        issue(s, which, own, &credential);
        return credential;
    }
    ck_assert_msg(read_file(s, files[which].cert, ".der", &credential.der), "%s",
                  pki_reason(s->pki));
    credential.key = read_key(s, files[which].key);
    ck_assert_ptr_nonnull(credential.key);
    return credential;
}

void credential_done(struct credential *credential)
{
    wr_done(&credential->der);
    ec_key_free(&credential->key);
}

void server_change_cert(struct server *s, struct wr *der, struct change change)
{
    uint8_t signature[EC_SIGNATURE_LEN];
    struct wr bits, value;

    if (change.path == NULL)
        return;
    message_change(der, change);
    struct rd tbs = message_at(wr_view(der), "30/30").whole;
    ck_assert_int_eq(ecdsa_sign(s->c, s->ci_key, &tbs, 1, signature), 0);
    wr_init_heap(&value, 128);
    wr_put_u8(&value, 0); /* no unused bits */
    ck_assert_int_eq(ecdsa_to_der(signature, &value), 0);
    wr_init_heap(&bits, 256);
    tlv_put(&bits, TAG_BIT_STRING, wr_view(&value));
    message_replace(der, "30/03", wr_view(&bits));
    wr_done(&value);
    wr_done(&bits);
}

/* --- opening ---------------------------------------------------------------------------------- */

/* What the card holds as well: its key, and K, OPc, PINs and PUKs of its profiles. */
static void keep_secret(struct server *s)
{
    enum { AT_SCALAR = 7 }; /* RFC 5915 3 */
    struct ec_key *key = read_key(s, "eUICC/SK_EUICC_ECDSA");
    struct wr der;

    wr_init_heap(&der, 256);
    if (key != NULL && ec_key_write_der(s->c, key, &der) == 0)
        leak_add(rd_of(der.p + AT_SCALAR, LEAK_MIN));
    leak_add_hex("465B5CE8B199B49FAA5F0A2EE238A6BC");
    leak_add_hex("CD63CB71954A9F4E48A5994E37A02BAF");
    leak_add_hex("3131313131313131");
    leak_add_hex("3232323232323232");
    leak_add_hex("3535353535353535");
    leak_add_hex("39393939FFFFFFFF");
    wr_done(&der);
    ec_key_free(&key);
}

void server_open(struct server *s, const char *pki_dir, enum curve curve, const char *seed)
{
    struct wr der;

    memset(s, 0, sizeof *s);
    s->curve = curve;
    s->c = crypto_new(seed != NULL ? rd_str(seed) : rd_of(NULL, 0));
    ck_assert_ptr_nonnull(s->c);
    ck_assert_int_eq(pki_open(pki_dir, &s->pki), 0);
    wr_init_heap(&der, PKI_MAX_FILE);
    ck_assert_msg(read_file(s, files[CERT_CI].cert, ".der", &der), "%s", pki_reason(s->pki));
    s->ci = parse(s, wr_view(&der));
    s->ci_key = read_key(s, files[CERT_CI].key);
    wr_done(&der);
    wr_init_heap(&s->smdp_signature2, 128);
    keep_secret(s);
    server_begin(s);
}

void server_close(struct server *s)
{
    cert_free(&s->euicc);
    cert_free(&s->ci);
    ec_key_free(&s->ci_key);
    ec_key_free(&s->ot_sk);
    wr_done(&s->smdp_signature2);
    pki_close(&s->pki);
    crypto_free(&s->c);
}

void server_begin(struct server *s)
{
    s->transaction_id.n = TRANSACTION_ID_MAX;
    ck_assert_int_eq(crypto_random(s->c, s->transaction_id.b, TRANSACTION_ID_MAX), 0);
    ck_assert_int_eq(crypto_random(s->c, s->challenge, sizeof s->challenge), 0);
}

static struct rd transaction_id(const struct server *s)
{
    return rd_of(s->transaction_id.b, s->transaction_id.n);
}

/* Appends 5F37 over the parts. */
static void put_signature(const struct server *s, const struct ec_key *key, const struct rd *parts,
                          size_t n_parts, struct wr *ret)
{
    uint8_t signature[EC_SIGNATURE_LEN];

    ck_assert_int_eq(ecdsa_sign(s->c, key, parts, n_parts, signature), 0);
    tlv_put(ret, TAG_SIGNATURE, rd_of(signature, sizeof signature));
}

static void assert_signature(const struct server *s, const struct rd *parts, size_t n_parts,
                             struct rd signature)
{
    ck_assert_uint_eq(signature.n, EC_SIGNATURE_LEN);
    ck_assert_msg(ecdsa_verify(s->c, cert_key(s->euicc), parts, n_parts, signature),
                  "the eUICC's signature does not verify");
}

/* --- AuthenticateServer ----------------------------------------------------------------------- */

/* ctxParams1: matchingId and deviceInfo. */
static void put_ctx_params(const char *hex, struct wr *ret)
{
    static const char matching_id[] = "04386-AGYFT-A74Y8-3F815";

    if (hex != NULL) {
        hex_put(ret, hex);
        return;
    }
    struct wr_mark m = tlv_open(ret, 0xA0);
    tlv_put_str(ret, 0x80, matching_id);
    struct wr_mark device = tlv_open(ret, 0xA1);
    tlv_put(ret, 0x80, rd_of("\x35\x29\x06\x11", 4)); /* TAC */
    struct wr_mark capabilities = tlv_open(ret, 0xA1);
    tlv_put(ret, 0x80, rd_of("\x0F\x00\x00", 3)); /* GSM release 15 */
    tlv_close(ret, capabilities);
    tlv_close(ret, device);
    tlv_close(ret, m);
}

static void put_server_signed1(const struct server *s, struct rd euicc_challenge, struct wr *ret)
{
    struct wr_mark m = tlv_open(ret, TAG_SEQUENCE);
    tlv_put(ret, 0x80, transaction_id(s));
    tlv_put(ret, 0x81, euicc_challenge);
    tlv_put_str(ret, 0x83, SERVER_ADDRESS);
    tlv_put(ret, 0x84, rd_of(s->challenge, sizeof s->challenge));
    tlv_close(ret, m);
}

void server_authenticate(struct server *s, struct rd euicc_challenge,
                         const struct authenticate_plan *plan, struct wr *ret)
{
    enum server_cert own = plan->role != CERT_OWN ? plan->role : CERT_DP_AUTH;
    struct credential shown = server_credential(s, plan->cert, own);
    struct credential signer = server_credential(s, plan->key, own);
    const struct ec_key *key = plan->key != CERT_OWN ? signer.key : shown.key;
    struct wr signed1, body;

    server_change_cert(s, &shown.der, plan->cert_change);
    wr_init_heap(&signed1, MESSAGE_MAX);
    put_server_signed1(s, euicc_challenge, &signed1);
    message_change(&signed1, plan->signed_change);
    if (plan->reversed)
        message_reverse(&signed1, "30");
    const struct rd part = wr_view(&signed1);

    wr_init_heap(&body, MESSAGE_MAX);
    struct wr_mark m = tlv_open(&body, TAG_AUTHENTICATE_SERVER);
    wr_put_rd(&body, part);
    put_signature(s, key, &part, 1, &body);
    if (plan->ci_pkid != NULL)
        hex_put(&body, plan->ci_pkid);
    else
        tlv_put(&body, TAG_OCTET_STRING, cert_ski(s->ci));
    wr_put_rd(&body, wr_view(&shown.der));
    put_ctx_params(plan->ctx_params, &body);
    tlv_close(&body, m);
    message_change(&body, plan->change);
    if (plan->flip != NULL)
        message_flip(&body, plan->flip, plan->flip_at, 0x01);
    message_set(ret, wr_view(&body));
    wr_done(&body);
    wr_done(&signed1);
    credential_done(&shown);
    credential_done(&signer);
}

/* EID from the certificate's subject, packed. */
static void read_eid(const struct cert *euicc, uint8_t ret[BPP_EID_LEN])
{
    struct wr w;

    wr_init(&w, ret, BPP_EID_LEN);
    ck_assert(hex_read(cert_subject_serial(euicc), &w));
    ck_assert_uint_eq(w.n, BPP_EID_LEN);
}

/* CERT.EUICC under CERT.EUM under the CI. */
static void check_chain(struct server *s, struct rd euicc_der, struct rd eum_der)
{
    struct cert *euicc = parse(s, euicc_der), *eum = parse(s, eum_der);

    const char *why = cert_check(s->c, eum, ROLE_EUM, cert_key(s->ci), cert_ski(s->ci));
    ck_assert_msg(why == NULL, "CERT.EUM: %s", why);
    why = cert_check(s->c, euicc, ROLE_EUICC, cert_key(eum), cert_ski(eum));
    ck_assert_msg(why == NULL, "CERT.EUICC: %s", why);
    why = cert_check_eum_constraints(eum, euicc);
    ck_assert_msg(why == NULL, "CERT.EUICC: %s", why);
    cert_free(&eum);
    cert_free(&s->euicc);
    s->euicc = euicc;
}

long server_take_authenticate(struct server *s, struct rd answer)
{
    struct rsp_authenticate a;

    ck_assert_int_eq(rsp_read_authenticate(answer, &a), 0);
    if (a.error != 0)
        return a.error;
    check_chain(s, a.euicc_cert, a.eum_cert);
    read_eid(s->euicc, s->eid);
    ck_assert_int_eq(cert_curve(s->euicc), s->curve);
    assert_signature(s, &a.signed1, 1, a.signature1);
    memcpy(s->euicc_signature1, a.signature1.p, a.signature1.n);
    ck_assert_mem_eq(a.server_challenge, s->challenge, CHALLENGE_LEN);
    return 0;
}

/* --- PrepareDownload -------------------------------------------------------------------------- */

static void put_smdp_signed2(const struct server *s, const struct prepare_plan *plan,
                             struct wr *ret)
{
    struct wr_mark m = tlv_open(ret, TAG_SEQUENCE);
    tlv_put(ret, 0x80, transaction_id(s));
    tlv_put_u8(ret, TAG_BOOLEAN, plan->cc_required ? 0xFF : 0x00);
    if (plan->bpp_euicc_otpk.n > 0)
        tlv_put(ret, TAG_OTPK, plan->bpp_euicc_otpk);
    tlv_close(ret, m);
}

void server_prepare(struct server *s, const struct prepare_plan *plan, struct wr *ret)
{
    struct credential shown = server_credential(s, plan->cert, CERT_DP_PB);
    struct credential signer = server_credential(s, plan->key, CERT_DP_PB);
    const struct ec_key *key = plan->key != CERT_OWN ? signer.key : shown.key;
    uint8_t octets[128];
    struct wr signed2, body, signature1;

    server_change_cert(s, &shown.der, plan->cert_change);
    wr_init_heap(&signed2, MESSAGE_MAX);
    put_smdp_signed2(s, plan, &signed2);
    message_change(&signed2, plan->signed_change);
    if (plan->reversed)
        message_reverse(&signed2, "30");
    wr_init(&signature1, octets, sizeof octets);
    tlv_put(&signature1, TAG_SIGNATURE, rd_of(s->euicc_signature1, sizeof s->euicc_signature1));
    const struct rd parts[] = { wr_view(&signed2), wr_view(&signature1) };

    wr_clear(&s->smdp_signature2);
    put_signature(s, key, parts, plan->without_signature1 ? 1 : 2, &s->smdp_signature2);
    wr_init_heap(&body, MESSAGE_MAX);
    struct wr_mark m = tlv_open(&body, TAG_PREPARE_DOWNLOAD);
    wr_put_rd(&body, parts[0]);
    wr_put_rd(&body, wr_view(&s->smdp_signature2));
    if (plan->hash_cc != NULL) {
        struct wr_mark hash = tlv_open(&body, TAG_OCTET_STRING);
        hex_put(&body, plan->hash_cc);
        tlv_close(&body, hash);
    }
    wr_put_rd(&body, wr_view(&shown.der));
    tlv_close(&body, m);
    message_change(&body, plan->change);
    if (plan->flip != NULL)
        message_flip(&body, plan->flip, plan->flip_at, 0x01);
    message_set(ret, wr_view(&body));
    wr_done(&body);
    wr_done(&signed2);
    credential_done(&shown);
    credential_done(&signer);
}

long server_take_prepare(struct server *s, struct rd answer, const struct prepare_plan *plan)
{
    struct rsp_prepare p;

    ck_assert_int_eq(rsp_read_prepare(answer, &p), 0);
    if (p.error != 0)
        return p.error;
    const struct rd parts[] = { p.signed2, wr_view(&s->smdp_signature2) };
    assert_signature(s, parts, N_ELEMS(parts), p.signature2);
    ck_assert(rd_equal(rd_of(p.transaction_id.b, p.transaction_id.n), transaction_id(s)));
    ck_assert_int_eq(p.has_hash_cc, plan->cc_required);
    memcpy(s->ot_pk_euicc, p.ot_pk, sizeof s->ot_pk_euicc);
    struct ec_pub *on_curve = NULL;
    ck_assert_int_eq(ec_pub_from_point(s->c, s->curve, rd_of(p.ot_pk, sizeof p.ot_pk), &on_curve),
                     0);
    ec_pub_free(&on_curve);
    return 0;
}

/* --- BoundProfilePackage ---------------------------------------------------------------------- */

static struct rd own_otpk(const struct server *s)
{
    return rd_of(s->ot_pk_euicc, sizeof s->ot_pk_euicc);
}

/* Changes BF23 and signs it again: its fields as sent, and the eUICC's key behind them. */
static void change_isc(const struct server *s, const struct ec_key *key, struct change change,
                       struct wr *isc)
{
    struct wr fields, own, signature;

    if (change.path == NULL)
        return;
    message_change(isc, change);
    fields = message_copy(message_at(wr_view(isc), "BF23").value);
    message_replace(&fields, "5F37", rd_of(NULL, 0));
    wr_init_heap(&own, 128);
    tlv_put(&own, TAG_OTPK, own_otpk(s));
    const struct rd parts[] = { wr_view(&fields), wr_view(&own) };
    wr_init_heap(&signature, 128);
    put_signature(s, key, parts, N_ELEMS(parts), &signature);
    message_replace(isc, "BF23/5F37", wr_view(&signature));
    wr_done(&signature);
    wr_done(&own);
    wr_done(&fields);
}

static void put_isc(struct server *s, const struct bpp_plan *plan, struct wr *ret)
{
    struct credential pb = server_credential(s, CERT_OWN, CERT_DP_PB);
    const struct bpp_session session = { .transaction_id = transaction_id(s),
                                         .host_id = rd_str(host_id),
                                         .eid = rd_of(s->eid, sizeof s->eid),
                                         .ot_sk_dp = s->ot_sk,
                                         .ot_pk_euicc = own_otpk(s),
                                         .sk_dppb = pb.key };

    ck_assert_int_eq(bpp_initialise(s->c, &session, ret), 0);
    change_isc(s, pb.key, plan->isc_change, ret);
    credential_done(&pb);
}

/* The plaintexts of the functions. */
struct content {
    struct wr configure, metadata, upp, replace_keys;
};

static void make_content(const struct bpp_plan *plan, struct content *ret)
{
    struct wr upp, metadata;

    wr_init_heap(&upp, MESSAGE_MAX);
    wr_init_heap(&metadata, MESSAGE_MAX);
    server_profile(1, &upp, &metadata);
    ret->upp = message_copy(plan->upp.n > 0 ? plan->upp : wr_view(&upp));
    ret->metadata = message_copy(plan->metadata.n > 0 ? plan->metadata : wr_view(&metadata));
    wr_init_heap(&ret->configure, MESSAGE_MAX);
    wr_init_heap(&ret->replace_keys, MESSAGE_MAX);
    hex_put(&ret->configure, plan->configure != NULL ? plan->configure : "BF2400");
    if (plan->replace_keys != NULL)
        hex_put(&ret->replace_keys, plan->replace_keys);
    message_change(&ret->metadata, plan->metadata_change);
    message_change(&ret->upp, plan->upp_change);
    if (plan->upp_tail != NULL)
        hex_put(&ret->upp, plan->upp_tail);
    ck_assert_uint_le(plan->upp_cut, ret->upp.n);
    ret->upp.n -= plan->upp_cut;
    wr_done(&upp);
    wr_done(&metadata);
}

static void content_done(struct content *c)
{
    wr_done(&c->configure);
    wr_done(&c->metadata);
    wr_done(&c->upp);
    wr_done(&c->replace_keys);
}

/* As a server would, or with a ReplaceSessionKeys of the test's. */
static void put_protected(struct server *s, struct bsp *bsp, const struct bpp_plan *plan,
                          const struct content *content, struct wr *ret)
{
    uint8_t ppk[BSP_KEYS_LEN];

    for (size_t i = 0; i < sizeof ppk; i++)
        ppk[i] = (uint8_t)(0x30 + i);
    const struct bpp_content good = { .configure_isdp = wr_view(&content->configure),
                                      .metadata = wr_view(&content->metadata),
                                      .upp = wr_view(&content->upp),
                                      .ppk = plan->ppk ? ppk : NULL,
                                      .replace_keys = wr_view(&content->replace_keys) };
    ck_assert_int_eq(bpp_protect(s->c, bsp, &good, ret), 0);
}

void server_bind(struct server *s, const struct bpp_plan *plan, struct wr *ret)
{
    struct content content;
    struct wr isc, body;
    struct bsp bsp;

    ec_key_free(&s->ot_sk);
    ck_assert_int_eq(ec_key_generate(s->c, s->curve, &s->ot_sk), 0);
    ck_assert_int_eq(bsp_derive(s->c, s->ot_sk, own_otpk(s), rd_str(host_id),
                                rd_of(s->eid, sizeof s->eid), &bsp),
                     0);
    make_content(plan, &content);
    wr_init_heap(&isc, MESSAGE_MAX);
    wr_init_heap(&body, MESSAGE_MAX);
    put_isc(s, plan, &isc);
    leak_add(rd_of(bsp.s_enc, sizeof bsp.s_enc));
    leak_add(rd_of(bsp.s_mac, sizeof bsp.s_mac));
    put_protected(s, &bsp, plan, &content, &body);
    wr_clear(ret);
    bpp_join(wr_view(&isc), wr_view(&body), ret);
    message_change(ret, plan->change);
    if (plan->flip != NULL)
        message_flip(ret, plan->flip, plan->flip_at, 0x01);
    bsp_done(&bsp);
    content_done(&content);
    wr_done(&isc);
    wr_done(&body);
}

void server_take_notification(struct server *s, struct rd pending, struct rsp_notification *ret)
{
    ck_assert_int_eq(rsp_read_notification(pending, ret), 0);
    if (!ret->is_installation_result)
        check_chain(s, ret->euicc_cert, ret->eum_cert);
    assert_signature(s, &ret->signed_part, 1, ret->signature);
    if (!ret->is_installation_result)
        return;
    struct credential pb = server_credential(s, CERT_OWN, CERT_DP_PB);
    struct cert *cert = parse(s, wr_view(&pb.der));
    ck_assert(rd_equal(rd_of(ret->smdp_oid, ret->n_smdp_oid), cert_oid(cert)));
    ck_assert(rd_equal(rd_of(ret->transaction_id.b, ret->transaction_id.n), transaction_id(s)));
    ck_assert_str_eq(ret->address, SERVER_ADDRESS);
    ck_assert_uint_eq(ret->events, 1); /* install */
    cert_free(&cert);
    credential_done(&pb);
}

/* --- CancelSession ---------------------------------------------------------------------------- */

void server_cancel(struct server *s, unsigned reason, struct wr *ret)
{
    wr_clear(ret);
    struct wr_mark m = tlv_open(ret, TAG_CANCEL_SESSION);
    tlv_put(ret, 0x80, transaction_id(s));
    tlv_put_uint(ret, 0x81, reason);
    tlv_close(ret, m);
}

long server_take_cancel(struct server *s, struct rd answer, unsigned reason)
{
    struct rsp_cancel c;

    ck_assert_int_eq(rsp_read_cancel(answer, &c), 0);
    if (c.error != 0)
        return c.error;
    assert_signature(s, &c.signed_part, 1, c.signature);
    ck_assert(rd_equal(rd_of(c.transaction_id.b, c.transaction_id.n), transaction_id(s)));
    ck_assert_int_eq(c.reason, (long)reason);
    return 0;
}

/* --- the profile ------------------------------------------------------------------------------ */

/* Path of our own profile package, from the build. */
static void read_operational(struct wr *ret)
{
    const char *path = getenv("SOFTEUICC_OPERATIONAL");
    struct lab_error e;

    ck_assert_msg(path != NULL, "SOFTEUICC_OPERATIONAL is not set: run by meson test");
    ck_assert_msg(file_read(path, ret, &e) == 0, "%s", e.text);
}

const char *server_iccid(unsigned digit)
{
    static const char *const iccids[] = {
        "980010000000000000F9", "980010000000000010F9", "980010000000000020F9",
        "980010000000000030F9", "980010000000000040F9", "980010000000000050F9",
        "980010000000000060F9", "980010000000000070F9", "980010000000000080F9",
        "980010000000000090F9",
    };

    return iccids[digit];
}

/* The digits of an ICCID in their order, or as in EF.ICCID: one from the other. */
static void swap_nibbles(struct rd from, struct wr *ret)
{
    for (size_t i = 0; i < from.n; i++)
        wr_put_u8(ret, (uint8_t)(from.p[i] << 4 | from.p[i] >> 4));
}

void server_metadata(struct rd upp, struct wr *ret)
{
    static const uint8_t events[] = { 1, 2, 3 }; /* enable, disable, delete */

    wr_clear(ret);
    struct wr_mark m = tlv_open(ret, 0xBF25);
    struct wr_mark iccid = tlv_open(ret, 0x5A);
    swap_nibbles(message_at(upp, "A0/83").value, ret);
    tlv_close(ret, iccid);
    tlv_put_str(ret, 0x91, "SP Name 1");
    tlv_put_str(ret, 0x92, "Operational Profile Name 1");
    struct wr_mark list = tlv_open(ret, 0xB6);
    for (size_t i = 0; i < sizeof events; i++) {
        struct wr_mark entry = tlv_open(ret, TAG_SEQUENCE);
        tlv_put_bits(ret, 0x80, UINT32_C(1) << events[i]);
        tlv_put_str(ret, 0x81, SERVER_ADDRESS);
        tlv_close(ret, entry);
    }
    tlv_close(ret, list);
    tlv_close(ret, m);
}

void server_put_load_crl(struct rd crl, struct wr *ret)
{
    struct tlv t;

    ck_assert_int_eq(tlv_get(&crl, &t), 0);
    wr_clear(ret);
    struct wr_mark m = tlv_open(ret, 0xBF35);
    tlv_put(ret, 0xA0, t.value);
    tlv_close(ret, m);
}

void server_profile(unsigned digit, struct wr *ret_upp, struct wr *ret_metadata)
{
    struct wr iccid, header;

    wr_clear(ret_upp);
    read_operational(ret_upp);
    wr_init_heap(&iccid, 16);
    hex_put(&iccid, server_iccid(digit));
    wr_init_heap(&header, 32);
    struct wr_mark m = tlv_open(&header, 0x83);
    swap_nibbles(wr_view(&iccid), &header);
    tlv_close(&header, m);
    message_replace(ret_upp, "A0/83", wr_view(&header));
    server_metadata(wr_view(ret_upp), ret_metadata);
    wr_done(&iccid);
    wr_done(&header);
}

/* --- pieces ----------------------------------------------------------------------------------- */

/* Where the pieces begin, collected. */
struct cutter {
    struct rd *pieces;
    size_t n, max;
};

static void cut(struct cutter *c, const uint8_t *from, const uint8_t *to)
{
    ck_assert_uint_lt(c->n, c->max);
    c->pieces[c->n++] = rd_of(from, (size_t)(to - from));
}

static void cut_evenly(struct cutter *c, struct rd bpp, size_t size)
{
    struct rd piece;

    while (bpp.n > 0) {
        ck_assert_int_eq(rd_take(&bpp, bpp.n < size ? bpp.n : size, &piece), 0);
        cut(c, piece.p, piece.p + piece.n);
    }
}

/* One container: its header, joined to the first segment or not, and its segments. */
static void cut_container(struct cutter *c, const struct tlv *container, bool join)
{
    const uint8_t *from = container->whole.p;
    struct rd in = container->value;
    struct tlv segment;

    if (!join) {
        cut(c, from, in.p);
        from = in.p;
    }
    while (tlv_get(&in, &segment) == 0) {
        cut(c, from, in.p);
        from = in.p;
    }
    if (in.n > 0) /* what a test made of it is no TLV */
        cut(c, from, in.p + in.n);
}

static void cut_as_lpas_do(struct cutter *c, struct rd bpp, enum slicing slicing)
{
    struct tlv outer, part;
    struct rd in = bpp;

    ck_assert_int_eq(tlv_get(&in, &outer), 0);
    const uint8_t *from = bpp.p;
    if (slicing == HEADERS_APART) {
        cut(c, from, outer.value.p);
        from = outer.value.p;
    }
    in = outer.value;
    for (size_t i = 0; tlv_get(&in, &part) == 0; i++) {
        bool whole = part.tag == 0xA0 || part.tag == 0xA2;
        if (i == 0)
            cut(c, from, in.p);
        else
            cut_container(c, &part, slicing == HEADERS_JOINED || (whole && slicing == AS_LPAS_DO));
    }
    if (in.n > 0)
        cut(c, in.p, in.p + in.n);
}

size_t server_slice(struct rd bpp, enum slicing slicing, struct rd *ret_pieces, size_t max)
{
    struct cutter c = { .pieces = ret_pieces, .max = max };

    switch (slicing) {
    case PIECES_OF_1:
        cut_evenly(&c, bpp, 1);
        break;
    case PIECES_OF_255:
        cut_evenly(&c, bpp, 255);
        break;
    case IN_ONE_PIECE:
        cut_evenly(&c, bpp, bpp.n);
        break;
    default:
        cut_as_lpas_do(&c, bpp, slicing);
    }
    return c.n;
}
