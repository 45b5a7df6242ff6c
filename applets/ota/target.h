/* target.h - which application of the enabled profile a TAR means (TS 101 220 4, TS 102 226 6). */
#ifndef APPLETS_OTA_TARGET_H
#define APPLETS_OTA_TARGET_H

#include "applets/ota/sd.h"

/* What a remote party may do with files (TS 102 226 8.2.1.3.2.5). */
struct access_domain {
    enum { DOMAIN_NONE, DOMAIN_FULL, DOMAIN_PINS } kind;
    uint8_t pins[3]; /* DOMAIN_PINS: key references, bit by bit */
};

/* A PE-RFM. */
struct rfm_instance {
    struct access_domain uicc, uicc_admin, adf, adf_admin;
    uint8_t adf_aid[AID_MAX_LEN];
    uint8_t adf_aid_len; /* 0: files of the MF only */
};

struct ota_target {
    enum { TARGET_RFM, TARGET_SD } kind;
    uint16_t profile;
    unsigned sd;   /* whose keys protect it; for TARGET_SD itself */
    uint8_t level; /* least SPI1 */
    struct rfm_instance rfm;
};

int ota_find_target(struct euicc *e, const uint8_t tar[SCP80_TAR_LEN], struct ota_target *ret,
                    bool *ret_found);

#endif
