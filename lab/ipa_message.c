/* ipa_message.c - what an IPA and an eIM say to each other (SGP.32 2.11, 5.14, 6.3). */
#include "lab/ipa_message.h"

#include <string.h>

#include "os/err.h"
#include "os/tlv.h"

enum {
    TAG_BOOLEAN = 0x01,
    TAG_INTEGER = 0x02,
    TAG_OCTET_STRING = 0x04,
    TAG_NULL = 0x05,
    TAG_SEQUENCE = 0x30,
    TAG_EID = 0x5A,
    TAG_TAG_LIST = 0x5C,
    TAG_SIGNATURE = 0x5F37,
    TAG_RETRIEVE_NOTIFICATIONS = 0xBF2B,
    TAG_INSTALLATION_RESULT = 0xBF37,

    DEFAULT_ID_TYPE = 3,
};

/* A TLV that fills in; its contents. */
static int open_whole(struct rd in, uint32_t tag, struct rd *ret)
{
    struct tlv t;

    TRY(tlv_expect(&in, tag, &t));
    if (in.n != 0 || !tlv_all_whole(t.value))
        return ERR_INPUT;
    *ret = t.value;
    return 0;
}

/* An optional field; absent: empty. */
static struct rd field(struct rd body, uint32_t tag)
{
    struct tlv t;

    return tlv_find(body, tag, &t) ? t.value : rd_of(NULL, 0);
}

static int optional_uint(struct rd body, uint32_t tag, bool *ret_has, uint64_t *ret)
{
    struct tlv t;

    *ret_has = tlv_find(body, tag, &t);
    return *ret_has ? tlv_uint(t.value, ret) : 0;
}

/* A transaction id of 1 to 16 octets, or none. */
static int optional_tid(struct rd body, uint32_t tag, struct rd *ret)
{
    struct tlv t;

    *ret = rd_of(NULL, 0);
    if (!tlv_find(body, tag, &t))
        return 0;
    *ret = t.value;
    return t.value.n >= 1 && t.value.n <= IPA_TID_MAX ? 0 : ERR_INPUT;
}

static void put_optional(struct wr *w, uint32_t tag, struct rd value)
{
    if (value.n > 0)
        tlv_put(w, tag, value);
}

/* --- EimConfigurationData --------------------------------------------------------------------- */

/* CHOICE { A0 SubjectPublicKeyInfo, A1 Certificate }, whose tags replace that of the SEQUENCE;
 * some write the SEQUENCE inside all the same. */
static int read_key(struct rd body, uint32_t tag, struct eim_key *ret)
{
    struct tlv outer, choice, only;
    struct rd in;

    *ret = (struct eim_key){ .form = EIM_KEY_NONE };
    if (!tlv_find(body, tag, &outer))
        return 0;
    TRY(tlv_get(&outer.value, &choice));
    if (choice.tag != 0xA0 && choice.tag != 0xA1)
        return 0; /* an extension: as if there were none */
    ret->form = choice.tag == 0xA0 ? EIM_KEY_SPKI : EIM_KEY_CERTIFICATE;
    in = choice.value;
    if (tlv_expect(&in, TAG_SEQUENCE, &only) == 0 && in.n == 0)
        choice.value = only.value;
    ret->value = choice.value;
    return tlv_all_whole(choice.value) ? 0 : ERR_INPUT;
}

int eim_record_read(struct rd body, struct eim_record *ret)
{
    struct eim_record c = { .id_type = DEFAULT_ID_TYPE, .protocols = EIM_PROPRIETARY };
    struct tlv t;
    uint64_t type;

    if (!tlv_all_whole(body) || !tlv_find(body, 0x80, &t) || t.value.n == 0 ||
        !copy_rd(t.value, c.id, sizeof c.id))
        return ERR_INPUT;
    if (tlv_find(body, 0x81, &t) && !copy_rd(t.value, c.fqdn, sizeof c.fqdn))
        return ERR_INPUT;
    if (tlv_find(body, 0x82, &t)) {
        TRY(tlv_uint(t.value, &type));
        c.id_type = type <= 127 ? (long)type : -1;
    }
    TRY(optional_uint(body, 0x83, &c.has_counter, &c.counter));
    if (tlv_find(body, 0x84, &t) && !rd_equal(t.value, rd_of("\xFF", 1))) /* -1: assign one */
        TRY(optional_uint(body, 0x84, &c.has_token, &c.token));
    TRY(read_key(body, 0xA5, &c.package_key));
    TRY(read_key(body, 0xA6, &c.tls_key));
    if (tlv_find(body, 0x87, &t))
        TRY(tlv_bits(t.value, &c.protocols));
    c.ci = field(body, 0x88);
    c.indirect = tlv_find(body, 0x89, &t);
    *ret = c;
    return 0;
}

int eim_records_read(struct rd response, struct eim_record *ret, size_t max, size_t *ret_n)
{
    struct tlv list, entry;
    size_t n = 0;

    while (response.n > 0) { /* one list; some cards give a list to each entry */
        TRY(tlv_get(&response, &list));
        while (list.tag == 0xA0 && list.value.n > 0) {
            TRY(tlv_get(&list.value, &entry));
            if (entry.tag != TAG_SEQUENCE)
                continue;
            if (n == max)
                return ERR_INPUT;
            TRY(eim_record_read(entry.value, &ret[n++]));
        }
    }
    *ret_n = n;
    return 0;
}

void eim_key_write(const struct eim_key *key, struct wr *ret)
{
    tlv_put(ret, TAG_SEQUENCE, key->value);
}

/* --- GetEimPackage ---------------------------------------------------------------------------- */

void esipa_put_get_package(struct wr *w, enum esipa_version version,
                           const struct package_question *q)
{
    struct wr_mark mark = tlv_open(w, ESIPA_GET_EIM_PACKAGE);

    tlv_put(w, TAG_EID, rd_of(q->eid, IPA_EID_LEN));
    if (q->state_change)
        tlv_put(w, 0x80, rd_of(NULL, 0));
    if (version == ESIPA_V1_1 && q->state_change && q->cause >= 0)
        tlv_put_uint(w, 0x81, (uint64_t)q->cause);
    if (q->rplmn != NULL)
        tlv_put(w, version == ESIPA_V1_0 ? 0x81 : 0x82, rd_of(q->rplmn, IPA_RPLMN_LEN));
    tlv_close(w, mark);
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
    if (t.tag == TAG_EIM_PACKAGE_ERROR)
        TRY(tlv_uint(t.value, &p.error));
    *ret = p;
    return 0;
}

/* --- ProvideEimPackageResult ------------------------------------------------------------------ */

struct wr_mark esipa_open_result(struct wr *w, enum esipa_version version, const uint8_t *eid)
{
    struct wr_mark mark = tlv_open(w, ESIPA_PROVIDE_EIM_PACKAGE_RESULT);

    if (version != ESIPA_V1_0)
        tlv_put(w, TAG_EID, rd_of(eid, IPA_EID_LEN));
    return mark;
}

void esipa_put_package_result(struct wr *w, enum esipa_version version, struct rd result,
                              struct rd notifications)
{
    if (notifications.n == 0) {
        wr_put_rd(w, result);
        return;
    }
    struct wr_mark both = tlv_open(w, TAG_SEQUENCE);
    wr_put_rd(w, result);
    if (version == ESIPA_V1_0) {
        struct wr_mark response = tlv_open(w, TAG_RETRIEVE_NOTIFICATIONS);
        tlv_put(w, 0xA0, notifications);
        tlv_close(w, response);
    } else {
        tlv_put(w, 0xA0, notifications);
    }
    tlv_close(w, both);
}

void esipa_put_package_error(struct wr *w, enum esipa_version version, struct rd tid,
                             enum eim_package_result_error code)
{
    if (version == ESIPA_V1_0) {
        tlv_put_uint(w, TAG_INTEGER, (uint64_t)code);
        return;
    }
    struct wr_mark mark = tlv_open(w, 0xA0);
    put_optional(w, 0x80, tid);
    tlv_put_uint(w, TAG_INTEGER, (uint64_t)code);
    tlv_close(w, mark);
}

int esipa_read_ack_list(struct rd list, struct esipa_acks *ret)
{
    struct tlv t;

    ret->n = 0;
    while (list.n > 0) {
        TRY(tlv_get(&list, &t));
        if (t.tag != 0x80)
            continue;
        if (ret->n == IPA_MAX_ACKS)
            return ERR_INPUT;
        TRY(tlv_uint(t.value, &ret->seq_numbers[ret->n]));
        ret->n++;
    }
    return 0;
}

int esipa_read_acks(struct rd answer, struct esipa_acks *ret)
{
    struct tlv t;

    ret->n = 0;
    ret->error = 0;
    ret->given = false;
    if (answer.n == 0)
        return 0;
    TRY(open_whole(answer, ESIPA_PROVIDE_EIM_PACKAGE_RESULT, &answer));
    ret->given = tlv_find(answer, EIM_ACKNOWLEDGEMENTS, &t);
    if (ret->given)
        return esipa_read_ack_list(t.value, ret);
    if (tlv_find(answer, TAG_INTEGER, &t)) {
        TRY(tlv_uint(t.value, &ret->error));
        return ret->error != 0 ? 0 : ERR_INPUT;
    }
    return 0;
}

/* --- eUICC packages --------------------------------------------------------------------------- */

int euicc_package_read(struct rd body, struct euicc_package *ret)
{
    struct euicc_package p = { .has_psmo = false };
    struct tlv package, t, operation;

    if (!tlv_all_whole(body) || !tlv_find(body, TAG_SEQUENCE, &package) ||
        !tlv_find(body, TAG_SIGNATURE, &t) || !tlv_all_whole(package.value))
        return ERR_INPUT;
    TRY(optional_tid(package.value, 0x82, &p.tid));
    p.has_psmo = tlv_find(package.value, 0xA0, &t);
    while (p.has_psmo && t.value.n > 0) {
        struct tlv flag;
        TRY(tlv_get(&t.value, &operation));
        if (operation.tag == 0xA3 && tlv_find(operation.value, TAG_NULL, &flag))
            p.asks_rollback = true;
    }
    *ret = p;
    return 0;
}

static int read_ok_result(struct rd body, struct package_result *r)
{
    struct tlv t;
    uint64_t code;
    bool has;

    TRY(optional_uint(body, 0x83, &has, &r->seq_number));
    if (!has || !tlv_find(body, TAG_SEQUENCE, &t) || !tlv_all_whole(t.value))
        return ERR_INPUT;
    r->results = t.value;
    r->enabled = tlv_find(r->results, 0x83, &t) && tlv_uint(t.value, &code) == 0 && code == 0;
    return 0;
}

int package_result_read(struct rd whole, struct package_result *ret)
{
    struct package_result r = { .kind = RESULT_ERROR_UNSIGNED };
    struct tlv arm, data, t;
    bool has;

    TRY(open_whole(whole, EUICC_PACKAGE, &whole));
    TRY(tlv_get(&whole, &arm));
    data = arm;
    if (arm.tag == 0xA0 || arm.tag == 0xA1)
        TRY(tlv_expect(&arm.value, TAG_SEQUENCE, &data));
    else if (arm.tag != 0xA2)
        return ERR_INPUT;
    if (!tlv_all_whole(data.value) || !tlv_find(data.value, 0x80, &t) ||
        !copy_rd(t.value, r.eim_id, sizeof r.eim_id))
        return ERR_INPUT;
    TRY(optional_uint(data.value, 0x81, &has, &r.counter));
    if (arm.tag == 0xA0) {
        r.kind = RESULT_OK;
        TRY(read_ok_result(data.value, &r));
    } else if (arm.tag == 0xA1) {
        r.kind = RESULT_ERROR_SIGNED;
        TRY(optional_uint(data.value, TAG_INTEGER, &has, &r.error));
    } else {
        TRY(optional_uint(data.value, 0x8F, &has, &r.error));
    }
    *ret = r;
    return 0;
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
        return copy_rd(choice.value, d->text, sizeof d->text) ? 0 : ERR_INPUT;
    case 0x81:
        d->source = FROM_DEFAULT_DP;
        return 0;
    case 0xA2:
        d->source = FROM_SMDS;
        return copy_rd(field(choice.value, 0x80), d->text, sizeof d->text) ? 0 : ERR_INPUT;
    default:
        return ERR_INPUT;
    }
}

int download_trigger_read(struct rd body, struct download_trigger *ret)
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

void trigger_put_result(struct wr *w, struct rd tid, struct rd installation_result)
{
    struct wr_mark mark = tlv_open(w, PROFILE_DOWNLOAD_TRIGGER);

    put_optional(w, 0x82, tid);
    wr_put_rd(w, installation_result);
    tlv_close(w, mark);
}

void trigger_put_error(struct wr *w, enum esipa_version version, struct rd tid,
                       enum trigger_reason reason, struct rd response)
{
    struct wr_mark mark = tlv_open(w, PROFILE_DOWNLOAD_TRIGGER);

    put_optional(w, 0x82, tid);
    struct wr_mark error = tlv_open(w, TAG_SEQUENCE);
    if (version == ESIPA_V1_0) {
        put_optional(w, 0x80, response);
    } else {
        tlv_put_uint(w, 0x80, (uint64_t)reason);
        put_optional(w, TAG_OCTET_STRING, response);
    }
    tlv_close(w, error);
    tlv_close(w, mark);
}

/* --- IpaEuiccData ----------------------------------------------------------------------------- */

static const struct {
    uint32_t tag;
    uint32_t wanted;
} data_tags[] = {
    { 0xA0, DATA_NOTIFICATIONS },
    { 0x81, DATA_DEFAULT_DP },
    { 0xA2, DATA_PACKAGE_RESULTS },
    { 0xBF20, DATA_INFO1 },
    { 0xBF22, DATA_INFO2 },
    { 0x83, DATA_ROOT_DS },
    { 0x84, DATA_TOKEN },
    { 0xA5, DATA_EUM_CERTIFICATE },
    { 0xA6, DATA_EUICC_CERTIFICATE },
    { 0xA8, DATA_CAPABILITIES },
    { 0xA9, DATA_DEVICE_INFO },
}, data_tags_v1_0[] = {
    { 0xBF2B, DATA_NOTIFICATIONS | DATA_PACKAGE_RESULTS },
    { 0x80, DATA_DEFAULT_DP },
    { 0xBF20, DATA_INFO1 },
    { 0xBF22, DATA_INFO2 },
    { 0x83, DATA_ROOT_DS },
    { 0x84, DATA_TOKEN },
    { 0xA5, DATA_EUM_CERTIFICATE },
    { 0xA6, DATA_EUICC_CERTIFICATE },
    { 0x88, DATA_CAPABILITIES },
    { 0xA8, DATA_CAPABILITIES },
    { 0xA9, DATA_DEVICE_INFO },
};

/* 0 for a tag that the list may not name. */
static uint32_t wanted_by(uint32_t tag, enum esipa_version version)
{
    if (version == ESIPA_V1_0) {
        for (size_t i = 0; i < N_ELEMS(data_tags_v1_0); i++)
            if (data_tags_v1_0[i].tag == tag)
                return data_tags_v1_0[i].wanted;
        return 0;
    }
    for (size_t i = 0; i < N_ELEMS(data_tags); i++)
        if (data_tags[i].tag == tag)
            return data_tags[i].wanted;
    return 0;
}

/* Tags one after the other, no lengths. */
static void read_tag_list(struct rd list, enum esipa_version version, struct data_request *d)
{
    for (size_t i = 0; i < list.n; i++) {
        uint32_t tag = list.p[i];
        if ((tag & 0x1F) == 0x1F && i + 1 < list.n)
            tag = tag << 8 | list.p[++i];
        uint32_t wanted = wanted_by(tag, version);
        d->wanted |= wanted;
        d->bad_tag |= wanted == 0;
    }
}

int data_request_read(struct rd body, enum esipa_version version, struct data_request *ret)
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

void data_put_error(struct wr *w, enum esipa_version version, struct rd tid,
                    enum ipa_data_error code)
{
    struct wr_mark mark = tlv_open(w, IPA_EUICC_DATA);

    if (version == ESIPA_V1_0) {
        tlv_put_uint(w, 0x81, (uint64_t)code);
    } else {
        struct wr_mark error = tlv_open(w, 0xA1);
        put_optional(w, 0x80, tid);
        tlv_put_uint(w, TAG_INTEGER, (uint64_t)code);
        tlv_close(w, error);
    }
    tlv_close(w, mark);
}

void data_put_capabilities(struct wr *w, uint32_t features, uint32_t protocols)
{
    struct wr_mark mark = tlv_open(w, 0xA8);

    tlv_put_bits(w, 0x80, features);
    tlv_put_bits(w, 0x81, protocols);
    tlv_close(w, mark);
}

bool features_read(const char *text, uint32_t *ret)
{
    static const char *const names[] = { "direct",  "indirect",     "eim-download",
                                         "eim-ctx", "eim-metadata", "compact" };
    uint32_t features = 0;

    for (;;) {
        size_t n = strcspn(text, ",");
        size_t i = 0;
        while (i < N_ELEMS(names) && !rd_equal(rd_str(names[i]), rd_of(text, n)))
            i++;
        if (i == N_ELEMS(names))
            return false;
        features |= UINT32_C(1) << i;
        if (text[n] == '\0')
            break;
        text += n + 1;
    }
    *ret = features;
    return true;
}

bool plmn_read(const char *text, uint8_t ret[IPA_RPLMN_LEN])
{
    size_t n = strlen(text);
    uint8_t d[6];

    if ((n != 5 && n != 6) || strspn(text, "0123456789") != n)
        return false;
    for (size_t i = 0; i < n; i++)
        d[i] = (uint8_t)(text[i] - '0');
    ret[0] = (uint8_t)(d[1] << 4 | d[0]);
    ret[1] = (uint8_t)((n == 6 ? d[5] : 0xF) << 4 | d[2]);
    ret[2] = (uint8_t)(d[4] << 4 | d[3]);
    return true;
}
