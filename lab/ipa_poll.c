/* ipa_poll.c - the IPAd: asks eIMs for packages and does what they say (SGP.32 3.1.1.1, 3.2.3,
 * 3.3.1).
 *
 * A result stays on the card until the eIM has acknowledged it, so that a conversation may end
 * anywhere: the next one begins with what is left. */
#include "lab/ipa_poll.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/codes.h"
#include "lab/ipa_iot.h"
#include "lab/ipa_result.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    MAX_PACKAGES = 1000, /* of one conversation */
    MAX_BAD_PACKAGES = 8,
    MAX_HOPS = 2, /* an SM-DS, then what it names */
    ATTEMPTS = 3,
    CONTENTS_MAX = 4 * 1024 * 1024,
    CONFIGS_MAX = 256 * 1024,
    TEXT_LEN = 900,

    TAG_EIM_CONFIGURATION_DATA = 0xBF55,
    TAG_CONFIGURED_ADDRESSES = 0xBF3C,

    CAUSE_IMMEDIATE_ENABLE = 5,
};

struct poll {
    struct ipa *ipa;
    const struct poll_options *o;
    uint8_t eid[IPA_EID_LEN];
    struct eim_session s;
    struct wr contents, part; /* of what is provided */
    bool state_change;        /* to be told with the next GetEimPackage */
    long cause;
    unsigned bad_packages;
    size_t failures; /* of this round */
    struct lab_error first;
};

/* Something went wrong, and the work goes on. */
static void note(struct poll *p, const char *step, const struct lab_error *why)
{
    eim_tell(&p->s, step, "%s", why->text);
    if (p->failures++ == 0)
        p->first = *why;
}

static unsigned attempts(const struct poll *p)
{
    if (p->o->rollback_after > 0)
        return (unsigned)p->o->rollback_after;
    return p->s.silent ? 1 : ATTEMPTS;
}

static int provide(struct poll *p, unsigned times, struct lab_error *e)
{
    if (wr_failed(&p->contents) != 0)
        return lab_fail(e, "the result is too long");
    return eim_provide(&p->s, wr_view(&p->contents), times, e);
}

static int refuse(struct poll *p, struct rd tid, enum eim_package_result_error code,
                  struct lab_error *e)
{
    eim_tell(&p->s, "refused", "%s(%u)", code_name(CODES_EIM_PACKAGE_RESULT, (long)code),
             (unsigned)code);
    wr_clear(&p->contents);
    esipa_put_package_error(&p->contents, p->s.version, tid, code);
    TRY(provide(p, attempts(p), e));
    if (++p->bad_packages > MAX_BAD_PACKAGES)
        return lab_fail(e, "the eIM keeps sending what cannot be done");
    return 0;
}

/* Power went in the middle of it: there is nothing to tell the eIM, which will ask again; a result
 * that there is after all is told in the next conversation. */
static int card_is_gone(const struct lab_error *why, struct lab_error *e)
{
    return lab_fail(e, "the card is gone: %.800s", why->text);
}

/* --- eUICC packages (3.3.1) ------------------------------------------------------------------- */

/* The result in p->part, and beside it what notifications it caused. */
static int provide_result(struct poll *p, bool with_notifications, unsigned times,
                          struct lab_error *e)
{
    struct lab_error why;
    struct wr list;

    wr_init_heap(&list, CONTENTS_MAX);
    if (with_notifications && !p->ipa->no_notifications &&
        eim_read_notifications(&p->s, &list, &why) != 0) {
        note(p, "retrieveNotificationsList", &why);
        wr_clear(&list);
    }
    wr_clear(&p->contents);
    esipa_put_package_result(&p->contents, p->s.version, wr_view(&p->part), wr_view(&list));
    wr_done(&list);
    return provide(p, times, e);
}

/* The eIM allowed to go back when it is out of reach (ProfileRollback, 5.9.16). */
static int roll_back(struct poll *p, struct lab_error *e)
{
    char text[TEXT_LEN];
    struct rd result;
    uint64_t code;

    TRY(iot_call_rollback(p->ipa, &code, &result, e));
    if (code != 0 || result.n == 0)
        return lab_fail(e, "ProfileRollback: %s(%llu)",
                        code_name(CODES_PROFILE_ROLLBACK, (long)code), (unsigned long long)code);
    wr_clear(&p->part);
    wr_put_rd(&p->part, result);
    eim_tell(&p->s, "profileRollback", "%s",
             package_result_text(wr_view(&p->part), text, sizeof text));
    return provide_result(p, true, 1, e);
}

/* Delivers the result in p->part.  The eUICC knows whether it may go back; it is asked only when
 * the eIM cannot be reached after an enable. */
static int deliver_or_roll_back(struct poll *p, bool with_notifications, bool may_be_granted,
                                struct lab_error *e)
{
    struct lab_error why, then;

    int r = provide_result(p, with_notifications, attempts(p), &why);
    bool silent = p->s.silent && p->o->rollback_after == 0;
    if (r == 0)
        return 0;
    if (p->s.reached || silent || !may_be_granted) {
        *e = why;
        return r;
    }
    if (roll_back(p, &then) == 0)
        return 0;
    return lab_fail(e, "%.240s; then %.240s", why.text, then.text);
}

static int do_euicc_package(struct poll *p, const struct eim_package *package, struct lab_error *e)
{
    struct euicc_package request;
    struct package_result result;
    char text[TEXT_LEN];
    struct rd answer;

    if (euicc_package_read(package->value, &request) != 0)
        return refuse(p, rd_of(NULL, 0), INVALID_PACKAGE_FORMAT, e);
    struct lab_error why;
    if (es10_call(&p->ipa->es10, package->whole, &p->ipa->answer, &answer, &why) != 0) {
        if (p->ipa->es10.lost)
            return card_is_gone(&why, e);
        note(p, "loadEuiccPackage", &why);
        return refuse(p, request.tid, INVALID_PACKAGE_FORMAT, e);
    }
    wr_clear(&p->part);
    wr_put_rd(&p->part, wr_view(&p->ipa->answer));
    eim_tell(&p->s, "loadEuiccPackage", "%s",
             package_result_text(wr_view(&p->part), text, sizeof text));
    bool may_be_granted = request.asks_rollback &&
                          package_result_read(wr_view(&p->part), &result) == 0 && result.enabled;
    return deliver_or_roll_back(p, request.has_psmo, may_be_granted, e);
}

/* What earlier conversations left on the card. */
static int deliver_stored(struct poll *p, struct rd list, struct lab_error *e)
{
    struct package_result result;
    char text[TEXT_LEN];
    struct tlv t;

    while (list.n > 0 && tlv_get(&list, &t) == 0) {
        if (package_result_read(t.whole, &result) != 0 ||
            strcmp(result.eim_id, p->s.config->id) != 0)
            continue; /* another eIM's */
        eim_tell(&p->s, "stored result", "%llu: %s", (unsigned long long)result.seq_number,
                 package_result_text(t.whole, text, sizeof text));
        wr_clear(&p->part);
        wr_put_rd(&p->part, t.whole);
        TRY(deliver_or_roll_back(p, false, result.enabled, e));
    }
    return 0;
}

static int deliver_results(struct poll *p, struct lab_error *e)
{
    struct wr list;

    wr_init_heap(&list, CONTENTS_MAX);
    int r = eim_read_package_results(&p->s, &list, e);
    if (r == 0)
        r = deliver_stored(p, wr_view(&list), e);
    wr_done(&list);
    return r;
}

/* --- data (2.11.1.2) -------------------------------------------------------------------------- */

static void learn(struct compact_known *known, uint32_t given)
{
    known->info1 |= (given & DATA_INFO1) != 0;
    known->info2 |= (given & DATA_INFO2) != 0;
    known->certificates |=
        (given & DATA_EUM_CERTIFICATE) != 0 && (given & DATA_EUICC_CERTIFICATE) != 0;
}

static int do_data_request(struct poll *p, const struct eim_package *package, struct lab_error *e)
{
    struct data_request request;
    struct lab_error why;
    uint32_t given;

    if (data_request_read(package->value, p->s.version, &request) != 0)
        return refuse(p, rd_of(NULL, 0), INVALID_PACKAGE_FORMAT, e);
    wr_clear(&p->contents);
    if (ipa_data_put(&p->s, package->value, &p->contents, &given, &why) != 0) {
        if (p->ipa->es10.lost)
            return card_is_gone(&why, e);
        note(p, "ipaEuiccData", &why);
        wr_clear(&p->contents);
        data_put_error(&p->contents, p->s.version, request.tid, DATA_UNDEFINED_ERROR);
    }
    TRY(provide(p, attempts(p), e));
    learn(&p->s.known, given);
    return 0;
}

/* --- downloads (3.2.3) ------------------------------------------------------------------------ */

/* An address that the eUICC is configured with: 80 SM-DP+, 81 root SM-DS. */
static int configured_address(struct poll *p, uint32_t tag, const char *what,
                              struct activation_code *ac, struct lab_error *e)
{
    struct rd answer;
    struct tlv t;

    TRY(ipa_get(p->ipa, TAG_CONFIGURED_ADDRESSES, &answer, e));
    if (!tlv_find(answer, tag, &t) || t.value.n == 0 ||
        !copy_rd(t.value, ac->address, sizeof ac->address))
        return lab_fail(e, "the eUICC has no %s", what);
    return 0;
}

static int resolve(struct poll *p, const struct download_trigger *trigger, bool indirect,
                   struct activation_code *ac, struct lab_error *e)
{
    *ac = (struct activation_code){ .address = "" };
    switch (trigger->source) {
    case FROM_ACTIVATION_CODE:
        return activation_code_read(trigger->text, ac, e);
    case FROM_ANYWHERE:
        if (indirect && p->s.features & FEATURE_EIM_DOWNLOAD)
            return 0; /* the eIM knows */
        break;
    case FROM_DEFAULT_DP:
        break;
    case FROM_SMDS:
        if (!indirect)
            return lab_fail(e, "only an eIM can ask an SM-DS for us");
        if (trigger->text[0] == '\0')
            return configured_address(p, 0x81, "root SM-DS address", ac, e);
        return copy_text(trigger->text, ac->address, sizeof ac->address)
                   ? 0
                   : lab_fail(e, "the address of the SM-DS is too long");
    }
    return configured_address(p, 0x80, "default SM-DP+ address", ac, e);
}

static int download(struct poll *p, struct download_trigger trigger, struct download_outcome *ret,
                    struct lab_error *e)
{
    const struct rd tid = trigger.tid;
    struct activation_code ac;
    bool indirect = eim_is_indirect(&p->s);

    if (!indirect) {
        TRY(resolve(p, &trigger, false, &ac, e));
        eim_tell(&p->s, "download", "from %s", ac.address);
        return download_direct(p->ipa, &ac, ret, e);
    }
    for (int hop = 0;; hop++) {
        struct next_step next;
        TRY(resolve(p, &trigger, true, &ac, e));
        eim_tell(&p->s, "download", "through the eIM%s%s", ac.address[0] != '\0' ? " from " : "",
                 ac.address);
        int r = download_indirect(&p->s, &ac, tid, ret, &next, e);
        if (r == 0 || !next.given || hop + 1 == MAX_HOPS)
            return r;
        trigger = next.trigger;
    }
}

static void enable_at_once(struct poll *p)
{
    struct lab_error why;
    uint64_t code;

    if (iot_call_immediate_enable(p->ipa, &code, &why) != 0) {
        note(p, "immediateEnable", &why);
        return;
    }
    eim_tell(&p->s, "immediateEnable", "%s(%llu)", code_name(CODES_IMMEDIATE_ENABLE, (long)code),
             (unsigned long long)code);
    if (code == 0) {
        p->state_change = true;
        p->cause = CAUSE_IMMEDIATE_ENABLE;
    }
}

/* Who is told what: the SM-DP+ or the eIM gets the eUICC's result as a notification, and the eIM
 * learns how its trigger ended unless it was the messenger. */
static int report_download(struct poll *p, struct rd tid, enum trigger_reason reason,
                           const struct download_outcome *outcome, struct lab_error *e)
{
    struct rd result = wr_view(&outcome->installation_result);
    struct lab_error why;

    wr_clear(&p->contents);
    if (outcome->has_result && eim_is_indirect(&p->s))
        return p->ipa->no_notifications ? 0 : eim_handle_notification(&p->s, result, e);
    if (outcome->has_result && !p->s.silent && !p->ipa->no_notifications &&
        ipa_notifications_process(p->ipa, (uint64_t)outcome->result.seq_number, &why) != 0)
        note(p, "notifications", &why);
    if (outcome->has_result)
        trigger_put_result(&p->contents, tid, result);
    else
        trigger_put_error(&p->contents, p->s.version, tid, reason, wr_view(&outcome->refusal));
    return provide(p, attempts(p), e);
}

static int do_download(struct poll *p, const struct eim_package *package, struct lab_error *e)
{
    enum trigger_reason reason = TRIGGER_UNDEFINED_ERROR;
    struct download_outcome outcome;
    struct download_trigger trigger;
    struct lab_error why;
    int r;

    if (download_trigger_read(package->value, &trigger) != 0)
        return refuse(p, rd_of(NULL, 0), INVALID_PACKAGE_FORMAT, e);
    download_outcome_init(&outcome);
    if (emergency_is_active(p->ipa)) {
        reason = TRIGGER_ECALL_ACTIVE;
        r = lab_fail(&why, "an emergency profile is enabled");
    } else {
        r = download(p, trigger, &outcome, &why);
    }
    if (r != 0 && p->ipa->es10.lost) {
        download_outcome_done(&outcome);
        return card_is_gone(&why, e);
    }
    if (r != 0)
        note(p, "download", &why);
    else
        eim_tell(&p->s, "download", "installed, notification %ld", outcome.result.seq_number);
    if (r == 0 && p->o->immediate_enable)
        enable_at_once(p);
    r = report_download(p, trigger.tid, reason, &outcome, e);
    download_outcome_done(&outcome);
    return r;
}

/* --- one conversation ------------------------------------------------------------------------- */

static int do_acknowledgements(struct poll *p, const struct eim_package *package,
                               struct lab_error *e)
{
    struct esipa_acks acks;

    if (esipa_read_ack_list(package->value, &acks) != 0)
        return refuse(p, rd_of(NULL, 0), INVALID_PACKAGE_FORMAT, e);
    eim_remove_acknowledged(&p->s, &acks);
    return 0;
}

static int do_package(struct poll *p, const struct eim_package *package, struct lab_error *e)
{
    switch (package->tag) {
    case EUICC_PACKAGE:
        return do_euicc_package(p, package, e);
    case IPA_EUICC_DATA:
        return do_data_request(p, package, e);
    case EIM_ACKNOWLEDGEMENTS:
        return do_acknowledgements(p, package, e);
    case PROFILE_DOWNLOAD_TRIGGER:
        return do_download(p, package, e);
    default:
        return refuse(p, rd_of(NULL, 0), UNKNOWN_PACKAGE, e);
    }
}

static const char *package_name(uint32_t tag)
{
    switch (tag) {
    case EUICC_PACKAGE:
        return "euiccPackageRequest";
    case IPA_EUICC_DATA:
        return "ipaEuiccDataRequest";
    case EIM_ACKNOWLEDGEMENTS:
        return "eimAcknowledgements";
    case PROFILE_DOWNLOAD_TRIGGER:
        return "profileDownloadTriggerRequest";
    default:
        return "something unknown";
    }
}

/* Asks once and does what comes; *ret_more: it may be worth asking again. */
static int ask(struct poll *p, bool *ret_more, struct lab_error *e)
{
    struct package_question q = { .eid = p->eid,
                                  .state_change = p->state_change,
                                  .cause = p->cause,
                                  .rplmn = p->o->has_rplmn ? p->o->rplmn : NULL };
    struct eim_package package;
    struct rd answer;

    *ret_more = false;
    wr_clear(&p->s.request);
    esipa_put_get_package(&p->s.request, p->s.version, &q);
    TRY(eim_exchange(&p->s, &answer, e));
    p->state_change = false;
    if (esipa_read_package(answer, &package) != 0) {
        TRY(refuse(p, rd_of(NULL, 0), INVALID_PACKAGE_FORMAT, e));
        return lab_fail(e, "GetEimPackage: the answer of the eIM is malformed");
    }
    if (package.tag == TAG_EIM_PACKAGE_ERROR) {
        eim_tell(&p->s, "getEimPackage", "%s(%llu)",
                 code_name(CODES_GET_EIM_PACKAGE, (long)package.error),
                 (unsigned long long)package.error);
        if (package.error == NO_EIM_PACKAGE_AVAILABLE)
            return 0;
        return lab_fail(e, "GetEimPackage: %s(%llu)",
                        code_name(CODES_GET_EIM_PACKAGE, (long)package.error),
                        (unsigned long long)package.error);
    }
    eim_tell(&p->s, "getEimPackage", "%s", package_name(package.tag));
    *ret_more = true;
    /* the exchanges to come use the same buffer */
    struct wr kept;
    wr_init_heap(&kept, ESIPA_ANSWER_MAX);
    wr_put_rd(&kept, answer);
    int r = wr_failed(&kept) != 0 || esipa_read_package(wr_view(&kept), &package) != 0
                ? lab_fail(e, "out of memory")
                : do_package(p, &package, e);
    wr_done(&kept);
    return r;
}

/* What earlier conversations left on the card, packages until there is none, and what came of
 * them. */
static int converse(struct poll *p, struct lab_error *e)
{
    struct lab_error why;
    bool more = true;

    if (!p->s.silent)
        TRY(deliver_results(p, e));
    if (eim_deliver_notifications(&p->s, &why) != 0)
        note(p, "notifications", &why);
    for (int i = 0; more; i++) {
        if (i == MAX_PACKAGES)
            return lab_fail(e, "the eIM does not stop sending packages");
        TRY(ask(p, &more, e));
        if (p->o->mode == POLL_ONCE)
            break;
    }
    if (eim_deliver_notifications(&p->s, &why) != 0)
        note(p, "notifications", &why);
    return 0;
}

static void poll_eim(struct poll *p, const struct eim_record *config)
{
    const struct poll_options *o = p->o;
    struct esipa_peer peer = { .fqdn = config->fqdn,
                               .connect = o->url,
                               .binding = o->binding,
                               .key = config->tls_key,
                               .ca = o->ca };
    struct lab_error why;

    p->s = (struct eim_session){ .ipa = p->ipa,
                                 .config = config,
                                 .eid = p->eid,
                                 .version = o->version,
                                 .features = o->features,
                                 .silent = o->no_provide };
    p->state_change = o->state_change;
    p->cause = o->cause;
    p->bad_packages = 0;
    wr_init_heap(&p->s.request, CONTENTS_MAX + CONFIGS_MAX);
    wr_init_heap(&p->s.answer, ESIPA_ANSWER_MAX);
    if (esipa_client_new(p->ipa->crypto, &peer, &p->s.client, &why) != 0 || converse(p, &why) != 0)
        note(p, "failed", &why);
    esipa_client_free(&p->s.client);
    wr_done(&p->s.request);
    wr_done(&p->s.answer);
}

/* --- rounds ----------------------------------------------------------------------------------- */

static bool is_wanted(const struct poll_options *o, const struct eim_record *config)
{
    if (o->eim_id != NULL)
        return strcmp(o->eim_id, config->id) == 0;
    return (config->protocols & EIM_RETRIEVE_HTTPS) != 0;
}

/* The records are read anew each round: packages change them. */
static int poll_all(struct poll *p, struct wr *octets, struct eim_record *configs,
                    struct lab_error *e)
{
    struct rd answer;
    size_t n = 0, done = 0;

    TRY(ipa_get(p->ipa, TAG_EIM_CONFIGURATION_DATA, &answer, e));
    wr_clear(octets);
    wr_put_rd(octets, answer);
    if (wr_failed(octets) != 0 || eim_records_read(wr_view(octets), configs, IPA_MAX_EIMS, &n) != 0)
        return lab_fail(e, "GetEimConfigurationData: the response is malformed");
    for (size_t i = 0; i < n; i++) {
        if (!is_wanted(p->o, &configs[i]))
            continue;
        poll_eim(p, &configs[i]);
        done++;
    }
    if (done == 0 && p->o->eim_id != NULL)
        return lab_fail(e, "the eUICC has no eIM %.100s", p->o->eim_id);
    if (done == 0)
        return lab_fail(e, n == 0 ? "the eUICC has no eIM: ipa add-initial-eim"
                                  : "no eIM is asked over HTTPS: --eim-id asks all the same");
    return 0;
}

static int one_round(struct poll *p, struct lab_error *e)
{
    struct eim_record *configs = calloc(IPA_MAX_EIMS, sizeof *configs);
    struct wr octets;

    p->failures = 0;
    wr_init_heap(&octets, CONFIGS_MAX);
    int r = configs == NULL ? lab_fail(e, "out of memory") : poll_all(p, &octets, configs, e);
    wr_done(&octets);
    free(configs);
    if (r == 0 && p->failures > 0) {
        *e = p->first;
        r = ERR_INPUT;
    }
    return r;
}

static int rounds(struct poll *p, struct lab_error *e)
{
    struct lab_error why;
    int result = 0;

    if (p->o->mode != POLL_INTERVAL)
        return one_round(p, e);
    for (unsigned long i = 0; p->o->count == 0 || i < p->o->count; i++) {
        if (i > 0)
            sleep((unsigned)p->o->interval);
        int r = one_round(p, &why);
        if (r != 0 && result == 0) {
            *e = why;
            result = r;
        }
    }
    return result;
}

int ipa_poll(struct ipa *ipa, const struct poll_options *options, struct lab_error *e)
{
    struct poll p = { .ipa = ipa, .o = options };

    TRY(ipa_eid(ipa, p.eid, e));
    wr_init_heap(&p.contents, CONTENTS_MAX);
    wr_init_heap(&p.part, CONTENTS_MAX);
    int r = rounds(&p, e);
    wr_done(&p.contents);
    wr_done(&p.part);
    return r;
}
