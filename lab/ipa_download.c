/* ipa_download.c - profile download and installation (SGP.22 3.1.2, 3.1.3, 4.1).
 *
 * A failure after AuthenticateServer cancels the session on the eUICC and, while the server still
 * knows it, on the server. */
#include "lab/ipa_download.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "os/err.h"
#include "os/tlv.h"

enum {
    MESSAGE_MAX = 64 * 1024,
    BPP_MAX = 16 * 1024 * 1024,
    BSP_MAC = 8,
    IMEI_DIGITS = 15,
    BAR_WIDTH = 40,

    TAG_SEQUENCE = 0x30,
    TAG_BOOLEAN = 0x01,
    TAG_OCTET_STRING = 0x04,
    TAG_METADATA = 0xBF25,
    TAG_EUICC_INFO1 = 0xBF20,
    TAG_GET_CHALLENGE = 0xBF2E,
    TAG_AUTHENTICATE_SERVER = 0xBF38,
    TAG_PREPARE_DOWNLOAD = 0xBF21,
    TAG_CANCEL_SESSION = 0xBF41,
    TAG_BPP = 0xBF36,
    TAG_INITIALISE = 0xBF23,
    TAG_FIRST_87 = 0xA0,
    TAG_SEQUENCE_88 = 0xA1,
    TAG_SECOND_87 = 0xA2,
    TAG_SEQUENCE_86 = 0xA3,
    TAG_RESPONSE_ERROR = 0xA1,
};

/* --- the activation code ---------------------------------------------------------------------- */

/* Up to the next '$'; what follows it goes to *at, NULL at the end. */
static bool take_field(const char **at, char *ret, size_t size)
{
    if (*at == NULL) {
        ret[0] = '\0';
        return true;
    }
    size_t n = strcspn(*at, "$");
    bool fits = copy_rd(rd_of(*at, n), ret, size);
    *at = (*at)[n] == '$' ? *at + n + 1 : NULL;
    return fits;
}

int activation_code_read(const char *text, struct activation_code *ret, struct lab_error *e)
{
    struct activation_code ac;
    char format[8], flag[8];
    const char *at = strncmp(text, "LPA:", 4) == 0 ? text + 4 : text;

    if (!take_field(&at, format, sizeof format) || strcmp(format, "1") != 0 || at == NULL)
        return lab_fail(e, "not an activation code: it does not begin with LPA:1$");
    if (!take_field(&at, ac.address, sizeof ac.address) || ac.address[0] == '\0' || at == NULL ||
        !take_field(&at, ac.matching_id, sizeof ac.matching_id) ||
        !take_field(&at, ac.oid, sizeof ac.oid) || !take_field(&at, flag, sizeof flag) ||
        (flag[0] != '\0' && strcmp(flag, "1") != 0))
        return lab_fail(e, "not an activation code: LPA:1$address$matchingId[$oid][$1]");
    ac.code_required = flag[0] == '1';
    *ret = ac;
    return 0;
}

/* Contents of an OBJECT IDENTIFIER as dotted text. */
static bool oid_text(struct rd oid, char *ret, size_t size)
{
    unsigned long arc = 0;
    size_t n = 0;

    for (size_t i = 0; i < oid.n; i++) {
        if (arc > ULONG_MAX >> 8)
            return false;
        arc = arc << 7 | (oid.p[i] & 0x7Fu);
        if (oid.p[i] & 0x80)
            continue;
        int wrote;
        if (n == 0) {
            unsigned long first = arc < 80 ? arc / 40 : 2;
            wrote = snprintf(ret, size, "%lu.%lu", first, arc - 40 * first);
        } else {
            wrote = snprintf(ret + n, size - n, ".%lu", arc);
        }
        if (wrote < 0 || (size_t)wrote >= size - n)
            return false;
        n += (size_t)wrote;
        arc = 0;
    }
    return n > 0;
}

/* --- progress --------------------------------------------------------------------------------- */

static void tell_step(const struct ipa *ipa, const char *what)
{
    if (!ipa->json && !ipa->quiet) {
        printf("%s\n", what);
        fflush(stdout);
    }
}

static void tell_bar(const struct ipa *ipa, size_t sent, size_t all)
{
    if (ipa->json || ipa->quiet || !isatty(STDOUT_FILENO))
        return;
    int filled = (int)(BAR_WIDTH * sent / all);
    printf("\r[%.*s%*s] %zu/%zu", filled, "########################################",
           BAR_WIDTH - filled, "", sent, all);
    if (sent == all)
        printf("\n");
    fflush(stdout);
}

/* --- both ends -------------------------------------------------------------------------------- */

/* An error response of AuthenticateServer or PrepareDownload: A1 { 80, 02 code }. */
static int check_response(struct download *d, struct rd answer, enum code_list list,
                          const char *function, struct lab_error *e)
{
    struct tlv error, code;
    uint64_t v;

    if (!tlv_find(answer, TAG_RESPONSE_ERROR, &error))
        return 0;
    wr_clear(&d->outcome->refusal);
    wr_put_rd(&d->outcome->refusal, wr_view(&d->ipa->answer));
    if (!tlv_find(error.value, 0x02, &code) || tlv_uint(code.value, &v) != 0)
        return lab_fail(e, "%s: the eUICC answers with an error", function);
    return lab_fail(e, "%s: %s(%llu)", function, code_name(list, (long)v), (unsigned long long)v);
}

static struct rd whole_field(const struct download *d, enum download_field field)
{
    return wr_view(&d->fields[field]);
}

static void add_field(struct download *d, enum download_field field)
{
    wr_put_rd(&d->message, whole_field(d, field));
}

/* --- the common mutual authentication (3.1.2) ------------------------------------------------- */

static int initiate(struct download *d, struct lab_error *e)
{
    uint8_t octets[CHALLENGE_LEN];
    struct tlv challenge;
    struct rd value;

    TRY(ipa_get(d->ipa, TAG_EUICC_INFO1, &value, e));
    wr_put_rd(&d->info1, wr_view(&d->ipa->answer));
    TRY(ipa_get(d->ipa, TAG_GET_CHALLENGE, &value, e));
    if (!tlv_find(value, 0x80, &challenge) || challenge.value.n != sizeof octets)
        return lab_fail(e, "GetEUICCChallenge: no challenge in the response");
    memcpy(octets, challenge.value.p, sizeof octets);
    return d->server->initiate(d, rd_of(octets, sizeof octets), e);
}

/* What the LPA checks before it asks the eUICC (3.1.2 step 5): address, transaction, OID. */
static int check_server(struct download *d, struct lab_error *e)
{
    char hex[sizeof d->claimed_id], oid[OID_TEXT_LEN];
    struct cert *cert = NULL;
    struct tlv signed1, field;
    const char *why;

    struct rd in = whole_field(d, FIELD_SIGNED1);
    if (tlv_expect(&in, TAG_SEQUENCE, &signed1) != 0 || !tlv_find(signed1.value, 0x83, &field) ||
        (d->ac.address[0] != '\0' && !rd_equal(field.value, rd_str(d->ac.address))))
        return lab_fail(e, "serverSigned1.serverAddress is not %.100s", d->ac.address);
    if (!tlv_find(signed1.value, 0x80, &field) || field.value.n == 0 ||
        field.value.n > sizeof d->id.b ||
        (d->claimed_id[0] != '\0' &&
         strcasecmp(hex_text(field.value, hex, sizeof hex), d->claimed_id) != 0))
        return lab_fail(e, "serverSigned1.transactionId is not that of the answer");
    memcpy(d->id.b, field.value.p, field.value.n);
    d->id.n = field.value.n;
    if (d->ac.oid[0] == '\0')
        return 0;
    if (cert_parse(d->ipa->crypto, whole_field(d, FIELD_CERTIFICATE), &cert, &why) != 0)
        return lab_fail(e, "serverCertificate: %s", why);
    bool same = oid_text(cert_oid(cert), oid, sizeof oid) && strcmp(oid, d->ac.oid) == 0;
    cert_free(&cert);
    return same ? 0 : lab_fail(e, "the server's OID is not %s", d->ac.oid);
}

static int authenticate(struct download *d, struct lab_error *e)
{
    struct rd answer;

    tell_step(d->ipa, "authenticating");
    TRY(initiate(d, e));
    TRY(check_server(d, e));
    wr_clear(&d->message);
    struct wr_mark mark = tlv_open(&d->message, TAG_AUTHENTICATE_SERVER);
    for (enum download_field f = FIELD_SIGNED1; f <= FIELD_CERTIFICATE; f++)
        add_field(d, f);
    if (d->fields[FIELD_CTX_PARAMS].n > 0)
        add_field(d, FIELD_CTX_PARAMS);
    else
        ctx_params1_put(&d->message, d->ac.matching_id, d->ipa->imei);
    tlv_close(&d->message, mark);
    TRY(ipa_call(d->ipa, &d->message, &answer, e));
    TRY(check_response(d, answer, CODES_AUTHENTICATE_SERVER, "AuthenticateServer", e));
    d->euicc_has_session = true;
    TRY(d->server->authenticate_client(d, wr_view(&d->ipa->answer), e));
    d->server_has_session = !d->has_events;
    return 0;
}

/* --- download (3.1.3) ------------------------------------------------------------------------- */

/* hashCc is SHA256(SHA256(code) | transactionId). */
static int add_hash_cc(struct download *d, struct rd transaction_id, struct lab_error *e)
{
    uint8_t inner[SHA256_LEN] = { 0 }, hash[SHA256_LEN];
    struct rd parts[] = { rd_of(inner, sizeof inner), transaction_id };

    if (d->ipa->confirmation_code == NULL) {
        d->reason = CANCEL_POSTPONED;
        return lab_fail(e, "the profile needs a confirmation code: --confirmation-code");
    }
    struct rd code = rd_str(d->ipa->confirmation_code);
    if (crypto_sha256(d->ipa->crypto, &code, 1, inner) != 0 ||
        crypto_sha256(d->ipa->crypto, parts, N_ELEMS(parts), hash) != 0)
        return lab_fail(e, "SHA-256 fails");
    tlv_put(&d->message, TAG_OCTET_STRING, rd_of(hash, sizeof hash));
    return 0;
}

static int prepare(struct download *d, struct lab_error *e)
{
    struct tlv signed2, id, flag;
    struct rd answer;

    struct rd in = whole_field(d, FIELD_SIGNED2);
    if (tlv_expect(&in, TAG_SEQUENCE, &signed2) != 0 || !tlv_find(signed2.value, 0x80, &id) ||
        !tlv_find(signed2.value, TAG_BOOLEAN, &flag) || flag.value.n != 1)
        return lab_fail(e, "authenticateClient: smdpSigned2 is malformed");
    wr_clear(&d->message);
    struct wr_mark mark = tlv_open(&d->message, TAG_PREPARE_DOWNLOAD);
    add_field(d, FIELD_SIGNED2);
    add_field(d, FIELD_SIGNATURE2);
    if (d->fields[FIELD_HASH_CC].n > 0)
        add_field(d, FIELD_HASH_CC);
    else if (flag.value.p[0] != 0)
        TRY(add_hash_cc(d, id.value, e));
    add_field(d, FIELD_CERTIFICATE2);
    tlv_close(&d->message, mark);
    TRY(ipa_call(d->ipa, &d->message, &answer, e));
    TRY(check_response(d, answer, CODES_PREPARE_DOWNLOAD, "PrepareDownload", e));
    tell_step(d->ipa, "downloading");
    return d->server->get_bpp(d, wr_view(&d->ipa->answer), e);
}

/* The parts of a bound profile package. */
struct bpp {
    struct rd head; /* tag and length of BF36, and BF23 */
    struct tlv first87, sequence88, second87, sequence86;
    bool has_second87;
    size_t segments; /* how many requests it takes */
};

static size_t count(struct rd list)
{
    struct tlv t;
    size_t n = 0;

    while (list.n > 0 && tlv_get(&list, &t) == 0)
        n++;
    return n;
}

static int open_bpp(struct rd octets, struct bpp *ret, struct lab_error *e)
{
    struct rd in = octets;
    struct tlv whole, initialise;
    struct bpp b = { .has_second87 = false };

    if (tlv_expect(&in, TAG_BPP, &whole) != 0 || in.n != 0 ||
        tlv_expect(&whole.value, TAG_INITIALISE, &initialise) != 0 ||
        tlv_expect(&whole.value, TAG_FIRST_87, &b.first87) != 0 ||
        tlv_expect(&whole.value, TAG_SEQUENCE_88, &b.sequence88) != 0)
        return lab_fail(e, "getBoundProfilePackage: not a BoundProfilePackage");
    b.has_second87 = tlv_expect(&whole.value, TAG_SECOND_87, &b.second87) == 0;
    if (tlv_expect(&whole.value, TAG_SEQUENCE_86, &b.sequence86) != 0 || whole.value.n != 0 ||
        !tlv_all_whole(b.sequence88.value) || !tlv_all_whole(b.sequence86.value))
        return lab_fail(e, "getBoundProfilePackage: not a BoundProfilePackage");
    b.head = rd_of(octets.p, (size_t)(initialise.whole.p + initialise.whole.n - octets.p));
    b.segments = 4 + count(b.sequence88.value) + count(b.sequence86.value) + b.has_second87;
    *ret = b;
    return 0;
}

/* Of StoreMetadataRequest, but for profileClass operational: a DEFAULT, which DER leaves out. */
static bool next_metadata(struct rd *in, struct tlv *ret)
{
    static const uint8_t operational[] = { 0x95, 0x01, 0x02 };

    while (in->n > 0 && tlv_get(in, ret) == 0)
        if (!rd_equal(ret->whole, rd_of(operational, sizeof operational)))
            return true;
    return false;
}

/* An eIM may have encoded one of them anew. */
static bool same_metadata(struct rd one, struct rd other)
{
    struct tlv a, b;

    if (tlv_expect(&one, TAG_METADATA, &a) != 0 || tlv_expect(&other, TAG_METADATA, &b) != 0 ||
        one.n != 0 || other.n != 0 || !tlv_all_whole(a.value) || !tlv_all_whole(b.value))
        return false;
    one = a.value;
    other = b.value;
    while (next_metadata(&one, &a))
        if (!next_metadata(&other, &b) || !rd_equal(a.whole, b.whole))
            return false;
    return !next_metadata(&other, &b);
}

/* The metadata inside the package must be what the user was told (3.1.3). */
static int compare_metadata(struct download *d, const struct bpp *b, struct lab_error *e)
{
    struct rd in = b->sequence88.value;
    struct tlv t;

    wr_clear(&d->message);
    while (in.n > 0 && tlv_get(&in, &t) == 0)
        wr_put(&d->message, t.value.p, t.value.n < BSP_MAC ? 0 : t.value.n - BSP_MAC);
    if (d->fields[FIELD_METADATA].n == 0 || /* an eIM has looked at them */
        same_metadata(wr_view(&d->message), whole_field(d, FIELD_METADATA)))
        return 0;
    d->reason = CANCEL_METADATA_MISMATCH;
    return lab_fail(e, "the metadata in the profile package is not that of authenticateClient");
}

/* A load in progress: how far, and the eUICC's result once it gave one. */
struct load {
    struct download *d;
    size_t sent, all;
    bool has_result;
};

static int load_segment(struct load *load, struct rd segment, struct lab_error *e)
{
    struct ipa *ipa = load->d->ipa;

    if (load->has_result)
        return 0;
    TRY(es10_send(&ipa->es10, segment, &ipa->answer, e));
    tell_bar(ipa, ++load->sent, load->all);
    if (ipa->answer.n == 0)
        return 0;
    load->has_result = true;
    struct download_outcome *outcome = load->d->outcome;
    if (rsp_read_notification(wr_view(&ipa->answer), &outcome->result) != 0 ||
        !outcome->result.is_installation_result)
        return lab_fail(e, "LoadBoundProfilePackage: not a ProfileInstallationResult");
    outcome->has_result = true;
    wr_put_rd(&outcome->installation_result, wr_view(&ipa->answer));
    return 0;
}

/* Tag and length of a sequence by themselves, then each of its TLVs (2.5.5). */
static int load_sequence(struct load *load, const struct tlv *sequence, struct lab_error *e)
{
    struct rd in = sequence->value;
    struct tlv t;

    TRY(load_segment(load, rd_of(sequence->whole.p, sequence->whole.n - in.n), e));
    while (in.n > 0 && tlv_get(&in, &t) == 0)
        TRY(load_segment(load, t.whole, e));
    return 0;
}

static int load_all(struct load *load, const struct bpp *b, struct lab_error *e)
{
    TRY(load_segment(load, b->head, e));
    TRY(load_segment(load, b->first87.whole, e));
    TRY(load_sequence(load, &b->sequence88, e));
    if (b->has_second87)
        TRY(load_segment(load, b->second87.whole, e));
    TRY(load_sequence(load, &b->sequence86, e));
    return load->has_result ? 0 : lab_fail(e, "LoadBoundProfilePackage: no result at the end");
}

static int install(struct download *d, struct lab_error *e)
{
    struct bpp b = { 0 };

    TRY(open_bpp(whole_field(d, FIELD_PACKAGE), &b, e));
    TRY(compare_metadata(d, &b, e));
    struct load load = { .d = d, .all = b.segments };
    tell_step(d->ipa, "installing");
    d->reason = CANCEL_LOAD_BPP_ERROR;
    int r = load_all(&load, &b, e);
    if (load.has_result)
        d->euicc_has_session = d->server_has_session = false;
    return r;
}

/* --- the end ---------------------------------------------------------------------------------- */

/* CancelSession (5.7.14), and on the server (5.6.5).  What goes wrong here changes nothing. */
static void cancel(struct download *d)
{
    uint8_t room[64];
    struct wr request;
    struct lab_error e;
    struct tlv error;
    struct rd answer;

    wr_init(&request, room, sizeof room);
    struct wr_mark mark = tlv_open(&request, TAG_CANCEL_SESSION);
    tlv_put(&request, 0x80, rd_of(d->id.b, d->id.n));
    tlv_put_uint(&request, 0x81, (uint64_t)d->reason);
    tlv_close(&request, mark);
    if (ipa_call(d->ipa, &request, &answer, &e) == 0 && !tlv_find(answer, 0x81, &error) &&
        d->server_has_session)
        d->server->cancel(d, wr_view(&d->ipa->answer));
}

static int tell_result(const struct download *d, struct lab_error *e)
{
    const struct rsp_notification *n = &d->outcome->result;
    char iccid[ICCID_TEXT_LEN] = "", aid[2 * RSP_AID_MAX + 1], sima[2 * RSP_SIMA_MAX + 1];

    hex_text(rd_of(n->sima_response, n->n_sima_response), sima, sizeof sima);
    if (!n->success)
        return lab_fail(e, "installation failed: %s(%ld): %s(%ld)%s%.256s",
                        code_name(CODES_BPP_COMMAND, n->bpp_command_id), n->bpp_command_id,
                        code_name(CODES_ERROR_REASON, n->error_reason), n->error_reason,
                        sima[0] != '\0' ? ", simaResponse " : "", sima);
    if (d->ipa->quiet)
        return 0;
    if (n->has_iccid)
        iccid_text(rd_of(n->iccid, ICCID_LEN), iccid);
    hex_text(rd_of(n->aid, n->n_aid), aid, sizeof aid);
    if (d->ipa->json) {
        cJSON *out = cJSON_CreateObject();
        cJSON_AddStringToObject(out, "iccid", iccid);
        cJSON_AddStringToObject(out, "isdpAid", aid);
        cJSON_AddStringToObject(out, "simaResponse", sima);
        ipa_print_json(out);
    } else {
        printf("installed %s %s\n", iccid, aid);
    }
    return 0;
}

static int run(struct download *d, struct lab_error *e)
{
    int r = authenticate(d, e);

    if (r == 0 && d->has_events)
        return 0; /* nothing to be cancelled: the next challenge ends the eUICC's session */
    if (r == 0)
        r = prepare(d, e);
    if (r == 0)
        r = install(d, e);
    if (r == 0)
        return tell_result(d, e);
    if (d->euicc_has_session)
        cancel(d);
    return r;
}

void download_outcome_init(struct download_outcome *outcome)
{
    *outcome = (struct download_outcome){ .has_result = false };
    wr_init_heap(&outcome->installation_result, MESSAGE_MAX);
    wr_init_heap(&outcome->refusal, MESSAGE_MAX);
}

void download_outcome_done(struct download_outcome *outcome)
{
    wr_done(&outcome->installation_result);
    wr_done(&outcome->refusal);
}

int download_run(struct ipa *ipa, const struct download_server *server, void *ctx,
                 const struct download_wanted *wanted, struct download_outcome *ret,
                 bool *ret_has_events, struct lab_error *e)
{
    const struct activation_code *ac = wanted->ac;
    struct download d = { .ipa = ipa,
                          .server = server,
                          .ctx = ctx,
                          .ac = *ac,
                          .events = wanted->events,
                          .events_only = wanted->events_only,
                          .reason = CANCEL_UNDEFINED,
                          .outcome = ret };

    if (ipa->imei != NULL &&
        (strlen(ipa->imei) != IMEI_DIGITS || strspn(ipa->imei, "0123456789") != IMEI_DIGITS))
        return lab_fail(e, "an IMEI has %d digits", IMEI_DIGITS);
    if (ac->code_required && ipa->confirmation_code == NULL)
        return lab_fail(e, "the activation code asks for --confirmation-code");
    wr_init_heap(&d.info1, MESSAGE_MAX);
    wr_init_heap(&d.message, MESSAGE_MAX);
    for (size_t i = 0; i < N_FIELDS; i++)
        wr_init_heap(&d.fields[i], i == FIELD_PACKAGE ? BPP_MAX : MESSAGE_MAX);
    int r = run(&d, e);
    *ret_has_events = d.has_events;
    for (size_t i = 0; i < N_FIELDS; i++)
        wr_done(&d.fields[i]);
    wr_done(&d.message);
    wr_done(&d.info1);
    return r;
}

/* What came of it belongs to the server: the result, and the installation notification. */
static int send_notifications(struct ipa *ipa, const struct download_outcome *outcome, int r,
                              struct lab_error *e)
{
    struct lab_error why;

    if (!outcome->has_result || ipa->no_notifications)
        return r;
    int sent = ipa_notifications_process(ipa, (uint64_t)outcome->result.seq_number, &why);
    if (r == 0 && sent != 0) {
        *e = why;
        r = sent;
    }
    return r;
}

int ipa_download(struct ipa *ipa, const char *activation_code, struct lab_error *e)
{
    struct download_outcome outcome;
    struct activation_code ac;

    TRY(activation_code_read(activation_code, &ac, e));
    download_outcome_init(&outcome);
    int r = send_notifications(ipa, &outcome, download_direct(ipa, &ac, &outcome, e), e);
    download_outcome_done(&outcome);
    return r;
}
