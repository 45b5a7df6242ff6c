/* fuzz_der.c - asn1/der.h: the input is the name of a type, a zero, and an object of this type.
 *
 * What decodes is valid, can be written, and decodes to the same again. */
#include <stdlib.h>
#include <string.h>

#include <asn_application.h>

#include "asn1/der.h"
#include "tests/fuzz/fuzz.h"

/* All types of all modules, ends with NULL; asn1c's. */
extern asn_TYPE_descriptor_t *asn_pdu_collection[];

enum { NAME_MAX_LEN = 64 };

/* The type of this name; any other name picks one, too, so that the search finds all of them. */
static const asn_TYPE_descriptor_t *find_type(const char *name)
{
    uint32_t number = 0;
    size_t n = 0;

    for (; asn_pdu_collection[n] != NULL; n++)
        if (strcmp(asn_pdu_collection[n]->name, name) == 0)
            return asn_pdu_collection[n];
    for (; *name != '\0'; name++)
        number = number * 31 + (uint8_t)*name;
    return asn_pdu_collection[number % n];
}

static uint8_t *write_value(const asn_TYPE_descriptor_t *type, const void *value, size_t max,
                            size_t *ret_n)
{
    uint8_t *octets = malloc(max);

    oracle(octets != NULL, "there is memory");
    oracle(der_write(type, value, octets, max, ret_n) == 0, "what was decoded can be written");
    return octets;
}

static void decode(const asn_TYPE_descriptor_t *type, struct rd in)
{
    struct der_report report;
    void *value = NULL, *again = NULL;
    size_t n, n_again;

    if (der_decode_report(type, in.p, in.n, &value, &report) != 0) {
        oracle(value == NULL, "nothing is given on failure");
        return;
    }
    oracle(der_valid(type, value), "what was decoded is valid");
    uint8_t *octets = write_value(type, value, in.n + 16, &n);
    oracle(der_decode(type, octets, n, &again) == 0, "what was written can be decoded");
    uint8_t *octets_again = write_value(type, again, n, &n_again);
    oracle(n == n_again && memcmp(octets, octets_again, n) == 0, "it is written the same again");
    free(octets);
    free(octets_again);
    der_free(type, value);
    der_free(type, again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd in = rd_of(data, size);
    char name[NAME_MAX_LEN] = "";
    size_t n;

    for (size_t i = 0; i < sizeof name - 1 && (name[i] = (char)fuzz_u8(&in)) != '\0'; i++)
        continue;
    uint8_t *object = fuzz_copy(&in, in.n, &n);
    decode(find_type(name), rd_of(object, n));
    if (der_is_canonical(object, n))
        oracle(n > 0, "nothing is no object");
    free(object);
    return 0;
}
