/* esipa.c - ESipa's messages, written and read (SGP.32 2.11, 5.14, 6.3). */
#include "asn1/esipa.h"

#include "os/err.h"

enum {
    TAG_INTEGER = 0x02,
    TAG_OCTET_STRING = 0x04,
    TAG_NULL = 0x05,
    TAG_UTF8 = 0x0C,
    TAG_SEQUENCE = 0x30,
    TAG_EID = 0x5A,
    TAG_TAG_LIST = 0x5C,
    TAG_SIGNATURE = 0x5F37,
    TAG_INSTALLATION_RESULT_DATA = 0xBF27,
    TAG_RETRIEVE_NOTIFICATIONS = 0xBF2B,
    TAG_NOTIFICATION_METADATA = 0xBF2F,
    TAG_INSTALLATION_RESULT = 0xBF37,

    PSMO_ENABLE = 0xA3,
    PSMO_DISABLE = 0xA4,
    RESULT_OF_ENABLE = 0x83,

    TRANSACTION_ID_MAX = 16,
};

/* A TLV that fills in; its contents are whole TLVs. */
static int open_whole(struct rd in, uint32_t tag, struct rd *ret)
{
    struct tlv t;

    TRY(tlv_expect(&in, tag, &t));
    *ret = t.value;
    return in.n == 0 && tlv_all_whole(t.value) ? 0 : ERR_INPUT;
}

/* An optional field; absent: empty. */
static struct rd field(struct rd body, uint32_t tag)
{
    struct tlv t;

    return tlv_find(body, tag, &t) ? t.value : rd_of(NULL, 0);
}

static int optional_uint(struct rd body, uint32_t tag, uint64_t *ret)
{
    struct tlv t;

    return tlv_find(body, tag, &t) ? tlv_uint(t.value, ret) : 0;
}

/* A transaction id of 1 to 16 octets, or none. */
static int optional_tid(struct rd body, uint32_t tag, struct rd *ret)
{
    struct tlv t;

    *ret = rd_of(NULL, 0);
    if (!tlv_find(body, tag, &t))
        return 0;
    *ret = t.value;
    return t.value.n >= 1 && t.value.n <= TRANSACTION_ID_MAX ? 0 : ERR_INPUT;
}

static void put_optional(struct wr *w, uint32_t tag, struct rd value)
{
    if (value.n > 0)
        tlv_put(w, tag, value);
}

/* --- GetEimPackage ---------------------------------------------------------------------------- */

void esipa_put_get_package(struct wr *w, enum esipa_version version,
                           const struct package_question *q)
{
    struct wr_mark m = tlv_open(w, ESIPA_GET_EIM_PACKAGE);

    tlv_put(w, TAG_EID, q->eid);
    if (q->state_change)
        tlv_put(w, 0x80, rd_of(NULL, 0));
    if (version != ESIPA_V1_0 && q->state_change && q->cause >= 0)
        tlv_put_uint(w, 0x81, (uint64_t)q->cause);
    put_optional(w, version == ESIPA_V1_0 ? 0x81 : 0x82, q->rplmn);
    tlv_close(w, m);
}

int esipa_read_package(struct rd answer, struct esipa_package *ret)
{
    struct esipa_package p = { .error = 0 };
    struct tlv t;

    TRY(open_whole(answer, ESIPA_GET_EIM_PACKAGE, &answer));
    TRY(tlv_get(&answer, &t));
    if (answer.n != 0)
        return ERR_INPUT;
    p.tag = t.tag;
    p.value = t.value;
    p.whole = t.whole;
    if (t.tag == EIM_PACKAGE_ERROR)
        TRY(tlv_uint(t.value, &p.error));
    *ret = p;
    return 0;
}

/* --- ProvideEimPackageResult ------------------------------------------------------------------ */

struct wr_mark esipa_open_result(struct wr *w, enum esipa_version version, struct rd eid)
{
    struct wr_mark m = tlv_open(w, ESIPA_PROVIDE_EIM_PACKAGE_RESULT);

    if (version != ESIPA_V1_0)
        tlv_put(w, TAG_EID, eid);
    return m;
}

void esipa_put_package_result(struct wr *w, enum esipa_version version, struct rd result,
                              struct rd notifications)
{
    struct wr_mark response = { 0 };

    if (notifications.n == 0) {
        wr_put_rd(w, result);
        return;
    }
    struct wr_mark both = tlv_open(w, TAG_SEQUENCE);
    wr_put_rd(w, result);
    if (version == ESIPA_V1_0)
        response = tlv_open(w, TAG_RETRIEVE_NOTIFICATIONS);
    tlv_put(w, 0xA0, notifications);
    if (version == ESIPA_V1_0)
        tlv_close(w, response);
    tlv_close(w, both);
}

void esipa_put_package_error(struct wr *w, enum esipa_version version, struct rd tid,
                             enum eim_package_result_error code)
{
    if (version == ESIPA_V1_0) {
        tlv_put_uint(w, TAG_INTEGER, (uint64_t)code);
        return;
    }
    struct wr_mark m = tlv_open(w, 0xA0);
    put_optional(w, 0x80, tid);
    tlv_put_uint(w, TAG_INTEGER, (uint64_t)code);
    tlv_close(w, m);
}

bool esipa_next_ack(struct rd *list, uint64_t *ret)
{
    struct tlv t;

    while (list->n > 0 && tlv_get(list, &t) == 0)
        if (t.tag == 0x80 && tlv_uint(t.value, ret) == 0)
            return true;
    return false;
}

int esipa_read_ack_list(struct rd list, struct esipa_acks *ret)
{
    struct tlv t;
    uint64_t number;

    *ret = (struct esipa_acks){ .list = list, .given = true };
    while (list.n > 0) {
        TRY(tlv_get(&list, &t));
        if (t.tag != 0x80)
            continue;
        TRY(tlv_uint(t.value, &number));
        ret->n++;
    }
    return 0;
}

int esipa_read_acks(struct rd answer, struct esipa_acks *ret)
{
    struct tlv t;

    *ret = (struct esipa_acks){ .given = false };
    if (answer.n == 0)
        return 0;
    TRY(open_whole(answer, ESIPA_PROVIDE_EIM_PACKAGE_RESULT, &answer));
    if (tlv_find(answer, EIM_ACKNOWLEDGEMENTS, &t))
        return esipa_read_ack_list(t.value, ret);
    if (!tlv_find(answer, TAG_INTEGER, &t))
        return 0;
    TRY(tlv_uint(t.value, &ret->error));
    return ret->error != 0 ? 0 : ERR_INPUT;
}

/* --- eUICC packages --------------------------------------------------------------------------- */

int esipa_read_euicc_package(struct rd body, struct euicc_package *ret)
{
    struct euicc_package p = { .has_psmo = false };
    struct tlv package, t, operation, flag;

    if (!tlv_all_whole(body) || !tlv_find(body, TAG_SEQUENCE, &package) ||
        !tlv_find(body, TAG_SIGNATURE, &t) || !tlv_all_whole(package.value))
        return ERR_INPUT;
    TRY(optional_tid(package.value, 0x82, &p.tid));
    p.has_psmo = tlv_find(package.value, 0xA0, &t);
    while (p.has_psmo && t.value.n > 0) {
        TRY(tlv_get(&t.value, &operation));
        if (operation.tag == PSMO_ENABLE || operation.tag == PSMO_DISABLE)
            p.switches = true;
        if (operation.tag == PSMO_ENABLE && tlv_find(operation.value, TAG_NULL, &flag))
            p.asks_rollback = true;
    }
    *ret = p;
    return 0;
}

static int read_ok_result(struct rd body, struct package_result *r)
{
    struct tlv t;
    uint64_t code;

    if (!tlv_find(body, 0x83, &t))
        return ERR_INPUT;
    TRY(tlv_uint(t.value, &r->seq_number));
    if (!tlv_find(body, TAG_SEQUENCE, &t) || !tlv_all_whole(t.value))
        return ERR_INPUT;
    r->results = t.value;
    r->enabled =
        tlv_find(r->results, RESULT_OF_ENABLE, &t) && tlv_uint(t.value, &code) == 0 && code == 0;
    return 0;
}

int esipa_read_package_result(struct rd whole, struct package_result *ret)
{
    struct package_result r = { .kind = RESULT_ERROR_UNSIGNED };
    struct tlv arm, data, t;

    TRY(open_whole(whole, EUICC_PACKAGE, &whole));
    TRY(tlv_get(&whole, &arm));
    data = arm;
    if (arm.tag == 0xA0 || arm.tag == 0xA1)
        TRY(tlv_expect(&arm.value, TAG_SEQUENCE, &data));
    else if (arm.tag != 0xA2)
        return ERR_INPUT;
    if (!tlv_all_whole(data.value) || !tlv_find(data.value, 0x80, &t) || t.value.n > EIM_ID_MAX)
        return ERR_INPUT;
    r.eim_id = t.value;
    TRY(optional_uint(data.value, 0x81, &r.counter));
    if (arm.tag == 0xA0) {
        r.kind = RESULT_OK;
        TRY(read_ok_result(data.value, &r));
    } else if (arm.tag == 0xA1) {
        r.kind = RESULT_ERROR_SIGNED;
        TRY(optional_uint(data.value, TAG_INTEGER, &r.error));
    } else {
        TRY(optional_uint(data.value, 0x8F, &r.error));
    }
    *ret = r;
    return 0;
}

int esipa_read_provided(struct rd request, uint64_t *ret_seq_number)
{
    struct package_result r;
    struct tlv outer, both, result;

    TRY(tlv_expect(&request, ESIPA_PROVIDE_EIM_PACKAGE_RESULT, &outer));
    if (tlv_find(outer.value, TAG_SEQUENCE, &both))
        outer = both;
    if (!tlv_find(outer.value, EUICC_PACKAGE, &result))
        return ERR_INPUT;
    TRY(esipa_read_package_result(result.whole, &r));
    *ret_seq_number = r.seq_number;
    return r.kind == RESULT_OK ? 0 : ERR_INPUT;
}

/* --- profile download trigger ----------------------------------------------------------------- */

/* ProfileDownloadData, a CHOICE. */
static int read_download_data(struct rd in, struct download_trigger *d)
{
    struct tlv choice;

    TRY(tlv_get(&in, &choice));
    switch (choice.tag) {
    case 0x80:
        d->source = FROM_ACTIVATION_CODE;
        d->text = choice.value;
        return 0;
    case 0x81:
        d->source = FROM_DEFAULT_DP;
        return 0;
    case 0xA2:
        d->source = FROM_SMDS;
        d->text = field(choice.value, 0x80);
        return 0;
    default:
        return ERR_INPUT;
    }
}

int esipa_read_trigger(struct rd body, struct download_trigger *ret)
{
    struct download_trigger d = { .source = FROM_ANYWHERE };
    struct tlv t;

    if (!tlv_all_whole(body))
        return ERR_INPUT;
    TRY(optional_tid(body, 0x82, &d.tid));
    if (tlv_find(body, 0xA0, &t))
        TRY(read_download_data(t.value, &d));
    *ret = d;
    return 0;
}

void esipa_put_trigger_result(struct wr *w, struct rd tid, struct rd installation_result)
{
    struct wr_mark m = tlv_open(w, PROFILE_DOWNLOAD_TRIGGER);

    put_optional(w, 0x82, tid);
    wr_put_rd(w, installation_result);
    tlv_close(w, m);
}

void esipa_put_trigger_error(struct wr *w, enum esipa_version version, struct rd tid,
                             enum trigger_reason reason, struct rd response)
{
    struct wr_mark m = tlv_open(w, PROFILE_DOWNLOAD_TRIGGER);

    put_optional(w, 0x82, tid);
    struct wr_mark error = tlv_open(w, TAG_SEQUENCE);
    if (version == ESIPA_V1_0) {
        put_optional(w, 0x80, response);
    } else {
        tlv_put_uint(w, 0x80, (uint64_t)reason);
        put_optional(w, TAG_OCTET_STRING, response);
    }
    tlv_close(w, error);
    tlv_close(w, m);
}

/* --- IpaEuiccData ----------------------------------------------------------------------------- */

/* 0 for a tag that the list may not name. */
static uint32_t wanted_by(uint32_t tag, enum esipa_version version)
{
    static const struct {
        uint32_t tag, tag_v1_0; /* 0: not in this version */
        uint32_t wanted;
    } tags[] = {
        { 0, 0xBF2B, DATA_NOTIFICATIONS | DATA_PACKAGE_RESULTS },
        { 0xA0, 0, DATA_NOTIFICATIONS },
        { 0x81, 0x80, DATA_DEFAULT_DP },
        { 0xA2, 0, DATA_PACKAGE_RESULTS },
        { 0xBF20, 0xBF20, DATA_INFO1 },
        { 0xBF22, 0xBF22, DATA_INFO2 },
        { 0x83, 0x83, DATA_ROOT_DS },
        { 0x84, 0x84, DATA_TOKEN },
        { 0xA5, 0xA5, DATA_EUM_CERTIFICATE },
        { 0xA6, 0xA6, DATA_EUICC_CERTIFICATE },
        { 0, 0x88, DATA_CAPABILITIES }, /* as the text of v1.0 writes it */
        { 0xA8, 0xA8, DATA_CAPABILITIES },
        { 0xA9, 0xA9, DATA_DEVICE_INFO },
    };

    for (size_t i = 0; i < N_ELEMS(tags); i++)
        if (tag != 0 && (version == ESIPA_V1_0 ? tags[i].tag_v1_0 : tags[i].tag) == tag)
            return tags[i].wanted;
    return 0;
}

static void read_tag_list(struct rd list, enum esipa_version version, struct data_request *d)
{
    while (list.n > 0) {
        uint32_t tag, wanted = 0;
        if (tlv_tag(&list, &tag) == 0)
            wanted = wanted_by(tag, version);
        else
            list.n = 0;
        d->wanted |= wanted;
        d->bad_tag |= wanted == 0;
    }
}

int esipa_read_data_request(struct rd body, enum esipa_version version, struct data_request *ret)
{
    struct data_request d = { .wanted = 0 };
    struct tlv t;

    if (!tlv_all_whole(body) || !tlv_find(body, TAG_TAG_LIST, &t))
        return ERR_INPUT;
    read_tag_list(t.value, version, &d);
    d.ci = field(body, TAG_OCTET_STRING);
    d.notification_criteria = field(body, 0xA1);
    d.result_criteria = field(body, version == ESIPA_V1_0 ? 0xA1 : 0xA2);
    TRY(optional_tid(body, 0x83, &d.tid));
    *ret = d;
    return 0;
}

void esipa_put_data_error(struct wr *w, enum esipa_version version, struct rd tid,
                          enum ipa_data_error code)
{
    struct wr_mark m = tlv_open(w, IPA_EUICC_DATA);

    if (version == ESIPA_V1_0) {
        tlv_put_uint(w, 0x81, (uint64_t)code);
    } else {
        struct wr_mark error = tlv_open(w, 0xA1);
        put_optional(w, 0x80, tid);
        tlv_put_uint(w, TAG_INTEGER, (uint64_t)code);
        tlv_close(w, error);
    }
    tlv_close(w, m);
}

void esipa_put_capabilities(struct wr *w, uint32_t features, uint32_t protocols)
{
    struct wr_mark m = tlv_open(w, 0xA8);

    tlv_put_bits(w, 0x80, features);
    tlv_put_bits(w, 0x81, protocols);
    tlv_close(w, m);
}

/* --- notifications ---------------------------------------------------------------------------- */

int esipa_read_notification(struct rd whole, uint64_t *ret_seq_number, struct rd *ret_address)
{
    struct tlv t, number, address;

    TRY(tlv_get(&whole, &t));
    if (t.tag == TAG_INSTALLATION_RESULT && !tlv_find(t.value, TAG_INSTALLATION_RESULT_DATA, &t))
        return ERR_INPUT;
    if (!tlv_find(t.value, TAG_NOTIFICATION_METADATA, &t) || !tlv_find(t.value, 0x80, &number) ||
        !tlv_find(t.value, TAG_UTF8, &address))
        return ERR_INPUT;
    *ret_address = address.value;
    return tlv_uint(number.value, ret_seq_number);
}
