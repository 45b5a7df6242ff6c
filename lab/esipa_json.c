/* esipa_json.c - the JSON binding of ESipa on the eIM's side (SGP.32 6.4). */
#include "lab/esipa_json.h"

#include <stdlib.h>
#include <string.h>

#include "lab/codes.h"
#include "lab/eim_store.h"
#include "lab/esipa.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    TAG_INTEGER = 0x02,
    TAG_EID = 0x5A,
    TEXT_LEN = 512,
    ROOM = 64,
};

enum form {
    WHOLE,   /* base64 of a TLV */
    CONTENT, /* base64 of the contents */
    HEX,     /* hex of the contents */
    TEXT,
    NUMBER,
    FLAG,
    INNER, /* base64 of a TLV, put under this tag */
    RETAG, /* base64 of a TLV whose tag this one replaces */
};

struct field {
    uint32_t function;
    const char *name;
    uint32_t tag;
    enum form form;
};

static const struct {
    uint32_t tag;
    const char *name;
    uint32_t error; /* tag of the error; 0: none */
    enum code_list codes;
    const char *error_name; /* a member with the code; NULL: the header tells alone */
} functions[] = {
    { ESIPA_INITIATE_AUTHENTICATION, "initiateAuthentication", 0x81, CODES_ESIPA_INITIATE, NULL },
    { ESIPA_AUTHENTICATE_CLIENT, "authenticateClient", 0x82, CODES_ESIPA_AUTHENTICATE, NULL },
    { ESIPA_GET_BOUND_PROFILE_PACKAGE, "getBoundProfilePackage", 0x81, CODES_ESIPA_PACKAGE, NULL },
    { ESIPA_CANCEL_SESSION, "cancelSession", 0x81, CODES_ESIPA_CANCEL, NULL },
    { ESIPA_HANDLE_NOTIFICATION, "handleNotification", 0, CODES_ESIPA_CANCEL, NULL },
    { ESIPA_GET_EIM_PACKAGE, "getEimPackage", TAG_INTEGER, CODES_GET_EIM_PACKAGE,
      "eimPackageError" },
    { ESIPA_PROVIDE_EIM_PACKAGE_RESULT, "provideEimPackageResult", TAG_INTEGER,
      CODES_PROVIDE_RESULT, "eimPackageError" },
};

/* In the order of the messages. */
static const struct field requests[] = {
    { ESIPA_INITIATE_AUTHENTICATION, "euiccChallenge", 0x81, CONTENT },
    { ESIPA_INITIATE_AUTHENTICATION, "smdpAddress", 0x83, TEXT },
    { ESIPA_INITIATE_AUTHENTICATION, "euiccInfo1", 0, WHOLE },
    { ESIPA_INITIATE_AUTHENTICATION, "eimTransactionId", 0x82, HEX },
    { ESIPA_AUTHENTICATE_CLIENT, "transactionId", 0x80, HEX },
    { ESIPA_AUTHENTICATE_CLIENT, "authenticateServerResponse", 0, WHOLE },
    { ESIPA_GET_BOUND_PROFILE_PACKAGE, "transactionId", 0x80, HEX },
    { ESIPA_GET_BOUND_PROFILE_PACKAGE, "prepareDownloadResponse", 0, WHOLE },
    { ESIPA_CANCEL_SESSION, "transactionId", 0x80, HEX },
    { ESIPA_CANCEL_SESSION, "cancelSessionResponse", 0xA1, RETAG },
    { ESIPA_HANDLE_NOTIFICATION, "pendingNotification", 0xA0, INNER },
    { ESIPA_HANDLE_NOTIFICATION, "provideEimPackageResult", 0, WHOLE },
    { ESIPA_GET_EIM_PACKAGE, "eidValue", TAG_EID, HEX },
    { ESIPA_GET_EIM_PACKAGE, "notifyStateChange", 0x80, FLAG },
    { ESIPA_GET_EIM_PACKAGE, "stateChangeCause", 0x81, NUMBER },
    { ESIPA_GET_EIM_PACKAGE, "rPlmn", 0x82, CONTENT },
    { ESIPA_GET_EIM_PACKAGE, "rPLMN", 0x82, CONTENT },
    { ESIPA_PROVIDE_EIM_PACKAGE_RESULT, "eidValue", TAG_EID, HEX },
    { ESIPA_PROVIDE_EIM_PACKAGE_RESULT, "eimPackageResult", 0, WHOLE },
};

static const struct field answers[] = {
    { ESIPA_INITIATE_AUTHENTICATION, "transactionId", 0x80, HEX },
    { ESIPA_INITIATE_AUTHENTICATION, "serverSigned1", 0x30, WHOLE },
    { ESIPA_INITIATE_AUTHENTICATION, "serverSignature1", 0x5F37, WHOLE },
    { ESIPA_INITIATE_AUTHENTICATION, "euiccCiPKIdToBeUsed", 0x04, WHOLE },
    { ESIPA_INITIATE_AUTHENTICATION, "serverCertificate", 0x30, WHOLE },
    { ESIPA_INITIATE_AUTHENTICATION, "matchingId", 0x0C, TEXT },
    { ESIPA_INITIATE_AUTHENTICATION, "ctxParams1", 0xA2, CONTENT },
    { ESIPA_AUTHENTICATE_CLIENT, "transactionId", 0x80, HEX },
    { ESIPA_AUTHENTICATE_CLIENT, "profileMetadata", 0xBF25, WHOLE },
    { ESIPA_AUTHENTICATE_CLIENT, "smdpSigned2", 0x30, WHOLE },
    { ESIPA_AUTHENTICATE_CLIENT, "smdpSignature2", 0x5F37, WHOLE },
    { ESIPA_AUTHENTICATE_CLIENT, "smdpCertificate", 0x30, WHOLE },
    { ESIPA_AUTHENTICATE_CLIENT, "hashCc", 0x04, WHOLE },
    { ESIPA_AUTHENTICATE_CLIENT, "profileDownloadTriggerRequest", PROFILE_DOWNLOAD_TRIGGER, WHOLE },
    { ESIPA_GET_BOUND_PROFILE_PACKAGE, "transactionId", 0x80, HEX },
    { ESIPA_GET_BOUND_PROFILE_PACKAGE, "boundProfilePackage", 0xBF36, WHOLE },
    { ESIPA_GET_EIM_PACKAGE, "euiccPackageRequest", EUICC_PACKAGE, WHOLE },
    { ESIPA_GET_EIM_PACKAGE, "ipaEuiccDataRequest", IPA_EUICC_DATA, WHOLE },
    { ESIPA_GET_EIM_PACKAGE, "profileDownloadTriggerRequest", PROFILE_DOWNLOAD_TRIGGER, WHOLE },
    { ESIPA_PROVIDE_EIM_PACKAGE_RESULT, "eimAcknowledgements", EIM_ACKNOWLEDGEMENTS, WHOLE },
};

/* --- requests -------------------------------------------------------------------------------- */

/* Octets of a field, given as text. */
static int put_octets(const struct field *f, const char *text, struct wr *ret)
{
    struct wr octets;
    struct tlv t;

    wr_init_heap(&octets, EIM_BLOB_MAX);
    bool ok = f->form == HEX ? hex_read(text, &octets) : base64_read(text, &octets);
    struct rd in = wr_view(&octets);
    if (f->form == HEX || f->form == CONTENT) {
        tlv_put(ret, f->tag, in);
    } else if (ok && tlv_get(&in, &t) == 0 && in.n == 0) {
        if (f->form == WHOLE)
            wr_put_rd(ret, t.whole);
        else
            tlv_put(ret, f->tag, f->form == INNER ? t.whole : t.value);
    } else {
        ok = false;
    }
    wr_done(&octets);
    return ok ? wr_failed(ret) : ERR_INPUT;
}

static int put_request(const struct field *f, const cJSON *v, struct wr *ret)
{
    if (f->form == FLAG) {
        if (cJSON_IsFalse(v))
            return 0;
        tlv_put(ret, f->tag, rd_str(""));
        return 0;
    }
    if (f->form == NUMBER) {
        if (!cJSON_IsNumber(v) || v->valuedouble < 0 || v->valuedouble > 255)
            return ERR_INPUT;
        tlv_put_uint(ret, f->tag, (uint64_t)v->valuedouble);
        return 0;
    }
    if (!cJSON_IsString(v))
        return ERR_INPUT;
    if (f->form == TEXT) {
        tlv_put_str(ret, f->tag, v->valuestring);
        return wr_failed(ret);
    }
    return put_octets(f, v->valuestring, ret);
}

int esipa_request_from_json(const char *function, const cJSON *in, struct wr *ret)
{
    size_t i = 0;

    while (i < N_ELEMS(functions) && strcmp(functions[i].name, function) != 0)
        i++;
    if (i == N_ELEMS(functions))
        return ERR_INPUT;
    struct wr_mark mark = tlv_open(ret, functions[i].tag);
    for (size_t f = 0; f < N_ELEMS(requests); f++) {
        const cJSON *v = requests[f].function != functions[i].tag
                             ? NULL
                             : cJSON_GetObjectItemCaseSensitive(in, requests[f].name);
        if (v != NULL && !cJSON_IsNull(v))
            TRY(put_request(&requests[f], v, ret));
    }
    tlv_close(ret, mark);
    return wr_failed(ret);
}

/* --- answers --------------------------------------------------------------------------------- */

static void add_octets(cJSON *out, const struct field *f, const struct tlv *t)
{
    char *text = base64_text(f->form == WHOLE ? t->whole : t->value);

    if (text != NULL)
        cJSON_AddStringToObject(out, f->name, text);
    free(text);
}

static void add_field(cJSON *out, const struct field *f, const struct tlv *t)
{
    char text[TEXT_LEN];

    if (f->form == HEX)
        cJSON_AddStringToObject(out, f->name, hex_text(t->value, text, sizeof text));
    else if (f->form == TEXT)
        cJSON_AddStringToObject(out, f->name, printable(t->value, text, sizeof text));
    else
        add_octets(out, f, t);
}

/* Fields with the same tag come in the order of the table. */
static void add_fields(cJSON *out, uint32_t function, struct rd body)
{
    for (size_t i = 0; i < N_ELEMS(answers); i++) {
        struct tlv t;
        unsigned nth = 0;
        for (size_t j = 0; j < i; j++)
            if (answers[j].function == function && answers[j].tag == answers[i].tag)
                nth++;
        if (answers[i].function == function && tlv_find_nth(body, answers[i].tag, nth, &t))
            add_field(out, &answers[i], &t);
    }
}

static cJSON *with_header(const char *status)
{
    cJSON *out = cJSON_CreateObject();
    cJSON *header = cJSON_AddObjectToObject(out, "header");
    cJSON *execution = cJSON_AddObjectToObject(header, "functionExecutionStatus");

    cJSON_AddStringToObject(execution, "status", status);
    return out;
}

/* What ES9+' has no words for is a refusal of the function (1.6). */
static void add_refusal(cJSON *out, uint32_t function, long code, const char *name)
{
    const char *subject = "1.6", *reason = "3.8";

    esipa_refusal_words(function, code, &subject, &reason);
    cJSON *header = cJSON_GetObjectItemCaseSensitive(out, "header");
    cJSON *execution = cJSON_GetObjectItemCaseSensitive(header, "functionExecutionStatus");
    cJSON *data = cJSON_AddObjectToObject(execution, "statusCodeData");

    cJSON_AddStringToObject(data, "subjectCode", subject);
    cJSON_AddStringToObject(data, "reasonCode", reason);
    cJSON_AddStringToObject(data, "message", name);
}

cJSON *esipa_answer_to_json(struct rd answer)
{
    struct tlv outer, t;
    uint64_t code;
    size_t i = 0;

    if (answer.n == 0)
        return NULL;
    if (tlv_get(&answer, &outer) != 0)
        return NULL;
    while (i < N_ELEMS(functions) && functions[i].tag != outer.tag)
        i++;
    if (i == N_ELEMS(functions))
        return NULL;
    if (functions[i].error != 0 && tlv_find(outer.value, functions[i].error, &t) &&
        tlv_uint(t.value, &code) == 0 && code <= 255) {
        cJSON *out = with_header(functions[i].error_name == NULL ? "Failed" : "Executed-Success");
        if (functions[i].error_name != NULL)
            cJSON_AddNumberToObject(out, functions[i].error_name, (double)code);
        else
            add_refusal(out, functions[i].tag, (long)code,
                        code_name(functions[i].codes, (long)code));
        return out;
    }
    cJSON *out = with_header("Executed-Success");
    bool has_arm = tlv_find(outer.value, 0xA0, &t) || tlv_find(outer.value, 0xA1, &t);
    add_fields(out, outer.tag, has_arm ? t.value : outer.value);
    return out;
}
