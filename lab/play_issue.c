/* play_issue.c - certificates and CRLs as scripts want them, right or wrong. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "certs/pki.h"
#include "lab/play_model.h"
#include "os/err.h"

enum {
    FILE_NAME_LEN = 128,
    MAX_SERIALS = 32,
    DAY = 24 * 60 * 60,
};

static const int64_t long_ago = 978307200; /* 2001 */

static const char ci_cert[] = "CertificateIssuer/CERT_CI_ECDSA_NIST.der";
static const char ci_key[] = "CertificateIssuer/SK_CI_ECDSA_NIST.pem";

/* What an issued certificate is made of. */
struct order {
    struct cert_request request;
    const char *key_file;
    char issuer_cert[FILE_NAME_LEN], issuer_key[FILE_NAME_LEN];
    bool wrong_signature;
};

static const struct {
    const char *name;
    enum cert_role role;
    const char *key, *oid;
} roles[] = {
    { "ci", ROLE_CI, ci_key, "2.999.1" },
    { "eum", ROLE_EUM, "EUM/SK_EUM_ECDSA_NIST.pem", "2.999.5" },
    { "euicc", ROLE_EUICC, "eUICC/SK_EUICC_ECDSA_NIST.pem", NULL },
    { "dpauth", ROLE_DP_AUTH, "DPauth/SK_S_SM_DPauth_ECDSA_NIST.pem", "2.999.10" },
    { "dppb", ROLE_DP_PB, "DPpb/SK_S_SM_DPpb_ECDSA_NIST.pem", "2.999.10" },
    { "dptls", ROLE_DP_TLS, "DPauth/SK_S_SM_DPauth_ECDSA_NIST.pem", "2.999.10" },
    { "dsauth", ROLE_DS_AUTH, "DSauth/SK_S_SM_DSauth_ECDSA_NIST.pem", "2.999.15" },
    { "dstls", ROLE_DS_TLS, "DSauth/SK_S_SM_DSauth_ECDSA_NIST.pem", "2.999.15" },
    { "eim", ROLE_NONE, "EIMsign/SK_S_EIMsign_ECDSA_NIST.pem", NULL },
};

static int begin_order(const struct play_arguments *w, struct order *ret, struct play_error *e)
{
    const int64_t now = time(NULL);
    size_t i = 0;

    while (i < N_ELEMS(roles) && (w->n < 2 || strcmp(roles[i].name, w->at[1]) != 0))
        i++;
    if (i == N_ELEMS(roles))
        return play_fail(e, w->where[w->n > 1],
                         "one of ci, eum, euicc, dpauth, dppb, dptls, dsauth, dstls, eim");
    *ret = (struct order){ .request = { .role = roles[i].role,
                                        .country = "ZZ",
                                        .organization = "softeuicc test",
                                        .common_name = "softeuicc script",
                                        .oid = roles[i].oid,
                                        .not_before = now - DAY,
                                        .not_after = now + DAY,
                                        .serial = 1 },
                           .key_file = roles[i].key };
    copy_text(ci_cert, ret->issuer_cert, sizeof ret->issuer_cert);
    copy_text(ci_key, ret->issuer_key, sizeof ret->issuer_key);
    if (roles[i].role == ROLE_EUM) {
        ret->request.name_constraint_o = "softeuicc test";
        ret->request.name_constraint_iin = "89049032";
    } else if (roles[i].role == ROLE_DP_TLS || roles[i].role == ROLE_DS_TLS) {
        ret->request.dns_name = "testsmdpplus1.example.com";
    }
    return 0;
}

static int order_word(const char *word, const char *where, struct order *o, struct play_error *e)
{
    unsigned long serial;
    const char *value;

    if (strcmp(word, "expired") == 0) {
        o->request.not_before = long_ago;
        o->request.not_after = long_ago + DAY;
    } else if (strcmp(word, "wrong-signature") == 0) {
        o->wrong_signature = true;
    } else if ((value = play_word_value(word, "key")) != NULL) {
        o->key_file = value;
    } else if ((value = play_word_value(word, "dns")) != NULL) {
        o->request.dns_name = value;
    } else if ((value = play_word_value(word, "oid")) != NULL) {
        o->request.oid = value;
    } else if ((value = play_word_value(word, "eid")) != NULL) {
        o->request.subject_serial = value;
    } else if ((value = play_word_value(word, "serial")) != NULL &&
               number_read(value, UINT32_MAX, &serial)) {
        o->request.serial = serial;
    } else if ((value = play_word_value(word, "issuer")) != NULL && strchr(value, ',') != NULL) {
        const char *comma = strchr(value, ',');
        if (copy_rd(rd_of(value, (size_t)(comma - value)), o->issuer_cert, sizeof o->issuer_cert) &&
            copy_text(comma + 1, o->issuer_key, sizeof o->issuer_key))
            return 0;
        return play_fail(e, where, "issuer=CERT,KEY of the PKI");
    } else {
        return play_fail(e, where, "not understood of a certificate: %.60s", word);
    }
    return 0;
}

static int read_cert(struct player *p, const char *file, const char *where, struct cert **ret,
                     struct play_error *e)
{
    const char *why = "";
    struct wr der;

    wr_init_heap(&der, PKI_MAX_FILE);
    int r =
        pki_read(p->pki, file, &der) != 0 || cert_parse(p->crypto, wr_view(&der), ret, &why) != 0
            ? play_fail(e, where, "no certificate in the PKI: %.200s %s", file, why)
            : 0;
    wr_done(&der);
    return r;
}

static int issue(struct player *p, struct order *o, const char *where, struct wr *ret,
                 struct play_error *e)
{
    struct ec_key *key = NULL, *issuer_key = NULL;
    uint8_t point[EC_POINT_LEN];
    struct cert *issuer = NULL;
    struct ec_pub *pub = NULL;

    int r = play_read_key(p, o->key_file, where, &key, e);
    if (r == 0)
        r = play_read_key(p, o->issuer_key, where, &issuer_key, e);
    if (r == 0 && o->request.role != ROLE_CI)
        r = read_cert(p, o->issuer_cert, where, &issuer, e);
    if (r == 0) {
        ec_key_point(key, point);
        o->request.issuer_key = issuer_key;
        o->request.issuer = issuer;
        if (ec_pub_from_point(p->crypto, ec_key_curve(key), rd_of(point, sizeof point), &pub) != 0)
            r = play_fail(e, where, "no public key");
        o->request.key = pub;
    }
    if (r == 0 && cert_issue(p->crypto, &o->request, ret) != 0)
        r = play_fail(e, where, "such a certificate cannot be issued");
    ec_pub_free(&pub);
    cert_free(&issuer);
    ec_key_free(&issuer_key);
    ec_key_free(&key);
    return r;
}

/* issue ROLE OPTION... */
int play_compute_issue(struct player *p, const struct play_arguments *w, struct wr *ret,
                       struct play_error *e)
{
    struct order o;

    TRY(begin_order(w, &o, e));
    for (size_t i = 2; i < w->n; i++)
        TRY(order_word(w->at[i], w->where[i], &o, e));
    TRY(issue(p, &o, w->where[1], ret, e));
    if (o.wrong_signature)
        ret->p[ret->n - 1] ^= 0x01;
    return 0;
}

/* crl NUMBER [SERIAL...] */
int play_compute_crl(struct player *p, const struct play_arguments *w, struct wr *ret,
                     struct play_error *e)
{
    uint8_t room[MAX_SERIALS][OID_MAX_LEN];
    struct rd serials[MAX_SERIALS];
    struct cert *ci = NULL;
    struct ec_key *key = NULL;
    unsigned long number;
    size_t n = 0;

    TRY(play_word_number(w, 1, UINT32_MAX, &number, e));
    for (size_t i = 2; i < w->n; i++, n++) {
        struct wr serial;
        if (n == MAX_SERIALS)
            return play_fail(e, w->where[i], "more than %d serial numbers", MAX_SERIALS);
        wr_init(&serial, room[n], sizeof room[n]);
        TRY(play_word_octets(w, i, 0, &serial, e));
        serials[n] = wr_view(&serial);
    }
    TRY(play_read_key(p, ci_key, w->where[0], &key, e));
    int r = read_cert(p, ci_cert, w->where[0], &ci, e);
    if (r == 0 && crl_issue(p->crypto, ci, key, number, 0, serials, n, time(NULL) - DAY, ret) != 0)
        r = play_fail(e, w->where[0], "the CRL cannot be issued");
    cert_free(&ci);
    ec_key_free(&key);
    return r;
}
