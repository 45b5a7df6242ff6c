/* ipae_data.c - IpaEuiccData: what an eIM asks about the eUICC and its device (SGP.32 2.11.1.2,
 * 2.11.2.2). */
#include <string.h>

#include "applets/ecasd/ecasd.h"
#include "applets/ipae/ipae_parts.h"
#include "applets/isdr/es10.h"
#include "applets/isdr/profile_store.h"

enum data_error {
    DATA_INCORRECT_TAG_LIST = 1,
    DATA_CI_NOT_FOUND = 5,
    DATA_ECALL_ACTIVE = 104,
    DATA_UNDEFINED_ERROR = 127,
};

int ipae_is_emergency(struct euicc *e, bool *ret)
{
    struct profile_switch now;

    TRY(profile_get_switch(e, &now));
    *ret = now.emergency;
    return 0;
}

/* What one request asks for. */
struct request {
    struct rd tags;
    struct rd ci; /* the beginning of a key identifier; n == 0: none */
    struct rd notification_criteria, result_criteria;
    struct rd tid;
    struct esipa_dialect dialect;
    int error; /* enum data_error; 0: none */
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

static int put_notifications(struct euicc *e, struct request *r)
{
    return put_list(e, r->notification_criteria, TAG_CHOICE_0, 0xA0);
}

static int put_results(struct euicc *e, struct request *r)
{
    return put_list(e, r->result_criteria, TAG_CHOICE_2, 0xA2);
}

/* v1.0 has both lists in a RetrieveNotificationsListResponse. */
static int put_both(struct euicc *e, struct request *r)
{
    struct ipae *x = ipae_of(e);

    struct wr_mark outer = tlv_open(&x->request, TAG_RETRIEVE_NOTIFICATIONS_LIST);
    struct wr_mark both = tlv_open(&x->request, 0xA3);
    TRY(put_notifications(e, r));
    TRY(put_list(e, rd_of(NULL, 0), TAG_CHOICE_2, 0xA1));
    tlv_close(&x->request, both);
    tlv_close(&x->request, outer);
    return 0;
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
    return put_address(e, TAG_CTX_0, r->dialect.v1_0 ? 0x80 : 0x81);
}

static int put_root_ds(struct euicc *e, struct request *r)
{
    (void)r;
    return put_address(e, TAG_CTX_1, 0x83);
}

static int put_info1(struct euicc *e, struct request *r)
{
    struct rd answer;

    (void)r;
    TRY(ipae_es10_get(e, TAG_GET_EUICC_INFO1, &answer));
    tlv_put(&ipae_of(e)->request, TAG_GET_EUICC_INFO1, answer);
    return 0;
}

static int put_info2(struct euicc *e, struct request *r)
{
    struct rd answer;

    (void)r;
    TRY(ipae_es10_get(e, TAG_GET_EUICC_INFO2, &answer));
    tlv_put(&ipae_of(e)->request, TAG_GET_EUICC_INFO2, answer);
    return 0;
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
    if (r->ci.n > 0) {
        int ci = ecasd_find_ci(e, r->ci);
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
        r->error = r->ci.n > 0 ? DATA_CI_NOT_FOUND : DATA_UNDEFINED_ERROR;
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
    if (r->tid.n > 0 && !r->dialect.v1_0)
        tlv_put(&ipae_of(e)->request, 0x87, r->tid);
    return 0;
}

static int put_capabilities(struct euicc *e, struct request *r)
{
    struct ipae *x = ipae_of(e);

    (void)r;
    struct wr_mark m = tlv_open(&x->request, 0xA8);
    tlv_put_bits(&x->request, 0x80, IPAE_FEATURES);
    tlv_put_bits(&x->request, 0x81, ipae_protocols(e));
    tlv_close(&x->request, m);
    return 0;
}

static int put_device_info(struct euicc *e, struct request *r)
{
    struct ipae *x = ipae_of(e);

    (void)r;
    struct wr_mark m = tlv_open(&x->request, 0xA9);
    ipae_put_device_info(x, &x->request);
    tlv_close(&x->request, m);
    return 0;
}

/* In the order of the type; 0: not in this version, EVER: without being asked. */
enum { EVER = 1 };
static const struct member {
    uint32_t tag, tag_v1_0;
    int (*put)(struct euicc *e, struct request *r);
} members[] = {
    { 0, 0xBF2B, put_both },
    { 0xA0, 0, put_notifications },
    { 0x81, 0x80, put_default_dp },
    { 0xA2, 0, put_results },
    { 0xBF20, 0xBF20, put_info1 },
    { 0xBF22, 0xBF22, put_info2 },
    { 0x83, 0x83, put_root_ds },
    { 0x84, 0x84, put_token },
    { 0xA5, 0xA5, put_eum_certificate },
    { 0xA6, 0xA6, put_euicc_certificate },
    { EVER, EVER, put_tid },
    { 0xA8, 0xA8, put_capabilities },
    { 0xA9, 0xA9, put_device_info },
};

/* --- the request ------------------------------------------------------------------------------ */

static uint32_t tag_of(const struct member *m, const struct request *r)
{
    return r->dialect.v1_0 ? m->tag_v1_0 : m->tag;
}

/* Does the list name only what there is? */
static bool list_is_good(const struct request *r)
{
    for (size_t i = 0; i < r->tags.n; i++) {
        uint32_t tag = r->tags.p[i];
        size_t k = 0;
        if ((tag & 0x1F) == 0x1F && i + 1 < r->tags.n)
            tag = tag << 8 | r->tags.p[++i];
        if (r->dialect.v1_0 && tag == 0x88) /* as its text writes ipaCapabilities */
            continue;
        while (k < N_ELEMS(members) && (tag <= EVER || tag_of(&members[k], r) != tag))
            k++;
        if (k == N_ELEMS(members))
            return false;
    }
    return true;
}

static bool is_wanted(const struct member *m, const struct request *r)
{
    uint32_t tag = tag_of(m, r);

    if (tag == EVER || tag == 0)
        return tag == EVER;
    return es10_list_has(r->tags, tag) ||
           (r->dialect.v1_0 && tag == 0xA8 && es10_list_has(r->tags, 0x88));
}

static struct rd field(struct rd body, uint32_t tag)
{
    struct tlv t;

    return tlv_find(body, tag, &t) ? t.value : rd_of(NULL, 0);
}

static bool read_request(struct rd body, struct request *r)
{
    struct tlv t;

    if (!tlv_all_whole(body) || !tlv_find(body, TAG_TAG_LIST, &t))
        return false;
    r->tags = t.value;
    r->ci = field(body, TAG_OCTET_STRING);
    r->notification_criteria = field(body, 0xA1);
    r->result_criteria = field(body, 0xA2);
    r->tid = field(body, 0x83);
    return r->tid.n <= 16;
}

/* --- the answer ------------------------------------------------------------------------------- */

static int put_members(struct euicc *e, struct request *r)
{
    for (size_t i = 0; i < N_ELEMS(members) && r->error == 0; i++)
        if (is_wanted(&members[i], r))
            TRY(members[i].put(e, r));
    return 0;
}

static void put_error(struct wr *w, const struct request *r)
{
    struct wr_mark outer = tlv_open(w, PACKAGE_DATA_REQUEST);

    if (r->dialect.v1_0) {
        tlv_put_uint(w, 0x81, (uint64_t)r->error);
    } else {
        struct wr_mark error = tlv_open(w, 0xA1);
        if (r->tid.n > 0)
            tlv_put(w, 0x80, r->tid);
        tlv_put_uint(w, TAG_INTEGER, (uint64_t)r->error);
        tlv_close(w, error);
    }
    tlv_close(w, outer);
}

int ipae_put_data(struct euicc *e, struct rd body, bool *ret_good)
{
    struct request r = { .dialect = ipae_dialect(e) };
    struct wr *w = &ipae_of(e)->request;
    size_t before = w->n;
    bool emergency;

    *ret_good = read_request(body, &r);
    if (!*ret_good)
        return 0;
    TRY(ipae_is_emergency(e, &emergency));
    if (!list_is_good(&r))
        r.error = DATA_INCORRECT_TAG_LIST;
    else if (emergency)
        r.error = r.dialect.v1_0 ? DATA_UNDEFINED_ERROR : DATA_ECALL_ACTIVE;
    struct wr_mark outer = tlv_open(w, PACKAGE_DATA_REQUEST);
    struct wr_mark data = tlv_open(w, 0xA0);
    TRY(put_members(e, &r));
    tlv_close(w, data);
    tlv_close(w, outer);
    if (r.error == 0)
        return 0;
    trace_check(&e->trace, "IPAe: IpaEuiccData: error %d (SGP.32 2.11.2.2)", r.error);
    w->n = before;
    put_error(w, &r);
    return 0;
}
