/* metadata.h - StoreMetadataRequest (SGP.22 5.5.3): its fields and their bounds. */
#ifndef APPLETS_ISDR_METADATA_H
#define APPLETS_ISDR_METADATA_H

#include "os/euicc.h"

/* What decides whether a profile may be installed; views into the request. */
struct metadata {
    struct rd iccid, owner; /* owner: contents of profileOwner; n == 0: absent */
    uint64_t profile_class;
    uint32_t pprs;
    bool is_emergency; /* ecallIndication (SGP.32 5.3.1) */
};

/* NULL, or why the contents of a StoreMetadataRequest cannot be. */
const char *metadata_parse(struct rd body, struct metadata *ret);

/* Does this eUICC take profiles of this class? */
bool metadata_class_supported(const struct euicc *e, const struct metadata *m);

/* NULL, or why its profile policy rules are not allowed here. */
const char *metadata_refuse_pprs(const struct euicc *e, const struct metadata *m);

/* Copies what is kept: everything but serviceSpecificDataNotStoredInEuicc. */
void metadata_keep(struct rd body, struct wr *ret);

#endif
