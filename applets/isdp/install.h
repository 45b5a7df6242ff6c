/* install.h - from profile elements to a working profile: files, PINs, parameters of NAAs, security
 * domains (TCA eUICC Profile Package 8).
 *
 * Elements are interpreted one by one as they come, into memory; install_store() puts everything
 * into the open transaction at once.  NVM below "isdp/XXXX/": files and PINs as os/fs.h and
 * os/pin.h say; "aka/NNNN" the PE-AKAParameter as received for the ADF with node number NNNN (hex),
 * "cdma/NNNN" likewise, "sd/NN", "rfm/NN", "app/NN", "other/NN" elements as received, NN from 0 in
 * their order (hex, two digits), "header" the ProfileHeader if it has connectivityParameters. */
#ifndef APPLETS_ISDP_INSTALL_H
#define APPLETS_ISDP_INSTALL_H

#include "applets/isdp/upp.h"
#include "os/fs.h"
#include "os/pin.h"

struct install;

/* What became of one element. */
struct install_outcome {
    enum pe_status status; /* PE_OK: done */
    bool must_abort;       /* even when the element is not mandated */
    size_t offset;         /* into the element */
    uint8_t additional;    /* additional-information; 0: none */
    const char *why;       /* static text, NULL when PE_OK */
};

/* profile: XXXX it will have; max: octets that it may take in the storage.  NULL without memory. */
struct install *install_new(uint16_t profile, uint64_t max, const struct trace *trace);
void install_free(struct install **i);

/* One element, whole, which upp.c found in order, the header first; value is what asn1c decoded of
 * it.  0 with the outcome, or a fault.  Nothing stays of an element that is refused. */
struct ProfileElement;
int install_element(struct install *i, const struct ProfileElement *value, struct rd whole,
                    struct install_outcome *ret);

/* After PE-End: what can only be checked then (PIN references). */
int install_finish(struct install *i, struct install_outcome *ret);

/* Octets that it takes in the storage. */
uint64_t install_size(const struct install *i);

int install_store(struct install *i, struct nvm *nvm);

#endif
