/* bpp.c - a BoundProfilePackage on its way in.
 *
 * stages[] is the order of SGP.22 2.5.3 as a table: which container may come, what its segments
 * are, and what happens when it is complete.  The two halves of the work meet in bpp_take(): the
 * reader of containers and segments above, the ES8+ functions below. */
#include "applets/isdr/bpp.h"

#include <stdlib.h>
#include <string.h>

#include "applets/ecasd/ecasd.h"
#include "applets/isdp/install.h"
#include "applets/isdr/bsp.h"
#include "applets/isdr/es10.h"
#include "applets/isdr/isdr.h"
#include "applets/isdr/metadata.h"
#include "applets/isdr/notification.h"
#include "applets/isdr/otpk.h"

enum bpp_command_id { /* BppCommandId, SGP.22 2.5.6 */
                      COMMAND_INITIALISE_SECURE_CHANNEL = 0,
                      COMMAND_CONFIGURE_ISDP = 1,
                      COMMAND_STORE_METADATA = 2,
                      COMMAND_REPLACE_SESSION_KEYS = 4,
                      COMMAND_LOAD_PROFILE_ELEMENTS = 5,
};

enum install_error { /* ErrorReason, SGP.22 2.5.6; positive, so that a fault is never one */
                     INCORRECT_INPUT_VALUES = 1,
                     INVALID_SIGNATURE = 2,
                     INVALID_TRANSACTION_ID = 3,
                     UNSUPPORTED_CRT_VALUES = 4,
                     UNSUPPORTED_REMOTE_OPERATION_TYPE = 5,
                     UNSUPPORTED_PROFILE_CLASS = 6,
                     BSP_STRUCTURE = 7,
                     BSP_SECURITY = 8,
                     ICCID_ALREADY_EXISTS = 9,
                     INSUFFICIENT_MEMORY = 10,
                     INTERRUPTION = 11,
                     PE_PROCESSING_ERROR = 12,
                     DATA_MISMATCH = 13,
                     PPR_NOT_ALLOWED = 15,
                     UNKNOWN_ERROR = UNDEFINED_ERROR,
};

enum {
    TAG_INITIALISE_SECURE_CHANNEL = 0xBF23,
    TAG_CONFIGURE_ISDP = 0xBF24,
    TAG_STORE_METADATA = 0xBF25,
    TAG_REPLACE_SESSION_KEYS = 0xBF26,
    TAG_FIRST_87 = 0xA0,
    TAG_88 = 0xA1,
    TAG_SECOND_87 = 0xA2,
    TAG_86 = 0xA3,
    TAG_CRT = 0xA6,

    INSTALL_BOUND_PROFILE_PACKAGE = 1, /* RemoteOpId */
    KEY_TYPE_AES = 0x88,
    DP_PROPRIETARY_MAX = 128,
    SEGMENT_MAX = 1100,    /* SGP.22 2.5.3 says 1020; servers in use send up to 1036 */
    BSP_OVERHEAD = 64,     /* octets a segment that are not profile: header, MAC, padding */
    PENDING_MAX = 1 << 17, /* octets not processed yet: one STORE DATA and a unit */
    COMMAND_MAX = 8192,    /* plaintext of ConfigureISDP, StoreMetadata or ReplaceSessionKeys */
};

#define KEY_INSTALLING "isdr/installing"

enum stage {
    STAGE_OPEN, /* BF36 and BF23 are to come */
    STAGE_CONFIGURE,
    STAGE_METADATA,
    STAGE_KEYS,
    STAGE_ELEMENTS,
    N_STAGES
};

struct bpp {
    enum stage stage;
    struct wr pending;   /* octets that are not a whole unit yet */
    uint64_t total_left; /* of BF36 */
    uint64_t left;       /* of the container that is open; 0: none is */
    bool in_container;
    struct bsp bsp;
    struct wr command;                  /* plaintext of the function that comes in */
    struct wr metadata, dp_proprietary; /* as received */
    uint16_t index;                     /* XXXX of the ISD-P's AID */
    struct install *install;
    struct upp *upp;
};

/* --- the ES8+ functions ----------------------------------------------------------------------- */

/* Each gets the joined plaintext.  0, an install_error, or a fault. */
typedef int es8_fn(struct euicc *e, struct bpp *b, struct rd plain);

static int why(const struct euicc *e, int reason, const char *text, const char *clause)
{
    trace_check(&e->trace, "LoadBoundProfilePackage: ErrorReason %d: %s (%s)", reason, text,
                clause);
    return reason;
}

/* SGP.22 5.5.2 */
static int configure_isdp(struct euicc *e, struct bpp *b, struct rd plain)
{
    struct tlv request, proprietary;
    uint16_t index;

    if (tlv_expect(&plain, TAG_CONFIGURE_ISDP, &request) != 0 || plain.n != 0)
        return why(e, BSP_STRUCTURE, "no ConfigureISDPRequest", "SGP.22 5.5.2");
    if (!tlv_all_whole(request.value))
        return why(e, INCORRECT_INPUT_VALUES, "its fields are broken", "SGP.22 5.5.2");
    if (tlv_find(request.value, TAG_DP_PROPRIETARY, &proprietary)) {
        struct tlv oid;
        if (proprietary.whole.n > DP_PROPRIETARY_MAX)
            return why(e, INCORRECT_INPUT_VALUES, "dpProprietaryData is too long", "SGP.22 5.5.2");
        if (!tlv_find(proprietary.value, TAG_CTX_0, &oid) ||
            !rd_equal(oid.value, rsp_server_oid(&isdr_state(e)->rsp)))
            return why(e, INCORRECT_INPUT_VALUES, "dpOid is not the SM-DP+'s", "SGP.22 5.5.2");
        wr_put_rd(&b->dp_proprietary, proprietary.whole);
    }
    int err = profile_next_index(e, &index);
    if (err == ERR_SPACE)
        return why(e, INSUFFICIENT_MEMORY, "no further profile fits", "SGP.22 5.5.2");
    return err;
}

/* Everything is ready for the profile package. */
static int begin_installation(struct euicc *e, struct bpp *b, struct rd iccid)
{
    uint64_t room;

    TRY(profile_free_memory(e, &room));
    if (b->metadata.failed || b->metadata.n + b->dp_proprietary.n > room)
        return why(e, INSUFFICIENT_MEMORY, "the metadata does not fit", "SGP.22 5.5.3");
    room -= b->metadata.n + b->dp_proprietary.n;
    TRY(profile_next_index(e, &b->index));
    b->install = install_new(b->index, room, &e->trace);
    if (b->install == NULL)
        return ERR_NOMEM;
    b->upp = profile_upp(e, b->install, room, iccid);
    return b->upp == NULL ? ERR_NOMEM : 0;
}

/* SGP.22 5.5.3 */
static int store_metadata(struct euicc *e, struct bpp *b, struct rd plain)
{
    struct metadata m;
    struct tlv request;
    uint16_t index;

    if (tlv_expect(&plain, TAG_STORE_METADATA, &request) != 0 || plain.n != 0)
        return why(e, BSP_STRUCTURE, "no StoreMetadataRequest", "SGP.22 5.5.3");
    const char *wrong = metadata_parse(request.value, &m);
    if (wrong != NULL)
        return why(e, INCORRECT_INPUT_VALUES, wrong, "SGP.22 5.5.3");
    metadata_keep(request.value, &b->metadata);
    if (!metadata_class_supported(e, &m))
        return why(e, UNSUPPORTED_PROFILE_CLASS, "the profile class is not supported",
                   "SGP.22 5.5.3");
    TRY(profile_find_iccid(e, m.iccid, &index));
    if (index != NO_PROFILE)
        return why(e, ICCID_ALREADY_EXISTS, "a profile of this ICCID is there", "SGP.22 5.5.3");
    if (m.is_emergency) {
        TRY(profile_find_emergency(e, &index));
        if (index != NO_PROFILE)
            return why(e, INCORRECT_INPUT_VALUES, "there is an Emergency Profile already",
                       "SGP.32 5.9.22");
    }
    wrong = metadata_refuse_pprs(e, &m);
    if (wrong != NULL)
        return why(e, PPR_NOT_ALLOWED, wrong, "SGP.22 2.9.3.1");

    return begin_installation(e, b, m.iccid);
}

/* SGP.22 5.5.4 */
static int replace_session_keys(struct euicc *e, struct bpp *b, struct rd plain)
{
    struct tlv request, mac_chaining, enc, mac;

    if (tlv_expect(&plain, TAG_REPLACE_SESSION_KEYS, &request) != 0 || plain.n != 0)
        return why(e, BSP_STRUCTURE, "no ReplaceSessionKeysRequest", "SGP.22 5.5.4");
    if (!tlv_find(request.value, TAG_CTX_0, &mac_chaining) || mac_chaining.value.n != AES_BLOCK ||
        !tlv_find(request.value, TAG_CTX_1, &enc) || enc.value.n != BSP_KEY_LEN ||
        !tlv_find(request.value, TAG_CTX_2, &mac) || mac.value.n != BSP_KEY_LEN)
        return why(e, INCORRECT_INPUT_VALUES, "a key has not the length of the session's",
                   "SGP.22 5.5.4");
    bsp_replace(&b->bsp, mac_chaining.value.p, enc.value.p, mac.value.p);
    return 0;
}

/* Of an upp_result. */
static int upp_reason(const struct euicc *e, int result)
{
    switch (result) {
    case UPP_OK:
        return 0;
    case UPP_PE_ERROR:
        return why(e, PE_PROCESSING_ERROR, "a profile element is refused", "SGP.22 5.5.5");
    case UPP_NO_SPACE:
        return why(e, INSUFFICIENT_MEMORY, "the profile package does not fit", "SGP.22 5.5.5");
    case UPP_ICCID_MISMATCH:
        return why(e, DATA_MISMATCH, "ICCID of package and metadata differ", "SGP.22 5.5.5");
    case UPP_AFTER_END:
        return why(e, BSP_STRUCTURE, "there is data behind PE-End", "SGP.22 5.5.5");
    default:
        return result;
    }
}

/* SGP.22 5.5.5; each segment's plaintext as it comes. */
static int load_profile_elements(struct euicc *e, struct bpp *b, struct rd plain)
{
    return upp_reason(e, upp_take(b->upp, plain));
}

/* SGP.22 2.5.3: the containers in their order. */
static const struct stage_row {
    uint32_t container, segment;
    int command_id;
    bool optional;    /* the next stage's container may come instead */
    bool as_it_comes; /* run for each segment, not for all of them joined */
    es8_fn *run;
} stages[N_STAGES] = {
    [STAGE_OPEN] = { .command_id = COMMAND_INITIALISE_SECURE_CHANNEL },
    [STAGE_CONFIGURE] = { TAG_FIRST_87, TAG_BSP_COMMAND, COMMAND_CONFIGURE_ISDP, false, false,
                          configure_isdp },
    [STAGE_METADATA] = { TAG_88, TAG_BSP_MAC_ONLY, COMMAND_STORE_METADATA, false, false,
                         store_metadata },
    [STAGE_KEYS] = { TAG_SECOND_87, TAG_BSP_COMMAND, COMMAND_REPLACE_SESSION_KEYS, true, false,
                     replace_session_keys },
    [STAGE_ELEMENTS] = { TAG_86, TAG_BSP_ENCRYPTED, COMMAND_LOAD_PROFILE_ELEMENTS, false, true,
                         load_profile_elements },
};

/* --- InitialiseSecureChannel (SGP.22 5.5.1) --------------------------------------------------- */

struct isc_request {
    struct tlv remote_op, id, crt, otpk, signature;
    struct tlv key_type, key_len, host_id;
};

static bool parse_isc(struct rd body, struct isc_request *r)
{
    return tlv_all_whole(body) && tlv_find(body, TAG_CTX_2, &r->remote_op) &&
           tlv_find(body, TAG_CTX_0, &r->id) && tlv_find(body, TAG_CRT, &r->crt) &&
           tlv_find(body, TAG_OTPK, &r->otpk) && tlv_find(body, TAG_SIGNATURE, &r->signature) &&
           tlv_find(r->crt.value, TAG_CTX_0, &r->key_type) &&
           tlv_find(r->crt.value, TAG_CTX_1, &r->key_len) &&
           tlv_find(r->crt.value, TAG_CTX_4, &r->host_id);
}

/* smdpSign covers the fields as received and the eUICC's own one-time key. */
static bool isc_signature_is_good(struct euicc *e, const struct isc_request *r)
{
    const struct rsp_session *rs = &isdr_state(e)->rsp;
    uint8_t own[3 + EC_POINT_LEN], point[EC_POINT_LEN];
    struct wr w;

    ec_key_point(rs->otsk, point);
    wr_init(&w, own, sizeof own);
    tlv_put(&w, TAG_OTPK, rd_of(point, sizeof point));
    const struct rd parts[] = { r->remote_op.whole, r->id.whole, r->crt.whole, r->otpk.whole,
                                wr_view(&w) };
    return ecdsa_verify(e->crypto, rs->dp_pb, parts, N_ELEMS(parts), r->signature.value);
}

static int check_isc(struct euicc *e, const struct isc_request *r)
{
    const struct rsp_session *rs = &isdr_state(e)->rsp;
    uint64_t remote_op;

    if (!isc_signature_is_good(e, r))
        return why(e, INVALID_SIGNATURE, "smdpSign does not verify under CERT.DPpb",
                   "SGP.22 5.5.1");
    if (tlv_uint(r->remote_op.value, &remote_op) != 0 || remote_op != INSTALL_BOUND_PROFILE_PACKAGE)
        return why(e, UNSUPPORTED_REMOTE_OPERATION_TYPE, "remoteOpId is not 1", "SGP.22 5.5.1");
    if (!rd_equal(r->id.value, rsp_transaction_id(rs)))
        return why(e, INVALID_TRANSACTION_ID, "transactionId is not the session's", "SGP.22 5.5.1");
    if (r->key_type.value.n != 1 || r->key_type.value.p[0] != KEY_TYPE_AES ||
        r->key_len.value.n != 1 || r->key_len.value.p[0] != BSP_KEY_LEN ||
        r->host_id.value.n == 0 || r->host_id.value.n > BSP_HOST_ID_MAX)
        return why(e, UNSUPPORTED_CRT_VALUES, "the keys asked for are not AES-128", "SGP.22 5.5.1");
    return 0;
}

static int derive_keys(struct euicc *e, struct bpp *b, const struct isc_request *r)
{
    const struct rsp_session *rs = &isdr_state(e)->rsp;
    uint8_t secret[EC_COORD_LEN];
    struct ec_pub *theirs = NULL;

    int err = ec_pub_from_point(e->crypto, rs->curve, r->otpk.value, &theirs);
    if (err == ERR_INPUT)
        return why(e, INCORRECT_INPUT_VALUES, "smdpOtpk is no point of the curve", "SGP.22 5.5.1");
    if (err == 0)
        err = ecka(e->crypto, rs->otsk, theirs, secret);
    ec_pub_free(&theirs);
    if (err == 0)
        err = bsp_derive(e->crypto, rd_of(secret, sizeof secret), r->host_id.value,
                         rd_of(ecasd_eid(e), EID_LEN), &b->bsp);
    crypto_wipe(secret, sizeof secret);
    return err;
}

/* What bpp_recover() needs when the power goes before the end. */
static int remember_installing(struct euicc *e)
{
    const struct rsp_session *rs = &isdr_state(e)->rsp;
    uint8_t octets[512];
    struct wr w;

    wr_init(&w, octets, sizeof octets);
    tlv_put(&w, TAG_CTX_0, rsp_transaction_id(rs));
    tlv_put_str(&w, TAG_UTF8, rs->server_address);
    tlv_put(&w, TAG_OID, rsp_server_oid(rs));
    tlv_put(&w, TAG_OCTET_STRING, ecasd_ci_pkid(e, rs->ci));
    TRY(wr_failed(&w));
    return nvm_put(e->nvm, KEY_INSTALLING, wr_view(&w));
}

static int initialise_secure_channel(struct euicc *e, struct bpp *b, struct rd body)
{
    struct isc_request r;

    if (!parse_isc(body, &r))
        return why(e, INCORRECT_INPUT_VALUES, "a field is missing or broken", "SGP.22 5.5.1");
    TRY(check_isc(e, &r));
    TRY(derive_keys(e, b, &r));
    return remember_installing(e);
}

/* --- containers and segments ------------------------------------------------------------------ */

static struct bpp *bpp_new(void)
{
    struct bpp *b = calloc(1, sizeof *b);

    if (b == NULL)
        return NULL;
    wr_init_heap(&b->pending, PENDING_MAX);
    wr_init_secret(&b->command, COMMAND_MAX);
    wr_init_heap(&b->metadata, COMMAND_MAX);
    wr_init_heap(&b->dp_proprietary, DP_PROPRIETARY_MAX);
    return b;
}

void bpp_free(struct bpp **b)
{
    if (*b == NULL)
        return;
    wr_done(&(*b)->pending);
    wr_done(&(*b)->command);
    wr_done(&(*b)->metadata);
    wr_done(&(*b)->dp_proprietary);
    upp_free(&(*b)->upp);
    install_free(&(*b)->install);
    crypto_wipe(*b, sizeof **b);
    free(*b);
    *b = NULL;
}

/* Outcomes of looking for the next unit, beside install_error and faults. */
enum { NEED_MORE = -100 };

/* Counts octets off the package and off the open container. */
static int spend(const struct euicc *e, struct bpp *b, size_t n)
{
    if (n > b->total_left || (b->in_container && n > b->left))
        return why(e, BSP_STRUCTURE, "a TLV is longer than what holds it", "SGP.22 2.5.3");
    b->total_left -= n;
    if (b->in_container)
        b->left -= n;
    return 0;
}

/* The next stage's container is awaited.  A package that is over before it lacks the first one that
 * is not optional. */
static int next_stage(const struct euicc *e, struct bpp *b)
{
    b->stage++;
    if (b->total_left > 0)
        return 0;
    if (stages[b->stage].optional)
        b->stage++;
    return why(e, BSP_STRUCTURE, "the package ends before its profile elements", "SGP.22 2.5.3");
}

/* BF36's header, then the whole of BF23. */
static int take_opening(struct euicc *e, struct bpp *b, struct rd *in)
{
    struct rd at = *in;
    struct tlv isc;
    uint32_t tag;
    size_t len;

    if (tlv_header(&at, &tag, &len) != 0)
        return NEED_MORE;
    if (tag != TAG_BOUND_PROFILE_PACKAGE)
        return why(e, BSP_STRUCTURE, "no BoundProfilePackage", "SGP.22 2.5.3");
    if (tlv_get(&at, &isc) != 0)
        return NEED_MORE;
    if (isc.tag != TAG_INITIALISE_SECURE_CHANNEL)
        return why(e, BSP_STRUCTURE, "no InitialiseSecureChannelRequest", "SGP.22 2.5.3");
    b->total_left = len;
    TRY(spend(e, b, isc.whole.n));
    TRY(initialise_secure_channel(e, b, isc.value));
    *in = at;
    return next_stage(e, b);
}

/* A package that begins again within a package (SGP.22 5.5.1): it is that what is refused. */
static bool opens_again(struct bpp *b, uint32_t tag)
{
    if (tag != TAG_BOUND_PROFILE_PACKAGE && tag != TAG_INITIALISE_SECURE_CHANNEL)
        return false;
    b->stage = STAGE_OPEN;
    return true;
}

/* The header of the stage's container, or of the next one's where this one is optional. */
static int take_container(struct euicc *e, struct bpp *b, struct rd *in)
{
    struct rd at = *in;
    uint32_t tag;
    size_t len;

    if (tlv_header(&at, &tag, &len) != 0)
        return NEED_MORE;
    if (opens_again(b, tag))
        return why(e, INCORRECT_INPUT_VALUES, "a secure channel is open already", "SGP.22 5.5.1");
    if (stages[b->stage].optional && tag == stages[b->stage + 1].container)
        b->stage++;
    if (tag != stages[b->stage].container)
        return why(e, BSP_STRUCTURE, "the containers are not in their order", "SGP.22 2.5.3");
    TRY(spend(e, b, in->n - at.n));
    if (len > b->total_left || len == 0)
        return why(e, BSP_STRUCTURE, "a container is empty or too long", "SGP.22 2.5.3");
    b->in_container = true;
    b->left = len;
    *in = at;
    return 0;
}

/* A container is complete: its function runs, and the next one is awaited. */
static int end_container(struct euicc *e, struct bpp *b)
{
    const struct stage_row *row = &stages[b->stage];

    b->in_container = false;
    if (!row->as_it_comes)
        TRY(row->run(e, b, wr_view(&b->command)));
    wr_clear(&b->command);
    if (b->stage != STAGE_ELEMENTS)
        return next_stage(e, b);
    if (b->total_left > 0)
        return why(e, BSP_STRUCTURE, "the package is longer than its containers", "SGP.22 2.5.3");
    return upp_reason(e, upp_finish(b->upp));
}

/* One segment within the container. */
static int take_segment(struct euicc *e, struct bpp *b, struct rd *in)
{
    const struct stage_row *row = &stages[b->stage];
    struct rd at = *in;
    struct tlv segment;
    uint32_t tag;
    size_t len;

    if (tlv_header(&at, &tag, &len) != 0)
        return NEED_MORE;
    if (opens_again(b, tag))
        return why(e, INCORRECT_INPUT_VALUES, "a secure channel is open already", "SGP.22 5.5.1");
    if (tag != row->segment || len > SEGMENT_MAX)
        return why(e, BSP_STRUCTURE, "no segment of this container, or too long", "SGP.22 2.5.3");
    if (tlv_get(in, &segment) != 0)
        return NEED_MORE;
    TRY(spend(e, b, segment.whole.n));
    int result = bsp_open(e->crypto, &b->bsp, &segment, &b->command);
    if (result == ERR_SPACE)
        return why(e, INCORRECT_INPUT_VALUES, "the function's data is too long", "SGP.22 2.5.3");
    if (result < 0)
        return result;
    if (result == BSP_STRUCTURE_ERROR)
        return why(e, BSP_STRUCTURE, "a segment is too short for its MAC", "SGP.22 2.5.3");
    if (result == BSP_SECURITY_ERROR)
        return why(e, BSP_SECURITY, "a segment's MAC or padding is wrong", "SGP.22 2.5.3");
    if (row->as_it_comes) {
        TRY(row->run(e, b, wr_view(&b->command)));
        wr_clear(&b->command);
    }
    return b->left == 0 ? end_container(e, b) : 0;
}

static bool is_complete(const struct bpp *b)
{
    return b->stage == STAGE_ELEMENTS && !b->in_container && b->total_left == 0 && b->upp != NULL;
}

/* Processes all that is whole.  0, an install_error, or a fault. */
static int process(struct euicc *e, struct bpp *b, struct rd *in)
{
    while (in->n > 0) {
        int result;

        if (is_complete(b))
            return why(e, BSP_STRUCTURE, "there is data behind the package", "SGP.22 2.5.3");
        if (b->stage == STAGE_OPEN)
            result = take_opening(e, b, in);
        else if (!b->in_container)
            result = take_container(e, b, in);
        else
            result = take_segment(e, b, in);
        if (result == NEED_MORE)
            return 0;
        if (result != 0)
            return result;
    }
    return 0;
}

/* --- the end ---------------------------------------------------------------------------------- */

/* Errors after which the same package can never succeed (SGP.22 2.5.6): the one-time key goes. */
static bool is_permanent(int reason)
{
    return reason != INSUFFICIENT_MEMORY && reason != INTERRUPTION;
}

static struct installation_result result_of(const struct rsp_session *rs)
{
    struct installation_result r = {
        .transaction_id = rsp_transaction_id(rs),
        .address = rd_str(rs->server_address),
        .smdp_oid = rsp_server_oid(rs),
        .ci = rs->ci,
    };
    struct tlv iccid;

    if (tlv_find(wr_view(&rs->bpp->metadata), TAG_ICCID, &iccid))
        r.iccid = iccid.value;
    return r;
}

/* Nothing of the profile stays, since nothing of it is stored yet; the result tells why. */
static int fail(struct euicc *e, int reason, struct wr *rsp)
{
    struct rsp_session *rs = &isdr_state(e)->rsp;
    struct installation_result r = result_of(rs);
    uint8_t octets[1024];
    struct wr response;

    r.command_id = stages[rs->bpp->stage].command_id;
    r.reason = reason;
    wr_init(&response, octets, sizeof octets);
    if (reason == PE_PROCESSING_ERROR) {
        upp_response(rs->bpp->upp, &response);
        r.sima_response = wr_view(&response);
    }
    if (is_permanent(reason))
        TRY(otpk_drop(e, rs->otsk));
    TRY(nvm_del(e->nvm, KEY_INSTALLING));
    TRY(notification_add_result(e, &r, rsp));
    rsp_end(rs);
    return 0;
}

/* The session is over; ImmediateEnable may ask what it was. */
static void remember_finished(struct isdr *isdr, uint16_t index)
{
    const struct rsp_session *rs = &isdr->rsp;
    struct finished_download finished = { .index = index, .oid_len = rs->server_oid_len };

    memcpy(finished.oid, rs->server_oid, sizeof finished.oid);
    memcpy(finished.address, rs->server_address, sizeof finished.address);
    isdr->finished = finished;
}

/* All is good: the profile, its notifications and the result come into being at once. */
static int succeed(struct euicc *e, struct wr *rsp)
{
    struct rsp_session *rs = &isdr_state(e)->rsp;
    const struct bpp *b = rs->bpp;
    struct installation_result r = result_of(rs);
    struct profile_new new = {
        .metadata = wr_view(&b->metadata),
        .dp_proprietary = wr_view(&b->dp_proprietary),
        .ci_pkid = ecasd_ci_pkid(e, rs->ci),
        .install = b->install,
    };
    uint8_t octets[1024];
    struct wr response;
    struct profile p;

    r.index = b->index;
    TRY(profile_add(e, r.index, &new));
    wr_init(&response, octets, sizeof octets);
    upp_response(b->upp, &response);
    r.sima_response = wr_view(&response);
    r.success = true;
    TRY(otpk_drop(e, rs->otsk));
    TRY(nvm_del(e->nvm, KEY_INSTALLING));
    TRY(notification_add_result(e, &r, rsp));
    TRY(profile_get(e, r.index, &p));
    int err = notification_add_event(e, &p, EVENT_INSTALL, r.address);
    profile_done(&p);
    TRY(err);
    remember_finished(isdr_state(e), r.index);
    rsp_end(rs);
    return 0;
}

/* --- from outside ----------------------------------------------------------------------------- */

/* The octets that are there of its tag. */
static bool begins_with(struct rd piece, uint32_t tag)
{
    size_t octets = tag > 0xFF ? 2 : 1;

    for (size_t i = 0; i < octets && i < piece.n; i++)
        if (piece.p[i] != (uint8_t)(tag >> (8 * (octets - 1 - i))))
            return false;
    return piece.n > 0;
}

/* GetEUICCChallenge and CancelSession work at any time (SGP.22 3.1.3), even within a unit. */
static bool is_always_served(struct rd piece)
{
    struct tlv t;

    return tlv_get(&piece, &t) == 0 && piece.n == 0 &&
           ((t.tag == TAG_GET_EUICC_CHALLENGE && t.value.n == 0) || t.tag == TAG_CANCEL_SESSION);
}

bool bpp_claims(const struct euicc *e, struct rd piece)
{
    static const uint32_t tags[] = { TAG_FIRST_87,      TAG_88,          TAG_SECOND_87,   TAG_86,
                                     TAG_BSP_ENCRYPTED, TAG_BSP_COMMAND, TAG_BSP_MAC_ONLY };
    const struct rsp_session *rs = &isdr_state(e)->rsp;

    if (!rsp_allows(rs, RSP_LOAD_BPP))
        return false;
    if (rs->bpp != NULL && rs->bpp->pending.n > 0)
        return !is_always_served(piece); /* the rest of a unit */
    if (begins_with(piece, TAG_BOUND_PROFILE_PACKAGE))
        return true;
    for (size_t i = 0; i < N_ELEMS(tags); i++)
        if (begins_with(piece, tags[i]))
            return rs->state == RSP_INSTALLING;
    return false;
}

/* Takes a piece; on a fault the session is left as it happens to be. */
static int take(struct euicc *e, struct bpp *b, struct rd piece, struct wr *rsp)
{
    wr_put_rd(&b->pending, piece);
    struct rd in = wr_view(&b->pending);
    int result = b->pending.failed ? why(e, BSP_STRUCTURE, "a unit is too long", "SGP.22 2.5.3")
                                   : process(e, b, &in);
    if (result > 0)
        return fail(e, result, rsp);
    if (result < 0)
        return result;
    if (is_complete(b))
        return succeed(e, rsp);
    if (in.n > 0)
        memmove(b->pending.p, in.p, in.n);
    b->pending.n = in.n;
    return 0;
}

int bpp_take(struct euicc *e, struct rd piece, struct wr *rsp)
{
    struct rsp_session *rs = &isdr_state(e)->rsp;

    if (rs->bpp == NULL)
        rs->bpp = bpp_new();
    if (rs->bpp == NULL)
        return ERR_NOMEM;
    rs->state = RSP_INSTALLING;
    int err = take(e, rs->bpp, piece, rsp);
    if (err != 0)
        rsp_end(rs); /* bpp_recover() tells about it */
    return err;
}

int bpp_interrupt(struct euicc *e)
{
    const struct rsp_session *rs = &isdr_state(e)->rsp;
    struct wr unsent;

    if (rs->bpp == NULL)
        return 0;
    wr_init_heap(&unsent, COMMAND_MAX);
    trace_note(&e->trace, "an installation is interrupted");
    int err = fail(e, INTERRUPTION, &unsent);
    wr_done(&unsent);
    return err;
}

int bpp_recover(struct euicc *e)
{
    struct tlv id, address, oid, pkid;
    struct wr w, unsent;
    uint8_t octets[512];
    bool found;

    wr_init(&w, octets, sizeof octets);
    TRY(nvm_get(e->nvm, KEY_INSTALLING, &w, &found));
    if (!found)
        return 0;
    struct rd in = wr_view(&w);
    if (!tlv_find(in, TAG_CTX_0, &id) || !tlv_find(in, TAG_UTF8, &address) ||
        !tlv_find(in, TAG_OID, &oid) || !tlv_find(in, TAG_OCTET_STRING, &pkid))
        return FAULT(&e->trace, ERR_NVM, "%s is damaged", KEY_INSTALLING);
    const struct installation_result r = {
        .transaction_id = id.value,
        .address = address.value,
        .smdp_oid = oid.value,
        .ci = ecasd_find_ci(e, pkid.value),
        .command_id = COMMAND_LOAD_PROFILE_ELEMENTS,
        .reason = INTERRUPTION,
    };
    if (r.ci == ECASD_NO_CI)
        return FAULT(&e->trace, ERR_NVM, "%s names a CI that is gone", KEY_INSTALLING);
    trace_note(&e->trace, "an installation was interrupted by a loss of power");
    TRY(nvm_del(e->nvm, KEY_INSTALLING));
    wr_init_heap(&unsent, COMMAND_MAX);
    int err = notification_add_result(e, &r, &unsent);
    wr_done(&unsent);
    return err;
}
