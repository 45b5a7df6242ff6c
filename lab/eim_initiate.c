/* eim_initiate.c - an indirect download begins: which trigger, which SM-DP+ (SGP.32 5.14.1). */
#include <string.h>
#include <strings.h>
#include <time.h>

#include "lab/eim_download.h"
#include "lab/eim_package.h"
#include "lab/eim_relay.h"
#include "lab/esipa.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    TAG_UTF8 = 0x0C,
    TAG_SEQUENCE = 0x30,
    TAG_INFO1 = 0xBF20,
    CHALLENGE = 16,

    INVALID_DP_ADDRESS = 1,
    SMDP_ADDRESS_MISMATCH = 50,
    SMDP_OID_MISMATCH = 51,
    INVALID_EIM_TRANSACTION_ID = 52,
};

/* What the eIM knows of the download that begins. */
struct start {
    struct eim_work work;
    bool has_work;
    bool eim_handles; /* the trigger had no download data */
    char address[EIM_TEXT_LEN], matching_id[EIM_TEXT_LEN], oid[EIM_TEXT_LEN];
};

static void read_code(const char *code, struct start *s)
{
    const char *fields[4] = { "", "", "", "" };
    char copy[EIM_TEXT_LEN];
    char *rest = copy;

    if (!copy_text(code, copy, sizeof copy))
        return;
    for (size_t i = 0; i < N_ELEMS(fields) && rest != NULL; i++)
        fields[i] = strsep(&rest, "$");
    copy_text(fields[1], s->address, sizeof s->address);
    copy_text(fields[2], s->matching_id, sizeof s->matching_id);
    copy_text(fields[3], s->oid, sizeof s->oid);
}

static int read_order(struct eim_call *call, struct start *s)
{
    struct wr order;
    struct tlv data, t;
    char code[EIM_TEXT_LEN];

    wr_init_heap(&order, EIM_BLOB_MAX);
    int r = store_get_work_blob(call->eim->db, s->work.number, WORK_ORDER, &order);
    struct rd in = wr_view(&order);
    s->eim_handles =
        tlv_find(in, ORDER_EIM_HANDLES, &t) && (call->device.features & FEATURE_EIM_DOWNLOAD) != 0;
    if (r == 0 && tlv_find(in, 0xA0, &data)) {
        if (tlv_find(data.value, 0x80, &t) && copy_rd(t.value, code, sizeof code))
            read_code(code, s);
        else if (tlv_find(data.value, 0x81, &t))
            copy_text(call->device.default_smdp, s->address, sizeof s->address);
    }
    wr_done(&order);
    return r;
}

/* The trigger that this belongs to: by its transaction id, or the only one that is out. */
static int find_start(struct eim_call *call, struct rd body, struct start *s, long *ret_code)
{
    struct tlv tid;
    bool has_tid = tlv_find(body, 0x82, &tid), found = false;
    enum eim_who who;

    *ret_code = 0;
    if (has_tid) {
        call->shown = SGP32_V1_2;
        TRY(store_find_work(call->eim->db, tid.value, &s->work, &s->has_work));
        if (!s->has_work || s->work.kind != WORK_DOWNLOAD) {
            *ret_code = INVALID_EIM_TRANSACTION_ID;
            return 0;
        }
        return eim_use_device(call, s->work.eid, &found);
    }
    TRY(eim_find_device(call, rd_of(NULL, 0), rd_of(NULL, 0), &who));
    TRY(store_find_only(call->eim->db, who == EIM_FOUND ? call->device.eid : "", WORK_DOWNLOAD,
                        &s->work, &s->has_work));
    return s->has_work ? eim_use_device(call, s->work.eid, &found) : 0;
}

/* The SM-DP+ address: the IPA's, which must be that of the trigger, or the trigger's. */
static long choose_address(struct rd body, struct start *s)
{
    char given[EIM_TEXT_LEN] = "";
    struct tlv t;

    if (tlv_find(body, 0x83, &t) && !copy_rd(t.value, given, sizeof given))
        return INVALID_DP_ADDRESS;
    if (given[0] != '\0' && s->address[0] != '\0' && strcasecmp(given, s->address) != 0)
        return SMDP_ADDRESS_MISMATCH;
    if (s->address[0] == '\0')
        memcpy(s->address, given, sizeof s->address);
    return s->address[0] == '\0' ? INVALID_DP_ADDRESS : 0;
}

static int put_info1(struct eim_call *call, struct rd body, cJSON *request, bool *ret_found)
{
    struct tlv t;
    struct wr kept;

    wr_init_heap(&kept, EIM_BLOB_MAX);
    if (tlv_find(body, TAG_INFO1, &t)) {
        eim_put_base64(request, "euiccInfo1", t.whole);
        *ret_found = true;
        wr_done(&kept);
        return 0;
    }
    int r =
        call->has_device ? store_get_blob(call->eim->db, call->device.eid, DEVICE_INFO1, &kept) : 0;
    *ret_found = kept.n > 0;
    if (*ret_found)
        eim_put_base64(request, "euiccInfo1", wr_view(&kept));
    wr_done(&kept);
    return r;
}

/* ctxParams1 as the IPA would make them, from what it told of its device. */
static int put_ctx_params(struct eim_call *call, const struct start *s, struct wr *ret)
{
    struct wr info;
    struct tlv t;

    if ((call->device.features & FEATURE_EIM_CTX) == 0)
        return 0;
    wr_init_heap(&info, EIM_BLOB_MAX);
    int r = store_get_blob(call->eim->db, call->device.eid, DEVICE_DEVICE_INFO, &info);
    struct rd in = wr_view(&info);
    if (r == 0 && tlv_get(&in, &t) == 0) {
        struct wr_mark outer = tlv_open(ret, 0xA2);
        struct wr_mark common = tlv_open(ret, 0xA0);
        tlv_put_str(ret, 0x80, s->matching_id);
        tlv_put(ret, 0xA1, t.value);
        tlv_close(ret, common);
        tlv_close(ret, outer);
    }
    wr_done(&info);
    return r;
}

/* The OID of CERT.DPauth, which must be that of the activation code; 0 or a code. */
static long check_server(struct eim_call *call, const struct start *s, const cJSON *answer,
                         struct wr *ret_oid)
{
    struct cert *cert = NULL;
    const char *why;
    struct wr der, wanted;
    uint8_t room[OID_MAX_LEN];
    long code = 0;

    wr_init(&wanted, room, sizeof room);
    wr_init_heap(&der, EIM_PART_MAX);
    if (!eim_put_part(answer, "serverCertificate", &der) ||
        cert_parse(call->eim->crypto, wr_view(&der), &cert, &why) != 0)
        code = EIM_UNDEFINED_ERROR;
    else if (s->oid[0] != '\0' &&
             (oid_from_text(s->oid, &wanted) != 0 || !rd_equal(wr_view(&wanted), cert_oid(cert))))
        code = SMDP_OID_MISMATCH;
    else
        wr_put_rd(ret_oid, cert_oid(cert));
    cert_free(&cert);
    wr_done(&der);
    return code;
}

static long check_address(const struct start *s, struct rd server_signed1)
{
    struct tlv body, address;

    if (tlv_expect(&server_signed1, TAG_SEQUENCE, &body) != 0 ||
        !tlv_find(body.value, 0x83, &address))
        return EIM_UNDEFINED_ERROR;
    return address.value.n == strlen(s->address) &&
                   strncasecmp((const char *)address.value.p, s->address, address.value.n) == 0
               ? 0
               : SMDP_ADDRESS_MISMATCH;
}

static int keep_download(struct eim_call *call, const struct start *s, struct rd tid,
                         struct rd server_signed1, struct rd oid)
{
    struct rd body = server_signed1;
    struct tlv signed1, address;
    char text[EIM_TEXT_LEN];

    if (tlv_expect(&body, TAG_SEQUENCE, &signed1) != 0 ||
        !tlv_find(signed1.value, 0x83, &address) || !copy_rd(address.value, text, sizeof text))
        return ERR_BUG;
    return db_run(call->eim->db,
                  "INSERT OR REPLACE INTO download"
                  " (tid, eid, work, address, server_signed1, auth_oid, at)"
                  " VALUES (?, ?, NULLIF(?, 0), ?, ?, ?, ?)",
                  "btitbbi", tid, call->device.eid, s->has_work ? s->work.number : (int64_t)0, text,
                  server_signed1, oid, (int64_t)time(NULL));
}

static int write_initiated(struct eim_call *call, const struct start *s, const cJSON *answer,
                           struct rd tid, struct wr *ret, bool *ret_ok)
{
    struct wr_mark outer = tlv_open(ret, ESIPA_INITIATE_AUTHENTICATION);
    struct wr_mark ok = tlv_open(ret, 0xA0);

    tlv_put(ret, 0x80, tid);
    *ret_ok = eim_put_part(answer, "serverSigned1", ret) &&
              eim_put_part(answer, "serverSignature1", ret) &&
              eim_put_part(answer, "euiccCiPKIdToBeUsed", ret) &&
              eim_put_part(answer, "serverCertificate", ret);
    if (s->eim_handles && s->matching_id[0] != '\0')
        tlv_put_str(ret, TAG_UTF8, s->matching_id);
    TRY(put_ctx_params(call, s, ret));
    tlv_close(ret, ok);
    tlv_close(ret, outer);
    return wr_failed(ret);
}

static int answer_initiate(struct eim_call *call, const struct start *s, const cJSON *answer,
                           struct wr *ret)
{
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(answer, "transactionId");
    uint8_t room[TRANSACTION_ID_MAX], oid_room[OID_MAX_LEN];
    struct wr tid, oid, server_signed1;
    bool ok = false;
    int r = 0;

    wr_init(&tid, room, sizeof room);
    wr_init(&oid, oid_room, sizeof oid_room);
    wr_init_heap(&server_signed1, EIM_PART_MAX);
    long code = cJSON_IsString(id) && hex_read(id->valuestring, &tid) &&
                        eim_put_part(answer, "serverSigned1", &server_signed1)
                    ? check_address(s, wr_view(&server_signed1))
                    : EIM_UNDEFINED_ERROR;
    if (code == 0)
        code = check_server(call, s, answer, &oid);
    if (code == 0)
        r = keep_download(call, s, wr_view(&tid), wr_view(&server_signed1), wr_view(&oid));
    if (code == 0 && r == 0)
        r = write_initiated(call, s, answer, wr_view(&tid), ret, &ok);
    if (r == 0 && !ok) {
        wr_clear(ret);
        r = eim_refuse_download(call, ESIPA_INITIATE_AUTHENTICATION,
                                code != 0 ? code : EIM_UNDEFINED_ERROR,
                                s->has_work ? s->work.number : 0, ret);
    }
    wr_done(&server_signed1);
    return r;
}

int eim_initiate_authentication(struct eim_call *call, struct rd body, struct wr *ret)
{
    struct start s = { .has_work = false };
    struct tlv challenge;
    bool has_info = false;
    long code = 0;

    if (!tlv_find(body, 0x81, &challenge) || challenge.value.n != CHALLENGE)
        return ERR_INPUT;
    TRY(find_start(call, body, &s, &code));
    if (code == 0 && s.has_work)
        TRY(read_order(call, &s));
    if (code == 0)
        code = choose_address(body, &s);
    int64_t work = s.has_work ? s.work.number : 0;
    if (code != 0)
        return eim_refuse_download(call, ESIPA_INITIATE_AUTHENTICATION, code, work, ret);
    cJSON *request = cJSON_CreateObject();
    cJSON_AddStringToObject(request, "smdpAddress", s.address);
    eim_put_base64(request, "euiccChallenge", challenge.value);
    int r = put_info1(call, body, request, &has_info);
    if (r != 0 || !has_info) {
        cJSON_Delete(request);
        return r != 0 ? r
                      : eim_refuse_download(call, ESIPA_INITIATE_AUTHENTICATION,
                                            EIM_UNDEFINED_ERROR, work, ret);
    }
    eim_note_peer(call);
    cJSON_AddStringToObject(call->log, "smdpAddress", s.address);
    cJSON *answer = eim_ask_smdp(call, ESIPA_INITIATE_AUTHENTICATION, "initiateAuthentication",
                                 s.address, request, &code);
    r = code != 0 ? eim_refuse_download(call, ESIPA_INITIATE_AUTHENTICATION, code, work, ret)
                  : answer_initiate(call, &s, answer, ret);
    cJSON_Delete(answer);
    return r;
}
