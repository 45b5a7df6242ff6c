/* ipa_work.c - what an eIM's packages ask for: done, and told (SGP.32 3.2.3, 3.3.1, 2.11). */
#include "lab/ipa_work.h"

#include <string.h>

#include "lab/codes.h"
#include "lab/ipa_iot.h"
#include "lab/ipa_result.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    MAX_BAD_PACKAGES = 8,
    MAX_HOPS = 2, /* an SM-DS, then what it names */
    ATTEMPTS = 3,
    TEXT_LEN = 900,

    SW_WRONG_DATA = 0x6A80, /* what a eUICC says to a package that it cannot read */
};

void poll_note(struct poll *p, const char *step, const struct lab_error *why)
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

int poll_refuse(struct poll *p, struct rd tid, enum eim_package_result_error code,
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

    wr_init_heap(&list, POLL_CONTENTS_MAX);
    if (with_notifications && !p->ipa->no_notifications &&
        eim_read_notifications(&p->s, &list, &why) != 0) {
        poll_note(p, "retrieveNotificationsList", &why);
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

static int do_euicc_package(struct poll *p, const struct esipa_package *package,
                            struct lab_error *e)
{
    struct euicc_package request;
    struct package_result result;
    char text[TEXT_LEN];
    struct rd answer;

    if (esipa_read_euicc_package(package->value, &request) != 0)
        return poll_refuse(p, rd_of(NULL, 0), INVALID_PACKAGE_FORMAT, e);
    struct lab_error why;
    if (es10_call(&p->ipa->es10, package->whole, &p->ipa->answer, &answer, &why) != 0) {
        if (p->ipa->es10.lost)
            return card_is_gone(&why, e);
        poll_note(p, "loadEuiccPackage", &why);
        return poll_refuse(
            p, request.tid,
            p->ipa->es10.sw == SW_WRONG_DATA ? INVALID_PACKAGE_FORMAT : PACKAGE_UNDEFINED_ERROR, e);
    }
    wr_clear(&p->part);
    wr_put_rd(&p->part, wr_view(&p->ipa->answer));
    eim_tell(&p->s, "loadEuiccPackage", "%s",
             package_result_text(wr_view(&p->part), text, sizeof text));
    bool may_be_granted = request.asks_rollback &&
                          esipa_read_package_result(wr_view(&p->part), &result) == 0 &&
                          result.enabled;
    return deliver_or_roll_back(p, request.has_psmo, may_be_granted, e);
}

/* What earlier conversations left on the card. */
static int deliver_stored(struct poll *p, struct rd list, struct lab_error *e)
{
    struct package_result result;
    char text[TEXT_LEN];
    struct tlv t;

    while (list.n > 0 && tlv_get(&list, &t) == 0) {
        if (esipa_read_package_result(t.whole, &result) != 0 ||
            !rd_equal(result.eim_id, rd_str(p->s.config->id)))
            continue; /* another eIM's */
        eim_tell(&p->s, "stored result", "%llu: %s", (unsigned long long)result.seq_number,
                 package_result_text(t.whole, text, sizeof text));
        wr_clear(&p->part);
        wr_put_rd(&p->part, t.whole);
        TRY(deliver_or_roll_back(p, false, result.enabled, e));
    }
    return 0;
}

int poll_deliver_results(struct poll *p, struct lab_error *e)
{
    struct wr list;

    wr_init_heap(&list, POLL_CONTENTS_MAX);
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

static int do_data_request(struct poll *p, const struct esipa_package *package, struct lab_error *e)
{
    struct data_request request;
    struct lab_error why;
    uint32_t given;

    if (esipa_read_data_request(package->value, p->s.version, &request) != 0)
        return poll_refuse(p, rd_of(NULL, 0), INVALID_PACKAGE_FORMAT, e);
    wr_clear(&p->contents);
    if (ipa_data_put(&p->s, package->value, &p->contents, &given, &why) != 0) {
        if (p->ipa->es10.lost)
            return card_is_gone(&why, e);
        poll_note(p, "ipaEuiccData", &why);
        wr_clear(&p->contents);
        esipa_put_data_error(&p->contents, p->s.version, request.tid, DATA_UNDEFINED_ERROR);
    }
    TRY(provide(p, attempts(p), e));
    learn(&p->s.known, given);
    return 0;
}

/* --- downloads (3.2.3) ------------------------------------------------------------------------ */

static int resolve(struct poll *p, const struct download_from *from, bool indirect,
                   struct activation_code *ac, struct lab_error *e)
{
    *ac = (struct activation_code){ .address = "" };
    switch (from->source) {
    case FROM_ACTIVATION_CODE:
        return activation_code_read(from->text, ac, e);
    case FROM_ANYWHERE:
        if (indirect && p->s.features & FEATURE_EIM_DOWNLOAD)
            return 0; /* the eIM knows */
        break;
    case FROM_DEFAULT_DP:
        break;
    case FROM_SMDS:
        if (from->text[0] == '\0')
            return configured_address(p->ipa, CONFIGURED_SMDS, ac->address, e);
        return copy_text(from->text, ac->address, sizeof ac->address)
                   ? 0
                   : lab_fail(e, "the address of the SM-DS is too long");
    }
    return configured_address(p->ipa, CONFIGURED_SMDP, ac->address, e);
}

/* Without download data it is ours to decide: the default SM-DP+, else the SM-DS (SGP.32 3.2.3). */
static bool asks_smds(struct poll *p, struct download_from *from)
{
    char address[RSP_TEXT_MAX];
    struct lab_error none;

    if (from->source == FROM_ANYWHERE &&
        configured_address(p->ipa, CONFIGURED_SMDP, address, &none) != 0) {
        from->source = FROM_SMDS;
        from->text[0] = '\0';
    }
    return from->source == FROM_SMDS;
}

static int download(struct poll *p, struct download_from from, struct download_outcome *ret,
                    struct lab_error *e)
{
    const struct rd tid = from.tid;
    struct activation_code ac;
    bool indirect = eim_is_indirect(&p->s);

    if (!indirect) {
        bool discovers = asks_smds(p, &from);
        TRY(resolve(p, &from, false, &ac, e));
        if (discovers) {
            eim_tell(&p->s, "download", "what the SM-DS at %s announces", ac.address);
            return discovery_download(p->ipa, ac.address, !p->s.silent && !p->ipa->no_notifications,
                                      ret, e);
        }
        eim_tell(&p->s, "download", "from %s", ac.address);
        return download_direct(p->ipa, &ac, ret, e);
    }
    for (int hop = 0;; hop++) {
        struct next_step next;
        TRY(resolve(p, &from, true, &ac, e));
        eim_tell(&p->s, "download", "through the eIM%s%s", ac.address[0] != '\0' ? " from " : "",
                 ac.address);
        int r = download_indirect(&p->s, &ac, tid, ret, &next, e);
        if (r == 0 || !next.given || hop + 1 == MAX_HOPS)
            return r;
        from = next.from;
    }
}

static void enable_at_once(struct poll *p)
{
    struct lab_error why;
    uint64_t code;

    if (iot_call_immediate_enable(p->ipa, &code, &why) != 0) {
        poll_note(p, "immediateEnable", &why);
        return;
    }
    eim_tell(&p->s, "immediateEnable", "%s(%llu)", code_name(CODES_IMMEDIATE_ENABLE, (long)code),
             (unsigned long long)code);
    if (code == 0) {
        p->state_change = true;
        p->cause = CHANGE_IMMEDIATE_ENABLE;
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
        poll_note(p, "notifications", &why);
    if (outcome->has_result)
        esipa_put_trigger_result(&p->contents, tid, result);
    else
        esipa_put_trigger_error(&p->contents, p->s.version, tid, reason,
                                wr_view(&outcome->refusal));
    return provide(p, attempts(p), e);
}

static int do_download(struct poll *p, const struct esipa_package *package, struct lab_error *e)
{
    enum trigger_reason reason = TRIGGER_UNDEFINED_ERROR;
    struct download_outcome outcome;
    struct download_from from;
    struct lab_error why;
    int r;

    if (download_from_read(package->value, &from) != 0)
        return poll_refuse(p, rd_of(NULL, 0), INVALID_PACKAGE_FORMAT, e);
    download_outcome_init(&outcome);
    if (emergency_is_active(p->ipa)) {
        reason = TRIGGER_ECALL_ACTIVE;
        r = lab_fail(&why, "an emergency profile is enabled");
    } else {
        r = download(p, from, &outcome, &why);
    }
    if (r != 0 && p->ipa->es10.lost) {
        download_outcome_done(&outcome);
        return card_is_gone(&why, e);
    }
    if (r != 0)
        poll_note(p, "download", &why);
    else
        eim_tell(&p->s, "download", "installed, notification %ld", outcome.result.seq_number);
    if (r == 0 && p->o->immediate_enable)
        enable_at_once(p);
    r = report_download(p, from.tid, reason, &outcome, e);
    download_outcome_done(&outcome);
    return r;
}

/* --- any package ------------------------------------------------------------------------------ */

static int do_acknowledgements(struct poll *p, const struct esipa_package *package,
                               struct lab_error *e)
{
    struct esipa_acks acks;

    if (esipa_read_ack_list(package->value, &acks) != 0)
        return poll_refuse(p, rd_of(NULL, 0), INVALID_PACKAGE_FORMAT, e);
    eim_remove_acknowledged(&p->s, &acks);
    return 0;
}

int poll_do_package(struct poll *p, const struct esipa_package *package, struct lab_error *e)
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
        return poll_refuse(p, rd_of(NULL, 0), UNKNOWN_PACKAGE, e);
    }
}
