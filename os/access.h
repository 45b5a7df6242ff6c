/* access.h - may this be done with this file now?  The rules in EF.ARR, in expanded format
 * (TS 102 221 9.2, ISO 7816-4 5.4.3). */
#ifndef OS_ACCESS_H
#define OS_ACCESS_H

#include "os/fs.h"
#include "os/pin.h"

/* Access mode bits of an EF; of a DF where they differ (TS 102 221 9.2.4). */
enum access_mode {
    ACCESS_READ = 0x01,
    ACCESS_UPDATE = 0x02,
    ACCESS_DEACTIVATE = 0x08,
    ACCESS_ACTIVATE = 0x10,
    ACCESS_TERMINATE = 0x20,
    ACCESS_DELETE = 0x40,
    ACCESS_DF_DELETE_CHILD = 0x01,
    ACCESS_DF_CREATE_EF = 0x02,
    ACCESS_DF_CREATE_DF = 0x04,

    ACCESS_BY_INS = 0x100, /* + INS: INCREASE 32, RESIZE D4 */
};

/* Who asks: the PINs that are verified, or a remote party with a domain of its own. */
struct access_context {
    const struct fs *fs;
    struct nvm *nvm;
    const struct pin_status *pins;
    const char *prefix;
    bool all_but_never; /* access domain 00 (TS 102 226 8.2.1.3.2.4) */
};

/* The PIN that a key reference means in a DF: global ones are the MF's, local ones (80 and above)
 * those of the DF or the nearest above it that has one.  The caller wipes what it got. */
int access_find_pin(const struct access_context *c, uint16_t df, uint8_t reference, struct pin *ret,
                    bool *ret_found);

/* mode: one of the bits, or ACCESS_BY_INS + INS.  0 allowed; SW_SECURITY_STATUS; or a fault. */
int access_check(const struct access_context *c, uint16_t node, unsigned mode);

#endif
