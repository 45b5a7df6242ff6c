/* ipa_result.c - the result of a eUICC Package in words (SGP.32 2.11.2.1). */
#include "lab/ipa_result.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "asn1/esipa.h"
#include "lab/codes.h"
#include "os/err.h"
#include "os/tlv.h"

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

/* What an element says: its row (NULL: none such) and its code.  An element whose code stands
 * inside is a success without it. */
static int read_element(const struct tlv *element, const struct package_element **ret,
                        uint64_t *ret_code)
{
    struct tlv inner = *element;

    *ret = package_element_of(element->tag);
    *ret_code = 0;
    if (*ret == NULL ||
        ((*ret)->code_tag != 0 && !tlv_find(element->value, (*ret)->code_tag, &inner)))
        return 0;
    return tlv_uint(inner.value, ret_code);
}

static void add_element(char *text, size_t size, const struct tlv *element)
{
    const struct package_element *row;
    uint64_t code;

    int r = read_element(element, &row, &code);
    add(text, size, "%s", text[0] != '\0' ? ", " : "");
    if (row == NULL)
        add(text, size, "%X", (unsigned)element->tag);
    else if (r != 0)
        add(text, size, "%s with a damaged code", row->name);
    else
        add(text, size, "%s %s(%llu)", row->name, code_name(row->codes, (long)code),
            (unsigned long long)code);
}

char *package_result_text(struct rd whole, char *ret, size_t size)
{
    struct package_result result;
    struct tlv element;

    ret[0] = '\0';
    if (esipa_read_package_result(whole, &result) != 0) {
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
        add_element(ret, size, &element);
    if (ret[0] == '\0')
        add(ret, size, "nothing to do");
    return ret;
}

bool package_result_ok(struct rd whole)
{
    enum { LAST_EIM_DELETED = 2 }; /* a success, too */
    struct package_result result;
    struct tlv element;
    const struct package_element *row;
    uint64_t code;

    if (esipa_read_package_result(whole, &result) != 0 || result.kind != RESULT_OK)
        return false;
    while (result.results.n > 0) {
        if (tlv_get(&result.results, &element) != 0 || read_element(&element, &row, &code) != 0 ||
            row == NULL)
            return false;
        if (code != 0 && !(row->codes == CODES_DELETE_EIM && code == LAST_EIM_DELETED))
            return false;
    }
    return true;
}
