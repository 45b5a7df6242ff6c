/* eim.c - a model eIM. */
#include "tests/rsp/eim.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/err.h"
#include "tests/testlib/hex.h"

static const char own_eid[] = "89049032123451234512345678901235";

/* --- opening ---------------------------------------------------------------------------------- */

static struct ec_pub *euicc_key(const struct server *s)
{
    uint8_t point[EC_POINT_LEN];
    struct ec_pub *ret = NULL;
    struct cert *cert = NULL;
    const char *why = "";
    struct wr der;

    wr_init_heap(&der, PKI_MAX_FILE);
    ck_assert_int_eq(pki_read(s->pki, "eUICC/CERT_EUICC_ECDSA_NIST.der", &der), 0);
    ck_assert_msg(cert_parse(s->c, wr_view(&der), &cert, &why) == 0, "%s", why);
    ec_pub_point(cert_key(cert), point);
    ck_assert_int_eq(ec_pub_from_point(s->c, cert_curve(cert), rd_of(point, sizeof point), &ret),
                     0);
    cert_free(&cert);
    wr_done(&der);
    return ret;
}

static void begin(struct test_eim *t, const struct server *s, const char *id)
{
    memset(t, 0, sizeof *t);
    t->c = s->c;
    t->id = id;
    t->euicc = euicc_key(s);
    wr_init_heap(&t->certificate, PKI_MAX_FILE);
    wr_init_heap(&t->package, MESSAGE_MAX);
}

void test_eim_open(struct test_eim *t, const struct server *s, const char *id, const char *key)
{
    uint8_t number[EC_COORD_LEN];

    begin(t, s, id);
    ck_assert_uint_eq(hex(key, number, sizeof number), sizeof number);
    ck_assert_int_eq(ec_key_from_number(s->c, CURVE_P256, rd_of(number, sizeof number), &t->key),
                     0);
}

void test_eim_open_pki(struct test_eim *t, const struct server *s, const char *id, enum curve curve,
                       bool by_certificate)
{
    const char *name = curve == CURVE_P256 ? "NIST" : "BRP";
    char path[64];
    struct wr pem;

    begin(t, s, id);
    wr_init_heap(&pem, PKI_MAX_FILE);
    snprintf(path, sizeof path, "EIMsign/SK_S_EIMsign_ECDSA_%s.pem", name);
    ck_assert_int_eq(pki_read(s->pki, path, &pem), 0);
    ck_assert_int_eq(ec_key_read(s->c, wr_view(&pem), &t->key), 0);
    ck_assert_int_eq(ec_key_curve(t->key), curve);
    snprintf(path, sizeof path, "EIMsign/CERT_S_EIMsign_ECDSA_%s.der", name);
    if (by_certificate)
        ck_assert_int_eq(pki_read(s->pki, path, &t->certificate), 0);
    wr_done(&pem);
}

void test_eim_close(struct test_eim *t)
{
    ec_key_free(&t->key);
    ec_pub_free(&t->euicc);
    wr_done(&t->certificate);
    wr_done(&t->package);
}

/* --- association ------------------------------------------------------------------------------ */

/* The contents of a SubjectPublicKeyInfo. */
static void put_public_key(const struct test_eim *t, struct wr *ret)
{
    uint8_t point[EC_POINT_LEN];

    ec_key_point(t->key, point);
    hex_put(ret, ec_key_curve(t->key) == CURVE_P256
                     ? "30{ 06072A8648CE3D0201 06082A8648CE3D030107 }"
                     : "30{ 06072A8648CE3D0201 06092B2403030208010107 }");
    struct wr_mark bits = tlv_open(ret, 0x03);
    wr_put_u8(ret, 0);
    wr_put(ret, point, sizeof point);
    tlv_close(ret, bits);
}

void test_eim_put_configuration(const struct test_eim *t, const char *more, struct wr *ret)
{
    struct rd in = wr_view(&t->certificate);
    struct tlv certificate;

    tlv_put_str(ret, 0x80, t->id);
    tlv_put_uint(ret, 0x83, 0);
    struct wr_mark key = tlv_open(ret, 0xA5);
    if (in.n > 0) {
        ck_assert_int_eq(tlv_expect(&in, 0x30, &certificate), 0);
        tlv_put(ret, 0xA1, certificate.value);
    } else {
        struct wr_mark arm = tlv_open(ret, 0xA0);
        put_public_key(t, ret);
        tlv_close(ret, arm);
    }
    tlv_close(ret, key);
    hex_put(ret, more);
}

void test_eim_associate(struct test_eim *t, struct card *card, bool with_token)
{
    struct tlv token;
    struct wr request;

    wr_init_heap(&request, MESSAGE_MAX);
    struct wr_mark m = tlv_open(&request, 0xBF57);
    struct wr_mark list = tlv_open(&request, 0xA0);
    struct wr_mark one = tlv_open(&request, 0x30);
    test_eim_put_configuration(t, with_token ? "8401FF" : "", &request);
    tlv_close(&request, one);
    tlv_close(&request, list);
    tlv_close(&request, m);
    ck_assert_uint_eq(card_es10(card, wr_view(&request)), 0x9000);
    ck_assert_msg(message_has(wr_view(&card->data), "BF57/A0", &token), "%s", card->why);
    t->has_token = message_has(wr_view(&card->data), "BF57/A0/84", &token);
    ck_assert(t->has_token == with_token);
    if (with_token)
        ck_assert_int_eq(tlv_uint(token.value, &t->token), 0);
    wr_done(&request);
}

/* --- packages --------------------------------------------------------------------------------- */

/* 84 L token, 84 01 00 without one. */
static void put_token(const struct test_eim *t, struct wr *w)
{
    tlv_put_uint(w, 0x84, t->has_token ? t->token : 0);
}

/* A signature over data and what ties it to this association. */
static void sign(const struct test_eim *t, struct rd data, const char *token, struct wr *w)
{
    uint8_t octets[32], signature[EC_SIGNATURE_LEN];
    struct wr behind;

    wr_init(&behind, octets, sizeof octets);
    if (token != NULL)
        hex_put(&behind, token);
    else
        put_token(t, &behind);
    const struct rd parts[] = { data, wr_view(&behind) };
    ck_assert_int_eq(ecdsa_sign(t->c, t->key, parts, 2, signature), 0);
    tlv_put(w, 0x5F37, rd_of(signature, sizeof signature));
}

void test_eim_sign(struct test_eim *t, const struct package_plan *plan)
{
    struct wr data;

    t->counter = plan->counter != 0 ? plan->counter : t->counter + 1;
    wr_init_heap(&data, MESSAGE_MAX);
    struct wr_mark m = tlv_open(&data, 0x30);
    tlv_put_str(&data, 0x80, t->id);
    struct wr_mark eid = tlv_open(&data, 0x5A);
    hex_put(&data, plan->eid != NULL ? plan->eid : own_eid);
    tlv_close(&data, eid);
    tlv_put_uint(&data, 0x81, t->counter);
    if (plan->transaction_id == NULL || plan->transaction_id[0] != '\0') {
        struct wr_mark id = tlv_open(&data, 0x82);
        hex_put(&data, plan->transaction_id != NULL ? plan->transaction_id : "11223344");
        tlv_close(&data, id);
    }
    hex_put(&data, plan->list);
    tlv_close(&data, m);
    message_change(&data, plan->signed_change);

    wr_clear(&t->package);
    m = tlv_open(&t->package, 0xBF51);
    wr_put_rd(&t->package, wr_view(&data));
    sign(t, wr_view(&data), plan->token, &t->package);
    tlv_close(&t->package, m);
    wr_done(&data);
    message_change(&t->package, plan->change);
    if (plan->flip != NULL)
        message_flip(&t->package, plan->flip, -1, 0x01);
}

/* --- answers ---------------------------------------------------------------------------------- */

static void check_echo(const struct test_eim *t, struct rd answer, const char *path,
                       const char *field)
{
    char request_path[32], answer_path[32];
    struct tlv sent, got;

    snprintf(request_path, sizeof request_path, "BF51/30/%s", field);
    snprintf(answer_path, sizeof answer_path, "%s/%s", path, field);
    bool is_sent = message_has(wr_view(&t->package), request_path, &sent);
    ck_assert_msg(message_has(answer, answer_path, &got) == is_sent, "%s is not echoed", field);
    if (is_sent)
        ck_assert(rd_equal(sent.whole, got.whole));
}

/* Over the SEQUENCE, then the token that the eIM has or had (SGP.32 2.11.2.1). */
static void check_signature(const struct test_eim *t, struct rd data, struct rd signature)
{
    uint8_t octets[16];
    struct wr token;

    wr_init(&token, octets, sizeof octets);
    put_token(t, &token);
    const struct rd parts[] = { data, wr_view(&token) };
    ck_assert_msg(ecdsa_verify(t->c, t->euicc, parts, 2, signature),
                  "the eUICC's signature does not verify");
}

static long number_at(struct rd answer, const char *path)
{
    uint64_t n = 0;

    ck_assert_int_eq(tlv_uint(message_at(answer, path).value, &n), 0);
    return (long)n;
}

struct package_answer test_eim_take(const struct test_eim *t, struct rd answer)
{
    struct package_answer a = { .arm = ANSWER_UNSIGNED };
    struct tlv found;

    if (message_has(answer, "BF51/A2", &found)) {
        check_echo(t, answer, "BF51/A2", "80");
        a.has_token = message_has(answer, "BF51/A2/84", &found);
        if (a.has_token)
            ck_assert_uint_eq((uint64_t)number_at(answer, "BF51/A2/84"), t->token);
        if (message_has(answer, "BF51/A2/8F", &found))
            a.code = number_at(answer, "BF51/A2/8F");
        return a;
    }
    bool ok = message_has(answer, "BF51/A0", &found);
    const char *data = ok ? "BF51/A0/30" : "BF51/A1/30";
    check_signature(t, message_at(answer, data).whole,
                    message_at(answer, ok ? "BF51/A0/5F37" : "BF51/A1/5F37").value);
    check_echo(t, answer, data, "80");
    check_echo(t, answer, data, "81");
    check_echo(t, answer, data, "82");
    a.arm = ok ? ANSWER_RESULT : ANSWER_ERROR;
    if (ok) {
        a.sequence = (uint64_t)number_at(answer, "BF51/A0/30/83");
        a.results = message_at(answer, "BF51/A0/30/30").value;
    } else {
        a.code = number_at(answer, "BF51/A1/30/02");
    }
    return a;
}

struct package_answer test_eim_send(struct test_eim *t, struct card *card,
                                    const struct package_plan *plan)
{
    test_eim_sign(t, plan);
    card_es10(card, wr_view(&t->package));
    ck_assert_msg(card->sw == 0x9000 || card->sw >> 8 == 0x91, "%s: SW %04X (%s)", plan->list,
                  card->sw, card->why);
    return test_eim_take(t, wr_view(&card->data));
}

/* As test_eim_expect() writes it. */
static void describe(const struct package_answer *a, char *ret, size_t size)
{
    size_t n = 0;

    ret[0] = '\0';
    if (a->arm == ANSWER_ERROR)
        snprintf(ret, size, "error %ld", a->code);
    else if (a->arm == ANSWER_UNSIGNED)
        snprintf(ret, size, a->code != 0 ? "unsigned %ld" : "unsigned", a->code);
    else
        for (size_t i = 0; i < a->results.n && n + 3 < size; i++)
            n += (size_t)snprintf(ret + n, size - n, "%02X", a->results.p[i]);
}

static bool is_hex(const char *answer)
{
    return answer[0] != 'e' && answer[0] != 'u';
}

struct package_answer test_eim_expect(struct test_eim *t, struct card *card,
                                      const struct package_plan *plan, const char *answer)
{
    struct package_answer a = test_eim_send(t, card, plan);
    char got[512];
    struct wr wanted;

    describe(&a, got, sizeof got);
    wr_init_heap(&wanted, MESSAGE_MAX);
    if (is_hex(answer))
        hex_put(&wanted, answer);
    bool same = is_hex(answer) ? a.arm == ANSWER_RESULT && rd_equal(wr_view(&wanted), a.results)
                               : strcmp(got, answer) == 0;
    ck_assert_msg(same, "%s: %s instead of %s (%s)", plan->list, got, answer, card->why);
    ck_assert(a.arm == ANSWER_RESULT || card->checks > 0);
    wr_done(&wanted);
    return a;
}

struct package_answer test_eim_do(struct test_eim *t, struct card *card, const char *list,
                                  const char *answer)
{
    return test_eim_expect(t, card, &(struct package_plan){ .list = list }, answer);
}
