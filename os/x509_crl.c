/* x509_crl.c - certificate revocation lists: reading, and writing for tests (SGP.22 4.5.2.1.2,
 * RFC 5280 5).
 *
 * The issuingDistributionPoint is understood so far as that a list may speak for a part of the
 * certificates only: a serial number on it counts as revoked whichever part it is.  Lists of other
 * issuers' certificates (indirect CRLs) are refused by their critical entry extension.
 *
 * State: struct crl, views into its own copy of the octets. */
#include <stdlib.h>
#include <string.h>

#include "os/err.h"
#include "os/x509.h"
#include "os/x509_der.h"

enum {
    VERSION_2 = 1,
    MAX_CRL = 0x10000,
};

struct crl {
    struct signed_object object;
    struct rd aki;
    struct rd revoked; /* revokedCertificates, contents */
    bool has_number, has_base, part_of_many;
    uint64_t number, base;
    size_t n;
    uint8_t octets[];
};

/* --- reading -------------------------------------------------------------------------------- */

static int parse_number(struct rd value, bool *ret_present, uint64_t *ret)
{
    struct rd number;

    TRY(der_take_integer(&value, &number));
    if (value.n != 0)
        return ERR_INPUT;
    *ret_present = tlv_uint(number, ret) == 0; /* RFC 5280 allows 20 octets */
    return 0;
}

static int parse_aki(struct rd value, struct rd *ret)
{
    struct tlv list, key;

    TRY(der_take(&value, DER_SEQUENCE, &list));
    if (value.n != 0 || !tlv_all_whole(list.value))
        return ERR_INPUT;
    if (tlv_find(list.value, AKI_KEY_IDENTIFIER, &key))
        *ret = key.value;
    return 0;
}

static int parse_extension(struct crl *crl, const struct extension *e, const char **ret_reason)
{
    switch (e->oid) {
    case OID_AUTHORITY_KEY_IDENTIFIER:
        return parse_aki(e->value, &crl->aki);
    case OID_CRL_NUMBER:
        return parse_number(e->value, &crl->has_number, &crl->number);
    case OID_DELTA_CRL_INDICATOR:
        return parse_number(e->value, &crl->has_base, &crl->base);
    case OID_RSP_PARTIAL_CRL_NUMBER:
        crl->part_of_many = true;
        return 0;
    case OID_RSP_TOTAL_PARTIAL_CRL_NUMBER:
    case OID_ISSUING_DISTRIBUTION_POINT:
        return 0;
    default:
        if (!e->critical)
            return 0;
        *ret_reason = "CRL has a critical extension that is not understood";
        return ERR_INPUT;
    }
}

static int parse_extensions(struct crl *crl, struct rd *in, const char **ret_reason)
{
    struct tlv outer, list;
    struct extension e;
    uint32_t seen = 0;

    if (in->n == 0)
        return 0;
    TRY(der_take(in, DER_CONTEXT_0, &outer));
    TRY(der_take(&outer.value, DER_SEQUENCE, &list));
    if (outer.value.n != 0 || list.value.n == 0)
        return ERR_INPUT;
    while (list.value.n > 0) {
        TRY(der_take_extension(&list.value, &e));
        if (e.oid != OID_NONE && seen & 1u << e.oid)
            return ERR_INPUT;
        if (e.oid != OID_NONE)
            seen |= 1u << e.oid;
        TRY(parse_extension(crl, &e, ret_reason));
    }
    return 0;
}

static int check_entry(struct rd entry, const char **ret_reason)
{
    struct extension e;
    struct rd serial;
    struct tlv list;

    TRY(der_take_integer(&entry, &serial));
    TRY(der_take_time(&entry));
    if (entry.n == 0)
        return 0;
    TRY(der_take(&entry, DER_SEQUENCE, &list));
    while (list.value.n > 0) {
        TRY(der_take_extension(&list.value, &e));
        if (e.critical && e.oid != OID_REASON_CODE && e.oid != OID_RSP_EXPIRATION_DATE) {
            *ret_reason = "CRL entry has a critical extension that is not understood";
            return ERR_INPUT;
        }
    }
    return entry.n == 0 ? 0 : ERR_INPUT;
}

/* thisUpdate, nextUpdate OPTIONAL, revokedCertificates OPTIONAL (RFC 5280 5.1). */
static int parse_times_and_entries(struct crl *crl, struct rd *in, const char **ret_reason)
{
    struct rd entries;
    struct tlv list, entry;

    TRY(der_take_time(in));
    if (in->n > 0 && (in->p[0] == DER_UTC_TIME || in->p[0] == DER_GENERALIZED_TIME))
        TRY(der_take_time(in));
    if (in->n == 0 || in->p[0] != DER_SEQUENCE)
        return 0;
    TRY(der_take(in, DER_SEQUENCE, &list));
    crl->revoked = entries = list.value;
    while (entries.n > 0) {
        TRY(der_take(&entries, DER_SEQUENCE, &entry));
        TRY(check_entry(entry.value, ret_reason));
    }
    return 0;
}

static int parse_body(struct crl *crl, struct rd body, const char **ret_reason)
{
    struct rd version, issuer;

    TRY(der_take_integer(&body, &version));
    if (version.n != 1 || version.p[0] != VERSION_2)
        return ERR_INPUT;
    TRY(der_take_ecdsa_algorithm(&body));
    TRY(der_take_name(&body, &issuer));
    TRY(parse_times_and_entries(crl, &body, ret_reason));
    TRY(parse_extensions(crl, &body, ret_reason));
    return body.n == 0 ? 0 : ERR_INPUT;
}

int crl_parse(struct crypto *c, struct rd der, struct crl **ret, const char **ret_reason)
{
    const char *reason = "not a CRL of version 2 in DER, signed with ecdsa-with-SHA256";

    (void)c;
    if (der.n == 0 || der.n > MAX_CRL) {
        *ret_reason = reason;
        return ERR_INPUT;
    }
    struct crl *crl = calloc(1, sizeof *crl + der.n);
    if (crl == NULL) {
        *ret_reason = err_name(ERR_NOMEM);
        return ERR_NOMEM;
    }
    memcpy(crl->octets, der.p, der.n);
    crl->n = der.n;
    int result = der_signed_object(rd_of(crl->octets, crl->n), &crl->object);
    if (result == 0)
        result = parse_body(crl, crl->object.body, &reason);
    if (result != 0) {
        free(crl);
        *ret_reason = result == ERR_INPUT ? reason : err_name(result);
        return result;
    }
    *ret = crl;
    return 0;
}

void crl_free(struct crl **crl)
{
    free(*crl);
    *crl = NULL;
}

bool crl_verify(struct crypto *c, const struct crl *crl, const struct ec_pub *issuer)
{
    return ecdsa_verify(c, issuer, &crl->object.tbs, 1,
                        rd_of(crl->object.signature, EC_SIGNATURE_LEN));
}

struct rd crl_aki(const struct crl *crl)
{
    return crl->aki;
}

bool crl_is_partial(const struct crl *crl)
{
    return crl->has_base || crl->part_of_many;
}

bool crl_number(const struct crl *crl, uint64_t *ret)
{
    if (crl->has_number)
        *ret = crl->number;
    return crl->has_number;
}

bool crl_base_number(const struct crl *crl, uint64_t *ret)
{
    if (crl->has_base)
        *ret = crl->base;
    return crl->has_base;
}

bool crl_has_serial(const struct crl *crl, struct rd serial)
{
    struct rd entries = crl->revoked, number;
    struct tlv entry;

    while (der_take(&entries, DER_SEQUENCE, &entry) == 0)
        if (der_take_integer(&entry.value, &number) == 0 && rd_equal(number, serial))
            return true;
    return false;
}

/* --- writing -------------------------------------------------------------------------------- */

static void put_number(struct wr *w, enum oid oid, bool critical, uint64_t number)
{
    uint8_t octets[16];
    struct wr value;

    wr_init(&value, octets, sizeof octets);
    tlv_put_uint(&value, DER_INTEGER, number);
    der_put_extension(w, oid, critical, wr_view(&value));
}

static void put_entries(struct wr *w, const struct rd *serials, size_t n_serials,
                        int64_t this_update)
{
    if (n_serials == 0) /* an empty list is left out (RFC 5280 5.1.2.6) */
        return;
    struct wr_mark entries = tlv_open(w, DER_SEQUENCE);
    for (size_t i = 0; i < n_serials; i++) {
        struct wr_mark entry = tlv_open(w, DER_SEQUENCE);
        tlv_put(w, DER_INTEGER, serials[i]);
        der_put_time(w, this_update);
        tlv_close(w, entry);
    }
    tlv_close(w, entries);
}

static void put_body(struct wr *w, const struct cert *issuer, uint64_t number, uint64_t base_number,
                     const struct rd *serials, size_t n_serials, int64_t this_update)
{
    enum { A_MONTH = 30 * 24 * 3600 };

    struct wr_mark body = tlv_open(w, DER_SEQUENCE);
    tlv_put_u8(w, DER_INTEGER, VERSION_2);
    der_put_ecdsa_algorithm(w);
    tlv_put(w, DER_SEQUENCE, cert_subject_name(issuer));
    der_put_time(w, this_update);
    der_put_time(w, this_update + A_MONTH);
    put_entries(w, serials, n_serials, this_update);
    struct wr_mark outer = tlv_open(w, DER_CONTEXT_0);
    struct wr_mark list = tlv_open(w, DER_SEQUENCE);
    der_put_aki(w, cert_ski(issuer));
    put_number(w, OID_CRL_NUMBER, false, number);
    if (base_number != 0)
        put_number(w, OID_DELTA_CRL_INDICATOR, true, base_number);
    tlv_close(w, list);
    tlv_close(w, outer);
    tlv_close(w, body);
}

int crl_issue(struct crypto *c, const struct cert *issuer, const struct ec_key *issuer_key,
              uint64_t number, uint64_t base_number, const struct rd *serials, size_t n_serials,
              int64_t this_update, struct wr *ret_der)
{
    struct wr body;

    wr_init_heap(&body, MAX_CRL);
    put_body(&body, issuer, number, base_number, serials, n_serials, this_update);
    int result = wr_failed(&body);
    if (result == 0)
        result = der_put_signed_object(c, issuer_key, wr_view(&body), ret_der);
    wr_done(&body);
    return result;
}
