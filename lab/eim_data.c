/* eim_data.c - what an IPA tells of its eUICC and of itself (SGP.32 2.11.2.2, 4.1). */
#include <stdio.h>
#include <string.h>

#include "lab/codes.h"
#include "lab/eim.h"
#include "lab/esipa.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    TAG_INTEGER = 0x02,
    TAG_OCTET_STRING = 0x04,
    TAG_SEQUENCE = 0x30,
    TAG_NOTIFICATIONS = 0xBF2B,
    TAG_INFO1 = 0xBF20,
    TAG_INFO2 = 0xBF22,
    TAG_IOT_INFO = 0xB4,
    N_FEATURES = 6,
    CERTIFICATE_MAX = 16 * 1024,
};

static int keep_blob(struct eim_call *call, struct rd data, uint32_t tag, const char *column)
{
    struct tlv t;

    return tlv_find(data, tag, &t)
               ? store_put_blob(call->eim->db, call->device.eid, column, t.whole)
               : 0;
}

/* A named bit list; some send an octet a bit. */
static uint32_t features_of(struct rd capabilities)
{
    struct tlv t;
    uint32_t bits = 0;

    if (!tlv_find(capabilities, 0x80, &t))
        return 0;
    bool by_octets = t.value.n == N_FEATURES || t.value.n == N_FEATURES + 1;
    if (!by_octets)
        return tlv_bits(t.value, &bits) == 0 ? bits : 0;
    for (size_t i = 0; i < N_FEATURES; i++)
        if (t.value.p[t.value.n - N_FEATURES + i] != 0)
            bits |= UINT32_C(1) << i;
    return bits;
}

static enum sgp32_version iot_version(struct rd info2)
{
    struct tlv iot, list, version;

    if (!tlv_find(info2, TAG_IOT_INFO, &iot) || !tlv_find(iot.value, 0xA0, &list) ||
        !tlv_find(list.value, TAG_OCTET_STRING, &version) || version.value.n != 3)
        return SGP32_UNKNOWN;
    if (version.value.p[0] != 1)
        return SGP32_UNKNOWN;
    return version.value.p[1] == 0 ? SGP32_V1_0 : version.value.p[1] <= 2 ? SGP32_V1_2 : SGP32_V1_3;
}

static int learn_values(struct eim_call *call, struct rd data)
{
    struct eim_device *d = &call->device;
    struct tlv t;

    if (tlv_find(data, 0x81, &t) || tlv_find(data, 0x80, &t))
        copy_rd(t.value, d->default_smdp, sizeof d->default_smdp);
    if (tlv_find(data, 0x84, &t) && tlv_uint(t.value, &d->token) == 0)
        d->token_state = TOKEN_KNOWN;
    if (tlv_find(data, 0xA8, &t))
        d->features = features_of(t.value);
    if (tlv_find(data, TAG_INFO2, &t))
        d->euicc = iot_version(t.value);
    TRY(keep_blob(call, data, TAG_INFO1, DEVICE_INFO1));
    TRY(keep_blob(call, data, TAG_INFO2, DEVICE_INFO2));
    return keep_blob(call, data, 0xA9, DEVICE_DEVICE_INFO);
}

static int keep_certificates(struct eim_call *call, struct rd eum, struct rd euicc, cJSON *out)
{
    struct eim *eim = call->eim;
    const char *why = eim_check_chain(eim->crypto, eim->identity.ci, eim->identity.n_ci, eum, euicc,
                                      call->device.eid, NULL);

    cJSON_AddBoolToObject(out, "certificatesVerified", why == NULL);
    if (why != NULL) {
        cJSON_AddStringToObject(out, "reason", why);
        return 0;
    }
    TRY(store_put_blob(eim->db, call->device.eid, DEVICE_EUM_CERT, eum));
    TRY(store_put_blob(eim->db, call->device.eid, DEVICE_EUICC_CERT, euicc));
    bool is_new = !call->device.has_certificate;
    call->device.has_certificate = true;
    return is_new ? eim_verify_again(call) : 0;
}

static int learn_certificates(struct eim_call *call, struct rd data, cJSON *out)
{
    struct tlv eum_tlv, euicc_tlv;
    struct wr eum, euicc;

    if (!tlv_find(data, 0xA5, &eum_tlv) || !tlv_find(data, 0xA6, &euicc_tlv))
        return 0;
    wr_init_heap(&eum, CERTIFICATE_MAX);
    wr_init_heap(&euicc, CERTIFICATE_MAX);
    int r = 0;
    if (eim_take_certificate(eum_tlv.value, &eum) == 0 &&
        eim_take_certificate(euicc_tlv.value, &euicc) == 0)
        r = keep_certificates(call, wr_view(&eum), wr_view(&euicc), out);
    wr_done(&eum);
    wr_done(&euicc);
    return r;
}

/* --- the lists in it ------------------------------------------------------------------------- */

static int take_results(struct eim_call *call, struct rd list, cJSON *out)
{
    cJSON *array = cJSON_AddArrayToObject(out, "packageResults");
    struct tlv t;

    while (tlv_get(&list, &t) == 0) {
        cJSON *one = cJSON_CreateObject();
        cJSON_AddItemToArray(array, one);
        TRY(eim_take_result(call, t.whole, one));
    }
    return 0;
}

/* RetrieveNotificationsListResponse as v1.0 has it: one of four. */
static int take_v1_0_list(struct eim_call *call, struct rd body, cJSON *out)
{
    struct tlv arm, t;

    if (tlv_get(&body, &arm) != 0)
        return 0;
    switch (arm.tag) {
    case 0xA0:
        return eim_take_notifications(call, arm.value, out);
    case 0xA2:
        return take_results(call, arm.value, out);
    case 0xA3:
        if (tlv_find(arm.value, 0xA0, &t))
            TRY(eim_take_notifications(call, t.value, out));
        return tlv_find(arm.value, 0xA1, &t) ? take_results(call, t.value, out) : 0;
    default:
        return 0;
    }
}

static int take_lists(struct eim_call *call, struct rd data, cJSON *out)
{
    struct tlv t;

    if (tlv_find(data, 0xA0, &t))
        TRY(eim_take_notifications(call, t.value, out));
    if (tlv_find(data, 0xA2, &t))
        TRY(take_results(call, t.value, out));
    return tlv_find(data, TAG_NOTIFICATIONS, &t) ? take_v1_0_list(call, t.value, out) : 0;
}

/* --- IpaEuiccDataResponse -------------------------------------------------------------------- */

static void sniff_version(struct eim_call *call, struct rd data)
{
    struct tlv t;

    if (tlv_find(data, 0x87, &t) || tlv_find(data, 0x81, &t) || tlv_find(data, 0xA2, &t))
        call->shown = SGP32_V1_2;
    else if (tlv_find(data, TAG_NOTIFICATIONS, &t) || tlv_find(data, 0x80, &t))
        call->shown = SGP32_V1_0;
    if (call->shown != SGP32_UNKNOWN)
        call->device.observed = call->shown;
}

static int take_ok(struct eim_call *call, struct rd data, cJSON *out)
{
    sniff_version(call, data);
    eim_data_json(data, cJSON_AddObjectToObject(out, "data"));
    TRY(learn_values(call, data));
    TRY(learn_certificates(call, data, out));
    return take_lists(call, data, out);
}

static const char *take_refusal(struct rd body, cJSON *out)
{
    struct tlv t, code;
    uint64_t v = 127;

    if (tlv_find(body, 0xA1, &t) && tlv_find(t.value, TAG_INTEGER, &code))
        tlv_uint(code.value, &v);
    else if (tlv_find(body, 0x81, &t)) /* v1.0 */
        tlv_uint(t.value, &v);
    cJSON *error = cJSON_AddObjectToObject(out, "error");
    cJSON_AddNumberToObject(error, "code", (double)v);
    cJSON_AddStringToObject(error, "name", v < 256 ? code_name(CODES_DATA_REQUEST, (long)v) : "?");
    return "the IPA refused to tell";
}

static struct rd transaction_of(struct rd body)
{
    struct tlv arm, t;

    if (tlv_find(body, 0xA0, &arm) && tlv_find(arm.value, 0x87, &t))
        return t.value;
    if (tlv_find(body, 0xA1, &arm) && tlv_find(arm.value, 0x80, &t))
        return t.value;
    return rd_of(NULL, 0);
}

static int find_work(struct eim_call *call, struct rd tid, struct eim_work *ret, bool *ret_found)
{
    if (tid.n == 0)
        return store_find_only(call->eim->db, call->device.eid, WORK_DATA, ret, ret_found);
    TRY(store_find_work(call->eim->db, tid, ret, ret_found));
    *ret_found = *ret_found && ret->kind == WORK_DATA && strcmp(ret->eid, call->device.eid) == 0;
    return 0;
}

int eim_take_data(struct eim_call *call, struct rd der, cJSON *out)
{
    struct tlv outer, arm;
    struct eim_work work;
    const char *why = "";
    bool found, known;
    struct rd in = der;

    TRY(tlv_expect(&in, IPA_EUICC_DATA, &outer));
    cJSON_AddStringToObject(out, "kind", "data");
    TRY(find_work(call, transaction_of(outer.value), &work, &found));
    if (found)
        cJSON_AddNumberToObject(out, "work", (double)work.number);
    if (tlv_find(outer.value, 0xA0, &arm) || tlv_find(outer.value, TAG_SEQUENCE, &arm))
        TRY(take_ok(call, arm.value, out));
    else
        why = take_refusal(outer.value, out);
    if (found && work.state != WORK_DONE)
        TRY(store_finish_work(call->eim->db, work.number, why[0] == '\0' ? WORK_DONE : WORK_FAILED,
                              why));
    char *text = cJSON_PrintUnformatted(out);
    if (text == NULL)
        return ERR_NOMEM;
    struct eim_record record = { call->device.eid, found ? work.number : 0, "data", der, text, -1 };
    int r = store_add_result(call->eim->db, &record, &known);
    cJSON_free(text);
    return r;
}
