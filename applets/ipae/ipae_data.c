/* ipae_data.c - IpaEuiccData: what an eIM asks about the eUICC and its device (SGP.32 2.11.1.2,
 * 2.11.2.2). */
#include <string.h>

#include "applets/ecasd/ecasd.h"
#include "applets/ipae/ipae_parts.h"
#include "applets/isdr/es10.h"
#include "applets/isdr/profile_store.h"
#include "asn1/esipa_download.h"

int ipae_is_emergency(struct euicc *e, bool *ret)
{
    struct profile_switch now;

    TRY(profile_get_switch(e, &now));
    *ret = now.emergency;
    return 0;
}

/* What one request asks for. */
struct request {
    struct data_request asked;
    enum esipa_version version;
    enum ipa_data_error error; /* 0: none */
};

/* --- members ---------------------------------------------------------------------------------- */

/* A list of RetrieveNotificationsList, by these criteria or all of it; `from` there, `to` here. */
static int put_list(struct euicc *e, struct rd criteria, uint32_t from, uint32_t to)
{
    struct ipae *x = ipae_of(e);
    struct rd list = { NULL, 0 };
    uint8_t octets[64];
    struct tlv t, found;
    struct wr w;
    bool ok;

    if (criteria.n == 0) {
        TRY(ipae_es10_list(e, from, &list));
        tlv_put(&x->request, to, list);
        return 0;
    }
    wr_init(&w, octets, sizeof octets);
    struct wr_mark m = tlv_open(&w, TAG_RETRIEVE_NOTIFICATIONS_LIST);
    tlv_put(&w, TAG_CHOICE_0, criteria);
    tlv_close(&w, m);
    ok = wr_failed(&w) == 0;
    if (ok)
        TRY(ipae_es10(e, wr_view(&w), &ok));
    struct rd in = wr_view(&x->es10);
    if (ok && tlv_expect(&in, TAG_RETRIEVE_NOTIFICATIONS_LIST, &t) == 0 &&
        tlv_find(t.value, from, &found))
        list = found.value;
    tlv_put(&x->request, to, list);
    return 0;
}

/* v1.0 has both lists in a RetrieveNotificationsListResponse. */
static int put_both(struct euicc *e, struct request *r)
{
    struct ipae *x = ipae_of(e);

    struct wr_mark outer = tlv_open(&x->request, TAG_RETRIEVE_NOTIFICATIONS_LIST);
    struct wr_mark both = tlv_open(&x->request, 0xA3);
    TRY(put_list(e, r->asked.notification_criteria, TAG_CHOICE_0, 0xA0));
    TRY(put_list(e, rd_of(NULL, 0), TAG_CHOICE_2, 0xA1));
    tlv_close(&x->request, both);
    tlv_close(&x->request, outer);
    return 0;
}

static int put_notifications(struct euicc *e, struct request *r)
{
    return r->version == ESIPA_V1_0
               ? put_both(e, r)
               : put_list(e, r->asked.notification_criteria, TAG_CHOICE_0, 0xA0);
}

static int put_results(struct euicc *e, struct request *r)
{
    return r->version == ESIPA_V1_0 ? 0 /* they are beside the notifications */
                                    : put_list(e, r->asked.result_criteria, TAG_CHOICE_2, 0xA2);
}

static int put_address(struct euicc *e, uint32_t from, uint32_t to)
{
    struct rd answer;
    struct tlv t;

    TRY(ipae_es10_get(e, TAG_EUICC_CONFIGURED_ADDRESSES, &answer));
    if (tlv_find(answer, from, &t))
        tlv_put(&ipae_of(e)->request, to, t.value);
    return 0;
}

static int put_default_dp(struct euicc *e, struct request *r)
{
    return put_address(e, TAG_CTX_0, r->version == ESIPA_V1_0 ? 0x80 : 0x81);
}

static int put_root_ds(struct euicc *e, struct request *r)
{
    (void)r;
    return put_address(e, TAG_CTX_1, 0x83);
}

static int put_info(struct euicc *e, uint32_t tag)
{
    struct rd answer;

    TRY(ipae_es10_get(e, tag, &answer));
    tlv_put(&ipae_of(e)->request, tag, answer);
    return 0;
}

static int put_info1(struct euicc *e, struct request *r)
{
    (void)r;
    return put_info(e, TAG_GET_EUICC_INFO1);
}

static int put_info2(struct euicc *e, struct request *r)
{
    (void)r;
    return put_info(e, TAG_GET_EUICC_INFO2);
}

static int put_token(struct euicc *e, struct request *r)
{
    struct ipae *x = ipae_of(e);

    (void)r;
    if (x->talk.eim.has_token)
        tlv_put_uint(&x->request, 0x84, x->talk.eim.token);
    return 0;
}

/* GetCerts (SGP.32 5.9.10), by the CI that the identifier, which may be cut, means. */
static int put_certificate(struct euicc *e, struct request *r, uint32_t tag)
{
    struct ipae *x = ipae_of(e);
    uint8_t octets[32];
    struct tlv t, certs, cert;
    struct wr w;
    bool ok;

    wr_init(&w, octets, sizeof octets);
    struct wr_mark m = tlv_open(&w, TAG_GET_CERTS);
    if (r->asked.ci.n > 0) {
        int ci = ecasd_find_ci(e, r->asked.ci);
        if (ci == ECASD_NO_CI) {
            r->error = DATA_CI_NOT_FOUND;
            return 0;
        }
        tlv_put(&w, TAG_CTX_0, ecasd_ci_pkid(e, ci));
    }
    tlv_close(&w, m);
    TRY(ipae_es10(e, wr_view(&w), &ok));
    struct rd in = wr_view(&x->es10);
    if (!ok || tlv_expect(&in, TAG_GET_CERTS, &t) != 0 ||
        !tlv_find(t.value, TAG_CHOICE_0, &certs) || !tlv_find(certs.value, tag, &cert)) {
        r->error = r->asked.ci.n > 0 ? DATA_CI_NOT_FOUND : DATA_UNDEFINED_ERROR;
        return 0;
    }
    wr_put_rd(&x->request, cert.whole);
    return 0;
}

static int put_eum_certificate(struct euicc *e, struct request *r)
{
    return put_certificate(e, r, 0xA5);
}

static int put_euicc_certificate(struct euicc *e, struct request *r)
{
    return put_certificate(e, r, 0xA6);
}

static int put_tid(struct euicc *e, struct request *r)
{
    if (r->asked.tid.n > 0 && r->version != ESIPA_V1_0)
        tlv_put(&ipae_of(e)->request, 0x87, r->asked.tid);
    return 0;
}

static int put_capabilities(struct euicc *e, struct request *r)
{
    (void)r;
    esipa_put_capabilities(&ipae_of(e)->request, IPAE_FEATURES, ipae_protocols(e));
    return 0;
}

static int put_device_info(struct euicc *e, struct request *r)
{
    struct ipae *x = ipae_of(e);

    (void)r;
    struct wr_mark m = tlv_open(&x->request, 0xA9);
    device_info_put(&x->request, x->imei);
    tlv_close(&x->request, m);
    return 0;
}

/* In the order of the type. */
static const struct {
    uint32_t wanted; /* enum ipa_data; 0: always */
    int (*put)(struct euicc *e, struct request *r);
} members[] = {
    { DATA_NOTIFICATIONS, put_notifications },
    { DATA_DEFAULT_DP, put_default_dp },
    { DATA_PACKAGE_RESULTS, put_results },
    { DATA_INFO1, put_info1 },
    { DATA_INFO2, put_info2 },
    { DATA_ROOT_DS, put_root_ds },
    { DATA_TOKEN, put_token },
    { DATA_EUM_CERTIFICATE, put_eum_certificate },
    { DATA_EUICC_CERTIFICATE, put_euicc_certificate },
    { 0, put_tid },
    { DATA_CAPABILITIES, put_capabilities },
    { DATA_DEVICE_INFO, put_device_info },
};

/* --- the answer ------------------------------------------------------------------------------- */

static int put_members(struct euicc *e, struct request *r)
{
    for (size_t i = 0; i < N_ELEMS(members) && r->error == 0; i++)
        if (members[i].wanted == 0 || (r->asked.wanted & members[i].wanted) != 0)
            TRY(members[i].put(e, r));
    return 0;
}

int ipae_put_data(struct euicc *e, struct rd body, bool *ret_good)
{
    struct request r = { .version = ipae_version(e) };
    struct wr *w = &ipae_of(e)->request;
    size_t before = w->n;
    bool emergency;

    *ret_good = esipa_read_data_request(body, r.version, &r.asked) == 0;
    if (!*ret_good)
        return 0;
    TRY(ipae_is_emergency(e, &emergency));
    if (r.asked.bad_tag)
        r.error = DATA_INCORRECT_TAG_LIST;
    else if (emergency)
        r.error = r.version == ESIPA_V1_0 ? DATA_UNDEFINED_ERROR : DATA_ECALL_ACTIVE;
    struct wr_mark outer = tlv_open(w, IPA_EUICC_DATA);
    struct wr_mark data = tlv_open(w, 0xA0);
    TRY(put_members(e, &r));
    tlv_close(w, data);
    tlv_close(w, outer);
    if (r.error == 0)
        return 0;
    trace_check(&e->trace, "IPAe: IpaEuiccData: error %d (SGP.32 2.11.2.2)", (int)r.error);
    w->n = before;
    esipa_put_data_error(w, r.version, r.asked.tid, r.error);
    return 0;
}
