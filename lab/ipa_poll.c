/* ipa_poll.c - the IPAd: asks eIMs for packages and does what they say (SGP.32 3.1.1.1, 3.2.3,
 * 3.3.1).
 *
 * A result stays on the card until the eIM has acknowledged it, so that a conversation may end
 * anywhere: the next one begins with what is left. */
#include "lab/ipa_poll.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/codes.h"
#include "lab/ipa_work.h"
#include "os/err.h"

enum {
    MAX_PACKAGES = 1000, /* of one conversation */
    CONFIGS_MAX = 256 * 1024,

    TAG_EIM_CONFIGURATION_DATA = 0xBF55,
};

/* --- one conversation ------------------------------------------------------------------------- */

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
    struct package_question q = { .eid = rd_of(p->eid, sizeof p->eid),
                                  .state_change = p->state_change,
                                  .cause = p->cause };
    struct esipa_package package;
    struct rd answer;

    *ret_more = false;
    if (p->o->has_rplmn)
        q.rplmn = rd_of(p->o->rplmn, sizeof p->o->rplmn);
    wr_clear(&p->s.request);
    esipa_put_get_package(&p->s.request, p->s.version, &q);
    TRY(eim_exchange(&p->s, &answer, e));
    p->state_change = false;
    if (esipa_read_package(answer, &package) != 0) {
        TRY(poll_refuse(p, rd_of(NULL, 0), INVALID_PACKAGE_FORMAT, e));
        return lab_fail(e, "GetEimPackage: the answer of the eIM is malformed");
    }
    if (package.tag == EIM_PACKAGE_ERROR) {
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
                : poll_do_package(p, &package, e);
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
        TRY(poll_deliver_results(p, e));
    if (eim_deliver_notifications(&p->s, &why) != 0)
        poll_note(p, "notifications", &why);
    for (int i = 0; more; i++) {
        if (i == MAX_PACKAGES)
            return lab_fail(e, "the eIM does not stop sending packages");
        TRY(ask(p, &more, e));
        if (p->o->mode == POLL_ONCE)
            break;
    }
    if (eim_deliver_notifications(&p->s, &why) != 0)
        poll_note(p, "notifications", &why);
    return 0;
}

static void poll_eim(struct poll *p, const struct eim_record *config)
{
    const struct poll_options *o = p->o;
    struct esipa_peer peer = { .fqdn = config->fqdn,
                               .connect = o->url,
                               .binding = o->binding,
                               .version = o->version,
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
    wr_init_heap(&p->s.request, POLL_CONTENTS_MAX + CONFIGS_MAX);
    wr_init_heap(&p->s.answer, ESIPA_ANSWER_MAX);
    if (esipa_client_new(p->ipa->crypto, &peer, &p->s.client, &why) != 0 || converse(p, &why) != 0)
        poll_note(p, "failed", &why);
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
    wr_init_heap(&p.contents, POLL_CONTENTS_MAX);
    wr_init_heap(&p.part, POLL_CONTENTS_MAX);
    int r = rounds(&p, e);
    wr_done(&p.contents);
    wr_done(&p.part);
    return r;
}
