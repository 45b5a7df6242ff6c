/* notification.c - pending notifications (SGP.22 3.5, 5.7.9 to 5.7.11). */
#include "applets/isdr/notification.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "applets/ecasd/ecasd.h"
#include "applets/isdr/es10.h"
#include "applets/isdr/iot.h"
#include "applets/isdr/metadata.h"
#include "applets/isdr/package_result.h"
#include "applets/isdr/rollback.h"

enum {
    TAG_PROFILE_INSTALLATION_RESULT = 0xBF37,
    TAG_PROFILE_INSTALLATION_RESULT_DATA = 0xBF27,
    TAG_NOTIFICATION_METADATA = 0xBF2F,
    NOTIFICATION_MAX = 8192, /* octets of one */
};

#define KEY_PREFIX   "isdr/notification/"
#define KEY_SEQUENCE "isdr/sequence"

static void key_of(uint64_t sequence, char ret[NVM_KEY_MAX])
{
    snprintf(ret, NVM_KEY_MAX, KEY_PREFIX "%08" PRIx64, sequence);
}

/* --- making them ------------------------------------------------------------------------------ */

int notification_last(struct euicc *e, uint64_t *ret)
{
    return nvm_get_uint(e->nvm, KEY_SEQUENCE, 0, ret);
}

int notification_next(struct euicc *e, uint64_t *ret)
{
    TRY(notification_last(e, ret));
    return nvm_put_uint(e->nvm, KEY_SEQUENCE, ++*ret);
}

/* Makes room for one more: beyond the configured number the oldest goes, and the trace says so. */
static int evict_oldest(struct euicc *e)
{
    uint64_t kept = 0, most = setting_number(&e->settings, SET_MAX_NOTIFICATIONS);
    char key[NVM_KEY_MAX] = "", oldest[NVM_KEY_MAX] = "";
    bool found;

    for (;;) {
        TRY(nvm_next(e->nvm, KEY_PREFIX, key, &found));
        if (!found)
            break;
        if (kept++ == 0)
            memcpy(oldest, key, sizeof oldest);
    }
    if (kept < most)
        return 0;
    trace_note(&e->trace, "%" PRIu64 " notifications are pending: the oldest, %s, is dropped", kept,
               oldest);
    return nvm_del(e->nvm, oldest);
}

static int store(struct euicc *e, uint64_t sequence, const struct wr *w)
{
    char key[NVM_KEY_MAX];

    TRY(wr_failed(w));
    TRY(evict_oldest(e));
    key_of(sequence, key);
    return nvm_put(e->nvm, key, wr_view(w));
}

/* NotificationMetadata, SGP.22 2.4.10. */
static void put_metadata(struct wr *w, uint64_t sequence, enum notification_event event,
                         struct rd address, struct rd iccid)
{
    struct wr_mark m = tlv_open(w, TAG_NOTIFICATION_METADATA);
    tlv_put_uint(w, TAG_CTX_0, sequence);
    tlv_put_bits(w, TAG_CTX_1, event);
    tlv_put(w, TAG_UTF8, address);
    if (iccid.n > 0)
        tlv_put(w, TAG_ICCID, iccid);
    tlv_close(w, m);
}

/* Signs what w holds from `from` on and appends the signature. */
static int sign_from(struct euicc *e, int ci, struct wr *w, size_t from)
{
    uint8_t signature[EC_SIGNATURE_LEN];

    TRY(wr_failed(w));
    struct rd signed_part = rd_of(w->p + from, w->n - from);
    TRY(ecasd_sign(e, ci, &signed_part, 1, signature));
    tlv_put(w, TAG_SIGNATURE, rd_of(signature, sizeof signature));
    return wr_failed(w);
}

static void put_final_result(struct wr *w, const struct installation_result *r)
{
    struct wr_mark final = tlv_open(w, TAG_CHOICE_2);
    struct wr_mark choice = tlv_open(w, r->success ? TAG_CHOICE_0 : TAG_CHOICE_1);

    if (r->success) {
        uint8_t aid[AID_MAX_LEN];
        isdp_aid(r->index, aid);
        tlv_put(w, TAG_AID_4F, rd_of(aid, sizeof aid));
        tlv_put(w, TAG_OCTET_STRING, r->sima_response);
    } else {
        tlv_put_uint(w, TAG_CTX_0, (uint64_t)r->command_id);
        tlv_put_uint(w, TAG_CTX_1, (uint64_t)r->reason);
        if (r->sima_response.n > 0)
            tlv_put(w, TAG_CTX_2, r->sima_response);
    }
    tlv_close(w, choice);
    tlv_close(w, final);
}

int notification_add_result(struct euicc *e, const struct installation_result *r, struct wr *rsp)
{
    uint64_t sequence;
    struct wr w;

    TRY(notification_next(e, &sequence));
    wr_init_heap(&w, NOTIFICATION_MAX);
    struct wr_mark result = tlv_open(&w, TAG_PROFILE_INSTALLATION_RESULT);
    size_t data_at = w.n;
    struct wr_mark data = tlv_open(&w, TAG_PROFILE_INSTALLATION_RESULT_DATA);
    tlv_put(&w, TAG_CTX_0, r->transaction_id);
    put_metadata(&w, sequence, EVENT_INSTALL, r->address, r->iccid);
    tlv_put(&w, TAG_OID, r->smdp_oid);
    put_final_result(&w, r);
    tlv_close(&w, data);
    int err = sign_from(e, r->ci, &w, data_at);
    tlv_close(&w, result);
    if (err == 0)
        err = store(e, sequence, &w);
    if (err == 0)
        wr_put_rd(rsp, wr_view(&w));
    wr_done(&w);
    return err;
}

/* OtherSignedNotification, SGP.22 2.5.6. */
static int add_other(struct euicc *e, int ci, enum notification_event event, struct rd address,
                     struct rd iccid)
{
    uint64_t sequence;
    struct wr w;

    TRY(notification_next(e, &sequence));
    wr_init_heap(&w, NOTIFICATION_MAX);
    struct wr_mark notification = tlv_open(&w, TAG_SEQUENCE);
    size_t metadata_at = w.n;
    put_metadata(&w, sequence, event, address, iccid);
    int err = sign_from(e, ci, &w, metadata_at);
    wr_put_rd(&w, ecasd_cert_euicc(e, ci));
    wr_put_rd(&w, ecasd_cert_eum(e, ci));
    tlv_close(&w, notification);
    if (err == 0)
        err = store(e, sequence, &w);
    wr_done(&w);
    return err;
}

int notification_add_event(struct euicc *e, const struct profile *p, enum notification_event event,
                           struct rd except)
{
    struct tlv configuration, entry, events, address;
    int ci = ecasd_find_ci(e, p->ci_pkid);
    uint32_t bits;

    if (!tlv_find(p->metadata, TAG_NOTIFICATION_CONFIGURATION, &configuration))
        return 0;
    if (ci == ECASD_NO_CI)
        return FAULT(&e->trace, ERR_BUG, "a profile's CI is gone");
    for (struct rd in = configuration.value; in.n > 0;) {
        TRY(tlv_expect(&in, TAG_SEQUENCE, &entry));
        if (!tlv_find(entry.value, TAG_CTX_0, &events) || tlv_bits(events.value, &bits) != 0 ||
            !tlv_find(entry.value, TAG_CTX_1, &address))
            return ERR_BUG; /* StoreMetadata checked them */
        if (!(bits & event) || (except.n > 0 && rd_equal(address.value, except)))
            continue;
        TRY(add_other(e, ci, event, address.value, p->iccid));
    }
    return 0;
}

int notification_remove(struct euicc *e, uint64_t sequence, bool *ret_existed)
{
    char key[NVM_KEY_MAX];

    key_of(sequence, key);
    TRY(nvm_has(e->nvm, key, ret_existed));
    return *ret_existed ? nvm_del(e->nvm, key) : 0;
}

/* --- ES10b functions -------------------------------------------------------------------------- */

/* Which notifications a request means. */
struct filter {
    bool by_sequence, by_event;
    uint64_t sequence;
    uint32_t events;
};

/* The metadata within a stored notification. */
static bool metadata_of(struct rd notification, struct tlv *ret)
{
    struct tlv outer, data;

    if (tlv_get(&notification, &outer) != 0)
        return false;
    if (outer.tag != TAG_PROFILE_INSTALLATION_RESULT)
        return tlv_find(outer.value, TAG_NOTIFICATION_METADATA, ret);
    return tlv_find(outer.value, TAG_PROFILE_INSTALLATION_RESULT_DATA, &data) &&
           tlv_find(data.value, TAG_NOTIFICATION_METADATA, ret);
}

static bool passes(const struct filter *f, struct rd metadata)
{
    struct tlv t;
    uint64_t sequence;
    uint32_t events;

    if (f->by_sequence)
        return tlv_find(metadata, TAG_CTX_0, &t) && tlv_uint(t.value, &sequence) == 0 &&
               sequence == f->sequence;
    if (f->by_event)
        return tlv_find(metadata, TAG_CTX_1, &t) && tlv_bits(t.value, &events) == 0 &&
               (events & f->events) != 0;
    return true;
}

/* Writes every notification that passes, whole or only its metadata, oldest first. */
static int put_all(struct euicc *e, const struct filter *f, bool whole, struct wr *rsp)
{
    char key[NVM_KEY_MAX] = "";
    struct tlv metadata;
    struct wr one;
    bool found;
    int err;

    wr_init_heap(&one, NOTIFICATION_MAX);
    for (;;) {
        err = nvm_next(e->nvm, KEY_PREFIX, key, &found);
        if (err != 0 || !found)
            break;
        wr_clear(&one);
        err = nvm_get(e->nvm, key, &one, &found);
        if (err == 0 && (!found || !metadata_of(wr_view(&one), &metadata)))
            err = FAULT(&e->trace, ERR_NVM, "%s is damaged", key);
        if (err != 0)
            break;
        if (passes(f, metadata.value))
            wr_put_rd(rsp, whole ? wr_view(&one) : metadata.whole);
    }
    wr_done(&one);
    return err;
}

static int put_list(struct euicc *e, uint32_t tag, const struct filter *f, bool whole,
                    struct wr *rsp)
{
    struct wr_mark outer = tlv_open(rsp, tag);
    struct wr_mark list = tlv_open(rsp, TAG_CHOICE_0);
    TRY(put_all(e, f, whole, rsp));
    tlv_close(rsp, list);
    tlv_close(rsp, outer);
    return 0;
}

static int read_events(struct rd value, struct filter *f)
{
    f->by_event = true;
    TRY(tlv_bits(value, &f->events));
    if (f->events == 0) /* an empty filter filters nothing, docs/INTERPRETATIONS.md */
        f->by_event = false;
    return 0;
}

int es10b_list_notification(struct session *s, struct rd body, struct wr *rsp)
{
    struct filter f = { 0 };
    struct tlv events;

    if (tlv_find(body, TAG_CTX_1, &events))
        TRY(read_events(events.value, &f));
    return put_list(s->euicc, TAG_LIST_NOTIFICATION, &f, false, rsp);
}

/* Which results of eUICC Packages a request means (SGP.32 5.9.11). */
enum package_results { NO_RESULTS, RESULTS_ONLY, RESULT_OR_NOTIFICATION, RESULTS_TOO };

/* searchCriteria, within A0 or, as some IPAs write it, bare. */
static int read_criteria(const struct euicc *e, struct rd body, struct filter *f,
                         enum package_results *ret)
{
    bool iot = iot_at_least(e, IOT_V1_0);
    struct tlv criteria, t;

    *ret = NO_RESULTS;
    if (iot && tlv_find(body, TAG_CTX_2, &t)) {
        *ret = RESULTS_ONLY;
        return 0;
    }
    if (!tlv_find(body, TAG_CHOICE_0, &criteria)) {
        if (iot && !iot_at_least(e, IOT_V1_1))
            *ret = RESULTS_TOO; /* what notificationAndEprList is for */
        return 0;
    }
    if (tlv_find(criteria.value, TAG_CTX_0, &t)) {
        f->by_sequence = true;
        *ret = iot ? RESULT_OR_NOTIFICATION : NO_RESULTS;
        return tlv_uint(t.value, &f->sequence);
    }
    if (tlv_find(criteria.value, TAG_CTX_1, &t))
        return read_events(t.value, f);
    if (!iot || !tlv_find(criteria.value, TAG_CTX_2, &t))
        return ERR_INPUT;
    *ret = RESULTS_ONLY;
    return 0;
}

/* notificationAndEprList, of SGP.32 1.0 alone.  *ret_any: there are results of eUICC Packages. */
static int put_both(struct euicc *e, const struct filter *f, struct wr *rsp, bool *ret_any)
{
    enum { TAG_NOTIFICATION_AND_EPR_LIST = 0xA3 };

    struct wr_mark outer = tlv_open(rsp, TAG_RETRIEVE_NOTIFICATIONS_LIST);
    struct wr_mark both = tlv_open(rsp, TAG_NOTIFICATION_AND_EPR_LIST);
    struct wr_mark list = tlv_open(rsp, TAG_CHOICE_0);
    TRY(put_all(e, f, true, rsp));
    tlv_close(rsp, list);
    list = tlv_open(rsp, TAG_CHOICE_1);
    size_t before = rsp->n;
    TRY(package_result_put_all(e, rsp));
    *ret_any = rsp->n > before;
    tlv_close(rsp, list);
    tlv_close(rsp, both);
    tlv_close(rsp, outer);
    return 0;
}

/* euiccPackageResultList: all of them, or the one that there is with this number. */
static int put_results(struct euicc *e, const struct filter *f, struct wr *rsp, bool *ret_found)
{
    struct wr_mark outer = tlv_open(rsp, TAG_RETRIEVE_NOTIFICATIONS_LIST);
    struct wr_mark list = tlv_open(rsp, TAG_CHOICE_2);
    *ret_found = true;
    if (f->by_sequence)
        TRY(package_result_get(e, f->sequence, rsp, ret_found));
    else
        TRY(package_result_put_all(e, rsp));
    tlv_close(rsp, list);
    tlv_close(rsp, outer);
    return 0;
}

int es10b_retrieve_notifications_list(struct session *s, struct rd body, struct wr *rsp)
{
    struct filter f = { 0 };
    enum package_results results;
    size_t before = rsp->n;
    bool found = false;

    TRY(read_criteria(s->euicc, body, &f, &results));
    if (results == RESULTS_TOO)
        TRY(put_both(s->euicc, &f, rsp, &found));
    else if (results != NO_RESULTS)
        TRY(put_results(s->euicc, &f, rsp, &found));
    if (found)
        return 0;
    rsp->n = before;
    return put_list(s->euicc, TAG_RETRIEVE_NOTIFICATIONS_LIST, &f, true, rsp);
}

/* A notification, or the result of a eUICC Package: they share their numbers (SGP.32 5.9.12). */
static int remove_either(struct euicc *e, uint64_t sequence, bool *ret_existed)
{
    TRY(notification_remove(e, sequence, ret_existed));
    if (*ret_existed)
        return 0;
    TRY(package_result_remove(e, sequence, ret_existed));
    return *ret_existed ? rollback_forget(e, sequence) : 0;
}

int es10b_remove_notification_from_list(struct session *s, struct rd body, struct wr *rsp)
{
    enum { DELETE_NOTIFICATION_OK = 0, NOTHING_TO_DELETE = 1 }; /* SGP.22 5.7.11 */
    struct tlv t;
    uint64_t sequence;
    bool existed;

    if (!tlv_find(body, TAG_CTX_0, &t))
        return ERR_INPUT;
    TRY(tlv_uint(t.value, &sequence));
    TRY(remove_either(s->euicc, sequence, &existed));
    es10_put_result(rsp, TAG_NOTIFICATION_SENT, TAG_CTX_0,
                    existed ? DELETE_NOTIFICATION_OK : NOTHING_TO_DELETE);
    return 0;
}
