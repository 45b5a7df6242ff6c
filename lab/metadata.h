/* metadata.h - the metadata of a profile: from the profile package, from a text file beside it,
 * and as StoreMetadataRequest (SGP.22 5.5.3). */
#ifndef LAB_METADATA_H
#define LAB_METADATA_H

#include <stdbool.h>

#include "lab/util.h"
#include "os/buf.h"

enum {
    METADATA_MAX_NOTIFICATIONS = 8,
    METADATA_ADDRESS_LEN = 256,
    METADATA_ICON_MAX = 1024,
    METADATA_GID_MAX = 8,
    METADATA_CODE_LEN = 65,
};

enum profile_class {
    CLASS_TEST = 0,
    CLASS_PROVISIONING = 1,
    CLASS_OPERATIONAL = 2,
};

/* Bits of NotificationEvent, SGP.22 5.7.9. */
enum notification_event {
    EVENT_INSTALL = 1 << 0,
    EVENT_ENABLE = 1 << 1,
    EVENT_DISABLE = 1 << 2,
    EVENT_DELETE = 1 << 3,
    EVENT_ALL = (1 << 4) - 1,
};

struct metadata {
    uint8_t iccid[ICCID_LEN]; /* as in EF.ICCID: nibbles swapped */
    char service_provider_name[32 + 1];
    char profile_name[64 + 1];
    enum profile_class profile_class;
    uint32_t ppr; /* PprIds, bit i of the standard is 1 << i */
    struct {
        uint32_t events;
        char address[METADATA_ADDRESS_LEN];
    } notifications[METADATA_MAX_NOTIFICATIONS];
    size_t n_notifications;
    bool has_owner;
    uint8_t mcc_mnc[3]; /* TS 24.008 10.5.1.3 */
    uint8_t gid1[METADATA_GID_MAX], gid2[METADATA_GID_MAX];
    size_t n_gid1, n_gid2;
    uint8_t icon[METADATA_ICON_MAX];
    size_t n_icon; /* 0: none */
    uint8_t icon_type;
    char confirmation_code[METADATA_CODE_LEN]; /* "": none; for the server, not sent */
    bool fallback_allowed, ecall;              /* SGP.32: told only when TRUE */
};

/* ICCID and name from the ProfileHeader of a package; class operational, and one notification of
 * each event to this address. */
int metadata_from_upp(struct rd upp, const char *address, struct metadata *ret,
                      struct lab_error *e);

/* Applies a text of KEY=VALUE lines (softeuicc-lab(1)); icons are looked for in folder dir. */
int metadata_apply(const char *text, const char *dir, struct metadata *m, struct lab_error *e);

/* "test", "provisioning", "operational" */
bool profile_class_read(const char *name, enum profile_class *ret);

/* StoreMetadataRequest, BF25. */
void metadata_write(const struct metadata *m, struct wr *ret);

#endif
