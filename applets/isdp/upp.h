/* upp.h - a profile package on its way in: a sequence of profile elements (TCA eUICC Profile
 * Package: Interoperable Format Technical Specification; clauses of 3.3.1).
 *
 * Elements are found and decoded here, and their order and the header are checked; making files and
 * keys of them is install.h's work. */
#ifndef APPLETS_ISDP_UPP_H
#define APPLETS_ISDP_UPP_H

#include "os/buf.h"
#include "os/trace.h"

struct upp;

/* PEStatus values (TCA 8.11). */
enum pe_status {
    PE_OK = 0,
    PE_NOT_SUPPORTED = 1,
    PE_MEMORY_FAILURE = 2,
    PE_BAD_VALUES = 3,
    PE_NOT_ENOUGH_MEMORY = 4,
    PE_INVALID_REQUEST_FORMAT = 5,
    PE_INVALID_PARAMETER = 6,
    PE_RUNTIME_NOT_SUPPORTED = 7,
    PE_LIB_NOT_SUPPORTED = 8,
    PE_TEMPLATE_NOT_SUPPORTED = 9,
    PE_FEATURE_NOT_SUPPORTED = 10,
    PE_PIN_CODE_MISSING = 11,
    PE_UNSUPPORTED_PROFILE_VERSION = 31,
};

enum upp_result {
    UPP_OK = 0,
    UPP_PE_ERROR,       /* a profile element is refused; upp_response() says which and why */
    UPP_NO_SPACE,       /* longer than max octets, or its files are too large */
    UPP_ICCID_MISMATCH, /* the header's ICCID is not the metadata's */
    UPP_AFTER_END,      /* octets behind PE-End */
};

struct install;

struct upp_options {
    size_t max;               /* octets of the package */
    uint8_t max_major;        /* newest version of the format */
    struct rd iccid;          /* of the metadata, digits in the order of EF.ICCID */
    bool record_applications; /* a missing runtime is a warning */
    struct install *install;  /* the caller's; NULL: nothing is made of the elements */
};

/* NULL without memory. */
struct upp *upp_new(const struct upp_options *options, const struct trace *trace);
void upp_free(struct upp **u);

/* Takes the next octets.  An enum upp_result, or a fault. */
int upp_take(struct upp *u, struct rd octets);

/* No more octets come: is the package complete?  An enum upp_result. */
int upp_finish(struct upp *u);

/* The EUICCResponse that tells how it went. */
void upp_response(const struct upp *u, struct wr *ret);

/* UICCCapability bits of what packages may demand (SGP.22 EUICCInfo2). */
uint32_t upp_uicc_capability(void);

#endif
