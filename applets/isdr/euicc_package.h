/* euicc_package.h - an eUICC Package while it is executed, and the two tables of what can be in
 * one: PSMOs and eCOs (SGP.32 2.11.1.1.2, 2.11.1.1.3). */
#ifndef APPLETS_ISDR_EUICC_PACKAGE_H
#define APPLETS_ISDR_EUICC_PACKAGE_H

#include "applets/isdr/eim.h"
#include "applets/isdr/iot.h"
#include "applets/isdr/profile_store.h"

/* PSMOs mark: what is enabled, and what brings it back, changes with the end of the package. */
struct package {
    struct euicc *e;
    uint64_t sequence;            /* of its result */
    struct profile_switch before; /* when it came */
    struct profile_switch next;   /* when it has ended */
    bool enables, disables, deletes;
};

/* Executes one operation and writes its result element.  0: the next one follows; positive: it
 * failed, its element is the last one; ERR_INPUT: it is damaged, and nothing was changed; else a
 * fault. */
typedef int package_fn(struct package *p, struct rd body, struct wr *result);

struct package_operation {
    uint32_t tag;
    const char *name;
    package_fn *run;
    const char *clause;
    enum iot_version since;
};

extern const struct package_operation psmo_operations[], eco_operations[];
extern const size_t psmo_n_operations, eco_n_operations;

/* A result element that is a code: writes it and returns it. */
int package_put_code(struct wr *result, uint32_t tag, int code);

#endif
