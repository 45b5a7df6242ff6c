/* upp.c - a profile package on its way in.
 *
 * asn1c decodes each element once, for its structure and bounds, and install.h makes something of
 * the value.  What must be seen even in an element that does not decode, or that asn1c passes over
 * (its identification, a service that nobody knows), is read from its TLVs. */
#include "applets/isdp/upp.h"

#include <stdlib.h>
#include <string.h>

#include <ProfileElement.h>

#include "applets/isdp/install.h"
#include "applets/isdp/templates.h"
#include "asn1/der.h"
#include "os/err.h"
#include "os/tlv.h"

enum {
    TAG_PE_HEADER = 0xA0, /* PEHeader in all elements but ProfileHeader */
    TAG_MANDATED = 0x80,
    TAG_IDENTIFICATION = 0x81,

    TAG_MAJOR_VERSION = 0x80, /* ProfileHeader */
    TAG_HEADER_ICCID = 0x83,
    TAG_SERVICES = 0xA5,
    TAG_GFSTE_LIST = 0xA6,
    TAG_MANDATORY_AIDS = 0xA8,
    TAG_IOT_OPTIONS = 0xA9,

    SERVICE_JAVACARD = 0x8B, /* in ServicesList */
    SERVICE_MULTOS = 0x8C,

    ICCID_OCTETS = 10,
    MIN_MAJOR = 2,
    MAX_IDENTIFICATION = 32767,
    MAX_WARNINGS = 32,
    LONGEST_HEADER = 8, /* octets of tag and length */
};

/* --- tables ----------------------------------------------------------------------------------- */

enum {
    FIRST = 1 << 0, /* must be the first element, and only there */
    LAST = 1 << 1,  /* nothing follows */
    ONCE = 1 << 2,  /* at most once in a package */
    ROOT = 1 << 3,  /* gives the package its MF */
    IN_MF = 1 << 4, /* needs one before it */
    FULL = 1 << 5,  /* not in an IoT minimal profile */
    IOT = 1 << 6,   /* only there */
};

/* TCA 8.1.3: the elements and where they may stand. */
static const struct element {
    uint32_t tag;
    unsigned rules;
    const char *name;
} elements[] = {
    { 0xA0, FIRST | ONCE, "header" },
    { 0xA1, ROOT, "genericFileManagement" }, /* may create the MF instead of a template */
    { 0xA2, 0, "pinCodes" },
    { 0xA3, ONCE, "pukCodes" },
    { 0xA4, IN_MF, "akaParameter" },
    { 0xA5, IN_MF, "cdmaParameter" },
    { 0xA6, 0, "securityDomain" },
    { 0xA7, 0, "rfm" },
    { 0xA8, 0, "application" },
    { 0xA9, 0, "nonStandard" },
    { 0xAA, LAST | ONCE, "end" },
    { 0xB0, ROOT | ONCE | FULL, "mf" },
    { 0xB1, IN_MF | ONCE, "cd" },
    { 0xB2, IN_MF | ONCE, "telecom" },
    { 0xB3, IN_MF, "usim" },
    { 0xB4, IN_MF, "opt-usim" },
    { 0xB5, IN_MF, "isim" },
    { 0xB6, IN_MF, "opt-isim" },
    { 0xB7, IN_MF, "phonebook" },
    { 0xB8, IN_MF, "gsm-access" },
    { 0xB9, IN_MF, "csim" },
    { 0xBA, IN_MF, "opt-csim" },
    { 0xBB, IN_MF, "eap" },
    { 0xBC, IN_MF, "df-5gs" },
    { 0xBD, IN_MF, "df-saip" },
    { 0xBE, IN_MF, "df-snpn" },
    { 0xBF1F, IN_MF, "df-5gprose" },
    { 0xBF20, ROOT | ONCE | IOT, "iot" },
    { 0xBF21, IN_MF | ONCE | IOT, "opt-iot" },
};

/* ServicesList: the context tag of a service we have, and its UICCCapability bit.  A service that
 * is not here is not supported. */
static const struct {
    uint8_t service, capability;
} services[] = {
    { 1, 1 },   /* usim */
    { 2, 2 },   /* isim */
    { 3, 3 },   /* csim: its files */
    { 4, 4 },   /* milenage */
    { 5, 6 },   /* tuak128 */
    { 7, 10 },  /* gba-usim */
    { 8, 11 },  /* gba-isim */
    { 13, 16 }, /* multiple-usim */
    { 14, 17 }, /* multiple-isim */
    { 16, 7 },  /* tuak256 */
    { 17, 8 },  /* usim-test-algorithm */
    { 18, 19 }, /* ber-tlv */
    { 19, 20 }, /* dfLink */
    { 21, 22 }, /* get-identity */
    { 22, 23 }, /* profile-a-x25519 */
    { 23, 24 }, /* profile-b-p256 */
};

uint32_t upp_uicc_capability(void)
{
    enum { CAPABILITY_IOT_MINIMAL = 31 }; /* no service: iotOptions demand it */
    uint32_t bits = UINT32_C(1) << CAPABILITY_IOT_MINIMAL;

    for (size_t i = 0; i < N_ELEMS(services); i++)
        bits |= UINT32_C(1) << services[i].capability;
    return bits;
}

static bool service_is_known(uint32_t tag)
{
    for (size_t i = 0; i < N_ELEMS(services); i++)
        if (tag == 0x80u + services[i].service)
            return true;
    return false;
}

static const struct element *element_find(uint32_t tag)
{
    for (size_t i = 0; i < N_ELEMS(elements); i++)
        if (elements[i].tag == tag)
            return &elements[i];
    return NULL;
}

/* --- the package ------------------------------------------------------------------------------ */

struct status {
    enum pe_status code;
    bool has_identification, has_offset;
    uint16_t identification;
    uint8_t additional; /* 0: none */
    size_t offset;
};

/* One element while it is looked at. */
struct pe {
    struct tlv tlv;
    const struct element *kind; /* NULL: unknown */
    bool mandated, has_identification;
    uint16_t identification;
};

struct upp {
    struct upp_options options;
    uint8_t iccid[ICCID_OCTETS];
    const struct trace *trace;
    struct wr octets;    /* those that are not a whole element yet */
    size_t come, parsed; /* octets of the package; and of them, in whole elements */
    uint64_t seen;       /* bit i: elements[i] */
    bool is_iot;         /* the header says so: an IoT minimal profile */
    bool has_root, ended, aborted;
    struct pe end; /* PE-End; its octets are gone */
    struct status statuses[MAX_WARNINGS];
    size_t n_statuses;
    uint8_t identifications[(MAX_IDENTIFICATION + 1) / 8];
};

struct upp *upp_new(const struct upp_options *options, const struct trace *trace)
{
    struct upp *u = calloc(1, sizeof *u);

    if (u == NULL || options->iccid.n != ICCID_OCTETS) {
        free(u);
        return NULL;
    }
    u->options = *options;
    memcpy(u->iccid, options->iccid.p, ICCID_OCTETS);
    wr_init_secret(&u->octets, options->max);
    u->trace = trace;
    return u;
}

void upp_free(struct upp **u)
{
    if (*u == NULL)
        return;
    wr_done(&(*u)->octets);
    free(*u);
    *u = NULL;
}

static void add_status(struct upp *u, const struct pe *pe, struct status status)
{
    if (u->n_statuses == MAX_WARNINGS)
        u->n_statuses--; /* the last one told is the newest */
    status.has_identification = pe != NULL && pe->has_identification;
    status.identification = pe != NULL ? pe->identification : 0;
    u->statuses[u->n_statuses++] = status;
}

static void tell(const struct upp *u, const struct pe *pe, const char *what, enum pe_status code,
                 const char *why)
{
    trace_check(u->trace, "profile element %s %u: %s %d: %s (TCA 8.11)",
                pe != NULL && pe->kind != NULL ? pe->kind->name : "?",
                pe != NULL ? pe->identification : 0u, what, code, why);
}

static int abort_with(struct upp *u, const struct pe *pe, enum pe_status code, size_t offset,
                      const char *why)
{
    tell(u, pe, "status", code, why);
    add_status(u, pe, (struct status){ .code = code, .has_offset = true, .offset = offset });
    u->aborted = true;
    return UPP_PE_ERROR;
}

/* Aborts when the element is mandated; else a warning. */
static int warn_with(struct upp *u, const struct pe *pe, enum pe_status code, size_t offset,
                     const char *why)
{
    if (pe->mandated)
        return abort_with(u, pe, code, offset, why);
    tell(u, pe, "warning", code, why);
    add_status(u, pe, (struct status){ .code = code, .has_offset = offset != 0, .offset = offset });
    return UPP_OK;
}

/* What install.h says of an element, as the standard's consequences (TCA 8.11). */
static int judge(struct upp *u, const struct pe *pe, const struct install_outcome *o)
{
    bool records = u->options.record_applications && o->status == PE_RUNTIME_NOT_SUPPORTED;
    bool aborts = o->must_abort || (pe->mandated && !records);

    if (o->status == PE_OK)
        return UPP_OK;
    tell(u, pe, aborts ? "status" : "warning", o->status, o->why);
    add_status(u, pe,
               (struct status){
                   .code = o->status,
                   .additional = o->additional,
                   .has_offset = aborts || o->offset != 0,
                   .offset = o->offset,
               });
    u->aborted = aborts;
    if (!aborts)
        return UPP_OK;
    return o->status == PE_NOT_ENOUGH_MEMORY ? UPP_NO_SPACE : UPP_PE_ERROR;
}

void upp_response(const struct upp *u, struct wr *ret)
{
    struct wr_mark response = tlv_open(ret, 0x30);
    struct wr_mark list = tlv_open(ret, 0xA0);
    for (size_t i = 0; i < u->n_statuses; i++) {
        const struct status *s = &u->statuses[i];
        struct wr_mark one = tlv_open(ret, 0x30);
        tlv_put_uint(ret, 0x80, s->code);
        if (s->has_identification)
            tlv_put_uint(ret, 0x81, s->identification);
        if (s->additional != 0)
            tlv_put_uint(ret, 0x82, s->additional);
        if (s->has_offset)
            tlv_put_uint(ret, 0x83, s->offset);
        tlv_close(ret, one);
    }
    if (!u->aborted) {
        struct wr_mark ok = tlv_open(ret, 0x30);
        tlv_put_uint(ret, 0x80, PE_OK);
        tlv_close(ret, ok);
    }
    tlv_close(ret, list);
    if (u->aborted)
        tlv_put(ret, 0x81, rd_of(NULL, 0)); /* profileInstallationAborted */
    tlv_close(ret, response);
}

/* --- ProfileHeader ---------------------------------------------------------------------------- */

/* The header has the digits in their order, EF.ICCID swapped. */
static bool iccid_matches(const struct upp *u, struct rd header_iccid)
{
    for (size_t i = 0; i < ICCID_OCTETS; i++) {
        uint8_t b = header_iccid.p[i];
        if (u->iccid[i] != (uint8_t)(b << 4 | b >> 4))
            return false;
    }
    return true;
}

/* One service that the header demands. */
static int check_service(struct upp *u, const struct pe *pe, const struct tlv *service)
{
    size_t offset = (size_t)(service->whole.p - pe->tlv.whole.p);

    if (service_is_known(service->tag))
        return UPP_OK;
    if (service->tag != SERVICE_JAVACARD)
        return abort_with(u, pe,
                          service->tag == SERVICE_MULTOS ? PE_RUNTIME_NOT_SUPPORTED
                                                         : PE_FEATURE_NOT_SUPPORTED,
                          offset, "a mandatory service is not supported");
    return judge(u, pe,
                 &(struct install_outcome){
                     .status = PE_RUNTIME_NOT_SUPPORTED,
                     .offset = offset,
                     .why = "there is no application runtime",
                 });
}

static int check_header_lists(struct upp *u, const struct pe *pe)
{
    struct rd body = pe->tlv.value;
    struct tlv list, one;

    if (tlv_find(body, TAG_SERVICES, &list))
        for (struct rd in = list.value; tlv_get(&in, &one) == 0;)
            TRY(check_service(u, pe, &one));
    if (tlv_find(body, TAG_GFSTE_LIST, &list))
        for (struct rd in = list.value; tlv_get(&in, &one) == 0;)
            if (template_find(one.value) == NULL)
                return abort_with(u, pe, PE_TEMPLATE_NOT_SUPPORTED,
                                  (size_t)(one.whole.p - pe->tlv.whole.p),
                                  "a mandatory file template is not supported");
    if (tlv_find(body, TAG_MANDATORY_AIDS, &list) && list.value.n > 0)
        return abort_with(u, pe, PE_LIB_NOT_SUPPORTED, (size_t)(list.whole.p - pe->tlv.whole.p),
                          "a mandatory library is not there");
    u->is_iot = tlv_find(body, TAG_IOT_OPTIONS, &list);
    return UPP_OK;
}

static int check_header(struct upp *u, const struct pe *pe)
{
    struct tlv major, iccid;
    uint64_t version;

    if (!tlv_find(pe->tlv.value, TAG_MAJOR_VERSION, &major) ||
        tlv_uint(major.value, &version) != 0 ||
        !tlv_find(pe->tlv.value, TAG_HEADER_ICCID, &iccid) || iccid.value.n != ICCID_OCTETS)
        return abort_with(u, pe, PE_INVALID_REQUEST_FORMAT, 0, "the header lacks a field");
    if (version < MIN_MAJOR || version > u->options.max_major)
        return abort_with(u, pe, PE_UNSUPPORTED_PROFILE_VERSION,
                          (size_t)(major.whole.p - pe->tlv.whole.p),
                          "the major version is not supported");
    if (!iccid_matches(u, iccid.value)) {
        trace_check(u->trace, "the header's ICCID is not the one of the metadata (SGP.22 5.5.3)");
        return UPP_ICCID_MISMATCH;
    }
    return check_header_lists(u, pe);
}

/* --- one element ------------------------------------------------------------------------------ */

/* What its PEHeader says; the ProfileHeader has none. */
static void read_pe_header(struct pe *pe)
{
    struct tlv header, t;
    uint64_t number;

    if (pe->kind != NULL && (pe->kind->rules & FIRST)) {
        pe->mandated = true;
        return;
    }
    if (!tlv_find(pe->tlv.value, TAG_PE_HEADER, &header))
        return;
    pe->mandated = tlv_find(header.value, TAG_MANDATED, &t);
    if (tlv_find(header.value, TAG_IDENTIFICATION, &t) && tlv_uint(t.value, &number) == 0 &&
        number <= MAX_IDENTIFICATION) {
        pe->has_identification = true;
        pe->identification = (uint16_t)number;
    }
}

/* Identifications are unique within a package; 0 serves those that do not care. */
static bool identification_is_new(struct upp *u, const struct pe *pe)
{
    uint8_t *octet = &u->identifications[pe->identification / 8];
    uint8_t bit = (uint8_t)(1u << pe->identification % 8);

    if (!pe->has_identification || pe->identification == 0)
        return true;
    bool new = (*octet & bit) == 0;
    *octet |= bit;
    return new;
}

/* Full and IoT minimal profiles differ in what makes their MF.  NULL: nothing is wrong. */
static const char *check_kind_of_profile(const struct upp *u, unsigned rules)
{
    if (!u->is_iot)
        return rules & IOT ? "it belongs into IoT minimal profiles only" : NULL;
    if (rules & FULL)
        return "an IoT minimal profile has no such element";
    if ((rules & ROOT) && !(rules & IOT) && !u->has_root)
        return "PE-IoT is not the first of the file system";
    return NULL;
}

/* TCA 8.1.3: may this element stand here? */
static int check_order(struct upp *u, const struct pe *pe)
{
    bool is_first = u->parsed == 0;
    unsigned rules = pe->kind != NULL ? pe->kind->rules : 0;
    size_t i = pe->kind != NULL ? (size_t)(pe->kind - elements) : 0;
    const char *why = NULL;

    if (is_first != ((rules & FIRST) != 0))
        why = "the header is not first, or stands twice";
    else if ((rules & ONCE) && (u->seen & UINT64_C(1) << i))
        why = "the element stands twice";
    else if ((rules & IN_MF) && !u->has_root)
        why = "there is no MF yet";
    else if (!identification_is_new(u, pe))
        why = "its identification is used already";
    else
        why = check_kind_of_profile(u, rules);
    if (why != NULL)
        return abort_with(u, pe, PE_INVALID_REQUEST_FORMAT, 0, why);
    if (pe->kind != NULL)
        u->seen |= UINT64_C(1) << i;
    u->has_root = u->has_root || (rules & ROOT);
    u->ended = (rules & LAST) != 0;
    return UPP_OK;
}

/* An element that decodes. */
static int take_value(struct upp *u, const struct pe *pe, const struct ProfileElement *value,
                      const struct der_report *report)
{
    struct install_outcome outcome;

    if (pe->kind->rules & FIRST) /* a service that nobody knows is one that is not supported */
        TRY(check_header(u, pe));
    if (report->unknown > 0)
        TRY(warn_with(u, pe, PE_INVALID_PARAMETER, report->unknown_at, "it has an unknown field"));
    if (!(pe->kind->rules & FIRST) && !pe->has_identification)
        return abort_with(u, pe, PE_INVALID_REQUEST_FORMAT, 0, "its identification is missing");
    if (u->options.install == NULL)
        return UPP_OK;
    TRY(install_element(u->options.install, value, pe->tlv.whole, &outcome));
    return judge(u, pe, &outcome);
}

static int take_element(struct upp *u, const struct pe *pe)
{
    struct der_report report;
    void *value = NULL;

    TRY(check_order(u, pe));
    if (pe->kind == NULL)
        return warn_with(u, pe, PE_NOT_SUPPORTED, 0, "there is no such element");
    int err = der_decode_report(&asn_DEF_ProfileElement, pe->tlv.whole.p, pe->tlv.whole.n, &value,
                                &report);
    if (err == ERR_NOMEM)
        return err;
    if (err != 0)
        return abort_with(u, pe, PE_INVALID_REQUEST_FORMAT, 0,
                          "it does not decode as its ASN.1 type");
    int result = take_value(u, pe, value, &report);
    der_free(&asn_DEF_ProfileElement, value);
    return result;
}

/* Is one whole element there?  *ret_whole says; a header that cannot be is an error. */
static int next_element(struct upp *u, struct rd rest, struct pe *ret, bool *ret_whole)
{
    struct rd in = rest;
    uint32_t tag;
    size_t len;

    *ret_whole = false;
    if (tlv_header(&in, &tag, &len) != 0) {
        if (rest.n < LONGEST_HEADER)
            return UPP_OK;
        return abort_with(u, NULL, PE_INVALID_REQUEST_FORMAT, 0, "an element's header is broken");
    }
    if (len > u->options.max - u->parsed)
        return UPP_NO_SPACE;
    if (tlv_get(&rest, &ret->tlv) != 0)
        return UPP_OK;
    ret->kind = element_find(ret->tlv.tag);
    read_pe_header(ret);
    *ret_whole = true;
    return UPP_OK;
}

/* Takes the whole elements off the front of in. */
static int take_elements(struct upp *u, struct rd *in)
{
    for (;;) {
        struct pe pe = { 0 };
        bool whole;

        if (u->ended)
            return in->n == 0 ? UPP_OK : UPP_AFTER_END;
        TRY(next_element(u, *in, &pe, &whole));
        if (!whole)
            return UPP_OK;
        TRY(take_element(u, &pe));
        if (u->ended)
            u->end = pe;
        u->parsed += pe.tlv.whole.n;
        *in = rd_of(in->p + pe.tlv.whole.n, in->n - pe.tlv.whole.n);
    }
}

int upp_take(struct upp *u, struct rd octets)
{
    if (octets.n > u->options.max - u->come)
        return UPP_NO_SPACE;
    u->come += octets.n;
    wr_put_rd(&u->octets, octets);
    if (wr_failed(&u->octets) != 0)
        return ERR_NOMEM;
    struct rd in = wr_view(&u->octets);
    TRY(take_elements(u, &in));
    if (in.n > 0)
        memmove(u->octets.p, in.p, in.n);
    u->octets.n = in.n;
    return UPP_OK;
}

int upp_finish(struct upp *u)
{
    struct install_outcome outcome;

    if (!u->ended)
        return abort_with(u, NULL, PE_INVALID_REQUEST_FORMAT, 0, "the package ends before PE-End");
    if (u->options.install == NULL)
        return UPP_OK;
    TRY(install_finish(u->options.install, &outcome));
    return judge(u, &u->end, &outcome);
}
