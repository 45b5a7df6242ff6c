/* ipa_json.c - the JSON binding of ESipa (SGP.32 6.4): octets are base64 of the TLV with its tag,
 * transaction ids hex, the EID digits. */
#include "lab/ipa_json.h"

#include <stdlib.h>
#include <string.h>

#include "lab/esipa.h"
#include "lab/rsp.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    PART_MAX = 32 * 1024 * 1024,
    TEXT_LEN = 512,
    TAG_EID = 0x5A,
    TAG_ANY = 0, /* whatever comes after the fields before it */
    TAG_INTEGER = 0x02,
    TAG_CANCEL_RESPONSE = 0xA1, /* replaces BF41 */
};

static const struct {
    enum esipa_tag tag;
    const char *name;
    uint32_t ok, error; /* arms of the answer */
} functions[] = {
    { ESIPA_INITIATE_AUTHENTICATION, "initiateAuthentication", 0xA0, 0x81 },
    { ESIPA_AUTHENTICATE_CLIENT, "authenticateClient", 0xA0, 0x82 },
    { ESIPA_GET_BOUND_PROFILE_PACKAGE, "getBoundProfilePackage", 0xA0, 0x81 },
    { ESIPA_CANCEL_SESSION, "cancelSession", 0xA0, 0x81 },
    { ESIPA_HANDLE_NOTIFICATION, "handleNotification", 0, 0 },
    { ESIPA_GET_EIM_PACKAGE, "getEimPackage", 0, TAG_INTEGER },
    { ESIPA_PROVIDE_EIM_PACKAGE_RESULT, "provideEimPackageResult", 0, TAG_INTEGER },
};

enum field_kind {
    AS_WHOLE,  /* base64 of tag, length, contents */
    AS_VALUE,  /* base64 of the contents */
    AS_HEX,    /* hex of the contents */
    AS_TEXT,   /* UTF-8 */
    AS_NUMBER, /* INTEGER */
    AS_FLAG,   /* NULL: true */
    AS_INNER,  /* base64 of what stands under the tag */
    AS_CANCEL, /* base64 with the tag that this one replaced */
};

struct field {
    enum esipa_tag function;
    const char *name;
    uint32_t tag;
    enum field_kind kind;
};

static const struct field request_fields[] = {
    { ESIPA_INITIATE_AUTHENTICATION, "euiccChallenge", 0x81, AS_VALUE },
    { ESIPA_INITIATE_AUTHENTICATION, "smdpAddress", 0x83, AS_TEXT },
    { ESIPA_INITIATE_AUTHENTICATION, "euiccInfo1", 0xBF20, AS_WHOLE },
    { ESIPA_INITIATE_AUTHENTICATION, "eimTransactionId", 0x82, AS_HEX },
    { ESIPA_AUTHENTICATE_CLIENT, "transactionId", 0x80, AS_HEX },
    { ESIPA_AUTHENTICATE_CLIENT, "authenticateServerResponse", 0xBF38, AS_WHOLE },
    { ESIPA_GET_BOUND_PROFILE_PACKAGE, "transactionId", 0x80, AS_HEX },
    { ESIPA_GET_BOUND_PROFILE_PACKAGE, "prepareDownloadResponse", 0xBF21, AS_WHOLE },
    { ESIPA_CANCEL_SESSION, "transactionId", 0x80, AS_HEX },
    { ESIPA_CANCEL_SESSION, "cancelSessionResponse", TAG_CANCEL_RESPONSE, AS_CANCEL },
    { ESIPA_HANDLE_NOTIFICATION, "pendingNotification", 0xA0, AS_INNER },
    { ESIPA_HANDLE_NOTIFICATION, "provideEimPackageResult", ESIPA_PROVIDE_EIM_PACKAGE_RESULT,
      AS_WHOLE },
    { ESIPA_GET_EIM_PACKAGE, "eidValue", TAG_EID, AS_HEX },
    { ESIPA_GET_EIM_PACKAGE, "notifyStateChange", 0x80, AS_FLAG },
    { ESIPA_GET_EIM_PACKAGE, "stateChangeCause", 0x81, AS_NUMBER },
    { ESIPA_GET_EIM_PACKAGE, "rPlmn", 0x82, AS_VALUE },
    { ESIPA_PROVIDE_EIM_PACKAGE_RESULT, "eidValue", TAG_EID, AS_HEX },
    { ESIPA_PROVIDE_EIM_PACKAGE_RESULT, "eimPackageResult", TAG_ANY, AS_WHOLE },
};

static const struct field answer_fields[] = {
    { ESIPA_INITIATE_AUTHENTICATION, "transactionId", 0x80, AS_HEX },
    { ESIPA_INITIATE_AUTHENTICATION, "serverSigned1", 0x30, AS_WHOLE },
    { ESIPA_INITIATE_AUTHENTICATION, "serverSignature1", 0x5F37, AS_WHOLE },
    { ESIPA_INITIATE_AUTHENTICATION, "euiccCiPKIdToBeUsed", 0x04, AS_WHOLE },
    { ESIPA_INITIATE_AUTHENTICATION, "euiccCiPKIdentifierToBeUsed", 0x04, AS_WHOLE },
    { ESIPA_INITIATE_AUTHENTICATION, "serverCertificate", 0x30, AS_WHOLE },
    { ESIPA_INITIATE_AUTHENTICATION, "matchingId", 0x0C, AS_TEXT },
    { ESIPA_INITIATE_AUTHENTICATION, "ctxParams1", 0xA2, AS_INNER },
    { ESIPA_AUTHENTICATE_CLIENT, "transactionId", 0x80, AS_HEX },
    { ESIPA_AUTHENTICATE_CLIENT, "profileMetadata", 0xBF25, AS_WHOLE },
    { ESIPA_AUTHENTICATE_CLIENT, "profileMetaData", 0xBF25, AS_WHOLE },
    { ESIPA_AUTHENTICATE_CLIENT, "smdpSigned2", 0x30, AS_WHOLE },
    { ESIPA_AUTHENTICATE_CLIENT, "smdpSignature2", 0x5F37, AS_WHOLE },
    { ESIPA_AUTHENTICATE_CLIENT, "smdpCertificate", 0x30, AS_WHOLE },
    { ESIPA_AUTHENTICATE_CLIENT, "hashCc", 0x04, AS_WHOLE },
    { ESIPA_AUTHENTICATE_CLIENT, "profileDownloadTriggerRequest", PROFILE_DOWNLOAD_TRIGGER,
      AS_WHOLE },
    { ESIPA_GET_BOUND_PROFILE_PACKAGE, "transactionId", 0x80, AS_HEX },
    { ESIPA_GET_BOUND_PROFILE_PACKAGE, "boundProfilePackage", 0xBF36, AS_WHOLE },
    { ESIPA_GET_EIM_PACKAGE, "euiccPackageRequest", EUICC_PACKAGE, AS_WHOLE },
    { ESIPA_GET_EIM_PACKAGE, "ipaEuiccDataRequest", IPA_EUICC_DATA, AS_WHOLE },
    { ESIPA_GET_EIM_PACKAGE, "profileDownloadTriggerRequest", PROFILE_DOWNLOAD_TRIGGER, AS_WHOLE },
    { ESIPA_GET_EIM_PACKAGE, "eimPackageError", TAG_INTEGER, AS_NUMBER },
    { ESIPA_PROVIDE_EIM_PACKAGE_RESULT, "eimAcknowledgements", EIM_ACKNOWLEDGEMENTS, AS_WHOLE },
    { ESIPA_PROVIDE_EIM_PACKAGE_RESULT, "eimPackageError", TAG_INTEGER, AS_NUMBER },
};

/* --- to the eIM ------------------------------------------------------------------------------- */

static void add_base64(cJSON *out, const char *name, struct rd v)
{
    char *text = base64_text(v);

    if (text != NULL)
        cJSON_AddStringToObject(out, name, text);
    free(text);
}

static void add_under_tag(cJSON *out, const char *name, uint32_t tag, struct rd value)
{
    struct wr der;

    wr_init_heap(&der, PART_MAX);
    tlv_put(&der, tag, value);
    if (wr_failed(&der) == 0)
        add_base64(out, name, wr_view(&der));
    wr_done(&der);
}

static int add_field(cJSON *out, const struct field *field, const struct tlv *t)
{
    char text[TEXT_LEN];
    uint64_t number;

    switch (field->kind) {
    case AS_WHOLE:
        add_base64(out, field->name, t->whole);
        return 0;
    case AS_VALUE:
    case AS_INNER:
        add_base64(out, field->name, t->value);
        return 0;
    case AS_HEX:
        cJSON_AddStringToObject(out, field->name, hex_text(t->value, text, sizeof text));
        return 0;
    case AS_TEXT:
        if (!copy_rd(t->value, text, sizeof text))
            return ERR_INPUT;
        cJSON_AddStringToObject(out, field->name, text);
        return 0;
    case AS_NUMBER:
        TRY(tlv_uint(t->value, &number));
        cJSON_AddNumberToObject(out, field->name, (double)number);
        return 0;
    case AS_FLAG:
        cJSON_AddTrueToObject(out, field->name);
        return 0;
    case AS_CANCEL:
        add_under_tag(out, field->name, ESIPA_CANCEL_SESSION, t->value);
        return 0;
    }
    return ERR_BUG;
}

static int add_child(cJSON *out, enum esipa_tag function, const struct tlv *t)
{
    for (size_t i = 0; i < N_ELEMS(request_fields); i++) {
        const struct field *field = &request_fields[i];
        if (field->function == function && (field->tag == t->tag || field->tag == TAG_ANY))
            return add_field(out, field, t);
    }
    return ERR_INPUT;
}

int ipa_json_request(struct rd message, const char **ret_function, cJSON **ret, struct lab_error *e)
{
    struct tlv outer, t;
    size_t i = 0;

    if (tlv_get(&message, &outer) != 0 || message.n != 0)
        return lab_fail(e, "not a message to an eIM");
    while (i < N_ELEMS(functions) && (uint32_t)functions[i].tag != outer.tag)
        i++;
    if (i == N_ELEMS(functions))
        return lab_fail(e, "the JSON binding has no message %X", (unsigned)outer.tag);
    cJSON *out = cJSON_CreateObject();
    while (outer.value.n > 0) {
        if (tlv_get(&outer.value, &t) != 0 || add_child(out, functions[i].tag, &t) != 0) {
            cJSON_Delete(out);
            return lab_fail(e, "%s: a field that the JSON binding does not have",
                            functions[i].name);
        }
    }
    *ret_function = functions[i].name;
    *ret = out;
    return 0;
}

/* --- from the eIM ----------------------------------------------------------------------------- */

static const char *text_of(const cJSON *in, const char *name)
{
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(in, name);

    return cJSON_IsString(field) ? field->valuestring : "";
}

/* 0 for success, else a code of the function; negative with *e for anything else. */
static int read_status(const cJSON *answer, size_t function, uint64_t *ret_code,
                       struct lab_error *e)
{
    const cJSON *header = cJSON_GetObjectItemCaseSensitive(answer, "header");
    const cJSON *execution = cJSON_GetObjectItemCaseSensitive(header, "functionExecutionStatus");
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(execution, "statusCodeData");
    const char *subject = text_of(data, "subjectCode"), *reason = text_of(data, "reasonCode");
    long code;

    *ret_code = 0;
    if (strcmp(text_of(execution, "status"), "Executed-Success") == 0)
        return 0;
    if (esipa_refusal_code(functions[function].tag, subject, reason, &code)) {
        *ret_code = (uint64_t)code;
        return 0;
    }
    char shown[2][16], message[128];
    return lab_fail(e, "%s: refused by the eIM: %s %s %s", functions[function].name,
                    printable(rd_str(subject), shown[0], sizeof shown[0]),
                    printable(rd_str(reason), shown[1], sizeof shown[1]),
                    printable(rd_str(text_of(data, "message")), message, sizeof message));
}

/* Contents under the field's tag: hex digits, text or what the base64 says. */
static int put_text(const struct field *field, const char *text, struct wr *ret)
{
    struct wr octets;

    wr_init_heap(&octets, PART_MAX);
    int r = ERR_INPUT;
    if (field->kind == AS_TEXT) {
        tlv_put_str(ret, field->tag, text);
        r = 0;
    } else if (field->kind == AS_HEX ? hex_read(text, &octets) : base64_read(text, &octets)) {
        struct rd in = wr_view(&octets);
        struct tlv t;
        r = 0;
        if (field->kind != AS_WHOLE)
            tlv_put(ret, field->tag, in);
        else if (tlv_expect(&in, field->tag, &t) == 0 && in.n == 0)
            wr_put_rd(ret, t.whole);
        else
            r = ERR_INPUT;
    }
    wr_done(&octets);
    return r;
}

static int put_fields(const cJSON *answer, size_t function, struct wr *ret, struct lab_error *e)
{
    for (size_t i = 0; i < N_ELEMS(answer_fields); i++) {
        const struct field *field = &answer_fields[i];
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(answer, field->name);
        if (field->function != functions[function].tag || v == NULL || cJSON_IsNull(v))
            continue;
        int r = ERR_INPUT;
        if (field->kind == AS_NUMBER && cJSON_IsNumber(v) && v->valuedouble >= 0 &&
            v->valuedouble <= 255) {
            tlv_put_uint(ret, field->tag, (uint64_t)v->valuedouble);
            r = 0;
        } else if (field->kind != AS_NUMBER && cJSON_IsString(v)) {
            r = put_text(field, v->valuestring, ret);
        }
        if (r != 0)
            return lab_fail(e, "%s: %s is malformed", functions[function].name, field->name);
    }
    return 0;
}

static int put_answer(const cJSON *answer, size_t function, struct wr *ret, struct lab_error *e)
{
    const uint32_t ok = functions[function].ok, error = functions[function].error;
    uint64_t code;

    TRY(read_status(answer, function, &code, e));
    struct wr_mark mark = tlv_open(ret, functions[function].tag);
    if (code != 0) {
        tlv_put_uint(ret, error, code);
    } else if (ok != 0) {
        /* an SM-DS answers AuthenticateClient with the next step, in an arm of its own */
        bool next = cJSON_HasObjectItem(answer, "profileDownloadTriggerRequest") &&
                    functions[function].tag == ESIPA_AUTHENTICATE_CLIENT;
        struct wr_mark arm = tlv_open(ret, next ? 0xA1 : ok);
        TRY(put_fields(answer, function, ret, e));
        tlv_close(ret, arm);
    } else {
        size_t before = ret->n;
        TRY(put_fields(answer, function, ret, e));
        if (ret->n == before && functions[function].tag == ESIPA_PROVIDE_EIM_PACKAGE_RESULT)
            tlv_put(ret, 0x30, rd_of(NULL, 0));
    }
    tlv_close(ret, mark);
    return wr_failed(ret) == 0 ? 0 : lab_fail(e, "the answer of the eIM is too long");
}

int ipa_json_answer(const char *function, struct rd text, struct wr *ret, struct lab_error *e)
{
    size_t i = 0;

    while (i < N_ELEMS(functions) && strcmp(functions[i].name, function) != 0)
        i++;
    if (i == N_ELEMS(functions))
        return lab_fail(e, "%s: no such function", function);
    cJSON *answer = cJSON_ParseWithLength((const char *)text.p, text.n);
    uint64_t code;
    int r;
    if (!cJSON_IsObject(answer))
        r = lab_fail(e, "%s: the answer is not JSON", function);
    else if (functions[i].tag == ESIPA_HANDLE_NOTIFICATION) /* its answer is the status alone */
        r = read_status(answer, i, &code, e);
    else
        r = put_answer(answer, i, ret, e);
    cJSON_Delete(answer);
    return r;
}
