/* mutual.c - the common mutual authentication on a server's side (SGP.22 3.1.2, 5.6, 5.8). */
#include "lab/mutual.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "os/err.h"
#include "os/tlv.h"

enum {
    TRANSACTION_ID_LEN = 16,
    LOWEST_SVN_MAJOR = 2,

    TAG_SEQUENCE = 0x30,
    TAG_OCTET_STRING = 0x04,
    TAG_SIGNATURE = 0x5F37,
};

static const struct es9p_status done;

struct es9p_status es9p_refuse(const char *subject, const char *reason, const char *message)
{
    return (struct es9p_status){ subject, reason, message };
}

struct es9p_status es9p_refuse_malformed(const char *message)
{
    return es9p_refuse("1.6", "2.1", message);
}

struct es9p_status es9p_refuse_transaction(void)
{
    return es9p_refuse("8.10.1", "3.9", "unknown transactionId");
}

struct es9p_status mutual_refuse_internal(const struct mutual *m)
{
    return es9p_refuse(m->kind->server, "4.2", "internal error of the server");
}

/* --- sessions -------------------------------------------------------------------------------- */

static void session_free(const struct mutual *m, struct mutual_session **s)
{
    if (*s == NULL)
        return;
    if (m->session_done != NULL)
        m->session_done(*s);
    cert_free(&(*s)->euicc);
    free(*s);
    *s = NULL;
}

static bool session_is_old(const struct mutual_session *s)
{
    return !s->lasts && time(NULL) - s->born > MUTUAL_SESSION_SECONDS;
}

/* A place for a new session: a free one, or that of the session that was not used for longest. */
static struct mutual_session **session_place(struct mutual *m)
{
    struct mutual_session **place = NULL;

    for (size_t i = 0; i < MUTUAL_MAX_SESSIONS; i++) {
        struct mutual_session **at = &m->sessions[i];
        if (*at != NULL && session_is_old(*at))
            session_free(m, at);
        if (place == NULL || (*place != NULL && (*at == NULL || (*at)->used < (*place)->used)))
            place = at;
    }
    session_free(m, place);
    return place;
}

struct mutual_session *mutual_find(struct mutual *m, struct rd transaction_id)
{
    for (size_t i = 0; i < MUTUAL_MAX_SESSIONS; i++) {
        struct mutual_session *s = m->sessions[i];
        if (s != NULL && !session_is_old(s) &&
            rd_equal(rd_of(s->transaction_id.b, s->transaction_id.n), transaction_id)) {
            s->used = ++m->uses;
            return s;
        }
    }
    return NULL;
}

void mutual_drop(struct mutual *m, struct mutual_session *s)
{
    for (size_t i = 0; i < MUTUAL_MAX_SESSIONS; i++)
        if (m->sessions[i] == s)
            session_free(m, &m->sessions[i]);
}

void mutual_done(struct mutual *m)
{
    for (size_t i = 0; i < MUTUAL_MAX_SESSIONS; i++)
        session_free(m, &m->sessions[i]);
    for (size_t i = 0; i < m->n_identities; i++)
        identity_done(&m->identities[i]);
    m->n_identities = 0;
}

/* --- InitiateAuthentication ------------------------------------------------------------------ */

static bool has_ski(const uint8_t (*list)[SKI_LEN], size_t n, struct rd ski)
{
    for (size_t i = 0; i < n; i++)
        if (rd_equal(rd_of(list[i], SKI_LEN), ski))
            return true;
    return false;
}

/* The first CI in the eUICC's order that it signs under, and under which it can verify us. */
static struct es9p_status choose_identity(const struct mutual *m, const struct rsp_info1 *info,
                                          const struct rsp_identity **ret)
{
    bool known = false;

    for (size_t i = 0; i < info->n_signing; i++) {
        for (size_t j = 0; j < m->n_identities; j++) {
            const struct rsp_identity *identity = &m->identities[j];
            struct rd ski = cert_ski(identity->ci);
            if (!rd_equal(rd_of(info->signing[i], SKI_LEN), ski))
                continue;
            known = true;
            if (has_ski(info->verification, info->n_verification, ski)) {
                *ret = identity;
                return done;
            }
        }
    }
    if (known)
        return es9p_refuse(m->kind->certificate, "3.7",
                           "no certificate of the server that the eUICC can verify");
    return es9p_refuse(m->kind->security, "3.1",
                       "none of the eUICC's CI public key identifiers is supported");
}

static int write_server_signed1(const struct mutual_session *s, struct rd euicc_challenge,
                                struct wr *ret)
{
    struct wr_mark mark = tlv_open(ret, TAG_SEQUENCE);

    tlv_put(ret, 0x80, rd_of(s->transaction_id.b, s->transaction_id.n));
    tlv_put(ret, 0x81, euicc_challenge);
    tlv_put_str(ret, 0x83, s->address);
    tlv_put(ret, 0x84, rd_of(s->server_challenge, sizeof s->server_challenge));
    tlv_close(ret, mark);
    return wr_failed(ret);
}

static int answer_initiate(struct mutual *m, struct mutual_session *s, struct rd euicc_challenge,
                           struct mutual_initiation *ret)
{
    uint8_t signature[EC_SIGNATURE_LEN];

    s->transaction_id.n = TRANSACTION_ID_LEN;
    TRY(crypto_random(m->crypto, s->transaction_id.b, TRANSACTION_ID_LEN));
    TRY(crypto_random(m->crypto, s->server_challenge, sizeof s->server_challenge));
    TRY(write_server_signed1(s, euicc_challenge, &ret->server_signed1));
    struct rd part = wr_view(&ret->server_signed1);
    TRY(ecdsa_sign(m->crypto, s->identity->auth_key, &part, 1, signature));
    tlv_put(&ret->server_signature1, TAG_SIGNATURE, rd_of(signature, sizeof signature));
    tlv_put(&ret->ci_pk_id, TAG_OCTET_STRING, cert_ski(s->identity->ci));
    wr_put_rd(&ret->server_certificate, cert_der(s->identity->auth));
    TRY(wr_failed(&ret->server_signature1));
    TRY(wr_failed(&ret->ci_pk_id));
    return wr_failed(&ret->server_certificate);
}

struct es9p_status mutual_initiate(struct mutual *m, struct rd euicc_challenge,
                                   struct rd euicc_info1, const char *address,
                                   struct mutual_initiation *ret,
                                   struct mutual_session **ret_session)
{
    struct rsp_info1 info;
    const struct rsp_identity *identity = NULL;

    if (strcasecmp(address, m->host) != 0 && strcasecmp(address, m->address) != 0)
        return es9p_refuse(m->kind->address, "3.8", "it is not the address of this server");
    if (euicc_challenge.n != CHALLENGE_LEN)
        return es9p_refuse_malformed("euiccChallenge is not 16 octets");
    if (rsp_read_info1(euicc_info1, &info) != 0)
        return es9p_refuse_malformed("euiccInfo1 is not an EUICCInfo1");
    if (info.svn[0] < LOWEST_SVN_MAJOR)
        return es9p_refuse(m->kind->svn, "3.1", "the eUICC's SVN is not supported");
    struct es9p_status status = choose_identity(m, &info, &identity);
    if (status.subject != NULL)
        return status;

    struct mutual_session *s = calloc(1, m->kind->session_size);
    if (s == NULL)
        return mutual_refuse_internal(m);
    s->born = time(NULL);
    s->used = ++m->uses;
    s->identity = identity;
    if (!copy_text(address, s->address, sizeof s->address) ||
        answer_initiate(m, s, euicc_challenge, ret) != 0) {
        free(s);
        return mutual_refuse_internal(m);
    }
    *session_place(m) = s;
    *ret_session = s;
    return done;
}

/* --- AuthenticateClient ---------------------------------------------------------------------- */

struct es9p_status mutual_check_chain(struct crypto *c, const struct cert *ci, struct rd eum_der,
                                      struct rd euicc_der, struct cert **ret_euicc)
{
    struct cert *eum = NULL, *euicc = NULL;
    const char *why = NULL;
    struct es9p_status status = done;

    if (cert_parse(c, eum_der, &eum, &why) != 0 ||
        (why = cert_check(c, eum, ROLE_EUM, cert_key(ci), cert_ski(ci))) != NULL)
        status = es9p_refuse("8.1.2", "6.1", why);
    else if (cert_parse(c, euicc_der, &euicc, &why) != 0 ||
             (why = cert_check(c, euicc, ROLE_EUICC, cert_key(eum), cert_ski(eum))) != NULL ||
             (why = cert_check_eum_constraints(eum, euicc)) != NULL)
        status = es9p_refuse("8.1.3", "6.1", why);
    cert_free(&eum);
    if (status.subject == NULL)
        *ret_euicc = euicc;
    else
        cert_free(&euicc);
    return status;
}

static bool read_eid(const struct cert *euicc, uint8_t ret[MUTUAL_EID_LEN])
{
    const char *digits = cert_subject_serial(euicc);
    struct wr w;

    wr_init(&w, ret, MUTUAL_EID_LEN);
    return strspn(digits, "0123456789") == EID_DIGITS && hex_read(digits, &w) &&
           w.n == MUTUAL_EID_LEN;
}

static struct es9p_status check_euicc(struct mutual *m, struct mutual_session *s,
                                      const struct rsp_authenticate *a)
{
    struct es9p_status status =
        mutual_check_chain(m->crypto, s->identity->ci, a->eum_cert, a->euicc_cert, &s->euicc);

    if (status.subject != NULL)
        return status;
    if (!read_eid(s->euicc, s->eid))
        return es9p_refuse("8.1.3", "6.1", "the subject of CERT.EUICC.ECDSA holds no EID");
    if (!ecdsa_verify(m->crypto, cert_key(s->euicc), &a->signed1, 1, a->signature1))
        return es9p_refuse("8.1", "6.1", "euiccSignature1 does not verify");
    if (!rd_equal(rd_of(a->transaction_id.b, a->transaction_id.n),
                  rd_of(s->transaction_id.b, s->transaction_id.n)))
        return es9p_refuse("8.1", "6.1", "euiccSigned1.transactionId is not that of the session");
    if (!crypto_equal(a->server_challenge, s->server_challenge, sizeof s->server_challenge))
        return es9p_refuse("8.1", "6.1", "euiccSigned1.serverChallenge is not that of the session");
    if (strcmp(a->server_address, s->address) != 0)
        return es9p_refuse("8.1", "6.1", "euiccSigned1.serverAddress is not that of the session");
    return done;
}

struct es9p_status mutual_authenticate(struct mutual *m, struct rd transaction_id,
                                       struct rd authenticate_server_response,
                                       struct rsp_authenticate *ret,
                                       struct mutual_session **ret_session)
{
    struct mutual_session *s = mutual_find(m, transaction_id);

    *ret_session = NULL;
    if (s == NULL || s->authenticated)
        return es9p_refuse_transaction();
    *ret_session = s;
    if (rsp_read_authenticate(authenticate_server_response, ret) != 0)
        return es9p_refuse_malformed(
            "authenticateServerResponse is not an AuthenticateServerResponse");
    s->authenticated = true;
    if (ret->error != 0)
        return es9p_refuse("8.1", "4.2", "the eUICC refused the server");
    return check_euicc(m, s, ret);
}
