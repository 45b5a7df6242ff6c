/* ipae_eim.c - a conversation with an eIM (SGP.32 3.1.1.1, 3.3.1, 3.7):
 *
 *   package results that it has not acknowledged, then notifications if they go through it; then
 *   questions for a package, each followed by what is to be done, until there is none
 *
 * A package that enables or disables is executed when the channel is closed: if it switches, the
 * result waits for the network of the other profile. */
#include <inttypes.h>
#include <string.h>

#include "applets/ecasd/ecasd.h"
#include "applets/ipae/ipae_parts.h"
#include "applets/isdr/es10.h"
#include "applets/isdr/profile_store.h"

#define USER_AGENT "gsma-rsp-ipae"

enum {
    PACKAGES_MAX = 100, /* of one conversation */
    BAD_MAX = 8,
    ACKS_MAX = 256, /* of one message; there are not that many results and notifications */

    HTTP_ERRORS = 400, /* status from here on */
};

/* --- beginning -------------------------------------------------------------------------------- */

/* CHOICE { A0 SubjectPublicKeyInfo, A1 Certificate }, whose tags replace that of the SEQUENCE;
 * without one, a CI's certificate is trusted. */
static int read_trust(struct ipae_talk *t)
{
    struct tls_trust *trust = &t->server.trust;
    struct tlv outer, choice;

    *trust = (struct tls_trust){ .kind = TLS_TRUST_CI };
    if (!tlv_find(t->eim.configuration, EIM_TRUSTED_PUBLIC_KEY_DATA_TLS, &outer))
        return 0;
    if (!tlv_find(outer.value, TAG_CHOICE_0, &choice) &&
        !tlv_find(outer.value, TAG_CHOICE_1, &choice))
        return 0;
    trust->kind = choice.tag == TAG_CHOICE_0 ? TLS_TRUST_SPKI : TLS_TRUST_CERTIFICATE;
    wr_clear(&t->pinned);
    tlv_put(&t->pinned, TAG_SEQUENCE, choice.value);
    trust->pinned = wr_view(&t->pinned);
    return wr_failed(&t->pinned);
}

/* How both sides can; false: not at all. */
static bool read_how(const struct euicc *e, struct ipae_talk *t)
{
    uint32_t theirs = 0;
    struct tlv f;

    if (!tlv_find(t->eim.configuration, EIM_SUPPORTED_PROTOCOL, &f))
        theirs = EIM_RETRIEVE_HTTPS; /* v1.0 names no default */
    else if (tlv_bits(f.value, &theirs) != 0)
        return false;
    uint32_t both = theirs & ipae_protocols(e);
    t->server.how = both & EIM_RETRIEVE_HTTPS ? LINK_HTTPS : LINK_COAPS;
    return (both & (EIM_RETRIEVE_HTTPS | EIM_RETRIEVE_COAPS)) != 0;
}

static bool read_server(const struct euicc *e, struct ipae_talk *t)
{
    struct tlv f;

    t->server =
        (struct link_server){ .host = t->host,
                              .path = ESIPA_ASN1_PATH,
                              .user_agent = USER_AGENT,
                              .content_type = ESIPA_ASN1_TYPE,
                              .admin_protocol = ipae_version(e) == ESIPA_V1_0 ? ESIPA_PROTOCOL_V1_0
                                                                              : ESIPA_PROTOCOL };
    if (!tlv_find(t->eim.configuration, EIM_FQDN, &f) ||
        !ipae_read_host(f.value, t->host, &t->server.port)) {
        trace_check(&e->trace, "IPAe: the eIM has no eimFqdn that can be asked");
        return false;
    }
    if (!read_how(e, t)) {
        trace_check(&e->trace, "IPAe: the eIM has no protocol in common (SGP.32 3.1.1.1)");
        return false;
    }
    return true;
}

void ipae_talk_done(struct ipae *x)
{
    struct ipae_talk *t = &x->talk;
    struct wr pinned = t->pinned, package = t->package;

    eim_done(&t->eim);
    wr_clear(&pinned);
    wr_done(&package);
    *t = (struct ipae_talk){ .eim = { .number = NO_EIM }, .pinned = pinned, .package = package };
}

/* Immediate Profile Enabling (SGP.32 3.4.5): the eUICC knows whether it is wanted. */
static int enable_installed(struct euicc *e)
{
    struct ipae *x = ipae_of(e);
    uint64_t code;

    TRY(ipae_es10_switch(e, TAG_IMMEDIATE_ENABLE, &code));
    if (code != ES10_OK)
        return ipae_policy_conversed(e);
    ipae_talk_done(x);
    return ipae_switched(e, CHANGE_IMMEDIATE_ENABLE, NO_EIM);
}

int ipae_talk_end(struct euicc *e, enum ipae_end end, uint32_t retry_after)
{
    static const char *const names[] = {
        [END_WELL] = "well",
        [END_RETRY] = "to be tried again",
        [END_NO_SERVICE] = "without service",
        [END_UNTRUSTED] = "untrusted",
        [END_REFUSED] = "refused",
    };
    struct ipae *x = ipae_of(e);

    trace_note(&e->trace, "IPAe: the conversation ends: %s", names[end]);
    x->talk.end = end;
    x->talk.retry_after = retry_after;
    return ipae_close(e, x->talk.installed ? enable_installed : ipae_policy_conversed);
}

int ipae_talk_check(struct euicc *e, const struct link_answer *a, bool *ret)
{
    static const enum ipae_end ends[] = {
        [LINK_OK] = END_WELL,
        [LINK_RETRY_LATER] = END_RETRY,
        [LINK_NO_SERVICE] = END_NO_SERVICE,
        [LINK_UNTRUSTED] = END_UNTRUSTED,
        [LINK_REFUSED] = END_REFUSED,
    };

    *ret = a->outcome == LINK_OK;
    if (a->status != 0)
        ipae_of(e)->talk.delivered = true;
    return *ret ? 0 : ipae_talk_end(e, ends[a->outcome], a->retry_after);
}

static int malformed(struct euicc *e, const char *what)
{
    trace_check(&e->trace, "IPAe: %s: the eIM's answer is malformed (SGP.32 6.3)", what);
    return ipae_talk_end(e, END_RETRY, 0);
}

/* --- what is left from before ----------------------------------------------------------------- */

static int next_notification(struct euicc *e);

/* A result that another eIM waits for; some eIMs acknowledge numbers of their own. */
static int is_anothers(struct euicc *e, uint64_t sequence, bool *ret)
{
    const struct ipae_talk *t = &ipae_of(e)->talk;
    struct package_result result;
    struct tlv one;
    struct rd list;

    *ret = false;
    TRY(ipae_es10_list(e, TAG_CHOICE_2, &list));
    while (!*ret && list.n > 0 && tlv_get(&list, &one) == 0)
        *ret = esipa_read_package_result(one.whole, &result) == 0 && result.kind == RESULT_OK &&
               result.seq_number == sequence && !rd_equal(result.eim_id, t->eim.id);
    return 0;
}

/* Acknowledged results and notifications leave the eUICC. */
static int remove_acknowledged(struct euicc *e, struct rd list)
{
    uint64_t sequence;
    bool others;

    for (unsigned n = 0; n < ACKS_MAX && esipa_next_ack(&list, &sequence); n++) {
        TRY(is_anothers(e, sequence, &others));
        if (others)
            trace_check(&e->trace, "IPAe: result %" PRIu64 " is not for this eIM to acknowledge",
                        sequence);
        else
            TRY(ipae_es10_remove(e, sequence));
    }
    return 0;
}

/* An eIM of v1.0 need not acknowledge: its answer says that it has the result (SGP.32 3.3.1). */
static int remove_taken(struct euicc *e, const struct esipa_acks *acks)
{
    uint64_t sequence;

    if (!acks->given && ipae_version(e) == ESIPA_V1_0 &&
        esipa_read_provided(wr_view(&ipae_of(e)->request), &sequence) == 0)
        return ipae_es10_remove(e, sequence);
    return remove_acknowledged(e, acks->list);
}

/* *ret: the eIM took it. */
static int take_acks(struct euicc *e, const struct link_answer *a, bool *ret)
{
    struct esipa_acks acks;

    TRY(ipae_talk_check(e, a, ret));
    if (!*ret)
        return 0;
    *ret = false;
    if (esipa_read_acks(a->body, &acks) != 0)
        return malformed(e, "ProvideEimPackageResult");
    if (acks.error != 0) {
        trace_check(&e->trace, "IPAe: ProvideEimPackageResult: error %" PRIu64 " (SGP.32 5.14.6)",
                    acks.error);
        return ipae_talk_end(e, END_REFUSED, 0);
    }
    *ret = true;
    trace_note(&e->trace, "IPAe: the eIM has the result");
    return remove_taken(e, &acks);
}

static int next_result(struct euicc *e);

/* The server answered, but not to this: what is left from before may not keep packages away. */
static bool is_declined(const struct link_answer *a)
{
    return a->outcome != LINK_OK && a->status >= HTTP_ERRORS && a->retry_after == 0;
}

static int go_on_without(struct euicc *e, const char *what)
{
    struct ipae_talk *t = &ipae_of(e)->talk;

    trace_check(&e->trace, "IPAe: the eIM does not take %s now", what);
    t->delivered = true;
    return t->last_pass ? ipae_talk_end(e, END_WELL, 0) : ipae_talk_ask(e);
}

static int result_told(struct euicc *e, const struct link_answer *a)
{
    bool taken;

    if (is_declined(a))
        return go_on_without(e, "a result");
    TRY(take_acks(e, a, &taken));
    if (!taken)
        return 0;
    TRY(ipae_delivered(e));
    return next_result(e);
}

struct wr_mark ipae_talk_open(struct euicc *e)
{
    struct wr *w = &ipae_of(e)->request;

    wr_clear(w);
    return esipa_open_result(w, ipae_version(e), rd_of(ecasd_eid(e), EID_LEN));
}

static int tell_result(struct euicc *e, struct rd result)
{
    struct ipae *x = ipae_of(e);

    struct wr_mark m = ipae_talk_open(e);
    wr_put_rd(&x->request, result);
    tlv_close(&x->request, m);
    return ipae_exchange(e, &x->talk.server, result_told);
}

/* The oldest one that is this eIM's. */
static int next_result(struct euicc *e)
{
    struct ipae_talk *t = &ipae_of(e)->talk;
    struct profile_switch now;
    struct package_result result;
    struct tlv one;
    struct rd list;

    t->grants = false;
    TRY(profile_get_switch(e, &now));
    TRY(ipae_es10_list(e, TAG_CHOICE_2, &list));
    while (list.n > 0 && tlv_get(&list, &one) == 0) {
        if (esipa_read_package_result(one.whole, &result) != 0 || result.kind != RESULT_OK ||
            result.seq_number <= t->told || !rd_equal(result.eim_id, t->eim.id))
            continue;
        t->told = result.seq_number;
        t->grants = now.rolls_back != NO_PROFILE && now.grant == result.seq_number;
        return tell_result(e, one.whole);
    }
    return next_notification(e);
}

static int notification_told(struct euicc *e, const struct link_answer *a)
{
    bool ok;

    if (is_declined(a))
        return go_on_without(e, "a notification");
    TRY(ipae_talk_check(e, a, &ok));
    if (!ok)
        return 0;
    TRY(ipae_es10_remove(e, ipae_of(e)->talk.noted));
    return next_notification(e);
}

int ipae_talk_notify(struct euicc *e, struct rd whole, ipae_answered_fn *sent)
{
    struct ipae *x = ipae_of(e);

    wr_clear(&x->request);
    struct wr_mark m = tlv_open(&x->request, ESIPA_HANDLE_NOTIFICATION);
    tlv_put(&x->request, 0xA0, whole);
    tlv_close(&x->request, m);
    return ipae_exchange(e, &x->talk.server, sent);
}

/* Through the eIM, if it is the messenger; the others go to SM-DP+s when no eIM is due. */
static int next_notification(struct euicc *e)
{
    struct ipae_talk *t = &ipae_of(e)->talk;
    struct rd list = { NULL, 0 }, address;
    uint64_t sequence;
    struct tlv one;

    if (t->indirect)
        TRY(ipae_es10_list(e, TAG_CHOICE_0, &list));
    while (list.n > 0 && tlv_get(&list, &one) == 0) {
        if (esipa_read_notification(one.whole, &sequence, &address) != 0 || sequence <= t->noted)
            continue;
        t->noted = sequence;
        return ipae_talk_notify(e, one.whole, notification_told);
    }
    return t->last_pass ? ipae_talk_end(e, END_WELL, 0) : ipae_talk_ask(e);
}

int ipae_talk_begin(struct euicc *e, uint16_t number)
{
    struct ipae *x = ipae_of(e);
    struct ipae_talk *t = &x->talk;
    bool found;
    struct tlv f;

    ipae_talk_done(x);
    TRY(eim_load(e, number, &t->eim, &found));
    if (!found)
        return FAULT(&e->trace, ERR_BUG, "eIM %04X is gone", number);
    x->phase = IPAE_TALKING;
    /* In v1.0 it is not said: an IPA asks the eIM. */
    t->indirect = ipae_version(e) == ESIPA_V1_0 ||
                  tlv_find(t->eim.configuration, EIM_INDIRECT_PROFILE_DOWNLOAD, &f);
    if (!read_server(e, t))
        return ipae_talk_end(e, END_REFUSED, 0);
    TRY(read_trust(t));
    TRY(ipae_read_network(e));
    trace_note(&e->trace, "IPAe: asks %s (%s)", t->host,
               t->server.how == LINK_HTTPS ? "HTTPS" : "CoAPS");
    return next_result(e);
}

/* --- results ---------------------------------------------------------------------------------- */

static int provided(struct euicc *e, const struct link_answer *a)
{
    bool taken;

    TRY(take_acks(e, a, &taken));
    return taken ? ipae_talk_ask(e) : 0;
}

int ipae_talk_provide(struct euicc *e, struct wr_mark mark)
{
    struct ipae *x = ipae_of(e);

    tlv_close(&x->request, mark);
    return ipae_exchange(e, &x->talk.server, provided);
}

static int refuse(struct euicc *e, struct rd tid, enum eim_package_result_error code)
{
    struct ipae *x = ipae_of(e);

    trace_check(&e->trace, "IPAe: the eIM package is refused: %s(%d) (SGP.32 5.14.6)",
                code == UNKNOWN_PACKAGE ? "unknownPackage" : "invalidPackageFormat", (int)code);
    if (++x->talk.bad > BAD_MAX)
        return ipae_talk_end(e, END_RETRY, 0);
    struct wr_mark m = ipae_talk_open(e);
    esipa_put_package_error(&x->request, ipae_version(e), tid, code);
    return ipae_talk_provide(e, m);
}

/* --- eUICC packages --------------------------------------------------------------------------- */

/* The result in t->package, with what notifications there are beside that of a PSMO. */
static int provide_result(struct euicc *e, bool has_psmo)
{
    struct ipae *x = ipae_of(e);
    struct rd list = { NULL, 0 };

    if (has_psmo)
        TRY(ipae_es10_list(e, TAG_CHOICE_0, &list));
    struct wr_mark m = ipae_talk_open(e);
    esipa_put_package_result(&x->request, ipae_version(e), wr_view(&x->talk.package), list);
    return ipae_talk_provide(e, m);
}

static int execute(struct euicc *e)
{
    struct ipae *x = ipae_of(e);
    struct ipae_talk *t = &x->talk;
    struct euicc_package info;
    struct profile_switch before, after;
    struct tlv package;
    bool ok;

    struct rd in = wr_view(&t->package);
    if (tlv_get(&in, &package) != 0 || esipa_read_euicc_package(package.value, &info) != 0)
        return ERR_BUG;
    TRY(profile_get_switch(e, &before));
    TRY(ipae_es10(e, package.whole, &ok));
    if (!ok)
        return refuse(e, info.tid, INVALID_PACKAGE_FORMAT);
    TRY(profile_get_switch(e, &after));
    if (before.enabled != after.enabled) {
        uint16_t number = t->eim.number;
        trace_note(&e->trace, "IPAe: the result waits for the network of the other profile");
        ipae_talk_done(x);
        return ipae_switched(e, CHANGE_BY_OTHER_EIM, number);
    }
    wr_clear(&t->package);
    wr_put_rd(&t->package, wr_view(&x->es10));
    TRY(wr_failed(&t->package));
    return provide_result(e, info.has_psmo);
}

static int do_euicc_package(struct euicc *e, const struct esipa_package *p)
{
    struct ipae_talk *t = &ipae_of(e)->talk;
    struct euicc_package info;

    if (esipa_read_euicc_package(p->value, &info) != 0)
        return refuse(e, rd_of(NULL, 0), INVALID_PACKAGE_FORMAT);
    wr_clear(&t->package);
    wr_put_rd(&t->package, p->whole);
    if (wr_failed(&t->package) != 0)
        return refuse(e, info.tid, INVALID_PACKAGE_FORMAT);
    return info.switches ? ipae_close(e, execute) : execute(e);
}

/* --- other packages --------------------------------------------------------------------------- */

static int do_data_request(struct euicc *e, const struct esipa_package *p)
{
    bool good;

    struct wr_mark m = ipae_talk_open(e);
    TRY(ipae_put_data(e, p->value, &good));
    return good ? ipae_talk_provide(e, m) : refuse(e, rd_of(NULL, 0), INVALID_PACKAGE_FORMAT);
}

static int do_acknowledgements(struct euicc *e, const struct esipa_package *p)
{
    struct esipa_acks acks;

    if (esipa_read_ack_list(p->value, &acks) != 0)
        return refuse(e, rd_of(NULL, 0), INVALID_PACKAGE_FORMAT);
    TRY(remove_acknowledged(e, acks.list));
    return ipae_talk_ask(e);
}

static int do_download(struct euicc *e, const struct esipa_package *p)
{
    struct download_trigger trigger;

    if (esipa_read_trigger(p->value, &trigger) != 0)
        return refuse(e, rd_of(NULL, 0), INVALID_PACKAGE_FORMAT);
    return ipae_download_begin(e, &trigger);
}

static int no_package(struct euicc *e, uint64_t error)
{
    struct ipae_talk *t = &ipae_of(e)->talk;

    if (error != NO_EIM_PACKAGE_AVAILABLE) {
        trace_check(&e->trace, "IPAe: GetEimPackage: error %" PRIu64 " (SGP.32 5.14.5)", error);
        return ipae_talk_end(e, END_REFUSED, 0);
    }
    t->last_pass = true;
    return next_notification(e);
}

/* --- questions -------------------------------------------------------------------------------- */

static const char *package_name(uint32_t tag)
{
    switch (tag) {
    case EUICC_PACKAGE:
        return "eUICC package";
    case IPA_EUICC_DATA:
        return "data request";
    case EIM_ACKNOWLEDGEMENTS:
        return "acknowledgements";
    case PROFILE_DOWNLOAD_TRIGGER:
        return "download trigger";
    default:
        return "unknown";
    }
}

static int do_package(struct euicc *e, const struct esipa_package *p)
{
    if (p->tag != EIM_PACKAGE_ERROR)
        trace_note(&e->trace, "IPAe: eIM package: %s", package_name(p->tag));
    switch (p->tag) {
    case EIM_PACKAGE_ERROR:
        return no_package(e, p->error);
    case EUICC_PACKAGE:
        return do_euicc_package(e, p);
    case IPA_EUICC_DATA:
        return do_data_request(e, p);
    case EIM_ACKNOWLEDGEMENTS:
        return do_acknowledgements(e, p);
    case PROFILE_DOWNLOAD_TRIGGER:
        return do_download(e, p);
    default:
        return refuse(e, rd_of(NULL, 0), UNKNOWN_PACKAGE);
    }
}

static int got_package(struct euicc *e, const struct link_answer *a)
{
    struct ipae *x = ipae_of(e);
    struct ipae_entry *entry = ipae_table_find(x, x->talk.eim.number);
    struct esipa_package p;
    bool ok;

    TRY(ipae_talk_check(e, a, &ok));
    if (!ok)
        return 0;
    if (entry != NULL && entry->change != CHANGE_NONE) { /* it knows */
        entry->change = CHANGE_NONE;
        TRY(ipae_table_save(e));
    }
    if (esipa_read_package(a->body, &p) == 0)
        return do_package(e, &p);
    return refuse(e, rd_of(NULL, 0), INVALID_PACKAGE_FORMAT);
}

int ipae_talk_ask(struct euicc *e)
{
    struct ipae *x = ipae_of(e);
    const struct ipae_entry *entry = ipae_table_find(x, x->talk.eim.number);
    struct package_question q = { .eid = rd_of(ecasd_eid(e), EID_LEN) };

    x->talk.grants = false;
    if (++x->talk.packages > PACKAGES_MAX) {
        trace_check(&e->trace, "IPAe: the eIM does not stop sending packages");
        return ipae_talk_end(e, END_RETRY, 0);
    }
    wr_clear(&x->request);
    if (entry != NULL && entry->change != CHANGE_NONE) {
        q.state_change = true;
        q.cause = entry->change;
    }
    if (x->has_plmn)
        q.rplmn = rd_of(x->plmn, sizeof x->plmn);
    esipa_put_get_package(&x->request, ipae_version(e), &q);
    return ipae_exchange(e, &x->talk.server, got_package);
}
