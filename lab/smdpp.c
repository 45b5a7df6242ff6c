/* smdpp.c - the SM-DP+: ES9+ without its transport (SGP.22 3.1, 5.5, 5.6).
 *
 * A session goes INITIATED -> AUTHENTICATED -> BOUND; the eUICC's certificate is kept with it so
 * that the ProfileInstallationResult can be verified later.  A binding belongs to a matching id
 * and an EID, and lasts until its profile is installed. */
#include "lab/smdpp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/bpp.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    HOST_ID_LEN = 16,
    METADATA_MAX = 8192,
    MATCHING_ID_MAX = 128,
    PATH_LEN = 4096,
    BPP_MAX = 16 * 1024 * 1024,

    TAG_SEQUENCE = 0x30,
    TAG_BOOLEAN = 0x01,
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
    struct mutual_session m; /* which begins it */
    enum session_state state;
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
    struct mutual mutual;
    struct lab_error why; /* what is wrong with a package or its metadata */
    uint64_t uses;
    struct binding *bindings[SMDPP_MAX_BINDINGS];
};

static const struct es9p_status done;

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
            memcmp(b->eid, s->m.eid, sizeof b->eid) == 0) {
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
    memcpy(b->eid, s->m.eid, sizeof b->eid);
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

static void session_done(struct mutual_session *s)
{
    wr_done(&((struct session *)s)->metadata);
}

struct smdpp *smdpp_new(const struct smdpp_config *config)
{
    static const struct mutual_kind kind = {
        .server = "8.8",
        .address = "8.8.1",
        .security = "8.8.2",
        .svn = "8.8.3",
        .certificate = "8.8.4",
        .session_size = sizeof(struct session),
    };
    struct smdpp *dp = calloc(1, sizeof *dp);

    if (dp == NULL)
        return NULL;
    dp->config = *config;
    dp->mutual = (struct mutual){ .kind = &kind,
                                  .crypto = config->crypto,
                                  .host = config->host,
                                  .address = config->address,
                                  .n_identities = config->n_identities,
                                  .session_done = session_done };
    memcpy(dp->mutual.identities, config->identities, sizeof dp->mutual.identities);
    return dp;
}

struct mutual *smdpp_mutual(struct smdpp *dp)
{
    return &dp->mutual;
}

static struct session *session_find(struct smdpp *dp, struct rd transaction_id)
{
    return (struct session *)mutual_find(&dp->mutual, transaction_id);
}

void smdpp_free(struct smdpp **dp)
{
    if (*dp == NULL)
        return;
    mutual_done(&(*dp)->mutual);
    for (size_t i = 0; i < SMDPP_MAX_BINDINGS; i++)
        binding_free(&(*dp)->bindings[i]);
    free(*dp);
    *dp = NULL;
}

static void tell_session(const struct session *s, struct smdpp_event *event)
{
    event->transaction_id = s->m.transaction_id;
    if (s->m.euicc != NULL)
        copy_text(cert_subject_serial(s->m.euicc), event->eid, sizeof event->eid);
    copy_text(s->matching_id, event->matching_id, sizeof event->matching_id);
}

/* --- AuthenticateClient (5.6.3) -------------------------------------------------------------- */

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

    wr_init_heap(&s->metadata, METADATA_MAX);
    copy_text(matching_id, s->matching_id, sizeof s->matching_id);
    wr_init_heap(&upp, LAB_FILE_MAX);
    if (read_upp(dp, matching_id, &upp) != 0) {
        wr_done(&upp);
        return es9p_refuse("8.2.6", "3.8", "no profile for this matching id");
    }
    int r = read_metadata(dp, wr_view(&upp), matching_id, &m);
    wr_done(&upp);
    if (r != 0)
        return es9p_refuse("8.2", "3.7", dp->why.text);
    s->cc_required = m.confirmation_code[0] != '\0';
    memcpy(s->confirmation_code, m.confirmation_code, sizeof s->confirmation_code);
    struct binding **b = binding_find(dp, s);
    if (b != NULL && (*b)->ot_sk != NULL)
        wr_put_rd(&s->metadata, wr_view(&(*b)->metadata));
    else
        metadata_write(&m, &s->metadata);
    return wr_failed(&s->metadata) == 0 ? done : mutual_refuse_internal(&dp->mutual);
}

static int answer_authenticate(struct smdpp *dp, struct session *s, struct rd euicc_signature1,
                               struct smdpp_authenticate *ret)
{
    struct binding **b = binding_find(dp, s);
    uint8_t room[EC_SIGNATURE_LEN + 8];
    struct wr euicc_signature;
    struct wr *w = &ret->smdp_signed2;

    struct wr_mark mark = tlv_open(w, TAG_SEQUENCE);
    tlv_put(w, 0x80, rd_of(s->m.transaction_id.b, s->m.transaction_id.n));
    tlv_put_u8(w, TAG_BOOLEAN, s->cc_required ? 0xFF : 0x00);
    if (b != NULL && (*b)->ot_sk != NULL)
        tlv_put(w, TAG_OTPK, rd_of((*b)->ot_pk_euicc, EC_POINT_LEN));
    tlv_close(w, mark);
    TRY(wr_failed(w));

    wr_init(&euicc_signature, room, sizeof room);
    tlv_put(&euicc_signature, TAG_SIGNATURE, euicc_signature1);
    struct rd parts[] = { wr_view(w), wr_view(&euicc_signature) };
    TRY(ecdsa_sign(dp->config.crypto, s->m.identity->pb_key, parts, N_ELEMS(parts),
                   s->smdp_signature2));
    tlv_put(&ret->smdp_signature2, TAG_SIGNATURE, rd_of(s->smdp_signature2, EC_SIGNATURE_LEN));
    wr_put_rd(&ret->smdp_certificate, cert_der(s->m.identity->pb));
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
    struct mutual_session *m;
    struct rsp_authenticate a;

    struct es9p_status status =
        mutual_authenticate(&dp->mutual, transaction_id, authenticate_server_response, &a, &m);
    if (m == NULL)
        return status;
    struct session *s = (struct session *)m;
    if (status.subject == NULL)
        status = choose_profile(dp, s, a.matching_id);
    if (status.subject == NULL && answer_authenticate(dp, s, a.signature1, ret) != 0)
        status = mutual_refuse_internal(&dp->mutual);
    tell_session(s, event);
    if (status.subject == NULL)
        s->state = AUTHENTICATED;
    else if (m->authenticated)
        mutual_drop(&dp->mutual, m);
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
                          rd_of(s->m.transaction_id.b, s->m.transaction_id.n) };

    if (!s->cc_required)
        return done;
    if (b->code_tries >= SMDPP_MAX_CODE_TRIES)
        return es9p_refuse("8.2.7", "6.4", "too many wrong confirmation codes");
    if (!p->has_hash_cc)
        return es9p_refuse("8.2.7", "2.2", "confirmation code is missing");
    if (crypto_sha256(c, &code, 1, inner) != 0 ||
        crypto_sha256(c, parts, N_ELEMS(parts), expected) != 0)
        return mutual_refuse_internal(&dp->mutual);
    if (!crypto_equal(expected, p->hash_cc, sizeof expected)) {
        b->code_tries++;
        return es9p_refuse("8.2.7", "3.8", "wrong confirmation code");
    }
    return done;
}

static int write_configure_isdp(const struct session *s, struct wr *ret)
{
    struct wr_mark mark = tlv_open(ret, TAG_CONFIGURE_ISDP);
    struct wr_mark data = tlv_open(ret, TAG_DP_PROPRIETARY_DATA);

    tlv_put(ret, 0x80, cert_oid(s->m.identity->auth));
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
        r = ec_key_generate(c, s->m.identity->curve, &b->ot_sk);
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
        .transaction_id = rd_of(s->m.transaction_id.b, s->m.transaction_id.n),
        .host_id = rd_of(b->host_id, HOST_ID_LEN),
        .eid = rd_of(b->eid, sizeof b->eid),
        .ot_sk_dp = b->ot_sk,
        .ot_pk_euicc = rd_of(b->ot_pk_euicc, EC_POINT_LEN),
        .sk_dppb = s->m.identity->pb_key,
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
        return es9p_refuse("8.1", "4.2", "the eUICC refused to prepare the download");
    wr_init(&smdp_signature, room, sizeof room);
    tlv_put(&smdp_signature, TAG_SIGNATURE, rd_of(s->smdp_signature2, EC_SIGNATURE_LEN));
    struct rd parts[] = { p->signed2, wr_view(&smdp_signature) };
    if (!ecdsa_verify(dp->config.crypto, cert_key(s->m.euicc), parts, N_ELEMS(parts),
                      p->signature2))
        return es9p_refuse("8.1", "6.1", "euiccSignature2 does not verify");
    if (!rd_equal(rd_of(p->transaction_id.b, p->transaction_id.n),
                  rd_of(s->m.transaction_id.b, s->m.transaction_id.n)))
        return es9p_refuse("8.1", "6.1", "euiccSigned2.transactionId is not that of the session");
    if (ec_pub_from_point(dp->config.crypto, s->m.identity->curve, rd_of(p->ot_pk, EC_POINT_LEN),
                          &ot_pk) != 0)
        return es9p_refuse("8.1", "6.1", "the eUICC's one-time public key is not on its curve");
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
        return es9p_refuse_transaction();
    tell_session(s, event);
    if (rsp_read_prepare(prepare_download_response, &p) != 0)
        return es9p_refuse_malformed("prepareDownloadResponse is not a PrepareDownloadResponse");
    struct es9p_status status = check_prepare(dp, s, &p);
    if (status.subject != NULL)
        return status;
    struct binding *b = binding_get(dp, s);
    if (b == NULL)
        return mutual_refuse_internal(&dp->mutual);
    status = check_code(dp, s, b, &p);
    if (status.subject != NULL)
        return status;
    if (bind_profile(dp, s, b, &p) != 0 || answer_package(dp, s, b, ret) != 0)
        return mutual_refuse_internal(&dp->mutual);
    s->state = BOUND;
    s->m.lasts = true;
    return done;
}

/* --- CancelSession (5.6.5) ------------------------------------------------------------------- */

struct es9p_status smdpp_cancel_session(struct smdpp *dp, struct rd transaction_id,
                                        struct rd cancel_session_response,
                                        struct smdpp_event *event)
{
    struct session *s = session_find(dp, transaction_id);
    struct rsp_cancel c;

    if (s == NULL || s->m.euicc == NULL)
        return es9p_refuse_transaction();
    tell_session(s, event);
    if (rsp_read_cancel(cancel_session_response, &c) != 0)
        return es9p_refuse_malformed("cancelSessionResponse is not a CancelSessionResponse");
    if (c.error != 0)
        return es9p_refuse("8.1", "4.2", "the eUICC refused to cancel the session");
    event->cancel_reason = c.reason;
    if (!ecdsa_verify(dp->config.crypto, cert_key(s->m.euicc), &c.signed_part, 1, c.signature))
        return es9p_refuse("8.1", "6.1", "euiccCancelSessionSignature does not verify");
    if (!rd_equal(rd_of(c.transaction_id.b, c.transaction_id.n), transaction_id))
        return es9p_refuse("8.10.1", "3.9", "the signed transactionId is another one");
    if (!rd_equal(rd_of(c.smdp_oid, c.n_smdp_oid), cert_oid(s->m.identity->auth)))
        return es9p_refuse("8.8", "3.10", "smdpOid is not that of this SM-DP+");
    struct binding **b = binding_find(dp, s);
    if (c.reason != CANCEL_POSTPONED && c.reason != CANCEL_TIMEOUT &&
        c.reason != CANCEL_LOAD_BPP_ERROR && b != NULL)
        unbind(*b);
    mutual_drop(&dp->mutual, &s->m);
    return done;
}

/* --- HandleNotification (5.6.4) -------------------------------------------------------------- */

static const char *check_result(struct smdpp *dp, const struct session *s,
                                const struct rsp_notification *n)
{
    if (s == NULL || s->state != BOUND)
        return "no session with this transactionId";
    if (!ecdsa_verify(dp->config.crypto, cert_key(s->m.euicc), &n->signed_part, 1, n->signature))
        return "euiccSignPIR does not verify";
    if (!rd_equal(rd_of(n->smdp_oid, n->n_smdp_oid), cert_oid(s->m.identity->pb)))
        return "smdpOid is not that of this SM-DP+";
    return NULL;
}

static const char *check_other(struct smdpp *dp, const struct rsp_notification *n,
                               struct smdpp_event *event)
{
    struct crypto *c = dp->config.crypto;
    const char *why = "the eUICC's CI is unknown";

    for (size_t i = 0; i < dp->mutual.n_identities; i++) {
        struct cert *euicc = NULL;
        struct es9p_status status =
            mutual_check_chain(c, dp->mutual.identities[i].ci, n->eum_cert, n->euicc_cert, &euicc);
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
        return es9p_refuse_malformed("pendingNotification is not a PendingNotification");
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
