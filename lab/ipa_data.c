/* ipa_data.c - IpaEuiccData: what the eIM asks the device about its eUICC (SGP.32 2.11.1.2,
 * 2.11.2.2). */
#include <string.h>

#include "lab/ipa_eim.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    TAG_TAG_LIST = 0x5C,
    TAG_EUICC_INFO1 = 0xBF20,
    TAG_EUICC_INFO2 = 0xBF22,
    TAG_RETRIEVE_NOTIFICATIONS = 0xBF2B,
    TAG_PROFILES_INFO = 0xBF2D,
    TAG_CONFIGURED_ADDRESSES = 0xBF3C,
    TAG_GET_CERTS = 0xBF56,
    TAG_PROFILE_INFO = 0xE3,
    TAG_PROFILE_STATE = 0x9F70,
    TAG_ECALL = 0x9F7B,
};

bool emergency_is_active(struct ipa *ipa)
{
    static const uint8_t tags[] = { 0x9F, 0x70, 0x9F, 0x7B };
    uint8_t room[16];
    struct lab_error e;
    struct wr request;
    struct tlv list, profile, state, ecall;
    struct rd answer;

    wr_init(&request, room, sizeof room);
    struct wr_mark mark = tlv_open(&request, TAG_PROFILES_INFO);
    tlv_put(&request, TAG_TAG_LIST, rd_of(tags, sizeof tags));
    tlv_close(&request, mark);
    if (ipa_call(ipa, &request, &answer, &e) != 0 || !tlv_find(answer, 0xA0, &list))
        return false;
    while (list.value.n > 0 && tlv_expect(&list.value, TAG_PROFILE_INFO, &profile) == 0)
        if (tlv_find(profile.value, TAG_PROFILE_STATE, &state) && state.value.n == 1 &&
            state.value.p[0] == 1 && tlv_find(profile.value, TAG_ECALL, &ecall) &&
            ecall.value.n == 1 && ecall.value.p[0] != 0)
            return true;
    return false;
}

/* What one request carries, and what went wrong in its own terms. */
struct answer {
    struct eim_session *s;
    struct data_request request;
    struct wr *w;
    enum ipa_data_error error; /* 0: none */
};

/* RetrieveNotificationsList by these criteria (a CHOICE, or empty); one arm of the answer. */
static int put_list(struct answer *a, struct rd criteria, uint32_t arm, struct lab_error *e)
{
    uint8_t room[64];
    struct wr request;
    struct rd answer;
    struct tlv list;

    wr_init(&request, room, sizeof room);
    struct wr_mark mark = tlv_open(&request, TAG_RETRIEVE_NOTIFICATIONS);
    if (criteria.n > 0)
        tlv_put(&request, 0xA0, criteria);
    tlv_close(&request, mark);
    TRY(ipa_call(a->s->ipa, &request, &answer, e));
    tlv_put(a->w, arm, tlv_find(answer, arm, &list) ? list.value : rd_of(NULL, 0));
    return 0;
}

static int put_notifications(struct answer *a, struct lab_error *e)
{
    return put_list(a, a->request.notification_criteria, 0xA0, e);
}

static int put_package_results(struct answer *a, struct lab_error *e)
{
    static const uint8_t all[] = { 0x82, 0x00 };
    struct rd criteria = a->request.result_criteria;

    return put_list(a, criteria.n > 0 ? criteria : rd_of(all, sizeof all), 0xA2, e);
}

/* v1.0.1 has both lists in one RetrieveNotificationsListResponse. */
static int put_both_lists(struct answer *a, struct lab_error *e)
{
    struct wr_mark mark = tlv_open(a->w, TAG_RETRIEVE_NOTIFICATIONS);
    struct wr_mark both = tlv_open(a->w, 0xA3);
    size_t at = a->w->n;

    TRY(put_notifications(a, e));
    a->request.result_criteria = rd_of(NULL, 0);
    size_t results = a->w->n;
    TRY(put_package_results(a, e));
    if (wr_failed(a->w) == 0 && results > at)
        a->w->p[results] = 0xA1; /* A1 there, A2 on ES10b */
    tlv_close(a->w, both);
    tlv_close(a->w, mark);
    return 0;
}

static int put_address(struct answer *a, uint32_t from, uint32_t to, struct lab_error *e)
{
    struct rd answer;
    struct tlv t;

    TRY(ipa_get(a->s->ipa, TAG_CONFIGURED_ADDRESSES, &answer, e));
    if (tlv_find(answer, from, &t))
        tlv_put(a->w, to, t.value);
    return 0;
}

static int put_default_dp(struct answer *a, struct lab_error *e)
{
    return put_address(a, 0x80, a->s->version == ESIPA_V1_0 ? 0x80 : 0x81, e);
}

static int put_root_ds(struct answer *a, struct lab_error *e)
{
    return put_address(a, 0x81, 0x83, e);
}

static int put_info(struct answer *a, uint32_t tag, struct lab_error *e)
{
    struct rd answer;

    TRY(ipa_get(a->s->ipa, tag, &answer, e));
    wr_put_rd(a->w, wr_view(&a->s->ipa->answer));
    return 0;
}

static int put_info1(struct answer *a, struct lab_error *e)
{
    return put_info(a, TAG_EUICC_INFO1, e);
}

static int put_info2(struct answer *a, struct lab_error *e)
{
    return put_info(a, TAG_EUICC_INFO2, e);
}

static int put_token(struct answer *a, struct lab_error *e)
{
    (void)e;
    if (a->s->config->has_token)
        tlv_put_uint(a->w, 0x84, a->s->config->token);
    return 0;
}

/* The CI of the eUICC whose identifier begins as the eIM said; empty: none of them. */
static int find_ci(struct answer *a, uint8_t *ret, struct rd *ret_ci, struct lab_error *e)
{
    struct rd answer, wanted = a->request.ci;
    struct tlv list, ci;

    *ret_ci = rd_of(NULL, 0);
    TRY(ipa_get(a->s->ipa, TAG_EUICC_INFO1, &answer, e));
    if (!tlv_find(answer, 0xAA, &list))
        return lab_fail(e, "GetEUICCInfo1: no list of CIs in the response");
    while (list.value.n > 0 && tlv_get(&list.value, &ci) == 0) {
        if (ci.value.n != SKI_LEN || wanted.n > SKI_LEN ||
            !rd_equal(rd_of(ci.value.p, wanted.n), wanted))
            continue;
        memcpy(ret, ci.value.p, SKI_LEN);
        *ret_ci = rd_of(ret, SKI_LEN);
        return 0;
    }
    return 0;
}

/* GetCerts (5.9.10). */
static int put_certificate(struct answer *a, uint32_t tag, struct lab_error *e)
{
    uint8_t room[32], octets[SKI_LEN];
    struct rd ci = a->request.ci, answer;
    struct tlv certs, cert;
    struct wr request;

    if (ci.n > 0) {
        TRY(find_ci(a, octets, &ci, e));
        if (ci.n == 0) {
            a->error = DATA_CI_NOT_FOUND;
            return 0;
        }
    }
    wr_init(&request, room, sizeof room);
    struct wr_mark mark = tlv_open(&request, TAG_GET_CERTS);
    if (ci.n > 0)
        tlv_put(&request, 0x80, ci);
    tlv_close(&request, mark);
    TRY(ipa_call(a->s->ipa, &request, &answer, e));
    if (!tlv_find(answer, 0xA0, &certs)) {
        a->error = ci.n > 0 ? DATA_CI_NOT_FOUND : DATA_UNDEFINED_ERROR;
        return 0;
    }
    if (!tlv_find(certs.value, tag, &cert))
        return lab_fail(e, "GetCerts: a certificate is missing in the response");
    wr_put_rd(a->w, cert.whole);
    return 0;
}

static int put_eum_certificate(struct answer *a, struct lab_error *e)
{
    return put_certificate(a, 0xA5, e);
}

static int put_euicc_certificate(struct answer *a, struct lab_error *e)
{
    return put_certificate(a, 0xA6, e);
}

static int put_tid(struct answer *a, struct lab_error *e)
{
    (void)e;
    if (a->request.tid.n > 0 && a->s->version != ESIPA_V1_0)
        tlv_put(a->w, 0x87, a->request.tid);
    return 0;
}

static int put_capabilities(struct answer *a, struct lab_error *e)
{
    (void)e;
    esipa_put_capabilities(a->w, a->s->features, EIM_RETRIEVE_HTTPS);
    return 0;
}

static int put_device_info(struct answer *a, struct lab_error *e)
{
    struct wr_mark mark = tlv_open(a->w, 0xA9);

    (void)e;
    device_info_put(a->w, a->s->ipa->imei);
    tlv_close(a->w, mark);
    return 0;
}

/* In the order of the type. */
static const struct {
    uint32_t wanted; /* 0: always */
    int (*put)(struct answer *a, struct lab_error *e);
} members[] = {
    { DATA_NOTIFICATIONS, put_notifications },
    { DATA_DEFAULT_DP, put_default_dp },
    { DATA_PACKAGE_RESULTS, put_package_results },
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

static int put_members(struct answer *a, struct lab_error *e)
{
    uint32_t wanted = a->request.wanted;

    if (a->s->version == ESIPA_V1_0 && wanted & DATA_NOTIFICATIONS) {
        TRY(put_both_lists(a, e));
        wanted &= ~(uint32_t)(DATA_NOTIFICATIONS | DATA_PACKAGE_RESULTS);
    }
    for (size_t i = 0; i < N_ELEMS(members) && a->error == 0; i++)
        if (members[i].wanted == 0 || wanted & members[i].wanted)
            TRY(members[i].put(a, e));
    return 0;
}

int ipa_data_put(struct eim_session *s, struct rd body, struct wr *w, uint32_t *ret_given,
                 struct lab_error *e)
{
    struct answer a = { .s = s, .w = w };
    size_t before = w->n;

    *ret_given = 0;
    TRY(esipa_read_data_request(body, s->version, &a.request));
    if (a.request.bad_tag)
        a.error = DATA_INCORRECT_TAG_LIST;
    else if (emergency_is_active(s->ipa))
        a.error = s->version == ESIPA_V1_0 ? DATA_UNDEFINED_ERROR : DATA_ECALL_ACTIVE;
    if (a.error == 0) {
        struct wr_mark response = tlv_open(w, IPA_EUICC_DATA);
        struct wr_mark data = tlv_open(w, 0xA0);
        TRY(put_members(&a, e));
        tlv_close(w, data);
        tlv_close(w, response);
    }
    if (a.error != 0) {
        w->n = before;
        esipa_put_data_error(w, s->version, a.request.tid, a.error);
    } else {
        *ret_given = a.request.wanted;
    }
    eim_tell(s, "ipaEuiccData", "%s(%u)",
             a.error == 0 ? "ok" : code_name(CODES_DATA_REQUEST, (long)a.error), (unsigned)a.error);
    return 0;
}
