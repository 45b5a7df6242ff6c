/* ipae_message.c - ESipa messages, written and read. */
#include "applets/ipae/ipae_message.h"

#include "os/err.h"

enum {
    TAG_INTEGER = 0x02,
    TAG_OCTET_STRING = 0x04,
    TAG_UTF8 = 0x0C,
    TAG_SEQUENCE = 0x30,
    TAG_EID = 0x5A,
    TAG_SIGNATURE = 0x5F37,
    TAG_INSTALLATION_RESULT_DATA = 0xBF27,
    TAG_RETRIEVE_NOTIFICATIONS = 0xBF2B,
    TAG_NOTIFICATION_METADATA = 0xBF2F,
    TAG_INSTALLATION_RESULT = 0xBF37,

    PSMO_ENABLE = 0xA3,
    PSMO_DISABLE = 0xA4,

    TRANSACTION_ID_MAX = 16,
};

/* One TLV that fills in; its contents are whole TLVs. */
static int open_whole(struct rd in, uint32_t tag, struct rd *ret)
{
    struct tlv t;

    TRY(tlv_expect(&in, tag, &t));
    *ret = t.value;
    return in.n == 0 && tlv_all_whole(t.value) ? 0 : ERR_INPUT;
}

/* A transaction id, or none. */
static int read_tid(struct rd body, uint32_t tag, struct rd *ret)
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

void esipa_put_get_package(struct wr *w, const struct esipa_dialect *d, enum state_change change,
                           struct rd plmn)
{
    struct wr_mark m = tlv_open(w, ESIPA_GET_EIM_PACKAGE);

    tlv_put(w, TAG_EID, d->eid);
    if (change != CHANGE_NONE)
        tlv_put(w, 0x80, rd_of(NULL, 0));
    if (change != CHANGE_NONE && !d->v1_0)
        tlv_put_uint(w, 0x81, change);
    put_optional(w, d->v1_0 ? 0x81 : 0x82, plmn);
    tlv_close(w, m);
}

int esipa_read_package(struct rd answer, struct eim_package *ret)
{
    struct eim_package p = { .error = 0 };
    struct tlv t;

    TRY(open_whole(answer, ESIPA_GET_EIM_PACKAGE, &answer));
    TRY(tlv_get(&answer, &t));
    if (answer.n != 0)
        return ERR_INPUT;
    p.tag = t.tag;
    p.value = t.value;
    p.whole = t.whole;
    if (t.tag == PACKAGE_ERROR)
        TRY(tlv_uint(t.value, &p.error));
    *ret = p;
    return 0;
}

/* --- ProvideEimPackageResult ------------------------------------------------------------------ */

struct wr_mark esipa_open_result(struct wr *w, const struct esipa_dialect *d)
{
    struct wr_mark m = tlv_open(w, ESIPA_PROVIDE_EIM_PACKAGE_RESULT);

    if (!d->v1_0)
        tlv_put(w, TAG_EID, d->eid);
    return m;
}

void esipa_put_package_result(struct wr *w, const struct esipa_dialect *d, struct rd result,
                              struct rd notifications)
{
    struct wr_mark list = { 0 };

    if (notifications.n == 0) {
        wr_put_rd(w, result);
        return;
    }
    struct wr_mark both = tlv_open(w, TAG_SEQUENCE);
    wr_put_rd(w, result);
    if (d->v1_0)
        list = tlv_open(w, TAG_RETRIEVE_NOTIFICATIONS);
    tlv_put(w, 0xA0, notifications);
    if (d->v1_0)
        tlv_close(w, list);
    tlv_close(w, both);
}

void esipa_put_package_error(struct wr *w, const struct esipa_dialect *d, struct rd tid,
                             enum eim_package_result_error code)
{
    if (d->v1_0) {
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

int esipa_check_acks(struct rd list)
{
    struct tlv t;
    uint64_t number;

    while (list.n > 0) {
        TRY(tlv_get(&list, &t));
        if (t.tag == 0x80)
            TRY(tlv_uint(t.value, &number));
    }
    return 0;
}

int esipa_read_acks(struct rd answer, struct rd *ret_list, uint64_t *ret_error)
{
    struct tlv t;

    *ret_list = rd_of(NULL, 0);
    *ret_error = 0;
    if (answer.n == 0)
        return 0;
    TRY(open_whole(answer, ESIPA_PROVIDE_EIM_PACKAGE_RESULT, &answer));
    if (tlv_find(answer, PACKAGE_ACKNOWLEDGEMENTS, &t)) {
        *ret_list = t.value;
        return esipa_check_acks(t.value);
    }
    if (!tlv_find(answer, TAG_INTEGER, &t))
        return 0;
    TRY(tlv_uint(t.value, ret_error));
    return *ret_error != 0 ? 0 : ERR_INPUT;
}

/* --- what a package says ---------------------------------------------------------------------- */

int esipa_read_euicc_package(struct rd body, struct euicc_package_info *ret)
{
    struct euicc_package_info p = { .has_psmo = false };
    struct tlv package, t, operation;

    if (!tlv_all_whole(body) || !tlv_find(body, TAG_SEQUENCE, &package) ||
        !tlv_find(body, TAG_SIGNATURE, &t) || !tlv_all_whole(package.value))
        return ERR_INPUT;
    TRY(read_tid(package.value, 0x82, &p.tid));
    p.has_psmo = tlv_find(package.value, 0xA0, &t);
    p.switches = p.has_psmo && (tlv_find(t.value, PSMO_ENABLE, &operation) ||
                                tlv_find(t.value, PSMO_DISABLE, &operation));
    *ret = p;
    return 0;
}

int esipa_read_result(struct rd whole, struct rd *ret_eim_id, uint64_t *ret_sequence)
{
    struct tlv package, ok, data, t;

    TRY(tlv_expect(&whole, PACKAGE_EUICC, &package));
    if (!tlv_find(package.value, 0xA0, &ok) || !tlv_find(ok.value, TAG_SEQUENCE, &data) ||
        !tlv_find(data.value, 0x80, &t))
        return ERR_INPUT;
    *ret_eim_id = t.value;
    return tlv_find(data.value, 0x83, &t) ? tlv_uint(t.value, ret_sequence) : ERR_INPUT;
}

int esipa_read_provided(struct rd request, uint64_t *ret_sequence)
{
    struct tlv outer, both, result;
    struct rd eim_id;

    TRY(tlv_expect(&request, ESIPA_PROVIDE_EIM_PACKAGE_RESULT, &outer));
    if (tlv_find(outer.value, TAG_SEQUENCE, &both))
        outer = both;
    if (!tlv_find(outer.value, PACKAGE_EUICC, &result))
        return ERR_INPUT;
    return esipa_read_result(result.whole, &eim_id, ret_sequence);
}

/* ProfileDownloadData, a CHOICE. */
static int read_download_data(struct rd in, struct download_trigger *d)
{
    struct tlv choice, t;

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
        if (tlv_find(choice.value, 0x80, &t))
            d->text = t.value;
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
    TRY(read_tid(body, 0x82, &d.tid));
    if (tlv_find(body, 0xA0, &t))
        TRY(read_download_data(t.value, &d));
    *ret = d;
    return 0;
}

void esipa_put_trigger_result(struct wr *w, struct rd tid, struct rd installation_result)
{
    struct wr_mark m = tlv_open(w, PACKAGE_DOWNLOAD_TRIGGER);

    put_optional(w, 0x82, tid);
    wr_put_rd(w, installation_result);
    tlv_close(w, m);
}

void esipa_put_trigger_error(struct wr *w, const struct esipa_dialect *d, struct rd tid,
                             enum trigger_reason reason, struct rd response)
{
    struct wr_mark m = tlv_open(w, PACKAGE_DOWNLOAD_TRIGGER);

    put_optional(w, 0x82, tid);
    struct wr_mark error = tlv_open(w, TAG_SEQUENCE);
    if (d->v1_0) {
        put_optional(w, 0x80, response);
    } else {
        tlv_put_uint(w, 0x80, (uint64_t)reason);
        put_optional(w, TAG_OCTET_STRING, response);
    }
    tlv_close(w, error);
    tlv_close(w, m);
}

/* --- notifications ---------------------------------------------------------------------------- */

int pending_notification_read(struct rd whole, uint64_t *ret_sequence, struct rd *ret_address)
{
    struct tlv t, sequence, address;

    TRY(tlv_get(&whole, &t));
    if (t.tag == TAG_INSTALLATION_RESULT && !tlv_find(t.value, TAG_INSTALLATION_RESULT_DATA, &t))
        return ERR_INPUT;
    if (!tlv_find(t.value, TAG_NOTIFICATION_METADATA, &t) || !tlv_find(t.value, 0x80, &sequence) ||
        !tlv_find(t.value, TAG_UTF8, &address))
        return ERR_INPUT;
    *ret_address = address.value;
    return tlv_uint(sequence.value, ret_sequence);
}
