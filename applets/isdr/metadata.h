/* metadata.h - StoreMetadataRequest (SGP.22 5.5.3): its fields and their bounds. */
#ifndef APPLETS_ISDR_METADATA_H
#define APPLETS_ISDR_METADATA_H

#include "os/euicc.h"

/* Tags of StoreMetadataRequest, UpdateMetadataRequest and ProfileInfo (SGP.22 5.5.3, 5.4.1, 5.7.15;
 * SGP.32 5.3.1, 5.9.14). */
enum metadata_tag {
    TAG_NICKNAME = 0x90, /* ProfileInfo alone */
    TAG_SERVICE_PROVIDER_NAME = 0x91,
    TAG_PROFILE_NAME = 0x92,
    TAG_ICON_TYPE = 0x93,
    TAG_ICON = 0x94,
    TAG_PROFILE_CLASS = 0x95,
    TAG_PPRS = 0x99,
    TAG_NOTIFICATION_CONFIGURATION = 0xB6,
    TAG_PROFILE_OWNER = 0xB7,
    TAG_DP_PROPRIETARY = 0xB8,    /* ProfileInfo, and ConfigureISDP */
    TAG_DATA_STORED = 0xBF22,     /* serviceSpecificDataStoredInEuicc */
    TAG_DATA_NOT_STORED = 0xBF23, /* serviceSpecificDataNotStoredInEuicc */
    TAG_FALLBACK_ALLOWED = 0x9F67,
    TAG_ECALL_INDICATION = 0x9F7B,
};

/* Octets at most. */
enum {
    SERVICE_PROVIDER_NAME_MAX = 32,
    PROFILE_NAME_MAX = 64,
    ICON_MAX = 1024,
    NOTIFICATION_ADDRESS_MAX = 255,
};

enum icon_type { ICON_JPG = 0, ICON_PNG = 1 };

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
