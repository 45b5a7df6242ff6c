/* smdpp.c - the SM-DP+: ES9+ without its transport (SGP.22 3.1, 5.5, 5.6).
 *
 * A session goes INITIATED -> AUTHENTICATED -> BOUND; the eUICC's certificate is kept with it so
 * that the ProfileInstallationResult can be verified later.  A binding belongs to a matching id
 * and an EID, and lasts until its profile is installed. */
#include "lab/smdpp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "lab/bpp.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    TRANSACTION_ID_LEN = 16,
    HOST_ID_LEN = 16,
    METADATA_MAX = 8192,
    MATCHING_ID_MAX = 128,
    PATH_LEN = 4096,
    BPP_MAX = 16 * 1024 * 1024,
    LOWEST_SVN_MAJOR = 2,

    TAG_SEQUENCE = 0x30,
    TAG_BOOLEAN = 0x01,
    TAG_OCTET_STRING = 0x04,
    TAG_OTPK = 0x5F49,
    TAG_SIGNATURE = 0x5F37,
    TAG_CONFIGURE_ISDP = 0xBF24,
    TAG_DP_PROPRIETARY_DATA = 0xB8,

    CANCEL_POSTPONED = 1, /* CancelSessionReason, SGP.22 5.7.14 */
    CANCEL_TIMEOUT = 2,
    CANCEL_LOAD_BPP_ERROR = 5,
    INSUFFICIENT_MEMORY = 10, /* ErrorReason, SGP.22 2.5.6 */
    INTERRUPTION = 11,
};

enum session_state { INITIATED, AUTHENTICATED, BOUND };

struct session {
    enum session_state state;
    time_t born;
    uint64_t used; /* position in the order of use */
    struct transaction_id transaction_id;
    const struct dp_identity *identity;
    char address[RSP_TEXT_MAX];
    uint8_t server_challenge[CHALLENGE_LEN];
    struct cert *euicc;
    uint8_t eid[BPP_EID_LEN];
    char matching_id[RSP_TEXT_MAX];
    bool cc_required;
    char confirmation_code[METADATA_CODE_LEN];
    struct wr metadata; /* BF25 as sent */
    uint8_t smdp_signature2[EC_SIGNATURE_LEN];
};

/* A profile package bound to an eUICC: what a retry sends again (SGP.22 3.1.3.3). */
struct binding {
    uint64_t used;
    char matching_id[RSP_TEXT_MAX];
    uint8_t eid[BPP_EID_LEN];
    unsigned code_tries;  /* wrong confirmation codes so far */
    struct ec_key *ot_sk; /* NULL: not bound yet */
    uint8_t ot_pk_euicc[EC_POINT_LEN];
    uint8_t host_id[HOST_ID_LEN];
    struct wr metadata, protected_part;
};

struct smdpp {
    struct smdpp_config config;
    struct lab_error why; /* what is wrong with a package or its metadata */
    uint64_t uses;
    struct session *sessions[SMDPP_MAX_SESSIONS];
    struct binding *bindings[SMDPP_MAX_BINDINGS];
};

static const struct es9p_status done;

/* Subject and reason codes: SGP.22 5.2.6.1 and the tables of 5.6.1 to 5.6.5. */
static struct es9p_status refuse(const char *subject, const char *reason, const char *message)
{
    return (struct es9p_status){ subject, reason, message };
}

static struct es9p_status refuse_malformed(const char *message)
{
    return refuse("1.6", "2.1", message);
}

static struct es9p_status refuse_internal(void)
{
    return refuse("8.8", "4.2", "internal error of the SM-DP+");
}

/* --- sessions -------------------------------------------------------------------------------- */

static void session_free(struct session **s)
{
    if (*s == NULL)
        return;
    cert_free(&(*s)->euicc);
    wr_done(&(*s)->metadata);
    free(*s);
    *s = NULL;
}

static bool session_is_old(const struct session *s)
{
    return s->state != BOUND && time(NULL) - s->born > SMDPP_SESSION_SECONDS;
}

/* A place for a new session: a free one, or that of the session that was not used for longest. */
static struct session **session_place(struct smdpp *dp)
{
    struct session **place = NULL;

    for (size_t i = 0; i < SMDPP_MAX_SESSIONS; i++) {
        struct session **at = &dp->sessions[i];
        if (*at != NULL && session_is_old(*at))
            session_free(at);
        if (place == NULL || (*place != NULL && (*at == NULL || (*at)->used < (*place)->used)))
            place = at;
    }
    session_free(place);
    return place;
}

static struct session *session_find(struct smdpp *dp, struct rd transaction_id)
{
    for (size_t i = 0; i < SMDPP_MAX_SESSIONS; i++) {
        struct session *s = dp->sessions[i];
        if (s != NULL && !session_is_old(s) &&
            rd_equal(rd_of(s->transaction_id.b, s->transaction_id.n), transaction_id)) {
            s->used = ++dp->uses;
            return s;
        }
    }
    return NULL;
}

static void session_drop(struct smdpp *dp, struct session *s)
{
    for (size_t i = 0; i < SMDPP_MAX_SESSIONS; i++)
        if (dp->sessions[i] == s)
            session_free(&dp->sessions[i]);
}

/* --- bindings -------------------------------------------------------------------------------- */

static void binding_free(struct binding **b)
{
    if (*b == NULL)
        return;
    ec_key_free(&(*b)->ot_sk);
    wr_done(&(*b)->metadata);
    wr_done(&(*b)->protected_part);
    free(*b);
    *b = NULL;
}

static struct binding **binding_find(struct smdpp *dp, const struct session *s)
{
    for (size_t i = 0; i < SMDPP_MAX_BINDINGS; i++) {
        struct binding *b = dp->bindings[i];
        if (b != NULL && strcmp(b->matching_id, s->matching_id) == 0 &&
            memcmp(b->eid, s->eid, sizeof b->eid) == 0) {
            b->used = ++dp->uses;
            return &dp->bindings[i];
        }
    }
    return NULL;
}

/* The binding of this session's profile and eUICC, made when there is none.  NULL: no memory. */
static struct binding *binding_get(struct smdpp *dp, const struct session *s)
{
    struct binding **place = binding_find(dp, s);

    if (place != NULL)
        return *place;
    for (size_t i = 0; i < SMDPP_MAX_BINDINGS; i++) {
        struct binding **at = &dp->bindings[i];
        if (place == NULL || (*place != NULL && (*at == NULL || (*at)->used < (*place)->used)))
            place = at;
    }
    binding_free(place);
    struct binding *b = calloc(1, sizeof *b);
    if (b == NULL)
        return NULL;
    memcpy(b->matching_id, s->matching_id, sizeof b->matching_id);
    memcpy(b->eid, s->eid, sizeof b->eid);
    b->used = ++dp->uses;
    wr_init_heap(&b->metadata, METADATA_MAX);
    wr_init_heap(&b->protected_part, BPP_MAX);
    *place = b;
    return b;
}

/* Takes the binding back; wrong confirmation codes stay counted. */
static void unbind(struct binding *b)
{
    ec_key_free(&b->ot_sk);
    wr_clear(&b->metadata);
    wr_clear(&b->protected_part);
}

struct smdpp *smdpp_new(const struct smdpp_config *config)
{
    struct smdpp *dp = calloc(1, sizeof *dp);

    if (dp != NULL)
        dp->config = *config;
    return dp;
}

void smdpp_free(struct smdpp **dp)
{
    if (*dp == NULL)
        return;
    for (size_t i = 0; i < SMDPP_MAX_SESSIONS; i++)
        session_free(&(*dp)->sessions[i]);
    for (size_t i = 0; i < SMDPP_MAX_BINDINGS; i++)
        binding_free(&(*dp)->bindings[i]);
    for (size_t i = 0; i < (*dp)->config.n_identities; i++)
        identity_done(&(*dp)->config.identities[i]);
    free(*dp);
    *dp = NULL;
}

static void tell_session(const struct session *s, struct smdpp_event *event)
{
    event->transaction_id = s->transaction_id;
    if (s->euicc != NULL)
        copy_text(cert_subject_serial(s->euicc), event->eid, sizeof event->eid);
    copy_text(s->matching_id, event->matching_id, sizeof event->matching_id);
}

/* --- InitiateAuthentication (5.6.1) ---------------------------------------------------------- */

static bool has_ski(const uint8_t (*list)[SKI_LEN], size_t n, struct rd ski)
{
    for (size_t i = 0; i < n; i++)
        if (rd_equal(rd_of(list[i], SKI_LEN), ski))
            return true;
    return false;
}

/* The first CI in the eUICC's order that it signs under, and under which it can verify us. */
static struct es9p_status choose_identity(const struct smdpp *dp, const struct rsp_info1 *info,
                                          const struct dp_identity **ret)
{
    bool known = false;

    for (size_t i = 0; i < info->n_signing; i++) {
        for (size_t j = 0; j < dp->config.n_identities; j++) {
            const struct dp_identity *identity = &dp->config.identities[j];
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
        return refuse("8.8.4", "3.7", "no CERT.DPauth.ECDSA that the eUICC can verify");
    return refuse("8.8.2", "3.1", "none of the eUICC's CI public key identifiers is supported");
}

static int write_server_signed1(const struct session *s, struct rd euicc_challenge, struct wr *ret)
{
    struct wr_mark mark = tlv_open(ret, TAG_SEQUENCE);

    tlv_put(ret, 0x80, rd_of(s->transaction_id.b, s->transaction_id.n));
    tlv_put(ret, 0x81, euicc_challenge);
    tlv_put_str(ret, 0x83, s->address);
    tlv_put(ret, 0x84, rd_of(s->server_challenge, sizeof s->server_challenge));
    tlv_close(ret, mark);
    return wr_failed(ret);
}

static int sign_into(struct crypto *c, const struct ec_key *key, const struct rd *parts,
                     size_t n_parts, struct wr *ret)
{
    uint8_t signature[EC_SIGNATURE_LEN];

    TRY(ecdsa_sign(c, key, parts, n_parts, signature));
    tlv_put(ret, TAG_SIGNATURE, rd_of(signature, sizeof signature));
    return wr_failed(ret);
}

static int answer_initiate(struct smdpp *dp, struct session *s, struct rd euicc_challenge,
                           struct smdpp_initiate *ret)
{
    struct crypto *c = dp->config.crypto;

    s->transaction_id.n = TRANSACTION_ID_LEN;
    TRY(crypto_random(c, s->transaction_id.b, TRANSACTION_ID_LEN));
    TRY(crypto_random(c, s->server_challenge, sizeof s->server_challenge));
    TRY(write_server_signed1(s, euicc_challenge, &ret->server_signed1));
    struct rd part = wr_view(&ret->server_signed1);
    TRY(sign_into(c, s->identity->auth_key, &part, 1, &ret->server_signature1));
    tlv_put(&ret->ci_pk_id, TAG_OCTET_STRING, cert_ski(s->identity->ci));
    wr_put_rd(&ret->server_certificate, cert_der(s->identity->auth));
    ret->transaction_id = s->transaction_id;
    TRY(wr_failed(&ret->ci_pk_id));
    return wr_failed(&ret->server_certificate);
}

struct es9p_status smdpp_initiate_authentication(struct smdpp *dp, struct rd euicc_challenge,
                                                 struct rd euicc_info1, const char *address,
                                                 struct smdpp_initiate *ret,
                                                 struct smdpp_event *event)
{
    struct rsp_info1 info;
    const struct dp_identity *identity;

    if (strcasecmp(address, dp->config.host) != 0 && strcasecmp(address, dp->config.address) != 0)
        return refuse("8.8.1", "3.8", "invalid SM-DP+ address");
    if (euicc_challenge.n != CHALLENGE_LEN)
        return refuse_malformed("euiccChallenge is not 16 octets");
    if (rsp_read_info1(euicc_info1, &info) != 0)
        return refuse_malformed("euiccInfo1 is not an EUICCInfo1");
    if (info.svn[0] < LOWEST_SVN_MAJOR)
        return refuse("8.8.3", "3.1", "the eUICC's SVN is not supported");
    struct es9p_status status = choose_identity(dp, &info, &identity);
    if (status.subject != NULL)
        return status;

    struct session *s = calloc(1, sizeof *s);
    if (s == NULL)
        return refuse_internal();
    *s = (struct session){ .born = time(NULL), .used = ++dp->uses, .identity = identity };
    wr_init_heap(&s->metadata, METADATA_MAX);
    if (!copy_text(address, s->address, sizeof s->address) ||
        answer_initiate(dp, s, euicc_challenge, ret) != 0) {
        session_free(&s);
        return refuse_internal();
    }
    *session_place(dp) = s;
    tell_session(s, event);
    return done;
}

/* --- AuthenticateClient (5.6.3) -------------------------------------------------------------- */

/* CERT.EUM under a CI of ours and CERT.EUICC under it (SGP.22 4.5.2.2). */
static struct es9p_status check_chain(struct crypto *c, const struct cert *ci, struct rd eum_der,
                                      struct rd euicc_der, struct cert **ret_euicc)
{
    struct cert *eum = NULL, *euicc = NULL;
    const char *why = NULL;
    struct es9p_status status = done;

    if (cert_parse(c, eum_der, &eum, &why) != 0 ||
        (why = cert_check(c, eum, ROLE_EUM, cert_key(ci), cert_ski(ci))) != NULL)
        status = refuse("8.1.2", "6.1", why);
    else if (cert_parse(c, euicc_der, &euicc, &why) != 0 ||
             (why = cert_check(c, euicc, ROLE_EUICC, cert_key(eum), cert_ski(eum))) != NULL ||
             (why = cert_check_eum_constraints(eum, euicc)) != NULL)
        status = refuse("8.1.3", "6.1", why);
    cert_free(&eum);
    if (status.subject == NULL)
        *ret_euicc = euicc;
    else
        cert_free(&euicc);
    return status;
}

static bool read_eid(const struct cert *euicc, uint8_t ret[BPP_EID_LEN])
{
    const char *digits = cert_subject_serial(euicc);
    struct wr w;

    wr_init(&w, ret, BPP_EID_LEN);
    return strspn(digits, "0123456789") == EID_DIGITS && hex_read(digits, &w) && w.n == BPP_EID_LEN;
}

static struct es9p_status check_euicc(struct smdpp *dp, struct session *s,
                                      const struct rsp_authenticate *a)
{
    struct es9p_status status =
        check_chain(dp->config.crypto, s->identity->ci, a->eum_cert, a->euicc_cert, &s->euicc);

    if (status.subject != NULL)
        return status;
    if (!read_eid(s->euicc, s->eid))
        return refuse("8.1.3", "6.1", "the subject of CERT.EUICC.ECDSA holds no EID");
    if (!ecdsa_verify(dp->config.crypto, cert_key(s->euicc), &a->signed1, 1, a->signature1))
        return refuse("8.1", "6.1", "euiccSignature1 does not verify");
    if (!rd_equal(rd_of(a->transaction_id.b, a->transaction_id.n),
                  rd_of(s->transaction_id.b, s->transaction_id.n)))
        return refuse("8.1", "6.1", "euiccSigned1.transactionId is not that of the session");
    if (!crypto_equal(a->server_challenge, s->server_challenge, sizeof s->server_challenge))
        return refuse("8.1", "6.1", "euiccSigned1.serverChallenge is not that of the session");
    if (strcmp(a->server_address, s->address) != 0)
        return refuse("8.1", "6.1", "euiccSigned1.serverAddress is not that of the session");
    return done;
}

/* NAME.suffix in the folder of profiles.  Matching ids that could leave the folder are refused. */
static bool profile_path(const struct smdpp *dp, const char *id, const char *suffix, char *ret)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    size_t n = strlen(id);

    if (n == 0 || n > MATCHING_ID_MAX || id[0] == '.' || strspn(id, allowed) != n)
        return false;
    return snprintf(ret, PATH_LEN, "%s/%s%s", dp->config.profiles, id, suffix) < PATH_LEN;
}

/* NAME.metadata, if there is one. */
static int apply_sidecar(struct smdpp *dp, const char *path, struct metadata *m)
{
    struct wr text;

    FILE *f = fopen(path, "r");
    if (f == NULL)
        return 0;
    fclose(f);
    wr_init_heap(&text, LAB_FILE_MAX);
    int r = file_read(path, &text, &dp->why);
    wr_put_u8(&text, '\0');
    if (r == 0)
        r = wr_failed(&text);
    if (r == 0)
        r = metadata_apply((const char *)text.p, dp->config.profiles, m, &dp->why);
    wr_done(&text);
    return r;
}

static int read_upp(const struct smdpp *dp, const char *matching_id, struct wr *ret)
{
    char path[PATH_LEN];
    struct lab_error e;

    if (!profile_path(dp, matching_id, ".der", path))
        return ERR_INPUT;
    return file_read(path, ret, &e);
}

static int read_metadata(struct smdpp *dp, struct rd upp, const char *matching_id,
                         struct metadata *ret)
{
    char path[PATH_LEN];

    TRY(metadata_from_upp(upp, dp->config.address, ret, &dp->why));
    if (dp->config.profile_class != NULL)
        ret->profile_class = *dp->config.profile_class;
    if (dp->config.confirmation_code != NULL &&
        !copy_text(dp->config.confirmation_code, ret->confirmation_code, METADATA_CODE_LEN))
        return lab_fail(&dp->why, "the confirmation code is too long");
    if (!profile_path(dp, matching_id, ".metadata", path))
        return lab_fail(&dp->why, "the path is too long");
    return apply_sidecar(dp, path, ret);
}

/* The profile that the matching id stands for becomes that of the session. */
static struct es9p_status choose_profile(struct smdpp *dp, struct session *s,
                                         const char *matching_id)
{
    struct metadata m;
    struct wr upp;

    copy_text(matching_id, s->matching_id, sizeof s->matching_id);
    wr_init_heap(&upp, LAB_FILE_MAX);
    if (read_upp(dp, matching_id, &upp) != 0) {
        wr_done(&upp);
        return refuse("8.2.6", "3.8", "no profile for this matching id");
    }
    int r = read_metadata(dp, wr_view(&upp), matching_id, &m);
    wr_done(&upp);
    if (r != 0)
        return refuse("8.2", "3.7", dp->why.text);
    s->cc_required = m.confirmation_code[0] != '\0';
    memcpy(s->confirmation_code, m.confirmation_code, sizeof s->confirmation_code);
    struct binding **b = binding_find(dp, s);
    if (b != NULL && (*b)->ot_sk != NULL)
        wr_put_rd(&s->metadata, wr_view(&(*b)->metadata));
    else
        metadata_write(&m, &s->metadata);
    return wr_failed(&s->metadata) == 0 ? done : refuse_internal();
}

static int answer_authenticate(struct smdpp *dp, struct session *s, struct rd euicc_signature1,
                               struct smdpp_authenticate *ret)
{
    struct binding **b = binding_find(dp, s);
    uint8_t room[EC_SIGNATURE_LEN + 8];
    struct wr euicc_signature;
    struct wr *w = &ret->smdp_signed2;

    struct wr_mark mark = tlv_open(w, TAG_SEQUENCE);
    tlv_put(w, 0x80, rd_of(s->transaction_id.b, s->transaction_id.n));
    tlv_put_u8(w, TAG_BOOLEAN, s->cc_required ? 0xFF : 0x00);
    if (b != NULL && (*b)->ot_sk != NULL)
        tlv_put(w, TAG_OTPK, rd_of((*b)->ot_pk_euicc, EC_POINT_LEN));
    tlv_close(w, mark);
    TRY(wr_failed(w));

    wr_init(&euicc_signature, room, sizeof room);
    tlv_put(&euicc_signature, TAG_SIGNATURE, euicc_signature1);
    struct rd parts[] = { wr_view(w), wr_view(&euicc_signature) };
    TRY(ecdsa_sign(dp->config.crypto, s->identity->pb_key, parts, N_ELEMS(parts),
                   s->smdp_signature2));
    tlv_put(&ret->smdp_signature2, TAG_SIGNATURE, rd_of(s->smdp_signature2, EC_SIGNATURE_LEN));
    wr_put_rd(&ret->smdp_certificate, cert_der(s->identity->pb));
    wr_put_rd(&ret->profile_metadata, wr_view(&s->metadata));
    TRY(wr_failed(&ret->smdp_signature2));
    TRY(wr_failed(&ret->smdp_certificate));
    return wr_failed(&ret->profile_metadata);
}

struct es9p_status smdpp_authenticate_client(struct smdpp *dp, struct rd transaction_id,
                                             struct rd authenticate_server_response,
                                             struct smdpp_authenticate *ret,
                                             struct smdpp_event *event)
{
    struct session *s = session_find(dp, transaction_id);
    struct rsp_authenticate a;

    if (s == NULL || s->state != INITIATED)
        return refuse("8.10.1", "3.9", "unknown transactionId");
    tell_session(s, event);
    if (rsp_read_authenticate(authenticate_server_response, &a) != 0)
        return refuse_malformed("authenticateServerResponse is not an AuthenticateServerResponse");
    struct es9p_status status = done;
    if (a.error != 0)
        status = refuse("8.1", "4.2", "the eUICC refused the server");
    if (status.subject == NULL)
        status = check_euicc(dp, s, &a);
    if (status.subject == NULL)
        status = choose_profile(dp, s, a.matching_id);
    if (status.subject == NULL && answer_authenticate(dp, s, a.signature1, ret) != 0)
        status = refuse_internal();
    tell_session(s, event);
    if (status.subject == NULL)
        s->state = AUTHENTICATED;
    else
        session_drop(dp, s);
    return status;
}

/* --- GetBoundProfilePackage (5.6.2) ---------------------------------------------------------- */

/* hashCc is SHA256(SHA256(code) | transactionId), SGP.22 3.1.3. */
static struct es9p_status check_code(struct smdpp *dp, const struct session *s, struct binding *b,
                                     const struct rsp_prepare *p)
{
    struct crypto *c = dp->config.crypto;
    uint8_t inner[SHA256_LEN], expected[SHA256_LEN];
    struct rd code = rd_str(s->confirmation_code);
    struct rd parts[] = { rd_of(inner, sizeof inner),
                          rd_of(s->transaction_id.b, s->transaction_id.n) };

    if (!s->cc_required)
        return done;
    if (b->code_tries >= SMDPP_MAX_CODE_TRIES)
        return refuse("8.2.7", "6.4", "too many wrong confirmation codes");
    if (!p->has_hash_cc)
        return refuse("8.2.7", "2.2", "confirmation code is missing");
    if (crypto_sha256(c, &code, 1, inner) != 0 ||
        crypto_sha256(c, parts, N_ELEMS(parts), expected) != 0)
        return refuse_internal();
    if (!crypto_equal(expected, p->hash_cc, sizeof expected)) {
        b->code_tries++;
        return refuse("8.2.7", "3.8", "wrong confirmation code");
    }
    return done;
}

static int write_configure_isdp(const struct session *s, struct wr *ret)
{
    struct wr_mark mark = tlv_open(ret, TAG_CONFIGURE_ISDP);
    struct wr_mark data = tlv_open(ret, TAG_DP_PROPRIETARY_DATA);

    tlv_put(ret, 0x80, cert_oid(s->identity->auth));
    tlv_close(ret, data);
    tlv_close(ret, mark);
    return wr_failed(ret);
}

static int protect_profile(struct smdpp *dp, const struct session *s, struct binding *b,
                           struct rd upp)
{
    struct crypto *c = dp->config.crypto;
    uint8_t ppk[BSP_KEYS_LEN], room[64];
    struct wr configure;
    struct bsp bsp;

    wr_init(&configure, room, sizeof room);
    TRY(write_configure_isdp(s, &configure));
    TRY(crypto_random(c, ppk, sizeof ppk));
    TRY(bsp_derive(c, b->ot_sk, rd_of(b->ot_pk_euicc, EC_POINT_LEN), rd_of(b->host_id, HOST_ID_LEN),
                   rd_of(b->eid, sizeof b->eid), &bsp));
    struct bpp_content content = {
        .configure_isdp = wr_view(&configure),
        .metadata = wr_view(&b->metadata),
        .upp = upp,
        .ppk = dp->config.ppk ? ppk : NULL,
    };
    int r = bpp_protect(c, &bsp, &content, &b->protected_part);
    bsp_done(&bsp);
    crypto_wipe(ppk, sizeof ppk);
    return r == 0 ? wr_failed(&b->protected_part) : r;
}

/* Binds the profile to the eUICC's one-time key, unless it is bound to this very key. */
static int bind_profile(struct smdpp *dp, const struct session *s, struct binding *b,
                        const struct rsp_prepare *p)
{
    struct crypto *c = dp->config.crypto;
    struct wr upp;

    if (b->ot_sk != NULL && memcmp(b->ot_pk_euicc, p->ot_pk, sizeof p->ot_pk) == 0)
        return 0;
    unbind(b);
    memcpy(b->ot_pk_euicc, p->ot_pk, sizeof b->ot_pk_euicc);
    wr_put_rd(&b->metadata, wr_view(&s->metadata));
    TRY(wr_failed(&b->metadata));
    TRY(crypto_random(c, b->host_id, sizeof b->host_id));

    wr_init_heap(&upp, LAB_FILE_MAX);
    int r = read_upp(dp, s->matching_id, &upp);
    if (r == 0)
        r = ec_key_generate(c, s->identity->curve, &b->ot_sk);
    if (r == 0)
        r = protect_profile(dp, s, b, wr_view(&upp));
    wr_done(&upp);
    if (r != 0)
        ec_key_free(&b->ot_sk);
    return r;
}

static int answer_package(struct smdpp *dp, const struct session *s, const struct binding *b,
                          struct wr *ret)
{
    struct bpp_session session = {
        .transaction_id = rd_of(s->transaction_id.b, s->transaction_id.n),
        .host_id = rd_of(b->host_id, HOST_ID_LEN),
        .eid = rd_of(b->eid, sizeof b->eid),
        .ot_sk_dp = b->ot_sk,
        .ot_pk_euicc = rd_of(b->ot_pk_euicc, EC_POINT_LEN),
        .sk_dppb = s->identity->pb_key,
    };
    uint8_t room[512];
    struct wr initialise;

    wr_init(&initialise, room, sizeof room);
    TRY(bpp_initialise(dp->config.crypto, &session, &initialise));
    bpp_join(wr_view(&initialise), wr_view(&b->protected_part), ret);
    return wr_failed(ret);
}

static struct es9p_status check_prepare(struct smdpp *dp, const struct session *s,
                                        const struct rsp_prepare *p)
{
    uint8_t room[EC_SIGNATURE_LEN + 8];
    struct wr smdp_signature;
    struct ec_pub *ot_pk = NULL;

    if (p->error != 0)
        return refuse("8.1", "4.2", "the eUICC refused to prepare the download");
    wr_init(&smdp_signature, room, sizeof room);
    tlv_put(&smdp_signature, TAG_SIGNATURE, rd_of(s->smdp_signature2, EC_SIGNATURE_LEN));
    struct rd parts[] = { p->signed2, wr_view(&smdp_signature) };
    if (!ecdsa_verify(dp->config.crypto, cert_key(s->euicc), parts, N_ELEMS(parts), p->signature2))
        return refuse("8.1", "6.1", "euiccSignature2 does not verify");
    if (!rd_equal(rd_of(p->transaction_id.b, p->transaction_id.n),
                  rd_of(s->transaction_id.b, s->transaction_id.n)))
        return refuse("8.1", "6.1", "euiccSigned2.transactionId is not that of the session");
    if (ec_pub_from_point(dp->config.crypto, s->identity->curve, rd_of(p->ot_pk, EC_POINT_LEN),
                          &ot_pk) != 0)
        return refuse("8.1", "6.1", "the eUICC's one-time public key is not on its curve");
    ec_pub_free(&ot_pk);
    return done;
}

struct es9p_status smdpp_get_bound_profile_package(struct smdpp *dp, struct rd transaction_id,
                                                   struct rd prepare_download_response,
                                                   struct wr *ret, struct smdpp_event *event)
{
    struct session *s = session_find(dp, transaction_id);
    struct rsp_prepare p;

    if (s == NULL || s->state != AUTHENTICATED)
        return refuse("8.10.1", "3.9", "unknown transactionId");
    tell_session(s, event);
    if (rsp_read_prepare(prepare_download_response, &p) != 0)
        return refuse_malformed("prepareDownloadResponse is not a PrepareDownloadResponse");
    struct es9p_status status = check_prepare(dp, s, &p);
    if (status.subject != NULL)
        return status;
    struct binding *b = binding_get(dp, s);
    if (b == NULL)
        return refuse_internal();
    status = check_code(dp, s, b, &p);
    if (status.subject != NULL)
        return status;
    if (bind_profile(dp, s, b, &p) != 0 || answer_package(dp, s, b, ret) != 0)
        return refuse_internal();
    s->state = BOUND;
    return done;
}

/* --- CancelSession (5.6.5) ------------------------------------------------------------------- */

struct es9p_status smdpp_cancel_session(struct smdpp *dp, struct rd transaction_id,
                                        struct rd cancel_session_response,
                                        struct smdpp_event *event)
{
    struct session *s = session_find(dp, transaction_id);
    struct rsp_cancel c;

    if (s == NULL || s->euicc == NULL)
        return refuse("8.10.1", "3.9", "unknown transactionId");
    tell_session(s, event);
    if (rsp_read_cancel(cancel_session_response, &c) != 0)
        return refuse_malformed("cancelSessionResponse is not a CancelSessionResponse");
    if (c.error != 0)
        return refuse("8.1", "4.2", "the eUICC refused to cancel the session");
    event->cancel_reason = c.reason;
    if (!ecdsa_verify(dp->config.crypto, cert_key(s->euicc), &c.signed_part, 1, c.signature))
        return refuse("8.1", "6.1", "euiccCancelSessionSignature does not verify");
    if (!rd_equal(rd_of(c.transaction_id.b, c.transaction_id.n), transaction_id))
        return refuse("8.10.1", "3.9", "the signed transactionId is another one");
    if (!rd_equal(rd_of(c.smdp_oid, c.n_smdp_oid), cert_oid(s->identity->auth)))
        return refuse("8.8", "3.10", "smdpOid is not that of this SM-DP+");
    struct binding **b = binding_find(dp, s);
    if (c.reason != CANCEL_POSTPONED && c.reason != CANCEL_TIMEOUT &&
        c.reason != CANCEL_LOAD_BPP_ERROR && b != NULL)
        unbind(*b);
    session_drop(dp, s);
    return done;
}

/* --- HandleNotification (5.6.4) -------------------------------------------------------------- */

static const char *check_result(struct smdpp *dp, const struct session *s,
                                const struct rsp_notification *n)
{
    if (s == NULL || s->state != BOUND)
        return "no session with this transactionId";
    if (!ecdsa_verify(dp->config.crypto, cert_key(s->euicc), &n->signed_part, 1, n->signature))
        return "euiccSignPIR does not verify";
    if (!rd_equal(rd_of(n->smdp_oid, n->n_smdp_oid), cert_oid(s->identity->pb)))
        return "smdpOid is not that of this SM-DP+";
    return NULL;
}

static const char *check_other(struct smdpp *dp, const struct rsp_notification *n,
                               struct smdpp_event *event)
{
    struct crypto *c = dp->config.crypto;
    const char *why = "the eUICC's CI is unknown";

    for (size_t i = 0; i < dp->config.n_identities; i++) {
        struct cert *euicc = NULL;
        struct es9p_status status =
            check_chain(c, dp->config.identities[i].ci, n->eum_cert, n->euicc_cert, &euicc);
        if (status.subject != NULL) {
            why = status.message;
            continue;
        }
        copy_text(cert_subject_serial(euicc), event->eid, sizeof event->eid);
        bool good = ecdsa_verify(c, cert_key(euicc), &n->signed_part, 1, n->signature);
        cert_free(&euicc);
        return good ? NULL : "euiccNotificationSignature does not verify";
    }
    return why;
}

struct es9p_status smdpp_handle_notification(struct smdpp *dp, struct rd pending_notification,
                                             struct smdpp_event *event)
{
    struct rsp_notification *n = &event->notification;

    if (rsp_read_notification(pending_notification, n) != 0)
        return refuse_malformed("pendingNotification is not a PendingNotification");
    if (!n->is_installation_result) {
        event->verified = check_other(dp, n, event);
        return done;
    }
    struct session *s = session_find(dp, rd_of(n->transaction_id.b, n->transaction_id.n));
    event->verified = check_result(dp, s, n);
    event->transaction_id = n->transaction_id;
    if (s != NULL)
        tell_session(s, event);
    bool again =
        !n->success && (n->error_reason == INSUFFICIENT_MEMORY || n->error_reason == INTERRUPTION);
    struct binding **b = event->verified == NULL ? binding_find(dp, s) : NULL;
    if (b != NULL && !again)
        binding_free(b);
    return done;
}
