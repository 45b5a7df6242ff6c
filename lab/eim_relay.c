/* eim_relay.c - between the two sides of a download: refusals of ESipa, calls of ES9+'. */
#include "lab/eim_relay.h"

#include <stdlib.h>

#include "lab/codes.h"
#include "lab/eim_download.h"
#include "lab/esipa.h"
#include "os/err.h"
#include "os/tlv.h"

enum { INVALID_EIM_TRANSACTION_ID = 52 };

/* --- refusals -------------------------------------------------------------------------------- */

static const struct {
    uint32_t function, tag; /* the tag of the error */
    enum code_list codes;
    long invalid_transaction;
} functions[] = {
    { ESIPA_INITIATE_AUTHENTICATION, 0x81, CODES_ESIPA_INITIATE, INVALID_EIM_TRANSACTION_ID },
    { ESIPA_AUTHENTICATE_CLIENT, 0x82, CODES_ESIPA_AUTHENTICATE, 10 },
    { ESIPA_GET_BOUND_PROFILE_PACKAGE, 0x81, CODES_ESIPA_PACKAGE, 95 },
    { ESIPA_CANCEL_SESSION, 0x81, CODES_ESIPA_CANCEL, 1 },
};

int eim_refuse_download(struct eim_call *call, uint32_t function, long code, int64_t work,
                        struct wr *ret)
{
    size_t i = 0;

    while (functions[i].function != function)
        i++;
    const char *name = code_name(functions[i].codes, code);
    struct wr_mark mark = tlv_open(ret, function);
    tlv_put_uint(ret, functions[i].tag, (uint64_t)code);
    tlv_close(ret, mark);
    cJSON_AddStringToObject(call->log, "answer", name);
    if (work != 0)
        TRY(store_finish_work(call->eim->db, work, WORK_FAILED, name));
    return wr_failed(ret);
}

long eim_invalid_transaction(uint32_t function)
{
    for (size_t i = 0; i < N_ELEMS(functions); i++)
        if (functions[i].function == function)
            return functions[i].invalid_transaction;
    return EIM_UNDEFINED_ERROR;
}

static long code_of(uint32_t function, const struct es9p_refusal *refusal)
{
    long code;

    return esipa_refusal_code(function, refusal->subject, refusal->reason, &code)
               ? code
               : EIM_UNDEFINED_ERROR;
}

/* --- ES9+' ----------------------------------------------------------------------------------- */

void eim_put_base64(cJSON *out, const char *name, struct rd v)
{
    char *text = base64_text(v);

    if (text != NULL)
        cJSON_AddStringToObject(out, name, text);
    free(text);
}

cJSON *eim_ask_smdp(struct eim_call *call, uint32_t function, const char *name, const char *address,
                    cJSON *request, long *ret_code)
{
    struct es9p_refusal refusal = { .subject = "" };
    struct lab_error e = { "" };
    cJSON *answer = NULL;

    *ret_code = 0;
    if (call->eim->smdp == NULL)
        lab_fail(&e, "no SM-DP+ can be reached");
    if (call->eim->smdp == NULL ||
        es9p_call(call->eim->smdp, address, name, request, &answer, &refusal, &e) != 0) {
        *ret_code = code_of(function, &refusal);
        cJSON_AddStringToObject(call->log, "reason", e.text);
    }
    cJSON_Delete(request);
    return answer;
}

bool eim_put_part(const cJSON *answer, const char *name, struct wr *ret)
{
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(answer, name);
    struct wr part;

    if (!cJSON_IsString(field))
        return false;
    wr_init_heap(&part, EIM_PART_MAX);
    bool ok = base64_read(field->valuestring, &part) && part.n > 0;
    if (ok)
        wr_put_rd(ret, wr_view(&part));
    wr_done(&part);
    return ok;
}

int eim_relay_notification(struct eim *eim, const char *address, struct rd notification,
                           struct lab_error *e)
{
    struct es9p_refusal refusal;
    cJSON *answer = NULL, *request = cJSON_CreateObject();

    eim_put_base64(request, "pendingNotification", notification);
    int r = eim->smdp == NULL ? lab_fail(e, "no SM-DP+ can be reached")
                              : es9p_call(eim->smdp, address, "handleNotification", request,
                                          &answer, &refusal, e);
    cJSON_Delete(answer);
    cJSON_Delete(request);
    return r;
}
