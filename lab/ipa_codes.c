/* ipa_codes.c - names of the result codes of ES10b, and the result of a package in words. */
#include "lab/ipa_codes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lab/codes.h"
#include "lab/ipa_message.h"
#include "os/err.h"
#include "os/tlv.h"

enum { UNDEFINED_ERROR = 127, TAG_INTEGER = 0x02 };

static const struct {
    enum ipa_codes list;
    unsigned code;
    const char *name;
} codes[] = {
    { IPA_ADD_INITIAL_EIM, 1, "insufficientMemory" },
    { IPA_ADD_INITIAL_EIM, 2, "associatedEimAlreadyExists" },
    { IPA_ADD_INITIAL_EIM, 3, "ciPKUnknown" },
    { IPA_ADD_INITIAL_EIM, 5, "invalidAssociationToken" },
    { IPA_ADD_INITIAL_EIM, 6, "counterValueOutOfRange" },
    { IPA_ADD_INITIAL_EIM, 7, "commandError" },
    { IPA_MEMORY_RESET, 1, "nothingToDelete" },
    { IPA_MEMORY_RESET, 5, "catBusy" },
    { IPA_MEMORY_RESET, 104, "ecallActive" },
    { IPA_RESET_EIM, 1, "nothingToDelete" },
    { IPA_RESET_EIM, 2, "eimResetNotSupported" },
    { IPA_RESET_IMMEDIATE, 1, "resetIECNotSupported" },
    { IPA_GET_CERTS, 1, "invalidCiPKId" },
    { IPA_IMMEDIATE_ENABLE, 1, "immediateEnableNotAvailable" },
    { IPA_IMMEDIATE_ENABLE, 4, "noSessionContext" },
    { IPA_IMMEDIATE_ENABLE, 5, "catBusy" },
    { IPA_ROLLBACK, 1, "rollbackNotAllowed" },
    { IPA_ROLLBACK, 5, "catBusy" },
    { IPA_ROLLBACK, 7, "commandError" },
    { IPA_CONFIGURE_IMMEDIATE, 1, "insufficientMemory" },
    { IPA_CONFIGURE_IMMEDIATE, 2, "associatedEimAlreadyExists" },
    { IPA_EXECUTE_FALLBACK, 2, "profileNotInDisabledState" },
    { IPA_EXECUTE_FALLBACK, 5, "catBusy" },
    { IPA_EXECUTE_FALLBACK, 6, "fallbackNotAvailable" },
    { IPA_EXECUTE_FALLBACK, 7, "commandError" },
    { IPA_EXECUTE_FALLBACK, 104, "ecallActive" },
    { IPA_RETURN_FROM_FALLBACK, 5, "catBusy" },
    { IPA_RETURN_FROM_FALLBACK, 6, "fallbackNotAvailable" },
    { IPA_RETURN_FROM_FALLBACK, 7, "commandError" },
    { IPA_ENABLE_EMERGENCY, 2, "profileNotInDisabledState" },
    { IPA_ENABLE_EMERGENCY, 5, "catBusy" },
    { IPA_ENABLE_EMERGENCY, 8, "ecallNotAvailable" },
    { IPA_DISABLE_EMERGENCY, 2, "profileNotInEnabledState" },
    { IPA_DISABLE_EMERGENCY, 5, "catBusy" },
    { IPA_DISABLE_EMERGENCY, 8, "ecallNotAvailable" },
    { IPA_CONNECTIVITY, 1, "parametersNotAvailable" },
    { IPA_ACTIVATE_IPAE, 1, "notSupported" },
};

const char *ipa_code_name(enum ipa_codes list, uint64_t code)
{
    for (size_t i = 0; i < N_ELEMS(codes); i++)
        if (codes[i].list == list && codes[i].code == code)
            return codes[i].name;
    return code == 0 ? "ok" : code == UNDEFINED_ERROR ? "undefinedError" : "unknown";
}

/* --- the result of a package ------------------------------------------------------------------ */

/* The elements of euiccResult (SGP.32 2.11.2.1).  With code_tag the code stands inside, and an
 * element without it is a success. */
static const struct {
    uint32_t tag;
    const char *name;
    enum code_list list;
    uint32_t code_tag; /* 0: the element is the code; UINT32_MAX: it has none */
} operations[] = {
    { 0x83, "enable", CODES_PSMO_ENABLE, 0 },
    { 0x84, "disable", CODES_PSMO_DISABLE, 0 },
    { 0x85, "delete", CODES_PSMO_DELETE, 0 },
    { 0xBF2D, "listProfileInfo", CODES_PROFILE_LIST, 0x81 },
    { 0xA6, "getRAT", CODES_PROFILE_LIST, UINT32_MAX },
    { 0x87, "configureImmediateEnable", CODES_IMMEDIATE_ENABLE, 0 },
    { 0xA8, "addEim", CODES_ADD_EIM, TAG_INTEGER },
    { 0x89, "deleteEim", CODES_DELETE_EIM, 0 },
    { 0x8A, "updateEim", CODES_UPDATE_EIM, 0 },
    { 0xAB, "listEim", CODES_LIST_EIM, 0x81 },
    { 0x8C, "rollback", CODES_ROLLBACK, 0 },
    { 0x8D, "setFallbackAttribute", CODES_SET_FALLBACK, 0 },
    { 0x8E, "unsetFallbackAttribute", CODES_UNSET_FALLBACK, 0 },
    { 0xBF65, "setDefaultDpAddress", CODES_DEFAULT_DP, 0x80 },
    { TAG_INTEGER, "processingTerminated", CODES_TERMINATED, 0 },
};

static void add(char *text, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void add(char *text, size_t size, const char *fmt, ...)
{
    size_t n = strlen(text);
    va_list args;

    va_start(args, fmt);
    vsnprintf(text + n, size - n, fmt, args);
    va_end(args);
}

/* What an element says: its row (N_ELEMS: none such) and its code. */
static int read_operation(const struct tlv *element, size_t *ret_row, uint64_t *ret_code)
{
    struct tlv inner = *element;
    size_t i = 0;

    while (i < N_ELEMS(operations) && operations[i].tag != element->tag)
        i++;
    *ret_row = i;
    *ret_code = 0;
    if (i == N_ELEMS(operations) ||
        (operations[i].code_tag != 0 && !tlv_find(element->value, operations[i].code_tag, &inner)))
        return 0;
    return tlv_uint(inner.value, ret_code);
}

static void add_operation(char *text, size_t size, const struct tlv *element)
{
    uint64_t code;
    size_t i;

    int r = read_operation(element, &i, &code);
    add(text, size, "%s", text[0] != '\0' ? ", " : "");
    if (i == N_ELEMS(operations))
        add(text, size, "%X", (unsigned)element->tag);
    else if (r != 0)
        add(text, size, "%s with a damaged code", operations[i].name);
    else
        add(text, size, "%s %s(%llu)", operations[i].name,
            code == 0 ? "ok" : code_name(operations[i].list, (long)code), (unsigned long long)code);
}

char *package_result_text(struct rd whole, char *ret, size_t size)
{
    struct package_result result;
    struct tlv element;

    ret[0] = '\0';
    if (package_result_read(whole, &result) != 0) {
        add(ret, size, "not an EuiccPackageResult");
        return ret;
    }
    if (result.kind != RESULT_OK) {
        if (result.kind == RESULT_ERROR_SIGNED || result.error != 0)
            add(ret, size, "refused: %s(%llu)", code_name(CODES_EUICC_PACKAGE, (long)result.error),
                (unsigned long long)result.error);
        else
            add(ret, size, "refused, unsigned: the eIM is unknown, or the signature is wrong");
        return ret;
    }
    while (result.results.n > 0 && tlv_get(&result.results, &element) == 0)
        add_operation(ret, size, &element);
    if (ret[0] == '\0')
        add(ret, size, "nothing to do");
    return ret;
}

bool package_result_ok(struct rd whole)
{
    enum { LAST_EIM_DELETED = 2 }; /* a success, too */
    struct package_result result;
    struct tlv element;
    uint64_t code;
    size_t i;

    if (package_result_read(whole, &result) != 0 || result.kind != RESULT_OK)
        return false;
    while (result.results.n > 0) {
        if (tlv_get(&result.results, &element) != 0 || read_operation(&element, &i, &code) != 0 ||
            i == N_ELEMS(operations))
            return false;
        if (code != 0 && !(operations[i].list == CODES_DELETE_EIM && code == LAST_EIM_DELETED))
            return false;
    }
    return true;
}
