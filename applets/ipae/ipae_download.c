/* ipae_download.c - profile download and installation (SGP.22 3.1.2, 3.1.3; SGP.32 3.2.3).
 *
 *   initiate --> AuthenticateServer --> authenticate --> PrepareDownload --> get package -->
 *   LoadBoundProfilePackage --> report
 *
 * A failure after AuthenticateServer cancels the session on the eUICC and, while the server still
 * knows it, there.  What came of it is told: the installation result as a notification to the
 * SM-DP+ or through the eIM, and to an eIM that was not the messenger how its trigger ended. */
#include "applets/ipae/ipae_download.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "applets/isdr/es10.h"

enum {
    MESSAGE_MAX = 64 * 1024,
    PIECE_MAX = 4096,
    TAG_BOOLEAN = 0x01,
};

static int report(struct euicc *e);
static int initiate(struct euicc *e);

void ipae_download_free(struct ipae *x)
{
    struct ipae_download *d = x->download;

    if (d == NULL)
        return;
    for (size_t i = 0; i < N_FIELDS; i++)
        wr_done(&d->fields[i]);
    wr_done(&d->info1);
    wr_done(&d->message);
    wr_done(&d->refusal);
    wr_done(&d->result);
    ipae_discovery_free(d);
    free(d);
    x->download = NULL;
}

static struct ipae_download *download_new(const struct euicc *e)
{
    struct ipae_download *d = calloc(1, sizeof *d);

    if (d == NULL)
        return NULL;
    for (size_t i = 0; i < N_FIELDS; i++)
        wr_init_heap(&d->fields[i], i == FIELD_PACKAGE
                                        ? (size_t)setting_number(&e->settings, SET_IPAE_BUFFER)
                                        : MESSAGE_MAX);
    wr_init_heap(&d->info1, MESSAGE_MAX);
    wr_init_heap(&d->message, IPAE_REQUEST_MAX); /* all fields but the package fit in */
    wr_init_heap(&d->refusal, MESSAGE_MAX);
    wr_init_heap(&d->result, MESSAGE_MAX);
    d->reason = CANCEL_UNDEFINED;
    d->trigger_reason = TRIGGER_UNDEFINED_ERROR;
    return d;
}

/* --- the end of a session --------------------------------------------------------------------- */

static int cancelled(struct euicc *e, const struct link_answer *a)
{
    (void)a; /* what goes wrong here changes nothing */
    return report(e);
}

/* A session of RSP takes each step once: repeated, it ends the download; broken off, it is begun
 * anew. */
static int send(struct euicc *e, enum download_step step, struct rd what, ipae_answered_fn *then)
{
    struct ipae *x = ipae_of(e);
    struct ipae_download *d = x->download;

    wr_clear(&x->request);
    TRY(d->way->put(e, d, step, what));
    if (step == STEP_AUTHENTICATE || step == STEP_GET_PACKAGE)
        return ipae_exchange_once(e, &d->server, then);
    return ipae_exchange(e, &d->server, then);
}

/* CancelSession (SGP.22 5.7.14); *ret_ok: its response is in x->es10. */
static int cancel_on_euicc(struct euicc *e, bool *ret_ok)
{
    struct ipae_download *d = ipae_of(e)->download;
    uint8_t octets[32];
    struct tlv t, error;
    struct wr w;

    *ret_ok = false;
    if (!d->euicc_has_session)
        return 0;
    d->euicc_has_session = false;
    wr_init(&w, octets, sizeof octets);
    struct wr_mark m = tlv_open(&w, TAG_CANCEL_SESSION);
    tlv_put(&w, TAG_CTX_0, download_id(d));
    tlv_put_uint(&w, TAG_CTX_1, d->reason);
    tlv_close(&w, m);
    TRY(ipae_es10(e, wr_view(&w), ret_ok));
    struct rd in = wr_view(&ipae_of(e)->es10);
    *ret_ok = *ret_ok && tlv_expect(&in, TAG_CANCEL_SESSION, &t) == 0 &&
              !tlv_find(t.value, TAG_CTX_1, &error);
    return 0;
}

static int fail(struct euicc *e, const char *why)
{
    struct ipae *x = ipae_of(e);
    struct ipae_download *d = x->download;
    bool has_response;

    trace_check(&e->trace, "IPAe: the download fails: %s (SGP.32 3.2.3)", why);
    TRY(cancel_on_euicc(e, &has_response));
    if (!has_response || !d->server_has_session)
        return report(e);
    d->server_has_session = false;
    wr_clear(&d->message);
    wr_put_rd(&d->message, wr_view(&x->es10));
    return send(e, STEP_CANCEL, wr_view(&d->message), cancelled);
}

/* *ret: there is an answer.  An eIM out of reach cannot be told anything either. */
static int check(struct euicc *e, const struct link_answer *a, bool *ret)
{
    struct ipae *x = ipae_of(e);
    bool unused;

    *ret = a->outcome == LINK_OK;
    if (*ret)
        return 0;
    if (x->download->way == &download_direct) {
        x->download->server_has_session = false;
        return fail(e, "the server does not answer");
    }
    TRY(cancel_on_euicc(e, &unused));
    ipae_download_free(x);
    return ipae_talk_check(e, a, &unused);
}

/* --- the report ------------------------------------------------------------------------------- */

static int tell_eim(struct euicc *e)
{
    struct ipae *x = ipae_of(e);
    const struct ipae_download *d = x->download;
    struct rd tid = rd_of(d->eim_tid, d->eim_tid_n);

    struct wr_mark m = ipae_talk_open(e);
    if (d->result.n > 0)
        esipa_put_trigger_result(&x->request, tid, wr_view(&d->result));
    else
        esipa_put_trigger_error(&x->request, ipae_version(e), tid, d->trigger_reason,
                                wr_view(&d->refusal));
    ipae_download_free(x);
    return ipae_talk_provide(e, m);
}

static int result_told(struct euicc *e, const struct link_answer *a)
{
    struct ipae *x = ipae_of(e);
    bool ok;

    TRY(check(e, a, &ok));
    if (!ok)
        return 0;
    TRY(ipae_es10_remove(e, x->download->sequence));
    ipae_download_free(x);
    return ipae_talk_ask(e);
}

/* The next event of the SM-DS, or the end. */
static int finish(struct euicc *e)
{
    struct ipae_download *d = ipae_of(e)->download;

    if (!ipae_discovery_next(d))
        return tell_eim(e);
    trace_note(&e->trace, "IPAe: an event at %s", d->address);
    if (!es9p_server(rd_str(d->address), "", d->host, &d->server))
        return fail(e, "the address of the event is none");
    d->server.trust.roles = ROLE_DP_TLS | ROLE_DS_TLS;
    return initiate(e);
}

/* A result that the SM-DP+ did not get stays among the notifications. */
static int result_sent(struct euicc *e, const struct link_answer *a)
{
    if (a->outcome == LINK_OK)
        TRY(ipae_es10_remove(e, ipae_of(e)->download->sequence));
    return finish(e);
}

static int report(struct euicc *e)
{
    struct ipae_download *d = ipae_of(e)->download;
    struct rd address;

    if (d->result.n == 0 ||
        esipa_read_notification(wr_view(&d->result), &d->sequence, &address) != 0)
        return finish(e);
    if (d->way == &download_indirect)
        return ipae_talk_notify(e, wr_view(&d->result), result_told);
    if (!es9p_put_notification(e, address, wr_view(&d->result), d->host, &d->server))
        return finish(e);
    return ipae_exchange(e, &d->server, result_sent);
}

/* --- LoadBoundProfilePackage ------------------------------------------------------------------ */

/* The contents of a ProfileInstallationResult (SGP.22 2.5.6). */
static bool is_success(struct rd result)
{
    enum { TAG_RESULT_DATA = 0xBF27 };
    struct tlv data, final, arm;

    return tlv_find(result, TAG_RESULT_DATA, &data) && tlv_find(data.value, TAG_CHOICE_2, &final) &&
           tlv_find(final.value, TAG_CHOICE_0, &arm);
}

static int install(struct euicc *e, struct rd package)
{
    struct ipae *x = ipae_of(e);
    struct ipae_download *d = x->download;
    struct rd piece;
    struct tlv result;
    bool ok = true;

    d->reason = CANCEL_LOAD_BPP_ERROR;
    while (ok && package.n > 0 && d->result.n == 0) {
        TRY(rd_take(&package, package.n < PIECE_MAX ? package.n : PIECE_MAX, &piece));
        TRY(ipae_es10(e, piece, &ok));
        if (ok)
            wr_put_rd(&d->result, wr_view(&x->es10));
    }
    TRY(wr_failed(&d->result));
    struct rd in = wr_view(&d->result);
    if (d->result.n > 0 && tlv_get(&in, &result) == 0) {
        d->euicc_has_session = d->server_has_session = false;
        d->installed = is_success(result.value);
        x->talk.installed = x->talk.installed || d->installed;
        if (d->installed)
            trace_note(&e->trace, "IPAe: the profile is installed");
        else
            trace_check(&e->trace, "IPAe: the profile is not installed (SGP.22 5.7.6)");
        return report(e);
    }
    return fail(e, "LoadBoundProfilePackage gives no result");
}

static int got_package(struct euicc *e, const struct link_answer *a)
{
    struct ipae_download *d = ipae_of(e)->download;
    bool ok;

    TRY(check(e, a, &ok));
    if (!ok)
        return 0;
    if (!d->way->read(e, d, STEP_GET_PACKAGE, a->body))
        return fail(e, "getBoundProfilePackage is refused");
    return install(e, wr_view(&d->fields[FIELD_PACKAGE]));
}

/* --- PrepareDownload -------------------------------------------------------------------------- */

static void add(struct ipae_download *d, enum download_field field)
{
    wr_put_rd(&d->message, wr_view(&d->fields[field]));
}

/* The request in d->message; *ret_ok: the response, in x->es10, is no error. */
static int ask_euicc(struct euicc *e, uint32_t tag, bool *ret_ok)
{
    struct ipae *x = ipae_of(e);
    struct ipae_download *d = x->download;
    struct tlv t, error;

    TRY(wr_failed(&d->message));
    TRY(ipae_es10(e, wr_view(&d->message), ret_ok));
    struct rd in = wr_view(&x->es10);
    if (*ret_ok && tlv_expect(&in, tag, &t) == 0 && !tlv_find(t.value, TAG_CHOICE_1, &error))
        return 0;
    wr_clear(&d->refusal);
    wr_put_rd(&d->refusal, wr_view(&x->es10));
    *ret_ok = false;
    return 0;
}

static int prepare(struct euicc *e)
{
    struct ipae *x = ipae_of(e);
    struct ipae_download *d = x->download;
    struct tlv signed2, flag;
    bool ok;

    struct rd in = wr_view(&d->fields[FIELD_SIGNED2]);
    if (tlv_expect(&in, TAG_SEQUENCE, &signed2) != 0 ||
        !tlv_find(signed2.value, TAG_BOOLEAN, &flag) || flag.value.n != 1)
        return fail(e, "smdpSigned2 is malformed");
    if (flag.value.p[0] != 0 && d->fields[FIELD_HASH_CC].n == 0) {
        d->reason = CANCEL_POSTPONED;
        return fail(e, "there is no confirmation code");
    }
    wr_clear(&d->message);
    struct wr_mark m = tlv_open(&d->message, TAG_PREPARE_DOWNLOAD);
    add(d, FIELD_SIGNED2);
    add(d, FIELD_SIGNATURE2);
    add(d, FIELD_HASH_CC);
    add(d, FIELD_CERTIFICATE2);
    tlv_close(&d->message, m);
    TRY(ask_euicc(e, TAG_PREPARE_DOWNLOAD, &ok));
    if (!ok)
        return fail(e, "PrepareDownload is refused");
    wr_clear(&d->message);
    wr_put_rd(&d->message, wr_view(&x->es10));
    return send(e, STEP_GET_PACKAGE, wr_view(&d->message), got_package);
}

static int got_authentication(struct euicc *e, const struct link_answer *a)
{
    struct ipae_download *d = ipae_of(e)->download;
    bool ok;

    TRY(check(e, a, &ok));
    if (!ok)
        return 0;
    if (!d->way->read(e, d, STEP_AUTHENTICATE, a->body))
        return fail(e, "authenticateClient is refused");
    if (d->has_events)
        return finish(e);
    d->server_has_session = true;
    return prepare(e);
}

/* --- the common mutual authentication (SGP.22 3.1.2) ------------------------------------------ */

/* NULL, or what is wrong before the eUICC is asked: address, transaction, OID. */
static const char *check_server(struct euicc *e, struct ipae_download *d)
{
    struct cert *cert = NULL;
    struct tlv signed1, f;
    const char *why;

    struct rd in = wr_view(&d->fields[FIELD_SIGNED1]);
    if (tlv_expect(&in, TAG_SEQUENCE, &signed1) != 0 || !tlv_find(signed1.value, TAG_CTX_3, &f))
        return "serverSigned1 is malformed";
    if (d->address[0] != '\0' && !rd_equal(f.value, rd_str(d->address)))
        return "serverSigned1.serverAddress is another one";
    if (!tlv_find(signed1.value, TAG_CTX_0, &f) || f.value.n == 0 || f.value.n > sizeof d->id)
        return "serverSigned1.transactionId is malformed";
    if (d->claimed_id_n > 0 && !rd_equal(f.value, rd_of(d->claimed_id, d->claimed_id_n)))
        return "serverSigned1.transactionId is another one";
    memcpy(d->id, f.value.p, f.value.n);
    d->id_n = f.value.n;
    if (d->oid_n == 0)
        return NULL;
    if (cert_parse(e->crypto, wr_view(&d->fields[FIELD_CERTIFICATE]), &cert, &why) != 0)
        return why;
    bool same = rd_equal(cert_oid(cert), rd_of(d->oid, d->oid_n));
    cert_free(&cert);
    return same ? NULL : "the server's OID is another one";
}

static int authenticate(struct euicc *e)
{
    struct ipae *x = ipae_of(e);
    struct ipae_download *d = x->download;
    bool ok;

    wr_clear(&d->message);
    struct wr_mark m = tlv_open(&d->message, TAG_AUTHENTICATE_SERVER);
    for (enum download_field f = FIELD_SIGNED1; f <= FIELD_CTX_PARAMS; f++)
        add(d, f);
    if (d->fields[FIELD_CTX_PARAMS].n == 0)
        ctx_params1_put(&d->message, d->matching_id, x->imei);
    tlv_close(&d->message, m);
    TRY(ask_euicc(e, TAG_AUTHENTICATE_SERVER, &ok));
    if (!ok)
        return fail(e, "AuthenticateServer is refused");
    d->euicc_has_session = true;
    wr_clear(&d->message);
    wr_put_rd(&d->message, wr_view(&x->es10));
    return send(e, STEP_AUTHENTICATE, wr_view(&d->message), got_authentication);
}

static int got_initiation(struct euicc *e, const struct link_answer *a)
{
    struct ipae_download *d = ipae_of(e)->download;
    bool ok;

    TRY(check(e, a, &ok));
    if (!ok)
        return 0;
    if (!d->way->read(e, d, STEP_INITIATE, a->body))
        return fail(e, "initiateAuthentication is refused");
    const char *wrong = check_server(e, d);
    return wrong != NULL ? fail(e, wrong) : authenticate(e);
}

static int initiate(struct euicc *e)
{
    struct ipae *x = ipae_of(e);
    struct ipae_download *d = x->download;
    uint8_t octets[CHALLENGE_LEN];
    struct tlv challenge;
    struct rd answer;

    TRY(ipae_es10_get(e, TAG_GET_EUICC_INFO1, &answer));
    wr_put_rd(&d->info1, wr_view(&x->es10));
    TRY(ipae_es10_get(e, TAG_GET_EUICC_CHALLENGE, &answer));
    if (!tlv_find(answer, TAG_CTX_0, &challenge) || challenge.value.n != sizeof octets)
        return ERR_BUG;
    memcpy(octets, challenge.value.p, sizeof octets);
    return send(e, STEP_INITIATE, rd_of(octets, sizeof octets), got_initiation);
}

/* --- where from ------------------------------------------------------------------------------- */

/* "1.3.6.1.4" as the contents of an OBJECT IDENTIFIER. */
static bool read_oid(struct rd text, struct ipae_download *d)
{
    unsigned long arcs[32];
    size_t n = 0, digits = 0;
    struct wr w;

    wr_init(&w, d->oid, sizeof d->oid);
    arcs[0] = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '.' && digits > 0 && n + 1 < N_ELEMS(arcs)) {
            arcs[++n] = 0;
            digits = 0;
        } else if (text.p[i] >= '0' && text.p[i] <= '9' && digits++ < 9) {
            arcs[n] = arcs[n] * 10 + (unsigned long)(text.p[i] - '0');
        } else {
            return false;
        }
    }
    if (digits == 0 || n < 1)
        return false;
    arcs[1] += 40 * arcs[0];
    for (size_t i = 1; i <= n; i++) {
        unsigned shift = 0;
        while (shift < 28 && arcs[i] >> (shift + 7) != 0)
            shift += 7;
        for (; shift > 0; shift -= 7)
            wr_put_u8(&w, (uint8_t)(0x80 | (arcs[i] >> shift & 0x7F)));
        wr_put_u8(&w, (uint8_t)(arcs[i] & 0x7F));
    }
    d->oid_n = w.n;
    return wr_failed(&w) == 0;
}

static bool copy_text(struct rd from, char *to, size_t size)
{
    if (from.n >= size || (from.n > 0 && memchr(from.p, 0, from.n) != NULL))
        return false;
    if (from.n > 0)
        memcpy(to, from.p, from.n);
    to[from.n] = '\0';
    return true;
}

/* Up to the next '$', which goes too. */
static struct rd take_part(struct rd *in)
{
    struct rd part = *in;

    for (part.n = 0; part.n < in->n && in->p[part.n] != '$';)
        part.n++;
    size_t taken = part.n < in->n ? part.n + 1 : part.n;
    in->p += taken;
    in->n -= taken;
    return part;
}

/* "LPA:1$address$matchingId[$oid[$1]]" (SGP.22 4.1), also without its prefix. */
static bool read_activation_code(struct rd text, struct ipae_download *d)
{
    if (text.n >= 4 && memcmp(text.p, "LPA:", 4) == 0)
        text = rd_of(text.p + 4, text.n - 4);
    if (!rd_equal(take_part(&text), rd_str("1")) ||
        !copy_text(take_part(&text), d->address, sizeof d->address) || d->address[0] == '\0' ||
        !copy_text(take_part(&text), d->matching_id, sizeof d->matching_id))
        return false;
    struct rd oid = take_part(&text);
    return oid.n == 0 || read_oid(oid, d);
}

/* The SM-DS of the trigger, or the root SM-DS.  NULL, or why it cannot be found. */
static const char *read_smds(const struct download_trigger *t, struct rd addresses,
                             struct ipae_download *d)
{
    struct rd address = t->source == FROM_SMDS ? t->text : rd_of(NULL, 0);
    struct tlv f;

    if (address.n == 0 && tlv_find(addresses, TAG_CTX_1, &f))
        address = f.value;
    if (address.n == 0 || !copy_text(address, d->address, sizeof d->address))
        return "there is no SM-DS";
    return ipae_discovery_begin(d) ? NULL : "there is no memory";
}

/* NULL, or why it cannot be found. */
static const char *read_source(const struct download_trigger *t, struct rd addresses,
                               struct ipae_download *d)
{
    bool direct = d->way == &download_direct;
    struct tlv f;

    switch (t->source) {
    case FROM_ACTIVATION_CODE:
        return read_activation_code(t->text, d) ? NULL : "it is no activation code";
    case FROM_SMDS:
        return direct ? read_smds(t, addresses, d) : "an SM-DS is not asked through an eIM";
    default:
        if (tlv_find(addresses, TAG_CTX_0, &f) && f.value.n > 0 &&
            copy_text(f.value, d->address, sizeof d->address))
            return NULL;
        if (t->source == FROM_DEFAULT_DP)
            return "there is no default SM-DP+";
        return direct ? read_smds(t, addresses, d) : NULL;
    }
}

/* NULL, or why not. */
static const char *choose_way(const struct euicc *e, const struct download_trigger *t,
                              struct rd addresses, struct ipae_download *d)
{
    const struct ipae_talk *talk = &ipae_of(e)->talk;

    d->way = talk->indirect ? &download_indirect : &download_direct;
    const char *why = read_source(t, addresses, d);
    if (why != NULL)
        return why;
    d->server = talk->server;
    if (talk->indirect)
        return NULL;
    if (!ipae_may_use(e, LINK_HTTPS))
        return "there is no HTTPS";
    if (!es9p_server(rd_str(d->address), "", d->host, &d->server))
        return "the server's address is none";
    if (d->must_be_smds)
        d->server.trust.roles = ROLE_DS_TLS;
    return NULL;
}

int ipae_download_begin(struct euicc *e, const struct download_trigger *trigger)
{
    struct ipae *x = ipae_of(e);
    bool emergency;
    struct rd addresses;

    ipae_download_free(x);
    x->download = download_new(e);
    if (x->download == NULL)
        return ERR_NOMEM;
    struct ipae_download *d = x->download;
    d->eim_tid_n = trigger->tid.n;
    if (trigger->tid.n > 0)
        memcpy(d->eim_tid, trigger->tid.p, trigger->tid.n);
    TRY(ipae_is_emergency(e, &emergency));
    if (emergency) {
        d->trigger_reason = TRIGGER_ECALL_ACTIVE;
        return fail(e, "the Emergency Profile is enabled");
    }
    TRY(ipae_es10_get(e, TAG_EUICC_CONFIGURED_ADDRESSES, &addresses));
    const char *why = choose_way(e, trigger, addresses, d);
    if (why != NULL)
        return fail(e, why);
    trace_note(&e->trace, "IPAe: download through %s, from %s", d->server.host,
               d->address[0] != 0 ? d->address : "where it knows");
    return initiate(e);
}
